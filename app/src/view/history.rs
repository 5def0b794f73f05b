//! What a board remembers of its last updates: the newest at a glance, the others unfolded.

use bootlace_engine::JournalEntry;
use bootlace_engine::words::page::{self as words, Mark};
use bootlace_engine::words::{came_of, from_to};
use yew::prelude::*;

use super::icons;

/// So many are shown at once.
const SHOWN: usize = 2;

/// Newest first; nothing for a board that remembers none.
pub(super) fn list(updates: &[JournalEntry]) -> Html {
    if updates.is_empty() {
        return Html::default();
    }
    let (newest, earlier) = updates.split_at(updates.len().min(SHOWN));
    let title = words::labels().last_updates;
    html! {
        <section class="history" aria-label={title} data-testid="history">
            <h3 class="history__title">{ title }</h3>
            <ol class="history__list">{ for newest.iter().map(row) }</ol>
            if !earlier.is_empty() {
                <details class="history__more">
                    <summary>{ words::earlier(earlier.len()) }</summary>
                    <ol class="history__list">{ for earlier.iter().map(row) }</ol>
                </details>
            }
        </section>
    }
}

fn row(update: &JournalEntry) -> Html {
    let (kind, icon) = match words::mark(update) {
        Mark::Open => ("open", icons::question()),
        Mark::Good => ("good", icons::check()),
        Mark::Back => ("back", icons::back()),
        Mark::Golden => ("golden", icons::warning()),
    };
    html! {
        <li class={format!("past past--{kind}")} data-ending={kind} title={words::past_start(update)}>
            <span class="past__icon">{ icon }</span>
            <span>
                <span class="past__versions">{ from_to(update) }</span>{ ": " }
                <span class="past__what">{ came_of(update) }</span>
            </span>
        </li>
    }
}
