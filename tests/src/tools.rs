//! Programs and files from outside that tests use. `cargo xtask test` names them in the environment; by hand,
//! `eval "$(cargo xtask env)"` does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

/// The path that an environment variable names.
///
/// # Errors
/// A sentence that says how to get it.
pub fn required(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.exists());
    path.with_context(|| format!("{variable} names nothing that is there: run `cargo xtask test`"))
}

/// The published smpclient's part of the main job, as a program for `BOOTLACE_PYTHON`.
pub fn smpclient_job() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/smpclient_job.py")
}

/// What Nordic's nrfutil does, as a program for `BOOTLACE_PYTHON`.
pub fn nrfutil_job() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/nrfutil_job.py")
}

/// The `bootlace` command line: what `BOOTLACE_CLI` names, or built now from this checkout, so that it is never older
/// than what is tested.
///
/// # Errors
/// When it can't be built.
pub fn cli() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    if let Some(named) = std::env::var_os("BOOTLACE_CLI").map(PathBuf::from) {
        return Ok(named);
    }
    BUILT
        .get_or_init(|| build_cli().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow!(error))
}

fn build_cli() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Where this test itself was built: most of the work is done already. Tests lie one folder deeper than programs.
    let own = std::env::current_exe()?;
    let deep = own.parent().is_some_and(|folder| folder.ends_with("deps"));
    let target = own
        .ancestors()
        .nth(if deep { 3 } else { 2 })
        .context("this test lies outside of a target folder")?;
    cargo.args(["build", "--offline", "--locked", "--package", "bootlace"]);
    cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
    output(&mut cargo).context("building the bootlace program")?;
    Ok(target.join("debug/bootlace"))
}

/// The bootloader of a board as a file of this format, filled by `bootlace companion fill` with the public key in `key` and the name
/// `Pump 3`.
///
/// # Errors
/// When it was not built, or the command refuses.
pub fn filled(folder: &Path, board: &str, format: &str, key: &Path) -> Result<Vec<u8>> {
    let input = required("BOOTLACE_BOARDS")?.join(board).with_extension(format);
    let filled = folder.join(board).with_extension(format);
    let mut command = Command::new(cli()?);
    command.args(["companion", "fill"]).args([&input, &filled]);
    command.arg("--key").arg(key).args(["--name", "Pump 3"]);
    output(&mut command)?;
    Ok(std::fs::read(filled)?)
}

/// Runs a program to its end and gives its standard output.
///
/// # Errors
/// When it fails: what it wrote to its error output.
pub fn output(command: &mut Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    ensure!(
        status.success(),
        "{} ended with {status}: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&stderr).trim()
    );
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// A signature algorithm of imgtool, by the name that its `keygen --type` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    P256,
    /// Ed25519 over the SHA-256 digest.
    Ed25519,
}

impl Algorithm {
    /// imgtool's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "ecdsa-p256",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// Keys and signed images in a folder, each made by imgtool when first asked for.
#[derive(Debug)]
pub struct Fixtures {
    folder: PathBuf,
    imgtool: PathBuf,
    firmware: PathBuf,
}

/// Bytes of the image header: Cortex-M4's vector table behind it must be aligned to 512.
const HEADER_SIZE: &str = "0x200";
/// A slot in bytes, as large as the boards' firmware area from 0x0800_5000 to 0x0808_0000.
const SLOT_SIZE: &str = "0x7b000";

impl Fixtures {
    /// Fixtures below `folder`.
    ///
    /// # Errors
    /// When imgtool or the firmware is missing.
    pub fn new(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            imgtool: required("BOOTLACE_IMGTOOL")?,
            firmware: required("BOOTLACE_FIRMWARE")?,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A private key (PEM), and the public key that belongs to it.
    ///
    /// # Errors
    /// What imgtool says.
    pub fn key(&self, name: &str, algorithm: Algorithm) -> Result<(PathBuf, PathBuf)> {
        let private = self.folder.join(format!("{name}-{}.pem", algorithm.name()));
        let public = private.with_extension("pub.pem");
        if !public.exists() {
            self.imgtool(&["keygen", "--type", algorithm.name(), "--key", text(&private)?])?;
            let pem = self.imgtool(&["getpub", "--encoding", "pem", "--key", text(&private)?])?;
            std::fs::write(&public, pem)?;
        }
        Ok((private, public))
    }

    /// Firmware `NAME-VERSION.bin` signed with the key called "signer" of the algorithm, and the public key.
    ///
    /// # Errors
    /// When there is no such firmware, or what imgtool says.
    pub fn signed(&self, board: &str, version: &str, algorithm: Algorithm) -> Result<(PathBuf, PathBuf)> {
        let (private, public) = self.key("signer", algorithm)?;
        let out = self
            .folder
            .join(format!("{board}-{version}-{}.bin", algorithm.name()));
        if !out.exists() {
            self.sign(
                &self.firmware.join(format!("{board}-{version}.bin")),
                version,
                Some(&private),
                &out,
                &[],
            )?;
        }
        Ok((out, public))
    }

    /// Signs any file; `more` goes to imgtool as it is.
    ///
    /// # Errors
    /// What imgtool says.
    pub fn sign(
        &self,
        input: &Path,
        version: &str,
        key: Option<&Path>,
        out: &Path,
        more: &[&str],
    ) -> Result<()> {
        let mut arguments = vec![
            "sign",
            "--header-size",
            HEADER_SIZE,
            "--pad-header",
            "--align",
            "4",
        ];
        arguments.extend(["--slot-size", SLOT_SIZE, "--version", version]);
        if let Some(key) = key {
            arguments.extend(["--key", text(key)?]);
        }
        arguments.extend_from_slice(more);
        arguments.extend([text(input)?, text(out)?]);
        self.imgtool(&arguments).map(drop)
    }

    fn imgtool(&self, arguments: &[&str]) -> Result<String> {
        output(Command::new(&self.imgtool).args(arguments))
    }
}

fn text(path: &Path) -> Result<&str> {
    match path.to_str() {
        Some(text) => Ok(text),
        None => bail!("{} is not UTF-8", path.display()),
    }
}
