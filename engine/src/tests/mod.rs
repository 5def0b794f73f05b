#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
//! The engine against a small board, with a virtual clock.

use core::time::Duration;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, FormatError, Refusal, TlvKind, Version};

use crate::*;
use board::{ADDRESS, App, Board, Kind};
use pair::{Faults, Pair};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod board;
mod bumpy;
mod inputs;
mod pair;
mod patches;
mod peers;
mod states;
mod turns;

const MINUTE: Duration = Duration::from_secs(60);

fn key() -> SigningKey {
    SigningKey::from_seed(Algorithm::Ed25519, &[7; 32]).unwrap()
}

/// An image that starts in the board's primary slot, not signed yet.
fn unsigned(version: u8, size: usize) -> ImageBuilder {
    let mut random = pair::Random(u64::from(version) + 1);
    let mut payload: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
    payload[..4].copy_from_slice(&0x2000_4000_u32.to_le_bytes());
    payload[4..8].copy_from_slice(&(ADDRESS + 0x201).to_le_bytes());
    ImageBuilder::new(payload).version(Version {
        major: version,
        ..Version::default()
    })
}

fn image(version: u8, size: usize) -> Vec<u8> {
    unsigned(version, size).sign(&key()).build()
}

/// A board that runs version 1, asked who it is.
fn pair() -> Pair {
    with(Board::new(&image(1, 3000), vec![key().public()]))
}

fn with(board: Board) -> Pair {
    let mut pair = Pair::new(board);
    pair.until(MINUTE, |event| *event == Event::Phase(Phase::Ready))
        .unwrap();
    pair
}

fn checked(image: Vec<u8>) -> Arc<CheckedImage> {
    Arc::new(CheckedImage::new(image).unwrap())
}

fn plan(pair: &Pair, file: &[u8], options: &Options) -> Result<Plan, Error> {
    pair.session.plan(&CheckedImage::new(file.to_vec())?, options)
}

fn update(image: Vec<u8>) -> Job {
    update_with(image, Options::default())
}

fn update_with(image: Vec<u8>, options: Options) -> Job {
    Job::Update {
        image: checked(image),
        patch: None,
        options,
    }
}

/// Options for a board that names no keys.
fn keyed() -> Options {
    Options {
        keys: vec![key().public()],
        ..Options::default()
    }
}

/// Lets an upload of 60 KB get 20 KB ahead.
fn into_upload(pair: &mut Pair) {
    pair.session.start(pair.now, update(image(2, 60_000))).unwrap();
    let far = |event: &Event| matches!(event, Event::Progress(step) if step.done > 20_000);
    pair.until(MINUTE, far).unwrap();
}

#[track_caller]
fn outcome(pair: &mut Pair, limit: Duration) -> Outcome {
    match pair.finish(limit) {
        Some(Event::Outcome(outcome)) => outcome,
        other => panic!("{other:?} after {:?}", pair.events),
    }
}

#[track_caller]
fn failure(pair: &mut Pair, limit: Duration) -> Failure {
    match pair.finish(limit) {
        Some(Event::Failed(failure)) => failure,
        other => panic!("{other:?} after {:?}", pair.events),
    }
}

fn progress(pair: &Pair) -> Vec<Progress> {
    pair.events
        .iter()
        .filter_map(|event| {
            if let Event::Progress(it) = event {
                Some(*it)
            } else {
                None
            }
        })
        .collect()
}

#[test]
fn an_update_reaches_confirmed_from_first_contact() {
    let mut pair = pair();
    let board = pair.session.board().unwrap();
    assert_eq!(
        (board.serial.as_deref(), board.role),
        (Some("B-1"), Some(Role::Application))
    );
    assert_eq!(
        (board.frame, board.window, board.framing),
        (1024, 4, Some(Framing::Cobs))
    );
    assert_eq!(board.running().unwrap().version, "1.0.0");

    let new = image(2, 100_000);
    let plan = plan(&pair, &new, &Options::default()).unwrap();
    assert_eq!(
        (plan.way, plan.route, plan.size as usize),
        (Way::Update, Route::Upload, new.len())
    );
    assert_eq!(plan.key_hash, key().public().hash());
    pair.session.start(pair.now, update(new.clone())).unwrap();
    assert_eq!(
        pair.session.start(pair.now, update(new.clone())),
        Err(Error::Busy)
    );

    let Outcome::Confirmed { version, took, .. } = outcome(&mut pair, MINUTE) else {
        panic!("{:?}", pair.events)
    };
    assert_eq!((version.major, pair.session.phase()), (2, Phase::Ready));
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(12),
        "{took:?}"
    );
    assert_eq!(pair.board.uploaded(), new);
    // Every piece once, and the window full.
    assert_eq!(pair.board.pieces.0, pair.board.pieces.1);
    assert!(pair.board.most_waiting >= 3, "{}", pair.board.most_waiting);
    assert!(pair.sent < new.len() * 104 / 100 + 2000, "{}", pair.sent);
    use Phase::*;
    assert_eq!(
        pair.phases(),
        [
            Connecting, Ready, Uploading, Verifying, Restarting, Swapping, OnTrial, Ready
        ]
    );
    let steps = progress(&pair);
    assert!(steps.is_sorted_by_key(|step| step.done));
    let last = steps.last().unwrap();
    assert_eq!((last.done, last.total as usize), (last.total, new.len()));
    // 10 microseconds a byte, and some for each answer.
    let rate = steps.iter().rev().find_map(|step| step.rate).unwrap();
    assert!((80_000..100_000).contains(&rate), "{rate}");
}

/// As a UART paces it: how much of the line an upload uses.
#[test]
fn an_upload_fills_the_line() {
    for (framing, share) in [(Framing::Cobs, 95.0..100.0), (Framing::Console, 71.0..74.0)] {
        let mut board = Board::new(&image(1, 3000), vec![key().public()]);
        board.frame = 2048;
        let mut pair = with(board);
        pair.speed = 11_520;
        let new = image(2, 0x3_0000);
        let options = Options {
            framing: Some(framing),
            ..Options::default()
        };
        let start = pair.now;
        pair.session
            .start(start, update_with(new.clone(), options))
            .unwrap();
        pair.until(MINUTE, |event| *event == Event::Phase(Phase::Verifying))
            .unwrap();
        let took = pair.now.since(start);
        let used = new.len() as f64 / 11_520.0 / took.as_secs_f64() * 100.0;
        std::println!("{framing:?}: {used:.1} % of the line");
        assert!(share.contains(&used), "{framing:?}: {used:.1} %");
        assert_eq!(
            pair.board.pieces.0, pair.board.pieces.1,
            "{framing:?}: pieces were sent twice"
        );
    }
}

/// Timers that fire 1 s late, as a hidden tab's do, cost nothing while answers come.
#[test]
fn a_hidden_tab_still_updates_in_time() {
    let mut pair = pair();
    pair.clamp = Duration::from_secs(1);
    pair.session.start(pair.now, update(image(2, 100_000))).unwrap();
    assert!(
        matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { took, .. } if took < Duration::from_secs(12))
    );
}

#[test]
fn a_zephyr_application_is_confirmed_by_the_updater() {
    let mut board = Board::new(&image(1, 3000), vec![]);
    (board.kind, board.app) = (Kind::Zephyr, App::Waits);
    let mut pair = with(board);
    let info = pair.session.board().unwrap();
    assert_eq!(
        (info.role, info.serial.as_deref(), info.framing),
        (None, None, Some(Framing::Console))
    );
    assert_eq!(
        (info.frame, info.window, info.max_image()),
        (1024, 2, Some(board::SLOT))
    );
    let new = image(2, 30_000);
    assert_eq!(
        pair.session.start(pair.now, update(new.clone())),
        Err(Error::NoKeys)
    );
    let options = Options {
        keys: vec![key().public()],
        confirm: Confirm::ByUpdater,
        ..Options::default()
    };
    pair.session
        .start(pair.now, update_with(new.clone(), options))
        .unwrap();
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    assert_eq!(pair.board.uploaded(), new);
    assert!(pair.board.most_waiting <= 2);
}

#[test]
fn a_board_in_mcuboots_recovery_is_updated() {
    let mut board = Board::new(&image(1, 3000), vec![]);
    (board.kind, board.window) = (Kind::Recovery, 1);
    let mut pair = with(board);
    assert_eq!(pair.session.board().unwrap().role, None);
    let options = keyed();
    pair.session
        .start(pair.now, update_with(image(2, 9_000), options))
        .unwrap();
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
}

#[test]
fn what_fails_is_taken_back_with_its_reason() {
    for (app, reason) in [
        (App::Fails(5), RollbackReason::Fault),
        (App::Refused, RollbackReason::BadImage),
    ] {
        let mut pair = pair();
        pair.board.app = app;
        pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
        let Outcome::RolledBack {
            reason: Some(said),
            version: Some(version),
            failed,
        } = outcome(&mut pair, MINUTE)
        else {
            panic!("{:?}", pair.events)
        };
        assert_eq!((said, version.as_str(), failed.major), (reason, "1.0.0", 2));
        assert_eq!(pair.phases().contains(&Phase::OnTrial), app != App::Refused);
    }
}

#[test]
fn a_board_that_keeps_no_records_is_taken_at_its_slots() {
    let mut board = Board::new(&image(1, 3000), vec![]);
    (board.kind, board.app) = (Kind::Zephyr, App::Fails(3));
    let mut pair = with(board);
    let options = keyed();
    pair.session
        .start(pair.now, update_with(image(2, 9_000), options))
        .unwrap();
    assert!(matches!(
        outcome(&mut pair, MINUTE),
        Outcome::RolledBack { reason: None, .. }
    ));
}

#[test]
fn a_board_that_leaves_the_confirmation_to_its_application_is_waited_for() {
    let by_updater = Options {
        confirm: Confirm::ByUpdater,
        ..Options::default()
    };
    for fault in [
        bootlace_smp::img::ErrorCode::ConfirmationDenied.into(),
        bootlace_smp::ErrorCode::AccessDenied.into(),
    ] {
        let mut pair = pair();
        pair.board.app = App::Confirms(20);
        pair.board.denies = Some(fault);
        let job = Job::Update {
            image: checked(image(2, 9_000)),
            patch: None,
            options: by_updater.clone(),
        };
        pair.session.start(pair.now, job).unwrap();
        assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
        let said = |wanted: Attention| {
            let events = pair.events.iter();
            events.filter(|event| **event == Event::Attention(wanted)).count()
        };
        assert_eq!(said(Attention::ConfirmsItself), 1);
    }
}

#[test]
fn an_image_that_nobody_confirms_ends_in_not_confirmed() {
    let mut pair = pair();
    pair.board.app = App::Waits;
    pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
    let failure = failure(&mut pair, 5 * MINUTE);
    assert_eq!(
        failure,
        Failure {
            error: Error::NotConfirmed,
            phase: Phase::OnTrial,
            unharmed: false
        }
    );
    // The session is of use again, and a second try joins in.
    pair.until(MINUTE, |event| *event == Event::Phase(Phase::Ready))
        .unwrap();
    let options = Options {
        confirm: Confirm::ByUpdater,
        ..Options::default()
    };
    let plan = plan(&pair, &image(2, 9_000), &options).unwrap();
    assert_eq!(plan.route, Route::Watch);
    pair.session
        .start(pair.now, update_with(image(2, 9_000), options))
        .unwrap();
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    assert_eq!(pair.board.resets, 1);
}

#[test]
fn an_application_without_a_port_is_asked_in_the_bootloader() {
    let mut pair = pair();
    pair.board.app = App::NoPort;
    pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
    pair.until(MINUTE, |event| *event == Event::Attention(Attention::NoPort))
        .unwrap();
    assert!(
        pair.until(MINUTE, |event| matches!(
            event,
            Event::Outcome(_) | Event::Failed(_)
        ))
        .is_none()
    );
    pair.board.boot_to_bootloader();
    let asked = pair.now;
    let confirmed = outcome(&mut pair, MINUTE);
    let by_bootloader = matches!(
        confirmed,
        Outcome::Confirmed {
            by: Witness::Bootloader,
            ..
        }
    );
    assert!(by_bootloader, "{confirmed:?}");
    // It is not left in its bootloader.
    assert_eq!((pair.board.resets, pair.board.port), (2, false));
    assert!(pair.now.since(asked) < Duration::from_secs(40));
}

#[test]
fn a_board_that_comes_back_in_its_bootloader_again_and_again_is_not_done() {
    let mut pair = pair();
    pair.board.app = App::NoPort;
    pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
    pair.until(MINUTE, |event| *event == Event::Attention(Attention::NoPort))
        .unwrap();
    // Its button is stuck.
    pair.board.stays = Some(BootState::Requested);
    pair.board.boot_to_bootloader();
    assert_eq!(failure(&mut pair, 5 * MINUTE).error, Error::StaysInBootloader);
}

#[test]
fn a_board_that_never_comes_back_is_waited_for_and_reported() {
    let mut pair = pair();
    pair.board.app = App::NoPort;
    pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
    let failure = failure(&mut pair, 15 * MINUTE);
    assert!(
        matches!(failure.error, Error::DidNotReturn { waited } if waited >= 10 * MINUTE),
        "{failure:?}"
    );
}

#[test]
fn a_board_that_does_not_restart_is_reported() {
    let mut pair = pair();
    pair.board.stubborn = true;
    pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
    assert_eq!(failure(&mut pair, 5 * MINUTE).error, Error::DidNotRestart);
}

#[test]
fn other_boards_are_passed_over() {
    let mut pair = pair();
    pair.strangers = [1, 2]
        .map(|version| {
            let mut stranger = Board::new(&image(version, 3000), vec![]);
            stranger.serial = Some("X-9");
            stranger
        })
        .into();
    pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
    let outcome = outcome(&mut pair, MINUTE);
    assert!(matches!(outcome, Outcome::Confirmed { .. }));
    let wrong = Event::WrongBoard {
        found: Some("X-9".into()),
    };
    assert_eq!(
        pair.events.iter().filter(|event| **event == wrong).count(),
        2,
        "{:?}",
        pair.events
    );
}

#[test]
fn a_port_that_stays_is_not_searched_for() {
    let mut pair = pair();
    pair.board.vanishes = false;
    pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    assert!(
        !pair
            .events
            .iter()
            .any(|event| matches!(event, Event::FindBoard { .. }))
    );
}

#[test]
fn every_command_is_done_on_a_confirmed_board() {
    let mut pair = pair();
    for command in [
        Command::Refresh,
        Command::Confirm,
        Command::Erase,
        Command::Reset { bootloader: true },
    ] {
        pair.session.start(pair.now, Job::Command(command)).unwrap();
        pair.until(MINUTE, |event| *event == Event::Done(command))
            .unwrap();
    }
    assert_eq!(pair.session.board().unwrap().role, Some(Role::Bootloader));
    pair.session.reset(pair.now, false).unwrap();
    pair.until(MINUTE, |event| matches!(event, Event::Done(_)))
        .unwrap();
    assert_eq!(pair.session.board().unwrap().role, Some(Role::Application));
    assert_eq!(pair.board.resets, 1);
    // Nothing is wrong with a board that was confirmed before.
    assert!(!pair.events.iter().any(|event| matches!(event, Event::Failed(_))));
}

#[test]
fn a_command_leaves_cobs_where_the_line_spoils_it() {
    // A write request begins with a line feed, which this line turns into two bytes.
    for command in [Command::Erase, Command::Confirm] {
        let mut pair = pair();
        assert_eq!(pair.session.board().unwrap().framing, Some(Framing::Cobs));
        pair.adds_cr = true;
        pair.session.start(pair.now, Job::Command(command)).unwrap();
        pair.until(3 * MINUTE, |event| *event == Event::Done(command))
            .unwrap();
    }
}
