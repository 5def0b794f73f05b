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

use crate::flash::{Area, CHUNK, Flash, FlashError};
use crate::state::SwapPlan;

/// The size that both slots are moved in: the larger of their erase units, in bytes.
pub fn unit_size<F: Flash>(flash: &F) -> u32 {
    flash
        .geometry(Area::Primary)
        .erase
        .max(flash.geometry(Area::Secondary).erase)
}

/// The largest image that both slots can hold with their trailers and the spare unit, in bytes.
pub fn max_image_size<F: Flash>(flash: &F) -> u32 {
    let unit = unit_size(flash);
    let primary = (flash.geometry(Area::Primary).size / unit).saturating_sub(1);
    let secondary = (flash.geometry(Area::Secondary).size / unit).saturating_sub(2);
    primary.min(secondary) * unit
}

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

/// One unit's way from one slot to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) from: (Area, u32),
    pub(crate) to: (Area, u32),
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Compare,
    Erase(u32),
    Program(u32),
}

/// Copies one unit, one bounded flash operation a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copy {
    route: Route,
    unit: u32,
    stage: Stage,
}

impl Copy {
    /// A copy; one whose target is suspect may have been cut in mid-write: what that reads as proves nothing.
    pub(crate) fn new(route: Route, unit: u32, suspect: bool) -> Self {
        let stage = if suspect { Stage::Erase(0) } else { Stage::Compare };
        Copy { route, unit, stage }
    }

    /// Does at most one erase or program; true when the unit is complete.
    pub(crate) fn step<F: Flash>(&mut self, flash: &mut F) -> Result<bool, FlashError> {
        let (to, base) = self.route.to;
        match self.stage {
            Stage::Compare => {
                if self.is_equal(flash)? {
                    return Ok(true);
                }
                self.stage = Stage::Erase(0);
                Ok(false)
            }
            Stage::Erase(done) => {
                // Also what reads as erased: a cut may have left it so for now.
                if done < self.unit {
                    flash.erase(to, base + done)?;
                    self.stage = Stage::Erase(done + flash.geometry(to).erase);
                } else {
                    self.stage = Stage::Program(0);
                }
                Ok(false)
            }
            Stage::Program(done) => {
                let mut at = done;
                let mut chunk = [0; CHUNK];
                while at < self.unit {
                    let len = (self.unit - at).min(CHUNK as u32);
                    let Some(part) = chunk.get_mut(..len as usize) else {
                        return Err(FlashError::OutOfRange);
                    };
                    self.read_source(flash, at, part);
                    at += len;
                    if part.iter().any(|&byte| byte != 0xFF) {
                        flash.program(to, base + at - len, part)?;
                        break;
                    }
                }
                self.stage = Stage::Program(at);
                if at < self.unit {
                    return Ok(false);
                }
                // Flash that ignores commands, or whose words were weaker than they looked, must not cost the source.
                if self.is_equal(flash)? {
                    Ok(true)
                } else {
                    Err(FlashError::Hardware)
                }
            }
        }
    }

    /// A torn word beyond the image's end must not stop the swap: it counts as erased. Within it, the boot check tells.
    fn read_source<F: Flash>(&self, flash: &mut F, at: u32, part: &mut [u8]) {
        if flash
            .read(self.route.from.0, self.route.from.1 + at, part)
            .is_err()
        {
            part.fill(0xFF);
        }
    }

    fn is_equal<F: Flash>(&self, flash: &mut F) -> Result<bool, FlashError> {
        let (mut source, mut target) = ([0; 64], [0; 64]);
        let mut at = 0;
        while at < self.unit {
            let len = (self.unit - at).min(64) as usize;
            let (Some(source), Some(target)) = (source.get_mut(..len), target.get_mut(..len)) else {
                return Err(FlashError::OutOfRange);
            };
            self.read_source(flash, at, source);
            // What cannot be read is not equal.
            if flash.read(self.route.to.0, self.route.to.1 + at, target).is_err() || source != target {
                return Ok(false);
            }
            at += len as u32;
        }
        Ok(true)
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
