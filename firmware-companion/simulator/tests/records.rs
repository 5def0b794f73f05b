//! The records of the state area, on flash whose torn words read one way and then another.
#![allow(missing_docs, clippy::unwrap_used)]

use bootlace_core::state::{Log, Record, State};
use bootlace_simulator::{Cut, Map, Moment, NorFlash, Region, Timing};

/// A chip with state units of 512 bytes, and with little else; a silent one programs torn words without a word.
fn chip(write: u32, silent: bool) -> NorFlash {
    let region = |offset, size, erase| Region { offset, size, erase };
    let map = Map {
        state: region(0, 1024, 512),
        primary: region(1024, 512, 512),
        secondary: region(1536, 512, 512),
        golden: None,
    };
    let chip = NorFlash::new(0, map, write, Timing { erase_4k: 0, word: 0 });
    if silent { chip.silent() } else { chip }
}

/// Until all is written, or the power goes.
fn settle(log: &mut Log, flash: &mut NorFlash) {
    let mut steps = 0;
    while log.busy() && !flash.is_dead() {
        let _ = log.step(flash);
        steps += 1;
        assert!(steps < 200, "the log does not come to rest");
    }
}

/// What a start relies on: the records, once the log is at rest. `cut` says which operation from now on is torn.
fn start(flash: &mut NorFlash, push: Option<Record>, cut: Option<(u64, u64)>) -> Option<State> {
    let mut log = Log::mount(flash);
    if let Some(record) = push {
        log.push(record);
    }
    let first = flash.operations();
    flash.cut(cut.map(|(after, seed)| Cut {
        at: first + after,
        moment: Moment::Torn,
        seed,
    }));
    settle(&mut log, flash);
    let died = flash.is_dead();
    flash.revive();
    (!died).then(|| *log.state())
}

/// The header of a unit that was being written seemed absent, and comes back while that unit is erased.
#[test]
fn what_a_start_relied_on_is_what_every_later_start_reads() {
    let mut both = 0;
    for (write, silent) in [(4, false), (8, false), (16, false), (4, true), (16, true)] {
        for first in 0..12 {
            for second in 0..12 {
                for seed in 0..24 {
                    let mut flash = chip(write, silent);
                    for record in [Record::Counter(7), Record::Saved(true), Record::Trial(1)] {
                        start(&mut flash, Some(record), None).unwrap();
                    }
                    let old = *Log::mount(&mut flash).state();
                    if start(&mut flash, Some(Record::Trial(2)), Some((first, seed))).is_some() {
                        continue;
                    }
                    both += u32::from(start(&mut flash, None, Some((second, seed + 9))).is_none());
                    let relied = start(&mut flash, None, None).unwrap();
                    let place = format!("write {write}, silent {silent}, cut {first}, {second}, seed {seed}");
                    assert!(matches!(relied.trial, Some(1 | 2)), "{place}: {relied:?}");
                    assert_eq!((relied.counter, relied.saved), (7, true), "{place}");
                    assert_eq!(relied.journal, old.journal, "{place}");
                    for _ in 0..6 {
                        assert_eq!(start(&mut flash, None, None), Some(relied), "{place}");
                    }
                }
            }
        }
    }
    assert!(both > 1000, "hardly any run was cut twice: {both}");
}

/// A unit that is full has room to be raised all the same.
#[test]
fn a_full_unit_is_raised_before_its_successor_is_erased() {
    let mut second_cuts = 0;
    for count in 22..30 {
        for (second, seed) in (0..1200).map(|n| (n % 2, n / 2)) {
            let mut flash = chip(4, false);
            start(&mut flash, Some(Record::Counter(7)), None).unwrap();
            let mut log = Log::mount(&mut flash);
            for mark in 0..count {
                log.push(Record::Trial(mark));
                settle(&mut log, &mut flash);
            }
            let header = flash.operations() + 5;
            for mark in count..count + 30 {
                log.push(Record::Trial(mark));
                flash.cut(Some(Cut {
                    at: header,
                    moment: Moment::Torn,
                    seed,
                }));
                settle(&mut log, &mut flash);
                if flash.is_dead() {
                    break;
                }
            }
            flash.revive();
            second_cuts += u32::from(start(&mut flash, None, Some((second, seed))).is_none());
            let relied = start(&mut flash, None, None).unwrap();
            assert_eq!(relied.counter, 7, "{count} records, seed {seed}");
            for _ in 0..6 {
                assert_eq!(
                    start(&mut flash, None, None),
                    Some(relied),
                    "{count} records, seed {seed}"
                );
            }
        }
    }
    assert!(second_cuts > 100, "hardly any run was cut twice: {second_cuts}");
}

/// The first operation of two starts is cut, which is the header that raises the unit; then the log moves on.
#[test]
fn a_header_that_raised_a_unit_does_not_come_back_when_the_log_has_moved_on() {
    let mut twice = 0;
    for seed in 0..4000 {
        let mut flash = chip(16, true);
        start(&mut flash, Some(Record::Counter(7)), None).unwrap();
        for cut in [seed, seed + 5000] {
            twice += u32::from(start(&mut flash, Some(Record::Counter(8)), Some((0, cut))).is_none());
        }
        let relied = start(&mut flash, Some(Record::Counter(9)), None).unwrap();
        for _ in 0..6 {
            assert_eq!(start(&mut flash, None, None), Some(relied), "seed {seed}");
        }
    }
    assert_eq!(twice, 8000, "every cut came");
}
