//! Why no processor can start an image.

use alloc::format;

use bootlace_image::Unstartable;

use super::Sentence;

/// Why no Cortex-M can start an image.
pub(super) fn unstartable(it: Unstartable) -> Sentence {
    let sign = "Sign it with a header of 0x200 bytes: “imgtool sign --header-size 0x200 --pad-header …”.";
    let link = "Link the firmware for the board’s slot, right behind the image’s header, and sign it again.";
    let (what, developers) = match it {
        Unstartable::Empty { size } => (
            format!("The firmware in this image is empty: it has {size} bytes."),
            "Sign the file that the linker’s output was converted to.",
        ),
        Unstartable::Misaligned { header } => (
            format!(
                "No Cortex-M can start this image: its header of {header:#x} bytes puts the vector table where none can be."
            ),
            sign,
        ),
        Unstartable::Stack { stack } => (
            format!(
                "No Cortex-M can start this image: its stack pointer, {stack:#010x}, does not point into RAM."
            ),
            link,
        ),
        Unstartable::NoThumb { reset } => (
            format!("No Cortex-M can start this image: its reset vector, {reset:#010x}, is even."),
            link,
        ),
        Unstartable::Outside { start, first, size } => (
            format!(
                "No Cortex-M can start this image: it would start at {start:#010x}, and its firmware lies from \
                 {first:#010x} to {:#010x}.",
                first.saturating_add(size)
            ),
            link,
        ),
    };
    Sentence::new(
        "Unstartable",
        what,
        "Get another file from your firmware supplier.",
    )
    .for_developers(Some(developers))
}

/// A warning about an image that no Cortex-M can start, while it is not known what processor the board has.
pub fn unstartable_warning(reason: Unstartable) -> Sentence {
    Sentence {
        next: "If the board’s processor is a Cortex-M, get another file from your firmware supplier. Others, such as \
               RISC-V, start in their own way."
            .into(),
        ..unstartable(reason)
    }
}
