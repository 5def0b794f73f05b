//! Where an image is read from.

/// The largest single read from a [`Source`], in bytes.
pub const CHUNK: usize = 256;

/// Random access to the bytes of a file or a flash slot.
pub trait Source {
    /// Why a read failed: on a board, what its flash driver says.
    type Error;

    /// Size in bytes: of the file, or of the whole slot.
    fn len(&self) -> u32;

    /// Fills `out` (at most [`CHUNK`] bytes) from `offset` on.
    ///
    /// # Errors
    /// What the medium says: a torn word on flash with error correction faults, for instance.
    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Self::Error>;

    /// Whether there is nothing to read at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A read past the end of a byte slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

impl Source for &[u8] {
    type Error = OutOfRange;

    fn len(&self) -> u32 {
        u32::try_from(<[u8]>::len(self)).unwrap_or(u32::MAX)
    }

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), OutOfRange> {
        let start = usize::try_from(offset).map_err(|_| OutOfRange)?;
        let end = start.checked_add(out.len()).ok_or(OutOfRange)?;
        out.copy_from_slice(self.get(start..end).ok_or(OutOfRange)?);
        Ok(())
    }
}

impl<S: Source> Source for &mut S {
    type Error = S::Error;

    fn len(&self) -> u32 {
        (**self).len()
    }

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), S::Error> {
        (**self).read(offset, out)
    }
}
