//! A board's server, in its bootloader or in its application, and somebody who asks.

use anyhow::{Context as _, Result, anyhow, bail};
use bootlace_app_kit::{Action, Application};
use bootlace_core::Applier;
use bootlace_core::board::Board;
use bootlace_core::boot::{Decision, Entry};
use bootlace_core::link::Link;
use bootlace_core::server::{Role, Server, Step};
use bootlace_simulator::{Cut, Moment};
use bootlace_smp::bootlace::Reset;
use bootlace_smp::frame::{self, Framing};
use bootlace_smp::{self as smp, Header, Request, Response, bootlace, img};
use sha2::{Digest as _, Sha256};

use crate::images::File;
use crate::rig::Rig;
use crate::step::Through;
use crate::tape::Chip;

enum Runs<'a> {
    Bootloader(Server<'a>),
    Application(Application<'a>),
}

/// A board that answers.
pub struct Served<'a> {
    runs: Runs<'a>,
    link: Link<Vec<u8>>,
    applier: Box<Applier>,
    chip: &'a mut Chip,
    board: &'a Board<'static>,
    verdicts: crate::rig::Verdicts,
}

/// What the board does next.
enum Next {
    Idle,
    Working,
    Stopped,
}

impl<'a> Served<'a> {
    /// Starts the server that is to answer.
    ///
    /// # Errors
    /// When the bootloader does not stay.
    pub fn new(rig: &'a mut Rig, through: Through) -> Result<Self> {
        let verdicts = rig.verdicts();
        let entry = Entry {
            reset: Reset::Software,
            requested: true,
            gave_up: None,
        };
        let log = match through {
            Through::Application => None,
            Through::Bootloader => match rig.load(entry) {
                (Decision::Stay(condition), log) => Some((log, condition)),
                (decision, _) => bail!("the bootloader did not stay: {decision:?}"),
            },
        };
        let Rig { chip, board, .. } = rig;
        let runs = match log {
            Some((log, condition)) => {
                let role = Role::Bootloader { log, condition };
                Runs::Bootloader(Server::new(board, role, entry.reset))
            }
            None => Runs::Application(Application::new(chip, board, Reset::PowerOn)),
        };
        let link = Link::new(vec![0; 4096], 600, 2).map_err(|needed| anyhow!("{needed} bytes of memory"))?;
        Ok(Served {
            runs,
            link,
            applier: Box::default(),
            chip,
            board,
            verdicts,
        })
    }

    fn step(&mut self) -> Next {
        let check = match &mut self.runs {
            Runs::Bootloader(server) => {
                match server.step_with(&mut self.link, self.chip, &mut self.applier) {
                    Step::Idle => return Next::Idle,
                    Step::Working => return Next::Working,
                    Step::Reset { .. } => return Next::Stopped,
                    Step::Verify(check) => check,
                }
            }
            Runs::Application(application) => {
                match application.step_with(&mut self.link, self.chip, 0, &mut self.applier) {
                    Action::Idle => return Next::Idle,
                    Action::Working => return Next::Working,
                    Action::Restart(_) => return Next::Stopped,
                    Action::Verify(check) => check,
                }
            }
        };
        let verdict = Rig::check(self.chip, self.board, &self.verdicts, &check);
        match &mut self.runs {
            Runs::Bootloader(server) => server.verified(&mut self.link, self.chip, verdict),
            Runs::Application(application) => application.verified(&mut self.link, self.chip, verdict),
        }
        Next::Working
    }

    /// Takes any bytes from the line and does whatever they ask for, until it rests. What it answers is not looked at.
    pub fn talk(&mut self, mut bytes: &[u8]) {
        loop {
            let taken = self.link.feed(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            let mut moved = taken > 0;
            loop {
                let next = self.step();
                let len = self.link.transmit(&mut [0; 256]);
                if matches!(next, Next::Stopped) {
                    return;
                }
                if !matches!(next, Next::Working) && len == 0 {
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
            let next = self.step();
            let mut piece = [0; 256];
            let len = self.link.transmit(&mut piece);
            answer.extend_from_slice(piece.get(..len).unwrap_or_default());
            if !matches!(next, Next::Working) && len == 0 {
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
