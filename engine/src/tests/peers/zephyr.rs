//! An application of Zephyr on MCUboot.
//!
//! Written from zephyrproject-rtos/zephyr, subsys/mgmt/mcumgr/grp/img_mgmt/src: `state` is img_mgmt_state.c at 0014f3dc, `img`
//! is img_mgmt.c at 06407b78, `flash` is zephyr_img_mgmt.c at 03730aed; `loader` is MCUboot's boot/bootutil/src/loader.c at
//! 2d4bacc3. Functions and lines are named where what they do is done. What this application does with its own image on trial
//! is the application's affair (`confirms`).

use core::time::Duration;
use std::string::String;
use std::vec;
use std::vec::Vec;

use bootlace_image::Image;
use bootlace_smp::img::ErrorCode as Code;
use bootlace_smp::{DecodeError, Header, Request, Text, Version, img, os};
use sha2::{Digest, Sha256};

use super::cbor::{bytes, flag, list, map, number, text};
use super::recovery::packet;
use super::{Instant, Server};

/// MGMT_ERR_EINVAL.
const INVALID: u32 = 3;
/// MGMT_ERR_ENOTSUP: what has no handler (smp/src/smp.c at 0014f3dc, lines 172-175 and 240-242).
const NOT_SUPPORTED: u32 = 8;
/// CONFIG_MCUMGR_TRANSPORT_NETBUF_SIZE and CONFIG_MCUMGR_TRANSPORT_NETBUF_COUNT.
const BUFFER: (usize, u32) = (1024, 4);
/// Length and CRC of console framing, which lie in the same buffer (transport/src/serial_util.c at 0dc6d2d2,
/// mcumgr_serial_decode_frag, lines 48-64).
const FRAMING: usize = 4;
/// Bytes of a slot.
const SLOT: usize = 0x4_0000;
/// IMAGE_MAGIC.
const MAGIC: [u8; 4] = 0x96f3_b83d_u32.to_le_bytes();
/// sizeof(struct image_header).
const IMAGE_HEADER: usize = 32;
/// IMG_MGMT_DATA_SHA_LEN.
const SHA: usize = 32;
/// Sector of a flash that is erased as the upload reaches it (`CONFIG_IMG_ERASE_PROGRESSIVELY`).
const SECTOR: usize = 4096;

#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub version: String,
    pub hash: Vec<u8>,
    pub filled: bool,
    /// The bytes that were sent.
    pub file: Vec<u8>,
    /// Built with IMAGE_F_NON_BOOTABLE, or never started by an MCUboot.
    pub not_bootable: bool,
}

/// An upload that is going on.
pub struct Arriving {
    len: usize,
    sha: Vec<u8>,
    bytes: Vec<u8>,
}

/// What a restart does: MCUboot's swap type, as img_mgmt_get_next_boot_slot reads it (state, lines 152-198).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    Stays,
    Test,
    Permanent,
    Revert,
}

pub struct Zephyr {
    /// Bytes of the hashes that it reads (`IMAGE_HASH_LEN`): 32 or 64. An image whose hash has another length it neither lists
    /// nor finds. 0: no hash in the list, which is another make's way, as is an image without hash.
    pub hashes: usize,
    /// MCUboot's mode, if it is built with `CONFIG_MCUMGR_GRP_OS_BOOTLOADER_INFO`.
    pub mode: Option<u32>,
    /// Its bootloader takes the image that is marked, and erases it otherwise.
    pub takes: bool,
    /// It can mark images; if not, it is built with `CONFIG_MCUBOOT_BOOTLOADER_MODE_DIRECT_XIP` (img, lines 834-835), and the
    /// bootloader starts the newer image where it lies.
    pub marks: bool,
    /// It finds an image by its hash (img_mgmt_find_by_hash); not where its slot is read wrongly.
    pub finds: bool,
    /// Built with `CONFIG_MCUMGR_GRP_IMG_FRUGAL_LIST`.
    pub frugal: bool,
    /// It has a second pair of slots.
    pub more_images: bool,
    /// A server of before SMP's second version: other bits in the op make no request of it.
    pub v1: bool,
    /// The application confirms itself so long after its start (boot_write_img_confirmed); `None`: never.
    pub confirms: Option<Duration>,
    pub images: [Slot; 2],
    /// The slot that runs: 0, but for direct XIP.
    pub active: usize,
    pub next: Next,
    pub restarts: Option<Instant>,
    /// When the application that runs confirms itself.
    pub confirms_at: Option<Instant>,
    pub upload: Option<Arriving>,
    /// What the application's hook answers a first piece with (img, lines 555-575), in place of taking it.
    pub refuses: Option<u32>,
    /// How long flash_img_check reads as many bytes as the image has, at the first piece and at the last
    /// (`CONFIG_IMG_ENABLE_IMAGE_CHECK`; zero: not built so).
    pub checks_for: Duration,
    /// How long the erasing of a sector takes.
    pub erases_for: Duration,
    /// Built without `CONFIG_IMG_ERASE_PROGRESSIVELY`: the first piece waits for all sectors.
    pub erases_first: bool,
    /// Bytes of images that came over the line, without those of refused pieces.
    pub received: usize,
    /// How long the last answer takes.
    pub took: Duration,
}

impl Zephyr {
    pub fn new(image: &[u8]) -> Zephyr {
        let mut zephyr = Zephyr {
            hashes: 32,
            mode: None,
            takes: true,
            marks: true,
            finds: true,
            frugal: false,
            more_images: false,
            v1: false,
            confirms: Some(Duration::from_millis(20)),
            images: [Slot::default(), Slot::default()],
            active: 0,
            next: Next::Stays,
            restarts: None,
            confirms_at: None,
            upload: None,
            refuses: None,
            checks_for: Duration::ZERO,
            erases_for: Duration::ZERO,
            erases_first: false,
            received: 0,
            took: Duration::ZERO,
        };
        zephyr.images[0] = slot(image);
        zephyr
    }

    /// Whether img_mgmt_read_info reads the slot (img, lines 168-266): a hash of another length is none (lines 237-241, 261-263).
    fn reads(&self, slot: &Slot) -> bool {
        slot.filled && (self.hashes == 0 || slot.hash.is_empty() || slot.hash.len() == self.hashes)
    }

    /// img_mgmt_get_next_boot_slot: state, lines 152-198, and 235-306 for direct XIP.
    fn next(&self) -> Next {
        let (runs, other) = (&self.images[self.active], &self.images[1 - self.active]);
        match self.marks {
            true => self.next,
            false if self.reads(other) && self.reads(runs) && numbers(runs) < numbers(other) => {
                Next::Permanent
            }
            false => Next::Stays,
        }
    }

    /// img_mgmt_state_encode_slot: state, lines 418-460. What the slots have to do with each other: lines 479-498.
    fn entry(&self, image: u32, number_of: usize, slot: &Slot) -> Vec<u8> {
        let mut entries = vec![];
        if self.more_images {
            entries.push(("image", number(image)));
        }
        entries.push(("slot", number(number_of as u32)));
        entries.push(("version", text(&slot.version)));
        if self.hashes > 0 && !slot.hash.is_empty() {
            entries.push(("hash", bytes(&slot.hash)));
        }
        let own = image == 0;
        let active = number_of == if own { self.active } else { 0 };
        let next = if own { self.next() } else { Next::Stays };
        for (name, value) in [
            ("bootable", !slot.not_bootable),
            ("pending", !active && matches!(next, Next::Test | Next::Permanent)),
            ("confirmed", active == (next != Next::Revert)),
            ("active", active),
            ("permanent", !active && next == Next::Permanent),
        ] {
            // Lines 42-51.
            if value || !self.frugal {
                entries.push((name, flag(value)));
            }
        }
        map(&entries)
    }

    /// img_mgmt_state_read: state, lines 465-521.
    fn list(&self) -> Vec<u8> {
        let own = self
            .images
            .iter()
            .enumerate()
            .filter(|(_, slot)| self.reads(slot));
        let mut images: Vec<_> = own.map(|(number, slot)| self.entry(0, number, slot)).collect();
        if self.more_images {
            let other = Slot {
                version: "9.9.9".into(),
                hash: vec![9; self.hashes],
                filled: true,
                ..Slot::default()
            };
            images.push(self.entry(1, 0, &other));
        }
        match self.frugal {
            true => map(&[("images", list(&images))]),
            false => map(&[("images", list(&images)), ("splitStatus", number(0))]),
        }
    }

    /// smp_add_cmd_err, the last function of smp.c. In the first version of SMP the code alone, translated: smp.c, lines 288-295,
    /// and img_mgmt_translate_error_code: img, lines 775-828.
    fn refused(version: Version, code: Code) -> Vec<u8> {
        let translated = match code {
            Code::NoImage | Code::NoTlvs => 5,
            Code::NoFreeSlot | Code::CurrentVersionIsNewer | Code::ImageAlreadyPending => 6,
            Code::InvalidSlot
            | Code::InvalidOffset
            | Code::InvalidLength
            | Code::InvalidImageHeader
            | Code::InvalidHash
            | Code::InvalidFlashAddress => 3,
            _ => 1,
        };
        match version {
            Version::V1 => rc(translated),
            _ => map(&[(
                "err",
                map(&[("group", number(1)), ("rc", number(code.rc().into()))]),
            )]),
        }
    }

    /// img_mgmt_state_write: state, lines 664-741.
    fn mark(&mut self, hash: Option<&[u8]>, confirm: bool, version: Version) -> Vec<u8> {
        if !self.marks {
            return rc(NOT_SUPPORTED);
        }
        let len = if self.hashes == 0 { 32 } else { self.hashes };
        let slot = match hash.filter(|hash| !hash.is_empty()) {
            // Lines 692-700.
            None if confirm => 0,
            None => return Zephyr::refused(version, Code::InvalidHash),
            // Lines 701-706: the length is compared first.
            Some(hash) if hash.len() != len => return Zephyr::refused(version, Code::InvalidHash),
            // Lines 707-718; img_mgmt_find_by_hash: img, lines 293-308.
            Some(hash) => {
                let found = |slot: &Slot| self.finds && self.reads(slot) && slot.hash == hash;
                match self.images.iter().position(found) {
                    Some(slot) => slot,
                    None => return Zephyr::refused(version, Code::HashNotFound),
                }
            }
        };
        match self.after_marking(slot, confirm) {
            Ok(next) => {
                self.next = next;
                self.list()
            }
            Err(code) => Zephyr::refused(version, code),
        }
    }

    /// img_mgmt_set_next_boot_slot: state, lines 568-642. boot_set_next (MCUboot's bootutil_public.c, lines 527-593) has nothing
    /// against it, as an upload erases the trailer (flash, lines 593-617).
    fn after_marking(&self, slot: usize, confirm: bool) -> Result<Next, Code> {
        // Lines 598-601.
        if !confirm && slot == 0 {
            return Err(Code::SettingTestToActiveDenied);
        }
        match (self.next, slot, confirm) {
            // Lines 603-610.
            (Next::Test, 1, false) => Ok(Next::Test),
            (Next::Test, ..) => Err(Code::ImageAlreadyPending),
            // Lines 612-625.
            (Next::Stays, 0, _) => Ok(Next::Stays),
            (Next::Stays, _, false) => Ok(Next::Test),
            (Next::Stays, _, true) => Ok(Next::Permanent),
            (Next::Permanent, 1, true) => Ok(Next::Permanent),
            (Next::Permanent, ..) => Err(Code::ImageAlreadyPending),
            // Lines 627-641.
            (Next::Revert, 1, true) => Ok(Next::Revert),
            (Next::Revert, _, true) => Ok(Next::Stays),
            (Next::Revert, ..) => Err(Code::ImageAlreadyPending),
        }
    }

    /// Whether a piece is written; what is not is answered with the offset that is due. img_mgmt_upload_inspect: flash, lines
    /// 657-907.
    fn inspect(&self, piece: &img::Upload<'_>) -> Result<bool, Code> {
        if piece.off > 0 {
            // Lines 876-900.
            let upload = self.upload.as_ref();
            let (len, due) = upload.map_or((0, 0), |upload| (upload.len, upload.bytes.len()));
            return match piece.off as usize == due {
                true if due + piece.data.len() > len => Err(Code::ImageDataOverrun),
                is_due => Ok(is_due),
            };
        }
        // Lines 692-719.
        if piece.data.len() < IMAGE_HEADER {
            return Err(Code::InvalidImageHeader);
        }
        let len = piece.len.ok_or(Code::InvalidLength)? as usize;
        if !piece.data.starts_with(&MAGIC) {
            return Err(Code::InvalidImageHeaderMagic);
        }
        let sha = piece.sha.unwrap_or_default();
        if sha.len() > SHA {
            return Err(Code::InvalidHash);
        }
        // Lines 721-733: resumed before anything else is looked at.
        let is_resumed = |upload: &Arriving| !sha.is_empty() && upload.sha == sha;
        if self.upload.as_ref().is_some_and(is_resumed) {
            return Ok(false);
        }
        // Lines 735-741. img_mgmt_get_unused_slot_area_id: lines 294-344, where one image's server ignores the number, and another
        // image's slot is not here. img_mgmt_slot_in_use: state, lines 327-355: what is marked, or what would be taken back, is not
        // written over, but for direct XIP.
        let is_other_image = self.more_images && piece.image.is_some_and(|image| image > 0);
        if is_other_image || self.marks && self.next != Next::Stays {
            return Err(Code::NoFreeSlot);
        }
        // Lines 751-759.
        if len > SLOT {
            return Err(Code::ImageTooLarge);
        }
        // Lines 845-865.
        if piece.upgrade && header_numbers(piece.data) <= numbers(&self.images[self.active]) {
            return Err(Code::CurrentVersionIsNewer);
        }
        Ok(true)
    }

    /// img_mgmt_upload: img, lines 463-759.
    fn take(&mut self, piece: &img::Upload<'_>, version: Version) -> Vec<u8> {
        let checks = self.checks_for > Duration::ZERO;
        let inspected = self.inspect(piece);
        if inspected.is_ok() {
            self.received += piece.data.len();
        }
        match inspected {
            // Lines 533-544 and 728-734: whatever is refused ends the upload that is going on.
            Err(code) => {
                self.upload = None;
                return Zephyr::refused(version, code);
            }
            // Lines 546-553.
            Ok(false) => {
                let due = self.upload.as_ref().map_or(0, |upload| upload.bytes.len());
                return map(&[("off", number(due as u32))]);
            }
            Ok(true) => {}
        }
        let slot = 1 - self.active;
        if piece.off == 0 {
            if let Some(code) = self.refuses {
                self.upload = None;
                return rc(code);
            }
            let (len, sha) = (piece.len.unwrap_or(0) as usize, piece.sha.unwrap_or_default());
            // Lines 611-637: what lies there already is not sent again.
            if checks && sha.len() == SHA {
                self.took += self.checks_for;
                let there = self.images[slot].file.get(..len);
                if there.is_some_and(|there| Sha256::digest(there)[..] == *sha) {
                    self.upload = None;
                    return map(&[("off", number(len as u32)), ("match", flag(true))]);
                }
            }
            // Lines 639-650; an empty slot is not erased (flash, lines 867-875).
            if self.erases_first && !self.images[slot].file.is_empty() {
                self.took += self.erases_for * sectors(len);
            }
            self.images[slot] = Slot::default();
            self.upload = Some(Arriving {
                len,
                sha: sha.to_vec(),
                bytes: vec![],
            });
        }
        let Some(upload) = &mut self.upload else {
            return map(&[("off", number(0))]);
        };
        let before = sectors(upload.bytes.len());
        upload.bytes.extend_from_slice(piece.data);
        if !self.erases_first {
            self.took += self.erases_for * (sectors(upload.bytes.len()) - before);
        }
        let mut answer = vec![("off", number(upload.bytes.len() as u32))];
        // Lines 686-705 and 738-749.
        if upload.bytes.len() == upload.len {
            self.images[slot] = self::slot(&upload.bytes);
            if checks {
                self.took += self.checks_for;
                let mut announced = [0; SHA];
                announced[..upload.sha.len()].copy_from_slice(&upload.sha);
                let is_match = Sha256::digest(&upload.bytes)[..] == announced;
                answer.push(("match", flag(is_match)));
            }
            self.upload = None;
        }
        map(&answer)
    }

    /// What MCUboot does before the application starts.
    fn restart(&mut self, now: Instant) {
        let next = self.next();
        let takes = self.takes || next == Next::Revert;
        self.next = Next::Stays;
        self.upload = None;
        self.confirms_at = None;
        if next == Next::Stays {
            return;
        }
        let other = 1 - self.active;
        // boot_validate_slot: loader, lines 649-662.
        if !takes {
            self.images[other] = Slot::default();
            return;
        }
        if !self.marks {
            self.active = other;
            return;
        }
        self.images.swap(0, 1);
        // Overwritten: there is nothing to go back to.
        if self.mode == Some(2) {
            self.images[1] = Slot::default();
        } else if next == Next::Test {
            self.next = Next::Revert;
            self.confirms_at = self.confirms.map(|after| now + after);
        }
    }
}

fn sectors(len: usize) -> u32 {
    len.div_ceil(SECTOR) as u32
}

/// What img_mgmt_vercmp compares of a version: not its build number (flash, lines 349-378).
fn numbers(slot: &Slot) -> Vec<u32> {
    let version = slot.version.split('+').next().unwrap_or_default();
    version.split('.').map(|part| part.parse().unwrap()).collect()
}

/// The same of an image that arrives.
fn header_numbers(image: &[u8]) -> Vec<u32> {
    let revision = u16::from_le_bytes([image[22], image[23]]);
    vec![image[20].into(), image[21].into(), revision.into()]
}

pub fn slot(image: &[u8]) -> Slot {
    let read = Image::read(&mut &image[..]).unwrap();
    let mut room = [0; bootlace_image::Version::MAX_LEN];
    Slot {
        version: read.header().version.text(&mut room).into(),
        hash: read.hash(&mut &image[..]).unwrap().as_bytes().to_vec(),
        filled: true,
        file: image.to_vec(),
        not_bootable: false,
    }
}

fn rc(code: u32) -> Vec<u8> {
    map(&[("rc", number(code))])
}

impl Server for Zephyr {
    fn answer(&mut self, now: Instant, header: &Header, payload: &[u8]) -> Option<Vec<u8>> {
        if self.v1 && header.version != Version::V1 {
            return None;
        }
        if let Some(at) = self.restarts {
            if now < at {
                return None;
            }
            self.restarts = None;
            self.restart(at);
        }
        if self.confirms_at.take_if(|at| now >= *at).is_some() {
            self.next = Next::Stays;
        }
        // Dropped without a word.
        if payload.len() + Header::LEN + FRAMING > BUFFER.0 {
            return None;
        }
        let request = bootlace_smp::decode_request(header, payload);
        let answer = match request {
            Ok(Request::Img(img::Request::State)) => self.list(),
            Ok(Request::Img(img::Request::SetState { hash, confirm })) => {
                self.mark(hash, confirm, header.version)
            }
            Ok(Request::Img(img::Request::Upload(piece))) => self.take(&piece, header.version),
            Ok(Request::Os(os::Request::Params)) => map(&[
                ("buf_size", number(BUFFER.0 as u32)),
                ("buf_count", number(BUFFER.1)),
            ]),
            Ok(Request::Os(os::Request::Bootloader {
                query: Some(Text(b"mode")),
            })) if self.mode.is_some() => map(&[("mode", number(self.mode.unwrap_or(0)))]),
            Ok(Request::Os(os::Request::Reset { .. })) => {
                self.restarts = Some(now + Duration::from_millis(750));
                map(&[])
            }
            Err(error) if !matches!(error, DecodeError::Unsupported | DecodeError::Op) => rc(INVALID),
            _ => rc(NOT_SUPPORTED),
        };
        Some(packet(header, &answer))
    }

    fn took(&mut self) -> Duration {
        core::mem::take(&mut self.took)
    }
}
