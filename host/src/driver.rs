//! The driver of a session over real ports: finds them, opens them, and moves bytes and time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bootlace_engine::words::{self, Sentence};
use bootlace_engine::{Event, Failure, Instant, Phase, PortEvent, PortInfo, Session};

use crate::Problem;
use crate::port::{Candidates, Input, Link, unopened};
use crate::report::Reporter;

/// Where the board may be.
#[derive(Debug, clap::Args)]
pub(crate) struct Ports {
    /// The board's port, or a pattern such as '/dev/ttyACM*'. May be given several times: after a restart the board is
    /// looked for on all of them.
    #[arg(long, required = true, value_name = "PATH")]
    port: Vec<String>,
    /// Speed of the port in bits per second; USB ports ignore it.
    #[arg(long, default_value_t = 115_200)]
    baud: u32,
}

/// Why the session gave up.
pub(crate) fn problem(failure: &Failure) -> Problem {
    Problem {
        phase: Some(failure.phase.name()),
        ..Problem::from(words::failure(failure))
    }
}

/// A session, the port it goes over, and the clock.
pub(crate) struct Driver {
    pub(crate) session: Session,
    pub(crate) reporter: Reporter,
    candidates: Candidates,
    baud: u32,
    started: std::time::Instant,
    link: Option<Link>,
    /// The port that the board was last seen on.
    path: Option<PathBuf>,
    /// Ports to try next, while the board is being looked for.
    untried: VecDeque<PathBuf>,
    /// Ports that were there when they were last looked at.
    present: VecDeque<PathBuf>,
    outgoing: VecDeque<u8>,
    opened: u64,
    sender: Sender<Input>,
    input: Receiver<Input>,
}

impl Driver {
    /// Opens one candidate after another until a board answers.
    pub(crate) fn connect(ports: &Ports, json: bool) -> Result<Self, Problem> {
        Driver::with(ports, Reporter::new(json))
    }

    /// The same without a word about it.
    pub(crate) fn silent(ports: &Ports) -> Result<Self, Problem> {
        Driver::with(ports, Reporter::silent())
    }

    fn with(ports: &Ports, reporter: Reporter) -> Result<Self, Problem> {
        let (sender, input) = channel();
        let mut driver = Driver {
            session: Session::new(Instant(0)),
            reporter,
            candidates: Candidates::new(&ports.port),
            baud: ports.baud,
            started: std::time::Instant::now(),
            link: None,
            path: None,
            untried: VecDeque::new(),
            present: VecDeque::new(),
            outgoing: VecDeque::new(),
            opened: 0,
            sender,
            input,
        };
        let mut last = Problem::from(no_port(&driver.candidates));
        for path in driver.candidates.now(None) {
            if let Err(error) = driver.open(&path) {
                last = unopened(&path, &error).into();
                continue;
            }
            driver.session = Session::new(driver.now());
            driver.opened();
            loop {
                match driver.next() {
                    Event::Board(_) => return Ok(driver),
                    Event::Failed(failure) => {
                        last = problem(&failure);
                        last.sentence.what = format!("{}: {}", path.display(), last.sentence.what);
                        break;
                    }
                    // It went away while it was being asked.
                    Event::FindBoard { .. } => {
                        last = unopened(&path, &std::io::ErrorKind::NotFound.into()).into();
                        break;
                    }
                    _ => {}
                }
            }
            driver.close();
        }
        Err(last)
    }

    /// Waits until the session takes commands.
    pub(crate) fn until_ready(&mut self) -> Result<(), Problem> {
        while self.session.phase() != Phase::Ready {
            if let Event::Failed(failure) = self.next() {
                return Err(problem(&failure));
            }
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Instant {
        Instant(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn open(&mut self, path: &Path) -> std::io::Result<()> {
        self.close();
        self.opened += 1;
        self.link = Some(Link::open(path, self.baud, self.opened, self.sender.clone())?);
        if self.path.as_deref() != Some(path) {
            self.reporter.port(&path.display().to_string());
            self.path = Some(path.to_owned());
        }
        Ok(())
    }

    fn close(&mut self) {
        self.link = None;
        self.outgoing.clear();
    }

    /// The next thing that the session says; ports are found and opened on the way.
    pub(crate) fn next(&mut self) -> Event {
        loop {
            while let Some(bytes) = self.session.poll_transmit() {
                self.outgoing.extend(bytes);
            }
            if let Some(event) = self.session.poll_event() {
                self.reporter.event(&event);
                match &event {
                    Event::FindBoard { .. } => {
                        self.close();
                        self.present = self.candidates.now(self.path.as_deref());
                        self.untried = self.present.clone();
                        self.try_next();
                    }
                    Event::WrongBoard { .. } => self.try_next(),
                    _ => {}
                }
                return event;
            }
            self.write();
            self.wait();
        }
    }

    /// Tells the session of the open port.
    fn opened(&mut self) {
        let port = PortInfo {
            baud: Some(self.baud),
            ..PortInfo::default()
        };
        self.session.handle_port(self.now(), PortEvent::Opened(port));
    }

    /// Opens the next port that may be the board's.
    fn try_next(&mut self) {
        self.close();
        while let Some(path) = self.untried.pop_front() {
            if self.open(&path).is_ok() {
                return self.opened();
            }
        }
        self.session.handle_port(self.now(), PortEvent::NotFound);
    }

    /// A port that has just appeared is tried at once, before the session asks for it again.
    fn look(&mut self) {
        let now = self.candidates.now(self.path.as_deref());
        let appeared: VecDeque<PathBuf> = now
            .iter()
            .filter(|path| !self.present.contains(path))
            .cloned()
            .collect();
        self.present = now;
        if !appeared.is_empty() {
            self.untried = appeared;
            self.try_next();
        }
    }

    fn write(&mut self) {
        match &self.link {
            Some(link) if !self.outgoing.is_empty() => {
                if !link.write(&mut self.outgoing) {
                    self.lost();
                }
            }
            Some(_) => {}
            // What was meant for a port that is gone.
            None => self.outgoing.clear(),
        }
    }

    fn lost(&mut self) {
        self.close();
        self.session.handle_port(self.now(), PortEvent::Lost);
    }

    /// Waits for bytes or for the session's deadline, and hands over what came.
    fn wait(&mut self) {
        let looks = self.link.is_none();
        let patience = match self.session.poll_timeout() {
            _ if !self.outgoing.is_empty() => Duration::ZERO,
            Some(at) => at.since(self.now()),
            None => Duration::from_secs(1),
        };
        let patience = if looks { patience.min(LOOK_AGAIN) } else { patience };
        // This holds a sender: the channel can't end, so an error is the timeout.
        let mut next = self.input.recv_timeout(patience).ok();
        if looks && next.is_none() {
            self.look();
        }
        // Bytes that arrived go before timeouts that are due.
        while let Some(input) = next {
            let current = self.link.as_ref().map(|link| link.number);
            match input {
                Input::Bytes(number, bytes) if Some(number) == current => {
                    self.session.handle_input(self.now(), &bytes);
                }
                Input::Gone(number) if Some(number) == current => self.lost(),
                _ => {}
            }
            next = self.input.try_recv().ok();
        }
        let now = self.now();
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
        }
    }
}

/// How often new ports are looked for while the board has none.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

fn no_port(candidates: &Candidates) -> Sentence {
    Sentence {
        name: "NoPort".into(),
        what: format!("There is no port {}.", candidates.names()),
        next: "Plug the board in and check the port's name. A board that restarts has no port for a moment."
            .into(),
        unharmed: true,
    }
}
