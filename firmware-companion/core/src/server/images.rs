//! What is in the slots, and what becomes of it: list, mark for test, confirm, erase.

use bootlace_image::Version;
use bootlace_image::trailer::{Mark as Flag, SwapType};
use bootlace_smp::img::{
    ErrorCode as ImageError, ImageSlots, Request, Response as Answer, SlotSize, StateEntry,
};
use bootlace_smp::{ErrorCode, Response, bootlace};

use super::{Job, Refused, Runner, Server, Step};
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::link::{Link, Memory};
use crate::slots::{Found, Reject, find};
use crate::trailer::{Fields, TrailerWrite, Trailers};

/// A request of the group without its borrowed bytes, which lie in a packet that is about to be freed; a hash that it names
/// is kept in the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owned {
    State,
    SetState { hash: Hash, confirm: bool },
    Erase { slot: u32 },
    SlotInfo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Absent,
    /// Not 32 bytes: no image of this board has it.
    Foreign,
    Sha256,
}

impl<R: Runner> Server<'_, R> {
    pub(super) fn own(&mut self, request: Request) -> Owned {
        match request {
            // Pieces of an image take another way; there is nothing to list for one.
            Request::State | Request::Upload(_) => Owned::State,
            Request::SetState { hash, confirm } => {
                let named = hash.and_then(<[u8]>::first_chunk);
                self.hash = named.copied().unwrap_or_default();
                let hash = match hash.map(<[u8]>::len) {
                    None => Hash::Absent,
                    Some(32) => Hash::Sha256,
                    Some(_) => Hash::Foreign,
                };
                Owned::SetState { hash, confirm }
            }
            Request::Erase { slot } => Owned::Erase {
                slot: slot.unwrap_or(1),
            },
            Request::SlotInfo => Owned::SlotInfo,
        }
    }

    #[inline(never)]
    pub(super) fn image_request<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        request: Owned,
    ) {
        let begun = match request {
            Owned::State => {
                self.list(link, flash);
                Ok(())
            }
            Owned::SlotInfo => {
                self.slot_info(link, flash);
                Ok(())
            }
            Owned::SetState { hash, confirm: true } => self.set_confirmed(link, flash, hash),
            Owned::SetState { hash, confirm: false } => self.set_test(flash, hash),
            Owned::Erase { slot } => self.begin_erase(flash, slot),
        };
        if let Err(fault) = begun {
            self.refuse(link, fault);
        }
    }

    /// The image of the digest that was named is in a slot.
    fn holds<F: Flash>(&self, flash: &mut F, area: Area, hash: Hash) -> bool {
        hash == Hash::Sha256 && find(flash, area).is_some_and(|found| self.is_named(flash, &found))
    }

    fn is_named<F: Flash>(&self, flash: &mut F, found: &Found) -> bool {
        let mut hash = [0; 32];
        found.hash_into(flash, &mut hash) && hash == self.hash
    }

    fn set_confirmed<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        hash: Hash,
    ) -> Result<(), Refused> {
        if hash == Hash::Absent || self.holds(flash, Area::Primary, hash) {
            if !self.is_application() && self.is_on_trial(flash) {
                return Err(ImageError::ConfirmationDenied.into());
            }
            self.confirm(flash)
                .map_err(|_| Refused::from(ImageError::FlashWriteFailed))?;
            self.list(link, flash);
            return Ok(());
        }
        if !self.holds(flash, Area::Secondary, hash) {
            return Err(ImageError::InvalidHash.into());
        }
        if !self.board.policy.permanent {
            return Err(ImageError::ConfirmationDenied.into());
        }
        self.begin_verify(flash, true)
    }

    fn set_test<F: Flash>(&mut self, flash: &mut F, hash: Hash) -> Result<(), Refused> {
        if self.holds(flash, Area::Secondary, hash) {
            return self.begin_verify(flash, false);
        }
        if self.holds(flash, Area::Primary, hash) {
            return Err(ImageError::SettingTestToActiveDenied.into());
        }
        Err(ImageError::InvalidHash.into())
    }

    #[inline(never)]
    fn begin_verify<F: Flash>(&mut self, flash: &mut F, permanent: bool) -> Result<(), Refused> {
        self.may_change(flash)?;
        self.check.begin(Area::Secondary, self.state().counter);
        self.job = Job::Verifying { permanent };
        Ok(())
    }

    pub(super) fn begin_mark<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        permanent: bool,
        verdict: Result<Found, Reject>,
    ) {
        let refused = match &verdict {
            // It may have sunk while the signature was checked.
            Ok(_) if self.is_supply_low() => bootlace::ErrorCode::SupplyLow.into(),
            // What was verified must be what was asked for.
            Ok(found) if self.is_named(flash, found) => {
                let swap = if permanent {
                    SwapType::Permanent
                } else {
                    SwapType::Test
                };
                let fields = Fields {
                    swap,
                    copy_done: false,
                    image_ok: permanent,
                };
                let fresh = self.upload.is_some_and(|upload| upload.cleared);
                self.job = Job::Marking(TrailerWrite::mark(flash, fields, fresh));
                return;
            }
            Ok(_) => ImageError::InvalidHash.into(),
            Err(reject) => fault(*reject),
        };
        self.refuse(link, refused);
    }

    pub(super) fn mark<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F) -> Step {
        if let Job::Marking(write) = &mut self.job {
            match write.step(flash) {
                Ok(true) => self.list(link, flash),
                Ok(false) => {}
                Err(_) => self.refuse(link, ImageError::FlashWriteFailed.into()),
            }
        }
        Step::Working
    }

    #[inline(never)]
    fn list<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F) {
        let trailers = Trailers::read(flash);
        let on_trial = self.is_on_trial(flash);
        let pending = trailers.secondary.magic == Flag::Set;
        let permanent = pending && trailers.secondary.image_ok == Flag::Set;
        let mut texts = [[0; Version::MAX_LEN]; 2];
        let mut hashes = [[0; 32]; 2];
        let mut both = [StateEntry::default(); 2];
        let mut count = 0;
        for (((slot, area), text), hash) in (0..)
            .zip([Area::Primary, Area::Secondary])
            .zip(&mut texts)
            .zip(&mut hashes)
        {
            let Some(found) = find(flash, area) else { continue };
            let Some(entry) = both.get_mut(count) else { break };
            let is_running = slot == 0;
            *entry = StateEntry {
                image: None,
                slot,
                version: found.image.header().version.write(text),
                hash: found.hash_into(flash, hash).then_some(hash.as_slice()),
                bootable: true,
                active: is_running,
                // What the board goes back to is the last image that proved itself.
                confirmed: is_running != on_trial,
                pending: pending && !is_running,
                permanent: permanent && !is_running,
            };
            count += 1;
        }
        let entries = both.get(..count).unwrap_or_default();
        self.answer(link, &Response::Img(Answer::State(entries.into())));
    }

    #[inline(never)]
    fn slot_info<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F) {
        let slots = [
            SlotSize {
                slot: 0,
                size: flash.geometry(Area::Primary).size,
                upload_image_id: None,
            },
            SlotSize {
                slot: 1,
                size: flash.geometry(Area::Secondary).size,
                upload_image_id: Some(0),
            },
        ];
        let max_image_size = Some(Layout::of(flash).max_image_size(flash));
        let images = [ImageSlots {
            image: 0,
            slots: slots.as_slice().into(),
            max_image_size,
        }];
        self.answer(link, &Response::Img(Answer::SlotInfo(images.as_slice().into())));
    }

    fn begin_erase<F: Flash>(&mut self, flash: &mut F, slot: u32) -> Result<(), Refused> {
        if slot != 1 {
            return Err(ImageError::InvalidSlot.into());
        }
        self.may_change(flash)?;
        self.note_change();
        self.upload = None;
        self.job = Job::Erasing(0);
        Ok(())
    }

    /// Erases from the slot's end down: the trailer goes first, so that no request outlives its image.
    pub(super) fn erase<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        mut done: u32,
    ) -> Step {
        let shape = flash.geometry(Area::Secondary);
        // Also what reads as erased: a cut may have left it so for now.
        if done < shape.size {
            done += shape.erase;
            match flash.erase(Area::Secondary, shape.size - done) {
                Ok(()) => self.job = Job::Erasing(done),
                Err(_) => self.refuse(link, ImageError::FlashEraseFailed.into()),
            }
            return Step::Working;
        }
        self.answer(link, &Response::Img(Answer::Erase));
        Step::Working
    }
}

/// What to answer about an image that may not be marked.
fn fault(reject: Reject) -> Refused {
    match reject {
        Reject::Empty => ImageError::NoImage.into(),
        Reject::TooLarge => ImageError::ImageTooLarge.into(),
        Reject::Refused => ErrorCode::Corrupt.into(),
        Reject::TooOld => ImageError::CurrentVersionIsNewer.into(),
        Reject::WrongBoard => ImageError::InvalidImageVectorTable.into(),
        Reject::Unreadable => ImageError::FlashReadFailed.into(),
    }
}
