//! Keys that people name.

use std::path::PathBuf;

use bootlace_engine::read_keys;
use bootlace_engine::words::{self, Sentence, files};
use bootlace_image::PublicKey;

use crate::{file, report};

/// Reads public keys, all that are in each file, in PEM or DER. A private key is refused: it has no business where images
/// are checked; a test key is named on the standard error.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<PublicKey>, Sentence> {
    let mut keys = Vec::new();
    for path in paths {
        let read = read_keys(&file::read(path)?)
            .map_err(|error| files::at(path.display(), words::key_error(&error)))?;
        for key in &read {
            if let Some(published) = bootlace_image::development_key(&key.hash()) {
                report::warning(&words::test_key(path.display(), published));
            }
        }
        keys.extend(read);
    }
    Ok(keys)
}
