//! What can be wrong with bytes.

use crate::cbor::Key;
use crate::codes::ErrorCode;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Shorter than it says.
    Short,
    /// An op that no version of SMP uses.
    Op,
    /// A version of SMP that does not exist yet.
    Version,
    /// A group, command or op that is not served here.
    Unsupported,
    /// Not the CBOR that was due: malformed, of another type, or out of range.
    Cbor,
    /// A string in several chunks: it can't be borrowed as one.
    Chunked,
    /// Nested deeper than any message is.
    Depth,
    /// The named key is required.
    Missing(Key),
}

impl DecodeError {
    /// What a device answers to such a request.
    pub const fn code(self) -> ErrorCode {
        match self {
            DecodeError::Version => ErrorCode::TooNew,
            DecodeError::Unsupported | DecodeError::Op => ErrorCode::NotSupported,
            _ => ErrorCode::Invalid,
        }
    }
}

/// Why a message could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// It is longer than the buffer.
    Full,
}
