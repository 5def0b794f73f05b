//! A host that talks to a simulated board, one request at a time.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic, unreachable_pub)]

use bootlace_delta::Method;
use bootlace_delta::make::{Options, make};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Version};
use bootlace_simulator::{Area, Config, NorFlash, SimulatedBoard};
use bootlace_smp::frame::{self, Decoder, Framing};
use bootlace_smp::{self as smp, Header, Request, Response, bootlace, img};
use sha2::{Digest, Sha256};

pub fn key() -> SigningKey {
    SigningKey::from_seed(Algorithm::P256, &[7; 32]).unwrap()
}

/// A signed image of about `len` bytes that starts inside the default board's primary slot.
pub fn image(version: (u8, u8), len: usize, address: u32) -> Vec<u8> {
    builder(version, len, address).sign(&key()).build()
}

pub fn builder(version: (u8, u8), len: usize, address: u32) -> ImageBuilder {
    let mut seed = u32::from(version.0) << 8 | u32::from(version.1);
    let mut payload: Vec<u8> = (0..len)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect();
    payload[..4].copy_from_slice(&0x2000_4000u32.to_le_bytes());
    payload[4..8].copy_from_slice(&(address + 0x401).to_le_bytes());
    ImageBuilder::new(payload).version(Version {
        major: version.0,
        minor: version.1,
        revision: 0,
        build: 0,
    })
}

pub fn config() -> Config {
    Config {
        keys: vec![key().public()],
        ..Config::default()
    }
}

/// Where images of the default board start.
pub const ADDRESS: u32 = 0x0801_0000;

/// An image of version 1.`minor`.
pub fn version(minor: u8) -> Vec<u8> {
    image((1, minor), 20_000, ADDRESS)
}

/// The same with a security counter.
pub fn counted(minor: u8, counter: u32) -> Vec<u8> {
    builder((1, minor), 20_000, ADDRESS)
        .security_counter(counter)
        .sign(&key())
        .build()
}

/// A board that shows its port.
pub fn started(board: SimulatedBoard) -> Host {
    let mut host = Host::new(board);
    assert!(host.wait_for_port());
    host
}

/// A board with this golden image.
pub fn with_golden(config: Config, golden: &[u8], running: Option<&[u8]>) -> SimulatedBoard {
    let config = config.with_golden();
    let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
    flash.flash_area(Area::Golden, golden);
    if let Some(image) = running {
        flash.flash_primary(image);
    }
    SimulatedBoard::with_flash(config, flash).unwrap()
}

pub fn hash_of(image: &[u8]) -> [u8; 32] {
    let mut source = image;
    let parsed = bootlace_image::Image::read(&mut source).unwrap();
    parsed.hash(&mut source).unwrap().as_bytes().try_into().unwrap()
}

/// What a host can know of a refusal: group and code.
pub type Refusal = (Option<u16>, u16);

/// A patch between two files; the base is what the old one's digest covers.
pub fn patch(old: &[u8], new: &[u8], method: Option<Method>) -> Vec<u8> {
    let mut source = old;
    let covered = bootlace_image::Image::read(&mut source).unwrap().covered_len();
    let options = Options {
        method,
        ..Options::default()
    };
    make(&old[..covered as usize], new, &options).bytes
}

pub struct Host {
    pub board: SimulatedBoard,
    pub now: u64,
    pub framing: Framing,
    /// Bytes of a patch in one packet.
    pub piece: usize,
    seq: u8,
}

impl Host {
    pub fn new(board: SimulatedBoard) -> Self {
        Host {
            board,
            now: 0,
            framing: Framing::Cobs,
            piece: 1024,
            seq: 0,
        }
    }

    /// A minute goes by.
    pub fn settle(&mut self) {
        self.now += 60_000_000;
        self.board.advance(self.now);
    }

    /// Uploads an image, marks it, restarts, and gives it a minute.
    pub fn update(&mut self, new: &[u8]) {
        assert_eq!(self.upload(new), Some(true));
        assert_eq!(self.set_state(Some(hash_of(new)), false), Ok(()));
        self.reset(None);
        assert!(self.wait_for_port());
        self.settle();
        assert!(self.wait_for_port());
    }

    /// Lets time pass until the board has a port; false after a minute without one.
    pub fn wait_for_port(&mut self) -> bool {
        let end = self.now + 60_000_000;
        while self.board.port().is_none() {
            if self.now >= end {
                return false;
            }
            self.now += 10_000;
            self.board.advance(self.now);
        }
        true
    }

    /// The answer's packet; `None` where the board does not answer within `patience` microseconds.
    pub fn ask_within(&mut self, request: &Request, patience: u64) -> Option<Vec<u8>> {
        self.seq = self.seq.wrapping_add(1);
        let mut packet = [0; 4096];
        let len = smp::encode_request(&mut packet, smp::Version::V2, self.seq, request).unwrap();
        let mut wire = Vec::new();
        frame::encode(self.framing, &packet[..len], |bytes| {
            wire.extend_from_slice(bytes)
        });
        let (mut sent, mut decoder, mut buffer) = (0, Decoder::new(), vec![0; 4096]);
        let end = self.now + patience;
        while self.now < end {
            sent += self.board.receive(self.now, &wire[sent..]);
            let mut got = Vec::new();
            self.board.transmit(self.now, &mut got);
            let mut rest = got.as_slice();
            while !rest.is_empty() {
                let (taken, frame) = decoder.feed(&mut buffer, rest);
                rest = &rest[taken..];
                if let Some(frame) = frame {
                    let answer = buffer[..frame.len].to_vec();
                    if Header::parse(&answer).is_ok_and(|(header, _)| header.seq == self.seq) {
                        return Some(answer);
                    }
                }
            }
            let next = self.board.next_deadline().unwrap_or(self.now + 1000);
            self.now = next.clamp(self.now + 1, self.now + 1000);
            self.board.advance(self.now);
        }
        None
    }

    pub fn ask<T>(&mut self, request: &Request, read: impl FnOnce(Response) -> T) -> T {
        let answer = self
            .ask_within(request, 30_000_000)
            .unwrap_or_else(|| panic!("no answer to {request:?}"));
        let (header, payload) = Header::parse(&answer).unwrap();
        read(smp::decode_response(&header, payload).unwrap())
    }

    /// Uploads from wherever the board says; the whole file's digest names it.
    pub fn upload(&mut self, file: &[u8]) -> Option<bool> {
        self.upload_part(file, file.len())
    }

    /// The same, up to an offset.
    pub fn upload_part(&mut self, file: &[u8], end: usize) -> Option<bool> {
        let sha: [u8; 32] = Sha256::digest(file).into();
        let mut off = 0;
        loop {
            let data = &file[off..file.len().min(off + 1024)];
            let first = off == 0;
            let piece = img::Upload {
                off: off as u32,
                len: first.then_some(file.len() as u32),
                sha: first.then_some(sha.as_slice()),
                data,
                ..img::Upload::default()
            };
            let (next, matched) =
                self.ask(
                    &Request::Img(img::Request::Upload(piece)),
                    |response| match response {
                        Response::Img(img::Response::Upload { off, matched }) => (off as usize, matched),
                        other => panic!("{other:?}"),
                    },
                );
            off = next;
            if off >= end {
                return matched;
            }
        }
    }

    /// Sends the first 512 bytes of a file.
    pub fn begin(&mut self, file: &[u8]) -> Result<usize, (Option<u16>, u16)> {
        let sha: [u8; 32] = Sha256::digest(file).into();
        self.send(img::Upload {
            len: Some(file.len() as u32),
            sha: Some(&sha),
            data: &file[..512],
            ..img::Upload::default()
        })
    }

    /// Sends the bytes at an offset, and gives the offset that the board wants next.
    pub fn piece(&mut self, off: usize, data: &[u8]) -> Result<usize, (Option<u16>, u16)> {
        self.send(img::Upload {
            off: off as u32,
            data,
            ..img::Upload::default()
        })
    }

    fn send(&mut self, piece: img::Upload) -> Result<usize, (Option<u16>, u16)> {
        self.ask(
            &Request::Img(img::Request::Upload(piece)),
            |response| match response {
                Response::Img(img::Response::Upload { off, .. }) => Ok(off as usize),
                Response::Failure(failure) => Err((failure.group, failure.rc)),
                other => panic!("{other:?}"),
            },
        )
    }

    /// Sends the piece of a patch from an offset on; the answer.
    pub fn patch_piece(&mut self, patch: &[u8], off: usize) -> Result<(usize, Option<bool>), Refusal> {
        let sha: [u8; 32] = Sha256::digest(patch).into();
        let first = off == 0;
        let piece = img::Upload {
            off: off as u32,
            len: first.then_some(patch.len() as u32),
            sha: first.then_some(sha.as_slice()),
            data: &patch[off..patch.len().min(off + self.piece)],
            ..img::Upload::default()
        };
        self.ask(
            &Request::Bootlace(bootlace::Request::Patch(piece)),
            |response| match response {
                Response::Bootlace(bootlace::Response::Patch { off, matched }) => Ok((off as usize, matched)),
                Response::Failure(failure) => Err((failure.group, failure.rc)),
                other => panic!("{other:?}"),
            },
        )
    }

    /// Sends a patch from wherever the board says.
    pub fn patch(&mut self, patch: &[u8]) -> Result<Option<bool>, Refusal> {
        let mut off = 0;
        for _ in 0..patch.len() + 10 {
            let (next, matched) = self.patch_piece(patch, off)?;
            if matched.is_some() || next == patch.len() {
                return Ok(matched);
            }
            off = next;
        }
        panic!("the patch does not come to an end");
    }

    pub fn set_state(&mut self, hash: Option<[u8; 32]>, confirm: bool) -> Result<(), (Option<u16>, u16)> {
        let hash = hash.as_ref().map(|hash| hash.as_slice());
        self.ask(
            &Request::Img(img::Request::SetState { hash, confirm }),
            |response| match response {
                Response::Img(img::Response::State(_)) => Ok(()),
                Response::Failure(failure) => Err((failure.group, failure.rc)),
                other => panic!("{other:?}"),
            },
        )
    }

    pub fn reset(&mut self, boot_mode: Option<u8>) {
        let request = Request::Os(smp::os::Request::Reset {
            force: false,
            boot_mode,
        });
        self.ask(&request, |response| {
            assert_eq!(response, Response::Os(smp::os::Response::Reset))
        });
        // The reset comes when the answer has left.
        let resets = self.board.resets();
        while self.board.resets() == resets {
            self.now += 1000;
            self.board.transmit(self.now, &mut Vec::new());
        }
    }

    /// Version, active, confirmed, pending of each slot that holds an image.
    pub fn list(&mut self) -> Vec<(u32, String, bool, bool, bool)> {
        self.ask(&Request::Img(img::Request::State), |response| match response {
            Response::Img(img::Response::State(images)) => images
                .iter()
                .map(|e| (e.slot, e.version.to_owned(), e.active, e.confirmed, e.pending))
                .collect(),
            other => panic!("{other:?}"),
        })
    }

    /// The board's last updates, newest first.
    pub fn journal(&mut self) -> Vec<bootlace::JournalEntry> {
        self.ask(
            &Request::Bootlace(bootlace::Request::Journal),
            |response| match response {
                Response::Bootlace(bootlace::Response::Journal(updates)) => updates.iter().collect(),
                other => panic!("{other:?}"),
            },
        )
    }

    pub fn describe<T>(&mut self, read: impl FnOnce(bootlace::Description) -> T) -> T {
        self.ask(
            &Request::Bootlace(bootlace::Request::Describe),
            |response| match response {
                Response::Bootlace(bootlace::Response::Describe(description)) => read(description),
                other => panic!("{other:?}"),
            },
        )
    }
}
