//! The chosen file.

use std::sync::Arc;

use bootlace_engine::{CheckedImage, Error};

use crate::messages::ChoiceId;

/// The chosen file, read once for all boards.
pub(super) struct File {
    /// Which choice it is.
    pub(super) choice: ChoiceId,
    /// Its name, for people only.
    pub(super) name: String,
    /// The image in it; or why it is none.
    pub(super) image: Result<Arc<CheckedImage>, Error>,
}

impl File {
    /// Reads a file.
    pub(super) fn new(choice: ChoiceId, name: String, bytes: Vec<u8>) -> Self {
        let image = CheckedImage::new(bytes).map(Arc::new);
        File { choice, name, image }
    }
}
