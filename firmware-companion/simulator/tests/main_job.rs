//! Upload, test, confirm and revert on the simulated board.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use bootlace_simulator::{Behaviour, Config, SimulatedBoard};
use bootlace_smp::bootlace::{Role, RollbackReason};
use bootlace_smp::frame::Framing;
use common::{Host, builder, config, hash_of, image, key};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ADDRESS: u32 = 0x0801_0000;

fn host(config: Config, old: &[u8]) -> Host {
    let mut host = Host::new(SimulatedBoard::new(config, Some(old)).unwrap());
    assert!(host.wait_for_port());
    host
}

fn update(host: &mut Host, new: &[u8]) {
    assert_eq!(host.upload(new), Some(true));
    assert_eq!(host.set_state(Some(hash_of(new)), false), Ok(()));
    host.reset(None);
}

fn entry(slot: u32, version: &str, confirmed: bool) -> (u32, String, bool, bool, bool) {
    (slot, version.into(), slot == 0, confirmed, false)
}

#[test]
fn an_update_confirms_itself_and_back_again() {
    for framing in [Framing::Cobs, Framing::Console, Framing::Raw] {
        let (old, new) = (image((1, 0), 50_000, ADDRESS), image((1, 1), 70_001, ADDRESS));
        let mut host = host(config(), &old);
        host.asker.framing = framing;
        assert_eq!(host.list(), [entry(0, "1.0.0", true)]);
        for (to, from) in [(&new, &old), (&old, &new), (&new, &old)] {
            update(&mut host, to);
            assert!(host.wait_for_port());
            let (role, trial) = host.describe(|d| (d.role, d.trial.is_some()));
            assert_eq!((role, trial), (Role::Application, true));
            assert!(host.list()[1].3, "the image to go back to is the confirmed one");
            host.now += 1_000_000;
            host.board.advance(host.now);
            let versions = if std::ptr::eq(to, &new) {
                ("1.1.0", "1.0.0")
            } else {
                ("1.0.0", "1.1.0")
            };
            assert_eq!(
                host.list(),
                [entry(0, versions.0, true), entry(1, versions.1, false)]
            );
            assert_eq!(host.describe(|d| d.trial), None);
            let _ = from;
        }
    }
}

#[test]
fn what_fails_its_trial_is_taken_back_with_the_reason() {
    for (behaviour, reason) in [
        (Behaviour::Hang, RollbackReason::Watchdog),
        (Behaviour::Crash, RollbackReason::Fault),
        (Behaviour::NeverConfirm, RollbackReason::Deadline),
        (Behaviour::Unhealthy, RollbackReason::Unhealthy),
    ] {
        let (old, new) = (image((1, 0), 50_000, ADDRESS), image((1, 1), 70_001, ADDRESS));
        let mut host = host(
            Config {
                behaviour,
                ..config()
            },
            &old,
        );
        update(&mut host, &new);
        host.now += 60_000_000;
        host.board.advance(host.now);
        assert!(host.wait_for_port());
        let rollback = host.describe(|d| {
            d.rollback
                .map(|r| (r.reason, r.from.map(|from| from.as_str().to_owned())))
        });
        assert_eq!(rollback, Some((reason, Some("1.1.0".into()))), "{behaviour:?}");
        assert_eq!(
            host.list(),
            [entry(0, "1.0.0", true), entry(1, "1.1.0", false)],
            "{behaviour:?}"
        );
        // And it can be tried again.
        host.board.behave(Behaviour::Normal);
        update(&mut host, &new);
        assert!(host.wait_for_port());
        host.now += 1_000_000;
        host.board.advance(host.now);
        assert_eq!(host.list()[0], entry(0, "1.1.0", true));
        assert_eq!(host.describe(|d| d.rollback.map(|r| r.reason)), None);
    }
}

#[test]
fn an_altered_or_foreign_image_is_not_marked_and_the_board_runs_on() {
    let old = image((1, 0), 50_000, ADDRESS);
    let good = image((1, 1), 60_000, ADDRESS);
    let mut altered = good.clone();
    altered[40_000] ^= 1;
    let other =
        bootlace_image::builder::SigningKey::from_seed(bootlace_image::Algorithm::P256, &[9; 32]).unwrap();
    let strange = builder((1, 1), 60_000, ADDRESS).sign(&other).build();
    let unsigned = builder((1, 1), 60_000, ADDRESS).build();
    let elsewhere = image((1, 1), 60_000, 0x0A00_0000);
    for (name, bad) in [
        ("altered", altered),
        ("wrong key", strange),
        ("unsigned", unsigned),
        ("elsewhere", elsewhere),
    ] {
        let mut host = host(config(), &old);
        assert_eq!(host.upload(&bad), Some(true), "{name}");
        assert!(host.set_state(Some(hash_of(&bad)), false).is_err(), "{name}");
        host.reset(None);
        assert!(host.wait_for_port());
        assert_eq!(host.list()[0], entry(0, "1.0.0", true), "{name}");
    }
}

#[test]
fn the_counter_rises_with_confirmation_and_bars_older_images() {
    let counted = |version, counter| {
        builder(version, 30_000, ADDRESS)
            .security_counter(counter)
            .sign(&key())
            .build()
    };
    let (first, second, third) = (counted((1, 0), 1), counted((1, 1), 2), counted((1, 2), 3));
    let mut host = host(
        Config {
            behaviour: Behaviour::NeverConfirm,
            ..config()
        },
        &first,
    );
    update(&mut host, &third);
    host.now += 60_000_000;
    assert!(host.wait_for_port());
    assert_eq!(
        host.describe(|d| d.counter),
        Some(1),
        "not before it is confirmed"
    );
    host.board.behave(Behaviour::Normal);
    update(&mut host, &second);
    assert!(host.wait_for_port());
    host.now += 1_000_000;
    host.board.advance(host.now);
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.describe(|d| d.counter), Some(2));
    assert_eq!(host.upload(&first), Some(true));
    assert!(host.set_state(Some(hash_of(&first)), false).is_err());
    assert_eq!(host.list()[0].1, "1.1.0");
}

#[test]
fn while_an_image_is_on_trial_the_one_to_go_back_to_is_safe() {
    let (old, new) = (image((1, 0), 50_000, ADDRESS), image((1, 1), 60_000, ADDRESS));
    let mut host = host(
        Config {
            behaviour: Behaviour::NeverConfirm,
            ..config()
        },
        &old,
    );
    update(&mut host, &new);
    assert!(host.wait_for_port());
    let piece = bootlace_smp::img::Upload {
        len: Some(new.len() as u32),
        data: &new[..512],
        ..bootlace_smp::img::Upload::default()
    };
    use bootlace_smp::{Request, Response, img};
    host.ask(&Request::Img(img::Request::Upload(piece)), |r| {
        assert!(matches!(r, Response::Failure(_)), "{r:?}")
    });
    host.ask(&Request::Img(img::Request::Erase { slot: None }), |r| {
        assert!(matches!(r, Response::Failure(_)))
    });
    assert!(host.set_state(Some(hash_of(&old)), false).is_err());
    host.reset(Some(1));
    assert!(host.wait_for_port());
    assert_eq!(host.describe(|d| d.role), Role::Bootloader);
    assert!(host.set_state(None, true).is_err(), "only what runs confirms");
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0], entry(0, "1.0.0", true));
}

#[test]
fn an_empty_board_takes_its_first_image() {
    let new = image((2, 0), 40_000, ADDRESS);
    let mut host = Host::new(SimulatedBoard::new(config(), None).unwrap());
    assert!(host.wait_for_port());
    assert_eq!(host.describe(|d| d.role), Role::Bootloader);
    assert_eq!(host.list(), []);
    update(&mut host, &new);
    assert!(host.wait_for_port());
    host.now += 1_000_000;
    host.board.advance(host.now);
    assert_eq!(host.list()[0], entry(0, "2.0.0", true));
}

#[test]
fn an_upload_goes_on_where_the_power_went_in_application_and_bootloader() {
    for bootloader in [true, false] {
        goes_on(bootloader);
    }
}

fn goes_on(bootloader: bool) {
    let (old, new) = (image((1, 0), 50_000, ADDRESS), image((1, 1), 90_000, ADDRESS));
    let mut host = host(config(), &old);
    if bootloader {
        host.reset(Some(1));
        assert!(host.wait_for_port());
    }
    use bootlace_smp::{Request, Response, img};
    use sha2::Digest;
    let sha: [u8; 32] = sha2::Sha256::digest(&new).into();
    let begin = |len| img::Upload {
        len: Some(new.len() as u32),
        sha: Some(&sha),
        data: &new[..len],
        ..img::Upload::default()
    };
    let offset = |r: Response| match r {
        Response::Img(img::Response::Upload { off, .. }) => off as usize,
        other => unreachable!("{other:?}"),
    };
    let mut off = host.ask(&Request::Img(img::Request::Upload(begin(1024))), offset);
    while off < 30_000 {
        let piece = img::Upload {
            off: off as u32,
            data: &new[off..off + 1024],
            ..img::Upload::default()
        };
        off = host.ask(&Request::Img(img::Request::Upload(piece)), offset);
    }
    host.board.hold_button(bootloader);
    host.board.power_cycle(host.now);
    assert!(host.wait_for_port());
    assert_eq!(
        host.ask(&Request::Img(img::Request::Upload(begin(512))), offset),
        28_672,
        "whole pages are kept"
    );
    assert_eq!(host.upload(&new), Some(true));
    host.board.hold_button(false);
    assert_eq!(host.set_state(Some(hash_of(&new)), false), Ok(()));
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "1.1.0");
}
