//! The loader: `nrf_dfu_serial_usb.c` and `nrf_dfu_serial.c` (frames), `nrf_dfu_req_handler.c` (requests), `nrf_bootloader.c` (what is
//! started). What it accepts is in `judge`.

use std::time::Duration;

use p256::ecdsa::VerifyingKey;
use sha2::{Digest as _, Sha256};

use crate::init::{self, Packet};
use crate::settings::{Bank, Code, Settings, Validation};
use crate::slip::{self, MTU, Slip};

/// Bytes of flash, and of a page.
pub const SIZE: u32 = 1 << 20;
/// Bytes of a page: `CODE_PAGE_SIZE`, also `DATA_OBJECT_MAX_SIZE` (`nrf_dfu_types.h`, line 87).
pub const PAGE: u32 = 4096;
/// `MBR_SIZE`.
pub(crate) const MBR: u32 = 0x1000;
/// `INIT_COMMAND_MAX_SIZE` (line 69).
const INIT_MOST: u32 = 512;
/// `NRF_DFU_SERIAL_USB_RX_BUFFERS`.
const BUFFERS: usize = 3;
/// Bytes of a packet on USB: what is read before the scheduler gets to the requests in it.
const PACKET: usize = 64;

/// How a loader was built, and for which chip.
#[derive(Clone, Debug)]
pub struct Config {
    /// `NRF_DFU_HW_VERSION`.
    pub hardware: u32,
    /// `NRF_DFU_REQUIRE_SIGNED_APP_UPDATE`, and the key.
    pub key: Option<VerifyingKey>,
    /// `NRF_DFU_APP_DOWNGRADE_PREVENTION`, and the version that is there.
    pub version: Option<u32>,
    /// Where it begins.
    pub start: u32,
    /// The chip's part number.
    pub part: u32,
}

impl Default for Config {
    /// The dongle's: `examples/dfu/open_bootloader/pca10059_usb/config/sdk_config.h`.
    fn default() -> Self {
        Config {
            hardware: 52,
            key: None,
            version: None,
            start: 0xE_0000,
            part: 0x5_2840,
        }
    }
}

/// Results (`nrf_dfu_req_handler.h`, lines 91 to 102), and extended errors (`nrf_dfu_handling_error.h`) behind [`EXTENDED`].
pub(crate) type Answer = Result<Vec<u8>, u8>;
const NOT_SUPPORTED: u8 = 2;
const INVALID_PARAMETER: u8 = 3;
pub(crate) const INSUFFICIENT_RESOURCES: u8 = 4;
pub(crate) const INVALID_OBJECT: u8 = 5;
const NOT_PERMITTED: u8 = 8;
pub(crate) const OPERATION_FAILED: u8 = 10;
const EXTENDED: u8 = 11;

/// The object that requests are about (`nrf_dfu_req_handler.c`, line 664).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    Command,
    Data,
    Invalid,
}

/// A loader with its chip.
#[derive(Debug)]
pub struct Loader {
    pub(crate) config: Config,
    pub(crate) flash: Vec<u8>,
    /// The settings as the page in flash has them, and as RAM has them.
    pub(crate) stored: Settings,
    pub(crate) settings: Settings,
    slip: Slip,
    /// No buffer was free: what arrives goes into one that was handed on (`nrf_dfu_serial_usb.c`, line 337).
    is_lost: bool,
    /// `m_valid_init_cmd_present`, and the decoded one.
    pub(crate) valid: Option<Packet>,
    object: Object,
    pub(crate) firmware_start: u32,
    pub(crate) firmware_size: u32,
    receipts: u16,
    receipts_left: u16,
    /// Numbers of extended errors wait for the reply.
    extended: u8,
    /// It has restarted by itself.
    has_left: bool,
    pub(crate) took: Duration,
    /// Answers this instead of what is right, once: the n-th reply from now on, a result and an extended error.
    pub forced: Option<(usize, u8, u8)>,
    /// What the host did that is undefined: requests without their parameters, which the loader reads from old memory.
    pub undefined: usize,
}

impl Loader {
    /// A chip with this content of flash, whose loader runs.
    pub fn new(config: Config, flash: Vec<u8>) -> Self {
        assert_eq!(flash.len(), SIZE as usize);
        let mut settings = Settings::new();
        settings.app_version = config.version.unwrap_or_default();
        Loader {
            config,
            flash,
            stored: settings.clone(),
            settings,
            slip: Slip::new(),
            is_lost: false,
            valid: None,
            object: Object::Command,
            firmware_start: 0,
            firmware_size: 0,
            receipts: 0,
            receipts_left: 0,
            extended: 0,
            has_left: false,
            took: Duration::ZERO,
            forced: None,
            undefined: 0,
        }
    }

    /// The content of flash.
    pub fn flash(&self) -> &[u8] {
        &self.flash
    }

    /// An application that it started before, of so many bytes.
    pub fn with_application(mut self, size: u32) -> Self {
        let crc = crc32fast::hash(&self.flash[MBR as usize..(MBR + size) as usize]);
        self.stored.bank_0 = Bank {
            size,
            crc,
            code: Code::Application,
        };
        self.stored.validation = Validation::Crc(crc);
        self.settings = self.stored.clone();
        self
    }

    /// Whether it has restarted since it was plugged in.
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// What the work since the last call took.
    pub fn take_time(&mut self) -> Duration {
        std::mem::take(&mut self.took)
    }

    /// Out and in again, with its button: what was in RAM is lost, and the loader runs.
    pub fn replug(&mut self) {
        let flash = std::mem::take(&mut self.flash);
        let mut fresh = Loader::new(self.config.clone(), flash);
        fresh.stored = self.stored.clone();
        fresh.start();
        *self = fresh;
    }

    /// Whether it starts what stands behind the MBR: `app_is_valid` (`nrf_bootloader.c`, line 315).
    pub fn starts_application(&self) -> bool {
        let bank = self.stored.bank_0;
        let bytes = self.range(MBR, bank.size);
        bank.code == Code::Application
            && match self.stored.validation {
                Validation::None => true,
                Validation::Crc(crc) => crc32fast::hash(bytes) == crc,
                Validation::Sha256(hash) => Sha256::digest(bytes)[..] == hash,
            }
    }

    /// Bytes of what it starts, and which it locks (`nrf_bootloader_app_start_final.c`, line 189).
    pub fn application(&self) -> &[u8] {
        self.range(MBR, self.stored.bank_0.size)
    }

    pub(crate) fn range(&self, at: u32, len: u32) -> &[u8] {
        &self.flash[at as usize..(at + len) as usize]
    }

    pub(crate) fn store(&mut self) {
        if self.stored != self.settings {
            self.stored = self.settings.clone();
            // Settings and their copy: a page is erased in 85 ms, a word written in 41 us.
            self.took += 2 * Duration::from_micros(85_000 + 41 * 230);
        }
    }

    /// Bytes arrive; gives those that leave.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut sent = Vec::new();
        for packet in bytes.chunks(PACKET) {
            let mut requests = Vec::new();
            let mut held = 0;
            for byte in packet {
                if self.has_left || self.is_lost || !self.slip.add(*byte) {
                    continue;
                }
                let request = std::mem::replace(&mut self.slip, Slip::new()).bytes;
                // A write keeps its buffer until it is handled; the next frame needs one.
                held += usize::from(request.first() == Some(&0x08));
                requests.push(request);
                self.is_lost = held >= BUFFERS;
            }
            for request in requests {
                if self.has_left {
                    break;
                }
                if let Some(reply) = self.handle(&request) {
                    sent.extend(slip::encode(&reply));
                }
                if self.settings.bank_1.code == Code::Application {
                    // `on_dfu_complete`: stored, and reset.
                    self.store();
                    self.restart();
                }
            }
        }
        sent
    }

    /// `bootloader_reset`: the device leaves, and what comes then is what it starts.
    pub(crate) fn restart(&mut self) {
        self.start();
        self.has_left = true;
    }

    /// `nrf_dfu_serial_on_packet_received`, and what comes of it.
    fn handle(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let (&op, rest) = match request.split_first() {
            Some(split) => split,
            None => {
                // The length is then 65,535, and the opcode that of an older request.
                self.undefined += 1;
                return None;
            }
        };
        let wanted = match op {
            0x0B | 0x06 | 0x09 => 1,
            0x02 => 2,
            0x01 => 5,
            _ => 0,
        };
        if rest.len() < wanted {
            self.undefined += 1;
            return None;
        }
        let word = |at: usize| rest[at..].first_chunk().map_or(0, |it| u32::from_le_bytes(*it));
        let answer = match op {
            0x00 => Ok(vec![1]),
            0x0A => Ok(words(&[self.config.part, 0x4141_4430, SIZE, 256 * 1024, PAGE])),
            0x0B => Ok(self.firmware(rest[0])),
            0x09 => Ok(vec![rest[0]]),
            0x07 => Ok((MTU as u16).to_le_bytes().to_vec()),
            0x02 => {
                self.receipts = u16::from_le_bytes([rest[0], rest[1]]);
                self.receipts_left = self.receipts;
                Ok(vec![])
            }
            0x0C => {
                self.restart();
                Ok(vec![])
            }
            0x01 => {
                self.receipts_left = self.receipts;
                self.select_object(rest[0]);
                match self.object {
                    Object::Command => self.create_init(word(1)),
                    Object::Data => self.create(word(1)),
                    Object::Invalid => Err(INVALID_OBJECT),
                }
            }
            0x06 => {
                self.select_object(rest[0]);
                let progress = &self.settings.progress;
                match self.object {
                    Object::Command => Ok(words(&[INIT_MOST, progress.command_offset, progress.command_crc])),
                    Object::Data => Ok(words(&[PAGE, progress.offset, progress.crc])),
                    Object::Invalid => Err(INVALID_OBJECT),
                }
            }
            0x03 => match self.object {
                Object::Invalid => Err(INVALID_OBJECT),
                object => Ok(self.offset_and_crc(object)),
            },
            0x04 => match self.object {
                Object::Command => self.execute_init(),
                Object::Data => self.execute(),
                Object::Invalid => Err(INVALID_OBJECT),
            },
            0x08 => {
                let answer = match self.object {
                    Object::Command => self.append_init(rest),
                    Object::Data => self.write(rest),
                    Object::Invalid => Err(INVALID_OBJECT),
                };
                // `dfu_req_handler_rsp_clbk` (`nrf_dfu_serial.c`, line 150).
                self.receipts_left = self.receipts_left.wrapping_sub(1);
                if self.receipts == 0 || self.receipts_left != 0 {
                    return None;
                }
                self.receipts_left = self.receipts;
                return Some(self.reply(0x03, answer.map(|_| self.offset_and_crc(self.object))));
            }
            _ => Err(NOT_SUPPORTED),
        };
        Some(self.reply(op, answer))
    }

    /// `response_send` (`nrf_dfu_serial.c`, line 61).
    fn reply(&mut self, op: u8, answer: Answer) -> Vec<u8> {
        let mut answer = answer;
        if let Some((left, code, extended)) = &mut self.forced {
            match left {
                0 => {
                    (answer, self.extended) = (Err(*code), *extended);
                    self.forced = None;
                }
                _ => *left -= 1,
            }
        }
        match answer {
            Ok(payload) => [vec![0x60, op, 1], payload].concat(),
            Err(EXTENDED) => vec![0x60, op, EXTENDED, std::mem::take(&mut self.extended)],
            Err(code) => vec![0x60, op, code],
        }
    }

    pub(crate) fn extended(&mut self, error: u8) -> u8 {
        self.extended = error;
        EXTENDED
    }

    /// `on_fw_version_request` (`nrf_dfu_req_handler.c`, line 136); there is no SoftDevice.
    fn firmware(&self, image: u8) -> Vec<u8> {
        let bank = self.settings.bank_0;
        let (kind, facts) = match image {
            0 => (2, [0, self.config.start, 0xF_E000 - self.config.start]),
            1 if bank.code == Code::Application => (1, [self.settings.app_version, MBR, bank.size]),
            _ => (0xFF, [0; 3]),
        };
        [vec![kind], words(&facts)].concat()
    }

    fn select_object(&mut self, kind: u8) {
        self.object = match kind {
            1 => Object::Command,
            2 => Object::Data,
            _ => Object::Invalid,
        };
    }

    fn offset_and_crc(&self, object: Object) -> Vec<u8> {
        let progress = &self.settings.progress;
        match object {
            Object::Command => words(&[progress.command_offset, progress.command_crc]),
            _ => words(&[progress.offset, progress.crc]),
        }
    }

    /// `nrf_dfu_validation_init_cmd_create` (`nrf_dfu_validation.c`, line 247).
    fn create_init(&mut self, size: u32) -> Answer {
        match size {
            0 => Err(INVALID_PARAMETER),
            size if size > INIT_MOST => Err(INSUFFICIENT_RESOURCES),
            size => {
                self.valid = None;
                self.settings.reset_progress();
                self.settings.progress.command_size = size;
                Ok(vec![])
            }
        }
    }

    /// `nrf_dfu_validation_init_cmd_append` (line 281).
    fn append_init(&mut self, bytes: &[u8]) -> Answer {
        let progress = &mut self.settings.progress;
        let (offset, len) = (progress.command_offset as usize, bytes.len());
        if offset + len > progress.command_size as usize {
            return Err(INVALID_PARAMETER);
        }
        self.settings.init_command[offset..offset + len].copy_from_slice(bytes);
        progress.command_offset += len as u32;
        progress.command_crc = crc32fast::hash(&self.settings.init_command[..offset + len]);
        Ok(vec![])
    }

    /// `nrf_dfu_validation_init_cmd_execute` (line 620) and `on_cmd_obj_execute_request`.
    fn execute_init(&mut self) -> Answer {
        let progress = self.settings.progress;
        if progress.command_offset != progress.command_size {
            return Err(NOT_PERMITTED);
        }
        if self.valid.is_none() {
            let len = progress.command_size as usize;
            let packet = init::decode(&self.settings.init_command[..len]).ok_or(INVALID_OBJECT)?;
            if let Err(code) = self.judge(&packet) {
                self.settings.reset_progress();
                return Err(code);
            }
            self.valid = Some(packet);
        }
        self.store();
        Ok(vec![])
    }

    /// `on_data_obj_create_request` (`nrf_dfu_req_handler.c`, line 383).
    fn create(&mut self, size: u32) -> Answer {
        let total = self.firmware_size;
        let last = self.settings.progress.offset_last;
        if self.valid.is_none() {
            return Err(NOT_PERMITTED);
        }
        let end = last.checked_add(size);
        if size == 0 || (!size.is_multiple_of(PAGE) && end != Some(total)) {
            return Err(INVALID_PARAMETER);
        }
        if size > PAGE {
            return Err(INSUFFICIENT_RESOURCES);
        }
        if end.is_none_or(|end| end > total) {
            return Err(NOT_PERMITTED);
        }
        let progress = &mut self.settings.progress;
        progress.object_size = size;
        progress.crc = progress.crc_last;
        progress.offset = last;
        self.settings.write_offset = last;
        let at = (self.firmware_start + last) as usize;
        for page in 0..size.div_ceil(PAGE) as usize {
            let start = at + page * PAGE as usize;
            // `nrf_fstorage_erase` takes pages that begin where pages do.
            if !start.is_multiple_of(PAGE as usize) {
                return Err(INVALID_OBJECT);
            }
            self.flash[start..start + PAGE as usize].fill(0xFF);
            self.took += Duration::from_millis(85);
        }
        Ok(vec![])
    }

    /// `on_data_obj_write_request` (line 458).
    fn write(&mut self, bytes: &[u8]) -> Answer {
        if self.valid.is_none() {
            return Err(NOT_PERMITTED);
        }
        let progress = &mut self.settings.progress;
        let written = progress.offset - progress.offset_last;
        if bytes.len() as u32 + written > progress.object_size {
            return Err(INVALID_PARAMETER);
        }
        let at = self.firmware_start + self.settings.write_offset;
        // `nrf_fstorage_write`: whole words, and not none. What it does not take is not counted, and nobody is told.
        if !bytes.len().is_multiple_of(4) || !at.is_multiple_of(4) || bytes.is_empty() {
            return Ok(vec![]);
        }
        // The protected pages of the loader's own are not reached: room was checked.
        for (place, byte) in self.flash[at as usize..].iter_mut().zip(bytes) {
            *place &= byte;
        }
        self.took += Duration::from_micros(41) * (bytes.len() as u32 / 4);
        let mut crc = crc32fast::Hasher::new_with_initial_len(progress.crc, u64::from(progress.offset));
        crc.update(bytes);
        progress.crc = crc.finalize();
        progress.offset += bytes.len() as u32;
        self.settings.write_offset += bytes.len() as u32;
        Ok(vec![])
    }

    /// `on_data_obj_execute_request` (line 584) and the part that the scheduler calls (line 526).
    fn execute(&mut self) -> Answer {
        let progress = &mut self.settings.progress;
        if progress.object_size != progress.offset - progress.offset_last {
            return Err(NOT_PERMITTED);
        }
        progress.object_size = 0;
        progress.crc_last = progress.crc;
        progress.offset_last = progress.offset;
        if progress.offset != self.firmware_size {
            return Ok(vec![]);
        }
        self.judge_firmware()
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
