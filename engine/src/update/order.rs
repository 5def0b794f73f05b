//! What stays the same all the way through an update.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bootlace_image::Version;
use bootlace_smp::{Request, img};
use sha2::{Digest as _, Sha256};

use crate::context::Proved;
use crate::{BoardInfo, CheckedImage, Content, Error, FindReason, Instant, Options, Plan, SlotImage, Wanted};

/// An update that was asked for.
#[derive(Debug)]
pub(crate) struct Order {
    pub(super) image: Arc<CheckedImage>,
    /// What is sent in place of the image, as long as nothing speaks against it.
    pub(super) patch: Option<Patch>,
    pub(super) options: Options,
    pub(super) plan: Plan,
    pub(super) started: Instant,
    wanted: Wanted,
    /// How often the board stored something else than was sent: a CRC of 16 bits lets one in 65,536 damaged pieces
    /// pass. Once is bad luck.
    pub(super) mismatches: u32,
    /// The bootloader said that the new image is confirmed.
    pub(super) is_vouched_for: bool,
}

#[derive(Debug)]
pub(super) struct Patch {
    pub(super) bytes: Arc<[u8]>,
    pub(super) sha: [u8; 32],
}

impl Order {
    pub(crate) fn new(
        now: Instant,
        image: Arc<CheckedImage>,
        patch: Option<Arc<[u8]>>,
        options: Options,
        board: &BoardInfo,
    ) -> Result<Box<Self>, Error> {
        let plan = Plan::new(&image, &options, board)?;
        let mut wanted = Wanted::of(board, FindReason::Restart);
        wanted.hashes.push(plan.hash.clone());
        let patch = patch.filter(|bytes| !bytes.is_empty()).map(|bytes| Patch {
            sha: Sha256::digest(&bytes).into(),
            bytes,
        });
        Ok(Box::new(Order {
            image,
            patch,
            options,
            plan,
            started: now,
            wanted,
            mismatches: 0,
            is_vouched_for: false,
        }))
    }

    /// Whom to look for, and why the board is not there.
    pub(super) fn wanted(&self, reason: FindReason) -> Wanted {
        Wanted {
            reason,
            ..self.wanted.clone()
        }
    }

    /// Bytes that go over the line.
    pub(super) fn content(&self, content: Content) -> &[u8] {
        match (content, &self.patch) {
            (Content::Patch, Some(patch)) => &patch.bytes,
            _ => self.image.bytes(),
        }
    }

    /// Whether this is the new image; `None`: the board lists no hash, and no version either or the one that it had before.
    pub(super) fn is_target(&self, image: &SlotImage) -> Option<bool> {
        image.is_of_hash(&self.plan.hash).or_else(|| {
            // `None`: the version can't be read.
            let same = |version: &str| Version::parse(version).map(|version| version == self.plan.to);
            let told_apart = self
                .plan
                .from
                .as_deref()
                .is_none_or(|from| same(from) == Some(false));
            same(&image.version).filter(|same| !same || told_apart)
        })
    }

    /// What a board that confirmed the image has to hold to, where the image has a security counter.
    pub(super) fn proved(&self) -> Option<Proved> {
        Some(Proved {
            hash: self.plan.hash.clone(),
            counter: self.image.image().security_counter()?,
        })
    }

    /// What may be in a slot: the new image, as far as can be told.
    pub(super) fn may_be_target(&self, image: &SlotImage) -> bool {
        self.is_target(image) != Some(false)
    }

    /// The hash by which the board knows the image: as many bytes as it lists of others.
    pub(super) fn listed_hash(&self, board: &BoardInfo) -> &[u8] {
        let lengths = board.images.iter().map(|image| image.hash.len());
        let listed = lengths.filter(|len| *len > 0).max();
        let hash = &self.plan.hash;
        listed.and_then(|len| hash.get(..len)).unwrap_or(hash)
    }
}

/// The confirmation of an image that runs on trial.
pub(super) fn confirm_request() -> Request<'static> {
    Request::Img(img::Request::SetState {
        hash: None,
        confirm: true,
    })
}
