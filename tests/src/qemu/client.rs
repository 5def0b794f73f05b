//! A host that asks one thing at a time over the board's line.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_smp::frame::{self, Decoder, Framing};
use bootlace_smp::{self as smp, Header, Request, Response, bootlace, img, os};
use sha2::{Digest as _, Sha256};

/// Longest time for an answer: an erase of a whole slot, or a check of a signature on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a piece of an image: the board's packets hold a page and the message around it.
const PIECE: usize = 1000;

/// The host's end of a line.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    framing: Framing,
    decoder: Decoder,
    buffer: Vec<u8>,
    sequence: u8,
}

/// What a slot holds, as the board lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// The image's version.
    pub version: String,
    /// It runs.
    pub active: bool,
    /// It has proved itself.
    pub confirmed: bool,
    /// It will be swapped in.
    pub pending: bool,
}

impl Client {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            framing: Framing::Cobs,
            decoder: Decoder::new(),
            buffer: vec![0; 4096],
            sequence: 0,
        }
    }

    /// Speaks another framing from now on.
    pub fn speak(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// The line itself.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Asks once and waits `limit` for the answer; `None` when there is none.
    ///
    /// # Errors
    /// When the board is gone.
    pub fn try_ask<T>(
        &mut self,
        request: &Request,
        limit: Duration,
        read: impl FnOnce(Response) -> T,
    ) -> Result<Option<T>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = [0; 2048];
        let len = smp::encode_request(&mut packet, smp::Version::V2, self.sequence, request);
        let len = len.ok().context("the request is too long")?;
        let mut wire = Vec::new();
        frame::encode(self.framing, packet.get(..len).unwrap_or_default(), |bytes| {
            wire.extend_from_slice(bytes);
        });
        self.stream.write_all(&wire)?;
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut bytes = [0; 1024];
            let len = match self.stream.read(&mut bytes) {
                Ok(0) => bail!("the board is gone"),
                Ok(len) => len,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            };
            let mut rest = bytes.get(..len).unwrap_or_default();
            while !rest.is_empty() {
                let (taken, complete) = self.decoder.feed(&mut self.buffer, rest);
                rest = rest.get(taken..).unwrap_or_default();
                let Some(frame) = complete else { continue };
                let answer = self.buffer.get(..frame.len).unwrap_or_default();
                if let Ok((header, payload)) = Header::parse(answer)
                    && header.seq == self.sequence
                    && let Ok(response) = smp::decode_response(&header, payload)
                {
                    ensure!(frame.framing == self.framing, "answered in {:?}", frame.framing);
                    return Ok(Some(read(response)));
                }
            }
        }
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask<T>(&mut self, request: &Request, read: impl FnOnce(Response) -> T) -> Result<T> {
        let answer = self.try_ask(request, PATIENCE, read)?;
        answer.with_context(|| format!("no answer to {:?}", request.address()))
    }

    /// Waits until somebody answers after a reset, asking again and again; gives who: see [`bootlace::Description`].
    ///
    /// # Errors
    /// When nobody does in time.
    pub fn describe<T>(&mut self, mut read: impl FnMut(bootlace::Description) -> T) -> Result<T> {
        let end = Instant::now() + PATIENCE;
        loop {
            let request = Request::Bootlace(bootlace::Request::Describe);
            let answer = self.try_ask(&request, Duration::from_millis(400), |response| match response {
                Response::Bootlace(bootlace::Response::Describe(description)) => Some(read(description)),
                _ => None,
            })?;
            if let Some(Some(described)) = answer {
                return Ok(described);
            }
            ensure!(Instant::now() < end, "nobody answers");
        }
    }

    /// What is in the slots.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn list(&mut self) -> Result<Vec<Listed>> {
        self.ask(&Request::Img(img::Request::State), |response| match response {
            Response::Img(img::Response::State(images)) => Ok(images
                .iter()
                .map(|entry| Listed {
                    slot: entry.slot,
                    version: entry.version.to_owned(),
                    active: entry.active,
                    confirmed: entry.confirmed,
                    pending: entry.pending,
                })
                .collect()),
            other => bail!("{other:?}"),
        })?
    }

    /// Uploads from wherever the board says, until `stop` bytes are there; gives whether the digest is right.
    ///
    /// # Errors
    /// When the board refuses.
    pub fn upload(&mut self, file: &[u8], stop: usize) -> Result<(Vec<usize>, Option<bool>)> {
        self.send(file, stop, |piece| Request::Img(img::Request::Upload(piece)))
    }

    /// The same with a patch.
    ///
    /// # Errors
    /// When the board refuses.
    pub fn patch(&mut self, file: &[u8], stop: usize) -> Result<(Vec<usize>, Option<bool>)> {
        self.send(file, stop, |piece| {
            Request::Bootlace(bootlace::Request::Patch(piece))
        })
    }

    fn send(
        &mut self,
        file: &[u8],
        stop: usize,
        request: for<'p> fn(img::Upload<'p>) -> Request<'p>,
    ) -> Result<(Vec<usize>, Option<bool>)> {
        let sha: [u8; 32] = Sha256::digest(file).into();
        let (mut off, mut seen) = (0, Vec::new());
        loop {
            let first = off == 0;
            let size = if first { PIECE / 2 } else { PIECE };
            let piece = img::Upload {
                off: off as u32,
                len: first.then_some(file.len() as u32),
                sha: first.then_some(sha.as_slice()),
                data: file.get(off..file.len().min(off + size)).unwrap_or_default(),
                ..img::Upload::default()
            };
            let (next, matched) = self.ask(&request(piece), |response| match response {
                Response::Img(img::Response::Upload { off, matched })
                | Response::Bootlace(bootlace::Response::Patch { off, matched }) => {
                    Ok((off as usize, matched))
                }
                other => bail!("at {off}: {other:?}"),
            })??;
            off = next;
            seen.push(off);
            if off >= file.len().min(stop) {
                return Ok((seen, matched));
            }
        }
    }

    /// Marks the uploaded image of this digest for a trial.
    ///
    /// # Errors
    /// The board's refusal.
    pub fn test(&mut self, hash: &[u8; 32]) -> Result<()> {
        let request = img::Request::SetState {
            hash: Some(hash),
            confirm: false,
        };
        self.ask(&Request::Img(request), |response| match response {
            Response::Img(img::Response::State(_)) => Ok(()),
            other => bail!("{other:?}"),
        })?
    }

    /// Has the board restart, into the bootloader or not.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn reset(&mut self, bootloader: bool) -> Result<()> {
        let boot_mode = bootloader.then_some(os::BOOT_MODE_BOOTLOADER);
        let request = Request::Os(os::Request::Reset {
            force: false,
            boot_mode,
        });
        self.ask(&request, |response| match response {
            Response::Os(os::Response::Reset) => Ok(()),
            other => bail!("{other:?}"),
        })?
    }

    /// Reads text until `wanted` was said.
    ///
    /// # Errors
    /// When it is not said within `limit`.
    pub fn wait_for_text(&mut self, wanted: &str, limit: Duration) -> Result<()> {
        let (end, mut said) = (Instant::now() + limit, Vec::new());
        loop {
            let left = end.saturating_duration_since(Instant::now());
            ensure!(
                !left.is_zero(),
                "{wanted:?} was not said: {:?}",
                String::from_utf8_lossy(&said)
            );
            self.stream.set_read_timeout(Some(left))?;
            let mut bytes = [0; 256];
            match self.stream.read(&mut bytes) {
                Ok(0) => bail!("the board is gone"),
                Ok(len) => said.extend_from_slice(bytes.get(..len).unwrap_or_default()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
            if String::from_utf8_lossy(&said).contains(wanted) {
                return Ok(());
            }
        }
    }
}
