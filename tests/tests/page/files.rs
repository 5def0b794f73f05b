//! Files that must not be installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::main_job;
use bootlace_tests::cabled::CabledBoard;
use bootlace_tests::serial::Way;
use bootlace_tests::tools::{self, Algorithm};
use serde_json::json;

use super::{Stage, text};

/// Each gets a sentence and a next step, and can't be installed.
pub(super) fn bad_files(stage: &mut Stage) -> Result<()> {
    let fixtures = &stage.fixtures;
    let (good, key) = fixtures.signed("movehub", "7.28.0", Algorithm::P256)?;
    let bytes = std::fs::read(&good)?;
    let file = |name: &str| fixtures.folder().join(name);
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        std::fs::write(file(name), bytes)?;
        Ok(file(name))
    };
    let mut altered = bytes.clone();
    altered[5000] ^= 1;
    let (stranger, _) = fixtures.key("stranger", Algorithm::P256)?;
    let (signer, _) = fixtures.key("signer", Algorithm::P256)?;
    // All of it: what starts outside an image is refused for that alone.
    let size = u32::from_le_bytes(*bytes[12..].first_chunk().context("a header")?);
    let firmware = write("firmware.bin", &bytes[0x200..][..size as usize])?;
    let sign = |name: &str, input: &Path, key: Option<&Path>, more: &[&str]| -> Result<PathBuf> {
        fixtures.sign(input, "7.29.0", key, &file(name), more)?;
        Ok(file(name))
    };
    // As large as a slot, of which a part is the trailer's.
    let large = write(
        "large.raw",
        &[&bytes[0x200..0x300], &[0x5a; 500_000][..]].concat(),
    )?;
    let other = "9f3ab1c2-0c5d-4e8b-9a77-3d2f10e4b6a8";
    let cases = [
        (
            "NotAnImage",
            write(
                "notes.bin",
                b"This is a shopping list, not an image. Milk, bread.",
            )?,
        ),
        ("Truncated", write("truncated.bin", &bytes[..bytes.len() / 2])?),
        ("Altered", write("altered.bin", &altered)?),
        (
            "UnknownSigner",
            sign("stranger.bin", &firmware, Some(&stranger), &[])?,
        ),
        ("Unsigned", sign("unsigned.bin", &firmware, None, &[])?),
        (
            "TooOld",
            sign(
                "old.bin",
                &firmware,
                Some(&signer),
                &["--cid", CLASS, "--security-counter", "1"],
            )?,
        ),
        (
            "TooLarge",
            sign("large.bin", &large, Some(&signer), &["--slot-size", "0x100000"])?,
        ),
        (
            "WrongClass",
            sign("other.bin", &firmware, Some(&signer), &["--cid", other])?,
        ),
    ];
    // A board that knows its class, and has confirmed an image with a security counter of 5.
    let factory = sign("factory.bin", &firmware, Some(&signer), &["--cid", CLASS])?;
    let newer = sign(
        "newer.bin",
        &firmware,
        Some(&signer),
        &["--cid", CLASS, "--security-counter", "5"],
    )?;
    stage.boards += 1;
    let name = format!("ttyACM{}", stage.boards);
    let arguments = [
        "--image",
        text(&factory)?,
        "--key",
        text(&key)?,
        "--cid",
        CLASS,
        "--speed",
        "20",
    ];
    {
        let bench = CabledBoard::unconnected(stage.fixtures.folder(), &name, &arguments)?;
        let mut update = Command::new(tools::cli()?);
        update.args([
            "update",
            "--image",
            text(&newer)?,
            "--key",
            text(&key)?,
            "--port",
            text(bench.link())?,
        ]);
        tools::output(&mut update)?;
    }
    let _bench = CabledBoard::new(stage.fixtures.folder(), &name, Way::Direct, &arguments)?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let page = &stage.browser;
    main_job::board(page)?;
    for (expected, file) in cases {
        let said = main_job::choose_file(page, &file)?;
        let refused = page.wait(
            &format!("the refusal as {expected}"),
            Duration::from_secs(5),
            |page| {
                let enabled = page.run(
                    "return document.querySelector('[data-testid=update]').disabled",
                    &[],
                )?;
                Ok(main_job::problems(page)?.pop().filter(|_| enabled == json!(true)))
            },
        );
        let (name, text) = refused.with_context(|| said.clone())?;
        println!("  {}", text.replace('\n', " "));
        ensure!(
            name == expected,
            "{} was refused as {name}, not as {expected}: {text:?}",
            file.display()
        );
        let sentences = text
            .split(['.', '?', '!'])
            .filter(|part| part.trim().len() > 3)
            .count();
        ensure!(sentences >= 2, "{name} does not say what to do next: {text:?}");
    }
    Ok(())
}

/// A class of boards.
const CLASS: &str = "1b671a64-40d5-491e-99b0-da01ff1f3341";
