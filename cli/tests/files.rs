//! Files as people have them: each tool names what it is given, and loses nothing.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#![cfg(unix)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, TlvKind, Version};
use serde_json::Value;

const BOOTLACE: &str = env!("CARGO_BIN_EXE_bootlace");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/image/tests/data");

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BOOTLACE);
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn key() -> SigningKey {
    SigningKey::from_pem(&fs::read_to_string(format!("{DATA}/p256.pem")).unwrap()).unwrap()
}

fn builder(major: u8) -> ImageBuilder {
    let words = [0x2001_0000, 0x0800_A301]
        .into_iter()
        .chain((0..3000u32).map(|word| word * 7));
    let mut payload: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    payload[2000] = major;
    ImageBuilder::new(payload).version(Version {
        major,
        ..Version::default()
    })
}

/// A folder with `one.bin` and `two.bin`, signed, and the signer's key.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("files-{name}-{}", std::process::id()));
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("one.bin"), builder(1).sign(&key()).build()).unwrap();
    fs::write(folder.join("two.bin"), builder(2).sign(&key()).build()).unwrap();
    fs::copy(format!("{DATA}/p256.pub.pem"), folder.join("key.pem")).unwrap();
    folder
}

/// A file of each kind that people take for another one, with the name that it is called by.
fn others() -> Vec<(Vec<u8>, &'static str)> {
    let image = builder(1).sign(&key()).build();
    let mut behind = vec![0xAA; 0x2000];
    behind.extend(&image);
    let mut big_endian = image.clone();
    big_endian[..4].reverse();
    vec![
        (Vec::new(), "EmptyFile"),
        (vec![0xFF; 4096], "BlankFile"),
        (b"\x7fELF\x01\x01\x01\0".to_vec(), "ElfFile"),
        (b":020000040800F2\n:00000001FF\n".to_vec(), "HexFile"),
        (b"S0130000626F6F74\n".to_vec(), "SrecFile"),
        (b"UF2\nWQ]\x9e".to_vec(), "Uf2File"),
        (b"PK\x03\x04\x14\0\0\0".to_vec(), "ArchiveFile"),
        (b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "CompressedFile"),
        (b"{\"format-version\": 0}".to_vec(), "JsonFile"),
        (b"<!DOCTYPE html><html><body>404".to_vec(), "WebPage"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1".to_vec(),
            "GitLfsPointer",
        ),
        (b"PbjzlgAAAAAAAgAAAAAAAA==".to_vec(), "Base64File"),
        (big_endian, "BigEndianImage"),
        (behind, "ImageBehind"),
    ]
}

fn named(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, &[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
    let line = String::from_utf8(output.stdout).unwrap();
    let value: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{arguments:?}: {line}"));
    assert!(
        value["next"].as_str().is_some_and(|next| next.ends_with('.')),
        "{line}"
    );
    value["error"].as_str().unwrap().to_owned()
}

#[test]
fn every_tool_names_a_file_of_another_kind() {
    let folder = folder("kinds");
    let patch = run(&folder, &["delta", "make", "one.bin", "two.bin", "-o", "patch"]);
    assert!(patch.status.success(), "{}", text(&patch));
    let mut cases = others();
    cases.push((fs::read(folder.join("patch")).unwrap(), "PatchFile"));
    for (bytes, name) in cases {
        fs::write(folder.join("it.bin"), bytes).unwrap();
        let tools: [&[&str]; 7] = [
            &["image", "show", "it.bin"],
            &["image", "verify", "it.bin", "--key", "key.pem"],
            &["delta", "make", "one.bin", "it.bin", "-o", "out"],
            &["delta", "make", "it.bin", "two.bin", "-o", "out"],
            &["delta", "apply", "it.bin", "patch", "-o", "out"],
            &["key", "show", "it.bin"],
            &["update", "--port", "none", "--image", "it.bin"],
        ];
        for tool in tools {
            assert_eq!(named(&folder, tool), name, "{tool:?}");
        }
        if name != "PatchFile" {
            assert_eq!(named(&folder, &["delta", "show", "it.bin"]), name);
            assert_eq!(
                named(&folder, &["delta", "apply", "one.bin", "it.bin", "-o", "out"]),
                name
            );
        }
        let set = run(&folder, &["delta", "set", ".", "-o", "patches", "--json"]);
        let told = text(&set);
        assert!(
            set.status.success() && told.contains("it.bin: "),
            "{name}: {told}"
        );
        assert!(!folder.join("out").exists(), "{name}");
        let names: Vec<_> = fs::read_dir(folder.join("patches"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["one--two.delta"], "{name}");
    }
    assert_eq!(named(&folder, &["image", "show", "key.pem"]), "KeyFile");
    assert_eq!(named(&folder, &["delta", "show", "key.pem"]), "KeyFile");
    assert_eq!(named(&folder, &["key", "show", "one.bin"]), "ImageFile");
    assert_eq!(named(&folder, &["delta", "show", "one.bin"]), "ImageFile");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_target_is_patched_without_its_padding() {
    let folder = folder("padding");
    let image = fs::read(folder.join("two.bin")).unwrap();
    let mut padded = image.clone();
    padded.resize(0x7B000, 0xFF);
    fs::write(folder.join("padded.bin"), padded).unwrap();
    let made = run(
        &folder,
        &["delta", "make", "one.bin", "padded.bin", "-o", "p", "--json"],
    );
    let value: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(value["target"]["bytes"], image.len());
    let applied = run(&folder, &["delta", "apply", "one.bin", "p", "-o", "new"]);
    assert!(applied.status.success(), "{}", text(&applied));
    assert_eq!(fs::read(folder.join("new")).unwrap(), image);
    assert_eq!(
        named(&folder, &["delta", "make", "two.bin", "padded.bin", "-o", "q"]),
        "SameImage"
    );
    fs::remove_dir_all(folder).unwrap();
}

/// Each signature of imgtool is another one; a board tells images by their digests, and says that it runs this one already.
#[test]
fn no_patch_is_made_between_two_signatures_of_one_image() {
    let folder = folder("twice");
    let other = SigningKey::from_seed(Algorithm::Ed25519, &[5; 32]).unwrap();
    fs::write(
        folder.join("two-again.bin"),
        builder(2).sign(&key()).sign(&other).build(),
    )
    .unwrap();
    assert_eq!(
        named(&folder, &["delta", "make", "two.bin", "two-again.bin", "-o", "q"]),
        "SameImage"
    );
    let set = run(&folder, &["delta", "set", ".", "-o", "patches"]);
    assert!(
        set.status.success() && text(&set).contains("hold the same image"),
        "{}",
        text(&set)
    );
    let mut names: Vec<_> = fs::read_dir(folder.join("patches"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["one--two-again.delta", "one--two.delta"]);
    fs::remove_dir_all(folder).unwrap();
}

/// A folder that somebody sent, and what its files are called: names that would set the terminal's title, clear the screen, or
/// turn what follows them round.
#[test]
fn no_name_of_a_file_steers_the_terminal() {
    let folder = folder("names");
    for name in ["\u{1b}]0;owned\u{7}.bin", "\u{9b}2J.bin", "\u{202e}nib.\r.bin"] {
        let file = folder.join(name);
        fs::write(&file, builder(3).sign(&key()).build()).unwrap();
        fs::write(folder.join("\u{1b}c.bin"), "no image at all").unwrap();
        let commands: [&[&str]; 8] = [
            &["image", "show", name],
            &["image", "verify", name, "--key", name],
            &["image", "show", &format!("{name}-is-not-there")],
            &["key", "show", name],
            &["delta", "make", "one.bin", name, "-o", "p"],
            &["delta", "make", "one.bin", "two.bin", "-o", name],
            &["delta", "set", "."],
            &["update", "--port", name, "--image", name],
        ];
        for arguments in commands {
            let said = text(&run(&folder, arguments));
            let steers = |character: &char| {
                character.is_control() && *character != '\n' || matches!(character, '\u{202a}'..='\u{202e}')
            };
            assert!(!said.is_empty(), "{arguments:?}");
            assert!(!said.chars().any(|it| steers(&it)), "{arguments:?}: {said:?}");
        }
        fs::remove_file(file).unwrap();
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_altered_image_is_not_patched() {
    let folder = folder("altered");
    let mut altered = fs::read(folder.join("two.bin")).unwrap();
    altered[0x400] ^= 1;
    fs::write(folder.join("altered.bin"), altered).unwrap();
    assert_eq!(
        named(&folder, &["delta", "make", "one.bin", "altered.bin", "-o", "p"]),
        "Altered"
    );
    assert_eq!(
        named(&folder, &["delta", "make", "altered.bin", "two.bin", "-o", "p"]),
        "Altered"
    );
    assert!(!folder.join("p").exists());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn no_output_is_written_over_an_input() {
    let folder = folder("over");
    let before = fs::read(folder.join("two.bin")).unwrap();
    fs::hard_link(folder.join("two.bin"), folder.join("linked")).unwrap();
    std::os::unix::fs::symlink("two.bin", folder.join("one--two.delta")).unwrap();
    for output in ["two.bin", "./two.bin", "linked", "one--two.delta"] {
        let arguments = ["delta", "make", "one.bin", "two.bin", "-o", output];
        assert_eq!(named(&folder, &arguments), "OutputIsInput", "{output}");
    }
    assert_eq!(named(&folder, &["delta", "set", "."]), "OutputIsInput");
    assert_eq!(fs::read(folder.join("two.bin")).unwrap(), before);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_reader_that_has_gone_ends_nothing_and_a_full_disk_is_an_error() {
    let folder = folder("pipe");
    fs::write(folder.join("three.bin"), builder(3).sign(&key()).build()).unwrap();
    let start = |arguments: &[&str]| {
        let mut command = Command::new(BOOTLACE);
        command.args(arguments).current_dir(&folder);
        command
    };
    // Both ends of what is read are closed at once.
    let mut child = start(&["delta", "set", "."])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    for name in ["one--two", "one--three", "two--three"] {
        assert!(folder.join(format!("{name}.delta")).exists(), "{name}");
    }
    let mut child = start(&["image", "show", "nothing"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let show = ["image", "show", "one.bin"];
        let output = start(&show).stdout(full.try_clone().unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("can't be written"), "{}", text(&output));
        let both = start(&show)
            .stdout(full.try_clone().unwrap())
            .stderr(full)
            .status()
            .unwrap();
        assert_eq!(both.code(), Some(1));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_empty_payload_is_not_good() {
    let folder = folder("empty");
    for size in [0, 4] {
        fs::write(
            folder.join("e.bin"),
            ImageBuilder::new(vec![1; size]).sign(&key()).build(),
        )
        .unwrap();
        assert_eq!(
            named(&folder, &["image", "verify", "e.bin", "--key", "key.pem"]),
            "Unstartable"
        );
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_an_image_depends_on_is_said_in_words() {
    let folder = folder("depends");
    let needed = [1, 0, 0, 0, 9, 8, 7, 0, 6, 0, 0, 0];
    let image = builder(1)
        .protected(TlvKind::DEPENDENCY, &needed)
        .sign(&key())
        .build();
    fs::write(folder.join("dep.bin"), image).unwrap();
    let shown = text(&run(&folder, &["image", "show", "dep.bin"]));
    assert!(shown.contains("image 1 of version 9.8.7+6 or newer"), "{shown}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_encrypted_images_vectors_are_not_shown() {
    let folder = folder("encrypted");
    let image = builder(1)
        .flags(bootlace_image::Flags::ENCRYPTED_AES128)
        .sign(&key())
        .build();
    fs::write(folder.join("e.bin"), image).unwrap();
    let shown = run(&folder, &["image", "show", "e.bin", "--json"]);
    let value: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(value["reset_vector"].is_null(), "{value}");
    assert!(!text(&run(&folder, &["image", "show", "e.bin"])).contains("Starts at"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn rsa_signatures_are_verified_and_rsa_keys_shown() {
    let folder = folder("rsa");
    for (size, name) in [("2048", "RSA-2048"), ("3072", "RSA-3072")] {
        let (image, key) = (
            format!("{DATA}/rsa{size}.bin"),
            format!("{DATA}/rsa{size}.pub.pem"),
        );
        let good = text(&run(&folder, &["image", "verify", &image, "--key", &key]));
        assert!(good.starts_with("Good") && good.contains(name), "{good}");
        assert_eq!(
            named(&folder, &["image", "verify", &image, "--key", "key.pem"]),
            "UnknownSigner"
        );
        let shown = run(&folder, &["key", "show", &key, "--json"]);
        let value: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(value["algorithm"], name);
        assert!(good.contains(value["key_hash"].as_str().unwrap()), "{good}");
    }
    fs::remove_dir_all(folder).unwrap();
}

/// No board is known when a patch is made, and the patch is right: a warning that no board with the companion takes such an
/// image, whichever side it is on, and no refusal.
#[test]
fn a_patch_from_or_to_an_image_that_only_rsa_signs_is_made_with_a_warning() {
    let folder = folder("rsa-patch");
    let rsa = format!("{DATA}/rsa2048.bin");
    for (old, new) in [(rsa.as_str(), "two.bin"), ("two.bin", &rsa)] {
        let made = run(&folder, &["delta", "make", old, new, "-o", "p", "--json"]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made));
        let told = String::from_utf8(made.stderr).unwrap();
        assert_eq!(
            told.matches("rsa2048.bin is signed with RSA").count(),
            1,
            "{told}"
        );
        let applied = run(&folder, &["delta", "apply", old, "p", "-o", "applied.bin"]);
        assert_eq!(applied.status.code(), Some(0), "{}", text(&applied));
        let wanted = fs::read(folder.join(new)).unwrap();
        assert!(
            fs::read(folder.join("applied.bin")).unwrap() == wanted,
            "{old} to {new}"
        );
    }
    let made = run(&folder, &["delta", "make", "one.bin", "two.bin", "-o", "q"]);
    assert!(!text(&made).contains("RSA"), "{}", text(&made));
    fs::remove_dir_all(folder).unwrap();
}

/// A key in the place of an image and the other way round; all of a file's keys.
#[test]
fn key_show_tells_what_a_file_holds() {
    let folder = folder("keys");
    let other = format!("{DATA}/ed25519.pub.pem");
    let both = [
        fs::read(folder.join("key.pem")).unwrap(),
        fs::read(other).unwrap(),
    ]
    .concat();
    fs::write(folder.join("both.pem"), both).unwrap();
    let shown = text(&run(&folder, &["key", "show", "both.pem"]));
    assert!(
        shown.contains("ECDSA P-256") && shown.contains("Ed25519"),
        "{shown}"
    );
    for (bytes, name) in [
        (fs::read(format!("{DATA}/p256.pem")).unwrap(), "PrivateKey"),
        (
            b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_vec(),
            "Certificate",
        ),
        (vec![0x9A; 32], "DigestFile"),
        (
            b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here".to_vec(),
            "UnreadableKey",
        ),
        (b"nothing at all".to_vec(), "NotAKey"),
    ] {
        fs::write(folder.join("it"), bytes).unwrap();
        assert_eq!(named(&folder, &["key", "show", "it"]), name);
    }
    fs::remove_dir_all(folder).unwrap();
}

/// Devices and pipes say that they hold nothing, and may never end or never begin.
#[test]
fn what_never_ends_or_never_begins_is_named_in_time() {
    let folder = folder("endless");
    let made = Command::new("mkfifo")
        .arg(folder.join("pipe.bin"))
        .status()
        .unwrap();
    assert!(made.success());
    for (name, error) in [
        ("/dev/zero", "FileTooLarge"),
        ("pipe.bin", "EmptyFile"),
        ("/dev/null", "EmptyFile"),
        (".", "IsAFolder"),
    ] {
        let tools: [&[&str]; 5] = [
            &["image", "show", name],
            &["image", "verify", "one.bin", "--key", name],
            &["key", "show", name],
            &["delta", "apply", "one.bin", name, "-o", "out"],
            &["update", "--port", "none", "--image", name],
        ];
        for tool in tools {
            let mut child = Command::new(BOOTLACE)
                .args(tool)
                .arg("--json")
                .current_dir(&folder)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let since = std::time::Instant::now();
            while child.try_wait().unwrap().is_none() {
                if since.elapsed().as_secs() > 60 {
                    child.kill().unwrap();
                    panic!("{tool:?} stands still");
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            let said = child.wait_with_output().unwrap();
            let value: Value = serde_json::from_slice(&said.stdout).unwrap();
            assert_eq!(value["error"], error, "{tool:?}: {value}");
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

/// As a shell's `<(...)` gives it: a pipe that is open before the program is.
#[test]
fn a_pipe_that_somebody_writes_to_is_read_whole() {
    use std::io::Write as _;
    let folder = folder("shell-pipe");
    let image = fs::read(folder.join("one.bin")).unwrap();
    let (ours, mut theirs) = std::io::pipe().unwrap();
    let mut command = Command::new(BOOTLACE);
    command
        .args(["image", "verify", "/dev/stdin", "--key", "key.pem"])
        .current_dir(&folder)
        .stdin(ours)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    // Its end of the pipe with it: a program that has gone is noticed.
    drop(command);
    for piece in image.chunks(5000) {
        std::thread::sleep(std::time::Duration::from_millis(50));
        theirs.write_all(piece).unwrap();
    }
    drop(theirs);
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", text(&said));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_output_folder_that_is_a_file_is_named_and_not_the_input() {
    let folder = folder("output-folder");
    let said = run(&folder, &["delta", "set", ".", "-o", "one.bin", "--json"]);
    let value: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(value["error"], "Unwritable", "{value}");
    assert!(
        value["what"].as_str().unwrap().starts_with("one.bin can't"),
        "{value}"
    );
    fs::remove_dir_all(folder).unwrap();
}
