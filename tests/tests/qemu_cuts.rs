//! Power cuts on the board's unmodified binary: the debugger writes down every flash operation of an update, of a
//! confirmation and of a way back; then flash as it was before, in and after each of many of them is booted.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bootlace_client::Client as _;
use bootlace_image::Image;
use bootlace_tests::qemu::{
    Emulator, FLASH, Host, Images, Line, Operation, PAGE, PRIMARY, RAM, Recorder, SECONDARY, difference,
    undone, with_primary,
};

/// Points at which the power goes, in all.
const POINTS: usize = 306;
/// Cuts of a running board, to show that what is rebuilt from the log is what would be there.
const LIVE: usize = 10;
/// So long without a flash operation, nothing more is to come.
const QUIET: Duration = Duration::from_secs(4);
/// Longest time from power to the application on a busy machine.
const START: Duration = Duration::from_secs(4);

/// Flash before, and every operation that followed.
struct Recording {
    name: &'static str,
    start: Vec<u8>,
    log: Vec<Operation>,
    /// Minor versions of which one runs in the end, wherever the power went.
    may_run: &'static [u8],
}

/// Writes down what a board does: with a host, it is held in its bootloader by the button and `host` talks to it.
fn record(start: &[u8], host: Option<impl FnOnce(Host) + Send>) -> Vec<Operation> {
    let board = Emulator::new(Line::Socket, start).unwrap();
    if host.is_some() {
        board.hold_button().unwrap();
    }
    let client = board.client().unwrap();
    let mut recorder = Recorder::new(board.gdb().unwrap()).unwrap();
    let mut log = Vec::new();
    std::thread::scope(|scope| {
        let host = scope.spawn(move || host.map(|host| host(client)));
        let mut running = false;
        loop {
            let next = if running {
                recorder.wait(QUIET)
            } else {
                recorder.next(QUIET)
            };
            match next.unwrap() {
                Some(operation) => {
                    recorder.perform().unwrap();
                    log.push(operation);
                    running = false;
                }
                None if host.is_finished() => break,
                None => running = true,
            }
        }
        host.join().unwrap();
    });
    log
}

/// Sends the image, or a patch that makes it.
fn update(file: &[u8], is_patch: bool, hash: [u8; 32]) -> Option<impl FnOnce(Host) + Send> {
    let file = file.to_vec();
    Some(move |mut client: Host| {
        client.describe_when_up(|_| ()).unwrap();
        let sent = if is_patch {
            client.patch(&file, file.len())
        } else {
            client.upload(&file, file.len())
        };
        assert_eq!(sent.unwrap().1, Some(true));
        client.test(&hash).unwrap();
        client.reset(false).unwrap();
    })
}

fn recordings() -> Vec<Recording> {
    let images = Images::new().unwrap();
    let (first, _) = images.signed("plain", 0, 1500).unwrap();
    let (second, second_hash) = images.signed("plain", 1, 1700).unwrap();
    let (dead, dead_hash) = images.signed("self-testing-dead", 2, 1400).unwrap();
    let nobody = None::<fn(Host)>;
    let start = with_primary(Some(&first)).unwrap();
    let log = record(&start, update(&second, false, second_hash));
    let updated = undone(&start, &log, log.len(), None);
    let to_second = Recording {
        name: "update that confirms itself",
        start,
        log,
        may_run: &[0, 1],
    };
    let patch = difference(&second, &dead).unwrap();
    let log = record(&updated, update(&patch, true, dead_hash));
    let on_trial = undone(&updated, &log, log.len(), None);
    let to_dead = Recording {
        name: "update by a patch, to what hangs",
        start: updated,
        log,
        may_run: &[1],
    };
    let log = record(&on_trial, nobody);
    let back = Recording {
        name: "way back",
        start: on_trial,
        log,
        may_run: &[1],
    };
    vec![to_second, to_dead, back]
}

/// A board that is started again and again with other flash.
struct CabledBoard {
    board: Emulator,
    client: Host,
    holds: Vec<u8>,
}

impl CabledBoard {
    fn new(flash: &[u8]) -> Self {
        let board = Emulator::new(Line::Socket, flash).unwrap();
        let client = board.client().unwrap();
        CabledBoard {
            board,
            client,
            holds: flash.to_vec(),
        }
    }

    /// Power comes, with this in flash and nothing in RAM. Gives the minor version that runs in the end.
    fn start(&mut self, flash: &[u8]) -> Result<u8, String> {
        let mut gdb = self.board.gdb().unwrap();
        let pages = flash
            .chunks(PAGE)
            .zip(self.holds.chunks(PAGE))
            .zip((0..).step_by(PAGE));
        for ((wanted, _), at) in pages.filter(|((wanted, is), _)| wanted != is) {
            gdb.write(at, wanted).unwrap();
        }
        gdb.write(RAM.0, &[0; 16]).unwrap();
        drop(gdb);
        self.board.reset().unwrap();
        self.board.go().unwrap();
        // An image that is dead on its trial is ended by whoever resets the board.
        let mut ran = self.client.wait_for_text("plain: running", START);
        for _ in 0..4 {
            if ran.is_ok() {
                break;
            }
            self.board.reset().unwrap();
            ran = self.client.wait_for_text("plain: running", START);
        }
        self.board.halt().unwrap();
        self.holds = self.board.flash().unwrap();
        ran.map_err(|error| format!("a brick: {error}"))?;
        let mut slot = &self.holds[PRIMARY..SECONDARY];
        let image = Image::read(&mut slot).map_err(|error| format!("no image runs: {error:?}"))?;
        if image.hash(&mut slot).ok() != image.digest(&mut slot).ok() {
            return Err("an altered image runs".into());
        }
        Ok(image.header().version.minor)
    }
}

/// Where the power goes: after so many operations, and which bits of the next one's word stayed as they were.
type Cut = (usize, Option<u32>);

/// Points spread over a log: before an operation, in it, after it, in turn.
fn cuts(log: &[Operation], count: usize) -> Vec<Cut> {
    (0..count)
        .map(|number| {
            let operation = number * log.len() / count;
            match number % 3 {
                0 => (operation, None),
                1 => (operation, Some(0x00FF_0F0F_u32.rotate_left(number as u32))),
                _ => (operation + 1, None),
            }
        })
        .collect()
}

#[test]
fn no_cut_makes_a_brick() {
    let begun = Instant::now();
    let recordings = recordings();
    let operations: usize = recordings.iter().map(|recording| recording.log.len()).sum();
    println!(
        "{operations} operations in {:.1} s",
        begun.elapsed().as_secs_f32()
    );
    for recording in &recordings {
        println!("  {}: {} operations", recording.name, recording.log.len());
        assert!(
            recording.log.len() > 300,
            "{}: the log is too short to be all",
            recording.name
        );
    }
    let points: Vec<(&Recording, Cut)> = recordings
        .iter()
        .flat_map(|recording| {
            let cuts = cuts(&recording.log, POINTS / recordings.len());
            cuts.into_iter().map(move |cut| (recording, cut))
        })
        .collect();
    assert!(points.len() >= 300);
    let (next, mut failures) = (AtomicUsize::new(0), Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut bench, mut failures) = (CabledBoard::new(&recordings[0].start), Vec::new());
                    while let Some((recording, (count, torn))) =
                        points.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        let flash = undone(&recording.start, &recording.log, *count, *torn);
                        let ran = bench.start(&flash);
                        if !ran.as_ref().is_ok_and(|minor| recording.may_run.contains(minor)) {
                            failures.push(format!(
                                "{}: cut at {count}, torn {torn:x?}: {ran:?}",
                                recording.name
                            ));
                        }
                    }
                    failures
                })
            })
            .collect();
        failures.extend(workers.into_iter().flat_map(|worker| worker.join().unwrap()));
    });
    println!(
        "{} points, {} bricks, {:.0} s",
        points.len(),
        failures.len(),
        begun.elapsed().as_secs_f32()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    live(recordings.last().unwrap());
}

/// Cuts the power of a board that runs, and compares its flash with what the log says.
fn live(recording: &Recording) {
    let mut bench = CabledBoard::new(&recording.start);
    for number in 0..LIVE {
        let count = 7 + number * 61 % recording.log.len().min(400);
        let board = Emulator::new(Line::Socket, &recording.start).unwrap();
        let mut recorder = Recorder::new(board.gdb().unwrap()).unwrap();
        let mut operation = recorder.next(QUIET).unwrap().unwrap();
        for _ in 0..count {
            recorder.perform().unwrap();
            operation = recorder.next(QUIET).unwrap().unwrap();
        }
        assert_eq!(operation, recording.log[count], "the same operations each time");
        let torn = match operation {
            Operation::Program(at, value) if number % 2 == 0 => {
                let torn = 0xF0F0_F0F0;
                let before = recorder.gdb().read(at, 4).unwrap();
                let after: Vec<u8> = before
                    .iter()
                    .zip((value | torn).to_le_bytes())
                    .map(|(a, b)| a & b)
                    .collect();
                recorder.gdb().write(at, &after).unwrap();
                Some(torn)
            }
            _ => None,
        };
        let flash = board.flash().unwrap();
        drop(board);
        assert_eq!(flash.len(), FLASH);
        assert!(
            flash == undone(&recording.start, &recording.log, count, torn),
            "cut {number}"
        );
        assert_eq!(bench.start(&flash), Ok(1), "cut {number}");
    }
    println!("{LIVE} live cuts: flash is what the log says");
}
