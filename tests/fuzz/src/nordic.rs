//! What comes from Nordic's bootloader, and packages for it.

use bootlace_formats::zip;
use bootlace_loader::{Action, Broken};
use bootlace_nordic_dfu::{
    Decoder, Ended, HARDWARE, News, Next, Package, Target, Transfer, encode, facts, init_packet, manifest,
    names,
};

const TARGET: Target = Target {
    part: 0x5_2840,
    end: 0xE_0000,
};

fn package() -> Package {
    let firmware = vec![0xC0; 6000];
    Package {
        init: init_packet(&firmware, HARDWARE, 1),
        firmware,
    }
}

/// An archive, a manifest and an init packet from anywhere; a stream of bytes; and a loader that answers anything: a transfer ends, and
/// says that all is there only where as much was sent.
pub fn nordic(data: &[u8]) {
    const MOST: usize = 1 << 16;
    if let Ok(files) = zip::read(data, MOST) {
        assert!(files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() <= MOST);
    }
    if let Ok(package) = bootlace_install::package(data) {
        assert!(facts(&package.init, &package.firmware).is_ok());
    }
    if let Ok(found) = names(data) {
        assert!(!data.is_empty() && found.firmware.len() <= data.len());
    }
    _ = facts(data, &data[..data.len() / 4 * 4]);
    let mut decoder = Decoder::default();
    for frame in data.iter().filter_map(|byte| decoder.take(*byte)) {
        assert!(!frame.is_empty() && frame.len() <= Decoder::MOST);
        let mut again = Decoder::default();
        let frames: Vec<_> = encode(&frame)
            .iter()
            .filter_map(|byte| again.take(*byte))
            .collect();
        assert_eq!(frames, [frame]);
    }
    transfer(data);
}

/// Each read gives the bytes up to the next 0xC0, that one included: what a loader may answer at once. Where none are left, it is
/// mute.
fn transfer(data: &[u8]) -> Ended {
    let mut transfer = Transfer::new(package(), TARGET);
    let (mut rest, mut sent) = (data, 0);
    for _ in 0..data.len() * 8 + 10_000 {
        while let Some(news) = transfer.poll_news() {
            if let News::Ended(ended) = news {
                assert_eq!(transfer.poll_next(), Next::Over);
                assert!(ended != Ended::Installed || sent > 6000);
                return ended;
            }
        }
        let Next::Do(action, _) = transfer.poll_next() else {
            continue;
        };
        transfer.handle_done(match action {
            Action::Out(bytes) => {
                sent += bytes.len();
                Ok(vec![])
            }
            _ if rest.is_empty() => Err(Broken::Silent),
            _ => {
                let len = rest
                    .iter()
                    .position(|byte| *byte == 0xC0)
                    .map_or(rest.len(), |at| at + 1);
                let (now, later) = rest.split_at(len.min(512));
                rest = later;
                Ok(now.to_vec())
            }
        });
    }
    panic!("the transfer does not end");
}

/// A whole transfer's replies, a package, its parts.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let package = package();
    let crc = |bytes: &[u8]| bootlace_formats::sums::Sum::Crc32.of(bytes).unwrap_or_default();
    let reply = |op: u8, words: &[u32]| {
        let payload = words.iter().flat_map(|word| word.to_le_bytes());
        encode(&[0x60, op, 1].into_iter().chain(payload).collect::<Vec<u8>>())
    };
    let (init, firmware) = (&package.init, &package.firmware);
    let page = &firmware[..4096];
    let replies = [
        encode(&[0x60, 9, 1, 1]),
        reply(2, &[]),
        encode(&[0x60, 7, 1, 3, 8]),
        reply(10, &[0x5_2840, 0, 0, 0, 0]),
        encode(
            &[
                &[0x60, 11, 1, 2, 1, 0, 0, 0][..],
                &0xE_0000u32.to_le_bytes(),
                &[0; 4],
            ]
            .concat(),
        ),
        reply(6, &[512, 0, 0]),
        reply(1, &[]),
        reply(3, &[init.len() as u32, crc(init)]),
        reply(4, &[]),
        reply(6, &[4096, 0, 0]),
        reply(1, &[]),
        reply(3, &[4096, crc(page)]),
        reply(4, &[]),
        reply(1, &[]),
        reply(3, &[6000, crc(firmware)]),
        reply(4, &[]),
    ];
    let archive = zip::write(&[
        ("manifest.json", manifest("a.bin", "a.dat").as_bytes()),
        ("a.bin", firmware),
        ("a.dat", init),
    ]);
    vec![
        replies.concat(),
        archive,
        init.clone(),
        manifest("a.bin", "a.dat").into_bytes(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_seed_is_a_whole_transfer_and_the_second_a_package() {
        let seeds = seeds();
        assert_eq!(transfer(&seeds[0]), Ended::Installed);
        assert_eq!(bootlace_install::package(&seeds[1]).unwrap(), package());
    }
}
