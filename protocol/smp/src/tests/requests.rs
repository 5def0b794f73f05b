//! Requests, byte for byte.

use super::*;

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// `golden` decodes to `request`, and the request encodes to `golden` where `both`.
#[track_caller]
pub(super) fn check(golden: &str, request: Request<'_>, both: bool) {
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
fn requests_equal_smpclients() {
    use {img::Request as Img, os::Request as Os};
    check(
        "0a00000600000700a16164626869",
        Request::Os(Os::Echo("hi".into())),
        true,
    );
    check(
        "02000007000001 00a16164636f6c64".replace(' ', "").as_str(),
        Request::Os(Os::Echo("old".into())),
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
        Request::Os(Os::Bootloader {
            query: Some("mode".into()),
        }),
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
