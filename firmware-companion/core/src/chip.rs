//! All areas on one chip that an `embedded-storage` driver writes, as most boards have it.

use core::marker::PhantomData;

use bootlace_image::Sha256;
use embedded_storage::nor_flash::NorFlash;

use crate::flash::{Area, Flash, FlashError, Geometry};

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

impl Region {
    /// `count` erase units of `erase` bytes each, from unit number `first` of the chip on, where all before are as large.
    pub const fn units(erase: u32, first: u32, count: u32) -> Self {
        Region {
            offset: first * erase,
            size: count * erase,
            erase,
        }
    }
}

/// The golden image's region on a board without one.
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

/// A chip's driver: that of `embedded-storage`, and what that one has no words for.
pub trait Driver: NorFlash {
    /// Writes, and takes the same bytes into a digest: meanwhile, where the processor only waits.
    ///
    /// # Errors
    /// The chip's own; the digest is of no use then.
    fn write_and_hash(&mut self, at: u32, bytes: &[u8], hash: &mut Sha256) -> Result<(), Self::Error> {
        self.write(at, bytes)?;
        hash.update(bytes);
        Ok(())
    }
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

impl<C: Driver, B: Chip> Flash for OneChip<C, B> {
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

    fn program_and_hash(
        &mut self,
        area: Area,
        offset: u32,
        data: &[u8],
        hash: &mut Sha256,
    ) -> Result<(), FlashError> {
        let at = Self::locate(writable(area)?, offset, data.len())?;
        let written = self.chip.write_and_hash(at, data, hash);
        written.map_err(|_| FlashError::Hardware)
    }

    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        let unit = Self::region(writable(area)?).erase;
        let at = Self::locate(area, offset, unit as usize)?;
        self.chip.erase(at, at + unit).map_err(|_| FlashError::Hardware)
    }
}
