//! Cuts of the supply at the flash operations of an update on the emulated board's own binary: while it is sent, while it is
//! installed, and once more while the board recovers.
//!
//! A cut leaves nothing but what the flash chip holds. So there are two ways to make one: the emulator stops at the operation
//! ([`Update::interrupt`]), or the update runs once, its operations are noted, and each cut's flash is made of them
//! ([`Update::flash_at`], for [`super::judge`]). A test holds the two against each other.

use std::ops::Range;

use anyhow::{Context as _, Result, ensure};
use bootlace_client::Client as _;
use bootlace_smp::bootlace::Role;

use super::flash::{Behaviour, Factory, PRIMARY, SECONDARY};
use super::process::{Cut, Function, Pico};
use super::trace::{Operation, cut};
use crate::qemu::difference;

/// How the new image gets to the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// All of it.
    Whole,
    /// What differs from the running one.
    Patch,
}

/// Which part of an update is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The image is received and marked; the old one runs.
    Sending,
    /// The board restarts, exchanges the images and starts the new one, which confirms itself.
    Installing,
}

/// A cut: at which flash operation, counted from 1, and when.
pub type At = (u32, Cut);

/// Where an update is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Which part of the update.
    pub part: Part,
    /// The cut.
    pub at: At,
    /// Another one while the board recovers from the first.
    pub again: Option<At>,
}

/// What came of an interrupted update on a board that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Flash operations from the last cut until the board answered.
    pub operations: u32,
    /// The second cut came before the board had recovered from the first.
    pub was_cut_again: bool,
}

/// An update of the example application on one board, whose state before each part is kept.
#[derive(Debug)]
pub struct Update {
    pico: Pico,
    file: Vec<u8>,
    content: Content,
    hash: [u8; 32],
    /// The images of both versions.
    images: [Vec<u8>; 2],
    before: Vec<u8>,
    marked: Vec<u8>,
    sending: Vec<Operation>,
    installing: Vec<Operation>,
}

/// The version that runs before an update, and the one after it.
pub const VERSIONS: [&str; 2] = [OLD, NEW];
const OLD: &str = "1.0.0";
const NEW: &str = "1.1.0";
/// Bytes of the programs. What the versions have in common is not moved: from here the data behind the application differs, so
/// that several sectors change places.
const LEN: usize = 60 * 1024;
/// Bytes of a sector.
const SECTOR: usize = 4096;
/// Every moment of an operation at which a supply may go.
pub const MOMENTS: [Cut; 3] = [Cut::Before, Cut::Within, Cut::After];

impl Update {
    /// Makes the update once without a cut, and counts its flash operations.
    ///
    /// # Errors
    /// When it does not end confirmed.
    pub fn new(factory: &Factory, content: Content) -> Result<Self> {
        let (old, _) = factory.padded_application(Behaviour::Normal, 0, LEN)?;
        let (new, hash) = factory.padded_application(Behaviour::Normal, 1, LEN)?;
        let file = match content {
            Content::Whole => new.clone(),
            Content::Patch => difference(&old, &new)?,
        };
        let before = factory.flash(Some(&old))?;
        let pico = Pico::running(&before)?;
        // The first start writes records, which an update does not.
        who_runs(&pico)?;
        pico.power(false)?;
        let before = pico.flash()?;
        let mut update = Update {
            pico,
            file,
            content,
            hash,
            images: [old, new],
            before,
            marked: Vec::new(),
            sending: Vec::new(),
            installing: Vec::new(),
        };
        update.pico.power(true)?;
        update.pico.trace()?;
        update.send()?;
        update.sending = update.pico.trace()?;
        update.pico.power(false)?;
        update.marked = update.pico.flash()?;
        update.pico.power(true)?;
        let runs = who_runs(&update.pico)?;
        ensure!(runs == (NEW.to_owned(), true), "without a cut it runs {runs:?}");
        update.installing = update.pico.trace()?;
        update.pico.power(false)?;
        Ok(update)
    }

    fn count(&self) -> Result<u32> {
        Ok(self.pico.count("operations")? as u32)
    }

    /// What the flash holds before a part, and what the part does to it.
    fn trace(&self, part: Part) -> (&[u8], &[Operation]) {
        match part {
            Part::Sending => (&self.before, &self.sending),
            Part::Installing => (&self.marked, &self.installing),
        }
    }

    /// The numbers of a part's flash operations.
    pub fn operations(&self, part: Part) -> Range<u32> {
        1..self.trace(part).1.len() as u32 + 1
    }

    /// What the flash holds after the first cut of a point.
    pub fn flash_at(&self, point: Point) -> Vec<u8> {
        let (before, operations) = self.trace(point.part);
        let (number, when) = point.at;
        cut(before, operations, (number as usize).saturating_sub(1), when)
    }

    /// The versions one of which must run after a cut. The last operation of sending makes the new one possible; from then on
    /// it must run, but where the cut met its trial: the images have changed places, and the old one may be taken back.
    pub fn allowed(&self, point: Point) -> &'static [&'static str] {
        let marking = self.sending.len();
        match point.part {
            Part::Sending if (point.at.0 as usize) < marking => &VERSIONS[..1],
            Part::Sending => &VERSIONS,
            Part::Installing if self.holds(&self.flash_at(point), &[(PRIMARY, NEW), (SECONDARY, OLD)]) => {
                &VERSIONS
            }
            Part::Installing => &VERSIONS[1..],
        }
    }

    /// Whether the slots hold the images of these versions, whole.
    fn holds(&self, flash: &[u8], slots: &[(usize, &str)]) -> bool {
        slots.iter().all(|&(slot, version)| {
            let [old, new] = &self.images;
            let image = if version == NEW { new } else { old };
            // The saved image lies a sector further in the secondary slot than an uploaded one.
            let places = if slot == PRIMARY { 0..1 } else { 0..2 };
            places.into_iter().any(|sector| {
                let place = flash.get(slot + sector * SECTOR..);
                place.is_some_and(|place| place.starts_with(image))
            })
        })
    }

    /// Whether a board that runs this version in the end lost nothing: images that once changed places are both whole, wherever
    /// they lie.
    ///
    /// # Errors
    /// Which of them is not.
    pub fn is_whole(&self, point: Point, flash: &[u8], runs: &str) -> Result<()> {
        let other = if runs == NEW { OLD } else { NEW };
        let slots = [(PRIMARY, runs), (SECONDARY, other)];
        // The secondary slot may hold a part of the new image.
        let count = if point.part == Part::Sending { 1 } else { 2 };
        ensure!(
            self.holds(flash, &slots[..count]),
            "{runs} runs, and the slots hold something else"
        );
        Ok(())
    }

    /// Every point with one cut.
    pub fn points(&self) -> Vec<Point> {
        let parts = [Part::Sending, Part::Installing];
        let all = parts.into_iter().flat_map(|part| {
            let numbers = self.operations(part);
            numbers.flat_map(move |number| {
                MOMENTS.map(|when| Point {
                    part,
                    at: (number, when),
                    again: None,
                })
            })
        });
        all.collect()
    }

    fn send(&self) -> Result<()> {
        let mut client = self.pico.client(Function::Vendor)?;
        let matched = match self.content {
            Content::Whole => client.upload(&self.file, self.file.len())?.1,
            Content::Patch => client.patch(&self.file, self.file.len())?.1,
        };
        ensure!(matched == Some(true), "what was sent did not arrive whole");
        client.test(&self.hash)
    }

    /// Interrupts the update and gives the board its supply again.
    ///
    /// # Errors
    /// When the board does not run one of both versions, confirmed, or the emulator is gone.
    pub fn interrupt(&self, point: Point) -> Result<Recovered> {
        let (pico, cuts) = (&self.pico, self.pico.cuts());
        let (number, when) = point.at;
        pico.power(false)?;
        match point.part {
            Part::Sending => {
                pico.put(&self.before)?;
                pico.power(true)?;
                pico.info()?;
                pico.cut(number, when)?;
                // It ends with the board.
                self.send().ok();
            }
            Part::Installing => {
                pico.put(&self.marked)?;
                pico.cut(number, when)?;
                pico.power(true)?;
            }
        }
        pico.wait_for_cut(cuts + 1).context("the first cut")?;
        if point.part == Part::Installing {
            ensure!(
                pico.flash()? == self.flash_at(point),
                "the flash of a cut is not what the operations before it make"
            );
        }
        let mut was_cut_again = false;
        if let Some((number, when)) = point.again {
            pico.cut(number, when)?;
            pico.power(true)?;
            was_cut_again = who_runs(pico).is_err();
            ensure!(
                was_cut_again == (pico.cuts() > cuts + 1),
                "the board did not come back before the second cut"
            );
            pico.cut(0, Cut::Before)?;
        }
        let before = self.count()?;
        pico.power(true)?;
        let (version, confirmed) = who_runs(pico)?;
        ensure!(
            confirmed && self.allowed(point).contains(&version.as_str()),
            "it runs {version}, confirmed: {confirmed}"
        );
        self.is_whole(point, &pico.flash()?, &version)?;
        pico.behaved()?;
        Ok(Recovered {
            operations: self.count()? - before,
            was_cut_again,
        })
    }
}

/// Waits until the application answers; gives its version and whether it is confirmed.
pub(super) fn who_runs(pico: &Pico) -> Result<(String, bool)> {
    let mut client = pico.client(Function::Vendor)?;
    let role = client.describe_when_up(|it| it.role)?;
    ensure!(role == Role::Application, "the {role:?} answers");
    let slots = client.list()?;
    let first = slots.into_iter().find(|it| it.slot == 0);
    let first = first.context("the board lists no image that runs")?;
    Ok((first.version, first.confirmed))
}
