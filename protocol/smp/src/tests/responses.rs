//! What devices answer.

use super::requests::check;
use super::*;

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
fn answers_of_the_standard_groups_keep_their_bytes() {
    use {img::Response as Img, os::Response as Os};
    let slot = |slot, active| img::StateEntry {
        slot,
        version: "1.2.3".into(),
        hash: Some(&HASH),
        bootable: true,
        confirmed: active,
        active,
        ..Default::default()
    };
    check_response(
        "0a00000600000700a16164626869",
        Response::Os(Os::Echo("hi".into())),
        None,
    );
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
    check_response(
        "0800000100000a07a0",
        Response::Os(Os::Info("Bootlace".into())),
        None,
    );
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
fn an_image_list_of_another_server_is_read() {
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
        version: "1.2.3".into(),
        hash: Some(&HASH),
        bootable: true,
        confirmed: true,
        active: true,
        ..Default::default()
    };
    assert_eq!(images.iter().collect::<Vec<_>>(), [expected]);
}

#[test]
fn descriptions_keep_their_bytes() {
    use bootlace::{
        Algorithm, BootState, Description, Features, Key, Release, Reset, Role, Rollback, RollbackReason,
        Slot, Supply, Trial,
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
        state: Some(BootState::OnTrial),
        rollback: Some(Rollback {
            reason: RollbackReason::from_code(99),
            from: Some("2.0.0".into()),
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
fn journal_answers_keep_their_bytes() {
    use bootlace::{
        JournalEntry, JournalOutcome, Release, Request as Ours, Response as Answer, RollbackReason,
    };
    check("0800000100400001a0", Request::Bootlace(Ours::Journal), true);
    let update = JournalEntry {
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
        outcome: JournalOutcome::RolledBack,
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
fn patch_requests_and_answers_keep_their_bytes() {
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
fn a_refusal_is_encoded_for_the_version_that_asked() {
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
