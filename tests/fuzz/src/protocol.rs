//! What comes over the line, and image files.

use std::sync::OnceLock;

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::compare::verdicts;
use bootlace_image::{Algorithm, Digest, Image, Policy, PublicKey, Version as ImageVersion};
use bootlace_smp::frame::{self, Decoder, Framing};
use bootlace_smp::{self as smp, Header, Request, Response, Version, bootlace, img, os};

const FRAMINGS: [Framing; 3] = [Framing::Console, Framing::Cobs, Framing::Raw];

/// The line's bytes, in pieces of any size, into a buffer that may be too small; then the same bytes as a packet, out and
/// in again.
pub fn frames(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let mut buffer = [0; 600];
    let room = if first & 0x80 == 0 { 600 } else { 24 };
    let piece = usize::from(first & 0x1F) + 1;
    let mut decoder = Decoder::new();
    for bytes in data.chunks(piece) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (used, frame) = decoder.feed(&mut buffer[..room], rest);
            assert!(used <= rest.len());
            assert!(used > 0 || frame.is_some(), "no progress");
            if let Some(frame) = frame {
                assert!(frame.len <= room, "a frame longer than its buffer");
            }
            rest = &rest[used..];
        }
    }
    let framing = FRAMINGS[usize::from(first >> 5) % 3];
    // Only whole packets are sent: their headers say where they end, and that they are packets.
    let Ok((header, payload)) = Header::parse(data) else {
        return;
    };
    let is_whole = payload.len() + Header::LEN == data.len() && data.len() <= 590;
    // A frame is told from noise by bits that no version sets, and by the map that a payload is.
    let is_map = payload.first().is_some_and(|first| (0xA0..=0xBF).contains(first));
    let is_known =
        matches!(header.version, Version::V1 | Version::V2) && data[0] & 0xE0 == 0 && header.flags == 0;
    // A zero begins no raw packet: it ends COBS frames, and lines are full of it.
    let is_zero = matches!(framing, Framing::Raw) && data[0] == 0;
    if !is_whole || !is_map || !is_known || is_zero {
        return;
    }
    let mut decoder = Decoder::new();
    let mut came = None;
    frame::encode(framing, data, |bytes| {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (used, frame) = decoder.feed(&mut buffer, rest);
            came = came.or(frame);
            rest = &rest[used..];
        }
    });
    let came = came.expect("what was sent arrives");
    assert_eq!(&buffer[..came.len], data, "as it was sent");
}

/// A packet as a request and as an answer; what is understood is written again, and read as the same.
pub fn messages(data: &[u8]) {
    let Ok((header, payload)) = Header::parse(data) else {
        return;
    };
    let mut buffer = [0; 2048];
    if let Ok(request) = smp::decode_request(&header, payload)
        && let Ok(len) = smp::encode_request(&mut buffer, header.version, header.seq, &request)
    {
        let (again, payload) = Header::parse(&buffer[..len]).expect("our own header");
        assert_eq!(smp::decode_request(&again, payload), Ok(request));
    }
    if let Ok(response) = smp::decode_response(&header, payload) {
        // Lists are read as they are asked for: in full, to be printed.
        let _ = format!("{response:?}");
        if let Ok(len) = smp::encode_response(&mut buffer, &header, &response) {
            let (again, payload) = Header::parse(&buffer[..len]).expect("our own header");
            let _ = smp::decode_response(&again, payload).map(|response| format!("{response:?}"));
        }
    }
}

/// A key of either kind.
fn keys() -> &'static [SigningKey; 2] {
    static KEYS: OnceLock<[SigningKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| {
        [Algorithm::Ed25519, Algorithm::P256]
            .map(|algorithm| SigningKey::from_seed(algorithm, &[7; 32]).expect("a valid seed"))
    })
}

/// A file as an image. Whatever verifies was signed: the payload of the seeds is all that ever was. A signature is checked by the
/// crates and by the small verifiers, which agree.
pub fn images(data: &[u8]) {
    static PUBLIC: OnceLock<[PublicKey; 2]> = OnceLock::new();
    let keys = PUBLIC.get_or_init(|| keys().each_ref().map(SigningKey::public));
    let mut source = data;
    let Ok(image) = Image::read(&mut source) else {
        return;
    };
    assert!(image.total_len() as usize <= data.len());
    assert!(image.covered_len() <= image.total_len());
    let _ = image.reset_vector(&mut source);
    let hash = image.hash(&mut source);
    let digest = image.digest(&mut source);
    for tlv in image.tlvs(&mut source) {
        let Ok(tlv) = tlv else { break };
        let _ = format!("{tlv:?}");
    }
    // A signature takes long to check and any changed byte ends it: only where the digest is right.
    if let (Ok(hash), Ok(digest)) = (hash, digest)
        && hash == digest
    {
        let policy = Policy {
            allow_development_keys: false,
        };
        let _ = image.verify(&mut source, keys, &policy);
        let Digest::Sha256(digest) = digest else { return };
        let signatures: Vec<_> = image.signatures(&mut source).flatten().collect();
        for signature in signatures {
            let range = signature.offset as usize..signature.offset as usize + usize::from(signature.len);
            let bytes = data.get(range).expect("a signature lies in its image");
            for verdicts in keys.iter().filter_map(|key| verdicts(key, &digest, bytes)) {
                assert_eq!(
                    verdicts[0], verdicts[1],
                    "the small verifiers say what the crates say"
                );
            }
        }
    }
}

fn packets() -> Vec<Vec<u8>> {
    let sha = [7; 32];
    let piece = img::Upload {
        len: Some(1000),
        sha: Some(&sha),
        data: &[1, 2, 3, 4, 5, 6, 7, 8],
        upgrade: true,
        ..img::Upload::default()
    };
    let requests = [
        Request::Os(os::Request::Echo("hello".into())),
        Request::Os(os::Request::Params),
        Request::Os(os::Request::Info {
            format: Some("a".into()),
        }),
        Request::Os(os::Request::Bootloader {
            query: Some("mode".into()),
        }),
        Request::Os(os::Request::Reset {
            force: true,
            boot_mode: Some(1),
        }),
        Request::Img(img::Request::State),
        Request::Img(img::Request::SetState {
            hash: Some(&sha),
            confirm: true,
        }),
        Request::Img(img::Request::Upload(piece)),
        Request::Img(img::Request::Erase { slot: Some(1) }),
        Request::Img(img::Request::SlotInfo),
        Request::Bootlace(bootlace::Request::Describe),
        Request::Bootlace(bootlace::Request::Journal),
        Request::Bootlace(bootlace::Request::Patch(piece)),
    ];
    let entries = [img::StateEntry {
        slot: 0,
        version: "1.2.3".into(),
        hash: Some(&sha),
        bootable: true,
        active: true,
        ..img::StateEntry::default()
    }];
    let responses = [
        Response::Os(os::Response::Echo("hello".into())),
        Response::Os(os::Response::Params {
            buf_size: 600,
            buf_count: 4,
        }),
        Response::Img(img::Response::Upload {
            off: 512,
            matched: Some(true),
        }),
        Response::Img(img::Response::State(entries.as_slice().into())),
        Response::Bootlace(bootlace::Response::Patch {
            off: 9,
            matched: None,
        }),
    ];
    let mut packets = Vec::new();
    let mut buffer = [0; 512];
    for version in [Version::V1, Version::V2] {
        for request in &requests {
            if let Ok(len) = smp::encode_request(&mut buffer, version, 9, request) {
                packets.push(buffer[..len].to_vec());
                let Ok((header, _)) = Header::parse(&buffer[..len]) else {
                    continue;
                };
                for response in &responses {
                    let mut answer = [0; 512];
                    if let Ok(len) = smp::encode_response(&mut answer, &header, response) {
                        packets.push(answer[..len].to_vec());
                    }
                }
            }
        }
    }
    packets
}

pub(crate) fn message_seeds() -> Vec<Vec<u8>> {
    packets()
}

pub(crate) fn frame_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for packet in packets() {
        for framing in FRAMINGS {
            let mut seed = vec![0x1F];
            frame::encode(framing, &packet, |bytes| seed.extend_from_slice(bytes));
            seeds.push(seed);
        }
    }
    seeds
}

pub(crate) fn image_seeds() -> Vec<Vec<u8>> {
    let version = ImageVersion {
        major: 1,
        minor: 2,
        revision: 3,
        build: 4,
    };
    let mut seeds = Vec::new();
    for (len, key) in [64, 300].into_iter().zip(keys()) {
        let builder = || ImageBuilder::new(vec![3; len]).version(version).header_size(32);
        seeds.push(builder().sign(key).build());
        seeds.push(
            builder()
                .security_counter(7)
                .vid([1; 16])
                .cid([2; 16])
                .sign(key)
                .build(),
        );
    }
    seeds
}
