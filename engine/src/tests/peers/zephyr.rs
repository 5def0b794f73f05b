//! An application of Zephyr on MCUboot, from img_mgmt_state.c and os_mgmt.c.

use core::time::Duration;
use std::string::String;
use std::vec;
use std::vec::Vec;

use bootlace_image::Image;
use bootlace_smp::{Header, Request, Text, Version, img, os};

use super::cbor::{bytes, flag, list, map, number, text};
use super::recovery::packet;
use super::{Instant, Server};

#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub version: String,
    pub hash: Vec<u8>,
    pub filled: bool,
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
    /// Built with `CONFIG_MCUMGR_GRP_IMG_FRUGAL_LIST`.
    pub frugal: bool,
    /// It has a second pair of slots.
    pub more_images: bool,
    /// A server of before SMP's second version: other bits in the op make no request of it.
    pub v1: bool,
    pub images: [Slot; 2],
    pub pending: bool,
    pub restarts: Option<Instant>,
    pub upload: (usize, Vec<u8>),
    /// What it answers a first piece with (img_mgmt_upload in img_mgmt.c), in place of taking it.
    pub refuses: Option<u32>,
    /// How long the last piece takes: flash_img_check reads the whole image back (CONFIG_IMG_ENABLE_IMAGE_CHECK).
    pub checks_for: Duration,
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
            frugal: false,
            more_images: false,
            v1: false,
            images: [Slot::default(), Slot::default()],
            pending: false,
            restarts: None,
            upload: (0, vec![]),
            refuses: None,
            checks_for: Duration::ZERO,
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
        let pending = number_of == 1 && self.pending && image == 0;
        for (name, value) in [
            ("bootable", true),
            ("pending", pending),
            ("confirmed", number_of == 0),
            ("active", number_of == 0),
            ("permanent", false),
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
            };
            images.insert(0, self.entry(1, 0, &other));
        }
        match self.frugal {
            true => map(&[("images", list(&images))]),
            false => map(&[("images", list(&images)), ("splitStatus", number(0))]),
        }
    }

    fn mark(&mut self, hash: Option<&[u8]>, version: Version) -> Vec<u8> {
        let refused = |code: u32| match version {
            Version::V1 => rc(1),
            _ => map(&[("err", map(&[("group", number(1)), ("rc", number(code))]))]),
        };
        if !self.marks {
            return rc(8);
        }
        // img_mgmt_state_write: the length is compared first. A board without hashes can't do this at all; those that list
        // none by their own choice do.
        let len = if self.hashes == 0 { 32 } else { self.hashes };
        match hash {
            Some(hash) if hash.len() != len => refused(26),
            Some(hash) if !self.images[1].hash.starts_with(hash) => refused(27),
            Some(_) => {
                self.pending = true;
                self.list()
            }
            None => self.list(),
        }
    }
}

fn slot(image: &[u8]) -> Slot {
    let read = Image::read(&mut &image[..]).unwrap();
    let mut room = [0; bootlace_image::Version::MAX_LEN];
    Slot {
        version: read.header().version.text(&mut room).into(),
        hash: read.hash(&mut &image[..]).unwrap().as_bytes().to_vec(),
        filled: true,
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
            if core::mem::take(&mut self.pending) && self.takes {
                self.images.swap(0, 1);
            }
        }
        let request = bootlace_smp::decode_request(header, payload);
        let answer = match request {
            Ok(Request::Img(img::Request::State)) => self.list(),
            Ok(Request::Img(img::Request::SetState { hash, .. })) => self.mark(hash, header.version),
            Ok(Request::Img(img::Request::Upload(_))) if self.refuses.is_some() => {
                rc(self.refuses.unwrap_or_default())
            }
            Ok(Request::Img(img::Request::Upload(piece))) => {
                if piece.off == 0 {
                    self.upload = (piece.len.unwrap_or(0) as usize, vec![]);
                }
                let (len, got) = &mut self.upload;
                if piece.off as usize == got.len() {
                    got.extend_from_slice(piece.data);
                }
                if got.len() == *len {
                    self.images[1] = slot(got);
                    self.took = self.checks_for;
                }
                map(&[("off", number(self.upload.1.len() as u32))])
            }
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
            _ => rc(8),
        };
        Some(packet(header, &answer))
    }

    fn took(&mut self) -> Duration {
        core::mem::take(&mut self.took)
    }
}
