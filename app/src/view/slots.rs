//! The picture of a board's slots.

use bootlace_engine::words::bytes;
use bootlace_engine::words::page::{self as words, Standing, spelled};
use bootlace_engine::{BoardInfo, SlotImage};
use yew::prelude::*;

use super::icons;

/// Primary above, secondary below, and an arrow between them when they are about to change places.
pub(super) fn picture(board: &BoardInfo) -> Html {
    let images: Vec<&SlotImage> = board.images.iter().filter(|image| image.image == 0).collect();
    let mut slots: Vec<u32> = board.slots.iter().map(|slot| slot.slot).collect();
    slots.extend(images.iter().map(|image| image.slot));
    slots.sort_unstable();
    slots.dedup();
    if slots.is_empty() {
        return Html::default();
    }
    let pending = images.iter().any(|image| image.pending);
    html! {
        <div class="slots" role="list" aria-label={words::labels().slots}>
            { for slots.iter().map(|slot| {
                let size = board.slots.iter().find(|known| known.slot == *slot).map(|known| known.size);
                strip(*slot, size, images.iter().find(|image| image.slot == *slot).copied())
            }) }
            if pending {
                <span class="slots__swap" title={words::labels().exchange}>{ icons::swap() }</span>
            }
        </div>
    }
}

fn strip(slot: u32, size: Option<u32>, image: Option<&SlotImage>) -> Html {
    let (name, formal) = words::slot_name(slot);
    let class = image.map(|image| match Standing::of(image) {
        Standing::Confirmed => "slot--confirmed",
        Standing::OnTrial => "slot--trial",
        Standing::Pending => "slot--pending",
        Standing::Stored => "slot--stored",
    });
    html! {
        <div class={classes!("slot", class)} role="listitem" title={formal}>
            <span class="slot__name">{ name }</span>
            <span class="slot__strip">
                if let Some(image) = image {
                    <span class="slot__version">{ spelled(&image.version) }</span>
                    <span class="badge">{ words::standing(Standing::of(image)) }</span>
                } else {
                    <span class="slot__empty">{ words::labels().empty }</span>
                }
            </span>
            <span class="slot__size">{ size.map(bytes).unwrap_or_default() }</span>
        </div>
    }
}
