//! Keys that people name, and `bootlace key`: a new pair, and which keys a file holds.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bootlace_engine::read_keys;
use bootlace_engine::words::{self, Sentence, files, keys as says, tables};
use bootlace_image::PublicKey;
use p256::SecretKey;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::json as value;

use crate::{file, report};

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key pair of your own (ECDSA P-256): the private half, which imgtool signs with, and beside it the public half for
    /// boards, pages and build machines. A file that is there is never overwritten.
    New {
        /// Where to write the private half: NAME.pem. The public half is NAME.pub.pem.
        file: PathBuf,
    },
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
        matches!(self, Command::Show { json: true, .. })
    }
}

pub(crate) fn run(command: &Command) -> crate::problem::Result {
    match command {
        Command::New { file } => new(file)?,
        Command::Show { file, json } => show(file, *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes both halves of a new key.
fn new(path: &Path) -> Result<(), Sentence> {
    let public = path.with_extension("pub.pem");
    if path.extension().is_none_or(|it| it != "pem") {
        return Err(says::bad_name(path.display()));
    }
    let key = SecretKey::generate();
    // Both texts exist before the first file does.
    let private_text = key.to_pkcs8_pem(LineEnding::LF);
    let public_text = key.public_key().to_public_key_pem(LineEnding::LF);
    let (Ok(private_text), Ok(public_text)) = (private_text, public_text) else {
        return Err(says::not_made());
    };
    put_new(path, private_text.as_bytes(), true)?;
    put_new(&public, public_text.as_bytes(), false)?;
    report::line(says::made(path.display(), public.display()));
    Ok(())
}

/// Writes a file that must not be there yet; a secret one is for its owner alone.
fn put_new(path: &Path, bytes: &[u8], is_secret: bool) -> Result<(), Sentence> {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|why| match why.kind() {
        std::io::ErrorKind::AlreadyExists => says::is_there(path.display()),
        _ => files::unwritable(path.display(), why),
    })
}

fn show(file: &Path, json: bool) -> Result<(), Sentence> {
    let keys = read(&[file.to_owned()])?;
    for key in &keys {
        let (algorithm, hash) = (words::algorithm(key.algorithm()), key.hash());
        let published = bootlace_image::development_key(&hash);
        if json {
            report::json(value!({
                "algorithm": algorithm,
                "key_hash": words::hex(&hash),
                "published_key": published,
            }));
        } else {
            report::text(tables::key(algorithm, &hash));
        }
    }
    Ok(())
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
