//! Why a command gives up, and the codes that it ends with.

use std::process::ExitCode;

use bootlace_engine::words::{self, Sentence};
use bootlace_engine::{Error, Failure};

/// How a command ends that did its work, or why it did not.
pub(crate) type Result = std::result::Result<ExitCode, Problem>;

/// A reason to give up, for people and for scripts.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) sentence: Sentence,
    pub(crate) code: u8,
    /// The state that it went wrong in, where there are states.
    pub(crate) phase: Option<&'static str>,
}

/// Exit codes. `bootlace update --help` lists them (`cli/src/update.rs`).
pub(crate) mod code {
    /// The arguments make no sense.
    pub(crate) const MISUSED: u8 = 2;
    /// Nothing was changed.
    pub(crate) const REFUSED: u8 = 1;
    /// The board took the old image back, or never started the new one.
    pub(crate) const ROLLED_BACK: u8 = 3;
    /// The new image was marked or started, and what became of it is not known.
    pub(crate) const UNKNOWN: u8 = 4;
}

impl From<Sentence> for Problem {
    fn from(sentence: Sentence) -> Self {
        let code = if sentence.unharmed {
            code::REFUSED
        } else {
            code::UNKNOWN
        };
        Problem {
            sentence,
            code,
            phase: None,
        }
    }
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        Problem {
            phase: Some(failure.phase.name()),
            ..Problem::from(words::failure(failure))
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        words::error(&error).into()
    }
}

impl From<bootlace_host::Error> for Problem {
    fn from(error: bootlace_host::Error) -> Self {
        use bootlace_host::{Address, Error, Unusable};
        use words::ports;
        match error {
            Error::NoPort { names } => ports::no_port(&names).into(),
            Error::NothingPluggedIn => ports::nothing_plugged_in().into(),
            Error::Several { ports: found } => {
                let names: Vec<_> = found.iter().map(Address::to_string).collect();
                ports::several(&names).into()
            }
            Error::Unopened { port, why } => match (&port, why) {
                (port, Unusable::Missing) => ports::missing(port),
                (Address::Serial(_), Unusable::Forbidden) => ports::forbidden(port),
                (Address::Usb(board), Unusable::Forbidden) => ports::usb_forbidden(&port, board.numbers()),
                (port, Unusable::Busy) => ports::busy(port),
                (Address::Serial(_), Unusable::Other(why)) => ports::unusable(port, why),
                (Address::Usb(_), Unusable::Other(why)) => ports::usb_unusable(port, why),
            }
            .into(),
            Error::NoBoard { port, failure } => {
                let problem = Problem::from(&failure);
                Problem {
                    sentence: words::files::at(port, problem.sentence),
                    ..problem
                }
            }
            Error::Failed(failure) => Problem::from(&failure),
        }
    }
}
