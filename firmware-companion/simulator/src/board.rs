//! A simulated board: chip, bootloader, application and port, in simulated time.
//!
//! The code that runs is the companion's own core and the application's own app-kit; simulated are the flash, the
//! line and the passing of time. Nothing here reads a clock: times are microseconds since an arbitrary start.

use bootlace_app_kit::{Application, Applier};
use bootlace_core::board::Identity;
use bootlace_core::boot::Start;
use bootlace_core::flash::Area;
use bootlace_core::link::Link;
use bootlace_core::slots::find;
use bootlace_core::{Companion, Next, Owner as _};
use bootlace_smp::bootlace::{Reset, RollbackReason, Supply};

use crate::config::{Behaviour, Config};
use crate::flash::NorFlash;
use crate::line::Line;
use crate::owner::poll;
use crate::seen::{Activity, PortIdentity};

/// What the chip is doing.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it a board")]
enum Chip {
    /// Between a reset and the first instruction, which comes at this time.
    Starting { at: u64, start: Start },
    /// The bootloader decides or serves.
    Bootloader {
        companion: Box<Companion<'static>>,
        reset: Reset,
    },
    Application {
        application: Application<'static>,
        fate: Fate,
    },
    /// Nothing, until the watchdog bites.
    Hung { until: u64 },
}

/// What the application will do, in microseconds of the board's time.
#[derive(Clone, Copy, Debug)]
struct Fate {
    started: u64,
    /// Whether it serves a port, and which product id it has.
    product: Option<u16>,
    confirms: Option<u64>,
    fails: Option<u64>,
    crashes: Option<u64>,
}

/// A simulated board.
#[derive(Debug)]
pub struct SimulatedBoard {
    config: Config,
    identity: &'static Identity<'static>,
    flash: NorFlash,
    chip: Chip,
    link: Link<Vec<u8>>,
    /// Where patches are applied.
    applier: Option<Box<Applier>>,
    incoming: Line,
    outgoing: Line,
    now: u64,
    /// The processor is busy with flash until then.
    busy: u64,
    /// Nothing to do until bytes move or time passes.
    idle: bool,
    /// When the host sees the port.
    visible: u64,
    /// The owner wants to be polled then at the latest.
    wakes: Option<u64>,
    /// The image that the board came with.
    factory: Option<[u8; 32]>,
    button: bool,
    resets: u64,
}

/// Microseconds from a reset to the first instruction.
const START: u64 = 5_000;
/// Microseconds from an application's start to its crash.
const CRASH: u64 = 700_000;
/// Bytes that a port takes in before it makes the host wait.
const PORT_BUFFER: usize = 4096;

impl SimulatedBoard {
    /// A board with this in flash: `primary` is an image that the factory put into the primary slot.
    ///
    /// # Errors
    /// The bytes of memory that frames and window would need, if that is not to be had.
    pub fn new(config: Config, primary: Option<&[u8]>) -> Result<Self, usize> {
        let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
        if let Some(image) = primary {
            flash.flash_primary(image);
        }
        SimulatedBoard::with_flash(config, flash)
    }

    /// A board with flash that has a past.
    ///
    /// # Errors
    /// The bytes of memory that frames and window would need, if that is not to be had.
    pub fn with_flash(config: Config, mut flash: NorFlash) -> Result<Self, usize> {
        let text = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        // A board's identity is constant data on a chip; here it lives as long as the program.
        let identity: &'static Identity<'static> = Box::leak(Box::new(Identity {
            name: text(&config.name),
            serial: text(&config.serial),
            vendor: config.vendor,
            class: config.class,
            keys: Box::leak(config.keys.clone().into_boxed_slice()),
            policy: config.policy,
        }));
        let memory = vec![0; Link::<Vec<u8>>::memory(config.frame, config.window)];
        let link = Link::new(memory, config.frame, config.window)?;
        let factory = find(&mut flash, Area::Primary).and_then(|found| found.hash(&mut flash));
        let start = Start {
            reset: Reset::PowerOn,
            requested: false,
            held: false,
            gave_up: None,
        };
        Ok(SimulatedBoard {
            identity,
            flash,
            chip: Chip::Starting { at: START, start },
            link,
            applier: config.delta.then(Box::default),
            incoming: Line::new(config.baud, PORT_BUFFER),
            outgoing: Line::new(config.baud, PORT_BUFFER),
            now: 0,
            busy: 0,
            idle: false,
            visible: u64::MAX,
            wakes: None,
            factory,
            button: false,
            resets: 0,
            config,
        })
    }

    /// The chip, to look at or to save.
    pub fn flash(&self) -> &NorFlash {
        &self.flash
    }

    /// The chip, to set a power cut.
    pub fn flash_mut(&mut self) -> &mut NorFlash {
        &mut self.flash
    }

    /// What it does.
    pub fn activity(&self) -> Activity {
        match &self.chip {
            Chip::Starting { .. } => Activity::Starting,
            Chip::Bootloader { companion, .. } if companion.is_serving() => Activity::Bootloader,
            Chip::Bootloader { companion, .. } => Activity::Loading(companion.swap_progress()),
            Chip::Application { .. } => Activity::Application,
            Chip::Hung { .. } => Activity::Hung,
        }
    }

    /// Starts so far.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    /// How updated applications behave from now on.
    pub fn behave(&mut self, behaviour: Behaviour) {
        self.config.behaviour = behaviour;
    }

    /// What the board measures of its supply from now on.
    pub fn supply(&mut self, supply: Supply) {
        self.config.supply = Some(supply);
    }

    /// Flips a bit in the middle of the image in the primary slot, as age may: the next start finds it.
    pub fn damage(&mut self) {
        let Some(found) = find(&mut self.flash, Area::Primary) else {
            return;
        };
        let middle = found.image.total_len() / 2;
        self.flash.flip(Area::Primary, middle);
    }

    /// Holds the button that keeps the board in its bootloader and that says that somebody is present, or lets it go.
    pub fn hold_button(&mut self, held: bool) {
        self.button = held;
    }

    /// The port that the host sees just now.
    pub fn port(&self) -> Option<PortIdentity> {
        if self.now < self.visible || self.flash.is_dead() {
            return None;
        }
        let (vid, product) = self.config.usb;
        let pid = match &self.chip {
            Chip::Bootloader { companion, .. } if companion.is_serving() => product,
            Chip::Application { fate, .. } => fate.product?,
            Chip::Starting { .. } | Chip::Bootloader { .. } | Chip::Hung { .. } => return None,
        };
        Some(PortIdentity {
            vid,
            pid,
            serial: self.config.serial.clone(),
        })
    }

    /// The cable is pulled, but the board has power: what was on the line is lost.
    pub fn unplug(&mut self) {
        self.incoming.clear();
        self.outgoing.clear();
        self.link.idle();
    }

    /// Power goes and comes back.
    pub fn power_cycle(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.flash.revive();
        self.restart(Reset::PowerOn, false, None);
    }

    fn restart(&mut self, reset: Reset, bootloader: bool, gave_up: Option<RollbackReason>) {
        let start = Start {
            reset,
            requested: bootloader,
            held: self.button,
            gave_up,
        };
        self.chip = Chip::Starting {
            at: self.now + START,
            start,
        };
        self.visible = u64::MAX;
        self.busy = self.now;
        self.idle = false;
        self.wakes = None;
        self.resets += 1;
        self.forget_patch();
        self.incoming.clear();
        self.outgoing.clear();
    }

    /// When something will happen by itself, replies that reach the host included; `None` while the board only waits
    /// for bytes.
    pub fn next_deadline(&self) -> Option<u64> {
        [self.next_event(), self.outgoing.next(64)]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the board itself will do something.
    fn next_event(&self) -> Option<u64> {
        if self.flash.is_dead() {
            // The power is gone for all of it.
            return None;
        }
        let (timer, runs) = match &self.chip {
            Chip::Starting { at, .. } => (Some(*at), false),
            Chip::Hung { until } => (Some(*until), false),
            Chip::Bootloader { .. } => (self.wakes, true),
            Chip::Application { fate, .. } => {
                let timers = [fate.confirms, fate.fails, fate.crashes, self.wakes];
                (timers.into_iter().flatten().min(), true)
            }
        };
        let work = (runs && !self.idle).then_some(self.busy);
        let port = (self.visible != u64::MAX && self.visible > self.now).then_some(self.visible);
        // A port is read in packets of 64 bytes; a link that is full reads none.
        let arrival = self.incoming.next(64).filter(|_| runs && !self.link.is_full());
        let arrival = arrival.map(|at| if self.config.stall { at.max(self.busy) } else { at });
        let timer = timer.map(|at| at.max(self.busy));
        [timer, work, port, arrival].into_iter().flatten().min()
    }

    /// Lets time pass until `now`.
    pub fn advance(&mut self, now: u64) {
        while let Some(next) = self.next_event().filter(|&next| next <= now) {
            self.now = self.now.max(next);
            self.take_arrived();
            if self.now >= self.busy {
                self.run();
            }
        }
        self.now = self.now.max(now);
    }

    /// Bytes that have arrived go into the link, even while flash is busy, unless that stalls the processor.
    fn take_arrived(&mut self) {
        let link = &mut self.link;
        let taken = self.incoming.deliver(self.now, |bytes| link.feed(bytes));
        self.idle &= taken == 0;
    }

    /// What the processor does when it is free.
    fn run(&mut self) {
        if self.config.stall
            && !self.incoming.is_empty()
            && !self.link.is_full()
            && self.next_arrival_is_near()
        {
            // The port first: while flash is written nothing comes in.
            self.busy = self.incoming.next(64).unwrap_or(self.now).max(self.now);
            return;
        }
        self.poll();
        let spent = self.flash.take_spent();
        self.busy = self.now + spent;
        if self.config.stall && spent > 0 {
            self.incoming.hold(self.busy);
        }
        let (link, outgoing) = (&mut self.link, &mut self.outgoing);
        let mut piece = [0; 64];
        while outgoing.room() >= piece.len() {
            let len = link.transmit(&mut piece);
            if len == 0 {
                break;
            }
            outgoing.send(self.now, piece.get(..len).unwrap_or_default());
            self.idle = false;
        }
    }

    fn next_arrival_is_near(&self) -> bool {
        self.incoming
            .next(64)
            .is_some_and(|at| at <= self.now + 64 && at > self.now)
    }

    /// Lets whoever owns the board do one thing, and does what follows from it.
    fn poll(&mut self) {
        let millis = self.now / 1000;
        let next = match &mut self.chip {
            Chip::Starting { at, start } => {
                if self.now >= *at {
                    let companion = Companion::new(&mut self.flash, self.identity, *start);
                    self.chip = Chip::Bootloader {
                        reset: start.reset,
                        companion: Box::new(companion),
                    };
                    self.idle = false;
                }
                return;
            }
            Chip::Hung { until } => {
                if self.now >= *until {
                    self.restart(Reset::Watchdog, false, None);
                }
                return;
            }
            Chip::Bootloader { companion, .. } => {
                let served = companion.is_serving();
                let next = poll(
                    companion.as_mut(),
                    &self.config,
                    self.button,
                    &mut self.flash,
                    &mut self.link,
                    &mut self.applier,
                    millis,
                );
                if companion.is_serving() && !served {
                    self.appear();
                }
                next
            }
            Chip::Application { application, fate } => {
                let due = |at: Option<u64>| at.is_some_and(|at| at <= self.now);
                if due(fate.crashes) {
                    self.restart(Reset::Fault, false, None);
                    return;
                }
                if due(fate.fails) {
                    fate.fails = None;
                    application.fail(0);
                }
                if due(fate.confirms) {
                    fate.confirms = None;
                    // Flash that fails leaves the image on trial, and the deadline ends that.
                    let _ = application.confirm(&mut self.flash);
                }
                // Its clock starts with itself.
                let started = fate.started / 1000;
                let next = poll(
                    application,
                    &self.config,
                    self.button,
                    &mut self.flash,
                    &mut self.link,
                    &mut self.applier,
                    millis.saturating_sub(started),
                );
                match next {
                    Next::Idle { until } => Next::Idle {
                        until: until.map(|until| until + started),
                    },
                    next => next,
                }
            }
        };
        match next {
            Next::Again => (self.idle, self.wakes) = (false, None),
            Next::Idle { until } => {
                // The first microsecond of that millisecond, in the owner's own count of them.
                (self.idle, self.wakes) = (true, until.map(|until| until * 1000));
            }
            Next::Boot { trial, .. } => self.start_application(trial),
            Next::Reset { bootloader, gave_up } => {
                // The last bytes must have left the chip's port before the chip resets.
                if self.outgoing.is_empty() || gave_up.is_some() {
                    self.restart(Reset::Software, bootloader, gave_up);
                } else {
                    self.idle = true;
                }
            }
        }
    }

    fn appear(&mut self) {
        self.visible = self.now + u64::from(self.config.enumeration) * 1000;
        self.idle = false;
        self.link.clear();
    }

    fn start_application(&mut self, trial: bool) {
        let reset = match &self.chip {
            Chip::Bootloader { reset, .. } => *reset,
            _ => Reset::PowerOn,
        };
        let behaviour = self.config.behaviour;
        let stuck = trial && behaviour == Behaviour::Hang;
        // What a Cortex-M can't start locks up at its first instruction, confirmed or not, until the watchdog bites.
        if stuck || !self.flash.can_start() {
            self.chip = Chip::Hung {
                until: self.now + u64::from(self.config.watchdog) * 1000,
            };
            return;
        }
        let application = Application::new(&mut self.flash, self.identity, reset);
        let hash = find(&mut self.flash, Area::Primary).and_then(|found| found.hash(&mut self.flash));
        let (_, product) = self.config.usb;
        let tested = self.now + u64::from(self.config.self_test) * 1000;
        let mut fate = Fate {
            started: self.now,
            product: Some(product),
            confirms: trial.then_some(tested),
            fails: None,
            crashes: None,
        };
        match behaviour {
            Behaviour::Normal | Behaviour::Hang => {}
            // The image from the factory is an ordinary one.
            Behaviour::Silent if hash != self.factory => fate.product = None,
            Behaviour::OtherId if hash != self.factory => fate.product = Some(product + 1),
            Behaviour::Silent | Behaviour::OtherId => {}
            Behaviour::Crash => (fate.confirms, fate.crashes) = (None, trial.then_some(self.now + CRASH)),
            Behaviour::NeverConfirm => fate.confirms = None,
            Behaviour::Unhealthy => (fate.confirms, fate.fails) = (None, trial.then_some(tested)),
        }
        self.appear();
        self.chip = Chip::Application { application, fate };
    }

    /// A small chip checks signatures in the memory that patches are applied in, and none keeps it over a reset.
    pub fn forget_patch(&mut self) {
        if let Some(applier) = &mut self.applier {
            **applier = Applier::new();
        }
    }

    /// Bytes from the host; says how many were taken.
    pub fn receive(&mut self, now: u64, bytes: &[u8]) -> usize {
        self.advance(now);
        if self.port().is_none() {
            // Nobody is there to take them: on a bus they would simply be lost.
            return bytes.len();
        }
        self.incoming.send(self.now, bytes)
    }

    /// Bytes that have reached the host by now.
    pub fn transmit(&mut self, now: u64, out: &mut Vec<u8>) {
        self.advance(now);
        let taken = self.outgoing.deliver(self.now, |bytes| {
            out.extend_from_slice(bytes);
            bytes.len()
        });
        if taken > 0 {
            self.idle = false;
        }
    }
}
