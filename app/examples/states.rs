//! Renders the page in each of its states to HTML files on the host, to be looked at:
//! `cargo run -p bootlace-app --example states -- FOLDER`.
#![allow(clippy::unwrap_used, reason = "a tool for looking")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::rc::Rc;
use std::time::Duration;

use bootlace_app::messages::*;
use bootlace_app::state::*;
use bootlace_app::view::{Page, Props};
use bootlace_engine::{
    Attention, BoardInfo, Content, Error, Failure, JournalEntry, JournalOutcome, NoPatch, Outcome, Phase,
    Progress, Release, RollbackReason, Saving, SlotImage, Supply, Witness,
};
use bootlace_image::{Refusal, Version};
use common::*;
use yew::Callback;

const FILE: &str = "primehub-7.28.0.signed.bin";

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/states".into());
    let app = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut style = String::new();
    for sheet in [
        "base", "panels", "controls", "update", "history", "start", "forced",
    ] {
        style += &std::fs::read_to_string(app.join("styles").join(sheet).with_extension("css"))?;
    }
    std::fs::create_dir_all(&folder)?;
    for (name, actions) in states() {
        let mut state = State::default();
        start()
            .into_iter()
            .chain(actions)
            .for_each(|action| state.apply(action));
        let props = Props {
            state: Rc::new(state),
            on: Callback::noop(),
        };
        let renderer = yew::LocalServerRenderer::<Page>::with_props(props).hydratable(false);
        let body = futures::executor::block_on(renderer.render());
        let html = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <style>{style}</style><body>{body}"
        );
        std::fs::write(format!("{folder}/{name}.html"), html)?;
    }
    Ok(())
}

fn start() -> Vec<Action> {
    let image = |title: &str| DemoImage {
        title: title.into(),
        file: "a.bin".into(),
    };
    let demo = Demo {
        images: vec![
            image("Prime Hub 7.27.0"),
            image("Prime Hub 7.28.0"),
            image("Move Hub 7.28.0 (another board)"),
        ],
        ..Demo::default()
    };
    vec![
        notice(Notice::Ready),
        Action::Demo(demo),
        notice(Notice::Log(LogFact::Opened(Via::Simulated))),
        notice(Notice::Log(LogFact::met(&board("7.27.0")))),
        notice(Notice::Log(LogFact::Started)),
    ]
}

fn signed() -> Vec<Action> {
    chosen(image(FILE, "7.28.0", &[])).to_vec()
}

fn trusting() -> Vec<Action> {
    let key = trusted();
    let image = image(FILE, "7.28.0", &[key.key]);
    [Action::Keys(vec![key])]
        .into_iter()
        .chain(chosen(image))
        .collect()
}

fn ready(sends: Sends) -> Vec<Action> {
    let offer = offered(offer("7.27.0", "7.28.0", sends));
    trusting()
        .into_iter()
        .chain(met(board("7.27.0")))
        .chain([offer])
        .collect()
}

fn then(more: impl IntoIterator<Item = Action>) -> Vec<Action> {
    ready(Sends::WholeWanted).into_iter().chain(more).collect()
}

fn sending(patch: Option<PatchFate>) -> Running {
    let content = match patch {
        Some(PatchFate::Saves(_)) => Content::Patch,
        _ => Content::Image,
    };
    Running {
        progress: Some(Progress {
            content,
            done: 186_000,
            total: 302_860,
            rate: Some(11_370),
            remaining: Some(Duration::from_secs(10)),
        }),
        patch,
        ..running(Phase::Uploading)
    }
}

fn saving() -> Saving {
    Saving::new(302_860, 5_749, Some(10_500))
}

fn saved() -> Action {
    let image = |version: &str, file: &str, size| KeptImage {
        hash: vec![0xe3; 32],
        size,
        version: version.into(),
        file: file.into(),
    };
    notice(Notice::Kept(vec![
        image(
            "7.26.0",
            "primehub-7.26.0-release-candidate-with-a-long-name.signed.bin",
            301_112,
        ),
        image("7.27.0", "primehub-7.27.0.signed.bin", 302_100),
    ]))
}

/// A board with a past, a golden image and little power left.
fn seasoned() -> BoardInfo {
    let release = |minor| Release {
        major: 7,
        minor,
        revision: 0,
    };
    let past = |from, to, start, outcome, reason| JournalEntry {
        from: release(from),
        to: release(to),
        start,
        outcome,
        reason,
    };
    BoardInfo {
        golden: Some(release(20)),
        supply: Some(Supply {
            level: 2_900,
            limit: 3_300,
            percent: false,
        }),
        journal: Some(vec![
            past(26, 20, 19, JournalOutcome::Golden, RollbackReason::BadImage),
            past(26, 27, 14, JournalOutcome::RolledBack, RollbackReason::Watchdog),
            past(
                25,
                26,
                11,
                JournalOutcome::Confirmed,
                RollbackReason::NotConfirmed,
            ),
            past(20, 25, 5, JournalOutcome::Confirmed, RollbackReason::NotConfirmed),
            past(20, 19, 3, JournalOutcome::Refused, RollbackReason::TooOld),
        ]),
        ..board("7.20.0")
    }
}

/// A board with these images: version, slot, pending, confirmed.
fn holding(images: &[(&str, u32, bool, bool)]) -> Action {
    let images = images
        .iter()
        .map(|(version, slot, pending, confirmed)| SlotImage {
            slot: *slot,
            version: (*version).into(),
            hash: vec![*slot as u8; 32],
            bootable: true,
            pending: *pending,
            confirmed: *confirmed,
            active: *slot == 0,
            ..SlotImage::default()
        });
    let info = BoardInfo {
        images: images.collect(),
        ..board("7.27.0")
    };
    notice(Notice::Board(BOARD, Box::new(info)))
}

fn outcome(outcome: Outcome, patch: Option<PatchFate>) -> Action {
    ended(Ending::Outcome { outcome, patch })
}

fn states() -> Vec<(&'static str, Vec<Action>)> {
    let version = Version::parse("7.28.0").unwrap();
    let back = Outcome::RolledBack {
        reason: Some(RollbackReason::Watchdog),
        version: Some("7.27.0".into()),
        failed: version,
    };
    let confirmed = Outcome::Confirmed {
        version,
        took: Duration::from_millis(38_400),
        by: Witness::Itself,
    };
    let altered = notice(Notice::Examined(
        ChoiceId(1),
        Err(Error::Refused(Refusal::Altered)),
    ));
    let other = Error::WrongAddress {
        start: 0x0800_2000,
        slot: 0x0800_5000,
        size: 0x7_b000,
    };
    let help = Running {
        attention: Some(Attention::NoPort),
        ..running(Phase::Swapping)
    };
    let lost = notice(Notice::Cable(BOARD, Cable::Lost));
    let failed = Ending::Failed(Problem::Session(Failure {
        error: Error::PortLost,
        phase: Phase::Uploading,
        unharmed: true,
    }));
    let asking = notice(Notice::Appeared {
        board: BOARD,
        via: Via::Serial(Some((0x1209, 0x0001))),
    });
    let making = Running {
        making: Some(40),
        ..running(Phase::Ready)
    };
    vec![
        ("empty", vec![]),
        (
            "obstacle",
            vec![Action::Choosers(Err(PageError::BrowserWithoutPorts.into()))],
        ),
        (
            "choosers",
            vec![
                notice(Notice::Ready),
                Action::Choosers(Ok(Choosers {
                    serial: true,
                    usb: true,
                })),
            ],
        ),
        (
            "usb-denied",
            vec![
                notice(Notice::Ready),
                notice(Notice::Ports(Some(PageError::UsbDenied((0x1209, 0x0001)).into()))),
            ],
        ),
        ("image", signed()),
        ("unstartable", chosen(unstartable()).to_vec()),
        ("keys", trusting()),
        (
            "refused",
            [Action::Reading(ChoiceId(1), FILE.into()), altered].to_vec(),
        ),
        ("asking", trusting().into_iter().chain([asking]).collect()),
        (
            "board-vouches",
            signed().into_iter().chain(met(board("7.27.0"))).collect(),
        ),
        (
            "seasoned",
            trusting()
                .into_iter()
                .chain(met(seasoned()))
                .chain([offered(offer("7.27.0", "7.28.0", Sends::WholeWanted))])
                .collect(),
        ),
        ("ready", ready(Sends::Whole(NoPatch::NotSupported))),
        (
            "patch",
            ready(Sends::Patch(saving()))
                .into_iter()
                .chain([saved()])
                .collect(),
        ),
        ("making", ready(Sends::Making(40))),
        (
            "whole",
            ready(Sends::WholeWanted)
                .into_iter()
                .chain([Action::Whole(true)])
                .collect(),
        ),
        ("unseen", ready(Sends::Whole(NoPatch::BaseNotFound))),
        ("other", then([offered(refused(other))])),
        ("preparing", then([moved(making)])),
        ("sending", then([moved(sending(None))])),
        (
            "patching",
            then([moved(sending(Some(PatchFate::Saves(saving()))))]),
        ),
        (
            "instead",
            then([moved(sending(Some(PatchFate::Whole(NoPatch::WrongBase))))]),
        ),
        ("lost", then([moved(sending(None)), lost.clone()])),
        (
            "pending",
            then([
                moved(running(Phase::Restarting)),
                holding(&[("7.27.0", 0, false, true), ("7.28.0", 1, true, false)]),
            ]),
        ),
        ("help", then([moved(help)])),
        (
            "trial",
            then([
                moved(running(Phase::OnTrial)),
                holding(&[("7.28.0", 0, false, false), ("7.27.0", 1, false, false)]),
            ]),
        ),
        (
            "confirmed",
            then([outcome(confirmed, Some(PatchFate::Saves(saving())))]),
        ),
        ("rolledback", then([outcome(back, None)])),
        ("failed", then([ended(failed)])),
        ("left", then([ended(Ending::Left), lost])),
    ]
}
