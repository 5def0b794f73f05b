//! The states that a person can come to, one after another.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "tests; not all of them use all of it"
)]

use std::rc::Rc;

use bootlace_engine::words::page::new_board::{self as words, System};
use bootlace_image::PublicKey;
use bootlace_install::{Board, Ended, News, Part, Way, Work, boards};
use bootlace_loader::Fault;
use bootlace_new_board::state::{
    Action, Application, Change, Companion, Done, Held, List, NamedKey, Offers, SavedFile,
};

/// The board of these tests.
pub fn pico() -> &'static Board {
    boards::named("rp2040").unwrap()
}

/// A key of the person's own.
pub fn key() -> PublicKey {
    PublicKey::Ed25519([7; 32])
}

/// The companions of the page.
pub fn listed() -> Action {
    let companion = |board: &'static Board| Companion {
        board,
        file: format!("{}.bin", board.name),
        version: "0.1.0".into(),
        size: 43_120,
        digest: [0; 32],
    };
    Action::Listed(List::There(boards::ALL.iter().map(companion).collect()))
}

/// What Chromium on Linux offers.
pub fn offers() -> Action {
    let offers = Offers {
        usb: true,
        serial: true,
        folders: true,
    };
    Action::Offers(offers, System::Linux)
}

/// A file that the browser has written.
pub fn saved(name: &str) -> SavedFile {
    SavedFile {
        name: name.into(),
        is_sure: true,
    }
}

/// The key of a file.
pub fn chosen_key() -> Action {
    Action::Keys(vec![NamedKey {
        file: "release-2026.pub.pem".into(),
        key: key(),
    }])
}

/// With these after it.
pub fn then(first: Vec<Action>, more: impl IntoIterator<Item = Action>) -> Vec<Action> {
    first.into_iter().chain(more).collect()
}

/// A board is chosen.
pub fn at_key() -> Vec<Action> {
    vec![offers(), listed(), Action::Board(pico())]
}

/// A companion is chosen.
pub fn at_connect() -> Vec<Action> {
    then(
        at_key(),
        [
            chosen_key(),
            Action::Name("Bench 7".into()),
            Action::Making,
            Action::Continue,
        ],
    )
}

/// The loader is read.
pub fn reading() -> Vec<Action> {
    let change = Change {
        ranges: vec![(0x1000_0000, 0x1_0000)],
        has_application: false,
    };
    let more = [
        Action::Opening(Way::Picoboot),
        Action::Planned(change),
        Action::News(News::Work(Work::Beginning)),
        Action::News(News::Work(Work::Reading)),
        Action::News(News::Progress {
            done: 24_576,
            total: 65_536,
        }),
    ];
    then(at_connect(), more)
}

/// The person decides about a board that holds this.
pub fn deciding(byte: u8) -> Vec<Action> {
    let part = Part {
        at: 0x1000_0000,
        bytes: vec![byte; 65_536],
    };
    let more = [
        Action::News(News::Before(vec![part])),
        Action::News(News::Work(Work::Erasing)),
    ];
    then(reading(), more)
}

/// The flash is changed.
pub fn changing() -> Vec<Action> {
    let more = [
        Action::Discard(true),
        Action::GoOn,
        Action::News(News::Work(Work::Writing)),
        Action::News(News::Progress {
            done: 28_672,
            total: 61_440,
        }),
    ];
    then(deciding(0x55), more)
}

/// It has ended so.
pub fn ended(ended: Ended) -> Vec<Action> {
    then(changing(), [Action::News(News::Ended(ended))])
}

/// A fault in the middle of the writing.
pub fn broken(fault: Fault) -> Ended {
    Ended::Failed {
        work: Work::Writing,
        fault,
        changed: true,
    }
}

/// Each state by its name.
pub fn states() -> Vec<(&'static str, Vec<Action>)> {
    let application = Application {
        file: "station-1.0.0.signed.bin".into(),
        version: "1.0.0".into(),
        bytes: Rc::from([]),
    };
    let made = || {
        vec![
            Action::MakingKey,
            Action::Made("signing-key.pub.pem".into(), key()),
        ]
    };
    let downloaded = SavedFile {
        name: "signing-key.pem".into(),
        is_sure: false,
    };
    let drive = || {
        then(
            at_connect(),
            [Action::Opening(Way::Uf2), Action::Known(Held::Unread)],
        )
    };
    vec![
        ("01-looking", vec![]),
        ("02-preparing", vec![Action::Listed(List::Missing)]),
        ("03-board", vec![offers(), listed()]),
        ("04-key", at_key()),
        (
            "05-key-published",
            then(
                at_key(),
                [Action::Failed(
                    words::unfit_keys(&[published()], 0).unwrap().into(),
                )],
            ),
        ),
        ("06-key-made", then(at_key(), made())),
        (
            "07-key-downloaded",
            then(
                at_key(),
                made().into_iter().chain([Action::PrivateSaved(downloaded)]),
            ),
        ),
        (
            "08-key-saved",
            then(
                at_key(),
                made()
                    .into_iter()
                    .chain([Action::PrivateSaved(saved("signing-key.pem"))]),
            ),
        ),
        (
            "09-key-chosen",
            then(
                at_key(),
                [
                    chosen_key(),
                    Action::Name("Küche".into()),
                    Action::Id(0, "12".into()),
                ],
            ),
        ),
        (
            "10-application",
            then(at_key(), [chosen_key(), Action::Application(Some(application))]),
        ),
        ("11-connect", at_connect()),
        (
            "11-connect-stm32",
            vec![
                offers(),
                listed(),
                Action::Board(boards::named("stm32f407").unwrap()),
                chosen_key(),
                Action::Making,
                Action::Continue,
            ],
        ),
        (
            "11-connect-dongle",
            vec![
                offers(),
                listed(),
                Action::Board(boards::named("nrf52840-dongle").unwrap()),
                chosen_key(),
                Action::Making,
                Action::Continue,
            ],
        ),
        (
            "11-connect-dk",
            vec![
                offers(),
                listed(),
                Action::Board(boards::named("nrf52840").unwrap()),
                chosen_key(),
                Action::Making,
                Action::Continue,
            ],
        ),
        (
            "11-connect-nrf",
            vec![
                offers(),
                listed(),
                Action::Board(boards::named("nrf52840-uf2").unwrap()),
                chosen_key(),
                Action::Making,
                Action::Continue,
            ],
        ),
        ("12-opening", then(at_connect(), [Action::Opening(Way::Picoboot)])),
        (
            "13-nothing-chosen",
            then(
                at_connect(),
                [Action::Failed(words::none_chosen(pico(), Way::Picoboot).into())],
            ),
        ),
        (
            "14-denied",
            then(
                at_connect(),
                [Action::Failed(words::denied(
                    pico(),
                    System::Linux,
                    (0x2E8A, 3),
                    (0x1209, 1),
                ))],
            ),
        ),
        (
            "15-no-driver",
            then(
                at_connect(),
                [Action::Failed(words::busy(
                    pico(),
                    Way::Picoboot,
                    System::Windows,
                ))],
            ),
        ),
        ("16-reading", reading()),
        ("17-blank", deciding(0xFF)),
        ("18-held", deciding(0x55)),
        (
            "19-held-saved",
            then(deciding(0x55), [Action::BeforeSaved(saved("rp2040-before.uf2"))]),
        ),
        ("20-drive", drive()),
        ("21-changing", changing()),
        ("22-writing", then(drive(), [Action::Writing])),
        ("23-unplugged", ended(broken(Fault::Gone))),
        ("24-differs", ended(Ended::Differs { at: 0x1000_2005 })),
        ("25-installed", ended(Ended::Installed)),
        (
            "26-by-hand",
            then(
                at_connect(),
                [Action::Done(Done::ByHand("rp2040-companion.uf2".into()))],
            ),
        ),
    ]
}

/// A key whose private half is published.
pub fn published() -> PublicKey {
    PublicKey::from_pem(include_str!(
        "../../../../protocol/image/tests/data/published-ed25519.pub.pem"
    ))
    .unwrap()
}
