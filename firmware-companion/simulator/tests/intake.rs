//! A raw file into the slot, without SMP: the smallest user of the intake.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use bootlace_core::flash::{Area, CHUNK, Flash, FlashError, Geometry};
use bootlace_core::intake::{Fault, File, FileDigest, Intake, Kind, Piece, Received, Step};
use bootlace_simulator::{NorFlash, SimulatedBoard};
use common::{Host, config, mark_for_test, version};
use sha2::{Digest, Sha256};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A board's flash that runs version 1.0.
fn flash() -> NorFlash {
    let config = config();
    let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
    flash.flash_primary(&version(0));
    flash
}

fn file(bytes: &[u8]) -> File {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    File {
        kind: Kind::Image,
        len: bytes.len() as u32,
        digest: digest.first_chunk().copied().map(FileDigest),
        oldest: None,
        newer_only: false,
    }
}

/// Hands a piece over; what comes of it, and whether the slot's image was replaced.
fn take(
    intake: &mut Intake,
    flash: &mut NorFlash,
    file: &File,
    piece: Piece,
) -> (Result<Received, Fault>, bool) {
    let taken = match piece.offset {
        0 => intake.open(flash, file, piece.data, None),
        _ => intake.offer(Kind::Image, &piece),
    };
    if let Err(fault) = taken {
        return (Err(fault), false);
    }
    let mut replaces = false;
    loop {
        let before = flash.operations();
        let step = intake.step(flash, &piece, None);
        assert!(
            flash.operations() <= before + 1,
            "more than one operation in a step"
        );
        match step {
            Step::Again => {}
            Step::Replaces => {
                assert!(!replaces, "told once");
                replaces = true;
            }
            Step::Done(received) => return (Ok(received), replaces),
            Step::Refused(fault) => return (Err(fault), replaces),
        }
    }
}

/// Writes a file from wherever the intake says, up to `end`, in pieces of `len` bytes.
fn write(flash: &mut NorFlash, intake: &mut Intake, bytes: &[u8], len: usize, end: usize) -> Received {
    let file = file(bytes);
    let mut at = 0;
    loop {
        let piece = Piece {
            offset: at as u32,
            data: &bytes[at..bytes.len().min(at + len)],
        };
        let received = take(intake, flash, &file, piece).0.unwrap();
        at = received.offset as usize;
        if at >= end {
            return received;
        }
    }
}

/// Starts a board with this flash and says which versions are in its slots.
fn versions(flash: NorFlash) -> Vec<String> {
    let mut host = Host::new(SimulatedBoard::with_flash(config(), flash).unwrap());
    assert!(host.wait_for_port());
    host.settle();
    host.list().into_iter().map(|entry| entry.1).collect()
}

#[test]
fn a_raw_file_is_written_marked_and_booted_without_smp() {
    let (mut flash, new) = (flash(), version(1));
    let received = write(&mut flash, &mut Intake::new(), &new, 700, new.len());
    let whole = Received {
        offset: new.len() as u32,
        matched: Some(true),
    };
    assert_eq!(received, whole);
    mark_for_test(&mut flash);
    assert_eq!(versions(flash), ["1.1.0", "1.0.0"]);
}

#[test]
fn pieces_of_any_length_are_received_whole() {
    for len in [433, 1, 31, 257, 4097] {
        let (mut flash, new) = (flash(), version(1));
        let mut intake = Intake::new();
        // The first piece holds the header.
        let first = len.max(32);
        let received = write(&mut flash, &mut intake, &new, first, first);
        assert_eq!(received.offset, first as u32, "{len}");
        let end = first + 3 * len;
        assert_eq!(
            write(&mut flash, &mut intake, &new, first, 1).offset,
            first as u32,
            "a file that is known goes on"
        );
        let mut at = first;
        while at < end {
            let piece = Piece {
                offset: at as u32,
                data: &new[at..at + len],
            };
            let received = take(&mut intake, &mut flash, &file(&new), piece).0.unwrap();
            at += len;
            assert_eq!(received.offset as usize, at, "{len}");
        }
        let whole = write(&mut flash, &mut intake, &new, first, new.len());
        assert_eq!(whole.matched, Some(true), "{len}");
    }
}

/// Flash that notes what is programmed of the secondary slot: offset and length in bytes.
struct Watched {
    flash: NorFlash,
    programs: Vec<(u32, usize)>,
    /// The program that begins at this offset leaves a byte wrong, once, and does not say so.
    wrong: Option<u32>,
}

impl Watched {
    fn new(write: u32) -> Self {
        let config = bootlace_simulator::Config { write, ..config() };
        Watched {
            flash: NorFlash::new(config.address, config.map, write, config.timing),
            programs: Vec::new(),
            wrong: None,
        }
    }
}

impl Flash for Watched {
    fn geometry(&self, area: Area) -> Geometry {
        self.flash.geometry(area)
    }

    fn read(&mut self, area: Area, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        self.flash.read(area, offset, out)
    }

    fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError> {
        if area == Area::Secondary {
            self.programs.push((offset, data.len()));
        }
        if area == Area::Secondary && self.wrong.take_if(|wrong| *wrong == offset).is_some() {
            let mut data = data.to_vec();
            data[40] = 0;
            return self.flash.program(area, offset, &data);
        }
        self.flash.program(area, offset, data)
    }

    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        self.flash.erase(area, offset)
    }
}

/// Chips take as long to program a part of a page as to program all of it.
#[test]
fn pages_of_a_file_are_programmed_whole_whatever_the_pieces_and_write_units() {
    let new = version(1);
    for write in [1, 4, 8, 16, 32] {
        for len in [1000, 999, 257, 256, 33] {
            let mut watched = Watched::new(write);
            let (mut intake, mut at, mut is_cut) = (Intake::new(), 0, false);
            while at < new.len() {
                if at > new.len() / 2 && !is_cut {
                    // The power was away: it goes on from the ledger, or where it is.
                    (intake, is_cut, at) = (Intake::new(), true, 0);
                }
                let piece = Piece {
                    offset: at as u32,
                    data: &new[at..new.len().min(at + len)],
                };
                match at {
                    0 => intake.open(&mut watched, &file(&new), piece.data, None).unwrap(),
                    _ => intake.offer(Kind::Image, &piece).unwrap(),
                }
                at = loop {
                    match intake.step(&mut watched, &piece, None) {
                        Step::Done(received) => break received.offset as usize,
                        Step::Refused(fault) => panic!("{fault:?}"),
                        Step::Again | Step::Replaces => {}
                    }
                };
            }
            let of_file = |&(offset, _): &(u32, usize)| (offset as usize) < new.len();
            let programs: Vec<_> = watched.programs.iter().copied().filter(of_file).collect();
            assert!(
                is_cut && programs.len() >= new.len() / CHUNK,
                "{}",
                programs.len()
            );
            for (offset, length) in programs {
                let end = (offset as usize + CHUNK).min(new.len().next_multiple_of(write as usize));
                assert!(
                    (offset as usize).is_multiple_of(CHUNK) && offset as usize + length == end,
                    "units of {write}, pieces of {len}: {length} bytes at {offset}"
                );
            }
            let mut found = vec![0; new.len()];
            watched.read(Area::Secondary, 0, &mut found).unwrap();
            assert!(found == new, "units of {write}, pieces of {len}");
        }
    }
}

/// Sends a file in whole pages to flash that leaves one of them wrong; after the intake went back, the first piece is `again`'s.
/// Gives to where the intake went back, whether the image matched in the end, and what the slot holds.
fn write_with_a_wrong_page(file_bytes: &[u8], again: &[u8]) -> (Option<u32>, Option<bool>, Vec<u8>) {
    let mut watched = Watched::new(4);
    let unit = watched.geometry(Area::Secondary).erase;
    watched.wrong = Some(unit + CHUNK as u32);
    let (mut intake, mut at, mut went_back, mut matched) = (Intake::new(), 0, None, None);
    while matched.is_none() {
        let bytes = if went_back == Some(at as u32) {
            again
        } else {
            file_bytes
        };
        let piece = Piece {
            offset: at as u32,
            data: &bytes[at..bytes.len().min(at + CHUNK)],
        };
        match at {
            0 => intake
                .open(&mut watched, &file(file_bytes), piece.data, None)
                .unwrap(),
            _ => intake.offer(Kind::Image, &piece).unwrap(),
        }
        let received = loop {
            match intake.step(&mut watched, &piece, None) {
                Step::Done(received) => break received,
                Step::Refused(fault) => panic!("{fault:?}"),
                Step::Again | Step::Replaces => {}
            }
        };
        if received.offset < at as u32 {
            assert_eq!((received.offset, went_back.replace(unit)), (unit, None));
        }
        (at, matched) = (received.offset as usize, received.matched);
    }
    let mut found = vec![0; file_bytes.len()];
    watched.read(Area::Secondary, 0, &mut found).unwrap();
    (went_back, matched, found)
}

/// What is hashed is what was sent: flash has to hold the same.
#[test]
fn what_flash_holds_otherwise_than_it_was_sent_is_sent_again() {
    let new = version(1);
    let (went_back, matched, found) = write_with_a_wrong_page(&new, &new);
    assert!(went_back.is_some());
    assert_eq!(matched, Some(true));
    assert!(found == new);
}

/// The hash of what was sent first says nothing of what was sent again.
#[test]
fn what_is_sent_again_is_hashed_again() {
    let (new, mut other) = (version(1), version(1));
    other[4100] ^= 1;
    let (went_back, matched, _) = write_with_a_wrong_page(&new, &other);
    assert!(went_back.is_some());
    assert_eq!(matched, Some(false));
}

#[test]
fn after_a_power_cut_a_file_goes_on_from_its_ledger() {
    let (mut flash, new) = (flash(), version(1));
    let mut intake = Intake::new();
    write(&mut flash, &mut intake, &new, 1000, 9000);
    // What is in RAM is gone, what the ledger says is not.
    let mut intake = Intake::new();
    let received = write(&mut flash, &mut intake, &new, 1000, 1);
    assert!(
        (4096..=9000).contains(&received.offset),
        "goes on at {}",
        received.offset
    );
    let received = write(&mut flash, &mut intake, &new, 1000, new.len());
    assert_eq!(received.matched, Some(true));
}

#[test]
fn another_file_replaces_what_the_slot_holds_and_says_so_once() {
    let mut flash = flash();
    let mut intake = Intake::new();
    let (first, second) = (version(1), version(2));
    for (bytes, replaces) in [(&first, true), (&first, false), (&second, true)] {
        let piece = Piece {
            offset: 0,
            data: &bytes[..1000],
        };
        let (received, replaced) = take(&mut intake, &mut flash, &file(bytes), piece);
        assert_eq!(received.map(|received| received.offset), Ok(1000));
        assert_eq!(replaced, replaces);
    }
}

#[test]
fn a_file_that_is_not_what_was_announced_is_forgotten() {
    let (mut flash, mut altered) = (flash(), version(1));
    let announced = file(&altered);
    altered[5000] ^= 1;
    let mut intake = Intake::new();
    let (mut at, mut matched) = (0, None);
    while matched.is_none() {
        let piece = Piece {
            offset: at as u32,
            data: &altered[at..altered.len().min(at + 900)],
        };
        let received = take(&mut intake, &mut flash, &announced, piece).0.unwrap();
        (at, matched) = (received.offset as usize, received.matched);
    }
    assert_eq!((at, matched), (altered.len(), Some(false)));
    // It begins anew, also with nothing but what is in flash.
    for mut intake in [intake, Intake::new()] {
        let due = take(
            &mut intake,
            &mut flash,
            &announced,
            Piece {
                offset: 900,
                data: &altered[900..1000],
            },
        );
        assert_eq!(due.0.map(|received| received.offset), Ok(0));
    }
}

#[test]
fn a_file_that_cannot_be_an_image_of_this_board_is_refused_before_anything_is_erased() {
    let mut flash = flash();
    let good = version(1);
    let largest = {
        let layout = bootlace_core::layout::Layout::of(&flash);
        layout.max_image_size(&flash)
    };
    let long = File {
        len: largest + 1,
        ..file(&good)
    };
    let patch = File {
        kind: Kind::Patch,
        ..file(&good)
    };
    let short = File {
        len: 10,
        ..file(&good)
    };
    let cases: [(&File, &[u8], Fault); 5] = [
        (&long, &good[..1000], Fault::TooLarge),
        (&file(&good), &[0x7F; 64], Fault::NotAnImage),
        (&file(&good), &good[..20], Fault::NoHeader),
        (&short, &good[..64], Fault::Overrun),
        (&patch, &good[..64], Fault::NoPatches),
    ];
    let before = flash.operations();
    for (file, data, fault) in cases {
        let piece = Piece { offset: 0, data };
        assert_eq!(
            take(&mut Intake::new(), &mut flash, file, piece),
            (Err(fault), false)
        );
    }
    assert_eq!(flash.operations(), before);
}
