//! “New board” in its states, rendered on the host: one step is open, whatever went wrong says what to do, and there is a way on.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::rc::Rc;

use bootlace_install::boards;
use bootlace_new_board::state::{Action, State};
use bootlace_new_board::view::{Props, Screen, title};
use common::*;
use yew::Callback;

fn state(actions: Vec<Action>) -> State {
    let mut state = State::default();
    actions.into_iter().for_each(|action| state.apply(action));
    state
}

fn render(actions: Vec<Action>) -> String {
    let props = Props {
        state: Rc::new(state(actions)),
        on: Callback::noop(),
    };
    let screen = yew::LocalServerRenderer::<Screen>::with_props(props).hydratable(false);
    futures::executor::block_on(screen.render())
}

/// The values of this attribute.
fn values<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
    let begin = format!(" {attribute}=\"");
    let parts = html.split(&begin).skip(1);
    parts.map(|part| part.split('"').next().unwrap()).collect()
}

/// The start tags of buttons and inputs, and of what folds.
fn controls(html: &str) -> Vec<&str> {
    let tags = html.split('<').map(|part| part.split('>').next().unwrap());
    tags.filter(|tag| {
        ["button", "input", "summary"]
            .iter()
            .any(|name| tag.starts_with(name))
    })
    .collect()
}

#[test]
fn every_state_has_one_open_step_and_a_way_on() {
    for (name, actions) in states() {
        let html = render(actions);
        assert_eq!(html.matches("aria-current=\"step\"").count(), 1, "{name}");
        let ids = values(&html, "id");
        assert_eq!(
            ids.iter().collect::<BTreeSet<_>>().len(),
            ids.len(),
            "{name}: {ids:?}"
        );
        let enabled = controls(&html)
            .into_iter()
            .filter(|tag| !tag.contains(" disabled"))
            .count();
        // While a drive takes a file, nothing can be done but wait.
        assert!(enabled > 0 || name.contains("writing"), "{name}");
        for picture in html.split("<svg").skip(1) {
            let tag = picture.split('>').next().unwrap();
            assert!(
                tag.contains("aria-hidden=\"true\""),
                "{name}: a drawing is read out"
            );
        }
    }
}

#[test]
fn whatever_went_wrong_says_what_to_do_next() {
    let mut seen = 0;
    for (name, actions) in states() {
        let state = state(actions.clone());
        let Some(trouble) = &state.trouble else { continue };
        seen += 1;
        let sentence = &trouble.sentence;
        assert!(
            sentence.what.ends_with('.') && sentence.next.len() > 10,
            "{name}: {sentence:?}"
        );
        let html = render(actions);
        assert!(html.contains("role=\"alert\""), "{name}");
    }
    assert!(seen >= 6, "{seen}");
}

/// What is being changed can't be left unseen, and its title says how far it is.
#[test]
fn while_flash_is_changed_the_screen_stays() {
    let close = |actions| {
        let html = render(actions);
        let tags = controls(&html);
        let tag = tags.iter().find(|tag| tag.contains("data-testid=\"close\""));
        tag.unwrap().contains(" disabled")
    };
    assert!(close(changing()));
    for actions in [
        deciding(0x55),
        at_connect(),
        ended(bootlace_install::Ended::Installed),
    ] {
        assert!(!close(actions));
    }
    assert!(
        title(&state(changing())).starts_with("46 %"),
        "{}",
        title(&state(changing()))
    );
    assert_eq!(title(&state(at_key())), "New board · Bootlace");
}

/// A private half is never part of what is shown.
#[test]
fn no_state_shows_a_private_key() {
    for (name, actions) in states() {
        let (html, state) = (render(actions.clone()), state(actions));
        let said = format!("{html}{state:?}");
        assert!(!said.contains("BEGIN PRIVATE KEY"), "{name}");
    }
}

#[test]
fn every_board_has_a_picture_and_a_way() {
    for board in boards::ALL {
        let actions = vec![
            offers(),
            listed(),
            Action::Board(board),
            chosen_key(),
            Action::Making,
            Action::Continue,
        ];
        let html = render(actions);
        assert!(html.contains("class=\"picture"), "{}", board.name);
        assert!(html.contains(board.entry), "{}", board.name);
        assert!(html.contains("primary--step"), "{} has no first way", board.name);
    }
}
