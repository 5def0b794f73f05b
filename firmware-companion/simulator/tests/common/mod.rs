//! A host that talks to a simulated board, one request at a time.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic, unreachable_pub)]

pub use bootlace_client::Refusal;
use bootlace_client::{Asker, Client, ClientError, Content};
use bootlace_core::trailer::{Fields, TrailerWrite};
use bootlace_delta::Method;
use bootlace_delta::make::{Options, make};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::trailer::SwapType;
use bootlace_image::{Algorithm, Version};
use bootlace_simulator::{Area, Config, NorFlash, SimulatedBoard};
use bootlace_smp::frame::Framing;
use bootlace_smp::{Request, Response, bootlace, img};

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
    payload[4..8].copy_from_slice(&(address + 0x201).to_le_bytes());
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
pub const ADDRESS: u32 = 0x0800_A000;

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

/// Asks for a test of what is in the secondary slot as an application may that is its own judge: it writes MCUboot's trailer.
pub fn mark_for_test(flash: &mut NorFlash) {
    let fields = Fields {
        swap: SwapType::Test,
        copy_done: false,
        image_ok: false,
    };
    let mut trailer = TrailerWrite::new(Area::Secondary, fields);
    while !trailer.step(flash).unwrap() {}
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
    /// Numbering, framing, and the bytes of a file in one packet.
    pub asker: Asker,
    /// Microseconds that an answer may take.
    patience: u64,
}

/// Microseconds that any answer may take.
const PATIENCE: u64 = 30_000_000;

impl Client for Host {
    fn asker(&mut self) -> &mut Asker {
        &mut self.asker
    }

    fn exchange(&mut self, wire: &[u8]) -> Result<Option<Vec<u8>>, ClientError> {
        let (mut sent, end) = (0, self.now + self.patience);
        while self.now < end {
            sent += self.board.receive(self.now, &wire[sent..]);
            let mut got = Vec::new();
            self.board.transmit(self.now, &mut got);
            if let Some(packet) = self.asker.answer(&got)? {
                return Ok(Some(packet));
            }
            let next = self.board.next_deadline().unwrap_or(self.now + 1000);
            self.now = next.clamp(self.now + 1, self.now + 1000);
            self.board.advance(self.now);
        }
        Ok(None)
    }
}

/// A refusal is a result that tests look at; anything else that is no answer fails the test.
fn refused<T>(result: Result<T, ClientError>) -> Result<T, Refusal> {
    result.map_err(|error| error.refusal().unwrap())
}

impl Host {
    pub fn new(board: SimulatedBoard) -> Self {
        Host {
            board,
            now: 0,
            asker: Asker::new(Framing::Cobs, 1024),
            patience: PATIENCE,
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

    /// What the board answers, a refusal included.
    pub fn ask<T>(&mut self, request: &Request, read: impl FnOnce(Response) -> T) -> T {
        let answer = self.try_ask(request, read).unwrap();
        answer.unwrap_or_else(|| panic!("no answer to {request:?}"))
    }

    /// Asks with less patience, in microseconds.
    pub fn with_patience<T>(&mut self, patience: u64, ask: impl FnOnce(&mut Self) -> T) -> T {
        self.patience = patience;
        let answer = ask(self);
        self.patience = PATIENCE;
        answer
    }

    /// Uploads from wherever the board says; the whole file's digest names it.
    pub fn upload(&mut self, file: &[u8]) -> Option<bool> {
        self.upload_part(file, file.len())
    }

    /// The same, up to an offset.
    pub fn upload_part(&mut self, file: &[u8], end: usize) -> Option<bool> {
        self.send(file, end, Content::Image).unwrap().matched
    }

    /// Sends the first 512 bytes of a file.
    pub fn begin(&mut self, file: &[u8]) -> Result<usize, Refusal> {
        refused(Client::piece(self, file, 0, Content::Image)).map(|(off, _)| off)
    }

    /// Sends these bytes for an offset, and gives the offset that the board wants next.
    pub fn piece(&mut self, off: usize, data: &[u8]) -> Result<usize, Refusal> {
        let piece = img::Upload {
            off: off as u32,
            data,
            ..img::Upload::default()
        };
        let request = Request::Img(img::Request::Upload(piece));
        refused(Client::ask(self, &request, |response| match response {
            Response::Img(img::Response::Upload { off, .. }) => Some(*off as usize),
            _ => None,
        }))
    }

    /// Sends the piece of a patch from an offset on; the answer.
    pub fn patch_piece(&mut self, patch: &[u8], off: usize) -> Result<(usize, Option<bool>), Refusal> {
        refused(Client::piece(self, patch, off, Content::Patch))
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

    pub fn set_state(&mut self, hash: Option<[u8; 32]>, confirm: bool) -> Result<(), Refusal> {
        refused(Client::set_state(self, hash.as_ref(), confirm))
    }

    /// Has the board restart, and waits until it does.
    pub fn reset(&mut self, boot_mode: Option<u8>) {
        Client::reset(self, boot_mode.is_some()).unwrap();
        // The reset comes when the answer has left.
        let resets = self.board.resets();
        while self.board.resets() == resets {
            self.now += 1000;
            self.board.transmit(self.now, &mut Vec::new());
        }
    }

    /// Version, active, confirmed, pending of each slot that holds an image.
    pub fn list(&mut self) -> Vec<(u32, String, bool, bool, bool)> {
        let slots = Client::list(self).unwrap().into_iter();
        slots
            .map(|it| (it.slot, it.version, it.active, it.confirmed, it.pending))
            .collect()
    }

    /// The board's last updates, newest first.
    pub fn journal(&mut self) -> Vec<bootlace::JournalEntry> {
        Client::journal(self).unwrap()
    }

    pub fn describe<T>(&mut self, read: impl FnOnce(&bootlace::Description) -> T) -> T {
        Client::describe(self, read).unwrap()
    }
}
