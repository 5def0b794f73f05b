//! Texts, descriptors and single exchanges; whole installations over a model of the ROM are in `tests/roms`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

extern crate std;

use super::*;
use bootlace_loader::Units;
use std::string::ToString as _;
use std::vec;

const F407: &str = "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg";

fn row(at: u32, count: u32, len: u32, kind: u8) -> Row {
    Row {
        units: Units { at, count, len },
        allowed: kind & 7,
    }
}

#[test]
fn layouts_of_st_s_chips_are_read() {
    let k = 1024;
    for (text, name, rows) in [
        (
            F407,
            "Internal Flash",
            vec![
                row(0x0800_0000, 4, 16 * k, b'g'),
                row(0x0801_0000, 1, 64 * k, b'g'),
                row(0x0802_0000, 7, 128 * k, b'g'),
            ],
        ),
        // UM0424's own examples are of this kind: the first sectors can only be read.
        (
            "@Internal Flash   /0x08000000/12*001Ka,116*001Kg",
            "Internal Flash",
            vec![row(0x0800_0000, 12, k, b'a'), row(0x0800_3000, 116, k, b'g')],
        ),
        (
            "@Option Bytes  /0x1FFFC000/01*016 e",
            "Option Bytes",
            vec![row(0x1FFF_C000, 1, 16, b'e')],
        ),
        (
            "@OTP Memory /0x1FFF7800/01*512 e,01*016 e",
            "OTP Memory",
            vec![row(0x1FFF_7800, 1, 512, b'e'), row(0x1FFF_7A00, 1, 16, b'e')],
        ),
        (
            "@SPI Flash: M25P64 /0x00000000/128*64Kg/0x10000000/2*1Mg,1*8Bc",
            "SPI Flash: M25P64",
            vec![
                row(0, 128, 64 * k, b'g'),
                row(0x1000_0000, 2, k * k, b'g'),
                row(0x1020_0000, 1, 8, b'c'),
            ],
        ),
        (
            "@Device Feature/0xFFFF0000/01*004 e",
            "Device Feature",
            vec![row(0xFFFF_0000, 1, 4, b'e')],
        ),
        // To the last byte there is.
        ("@x/0xFFFFFFFF/1*1Bg", "x", vec![row(u32::MAX, 1, 1, b'g')]),
    ] {
        let name = name.to_string();
        assert_eq!(Layout::parse(text), Some(Layout { name, rows }), "{text}");
    }
}

#[test]
fn texts_that_describe_no_memory_are_refused() {
    for text in [
        "",
        "@",
        "@Internal Flash",
        "@Internal Flash/",
        "@Internal Flash/0x08000000",
        "@Internal Flash/0x08000000/",
        "Internal Flash/0x08000000/04*016Kg",
        "@Internal Flash/08000000/04*016Kg",
        "@Internal Flash/0x/04*016Kg",
        "@Internal Flash/0x+8000000/04*016Kg",
        "@Internal Flash/0x108000000/04*016Kg",
        "@Internal Flash/0x08000000/04*016K",
        "@Internal Flash/0x08000000/04*016Kh",
        "@Internal Flash/0x08000000/04*016K@",
        "@Internal Flash/0x08000000/04*016Gg",
        "@Internal Flash/0x08000000/04*016Kgg",
        "@Internal Flash/0x08000000/04*016Kg,",
        "@Internal Flash/0x08000000/04*016Kg/",
        "@Internal Flash/0x08000000/04016Kg",
        "@Internal Flash/0x08000000/*016Kg",
        "@Internal Flash/0x08000000/04*Kg",
        "@Internal Flash/0x08000000/-4*016Kg",
        "@Internal Flash/0x08000000/00*016Kg",
        "@Internal Flash/0x08000000/04*000Kg",
        "@Internal Flash/0x08000000/04*016Kü",
        // Beyond all addresses, and over each other.
        "@Internal Flash/0x08000000/99999*99999Mg",
        "@Internal Flash/0xFFFFFFFF/1*2Bg",
        "@Internal Flash/0xFFFFF000/1*4Kg,1*4Kg",
        "@Internal Flash/0x08000000/04*016Kg/0x0800FFFF/1*1Bg",
    ] {
        assert_eq!(Layout::parse(text), None, "{text}");
    }
}

#[test]
fn only_sectors_that_can_be_read_erased_and_written_are_units() {
    let layout = Layout::parse("@x/0x1000/1*1Ka,1*1Ke,1*1Kf,1*1Kg").unwrap();
    let units: Vec<_> = (0..6).map(|k| layout.unit(0x0C01 + k * 1024)).collect();
    let unit = Unit {
        at: 0x1C00,
        len: 1024,
    };
    assert_eq!(units, [None, None, None, None, Some(unit), None]);
    let flash = Layout::parse(F407).unwrap();
    let lens: Vec<_> = [0x0800_FFFF, 0x0801_0000, 0x080F_FFFF]
        .iter()
        .map(|at| flash.unit(*at).unwrap().len >> 10)
        .collect();
    assert_eq!(lens, [16, 64, 128]);
    assert_eq!(flash.unit(0x0810_0000), None);
}

/// The configuration of the STM32F407's ROM, with two of its settings, and an interface of something else before it.
fn configuration(transfer: u16) -> Vec<u8> {
    let [low, high] = transfer.to_le_bytes();
    let mut all = vec![9, 2, 0, 0, 2, 1, 0, 0xC0, 50];
    all.extend([9, 4, 0, 0, 0, 0xFF, 0, 0, 9]);
    all.extend([9, 0x21, 0x0B, 0xFF, 0, 1, 0, 0x1A, 1]);
    all.extend([9, 4, 1, 0, 0, 0xFE, 1, 2, 4]);
    all.extend([9, 4, 1, 1, 0, 0xFE, 1, 2, 5]);
    all.extend([9, 0x21, 0x0B, 0xFF, 0, low, high, 0x1A, 1]);
    all[2] = all.len() as u8;
    all
}

#[test]
fn the_interface_its_settings_and_the_length_of_a_block_are_found() {
    let all = configuration(2048);
    assert_eq!(descriptors::whole_len(&all), Some(54));
    let found = Found {
        alternates: vec![(0, 4), (1, 5)],
        transfer: 2048,
    };
    assert_eq!(find(&all, 1), Some(found));
    // Another interface, none, no block, and every way of being cut off.
    assert_eq!(find(&all, 0), None);
    assert_eq!(find(&all, 2), None);
    assert_eq!(find(&configuration(0), 1), None);
    for len in 0..all.len() {
        assert_eq!(find(&all[..len], 1), None, "{len}");
    }
    for head in [&[9, 1, 54, 0][..], &[9, 2, 8, 0], &[9, 2, 1, 0x10], &[9, 2, 54]] {
        assert_eq!(descriptors::whole_len(head), None, "{head:?}");
    }
}

#[test]
fn texts_of_string_descriptors() {
    assert_eq!(text(&[6, 3, b'@', 0, b'x', 0]), Some("@x".into()));
    assert_eq!(text(&[6, 3, b'@', 0, b'x', 0, 9, 9]), Some("@x".into()));
    assert_eq!(text(&[4, 3, 0, 0xD8]), Some("\u{FFFD}".into()));
    assert_eq!(text(&[2, 3]), Some("".into()));
    for none in [&[][..], &[0], &[1, 3], &[6, 3, b'@', 0], &[4, 2, b'@', 0]] {
        assert_eq!(text(none), None, "{none:?}");
    }
}

#[test]
fn a_status_says_how_long_to_wait_and_why_it_failed() {
    let status = Status::read(&[0x0B, 0x10, 0x27, 0, 10, 0]).unwrap();
    assert_eq!(
        (status.wait, status.state, status.is_error()),
        (Duration::from_secs(10), State::Error, true)
    );
    for (code, refusal) in [
        (0x0B, Refusal::Protected),
        (0x01, Refusal::Address),
        (0x08, Refusal::Address),
        (0x0F, Refusal::Unknown),
        (0x04, Refusal::Other(4)),
    ] {
        let status = Status { code, ..status };
        assert_eq!(status.fault(), Fault::Refused(refusal));
    }
    assert_eq!(Status::read(&[0; 5]), None);
    assert_eq!(Status::read(&[0; 7]), None);
}

/// A loader that only answers what it is told to, one answer after another; the actions that were asked for.
fn asked(answers: &[Result<&[u8], Broken>]) -> (Vec<Action>, Result<Vec<u8>, Fault>) {
    let mut dfuse = Dfuse::new(1);
    dfuse.begin(Request::Begin);
    let (mut actions, mut answers) = (Vec::new(), answers.iter());
    loop {
        match dfuse.poll() {
            Step::Do(action, limit) => {
                assert_eq!(limit, ANSWER);
                actions.push(action);
                let answer = answers.next().cloned().unwrap_or(Err(Broken::Gone));
                dfuse.handle(answer.map(<[u8]>::to_vec));
            }
            Step::Wait(_) => {}
            Step::Ended(end) => return (actions, end),
        }
    }
}

fn descriptor(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    let mut all = vec![2 + 2 * text.len() as u8, 3];
    all.extend(units);
    all
}

const IDLE: &[u8] = &[0, 0, 0, 0, 2, 0];

#[test]
fn the_setting_that_is_internal_flash_is_chosen_whatever_its_number() {
    let all = configuration(1024);
    let (option, flash) = (descriptor("@Option Bytes /0x1FFFC000/01*016 e"), descriptor(F407));
    for (texts, alternate) in [
        (vec![Ok(flash.as_slice())], 0),
        (vec![Ok(option.as_slice()), Ok(flash.as_slice())], 1),
        (vec![Err(Broken::Stalled), Ok(flash.as_slice())], 1),
    ] {
        let answers = [
            vec![Ok(&all[..9]), Ok(&all[..])],
            texts,
            vec![Ok(&[][..]), Ok(IDLE)],
        ]
        .concat();
        let (actions, end) = asked(&answers);
        assert_eq!(end, Ok(vec![]));
        let [.., choice, _status] = actions.as_slice() else {
            panic!("{actions:?}");
        };
        assert_eq!(*choice, Action::Setting(alternate));
    }
    // None at all, and one whose text is damaged.
    let texts = [Ok(&all[..9]), Ok(&all[..]), Ok(&option[..]), Ok(&option[..])];
    assert_eq!(asked(&texts).1, Err(Fault::NoFlash));
    let bad = descriptor("@Internal Flash /0x08000000/04*016K");
    let texts = [Ok(&all[..9]), Ok(&all[..]), Ok(&bad[..])];
    assert_eq!(asked(&texts).1, Err(Fault::Nonsense));
}

#[test]
fn whatever_keeps_a_loader_from_being_idle_is_ended() {
    let (all, flash) = (configuration(2048), descriptor(F407));
    let said = |state: u8| [0, 7, 0, 0, state, 0];
    let begins = [Ok(&all[..9]), Ok(&all[..]), Ok(&flash[..]), Ok(&[][..])];
    // What the last program left behind: state, and by which request it is ended.
    for (state, request) in [
        (5, Some(ABORT)),
        (9, Some(ABORT)),
        (10, Some(CLRSTATUS)),
        (4, None),
        (3, None),
    ] {
        let state = said(state);
        let ends = if request.is_some() {
            vec![Ok(&[][..])]
        } else {
            vec![]
        };
        let (actions, end) = asked(&[&begins[..], &[Ok(&state[..])], &ends, &[Ok(IDLE)]].concat());
        assert_eq!(end, Ok(vec![]), "{state:?}");
        let sent = actions.iter().find_map(|action| match action {
            Action::ControlOut(setup, _) => Some(setup.request),
            _ => None,
        });
        assert_eq!(sent, request, "{state:?}");
    }
    // A program that is no loader, and a loader that stays in its error for ever.
    let app = said(0);
    assert_eq!(
        asked(&[&begins[..], &[Ok(&app[..])]].concat()).1,
        Err(Fault::Nonsense)
    );
    let stuck = said(10);
    let again = vec![[Ok(&stuck[..]), Ok(&[][..])]; 100].concat();
    assert_eq!(asked(&[&begins[..], &again].concat()).1, Err(Fault::Silent));
    let busy = [0, 0xFF, 0xFF, 0xFF, 4, 0];
    let again = vec![Ok(&busy[..]); 100];
    assert_eq!(asked(&[&begins[..], &again].concat()).1, Err(Fault::Silent));
}
