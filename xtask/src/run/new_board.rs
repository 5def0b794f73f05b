//! What the page loads when “New board” is wanted: a program of its own, in `new-board/`, and the companions, in `companions/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use bootlace_identity::{KeyKinds, LEN};
use bootlace_install::boards;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::page::{self, COMPANIONS, NEW_BOARD};
use super::shorten;
use crate::process::{self, Step};
use crate::setup::{self, targets};
use crate::{firmware, project};

/// Builds both and puts them below the page.
pub(crate) fn place(dist: &Path) -> Result<()> {
    program(dist)?;
    companions(dist)
}

/// Builds the program in the way in which Trunk builds the page's.
fn program(dist: &Path) -> Result<()> {
    let mut step = Step::start("building “New board”");
    let log = project::log("new-board");
    let mut cargo = process::cargo();
    cargo
        .args(["build", "--offline", "--locked", "--target", targets::WASM])
        .args(["--profile", "page", "--bin", "bootlace-new-board"])
        .current_dir(project::root().join("app/new-board"));
    page::for_browser(&mut cargo)?;
    step.run(&mut cargo, &log, None)?
        .require("building “New board”")?;
    let built = page::target_dir()
        .join(targets::WASM)
        .join("page/bootlace-new-board.wasm");
    let work = project::target_dir().join(NEW_BOARD);
    fs::create_dir_all(&work)?;
    let mut bindgen = Command::new(setup::web::wasm_bindgen()?.join("wasm-bindgen"));
    bindgen.args([
        "--target",
        "web",
        "--no-typescript",
        "--out-name",
        NEW_BOARD,
        "--out-dir",
    ]);
    bindgen.arg(&work).arg(&built);
    process::output(&mut bindgen)?;
    let (script, module) = (
        work.join(format!("{NEW_BOARD}.js")),
        work.join(format!("{NEW_BOARD}_bg.wasm")),
    );
    let programs = setup::web::npm_programs()?;
    let mut optimize = Command::new(programs.join("wasm-opt"));
    optimize.arg("--output").arg(&module).arg(&module);
    optimize.args(page::wasm_opt_arguments()?);
    step.run(&mut optimize, &log, None)?.require("wasm-opt")?;
    shorten::with_terser(&script, &programs)?;
    let (mut script, mut module) = (fs::read(script)?, fs::read(module)?);
    shorten::number_names(&mut script, &mut module);
    let style = fs::read(project::root().join("app/styles/new-board.css"))?;
    let out = emptied(&dist.join(NEW_BOARD))?;
    let list = json!({
        "script": named(&out, "js", &script)?,
        "module": named(&out, "wasm", &module)?,
        "style": named(&out, "css", &style)?,
    });
    page::names_no_builder(&out)?;
    fs::write(out.join("index.json"), list.to_string())?;
    step.done("dist/new-board/");
    Ok(())
}

/// Builds the companions of all boards that “New board” knows, and lists them. Their identity blocks are blank: a board that got
/// one as it is would start nothing.
fn companions(dist: &Path) -> Result<()> {
    let built = firmware::build()?;
    let out = emptied(&dist.join(COMPANIONS))?;
    let mut list = Vec::new();
    for board in boards::ALL {
        let name = format!("{}.bin", board.program);
        let mut bytes = fs::read(built.join(&name)).with_context(|| format!("{name} was not built"))?;
        let at = bootlace_identity::find(&bytes).with_context(|| format!("{name} has no identity block"))?;
        let place = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut());
        let place: &mut [u8; LEN] = place.context("a block that is cut off")?;
        *place = bootlace_identity::blank(KeyKinds::of(place));
        list.push(json!({
            "board": board.name,
            "file": named(&out, "bin", &bytes)?,
            "version": env!("CARGO_PKG_VERSION"),
            "size": bytes.len(),
            "sha256": hex(&Sha256::digest(&bytes)),
        }));
    }
    // Last: where there is a list, all of it is there.
    fs::write(out.join("index.json"), json!({ "companions": list }).to_string())?;
    Ok(())
}

/// A new folder, without what an earlier build left.
fn emptied(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

/// Writes a file under a name of its content, so that no browser takes that of another build; gives the name.
fn named(folder: &Path, extension: &str, bytes: &[u8]) -> Result<String> {
    let name = format!("{}.{extension}", &hex(&Sha256::digest(bytes))[..16]);
    fs::write(folder.join(&name), bytes)?;
    Ok(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
