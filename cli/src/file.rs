//! Files that people name: images and keys.

use std::path::{Path, PathBuf};

use bootlace_engine::words::{self, Sentence};
use bootlace_image::{Algorithm, PublicKey};

/// No firmware is larger; a wrong file name should not fill the memory.
const LARGEST: u64 = 64 << 20;

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Sentence> {
    let failed = |error: std::io::Error| Sentence {
        name: "Unreadable".into(),
        what: format!("{} can't be read: {error}.", path.display()),
        next: "Check the name and your rights to the file.".into(),
        unharmed: true,
    };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST {
        return Err(Sentence {
            name: "FileTooLarge".into(),
            what: format!(
                "{} is too large to be firmware: {} MB.",
                path.display(),
                size >> 20
            ),
            next: "Choose the signed image.".into(),
            unharmed: true,
        });
    }
    std::fs::read(path).map_err(failed)
}

/// Reads public keys, one a file, in PEM or DER. A private key is refused: it has no business where images are checked.
pub(crate) fn keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, Sentence> {
    paths.iter().map(|path| key(path)).collect()
}

fn key(path: &Path) -> Result<PublicKey, Sentence> {
    let bytes = read(path)?;
    let key = match std::str::from_utf8(&bytes) {
        Ok(text) => PublicKey::from_pem(text),
        Err(_) => PublicKey::from_spki_der(&bytes),
    };
    key.map_err(|error| {
        let mut sentence = words::key_error(&error);
        sentence.what = format!("{}: {}", path.display(), sentence.what);
        sentence
    })
}

/// What people call an algorithm.
pub(crate) fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::P256 => "ECDSA P-256",
        Algorithm::Ed25519 => "Ed25519",
    }
}
