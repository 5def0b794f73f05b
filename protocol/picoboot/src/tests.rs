//! The protocol against bytes of the datasheet, and against a ROM that refuses.
#![allow(clippy::unwrap_used, clippy::panic)]

extern crate std;

use super::*;
use std::vec;

/// Does what the protocol asks with `device`, to the end of the request.
fn run(
    picoboot: &mut Picoboot,
    request: Request,
    mut device: impl FnMut(Action) -> Result<Vec<u8>, Broken>,
) -> Result<Vec<u8>, Fault> {
    picoboot.begin(request);
    for _ in 0..20 {
        match picoboot.poll() {
            Step::Do(action, limit) => {
                assert!(limit <= Duration::from_secs(60), "{action:?}");
                picoboot.handle(device(action));
            }
            Step::Wait(_) => panic!("the protocol waits"),
            Step::Ended(end) => return end,
        }
    }
    panic!("the request does not end");
}

/// The actions of a request at a device that does everything.
fn actions(request: Request) -> Vec<Action> {
    let mut all = Vec::new();
    let end = run(&mut Picoboot::new(1), request, |action| {
        all.push(action.clone());
        Ok(match action {
            Action::In(len) => vec![7; len as usize],
            _ => Vec::new(),
        })
    });
    end.unwrap();
    all
}

fn command(id: u8, arguments: u8, transfer: u32, words: &[u32]) -> Action {
    let mut bytes = vec![0x0B, 0xD1, 0x1F, 0x43, 1, 0, 0, 0, id, arguments, 0, 0];
    bytes.extend(transfer.to_le_bytes());
    words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.resize(32, 0);
    Action::Out(bytes)
}

#[test]
fn each_request_is_a_command_its_data_and_an_empty_packet_back() {
    let erase = Request::Erase(Unit { at: FLASH, len: 4096 });
    assert_eq!(actions(erase), [command(3, 8, 0, &[FLASH, 4096]), Action::In(0)]);
    let bytes = vec![1, 2, 3];
    let write = Request::Write {
        at: FLASH + 4096,
        bytes: bytes.clone(),
    };
    assert_eq!(
        actions(write),
        [
            command(5, 8, 3, &[FLASH + 4096, 3]),
            Action::Out(bytes),
            Action::In(0)
        ]
    );
    let read = Request::Read { at: FLASH, len: 256 };
    assert_eq!(
        actions(read),
        [
            command(0x84, 8, 256, &[FLASH, 256]),
            Action::In(256),
            Action::Out(vec![])
        ]
    );
    assert_eq!(
        actions(Request::Leave),
        [command(2, 12, 0, &[0, 0, 500]), Action::In(0)]
    );
}

#[test]
fn a_begin_ends_what_was_under_way_and_shuts_the_drive_out() {
    let reset = Setup {
        kind: 0x41,
        request: 0x41,
        value: 0,
        index: 1,
    };
    let all = actions(Request::Begin);
    let (first, rest) = all.split_at(2);
    assert_eq!(first, [Action::ControlOut(reset, vec![]), Action::ClearHalts]);
    assert_eq!(rest.first(), Some(&command(1, 1, 0, &[1])));
    assert_eq!(rest.len(), 4);
}

#[test]
fn what_was_read_comes_back_and_too_little_is_nonsense() {
    let read = |device_len: usize| {
        run(
            &mut Picoboot::new(1),
            Request::Read { at: FLASH, len: 256 },
            |action| {
                Ok(match action {
                    Action::In(_) => vec![9; device_len],
                    _ => Vec::new(),
                })
            },
        )
    };
    assert_eq!(read(256), Ok(vec![9; 256]));
    assert_eq!(read(255), Err(Fault::Nonsense));
}

/// The ROM halts its OUT endpoint alone: a host then waits at the other one for nothing.
#[test]
fn a_refused_command_is_asked_why() {
    for broken in [Broken::Stalled, Broken::Silent] {
        for (code, wanted) in [
            (1, Refusal::Unknown),
            (4, Refusal::Address),
            (7, Refusal::Restarting),
            (5, Refusal::Other(5)),
        ] {
            let mut picoboot = Picoboot::new(1);
            let end = run(
                &mut picoboot,
                Request::Erase(Unit { at: 0, len: 4096 }),
                |action| match action {
                    Action::In(0) => Err(broken.clone()),
                    Action::ControlIn(setup, 16) => {
                        assert_eq!((setup.kind, setup.request, setup.index), (0xC1, 0x42, 1));
                        let mut status = vec![1, 0, 0, 0, code, 0, 0, 0];
                        status.resize(16, 0);
                        Ok(status)
                    }
                    _ => Ok(Vec::new()),
                },
            );
            assert_eq!(end, Err(Fault::Refused(wanted)));
            // The next request is not told of it.
            assert_eq!(run(&mut picoboot, Request::Leave, |_| Ok(Vec::new())), Ok(vec![]));
        }
    }
}

#[test]
fn a_rom_that_does_not_say_why_has_refused_all_the_same() {
    let silent = |first: Broken| {
        let mut first = Some(first);
        run(&mut Picoboot::new(1), Request::Leave, move |_| {
            Err(first.take().unwrap_or(Broken::Silent))
        })
    };
    assert_eq!(silent(Broken::Stalled), Err(Fault::Refused(Refusal::Other(0))));
    assert_eq!(silent(Broken::Silent), Err(Fault::Silent));
    assert_eq!(silent(Broken::Gone), Err(Fault::Gone));
    assert_eq!(
        silent(Broken::System("no".into())),
        Err(Fault::System("no".into()))
    );
}
