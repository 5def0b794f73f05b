//! The patch of an update: from which file, and whether it is worth it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bootlace_delta::make::Options;
use bootlace_engine::words::{self, Sentence};
use bootlace_engine::{Base, Plan, Route, Saving, Session};

use crate::{delta, file};

/// Where the image that the board runs may lie.
#[derive(Debug, clap::Args)]
pub(crate) struct Bases {
    /// An image that the board may run; may be given several times. If one is what it runs, only what changed is sent.
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// A folder of such images.
    #[arg(long, value_name = "DIR")]
    base_dir: Option<PathBuf>,
    /// Send the whole image, whatever --base says.
    #[arg(long)]
    full: bool,
}

/// What became of the patch.
#[derive(Debug)]
pub(crate) enum Patch {
    /// Here it is.
    Made {
        bytes: Vec<u8>,
        /// The file that it starts from.
        base: PathBuf,
        saving: Saving,
        /// How long it took to make.
        took: Duration,
    },
    /// The whole image is sent: a name for scripts, and a sentence.
    None { name: &'static str, why: String },
}

impl Bases {
    /// Makes the patch from what the board runs to `image`; `None` where none was asked for or nothing is to be sent.
    ///
    /// # Errors
    /// A file that can't be read; a patch that does not lead to the image.
    pub(crate) fn patch(
        &self,
        session: &Session,
        plan: &Plan,
        image: &[u8],
    ) -> Result<Option<Patch>, Sentence> {
        if let Some(folder) = self.base_dir.as_deref().filter(|folder| !folder.is_dir()) {
            return Err(Sentence {
                name: "NoFolder".into(),
                what: format!("{} is no folder.", folder.display()),
                next: "Name a folder of images that the board may run, or leave --base-dir away.".into(),
                unharmed: true,
            });
        }
        let asked = !self.base.is_empty() || self.base_dir.is_some();
        if !asked || self.full || plan.route != Route::Upload {
            return Ok(None);
        }
        let none = |name, why: &str| {
            let why = format!("{why}: the whole image is sent.");
            Ok(Some(Patch::None { name, why }))
        };
        let board = session.board();
        if !board.is_some_and(bootlace_engine::BoardInfo::takes_patches) {
            return none("NotSupported", "The board takes no patches");
        }
        let Some(running) = board.and_then(bootlace_engine::BoardInfo::running) else {
            return none(
                "NothingRuns",
                "The board runs nothing that a patch could start from",
            );
        };
        let Some((path, base)) = self.find(&running.hash)? else {
            let hash = words::short(&running.hash);
            let why = format!(
                "None of the given files is {} ({hash}), which the board runs",
                running.version
            );
            return none("BaseNotFound", &why);
        };
        let started = Instant::now();
        let patch = delta::patch(&base, image, &Options::default())?;
        let took = started.elapsed();
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if patch.bytes.len() >= image.len() {
            return none("NotSmaller", "A patch would be no smaller than the image");
        }
        Ok(Some(Patch::Made {
            saving: Saving::new(size(image), size(&patch.bytes), session.pace()),
            bytes: patch.bytes,
            base: path,
            took,
        }))
    }

    /// The file that holds the image with this hash.
    fn find(&self, hash: &[u8]) -> Result<Option<(PathBuf, Vec<u8>)>, Sentence> {
        let is_it = |bytes: &[u8]| Base::of(bytes).is_some_and(|base| base.hash == hash);
        for path in &self.base {
            let bytes = file::read(path)?;
            if is_it(&bytes) {
                return Ok(Some((path.clone(), bytes)));
            }
        }
        for path in self.base_dir.iter().flat_map(|folder| files(folder)) {
            // A folder may hold anything: what is no image is passed over.
            let bytes = file::read(&path).unwrap_or_default();
            if is_it(&bytes) {
                return Ok(Some((path, bytes)));
            }
        }
        Ok(None)
    }
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}
