//! A board's server, in its bootloader or in its application, and somebody who asks.

use anyhow::{Context as _, Result, anyhow, bail};
use bootlace_app_kit::Application;
use bootlace_core::board::Identity;
use bootlace_core::boot::Start;
use bootlace_core::link::Link;
use bootlace_core::{Applier, Companion, Next, Owner};
use bootlace_simulator::{Cut, Moment};
use bootlace_smp::bootlace::Reset;
use bootlace_smp::frame::{self, Framing};
use bootlace_smp::{self as smp, Header, Request, Response, bootlace, img};
use sha2::{Digest as _, Sha256};

use crate::images::File;
use crate::rig::{Rig, Started, link};
use crate::step::Through;
use crate::tape::Chip;

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
}

impl<'a> Served<'a> {
    /// Starts the server that is to answer.
    ///
    /// # Errors
    /// When the bootloader does not stay.
    pub fn new(rig: &'a mut Rig, through: Through) -> Result<Self> {
        let verdicts = rig.verdicts();
        let start = Start {
            reset: Reset::Software,
            requested: true,
            gave_up: None,
        };
        let runs = match through {
            Through::Application => {
                Runs::Application(Application::new(&mut rig.chip, rig.board, Reset::PowerOn))
            }
            Through::Bootloader => match rig.load(start) {
                (companion, Started::Bootloader(_)) if companion.is_serving() => Runs::Bootloader(companion),
                (_, started) => bail!("the bootloader did not stay: {started:?}"),
            },
        };
        let Rig { chip, board, .. } = rig;
        let link = link(600)?;
        Ok(Served {
            runs,
            link,
            applier: Box::default(),
            chip,
            board,
            verdicts,
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

    /// Asks, and has the answer read.
    fn ask<T>(&mut self, request: &Request, read: impl FnOnce(Response) -> Result<T>) -> Result<T> {
        let mut packet = [0; 1024];
        let len = smp::encode_request(&mut packet, smp::Version::V2, 1, request)
            .map_err(|_| anyhow!("too long"))?;
        let link = &mut self.link;
        frame::encode(Framing::Raw, packet.get(..len).unwrap_or_default(), |bytes| {
            link.feed(bytes);
        });
        let mut answer = Vec::new();
        // Far more than any request takes: what goes on for ever is an error, not a test that hangs.
        for _ in 0..100_000 {
            let next = self.poll();
            let mut piece = [0; 256];
            let len = self.link.transmit(&mut piece);
            answer.extend_from_slice(piece.get(..len).unwrap_or_default());
            if !matches!(next, Next::Again) && len == 0 {
                let (header, payload) =
                    Header::parse(&answer).map_err(|error| anyhow!("no answer: {error:?}"))?;
                return read(smp::decode_response(&header, payload).map_err(|error| anyhow!("{error:?}"))?);
            }
        }
        bail!("the server does not come to rest")
    }

    /// Uploads a file from wherever the board says, until `until` bytes of it are there.
    pub(crate) fn upload(&mut self, file: &File, until: usize) -> Result<()> {
        self.send(&file.bytes, until, |piece| {
            Request::Img(img::Request::Upload(piece))
        })
    }

    /// The same with a patch.
    pub(crate) fn patch(&mut self, patch: &[u8], until: usize) -> Result<()> {
        self.send(patch, until, |piece| {
            Request::Bootlace(bootlace::Request::Patch(piece))
        })
    }

    fn send(
        &mut self,
        file: &[u8],
        until: usize,
        request: for<'p> fn(img::Upload<'p>) -> Request<'p>,
    ) -> Result<()> {
        let sha: [u8; 32] = Sha256::digest(file).into();
        let mut off = 0;
        for _ in 0..file.len() + 10 {
            if off >= until && off < file.len() {
                return Ok(());
            }
            let data = file
                .get(off..(off + 512).min(file.len()))
                .context("an offset beyond the file")?;
            let first = off == 0;
            let piece = img::Upload {
                off: off as u32,
                len: first.then_some(file.len() as u32),
                sha: first.then_some(sha.as_slice()),
                data,
                ..img::Upload::default()
            };
            let (next, matched) = self.ask(&request(piece), |response| match response {
                Response::Img(img::Response::Upload { off, matched })
                | Response::Bootlace(bootlace::Response::Patch { off, matched }) => {
                    Ok((off as usize, matched))
                }
                other => bail!("upload answered {other:?}"),
            })?;
            off = next;
            if off == file.len() && matched == Some(true) {
                return Ok(());
            }
            if matched == Some(false) {
                off = 0;
            }
        }
        bail!("the upload does not come to an end")
    }

    /// Marks the uploaded image, or confirms the running one.
    pub(crate) fn set_state(&mut self, hash: Option<&[u8; 32]>, confirm: bool) -> Result<()> {
        let request = img::Request::SetState {
            hash: hash.map(<[u8; 32]>::as_slice),
            confirm,
        };
        self.ask(&Request::Img(request), |response| match response {
            Response::Img(img::Response::State(_)) => Ok(()),
            other => bail!("marking answered {other:?}"),
        })
    }

    /// Erases the secondary slot.
    pub(crate) fn erase(&mut self) -> Result<()> {
        let request = Request::Img(img::Request::Erase { slot: None });
        self.ask(&request, |response| match response {
            Response::Img(img::Response::Erase) => Ok(()),
            other => bail!("erase answered {other:?}"),
        })
    }
}
