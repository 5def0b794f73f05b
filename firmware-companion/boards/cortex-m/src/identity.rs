//! The board's identity block in flash.

use bootlace_core::board::Identity;
use bootlace_identity::{Keys, LEN, of_board};

/// Puts the block that the build wrote where the board's `memory.x` has a region for it: to be used once, in a bootloader's
/// `main.rs`.
#[macro_export]
macro_rules! identity_block {
    () => {
        #[allow(
            unsafe_code,
            reason = "the linker puts it where everybody looks for it"
        )]
        #[used]
        #[unsafe(link_section = ".identity")]
        static IDENTITY: [u8; 256] = *include_bytes!(concat!(env!("OUT_DIR"), "/identity.bin"));
    };
}

/// Who the board is, by the block at `address`, which is memory-mapped flash; `serial` is the chip's own number. A block that
/// says nothing, or whose key is of a kind that this build does not check, makes a board that trusts no key.
pub fn stored_identity<'a>(address: usize, serial: &'a str, keys: &'a mut Keys) -> Identity<'a> {
    #[allow(unsafe_code, reason = "flash is memory")]
    // SAFETY: the board's own constant names bytes of flash, in the bootloader's region that nobody writes.
    let block: &[u8; LEN] = unsafe { &*(address as *const [u8; LEN]) };
    of_board(block, serial, keys)
}
