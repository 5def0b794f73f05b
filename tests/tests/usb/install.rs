//! The first install: a Pico without a companion, in its boot ROM's own loader.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use bootlace_tests::qemu::Images;
use bootlace_tests::rp2040::{Behaviour, FLASH, Factory, Pico};
use bootlace_tests::tools;
use bootlace_tests::usb::Cord;

use super::{Stage, bootlace, ends, runs};

/// A folder of one scenario's files, with a new key pair in it: `own.pem` and `own.pub.pem`.
pub(super) fn with_key(stage: &Stage, name: &str) -> Result<PathBuf> {
    let folder = stage.namespace.scratch().join(name);
    std::fs::create_dir_all(&folder)?;
    let mut command = bootlace(&["key", "new", "own.pem"])?;
    command.current_dir(&folder);
    ends(command, 0)?;
    Ok(folder)
}

/// A Pico in its loader, and its cable.
fn in_loader(stage: &Stage, flash: &[u8]) -> Result<(Pico, Cord)> {
    let pico = Pico::new(flash)?;
    pico.hold_bootsel(true)?;
    pico.power(true)?;
    ensure!(pico.info()?.numbers == (0x2E8A, 3), "{:?}", pico.info());
    pico.hold_bootsel(false)?;
    let cord = Cord::new(&stage.bus, &pico);
    cord.ready()?;
    Ok((pico, cord))
}

/// `bootlace install` of a companion with the folder's key.
fn install(folder: &PathBuf, more: &[&str], code: i32) -> Result<String> {
    let mut command = bootlace(&["install", "--board", "rp2040", "--key", "own.pub.pem"])?;
    command
        .arg("--companions")
        .arg(tools::required("BOOTLACE_BOARDS")?);
    command.args(more).current_dir(folder);
    ends(command, code)
}

/// Blank chip, companion with the person's own key, application, update, patch.
pub(super) fn blank_chip(stage: &mut Stage) -> Result<()> {
    let folder = with_key(stage, "blank")?;
    let pico = Pico::running(&vec![0xFF; FLASH])?;
    ensure!(pico.info()?.numbers == (0x2E8A, 3), "{:?}", pico.info());
    let cord = Cord::new(&stage.bus, &pico);
    cord.ready()?;
    let arrivals = pico.arrivals();
    let said = install(&folder, &["--name", "Bench 7"], 0)?;
    ensure!(
        said.contains("held nothing there") && said.contains("Done."),
        "{said}"
    );
    ensure!(
        pico.wait_beyond(arrivals)?.numbers == (0x1209, 1),
        "{:?}",
        pico.info()
    );
    cord.ready()?;
    let board = ends(bootlace(&["board"])?, 0)?;
    ensure!(board.contains("Bench 7"), "{board}");

    let factory = Factory::signing(Images::with_key(&folder.join("own.pem"))?)?;
    let image = |minor: u8| -> Result<PathBuf> {
        let file = folder.join(format!("1.{minor}.0.signed.bin"));
        std::fs::write(&file, factory.application(Behaviour::Normal, minor)?.0)?;
        Ok(file)
    };
    let (first, second, third) = (image(0)?, image(1)?, image(2)?);
    for (image, base, version) in [
        (&first, None, "1.0.0"),
        (&second, None, "1.1.0"),
        (&third, Some(&second), "1.2.0"),
    ] {
        cord.ready()?;
        let mut command = bootlace(&["update", "--json", "--key", "own.pub.pem", "--image"])?;
        command.arg(image).current_dir(&folder);
        if let Some(base) = base {
            command.arg("--base").arg(base);
        }
        let said = ends(command, 0)?;
        ensure!(base.is_none() || said.contains("\"content\":\"patch\""), "{said}");
        ensure!(runs(&pico)? == (version.into(), true), "{:?}", runs(&pico));
    }
    pico.behaved()
}

/// The cable is pulled in the middle of the writing; the chip stays in its loader, and the next run installs.
pub(super) fn unplugged(stage: &mut Stage) -> Result<()> {
    let folder = with_key(stage, "unplugged")?;
    let (pico, cord) = in_loader(stage, &[0x55; FLASH])?;
    let before = pico.count("operations")?;
    let mut command = bootlace(&[
        "install",
        "--board",
        "rp2040",
        "--key",
        "own.pub.pem",
        "--companions",
    ])?;
    command
        .arg(tools::required("BOOTLACE_BOARDS")?)
        .current_dir(&folder);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn()?;
    bootlace_browser::wait_for(
        "the middle of the writing",
        std::time::Duration::from_secs(60),
        || Ok((pico.count("operations")? > before + 60.0).then_some(())),
    )?;
    pico.power(false)?;
    let output = child.wait_with_output()?;
    let said = super::said(&output);
    ensure!(output.status.code() == Some(4), "{said}");
    ensure!(
        said.contains("unplugged") && said.contains("start again"),
        "{said}"
    );
    // Without BOOTSEL: what the chip starts from was erased first.
    let arrivals = pico.arrivals();
    pico.power(true)?;
    ensure!(
        pico.wait_beyond(arrivals)?.numbers == (0x2E8A, 3),
        "{:?}",
        pico.info()
    );
    cord.ready()?;
    let arrivals = pico.arrivals();
    install(&folder, &["--discard"], 0)?;
    ensure!(
        pico.wait_beyond(arrivals)?.numbers == (0x1209, 1),
        "{:?}",
        pico.info()
    );
    pico.behaved()
}

/// What the chip held is read out before it is changed, and its drive brings it back.
pub(super) fn kept(stage: &mut Stage) -> Result<()> {
    let folder = with_key(stage, "kept")?;
    let old = stage.factory.flash(None)?;
    let (pico, cord) = in_loader(stage, &old)?;
    let arrivals = pico.arrivals();
    let said = install(&folder, &["--name", "Bench 8"], 0)?;
    ensure!(said.contains("rp2040-before-1.uf2"), "{said}");
    pico.wait_beyond(arrivals)?;
    cord.ready()?;
    let board = ends(bootlace(&["board"])?, 0)?;
    ensure!(board.contains("Bench 8"), "{board}");

    pico.power(false)?;
    pico.hold_bootsel(true)?;
    let arrivals = pico.arrivals();
    pico.power(true)?;
    pico.wait_beyond(arrivals)?;
    pico.hold_bootsel(false)?;
    let arrivals = pico.arrivals();
    pico.copy_onto_drive(&std::fs::read(folder.join("rp2040-before-1.uf2"))?)?;
    ensure!(
        pico.wait_beyond(arrivals)?.numbers == (0x1209, 1),
        "{:?}",
        pico.info()
    );
    let now = pico.flash()?;
    ensure!(
        now.get(..0x1_0000) == old.get(..0x1_0000),
        "the flash is not as it was"
    );
    pico.behaved()
}

/// Companion and application as one file, onto the drive; and what a file holds is said.
pub(super) fn factory_file(stage: &mut Stage) -> Result<()> {
    let folder = with_key(stage, "factory")?;
    let factory = Factory::signing(Images::with_key(&folder.join("own.pem"))?)?;
    std::fs::write(
        folder.join("app.bin"),
        factory.application(Behaviour::Normal, 3)?.0,
    )?;
    let make = |app: &str, output: &str| -> Result<std::process::Command> {
        let mut command = bootlace(&["companion", "make", "--board", "rp2040", "--key", "own.pub.pem"])?;
        command
            .arg("--companions")
            .arg(tools::required("BOOTLACE_BOARDS")?);
        command.args(["--app", app, "-o", output]).current_dir(&folder);
        Ok(command)
    };
    ends(make("app.bin", "all.uf2")?, 0)?;
    let mut show = bootlace(&["companion", "show", "all.uf2"])?;
    show.current_dir(&folder);
    let shown = ends(show, 0)?;
    ensure!(shown.contains("Raspberry Pi Pico"), "{shown}");
    // What somebody else signed would not start.
    let (theirs, _) = stage.factory.application(Behaviour::Normal, 3)?;
    std::fs::write(folder.join("theirs.bin"), theirs)?;
    ends(make("theirs.bin", "other.uf2")?, 1)?;
    ensure!(!folder.join("other.uf2").exists(), "it was written");

    // By the drive, and by the other way from the same file.
    let (pico, cord) = in_loader(stage, &[0x55; FLASH])?;
    let arrivals = pico.arrivals();
    pico.copy_onto_drive(&std::fs::read(folder.join("all.uf2"))?)?;
    ensure!(
        pico.wait_beyond(arrivals)?.numbers == (0x1209, 1),
        "{:?}",
        pico.info()
    );
    ensure!(runs(&pico)? == ("1.3.0".into(), true), "{:?}", runs(&pico));
    drop((cord, pico));
    let (pico, _cord) = in_loader(stage, &[0x55; FLASH])?;
    let arrivals = pico.arrivals();
    let mut command = bootlace(&[
        "install",
        "--board",
        "rp2040",
        "--companion",
        "all.uf2",
        "--discard",
    ])?;
    command.current_dir(&folder);
    ends(command, 0)?;
    ensure!(
        pico.wait_beyond(arrivals)?.numbers == (0x1209, 1),
        "{:?}",
        pico.info()
    );
    ensure!(runs(&pico)? == ("1.3.0".into(), true), "{:?}", runs(&pico));
    pico.behaved()
}

/// No board, two boards, no right to the device, a published key.
pub(super) fn refused(stage: &mut Stage) -> Result<()> {
    let folder = with_key(stage, "refused")?;
    let none = install(&folder, &[], 1)?;
    ensure!(none.contains("Hold the button BOOTSEL"), "{none}");
    let blank = vec![0xFF; FLASH];
    let (pico, _cord) = in_loader(stage, &blank)?;
    stage.bus.forbid(true);
    let forbidden = install(&folder, &[], 1);
    stage.bus.forbid(false);
    let rule = r#"SUBSYSTEM=="usb", ATTR{idVendor}=="2e8a", ATTR{idProduct}=="0003", TAG+="uaccess""#;
    let forbidden = forbidden?;
    ensure!(forbidden.contains(rule), "{forbidden}");
    let published = super::key();
    let published = published.to_str().unwrap_or_default();
    let said = install(&folder, &["--key", published], 1)?;
    ensure!(said.contains("anybody can sign"), "{said}");
    let (_other, _second_cord) = in_loader(stage, &blank)?;
    let several = install(&folder, &[], 1)?;
    ensure!(several.contains("Leave only the one"), "{several}");
    ensure!(pico.flash()? == blank, "something was written");
    Ok(())
}
