//! Pieces of a file on their way into the secondary slot, as SMP sends them.
//!
//! The board's offset is the authority: a piece that does not start there is answered with the offset that is due.

use bootlace_smp::img::{ErrorCode as ImageError, Response as Answer};
use bootlace_smp::{Encoder, ErrorCode, Fault, bootlace};

use super::keeper::Keeper;
use super::request::PieceRequest;
use super::role::Runner;
use crate::applier::Applier;
use crate::flash::{Area, Flash};
use crate::intake::{self, File, Intake, Kind, Piece, Received};
use crate::slots::find;

impl PieceRequest {
    /// The piece, taken from its packet.
    pub(super) fn piece<'p>(&self, packet: &'p [u8]) -> Piece<'p> {
        Piece {
            offset: self.offset,
            data: self.data.of_packet(packet),
        }
    }

    /// Hands the piece to the intake, if it is welcome.
    ///
    /// # Errors
    /// What to answer.
    pub(super) fn begin<F: Flash, R: Runner>(
        &self,
        packet: &[u8],
        flash: &mut F,
        (keeper, intake): (&mut Keeper<R>, &mut Intake),
        patches: Option<&mut Applier>,
    ) -> Result<(), Fault> {
        // Some clients count images from 1.
        if self.image > 1 {
            return Err(ImageError::InvalidSlot.into());
        }
        let piece = self.piece(packet);
        if self.offset > 0 {
            return intake.offer(self.kind, &piece).map_err(fault);
        }
        let len = self.len.ok_or(ImageError::InvalidLength)?;
        keeper.may_change(flash)?;
        // The version is not proved yet: an image that is to be marked is asked again.
        let running = if self.upgrade || keeper.refuses_older() {
            find(flash, Area::Primary)
        } else {
            None
        };
        let file = File {
            kind: self.kind,
            len,
            digest: self.digest,
            oldest: running.map(|running| running.image.header().version),
            newer_only: self.upgrade,
        };
        intake.open(flash, &file, piece.data, patches).map_err(fault)
    }
}

/// Writes the answer to a piece of a file of this kind.
pub(super) fn answer(kind: Kind, received: Received, message: &mut Encoder) {
    let Received { offset: off, matched } = received;
    match kind {
        Kind::Image => Answer::Upload { off, matched }.encode(message),
        Kind::Patch => bootlace::Response::Patch { off, matched }.encode(message),
    }
}

/// What to answer about a file that is refused.
#[inline(never)]
pub(super) fn fault(fault: intake::Fault) -> Fault {
    match fault {
        intake::Fault::TooLarge => ImageError::ImageTooLarge.into(),
        intake::Fault::Overrun => ImageError::ImageDataOverrun.into(),
        intake::Fault::NoHeader => ImageError::InvalidImageHeader.into(),
        intake::Fault::NotNewer => ImageError::CurrentVersionIsNewer.into(),
        intake::Fault::NotAnImage => ImageError::InvalidImageHeaderMagic.into(),
        intake::Fault::EraseFailed => ImageError::FlashEraseFailed.into(),
        intake::Fault::WriteFailed => ImageError::FlashWriteFailed.into(),
        intake::Fault::ReadFailed => ImageError::FlashReadFailed.into(),
        intake::Fault::NoPatches => ErrorCode::NotSupported.into(),
        intake::Fault::NoBase => bootlace::ErrorCode::NoBase.into(),
        intake::Fault::WrongBase => bootlace::ErrorCode::WrongBase.into(),
        intake::Fault::PatchFormat => bootlace::ErrorCode::PatchFormat.into(),
        intake::Fault::PatchVersion => bootlace::ErrorCode::PatchVersion.into(),
        intake::Fault::PatchTooLarge => bootlace::ErrorCode::PatchTooLarge.into(),
        intake::Fault::PatchDamaged => bootlace::ErrorCode::PatchDamaged.into(),
    }
}
