//! Keys that people name, and `bootlace key`: a new pair, and which keys a file holds.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bootlace_engine::read_keys;
use bootlace_engine::words::{self, Sentence, files, keys as says, tables};
use bootlace_image::PublicKey;
use ed25519_dalek::pkcs8::KeypairBytes;
use p256::SecretKey;
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::zeroize::Zeroizing;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::json as value;

use crate::{file, report};

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key pair of your own: the private half, which “bootlace image sign” and imgtool sign with, and beside it the public half
    /// for boards, pages and build machines. A file that is there is never overwritten.
    New {
        /// The algorithm: p256 (ECDSA, every companion checks it) or ed25519 (companions that are built for it).
        #[arg(long, value_enum, default_value_t)]
        algorithm: NewKey,
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

/// The algorithm of a new key.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum NewKey {
    #[default]
    P256,
    Ed25519,
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        matches!(self, Command::Show { json: true, .. })
    }
}

pub(crate) fn run(command: &Command) -> crate::problem::Result {
    match command {
        Command::New { file, algorithm } => new(file, *algorithm)?,
        Command::Show { file, json } => show(file, *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes both halves of a new key.
fn new(path: &Path, algorithm: NewKey) -> Result<(), Sentence> {
    let public = path.with_extension("pub.pem");
    if path.extension().is_none_or(|it| it != "pem") {
        return Err(says::bad_name(path.display()));
    }
    // Neither half is written where the other has no place.
    if let Some(taken) = [path, &public].into_iter().find(|path| path.exists()) {
        return Err(says::is_there(taken.display()));
    }
    let texts = match algorithm {
        NewKey::P256 => p256_texts(),
        NewKey::Ed25519 => ed25519_texts(),
    };
    let (private_text, public_text) = texts.ok_or_else(says::not_made)?;
    put_new(&public, public_text.as_bytes(), false)?;
    if let Err(sentence) = put_new(path, private_text.as_bytes(), true) {
        // Without the private half, the public one is of no use.
        _ = std::fs::remove_file(&public);
        return Err(sentence);
    }
    report::line(says::made(path.display(), public.display()));
    Ok(())
}

/// A new key's private half and public half in PEM.
fn p256_texts() -> Option<(Zeroizing<String>, String)> {
    let key = SecretKey::try_generate().ok()?;
    let private_text = key.to_pkcs8_pem(LineEnding::LF).ok()?;
    let public_text = key.public_key().to_public_key_pem(LineEnding::LF).ok()?;
    Some((private_text, public_text))
}

/// The same for Ed25519.
fn ed25519_texts() -> Option<(Zeroizing<String>, String)> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).ok()?;
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    // The public half in it is left out, as not every reader knows that form of PKCS #8 (RFC 5958, version 2).
    let pair = KeypairBytes {
        secret_key: *seed,
        public_key: None,
    };
    let private_text = pair.to_pkcs8_pem(LineEnding::LF).ok()?;
    let public_text = key.verifying_key().to_public_key_pem(LineEnding::LF).ok()?;
    Some((private_text, public_text))
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
