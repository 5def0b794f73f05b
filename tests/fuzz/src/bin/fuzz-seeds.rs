//! Writes the inputs that fuzzing begins with: `fuzz-seeds FOLDER` makes one folder a target in it.

use std::io;
use std::path::PathBuf;

use bootlace_fuzz_targets::{TARGETS, seeds};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "fuzz/seeds".to_owned()));
    for (name, _) in TARGETS {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        for (index, seed) in seeds(name).into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index}")), seed)?;
        }
    }
    Ok(())
}
