//! `bootlace update`: the driver of a session over real ports.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bootlace_image::{Image, Policy};
use bootlace_session::words::{self, Sentence};
use bootlace_session::{
    Confirm, Event, Failure, Framing, Instant, Job, Options, Outcome, PortEvent, PortInfo, Session, Unchanged,
};

use crate::port::{Candidates, Input, Link, unopened};
use crate::report::Reporter;
use crate::{Problem, code, file, image};

/// What to update, and how.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the image runs and is confirmed; 1 nothing was changed; 2 wrong arguments; \
3 the board took the old image back; 4 the image was marked or started, and what became of it is not known."
)]
pub(crate) struct Arguments {
    /// The board's port, or a pattern such as '/dev/ttyACM*'. May be given several times: after a restart the board is
    /// looked for on all of them.
    #[arg(long, required = true, value_name = "PATH")]
    port: Vec<String>,
    /// The image, as imgtool signed it.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The signer's public key, PEM or DER; may be given several times. Without it, the board's own keys are trusted.
    #[arg(long, value_name = "PEM")]
    key: Vec<PathBuf>,
    /// Speed of the port in bits per second; USB ports ignore it.
    #[arg(long, default_value_t = 115_200)]
    baud: u32,
    /// Framing of the upload: cobs, console or raw. Without it, the fastest that the board takes.
    #[arg(long, value_parser = framing)]
    framing: Option<Framing>,
    /// Confirm the image as soon as its application answers, for applications that don't do so themselves.
    #[arg(long)]
    confirm: bool,
    /// Refuse an image that is not newer than what runs.
    #[arg(long)]
    only_newer: bool,
    /// Accept the development keys that MCUboot publishes.
    #[arg(long)]
    allow_development_keys: bool,
    /// Seconds to wait for a board that is unplugged or does not come back.
    #[arg(long, default_value_t = 600)]
    patience: u64,
    /// Write one line of JSON for each thing that happens.
    #[arg(long)]
    pub(crate) json: bool,
}

fn framing(name: &str) -> Result<Framing, String> {
    match name {
        "cobs" => Ok(Framing::Cobs),
        "console" => Ok(Framing::Console),
        "raw" => Ok(Framing::Raw),
        _ => Err("known are cobs, console and raw".into()),
    }
}

pub(crate) fn run(arguments: &Arguments) -> crate::Result {
    let bytes = file::read(&arguments.image)?;
    let options = Options {
        keys: file::keys(&arguments.key)?,
        allow_development_keys: arguments.allow_development_keys,
        confirm: if arguments.confirm {
            Confirm::ByUpdater
        } else {
            Confirm::ByApplication
        },
        only_newer: arguments.only_newer,
        framing: arguments.framing,
        absence: Duration::from_secs(arguments.patience),
        ..Options::default()
    };
    // A bad file is refused before any board is asked.
    let mut source = &bytes[..];
    let read = Image::read(&mut source).map_err(image::sentence)?;
    if !options.keys.is_empty() {
        let policy = Policy {
            allow_development_keys: arguments.allow_development_keys,
        };
        read.verify(&mut source, &options.keys, &policy)
            .map_err(image::sentence)?;
    }

    let mut driver = Driver::connect(arguments)?;
    let job = Job::Update {
        image: bytes,
        patch: None,
        options,
    };
    let now = driver.now();
    driver
        .session
        .start(now, job)
        .map_err(|error| Problem::from(words::error(&error)))?;
    let outcome = loop {
        match driver.next() {
            Event::Outcome(outcome) => break outcome,
            Event::Failed(failure) => return Err(problem(&failure)),
            _ => {}
        }
    };
    Ok(match outcome {
        Outcome::Confirmed { .. }
        | Outcome::Unchanged {
            reason: Unchanged::AlreadyRuns,
            ..
        } => ExitCode::SUCCESS,
        Outcome::Unchanged {
            reason: Unchanged::Cancelled,
            ..
        } => ExitCode::from(code::REFUSED),
        Outcome::RolledBack { .. } | Outcome::Unchanged { .. } => ExitCode::from(code::ROLLED_BACK),
    })
}

fn problem(failure: &Failure) -> Problem {
    Problem {
        phase: Some(failure.phase.name()),
        ..Problem::from(words::failure(failure))
    }
}

/// A session, the port it goes over, and the clock.
struct Driver {
    session: Session,
    reporter: Reporter,
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
    fn connect(arguments: &Arguments) -> Result<Self, Problem> {
        let (sender, input) = channel();
        let mut driver = Driver {
            session: Session::new(Instant(0)),
            reporter: Reporter::new(arguments.json),
            candidates: Candidates::new(&arguments.port),
            baud: arguments.baud,
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

    fn now(&self) -> Instant {
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
    fn next(&mut self) -> Event {
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

    /// Opens the next port that may be the board's.
    fn try_next(&mut self) {
        self.close();
        while let Some(path) = self.untried.pop_front() {
            if self.open(&path).is_ok() {
                let port = PortInfo {
                    baud: Some(self.baud),
                    ..PortInfo::default()
                };
                self.session.handle_port(self.now(), PortEvent::Opened(port));
                return;
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
