//! Packets from the host that come while flash is busy: the controller has room for one, and what else takes them lies in flash.
//! So the loop that waits for flash, in RAM, moves them here, where the line finds them afterwards.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::buffers::{AVAILABLE, BUFFER_STATUS, LENGTH, PACKET, next_packet};
use crate::registers::{read, write};

/// Packets that are kept, beside the one in the controller: together what a page of an upload comes in.
const PACKETS: usize = 4;
const WORDS: usize = PACKET / 4;

/// One packet.
struct Packet {
    len: AtomicU32,
    words: [AtomicU32; WORDS],
}

/// The packets, all of one endpoint: the one that the line listens to.
struct Queue {
    /// Where the endpoint's buffer control and its buffer lie, and its bit in the buffers' status. No endpoint: 0.
    control: AtomicU32,
    buffer: AtomicU32,
    bit: AtomicU32,
    /// Packets that were put in and taken out since the start.
    put: AtomicU32,
    taken: AtomicU32,
    packets: [Packet; PACKETS],
}

/// In atomics, which take no more than plain words here: whatever is in there is used by one at a time.
static QUEUE: Queue = Queue {
    control: AtomicU32::new(0),
    buffer: AtomicU32::new(0),
    bit: AtomicU32::new(0),
    put: AtomicU32::new(0),
    taken: AtomicU32::new(0),
    packets: [const {
        Packet {
            len: AtomicU32::new(0),
            words: [const { AtomicU32::new(0) }; WORDS],
        }
    }; PACKETS],
};

impl Queue {
    #[inline(always)]
    fn packet(&self, number: u32) -> Option<&Packet> {
        self.packets.get(number as usize % PACKETS)
    }
}

/// Moves a packet here, if one has come and there is room. Reads nothing from flash.
#[inline(always)]
pub(crate) fn fill() {
    let (put, taken) = (QUEUE.put.load(Relaxed), QUEUE.taken.load(Relaxed));
    let bit = QUEUE.bit.load(Relaxed);
    if put.wrapping_sub(taken) as usize >= PACKETS || bit == 0 || read(BUFFER_STATUS) & bit == 0 {
        return;
    }
    let control = QUEUE.control.load(Relaxed) as usize;
    let last = read(control);
    if let Some(packet) = QUEUE.packet(put) {
        packet.len.store(last & LENGTH, Relaxed);
        let mut from = QUEUE.buffer.load(Relaxed) as usize;
        for word in &packet.words {
            word.store(read(from), Relaxed);
            from += 4;
        }
    }
    QUEUE.put.store(put.wrapping_add(1), Relaxed);
    write(BUFFER_STATUS, bit);
    // As `hand_over`, whose delay lies in flash.
    let next = next_packet(last) | PACKET as u32;
    write(control, next);
    const READS: u32 = 6;
    for _ in 0..READS {
        read(control);
    }
    write(control, next | AVAILABLE);
}

/// The line listens to this endpoint.
pub(crate) fn listen(control: usize, buffer: usize, bit: u32) {
    if pending() == 0 {
        QUEUE.control.store(control as u32, Relaxed);
        QUEUE.buffer.store(buffer as u32, Relaxed);
        QUEUE.bit.store(bit, Relaxed);
    }
}

/// The bit of the endpoint of which packets are here; 0 where there are none.
pub(crate) fn pending() -> u32 {
    if QUEUE.put.load(Relaxed) == QUEUE.taken.load(Relaxed) {
        0
    } else {
        QUEUE.bit.load(Relaxed)
    }
}

/// Takes the oldest packet: hands its words on and gives its bytes' number.
pub(crate) fn take(mut word: impl FnMut(usize, u32)) -> usize {
    let taken = QUEUE.taken.load(Relaxed);
    QUEUE.taken.store(taken.wrapping_add(1), Relaxed);
    let Some(packet) = QUEUE.packet(taken) else {
        return 0;
    };
    for (index, value) in packet.words.iter().enumerate() {
        word(index, value.load(Relaxed));
    }
    packet.len.load(Relaxed) as usize
}

/// Forgets all of it: the bus was reset.
pub(crate) fn forget() {
    QUEUE.taken.store(QUEUE.put.load(Relaxed), Relaxed);
    QUEUE.bit.store(0, Relaxed);
}
