//! The bench: which boards there are, who may use which port, the image and the keys.
//!
//! Each port is asked once who is there ([`greet`]), whoever waits for a board: only the board can say who it is. A board
//! that a session waits for is handed to that session; one that nobody waits for gets a session of its own.

use std::rc::Rc;

use bootlace_engine::words::page::spelled;
use bootlace_engine::words::version;
use bootlace_engine::{self as engine, Claim};
use bootlace_image::PublicKey;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_channel::oneshot;
use futures_util::StreamExt;
use wasm_bindgen_futures::spawn_local;

use super::board;
use super::examine::examine;
use super::file::File;
use super::greet::{Met, greet};
use super::orders::{Closed, Input, Order, Report, Wanted};
use super::patches::{Between, Patches};
use super::ports::{Device, Port, leave_serial, ports};
use super::scope::{log, tell};
use super::seat::{Greeting, Seat};
use super::store;
use super::twins::{Twins, is_seated, may_be_seated, may_disturb};
use crate::messages::{
    BoardId, ChoiceId, Command, KeptImage, LogFact, Notice, PageError, Problem, Simulation,
};

/// Everything that boards share.
struct Bench {
    inputs: UnboundedSender<Input>,
    seats: Vec<Seat>,
    /// Which session gets a board that was found, and whose turn it is to restart.
    turns: engine::Turns<BoardId>,
    /// Ports where it is being asked who is there.
    greetings: Vec<Greeting>,
    /// The number of the last board.
    last: u32,
    /// Ports where nobody answers that is a board: not asked again by themselves while they are plugged in.
    strangers: Vec<Port>,
    /// Ports with a board that may be the one of several sessions: asked again when an update has ended.
    unclear: Vec<Port>,
    /// The other ports of boards that have a seat: asked again when one of those loses its port.
    twins: Twins,
    devices: Vec<Rc<Device>>,
    /// How many boards were simulated so far.
    simulated: u32,
    wanted: Rc<Wanted>,
    patches: Patches,
}

/// Runs the bench for as long as the worker lives. `inputs` is the other end of `heard`.
pub(super) async fn run(inputs: UnboundedSender<Input>, mut heard: UnboundedReceiver<Input>) {
    let mut bench = Bench {
        inputs,
        seats: Vec::new(),
        turns: engine::Turns::new(),
        greetings: Vec::new(),
        last: 0,
        strangers: Vec::new(),
        unclear: Vec::new(),
        twins: Twins::default(),
        devices: Vec::new(),
        simulated: 0,
        wanted: Rc::default(),
        patches: Patches::default(),
    };
    tell_kept().await;
    while let Some(input) = heard.next().await {
        bench.hear(input);
    }
}

async fn tell_kept() {
    tell(&Notice::Kept(store::list().await));
}

impl Bench {
    fn hear(&mut self, input: Input) {
        match input {
            Input::Command(command, bytes) => self.command(command, bytes),
            Input::Report(id, report) => self.report(id, report),
            Input::PortsChanged => {
                // Whoever was silent may be the board that comes back.
                if self.seats.iter().any(|seat| seat.waits) {
                    self.strangers.clear();
                }
                self.assign(false);
            }
            Input::Greeted(id, greeted) => self.greeted(id, greeted),
            Input::Ports(ports, asked) => self.hand_out(ports, asked),
            Input::Patch(between, patch) => {
                if self.patches.set(&between, &patch) {
                    self.order_all(|| Order::Patch(between.clone(), patch.clone()));
                }
            }
            Input::Saved => {
                for between in self.patches.look_again() {
                    self.find_patch(between);
                }
            }
        }
    }

    /// Does what the view wants.
    fn command(&mut self, command: Command, bytes: Vec<u8>) {
        match command {
            Command::Examine { choice, name } => {
                let file = Rc::new(File::new(choice, name, bytes));
                self.save(file.clone());
                self.want(|wanted| wanted.file = Some(file));
                self.examine();
            }
            Command::PutAway => self.want(|wanted| wanted.file = None),
            Command::Trust(trust) => {
                self.want(|wanted| wanted.trust = trust);
                self.examine();
            }
            Command::Ports { asked } => self.assign(asked),
            Command::LeaveSerial(left) => leave_serial(left),
            Command::Whole(whole) => self.want(|wanted| wanted.whole = whole),
            Command::DeleteSaved(hash) => spawn_local(async move {
                store::delete_images(hash.as_deref()).await;
                tell_kept().await;
            }),
            Command::Simulate(simulation) => self.simulate(&simulation, bytes),
            Command::Update(id) => self.order(id, Order::Update),
            Command::Cancel(id) => self.order(id, Order::Cancel),
            Command::Refresh(id) => self.order(id, Order::Refresh),
            Command::Release(id) => self.release(id),
            Command::Button(id) => {
                if let Some(device) = self.seat(id).and_then(|seat| seat.device.as_ref()) {
                    device.restart_with_button();
                }
            }
        }
    }

    fn report(&mut self, id: BoardId, report: Report) {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.id == id) else {
            return;
        };
        match report {
            Report::Closed(closed) => {
                let port = seat.port.take();
                self.twins.forget();
                if closed == Closed::NotOurs {
                    self.strangers.extend(port);
                }
                self.assign(false);
            }
            Report::Waits(wanted) => {
                seat.waits = true;
                self.turns.waits(id, wanted);
                self.assign(false);
            }
            Report::WantsRestart(board) => {
                if self.turns.may_restart(id, &board) {
                    seat.order(Order::MayRestart);
                }
            }
            Report::Known { serial, keys } => {
                let news = seat.keys != keys;
                seat.waits = false;
                (seat.serial, seat.keys) = (serial, keys);
                self.turns.has_board(id);
                if news {
                    self.examine();
                }
            }
            Report::Busy(true) => seat.busy = true,
            Report::Busy(false) => {
                (seat.busy, seat.waits) = (false, false);
                let next = self.turns.update_ended(id);
                self.next_turn(next);
            }
            Report::WantsPatch(between) => self.find_patch(between),
            Report::Gone => self.gone(id),
        }
    }

    /// A turn has ended: the board that is next may restart, and what was unclear may be clear.
    fn next_turn(&mut self, next: Option<BoardId>) {
        if let Some(next) = next {
            self.order(next, Order::MayRestart);
        }
        self.unclear.clear();
        self.assign(false);
    }

    fn seat(&self, id: BoardId) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.id == id)
    }

    fn order(&self, id: BoardId, order: Order) {
        if let Some(seat) = self.seat(id) {
            seat.order(order);
        }
    }

    fn order_all(&self, order: impl Fn() -> Order) {
        self.seats.iter().for_each(|seat| seat.order(order()));
    }

    /// Changes what is wanted of all boards, and tells them.
    fn want(&mut self, change: impl FnOnce(&mut Wanted)) {
        let mut wanted = Wanted {
            file: self.wanted.file.clone(),
            trust: self.wanted.trust.clone(),
            whole: self.wanted.whole,
        };
        change(&mut wanted);
        self.wanted = Rc::new(wanted);
        self.order_all(|| Order::Want(self.wanted.clone()));
    }

    /// Says again what the image is: with other keys another verdict.
    fn examine(&self) {
        let Some(file) = &self.wanted.file else { return };
        let named: Vec<PublicKey> = self
            .seats
            .iter()
            .flat_map(|seat| seat.keys.iter().copied())
            .collect();
        let info = match &file.image {
            Ok(image) => Ok(Box::new(examine(&file.name, image, &self.wanted.trust, &named))),
            Err(error) => Err(error.clone()),
        };
        tell(&Notice::Examined(file.choice, info));
    }

    /// Saves a file, if it is an image: boards that run it are updated by a patch.
    fn save(&self, file: Rc<File>) {
        let inputs = self.inputs.clone();
        spawn_local(async move {
            let Ok(image) = &file.image else { return };
            let Some(base) = image.base() else { return };
            let saved = KeptImage {
                hash: base.hash.clone(),
                size: u32::try_from(base.whole.len()).unwrap_or(u32::MAX),
                version: spelled(&version(image.version())),
                file: file.name.clone(),
            };
            store::keep(&saved, base.whole).await;
            tell_kept().await;
            _ = inputs.unbounded_send(Input::Saved);
        });
    }

    /// Works on a patch to the chosen image, and tells the boards how it is with that.
    fn find_patch(&mut self, between: Between) {
        let Some(file) = self.wanted.file.clone() else {
            return;
        };
        let inputs = self.inputs.clone();
        let patch = self.patches.find(between.clone(), &file, move |between, patch| {
            _ = inputs.unbounded_send(Input::Patch(between, patch));
        });
        self.order_all(|| Order::Patch(between.clone(), patch.clone()));
    }

    fn simulate(&mut self, simulation: &Simulation, installed: Vec<u8>) {
        // Never used twice: a board is known by it.
        self.simulated += 1;
        let serial = format!("SIM-{:04}", self.simulated);
        let inputs = self.inputs.clone();
        let device = Device::plug(simulation, &installed, serial, move || {
            _ = inputs.unbounded_send(Input::PortsChanged);
        });
        match device {
            Some(device) => self.devices.push(device),
            None => tell(&Notice::Ports(Some(PageError::WorkerStopped.into()))),
        }
        // The board would not run an image that nobody ever had.
        self.save(Rc::new(File::new(
            ChoiceId::default(),
            simulation.name.clone(),
            installed,
        )));
    }

    /// Looks at the ports that there are, and hands them out.
    fn assign(&self, asked: bool) {
        let inputs = self.inputs.clone();
        spawn_local(async move {
            _ = inputs.unbounded_send(Input::Ports(ports().await, asked));
        });
    }

    fn hand_out(&mut self, mut ports: Vec<Port>, asked: bool) {
        let devices = self.devices.iter().filter(|device| device.is_there());
        ports.extend(devices.cloned().map(Port::Simulated));
        self.strangers.retain(|port| !asked && ports.contains(port));
        self.twins.keep(&ports);
        for port in ports {
            let with_board = self.seats.iter().filter_map(|seat| seat.port.as_ref());
            let greeted = self.greetings.iter().map(|greeting| &greeting.port);
            let left_alone = self
                .strangers
                .iter()
                .chain(&self.unclear)
                .chain(self.twins.iter());
            if !with_board
                .chain(greeted)
                .chain(left_alone)
                .any(|taken| *taken == port)
                && !may_disturb(&port, &self.greetings, &self.seats)
            {
                self.greet(port, asked);
            }
        }
        if asked && self.seats.is_empty() && self.greetings.is_empty() {
            tell(&Notice::Ports(Some(PageError::NoPort.into())));
        }
    }

    /// Asks at a port who is there.
    fn greet(&mut self, port: Port, asked: bool) {
        self.last += 1;
        let id = BoardId(self.last);
        // Where a session waits for its board, this will be it: no board of its own is shown before it is known.
        // Nor where a board is there that may have this port as well.
        let shown = !self
            .seats
            .iter()
            .any(|seat| seat.waits || may_be_seated(&port, seat));
        if shown {
            tell(&Notice::Appeared {
                board: id,
                via: port.via(),
            });
        }
        let (stop, stopped) = oneshot::channel();
        self.greetings.push(Greeting {
            id,
            port: port.clone(),
            shown,
            asked,
            // Nobody waits for a port that comes by itself while boards are there, and may go again.
            quiet: !asked && !self.seats.is_empty(),
            _stop: stop,
        });
        let inputs = self.inputs.clone();
        spawn_local(async move {
            let greeted = greet(port, asked, stopped).await;
            _ = inputs.unbounded_send(Input::Greeted(id, greeted));
        });
    }

    /// Somebody is at a port, or nobody.
    fn greeted(&mut self, id: BoardId, greeted: Result<Met, Problem>) {
        let at = self.greetings.iter().position(|greeting| greeting.id == id);
        let Some(greeting) = at.map(|at| self.greetings.remove(at)) else {
            if let Ok(met) = greeted {
                spawn_local(met.line.link.close());
            }
            return;
        };
        let met = match greeted {
            Ok(met) => met,
            Err(problem) => return self.nobody(greeting, problem),
        };
        let board = &met.greeted.board;
        // Its other port can be asked now.
        self.assign(false);
        let same =
            |seat: &&Seat| seat.is_idle_and_away() && seat.serial.is_some() && seat.serial == board.serial;
        let claim = match self.turns.claim(board) {
            // Unplugged while nothing was being done, and plugged in again.
            Claim::Nobody => self
                .seats
                .iter()
                .find(same)
                .map_or(Claim::Nobody, |seat| Claim::Session(seat.id)),
            claim => claim,
        };
        if greeting.shown && claim != Claim::Nobody {
            tell(&Notice::Gone(id));
        }
        match claim {
            Claim::Session(id) => {
                self.turns.has_board(id);
                if let Some(seat) = self.seats.iter_mut().find(|seat| seat.id == id) {
                    seat.port = Some(greeting.port);
                    seat.waits = false;
                    seat.order(Order::Adopt(met));
                }
            }
            Claim::Nobody if is_seated(&greeting.port, board.serial.as_deref(), &self.seats) => {
                if greeting.shown {
                    tell(&Notice::Gone(id));
                }
                self.twins.add(greeting.port);
                spawn_local(met.line.link.close());
            }
            Claim::Nobody => self.seat_down(greeting, met),
            Claim::Unclear => {
                log(LogFact::OtherBoard {
                    serial: board.serial.clone(),
                });
                self.unclear.push(greeting.port);
                spawn_local(met.line.link.close());
            }
        }
    }

    /// Nobody is at a port who is a board. The port is left alone until somebody asks for it or plugs it in again.
    fn nobody(&mut self, greeting: Greeting, problem: Problem) {
        let vanished = problem == PageError::PortVanished.into();
        log(LogFact::Problem(problem.clone()));
        if greeting.shown && (greeting.asked || !greeting.quiet) {
            tell(&Notice::Ports(Some(problem)));
        }
        if !vanished {
            self.strangers.push(greeting.port);
            // By its other port, the board may answer.
            self.assign(false);
        }
        if greeting.shown {
            tell(&Notice::Gone(greeting.id));
        }
    }

    /// A board that nobody waits for gets a session of its own. Boards that were unplugged make room for it.
    fn seat_down(&mut self, greeting: Greeting, met: Met) {
        let Greeting { id, port, shown, .. } = greeting;
        let serial = met.greeted.board.serial.clone();
        if !shown {
            tell(&Notice::Appeared {
                board: id,
                via: port.via(),
            });
        }
        for seat in self.seats.iter().filter(|seat| seat.is_idle_and_away()) {
            seat.order(Order::Release { anyway: false });
        }
        let (orders, received) = unbounded();
        let inputs = self.inputs.clone();
        let report = move |report| _ = inputs.unbounded_send(Input::Report(id, report));
        spawn_local(board::run(id, self.wanted.clone(), met, report, received));
        let device = match &port {
            Port::Simulated(device) => Some(device.clone()),
            Port::Serial(_) | Port::Usb(_) => None,
        };
        self.seats.push(Seat {
            id,
            orders,
            port: Some(port),
            device,
            waits: false,
            busy: false,
            serial,
            keys: Vec::new(),
        });
    }

    /// The person lets a board go, or the port where it is still being asked who is there.
    fn release(&mut self, id: BoardId) {
        let Some(at) = self.greetings.iter().position(|greeting| greeting.id == id) else {
            return self.order(id, Order::Release { anyway: true });
        };
        let greeting = self.greetings.remove(at);
        if let Port::Simulated(device) = &greeting.port {
            self.unplug(device);
        }
        self.strangers.push(greeting.port);
        tell(&Notice::Gone(id));
    }

    fn unplug(&mut self, device: &Rc<Device>) {
        device.remove();
        self.devices.retain(|other| !Rc::ptr_eq(other, device));
    }

    fn gone(&mut self, id: BoardId) {
        let Some(at) = self.seats.iter().position(|seat| seat.id == id) else {
            return;
        };
        let seat = self.seats.remove(at);
        if let Some(device) = &seat.device {
            self.unplug(device);
        } else {
            // Not taken again until somebody asks for it or plugs it in again, nor by its other port.
            if let Some(port) = seat.port {
                self.strangers.extend(self.twins.take(&port));
                self.strangers.push(port);
            }
        }
        tell(&Notice::Gone(id));
        if !seat.keys.is_empty() {
            // Its keys no longer count.
            self.examine();
        }
        let next = self.turns.remove(id);
        self.next_turn(next);
    }
}
