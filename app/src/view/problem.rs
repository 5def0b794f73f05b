//! A problem of the page as the card that says it.

use bootlace_engine::words::page as words;
use bootlace_page_parts::SentenceCard;
use yew::prelude::*;

use crate::messages::Problem;

#[derive(Clone, PartialEq, Properties)]
pub(super) struct CardProps {
    pub(super) problem: Problem,
    /// With a button that puts it away.
    #[prop_or_default]
    pub(super) close: Option<Callback<MouseEvent>>,
}

/// The box that every problem is shown in.
#[component]
pub(super) fn Card(props: &CardProps) -> Html {
    html! {
        <SentenceCard sentence={words::problem(&props.problem)} remedy={words::remedy(&props.problem)} close={props.close.clone()} />
    }
}
