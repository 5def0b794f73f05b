//! Updates by what changed: `bootlace update --base`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Version};
use serde_json::Value;

const BOOTLACE: &str = env!("CARGO_BIN_EXE_bootlace");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/image/tests/data");

/// A board that runs version 1, and a folder with versions 1 to 3.
struct Scratch {
    folder: PathBuf,
    board: Child,
}

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("images")).unwrap();
        let key =
            SigningKey::from_pem(&std::fs::read_to_string(format!("{DATA}/p256.pem")).unwrap()).unwrap();
        for major in 1..=3 {
            // A vector table for a slot that starts below 0x0801_0000, noise, and some words that differ.
            let mut state = 1u32;
            let noise = (0..10_000u32).map(|at| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if at % 1000 < major { major } else { state }
            });
            let words = [0x2001_0000, 0x0800_A301].into_iter().chain(noise);
            let version = Version {
                major: major as u8,
                ..Version::default()
            };
            let payload = words.flat_map(u32::to_le_bytes).collect();
            let image = ImageBuilder::new(payload).version(version).sign(&key).build();
            std::fs::write(folder.join(format!("images/{major}.bin")), image).unwrap();
        }
        // A folder holds other things as well.
        std::fs::write(folder.join("images/0.txt"), "no image").unwrap();
        let link = folder.join("board");
        let board = Command::new(BOOTLACE)
            .args(["simulate", "--speed", "50", "--key"])
            .arg(format!("{DATA}/p256.pub.pem"))
            .arg("--image")
            .arg(folder.join("images/1.bin"))
            .arg("--link")
            .arg(&link)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while !link.exists() {
            assert!(start.elapsed() < Duration::from_secs(20), "no port");
            std::thread::sleep(Duration::from_millis(20));
        }
        Scratch { folder, board }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Updates to a version; what is said about the patch, and how many bytes of what were sent last.
    fn update(&self, major: u32, more: &[&str]) -> (Value, Value) {
        let output = Command::new(BOOTLACE)
            .args(["update", "--json", "--port", &self.path("board"), "--image"])
            .arg(self.path(&format!("images/{major}.bin")))
            .args(more)
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{out}");
        let lines: Vec<Value> = out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let last = |name: &str| {
            let found = lines.iter().rfind(|line| line["event"] == name);
            found.cloned().unwrap_or(Value::Null)
        };
        assert_eq!(last("outcome")["version"], format!("{major}.0.0+0"), "{out}");
        let patch = match last("patch") {
            Value::Null => last("no-patch"),
            patch => patch,
        };
        (patch, last("progress"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.board.kill().ok();
        self.board.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// The base is found by the hash of what runs, and what it saves is said.
#[test]
fn only_what_changed_is_sent() {
    let scratch = Scratch::new("patch");
    let size = std::fs::metadata(scratch.path("images/2.bin")).unwrap().len();
    let (one, three) = (scratch.path("images/1.bin"), scratch.path("images/3.bin"));
    let (patch, progress) = scratch.update(2, &["--base", &three, "--base", &one]);
    assert_eq!((&patch["event"], &patch["base"]), (&"patch".into(), &one.into()));
    assert_eq!(patch["image_bytes"], size);
    let bytes = patch["bytes"].as_u64().unwrap();
    assert!(bytes < size / 20, "{patch}");
    assert_eq!(
        (&progress["content"], &progress["total"]),
        (&"patch".into(), &bytes.into())
    );
    assert!(patch["saves_seconds"].is_number(), "{patch}");

    let (patch, progress) = scratch.update(3, &["--base-dir", &scratch.path("images")]);
    assert_eq!(patch["base"], scratch.path("images/2.bin"));
    assert_eq!(progress["content"], "patch");
}

#[test]
fn the_whole_image_is_sent_where_there_is_no_base_or_it_is_wanted() {
    let scratch = Scratch::new("no-patch");
    let (patch, progress) = scratch.update(2, &["--base", &scratch.path("images/3.bin")]);
    assert_eq!(patch["reason"], "BaseNotFound");
    assert!(patch["what"].as_str().unwrap().contains("1.0.0"), "{patch}");
    assert_eq!(progress["content"], "image");
    let (patch, progress) = scratch.update(3, &["--base", &scratch.path("images/2.bin"), "--full"]);
    assert_eq!((patch, &progress["content"]), (Value::Null, &"image".into()));
    // Nothing is said where nothing was asked for.
    let (patch, _) = scratch.update(1, &[]);
    assert_eq!(patch, Value::Null);
}

/// An algorithm that is not verified here is no matter of trust.
#[test]
fn a_signature_of_another_kind_is_not_supported() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rsa-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("rsa.bin");
    let key = SigningKey::from_seed(Algorithm::Ed25519, &[5; 32]).unwrap();
    let image = ImageBuilder::new(vec![7; 64])
        .unprotected(bootlace_image::TlvKind::KEYHASH, &key.public().hash())
        .unprotected(bootlace_image::TlvKind::ECDSA224, &[1; 64])
        .build();
    std::fs::write(&file, image).unwrap();
    let key = format!("{DATA}/p256.pub.pem");
    let output = Command::new(BOOTLACE)
        .args(["image", "verify", "--json", "--key", &key])
        .arg(&file)
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["error"], "UnsupportedSignature", "{said}");
    std::fs::remove_dir_all(folder).ok();
}
