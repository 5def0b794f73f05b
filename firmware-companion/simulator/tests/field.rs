//! What keeps a board alive in the field: its journal, its golden image, and the limit of its supply.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use bootlace_simulator::{Behaviour, Config, SimulatedBoard, Supply};
use bootlace_smp::bootlace::{
    BootState, ErrorCode, Features, GROUP, JournalEntry, JournalOutcome, Release, Role, RollbackReason,
};
use bootlace_smp::img;
use common::{ADDRESS, config, counted, hash_of, key, mark_for_test, started, version, with_golden};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn release(major: u8, minor: u8) -> Release {
    Release {
        major,
        minor,
        revision: 0,
    }
}

fn outcomes(updates: &[JournalEntry]) -> Vec<(u8, u8, JournalOutcome)> {
    updates
        .iter()
        .map(|it| (it.from.minor, it.to.minor, it.outcome))
        .collect()
}

#[test]
fn the_journal_tells_what_came_of_each_update() {
    let mut host = started(SimulatedBoard::new(config(), Some(&version(0))).unwrap());
    assert!(host.describe(|d| d.features.has(Features::JOURNAL)));
    assert_eq!(host.journal(), []);

    assert_eq!(host.upload(&version(1)), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&version(1))), false), Ok(()));
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(outcomes(&host.journal()), [(0, 1, JournalOutcome::Trial)]);
    host.now += 1_000_000;
    host.board.advance(host.now);
    assert_eq!(
        outcomes(&host.journal()),
        [(0, 1, JournalOutcome::Confirmed)],
        "as soon as it is confirmed, not at the next start"
    );

    host.board.behave(Behaviour::Crash);
    host.update(&version(2));
    let journal = host.journal();
    assert_eq!(
        outcomes(&journal),
        [
            (1, 2, JournalOutcome::RolledBack),
            (0, 1, JournalOutcome::Confirmed)
        ]
    );
    let [crashed, confirmed] = journal.as_slice() else {
        unreachable!("two updates")
    };
    assert_eq!(crashed.reason, RollbackReason::Fault);
    assert!(crashed.start > confirmed.start);

    // A board that loses power remembers.
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    assert_eq!(host.journal(), journal);
}

/// F9: the simulator was kinder than a chip, and called such images confirmed.
#[test]
fn an_image_that_no_cortex_m_can_start_is_taken_back() {
    let start = |stack: u32, reset: u32| {
        let mut payload = vec![7; 20_000];
        payload[..4].copy_from_slice(&stack.to_le_bytes());
        payload[4..8].copy_from_slice(&reset.to_le_bytes());
        let version = bootlace_image::Version {
            major: 2,
            ..Default::default()
        };
        bootlace_image::builder::ImageBuilder::new(payload)
            .version(version)
            .sign(&key())
            .build()
    };
    for (stack, reset) in [
        (0x2000_4000, ADDRESS + 0x6_0001),
        (0x2000_4000, ADDRESS + 0x101),
        (0x2000_4000, ADDRESS + 0x300),
        (0xFFFF_FFFF, ADDRESS + 0x301),
        (ADDRESS + 0x800, ADDRESS + 0x301),
    ] {
        let mut host = started(SimulatedBoard::new(config(), Some(&version(0))).unwrap());
        host.update(&start(stack, reset));
        let journal = host.journal();
        let [entry] = journal.as_slice() else {
            unreachable!("one update: {journal:?}")
        };
        assert_eq!(entry.outcome, JournalOutcome::RolledBack, "{stack:#x} {reset:#x}");
        assert_eq!(entry.reason, RollbackReason::Watchdog);
    }
    // It was flashed by a probe: nothing goes back, and nothing runs.
    let mut board = SimulatedBoard::new(config(), Some(&start(0, ADDRESS + 0x301))).unwrap();
    board.advance(60_000_000);
    assert!(board.port().is_none());
}

#[test]
fn the_journal_keeps_the_newest_eight() {
    let mut host = started(SimulatedBoard::new(config(), Some(&version(0))).unwrap());
    for minor in 1..=10 {
        host.update(&version(minor));
    }
    let expected: Vec<_> = (3..=10)
        .rev()
        .map(|minor| (minor - 1, minor, JournalOutcome::Confirmed))
        .collect();
    assert_eq!(outcomes(&host.journal()), expected);
}

#[test]
fn a_damaged_image_is_replaced_by_the_golden_one_and_the_board_says_so() {
    let golden = version(9);
    let mut host = started(with_golden(config(), &golden, Some(&version(3))));
    assert_eq!(host.describe(|d| d.golden), Some(release(1, 9)));
    host.board.damage();
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());

    assert_eq!(host.describe(|d| d.role), Role::Application);
    assert_eq!(host.list(), [(0, "1.9.0".into(), true, true, false)]);
    let reason = host.describe(|d| {
        d.rollback
            .map(|it| (it.reason, it.from.map(|from| from.as_str().to_owned())))
    });
    assert_eq!(reason, Some((RollbackReason::BadImage, Some("1.3.0".into()))));
    let journal = host.journal();
    assert_eq!(outcomes(&journal), [(3, 9, JournalOutcome::Golden)]);
    assert_eq!(
        journal.first().map(|it| it.reason),
        Some(RollbackReason::BadImage)
    );

    // It is an ordinary image from here on.
    host.update(&version(4));
    assert_eq!(
        outcomes(&host.journal()),
        [(9, 4, JournalOutcome::Confirmed), (3, 9, JournalOutcome::Golden)]
    );
}

#[test]
fn a_board_without_any_image_starts_its_golden_one() {
    let mut host = started(with_golden(config(), &version(9), None));
    assert_eq!(host.list(), [(0, "1.9.0".into(), true, true, false)]);
    assert_eq!(
        host.journal().first().map(|it| (it.from, it.reason)),
        Some((Release::default(), RollbackReason::NoImage))
    );
}

#[test]
fn a_trial_that_fails_with_nothing_to_go_back_to_ends_in_the_golden_image() {
    let first = version(2);
    // A board that came without an application, and now gets its first.
    let config = Config {
        behaviour: Behaviour::Crash,
        ..config()
    };
    let mut host = started(with_golden(config, &version(9), None));
    host.board.damage();
    host.update(&first);
    assert_eq!(host.describe(|d| d.role), Role::Application);
    assert_eq!(host.list().first().map(|it| it.1.clone()), Some("1.9.0".into()));
    let journal = host.journal();
    assert_eq!(
        journal.first().map(|it| (it.to, it.outcome)),
        Some((release(1, 9), JournalOutcome::Golden))
    );
    assert!(
        journal
            .iter()
            .any(|it| it.to == release(1, 2) && it.outcome == JournalOutcome::RolledBack),
        "{journal:?}"
    );
}

#[test]
fn a_golden_image_below_the_counter_or_damaged_is_refused_and_the_board_says_why() {
    let mut host = started(with_golden(config(), &counted(9, 1), Some(&counted(3, 5))));
    // A start of a confirmed image lets the board's counter follow it.
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    assert_eq!(host.describe(|d| d.counter), Some(5));
    host.board.damage();
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    assert_eq!(
        host.describe(|d| (d.role, d.state)),
        (Role::Bootloader, Some(BootState::GoldenTooOld))
    );

    let mut bad = version(9);
    bad[5000] ^= 1;
    let mut host = started(with_golden(config(), &bad, None));
    assert_eq!(
        host.describe(|d| (d.role, d.state)),
        (Role::Bootloader, Some(BootState::GoldenBad))
    );
    // The board is not lost: it takes an image.
    host.update(&version(4));
    assert_eq!(host.list().first().map(|it| it.1.clone()), Some("1.4.0".into()));

    let mut host = started(SimulatedBoard::new(config().with_golden(), None).unwrap());
    assert_eq!(host.describe(|d| d.state), Some(BootState::NoImage));
}

#[test]
fn the_counter_follows_a_confirmed_image_even_when_the_next_one_waits_already() {
    let mut host = started(SimulatedBoard::new(config(), Some(&counted(0, 1))).unwrap());
    host.update(&counted(1, 5));
    // It runs, confirmed, and has not been started again since: its counter counts all the same.
    assert_eq!(host.describe(|d| d.counter), Some(5));
    assert_eq!(host.upload(&counted(2, 2)), Some(true));
    assert_eq!(
        host.set_state(Some(hash_of(&counted(2, 2))), false),
        Err((Some(img::GROUP), img::ErrorCode::CurrentVersionIsNewer.rc()))
    );
    // The application asks for the older one by itself.
    mark_for_test(host.board.flash_mut());
    host.reset(None);
    assert!(host.wait_for_port());
    host.settle();
    assert!(host.wait_for_port());
    assert_eq!(host.list().first().map(|it| it.1.clone()), Some("1.1.0".into()));
    assert_eq!(host.describe(|d| d.counter), Some(5));
    let journal = host.journal();
    assert_eq!(
        outcomes(&journal),
        [(1, 2, JournalOutcome::Refused), (0, 1, JournalOutcome::Confirmed)]
    );
    assert_eq!(journal.first().map(|it| it.reason), Some(RollbackReason::TooOld));
}

#[test]
fn a_low_supply_refuses_every_beginning_and_says_its_limit() {
    let supply = |level| Supply {
        level,
        limit: 3300,
        percent: false,
    };
    for bootloader in [false, true] {
        let mut host = started(SimulatedBoard::new(config(), Some(&version(0))).unwrap());
        if bootloader {
            host.reset(Some(1));
            assert!(host.wait_for_port());
        }
        assert_eq!(host.describe(|d| d.supply), None);
        host.board.supply(supply(3299));
        assert_eq!(
            host.begin(&version(1)),
            Err((Some(GROUP), ErrorCode::SupplyLow.rc()))
        );
        assert_eq!(host.describe(|d| d.supply), Some(supply(3299)));
        host.board.supply(supply(3300));
        assert_eq!(host.upload(&version(1)), Some(true));
        // Nothing is marked with what is left of a battery.
        host.board.supply(supply(3000));
        assert_eq!(
            host.set_state(Some(hash_of(&version(1))), false),
            Err((Some(GROUP), ErrorCode::SupplyLow.rc()))
        );
        host.board.supply(supply(3400));
        assert_eq!(host.set_state(Some(hash_of(&version(1))), false), Ok(()));
    }
}

#[test]
fn an_upload_that_has_begun_goes_on_when_the_supply_sinks() {
    let mut host = started(SimulatedBoard::new(config(), Some(&version(0))).unwrap());
    assert!(host.begin(&version(1)).is_ok());
    host.board.supply(Supply {
        level: 1,
        limit: 2,
        percent: true,
    });
    let rest = &version(1)[512..1024];
    assert_eq!(host.piece(512, rest), Ok(1024));
}
