//! Images to try the page with: real firmware, signed by imgtool with a key of this machine's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{self, Step};
use crate::setup::{self, firmware};

/// The folder below the page.
pub(crate) const FOLDER: &str = "demo";

/// The firmware's board, and the slot that it is signed for, in bytes: flash from 0x0800_5000 to 0x0808_0000.
const BOARD: &str = "primehub";
const SLOT: &str = "0x7b000";
/// Bytes of the image header; the vector table behind it must be aligned to 512 bytes.
const HEADER: &str = "0x200";

/// Puts the images, the public key and `demo.json` below the page.
pub(crate) fn place(dist: &Path) -> Result<()> {
    let images = images()?;
    let folder = dist.join(FOLDER);
    fs::create_dir_all(&folder)?;
    for file in fs::read_dir(images)? {
        let file = file?;
        // The private key stays at home.
        if file.file_name() != PRIVATE {
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
    }
    Ok(())
}

const PRIVATE: &str = "demo.pem";
const PUBLIC: &str = "demo.pub.pem";

/// The folder of the signed images, made once.
fn images() -> Result<PathBuf> {
    let programs = setup::python::programs()?;
    let firmware = setup::firmware::folder()?;
    setup::cache::ensure("demo", &firmware::VERSIONS.join("-"), |home| {
        let mut step = Step::start("signing the demo images");
        let imgtool = |arguments: &[&str]| {
            process::output(
                Command::new(programs.join("imgtool"))
                    .args(arguments)
                    .current_dir(home),
            )
        };
        imgtool(&["keygen", "--key", PRIVATE, "--type", "ecdsa-p256"]).context("imgtool keygen")?;
        let public = imgtool(&["getpub", "--key", PRIVATE, "--encoding", "pem"]).context("imgtool getpub")?;
        fs::write(home.join(PUBLIC), public)?;
        let mut entries = Vec::new();
        for version in firmware::VERSIONS {
            let name = format!("{BOARD}-{version}");
            let input = firmware.join(format!("{name}.bin"));
            let signed = format!("{name}.signed.bin");
            let input = input.to_str().context("the cache's path is not UTF-8")?;
            let header = [
                "--header-size",
                HEADER,
                "--pad-header",
                "--align",
                "4",
                "--slot-size",
                SLOT,
            ];
            let identity = ["--version", version, "--key", PRIVATE, input, &signed];
            imgtool(&[&["sign"][..], &header, &identity].concat())
                .with_context(|| format!("signing {name}"))?;
            step.progress(&name);
            entries.push(format!(
                r#"{{"file":"{signed}","name":"Pybricks {BOARD} {version}","version":"{version}"}}"#
            ));
        }
        let board = format!(r#"{{"name":"{BOARD}"}}"#);
        let list = entries.join(",");
        fs::write(
            home.join("demo.json"),
            format!(r#"{{"key":"{PUBLIC}","board":{board},"images":[{list}]}}"#),
        )?;
        step.done("signed");
        Ok(())
    })
}
