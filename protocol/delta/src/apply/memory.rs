//! What an applier reads and writes: flash, and pages of it.

/// Bytes of a page: what one [`step`](super::Applier::step) makes at most.
pub const PAGE: usize = 256;
/// Flash, as an [`Applier`](super::Applier) reads it. It never writes.
pub trait Memory {
    /// Reads the base: the image that the board runs. At most 8 bytes, and never beyond the base's length.
    fn read_base(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable>;
    /// Reads pages of the target that have been programmed already, at most 8 bytes; offsets as in [`Step::Page`](super::Step::Page).
    fn read_target(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable>;
}

/// Memory could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;
