//! One owner of a board, polled: whatever the host does, every poll returns, and what is due still happens.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use bootlace_app_kit::Application;
use bootlace_core::board::{Identity, Policy};
use bootlace_core::boot::Start;
use bootlace_core::flash::Flash as _;
use bootlace_core::link::{Link, MILLIS_OF_SILENCE_IN_RAW};
use bootlace_core::serving::MILLIS_TO_LEAVE;
use bootlace_core::{Companion, Next, Owner};
use bootlace_image::PublicKey;
use bootlace_simulator::{Area, NorFlash};
use bootlace_smp::bootlace::{Reset, RollbackReason, Supply};
use bootlace_smp::frame::{self, Framing};
use bootlace_smp::{self as smp, Request, bootlace, img, os};
use common::{config, hash_of, key, version};

/// A board with version 0 in its primary slot, and version 1 in its secondary one.
fn flash() -> NorFlash {
    let config = config();
    let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
    flash.flash_primary(&version(0));
    for (at, bytes) in (0..).step_by(256).zip(version(1).chunks(256)) {
        let mut padded = bytes.to_vec();
        padded.resize(256, 0xFF);
        flash.program(Area::Secondary, at, &padded).unwrap();
    }
    flash
}

fn identity(keys: &[PublicKey]) -> Identity<'_> {
    Identity {
        name: "Board",
        serial: "1",
        vendor: None,
        class: None,
        keys,
        policy: Policy::default(),
    }
}

fn link() -> Link<Vec<u8>> {
    Link::new(vec![0; Link::<Vec<u8>>::memory(1024, 2)], 1024, 2).unwrap()
}

/// A bootloader that somebody asked to stay.
fn serving<'a>(flash: &mut NorFlash, identity: &'a Identity<'a>, link: &mut Link<Vec<u8>>) -> Companion<'a> {
    let start = Start {
        reset: Reset::Software,
        requested: true,
        held: false,
        gave_up: None,
    };
    let mut companion = Companion::new(flash, identity, start);
    while !companion.is_serving() {
        companion.poll(flash, link, 0, None);
    }
    companion
}

fn wire(request: &Request) -> Vec<u8> {
    let mut packet = [0; 1024];
    let len = smp::encode_request(&mut packet, smp::Version::V2, 1, request).unwrap();
    let mut wire = Vec::new();
    frame::encode(Framing::Cobs, &packet[..len], |bytes| {
        wire.extend_from_slice(bytes)
    });
    wire
}

/// Polls until there is nothing to do, and returns what is next then.
fn rest<O: Owner>(owner: &mut O, flash: &mut NorFlash, link: &mut Link<Vec<u8>>, now: u64) -> Next {
    for _ in 0..100_000 {
        let next = owner.poll(flash, link, now, None);
        if next != Next::Again {
            return next;
        }
    }
    panic!("the owner never comes to rest")
}

#[test]
fn a_host_that_stops_reading_in_the_middle_of_a_reply_stops_nothing_else() {
    let (keys, mut flash, mut link) = ([key().public()], flash(), link());
    let identity = identity(&keys);
    let mut companion = serving(&mut flash, &identity, &mut link);
    // It reads ten bytes of the answer and then no more, for ever; and it asks on.
    link.feed(&wire(&Request::Bootlace(bootlace::Request::Describe)));
    assert_eq!(
        rest(&mut companion, &mut flash, &mut link, 0),
        Next::Idle {
            until: Some(u64::from(Policy::default().idle_return.unwrap()) * 1000 + 1)
        }
    );
    assert_eq!(link.transmit(&mut [0; 10]), 10);
    let question = wire(&Request::Os(os::Request::Params));
    for minute in 0..1000 {
        link.feed(&question);
        let next = rest(&mut companion, &mut flash, &mut link, minute * 60_000);
        assert!(matches!(next, Next::Idle { .. }), "{next:?}");
        companion.measured(Supply {
            level: 100,
            limit: 0,
            percent: true,
        });
    }
    // It reads again, and is answered.
    let mut answers = 0;
    for _ in 0..10_000 {
        let next = companion.poll(&mut flash, &mut link, 60_000_000, None);
        let mut piece = [0; 64];
        let len = link.transmit(&mut piece);
        answers += piece[..len].iter().filter(|&&byte| byte == 0).count();
        if next != Next::Again && len == 0 {
            break;
        }
    }
    // A description and the two questions that the link had room for, each between zeros.
    assert!(answers >= 3, "{answers}");
}

#[test]
fn a_reset_comes_though_the_host_never_reads_its_answer() {
    let (keys, mut flash, mut link) = ([key().public()], flash(), link());
    let identity = identity(&keys);
    let mut companion = serving(&mut flash, &identity, &mut link);
    let request = os::Request::Reset {
        force: false,
        boot_mode: Some(os::BOOT_MODE_BOOTLOADER),
    };
    link.feed(&wire(&Request::Os(request)));
    assert_eq!(
        rest(&mut companion, &mut flash, &mut link, 100),
        Next::Idle {
            until: Some(100 + MILLIS_TO_LEAVE)
        }
    );
    assert_eq!(
        rest(&mut companion, &mut flash, &mut link, 100 + MILLIS_TO_LEAVE),
        Next::Reset {
            bootloader: true,
            gave_up: None
        }
    );
}

#[test]
fn a_trial_ends_though_the_host_never_reads() {
    let (keys, mut flash, mut link) = ([key().public()], flash(), link());
    let identity = identity(&keys);
    // The update is marked and swapped in.
    let mut companion = serving(&mut flash, &identity, &mut link);
    link.feed(&wire(&Request::Img(img::Request::SetState {
        hash: Some(&hash_of(&version(1))),
        confirm: false,
    })));
    rest(&mut companion, &mut flash, &mut link, 0);
    link.clear();
    let start = Start {
        reset: Reset::Software,
        requested: false,
        held: false,
        gave_up: None,
    };
    let mut companion = Companion::new(&mut flash, &identity, start);
    let next = rest(&mut companion, &mut flash, &mut link, 0);
    assert!(matches!(next, Next::Boot { trial: true, .. }), "{next:?}");
    // The application's host stops reading.
    let mut application = Application::new(&mut flash, &identity, Reset::Software);
    link.feed(&wire(&Request::Bootlace(bootlace::Request::Describe)));
    let deadline = u64::from(identity.policy.deadline) * 1000;
    assert_eq!(
        rest(&mut application, &mut flash, &mut link, 1),
        Next::Idle {
            until: Some(deadline)
        }
    );
    assert_eq!(link.transmit(&mut [0; 10]), 10);
    assert_eq!(
        rest(&mut application, &mut flash, &mut link, deadline),
        Next::Reset {
            bootloader: false,
            gave_up: Some(RollbackReason::Deadline)
        }
    );
}

#[test]
fn half_a_packet_is_forgotten_after_a_while_and_the_owner_says_when() {
    let (keys, mut flash, mut link) = ([key().public()], flash(), link());
    let identity = identity(&keys);
    let mut companion = serving(&mut flash, &identity, &mut link);
    // The head of a raw packet of which 900 more bytes were announced.
    link.feed(&[0x02, 0, 0x03, 0x84, 0, 1, 0, 1, 0xA1]);
    let end = 5 + MILLIS_OF_SILENCE_IN_RAW;
    assert_eq!(
        rest(&mut companion, &mut flash, &mut link, 5),
        Next::Idle { until: Some(end) }
    );
    // A byte more: the time begins again.
    link.feed(&[0]);
    assert_eq!(
        rest(&mut companion, &mut flash, &mut link, 500),
        Next::Idle {
            until: Some(500 + MILLIS_OF_SILENCE_IN_RAW)
        }
    );
    assert!(link.is_receiving());
    rest(
        &mut companion,
        &mut flash,
        &mut link,
        500 + MILLIS_OF_SILENCE_IN_RAW,
    );
    assert!(!link.is_receiving());
}

/// Most polls of a board's life do at most one flash operation; none does more.
#[test]
fn a_poll_does_at_most_one_flash_operation() {
    let (keys, mut flash, mut link) = ([key().public()], flash(), link());
    let identity = identity(&keys);
    let mut companion = serving(&mut flash, &identity, &mut link);
    link.feed(&wire(&Request::Img(img::Request::SetState {
        hash: Some(&hash_of(&version(1))),
        confirm: false,
    })));
    let start = Start {
        reset: Reset::Software,
        requested: false,
        held: false,
        gave_up: None,
    };
    let mut polls = 0;
    let mut poll = |companion: &mut Companion, flash: &mut NorFlash, link: &mut Link<Vec<u8>>| {
        let before = flash.operations();
        let next = companion.poll(flash, link, 0, None);
        assert!(flash.operations() <= before + 1, "{next:?}");
        polls += 1;
        next
    };
    while poll(&mut companion, &mut flash, &mut link) == Next::Again {}
    let mut companion = Companion::new(&mut flash, &identity, start);
    while poll(&mut companion, &mut flash, &mut link) == Next::Again {}
    assert!(polls > 100, "{polls}");
}

/// With the most keys that are told, the longest names, and everything else that a description can hold.
#[test]
fn the_longest_description_fits_into_the_reply_that_a_link_asks_for() {
    let (keys, mut link) = ([key().public(); 4], link());
    let mut config = config().with_golden();
    config.map.state.erase = 4096;
    let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
    flash.flash_area(Area::Golden, &version(0));
    flash.flash_primary(&version(1));
    let long = "0123456789abcdef0123456789abcdef";
    let identity = Identity {
        name: long,
        serial: long,
        vendor: Some([0xFF; 16]),
        class: Some([0xFF; 16]),
        ..identity(&keys)
    };
    let start = Start {
        reset: Reset::Software,
        requested: true,
        held: false,
        gave_up: None,
    };
    let mut companion = Companion::new(&mut flash, &identity, start);
    while !companion.is_serving() {
        companion.poll(&mut flash, &mut link, 0, None);
    }
    companion.measured(Supply {
        level: u32::MAX,
        limit: u32::MAX,
        percent: false,
    });
    link.feed(&wire(&Request::Bootlace(bootlace::Request::Describe)));
    rest(&mut companion, &mut flash, &mut link, 0);
    let mut answer = Vec::new();
    let mut piece = [0; 64];
    loop {
        let len = link.transmit(&mut piece);
        if len == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..len]);
    }
    // A rollback, a trial and larger numbers are not in it.
    const REST: usize = 100;
    println!("{} bytes", answer.len());
    assert!(answer.len() > 400, "it was refused: {} bytes", answer.len());
    assert!(
        answer.len() + REST <= bootlace_core::link::REPLY,
        "{}",
        answer.len()
    );
}

/// The check of an image can cost a board its power, or more time than its watchdog has: such a start counts as well.
#[test]
fn a_trial_whose_check_never_comes_to_an_end_is_given_up() {
    let (keys, mut flash, mut link) = ([key().public()], flash(), link());
    let identity = identity(&keys);
    let mut companion = serving(&mut flash, &identity, &mut link);
    link.feed(&wire(&Request::Img(img::Request::SetState {
        hash: Some(&hash_of(&version(1))),
        confirm: false,
    })));
    rest(&mut companion, &mut flash, &mut link, 0);
    let start = |reset| Start {
        reset,
        requested: false,
        held: false,
        gave_up: None,
    };
    // The swap is complete, and the power goes before the new image's check is.
    let mut companion = Companion::new(&mut flash, &identity, start(Reset::Software));
    let mut before = 0;
    for poll in 0.. {
        let operations = flash.operations();
        if companion.poll(&mut flash, &mut link, 0, None) != Next::Again {
            break;
        }
        if flash.operations() != operations {
            before = poll;
        }
        assert!(poll < 100_000);
    }
    // The same again up to there, from flash of before: so many polls, of which the last ones check.
    link.clear();
    let mut flash = self::flash();
    let mut companion = serving(&mut flash, &identity, &mut link);
    link.feed(&wire(&Request::Img(img::Request::SetState {
        hash: Some(&hash_of(&version(1))),
        confirm: false,
    })));
    rest(&mut companion, &mut flash, &mut link, 0);
    let mut companion = Companion::new(&mut flash, &identity, start(Reset::Software));
    for _ in 0..before + 3 {
        assert_eq!(companion.poll(&mut flash, &mut link, 0, None), Next::Again);
    }
    // One attempt was all that the policy gives.
    let mut companion = Companion::new(&mut flash, &identity, start(Reset::Watchdog));
    let next = rest(&mut companion, &mut flash, &mut link, 0);
    assert!(matches!(next, Next::Boot { trial: false, .. }), "{next:?}");
    let rollback = companion.state().rollback.unwrap();
    assert_eq!(rollback.0, RollbackReason::Watchdog);
}
