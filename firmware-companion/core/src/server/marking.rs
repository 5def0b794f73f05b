//! Marking the image in the secondary slot for test or as confirmed: the image is checked first.

use bootlace_image::TlvKind;
use bootlace_image::trailer::SwapType;
use bootlace_smp::img::ErrorCode as ImageError;
use bootlace_smp::{ErrorCode, Fault, bootlace};

use super::keeper::Keeper;
use super::request::Named;
use super::role::Runner;
use crate::flash::{Area, Flash};
use crate::slots::{Found, Reject, SlotSource, find};
use crate::trailer::{Fields, TrailerWrite};

/// What is to become of a request to mark or confirm an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is done: answer with the list.
    Listed,
    /// The image in the secondary slot is to be checked and then marked.
    Check(Marking),
}

/// An image that is being checked in order to be marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marking {
    hash: [u8; 32],
    /// As confirmed, before it ever ran.
    permanent: bool,
}

/// Takes a request to mark or confirm an image.
///
/// # Errors
/// What to answer.
pub(super) fn begin<F: Flash, R: Runner>(
    flash: &mut F,
    keeper: &mut Keeper<R>,
    named: Named,
    confirm: bool,
) -> Result<Wanted, Fault> {
    let hash = match named {
        Named::Hash(hash) => Some(hash),
        Named::Running | Named::Foreign => None,
    };
    let is_in = |flash: &mut F, area| {
        hash.is_some_and(|hash| find(flash, area).is_some_and(|found| is_named(flash, &found, &hash)))
    };
    if confirm && (named == Named::Running || is_in(flash, Area::Primary)) {
        let may_confirm = keeper.is_application() && keeper.board.policy.confirm_over_wire;
        if !may_confirm && keeper.is_on_trial(flash) {
            return Err(ImageError::ConfirmationDenied.into());
        }
        keeper
            .confirm(flash)
            .map_err(|_| Fault::from(ImageError::FlashWriteFailed))?;
        return Ok(Wanted::Listed);
    }
    if !is_in(flash, Area::Secondary) {
        return Err(if !confirm && is_in(flash, Area::Primary) {
            ImageError::SettingTestToActiveDenied.into()
        } else {
            ImageError::InvalidHash.into()
        });
    }
    if confirm && !keeper.board.policy.permanent {
        return Err(ImageError::ConfirmationDenied.into());
    }
    keeper.may_change(flash)?;
    Ok(Wanted::Check(Marking {
        hash: hash.unwrap_or_default(),
        permanent: confirm,
    }))
}

impl Marking {
    /// Takes the verdict on the image; returns what to write. `is_fresh`: the trailer was erased since the power came.
    ///
    /// # Errors
    /// What to answer.
    pub(super) fn checked<F: Flash, R: Runner>(
        &self,
        flash: &mut F,
        keeper: &Keeper<R>,
        is_fresh: bool,
        verdict: Result<Found, Reject>,
    ) -> Result<TrailerWrite, Fault> {
        let found = verdict.map_err(fault)?;
        // It may have sunk while the signature was checked.
        if keeper.is_supply_low() {
            return Err(bootlace::ErrorCode::SupplyLow.into());
        }
        // What was verified must be what was asked for.
        if !is_named(flash, &found, &self.hash) {
            return Err(ImageError::InvalidHash.into());
        }
        let running = find(flash, Area::Primary).filter(|_| keeper.refuses_older());
        if running.is_some_and(|running| found.image.header().version < running.image.header().version) {
            return Err(ImageError::CurrentVersionIsNewer.into());
        }
        let swap = if self.permanent {
            SwapType::Permanent
        } else {
            SwapType::Test
        };
        let fields = Fields {
            swap,
            copy_done: false,
            image_ok: self.permanent,
        };
        Ok(TrailerWrite::mark(flash, fields, is_fresh))
    }
}

fn is_named<F: Flash>(flash: &mut F, found: &Found, hash: &[u8; 32]) -> bool {
    let mut carried = [0; 32];
    found.hash_into(flash, &mut carried) && carried == *hash
}

/// The reason for a refusal to mark an image, where its code alone would leave it open.
pub(super) fn reason<F: Flash>(flash: &mut F, fault: Fault) -> Option<&'static str> {
    let found = find(flash, Area::Secondary).filter(|_| fault == ErrorCode::Corrupt.into())?;
    let flags = found.image.header().flags;
    if flags.is_encrypted() {
        return Some("encrypted");
    }
    if flags.is_compressed() {
        return Some("compressed");
    }
    let mut source = SlotSource::new(flash, Area::Secondary, found.base);
    let mut tlvs = found.image.tlvs(&mut source);
    let mut is_foreign = false;
    while let Some(Ok(tlv)) = tlvs.next() {
        is_foreign |= tlv.kind.is_signature() && !matches!(tlv.kind, TlvKind::ECDSA | TlvKind::ED25519);
    }
    Some(if is_foreign {
        "signature of a kind not checked here"
    } else {
        "altered, or not signed by a key of this board"
    })
}

/// What to answer about an image that may not be marked.
fn fault(reject: Reject) -> Fault {
    match reject {
        Reject::Empty => ImageError::NoImage.into(),
        Reject::TooLarge => ImageError::ImageTooLarge.into(),
        Reject::Refused => ErrorCode::Corrupt.into(),
        Reject::TooOld => ImageError::CurrentVersionIsNewer.into(),
        Reject::WrongBoard => ImageError::InvalidImageVectorTable.into(),
        Reject::Unreadable => ImageError::FlashReadFailed.into(),
    }
}
