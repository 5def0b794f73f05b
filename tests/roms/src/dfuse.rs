//! The USB device that the STM32F407's ROM shows: DFU 1.1 with ST's extensions.
//!
//! *DFU* is the USB specification for firmware upgrades, 1.1; *AN* is ST's AN3156; *UM* is UM0424, the same in source form.

use std::time::Duration;

use crate::flash::{Flash, LEN, START};

/// The memories of its four settings, as its string descriptors have them.
pub const MEMORIES: [&str; 4] = [
    "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg",
    "@Option Bytes  /0x1FFFC000/01*016 e",
    "@OTP Memory /0x1FFF7800/01*512 e,01*016 e",
    "@Device Feature/0xFFFF0000/01*004 e",
];
/// Class requests (DFU, 3).
const DNLOAD: u8 = 1;
const UPLOAD: u8 = 2;
const GETSTATUS: u8 = 3;
const CLRSTATUS: u8 = 4;
const GETSTATE: u8 = 5;
const ABORT: u8 = 6;
/// Codes of a status (DFU, 6.1.2).
const OK: u8 = 0x00;
const ERR_TARGET: u8 = 0x01;
const ERR_VENDOR: u8 = 0x0B;
const ERR_STALLED: u8 = 0x0F;

/// States (DFU, A.1), with their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle = 2,
    DownloadSync = 3,
    DownloadBusy = 4,
    DownloadIdle = 5,
    ManifestSync = 6,
    Manifest = 7,
    UploadIdle = 9,
    Error = 10,
}

/// Why nothing came of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The device stalls.
    Stall,
    /// The device is not there any more.
    Gone,
}

/// What documents leave open, or what chips are seen to do otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// The address of a block is reckoned with the length that this very request has (AN, 4.1 and 5.1: “the length of the requested
    /// data buffer”), not with that of a full block.
    pub reckons_with_length: bool,
    /// The wait that it tells is only a part of the one that it needs: it is busy still when it is asked again (DFU, A.2.5).
    pub tells_short_waits: bool,
    /// It leaves before its last status has gone out.
    pub leaves_at_once: bool,
    /// A refused upload says nothing of why: it stalls, and its status is that of a stall.
    pub hides_protection: bool,
}

/// The device.
#[derive(Debug)]
pub struct Rom {
    /// Its flash.
    pub flash: Flash,
    /// How it reads its documents.
    pub habits: Habits,
    /// Bytes of a full block (`wTransferSize`): 2048 in the STM32F407 (AN, 5.1), 1024 in others of the family.
    pub block: usize,
    /// The text of its first setting: another chip's, or none that is right.
    pub memory: String,
    state: State,
    code: u8,
    /// Block and bytes that the next GETSTATUS has it look at.
    pending: Option<(u16, Vec<u8>)>,
    /// How long it is busy from now on, and how long it was told to be waited for.
    busy: Duration,
    told: Duration,
    pointer: u32,
    setting: u8,
    has_left: bool,
}

impl Rom {
    /// A device with this flash, as it is after a reset.
    pub fn new(flash: Flash) -> Self {
        Rom {
            flash,
            habits: Habits::default(),
            block: 2048,
            memory: MEMORIES[0].into(),
            state: State::Idle,
            code: OK,
            pending: None,
            busy: Duration::ZERO,
            told: Duration::ZERO,
            // AN, 4.1: without a pointer it is the begin of flash.
            pointer: START,
            setting: 0,
            has_left: false,
        }
    }

    /// Whether it has started what its flash holds.
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// The same chip after a reset into its loader.
    pub fn reset(&mut self) {
        let flash = self.flash.clone();
        let (habits, block, memory) = (self.habits, self.block, std::mem::take(&mut self.memory));
        *self = Rom {
            habits,
            block,
            memory,
            ..Rom::new(flash)
        };
    }

    /// So much time has passed.
    pub fn pass(&mut self, time: Duration) {
        self.busy = self.busy.saturating_sub(time);
        self.told = self.told.saturating_sub(time);
    }

    /// Device descriptor (USB 2.0, 9.6.1), with the numbers that AN2606 gives.
    pub fn device(&self) -> Vec<u8> {
        let mut all = vec![18, 1, 0x00, 0x01, 0, 0, 0, 64];
        all.extend([0x83, 0x04, 0x11, 0xDF, 0x00, 0x22, 1, 2, 3, 1]);
        all
    }

    /// Configuration, with one interface of four settings and the functional descriptor (DFU, 4.2).
    pub fn configuration(&self) -> Vec<u8> {
        let mut all = vec![9, 2, 0, 0, 1, 1, 0, 0xC0, 50];
        for setting in 0..MEMORIES.len() as u8 {
            all.extend([9, 4, 0, setting, 0, 0xFE, 1, 2, 4 + setting]);
        }
        let [low, high] = (self.block as u16).to_le_bytes();
        // Can download and upload, and detaches by itself; version 1.1a.
        all.extend([9, 0x21, 0x0B, 0xFF, 0, low, high, 0x1A, 0x01]);
        all[2] = all.len() as u8;
        all
    }

    fn text(&self, number: u8) -> Option<Vec<u8>> {
        let text = match number {
            0 => return Some(vec![4, 3, 0x09, 0x04]),
            1 => "STMicroelectronics",
            2 => "STM32  BOOTLOADER",
            3 => "376534653233",
            4 => &self.memory,
            5.. => MEMORIES.get(usize::from(number) - 4)?,
        };
        let mut all = vec![u8::try_from(2 + 2 * text.encode_utf16().count()).ok()?, 3];
        all.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        Some(all)
    }

    /// A control transfer: its setup packet, and what goes to the device.
    ///
    /// # Errors
    /// The device stalls, or is not there.
    pub fn control(&mut self, setup: [u8; 8], data: &[u8]) -> Result<Vec<u8>, Refused> {
        if self.has_left {
            return Err(Refused::Gone);
        }
        let [kind, request, value_low, value_high, index, _, len_low, len_high] = setup;
        let (value, len) = (
            u16::from_le_bytes([value_low, value_high]),
            usize::from(u16::from_le_bytes([len_low, len_high])),
        );
        match (kind, request) {
            // GET_DESCRIPTOR, SET_CONFIGURATION, GET_INTERFACE, SET_INTERFACE (USB 2.0, 9.4).
            (0x80, 6) => {
                let mut all = match value_high {
                    1 => Some(self.device()),
                    2 if value_low == 0 => Some(self.configuration()),
                    3 => self.text(value_low),
                    _ => None,
                }
                .ok_or(Refused::Stall)?;
                all.truncate(len);
                Ok(all)
            }
            (0x00, 9) => Ok(Vec::new()),
            (0x81, 10) => Ok(vec![self.setting]),
            (0x01, 11) if index == 0 && usize::from(value) < MEMORIES.len() => {
                self.setting = value_low;
                Ok(Vec::new())
            }
            (0x21 | 0xA1, _) if index == 0 => self.class(kind, request, value, data, len),
            _ => Err(Refused::Stall),
        }
    }

    /// DFU, A.2: what a state does not know it stalls, and is in dfuERROR then.
    fn stall(&mut self, code: u8) -> Result<Vec<u8>, Refused> {
        (self.state, self.code, self.pending) = (State::Error, code, None);
        Err(Refused::Stall)
    }

    fn class(
        &mut self,
        kind: u8,
        request: u8,
        block: u16,
        data: &[u8],
        len: usize,
    ) -> Result<Vec<u8>, Refused> {
        // DFU, A.2.5: busy, it answers nothing before the time that it told is over.
        if self.state == State::DownloadBusy && !self.told.is_zero() {
            return self.stall(ERR_STALLED);
        }
        match (kind, request, self.state) {
            (0xA1, GETSTATUS, _) => self.status(),
            (0xA1, GETSTATE, State::DownloadBusy) => self.stall(ERR_STALLED),
            (0xA1, GETSTATE, _) => Ok(vec![self.state as u8]),
            // DFU, A.2.11.
            (0x21, CLRSTATUS, State::Error) => {
                (self.state, self.code) = (State::Idle, OK);
                Ok(Vec::new())
            }
            // DFU, A.2.3, A.2.6 and A.2.10.
            (0x21, ABORT, State::Idle | State::DownloadIdle | State::UploadIdle) => {
                self.state = State::Idle;
                Ok(Vec::new())
            }
            (0x21, DNLOAD, State::Idle | State::DownloadIdle) => self.download(block, data),
            (0xA1, UPLOAD, State::Idle | State::UploadIdle) => self.upload(block, len),
            _ => self.stall(ERR_STALLED),
        }
    }

    /// AN, 5: what a block is for is looked at when its status is asked for.
    fn download(&mut self, block: u16, data: &[u8]) -> Result<Vec<u8>, Refused> {
        // AN, 5.1: 2 bytes to a full block; block 1 is none (AN, 5).
        if data.len() > self.block || block == 1 {
            return self.stall(ERR_STALLED);
        }
        if data.is_empty() {
            // AN, 5.5: leave.
            self.state = State::ManifestSync;
            return Ok(Vec::new());
        }
        self.pending = Some((block, data.to_vec()));
        self.state = State::DownloadSync;
        Ok(Vec::new())
    }

    fn status(&mut self) -> Result<Vec<u8>, Refused> {
        match self.state {
            State::DownloadSync => match self.pending.take() {
                Some((block, data)) => match self.execute(block, &data) {
                    Ok(time) => {
                        self.state = State::DownloadBusy;
                        self.busy = time;
                        let part = if self.habits.tells_short_waits { 3 } else { 1 };
                        self.told = whole_millis(time / part);
                    }
                    Err(code) => (self.state, self.code) = (State::Error, code),
                },
                None => self.state = State::DownloadIdle,
            },
            State::DownloadBusy if !self.busy.is_zero() => self.told = whole_millis(self.busy),
            State::DownloadBusy => self.state = State::DownloadIdle,
            // AN, 5.5: it leaves once it was asked.
            State::ManifestSync => {
                self.has_left = true;
                if self.habits.leaves_at_once {
                    return Err(Refused::Gone);
                }
                self.state = State::Manifest;
            }
            _ => {}
        }
        let told = if self.state == State::DownloadBusy {
            self.told
        } else {
            Duration::ZERO
        };
        let [low, middle, high, _] = (told.as_millis() as u32).to_le_bytes();
        Ok(vec![self.code, low, middle, high, self.state as u8, 0])
    }

    /// Does what a block asks for, and says how long it is busy.
    fn execute(&mut self, block: u16, data: &[u8]) -> Result<Duration, u8> {
        const READ_UNPROTECT: u8 = 0x92;
        // AN, 5: with the read protection on, only that command is served.
        if self.flash.read_protected && !(block == 0 && data == [READ_UNPROTECT]) {
            return Err(ERR_VENDOR);
        }
        if block != 0 {
            let address = self.address(block, data.len());
            self.flash_at(address, data.len())?;
            return Ok(self.flash.program(address, data));
        }
        match *data {
            // AN, 5.2: the pointer may go to any memory that the device has.
            [0x21, a, b, c, d] => {
                let address = u32::from_le_bytes([a, b, c, d]);
                self.flash_at(address, 1)?;
                self.pointer = address;
                Ok(Duration::ZERO)
            }
            // AN, 5.3: one page or sector; UM: the pointer is there then.
            [0x41, a, b, c, d] => {
                let address = u32::from_le_bytes([a, b, c, d]);
                self.flash_at(address, 1)?;
                let sector = Flash::sector_at(address).ok_or(ERR_TARGET)?;
                self.pointer = address;
                Ok(self.flash.erase(sector))
            }
            [0x41] => {
                self.flash.violate();
                Ok(Duration::from_secs(16) / self.flash.speed)
            }
            [READ_UNPROTECT] => {
                self.flash.violate();
                self.flash.read_protected = false;
                self.has_left = true;
                Ok(Duration::ZERO)
            }
            // AN, 5: commands that there are not.
            _ => Err(ERR_STALLED),
        }
    }

    fn address(&self, block: u16, len: usize) -> u32 {
        let length = if self.habits.reckons_with_length {
            len
        } else {
            self.block
        };
        self.pointer.wrapping_add(u32::from(block - 2) * length as u32)
    }

    /// Whether so many bytes of the flash are there, in the setting that is chosen.
    fn flash_at(&self, address: u32, len: usize) -> Result<(), u8> {
        let is_there = address
            .checked_sub(START)
            .is_some_and(|offset| offset as usize + len <= LEN);
        match is_there && self.setting == 0 {
            true => Ok(()),
            false => Err(ERR_TARGET),
        }
    }

    /// AN, 4.
    fn upload(&mut self, block: u16, len: usize) -> Result<Vec<u8>, Refused> {
        if self.flash.read_protected {
            let code = if self.habits.hides_protection {
                ERR_STALLED
            } else {
                ERR_VENDOR
            };
            return self.stall(code);
        }
        match block {
            // AN, 4.2: the commands that there are.
            0 => {
                let mut all = vec![0x00, 0x21, 0x41, 0x92];
                all.truncate(len);
                // DFU, 6.2: a short answer is the last one.
                self.state = if all.len() < len {
                    State::Idle
                } else {
                    State::UploadIdle
                };
                Ok(all)
            }
            1 => self.stall(ERR_STALLED),
            // AN, 4.1: 2 bytes to a full block.
            _ if !(2..=self.block).contains(&len) => self.stall(ERR_STALLED),
            _ => {
                let address = self.address(block, len);
                if let Err(code) = self.flash_at(address, len) {
                    return self.stall(code);
                }
                self.state = State::UploadIdle;
                Ok(self.flash.read(address, len).unwrap_or_default().to_vec())
            }
        }
    }
}

/// In the unit in which it is told.
fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(time.as_micros().div_ceil(1000) as u64)
}
