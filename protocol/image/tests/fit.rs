//! Whether an image fits a board: one test for each requirement.
#![allow(clippy::unwrap_used)]

use bootlace_image::builder::ImageBuilder;
use bootlace_image::{Image, Misfit, OutOfRange, Requirements, Source, TlvKind};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const VENDOR: [u8; 16] = [1; 16];
const CLASS: [u8; 16] = [2; 16];
const OTHER: [u8; 16] = [3; 16];

/// An image that starts at 0x1234, with its Thumb bit.
fn image(ids: &[(TlvKind, [u8; 16])]) -> Vec<u8> {
    let mut payload = vec![0; 64];
    payload[4..8].copy_from_slice(&0x1235u32.to_le_bytes());
    let mut builder = ImageBuilder::new(payload).header_size(32);
    for (kind, id) in ids {
        builder = builder.protected(*kind, id);
    }
    builder.build()
}

fn fit(bytes: &[u8], board: &Requirements) -> Result<(), Misfit> {
    let mut source = bytes;
    let image = Image::read(&mut source).unwrap();
    image.fit(&mut source, board).unwrap()
}

const BOARD: Requirements = Requirements {
    vendor: Some(VENDOR),
    class: Some(CLASS),
    slot: Some((0x1000, 0x1000)),
    max_size: Some(1000),
    counter: false,
};

#[test]
fn an_image_for_this_vendor_and_class_fits() {
    let ids = [(TlvKind::UUID_VID, VENDOR), (TlvKind::UUID_CID, CLASS)];
    assert_eq!(fit(&image(&ids), &BOARD), Ok(()));
    assert_eq!(fit(&image(&[]), &Requirements::default()), Ok(()));
}

#[test]
fn another_vendor_or_class_is_named_with_the_boards_own() {
    let vendor = image(&[(TlvKind::UUID_VID, OTHER), (TlvKind::UUID_CID, CLASS)]);
    let misfit = Misfit::Vendor {
        image: Some(OTHER),
        board: VENDOR,
    };
    assert_eq!(fit(&vendor, &BOARD), Err(misfit));
    let class = image(&[(TlvKind::UUID_VID, VENDOR), (TlvKind::UUID_CID, OTHER)]);
    let misfit = Misfit::Class {
        image: Some(OTHER),
        board: CLASS,
    };
    assert_eq!(fit(&class, &BOARD), Err(misfit));
}

/// An image that names nothing would fit every board: MCUboot refuses it as well.
#[test]
fn what_the_board_requires_must_be_there() {
    let (image, board) = (None, VENDOR);
    let class_only = self::image(&[(TlvKind::UUID_CID, CLASS)]);
    assert_eq!(fit(&class_only, &BOARD), Err(Misfit::Vendor { image, board }));
    let vendor_only = self::image(&[(TlvKind::UUID_VID, VENDOR)]);
    let board = CLASS;
    assert_eq!(fit(&vendor_only, &BOARD), Err(Misfit::Class { image, board }));
    let counts = Requirements {
        counter: true,
        ..Requirements::default()
    };
    assert_eq!(fit(&vendor_only, &counts), Err(Misfit::NoCounter));
    let counted = ImageBuilder::new(vec![0; 100]).security_counter(0).build();
    assert_eq!(fit(&counted, &counts), Ok(()));
}

#[test]
fn the_largest_image_fits_and_one_byte_more_does_not() {
    let bytes = image(&[]);
    let size = bytes.len() as u32;
    let board = |max| Requirements {
        max_size: Some(max),
        ..Requirements::default()
    };
    assert_eq!(fit(&bytes, &board(size)), Ok(()));
    let max = size - 1;
    assert_eq!(fit(&bytes, &board(max)), Err(Misfit::TooLarge { size, max }));
}

#[test]
fn the_reset_vector_must_lie_in_the_slot_where_no_class_tells() {
    let bytes = image(&[]);
    let board = |slot, size| Requirements {
        slot: Some((slot, size)),
        ..Requirements::default()
    };
    assert_eq!(fit(&bytes, &board(0x1234, 1)), Ok(()));
    for (slot, size) in [(0x1235, 0x1000), (0x1000, 0x234), (0, 0)] {
        let start = 0x1234;
        let misfit = Misfit::Address { start, slot, size };
        assert_eq!(fit(&bytes, &board(slot, size)), Err(misfit));
    }
    let short = ImageBuilder::new(vec![0; 7]).header_size(32).build();
    assert_eq!(fit(&short, &board(0, 0x1000)), Err(Misfit::NoResetVector));
    // A class that matches says enough.
    let named = image(&[(TlvKind::UUID_CID, CLASS)]);
    let board = Requirements {
        class: Some(CLASS),
        ..board(0, 1)
    };
    assert_eq!(fit(&named, &board), Ok(()));
}

/// A medium whose payload can't be read.
struct Failing<'b>(&'b [u8]);

impl Source for Failing<'_> {
    type Error = OutOfRange;

    fn len(&self) -> u32 {
        self.0.len() as u32
    }

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), OutOfRange> {
        if offset == 36 {
            return Err(OutOfRange);
        }
        self.0.read(offset, out)
    }
}

#[test]
fn a_failed_read_is_no_misfit() {
    let bytes = image(&[]);
    let image = Image::read(&mut Failing(&bytes)).unwrap();
    let board = Requirements {
        slot: Some((0x1000, 0x1000)),
        ..Requirements::default()
    };
    assert_eq!(image.fit(&mut Failing(&bytes), &board), Err(OutOfRange));
}
