//! What is in the slots, and how large they are.

use bootlace_image::trailer::Mark;
use bootlace_image::{Flags, Version};
use bootlace_smp::img::{self, ImageSlots, SlotSize, StateEntry};
use bootlace_smp::{Item as _, Text};

use super::answer::Asker;
use super::keeper::Keeper;
use super::role::Runner;
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::slots::find;
use crate::trailer::Trailers;
use crate::wire::Wire;

/// Answers with the images in the slots. Anybody may write into the secondary slot, and a patch may put any part of the
/// running firmware there: nothing of its image leaves the board unless the image has the digest that it carries.
#[inline(never)]
pub(super) fn list<F: Flash, W: Wire, R: Runner>(
    flash: &mut F,
    wire: &mut W,
    (keeper, is_proved): (&Keeper<R>, bool),
    asker: &Asker,
) {
    let trailers = Trailers::read(flash);
    let on_trial = keeper.is_on_trial(flash);
    let pending = trailers.secondary.magic == Mark::Set;
    let permanent = pending && trailers.secondary.image_ok == Mark::Set;
    let primary = find(flash, Area::Primary);
    let secondary = if is_proved {
        find(flash, Area::Secondary)
    } else {
        None
    };
    asker.answer(wire, |message| {
        let count = usize::from(primary.is_some()) + usize::from(secondary.is_some());
        img::begin_images(message, count);
        for (slot, found) in [(0, &primary), (1, &secondary)] {
            let Some(found) = found else { continue };
            let (mut text, mut hash) = ([0; Version::MAX_LEN], [0; 32]);
            let is_running = slot == 0;
            let entry = StateEntry {
                image: None,
                slot,
                version: Text(found.image.header().version.write(&mut text)),
                hash: found.hash_into(flash, &mut hash).then_some(hash.as_slice()),
                bootable: !found.image.header().flags.contains(Flags::NON_BOOTABLE),
                active: is_running,
                // What the board goes back to is the last image that proved itself.
                confirmed: is_running != on_trial,
                pending: pending && !is_running,
                permanent: permanent && !is_running,
            };
            entry.encode(message);
        }
    });
}

/// Answers with the slots' sizes.
#[inline(never)]
pub(super) fn slot_info<F: Flash, W: Wire>(flash: &F, wire: &mut W, asker: &Asker) {
    let slots = [
        SlotSize {
            slot: 0,
            size: flash.geometry(Area::Primary).size,
            upload_image_id: None,
        },
        SlotSize {
            slot: 1,
            size: flash.geometry(Area::Secondary).size,
            upload_image_id: Some(0),
        },
    ];
    let entry = ImageSlots {
        image: 0,
        slots: slots.as_slice().into(),
        max_image_size: Some(Layout::of(flash).max_image_size(flash)),
    };
    asker.answer(wire, |message| {
        img::begin_images(message, 1);
        entry.encode(message);
    });
}
