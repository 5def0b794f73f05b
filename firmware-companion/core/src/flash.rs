//! The memory that the companion may touch, and nothing else.
//!
//! The core names memory by [`Area`] and offset, never by address: the bootloader's own region has no name
//! here, so no path of the core can ask for it. A board maps areas to chips; one area may lie in internal
//! flash and another in external SPI flash, FRAM or a file.

use core::marker::PhantomData;

/// The largest number of bytes that one [`Flash::program`] is asked to write: one bounded operation.
pub const CHUNK: usize = 256;

/// The largest write unit in bytes; MCUboot's trailers know no larger alignment.
pub const MAX_WRITE: usize = 32;

/// A part of the board's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The slot that images run from.
    Primary,
    /// The slot that uploads go to, and that keeps the previous image.
    Secondary,
    /// Two erase units for the companion's own records (swap progress, counter, attempts, journal): each holds at least 24
    /// of them, which take 16 bytes or a write unit, whichever is more.
    State,
    /// An image from the factory for when nothing else can run; its size is 0 where the board has none. It is only read.
    Golden,
}

/// Shape of one area, all in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Where the processor sees the area's first byte (an image's reset vector must lie in the primary slot).
    pub address: u32,
    /// Size; a multiple of `erase`.
    pub size: u32,
    /// Smallest part that can be erased; a multiple of `write`.
    pub erase: u32,
    /// Smallest part that can be programmed, and the alignment of every program: 1 to 32, a power of two.
    pub write: u32,
}

/// Why the memory did not do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// Outside the area.
    OutOfRange,
    /// Offset or length is no multiple of the write or erase size.
    Misaligned,
    /// A program of a word that was not erased, where the chip forbids it.
    NotErased,
    /// The chip refused or failed; on flash with error correction a torn word fails to read.
    Hardware,
}

/// NOR flash, or what behaves like it: erased bytes read 0xFF, programming only clears bits.
pub trait Flash {
    /// The shape of an area: constant for the life of the board.
    fn geometry(&self, area: Area) -> Geometry;

    /// Fills `out` from `offset` on.
    ///
    /// # Errors
    /// [`FlashError::OutOfRange`], or [`FlashError::Hardware`] for a word that cannot be read.
    fn read(&mut self, area: Area, offset: u32, out: &mut [u8]) -> Result<(), FlashError>;

    /// Programs at most [`CHUNK`] bytes.
    ///
    /// # Errors
    /// Any [`FlashError`].
    fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError>;

    /// Erases the one erase unit that starts at `offset`.
    ///
    /// # Errors
    /// Any [`FlashError`].
    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError>;
}

/// Whether `len` bytes from `offset` all read as erased. A byte that cannot be read is not blank.
pub fn is_blank<F: Flash>(flash: &mut F, area: Area, offset: u32, len: u32) -> bool {
    let mut chunk = [0; 64];
    let mut done = 0;
    while done < len {
        let take = (len - done).min(64);
        let Some(part) = chunk.get_mut(..take as usize) else {
            return false;
        };
        if flash.read(area, offset + done, part).is_err() || part.iter().any(|&byte| byte != 0xFF) {
            return false;
        }
        done += take;
    }
    true
}

/// Where each area lies on one chip.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// The primary slot.
    pub primary: Region,
    /// The secondary slot.
    pub secondary: Region,
    /// The two erase units of state.
    pub state: Region,
    /// The golden image, where the board has one.
    pub golden: Option<Region>,
}

/// A run of whole erase units on a chip.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Offset from the chip's first byte.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
    /// Erase unit in this region: chips such as STM32F4 have several sizes.
    pub erase: u32,
}

const NOWHERE: Region = Region {
    offset: 0,
    size: 0,
    erase: 1,
};

/// A board whose areas all lie on one chip. Constants, because a shape that the compiler knows costs a bootloader's flash
/// nearly nothing: divisions become shifts, and rules for other shapes go away.
pub trait Chip {
    /// Where the processor sees the chip's first byte.
    const BASE: u32;
    /// Where each area lies.
    const MAP: Map;
}

/// All areas on one `embedded-storage` chip `C`, as most boards have it, where `B` says.
pub struct OneChip<C, B> {
    chip: C,
    board: PhantomData<B>,
}

impl<C, B: Chip> OneChip<C, B> {
    /// The areas of `B` on `chip`.
    pub fn new(chip: C) -> Self {
        OneChip {
            chip,
            board: PhantomData,
        }
    }

    /// The chip, for what the map does not cover.
    pub fn chip(&mut self) -> &mut C {
        &mut self.chip
    }

    #[inline(always)]
    fn region(area: Area) -> Region {
        match area {
            Area::Primary => B::MAP.primary,
            Area::Secondary => B::MAP.secondary,
            Area::State => B::MAP.state,
            Area::Golden => B::MAP.golden.unwrap_or(NOWHERE),
        }
    }

    fn locate(area: Area, offset: u32, len: usize) -> Result<u32, FlashError> {
        let region = Self::region(area);
        let len = u32::try_from(len).map_err(|_| FlashError::OutOfRange)?;
        let end = offset.checked_add(len).ok_or(FlashError::OutOfRange)?;
        if end > region.size {
            Err(FlashError::OutOfRange)
        } else {
            Ok(region.offset + offset)
        }
    }
}

/// The golden image is never written: it is what is left when everything else is lost.
fn writable(area: Area) -> Result<Area, FlashError> {
    match area {
        Area::Golden => Err(FlashError::OutOfRange),
        _ => Ok(area),
    }
}

impl<C: embedded_storage::nor_flash::NorFlash, B: Chip> Flash for OneChip<C, B> {
    #[inline(always)]
    fn geometry(&self, area: Area) -> Geometry {
        let region = Self::region(area);
        Geometry {
            address: B::BASE + region.offset,
            size: region.size,
            erase: region.erase,
            write: C::WRITE_SIZE as u32,
        }
    }

    fn read(&mut self, area: Area, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        let at = Self::locate(area, offset, out.len())?;
        self.chip.read(at, out).map_err(|_| FlashError::Hardware)
    }

    fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError> {
        let at = Self::locate(writable(area)?, offset, data.len())?;
        self.chip.write(at, data).map_err(|_| FlashError::Hardware)
    }

    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        let unit = Self::region(writable(area)?).erase;
        let at = Self::locate(area, offset, unit as usize)?;
        self.chip.erase(at, at + unit).map_err(|_| FlashError::Hardware)
    }
}
