//! An emulated Raspberry Pi Pico by its vendor interface: the command line over Linux's usbfs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_browser::wait_for;
use bootlace_client::Client as _;
use bootlace_tests::namespace::{self, Namespace};
use bootlace_tests::rp2040::{Behaviour, Factory, Function, Pico};
use bootlace_tests::runner::{self, Scenario, Shared};
use bootlace_tests::tools;
use bootlace_tests::usb::{Bus, Cord};
use serde_json::Value;

#[path = "usb/dfuse.rs"]
mod dfuse;
#[path = "usb/install.rs"]
mod install;

const ORIGIN: &str = "http://localhost:8080";

struct Stage {
    bus: Bus,
    factory: Factory,
    namespace: Namespace,
}

fn main() -> Result<()> {
    // What is missing is said once; and the command line is built outside of the namespaces.
    let cli = tools::cli()?;
    runner::share_out(2, &[("BOOTLACE_CLI", &cli)])?;
    let namespace = namespace::enter(&[ORIGIN], Duration::from_secs(900))?;
    let mut stage = Stage {
        bus: Bus::new(&namespace)?,
        factory: Factory::new()?,
        namespace,
    };
    let scenarios: &[Scenario<Stage>] = &[
        ("command_line_full_image_and_patch", full_and_patch),
        ("command_line_goes_on_after_a_replug", replugged),
        ("command_line_lists_and_takes_the_only_board", only_board),
        (
            "command_line_tells_twenty_boards_apart_by_serial_number",
            twenty_boards,
        ),
        ("command_line_says_why_a_device_cannot_be_used", unusable),
        (
            "a_blank_chip_gets_companion_application_update_and_patch",
            install::blank_chip,
        ),
        (
            "an_installation_that_is_unplugged_is_begun_again",
            install::unplugged,
        ),
        (
            "what_a_chip_held_is_kept_and_its_drive_brings_it_back",
            install::kept,
        ),
        (
            "a_file_for_the_factory_starts_its_application",
            install::factory_file,
        ),
        ("a_chip_that_cannot_be_installed_says_why", install::refused),
        (
            "dfu_util_lists_writes_reads_and_leaves_the_model_of_an_stm32",
            dfuse::judged,
        ),
        (
            "a_blank_stm32_gets_a_companion_and_what_it_held_is_brought_back",
            dfuse::installed,
        ),
        (
            "an_stm32_that_is_unplugged_is_installed_by_the_next_run",
            dfuse::unplugged,
        ),
        ("an_stm32_that_cannot_be_installed_says_why", dfuse::refused),
    ];
    let code = runner::run(&mut stage, scenarios, &runner::wanted());
    drop(stage);
    std::process::exit(code)
}

impl Shared for Stage {
    fn leave(&mut self, _: &str, _: bool) -> Result<()> {
        Ok(())
    }

    fn renew(&mut self) -> Result<()> {
        bail!("no browser takes part")
    }
}

impl Stage {
    /// A board that runs version 1.0.0 of the example application, and its cable.
    fn board(&self) -> Result<(Pico, Cord)> {
        let (image, _) = self.factory.application(Behaviour::Normal, 0)?;
        let pico = Pico::running(&self.factory.flash(Some(&image))?)?;
        let cord = Cord::new(&self.bus, &pico);
        Ok((pico, cord))
    }

    /// The example application as version `1.minor.0`, in a file.
    fn image(&self, minor: u8) -> Result<PathBuf> {
        let file = self.namespace.scratch().join(format!("1.{minor}.0.signed.bin"));
        std::fs::write(&file, self.factory.application(Behaviour::Normal, minor)?.0)?;
        Ok(file)
    }
}

/// The demonstration's key, which the board trusts.
fn key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-companion/boards/keys/demo.pub.pem")
}

fn bootlace(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(tools::cli()?);
    command.args(arguments);
    Ok(command)
}

fn update(image: &Path) -> Result<Command> {
    let mut command = bootlace(&["update", "--json", "--allow-development-keys"])?;
    command.arg("--image").arg(image).arg("--key").arg(key());
    Ok(command)
}

fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// Runs a command to its end, which must have this code.
fn ends(mut command: Command, code: i32) -> Result<String> {
    let output = command.output()?;
    ensure!(
        output.status.code() == Some(code),
        "{:?}: {}",
        output.status,
        said(&output)
    );
    Ok(said(&output))
}

fn runs(pico: &Pico) -> Result<(String, bool)> {
    let slots = pico.client(Function::Vendor)?.list()?;
    let first = slots.into_iter().find(|it| it.slot == 0).context("no image")?;
    Ok((first.version, first.confirmed))
}

fn full_and_patch(stage: &mut Stage) -> Result<()> {
    let (pico, cord) = stage.board()?;
    let (new, newest) = (stage.image(1)?, stage.image(2)?);
    let mut command = update(&new)?;
    command.arg("--port").arg(cord.ready()?);
    let said = ends(command, 0)?;
    ensure!(said.contains("confirmed"), "{said}");
    ensure!(runs(&pico)? == ("1.1.0".into(), true), "{:?}", runs(&pico));

    // By its numbers alone, and only what changed.
    let mut command = update(&newest)?;
    command.args(["--port", "usb:1209:1", "--base"]).arg(&new);
    let said = ends(command, 0)?;
    ensure!(said.contains("\"content\":\"patch\""), "{said}");
    ensure!(runs(&pico)? == ("1.2.0".into(), true), "{:?}", runs(&pico));
    pico.behaved()
}

/// The board loses its power with its cable in the middle of an upload; when it is back, the update goes on by itself.
fn replugged(stage: &mut Stage) -> Result<()> {
    let (pico, cord) = stage.board()?;
    let before = pico.count("operations")?;
    let mut command = update(&stage.image(1)?)?;
    command.arg("--port").arg(cord.ready()?).stdout(Stdio::piped());
    let child = command.spawn()?;
    wait_for("the middle of the upload", Duration::from_secs(30), || {
        Ok((pico.count("operations")? > before + 60.0).then_some(()))
    })?;
    pico.power(false)?;
    std::thread::sleep(Duration::from_millis(300));
    pico.power(true)?;
    let output = child.wait_with_output()?;
    let said = said(&output);
    ensure!(output.status.code() == Some(0), "{said}");
    ensure!(said.contains("Unplugged") || said.contains("unplugged"), "{said}");
    ensure!(runs(&pico)? == ("1.1.0".into(), true), "{:?}", runs(&pico));
    pico.behaved()
}

fn only_board(stage: &mut Stage) -> Result<()> {
    let none = ends(bootlace(&["board"])?, 1)?;
    ensure!(none.contains("No board is plugged in"), "{none}");
    let (pico, cord) = stage.board()?;
    let name = cord.ready()?;
    let listed: Value = serde_json::from_str(&ends(bootlace(&["ports", "--json"])?, 0)?)?;
    ensure!(listed["ports"] == serde_json::json!([name]), "{listed}");
    ensure!(listed["serial"] == pico.info()?.serial, "{listed}");
    let board = ends(bootlace(&["board"])?, 0)?;
    ensure!(
        board.contains(&pico.info()?.serial) && board.contains("1.0.0"),
        "{board}"
    );

    // A second one, of the same numbers and the same serial number: neither is taken by chance.
    let (_second, other) = stage.board()?;
    other.ready()?;
    let several = ends(bootlace(&["board", "--port", "usb:1209:0001"])?, 1)?;
    ensure!(several.contains("Several boards"), "{several}");
    Ok(())
}

/// Twenty boards as they leave the factory differ in nothing but their flash chip's number.
fn twenty_boards(stage: &mut Stage) -> Result<()> {
    const BOARDS: u8 = 20;
    const CHOSEN: usize = 12;
    let flash = stage.factory.flash(None)?;
    let number = |board| [0xE6, 0x61, 0x41, 0x04, 0x03, 0x2A, 0x56, board];
    let boards: Vec<Pico> = (0..BOARDS)
        .map(|board| Pico::numbered(&flash, number(board)))
        .collect::<Result<_>>()?;
    let cords: Vec<Cord> = boards.iter().map(|pico| Cord::new(&stage.bus, pico)).collect();
    let names: Vec<String> = boards
        .iter()
        .zip(&cords)
        .map(|(pico, cord)| {
            pico.power(true)?;
            cord.ready()
        })
        .collect::<Result<_>>()?;

    let listed = ends(bootlace(&["ports", "--json"])?, 0)?;
    let mut found: Vec<String> = Vec::new();
    for line in listed.lines() {
        let line: Value = serde_json::from_str(line)?;
        let name = line["ports"][0].as_str().context("a board without a name")?;
        let serial = line["serial"]
            .as_str()
            .context("a board without a serial number")?;
        ensure!(name.ends_with(serial), "{line}");
        found.push(name.to_owned());
    }
    let mut wanted = names.clone();
    wanted.sort_unstable();
    wanted.dedup();
    found.sort_unstable();
    ensure!(wanted.len() == usize::from(BOARDS) && found == wanted, "{listed}");

    // Their numbers alone name none of them.
    let several = ends(bootlace(&["board", "--port", "usb:1209:0001"])?, 1)?;
    ensure!(several.contains("Several boards"), "{several}");

    let count = |pico: &Pico| pico.count("operations");
    let before: Vec<f64> = boards.iter().map(count).collect::<Result<_>>()?;
    let (chosen, name) = boards
        .get(CHOSEN)
        .zip(names.get(CHOSEN))
        .context("no such board")?;
    let mut command = update(&stage.image(1)?)?;
    command.args(["--port", name]);
    let said = ends(command, 0)?;
    ensure!(said.contains("confirmed"), "{said}");
    ensure!(runs(chosen)? == ("1.1.0".into(), true), "{:?}", runs(chosen));
    for (number, (pico, before)) in boards.iter().zip(before).enumerate() {
        let is_touched = count(pico)? > before;
        ensure!(is_touched == (number == CHOSEN), "board {number}: {is_touched}");
        pico.behaved()?;
    }
    Ok(())
}

fn unusable(stage: &mut Stage) -> Result<()> {
    let (pico, cord) = stage.board()?;
    let name = cord.ready()?;
    let ask = || bootlace(&["board", "--port", &name]);

    stage.bus.forbid(true);
    let forbidden = ends(ask()?, 1);
    stage.bus.forbid(false);
    let rule = r#"SUBSYSTEM=="usb", ATTR{idVendor}=="1209", ATTR{idProduct}=="0001", TAG+="uaccess""#;
    let forbidden = forbidden?;
    ensure!(forbidden.contains(rule), "{forbidden}");

    // Another program has the interface, from its first write to the flash until its end. Whoever asks
    // before that has the interface first, and the other program ends.
    let before = pico.count("operations")?;
    let mut update = update(&stage.image(1)?)?;
    update.args(["--port", &name]).stdout(Stdio::null());
    let mut update = update.spawn()?;
    let begun = wait_for("the upload to begin", Duration::from_secs(30), || {
        Ok((pico.count("operations")? > before).then_some(()))
    });
    let busy = begun.and_then(|()| ends(ask()?, 1));
    update.kill()?;
    update.wait()?;
    let busy = busy?;
    ensure!(busy.contains("another program"), "{busy}");
    let free = ends(ask()?, 0)?;
    ensure!(free.contains("1.0.0"), "{free}");

    let missing = ends(bootlace(&["board", "--port", "usb:1209:0002"])?, 1)?;
    ensure!(missing.contains("There is no port usb:1209:0002"), "{missing}");
    let bad = ends(bootlace(&["board", "--port", "usb:1209"])?, 1)?;
    ensure!(bad.contains("usb:VID:PID"), "{bad}");
    Ok(())
}
