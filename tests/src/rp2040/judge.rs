//! Whether a board comes back from what its flash holds.

use anyhow::{Result, ensure};

use super::cuts::{VERSIONS, who_runs};
use super::process::Pico;
use super::trace::{Operation, Pages, Reads};

/// What came of a start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The version of the confirmed image that runs.
    pub version: String,
    /// What the board did to its flash until it was there.
    pub operations: Vec<Operation>,
    /// The board was started, and did not only read what another one had read.
    pub was_run: bool,
}

/// Starts boards. What a start reads of its flash decides what comes of it: a second board that would read the same is not
/// started.
#[derive(Debug)]
pub struct Judge {
    pico: Pico,
    known: Vec<(Reads, Start)>,
}

impl Judge {
    /// Without a start yet.
    ///
    /// # Errors
    /// As [`Pico::new`].
    pub fn new() -> Result<Self> {
        Ok(Self {
            pico: Pico::new(&[])?,
            known: Vec::new(),
        })
    }

    /// Gives a board with this flash its supply, and waits until the application is there.
    ///
    /// # Errors
    /// When the board does not run one of both versions, confirmed, or the emulator is gone.
    pub fn start(&mut self, flash: &[u8]) -> Result<Start> {
        let pages = Pages::of(flash);
        if let Some((_, start)) = self.known.iter().find(|(reads, _)| reads.are_same(&pages)) {
            let mut start = start.clone();
            start.was_run = false;
            return Ok(start);
        }
        let pico = &self.pico;
        pico.power(false)?;
        pico.put(flash)?;
        pico.hurry_until_here()?;
        pico.power(true)?;
        pico.info()?;
        let (reads, operations) = (pico.reads(&pages)?, pico.trace()?);
        let (version, confirmed) = who_runs(pico)?;
        ensure!(
            confirmed && VERSIONS.contains(&version.as_str()),
            "it runs {version}, confirmed: {confirmed}"
        );
        pico.behaved()?;
        let start = Start {
            version,
            operations,
            was_run: true,
        };
        self.known.push((reads, start.clone()));
        Ok(start)
    }
}
