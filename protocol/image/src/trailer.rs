//! The end of a slot: how bootloader and application tell each other what to run.
//!
//! The layout is MCUboot's (`bootutil_public.h`), so that applications written for it confirm themselves unchanged.
//! From the slot's end: the magic, then `image_ok`, `copy_done`, `swap_info` and `swap_size`, each in a unit of its
//! own of the maximum write alignment. Everything starts erased; a flag is set by writing 01.

use crate::Source;

/// The magic for a maximum alignment of 8 bytes.
pub const MAGIC: [u8; 16] = [
    0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80,
];
/// The end of the magic for larger alignments; the alignment itself, 16 bits, comes before it.
pub const MAGIC_TAIL: [u8; 14] = [
    0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a,
];
/// Bytes of the magic.
pub const MAGIC_LEN: u32 = 16;
/// What a set flag reads as (`BOOT_FLAG_SET`).
pub const SET: u8 = 0x01;
/// What erased flash reads as.
pub const ERASED: u8 = 0xff;
/// Largest maximum alignment, and so the most bytes of one write into a trailer.
pub const MAX_ALIGN: usize = 32;

/// Where a trailer's fields lie, for a maximum write alignment (`BOOT_MAX_ALIGN`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailerLayout {
    align: u32,
}

impl Default for TrailerLayout {
    /// A maximum alignment of 8, which suits flash written in units of up to 8 bytes.
    fn default() -> Self {
        Self { align: 8 }
    }
}

impl TrailerLayout {
    /// A layout for `align` bytes: 8, 16 or 32.
    pub const fn new(align: u32) -> Option<Self> {
        match align {
            8 | 16 | 32 => Some(Self { align }),
            _ => None,
        }
    }

    /// The maximum write alignment in bytes.
    pub const fn align(self) -> u32 {
        self.align
    }

    /// The magic of this layout.
    pub fn magic(self) -> [u8; 16] {
        if self.align == 8 {
            return MAGIC;
        }
        let mut magic = [0; 16];
        let (align, tail) = magic.split_at_mut(2);
        align.copy_from_slice(&(self.align as u16).to_le_bytes());
        tail.copy_from_slice(&MAGIC_TAIL);
        magic
    }

    /// Where a field's own bytes start, counted back from the slot's end.
    ///
    /// The slot's size is a multiple of the alignment; subtract this from it.
    pub const fn from_end(self, field: Field) -> u32 {
        let magic = self.magic_space();
        match field {
            Field::Magic => MAGIC_LEN,
            Field::ImageOk => magic + self.align,
            Field::CopyDone => magic + 2 * self.align,
            Field::SwapInfo => magic + 3 * self.align,
            Field::SwapSize => magic + 4 * self.align,
        }
    }

    /// Where a field starts in a slot of so many bytes. A slot shorter than its trailer is read past its end, which the
    /// source refuses.
    fn place(self, slot_len: u32, field: Field) -> u32 {
        slot_len.checked_sub(self.from_end(field)).unwrap_or(u32::MAX)
    }

    /// Bytes of the whole trailer: the fields above and MCUboot's swap status, three marks of `write_size` bytes for
    /// each of `max_sectors`. An image may not reach into it.
    pub const fn size(self, write_size: u32, max_sectors: u32) -> u32 {
        self.from_end(Field::SwapSize) + max_sectors * 3 * write_size
    }

    /// Bytes that the magic takes, in whole units. The alignment is never 0; said so that no panic is linked.
    const fn magic_space(self) -> u32 {
        match MAGIC_LEN.checked_next_multiple_of(self.align) {
            Some(space) => space,
            None => MAGIC_LEN,
        }
    }

    /// What to write to mark a slot: the magic, filled up to whole units.
    pub fn write_magic(self) -> Write {
        let mut write = Write {
            from_end: self.magic_space(),
            bytes: [ERASED; MAX_ALIGN],
            len: 0,
        };
        write.len = write.from_end as usize;
        let start = write.len.saturating_sub(16);
        if let Some(place) = write.bytes.get_mut(start..write.len) {
            place.copy_from_slice(&self.magic());
        }
        write
    }

    /// What to write to set a flag.
    pub fn write_flag(self, flag: Flag) -> Write {
        let field = match flag {
            Flag::ImageOk => Field::ImageOk,
            Flag::CopyDone => Field::CopyDone,
        };
        self.write_byte(field, SET)
    }

    /// What to write to note a swap of image `image` (0 to 14).
    pub fn write_swap_info(self, swap: SwapType, image: u8) -> Write {
        self.write_byte(Field::SwapInfo, (image << 4) | swap as u8)
    }

    #[inline(never)]
    fn write_byte(self, field: Field, byte: u8) -> Write {
        let mut bytes = [ERASED; MAX_ALIGN];
        bytes[0] = byte;
        Write {
            from_end: self.from_end(field),
            bytes,
            len: self.align as usize,
        }
    }
}

/// A field of the trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The magic, 16 bytes.
    Magic,
    /// Set by the application once it is content with itself, 1 byte.
    ImageOk,
    /// Set by the bootloader when a swap is complete, 1 byte.
    CopyDone,
    /// The swap under way, 1 byte.
    SwapInfo,
    /// Bytes to swap, 4 bytes little-endian.
    SwapSize,
}

/// A flag that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// See [`Field::ImageOk`].
    ImageOk,
    /// See [`Field::CopyDone`].
    CopyDone,
}

/// One aligned write into a trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// Where it starts, counted back from the slot's end.
    pub from_end: u32,
    bytes: [u8; MAX_ALIGN],
    len: usize,
}

impl Write {
    /// What to write: a multiple of the maximum alignment.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// What a magic or a flag reads as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Written as it should be.
    Set,
    /// Erased.
    Unset,
    /// Anything else: a torn write, or something that was never a trailer.
    Bad,
}

/// What a swap is for; the numbers are MCUboot's `BOOT_SWAP_TYPE_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SwapType {
    /// Run what is there.
    None = 1,
    /// Run the other image once; it confirms itself or is swapped back.
    Test = 2,
    /// Run the other image for good.
    Permanent = 3,
    /// Swap back: the image on trial did not confirm itself.
    Revert = 4,
}

/// The trailer of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Whether the slot is marked at all.
    pub magic: Mark,
    /// Whether its image is confirmed.
    pub image_ok: Mark,
    /// Whether the swap that brought it is complete.
    pub copy_done: Mark,
    /// The swap that was noted, if any.
    pub swap: SwapType,
    /// The image that swap is about.
    pub image: u8,
}

impl Trailer {
    /// The trailer of an erased slot.
    pub const ERASED: Self = Self {
        magic: Mark::Unset,
        image_ok: Mark::Unset,
        copy_done: Mark::Unset,
        swap: SwapType::None,
        image: 0,
    };

    /// Reads the trailer at the end of `slot`, whose length is the slot's.
    ///
    /// # Errors
    /// The source's own. A board on which torn words cannot be read uses [`Trailer::read_lenient`].
    pub fn read<S: Source>(layout: TrailerLayout, slot: &mut S) -> Result<Self, S::Error> {
        let mut fields = Fields::default();
        for (field, place) in fields.places() {
            slot.read(layout.place(slot.len(), field), place)?;
        }
        Ok(fields.decode(layout))
    }

    /// The same, with a field that cannot be read taken as [`Mark::Bad`]: it was torn while being written.
    pub fn read_lenient<S: Source>(layout: TrailerLayout, slot: &mut S) -> Self {
        // Neither erased nor written, so that it decodes as bad.
        const TORN: u8 = 0x00;
        let mut fields = Fields::default();
        for (field, place) in fields.places() {
            if slot.read(layout.place(slot.len(), field), place).is_err() {
                place.fill(TORN);
            }
        }
        fields.decode(layout)
    }

    /// Decodes the bytes of the fields.
    pub fn decode(
        layout: TrailerLayout,
        magic: &[u8; 16],
        image_ok: u8,
        copy_done: u8,
        swap_info: u8,
    ) -> Self {
        let magic = if *magic == layout.magic() {
            Mark::Set
        } else if *magic == [ERASED; 16] {
            Mark::Unset
        } else {
            Mark::Bad
        };
        let flag = |byte| match byte {
            SET => Mark::Set,
            ERASED => Mark::Unset,
            _ => Mark::Bad,
        };
        let (swap, image) = match (swap_info & 0x0f, swap_info >> 4) {
            (2, image) => (SwapType::Test, image),
            (3, image) => (SwapType::Permanent, image),
            (4, image) => (SwapType::Revert, image),
            (1, image) => (SwapType::None, image),
            _ => (SwapType::None, 0),
        };
        Self {
            magic,
            image_ok: flag(image_ok),
            copy_done: flag(copy_done),
            swap,
            image,
        }
    }
}

/// The fields as they were read.
#[derive(Default)]
struct Fields {
    magic: [u8; 16],
    image_ok: [u8; 1],
    copy_done: [u8; 1],
    swap_info: [u8; 1],
}

impl Fields {
    fn places(&mut self) -> [(Field, &mut [u8]); 4] {
        [
            (Field::Magic, &mut self.magic),
            (Field::ImageOk, &mut self.image_ok),
            (Field::CopyDone, &mut self.copy_done),
            (Field::SwapInfo, &mut self.swap_info),
        ]
    }

    fn decode(&self, layout: TrailerLayout) -> Trailer {
        let ([image_ok], [copy_done], [swap_info]) = (self.image_ok, self.copy_done, self.swap_info);
        Trailer::decode(layout, &self.magic, image_ok, copy_done, swap_info)
    }
}

/// What to do at boot, given both slots' trailers (MCUboot's `boot_swap_tables`, in its order: what stands in the
/// secondary slot goes first).
pub fn decide(primary: &Trailer, secondary: &Trailer) -> SwapType {
    match (secondary.magic, secondary.image_ok) {
        (Mark::Set, Mark::Unset) => SwapType::Test,
        (Mark::Set, Mark::Set) => SwapType::Permanent,
        _ => match (primary.magic, primary.copy_done, primary.image_ok) {
            (Mark::Set, Mark::Set, Mark::Unset) => SwapType::Revert,
            _ => SwapType::None,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn apply(slot: &mut [u8], write: &Write) {
        let start = slot.len() - write.from_end as usize;
        slot[start..start + write.bytes().len()].copy_from_slice(write.bytes());
    }

    fn read(layout: TrailerLayout, slot: &[u8]) -> Trailer {
        let mut source = slot;
        Trailer::read(layout, &mut source).unwrap()
    }

    #[test]
    fn fields_lie_where_mcuboot_puts_them() {
        let layout = TrailerLayout::default();
        let at = [
            Field::Magic,
            Field::ImageOk,
            Field::CopyDone,
            Field::SwapInfo,
            Field::SwapSize,
        ]
        .map(|field| layout.from_end(field));
        assert_eq!(at, [16, 24, 32, 40, 48]);
        // imgtool 2.5.0 reserves as much for --align 8 --max-sectors 128.
        assert_eq!(layout.size(8, 128), 48 + 128 * 3 * 8);
        assert_eq!(TrailerLayout::new(32).unwrap().from_end(Field::ImageOk), 64);
        assert_eq!(TrailerLayout::new(16).unwrap().from_end(Field::SwapInfo), 64);
        assert_eq!(TrailerLayout::new(4), None);
    }

    #[test]
    fn what_is_written_is_read_in_every_layout() {
        for align in [8, 16, 32] {
            let layout = TrailerLayout::new(align).unwrap();
            let mut slot = vec![ERASED; 512];
            assert_eq!(read(layout, &slot), Trailer::ERASED);
            let mut expected = Trailer::ERASED;
            apply(&mut slot, &layout.write_magic());
            expected.magic = Mark::Set;
            assert_eq!(read(layout, &slot), expected, "align {align}");
            apply(&mut slot, &layout.write_flag(Flag::CopyDone));
            expected.copy_done = Mark::Set;
            assert_eq!(read(layout, &slot), expected, "align {align}");
            apply(&mut slot, &layout.write_swap_info(SwapType::Revert, 3));
            (expected.swap, expected.image) = (SwapType::Revert, 3);
            assert_eq!(read(layout, &slot), expected, "align {align}");
            apply(&mut slot, &layout.write_flag(Flag::ImageOk));
            expected.image_ok = Mark::Set;
            assert_eq!(read(layout, &slot), expected, "align {align}");
        }
    }

    #[test]
    fn a_torn_mark_is_neither_set_nor_unset() {
        let layout = TrailerLayout::default();
        let mut slot = vec![ERASED; 64];
        apply(&mut slot, &layout.write_magic());
        slot[63] = ERASED;
        slot[64 - 24] = 0x81;
        let trailer = read(layout, &slot);
        assert_eq!((trailer.magic, trailer.image_ok), (Mark::Bad, Mark::Bad));
        let mut short = &slot[..40];
        assert!(Trailer::read(layout, &mut short).is_ok());
        let mut short = &slot[..39];
        assert!(Trailer::read(layout, &mut short).is_err());
        let mut shorter = &slot[..8];
        let torn = Trailer {
            magic: Mark::Bad,
            image_ok: Mark::Bad,
            copy_done: Mark::Bad,
            ..Trailer::ERASED
        };
        assert_eq!(Trailer::read_lenient(layout, &mut shorter), torn);
    }

    /// MCUboot's table, row by row, against every combination of marks.
    #[test]
    fn swap_decisions_equal_mcuboots() {
        // (primary magic, primary image_ok, primary copy_done, secondary magic, secondary image_ok) -> type
        type Row = ([Option<Mark>; 5], SwapType);
        const ANY: Option<Mark> = None;
        let table: [Row; 3] = [
            (
                [ANY, ANY, ANY, Some(Mark::Set), Some(Mark::Unset)],
                SwapType::Test,
            ),
            (
                [ANY, ANY, ANY, Some(Mark::Set), Some(Mark::Set)],
                SwapType::Permanent,
            ),
            (
                [Some(Mark::Set), Some(Mark::Unset), Some(Mark::Set), ANY, ANY],
                SwapType::Revert,
            ),
        ];
        let marks = [Mark::Set, Mark::Unset, Mark::Bad];
        let mut seen = Vec::new();
        for index in 0..3usize.pow(5) {
            let state: [Mark; 5] = core::array::from_fn(|at| marks[index / 3usize.pow(at as u32) % 3]);
            let row = table.iter().find(|(row, _)| {
                row.iter()
                    .zip(state)
                    .all(|(want, is)| want.is_none_or(|w| w == is))
            });
            let expected = row.map_or(SwapType::None, |(_, swap)| *swap);
            let [magic, image_ok, copy_done, magic2, image_ok2] = state;
            let primary = Trailer {
                magic,
                image_ok,
                copy_done,
                ..Trailer::ERASED
            };
            let secondary = Trailer {
                magic: magic2,
                image_ok: image_ok2,
                ..Trailer::ERASED
            };
            assert_eq!(decide(&primary, &secondary), expected, "{state:?}");
            if !seen.contains(&(expected as u8)) {
                seen.push(expected as u8);
            }
        }
        assert_eq!(seen.len(), 4);
    }
}
