//! The bench: which boards there are, who may use which port, the image and the keys.
//!
//! Ports are handed out here and nowhere else. A board that waits for its port to come back is asked first, whatever
//! the port looks like: only the board can say who it is. A port that nobody waits for becomes a board of its own.

use std::rc::Rc;

use bootlace_engine::words::page::spelled;
use bootlace_engine::words::version;
use bootlace_image::PublicKey;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use wasm_bindgen_futures::spawn_local;

use super::board;
use super::doing::Contact;
use super::examine::examine;
use super::file::File;
use super::orders::{Closed, Input, LetGo, Order, Report, Wanted};
use super::patches::{Between, Patches};
use super::ports::{Device, Port, SerialPort, serial_ports};
use super::scope::tell;
use super::store;
use crate::messages::{BoardId, ChoiceId, Command, KeptImage, Notice, PageError, Simulation};

/// Everything that boards share.
struct Bench {
    inputs: UnboundedSender<Input>,
    seats: Vec<Seat>,
    /// The number of the last board.
    last: u32,
    /// Ports where nobody answers that is a board: not tried again by themselves while they are plugged in.
    strangers: Vec<Port>,
    devices: Vec<Rc<Device>>,
    wanted: Rc<Wanted>,
    patches: Patches,
}

/// What the bench knows of a board.
struct Seat {
    id: BoardId,
    orders: UnboundedSender<Order>,
    /// The port that it has, or is opening.
    port: Option<Port>,
    /// The simulated board that it is.
    device: Option<Rc<Device>>,
    /// It waits for its port.
    searching: bool,
    /// Ports that are not its own.
    tried: Vec<Port>,
    /// It said who it is.
    known: bool,
    /// An update runs.
    busy: bool,
    /// The keys that it accepts, as it says.
    keys: Vec<PublicKey>,
}

impl Seat {
    fn order(&self, order: Order) {
        // A board that is just now let go hears no more orders.
        _ = self.orders.unbounded_send(order);
    }
}

/// Runs the bench for as long as the worker lives. `inputs` is the other end of `heard`.
pub(super) async fn run(inputs: UnboundedSender<Input>, mut heard: UnboundedReceiver<Input>) {
    let mut bench = Bench {
        inputs,
        seats: Vec::new(),
        last: 0,
        strangers: Vec::new(),
        devices: Vec::new(),
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
                self.seats.iter_mut().for_each(|seat| seat.tried.clear());
                self.assign(false);
            }
            Input::Ports(serial, asked) => self.hand_out(serial, asked),
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
            Command::Whole(whole) => self.want(|wanted| wanted.whole = whole),
            Command::DeleteSaved(hash) => spawn_local(async move {
                store::delete_images(hash.as_deref()).await;
                tell_kept().await;
            }),
            Command::Simulate(simulation) => self.simulate(&simulation, bytes),
            Command::Update(id) => self.order(id, Order::Update),
            Command::Cancel(id) => self.order(id, Order::Cancel),
            Command::Refresh(id) => self.order(id, Order::Refresh),
            Command::Release(id) => self.order(id, Order::Release { anyway: true }),
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
                if closed == Closed::NotOurs {
                    seat.tried.extend(port);
                }
                self.assign(false);
            }
            Report::Searching => {
                seat.searching = true;
                seat.tried.clear();
                self.assign(false);
            }
            Report::Known(keys) => self.known(id, keys),
            Report::Busy(busy) => seat.busy = busy,
            Report::WantsPatch(between) => self.find_patch(between),
            Report::Gone(why) => self.gone(id, why),
        }
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
        let serial = format!("SIM-{:04}", self.devices.len() + 1);
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
            _ = inputs.unbounded_send(Input::Ports(serial_ports().await, asked));
        });
    }

    fn hand_out(&mut self, serial: Vec<SerialPort>, asked: bool) {
        let devices = self.devices.iter().filter(|device| device.is_there());
        let ports: Vec<Port> = serial
            .into_iter()
            .map(Port::Serial)
            .chain(devices.cloned().map(Port::Simulated))
            .collect();
        self.strangers.retain(|port| !asked && ports.contains(port));
        for port in ports {
            let taken = self.seats.iter().any(|seat| seat.port.as_ref() == Some(&port));
            if taken || self.strangers.contains(&port) {
                continue;
            }
            let may_be_its = |seat: &Seat| seat.searching && !seat.tried.contains(&port);
            if let Some(seat) = self
                .seats
                .iter_mut()
                .find(|seat| may_be_its(seat) && seat.port.is_none())
            {
                seat.port = Some(port.clone());
                seat.order(Order::Try(port));
            } else if !self.seats.iter().any(may_be_its) {
                // Otherwise a board that is just now asking at another port may find that this one is its own.
                self.take(port, asked);
            }
        }
        for seat in self
            .seats
            .iter()
            .filter(|seat| seat.searching && seat.port.is_none())
        {
            seat.order(Order::NoneLeft);
        }
        if asked && self.seats.is_empty() {
            tell(&Notice::Ports(Some(PageError::NoPort.into())));
        }
    }

    /// A port that nobody waits for becomes a board of its own.
    fn take(&mut self, port: Port, asked: bool) {
        self.last += 1;
        let id = BoardId(self.last);
        let (orders, received) = unbounded();
        tell(&Notice::Appeared {
            board: id,
            via: port.via(),
        });
        let inputs = self.inputs.clone();
        // Nobody waits for a port that comes by itself while boards are there, and may go again.
        let contact = Contact {
            id,
            asked,
            quiet: !asked && self.seats.iter().any(|seat| seat.known),
            wanted: self.wanted.clone(),
        };
        let reports = move |report| _ = inputs.unbounded_send(Input::Report(id, report));
        spawn_local(board::run(contact, port.clone(), reports, received));
        let device = match &port {
            Port::Simulated(device) => Some(device.clone()),
            Port::Serial(_) => None,
        };
        self.seats.push(Seat {
            id,
            orders,
            device,
            port: Some(port),
            searching: false,
            tried: Vec::new(),
            known: false,
            busy: false,
            keys: Vec::new(),
        });
    }

    /// A board said who it is. Boards that were unplugged make room for it.
    fn known(&mut self, id: BoardId, keys: Vec<PublicKey>) {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.id == id) else {
            return;
        };
        let first = !std::mem::replace(&mut seat.known, true);
        let news = seat.keys != keys;
        seat.searching = false;
        seat.keys = keys;
        if first {
            let gone = |seat: &&Seat| seat.id != id && seat.known && seat.port.is_none() && !seat.busy;
            for seat in self.seats.iter().filter(gone) {
                seat.order(Order::Release { anyway: false });
            }
        }
        if news {
            self.examine();
        }
        // A port that was kept for this board may be somebody else's.
        self.assign(false);
    }

    fn gone(&mut self, id: BoardId, why: LetGo) {
        let Some(at) = self.seats.iter().position(|seat| seat.id == id) else {
            return;
        };
        let seat = self.seats.remove(at);
        if let Some(device) = seat.device {
            device.remove();
            self.devices.retain(|other| !Rc::ptr_eq(other, &device));
        } else if why == LetGo::Stranger {
            self.strangers.extend(seat.port);
        }
        tell(&Notice::Gone(id));
        if !seat.keys.is_empty() {
            // Its keys no longer count.
            self.examine();
        }
    }
}
