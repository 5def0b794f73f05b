//! MCUboot's serial recovery at the command line: what can't be undone is said before, and what is not known after.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bootlace_engine::Framing;
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Version};
use bootlace_smp::frame::{self, Decoder};
use bootlace_smp::{Header, Request, img, os};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use serde_json::Value;

const BOOTLACE: &str = env!("CARGO_BIN_EXE_bootlace");

/// An image that starts in no slot in particular: recovery names none.
fn image(major: u8) -> Vec<u8> {
    let words = [0x2001_0000, 0x0800_A301]
        .into_iter()
        .chain((0..1000u32).map(|word| word * 7));
    let payload = words.flat_map(u32::to_le_bytes).collect();
    let version = Version {
        major,
        ..Version::default()
    };
    ImageBuilder::new(payload).version(version).sign(&key()).build()
}

fn key() -> SigningKey {
    SigningKey::from_seed(Algorithm::Ed25519, &[5; 32]).unwrap()
}

/// Texts as CBOR has them, at most 23 bytes long.
fn text(text: &str) -> Vec<u8> {
    [&[0x60 + u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// The offset that is due after a piece, or `None` for one that is refused. `upload`: what is there, and bytes of the image.
fn taken_to(upload: &mut (u32, u32), piece: &img::Upload<'_>) -> Option<u32> {
    let len = u32::try_from(piece.data.len()).ok()?;
    if piece.off == 0 {
        // Lines 998 and 1012-1024; a slot has 256 KB.
        *upload = (0, piece.len.filter(|len| *len <= 0x4_0000)?);
    } else if piece.off != upload.0 {
        // Lines 1056-1062.
        return Some(upload.0);
    } else if upload.0 + len > upload.1 {
        // Lines 1063-1066.
        return None;
    }
    // Lines 1086-1096: whole write units of 8 bytes, but at the end.
    let is_last = upload.0 + len == upload.1;
    upload.0 += if is_last { len } else { len & !7 };
    Some(upload.0)
}

/// The recovery of a board that runs version 1.0.0, built as MCUboot's is by default (boot/boot_serial/src/boot_serial.c at
/// 2d4bacc3): the list has hashes and no flags (lines 401-455), images can't be marked (690), an upload goes to the first slot
/// (978), and what a reset starts speaks no SMP. Serves until this program ends.
fn recovery(link: &Path) {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let path = PathBuf::from(name.to_str().unwrap());
    // Kept open, so that the port survives a host that closes it.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(&path, flags, Mode::empty()).unwrap();
    let mut settings = rustix::termios::tcgetattr(&slave).unwrap();
    settings.make_raw();
    rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &settings).unwrap();
    std::os::unix::fs::symlink(&path, link).unwrap();
    std::thread::spawn(move || {
        let _slave = slave;
        let (mut decoder, mut packet, mut bytes) = (Decoder::new(), vec![0; 4096], [0; 4096]);
        let (mut is_recovery, mut upload) = (true, (0, 0));
        loop {
            let len = rustix::io::read(&master, &mut bytes).unwrap();
            // The application reads on, and answers nothing.
            if !is_recovery {
                continue;
            }
            let mut rest = &bytes[..len];
            while !rest.is_empty() {
                let (taken, found) = decoder.feed(&mut packet, rest);
                rest = &rest[taken..];
                let Some(found) = found.filter(|found| found.framing == Framing::Console) else {
                    continue;
                };
                let (header, payload) = Header::parse(&packet[..found.len]).unwrap();
                let rc = |code: u8| [&[0xA1], &text("rc")[..], &[code]].concat();
                let request = bootlace_smp::decode_request(&header, payload);
                let is_reset = matches!(request, Ok(Request::Os(os::Request::Reset { .. })));
                let answer = match request {
                    Ok(Request::Img(img::Request::State)) => {
                        let entry = [
                            &[0xA3],
                            &text("slot")[..],
                            &[0],
                            &text("version"),
                            &text("1.0.0"),
                            &text("hash"),
                            &[0x58, 32],
                            &[7; 32],
                        ];
                        [&[0xA1], &text("images")[..], &[0x81], &entry.concat()].concat()
                    }
                    Ok(Request::Img(img::Request::Upload(piece))) => match taken_to(&mut upload, &piece) {
                        Some(off) => {
                            let off = [&[0x1A], &off.to_be_bytes()[..]].concat();
                            [&[0xA2], &text("rc")[..], &[0], &text("off"), &off].concat()
                        }
                        None => rc(3),
                    },
                    _ if is_reset || (header.group, header.id) == (0, 1) => rc(0),
                    _ => rc(8),
                };
                let mut head = [0; 8];
                header.write(&mut head).unwrap();
                head[0] += 1;
                head[2..4].copy_from_slice(&u16::try_from(answer.len()).unwrap().to_be_bytes());
                let mut line = Vec::new();
                frame::encode(Framing::Console, &[&head[..], &answer].concat(), |piece| {
                    line.extend_from_slice(piece);
                });
                rustix::io::write(&master, &line).unwrap();
                is_recovery &= !is_reset;
            }
        }
    });
}

fn run(arguments: &[&str]) -> (i32, String) {
    let out = Command::new(BOOTLACE).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code().unwrap(), said)
}

#[test]
fn a_recovery_that_cannot_be_asked_afterwards_ends_in_not_known_with_a_warning_before() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recovery-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let (port, file) = (path("port"), path("two.bin"));
    fs::write(&file, image(2)).unwrap();
    let public = key().public();
    let spki = [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ],
        public.bytes(),
    ];
    fs::write(path("key.der"), spki.concat()).unwrap();
    recovery(&folder.join("port"));

    let (code, said) = run(&["board", "--port", &port]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("1.0.0") && !said.contains("on trial"), "{said}");

    let (code, said) = run(&[
        "update",
        "--port",
        &port,
        "--image",
        &file,
        "--key",
        &path("key.der"),
        "--patience",
        "5",
        "--json",
    ]);
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let first = |field: &str, wanted: &str| lines.iter().position(|line| line[field] == wanted);
    let (warned, sent) = (first("warning", "NoWayBack"), first("event", "progress"));
    assert!(warned.is_some() && warned < sent, "{said}");
    let last = lines.last().unwrap();
    assert_eq!((code, &last["error"]), (4, &"OutcomeUnknown".into()), "{said}");
    assert_eq!(last["unharmed"], false, "{said}");
    fs::remove_dir_all(folder).unwrap();
}
