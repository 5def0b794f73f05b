//! What is in the slots, and how large they are.

use bootlace_image::trailer::Mark;
use bootlace_image::{Flags, Version};
use bootlace_smp::img::{ImageSlots, Response as Answer, SlotSize, StateEntry};
use bootlace_smp::{Response, Text};

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
    let mut texts = [[0; Version::MAX_LEN]; 2];
    let mut hashes = [[0; 32]; 2];
    let mut both = [StateEntry::default(); 2];
    let mut count = 0;
    for (((slot, area), text), hash) in (0..)
        .zip([Area::Primary, Area::Secondary])
        .zip(&mut texts)
        .zip(&mut hashes)
    {
        let Some(found) = find(flash, area).filter(|_| area == Area::Primary || is_proved) else {
            continue;
        };
        let Some(entry) = both.get_mut(count) else { break };
        let is_running = slot == 0;
        *entry = StateEntry {
            image: None,
            slot,
            version: Text(found.image.header().version.write(text)),
            hash: found.hash_into(flash, hash).then_some(hash.as_slice()),
            bootable: !found.image.header().flags.contains(Flags::NON_BOOTABLE),
            active: is_running,
            // What the board goes back to is the last image that proved itself.
            confirmed: is_running != on_trial,
            pending: pending && !is_running,
            permanent: permanent && !is_running,
        };
        count += 1;
    }
    let entries = both.get(..count).unwrap_or_default();
    asker.answer(wire, &Response::Img(Answer::State(entries.into())));
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
    let images = [ImageSlots {
        image: 0,
        slots: slots.as_slice().into(),
        max_image_size: Some(Layout::of(flash).max_image_size(flash)),
    }];
    asker.answer(wire, &Response::Img(Answer::SlotInfo(images.as_slice().into())));
}
