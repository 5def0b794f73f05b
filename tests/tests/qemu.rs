//! The board's own binary on an emulated micro:bit: entry, updates, rollbacks, refusals.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use bootlace_client::Client as _;
use bootlace_smp::bootlace::{BootState, Features, Reset, Role, RollbackReason};
use bootlace_smp::frame::Framing;
use bootlace_smp::{Request, Response, os};
use bootlace_tests::qemu::{Emulator, Host, Images, Line, PRIMARY, SECONDARY, difference, with_primary};
use bootlace_tests::tools;

const APPLICATION: &str = "self-testing";
const LEN: usize = 50_000;

/// A board that runs version 1.0.0 of the self-testing application, and the version that it is to get.
fn board(next: &str) -> (Emulator, Host, Vec<u8>, [u8; 32]) {
    let images = Images::new().unwrap();
    let (old, _) = images.signed(APPLICATION, 0, LEN).unwrap();
    let (new, hash) = images.signed(next, 1, LEN).unwrap();
    let board = Emulator::running(Line::Socket, &with_primary(Some(&old)).unwrap()).unwrap();
    let client = board.client().unwrap();
    (board, client, new, hash)
}

/// Slot, version, confirmed.
fn slots(client: &mut Host) -> Vec<(u32, String, bool)> {
    client
        .list()
        .unwrap()
        .into_iter()
        .map(|it| (it.slot, it.version, it.confirmed))
        .collect()
}

fn update(client: &mut Host, new: &[u8], hash: &[u8; 32]) {
    assert_eq!(client.upload(new, new.len()).unwrap().1, Some(true));
    client.test(hash).unwrap();
    client.reset(false).unwrap();
}

#[test]
fn a_blank_board_serves_in_every_framing() {
    let board = Emulator::running(Line::Socket, &with_primary(None).unwrap()).unwrap();
    let mut client = board.client().unwrap();
    for framing in [Framing::Console, Framing::Cobs, Framing::Raw] {
        client.speak(framing);
        let described = client.describe_when_up(|it| {
            let slots: Vec<_> = it
                .slots
                .iter()
                .map(|slot| (slot.addr as usize, slot.max))
                .collect();
            (
                it.role,
                it.state,
                it.reset,
                it.window,
                slots,
                it.keys.iter().count(),
            )
        });
        let most = 103 * 1024;
        let slots = vec![(PRIMARY, most), (SECONDARY, most)];
        // QEMU's register of reset reasons always reads as this one.
        let wanted = (
            Role::Bootloader,
            Some(BootState::NoImage),
            Some(Reset::Pin),
            Some(1),
            slots,
            1,
        );
        assert_eq!(described.unwrap(), wanted);
        let text = "0123456789".repeat(50);
        let same = client.ask(&Request::Os(os::Request::Echo(text.as_str().into())), |answer| {
            Some(*answer == Response::Os(os::Response::Echo(text.as_str().into())))
        });
        assert!(same.unwrap(), "{framing:?}");
        let params = client.ask(&Request::Os(os::Request::Params), |answer| {
            Some(matches!(
                answer,
                Response::Os(os::Response::Params {
                    buf_size: 1088,
                    buf_count: 1
                })
            ))
        });
        assert!(params.unwrap());
        assert_eq!(client.list().unwrap(), []);
    }
}

#[test]
fn the_bootloader_is_entered_in_every_way() {
    let (board, mut client, ..) = board(APPLICATION);
    let who = |client: &mut Host| client.describe_when_up(|it| (it.role, it.state)).unwrap();
    assert_eq!(who(&mut client), (Role::Application, Some(BootState::Running)));
    // By SMP, which leaves the word in RAM; once.
    client.reset(true).unwrap();
    assert_eq!(who(&mut client), (Role::Bootloader, Some(BootState::Requested)));
    client.reset(false).unwrap();
    assert_eq!(who(&mut client), (Role::Application, Some(BootState::Running)));
    // By the button.
    board.reset_holding_button().unwrap();
    assert_eq!(who(&mut client), (Role::Bootloader, Some(BootState::Requested)));
    board.reset().unwrap();
    assert_eq!(who(&mut client).0, Role::Application);
    // By the word in RAM, whoever wrote it.
    let mut gdb = board.gdb().unwrap();
    gdb.write(0x2000_0004, b"BOOT").unwrap();
    drop(gdb);
    board.go().unwrap();
    board.reset().unwrap();
    assert_eq!(who(&mut client), (Role::Bootloader, Some(BootState::Requested)));
}

#[test]
fn an_update_while_the_application_runs_confirms_itself() {
    let (board, mut client, new, hash) = board(APPLICATION);
    assert_eq!(client.describe_when_up(|it| it.role).unwrap(), Role::Application);
    let start = Instant::now();
    update(&mut client, &new, &hash);
    assert_eq!(
        client
            .describe_when_up(|it| (it.role, it.trial.is_some()))
            .unwrap(),
        (Role::Application, false)
    );
    println!(
        "update of {LEN} bytes while the application runs: {:.2} s",
        start.elapsed().as_secs_f32()
    );
    let wanted = [(0, "1.1.0".to_owned(), true), (1, "1.0.0".to_owned(), false)];
    assert_eq!(slots(&mut client), wanted);
    // It stays.
    board.reset().unwrap();
    client.describe_when_up(|_| ()).unwrap();
    assert_eq!(slots(&mut client), wanted);
}

#[test]
fn a_failed_self_test_is_taken_back_and_named() {
    let (_board, mut client, new, hash) = board("self-testing-unhealthy");
    update(&mut client, &new, &hash);
    let back = client.describe_when_up(|it| {
        let rollback = it
            .rollback
            .map(|it| (it.reason, it.from.map(|from| from.as_str().to_owned())));
        (it.role, it.state, rollback)
    });
    let reason = RollbackReason::self_test(1);
    assert_eq!(reason.failed_self_test(), Some(1));
    let wanted = (
        Role::Application,
        Some(BootState::Running),
        Some((reason, Some("1.1.0".to_owned()))),
    );
    assert_eq!(back.unwrap(), wanted);
    assert_eq!(
        slots(&mut client),
        [(0, "1.0.0".to_owned(), true), (1, "1.1.0".to_owned(), false)]
    );
}

#[test]
fn a_hanging_image_is_taken_back() {
    // Its timer's interrupt still runs, through the bootloader's vector table, and gives up on it.
    let (_board, mut client, new, hash) = board("self-testing-hangs");
    update(&mut client, &new, &hash);
    let back = client.describe_when_up(|it| (it.role, it.rollback.map(|it| it.reason)));
    assert_eq!(back.unwrap(), (Role::Application, Some(RollbackReason::Watchdog)));
    assert_eq!(slots(&mut client)[0], (0, "1.0.0".to_owned(), true));
}

#[test]
fn a_dead_image_is_taken_back_after_a_reset_from_outside() {
    let (board, mut client, new, hash) = board("self-testing-dead");
    update(&mut client, &new, &hash);
    let request = Request::Os(os::Request::Params);
    assert_eq!(
        client
            .ask_within(&request, Duration::from_secs(2), |_| ())
            .unwrap(),
        None,
        "it is dead"
    );
    board.reset().unwrap();
    let back = client.describe_when_up(|it| (it.role, it.rollback.map(|it| it.reason)));
    assert_eq!(
        back.unwrap(),
        (Role::Application, Some(RollbackReason::NotConfirmed))
    );
    assert_eq!(slots(&mut client)[0], (0, "1.0.0".to_owned(), true));
}

#[test]
fn an_image_that_never_confirms_is_taken_back_at_the_deadline() {
    let images = Images::new().unwrap();
    // What runs before and after says so on the line.
    let (old, _) = images.signed("plain", 0, LEN).unwrap();
    let (new, hash) = images.signed("self-testing-undecided", 1, LEN).unwrap();
    let board = Emulator::new(Line::Socket, &with_primary(Some(&old)).unwrap()).unwrap();
    board.hold_button().unwrap();
    board.go().unwrap();
    let mut client = board.client().unwrap();
    assert_eq!(client.upload(&new, new.len()).unwrap().1, Some(true));
    client.test(&hash).unwrap();
    client.list().unwrap();

    // 30 seconds of waiting, of the board's time.
    let board = Emulator::new(Line::Rushed, &board.power_down().unwrap()).unwrap();
    let mut client = board.client().unwrap();
    board.go().unwrap();
    client
        .wait_for_text("plain: running", Duration::from_secs(60))
        .unwrap();

    let board = Emulator::new(Line::Socket, &board.power_down().unwrap()).unwrap();
    board.hold_button().unwrap();
    board.go().unwrap();
    let mut client = board.client().unwrap();
    let rollback = client.describe_when_up(|it| {
        it.rollback
            .map(|it| (it.reason, it.from.map(|from| from.as_str().to_owned())))
    });
    assert_eq!(
        rollback.unwrap(),
        Some((RollbackReason::Deadline, Some("1.1.0".to_owned())))
    );
    assert_eq!(
        slots(&mut client),
        [(0, "1.0.0".to_owned(), true), (1, "1.1.0".to_owned(), false)]
    );
}

#[test]
fn a_flipped_bit_is_refused_by_bootloader_and_application() {
    let (board, mut client, mut new, hash) = board(APPLICATION);
    new[30_000] ^= 1;
    for bootloader in [false, true] {
        client.reset(bootloader).unwrap();
        client.describe_when_up(|_| ()).unwrap();
        assert_eq!(
            client.upload(&new, new.len()).unwrap().1,
            Some(true),
            "the line is not to blame"
        );
        assert!(client.test(&hash).is_err());
    }
    // Nor does it start where somebody wrote it into the primary slot.
    let mut flash = board.power_down().unwrap();
    let (mut slot, mut bad) = (flash.drain(PRIMARY..SECONDARY).collect::<Vec<_>>(), new);
    bad.resize(slot.len(), 0xFF);
    core::mem::swap(&mut slot, &mut bad);
    flash.splice(PRIMARY..PRIMARY, slot);
    let board = Emulator::running(Line::Socket, &flash).unwrap();
    let state = board
        .client()
        .unwrap()
        .describe_when_up(|it| (it.role, it.state))
        .unwrap();
    assert_eq!(state, (Role::Bootloader, Some(BootState::BadImage)));
}

#[test]
fn an_upload_goes_on_after_the_power_was_gone() {
    let (board, mut client, new, hash) = board(APPLICATION);
    client.reset(true).unwrap();
    client.describe_when_up(|_| ()).unwrap();
    client.upload(&new, 30_000).unwrap();
    let flash = board.power_down().unwrap();
    let board = Emulator::new(Line::Socket, &flash).unwrap();
    let mut client = board.client().unwrap();
    board.hold_button().unwrap();
    board.go().unwrap();
    client.describe_when_up(|_| ()).unwrap();
    let (offsets, matched) = client.upload(&new, new.len()).unwrap();
    assert!((20_000..=30_000).contains(&offsets[0]), "{offsets:?}");
    assert_eq!(matched, Some(true));
    client.test(&hash).unwrap();
    client.reset(false).unwrap();
    client.describe_when_up(|_| ()).unwrap();
    assert_eq!(slots(&mut client)[0], (0, "1.1.0".to_owned(), true));
}

#[test]
fn an_application_that_knows_nothing_confirms_itself() {
    let (board, mut client, new, hash) = board("plain");
    update(&mut client, &new, &hash);
    client
        .wait_for_text("plain: confirmed", Duration::from_secs(20))
        .unwrap();
    // It stays, and the bootloader says so.
    board.reset().unwrap();
    client
        .wait_for_text("plain: running", Duration::from_secs(20))
        .unwrap();
    board.reset_holding_button().unwrap();
    let rollback = client
        .describe_when_up(|it| it.rollback.map(|it| it.reason))
        .unwrap();
    assert_eq!(rollback, None);
    assert_eq!(
        slots(&mut client),
        [(0, "1.1.0".to_owned(), true), (1, "1.0.0".to_owned(), false)]
    );
}

#[test]
fn an_application_and_a_bootloader_take_patches() {
    let images = Images::new().unwrap();
    // Confirmed in the factory, so its self-tests do not run.
    let (first, _) = images.signed("self-testing-unhealthy", 0, 0).unwrap();
    let (second, second_hash) = images.signed(APPLICATION, 1, 0).unwrap();
    let (third, third_hash) = images.signed("plain", 2, 0).unwrap();
    let board = Emulator::running(Line::Socket, &with_primary(Some(&first)).unwrap()).unwrap();
    let mut client = board.client().unwrap();
    let who = |client: &mut Host| {
        client
            .describe_when_up(|it| (it.role, it.features.has(Features::DELTA)))
            .unwrap()
    };
    // While the application runs.
    assert_eq!(who(&mut client), (Role::Application, true));
    let patch = difference(&first, &second).unwrap();
    println!("{} bytes instead of {}", patch.len(), second.len());
    assert!(patch.len() * 4 < second.len());
    assert_eq!(client.patch(&patch, patch.len()).unwrap().1, Some(true));
    client.test(&second_hash).unwrap();
    client.reset(false).unwrap();
    assert_eq!(who(&mut client), (Role::Application, true));
    assert_eq!(slots(&mut client)[0], (0, "1.1.0".to_owned(), true));
    // In the bootloader. The patch is for another image, then for this one; and it is cut off in between.
    client.reset(true).unwrap();
    assert_eq!(who(&mut client), (Role::Bootloader, true));
    let wrong = difference(&first, &third).unwrap();
    let refused = client.patch(&wrong, wrong.len()).unwrap_err().to_string();
    assert!(refused.contains("group Some(64), code 3"), "{refused}");
    let patch = difference(&second, &third).unwrap();
    client.patch(&patch, patch.len() / 2).unwrap();
    board.reset_holding_button().unwrap();
    assert_eq!(who(&mut client), (Role::Bootloader, true));
    assert_eq!(client.patch(&patch, patch.len()).unwrap().1, Some(true));
    client.test(&third_hash).unwrap();
    client.reset(false).unwrap();
    client
        .wait_for_text("plain: confirmed", Duration::from_secs(20))
        .unwrap();
}

#[test]
fn the_stack_stays_within_the_chip() {
    let (board, mut client, new, hash) = board(APPLICATION);
    let images = Images::new().unwrap();
    let (old, _) = images.signed(APPLICATION, 0, LEN).unwrap();
    let patch = difference(&old, &new).unwrap();
    client.reset(true).unwrap();
    client.describe_when_up(|_| ()).unwrap();
    assert_eq!(client.patch(&patch, patch.len()).unwrap().1, Some(true));
    client.test(&hash).unwrap();
    board.halt().unwrap();
    let serving = board.peak_stack().unwrap();
    board.go().unwrap();
    client.reset(false).unwrap();
    client.describe_when_up(|_| ()).unwrap();
    let patch = difference(&new, &old).unwrap();
    assert_eq!(client.patch(&patch, patch.len()).unwrap().1, Some(true));
    board.halt().unwrap();
    let application = board.peak_stack().unwrap();
    println!(
        "peak stack with patches: bootloader {serving} bytes, application {application} bytes, of 16384 with all statics"
    );
    // The bootloader's packets lie beside its stack, the application's on it.
    assert!(serving < 13 * 1024, "{serving}");
    assert!(application < 14 * 1024, "{application}");
}

#[test]
fn a_reset_reaches_the_application() {
    let images = Images::new().unwrap();
    let (image, _) = images.signed("plain", 0, 100 * 1024 - 256).unwrap();
    let board = Emulator::new(Line::Counted, &with_primary(Some(&image)).unwrap()).unwrap();
    let mut gdb = board.gdb().unwrap();
    let entry = u32::from_le_bytes(*image[0x104..].first_chunk().unwrap());
    let before = board.instructions().unwrap();
    gdb.stop_at(entry & !1).unwrap();
    gdb.go().unwrap();
    gdb.stopped().unwrap();
    let counted = board.instructions().unwrap() - before;
    println!(
        "from reset to the application: {:.1} million instructions, 100 KB image",
        counted as f64 / 1e6
    );
    assert!((1_000_000..48_000_000).contains(&counted), "{counted}");
}

/// The published smpclient does the whole job, on an application that serves SMP and on one that does not.
#[test]
fn smpclient_sees_what_the_applications_confirmed() {
    let images = Images::new().unwrap();
    let (old, _) = images.signed(APPLICATION, 0, LEN).unwrap();
    let (new, hash) = images.signed(APPLICATION, 1, LEN).unwrap();
    let (plain, _) = images.signed("plain", 2, LEN).unwrap();
    let folder = std::env::temp_dir().join(format!("bootlace-qemu-smpclient-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let script = tools::smpclient_job();
    let mut board = Emulator::running(Line::Terminal, &with_primary(Some(&old)).unwrap()).unwrap();
    let job = |board: &Emulator, framing: &str, image: &[u8], until: &str| {
        let file = folder.join("image.bin");
        std::fs::write(&file, image).unwrap();
        let mut python = Command::new(tools::required("BOOTLACE_PYTHON").unwrap());
        python
            .arg(&script)
            .args(["--framing", framing, "--mtu", "1024", "--until", until]);
        python
            .arg("--port")
            .arg(board.terminal().unwrap())
            .arg("--image")
            .arg(&file);
        serde_json::from_str::<serde_json::Value>(&tools::output(&mut python).unwrap()).unwrap()
    };
    let seen = job(&board, "console", &new, "confirm");
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(seen["running"][0]["hash"], digits.as_str());
    assert_eq!(
        seen["running"][0]["confirmed"], true,
        "it confirmed itself: {seen}"
    );
    assert_eq!(seen["erased"].as_array().unwrap().len(), 1);

    // The other one has no SMP: it is looked at in the bootloader.
    let flash = board.power_down().unwrap();
    board = Emulator::running(Line::Socket, &flash).unwrap();
    let mut client = board.client().unwrap();
    let (image, hash) = (&plain, images.signed("plain", 2, LEN).unwrap().1);
    update(&mut client, image, &hash);
    client
        .wait_for_text("plain: confirmed", Duration::from_secs(20))
        .unwrap();
    board = Emulator::new(Line::Terminal, &board.power_down().unwrap()).unwrap();
    board.hold_button().unwrap();
    board.go().unwrap();
    let seen = job(&board, "cobs", &new, "upload");
    assert_eq!(seen["before"][0]["version"], "1.2.0");
    assert_eq!(
        (&seen["before"][0]["confirmed"], &seen["before"][0]["active"]),
        (&true.into(), &true.into())
    );
    std::fs::remove_dir_all(&folder).ok();
}

#[test]
fn half_a_packet_is_forgotten_after_a_while() {
    let (_board, mut client, ..) = board(APPLICATION);
    client.describe_when_up(|_| ()).unwrap();
    for bootloader in [false, true] {
        client.reset(bootloader).unwrap();
        client.describe_when_up(|_| ()).unwrap();
        // The head of a raw packet of which 900 more bytes were announced.
        client.speak(Framing::Raw);
        client
            .stream()
            .write_all(&[0x02, 0, 0x03, 0x84, 0, 1, 0, 1, 0xA1])
            .unwrap();
        std::thread::sleep(Duration::from_millis(3500));
        client.speak(Framing::Cobs);
        let request = Request::Os(os::Request::Params);
        let answered = client
            .ask_within(&request, Duration::from_secs(5), |_| ())
            .unwrap();
        assert_eq!(answered, Some(()), "bootloader: {bootloader}");
    }
}
