//! What the page says: labels, figures, and the problems that only a browser has. The sentences for what goes wrong
//! with a board or an image are shared with the command line and live in `bootlace_engine::words`.

pub use bootlace_engine::words::{bytes, rate};

use crate::messages::{
    Behaviour, BoardCard, Cable, Note, Outcome, Phase, Plan, Problem, Progress, Role, Sends, Standing, Way,
};
use crate::state::{Run, State};

/// What goes wrong in the browser, before a session could see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageError {
    /// No `navigator.serial`.
    NoWebSerial,
    /// Neither https nor localhost.
    Insecure,
    /// The site's Permissions-Policy or the administrator's policy says no.
    Forbidden,
    /// The chooser was closed without a choice.
    NoPortChosen,
    /// No port that this page may use is plugged in.
    NoPort,
    /// Another tab of this page holds the port.
    OtherTab,
    /// `open()` failed again and again.
    PortBusy,
    /// The port went away while it was being opened.
    PortVanished,
    /// The file could not be read.
    Unreadable,
    /// The file is larger than any firmware.
    FileTooLarge,
    /// The file holds no public key.
    NotAKey,
    /// The simulated board has no key to trust.
    NoDemoKey,
    /// The worker died.
    EngineStopped,
}

impl From<PageError> for Problem {
    fn from(error: PageError) -> Self {
        use PageError as E;
        let (what, next) = match error {
            E::NoWebSerial => (
                "This browser can't reach boards: it has no Web Serial.",
                "Open this page in Chrome or Edge on a computer (89 or newer), in Chrome on Android (148 or newer) \
                 or in Firefox on a computer (151 or newer).",
            ),
            E::Insecure => (
                "This page was opened over a connection that isn't secure, so the browser keeps serial ports from it.",
                "Open it with https:// or, on this computer, as http://localhost.",
            ),
            E::Forbidden => (
                "A policy keeps this page from serial ports.",
                "Ask whoever runs this site to allow “serial” in its Permissions-Policy, or your administrator to \
                 allow serial ports for it.",
            ),
            E::NoPortChosen => (
                "No port was chosen.",
                "Plug the board in, press Connect and pick it from the list. Is it not in the list? Try another \
                 cable (some only charge) or another socket.",
            ),
            E::NoPort => (
                "No board is plugged in that this page may use.",
                "Plug the board in, press Connect and pick it from the list.",
            ),
            E::OtherTab => (
                "Another tab of this page is using the board.",
                "Go on in that tab, or close it and press Connect here.",
            ),
            E::PortBusy => (
                "The port can't be opened: another program is using it.",
                "Close terminals and other tools that use the port, then press Connect. On Linux, a port that was \
                 plugged in just now can be busy for ten seconds: wait and press Connect again.",
            ),
            E::PortVanished => (
                "The port went away while it was being opened.",
                "Check the cable and plug the board in again. The page connects by itself.",
            ),
            E::Unreadable => (
                "The file could not be read.",
                "Choose it again. If it lies on a stick or a network drive, copy it to this computer first.",
            ),
            E::FileTooLarge => (
                "This file is too large to be firmware.",
                "Choose the signed firmware image (usually a .bin file of less than a few megabytes).",
            ),
            E::NotAKey => (
                "This file holds no public key that the page can use.",
                "Choose a PEM file with a P-256 or Ed25519 public key (“imgtool getpub -e pem” writes one). A \
                 private key must not leave the place where images are signed.",
            ),
            E::NoDemoKey => (
                "The simulated board has no key to trust.",
                "Add the public key of whoever signs your firmware (under Firmware, Trusted keys), then try again.",
            ),
            E::EngineStopped => (
                "The page's engine stopped.",
                "Reload the page and connect again: the board keeps what it has and the update goes on from there.",
            ),
        };
        Problem {
            name: format!("{error:?}"),
            what: what.into(),
            next: next.into(),
            unharmed: false,
        }
    }
}

/// `9 s`, `2 min 5 s`.
pub fn seconds(count: u32) -> String {
    match (count / 60, count % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// `0.8 s`, `12 s`.
pub fn milliseconds(count: u32) -> String {
    if count < 9_950 {
        bootlace_engine::words::time(std::time::Duration::from_millis(count.into()))
    } else {
        seconds((count + 500) / 1000)
    }
}

/// A hash short enough to read out loud: its first eight digits in two groups.
pub fn short_hash(hash: &str) -> String {
    match (hash.get(..4), hash.get(4..8)) {
        (Some(first), Some(second)) => format!("{first} {second}"),
        _ => hash.to_owned(),
    }
}

/// A hash in groups of four digits.
pub fn long_hash(hash: &str) -> String {
    let mut grouped = String::with_capacity(hash.len() * 5 / 4);
    for (at, digit) in hash.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// Percent done, rounded down: 100 means all of it.
pub fn percent(progress: &Progress) -> u32 {
    if progress.total == 0 {
        return 0;
    }
    (u64::from(progress.done.min(progress.total)) * 100 / u64::from(progress.total)) as u32
}

/// The tab's title: how far it is, or how it ended.
pub fn title(state: &State) -> String {
    let news = match state.board().map(|board| (&board.run, board.cable)) {
        Some((Run::Running { .. }, Cable::Lost)) => Some("Unplugged".to_owned()),
        Some((Run::Running { progress, .. }, _)) if progress.phase == Phase::Send => {
            Some(format!("{} %", percent(progress)))
        }
        Some((Run::Running { progress, .. }, _)) => Some(phase(progress.phase).to_owned()),
        Some((Run::Ended { outcome, .. }, _)) => Some(ending(outcome).to_owned()),
        _ => None,
    };
    news.map_or_else(|| "Bootlace".to_owned(), |news| format!("{news} · Bootlace"))
}

/// The end of an update in a word or two.
pub fn ending(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Confirmed { .. } => "Done",
        Outcome::RolledBack { .. } => "Rolled back",
        Outcome::Unchanged { .. } => "Unchanged",
        Outcome::Failed(_) => "Failed",
    }
}

/// What the button says.
pub fn button(plan: Option<&Plan>, image: bool, board: bool) -> String {
    match plan {
        Some(Plan::Ready { way, from, to, .. }) => match (way, from) {
            (Way::Update, Some(from)) => format!("Update {from} to {to}"),
            (Way::Downgrade, Some(from)) => format!("Go back from {from} to {to}"),
            (Way::Nothing, _) => format!("The board runs {to} already"),
            (Way::Watch, _) => format!("Watch {to} prove itself"),
            (Way::Replace, _) => format!("Replace {to} with this {to}"),
            _ => format!("Install {to}"),
        },
        Some(Plan::Refused(_)) => "Can’t update this board".into(),
        None => match (image, board) {
            (false, false) => "Choose firmware and connect a board".into(),
            (false, true) => "Choose firmware".into(),
            (true, false) => "Connect a board".into(),
            (true, true) => "Asking the board".into(),
        },
    }
}

/// The short name of a step.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Verify => "Verify",
        Phase::Send => "Send",
        Phase::Restart => "Restart",
        Phase::Swap => "Swap",
        Phase::Trial => "On trial",
        Phase::Confirmed => "Confirmed",
    }
}

/// What will be sent, where there is something to say about that.
pub fn sends(sends: &Sends) -> Option<String> {
    match sends {
        Sends::Whole => None,
        Sends::WholeBecause(reason) => Some(reason.clone()),
        Sends::WholeWanted => Some("The whole image is sent.".into()),
        Sends::Making(percent) => Some(format!("Working out what changed: {percent} %")),
        Sends::Patch(saving) => Some(format!("Only what changed is sent: {saving}.")),
    }
}

/// The name of what will be sent, for tests.
pub fn sends_name(sends: &Sends) -> &'static str {
    match sends {
        Sends::Whole | Sends::WholeWanted => "whole",
        Sends::WholeBecause(_) => "unseen",
        Sends::Making(_) => "making",
        Sends::Patch(_) => "patch",
    }
}

/// What became of the patch, while the update runs and once it is `over`.
pub fn note(note: &Note, over: bool) -> String {
    match (note, over) {
        (Note::Saves(saving), false) => format!("Only what changed is sent: {saving}."),
        (Note::Saves(saving), true) => format!("Only what changed was sent: {saving}."),
        (Note::Whole(reason), _) => reason.clone(),
    }
}

/// Why no patch can be made from a version.
pub fn unseen(version: &str) -> String {
    format!("The whole image is sent, because this browser has never seen {version}, which the board runs.")
}

/// What happens in a step.
pub fn doing(progress: &Progress) -> &'static str {
    match progress.phase {
        Phase::Verify if progress.patch => "Working out what changed",
        Phase::Send if progress.patch => "Sending what changed",
        Phase::Verify => "Checking the image against this board",
        Phase::Send => "Sending",
        Phase::Restart => "The board checks the image and restarts",
        Phase::Swap => "The bootloader puts the new firmware in place",
        Phase::Trial => "The new firmware runs and must prove itself",
        Phase::Confirmed => "Confirmed",
    }
}

/// Whether the board may be unplugged in a step, for the worried.
pub fn comfort(phase: Phase) -> &'static str {
    match phase {
        Phase::Verify | Phase::Send => {
            "If the cable slips out, plug it in again: the update goes on by itself."
        }
        Phase::Restart | Phase::Swap => {
            "Leave it plugged in. Should power fail, the board finishes this by itself."
        }
        Phase::Trial => "If it doesn’t prove itself in time, the board takes the old firmware back.",
        Phase::Confirmed => "",
    }
}

/// `182 of 296 KB · 11.2 KB/s · 9 s left`, as far as it is known.
pub fn figures(progress: &Progress) -> String {
    let mut parts = Vec::new();
    if progress.phase == Phase::Send {
        parts.push(format!("{} of {}", bytes(progress.done), bytes(progress.total)));
    }
    parts.extend(progress.rate.map(rate));
    parts.extend(progress.remaining.map(|left| format!("{} left", seconds(left))));
    parts.join(" · ")
}

/// Who answers.
pub fn role(card: &BoardCard) -> &'static str {
    let trial = card.slots.iter().any(|slot| {
        slot.holds
            .as_ref()
            .is_some_and(|held| held.standing == Standing::OnTrial)
    });
    match card.role {
        Role::Bootloader => "waits in its bootloader",
        Role::Application if trial => "runs on trial",
        Role::Application if card.running.is_some() => "runs",
        Role::Application | Role::Unknown => "",
    }
}

/// How an image stands.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Confirmed => "confirmed",
        Standing::OnTrial => "on trial",
        Standing::Pending => "next",
        Standing::Stored => "stored",
    }
}

/// How the simulated application behaves.
pub fn behaviour(behaviour: Behaviour) -> &'static str {
    match behaviour {
        Behaviour::Works => "all goes well",
        Behaviour::NeverConfirms => "the new firmware never confirms itself",
        Behaviour::Crashes => "the new firmware crashes",
        Behaviour::Hangs => "the new firmware hangs",
        Behaviour::NoPort => "the new firmware has no port",
        Behaviour::LowBattery => "the battery is too low",
        Behaviour::Damaged => "the stored firmware is damaged",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_like_a_person_wrote_them() {
        assert_eq!(seconds(125), "2 min 5 s");
        assert_eq!(milliseconds(812), "0.8 s");
        assert_eq!(milliseconds(59_700), "1 min");
        assert_eq!(short_hash("e30b8a4e11"), "e30b 8a4e");
        assert_eq!(long_hash("e30b8a4e11"), "e30b 8a4e 11");
    }

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        let progress = |done, total| Progress {
            done,
            ..Progress::at(Phase::Send, total)
        };
        assert_eq!(percent(&progress(999, 1000)), 99);
        assert_eq!(percent(&progress(u32::MAX, u32::MAX)), 100);
        assert_eq!(percent(&progress(0, 0)), 0);
    }

    #[test]
    fn the_button_says_what_it_will_do_or_what_is_missing() {
        let ready = |way, from: Option<&str>| Plan::Ready {
            way,
            from: from.map(Into::into),
            to: "7.28.0".into(),
            stored: false,
            sends: Sends::Whole,
        };
        assert_eq!(
            button(Some(&ready(Way::Update, Some("7.27.0"))), true, true),
            "Update 7.27.0 to 7.28.0"
        );
        assert_eq!(
            button(Some(&ready(Way::Downgrade, Some("7.29.0"))), true, true),
            "Go back from 7.29.0 to 7.28.0"
        );
        assert_eq!(
            button(Some(&ready(Way::Install, None)), true, true),
            "Install 7.28.0"
        );
        assert_eq!(button(None, false, true), "Choose firmware");
    }
}
