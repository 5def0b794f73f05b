//! What a board in its bootloader says of itself, and that no such word ends in a wrong "done".

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A board whose bootloader lists `primary` as confirmed, stays whatever happens, and gives `state` as its reason.
fn staying(state: BootState, primary: &[u8]) -> Pair {
    let mut board = Board::new(primary, vec![key().public()]);
    (board.role, board.stays) = (Role::Bootloader, Some(state));
    with(board)
}

fn codes() -> impl Iterator<Item = BootState> {
    (0..=u8::MAX).map(BootState::from_code)
}

#[test]
fn an_update_never_ends_in_confirmed_while_the_bootloader_answers() {
    for state in codes() {
        for to in [1, 2] {
            let mut pair = staying(state, &image(1, 3000));
            pair.session.start(pair.now, update(image(to, 3000))).unwrap();
            let error = failure(&mut pair, 20 * MINUTE).error;
            let right = match state.starts_nothing() {
                true => Error::NothingBoots { state },
                false => Error::StaysInBootloader,
            };
            assert_eq!(error, right, "{state:?}, to version {to}");
        }
    }
}

/// The image that a board lists, and can't start, is damaged: sending it again mends it.
#[test]
fn a_board_that_starts_nothing_is_sent_the_very_image_that_it_lists() {
    let listed = image(1, 3000);
    for state in codes() {
        let pair = staying(state, &listed);
        let plan = plan(&pair, &listed, &Options::default()).unwrap();
        let right = match state.starts_nothing() {
            true => Route::Upload,
            // "Done" is only said of what runs.
            false => Route::Restart,
        };
        assert_eq!((plan.way, plan.route), (Way::Same, right), "{state:?}");
    }
}

/// X is confirmed and damaged, and the golden image is below the counter that X set, or no good itself.
#[test]
fn a_damaged_image_beside_a_useless_golden_one_is_mended_by_choosing_it_again() {
    for state in [BootState::GoldenTooOld, BootState::GoldenBad] {
        let x = image(1, 3000);
        let mut pair = staying(state, &x);
        pair.session.start(pair.now, update(x.clone())).unwrap();
        pair.until(MINUTE, |event| *event == Event::Phase(Phase::Verifying))
            .unwrap();
        assert_eq!(pair.board.uploaded(), x);
        // From here on the board has a whole image again, and starts it.
        pair.board.stays = None;
        assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    }
}
