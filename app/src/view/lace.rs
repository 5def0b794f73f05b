//! A lace through six eyelets: it is drawn as far as the update came.

use bootlace_engine::words::page as words;
use yew::prelude::*;

use crate::messages::Step;

const PATH: &str = "M50 17C75 1 125 1 150 17S225 33 250 17S325 1 350 17S425 33 450 17S525 1 550 17";

/// As far as `percent` of this step; in the colour of how it `ended`.
pub(super) fn lace(step: Step, percent: u32, ended: Option<&'static str>) -> Html {
    let at = step as u32;
    let drawn = (at * 100 + percent).min(500);
    html! {
        <div class={classes!("lace", ended.map(|tone| format!("lace--{tone}")))}>
            <svg class="lace__cord" viewBox="0 0 600 34" aria-hidden="true" focusable="false">
                <path class="lace__way" d={PATH} />
                <path class="lace__drawn" d={PATH} pathLength="500" stroke-dasharray={format!("{drawn} 600")} />
                { for (0..6).map(|eyelet: u32| {
                    let class = match eyelet {
                        _ if eyelet < at || (eyelet == at && step == Step::Confirmed) => "lace__eyelet lace__eyelet--done",
                        _ if eyelet == at => "lace__eyelet lace__eyelet--now",
                        _ => "lace__eyelet",
                    };
                    html! { <circle {class} cx={(50 + 100 * eyelet).to_string()} cy="17" r="6" /> }
                }) }
            </svg>
            <ol class="lace__steps">
                { for Step::ALL.map(|one| html! {
                    <li class={classes!((one < step || step == Step::Confirmed).then_some("done"), (one == step).then_some("now"))}
                        aria-current={(one == step).then_some("step")}>{ words::step(one) }</li>
                }) }
            </ol>
        </div>
    }
}
