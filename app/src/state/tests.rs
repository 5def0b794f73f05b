use super::*;

fn notice(notice: Notice) -> Action {
    Action::Notice("10:00:00".into(), notice)
}

fn problem(name: &str) -> Problem {
    Problem {
        name: name.into(),
        what: "it broke".into(),
        next: "mend it".into(),
        unharmed: true,
    }
}

fn appeared(id: u32) -> Action {
    notice(Notice::Appeared {
        board: BoardId(id),
        via: Via::Simulated,
    })
}

fn progress(phase: Phase) -> Progress {
    Progress {
        done: 1,
        ..Progress::at(phase, 2)
    }
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
    let id = BoardId(1);
    let rolled = Outcome::RolledBack {
        version: "1.0.0".into(),
        reason: "it crashed".into(),
    };
    let state = after([
        appeared(1),
        Action::Started(id),
        notice(Notice::Progress(id, progress(Phase::Trial))),
        notice(Notice::Outcome(id, rolled.clone())),
    ]);
    assert_eq!(
        state.boards[0].run,
        Run::Ended {
            outcome: rolled,
            reached: Phase::Trial
        }
    );
    assert!(!state.is_busy());
}

#[test]
fn a_stop_that_was_asked_for_stays_asked_for() {
    let id = BoardId(1);
    let state = after([
        appeared(1),
        Action::Started(id),
        Action::Stopping(id),
        notice(Notice::Progress(id, progress(Phase::Send))),
    ]);
    assert!(matches!(state.boards[0].run, Run::Running { stopping: true, .. }));
    assert!(state.is_busy());
}

#[test]
fn again_keeps_a_board_that_is_there_and_drops_one_that_is_gone() {
    let ended = |id| notice(Notice::Outcome(BoardId(id), Outcome::Failed(problem("Lost"))));
    let kept = after([appeared(1), ended(1), Action::Again(BoardId(1))]);
    assert_eq!(kept.boards[0].run, Run::Idle);
    let lost = notice(Notice::Cable(BoardId(1), Cable::Lost));
    let dropped = after([appeared(1), ended(1), lost, Action::Again(BoardId(1))]);
    assert!(dropped.boards.is_empty());
    assert_eq!(dropped.shown, None);
}

#[test]
fn no_update_looks_alive_when_the_engine_is_gone() {
    let state = after([
        appeared(1),
        Action::Started(BoardId(1)),
        Action::Stopped(problem("EngineStopped")),
    ]);
    assert!(!state.is_busy() && !state.ready);
    assert!(matches!(
        state.boards[0].run,
        Run::Ended {
            outcome: Outcome::Failed(_),
            ..
        }
    ));
}

#[test]
fn an_image_put_away_while_it_was_read_stays_away() {
    let state = after([
        Action::Reading("a.bin".into()),
        Action::Forgotten,
        notice(Notice::Image(Err(problem("X")))),
    ]);
    assert_eq!(state.image, Image::None);
}

#[test]
fn keys_keep_what_the_engine_said_about_them_when_another_is_added() {
    let key = |name: &str| NamedKey {
        name: name.into(),
        pem: format!("pem of {name}"),
    };
    let card = KeyCard {
        name: Some("one".into()),
        hash: "aa".into(),
        algorithm: "Ed25519".into(),
        development: false,
    };
    let state = after([
        Action::Keys(vec![key("one")]),
        notice(Notice::Keys(vec![Ok(card)])),
        Action::Keys(vec![key("one"), key("two")]),
    ]);
    assert_eq!(state.key_name("aa"), Some("one"));
    assert_eq!(state.keys[1].card, None);
}

#[test]
fn the_log_does_not_grow_without_end() {
    let state = after((0..LOG_LINES + 3).map(|n| notice(Notice::Log(None, n.to_string()))));
    assert_eq!(state.log.len(), LOG_LINES);
    assert_eq!(state.log[0].text, "3");
}
