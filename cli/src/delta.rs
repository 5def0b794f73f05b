//! `bootlace delta`: patches between images, made and applied without a board.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bootlace_delta::make::{Options, Patch, make};
use bootlace_delta::{Error, Header, HeaderError, Method, WholeError, apply_to_vec};
use bootlace_engine::words::{self, Sentence};
use bootlace_image::{Image, Version};
use serde_json::json;

use crate::file;
use crate::report::Table;

/// What to do with patches.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the smallest patch that turns an image into another.
    Make {
        /// What boards run: an image as imgtool signed it, or a raw binary.
        old: PathBuf,
        /// What they should run.
        new: PathBuf,
        /// Where to write the patch.
        #[arg(short, long, value_name = "PATCH")]
        output: PathBuf,
        /// Where the first byte of both files lies in the chip's memory, decimal or 0x...; found out if not given.
        #[arg(long, value_name = "N", value_parser = address)]
        base_address: Option<u32>,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Apply a patch, as a board would.
    Apply {
        /// What the patch starts from.
        old: PathBuf,
        /// The patch.
        patch: PathBuf,
        /// Where to write the new image.
        #[arg(short, long, value_name = "NEW")]
        output: PathBuf,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what a patch is.
    Show {
        /// The patch.
        patch: PathBuf,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make the patches from each version to all newer ones of a folder, and show their sizes.
    Set {
        /// A folder of images, `*.bin`; they are ordered by version, raw binaries by name.
        folder: PathBuf,
        /// Where to write the patches, `OLD--NEW.delta`; the folder itself if not given.
        #[arg(short, long, value_name = "FOLDER")]
        output: Option<PathBuf>,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Command::Make { json, .. }
            | Command::Apply { json, .. }
            | Command::Show { json, .. }
            | Command::Set { json, .. } => *json,
        }
    }
}

pub(crate) fn run(command: &Command) -> crate::Result {
    match command {
        Command::Make {
            old,
            new,
            output,
            base_address,
            json,
        } => {
            let (old, new) = (file::read(old)?, file::read(new)?);
            let options = Options {
                base_address: *base_address,
                target_address: *base_address,
                ..Options::default()
            };
            let patch = patch(&old, &new, &options)?;
            write(output, &patch.bytes)?;
            if *json {
                let mut value = facts(&patch.header, patch.bytes.len());
                value["runs"] = patch.runs.into();
                crate::report::json(&value);
            } else {
                let title = format!("{}: {}", output.display(), saving(patch.bytes.len(), new.len()));
                print!("{}", table(&title, &patch.header, patch.bytes.len()));
            }
        }
        Command::Apply {
            old,
            patch,
            output,
            json,
        } => {
            let (old, patch) = (file::read(old)?, file::read(patch)?);
            let new = apply_to_vec(base(&old), &patch).map_err(sentence)?;
            write(output, &new)?;
            if *json {
                crate::report::json(&json!({ "written": new.len() }));
            } else {
                println!("{}: {}", output.display(), size(new.len()));
            }
        }
        Command::Show { patch, json } => {
            let bytes = file::read(patch)?;
            let (header, len) = Header::parse(&bytes).map_err(header_sentence)?;
            if len + header.stream_len as usize != bytes.len() {
                return Err(sentence(WholeError::Truncated).into());
            }
            if *json {
                crate::report::json(&facts(&header, bytes.len()));
            } else {
                print!("{}", table(&patch.display().to_string(), &header, bytes.len()));
            }
        }
        Command::Set { folder, output, json } => set(folder, output.as_deref().unwrap_or(folder), *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn address(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "an address is a number below 2^32, decimal or 0x...".into())
}

/// What a board can prove of an image: what its digest covers. All of a raw binary.
fn base(file: &[u8]) -> &[u8] {
    let covered = Image::read(&mut &*file)
        .ok()
        .and_then(|image| file.get(..image.covered_len() as usize));
    covered.unwrap_or(file)
}

/// A patch that has been applied once, so that none that fails leaves this machine.
pub(crate) fn patch(old: &[u8], new: &[u8], options: &Options) -> Result<Patch, Sentence> {
    let patch = make(base(old), new, options);
    match apply_to_vec(base(old), &patch.bytes) {
        Ok(back) if back == new => Ok(patch),
        _ => Err(Sentence {
            name: "PatchFailed".into(),
            what: "The patch that was made does not give the new image.".into(),
            next: "This is a mistake in bootlace: please report it, and send the image as a whole.".into(),
            unharmed: true,
        }),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Sentence> {
    std::fs::write(path, bytes).map_err(|error| Sentence {
        name: "Unwritable".into(),
        what: format!("{} can't be written: {error}.", path.display()),
        next: "Check the name, your rights and the room on the disk.".into(),
        unharmed: true,
    })
}

fn size(len: usize) -> String {
    words::bytes(u32::try_from(len).unwrap_or(u32::MAX))
}

fn saving(patch: usize, full: usize) -> String {
    format!("{:.1} % of the image", patch as f64 * 100.0 / full.max(1) as f64)
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Full => "full",
        Method::Plain => "plain",
        Method::FullThumb => "full-thumb",
        Method::Relocated => "relocated",
    }
}

fn facts(header: &Header, len: usize) -> serde_json::Value {
    let mut value = json!({
        "bytes": len,
        "method": method(header.method),
        "target": { "bytes": header.target_len, "digest": words::hex(&header.target_digest) },
    });
    if header.method.has_base() {
        value["base"] = json!({ "bytes": header.base_len, "digest": words::hex(&header.base_digest) });
    }
    if header.method == Method::Relocated {
        value["base"]["address"] = header.base_address.into();
        value["target"]["address"] = header.target_address.into();
    }
    value
}

fn table(title: &str, header: &Header, len: usize) -> Table {
    let mut table = Table::new(title);
    table.row("patch", format!("{len} bytes"));
    table.row(
        "method",
        match header.method {
            Method::Full => "compressed as a whole: no base",
            Method::FullThumb => "compressed as a whole, branches as targets: no base",
            Method::Plain => "the base as dictionary",
            Method::Relocated => "the base as dictionary, branches and pointers moved",
        },
    );
    if header.method.has_base() {
        table.row("base", size(header.base_len as usize));
        table.row("  digest", format!("{}...", words::hex(&header.base_digest)));
    }
    if header.method == Method::Relocated {
        table.row("  address", format!("{:#010x}", header.base_address));
    }
    table.row("target", size(header.target_len as usize));
    table.row("  digest", format!("{}...", words::hex(&header.target_digest)));
    if header.method == Method::Relocated {
        table.row("  address", format!("{:#010x}", header.target_address));
    }
    table
}

/// One of a folder's versions.
struct Release {
    name: String,
    version: Option<Version>,
    bytes: Vec<u8>,
}

fn set(folder: &Path, output: &Path, json: bool) -> Result<(), Sentence> {
    let unreadable = |error: std::io::Error| Sentence {
        name: "Unreadable".into(),
        what: format!("{} can't be read: {error}.", folder.display()),
        next: "Check the name and your rights to the folder.".into(),
        unharmed: true,
    };
    let mut releases = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|extension| extension != "bin") || !path.is_file() {
            continue;
        }
        let bytes = file::read(&path)?;
        let version = Image::read(&mut &bytes[..])
            .ok()
            .map(|image| image.header().version);
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        releases.push(Release { name, version, bytes });
    }
    releases.sort_by(|a, b| (a.version, &a.name).cmp(&(b.version, &b.name)));
    if releases.len() < 2 {
        return Err(Sentence {
            name: "NoVersions".into(),
            what: format!("{} holds {} images (*.bin).", folder.display(), releases.len()),
            next: "Choose a folder with at least two versions of a firmware.".into(),
            unharmed: true,
        });
    }
    std::fs::create_dir_all(output).map_err(unreadable)?;
    let width = releases
        .iter()
        .map(|release| release.name.len())
        .max()
        .unwrap_or(0);
    for (index, new) in releases.iter().enumerate().skip(1) {
        for old in releases.iter().take(index) {
            let patch = patch(&old.bytes, &new.bytes, &Options::default())?;
            let name = format!("{}--{}.delta", old.name, new.name);
            write(&output.join(&name), &patch.bytes)?;
            if json {
                let mut value = facts(&patch.header, patch.bytes.len());
                value["from"] = old.name.as_str().into();
                value["to"] = new.name.as_str().into();
                value["file"] = name.into();
                crate::report::json(&value);
            } else {
                println!(
                    "{:<width$}  {:<width$}  {:>9}  {:>9} bytes  {}",
                    old.name,
                    new.name,
                    size(new.bytes.len()),
                    patch.bytes.len(),
                    saving(patch.bytes.len(), new.bytes.len()),
                );
            }
        }
    }
    Ok(())
}

fn sentence(error: WholeError) -> Sentence {
    let (name, what, next) = match error {
        WholeError::Patch(Error::Header(error)) => return header_sentence(error),
        WholeError::Patch(Error::WrongBase) => (
            "WrongBase",
            "This patch is for another image than the one given.",
            "Choose the image that the patch was made from: “bootlace delta show” tells its digest.",
        ),
        WholeError::Truncated => (
            "Truncated",
            "The patch is longer or shorter than it says.",
            "Copy or download the patch again.",
        ),
        _ => (
            "DamagedPatch",
            "The patch is damaged.",
            "Copy or download it again, or make it again.",
        ),
    };
    Sentence {
        name: name.into(),
        what: what.into(),
        next: next.into(),
        unharmed: true,
    }
}

fn header_sentence(error: HeaderError) -> Sentence {
    let (name, what, next) = match error {
        HeaderError::Version(version) => (
            "UnknownPatchVersion",
            format!("This patch has the format's version {version}, which this program does not know."),
            "Use a newer bootlace.",
        ),
        HeaderError::Magic => (
            "NoPatch",
            "This file is no patch.".into(),
            "Choose a file that “bootlace delta make” wrote.",
        ),
        _ => (
            "DamagedPatch",
            "The patch is damaged.".into(),
            "Copy or download it again, or make it again.",
        ),
    };
    Sentence {
        name: name.into(),
        what,
        next: next.into(),
        unharmed: true,
    }
}
