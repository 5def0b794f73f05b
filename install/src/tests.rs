//! Installations over a model of the RP2040's ROM: every end, and thousands of runs that something interrupts.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod units;

use std::vec;
use std::vec::Vec;

use bootlace_loader::{Action, Broken, Fault, Refusal};
use bootlace_picoboot::{FLASH, Picoboot};

use crate::boards::{self, Board};
use crate::{Ended, FlashPlan, Format, Installation, News, Next, OtherDrive, Part, Unfit, Work};

/// Bytes of flash: what the tests change, and some more.
const LEN: usize = 0x2_0000;

fn pico() -> &'static Board {
    boards::named("rp2040").unwrap()
}

/// The ROM behind PICOBOOT and the flash chip, as the datasheet tells of them (2.8.5): a command, its data, an empty packet back.
struct Rom {
    flash: Vec<u8>,
    /// The command under way, and what was sent for it.
    command: Option<[u8; 32]>,
    /// Halted: until INTERFACE_RESET.
    code: u32,
    token: u32,
    is_halted: bool,
    has_restarted: bool,
    /// The n-th action from now on gets this instead of its answer.
    breaks: Option<(usize, Broken)>,
    /// Actions so far.
    actions: usize,
    /// This byte of flash is stuck.
    stuck: Option<usize>,
}

impl Rom {
    fn new(flash: Vec<u8>) -> Self {
        Rom {
            flash,
            command: None,
            code: 0,
            token: 0,
            is_halted: false,
            has_restarted: false,
            breaks: None,
            actions: 0,
            stuck: None,
        }
    }

    fn blank() -> Self {
        Rom::new(vec![0xFF; LEN])
    }

    fn refuse(&mut self, code: u32) -> Result<Vec<u8>, Broken> {
        (self.code, self.is_halted, self.command) = (code, true, None);
        Err(Broken::Stalled)
    }

    fn act(&mut self, action: &Action) -> Result<Vec<u8>, Broken> {
        self.actions += 1;
        if self.has_restarted {
            return Err(Broken::Gone);
        }
        if let Some((at, broken)) = self.breaks.clone()
            && self.actions >= at
        {
            if broken != Broken::Gone {
                self.breaks = None;
            }
            return Err(broken);
        }
        match action {
            Action::ControlIn(setup, 16) if setup.request == 0x42 => {
                let words = [self.token, self.code, 0, 0];
                Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
            }
            Action::ControlOut(setup, _) if setup.request == 0x41 => {
                (self.is_halted, self.command, self.code) = (false, None, 0);
                Ok(vec![])
            }
            Action::ClearHalts => Ok(vec![]),
            _ if self.is_halted => Err(Broken::Stalled),
            Action::Out(bytes) => self.out(bytes),
            Action::In(len) => self.inward(*len),
            other => panic!("{other:?} is no part of PICOBOOT"),
        }
    }

    fn range(command: &[u8; 32]) -> (usize, usize) {
        let word = |at: usize| u32::from_le_bytes(command[at..at + 4].try_into().unwrap());
        (word(16).wrapping_sub(FLASH) as usize, word(20) as usize)
    }

    fn out(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Broken> {
        let Some(command) = self.command else {
            let Ok(command) = <[u8; 32]>::try_from(bytes) else {
                return self.refuse(2);
            };
            assert_eq!(command[..4], 0x431F_D10Bu32.to_le_bytes());
            self.token = u32::from_le_bytes(command[4..8].try_into().unwrap());
            let (at, len) = Rom::range(&command);
            let is_flash = at.checked_add(len).is_some_and(|end| end <= self.flash.len());
            match command[8] {
                0x03 | 0x05 | 0x84 if !is_flash => return self.refuse(4),
                0x03 if at % 4096 != 0 || len % 4096 != 0 => return self.refuse(5),
                0x05 if at % 256 != 0 => return self.refuse(5),
                0x01..=0x03 | 0x05 | 0x06 | 0x84 => {}
                _ => return self.refuse(1),
            }
            self.command = Some(command);
            return Ok(vec![]);
        };
        match command[8] {
            0x05 => {
                let (at, len) = Rom::range(&command);
                assert_eq!(bytes.len(), len);
                let places = self.flash[at..at + len].iter_mut();
                places.zip(bytes).for_each(|(place, byte)| *place &= byte);
                if let Some(stuck) = self.stuck {
                    self.flash[stuck] = 0;
                }
            }
            0x84 => self.command = None,
            _ => return self.refuse(3),
        }
        Ok(vec![])
    }

    fn inward(&mut self, len: u32) -> Result<Vec<u8>, Broken> {
        let Some(command) = self.command else {
            return Err(Broken::Silent);
        };
        let (at, bytes) = Rom::range(&command);
        if command[8] == 0x84 {
            assert_eq!(len as usize, bytes);
            return Ok(self.flash[at..at + bytes].to_vec());
        }
        assert_eq!(len, 0);
        match command[8] {
            0x03 => self.flash[at..at + bytes].fill(0xFF),
            0x02 => self.has_restarted = true,
            _ => {}
        }
        self.command = None;
        Ok(vec![])
    }
}

/// A board's places lie in the flash that its companion was built for.
#[test]
fn every_board_has_its_slots_in_its_units() {
    for board in boards::ALL {
        let (first, last) = (board.units.first().unwrap(), board.units.last().unwrap());
        assert_eq!(first.at, board.begin(), "{}", board.name);
        // What a board is called where its owner gives it no name.
        assert!(board.title.len() <= bootlace_identity::MAX_NAME && board.title.is_ascii());
        for pair in board.units.windows(2) {
            assert_eq!(pair[0].end(), u64::from(pair[1].at), "{}", board.name);
        }
        let is_begin = |at: u32| {
            let mut units = board.units.iter().flat_map(|units| units.all());
            units.any(|unit| unit.at == at)
        };
        let (primary, most) = board.primary;
        assert!(is_begin(board.flash + board.companion) && is_begin(primary));
        assert!(u64::from(primary) + u64::from(most) <= last.end());
    }
}

/// What Adafruit's bootloader writes into its INFO_UF2.TXT (`ghostfat.c`).
fn info(board: &str, softdevice: &str) -> std::string::String {
    std::format!(
        "UF2 Bootloader 0.9.2 lib/nrfx (v2.0.0)\r\nModel: Some Board\r\nBoard-ID: {board}\r\nDate: Jan  1 2025\r\nSoftDevice: {softdevice}\r\n"
    )
}

#[test]
fn a_drive_is_that_of_its_softdevice_and_its_chip() {
    let [seven, six] = ["nrf52840-uf2", "nrf52840-uf2-s6"].map(|name| boards::named(name).unwrap());
    let feather = info("nRF52840-Feather-revD", "S140 6.1.1");
    let xiao = info("nRF52840-SeeedXiao-v1", "S140 7.3.0");
    assert_eq!(
        (six.judge_drive(&feather), seven.judge_drive(&xiao)),
        (Ok(()), Ok(()))
    );
    assert_eq!(six.judge_drive(&xiao), Err(OtherDrive::Of(seven)));
    assert_eq!(seven.judge_drive(&feather), Err(OtherDrive::Of(six)));
    let picos = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n";
    assert_eq!(six.judge_drive(picos), Err(OtherDrive::Of(pico())));
    for other in [
        info("nRF52833-Express", "S140 7.3.0"),
        info("nRF52840-MDK", "not found"),
        "".into(),
    ] {
        assert_eq!(seven.judge_drive(&other), Err(OtherDrive::Unknown), "{other}");
    }
}

/// Behind SoftDevice 6 the loader starts what stands a page before the companion: its vector table, and nothing else there.
#[test]
fn a_vector_table_stands_where_the_loader_looks_for_it() {
    let companion = companion();
    let image = vec![0x3D; 2000];
    for (name, begin) in [("nrf52840-uf2", 0x2_7000), ("nrf52840-uf2-s6", 0x2_6000)] {
        let board = boards::named(name).unwrap();
        let plan = board.plan(companion.clone(), Some(image.clone())).unwrap();
        let file = board.file(&plan, Format::Uf2).unwrap();
        let content = bootlace_formats::uf2::read(&file).unwrap();
        assert_eq!(content.family, Some(0xADA5_2840));
        let [(at, bytes)] = &content.parts[..] else {
            panic!("{} parts", content.parts.len());
        };
        assert_eq!(*at, begin);
        let (before, own) = bytes.split_at(0x2_7000 - begin as usize);
        if !before.is_empty() {
            assert_eq!(before[..256], companion[..256]);
            assert!(before[256..].iter().all(|byte| *byte == 0xFF));
        }
        assert_eq!(own[..50_000], companion);
        assert!(own[50_000..0x1_0000].iter().all(|byte| *byte == 0xFF));
        assert_eq!(own[0x1_0000..][..2000], image);
    }
}

/// What a run told.
#[derive(Default)]
struct Told {
    works: Vec<Work>,
    before: Option<Vec<Part>>,
    ended: Option<Ended>,
    actions: Vec<Action>,
}

/// Runs to the end; `at_each` may cancel, and sees each notice.
fn run_with(
    rom: &mut Rom,
    plan: &FlashPlan,
    mut at_each: impl FnMut(&mut Installation<Picoboot>, &News),
) -> Told {
    let mut installation = Installation::new(Picoboot::new(1), plan.clone());
    let mut told = Told::default();
    for _ in 0..100_000 {
        while let Some(notice) = installation.poll_news() {
            at_each(&mut installation, &notice);
            match notice {
                News::Work(work) => told.works.push(work),
                News::Before(parts) => {
                    told.before = Some(parts);
                    installation.go_on();
                }
                News::Progress { done, total } => assert!(done <= total),
                News::Ended(ended) => {
                    assert_eq!(installation.poll_next(), Next::Over);
                    told.ended = Some(ended);
                    return told;
                }
            }
        }
        match installation.poll_next() {
            Next::Do(action, _) => {
                let done = rom.act(&action);
                told.actions.push(action);
                installation.handle_done(done);
            }
            Next::Wait(_) => panic!("PICOBOOT has nothing to wait for"),
            Next::Asks | Next::Over => {}
        }
    }
    panic!("the installation does not end");
}

fn run(rom: &mut Rom, plan: &FlashPlan) -> Told {
    run_with(rom, plan, |_, _| {})
}

fn companion() -> Vec<u8> {
    (0..50_000u32).map(|it| (it * 7 % 251) as u8).collect()
}

fn plan() -> FlashPlan {
    pico().plan(companion(), Some(vec![0x3D; 20_000])).unwrap()
}

fn is_installed(flash: &[u8]) -> bool {
    flash[..50_000] == companion()
        && flash[50_000..0x1_0000].iter().all(|byte| *byte == 0xFF)
        && flash[0x1_0000..0x1_0000 + 20_000]
            .iter()
            .all(|byte| *byte == 0x3D)
}

#[test]
fn a_blank_chip_gets_companion_and_image_and_starts() {
    let mut rom = Rom::blank();
    let told = run(&mut rom, &plan());
    assert_eq!(told.ended, Some(Ended::Installed));
    assert!(is_installed(&rom.flash) && rom.has_restarted);
    // Nothing had to be erased, so the ROM was asked for nothing: the id of an erase is 3.
    let erases = told
        .actions
        .iter()
        .filter(|action| matches!(action, Action::Out(it) if it.len() == 32 && it[8] == 3));
    // All but the unit that the chip starts from hold nothing, and neither does that one.
    assert_eq!(erases.count(), 0);
    assert_eq!(
        told.works,
        [
            Work::Beginning,
            Work::Reading,
            Work::Erasing,
            Work::Writing,
            Work::Verifying,
            Work::Finishing,
            Work::Leaving
        ]
    );
}

#[test]
fn what_was_there_is_handed_over_before_anything_changes() {
    let old: Vec<u8> = (0..LEN as u32).map(|it| (it / 3) as u8).collect();
    let mut rom = Rom::new(old.clone());
    let told = run(&mut rom, &plan());
    let before = told.before.unwrap();
    // The companion's place and the sectors of the image adjoin.
    assert_eq!(before.len(), 1);
    assert_eq!(
        (before[0].at, before[0].bytes.len()),
        (FLASH, 0x1_0000 + 5 * 4096)
    );
    assert_eq!(before[0].bytes, old[..0x1_0000 + 5 * 4096]);
    assert!(is_installed(&rom.flash));
    assert_eq!(rom.flash[0x1_5000..], old[0x1_5000..]);
}

#[test]
fn a_chip_that_holds_it_already_is_only_read_and_started() {
    let mut rom = Rom::blank();
    run(&mut rom, &plan());
    let mut again = Rom::new(rom.flash);
    let told = run(&mut again, &plan());
    assert_eq!(told.ended, Some(Ended::Installed));
    let changes = told
        .actions
        .iter()
        .filter(|action| matches!(action, Action::Out(it) if it.len() == 32 && [3, 5].contains(&it[8])));
    assert_eq!(changes.count(), 0);
}

#[test]
fn a_byte_that_reads_otherwise_is_named_and_the_chip_is_not_started() {
    let mut rom = Rom::blank();
    rom.stuck = Some(8192 + 5);
    let told = run(&mut rom, &plan());
    assert_eq!(told.ended, Some(Ended::Differs { at: FLASH + 8192 + 5 }));
    // It would not start either: what a chip starts from is not there.
    assert!(!rom.has_restarted && rom.flash[..4096].iter().all(|byte| *byte == 0xFF));
}

#[test]
fn an_installation_that_is_cancelled_says_whether_it_changed_anything() {
    let at = |wanted: Work| {
        let mut rom = Rom::new(vec![0x55; LEN]);
        let told = run_with(&mut rom, &plan(), |installation, notice| {
            if *notice == News::Work(wanted) {
                installation.cancel();
            }
        });
        told.ended.unwrap()
    };
    assert_eq!(at(Work::Reading), Ended::Cancelled { changed: false });
    assert_eq!(at(Work::Erasing), Ended::Cancelled { changed: false });
    assert_eq!(at(Work::Writing), Ended::Cancelled { changed: true });
    assert_eq!(at(Work::Verifying), Ended::Cancelled { changed: true });
    // Too late: the chip starts what it should.
    assert_eq!(at(Work::Leaving), Ended::Installed);
}

#[test]
fn what_does_not_fit_is_refused_before_anything() {
    let too_much = vec![0; 0x1_0001];
    let len = too_much.len();
    assert_eq!(
        pico().plan(too_much, None),
        Err(Unfit::Companion { len, most: 0x1_0000 })
    );
    let image = vec![0; 976 * 1024 + 1];
    let len = image.len();
    assert_eq!(
        pico().plan(vec![], Some(image)),
        Err(Unfit::Image {
            len,
            most: 976 * 1024
        })
    );
}

/// Unplugged, stalled or silent at every action of a run: the run says so, the chip stays in its loader unless it holds the
/// whole companion, and the next run installs it.
#[test]
fn whatever_breaks_at_any_action_the_next_run_installs() {
    let mut whole = Rom::new(vec![0x55; LEN]);
    let actions = run(&mut whole, &plan()).actions.len();
    assert!(actions > 100);
    for broken in [
        Broken::Gone,
        Broken::Stalled,
        Broken::Silent,
        Broken::System("odd".into()),
    ] {
        for at in 1..=actions {
            let mut rom = Rom::new(vec![0x55; LEN]);
            rom.breaks = Some((at, broken.clone()));
            let told = run(&mut rom, &plan());
            match told.ended.unwrap() {
                // At the end the chip has left with what it should hold.
                Ended::Installed => assert!(is_installed(&rom.flash), "{broken:?} at {at}"),
                Ended::Failed { fault, changed, work } => {
                    let is_named = match &broken {
                        Broken::Gone => fault == Fault::Gone,
                        Broken::System(why) => fault == Fault::System(why.clone()),
                        // The ROM is asked why.
                        _ => matches!(fault, Fault::Refused(Refusal::Other(0))),
                    };
                    assert!(is_named, "{broken:?} at {at}: {fault:?}");
                    let old = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0x55);
                    assert!(changed || old(&rom.flash), "{broken:?} at {at}");
                    let start = &rom.flash[..4096];
                    let starts_nothing = start.iter().all(|byte| *byte == 0xFF);
                    assert!(
                        starts_nothing
                            || old(&rom.flash[4096..0x1_0000])
                            || matches!(work, Work::Finishing | Work::Leaving),
                        "{broken:?} at {at}: the chip would start half a companion"
                    );
                }
                other => panic!("{broken:?} at {at}: {other:?}"),
            }
            // Plugged in anew.
            let mut again = Rom::new(rom.flash);
            assert_eq!(run(&mut again, &plan()).ended, Some(Ended::Installed));
            assert!(is_installed(&again.flash), "{broken:?} at {at}");
        }
    }
}
