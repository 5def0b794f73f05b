//! Flash that the processor sees as memory.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlashErrorKind;

/// Copies `bytes.len()` bytes from `offset` of a flash that the processor sees at the addresses `flash`.
///
/// # Errors
/// [`NorFlashErrorKind::OutOfBounds`] where that is not all in this flash.
pub fn read_mapped(flash: Range<usize>, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
    let start = flash.start.checked_add(offset as usize);
    let start = start.filter(|start| start.checked_add(bytes.len()).is_some_and(|end| end <= flash.end));
    let start = start.ok_or(NorFlashErrorKind::OutOfBounds)?;
    #[allow(unsafe_code, reason = "flash is memory")]
    // SAFETY: the range lies in flash, which may be read at any time and is not part of any Rust object that changes;
    // `bytes` is RAM.
    unsafe {
        core::ptr::copy_nonoverlapping(start as *const u8, bytes.as_mut_ptr(), bytes.len());
    }
    Ok(())
}
