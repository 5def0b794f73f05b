//! What the bench knows of boards and of ports where it is being asked who is there.

use std::rc::Rc;

use bootlace_image::PublicKey;
use futures_channel::mpsc::UnboundedSender;
use futures_channel::oneshot;

use super::orders::Order;
use super::ports::{Device, Port};
use crate::messages::BoardId;

/// A port where it is being asked who is there.
pub(super) struct Greeting {
    /// The number of the board that it becomes, if nobody waits for it.
    pub(super) id: BoardId,
    /// Where.
    pub(super) port: Port,
    /// The view shows it.
    pub(super) shown: bool,
    /// A person waits for it.
    pub(super) asked: bool,
    /// Nobody waits for it: what is wrong with the port goes to the log only.
    pub(super) quiet: bool,
    /// Dropped to stop it.
    pub(super) _stop: oneshot::Sender<()>,
}

/// What the bench knows of a board.
pub(super) struct Seat {
    /// Its number.
    pub(super) id: BoardId,
    /// The way to its task.
    pub(super) orders: UnboundedSender<Order>,
    /// The port that it has.
    pub(super) port: Option<Port>,
    /// The simulated board that it is.
    pub(super) device: Option<Rc<Device>>,
    /// Its session waits for the board.
    pub(super) waits: bool,
    /// An update runs.
    pub(super) busy: bool,
    /// Its serial number, where it has one.
    pub(super) serial: Option<String>,
    /// The keys that it accepts, as it says.
    pub(super) keys: Vec<PublicKey>,
}

impl Seat {
    /// Tells it something.
    pub(super) fn order(&self, order: Order) {
        // A board that is just now let go hears no more orders.
        _ = self.orders.unbounded_send(order);
    }

    /// It was unplugged, and nothing is being done with it.
    pub(super) fn is_idle_and_away(&self) -> bool {
        self.port.is_none() && !self.busy && !self.waits
    }
}
