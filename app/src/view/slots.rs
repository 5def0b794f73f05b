//! The picture of a board's slots.

use yew::prelude::*;

use super::icons;
use crate::messages::{SlotCard, Standing};
use crate::words;

/// Primary above, secondary below, and an arrow between them when they are about to change places.
pub(super) fn picture(slots: &[SlotCard]) -> Html {
    let pending = slots
        .iter()
        .filter_map(|slot| slot.holds.as_ref())
        .any(|held| held.standing == Standing::Pending);
    html! {
        <div class="slots" role="list" aria-label="What the board holds">
            { for slots.iter().map(strip) }
            if pending {
                <span class="slots__swap" title="They change places at the next restart">{ icons::swap() }</span>
            }
        </div>
    }
}

fn strip(slot: &SlotCard) -> Html {
    let name = match slot.slot {
        0 => "Runs".to_owned(),
        1 => "Spare".to_owned(),
        other => format!("Slot {other}"),
    };
    let formal = match slot.slot {
        0 => "Primary slot",
        1 => "Secondary slot",
        _ => "Slot",
    };
    let standing = slot.holds.as_ref().map(|held| match held.standing {
        Standing::Confirmed => "confirmed",
        Standing::OnTrial => "trial",
        Standing::Pending => "pending",
        Standing::Stored => "stored",
    });
    html! {
        <div class={classes!("slot", standing.map(|standing| format!("slot--{standing}")))} role="listitem" title={formal}>
            <span class="slot__name">{ name }</span>
            <span class="slot__strip">
                if let Some(held) = &slot.holds {
                    <span class="slot__version">{ &held.version }</span>
                    <span class="badge">{ words::standing(held.standing) }</span>
                } else {
                    <span class="slot__empty">{ "empty" }</span>
                }
            </span>
            <span class="slot__size">{ slot.size.map(words::bytes).unwrap_or_default() }</span>
        </div>
    }
}
