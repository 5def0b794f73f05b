//! Renders the page in each of its states to HTML files on the host, to be looked at:
//! `cargo run -p bootlace-app --example states -- FOLDER`.

use std::rc::Rc;

use bootlace_app::messages::*;
use bootlace_app::state::*;
use bootlace_app::view::{Page, Props};
use yew::Callback;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/states".into());
    let app = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut style = String::new();
    for sheet in ["base", "panels", "controls", "update", "history"] {
        style += &std::fs::read_to_string(app.join("styles").join(sheet).with_extension("css"))?;
    }
    std::fs::create_dir_all(&folder)?;
    for (name, state) in states() {
        let props = Props {
            state: Rc::new(state),
            on: Callback::noop(),
        };
        let renderer = yew::LocalServerRenderer::<Page>::with_props(props).hydratable(false);
        let body = futures::executor::block_on(renderer.render());
        let html = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <style>{style}</style><body>{body}"
        );
        std::fs::write(format!("{folder}/{name}.html"), html)?;
    }
    Ok(())
}

const HASH: &str = "e30b8a4e11c25b7f9a64d0875523de10c4f2771935ab0f6688d1e2a97c443b50";
const SIGNER: &str = "9f2c41d07be85a36ff1290ac4d83b76e5510c8e2a79d44f3806b1c5e27d90fa4";

fn problem(name: &str, what: &str, next: &str, unharmed: bool) -> Problem {
    Problem {
        name: name.into(),
        what: what.into(),
        next: next.into(),
        unharmed,
    }
}

fn signer() -> KeyCard {
    KeyCard {
        name: None,
        hash: SIGNER.into(),
        algorithm: "ECDSA P-256".into(),
        development: false,
    }
}

fn image(verdict: Verdict) -> Image {
    Image::Known(ImageCard {
        file: "primehub-7.28.0.signed.bin".into(),
        version: "7.28.0".into(),
        size: 302_860,
        hash: HASH.into(),
        target: Target::Named {
            vendor: None,
            class: Some("d3bb5cf1-1a8e-5c50-8a7b-51d0a4dd1d47".into()),
        },
        counter: Some(7),
        verdict,
    })
}

fn held(version: &str, standing: Standing) -> Option<HeldImage> {
    Some(HeldImage {
        version: version.into(),
        hash: HASH.into(),
        standing,
    })
}

fn board(card: bool, run: Run, plan: Option<Plan>) -> Board {
    let card = card.then(|| BoardCard {
        name: "Prime Hub".into(),
        serial: "BL-0042-7731".into(),
        role: Role::Application,
        companion: Some("0.1.0".into()),
        running: Some("7.27.0".into()),
        remark: None,
        slots: vec![
            SlotCard {
                slot: 0,
                size: Some(483 * 1024),
                holds: held("7.27.0", Standing::Confirmed),
            },
            SlotCard {
                slot: 1,
                size: Some(487 * 1024),
                holds: None,
            },
        ],
        keys: vec![signer()],
        counter: Some(6),
        link: Some((2048, 4)),
        ..BoardCard::default()
    });
    Board {
        id: BoardId(1),
        via: Via::Simulated,
        cable: Cable::Connected,
        card,
        plan,
        run,
    }
}

/// A board with a past, a golden image and little power left.
fn seasoned() -> Board {
    let mut board = board(true, Run::Idle, ready());
    let past = |versions: &str, what: &str, start, ending| PastUpdate {
        versions: versions.into(),
        what: what.into(),
        start,
        ending,
    };
    if let Some(card) = &mut board.card {
        card.golden = Some("7.20.0".into());
        card.supply = Some(("2.90 V: too low, updates need 3.30 V".into(), true));
        card.remark = Some(
            "The golden image 7.20.0 was restored, because 7.26.0 could not run: it no longer verified."
                .into(),
        );
        card.history = vec![
            past(
                "golden image 7.20.0",
                "restored, because 7.26.0 could not run: it no longer verified.",
                19,
                Ending::Golden,
            ),
            past(
                "7.26.0 to 7.27.0",
                "taken back: it hung, and the watchdog restarted the board.",
                14,
                Ending::Back,
            ),
            past("7.25.0 to 7.26.0", "confirmed.", 11, Ending::Good),
            past("7.20.0 to 7.25.0", "confirmed.", 5, Ending::Good),
            past(
                "7.20.0 to 7.19.0",
                "never started: it is older than the board allows.",
                3,
                Ending::Back,
            ),
        ];
    }
    board
}

fn ready() -> Option<Plan> {
    sending(Sends::Whole)
}

fn sending(sends: Sends) -> Option<Plan> {
    Some(Plan::Ready {
        way: Way::Update,
        from: Some("7.27.0".into()),
        to: "7.28.0".into(),
        stored: false,
        sends,
    })
}

const SAVING: &str = "6 KB instead of 297 KB, about 21 s less";

fn patch() -> Option<Plan> {
    sending(Sends::Patch(SAVING.into()))
}

/// A patch on its way, or the image because the patch did not do.
fn patching(instead: Option<&str>) -> Run {
    let (done, total) = if instead.is_none() {
        (2_300, 5_749)
    } else {
        (40_000, 302_860)
    };
    Run::Running {
        progress: Progress {
            done,
            rate: Some(9_800),
            remaining: Some(1),
            patch: instead.is_none(),
            note: Some(instead.map_or(Note::Saves(SAVING.into()), |why| Note::Whole(why.into()))),
            ..Progress::at(Phase::Send, total)
        },
        stopping: false,
    }
}

/// With some images that were seen before.
fn kept(state: State, whole: bool) -> State {
    let image = |version: &str, file: &str, size| KeptImage {
        hash: HASH.into(),
        size,
        version: version.into(),
        file: file.into(),
    };
    State {
        kept: vec![
            image(
                "7.26.0",
                "primehub-7.26.0-release-candidate-with-a-long-name.signed.bin",
                301_112,
            ),
            image("7.27.0", "primehub-7.27.0.signed.bin", 302_100),
            image("7.28.0", "primehub-7.28.0.signed.bin", 302_860),
        ],
        whole,
        ..state
    }
}

fn running(phase: Phase, done: u32) -> Run {
    let sends = phase == Phase::Send;
    Run::Running {
        progress: Progress {
            done,
            rate: sends.then_some(11_370),
            remaining: sends.then_some(10),
            ..Progress::at(phase, 302_860)
        },
        stopping: false,
    }
}

fn signed() -> Image {
    image(Verdict::Signed {
        key: signer(),
        board: Some(true),
    })
}

fn base() -> State {
    let demo = Demo {
        key: String::new(),
        board: String::new(),
        images: vec![
            DemoImage {
                title: "Prime Hub 7.27.0".into(),
                file: "a.bin".into(),
            },
            DemoImage {
                title: "Prime Hub 7.28.0".into(),
                file: "b.bin".into(),
            },
            DemoImage {
                title: "Move Hub 7.28.0 (another board)".into(),
                file: "c.bin".into(),
            },
        ],
        installed: Some(0),
    };
    let log = [
        ("10:31:02", "Simulated board plugged in"),
        (
            "10:31:02",
            "Board BL-0042-7731 (Prime Hub) answers: application, runs 7.27.0",
        ),
        ("10:31:09", "Update 7.27.0 to 7.28.0 started"),
    ]
    .map(|(at, text)| Line {
        at: at.into(),
        text: text.into(),
    });
    State {
        ready: true,
        demo: Some(demo),
        log: log.to_vec(),
        ..State::default()
    }
}

fn with(image: Image, board: Option<Board>) -> State {
    State {
        image,
        shown: board.as_ref().map(|board| board.id),
        boards: board.into_iter().collect(),
        ..base()
    }
}

fn ended(outcome: Outcome, reached: Phase) -> State {
    with(
        signed(),
        Some(board(true, Run::Ended { outcome, reached }, ready())),
    )
}

fn states() -> Vec<(&'static str, State)> {
    let stranger = || {
        image(Verdict::Stranger {
            hash: Some(SIGNER.into()),
        })
    };
    let altered = problem(
        "Altered",
        "The image was changed after it was signed.",
        "Get it again from whoever signed it. Do not install it.",
        false,
    );
    let other = problem(
        "OtherBoard",
        "This firmware is for another board: it starts at 0x08002000, and this board runs firmware at \
         0x08005000 to 0x08080000.",
        "Choose the firmware for “Prime Hub”.",
        true,
    );
    let lost = {
        let mut state = with(
            signed(),
            Some(board(true, running(Phase::Send, 186_000), ready())),
        );
        state.boards[0].cable = Cable::Lost;
        state
    };
    let trial = {
        let mut state = with(signed(), Some(board(true, running(Phase::Trial, 0), ready())));
        if let Some(card) = &mut state.boards[0].card {
            card.running = Some("7.28.0".into());
            card.slots[0].holds = held("7.28.0", Standing::OnTrial);
            card.slots[1].holds = held("7.27.0", Standing::Stored);
        }
        state
    };
    let pending = {
        let mut state = with(signed(), Some(board(true, running(Phase::Restart, 0), ready())));
        if let Some(card) = &mut state.boards[0].card {
            card.slots[1].holds = held("7.28.0", Standing::Pending);
        }
        state
    };
    let keys = {
        let mut state = with(signed(), None);
        state.keys = vec![TrustedKey {
            key: NamedKey {
                name: "Release key 2026".into(),
                pem: String::new(),
            },
            card: Some(signer()),
        }];
        state
    };
    vec![
        ("seasoned", with(signed(), Some(seasoned()))),
        ("empty", with(Image::None, None)),
        (
            "obstacle",
            State {
                obstacle: Some(bootlace_app::words::PageError::NoWebSerial.into()),
                ..with(Image::None, None)
            },
        ),
        ("image", with(stranger(), None)),
        ("keys", keys),
        (
            "refused",
            with(
                Image::Refused {
                    file: "firmware.bin".into(),
                    problem: altered,
                },
                None,
            ),
        ),
        ("asking", with(signed(), Some(board(false, Run::Idle, None)))),
        ("ready", with(signed(), Some(board(true, Run::Idle, ready())))),
        (
            "patch",
            kept(with(signed(), Some(board(true, Run::Idle, patch()))), false),
        ),
        (
            "making",
            kept(
                with(signed(), Some(board(true, Run::Idle, sending(Sends::Making(40))))),
                false,
            ),
        ),
        (
            "whole",
            kept(
                with(
                    signed(),
                    Some(board(true, Run::Idle, sending(Sends::WholeWanted))),
                ),
                true,
            ),
        ),
        (
            "unseen",
            with(
                signed(),
                Some(board(
                    true,
                    Run::Idle,
                    sending(Sends::WholeBecause(bootlace_app::words::unseen("7.27.0"))),
                )),
            ),
        ),
        (
            "patching",
            with(signed(), Some(board(true, patching(None), patch()))),
        ),
        (
            "instead",
            with(
                signed(),
                Some(board(
                    true,
                    patching(Some(
                        "The board runs another image than the patch starts from: the whole image is sent.",
                    )),
                    patch(),
                )),
            ),
        ),
        (
            "other",
            with(signed(), Some(board(true, Run::Idle, Some(Plan::Refused(other))))),
        ),
        (
            "sending",
            with(
                signed(),
                Some(board(true, running(Phase::Send, 186_000), ready())),
            ),
        ),
        ("lost", lost),
        ("pending", pending),
        ("trial", trial),
        (
            "confirmed",
            ended(
                Outcome::Confirmed {
                    version: "7.28.0".into(),
                    took: 38_400,
                    note: Some(Note::Saves(SAVING.into())),
                },
                Phase::Confirmed,
            ),
        ),
        (
            "rolledback",
            ended(
                Outcome::RolledBack {
                    version: "7.27.0".into(),
                    reason:
                        "7.28.0 was taken back: it hung, and the watchdog restarted the board. The board works as \
                             before. Tell whoever built 7.28.0."
                            .into(),
                },
                Phase::Trial,
            ),
        ),
        (
            "failed",
            ended(
                Outcome::Failed(problem(
                    "Silent",
                    "The board stopped answering.",
                    "Unplug it, plug it in again, then press Try again.",
                    true,
                )),
                Phase::Send,
            ),
        ),
    ]
}
