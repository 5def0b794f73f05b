//! An installation on a virtual clock, over a cable that may break.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use bootlace_install::{Board, Ended, FlashPlan, Installation, News, Next, Part, Work, boards};
use bootlace_loader::{Action, Broken, Fault, Loader};
use bootlace_roms::flash::Flash;
use bootlace_roms::random::Random;

/// What is between an installation and a chip.
pub(crate) trait Cable {
    fn perform(&mut self, action: &Action, limit: Duration) -> Result<Vec<u8>, Broken>;
    fn pass(&mut self, time: Duration);
    fn flash(&self) -> &Flash;
    fn has_left(&self) -> bool;
}

/// What a run told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) ended: Ended,
    pub(crate) before: Option<Vec<Part>>,
    pub(crate) works: Vec<Work>,
    pub(crate) time: Duration,
    pub(crate) actions: usize,
}

/// Runs to the end.
pub(crate) fn run(loader: impl Loader, cable: &mut dyn Cable, plan: &FlashPlan) -> Told {
    let mut installation = Installation::new(loader, plan.clone());
    let (mut before, mut works, mut time, mut actions) = (None, Vec::new(), Duration::ZERO, 0);
    loop {
        while let Some(news) = installation.poll_news() {
            match news {
                News::Work(work) => works.push(work),
                News::Before(parts) => {
                    before = Some(parts);
                    installation.go_on();
                }
                News::Progress { done, total } => assert!(done <= total),
                News::Ended(ended) => {
                    assert_eq!(installation.poll_next(), Next::Over);
                    return Told {
                        ended,
                        before,
                        works,
                        time,
                        actions,
                    };
                }
            }
        }
        match installation.poll_next() {
            Next::Do(action, limit) => {
                actions += 1;
                assert!(actions < 1_000_000, "no end in sight");
                installation.handle_done(cable.perform(&action, limit));
            }
            Next::Wait(wait) => {
                time += wait;
                cable.pass(wait);
            }
            Next::Asks | Next::Over => {}
        }
    }
}

pub(crate) fn board() -> &'static Board {
    boards::named("stm32f407").unwrap()
}

/// A companion as it is linked: a vector table, blank records, code up to the identity block.
pub(crate) fn companion() -> Vec<u8> {
    let mut all = vec![0xFF; 0x2_0000];
    let bytes = Random::new(7).bytes(0x2_0000);
    all[..0x188].copy_from_slice(&bytes[..0x188]);
    all[0xC000..0x1_6000].copy_from_slice(&bytes[0xC000..0x1_6000]);
    all[0x1_FF00..].copy_from_slice(&bytes[0x1_FF00..]);
    all
}

/// Without an image, or with one of so many bytes.
pub(crate) fn plan(image: Option<usize>) -> FlashPlan {
    let image = image.map(|len| Random::new(8).bytes(len));
    board().plan(companion(), image).unwrap()
}

/// How much of the flash a plan names: all sectors that hold any of it.
pub(crate) fn named(plan: &FlashPlan) -> usize {
    // The companion's sectors end where those of 128 KB begin.
    plan.flat().len().next_multiple_of(0x2_0000)
}

/// Whether the flash holds what a plan wants, and behind it what it held before.
pub(crate) fn is_installed(flash: &Flash, plan: &FlashPlan, old: &[u8]) -> bool {
    let (mut wanted, end) = (plan.flat(), named(plan));
    wanted.resize(end, 0xFF);
    flash.bytes[..end] == wanted && flash.bytes[end..] == old[end..]
}

/// What must be true after any run, whatever happened to it.
pub(crate) fn check(told: &Told, flash: &Flash, has_left: bool, plan: &FlashPlan, old: &[u8]) {
    assert!(!flash.was_violated, "all flash was erased");
    let end = named(plan);
    assert!(
        flash.bytes[end..] == old[end..],
        "flash was changed that no one named"
    );
    if let Some(before) = &told.before {
        let held: Vec<u8> = before.iter().flat_map(|part| part.bytes.clone()).collect();
        assert!(
            held == old[..end],
            "what was told of before is not what was there"
        );
    }
    match &told.ended {
        Ended::Installed => {
            assert!(
                is_installed(flash, plan, old),
                "installed, and the flash is another"
            );
        }
        Ended::Failed { changed, work, .. } => {
            assert!(*changed || flash.bytes == old, "changed without a word");
            // A vector table is there of the whole companion, of the one that was there before, or of none.
            let start = &flash.bytes[..0x4000];
            let is_blank = start.iter().all(|byte| *byte == 0xFF);
            let is_late = matches!(work, Work::Finishing | Work::Leaving);
            assert!(
                is_blank || flash.bytes[0x4000..0x2_0000] == old[0x4000..0x2_0000] || is_late,
                "half a companion would start"
            );
        }
        Ended::Differs { .. } | Ended::OtherChip { .. } => assert!(!has_left),
        Ended::Cancelled { .. } => panic!("nobody cancelled"),
    }
}

/// The name of a fault without what the system said.
pub(crate) fn is_named(fault: &Fault) -> bool {
    !matches!(fault, Fault::System(why) if why.is_empty())
}

/// How many runs: as many as take a second, or more by hand.
pub(crate) fn runs(usual: u64) -> u64 {
    let asked = std::env::var("BOOTLACE_INSTALL_RUNS").ok();
    asked.map_or(usual, |runs| runs.parse().unwrap())
}
