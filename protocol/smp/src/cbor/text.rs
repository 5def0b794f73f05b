//! Texts in messages.

use core::fmt;

/// A text as its bytes.
///
/// An updater reads only UTF-8: a message with anything else is refused. A device sends texts back or compares them, and
/// whether they are UTF-8 is nothing to it; looking would cost a bootloader 0.7 KB.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Text<'a>(pub &'a [u8]);

impl<'a> Text<'a> {
    /// The text; empty where the bytes are no UTF-8.
    pub fn as_str(self) -> &'a str {
        core::str::from_utf8(self.0).unwrap_or_default()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(text.as_bytes())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}
