//! One transfer of an application: questions and answers, without I/O and without a clock.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_loader::{Action, Broken};
use crc::{CRC_32_ISO_HDLC, Crc};

use crate::news::{Ended, Fault, News, Next, Package, Stage, Target};
use crate::reply::{self, Code};
use crate::request::{Object, Op, Request};
use crate::slip::{self, Decoder};

/// How long a reply to a request that does nothing to flash may take.
const SHORT: Duration = Duration::from_secs(2);
/// The same where a page is erased or written, and where the whole firmware is hashed at the end.
const LONG: Duration = Duration::from_secs(8);
/// How long a ping is waited for, and how often one is sent: the first may be the end of a frame that somebody began before.
const PING: Duration = Duration::from_secs(1);
const PINGS: u8 = 5;
/// How often an object is sent that arrives damaged.
const ATTEMPTS: u8 = 3;
/// Bytes that are read at once, and those that may arrive without the reply among them.
const READ: u32 = 512;
const STRAY: usize = 4096;

/// The loader's sum of what arrived (`crc32_compute`).
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What is being done: the request whose reply is awaited, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Ping {
        id: u8,
    },
    Receipts,
    Mtu,
    Hardware,
    Loader,
    SelectInit,
    CreateInit,
    CheckInit,
    ExecuteInit,
    /// The init packet was refused: whether the loader has dropped it is asked for.
    AfterRefusal(Code),
    SelectFirmware,
    Create,
    Check,
    Execute,
}

/// A transfer. Whoever drives it takes [`Transfer::poll_news`] until there is none, then does what [`Transfer::poll_next`] says.
#[derive(Debug)]
pub struct Transfer {
    package: Package,
    target: Target,
    step: Step,
    stage: Stage,
    /// Frames to be sent before the reply is awaited.
    todo: VecDeque<Vec<u8>>,
    decoder: Decoder,
    /// Bytes that arrived since the request was sent.
    stray: usize,
    /// Bytes of an object in a frame.
    piece: usize,
    /// Bytes of an object at most.
    page: usize,
    /// The object of the firmware under way.
    object: core::ops::Range<usize>,
    /// How often it was sent.
    attempts: u8,
    /// Whether an object is executed that an earlier transfer sent.
    resumes: bool,
    /// Whether the loader had something else, and was told to begin anew.
    has_restarted: bool,
    changed: bool,
    cancelled: bool,
    over: bool,
    news: VecDeque<News>,
}

impl Transfer {
    /// Begins one.
    pub fn new(package: Package, target: Target) -> Self {
        let mut transfer = Transfer {
            package,
            target,
            step: Step::Ping { id: 0 },
            stage: Stage::Greeting,
            todo: VecDeque::new(),
            decoder: Decoder::default(),
            stray: 0,
            piece: 0,
            page: 0,
            object: 0..0,
            attempts: 0,
            resumes: false,
            has_restarted: false,
            changed: false,
            cancelled: false,
            over: false,
            news: VecDeque::new(),
        };
        transfer.news.push_back(News::Stage(Stage::Greeting));
        transfer.ask(Step::Ping { id: 1 }, Request::Ping(1));
        transfer
    }

    /// What went on since the last call.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Ends it before the next request.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// What to do next. Its result goes to [`Transfer::handle_done`] before the next call.
    pub fn poll_next(&mut self) -> Next {
        match (self.over, self.todo.front()) {
            (true, _) => Next::Over,
            (false, Some(frame)) => Next::Do(Action::Out(frame.clone()), SHORT),
            (false, None) => Next::Do(Action::In(READ), self.limit()),
        }
    }

    fn limit(&self) -> Duration {
        match self.step {
            Step::Ping { .. } => PING,
            Step::Create | Step::Check | Step::ExecuteInit | Step::Execute => LONG,
            _ => SHORT,
        }
    }

    /// What came of the action that [`Transfer::poll_next`] gave.
    pub fn handle_done(&mut self, done: Result<Vec<u8>, Broken>) {
        if self.over {
            return;
        }
        match (self.todo.pop_front(), done) {
            (Some(_), Ok(_)) => {}
            (None, Ok(bytes)) => self.arrived(&bytes),
            (None, Err(Broken::Silent)) => self.silent(),
            (_, Err(broken)) => self.fail(match broken {
                Broken::Gone => Fault::Gone,
                Broken::Silent | Broken::Stalled => Fault::Silent,
                Broken::System(why) => Fault::System(why),
            }),
        }
    }

    fn silent(&mut self) {
        match self.step {
            Step::Ping { id } if id < PINGS => self.ask(Step::Ping { id: id + 1 }, Request::Ping(id + 1)),
            _ => self.fail(Fault::Silent),
        }
    }

    fn arrived(&mut self, bytes: &[u8]) {
        let op = self.op();
        self.stray += bytes.len();
        for (index, byte) in bytes.iter().enumerate() {
            let Some(frame) = self.decoder.take(*byte) else {
                continue;
            };
            let Some(reply) = reply::read(&frame, op) else {
                continue;
            };
            // What follows is of no request that was sent.
            for byte in bytes.iter().skip(index + 1) {
                self.decoder.take(*byte);
            }
            match reply {
                Ok(rest) => self.answered(rest),
                Err(code) => self.refused(code),
            }
            return;
        }
        if self.stray > STRAY {
            self.fail(Fault::Nonsense(op));
        }
    }

    fn op(&self) -> Op {
        match self.step {
            Step::Ping { .. } => Op::Ping,
            Step::Receipts => Op::SetReceipts,
            Step::Mtu => Op::Mtu,
            Step::Hardware => Op::Hardware,
            Step::Loader => Op::Firmware,
            Step::SelectInit | Step::SelectFirmware | Step::AfterRefusal(_) => Op::Select,
            Step::CreateInit | Step::Create => Op::Create,
            Step::CheckInit | Step::Check => Op::Crc,
            Step::ExecuteInit | Step::Execute => Op::Execute,
        }
    }

    /// Sends a request, and awaits its reply; a cancelled transfer ends here.
    fn ask(&mut self, step: Step, request: Request) {
        if self.cancelled && !matches!(step, Step::AfterRefusal(_)) {
            let changed = self.changed;
            return self.end(Ended::Cancelled { changed });
        }
        self.step = step;
        self.stray = 0;
        self.todo.push_back(slip::encode(&request.bytes()));
    }

    fn set_stage(&mut self, stage: Stage) {
        if self.stage != stage {
            self.stage = stage;
            self.news.push_back(News::Stage(stage));
        }
    }

    fn end(&mut self, ended: Ended) {
        self.over = true;
        self.todo.clear();
        self.news.push_back(News::Ended(ended));
    }

    fn fail(&mut self, fault: Fault) {
        // Why it was refused is what counts, whatever came of the question behind it.
        let fault = match self.step {
            Step::AfterRefusal(code) => Fault::Refused {
                op: Op::Execute,
                code,
            },
            _ => fault,
        };
        let (stage, changed) = (self.stage, self.changed);
        self.end(Ended::Failed {
            stage,
            fault,
            changed,
        });
    }

    fn refused(&mut self, code: Code) {
        match (self.step, code) {
            // Loaders that do not know a question are asked the next one: these two are only for our own safety.
            (Step::Ping { .. }, _) => self.ask(Step::Receipts, Request::SetReceipts(0)),
            (Step::Hardware, Code::NotSupported) => self.ask(Step::Loader, Request::Firmware(0)),
            (Step::Loader, Code::NotSupported) => self.begin_init(),
            // Nothing to execute: the next object was begun, and nothing of it was sent; or one was begun with another length.
            (Step::Execute, Code::NotPermitted) if self.resumes => {
                match self.object.end < self.package.firmware.len() {
                    true => self.next_object(self.object.end),
                    false => self.restart(),
                }
            }
            // A loader that has judged and refused it has dropped it, and changed nothing; a damaged reply proves neither.
            (Step::ExecuteInit, code) => {
                self.ask(Step::AfterRefusal(code), Request::Select(Object::Command));
            }
            (_, code) => self.fail(Fault::Refused { op: self.op(), code }),
        }
    }

    fn answered(&mut self, rest: &[u8]) {
        if self.take(rest).is_none() {
            self.fail(Fault::Nonsense(self.op()));
        }
    }

    /// Takes a reply; `None`: it is too short, or says what can't be.
    fn take(&mut self, rest: &[u8]) -> Option<()> {
        match self.step {
            Step::Ping { .. } => self.ask(Step::Receipts, Request::SetReceipts(0)),
            Step::Receipts => self.ask(Step::Mtu, Request::Mtu),
            Step::Mtu => {
                let mtu = u16::from_le_bytes(*rest.first_chunk()?);
                // Every byte may be escaped, and the request's own stands before; whole words (`nrf_dfu_flash_store`).
                let piece = (usize::from(mtu).checked_sub(1)? / 2).checked_sub(1)?;
                self.piece = piece - piece % 4;
                (self.piece > 0).then_some(())?;
                self.ask(Step::Hardware, Request::Hardware);
            }
            Step::Hardware => {
                let [part] = reply::words(rest)?;
                if part != self.target.part {
                    self.fail(Fault::OtherChip { part });
                    return Some(());
                }
                self.ask(Step::Loader, Request::Firmware(0));
            }
            Step::Loader => {
                let (kind, rest) = rest.split_first()?;
                let [_, at] = reply::words(rest)?;
                const BOOTLOADER: u8 = 2;
                if *kind == BOOTLOADER && at < self.target.end {
                    self.fail(Fault::OtherLoader { at });
                    return Some(());
                }
                self.begin_init();
            }
            Step::SelectInit => {
                let [most, offset, crc] = reply::words(rest)?;
                let len = self.package.init.len() as u32;
                if len > most {
                    self.fail(Fault::InitTooLong { len, most });
                } else if offset > 0 && holds(&self.package.init, offset, crc) {
                    self.write_init(offset as usize);
                } else {
                    self.create_init();
                }
            }
            Step::CreateInit => self.write_init(0),
            Step::CheckInit => {
                let [offset, crc] = reply::words(rest)?;
                if is_whole(&self.package.init, offset, crc) {
                    // From here on the loader may have given up what it started before.
                    self.changed = true;
                    self.ask(Step::ExecuteInit, Request::Execute);
                } else if self.may_try_again() {
                    self.create_init();
                }
            }
            Step::AfterRefusal(code) => {
                let [_, offset, _] = reply::words(rest)?;
                self.changed = offset != 0;
                self.fail(Fault::Refused {
                    op: Op::Execute,
                    code,
                });
            }
            Step::ExecuteInit => self.ask(Step::SelectFirmware, Request::Select(Object::Data)),
            Step::SelectFirmware => {
                let [page, offset, crc] = reply::words(rest)?;
                self.page = page as usize;
                (self.page > 0).then_some(())?;
                self.attempts = 0;
                self.resume(offset, crc);
            }
            Step::Create => {
                self.write(self.object.start);
            }
            Step::Check => {
                let [offset, crc] = reply::words(rest)?;
                let sent = self.package.firmware.get(..self.object.end)?;
                if is_whole(sent, offset, crc) {
                    let (done, total) = (offset, self.package.firmware.len() as u32);
                    self.news.push_back(News::Progress { done, total });
                    self.execute();
                } else if self.may_try_again() {
                    self.create();
                }
            }
            Step::Execute if self.object.end == self.package.firmware.len() => self.end(Ended::Installed),
            Step::Execute => {
                self.attempts = 0;
                self.next_object(self.object.end);
            }
        }
        Some(())
    }

    fn begin_init(&mut self) {
        self.set_stage(Stage::Init);
        self.attempts = 0;
        self.ask(Step::SelectInit, Request::Select(Object::Command));
    }

    fn create_init(&mut self) {
        let len = self.package.init.len() as u32;
        self.ask(Step::CreateInit, Request::Create(Object::Command, len));
    }

    fn write_init(&mut self, from: usize) {
        let bytes = self.package.init.get(from..).unwrap_or_default();
        send(&mut self.todo, self.piece, bytes);
        self.ask(Step::CheckInit, Request::Crc);
    }

    /// Has the loader forget all that it holds.
    fn restart(&mut self) {
        if core::mem::replace(&mut self.has_restarted, true) {
            return self.fail(Fault::Damaged);
        }
        (self.attempts, self.resumes) = (0, false);
        self.create_init();
    }

    /// Goes on behind what the loader has of the firmware.
    fn resume(&mut self, offset: u32, crc: u32) {
        let (from, len) = (offset as usize, self.package.firmware.len());
        if from == 0 {
            return self.next_object(0);
        }
        if from % 4 != 0 || !holds(&self.package.firmware, offset, crc) {
            return self.restart();
        }
        let into = from % self.page;
        if into == 0 || from == len {
            // All of an object is there; whether it was executed, the loader does not say, and does not mind.
            let start = from - if into == 0 { self.page } else { into };
            (self.object, self.resumes) = (start..from, true);
            self.execute();
        } else {
            self.object = from - into..len.min((from - into).saturating_add(self.page));
            self.write(from);
        }
    }

    fn next_object(&mut self, start: usize) {
        self.resumes = false;
        self.object = start..self.package.firmware.len().min(start.saturating_add(self.page));
        self.create();
    }

    fn create(&mut self) {
        self.set_stage(Stage::Firmware);
        let len = self.object.len() as u32;
        self.ask(Step::Create, Request::Create(Object::Data, len));
    }

    fn write(&mut self, from: usize) {
        self.set_stage(Stage::Firmware);
        let bytes = self.package.firmware.get(from..self.object.end);
        send(&mut self.todo, self.piece, bytes.unwrap_or_default());
        self.ask(Step::Check, Request::Crc);
    }

    fn execute(&mut self) {
        if self.object.end == self.package.firmware.len() {
            self.set_stage(Stage::Judging);
        }
        self.ask(Step::Execute, Request::Execute);
    }

    /// Whether what arrived damaged is sent once more; otherwise the transfer is over.
    fn may_try_again(&mut self) -> bool {
        self.attempts += 1;
        let may = self.attempts < ATTEMPTS;
        if !may {
            self.fail(Fault::Damaged);
        }
        may
    }
}

/// Puts bytes of an object into frames.
fn send(todo: &mut VecDeque<Vec<u8>>, piece: usize, bytes: &[u8]) {
    for piece in bytes.chunks(piece.max(1)) {
        let mut request = alloc::vec![Op::Write as u8];
        request.extend(piece);
        todo.push_back(slip::encode(&request));
    }
}

/// Whether the loader's first `offset` bytes are these.
fn holds(bytes: &[u8], offset: u32, crc: u32) -> bool {
    bytes
        .get(..offset as usize)
        .is_some_and(|bytes| CRC.checksum(bytes) == crc)
}

/// Whether the loader has all of these bytes.
fn is_whole(bytes: &[u8], offset: u32, crc: u32) -> bool {
    offset as usize == bytes.len() && holds(bytes, offset, crc)
}
