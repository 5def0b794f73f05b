//! Transfers over the model of Nordic's bootloader: every end, every refusal, and thousands of runs that something interrupts, on a
//! virtual clock. `BOOTLACE_INSTALL_RUNS` says how many, `BOOTLACE_INSTALL_SEED` which one first.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::time::Duration;

use bootlace_loader::{Action, Broken};
use bootlace_nordic_dfu::{
    Code, Ended, Extended, Fault, HARDWARE, News, Next, Op, Package, Stage, Target, Transfer, init_packet,
};
use bootlace_nordic_model::{Config, Loader, PAGE, SIZE};

const START: usize = 0x1000;
const TARGET: Target = Target {
    part: 0x5_2840,
    end: 0xD_D000,
};

/// 56 KB, with every byte that SLIP escapes.
fn firmware() -> Vec<u8> {
    (0..57_344u32).map(|it| (it * 31 / 7) as u8).collect()
}

fn package_of(firmware: Vec<u8>) -> Package {
    Package {
        init: init_packet(&firmware, HARDWARE, 1),
        firmware,
    }
}

/// A dongle that runs an application of 20 KB.
fn dongle_with(config: Config) -> Loader {
    let mut flash = vec![0xFF; SIZE as usize];
    flash[START..START + 20_480].fill(0x5A);
    flash[0xE_0000..].fill(0xA5);
    Loader::new(config, flash).with_application(20_480)
}

fn dongle() -> Loader {
    dongle_with(Config::default())
}

/// What goes wrong on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// The cable is out from this action on.
    Unplugged,
    /// This action fails in the system's words.
    System,
    /// What arrives is held back from here on.
    Mute,
    /// Bytes of noise come before what arrives.
    Noise,
    /// A bit of what arrives is another.
    Damage,
    /// The last byte of what arrives is missing.
    Short,
    /// A bit of what is sent is another.
    DamageOut,
    /// The last byte of what is sent is missing.
    ShortOut,
    /// Noise without end.
    Flood,
}

/// A port with the loader behind it. What one read gives is `read` bytes at most.
struct Port {
    loader: Loader,
    arriving: Vec<u8>,
    trouble: Trouble,
    at: usize,
    actions: usize,
    dice: u64,
    clock: Duration,
    read: usize,
}

impl Port {
    fn new(loader: Loader) -> Self {
        Port {
            loader,
            arriving: Vec::new(),
            trouble: Trouble::None,
            at: usize::MAX,
            actions: 0,
            dice: 1,
            clock: Duration::ZERO,
            read: 64,
        }
    }

    /// A number below `most`, the next of a seeded series (splitmix64).
    fn roll(&mut self, most: usize) -> usize {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.dice ^ self.dice >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) % most.max(1) as u64) as usize
    }

    fn act(&mut self, action: Action, limit: Duration) -> Result<Vec<u8>, Broken> {
        self.actions += 1;
        let trouble = if self.actions >= self.at {
            self.trouble
        } else {
            Trouble::None
        };
        let once = self.actions == self.at;
        match trouble {
            Trouble::Unplugged => return Err(Broken::Gone),
            Trouble::System if once => return Err(Broken::System("odd".into())),
            _ => {}
        }
        match action {
            Action::Out(mut bytes) => {
                if self.loader.has_left() {
                    return Err(Broken::Gone);
                }
                match trouble {
                    Trouble::DamageOut if once => self.damage(&mut bytes),
                    Trouble::ShortOut if once => drop(bytes.pop()),
                    _ => {}
                }
                self.clock += Duration::from_micros(bytes.len() as u64);
                let sent = self.loader.receive(&bytes);
                self.arriving.extend(sent);
                Ok(vec![])
            }
            Action::In(len) => {
                self.clock += self.loader.take_time();
                match trouble {
                    Trouble::Flood => return Ok(vec![0x60; len as usize]),
                    Trouble::Mute => {
                        self.clock += limit;
                        return Err(Broken::Silent);
                    }
                    Trouble::Noise if once => {
                        let noise: Vec<u8> = (0..1 + self.roll(40)).map(|_| self.roll(256) as u8).collect();
                        self.arriving.splice(0..0, noise);
                    }
                    Trouble::Damage if once => {
                        let mut arriving = std::mem::take(&mut self.arriving);
                        self.damage(&mut arriving);
                        self.arriving = arriving;
                    }
                    Trouble::Short if once => drop(self.arriving.pop()),
                    _ => {}
                }
                if self.arriving.is_empty() {
                    if self.loader.has_left() {
                        return Err(Broken::Gone);
                    }
                    self.clock += limit;
                    return Err(Broken::Silent);
                }
                let len = self.arriving.len().min(len as usize).min(self.read);
                Ok(self.arriving.drain(..len).collect())
            }
            other => panic!("{other:?} is nothing for a serial port"),
        }
    }

    fn damage(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let (place, bit) = (self.roll(bytes.len()), self.roll(8));
            bytes[place] ^= 1 << bit;
        }
    }
}

/// What a run told.
struct Told {
    stages: Vec<Stage>,
    progress: Vec<u32>,
    ended: Ended,
}

fn run_with(port: &mut Port, package: Package, mut at_each: impl FnMut(&mut Transfer, &News)) -> Told {
    let mut transfer = Transfer::new(package, TARGET);
    let (mut stages, mut progress) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        while let Some(news) = transfer.poll_news() {
            at_each(&mut transfer, &news);
            match news {
                News::Stage(stage) => stages.push(stage),
                News::Progress { done, total } => {
                    assert!(done <= total);
                    progress.push(done);
                }
                News::Ended(ended) => {
                    assert_eq!(transfer.poll_next(), Next::Over);
                    return Told {
                        stages,
                        progress,
                        ended,
                    };
                }
            }
        }
        match transfer.poll_next() {
            Next::Do(action, limit) => {
                let done = port.act(action, limit);
                transfer.handle_done(done);
            }
            Next::Over => assert!(transfer.poll_news().is_some(), "it is over and says nothing"),
        }
    }
    panic!("the transfer does not end");
}

fn run(port: &mut Port) -> Told {
    run_with(port, package_of(firmware()), |_, _| {})
}

/// The loader starts all of it, and nothing else in flash is another.
fn is_installed(loader: &Loader) -> bool {
    let flash = loader.flash();
    let end = START + 57_344;
    loader.starts_application()
        && loader.application() == firmware()
        && flash[..START].iter().all(|byte| *byte == 0xFF)
        && flash[end..0xE_0000].iter().all(|byte| *byte == 0xFF)
        && flash[0xE_0000..].iter().all(|byte| *byte == 0xA5)
}

fn failed(ended: &Ended) -> &Fault {
    match ended {
        Ended::Failed { fault, .. } => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dongle_gets_the_companion_and_starts_it() {
    let mut port = Port::new(dongle());
    let told = run(&mut port);
    assert_eq!(told.ended, Ended::Installed);
    assert!(is_installed(&port.loader) && port.loader.has_left());
    let stages = [Stage::Greeting, Stage::Init, Stage::Firmware, Stage::Judging];
    assert_eq!(told.stages, stages);
    let pages: Vec<u32> = (1..=14).map(|page| page * PAGE).collect();
    assert_eq!(told.progress, pages);
    assert_eq!(port.loader.undefined, 0);
}

#[test]
fn firmware_that_ends_within_a_page_and_reads_of_a_byte_make_no_difference() {
    for len in [4, 1024, 4092, 4100, 9000] {
        let package = package_of(firmware()[..len].to_vec());
        let mut port = Port::new(dongle());
        port.read = 1;
        assert_eq!(run_with(&mut port, package, |_, _| {}).ended, Ended::Installed);
        assert!(port.loader.starts_application() && port.loader.application() == &firmware()[..len]);
    }
}

/// A transfer that ends anywhere goes on where it ended, and sends no page twice but the one under way.
#[test]
fn a_transfer_goes_on_where_another_ended() {
    let whole = {
        let mut port = Port::new(dongle());
        run(&mut port);
        port.actions
    };
    for at in 1..whole {
        let mut port = Port::new(dongle());
        (port.trouble, port.at) = (Trouble::System, at);
        let told = run(&mut port);
        assert_eq!(failed(&told.ended), &Fault::System("odd".into()));
        // The port is closed and opened; the loader has seen nothing of it.
        let mut again = Port::new(port.loader);
        let resumed = run(&mut again);
        assert_eq!(resumed.ended, Ended::Installed, "{at}");
        assert!(is_installed(&again.loader), "{at}");
        let before = told.progress.last().copied().unwrap_or_default();
        let first = resumed.progress.first().copied().unwrap_or(u32::MAX);
        assert!(first > before, "{at}: {first} after {before}");
        assert_eq!(again.loader.undefined, 0);
    }
}

#[test]
fn what_the_loader_holds_of_something_else_is_dropped() {
    // Another firmware, to the middle of a page, to its end, and all but the last word of it.
    let other: Vec<u8> = firmware().iter().map(|byte| !byte).collect();
    for at in [20, 40, 60, 70, 90] {
        let mut port = Port::new(dongle());
        (port.trouble, port.at) = (Trouble::System, at);
        run_with(&mut port, package_of(other.clone()), |_, _| {});
        let mut again = Port::new(port.loader);
        assert_eq!(run(&mut again).ended, Ended::Installed, "{at}");
        assert!(is_installed(&again.loader), "{at}");
    }
}

#[test]
fn a_cancelled_transfer_says_whether_it_changed_anything() {
    let at = |wanted: &News| {
        let mut port = Port::new(dongle());
        let told = run_with(&mut port, package_of(firmware()), |transfer, news| {
            if news == wanted {
                transfer.cancel();
            }
        });
        (told.ended, port.loader)
    };
    for stage in [Stage::Greeting, Stage::Init] {
        let (ended, mut loader) = at(&News::Stage(stage));
        assert_eq!(ended, Ended::Cancelled { changed: false });
        loader.replug();
        assert!(loader.starts_application() && loader.application().len() == 20_480);
    }
    let (done, total) = (8192, 57_344);
    let (ended, mut loader) = at(&News::Progress { done, total });
    assert_eq!(ended, Ended::Cancelled { changed: true });
    loader.replug();
    assert!(!loader.starts_application());
}

#[test]
fn other_chips_and_other_loaders_are_left_alone() {
    let ends = |config: Config| {
        let mut port = Port::new(dongle_with(config));
        let told = run(&mut port);
        assert!(matches!(told.ended, Ended::Failed { changed: false, .. }));
        port.loader.replug();
        assert!(port.loader.starts_application());
        failed(&told.ended).clone()
    };
    let part = 0x5_2832;
    let config = || Config::default();
    assert_eq!(ends(Config { part, ..config() }), Fault::OtherChip { part });
    let start = 0x7_8000;
    assert_eq!(
        ends(Config { start, ..config() }),
        Fault::OtherLoader { at: start }
    );
    let refused = |extended| Fault::Refused {
        op: Op::Execute,
        code: Code::Extended(extended),
    };
    let hardware = 51;
    assert_eq!(
        ends(Config { hardware, ..config() }),
        refused(Extended::HardwareVersion)
    );
    let version = Some(7);
    assert_eq!(
        ends(Config { version, ..config() }),
        refused(Extended::FirmwareVersion)
    );
    // A maker's loader with a key of its own.
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let key = Some(*key.verifying_key());
    assert_eq!(ends(Config { key, ..config() }), refused(Extended::NoSignature));
}

#[test]
fn an_init_packet_for_another_firmware_and_one_that_is_too_long_are_refused() {
    let mut package = package_of(firmware());
    package.firmware[40_000] ^= 1;
    let mut port = Port::new(dongle());
    let told = run_with(&mut port, package, |_, _| {});
    let code = Code::Extended(Extended::WrongHash);
    assert_eq!(
        failed(&told.ended),
        &Fault::Refused {
            op: Op::Execute,
            code
        }
    );
    assert!(matches!(told.ended, Ended::Failed { changed: true, .. }));
    // The loader has restarted, and stays.
    assert!(port.loader.has_left() && !port.loader.starts_application());
    port.loader.replug();
    let mut again = Port::new(port.loader);
    assert_eq!(run(&mut again).ended, Ended::Installed);

    let package = Package {
        init: vec![1; 513],
        firmware: firmware(),
    };
    let told = run_with(&mut Port::new(dongle()), package, |_, _| {});
    let (len, most) = (513, 512);
    assert_eq!(failed(&told.ended), &Fault::InitTooLong { len, most });
}

/// Every reply of a transfer, with every result that an SDK has: the run ends with that result, or does without the reply.
#[test]
fn every_result_is_told_by_name_and_the_next_run_installs() {
    const REPLIES: usize = 5 + 4 + 1 + 3 * 14;
    let codes = [0, 2, 3, 4, 5, 7, 8, 10, 99].map(|code| (code, 0));
    let extended = (0..=14).map(|extended| (11, extended));
    let mut told_of = BTreeMap::new();
    for (code, extended) in codes.into_iter().chain(extended) {
        for at in 0..REPLIES {
            let mut port = Port::new(dongle());
            port.loader.forced = Some((at, code, extended));
            match run(&mut port).ended {
                Ended::Installed => {
                    // The ping, and two questions that not every loader knows; and the last reply of all, after which the loader
                    // has what it wants, can't be denied.
                    let is_optional = at == 0 || ((3..5).contains(&at) && code == 2);
                    assert!(is_optional, "{code}/{extended} at {at}");
                    assert!(is_installed(&port.loader));
                }
                Ended::Failed { fault, .. } => {
                    let Fault::Refused { code: named, .. } = &fault else {
                        panic!("{code}/{extended} at {at}: {fault:?}");
                    };
                    assert_eq!(named.number(), code);
                    if let Code::Extended(named) = named {
                        assert_eq!(named.number(), extended);
                    }
                    *told_of.entry((code, extended)).or_insert(0) += 1;
                }
                Ended::Cancelled { .. } => panic!("nobody did"),
            }
            port.loader.replug();
            if port.loader.application() == firmware() && port.loader.starts_application() {
                continue;
            }
            let mut again = Port::new(port.loader);
            assert_eq!(
                run(&mut again).ended,
                Ended::Installed,
                "{code}/{extended} at {at}"
            );
            assert!(is_installed(&again.loader), "{code}/{extended} at {at}");
        }
    }
    assert_eq!(told_of.len(), 9 + 15);
}

/// Unplugged at every action: the run says so, the board runs what it ran, or stays in its loader, or has all of it; and the next run
/// installs.
#[test]
fn unplugged_at_any_action_the_next_run_installs() {
    let whole = {
        let mut port = Port::new(dongle());
        run(&mut port);
        port.actions
    };
    for at in 1..=whole {
        let mut port = Port::new(dongle());
        (port.trouble, port.at) = (Trouble::Unplugged, at);
        let told = run(&mut port);
        assert_eq!(failed(&told.ended), &Fault::Gone, "{at}");
        let Ended::Failed { changed, .. } = told.ended else {
            unreachable!()
        };
        port.loader.replug();
        let runs_the_old = port.loader.starts_application() && port.loader.application().len() == 20_480;
        assert!(changed || runs_the_old, "{at}");
        let mut again = Port::new(port.loader);
        assert_eq!(run(&mut again).ended, Ended::Installed, "{at}");
        assert!(is_installed(&again.loader), "{at}");
    }
}

#[test]
fn a_port_that_is_mute_or_full_of_noise_is_left_in_time() {
    for (trouble, fault) in [
        (Trouble::Mute, Fault::Silent),
        (Trouble::Flood, Fault::Nonsense(Op::Ping)),
    ] {
        let mut port = Port::new(dongle());
        (port.trouble, port.at) = (trouble, 1);
        let told = run(&mut port);
        assert_eq!(failed(&told.ended), &fault);
        assert!(matches!(told.ended, Ended::Failed { changed: false, .. }));
        assert!(port.clock <= Duration::from_secs(6), "{:?}", port.clock);
    }
}

fn number(variable: &str, without: u64) -> u64 {
    std::env::var(variable).map_or(without, |text| text.parse().unwrap())
}

/// Any trouble at any place, more than once, and whatever the loader was left with: a run never says that it is done when it is not,
/// ends within minutes of the virtual clock, and a run on a quiet line installs.
#[test]
fn seeded_troubles_never_make_a_wrong_done() {
    let troubles = [
        Trouble::Unplugged,
        Trouble::System,
        Trouble::Mute,
        Trouble::Noise,
        Trouble::Damage,
        Trouble::Short,
        Trouble::DamageOut,
        Trouble::ShortOut,
        Trouble::Flood,
    ];
    let (runs, first) = (
        number("BOOTLACE_INSTALL_RUNS", 300),
        number("BOOTLACE_INSTALL_SEED", 0),
    );
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for seed in first..first + runs {
        let (mut loader, mut late) = (dongle(), Vec::new());
        for round in 0..3 {
            let mut port = Port::new(loader);
            // What an earlier run did not wait for arrives now.
            port.arriving = std::mem::take(&mut late);
            port.dice = seed * 3 + round;
            port.trouble = troubles[port.roll(troubles.len())];
            port.at = 1 + port.roll(140);
            port.read = 1 + port.roll(64);
            let (trouble, at) = (port.trouble, port.at);
            let told = run(&mut port);
            assert!(port.clock < Duration::from_secs(120), "{seed}: {:?}", port.clock);
            let name = match &told.ended {
                Ended::Installed => {
                    assert!(
                        is_installed(&port.loader),
                        "{seed}: {trouble:?} at {at}: a wrong done"
                    );
                    "Installed".into()
                }
                Ended::Failed { fault, changed, .. } => {
                    if !changed {
                        port.loader.replug();
                        assert!(
                            round > 0
                                || port.loader.starts_application()
                                    && port.loader.application().len() == 20_480,
                            "{seed}: {trouble:?} at {at}: it was changed"
                        );
                    }
                    format!("{fault:?}").split([' ', '(']).next().unwrap().to_owned()
                }
                other => panic!("{seed}: {other:?}"),
            };
            *ends.entry(name).or_default() += 1;
            (loader, late) = (port.loader, port.arriving);
            // Half of the time it is plugged in anew, otherwise only the port is opened again, if it is there.
            if seed % 2 == 0 || loader.has_left() {
                loader.replug();
                late.clear();
            }
        }
        loader.replug();
        let mut port = Port::new(loader);
        assert_eq!(run(&mut port).ended, Ended::Installed, "{seed}");
        assert!(is_installed(&port.loader), "{seed}");
    }
    println!("{runs} seeds, three runs each: {ends:?}");
    assert!(runs < 100 || ends.len() >= 6, "{ends:?}");
}
