//! Patches: sent in place of the image, and given up where they do not work out.

use super::board::Patches;
use super::*;
use bootlace_smp::bootlace::ErrorCode;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A patch to this image; what is in it only the board could say.
fn patched(new: &[u8], patch: usize) -> Job {
    Job::Update {
        image: checked(new.to_vec()),
        patch: Some((0..patch).map(|at| at as u8).collect()),
        options: Options::default(),
    }
}

fn why(pair: &Pair) -> Vec<NoPatch> {
    let reasons = pair.events.iter().filter_map(|event| match event {
        Event::WholeInstead(reason) => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

fn with_patches(patches: Patches) -> Pair {
    let mut board = Board::new(&image(1, 3000), vec![key().public()]);
    board.patches = patches;
    with(board)
}

#[test]
fn a_patch_goes_in_place_of_the_image() {
    let new = image(2, 40_000);
    let mut pair = with_patches(Patches::Makes(new.clone()));
    pair.session.start(pair.now, patched(&new, 3000)).unwrap();
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    assert_eq!((pair.board.patched, why(&pair)), (3000, vec![]));
    assert!(pair.sent < 3000 + 3500, "{} bytes were sent", pair.sent);
    assert_eq!(pair.board.primary.as_ref().unwrap().bytes, new);
    let steps = progress(&pair);
    assert!(
        steps
            .iter()
            .all(|step| step.content == Content::Patch && step.total == 3000)
    );
    assert_eq!(steps.last().unwrap().done, 3000);
    // It went in pieces, with more than one on the way.
    assert!(pair.board.most_waiting >= 3, "{}", pair.board.most_waiting);
}

/// Whatever is wrong with the patch: the image arrives, and the reason is said once.
#[test]
fn the_image_is_sent_where_the_patch_does_not_work_out() {
    let new = image(2, 9_000);
    let refuses = |at, code| Patches::Refuses(at, code);
    for (patches, reason) in [
        (Patches::Unknown, NoPatch::NotSupported),
        (refuses(0, ErrorCode::NoBase), NoPatch::NoBase),
        (refuses(0, ErrorCode::WrongBase), NoPatch::WrongBase),
        (refuses(0, ErrorCode::PatchVersion), NoPatch::UnknownFormat),
        (refuses(0, ErrorCode::PatchTooLarge), NoPatch::TooLarge),
        (refuses(1000, ErrorCode::PatchDamaged), NoPatch::Damaged),
        (Patches::Differs, NoPatch::WrongImage),
        // It makes another image, and says that all is well: marking shows it.
        (Patches::Makes(image(3, 9_000)), NoPatch::WrongImage),
    ] {
        let mut pair = with_patches(patches.clone());
        pair.session.start(pair.now, patched(&new, 3000)).unwrap();
        let outcome = outcome(&mut pair, MINUTE);
        assert!(
            matches!(outcome, Outcome::Confirmed { .. }),
            "{patches:?}: {outcome:?}"
        );
        assert_eq!(why(&pair), [reason], "{patches:?}");
        assert_eq!(pair.board.primary.as_ref().unwrap().bytes, new, "{patches:?}");
        let last = *progress(&pair).last().unwrap();
        assert_eq!((last.content, last.done as usize), (Content::Image, new.len()));
    }
}

/// A board that would refuse the image as well is not bothered again.
#[test]
fn what_is_no_matter_of_the_patch_ends_the_update() {
    let new = image(2, 9_000);
    let mut pair = with_patches(Patches::Refuses(0, ErrorCode::SupplyLow));
    pair.session.start(pair.now, patched(&new, 3000)).unwrap();
    let Error::BoardRefused { asked, code, .. } = failure(&mut pair, MINUTE).error else {
        panic!("{:?}", pair.events)
    };
    assert_eq!(
        (asked, code),
        (Asked::Patch, Code::Bootlace(ErrorCode::SupplyLow))
    );
    assert_eq!(why(&pair), []);
}

#[test]
fn a_patch_that_makes_no_headway_is_given_up() {
    let new = image(2, 9_000);
    let mut pair = with_patches(Patches::Sticks);
    pair.session.start(pair.now, patched(&new, 3000)).unwrap();
    assert!(matches!(
        outcome(&mut pair, 5 * MINUTE),
        Outcome::Confirmed { .. }
    ));
    assert!(
        matches!(why(&pair)[..], [NoPatch::Stuck { .. }]),
        "{:?}",
        why(&pair)
    );
}

/// It goes on where the board has it, as an image does.
#[test]
fn a_pulled_cable_costs_a_piece_of_the_patch() {
    let new = image(2, 40_000);
    let mut pair = with_patches(Patches::Makes(new.clone()));
    pair.session.start(pair.now, patched(&new, 6000)).unwrap();
    pair.until(
        MINUTE,
        |event| matches!(event, Event::Progress(it) if it.done > 2000),
    )
    .unwrap();
    pair.unplug();
    pair.until(Duration::from_secs(5), |_| false);
    pair.plugged = true;
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    assert_eq!(pair.board.patched, 6000);
    assert!(
        pair.events
            .iter()
            .any(|event| matches!(event, Event::Resumed { offset } if *offset > 2000))
    );
    assert_eq!(why(&pair), []);
}

/// Loss and damage cost time, never the patch.
#[test]
fn a_patch_survives_a_bad_line() {
    let new = image(2, 20_000);
    for seed in 1..20 {
        let mut pair = with_patches(Patches::Makes(new.clone()));
        pair.random = pair::Random(seed);
        pair.faults = Faults {
            lost: 12,
            doubled: 20,
            flipped: 12,
            ..Faults::default()
        };
        pair.session.start(pair.now, patched(&new, 5000)).unwrap();
        let outcome = outcome(&mut pair, 10 * MINUTE);
        assert!(
            matches!(outcome, Outcome::Confirmed { .. }),
            "seed {seed}: {outcome:?}"
        );
        assert_eq!((pair.board.patched, why(&pair)), (5000, vec![]), "seed {seed}");
    }
}

/// A small patch may be a whole image's work: nothing is sent twice because of that.
#[test]
fn a_board_has_the_time_to_make_much_of_little() {
    let new = image(2, 100_000);
    for patch in [200, 2000] {
        let mut pair = with_patches(Patches::Makes(new.clone()));
        // The whole image in six seconds.
        pair.board.micros_per_byte = 6_000_000 / 20 / patch;
        pair.session
            .start(pair.now, patched(&new, patch as usize))
            .unwrap();
        assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
        let (taken, arrived) = pair.board.pieces;
        assert_eq!((taken, why(&pair)), (arrived, vec![]), "a patch of {patch}");
    }
}

/// How fast the line is shows in how the bytes of a long answer come in.
#[test]
fn the_pace_of_the_line_is_measured() {
    let start = Instant(1_000_000);
    for (between, range) in [(0, u32::MAX..u32::MAX), (64_000_000 / 11_520, 9_000..13_000)] {
        let mut board = Board::new(&image(1, 3000), vec![key().public()]);
        let mut session = Session::new(start);
        assert_eq!(session.pace(), Some(u32::MAX), "no UART");
        let port = PortInfo {
            baud: Some(115_200),
            ..PortInfo::default()
        };
        session.handle_port(start, PortEvent::Opened(port));
        while let Some(Transmit::Bytes(bytes)) = session.poll_transmit() {
            board.receive(&bytes);
        }
        assert_eq!(session.pace(), None);
        // The board takes its time, which says nothing; then 64 bytes at a time.
        let mut now = start + Duration::from_millis(300);
        let answer = board.advance(now);
        let answer = [answer, board.advance(now + Duration::from_millis(10))].concat();
        for bytes in answer.chunks(64) {
            session.handle_input(now, bytes);
            now = now + Duration::from_micros(between);
        }
        let pace = session.pace().unwrap();
        assert!(pace == range.start || range.contains(&pace), "{pace}");
    }
}
