//! From every state in which a board stays, an image that is sent brings it back, whatever a single slot lost.
#![allow(missing_docs, clippy::unwrap_used)]

use bootlace_cuts::{Mended, Scenario, Shape, Size};

#[test]
fn a_board_with_one_damaged_slot_is_mended_from_every_state_in_which_it_stays() {
    let mut mended = Mended::default();
    for shape in Shape::all(Size::Tiny) {
        mended.sweep(&shape, &Scenario::all()).unwrap();
    }
    println!(
        "{} damages, {} stays mended, from {:?}; {} bricks, {} stuck",
        mended.damaged,
        mended.stayed,
        mended.conditions,
        mended.bricks.len(),
        mended.stuck.len()
    );
    assert!(mended.bricks.is_empty(), "{:#?}", mended.bricks.first());
    assert!(
        mended.stuck.is_empty(),
        "{} boards, the first: {:#?}",
        mended.stuck.len(),
        mended.stuck.first()
    );
    assert!(mended.stayed > 1000, "{mended:?}");
    assert!(mended.conditions.len() >= 3, "{:?}", mended.conditions);
}
