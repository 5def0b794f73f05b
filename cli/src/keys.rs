//! Keys that people name, and `bootlace key`: which keys a file holds.

use std::path::PathBuf;
use std::process::ExitCode;

use bootlace_engine::read_keys;
use bootlace_engine::words::{self, Sentence, files, tables};
use bootlace_image::PublicKey;
use serde_json::json as value;

use crate::{file, report};

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say which public keys a file holds, with their fingerprints. What is no public key is named.
    Show {
        /// The file: PEM, DER, or what “imgtool getpub” writes as source code.
        file: PathBuf,
        /// Write one line of JSON for each key.
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        let Command::Show { json, .. } = self;
        *json
    }
}

pub(crate) fn run(command: &Command) -> crate::problem::Result {
    let Command::Show { file, json } = command;
    let keys = read(std::slice::from_ref(file))?;
    for key in &keys {
        let (algorithm, hash) = (words::algorithm(key.algorithm()), key.hash());
        let published = bootlace_image::development_key(&hash);
        if *json {
            report::json(value!({
                "algorithm": algorithm,
                "key_hash": words::hex(&hash),
                "published_key": published,
            }));
        } else {
            report::text(tables::key(algorithm, &hash));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads public keys, all that are in each file, in PEM or DER. A private key is refused: it has no business where images
/// are checked; a test key is named on the standard error.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<PublicKey>, Sentence> {
    let mut keys = Vec::new();
    for path in paths {
        let read =
            read_keys(&file::read(path)?).map_err(|error| files::at(path.display(), words::error(&error)))?;
        for key in &read {
            if let Some(published) = bootlace_image::development_key(&key.hash()) {
                report::warning(&words::test_key(path.display(), published));
            }
        }
        keys.extend(read);
    }
    Ok(keys)
}
