//! Why a request came to nothing.

use core::fmt;

use bootlace_smp::DecodeError;

/// A board's refusal: the group whose code it is (`None` for a generic one), and the code.
pub type Refusal = (Option<u16>, u16);

/// Why a request came to nothing.
#[derive(Debug)]
pub enum ClientError {
    /// The line failed.
    Line(std::io::Error),
    /// The board did not answer this request in time.
    Silent(String),
    /// The board refused.
    Refused(Refusal),
    /// The board answered something else.
    Unexpected(String),
    /// The answer is no message.
    Unreadable(DecodeError),
    /// The request does not fit into a packet.
    TooLong,
    /// The board asks for the same bytes again and again.
    Endless,
}

impl ClientError {
    /// The board's refusal, where that is what came.
    ///
    /// # Errors
    /// The error itself.
    pub fn refusal(self) -> Result<Refusal, Self> {
        match self {
            ClientError::Refused(refusal) => Ok(refusal),
            error => Err(error),
        }
    }
}

impl From<std::io::Error> for ClientError {
    fn from(error: std::io::Error) -> Self {
        ClientError::Line(error)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Line(error) => write!(f, "the line failed: {error}"),
            ClientError::Silent(request) => write!(f, "no answer to {request}"),
            ClientError::Refused((group, code)) => write!(f, "refused: group {group:?}, code {code}"),
            ClientError::Unexpected(answer) => write!(f, "another answer than expected: {answer}"),
            ClientError::Unreadable(error) => write!(f, "the answer is no message: {error:?}"),
            ClientError::TooLong => write!(f, "the request is too long"),
            ClientError::Endless => write!(f, "the upload does not come to an end"),
        }
    }
}

impl std::error::Error for ClientError {}
