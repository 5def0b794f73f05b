//! A host on the emulated board's line.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bootlace_client::{Asker, Client, ClientError, Content};
use bootlace_smp::frame::Framing;
use bootlace_smp::{Request, Response, bootlace};

/// Longest time for an answer: an erase of a whole slot, or a check of a signature on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a piece of an image: the board's packets hold a page and the message around it.
const PIECE: usize = 1000;

/// The host's end of a line.
#[derive(Debug)]
pub struct Host {
    stream: UnixStream,
    asker: Asker,
    patience: Duration,
}

impl Client for Host {
    fn asker(&mut self) -> &mut Asker {
        &mut self.asker
    }

    fn exchange(&mut self, wire: &[u8]) -> Result<Option<Vec<u8>>, ClientError> {
        self.stream.write_all(wire)?;
        let end = Instant::now() + self.patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut bytes = [0; 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(len) => {
                    if let Some(packet) = self.asker.answer(bytes.get(..len).unwrap_or_default())? {
                        return Ok(Some(packet));
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Host {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            asker: Asker::new(Framing::Cobs, PIECE),
            patience: PATIENCE,
        }
    }

    /// Waits longer or shorter for answers from now on.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Speaks another framing from now on.
    pub fn speak(&mut self, framing: Framing) {
        self.asker.framing = framing;
    }

    /// The line itself.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Asks once and waits `limit` for the answer; `None` when there is none.
    ///
    /// # Errors
    /// When the board is gone.
    pub fn ask_within<T>(
        &mut self,
        request: &Request,
        limit: Duration,
        read: impl FnOnce(Response) -> T,
    ) -> Result<Option<T>> {
        let patience = std::mem::replace(&mut self.patience, limit);
        let answer = self.try_ask(request, read);
        self.patience = patience;
        Ok(answer?)
    }

    /// Waits until somebody answers after a reset, asking again and again; gives who: see [`bootlace::Description`].
    ///
    /// # Errors
    /// When nobody does in time.
    pub fn describe_when_up<T>(&mut self, mut read: impl FnMut(&bootlace::Description) -> T) -> Result<T> {
        let end = Instant::now() + self.patience;
        loop {
            let request = Request::Bootlace(bootlace::Request::Describe);
            let answer =
                self.ask_within(&request, Duration::from_millis(400), |response| match response {
                    Response::Bootlace(bootlace::Response::Describe(description)) => Some(read(&description)),
                    _ => None,
                })?;
            if let Some(Some(described)) = answer {
                return Ok(described);
            }
            ensure!(Instant::now() < end, "nobody answers");
        }
    }

    /// Uploads an image from wherever the board says, until `until` bytes are there; gives the offsets that it asked for, and
    /// whether the digest is right.
    ///
    /// # Errors
    /// When the board refuses.
    pub fn upload(&mut self, file: &[u8], until: usize) -> Result<(Vec<usize>, Option<bool>)> {
        let sent = self.send(file, until, Content::Image)?;
        Ok((sent.offsets, sent.matched))
    }

    /// The same with a patch.
    ///
    /// # Errors
    /// When the board refuses.
    pub fn patch(&mut self, file: &[u8], until: usize) -> Result<(Vec<usize>, Option<bool>)> {
        let sent = self.send(file, until, Content::Patch)?;
        Ok((sent.offsets, sent.matched))
    }

    /// Marks the uploaded image of this digest for a trial.
    ///
    /// # Errors
    /// The board's refusal.
    pub fn test(&mut self, hash: &[u8; 32]) -> Result<()> {
        Ok(self.set_state(Some(hash), false)?)
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
