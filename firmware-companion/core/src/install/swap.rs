//! Exchanging the images of the two slots so that a power cut at any flash operation loses neither.
//!
//! The secondary slot has one unit to spare, and the image in it starts either at the slot's first byte (as
//! uploads do) or one unit above. A swap moves the images towards the free unit, one unit at a time, so that
//! every unit is written exactly twice: once in each slot. The two directions undo each other.
//!
//! ```text
//! not shifted: from the last unit down     shifted: from the first unit up
//!   save:    primary[i]   -> secondary[i+1]   save:    primary[i]     -> secondary[i]
//!   install: secondary[i] -> primary[i]       install: secondary[i+1] -> primary[i]
//! ```
//!
//! Each copy's source stays whole until the copy is marked in the state area: a copy that was cut is done again.

use super::copy::Route;
use crate::flash::Area;
use crate::state::SwapPlan;

/// Copies of one unit that a plan is made of: two for each index, `save` first.
pub fn copies(plan: &SwapPlan) -> u16 {
    plan.incoming.max(plan.outgoing).saturating_mul(2)
}

/// Offset of the secondary slot's unit that still begins with the incoming image's header after a swap, if the saved image
/// does not cover it: the unit is to be erased, so that there is one image to be found.
pub(crate) fn leftover(plan: &SwapPlan, unit: u32) -> Option<u32> {
    match (plan.shifted, plan.outgoing) {
        (false, _) => Some(0),
        (true, 0 | 1) => Some(unit),
        (true, _) => None,
    }
}

/// The copy of number `number`; `None` where neither image reaches that far, so nothing needs to move.
pub(crate) fn route(plan: &SwapPlan, number: u16, unit: u32) -> Option<Route> {
    let rounds = plan.incoming.max(plan.outgoing);
    let round = number / 2;
    let index = if plan.shifted {
        round
    } else {
        rounds.checked_sub(round + 1)?
    };
    let at = |index: u16| u32::from(index) * unit;
    let (saved, installed) = if plan.shifted {
        (index, index + 1)
    } else {
        (index + 1, index)
    };
    if number.is_multiple_of(2) {
        (index < plan.outgoing).then(|| Route {
            from: (Area::Primary, at(index)),
            to: (Area::Secondary, at(saved)),
        })
    } else {
        (index < plan.incoming).then(|| Route {
            from: (Area::Secondary, at(installed)),
            to: (Area::Primary, at(index)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::state::SwapKind;

    #[test]
    fn a_swap_and_its_reverse_visit_the_same_units_in_opposite_order() {
        let plan = SwapPlan {
            kind: SwapKind::Test,
            incoming: 5,
            outgoing: 5,
            shifted: false,
        };
        let back = SwapPlan {
            kind: SwapKind::Revert,
            shifted: true,
            ..plan
        };
        let forth: Vec<_> = (0..copies(&plan)).filter_map(|n| route(&plan, n, 100)).collect();
        let return_: Vec<_> = (0..copies(&back)).filter_map(|n| route(&back, n, 100)).collect();
        assert_eq!(
            forth.first(),
            Some(&Route {
                from: (Area::Primary, 400),
                to: (Area::Secondary, 500)
            })
        );
        assert_eq!(
            return_.first(),
            Some(&Route {
                from: (Area::Primary, 0),
                to: (Area::Secondary, 0)
            })
        );
        assert_eq!(forth.len(), 10);
        assert_eq!(return_.len(), 10);
    }

    #[test]
    fn units_that_only_one_image_has_move_once() {
        let plan = SwapPlan {
            kind: SwapKind::Test,
            incoming: 3,
            outgoing: 1,
            shifted: false,
        };
        assert_eq!((0..copies(&plan)).filter_map(|n| route(&plan, n, 64)).count(), 4);
        let empty = SwapPlan { outgoing: 0, ..plan };
        assert!(
            (0..copies(&empty))
                .filter_map(|n| route(&empty, n, 64))
                .all(|r| r.to.0 == Area::Primary)
        );
    }
}
