#![allow(clippy::unwrap_used, reason = "tests")]

use bootlace_engine::{BoardInfo, Error, Failure, Phase, RollbackReason, Unchanged, Witness};
use bootlace_image::Version;

use super::*;
use crate::messages::{Offer, PageError, Sends, Via};

const BOARD: BoardId = BoardId(1);

fn notice(notice: Notice) -> Action {
    Action::Notice("10:00:00".into(), notice)
}

fn appeared(id: u32) -> Action {
    notice(Notice::Appeared {
        board: BoardId(id),
        via: Via::Simulated,
    })
}

fn running(phase: Phase) -> Action {
    let running = Running {
        phase,
        ..Running::new()
    };
    notice(Notice::Running(BOARD, Box::new(running)))
}

fn ended(ending: Ending) -> Action {
    notice(Notice::Ended(BOARD, Box::new(ending)))
}

fn failed() -> Ending {
    Ending::Failed(Problem::Session(Failure {
        error: Error::PortLost,
        phase: Phase::Uploading,
        unharmed: true,
    }))
}

fn image(file: &str) -> Box<ImageInfo> {
    Box::new(ImageInfo {
        file: file.into(),
        version: Version::default(),
        size: 1,
        hash: None,
        vid: None,
        cid: None,
        start: None,
        counter: None,
        verdict: Verdict::Unchecked { key_hash: None },
        warning: None,
    })
}

fn offer() -> Action {
    let offer = Offer {
        plan: Err(Error::NotNewer),
        sends: Sends::WholeWanted,
    };
    notice(Notice::Offer(BOARD, Some(Box::new(offer))))
}

fn after(actions: impl IntoIterator<Item = Action>) -> State {
    let mut state = State::default();
    actions.into_iter().for_each(|action| state.apply(action));
    state
}

#[test]
fn a_new_board_is_shown_unless_another_one_is_being_updated() {
    let mut state = after([appeared(1), appeared(2)]);
    assert_eq!(state.shown, Some(BoardId(2)));
    state.apply(Action::Started(BoardId(2)));
    state.apply(appeared(3));
    assert_eq!(state.shown, Some(BoardId(2)));
    assert_eq!(state.boards.len(), 3);
}

#[test]
fn an_outcome_remembers_how_far_it_came() {
    let rolled = Ending::Outcome {
        outcome: Outcome::RolledBack {
            reason: Some(RollbackReason::Fault),
            version: Some("1.0.0".into()),
            failed: Version::default(),
        },
        patch: None,
    };
    let state = after([
        appeared(1),
        Action::Started(BOARD),
        running(Phase::OnTrial),
        ended(rolled.clone()),
    ]);
    let work = Work::Ended {
        ending: Rc::new(rolled),
        reached: Step::Trial,
    };
    assert_eq!(state.boards[0].work, work);
    assert!(!state.is_busy());
}

#[test]
fn a_cancel_that_was_asked_for_stays_asked_for() {
    let state = after([
        appeared(1),
        Action::Started(BOARD),
        Action::Cancelling(BOARD),
        running(Phase::Uploading),
    ]);
    assert!(matches!(
        state.boards[0].work,
        Work::Running { cancelling: true, .. }
    ));
    assert!(state.is_busy());
}

#[test]
fn again_keeps_a_board_that_is_there_and_drops_one_that_is_gone() {
    let kept = after([appeared(1), ended(failed()), Action::Again(BOARD)]);
    assert_eq!(kept.boards[0].work, Work::Idle);
    let lost = notice(Notice::Cable(BOARD, Cable::Lost));
    let dropped = after([appeared(1), ended(failed()), lost, Action::Again(BOARD)]);
    assert!(dropped.boards.is_empty());
    assert_eq!(dropped.shown, None);
}

#[test]
fn no_update_looks_alive_when_the_worker_is_gone() {
    let state = after([
        appeared(1),
        offer(),
        Action::Reading(ChoiceId(1), "a.bin".into()),
        Action::Started(BOARD),
        Action::Stopped(PageError::WorkerStopped.into()),
    ]);
    assert!(!state.is_busy() && !state.ready);
    assert!(
        matches!(&state.boards[0].work, Work::Ended { ending, .. } if matches!(**ending, Ending::Failed(_)))
    );
    assert_eq!(state.boards[0].offer, None);
    assert!(matches!(state.chosen, Chosen::Refused { .. }));
}

#[test]
fn what_is_said_of_an_earlier_choice_changes_nothing() {
    let mut state = after([
        Action::Reading(ChoiceId(1), "a.bin".into()),
        Action::Reading(ChoiceId(2), "b.bin".into()),
        notice(Notice::Examined(ChoiceId(1), Ok(image("a.bin")))),
        Action::Unreadable(ChoiceId(1), PageError::Unreadable.into()),
    ]);
    assert_eq!(state.chosen, Chosen::Reading { file: "b.bin".into() });
    state.apply(notice(Notice::Examined(ChoiceId(2), Ok(image("b.bin")))));
    assert_eq!(state.image().unwrap().file, "b.bin");
}

/// F8: of a file with two keys the second one was passed over, so that a change of keys failed.
#[test]
fn every_key_of_a_file_is_trusted_with_a_name_of_its_own() {
    let pem = concat!(
        include_str!("../../../protocol/image/tests/data/p256.pub.pem"),
        include_str!("../../../protocol/image/tests/data/ed25519.pub.pem")
    );
    let keys = bootlace_engine::read_keys(pem.as_bytes()).unwrap();
    let added = TrustedKey::of_file("release.pem", &keys, "2026-11-28");
    let shown: Vec<_> = added
        .iter()
        .map(|trusted| (trusted.name.as_str(), trusted.key))
        .collect();
    assert_eq!(shown, [("release (1)", keys[0]), ("release (2)", keys[1])]);
    assert_ne!(keys[0], keys[1]);
    let [one] = TrustedKey::of_file("mine.pub", &keys[..1], "")
        .try_into()
        .unwrap();
    assert_eq!(one.name, "mine.pub");
}

/// B1: the page installed an image that it did not show.
#[test]
fn an_offer_ends_with_the_choice_that_it_was_made_for() {
    let chosen = || {
        after([
            appeared(1),
            Action::Reading(ChoiceId(1), "a.bin".into()),
            notice(Notice::Examined(ChoiceId(1), Ok(image("a.bin")))),
            offer(),
        ])
    };
    assert!(chosen().boards[0].offer.is_some());
    let next = [
        vec![Action::Reading(ChoiceId(2), "b.bin".into())],
        vec![
            Action::Reading(ChoiceId(2), "b.bin".into()),
            offer(),
            Action::Unreadable(ChoiceId(2), PageError::FileTooLarge.into()),
        ],
        vec![
            Action::Reading(ChoiceId(2), "b.bin".into()),
            offer(),
            notice(Notice::Examined(ChoiceId(2), Err(Error::NoKeys))),
        ],
    ];
    for actions in next {
        let mut state = chosen();
        actions.into_iter().for_each(|action| state.apply(action));
        assert_eq!(state.boards[0].offer, None, "{:?}", state.chosen);
    }
}

/// B2: a red message about a port stayed beside an update that went well.
#[test]
fn a_problem_with_a_port_ends_where_a_board_answers_or_an_update_ends() {
    let problem = || notice(Notice::Ports(Some(PageError::PortVanished.into())));
    let state = after([
        appeared(1),
        problem(),
        notice(Notice::Board(BOARD, Box::default())),
    ]);
    assert_eq!(state.problem, None);
    let unchanged = Ending::Outcome {
        outcome: Outcome::Unchanged {
            reason: Unchanged::Cancelled,
            version: None,
        },
        patch: None,
    };
    let state = after([appeared(1), Action::Started(BOARD), problem(), ended(unchanged)]);
    assert_eq!(state.problem, None);
}

/// B4: after the upload there was no way out.
#[test]
fn a_board_that_was_left_stays_until_the_person_has_read_so() {
    let mut state = after([
        appeared(1),
        notice(Notice::Board(BOARD, Box::<BoardInfo>::default())),
        Action::Started(BOARD),
        running(Phase::Swapping),
        ended(Ending::Left),
        notice(Notice::Gone(BOARD)),
    ]);
    assert!(matches!(
        state.boards[0].work,
        Work::Ended {
            reached: Step::Swap,
            ..
        }
    ));
    assert_eq!(state.boards[0].cable, Cable::Lost);
    state.apply(Action::Again(BOARD));
    assert!(state.boards.is_empty());
    let gone = after([appeared(1), ended(failed()), notice(Notice::Gone(BOARD))]);
    assert!(gone.boards.is_empty());
    // It comes back by itself: one board, not two.
    let named = || BoardInfo {
        serial: Some("B-1".into()),
        ..BoardInfo::default()
    };
    let back = after([
        appeared(1),
        notice(Notice::Board(BOARD, Box::new(named()))),
        Action::Started(BOARD),
        ended(Ending::Left),
        notice(Notice::Gone(BOARD)),
        appeared(2),
        notice(Notice::Board(BoardId(2), Box::new(named()))),
    ]);
    assert_eq!(
        back.boards.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        [BoardId(2)]
    );
}

#[test]
fn a_confirmed_update_reached_the_last_step() {
    let confirmed = Outcome::Confirmed {
        version: Version::default(),
        took: core::time::Duration::from_secs(1),
        by: Witness::Itself,
    };
    let state = after([
        appeared(1),
        Action::Started(BOARD),
        ended(Ending::Outcome {
            outcome: confirmed,
            patch: None,
        }),
    ]);
    assert!(matches!(
        state.boards[0].work,
        Work::Ended {
            reached: Step::Confirmed,
            ..
        }
    ));
}
