//! Renders “New board” in each of its states to HTML files on the host, to be looked at:
//! `cargo run -p bootlace-new-board --example states -- FOLDER`.
#![allow(clippy::unwrap_used, reason = "a tool for looking")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::rc::Rc;

use bootlace_new_board::state::State;
use bootlace_new_board::view::{Props, Screen};
use yew::Callback;

fn main() -> std::io::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "target/new-board-states".into());
    let styles = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../styles");
    let mut style = String::new();
    for sheet in [
        "base",
        "panels",
        "controls",
        "update",
        "history",
        "start",
        "forced",
        "new-board",
    ] {
        style += &std::fs::read_to_string(styles.join(sheet).with_extension("css"))?;
    }
    std::fs::create_dir_all(&folder)?;
    for (name, actions) in common::states() {
        let mut state = State::default();
        actions.into_iter().for_each(|action| state.apply(action));
        let props = Props {
            state: Rc::new(state),
            on: Callback::noop(),
        };
        let renderer = yew::LocalServerRenderer::<Screen>::with_props(props).hydratable(false);
        let body = futures::executor::block_on(renderer.render());
        let html = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <style>{style}</style><body>{body}"
        );
        std::fs::write(format!("{folder}/{name}.html"), html)?;
    }
    Ok(())
}
