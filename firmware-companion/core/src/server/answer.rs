//! Answers on their way to who asked.

use bootlace_smp::{self as smp, Encoder, ErrorCode, Fault, Header, Text, os};

use super::request::Place;
use crate::wire::{Origin, Sender, Wire};

/// To whom an answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) header: Header,
    pub(super) sender: Sender,
}

impl Asker {
    pub(super) const NOBODY: Self = Asker {
        header: Header {
            version: smp::Version::V1,
            op: smp::Op::Read,
            flags: 0,
            len: 0,
            group: 0,
            seq: 0,
            id: 0,
        },
        sender: Sender {
            origin: Origin::Cable,
            path: 0,
        },
    };

    /// Sends the answer that `encode` writes. One that does not fit becomes the shortest one there is: silence would look like a
    /// lost packet.
    // Each answer is written at its place, and no value of all answers is built for it.
    #[inline(always)]
    pub(super) fn answer<W: Wire>(&self, wire: &mut W, encode: impl FnOnce(&mut Encoder)) {
        let mut message = begin(wire);
        encode(&mut message);
        let message = message.written();
        self.send(wire, message);
    }

    /// Sends the message that lies in the reply's buffer.
    #[inline(never)]
    fn send<W: Wire>(&self, wire: &mut W, message: Option<usize>) {
        self.send_or(wire, message, ErrorCode::NoMemory);
    }

    /// Sends the message that lies in the reply's buffer, or this refusal where the message did not fit.
    fn send_or<W: Wire>(&self, wire: &mut W, message: Option<usize>, otherwise: ErrorCode) {
        let (_, out) = wire.buffers();
        match smp::end_message(out, self.header.response(0), message) {
            Ok(len) => wire.send(self.sender, len),
            Err(_) => self.refuse(wire, otherwise.into()),
        }
    }

    /// Whether this is the same request, sent again.
    pub(super) fn is_again(&self, other: &Asker) -> bool {
        let (header, before) = (&self.header, &other.header);
        header.seq == before.seq
            && header.id == before.id
            && header.group == before.group
            && self.sender.path == other.sender.path
    }

    /// Sends a text of the oldest packet back. The text may be as long as the reply's buffer allows: it is answered from the
    /// packet itself.
    pub(super) fn echo<W: Wire>(&self, wire: &mut W, text: Place) {
        let (packet, out) = wire.buffers();
        let mut message = smp::begin_message(out);
        os::Response::Echo(Text(text.of_packet(packet))).encode(&mut message);
        let message = message.written();
        self.send_or(wire, message, ErrorCode::TooLarge);
    }

    /// Sends a refusal.
    #[inline(never)]
    pub(super) fn refuse<W: Wire>(&self, wire: &mut W, fault: Fault) {
        self.refuse_because(wire, fault, None);
    }

    /// Sends a refusal, and its reason in words for whoever reads a stock client's log.
    #[inline(never)]
    pub(super) fn refuse_because<W: Wire>(&self, wire: &mut W, fault: Fault, reason: Option<&str>) {
        let (_, out) = wire.buffers();
        let len = smp::encode_error(out, &self.header, fault, reason);
        wire.send(self.sender, len.unwrap_or(0));
    }
}

/// Begins an answer in the reply's buffer.
#[inline(never)]
fn begin<W: Wire>(wire: &mut W) -> Encoder<'_> {
    let (_, out) = wire.buffers();
    smp::begin_message(out)
}
