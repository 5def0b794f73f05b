#![allow(clippy::unwrap_used)]
//! Golden bytes are what smpclient 7.3.0 (smp 4.2.0) puts on the line.
extern crate std;
use std::vec;
use std::vec::Vec;

use super::framing::crc16;
use super::*;
use crate::tests::{Random, hex};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ECHO: &str = "0a00000600000700a16164626869";
const UPLOAD: &str = "0a00007400010f01a6636c656e1a000493e0636f666600637368615820000102030405060708090a0b0c0d0e0f1011\
    12131415161718191a1b1c1d1e1f64646174615828aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
    aaaaaaaaaaaa65696d616765006775706772616465f4";

fn line(framing: Framing, packet: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    encode(framing, packet, |piece| out.extend_from_slice(piece));
    assert!(out.len() <= encoded_len(framing, packet.len()));
    out
}

/// All frames in `bytes`, fed in pieces of `step`.
fn decode(decoder: &mut Decoder, buf: &mut [u8], bytes: &[u8], step: usize) -> Vec<(Framing, Vec<u8>)> {
    let mut frames = vec![];
    for mut piece in bytes.chunks(step) {
        while !piece.is_empty() {
            let (taken, frame) = decoder.feed(buf, piece);
            assert!(taken > 0);
            piece = &piece[taken..];
            if let Some(frame) = frame {
                frames.push((frame.framing, buf[..frame.len].to_vec()));
            }
        }
    }
    frames
}

#[track_caller]
fn check(framing: Framing, packet: &str, wire: &str) {
    let (packet, wire) = (hex(packet), hex(wire));
    assert_eq!(line(framing, &packet), wire);
    for step in [1, 2, 7, wire.len()] {
        let mut decoder = Decoder::new();
        let frames = decode(&mut decoder, &mut [0; 256], &wire, step);
        assert_eq!(frames, [(framing, packet.clone())]);
        assert_eq!(decoder.stats(), Stats::default());
    }
}

#[test]
fn frames_equal_smpclients() {
    check(
        Framing::Console,
        ECHO,
        "06094142414b4141414741414148414b46685a474a6f6153566b0a",
    );
    check(Framing::Cobs, ECHO, "020a01020601020709a16164626869256400");
    check(
        Framing::Console,
        UPLOAD,
        "06094148344b414142304141455041615a6a62475675476741456b2b426a62325a6d41474e7a614746594941414241674d45\
         4251594843416b4b4377774e4467385145524954464255574678675a47687363485234665a475268644746594b4b71717171\
         71717171717171717171717171717171717171717171717171710a0414717171717171717171717171717171717171717171\
         71706c615731685a3255415a3356775a334a685a4758303968493d0a",
    );
    check(
        Framing::Cobs,
        UPLOAD,
        "020a0102740a010f01a6636c656e1a080493e0636f666607637368615820550102030405060708090a0b0c0d0e0f101112131415161718\
         191a1b1c1d1e1f64646174615828aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa65\
         696d6167650c6775706772616465f4f61200",
    );
    check(Framing::Cobs, "0800000100000806a0", "020801020101060806a0dab200");
    // A v1 read: the only kind of COBS frame that starts with 01.
    check(Framing::Cobs, "0000000100000306a0", "010101020101060306a003bc00");
    check(Framing::Raw, ECHO, ECHO);
    check(
        Framing::Raw,
        "0200000700000100a16164636f6c64",
        "0200000700000100a16164636f6c64",
    );
    check(Framing::Raw, "0a00000000000905", "0a00000000000905");
    check(Framing::Raw, "0100000100000806a0", "0100000100000806a0");
}

/// Runs around 254 bytes and lines around 93: lengths and CRCs of what smpclient writes.
#[test]
fn long_frames_equal_smpclients() {
    for (data, cobs_len, cobs_crc, console_len, console_crc) in LONG {
        let mut packet = hex(if data < 256 {
            "0a00000000010101a2636f6666016464617461580 0"
        } else {
            "0a00000000010101a2636f66660164646174615900 00"
        }
        .replace(' ', "")
        .as_str());
        let at = packet.len();
        if data < 256 {
            packet[at - 1] = data as u8
        } else {
            packet[at - 2..].copy_from_slice(&(data as u16).to_be_bytes())
        }
        packet.resize(at + data, 7);
        let len = packet.len() as u16 - 8;
        packet[2..4].copy_from_slice(&len.to_be_bytes());
        for (framing, len, crc) in [
            (Framing::Cobs, cobs_len, cobs_crc),
            (Framing::Console, console_len, console_crc),
        ] {
            let wire = line(framing, &packet);
            assert_eq!(
                (wire.len(), wire.iter().fold(0, |crc, byte| crc16(crc, *byte))),
                (len, crc),
                "{data}"
            );
            assert_eq!(
                decode(&mut Decoder::new(), &mut [0; 700], &wire, 64),
                [(framing, packet.clone())]
            );
        }
    }
}
const LONG: [(usize, usize, u16, usize, u16); 6] = [
    (243, 269, 0x6cbb, 369, 0x1f8),
    (244, 270, 0x847f, 369, 0x572a),
    (245, 271, 0x2f6a, 369, 0x4a86),
    (246, 272, 0xe5c2, 373, 0x19d8),
    (300, 327, 0xbbea, 448, 0x2902),
    (600, 628, 0xcbf8, 857, 0x6de1),
];

#[test]
fn the_crc_equals_the_catalogues() {
    assert_eq!(b"123456789".iter().fold(0, |crc, byte| crc16(crc, *byte)), 0x31C3);
}

/// A packet of the given length, zeros and all, with a header that says so.
fn packet(random: &mut Random, len: usize) -> Vec<u8> {
    let mut packet = random.bytes(len);
    let zeros = random.below(3);
    packet
        .iter_mut()
        .filter(|byte| zeros == 0 && **byte & 1 == 0)
        .for_each(|byte| *byte = 0);
    let first = [0, 1, 2, 3, 8, 9, 10, 11][random.below(8)];
    packet[..2].copy_from_slice(&[first, 0]);
    packet[2..4].copy_from_slice(&((len - 8) as u16).to_be_bytes());
    if let Some(map) = packet.get_mut(8) {
        *map = 0xA0 | *map & 0x1F;
    }
    packet
}

#[test]
fn packets_come_back_in_any_order_and_any_pieces() {
    for seed in 1..2000 {
        let mut random = Random(seed);
        let (mut wire, mut expected) = (vec![], vec![]);
        for _ in 0..1 + random.below(5) {
            let len = 8 + random.below(600);
            let packet = packet(&mut random, len);
            // A raw v1 read is the one thing that can't be told apart.
            let framing = match random.below(if packet[0] == 0 { 2 } else { 3 }) {
                0 => Framing::Console,
                1 => Framing::Cobs,
                _ => Framing::Raw,
            };
            wire.extend(line(framing, &packet));
            expected.push((framing, packet));
        }
        let step = 1 + random.below(100);
        assert_eq!(
            decode(&mut Decoder::new(), &mut [0; 608], &wire, step),
            expected,
            "seed {seed}"
        );
    }
}

/// The encoder can be asked for one byte at a time.
#[test]
fn the_encoder_stops_where_the_line_is_full() {
    let mut random = Random(5);
    for framing in [Framing::Console, Framing::Cobs, Framing::Raw] {
        let packet = packet(&mut random, 300);
        let mut encoder = Encoder::new(framing, &packet);
        let (mut wire, mut room) = (vec![], [0; 3]);
        while !encoder.is_done() {
            let len = 1 + random.below(3);
            let n = encoder.read(&packet, &mut room[..len]);
            assert!(n > 0);
            wire.extend_from_slice(&room[..n]);
        }
        assert_eq!(wire, line(framing, &packet));
        assert_eq!(encoder.next_byte(&packet), None);
    }
}

#[test]
fn a_boot_log_is_skipped() {
    for framing in [Framing::Console, Framing::Cobs, Framing::Raw] {
        let echo = hex(ECHO);
        let mut wire = b"*** Booting Zephyr OS ***\r\n\t[00:00:00] I: \x1b[0m ok\r\n\n\n".to_vec();
        wire.extend(line(framing, &echo));
        wire.extend(b"\r\nI: between \x00\x00\x06 and \x04\x14 again\r\n");
        wire.extend(line(framing, &echo));
        assert_eq!(
            decode(&mut Decoder::new(), &mut [0; 64], &wire, 5),
            [(framing, echo.clone()), (framing, echo)]
        );
    }
}

/// A line of log between two lines of one packet; and a packet of which the rest never came.
#[test]
fn console_lines_are_found_one_by_one() {
    let upload = hex(UPLOAD);
    let wire = line(Framing::Console, &upload);
    let mut logged = wire[..127].to_vec();
    logged.extend(b"I: erased\r\n");
    logged.extend(&wire[127..]);
    assert_eq!(
        decode(&mut Decoder::new(), &mut [0; 128], &logged, 9),
        [(Framing::Console, upload.clone())]
    );

    for (then, framing) in [
        (Framing::Console, Framing::Console),
        (Framing::Cobs, Framing::Cobs),
    ] {
        let mut half = wire[..127].to_vec();
        half.extend(line(then, &upload));
        let mut decoder = Decoder::new();
        assert_eq!(
            decode(&mut decoder, &mut [0; 128], &half, 9),
            [(framing, upload.clone())]
        );
        assert_eq!(decoder.stats().broken, 1);
    }
}

#[test]
fn damage_is_counted_and_the_next_frame_arrives() {
    for framing in [Framing::Console, Framing::Cobs] {
        let (upload, echo) = (hex(UPLOAD), hex(ECHO));
        let wire = line(framing, &upload);
        let mut dropped = Stats::default();
        for at in 0..wire.len() {
            for bit in 0..8 {
                let mut bad = wire.clone();
                bad[at] ^= 1 << bit;
                // Two, as a damaged end of a frame takes the one after it along.
                for _ in 0..2 {
                    bad.extend(line(framing, &echo));
                }
                let mut decoder = Decoder::new();
                let frames = decode(&mut decoder, &mut [0; 128], &bad, 16);
                assert_eq!(
                    frames.last(),
                    Some(&(framing, echo.clone())),
                    "{framing:?} {at} {bit}"
                );
                assert!(
                    !frames
                        .iter()
                        .any(|(_, packet)| packet.len() == upload.len() && *packet != upload)
                );
                dropped.crc += decoder.stats().crc;
                dropped.broken += decoder.stats().broken;
            }
        }
        assert!(dropped.crc > 400 && dropped.broken > 20, "{dropped:?}");
    }
}

#[test]
fn what_is_too_large_is_cut_and_what_follows_is_read() {
    for framing in [Framing::Console, Framing::Cobs, Framing::Raw] {
        let upload = hex(UPLOAD);
        for room in [31, 32, 100, 123] {
            let (mut wire, echo) = (line(framing, &upload), hex(ECHO));
            wire.extend(line(framing, &echo));
            let mut decoder = Decoder::new();
            assert_eq!(
                decode(&mut decoder, &mut vec![0; room], &wire, 16),
                [(framing, upload[..room].to_vec()), (framing, echo)],
                "{framing:?} {room}"
            );
            assert_eq!(decoder.stats().oversize, 1, "{framing:?} {room}");
        }
        // The very size fits: the CRC needs no room.
        let wire = line(framing, &upload);
        let mut decoder = Decoder::new();
        assert_eq!(
            decode(&mut decoder, &mut [0; 124], &wire, 16),
            [(framing, upload)]
        );
        assert_eq!(decoder.stats().oversize, 0, "{framing:?}");
    }
}

#[test]
fn a_raw_read_of_version_1_is_found_and_zeros_are_none() {
    for read in ["0000000000010700", "0000000100010700a0"] {
        let frames = decode(&mut Decoder::new(), &mut [0; 128], &hex(read), 1);
        assert_eq!(frames, [(Framing::Raw, hex(read))], "{read}");
    }
    // A break reads as zeros, and other clients put one before a frame of COBS.
    for zeros in 0..9 {
        let mut wire = vec![0; zeros];
        for framing in [Framing::Console, Framing::Cobs, Framing::Raw, Framing::Cobs] {
            wire.extend(line(framing, &hex(ECHO)));
        }
        let frames = decode(&mut Decoder::new(), &mut [0; 128], &wire, 1);
        // At worst the first frame is taken for the end of a packet.
        assert!(frames.len() >= 3, "{zeros} {frames:?}");
        let rest = frames.iter().skip(frames.len() - 3);
        assert!(
            rest.into_iter().all(|(_, packet)| *packet == hex(ECHO)),
            "{zeros}"
        );
    }
}

#[test]
fn noise_never_panics_and_never_deafens() {
    for seed in 1..3000 {
        let mut random = Random(seed);
        let len = random.below(400);
        let mut wire = random.bytes(len);
        // Make the marks frequent.
        for byte in &mut wire {
            if random.below(3) == 0 {
                *byte = [0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 20, b'\n', b'A', b'='][random.below(14)];
            }
        }
        let buf = &mut [0; 64][..[0, 7, 8, 64][random.below(4)]];
        decode(&mut Decoder::new(), buf, &wire, 1 + random.below(32));

        // The same noise in front of frames: of a few in a row, the last arrives.
        let echo = hex(ECHO);
        for framing in [Framing::Console, Framing::Cobs] {
            let mut wire = wire.clone();
            (0..12).for_each(|_| wire.extend(line(framing, &echo)));
            let frames = decode(&mut Decoder::new(), &mut [0; 64], &wire, 16);
            assert_eq!(
                frames.last(),
                Some(&(framing, echo.clone())),
                "seed {seed} {framing:?}"
            );
        }
    }
}

#[test]
fn a_silent_line_is_forgotten() {
    let mut decoder = Decoder::new();
    let (echo, mut buf) = (hex(ECHO), [0; 64]);
    assert_eq!(decoder.feed(&mut buf, &echo[..9]), (9, None));
    assert!(decoder.is_inside());
    decoder.reset();
    assert_eq!(decode(&mut decoder, &mut buf, &echo, 64), [(Framing::Raw, echo)]);
}

#[test]
fn raw_packets_can_be_refused() {
    let (echo, mut buf) = (hex(ECHO), [0; 64]);
    let mut decoder = Decoder::new();
    decoder.take_raw(false);
    let mut wire = echo.clone();
    wire.extend(line(Framing::Cobs, &echo));
    assert_eq!(decode(&mut decoder, &mut buf, &wire, 64), [(Framing::Cobs, echo)]);
}
