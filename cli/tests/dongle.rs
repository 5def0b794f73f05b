//! `bootlace install` by Nordic's bootloader, which is a model behind a pseudo-terminal: every end that a person meets, with what is
//! said and the code that a script sees.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bootlace_identity::{KeyKinds, LEN, blank, find};
use bootlace_nordic_model::{Config, Loader, SIZE, Terminal};

const BLANK: [u8; LEN] = blank(KeyKinds::P256);

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootlace"));
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// 56 KB with a vector table that starts at 0x1000, and a blank block at the end.
fn companion() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..57_088u32).map(|at| (at * 7 + at / 251) as u8).collect();
    bytes[..4].copy_from_slice(&0x2000_6000u32.to_le_bytes());
    bytes[4..8].copy_from_slice(&0x1049u32.to_le_bytes());
    bytes.extend(BLANK);
    bytes
}

/// A folder with that companion and a new key pair.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("nordic-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("nrf52840-dongle.bin"), companion()).unwrap();
    let made = run(&folder, &["key", "new", "own.pem"]);
    assert!(made.status.success(), "{}", text(&made));
    folder
}

fn dongle_with(config: Config) -> Loader {
    let mut flash = vec![0xFF; SIZE as usize];
    flash[0x1000..0x6000].fill(0x5A);
    Loader::new(config, flash).with_application(0x5000)
}

fn dongle() -> Loader {
    dongle_with(Config::default())
}

const INSTALL: [&str; 7] = [
    "install",
    "--board",
    "nrf52840-dongle",
    "--companions",
    ".",
    "--key",
    "own.pub.pem",
];

/// Runs an installation over a loader; gives what came of it, and the loader.
fn install_with(
    folder: &Path,
    loader: Loader,
    pulled: Option<usize>,
    arguments: &[&str],
) -> (Output, Loader) {
    let terminal = Terminal::new(loader, pulled).unwrap();
    let port = terminal.path().display().to_string();
    let output = run(folder, &[arguments, &["--port", &port]].concat());
    (output, terminal.end())
}

fn install(folder: &Path, loader: Loader) -> (Output, Loader) {
    install_with(folder, loader, None, &INSTALL)
}

/// The loader starts the companion with a filled block.
fn is_installed(loader: &Loader) -> bool {
    let application = loader.application();
    loader.starts_application()
        && application.len() == 57_344
        && application[..57_088] == companion()[..57_088]
        && application[57_088..] != BLANK
        && find(application) == Some(57_088)
}

#[test]
fn a_dongle_gets_its_companion() {
    let folder = folder("whole");
    let (done, loader) = install(&folder, dongle());
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let said = text(&done);
    for words in [
        "nothing of it is kept",
        "Telling the loader what comes",
        "The loader checks",
        "Done.",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(is_installed(&loader) && loader.undefined == 0);
    // By name, and as JSON.
    let (done, loader) = install_with(
        &folder,
        dongle(),
        None,
        &[&INSTALL[..], &["--way", "nordic", "--json"]].concat(),
    );
    assert!(is_installed(&loader));
    let lines: Vec<serde_json::Value> = String::from_utf8_lossy(&done.stdout)
        .lines()
        .map(common::checked)
        .collect();
    assert!(lines.iter().any(|line| line["work"] == "judging"), "{lines:?}");
    assert_eq!(lines.last().unwrap()["event"], "installed");
}

#[test]
fn a_package_is_made_and_sent_as_it_is() {
    let folder = folder("package");
    let make = |output: &str, more: &[&str]| {
        let make = [
            "companion",
            "make",
            "--board",
            "nrf52840-dongle",
            "--companions",
            ".",
        ];
        run(
            &folder,
            &[&make[..], &["--key", "own.pub.pem", "-o", output], more].concat(),
        )
    };
    for output in ["own.zip", "own.bin"] {
        let made = make(output, &[]);
        assert!(made.status.success(), "{}", text(&made));
        let arguments = ["install", "--board", "nrf52840-dongle", "--companion", output];
        let (done, loader) = install_with(&folder, dongle(), None, &arguments);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done));
        assert!(is_installed(&loader), "{output}");
    }
    // What is no package, one that is altered, and a companion that starts elsewhere.
    let mut altered = fs::read(folder.join("own.zip")).unwrap();
    altered[3000] ^= 1;
    fs::write(folder.join("altered.zip"), &altered).unwrap();
    fs::write(folder.join("cut.zip"), &altered[..5000]).unwrap();
    let mut elsewhere = fs::read(folder.join("own.bin")).unwrap();
    elsewhere[5] = 0;
    fs::write(folder.join("elsewhere.bin"), &elsewhere).unwrap();
    for (file, words) in [
        ("altered.zip", "is no package that can be used: it is damaged"),
        ("cut.zip", "it is no ZIP archive, or is cut off"),
        ("elsewhere.bin", "is no companion for the nRF52840 Dongle"),
    ] {
        let arguments = ["install", "--board", "nrf52840-dongle", "--companion", file];
        let (done, loader) = install_with(&folder, dongle(), None, &arguments);
        assert_eq!(done.status.code(), Some(1));
        assert!(text(&done).contains(words), "{}", text(&done));
        assert!(loader.starts_application() && loader.application().len() == 0x5000);
    }
    let uf2 = make("own.uf2", &[]);
    assert!(text(&uf2).contains("takes no UF2 files"), "{}", text(&uf2));
}

#[test]
fn unplugged_anywhere_it_says_so_and_starting_again_installs() {
    let folder = folder("unplugged");
    for (pulled, code) in [(0, 1), (40, 1), (150, 4), (20_000, 4), (57_000, 4)] {
        let (done, mut loader) = install_with(&folder, dongle(), Some(pulled), &INSTALL);
        let said = text(&done);
        assert_eq!(done.status.code(), Some(code), "{pulled}: {said}");
        assert!(
            said.contains("unplugged") && said.contains("start again"),
            "{said}"
        );
        assert_eq!(
            said.contains("the board stays in its loader"),
            code == 4,
            "{said}"
        );
        loader.replug();
        assert_eq!(loader.starts_application(), code == 1);
        let (done, loader) = install(&folder, loader);
        assert_eq!(done.status.code(), Some(0), "{pulled}: {}", text(&done));
        assert!(is_installed(&loader), "{pulled}");
    }
}

#[test]
fn every_other_end_says_what_to_do_and_leaves_the_board_as_it_was() {
    let folder = folder("refused");
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let config = Config::default;
    for (config, words, next) in [
        (
            Config {
                hardware: 51,
                ..config()
            },
            "another version of the hardware",
            "made for this board",
        ),
        (
            Config {
                key: Some(*key.verifying_key()),
                ..config()
            },
            "the package is not signed",
            "Ask the maker",
        ),
        (
            Config {
                part: 0x5_2832,
                ..config()
            },
            "it says that it is an nRF52832",
            "choose another --board",
        ),
        (
            Config {
                start: 0x7_8000,
                ..config()
            },
            "begins at 0x78000",
            "debugger",
        ),
        (
            Config {
                version: Some(9),
                ..config()
            },
            "the version is below",
            "--application-version",
        ),
    ] {
        let (done, mut loader) = install(&folder, dongle_with(config));
        let said = text(&done);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && said.contains(next), "{said}");
        loader.replug();
        assert!(loader.starts_application() && loader.application().len() == 0x5000);
    }
    // A result in the middle, from which the next run recovers.
    let mut loader = dongle();
    loader.forced = Some((20, 10, 0));
    let (done, mut loader) = install(&folder, loader);
    assert_eq!(done.status.code(), Some(4), "{}", text(&done));
    assert!(text(&done).contains("it failed at it"), "{}", text(&done));
    loader.replug();
    let (done, loader) = install(&folder, loader);
    assert!(done.status.success() && is_installed(&loader));
}

#[test]
fn what_can_not_be_is_said_before_the_port_is_opened() {
    let folder = folder("before");
    let refused = |more: &[&str], words: &str| {
        let output = run(&folder, &[&INSTALL[..], more].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(words), "{}", text(&output));
    };
    refused(&[], "No port was named");
    refused(&["--port", "/dev/nowhere"], "/dev/nowhere");
    refused(&["--port", "x", "--keep", "y.bin"], "nothing can be kept");
    refused(&["--way", "uf2"], "Its ways are: nordic");
}

/// A port behind which nobody answers as the loader does: a board's serial port, for one.
#[test]
fn a_port_of_something_else_is_left_alone() {
    let folder = folder("other");
    let terminal = Terminal::new(dongle_that_is_mute(), None).unwrap();
    let port = terminal.path().display().to_string();
    let output = run(&folder, &[&INSTALL[..], &["--port", &port]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("Nothing answers at this port"),
        "{}",
        text(&output)
    );
    drop(terminal.end());
}

/// A loader whose decoder is stuck: more than a frame has come without an end (`slip.c`, line 94).
fn dongle_that_is_mute() -> Loader {
    let mut loader = dongle();
    loader.receive(&[7; 4000]);
    loader
}
