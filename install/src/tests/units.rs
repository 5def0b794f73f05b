//! Flash whose units have several lengths, behind a loader that has to be waited for: as plain as a loader can be.

use std::vec;
use std::vec::Vec;

use core::time::Duration;

use bootlace_loader::{Action, Broken, Fault, Loader, Request, Shape, Step, Unit, Units};

use crate::{Ended, FlashPlan, Installation, News, Next, Part};

const ROWS: &[Units] = &[
    Units {
        at: 0x1000,
        count: 2,
        len: 16,
    },
    Units {
        at: 0x1020,
        count: 1,
        len: 64,
    },
    Units {
        at: 0x1060,
        count: 1,
        len: 128,
    },
];

/// Does each request after one wait, and notes it.
struct Plain {
    flash: Vec<u8>,
    request: Option<Request>,
    has_waited: bool,
    erased: Vec<u32>,
    written: Vec<u32>,
}

impl Loader for &mut Plain {
    fn shape(&self) -> Shape {
        Shape { write: 8, read: 32 }
    }

    fn unit(&self, at: u32) -> Option<Unit> {
        ROWS.iter().find_map(|row| row.holding(at)).map(|(_, unit)| unit)
    }

    fn begin(&mut self, request: Request) {
        (self.request, self.has_waited) = (Some(request), false);
    }

    fn poll(&mut self) -> Step {
        if !core::mem::replace(&mut self.has_waited, true) {
            return Step::Wait(Duration::from_millis(3));
        }
        let place = |at: u32| (at - 0x1000) as usize;
        Step::Ended(match self.request.take() {
            Some(Request::Erase(unit)) => {
                assert_eq!(Loader::unit(self, unit.at), Some(unit));
                self.erased.push(unit.at);
                self.flash[place(unit.at)..][..unit.len as usize].fill(0xFF);
                Ok(vec![])
            }
            Some(Request::Write { at, bytes }) => {
                self.written.push(at);
                let places = self.flash[place(at)..][..bytes.len()].iter_mut();
                places.zip(bytes).for_each(|(place, byte)| *place &= byte);
                Ok(vec![])
            }
            Some(Request::Read { at, len }) => Ok(self.flash[place(at)..][..len as usize].to_vec()),
            Some(Request::Begin | Request::Leave) => Ok(vec![]),
            None => Err(Fault::Nonsense),
        })
    }

    fn handle(&mut self, _: Result<Vec<u8>, Broken>) {}
}

fn plain(fill: u8) -> Plain {
    Plain {
        flash: vec![fill; 224],
        request: None,
        has_waited: false,
        erased: vec![],
        written: vec![],
    }
}

/// The first 32 bytes are a companion and its records; an image lies in the units behind them.
fn plan() -> FlashPlan {
    let part = |at, len| Part {
        at,
        bytes: vec![0x11; len],
    };
    FlashPlan {
        parts: vec![part(0x1000, 10), part(0x1020, 70)],
        blank: 0x1000..0x1020,
        start: 0x1000,
        units: ROWS,
    }
}

fn run(mut loader: Plain, plan: FlashPlan) -> (Plain, Ended, Option<Vec<Part>>, usize) {
    let mut installation = Installation::new(&mut loader, plan);
    let (mut before, mut waits) = (None, 0);
    for _ in 0..1000 {
        while let Some(news) = installation.poll_news() {
            match news {
                News::Before(parts) => {
                    // Nothing goes on before it is told to.
                    assert_eq!(installation.poll_next(), Next::Asks);
                    before = Some(parts);
                    installation.go_on();
                }
                News::Ended(ended) => return (loader, ended, before, waits),
                _ => {}
            }
        }
        match installation.poll_next() {
            Next::Wait(time) => {
                assert_eq!(time, Duration::from_millis(3));
                waits += 1;
            }
            Next::Do(Action::ClearHalts, _) | Next::Asks | Next::Over => {}
            Next::Do(action, _) => panic!("{action:?}"),
        }
    }
    panic!("the installation does not end");
}

#[test]
fn units_of_several_lengths_are_erased_whole_and_the_one_that_starts_is_the_last_one_written() {
    let (loader, ended, before, waits) = run(plain(0x55), plan());
    assert_eq!(ended, Ended::Installed);
    assert_eq!(
        before,
        Some(vec![Part {
            at: 0x1000,
            bytes: vec![0x55; 224]
        }])
    );
    assert_eq!(loader.erased, [0x1000, 0x1060, 0x1020, 0x1010]);
    assert_eq!(loader.written.last(), Some(&0x1008));
    let start = loader.written.iter().position(|at| *at < 0x1010);
    assert_eq!(start, Some(loader.written.len() - 2));
    let mut wanted = vec![0xFF; 224];
    wanted[..10].fill(0x11);
    wanted[32..102].fill(0x11);
    assert_eq!(loader.flash, wanted);
    // Each request waits once.
    let reads = 2 * (1 + 1 + 2 + 4);
    assert_eq!(waits, 1 + reads + 4 + loader.written.len() + 1);
}

#[test]
fn a_chip_with_other_flash_than_the_companion_was_built_for_is_left_as_it_is() {
    let shorter = &[Units {
        at: 0x1000,
        count: 2,
        len: 32,
    }];
    let longer = &[Units {
        at: 0x1060,
        count: 2,
        len: 128,
    }];
    for (units, at) in [(shorter as &'static [Units], 0x1000), (longer, 0x10E0)] {
        let (loader, ended, before, _) = run(plain(0x55), FlashPlan { units, ..plan() });
        assert_eq!(ended, Ended::OtherChip { at });
        assert_eq!((loader.flash, before), (vec![0x55; 224], None));
    }
}

#[test]
fn units_hold_addresses_up_to_the_end_of_all_memory() {
    let last = Units {
        at: 0xFFFF_0000,
        count: 2,
        len: 0x8000,
    };
    assert_eq!(last.end(), 1 << 32);
    let unit = |at| Unit { at, len: 0x8000 };
    assert_eq!(last.holding(u32::MAX), Some((1, unit(0xFFFF_8000))));
    assert_eq!(last.holding(0xFFFE_FFFF), None);
    assert_eq!(last.all().count(), 2);
    let beyond = Units { count: 9, ..last };
    assert_eq!(beyond.all().count(), 2);
    let none = Units { len: 0, ..last };
    assert_eq!(none.holding(0xFFFF_0000), None);
}
