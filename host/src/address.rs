//! Where a board can be reached.

use std::fmt::{self, Display};
use std::path::PathBuf;

use crate::usb::UsbBoard;

/// A way to a board. Its name, as `--port` takes it, is what [`Display`] writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A serial port.
    Serial(PathBuf),
    /// A vendor interface.
    Usb(UsbBoard),
}

impl Address {
    /// Whether people would say that it is the same one, though it may have been plugged in anew.
    pub(crate) fn is_named_as(&self, other: &Address) -> bool {
        self == other || self.to_string() == other.to_string()
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Serial(path) => path.display().fmt(f),
            Address::Usb(board) => board.fmt(f),
        }
    }
}
