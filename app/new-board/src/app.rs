//! The screen at work: the reducer, the hands, and the window's events.

use std::rc::Rc;

use bootlace_engine::words::page::new_board as words;
use bootlace_page_parts::window::{Awake, ask_before_leaving, document};
use js_sys::Function;
use wasm_bindgen::prelude::*;
use web_sys::Element;
use yew::prelude::*;

use crate::hands::Hands;
use crate::state::State;
use crate::view::{Screen, title};

#[derive(Clone, PartialEq, Properties)]
struct AppProps {
    /// Called when the person goes back to the page, and whether the page is to connect the board.
    closed: Callback<bool>,
}

#[component]
fn App(props: &AppProps) -> Html {
    let state = use_reducer(State::default);
    let hands = use_memo((), {
        let (state, closed) = (state.dispatcher(), props.closed.clone());
        move |()| Hands::new(state, closed)
    });
    use_effect_with(state.is_changing(), |changing| {
        let held = changing.then(|| (Awake::new(), ask_before_leaving(words::labels().leaving)));
        move || drop(held)
    });
    // In a tab that is not looked at, the title is all that can be seen.
    use_effect_with(title(&state), |title| {
        if let Some(document) = document() {
            document.set_title(title);
        }
    });
    let current = Rc::new((*state).clone());
    let on = {
        let current = current.clone();
        Callback::from(move |intent| hands.act(&current, intent))
    };
    html! { <Screen state={current} {on} /> }
}

/// Draws the screen beside the page, which is hidden meanwhile. `closed` is called once, with whether the page is to connect the
/// board next.
#[wasm_bindgen]
pub fn open(closed: Function) {
    let Some((root, body)) = root() else { return };
    _ = body.append_child(&root);
    let shown = Rc::new(std::cell::RefCell::new(None::<yew::AppHandle<App>>));
    let closed = {
        let (shown, root) = (shown.clone(), root.clone());
        Callback::from(move |connect: bool| {
            let (shown, root, closed) = (shown.clone(), root.clone(), closed.clone());
            // Not while the click that means this is still being handled by what is to be destroyed.
            gloo::timers::callback::Timeout::new(0, move || {
                if let Some(shown) = shown.borrow_mut().take() {
                    shown.destroy();
                    root.remove();
                    _ = closed.call1(&JsValue::UNDEFINED, &connect.into());
                }
            })
            .forget();
        })
    };
    let app = yew::Renderer::<App>::with_root_and_props(root, AppProps { closed }).render();
    *shown.borrow_mut() = Some(app);
}

fn root() -> Option<(Element, web_sys::HtmlElement)> {
    let document = document()?;
    Some((document.create_element("div").ok()?, document.body()?))
}
