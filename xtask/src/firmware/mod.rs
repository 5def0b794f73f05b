//! `cargo xtask firmware`: bootloaders and example applications for chips, in `target/firmware`.

pub(crate) mod compiler;
mod decoder;
mod elf;
mod frame_pointers;
pub(crate) mod size;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use bootlace_formats::{hex, uf2};

use crate::process::{self, Step};
use crate::project;
use crate::setup::targets;
use elf::Program;
use frame_pointers::Builds;

/// The workspace of everything that runs on chips.
fn workspace() -> PathBuf {
    project::root().join("firmware-companion/boards")
}

/// Programs of one board.
struct Board {
    name: &'static str,
    target: &'static str,
    /// Names of the programs: bootloaders are named as their board.
    programs: &'static [&'static str],
    /// Packages that hold them.
    packages: &'static [&'static str],
}

/// Each is built by itself: packages that are built together share the features of what they use, and a board that moves its
/// vector table would get what is for one that can't.
const ALL: [Board; 6] = [
    Board {
        name: "qemu-microbit",
        target: targets::CORTEX_M0,
        programs: &[
            "qemu-microbit",
            "plain",
            "self-testing",
            "self-testing-dead",
            "self-testing-undecided",
            "self-testing-hangs",
            "self-testing-unhealthy",
        ],
        packages: &[
            "bootlace-qemu-microbit",
            "bootlace-example-plain",
            "bootlace-example-self-testing",
        ],
    },
    Board {
        name: "rp2040",
        target: targets::CORTEX_M0,
        programs: &["rp2040", "rp2040-application"],
        packages: &["bootlace-rp2040", "bootlace-example-rp2040"],
    },
    Board {
        name: "nrf52840",
        target: targets::CORTEX_M4,
        programs: &["nrf52840", "nrf52840-application"],
        packages: &["bootlace-nrf52840", "bootlace-example-nrf52840"],
    },
    Board {
        name: "nrf52840-dongle",
        target: targets::CORTEX_M4,
        programs: &["nrf52840-dongle", "nrf52840-dongle-application"],
        packages: &["bootlace-nrf52840-dongle", "bootlace-example-nrf52840-dongle"],
    },
    Board {
        name: "nrf52840-uf2",
        target: targets::CORTEX_M4,
        programs: &["nrf52840-uf2", "nrf52840-uf2-application"],
        packages: &["bootlace-nrf52840-uf2", "bootlace-example-nrf52840-uf2"],
    },
    Board {
        name: "stm32f407",
        target: targets::CORTEX_M4,
        programs: &["stm32f407", "stm32f407-application"],
        packages: &["bootlace-stm32f407", "bootlace-example-stm32f407"],
    },
];

/// A board's bootloader with other features than its own.
struct Variant {
    /// Its name, as a file.
    name: &'static str,
    board: &'static str,
    /// As cargo takes them: see the board's `Cargo.toml`.
    features: &'static str,
    /// The key that it is built with whatever the environment names; `None`: as the boards are.
    key: Option<&'static str>,
}

/// Those that are built beside the boards' own: one checks Ed25519 and nothing else, one either.
const VARIANTS: [Variant; 2] = [
    Variant {
        name: "qemu-microbit-ed25519",
        board: "qemu-microbit",
        features: "delta,ed25519",
        // The demonstration's key is one for P-256.
        key: Some("blank"),
    },
    Variant {
        name: "nrf52840-ed25519",
        board: "nrf52840",
        features: "delta,p256,ed25519",
        key: None,
    },
];

/// Where the programs are put.
pub(crate) fn folder() -> PathBuf {
    project::target_dir().join("firmware")
}

/// Builds everything and gives the folder that holds it.
pub(crate) fn build() -> Result<PathBuf> {
    let out = folder();
    fs::create_dir_all(&out).with_context(|| format!("can't make {}", out.display()))?;
    for target in [targets::CORTEX_M0, targets::CORTEX_M4] {
        // They share what they use: Cargo would build that again for each where its flags differed.
        let boards: Vec<&Board> = ALL.iter().filter(|board| board.target == target).collect();
        let built = compile(target, &boards)?;
        for name in boards.iter().flat_map(|board| board.programs) {
            let bytes = fs::read(built.join(name)).with_context(|| format!("{name} was not built"))?;
            convert(bytes, &out.join(name)).with_context(|| format!("{name} can't be converted"))?;
        }
    }
    for variant in &VARIANTS {
        let (name, bytes) = (variant.name, with_features(variant)?);
        convert(bytes, &out.join(name)).with_context(|| format!("{name} can't be converted"))?;
    }
    Ok(out)
}

/// Builds a board's bootloader once more, without patches, and gives the program.
fn without_patches(board: &'static str) -> Result<Vec<u8>> {
    with_features(&Variant {
        name: "without-patches",
        board,
        features: "p256",
        key: None,
    })
}

/// Builds a board's bootloader once more, with other features, and gives the program.
fn with_features(variant: &Variant) -> Result<Vec<u8>> {
    let Variant { board, features, .. } = variant;
    let known = ALL.iter().find(|known| known.name == *board);
    let target = known.with_context(|| format!("{board} is no board"))?.target;
    let package = format!("bootlace-{board}");
    let arguments = ["--package", &package, "--bin", board, "--no-default-features"];
    let arguments = [arguments.as_slice(), &["--features", features]].concat();
    // A folder of its own: no build is to undo another.
    let folder = format!("chips-{}", variant.name);
    let built = twice(&folder, target, "release", &[board], |folder, functions| {
        let what = format!("{board} with {features}");
        cargo_build(target, &what, &arguments, variant.key, functions, folder)
    })?;
    fs::read(built.join(board)).with_context(|| format!("{board} was not built"))
}

/// Builds the programs of boards with the same target, and gives the folder that holds them.
fn compile(target: &str, boards: &[&Board]) -> Result<PathBuf> {
    let programs: Vec<&str> = boards.iter().flat_map(|board| board.programs).copied().collect();
    twice("chips", target, "release", &programs, |folder, functions| {
        for board in boards {
            let packages: Vec<&str> = (board.packages.iter())
                .flat_map(|package| ["--package", package])
                .collect();
            let what = format!("{}, {} programs", board.name, board.programs.len());
            cargo_build(target, &what, &packages, None, functions, folder)?;
        }
        Ok(())
    })
}

/// Builds these programs as rustc does, and then without frame pointers: `build` takes the folder and the list of functions. Gives
/// where the latter are.
fn twice(
    folder: &str,
    target: &str,
    profile: &str,
    programs: &[&str],
    mut build: impl FnMut(&str, Option<&Path>) -> Result<()>,
) -> Result<PathBuf> {
    let plain = format!("{folder}-with-frame-pointers");
    let builds = Builds::new(
        built_in(&plain, target, profile),
        built_in(folder, target, profile),
    );
    build(&plain, None)?;
    build(folder, Some(builds.list(programs)?))?;
    Ok(builds.built)
}

/// Where Cargo puts programs for chips that are built in this folder of the target folder.
fn built_in(folder: &str, target: &str, profile: &str) -> PathBuf {
    project::target_dir().join(folder).join(target).join(profile)
}

/// The variable that names the key of a board.
const KEY: &str = "BOOTLACE_KEY";

/// Cargo in the workspace of chips. Where nobody names a key, these boards are the demonstration.
fn cargo() -> Command {
    let mut command = process::cargo();
    command.current_dir(workspace()).env("CARGO_TERM_COLOR", "never");
    const DEMONSTRATION: &str = "demonstration";
    match std::env::var_os(KEY) {
        None => command.env(KEY, DEMONSTRATION),
        Some(named) if named == DEMONSTRATION => &mut command,
        // A build script runs in its own folder.
        Some(file) => command.env(KEY, std::path::absolute(&file).unwrap_or(file.into())),
    };
    command
}

fn cargo_build(
    target: &str,
    what: &str,
    arguments: &[&str],
    key: Option<&str>,
    functions: Option<&Path>,
    folder: &str,
) -> Result<()> {
    let toolchain = targets::toolchain(target)?;
    let folder = project::target_dir().join(folder);
    let mut step = Step::start(&format!("firmware for {target}"));
    let mut command = cargo();
    if let Some(key) = key {
        command.env(KEY, key);
    }
    compiler::call_by(&mut command, functions)?;
    command
        .args(["build", "--locked", "--release", "--target", target])
        .args(arguments)
        .env("CARGO_TARGET_DIR", &folder)
        .envs(toolchain.variables().iter().map(|(name, value)| (name, value)));
    step.run(&mut command, &project::log(&format!("firmware-{target}")), None)?
        .require("building the firmware")?;
    step.done(what);
    Ok(())
}

/// Links a program of `link-check`, which needs no registers, for chips; gives where it is.
pub(crate) fn link(target: &str, program: &str, more: &[&str]) -> Result<PathBuf> {
    link_into("chips", target, program, &[], more, None)
}

/// Links the bootloader of `link-check`, all but its USB stack, with the small P-256 and SHA-256; gives where it is.
fn link_small_bootloader(target: &str) -> Result<PathBuf> {
    let hash = format!(
        "target.{target}.rustflags=['--cfg=sha2_backend=\"soft\"', '--cfg=sha2_backend_soft=\"compact\"']"
    );
    let features = ["--no-default-features", "--features", "small-p256"];
    // A folder of its own: the flags are for all crates.
    let built = twice(
        "chips-small",
        target,
        LINK_PROFILE,
        &["bootloader"],
        |folder, functions| {
            let arguments = [features.as_slice(), &["--config", &hash]].concat();
            let more = ["-Clink-arg=--nmagic"];
            link_into(folder, target, "bootloader", &arguments, &more, functions).map(drop)
        },
    )?;
    Ok(built.join("bootloader"))
}

/// The profile of what is linked only to be weighed.
const LINK_PROFILE: &str = "companion";

fn link_into(
    folder: &str,
    target: &str,
    program: &str,
    arguments: &[&str],
    more: &[&str],
    functions: Option<&Path>,
) -> Result<PathBuf> {
    let toolchain = targets::toolchain(target)?;
    let built = built_in(folder, target, LINK_PROFILE);
    let folder = project::target_dir().join(folder);
    let mut step = Step::start(&format!("linking {program} for {target}"));
    let mut command = process::cargo();
    compiler::call_by(&mut command, functions)?;
    command
        .args(["rustc", "--locked", "--package", "bootlace-link-check"])
        .args(["--bin", program, "--profile", LINK_PROFILE, "--target", target])
        .args(arguments)
        .arg("--")
        .args(["-Clink-arg=--entry=reset", "-Clink-arg=--gc-sections"])
        .args(more)
        .current_dir(project::root())
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TARGET_DIR", &folder)
        .envs(toolchain.variables().iter().map(|(name, value)| (name, value)));
    step.run(&mut command, &project::log(&format!("link-{program}")), None)?
        .require(&format!("linking {program}"))?;
    step.done("linked");
    Ok(built.join(program))
}

/// Formatting and lints of what runs on chips: what to run, and what to call it.
pub(crate) fn checks() -> Result<Vec<(String, Command)>> {
    let chips_cargo = || {
        let mut command = cargo();
        command.env("CARGO_TARGET_DIR", project::target_dir().join("chips"));
        command
    };
    let mut format = chips_cargo();
    format.args(["fmt", "--all", "--", "--check", "--color", "never", "-l"]);
    let mut commands = vec![("formatting of programs for chips".to_owned(), format)];
    for board in &ALL {
        // Debian's compiler comes without clippy.
        if !targets::toolchain(board.target)?.variables().is_empty() {
            continue;
        }
        let mut lint = chips_cargo();
        lint.args(["clippy", "--locked", "--release", "--target", board.target])
            .args(board.packages.iter().flat_map(|package| ["--package", package]))
            .args(["--", "-D", "warnings"]);
        commands.push((format!("lints for {}", board.name), lint));
    }
    Ok(commands)
}

/// Where bootloaders begin that drives take, and the family of their files: the RP2040's, and the nRF52840's behind a SoftDevice.
const UF2: [(u32, u32); 2] = [(0x1000_0000, uf2::RP2040), (0x2_7000, uf2::NRF52840)];

/// Writes the program as it is, as bytes, as Intel HEX and, where a chip takes its bootloader so, as UF2.
fn convert(bytes: Vec<u8>, to: &Path) -> Result<()> {
    fs::write(to.with_extension("elf"), &bytes)?;
    let segments = Program::new(bytes)?.segments()?;
    let (start, image) = elf::flat(&segments);
    fs::write(to.with_extension("bin"), &image)?;
    let mut parts: Vec<(u32, &[u8])> = (segments.iter())
        .map(|segment| (segment.address, segment.bytes.as_slice()))
        .collect();
    parts.sort_unstable();
    fs::write(to.with_extension("hex"), hex::write(parts))?;
    let takes_uf2 = UF2.iter().find(|(place, _)| *place == start);
    if let Some((_, family)) = takes_uf2 {
        fs::write(to.with_extension("uf2"), uf2::write(start, &image, *family))?;
    }
    Ok(())
}
