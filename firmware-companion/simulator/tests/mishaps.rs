//! Mishaps that come together: power lost at the wrong moment, words that read one way and then another, a button held,
//! an image that waits.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use bootlace_simulator::{Area, Behaviour, Config, Cut, Moment, NorFlash, SimulatedBoard};
use bootlace_smp::bootlace::{Reset, Role};
use common::{Host, config, counted, hash_of, key, started, version, with_golden};

/// The power goes between the confirmation and the counter, the button is held, an older image is sent.
#[test]
fn a_cut_before_the_counter_follows_opens_no_way_back() {
    let prepare = || {
        let mut host = started(SimulatedBoard::new(config(), Some(&counted(0, 1))).unwrap());
        host.board.power_cycle(host.now);
        assert!(host.wait_for_port());
        host.update(&counted(1, 5));
        assert_eq!(host.list()[0].1, "1.1.0");
        assert!(host.list()[0].3, "confirmed");
        host
    };
    let mut bad = Vec::new();
    for n in 0..30 {
        let mut host = prepare();
        let at = host.board.flash().operations() + n;
        host.board.power_cycle(host.now);
        host.board.flash_mut().cut(Some(Cut {
            at,
            moment: Moment::Before,
            seed: 1,
        }));
        host.now += 3_000_000;
        host.board.advance(host.now);
        if !host.board.flash().is_dead() {
            break;
        }
        host.board.hold_button(true);
        host.board.power_cycle(host.now);
        assert!(host.wait_for_port());
        host.board.hold_button(false);
        let before = host.describe(|d| (d.role, d.counter));
        host.update(&counted(2, 2));
        let now = host.list().remove(0);
        if now.1 == "1.2.0" {
            bad.push((n, before, now, host.describe(|d| d.counter)));
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

/// The power goes during a permanent swap, the button is held, an older image is sent.
#[test]
fn a_permanent_image_raises_the_counter_before_the_next_is_checked() {
    let mut config = config();
    config.policy.permanent = true;
    let mut host = started(SimulatedBoard::new(config, Some(&counted(0, 1))).unwrap());
    assert_eq!(host.upload(&counted(1, 5)), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&counted(1, 5))), true), Ok(()));
    // Power goes in mid-swap, the button is held at the next start.
    let at = host.board.flash().operations() + 60;
    host.board.flash_mut().cut(Some(Cut {
        at,
        moment: Moment::Before,
        seed: 1,
    }));
    host.board.power_cycle(host.now);
    host.board.flash_mut().cut(Some(Cut {
        at,
        moment: Moment::Before,
        seed: 1,
    }));
    host.now += 10_000_000;
    host.board.advance(host.now);
    assert!(host.board.flash().is_dead());
    host.board.hold_button(true);
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    host.board.hold_button(false);
    assert_eq!(host.list()[0].1, "1.1.0");
    host.update(&counted(2, 2));
    assert_eq!(host.list()[0].1, "1.1.0", "downgraded: {:?}", host.journal());
}

/// A board with golden image 1.9 whose only other image, 1.2, is on trial, may be started three times, and never confirms
/// itself; there is nothing to go back to.
fn hopeless_trial() -> Host {
    let mut policy = config().policy;
    policy.attempts = 3;
    let config = Config {
        behaviour: Behaviour::NeverConfirm,
        policy,
        ..config()
    };
    let mut host = started(with_golden(config, &version(9), None));
    host.board.damage();
    assert_eq!(host.upload(&version(2)), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&version(2))), false), Ok(()));
    let mut bytes = host.board.flash().bytes().to_vec();
    bytes[0xA000..0xA000 + 4096].fill(0xFF);
    host.board.flash_mut().restore(&bytes);
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0], (0, "1.2.0".into(), true, false, false));
    host
}

/// Whenever the power goes while the golden image takes the place of a failed trial.
#[test]
fn a_golden_image_is_never_on_trial() {
    let mut bad = Vec::new();
    for n in 0..200 {
        let mut host = hopeless_trial();
        let at = host.board.flash().operations() + n;
        host.board.flash_mut().cut(Some(Cut {
            at,
            moment: Moment::Before,
            seed: 1,
        }));
        host.settle();
        if !host.board.flash().is_dead() {
            break;
        }
        host.board.power_cycle(host.now);
        assert!(host.wait_for_port());
        let list = host.list();
        if list[0].1 == "1.9.0" && !list[0].3 {
            bad.push((n, list, host.describe(|d| d.trial), host.journal()));
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

/// What a torn confirmation reads as may change; what the board could go back to is overwritten meanwhile.
#[test]
fn a_torn_confirmation_and_an_upload_leave_an_image_that_runs() {
    let mut bad = Vec::new();
    for seed in 0..60 {
        let mut host = started(SimulatedBoard::new(config(), Some(&version(0))).unwrap());
        assert_eq!(host.upload(&version(1)), Some(true));
        assert_eq!(host.set_state(Some(hash_of(&version(1))), false), Ok(()));
        host.reset(None);
        assert!(host.wait_for_port());
        let at = host.board.flash().operations();
        host.board.flash_mut().cut(Some(Cut {
            at,
            moment: Moment::Torn,
            seed,
        }));
        host.settle();
        assert!(host.board.flash().is_dead());
        host.board.hold_button(true);
        host.board.power_cycle(host.now);
        assert!(host.wait_for_port());
        host.board.hold_button(false);
        if host.begin(&version(3)).is_err() {
            continue;
        }
        host.board.power_cycle(host.now);
        assert!(host.wait_for_port());
        let d = host.describe(|d| (d.role, d.state));
        if d.0 == Role::Bootloader {
            bad.push((seed, d, host.list()));
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

/// The same with two attempts, and an application that takes an upload.
#[test]
fn an_upload_that_nobody_marked_never_runs() {
    let mut bad = Vec::new();
    let mut policy = config().policy;
    policy.attempts = 2;
    for seed in 0..330 {
        let config = Config { policy, ..config() };
        let mut host = started(SimulatedBoard::new(config, Some(&version(0))).unwrap());
        assert_eq!(host.upload(&version(1)), Some(true));
        assert_eq!(host.set_state(Some(hash_of(&version(1))), false), Ok(()));
        host.reset(None);
        assert!(host.wait_for_port());
        let at = host.board.flash().operations();
        host.board.flash_mut().cut(Some(Cut {
            at,
            moment: Moment::Torn,
            seed,
        }));
        host.settle();
        assert!(host.board.flash().is_dead());
        host.board.behave(Behaviour::NeverConfirm);
        host.board.power_cycle(host.now);
        assert!(host.wait_for_port());
        let file = version(3);
        let Ok(mut off) = host.begin(&file) else { continue };
        while off < file.len() {
            let Ok(next) = host.piece(off, &file[off..file.len().min(off + 1024)]) else {
                break;
            };
            off = next;
        }
        for _ in 0..3 {
            host.board.power_cycle(host.now);
            if !host.wait_for_port() {
                break;
            }
            let list = host.list();
            if list[0].1 == "1.3.0" {
                bad.push((seed, list, host.journal()));
                break;
            }
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

fn first_trial(attempts: u8) -> Host {
    let mut policy = config().policy;
    policy.attempts = attempts;
    policy.confirm_over_wire = true;
    let config = Config {
        policy,
        self_test: 20_000,
        ..config()
    };
    let mut host = started(SimulatedBoard::new(config, None).unwrap());
    assert_eq!(host.upload(&version(1)), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&version(1))), false), Ok(()));
    host.reset(None);
    assert!(host.wait_for_port());
    assert!(!host.list()[0].3, "on trial");
    host
}

/// A board's first image is on trial, the next is marked before it confirms itself, and is refused.
#[test]
fn a_confirmation_lasts_when_the_next_image_waits_already() {
    let mut host = first_trial(1);
    assert_eq!(host.upload(&version(2)), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&version(2))), false), Ok(()));
    assert_eq!(host.set_state(None, true), Ok(()));
    host.settle();
    host.board.flash_mut().flip(Area::Secondary, 9000);
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    let d = host.describe(|d| (d.role, d.state));
    assert_eq!(d.0, Role::Application);
}

#[test]
fn the_journal_knows_a_confirmed_image_from_a_refused_one() {
    let mut host = first_trial(3);
    assert_eq!(host.upload(&version(2)), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&version(2))), false), Ok(()));
    host.board.flash_mut().flip(Area::Secondary, 9000);
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    host.settle();
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    assert_eq!(
        host.journal()[1].outcome,
        bootlace_smp::bootlace::JournalOutcome::Confirmed
    );
}

/// The journal names what was lost, not the golden image that lies half-written there.
#[test]
fn a_restore_that_was_cut_is_told_once() {
    let mut host = started(with_golden(config(), &version(9), Some(&version(3))));
    host.board.damage();
    host.board.power_cycle(host.now);
    for _ in 0..7 {
        let at = host.board.flash().operations() + 55;
        host.board.flash_mut().cut(Some(Cut {
            at,
            moment: Moment::Before,
            seed: 1,
        }));
        host.now += 3_000_000;
        host.board.advance(host.now);
        assert!(host.board.flash().is_dead());
        host.board.power_cycle(host.now);
    }
    assert!(host.wait_for_port());
    assert_eq!(host.journal()[0].from.minor, 3);
}

/// The supply sinks while the signature is checked.
#[test]
fn nothing_is_marked_when_the_supply_sinks_during_the_check() {
    use bootlace_core::boot::Start;
    use bootlace_core::link::Link;
    use bootlace_core::{Companion, Owner};
    use bootlace_smp::{
        self as smp, Request,
        frame::{self, Framing},
        img,
    };
    let config = config();
    let mut host = started(SimulatedBoard::new(config.clone(), Some(&version(0))).unwrap());
    assert_eq!(host.upload(&version(1)), Some(true));
    let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
    flash.restore(host.board.flash().bytes());
    let keys = [key().public()];
    let board = bootlace_core::board::Identity {
        name: "Board",
        serial: "1",
        vendor: None,
        class: None,
        keys: &keys,
        policy: config.policy,
    };
    let start = Start {
        reset: Reset::PowerOn,
        requested: true,
        held: false,
        gave_up: None,
    };
    let mut companion = Companion::new(&mut flash, &board, start);
    let mut link = Link::new(vec![0; 8192], 2048, 1).unwrap();
    let hash = hash_of(&version(1));
    let mut packet = [0; 4096];
    let request = Request::Img(img::Request::SetState {
        hash: Some(&hash),
        confirm: false,
    });
    let len = smp::encode_request(&mut packet, smp::Version::V2, 1, &request).unwrap();
    let mut wire = Vec::new();
    frame::encode(Framing::Cobs, &packet[..len], |b| wire.extend_from_slice(b));
    link.feed(&wire);
    let supply = |level| bootlace_smp::bootlace::Supply {
        level,
        limit: 3300,
        percent: false,
    };
    while !companion.is_serving() {
        companion.poll(&mut flash, &mut link, 0, None);
    }
    companion.measured(supply(3400));
    let mut low_since = None;
    for _ in 0..1000 {
        companion.poll(&mut flash, &mut link, 0, None);
        if companion.is_checking() {
            companion.measured(supply(2900));
            low_since = Some(flash.operations());
        }
    }
    assert_eq!(
        Some(flash.operations()),
        low_since,
        "written while the gate says no"
    );
}

/// Two cuts, at every operation of the restore.
#[test]
fn a_restore_cut_anywhere_and_again_ends_confirmed_and_told_once() {
    let mut bad = Vec::new();
    for moment in [Moment::Before, Moment::Torn, Moment::After] {
        for n in 0..120 {
            for second in [None, Some(40)] {
                let mut host = hopeless_trial();
                for at in [Some(n), second].into_iter().flatten() {
                    let at = host.board.flash().operations() + at;
                    host.board.flash_mut().cut(Some(Cut {
                        at,
                        moment,
                        seed: n * 7 + 1,
                    }));
                    host.settle();
                    if !host.board.flash().is_dead() {
                        break;
                    }
                    host.board.power_cycle(host.now);
                }
                for _ in 0..4 {
                    assert!(host.wait_for_port());
                    host.settle();
                    host.board.power_cycle(host.now);
                }
                assert!(host.wait_for_port());
                let list = host.list();
                let told = host
                    .journal()
                    .iter()
                    .filter(|u| u.outcome == bootlace_smp::bootlace::JournalOutcome::Golden)
                    .count();
                if list[0].1 != "1.9.0" || !list[0].3 || told != 2 {
                    bad.push((moment, n, second, list, host.journal()));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{} {:?}", bad.len(), bad[0]);
}

#[test]
fn a_word_that_cant_be_written_ends_an_upload_wherever_it_is() {
    for worn in [100, 9000] {
        let mut host = started(SimulatedBoard::new(config(), Some(&version(0))).unwrap());
        host.board.flash_mut().wear(Area::Secondary, worn);
        let file = version(1);
        let (mut off, mut pieces) = (0, 0);
        while off < file.len() {
            let end = file.len().min(off + 1024);
            let answer = if off == 0 {
                host.begin(&file)
            } else {
                host.piece(off, &file[off..end])
            };
            match answer {
                Ok(next) => off = next,
                Err(refused) => {
                    let code = bootlace_smp::img::ErrorCode::FlashWriteFailed as u16;
                    assert_eq!(refused, (Some(1), code), "worn at {worn}");
                    break;
                }
            }
            pieces += 1;
            assert!(pieces < 100, "the client is sent round for ever: worn at {worn}");
        }
        assert!(off < file.len(), "worn at {worn}");
    }
}
