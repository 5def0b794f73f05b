//! Loaders of chips that answer anything: a first install over them ends, asks for nothing that it never should, and believes no more
//! than what it was given.

use std::time::Duration;

use bootlace_dfuse::{Dfuse, Layout, find, text};
use bootlace_install::{Ended, FlashPlan, Installation, News, Next, Part, boards};
use bootlace_loader::{Action, Broken, Loader};
use bootlace_picoboot::Picoboot;
use bootlace_stm32_uart::Stm32Uart;

/// What a loader answers: the first byte of each answer says of which kind it is and how long.
struct Answers<'a>(&'a [u8]);

impl Answers<'_> {
    /// The next one to something that asked for so many bytes. When there are none left, the device is gone.
    fn next(&mut self, asked: usize) -> Result<Vec<u8>, Broken> {
        let Some((&kind, rest)) = self.0.split_first() else {
            return Err(Broken::Gone);
        };
        self.0 = rest;
        let len = match kind {
            // As much as was asked for, where there is so much.
            0xFF => asked,
            0xFE => return Err(Broken::Stalled),
            0xFD => return Err(Broken::Silent),
            // As much as was asked for of what blank flash holds, or full one.
            0xFC => return Ok(vec![0xFF; asked]),
            0xFB => return Ok(vec![0; asked]),
            // The serial loader agrees, or agrees and gives 256 bytes.
            0xFA => return Ok(vec![0x79]),
            0xF9 => return Ok([&[0x79][..], &[0; 256]].concat()),
            len => usize::from(len),
        };
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        Ok(bytes.to_vec())
    }
}

/// The first byte says which protocol, or that a layout or descriptors follow.
pub fn loaders(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    match first % 4 {
        0 => descriptors(data),
        1 => install(Dfuse::new(0), "stm32f407", data, is_dfu),
        2 => install(Stm32Uart::new(), "stm32f407", data, is_serial),
        _ => install(Picoboot::new(0), "rp2040", data, |_| {}),
    }
}

fn descriptors(data: &[u8]) {
    if let Some(found) = find(data, 0) {
        assert!(found.transfer > 0 && !found.alternates.is_empty());
    }
    text(data);
    let Some(layout) = Layout::parse(&String::from_utf8_lossy(data)) else {
        return;
    };
    for (number, row) in layout.rows.iter().enumerate() {
        assert!(row.units.len > 0 && row.units.count > 0 && row.units.end() <= 1 << 32);
        for other in &layout.rows[..number] {
            let (one, two) = (row.units, other.units);
            assert!(one.end() <= u64::from(two.at) || two.end() <= u64::from(one.at));
        }
        let last = (row.units.end() - 1) as u32;
        for at in [row.units.at, last] {
            if let Some(unit) = layout.unit(at) {
                assert!(unit.at <= at && u64::from(at) < u64::from(unit.at) + u64::from(unit.len));
                assert_eq!(layout.unit(unit.at), Some(unit));
            }
        }
    }
}

/// Only requests that the protocol has, and of the commands those for one sector and for the pointer.
fn is_dfu(action: &Action) {
    match action {
        Action::ControlOut(setup, bytes) => {
            assert_eq!((setup.kind, setup.index), (0x21, 0));
            match (setup.request, setup.value, bytes.as_slice()) {
                (1, 0, [0x21 | 0x41, _, _, _, _]) | (1, 2.., _) => {}
                (4 | 6, 0, []) => {}
                other => panic!("{other:?}"),
            }
        }
        Action::ControlIn(setup, _) => {
            assert!(matches!((setup.kind, setup.request), (0x80, 6) | (0xA1, 2 | 3)))
        }
        Action::Setting(_) => {}
        other => panic!("{other:?}"),
    }
}

/// A frame that is right by itself never erases all flash, nor changes a protection.
fn is_serial(action: &Action) {
    match action {
        Action::Out(bytes) => match bytes.as_slice() {
            [command, complement] if *command == !complement => {
                // A count of bytes to read looks the same; its command went ahead of it.
                assert!(matches!(command, 0 | 2 | 0x11 | 0x21 | 0x31 | 0x44 | 0xFF));
            }
            [0, 0, 0, sector, _] => assert!(*sector < 12),
            [0xF0..=0xFF, ..] => assert!(bytes.len() > 5, "{bytes:?}"),
            _ => {}
        },
        Action::In(len) => assert!(*len > 0),
        other => panic!("{other:?}"),
    }
}

/// The longest that a driver waits in all.
const PATIENCE: Duration = Duration::from_secs(3600);

fn install(loader: impl Loader, board: &str, data: &[u8], check: impl Fn(&Action)) {
    let board = boards::named(board).unwrap();
    // So little that an input of some hundred bytes gets to the end.
    let plan = FlashPlan {
        parts: vec![Part {
            at: board.flash,
            bytes: vec![0x5A; 3000],
        }],
        blank: board.flash..board.flash + 0x4000,
        start: board.flash,
        units: board.units,
    };
    let mut answers = Answers(data);
    let mut installation = Installation::new(loader, plan);
    let (mut waited, mut actions, mut asked) = (Duration::ZERO, 0, false);
    loop {
        while let Some(news) = installation.poll_news() {
            match news {
                News::Before(parts) => {
                    asked = true;
                    assert!(parts.iter().all(|part| part.at >= board.flash));
                    installation.go_on();
                }
                News::Progress { done, total } => assert!(done <= total),
                News::Ended(ended) => {
                    assert!(asked || !matches!(ended, Ended::Installed | Ended::Differs { .. }));
                    return;
                }
                News::Work(_) => {}
            }
        }
        match installation.poll_next() {
            Next::Do(action, limit) => {
                actions += 1;
                check(&action);
                assert!(limit <= Duration::from_secs(60));
                assert!(actions < 10_000 + 10 * data.len(), "no end in sight");
                let len = match &action {
                    Action::ControlIn(_, len) => usize::from(*len),
                    Action::In(len) => *len as usize,
                    _ => 0,
                };
                installation.handle_done(answers.next(len));
            }
            Next::Wait(time) => {
                waited += time;
                assert!(waited < PATIENCE, "waits without end");
            }
            // Told by the news of the next round.
            Next::Asks | Next::Over => actions += 1,
        }
    }
}

/// Texts and descriptors of a chip, and answers of loaders to whole installations up to where they would erase.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg",
        "@Internal Flash   /0x08000000/12*001Ka,116*001Kg",
        "@OTP Memory /0x1FFF7800/01*512 e,01*016 e",
        "@x/0x00000000/128*64Kg/0x10000000/2*1Mg,1*8Bc",
    ];
    let mut seeds: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| [&[0], text.as_bytes()].concat())
        .collect();
    let mut configuration = vec![9, 2, 27, 0, 1, 1, 0, 0xC0, 50, 9, 4, 0, 0, 0, 0xFE, 1, 2, 4];
    configuration.extend([9, 0x21, 0x0B, 0xFF, 0, 0, 8, 0x1A, 1]);
    seeds.push([&[0], configuration.as_slice()].concat());

    // DFU: descriptors, the text, the setting, idle; pointer, waits, abort, idle, and blocks.
    let mut string = vec![2 + 2 * texts[0].len() as u8, 3];
    string.extend(texts[0].encode_utf16().flat_map(u16::to_le_bytes));
    let idle = [6, 0, 0, 0, 0, 2, 0];
    let mut dfu = vec![1, 9];
    dfu.extend(&configuration[..9]);
    dfu.push(27);
    dfu.extend(&configuration);
    dfu.push(string.len() as u8);
    dfu.extend(&string);
    dfu.push(0);
    dfu.extend(idle);
    dfu.extend([0, 6, 0, 0, 0, 0, 4, 0, 6, 0, 0, 0, 0, 5, 0, 0]);
    dfu.extend(idle);
    let head = dfu.clone();
    // Blank flash, which is written; and full flash, which is erased before.
    let done = [0, 6, 0, 0, 0, 0, 4, 0, 6, 0, 0, 0, 0, 5, 0];
    for (held, change) in [(0xFC, &[][..]), (0xFB, &done)] {
        let mut dfu = head.clone();
        dfu.extend([held; 8]);
        // Out of the upload.
        dfu.push(0);
        dfu.extend(idle);
        dfu.extend(change);
        for _ in 0..4 {
            dfu.extend(done);
        }
        dfu.extend([held; 20]);
        seeds.push(dfu);
    }

    // Serial: quiet, in step, quiet, the chip, its commands, how much flash; then what it holds, an erase, writes.
    let mut serial = vec![2, 0xFD, 0, 0xFA, 0xFD, 0, 5, 0x79, 1, 4, 0x13, 0x79, 0];
    serial.extend([
        15, 0x79, 11, 0x31, 0, 1, 2, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92, 0x79,
    ]);
    for _ in 0..1 + 64 {
        serial.extend([0, 0xFA, 0, 0xFA, 0, 0xF9]);
    }
    serial.extend([0, 0xFA, 0, 0xFA]);
    serial.extend([0, 0xFA].repeat(3 * 14));
    seeds.push(serial);
    // PICOBOOT: whatever was asked for, or nothing.
    seeds.push([&[3][..], &[0xFC; 60]].concat());
    seeds.push([&[3][..], &[0xFB; 60]].concat());
    seeds
}
