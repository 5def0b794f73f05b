//! Whether an image fits a board: size, vendor, class and start address. Updaters and boards ask the same function, so
//! that they cannot disagree. Trust is another question: see [`Image::verify`].

use crate::error::{Detail, detail};
use crate::{Error, Image, Source};

/// What a board asks of the images in its primary slot. What is `None` is not checked: an updater may not know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Vendor as a UUID (imgtool `--vid`).
    pub vendor: Option<[u8; 16]>,
    /// Class of boards as a UUID (imgtool `--cid`).
    pub class: Option<[u8; 16]>,
    /// Address and size in bytes of the slot that images run from.
    pub slot: Option<(u32, u32)>,
    /// Bytes of the largest image, from its header to its last TLV.
    pub max_size: Option<u32>,
    /// Whether an image must have a security counter (imgtool `--security-counter`).
    pub counter: bool,
}

/// Why an image does not fit a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is larger than the board can install.
    TooLarge {
        /// The image's length in bytes.
        size: Detail<u32>,
        /// Bytes of the largest image.
        max: Detail<u32>,
    },
    /// It names another vendor, or none.
    Vendor {
        /// The vendor that the image names.
        image: Detail<Option<[u8; 16]>>,
        /// The board's.
        board: Detail<[u8; 16]>,
    },
    /// It names another class of boards, or none.
    Class {
        /// The class that the image names.
        image: Detail<Option<[u8; 16]>>,
        /// The board's.
        board: Detail<[u8; 16]>,
    },
    /// It starts outside the slot.
    Address {
        /// Where its reset vector points, without the Thumb bit.
        start: Detail<u32>,
        /// Address of the slot's first byte.
        slot: Detail<u32>,
        /// Bytes of the slot.
        size: Detail<u32>,
    },
    /// Its payload has no room for a reset vector.
    NoResetVector,
    /// It has no security counter.
    NoCounter,
}

impl Image {
    /// Checks the image against a board's requirements. Where the board has a vendor or a class, the image must name the
    /// same. A board without a class leaves the reset vector to tell: it must lie inside the slot.
    ///
    /// # Errors
    /// A failed read of the reset vector; `Ok(Err(..))` is the first reason that speaks against the image.
    pub fn fit<S: Source>(
        &self,
        source: &mut S,
        board: &Requirements,
    ) -> Result<Result<(), Misfit>, S::Error> {
        let size = self.total_len();
        if let Some(max) = board.max_size
            && size > max
        {
            return Ok(Err(Misfit::TooLarge {
                size: detail(|| size),
                max: detail(|| max),
            }));
        }
        if let Some(vendor) = board.vendor
            && self.vid() != board.vendor
        {
            return Ok(Err(Misfit::Vendor {
                image: detail(|| self.vid()),
                board: detail(|| vendor),
            }));
        }
        if board.counter && self.security_counter().is_none() {
            return Ok(Err(Misfit::NoCounter));
        }
        if let Some(class) = board.class {
            return Ok(if self.cid() == board.class {
                Ok(())
            } else {
                Err(Misfit::Class {
                    image: detail(|| self.cid()),
                    board: detail(|| class),
                })
            });
        }
        let Some((slot, size)) = board.slot else {
            return Ok(Ok(()));
        };
        let start = match self.reset_vector(source) {
            // Bit 0 of a Cortex-M's reset vector is the Thumb bit.
            Ok(vector) => vector & !1,
            Err(Error::Source(error)) => return Err(error),
            Err(Error::Format(_) | Error::Refused(_)) => return Ok(Err(Misfit::NoResetVector)),
        };
        Ok(if start.wrapping_sub(slot) < size {
            Ok(())
        } else {
            Err(Misfit::Address {
                start: detail(|| start),
                slot: detail(|| slot),
                size: detail(|| size),
            })
        })
    }
}
