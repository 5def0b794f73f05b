//! Images that no Cortex-M can start are told from those that one can.
#![allow(clippy::unwrap_used)]

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Flags, Image, Unstartable};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SLOT: u32 = 0x0800_A000;
/// Behind the builder's header of 0x200 bytes.
const FIRST: u32 = SLOT + 0x200;
const STACK: u32 = 0x2001_0000;

/// Whether what begins with these words starts in the slot.
fn start(stack: u32, reset: u32, header: u16) -> Result<(), Unstartable> {
    let mut payload = vec![0; 0x400];
    payload[..4].copy_from_slice(&stack.to_le_bytes());
    payload[4..8].copy_from_slice(&reset.to_le_bytes());
    of(&ImageBuilder::new(payload).header_size(header), Some(SLOT))
}

fn of(builder: &ImageBuilder, slot: Option<u32>) -> Result<(), Unstartable> {
    let key = SigningKey::from_seed(Algorithm::Ed25519, &[7; 32]).unwrap();
    let bytes = builder.clone().sign(&key).build();
    let mut source = &bytes[..];
    let image = Image::read(&mut source).unwrap();
    image.startable(&mut source, slot).unwrap()
}

#[test]
fn a_stack_in_ram_and_a_thumb_vector_inside_the_payload_start() {
    for reset in [FIRST + 1, FIRST + 0x101, FIRST + 0x3FF] {
        assert_eq!(start(STACK, reset, 0x200), Ok(()));
    }
    // Code RAM, the end of SRAM, external RAM.
    for stack in [0x1000_4000, 0x1FFF_F000, 0x4000_0000, 0x8002_0000] {
        assert_eq!(start(stack, FIRST + 0x101, 0x200), Ok(()), "{stack:#x}");
    }
    for header in [0x80, 0x100, 0x400] {
        assert_eq!(start(STACK, SLOT + u32::from(header) + 0x101, header), Ok(()));
    }
}

#[test]
fn a_reset_vector_outside_the_payload_does_not_start() {
    for start_at in [SLOT, SLOT + 0x100, FIRST - 2, FIRST + 0x400, 0x0806_A000, 0] {
        let misfit = Unstartable::Outside {
            start: start_at,
            first: FIRST,
            size: 0x400,
        };
        assert_eq!(start(STACK, start_at | 1, 0x200), Err(misfit));
    }
    let reset = FIRST + 0x100;
    assert_eq!(start(STACK, reset, 0x200), Err(Unstartable::NoThumb { reset }));
}

#[test]
fn a_stack_outside_of_ram_does_not_start() {
    for stack in [
        0,
        0xFFFF_FFFF,
        0x0800_B000,
        FIRST + 0x80,
        STACK + 2,
        0x5000_0000,
        0xE000_E000,
    ] {
        assert_eq!(
            start(stack, FIRST + 0x101, 0x200),
            Err(Unstartable::Stack { stack }),
            "{stack:#x}"
        );
    }
}

#[test]
fn a_vector_table_that_no_vtor_can_hold_does_not_start() {
    for header in [0x20, 0x24, 0x201, 0x1F0] {
        assert_eq!(
            start(STACK, SLOT + u32::from(header) + 0x101, header),
            Err(Unstartable::Misaligned { header })
        );
    }
}

#[test]
fn an_empty_payload_does_not_start() {
    for size in [0, 4, 7] {
        let builder = ImageBuilder::new(vec![1; size as usize]);
        assert_eq!(of(&builder, Some(SLOT)), Err(Unstartable::Empty { size }));
        assert_eq!(of(&builder, None), Err(Unstartable::Empty { size }));
    }
}

#[test]
fn without_an_address_the_one_in_the_header_counts_and_else_any() {
    let payload = [STACK.to_le_bytes(), (FIRST + 0x1000 + 1).to_le_bytes()].concat();
    let builder = ImageBuilder::new(payload);
    assert_eq!(of(&builder, None), Ok(()));
    let linked = builder.flags(Flags::ROM_FIXED).load_addr(SLOT);
    assert!(matches!(of(&linked, None), Err(Unstartable::Outside { .. })));
    assert_eq!(
        of(&linked.load_addr(SLOT + 0xFFC), None),
        Err(Unstartable::Misaligned { header: 0x200 })
    );
}

/// What is encrypted shows ciphertext where the vectors are.
#[test]
fn an_encrypted_image_is_not_looked_into() {
    let builder = ImageBuilder::new(vec![0xA5; 64]).flags(Flags::ENCRYPTED_AES128);
    assert_eq!(of(&builder, Some(SLOT)), Ok(()));
}
