//! A board without time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use bootlace_app_kit::Application;
use bootlace_core::board::{Identity, Policy};
use bootlace_core::boot::Start;
use bootlace_core::check::Check;
use bootlace_core::flash::Area;
use bootlace_core::link::Link;
use bootlace_core::slots::{Found, Reject, find};
use bootlace_core::state::Log;
use bootlace_core::{Companion, Next, Owner};
use bootlace_image::{PublicKey, Verification, Version};
use bootlace_simulator::{NorFlash, Timing};
use bootlace_smp::bootlace::{BootState, JournalEntry, Reset, RollbackReason};

use crate::geometry::{ADDRESS, Geometry};
use crate::images::Images;
use crate::tape::Chip;

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// The image of this index runs, on trial or not.
    Image(u8, bool),
    /// An image that nobody made, or a mixture of two, runs.
    Unknown,
    /// The bootloader serves: nothing that may run was found.
    Bootloader(BootState),
}

/// What is seen of a board that has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What runs.
    pub started: Started,
    /// The security counter that the board remembers.
    pub counter: u32,
    /// The image that was last given up, and why.
    pub rollback: Option<(RollbackReason, Version)>,
    /// The journal's newest update.
    pub last: Option<JournalEntry>,
}

/// Verdicts on what a slot holds, by what it holds: the same bytes are not checked twice.
///
/// A verdict depends on nothing but the slot's bytes, the shape of the flash and the check itself, so this changes nothing
/// but the time; bytes that may read differently the next time are never looked up.
pub(crate) type Verdicts = Rc<RefCell<HashMap<(u128, u8, u32), Result<Found, Reject>>>>;

/// A link for two packets of `frame` bytes.
///
/// # Errors
/// None: its memory is as large as it asks for.
pub(crate) fn link(frame: usize) -> Result<Link<Vec<u8>>> {
    let memory = vec![0; Link::<Vec<u8>>::memory(frame, 2)];
    Link::new(memory, frame, 2).map_err(|needed| anyhow!("{needed} bytes of memory"))
}

/// The board.
#[derive(Clone)]
pub struct Rig {
    /// Its flash.
    pub chip: Chip,
    pub(crate) board: &'static Identity<'static>,
    verdicts: Verdicts,
}

fn keys(key: PublicKey) -> &'static [PublicKey] {
    // Every rig of a process trusts the same key.
    static KEYS: OnceLock<[PublicKey; 1]> = OnceLock::new();
    KEYS.get_or_init(|| [key])
}

impl Rig {
    /// A board of this shape with the first image from the factory, and again as its golden image if it is to have one.
    pub fn new(geometry: &Geometry, images: &Images, policy: Policy, golden: bool) -> Self {
        let timing = Timing { erase_4k: 0, word: 0 };
        let mut flash = NorFlash::new(ADDRESS, geometry.map(golden), geometry.write, timing);
        if geometry.error_correction {
            flash = flash.with_error_correction();
        }
        if geometry.silent {
            flash = flash.silent();
        }
        flash.flash_primary(&images.file(0).bytes);
        if golden {
            flash.flash_area(Area::Golden, &images.file(0).bytes);
        }
        // A board's identity is constant data on a chip; here it lives as long as the program.
        let board = Box::leak(Box::new(Identity {
            name: "Rig",
            serial: "RIG",
            vendor: None,
            class: None,
            keys: keys(images.key.public()),
            policy,
        }));
        Rig {
            chip: Chip::new(flash),
            board,
            verdicts: Verdicts::default(),
        }
    }

    /// Another board with the same flash.
    pub fn fork(&mut self) -> Self {
        // Nobody keeps a copy: a long list of changes would only be copied along.
        self.chip.nor.take_changed();
        self.clone()
    }

    /// Checks the image in `area`, or finds the verdict on the same bytes. `None` for bytes that may read differently the
    /// next time: their check is the board's own.
    pub(crate) fn verdict(
        chip: &mut Chip,
        board: &Identity,
        verdicts: &Verdicts,
        (area, counter): (Area, u32),
    ) -> Option<Result<Found, Reject>> {
        let key = (chip.nor.fingerprint(Some(area))?, area as u8, counter);
        if let Some(verdict) = verdicts.borrow().get(&key) {
            return Some(*verdict);
        }
        let mut check = Check::<Verification>::new();
        check.begin(area, counter);
        let verdict = loop {
            if let Some(verdict) = check.step(chip, board) {
                break verdict;
            }
        };
        verdicts.borrow_mut().insert(key, verdict);
        Some(verdict)
    }

    pub(crate) fn verdicts(&self) -> Verdicts {
        Rc::clone(&self.verdicts)
    }

    /// Runs the bootloader until it starts an image or serves.
    pub(crate) fn load(&mut self, start: Start) -> (Companion<'static>, Started) {
        self.chip.nor.restart();
        let verdicts = self.verdicts();
        let mut companion = Companion::new(&mut self.chip, self.board, start);
        // Nobody is on the line.
        let Ok(mut link) = link(64) else {
            return (companion, Started::Unknown);
        };
        // One that goes on for ever is lost like one that finds nothing to start; no start takes a tenth of this.
        let mut started = Started::Bootloader(BootState::FlashFailed);
        for _ in 0..100_000 {
            if let Some(question) = companion.question()
                && let Some(verdict) = Self::verdict(&mut self.chip, self.board, &verdicts, question)
            {
                companion.answer_check(&mut self.chip, &mut link, verdict);
                continue;
            }
            let next = companion.poll(&mut self.chip, &mut link, 0, None);
            if let Next::Boot { trial, .. } = next {
                started = Started::Image(0, trial);
                break;
            }
            if let Some(condition) = companion.condition() {
                started = Started::Bootloader(condition);
                break;
            }
        }
        (companion, started)
    }

    /// Starts the board and says what is to be seen of it. `gave_up` is what the application left in RAM.
    pub fn start(&mut self, images: &Images, gave_up: Option<RollbackReason>) -> Observed {
        let start = Start {
            reset: Reset::PowerOn,
            requested: false,
            held: false,
            gave_up,
        };
        let (_, started) = self.load(start);
        let started = match started {
            Started::Image(_, trial) => {
                let hash = find(&mut self.chip, Area::Primary).and_then(|found| found.hash(&mut self.chip));
                match hash.and_then(|hash| images.which(&hash)) {
                    Some(image) => Started::Image(image, trial),
                    None => Started::Unknown,
                }
            }
            started => started,
        };
        // As the next start will read them.
        let state = *Log::mount(&mut self.chip).state();
        Observed {
            started,
            counter: state.counter,
            rollback: state.rollback,
            last: state.journal.updates().first().copied(),
        }
    }

    /// The application starts, and its self-tests pass.
    pub(crate) fn confirm(&mut self) -> Result<()> {
        let mut application = Application::new(&mut self.chip, self.board, Reset::PowerOn);
        application
            .confirm(&mut self.chip)
            .map_err(|error| anyhow!("{error:?}"))
    }
}
