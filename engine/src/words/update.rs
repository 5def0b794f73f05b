//! What is said about an update while it goes on, and at its end.

use alloc::format;
use alloc::string::{String, ToString};

use super::time;
use crate::{Attention, BootState, Exchange, Outcome, Phase, RollbackReason, Unchanged, Witness};

/// What an update's end says, as one sentence; the version is what the board runs.
pub fn outcome(outcome: &Outcome) -> String {
    let runs = |version: &Option<String>| match version {
        Some(version) => format!("The board runs {version}."),
        None => "The board says nothing about what it runs.".to_string(),
    };
    match outcome {
        Outcome::Confirmed { version, took, by } => {
            let (version, took) = (super::version(*version), time(*took));
            match by {
                Witness::Itself => format!("The board runs {version}, confirmed, after {took}."),
                Witness::Bootloader => format!(
                    "{version} confirmed itself, as the bootloader says, after {took}. It has no port to be asked at; the \
                     board was restarted into it."
                ),
            }
        }
        Outcome::RolledBack {
            reason,
            version,
            failed,
        } => {
            let failed = super::version(*failed);
            format!("{} {}", rolled_back(&failed, *reason), runs(version))
        }
        Outcome::Unchanged { reason, version } => format!("{} {}", unchanged(*reason), runs(version)),
    }
}

/// What became of an image that does not run, and why: a whole sentence.
pub fn rolled_back(version: &str, reason: Option<RollbackReason>) -> String {
    let Some(reason) = reason else {
        return format!("Rolled back: {version} did not pass its test.");
    };
    match reason {
        RollbackReason::NotConfirmed => {
            format!("Rolled back: the board restarted, or lost power, before {version} was confirmed.")
        }
        RollbackReason::Deadline => format!("Rolled back: {version} did not confirm itself in time."),
        RollbackReason::Watchdog => {
            format!("Rolled back: {version} hung, and the watchdog restarted the board.")
        }
        RollbackReason::Fault => format!("Rolled back: {version} crashed."),
        RollbackReason::BadImage => format!("Rolled back: the signature check of {version} failed."),
        RollbackReason::Unhealthy => format!("Rolled back: {version} said that it is not well."),
        RollbackReason::TooOld => format!("Not started: {version} is older than the board allows."),
        RollbackReason::WrongBoard => format!("Not started: {version} is for another board."),
        RollbackReason::TooLarge => format!("Not started: {version} is too large for the board to install."),
        RollbackReason::NoImage => format!("Not started: the board found no image of {version}."),
        _ => match reason.failed_self_test() {
            Some(number @ 1..) => format!("Rolled back: self-test {number} of {version} failed."),
            Some(_) => format!("Rolled back: a self-test of {version} failed."),
            None => format!(
                "Rolled back: {version} failed for a reason that this version of Bootlace does not know."
            ),
        },
    }
}

/// What to do about an image that does not run.
pub fn after_rollback(reason: Option<RollbackReason>) -> &'static str {
    match reason {
        Some(RollbackReason::TooOld | RollbackReason::WrongBoard | RollbackReason::TooLarge) => {
            "Choose firmware that is made for this board and new enough."
        }
        _ => "Report this to your firmware supplier; save the log.",
    }
}

/// Why a board runs what it ran.
pub fn unchanged(reason: Unchanged) -> &'static str {
    match reason {
        Unchanged::AlreadyRuns => "This firmware is already installed.",
        Unchanged::Cancelled => "Update cancelled. The running firmware was not changed.",
        Unchanged::NotStarted => {
            "The board restarted without starting the new firmware: its bootloader refused it."
        }
    }
}

/// What a board is doing.
pub fn state(state: BootState) -> &'static str {
    match state {
        BootState::Running => "Running, confirmed.",
        BootState::OnTrial => "Testing the new firmware (not confirmed yet).",
        BootState::Requested => "In bootloader mode (started by button or request).",
        BootState::NoImage => "In bootloader mode: the board has no firmware to run.",
        BootState::BadImage => "In bootloader mode: the signature check of the board’s firmware failed.",
        BootState::WrongBoard => "In bootloader mode: the board’s firmware is for another board.",
        BootState::NoKey => {
            "In bootloader mode: the board has no key to check firmware with, its identity block is blank or damaged. Fill the \
             block (bootlace companion fill) and flash the bootloader again."
        }
        BootState::TooOld => "In bootloader mode: the board’s firmware is older than the board allows.",
        BootState::FlashFailed => "In bootloader mode: the board’s flash can’t be read or written.",
        BootState::Waiting => "In bootloader mode for a moment; the board starts its firmware by itself.",
        BootState::NothingToRevertTo => {
            "In bootloader mode: the new firmware was not confirmed, and there is none to go back to."
        }
        BootState::GoldenTooOld => {
            "In bootloader mode: nothing else can run, and the backup copy is older than the security counter allows."
        }
        BootState::GoldenBad => {
            "In bootloader mode: nothing else can run, and the signature check of the backup copy failed."
        }
        _ => "In a state that this version of Bootlace does not know.",
    }
}

/// What has to be said before an update that can't be undone; `None`: the board can take its image back.
pub fn no_way_back(exchange: Exchange) -> Option<&'static str> {
    match exchange {
        Exchange::Swap | Exchange::Unsupported(_) => None,
        Exchange::Overwrite => Some(
            "There is no way back: when this board restarts, it writes the new image over the one that it runs.",
        ),
        Exchange::InPlace => Some(
            "There is no way back: this board’s bootloader writes the new image over the one that is there while it \
             arrives, and starts it without a trial.",
        ),
    }
}

/// What a person may have to do while the session waits.
pub fn attention(attention: Attention) -> &'static str {
    match attention {
        Attention::Unplugged => {
            "The board was unplugged. Plug it in again: the update continues where it was."
        }
        Attention::NoPort => {
            "The board restarted, but shows no port: its new firmware may have none. Restart the board in bootloader mode \
             (often a button held while plugging in), so that it can say how it is; or wait."
        }
        Attention::NoAnswer => {
            "The board is there, but does not answer: its new firmware may not speak SMP, or hangs. Restart the board in \
             bootloader mode (often a button held while plugging in), so that it can say how it is; or wait."
        }
        Attention::WaitsInBootloader => {
            "The board is in bootloader mode, and nothing has confirmed the new firmware so far. Restart it without its \
             button held, so that the new firmware runs; or wait."
        }
        Attention::ConfirmsItself => {
            "The new firmware confirms itself once it has passed its own test; nobody else may. Wait for it."
        }
    }
}

/// What is being done.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "Asking the board who it is",
        Phase::Ready => "Ready",
        Phase::Uploading => "Sending the firmware",
        Phase::Verifying => "The board checks the firmware",
        Phase::Restarting => "Restarting the board",
        Phase::Swapping => "Installing the new firmware",
        Phase::OnTrial => "Testing the new firmware (not confirmed yet)",
    }
}
