//! The memory that the companion may touch, and nothing else.
//!
//! The core names memory by [`Area`] and offset, never by address: the bootloader's own region has no name
//! here, so no path of the core can ask for it. A board maps areas to chips; one area may lie in internal
//! flash and another in external SPI flash, FRAM or a file.

use bootlace_image::Sha256;

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

    /// Programs, and takes the same bytes into a digest: a board whose processor waits for its flash does that meanwhile.
    ///
    /// # Errors
    /// Any [`FlashError`]; the digest is of no use then.
    fn program_and_hash(
        &mut self,
        area: Area,
        offset: u32,
        data: &[u8],
        hash: &mut Sha256,
    ) -> Result<(), FlashError> {
        self.program(area, offset, data)?;
        hash.update(data);
        Ok(())
    }

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

/// Whether an area holds these bytes from `offset` on. What cannot be read is not there.
pub fn holds<F: Flash>(flash: &mut F, area: Area, offset: u32, bytes: &[u8]) -> bool {
    let mut at = offset;
    bytes.chunks(64).all(|wanted| {
        let mut chunk = [0; 64];
        let part = chunk.get_mut(..wanted.len()).unwrap_or_default();
        let is_read = flash.read(area, at, part).is_ok();
        at += 64;
        is_read && part == wanted
    })
}
