//! A read that fails once, at every place of a start in turn: nothing is given up for it.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use bootlace_core::board::Identity;
use bootlace_core::boot::{Decider, Decision, Start};
use bootlace_core::flash::{Flash, FlashError, Geometry};
use bootlace_core::slots::find;
use bootlace_core::state::State;
use bootlace_simulator::{Area, Behaviour, Config, NorFlash, SimulatedBoard};
use bootlace_smp::bootlace::{Reset, RollbackReason};
use common::{config, counted, hash_of, key, mark_for_test, started, version, with_golden};

/// One read of one area fails.
struct OneRead {
    flash: NorFlash,
    area: Area,
    reads: u32,
    fail: u32,
}

impl Flash for OneRead {
    fn geometry(&self, area: Area) -> Geometry {
        self.flash.geometry(area)
    }

    fn read(&mut self, area: Area, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        if area == self.area {
            self.reads += 1;
            if self.reads == self.fail {
                return Err(FlashError::Hardware);
            }
        }
        self.flash.read(area, offset, out)
    }

    fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError> {
        self.flash.program(area, offset, data)
    }

    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        self.flash.erase(area, offset)
    }
}

/// What a start came to.
#[derive(Debug)]
struct Came {
    decision: Decision,
    /// Second number of the version in the primary slot.
    runs: Option<u8>,
    state: State,
}

/// Starts a board from the same flash again and again, with another read of `area` failing each time, and gives those that
/// `is_bad` finds.
fn bad_starts(
    config: &Config,
    snapshot: &[u8],
    area: Area,
    gave_up: Option<RollbackReason>,
    is_bad: impl Fn(&Came) -> bool,
) -> Vec<(u32, Came)> {
    let keys = [key().public()];
    let board = Identity {
        name: "Board",
        serial: "1",
        vendor: None,
        class: None,
        keys: &keys,
        policy: config.policy,
    };
    let mut bad = Vec::new();
    for fail in 1..2000 {
        let mut flash = OneRead {
            flash: NorFlash::new(config.address, config.map, config.write, config.timing),
            area,
            reads: 0,
            fail,
        };
        flash.flash.restore(snapshot);
        let start = Start {
            reset: Reset::PowerOn,
            requested: false,
            held: false,
            gave_up,
        };
        let mut decider = Decider::new(&mut flash, &board, start);
        let decision = loop {
            if let Some(decision) = decider.step(&mut flash) {
                break decision;
            }
        };
        let came = Came {
            decision,
            runs: find(&mut flash.flash, Area::Primary).map(|found| found.image.header().version.minor),
            state: *decider.log().state(),
        };
        if flash.reads < fail {
            assert!(fail > 10, "hardly anything was read");
            return bad;
        }
        if is_bad(&came) {
            bad.push((fail, came));
        }
    }
    unreachable!("a start reads without end")
}

#[test]
fn of_a_golden_image_it_confirms_nothing() {
    let config = Config {
        behaviour: Behaviour::NeverConfirm,
        ..config()
    };
    let mut host = started(with_golden(config, &counted(9, 1), None));
    let first = counted(2, 7);
    assert_eq!(host.upload(&first), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&first)), false), Ok(()));
    // Without anything to be saved there is nothing to go back to.
    let mut bytes = host.board.flash().bytes().to_vec();
    bytes[0xA000..0xA000 + 4096].fill(0xFF);
    host.board.flash_mut().restore(&bytes);
    host.reset(None);
    assert!(host.wait_for_port());
    assert!(!host.list()[0].3, "on trial");
    let bad = bad_starts(
        &common::config().with_golden(),
        host.board.flash().bytes(),
        Area::Golden,
        Some(RollbackReason::Deadline),
        |came| {
            matches!(came.decision, Decision::Boot { .. }) && came.runs != Some(9) || came.state.counter > 1
        },
    );
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn of_what_was_confirmed_just_now_it_does_not_lower_the_counter() {
    let mut host = started(SimulatedBoard::new(config(), Some(&counted(0, 1))).unwrap());
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    host.update(&counted(1, 5));
    assert_eq!(host.upload(&counted(2, 2)), Some(true));
    mark_for_test(host.board.flash_mut());
    let bad = bad_starts(
        &config(),
        host.board.flash().bytes(),
        Area::Primary,
        None,
        |came| came.runs == Some(2),
    );
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn of_a_good_image_it_does_not_bring_the_golden_one() {
    let host = started(with_golden(config(), &version(9), Some(&version(3))));
    let bad = bad_starts(
        &config().with_golden(),
        host.board.flash().bytes(),
        Area::Primary,
        None,
        |came| came.runs != Some(3),
    );
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn of_the_image_to_go_back_to_it_does_not_lose_that() {
    let mut host = started(SimulatedBoard::new(config(), Some(&version(0))).unwrap());
    assert_eq!(host.upload(&version(1)), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&version(1))), false), Ok(()));
    let bad = bad_starts(
        &config(),
        host.board.flash().bytes(),
        Area::Primary,
        None,
        |came| came.runs == Some(1) && !came.state.saved,
    );
    assert!(bad.is_empty(), "{bad:?}");
}
