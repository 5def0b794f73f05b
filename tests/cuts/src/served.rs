//! A board's server, in its bootloader or in its application, and somebody who asks.

use anyhow::{Result, bail};
use bootlace_app_kit::Application;
use bootlace_client::{Asker, Client, ClientError, Content};
use bootlace_core::board::Identity;
use bootlace_core::boot::Start;
use bootlace_core::link::Link;
use bootlace_core::{Applier, Companion, Next, Owner};
use bootlace_simulator::{Cut, Moment};
use bootlace_smp::bootlace::Reset;
use bootlace_smp::frame::Framing;

use crate::images::File;
use crate::rig::{Rig, Started, link};
use crate::tape::Chip;

/// Whose server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Through {
    /// The bootloader's.
    Bootloader,
    /// The running application's: it leaves the state area alone.
    Application,
}

#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
enum Runs {
    Bootloader(Companion<'static>),
    Application(Application<'static>),
}

/// A board that answers.
pub struct Served<'a> {
    runs: Runs,
    link: Link<Vec<u8>>,
    applier: Box<Applier>,
    chip: &'a mut Chip,
    board: &'static Identity<'static>,
    verdicts: crate::rig::Verdicts,
    asker: Asker,
}

/// Bytes of a file in one packet: packets do not end where pages of flash do.
const PIECE: usize = 500;
/// Polls that one request may take.
const MOST_POLLS: usize = 100_000;

impl<'a> Served<'a> {
    /// Starts the server that is to answer: the bootloader is asked to stay.
    ///
    /// # Errors
    /// When the bootloader does not stay.
    pub fn new(rig: &'a mut Rig, through: Through) -> Result<Self> {
        let runs = match through {
            Through::Application => {
                Runs::Application(Application::new(&mut rig.chip, rig.board, Reset::PowerOn))
            }
            Through::Bootloader => Self::bootloader(rig, true)?,
        };
        Self::of(rig, runs)
    }

    /// Starts the board, whose bootloader stays by itself.
    ///
    /// # Errors
    /// When the bootloader does not stay.
    pub fn staying(rig: &'a mut Rig) -> Result<Self> {
        let runs = Self::bootloader(rig, false)?;
        Self::of(rig, runs)
    }

    fn bootloader(rig: &mut Rig, requested: bool) -> Result<Runs> {
        let start = Start {
            reset: Reset::Software,
            requested,
            held: false,
            gave_up: None,
        };
        match rig.load(start) {
            (companion, Started::Bootloader(_)) if companion.is_serving() => Ok(Runs::Bootloader(companion)),
            (_, started) => bail!("the bootloader did not stay: {started:?}"),
        }
    }

    fn of(rig: &'a mut Rig, runs: Runs) -> Result<Self> {
        let verdicts = rig.verdicts();
        let Rig { chip, board, .. } = rig;
        let link = link(600)?;
        Ok(Served {
            runs,
            link,
            applier: Box::default(),
            chip,
            board,
            verdicts,
            asker: Asker::new(Framing::Raw, PIECE),
        })
    }

    fn poll(&mut self) -> Next {
        let (chip, link) = (&mut *self.chip, &mut self.link);
        let question = match &self.runs {
            Runs::Bootloader(companion) => companion.question(),
            Runs::Application(application) => application.question(),
        };
        if let Some(question) = question
            && let Some(verdict) = Rig::verdict(chip, self.board, &self.verdicts, question)
        {
            match &mut self.runs {
                Runs::Bootloader(companion) => companion.answer_check(chip, link, verdict),
                Runs::Application(application) => application.answer_check(chip, link, verdict),
            }
            return Next::Again;
        }
        let patches = Some(self.applier.as_mut());
        match &mut self.runs {
            Runs::Bootloader(companion) => companion.poll(chip, link, 0, patches),
            Runs::Application(application) => application.poll(chip, link, 0, patches),
        }
    }

    /// Takes any bytes from the line and does whatever they ask for, until it rests. What it answers is not looked at.
    pub fn talk(&mut self, mut bytes: &[u8]) {
        loop {
            let taken = self.link.feed(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            let mut moved = taken > 0;
            loop {
                let next = self.poll();
                let len = self.link.transmit(&mut [0; 256]);
                if matches!(next, Next::Boot { .. } | Next::Reset { .. }) {
                    return;
                }
                if !matches!(next, Next::Again) && len == 0 {
                    break;
                }
                moved = true;
            }
            if bytes.is_empty() || !moved {
                return;
            }
        }
    }

    /// The power goes in the operation that comes after so many others.
    pub fn cut(&mut self, after: u64, moment: Moment) {
        let nor = &mut self.chip.nor;
        let at = nor.operations() + after;
        nor.cut(Some(Cut { at, moment, seed: at }));
    }

    /// Uploads a file from wherever the board says, until `until` bytes of it are there.
    pub(crate) fn upload(&mut self, file: &File, until: usize) -> Result<()> {
        Ok(self.send(&file.bytes, until, Content::Image).map(drop)?)
    }

    /// The same with a patch.
    pub(crate) fn patch(&mut self, patch: &[u8], until: usize) -> Result<()> {
        Ok(self.send(patch, until, Content::Patch).map(drop)?)
    }
}

impl Client for Served<'_> {
    fn asker(&mut self) -> &mut Asker {
        &mut self.asker
    }

    fn exchange(&mut self, wire: &[u8]) -> Result<Option<Vec<u8>>, ClientError> {
        self.link.feed(wire);
        let mut answer = Vec::new();
        // Far more than any request takes: what goes on for ever is an error, not a test that hangs.
        for _ in 0..MOST_POLLS {
            let next = self.poll();
            let mut piece = [0; 256];
            let len = self.link.transmit(&mut piece);
            answer.extend_from_slice(piece.get(..len).unwrap_or_default());
            if !matches!(next, Next::Again) && len == 0 {
                // Raw packets are told apart by their length alone: the whole answer at once.
                return self.asker.answer(&answer);
            }
        }
        Err(ClientError::Endless)
    }
}
