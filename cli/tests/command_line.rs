//! The program as people and scripts run it: images made here, boards simulated by itself.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#![cfg(unix)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, TlvKind, Version};
use serde_json::Value;

const BOOTLACE: &str = env!("CARGO_BIN_EXE_bootlace");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/image/tests/data");

fn run(arguments: &[&str]) -> Output {
    Command::new(BOOTLACE).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The lines of JSON on the standard output.
fn lines(output: &Output) -> Vec<Value> {
    let out = String::from_utf8_lossy(&output.stdout);
    out.lines().map(common::checked).collect()
}

/// A folder of images and a board.
struct Scratch {
    folder: PathBuf,
    board: Option<Child>,
}

impl Scratch {
    /// Images `one` and `two`, signed with the key of `data/p256.pem`; `other` is signed with another.
    fn new(name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let key =
            SigningKey::from_pem(&std::fs::read_to_string(format!("{DATA}/p256.pem")).unwrap()).unwrap();
        let other = SigningKey::from_seed(Algorithm::Ed25519, &[5; 32]).unwrap();
        for (name, major, key) in [("one", 1, &key), ("two", 2, &key), ("other", 2, &other)] {
            // A vector table for the simulated board’s slot, then something that differs.
            let words = [0x2001_0000, 0x0800_A301]
                .into_iter()
                .chain((0..5000u32).map(|word| word * major));
            let payload = words.flat_map(u32::to_le_bytes).collect();
            let version = Version {
                major: major as u8,
                ..Version::default()
            };
            let image = ImageBuilder::new(payload)
                .version(version)
                .security_counter(1)
                .sign(key)
                .build();
            std::fs::write(folder.join(name), image).unwrap();
        }
        Scratch { folder, board: None }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A board that runs `one`, fifty times as fast as a real one.
    fn board(self, more: &[&str]) -> Self {
        self.board_with(more, Stdio::inherit())
    }

    fn board_with(mut self, more: &[&str], errors: Stdio) -> Self {
        let (link, image, key) = (
            self.path("port-board"),
            self.path("one"),
            format!("{DATA}/p256.pub.pem"),
        );
        let mut command = Command::new(BOOTLACE);
        command
            .args([
                "simulate", "--link", &link, "--image", &image, "--key", &key, "--speed", "50",
            ])
            .args(more);
        self.board = Some(command.stdout(Stdio::null()).stderr(errors).spawn().unwrap());
        let start = Instant::now();
        while !Path::new(&link).exists() {
            assert!(start.elapsed() < Duration::from_secs(20), "no port");
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    fn update(&self, image: &str, more: &[&str]) -> Output {
        let (link, image, key) = (
            self.path("port-board"),
            self.path(image),
            format!("{DATA}/p256.pub.pem"),
        );
        let start = [
            "update", "--port", &link, "--image", &image, "--key", &key, "--json",
        ];
        run(&[&start, more].concat())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(board) = &mut self.board {
            board.kill().ok();
            board.wait().ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

#[test]
fn show_says_what_an_image_is() {
    let out = run(&["image", "show", &format!("{DATA}/p256.bin")]);
    let shown = text(&out);
    for part in [
        "1.2.3+4",
        "5e21 9554 bc3d 532b",
        "aad03681-8b63-5304-89e0-8ca8f49461b5",
        "0x08008100",
        "SEC_CNT",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    // Its header of 32 bytes is too short for a vector table; nothing else is wrong with it.
    let warnings = shown.matches("Warning").count();
    assert!(code(&out) == 0 && warnings == 1, "{shown}");
    assert!(shown.contains("its header of 0x20 bytes"), "{shown}");

    let out = run(&["image", "show", "--json", &format!("{DATA}/published-p256.bin")]);
    let facts = &lines(&out)[0];
    assert_eq!(facts["signatures"][0]["published_key"], "root-ec-p256.pem");
    assert_eq!(facts["warnings"][0]["name"], "DevelopmentKey");
    assert_eq!(facts["intact"], true);
    assert_eq!(facts["tlvs"].as_array().unwrap().len(), 3);
}

#[test]
fn show_warns_of_what_a_board_may_refuse() {
    let scratch = Scratch::new("warn");
    let warnings = |name: &str, bytes: Vec<u8>| {
        std::fs::write(scratch.path(name), bytes).unwrap();
        let out = run(&["image", "show", "--json", &scratch.path(name)]);
        let names = lines(&out)[0]["warnings"].as_array().unwrap().clone();
        names
            .iter()
            .map(|warning| warning["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let key = SigningKey::from_seed(Algorithm::P256, &[9; 32]).unwrap();
    let words = [0x2001_0000_u32, 0x0800_A301].into_iter().chain([7; 14]);
    let payload: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    let builder = || ImageBuilder::new(payload.clone());
    assert_eq!(warnings("good", builder().sign(&key).build()), [""; 0]);
    assert_eq!(warnings("unsigned", builder().build()), ["Unsigned"]);
    let moved = builder()
        .sign(&key)
        .unprotected(TlvKind::SEC_CNT, &[0; 4])
        .build();
    assert_eq!(warnings("moved", moved), ["UnprotectedTlv"]);
    let mut altered = builder().sign(&key).build();
    altered[0x210] ^= 1;
    assert_eq!(warnings("altered", altered), ["Altered"]);
    let stackless = ImageBuilder::new(vec![1; 64]).sign(&key).build();
    assert_eq!(warnings("stackless", stackless), ["Unstartable"]);
}

#[test]
fn verify_answers_with_its_exit_code() {
    let image = format!("{DATA}/p256.bin");
    for (key, expected) in [
        ("p256.pub.pem", 0),
        ("p256.pem", 1),
        ("ed25519.pub.pem", 1),
        ("payload.bin", 1),
    ] {
        let out = run(&["image", "verify", &image, "--key", &format!("{DATA}/{key}")]);
        assert_eq!(code(&out), expected, "{key}: {}", text(&out));
        let is_private = text(&out).contains("This is a private key");
        assert_eq!(is_private, key == "p256.pem", "{}", text(&out));
    }
    let keys = [format!("{DATA}/ed25519.pub.pem"), format!("{DATA}/p256.pub.pem")];
    let out = run(&[
        "image", "verify", &image, "--key", &keys[0], "--key", &keys[1], "--json",
    ]);
    assert_eq!(lines(&out)[0]["algorithm"], "ECDSA P-256");

    let published = format!("{DATA}/published-p256.bin");
    let key = format!("{DATA}/published-p256.pub.pem");
    let arguments = ["image", "verify", &published, "--key", &key];
    assert_eq!(code(&run(&arguments)), 1);
    assert_eq!(
        code(&run(&[&arguments[..], &["--allow-development-keys"]].concat())),
        0
    );
    assert_eq!(code(&run(&["image", "verify", &published])), 2);
}

#[test]
fn a_test_key_is_named_wherever_a_key_is_given() {
    let demo = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../firmware-companion/boards/keys/demo.pub.pem"
    );
    let image = format!("{DATA}/p256.bin");
    let named = |key: &str| {
        let out = run(&["image", "verify", &image, "--key", key]);
        let errors = String::from_utf8_lossy(&out.stderr).into_owned();
        errors.contains("anybody can sign with it")
    };
    assert!(named(demo));
    assert!(named(&format!("{DATA}/published-p256.pub.pem")));
    assert!(!named(&format!("{DATA}/p256.pub.pem")));

    // Named or not, such a signature does not count.
    let scratch = Scratch::new("test-key");
    let signer = SigningKey::from_pem(include_str!("../../firmware-companion/boards/keys/demo.pem")).unwrap();
    let image = scratch.folder.join("signed-with-test-key");
    std::fs::write(&image, ImageBuilder::new(vec![0; 1000]).sign(&signer).build()).unwrap();
    let image = image.to_str().unwrap();
    let out = run(&["image", "verify", image, "--key", demo, "--json"]);
    assert_eq!(
        (code(&out), &lines(&out)[0]["error"]),
        (1, &"DevelopmentKey".into())
    );
}

#[test]
fn what_the_product_decides_is_said_in_words() {
    let scratch = Scratch::new("presence").board(&["--rule", "mark=presence"]);
    let out = scratch.update("two", &[]);
    let shown = text(&out);
    assert!(shown.contains("only while somebody is present"), "{shown}");
    assert_ne!(code(&out), 0);
    // Who may confirm is the application's matter, whatever the updater was told.
    let scratch = Scratch::new("present").board(&["--rule", "mark=presence", "--present"]);
    let out = scratch.update("two", &["--confirm"]);
    let last = lines(&out).pop().unwrap();
    assert_eq!((code(&out), &last["outcome"]), (0, &"confirmed".into()), "{last}");

    // That older images are refused is said before anything is sent.
    let scratch = Scratch::new("no-downgrade").board(&["--no-downgrade"]);
    assert_eq!(code(&scratch.update("two", &[])), 0);
    let out = scratch.update("one", &[]);
    let last = lines(&out).pop().unwrap();
    assert_eq!(last["error"], "NoDowngrade", "{last}");

    let out = run(&["simulate", "--link", "nowhere", "--rule", "mark=perhaps"]);
    assert!(text(&out).contains("mark=presence"), "{}", text(&out));
}

#[test]
fn an_update_ends_confirmed_and_is_not_done_twice() {
    let scratch = Scratch::new("update").board(&[]);
    let out = scratch.update("two", &[]);
    assert_eq!(code(&out), 0, "{}", text(&out));
    let events = lines(&out);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["outcome"]),
        (&"outcome".into(), &"confirmed".into())
    );
    let progress: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "progress")
        .collect();
    assert_eq!(
        progress.last().unwrap()["done"],
        progress.last().unwrap()["total"]
    );

    let again = scratch.update("two", &[]);
    assert_eq!(
        (code(&again), &lines(&again).last().unwrap()["outcome"]),
        (0, &"already-runs".into())
    );
    // Back, found by a pattern, and confirmed; for people this time.
    let pattern = scratch.path("port-*");
    let out = run(&["update", "--port", &pattern, "--image", &scratch.path("one")]);
    assert!(
        code(&out) == 0 && text(&out).contains("The board runs 1.0.0, confirmed"),
        "{}",
        text(&out)
    );
}

#[test]
fn an_update_that_crashes_is_taken_back() {
    let scratch = Scratch::new("crash").board(&["--app", "crash"]);
    let out = scratch.update("two", &[]);
    assert_eq!(code(&out), 3, "{}", text(&out));
    let last = lines(&out).pop().unwrap();
    assert_eq!(
        (&last["outcome"], &last["version"]),
        (&"rolled-back".into(), &"1.0.0".into())
    );
}

#[test]
fn a_board_tells_what_it_remembers() {
    let scratch = Scratch::new("board");
    let golden = scratch.path("one");
    let scratch = scratch.board(&["--app", "crash", "--golden", &golden, "--supply", "3400,3300"]);
    let port = scratch.path("port-board");
    assert_eq!(code(&scratch.update("two", &[])), 3);
    let out = run(&["board", "--port", &port, "--json"]);
    let board = lines(&out).pop().unwrap();
    assert_eq!(board["golden"], "1.0.0");
    assert_eq!(
        (&board["supply"]["level"], &board["supply"]["low"]),
        (&3400.into(), &false.into())
    );
    let newest = &board["journal"][0];
    assert_eq!(
        (
            &newest["from"],
            &newest["to"],
            &newest["outcome"],
            &newest["reason"]
        ),
        (
            &"1.0.0".into(),
            &"2.0.0".into(),
            &"RolledBack".into(),
            &"Fault".into()
        )
    );
    let out = run(&["board", "--port", &port]);
    assert!(
        code(&out) == 0 && text(&out).contains("1.0.0 to 2.0.0: Rolled back: 2.0.0 crashed."),
        "{}",
        text(&out)
    );
}

/// Facts of every command that tells some, and a line that is none.
#[test]
fn every_line_of_json_is_as_the_schema_says() {
    let scratch = Scratch::new("schema");
    let (one, two) = (scratch.path("one"), scratch.path("two"));
    let (key, patch) = (format!("{DATA}/p256.pub.pem"), scratch.path("patch"));
    for arguments in [
        &["image", "show", &one][..],
        &["image", "verify", &one, "--key", &key],
        &["image", "crc", &one],
        &["key", "show", &key],
        &["delta", "make", &one, &two, "-o", &patch],
        &["delta", "show", &patch],
        &["delta", "apply", &one, &patch, "-o", &scratch.path("again")],
        &["ports"],
    ] {
        let out = run(&[arguments, &["--json"]].concat());
        assert_eq!(code(&out), 0, "{arguments:?}: {}", text(&out));
        assert!(!lines(&out).is_empty() || arguments == ["ports"], "{arguments:?}");
    }
    let refused = std::panic::catch_unwind(|| common::checked(r#"{"schema":1,"event":"port","port":7}"#));
    assert!(refused.is_err(), "the schema refuses nothing");
    let refused =
        std::panic::catch_unwind(|| common::checked(r#"{"schema":1,"event":"port","port":"x","more":1}"#));
    assert!(refused.is_err(), "fields without a word in the schema pass");
}

#[test]
fn a_board_is_asked_for_one_thing_at_a_time() {
    let scratch = Scratch::new("asked").board(&[]);
    let port = scratch.path("port-board");
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(BOOTLACE);
        command.args(arguments).arg("--json").env("BOOTLACE_PORT", &port);
        command.output().unwrap()
    };
    let version = |out: &Output, at: usize| {
        assert_eq!(code(out), 0, "{}", text(out));
        lines(out)[at]["running"]["version"].as_str().unwrap().to_owned()
    };
    // Nothing lies in the other slot yet.
    let out = ask(&["test"]);
    assert_eq!(
        (code(&out), lines(&out)[0]["error"].as_str()),
        (1, Some("NothingToTest"))
    );
    assert_eq!(code(&scratch.update("two", &[])), 0);
    // The image before is tried once more, and confirms itself.
    let out = ask(&["test"]);
    assert_eq!(lines(&out)[0]["command"], "test", "{}", text(&out));
    assert_eq!(version(&out, 1), "2.0.0");
    assert_eq!(version(&ask(&["reset"]), 1), "1.0.0");
    let out = ask(&["reset", "--bootloader"]);
    assert_eq!(lines(&out)[1]["role"], "bootloader", "{}", text(&out));
    assert_eq!(version(&ask(&["reset"]), 1), "1.0.0");
    let out = ask(&["confirm"]);
    assert_eq!(lines(&out)[1]["running"]["confirmed"], true, "{}", text(&out));
    assert_eq!(code(&ask(&["erase"])), 0);
    assert_eq!(lines(&ask(&["test"]))[0]["error"], "NothingToTest");
    assert_eq!(version(&ask(&["list"]), 0), "1.0.0");
}

#[test]
fn wrong_arguments_are_told_to_scripts_as_well() {
    for arguments in [
        &["update", "--json"][..],
        &["ports", "--json", "--nonsense"],
        &["board", "--json", "--baud", "x"],
    ] {
        let out = run(arguments);
        let line = &lines(&out)[0];
        assert_eq!(
            (code(&out), line["error"].as_str()),
            (2, Some("Usage")),
            "{}",
            text(&out)
        );
        assert!(!line["what"].as_str().unwrap().is_empty() && out.stderr.is_empty());
    }
    let out = run(&["ports", "--nonsense"]);
    assert!(code(&out) == 2 && out.stdout.is_empty() && !out.stderr.is_empty());
    assert_eq!(code(&run(&["update", "--json", "--help"])), 0);
}

#[test]
fn an_image_comes_from_the_standard_input() {
    let scratch = Scratch::new("stdin").board(&[]);
    let key = format!("{DATA}/p256.pub.pem");
    let mut command = Command::new(BOOTLACE);
    command.args([
        "update",
        "-i",
        "-",
        "-k",
        &key,
        "-p",
        &scratch.path("port-board"),
        "--json",
    ]);
    let image = std::fs::File::open(scratch.path("two")).unwrap();
    let out = command.stdin(image).output().unwrap();
    assert_eq!(code(&out), 0, "{}", text(&out));
}

#[test]
fn shells_and_manuals_are_told_of_every_command() {
    let scratch = Scratch::new("told");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let out = run(&["completions", shell]);
        assert_eq!(code(&out), 0, "{}", text(&out));
        for name in ["bootlace", "update", "confirm", "--only-newer"] {
            let name = if shell == "fish" {
                name.trim_start_matches('-')
            } else {
                name
            };
            assert!(text(&out).contains(name), "{name} for {shell}");
        }
    }
    let out = run(&["man", &scratch.path("man")]);
    assert_eq!(code(&out), 0, "{}", text(&out));
    let page = |name: &str| std::fs::read_to_string(scratch.folder.join("man").join(name)).unwrap();
    assert!(page("bootlace.1").contains("bootlace\\-update(1)"));
    assert!(page("bootlace-update.1").contains("only\\-newer"));
    assert!(page("bootlace-image-sign.1").contains("security\\-counter"));
}

#[test]
fn a_golden_image_and_a_low_supply_are_told() {
    let scratch = Scratch::new("field");
    let golden = scratch.path("one");
    let scratch = scratch.board(&["--golden", &golden, "--damaged", "--supply", "2900,3300"]);
    let out = run(&["board", "--port", &scratch.path("port-board")]);
    let said = text(&out);
    assert!(
        said.contains("backup copy 1.0.0: 1.0.0 was damaged; the backup copy (1.0.0) was restored."),
        "{said}"
    );
    assert!(said.contains("2.90 V: too low, updates need 3.30 V"), "{said}");
    let out = scratch.update("two", &[]);
    assert_eq!(code(&out), 1, "{}", text(&out));
    let last = lines(&out).pop().unwrap();
    assert_eq!(
        (&last["error"], &last["unharmed"]),
        (&"BoardRefused".into(), &true.into())
    );
    assert!(
        last["what"].as_str().unwrap().contains("supply is too low"),
        "{last}"
    );
}

#[test]
fn an_application_with_another_port_is_found() {
    let scratch = Scratch::new("other-id").board(&["--app", "other-id"]);
    let out = scratch.update("two", &[]);
    assert_eq!(code(&out), 0, "{}", text(&out));
}

#[test]
fn what_can_not_be_done_leaves_the_board_alone() {
    let scratch = Scratch::new("refused").board(&["--cid", "00112233-4455-6677-8899-aabbccddeeff"]);
    let refused = |out: &Output| {
        assert_eq!(code(out), 1, "{}", text(out));
        let last = lines(out).pop().unwrap();
        assert_eq!(
            (&last["event"], &last["unharmed"]),
            (&"error".into(), &true.into())
        );
        assert!(!last["next"].as_str().unwrap().is_empty());
        last["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(&scratch.update("other", &[])), "UnknownSigner");
    std::fs::write(scratch.path("text"), "hello").unwrap();
    assert_eq!(refused(&scratch.update("text", &[])), "NotAnImage");
    assert_eq!(refused(&scratch.update("missing", &[])), "Unreadable");
    // Trusted here, but not by the board.
    let stranger = [
        "update",
        "--json",
        "--port",
        &scratch.path("port-board"),
        "--image",
        &scratch.path("other"),
    ];
    assert_eq!(refused(&run(&stranger)), "UnknownSigner");
    let elsewhere = [
        "update",
        "--json",
        "--port",
        &scratch.path("nothing"),
        "--image",
        &scratch.path("two"),
    ];
    assert_eq!(refused(&run(&elsewhere)), "NoPort");
    let file = [
        "update",
        "--json",
        "--port",
        &scratch.path("one"),
        "--image",
        &scratch.path("two"),
    ];
    assert_eq!(refused(&run(&file)), "PortUnusable");
    // Another program on the port.
    let port = std::fs::File::open(scratch.path("port-board")).unwrap();
    port.lock().unwrap();
    assert_eq!(refused(&scratch.update("two", &[])), "PortBusy");
}

#[test]
fn a_damaged_image_is_sent_again_and_a_waiting_one_is_started() {
    // The board is given `one` with a byte altered: it stays in its bootloader.
    let scratch = Scratch::new("damaged");
    let whole = std::fs::read(scratch.path("one")).unwrap();
    let mut damaged = whole.clone();
    damaged[9_000] ^= 1;
    std::fs::write(scratch.path("one"), &damaged).unwrap();
    let scratch = scratch.board(&[]);
    std::fs::write(scratch.path("one"), &whole).unwrap();
    let mended = scratch.update("one", &[]);
    assert_eq!(code(&mended), 0, "{}", text(&mended));
    let end = lines(&mended).pop().unwrap();
    assert_eq!(end["outcome"], "confirmed", "{end}");
    drop(scratch);

    let scratch = Scratch::new("held").board(&["--bootloader"]);
    let started = scratch.update("one", &[]);
    let seen = lines(&started);
    assert_eq!(seen.last().unwrap()["outcome"], "confirmed", "{}", text(&started));
    let answers = seen.iter().filter(|line| line["event"] == "board");
    let roles: Vec<_> = answers
        .map(|line| line["role"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        (roles.first(), roles.last()),
        (Some(&"bootloader"), Some(&"application"))
    );
}

/// What keeps a board from running the file that it was given is said, once by the file and once by the board.
#[test]
fn a_board_that_can_not_run_its_file_says_why() {
    let linked_at = |address: u32, size: u32, key: Option<&SigningKey>| {
        let words = [0x2001_0000, address + 0x301].into_iter();
        let payload = words.chain(0..size).flat_map(u32::to_le_bytes).collect();
        let builder = ImageBuilder::new(payload);
        key.map_or(builder.clone(), |key| builder.sign(key)).build()
    };
    let p256 = SigningKey::from_pem(&std::fs::read_to_string(format!("{DATA}/p256.pem")).unwrap()).unwrap();
    let other = SigningKey::from_seed(Algorithm::Ed25519, &[5; 32]).unwrap();
    let (here, elsewhere) = (0x0800_A000, 0);
    let bare = linked_at(here, 3000, None)[0x200..].to_vec();
    let cases: [(&str, Vec<u8>, &str, &str); 6] = [
        ("bare", bare, "not signed yet", "no firmware to run"),
        (
            "hex",
            b":020000040800F2\n:00000001FF\n".to_vec(),
            "Intel HEX",
            "no firmware to run",
        ),
        (
            "elsewhere",
            linked_at(elsewhere, 3000, Some(&p256)),
            "this board runs images from",
            "is for another board",
        ),
        (
            "large",
            linked_at(here, 150_000, Some(&p256)),
            "Too large",
            "no firmware to run",
        ),
        (
            "stranger",
            linked_at(here, 3000, Some(&other)),
            "not trusted",
            "signature check of the board’s firmware failed",
        ),
        ("good", linked_at(here, 3000, Some(&p256)), "", "Running"),
    ];
    for (name, file, of_file, of_board) in cases {
        let mut scratch = Scratch::new(&format!("why-{name}"));
        std::fs::write(scratch.path("one"), file).unwrap();
        let errors = std::fs::File::create(scratch.path("errors")).unwrap();
        scratch = scratch.board_with(&[], errors.into());
        let board = text(&run(&["board", "--port", &scratch.path("port-board")]));
        let said = std::fs::read_to_string(scratch.path("errors")).unwrap();
        assert!(said.contains(of_file), "{name}: {said}");
        assert!(board.contains(of_board), "{name}: {board}");
        assert_eq!(said.is_empty(), of_file.is_empty(), "{name}: {said}");
    }
}

#[test]
fn simulate_writes_over_nothing_that_somebody_keeps() {
    let scratch = Scratch::new("kept");
    for option in ["--link", "--flash"] {
        let kept = scratch.path("notes.txt");
        std::fs::write(&kept, "notes").unwrap();
        let link = scratch.path("port");
        let mut arguments = vec!["simulate", option, &kept];
        if option == "--flash" {
            arguments.extend(["--link", &link]);
        }
        let refused = run(&arguments);
        assert_ne!(code(&refused), 0);
        assert!(text(&refused).contains("notes.txt"), "{}", text(&refused));
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), "notes", "{option}");
    }
}

#[test]
fn simulate_takes_its_link_along_when_it_is_ended() {
    let scratch = Scratch::new("ended");
    let link = scratch.path("port");
    let mut simulate = Command::new(BOOTLACE)
        .args(["simulate", "--bootloader", "--link", &link])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let is_there = || std::fs::symlink_metadata(&link).is_ok();
    let until = |wanted: bool| {
        for _ in 0..500 {
            if is_there() == wanted {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the link is there: {}", is_there());
    };
    until(true);
    let kill = Command::new("kill")
        .arg(simulate.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    assert!(simulate.wait().unwrap().success());
    until(false);
}
