//! Servers whose answers are bent on the way: wrong, doubled, late, of a newer or an older make. Each ends in done or in a named
//! error, never in a wrong word and never in waiting.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use bootlace_smp::{Request, decode_request, img};

use super::cbor::{map, number, text};
use super::*;

/// What becomes of an answer to a request, the one of this number.
type Bend = fn(&Header, &[u8], Vec<u8>, u32) -> Vec<u8>;

struct Bent {
    zephyr: Zephyr,
    bend: Bend,
    asked: u32,
}

impl Server for Bent {
    fn answer(&mut self, now: Instant, header: &Header, payload: &[u8]) -> Option<Vec<u8>> {
        let answer = self.zephyr.answer(now, header, payload)?;
        self.asked += 1;
        let bent = (self.bend)(header, payload, answer, self.asked);
        (!bent.is_empty()).then_some(bent)
    }
}

fn end_with(bend: Bend) -> (Event, Desk<Bent>) {
    end_of(Zephyr::new(&image(1, 3000)), bend)
}

fn end_of(zephyr: Zephyr, bend: Bend) -> (Event, Desk<Bent>) {
    let server = Bent {
        zephyr,
        bend,
        asked: 0,
    };
    let mut desk = Desk::new(server, Reads::Lines, None);
    let first = desk.until(|event| matches!(event, Event::Phase(Phase::Ready) | Event::Failed(_)));
    if matches!(first, Event::Failed(_)) {
        return (first, desk);
    }
    let end = desk.update(image(2, 9_000), keys());
    (end, desk)
}

/// An answer with another payload.
fn with(answer: &[u8], payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    [&answer[..2], &len, &answer[4..8], payload].concat()
}

/// The answers to pieces with another payload, and all others as they are.
fn to_pieces(header: &Header, payload: &[u8], answer: Vec<u8>, other: &[u8]) -> Vec<u8> {
    match decode_request(header, payload) {
        Ok(Request::Img(img::Request::Upload(_))) => with(&answer, other),
        _ => answer,
    }
}

#[test]
fn a_board_whose_answers_to_pieces_make_no_sense_is_not_called_silent() {
    let cases: [(&str, Bend); 8] = [
        ("nothing in it", |h, p, a, _| to_pieces(h, p, a, &map(&[]))),
        ("no offset", |h, p, a, _| {
            to_pieces(h, p, a, &map(&[("rc", number(0))]))
        }),
        ("an offset in words", |h, p, a, _| {
            to_pieces(h, p, a, &map(&[("off", text("12"))]))
        }),
        ("an offset below 0", |h, p, a, _| {
            to_pieces(h, p, a, b"\xa1\x63off\x20")
        }),
        ("an offset of 64 bits", |h, p, a, _| {
            to_pieces(h, p, a, b"\xa1\x63off\x1b\x01\0\0\0\0\0\0\0")
        }),
        ("no CBOR", |h, p, a, _| to_pieces(h, p, a, &[0xFF; 20])),
        ("lists in lists", |h, p, a, _| to_pieces(h, p, a, &[0x81; 500])),
        ("a list without end", |h, p, a, _| {
            to_pieces(h, p, a, b"\xa1\x63off\x9b\xff\xff\xff\xff\xff\xff\xff\xff")
        }),
    ];
    for (name, bend) in cases {
        let (end, desk) = end_with(bend);
        let (error, unharmed) = failed(&end);
        let asked = Asked::Upload;
        assert_eq!((error, unharmed), (&Error::BadAnswer { asked }, true), "{name}");
        assert!(
            desk.now.since(Instant(0)) < Duration::from_secs(60),
            "{name}: {:?}",
            desk.now
        );
    }
}

#[test]
fn a_board_that_answers_something_else_than_was_asked_is_not_called_silent() {
    let cases: [(&str, Bend); 2] = [
        ("another number", |_, _, mut answer, _| {
            answer[6] = answer[6].wrapping_add(1);
            answer
        }),
        ("another group", |_, _, mut answer, _| {
            answer[5] ^= 2;
            answer
        }),
    ];
    for (name, bend) in cases {
        let (end, _) = end_with(bend);
        let (error, unharmed) = failed(&end);
        assert!(
            matches!(error, Error::BadAnswer { .. }) && unharmed,
            "{name}: {end:?}"
        );
    }
}

#[test]
fn a_board_that_stops_answering_is_called_silent() {
    let (end, _) = end_with(|_, _, answer, asked| if asked > 10 { vec![] } else { answer });
    let asked = Asked::Upload;
    assert_eq!(failed(&end), (&Error::WentSilent { asked }, true));
}

#[test]
fn offsets_that_lead_nowhere_end_in_a_named_error_at_once() {
    let cases: [(&str, Bend); 4] = [
        ("beyond the image", |h, p, a, _| {
            to_pieces(h, p, a, &map(&[("off", number(99_999))]))
        }),
        ("the largest", |h, p, a, _| {
            to_pieces(h, p, a, &map(&[("off", number(u32::MAX))]))
        }),
        ("always 0", |h, p, a, _| {
            to_pieces(h, p, a, &map(&[("off", number(0))]))
        }),
        ("to and fro", |h, p, a, n| {
            to_pieces(h, p, a, &map(&[("off", number(100 * (n % 2)))]))
        }),
    ];
    for (name, bend) in cases {
        let (end, desk) = end_with(bend);
        let (error, unharmed) = failed(&end);
        assert!(
            matches!(error, Error::BadAnswer { .. } | Error::Stuck { .. }),
            "{name}: {end:?}"
        );
        assert!(
            unharmed && desk.now.since(Instant(0)) < Duration::from_secs(5),
            "{name}"
        );
    }
}

#[test]
fn answers_of_another_make_are_understood() {
    let cases: [(&str, Bend); 5] = [
        ("flags", |_, _, mut answer, _| {
            answer[1] = 0xFF;
            answer
        }),
        ("a key that nobody knows", |_, _, answer, _| {
            let first = [answer[8] + 1];
            let key = b"\x63xyz\xa1\x01\x82\xf6\xfb\0\0\0\0\0\0\0\0";
            with(&answer, &[&first, &key[..], &answer[9..]].concat())
        }),
        ("a number as a key", |_, _, answer, _| {
            let first = [answer[8] + 1, 1, 2];
            with(&answer, &[&first, &answer[9..]].concat())
        }),
        ("a map without a length", |_, _, answer, _| {
            with(&answer, &[&[0xBF], &answer[9..], &[0xFF]].concat())
        }),
        ("something behind the map", |_, _, answer, _| {
            with(&answer, &[&answer[8..], &[0xF6, 0, 0]].concat())
        }),
    ];
    for (name, bend) in cases {
        let (end, _) = end_with(bend);
        assert!(
            matches!(end, Event::Outcome(Outcome::Confirmed { .. })),
            "{name}: {end:?}"
        );
    }
}

/// Puts `new` in the place of each `old` of the same length.
fn exchanged(mut answer: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    for at in 0..answer.len() {
        if answer[at..].starts_with(old) {
            answer[at..at + old.len()].copy_from_slice(new);
        }
    }
    answer
}

#[test]
fn a_version_that_is_not_told_or_not_read_is_told_by_its_hash_or_not_known() {
    // Zephyr writes "<???>" for a version that does not fit its text (img_mgmt_state_encode_slot).
    let cases: [(&str, Bend); 2] = [
        ("no version", |_, _, a, _| {
            exchanged(a, b"\x67version", b"\x67Version")
        }),
        ("no version in digits", |_, _, a, _| {
            let old = exchanged(a, b"\x651.0.0", b"\x65<???>");
            exchanged(old, b"\x652.0.0", b"\x65<???>")
        }),
    ];
    for (name, bend) in cases {
        for hashes in [32, 0] {
            let server = Zephyr {
                hashes,
                ..Zephyr::new(&image(1, 3000))
            };
            let (end, _) = end_of(server, bend);
            match hashes {
                0 => assert_eq!(failed(&end), (&Error::OutcomeUnknown, false), "{name}"),
                _ => assert!(
                    matches!(end, Event::Outcome(Outcome::Confirmed { .. })),
                    "{name}: {end:?}"
                ),
            }
        }
    }
}
