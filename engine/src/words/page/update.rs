//! An update in the page: what it would do, where it is, how it ended.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::super::{self as words, Sentence, bytes, rate, time, version};
use super::figures::{seconds, spelled};
use super::labels::labels;
use super::problem::{self, Problem};
use crate::{
    Attention, Content, Error, NoPatch, Outcome, Phase, Plan, Progress, Route, Saving, Unchanged, Way,
    Witness,
};

/// What pressing the button would do to a board with the chosen image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What would be done; or what speaks against it.
    pub plan: Result<Plan, Error>,
    /// What would go over the cable.
    pub sends: Sends,
}

/// What goes over the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sends {
    /// The whole image, because no patch is of use.
    Whole(NoPatch),
    /// The whole image, because the person wants it so.
    WholeWanted,
    /// The patch is being made; percent.
    Making(u32),
    /// A patch.
    Patch(Saving),
}

/// What became of a patch in an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PatchFate {
    /// The patch goes, or went, in place of the image.
    Saves(Saving),
    /// The whole image goes, or went.
    Whole(NoPatch),
}

/// The steps of an update as the page draws them, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// The image is checked against the board.
    Verify,
    /// Image or patch goes over the cable.
    Send,
    /// The board checks what arrived and restarts.
    Restart,
    /// The bootloader exchanges the images.
    Swap,
    /// The new image runs and is not confirmed yet.
    Trial,
    /// The new image stays.
    Confirmed,
}

impl Step {
    /// All of them in order.
    pub const ALL: [Self; 6] = [
        Self::Verify,
        Self::Send,
        Self::Restart,
        Self::Swap,
        Self::Trial,
        Self::Confirmed,
    ];

    /// Where a phase of the session belongs.
    pub fn of(phase: Phase) -> Self {
        match phase {
            Phase::Connecting | Phase::Ready => Self::Verify,
            Phase::Uploading => Self::Send,
            Phase::Verifying | Phase::Restarting => Self::Restart,
            Phase::Swapping => Self::Swap,
            Phase::OnTrial => Self::Trial,
        }
    }
}

/// Where a running update is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// What the session does.
    pub phase: Phase,
    /// How far the upload is, while there is one.
    pub progress: Option<Progress>,
    /// How far the patch is made, in percent, while it is being made.
    pub making: Option<u32>,
    /// Seconds that are left to the trial, where the board says so.
    pub trial_left: Option<u32>,
    /// What the person may have to do.
    pub attention: Option<Attention>,
    /// The board restarted while the new image was on trial: what answers from here on is no longer that image.
    pub went_back: bool,
    /// What became of the patch.
    pub patch: Option<PatchFate>,
}

impl Running {
    /// At its start.
    pub fn new() -> Self {
        Running {
            phase: Phase::Ready,
            progress: None,
            making: None,
            trial_left: None,
            attention: None,
            went_back: false,
            patch: None,
        }
    }

    /// The step that is drawn.
    pub fn step(&self) -> Step {
        Step::of(self.phase)
    }

    /// Done and all of what is being counted: bytes that the board acknowledged, or percent of a patch that is made.
    pub fn counted(&self) -> Option<(u32, u32)> {
        match (self.step(), self.making, &self.progress) {
            (Step::Verify, Some(percent), _) => Some((percent, 100)),
            (Step::Send, _, Some(progress)) => Some((progress.done, progress.total)),
            _ => None,
        }
    }

    fn sends_patch(&self) -> bool {
        let content = self.progress.map(|progress| progress.content);
        content.map_or(matches!(self.patch, Some(PatchFate::Saves(_))), |content| {
            content == Content::Patch
        })
    }
}

impl Default for Running {
    fn default() -> Self {
        Running::new()
    }
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The board said how.
    Outcome {
        /// What the board said.
        outcome: Outcome,
        /// What became of the patch.
        patch: Option<PatchFate>,
    },
    /// It ended without the board's word.
    Failed(Problem),
    /// The person let the board go before it had said how.
    Left,
}

/// An end in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The end in a word or two, for the tab's title.
    pub word: &'static str,
    /// What happened.
    pub title: String,
    /// Why, and what to do next.
    pub text: String,
    /// What became of the patch.
    pub note: Option<String>,
    /// What is known about the firmware that the board ran.
    pub unharmed: Option<&'static str>,
    /// What the button says that leads on.
    pub next: &'static str,
}

/// How an update ended; `gone`: the board is not there any more.
pub fn end(ending: &Ending, gone: bool) -> Told {
    let told = |word, title: String, text: String, next| Told {
        word,
        title,
        text,
        note: None,
        unharmed: None,
        next: if gone { "Next board" } else { next },
    };
    match ending {
        Ending::Outcome {
            outcome:
                Outcome::Confirmed {
                    version: new,
                    took,
                    by,
                },
            patch,
        } => {
            let (title, text) = match by {
                Witness::Itself => (
                    format!("Done. The board runs {}.", version(*new)),
                    format!(
                        "The new firmware started, passed its self-test and is confirmed ({}).",
                        time(*took)
                    ),
                ),
                Witness::Bootloader => (
                    format!("Done. {} is confirmed.", version(*new)),
                    format!(
                        "The bootloader says that the new firmware started and confirmed itself ({}). The firmware has no \
                         port to be asked at; the board was restarted into it.",
                        time(*took)
                    ),
                ),
            };
            Told {
                note: patch.as_ref().map(|patch| patch_fate(patch, true)),
                ..told("Done", title, text, "Next board / Update again")
            }
        }
        Ending::Outcome {
            outcome:
                Outcome::RolledBack {
                    reason,
                    version: old,
                    failed,
                },
            ..
        } => {
            let failed = version(*failed);
            let runs = match old {
                Some(old) => format!("The board runs {} again.", spelled(old)),
                None => "The board does not say what it runs.".to_string(),
            };
            let text = format!("{runs} {}", words::after_rollback(*reason));
            told(
                "Rolled back",
                words::rolled_back(&failed, *reason),
                text,
                "Try again",
            )
        }
        Ending::Outcome {
            outcome: Outcome::Unchanged { reason, .. },
            ..
        } => {
            let (title, text) = match reason {
                Unchanged::AlreadyRuns => (
                    "This firmware is already installed.",
                    "Nothing was sent to the board.",
                ),
                Unchanged::Cancelled => ("Update cancelled.", "The running firmware was not changed."),
                Unchanged::NotStarted => (
                    "The board did not start the new firmware.",
                    "The board’s bootloader refused it. Ask your firmware supplier for the file for this board.",
                ),
            };
            told("Unchanged", title.into(), text.into(), "Try again")
        }
        Ending::Failed(problem) => {
            let Sentence {
                what, next, unharmed, ..
            } = problem::problem(problem);
            Told {
                unharmed: unharmed.then_some(labels().unharmed),
                ..told("Failed", what, next, "Try again")
            }
        }
        Ending::Left => told(
            "Not known",
            "You disconnected before the board had said how the update ended.".into(),
            "The board continues by itself. Connect it again to see what it runs.".into(),
            "Next board",
        ),
    }
}

/// The tab's title while something is under way, so that a tab that nobody looks at tells.
pub fn news(running: &Running, unplugged: bool) -> String {
    match running.counted() {
        _ if unplugged => "Unplugged: plug it in".into(),
        _ if running
            .attention
            .is_some_and(|it| !matches!(it, Attention::Unplugged | Attention::ConfirmsItself)) =>
        {
            "Needs you".into()
        }
        Some((done, total)) if running.step() == Step::Send => format!("{} %", percent(done, total)),
        _ => step(running.step()).into(),
    }
}

/// What the button says, or what is missing before it can be pressed.
pub fn button(offer: Option<&Offer>, image: bool, board: bool) -> String {
    let plan = match offer.map(|offer| &offer.plan) {
        Some(Ok(plan)) => plan,
        Some(Err(_)) => return "Can’t update this board".into(),
        None => {
            return match (image, board) {
                (false, false) => "Choose firmware and connect a board",
                (false, true) => "Choose firmware",
                (true, false) => "Connect a board",
                (true, true) => "Asking the board",
            }
            .into();
        }
    };
    let to = version(plan.to);
    match (plan.route, plan.way, plan.from.as_deref().map(spelled)) {
        (Route::Nothing, ..) => format!("{to} is already installed"),
        (Route::Watch, ..) => format!("Watch the test of {to}"),
        (Route::Restart, Way::Same, _) => format!("Restart the board into {to}"),
        (_, Way::Update, Some(from)) => format!("Update {from} to {to}"),
        (_, Way::Downgrade, Some(from)) => format!("Go back from {from} to {to}"),
        (_, Way::Same, _) => format!("Install {to} again"),
        (_, Way::Replace, Some(from)) if from == to => format!("Replace {from} with this other {to}"),
        (_, Way::Replace, Some(from)) => format!("Replace {from} with {to}"),
        _ => format!("Install {to}"),
    }
}

/// What there is to know about a plan before the button is pressed.
pub fn note(plan: &Plan) -> Option<&'static str> {
    let stored = matches!(plan.route, Route::Test | Route::Restart);
    // What can't be undone comes first.
    let no_way_back = words::no_way_back(plan.exchange).filter(|_| plan.route != Route::Nothing);
    if no_way_back.is_some() {
        return no_way_back;
    }
    match (plan.route, plan.way) {
        (Route::Nothing, _) => Some("This firmware is already installed."),
        (Route::Watch, _) => {
            Some("The board is testing this firmware: the page waits until the board says how that ends.")
        }
        (Route::Restart, Way::Same) => Some(
            "The board has this firmware and is in its bootloader: it starts the firmware when it restarts.",
        ),
        (_, Way::Same) if stored => {
            Some("The board has this firmware in its second slot: nothing has to be sent.")
        }
        (_, Way::Same) => Some("The board has this firmware, but does not start it: it is sent again."),
        (_, Way::Downgrade) if stored => Some(
            "This is an older version than the one that runs. The board has it already: nothing has to be sent.",
        ),
        (_, Way::Downgrade) => Some("This is an older version than the one that runs."),
        (_, Way::Replace) if stored => {
            Some("Same version number, different content. The board has it already: nothing has to be sent.")
        }
        (_, Way::Replace) => Some("Same version number, different content."),
        (_, Way::Install | Way::Update) if stored => {
            Some("The board has this firmware already: nothing has to be sent.")
        }
        (_, Way::Install | Way::Update) => None,
    }
}

/// What will be sent, where there is something to say about that. `running` is the version that the board runs.
pub fn sends(sends: &Sends, running: Option<&str>) -> Option<String> {
    match (sends, running) {
        (Sends::Whole(NoPatch::BaseNotFound), Some(running)) => Some(format!(
            "No copy of {} in this browser, so the full image is sent.",
            spelled(running)
        )),
        (Sends::Whole(_), _) => None,
        (Sends::WholeWanted, _) => Some("The full image is sent.".into()),
        (Sends::Making(percent), _) => Some(format!("Preparing the small update: {percent} %")),
        (Sends::Patch(saving), _) => Some(format!("Small update: {}.", words::saving(saving))),
    }
}

/// What becomes of the patch, while the update runs and once it is `over`.
pub fn patch_fate(fate: &PatchFate, over: bool) -> String {
    match (fate, over) {
        (PatchFate::Saves(saving), false) => format!("Only what changed is sent: {}.", words::saving(saving)),
        (PatchFate::Saves(saving), true) => format!("Only what changed was sent: {}.", words::saving(saving)),
        (PatchFate::Whole(reason), _) => words::no_patch(*reason),
    }
}

/// The short name of a step.
pub fn step(step: Step) -> &'static str {
    match step {
        Step::Verify => "Check",
        Step::Send => "Send",
        Step::Restart => "Restart",
        Step::Swap => "Install",
        Step::Trial => "Test",
        Step::Confirmed => "Confirmed",
    }
}

/// What happens now.
pub fn doing(running: &Running, unplugged: bool) -> &'static str {
    match running.step() {
        _ if unplugged => "Unplugged",
        Step::Trial if running.went_back => "The board restarted before the new firmware was confirmed",
        Step::Verify if running.making.is_some() => "Preparing the small update",
        Step::Send if running.sends_patch() => "Sending the small update",
        Step::Verify => "Checking the image against this board",
        Step::Send => "Sending the firmware",
        Step::Restart => "The board checks the image and restarts",
        Step::Swap => "Installing the new firmware",
        Step::Trial => "Testing the new firmware (not confirmed yet)",
        Step::Confirmed => "Confirmed",
    }
}

/// What the person should know or do meanwhile.
pub fn comfort(running: &Running, unplugged: bool) -> &'static str {
    match (running.attention, running.step()) {
        _ if unplugged => "Plug the board in again: the update continues where it was.",
        (Some(attention), _) if attention != Attention::Unplugged => words::attention(attention),
        (_, Step::Trial) if running.went_back => "The page waits for the board to say what it runs now.",
        (_, Step::Verify | Step::Send) => {
            "If the cable slips out, plug it in again: the update continues by itself."
        }
        (_, Step::Restart | Step::Swap) => {
            "Leave the board plugged in. If power is lost, the board continues when power returns."
        }
        (_, Step::Trial) => {
            "If the new firmware does not pass its test, the board goes back to the old firmware."
        }
        (_, Step::Confirmed) => "",
    }
}

/// `182 KB of 296 KB · 11.2 KB/s · 9 s left`, as far as it is known. Nothing while the board is `unplugged`.
pub fn figures(running: &Running, unplugged: bool) -> String {
    let mut parts = Vec::new();
    match (running.step(), &running.progress) {
        (Step::Send, Some(progress)) => {
            parts.push(format!("{} of {}", bytes(progress.done), bytes(progress.total)));
            if !unplugged {
                parts.extend(progress.rate.map(rate));
                let left = progress
                    .remaining
                    .map(|left| u32::try_from(left.as_secs()).unwrap_or(u32::MAX));
                parts.extend(left.map(|left| format!("{} left", seconds(left))));
            }
        }
        (Step::Trial, _) if !unplugged && !running.went_back => {
            parts.extend(running.trial_left.map(|left| format!("{} left", seconds(left))));
        }
        _ => {}
    }
    parts.join(" · ")
}

/// Percent done, rounded down: 100 means all of it.
pub fn percent(done: u32, total: u32) -> u32 {
    let percent = (u64::from(done.min(total)) * 100)
        .checked_div(total.into())
        .unwrap_or(0);
    percent as u32
}

/// Said out loud every tenth of the way, not at every packet.
pub fn spoken_percent(percent: u32) -> Option<String> {
    (percent >= 10).then(|| format!("{} percent sent", percent / 10 * 10))
}
