//! Asking a board who it is.
//!
//! The question goes out in each framing, as a description and as a plain list of images: a board of ours, a Zephyr
//! application and MCUboot's recovery are all found, and a port that belongs to something else is told from one where
//! nobody is.

use alloc::boxed::Box;
use core::time::Duration;

use bootlace_smp::bootlace::Features;
use bootlace_smp::frame::Framing;
use bootlace_smp::{Request, Response, bootlace, img, os};

use crate::line::{Call, Late, Line, Packet};
use crate::wanted::Known;
use crate::{Asked, BoardInfo, Error, Instant};

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
    stage: Stage,
    call: Call,
    /// The framing to use once it is known what the board takes; `None`: the best.
    framing: Option<Framing>,
    known: Known,
    /// An answer arrived that can't be understood, and a CRC says that it is not damaged.
    bad: bool,
}

/// How far the conversation is.
#[derive(Debug)]
enum Stage {
    /// Is anybody there?
    Hello {
        /// Questions asked so far.
        asked: usize,
        /// Number of the first one's packet.
        first: u8,
    },
    /// It speaks raw. In lines as well?
    Checking,
    /// It is there: what is it?
    Asking(Question, Box<BoardInfo>),
}

/// What is asked of a board that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
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
            stage: Stage::Hello {
                asked: 1,
                first: line.last_seq(),
            },
            call,
            framing,
            known,
            bad: false,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.call.deadline()
    }

    pub(crate) fn handle_packet(mut self, line: &mut Line, now: Instant, packet: &Packet<'_>) -> Identity {
        let answered = self.call.is_answered_by(packet);
        // A first question may be answered when the next one is out already.
        let late = matches!(self.stage, Stage::Hello { first, .. }
            if packet.header.seq.wrapping_sub(first) < HELLOS.len() as u8);
        if !answered && !late {
            return Identity::Asking(self);
        }
        if late {
            line.framing = line.heard_in;
        }
        let Ok(answer) = packet.response else {
            // The call runs out of time.
            self.bad = line.heard_in != Framing::Raw;
            return Identity::Asking(self);
        };
        if answered {
            self.call.answered(line, now);
        }
        let hello = match self.stage {
            Stage::Hello { asked, first } => Some((asked, first)),
            _ => None,
        };
        let (question, mut info) = match self.stage {
            Stage::Hello { .. } if line.framing == Framing::Raw && !is_description(&answer) => {
                // Raw packets have no CRC. It may have missed the questions before.
                line.framing = Framing::Console;
                return self.check(line, now);
            }
            Stage::Hello { .. } | Stage::Checking => (None, Box::<BoardInfo>::default()),
            Stage::Asking(question, info) => (Some(question), info),
        };
        self.stage = Stage::Checking;
        match (question, answer) {
            (_, Response::Bootlace(bootlace::Response::Describe(description))) => {
                info.describe(&description);
                let cobs = info.features.has(Features::COBS);
                line.framing = match self.framing {
                    Some(Framing::Cobs) if !cobs => line.framing,
                    Some(framing) => framing,
                    None if cobs => Framing::Cobs,
                    None => line.framing,
                };
                if info.has_image_group {
                    known(line, info)
                } else {
                    self.ask(line, now, Question::List, info)
                }
            }
            (None, Response::Img(img::Response::State(images))) => {
                info.list(&images);
                // It may have missed the first question.
                self.ask(line, now, Question::Describe, info)
            }
            (Some(_), Response::Img(img::Response::State(images))) => {
                info.list(&images);
                if info.is_bootlace() {
                    known(line, info)
                } else {
                    self.ask(line, now, Question::Params, info)
                }
            }
            (_, Response::Os(os::Response::Params { buf_size, buf_count })) => {
                // Console framing's length and CRC count as part of a buffer.
                info.frame = buf_size.saturating_sub(4);
                // Zephyr answers out of the same pool that it receives into.
                info.window = (buf_count / 2).clamp(1, 4);
                self.ask(line, now, Question::Sizes, info)
            }
            (_, Response::Img(img::Response::SlotInfo(images))) => {
                info.sizes(&images);
                known(line, info)
            }
            // It speaks SMP.
            (None, Response::Failure(_)) => self.ask(line, now, Question::List, info),
            (Some(question), Response::Failure(_)) => self.without(line, now, question, info),
            (None, _) => {
                self.bad = true;
                if let Some((asked, first)) = hello {
                    self.stage = Stage::Hello { asked, first };
                }
                Identity::Asking(self)
            }
            (Some(question), _) => {
                self.bad = true;
                self.stage = Stage::Asking(question, info);
                Identity::Asking(self)
            }
        }
    }

    pub(crate) fn handle_timeout(mut self, line: &mut Line, now: Instant) -> Identity {
        if self.call.late(line, now) == Late::Waiting {
            return Identity::Asking(self);
        }
        match self.stage {
            Stage::Hello { asked, first } => match next_hello(asked, self.known.tries_raw()) {
                Some(index) => {
                    self.call = hello(line, now, index);
                    self.stage = Stage::Hello {
                        asked: index + 1,
                        first,
                    };
                    Identity::Asking(self)
                }
                None => self.nobody(line, Asked::Describe),
            },
            Stage::Checking if line.is_noisy() => self.nobody(line, Asked::Describe),
            Stage::Checking => {
                line.framing = Framing::Raw;
                self.ask(line, now, Question::List, Box::default())
            }
            // Without its list of images nothing can be done with a board.
            Stage::Asking(Question::List, _) => self.nobody(line, Asked::State),
            // Silence about the description is no answer where it may have been lost.
            Stage::Asking(Question::Describe, _) if self.known == Known::Described || line.is_noisy() => {
                self.nobody(line, Asked::Describe)
            }
            Stage::Asking(question, info) => {
                self.stage = Stage::Checking;
                self.without(line, now, question, info)
            }
        }
    }

    /// The board does not answer this question, or refuses it: go on without.
    fn without(
        self,
        line: &mut Line,
        now: Instant,
        question: Question,
        mut info: Box<BoardInfo>,
    ) -> Identity {
        match question {
            Question::Describe => self.ask(line, now, Question::Params, info),
            Question::Params => {
                (info.frame, info.window) = (SMALL_FRAME, 1);
                self.ask(line, now, Question::Sizes, info)
            }
            Question::List | Question::Sizes => known(line, info),
        }
    }

    fn check(mut self, line: &mut Line, now: Instant) -> Identity {
        self.call = Call::new(line, now, &Request::Img(img::Request::State), HELLO_WAIT, 3);
        self.stage = Stage::Checking;
        Identity::Asking(self)
    }

    fn ask(mut self, line: &mut Line, now: Instant, question: Question, info: Box<BoardInfo>) -> Identity {
        let request = match question {
            Question::Describe => Request::Bootlace(bootlace::Request::Describe),
            Question::List => Request::Img(img::Request::State),
            Question::Params => Request::Os(os::Request::Params),
            Question::Sizes => Request::Img(img::Request::SlotInfo),
        };
        let most = if question == Question::List { 5 } else { 3 };
        self.call = Call::new(line, now, &request, HELLO_WAIT, most);
        self.stage = Stage::Asking(question, info);
        Identity::Asking(self)
    }

    fn nobody(&self, line: &Line, asked: Asked) -> Identity {
        let heard = line.heard;
        Identity::Nobody(if self.bad {
            Error::BadAnswer { asked }
        } else if heard.echoes > 0 {
            Error::Echo
        } else if heard.bytes > 0 && (heard.answers == 0 || line.is_noisy()) {
            Error::Garbage { bytes: heard.bytes }
        } else {
            Error::Silent
        })
    }
}

fn is_description(answer: &Response<'_>) -> bool {
    matches!(answer, Response::Bootlace(bootlace::Response::Describe(_)))
}

fn known(line: &Line, mut info: Box<BoardInfo>) -> Identity {
    info.framing = Some(line.framing);
    if info.frame == 0 {
        info.frame = SMALL_FRAME;
    }
    info.window = info.window.max(1);
    Identity::Known(info)
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
