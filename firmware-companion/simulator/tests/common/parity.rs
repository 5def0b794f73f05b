//! The same bytes to the same code on three machines: natively, as WASM, and on an emulated micro:bit. What they answer
//! and what they leave in flash is the same to the last bit.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic, unreachable_pub)]

use bootlace_core::board::{Identity, Policy};
use bootlace_core::boot::Start;
use bootlace_core::link::Link;
use bootlace_core::trailer::Trailers;
use bootlace_core::{Applier, Companion, Next, Owner};
use bootlace_delta::Method;
use bootlace_delta::make::{Options, make};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::trailer::Mark;
use bootlace_image::{PublicKey, Version};
use bootlace_simulator::{Map, NorFlash, Region, Timing};
use bootlace_smp::bootlace::Reset;
use bootlace_smp::frame::{self, Framing};
use bootlace_smp::{self as smp, Request, bootlace, img, os};
use sha2::{Digest as _, Sha256};

/// Bytes of the stream.
pub const LEN: usize = 50_000;
/// Where the part of flash begins that is compared: behind the bootloader.
pub const FLASH_START: usize = 44 * 1024;
/// SHA-256 of replies and flash, as all three machines have it. They change with what a board answers: run the
/// simulator's test of this name and put down what it found.
pub const DIGESTS: [&str; 2] = [
    "58df33523a85e39bbe9373d851fe000067c2e70c9ab0a1809dba22f70aa14e06",
    "c7f742440986024a21ce2ec86a48937441ba0a8144f2f8954a92d4d856467547",
];

const PAGE: u32 = 1024;
/// The board's frame, window and memory.
const LINK: (usize, usize, usize) = (1088, 1, Link::<Vec<u8>>::memory(1088, 1));

/// A generator that is the same everywhere (xorshift32).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }
}

fn framed(framing: Framing, version: smp::Version, sequence: u8, request: &Request) -> Vec<u8> {
    let mut packet = [0; 1400];
    let len = smp::encode_request(&mut packet, version, sequence, request).unwrap();
    let mut wire = Vec::new();
    frame::encode(framing, &packet[..len], |bytes| wire.extend_from_slice(bytes));
    wire
}

/// A small image that the board's key signed.
fn image() -> (Vec<u8>, [u8; 32]) {
    let key = SigningKey::from_pem(include_str!("../../../boards/keys/demo.pem")).unwrap();
    let mut random = Random(9);
    let mut payload: Vec<u8> = (0..5000).map(|_| random.next() as u8).collect();
    payload[4..8].copy_from_slice(&0xB901_u32.to_le_bytes());
    let version = Version {
        major: 3,
        minor: 1,
        revision: 4,
        build: 1,
    };
    let builder = ImageBuilder::new(payload).version(version).sign(&key);
    (builder.build(), builder.digest())
}

/// A patch that makes the image from nothing, or from a base that the board has not.
fn patch(image: &[u8], method: Method) -> Vec<u8> {
    let options = Options {
        method: Some(method),
        ..Options::default()
    };
    make(&image[..3000], image, &options).bytes
}

/// Requests good, bad, altered and cut short, and noise between them; none that resets the board. The host waits after each
/// until the board has answered: one that does not is told that the board is busy, which depends on the chip's speed.
pub fn stream() -> Vec<Vec<u8>> {
    let (image, hash) = image();
    let sha: [u8; 32] = Sha256::digest(&image).into();
    let mut random = Random(0x1357_9BDF);
    let (mut out, mut sequence, mut at) = (Vec::new(), 0u8, 0);
    let mut len = 0;
    let (full, plain) = (patch(&image, Method::Full), patch(&image, Method::Plain));
    let upload: Asked = |piece| Request::Img(img::Request::Upload(piece));
    let apply: Asked = |piece| Request::Bootlace(bootlace::Request::Patch(piece));
    let mut whole = [(20_000, &image, upload), (40_000, &full, apply)]
        .into_iter()
        .peekable();
    while len < LEN {
        if let Some((_, file, asked)) = whole.next_if(|&(from, ..)| len > from) {
            len += undisturbed(&mut out, file, asked, &hash);
            at = 0;
        }
        sequence = sequence.wrapping_add(1);
        let framing = [Framing::Cobs, Framing::Console, Framing::Raw][random.below(3)];
        let version = [smp::Version::V1, smp::Version::V2][random.below(2)];
        let text: String = (0..random.below(200))
            .map(|place| char::from(b'a' + (place % 26) as u8))
            .collect();
        let end = image.len().min(at + 1 + random.below(700));
        let piece = img::Upload {
            off: at as u32,
            len: (at == 0).then_some(image.len() as u32),
            sha: (at == 0).then_some(sha.as_slice()),
            data: &image[at..end],
            ..img::Upload::default()
        };
        let mut other = hash;
        other[random.below(32)] ^= random.next() as u8;
        let request = match random.below(24) {
            0 => Request::Os(os::Request::Echo(text.as_str().into())),
            1 => Request::Os(os::Request::Params),
            2 => Request::Os(os::Request::Info {
                format: Some(text.as_str().into()),
            }),
            3 => Request::Os(os::Request::Bootloader {
                query: Some("mode".into()),
            }),
            4 => Request::Img(img::Request::State),
            5 => Request::Img(img::Request::SlotInfo),
            6 => Request::Img(img::Request::SetState {
                hash: Some(&hash),
                confirm: false,
            }),
            7 => Request::Img(img::Request::SetState {
                hash: Some(&other),
                confirm: true,
            }),
            8 => Request::Img(img::Request::SetState {
                hash: None,
                confirm: true,
            }),
            9 if random.below(2) == 0 => Request::Bootlace(bootlace::Request::Journal),
            9 => Request::Bootlace(bootlace::Request::Describe),
            10 if random.below(3) == 0 => Request::Img(img::Request::Erase { slot: None }),
            10 => Request::Img(img::Request::Erase { slot: Some(0) }),
            11 => Request::Img(img::Request::Upload(img::Upload {
                off: random.next() % 6000,
                ..piece
            })),
            12 => Request::Img(img::Request::Upload(img::Upload {
                image: Some(7),
                ..piece
            })),
            // Out of order, twice, or where an image is under way; now and then with what it needs to begin.
            13 | 14 => {
                let file = if random.below(4) == 0 { &plain } else { &full };
                let off = [0, 0, 64, random.below(file.len())][random.below(4)];
                apply(img::Upload {
                    off: off as u32,
                    len: (off == 0).then_some(file.len() as u32),
                    sha: (off == 0 && random.below(2) == 0).then_some(sha.as_slice()),
                    data: &file[off..file.len().min(off + 1 + random.below(700))],
                    ..img::Upload::default()
                })
            }
            _ => Request::Img(img::Request::Upload(piece)),
        };
        let is_piece = request == Request::Img(img::Request::Upload(piece));
        let mut wire = framed(framing, version, sequence, &request);
        match random.below(12) {
            // A bit is lost on a line with a CRC: the frame is.
            0 if framing != Framing::Raw => {
                let place = random.below(wire.len());
                wire[place] ^= 1 << random.below(8);
            }
            1 => wire.truncate(random.below(wire.len())),
            2 => wire
                .splice(0..0, b"some words that a program says\r\n".iter().copied())
                .for_each(drop),
            _ if is_piece => at = if end == image.len() { 0 } else { end },
            _ => {}
        }
        len += wire.len();
        out.push(wire);
    }
    out
}

/// How a piece of a file is asked for.
type Asked = for<'p> fn(img::Upload<'p>) -> Request<'p>;

/// An upload or a patch without a fault, and the image marked for a trial. Returns its bytes.
fn undisturbed(out: &mut Vec<Vec<u8>>, file: &[u8], asked: Asked, hash: &[u8]) -> usize {
    let sha: [u8; 32] = Sha256::digest(file).into();
    // What is still awaited of a raw packet that was cut short.
    let first = out.len();
    out.push(vec![0; 1200]);
    let mut ask = |request| out.push(framed(Framing::Cobs, smp::Version::V2, 0, &request));
    ask(Request::Img(img::Request::Erase { slot: None }));
    for (piece, off) in file.chunks(700).zip((0..).step_by(700)) {
        let first = off == 0;
        ask(asked(img::Upload {
            off,
            len: first.then_some(file.len() as u32),
            sha: first.then_some(sha.as_slice()),
            data: piece,
            ..img::Upload::default()
        }));
    }
    let hash = Some(hash);
    ask(Request::Img(img::Request::SetState { hash, confirm: false }));
    ask(Request::Img(img::Request::State));
    out.iter().skip(first).map(Vec::len).sum()
}

/// What the micro:bit makes of the stream.
pub struct Run {
    /// Its replies.
    pub replies: Vec<u8>,
    /// Bytes of them after each part of the stream.
    pub answered: Vec<usize>,
    /// Its flash behind the bootloader.
    pub flash: Vec<u8>,
    /// How many images it found good.
    pub good: usize,
}

/// The same from the same code without a chip.
pub fn run(stream: &[Vec<u8>]) -> Run {
    let region = |first: u32, count: u32| Region {
        offset: first * PAGE,
        size: count * PAGE,
        erase: PAGE,
    };
    let map = Map {
        state: region(44, 2),
        primary: region(46, 104),
        secondary: region(150, 105),
        golden: None,
    };
    let mut flash = NorFlash::new(0, map, 4, Timing { erase_4k: 0, word: 0 });
    let keys = [PublicKey::from_pem(include_str!("../../../boards/keys/demo.pub.pem")).unwrap()];
    let board = Identity {
        name: "BBC micro:bit",
        // What QEMU's chip is called.
        serial: SERIAL,
        vendor: None,
        class: None,
        keys: &keys,
        policy: Policy {
            deadline: 30,
            // The key is the demonstration's: the board's own build does not know it.
            development_keys: true,
            ..Policy::default()
        },
    };
    let start = Start {
        reset: Reset::Pin,
        requested: false,
        held: false,
        gave_up: None,
    };
    let mut companion = Companion::new(&mut flash, &board, start);
    let mut link = Link::new(vec![0; LINK.2], LINK.0, LINK.1).unwrap();
    let mut applier = Box::new(Applier::new());
    let (mut replies, mut answered, mut good) = (Vec::new(), Vec::new(), 0);
    let mut parts = stream.iter();
    let mut rest: &[u8] = &[];
    let mut marked = false;
    loop {
        let taken = if companion.is_serving() {
            link.feed(rest)
        } else {
            0
        };
        rest = &rest[taken..];
        let mut piece = [0; 64];
        let sent = link.transmit(&mut piece);
        replies.extend_from_slice(&piece[..sent]);
        let before = flash.operations();
        if companion.is_checking() {
            // The chip needs its memory for the check.
            *applier = Applier::new();
        }
        let next = companion.poll(&mut flash, &mut link, 0, Some(&mut applier));
        assert!(
            flash.operations() <= before + 1,
            "more than one operation at once"
        );
        // An image is marked when its check has found it good.
        let is_marked = Trailers::read(&mut flash).secondary.magic == Mark::Set;
        good += usize::from(is_marked && !marked);
        marked = is_marked;
        match next {
            Next::Idle { .. } if taken == 0 && sent == 0 => {
                assert!(
                    rest.is_empty() || !companion.is_serving(),
                    "{} bytes are left",
                    rest.len()
                );
                answered.push(replies.len());
                match parts.next() {
                    Some(part) => rest = part,
                    None => break,
                }
            }
            Next::Idle { .. } | Next::Again => {}
            other => panic!("nobody asked for {other:?}"),
        }
    }
    // Before the first part there is nothing to answer.
    answered.remove(0);
    Run {
        replies,
        answered,
        flash: flash.bytes()[FLASH_START..].to_vec(),
        good,
    }
}

const SERIAL: &str = "1234567800000003";

/// The digest of one of both.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
