//! The first install of an STM32F407 over USB, with the model of its ROM's device on a virtual bus: a published program says that the
//! model is one, and the command line installs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use bootlace_roms::dfuse::{MEMORIES, Rom};
use bootlace_roms::flash::{Flash, LEN};
use bootlace_roms::random::Random;
use bootlace_tests::tools;
use bootlace_tests::usb::{Cord, DfuChip, Fault};

use super::install::with_key;
use super::{Stage, bootlace, ends};

/// How many times faster than a real one its flash is.
const SPEED: u32 = 50;
/// Bytes that the companion has.
const COMPANION: usize = 0x2_0000;

/// A chip in its loader, and its cable.
fn chip(stage: &Stage, flash: &[u8]) -> Result<(DfuChip, Cord)> {
    let mut flash = Flash::new(flash);
    flash.speed = SPEED;
    let chip = DfuChip::new(Rom::new(flash));
    let cord = Cord::of_chip(&stage.bus, &chip);
    cord.ready()?;
    Ok((chip, cord))
}

/// Bytes of the flash.
fn held(chip: &DfuChip) -> Vec<u8> {
    chip.with(|rom| rom.flash.bytes.clone())
}

fn dfu_util(folder: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(tools::required("BOOTLACE_DFU_UTIL")?);
    command.args(["-d", "0483:df11"]).args(arguments);
    command.current_dir(folder);
    Ok(command)
}

/// dfu-util takes the model for such a device.
pub(super) fn judged(stage: &mut Stage) -> Result<()> {
    let folder = stage.namespace.scratch().join("judged");
    std::fs::create_dir_all(&folder)?;
    let old = Random::new(1).bytes(LEN);
    let (chip, cord) = chip(stage, &old)?;

    let listed = ends(dfu_util(&folder, &["-l"])?, 0)?;
    for memory in MEMORIES {
        ensure!(listed.contains(memory), "{listed}");
    }
    let read = &["-a", "0", "-s", "0x0801F000:135168", "-U", "read.bin"];
    ends(dfu_util(&folder, read)?, 0)?;
    let expected = old.get(0x1_F000..0x4_0000);
    ensure!(
        std::fs::read(folder.join("read.bin"))? == expected.unwrap_or_default(),
        "it read something else"
    );

    // Into the small sectors and the one behind them.
    let new = Random::new(2).bytes(70_000);
    std::fs::write(folder.join("new.bin"), &new)?;
    let said = ends(
        dfu_util(&folder, &["-a", "0", "-s", "0x08000000:leave", "-D", "new.bin"])?,
        0,
    )?;
    ensure!(said.contains("File downloaded successfully"), "{said}");
    ensure!(chip.with(|rom| rom.has_left()), "it did not leave: {said}");
    let now = held(&chip);
    ensure!(now.get(..new.len()) == Some(&new[..]), "it wrote something else");
    ensure!(
        chip.with(|rom| rom.flash.erased.clone()) == [0, 1, 2, 3, 4],
        "it erased something else"
    );
    ensure!(now.get(0x2_0000..) == old.get(0x2_0000..), "it changed more");

    // Protected flash is told of in the same words as a real chip's.
    chip.with(|rom| rom.flash.read_protected = true);
    cord.plug_again(&chip)?;
    let output = dfu_util(&folder, &["-a", "0", "-s", "0x08000000", "-D", "new.bin"])?.output()?;
    let said = super::said(&output);
    ensure!(
        !output.status.success() && said.contains("vendor specific error"),
        "{said}"
    );
    Ok(())
}

fn install(folder: &Path, more: &[&str], code: i32) -> Result<String> {
    ends(command(folder, more)?, code)
}

fn command(folder: &Path, more: &[&str]) -> Result<Command> {
    let boards = tools::required("BOOTLACE_BOARDS")?;
    let boards = boards.to_str().context("a path in UTF-8")?;
    let mut command = bootlace(&["install", "--board", "stm32f407", "--companions", boards])?;
    command
        .args(["--key", "own.pub.pem"])
        .args(more)
        .current_dir(folder);
    Ok(command)
}

/// What `companion make` writes for the folder's key.
fn made(folder: &Path) -> Result<Vec<u8>> {
    let boards = tools::required("BOOTLACE_BOARDS")?;
    let mut command = bootlace(&[
        "companion",
        "make",
        "--board",
        "stm32f407",
        "--key",
        "own.pub.pem",
        "-o",
        "own.bin",
    ])?;
    command.arg("--companions").arg(boards).current_dir(folder);
    ends(command, 0)?;
    let made = std::fs::read(folder.join("own.bin"))?;
    ensure!(made.len() == COMPANION, "{}", made.len());
    Ok(made)
}

fn is_installed(chip: &DfuChip, made: &[u8], old: &[u8]) -> bool {
    let now = held(chip);
    let has_left = chip.with(|rom| rom.has_left() && !rom.flash.was_violated);
    has_left && now.get(..COMPANION) == Some(made) && now.get(COMPANION..) == old.get(COMPANION..)
}

pub(super) fn installed(stage: &mut Stage) -> Result<()> {
    let folder = with_key(stage, "stm32")?;
    let made = made(&folder)?;
    let blank = vec![0xFF; LEN];
    let (first, cord) = chip(stage, &blank)?;
    let said = install(&folder, &[], 0)?;
    ensure!(
        said.contains("held nothing there") && said.contains("Take BOOT0 off"),
        "{said}"
    );
    ensure!(is_installed(&first, &made, &blank), "{said}");
    drop(cord);

    // Another one, that held something: the program that the sentence names brings that back.
    let old = Random::new(3).bytes(LEN);
    let (second, cord) = chip(stage, &old)?;
    let said = install(&folder, &["--json"], 0)?;
    ensure!(said.contains(r#""file":"stm32f407-before-1.bin""#), "{said}");
    ensure!(is_installed(&second, &made, &old), "{said}");
    cord.plug_again(&second)?;
    let back = [
        "-a",
        "0",
        "-s",
        "0x08000000:leave",
        "-D",
        "stm32f407-before-1.bin",
    ];
    ends(dfu_util(&folder, &back)?, 0)?;
    ensure!(held(&second) == old, "the flash is not as it was");
    Ok(())
}

/// The cable is pulled at transfers of every work.
pub(super) fn unplugged(stage: &mut Stage) -> Result<()> {
    let folder = with_key(stage, "stm32-unplugged")?;
    let (made, old) = (made(&folder)?, Random::new(4).bytes(LEN));
    let (chip, cord) = chip(stage, &old)?;
    install(&folder, &["--discard"], 0)?;
    let all = chip.transfers();
    ensure!(all > 200, "{all} transfers");
    // Some of the first ones, of those in the middle of each work, and the last ones.
    let some = [1, 2, 3, 9].into_iter().chain((20..all).step_by(all / 9));
    for at in some.chain([all - 3, all - 1]) {
        chip.with(|rom| rom.flash.bytes.copy_from_slice(&old));
        cord.plug_again(&chip)?;
        chip.fault_at(at, Fault::Unplugged);
        let output = command(&folder, &["--discard"])?.output()?;
        let said = super::said(&output);
        let is_told = match output.status.code() {
            Some(1) => said.contains("unplugged") && held(&chip) == old,
            Some(4) => said.contains("unplugged") && at > 64,
            // All is written and read back, and the chip is gone when it is to start: that is how it starts.
            code => code == Some(0) && at + 6 > all && held(&chip).get(..COMPANION) == Some(&made[..]),
        };
        ensure!(is_told, "{at} of {all}: {:?}: {said}", output.status);
        let before = held(&chip);
        cord.plug_again(&chip)?;
        let said = install(&folder, &["--discard"], 0)?;
        ensure!(is_installed(&chip, &made, &old), "{at}: {said}");
        ensure!(
            before.get(COMPANION..) == old.get(COMPANION..),
            "{at}: more was changed"
        );
    }
    Ok(())
}

/// What is wrong with the chip, what happens to which transfer, the exit code, and what is said.
type Case<'a> = (&'a dyn Fn(&mut Rom), Option<(usize, Fault)>, i32, &'static str);

pub(super) fn refused(stage: &mut Stage) -> Result<()> {
    let folder: PathBuf = with_key(stage, "stm32-refused")?;
    let made = made(&folder)?;
    let none = install(&folder, &[], 1)?;
    ensure!(
        none.contains("Connect BOOT0 to the supply") && none.contains("own USB connector"),
        "{none}"
    );

    let old = Random::new(5).bytes(LEN);
    let (chip, cord) = chip(stage, &old)?;
    stage.bus.forbid(true);
    let forbidden = install(&folder, &[], 1);
    stage.bus.forbid(false);
    let rule = r#"SUBSYSTEM=="usb", ATTR{idVendor}=="0483", ATTR{idProduct}=="df11", TAG+="uaccess""#;
    let forbidden = forbidden?;
    ensure!(
        forbidden.contains(rule) && forbidden.contains("Zadig"),
        "{forbidden}"
    );

    let nothing = |_: &mut Rom| {};
    let odd = made.iter().rposition(|byte| byte & 1 == 1);
    let cases: [Case; 9] = [
        (&|rom| rom.flash.read_protected = true, None, 1, "protected"),
        (
            &|rom| rom.flash.write_protected = 1 << 3,
            None,
            4,
            "reads otherwise",
        ),
        (&|rom| rom.flash.stuck = odd, None, 4, "reads otherwise"),
        (
            &|rom| rom.memory = "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,03*128Kg".into(),
            None,
            1,
            "its flash is another one at 0x08080000",
        ),
        (
            &|rom| rom.memory = "@SPI Flash /0x00000000/128*64Kg".into(),
            None,
            1,
            "no flash inside",
        ),
        (
            &|rom| rom.memory = "@Internal Flash /nonsense".into(),
            None,
            1,
            "what a loader would not",
        ),
        (&nothing, Some((2, Fault::Stalled)), 1, "refuses"),
        (
            &nothing,
            Some((1, Fault::Answers(vec![7; 5]))),
            1,
            "what a loader would not",
        ),
        (
            &nothing,
            Some((9, Fault::Answers(vec![7; 100]))),
            1,
            "what a loader would not",
        ),
    ];
    for (change, fault, code, wanted) in cases {
        let mut flash = Flash::new(&old);
        flash.speed = SPEED;
        chip.with(|rom| {
            *rom = Rom::new(flash);
            change(rom);
        });
        cord.plug_again(&chip)?;
        if let Some((at, fault)) = fault {
            chip.fault_at(at, fault);
        }
        let said = install(&folder, &["--discard"], code).context(wanted)?;
        ensure!(said.contains(wanted), "{wanted}: {said}");
        ensure!(code == 4 || held(&chip) == old, "{wanted}: it was changed");
        ensure!(
            chip.with(|rom| !rom.has_left() && !rom.flash.was_violated),
            "{wanted}"
        );
        // Once that is over, the next run installs.
        chip.with(|rom| {
            let mut flash = Flash::new(&rom.flash.bytes);
            flash.speed = SPEED;
            *rom = Rom::new(flash);
        });
        cord.plug_again(&chip)?;
        let said = install(&folder, &["--discard"], 0)?;
        ensure!(is_installed(&chip, &made, &old), "{wanted}: {said}");
    }
    let (_other, _second) = self::chip(stage, &old)?;
    cord.plug_again(&chip)?;
    let several = install(&folder, &[], 1)?;
    ensure!(several.contains("Leave only the one"), "{several}");
    Ok(())
}
