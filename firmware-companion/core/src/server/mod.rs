//! The SMP server, the same in the bootloader and in an application.
//!
//! Packets arrive in a [`Link`] without any I/O; [`Server::step`] answers them and does at most one flash operation, or
//! one step of an image's check, a call.

mod describe;
mod images;
mod ledger;
#[cfg(feature = "delta")]
mod patch;
mod role;
mod store;
mod upload;

use bootlace_smp::bootlace::{BootState, Reset, Supply};
use bootlace_smp::frame::Framing;
use bootlace_smp::{self as smp, ErrorCode, Fault, Header, Request, Response, bootlace, img, os};

use crate::board::Identity;
use crate::check::Check;
#[cfg(feature = "known-verdicts")]
use crate::flash::Area;
use crate::flash::{Flash, FlashError};
use crate::link::{Link, Memory};
use crate::state::{Record, State};
use crate::trailer::{TrailerWrite, confirm, is_on_trial};
#[cfg(feature = "delta")]
use patch::Patches;
pub use role::{Bootloader, Runner, Running};
use store::Upload;
use upload::{Piece, Stage, at_place, place};

/// Patches are not taken.
#[cfg(not(feature = "delta"))]
type Patches<'p> = Option<&'p mut crate::Applier>;

/// What a step came to.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Nothing to do until bytes arrive or leave.
    Idle,
    /// More can be done at once.
    Working,
    /// Restart the chip, once the answer has left.
    Reset {
        /// Into the bootloader, to stay there.
        bootloader: bool,
    },
}

/// To whom the next answer goes.
#[derive(Clone, Copy, Debug)]
struct Asker {
    header: Header,
    framing: Framing,
}

impl Asker {
    const NOBODY: Self = Asker {
        header: Header {
            version: smp::Version::V1,
            op: smp::Op::Read,
            flags: 0,
            len: 0,
            group: 0,
            seq: 0,
            id: 0,
        },
        framing: Framing::Console,
    };
}

/// What is under way. One thing at a time; packets wait meanwhile. What it needs to know of its request stays in the
/// server: handing it on with every step would cost code.
#[derive(Clone, Debug)]
enum Job {
    None,
    /// A piece of an image is being written.
    Receiving(Stage),
    /// The whole upload is compared with the digest that was announced.
    Matching(store::Matching),
    /// Units from here on are being erased.
    Erasing(u32),
    /// The image in the secondary slot is being verified before it is marked, as confirmed or not.
    Verifying {
        permanent: bool,
    },
    /// The secondary slot's trailer is being written.
    Marking(TrailerWrite),
    Reset {
        bootloader: bool,
    },
}

/// The server.
#[derive(Debug)]
pub struct Server<'a, R: Runner> {
    board: &'a Identity<'a>,
    reset: Reset,
    /// Records that could not be written. When there are too many, the board only answers questions.
    failures: u8,
    upload: Option<Upload>,
    /// Who asked for what is under way; the piece and the hash that were named last.
    asker: Asker,
    piece: Piece,
    /// The patch that the upload comes from.
    #[cfg(feature = "delta")]
    patch: Option<store::Transfer>,
    job: Job,
    /// The check of the uploaded image, under way.
    check: Check<R::Proof>,
    hash: [u8; 32],
    /// The supply when it was last measured.
    supply: Option<Supply>,
    role: R,
}

/// So many failures are taken for a state area that is worn out or write-protected.
const MAX_FAILURES: u8 = 3;

/// Why a request is refused: what to answer.
type Refused = Fault;

/// A request without its borrowed bytes, which lie in a packet that is about to be freed.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// It is no request: noise, or our own words repeated by a terminal.
    Ignore,
    Echo,
    Reset {
        bootloader: bool,
    },
    Params,
    Info,
    Bootloader,
    Mode,
    Piece,
    Image(images::Owned),
    Describe,
    Journal,
    Refuse(ErrorCode),
}

impl<'a, R: Runner> Server<'a, R> {
    /// `reset` is why the chip last started.
    #[inline(never)]
    pub fn new(board: &'a Identity<'a>, role: R, reset: Reset) -> Self {
        Server {
            board,
            role,
            reset,
            upload: None,
            #[cfg(feature = "delta")]
            patch: None,
            job: Job::None,
            check: Check::NONE,
            asker: Asker::NOBODY,
            piece: Piece::default(),
            hash: [0; 32],
            supply: None,
            failures: 0,
        }
    }

    /// What the board's supply is now. Below its limit no update begins, and nothing is marked or erased; one that has
    /// begun goes on, because a power cut costs it only time. A board that never says is never refused.
    pub fn measured(&mut self, supply: Supply) {
        self.supply = Some(supply);
    }

    /// What the records say.
    pub fn state(&self) -> &State {
        self.role.state()
    }

    /// Why a bootloader did not start an image; `None` in an application.
    pub fn condition(&self) -> Option<BootState> {
        self.role.condition()
    }

    fn is_application(&self) -> bool {
        self.role.condition().is_none()
    }

    /// Whether an image is being checked. The memory that patches are applied in is not used meanwhile.
    pub fn is_checking(&self) -> bool {
        matches!(self.job, Job::Verifying { .. })
    }

    /// Answers packets and does at most one flash operation, or one step of an image's check.
    ///
    /// With `patches`, patches are taken. That memory may be used for something else while [`Server::is_checking`]; what it
    /// holds afterwards must be [`Applier::new`](crate::Applier): a patch that was being received is then sent again from
    /// its start, and what was written is not written again.
    // Its frame must not become part of the caller's, which may hold the applier.
    #[inline(never)]
    pub fn step<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        patches: Option<&mut crate::Applier>,
    ) -> Step {
        let failures = self.failures;
        if let Some(log) = self.role.log()
            && log.busy()
            && failures < MAX_FAILURES
        {
            let failed = log.step(flash).is_err();
            self.failures += u8::from(failed);
            return Step::Working;
        }
        match self.job {
            Job::None => self.next_packet(link, flash, patches),
            Job::Receiving(_) => self.receive(link, flash, patches),
            Job::Reset { bootloader } => Step::Reset { bootloader },
            // Everything else ends in an answer, and the last one is still on its way.
            _ if link.is_sending() => Step::Idle,
            Job::Matching(_) => self.match_file(flash, patches),
            Job::Erasing(done) => self.erase(link, flash, done),
            Job::Verifying { permanent } => self.verify(link, flash, permanent),
            Job::Marking(_) => self.mark(link, flash),
        }
    }

    fn take(&mut self, message: &img::Upload, packet: &[u8], is_patch: bool) -> Action {
        self.piece.note(message, packet);
        #[cfg(feature = "delta")]
        {
            self.piece.patch = is_patch;
        }
        let _ = is_patch;
        Action::Piece
    }

    /// Notes what a packet asks for, and who asks.
    fn understand(&mut self, packet: &[u8], framing: Framing) -> Action {
        let Ok((header, payload)) = Header::parse(packet) else {
            return Action::Ignore;
        };
        if !header.op.is_request() {
            return Action::Ignore;
        }
        self.asker = Asker { header, framing };
        match smp::decode_request(&header, payload) {
            Ok(Request::Os(request)) => match request {
                os::Request::Echo(text) => {
                    self.piece.data = place(text.as_bytes(), packet);
                    Action::Echo
                }
                os::Request::Reset { boot_mode, .. } => Action::Reset {
                    bootloader: boot_mode == Some(os::BOOT_MODE_BOOTLOADER),
                },
                os::Request::Params => Action::Params,
                os::Request::Info { .. } => Action::Info,
                os::Request::Bootloader { query: None } => Action::Bootloader,
                os::Request::Bootloader { query: Some("mode") } => Action::Mode,
                os::Request::Bootloader { .. } => Action::Refuse(ErrorCode::NotSupported),
            },
            Ok(Request::Img(img::Request::Upload(piece))) => self.take(&piece, packet, false),
            Ok(Request::Img(request)) => Action::Image(self.own(request)),
            Ok(Request::Bootlace(request)) => match request {
                bootlace::Request::Describe => Action::Describe,
                bootlace::Request::Journal => Action::Journal,
                #[cfg(feature = "delta")]
                bootlace::Request::Patch(piece) => self.take(&piece, packet, true),
                #[cfg(not(feature = "delta"))]
                bootlace::Request::Patch(_) => Action::Refuse(ErrorCode::NotSupported),
            },
            Err(error) => Action::Refuse(error.code()),
        }
    }

    #[inline(never)]
    fn next_packet<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        patches: Patches,
    ) -> Step {
        let Some((packet, framing)) = link.packet() else {
            return Step::Idle;
        };
        let action = self.understand(packet, framing);
        match action {
            Action::Piece => return self.begin_piece(link, flash, patches),
            Action::Ignore => {}
            _ if link.is_sending() => return Step::Idle,
            // The text may be as long as the reply's buffer allows: it is answered from the packet itself.
            Action::Echo => {
                let (packet, out) = link.buffers();
                let text = str::from_utf8(at_place(packet, self.piece.data)).unwrap_or_default();
                let header = &self.asker.header;
                let echo = Response::Os(os::Response::Echo(text));
                let written = smp::encode_response(out, header, &echo)
                    .or_else(|_| smp::encode_error(out, header, ErrorCode::TooLarge, None));
                link.send(framing, written.unwrap_or(0));
            }
            _ => {}
        }
        link.release();
        let answer = match action {
            Action::Ignore | Action::Echo | Action::Piece => return Step::Working,
            Action::Image(request) => {
                self.image_request(link, flash, request);
                return Step::Working;
            }
            Action::Describe => {
                self.describe(link, flash, patches);
                return Step::Working;
            }
            Action::Journal => {
                self.journal(link, flash);
                return Step::Working;
            }
            Action::Refuse(code) => {
                self.refuse(link, code.into());
                return Step::Working;
            }
            // Clients choose their procedure by this name, and the procedure is MCUboot's.
            Action::Bootloader => os::Response::Bootloader("MCUboot"),
            Action::Mode => os::Response::Mode {
                mode: os::MODE_SWAP,
                no_downgrade: false,
            },
            Action::Params => os::Response::Params {
                buf_size: link.frame() as u32,
                buf_count: link.window() as u32,
            },
            Action::Info => os::Response::Info(self.board.name),
            Action::Reset { .. } => os::Response::Reset,
        };
        self.answer(link, &Response::Os(answer));
        if let Action::Reset { bootloader } = action {
            self.job = Job::Reset { bootloader };
        }
        Step::Working
    }

    /// Does a step of the check of the uploaded image, and begins to mark the image after the last one.
    fn verify<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F, permanent: bool) -> Step {
        if let Some(verdict) = self.check.step(flash, self.board) {
            self.begin_mark(link, flash, permanent, verdict);
        }
        Step::Working
    }

    /// Which image is about to be checked: see [`Decider::question`](crate::boot::Decider::question).
    #[cfg(feature = "known-verdicts")]
    pub fn question(&self) -> Option<(Area, u32)> {
        self.check.question()
    }

    /// Takes the verdict on the [`Server::question`] instead of finding it out.
    #[cfg(feature = "known-verdicts")]
    pub fn answer_check<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        verdict: Result<crate::slots::Found, crate::slots::Reject>,
    ) {
        self.check.end();
        if let Job::Verifying { permanent } = self.job {
            self.begin_mark(link, flash, permanent, verdict);
        }
    }

    /// The primary slot's image has not confirmed itself.
    fn is_on_trial<F: Flash>(&self, flash: &mut F) -> bool {
        is_on_trial(flash, self.state())
    }

    /// Whether the secondary slot may be written, erased or marked; a record says so before anything is done, so that what
    /// an earlier start left half-written can't come back later and speak of what is no longer there.
    fn may_change<F: Flash>(&mut self, flash: &mut F) -> Result<(), Refused> {
        let state = self.state();
        let (known, swaps) = (state.saved || !state.recorded, state.swap.is_some());
        if swaps || (known && (self.role.is_doubtful() || self.is_on_trial(flash))) {
            // It holds what the board goes back to, or a swap is to be finished first.
            return Err(ErrorCode::BadState.into());
        }
        if self.is_supply_low() {
            return Err(bootlace::ErrorCode::SupplyLow.into());
        }
        if self.failures >= MAX_FAILURES {
            return Err(img::ErrorCode::FlashWriteFailed.into());
        }
        if known
            && self.state().trial.is_some()
            && let Some(log) = self.role.log()
        {
            // What the board could go back to is about to go: a confirmation that was torn must never read as unset again.
            log.push(Record::Confirmed);
        }
        Ok(())
    }

    /// Confirms the running image, if it is on trial: only what runs can say that it runs well.
    ///
    /// # Errors
    /// The flash's own; the image is still on trial then.
    pub fn confirm<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        if self.is_on_trial(flash) {
            confirm(flash)?;
            self.role.confirmed();
        }
        Ok(())
    }

    fn is_supply_low(&self) -> bool {
        self.supply.is_some_and(|supply| supply.is_low())
    }

    /// The secondary slot no longer holds what a swap saved.
    fn note_change(&mut self) {
        if let Some(log) = self.role.log() {
            log.push(Record::Saved(false));
        }
    }

    /// Ends what is under way with an answer. One that does not fit becomes the shortest one there is: silence would look
    /// like a lost packet.
    #[inline(never)]
    fn answer<M: Memory>(&mut self, link: &mut Link<M>, response: &Response) {
        let (_, out) = link.buffers();
        match smp::encode_response(out, &self.asker.header, response) {
            Ok(len) => self.sent(link, len),
            Err(_) => self.refuse(link, ErrorCode::NoMemory.into()),
        }
    }

    /// Ends what is under way with a refusal.
    #[inline(never)]
    fn refuse<M: Memory>(&mut self, link: &mut Link<M>, fault: Refused) {
        let (_, out) = link.buffers();
        let len = smp::encode_error(out, &self.asker.header, fault, None);
        self.sent(link, len.unwrap_or(0));
    }

    fn sent<M: Memory>(&mut self, link: &mut Link<M>, len: usize) {
        self.job = Job::None;
        link.send(self.asker.framing, len);
    }
}
