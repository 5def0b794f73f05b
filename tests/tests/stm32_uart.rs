//! The first install of an STM32F407 by a serial port, with the model of its ROM's loader behind a pseudo-terminal: a published program
//! says that the model is one, and the command line installs.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bootlace_roms::flash::{Flash, LEN};
use bootlace_roms::random::Random;
use bootlace_roms::uart::Rom;
use bootlace_tests::serial_chip::SerialChip;
use bootlace_tests::tools;

/// How many times faster than a real one its flash is.
const SPEED: u32 = 50;
const COMPANION: usize = 0x2_0000;

fn rom(flash: &[u8]) -> Rom {
    let mut flash = Flash::new(flash);
    flash.speed = SPEED;
    Rom::new(flash)
}

/// A folder for one test's files.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("uart-{name}-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn stm32flash(folder: &Path, chip: &SerialChip, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(tools::required("BOOTLACE_STM32FLASH").unwrap());
    // A pseudo-terminal has no parity.
    command.args(["-m", "8n1"]).args(arguments).arg(chip.node());
    let output = command.current_dir(folder).output().unwrap();
    (output.status.code(), said(&output))
}

fn held(chip: &SerialChip) -> Vec<u8> {
    chip.with(|rom| rom.flash.bytes.clone())
}

#[test]
fn stm32flash_takes_the_model_for_an_stm32f407() {
    let folder = folder("judged");
    let old = Random::new(1).bytes(LEN);
    let chip = SerialChip::new(rom(&old)).unwrap();
    let (code, told) = stm32flash(&folder, &chip, &[]);
    assert_eq!(code, Some(0), "{told}");
    for fact in ["Device ID    : 0x0413 (STM32F40xxx/41xxx)", "Version      : 0x31"] {
        assert!(told.contains(fact), "{told}");
    }

    // It goes on with a loader that is in step already, and takes several pages in one erase.
    let new = Random::new(2).bytes(20_000);
    std::fs::write(folder.join("new.bin"), &new).unwrap();
    let (code, told) = stm32flash(&folder, &chip, &["-w", "new.bin", "-v", "-S", "0x08000000"]);
    assert_eq!(code, Some(0), "{told}");
    let now = held(&chip);
    assert!(
        now[..new.len()] == new && now[0x8000..] == old[0x8000..],
        "{told}"
    );
    assert_eq!(chip.with(|rom| rom.flash.erased.clone()), [0, 1]);

    chip.with(Rom::reset);
    let (code, told) = stm32flash(&folder, &chip, &["-r", "read.bin", "-S", "0x08000000:20000"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(std::fs::read(folder.join("read.bin")).unwrap(), new);

    chip.with(Rom::reset);
    let (code, told) = stm32flash(&folder, &chip, &["-g", "0x08000000"]);
    assert!(code == Some(0) && chip.with(|rom| rom.has_left()), "{told}");
    assert!(!chip.with(|rom| rom.flash.was_violated));

    // Protected flash is read by nobody.
    chip.with(|rom| {
        rom.reset();
        rom.flash.read_protected = true;
    });
    let (code, told) = stm32flash(&folder, &chip, &["-r", "none.bin", "-S", "0x08000000:1000"]);
    assert!(code != Some(0) && told.contains("NACK"), "{told}");
}

/// A folder with a new key, and what `companion make` writes for that key.
fn made(name: &str) -> (PathBuf, Vec<u8>) {
    let folder = folder(name);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(tools::cli().unwrap());
        command.args(arguments).current_dir(&folder);
        tools::output(&mut command).unwrap();
    };
    run(&["key", "new", "own.pem"]);
    let boards = tools::required("BOOTLACE_BOARDS").unwrap();
    let boards = boards.to_str().unwrap();
    let make = [
        "companion",
        "make",
        "--board",
        "stm32f407",
        "--key",
        "own.pub.pem",
        "-o",
        "own.bin",
    ];
    run(&[&make[..], &["--companions", boards]].concat());
    let made = std::fs::read(folder.join("own.bin")).unwrap();
    assert_eq!(made.len(), COMPANION);
    (folder, made)
}

fn install(folder: &Path, chip: &SerialChip, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(tools::cli().unwrap());
    command.args([
        "install",
        "--board",
        "stm32f407",
        "--companion",
        "own.bin",
        "--port",
    ]);
    command.arg(chip.node()).args(more).current_dir(folder);
    let output = command.output().unwrap();
    (output.status.code(), said(&output))
}

fn is_installed(chip: &SerialChip, made: &[u8], old: &[u8]) -> bool {
    let now = held(chip);
    let has_left = chip.with(|rom| rom.has_left() && !rom.flash.was_violated);
    has_left && now[..COMPANION] == *made && now[COMPANION..] == old[COMPANION..]
}

#[test]
fn a_chip_gets_a_companion_and_stm32flash_brings_back_what_it_held() {
    let (folder, made) = made("installed");
    let old = Random::new(3).bytes(LEN);
    let chip = SerialChip::new(rom(&old)).unwrap();
    let (code, told) = install(&folder, &chip, &["--way", "uart"]);
    assert!(code == Some(0) && is_installed(&chip, &made, &old), "{told}");
    assert!(
        told.contains("stm32flash -w stm32f407-before-1.bin -v -g 0x08000000"),
        "{told}"
    );
    chip.with(Rom::reset);
    let back = ["-w", "stm32f407-before-1.bin", "-v", "-g", "0x08000000"];
    let (code, told) = stm32flash(&folder, &chip, &back);
    assert!(code == Some(0) && held(&chip) == old, "{told}");
}

#[test]
fn an_adapter_that_is_pulled_out_leaves_a_chip_that_the_next_run_installs() {
    let (folder, made) = made("pulled");
    let old = Random::new(4).bytes(LEN);
    let whole = SerialChip::new(rom(&old)).unwrap();
    let (code, told) = install(&folder, &whole, &["--discard"]);
    assert!(code == Some(0), "{told}");
    let all = whole.heard();
    for at in [1, 4, 30, 3000, all / 9, all / 2, all - 20] {
        let chip = SerialChip::new(rom(&old)).unwrap();
        chip.pull_at(at);
        let (code, told) = install(&folder, &chip, &["--discard"]);
        assert!(
            told.contains("unplugged") && told.contains("start again"),
            "{at}: {told}"
        );
        let is_old = held(&chip) == old;
        assert!(
            code == Some(if is_old { 1 } else { 4 }) && is_old == (at < 4000),
            "{at} of {all}: {told}"
        );
        // Another port, as an adapter that is plugged in anew has, and the chip as it is: it waits for what it was promised.
        let left = chip.with(|rom| std::mem::replace(rom, self::rom(&[])));
        let again = SerialChip::new(left).unwrap();
        let (code, told) = install(&folder, &again, &["--discard"]);
        assert!(
            code == Some(0) && is_installed(&again, &made, &old),
            "{at} of {all}: {told}"
        );
    }
}

/// What is wrong with the chip, the exit code, and what is said.
type Case<'a> = (&'a dyn Fn(&mut Rom), i32, [&'a str; 2]);

#[test]
fn a_chip_that_can_not_be_installed_says_why_and_what_to_do() {
    let (folder, made) = made("refused");
    let old = Random::new(5).bytes(LEN);
    let cases: [Case; 5] = [
        (
            &|rom| rom.flash.read_protected = true,
            1,
            ["its flash is protected", "Bootlace never does"],
        ),
        (
            &|rom| rom.flash.write_protected = 1 << 4,
            4,
            ["reads otherwise", "protected against writing"],
        ),
        (
            &|rom| rom.chip = 0x0410,
            1,
            ["the chip's number is 0x0410", "Choose the board"],
        ),
        (
            &|rom| rom.kilobytes = 512,
            1,
            ["its flash is another one at 0x08080000", "Choose the board"],
        ),
        // It was started: whatever runs now is no loader.
        (
            &|rom| {
                [0x7F, 0x21, 0xDE, 8, 0, 0, 0, 8]
                    .iter()
                    .for_each(|byte| rom.receive(*byte));
                rom.sent();
            },
            1,
            ["does not answer", "TX to the chip's PA10"],
        ),
    ];
    for (change, wanted, words) in cases {
        let chip = SerialChip::new(rom(&old)).unwrap();
        chip.with(change);
        let (code, told) = install(&folder, &chip, &["--discard"]);
        assert_eq!(code, Some(wanted), "{told}");
        assert!(words.iter().all(|words| told.contains(words)), "{told}");
        assert!(wanted == 4 || held(&chip) == old, "{told}");
        chip.with(|rom| *rom = self::rom(&rom.flash.bytes.clone()));
        let (code, told) = install(&folder, &chip, &["--discard"]);
        assert!(code == Some(0) && is_installed(&chip, &made, &old), "{told}");
    }
}

#[test]
fn a_port_that_can_not_be_used_is_named_with_what_to_do() {
    let (folder, _) = made("ports");
    let run = |more: &[&str]| {
        let mut command = Command::new(tools::cli().unwrap());
        command.args(["install", "--board", "stm32f407", "--companion", "own.bin"]);
        let output = command.args(more).current_dir(&folder).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        said(&output)
    };
    let unnamed = run(&["--way", "uart"]);
    assert!(unnamed.contains("bootlace ports"), "{unnamed}");
    let missing = run(&["--port", "none"]);
    assert!(missing.contains("There is no port none"), "{missing}");
    // Somebody has it.
    let chip = SerialChip::new(rom(&[])).unwrap();
    let other = std::fs::File::options()
        .read(true)
        .write(true)
        .open(chip.node())
        .unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let busy = run(&["--port", chip.node().to_str().unwrap()]);
    assert!(
        busy.contains("is busy") && busy.contains("ModemManager"),
        "{busy}"
    );
}
