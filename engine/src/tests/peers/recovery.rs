//! MCUboot's serial recovery, from boot_serial.c.

use core::time::Duration;
use std::vec::Vec;

use bootlace_smp::{Header, Request, img, os};

use super::cbor::{bytes, flag, list, map, number, text};
use super::{Instant, Server};
use crate::tests::board::Held;

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
    /// Answers the console's echo, by which it is recognised.
    pub echoes: bool,
    pub after: After,
    /// How long the erasing of a whole slot takes: what the first piece waits for (lines 1040-1046).
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
    pub pending: bool,
    /// 500 ms after a reset.
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
            echoes: true,
            after: After::Silence,
            erases_for: Duration::ZERO,
            loses: 0,
            erases: 0,
            took: Duration::ZERO,
            slots: [Some(image.to_vec()), None],
            marks: 0,
            pending: false,
            restarts: None,
            restarted: false,
            upload: (0, 0, Vec::new()),
        }
    }

    /// Lines 284-487.
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
            // Lines 401-455: nothing of this without image states.
            if self.states || in_application {
                entries.push(("bootable", flag(true)));
                if slot == 0 {
                    entries.push(("confirmed", flag(true)));
                }
                if slot == 0 && !self.pending {
                    entries.push(("active", flag(true)));
                }
                if slot == 1 && self.pending {
                    entries.push(("pending", flag(true)));
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

    /// Lines 896-1235: no `sha`, no resuming, the whole slot erased by the first piece.
    fn take(&mut self, piece: &img::Upload<'_>) -> Vec<u8> {
        if piece.off == 0 {
            // Lines 972-982 and flash_area_id_from_direct_image.
            let slot = match (self.direct, piece.image.unwrap_or(0)) {
                (true, 2) => 1,
                (_, 0) | (true, 1) => 0,
                _ => return rc(3),
            };
            self.slots[slot] = None;
            self.erases += 1;
            self.took = self.erases_for;
            self.upload = (slot, piece.len.unwrap_or(u32::MAX) as usize, Vec::new());
        }
        let (slot, len, got) = &mut self.upload;
        if piece.off as usize == got.len() {
            // Lines 1112-1124: what is no whole write unit of 8 bytes is asked for again, but at the end.
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
        // Lines 1197-1204: `rc` even where it is 0.
        map(&[("rc", number(0)), ("off", number(self.upload.2.len() as u32))])
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
            self.restarted = true;
            if self.pending {
                self.slots.swap(0, 1);
                self.pending = false;
            }
        }
        if self.restarted && self.after == After::Silence {
            return None;
        }
        let request = bootlace_smp::decode_request(header, payload);
        let answer = match (request, header.group, header.id) {
            (Ok(Request::Img(img::Request::State)), ..) => self.list(),
            (Ok(Request::Img(img::Request::SetState { .. })), ..) if self.states => {
                // Lines 618-640: what is marked is the second slot, whatever slot has the hash.
                self.marks += 1;
                self.pending = self.slots[1].is_some();
                self.list()
            }
            (Ok(Request::Img(img::Request::Upload(piece))), ..) => {
                if piece.off == 0 && self.loses > 0 {
                    self.loses -= 1;
                    return None;
                }
                self.take(&piece)
            }
            (Ok(Request::Img(img::Request::SlotInfo)), ..) if self.slot_info => {
                // Lines 795-821.
                let slots: Vec<_> = (0..2)
                    .map(|slot| {
                        let mut entries = std::vec![("slot", number(slot)), ("size", number(0x4_0000))];
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
            // Lines 1311-1320.
            (Ok(Request::Os(os::Request::Reset { .. })), ..) => {
                self.restarts = Some(now + Duration::from_millis(750));
                rc(0)
            }
            // Lines 1406-1408: whatever is asked of the console's echo. Zephyr's application does not know it.
            (_, 0, 1) if self.echoes && !(self.restarted && self.after == After::Smp) => rc(0),
            _ => rc(8),
        };
        Some(packet(header, &answer))
    }

    fn took(&mut self) -> Duration {
        core::mem::take(&mut self.took)
    }
}

/// Lines 1457-1463: the header comes back with its op one higher.
pub fn packet(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut head = [0; 8];
    header.write(&mut head).unwrap();
    head[0] += 1;
    head[2..4].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    [&head[..], payload].concat()
}
