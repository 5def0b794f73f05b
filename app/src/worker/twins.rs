//! Boards that have two ports, a serial one and a vendor interface: only the board can say that both are its own, so each is
//! asked once, the better one first, and the other one is left alone while the board has a seat.

use super::ports::Port;
use super::seat::{Greeting, Seat};

/// The other ports of boards that have a seat.
#[derive(Default)]
pub(super) struct Twins(Vec<Port>);

impl Twins {
    /// The board at this port has a seat already.
    pub(super) fn add(&mut self, port: Port) {
        self.0.push(port);
    }

    /// Those that are still plugged in.
    pub(super) fn keep(&mut self, ports: &[Port]) {
        self.0.retain(|port| ports.contains(port));
    }

    /// A board has lost its port: who is at the others is asked again.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Those that may be of the board that had this port.
    pub(super) fn take(&mut self, left: &Port) -> Vec<Port> {
        self.0.extract_if(.., |twin| twin.may_be_twin_of(left)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Port> {
        self.0.iter()
    }
}

/// Whether a port may be the other one of a board that is being asked or updated: it is asked afterwards.
pub(super) fn may_disturb(port: &Port, greetings: &[Greeting], seats: &[Seat]) -> bool {
    let asked = greetings.iter().map(|greeting| &greeting.port);
    let busy = seats.iter().filter(|seat| seat.busy);
    let mut taken = asked.chain(busy.filter_map(|seat| seat.port.as_ref()));
    taken.any(|other| port.may_be_twin_of(other))
}

/// Whether a port may be the other one of a board that has a seat.
pub(super) fn may_be_seated(port: &Port, seat: &Seat) -> bool {
    seat.port.as_ref().is_some_and(|other| port.may_be_twin_of(other))
}

/// Whether the board at a port, of this serial number, has a seat by its other port.
pub(super) fn is_seated(port: &Port, serial: Option<&str>, seats: &[Seat]) -> bool {
    let is_its = |seat: &Seat| seat.serial.as_deref() == serial && may_be_seated(port, seat);
    seats.iter().any(is_its)
}
