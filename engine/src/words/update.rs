//! What is said about an update while it goes on, and at its end.

use alloc::format;
use alloc::string::{String, ToString};

use super::time;
use crate::{Attention, BootState, Outcome, Phase, RollbackReason, Unchanged};

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
                super::version(*version),
                time(*took)
            )
        }
        Outcome::RolledBack {
            reason,
            version,
            failed,
        } => {
            let failed = super::version(*failed);
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
        Phase::Uploading => "Sending the image",
        Phase::Verifying => "The board verifies the image",
        Phase::Restarting => "Restarting the board",
        Phase::Swapping => "The board swaps the images",
        Phase::OnTrial => "The new image runs on trial",
    }
}
