//! Where a piece of an upload ends.

/// Bytes of a page: what many flash chips program at once.
const PAGE: u32 = 256;
/// Bytes of pieces that end with a page.
const LARGE_PIECE: u32 = 4 * PAGE;

/// How many of `size` bytes from the offset `next` on a piece has that is not the last one. It ends on a write unit of `align` bytes, or
/// the board asks for the rest again; and a large one of an image with a page, of which a part takes as long to program as the whole.
pub(crate) const fn whole_units(next: u32, size: u32, align: u32, is_image: bool) -> u32 {
    let ends_pages = is_image && size >= LARGE_PIECE && PAGE.is_multiple_of(align);
    let unit = if ends_pages { PAGE } else { align };
    size - (next + size) % unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_piece_of_an_image_ends_with_a_page_and_others_with_a_write_unit() {
        assert_eq!(whole_units(0, 1500, 4, true), 1280);
        assert_eq!(whole_units(100, 1500, 4, true), 1536 - 100);
        assert_eq!(whole_units(100, 1023, 4, true), 1120 - 100);
        // A patch is not written as it comes.
        assert_eq!(whole_units(0, 1502, 4, false), 1500);
        // No page of 256 bytes holds whole units of so many.
        assert_eq!(whole_units(0, 1502, 24, true), 1488);
    }
}
