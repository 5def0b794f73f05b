//! A board small enough to read: SMP over bytes, slots as vectors, and the behaviours that a session must stand.

use std::collections::VecDeque;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bootlace_image::{Image, PublicKey};
use bootlace_smp::bootlace::{
    self, Algorithm, BootState, Description, Features, Key, Role, Rollback, RollbackReason, Slot, Trial,
};
use bootlace_smp::frame::{self, Decoder, Framing};
use bootlace_smp::img::{self, ImageSlots, SlotSize, StateEntry, Upload};
use bootlace_smp::{self as smp, ErrorCode, Header, Request, Response, Text, os};

use sha2::Digest as _;

use crate::Instant;

mod patch;
pub use patch::Patches;

pub const ADDRESS: u32 = 0x0800_8000;
pub const SLOT: u32 = 0x4_0000;

/// What speaks SMP on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Companion,
    /// A Zephyr application: no group of ours, no serial number.
    Zephyr,
    /// MCUboot's recovery: says nothing about groups that it lacks, and `rc: 0` where all is well.
    Recovery,
}

/// What the new image does once it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// Confirms itself after so many seconds.
    Confirms(u64),
    /// Runs, and leaves the confirmation to others.
    Waits,
    /// The board takes the old one back after so many seconds.
    Fails(u64),
    /// Confirms itself, but shows no port until somebody resets it into the bootloader.
    NoPort,
    /// The bootloader refuses it.
    Refused,
}

#[derive(Clone, Debug, Default)]
pub struct Held {
    pub bytes: Vec<u8>,
    pub hash: Vec<u8>,
    pub version: String,
    pub confirmed: bool,
    pub pending: bool,
}

impl Held {
    pub fn new(bytes: &[u8], confirmed: bool) -> Option<Held> {
        let mut source = bytes;
        let image = Image::read(&mut source).ok()?;
        let hash = image.hash(&mut source).ok()?.as_bytes().to_vec();
        let mut text = [0; 24];
        let version = image.header().version.text(&mut text).to_string();
        Some(Held {
            bytes: bytes.to_vec(),
            hash,
            version,
            confirmed,
            pending: false,
        })
    }
}

#[derive(Debug)]
pub struct Board {
    pub kind: Kind,
    pub app: App,
    pub name: &'static str,
    pub serial: Option<&'static str>,
    pub keys: Vec<PublicKey>,
    pub counter: u32,
    pub frame: usize,
    pub window: usize,
    pub class: Option<[u8; 16]>,
    pub primary: Option<Held>,
    pub secondary: Option<Held>,
    pub role: Role,
    pub rollback: Option<RollbackReason>,
    /// It never leaves its bootloader, and gives this reason.
    pub stays: Option<BootState>,
    /// Resets are answered, and nothing happens.
    pub stubborn: bool,
    /// What it answers to whoever wants to confirm the running image; `None`: it is confirmed.
    pub denies: Option<smp::Fault>,
    /// Why, in words.
    pub reason: Option<&'static str>,
    /// A port is there; it vanishes while the board restarts.
    pub port: bool,
    /// What it runs now has no port.
    is_portless: bool,
    pub vanishes: bool,
    /// Time to write a byte of an image.
    pub micros_per_byte: u64,
    /// Pieces that were taken, and all that arrived.
    pub pieces: (u32, u32),
    pub most_waiting: usize,
    pub resets: u32,
    /// How many uploads are stored with a wrong byte.
    pub spoil: u32,
    pub patches: Patches,
    /// Bytes of patches that it took.
    pub patched: usize,
    upload: Vec<u8>,
    upload_len: usize,
    upload_sha: Vec<u8>,
    decoder: Decoder,
    buffer: Vec<u8>,
    waiting: VecDeque<(Framing, Vec<u8>)>,
    busy_until: Instant,
    answer: Option<Vec<u8>>,
    then: VecDeque<(Instant, Then)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Boot,
    Arrive,
    Confirm,
    Revert,
}

impl Board {
    pub fn new(primary: &[u8], keys: Vec<PublicKey>) -> Board {
        Board {
            kind: Kind::Companion,
            app: App::Confirms(2),
            name: "model",
            serial: Some("B-1"),
            keys,
            counter: 0,
            frame: 1024,
            window: 4,
            class: None,
            primary: Held::new(primary, true),
            secondary: None,
            role: Role::Application,
            rollback: None,
            stays: None,
            stubborn: false,
            denies: None,
            reason: None,
            port: true,
            is_portless: false,
            vanishes: true,
            micros_per_byte: 10,
            pieces: (0, 0),
            most_waiting: 0,
            resets: 0,
            spoil: 0,
            patches: Patches::Unknown,
            patched: 0,
            upload: vec![],
            upload_len: 0,
            upload_sha: vec![],
            decoder: Decoder::new(),
            buffer: vec![0; 4096],
            waiting: VecDeque::new(),
            busy_until: Instant(0),
            answer: None,
            then: VecDeque::new(),
        }
    }

    pub fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.port {
            let (taken, frame) = self.decoder.feed(&mut self.buffer, bytes);
            bytes = &bytes[taken..];
            if let Some(frame) = frame {
                self.waiting
                    .push_back((frame.framing, self.buffer[..frame.len].to_vec()));
                self.most_waiting = self.most_waiting.max(self.waiting.len());
                // What does not fit is lost, as on a UART.
                self.waiting.truncate(self.window);
            }
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let busy = (self.answer.is_some() || !self.waiting.is_empty()).then_some(self.busy_until);
        busy.into_iter().chain(self.then.front().map(|then| then.0)).min()
    }

    /// Bytes that are ready to go out.
    pub fn advance(&mut self, now: Instant) -> Vec<u8> {
        while let Some((at, then)) = self.then.front().copied().filter(|then| then.0 <= now) {
            self.then.pop_front();
            self.happen(at, then);
        }
        let mut out = vec![];
        while now >= self.busy_until {
            if let Some(answer) = self.answer.take() {
                out.extend(answer);
            }
            let Some((framing, packet)) = self.waiting.pop_front() else {
                break;
            };
            let took = self.handle(now, framing, &packet);
            self.busy_until = now + core::time::Duration::from_micros(took);
        }
        if self.port { out } else { vec![] }
    }

    /// Power goes and comes back: what was half received is gone, flash is not.
    pub fn power_cycle(&mut self, now: Instant) {
        self.waiting.clear();
        self.answer = None;
        self.busy_until = now;
        self.decoder = Decoder::new();
        self.boot(now);
    }

    pub fn boot(&mut self, now: Instant) {
        self.resets += 1;
        self.waiting.clear();
        self.then.clear();
        self.port = !self.vanishes;
        self.then
            .push_back((now + core::time::Duration::from_millis(500), Then::Boot));
    }

    /// Somebody presses the button that keeps it in its bootloader.
    pub fn boot_to_bootloader(&mut self) {
        self.role = Role::Bootloader;
        self.port = true;
    }

    fn schedule(&mut self, at: Instant, millis: u64, then: Then) {
        self.then
            .push_back((at + core::time::Duration::from_millis(millis), then));
        self.then.make_contiguous().sort_by_key(|then| then.0);
    }

    fn happen(&mut self, at: Instant, then: Then) {
        match then {
            Then::Boot => {
                let on_trial = self.primary.as_ref().is_some_and(|held| !held.confirmed);
                if self.secondary.as_ref().is_some_and(|held| held.pending) {
                    if let Some(held) = &mut self.secondary {
                        held.pending = false;
                    }
                    if self.app == App::Refused {
                        self.rollback = Some(RollbackReason::BadImage);
                        return self.schedule(at, 300, Then::Arrive);
                    }
                    core::mem::swap(&mut self.primary, &mut self.secondary);
                    match self.app {
                        App::Confirms(seconds) => self.schedule(at, 2000 + seconds * 1000, Then::Confirm),
                        App::Fails(seconds) => self.schedule(at, 2000 + seconds * 1000, Then::Revert),
                        App::NoPort => {
                            (self.port, self.is_portless) = (false, true);
                            return self.schedule(at, 3000, Then::Confirm);
                        }
                        App::Waits | App::Refused => {}
                    }
                    return self.schedule(at, 2000, Then::Arrive);
                }
                if on_trial && self.secondary.is_some() {
                    self.take_back(RollbackReason::NotConfirmed);
                }
                self.schedule(at, 300, Then::Arrive);
            }
            Then::Arrive if self.is_portless && self.stays.is_none() => {}
            Then::Arrive => {
                self.port = true;
                self.decoder = Decoder::new();
                self.role = match self.primary {
                    Some(_) if self.stays.is_none() => Role::Application,
                    _ => Role::Bootloader,
                };
            }
            Then::Confirm => {
                if let Some(held) = &mut self.primary {
                    held.confirmed = true;
                }
            }
            Then::Revert => {
                self.take_back(RollbackReason::Fault);
                self.port = !self.vanishes;
                self.schedule(at, 2000, Then::Arrive);
            }
        }
    }

    fn take_back(&mut self, reason: RollbackReason) {
        core::mem::swap(&mut self.primary, &mut self.secondary);
        self.rollback = Some(reason);
    }

    /// Answers a packet; says how many microseconds that takes.
    fn handle(&mut self, now: Instant, framing: Framing, packet: &[u8]) -> u64 {
        let Ok((header, payload)) = Header::parse(packet) else {
            return 0;
        };
        if framing == Framing::Cobs && self.kind != Kind::Companion {
            return 0;
        }
        let mut buffer = vec![0; 2048];
        let request = smp::decode_request(&header, payload);
        if self.kind == Kind::Recovery && header.group >= bootlace::GROUP {
            return 0;
        }
        let mut took = 200;
        let len = match request {
            Ok(Request::Bootlace(bootlace::Request::Describe)) if self.kind == Kind::Companion => {
                self.describe(&header, &mut buffer)
            }
            Ok(Request::Bootlace(bootlace::Request::Patch(piece))) if self.patches != Patches::Unknown => {
                // A piece makes more than it is.
                took += piece.data.len() as u64 * self.micros_per_byte * 20;
                self.take_patch(&header, &mut buffer, &piece)
            }
            Ok(Request::Img(img::Request::State)) => self.list(&header, &mut buffer),
            Ok(Request::Img(img::Request::SetState { hash, confirm })) => {
                self.mark(&header, &mut buffer, hash, confirm)
            }
            Ok(Request::Img(img::Request::Upload(piece))) => {
                took += piece.data.len() as u64 * self.micros_per_byte;
                self.take(&header, &mut buffer, &piece)
            }
            Ok(Request::Img(img::Request::SlotInfo)) if self.kind == Kind::Zephyr => {
                let slots = [0, 1].map(|slot| SlotSize {
                    slot,
                    size: SLOT,
                    upload_image_id: None,
                });
                let images = [ImageSlots {
                    image: 0,
                    slots: slots[..].into(),
                    max_image_size: None,
                }];
                let answer = img::Response::SlotInfo(images[..].into());
                smp::encode_response(&mut buffer, &header, &Response::Img(answer))
            }
            Ok(Request::Img(img::Request::Erase { .. })) => {
                self.secondary = None;
                smp::encode_response(&mut buffer, &header, &Response::Img(img::Response::Erase))
            }
            Ok(Request::Os(os::Request::Params)) => {
                let params = os::Response::Params {
                    buf_size: self.frame as u32 + 4,
                    buf_count: self.window as u32,
                };
                smp::encode_response(&mut buffer, &header, &Response::Os(params))
            }
            Ok(Request::Os(os::Request::Reset { boot_mode, .. })) => {
                if boot_mode == Some(os::BOOT_MODE_BOOTLOADER) {
                    self.boot_to_bootloader();
                } else if !self.stubborn {
                    self.boot(now);
                }
                if self.kind == Kind::Recovery {
                    let failure = smp::Failure {
                        group: None,
                        rc: 0,
                        reason: None,
                    };
                    smp::encode_response(&mut buffer, &header, &Response::Failure(failure))
                } else {
                    smp::encode_response(&mut buffer, &header, &Response::Os(os::Response::Reset))
                }
            }
            Ok(_) | Err(_) => smp::encode_error(&mut buffer, &header, ErrorCode::NotSupported, None),
        };
        let mut line = vec![];
        frame::encode(framing, &buffer[..len.unwrap()], |piece| {
            line.extend_from_slice(piece)
        });
        self.answer = Some(line);
        took
    }

    fn describe(&self, header: &Header, buffer: &mut [u8]) -> Result<usize, smp::EncodeError> {
        let slots = [0, 1].map(|slot| Slot {
            slot,
            addr: ADDRESS + slot * SLOT,
            size: SLOT,
            max: SLOT - 4096,
            erase: 4096,
            write: 4,
        });
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|key| match key {
                PublicKey::Ed25519(bytes) => Key {
                    alg: Algorithm::Ed25519,
                    key: bytes,
                },
                other => Key {
                    alg: Algorithm::P256,
                    key: other.bytes(),
                },
            })
            .collect();
        let on_trial = self.primary.as_ref().is_some_and(|held| !held.confirmed);
        let from = self.secondary.as_ref().map(|held| held.version.as_str());
        let description = Description {
            role: self.role,
            board: Some(self.name),
            serial: self.serial,
            cid: self.class.as_ref(),
            keys: keys[..].into(),
            slots: slots[..].into(),
            frame: Some(self.frame as u32),
            window: Some(self.window as u32),
            counter: Some(self.counter),
            features: match self.patches {
                Patches::Unknown => Features::COBS.and(Features::RESUME),
                _ => Features::COBS.and(Features::RESUME).and(Features::DELTA),
            },
            state: Some(match self.role {
                Role::Application if on_trial => BootState::OnTrial,
                Role::Application => BootState::Running,
                _ if self.primary.is_none() => BootState::NoImage,
                _ => self.stays.unwrap_or(BootState::Requested),
            }),
            rollback: self.rollback.map(|reason| Rollback {
                reason,
                from: from.map(Text::from),
            }),
            trial: on_trial.then_some(Trial {
                left: 1,
                deadline: Some(30),
            }),
            ..Description::default()
        };
        let answer = Response::Bootlace(bootlace::Response::Describe(description));
        smp::encode_response(buffer, header, &answer)
    }

    fn list(&self, header: &Header, buffer: &mut [u8]) -> Result<usize, smp::EncodeError> {
        let entry = |slot: u32, held: &'_ Option<Held>| held.clone().map(|held| (slot, held));
        let held: Vec<_> = [entry(0, &self.primary), entry(1, &self.secondary)]
            .into_iter()
            .flatten()
            .collect();
        let entries: Vec<_> = held
            .iter()
            .map(|(slot, held)| StateEntry {
                slot: *slot,
                version: held.version.as_str().into(),
                hash: Some(&held.hash),
                bootable: true,
                active: *slot == 0,
                confirmed: *slot == 0 && held.confirmed,
                pending: held.pending,
                ..StateEntry::default()
            })
            .collect();
        smp::encode_response(
            buffer,
            header,
            &Response::Img(img::Response::State(entries[..].into())),
        )
    }

    fn mark(
        &mut self,
        header: &Header,
        buffer: &mut [u8],
        hash: Option<&[u8]>,
        confirm: bool,
    ) -> Result<usize, smp::EncodeError> {
        if let Some(fault) = self.denies.filter(|_| confirm) {
            return smp::encode_error(buffer, header, fault, self.reason);
        }
        match (hash, &mut self.primary, &mut self.secondary) {
            (None, Some(held), _) if confirm => held.confirmed = true,
            (Some(hash), _, Some(held)) if held.hash == hash => held.pending = true,
            _ => {
                return smp::encode_error(buffer, header, img::ErrorCode::InvalidHash, Some("no such image"));
            }
        }
        self.list(header, buffer)
    }

    fn take(
        &mut self,
        header: &Header,
        buffer: &mut [u8],
        piece: &Upload<'_>,
    ) -> Result<usize, smp::EncodeError> {
        self.pieces.1 += 1;
        if piece.off == 0 {
            let (Some(len), Some(sha)) = (piece.len, piece.sha) else {
                return smp::encode_error(buffer, header, ErrorCode::Invalid, None);
            };
            if self.upload_sha != sha {
                self.upload.clear();
                self.secondary = None;
            }
            (self.upload_len, self.upload_sha) = (len as usize, sha.to_vec());
        }
        if piece.off as usize == self.upload.len() && self.upload.len() < self.upload_len {
            self.pieces.0 += 1;
            self.upload.extend_from_slice(piece.data);
            assert!(self.upload.len() <= self.upload_len);
            if self.upload.len() == self.upload_len {
                if self.spoil > 0 {
                    self.spoil -= 1;
                    self.upload[600] ^= 1;
                }
                if sha2::Sha256::digest(&self.upload)[..] != self.upload_sha[..] {
                    self.forget_upload();
                    let off = self.upload_len as u32;
                    let answer = img::Response::Upload {
                        off,
                        matched: Some(false),
                    };
                    return smp::encode_response(buffer, header, &Response::Img(answer));
                }
                self.secondary = Held::new(&self.upload, false);
            }
        }
        let off = self.upload.len() as u32;
        let matched = (off as usize == self.upload_len && self.upload_len > 0).then_some(true);
        smp::encode_response(
            buffer,
            header,
            &Response::Img(img::Response::Upload { off, matched }),
        )
    }

    /// As after a cut of the power that came before the first record.
    pub fn forget_upload(&mut self) {
        self.upload.clear();
        self.upload_sha.clear();
    }

    pub fn uploaded(&self) -> &[u8] {
        &self.upload
    }
}
