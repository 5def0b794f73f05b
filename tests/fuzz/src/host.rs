//! What page and command line are given: any bytes as a file, and a board that lies.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bootlace_engine::{
    Base, CheckedImage, Event, FileKind, Instant, Job, Options, Outcome, Phase, PortEvent, PortInfo, Session,
    Transmit, read_keys, visible, words,
};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Policy, Version};
use bootlace_smp::bootlace::{BootState, Description, Features, Release, Role, Slot, Trial};
use bootlace_smp::frame::{self, Decoder, Framing};
use bootlace_smp::img::StateEntry;
use bootlace_smp::{self as smp, ErrorCode, Header, Request, Response, bootlace, img, os};

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::from_seed(Algorithm::Ed25519, &[5; 32]).expect("a valid seed"))
}

const ADDRESS: u32 = 0x0800_0000;
const LEN: usize = 3000;

/// An image of version `major`.0.0 that a Cortex-M can start.
fn image(major: u8) -> Vec<u8> {
    let mut payload = vec![major; LEN];
    let vectors = [0x2000_4000, ADDRESS + 0x401];
    for (place, word) in payload.chunks_exact_mut(4).zip(vectors) {
        place.copy_from_slice(&u32::to_le_bytes(word));
    }
    let version = Version {
        major,
        ..Version::default()
    };
    ImageBuilder::new(payload).version(version).sign(key()).build()
}

/// Any bytes as a file: named, read as an image, as keys, as what a patch starts from.
pub fn files(data: &[u8]) {
    let kind = FileKind::of(data);
    if let Err(error) = read_keys(data) {
        assert!(!words::error(&error).what.is_empty(), "{error:?}");
    }
    let _ = Base::of(data);
    let checked = match CheckedImage::new(data.to_vec()) {
        Ok(checked) => checked,
        Err(error) => {
            let said = words::error(&error);
            assert!(
                !said.what.is_empty() && said.next.ends_with('.'),
                "{kind:?} {said:?}"
            );
            return;
        }
    };
    assert!(checked.bytes().len() <= data.len());
    let keys = [key().public()];
    if checked.verify(&keys, &Policy::default()).is_ok() {
        assert!(checked.intact().is_ok(), "signed, and not whole");
    }
    let _ = (
        checked.startable(Some(ADDRESS)),
        checked.dependencies(),
        checked.start(),
    );
}

/// The image that the lying board is to be brought to.
fn target() -> &'static Arc<CheckedImage> {
    static TARGET: OnceLock<Arc<CheckedImage>> = OnceLock::new();
    TARGET.get_or_init(|| Arc::new(CheckedImage::new(image(2)).expect("an image")))
}

/// Virtual time after which every update must be over: the engine's own patience is twenty minutes at most.
const LONGEST: Duration = Duration::from_secs(3 * 3600);
/// Steps that a session may take; one that answers itself for ever takes more.
const MOST_TURNS: u32 = 200_000;

/// A board that answers what the input says, and nothing when it is used up: the session comes to an end, "confirmed" is only
/// said where the board has listed that very image as confirmed, and no text of the board steers a terminal.
pub fn session(data: &[u8]) {
    let mut board = Liar {
        script: data,
        decoder: Decoder::new(),
        buffer: vec![0; 4096],
        has_listed: false,
    };
    let mut now = Instant(1_000_000);
    let end = now + LONGEST;
    let mut session = Session::new(now);
    let (mut started, mut over) = (false, false);
    for _ in 0..MOST_TURNS {
        while let Some(Transmit::Bytes(bytes)) = session.poll_transmit() {
            let answer = board.answer(&bytes);
            if !answer.is_empty() {
                now = now + Duration::from_millis(1);
                session.handle_input(now, &answer);
            }
        }
        let mut find = false;
        while let Some(event) = session.poll_event() {
            match event {
                Event::Phase(Phase::Ready) if !started => {
                    started = true;
                    let job = Job::Update {
                        image: Arc::clone(target()),
                        patch: None,
                        options: Options {
                            keys: vec![key().public()],
                            ..Options::default()
                        },
                    };
                    over |= session.start(now, job).is_err();
                }
                Event::Outcome(outcome) => {
                    let is_done = matches!(outcome, Outcome::Confirmed { .. });
                    assert!(!is_done || board.has_listed, "done, and the board never said so");
                    over = true;
                }
                Event::Board(board) => {
                    let said = words::tables::board(&board).to_string();
                    assert_eq!(said, visible(&said), "the board steers a terminal");
                }
                Event::Failed(failure) => {
                    let said = words::failure(&failure).what;
                    assert_eq!(said, visible(&said), "the board steers a terminal");
                    over = true;
                }
                Event::FindBoard { .. } | Event::WrongBoard { .. } => find = true,
                _ => {}
            }
        }
        if find {
            now = now + Duration::from_millis(100);
            session.handle_port(now, PortEvent::Opened(PortInfo::default()));
            continue;
        }
        if over {
            return;
        }
        let Some(due) = session.poll_timeout() else { return };
        now = now.max(due);
        assert!(now <= end, "no end after {LONGEST:?}");
        session.handle_timeout(now);
    }
    panic!("no end after {MOST_TURNS} turns");
}

struct Liar<'d> {
    script: &'d [u8],
    decoder: Decoder,
    buffer: Vec<u8>,
    /// The board has listed the target as confirmed where images run.
    has_listed: bool,
}

impl Liar<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.script.split_first()?;
        self.script = rest;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.script.split_at(len.min(self.script.len()));
        self.script = rest;
        taken.to_vec()
    }

    /// A text of the input's choice, where a byte says so that is rare in answers that make sense.
    fn text(&mut self) -> Option<String> {
        let len = self.script.first()?.checked_sub(0xF0)?;
        _ = self.next();
        Some(String::from_utf8_lossy(&self.take(len.into())).into_owned())
    }

    /// What comes back for what was sent.
    fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (mut rest, mut out) = (bytes, Vec::new());
        while !rest.is_empty() {
            let (taken, frame) = self.decoder.feed(&mut self.buffer, rest);
            rest = &rest[taken..];
            if let Some(frame) = frame {
                let packet = self.buffer[..frame.len].to_vec();
                out.extend(self.answer_packet(frame.framing, &packet));
            }
        }
        out
    }

    fn answer_packet(&mut self, framing: Framing, packet: &[u8]) -> Vec<u8> {
        let Ok((header, payload)) = Header::parse(packet) else {
            return Vec::new();
        };
        let Some(how) = self.next() else {
            return Vec::new();
        };
        let mut answer = vec![0; 1024];
        let len = match how % 8 {
            0 => return Vec::new(),
            1 => {
                let len = usize::from(self.next().unwrap_or(0) % 64);
                return self.take(len);
            }
            2 => {
                let len = usize::from(self.next().unwrap_or(0) % 64);
                let payload = self.take(len);
                let said = Header {
                    len: payload.len() as u16,
                    ..header.response(0)
                };
                answer = [said.to_bytes().as_slice(), &payload].concat();
                Ok(answer.len())
            }
            3 => {
                let code = ErrorCode::from_rc(u16::from(how >> 3)).unwrap_or(ErrorCode::Unknown);
                let reason = self.text();
                smp::encode_error(&mut answer, &header, code, reason.as_deref())
            }
            _ => self.plausible(&header, payload, &mut answer),
        };
        let Ok(len) = len else { return Vec::new() };
        answer.truncate(len);
        self.notice(&answer);
        let mut out = Vec::new();
        frame::encode(framing, &answer, |piece| out.extend_from_slice(piece));
        out
    }

    /// An answer as boards give it, with facts of the input's choice.
    fn plausible(
        &mut self,
        header: &Header,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, smp::EncodeError> {
        let fact = self.next().unwrap_or(0);
        let bit = |at: u8| fact >> at & 1 == 1;
        let (old, new) = (CheckedImage::new(image(1)).expect("an image"), target());
        let hashes = [&old, new].map(|image| image.hash().unwrap_or_default());
        match smp::decode_request(header, payload) {
            Ok(Request::Img(img::Request::State | img::Request::SetState { .. })) => {
                let entry = |slot: u32, which: usize| StateEntry {
                    slot,
                    version: ["1.0.0", "2.0.0"][which].into(),
                    hash: (!bit(6)).then(|| hashes[which]),
                    bootable: true,
                    active: slot == 0,
                    confirmed: bit(2) ^ (slot == 1),
                    pending: slot == 1 && bit(3),
                    ..StateEntry::default()
                };
                let entries = [entry(0, usize::from(bit(0))), entry(1, usize::from(bit(1)))];
                let listed = &entries[..1 + usize::from(bit(4))];
                let state = img::Response::State(listed.into());
                smp::encode_response(out, header, &Response::Img(state))
            }
            Ok(Request::Img(img::Request::Upload(piece))) => {
                let due = piece.off + piece.data.len() as u32;
                let off = if bit(0) { u32::from(fact) * 16 } else { due };
                let is_end = off as usize >= new.bytes().len();
                let answer = img::Response::Upload {
                    off,
                    matched: (is_end && bit(1)).then_some(bit(2)),
                };
                smp::encode_response(out, header, &Response::Img(answer))
            }
            Ok(Request::Img(img::Request::Erase { .. })) => {
                smp::encode_response(out, header, &Response::Img(img::Response::Erase))
            }
            Ok(Request::Os(os::Request::Reset { .. })) => {
                smp::encode_response(out, header, &Response::Os(os::Response::Reset))
            }
            Ok(Request::Os(os::Request::Params)) => {
                let params = os::Response::Params {
                    buf_size: u32::from(fact) * 16,
                    buf_count: u32::from(fact % 5),
                };
                smp::encode_response(out, header, &Response::Os(params))
            }
            Ok(Request::Bootlace(bootlace::Request::Describe)) => {
                let state = self.next().map(BootState::from_code);
                let name = self.text();
                let slot = |slot| Slot {
                    slot,
                    addr: ADDRESS,
                    size: 0x1_0000,
                    max: 0xF000,
                    erase: 4096,
                    write: 4,
                };
                let slots = [slot(0), slot(1)];
                let description = Description {
                    board: name.as_deref(),
                    serial: name.as_deref(),
                    role: [Role::Application, Role::Bootloader][usize::from(bit(0))],
                    slots: slots.as_slice().into(),
                    frame: Some(u32::from(fact) * 8),
                    window: Some(u32::from(fact % 5)),
                    counter: bit(1).then_some(0),
                    features: Features(u32::from(fact)),
                    state,
                    trial: bit(5).then_some(Trial {
                        left: 1,
                        deadline: bit(6).then_some(60),
                    }),
                    golden: bit(7).then(Release::default),
                    ..Description::default()
                };
                let described = bootlace::Response::Describe(description);
                smp::encode_response(out, header, &Response::Bootlace(described))
            }
            _ => smp::encode_error(out, header, ErrorCode::NotSupported, None),
        }
    }

    /// Reads an answer as an updater may: does it say that the target runs, confirmed?
    fn notice(&mut self, answer: &[u8]) {
        let Ok((header, payload)) = Header::parse(answer) else {
            return;
        };
        let Ok(Response::Img(img::Response::State(entries))) = smp::decode_response(&header, payload) else {
            return;
        };
        let hash = target().hash().unwrap_or_default();
        self.has_listed |= entries.iter().any(|entry| {
            let is_target = match entry.hash {
                Some(listed) => hash.starts_with(listed) || listed.starts_with(hash),
                None => Version::parse(entry.version.as_str()) == Some(target().version()),
            };
            is_target && entry.confirmed
        });
    }
}

pub(crate) fn file_seeds() -> Vec<Vec<u8>> {
    let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n";
    let mut seeds = vec![
        image(1),
        pem.into(),
        b"\x7FELF\x01\x01\x01".to_vec(),
        b":020000040800F2\r\n".to_vec(),
    ];
    seeds.push(b"PK\x03\x04 signed.bin".to_vec());
    seeds.push(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".to_vec());
    seeds
}

pub(crate) fn session_seeds() -> Vec<Vec<u8>> {
    // A description of an application, a list of the old image, confirmed; then pieces that are taken, and a list with the
    // new image pending, and confirmed.
    let list = |fact| [7, fact];
    let mut good = vec![7, 0x20, 1];
    good.extend(list(0b100));
    for _ in 0..40 {
        good.extend([7, 0]);
    }
    let mut confirmed = good.clone();
    for fact in [0b1_1010, 0b101, 0b101, 0b101] {
        confirmed.extend([7, 0x20, 1]);
        confirmed.extend(list(fact));
    }
    let steering = [
        &[7, 0x20, 1, 0xF7][..],
        b"\x1b[2J\xe2\x80\xae",
        &[3 + 8, 0xF4],
        b"\x1b]0;",
    ]
    .concat();
    vec![good, confirmed, steering, vec![0; 16], (0..=255).collect()]
}
