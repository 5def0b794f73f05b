//! A [`Session`] and a [`SimulatedBoard`] on a bad line under a virtual clock: the engine of the page and of the command line
//! against the companion's own code, with neither a port nor a clock. The same seed gives the same run, to the byte.

mod scenario;
pub mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use bootlace_engine::{
    CheckedImage, Error, Event, Instant, Job, NoPatch, Options, Outcome, PortEvent, PortInfo, Session,
    Transmit,
};
use bootlace_simulator::{Activity, Config, Cut, Moment, NorFlash, SimulatedBoard};
use scenario::{FLASH, map};
pub use scenario::{Firmware, Mishap, Patch, Scenario};
use wire::{Dice, Faults, Wire};

/// Longest run, in microseconds of virtual time: well above the sum of all waits that a session may do.
pub const LONGEST: u64 = 30 * 60 * 1_000_000;

/// More steps than any run needs; one that does not advance in time would never end.
const MOST_STEPS: u64 = 3_000_000;

/// How often a person tries to connect to a board that is not understood.
const TRIES: u32 = 5;

/// Microseconds until a host notices that a port came or went.
const NOTICE: u64 = 20_000;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// What the session said.
    pub verdict: Verdict,
    /// Virtual microseconds from the first byte to it.
    pub took: u64,
    /// Whether the session had the image uploaded and went on from there at least once.
    pub resumed: bool,
    /// Why the image was sent although there was a patch.
    pub instead: Option<NoPatch>,
}

/// What a session says at the end.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The update ended, and the board said how.
    Outcome(Outcome),
    /// It ended with a named error.
    Failed(Error),
}

/// The two ends, the line between them, and the time.
pub struct Pair {
    session: Session,
    patch: Patch,
    board: SimulatedBoard,
    to_board: Wire,
    to_host: Wire,
    faults: Faults,
    /// When the line gets bad, and how bad.
    bad_at: (u64, Faults),
    dice: Dice,
    now: u64,
    /// What did not fit into the board's port yet.
    stuck: VecDeque<u8>,
    host: Host,
    /// The cable is out until then.
    unplugged: Option<u64>,
    dead_until: Option<u64>,
    mishaps: VecDeque<(u64, Mishap)>,
    /// The person gave up on the session, and starts another when a port is there.
    again: bool,
    tries: u32,
    started: bool,
    resumed: bool,
    instead: Option<NoPatch>,
    said: Vec<Event>,
    /// A bit flipped: the board need not run any more.
    is_damaged: bool,
}

/// What the driver of a session knows of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    /// Open since the board's reset of this number.
    Open(u64),
    /// It is gone, and the host will notice then.
    Leaving(u64),
    /// There is none open; the session is not looking for one.
    Closed,
    /// The session looks for one; the host looks again then.
    Looking(u64),
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Pair at {} us, host {:?}, board {:?}",
            self.now,
            self.host,
            self.board.activity()
        )
    }
}

impl Pair {
    /// A session at the open port of a board that runs the old image.
    ///
    /// # Panics
    /// When the board can't be made: the harness is wrong.
    #[allow(clippy::expect_used, reason = "a harness without a board is of no use")]
    pub fn new(seed: u64, scenario: &Scenario, firmware: &Firmware) -> Self {
        let config = Config {
            keys: vec![firmware.key.public()],
            address: FLASH,
            map: map(),
            stall: scenario.stall,
            behaviour: scenario.behaviour,
            ..Config::default()
        };
        let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
        flash.flash_primary(&firmware.old);
        if scenario.used {
            let mut bytes = flash.bytes().to_vec();
            let secondary = map().secondary;
            let range = secondary.offset as usize..(secondary.offset + secondary.size) as usize;
            bytes
                .get_mut(range)
                .expect("a slot inside of the flash")
                .fill(0x55);
            flash.restore(&bytes);
        }
        let mut board = SimulatedBoard::with_flash(config, flash).expect("memory for a board");
        // It was plugged in a second ago.
        let now = 1_000_000;
        board.advance(now);
        Self {
            host: Host::Open(board.resets()),
            session: Session::new(Instant(now)),
            patch: scenario.patch,
            board,
            to_board: Wire::new(1_000_000),
            to_host: Wire::new(1_000_000),
            faults: Faults::default(),
            bad_at: (now + scenario.good_for, scenario.faults),
            dice: Dice::new(seed ^ 0xabcd),
            now,
            stuck: VecDeque::new(),
            unplugged: None,
            dead_until: None,
            mishaps: scenario
                .mishaps
                .iter()
                .map(|&(at, mishap)| (now + at, mishap))
                .collect(),
            again: false,
            tries: 0,
            started: false,
            resumed: false,
            instead: None,
            said: Vec::new(),
            is_damaged: scenario
                .mishaps
                .iter()
                .any(|(_, mishap)| matches!(mishap, Mishap::Flip(..))),
        }
    }

    /// Updates the board to the new image, and lets time pass until the session says how that ended.
    ///
    /// # Errors
    /// What must never happen: no end within [`LONGEST`], or a wrong one. The text has the last events.
    pub fn run(&mut self, firmware: &Firmware) -> Result<Ending, String> {
        let start = self.now;
        for _ in 0..MOST_STEPS {
            if self.now - start > LONGEST {
                return Err(self.report("no end"));
            }
            self.act();
            if let Some(verdict) = self.listen(firmware) {
                return self.ended(verdict, start, firmware);
            }
            self.wait();
        }
        Err(self.report("no end: the time stands still"))
    }

    /// Takes all that the session says, as a driver and a person do.
    fn listen(&mut self, firmware: &Firmware) -> Option<Verdict> {
        while let Some(event) = self.session.poll_event() {
            self.said.push(event.clone());
            match event {
                // The person presses the button as soon as there is one.
                Event::Board(_) if !self.started && self.session.is_ready() => {
                    self.started = true;
                    let image = match CheckedImage::new(firmware.new.clone()) {
                        Ok(image) => Arc::new(image),
                        Err(error) => return Some(Verdict::Failed(error)),
                    };
                    let job = Job::Update {
                        image,
                        patch: firmware.patch(self.patch).map(Arc::from),
                        options: Options::default(),
                    };
                    if let Err(error) = self.session.start(Instant(self.now), job) {
                        return Some(Verdict::Failed(error));
                    }
                }
                Event::FindBoard { .. } if !matches!(self.host, Host::Open(_) | Host::Leaving(_)) => {
                    self.host = Host::Looking(self.now + NOTICE);
                }
                Event::WrongBoard { .. } => self.close(Host::Looking(self.now + NOTICE)),
                Event::Resumed { .. } => self.resumed = true,
                Event::WholeInstead(reason) => self.instead = Some(reason),
                Event::Outcome(outcome) => return Some(Verdict::Outcome(outcome)),
                // A board that is not understood at first is asked again, as a person does.
                Event::Failed(_) if !self.started && self.tries < TRIES => {
                    self.tries += 1;
                    self.again = true;
                    self.close(Host::Looking(self.now + 1_000_000));
                }
                Event::Failed(failure) => return Some(Verdict::Failed(failure.error)),
                _ => {}
            }
        }
        None
    }

    /// Lets everything happen that is due now.
    fn act(&mut self) {
        let now = self.now;
        if self.bad_at.0 <= now {
            self.faults = self.bad_at.1;
        }
        self.mishaps_due();
        self.host_looks();
        if self.is_open() {
            while let Some(bytes) = self.to_host.arrive(now) {
                self.session.handle_input(Instant(now), &bytes);
            }
            while let Some(bytes) = self.to_board.arrive(now) {
                self.stuck.extend(bytes);
            }
            let taken = self.board.receive(now, self.stuck.make_contiguous());
            self.stuck.drain(..taken);
        }
        if self.session.poll_timeout().is_some_and(|due| due.0 <= now) {
            self.session.handle_timeout(Instant(now));
        }
        while let Some(Transmit::Bytes(bytes)) = self.session.poll_transmit() {
            if self.is_open() {
                self.to_board.send(now, &bytes, &self.faults, &mut self.dice);
            }
        }
        self.board.advance(now);
        let mut out = Vec::new();
        self.board.transmit(now, &mut out);
        if self.is_open() {
            self.to_host.send(now, &out, &self.faults, &mut self.dice);
        }
    }

    /// Moves the clock to the next thing that happens.
    fn wait(&mut self) {
        let host = match self.host {
            Host::Open(_) if !self.is_open() => Some(self.now + 1),
            Host::Leaving(at) | Host::Looking(at) => Some(at),
            Host::Open(_) | Host::Closed => None,
        };
        let times = [
            self.session.poll_timeout().map(|due| due.0),
            self.board.next_deadline(),
            self.to_board.next(),
            self.to_host.next(),
            self.mishaps.front().map(|(at, _)| *at),
            self.unplugged,
            self.dead_until,
            host,
            (!self.stuck.is_empty()).then_some(self.now + 64),
        ];
        // What could not happen yet is looked at again a little later.
        let next = times.into_iter().flatten().min();
        self.now = next.unwrap_or(self.now + 1_000_000).max(self.now + 1);
    }

    /// The host has the port of the board open, as the board is now.
    fn is_open(&self) -> bool {
        self.host == Host::Open(self.board.resets())
            && self.unplugged.is_none()
            && self.board.port().is_some()
    }

    fn mishaps_due(&mut self) {
        if self.unplugged.is_some_and(|until| until <= self.now) {
            self.unplugged = None;
        }
        if self.board.flash().is_dead() && self.dead_until.is_none() {
            self.dead_until = Some(self.now + 300_000);
        }
        if self.dead_until.is_some_and(|until| until <= self.now) {
            self.dead_until = None;
            self.board.power_cycle(self.now);
        }
        while let Some((_, mishap)) = self.mishaps.pop_front_if(|(at, _)| *at <= self.now) {
            match mishap {
                Mishap::PowerCycle => self.board.power_cycle(self.now),
                Mishap::PowerCut(after) => {
                    let at = self.board.flash().operations() + after;
                    let moment = match self.dice.below(3) {
                        0 => Moment::Before,
                        1 => Moment::Torn,
                        _ => Moment::After,
                    };
                    let cut = Cut {
                        at,
                        moment,
                        seed: self.dice.roll(),
                    };
                    self.board.flash_mut().cut(Some(cut));
                }
                Mishap::Flip(area, offset) => self.board.flash_mut().flip(area, offset),
                Mishap::Unplug(time) => {
                    self.unplugged = Some(self.now + time);
                    self.board.unplug();
                }
            }
        }
    }

    /// The port is no longer open: what was on the way is lost.
    fn close(&mut self, host: Host) {
        self.to_board.clear();
        self.to_host.clear();
        self.stuck.clear();
        self.host = host;
    }

    /// The host notices ports that went, and opens those that came.
    fn host_looks(&mut self) {
        let gone = matches!(self.host, Host::Open(_)) && !self.is_open();
        match self.host {
            Host::Open(_) if gone => {
                let notices = self.now + self.dice.below(NOTICE);
                self.close(Host::Leaving(notices));
            }
            Host::Leaving(at) if at <= self.now => {
                self.host = Host::Closed;
                self.session.handle_port(Instant(self.now), PortEvent::Lost);
            }
            Host::Looking(at) if at <= self.now => {
                if self.unplugged.is_none() && self.board.port().is_some() {
                    self.host = Host::Open(self.board.resets());
                    if std::mem::take(&mut self.again) {
                        self.session = Session::new(Instant(self.now));
                    } else {
                        let info = PortInfo::default();
                        self.session
                            .handle_port(Instant(self.now), PortEvent::Opened(info));
                    }
                } else {
                    // Some hosts say that there is none and wait to be asked, some wait for it to appear.
                    if self.dice.below(2) == 0 && !self.again {
                        self.host = Host::Closed;
                        self.session.handle_port(Instant(self.now), PortEvent::NotFound);
                    } else {
                        self.host = Host::Looking(self.now + NOTICE);
                    }
                }
            }
            _ => {}
        }
    }

    /// Judges the end: whatever the session said must be so, also after the board has lost its power once more.
    fn ended(&mut self, verdict: Verdict, start: u64, firmware: &Firmware) -> Result<Ending, String> {
        let took = self.now - start;
        let activity = self.board.activity();
        if matches!(verdict, Verdict::Outcome(Outcome::Confirmed { .. })) && activity != Activity::Application
        {
            return Err(self.report(&format!(
                "it said {verdict:?}, but the board does not run: {activity:?}"
            )));
        }
        self.mishaps.clear();
        if self.is_damaged {
            return Ok(Ending {
                verdict,
                took,
                resumed: self.resumed,
                instead: self.instead,
            });
        }
        self.board.flash_mut().cut(None);
        // A trial ends by itself; a hung application is reset by its watchdog. Then twice without power.
        for pause in [90, 60, 60] {
            self.board.power_cycle(self.now);
            self.let_pass(pause * 1_000_000);
        }
        let primary = self.primary();
        let runs = |image: &[u8]| primary.starts_with(image);
        if self.board.activity() != Activity::Application {
            return Err(self.report(&format!(
                "after {verdict:?} the board does not run: {:?}",
                self.board.activity()
            )));
        }
        let right = match &verdict {
            Verdict::Outcome(Outcome::Confirmed { .. }) => runs(&firmware.new),
            Verdict::Outcome(Outcome::RolledBack { .. } | Outcome::Unchanged { .. }) => runs(&firmware.old),
            Verdict::Failed(_) => runs(&firmware.new) || runs(&firmware.old),
        };
        if !right {
            let name = if runs(&firmware.new) {
                "the new image"
            } else if runs(&firmware.old) {
                "the old image"
            } else {
                "neither image"
            };
            return Err(self.report(&format!("it said {verdict:?}, but the board runs {name}")));
        }
        Ok(Ending {
            verdict,
            took,
            resumed: self.resumed,
            instead: self.instead,
        })
    }

    fn let_pass(&mut self, time: u64) {
        let end = self.now + time;
        while self.now < end {
            self.board.advance(self.now);
            self.board.transmit(self.now, &mut Vec::new());
            self.now = self.board.next_deadline().unwrap_or(end).clamp(self.now + 1, end);
        }
        self.board.advance(end);
    }

    fn primary(&self) -> &[u8] {
        let from = usize::try_from(map().primary.offset).unwrap_or_default();
        self.board.flash().bytes().get(from..).unwrap_or_default()
    }

    fn report(&self, what: &str) -> String {
        let first = self.said.len().saturating_sub(30);
        let last: Vec<_> = self
            .said
            .iter()
            .skip(first)
            .map(|event| format!("\n    {event:?}"))
            .collect();
        format!(
            "{what}\n  {self:?}\n  the session's last events:{}",
            last.concat()
        )
    }
}

/// Runs the scenario of a seed.
///
/// # Errors
/// What must never happen, with the seed.
pub fn run(seed: u64) -> Result<Ending, String> {
    let scenario = Scenario::of(seed);
    let firmware = Firmware::new(seed, scenario.size, scenario.algorithm);
    Pair::new(seed, &scenario, &firmware)
        .run(&firmware)
        .map_err(|problem| format!("seed {seed}: {problem}\n  {scenario:?}"))
}
