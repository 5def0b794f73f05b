//! What only the page has: its own facts, and the sentences and labels for them. The page's worker sends these facts to
//! its window, and words are made where they are shown: a record can be shown again, and in another language.

/// A type whose fields are texts, and `ENGLISH`, the value of it.
macro_rules! labels {
    ($(#[$about:meta])* $type:ident: $($(#[$doc:meta])* $name:ident: $text:literal,)*) => {
        $(#[$about])*
        #[derive(Debug)]
        pub struct $type {
            $($(#[$doc])* #[doc = concat!("“", $text, "”")] pub $name: &'static str,)*
        }

        static ENGLISH: $type = $type { $($name: $text,)* };
    };
}

mod board;
mod figures;
mod labels;
mod log;
pub mod new_board;
mod problem;
mod update;

pub use board::{Behaviour, Mark, Via};
pub use board::{
    Standing, behaviour, board_count, board_counter, board_label, board_name, counted, earlier, kept_summary,
    key_kind, key_name, last_updates, mark, named, past_start, reading, remark, role, slot_name, standing,
};
pub use figures::{long_hash, seconds, short_hash, spelled};
pub use labels::{Labels, labels};
pub use log::{LogFact, log};
pub use problem::{PageError, Problem, problem, remedy};
pub use update::{
    Ending, Offer, PatchFate, Running, Sends, Step, Told, button, comfort, doing, end, figures, news, note,
    patch_fate, percent, sends, spoken_percent, step,
};

#[cfg(test)]
mod tests;
