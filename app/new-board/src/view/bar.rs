//! How far something is.

use bootlace_engine::words::page::new_board as words;
use bootlace_engine::words::page::percent;
use yew::prelude::*;

/// In percent; none where nothing is counted.
pub(super) fn percent_of(progress: Option<(u32, u32)>) -> Option<u32> {
    progress.map(|(done, total)| percent(done, total))
}

/// What is done, and how far it is.
pub(super) fn bar(what: &'static str, progress: Option<(u32, u32)>) -> Html {
    let percent = percent_of(progress);
    html! {
        <div class="run run--step">
            <div class="run__head">
                <p class="run__doing" data-testid="work">{ what }</p>
                if let Some(percent) = percent {
                    <p class="run__percent" aria-hidden="true"><span>{ percent }</span>{ " %" }</p>
                }
            </div>
            <div class={classes!("bar", percent.is_none().then_some("bar--busy"))} role="progressbar" aria-label={what} aria-valuemin="0"
                aria-valuemax="100" aria-valuenow={percent.map(|percent| percent.to_string())}>
                if let Some(percent) = percent {
                    <svg class="bar__scale" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                        <rect class="bar__fill" width={percent.to_string()} height="1" />
                    </svg>
                } else {
                    <span class="bar__fill"></span>
                }
            </div>
            if let Some((done, total)) = progress {
                <p class="run__figures">{ words::progress(done, total) }</p>
            }
        </div>
    }
}
