//! `bootlace delta`: patches between images, made and applied without a board.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bootlace_delta::make::{Options, Patch};
use bootlace_delta::{Header, WholeError, apply_to_vec, make_proved};
use bootlace_engine::words::{self, Sentence, files, tables};
use bootlace_engine::{Error, FileKind};
use bootlace_image::Version;
use serde_json::json as value;

use crate::file::Firmware;
use crate::{file, json, report};

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

pub(crate) fn run(command: &Command) -> crate::problem::Result {
    match command {
        Command::Make {
            old,
            new,
            output,
            base_address,
            json,
        } => {
            file::spare(output, &[old, new])?;
            let (old, new) = (firmware(old)?, firmware(new)?);
            if old.base() == new.base() {
                return Err(words::same_image().into());
            }
            let options = Options {
                base_address: *base_address,
                target_address: *base_address,
                ..Options::default()
            };
            let patch = patch(&old, &new, &options)?;
            file::write(output, &patch.bytes)?;
            if *json {
                let mut value = json::delta(&patch.header, patch.bytes.len());
                value["runs"] = patch.runs.into();
                report::json(value);
            } else {
                let (name, len) = (output.display(), patch.bytes.len());
                report::text(tables::patch_made(name, &patch.header, len, new.bytes().len()));
            }
        }
        Command::Apply {
            old,
            patch,
            output,
            json,
        } => {
            file::spare(output, &[old, patch])?;
            let (old, patch) = (firmware(old)?, patch_file(patch)?);
            let new = apply_to_vec(old.base(), &patch).map_err(words::patch_error)?;
            file::write(output, &new)?;
            if *json {
                report::json(value!({ "written": new.len() }));
            } else {
                report::line(tables::written(output.display(), new.len()));
            }
        }
        Command::Show { patch, json } => {
            let bytes = patch_file(patch)?;
            let (header, len) = Header::parse(&bytes).map_err(words::patch_header_error)?;
            if len + header.stream_len as usize != bytes.len() {
                return Err(words::patch_error(WholeError::Truncated).into());
            }
            if *json {
                report::json(json::delta(&header, bytes.len()));
            } else {
                report::text(tables::patch(patch.display(), &header, bytes.len()));
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

/// A file that a patch starts from or leads to.
fn firmware(path: &Path) -> Result<Firmware, Sentence> {
    let found = Firmware::new(file::read(path)?);
    let found = found.map_err(|error| files::at(path.display(), words::error(&error)))?;
    if let Firmware::Image(image) = &found
        && image.is_signed_with_rsa_only()
    {
        report::warning(&words::patch_for_rsa(path.display()));
    }
    Ok(found)
}

/// A file that is to be a patch.
fn patch_file(path: &Path) -> Result<Vec<u8>, Sentence> {
    let bytes = file::read(path)?;
    match FileKind::of(&bytes) {
        FileKind::Patch => Ok(bytes),
        kind => {
            let sentence = words::error(&Error::NoPatchFile(kind));
            Err(files::at(path.display(), sentence))
        }
    }
}

/// A patch that has been applied once, so that none that fails leaves this machine.
fn patch(old: &Firmware, new: &Firmware, options: &Options) -> Result<Patch, Sentence> {
    make_proved(old.base(), new.bytes(), options, &mut |_| {}).map_err(|_| words::patch_not_proved())
}

/// One of a folder's versions.
struct Release {
    name: String,
    path: PathBuf,
    version: Option<Version>,
    firmware: Firmware,
}

fn set(folder: &Path, output: &Path, json: bool) -> Result<(), Sentence> {
    let unreadable = |error| files::unreadable_folder(folder.display(), error);
    let mut releases = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|extension| extension != "bin") || !path.is_file() {
            continue;
        }
        // A folder may hold other files of that name: each is named, and left out.
        let firmware = match firmware(&path) {
            Ok(firmware) => firmware,
            Err(sentence) => {
                report::remark(&sentence);
                continue;
            }
        };
        let version = match &firmware {
            Firmware::Image(image) => Some(image.version()),
            Firmware::Raw(_) => None,
        };
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        releases.push(Release {
            name,
            path,
            version,
            firmware,
        });
    }
    releases.sort_by(|a, b| (a.version, &a.name).cmp(&(b.version, &b.name)));
    if releases.len() < 2 {
        return Err(files::no_versions(folder.display(), releases.len()));
    }
    std::fs::create_dir_all(output).map_err(|why| files::unmade_folder(output.display(), why))?;
    let width = releases
        .iter()
        .map(|release| release.name.len())
        .max()
        .unwrap_or(0);
    let inputs: Vec<&Path> = releases.iter().map(|release| &*release.path).collect();
    let mut written = HashSet::new();
    for (index, new) in releases.iter().enumerate().skip(1) {
        for old in releases.iter().take(index) {
            // Two signatures do not make two images: boards tell images by their digests.
            if old.firmware.base() == new.firmware.base() {
                report::warning(&files::same_image(&old.name, &new.name));
                continue;
            }
            let name = format!("{}--{}.delta", old.name, new.name);
            let path = output.join(&name);
            file::spare(&path, &inputs)?;
            if !written.insert(name.clone()) {
                return Err(files::same_output(path.display()));
            }
            let patch = patch(&old.firmware, &new.firmware, &Options::default())?;
            file::write(&path, &patch.bytes)?;
            if json {
                let mut value = json::delta(&patch.header, patch.bytes.len());
                value["from"] = old.name.as_str().into();
                value["to"] = new.name.as_str().into();
                value["file"] = name.into();
                report::json(value);
            } else {
                let (image, patch) = (new.firmware.bytes().len(), patch.bytes.len());
                report::line(tables::set_line(&old.name, &new.name, width, image, patch));
            }
        }
    }
    Ok(())
}
