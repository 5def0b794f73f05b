//! Asking a board who it is.
//!
//! The question goes out in each framing, as a description and as a plain list of images: a board of ours, a Zephyr
//! application and MCUboot's recovery are all found, and a port that belongs to something else is told from one where
//! nobody is.

use alloc::boxed::Box;
use core::time::Duration;

use bootlace_smp::bootlace::Features;
use bootlace_smp::frame::Framing;
use bootlace_smp::{Header, Request, Response, bootlace, decode_response, img, os};

use crate::line::{Call, Late, Line};
use crate::{BoardInfo, Error, Instant};

/// How long each of the first questions waits. A board that starts just then misses one or two.
const HELLO_WAIT: Duration = Duration::from_millis(1000);
/// Packet size of a board that does not say: MCUboot's recovery without parameters takes a line or two.
const SMALL_FRAME: u32 = 252;

/// The first questions, in order. Console framing comes first: it is what everybody reads, and does no harm elsewhere.
const HELLOS: [(Framing, Hello); 7] = [
    (Framing::Console, Hello::Describe),
    (Framing::Console, Hello::List),
    (Framing::Cobs, Hello::Describe),
    (Framing::Console, Hello::Describe),
    (Framing::Raw, Hello::List),
    (Framing::Cobs, Hello::List),
    (Framing::Console, Hello::List),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hello {
    Describe,
    List,
}

/// The conversation.
#[derive(Debug)]
pub(crate) struct Identify {
    step: Step,
    call: Call,
    info: Box<BoardInfo>,
    bad: bool,
    /// Number of the first question.
    first: u8,
    framing: Option<Framing>,
    known: Known,
}

/// What is known of the board before it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: every framing is tried.
    Nothing,
    /// It reads lines or COBS. Raw packets are not tried: they have no CRC.
    Checked,
    /// The same, and it describes itself: silence about that is not an answer.
    Described,
    /// It takes raw packets, and nothing else.
    Raw,
}

impl Known {
    pub(crate) fn of(board: &BoardInfo) -> Self {
        match board.framing {
            Some(Framing::Raw) => Known::Raw,
            _ if board.is_bootlace() => Known::Described,
            _ => Known::Checked,
        }
    }

    fn tries_raw(self) -> bool {
        matches!(self, Known::Nothing | Known::Raw)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Anybody there? The number of questions asked so far.
    Hello(usize),
    /// It speaks raw. In lines as well?
    Check,
    Describe,
    List,
    Params,
    Sizes,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Identity {
    /// Not known yet.
    Asking(Identify),
    /// Known.
    Known(Box<BoardInfo>),
    /// Nobody, or nobody that can be understood.
    Nobody(Error),
}

impl Identify {
    /// `framing` is the one to use once it is known what the board takes; `None`: the best.
    pub(crate) fn new(line: &mut Line, now: Instant, framing: Option<Framing>, known: Known) -> Self {
        let call = hello(line, now, 0);
        Identify {
            step: Step::Hello(1),
            call,
            info: Box::default(),
            bad: false,
            first: line.last_seq(),
            framing,
            known,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.call.deadline()
    }

    pub(crate) fn handle_packet(
        self,
        line: &mut Line,
        now: Instant,
        header: &Header,
        payload: &[u8],
    ) -> Identity {
        // A first question may be answered when the next one is out already.
        let late =
            matches!(self.step, Step::Hello(_)) && header.seq.wrapping_sub(self.first) < HELLOS.len() as u8;
        if !self.call.is_answered_by(header) && !late {
            return Identity::Asking(self);
        }
        let mut this = self;
        if late {
            line.framing = line.heard_in;
        }
        let answer = match decode_response(header, payload) {
            Ok(answer) => answer,
            Err(_) => {
                // A CRC says that it is not damaged. The call runs out of time.
                this.bad = line.heard_in != Framing::Raw;
                return Identity::Asking(this);
            }
        };
        if this.call.is_answered_by(header) {
            this.call.answered(line, now);
        }
        match (this.step, answer) {
            (_, Response::Bootlace(bootlace::Response::Describe(description))) => {
                this.info.describe(&description);
                let cobs = this.info.features.has(Features::COBS);
                line.framing = match this.framing {
                    Some(Framing::Cobs) if !cobs => line.framing,
                    Some(framing) => framing,
                    None if cobs => Framing::Cobs,
                    None => line.framing,
                };
                if this.info.has_image_group {
                    this.known(line)
                } else {
                    this.ask(line, now, Step::List)
                }
            }
            (Step::Hello(_), _) if line.framing == Framing::Raw => {
                // Raw packets have no CRC. It may have missed the questions before.
                line.framing = Framing::Console;
                this.ask(line, now, Step::Check)
            }
            (Step::Hello(_) | Step::Check, Response::Img(img::Response::State(images))) => {
                this.info.list(&images);
                // It may have missed the first question.
                this.ask(line, now, Step::Describe)
            }
            (_, Response::Img(img::Response::State(images))) => {
                this.info.list(&images);
                if this.info.is_bootlace() {
                    this.known(line)
                } else {
                    this.ask(line, now, Step::Params)
                }
            }
            (_, Response::Os(os::Response::Params { buf_size, buf_count })) => {
                // Console framing's length and CRC count as part of a buffer.
                this.info.frame = buf_size.saturating_sub(4);
                // Zephyr answers out of the same pool that it receives into.
                this.info.window = (buf_count / 2).clamp(1, 4);
                this.ask(line, now, Step::Sizes)
            }
            (_, Response::Img(img::Response::SlotInfo(images))) => {
                this.info.sizes(&images);
                this.known(line)
            }
            (_, Response::Failure(_)) => this.without(line, now),
            _ => {
                this.bad = true;
                Identity::Asking(this)
            }
        }
    }

    pub(crate) fn handle_timeout(mut self, line: &mut Line, now: Instant) -> Identity {
        match self.call.late(line, now) {
            Late::Waiting => Identity::Asking(self),
            Late::GivenUp => match self.step {
                Step::Hello(asked) => match next_hello(asked, self.known.tries_raw()) {
                    Some(index) => {
                        self.call = hello(line, now, index);
                        self.step = Step::Hello(index + 1);
                        Identity::Asking(self)
                    }
                    None => Identity::Nobody(self.nobody(line)),
                },
                Step::Check if line.is_noisy() => Identity::Nobody(self.nobody(line)),
                Step::Check => {
                    line.framing = Framing::Raw;
                    self.ask(line, now, Step::List)
                }
                // Without its list of images nothing can be done with a board.
                Step::List => Identity::Nobody(self.nobody(line)),
                // Silence about the description is no answer where it may have been lost.
                Step::Describe if self.known == Known::Described || line.is_noisy() => {
                    Identity::Nobody(self.nobody(line))
                }
                _ => self.without(line, now),
            },
        }
    }

    /// The board does not answer this step, or refuses it: go on without.
    fn without(mut self, line: &mut Line, now: Instant) -> Identity {
        match self.step {
            // It speaks SMP.
            Step::Hello(_) if !self.info.has_image_group => self.ask(line, now, Step::List),
            Step::Hello(_) | Step::Describe => self.ask(line, now, Step::Params),
            Step::Check | Step::List => self.known(line),
            Step::Params => {
                (self.info.frame, self.info.window) = (SMALL_FRAME, 1);
                self.ask(line, now, Step::Sizes)
            }
            Step::Sizes => self.known(line),
        }
    }

    fn ask(mut self, line: &mut Line, now: Instant, step: Step) -> Identity {
        let request = match step {
            Step::Hello(_) | Step::Describe => Request::Bootlace(bootlace::Request::Describe),
            Step::Check | Step::List => Request::Img(img::Request::State),
            Step::Params => Request::Os(os::Request::Params),
            Step::Sizes => Request::Img(img::Request::SlotInfo),
        };
        let most = if step == Step::List { 5 } else { 3 };
        self.call = Call::new(line, now, &request, HELLO_WAIT, most);
        self.step = step;
        Identity::Asking(self)
    }

    fn known(mut self, line: &Line) -> Identity {
        let info = &mut *self.info;
        info.framing = Some(line.framing);
        if info.frame == 0 {
            info.frame = SMALL_FRAME;
        }
        info.window = info.window.max(1);
        Identity::Known(self.info)
    }

    fn nobody(&self, line: &Line) -> Error {
        let heard = line.heard;
        if self.bad {
            let asked = if self.step == Step::List {
                crate::Asked::State
            } else {
                crate::Asked::Describe
            };
            Error::BadAnswer { asked }
        } else if heard.echoes > 0 {
            Error::Echo
        } else if heard.bytes > 0 && (heard.answers == 0 || line.is_noisy()) {
            Error::Garbage { bytes: heard.bytes }
        } else {
            Error::Silent
        }
    }
}

/// The next first question from `index` on.
fn next_hello(index: usize, raw: bool) -> Option<usize> {
    let rest = HELLOS.iter().enumerate().skip(index);
    rest.into_iter()
        .find(|(_, hello)| raw || hello.0 != Framing::Raw)
        .map(|(index, _)| index)
}

fn hello(line: &mut Line, now: Instant, index: usize) -> Call {
    let (framing, hello) = HELLOS
        .get(index)
        .copied()
        .unwrap_or((Framing::Console, Hello::Describe));
    line.framing = framing;
    let request = match hello {
        Hello::Describe => Request::Bootlace(bootlace::Request::Describe),
        Hello::List => Request::Img(img::Request::State),
    };
    Call::new(line, now, &request, HELLO_WAIT, 1)
}
