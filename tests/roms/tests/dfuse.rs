//! First installs of an STM32F407 by its ROM's USB device: every end, every place of a fault, and runs that chance disturbs.
//! `BOOTLACE_INSTALL_RUNS=10000` for more of the last.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use bootlace_dfuse::Dfuse;
use bootlace_install::{Ended, Work};
use bootlace_loader::{Action, Broken, Fault, Refusal, Setup};
use bootlace_roms::dfuse::{Habits, MEMORIES, Refused, Rom};
use bootlace_roms::flash::Flash;
use bootlace_roms::random::Random;
use common::{Cable, Told, check, companion, is_installed, plan, run, runs};

/// The device at the end of a cable.
struct Usb {
    rom: Rom,
    actions: usize,
    /// The n-th action gets this in place of its answer; a device that is gone stays away.
    breaks: Option<(usize, Breaks)>,
    gone: bool,
}

/// What happens to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Breaks {
    /// It is not done, for this reason.
    Before(Broken),
    /// It is done, and its answer is lost for this reason.
    After(Broken),
    /// Its answer is cut off behind so many bytes.
    Short(usize),
    /// Its answer is so many other bytes.
    Other(usize),
}

impl Usb {
    fn new(rom: Rom) -> Self {
        Usb {
            rom,
            actions: 0,
            breaks: None,
            gone: false,
        }
    }

    fn answer(&mut self, action: &Action) -> Result<Vec<u8>, Broken> {
        let packet = |setup: &Setup, len: usize| {
            let ([value, high], [index, above], [few, many]) = (
                setup.value.to_le_bytes(),
                setup.index.to_le_bytes(),
                (len as u16).to_le_bytes(),
            );
            [setup.kind, setup.request, value, high, index, above, few, many]
        };
        let done = match action {
            Action::ControlIn(setup, len) => self.rom.control(packet(setup, usize::from(*len)), &[]),
            Action::ControlOut(setup, bytes) => self.rom.control(packet(setup, bytes.len()), bytes),
            Action::Setting(number) => self.rom.control([1, 11, *number, 0, 0, 0, 0, 0], &[]),
            other => panic!("{other:?} is no part of DFU"),
        };
        done.map_err(|refused| match refused {
            Refused::Stall => Broken::Stalled,
            Refused::Gone => Broken::Gone,
        })
    }
}

impl Cable for Usb {
    fn perform(&mut self, action: &Action, limit: Duration) -> Result<Vec<u8>, Broken> {
        assert!(limit >= Duration::from_secs(4), "less than an erase takes");
        self.actions += 1;
        self.rom.pass(Duration::from_micros(500));
        if self.gone {
            return Err(Broken::Gone);
        }
        let breaks = self.breaks.take_if(|(at, _)| *at == self.actions);
        match breaks.map(|(_, breaks)| breaks) {
            None => self.answer(action),
            Some(Breaks::Before(broken)) => {
                self.gone = broken == Broken::Gone;
                Err(broken)
            }
            Some(Breaks::After(broken)) => {
                self.gone = broken == Broken::Gone;
                self.answer(action).ok();
                Err(broken)
            }
            Some(Breaks::Short(len)) => self.answer(action).map(|mut bytes| {
                bytes.truncate(len);
                bytes
            }),
            Some(Breaks::Other(len)) => {
                self.answer(action).ok();
                Ok(Random::new(len as u64).bytes(len))
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.rom.pass(time);
    }

    fn flash(&self) -> &Flash {
        &self.rom.flash
    }

    fn has_left(&self) -> bool {
        self.rom.has_left()
    }
}

fn install(usb: &mut Usb, image: Option<usize>) -> Told {
    run(Dfuse::new(0), usb, &plan(image))
}

fn old(seed: u64) -> Vec<u8> {
    Random::new(seed).bytes(1 << 20)
}

#[test]
fn a_blank_chip_gets_companion_and_image_and_starts() {
    let mut usb = Usb::new(Rom::new(Flash::new(&[])));
    let told = install(&mut usb, Some(200_001));
    assert_eq!(told.ended, Ended::Installed);
    assert!(is_installed(usb.flash(), &plan(Some(200_001)), &[0xFF; 1 << 20]) && usb.has_left());
    // Nothing had to be erased.
    assert!(usb.flash().erased.is_empty());
}

#[test]
fn the_sector_that_starts_is_erased_first_and_written_last() {
    let old = old(1);
    let mut usb = Usb::new(Rom::new(Flash::new(&old)));
    let told = install(&mut usb, Some(140_000));
    check(&told, usb.flash(), usb.has_left(), &plan(Some(140_000)), &old);
    assert_eq!(told.ended, Ended::Installed);
    // An image of two sectors, code, records, and the vector table before all of them.
    assert_eq!(usb.flash().erased, [0, 6, 5, 4, 3, 2, 1]);
    // The waits are the loader's: 0.8 s for a small sector, 2.4 s and 4 s for the others.
    let erases = Duration::from_millis(4 * 800 + 2400 + 2 * 4000);
    assert!(
        told.time >= erases && told.time < erases * 3 / 2 + Duration::from_secs(30),
        "{:?}",
        told.time
    );
}

#[test]
fn a_chip_that_holds_it_already_is_only_read_and_started() {
    let mut flash = Flash::new(&companion());
    flash.write_protected = 0xFFFF;
    let mut usb = Usb::new(Rom::new(flash));
    assert_eq!(install(&mut usb, None).ended, Ended::Installed);
    assert!(usb.flash().erased.is_empty() && usb.has_left());
}

#[test]
fn a_sector_that_holds_it_already_is_left_alone() {
    let mut bytes = companion();
    bytes[0x5000] = 0;
    let mut usb = Usb::new(Rom::new(Flash::new(&bytes)));
    assert_eq!(install(&mut usb, None).ended, Ended::Installed);
    assert_eq!(usb.flash().erased, [0, 1]);
}

fn failed(fault: Fault, work: Work, changed: bool) -> Ended {
    Ended::Failed { work, fault, changed }
}

#[test]
fn protected_flash_is_named_and_nothing_is_taken_away() {
    for hides_protection in [false, true] {
        let mut flash = Flash::new(&old(2));
        flash.read_protected = true;
        let mut usb = Usb::new(Rom::new(flash));
        usb.rom.habits.hides_protection = hides_protection;
        let protected = Fault::Refused(Refusal::Protected);
        assert_eq!(
            install(&mut usb, None).ended,
            failed(protected, Work::Reading, false)
        );
        assert!(usb.flash().bytes == old(2) && usb.flash().read_protected);
    }
}

/// Loaders say nothing of sectors that are protected against writing: reading back does.
#[test]
fn a_sector_that_can_not_be_changed_is_found_by_reading_back() {
    let mut flash = Flash::new(&old(3));
    flash.write_protected = 1 << 4;
    let mut usb = Usb::new(Rom::new(flash));
    assert_eq!(install(&mut usb, None).ended, Ended::Differs { at: 0x0801_0000 });
    assert!(!usb.has_left());
    let mut flash = Flash::new(&[]);
    flash.stuck = Some(0x1_0203);
    // Of the companion's bytes there, the lowest bit is set.
    assert_eq!(companion()[0x1_0203] & 1, 1);
    let mut usb = Usb::new(Rom::new(flash));
    assert_eq!(install(&mut usb, None).ended, Ended::Differs { at: 0x0801_0203 });
    assert!(usb.flash().bytes[..0x4000].iter().all(|byte| *byte == 0xFF));
    // In the sector that starts, the last one that is written.
    let mut flash = Flash::new(&[]);
    let at = companion().iter().position(|byte| byte & 1 == 1).unwrap();
    flash.stuck = Some(at);
    let mut usb = Usb::new(Rom::new(flash));
    let differs = Ended::Differs {
        at: 0x0800_0000 + at as u32,
    };
    assert_eq!(install(&mut usb, None).ended, differs);
    assert!(!usb.has_left());
}

/// A chip that starts is gone before it has said so, in whatever way a system tells of that.
#[test]
fn a_loader_that_leaves_without_a_word_has_left() {
    let actions = install(&mut Usb::new(Rom::new(Flash::new(&[]))), None).actions;
    for broken in [
        Broken::Gone,
        Broken::Stalled,
        Broken::Silent,
        Broken::System("odd".into()),
    ] {
        let mut usb = Usb::new(Rom::new(Flash::new(&[])));
        usb.breaks = Some((actions, Breaks::After(broken)));
        assert_eq!(install(&mut usb, None).ended, Ended::Installed);
        assert!(usb.has_left());
    }
}

#[test]
fn another_chip_s_loader_is_left_alone() {
    let other = |memory: &str| {
        let mut usb = Usb::new(Rom::new(Flash::new(&old(4))));
        usb.rom.memory = memory.into();
        let told = install(&mut usb, None);
        assert!(usb.flash().bytes == old(4) && !usb.has_left(), "{memory}");
        told.ended
    };
    // An STM32F405 or F407 of 512 KB, an STM32F746, an STM32F103.
    let half = "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,03*128Kg";
    assert_eq!(other(half), Ended::OtherChip { at: 0x0808_0000 });
    let f746 = "@Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg";
    assert_eq!(other(f746), Ended::OtherChip { at: 0x0800_0000 });
    let f103 = "@Internal Flash  /0x08000000/128*0002Kg";
    assert_eq!(other(f103), Ended::OtherChip { at: 0x0800_0000 });
    let damaged = failed(Fault::Nonsense, Work::Beginning, false);
    assert_eq!(other("@Internal Flash  /0x08000000/04*016Kg,"), damaged);
    let none = failed(Fault::NoFlash, Work::Beginning, false);
    assert_eq!(other(MEMORIES[1]), none);
    assert_eq!(other(""), none);
}

/// Whatever another program left the loader in.
#[test]
fn a_loader_that_another_program_has_left_is_taken_over() {
    let dnload = |rom: &mut Rom, block: u8, bytes: &[u8]| {
        rom.control([0x21, 1, block, 0, 0, 0, bytes.len() as u8, 0], bytes)
    };
    let leaves: &[&dyn Fn(&mut Rom)] = &[
        &|rom| drop(dnload(rom, 0, &[0x21, 0, 0, 0, 8])),
        &|rom| {
            dnload(rom, 0, &[0x41, 0, 0, 0, 8]).unwrap();
            rom.control([0xA1, 3, 0, 0, 0, 0, 6, 0], &[]).unwrap();
        },
        &|rom| drop(rom.control([0xA1, 2, 2, 0, 0, 0, 64, 0], &[])),
        &|rom| drop(rom.control([0xA1, 2, 1, 0, 0, 0, 64, 0], &[])),
        &|rom| drop(rom.control([1, 11, 2, 0, 0, 0, 0, 0], &[])),
    ];
    for (number, leave) in leaves.iter().enumerate() {
        let mut usb = Usb::new(Rom::new(Flash::new(&[])));
        leave(&mut usb.rom);
        let told = install(&mut usb, None);
        match told.ended {
            Ended::Installed => assert!(number != 1),
            // Asked before its time was over it stalls, and says so; the next run takes it.
            ended if number == 1 => {
                let stalled = Fault::Refused(Refusal::Other(0));
                assert_eq!(ended, failed(stalled, Work::Beginning, false));
                usb.rom.pass(Duration::from_secs(5));
                assert_eq!(install(&mut usb, None).ended, Ended::Installed);
            }
            other => panic!("{number}: {other:?}"),
        }
    }
}

/// A run with a fault at one of its actions, and one after it.
fn disturbed(
    seed: u64,
    (habits, block): (Habits, usize),
    old: &[u8],
    image: Option<usize>,
    breaks: (usize, Breaks),
) {
    let context = format!("seed {seed}, {habits:?}, {block}, {image:?}, {breaks:?}");
    let result = std::panic::catch_unwind(|| {
        let plan = plan(image);
        let mut usb = Usb::new(Rom::new(Flash::new(old)));
        (usb.rom.habits, usb.rom.block) = (habits, block);
        usb.breaks = Some(breaks);
        let told = run(Dfuse::new(0), &mut usb, &plan);
        check(&told, usb.flash(), usb.has_left(), &plan, old);
        // Plugged in anew, as the sentence says.
        let held = usb.rom.flash.bytes.clone();
        usb.rom.reset();
        let mut again = Usb::new(usb.rom);
        let told = run(Dfuse::new(0), &mut again, &plan);
        assert_eq!(told.ended, Ended::Installed);
        check(&told, again.flash(), again.has_left(), &plan, &held);
        assert!(again.has_left() && is_installed(again.flash(), &plan, old));
    });
    if result.is_err() {
        panic!("{context}");
    }
}

/// Unplugged, stalled, silent, and answers that are cut off or of something else, at every action of a run.
#[test]
fn whatever_breaks_at_any_action_the_next_run_installs() {
    let old = old(5);
    let mut whole = Usb::new(Rom::new(Flash::new(&old)));
    let actions = install(&mut whole, None).actions;
    assert!((200..800).contains(&actions), "{actions}");
    // All of them where they are few, a sample of the others: what differs is at the begin and between the works.
    for at in (1..=actions).step_by(if runs(200) > 1000 { 1 } else { 7 }) {
        for breaks in [
            Breaks::Before(Broken::Gone),
            Breaks::After(Broken::Gone),
            Breaks::Before(Broken::Stalled),
            Breaks::After(Broken::Silent),
            Breaks::Short(0),
            Breaks::Other(6),
        ] {
            disturbed(0, (Habits::default(), 2048), &old, None, (at, breaks));
        }
    }
}

#[test]
fn chance_disturbs_runs_and_the_next_one_installs() {
    for seed in 1..=runs(200) {
        let mut random = Random::new(seed);
        let habits = Habits {
            reckons_with_length: random.once_in(2),
            tells_short_waits: random.once_in(2),
            leaves_at_once: random.once_in(2),
            hides_protection: false,
        };
        let mut old = match random.below(4) {
            0 => vec![0xFF; 1 << 20],
            1 => Flash::new(&companion()).bytes,
            _ => random.bytes(1 << 20),
        };
        // Some of it is blank, or there already.
        for _ in 0..random.below(4) {
            let sector = Flash::sector(random.below(12)).unwrap();
            match random.once_in(2) {
                true => old[sector].fill(0xFF),
                false if sector.end <= 0x2_0000 => {
                    let bytes = companion()[sector.clone()].to_vec();
                    old[sector].copy_from_slice(&bytes);
                }
                false => {}
            }
        }
        let image = (!random.once_in(3)).then(|| 1 + random.below(256 * 1024));
        let system = || Broken::System("odd".into());
        let breaks = match random.below(10) {
            0 => Breaks::Before(Broken::Gone),
            1 => Breaks::After(Broken::Gone),
            2 => Breaks::Before(Broken::Stalled),
            3 => Breaks::After(Broken::Stalled),
            4 => Breaks::Before(Broken::Silent),
            5 => Breaks::After(Broken::Silent),
            6 => Breaks::Before(system()),
            7 => Breaks::Short(random.below(2048)),
            8 => Breaks::Other(random.below(4096)),
            _ => Breaks::Other([6, 9, 54][random.below(3)]),
        };
        // Early, where actions are of many kinds, or anywhere.
        let last = if random.once_in(3) { 30 } else { 900 };
        let at = 1 + random.below(last);
        // 1000 divides no sector.
        let block = [2048, 1024, 1000][random.below(3)];
        disturbed(seed, (habits, block), &old, image, (at, breaks));
    }
}
