//! Patches on the simulated board, in bootloader and application.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use bootlace_client::{Client, Content};
use bootlace_delta::Method;
use bootlace_image::builder::ImageBuilder;
use bootlace_image::{TlvKind, Version};
use bootlace_simulator::{Config, Cut, Moment, SimulatedBoard};
use bootlace_smp::bootlace::{ErrorCode, Features, Role};
use bootlace_smp::{Request, Response, img};
use common::{Host, config, hash_of, key, patch};

const ADDRESS: u32 = 0x0800_A000;
/// Offsets of the default board's areas from its first byte of flash.
const PRIMARY: usize = 0xA000;
const SLOT: usize = 123 * 4096;
const SECONDARY: usize = PRIMARY + SLOT;

/// Versions of one program: the later ones have more, in between.
fn image(version: u8) -> Vec<u8> {
    let mut noise = 1u32;
    let mut payload = Vec::new();
    for index in 0..1200u32 {
        for _ in 0..8 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            payload.extend_from_slice(&noise.to_le_bytes());
        }
        if index % 150 == 50 {
            payload.extend(std::iter::repeat_n(version, usize::from(version) * 24));
            payload.extend_from_slice(&(ADDRESS + index * 32).to_le_bytes());
        }
    }
    payload[..4].copy_from_slice(&0x2000_4000u32.to_le_bytes());
    payload[4..8].copy_from_slice(&(ADDRESS + 0x401).to_le_bytes());
    let version = Version {
        major: version,
        minor: 0,
        revision: 0,
        build: 0,
    };
    ImageBuilder::new(payload).version(version).sign(&key()).build()
}

fn host(role: Role, old: &[u8]) -> Host {
    let mut host = Host::new(SimulatedBoard::new(config(), Some(old)).unwrap());
    assert!(host.wait_for_port());
    into(&mut host, role);
    host
}

fn into(host: &mut Host, role: Role) {
    if role == Role::Bootloader {
        host.reset(Some(1));
        assert!(host.wait_for_port());
    }
    assert_eq!(
        host.describe(|d| (d.role, d.features.has(Features::DELTA))),
        (role, true)
    );
}

fn refusal(code: ErrorCode) -> Result<Option<bool>, (Option<u16>, u16)> {
    Err((Some(64), code.rc()))
}

fn secondary(host: &Host, len: usize) -> &[u8] {
    &host.board.flash().bytes()[SECONDARY..][..len]
}

/// What was sent can be started, and starts.
fn finish(host: &mut Host, new: &[u8]) {
    assert_eq!(secondary(host, new.len()), new);
    assert_eq!(host.set_state(Some(hash_of(new)), false), Ok(()));
    host.reset(None);
    assert!(host.wait_for_port());
    host.now += 1_000_000;
    host.board.advance(host.now);
    let running = host.list().remove(0);
    assert!(running.2 && running.3, "active and confirmed");
    assert_eq!(host.board.flash().bytes()[PRIMARY..][..new.len()], *new);
}

#[test]
fn every_method_updates_in_both_roles() {
    let methods = [Method::Full, Method::Plain, Method::FullThumb, Method::Relocated];
    for role in [Role::Bootloader, Role::Application] {
        let mut host = host(role, &image(1));
        for (index, method) in methods.into_iter().map(Some).chain([None]).enumerate() {
            let (old, new) = (image(index as u8 + 1), image(index as u8 + 2));
            let patch = patch(&old, &new, method);
            // A piece that holds the header, small ones, and all at once.
            host.asker.piece = [64, 200, 1024, 1800, 1000][index];
            assert_eq!(host.patch(&patch), Ok(Some(true)), "{role:?} {method:?}");
            finish(&mut host, &new);
            into(&mut host, role);
        }
    }
}

#[test]
fn a_board_without_room_for_it_says_so() {
    let (old, new) = (image(1), image(2));
    let config = Config {
        delta: false,
        ..config()
    };
    let mut host = Host::new(SimulatedBoard::new(config, Some(&old)).unwrap());
    assert!(host.wait_for_port());
    assert!(!host.describe(|d| d.features.has(Features::DELTA)));
    let code = bootlace_smp::ErrorCode::NotSupported.rc();
    assert_eq!(host.patch(&patch(&old, &new, None)), Err((None, code)));
}

#[test]
fn a_pulled_cable_costs_what_was_under_way() {
    for role in [Role::Bootloader, Role::Application] {
        let (old, new) = (image(1), image(3));
        let patch = patch(&old, &new, Some(Method::Full));
        let mut host = host(role, &old);
        let mut off = 0;
        while off < patch.len() / 2 {
            off = host.patch_piece(&patch, off).unwrap().0;
        }
        host.board.unplug();
        host.now += 5_000_000;
        // It says where it is, and what comes twice is taken once.
        assert_eq!(host.patch_piece(&patch, 0), Ok((off, None)));
        assert_eq!(host.patch_piece(&patch, off - 1000), Ok((off, None)));
        assert_eq!(host.patch_piece(&patch, off + 1000), Ok((off, None)));
        assert_eq!(host.patch(&patch), Ok(Some(true)));
        // The last answer was lost: the same again.
        assert_eq!(host.patch(&patch), Ok(Some(true)));
        finish(&mut host, &new);
    }
}

/// Flash operations that a patch takes.
fn cost(host: &mut Host, patch: &[u8]) -> u64 {
    let before = host.board.flash().operations();
    assert_eq!(host.patch(patch), Ok(Some(true)));
    host.board.flash().operations() - before
}

#[test]
fn after_a_power_cut_pages_in_flash_are_not_written_again() {
    let (old, new) = (image(1), image(3));
    let patch = patch(&old, &new, None);
    for role in [Role::Bootloader, Role::Application] {
        let whole = cost(&mut host(role, &old), &patch);
        for (share, moment) in [
            (3, Moment::Torn),
            (6, Moment::Torn),
            (9, Moment::Before),
            (9, Moment::After),
        ] {
            let mut host = host(role, &old);
            let at = host.board.flash().operations() + whole * share / 10;
            let seed = share;
            host.board.flash_mut().cut(Some(Cut { at, moment, seed }));
            host.asker.piece = 300;
            let mut off = 0;
            while !host.board.flash().is_dead() {
                off = match try_piece(&mut host, &patch, off) {
                    Some(next) => next,
                    None => break,
                };
            }
            assert!(host.board.flash().is_dead());
            host.board.power_cycle(host.now);
            assert!(host.wait_for_port());
            into(&mut host, role);
            let again = cost(&mut host, &patch);
            // At most the distance between two marks, and the page that was cut, are written again.
            assert!(
                again < whole - whole * share / 10 + 2 * (4096 / 256 + 2),
                "{again} of {whole} at {share}"
            );
            finish(&mut host, &new);
        }
    }
}

/// `None` where the power goes.
fn try_piece(host: &mut Host, patch: &[u8], off: usize) -> Option<usize> {
    host.with_patience(3_000_000, |host| Client::piece(host, patch, off, Content::Patch))
        .ok()
        .map(|(off, _)| off)
}

#[test]
fn upload_and_patch_go_on_where_the_other_was() {
    let (old, new) = (image(1), image(3));
    let full = patch(&old, &new, Some(Method::Full));
    // The patch is given up, and the image sent as it is.
    let mut first = host(Role::Bootloader, &old);
    let mut off = 0;
    while off < full.len() * 3 / 4 {
        off = first.patch_piece(&full, off).unwrap().0;
    }
    let before = first.board.flash().operations();
    assert_eq!(first.upload(&new), Some(true));
    let rest = first.board.flash().operations() - before;
    assert!(rest * 256 < new.len() as u64 / 2, "{rest} operations");
    finish(&mut first, &new);
    // An upload that another host began is finished by a patch.
    let mut second = host(Role::Application, &old);
    let whole = cost(&mut host(Role::Application, &old), &full);
    second.upload_part(&new, new.len() / 2);
    let rest = cost(&mut second, &full);
    assert!(rest * 10 < whole * 6, "{rest} of {whole}");
    finish(&mut second, &new);
}

#[test]
fn refused_for_a_reason_and_nothing_is_lost() {
    let (old, new, other) = (image(1), image(2), image(5));
    for role in [Role::Bootloader, Role::Application] {
        let mut host = host(role, &old);
        assert_eq!(host.upload(&other), Some(true));
        assert_eq!(host.set_state(Some(hash_of(&other)), false), Ok(()));
        let flash = host.board.flash().bytes().to_vec();
        let good = patch(&old, &new, None);
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad
        };
        assert_eq!(
            host.patch(&patch(&other, &new, None)),
            refusal(ErrorCode::WrongBase)
        );
        for (bad, code) in [
            (with(&|p| p[0] ^= 1), ErrorCode::PatchFormat),
            (with(&|p| p.truncate(20)), ErrorCode::PatchFormat),
            (with(&|p| p[3] = 70), ErrorCode::PatchFormat),
            (with(&|p| p[2] = 2), ErrorCode::PatchVersion),
            (with(&|p| p[4] = 9), ErrorCode::PatchVersion),
        ] {
            assert_eq!(host.patch(&bad), refusal(code), "{role:?}");
        }
        let mut large = new.clone();
        large.resize(SLOT - 4096, 0);
        assert_eq!(
            host.patch(&patch(&old, &large, None)),
            refusal(ErrorCode::PatchTooLarge)
        );
        assert!(
            flash == host.board.flash().bytes(),
            "something was erased or written"
        );
        // What is needed of the first piece.
        host.asker.piece = 20;
        assert_eq!(host.patch(&good), refusal(ErrorCode::PatchFormat));
        host.asker.piece = 1024;
        // The base is not what it says it is.
        let mut bytes = flash.clone();
        bytes[PRIMARY + 9000] ^= 4;
        host.board.flash_mut().restore(&bytes);
        assert_eq!(host.patch(&good), refusal(ErrorCode::NoBase));
        assert!(bytes == host.board.flash().bytes());
        // A patch that needs no base takes it as it is.
        assert_eq!(host.patch(&patch(&old, &new, Some(Method::Full))), Ok(Some(true)));
        let mut bytes = host.board.flash().bytes().to_vec();
        bytes[PRIMARY + 9000] ^= 4;
        host.board.flash_mut().restore(&bytes);
        assert_eq!(host.patch(&good), Ok(Some(true)), "{role:?}");
        finish(&mut host, &new);
    }
}

#[test]
fn a_board_without_an_image_has_no_base() {
    let (old, new) = (image(1), image(2));
    let mut host = Host::new(SimulatedBoard::new(config(), None).unwrap());
    assert!(host.wait_for_port());
    assert_eq!(
        host.patch(&patch(&old, &new, Some(Method::Plain))),
        refusal(ErrorCode::NoBase)
    );
    assert_eq!(
        host.patch(&patch(&old, &new, Some(Method::FullThumb))),
        Ok(Some(true))
    );
    finish(&mut host, &new);
}

/// Whoever has no key may send a patch that copies any part of the running firmware to where an image carries its digest: what
/// such an image says of itself would be read out, 32 bytes at a time.
#[test]
fn a_patch_that_copies_the_firmware_into_a_digest_reads_nothing_out() {
    let old = image(1);
    let secret = &old[0x2000..0x2020];
    let mut forged = ImageBuilder::new(vec![0; 1000])
        .without_digest()
        .unprotected(TlvKind::SHA256, secret)
        .build();
    for named in [true, false] {
        // With and without the signature of a key that the board trusts, of another image.
        if !named {
            forged = ImageBuilder::new(vec![0; 1000])
                .without_digest()
                .unprotected(TlvKind::SHA256, secret)
                .unprotected(TlvKind::KEYHASH, &key().public().hash())
                .unprotected(TlvKind::ECDSA, &key().sign(&[7; 32]))
                .build();
        }
        for role in [Role::Bootloader, Role::Application] {
            let mut host = host(role, &old);
            for method in [Method::Plain, Method::Full] {
                _ = host.patch(&patch(&old, &forged, Some(method)));
                let answer = host.ask(&Request::Img(img::Request::State), |response| match response {
                    Response::Img(img::Response::State(images)) => {
                        images.iter().map(|entry| entry.slot).collect::<Vec<_>>()
                    }
                    other => panic!("{other:?}"),
                });
                assert_eq!(answer, [0], "{role:?} {method:?}");
            }
            assert_eq!(
                secondary(&host, forged.len()),
                forged,
                "the forged image was never there"
            );
        }
    }
}

/// Damaged anywhere, and cut off anywhere: an answer, never what can be marked, and the next patch goes well.
#[test]
fn no_damaged_patch_writes_a_wrong_image() {
    let (old, new) = (image(1), image(4));
    let mut host = host(Role::Bootloader, &old);
    let (mut refused, mut unlike, mut round) = (0, 0, 0);
    for method in [Method::Full, Method::Plain, Method::Relocated] {
        let good = patch(&old, &new, Some(method));
        let step = (good.len() / 60).max(1);
        for at in (0..good.len()).step_by(step) {
            for bad in [
                good.iter()
                    .enumerate()
                    .map(|(i, b)| if i == at { b ^ 0x11 } else { *b })
                    .collect(),
                good[..at].to_vec(),
                [&good[..at], &[round as u8; 3], &good[at..]].concat(),
                [&good[..], &[0; 9][..]].concat(),
            ] {
                round += 1;
                let bad: Vec<u8> = bad;
                if bad == good {
                    continue;
                }
                match host.patch(&bad) {
                    Ok(Some(true)) => {
                        // A bit that means nothing: what came out is right nevertheless.
                        assert_eq!(secondary(&host, new.len()), new);
                        continue;
                    }
                    Ok(answer) => {
                        assert_eq!(answer, Some(false));
                        unlike += 1;
                    }
                    Err((group, code)) => {
                        assert_eq!(group, Some(64), "{code}");
                        refused += 1;
                    }
                }
                assert!(
                    host.set_state(Some(hash_of(&new)), false).is_err() || secondary(&host, new.len()) == new
                );
            }
        }
        assert_eq!(host.patch(&good), Ok(Some(true)));
    }
    assert!(refused > 100 && unlike > 0, "{refused} refused, {unlike} unlike");
    assert_eq!(host.board.flash().bytes()[PRIMARY..][..old.len()], old);
    finish(&mut host, &new);
}

/// What a damaged patch has written is not what an upload of the same image goes on with, also after a restart.
#[test]
fn a_damaged_patch_leaves_nothing_to_go_on_with() {
    let (old, new) = (image(1), image(4));
    for share in 3..9 {
        let mut host = host(Role::Bootloader, &old);
        let mut bad = patch(&old, &new, Some(Method::Full));
        let at = bad.len() * share / 10;
        bad[at] ^= 0x40;
        let operations = host.board.flash().operations();
        assert_ne!(host.patch(&bad), Ok(Some(true)));
        assert!(
            host.board.flash().operations() > operations + 20,
            "refused before it began"
        );
        host.board.power_cycle(host.now);
        assert!(host.wait_for_port());
        assert_eq!(host.upload(&new), Some(true), "at {at}");
    }
}

/// The applier's memory was used for something else in between: from the start, but nothing is written twice.
#[test]
fn memory_that_was_needed_elsewhere_costs_no_flash() {
    let (old, new) = (image(1), image(3));
    let full = patch(&old, &new, Some(Method::Full));
    let whole = cost(&mut host(Role::Bootloader, &old), &full);
    let mut host = host(Role::Bootloader, &old);
    let before = host.board.flash().operations();
    let mut off = 0;
    while off < full.len() / 2 {
        off = host.patch_piece(&full, off).unwrap().0;
    }
    host.board.forget_patch();
    assert_eq!(host.patch(&full), Ok(Some(true)));
    assert_eq!(host.board.flash().operations() - before, whole);
    finish(&mut host, &new);
}
