//! Files that people name.

use std::path::Path;

use bootlace_engine::words::{Sentence, files};

/// No firmware is larger; a wrong file name should not fill the memory.
const LARGEST_FILE: u64 = 64 << 20;

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Sentence> {
    let failed = |error: std::io::Error| files::unreadable(path.display(), error);
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST_FILE {
        return Err(files::too_large(path.display(), size >> 20));
    }
    std::fs::read(path).map_err(failed)
}

/// Writes a whole file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Sentence> {
    std::fs::write(path, bytes).map_err(|error| files::unwritable(path.display(), error))
}

/// Refuses an output that is one of the inputs: what was read would be lost.
pub(crate) fn spare(output: &Path, inputs: &[&Path]) -> Result<(), Sentence> {
    let same = |input: &&Path| match (std::fs::canonicalize(output), std::fs::canonicalize(input)) {
        (Ok(output), Ok(input)) => output == input,
        _ => false,
    };
    match inputs.iter().any(same) {
        true => Err(files::output_is_input(output.display())),
        false => Ok(()),
    }
}
