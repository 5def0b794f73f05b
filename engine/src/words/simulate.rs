//! What `bootlace simulate` says.

use alloc::format;
use alloc::string::ToString;
use core::fmt::Display;

use super::Sentence;

/// The simulated board was given no key.
pub fn no_key() -> &'static str {
    "without --key the board trusts nobody, and runs no image"
}

/// The simulated board was given something as an image that it can't start.
pub fn runs_nothing() -> &'static str {
    "the board holds that file, and can't start it"
}

/// A key whose signatures no board with the companion checks.
pub fn not_checked(algorithm: &str) -> Sentence {
    Sentence::new(
        "NotChecked",
        format!("The simulated board runs the companion, which does not check {algorithm} signatures."),
        "Use an ECDSA P-256 or Ed25519 key. RSA is for boards that run MCUboot: bootlace update verifies it.",
    )
}

/// What `--link` names exists, and is no symbolic link.
pub fn not_a_link(path: impl Display) -> Sentence {
    Sentence::new(
        "NotALink",
        format!("{path} exists, and is no symbolic link."),
        "Name one that does not exist yet.",
    )
}

/// The flash file has another size than this board's flash.
pub fn flash_size(path: impl Display, len: u64, size: u64) -> Sentence {
    Sentence::new(
        "FlashSize",
        format!("{path} has {len} bytes, and this board's flash {size}."),
        "Name a file that does not exist yet.",
    )
}

/// `--speed` is no speed.
pub fn bad_speed() -> Sentence {
    Sentence::new(
        "BadSpeed",
        "The speed must be above 0, and at most 1000000.",
        "Name the factor by which time goes faster, such as --speed 10.",
    )
}

/// The board's memory does not hold its buffers.
pub fn no_memory(needed: usize) -> Sentence {
    Sentence::new(
        "NoMemory",
        format!(
            "Frame and window together need {needed} bytes of the board's memory, which it does not have."
        ),
        "Choose a smaller --frame or --window.",
    )
}

/// A step with the pseudo-terminal that stands for the board's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalStep {
    /// It is made.
    Make,
    /// It is opened.
    Open,
    /// Bytes are read from it.
    Read,
    /// Bytes are written to it.
    Write,
    /// The program waits for it.
    Wait,
    /// Signals that end the program are caught.
    Signals,
}

/// The system refused a step; `why` is its word.
pub fn terminal(step: TerminalStep, why: impl Display) -> Sentence {
    let what = match step {
        TerminalStep::Make => format!("No pseudo-terminal could be made: {why}."),
        TerminalStep::Open => format!("The pseudo-terminal could not be opened: {why}."),
        TerminalStep::Read => format!("The pseudo-terminal could not be read: {why}."),
        TerminalStep::Write => format!("The pseudo-terminal could not be written: {why}."),
        TerminalStep::Wait => format!("The pseudo-terminal could not be waited for: {why}."),
        TerminalStep::Signals => format!("The signals that end this program could not be caught: {why}."),
    };
    Sentence::new(
        "PseudoTerminal",
        what,
        "Check that this system has pseudo-terminals (/dev/ptmx) and start again.".to_string(),
    )
}
