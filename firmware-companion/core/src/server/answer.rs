//! Answers on their way to who asked.

use bootlace_smp::{self as smp, ErrorCode, Fault, Header, Response, Text, os};

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

    /// Sends an answer. One that does not fit becomes the shortest one there is: silence would look like a lost packet.
    #[inline(never)]
    pub(super) fn answer<W: Wire>(&self, wire: &mut W, response: &Response) {
        let (_, out) = wire.buffers();
        match smp::encode_response(out, &self.header, response) {
            Ok(len) => wire.send(self.sender, len),
            Err(_) => self.refuse(wire, ErrorCode::NoMemory.into()),
        }
    }

    /// Whether this is the same request, sent again.
    pub(super) fn is_again(&self, other: &Asker) -> bool {
        let name = |asker: &Asker| {
            (
                asker.header.seq,
                asker.header.id,
                asker.header.group,
                asker.sender.path,
            )
        };
        name(self) == name(other)
    }

    /// Sends a text of the oldest packet back. The text may be as long as the reply's buffer allows: it is answered from the
    /// packet itself.
    pub(super) fn echo<W: Wire>(&self, wire: &mut W, text: Place) {
        let (packet, out) = wire.buffers();
        let echo = Response::Os(os::Response::Echo(Text(text.of_packet(packet))));
        let written = smp::encode_response(out, &self.header, &echo)
            .or_else(|_| smp::encode_error(out, &self.header, ErrorCode::TooLarge, None));
        wire.send(self.sender, written.unwrap_or(0));
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
