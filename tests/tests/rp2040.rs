//! The main job on an emulated Raspberry Pi Pico, by the command line over its serial port: the board's own binary, the real
//! boot ROM, and a terminal that comes and goes with the board.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use bootlace_client::Client as _;
use bootlace_smp::bootlace::{BootState, Reset, Role, RollbackReason};
use bootlace_tests::qemu::Host;
use bootlace_tests::rp2040::cuts::{Content, Part, Point, Update};
use bootlace_tests::rp2040::{Behaviour, Cut, Factory, Function, PRIMARY, Pico, SECONDARY, Terminal, touch};
use bootlace_tests::tools;
use serde_json::{Value, json};

/// A board that runs version 1.0.0 of the example application.
fn board(factory: &Factory) -> Pico {
    let (image, _) = factory.application(Behaviour::Normal, 0).unwrap();
    Pico::running(&factory.flash(Some(&image)).unwrap()).unwrap()
}

/// The demonstration's key, which the board trusts.
fn key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-companion/boards/keys/demo.pub.pem")
}

/// `bootlace update`, to its end.
fn update(terminal: &Terminal, pico: &Pico, image: &[u8], more: &[&str]) -> Output {
    let file = pico.folder().join("image.bin");
    std::fs::write(&file, image).unwrap();
    let mut command = Command::new(tools::cli().unwrap());
    command
        .args(["update", "--json", "--allow-development-keys"])
        .arg("--port")
        .arg(terminal.ready().unwrap());
    command.arg("--image").arg(&file).arg("--key").arg(key());
    command.args(more).output().unwrap()
}

fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or("null")).unwrap_or(Value::Null)
}

/// Who answers, with what it says of its last rollback.
fn who(client: &mut Host) -> (Role, Option<BootState>, Option<RollbackReason>) {
    client
        .describe_when_up(|it| (it.role, it.state, it.rollback.map(|it| it.reason)))
        .unwrap()
}

fn running(client: &mut Host) -> (String, bool) {
    let slots = client.list().unwrap();
    let first = slots.into_iter().find(|it| it.slot == 0).unwrap();
    (first.version, first.confirmed)
}

#[test]
fn a_blank_board_serves_on_both_functions_in_turn() {
    let factory = Factory::new().unwrap();
    let pico = Pico::running(&factory.flash(None).unwrap()).unwrap();
    let info = pico.info().unwrap();
    // The flash chip's number.
    assert_eq!(
        (info.numbers, info.serial.as_str()),
        ((0x1209, 1), "E6614104032A562C")
    );
    let (mut serial, mut vendor) = (
        pico.client(Function::Serial).unwrap(),
        pico.client(Function::Vendor).unwrap(),
    );
    for _ in 0..3 {
        for client in [&mut serial, &mut vendor] {
            let described = client.describe_when_up(|it| {
                let slots: Vec<_> = it.slots.iter().map(|slot| slot.addr as usize).collect();
                (it.role, it.state, it.reset, it.serial.map(str::to_owned), slots)
            });
            let slots = vec![0x1000_0000 + PRIMARY, 0x1000_0000 + SECONDARY];
            // Where an installation puts an image.
            let installed = bootlace_install::boards::named("rp2040").unwrap();
            assert_eq!(installed.primary.0 as usize, 0x1000_0000 + PRIMARY);
            let wanted = (Role::Bootloader, Some(BootState::NoImage), Some(Reset::PowerOn));
            let (role, state, reset, number, found) = described.unwrap();
            assert_eq!(
                ((role, state, reset), number, found),
                (wanted, Some(info.serial.clone()), slots)
            );
        }
    }
    pico.behaved().unwrap();
}

/// What the processor fetches from a flash chip that erases or programs is none of its program: the emulator says so, as every test
/// here asks.
#[test]
fn a_program_that_runs_from_busy_flash_is_noticed() {
    let factory = Factory::new().unwrap();
    let pico = Pico::running(&factory.flash(None).unwrap()).unwrap();
    pico.info().unwrap();
    pico.behaved().unwrap();
    pico.command(&json!({ "do": "busy", "millis": 45 })).unwrap();
    // A question of the host wakes the processor, whose handler lies in flash.
    let question = json!({ "do": "control", "kind": 0x80, "request": 6, "value": 0x100, "index": 0, "length": 18, "millis": 300 });
    pico.command(&question).unwrap();
    let noticed = pico.behaved().unwrap_err().to_string();
    assert!(noticed.contains("while flash was busy"), "{noticed}");
}

#[test]
fn a_full_image_and_a_patch_are_confirmed_while_the_application_runs() {
    let factory = Factory::new().unwrap();
    let pico = board(&factory);
    let terminal = Terminal::new(&pico);
    let (new, _) = factory.application(Behaviour::Normal, 1).unwrap();
    let (newest, _) = factory.application(Behaviour::Normal, 2).unwrap();
    let output = update(&terminal, &pico, &new, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(last_line(&output).to_string().contains("confirmed"), "{output:?}");
    let mut client = pico.client(Function::Vendor).unwrap();
    assert_eq!(running(&mut client), ("1.1.0".to_owned(), true));

    // Now that the command line knows what runs, it sends what changed.
    let base = pico.folder().join("base.bin");
    std::fs::write(&base, &new).unwrap();
    let output = update(&terminal, &pico, &newest, &["--base", base.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("\"content\":\"patch\""), "{said}");
    let mut client = pico.client(Function::Vendor).unwrap();
    assert_eq!(running(&mut client), ("1.2.0".to_owned(), true));
    pico.behaved().unwrap();
}

/// What an update to a version that fails in its way ends with: the board runs 1.0.0 again, for this reason.
fn taken_back(behaviour: Behaviour, reason: RollbackReason, in_haste: bool) {
    let factory = Factory::new().unwrap();
    let pico = board(&factory);
    let terminal = Terminal::new(&pico);
    let (new, _) = factory.application(behaviour, 1).unwrap();
    pico.info().unwrap();
    if in_haste {
        // The trial takes 30 seconds of the board's time, in which it waits.
        let arrivals = pico.arrivals();
        std::thread::scope(|scope| {
            let updater = scope.spawn(|| update(&terminal, &pico, &new, &[]));
            pico.wait_beyond(arrivals).unwrap();
            pico.hurry(true).unwrap();
            pico.wait_beyond(arrivals + 1).unwrap();
            pico.hurry(false).unwrap();
            let output = updater.join().unwrap();
            assert!(
                last_line(&output).to_string().contains("rolled-back"),
                "{output:?}"
            );
        });
    } else {
        let output = update(&terminal, &pico, &new, &[]);
        assert!(
            last_line(&output).to_string().contains("rolled-back"),
            "{output:?}"
        );
    }
    let mut client = pico.client(Function::Vendor).unwrap();
    assert_eq!(
        who(&mut client),
        (Role::Application, Some(BootState::Running), Some(reason))
    );
    assert_eq!(running(&mut client), ("1.0.0".to_owned(), true));
    pico.behaved().unwrap();
}

#[test]
fn a_crash_is_taken_back() {
    taken_back(Behaviour::Crashes, RollbackReason::Fault, false);
}

#[test]
fn a_hang_is_caught_by_the_watchdog_and_taken_back() {
    taken_back(Behaviour::Hangs, RollbackReason::Watchdog, false);
}

#[test]
fn a_failed_self_test_is_taken_back() {
    taken_back(Behaviour::Unhealthy, RollbackReason::self_test(1), false);
}

#[test]
fn an_image_that_never_confirms_is_taken_back_at_the_deadline() {
    taken_back(Behaviour::Undecided, RollbackReason::Deadline, true);
}

#[test]
fn an_altered_image_is_refused_and_the_board_left_as_it_was() {
    let factory = Factory::new().unwrap();
    let pico = board(&factory);
    let (mut new, hash) = factory.application(Behaviour::Normal, 1).unwrap();
    let middle = new.len() / 2;
    new[middle] ^= 1;
    let mut client = pico.client(Function::Serial).unwrap();
    assert_eq!(client.upload(&new, new.len()).unwrap().1, Some(true));
    assert!(client.test(&hash).is_err());
    assert_eq!(running(&mut client), ("1.0.0".to_owned(), true));
    // The command line does not even begin.
    let terminal = Terminal::new(&pico);
    let output = update(&terminal, &pico, &new, &[]);
    assert_ne!(output.status.code(), Some(0));
    assert!(last_line(&output).to_string().contains("error"), "{output:?}");
    pico.behaved().unwrap();
}

/// By SMP, by the pin, by the word in RAM; and each time once.
#[test]
fn the_bootloader_is_entered_in_every_way() {
    let factory = Factory::new().unwrap();
    let pico = board(&factory);
    let requested = (Role::Bootloader, Some(BootState::Requested), None);
    let application = (Role::Application, Some(BootState::Running), None);
    let next = |arrivals: u32| {
        pico.wait_beyond(arrivals).unwrap();
        who(&mut pico.client(Function::Vendor).unwrap())
    };

    let mut client = pico.client(Function::Serial).unwrap();
    assert_eq!(who(&mut client), application);
    for (bootloader, wanted) in [(true, requested), (false, application)] {
        let mut client = pico.client(Function::Serial).unwrap();
        let arrivals = pico.arrivals();
        client.reset(bootloader).unwrap();
        assert_eq!(next(arrivals), wanted, "by SMP");
    }

    for (held, wanted) in [(true, requested), (false, application)] {
        let arrivals = pico.arrivals();
        pico.hold_button(held).unwrap();
        pico.reset().unwrap();
        assert_eq!(next(arrivals), wanted, "by the pin");
    }

    // The word's place is RAM that no program uses; a reset by the pin keeps RAM.
    let arrivals = pico.arrivals();
    pico.command(&json!({ "do": "poke", "at": 4, "data": "424f4f54" }))
        .unwrap();
    pico.reset().unwrap();
    assert_eq!(next(arrivals), requested, "by the word in RAM");
    pico.behaved().unwrap();
}

#[test]
fn a_touch_at_1200_baud_enters_the_bootloader() {
    let factory = Factory::new().unwrap();
    let pico = board(&factory);
    pico.info().unwrap();
    let terminal = Terminal::new(&pico);
    let arrivals = pico.arrivals();
    touch(terminal.ready().unwrap()).unwrap();
    pico.wait_beyond(arrivals).unwrap();
    // Not by the serial port, which the terminal has opened.
    let mut client = pico.client(Function::Vendor).unwrap();
    assert_eq!(
        who(&mut client),
        (Role::Bootloader, Some(BootState::Requested), None)
    );
    pico.behaved().unwrap();
}

/// A system that tells the port of its control lines just then: the host gives such a request up, and goes on.
#[test]
fn a_request_at_any_moment_of_a_restart_does_not_keep_the_board_away() {
    let factory = Factory::new().unwrap();
    let pico = Pico::running(&factory.flash(None).unwrap()).unwrap();
    pico.info().unwrap();
    for millis in (0..40).step_by(3) {
        let arrivals = pico.arrivals();
        pico.reset().unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        let set_control_line_state = json!({
            "do": "control", "kind": 0x21, "request": 0x22, "value": 1, "index": 0, "length": 0,
            "isEarly": true, "millis": 100,
        });
        pico.command(&set_control_line_state).unwrap();
        pico.wait_beyond(arrivals).unwrap();
    }
    let wanted = (Role::Bootloader, Some(BootState::NoImage), None);
    assert_eq!(who(&mut pico.client(Function::Serial).unwrap()), wanted);
    pico.behaved().unwrap();
}

/// The supply is cut at flash operations spread over an update, before, within and after them, and once more while the board
/// recovers: `cargo xtask cuts --board rp2040` does so at more of them, and with `--every 1` at all.
fn cut_here_and_there(content: Content) {
    let update = Update::new(&Factory::new().unwrap(), content).unwrap();
    // What both versions have in common is not moved, but each slot's trailer and the records are written.
    assert!(update.operations(Part::Installing).len() > 100);
    let points = update.points();
    for share in 1..4 {
        let point = points[points.len() * share / 4 + share];
        let once = update.interrupt(point);
        let once = once.unwrap_or_else(|error| panic!("{content:?}, {point:?}: {error:#}"));
        let again = Some((once.operations / 2, Cut::Within)).filter(|(number, _)| *number > 0);
        if share == 2 && again.is_some() {
            let point = Point { again, ..point };
            let twice = update.interrupt(point);
            let twice = twice.unwrap_or_else(|error| panic!("{content:?}, {point:?}: {error:#}"));
            assert!(twice.was_cut_again);
        }
    }
}

#[test]
fn a_cut_of_the_supply_during_a_full_update_leaves_a_board_that_runs() {
    cut_here_and_there(Content::Whole);
}

#[test]
fn a_cut_of_the_supply_during_a_patch_leaves_a_board_that_runs() {
    cut_here_and_there(Content::Patch);
}

/// The RAM that `memory.x` gives the bootloader, behind the words that survive a reset.
const RAM: u64 = 24 * 1024 - 16;

/// What takes the most: checking a signature before a start, receiving a patch, and exchanging images. Between static data
/// and the deepest stack some RAM stays untouched; a stack that came down to static data would leave none.
#[test]
fn the_bootloader_keeps_within_its_ram() {
    let factory = Factory::new().unwrap();
    let (old, _) = factory.application(Behaviour::Normal, 0).unwrap();
    let (new, hash) = factory.application(Behaviour::Normal, 1).unwrap();
    let pico = Pico::new(&factory.flash(Some(&old)).unwrap()).unwrap();
    pico.power(true).unwrap();
    assert_eq!(
        running(&mut pico.client(Function::Vendor).unwrap()),
        ("1.0.0".to_owned(), true)
    );
    let starting = pico.ram_used().unwrap();

    pico.hold_button(true).unwrap();
    let arrivals = pico.arrivals();
    pico.reset().unwrap();
    pico.wait_beyond(arrivals).unwrap();
    let mut client = pico.client(Function::Serial).unwrap();
    assert_eq!(who(&mut client).0, Role::Bootloader);
    let patch = bootlace_tests::qemu::difference(&old, &new).unwrap();
    assert_eq!(client.patch(&patch, patch.len()).unwrap().1, Some(true));
    client.test(&hash).unwrap();

    pico.hold_button(false).unwrap();
    let arrivals = pico.arrivals();
    pico.reset().unwrap();
    pico.wait_beyond(arrivals).unwrap();
    assert_eq!(
        running(&mut pico.client(Function::Vendor).unwrap()),
        ("1.1.0".to_owned(), true)
    );
    let updating = pico.ram_used().unwrap();
    println!("RAM used of {RAM} bytes: {starting} for a start, {updating} for a patch and its installation");
    for used in [starting, updating] {
        assert!((2048..RAM - 1024).contains(&used), "{used} of {RAM}");
    }
    pico.behaved().unwrap();
}
