//! What is not as it should be.

use super::*;

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
fn indefinite_lengths_are_read() {
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
