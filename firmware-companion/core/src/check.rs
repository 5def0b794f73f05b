//! Whether the image in a slot may run on this board, found out in bounded steps.

use bootlace_image::{Image, Policy, PublicKey, Refusal, Requirements, Source, Verification};

use crate::board::Identity;
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::slots::{Found, Reject, SlotSource, find};

/// What is proved of an image before it may run, in steps. A type for each way, so that a bootloader links no code that
/// starts an image without a signature.
pub trait Proof: Sized {
    /// To be begun.
    fn new() -> Self;

    /// Begins to prove `image`.
    ///
    /// # Errors
    /// What can be refused without reading on.
    fn begin(&mut self, image: &Image) -> Result<(), Refusal>;

    /// Does the next step; returns the verdict after the last one.
    ///
    /// # Errors
    /// A failed read.
    fn step<S: Source>(
        &mut self,
        image: &Image,
        source: &mut S,
        keys: &[PublicKey],
        policy: &Policy,
    ) -> Result<Option<bool>, S::Error>;

    /// What this proof begins with: the digest that the image carries.
    fn digest(&mut self) -> &mut Verification;
}

/// Digest and signature.
impl Proof for Verification {
    fn new() -> Self {
        Verification::new()
    }

    fn begin(&mut self, image: &Image) -> Result<(), Refusal> {
        Verification::begin(self, image)
    }

    fn step<S: Source>(
        &mut self,
        image: &Image,
        source: &mut S,
        keys: &[PublicKey],
        policy: &Policy,
    ) -> Result<Option<bool>, S::Error> {
        Verification::step(self, image, source, keys, policy)
    }

    fn digest(&mut self) -> &mut Verification {
        self
    }
}

/// Digest and signature, or the digest alone in an application that holds no keys: its bootloader checks the signature
/// before the image ever runs.
#[derive(Clone, Debug)]
pub struct ProofByKeys(Verification);

impl Proof for ProofByKeys {
    fn new() -> Self {
        ProofByKeys(Verification::new())
    }

    fn begin(&mut self, image: &Image) -> Result<(), Refusal> {
        self.0.begin(image)
    }

    fn step<S: Source>(
        &mut self,
        image: &Image,
        source: &mut S,
        keys: &[PublicKey],
        policy: &Policy,
    ) -> Result<Option<bool>, S::Error> {
        if keys.is_empty() {
            self.0.step_unsigned(image, source)
        } else {
            self.0.step(image, source, keys, policy)
        }
    }

    fn digest(&mut self) -> &mut Verification {
        &mut self.0
    }
}

/// The check of the image in a slot: its form, digest, signature, counter and board. About 900 bytes, which stay where
/// they are: a small chip has no stack for copies of them.
// In this order: see `Server`.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Check<P> {
    area: Area,
    /// The security counter to reach.
    counter: u32,
    stage: CheckStage,
    found: Found,
    proof: P,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckStage {
    /// Nothing is being checked.
    Idle,
    /// The image is to be found.
    Finding,
    Proving,
}

impl Check<Verification> {
    /// 0 after a check that found a good signature: see [`Verification::residue`].
    pub(crate) fn residue(&self) -> u32 {
        self.proof.residue()
    }
}

impl<P: Proof> Check<P> {
    /// Of nothing.
    #[allow(clippy::new_without_default, reason = "what is not begun is no default")]
    pub fn new() -> Self {
        Check {
            area: Area::Secondary,
            counter: 0,
            stage: CheckStage::Idle,
            found: Found::none(),
            proof: P::new(),
        }
    }

    /// Whether a check is under way.
    pub fn is_begun(&self) -> bool {
        self.stage != CheckStage::Idle
    }

    /// Begins to check the image in `area`, whose security counter must reach `counter`.
    pub fn begin(&mut self, area: Area, counter: u32) {
        (self.area, self.counter, self.stage) = (area, counter, CheckStage::Finding);
    }

    /// Gives up the check.
    pub fn end(&mut self) {
        self.stage = CheckStage::Idle;
    }

    /// Which slot, and the security counter to reach, before the first step: all that a verdict depends on, apart from the
    /// board and the slot's bytes.
    #[cfg(feature = "known-verdicts")]
    pub fn question(&self) -> Option<(Area, u32)> {
        (self.stage == CheckStage::Finding).then_some((self.area, self.counter))
    }

    /// Does the next step: finds the image, hashes 256 bytes of it, or does a piece of the signature's check (see
    /// [`Verification`]). Returns the image after the last one, or the first reason that keeps the image from running here.
    // Its frame holds what a signature needs, and must not become part of the caller's, which holds packets.
    #[inline(never)]
    pub fn step<F: Flash>(&mut self, flash: &mut F, board: &Identity) -> Option<Result<Found, Reject>> {
        let done = match self.stage {
            CheckStage::Idle | CheckStage::Finding => self.find(flash),
            CheckStage::Proving => self.prove(flash, board),
        };
        match done {
            Ok(false) => None,
            Ok(true) => {
                self.end();
                Some(Ok(self.found))
            }
            Err(reject) => {
                self.end();
                Some(Err(reject))
            }
        }
    }

    /// Does the next step of a check of the digest alone, which says that the image is whole, and nothing about who made it.
    /// Returns the verdict after the last one.
    #[inline(never)]
    pub fn step_digest<F: Flash>(&mut self, flash: &mut F) -> Option<bool> {
        let verdict = if self.stage == CheckStage::Proving {
            let mut source = SlotSource::new(flash, self.area, self.found.base);
            let stepped = self.proof.digest().step_unsigned(&self.found.image, &mut source);
            stepped.unwrap_or(Some(false))
        } else if let Some(found) = find(flash, self.area) {
            self.found = found;
            self.stage = CheckStage::Proving;
            let begun = self.proof.digest().begin_unsigned(&self.found.image);
            begun.is_err().then_some(false)
        } else {
            Some(false)
        };
        if verdict.is_some() {
            self.end();
        }
        verdict
    }

    fn find<F: Flash>(&mut self, flash: &mut F) -> Result<bool, Reject> {
        self.found = find(flash, self.area).ok_or(Reject::Empty)?;
        let room = Layout::of(flash).capacity(flash, self.area);
        if self.found.image.total_len() > room {
            return Err(Reject::TooLarge);
        }
        self.proof.begin(&self.found.image).map_err(|_| Reject::Refused)?;
        self.stage = CheckStage::Proving;
        Ok(false)
    }

    fn prove<F: Flash>(&mut self, flash: &mut F, board: &Identity) -> Result<bool, Reject> {
        let policy = Policy {
            allow_development_keys: board.policy.development_keys,
        };
        let primary = flash.geometry(Area::Primary);
        let image = &self.found.image;
        let mut source = SlotSource::new(flash, self.area, self.found.base);
        match self.proof.step(image, &mut source, board.keys, &policy) {
            Ok(None) => return Ok(false),
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Err(Reject::Refused),
            Err(_) => return Err(Reject::Unreadable),
        }
        let requirements = Requirements {
            vendor: board.vendor,
            class: board.class,
            slot: Some((primary.address, primary.size)),
            // It was compared before the image was read.
            max_size: None,
            counter: board.policy.counter_required,
        };
        match image.fit(&mut source, &requirements) {
            Ok(fit) => fit?,
            Err(_) => return Err(Reject::Unreadable),
        }
        if image.security_counter().unwrap_or(0) < self.counter {
            return Err(Reject::TooOld);
        }
        Ok(true)
    }
}
