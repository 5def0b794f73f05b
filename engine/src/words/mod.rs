//! Sentences for people, in English: one place for the page and the command line.
//!
//! Everything else in this project names errors and carries facts; here they become what happened and the next step
//! to take.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write as _;
use core::time::Duration;

use bootlace_image::{FormatError, KeyError, Refusal, TlvKind, Version};

use crate::{Attention, BootState, Error, Failure, Outcome, Phase, RollbackReason, Unchanged};

mod board;
mod delta;
mod journal;

pub use delta::{no_patch, saving};
pub use journal::{came_of, from_to, release, supply};

/// A thing that went wrong, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The error's name in the code: stable, for logs and tests.
    pub name: String,
    /// What happened.
    pub what: String,
    /// The next step to take.
    pub next: String,
    /// The board is as it was before: it runs what it ran.
    pub unharmed: bool,
}

impl Sentence {
    fn new(name: impl Into<String>, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            what: what.into(),
            next: next.into(),
            unharmed: true,
        }
    }
}

/// What a failed session says.
pub fn failure(failure: &Failure) -> Sentence {
    let mut sentence = error(&failure.error);
    // Up to here nothing was marked: a reset starts what ran before.
    sentence.unharmed = failure.phase <= Phase::Verifying;
    sentence
}

/// What an error says, whatever the phase.
pub fn error(error: &Error) -> Sentence {
    match error {
        Error::Image(error) => format_error(error),
        Error::Refused(refusal) => self::refusal(refusal),
        other => board::error(other),
    }
}

/// Why a file is no image.
pub fn format_error(error: &FormatError) -> Sentence {
    let damaged = "Copy or download the file again. If it stays like this, sign it again with imgtool.";
    let (name, what, next) = match error {
        FormatError::NotAnImage { .. } => (
            "NotAnImage",
            "This file is no MCUboot image.".to_string(),
            "Choose the signed image that “imgtool sign” wrote (often signed.bin), not the bare firmware, an ELF or \
             a HEX file.",
        ),
        FormatError::Truncated { needed, available } => (
            "Truncated",
            format!(
                "The file ends too early: the image needs at least {needed} bytes, and there are {available}."
            ),
            damaged,
        ),
        FormatError::HeaderSize { size } => (
            "HeaderSize",
            format!("The image is damaged: its header claims {size} bytes."),
            damaged,
        ),
        FormatError::ProtectedSize { header, area } => (
            "ProtectedSize",
            format!(
                "The image is damaged: its header promises {header} bytes of protected fields, and there are {area}."
            ),
            damaged,
        ),
        FormatError::TlvMagic { found } => (
            "TlvMagic",
            format!("The image is damaged: its signature block starts with {found:#06x}."),
            damaged,
        ),
        FormatError::TlvOverrun { offset } => (
            "TlvOverrun",
            format!("The image is damaged: the field at byte {offset} reaches past its end."),
            damaged,
        ),
        FormatError::TlvLength { kind, len } => (
            "TlvLength",
            format!(
                "The image is damaged: its {} field can't be {len} bytes long.",
                tlv(*kind)
            ),
            damaged,
        ),
        FormatError::DuplicateTlv { kind } => (
            "DuplicateTlv",
            format!("The image has two {} fields; only one makes sense.", tlv(*kind)),
            "Sign the firmware again with imgtool.",
        ),
        other => ("Image", format!("The image is damaged ({other:?})."), damaged),
    };
    Sentence::new(name, what, next)
}

/// Why an image is not to be trusted or can't be run.
pub fn refusal(refusal: &Refusal) -> Sentence {
    let (name, what, next) = match refusal {
        Refusal::Altered => (
            "Altered",
            "The image was altered or damaged after it was signed.".to_string(),
            "Get it again from where it was signed. If it stays like this, don't use it.",
        ),
        Refusal::NoDigest => (
            "NoDigest",
            "The image carries no digest, so nothing can be said about it.".to_string(),
            "Sign the firmware again with imgtool.",
        ),
        Refusal::Unsigned => (
            "Unsigned",
            "The image is not signed.".to_string(),
            "Sign it: “imgtool sign --key KEY.pem …”.",
        ),
        Refusal::UnknownSigner { key_hash } => (
            "UnknownSigner",
            match key_hash {
                Some(hash) => format!(
                    "The image was signed with a key that is not trusted here ({}).",
                    short(hash)
                ),
                None => "The image does not say which key it was signed with.".to_string(),
            },
            "Compare with the key hash of your vendor. Use the public key that belongs to this image, or the image \
             that was signed with your key.",
        ),
        Refusal::BadSignature { key_hash } => (
            "BadSignature",
            format!(
                "The image names the key {}, but the signature is not of that key.",
                short(key_hash)
            ),
            "Don't use this image. Get it again from where it was signed.",
        ),
        Refusal::DevelopmentKey { key_hash } => (
            "DevelopmentKey",
            format!(
                "The image was signed with a key ({}) whose private half MCUboot publishes: anybody can sign with it.",
                short(key_hash)
            ),
            "Sign with a key of your own (“imgtool keygen”). For a trial on a desk, allow development keys.",
        ),
        Refusal::UnprotectedTlv { kind } => (
            "UnprotectedTlv",
            format!(
                "The image has a {} field outside of what its signature covers.",
                tlv(*kind)
            ),
            "Don't use this image: somebody may have added the field. Sign the firmware again with imgtool.",
        ),
        Refusal::Encrypted => (
            "Encrypted",
            "The image is encrypted.".to_string(),
            "Choose one that was signed without “--encrypt”: encrypted images are not supported yet.",
        ),
        Refusal::Compressed => (
            "Compressed",
            "The image is compressed.".to_string(),
            "Choose one that was signed without “--compression”.",
        ),
        Refusal::NonBootable => (
            "NonBootable",
            "The image is marked as not to be started.".to_string(),
            "Choose one that was signed without “--non-bootable”.",
        ),
        Refusal::RamLoad => (
            "RamLoad",
            "The image wants to run from RAM, which the bootloader does not do.".to_string(),
            "Choose one that was signed without “--load-addr”.",
        ),
        Refusal::UnsupportedDigest { kind } => (
            "UnsupportedDigest",
            format!("The image's digest is a {}, which is not supported.", tlv(*kind)),
            "Sign it with SHA-256 (“imgtool sign --sha 256”).",
        ),
        Refusal::UnsupportedSignature { kind } => (
            "UnsupportedSignature",
            format!(
                "The image's signature is a {} of a kind that is not supported.",
                tlv(*kind)
            ),
            "Sign it with an ECDSA P-256 or Ed25519 key.",
        ),
        other => (
            "Refused",
            format!("The image is refused ({other:?})."),
            "Get it again from where it was signed.",
        ),
    };
    Sentence::new(name, what, next)
}

/// Why a key can't be used.
pub fn key_error(error: &KeyError) -> Sentence {
    let (name, what, next) = match error {
        KeyError::NotPem => (
            "NotAKey",
            "This file holds no public key in PEM.",
            "Choose the file that “imgtool getpub --encoding pem --key KEY.pem” writes.",
        ),
        KeyError::PrivateKey => (
            "PrivateKey",
            "This is a private key. It must not leave the place where images are signed.",
            "Make its public half with “imgtool getpub --encoding pem --key KEY.pem” and use that.",
        ),
        _ => (
            "UnsupportedKey",
            "This key is neither an ECDSA P-256 nor an Ed25519 one.",
            "Use a P-256 or Ed25519 key (“imgtool keygen --type ed25519”).",
        ),
    };
    Sentence::new(name, what, next)
}

/// What an update's end says, as one sentence; the version is what the board runs.
pub fn outcome(outcome: &Outcome) -> String {
    let runs = |version: &Option<String>| match version {
        Some(version) => format!("The board runs {version}."),
        None => "The board says nothing about what it runs.".to_string(),
    };
    match outcome {
        Outcome::Confirmed { version, took } => {
            format!(
                "The board runs {}, confirmed, after {}.",
                self::version(*version),
                time(*took)
            )
        }
        Outcome::RolledBack {
            reason,
            version,
            failed,
        } => {
            let failed = self::version(*failed);
            format!("{} {}", taken_back(&failed, *reason), runs(version))
        }
        Outcome::Unchanged { reason, version } => format!("{} {}", unchanged(*reason), runs(version)),
    }
}

/// What became of an image that does not run, and why.
pub fn taken_back(version: &str, reason: Option<RollbackReason>) -> String {
    let why = reason.map_or("it did not prove itself", rollback);
    if reason.is_some_and(never_started) {
        format!("{version} was never started: {why}.")
    } else {
        format!("{version} was taken back: {why}.")
    }
}

/// Whoever has to do something about it, and what.
pub fn after_rollback(version: &str, reason: Option<RollbackReason>) -> String {
    if reason.is_some_and(never_started) {
        "The board works as before. Choose an image that is made for it and new enough.".into()
    } else {
        format!("The board works as before. Tell whoever built {version}.")
    }
}

fn never_started(reason: RollbackReason) -> bool {
    matches!(
        reason,
        RollbackReason::TooOld | RollbackReason::WrongBoard | RollbackReason::TooLarge
    )
}

/// Why a board runs what it ran.
pub fn unchanged(reason: Unchanged) -> &'static str {
    match reason {
        Unchanged::AlreadyRuns => "Nothing to do: this very image runs and is confirmed.",
        Unchanged::Cancelled => "The update was cancelled; nothing was changed.",
        Unchanged::NotStarted => {
            "The board restarted without starting the new image: its bootloader refused it."
        }
    }
}

/// Why an image was taken back, to follow a colon.
pub fn rollback(reason: RollbackReason) -> &'static str {
    match reason {
        RollbackReason::NotConfirmed => "it restarted, or lost power, before it was confirmed",
        RollbackReason::Deadline => "it did not confirm itself in time",
        RollbackReason::Watchdog => "it hung, and the watchdog restarted the board",
        RollbackReason::Fault => "it crashed",
        RollbackReason::BadImage => "it no longer verified",
        RollbackReason::Unhealthy => "it said itself that it is not well",
        RollbackReason::TooOld => "it is older than the board allows",
        RollbackReason::WrongBoard => "it is for another board",
        RollbackReason::TooLarge => "it is larger than the board can swap in",
        RollbackReason::NoImage => "there was no image to be found",
        _ => match reason.failed_self_test() {
            Some(1) => "its self-test 1 failed",
            Some(2) => "its self-test 2 failed",
            Some(3) => "its self-test 3 failed",
            Some(4) => "its self-test 4 failed",
            Some(_) => "one of its self-tests failed",
            None => "the board gave a reason that this version does not know",
        },
    }
}

/// What a board is doing.
pub fn state(state: BootState) -> &'static str {
    match state {
        BootState::Running => "It runs its application, confirmed.",
        BootState::OnTrial => "It runs its application on trial.",
        BootState::Requested => "It is in its bootloader because it was asked to stay there.",
        BootState::NoImage => "It is in its bootloader: it has nothing to run.",
        BootState::BadImage => {
            "It is in its bootloader: what it has is not signed by a key it trusts, or was altered."
        }
        BootState::TooOld => "It is in its bootloader: what it has is older than it allows.",
        BootState::FlashFailed => "It is in its bootloader: its flash can't be read or written.",
        BootState::Waiting => "It is in its bootloader for a moment and starts its application.",
        BootState::NothingToRevertTo => {
            "It is in its bootloader: the image on trial was not confirmed, and there is none to go back to."
        }
        BootState::GoldenTooOld => {
            "It is in its bootloader: nothing else can run, and its golden image is older than its security counter allows."
        }
        BootState::GoldenBad => {
            "It is in its bootloader: nothing else can run, and its golden image does not verify."
        }
        _ => "It is in a state that this version does not know.",
    }
}

/// What a person may have to do while the session waits.
pub fn attention(attention: Attention) -> &'static str {
    match attention {
        Attention::Unplugged => "The board was unplugged. Plug it in again: the update goes on where it was.",
        Attention::NoPort => {
            "The board restarted, but shows no port: its new application may have none. Waiting; a reset into the \
             bootloader (often a button held while plugging in) lets it be asked."
        }
        Attention::NoAnswer => {
            "The board is there, but does not answer: its new application may not speak SMP, or hangs. Waiting."
        }
        Attention::WaitsInBootloader => {
            "The board is in its bootloader, and nothing has confirmed the new image so far. Waiting."
        }
    }
}

/// What is being done.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "Asking the board who it is",
        Phase::Ready => "Ready",
        Phase::Checking => "Checking the image",
        Phase::Uploading => "Sending the image",
        Phase::Verifying => "The board verifies the image",
        Phase::Restarting => "Restarting the board",
        Phase::Swapping => "The board swaps the images",
        Phase::OnTrial => "The new image runs on trial",
    }
}

/// A version as boards spell it: `1.2.3`, and `1.2.3.4` with a build number.
pub fn version(version: Version) -> String {
    version.write(&mut [0; Version::MAX_LEN]).to_string()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The first eight bytes of a hash in groups: enough to compare by eye.
pub fn short(hash: &[u8]) -> String {
    let text = hex(hash.get(..8).unwrap_or(hash));
    let mut short = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            short.push(' ');
        }
        short.push(digit);
    }
    short
}

/// A UUID as it is usually written.
pub fn uuid(bytes: &[u8; 16]) -> String {
    let text = hex(bytes);
    let part = |range| text.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

/// A TLV's name in imgtool, or its number.
pub fn tlv(kind: TlvKind) -> String {
    kind.name()
        .map_or_else(|| format!("{:#06x}", kind.0), ToString::to_string)
}

/// A number with one decimal: `count` in units of so many. By hand: formatting of floats weighs 10 KB in the page.
fn tenths(count: u64, unit: u64) -> String {
    let tenths = (count * 10 + unit / 2) / unit;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `296 KB`, `1.4 MB`; thousands are 1024, as firmware people count.
pub fn bytes(count: u32) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} KB", count.div_ceil(1024)),
        _ => format!("{} MB", tenths(count.into(), 1_048_576)),
    }
}

/// `11.2 KB/s`.
pub fn rate(per_second: u32) -> String {
    match per_second {
        0..1024 => format!("{per_second} B/s"),
        1024..1_048_576 => format!("{} KB/s", tenths(per_second.into(), 1024)),
        _ => format!("{} MB/s", tenths(per_second.into(), 1_048_576)),
    }
}

/// `8.4 s`, `45 s`, `3 min 20 s`.
pub fn time(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{} s", tenths(time.as_millis() as u64, 1000)),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests;
