//! Compilers for the targets that are not this machine: the page's WASM and the boards' Cortex-M.
//!
//! A machine that rustup can reach gets them from rustup. Where only package registries can be reached, Debian's own
//! compiler is unpacked into the cache and the standard libraries are built from its sources. Its builds go into
//! target folders of their own: two compilers in one folder rebuild everything after each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{cache, debian};
use crate::process::{self, Step};

/// What the page runs on.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";
/// The smallest chips: Cortex-M0 and M0+.
pub(crate) const CORTEX_M0: &str = "thumbv6m-none-eabi";
/// Cortex-M4 and M7 with floating point, the nRF52840 among them.
pub(crate) const CORTEX_M4: &str = "thumbv7em-none-eabihf";

const ALL: [&str; 3] = [WASM, CORTEX_M0, CORTEX_M4];

/// The oldest compiler that builds this workspace; Debian's stable suites also carry older ones.
const OLDEST_RUST: &str = "1.88";

/// The compiler for a target.
pub(crate) struct Toolchain {
    variables: Vec<(String, PathBuf)>,
}

impl Toolchain {
    /// Variables that a build for the target needs, and no other build may see.
    pub(crate) fn variables(&self) -> &[(String, PathBuf)] {
        &self.variables
    }
}

/// The compiler for a target; fetched the first time.
pub(crate) fn toolchain(target: &str) -> Result<Toolchain> {
    if installed(target) {
        return Ok(Toolchain {
            variables: Vec::new(),
        });
    }
    if let Some(toolchain) = debian_toolchain(target)? {
        return Ok(toolchain);
    }
    if rustup_adds() {
        return Ok(Toolchain {
            variables: Vec::new(),
        });
    }
    if !debian::present() {
        bail!(
            "rustup could not add the target {target}, and there is no apt-get to fetch a compiler with. \
             With a network, run `rustup target add {}`",
            ALL.join(" ")
        );
    }
    install_debian()?;
    debian_toolchain(target)?.context("Debian's compiler was set up but is not there")
}

fn installed(target: &str) -> bool {
    let libraries = process::output(rustc().args(["--print", "target-libdir", "--target", target]));
    libraries.is_ok_and(|folder| holds_core(Path::new(folder.trim())))
}

fn holds_core(folder: &Path) -> bool {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names
        .into_iter()
        .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// Asks rustup for all targets at once. A closed network may swallow the question, so it has little time.
fn rustup_adds() -> bool {
    let Some(rustup) = process::find("rustup") else {
        return false;
    };
    let mut step = Step::start("rustup target add");
    let mut command = Command::new(rustup);
    command
        .args(["target", "add"])
        .args(ALL)
        .env("RUSTUP_MAX_RETRIES", "1");
    let limit = Some(Duration::from_secs(120));
    let outcome = cache::log("rustup").and_then(|log| step.run(&mut command, &log, limit));
    let added = outcome.is_ok_and(|outcome| outcome.success) && ALL.into_iter().all(installed);
    step.done(if added {
        "added"
    } else {
        "not possible here; Debian's compiler is next"
    });
    added
}

/// Name of the cache's folder, apart from the version.
const DEBIAN: &str = "rust-debian";

/// The unpacked compiler in the cache, whatever its version, if it can build for the target.
fn debian_toolchain(target: &str) -> Result<Option<Toolchain>> {
    let cache = cache::folder()?;
    let entries = fs::read_dir(&cache)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let ours = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(&format!("{DEBIAN}-")))
    };
    let fits = |home: &PathBuf| holds_core(&libraries(home, target));
    let Some(home) = entries.filter(ours).filter(fits).max() else {
        return Ok(None);
    };
    let mut variables = vec![("RUSTC".to_owned(), home.join(WRAPPER))];
    variables.push((linker_variable(target), rust_lld()?));
    Ok(Some(Toolchain { variables }))
}

fn libraries(home: &Path, target: &str) -> PathBuf {
    home.join("usr/lib/rustlib").join(target).join("lib")
}

fn linker_variable(target: &str) -> String {
    format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"))
}

/// The linker that comes with rustup's toolchain: Debian packs its own apart from the compiler.
fn rust_lld() -> Result<PathBuf> {
    let sysroot = process::output(rustc().args(["--print", "sysroot"]))?;
    let host = host()?;
    let lld = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(host)
        .join("bin/rust-lld");
    if lld.is_file() {
        return Ok(lld);
    }
    match process::find("rust-lld").or_else(|| process::find("ld.lld")) {
        Some(lld) => Ok(lld),
        None => bail!(
            "no linker for foreign targets: {} is missing; install Debian's `lld`",
            lld.display()
        ),
    }
}

fn host() -> Result<String> {
    let text = process::output(rustc().arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// Starts the unpacked compiler with its own libraries, so that nothing else sees them.
const WRAPPER: &str = "rustc";
const WRAPPER_TEXT: &str = "#!/bin/sh\n\
    home=$(dirname \"$(readlink -f \"$0\")\")\n\
    for libraries in \"$home\"/usr/lib/*-linux-*; do :; done\n\
    LD_LIBRARY_PATH=\"$libraries\" exec \"$home/usr/bin/rustc\" \"$@\"\n";

fn install_debian() -> Result<()> {
    debian::know_packages("rustc")?;
    // The suites carry the compiler that Debian was released with and a newer one for browsers.
    let pairs = [("rustc-web", "rust-web-src"), ("rustc", "rust-src")];
    let available = pairs.into_iter().filter_map(|(compiler, sources)| {
        let version = debian::candidate(compiler)?;
        (debian::candidate(sources)? == version && debian::newer(&version, OLDEST_RUST))
            .then_some((compiler, sources, version))
    });
    let newest = available.reduce(|best, next| {
        if debian::newer(&next.2, &best.2) {
            next
        } else {
            best
        }
    });
    let Some((compiler, sources, version)) = newest else {
        bail!(
            "rustup could not add the targets, and Debian has no rustc-web or rustc of {OLDEST_RUST} or newer"
        );
    };
    cache::ensure(DEBIAN, &version.replace(['~', ':'], "."), |home| {
        let mut step = Step::start(&format!("Debian's {compiler} {version}"));
        let part = |name: &String| name.starts_with("libstd-rust") || name.starts_with("libllvm");
        let mut packages: Vec<String> = debian::needs(compiler)?.into_iter().filter(part).collect();
        packages.extend([compiler.to_owned(), sources.to_owned()]);
        debian::unpack(&packages, home, &mut step)?;
        write_wrapper(&home.join(WRAPPER))?;
        step.done("unpacked");
        for target in ALL {
            build_std(home, target)?;
        }
        // 600 MB of sources have done their work.
        fs::remove_dir_all(home.join("usr/src"))?;
        fs::remove_dir_all(home.join("usr/share"))?;
        Ok(())
    })?;
    Ok(())
}

fn write_wrapper(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, WRAPPER_TEXT)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Builds the standard library for a target and puts it where the compiler looks.
fn build_std(home: &Path, target: &str) -> Result<()> {
    let mut step = Step::start(&format!("standard library for {target}"));
    let empty = home.join("empty");
    fs::create_dir_all(empty.join("src"))?;
    fs::write(
        empty.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nedition = \"2024\"\n[workspace]\n",
    )?;
    fs::write(empty.join("src/lib.rs"), "#![no_std]\n")?;
    // `test` is what wasm-bindgen-test links; boards have no operating system to test on.
    let crates = if target == WASM {
        "std,panic_abort,test"
    } else {
        "core,alloc"
    };
    let mut build = process::cargo();
    build
        .args([
            "build",
            "--release",
            "--target",
            target,
            &format!("-Zbuild-std={crates}"),
        ])
        .current_dir(&empty)
        .env("RUSTC", home.join(WRAPPER))
        .env("RUSTC_BOOTSTRAP", "1")
        // Link-time optimisation needs the bitcode.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", empty.join("target"));
    let log = cache::log(&format!("std-{target}"))?;
    step.run(&mut build, &log, None)?
        .require(&format!("building the standard library for {target}"))?;
    let libraries = libraries(home, target);
    fs::create_dir_all(&libraries)?;
    for file in fs::read_dir(empty.join("target").join(target).join("release/deps"))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty") {
            fs::copy(file.path(), libraries.join(name))?;
        }
    }
    fs::remove_dir_all(&empty)?;
    step.done("built");
    Ok(())
}
