//! How long the board's own binary goes without feeding its watchdog, in instructions of the emulated Cortex-M0, from one
//! poll of the companion to the next.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use bootlace_tests::qemu::{Emulator, Gdb, Images, Line, Watched, bootloader, with_bootloader, with_primary};
use bootlace_tests::tools;

/// The watchdog's register that a word is written to before each poll: the board's own file says so.
const RELOAD: Watched = (0x4001_0600, 4);
/// Where TIMER0 puts the time that was asked for last.
const CAPTURED: u32 = 0x4000_8544;
/// The most instructions between two polls: an eighth of a second on a chip of 16 MHz.
const MOST: u64 = 2_000_000;
/// Bytes of the images: several pages, and a hash that takes its time.
const LEN: usize = 12_000;

/// Gaps between two polls: the longest in instructions, and how many there were.
#[derive(Debug, Default)]
struct Gaps {
    longest: u64,
    count: usize,
}

impl Gaps {
    /// Follows the board until it stops at an instruction that is not a feed, or until `until` says so. `now` counts
    /// instructions.
    fn follow(
        &mut self,
        gdb: &mut Gdb,
        mut now: impl FnMut(&mut Gdb) -> u64,
        mut until: impl FnMut() -> bool,
    ) {
        let mut before = now(gdb);
        loop {
            gdb.watch(RELOAD).unwrap();
            gdb.go().unwrap();
            let Some(fed) = gdb.stopped_within(Duration::from_secs(60)).unwrap() else {
                panic!("the watchdog is not fed any more");
            };
            let after = now(gdb);
            self.longest = self.longest.max(after - before);
            self.count += 1;
            before = after;
            gdb.unwatch(RELOAD).unwrap();
            if fed.is_none() || until() {
                return;
            }
            gdb.step().unwrap();
        }
    }
}

/// An update from the first byte of the restart to the new application: the check of the new image, the swap, the check of
/// what the swap brought. The longest gap must be below [`MOST`].
fn an_update_from_reset_to_the_application(bootloader: &[u8], images: &Images, steps_of_a_signature: usize) {
    let (old, _) = images.signed("plain", 0, LEN).unwrap();
    let (new, hash) = images.signed("plain", 1, LEN).unwrap();
    let board = Emulator::new(Line::Socket, &with_bootloader(bootloader, Some(&old))).unwrap();
    board.hold_button().unwrap();
    board.go().unwrap();
    let mut client = board.client().unwrap();
    assert_eq!(client.upload(&new, new.len()).unwrap().1, Some(true));
    client.test(&hash).unwrap();

    let board = Emulator::new(Line::Counted, &board.power_down().unwrap()).unwrap();
    let mut gdb = board.gdb().unwrap();
    let entry = u32::from_le_bytes(*new[0x104..].first_chunk().unwrap());
    gdb.stop_at(entry & !1).unwrap();
    let mut gaps = Gaps::default();
    let start = board.instructions().unwrap();
    gaps.follow(&mut gdb, |_| board.instructions().unwrap(), || false);
    println!(
        "{} polls, at most {:.2} million instructions apart, {:.1} million in all",
        gaps.count,
        gaps.longest as f64 / 1e6,
        (board.instructions().unwrap() - start) as f64 / 1e6
    );
    // Two checks of a signature, and their hashes.
    assert!(gaps.count > 2 * steps_of_a_signature + 120, "{gaps:?}");
    assert!((100_000..MOST).contains(&gaps.longest), "{gaps:?}");
}

#[test]
fn the_watchdog_is_fed_at_least_every_2_million_instructions_from_reset_through_a_swap_to_the_application() {
    let images = Images::new().unwrap();
    an_update_from_reset_to_the_application(&bootloader().unwrap(), &images, 36);
}

#[test]
fn the_watchdog_is_fed_at_least_every_2_million_instructions_while_ed25519_is_checked() {
    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/image/tests/data");
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("watchdog-ed25519-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let key = PathBuf::from(format!("{DATA}/ed25519.pub.pem"));
    let bootloader = tools::filled(&folder, "qemu-microbit-ed25519", "bin", &key).unwrap();
    let images = Images::with_key(&key.with_file_name("ed25519.pem")).unwrap();
    an_update_from_reset_to_the_application(&bootloader, &images, 48);
}

/// While it serves: pieces that are written, and the check of the image before it is marked.
#[test]
fn the_watchdog_is_fed_at_least_every_2_million_instructions_while_an_image_is_checked_and_marked() {
    let images = Images::new().unwrap();
    let (new, hash) = images.signed("plain", 1, LEN).unwrap();
    let board = Emulator::running(Line::Socket, &with_primary(None).unwrap()).unwrap();
    let mut client = board.client().unwrap();
    assert_eq!(client.upload(&new, new.len()).unwrap().1, Some(true));

    let board = Emulator::running(Line::Rushed, &board.power_down().unwrap()).unwrap();
    let mut client = board.client().unwrap();
    client.describe_when_up(|_| ()).unwrap();
    let mut gdb = board.gdb().unwrap();
    // The program reads its clock before each poll, in microseconds, of which each takes a thousand instructions here.
    let now = |gdb: &mut Gdb| {
        let captured = gdb.read(CAPTURED, 4).unwrap();
        u64::from(u32::from_le_bytes(*captured.first_chunk().unwrap())) * 1000
    };
    let mut gaps = Gaps::default();
    std::thread::scope(|scope| {
        let host = scope.spawn(move || client.test(&hash).unwrap());
        gaps.follow(&mut gdb, now, || host.is_finished());
        // Before the host waits for what it has: nothing more is to come.
        host.join().unwrap();
    });
    println!(
        "{} polls, at most {:.2} million instructions apart",
        gaps.count,
        gaps.longest as f64 / 1e6
    );
    assert!((100_000..MOST).contains(&gaps.longest), "{gaps:?}");
}
