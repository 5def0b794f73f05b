//! Sentences for people, in English: one place for the page and the command line.
//!
//! Everything else in this project names errors and carries facts; here they become what happened and the next step
//! to take. Facts go in, whole sentences come out, so that a second language is a second module of this kind: callers
//! join no sentences from parts, and match on names, never on text.
//!
//! Errors and refusals are in `board`, what a board remembers in `journal`. [`terminal`], [`tables`], [`files`], [`memory`], [`ports`],
//! [`install`], [`nordic`], [`sign`] and [`simulate`] are what the command line says; `page` is what the page says, its fixed texts in `page/labels`.

use crate::{Error, Failure};

mod board;
mod figures;
pub mod files;
pub mod identity;
mod image;
pub mod install;
mod journal;
pub mod keys;
pub mod memory;
pub mod nordic;
#[cfg(feature = "page")]
pub mod page;
mod patch;
pub mod ports;
mod sentence;
pub mod sign;
pub mod simulate;
mod start;
mod table;
pub mod tables;
pub mod terminal;
mod update;

pub use figures::{bytes, hex, rate, short, time, tlv, unhex, uuid, uuid_of, version};
pub use image::{algorithm, published_key, refusal, signature_kind, test_key};
pub use journal::{came_of, from_to, release, supply};
pub use patch::{
    no_patch, patch_error, patch_for_rsa, patch_header_error, patch_not_proved, same_image, saving,
};
pub use sentence::Sentence;
pub use start::unstartable_warning;
pub use table::Table;
pub use update::{after_rollback, attention, no_way_back, outcome, phase, rolled_back, state, unchanged};

/// What a failed session says.
pub fn failure(failure: &Failure) -> Sentence {
    Sentence {
        unharmed: failure.unharmed,
        ..error(&failure.error)
    }
}

/// What an error says, whatever the phase.
pub fn error(error: &Error) -> Sentence {
    match error {
        Error::Image(error) => image::format_error(error),
        Error::WrongFile(kind) => image::wrong_file(*kind),
        Error::NoKeyFile(kind) => image::no_key_file(*kind),
        Error::NoPatchFile(kind) => image::no_patch_file(*kind),
        Error::Key(error) => image::key_error(error),
        Error::Unstartable(it) => start::unstartable(*it),
        Error::Refused(refusal) => image::refusal(refusal),
        other => board::error(other),
    }
}

#[cfg(test)]
mod tests;
