//! The SMP server, the same in the bootloader and in an application.
//!
//! Packets arrive in a [`Link`] without any I/O; [`Server::step`] answers them and does at most one flash operation
//! a call. Signatures are checked by the caller ([`Step::Verify`]), who may first give the link's memory back: the
//! server itself is small.

mod describe;
mod images;
mod ledger;
#[cfg(feature = "delta")]
mod patch;
mod store;
mod upload;

use bootlace_smp::bootlace::{Reset, State as Condition, Supply};
use bootlace_smp::frame::Framing;
use bootlace_smp::{self as smp, ErrorCode, Fault, Header, Request, Response, bootlace, img, os};

use crate::board::Board;
use crate::flash::{Area, Flash};
use crate::link::{Link, Memory};
use crate::slots::{Check, Found, Reject};
use crate::state::{Log, Record, State};
use crate::trailer::{TrailerWrite, is_on_trial};
use images::Mark;
#[cfg(feature = "delta")]
use patch::Patches;
use store::Upload;
use upload::Receiving;

/// Patches are not taken.
#[cfg(not(feature = "delta"))]
type Patches<'p> = core::marker::PhantomData<&'p ()>;

/// Who runs the server.
#[derive(Debug)]
pub enum Role {
    /// The bootloader: it keeps the records, and says why it is there.
    Bootloader {
        /// The records.
        log: Log,
        /// Why it did not start an image.
        condition: Condition,
    },
    /// The application: it reads the records and leaves the state area alone, which its bootloader may have locked.
    Application {
        /// What the records said at start-up.
        state: State,
    },
}

/// What a step came to.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Nothing to do until bytes arrive or leave.
    Idle,
    /// More can be done at once.
    Working,
    /// Run the check, then hand its verdict to [`Server::verified`].
    Verify(Check),
    /// The answer has left: restart the chip.
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

/// What is under way. One thing at a time; packets wait meanwhile.
#[derive(Clone, Debug)]
enum Job {
    None,
    /// A piece of an image is being written.
    Receiving(Asker, Receiving),
    /// The whole upload is compared with the digest that was announced.
    Matching(Asker, store::Matching),
    /// Units from here on are being erased.
    Erasing(Asker, u32),
    /// The image in the secondary slot is being verified before it is marked.
    Verifying(Asker, Mark),
    /// The secondary slot's trailer is being written.
    Marking(Asker, TrailerWrite),
    Reset {
        bootloader: bool,
    },
}

/// The server.
#[derive(Debug)]
pub struct Server<'a> {
    board: &'a Board<'a>,
    role: Role,
    reset: Reset,
    upload: Option<Upload>,
    /// The patch that the upload comes from.
    #[cfg(feature = "delta")]
    patch: Option<store::Transfer>,
    job: Job,
    /// The supply when it was last measured.
    supply: Option<Supply>,
    /// Records that could not be written. When there are too many, the board only answers questions.
    failures: u8,
}

/// So many failures are taken for a state area that is worn out or write-protected.
const MAX_FAILURES: u8 = 3;

/// Why a request is refused: what to answer.
type Refused = Fault;

/// A request without its borrowed bytes, which lie in a packet that is about to be freed.
#[derive(Clone, Copy, Debug)]
enum Action {
    Echo,
    Reset { bootloader: bool },
    Params,
    Info,
    System(os::Response<'static>),
    Piece(upload::Piece),
    Image(images::Owned),
    Describe,
    Journal,
    Refuse(ErrorCode),
}

impl Action {
    fn new(request: Request, packet: &[u8]) -> Self {
        match request {
            Request::Os(os::Request::Echo(_)) => Action::Echo,
            Request::Os(os::Request::Reset { boot_mode, .. }) => Action::Reset {
                bootloader: boot_mode == Some(os::BOOT_MODE_BOOTLOADER),
            },
            Request::Os(os::Request::Params) => Action::Params,
            Request::Os(os::Request::Info { .. }) => Action::Info,
            // Clients choose their procedure by this name, and the procedure is MCUboot's.
            Request::Os(os::Request::Bootloader { query: None }) => {
                Action::System(os::Response::Bootloader("MCUboot"))
            }
            Request::Os(os::Request::Bootloader { query: Some("mode") }) => {
                Action::System(os::Response::Mode {
                    mode: os::MODE_SWAP,
                    no_downgrade: false,
                })
            }
            Request::Os(os::Request::Bootloader { .. }) => Action::Refuse(ErrorCode::NotSupported),
            Request::Img(img::Request::Upload(piece)) => Action::Piece(upload::Piece::new(&piece, packet)),
            Request::Img(request) => Action::Image(images::Owned::from(request)),
            Request::Bootlace(bootlace::Request::Describe) => Action::Describe,
            Request::Bootlace(bootlace::Request::Journal) => Action::Journal,
            #[cfg(feature = "delta")]
            Request::Bootlace(bootlace::Request::Patch(piece)) => {
                Action::Piece(upload::Piece::of_patch(&piece, packet))
            }
            #[cfg(not(feature = "delta"))]
            Request::Bootlace(bootlace::Request::Patch(_)) => Action::Refuse(ErrorCode::NotSupported),
        }
    }
}

/// The text may be as long as the reply's buffer allows: it is answered from the packet itself.
fn echo(header: &Header, packet: &[u8], out: &mut [u8]) -> Result<usize, smp::EncodeError> {
    let text = Header::parse(packet).and_then(|(header, payload)| smp::decode_request(&header, payload));
    let text = if let Ok(Request::Os(os::Request::Echo(text))) = text {
        text
    } else {
        ""
    };
    smp::encode_response(out, header, &Response::Os(os::Response::Echo(text)))
        .or_else(|_| smp::encode_error(out, header, ErrorCode::TooLarge, None))
}

impl<'a> Server<'a> {
    /// `reset` is why the chip last started.
    pub fn new(board: &'a Board<'a>, role: Role, reset: Reset) -> Self {
        Server {
            board,
            role,
            reset,
            upload: None,
            #[cfg(feature = "delta")]
            patch: None,
            job: Job::None,
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
        match &self.role {
            Role::Bootloader { log, .. } => log.state(),
            Role::Application { state } => state,
        }
    }

    /// Bytes of the current upload that are in flash, and in all.
    pub fn upload_progress(&self) -> Option<(u32, u32)> {
        self.upload
            .as_ref()
            .map(|upload| (upload.file.at, upload.file.len))
    }

    fn is_application(&self) -> bool {
        matches!(self.role, Role::Application { .. })
    }

    fn log(&mut self) -> Option<&mut Log> {
        match &mut self.role {
            Role::Bootloader { log, .. } => Some(log),
            Role::Application { .. } => None,
        }
    }

    /// Answers packets and does at most one flash operation.
    pub fn step<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F) -> Step {
        self.advance(link, flash, Patches::default())
    }

    /// The same, and takes patches. The applier's memory may be used for something else whenever nothing is being
    /// received, a check for instance: a patch is then sent again from its start, and what was written is not written again.
    /// What it holds afterwards must be [`Applier::new`](crate::Applier::new).
    #[cfg(feature = "delta")]
    pub fn step_with<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        applier: &mut crate::Applier,
    ) -> Step {
        self.advance(link, flash, Some(applier))
    }

    #[inline(never)]
    fn advance<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F, patches: Patches) -> Step {
        let failures = self.failures;
        if let Some(log) = self.log()
            && log.busy()
            && failures < MAX_FAILURES
        {
            let failed = log.step(flash).is_err();
            self.failures += u8::from(failed);
            return Step::Working;
        }
        match core::mem::replace(&mut self.job, Job::None) {
            Job::None => self.next_packet(link, flash, patches),
            Job::Receiving(asker, piece) => self.receive(link, flash, asker, piece, patches),
            job if link.is_sending() => {
                // Everything else ends in an answer, and the last one is still on its way.
                self.job = job;
                Step::Idle
            }
            Job::Matching(asker, matching) => self.match_file(flash, asker, matching, patches),
            Job::Erasing(asker, at) => self.erase(link, flash, asker, at),
            Job::Verifying(asker, mark) => {
                self.job = Job::Verifying(asker, mark);
                Step::Verify(self.check(Area::Secondary))
            }
            Job::Marking(asker, write) => self.mark(link, flash, asker, write),
            Job::Reset { bootloader } => {
                self.job = Job::Reset { bootloader };
                Step::Reset { bootloader }
            }
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
        // Anything that is no request is noise, or our own words repeated by a terminal.
        let Ok((header, payload)) =
            Header::parse(packet).and_then(|(header, payload)| match header.op.is_request() {
                true => Ok((header, payload)),
                false => Err(smp::DecodeError::Op),
            })
        else {
            link.release();
            return Step::Working;
        };
        let asker = Asker { header, framing };
        let action = match smp::decode_request(&header, payload) {
            Ok(request) => Action::new(request, packet),
            Err(error) => Action::Refuse(error.code()),
        };
        if let Action::Piece(piece) = action {
            return self.begin_piece(link, flash, asker, piece, patches);
        }
        if link.is_sending() {
            return Step::Idle;
        }
        if let Action::Echo = action {
            link.reply(asker.framing, |packet, out| echo(&asker.header, packet, out));
            link.release();
            return Step::Working;
        }
        link.release();
        match action {
            Action::Image(request) => self.image_request(link, flash, asker, request),
            Action::Describe => self.describe(link, flash, asker, patches),
            Action::Journal => self.journal(link, flash, asker),
            Action::Refuse(code) => self.answer(link, asker, Err(code.into())),
            Action::System(response) => self.answer(link, asker, Ok(Response::Os(response))),
            Action::Params => {
                let (buf_size, buf_count) = (link.frame() as u32, link.window() as u32);
                self.answer(
                    link,
                    asker,
                    Ok(Response::Os(os::Response::Params { buf_size, buf_count })),
                );
            }
            Action::Info => {
                let name = self.board.name;
                self.answer(link, asker, Ok(Response::Os(os::Response::Info(name))));
            }
            Action::Reset { bootloader } => {
                self.job = Job::Reset { bootloader };
                self.answer(link, asker, Ok(Response::Os(os::Response::Reset)));
            }
            Action::Piece(_) | Action::Echo => {}
        }
        Step::Working
    }

    /// Takes the verdict on the image that the last [`Step::Verify`] asked about.
    pub fn verified<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        verdict: Result<Found, Reject>,
    ) {
        if let Job::Verifying(asker, mark) = self.job {
            self.job = Job::None;
            self.begin_mark(link, flash, asker, mark, verdict);
        }
    }

    fn check(&self, area: Area) -> Check {
        let state = self.state();
        let signature = !self.is_application() || !self.board.keys.is_empty();
        Check {
            area,
            counter: state.counter,
            signature,
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
        if swaps || (known && self.is_on_trial(flash)) {
            // It holds what the board goes back to, or a swap is to be finished first.
            return Err(ErrorCode::BadState.into());
        }
        if self.supply.is_some_and(|supply| supply.is_low()) {
            return Err(bootlace::ErrorCode::SupplyLow.into());
        }
        if self.failures >= MAX_FAILURES {
            return Err(img::ErrorCode::FlashWriteFailed.into());
        }
        Ok(())
    }

    /// The secondary slot no longer holds what a swap saved.
    fn note_change(&mut self) {
        if let Some(log) = self.log() {
            log.push(Record::Saved(false));
        }
    }

    fn answer<M: Memory>(&mut self, link: &mut Link<M>, asker: Asker, response: Result<Response, Refused>) {
        // A reply that does not fit becomes the shortest one there is: silence would look like a lost packet.
        link.reply(asker.framing, |_, out| match response {
            Ok(response) => smp::encode_response(out, &asker.header, &response)
                .or_else(|_| smp::encode_error(out, &asker.header, ErrorCode::NoMemory, None)),
            Err(fault) => smp::encode_error(out, &asker.header, fault, None),
        });
    }
}
