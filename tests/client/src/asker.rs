//! Requests become bytes, and bytes become the packet that answers.

use bootlace_smp::frame::{self, Decoder, Framing};
use bootlace_smp::{self as smp, Header, Request};

use crate::error::ClientError;

/// The longest packet that a test sends or takes, in bytes.
const MOST_BYTES: usize = 4096;

/// The host's side of the conversation: numbering, framing, and how much goes into a packet.
#[derive(Debug)]
pub struct Asker {
    /// How packets are put on the line.
    pub framing: Framing,
    /// Bytes of a file in one packet.
    pub piece: usize,
    decoder: Decoder,
    buffer: Vec<u8>,
    sequence: u8,
}

impl Asker {
    /// Asks in this framing, with pieces of this many bytes.
    pub fn new(framing: Framing, piece: usize) -> Self {
        Asker {
            framing,
            piece,
            decoder: Decoder::new(),
            buffer: vec![0; MOST_BYTES],
            sequence: 0,
        }
    }

    /// Bytes of a file in a packet: the first one carries length and digest as well.
    pub(crate) fn piece(&self, first: bool) -> usize {
        if first { self.piece.min(512) } else { self.piece }
    }

    /// The next request as it goes over the line.
    ///
    /// # Errors
    /// [`ClientError::TooLong`].
    pub fn request(&mut self, request: &Request<'_>) -> Result<Vec<u8>, ClientError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = [0; MOST_BYTES];
        let len = smp::encode_request(&mut packet, smp::Version::V2, self.sequence, request);
        let len = len.map_err(|_| ClientError::TooLong)?;
        let mut wire = Vec::new();
        frame::encode(self.framing, packet.get(..len).unwrap_or_default(), |bytes| {
            wire.extend_from_slice(bytes);
        });
        Ok(wire)
    }

    /// Takes bytes from the line; gives the packet that answers the last request once it is whole. What follows it is dropped.
    ///
    /// # Errors
    /// [`ClientError::Unexpected`] where the board answers in another framing.
    pub fn answer(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, ClientError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, complete) = self.decoder.feed(&mut self.buffer, rest);
            rest = rest.get(taken..).unwrap_or_default();
            let Some(frame) = complete else { continue };
            let packet = self.buffer.get(..frame.len).unwrap_or_default();
            if Header::parse(packet).is_ok_and(|(header, _)| header.seq == self.sequence) {
                if frame.framing != self.framing {
                    return Err(ClientError::Unexpected(format!(
                        "an answer in {:?}",
                        frame.framing
                    )));
                }
                return Ok(Some(packet.to_vec()));
            }
        }
        Ok(None)
    }
}
