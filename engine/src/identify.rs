//! Asking a board who it is.
//!
//! The question goes out in each framing, as a description and as a plain list of images: a board of ours, a Zephyr
//! application and MCUboot's recovery are all found, and a port that belongs to something else is told from one where
//! nobody is.

use alloc::boxed::Box;
use core::time::Duration;

use bootlace_smp::bootlace::Features;
use bootlace_smp::frame::Framing;
use bootlace_smp::{ErrorCode, Request, Response, Text, Version, bootlace, img, os};

use crate::line::{Call, Late, Line, Packet};
use crate::wanted::Known;
use crate::{Asked, BoardInfo, Error, Instant};

/// How long each of the first questions waits. A board that starts just then misses one or two.
const HELLO_WAIT: Duration = Duration::from_millis(1000);
/// Packet size of a board that does not say: MCUboot's recovery without parameters takes a line or two.
const SMALL_FRAME: u32 = 252;

/// Silence after which a server of raw packets has forgotten what it could not read: MCUboot's recovery takes 3 s
/// (`MCUBOOT_SERIAL_RAW_PROTOCOL_INPUT_TIMEOUT_MS`).
const RAW_SILENCE: Duration = Duration::from_millis(3300);

/// Answers to nothing that was asked: more than a board's late ones.
const MANY_ANSWERS: u32 = 3;

/// A first question.
#[derive(Clone, Copy, Debug)]
struct Hello {
    framing: Framing,
    version: Version,
    question: Question,
}

const fn hello_of(framing: Framing, version: Version, question: Question) -> Hello {
    Hello {
        framing,
        version,
        question,
    }
}

/// The first questions, in order. Console framing comes first: it is what everybody reads, and does no harm elsewhere. COBS
/// frames are never sent before a board says that it takes them: to a server of raw packets one may look like the start of
/// a long packet, and leave it waiting for the rest.
const HELLOS: [Hello; 8] = [
    hello_of(Framing::Console, Version::V2, Question::Describe),
    hello_of(Framing::Console, Version::V2, Question::List),
    // Servers of before 2023 pass over what is not of the first version.
    hello_of(Framing::Console, Version::V1, Question::List),
    // It may have started in between.
    hello_of(Framing::Console, Version::V2, Question::Describe),
    hello_of(Framing::Raw, Version::V2, Question::List),
    hello_of(Framing::Raw, Version::V2, Question::Describe),
    hello_of(Framing::Raw, Version::V1, Question::List),
    hello_of(Framing::Console, Version::V2, Question::List),
];

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
        /// Nothing is sent until then, for the sake of servers of raw packets.
        silent_until: Option<Instant>,
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
    /// Is it MCUboot's serial recovery?
    Recovery,
    /// How does its bootloader update?
    Mode,
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
        let index = next_hello(0, known).unwrap_or(0);
        let call = hello(line, now, index);
        Identify {
            stage: Stage::Hello {
                asked: index + 1,
                first: line.last_seq(),
                silent_until: None,
            },
            call,
            framing,
            known,
            bad: false,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        match self.stage {
            Stage::Hello {
                silent_until: Some(until),
                ..
            } => until,
            _ => self.call.deadline(),
        }
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
            line.version = match packet.header.version {
                Version::V1 => Version::V1,
                _ => Version::V2,
            };
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
            Stage::Hello { asked, first, .. } => Some((asked, first)),
            _ => None,
        };
        let (question, mut info) = match self.stage {
            Stage::Hello { .. }
                if line.framing == Framing::Raw && self.known != Known::Raw && !is_description(&answer) =>
            {
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
                line.choose(self.framing, cobs);
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
                self.ask(line, now, Question::Recovery, info)
            }
            (Some(Question::Recovery), Response::Os(os::Response::ConsoleEcho)) => {
                info.recovery = true;
                known(line, info)
            }
            (_, Response::Os(os::Response::Mode { mode, .. })) => {
                info.mode = Some(mode);
                known(line, info)
            }
            // It speaks SMP.
            (None, Response::Failure(_)) => self.ask(line, now, Question::List, info),
            // What arrived was damaged, or the board was busy: the question is asked again when its time is up.
            (Some(question), Response::Failure(failure)) if !is_final(failure.code()) => {
                self.stage = Stage::Asking(question, info);
                Identity::Asking(self)
            }
            (Some(question), Response::Failure(_)) => self.without(line, now, question, info),
            (None, _) => {
                self.bad = true;
                if let Some((asked, first)) = hello {
                    self.stage = Stage::Hello {
                        asked,
                        first,
                        silent_until: None,
                    };
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
        if let Stage::Hello {
            asked,
            first,
            silent_until: Some(until),
        } = self.stage
        {
            if now >= until {
                self.call = hello(line, now, asked);
                self.stage = Stage::Hello {
                    asked: asked + 1,
                    first,
                    silent_until: None,
                };
            }
            return Identity::Asking(self);
        }
        if self.call.late(line, now) == Late::Waiting {
            return Identity::Asking(self);
        }
        match self.stage {
            Stage::Hello { asked, first, .. } => {
                let Some(index) = next_hello(asked, self.known) else {
                    return self.nobody(line, Asked::Describe);
                };
                let is_raw = |index: usize| HELLOS.get(index).is_some_and(|it| it.framing == Framing::Raw);
                if is_raw(index) && !asked.checked_sub(1).is_some_and(is_raw) {
                    self.stage = Stage::Hello {
                        asked: index,
                        first,
                        silent_until: Some(now + RAW_SILENCE),
                    };
                    return Identity::Asking(self);
                }
                self.call = hello(line, now, index);
                self.stage = Stage::Hello {
                    asked: index + 1,
                    first,
                    silent_until: None,
                };
                Identity::Asking(self)
            }
            Stage::Checking if line.is_noisy() => self.nobody(line, Asked::Describe),
            Stage::Checking => {
                line.framing = Framing::Raw;
                self.ask(line, now, Question::Describe, Box::default())
            }
            // Frames of COBS may not get through where the description did.
            Stage::Asking(question, info) if line.framing == Framing::Cobs && self.framing.is_none() => {
                line.leave_cobs();
                self.stage = Stage::Checking;
                self.ask(line, now, question, info)
            }
            // Without its list of images nothing can be done with a board.
            Stage::Asking(Question::List, _) => self.nobody(line, Asked::State),
            // Silence about the description is no answer where it may have been lost.
            Stage::Asking(Question::Describe, _) if self.known == Known::Described || line.is_noisy() => {
                self.nobody(line, Asked::Describe)
            }
            // No CRC tells damage from silence: what was answered once is asked again, to see whether the line carries it.
            Stage::Asking(Question::Describe, info) if line.framing == Framing::Raw => {
                self.stage = Stage::Checking;
                self.ask(line, now, Question::List, info)
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
            Question::Describe if !info.has_image_group => self.ask(line, now, Question::List, info),
            Question::Describe => self.ask(line, now, Question::Params, info),
            Question::Params => {
                (info.frame, info.window) = (SMALL_FRAME, 1);
                self.ask(line, now, Question::Sizes, info)
            }
            Question::Sizes => self.ask(line, now, Question::Recovery, info),
            Question::Recovery => self.ask(line, now, Question::Mode, info),
            Question::List | Question::Mode => known(line, info),
        }
    }

    fn check(mut self, line: &mut Line, now: Instant) -> Identity {
        // Asked once, and then silence, for the sake of a server of raw packets.
        self.call = Call::new(line, now, &Request::Img(img::Request::State), RAW_SILENCE, 1);
        line.pad();
        self.stage = Stage::Checking;
        Identity::Asking(self)
    }

    fn ask(mut self, line: &mut Line, now: Instant, question: Question, info: Box<BoardInfo>) -> Identity {
        let most = match question {
            Question::List => 5,
            Question::Describe | Question::Params | Question::Sizes => 3,
            Question::Recovery | Question::Mode => 2,
        };
        self.call = Call::new(line, now, &question.request(), HELLO_WAIT, most);
        self.stage = Stage::Asking(question, info);
        Identity::Asking(self)
    }

    fn nobody(&self, line: &Line, asked: Asked) -> Identity {
        let heard = line.heard;
        Identity::Nobody(if self.bad {
            Error::BadAnswer { asked }
        } else if heard.echoes > 1 {
            // One may be an answer with a damaged bit.
            Error::Echo
        } else if heard.bytes > 0 && (heard.answers == 0 || line.is_noisy()) {
            Error::Garbage { bytes: heard.bytes }
        } else if heard.answers >= MANY_ANSWERS {
            // To nothing that was asked: another number, another group.
            Error::BadAnswer { asked }
        } else {
            Error::Silent
        })
    }
}

fn is_description(answer: &Response<'_>) -> bool {
    matches!(answer, Response::Bootlace(bootlace::Response::Describe(_)))
}

/// Whether a refusal says something about the board, and not only about how this one request arrived.
fn is_final(code: Option<ErrorCode>) -> bool {
    !matches!(
        code,
        Some(ErrorCode::Invalid | ErrorCode::TooLarge | ErrorCode::Corrupt | ErrorCode::Busy)
    )
}

fn known(line: &Line, mut info: Box<BoardInfo>) -> Identity {
    info.framing = Some(line.framing);
    if info.frame == 0 {
        info.frame = SMALL_FRAME;
    }
    info.window = info.window.max(1);
    Identity::Known(info)
}

impl Question {
    fn request(self) -> Request<'static> {
        match self {
            Question::Describe => Request::Bootlace(bootlace::Request::Describe),
            Question::List => Request::Img(img::Request::State),
            Question::Params => Request::Os(os::Request::Params),
            Question::Sizes => Request::Img(img::Request::SlotInfo),
            Question::Recovery => Request::Os(os::Request::ConsoleEcho),
            Question::Mode => Request::Os(os::Request::Bootloader {
                query: Some(Text(b"mode")),
            }),
        }
    }
}

/// The next first question from `index` on.
fn next_hello(index: usize, known: Known) -> Option<usize> {
    let asked = |hello: &Hello| match known {
        Known::Nothing => hello.framing != Framing::Raw || hello.question == Question::List,
        Known::Raw => hello.framing == Framing::Raw,
        Known::Checked | Known::Described => hello.framing == Framing::Console,
    };
    let rest = HELLOS.iter().enumerate().skip(index);
    rest.into_iter()
        .find(|(_, hello)| asked(hello))
        .map(|(index, _)| index)
}

fn hello(line: &mut Line, now: Instant, index: usize) -> Call {
    let Hello {
        framing,
        version,
        question,
    } = HELLOS.get(index).copied().unwrap_or(HELLOS[0]);
    if framing == Framing::Console && line.framing == Framing::Raw {
        // Ends what a server of lines took for the start of one.
        line.framing = framing;
        line.clear_throat();
    }
    (line.framing, line.version) = (framing, version);
    let call = Call::new(line, now, &question.request(), HELLO_WAIT, 1);
    line.pad();
    call
}
