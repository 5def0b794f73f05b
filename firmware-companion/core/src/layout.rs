//! Where images lie in the slots, how large they may be, and how they are exchanged. Nothing else computes any of it.

use crate::flash::{Area, Flash};

/// How a board installs images. A board whose flash has no room for two images will need another variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Two slots exchange their images, unit by unit: see [`install::swap`](crate::install::swap).
    ///
    /// ```text
    /// primary    image ............. (blank) | trailer unit
    /// secondary  image or spare unit, image . (blank) | trailer unit
    /// ```
    ///
    /// An upload starts at the secondary slot's first byte, an image that a swap saved there or one unit above. The
    /// trailer unit holds MCUboot's trailer at its end and, in the secondary slot, the ledger of an upload before that.
    Swap,
}

impl Layout {
    /// The layout of the board that this flash belongs to.
    pub fn of<F: Flash>(_: &F) -> Self {
        Layout::Swap
    }

    /// Bytes of the unit in which images are moved: the larger of both slots' erase units.
    pub fn unit<F: Flash>(self, flash: &F) -> u32 {
        match self {
            Layout::Swap => {
                let (primary, secondary) = (flash.geometry(Area::Primary), flash.geometry(Area::Secondary));
                primary.erase.max(secondary.erase)
            }
        }
    }

    /// Bytes of the largest image that can be installed: both slots hold it beside their trailers, the secondary one
    /// beside the spare unit as well.
    pub fn max_image_size<F: Flash>(self, flash: &F) -> u32 {
        match self {
            Layout::Swap => {
                let unit = self.unit(flash);
                let primary = (flash.geometry(Area::Primary).size / unit).saturating_sub(1);
                let secondary = (flash.geometry(Area::Secondary).size / unit).saturating_sub(2);
                primary.min(secondary) * unit
            }
        }
    }

    /// Bytes of the largest image that may run from this area, or be installed from it. What is in the primary slot
    /// already runs, even if it is too large to be exchanged.
    pub fn capacity<F: Flash>(self, flash: &F, area: Area) -> u32 {
        match area {
            Area::Primary => self.image_end(flash, area),
            Area::Secondary | Area::Golden => self.max_image_size(flash),
            Area::State => 0,
        }
    }

    /// Offset of the first byte of an area that no image may use. In a slot that is the trailer unit, which has
    /// [`Layout::unit`] bytes; the golden image has no trailer.
    pub fn image_end<F: Flash>(self, flash: &F, area: Area) -> u32 {
        let size = flash.geometry(area).size;
        match area {
            Area::Golden => size,
            Area::State => 0,
            Area::Primary | Area::Secondary => size.saturating_sub(self.unit(flash)),
        }
    }

    /// Offset at which an area's image starts if it does not start at the first byte.
    pub fn second_start<F: Flash>(self, flash: &F, area: Area) -> Option<u32> {
        match self {
            Layout::Swap => (area == Area::Secondary).then(|| self.unit(flash)),
        }
    }

    /// Offset of the first unit of an area in which no image starts.
    pub fn heads_end<F: Flash>(self, flash: &F, area: Area) -> u32 {
        self.unit(flash) + self.second_start(flash, area).unwrap_or(0)
    }

    /// Units that `len` bytes take, the last perhaps in part.
    pub fn units<F: Flash>(self, flash: &F, len: u32) -> u16 {
        u16::try_from(len.div_ceil(self.unit(flash))).unwrap_or(u16::MAX)
    }
}
