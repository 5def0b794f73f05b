//! The states of an update, from the first piece to the last word.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::time::Duration;

use bootlace_smp::bootlace::Features;
use bootlace_smp::frame::Framing;
use bootlace_smp::{Header, Request, Response, decode_response, img, os};
use sha2::{Digest as _, Sha256};

use crate::line::{Call, Late, Line};
use crate::search::{Search, Sought, Wanted};
use crate::session::{Context, State};
use crate::upload::{Headway, Upload};
use crate::{
    Asked, Attention, BoardInfo, CheckedImage, Code, Content, Error, Event, FindReason, Instant, NoPatch,
    Options, Outcome, Phase, Plan, PortEvent, Route, SlotImage, Unchanged,
};

mod watch;
pub(crate) use watch::Watching;

/// A board verifies the image before it marks it: some seconds on a slow chip.
const MARK_WAIT: Duration = Duration::from_secs(4);
const RESET_WAIT: Duration = Duration::from_millis(1500);

/// What stays the same all the way.
#[derive(Debug)]
pub(crate) struct Update {
    image: Arc<CheckedImage>,
    /// What is sent in place of the image, as long as nothing speaks against it.
    patch: Option<Patch>,
    options: Options,
    plan: Plan,
    started: Instant,
    wanted: Wanted,
    /// How often the board stored something else than was sent: a CRC of 16 bits lets one in 65,536 damaged pieces
    /// pass. Once is bad luck.
    mismatches: u32,
}

#[derive(Debug)]
struct Patch {
    bytes: Arc<[u8]>,
    sha: [u8; 32],
}

impl Update {
    pub(crate) fn new(
        now: Instant,
        image: Arc<CheckedImage>,
        patch: Option<Arc<[u8]>>,
        options: Options,
        board: &BoardInfo,
    ) -> Result<Box<Self>, Error> {
        let plan = Plan::new(&image, &options, board)?;
        let mut wanted = Wanted::of(board);
        wanted.hashes.push(plan.hash.clone());
        let patch = patch.filter(|bytes| !bytes.is_empty()).map(|bytes| Patch {
            sha: Sha256::digest(&bytes).into(),
            bytes,
        });
        Ok(Box::new(Update {
            image,
            patch,
            options,
            plan,
            started: now,
            wanted,
            mismatches: 0,
        }))
    }

    /// Enters the state that the plan's route begins with.
    pub(crate) fn begin(self: Box<Self>, ctx: &mut Context<'_>) -> State {
        match self.plan.route {
            Route::Upload => Uploading::begin(ctx, self),
            Route::Test => Marking::begin(ctx, self),
            Route::Restart => Restarting::begin(ctx, self),
            Route::Watch => Watching::join(ctx, self),
            Route::Nothing => {
                let version = self.plan.from.clone();
                ctx.end(Outcome::Unchanged {
                    reason: Unchanged::AlreadyRuns,
                    version,
                })
            }
        }
    }

    /// Goes on after an interruption: the board says what is left to do.
    fn resume(mut self: Box<Self>, ctx: &mut Context<'_>, board: Box<BoardInfo>) -> State {
        let plan = Plan::new(&self.image, &self.options, &board);
        ctx.meet(board);
        match plan {
            Ok(plan) => {
                // The version before the interruption is what the update comes from.
                let from = self.plan.from.take().or(plan.from);
                self.plan = Plan { from, ..plan };
                // What it runs may be the new image already, and confirmed.
                if self.plan.route == Route::Nothing {
                    let (version, took) = (self.plan.to, ctx.now.since(self.started));
                    return ctx.end(Outcome::Confirmed { version, took });
                }
                self.begin(ctx)
            }
            Err(error) => ctx.fail(error),
        }
    }

    /// Bytes that go over the line.
    fn content(&self, content: Content) -> &[u8] {
        match (content, &self.patch) {
            (Content::Patch, Some(patch)) => &patch.bytes,
            _ => self.image.bytes(),
        }
    }

    /// The patch is of no use: the whole image is sent.
    fn whole_instead(mut self: Box<Self>, ctx: &mut Context<'_>, reason: NoPatch) -> State {
        self.patch = None;
        ctx.say(Event::WholeInstead(reason));
        Uploading::begin(ctx, self)
    }

    /// The new image. Boards that give no hashes are taken at their version.
    fn is_target(&self, image: &SlotImage) -> bool {
        if image.hash.is_empty() {
            bootlace_image::Version::parse(&image.version) == Some(self.plan.to)
        } else {
            image.hash == self.plan.hash
        }
    }
}

/// The image, or the patch, goes over the line.
#[derive(Debug)]
pub(crate) struct Uploading {
    update: Box<Update>,
    upload: Upload,
}

impl Uploading {
    fn begin(ctx: &mut Context<'_>, update: Box<Update>) -> State {
        ctx.enter(Phase::Uploading);
        let Some(board) = ctx.board.as_deref() else {
            return ctx.fail(Error::NoBoard);
        };
        if update.patch.is_some() && !board.takes_patches() {
            return update.whole_instead(ctx, NoPatch::NotSupported);
        }
        match update.options.framing {
            Some(Framing::Cobs) if !board.features.has(Features::COBS) => {}
            Some(framing) => ctx.line.framing = framing,
            None => {}
        }
        let size = update.plan.size;
        let (content, sha, len) = match &update.patch {
            Some(patch) => {
                let len = u32::try_from(patch.bytes.len()).unwrap_or(u32::MAX);
                (Content::Patch, patch.sha, len)
            }
            None => (Content::Image, update.plan.sha, size),
        };
        let upload = Upload::new(ctx.now, content, sha, (len, size), board, ctx.port);
        Box::new(Uploading { update, upload }).go_on(ctx)
    }

    fn go_on(mut self: Box<Self>, ctx: &mut Context<'_>) -> State {
        if let Some(progress) = self.upload.report(ctx.now) {
            ctx.say(Event::Progress(progress));
        }
        let bytes = self.update.content(self.upload.content());
        match self.upload.fill(ctx.line, ctx.now, bytes) {
            Ok(()) => State::Uploading(self),
            Err(error) => self.failed(ctx, error),
        }
    }

    fn failed(self: Box<Self>, ctx: &mut Context<'_>, error: Error) -> State {
        match (self.upload.content(), NoPatch::of(&error)) {
            (Content::Patch, Some(reason)) => self.update.whole_instead(ctx, reason),
            _ => ctx.fail(error),
        }
    }

    pub(crate) fn handle_packet(
        mut self: Box<Self>,
        ctx: &mut Context<'_>,
        header: &Header,
        payload: &[u8],
    ) -> State {
        let headway = self.upload.handle_packet(ctx.line, ctx.now, header, payload);
        match headway.unwrap_or(Ok(Headway::More)) {
            Err(Error::Mismatch)
                if self.upload.content() == Content::Image && self.update.mismatches == 0 =>
            {
                self.update.mismatches = 1;
                Uploading::begin(ctx, self.update)
            }
            Err(error) => self.failed(ctx, error),
            Ok(Headway::More) => self.go_on(ctx),
            Ok(Headway::Resumed(offset)) => {
                ctx.say(Event::Resumed { offset });
                self.go_on(ctx)
            }
            Ok(Headway::Complete) => {
                if let Some(progress) = self.upload.report(ctx.now) {
                    ctx.say(Event::Progress(progress));
                }
                Marking::begin(ctx, self.update)
            }
        }
    }

    pub(crate) fn handle_timeout(mut self: Box<Self>, ctx: &mut Context<'_>) -> State {
        match self.upload.handle_timeout(ctx.line, ctx.now) {
            Ok(()) => self.go_on(ctx),
            Err(error) => self.failed(ctx, error),
        }
    }

    pub(crate) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> State {
        let Uploading { update, upload } = self;
        interrupted(ctx, update, event)
            .unwrap_or_else(|update| State::Uploading(Box::new(Uploading { update, upload })))
    }

    pub(crate) fn deadline(&self, line: &Line) -> Option<Instant> {
        self.upload.deadline(line)
    }
}

/// The port went away, or was opened again, before the restart.
fn interrupted(ctx: &mut Context<'_>, update: Box<Update>, event: PortEvent) -> Result<State, Box<Update>> {
    match event {
        PortEvent::NotFound => Err(update),
        event => Ok(State::Away(Box::new(Away::begin(ctx, update, event)))),
    }
}

/// Unplugged in mid-update.
#[derive(Debug)]
pub(crate) struct Away {
    update: Box<Update>,
    search: Search,
    since: Instant,
}

impl Away {
    fn begin(ctx: &mut Context<'_>, update: Box<Update>, event: PortEvent) -> Self {
        let (wanted, framing) = (update.wanted.clone(), update.options.framing);
        let search = match event {
            PortEvent::Opened(_) => {
                Search::here(ctx.now, wanted, FindReason::Unplugged, framing).handle_port(ctx, event)
            }
            _ => {
                ctx.say(Event::Attention(Attention::Unplugged));
                Search::away(ctx, wanted, FindReason::Unplugged, framing)
            }
        };
        Away {
            update,
            search,
            since: ctx.now,
        }
    }

    fn go_on(self, ctx: &mut Context<'_>, step: impl FnOnce(Search, &mut Context<'_>) -> Sought) -> State {
        let Away {
            update,
            search,
            since,
        } = self;
        match step(search, ctx) {
            Sought::Searching(search) => State::Away(Box::new(Away {
                update,
                search,
                since,
            })),
            Sought::Found(_, board) => update.resume(ctx, board),
        }
    }

    pub(crate) fn handle_packet(self, ctx: &mut Context<'_>, header: &Header, payload: &[u8]) -> State {
        self.go_on(ctx, |search, ctx| search.handle_packet(ctx, header, payload))
    }

    pub(crate) fn handle_timeout(self, ctx: &mut Context<'_>) -> State {
        let waited = ctx.now.since(self.since);
        if waited >= self.update.options.absence {
            return ctx.fail(Error::DidNotReturn { waited });
        }
        self.go_on(ctx, |search, ctx| search.handle_timeout(ctx))
    }

    pub(crate) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> State {
        let search = self.search.handle_port(ctx, event);
        State::Away(Box::new(Away {
            search,
            update: self.update,
            since: self.since,
        }))
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.search
            .deadline()
            .min(self.since + self.update.options.absence)
    }
}

/// The board verifies the image and marks it for test.
#[derive(Debug)]
pub(crate) struct Marking {
    update: Box<Update>,
    call: Call,
}

impl Marking {
    fn begin(ctx: &mut Context<'_>, update: Box<Update>) -> State {
        ctx.enter(Phase::Verifying);
        let request = img::Request::SetState {
            hash: Some(&update.plan.hash),
            confirm: false,
        };
        let call = Call::new(ctx.line, ctx.now, &Request::Img(request), MARK_WAIT, 8);
        State::Marking(Box::new(Marking { update, call }))
    }

    pub(crate) fn handle_packet(
        mut self: Box<Self>,
        ctx: &mut Context<'_>,
        header: &Header,
        payload: &[u8],
    ) -> State {
        if !self.call.is_answered_by(header) {
            return State::Marking(self);
        }
        match decode_response(header, payload) {
            Ok(Response::Img(img::Response::State(images))) => {
                if let Some(board) = ctx.board {
                    board.list(&images);
                    ctx.events.push_back(Event::Board(board.clone()));
                }
                let marked = ctx.board.as_ref().and_then(|board| board.other());
                if marked.is_some_and(|other| other.pending && self.update.is_target(other)) {
                    Restarting::begin(ctx, self.update)
                } else {
                    ctx.fail(Error::NotPending)
                }
            }
            Ok(Response::Failure(failure)) => match Code::of(&failure) {
                // Zephyr, asked a second time.
                Code::Image(img::ErrorCode::ImageAlreadyPending) => Restarting::begin(ctx, self.update),
                // What lay there looked like the image, and was not: upload it after all.
                _ if self.update.plan.route == Route::Test => {
                    self.update.plan.route = Route::Upload;
                    Uploading::begin(ctx, self.update)
                }
                // What the board made of the patch is not what it was to be.
                _ if self.update.patch.is_some() => self.update.whole_instead(ctx, NoPatch::WrongImage),
                code => {
                    let reason = failure.reason.map(ToString::to_string);
                    ctx.fail(Error::BoardRefused {
                        asked: Asked::Test,
                        code,
                        reason,
                    })
                }
            },
            _ => State::Marking(self),
        }
    }

    pub(crate) fn handle_timeout(mut self: Box<Self>, ctx: &mut Context<'_>) -> State {
        match self.call.late(ctx.line, ctx.now) {
            Late::Waiting => State::Marking(self),
            Late::GivenUp => ctx.fail(Error::WentSilent { asked: Asked::Test }),
        }
    }

    pub(crate) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> State {
        let Marking { update, call } = self;
        interrupted(ctx, update, event)
            .unwrap_or_else(|update| State::Marking(Box::new(Marking { update, call })))
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.call.deadline()
    }
}

/// The board is told to restart.
#[derive(Debug)]
pub(crate) struct Restarting {
    update: Box<Update>,
    call: Call,
    /// How often it was told before.
    before: u32,
}

impl Restarting {
    fn begin(ctx: &mut Context<'_>, update: Box<Update>) -> State {
        Restarting::again(ctx, update, 0)
    }

    fn again(ctx: &mut Context<'_>, update: Box<Update>, before: u32) -> State {
        ctx.enter(Phase::Restarting);
        // A second time with force, if something on the board is in its way.
        let request = Request::Os(os::Request::Reset {
            force: before > 0,
            boot_mode: None,
        });
        let call = Call::new(ctx.line, ctx.now, &request, RESET_WAIT, 3);
        State::Restarting(Box::new(Restarting { update, call, before }))
    }

    pub(crate) fn handle_packet(
        self: Box<Self>,
        ctx: &mut Context<'_>,
        header: &Header,
        payload: &[u8],
    ) -> State {
        if !self.call.is_answered_by(header) {
            return State::Restarting(self);
        }
        match decode_response(header, payload) {
            Ok(Response::Os(os::Response::Reset)) => Watching::begin(ctx, self.update, self.before + 1, None),
            Ok(Response::Failure(failure)) if self.before > 0 => {
                let reason = failure.reason.map(ToString::to_string);
                ctx.fail(Error::BoardRefused {
                    asked: Asked::Reset,
                    code: Code::of(&failure),
                    reason,
                })
            }
            Ok(Response::Failure(_)) => Restarting::again(ctx, self.update, 1),
            _ => State::Restarting(self),
        }
    }

    pub(crate) fn handle_timeout(mut self: Box<Self>, ctx: &mut Context<'_>) -> State {
        match self.call.late(ctx.line, ctx.now) {
            Late::Waiting => State::Restarting(self),
            // Some restart before their answer is out. Whether it did is seen when it is asked.
            Late::GivenUp => Watching::begin(ctx, self.update, self.before + 1, None),
        }
    }

    pub(crate) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> State {
        match event {
            PortEvent::NotFound => State::Restarting(Box::new(self)),
            event => Watching::begin(ctx, self.update, self.before + 1, Some(event)),
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.call.deadline()
    }
}

/// The confirmation of an image that runs on trial.
fn confirm_request() -> Request<'static> {
    Request::Img(img::Request::SetState {
        hash: None,
        confirm: true,
    })
}

/// What a search that begins at a restart looks for.
fn search(ctx: &mut Context<'_>, update: &Update, event: Option<PortEvent>) -> Search {
    let (wanted, framing) = (update.wanted.clone(), update.options.framing);
    match event {
        Some(PortEvent::Lost) => Search::away(ctx, wanted, FindReason::Restart, framing),
        Some(event) => Search::here(ctx.now, wanted, FindReason::Restart, framing).handle_port(ctx, event),
        None => Search::here(ctx.now, wanted, FindReason::Restart, framing),
    }
}
