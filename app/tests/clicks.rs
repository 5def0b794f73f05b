//! The page in a browser: what is pressed says what is wanted.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::cell::RefCell;
use std::rc::Rc;

use bootlace_app::messages::*;
use bootlace_app::state::{Action, State};
use bootlace_app::view::{Intent, Page, Props};
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test as test;
use web_sys::{Element, Event, HtmlElement, HtmlSelectElement};
use yew::Callback;

const BOARD: BoardId = BoardId(7);

struct Stage {
    root: Element,
    wanted: Rc<RefCell<Vec<Intent>>>,
}

/// Shows the page after these notices.
async fn show(notices: impl IntoIterator<Item = Notice>) -> Stage {
    let mut state = State::default();
    notices
        .into_iter()
        .for_each(|notice| state.apply(Action::Notice("10:00:00".into(), notice)));
    let document = web_sys::window().unwrap().document().unwrap();
    let root = document.create_element("div").unwrap();
    document.body().unwrap().append_child(&root).unwrap();
    let wanted = Rc::new(RefCell::new(Vec::new()));
    let on = {
        let wanted = wanted.clone();
        Callback::from(move |intent| wanted.borrow_mut().push(intent))
    };
    yew::Renderer::<Page>::with_root_and_props(
        root.clone(),
        Props {
            state: Rc::new(state),
            on,
        },
    )
    .render();
    TimeoutFuture::new(30).await;
    Stage { root, wanted }
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
}

fn board() -> [Notice; 3] {
    let plan = Plan::Ready {
        way: Way::Install,
        from: None,
        to: "2.0.0".into(),
        stored: false,
        sends: Sends::Whole,
    };
    [
        Notice::Appeared {
            board: BOARD,
            via: Via::Simulated,
        },
        Notice::Board(BOARD, Box::default()),
        Notice::Plan(BOARD, Some(plan)),
    ]
}

#[test]
async fn buttons_wait_for_the_engine() {
    let stage = show([]).await;
    assert_eq!(stage.press("connect"), None);
    assert_eq!(stage.press("simulate"), None);
    let stage = show([Notice::Ready]).await;
    assert_eq!(stage.press("connect"), Some(Intent::Connect));
    assert_eq!(stage.press("simulate"), Some(Intent::Simulate));
}

#[test]
async fn the_simulated_firmwares_behaviour_is_the_one_chosen() {
    let stage = show([Notice::Ready]).await;
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
async fn an_update_is_started_stopped_and_put_away() {
    let stage = show(board()).await;
    assert_eq!(stage.press("update"), Some(Intent::Update(BOARD)));

    let progress = Progress {
        done: 1,
        remaining: None,
        ..Progress::at(Phase::Send, 2)
    };
    let stage = show(board().into_iter().chain([Notice::Progress(BOARD, progress)])).await;
    assert_eq!(stage.press("cancel"), Some(Intent::Cancel(BOARD)));

    let outcome = Outcome::Unchanged {
        reason: "Stopped.".into(),
    };
    let stage = show(board().into_iter().chain([Notice::Outcome(BOARD, outcome)])).await;
    let document = web_sys::window().unwrap().document().unwrap();
    let focused = document
        .active_element()
        .and_then(|element| element.get_attribute("data-testid"));
    assert_eq!(
        focused.as_deref(),
        Some("again"),
        "a station is driven with the Enter key"
    );
    assert_eq!(stage.press("again"), Some(Intent::Again(BOARD)));
}

#[test]
async fn the_switch_and_the_images_seen_before() {
    let plan = Plan::Ready {
        way: Way::Install,
        from: None,
        to: "2.0.0".into(),
        stored: false,
        sends: Sends::Patch("6 KB instead of 297 KB".into()),
    };
    let kept = KeptImage {
        hash: "ab".into(),
        size: 5,
        version: "1.0.0".into(),
        file: "one.bin".into(),
    };
    let more = [Notice::Plan(BOARD, Some(plan)), Notice::Kept(vec![kept])];
    let stage = show(board().into_iter().chain(more)).await;
    assert_eq!(stage.press("whole"), Some(Intent::Whole(true)));
    assert_eq!(stage.press("forget-all"), Some(Intent::Drop(None)));
    let one = stage
        .root
        .query_selector("[data-testid=kept-image] button")
        .unwrap();
    one.unwrap().unchecked_into::<HtmlElement>().click();
    assert_eq!(
        stage.wanted.borrow_mut().pop(),
        Some(Intent::Drop(Some("ab".into())))
    );
}
