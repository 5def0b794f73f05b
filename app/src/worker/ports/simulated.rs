//! The simulated board as another kind of port: the companion's own core, with a pump instead of a cable.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bootlace_engine::{Instant, PortInfo};
use bootlace_simulator as simulator;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::{FutureExt, StreamExt, select};
use wasm_bindgen_futures::spawn_local;

use super::arrival::{Arrival, Arrivals, OpenError};
use crate::messages::{Behaviour, Simulation};
use crate::worker::scope::{now, sleep_until};

/// A simulated board.
pub(crate) struct Device {
    board: RefCell<simulator::SimulatedBoard>,
    line: RefCell<Option<Arrivals>>,
    /// Bytes that the board had no room for yet.
    waiting: RefCell<Vec<u8>>,
    wake: UnboundedSender<()>,
    gone: Cell<bool>,
}

impl Device {
    /// Plugs a board in that runs the image `installed`, or none; `changed` is called when its port comes or goes.
    pub(crate) fn plug(
        simulation: &Simulation,
        installed: &[u8],
        serial: String,
        changed: impl Fn() + 'static,
    ) -> Option<Rc<Self>> {
        let config = simulator::Config {
            name: simulation.name.clone(),
            serial,
            keys: simulation.keys.clone(),
            behaviour: behaviour(simulation.behaviour),
            supply: (simulation.behaviour == Behaviour::LowBattery).then_some(LOW),
            ..simulator::Config::default()
        };
        let board = board(simulation.behaviour, installed, config)?;
        let (wake, woken) = unbounded();
        let device = Rc::new(Device {
            board: RefCell::new(board),
            line: RefCell::new(None),
            waiting: RefCell::new(Vec::new()),
            wake,
            gone: Cell::new(false),
        });
        spawn_local(pump(device.clone(), woken, changed));
        Some(device)
    }

    /// Unplugs it for good.
    pub(crate) fn remove(&self) {
        self.gone.set(true);
        _ = self.wake.unbounded_send(());
    }

    /// Power goes and comes back while its button is held: it stays in its bootloader, this once.
    pub(crate) fn restart_with_button(&self) {
        let mut board = self.board.borrow_mut();
        board.hold_button(true);
        board.power_cycle(now().0);
        drop(board);
        _ = self.wake.unbounded_send(());
    }

    /// Its port is there.
    pub(crate) fn is_there(&self) -> bool {
        !self.gone.get() && self.board.borrow().port().is_some()
    }

    /// Opens its port.
    pub(super) fn open(self: &Rc<Self>, arrivals: Arrivals) -> Result<Link, OpenError> {
        if !self.is_there() {
            return Err(OpenError::Gone);
        }
        if self.line.borrow().is_some() {
            return Err(OpenError::Busy);
        }
        *self.line.borrow_mut() = Some(arrivals);
        Ok(Link(self.clone()))
    }

    fn lose(&self) {
        self.waiting.borrow_mut().clear();
        if let Some(line) = self.line.borrow_mut().take() {
            _ = line.unbounded_send(Arrival::Lost);
        }
    }

    /// Moves time and bytes on; when to come back at the latest.
    fn turn(&self) -> Option<Instant> {
        let time = now().0;
        let mut board = self.board.borrow_mut();
        board.advance(time);
        {
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.is_empty() {
                let taken = board.receive(time, &waiting);
                let taken = taken.min(waiting.len());
                waiting.drain(..taken);
            }
        }
        let mut out = Vec::new();
        board.transmit(time, &mut out);
        if let Some(line) = self.line.borrow().as_ref().filter(|_| !out.is_empty()) {
            _ = line.unbounded_send(Arrival::Bytes(out));
        }
        board.next_deadline().map(Instant)
    }
}

/// A nearly empty cell, and what writing flash takes.
const LOW: simulator::Supply = simulator::Supply {
    level: 2_900,
    limit: 3_300,
    percent: false,
};

/// The board with its image; where that is to be damaged, the same image is its golden one.
fn board(
    behaviour: Behaviour,
    installed: &[u8],
    config: simulator::Config,
) -> Option<simulator::SimulatedBoard> {
    let installed = (!installed.is_empty()).then_some(installed);
    if behaviour != Behaviour::Damaged {
        return simulator::SimulatedBoard::new(config, installed).ok();
    }
    let config = config.with_golden();
    let mut flash = simulator::NorFlash::new(config.address, config.map, config.write, config.timing);
    if let Some(image) = installed {
        flash.flash_area(simulator::Area::Golden, image);
        flash.flash_primary(image);
    }
    let mut board = simulator::SimulatedBoard::with_flash(config, flash).ok()?;
    board.damage();
    Some(board)
}

async fn pump(device: Rc<Device>, mut woken: UnboundedReceiver<()>, changed: impl Fn()) {
    let (mut there, mut resets) = (false, device.board.borrow().resets());
    while !device.gone.get() {
        let deadline = device.turn();
        let restarted = resets != device.board.borrow().resets();
        resets = device.board.borrow().resets();
        if there && (restarted || !device.is_there()) {
            there = false;
            device.lose();
            changed();
        }
        if !there && device.is_there() {
            there = true;
            device.board.borrow_mut().hold_button(false);
            changed();
        }
        // A board that waits for bytes only is looked at now and then all the same.
        let deadline = deadline.unwrap_or(Instant(now().0 + 1_000_000));
        select! {
            _ = woken.next() => {}
            () = sleep_until(deadline).boxed_local().fuse() => {}
        }
    }
    device.lose();
    changed();
}

fn behaviour(behaviour: Behaviour) -> simulator::Behaviour {
    match behaviour {
        Behaviour::Works | Behaviour::LowBattery | Behaviour::Damaged => simulator::Behaviour::Normal,
        Behaviour::NeverConfirms => simulator::Behaviour::NeverConfirm,
        Behaviour::Crashes => simulator::Behaviour::Crash,
        Behaviour::Hangs => simulator::Behaviour::Hang,
        Behaviour::NoPort => simulator::Behaviour::Silent,
    }
}

/// Its open port; closed when dropped.
pub(crate) struct Link(Rc<Device>);

impl Link {
    /// What the session is told about it.
    pub(super) fn info(&self) -> PortInfo {
        let port = self.0.board.borrow().port();
        PortInfo {
            vid: port.as_ref().map(|port| port.vid),
            pid: port.map(|port| port.pid),
            baud: None,
        }
    }

    /// Sends bytes.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        self.0.waiting.borrow_mut().extend_from_slice(&bytes);
        _ = self.0.wake.unbounded_send(());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.0.waiting.borrow_mut().clear();
        self.0.line.borrow_mut().take();
    }
}
