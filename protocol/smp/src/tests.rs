#![allow(clippy::unwrap_used, clippy::panic)]
//! Golden bytes are what smpclient 7.3.0 (smp 4.2.0, cbor2) sends and accepts.
extern crate std;
use std::vec::Vec;

use crate::*;

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Bytes of a string of hex digits.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// xorshift64*: a seed is printed with a failure and repeats it.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

const HASH: [u8; 32] = {
    let mut hash = [0; 32];
    let mut at = 0;
    while at < 32 {
        hash[at] = at as u8;
        at += 1;
    }
    hash
};

/// `golden` decodes to `request`, and the request encodes to `golden` where `both`.
#[track_caller]
fn check(golden: &str, request: Request<'_>, both: bool) {
    let golden = hex(golden);
    let (header, payload) = Header::parse(&golden).unwrap();
    assert_eq!((header.op, header.group, header.id), request.address());
    assert_eq!(decode_request(&header, payload), Ok(request));
    let mut buf = [0; 256];
    let n = encode_request(&mut buf, header.version, header.seq, &request).unwrap();
    if both {
        assert_eq!(&buf[..n], golden);
    } else {
        let (header, payload) = Header::parse(&buf[..n]).unwrap();
        assert_eq!(decode_request(&header, payload), Ok(request));
    }
}

#[test]
fn requests_of_smpclient() {
    use {img::Request as Img, os::Request as Os};
    check("0a00000600000700a16164626869", Request::Os(Os::Echo("hi")), true);
    check(
        "02000007000001 00a16164636f6c64".replace(' ', "").as_str(),
        Request::Os(Os::Echo("old")),
        true,
    );
    check("0800000100000806a0", Request::Os(Os::Params), true);
    check(
        "0a00000100000905a0",
        Request::Os(Os::Reset {
            force: false,
            boot_mode: None,
        }),
        true,
    );
    check(
        "0a00001300000905a265666f7263650169626f6f745f6d6f646501",
        Request::Os(Os::Reset {
            force: true,
            boot_mode: Some(os::BOOT_MODE_BOOTLOADER),
        }),
        true,
    );
    check(
        "0800000100000a08a0",
        Request::Os(Os::Bootloader { query: None }),
        true,
    );
    check(
        "0800000c00000a08a1657175657279646d6f6465",
        Request::Os(Os::Bootloader { query: Some("mode") }),
        true,
    );
    check("0800000100010b00a0", Request::Img(Img::State), true);
    check(
        "0a00002800010c00a164686173685820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        Request::Img(Img::SetState {
            hash: Some(&HASH),
            confirm: false,
        }),
        false,
    );
    check(
        "0a00000a00010d00a167636f6e6669726df5",
        Request::Img(Img::SetState {
            hash: None,
            confirm: true,
        }),
        true,
    );
    check(
        "0a00000700010e05a164736c6f7401",
        Request::Img(Img::Erase { slot: Some(1) }),
        true,
    );
    check(
        "0a00000100010e05a0",
        Request::Img(Img::Erase { slot: None }),
        true,
    );
    check(
        "0a00007400010f01a6636c656e1a000493e0636f666600637368615820000102030405060708090a0b0c0d0e0f10111213\
         1415161718191a1b1c1d1e1f64646174615828aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
         aaaaaaaaaaaaaaaa65696d616765006775706772616465f4",
        Request::Img(Img::Upload(img::Upload {
            image: Some(0),
            off: 0,
            len: Some(300_000),
            sha: Some(&HASH),
            data: &[0xAA; 40],
            upgrade: false,
        })),
        false,
    );
    check(
        "0a00001400011001a2636f66661a0001117064646174614400010002",
        Request::Img(Img::Upload(img::Upload {
            off: 70_000,
            data: &[0, 1, 0, 2],
            ..Default::default()
        })),
        true,
    );
}

/// A reset by mcumgr-client: no payload at all.
#[test]
fn no_payload_is_an_empty_map() {
    let packet = hex("0a00000000000905");
    let (header, payload) = Header::parse(&packet).unwrap();
    let reset = Request::Os(os::Request::Reset {
        force: false,
        boot_mode: None,
    });
    assert_eq!(decode_request(&header, payload), Ok(reset));
}

#[track_caller]
fn check_response(request: &str, response: Response<'_>, golden: Option<&str>) {
    let request = hex(request);
    let (request, _) = Header::parse(&request).unwrap();
    let mut buf = [0; 512];
    let n = encode_response(&mut buf, &request, &response).unwrap();
    let (header, payload) = Header::parse(&buf[..n]).unwrap();
    assert_eq!(header, request.response(payload.len() as u16));
    assert_eq!(decode_response(&header, payload), Ok(response));
    if let Some(golden) = golden {
        assert_eq!(buf[..n], hex(golden));
    }
    for short in 0..n {
        assert_eq!(
            encode_response(&mut buf[..short], &request, &response),
            Err(EncodeError::Full)
        );
    }
}

#[test]
fn responses() {
    use {img::Response as Img, os::Response as Os};
    let slot = |slot, active| img::StateEntry {
        slot,
        version: "1.2.3",
        hash: Some(&HASH),
        bootable: true,
        confirmed: active,
        active,
        ..Default::default()
    };
    check_response("0a00000600000700a16164626869", Response::Os(Os::Echo("hi")), None);
    check_response(
        "0a00000100000905a0",
        Response::Os(Os::Reset),
        Some("0b00000100000905a0"),
    );
    check_response(
        "0800000100000806a0",
        Response::Os(Os::Params {
            buf_size: 2048,
            buf_count: 4,
        }),
        Some("0900001800000806a2686275665f73697a65190800696275665f636f756e7404"),
    );
    check_response(
        "0800000100000a08a0",
        Response::Os(Os::Bootloader("Bootlace")),
        None,
    );
    check_response(
        "0800000100000a08a0",
        Response::Os(Os::Mode {
            mode: 3,
            no_downgrade: true,
        }),
        None,
    );
    check_response(
        "0800000100000a08a0",
        Response::Os(Os::Mode {
            mode: -1,
            no_downgrade: false,
        }),
        None,
    );
    check_response("0800000100000a07a0", Response::Os(Os::Info("Bootlace")), None);
    let entries = [slot(0, true), slot(1, false)];
    check_response(
        "0800000100010b00a0",
        Response::Img(Img::State((&entries[..]).into())),
        None,
    );
    check_response(
        "0800000100010b00a0",
        Response::Img(Img::State(List::default())),
        None,
    );
    check_response(
        "0a00000100011001a0",
        Response::Img(Img::Upload {
            off: 70_004,
            matched: None,
        }),
        Some("0b00000a00011001a1636f66661a00011174"),
    );
    check_response(
        "0a00000100011001a0",
        Response::Img(Img::Upload {
            off: 9,
            matched: Some(false),
        }),
        None,
    );
    check_response(
        "0a00000100010e05a0",
        Response::Img(Img::Erase),
        Some("0b00000100010e05a0"),
    );
    let sizes = [0, 1].map(|slot| img::SlotSize {
        slot,
        size: 0x4_0000,
        upload_image_id: (slot == 1).then_some(0),
    });
    let images = [img::ImageSlots {
        image: 0,
        slots: (&sizes[..]).into(),
        max_image_size: Some(0x3_F000),
    }];
    check_response(
        "0800000100010b06a0",
        Response::Img(Img::SlotInfo((&images[..]).into())),
        None,
    );
}

/// What smp 4.2.0 makes of a state response: keys sorted by length, `permanent` and all.
#[test]
fn state_of_another_server() {
    let packet = hex(
        "0900007600010b00a166696d6167657381a864686173685820000102030405060708090a0b0c0d0e0f101112131415161718191a\
         1b1c1d1e1f64736c6f740066616374697665f56770656e64696e67f46776657273696f6e65312e322e3368626f6f7461626c65f5\
         69636f6e6669726d6564f5697065726d616e656e74f4",
    );
    let (header, payload) = Header::parse(&packet).unwrap();
    let Ok(Response::Img(img::Response::State(images))) = decode_response(&header, payload) else {
        panic!()
    };
    let expected = img::StateEntry {
        version: "1.2.3",
        hash: Some(&HASH),
        bootable: true,
        confirmed: true,
        active: true,
        ..Default::default()
    };
    assert_eq!(images.iter().collect::<Vec<_>>(), [expected]);
}

#[test]
fn descriptions() {
    use bootlace::{
        Algorithm, Description, Features, Key, Release, Reset, Role, Rollback, RollbackReason, Slot, State,
        Supply, Trial,
    };
    let response = |description| Response::Bootlace(bootlace::Response::Describe(description));
    let describe = "0800000100400000a0";
    check_response(describe, response(Description::default()), None);
    let slot = Slot {
        slot: 1,
        addr: 0x0804_4000,
        size: 0x4_0000,
        max: 0x3_F000,
        erase: 4096,
        write: 4,
    };
    let slots = [Slot { slot: 0, ..slot }, slot];
    let full = Description {
        role: Role::Application,
        board: Some("simulated"),
        serial: Some("0001"),
        bootloader: Some("0.1.0"),
        vid: Some(&[1; 16]),
        cid: Some(&[2; 16]),
        keys: (&[
            Key {
                alg: Algorithm::Ed25519,
                key: &[3; 32],
            },
            Key {
                alg: Algorithm::P256,
                key: &[4; 65],
            },
        ][..])
            .into(),
        slots: (&slots[..]).into(),
        frame: Some(2048),
        window: Some(4),
        counter: Some(7),
        features: Features::COBS.and(Features::RESUME),
        reset: Some(Reset::Watchdog),
        state: Some(State::OnTrial),
        rollback: Some(Rollback {
            reason: RollbackReason::from_code(99),
            from: Some("2.0.0"),
        }),
        trial: Some(Trial {
            left: 1,
            deadline: Some(30),
        }),
        supply: Some(Supply {
            level: 2900,
            limit: 3300,
            percent: false,
        }),
        golden: Some(Release {
            major: 1,
            minor: 2,
            revision: 3,
        }),
    };
    check_response(describe, response(full), None);
    assert!(full.features.has(Features::COBS) && !full.features.has(Features::PERMANENT));
    assert_eq!(
        Request::Bootlace(bootlace::Request::Describe).address(),
        (Op::Read, 64, 0)
    );
}

#[test]
fn journals() {
    use bootlace::{Outcome, Release, Request as Ours, Response as Answer, RollbackReason, Update};
    check("0800000100400001a0", Request::Bootlace(Ours::Journal), true);
    let update = Update {
        from: Release {
            major: 7,
            minor: 27,
            revision: 0x0102,
        },
        to: Release {
            major: 7,
            minor: 28,
            revision: 0,
        },
        start: 12,
        outcome: Outcome::RolledBack,
        reason: RollbackReason::self_test(2),
    };
    let updates = [update; 8];
    let journal = |count: usize| Response::Bootlace(Answer::Journal((&updates[..count]).into()));
    check_response(
        "0800000100400001a0",
        journal(1),
        Some(
            "090000360040 0001a1677570646174657381a56466726f6d44071b020162746f44071c0000657374617274             0c676f7574636f6d650266726561736f6e1882"
                .replace(' ', "")
                .as_str(),
        ),
    );
    check_response("0800000100400001a0", journal(8), None);
}

/// A patch goes like an image: the same entries, another group and command.
#[test]
fn patches() {
    use bootlace::{Request as Ours, Response as Answer};
    let first = img::Upload {
        off: 0,
        len: Some(300),
        sha: Some(&HASH),
        data: &[0xB1, 0xDE, 1],
        ..Default::default()
    };
    check(
        "0a00003c00400802a4636c656e19012c636f6666006373686158200001020304050607 \
         08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f646461746143b1de01"
            .replace(' ', "")
            .as_str(),
        Request::Bootlace(Ours::Patch(first)),
        true,
    );
    let next = img::Upload {
        off: 3,
        data: &[7],
        ..Default::default()
    };
    check(
        "0a00000d00400802a2636f66660364646174614107"
            .replace(' ', "")
            .as_str(),
        Request::Bootlace(Ours::Patch(next)),
        true,
    );
    let answer = |off, matched| Response::Bootlace(Answer::Patch { off, matched });
    check_response(
        "0a00000100400802a0",
        answer(4, None),
        Some("0b00000600400802a1636f666604"),
    );
    check_response(
        "0a00000100400802a0",
        answer(300, Some(true)),
        Some("0b00000f00400802a2636f666619012c656d61746368f5"),
    );
    for rc in 0..=40 {
        assert_eq!(
            bootlace::ErrorCode::from_rc(rc).map_or(rc, bootlace::ErrorCode::rc),
            rc
        );
    }
    let mut buf = [0; 64];
    for (request, expected) in [
        ("0a00000100400802a0", "a163657272a26567726f7570184062726303"),
        ("0200000100400802a0", "a162726306"),
    ] {
        let request = hex(request);
        let (request, _) = Header::parse(&request).unwrap();
        let n = encode_error(&mut buf, &request, bootlace::ErrorCode::WrongBase, None).unwrap();
        assert_eq!(buf[Header::LEN..n], hex(expected));
    }
}

#[test]
fn refusals_in_both_versions() {
    let mut buf = [0; 64];
    let fault = img::ErrorCode::ImageTooLarge;
    for (request, expected, failure) in [
        (
            "0a00000100011001a0",
            "0b00001200011001a163657272a26567726f757001627263181e",
            Failure {
                group: Some(1),
                rc: 30,
                reason: None,
            },
        ),
        (
            "0200000100011001a0",
            "0300000d00011001a262726307637273 6e63626967",
            Failure {
                group: None,
                rc: 7,
                reason: Some("big"),
            },
        ),
    ] {
        let request = hex(request);
        let (request, _) = Header::parse(&request).unwrap();
        let n = encode_error(&mut buf, &request, fault, Some("big")).unwrap();
        assert_eq!(buf[..n], hex(&expected.replace(' ', "")));
        let (header, payload) = Header::parse(&buf[..n]).unwrap();
        assert_eq!(decode_response(&header, payload), Ok(Response::Failure(failure)));
        // A generic code is `rc` in both.
        let n = encode_error(&mut buf, &request, ErrorCode::Busy, None).unwrap();
        assert_eq!(buf[Header::LEN..n], hex("a16272630a"));
    }
    for rc in 0..=40 {
        assert_eq!(ErrorCode::from_rc(rc).map_or(rc, ErrorCode::rc), rc);
        assert_eq!(img::ErrorCode::from_rc(rc).map_or(rc, img::ErrorCode::rc), rc);
    }
}

/// `{"rc": 0}` is what MCUboot's recovery says when all is well.
#[test]
fn rc_0_is_success() {
    let packet = hex("0b00000500000905a162726300");
    let (header, payload) = Header::parse(&packet).unwrap();
    assert_eq!(
        decode_response(&header, payload),
        Ok(Response::Os(os::Response::Reset))
    );
}

/// Zephyr's zcbor writes maps, lists and now and then strings of indefinite length.
#[test]
fn indefinite_lengths() {
    let packet = hex("0b00001200011001 bf 7f 63 6f6666 ff 1904d2 65 6d61746368 f5 ff"
        .replace(' ', "")
        .as_str());
    let (header, payload) = Header::parse(&packet).unwrap();
    let upload = img::Response::Upload {
        off: 1234,
        matched: Some(true),
    };
    assert_eq!(decode_response(&header, payload), Ok(Response::Img(upload)));

    // A list in a list in an unknown entry, of lengths in turn, beside one that is known.
    let body = "bf 6178 82 9f 01 bf 02 a1 0304 ff ff c1 00 63 6f6666 05 ff".replace(' ', "");
    let packet = hex(&std::format!("0b0000{:02x}00011001{body}", body.len() / 2));
    let (header, payload) = Header::parse(&packet).unwrap();
    let upload = img::Response::Upload {
        off: 5,
        matched: None,
    };
    assert_eq!(decode_response(&header, payload), Ok(Response::Img(upload)));

    // In several pieces it can't be lent.
    let packet = hex("0a00000900000700 a1 6164 7f 6161 6162 ff"
        .replace(' ', "")
        .as_str());
    let (header, payload) = Header::parse(&packet).unwrap();
    assert_eq!(decode_request(&header, payload), Err(DecodeError::Chunked));
}

#[test]
fn bad_requests_are_refused_with_their_code() {
    for (packet, code) in [
        ("1200000100000905a0", ErrorCode::TooNew),       // version 3
        ("0a000001000a0905a0", ErrorCode::NotSupported), // group 10
        ("0a00000100000963a0", ErrorCode::NotSupported), // command 99
        ("0800000100010901a0", ErrorCode::NotSupported), // an upload that reads
        ("0a00000100010901a0", ErrorCode::Invalid),      // an upload of nothing
        ("0a00000100010901a1", ErrorCode::Invalid),      // a map that ends early
        ("0a0000010001090180", ErrorCode::Invalid),      // a list
        (
            "0a00000f00010901a2636f66661b00000001000000004364617461",
            ErrorCode::Invalid,
        ), // 64 bits
        ("0a00000900010901a161788181818181818181818100", ErrorCode::Invalid), // a deep one
        ("0a00000700010e05a164736c6f7420", ErrorCode::Invalid), // slot -1
    ] {
        let packet = hex(packet);
        let (header, payload) = Header::parse(&packet).unwrap();
        assert_eq!(
            decode_request(&header, payload).unwrap_err().code(),
            code,
            "{packet:x?}"
        );
    }
    assert_eq!(
        Header::parse(&hex("0a000002000009 05a0".replace(' ', "").as_str())),
        Err(DecodeError::Short)
    );
    assert_eq!(Header::parse(&[0x0A; 7]), Err(DecodeError::Short));
    assert_eq!(Header::parse(&[0x0F, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::Op));
}

/// Every prefix and 200,000 damaged copies of real messages: an answer or an error, never a panic, and what
/// decodes can be read to its end.
#[test]
fn garbage_never_panics() {
    let seed = 0xB007_1ACE;
    let mut random = Random(seed);
    let mut buf = [0; 256];
    let goods = [
        "0a00001300000905a265666f7263650169626f6f745f6d6f646501",
        "0900002e00010b00a166696d6167657381a864736c6f740066616374697665f56770656e64696e67f46776657273696f6e65312e322e33",
        "0a00001400011001a2636f66661a0001117064646174614400010002",
        "0900002300400000bf64726f6c650065626f617264616164736c6f747381a164736c6f740065747269616ca1646c65667401ff",
        "0900000e00010b06a166696d6167657381a165736c6f747380",
    ];
    for round in 0..200_000 {
        let mut packet = hex(goods[random.below(goods.len())]);
        for _ in 0..random.below(4) {
            let at = random.below(packet.len());
            packet[at] = random.next() as u8;
        }
        packet.truncate(
            random
                .below(packet.len() + 1)
                .max(if round % 2 == 0 { packet.len() } else { 0 }),
        );
        // The length is made right again, or most would end at the header.
        if let Some(len) = packet.len().checked_sub(Header::LEN) {
            packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        }
        let Ok((header, payload)) = Header::parse(&packet) else {
            continue;
        };
        if let Ok(request) = decode_request(&header, payload) {
            let n = encode_request(&mut buf, header.version, header.seq, &request).unwrap();
            let (header, payload) = Header::parse(&buf[..n]).unwrap();
            assert_eq!(
                decode_request(&header, payload),
                Ok(request),
                "seed {seed:x} round {round}"
            );
        }
        if let Ok(response) = decode_response(&header, payload) {
            let n = encode_response(&mut buf, &header, &response).unwrap();
            let (header, payload) = Header::parse(&buf[..n]).unwrap();
            assert_eq!(
                decode_response(&header, payload),
                Ok(response),
                "seed {seed:x} round {round}"
            );
        }
    }
}

#[test]
fn nesting_has_an_end() {
    let check = |lists: usize, expected| {
        let mut packet = hex("0a00000000010901a26178");
        packet.extend(std::iter::repeat_n(0x81, lists));
        packet.extend(hex("00636f666605"));
        packet[3] = (packet.len() - Header::LEN) as u8;
        let (header, payload) = Header::parse(&packet).unwrap();
        assert_eq!(decode_request(&header, payload), Err(expected));
    };
    check(8, DecodeError::Missing(Key::DATA));
    check(9, DecodeError::Depth);
}
