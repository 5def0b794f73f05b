//! An application of Zephyr on MCUboot.
//!
//! Written from zephyrproject-rtos/zephyr, subsys/mgmt/mcumgr/grp/img_mgmt/src: img_mgmt_state.c at 0014f3dc, img_mgmt.c at
//! 06407b78. Functions are named where what they do is done. What this application does with its own image on trial is the
//! application's affair (`confirms`).

use core::time::Duration;
use std::string::String;
use std::vec;
use std::vec::Vec;

use bootlace_image::Image;
use bootlace_smp::{Header, Request, Text, Version, img, os};

use super::cbor::{bytes, flag, list, map, number, text};
use super::recovery::packet;
use super::{Instant, Server};

/// MCUMGR_ERR_ENOTSUP.
const NOT_SUPPORTED: u32 = 8;
/// Sector of a flash that is erased as the upload reaches it (`CONFIG_IMG_ERASE_PROGRESSIVELY`).
const SECTOR: usize = 4096;

#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub version: String,
    pub hash: Vec<u8>,
    pub filled: bool,
    /// Built with IMAGE_F_NON_BOOTABLE, or never started by an MCUboot.
    pub not_bootable: bool,
}

/// What a restart does: MCUboot's swap type, as img_mgmt_get_next_boot_slot reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    Stays,
    Test,
    Permanent,
    Revert,
}

pub struct Zephyr {
    /// Bytes of the hashes that it lists (`IMAGE_HASH_LEN`): 32, 64, or 0 for none.
    pub hashes: usize,
    /// MCUboot's mode, if it is built with `CONFIG_MCUMGR_GRP_OS_BOOTLOADER_INFO`.
    pub mode: Option<u32>,
    /// Its bootloader takes the image that is marked.
    pub takes: bool,
    /// It can mark images.
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
    pub next: Next,
    pub restarts: Option<Instant>,
    /// When the application that runs confirms itself.
    pub confirms_at: Option<Instant>,
    /// Length, `sha` and bytes of the upload that is going on.
    pub upload: (usize, Vec<u8>, Vec<u8>),
    /// What it answers a first piece with (img_mgmt_upload), in place of taking it.
    pub refuses: Option<u32>,
    /// How long the last piece takes: flash_img_check reads the whole image back (CONFIG_IMG_ENABLE_IMAGE_CHECK).
    pub checks_for: Duration,
    /// How long the erasing of a sector takes (`CONFIG_IMG_ERASE_PROGRESSIVELY`).
    pub erases_for: Duration,
    /// Bytes of images that came over the line.
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
            next: Next::Stays,
            restarts: None,
            confirms_at: None,
            upload: (0, vec![], vec![]),
            refuses: None,
            checks_for: Duration::ZERO,
            erases_for: Duration::ZERO,
            received: 0,
            took: Duration::ZERO,
        };
        zephyr.images[0] = slot(image);
        zephyr
    }

    /// img_mgmt_state_encode_slot.
    fn entry(&self, image: u32, number_of: usize, slot: &Slot) -> Vec<u8> {
        let mut entries = vec![];
        if image > 0 {
            entries.push(("image", number(image)));
        }
        entries.push(("slot", number(number_of as u32)));
        entries.push(("version", text(&slot.version)));
        let hash = &slot.hash[..slot.hash.len().min(self.hashes)];
        if !hash.is_empty() {
            entries.push(("hash", bytes(hash)));
        }
        // img_mgmt_state_read.
        let (first, own) = (number_of == 0, image == 0);
        let next = if own { self.next } else { Next::Stays };
        for (name, value) in [
            ("bootable", !slot.not_bootable),
            ("pending", !first && matches!(next, Next::Test | Next::Permanent)),
            ("confirmed", first == (next != Next::Revert)),
            ("active", first),
            ("permanent", !first && next == Next::Permanent),
        ] {
            if value || !self.frugal {
                entries.push((name, flag(value)));
            }
        }
        map(&entries)
    }

    fn list(&self) -> Vec<u8> {
        let own = self.images.iter().enumerate().filter(|(_, slot)| slot.filled);
        let mut images: Vec<_> = own.map(|(number, slot)| self.entry(0, number, slot)).collect();
        if self.more_images {
            let other = Slot {
                version: "9.9.9".into(),
                hash: vec![9; 64],
                filled: true,
                not_bootable: false,
            };
            images.insert(0, self.entry(1, 0, &other));
        }
        match self.frugal {
            true => map(&[("images", list(&images))]),
            false => map(&[("images", list(&images)), ("splitStatus", number(0))]),
        }
    }

    /// smp_add_cmd_err; img_mgmt_translate_error_code for the first version of SMP.
    fn refused(version: Version, code: img::ErrorCode) -> Vec<u8> {
        use img::ErrorCode as Code;
        let translated = match code {
            Code::NoFreeSlot | Code::ImageAlreadyPending => 6,
            Code::InvalidHash | Code::InvalidImageHeader | Code::InvalidLength => 3,
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

    /// img_mgmt_state_write and img_mgmt_set_next_boot_slot.
    fn mark(&mut self, hash: Option<&[u8]>, confirm: bool, version: Version) -> Vec<u8> {
        use img::ErrorCode as Code;
        if !self.marks {
            return rc(NOT_SUPPORTED);
        }
        let len = if self.hashes == 0 { 32 } else { self.hashes };
        let slot = match hash {
            None if confirm => 0,
            None => return Zephyr::refused(version, Code::InvalidHash),
            // The length is compared first.
            Some(hash) if hash.len() != len => return Zephyr::refused(version, Code::InvalidHash),
            Some(hash) => {
                let found = |slot: &Slot| self.finds && slot.filled && slot.hash.starts_with(hash);
                match self.images.iter().position(found) {
                    Some(slot) => slot,
                    None => return Zephyr::refused(version, Code::HashNotFound),
                }
            }
        };
        if !confirm && slot == 0 {
            return Zephyr::refused(version, Code::SettingTestToActiveDenied);
        }
        self.next = match (self.next, slot, confirm) {
            (Next::Test, 1, false) => Next::Test,
            (Next::Test, ..) => return Zephyr::refused(version, Code::ImageAlreadyPending),
            (Next::Stays, 0, _) => Next::Stays,
            (Next::Stays, _, false) => Next::Test,
            (Next::Stays, _, true) => Next::Permanent,
            (Next::Permanent, 1, true) => Next::Permanent,
            (Next::Permanent, ..) => return Zephyr::refused(version, Code::ImageAlreadyPending),
            (Next::Revert, 1, true) => Next::Revert,
            (Next::Revert, _, true) => Next::Stays,
            (Next::Revert, ..) => return Zephyr::refused(version, Code::ImageAlreadyPending),
        };
        self.list()
    }

    /// img_mgmt_upload and img_mgmt_upload_inspect.
    fn take(&mut self, piece: &img::Upload<'_>, version: Version) -> Vec<u8> {
        let sha = piece.sha.unwrap_or_default();
        if piece.off == 0 && (sha.is_empty() || self.upload.1 != sha) {
            if let Some(code) = self.refuses {
                return rc(code);
            }
            // img_mgmt_slot_in_use: what is marked, or what would be taken back, is not written over.
            if self.next != Next::Stays {
                return Zephyr::refused(version, img::ErrorCode::NoFreeSlot);
            }
            self.images[1] = Slot::default();
            self.upload = (piece.len.unwrap_or(0) as usize, sha.to_vec(), vec![]);
        }
        self.received += piece.data.len();
        let (len, sha, got) = &mut self.upload;
        if piece.off as usize == got.len() && !piece.data.is_empty() {
            let sectors = |len: usize| len.div_ceil(SECTOR) as u32;
            let before = sectors(got.len());
            got.extend_from_slice(piece.data);
            self.took = self.erases_for * (sectors(got.len()) - before);
        }
        let mut answer = vec![("off", number(got.len() as u32))];
        if got.len() == *len {
            self.images[1] = slot(got);
            if self.checks_for > Duration::ZERO {
                self.took = self.checks_for;
                answer.push(("match", flag(true)));
            }
            // img_mgmt_reset_upload.
            sha.clear();
            got.clear();
        }
        map(&answer)
    }

    /// What MCUboot does before the application starts.
    fn restart(&mut self, now: Instant) {
        let takes = self.takes || self.next == Next::Revert;
        let next = core::mem::replace(&mut self.next, Next::Stays);
        self.upload = (0, vec![], vec![]);
        if next == Next::Stays || !takes {
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

pub fn slot(image: &[u8]) -> Slot {
    let read = Image::read(&mut &image[..]).unwrap();
    let mut room = [0; bootlace_image::Version::MAX_LEN];
    Slot {
        version: read.header().version.text(&mut room).into(),
        hash: read.hash(&mut &image[..]).unwrap().as_bytes().to_vec(),
        filled: true,
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
        let request = bootlace_smp::decode_request(header, payload);
        let answer = match request {
            Ok(Request::Img(img::Request::State)) => self.list(),
            Ok(Request::Img(img::Request::SetState { hash, confirm })) => {
                self.mark(hash, confirm, header.version)
            }
            Ok(Request::Img(img::Request::Upload(piece))) => self.take(&piece, header.version),
            Ok(Request::Os(os::Request::Params)) => {
                map(&[("buf_size", number(1024)), ("buf_count", number(4))])
            }
            Ok(Request::Os(os::Request::Bootloader {
                query: Some(Text(b"mode")),
            })) if self.mode.is_some() => map(&[("mode", number(self.mode.unwrap_or(0)))]),
            Ok(Request::Os(os::Request::Reset { .. })) => {
                self.restarts = Some(now + Duration::from_millis(750));
                map(&[])
            }
            _ => rc(NOT_SUPPORTED),
        };
        Some(packet(header, &answer))
    }

    fn took(&mut self) -> Duration {
        core::mem::take(&mut self.took)
    }
}
