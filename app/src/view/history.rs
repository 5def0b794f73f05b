//! What a board remembers of its last updates: the newest at a glance, the others unfolded.

use yew::prelude::*;

use super::icons;
use crate::messages::{Ending, PastUpdate};

/// So many are shown at once.
const SHOWN: usize = 2;

/// Newest first; nothing for a board that remembers none.
pub(super) fn list(updates: &[PastUpdate]) -> Html {
    if updates.is_empty() {
        return Html::default();
    }
    let (newest, earlier) = updates.split_at(updates.len().min(SHOWN));
    html! {
        <section class="history" aria-label="Last updates" data-testid="history">
            <h3 class="history__title">{ "Last updates" }</h3>
            <ol class="history__list">{ for newest.iter().map(row) }</ol>
            if !earlier.is_empty() {
                <details class="history__more">
                    <summary>{ format!("{} earlier", earlier.len()) }</summary>
                    <ol class="history__list">{ for earlier.iter().map(row) }</ol>
                </details>
            }
        </section>
    }
}

fn row(update: &PastUpdate) -> Html {
    let (kind, icon) = match update.ending {
        Ending::Open => ("open", icons::question()),
        Ending::Good => ("good", icons::check()),
        Ending::Back => ("back", icons::back()),
        Ending::Golden => ("golden", icons::warning()),
    };
    html! {
        <li class={format!("past past--{kind}")} data-ending={kind} title={format!("At start {} of the board", update.start)}>
            <span class="past__icon">{ icon }</span>
            <span>
                <span class="past__versions">{ &update.versions }</span>{ ": " }
                <span class="past__what">{ &update.what }</span>
            </span>
        </li>
    }
}
