//! The patch of an update: from which file, and whether it is worth it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bootlace_delta::make::Options;
use bootlace_delta::make_proved;
use bootlace_engine::words::{Sentence, files};
use bootlace_engine::{Base, NoPatch, Plan, Saving, Session, is_listed_as, wanted_base, worth_sending};

use crate::file;

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
    /// The whole image is sent, and why.
    None(NoPatch),
}

impl Bases {
    /// Makes the patch from what the board runs to `image`; `None` where none was asked for or nothing is to be sent.
    ///
    /// # Errors
    /// A file that can't be read, a folder that is none.
    pub(crate) fn patch(
        &self,
        session: &Session,
        plan: &Plan,
        image: &[u8],
    ) -> Result<Option<Patch>, Sentence> {
        if let Some(folder) = self.base_dir.as_deref().filter(|folder| !folder.is_dir()) {
            return Err(files::no_folder(folder.display()));
        }
        let asked = !self.base.is_empty() || self.base_dir.is_some();
        let Some(board) = session.board().filter(|_| asked && !self.full) else {
            return Ok(None);
        };
        let none = |reason| Ok(Some(Patch::None(reason)));
        let wanted = match wanted_base(board, plan) {
            Ok(wanted) => wanted,
            Err(NoPatch::NothingToSend) => return Ok(None),
            Err(reason) => return none(reason),
        };
        let Some((path, base)) = self.find(&wanted.hash)? else {
            return none(NoPatch::BaseNotFound);
        };
        let Some(base) = Base::of(&base) else {
            return none(NoPatch::BaseNotFound);
        };
        let started = Instant::now();
        let Ok(patch) = make_proved(base.bytes, image, &Options::default(), &mut |_| {}) else {
            return none(NoPatch::NotMade);
        };
        let took = started.elapsed();
        let size = u32::try_from(patch.bytes.len()).unwrap_or(u32::MAX);
        if let Err(reason) = worth_sending(patch.bytes.len(), plan.size) {
            return none(reason);
        }
        Ok(Some(Patch::Made {
            saving: Saving::new(plan.size, size, session.pace()),
            bytes: patch.bytes,
            base: path,
            took,
        }))
    }

    /// The file that holds the image that the board lists with this hash.
    fn find(&self, hash: &[u8]) -> Result<Option<(PathBuf, Vec<u8>)>, Sentence> {
        let is_it = |bytes: &[u8]| Base::of(bytes).is_some_and(|base| is_listed_as(&base.hash, hash));
        for path in &self.base {
            let bytes = file::read(path)?;
            if is_it(&bytes) {
                return Ok(Some((path.clone(), bytes)));
            }
        }
        for path in self.base_dir.iter().flat_map(|folder| files_of(folder)) {
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
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}
