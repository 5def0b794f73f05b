//! The page in its states, rendered on the host: what drives it from outside finds what it looks for.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::rc::Rc;

use bootlace_app::messages::*;
use bootlace_app::state::{Action, Demo, DemoImage, State};
use bootlace_app::view::{Page, Props};
use bootlace_app::words::PageError;
use yew::Callback;

const BOARD: BoardId = BoardId(1);

fn render(actions: impl IntoIterator<Item = Action>) -> String {
    let mut state = State::default();
    state.apply(notice(Notice::Ready));
    actions.into_iter().for_each(|action| state.apply(action));
    let props = Props {
        state: Rc::new(state),
        on: Callback::noop(),
    };
    let page = yew::LocalServerRenderer::<Page>::with_props(props).hydratable(false);
    futures::executor::block_on(page.render())
}

fn notice(notice: Notice) -> Action {
    Action::Notice("10:00:00".into(), notice)
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

fn image() -> [Action; 2] {
    let card = ImageCard {
        file: "new.bin".into(),
        version: "2.0.0".into(),
        size: 100_000,
        hash: "ab".repeat(32),
        target: Target::Address(0x0800_5000),
        counter: None,
        verdict: Verdict::Stranger { hash: None },
    };
    [Action::Reading("new.bin".into()), notice(Notice::Image(Ok(card)))]
}

fn board() -> [Action; 2] {
    let card = BoardCard {
        running: Some("1.0.0".into()),
        ..BoardCard::default()
    };
    [
        notice(Notice::Appeared {
            board: BOARD,
            via: Via::Simulated,
        }),
        notice(Notice::Board(BOARD, Box::new(card))),
    ]
}

fn plan() -> Action {
    let plan = Plan::Ready {
        way: Way::Update,
        from: Some("1.0.0".into()),
        to: "2.0.0".into(),
        stored: false,
        sends: Sends::Whole,
    };
    notice(Notice::Plan(BOARD, Some(plan)))
}

fn problem() -> Problem {
    Problem {
        name: "WentSilent".into(),
        what: "It stopped.".into(),
        next: "Start it again.".into(),
        unharmed: true,
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
}

#[test]
fn a_board_shows_what_it_remembers_and_what_it_lacks() {
    let past = |ending| PastUpdate {
        versions: "1.0.0 to 2.0.0".into(),
        what: "taken back: it crashed.".into(),
        start: 7,
        ending,
    };
    let card = BoardCard {
        golden: Some("0.9.0".into()),
        supply: Some(("2.90 V: too low".into(), true)),
        history: [Ending::Back, Ending::Good, Ending::Good, Ending::Golden]
            .map(past)
            .to_vec(),
        ..BoardCard::default()
    };
    let html = render([
        notice(Notice::Appeared {
            board: BOARD,
            via: Via::Simulated,
        }),
        notice(Notice::Board(BOARD, Box::new(card.clone()))),
    ]);
    assert!(has(&html, "history") && has(&html, "supply-low"), "{html}");
    assert!(html.contains("Golden image") && html.contains("0.9.0"));
    assert!(html.contains("2 earlier") && html.matches("data-ending=").count() == 4);

    let enough = BoardCard {
        supply: Some(("3.40 V".into(), false)),
        history: Vec::new(),
        ..card
    };
    let html = render([
        notice(Notice::Appeared {
            board: BOARD,
            via: Via::Simulated,
        }),
        notice(Notice::Board(BOARD, Box::new(enough))),
    ]);
    assert!(!has(&html, "history") && !has(&html, "supply-low"));
    assert!(html.contains("3.40 V"));
}

#[test]
fn what_the_browser_lacks_is_said_and_the_simulation_stays_possible() {
    let html = render([Action::Obstacle(Some(PageError::NoWebSerial.into()))]);
    assert!(tag(&html, "error").contains("data-error=\"NoWebSerial\""));
    assert!(tag(&html, "connect").contains("disabled"));
    assert!(!tag(&html, "simulate").contains("disabled"));
}

#[test]
fn the_button_opens_only_when_image_board_and_plan_agree() {
    let closed = |html: String| tag(&html, "update").contains("disabled");
    assert!(closed(render(image())));
    assert!(closed(render(image().into_iter().chain(board()))));
    let refused = notice(Notice::Plan(BOARD, Some(Plan::Refused(problem()))));
    assert!(closed(render(
        image().into_iter().chain(board()).chain([refused])
    )));
    let html = render(image().into_iter().chain(board()).chain([plan()]));
    assert!(!tag(&html, "update").contains("disabled"));
    assert!(html.contains("Update 1.0.0 to 2.0.0"));
    let away = notice(Notice::Cable(BOARD, Cable::Lost));
    assert!(closed(render(
        image().into_iter().chain(board()).chain([plan(), away])
    )));
}

#[test]
fn a_running_update_shows_its_step_and_what_the_board_acknowledged() {
    let progress = Progress {
        done: 50_000,
        rate: Some(10_240),
        remaining: Some(5),
        ..Progress::at(Phase::Send, 100_000)
    };
    let html = render(
        image()
            .into_iter()
            .chain(board())
            .chain([plan(), notice(Notice::Progress(BOARD, progress))]),
    );
    assert!(tag(&html, "phase").contains("data-phase=\"Send\""));
    let bar = tag(&html, "progress");
    assert!(
        bar.contains("data-done=\"50000\"") && bar.contains("aria-valuenow=\"50\""),
        "{bar}"
    );
    assert!(html.contains("10.0 KB/s · 5 s left"));
    assert!(has(&html, "cancel") && !has(&html, "update"));
}

#[test]
fn a_problem_is_said_once() {
    let reading = Action::Reading("new.bin".into());
    let refused = notice(Notice::Image(Err(problem())));
    let plan = notice(Notice::Plan(BOARD, Some(Plan::Refused(problem()))));
    let html = render(board().into_iter().chain([reading, refused, plan]));
    assert_eq!(html.matches("data-testid=\"error\"").count(), 1);
    assert!(html.contains("The board is unharmed."));
}

#[test]
fn each_end_has_its_mark_and_a_way_on() {
    let ends = [
        (
            Outcome::Confirmed {
                version: "2.0.0".into(),
                took: 1,
                note: None,
            },
            "confirmed",
        ),
        (
            Outcome::RolledBack {
                version: "1.0.0".into(),
                reason: "It crashed.".into(),
            },
            "rolled-back",
        ),
        (
            Outcome::Unchanged {
                reason: "Stopped.".into(),
            },
            "unchanged",
        ),
        (Outcome::Failed(problem()), "failed"),
    ];
    for (outcome, mark) in ends {
        let html = render(
            image()
                .into_iter()
                .chain(board())
                .chain([notice(Notice::Outcome(BOARD, outcome))]),
        );
        assert!(
            tag(&html, "outcome").contains(&format!("data-outcome=\"{mark}\"")),
            "{mark}"
        );
        assert!(has(&html, "again"), "{mark}");
        assert_eq!(
            html.contains("data-error=\"WentSilent\""),
            mark == "failed",
            "{mark}"
        );
    }
}

#[test]
fn what_is_sent_is_said_and_can_be_switched_where_there_is_a_choice() {
    let said = |sends: Sends| {
        let Action::Notice(
            at,
            Notice::Plan(
                id,
                Some(Plan::Ready {
                    way,
                    from,
                    to,
                    stored,
                    ..
                }),
            ),
        ) = plan()
        else {
            unreachable!()
        };
        let plan = Plan::Ready {
            way,
            from,
            to,
            stored,
            sends,
        };
        let plan = Action::Notice(at, Notice::Plan(id, Some(plan)));
        render(image().into_iter().chain(board()).chain([plan]))
    };
    for (sends, name, choice) in [
        (Sends::Patch("6 KB instead of 98 KB".into()), "patch", true),
        (Sends::Making(30), "making", true),
        (Sends::WholeWanted, "whole", true),
        (Sends::WholeBecause("It was never seen.".into()), "unseen", false),
    ] {
        let html = said(sends);
        assert!(
            tag(&html, "sends").contains(&format!("data-sends=\"{name}\"")),
            "{name}"
        );
        assert_eq!(has(&html, "whole"), choice, "{name}");
    }
    let html = said(Sends::Whole);
    assert!(!has(&html, "sends") && !has(&html, "whole"));
}

/// While it runs and once it is over.
#[test]
fn what_became_of_the_patch_is_said() {
    let note = Some(Note::Saves("6 KB instead of 98 KB".into()));
    let progress = Progress {
        patch: true,
        note: note.clone(),
        ..Progress::at(Phase::Send, 6000)
    };
    let html = render(
        image()
            .into_iter()
            .chain(board())
            .chain([plan(), notice(Notice::Progress(BOARD, progress))]),
    );
    assert!(html.contains("Sending what changed"));
    assert!(html.contains("Only what changed is sent: 6 KB instead of 98 KB."));
    let outcome = Outcome::Confirmed {
        version: "2.0.0".into(),
        took: 1,
        note,
    };
    let ended = notice(Notice::Outcome(BOARD, outcome));
    let html = render(image().into_iter().chain(board()).chain([ended]));
    assert!(html.contains("Only what changed was sent: 6 KB instead of 98 KB."));
}
