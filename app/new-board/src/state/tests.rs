#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use bootlace_install::{Part, boards};
use bootlace_loader::Fault;

use super::*;

fn after(actions: impl IntoIterator<Item = Action>) -> State {
    let mut state = State::default();
    actions.into_iter().for_each(|action| state.apply(action));
    state
}

fn key(byte: u8) -> PublicKey {
    PublicKey::Ed25519([byte; 32])
}

fn chosen() -> Vec<Action> {
    let named = NamedKey {
        file: "own.pub.pem".into(),
        key: key(1),
    };
    vec![
        Action::Board(&boards::ALL[0]),
        Action::Keys(vec![named]),
        Action::Making,
        Action::Continue,
    ]
}

/// The board's content was read: this byte all over.
fn read(byte: u8) -> Vec<Action> {
    let part = Part {
        at: boards::ALL[0].flash,
        bytes: vec![byte; 4096],
    };
    let news = [
        News::Work(Work::Beginning),
        News::Work(Work::Reading),
        News::Before(vec![part]),
        News::Work(Work::Erasing),
    ];
    let told = news.into_iter().map(Action::News);
    chosen()
        .into_iter()
        .chain([Action::Opening(Way::Picoboot)])
        .chain(told)
        .collect()
}

fn with(actions: Vec<Action>, more: impl IntoIterator<Item = Action>) -> State {
    after(actions.into_iter().chain(more))
}

fn saved(is_sure: bool) -> SavedFile {
    SavedFile {
        name: "signing-key.pem".into(),
        is_sure,
    }
}

#[test]
fn nothing_goes_on_before_the_private_half_of_a_new_key_is_safe() {
    let made = || {
        let key = Action::Made("signing-key.pub.pem".into(), key(1));
        vec![Action::Board(&boards::ALL[0]), Action::MakingKey, key]
    };
    let step =
        |more: Vec<Action>| with(made(), more.into_iter().chain([Action::Making, Action::Continue])).step;
    assert_eq!(step(vec![]), Step::Key);
    assert_eq!(
        step(vec![Action::PrivateKept(true)]),
        Step::Key,
        "kept what was never saved"
    );
    // Whether a download has arrived, only the person knows.
    let downloaded = Action::PrivateSaved(saved(false));
    assert_eq!(step(vec![downloaded.clone()]), Step::Key);
    assert_eq!(step(vec![downloaded, Action::PrivateKept(true)]), Step::Connect);
    assert_eq!(step(vec![Action::PrivateSaved(saved(true))]), Step::Connect);
    // Without the key that was made, nothing of it is left.
    let removed = with(made(), [Action::RemoveKey(0)]);
    assert!(removed.made.is_none() && removed.keys.is_empty() && !removed.can_make());
}

#[test]
fn names_and_numbers_that_no_board_can_hold_keep_the_companion_from_being_made() {
    let step = |action| {
        let actions = [
            Action::Change(Step::Key),
            action,
            Action::Making,
            Action::Continue,
        ];
        with(chosen(), actions).step
    };
    assert_eq!(step(Action::Name("Station 4".into())), Step::Connect);
    assert_eq!(step(Action::Name("Küche".into())), Step::Key);
    assert_eq!(step(Action::Name("x".repeat(33))), Step::Key);
    assert_eq!(step(Action::Id(0, "12".into())), Step::Key);
    assert_eq!(
        step(Action::Id(0, "6f1e5fd8-1d5c-4e0b-9a70-4f3a4e6d6c11".into())),
        Step::Connect
    );
}

#[test]
fn what_the_board_holds_is_decided_about_before_it_changes() {
    let decided = |state: &State| match &state.run {
        Run::Check(check) => check.is_decided(),
        other => panic!("{other:?}"),
    };
    assert!(decided(&after(read(0xFF))), "there is nothing to lose");
    assert!(!decided(&after(read(0x55))));
    assert!(decided(&with(read(0x55), [Action::Discard(true)])));
    assert!(decided(&with(read(0x55), [Action::BeforeSaved(saved(false))])));
    // A drive can't be read: what it holds may be lost.
    let drive = || with(chosen(), [Action::Opening(Way::Uf2), Action::Known(Held::Unread)]);
    assert!(!decided(&drive()));
    let mut drive = drive();
    drive.apply(Action::Discard(true));
    assert!(decided(&drive));
}

#[test]
fn an_installation_that_ends_badly_leads_back_to_the_board_and_says_why() {
    let work = Work::Writing;
    let ends = [
        Ended::Cancelled { changed: true },
        Ended::Differs { at: 0x1000_0000 },
        Ended::Failed {
            work,
            fault: Fault::Gone,
            changed: true,
        },
    ];
    for end in ends {
        let actions = [
            Action::Discard(true),
            Action::GoOn,
            Action::News(News::Ended(end.clone())),
        ];
        let state = with(read(0x55), actions);
        assert_eq!((state.step, &state.run), (Step::Connect, &Run::None), "{end:?}");
        assert!(!state.trouble.as_ref().unwrap().sentence.unharmed, "{end:?}");
        // Starting again works.
        assert_eq!(with(vec![], [Action::Opening(Way::Picoboot)]).run, Run::Opening);
    }
    // What the person asked for is no trouble.
    let cancelled = Action::News(News::Ended(Ended::Cancelled { changed: false }));
    let state = with(read(0x55), [cancelled]);
    assert_eq!((state.step, state.trouble), (Step::Connect, None));
    let state = with(
        read(0x55),
        [Action::GoOn, Action::News(News::Ended(Ended::Installed))],
    );
    assert_eq!(
        (state.step, state.run),
        (Step::FirstStart, Run::Done(Done::ReadBack))
    );
}

#[test]
fn while_the_board_is_open_nothing_of_its_companion_can_be_changed() {
    for more in [vec![], vec![Action::Discard(true), Action::GoOn]] {
        let state = with(read(0x55), more.into_iter().chain([Action::Change(Step::Key)]));
        assert!(state.is_running() && state.step > Step::Connect);
    }
    let going = with(read(0x55), [Action::Discard(true), Action::GoOn]);
    assert!(going.is_changing());
    assert!(!after(read(0x55)).is_changing());
    // What an installation says that was closed is not heard.
    let closed = with(
        read(0x55),
        [Action::Again, Action::News(News::Work(Work::Reading))],
    );
    assert_eq!((closed.step, closed.run), (Step::Connect, Run::None));
}
