//! Any client: what stock clients send, and what strangers may.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use bootlace_core::flash::Area;
use bootlace_image::{Flags, TlvKind};
use bootlace_simulator::{NorFlash, SimulatedBoard};
use bootlace_smp::frame::{self, Decoder, Framing};
use bootlace_smp::{self as smp, ErrorCode, Header, Request, Response, Text, Version, img, os};
use common::{ADDRESS, builder, config, hash_of, key, version};
use sha2::{Digest, Sha256};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A line on which anything can be sent at any time.
struct Line {
    board: SimulatedBoard,
    now: u64,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Line {
    fn new(board: SimulatedBoard) -> Self {
        let mut line = Line {
            board,
            now: 0,
            decoder: Decoder::new(),
            buffer: vec![0; 4096],
        };
        while line.board.port().is_none() {
            line.now += 10_000;
            line.board.advance(line.now);
        }
        line
    }

    /// Sends bytes, and gives the packets that have come back after so many milliseconds.
    fn say(&mut self, wire: &[u8], millis: u64) -> Vec<Vec<u8>> {
        let (mut sent, mut packets) = (0, Vec::new());
        let end = self.now + millis * 1000;
        while self.now < end {
            sent += self.board.receive(self.now, &wire[sent..]);
            let mut got = Vec::new();
            self.board.transmit(self.now, &mut got);
            let mut rest = got.as_slice();
            while !rest.is_empty() {
                let (taken, complete) = self.decoder.feed(&mut self.buffer, rest);
                rest = &rest[taken..];
                packets.extend(complete.map(|frame| self.buffer[..frame.len].to_vec()));
            }
            let next = self.board.next_deadline().unwrap_or(end);
            self.now = next.clamp(self.now + 1, self.now + 1000);
            self.board.advance(self.now);
        }
        packets
    }

    /// Asks, and reads the one answer.
    fn ask<T>(&mut self, seq: u8, request: &Request, millis: u64, read: impl Fn(Response) -> T) -> T {
        let packets = self.say(&wire(Framing::Console, seq, request), millis);
        let [packet] = packets.as_slice() else {
            panic!("{} answers to {request:?}", packets.len());
        };
        answer(packet, read)
    }

    fn listed(&mut self, seq: u8) -> Vec<(u32, Vec<u8>, bool)> {
        let request = Request::Img(img::Request::State);
        self.ask(seq, &request, 2000, |response| match response {
            Response::Img(img::Response::State(images)) => images
                .iter()
                .map(|entry| {
                    (
                        entry.slot,
                        entry.hash.unwrap_or_default().to_vec(),
                        entry.bootable,
                    )
                })
                .collect(),
            other => panic!("{other:?}"),
        })
    }

    /// Sends a whole file in pieces of this many bytes; whether it matched.
    fn upload(&mut self, file: &[u8], len: usize, named: bool) -> Option<bool> {
        let (mut off, mut matched) = (0, None);
        while off < file.len() {
            let (next, done) = self.ask(off as u8, &piece(file, off, len, named), 1000, received);
            (off, matched) = (next, done);
        }
        matched
    }
}

fn wire(framing: Framing, seq: u8, request: &Request) -> Vec<u8> {
    let mut packet = [0; 4096];
    let len = smp::encode_request(&mut packet, Version::V2, seq, request).unwrap();
    let mut wire = Vec::new();
    frame::encode(framing, &packet[..len], |bytes| wire.extend_from_slice(bytes));
    wire
}

fn answer<T>(packet: &[u8], read: impl FnOnce(Response) -> T) -> T {
    let (header, payload) = Header::parse(packet).unwrap();
    read(smp::decode_response(&header, payload).unwrap())
}

fn received(response: Response) -> (usize, Option<bool>) {
    match response {
        Response::Img(img::Response::Upload { off, matched }) => (off as usize, matched),
        other => panic!("{other:?}"),
    }
}

/// The piece of a file at `off`; its digest is announced where it is `named`.
fn piece(file: &[u8], off: usize, len: usize, named: bool) -> Request<'_> {
    let first = off == 0;
    let sha: [u8; 32] = Sha256::digest(file).into();
    Request::Img(img::Request::Upload(img::Upload {
        off: off as u32,
        len: first.then_some(file.len() as u32),
        sha: (first && named).then(|| Box::leak(Box::new(sha)).as_slice()),
        data: &file[off..file.len().min(off + len)],
        ..img::Upload::default()
    }))
}

fn board() -> Line {
    Line::new(SimulatedBoard::new(config(), Some(&version(0))).unwrap())
}

fn erase() -> Request<'static> {
    Request::Img(img::Request::Erase { slot: None })
}

fn erased(response: Response) -> bool {
    matches!(response, Response::Img(img::Response::Erase))
}

/// The refusal of a packet, if it is one.
fn refusal(packet: &[u8]) -> Option<u16> {
    answer(packet, |response| match response {
        Response::Failure(failure) => Some(failure.rc),
        _ => None,
    })
}

#[test]
fn a_piece_that_ends_within_a_write_unit_is_answered_with_its_own_end() {
    let (mut line, new) = (board(), version(1));
    let first = line.ask(1, &piece(&new, 0, 433, true), 1000, received);
    assert_eq!(first, (433, None));
    assert_eq!(line.upload(&new, 433, true), Some(true));
}

#[test]
fn a_client_with_eight_pieces_in_flight_gets_eight_offsets_in_order() {
    let (mut line, new) = (board(), version(1));
    let wires: Vec<u8> = (0..8)
        .flat_map(|number| {
            wire(
                Framing::Console,
                number,
                &piece(&new, usize::from(number) * 433, 433, true),
            )
        })
        .collect();
    let answers = line.say(&wires, 3000);
    let offsets: Vec<usize> = answers.iter().map(|packet| answer(packet, received).0).collect();
    assert_eq!(offsets, (1..=8).map(|number| number * 433).collect::<Vec<_>>());
}

#[test]
fn a_blank_slot_is_erased_within_the_patience_of_stock_clients() {
    // smpmgr waits for two seconds, mcumgrctl for one.
    let mut line = board();
    let before = line.board.flash().operations();
    assert!(line.ask(1, &erase(), 1000, erased), "the first time");
    let first = line.board.flash().operations();
    assert!(first - before < 10, "{} operations", first - before);
    assert!(line.ask(2, &erase(), 100, erased), "at once");
    assert_eq!(line.board.flash().operations(), first);
}

#[test]
fn a_slot_that_reads_as_blank_is_erased_where_headers_and_trailers_are_looked_for() {
    let mut line = board();
    assert!(line.ask(1, &erase(), 1000, erased));
    // Two places of headers, the trailer's unit, and the records.
    assert!(line.board.flash().operations() >= 3);
}

#[test]
fn a_repeated_request_is_done_once_and_answered_once() {
    let (mut line, new) = (board(), version(1));
    assert_eq!(line.upload(&new, 1024, true), Some(true));
    let once = wire(Framing::Console, 9, &erase());
    let thrice = [once.as_slice(); 3].concat();
    let answers = line.say(&thrice, 4000);
    assert_eq!(answers.len(), 1);
    assert_eq!(refusal(&answers[0]), None);
}

#[test]
fn a_board_that_erases_says_that_it_is_busy() {
    let (mut line, new) = (board(), version(1));
    assert_eq!(line.upload(&new, 1024, true), Some(true));
    let wires = [
        wire(Framing::Console, 1, &erase()),
        wire(Framing::Console, 2, &Request::Os(os::Request::Params)),
    ];
    let answers = line.say(&wires.concat(), 4000);
    let codes: Vec<_> = answers.iter().map(|packet| refusal(packet)).collect();
    assert_eq!(codes, [Some(ErrorCode::Busy.rc()), None]);
}

#[test]
fn first_pieces_of_strangers_cost_no_more_than_the_units_they_use() {
    let mut line = board();
    let images = [version(1), version(2)];
    let mut costs = Vec::new();
    for number in 0..6 {
        let before = line.board.flash().operations();
        let image = &images[usize::from(number) % 2];
        line.ask(number, &piece(image, 0, 64, true), 1000, received);
        costs.push(line.board.flash().operations() - before);
    }
    // The trailer's unit, the ledger, the first unit, and what was sent. The first one records that the slot changes.
    assert!(costs[1..].iter().all(|&cost| cost <= 4), "{costs:?}");
}

#[test]
fn nothing_is_told_of_an_image_whose_digest_is_wrong() {
    let (mut line, mut new) = (board(), version(1));
    let middle = new.len() / 2;
    new[middle] ^= 1;
    // Without an announced digest all of it stays in the slot.
    assert_eq!(line.upload(&new, 1024, false), None);
    assert_eq!(line.listed(1).len(), 1, "the running image only");
    let good = version(1);
    assert_eq!(line.upload(&good, 1024, false), None);
    assert_eq!(line.listed(2)[1].1, hash_of(&good));
}

#[test]
fn a_part_of_an_image_shows_nothing_of_what_the_slot_held_before() {
    let config = config();
    let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
    flash.flash_primary(&version(0));
    flash.flash_area(Area::Secondary, &version(2));
    let mut line = Line::new(SimulatedBoard::with_flash(config, flash).unwrap());
    assert_eq!(line.listed(1).len(), 2);
    // The same header, and the TLVs of the image before at its end.
    line.ask(2, &piece(&version(2), 0, 512, false), 1000, received);
    assert_eq!(line.listed(3).len(), 1);
}

/// The image is the same to whoever looks at its digest alone; the files are not.
#[test]
fn the_genuine_file_takes_the_place_of_one_with_a_decoy_of_its_signature() {
    let (mut line, genuine) = (board(), version(1));
    let decoyed = builder((1, 1), 20_000, ADDRESS)
        .unprotected(TlvKind::KEYHASH, &key().public().hash())
        .unprotected(TlvKind::ECDSA, &key().sign(&[7; 32]))
        .sign(&key())
        .build();
    let hash = hash_of(&genuine);
    assert_eq!(hash_of(&decoyed), hash);
    let test = Request::Img(img::Request::SetState {
        hash: Some(&hash),
        confirm: false,
    });
    let marked = |response: Response| match response {
        Response::Failure(failure) => failure.code() != Some(ErrorCode::Corrupt),
        other => matches!(other, Response::Img(img::Response::State(_))),
    };
    assert_eq!(line.upload(&decoyed, 1024, true), Some(true));
    assert!(!line.ask(200, &test, 5000, marked), "a decoy was marked");
    assert_eq!(line.upload(&genuine, 1024, true), Some(true));
    assert!(
        line.ask(201, &test, 5000, marked),
        "the genuine file was not marked"
    );
}

#[test]
fn an_image_that_must_not_start_is_listed_as_not_bootable() {
    let mut line = board();
    let built = builder((1, 1), 5000, ADDRESS).flags(Flags::NON_BOOTABLE);
    let image = built.sign(&key()).build();
    assert_eq!(line.upload(&image, 1024, true), Some(true));
    let bootable: Vec<bool> = line.listed(1).iter().map(|entry| entry.2).collect();
    assert_eq!(bootable, [true, false]);
}

#[test]
fn a_request_longer_than_a_packet_may_be_is_answered_as_too_large() {
    for framing in [Framing::Console, Framing::Cobs, Framing::Raw] {
        let mut line = board();
        let params = Request::Os(os::Request::Params);
        let most = line.ask(1, &params, 500, |response| match response {
            Response::Os(os::Response::Params { buf_size, .. }) => buf_size as usize,
            other => panic!("{other:?}"),
        });
        for longer in [1, 2, 300] {
            let text = "a".repeat(most + longer - Header::LEN - 6);
            let echo = Request::Os(os::Request::Echo(text.as_str().into()));
            let packets = line.say(&wire(framing, 7, &echo), 2000);
            let [packet] = packets.as_slice() else {
                panic!("{framing:?} {longer}: {} answers", packets.len());
            };
            assert_eq!(Header::parse(packet).unwrap().0.seq, 7);
            assert_eq!(
                refusal(packet),
                Some(ErrorCode::TooLarge.rc()),
                "{framing:?} {longer}"
            );
            // The next request is understood at once.
            assert_eq!(
                line.say(&wire(framing, 8, &params), 500).len(),
                1,
                "{framing:?} {longer}"
            );
        }
    }
}

#[test]
fn a_raw_read_of_version_1_is_answered() {
    let mut line = board();
    for read in [&[0, 0, 0, 0, 0, 1, 9, 0][..], &[0, 0, 0, 1, 0, 1, 9, 0, 0xA0]] {
        let packets = line.say(read, 1000);
        let [packet] = packets.as_slice() else {
            panic!("{} answers", packets.len());
        };
        let (header, _) = Header::parse(packet).unwrap();
        assert_eq!((header.version, header.seq), (Version::V1, 9));
        assert!(answer(packet, |response| matches!(
            response,
            Response::Img(img::Response::State(_))
        )));
    }
}

#[test]
fn a_pause_of_seconds_within_a_packet_loses_nothing() {
    for (framing, pause) in [(Framing::Console, 9), (Framing::Cobs, 9), (Framing::Raw, 2)] {
        let mut line = board();
        let bytes = wire(framing, 3, &Request::Img(img::Request::State));
        for at in 1..bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert!(line.say(first, pause * 1000).is_empty());
            assert_eq!(line.say(second, 1000).len(), 1, "{framing:?} at {at}");
        }
    }
}

/// What `os info` says of a board to a client that asks in this format.
fn info(line: &mut Line, seq: u8, format: Option<&str>) -> Result<String, u16> {
    let format = format.map(Text::from);
    let request = Request::Os(os::Request::Info { format });
    line.ask(seq, &request, 500, |response| match response {
        Response::Os(os::Response::Info(text)) => Ok(text.as_str().to_owned()),
        Response::Failure(failure) => Err(failure.rc),
        other => panic!("{other:?}"),
    })
}

#[test]
fn os_info_answers_by_its_format_as_uname_does() {
    let mut line = board();
    let (name, serial) = (config().name, config().serial);
    let version = env!("CARGO_PKG_VERSION");
    for (seq, (format, text)) in (1..).zip([
        (None, "Bootlace".to_owned()),
        (Some("s"), "Bootlace".to_owned()),
        (Some("n"), serial.clone()),
        (Some("r"), version.to_owned()),
        (Some("i"), name.clone()),
        // In the order of the table, whatever the order of the letters.
        (Some("ois"), format!("Bootlace {name} Bootlace")),
        (
            Some("a"),
            format!("Bootlace {serial} {version} {version} arm unknown {name} Bootlace"),
        ),
    ]) {
        assert_eq!(info(&mut line, seq, format), Ok(text), "{format:?}");
    }
    for (seq, format) in (100..).zip(["z", "sz", "b"]) {
        assert_eq!(
            info(&mut line, seq, Some(format)),
            Err(ErrorCode::Invalid.rc()),
            "{format}"
        );
    }
}

/// What a board requires must be in the image, as MCUboot has it: an image that names nobody is for nobody.
#[test]
fn an_image_that_names_no_vendor_class_or_counter_is_not_marked_where_the_board_requires_them() {
    const VENDOR: [u8; 16] = [1; 16];
    const CLASS: [u8; 16] = [2; 16];
    let plain = || builder((1, 1), 5000, ADDRESS);
    let requiring = |change: &dyn Fn(&mut bootlace_simulator::Config)| {
        let mut config = config();
        change(&mut config);
        config
    };
    let vendor = requiring(&|config| config.vendor = Some(VENDOR));
    let class = requiring(&|config| config.class = Some(CLASS));
    let counter = requiring(&|config| config.policy.counter_required = true);
    for (config, nameless, other, named) in [
        (&vendor, plain(), plain().vid([3; 16]), plain().vid(VENDOR)),
        (&class, plain(), plain().cid([3; 16]), plain().cid(CLASS)),
        (&counter, plain(), plain().cid(CLASS), plain().security_counter(1)),
    ] {
        for (image, is_marked) in [(nameless, false), (other, false), (named, true)] {
            let image = image.sign(&key()).build();
            let mut line = Line::new(SimulatedBoard::new(config.clone(), None).unwrap());
            assert_eq!(line.upload(&image, 1024, true), Some(true));
            let hash = hash_of(&image);
            let test = Request::Img(img::Request::SetState {
                hash: Some(&hash),
                confirm: false,
            });
            let marked = line.ask(200, &test, 5000, |response| {
                matches!(response, Response::Img(img::Response::State(_)))
            });
            assert_eq!(marked, is_marked, "{:?} {:?}", config.vendor, config.class);
        }
    }
}

#[test]
fn an_image_that_cannot_be_marked_is_refused_with_the_reason() {
    let plain = || builder((1, 1), 5000, ADDRESS);
    let foreign = plain()
        .unprotected(TlvKind::KEYHASH, &[5; 32])
        .unprotected(TlvKind::RSA2048, &[6; 256]);
    let mut altered = plain().sign(&key()).build();
    // Within the signature: what was sent is what arrived.
    let end = altered.len();
    altered[end - 10] ^= 1;
    for (image, reason) in [
        (
            plain().flags(Flags::ENCRYPTED_AES128).sign(&key()).build(),
            "encrypted",
        ),
        (
            plain().flags(Flags::COMPRESSED_LZMA2).sign(&key()).build(),
            "compressed",
        ),
        (foreign.build(), "signature of a kind not checked here"),
        (altered, "altered, or not signed by a key of this board"),
        (plain().build(), "altered, or not signed by a key of this board"),
    ] {
        let mut line = board();
        assert_eq!(line.upload(&image, 1024, true), Some(true));
        let hash = hash_of(&image);
        let test = Request::Img(img::Request::SetState {
            hash: Some(&hash),
            confirm: false,
        });
        let seen = line.ask(200, &test, 5000, |response| match response {
            Response::Failure(failure) => (failure.code(), failure.reason.map(str::to_owned)),
            other => panic!("{reason}: {other:?}"),
        });
        assert_eq!(seen, (Some(ErrorCode::Corrupt), Some(reason.to_owned())));
    }
}
