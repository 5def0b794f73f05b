//! The serial loader in the ROM of STM32 chips, for the STM32F407.
//!
//! Documents: ST's AN3155 (*USART protocol used in the STM32 bootloader*) for the protocol, AN2606 (*STM32 microcontroller system memory
//! boot mode*) for the chip: protocol 3.1, and what this version does otherwise; the datasheet DS8626 for how long flash takes.
//!
//! A command is a byte and its complement; what goes with it has a sum behind it; the loader answers each with a byte, ACK or NACK. A
//! line that loses or changes a byte leaves both sides out of step: the loader waits without end for what is missing. So every
//! request that is not answered as it should be is done again, up to twice, after both are in step again. All of them can be done
//! twice: what is erased stays erased, and programming clears the same bits.
//!
//! Sent are Get, Get ID, Read Memory, Extended Erase for one sector, Write Memory and Go; never what erases all flash or changes its
//! protection.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod chip;
mod command;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_loader::{Action, Broken, Fault, Line, Loader, Parity, Refusal, Request, Shape, Step, Unit};

pub use chip::STM32F407;
use command::{ACK, NACK};

/// How the port is set. The loader measures the speed, up to 115200 (AN3155, 2); parity is even (AN3155, 3).
pub const LINE: Line = Line {
    baud: 115_200,
    parity: Parity::Even,
};

/// How long bytes may take to be sent.
const SENDING: Duration = Duration::from_secs(2);
/// How long an answer may take that no work comes before. The loader answers at once; adapters and hubs do not.
const ANSWER: Duration = Duration::from_secs(1);
/// The same after a sector's erase: 4 s at most for the largest (DS8626, “flash memory programming”, 8 bits at once: AN2606 says
/// that the loader of this chip writes bytes), and as much again.
const ERASING: Duration = Duration::from_secs(8);
/// The same after a write of 256 bytes: 100 µs a byte at most.
const WRITING: Duration = Duration::from_secs(2);
/// A line is quiet on which nothing came for so long.
const QUIET: Duration = Duration::from_millis(60);
/// Bytes on a line that is never quiet.
const NOISE: usize = 64 * 1024;
/// How often a request is begun.
const TRIES: u8 = 3;

/// One step of a request.
#[derive(Clone, Debug)]
enum Move {
    /// Reads until the line is quiet.
    Quiet,
    /// Waits for an answer to the byte that begins everything, sent for the n-th time.
    Hello(u8),
    /// Fills what the loader may be waiting for.
    Flood,
    Send(Vec<u8>),
    Await(Stage, Duration),
    /// So many bytes.
    Take(usize),
    /// A number, and one byte more than that.
    List,
    /// Nothing else has come: a byte that was added shows here, for what is read has no sum.
    Over,
    /// What was read says which chip this is, which commands there are, how much flash.
    IsChip,
    HasCommands,
    Size,
}

/// What an answer is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Command,
    Address,
    Data,
}

/// The protocol's state.
#[derive(Debug)]
pub struct Stm32Uart {
    /// Bytes of flash, if the chip says so.
    flash_len: Option<u32>,
    /// The adapter gives back what is sent.
    echoes: bool,
    /// What was sent and will come back.
    echo: VecDeque<u8>,
    received: VecDeque<u8>,
    /// Bytes dropped since the line was last quiet.
    dropped: usize,
    request: Option<Request>,
    tries: u8,
    /// What is asked for now may fail.
    optional: bool,
    todo: VecDeque<Move>,
    read: Vec<u8>,
    ended: Option<Fault>,
}

impl Default for Stm32Uart {
    fn default() -> Self {
        Self::new()
    }
}

impl Stm32Uart {
    /// For a port that is set as [`LINE`] says.
    pub fn new() -> Self {
        Stm32Uart {
            flash_len: None,
            echoes: false,
            echo: VecDeque::new(),
            received: VecDeque::new(),
            dropped: 0,
            request: None,
            tries: 0,
            optional: false,
            todo: VecDeque::new(),
            read: Vec::new(),
            ended: None,
        }
    }

    /// Gets both sides into step.
    fn meet(&mut self) {
        self.todo
            .extend([Move::Quiet, Move::Send([command::HELLO].to_vec()), Move::Hello(0)]);
    }

    fn command(&mut self, command: u8) {
        self.todo.extend([
            Move::Send(command::doubled(command)),
            Move::Await(Stage::Command, ANSWER),
        ]);
    }

    fn address(&mut self, at: u32) {
        self.todo.extend([
            Move::Send(command::address(at)),
            Move::Await(Stage::Address, ANSWER),
        ]);
    }

    fn data(&mut self, bytes: Vec<u8>, limit: Duration) {
        self.todo
            .extend([Move::Send(bytes), Move::Await(Stage::Data, limit)]);
    }

    fn read_memory(&mut self, at: u32, len: u32) {
        self.command(command::READ);
        self.address(at);
        let len = len.clamp(1, command::MOST);
        self.data(command::doubled((len - 1) as u8), ANSWER);
        self.todo.extend([Move::Take(len as usize), Move::Over]);
    }

    /// A list with an answer before and behind it.
    fn ask(&mut self, command: u8, look: Move) {
        self.command(command);
        let last = Move::Await(Stage::Data, ANSWER);
        self.todo.extend([Move::List, last, Move::Over, look]);
    }

    /// The steps of the request.
    fn plan(&mut self) {
        let Some(request) = self.request.clone() else {
            return;
        };
        self.read.clear();
        self.optional = false;
        match request {
            Request::Begin => {
                self.ask(command::GET_ID, Move::IsChip);
                self.ask(command::GET, Move::HasCommands);
                self.read_memory(chip::ABOUT, chip::ABOUT_LEN);
                self.todo.push_back(Move::Size);
            }
            Request::Erase(unit) => match chip::sector(unit.at) {
                Some((number, _)) => {
                    self.command(command::EXTENDED_ERASE);
                    self.data(command::sector(number), ERASING);
                }
                None => self.fail(Fault::Refused(Refusal::Address)),
            },
            Request::Write { at, bytes } => {
                self.command(command::WRITE);
                self.address(at);
                self.data(command::data(&bytes), WRITING);
            }
            Request::Read { at, len } => self.read_memory(at, len),
            Request::Leave => {
                self.command(command::GO);
                self.address(chip::FLASH);
            }
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.todo.clear();
        self.ended = Some(fault);
    }

    /// Something came that should not, or nothing did: the request is begun again once both sides are in step.
    fn again(&mut self, fault: Fault) {
        self.todo.clear();
        if self.optional && fault != Fault::Refused(Refusal::Protected) {
            self.optional = false;
            self.read.clear();
            return self.meet();
        }
        // A chip that was told to start may have done so: there is nobody to ask.
        let is_last = self.tries >= TRIES || self.request == Some(Request::Leave);
        if is_last {
            return self.fail(fault);
        }
        self.tries += 1;
        self.meet();
        self.plan();
    }

    fn done(&mut self) {
        self.todo.pop_front();
    }

    /// The next byte that the loader sent.
    fn next(&mut self) -> Option<u8> {
        while let (Some(sent), Some(came)) = (self.echo.front(), self.received.front()) {
            if sent != came {
                // Out of step: what comes now is not to be understood.
                self.echo.clear();
                break;
            }
            self.echo.pop_front();
            self.received.pop_front();
        }
        self.received.pop_front()
    }

    fn drop_all(&mut self) {
        self.dropped = self.dropped.saturating_add(self.received.len());
        self.received.clear();
        self.echo.clear();
    }

    /// Goes on with what has come; what to do at the port where that is not enough.
    fn advance(&mut self) -> Option<(Action, Duration)> {
        const ROOM: u32 = 4096;
        loop {
            match self.todo.front()?.clone() {
                Move::Quiet => {
                    self.drop_all();
                    if self.dropped > NOISE {
                        self.fail(Fault::Nonsense);
                        return None;
                    }
                    return Some((Action::In(ROOM), QUIET));
                }
                Move::Hello(_) => match self.received.pop_front() {
                    // A loader that is in step already takes it for half a command, and refuses that.
                    Some(ACK | NACK) => self.met(),
                    Some(command::HELLO) => self.echoes = true,
                    // Adapters and chips that start make noise.
                    Some(_) => {}
                    None => return Some((Action::In(ROOM), ANSWER)),
                },
                Move::Flood => return Some((Action::Out(command::flood()), SENDING)),
                Move::Send(bytes) => return Some((Action::Out(bytes), SENDING)),
                Move::Await(stage, limit) => match self.next() {
                    Some(ACK) => self.done(),
                    Some(NACK) => self.again(self.refused(stage)),
                    Some(_) => self.again(Fault::Nonsense),
                    None => return Some((Action::In(ROOM), limit)),
                },
                Move::Take(0) => self.done(),
                Move::Take(rest) => match self.next() {
                    Some(byte) => {
                        self.read.push(byte);
                        self.change(Move::Take(rest - 1));
                    }
                    None => return Some((Action::In(ROOM), ANSWER)),
                },
                Move::List => match self.next() {
                    Some(count) => {
                        self.read.clear();
                        self.change(Move::Take(usize::from(count) + 1));
                    }
                    None => return Some((Action::In(ROOM), ANSWER)),
                },
                Move::Over if self.received.is_empty() => self.done(),
                Move::Over => self.again(Fault::Nonsense),
                Move::IsChip => self.look_at_chip(),
                Move::HasCommands => self.look_at_commands(),
                Move::Size => {
                    self.flash_len = chip::flash_len(&self.read);
                    self.read.clear();
                    self.done();
                }
            }
        }
    }

    fn change(&mut self, step: Move) {
        if let Some(front) = self.todo.front_mut() {
            *front = step;
        }
    }

    /// Both sides are in step.
    fn met(&mut self) {
        self.done();
        // What else comes is of before.
        self.todo.push_front(Move::Quiet);
    }

    /// What NACK means (AN3155, 3: while flash is protected against reading, all but a few commands are refused).
    fn refused(&self, stage: Stage) -> Fault {
        let is_open = matches!(self.request, Some(Request::Begin)) && !self.optional;
        Fault::Refused(match stage {
            Stage::Command if is_open => Refusal::Unknown,
            Stage::Command => Refusal::Protected,
            Stage::Address => Refusal::Address,
            Stage::Data => Refusal::Other(u32::from(NACK)),
        })
    }

    fn look_at_chip(&mut self) {
        match *self.read {
            [high, low] => match u16::from_be_bytes([high, low]) {
                STM32F407 => self.done(),
                other => self.fail(Fault::OtherChip(other)),
            },
            _ => self.again(Fault::Nonsense),
        }
    }

    fn look_at_commands(&mut self) {
        let needed = [
            command::READ,
            command::GO,
            command::WRITE,
            command::EXTENDED_ERASE,
        ];
        // The first byte is the version.
        let commands = self.read.get(1..).unwrap_or_default();
        if needed.iter().all(|command| commands.contains(command)) {
            self.read.clear();
            self.done();
            self.optional = true;
        } else {
            self.again(Fault::Refused(Refusal::Unknown));
        }
    }

    /// Nothing came in time.
    fn silent(&mut self) {
        match self.todo.front().cloned() {
            Some(Move::Quiet) => {
                self.dropped = 0;
                self.done();
            }
            Some(Move::Hello(times)) => {
                self.done();
                let hello = Move::Send([command::HELLO].to_vec());
                let next = [hello, Move::Hello(times + 1)];
                match times {
                    // The first one may have been half a command; and the third.
                    0 | 2 => next.into_iter().rev().for_each(|step| self.todo.push_front(step)),
                    // The loader waits for more than that.
                    1 => [Move::Flood, Move::Quiet]
                        .into_iter()
                        .chain(next)
                        .rev()
                        .for_each(|step| self.todo.push_front(step)),
                    _ => self.fail(Fault::Silent),
                }
            }
            _ => self.again(Fault::Silent),
        }
    }
}

impl Loader for Stm32Uart {
    fn shape(&self) -> Shape {
        Shape {
            write: command::MOST,
            read: command::MOST,
        }
    }

    fn unit(&self, at: u32) -> Option<Unit> {
        let (_, unit) = chip::sector(at)?;
        let is_there = |len: u32| unit.at - chip::FLASH + unit.len <= len;
        self.flash_len.is_none_or(is_there).then_some(unit)
    }

    fn begin(&mut self, request: Request) {
        self.todo.clear();
        self.read.clear();
        (self.ended, self.tries) = (None, 1);
        if request == Request::Begin {
            (self.flash_len, self.echoes, self.dropped) = (None, false, 0);
            self.meet();
        }
        self.request = Some(request);
        self.plan();
    }

    fn poll(&mut self) -> Step {
        let next = self.advance();
        if let Some(fault) = self.ended.take() {
            return Step::Ended(Err(fault));
        }
        match next {
            Some((action, limit)) => Step::Do(action, limit),
            None => Step::Ended(Ok(core::mem::take(&mut self.read))),
        }
    }

    fn handle(&mut self, done: Result<Vec<u8>, Broken>) {
        match (self.todo.front(), done) {
            (Some(Move::Send(sent)), Ok(_)) => {
                if self.echoes {
                    self.echo.extend(sent);
                }
                self.done();
            }
            (Some(Move::Flood), Ok(_)) => self.done(),
            (_, Ok(bytes)) => self.received.extend(bytes),
            (Some(Move::Send(_) | Move::Flood), Err(broken)) => self.fail(broken.into()),
            (_, Err(Broken::Silent)) => self.silent(),
            (_, Err(broken)) => self.fail(broken.into()),
        }
    }
}
