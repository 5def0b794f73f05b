//! First installs of an STM32F407 by its ROM's serial loader: every end, lines that lose and add bytes, adapters that echo, every
//! place of a fault, and runs that chance disturbs. `BOOTLACE_INSTALL_RUNS=10000` for more of the last.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::VecDeque;
use std::time::Duration;

use bootlace_install::{Ended, Work};
use bootlace_loader::{Action, Broken, Fault, Refusal};
use bootlace_roms::flash::Flash;
use bootlace_roms::random::Random;
use bootlace_roms::uart::{Habits, Rom};
use bootlace_stm32_uart::Stm32Uart;
use common::{Cable, Told, check, companion, is_installed, named, plan, run, runs};

/// 11 bits at 115200: a start bit, eight bits, parity, a stop bit.
const BYTE: Duration = Duration::from_micros(95);

/// What happens to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Noise {
    /// The n-th byte to the chip, or from it, is lost.
    LostTo(usize),
    LostFrom(usize),
    /// Before the n-th byte to the chip, or from it, comes one more.
    AddedTo(usize, u8),
    AddedFrom(usize, u8),
    /// The n-th action gets this.
    Broken(usize, Broken),
    /// From the n-th byte on nothing comes from the chip any more.
    CutFrom(usize),
}

struct Serial {
    rom: Rom,
    noise: Vec<Noise>,
    echoes: bool,
    actions: usize,
    /// Bytes that went each way.
    to: usize,
    from: usize,
    /// What the port holds.
    arrived: VecDeque<u8>,
    /// Most bytes that the port gives at once.
    piece: usize,
    gone: bool,
    clock: Duration,
}

impl Serial {
    fn new(rom: Rom) -> Self {
        Serial {
            rom,
            noise: Vec::new(),
            echoes: false,
            actions: 0,
            to: 0,
            from: 0,
            arrived: VecDeque::new(),
            piece: usize::MAX,
            gone: false,
            clock: Duration::ZERO,
        }
    }

    fn send(&mut self, byte: u8) {
        // An echo comes before an answer.
        if self.echoes {
            self.arrived.push_back(byte);
        }
        self.to += 1;
        let at = self.to;
        let added: Vec<u8> = (self.noise.iter())
            .filter_map(|it| match it {
                Noise::AddedTo(place, byte) if *place == at => Some(*byte),
                _ => None,
            })
            .collect();
        let is_lost = self.noise.contains(&Noise::LostTo(at));
        let own = (!is_lost).then_some(byte);
        for byte in added.into_iter().chain(own) {
            self.elapse(BYTE);
            self.rom.receive(byte);
            self.collect();
        }
    }

    fn elapse(&mut self, time: Duration) {
        self.clock += time;
        self.rom.pass(time);
    }

    fn collect(&mut self) {
        for byte in self.rom.sent() {
            self.from += 1;
            let at = self.from;
            for noise in &self.noise {
                if let Noise::AddedFrom(place, added) = noise
                    && *place == at
                {
                    self.arrived.push_back(*added);
                }
            }
            let is_lost = self.noise.iter().any(|it| match it {
                Noise::LostFrom(place) => *place == at,
                Noise::CutFrom(place) => *place <= at,
                _ => false,
            });
            if !is_lost {
                self.arrived.push_back(byte);
            }
        }
    }
}

impl Cable for Serial {
    fn perform(&mut self, action: &Action, limit: Duration) -> Result<Vec<u8>, Broken> {
        self.actions += 1;
        let broken = self.noise.iter().find_map(|it| match it {
            Noise::Broken(at, broken) if *at == self.actions => Some(broken.clone()),
            _ => None,
        });
        self.gone |= broken == Some(Broken::Gone);
        if self.gone {
            return Err(Broken::Gone);
        }
        if let Some(broken) = broken {
            return Err(broken);
        }
        match action {
            Action::Out(bytes) => {
                assert!(!bytes.is_empty() && limit >= BYTE * bytes.len() as u32);
                bytes.iter().for_each(|byte| self.send(*byte));
                Ok(vec![])
            }
            Action::In(len) => {
                assert!(*len > 0);
                self.collect();
                let end = self.clock + limit;
                while self.arrived.is_empty() && self.clock < end {
                    self.elapse(Duration::from_millis(1).min(end - self.clock));
                    self.collect();
                }
                let some = self.arrived.len().min(*len as usize).min(self.piece);
                match some {
                    0 => Err(Broken::Silent),
                    _ => Ok(self.arrived.drain(..some).collect()),
                }
            }
            other => panic!("{other:?} is nothing for a serial port"),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.elapse(time);
    }

    fn flash(&self) -> &Flash {
        &self.rom.flash
    }

    fn has_left(&self) -> bool {
        self.rom.has_left()
    }
}

fn install(serial: &mut Serial, image: Option<usize>) -> Told {
    run(Stm32Uart::new(), serial, &plan(image))
}

fn old(seed: u64) -> Vec<u8> {
    Random::new(seed).bytes(1 << 20)
}

fn blank() -> Serial {
    Serial::new(Rom::new(Flash::new(&[])))
}

fn failed(fault: Fault, work: Work, changed: bool) -> Ended {
    Ended::Failed { work, fault, changed }
}

#[test]
fn a_blank_chip_gets_companion_and_image_and_starts() {
    let mut serial = blank();
    let told = install(&mut serial, Some(20_001));
    assert_eq!(told.ended, Ended::Installed);
    let plan = plan(Some(20_001));
    assert!(is_installed(serial.flash(), &plan, &[0xFF; 1 << 20]) && serial.has_left());
    assert!(serial.flash().erased.is_empty());
    // All sectors are read twice, at some 10 KB a second; nothing is waited for but the line.
    let bytes = 2 * named(&plan) as u32;
    assert!(serial.clock < BYTE * bytes * 5 / 4, "{:?}", serial.clock);
}

#[test]
fn the_sector_that_starts_is_erased_first_and_written_last() {
    let old = old(1);
    let mut serial = Serial::new(Rom::new(Flash::new(&old)));
    let told = install(&mut serial, None);
    check(&told, serial.flash(), serial.has_left(), &plan(None), &old);
    assert_eq!(told.ended, Ended::Installed);
    assert_eq!(serial.flash().erased, [0, 4, 3, 2, 1]);
}

#[test]
fn a_loader_that_another_program_has_left_is_taken_over() {
    // In step; half a command; a command; half an address; half of what is to be written; what is to be written but its sum.
    let write: Vec<u8> = [&[0x7F, 0x31, 0xCE, 0x08, 0x08, 0, 0, 0][..], &[255], &[0x11; 255]].concat();
    for (number, sent) in [
        &[0x7F][..],
        &[0x7F, 0x31],
        &[0x7F, 0x31, 0xCE],
        &[0x7F, 0x11, 0xEE],
        &[0x7F, 0x44, 0xBB, 0],
        &[0x7F, 0x31, 0xCE, 0x08, 0x08],
        &[0x7F, 0x11, 0xEE, 0x08, 0, 0, 0, 0x08],
        &[0x7F, 0x11, 0xEE, 0x08, 0, 0, 0, 0x08, 0xFF],
        // Whatever comes next is a count of bytes to write.
        &write[..8],
        &write[..10],
        &write[..100],
        &write,
        // A sector that is erased just now.
        &[0x7F, 0x44, 0xBB, 0, 0, 0, 11, 11],
    ]
    .into_iter()
    .enumerate()
    {
        let mut serial = blank();
        sent.iter().for_each(|byte| serial.rom.receive(*byte));
        let told = install(&mut serial, None);
        assert_eq!(told.ended, Ended::Installed, "{number}");
        assert!(!serial.flash().was_violated, "{number}");
        let is_installed = is_installed(serial.flash(), &plan(None), &[0xFF; 1 << 20]);
        assert!(is_installed, "{number}: something else was written");
    }
}

#[test]
fn a_loader_that_is_disturbed_before_it_is_in_step_is_found() {
    for habits in [
        Habits {
            glitches: true,
            ..Habits::default()
        },
        Habits {
            hides_addresses: true,
            hides_size: true,
            ..Habits::default()
        },
        Habits {
            hides_size: true,
            ..Habits::default()
        },
    ] {
        for echoes in [false, true] {
            for piece in [1, 2, usize::MAX] {
                let mut serial = blank();
                serial.rom.habits = habits;
                (serial.echoes, serial.piece) = (echoes, piece);
                serial.arrived.extend([0x00, 0x79, 0x1F, 0xFF]);
                assert_eq!(
                    install(&mut serial, None).ended,
                    Ended::Installed,
                    "{habits:?} {echoes} {piece}"
                );
            }
        }
    }
}

#[test]
fn protected_flash_is_named_and_nothing_is_taken_away() {
    let mut flash = Flash::new(&old(2));
    flash.read_protected = true;
    let mut serial = Serial::new(Rom::new(flash));
    let protected = Fault::Refused(Refusal::Protected);
    assert_eq!(
        install(&mut serial, None).ended,
        failed(protected, Work::Beginning, false)
    );
    assert!(serial.flash().bytes == old(2) && serial.flash().read_protected && !serial.flash().was_violated);
}

#[test]
fn a_sector_that_can_not_be_changed_is_found_by_reading_back() {
    let mut flash = Flash::new(&old(3));
    flash.write_protected = 1 << 3;
    let mut serial = Serial::new(Rom::new(flash));
    assert_eq!(
        install(&mut serial, None).ended,
        Ended::Differs { at: 0x0800_C000 }
    );
    assert!(!serial.has_left());
}

#[test]
fn another_chip_is_left_alone() {
    let mut serial = Serial::new(Rom::new(Flash::new(&old(4))));
    // An STM32F103.
    serial.rom.chip = 0x0410;
    let other = failed(Fault::OtherChip(0x0410), Work::Beginning, false);
    assert_eq!(install(&mut serial, None).ended, other);
    let mut serial = Serial::new(Rom::new(Flash::new(&old(4))));
    serial.rom.kilobytes = 512;
    assert_eq!(
        install(&mut serial, None).ended,
        Ended::OtherChip { at: 0x0808_0000 }
    );
    assert!(serial.flash().bytes == old(4) && !serial.has_left());
}

#[test]
fn a_port_with_nobody_or_somebody_else_behind_it_is_named() {
    let mut serial = blank();
    serial.noise = vec![Noise::CutFrom(0)];
    let told = install(&mut serial, None);
    assert_eq!(told.ended, failed(Fault::Silent, Work::Beginning, false));
    assert!(serial.clock < Duration::from_secs(6), "{:?}", serial.clock);
    // Its own sends alone come back.
    let mut serial = blank();
    (serial.noise, serial.echoes) = (vec![Noise::CutFrom(0)], true);
    assert_eq!(
        install(&mut serial, None).ended,
        failed(Fault::Silent, Work::Beginning, false)
    );
    // A program that writes its log.
    struct Talks(Serial);
    impl Cable for Talks {
        fn perform(&mut self, action: &Action, _: Duration) -> Result<Vec<u8>, Broken> {
            match action {
                Action::In(len) => Ok(vec![b'.'; (*len as usize).min(100)]),
                _ => Ok(vec![]),
            }
        }
        fn pass(&mut self, _: Duration) {}
        fn flash(&self) -> &Flash {
            &self.0.rom.flash
        }
        fn has_left(&self) -> bool {
            false
        }
    }
    let told = run(Stm32Uart::new(), &mut Talks(blank()), &plan(None));
    assert_eq!(told.ended, failed(Fault::Nonsense, Work::Beginning, false));
}

/// One byte that is lost or added costs a try and not the installation, wherever that is.
#[test]
fn a_byte_that_is_lost_or_added_anywhere_is_made_up_for() {
    let old = old(6);
    let mut whole = Serial::new(Rom::new(Flash::new(&old)));
    install(&mut whole, None);
    let (to, from) = (whole.to, whole.from);
    let mut random = Random::new(1);
    let mut places: Vec<Noise> = (1..60)
        .flat_map(|at| {
            [
                Noise::LostTo(at),
                Noise::LostFrom(at),
                Noise::AddedTo(at, 0),
                Noise::AddedFrom(at, 0x55),
            ]
        })
        .collect();
    for _ in 0..runs(100) {
        places.push(match random.below(4) {
            0 => Noise::LostTo(1 + random.below(to)),
            1 => Noise::LostFrom(1 + random.below(from)),
            2 => Noise::AddedTo(1 + random.below(to), random.below(256) as u8),
            _ => Noise::AddedFrom(1 + random.below(from), random.below(256) as u8),
        });
    }
    for noise in places {
        let mut serial = Serial::new(Rom::new(Flash::new(&old)));
        serial.noise = vec![noise.clone()];
        let told = install(&mut serial, None);
        // The last answer of all: the chip has started, and there is nobody to ask.
        let is_last = matches!(&noise, Noise::LostFrom(at) | Noise::AddedFrom(at, _) if at + 2 > from)
            || matches!(&noise, Noise::LostTo(at) | Noise::AddedTo(at, _) if at + 8 > to);
        // One sum in 256 fits where a byte of those that are to be written is added, or lost with the next one in place of the last:
        // reading back tells.
        let is_to = matches!(noise, Noise::AddedTo(..) | Noise::LostTo(_));
        let is_by_chance = is_to && matches!(told.ended, Ended::Differs { .. });
        assert!(
            is_last || is_by_chance || told.ended == Ended::Installed,
            "{noise:?} of {to} and {from}: {:?}",
            told.ended
        );
        check(&told, serial.flash(), serial.has_left(), &plan(None), &old);
    }
}

/// A run with these faults, and one after it.
fn disturbed(context: &str, rom: &dyn Fn() -> Rom, set: impl Fn(&mut Serial), image: Option<usize>) {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let (plan, old) = (plan(image), rom().flash.bytes);
        let mut serial = Serial::new(rom());
        set(&mut serial);
        let told = run(Stm32Uart::new(), &mut serial, &plan);
        check(&told, serial.flash(), serial.has_left(), &plan, &old);
        // BOOT0, reset, as the sentence says.
        let held = serial.rom.flash.bytes.clone();
        serial.rom.reset();
        let mut again = Serial::new(serial.rom);
        let told = run(Stm32Uart::new(), &mut again, &plan);
        assert_eq!(told.ended, Ended::Installed);
        check(&told, again.flash(), again.has_left(), &plan, &held);
        assert!(again.has_left() && is_installed(again.flash(), &plan, &old));
    }));
    if result.is_err() {
        panic!("{context}");
    }
}

#[test]
fn whatever_breaks_at_any_action_the_next_run_installs() {
    let old = old(5);
    let rom = || Rom::new(Flash::new(&old));
    let mut whole = Serial::new(rom());
    let (actions, from) = (install(&mut whole, None).actions, whole.from);
    for at in (1..=actions)
        .step_by(if runs(100) > 1000 { 5 } else { 499 })
        .chain(1..40)
    {
        for broken in [Broken::Gone, Broken::System("odd".into())] {
            let noise = Noise::Broken(at, broken);
            let set = |serial: &mut Serial| serial.noise = vec![noise.clone()];
            disturbed(&format!("{noise:?}"), &rom, set, None);
        }
    }
    for at in (1..=from)
        .step_by(if runs(100) > 1000 { 997 } else { 9973 })
        .chain(1..40)
    {
        let set = |serial: &mut Serial| serial.noise = vec![Noise::CutFrom(at)];
        disturbed(&format!("cut at {at}"), &rom, set, None);
    }
}

#[test]
fn chance_disturbs_runs_and_the_next_one_installs() {
    for seed in 1..=runs(100) {
        let mut random = Random::new(seed);
        let habits = Habits {
            hides_addresses: random.once_in(2),
            glitches: random.once_in(2),
            hides_size: random.once_in(3),
        };
        let old = match random.below(4) {
            0 => vec![0xFF; 1 << 20],
            1 => Flash::new(&companion()).bytes,
            _ => random.bytes(1 << 20),
        };
        let rom = || {
            let mut rom = Rom::new(Flash::new(&old));
            rom.habits = habits;
            rom
        };
        let image = random.once_in(4).then(|| 1 + random.below(128 * 1024));
        let (echoes, piece) = (
            random.once_in(3),
            [1, 7, 64, usize::MAX, usize::MAX][random.below(5)],
        );
        // Several times: at the begin, or anywhere. What is added to an answer is seen where the port hands it over with that.
        let mut noise: Vec<Noise> = (0..1 + random.below(6))
            .map(|_| {
                let end = [60, 400_000][random.below(2)];
                let (at, byte) = (1 + random.below(end), random.below(256) as u8);
                match random.below(8) {
                    0 | 1 => Noise::LostTo(at),
                    2 | 3 => Noise::LostFrom(at),
                    4 => Noise::AddedTo(at, byte),
                    5 if piece == usize::MAX => Noise::AddedFrom(at, byte),
                    5 | 6 => Noise::CutFrom(at),
                    _ => Noise::Broken(1 + random.below(5000), Broken::Gone),
                }
            })
            .collect();
        // What is read has no sum: one byte too many and one too few in one answer look like a right one.
        let lost = |at: &usize| {
            let is_lost = |it: &Noise| matches!(it, Noise::LostFrom(other) if at.abs_diff(*other) < 300);
            noise.iter().any(is_lost)
        };
        let is_seen = |it: &Noise| !matches!(it, Noise::AddedFrom(at, _) if lost(at));
        let seen: Vec<bool> = noise.iter().map(is_seen).collect();
        let mut seen = seen.into_iter();
        noise.retain(|_| seen.next() == Some(true));
        let set = |serial: &mut Serial| {
            (serial.noise, serial.echoes, serial.piece) = (noise.clone(), echoes, piece);
        };
        disturbed(
            &format!("seed {seed}, {habits:?}, {image:?}, {echoes}, {piece}, {noise:?}"),
            &rom,
            set,
            image,
        );
    }
}
