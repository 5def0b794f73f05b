//! The line: frames out, packets in, sequence numbers, and how long an answer takes.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_smp::frame::{self, Decoder, Framing};
use bootlace_smp::{self as smp, DecodeError, Header, Request, Response, Version};

use crate::{Asked, Error, Instant};

/// Bytes of the largest packet that is read: a list of images and a description stay far below.
const LARGEST_ANSWER: usize = 8192;
/// Bytes of the largest packet that is sent, whatever the board takes.
pub(crate) const LARGEST_REQUEST: u32 = 32 * 1024;
/// Before an answer's time was measured.
const FIRST_WAIT: Duration = Duration::from_millis(1500);
/// A flash page of 4 KB takes 85 ms to erase, and a few frames may wait for that.
const SHORTEST_WAIT: Duration = Duration::from_millis(400);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How often at last a request that was not answered in COBS is sent as lines of text.
const SENDINGS_OF_TEXT: u32 = 2;
/// Bytes of a packet on the wire that tell how fast the line is: a description has some hundreds.
const TELLING: usize = 200;
/// Bytes of a packet's header.
const RAW_HEADER: usize = 8;
/// Answers in a row without sense that are no accident of the line.
const BAFFLING: u32 = 3;
/// A pause after which bytes are not of the same packet.
const GAP: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) framing: Framing,
    /// Version of SMP that requests are sent in.
    pub(crate) version: Version,
    /// COBS frames do not get through, though the board takes them.
    no_cobs: bool,
    decoder: Decoder,
    buffer: Vec<u8>,
    out: VecDeque<Vec<u8>>,
    seq: u8,
    /// Smoothed time from request to answer, and its deviation (RFC 6298).
    times: Option<(Duration, Duration)>,
    /// Since the port was opened: bytes, packets, and packets that were our own requests.
    pub(crate) heard: Heard,
    /// Answers in a row that make no sense.
    baffling: u32,
    /// How the last answer came.
    pub(crate) heard_in: Framing,
    /// Damaged frames before the port was opened.
    damaged: u32,
    /// What has arrived of a packet.
    burst: Option<Burst>,
    /// Bytes of the longest packet since the port was opened, and how fast it came.
    paced: Option<(usize, u32)>,
}

/// An answer, as it arrived.
#[derive(Debug)]
pub(crate) struct Received {
    header: Header,
    payload: Vec<u8>,
}

impl Received {
    /// Decodes it: once, for everybody who may want it.
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet {
            header: self.header,
            response: smp::decode_response(&self.header, &self.payload),
        }
    }
}

/// An answer, decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) header: Header,
    pub(crate) response: Result<Response<'a>, DecodeError>,
}

/// The bytes of a packet, as they come.
#[derive(Clone, Copy, Debug)]
struct Burst {
    began: Instant,
    last: Instant,
    /// Bytes that came first, at once, and all so far.
    first: usize,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) bytes: u32,
    pub(crate) answers: u32,
    pub(crate) echoes: u32,
}

impl Line {
    pub(crate) fn new() -> Self {
        Line {
            framing: Framing::Console,
            version: Version::V2,
            no_cobs: false,
            decoder: Decoder::new(),
            buffer: vec![0; LARGEST_ANSWER],
            out: VecDeque::new(),
            seq: 0,
            times: None,
            heard: Heard::default(),
            baffling: 0,
            heard_in: Framing::Console,
            damaged: 0,
            burst: None,
            paced: None,
        }
    }

    /// The port is another one, or was closed: nothing that is half sent or half received counts.
    pub(crate) fn restart(&mut self) {
        self.decoder.reset();
        self.out.clear();
        self.times = None;
        (self.burst, self.paced) = (None, None);
        self.heard = Heard::default();
        self.baffling = 0;
        self.damaged = self.damage();
    }

    /// Takes bytes until an answer is complete; says how many, and the answer.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> (usize, Option<Received>) {
        let (taken, frame) = self.decoder.feed(&mut self.buffer, bytes);
        self.heard.bytes = self
            .heard
            .bytes
            .saturating_add(u32::try_from(taken).unwrap_or(u32::MAX));
        let Some(frame) = frame else {
            return (taken, None);
        };
        self.heard_in = frame.framing;
        let packet = self.buffer.get(..frame.len).unwrap_or_default();
        let received = match Header::parse(packet) {
            Ok((header, _)) if header.op.is_request() => {
                self.heard.echoes = self.heard.echoes.saturating_add(1);
                None
            }
            Ok((header, payload)) => {
                self.heard.answers = self.heard.answers.saturating_add(1);
                Some(Received {
                    header,
                    payload: payload.to_vec(),
                })
            }
            Err(_) => None,
        };
        (taken, received)
    }

    pub(crate) fn transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    pub(crate) fn last_seq(&self) -> u8 {
        self.seq
    }

    fn damage(&self) -> u32 {
        let stats = self.decoder.stats();
        stats
            .crc
            .saturating_add(stats.broken)
            .saturating_add(stats.oversize)
    }

    /// More than one frame was damaged since the port was opened.
    pub(crate) fn is_noisy(&self) -> bool {
        self.damage().saturating_sub(self.damaged) > 1
    }

    /// Notes whether an answer could be read.
    pub(crate) fn note_sense(&mut self, packet: &Packet<'_>) {
        self.baffling = match packet.response {
            Ok(_) => 0,
            Err(_) => self.baffling.saturating_add(1),
        };
    }

    /// The board answers, and not one of its last answers makes sense: waiting longer is of no use.
    pub(crate) fn is_baffling(&self) -> bool {
        self.baffling >= BAFFLING
    }

    /// Why a request is given up that was sent as often as it may be.
    pub(crate) fn given_up(&self, asked: Asked) -> Error {
        match self.is_baffling() {
            true => Error::BadAnswer { asked },
            false => Error::WentSilent { asked },
        }
    }

    pub(crate) fn next_seq(&mut self) -> u8 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    /// Encodes a request with a number of its own, of at most `limit` bytes.
    pub(crate) fn encode(&mut self, request: &Request<'_>, limit: usize) -> Option<(u8, Vec<u8>)> {
        let seq = self.next_seq();
        let mut packet = vec![0; limit];
        let len = smp::encode_request(&mut packet, self.version, seq, request).ok()?;
        packet.truncate(len);
        Some((seq, packet))
    }

    /// Puts a packet on the line.
    pub(crate) fn send(&mut self, packet: &[u8]) {
        self.decoder.take_raw(self.framing == Framing::Raw);
        let mut line = Vec::with_capacity(frame::encoded_len(self.framing, packet.len()));
        frame::encode(self.framing, packet, |piece| line.extend_from_slice(piece));
        self.out.push_back(line);
    }

    /// Fills up what was put on the line last with empty lines to a multiple of 8 bytes. A server of raw packets takes a
    /// line for packets of 8 bytes that make no sense, and is not left waiting for the rest of one.
    pub(crate) fn pad(&mut self) {
        if let Some(last) = self.out.back_mut()
            && self.framing == Framing::Console
        {
            last.resize(last.len().next_multiple_of(RAW_HEADER), b'\n');
        }
    }

    /// COBS does not get through: console framing from now on.
    pub(crate) fn leave_cobs(&mut self) {
        self.no_cobs = true;
        self.framing = Framing::Console;
    }

    /// The framing to use with a board that takes COBS or not, where `asked` is wanted; the present one at worst.
    pub(crate) fn choose(&mut self, asked: Option<Framing>, takes_cobs: bool) {
        self.framing = match asked {
            Some(Framing::Cobs) if !takes_cobs => self.framing,
            Some(framing) => framing,
            None if takes_cobs && !self.no_cobs => Framing::Cobs,
            None => self.framing,
        };
    }

    /// Ends what the board may have received in part: an answer that did not come is often half a request.
    pub(crate) fn clear_throat(&mut self) {
        match self.framing {
            Framing::Console => self.out.push_back(vec![b'\n']),
            Framing::Cobs => self.out.push_back(vec![0]),
            Framing::Raw => self.decoder.reset(),
        }
    }

    /// An answer came, at its first sending, after this time.
    pub(crate) fn measured(&mut self, time: Duration) {
        self.times = Some(match self.times {
            None => (time, time / 2),
            Some((mean, deviation)) => {
                let difference = mean.abs_diff(time);
                (mean * 7 / 8 + time / 8, deviation * 3 / 4 + difference / 4)
            }
        });
    }

    /// Bytes arrived; with them a packet was complete, or not yet.
    pub(crate) fn arrived(&mut self, now: Instant, bytes: usize, complete: bool) {
        let burst = match self.burst.take().filter(|burst| now.since(burst.last) < GAP) {
            Some(burst) => Burst {
                last: now,
                bytes: burst.bytes + bytes,
                ..burst
            },
            None => Burst {
                began: now,
                last: now,
                first: bytes,
                bytes,
            },
        };
        if !complete {
            self.burst = Some(burst);
            return;
        }
        if burst.bytes >= TELLING && self.paced.is_none_or(|(longest, _)| burst.bytes > longest) {
            // What came at once says nothing about when it was sent.
            let rest = (burst.bytes - burst.first) as u128 * 1_000_000;
            let pace = match now.since(burst.began).as_micros() {
                0 => u32::MAX,
                micros => u32::try_from(rest / micros).unwrap_or(u32::MAX),
            };
            self.paced = Some((burst.bytes, pace));
        }
    }

    /// Bytes a second on the wire, by how the longest answer came in: how long the board thought about it is no part of
    /// that. `None` before there was a long one.
    pub(crate) fn pace(&self) -> Option<u32> {
        self.paced.map(|(_, pace)| pace)
    }

    /// How long to wait for an answer.
    pub(crate) fn wait(&self) -> Duration {
        match self.times {
            None => FIRST_WAIT,
            Some((mean, deviation)) => (mean + deviation * 4).clamp(SHORTEST_WAIT, LONGEST_WAIT),
        }
    }

    pub(crate) fn is_measured(&self) -> bool {
        self.times.is_some()
    }
}

/// A request on its way, sent again until it is answered or given up.
#[derive(Debug)]
pub(crate) struct Call {
    seq: u8,
    address: (u16, u8),
    packet: Vec<u8>,
    sent: Instant,
    wait: Duration,
    sendings: u32,
    most: u32,
    framing: Framing,
}

/// What became of a call when its time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// It has time left, or was sent again.
    Waiting,
    /// It was sent often enough.
    GivenUp,
}

impl Call {
    /// Sends a request, at most `most` times, each time waiting for `wait` and, from then on, longer.
    pub(crate) fn new(
        line: &mut Line,
        now: Instant,
        request: &Request<'_>,
        wait: Duration,
        most: u32,
    ) -> Self {
        let (_, group, id) = request.address();
        // Requests other than uploads are a few dozen bytes.
        let (seq, packet) = line.encode(request, 256).unwrap_or_default();
        line.send(&packet);
        Call {
            seq,
            address: (group, id),
            packet,
            sent: now,
            wait,
            sendings: 1,
            most,
            framing: line.framing,
        }
    }

    pub(crate) fn is_answered_by(&self, packet: &Packet<'_>) -> bool {
        let header = &packet.header;
        header.seq == self.seq && (header.group, header.id) == self.address
    }

    /// What it is answered, if the packet is an answer to it that can be understood.
    pub(crate) fn answer<'a>(&self, packet: &Packet<'a>) -> Option<Response<'a>> {
        packet.response.ok().filter(|_| self.is_answered_by(packet))
    }

    /// To be called when the answer is there.
    pub(crate) fn answered(&self, line: &mut Line, now: Instant) {
        if self.sendings == 1 {
            line.measured(now.since(self.sent));
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.sent + self.wait
    }

    pub(crate) fn late(&mut self, line: &mut Line, now: Instant) -> Late {
        if now < self.deadline() {
            return Late::Waiting;
        }
        if self.sendings >= self.most {
            return Late::GivenUp;
        }
        // Some lines change a byte here and there (LF to CR LF): frames of COBS do not get through, lines of text do. Whether
        // one does depends on the bytes in it, so that an upload may get through and its end not.
        if self.framing == Framing::Cobs && self.sendings + SENDINGS_OF_TEXT >= self.most {
            line.leave_cobs();
            self.framing = Framing::Console;
        }
        self.sendings += 1;
        self.sent = now;
        self.wait = (self.wait * 3 / 2).min(LONGEST_WAIT);
        line.framing = self.framing;
        line.clear_throat();
        line.send(&self.packet);
        Late::Waiting
    }
}
