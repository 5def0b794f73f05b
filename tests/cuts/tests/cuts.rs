//! Power cuts before, in and after flash operations: a smaller version of `cargo xtask cuts`.
#![allow(missing_docs)]

use bootlace_cuts::{Report, Size, plan};

#[test]
fn no_cut_costs_a_board() {
    let report = Report::new(&plan(Size::Small, 0), true, |_, _, _| {});
    assert!(report.bricks.is_empty(), "{}", report.bricks.join("\n"));
    let total = report.total();
    println!("{total:?}");
    assert!(total.points >= 200_000, "{total:?}");
    for (name, count) in &report.counts {
        assert!(count.points > 0, "{name:?}");
    }
}
