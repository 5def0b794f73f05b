//! Whether a Cortex-M can start an image: the first two words of its vector table. For updaters and for the simulator; a
//! board that starts such an image crashes, and takes the image back.

use crate::{Flags, Image, Source};

/// Why no Cortex-M can start an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Unstartable {
    /// The payload has no room for a stack pointer and a reset vector.
    Empty {
        /// Bytes of the payload.
        size: u32,
    },
    /// The vector table does not lie at a multiple of [`TABLE_ALIGNMENT`].
    Misaligned {
        /// Bytes of the header, which the table follows.
        header: u16,
    },
    /// The stack pointer does not point into RAM.
    Stack {
        /// Where it points.
        stack: u32,
    },
    /// The reset vector has no Thumb bit: a Cortex-M runs nothing else.
    NoThumb {
        /// The reset vector.
        reset: u32,
    },
    /// The reset vector points outside the payload.
    Outside {
        /// Where it points, without the Thumb bit.
        start: u32,
        /// Address of the payload's first byte.
        first: u32,
        /// Bytes of the payload.
        size: u32,
    },
}

/// Bytes; the lowest seven bits of an ARMv7-M's VTOR are always 0, the lowest eight of an ARMv6-M's.
pub const TABLE_ALIGNMENT: u32 = 128;

/// Memory that a Cortex-M may keep a stack in (Armv7-M ARM, B3.1): RAM that some chips have in the upper part of the code
/// region, SRAM, external RAM. A stack pointer may be the address just behind.
const RAM: [core::ops::RangeInclusive<u32>; 2] = [0x1000_0000..=0x4000_0000, 0x6000_0000..=0xA000_0000];

impl Image {
    /// Whether a Cortex-M can start the image, once it lies at the address `slot`; without that, at the one that it is
    /// linked for, if it says so. What is encrypted or compressed can't be looked at, and passes.
    ///
    /// # Errors
    /// A failed read; `Ok(Err(..))` is the first reason that speaks against the image.
    pub fn startable<S: Source>(
        &self,
        source: &mut S,
        slot: Option<u32>,
    ) -> Result<Result<(), Unstartable>, S::Error> {
        let header = self.header();
        if header.flags.is_encrypted() || header.flags.is_compressed() {
            return Ok(Ok(()));
        }
        let size = header.image_size;
        if size < 8 {
            return Ok(Err(Unstartable::Empty { size }));
        }
        let mut words = [[0; 4]; 2];
        source.read(u32::from(header.header_size), words.as_flattened_mut())?;
        let [stack, reset] = words.map(u32::from_le_bytes);
        let linked = header.flags.contains(Flags::ROM_FIXED);
        let first = slot
            .or(linked.then_some(header.load_addr))
            .map(|slot| slot.wrapping_add(u32::from(header.header_size)));
        let inside = |address: u32| first.is_some_and(|first| address.wrapping_sub(first) < size);
        // Slots begin at pages of flash, which are larger.
        let table = first.unwrap_or(u32::from(header.header_size));
        Ok(if !table.is_multiple_of(TABLE_ALIGNMENT) {
            Err(Unstartable::Misaligned {
                header: header.header_size,
            })
        } else if stack % 4 != 0 || inside(stack) || !RAM.iter().any(|ram| ram.contains(&stack)) {
            Err(Unstartable::Stack { stack })
        } else if reset & 1 == 0 {
            Err(Unstartable::NoThumb { reset })
        } else {
            match first {
                Some(first) if !inside(reset & !1) => Err(Unstartable::Outside {
                    start: reset & !1,
                    first,
                    size,
                }),
                _ => Ok(()),
            }
        })
    }
}
