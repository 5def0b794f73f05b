//! The bench: which boards there are, who may use which port, the image and the keys.
//!
//! Ports are handed out here and nowhere else. A board that waits for its port to come back is asked first, whatever
//! the port looks like: only the board can say who it is. A port that nobody waits for becomes a board of its own.

use std::cell::RefCell;
use std::rc::Rc;

use bootlace_engine::{Base, Options, words as say};
use bootlace_image::PublicKey;
use futures_channel::mpsc::{UnboundedSender, unbounded};
use wasm_bindgen_futures::spawn_local;

use super::cards::{self, Trust};
use super::link::Port;
use super::patches::{Patch, Patches};
use super::station::{self, Order};
use super::{serial, simulated, store, tell};
use crate::messages::{Bench, BoardId, Command, KeptImage, Notice};
use crate::words::PageError;

/// Everything that boards share.
#[derive(Clone)]
pub(super) struct Hub(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    boards: Vec<Board>,
    last: u32,
    /// Ports where nobody answers that is a board: not tried again by themselves while they are plugged in.
    strangers: Vec<Port>,
    devices: Vec<Rc<simulated::Device>>,
    image: Option<Rc<File>>,
    trust: Trust,
    patches: Patches,
    /// Whole images are wanted.
    whole: bool,
}

/// The chosen file.
pub(super) struct File {
    name: String,
    /// All of it.
    pub(super) bytes: Vec<u8>,
}

/// What the hub knows of a board.
struct Board {
    id: BoardId,
    orders: UnboundedSender<Order>,
    /// The port that it has, or is opening.
    port: Option<Port>,
    /// The simulated board that it is.
    device: Option<Rc<simulated::Device>>,
    /// It waits for its port.
    searching: bool,
    /// Ports that are not its own.
    tried: Vec<Port>,
    /// It said who it is.
    known: bool,
    /// An update runs.
    busy: bool,
    keys: Vec<PublicKey>,
}

impl Hub {
    pub(super) fn new() -> Self {
        spawn_local(tell_kept());
        Hub(Rc::default())
    }

    /// Does what the view wants.
    pub(super) fn command(&self, command: Command) {
        match command {
            Command::Examine { name, bytes } => {
                let file = Rc::new(File { name, bytes });
                self.0.borrow_mut().image = Some(file.clone());
                self.examine();
                self.keep(file);
            }
            Command::Forget => {
                self.0.borrow_mut().image = None;
                self.plan_all();
            }
            Command::Trust { keys, development } => {
                let (trust, cards) = Trust::new(&keys, development);
                self.0.borrow_mut().trust = trust;
                tell(&Notice::Keys(cards));
                self.examine();
            }
            Command::Ports { asked } => self.assign(asked),
            Command::Whole(whole) => {
                self.0.borrow_mut().whole = whole;
                self.order_all(|| Order::Patches);
            }
            Command::Drop(hash) => spawn_local(async move {
                store::forget(hash.as_deref()).await;
                tell_kept().await;
            }),
            Command::Simulate(bench) => self.simulate(bench),
            Command::Update(id) => self.order(id, Order::Update),
            Command::Cancel(id) => self.order(id, Order::Cancel),
            Command::Refresh(id) => self.order(id, Order::Refresh),
            Command::Release(id) => self.order(id, Order::Release),
            Command::Button(id) => self.with(id, |board| {
                if let Some(device) = &board.device {
                    device.restart_with_button();
                }
            }),
        }
    }

    /// A port came or went.
    pub(super) fn ports_changed(&self) {
        for board in &mut self.0.borrow_mut().boards {
            board.tried.clear();
        }
        self.assign(false);
    }

    fn order(&self, id: BoardId, order: Order) {
        if let Some(board) = self.0.borrow().boards.iter().find(|board| board.id == id) {
            _ = board.orders.unbounded_send(order);
        }
    }

    fn plan_all(&self) {
        self.order_all(|| Order::Plan);
    }

    fn order_all(&self, order: impl Fn() -> Order) {
        for board in &self.0.borrow().boards {
            _ = board.orders.unbounded_send(order());
        }
    }

    /// Says again what the image is: with other keys another verdict.
    fn examine(&self) {
        let inner = self.0.borrow();
        if let Some(file) = &inner.image {
            let boards: Vec<&[PublicKey]> = inner
                .boards
                .iter()
                .map(|board| board.keys.as_slice())
                .filter(|keys| !keys.is_empty())
                .collect();
            tell(&Notice::Image(cards::image(
                &file.name,
                &file.bytes,
                &inner.trust,
                &boards,
            )));
        }
        drop(inner);
        self.plan_all();
    }

    /// Keeps a file for later, if it is an image: boards that run it are updated by a patch.
    fn keep(&self, file: Rc<File>) {
        let hub = self.clone();
        spawn_local(async move {
            let Some(base) = Base::of(&file.bytes) else { return };
            let image = KeptImage {
                hash: say::hex(&base.hash),
                size: u32::try_from(base.whole.len()).unwrap_or(u32::MAX),
                version: cards::image_version(base.whole),
                file: file.name.clone(),
            };
            store::keep(&image, base.whole).await;
            tell_kept().await;
            hub.patched(Patches::look_again);
        });
    }

    /// How it is with the patch from what a board runs to the chosen image; none where whole images are wanted.
    pub(super) fn patch(&self, from: &[u8], to: &[u8]) -> Option<Patch> {
        let mut inner = self.0.borrow_mut();
        let file = inner.image.clone().filter(|_| !inner.whole)?;
        Some(inner.patches.find(self, (from.to_vec(), to.to_vec()), &file))
    }

    /// A patch moved on; the boards hear of it if that is news.
    pub(super) fn patched(&self, change: impl FnOnce(&mut Patches) -> bool) {
        if change(&mut self.0.borrow_mut().patches) {
            self.order_all(|| Order::Patches);
        }
    }

    fn simulate(&self, bench: Bench) {
        // It would not run an image that nobody ever had.
        self.keep(Rc::new(File {
            name: bench.name.clone(),
            bytes: bench.installed.clone(),
        }));
        let serial = format!("SIM-{:04}", self.0.borrow().devices.len() + 1);
        let hub = self.clone();
        let device = simulated::Device::plug(&bench, serial, move || hub.ports_changed());
        match device {
            Some(device) => self.0.borrow_mut().devices.push(device),
            None => tell(&Notice::Ports(Some(PageError::EngineStopped.into()))),
        }
    }

    /// The image, if there is one.
    pub(super) fn image(&self) -> Option<Rc<File>> {
        self.0.borrow().image.clone()
    }

    /// How a board with these keys is to be updated.
    pub(super) fn options(&self, board: &[PublicKey]) -> Options {
        self.0.borrow().trust.options(board)
    }

    /// Hands out ports.
    pub(super) fn assign(&self, asked: bool) {
        let hub = self.clone();
        spawn_local(async move {
            let serial = serial::ports().await;
            hub.hand_out(serial, asked);
        });
    }

    fn hand_out(&self, serial: Vec<serial::Port>, asked: bool) {
        let mut inner = self.0.borrow_mut();
        let inner = &mut *inner;
        let devices = inner.devices.iter().filter(|device| device.is_there());
        let ports: Vec<Port> = serial
            .into_iter()
            .map(Port::Serial)
            .chain(devices.cloned().map(Port::Simulated))
            .collect();
        inner.strangers.retain(|port| !asked && ports.contains(port));
        for port in ports {
            if inner
                .boards
                .iter()
                .any(|board| board.port.as_ref() == Some(&port))
                || inner.strangers.contains(&port)
            {
                continue;
            }
            let waits =
                |board: &&mut Board| board.searching && board.port.is_none() && !board.tried.contains(&port);
            if let Some(board) = inner.boards.iter_mut().find(waits) {
                board.port = Some(port.clone());
                _ = board.orders.unbounded_send(Order::Try(port));
                continue;
            }
            // A board that is just now asking at another port may find that this one is its own.
            if inner
                .boards
                .iter()
                .any(|board| board.searching && board.port.is_some() && !board.tried.contains(&port))
            {
                continue;
            }
            inner.last += 1;
            let id = BoardId(inner.last);
            let (orders, received) = unbounded();
            tell(&Notice::Appeared {
                board: id,
                via: port.via(),
            });
            spawn_local(station::run(self.clone(), id, port.clone(), asked, received));
            let device = match &port {
                Port::Simulated(device) => Some(device.clone()),
                Port::Serial(_) => None,
            };
            inner.boards.push(Board {
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
        for board in inner
            .boards
            .iter()
            .filter(|board| board.searching && board.port.is_none())
        {
            _ = board.orders.unbounded_send(Order::NoneLeft);
        }
        if asked && inner.boards.is_empty() {
            tell(&Notice::Ports(Some(PageError::NoPort.into())));
        }
    }

    fn with(&self, id: BoardId, change: impl FnOnce(&mut Board)) {
        if let Some(board) = self.0.borrow_mut().boards.iter_mut().find(|board| board.id == id) {
            change(board);
        }
    }

    /// The board's port was closed. Wrong: it was another board's, which may now have it.
    pub(super) fn closed(&self, id: BoardId, wrong: bool) {
        self.with(id, |board| {
            let port = board.port.take();
            if wrong {
                board.tried.extend(port);
            }
        });
        self.assign(false);
    }

    /// The board waits for its port.
    pub(super) fn search(&self, id: BoardId) {
        self.with(id, |board| {
            board.searching = true;
            board.tried.clear();
        });
        self.assign(false);
    }

    /// The board said who it is. Boards that were unplugged make room for it.
    pub(super) fn known(&self, id: BoardId, keys: &[PublicKey]) {
        let mut news = false;
        let mut first = false;
        self.with(id, |board| {
            board.searching = false;
            first = !board.known;
            board.known = true;
            news = board.keys != keys;
            board.keys = keys.to_vec();
        });
        if first {
            for board in &self.0.borrow().boards {
                if board.id != id && board.known && board.port.is_none() && !board.busy {
                    _ = board.orders.unbounded_send(Order::Release);
                }
            }
        }
        if news {
            self.examine();
        }
        // A port that was kept for this board may be somebody else's.
        self.assign(false);
    }

    /// An update of the board begins or ends.
    pub(super) fn busy(&self, id: BoardId, busy: bool) {
        self.with(id, |board| board.busy = busy);
    }

    /// The board is let go. A stranger's port is left alone until somebody asks for it or plugs it in again.
    pub(super) fn gone(&self, id: BoardId, stranger: bool) {
        let mut inner = self.0.borrow_mut();
        let Some(at) = inner.boards.iter().position(|board| board.id == id) else {
            return;
        };
        let board = inner.boards.remove(at);
        if let Some(device) = board.device {
            device.remove();
            inner.devices.retain(|other| !Rc::ptr_eq(other, &device));
        } else if stranger {
            inner.strangers.extend(board.port);
        }
        drop(inner);
        tell(&Notice::Gone(id));
    }
}

async fn tell_kept() {
    tell(&Notice::Kept(store::list().await));
}
