//! The page in its states, rendered on the host: what drives it from outside finds what it looks for.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::rc::Rc;
use std::time::Duration;

use bootlace_app::messages::*;
use bootlace_app::state::{Action, Choosers, Demo, DemoImage, State};
use bootlace_app::view::{Page, Props, title};
use bootlace_engine::{
    Attention, BoardInfo, Content, Error, Failure, JournalEntry, JournalOutcome, NoPatch, Outcome, Phase,
    Progress, Release, RollbackReason, Saving, Supply, Unchanged,
};
use bootlace_image::{KeyError, Refusal, Unstartable, Version};
use common::*;
use yew::Callback;

fn state(actions: impl IntoIterator<Item = Action>) -> State {
    let mut state = State::default();
    state.apply(notice(Notice::Ready));
    actions.into_iter().for_each(|action| state.apply(action));
    state
}

fn render(actions: impl IntoIterator<Item = Action>) -> String {
    let props = Props {
        state: Rc::new(state(actions)),
        on: Callback::noop(),
    };
    let page = yew::LocalServerRenderer::<Page>::with_props(props).hydratable(false);
    futures::executor::block_on(page.render())
}

fn has(html: &str, id: &str) -> bool {
    html.contains(&format!("data-testid=\"{id}\""))
}

/// The start tag of the element with this id.
fn tag<'a>(html: &'a str, id: &str) -> &'a str {
    let at = html.find(&format!("data-testid=\"{id}\"")).unwrap();
    let start = html[..at].rfind('<').unwrap();
    let end = at + html[at..].find('>').unwrap();
    &html[start..end]
}

/// The text from an element's start tag to the next tag.
fn text<'a>(html: &'a str, id: &str) -> &'a str {
    let at = html.find(&format!("data-testid=\"{id}\"")).unwrap();
    let start = at + html[at..].find('>').unwrap() + 1;
    &html[start..start + html[start..].find('<').unwrap()]
}

fn ready() -> Vec<Action> {
    let image = chosen(image("new.bin", "2.0.0", &[]));
    let offer = offered(offer("1.0.0", "2.0.0", Sends::Whole(NoPatch::NotSupported)));
    image
        .into_iter()
        .chain(met(board("1.0.0")))
        .chain([offer])
        .collect()
}

fn with(more: impl IntoIterator<Item = Action>) -> Vec<Action> {
    ready().into_iter().chain(more).collect()
}

fn silent(phase: Phase) -> Problem {
    Problem::Session(Failure {
        error: Error::PortLost,
        phase,
        unharmed: phase < Phase::Verifying,
    })
}

fn saving() -> Saving {
    Saving::new(100_000, 6_000, None)
}

fn sending(done: u32) -> Running {
    Running {
        progress: Some(Progress {
            content: Content::Image,
            done,
            total: 100_000,
            rate: Some(10_240),
            remaining: Some(Duration::from_secs(5)),
        }),
        ..running(Phase::Uploading)
    }
}

fn confirmed(patch: Option<PatchFate>) -> Ending {
    let version = Version::parse("2.0.0").unwrap();
    let took = Duration::from_secs(1);
    Ending::Outcome {
        outcome: Outcome::Confirmed {
            version,
            took,
            by: bootlace_engine::Witness::Itself,
        },
        patch,
    }
}

#[test]
fn an_empty_page_offers_what_there_is_to_do() {
    let demo = Demo {
        images: vec![DemoImage {
            title: "A hub".into(),
            file: "hub.bin".into(),
        }],
        ..Demo::default()
    };
    let html = render([Action::Demo(demo)]);
    for id in [
        "choose-image",
        "add-key",
        "demo-image",
        "connect",
        "simulate",
        "behaviour",
        "update",
    ] {
        assert!(has(&html, id), "{id}");
    }
    assert!(tag(&html, "update").contains("disabled"));
    assert!(!tag(&html, "connect").contains("disabled"));
    assert!(tag(&html, "demo-image").contains("data-file=\"hub.bin\""));
    assert_eq!(html.matches("<h1").count(), 1);
}

#[test]
fn an_image_that_no_cortex_m_can_start_is_warned_about_without_a_board() {
    let html = render(chosen(unstartable()));
    assert!(tag(&html, "image-warning").contains("data-warning=\"Unstartable\""));
    assert!(html.contains("its stack pointer, 0x00000000, does not point into RAM"));
    assert!(!has(
        &render(chosen(image("new.bin", "2.0.0", &[]))),
        "image-warning"
    ));
}

/// The board's panel names its addresses; the same thing is not said twice.
#[test]
fn what_a_board_refuses_to_start_is_said_once() {
    let reason = Unstartable::Stack { stack: 0 };
    let actions: Vec<_> = chosen(unstartable())
        .into_iter()
        .chain(met(board("1.0.0")))
        .collect();
    assert!(has(&render(actions.clone()), "image-warning"));
    let html = render(
        actions
            .into_iter()
            .chain([offered(refused(Error::Unstartable(reason)))]),
    );
    assert!(!has(&html, "image-warning"));
    assert!(tag(&html, "error").contains("data-error=\"Unstartable\""));
}

fn remembering() -> BoardInfo {
    let release = |major| Release {
        major,
        minor: 0,
        revision: 0,
    };
    let past = |outcome| JournalEntry {
        from: release(1),
        to: release(2),
        start: 7,
        outcome,
        reason: RollbackReason::Fault,
    };
    let outcomes = [
        JournalOutcome::RolledBack,
        JournalOutcome::Confirmed,
        JournalOutcome::Confirmed,
        JournalOutcome::Golden,
    ];
    BoardInfo {
        golden: Some(release(9)),
        supply: Some(Supply {
            level: 2_900,
            limit: 3_300,
            percent: false,
        }),
        journal: Some(outcomes.map(past).to_vec()),
        ..board("1.0.0")
    }
}

#[test]
fn a_board_shows_what_it_remembers_and_what_it_lacks() {
    let html = render(met(remembering()));
    assert!(has(&html, "history") && has(&html, "supply-low"), "{html}");
    assert!(html.contains("golden image") && html.contains("9.0.0"));
    assert!(html.contains("2 earlier") && html.matches("data-ending=").count() == 4);

    let mut enough = remembering();
    enough.supply.as_mut().unwrap().level = 3_400;
    enough.journal = None;
    let html = render(met(enough));
    assert!(!has(&html, "history") && !has(&html, "supply-low"));
    assert!(html.contains("3.40 V"));
}

/// B14: the button stayed, and always ended in red.
#[test]
fn a_board_with_a_low_supply_is_charged_and_asked_again_not_updated() {
    let offer = offered(offer("1.0.0", "2.0.0", Sends::WholeWanted));
    let low = chosen(image("new.bin", "2.0.0", &[]))
        .into_iter()
        .chain(met(remembering()))
        .chain([offer]);
    let html = render(low);
    assert!(tag(&html, "update").contains("disabled"));
    assert!(has(&html, "check-again"));
    assert!(!has(&render(ready()), "check-again"));
}

#[test]
fn what_the_browser_lacks_is_said_and_the_simulation_stays_possible() {
    let html = render([Action::Choosers(Err(PageError::BrowserWithoutPorts.into()))]);
    assert!(tag(&html, "error").contains("data-error=\"BrowserWithoutPorts\""));
    assert!(tag(&html, "connect").contains("disabled"));
    assert!(!tag(&html, "simulate").contains("disabled"));
}

#[test]
fn what_the_browser_has_is_offered_and_nothing_else() {
    let offered = |serial, usb| {
        let html = render([
            notice(Notice::Ready),
            Action::Choosers(Ok(Choosers { serial, usb })),
        ]);
        assert!(!tag(&html, "connect").contains("disabled"));
        has(&html, "connect-usb")
    };
    assert!(offered(true, true));
    assert!(!offered(true, false));
    // The one chooser that there is stands behind the large button.
    assert!(!offered(false, true));
}

#[test]
fn a_usb_device_that_may_not_be_used_comes_with_the_rule_to_copy() {
    let denied = PageError::UsbDenied((0x2E8A, 0x000A));
    let html = render([notice(Notice::Ports(Some(denied.into())))]);
    assert!(tag(&html, "error").contains("data-error=\"UsbDenied\""));
    let rule = r#"ATTR{idVendor}=="2e8a", ATTR{idProduct}=="000a", TAG+="uaccess""#;
    assert!(html.contains(rule), "{html}");
    let html = render([notice(Notice::Ports(Some(PageError::UsbBusy.into())))]);
    assert!(!has(&html, "remedy"));
}

#[test]
fn the_button_opens_only_when_image_board_and_plan_agree() {
    let closed = |html: String| tag(&html, "update").contains("disabled");
    let image = || chosen(image("new.bin", "2.0.0", &[]));
    assert!(closed(render(image())));
    assert!(closed(render(image().into_iter().chain(met(board("1.0.0"))))));
    assert!(closed(render(with([offered(refused(Error::NotNewer))]))));
    let html = render(ready());
    assert!(!tag(&html, "update").contains("disabled"));
    assert!(html.contains("Update 1.0.0 to 2.0.0"));
    assert!(closed(render(with([notice(Notice::Cable(BOARD, Cable::Lost))]))));
}

/// B1: a file that could not be used left the button open for the one before.
#[test]
fn the_button_closes_when_another_file_is_chosen_whatever_becomes_of_that() {
    let choose = || Action::Reading(ChoiceId(2), "large.bin".into());
    let unreadable = Action::Unreadable(ChoiceId(2), PageError::FileTooLarge.into());
    for more in [vec![choose()], vec![choose(), unreadable]] {
        assert!(tag(&render(with(more)), "update").contains("disabled"));
    }
}

#[test]
fn a_running_update_shows_its_step_and_what_the_board_acknowledged() {
    let html = render(with([moved(sending(50_000))]));
    assert!(tag(&html, "phase").contains("data-phase=\"Send\""));
    let bar = tag(&html, "progress");
    assert!(
        bar.contains("data-done=\"50000\"") && bar.contains("aria-valuenow=\"50\""),
        "{bar}"
    );
    assert!(html.contains("10.0 KB/s · 5 s left"));
    assert!(has(&html, "cancel") && !has(&html, "update"));
    assert_eq!(text(&html, "aloud"), "50 percent sent");
    // The page's Content-Security-Policy forbids them.
    assert!(!html.contains(" style="));
}

/// B12: speed and time left were those of before the unplug.
#[test]
fn an_unplugged_board_has_no_speed_and_says_what_to_do() {
    let html = render(with([
        moved(sending(50_000)),
        notice(Notice::Cable(BOARD, Cable::Lost)),
    ]));
    assert!(!html.contains("KB/s") && !html.contains("s left"));
    assert_eq!(text(&html, "phase"), "Unplugged");
    assert!(text(&html, "aloud").contains("Plug the board in again"));
}

/// B4: from the restart on there was neither a way out nor a call that could be noticed.
#[test]
fn every_step_of_an_update_has_a_way_out_and_calls_for_help_are_heard() {
    let phases = [
        Phase::Ready,
        Phase::Uploading,
        Phase::Verifying,
        Phase::Restarting,
        Phase::Swapping,
        Phase::OnTrial,
    ];
    for phase in phases {
        let html = render(with([moved(running(phase))]));
        assert!(has(&html, "cancel") || has(&html, "leave"), "{phase:?}");
        assert!(!text(&html, "aloud").is_empty(), "{phase:?}");
    }
    let help = || Running {
        attention: Some(Attention::NoPort),
        ..running(Phase::Swapping)
    };
    let html = render(with([moved(help())]));
    assert!(text(&html, "aloud").contains("shows no port"));
    assert!(tag(&html, "comfort").contains("run__comfort--help"));
    assert_eq!(title(&state(with([moved(help())]))), "Needs you · Bootlace");
}

/// B9: readers stay silent about a region that appears together with its text.
#[test]
fn there_is_one_place_for_what_is_read_out_in_every_state() {
    for actions in [
        vec![],
        ready(),
        with([moved(sending(1))]),
        with([ended(confirmed(None))]),
    ] {
        assert_eq!(render(actions).matches("data-testid=\"aloud\"").count(), 1);
    }
    let html = render(with([ended(confirmed(None))]));
    assert!(text(&html, "aloud").starts_with("Done. The board runs 2.0.0."));
    assert!(!tag(&html, "outcome").contains("role"));
}

#[test]
fn a_problem_is_said_once() {
    let error = Error::Refused(Refusal::Altered);
    let chosen = Action::Reading(ChoiceId(1), "new.bin".into());
    let examined = notice(Notice::Examined(ChoiceId(1), Err(error.clone())));
    let plan = offered(refused(error));
    let html = render(met(board("1.0.0")).into_iter().chain([chosen, examined, plan]));
    assert_eq!(html.matches("data-testid=\"error\"").count(), 1);
    assert!(html.contains("Nothing was sent to the board."));
}

#[test]
fn each_end_has_its_mark_and_a_way_on() {
    let back = Outcome::RolledBack {
        reason: Some(RollbackReason::Fault),
        version: Some("1.0.0".into()),
        failed: Version::parse("2.0.0").unwrap(),
    };
    let unchanged = Outcome::Unchanged {
        reason: Unchanged::Cancelled,
        version: None,
    };
    let said = |outcome| Ending::Outcome { outcome, patch: None };
    let ends = [
        (confirmed(None), "confirmed"),
        (said(back), "rolled-back"),
        (said(unchanged), "unchanged"),
        (Ending::Failed(silent(Phase::Uploading)), "failed"),
        (Ending::Left, "left"),
    ];
    for (ending, mark) in ends {
        let html = render(with([ended(ending)]));
        assert!(
            tag(&html, "outcome").contains(&format!("data-outcome=\"{mark}\"")),
            "{mark}"
        );
        assert!(has(&html, "again"), "{mark}");
        assert_eq!(
            html.contains("data-error=\"PortLost\""),
            mark == "failed",
            "{mark}"
        );
        assert_eq!(
            html.contains("The firmware that the board runs was not changed"),
            mark == "failed",
            "{mark}"
        );
    }
}

/// B13: "The board is unharmed" stood under a key that could not be read.
#[test]
fn nothing_is_said_of_the_board_under_a_problem_with_a_key() {
    let html = render(
        met(board("1.0.0"))
            .into_iter()
            .chain([Action::NotAKey(Problem::Key(Error::Key(KeyError::PrivateKey)))]),
    );
    assert!(has(&html, "error") && !html.contains("The firmware that the board runs was not changed"));
}

#[test]
fn what_is_sent_is_said_and_can_be_switched_where_there_is_a_choice() {
    for (sends, name, choice) in [
        (Sends::Patch(saving()), "patch", true),
        (Sends::Making(30), "making", true),
        (Sends::WholeWanted, "whole", true),
        (Sends::Whole(NoPatch::BaseNotFound), "unseen", false),
    ] {
        let html = render(with([offered(offer("1.0.0", "2.0.0", sends))]));
        assert!(
            tag(&html, "sends").contains(&format!("data-sends=\"{name}\"")),
            "{name}"
        );
        assert_eq!(has(&html, "whole"), choice, "{name}");
    }
    let html = render(ready());
    assert!(!has(&html, "sends") && !has(&html, "whole"));
}

#[test]
fn what_became_of_the_patch_is_said_while_it_runs_and_once_it_is_over() {
    let patch = Some(PatchFate::Saves(saving()));
    let now = Running {
        patch,
        ..running(Phase::Uploading)
    };
    let html = render(with([moved(now)]));
    assert!(html.contains("Sending the small update"));
    assert!(html.contains("Only what changed is sent: 6 KB instead of 98 KB."));
    let html = render(with([ended(confirmed(patch))]));
    assert!(html.contains("Only what changed was sent: 6 KB instead of 98 KB."));
}

/// Two statements for two facts, and green only for what the person trusts.
#[test]
fn a_boards_word_about_a_signer_is_not_the_persons_trust() {
    let verdict = |keys: Vec<_>, board: BoardInfo| {
        let pem: Vec<_> = keys
            .iter()
            .map(|known: &bootlace_app::state::TrustedKey| known.key)
            .collect();
        let image = chosen(image("new.bin", "2.0.0", &pem));
        let html = render([Action::Keys(keys)].into_iter().chain(image).chain(met(board)));
        let accepts = has(&html, "board-verdict")
            .then(|| tag(&html, "board-verdict").contains("data-accepts=\"true\""));
        let tone = ["good", "warn", "open"]
            .into_iter()
            .find(|tone| tag(&html, "image-verdict").contains(&format!("data-verdict=\"{tone}\"")));
        (tone.unwrap(), accepts)
    };
    let other = || BoardInfo {
        keys: vec![bootlace_image::PublicKey::Ed25519([1; 32])],
        ..board("1.0.0")
    };
    let unknown = || BoardInfo {
        keys: vec![],
        ..board("1.0.0")
    };
    assert_eq!(verdict(vec![trusted()], board("1.0.0")), ("good", Some(true)));
    assert_eq!(verdict(vec![trusted()], other()), ("good", Some(false)));
    assert_eq!(verdict(vec![trusted()], unknown()), ("good", None));
    assert_eq!(verdict(vec![], board("1.0.0")), ("open", Some(true)));
}

#[test]
fn a_trusted_key_is_shown_whole_with_its_day() {
    let html = render([Action::Keys(vec![trusted()])]);
    let whole = bootlace_engine::words::page::long_hash(&signer().public().hash());
    assert!(html.contains(&whole) && html.contains("2026-11-28") && html.contains("Release key 2026"));
    assert!(!has(&html, "test-key"));
}

#[test]
fn a_test_key_is_called_one_where_it_is_trusted_and_where_a_board_names_it() {
    let pem = include_str!("../../firmware-companion/boards/keys/demo.pub.pem");
    let key = bootlace_image::PublicKey::from_pem(pem).unwrap();
    let html = render([Action::Keys(vec![bootlace_app::state::TrustedKey {
        key,
        ..trusted()
    }])]);
    assert!(has(&html, "test-key"));
    let word = bootlace_engine::words::page::labels().test_key;
    let page = |keys| {
        render(met(BoardInfo {
            keys,
            ..board("1.0.0")
        }))
    };
    assert!(page(vec![key]).contains(word));
    assert!(!page(vec![signer().public()]).contains(word));
}
