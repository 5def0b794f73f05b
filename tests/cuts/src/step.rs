//! What a board does, one thing at a time.

use anyhow::{Result, anyhow};
use bootlace_client::Client as _;
use bootlace_core::flash::Area;
use bootlace_core::trailer;
use bootlace_smp::bootlace::RollbackReason;

use crate::images::Images;
use crate::rig::{Observed, Rig};
use crate::served::{Served, Through};

/// How the running image is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// An application made for MCUboot writes `image_ok`.
    Trailer,
    /// Its self-tests passed, says the application to app-kit.
    AppKit,
    /// Somebody asks the application over the wire.
    Request,
}

/// What a board does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It starts, as after power-on.
    Start,
    /// It starts after its application gave itself up, and finds word of that in RAM.
    GaveUp(RollbackReason),
    /// An image arrives.
    Upload(u8, Through),
    /// Half of an image arrives.
    UploadHalf(u8, Through),
    /// An image arrives as a patch to the first one, which runs; with `half`, half of the patch.
    Patch {
        /// Which.
        image: u8,
        /// No more than half.
        half: bool,
        /// Whose server is asked.
        through: Through,
    },
    /// The uploaded image is to run: on trial, or for good.
    Mark {
        /// Which.
        image: u8,
        /// Without a trial.
        permanent: bool,
        /// Whose server is asked.
        through: Through,
    },
    /// An image arrives and is marked, all in one session: the server knows what it erased itself.
    Update {
        /// Which.
        image: u8,
        /// Without a trial.
        permanent: bool,
        /// Whose server is asked.
        through: Through,
    },
    /// The running image is confirmed.
    Confirm(By),
    /// The secondary slot is erased.
    Erase(Through),
    /// A bit of the image in the primary slot flips.
    Damage,
}

impl Step {
    /// Does it; starting says what is to be seen then.
    ///
    /// # Errors
    /// That the board refused.
    pub fn run(&self, rig: &mut Rig, images: &Images) -> Result<Option<Observed>> {
        match *self {
            Step::Start => return Ok(Some(rig.start(images, None))),
            Step::GaveUp(reason) => return Ok(Some(rig.start(images, Some(reason)))),
            Step::Upload(image, through) => {
                let file = images.file(image);
                Served::new(rig, through)?.upload(file, file.bytes.len())?;
            }
            Step::UploadHalf(image, through) => {
                let file = images.file(image);
                Served::new(rig, through)?.upload(file, file.bytes.len() / 2)?;
            }
            Step::Patch { image, half, through } => {
                let patch = images.patch(image)?;
                let until = if half { patch.len() / 2 } else { patch.len() };
                Served::new(rig, through)?.patch(&patch, until)?;
            }
            Step::Mark {
                image,
                permanent,
                through,
            } => Served::new(rig, through)?.set_state(Some(&images.file(image).hash), permanent)?,
            Step::Update {
                image,
                permanent,
                through,
            } => {
                let file = images.file(image);
                let mut served = Served::new(rig, through)?;
                served.upload(file, file.bytes.len())?;
                served.set_state(Some(&file.hash), permanent)?;
            }
            Step::Confirm(By::Trailer) => {
                trailer::confirm(&mut rig.chip).map_err(|error| anyhow!("{error:?}"))?;
            }
            Step::Confirm(By::AppKit) => rig.confirm()?,
            Step::Confirm(By::Request) => Served::new(rig, Through::Application)?.set_state(None, true)?,
            Step::Erase(through) => Served::new(rig, through)?.erase()?,
            // In the payload: what the image is can still be read.
            Step::Damage => rig.chip.nor.flip(Area::Primary, 100),
        }
        Ok(None)
    }
}
