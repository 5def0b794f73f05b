//! The images in the slots: where they lie, and whether they may run on this board.

use bootlace_image::{Image, Misfit, Source};
use bootlace_smp::bootlace::{BootState, RollbackReason};

use crate::flash::{Area, Flash, FlashError};
use crate::layout::Layout;

/// An image's bytes in a slot, for [`bootlace_image`].
pub struct SlotSource<'f, F> {
    flash: &'f mut F,
    area: Area,
    base: u32,
    len: u32,
}

impl<'f, F: Flash> SlotSource<'f, F> {
    /// The slot from `base` on, without the unit that holds its trailer.
    pub fn new(flash: &'f mut F, area: Area, base: u32) -> Self {
        let end = Layout::of(flash).image_end(flash, area);
        SlotSource {
            len: end.saturating_sub(base),
            flash,
            area,
            base,
        }
    }
}

impl<F: Flash> Source for SlotSource<'_, F> {
    type Error = FlashError;

    fn len(&self) -> u32 {
        self.len
    }

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        let room = self.len.checked_sub(offset).ok_or(FlashError::OutOfRange)?;
        if out.len() as u64 > u64::from(room) {
            return Err(FlashError::OutOfRange);
        }
        self.flash.read(self.area, self.base + offset, out)
    }
}

/// An image found in a slot. Found says nothing about trust.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Which slot.
    pub area: Area,
    /// Where in the slot it starts, in bytes: 0, or one unit for a secondary image that a swap left there.
    pub base: u32,
    /// Its header and areas.
    pub image: Image,
}

impl Found {
    /// To be found.
    pub(crate) fn none() -> Self {
        Found {
            area: Area::Secondary,
            base: 0,
            image: Image::none(),
        }
    }

    /// The image's own digest TLV (what SMP calls its hash); `None` where there is none or it is not SHA-256.
    pub fn hash<F: Flash>(&self, flash: &mut F) -> Option<[u8; 32]> {
        let mut hash = [0; 32];
        self.hash_into(flash, &mut hash).then_some(hash)
    }

    /// The same, read to `out`; whether there is one.
    #[inline(never)]
    pub(crate) fn hash_into<F: Flash>(&self, flash: &mut F, out: &mut [u8; 32]) -> bool {
        let mut source = SlotSource::new(flash, self.area, self.base);
        self.image.sha256(&mut source, out)
    }

    /// Length in units, rounded up.
    pub fn units<F: Flash>(&self, flash: &F) -> u16 {
        Layout::of(flash).units(flash, self.image.total_len())
    }
}

/// The image in a slot, if there is one. In the secondary slot an upload starts at the slot's first byte, and the image
/// that a swap saved at the same place or one unit above; a swap leaves no header where no image is.
pub fn find<F: Flash>(flash: &mut F, area: Area) -> Option<Found> {
    let second = Layout::of(flash).second_start(flash, area);
    find_at(flash, area, 0).or_else(|| find_at(flash, area, second?))
}

fn find_at<F: Flash>(flash: &mut F, area: Area, base: u32) -> Option<Found> {
    let mut found = Found {
        area,
        base,
        image: Image::none(),
    };
    let loaded = found.image.load(&mut SlotSource::new(flash, area, base));
    loaded.ok().map(|()| found)
}

/// Why an image may not run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// There is none.
    Empty,
    /// It is larger than a swap can move.
    TooLarge,
    /// Form, digest or signature was refused.
    Refused,
    /// Its security counter is below the board's.
    TooOld,
    /// It names another vendor or class, or its reset vector lies outside the primary slot.
    WrongBoard,
    /// The flash could not be read.
    Unreadable,
}

impl From<Reject> for RollbackReason {
    fn from(reject: Reject) -> Self {
        match reject {
            Reject::TooOld => RollbackReason::TooOld,
            Reject::WrongBoard => RollbackReason::WrongBoard,
            Reject::TooLarge => RollbackReason::TooLarge,
            Reject::Empty => RollbackReason::NoImage,
            Reject::Refused | Reject::Unreadable => RollbackReason::BadImage,
        }
    }
}

impl From<Reject> for BootState {
    fn from(reject: Reject) -> Self {
        match reject {
            Reject::Empty => BootState::NoImage,
            Reject::TooOld => BootState::TooOld,
            Reject::Unreadable => BootState::FlashFailed,
            Reject::WrongBoard => BootState::WrongBoard,
            Reject::TooLarge | Reject::Refused => BootState::BadImage,
        }
    }
}

impl From<Misfit> for Reject {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::TooLarge { .. } => Reject::TooLarge,
            // It says nothing about how old it is.
            Misfit::NoCounter => Reject::TooOld,
            Misfit::Vendor { .. } | Misfit::Class { .. } | Misfit::Address { .. } | Misfit::NoResetVector => {
                Reject::WrongBoard
            }
        }
    }
}
