//! Cables that are pulled, lines that lose, boards that stumble.

use super::*;

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn an_upload_goes_on_after_a_pulled_cable() {
    for at in [0, 1000, 30_000, 45_000] {
        let mut pair = pair();
        let new = image(2, 60_000);
        pair.session.start(pair.now, update(new.clone())).unwrap();
        pair.until(
            MINUTE,
            |event| matches!(event, Event::Progress(step) if step.done >= at),
        )
        .unwrap();
        pair.unplug();
        pair.until(MINUTE, |event| *event == Event::Attention(Attention::Unplugged))
            .unwrap();
        assert!(
            pair.until(MINUTE, |event| matches!(
                event,
                Event::Outcome(_) | Event::Failed(_)
            ))
            .is_none()
        );
        let before = pair.board.pieces;
        pair.board.power_cycle(pair.now);
        pair.plugged = true;
        assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
        assert_eq!(pair.board.uploaded(), new);
        // The first piece asks where to go on; no other goes twice.
        assert!(
            pair.board.pieces.1 - before.1 <= pair.board.pieces.0 - before.0 + 1,
            "{before:?} {:?}",
            pair.board.pieces
        );
        let resumed = pair
            .events
            .iter()
            .any(|event| matches!(event, Event::Resumed { offset } if *offset >= at));
        assert!(resumed || at == 0, "{:?}", pair.events);
    }
}

#[test]
fn an_update_survives_a_cable_pulled_in_any_phase() {
    for phase in [
        Phase::Uploading,
        Phase::Verifying,
        Phase::Restarting,
        Phase::Swapping,
        Phase::OnTrial,
    ] {
        let mut pair = pair();
        pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
        pair.until(MINUTE, |event| *event == Event::Phase(phase)).unwrap();
        pair.unplug();
        pair.until(Duration::from_secs(5), |_| false);
        pair.plugged = true;
        let outcome = outcome(&mut pair, 2 * MINUTE);
        assert!(
            matches!(outcome, Outcome::Confirmed { .. }),
            "{phase:?}: {outcome:?}"
        );
    }
}

/// The lid is closed and opened an hour later: the clock has gone on, and nobody called the session.
#[test]
fn an_update_survives_a_machine_that_sleeps_in_any_phase() {
    const HOUR: Duration = Duration::from_secs(3600);
    for phase in [
        Phase::Uploading,
        Phase::Verifying,
        Phase::Restarting,
        Phase::Swapping,
        Phase::OnTrial,
    ] {
        // The port may be there again at once, or only some seconds after the machine woke up.
        for unplugged in [false, true] {
            let mut pair = pair();
            pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
            pair.until(MINUTE, |event| *event == Event::Phase(phase)).unwrap();
            if unplugged {
                pair.unplug();
            }
            pair.now = pair.now + HOUR;
            pair.session.handle_timeout(pair.now);
            let early = pair.finish(Duration::from_secs(3));
            pair.plugged = true;
            let end = early.or_else(|| pair.finish(2 * MINUTE));
            let Some(Event::Outcome(Outcome::Confirmed { took, .. })) = end else {
                panic!("{phase:?}, unplugged {unplugged}: {end:?}");
            };
            assert!(took < MINUTE, "{phase:?}: {took:?}");
        }
    }
}

#[test]
fn a_cable_that_stays_out_ends_in_did_not_return() {
    let mut pair = pair();
    pair.session.start(pair.now, update(image(2, 60_000))).unwrap();
    pair.until(
        MINUTE,
        |event| matches!(event, Event::Progress(step) if step.done > 0),
    )
    .unwrap();
    pair.unplug();
    let failure = failure(&mut pair, 15 * MINUTE);
    assert!(matches!(failure.error, Error::DidNotReturn { .. }), "{failure:?}");
    assert_eq!(failure.phase, Phase::Uploading);
    assert!(!pair.session.is_ready());
}

/// The board loses what it had, as after a power cut before its first record, on a line that stays open.
#[test]
fn a_board_that_forgot_its_upload_gets_all_of_it_again() {
    let mut pair = pair();
    pair.board.vanishes = false;
    let new = image(2, 60_000);
    pair.session.start(pair.now, update(new.clone())).unwrap();
    pair.until(
        MINUTE,
        |event| matches!(event, Event::Progress(step) if step.done > 20_000),
    )
    .unwrap();
    pair.board.forget_upload();
    pair.board.power_cycle(pair.now);
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    assert_eq!(pair.board.uploaded(), new);
}

#[test]
fn cancelled_before_anything_is_marked() {
    let mut pair = pair();
    assert!(!pair.session.cancel(pair.now));
    let new = image(2, 60_000);
    pair.session.start(pair.now, update(new.clone())).unwrap();
    pair.until(
        MINUTE,
        |event| matches!(event, Event::Progress(step) if step.done > 20_000),
    )
    .unwrap();
    assert!(pair.session.cancel(pair.now));
    assert!(matches!(
        outcome(&mut pair, MINUTE),
        Outcome::Unchanged {
            reason: Unchanged::Cancelled,
            ..
        }
    ));
    // Late answers mean nothing, and the next try goes on from there.
    pair.until(MINUTE, |_| false);
    pair.session.start(pair.now, update(new)).unwrap();
    pair.until(MINUTE, |event| *event == Event::Phase(Phase::Verifying))
        .unwrap();
    assert!(!pair.session.cancel(pair.now));
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    assert!(
        pair.events
            .iter()
            .any(|event| matches!(event, Event::Resumed { offset } if *offset > 20_000))
    );
}

#[test]
fn a_board_that_falls_silent_is_reported() {
    let mut pair = pair();
    into_upload(&mut pair);
    pair.board.window = 0;
    let failure = failure(&mut pair, 2 * MINUTE);
    assert_eq!(failure.error, Error::WentSilent { asked: Asked::Upload });
}

/// A slow line with large frames: nothing is sent twice only because answers take long.
#[test]
fn patience_grows_with_the_line() {
    let mut board = Board::new(&image(1, 3000), vec![key().public()]);
    (board.frame, board.window) = (2048, 4);
    let mut pair = with(board);
    pair.speed = 960;
    pair.session.start(pair.now, update(image(2, 40_000))).unwrap();
    assert!(matches!(
        outcome(&mut pair, 5 * MINUTE),
        Outcome::Confirmed { .. }
    ));
    let (taken, arrived) = pair.board.pieces;
    assert!(arrived <= taken + 6, "{arrived} pieces for {taken}");
}

/// Loss, duplication, corruption and delay, each run from a seed.
#[test]
fn a_bad_line_ends_in_done_or_in_a_named_error() {
    let runs = 400;
    let (mut done, mut longest) = (0, Duration::ZERO);
    for seed in 1..=runs {
        let mut pair = Pair::new(Board::new(&image(1, 3000), vec![key().public()]));
        pair.random = pair::Random(seed);
        let random = &mut pair.random;
        let mut pick = |most: u64| {
            if random.below(3) == 0 {
                0
            } else {
                4 + random.below(most)
            }
        };
        pair.faults = Faults {
            lost: pick(40),
            doubled: pick(40),
            flipped: pick(40),
            noise: 0,
            once: 0,
            late: (pick(40), Duration::from_millis(3000)),
        };
        if seed % 7 == 0 {
            pair.board.kind = Kind::Zephyr;
        }
        if seed % 5 == 0 {
            pair.board.app = App::Fails(3);
        }
        let start = pair.now;
        let ready = |event: &Event| matches!(event, Event::Phase(Phase::Ready) | Event::Failed(_));
        match pair.until(10 * MINUTE, ready) {
            Some(Event::Phase(_)) => {}
            Some(_) => continue,
            None => panic!("seed {seed}: no end in sight"),
        }
        let new = image(2, 20_000);
        let options = Options {
            keys: vec![key().public()],
            ..Options::default()
        };
        let job = Job::Update {
            image: checked(new.clone()),
            patch: None,
            options,
        };
        // What the board said of itself may be damaged, and its CRC right by chance: one in 65,536.
        if pair.session.start(pair.now, job).is_err() {
            continue;
        }
        if seed % 3 == 0 {
            let pause = Duration::from_millis(pair.random.0 % 9000);
            let over = |event: &Event| matches!(event, Event::Outcome(_) | Event::Failed(_));
            if pair.until(pause, over).is_some() {
                continue;
            }
            pair.unplug();
            pair.until(Duration::from_secs(2), |_| false);
            pair.plugged = true;
        }
        match pair.finish(30 * MINUTE) {
            Some(Event::Outcome(Outcome::Confirmed { .. })) => {
                assert_eq!(pair.board.primary.as_ref().unwrap().bytes, new, "seed {seed}");
                assert!(pair.board.primary.as_ref().unwrap().confirmed, "seed {seed}");
                done += 1;
            }
            Some(Event::Outcome(Outcome::RolledBack { .. })) => {
                assert_eq!(
                    pair.board.primary.as_ref().unwrap().version,
                    "1.0.0",
                    "seed {seed}"
                );
                done += 1;
            }
            Some(Event::Failed(_)) => {}
            other => panic!(
                "seed {seed}: {other:?} {:?} {:?}",
                pair.faults,
                pair.events.iter().rev().take(12).collect::<Vec<_>>()
            ),
        }
        longest = longest.max(pair.now.since(start));
    }
    std::println!("{done} of {runs} done, the longest in {longest:?}");
    assert!(done > runs * 8 / 10, "{done} of {runs}");
}

/// A damaged piece whose CRC happens to be right: the digest of the whole tells, and once is bad luck.
#[test]
fn what_was_stored_is_not_what_was_sent() {
    for (times, ends_well) in [(1, true), (2, false)] {
        let mut pair = pair();
        pair.board.spoil = times;
        pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
        let end = pair.finish(MINUTE).unwrap();
        if ends_well {
            assert!(
                matches!(end, Event::Outcome(Outcome::Confirmed { .. })),
                "{end:?}"
            );
        } else {
            let error = Error::Mismatch;
            assert_eq!(
                end,
                Event::Failed(Failure {
                    error,
                    phase: Phase::Uploading,
                    unharmed: true
                })
            );
        }
    }
}

/// One byte in a thousand is damaged: no frame of 4 KB arrives whole, and smaller ones do.
#[test]
fn pieces_shrink_on_a_noisy_line() {
    let mut board = Board::new(&image(1, 3000), vec![key().public()]);
    (board.frame, board.window) = (4000, 2);
    let mut pair = with(board);
    pair.faults.noise = 1000;
    pair.session.start(pair.now, update(image(2, 40_000))).unwrap();
    let outcome = outcome(&mut pair, 20 * MINUTE);
    assert!(matches!(outcome, Outcome::Confirmed { .. }), "{outcome:?}");
}

/// A lost piece costs those behind it, once, and no waiting: the answer to the next one tells.
#[test]
fn one_lost_piece_costs_one_window() {
    let mut pair = pair();
    into_upload(&mut pair);
    pair.faults.once = 1;
    let start = pair.now;
    pair.until(MINUTE, |event| *event == Event::Phase(Phase::Verifying))
        .unwrap();
    assert!(
        pair.now.since(start) < Duration::from_millis(550),
        "{:?}",
        pair.now.since(start)
    );
    let (taken, arrived) = pair.board.pieces;
    assert!(
        (1..4).contains(&(arrived - taken)),
        "{arrived} pieces for {taken}"
    );
}

/// A board that takes longer to answer than a question waits is found all the same.
#[test]
fn late_answers_to_first_questions_count() {
    let mut pair = Pair::new(Board::new(&image(1, 3000), vec![key().public()]));
    pair.latency = Duration::from_millis(900);
    pair.until(MINUTE, |event| *event == Event::Phase(Phase::Ready))
        .unwrap();
    assert_eq!(pair.session.board().unwrap().framing, Some(Framing::Cobs));
    pair.session.start(pair.now, update(image(2, 9_000))).unwrap();
    assert!(matches!(
        outcome(&mut pair, 5 * MINUTE),
        Outcome::Confirmed { .. }
    ));
}

/// A line too bad for anything but a short packet without a CRC now and then: that is neither a board that can't be
/// understood nor one that lacks a description.
#[test]
fn damage_is_not_taken_for_another_board() {
    for seed in 1..200 {
        let mut pair = Pair::new(Board::new(&image(1, 600), vec![key().public()]));
        pair.random = pair::Random(seed);
        pair.faults.noise = 60 + seed * 2;
        let known = |event: &Event| matches!(event, Event::Phase(Phase::Ready) | Event::Failed(_));
        match pair.until(2 * MINUTE, known) {
            Some(Event::Failed(Failure {
                error: Error::Garbage { .. } | Error::Silent,
                ..
            })) => {}
            Some(Event::Phase(_)) => assert!(pair.session.board().unwrap().is_bootlace(), "seed {seed}"),
            other => panic!("seed {seed}: {other:?}"),
        }
    }
}
