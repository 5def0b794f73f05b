//! Other people's servers, each written from its source and no kinder than that: `recovery` is MCUboot's serial recovery,
//! `zephyr` an application of Zephyr. Each names its source; lines named here are of MCUboot's
//! boot/boot_serial/src/boot_serial.c at 2d4bacc3.

mod bent;
mod cbor;
mod recovery;
mod reports;
mod zephyr;

use core::time::Duration;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use bootlace_smp::Header;
use bootlace_smp::frame::{self, Decoder, Framing};

use super::*;
use recovery::{After, Recovery};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;
use zephyr::Zephyr;

/// A server behind a line.
trait Server {
    /// Answers a request; `None`: not at all.
    fn answer(&mut self, now: Instant, header: &Header, payload: &[u8]) -> Option<Vec<u8>>;

    /// How long the answer that was given last takes.
    fn took(&mut self) -> Duration {
        Duration::ZERO
    }
}

/// How the server reads its line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    /// Console framing.
    Lines,
    /// Raw packets, as boot_serial.c:1566-1600 and 1703-1707: what is no request is thrown away with all that came, half a
    /// packet after 3 s of silence.
    Raw,
    /// The same before that: what is no request is thrown away in steps of 8 bytes, and what is left is kept for good
    /// unless it `forgets` after 3 s. Packets have at most `longest` bytes.
    OldRaw { forgets: bool, longest: usize },
}

struct Desk<S> {
    now: Instant,
    session: Session,
    server: S,
    reads: Reads,
    /// The line turns LF into CR LF, both ways.
    adds_cr: bool,
    /// A shell shares the line: what it reads it echoes, and then it prompts (Zephyr's shell_uart.c and shell.c).
    has_shell: bool,
    /// Answers on their way.
    late: VecDeque<(Instant, Vec<u8>)>,
    events: Vec<Event>,
    decoder: Decoder,
    buffer: Vec<u8>,
    raw: (Instant, Vec<u8>),
    /// Bytes after which the line is dead.
    dies_after: usize,
}

impl<S: Server> Desk<S> {
    fn new(server: S, reads: Reads, framing: Option<Framing>) -> Desk<S> {
        Desk {
            now: Instant(0),
            session: Session::with_framing(Instant(0), framing),
            server,
            reads,
            adds_cr: false,
            has_shell: false,
            late: VecDeque::new(),
            events: vec![],
            decoder: Decoder::new(),
            buffer: vec![0; 4096],
            raw: (Instant(0), vec![]),
            dies_after: usize::MAX,
        }
    }

    /// Waits until the session takes commands.
    #[track_caller]
    fn ready(mut self) -> Self {
        match self.until(|event| matches!(event, Event::Phase(Phase::Ready) | Event::Failed(_))) {
            Event::Phase(_) => self,
            other => panic!("{other:?}"),
        }
    }

    fn until(&mut self, found: impl Fn(&Event) -> bool) -> Event {
        for _ in 0..100_000 {
            while let Some(Transmit::Bytes(bytes)) = self.session.poll_transmit() {
                let answer = self.exchange(&bytes);
                self.now = self.now + Duration::from_millis(1);
                // A server does one thing after another: what is asked while it is busy waits as well.
                match (self.server.took(), self.late.back().map(|(at, _)| *at)) {
                    (Duration::ZERO, None) => self.session.handle_input(self.now, &answer),
                    (took, before) => {
                        let from = before.map_or(self.now, |at| at.max(self.now));
                        self.late.push_back((from + took, answer));
                    }
                }
            }
            while let Some(event) = self.session.poll_event() {
                self.events.push(event.clone());
                if found(&event) {
                    return event;
                }
            }
            let due = self.session.poll_timeout().unwrap();
            if let Some((at, answer)) = self.late.pop_front_if(|(at, _)| *at <= due) {
                self.now = self.now.max(at);
                self.session.handle_input(self.now, &answer);
                continue;
            }
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
        }
        panic!("no end in sight: {:?}", self.events.last());
    }

    fn exchange(&mut self, bytes: &[u8]) -> Vec<u8> {
        if bytes.len() > self.dies_after {
            self.dies_after = 0;
            return vec![];
        }
        self.dies_after -= bytes.len();
        let bytes = self.line(bytes);
        let mut out = vec![];
        match self.reads {
            Reads::Raw | Reads::OldRaw { .. } => {
                let (all, forgets, longest) = match self.reads {
                    Reads::OldRaw { forgets, longest } => (false, forgets, longest),
                    _ => (true, true, 1024),
                };
                let (last, buffer) = &mut self.raw;
                if forgets && self.now.since(*last) >= Duration::from_secs(3) {
                    buffer.clear();
                }
                *last = self.now;
                buffer.extend(&bytes);
                while buffer.len() >= 8 {
                    let op = buffer[0] & 7;
                    let len = 8 + usize::from(u16::from_be_bytes([buffer[2], buffer[3]]));
                    if op != 0 && op != 2 || len > longest {
                        let thrown = if all { buffer.len() } else { 8 };
                        buffer.drain(..thrown);
                        continue;
                    }
                    if buffer.len() < len {
                        break;
                    }
                    let packet: Vec<u8> = buffer.drain(..len).collect();
                    let (header, payload) = Header::parse(&packet).unwrap();
                    out.extend(self.server.answer(self.now, &header, payload).unwrap_or_default());
                }
            }
            Reads::Lines => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (taken, found) = self.decoder.feed(&mut self.buffer, rest);
                    rest = &rest[taken..];
                    let Some(found) = found.filter(|found| found.framing == Framing::Console) else {
                        continue;
                    };
                    let packet = self.buffer[..found.len].to_vec();
                    let (header, payload) = Header::parse(&packet).unwrap();
                    if let Some(answer) = self.server.answer(self.now, &header, payload) {
                        frame::encode(Framing::Console, &answer, |piece| out.extend_from_slice(piece));
                    }
                }
            }
        }
        if self.has_shell {
            let prompt = b"\x1b[1;32muart:~$ \x1b[m";
            out = [&bytes[..], b"\r\n", prompt, &out[..], prompt].concat();
        }
        self.line(&out)
    }

    fn line(&self, bytes: &[u8]) -> Vec<u8> {
        let as_is = |byte: &u8| vec![*byte];
        let with_cr = |byte: &u8| {
            if *byte == b'\n' {
                vec![b'\r', b'\n']
            } else {
                vec![*byte]
            }
        };
        match self.adds_cr {
            true => bytes.iter().flat_map(with_cr).collect(),
            false => bytes.iter().flat_map(as_is).collect(),
        }
    }

    fn update(&mut self, image: Vec<u8>, keys: Vec<bootlace_image::PublicKey>) -> Event {
        let options = Options {
            keys,
            ..Options::default()
        };
        self.session.start(self.now, update_with(image, options)).unwrap();
        self.until(|event| matches!(event, Event::Outcome(_) | Event::Failed(_)))
    }
}

fn keys() -> Vec<bootlace_image::PublicKey> {
    vec![key().public()]
}

#[track_caller]
fn confirmed(event: &Event) {
    assert!(
        matches!(event, Event::Outcome(Outcome::Confirmed { .. })),
        "{event:?}"
    );
}

fn failed(event: &Event) -> (&Error, bool) {
    match event {
        Event::Failed(failure) => (&failure.error, failure.unharmed),
        other => panic!("{other:?}"),
    }
}

// I1, F1

#[test]
fn a_recovery_that_writes_over_the_image_ends_in_not_known_and_says_before_that_there_is_no_way_back() {
    let new = image(2, 9_000);
    for slot_info in [false, true] {
        let server = Recovery {
            slot_info,
            ..Recovery::new(&image(1, 3000))
        };
        let mut desk = Desk::new(server, Reads::Lines, None).ready();
        let board = desk.session.board().unwrap();
        assert!(board.recovery && board.is_in_bootloader());
        // What runs is not "on trial": nothing is said of it.
        assert!(!board.running().unwrap().has_flags());
        let options = keyed();
        let plan = desk.session.plan(&checked(new.clone()), &options).unwrap();
        assert_eq!((plan.exchange, plan.route), (Exchange::InPlace, Route::Upload));
        let end = desk.update(new.clone(), keys());
        assert_eq!(failed(&end), (&Error::OutcomeUnknown, false));
        assert_eq!(desk.server.slots, [Some(new.clone()), None]);
    }
}

#[test]
fn a_recovery_whose_application_answers_ends_in_done() {
    let new = image(2, 9_000);
    let server = Recovery {
        after: After::Smp,
        ..Recovery::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(new, keys());
    confirmed(&end);
}

#[test]
fn a_recovery_with_image_states_and_without_direct_upload_is_not_asked_to_mark_what_it_wrote_over() {
    let new = image(2, 9_000);
    let server = Recovery {
        states: true,
        slot_info: true,
        after: After::Smp,
        ..Recovery::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(new.clone(), keys());
    confirmed(&end);
    assert_eq!(
        (desk.server.slots[0].as_ref(), desk.server.marks),
        (Some(&new), 0)
    );
}

#[test]
fn a_recovery_with_image_states_and_direct_upload_gets_the_image_in_its_second_slot_and_swaps() {
    let (old, new) = (image(1, 3000), image(2, 9_000));
    let server = Recovery {
        states: true,
        slot_info: true,
        direct: true,
        after: After::Smp,
        ..Recovery::new(&old)
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let options = keyed();
    let plan = desk.session.plan(&checked(new.clone()), &options).unwrap();
    assert_eq!(plan.exchange, Exchange::Swap);
    let end = desk.update(new.clone(), keys());
    confirmed(&end);
    assert_eq!(desk.server.slots, [Some(new), Some(old)]);
    assert_eq!(desk.server.marks, 1);
}

#[test]
fn a_direct_upload_without_image_states_goes_to_the_first_slot_as_nothing_could_be_marked() {
    let new = image(2, 9_000);
    let server = Recovery {
        slot_info: true,
        direct: true,
        ..Recovery::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(new.clone(), keys());
    assert_eq!(failed(&end), (&Error::OutcomeUnknown, false));
    assert_eq!(desk.server.slots, [Some(new), None]);
}

#[test]
fn a_recovery_that_goes_silent_in_the_middle_is_not_called_unharmed() {
    let mut desk = Desk::new(Recovery::new(&image(1, 3000)), Reads::Lines, None).ready();
    desk.dies_after = 5000;
    let end = desk.update(image(2, 9_000), keys());
    let (error, unharmed) = failed(&end);
    assert!(matches!(error, Error::WentSilent { .. }) && !unharmed, "{end:?}");
}

#[test]
fn a_recovery_that_refuses_the_image_that_it_wrote_is_said_to_start_nothing() {
    // Not signed for the board: bootutil_img_validate fails (boot_serial.c:373), and the list is empty.
    let server = Recovery {
        after: After::Stays,
        ..Recovery::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    let (error, unharmed) = failed(&end);
    assert!(
        matches!(error, Error::NothingBoots { .. }) && !unharmed,
        "{end:?}"
    );
}

#[test]
fn a_recovery_that_lists_the_image_and_does_not_start_it_is_not_taken_for_done() {
    let server = Recovery {
        states: true,
        after: After::Lists,
        ..Recovery::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    assert_eq!(failed(&end), (&Error::StaysInBootloader, false));
}

/// A recovery that does not answer the console's echo looks like an application that can't mark images: the restart, in place of
/// a test, shows what became of what was sent.
#[test]
fn a_recovery_that_is_not_recognised_is_restarted_and_asked() {
    for (after, is_done) in [(After::Smp, true), (After::Silence, false)] {
        let new = image(2, 9_000);
        let server = Recovery {
            echoes: false,
            after,
            ..Recovery::new(&image(1, 3000))
        };
        let mut desk = Desk::new(server, Reads::Lines, None).ready();
        assert!(!desk.session.board().unwrap().recovery);
        let end = desk.update(new.clone(), keys());
        match is_done {
            true => confirmed(&end),
            false => assert_eq!(failed(&end), (&Error::OutcomeUnknown, false)),
        }
        assert!(desk.server.restarted);
        assert_eq!(desk.server.slots, [Some(new), None]);
    }
}

// I2

#[test]
fn a_recovery_of_raw_packets_is_found_with_and_without_being_told() {
    for framing in [None, Some(Framing::Raw)] {
        let server = Recovery {
            after: After::Smp,
            ..Recovery::new(&image(1, 3000))
        };
        let mut desk = Desk::new(server, Reads::Raw, framing).ready();
        let took = desk.now.since(Instant(0));
        assert!(framing.is_none() || took < Duration::from_secs(1), "{took:?}");
        assert_eq!(desk.session.board().unwrap().framing, Some(Framing::Raw));
        let end = desk.update(image(2, 9_000), keys());
        confirmed(&end);
    }
}

#[test]
fn a_raw_server_that_reads_lines_as_packets_is_not_wedged_by_them() {
    for (forgets, longest) in [(false, 1024), (true, 1 << 17)] {
        let reads = Reads::OldRaw { forgets, longest };
        let desk = Desk::new(Recovery::new(&image(1, 3000)), reads, None).ready();
        assert_eq!(desk.session.board().unwrap().framing, Some(Framing::Raw));
    }
}

// I8

#[test]
fn a_board_that_runs_images_in_place_is_refused_before_anything_is_sent() {
    for mode in [4, 5] {
        let server = Zephyr {
            mode: Some(mode),
            ..Zephyr::new(&image(1, 3000))
        };
        let desk = Desk::new(server, Reads::Lines, None).ready();
        let options = keyed();
        let plan = desk.session.plan(&checked(image(2, 9_000)), &options);
        assert_eq!(plan, Err(Error::UnsupportedExchange { mode: mode as i32 }));
    }
}

#[test]
fn an_overwriting_board_is_updated_and_there_is_no_way_back() {
    let server = Zephyr {
        mode: Some(2),
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    assert_eq!(desk.session.board().unwrap().exchange(), Exchange::Overwrite);
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
}

/// Direct XIP of a Zephyr that does not say its bootloader's mode.
fn runs_in_place() -> Zephyr {
    Zephyr {
        marks: false,
        ..Zephyr::new(&image(1, 3000))
    }
}

#[test]
fn a_board_that_says_no_mode_and_can_not_mark_is_restarted_and_asked() {
    // No newer than what runs: after the restart that one still runs.
    let mut desk = Desk::new(runs_in_place(), Reads::Lines, None).ready();
    let end = desk.update(image(1, 9_000), keys());
    let Event::Outcome(Outcome::Unchanged { reason, version }) = end else {
        panic!("{end:?}")
    };
    assert_eq!(
        (reason, version.as_deref()),
        (Unchanged::NotStarted, Some("1.0.0"))
    );
}

#[test]
fn a_newer_image_that_a_board_starts_where_it_lies_is_what_runs() {
    let mut desk = Desk::new(runs_in_place(), Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
    let board = desk.session.board().unwrap();
    let version = |image: Option<&SlotImage>| image.unwrap().version.clone();
    assert_eq!(
        (version(board.running()), version(board.other())),
        ("2.0.0".into(), "1.0.0".into())
    );
    // From now on it is known how it runs images.
    let options = keyed();
    let plan = desk.session.plan(&checked(image(3, 9_000)), &options);
    assert_eq!(plan, Err(Error::UnsupportedExchange { mode: 4 }));
}

#[test]
fn a_newer_image_that_a_board_should_start_where_it_lies_and_refuses_is_never_called_done() {
    let server = Zephyr {
        takes: false,
        ..runs_in_place()
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    assert_eq!(failed(&end), (&Error::OutcomeUnknown, false));
}

// F2, F3

#[test]
fn the_same_version_without_hashes_is_not_known_whether_the_bootloader_took_it_or_not() {
    for takes in [true, false] {
        let server = Zephyr {
            hashes: 0,
            takes,
            ..Zephyr::new(&image(0, 3000))
        };
        let mut desk = Desk::new(server, Reads::Lines, None).ready();
        let end = desk.update(image(0, 9_000), keys());
        assert_eq!(failed(&end), (&Error::OutcomeUnknown, false), "takes: {takes}");
    }
}

#[test]
fn another_version_without_hashes_is_told_by_its_version() {
    let server = Zephyr {
        hashes: 0,
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
}

#[test]
fn an_image_with_sha_512_is_marked_on_a_board_that_reads_such_and_refused_by_one_that_does_not() {
    let new = include_bytes!("../../../../protocol/image/tests/data/sha512.bin");
    let pem = include_str!("../../../../protocol/image/tests/data/ed25519.pub.pem");
    let signer = bootlace_image::PublicKey::from_pem(pem).unwrap();
    for hashes in [32, 64] {
        let server = Zephyr {
            hashes,
            ..Zephyr::new(new)
        };
        // It runs another one, of which it lists as many bytes.
        let mut desk = Desk::new(server, Reads::Lines, None);
        desk.server.images[0].hash = vec![7; hashes];
        desk.server.images[0].version = "0.1.0".into();
        let mut desk = desk.ready();
        let end = desk.update(new.to_vec(), vec![signer]);
        if hashes == 64 {
            confirmed(&end);
            continue;
        }
        let (error, unharmed) = failed(&end);
        let not_found = Code::Image(bootlace_smp::img::ErrorCode::HashNotFound);
        assert!(
            matches!(error, Error::BoardRefused { asked: Asked::Test, code, .. } if *code == not_found)
                && unharmed,
            "{end:?}"
        );
    }
}

#[test]
fn a_list_that_leaves_out_what_is_false_and_names_several_images_is_understood() {
    let server = Zephyr {
        frugal: true,
        more_images: true,
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    assert_eq!(desk.session.board().unwrap().running().unwrap().version, "1.0.0");
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
}

#[test]
fn a_server_of_the_first_version_is_found_and_updated() {
    let server = Zephyr {
        v1: true,
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
}

// F11

#[test]
fn a_line_that_turns_lf_into_cr_lf_falls_back_to_console_framing() {
    let mut pair = Pair::new(Board::new(&image(1, 3000), keys()));
    pair.adds_cr = true;
    pair.until(MINUTE, |event| *event == Event::Phase(Phase::Ready))
        .unwrap();
    let start = pair.now;
    pair.session.start(pair.now, update(image(2, 30_000))).unwrap();
    let end = pair.finish(2 * MINUTE).unwrap();
    confirmed(&end);
    let took = pair.now.since(start);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// An upload may get through on such a line, as its small answers hold no line feed; whether the next answer does depends on
/// the hash in it.
#[test]
fn whatever_is_asked_after_an_upload_falls_back_to_console_framing_as_well() {
    for (phase, version) in [Phase::Verifying, Phase::Restarting, Phase::OnTrial]
        .into_iter()
        .flat_map(|phase| (2..8).map(move |version| (phase, version)))
    {
        let mut pair = Pair::new(Board::new(&image(1, 3000), keys()));
        pair.until(MINUTE, |event| *event == Event::Phase(Phase::Ready))
            .unwrap();
        assert_eq!(pair.session.board().unwrap().framing, Some(Framing::Cobs));
        pair.session
            .start(pair.now, update(image(version, 9_000)))
            .unwrap();
        pair.until(MINUTE, |event| *event == Event::Phase(phase)).unwrap();
        pair.adds_cr = true;
        let end = pair.finish(3 * MINUTE).unwrap();
        confirmed(&end);
    }
}
