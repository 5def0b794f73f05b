//! The driver of a session over real ports, serial and USB's: finds them, opens them, and moves bytes and time.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bootlace_engine::{Event, Framing, Instant, Phase, PortEvent, PortInfo, Session, Transmit};

use crate::address::Address;
use crate::ask::only_board;
use crate::candidates::{Candidates, SeveralBoards};
use crate::error::Error;
use crate::input::{Input, Inputs};
use crate::port::Port;
use crate::unusable::Unusable;

/// How often new ports are looked for while the board has none.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Where the board may be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Ports that may be the board's. After a restart the board is looked for on all of them.
    pub candidates: Candidates,
    /// Speed of a serial port in bits per second; USB's ignore it.
    pub baud: u32,
    /// The one framing to use; `None`: what the board takes.
    pub framing: Option<Framing>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A port was opened that is not the one before.
    Port(Address),
    /// The session says something.
    Session(Event),
}

/// A session, the port that it goes over, and the clock.
#[derive(Debug)]
pub struct Driver {
    /// The session. Whoever gives it a job then takes [`Driver::next_notice`] until the job has ended.
    pub session: Session,
    settings: Settings,
    started: std::time::Instant,
    port: Option<Port>,
    /// The port that the board was last seen on.
    address: Option<Address>,
    /// Ports to try next, while the board is being looked for.
    untried: VecDeque<Address>,
    /// Ports that were there when they were last looked at.
    present: VecDeque<Address>,
    outgoing: VecDeque<u8>,
    /// How many ports were opened.
    opened: u64,
    notices: VecDeque<Notice>,
    sender: Sender<Input>,
    input: Receiver<Input>,
}

impl Driver {
    /// Opens one candidate after another until a board answers; where no port was named, the only board that answers.
    /// `told` hears what happens meanwhile.
    ///
    /// # Errors
    /// Why the last candidate is not the board's port; [`Error::NoPort`] where there is no candidate; [`Error::Several`]
    /// where it is not clear which board is meant.
    pub fn connect(settings: Settings, mut told: impl FnMut(&Notice)) -> Result<Self, Error> {
        let tried = if settings.candidates.is_any() {
            VecDeque::from([only_board(settings.baud)?])
        } else {
            let several = |SeveralBoards(ports)| Error::Several { ports };
            settings.candidates.each_means_one().map_err(several)?;
            settings.candidates.now(None)
        };
        let (sender, input) = channel();
        let mut driver = Driver {
            session: Session::with_framing(Instant(0), settings.framing),
            settings,
            started: std::time::Instant::now(),
            port: None,
            address: None,
            untried: VecDeque::new(),
            present: VecDeque::new(),
            outgoing: VecDeque::new(),
            opened: 0,
            notices: VecDeque::new(),
            sender,
            input,
        };
        let mut last = Error::NoPort {
            names: driver.settings.candidates.names().to_vec(),
        };
        for address in tried {
            if let Err(why) = driver.open(&address) {
                last = Error::Unopened { port: address, why };
                continue;
            }
            driver.session = Session::with_framing(driver.now(), driver.settings.framing);
            driver.opened();
            last = loop {
                let notice = driver.next_notice();
                told(&notice);
                match notice {
                    Notice::Session(Event::Board(_)) => return Ok(driver),
                    Notice::Session(Event::Failed(failure)) => {
                        break Error::NoBoard {
                            port: address,
                            failure,
                        };
                    }
                    // It went away while it was being asked.
                    Notice::Session(Event::FindBoard { .. }) => {
                        let why = Unusable::Missing;
                        break Error::Unopened { port: address, why };
                    }
                    _ => {}
                }
            };
            driver.close();
        }
        Err(last)
    }

    /// Waits until the session takes commands.
    ///
    /// # Errors
    /// [`Error::Failed`]: the session gave up.
    pub fn until_ready(&mut self) -> Result<(), Error> {
        while self.session.phase() != Phase::Ready {
            if let Notice::Session(Event::Failed(failure)) = self.next_notice() {
                return Err(Error::Failed(failure));
            }
        }
        Ok(())
    }

    /// The driver's time, which the session's functions take.
    pub fn now(&self) -> Instant {
        Instant(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn open(&mut self, address: &Address) -> Result<(), Unusable> {
        self.close();
        self.opened += 1;
        let inputs = Inputs {
            number: self.opened,
            sender: self.sender.clone(),
        };
        self.port = Some(Port::open(address, self.settings.baud, inputs)?);
        if !self
            .address
            .as_ref()
            .is_some_and(|before| before.is_named_as(address))
        {
            self.notices.push_back(Notice::Port(address.clone()));
            self.address = Some(address.clone());
        }
        Ok(())
    }

    fn close(&mut self) {
        self.port = None;
        self.outgoing.clear();
    }

    /// Waits for the next thing that happens; ports are found and opened on the way.
    pub fn next_notice(&mut self) -> Notice {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return notice;
            }
            while let Some(Transmit::Bytes(bytes)) = self.session.poll_transmit() {
                self.outgoing.extend(bytes);
            }
            let Some(event) = self.session.poll_event() else {
                self.write();
                self.wait();
                continue;
            };
            // A port that is opened now is told of after the event that asked for it.
            let finds = matches!(event, Event::FindBoard { .. });
            let wrong = matches!(event, Event::WrongBoard { .. });
            self.notices.push_back(Notice::Session(event));
            if finds {
                self.close();
                self.present = self.settings.candidates.now(self.address.as_ref());
                self.untried = self.present.clone();
            }
            if finds || wrong {
                self.try_next();
            }
        }
    }

    /// Tells the session of the open port.
    fn opened(&mut self) {
        let port = PortInfo {
            baud: Some(self.settings.baud),
            ..PortInfo::default()
        };
        self.session.handle_port(self.now(), PortEvent::Opened(port));
    }

    /// Opens the next port that may be the board's.
    fn try_next(&mut self) {
        self.close();
        while let Some(address) = self.untried.pop_front() {
            if self.open(&address).is_ok() {
                return self.opened();
            }
        }
        self.session.handle_port(self.now(), PortEvent::NotFound);
    }

    /// A port that has just appeared is tried at once, before the session asks for it again.
    fn look(&mut self) {
        let now = self.settings.candidates.now(self.address.as_ref());
        let appeared: VecDeque<Address> = now
            .iter()
            .filter(|address| !self.present.contains(address))
            .cloned()
            .collect();
        self.present = now;
        if !appeared.is_empty() {
            self.untried = appeared;
            self.try_next();
        }
    }

    fn write(&mut self) {
        match &mut self.port {
            Some(port) if !self.outgoing.is_empty() => {
                if !port.write(&mut self.outgoing) {
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
        let looks = self.port.is_none();
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
            let current = self.port.as_ref().map(|port| port.number);
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
