#![allow(clippy::unwrap_used, reason = "tests")]

use alloc::string::ToString;
use core::time::Duration;

use super::*;
use crate::{Content, Outcome, Phase, Plan, Progress, Route, Way, Witness};
use bootlace_image::Version;

fn plan(way: Way, route: Route, from: Option<&str>) -> Offer {
    let to = Version {
        major: 7,
        minor: 28,
        revision: 0,
        build: 0,
    };
    let plan = Plan {
        exchange: crate::Exchange::Swap,
        way,
        route,
        from: from.map(ToString::to_string),
        to,
        hash: alloc::vec![1; 32],
        size: 1000,
        key_hash: [2; 32],
        sha: [3; 32],
    };
    Offer {
        plan: Ok(plan),
        sends: Sends::WholeWanted,
    }
}

/// What can't be undone stands before the button is pressed, whatever else there is to say.
#[test]
fn an_update_without_a_way_back_says_so_before_it_starts() {
    use crate::Exchange;
    let said = |exchange, route| {
        let offer = plan(Way::Downgrade, route, Some("7.29.0"));
        let plan = offer.plan.map(|plan| Plan { exchange, ..plan });
        plan.map(|plan| note(&plan).unwrap_or_default())
            .unwrap_or_default()
    };
    assert!(!said(Exchange::Swap, Route::Upload).contains("no way back"));
    for exchange in [Exchange::InPlace, Exchange::Overwrite] {
        assert!(
            said(exchange, Route::Upload).contains("no way back"),
            "{exchange:?}"
        );
        assert!(
            !said(exchange, Route::Nothing).contains("no way back"),
            "{exchange:?}"
        );
    }
}

#[test]
fn figures_read_like_a_person_wrote_them() {
    assert_eq!(
        [seconds(59), seconds(120), seconds(125)],
        ["59 s", "2 min", "2 min 5 s"]
    );
    assert_eq!(short_hash(&[0xe3, 0x0b, 0x8a, 0x4e, 0x11]), "e30b 8a4e");
    assert_eq!(long_hash(&[0xe3, 0x0b, 0x8a, 0x4e, 0x11]), "e30b 8a4e 11");
    assert_eq!(
        [
            spelled("1.2.3+0"),
            spelled("1.2.3.0"),
            spelled("1.2.0"),
            spelled("1.2.3+4")
        ],
        ["1.2.3", "1.2.3", "1.2.0", "1.2.3+4"]
    );
}

#[test]
fn a_hundred_percent_is_all_of_it() {
    assert_eq!(
        [percent(999, 1000), percent(u32::MAX, u32::MAX), percent(0, 0)],
        [99, 100, 0]
    );
}

#[test]
fn the_button_says_what_it_will_do_or_what_is_missing() {
    let says = |way, route, from| button(Some(&plan(way, route, from)), true, true);
    assert_eq!(
        says(Way::Update, Route::Upload, Some("7.27.0.0")),
        "Update 7.27.0 to 7.28.0"
    );
    assert_eq!(
        says(Way::Downgrade, Route::Upload, Some("7.29.0")),
        "Go back from 7.29.0 to 7.28.0"
    );
    assert_eq!(says(Way::Install, Route::Upload, None), "Install 7.28.0");
    assert_eq!(
        says(Way::Same, Route::Nothing, Some("7.28.0")),
        "7.28.0 is already installed"
    );
    assert_eq!(button(None, false, true), "Choose firmware");
}

/// B3: the very image that the board holds was called another one.
#[test]
fn the_same_image_is_never_called_another_one() {
    for route in [
        Route::Upload,
        Route::Test,
        Route::Restart,
        Route::Watch,
        Route::Nothing,
    ] {
        let offer = plan(Way::Same, route, Some("7.28.0"));
        let said = button(Some(&offer), true, true);
        let note = note(offer.plan.as_ref().unwrap()).unwrap();
        assert!(
            !said.starts_with("Replace") && !note.contains("different"),
            "{route:?}: {said} {note}"
        );
    }
}

/// B12: speed and time left were those of before the unplug.
#[test]
fn an_unplugged_board_has_no_speed_and_no_time_left() {
    let running = Running {
        phase: Phase::Uploading,
        progress: Some(Progress {
            content: Content::Image,
            done: 50_000,
            total: 100_000,
            rate: Some(10_240),
            remaining: Some(Duration::from_secs(5)),
        }),
        ..Running::new()
    };
    assert_eq!(figures(&running, false), "49 KB of 98 KB · 10.0 KB/s · 5 s left");
    assert_eq!(figures(&running, true), "49 KB of 98 KB");
    assert_eq!(news(&running, false), "50 %");
    assert!(news(&running, true).contains("plug it in"));
}

/// B9: after each rollback the test of the new firmware was announced of the old one.
#[test]
fn what_answers_after_a_restart_on_trial_is_not_called_the_new_firmware() {
    let running = Running {
        phase: Phase::OnTrial,
        trial_left: Some(9),
        ..Running::new()
    };
    assert!(doing(&running, false).starts_with("Testing the new firmware"));
    let back = Running {
        went_back: true,
        ..running
    };
    assert!(!doing(&back, false).starts_with("Testing"));
    assert_eq!(figures(&back, false), "");
}

/// B4: the call for help was in grey words only.
#[test]
fn a_tab_in_the_background_says_that_the_person_is_needed() {
    let running = Running {
        phase: Phase::Swapping,
        attention: Some(crate::Attention::NoPort),
        ..Running::new()
    };
    assert_eq!(news(&running, false), "Needs you");
    assert!(comfort(&running, false).contains("bootloader"));
}

/// B13: "The board is unharmed" stood under a key that could not be read.
#[test]
fn nothing_is_said_of_a_board_that_nothing_was_done_to() {
    use crate::{Error, Failure};
    let silent = Failure {
        error: Error::Silent,
        phase: Phase::Connecting,
        unharmed: true,
    };
    let problems = [
        Problem::Key(Error::Key(bootlace_image::KeyError::PrivateKey)),
        PageError::Unreadable.into(),
        Problem::File(Error::NoKeys),
        Problem::Plan(Error::NotNewer),
        Problem::Session(silent),
    ];
    for fact in problems {
        assert!(!problem(&fact).unharmed, "{fact:?}");
    }
    let lost = Failure {
        error: Error::PortLost,
        phase: Phase::Uploading,
        unharmed: true,
    };
    assert!(problem(&Problem::Session(lost)).unharmed);
}

#[test]
fn every_end_says_what_happened_and_what_next() {
    let version = Version {
        major: 2,
        ..Version::default()
    };
    let confirmed = Outcome::Confirmed {
        version,
        took: Duration::from_millis(29_400),
        by: Witness::Itself,
    };
    let told = end(
        &Ending::Outcome {
            outcome: confirmed,
            patch: None,
        },
        false,
    );
    assert_eq!(
        told.text,
        "The new firmware started, passed its self-test and is confirmed (29 s)."
    );
    assert_eq!(told.next, "Next board / Update again");
    let back = Outcome::RolledBack {
        reason: Some(crate::RollbackReason::Fault),
        version: Some("1.0.0+0".into()),
        failed: version,
    };
    let told = end(
        &Ending::Outcome {
            outcome: back,
            patch: None,
        },
        true,
    );
    assert_eq!(told.title, "Rolled back: 2.0.0 crashed.");
    assert!(
        told.text.starts_with("The board runs 1.0.0 again."),
        "{}",
        told.text
    );
    assert_eq!(told.next, "Next board");
    assert_eq!(end(&Ending::Left, false).word, "Not known");
}

/// B3: "on trial, not confirmed yet" stood beside "confirmed".
#[test]
fn a_confirmed_image_is_not_called_on_trial_beside_that() {
    use crate::{BoardInfo, JournalEntry, JournalOutcome, Release, RollbackReason, SlotImage};
    let image = |confirmed| SlotImage {
        version: "2.0.0.0".into(),
        confirmed,
        active: true,
        ..SlotImage::default()
    };
    let entry = JournalEntry {
        from: Release::default(),
        to: Release {
            major: 2,
            ..Release::default()
        },
        start: 1,
        outcome: JournalOutcome::Trial,
        reason: RollbackReason::NotConfirmed,
    };
    let marked = |confirmed| {
        let board = BoardInfo {
            images: alloc::vec![image(confirmed)],
            journal: Some(alloc::vec![entry]),
            ..BoardInfo::default()
        };
        last_updates(&board).first().map(mark)
    };
    assert_eq!(marked(true), Some(Mark::Good));
    assert_eq!(marked(false), Some(Mark::Open));
}
