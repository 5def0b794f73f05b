//! The page in a browser: what is pressed says what is wanted, and the keyboard is not lost.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bootlace_app::messages::*;
use bootlace_app::state::{Action, Chooser, State};
use bootlace_app::view::{Intent, Page};
use bootlace_engine::{NoPatch, Outcome, Phase, Saving, Unchanged};
use common::*;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test as test;
use web_sys::{Document, Element, Event, HtmlElement, HtmlSelectElement};
use yew::prelude::*;

thread_local! {
    static TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// The document is one test's until this is dropped: there is one focus, and tests run side by side.
struct Alone;

async fn alone() -> Alone {
    while TAKEN.replace(true) {
        TimeoutFuture::new(5).await;
    }
    Alone
}

impl Drop for Alone {
    fn drop(&mut self) {
        TAKEN.set(false);
    }
}

struct Stage {
    root: Element,
    wanted: Rc<RefCell<Vec<Intent>>>,
    states: Rc<RefCell<Option<UseStateSetter<Rc<State>>>>>,
    state: State,
}

#[derive(Clone, PartialEq, Properties)]
struct HolderProps {
    first: Rc<State>,
    on: Callback<Intent>,
    states: Callback<UseStateSetter<Rc<State>>>,
}

/// The page with a state that the test changes.
#[component]
fn Holder(props: &HolderProps) -> Html {
    let state = use_state(|| props.first.clone());
    use_effect_with((), {
        let (states, setter) = (props.states.clone(), state.setter());
        move |()| states.emit(setter)
    });
    html! { <Page state={(*state).clone()} on={&props.on} /> }
}

fn document() -> Document {
    web_sys::window().unwrap().document().unwrap()
}

/// Shows the page after these actions.
async fn show(actions: impl IntoIterator<Item = Action>) -> Stage {
    let mut state = State::default();
    actions.into_iter().for_each(|action| state.apply(action));
    let root = document().create_element("div").unwrap();
    document().body().unwrap().append_child(&root).unwrap();
    let wanted = Rc::new(RefCell::new(Vec::new()));
    let states = Rc::new(RefCell::new(None));
    let on = {
        let wanted = wanted.clone();
        Callback::from(move |intent| wanted.borrow_mut().push(intent))
    };
    let setters = {
        let states = states.clone();
        Callback::from(move |setter| *states.borrow_mut() = Some(setter))
    };
    let props = HolderProps {
        first: Rc::new(state.clone()),
        on,
        states: setters,
    };
    yew::Renderer::<Holder>::with_root_and_props(root.clone(), props).render();
    TimeoutFuture::new(30).await;
    Stage {
        root,
        wanted,
        states,
        state,
    }
}

impl Stage {
    fn find<T: JsCast>(&self, id: &str) -> T {
        let found = self.root.query_selector(&format!("[data-testid={id}]")).unwrap();
        found.unwrap_or_else(|| panic!("no {id}")).unchecked_into()
    }

    fn press(&self, id: &str) -> Option<Intent> {
        self.find::<HtmlElement>(id).click();
        self.wanted.borrow_mut().pop()
    }

    /// Changes what is shown.
    async fn apply(&mut self, actions: impl IntoIterator<Item = Action>) {
        actions.into_iter().for_each(|action| self.state.apply(action));
        let setter = self.states.borrow().clone().unwrap();
        setter.set(Rc::new(self.state.clone()));
        TimeoutFuture::new(30).await;
    }

    fn focus(&self, id: &str) {
        self.find::<HtmlElement>(id).focus().unwrap();
    }

    /// Waits until this has the focus: a busy browser renders late.
    async fn until_focused(&self, id: &str) {
        for _ in 0..100 {
            if self.focused() == id {
                return;
            }
            TimeoutFuture::new(20).await;
        }
        assert_eq!(self.focused(), id);
    }

    /// The test id, or else the id, of what has the focus.
    fn focused(&self) -> String {
        let active = document().active_element().unwrap();
        active.get_attribute("data-testid").unwrap_or_else(|| active.id())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.root.remove();
    }
}

fn ready() -> Vec<Action> {
    let offer = offered(offer("1.0.0", "2.0.0", Sends::Whole(NoPatch::NotSupported)));
    let image = chosen(image("new.bin", "2.0.0", &[]));
    [notice(Notice::Ready)]
        .into_iter()
        .chain(image)
        .chain(met(board("1.0.0")))
        .chain([offer])
        .collect()
}

fn with(more: impl IntoIterator<Item = Action>) -> Vec<Action> {
    ready().into_iter().chain(more).collect()
}

fn unchanged() -> Action {
    let outcome = Outcome::Unchanged {
        reason: Unchanged::Cancelled,
        version: None,
    };
    ended(Ending::Outcome { outcome, patch: None })
}

#[test]
async fn buttons_wait_for_the_worker() {
    let _alone = alone().await;
    let stage = show([]).await;
    assert_eq!(stage.press("connect"), None);
    assert_eq!(stage.press("simulate"), None);
    let stage = show([notice(Notice::Ready)]).await;
    assert_eq!(stage.press("connect"), Some(Intent::Connect(Chooser::Serial)));
    assert_eq!(stage.press("simulate"), Some(Intent::Simulate));
}

#[test]
async fn what_happens_to_the_simulated_board_is_what_was_chosen() {
    let _alone = alone().await;
    let stage = show([notice(Notice::Ready)]).await;
    let select: HtmlSelectElement = stage.find("behaviour");
    select.set_value("Hangs");
    let options = web_sys::EventInit::new();
    options.set_bubbles(true);
    select
        .dispatch_event(&Event::new_with_event_init_dict("change", &options).unwrap())
        .unwrap();
    assert_eq!(
        stage.wanted.borrow().as_slice(),
        [Intent::Behave(Behaviour::Hangs)]
    );
}

#[test]
async fn an_update_is_started_cancelled_left_and_put_away() {
    let _alone = alone().await;
    let stage = show(ready()).await;
    assert_eq!(stage.press("update"), Some(Intent::Update(BOARD)));
    let stage = show(with([moved(running(Phase::Uploading))])).await;
    assert_eq!(stage.press("cancel"), Some(Intent::Cancel(BOARD)));
    let stage = show(with([moved(running(Phase::Swapping))])).await;
    assert_eq!(stage.press("leave"), Some(Intent::Release(BOARD)));
    let stage = show(with([unchanged()])).await;
    assert_eq!(stage.focused(), "again", "a station is driven with the Enter key");
    assert_eq!(stage.press("again"), Some(Intent::Again(BOARD)));
}

#[test]
async fn the_switch_and_the_saved_images_answer_clicks() {
    let _alone = alone().await;
    let kept = KeptImage {
        hash: vec![0xab],
        size: 5,
        version: "1.0.0".into(),
        file: "one.bin".into(),
    };
    let patch = Sends::Patch(Saving::new(300_000, 6_000, None));
    let more = [
        offered(offer("1.0.0", "2.0.0", patch)),
        notice(Notice::Kept(vec![kept])),
    ];
    let stage = show(with(more)).await;
    assert_eq!(stage.press("whole"), Some(Intent::Whole(true)));
    assert_eq!(stage.press("forget-all"), Some(Intent::DeleteSaved(None)));
    let one = stage
        .root
        .query_selector("[data-testid=kept-image] button")
        .unwrap();
    one.unwrap().unchecked_into::<HtmlElement>().click();
    assert_eq!(
        stage.wanted.borrow_mut().pop(),
        Some(Intent::DeleteSaved(Some(vec![0xab])))
    );
}

/// B8: after choosing, Simulate, Update and Again the focus fell to the body.
#[test]
async fn the_focus_stays_in_the_panel_that_had_it() {
    let _alone = alone().await;
    let mut stage = show([notice(Notice::Ready)]).await;
    stage.focus("choose-image");
    stage
        .apply([Action::Reading(ChoiceId(1), "new.bin".into())])
        .await;
    stage.apply(chosen(image("new.bin", "2.0.0", &[]))).await;
    stage.until_focused("choose-image").await;
    stage.focus("simulate");
    stage.apply(met(board("1.0.0"))).await;
    stage.until_focused("board-title").await;
    stage
        .apply([offered(offer("1.0.0", "2.0.0", Sends::WholeWanted))])
        .await;
    stage.focus("update");
    stage.apply([Action::Started(BOARD)]).await;
    stage.until_focused("cancel").await;
    stage.apply([moved(running(Phase::Restarting))]).await;
    stage.until_focused("leave").await;
    stage.apply([unchanged()]).await;
    stage.until_focused("again").await;
    stage.apply([Action::Again(BOARD)]).await;
    stage.until_focused("update").await;
}

/// B8: Esc did nothing.
#[test]
async fn escape_puts_away_the_message_then_the_outcome() {
    let _alone = alone().await;
    let escape = |stage: &Stage, at: &str| {
        let options = web_sys::KeyboardEventInit::new();
        options.set_key("Escape");
        options.set_bubbles(true);
        let event = web_sys::KeyboardEvent::new_with_keyboard_event_init_dict("keydown", &options).unwrap();
        stage.find::<Element>(at).dispatch_event(&event).unwrap();
        stage.wanted.borrow_mut().pop()
    };
    let stage = show([Action::Failed(PageError::NoPort.into())]).await;
    assert_eq!(escape(&stage, "error"), Some(Intent::Dismiss));
    let stage = show(with([unchanged()])).await;
    assert_eq!(escape(&stage, "again"), Some(Intent::Again(BOARD)));
    let stage = show(with([moved(running(Phase::Uploading))])).await;
    assert_eq!(
        escape(&stage, "cancel"),
        None,
        "an update is not cancelled by accident"
    );
}
