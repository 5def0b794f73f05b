//! What can be seen of a board from outside.

/// A port as the host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortIdentity {
    /// USB vendor id.
    pub vid: u16,
    /// USB product id.
    pub pid: u16,
    /// USB serial number.
    pub serial: String,
}

/// What the board is doing, for those who watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Between a reset and the first instruction.
    Starting,
    /// Deciding what to run; copies done and in all where it swaps images.
    Loading(Option<(u16, u16)>),
    /// The bootloader serves its port.
    Bootloader,
    /// The application runs.
    Application,
    /// The application hangs.
    Hung,
}
