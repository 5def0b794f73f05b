//! DfuSe: DFU 1.1 with ST's extensions, the protocol of the USB device that the ROM of STM32 chips shows.
//!
//! Documents: *USB Device Firmware Upgrade Specification 1.1* (DFU 1.1); ST's UM0424 (*STM32 USB-FS-Device development kit*, chapter
//! on DFU) and AN3156 (*USB DFU protocol used in the STM32 bootloader*); AN2606 says which chips have it.
//!
//! The loader's descriptors say where its flash is, in which sectors, and how much a block brings; they are asked for by
//! [`Request::Begin`]. A command or a block of data goes by DFU_DNLOAD; it is done only while DFU_GETSTATUS is asked, which tells how
//! long to wait. Sent are the commands for one sector and for the address pointer, never those that erase all flash or take a
//! protection away. Only the internal flash is touched: no option bytes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod descriptors;
mod layout;
mod status;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_loader::{Action, Broken, Fault, Loader, Refusal, Request, Setup, Shape, Step, Unit};

pub use descriptors::{CLASS as INTERFACE, Found, find, text};
pub use layout::{ERASE, Layout, READ, Row, WRITE};
pub use status::{State, Status};

/// Vendor and product number of the ROM's device (AN2606: 0483:DF11 of all STM32).
pub const DEVICE: (u16, u16) = (0x0483, 0xDF11);

/// What the setting of the internal flash is called.
const INTERNAL_FLASH: &str = "Internal Flash";
/// Language of the texts: English of the United States.
const LANGUAGE: u16 = 0x0409;
/// Class requests (DFU 1.1, 3).
const DNLOAD: u8 = 1;
const UPLOAD: u8 = 2;
const GETSTATUS: u8 = 3;
const CLRSTATUS: u8 = 4;
const ABORT: u8 = 6;
/// Commands, in block 0 (AN3156, 5.2 and 5.3), each with an address behind it.
const SET_POINTER: u8 = 0x21;
const ERASE_SECTOR: u8 = 0x41;
/// The block that goes to where the pointer points (AN3156, 5.1: address = (block - 2) × transfer size + pointer).
const FIRST_BLOCK: u16 = 2;

/// How long an answer may take. The ROM answers nothing while it erases, which the datasheet of the STM32F407 gives 4 s for the largest
/// sector (DS8626, flash memory programming, 8 bits at once as the ROM does).
const ANSWER: Duration = Duration::from_secs(10);
/// How long a loader may be busy with one request.
const PATIENCE: Duration = Duration::from_secs(30);
/// The least that is waited before a busy loader is asked again.
const INTERVAL: Duration = Duration::from_millis(5);

/// One step of a request.
#[derive(Clone, Debug)]
enum Move {
    /// The configuration's first bytes, then all of it.
    Head,
    Whole(u16),
    /// The text of the alternate setting, by its number and the text's.
    Text(u8, u8),
    Choose(u8),
    /// Asks for the state until the loader is idle; whatever keeps it from that is ended.
    Settle,
    Clear,
    Abort,
    /// A block, then the question for its end.
    Send(u16, Vec<u8>),
    Finish,
    Take(u16, u32),
    /// Asks why a block was refused.
    Explain(Fault),
    /// The empty block, and the question with which the loader leaves.
    Manifest,
    Farewell,
}

/// What the loader can take next, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Unknown,
    /// Anything.
    Idle,
    /// Blocks to the loader.
    Download,
    /// Blocks from it.
    Upload,
}

/// The protocol's state.
#[derive(Debug)]
pub struct Dfuse {
    /// Number of the interface.
    interface: u8,
    /// Bytes of a full block.
    transfer: u16,
    layout: Option<Layout>,
    mode: Mode,
    /// Where the address pointer points, if that is known.
    pointer: Option<u32>,
    /// What is still to be done of the request.
    todo: VecDeque<Move>,
    wait: Option<Duration>,
    /// How long the loader may still be busy.
    patience: Duration,
    read: Vec<u8>,
    ended: Option<Fault>,
}

impl Dfuse {
    /// For a device whose interface has this number.
    pub fn new(interface: u8) -> Self {
        Dfuse {
            interface,
            transfer: 0,
            layout: None,
            mode: Mode::Unknown,
            pointer: None,
            todo: VecDeque::new(),
            wait: None,
            patience: PATIENCE,
            read: Vec::new(),
            ended: None,
        }
    }

    fn action(&self, step: &Move) -> Action {
        let get_descriptor = |kind: u8, number: u8, language, len| {
            let setup = Setup {
                kind: 0x80,
                request: 6,
                value: u16::from_be_bytes([kind, number]),
                index: language,
            };
            Action::ControlIn(setup, len)
        };
        let class = |kind, request, value| Setup {
            kind,
            request,
            value,
            index: u16::from(self.interface),
        };
        let download = |block, bytes| Action::ControlOut(class(0x21, DNLOAD, block), bytes);
        match step {
            Move::Head => get_descriptor(descriptors::CONFIGURATION, 0, 0, descriptors::HEAD_LEN),
            Move::Whole(len) => get_descriptor(descriptors::CONFIGURATION, 0, 0, *len),
            Move::Text(_, text) => get_descriptor(descriptors::STRING, *text, LANGUAGE, 255),
            Move::Choose(alternate) => Action::Setting(*alternate),
            Move::Clear => Action::ControlOut(class(0x21, CLRSTATUS, 0), Vec::new()),
            Move::Abort => Action::ControlOut(class(0x21, ABORT, 0), Vec::new()),
            Move::Send(block, bytes) => download(*block, bytes.clone()),
            Move::Manifest => download(FIRST_BLOCK, Vec::new()),
            Move::Take(block, len) => {
                let len = u16::try_from(*len).unwrap_or(u16::MAX);
                Action::ControlIn(class(0xA1, UPLOAD, *block), len)
            }
            Move::Settle | Move::Finish | Move::Explain(_) | Move::Farewell => {
                Action::ControlIn(class(0xA1, GETSTATUS, 0), status::LEN as u16)
            }
        }
    }

    /// Makes the loader take blocks.
    fn enter_download(&mut self) {
        match self.mode {
            Mode::Unknown => self.todo.push_back(Move::Settle),
            Mode::Upload => self.todo.extend([Move::Abort, Move::Settle]),
            Mode::Idle | Mode::Download => {}
        }
        self.mode = Mode::Download;
    }

    fn command(&mut self, command: u8, at: u32) {
        self.enter_download();
        let [a, b, c, d] = at.to_le_bytes();
        let bytes = [command, a, b, c, d].to_vec();
        self.todo.extend([Move::Send(0, bytes), Move::Finish]);
    }

    /// The block by which so many bytes at this address are moved. The pointer is set anew where no block of its own leads there:
    /// the formula is meant for full blocks.
    fn block(&mut self, at: u32, len: usize) -> u16 {
        let transfer = u32::from(self.transfer.max(1));
        let along = self.pointer.and_then(|pointer| {
            let behind = at.checked_sub(pointer)?;
            let number = u16::try_from(behind / transfer).ok()?.checked_add(FIRST_BLOCK)?;
            (behind % transfer == 0 && len == transfer as usize).then_some(number)
        });
        along.unwrap_or_else(|| {
            self.command(SET_POINTER, at);
            self.pointer = Some(at);
            FIRST_BLOCK
        })
    }

    fn fail(&mut self, fault: Fault) {
        self.todo.clear();
        self.wait = None;
        self.ended = Some(fault);
    }

    /// Asks the loader why; where it does not say, it is this.
    fn explain(&mut self, fault: Fault) {
        self.todo = VecDeque::from([Move::Explain(fault)]);
    }

    /// The step under way is done.
    fn done(&mut self) {
        self.todo.pop_front();
    }

    /// The loader is busy for so long; the step under way then asks again.
    fn again_after(&mut self, time: Duration) {
        if self.patience.is_zero() {
            return self.fail(Fault::Silent);
        }
        let time = time.max(INTERVAL).min(self.patience);
        self.patience -= time;
        self.wait = Some(time);
    }

    /// This step before the one under way, which is not tried for ever.
    fn first(&mut self, step: Move) {
        const TRY: Duration = Duration::from_secs(1);
        match self.patience.checked_sub(TRY) {
            Some(rest) => self.patience = rest,
            None => return self.fail(Fault::Silent),
        }
        self.todo.push_front(step);
    }

    fn configured(&mut self, configuration: &[u8]) {
        let Some(found) = find(configuration, self.interface) else {
            return self.fail(Fault::Nonsense);
        };
        self.done();
        self.transfer = found.transfer;
        let texts = found.alternates.iter().filter(|(_, text)| *text != 0);
        self.todo
            .extend(texts.map(|(alternate, text)| Move::Text(*alternate, *text)));
        if self.todo.is_empty() {
            self.fail(Fault::NoFlash);
        }
    }

    /// A setting's text came, or none did.
    fn described(&mut self, alternate: u8, descriptor: &[u8]) {
        self.done();
        let text = text(descriptor).unwrap_or_default();
        let is_flash = text
            .strip_prefix('@')
            .is_some_and(|text| text.starts_with(INTERNAL_FLASH));
        match Layout::parse(&text) {
            Some(layout) if is_flash => {
                self.layout = Some(layout);
                self.todo.clear();
                self.todo.extend([Move::Choose(alternate), Move::Settle]);
            }
            None if is_flash => self.fail(Fault::Nonsense),
            _ if self.todo.is_empty() => self.fail(Fault::NoFlash),
            _ => {}
        }
    }

    /// The loader said how it is.
    fn told(&mut self, step: Move, status: Status) {
        match (step, status.state) {
            (Move::Explain(fault), _) => {
                // A loader that stalls what it does not want to do names no reason.
                let is_named = status.is_error() && status.code != status::STALLED;
                self.fail(if is_named { status.fault() } else { fault });
            }
            (Move::Settle, State::Idle) => {
                self.done();
                if self.mode == Mode::Unknown {
                    self.mode = Mode::Idle;
                }
            }
            (Move::Settle, State::Error) => self.first(Move::Clear),
            (Move::Settle, State::DownloadIdle | State::UploadIdle) => self.first(Move::Abort),
            (Move::Finish | Move::Farewell, _) if status.is_error() => self.fail(status.fault()),
            (Move::Finish, State::DownloadIdle) => self.done(),
            (Move::Farewell, State::Manifest | State::Idle) => self.done(),
            (_, State::Busy | State::Sync | State::Manifest) => self.again_after(status.wait),
            _ => self.fail(Fault::Nonsense),
        }
    }

    fn came(&mut self, step: Move, bytes: Vec<u8>) {
        match step {
            Move::Head => match descriptors::whole_len(&bytes) {
                Some(len) => {
                    self.done();
                    self.todo.push_front(Move::Whole(len));
                }
                None => self.fail(Fault::Nonsense),
            },
            Move::Whole(len) => match bytes.get(..usize::from(len)) {
                Some(configuration) => self.configured(configuration),
                None => self.fail(Fault::Nonsense),
            },
            Move::Text(alternate, _) => self.described(alternate, &bytes),
            Move::Take(_, len) if bytes.len() != len as usize => {
                // A loader that has nothing to give says why.
                self.explain(Fault::Nonsense);
            }
            Move::Take(..) => {
                self.read = bytes;
                self.done();
            }
            Move::Choose(_) | Move::Clear | Move::Abort | Move::Send(..) | Move::Manifest => self.done(),
            step @ (Move::Settle | Move::Finish | Move::Explain(_) | Move::Farewell) => {
                match Status::read(&bytes) {
                    Some(status) => self.told(step, status),
                    None => self.fail(Fault::Nonsense),
                }
            }
        }
    }
}

impl Loader for Dfuse {
    fn shape(&self) -> Shape {
        // Not more than usbfs takes of a control transfer.
        let block = u32::from(self.transfer.clamp(1, 4096));
        Shape {
            write: block,
            read: block,
        }
    }

    fn unit(&self, at: u32) -> Option<Unit> {
        self.layout.as_ref()?.unit(at)
    }

    fn begin(&mut self, request: Request) {
        self.todo.clear();
        self.read.clear();
        (self.wait, self.patience, self.ended) = (None, PATIENCE, None);
        match request {
            Request::Begin => {
                (self.layout, self.mode, self.pointer) = (None, Mode::Unknown, None);
                self.todo.push_back(Move::Head);
            }
            Request::Erase(unit) => {
                self.command(ERASE_SECTOR, unit.at);
                // Loaders move the pointer to what they erase.
                self.pointer = None;
            }
            Request::Write { at, bytes } => {
                let block = self.block(at, bytes.len());
                self.enter_download();
                self.todo.extend([Move::Send(block, bytes), Move::Finish]);
            }
            Request::Read { at, len } => {
                let block = self.block(at, len as usize);
                match self.mode {
                    Mode::Unknown => self.todo.push_back(Move::Settle),
                    Mode::Download => self.todo.extend([Move::Abort, Move::Settle]),
                    Mode::Idle | Mode::Upload => {}
                }
                self.mode = Mode::Upload;
                self.todo.push_back(Move::Take(block, len));
            }
            Request::Leave => match self.layout.as_ref().and_then(Layout::start) {
                Some(start) => {
                    self.command(SET_POINTER, start);
                    self.todo.extend([Move::Manifest, Move::Farewell]);
                }
                None => self.fail(Fault::NoFlash),
            },
        }
    }

    fn poll(&mut self) -> Step {
        if let Some(fault) = self.ended.take() {
            return Step::Ended(Err(fault));
        }
        if let Some(time) = self.wait.take() {
            return Step::Wait(time);
        }
        match self.todo.front() {
            Some(step) => Step::Do(self.action(step), ANSWER),
            None => Step::Ended(Ok(core::mem::take(&mut self.read))),
        }
    }

    fn handle(&mut self, done: Result<Vec<u8>, Broken>) {
        let Some(step) = self.todo.front().cloned() else {
            return;
        };
        match (step, done) {
            (step, Ok(bytes)) => self.came(step, bytes),
            // It leaves while it is asked: what it would have said is lost, and nothing depends on it.
            (Move::Farewell, Err(_)) => self.done(),
            (Move::Text(alternate, _), Err(Broken::Stalled)) => self.described(alternate, &[]),
            // A loader that does not say why has refused all the same.
            (Move::Explain(fault), Err(Broken::Stalled | Broken::Silent)) => self.fail(fault),
            // A loader that refuses to read, in the right state and by its own description, has protected flash.
            (Move::Take(..), Err(Broken::Stalled)) => self.explain(Fault::Refused(Refusal::Protected)),
            (Move::Send(..) | Move::Manifest, Err(Broken::Stalled)) => {
                self.explain(Fault::Refused(Refusal::Other(0)));
            }
            (_, Err(broken)) => self.fail(broken.into()),
        }
    }
}
