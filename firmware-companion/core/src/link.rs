//! Bytes of the line on one side, SMP packets on the other.
//!
//! The link holds as many packets as the board has memory for, so that the next ones arrive while one is written to
//! flash. Its memory is the caller's: a small chip gives it back while a signature is checked.

use bootlace_smp::frame::{Decoder, Encoder, Framing};

use crate::wire::{Limits, Origin, Sender, Wire};

/// The most packets that a link holds.
pub const MAX_WINDOW: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Arrived {
    framing: Framing,
    len: usize,
}

/// What a link can live in.
pub trait Memory: AsRef<[u8]> + AsMut<[u8]> {}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Memory for T {}

/// A serial line's packets, in and out, in memory of the caller's: a slice on a chip, a vector elsewhere.
// In this order: see `Server`.
#[derive(Debug)]
#[repr(C)]
pub struct Link<M> {
    memory: M,
    frame: usize,
    window: usize,
    /// Index of the oldest packet, and how many there are.
    first: usize,
    count: usize,
    decoder: Decoder,
    /// Bytes have arrived since the time was looked at.
    is_heard: bool,
    /// When bytes were last seen to have arrived, in milliseconds.
    heard: u64,
    sending: Option<(Encoder, usize)>,
    arrived: [Option<Arrived>; MAX_WINDOW],
}

/// Milliseconds without a byte in the middle of a raw packet after which the rest is no longer waited for: as long as
/// MCUboot's serial recovery waits. Only silence tells where the next raw packet begins.
pub const MILLIS_OF_SILENCE_IN_RAW: u64 = 3000;

/// The same in a packet of console or COBS framing. The next one shows by its mark, so hosts may pause for seconds.
pub const MILLIS_OF_SILENCE: u64 = 10_000;

/// Bytes of a decoded frame beside the packet: console framing's length and CRC.
const OVERHEAD: usize = 4;

const fn clamp(window: usize) -> usize {
    if window == 0 {
        1
    } else if window > MAX_WINDOW {
        MAX_WINDOW
    } else {
        window
    }
}

impl<'m> Link<&'m mut [u8]> {
    /// A link in an array whose size the compiler checks, so that nothing can fail when the board starts.
    pub fn in_array<const FRAME: usize, const WINDOW: usize, const N: usize>(
        memory: &'m mut [u8; N],
    ) -> Self {
        const {
            assert!(
                N >= Self::memory(FRAME, WINDOW),
                "less memory than the link needs"
            )
        };
        Self::split(memory, FRAME, WINDOW)
    }
}

/// Bytes of the longest reply: a board with the most keys that fits into a description, long names and a rollback. A test
/// makes that description.
pub const REPLY: usize = 800;

impl<M: Memory> Link<M> {
    /// Bytes of memory that `window` packets of `frame` bytes each and the reply need.
    pub const fn memory(frame: usize, window: usize) -> usize {
        (frame + OVERHEAD) * clamp(window) + REPLY
    }

    /// Splits `memory` into `window` packets (1 to [`MAX_WINDOW`]) of `frame` bytes each and, with what is left, the
    /// reply's buffer.
    ///
    /// # Errors
    /// [`Link::memory`], where `memory` has fewer bytes. On a chip, where both are constants: [`Link::in_array`].
    pub fn new(memory: M, frame: usize, window: usize) -> Result<Self, usize> {
        let needed = Self::memory(frame, window);
        if memory.as_ref().len() < needed {
            return Err(needed);
        }
        Ok(Self::split(memory, frame, window))
    }

    fn split(memory: M, frame: usize, window: usize) -> Self {
        let window = clamp(window);
        let frame = frame + OVERHEAD;
        Link {
            memory,
            frame,
            window,
            arrived: [None; MAX_WINDOW],
            first: 0,
            count: 0,
            decoder: Decoder::new(),
            is_heard: false,
            heard: 0,
            sending: None,
        }
    }

    /// Takes bytes from the line; says how many. Fewer than offered: all packets are full, offer the rest again.
    #[inline(never)]
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        self.is_heard |= !bytes.is_empty();
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            if self.count == self.window {
                break;
            }
            let index = self.wrapped(self.first + self.count);
            let start = index * self.frame;
            let Some(buffer) = self.memory.as_mut().get_mut(start..start + self.frame) else {
                break;
            };
            let (used, complete) = self.decoder.feed(buffer, rest);
            taken += used;
            if let (Some(frame), Some(place)) = (complete, self.arrived.get_mut(index)) {
                *place = Some(Arrived {
                    framing: frame.framing,
                    len: frame.len,
                });
                self.count += 1;
            }
        }
        taken
    }

    /// Whether a packet is half received.
    pub fn is_receiving(&self) -> bool {
        self.decoder.is_inside()
    }

    /// Whether nothing is half received, waits for its answer or is being answered.
    pub fn is_idle(&self) -> bool {
        self.count == 0 && self.sending.is_none() && !self.is_receiving()
    }

    /// Forgets what is half received: the port was closed.
    pub fn idle(&mut self) {
        self.decoder.reset();
    }

    /// No further packet can arrive until one is answered.
    pub fn is_full(&self) -> bool {
        self.count == self.window
    }

    /// Forgets what is left of a reply: nobody takes it.
    pub fn forget_reply(&mut self) {
        self.sending = None;
    }

    /// Forgets what is half received and the packets behind the oldest, which may be under way: whoever sent them takes no
    /// answers.
    pub fn forget_waiting(&mut self) {
        self.count = self.count.min(1);
        self.decoder.reset();
    }

    /// Forgets everything: another program serves the line now.
    pub fn clear(&mut self) {
        (self.first, self.count, self.sending) = (0, 0, None);
        self.decoder.reset();
    }

    /// The place of a packet, where the last is followed by the first.
    fn wrapped(&self, index: usize) -> usize {
        index.checked_sub(self.window).unwrap_or(index)
    }

    /// Copies the next bytes for the line into `out`; 0 when there are none.
    pub fn transmit(&mut self, out: &mut [u8]) -> usize {
        let Some((encoder, len)) = &mut self.sending else {
            return 0;
        };
        if out.is_empty() {
            return 0;
        }
        let reply = self
            .memory
            .as_ref()
            .get(self.frame * self.window..)
            .unwrap_or_default();
        let written = encoder.read(reply.get(..*len).unwrap_or_default(), out);
        if encoder.is_done() || written == 0 {
            self.sending = None;
        }
        written
    }

    /// Gives the memory back; packets in it are forgotten.
    pub fn into_memory(self) -> M {
        self.memory
    }
}

/// The way back of a framing.
fn sender(framing: Framing) -> Sender {
    Sender {
        origin: Origin::Cable,
        path: framing as u8,
    }
}

fn framing(sender: Sender) -> Framing {
    [Framing::Console, Framing::Cobs, Framing::Raw]
        .into_iter()
        .find(|framing| *framing as u8 == sender.path)
        .unwrap_or(Framing::Console)
}

impl<M: Memory> Link<M> {
    /// The oldest packet's place in memory, and its framing.
    fn oldest(&self) -> Option<(core::ops::Range<usize>, Framing)> {
        let arrived = self.arrived.get(self.first).copied().flatten();
        let arrived = arrived.filter(|_| self.count > 0)?;
        let start = self.first * self.frame;
        Some((start..start + arrived.len, arrived.framing))
    }
}

impl<M: Memory> Wire for Link<M> {
    fn packet(&self) -> Option<(&[u8], Sender)> {
        let (place, framing) = self.oldest()?;
        Some((self.memory.as_ref().get(place)?, sender(framing)))
    }

    fn buffers(&mut self) -> (&[u8], &mut [u8]) {
        let oldest = self.oldest().map_or(0..0, |(place, _)| place);
        let (frames, reply) = self
            .memory
            .as_mut()
            .split_at_mut_checked(self.frame * self.window)
            .unwrap_or_default();
        (frames.get(oldest).unwrap_or_default(), reply)
    }

    fn send(&mut self, to: Sender, len: usize) {
        if len == 0 {
            return;
        }
        let (_, reply) = self.buffers();
        let encoder = Encoder::new(framing(to), reply.get(..len).unwrap_or_default());
        self.sending = Some((encoder, len));
    }

    fn release(&mut self) {
        if self.count > 0 {
            self.first = self.wrapped(self.first + 1);
            self.count -= 1;
        }
    }

    fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    fn limits(&self) -> Limits {
        Limits {
            frame: self.frame - OVERHEAD,
            window: self.window,
        }
    }

    fn give_up_late(&mut self, now: u64) -> Option<u64> {
        if core::mem::take(&mut self.is_heard) {
            self.heard = now;
        }
        if !self.is_receiving() {
            return None;
        }
        let patience = if self.decoder.is_in_raw() {
            MILLIS_OF_SILENCE_IN_RAW
        } else {
            MILLIS_OF_SILENCE
        };
        let end = self.heard.saturating_add(patience);
        if now < end {
            return Some(end);
        }
        self.idle();
        None
    }
}
