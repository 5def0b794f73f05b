//! `cargo xtask bench link --board rp2040`: an upload to the example application on the emulated Raspberry Pi Pico, whose own
//! binary runs, against what the flash chip alone would take, over the serial port and over the vendor interface, and smpclient
//! on the same board beside it.
//!
//! Times are the board's: the emulated clock, which passes at most as fast as real time. While the board waits for its host the
//! clock goes on: a slow host is in the figures, as on a desk. Instructions are fetched in no time from flash, as from a cache
//! that holds them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_tests::namespace;
use bootlace_tests::rp2040::{Behaviour, Factory, Pico, SECONDARY, Terminal};
use bootlace_tests::tools;
use bootlace_tests::usb::{Bus, Cord};
use serde_json::Value;

/// Bytes of the application with its data.
const SIZE: usize = 256 * 1024;
const SECTOR: usize = 4096;
const PAGE: usize = 256;
/// Typical times of the W25Q16JV's datasheet, in milliseconds, as in `tests/rp2040/flash.mjs`.
const MILLIS_PER_SECTOR: f64 = 45.0;
const MILLIS_PER_PAGE: f64 = 0.4;
/// The most that an upload may take, over what the flash takes: what is aimed at.
const MOST: f64 = 1.12;
/// Nobody asks the namespace for a page; it wants an address all the same.
const ORIGIN: &str = "http://localhost:8080";
const LONGEST: Duration = Duration::from_secs(1800);

struct Desk {
    factory: Factory,
    bus: Bus,
    image: PathBuf,
    len: usize,
}

fn main() -> Result<()> {
    // The command line is built outside of the namespaces.
    tools::cli()?;
    let namespace = namespace::enter(&[ORIGIN], LONGEST)?;
    let factory = Factory::new()?;
    let (new, _) = factory.padded_application(Behaviour::Normal, 1, SIZE)?;
    let image = namespace.scratch().join("1.1.0.signed.bin");
    std::fs::write(&image, &new)?;
    let desk = Desk {
        bus: Bus::new(&namespace)?,
        factory,
        image,
        len: new.len(),
    };
    println!(
        "{} bytes; their sectors and pages take {:.2} s to erase and to program",
        desk.len,
        desk.flash_millis() / 1000.0
    );
    let pico = desk.board()?;
    let terminal = Terminal::new(&pico);
    desk.report("serial", &desk.update(&pico, terminal.ready()?)?);
    drop(terminal);
    let pico = desk.board()?;
    let cord = Cord::new(&desk.bus, &pico);
    desk.report("vendor", &desk.update(&pico, Path::new(&cord.ready()?))?);
    drop(cord);
    let pico = desk.board()?;
    let terminal = Terminal::new(&pico);
    desk.report("serial-smpclient", &desk.peer(&pico, terminal.ready()?)?);
    Ok(())
}

/// What an upload took of the board's time, and what the flash did meanwhile.
struct Took {
    /// From the first piece to the answer to the last, with the digest of what was received. smpclient does not say when it begins.
    upload: Option<f64>,
    /// From the first operation of the flash to the end of the last.
    span: f64,
    operations: f64,
}

impl Desk {
    /// What the flash alone takes: each sector erased once and each page programmed once.
    fn flash_millis(&self) -> f64 {
        let count = |unit: usize| self.len.div_ceil(unit) as f64;
        count(SECTOR) * MILLIS_PER_SECTOR + count(PAGE) * MILLIS_PER_PAGE
    }

    /// A board that runs version 1.0.0, and whose second slot is used: each of its sectors has to be erased.
    fn board(&self) -> Result<Pico> {
        let (old, _) = self.factory.padded_application(Behaviour::Normal, 0, SIZE)?;
        let mut flash = self.factory.flash(Some(&old))?;
        let slot = flash.get_mut(SECONDARY..).context("no second slot")?;
        slot.iter_mut().zip(&old).for_each(|(place, byte)| *place = *byte);
        let pico = Pico::running(&flash)?;
        pico.info()?;
        Ok(pico)
    }

    fn report(&self, name: &str, took: &Took) {
        println!("flash-operations-{name} {} operations", took.operations);
        println!(
            "flash-span-over-flash-time-{name} {:.3} times",
            took.span / self.flash_millis()
        );
        if let Some(upload) = took.upload {
            println!(
                "upload-over-flash-time-{name} {:.3} times <= {MOST}",
                upload / self.flash_millis()
            );
        }
    }

    /// Our own command line, from its first piece to the end of the upload.
    fn update(&self, pico: &Pico, port: &Path) -> Result<Took> {
        let key =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-companion/boards/keys/demo.pub.pem");
        let mut child = Command::new(tools::cli()?)
            // On a slow machine the emulated board answers late, which would pass for COBS that does not get through.
            .args([
                "update",
                "--json",
                "--allow-development-keys",
                "--framing",
                "cobs",
                "--port",
            ])
            .arg(port)
            .arg("--image")
            .arg(&self.image)
            .arg("--key")
            .arg(key)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let (mut begun, mut took) = (None, None);
        for line in BufReader::new(output).lines() {
            let event: Value = serde_json::from_str(&line?)?;
            match (event["event"].as_str(), event["phase"].as_str(), begun) {
                (Some("phase"), Some("uploading"), None) => {
                    pico.flash_span().ok();
                    begun = Some((pico.count("millis")?, pico.count("operations")?));
                }
                (Some("phase"), Some("verifying"), Some((millis, operations))) => {
                    took = Some(Took {
                        upload: Some(pico.count("millis")? - millis),
                        span: pico.flash_span()?,
                        operations: pico.count("operations")? - operations,
                    });
                    break;
                }
                (Some("error"), ..) => bail!("{event}"),
                _ => {}
            }
        }
        child.kill().ok();
        child.wait()?;
        pico.behaved()?;
        self.whole(took.context("the upload did not come to its end")?)
    }

    /// The published smpclient.
    fn peer(&self, pico: &Pico, port: &Path) -> Result<Took> {
        let mut python = Command::new(tools::required("BOOTLACE_PYTHON")?);
        let arguments = "--until upload --mtu 1024 --framing cobs --patience 60 --port";
        python
            .arg(tools::smpclient_job())
            .args(arguments.split(' '))
            .arg(port)
            .arg("--image")
            .arg(&self.image);
        let operations = pico.count("operations")?;
        pico.flash_span().ok();
        tools::output(&mut python)?;
        pico.behaved()?;
        self.whole(Took {
            upload: None,
            span: pico.flash_span()?,
            operations: pico.count("operations")? - operations,
        })
    }

    /// An upload for which the flash did less than it must was no upload to a used slot.
    fn whole(&self, took: Took) -> Result<Took> {
        let least = (self.len / SECTOR + self.len / PAGE) as f64;
        ensure!(
            took.operations >= least,
            "{} operations of flash",
            took.operations
        );
        Ok(took)
    }
}
