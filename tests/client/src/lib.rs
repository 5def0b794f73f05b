//! A host that asks a board one thing at a time: what all tests share that talk to a board without the update engine.
//!
//! A test's line implements [`Client`] with two small methods; the requests come with the trait.
#![forbid(unsafe_code)]

mod asker;
mod error;

pub use asker::Asker;
pub use error::{ClientError, Refusal};

use bootlace_smp::{self as smp, Header, Request, Response, bootlace, img, os};
use sha2::{Digest as _, Sha256};

/// What a slot holds, as the board lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// The image's version.
    pub version: String,
    /// The image runs.
    pub active: bool,
    /// The image has proved itself.
    pub confirmed: bool,
    /// The image will be swapped in.
    pub pending: bool,
}

/// How far an upload came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Offsets that the board wanted next, one for each piece.
    pub offsets: Vec<usize>,
    /// Whether the whole file has the digest that was announced; `None` where the board did not say.
    pub matched: Option<bool>,
}

/// A board at the end of a line that a test owns.
pub trait Client {
    /// The requests' numbering and framing.
    fn asker(&mut self) -> &mut Asker;

    /// Puts `wire` on the line and hands what comes back to [`Asker::answer`] until that gives the packet; `None` when the board
    /// does not answer in time.
    ///
    /// # Errors
    /// When the line fails.
    fn exchange(&mut self, wire: &[u8]) -> Result<Option<Vec<u8>>, ClientError>;

    /// Asks once; `None` when there is no answer.
    ///
    /// # Errors
    /// When the line fails, or the answer can't be read.
    fn try_ask<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(Response<'_>) -> T,
    ) -> Result<Option<T>, ClientError> {
        let wire = self.asker().request(request)?;
        let Some(packet) = self.exchange(&wire)? else {
            return Ok(None);
        };
        let (header, payload) = Header::parse(&packet).map_err(ClientError::Unreadable)?;
        let response = smp::decode_response(&header, payload).map_err(ClientError::Unreadable)?;
        Ok(Some(read(response)))
    }

    /// Asks, and takes what `read` makes of the answer; `None` from `read` means another answer than the one wanted.
    ///
    /// # Errors
    /// Silence, a refusal, another answer.
    fn ask<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(&Response<'_>) -> Option<T>,
    ) -> Result<T, ClientError> {
        let answer = self.try_ask(request, |response| match (read(&response), response) {
            (Some(value), _) => Ok(value),
            (None, Response::Failure(failure)) => Err(ClientError::Refused((failure.group, failure.rc))),
            (None, other) => Err(ClientError::Unexpected(format!("{other:?}"))),
        })?;
        answer.unwrap_or_else(|| Err(ClientError::Silent(format!("{:?}", request.address()))))
    }

    /// What is in the slots.
    ///
    /// # Errors
    /// As [`ask`](Client::ask).
    fn list(&mut self) -> Result<Vec<Listed>, ClientError> {
        self.ask(&Request::Img(img::Request::State), |response| match response {
            Response::Img(img::Response::State(images)) => Some(
                images
                    .iter()
                    .map(|entry| Listed {
                        slot: entry.slot,
                        version: entry.version.as_str().to_owned(),
                        active: entry.active,
                        confirmed: entry.confirmed,
                        pending: entry.pending,
                    })
                    .collect(),
            ),
            _ => None,
        })
    }

    /// Sends the piece of a file at `off`: an image's, or a patch's. Gives the offset wanted next, and the digest's verdict.
    ///
    /// # Errors
    /// As [`ask`](Client::ask).
    fn piece(
        &mut self,
        file: &[u8],
        off: usize,
        content: Content,
    ) -> Result<(usize, Option<bool>), ClientError> {
        let first = off == 0;
        // Only the first piece names the file: not hashed again for every other one.
        let sha: Option<[u8; 32]> = first.then(|| Sha256::digest(file).into());
        let end = file.len().min(off + self.asker().piece(first));
        let piece = img::Upload {
            off: number(off),
            len: first.then_some(number(file.len())),
            sha: sha.as_ref().map(<[u8; 32]>::as_slice),
            data: file.get(off..end).unwrap_or_default(),
            ..img::Upload::default()
        };
        let request = match content {
            Content::Image => Request::Img(img::Request::Upload(piece)),
            Content::Patch => Request::Bootlace(bootlace::Request::Patch(piece)),
        };
        self.ask(&request, |response| match response {
            Response::Img(img::Response::Upload { off, matched })
            | Response::Bootlace(bootlace::Response::Patch { off, matched }) => {
                Some((*off as usize, *matched))
            }
            _ => None,
        })
    }

    /// Sends a file from wherever the board says, until `until` bytes of it are there.
    ///
    /// # Errors
    /// As [`ask`](Client::ask); an upload that does not come to an end.
    fn send(&mut self, file: &[u8], until: usize, content: Content) -> Result<Sent, ClientError> {
        let (mut off, mut sent) = (0, Sent::default());
        // A board may ask for what it lost, but not for ever.
        for _ in 0..file.len() + 10 {
            (off, sent.matched) = self.piece(file, off, content)?;
            sent.offsets.push(off);
            if off >= until.min(file.len()) && sent.matched != Some(false) || sent.matched == Some(true) {
                return Ok(sent);
            }
            if off == file.len() {
                // The digest did not match: the board begins anew.
                off = 0;
            }
        }
        Err(ClientError::Endless)
    }

    /// Marks the image of this digest for a trial, or as confirmed; without a digest, confirms the running image.
    ///
    /// # Errors
    /// As [`ask`](Client::ask).
    fn set_state(&mut self, hash: Option<&[u8; 32]>, confirm: bool) -> Result<(), ClientError> {
        let hash = hash.map(<[u8; 32]>::as_slice);
        let request = Request::Img(img::Request::SetState { hash, confirm });
        self.ask(&request, |response| {
            matches!(response, Response::Img(img::Response::State(_))).then_some(())
        })
    }

    /// Erases the secondary slot.
    ///
    /// # Errors
    /// As [`ask`](Client::ask).
    fn erase(&mut self) -> Result<(), ClientError> {
        self.ask(&Request::Img(img::Request::Erase { slot: None }), |response| {
            matches!(response, Response::Img(img::Response::Erase)).then_some(())
        })
    }

    /// Has the board restart, into the bootloader or not.
    ///
    /// # Errors
    /// As [`ask`](Client::ask).
    fn reset(&mut self, bootloader: bool) -> Result<(), ClientError> {
        let boot_mode = bootloader.then_some(os::BOOT_MODE_BOOTLOADER);
        let request = Request::Os(os::Request::Reset {
            force: false,
            boot_mode,
        });
        self.ask(&request, |response| {
            matches!(response, Response::Os(os::Response::Reset)).then_some(())
        })
    }

    /// What the board says of itself.
    ///
    /// # Errors
    /// As [`ask`](Client::ask).
    fn describe<T>(&mut self, read: impl FnOnce(&bootlace::Description<'_>) -> T) -> Result<T, ClientError> {
        self.ask(
            &Request::Bootlace(bootlace::Request::Describe),
            |response| match response {
                Response::Bootlace(bootlace::Response::Describe(description)) => Some(read(description)),
                _ => None,
            },
        )
    }

    /// The board's last updates, newest first.
    ///
    /// # Errors
    /// As [`ask`](Client::ask).
    fn journal(&mut self) -> Result<Vec<bootlace::JournalEntry>, ClientError> {
        self.ask(
            &Request::Bootlace(bootlace::Request::Journal),
            |response| match response {
                Response::Bootlace(bootlace::Response::Journal(updates)) => Some(updates.iter().collect()),
                _ => None,
            },
        )
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A signed image.
    Image,
    /// A patch.
    Patch,
}

/// A number of bytes as SMP names it: no file of a test is larger.
fn number(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
