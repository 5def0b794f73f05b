//! What went wrong in other bootloaders, and does not here: one test a lesson.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::ops::Range;

use bootlace_client::Client;
use bootlace_simulator::{Area, Behaviour, Config, Cut, Moment, NorFlash, SimulatedBoard};
use bootlace_smp::bootlace::{BootState, Role, RollbackReason};
use bootlace_smp::{Header, Request, Response, img, os};
use common::{Host, builder, config, hash_of, image, key};

const ADDRESS: u32 = 0x0801_0000;
/// Offsets of the default board's areas from its first byte of flash.
const PRIMARY: usize = 0xA000;
const SLOT: usize = 123 * 4096;
const SECONDARY: usize = PRIMARY + SLOT;

fn host(config: Config, old: &[u8]) -> Host {
    let mut host = Host::new(SimulatedBoard::new(config, Some(old)).unwrap());
    assert!(host.wait_for_port());
    host
}

fn counted(version: (u8, u8), counter: u32) -> Vec<u8> {
    builder(version, 30_000, ADDRESS)
        .security_counter(counter)
        .sign(&key())
        .build()
}

/// A board that takes a swap for good, and a confirmation over the wire.
fn permanent() -> Config {
    let mut config = config();
    config.policy.permanent = true;
    config.policy.confirm_over_wire = true;
    config
}

fn mark_and_restart(host: &mut Host, new: &[u8]) {
    assert_eq!(host.upload(new), Some(true));
    assert_eq!(host.set_state(Some(hash_of(new)), false), Ok(()));
    host.reset(None);
}

/// Writes into flash behind the board's back.
fn tamper(host: &mut Host, change: impl FnOnce(&mut [u8])) {
    let mut bytes = host.board.flash().bytes().to_vec();
    change(&mut bytes);
    host.board.flash_mut().restore(&bytes);
}

fn refused(response: Response) -> bool {
    matches!(response, Response::Failure(_))
}

#[test]
fn the_downgrade_check_runs_on_test_and_at_the_swap_itself() {
    let (current, older) = (counted((2, 0), 5), counted((1, 0), 4));
    let mut host = host(config(), &current);
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.describe(|d| d.counter), Some(5));
    assert_eq!(host.upload(&older), Some(true));
    assert!(host.set_state(Some(hash_of(&older)), false).is_err(), "on test");
    // An application that knows nothing of counters writes the trailer itself.
    tamper(&mut host, |flash| mark_secondary(flash, false));
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "2.0.0");
    assert_eq!(
        host.describe(|d| d.rollback.map(|r| r.reason)),
        Some(RollbackReason::TooOld),
        "at the swap"
    );
}

#[test]
fn the_downgrade_check_runs_on_a_permanent_swap() {
    let (current, older) = (counted((2, 0), 5), counted((1, 0), 4));
    let mut host = host(permanent(), &current);
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.upload(&older), Some(true));
    assert!(host.set_state(Some(hash_of(&older)), true).is_err(), "on marking");
    tamper(&mut host, |flash| mark_secondary(flash, true));
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "2.0.0");
}

#[test]
fn the_downgrade_check_runs_on_confirm() {
    let (current, older) = (counted((2, 0), 5), counted((1, 0), 4));
    let behaviour = Behaviour::NeverConfirm;
    let mut host = host(
        Config {
            behaviour,
            ..permanent()
        },
        &current,
    );
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.upload(&older), Some(true));
    // To confirm what waits is to ask for a permanent swap, where a board allows one.
    assert!(host.set_state(Some(hash_of(&older)), true).is_err());
    assert!(!host.list()[1].4, "marked all the same");
    // An image on trial that was exchanged for an older one is confirmed by the older one's own request.
    let (new, older) = (counted((2, 1), 6), counted((1, 1), 4));
    mark_and_restart(&mut host, &new);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "2.1.0");
    exchange(&mut host, PRIMARY..SECONDARY, &new, &older);
    assert_eq!(host.set_state(Some(hash_of(&older)), true), Ok(()));
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(
        host.describe(|d| (d.state, d.counter)),
        (Some(BootState::TooOld), Some(5))
    );
}

#[test]
fn the_downgrade_check_runs_on_revert() {
    let (current, new, older) = (counted((2, 0), 5), counted((2, 1), 6), counted((1, 0), 4));
    let behaviour = Behaviour::NeverConfirm;
    let mut host = host(
        Config {
            behaviour,
            ..config()
        },
        &current,
    );
    host.reset(None);
    assert!(host.wait_for_port());
    mark_and_restart(&mut host, &new);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "2.1.0");
    // The image to go back to is exchanged for one that was signed as well, long ago.
    exchange(&mut host, SECONDARY..SECONDARY + SLOT, &current, &older);
    host.now += 60_000_000;
    host.board.advance(host.now);
    assert!(host.wait_for_port());
    assert_eq!(
        host.describe(|d| (d.role, d.state, d.counter)),
        (Role::Bootloader, Some(BootState::NothingToRevertTo), Some(5))
    );
}

/// Puts one image in another one's place.
fn exchange(host: &mut Host, slot: Range<usize>, old: &[u8], new: &[u8]) {
    tamper(host, |flash| {
        let slot = &mut flash[slot];
        let at = slot.windows(old.len()).position(|bytes| bytes == old).unwrap();
        slot[at..at + new.len()].copy_from_slice(new);
    });
}

/// What an application writes to ask for a swap: the magic at the slot's end, and image_ok where it is for good.
fn mark_secondary(flash: &mut [u8], permanent: bool) {
    let end = SECONDARY + SLOT;
    flash[end - 4096..end].fill(0xFF);
    flash[end - 16..end].copy_from_slice(&bootlace_image::trailer::MAGIC);
    if permanent {
        flash[end - 24] = 1;
    }
}

/// MCUboot was replaced while an image was on trial: the trailer speaks of a trial, and no record of the companion does. Such a
/// board stayed in its bootloader with nothing to go back to, and refused every image.
#[test]
fn a_trial_that_another_bootloader_began_leaves_a_board_that_runs_or_takes_an_image() {
    let (old, new, next) = (
        image((1, 0), 30_000, ADDRESS),
        image((1, 1), 30_000, ADDRESS),
        image((1, 2), 30_000, ADDRESS),
    );
    let mut stays = 0;
    for behaviour in [Behaviour::Normal, Behaviour::NeverConfirm, Behaviour::Crash] {
        for secondary in [None, Some(&old)] {
            for damage in [None, Some(PRIMARY + 25_000), Some(SECONDARY + 25_000)] {
                let config = Config {
                    behaviour,
                    ..config()
                };
                let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
                flash.flash_primary(&new);
                if let Some(image) = secondary {
                    flash.flash_area(Area::Secondary, image);
                }
                let mut bytes = flash.bytes().to_vec();
                // Swapped, and not confirmed: swap_info, copy_done, the magic.
                bytes[SECONDARY - 40] = 2;
                bytes[SECONDARY - 32] = 1;
                bytes[SECONDARY - 16..SECONDARY].copy_from_slice(&bootlace_image::trailer::MAGIC);
                if let Some(at) = damage {
                    bytes[at] ^= 1;
                }
                flash.restore(&bytes);
                let mut host = Host::new(SimulatedBoard::with_flash(config, flash).unwrap());
                for start in 0..4 {
                    let case = format!("{behaviour:?}, {secondary:?}, {damage:?}, start {start}");
                    let case = &case[..case.len().min(60)];
                    assert!(host.wait_for_port(), "{case}");
                    host.settle();
                    assert!(host.wait_for_port(), "{case}");
                    if host.describe(|d| d.state.is_some_and(BootState::starts_nothing)) {
                        stays += 1;
                        host.board.behave(Behaviour::Normal);
                        host.update(&next);
                        assert_eq!(host.list()[0].1, "1.2.0", "{case}");
                        break;
                    }
                    host.board.power_cycle(host.now);
                }
            }
        }
    }
    assert!(stays >= 3, "{stays} boards stayed");
}

#[test]
fn a_secondary_replaced_after_it_was_marked_is_verified_again() {
    let (old, new) = (image((1, 0), 30_000, ADDRESS), image((1, 1), 30_000, ADDRESS));
    let mut host = host(config(), &old);
    assert_eq!(host.upload(&new), Some(true));
    assert_eq!(host.set_state(Some(hash_of(&new)), false), Ok(()));
    tamper(&mut host, |flash| flash[SECONDARY + 20_000] ^= 0x10);
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "1.0.0");
    assert_eq!(
        host.describe(|d| d.rollback.map(|r| r.reason)),
        Some(RollbackReason::BadImage)
    );
    // And a new upload takes the mark back before it touches the image.
    assert_eq!(host.upload(&new), Some(true));
    assert!(!host.list()[1].4, "a mark outlived its image");
}

#[test]
fn the_primary_is_verified_at_every_start() {
    let old = image((1, 0), 30_000, ADDRESS);
    let mut host = host(config(), &old);
    tamper(&mut host, |flash| flash[PRIMARY + 25_000] ^= 1);
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.describe(|d| d.state), Some(BootState::BadImage));
}

#[test]
fn the_counter_of_an_image_on_trial_does_not_bar_the_way_back() {
    let (old, new) = (counted((1, 0), 1), counted((1, 1), 9));
    let mut host = host(
        Config {
            behaviour: Behaviour::Crash,
            ..config()
        },
        &old,
    );
    mark_and_restart(&mut host, &new);
    host.now += 60_000_000;
    host.board.advance(host.now);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "1.0.0");
    assert_eq!(host.describe(|d| d.counter), Some(1));
}

#[test]
fn a_stale_swap_info_does_not_decide() {
    let (old, new) = (image((1, 0), 30_000, ADDRESS), image((1, 1), 30_000, ADDRESS));
    let mut host = host(config(), &old);
    // swap_info says revert, swap_size is wild, but there is no magic: nothing was asked for.
    tamper(&mut host, |flash| {
        let end = PRIMARY + SLOT;
        flash[end - 40] = 4;
        flash[end - 48..end - 44].copy_from_slice(&[0xAA; 4]);
    });
    host.reset(None);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "1.0.0");
    mark_and_restart(&mut host, &new);
    assert!(host.wait_for_port());
    assert_eq!(host.list()[0].1, "1.1.0");
}

#[test]
fn an_empty_slot_is_left_out_of_the_list() {
    let mut host = host(config(), &image((1, 0), 30_000, ADDRESS));
    assert_eq!(host.list().len(), 1);
    tamper(&mut host, |flash| {
        flash[SECONDARY..SECONDARY + 4].copy_from_slice(&0x96f3_b83d_u32.to_le_bytes())
    });
    assert_eq!(host.list().len(), 1, "a magic alone is no image");
}

#[test]
fn bytes_without_end_leave_the_board_answering() {
    let mut host = host(config(), &image((1, 0), 30_000, ADDRESS));
    let mut noise = 1u32;
    for _ in 0..300 {
        let bytes: Vec<u8> = (0..1000)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        let mut sent = 0;
        for _ in 0..1000 {
            sent += host.board.receive(host.now, &bytes[sent..]);
            host.now += 500;
            host.board.transmit(host.now, &mut Vec::new());
            if sent == bytes.len() {
                break;
            }
        }
        assert_eq!(sent, bytes.len(), "the board stopped taking bytes");
    }
    // The noise may have begun a frame that takes in the first request; silence ends it.
    let state = Request::Img(img::Request::State);
    let answered =
        (0..3).any(|_| host.with_patience(1_000_000, |host| host.try_ask(&state, |_| ()).unwrap().is_some()));
    assert!(answered, "the board does not answer any more");
}

#[test]
fn a_packet_one_byte_longer_or_shorter_than_it_says_harms_nothing() {
    let mut host = host(config(), &image((1, 0), 30_000, ADDRESS));
    let mut packet = [0; 64];
    let request = Request::Os(os::Request::Echo("hello".into()));
    let len = bootlace_smp::encode_request(&mut packet, bootlace_smp::Version::V2, 9, &request).unwrap();
    for change in [-1i32, 1] {
        let mut wrong = packet;
        let (header, _) = Header::parse(&packet[..len]).unwrap();
        let claimed = u16::try_from(i32::from(header.len) + change).unwrap();
        wrong[2..4].copy_from_slice(&claimed.to_be_bytes());
        let mut wire = Vec::new();
        bootlace_smp::frame::encode(host.asker.framing, &wrong[..len], |bytes| {
            wire.extend_from_slice(bytes)
        });
        host.board.receive(host.now, &wire);
        host.now += 100_000;
        host.board.transmit(host.now, &mut Vec::new());
    }
    assert_eq!(host.list().len(), 1);
}

#[test]
fn an_upload_after_an_erase_begins_anew() {
    let (old, new) = (image((1, 0), 30_000, ADDRESS), image((1, 1), 60_000, ADDRESS));
    let mut host = host(config(), &old);
    assert_eq!(host.upload(&new), Some(true));
    host.ask(&Request::Img(img::Request::Erase { slot: None }), |r| {
        assert!(!refused(r))
    });
    assert_eq!(host.list().len(), 1);
    assert_eq!(
        host.upload(&new),
        Some(true),
        "the digest is compared with what is in flash"
    );
    assert_eq!(host.set_state(Some(hash_of(&new)), false), Ok(()));
}

#[test]
fn flash_that_fails_is_answered_not_passed_over() {
    let (old, new) = (image((1, 0), 30_000, ADDRESS), image((1, 1), 60_000, ADDRESS));
    let mut host = host(config(), &old);
    let at = host.board.flash().operations() + 20;
    host.board.flash_mut().wear_out(at);
    let mut off = 0;
    for _ in 0..200 {
        let first = off == 0;
        let piece = img::Upload {
            off: off as u32,
            len: first.then_some(new.len() as u32),
            data: &new[off..(off + 512).min(new.len())],
            ..img::Upload::default()
        };
        // Every request gets an answer, whatever flash does.
        let request = Request::Img(img::Request::Upload(piece));
        let answer = host.ask(&request, |r| match r {
            Response::Img(img::Response::Upload { off, .. }) => Some(off as usize),
            other => {
                assert!(refused(other));
                None
            }
        });
        match answer {
            Some(next) => off = next,
            None => return,
        }
    }
    unreachable!("flash failed, and the upload went on");
}

#[test]
fn nothing_can_be_written_over_what_runs() {
    let old = image((1, 0), 30_000, ADDRESS);
    let mut host = host(config(), &old);
    for bootloader in [false, true] {
        if bootloader {
            host.reset(Some(1));
            assert!(host.wait_for_port());
        }
        assert!(host.ask(&Request::Img(img::Request::Erase { slot: Some(0) }), refused));
        let piece = img::Upload {
            image: Some(2),
            len: Some(100),
            data: &old[..64],
            ..img::Upload::default()
        };
        assert!(host.ask(&Request::Img(img::Request::Upload(piece)), refused));
        assert_eq!(host.upload(&image((1, 1), 30_000, ADDRESS)), Some(true));
        assert_eq!(
            &host.board.flash().bytes()[PRIMARY..PRIMARY + old.len()],
            old.as_slice()
        );
    }
}

#[test]
fn a_cut_inside_the_revert_ends_with_the_old_image() {
    let (old, new) = (image((1, 0), 30_000, ADDRESS), image((1, 1), 33_000, ADDRESS));
    for cut in 0..40 {
        let mut host = host(
            Config {
                behaviour: Behaviour::Crash,
                ..config()
            },
            &old,
        );
        mark_and_restart(&mut host, &new);
        assert!(host.wait_for_port());
        let at = host.board.flash().operations() + cut * 9;
        host.board.flash_mut().cut(Some(Cut {
            at,
            moment: Moment::Torn,
            seed: cut,
        }));
        host.now += 20_000_000;
        host.board.advance(host.now);
        host.board.power_cycle(host.now);
        host.now += 20_000_000;
        host.board.advance(host.now);
        assert!(host.wait_for_port(), "cut {cut}");
        assert_eq!(host.list()[0].1, "1.0.0", "cut {cut}");
    }
}
