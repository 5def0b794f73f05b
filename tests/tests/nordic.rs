//! Nordic's nrfutil judges the model of Nordic's bootloader and our packages, and the dongle's own companion goes in by both.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bootlace_browser::Folder;
use bootlace_nordic_model::{Config, Loader, SIZE, Terminal};
use bootlace_tests::tools;

/// The companion of the dongle as it was built, or its Intel HEX.
fn built(format: &str) -> PathBuf {
    let boards = tools::required("BOOTLACE_BOARDS").unwrap();
    boards.join(format!("nrf52840-dongle.{format}"))
}

fn nrfutil(folder: &Path, arguments: &[&str]) -> Command {
    let mut python = Command::new(tools::required("BOOTLACE_PYTHON").unwrap());
    python
        .arg(tools::nrfutil_job())
        .args(arguments)
        .current_dir(folder);
    python
}

fn bootlace(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(tools::cli().unwrap());
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn dongle(config: Config) -> Loader {
    Loader::new(config, vec![0xFF; SIZE as usize])
}

/// The board's companion as a package of ours, with a new key, in a folder.
fn with_package(name: &str) -> Folder {
    let folder = Folder::new(name).unwrap();
    let path = folder.path();
    assert!(bootlace(path, &["key", "new", "own.pem"]).status.success());
    let boards = tools::required("BOOTLACE_BOARDS").unwrap();
    let boards = boards.to_str().unwrap();
    let make = [
        "companion",
        "make",
        "--board",
        "nrf52840-dongle",
        "--companions",
        boards,
    ];
    for output in ["own.zip", "own.bin", "own.hex"] {
        let made = bootlace(
            path,
            &[
                &make[..],
                &["--key", "own.pub.pem", "--name", "Bench 7", "-o", output],
            ]
            .concat(),
        );
        assert!(made.status.success(), "{}", text(&made));
    }
    folder
}

/// Sends a package with nrfutil; gives the loader afterwards.
fn update(folder: &Path, loader: Loader, package: &str) -> (Output, Loader) {
    let terminal = Terminal::new(loader, None).unwrap();
    let port = terminal.path().display().to_string();
    let output = nrfutil(folder, &["update", &port, package]).output().unwrap();
    (output, terminal.end())
}

fn install(folder: &Path, loader: Loader, package: &str) -> (Output, Loader) {
    let terminal = Terminal::new(loader, None).unwrap();
    let port = terminal.path().display().to_string();
    let arguments = ["install", "--board", "nrf52840-dongle", "--companion", package];
    let output = bootlace(folder, &[&arguments[..], &["--port", &port]].concat());
    (output, terminal.end())
}

#[test]
fn nrfutil_reads_and_sends_our_package() {
    let folder = with_package("nordic-ours");
    let shown = tools::output(&mut nrfutil(folder.path(), &["display", "own.zip"])).unwrap();
    for fact in [
        "Type: application",
        "signature_type: UNSIGNED",
        "hw_version 0x00000034 (52)",
        "sd_req: 0x00",
        "type: APPLICATION",
        "app_size: 57344",
        "hash_type: SHA256",
        "VALIDATE_GENERATED_CRC",
        "is_debug: False",
    ] {
        assert!(shown.contains(fact), "{fact}: {shown}");
    }
    let (output, loader) = update(folder.path(), dongle(Config::default()), "own.zip");
    assert!(output.status.success(), "{}", text(&output));
    let own = std::fs::read(folder.path().join("own.bin")).unwrap();
    assert!(loader.starts_application() && own.starts_with(loader.application()));
    assert_eq!((loader.undefined, loader.has_left()), (0, true));
}

/// Unsigned by nrfutil, by both; and the model refuses nrfutil what it refuses us.
#[test]
fn the_loader_takes_the_same_from_nrfutil_and_from_us() {
    let folder = with_package("nordic-theirs");
    let hex = built("hex").display().to_string();
    tools::output(&mut nrfutil(folder.path(), &["generate", &hex, "theirs.zip"])).unwrap();
    let built = std::fs::read(built("bin")).unwrap();
    for send in [update, install] {
        let (output, loader) = send(folder.path(), dongle(Config::default()), "theirs.zip");
        assert!(output.status.success(), "{}", text(&output));
        assert!(loader.starts_application() && loader.application().starts_with(&built));
        let hardware = 51;
        let other = dongle(Config {
            hardware,
            ..Config::default()
        });
        let (output, loader) = send(folder.path(), other, "theirs.zip");
        assert!(!output.status.success() && !loader.starts_application());
        let said = text(&output);
        assert!(said.to_lowercase().contains("hardware"), "{said}");
    }
}

/// A maker's own bootloader takes what the maker has signed, whoever sends it, and nothing else.
#[test]
fn a_signed_package_goes_into_a_loader_with_that_key() {
    let folder = with_package("nordic-signed");
    let path = folder.path();
    let key = tools::output(&mut nrfutil(path, &["keygen", "maker.pem"])).unwrap();
    tools::output(&mut nrfutil(path, &["keygen", "other.pem"])).unwrap();
    for (package, key) in [("signed.zip", "maker.pem"), ("forged.zip", "other.pem")] {
        tools::output(&mut nrfutil(path, &["generate", "own.hex", package, key])).unwrap();
    }
    for send in [update, install] {
        let config = || Config::signed_by(&key).unwrap();
        let (output, loader) = send(path, dongle(config()), "signed.zip");
        assert!(output.status.success(), "{}", text(&output));
        assert!(loader.starts_application());
        for package in ["forged.zip", "own.zip"] {
            let (output, loader) = send(path, dongle(config()), package);
            assert!(
                !output.status.success() && !loader.starts_application(),
                "{package}"
            );
        }
    }
    let (output, _) = install(path, dongle(Config::signed_by(&key).unwrap()), "forged.zip");
    assert!(
        text(&output).contains("the signature is wrong"),
        "{}",
        text(&output)
    );
    assert!(text(&output).contains("Ask the maker"), "{}", text(&output));
}
