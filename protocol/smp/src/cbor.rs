//! The little of CBOR that SMP needs: maps with text keys, in any order, of either length form.
//!
//! A bootloader links this, so there is one of everything: one list of keys, one reader of maps that is told what to
//! look for, one writer for each kind of value.

mod decode;
mod encode;
mod keys;
mod list;
mod major;
mod text;

pub(crate) use decode::Reader;
pub(crate) use decode::{Kind, Value, entries, fields};
pub use encode::Encoder;
pub(crate) use encode::encoder;
pub use keys::Key;
pub use list::{Item, Iter, List};
pub use text::Text;

use crate::DecodeError;

impl From<minicbor::decode::Error> for DecodeError {
    fn from(_: minicbor::decode::Error) -> Self {
        DecodeError::Cbor
    }
}
