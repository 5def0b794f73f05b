//! A micro:bit that checks Ed25519 alone: the binary of `cargo xtask firmware`, filled with a key by `bootlace companion fill`, and
//! images that imgtool signed.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bootlace_image::{Algorithm, Image};
use bootlace_smp::bootlace::{BootState, Role};
use bootlace_tests::qemu::{Emulator, Line, PRIMARY, program, with_bootloader};
use bootlace_tests::tools;

/// Key pairs that are for tests only.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/image/tests/data");
const BOARD: &str = "qemu-microbit-ed25519";

fn folder(name: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ed25519-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn public(key: &str) -> PathBuf {
    PathBuf::from(format!("{DATA}/{key}.pub.pem"))
}

/// A program as imgtool signs it with the key of this name.
fn signed_by_imgtool(folder: &Path, key: &str, minor: u8) -> Vec<u8> {
    let (payload, image) = (folder.join("payload.bin"), folder.join("signed.bin"));
    std::fs::write(&payload, program("plain").unwrap()).unwrap();
    let mut imgtool = Command::new(tools::required("BOOTLACE_IMGTOOL").unwrap());
    imgtool.args(["sign", "--key", &format!("{DATA}/{key}.pem")]);
    imgtool.args(["--version", &format!("1.{minor}.0"), "--header-size", "0x100"]);
    imgtool.args(["--pad-header", "--align", "4", "--slot-size", "0x19c00"]);
    tools::output(imgtool.args([&payload, &image])).unwrap();
    std::fs::read(image).unwrap()
}

/// Why the board with this image in its primary slot does not start it.
fn refused(bootloader: &[u8], image: &[u8]) -> Option<BootState> {
    let board = Emulator::running(Line::Socket, &with_bootloader(bootloader, Some(image))).unwrap();
    let mut client = board.client().unwrap();
    let told = client.describe_when_up(|it| (it.role, it.state));
    let (role, state) = told.unwrap();
    assert_eq!(role, Role::Bootloader);
    state
}

#[test]
fn an_image_that_imgtool_signed_starts_and_one_with_a_flipped_bit_does_not() {
    let folder = folder("starts");
    let bootloader = tools::filled(&folder, BOARD, "bin", &public("ed25519")).unwrap();
    let image = signed_by_imgtool(&folder, "ed25519", 0);
    let board = Emulator::new(Line::Rushed, &with_bootloader(&bootloader, Some(&image))).unwrap();
    let mut client = board.client().unwrap();
    board.go().unwrap();
    client
        .wait_for_text("plain: running", Duration::from_secs(60))
        .unwrap();

    let mut source = &image[..];
    let parsed = Image::read(&mut source).unwrap();
    let mut signatures = parsed.signatures(&mut source);
    let signature = signatures.next().unwrap().unwrap();
    assert_eq!((signature.kind, signature.len), (Algorithm::Ed25519.tlv(), 64));
    let (r, s) = (signature.offset as usize, signature.offset as usize + 32);
    // The payload, R's y and its sign, S.
    for (at, bit) in [(0x200, 0), (r, 0), (r + 31, 7), (s, 0), (s + 20, 5)] {
        let mut flipped = image.clone();
        flipped[at] ^= 1 << bit;
        assert_eq!(
            refused(&bootloader, &flipped),
            Some(BootState::BadImage),
            "byte {at}"
        );
    }
    // What is signed with a key of another kind.
    let other = signed_by_imgtool(&folder, "p256", 0);
    assert_eq!(refused(&bootloader, &other), Some(BootState::BadImage));
}

#[test]
fn an_update_that_imgtool_signed_is_checked_marked_and_swapped() {
    let folder = folder("update");
    let bootloader = tools::filled(&folder, BOARD, "bin", &public("ed25519")).unwrap();
    let old = signed_by_imgtool(&folder, "ed25519", 0);
    let new = signed_by_imgtool(&folder, "ed25519", 1);
    let board = Emulator::new(Line::Socket, &with_bootloader(&bootloader, Some(&old))).unwrap();
    board.hold_button().unwrap();
    board.go().unwrap();
    let mut client = board.client().unwrap();
    let mut damaged = new.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let hash = |image: &[u8]| {
        let mut source = image;
        *Image::read(&mut source)
            .unwrap()
            .hash(&mut source)
            .unwrap()
            .as_bytes()
            .first_chunk::<32>()
            .unwrap()
    };
    // The signature is the last TLV, so that the digest is the same.
    assert_eq!(hash(&damaged), hash(&new));
    assert_eq!(client.upload(&damaged, damaged.len()).unwrap().1, Some(true));
    assert!(client.test(&hash(&damaged)).is_err());
    assert_eq!(client.upload(&new, new.len()).unwrap().1, Some(true));
    client.test(&hash(&new)).unwrap();

    let board = Emulator::new(Line::Socket, &board.power_down().unwrap()).unwrap();
    let mut client = board.client().unwrap();
    board.go().unwrap();
    client
        .wait_for_text("plain: confirmed", Duration::from_secs(60))
        .unwrap();
    let flash = board.power_down().unwrap();
    assert_eq!(flash[PRIMARY..PRIMARY + new.len()], new);
}

/// The page and the command line fill no block with a key that the bootloader does not check. A block that holds one anyway starts
/// nothing, and the board says why.
#[test]
fn a_key_of_another_kind_is_refused_by_the_tool_and_by_the_board() {
    let folder = folder("kinds");
    let refused_by_tool = |board: &str, key: &str, kind: &str| {
        let error = tools::filled(&folder, board, "bin", &public(key)).unwrap_err();
        let said = format!("{error:#}");
        assert!(
            said.contains(kind) && said.contains("checks no such signatures"),
            "{said}"
        );
    };
    refused_by_tool(BOARD, "p256", "ECDSA P-256");
    refused_by_tool("qemu-microbit", "ed25519", "Ed25519");
    refused_by_tool("rp2040", "ed25519", "Ed25519");
    tools::filled(&folder, "nrf52840-ed25519", "bin", &public("p256")).unwrap();
    tools::filled(&folder, "nrf52840-ed25519", "bin", &public("ed25519")).unwrap();

    // The block of the one board in the flash of the other.
    let block = |board: &str, key: &str| {
        let filled = tools::filled(&folder, board, "bin", &public(key)).unwrap();
        let at = filled.len() - 256;
        (filled, at)
    };
    let (mut bootloader, at) = block(BOARD, "ed25519");
    let (other, from) = block("qemu-microbit", "p256");
    bootloader.splice(at.., other[from..].iter().copied());
    let image = signed_by_imgtool(&folder, "p256", 0);
    let board = Emulator::running(Line::Socket, &with_bootloader(&bootloader, Some(&image))).unwrap();
    let mut client = board.client().unwrap();
    let told = client.describe_when_up(|it| (it.state, it.keys.iter().count(), it.board.map(str::to_owned)));
    assert_eq!(
        told.unwrap(),
        (
            Some(BootState::NoKey),
            0,
            Some("unsupported kind of key".to_owned())
        )
    );
}
