//! Bad input: images that must not be sent, ports that belong to something else.

use bootlace_image::Unstartable;

use super::*;

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[track_caller]
fn refused(pair: &Pair, file: &[u8], error: Error) {
    let board = pair.board.pieces;
    assert_eq!(plan(pair, file, &Options::default()), Err(error));
    assert_eq!(pair.board.pieces, board);
}

#[test]
fn images_that_the_board_would_refuse_are_not_sent() {
    let mut board = Board::new(&image(1, 3000), vec![key().public()]);
    (board.counter, board.class) = (3, Some([9; 16]));
    let mut pair = with(board);
    let good = unsigned(2, 3000).security_counter(3).cid([9; 16]);
    plan(&pair, &good.clone().sign(&key()).build(), &Options::default()).unwrap();

    refused(
        &pair,
        b"#!/bin/sh",
        Error::Image(FormatError::NotAnImage { magic: 0x622f_2123 }),
    );
    let file = good.clone().sign(&key()).build();
    let Err(Error::Image(FormatError::Truncated { .. })) = plan(&pair, &file[..2000], &Options::default())
    else {
        panic!()
    };
    refused(&pair, &good.clone().build(), Error::Refused(Refusal::Unsigned));
    let mut altered = file.clone();
    altered[1000] ^= 1;
    refused(&pair, &altered, Error::Refused(Refusal::Altered));
    let stranger = SigningKey::from_seed(Algorithm::Ed25519, &[8; 32]).unwrap();
    let foreign = good.clone().sign(&stranger).build();
    let key_hash = stranger.public().hash();
    refused(
        &pair,
        &foreign,
        Error::Refused(Refusal::UnknownSigner {
            key_hash: Some(key_hash),
        }),
    );
    // Trusted here, not there.
    let options = Options {
        keys: vec![stranger.public()],
        ..Options::default()
    };
    assert_eq!(
        plan(&pair, &foreign, &options),
        Err(Error::UntrustedByBoard { key_hash })
    );
    // Trusted there, not here: what the board says of itself makes nobody trusted where a person says whom to trust.
    assert_eq!(
        plan(&pair, &file, &options),
        Err(Error::Refused(Refusal::UnknownSigner {
            key_hash: Some(key().public().hash())
        }))
    );
    let old = unsigned(2, 3000).cid([9; 16]).sign(&key()).build();
    refused(&pair, &old, Error::TooOld { image: 0, board: 3 });
    let large = unsigned(2, 0x4_0000)
        .security_counter(3)
        .cid([9; 16])
        .sign(&key())
        .build();
    let size = large.len() as u32;
    refused(
        &pair,
        &large,
        Error::TooLarge {
            size,
            max: board::SLOT - 4096,
        },
    );
    let named = |class| {
        unsigned(2, 3000)
            .security_counter(3)
            .cid(class)
            .sign(&key())
            .build()
    };
    let other = named([1; 16]);
    refused(
        &pair,
        &other,
        Error::WrongClass {
            image: Some([1; 16]),
            board: [9; 16],
        },
    );
    let nameless = unsigned(2, 3000).security_counter(3).sign(&key()).build();
    let error = Error::WrongClass {
        image: None,
        board: [9; 16],
    };
    refused(&pair, &nameless, error);
    // Where the board has no class the address counts; the right class says that an image is meant for this board, which
    // can't start it all the same.
    let mut payload = vec![0; 3000];
    payload[3] = 0x20;
    payload[4..6].copy_from_slice(&[1, 0x20]);
    let elsewhere = ImageBuilder::new(payload).security_counter(3);
    let error = Error::WrongAddress {
        start: 0x2000,
        slot: ADDRESS,
        size: board::SLOT,
    };
    let mut classless = Board::new(&image(1, 3000), vec![key().public()]);
    classless.counter = 3;
    refused(&with(classless), &elsewhere.clone().sign(&key()).build(), error);
    let error = Error::Unstartable(Unstartable::Outside {
        start: 0x2000,
        first: ADDRESS + 0x200,
        size: 3000,
    });
    refused(&pair, &elsewhere.cid([9; 16]).sign(&key()).build(), error);
    let stray = good
        .clone()
        .unprotected(TlvKind::SEC_CNT, &[9, 0, 0, 0])
        .sign(&key())
        .build();
    assert!(matches!(
        plan(&pair, &stray, &Options::default()),
        Err(Error::Refused(_) | Error::Image(_))
    ));

    // And none of it is sent by `start` either.
    assert_eq!(
        pair.session.start(pair.now, update(altered)),
        Err(Error::Refused(Refusal::Altered))
    );
    pair.until(MINUTE, |_| false);
    assert_eq!(pair.board.pieces, (0, 0));
}

/// A board without any key starts nothing: it says so, and is not sent what it could only refuse.
#[test]
fn nothing_is_sent_to_a_board_that_has_no_key() {
    let new = image(2, 3000);
    let mut board = Board::new(&image(1, 3000), vec![]);
    (board.role, board.stays) = (Role::Bootloader, Some(BootState::NoKey));
    let mut pair = with(board);
    let options = Options {
        keys: vec![key().public()],
        ..Options::default()
    };
    let key_hash = key().public().hash();
    let untrusted = Err(Error::UntrustedByBoard { key_hash });
    assert_eq!(plan(&pair, &new, &options), untrusted);
    // A board that only does not say which keys it has is asked.
    pair.board.stays = Some(BootState::NoImage);
    pair.session.refresh(pair.now).unwrap();
    pair.until(MINUTE, |event| *event == Event::Done(Command::Refresh))
        .unwrap();
    assert_eq!(plan(&pair, &new, &options).unwrap().route, Route::Upload);
}

/// All text of a board may be a stranger's: names, versions, reasons. None of it sets a terminal's title, clears the screen,
/// writes over another line, or turns text round.
#[cfg(feature = "words")]
#[test]
fn no_text_of_a_board_steers_a_terminal_or_hides_text() {
    const HOSTILE: &str = "1.0.0\u{1b}]0;t\u{7}\u{9b}2J\r\nb\u{202e}c\u{200b}\u{2066}";
    let harmless = |said: &dyn core::fmt::Display| {
        let said = alloc::format!("{said}");
        assert_eq!(said, crate::visible(&said), "{said:?}");
        assert!(!said.contains('\u{1b}') && !said.contains("J\nb"), "{said:?}");
        said
    };
    for kind in [Kind::Companion, Kind::Zephyr] {
        let mut board = Board::new(&image(1, 3000), vec![key().public()]);
        board.kind = kind;
        (board.name, board.serial) = (HOSTILE, Some(HOSTILE));
        board.secondary = board::Held::new(&image(2, 3000), false);
        for held in [&mut board.primary, &mut board.secondary] {
            held.as_mut().unwrap().version = HOSTILE.into();
        }
        board.rollback = Some(RollbackReason::Fault);
        (board.denies, board.reason) = (Some(bootlace_smp::ErrorCode::Corrupt.into()), Some(HOSTILE));
        let mut pair = with(board);
        let info = pair.session.board().unwrap();
        harmless(&crate::words::tables::board(info));
        harmless(&crate::words::terminal::board(info));
        pair.session.confirm(pair.now).unwrap();
        let failed = pair.until(MINUTE, |event| matches!(event, Event::Failed(_)));
        let Some(Event::Failed(failure)) = failed else {
            panic!("{failed:?}")
        };
        let said = crate::words::failure(&failure);
        assert!(harmless(&said.what).contains("It says"), "{said:?}");
    }
}

#[test]
fn what_follows_an_image_is_left_out() {
    let mut pair = pair();
    let new = image(2, 9_000);
    let mut padded = new.clone();
    padded.resize(0x3_0000, 0xFF);
    pair.session.start(pair.now, update(padded)).unwrap();
    outcome(&mut pair, MINUTE);
    assert_eq!(pair.board.uploaded(), new);
}

#[test]
fn an_older_image_is_a_downgrade() {
    let pair = pair();
    let downgrade = plan(&pair, &image(0, 3000), &Options::default()).unwrap();
    assert_eq!(downgrade.way, Way::Downgrade);
    let options = Options {
        only_newer: true,
        ..Options::default()
    };
    assert_eq!(plan(&pair, &image(0, 3000), &options), Err(Error::NotNewer));
}

#[test]
fn the_image_that_runs_already_is_not_sent_again() {
    let mut pair = pair();
    pair.session.start(pair.now, update(image(1, 3000))).unwrap();
    let outcome = outcome(&mut pair, MINUTE);
    assert!(
        matches!(
            outcome,
            Outcome::Unchanged {
                reason: Unchanged::AlreadyRuns,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!((pair.board.resets, pair.board.pieces), (0, (0, 0)));
}

/// A page that was closed: what is done stays done.
#[test]
fn a_second_page_goes_on_where_the_first_stopped() {
    for (stop, route, most) in [
        (Phase::Uploading, Route::Upload, 1),
        (Phase::Verifying, Route::Test, 0),
        (Phase::Restarting, Route::Restart, 0),
        (Phase::OnTrial, Route::Watch, 0),
    ] {
        let mut first = pair();
        first.board.app = App::Confirms(20);
        let new = image(2, 60_000);
        first.session.start(first.now, update(new.clone())).unwrap();
        first.until(MINUTE, |event| *event == Event::Phase(stop)).unwrap();
        if stop == Phase::Uploading {
            first
                .until(
                    MINUTE,
                    |event| matches!(event, Event::Progress(step) if step.done > 20_000),
                )
                .unwrap();
        }
        let before = first.board.pieces.0;
        let mut second = with(first.board);
        assert_eq!(
            plan(&second, &new, &Options::default()).unwrap().route,
            route,
            "{stop:?}"
        );
        second.session.start(second.now, update(new.clone())).unwrap();
        assert!(matches!(
            outcome(&mut second, 2 * MINUTE),
            Outcome::Confirmed { .. }
        ));
        assert_eq!(second.board.uploaded(), new);
        let again = second.board.pieces.1 - before;
        assert!(
            stop == Phase::Uploading || again == most,
            "{stop:?}: {again} pieces again"
        );
        let resumed = second
            .events
            .iter()
            .any(|event| matches!(event, Event::Resumed { offset } if *offset > 20_000));
        assert_eq!(resumed, stop == Phase::Uploading);
    }
}

/// What lies in the secondary slot looks like the image, and is refused: it is uploaded after all.
#[test]
fn a_stale_image_is_uploaded_again() {
    let mut board = Board::new(&image(1, 3000), vec![key().public()]);
    let new = image(2, 9_000);
    board.secondary = board::Held::new(&new, false);
    let mut pair = with(board);
    assert_eq!(plan(&pair, &new, &Options::default()).unwrap().route, Route::Test);
    pair.board.secondary = None;
    pair.session.start(pair.now, update(new)).unwrap();
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
}

#[test]
fn a_silent_port_is_reported_and_may_answer_later() {
    let mut board = Board::new(&image(1, 3000), vec![]);
    board.window = 0;
    let mut pair = Pair::new(board);
    let failure = failure(&mut pair, MINUTE);
    assert_eq!(
        failure,
        Failure {
            error: Error::Silent,
            phase: Phase::Connecting,
            unharmed: true
        }
    );
    assert_eq!(
        pair.session.start(pair.now, update(image(2, 3000))),
        Err(Error::NoBoard)
    );
    // It was only slow to start.
    pair.board.window = 1;
    pair.session.refresh(pair.now).unwrap();
    pair.until(MINUTE, |event| *event == Event::Phase(Phase::Ready))
        .unwrap();
}

#[test]
fn bytes_that_are_no_smp_are_reported_as_garbage() {
    for (bytes, error) in [
        (&b"AT+GMR\r\nERROR\r\n"[..], Error::Garbage { bytes: 15 }),
        (&[0x55; 200], Error::Garbage { bytes: 200 }),
    ] {
        let mut board = Board::new(&image(1, 3000), vec![]);
        board.window = 0;
        let mut pair = Pair::new(board);
        pair.inject(bytes);
        assert_eq!(failure(&mut pair, MINUTE).error, error);
    }
}

/// A loop, or a terminal that repeats what it is sent.
#[test]
fn a_port_that_repeats_what_it_is_sent() {
    let mut now = Instant(0);
    let mut session = Session::new(now);
    loop {
        while let Some(Transmit::Bytes(bytes)) = session.poll_transmit() {
            session.handle_input(now, &bytes);
        }
        while let Some(event) = session.poll_event() {
            if let Event::Failed(failure) = event {
                assert_eq!(failure.error, Error::Echo);
                return;
            }
        }
        now = session.poll_timeout().unwrap();
        session.handle_timeout(now);
    }
}

/// Random bytes, random frames, random ports, at any time: no panic, and a timeout that can be waited for.
#[test]
fn noise_never_panics() {
    for seed in 1..300 {
        let mut random = pair::Random(seed);
        let mut pair = if seed % 2 == 0 {
            pair()
        } else {
            Pair::new(Board::new(&image(1, 600), vec![]))
        };
        let _ = pair.session.start(pair.now, update(image(2, 3_000)));
        for _ in 0..200 {
            match random.below(12) {
                0 => pair.session.handle_port(pair.now, PortEvent::Lost),
                1 => pair
                    .session
                    .handle_port(pair.now, PortEvent::Opened(PortInfo::default())),
                2 => pair.session.handle_port(pair.now, PortEvent::NotFound),
                3 => pair.session.handle_timeout(pair.now),
                4 => {
                    pair.now = pair.now + Duration::from_millis(random.below(3000));
                    pair.session.handle_timeout(pair.now);
                }
                _ => {
                    // Answers that are well-formed and mean nothing.
                    let group = [0, 1, 64][random.below(3) as usize];
                    let id = [0, 1, 5, 6][random.below(4) as usize];
                    let code = random.next() as u8 & 0x17;
                    let body = [
                        vec![0xA1, 0x63, b'o', b'f', b'f', 0x1A, 0xFF, 0xFF, 0xFF, 0xFF],
                        vec![0xA1, 0x66, b'i', b'm', b'a', b'g', b'e', b's', 0x80],
                        vec![0xA1, 0x64, b'r', b'o', b'l', b'e', code],
                        vec![0xA1, 0x62, b'r', b'c', code],
                        vec![0xA0],
                    ][random.below(5) as usize]
                        .clone();
                    let mut packet = vec![
                        9 + 2 * (random.below(2) as u8),
                        0,
                        0,
                        body.len() as u8,
                        0,
                        group,
                        random.below(40) as u8,
                        id,
                    ];
                    packet.extend(&body);
                    bootlace_smp::frame::encode(Framing::Console, &packet, |piece| {
                        pair.session.handle_input(pair.now, piece)
                    });
                    let noise: Vec<u8> = (0..random.below(40)).map(|_| random.next() as u8).collect();
                    pair.session.handle_input(pair.now, &noise);
                }
            }
            while pair.session.poll_transmit().is_some() {}
            while let Some(event) = pair.session.poll_event() {
                assert!(
                    !matches!(event, Event::Outcome(Outcome::Confirmed { .. })),
                    "seed {seed}"
                );
            }
        }
    }
}

#[test]
fn an_image_is_read_once_and_its_padding_is_left_out() {
    let file = image(2, 3000);
    let padded = [&file[..], &[0xFF; 500]].concat();
    let read = CheckedImage::new(padded).unwrap();
    assert_eq!((read.bytes(), read.file_len()), (&file[..], file.len() + 500));
    assert_eq!(read.base().unwrap().hash, read.hash().unwrap());
    let keys = [key().public()];
    assert!(read.verify(&keys, &Default::default()).is_ok());
    // One that was altered is still read, and says so when it is verified.
    let mut altered = file;
    altered[1000] ^= 1;
    let altered = CheckedImage::new(altered).unwrap();
    assert_eq!(altered.base(), None);
    assert_eq!(
        altered.verify(&keys, &Default::default()),
        Err(Error::Refused(Refusal::Altered))
    );
}

/// A board raises its counter when it starts next; until then it says the old one, and starts nothing below the new.
#[test]
fn an_image_below_the_counter_of_the_one_just_confirmed_is_refused_before_it_is_sent() {
    let counted = |version, counter| {
        let it = unsigned(version, 3000).security_counter(counter);
        it.sign(&key()).build()
    };
    let mut pair = with(Board::new(&counted(1, 0), vec![key().public()]));
    pair.session.start(pair.now, update(counted(2, 5))).unwrap();
    assert!(matches!(outcome(&mut pair, MINUTE), Outcome::Confirmed { .. }));
    assert_eq!(pair.board.counter, 0);
    assert_eq!(
        plan(&pair, &counted(3, 4), &Options::default()),
        Err(Error::TooOld { image: 4, board: 5 })
    );
    assert!(plan(&pair, &counted(3, 5), &Options::default()).is_ok());
    // What the board says of itself later does not unsay it.
    pair.session.refresh(pair.now).unwrap();
    pair.until(MINUTE, |event| *event == Event::Done(Command::Refresh))
        .unwrap();
    assert_eq!(pair.session.board().unwrap().counter, Some(5));
}

/// An image needs others where its signer says so (MCUboot's `struct image_dependency`): what a board certainly lacks is told
/// before anything is sent, and a list that may be incomplete proves nothing.
#[test]
fn an_image_that_needs_another_is_refused_where_that_one_is_missing_or_too_old() {
    let needing = |image: u8, minor: u8| {
        let dependency = [image, 0, 0, 0, 2, minor, 0, 0, 0, 0, 0, 0];
        let built = unsigned(2, 3000).protected(TlvKind::DEPENDENCY, &dependency);
        CheckedImage::new(built.sign(&key()).build()).unwrap()
    };
    let version = |minor| Version {
        major: 2,
        minor,
        ..Version::default()
    };
    let options = Options {
        keys: vec![key().public()],
        ..Options::default()
    };
    let needs = |image, minor, found| {
        Err(Error::NeedsImage {
            image,
            version: version(minor),
            found,
        })
    };
    let planned = |checked: &CheckedImage, board: &BoardInfo| Plan::new(checked, &options, board).map(drop);

    // The companion has one image, and the new one takes its number.
    let companion = pair().session.board().unwrap().clone();
    assert_eq!(planned(&needing(0, 0), &companion), Ok(()));
    assert_eq!(planned(&needing(0, 1), &companion), needs(0, 1, Some(version(0))));
    assert_eq!(planned(&needing(1, 0), &companion), needs(1, 0, None));
    // Also where nothing runs: an install is refused as an update is.
    let empty = BoardInfo {
        images: Vec::new(),
        ..companion
    };
    assert_eq!(planned(&needing(1, 0), &empty), needs(1, 0, None));

    let mut board = Board::new(&image(1, 3000), vec![key().public()]);
    board.kind = Kind::Zephyr;
    let mut zephyr = with(board).session.board().unwrap().clone();
    assert_eq!(
        planned(&needing(1, 0), &zephyr),
        Ok(()),
        "a list may leave images out"
    );
    zephyr.images.push(SlotImage {
        image: 1,
        active: true,
        version: "2.1.0".into(),
        ..SlotImage::default()
    });
    for (minor, right) in [(0, Ok(())), (1, Ok(())), (2, needs(1, 2, Some(version(1))))] {
        assert_eq!(planned(&needing(1, minor), &zephyr), right, "2.{minor}");
    }
    // What only waits in the secondary slot is not there yet.
    let waiting = SlotImage {
        image: 1,
        slot: 1,
        version: "2.9.0".into(),
        ..SlotImage::default()
    };
    zephyr.images.insert(0, waiting);
    assert_eq!(planned(&needing(1, 2), &zephyr), needs(1, 2, Some(version(1))));
}
