//! Who may ask a board for what: the product's own rules.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use bootlace_client::Refusal;
use bootlace_simulator::{Allow, Behaviour, Config, Permission, Policy, RequestKind, SimulatedBoard};
use bootlace_smp::bootlace::{self, BootState, ErrorCode, GROUP, Role};
use bootlace_smp::{ErrorCode as Generic, Request, Response, Text, img, os};
use common::{Host, config, hash_of, started, version};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn board(policy: Policy) -> Host {
    with(Config { policy, ..config() })
}

fn with(config: Config) -> Host {
    started(SimulatedBoard::new(config, Some(&version(1))).unwrap())
}

fn allowing(allow: Allow) -> Policy {
    Policy {
        allow,
        ..config().policy
    }
}

fn denied() -> Refusal {
    (None, Generic::AccessDenied.rc())
}

fn nobody_present() -> Refusal {
    (Some(GROUP), ErrorCode::NobodyPresent.rc())
}

/// What a board answers to a request that it does not grant; `None` where it does what was asked.
fn refusal(host: &mut Host, request: &Request) -> Option<Refusal> {
    host.ask(request, |answer| match answer {
        Response::Failure(failure) => Some((failure.group, failure.rc)),
        _ => None,
    })
}

#[test]
fn every_kind_of_request_is_refused_where_the_product_denies_it() {
    let hash = hash_of(&version(1));
    let piece = img::Upload {
        len: Some(1000),
        data: &[0; 100],
        ..img::Upload::default()
    };
    let reset = |boot_mode| {
        Request::Os(os::Request::Reset {
            force: false,
            boot_mode,
        })
    };
    let mark = img::Request::SetState {
        hash: Some(&hash),
        confirm: false,
    };
    let confirm = img::Request::SetState {
        hash: None,
        confirm: true,
    };
    let requests: [(RequestKind, Request); 8] = [
        (RequestKind::Read, Request::Bootlace(bootlace::Request::Describe)),
        (RequestKind::Read, Request::Os(os::Request::Params)),
        (RequestKind::Upload, Request::Img(img::Request::Upload(piece))),
        (
            RequestKind::Erase,
            Request::Img(img::Request::Erase { slot: None }),
        ),
        (RequestKind::Mark, Request::Img(mark)),
        (RequestKind::Confirm, Request::Img(confirm)),
        (RequestKind::Reset, reset(None)),
        (RequestKind::BootMode, reset(Some(1))),
    ];
    for bootloader in [false, true] {
        let denying = |kind| {
            let mut host = board(allowing(Allow::EVERYTHING.rule(kind, Permission::Denied)));
            if bootloader {
                host.board.hold_button(true);
                host.board.power_cycle(host.now);
                assert!(host.wait_for_port());
            }
            host
        };
        for (kind, _) in &requests {
            for (other, request) in &requests {
                let refusal = refusal(&mut denying(*kind), request);
                let is_denied = refusal == Some(denied());
                assert_eq!(
                    is_denied,
                    kind == other,
                    "{other:?}, where {kind:?} is denied: {refusal:?}"
                );
            }
        }
    }
}

#[test]
fn a_refusal_says_why_in_words() {
    let rules = Allow::EVERYTHING.rule(RequestKind::Erase, Permission::Denied);
    let mut host = board(allowing(rules));
    let request = Request::Img(img::Request::Erase { slot: None });
    let reason = host.ask(&request, |answer| match answer {
        Response::Failure(failure) => failure.reason.map(str::to_owned),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("the product does not allow it"));
}

#[test]
fn marking_erasing_and_the_bootloader_wait_for_somebody_to_be_present() {
    let mut host = board(allowing(Allow::WITH_PRESENCE));
    let erase = Request::Img(img::Request::Erase { slot: None });
    let boot_mode = Request::Os(os::Request::Reset {
        force: false,
        boot_mode: Some(1),
    });
    let new = version(2);
    assert_eq!(host.upload(&new), Some(true), "what is only stored needs nobody");
    assert_eq!(host.set_state(Some(hash_of(&new)), false), Err(nobody_present()));
    // Nor for good, which is marking under another name.
    assert_eq!(host.set_state(Some(hash_of(&new)), true), Err(nobody_present()));
    assert_eq!(refusal(&mut host, &erase), Some(nobody_present()));
    assert_eq!(refusal(&mut host, &boot_mode), Some(nobody_present()));
    assert_eq!(host.list().len(), 2, "nothing was erased");

    host.board.hold_button(true);
    assert_eq!(host.set_state(Some(hash_of(&new)), false), Ok(()));
    host.board.hold_button(false);
    host.reset(None);
    assert!(host.wait_for_port());
    host.settle();
    assert_eq!(host.list()[0].1, "1.2.0");
}

#[test]
fn an_image_on_trial_is_confirmed_over_the_wire_only_where_the_product_says_so() {
    let allowing = Policy {
        confirm_over_wire: true,
        ..Policy::default()
    };
    // What a product says nothing of is denied.
    for (policy, confirm_over_wire) in [(Policy::default(), false), (allowing, true)] {
        let mut host = with(Config {
            policy,
            behaviour: Behaviour::NeverConfirm,
            ..config()
        });
        let new = version(2);
        assert_eq!(host.upload(&new), Some(true));
        assert_eq!(host.set_state(Some(hash_of(&new)), false), Ok(()));
        host.reset(None);
        assert!(host.wait_for_port());
        assert!(host.describe(|board| board.trial.is_some()));
        let wanted = match confirm_over_wire {
            true => Ok(()),
            false => Err((Some(img::GROUP), img::ErrorCode::ConfirmationDenied.rc())),
        };
        assert_eq!(host.set_state(None, true), wanted);
        assert_eq!(host.set_state(Some(hash_of(&new)), true), wanted);
        assert_eq!(host.describe(|board| board.trial.is_none()), confirm_over_wire);
        host.settle();
        assert!(host.wait_for_port());
        // A confirmed image may be confirmed again.
        assert_eq!(host.set_state(None, true), Ok(()));
        let runs = if confirm_over_wire { "1.2.0" } else { "1.1.0" };
        assert_eq!(host.list()[0].1, runs);
    }
}

#[test]
fn an_older_image_is_refused_where_the_product_wants_no_downgrade() {
    for no_downgrade in [false, true] {
        let mut host = board(Policy {
            no_downgrade,
            ..config().policy
        });
        host.update(&version(2));
        host.update(&version(3));
        let refused = match no_downgrade {
            false => Ok(()),
            true => Err((Some(img::GROUP), img::ErrorCode::CurrentVersionIsNewer.rc())),
        };
        // The first piece says which version it is, before anything is erased.
        let listed = host.list();
        assert_eq!(host.begin(&version(1)).map(drop), refused);
        // What a swap saved is there without an upload: it is not marked.
        if no_downgrade {
            assert_eq!(host.list(), listed);
            assert_eq!(host.set_state(Some(hash_of(&version(2))), false), refused);
        }
        // The same version with other contents is no older one.
        let mut same = version(3);
        same[1000] ^= 1;
        assert_eq!(host.begin(&same).map(drop), Ok(()));
        let mode = Request::Os(os::Request::Bootloader {
            query: Some(Text(b"mode")),
        });
        let told = host.ask(&mode, |answer| match answer {
            Response::Os(os::Response::Mode { no_downgrade, .. }) => Some(no_downgrade),
            _ => None,
        });
        assert_eq!(told, Some(no_downgrade));
    }
}

#[test]
fn an_older_image_mends_a_board_that_starts_nothing_all_the_same() {
    let mut host = board(Policy {
        no_downgrade: true,
        ..config().policy
    });
    host.update(&version(3));
    host.board.damage();
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    assert!(host.describe(|board| board.state.is_some_and(BootState::starts_nothing)));
    host.update(&version(2));
    assert_eq!(host.list()[0].1, "1.2.0");
}

#[test]
fn a_bootloader_that_was_asked_for_returns_to_the_application_when_nobody_comes() {
    let mut host = board(Policy {
        idle_return: Some(100),
        ..config().policy
    });
    host.reset(Some(1));
    assert!(host.wait_for_port());
    let role = |host: &mut Host| host.describe(|board| board.role);
    assert_eq!(role(&mut host), Role::Bootloader);
    // Each request begins the time anew.
    for _ in 0..3 {
        host.now += 90_000_000;
        host.board.advance(host.now);
        assert_eq!(role(&mut host), Role::Bootloader);
    }
    host.now += 101_000_000;
    host.board.advance(host.now);
    assert!(host.wait_for_port());
    assert_eq!(role(&mut host), Role::Application);
}

#[test]
fn a_bootloader_stays_where_its_button_was_held_or_nothing_starts() {
    let policy = Policy {
        idle_return: Some(100),
        ..config().policy
    };
    // It was asked for over the wire, too.
    let mut held = board(policy);
    held.board.hold_button(true);
    held.reset(Some(1));
    held.board.hold_button(false);
    let mut blank = Host::new(SimulatedBoard::new(Config { policy, ..config() }, None).unwrap());
    for host in [&mut held, &mut blank] {
        assert!(host.wait_for_port());
        host.now += 1_000_000_000;
        host.board.advance(host.now);
        assert_eq!(host.describe(|board| board.role), Role::Bootloader);
    }
}
