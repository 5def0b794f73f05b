//! Public trouble reports, and what else was found by holding the fakes against their sources.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::zephyr::Next;
use super::*;

#[test]
fn a_shell_that_echoes_and_prompts_on_the_same_line_is_no_hindrance() {
    let mut desk = Desk::new(Zephyr::new(&image(1, 3000)), Reads::Lines, None);
    desk.has_shell = true;
    let end = desk.ready().update(image(2, 9_000), keys());
    confirmed(&end);
}

#[test]
fn a_board_that_reads_the_whole_image_back_before_its_last_answer_is_waited_for() {
    let server = Zephyr {
        checks_for: Duration::from_secs(6),
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
}

#[test]
fn a_board_that_refuses_the_first_piece_is_named_and_called_unharmed() {
    let server = Zephyr {
        refuses: Some(3),
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    let (error, unharmed) = failed(&end);
    assert!(matches!(error, Error::BoardRefused { .. }) && unharmed, "{end:?}");
    assert!(!desk.server.images[1].filled);
}

#[test]
fn a_board_that_erases_sector_by_sector_is_waited_for_and_gets_nothing_twice() {
    let server = Zephyr {
        erases_for: Duration::from_secs(2),
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let new = image(2, 30_000);
    let end = desk.update(new.clone(), keys());
    confirmed(&end);
    let (sent, needed) = (desk.server.received, new.len());
    assert!(sent <= needed + needed / 10, "{sent} bytes for {needed}");
}

#[test]
fn a_board_that_erases_all_of_it_before_its_first_answer_is_waited_for_and_gets_nothing_twice() {
    let new = image(2, 30_000);
    // 8 sectors: up to 128 s.
    for seconds in [1, 3, 8, 16] {
        let mut zephyr = Zephyr::new(&image(1, 3000));
        zephyr.images[1] = zephyr::slot(&image(0, 5000));
        (zephyr.erases_first, zephyr.erases_for) = (true, Duration::from_secs(seconds));
        let mut desk = Desk::new(zephyr, Reads::Lines, None).ready();
        let end = desk.update(new.clone(), keys());
        confirmed(&end);
        // But for the first piece, whose answer is the offset after it.
        let (sent, needed) = (desk.server.received, new.len() + 20 * 1024);
        assert!(sent <= needed, "{seconds} s a sector: {sent} bytes for {needed}");
    }
}

#[test]
fn a_board_that_has_all_of_an_image_is_sent_one_piece_of_it() {
    let new = image(2, 9_000);
    let mut zephyr = Zephyr::new(&image(1, 3000));
    zephyr.images[1] = zephyr::slot(&new);
    // It has to be sent again, as far as the engine knows.
    (zephyr.finds, zephyr.checks_for) = (false, Duration::from_secs(6));
    let mut desk = Desk::new(zephyr, Reads::Lines, None).ready();
    let end = desk.update(new, keys());
    assert!(
        matches!(failed(&end), (Error::BoardRefused { .. }, true)),
        "{end:?}"
    );
    let sent = desk.server.received;
    assert!((1..=1024).contains(&sent), "{sent} bytes");
}

#[test]
fn an_image_that_the_bootloader_refuses_and_erases_leaves_the_board_unchanged() {
    for mode in [None, Some(2), Some(3)] {
        let server = Zephyr {
            mode,
            takes: false,
            ..Zephyr::new(&image(1, 3000))
        };
        let mut desk = Desk::new(server, Reads::Lines, None).ready();
        let end = desk.update(image(2, 9_000), keys());
        let Event::Outcome(Outcome::Unchanged { reason, version }) = end else {
            panic!("{mode:?}: {end:?}")
        };
        assert_eq!(
            (reason, version.as_deref()),
            (Unchanged::NotStarted, Some("1.0.0"))
        );
        assert!(!desk.server.images[1].filled);
    }
}

#[test]
fn a_second_upload_that_the_board_refuses_as_unknown_leaves_it_unharmed() {
    let mut desk = Desk::new(Zephyr::new(&image(1, 3000)), Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
    // MGMT_ERR_EUNKNOWN, without a reason.
    desk.server.refuses = Some(1);
    let end = desk.update(image(3, 9_000), keys());
    let (error, unharmed) = failed(&end);
    let code = Code::Generic(bootlace_smp::ErrorCode::Unknown);
    assert!(
        matches!(error, Error::BoardRefused { asked: Asked::Upload, code: it, .. } if *it == code)
            && unharmed,
        "{end:?}"
    );
    assert_eq!(desk.session.board().unwrap().running().unwrap().version, "2.0.0");
}

#[test]
fn a_board_that_lists_its_image_without_hash_and_as_not_bootable_is_updated() {
    let mut zephyr = Zephyr::new(&image(1, 3000));
    zephyr.images[0].hash.clear();
    zephyr.images[0].not_bootable = true;
    zephyr.images[0].version = "0.0.0".into();
    let mut desk = Desk::new(zephyr, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
}

#[test]
fn a_board_that_does_not_find_what_it_was_sent_is_named_and_called_unharmed() {
    let server = Zephyr {
        finds: false,
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    let (error, unharmed) = failed(&end);
    let code = Code::Image(bootlace_smp::img::ErrorCode::HashNotFound);
    assert!(
        matches!(error, Error::BoardRefused { asked: Asked::Test, code: it, .. } if *it == code) && unharmed,
        "{end:?}"
    );
}

/// A board whose application never confirms itself, after an update to version 2.
fn on_trial() -> Desk<Zephyr> {
    let server = Zephyr {
        confirms: None,
        ..Zephyr::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    assert_eq!(failed(&end), (&Error::NotConfirmed, false));
    desk
}

#[test]
fn another_image_is_not_sent_to_a_board_with_one_on_trial() {
    let desk = on_trial();
    let options = keyed();
    let plan = desk.session.plan(&checked(image(3, 9_000)), &options);
    assert_eq!(plan, Err(Error::OtherOnTrial));
}

#[test]
fn the_image_before_the_one_on_trial_is_taken_back_by_a_restart() {
    let mut desk = on_trial();
    let received = desk.server.received;
    let end = desk.update(image(1, 3000), keys());
    confirmed(&end);
    assert_eq!(desk.server.received, received);
    assert_eq!(desk.session.board().unwrap().running().unwrap().version, "1.0.0");
    // The way is free again.
    desk.server.confirms = Some(Duration::ZERO);
    let end = desk.update(image(3, 9_000), keys());
    confirmed(&end);
}

#[test]
fn an_image_on_trial_that_never_confirms_itself_is_confirmed_on_request() {
    let mut desk = on_trial();
    let options = Options {
        keys: keys(),
        confirm: Confirm::ByUpdater,
        ..Options::default()
    };
    let job = update_with(image(2, 9_000), options);
    desk.session.start(desk.now, job).unwrap();
    let end = desk.until(|event| matches!(event, Event::Outcome(_) | Event::Failed(_)));
    confirmed(&end);
    assert_eq!(desk.server.next, Next::Stays);
}

#[test]
fn an_image_that_somebody_else_marked_is_not_written_over() {
    for next in [Next::Test, Next::Permanent] {
        let mut zephyr = Zephyr::new(&image(1, 3000));
        zephyr.images[1] = zephyr::slot(&image(3, 5000));
        zephyr.next = next;
        let mut desk = Desk::new(zephyr, Reads::Lines, None).ready();
        let end = desk.update(image(2, 9_000), keys());
        let (error, unharmed) = failed(&end);
        let code = Code::Image(bootlace_smp::img::ErrorCode::NoFreeSlot);
        assert!(
            matches!(error, Error::BoardRefused { code: it, .. } if *it == code) && unharmed,
            "{end:?}"
        );
        // That very image is not sent again: a restart starts it.
        let end = desk.update(image(3, 5000), keys());
        confirmed(&end);
        assert_eq!(desk.server.received, 0);
    }
}

#[test]
fn a_recovery_that_erases_its_whole_slot_first_is_waited_for_and_erases_once() {
    // 1 MB at 85 ms for 4 KB, and a slow external flash.
    for seconds in [2, 5, 10, 22, 60] {
        let server = Recovery {
            erases_for: Duration::from_secs(seconds),
            after: After::Smp,
            ..Recovery::new(&image(1, 3000))
        };
        let mut desk = Desk::new(server, Reads::Lines, None).ready();
        let end = desk.update(image(2, 9_000), keys());
        confirmed(&end);
        assert_eq!(desk.server.erases, 1, "{seconds} s");
    }
}

#[test]
fn a_first_piece_that_a_recovery_never_got_is_sent_again() {
    for loses in [1, 2, 3] {
        let server = Recovery {
            loses,
            erases_for: Duration::from_secs(5),
            after: After::Smp,
            ..Recovery::new(&image(1, 3000))
        };
        let mut desk = Desk::new(server, Reads::Lines, None).ready();
        let end = desk.update(image(2, 9_000), keys());
        confirmed(&end);
        assert_eq!(desk.server.erases, 1, "{loses} lost");
        let took = desk.now.since(Instant(0));
        assert!(took < Duration::from_secs(30 + 20 * u64::from(loses)), "{took:?}");
    }
}

#[test]
fn a_recovery_that_says_its_buffer_gets_pieces_that_it_holds() {
    let server = Recovery {
        params: true,
        after: After::Smp,
        ..Recovery::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let board = desk.session.board().unwrap();
    assert_eq!((board.frame, board.window), (1020, 1));
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
}

#[test]
fn a_recovery_that_lists_no_hashes_is_told_by_its_version() {
    let server = Recovery {
        hashes: false,
        after: After::Smp,
        ..Recovery::new(&image(1, 3000))
    };
    let mut desk = Desk::new(server, Reads::Lines, None).ready();
    let end = desk.update(image(2, 9_000), keys());
    confirmed(&end);
}
