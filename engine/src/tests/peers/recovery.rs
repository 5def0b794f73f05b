//! MCUboot's serial recovery, from boot/boot_serial/src/boot_serial.c at 2d4bacc3; its lines are named where what they do is
//! done.

use core::time::Duration;
use std::vec::Vec;

use bootlace_smp::{Header, Request, img, os};

use super::cbor::{bytes, flag, list, map, number, text};
use super::zephyr::Next;
use super::{Instant, Server};
use crate::tests::board::Held;

/// MGMT_ERR_EINVAL.
const INVALID: u32 = 3;
/// MGMT_ERR_ENOENT.
const NO_ENTRY: u32 = 5;
/// MGMT_ERR_ENOTSUP.
const NOT_SUPPORTED: u32 = 8;
/// CONFIG_BOOT_SERIAL_MAX_RECEIVE_SIZE.
const BUFFER: usize = 1024;
/// Length and CRC of console framing, which lie in the same buffer, of one byte more (lines 165, 1497-1511 and 1542-1554).
const FRAMING: usize = 4;
/// IMAGE_HASH_SIZE, for SHA-256 (line 97).
const HASH: usize = 32;
/// Bytes of a slot.
const SLOT: u32 = 0x4_0000;

/// What happens after a reset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    /// The application has no SMP.
    Silence,
    /// The application serves SMP, as Zephyr does.
    Smp,
    /// Recovery again, as somebody holds its button.
    Lists,
    /// Nothing may be started: recovery again, with an empty list.
    Stays,
}

pub struct Recovery {
    /// Built with `MCUBOOT_SERIAL_IMG_GRP_IMAGE_STATE`.
    pub states: bool,
    /// Built with `MCUBOOT_SERIAL_IMG_GRP_SLOT_INFO`.
    pub slot_info: bool,
    /// Built with `MCUBOOT_SERIAL_DIRECT_IMAGE_UPLOAD`.
    pub direct: bool,
    /// Built with `MCUBOOT_SERIAL_IMG_GRP_HASH`.
    pub hashes: bool,
    /// Built with `MCUBOOT_BOOT_MGMT_MCUMGR_PARAMS`.
    pub params: bool,
    /// Answers the console's echo, by which it is recognised.
    pub echoes: bool,
    pub after: After,
    /// How long the erasing of a whole slot takes: what the first piece waits for (lines 1026-1033).
    pub erases_for: Duration,
    /// First pieces that get lost on the line.
    pub loses: u32,
    /// How often a slot was erased.
    pub erases: u32,
    /// How long the last answer takes.
    pub took: Duration,
    pub slots: [Option<Vec<u8>>; 2],
    /// How often an image was marked.
    pub marks: u32,
    /// What MCUboot does at the next start.
    pub swap: Next,
    /// When the application that runs on trial confirms itself.
    pub confirms_at: Option<Instant>,
    /// 750 ms after a reset.
    pub restarts: Option<Instant>,
    pub restarted: bool,
    pub upload: (usize, usize, Vec<u8>),
}

impl Recovery {
    pub fn new(image: &[u8]) -> Recovery {
        Recovery {
            states: false,
            slot_info: false,
            direct: false,
            hashes: true,
            params: false,
            echoes: true,
            after: After::Silence,
            erases_for: Duration::ZERO,
            loses: 0,
            erases: 0,
            took: Duration::ZERO,
            slots: [Some(image.to_vec()), None],
            marks: 0,
            swap: Next::Stays,
            confirms_at: None,
            restarts: None,
            restarted: false,
            upload: (0, 0, Vec::new()),
        }
    }

    /// bs_list: lines 286-475. What is no image of the board is not listed (lines 361-383).
    fn list(&self) -> Vec<u8> {
        let in_application = self.restarted && self.after == After::Smp;
        let mut images = Vec::new();
        for (slot, image) in self.slots.iter().enumerate() {
            let Some(held) = image.as_deref().and_then(|image| Held::new(image, true)) else {
                continue;
            };
            if self.restarted && self.after == After::Stays {
                continue;
            }
            let mut entries = Vec::new();
            // Lines 401-453: nothing of this without image states, and only what is true.
            if self.states || in_application {
                let is_first = slot == 0;
                for (name, value) in [
                    ("bootable", true),
                    ("confirmed", is_first == (self.swap != Next::Revert)),
                    (
                        "active",
                        is_first && matches!(self.swap, Next::Stays | Next::Revert),
                    ),
                    (
                        "pending",
                        !is_first && matches!(self.swap, Next::Test | Next::Permanent),
                    ),
                    ("permanent", !is_first && self.swap == Next::Permanent),
                ] {
                    if value {
                        entries.push((name, flag(true)));
                    }
                }
            }
            entries.push(("slot", number(slot as u32)));
            if self.hashes {
                entries.push(("hash", bytes(&held.hash)));
            }
            entries.push(("version", text(&held.version)));
            images.push(map(&entries));
        }
        map(&[("images", list(&images))])
    }

    /// bs_set: lines 477-638. What is marked is the second slot, whatever slot has the hash (lines 622-623).
    fn mark(&mut self, hash: Option<&[u8]>, confirm: bool) -> Vec<u8> {
        // The hash is read by a build that lists it, and may be left out where there is one image (lines 522-620).
        if let Some(hash) = hash.filter(|hash| self.hashes && !hash.is_empty()) {
            if hash.len() != HASH {
                return rc(INVALID);
            }
            let held = self.slots.iter().flatten();
            let mut held = held.filter_map(|image| Held::new(image, true));
            if !held.any(|held| held.hash == hash) {
                return rc(NO_ENTRY);
            }
        }
        self.marks += 1;
        // boot_set_next (bootutil_public.c, lines 542-575): what is marked stays as it is.
        if !matches!(self.swap, Next::Test | Next::Permanent) {
            self.swap = if confirm { Next::Permanent } else { Next::Test };
        }
        self.list()
    }

    /// bs_upload: lines 894-1217. No `sha`, no resuming, the whole slot erased by the first piece.
    fn take(&mut self, piece: &img::Upload<'_>) -> Vec<u8> {
        if piece.off == 0 {
            // Lines 968-985; flash_area_id_from_direct_image of boot/zephyr/flash_map_extended.c.
            let slot = match (self.direct, piece.image.unwrap_or(0)) {
                (true, 2) => 1,
                (_, 0) | (true, 1) => 0,
                _ => return rc(INVALID),
            };
            // Lines 998 and 1012-1024: without a length the image is larger than any slot.
            self.upload.2.clear();
            let Some(len) = piece.len.filter(|len| *len <= SLOT) else {
                return rc(INVALID);
            };
            // Lines 1026-1033: its trailer goes as well.
            self.slots[slot] = None;
            if slot == 1 && self.swap != Next::Revert {
                self.swap = Next::Stays;
            }
            self.erases += 1;
            self.took = self.erases_for;
            self.upload = (slot, len as usize, Vec::new());
        }
        let (slot, len, got) = &mut self.upload;
        if piece.off as usize == got.len() {
            // Lines 1063-1066.
            if piece.off > 0 && got.len() + piece.data.len() > *len {
                return rc(INVALID);
            }
            // Lines 1086-1096: what is no whole write unit of 8 bytes is asked for again, but at the end.
            let last = got.len() + piece.data.len() == *len;
            let take = if last {
                piece.data.len()
            } else {
                piece.data.len() & !7
            };
            got.extend_from_slice(&piece.data[..take]);
            if got.len() == *len {
                self.slots[*slot] = Some(got.clone());
            }
        }
        // Lines 1188-1199: `rc` even where it is 0. Another offset than the one that is due: lines 1056-1062.
        map(&[("rc", number(0)), ("off", number(self.upload.2.len() as u32))])
    }

    /// What MCUboot does before something starts.
    fn restart(&mut self, at: Instant) {
        self.restarted = true;
        self.upload = (0, 0, Vec::new());
        self.confirms_at = None;
        let swap = core::mem::replace(&mut self.swap, Next::Stays);
        if swap == Next::Stays || self.slots[1].is_none() {
            return;
        }
        self.slots.swap(0, 1);
        if swap == Next::Test {
            self.swap = Next::Revert;
            self.confirms_at = (self.after == After::Smp).then(|| at + Duration::from_millis(20));
        }
    }
}

fn rc(code: u32) -> Vec<u8> {
    map(&[("rc", number(code))])
}

impl Server for Recovery {
    fn answer(&mut self, now: Instant, header: &Header, payload: &[u8]) -> Option<Vec<u8>> {
        if let Some(at) = self.restarts {
            if now < at {
                return None;
            }
            self.restarts = None;
            self.restart(at);
        }
        if self.confirms_at.take_if(|at| now >= *at).is_some() {
            self.swap = Next::Stays;
        }
        if self.restarted && self.after == After::Silence {
            return None;
        }
        // Dropped without a word.
        if payload.len() + Header::LEN + FRAMING > BUFFER + 1 {
            return None;
        }
        let request = bootlace_smp::decode_request(header, payload);
        let answer = match (request, header.group, header.id) {
            (Ok(Request::Img(img::Request::State)), ..) => self.list(),
            (Ok(Request::Img(img::Request::SetState { hash, confirm })), ..) if self.states => {
                self.mark(hash, confirm)
            }
            (Ok(Request::Img(img::Request::Upload(piece))), ..) => {
                if piece.off == 0 && self.loses > 0 {
                    self.loses -= 1;
                    return None;
                }
                self.take(&piece)
            }
            (Ok(Request::Img(img::Request::SlotInfo)), ..) if self.slot_info => {
                // bs_slot_info: lines 708-843; which number an upload has to name: lines 776-792.
                let slots: Vec<_> = (0..2)
                    .map(|slot| {
                        let mut entries = std::vec![("slot", number(slot)), ("size", number(SLOT))];
                        match self.direct {
                            true => entries.push(("upload_image_id", number(slot + 1))),
                            false if slot == 1 => entries.push(("upload_image_id", number(0))),
                            false => {}
                        }
                        map(&entries)
                    })
                    .collect();
                map(&[(
                    "images",
                    list(&[map(&[("image", number(0)), ("slots", list(&slots))])]),
                )])
            }
            // bs_mcumgr_params: lines 1267-1294.
            (Ok(Request::Os(os::Request::Params)), ..) if self.params => {
                map(&[("buf_size", number(BUFFER as u32)), ("buf_count", number(1))])
            }
            // bs_reset: lines 1300-1331.
            (Ok(Request::Os(os::Request::Reset { .. })), ..) => {
                self.restarts = Some(now + Duration::from_millis(750));
                rc(0)
            }
            // Lines 1383-1385: whatever is asked of the console's echo. Zephyr's application does not know it.
            (_, 0, 1) if self.echoes && !(self.restarted && self.after == After::Smp) => rc(0),
            _ => rc(NOT_SUPPORTED),
        };
        Some(packet(header, &answer))
    }

    fn took(&mut self) -> Duration {
        core::mem::take(&mut self.took)
    }
}

/// boot_serial_output, lines 1428-1431: the header comes back with its op one higher.
pub fn packet(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut head = [0; 8];
    header.write(&mut head).unwrap();
    head[0] += 1;
    head[2..4].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    [&head[..], payload].concat()
}
