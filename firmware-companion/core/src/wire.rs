//! A wire: whatever brings SMP packets and takes replies away.

/// From where a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A cable on the board: whoever asks is beside it.
    Cable,
    /// A network: whoever asks may be anywhere.
    Network,
}

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// From where.
    pub origin: Origin,
    /// The way back for the reply, as the wire numbers its own: a framing of a serial line, a peer of a network.
    pub path: u8,
}

/// What a wire has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest packet that can arrive, with its header.
    pub frame: usize,
    /// Packets that it holds at once.
    pub window: usize,
}

/// Brings whole packets, the oldest first, and has a buffer for one reply. No call waits.
pub trait Wire {
    /// The oldest packet that has not been released, and who sent it.
    fn packet(&self) -> Option<(&[u8], Sender)>;

    /// The same packet, empty if there is none, and the buffer for a reply.
    fn buffers(&mut self) -> (&[u8], &mut [u8]);

    /// Begins to send the first `len` bytes of the reply's buffer; no bytes, no reply.
    fn send(&mut self, to: Sender, len: usize);

    /// Forgets the oldest packet.
    fn release(&mut self);

    /// Whether a reply is on its way out: its buffer is not to be touched.
    fn is_sending(&self) -> bool;

    /// What the wire has room for.
    fn limits(&self) -> Limits;

    /// Gives up half a packet whose rest has not come for long; returns when that will be, where one is half received. `now`
    /// is in milliseconds and never runs backwards.
    fn give_up_late(&mut self, now: u64) -> Option<u64>;
}
