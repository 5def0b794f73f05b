//! What is said about a new key pair.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use super::Sentence;

/// The name of a private key's file says otherwise.
pub fn bad_name(path: impl Display) -> Sentence {
    Sentence::new(
        "KeyName",
        format!("{path} is no name for a key."),
        "End the name in .pem: the public half gets the same name with .pub.pem.",
    )
}

/// A file of this name exists.
pub fn is_there(path: impl Display) -> Sentence {
    Sentence::new(
        "KeyExists",
        format!("{path} is there already, and a key is never overwritten."),
        "Name another file.",
    )
}

/// This machine gave no random numbers, or the key could not be put into words.
pub fn not_made() -> Sentence {
    Sentence::new("NoNewKey", "No key could be made.", "Start the command again.")
}

/// Both halves are written.
pub fn made(private: impl Display, public: impl Display) -> String {
    format!(
        "{private}: the private half. Whoever has it can sign for your boards: keep a copy where it can't be lost, and give it to nobody.\n\
         {public}: the public half, for boards, pages and build machines."
    )
}
