//! A model of an STM32's loader ([`bootlace_roms::dfuse`]) as a device on the bus, in real time.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bootlace_roms::dfuse::{Refused, Rom};

use super::transfers::{End, Heard, Plugged, Transfer, Wire};

/// The chip.
#[derive(Clone, Debug)]
pub struct DfuChip(Arc<Chip>);

#[derive(Debug)]
struct Chip {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    rom: Rom,
    /// Times that it was plugged in, and whether it is now.
    arrivals: u32,
    is_plugged: bool,
    /// Transfers since it was plugged in, and the one that something happens to.
    transfers: usize,
    fault: Option<(usize, Fault)>,
    seen: Instant,
}

/// What happens to a transfer of a class request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The cable is pulled.
    Unplugged,
    /// The device stalls.
    Stalled,
    /// These bytes come in place of the answer.
    Answers(Vec<u8>),
}

impl DfuChip {
    /// A chip in its loader, plugged in.
    pub fn new(rom: Rom) -> Self {
        let state = State {
            rom,
            arrivals: 1,
            is_plugged: true,
            transfers: 0,
            fault: None,
            seen: Instant::now(),
        };
        DfuChip(Arc::new(Chip {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the loader, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut Rom) -> T) -> T {
        look(&mut self.state().rom)
    }

    /// Pulls its cable.
    pub(super) fn unplug(&self) {
        self.state().is_plugged = false;
        self.0.changed.notify_all();
    }

    /// Plugs it in anew, in its loader.
    pub(super) fn plug(&self) {
        let mut state = self.state();
        state.rom.reset();
        state.arrivals += 1;
        (state.is_plugged, state.transfers) = (true, 0);
        self.0.changed.notify_all();
    }

    /// From now on this happens to the n-th transfer of a class request after it is plugged in, and only to that one.
    pub fn fault_at(&self, transfer: usize, fault: Fault) {
        self.state().fault = Some((transfer, fault));
    }

    /// Transfers of class requests since it was plugged in.
    pub fn transfers(&self) -> usize {
        self.state().transfers
    }

    fn control(&self, setup: [u8; 8], data: &[u8]) -> (End, Vec<u8>) {
        let mut state = self.state();
        if !state.is_plugged {
            return (End::Gone, Vec::new());
        }
        let passed = state.seen.elapsed();
        state.seen = Instant::now();
        state.rom.pass(passed);
        if setup[0] & 0x60 == 0x20 {
            state.transfers += 1;
        }
        let transfers = state.transfers;
        match state.fault.take_if(|(at, _)| *at == transfers) {
            Some((_, Fault::Unplugged)) => {
                state.is_plugged = false;
                self.0.changed.notify_all();
                return (End::Gone, Vec::new());
            }
            Some((_, Fault::Stalled)) => return (End::Stall, Vec::new()),
            Some((_, Fault::Answers(bytes))) => {
                state.rom.control(setup, data).ok();
                return (End::Done, bytes);
            }
            None => {}
        }
        let done = state.rom.control(setup, data);
        if state.rom.has_left() {
            self.leave_soon(state.arrivals);
        }
        match done {
            Ok(bytes) => (End::Done, bytes),
            Err(Refused::Stall) => (End::Stall, Vec::new()),
            Err(Refused::Gone) => (End::Gone, Vec::new()),
        }
    }

    /// The device is gone a while after its last answer, which the host hears first.
    fn leave_soon(&self, arrival: u32) {
        const AFTER: Duration = Duration::from_millis(50);
        let chip = self.clone();
        std::thread::spawn(move || {
            std::thread::sleep(AFTER);
            let mut state = chip.state();
            if state.arrivals == arrival {
                state.is_plugged = false;
                chip.0.changed.notify_all();
            }
        });
    }

    fn wait(&self, limit: Duration, until: impl Fn(&State) -> bool) -> bool {
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), limit, |state| !until(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        until(&state)
    }
}

impl Plugged for DfuChip {
    fn next(&self, served: u32, limit: Duration) -> Option<u32> {
        let is_there = self.wait(limit, |state| state.is_plugged && state.arrivals > served);
        is_there.then(|| self.state().arrivals)
    }

    fn is_over(&self, arrival: u32, limit: Duration) -> bool {
        self.wait(limit, |state| !state.is_plugged || state.arrivals != arrival)
    }

    fn wire(&self, mut heard: Heard) -> Result<Box<dyn Wire>> {
        ensure!(self.state().is_plugged, "the chip is not plugged in");
        let (sender, transfers) = channel::<(u64, Transfer)>();
        let chip = self.clone();
        // Ends are told from a thread of their own, as a bus does: who begins a transfer holds what the end is written to.
        std::thread::spawn(move || {
            for (id, transfer) in transfers {
                let (end, data) = match transfer {
                    Transfer::Control(setup, data) => chip.control(setup, &data),
                    Transfer::Setting {
                        interface, alternate, ..
                    } => chip.control([1, 11, alternate, 0, interface, 0, 0, 0], &[]),
                    // It has no endpoints.
                    Transfer::In(..) | Transfer::Out(..) | Transfer::ClearHalt(_) => {
                        (End::Silence, Vec::new())
                    }
                };
                heard(id, end, data);
            }
        });
        Ok(Box::new(Model(sender)))
    }
}

/// The way to the model.
#[derive(Debug)]
struct Model(Sender<(u64, Transfer)>);

impl Wire for Model {
    fn begin(&mut self, id: u64, transfer: &Transfer) {
        self.0.send((id, transfer.clone())).ok();
    }

    fn cancel(&mut self, _: u64) {
        // Each ends at once.
    }
}
