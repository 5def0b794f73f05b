//! What is in the slots, and what becomes of it: list, mark for test, confirm, erase.

use bootlace_image::Version;
use bootlace_image::trailer::{Mark as Flag, SwapType};
use bootlace_smp::img::{
    ErrorCode as ImageError, ImageSlots, Request, Response as Answer, SlotSize, StateEntry,
};
use bootlace_smp::{ErrorCode, Response};

use super::{Asker, Job, Refused, Server, Step};
use crate::flash::{Area, Flash, is_blank};
use crate::link::{Link, Memory};
use crate::slots::{Found, Reject, find};
use crate::swap::max_image_size;
use crate::trailer::{Fields, TrailerWrite, Trailers, confirm};

/// A request of the group without its borrowed bytes, which lie in a packet that is about to be freed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owned {
    State,
    SetState { hash: Hash, confirm: bool },
    Erase { slot: u32 },
    SlotInfo,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Hash {
    Absent,
    /// Not 32 bytes: no image of this board has it.
    Foreign,
    Sha256([u8; 32]),
}

impl From<Request<'_>> for Owned {
    fn from(request: Request) -> Self {
        match request {
            // Pieces of an image take another way; there is nothing to list for one.
            Request::State | Request::Upload(_) => Owned::State,
            Request::SetState { hash, confirm } => {
                let hash = match hash {
                    None => Hash::Absent,
                    Some(bytes) => bytes.try_into().map_or(Hash::Foreign, Hash::Sha256),
                };
                Owned::SetState { hash, confirm }
            }
            Request::Erase { slot } => Owned::Erase {
                slot: slot.unwrap_or(1),
            },
            Request::SlotInfo => Owned::SlotInfo,
        }
    }
}

/// What is to be written about the secondary slot's image once it is verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    hash: [u8; 32],
    permanent: bool,
}

impl Server<'_> {
    #[inline(never)]
    pub(super) fn image_request<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        request: Owned,
    ) {
        let begun = match request {
            Owned::State => {
                self.list(link, flash, asker);
                Ok(Job::None)
            }
            Owned::SlotInfo => {
                self.slot_info(link, flash, asker);
                Ok(Job::None)
            }
            Owned::SetState { hash, confirm: true } => self.set_confirmed(link, flash, asker, hash),
            Owned::SetState { hash, confirm: false } => self.set_test(flash, asker, hash),
            Owned::Erase { slot } => self.begin_erase(flash, asker, slot),
        };
        match begun {
            Ok(job) => self.job = job,
            Err(fault) => self.answer(link, asker, Err(fault)),
        }
    }

    /// The image of this digest in a slot.
    fn holds<F: Flash>(&self, flash: &mut F, area: Area, hash: Hash) -> bool {
        let Hash::Sha256(wanted) = hash else { return false };
        find(flash, area).is_some_and(|found| found.hash(flash) == Some(wanted))
    }

    #[inline(never)]
    fn set_confirmed<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        hash: Hash,
    ) -> Result<Job, Refused> {
        if matches!(hash, Hash::Absent) || self.holds(flash, Area::Primary, hash) {
            if self.is_on_trial(flash) {
                if !self.is_application() {
                    // Only what runs can say that it runs well.
                    return Err(ImageError::ConfirmationDenied.into());
                }
                confirm(flash).map_err(|_| Refused::from(ImageError::FlashWriteFailed))?;
            }
            self.list(link, flash, asker);
            return Ok(Job::None);
        }
        if !self.holds(flash, Area::Secondary, hash) {
            return Err(ImageError::InvalidHash.into());
        }
        if !self.board.policy.permanent {
            return Err(ImageError::ConfirmationDenied.into());
        }
        self.begin_verify(flash, asker, hash, true)
    }

    #[inline(never)]
    fn set_test<F: Flash>(&mut self, flash: &mut F, asker: Asker, hash: Hash) -> Result<Job, Refused> {
        if self.holds(flash, Area::Secondary, hash) {
            return self.begin_verify(flash, asker, hash, false);
        }
        if self.holds(flash, Area::Primary, hash) {
            return Err(ImageError::SettingTestToActiveDenied.into());
        }
        Err(ImageError::InvalidHash.into())
    }

    fn begin_verify<F: Flash>(
        &mut self,
        flash: &mut F,
        asker: Asker,
        hash: Hash,
        permanent: bool,
    ) -> Result<Job, Refused> {
        let Hash::Sha256(hash) = hash else {
            return Err(ImageError::InvalidHash.into());
        };
        self.may_change(flash)?;
        Ok(Job::Verifying(asker, Mark { hash, permanent }))
    }

    pub(super) fn begin_mark<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        mark: Mark,
        verdict: Result<Found, Reject>,
    ) {
        match verdict {
            // What was verified must be what was asked for.
            Ok(found) if found.hash(flash) == Some(mark.hash) => {
                let swap = if mark.permanent {
                    SwapType::Permanent
                } else {
                    SwapType::Test
                };
                let fields = Fields {
                    swap,
                    copy_done: false,
                    image_ok: mark.permanent,
                };
                self.job = Job::Marking(asker, TrailerWrite::mark(flash, fields));
            }
            Ok(_) => self.answer(link, asker, Err(ImageError::InvalidHash.into())),
            Err(reject) => self.answer(link, asker, Err(fault(reject))),
        }
    }

    #[inline(never)]
    pub(super) fn mark<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        mut write: TrailerWrite,
    ) -> Step {
        match write.step(flash) {
            Ok(true) => self.list(link, flash, asker),
            Ok(false) => self.job = Job::Marking(asker, write),
            Err(_) => self.answer(link, asker, Err(ImageError::FlashWriteFailed.into())),
        }
        Step::Working
    }

    fn list<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F, asker: Asker) {
        let trailers = Trailers::read(flash);
        let on_trial = self.is_on_trial(flash);
        let pending = trailers.secondary.magic == Flag::Set;
        let permanent = pending && trailers.secondary.image_ok == Flag::Set;
        let primary = find(flash, Area::Primary).map(|found| (found, found.hash(flash)));
        let secondary = find(flash, Area::Secondary).map(|found| (found, found.hash(flash)));
        let mut texts = [[0; Version::MAX_LEN]; 2];
        let [first, second] = &mut texts;
        let running = primary.as_ref().map(|(found, hash)| StateEntry {
            slot: 0,
            version: found.image.header().version.write(first),
            hash: hash.as_ref().map(<[u8; 32]>::as_slice),
            bootable: true,
            active: true,
            confirmed: !on_trial,
            ..StateEntry::default()
        });
        let other = secondary.as_ref().map(|(found, hash)| StateEntry {
            slot: 1,
            version: found.image.header().version.write(second),
            hash: hash.as_ref().map(<[u8; 32]>::as_slice),
            bootable: true,
            pending,
            permanent,
            // What the board goes back to is the last image that proved itself.
            confirmed: on_trial,
            ..StateEntry::default()
        });
        let both = [running.unwrap_or_default(), other.unwrap_or_default()];
        let entries = match (running.is_some(), other.is_some()) {
            (true, true) => both.as_slice(),
            (true, false) => both.get(..1).unwrap_or_default(),
            (false, true) => both.get(1..).unwrap_or_default(),
            (false, false) => &[],
        };
        self.answer(link, asker, Ok(Response::Img(Answer::State(entries.into()))));
    }

    #[inline(never)]
    fn slot_info<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F, asker: Asker) {
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
        let max_image_size = Some(max_image_size(flash));
        let images = [ImageSlots {
            image: 0,
            slots: slots.as_slice().into(),
            max_image_size,
        }];
        self.answer(
            link,
            asker,
            Ok(Response::Img(Answer::SlotInfo(images.as_slice().into()))),
        );
    }

    fn begin_erase<F: Flash>(&mut self, flash: &mut F, asker: Asker, slot: u32) -> Result<Job, Refused> {
        if slot != 1 {
            return Err(ImageError::InvalidSlot.into());
        }
        self.may_change(flash)?;
        self.note_change();
        self.upload = None;
        Ok(Job::Erasing(asker, 0))
    }

    /// Erases from the slot's end down: the trailer goes first, so that no request outlives its image.
    #[inline(never)]
    pub(super) fn erase<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        done: u32,
    ) -> Step {
        let shape = flash.geometry(Area::Secondary);
        let mut done = done;
        while done < shape.size {
            done += shape.erase;
            let at = shape.size - done;
            if !is_blank(flash, Area::Secondary, at, shape.erase) {
                match flash.erase(Area::Secondary, at) {
                    Ok(()) => self.job = Job::Erasing(asker, done),
                    Err(_) => self.answer(link, asker, Err(ImageError::FlashEraseFailed.into())),
                }
                return Step::Working;
            }
        }
        self.answer(link, asker, Ok(Response::Img(Answer::Erase)));
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
