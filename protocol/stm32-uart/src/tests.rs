//! The protocol's bytes; whole installations over a model of the ROM are in `tests/roms`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

extern crate std;

use super::*;
use std::vec;

/// What is sent for a request by a loader that agrees to everything, and which answers it waits for how long.
fn sent(request: Request, answers: &[&[u8]]) -> (Vec<Vec<u8>>, Result<Vec<u8>, Fault>) {
    let mut uart = Stm32Uart::new();
    uart.begin(request);
    let (mut sent, mut answers) = (Vec::new(), answers.iter());
    loop {
        match uart.poll() {
            Step::Do(Action::Out(bytes), limit) => {
                assert_eq!(limit, SENDING);
                sent.push(bytes);
                uart.handle(Ok(vec![]));
            }
            Step::Do(Action::In(_), QUIET) => uart.handle(Err(Broken::Silent)),
            Step::Do(Action::In(_), _) => {
                let answer = answers.next().map(|bytes| bytes.to_vec());
                uart.handle(answer.ok_or(Broken::Gone));
            }
            Step::Do(other, _) => panic!("{other:?}"),
            Step::Wait(_) => panic!("nothing to wait for"),
            Step::Ended(end) => return (sent, end),
        }
    }
}

#[test]
fn requests_are_the_bytes_of_the_application_note() {
    let ack: &[u8] = &[ACK];
    let (erase, end) = sent(
        Request::Erase(Unit {
            at: 0x080E_0000,
            len: 128 << 10,
        }),
        &[ack, ack],
    );
    assert_eq!(end, Ok(vec![]));
    assert_eq!(erase, [vec![0x44, 0xBB], vec![0, 0, 0, 11, 11]]);
    let write = Request::Write {
        at: 0x0801_0204,
        bytes: vec![1, 2, 4, 8, 16],
    };
    let (write, end) = sent(write, &[ack, ack, ack]);
    assert_eq!(end, Ok(vec![]));
    let data = vec![7, 1, 2, 4, 8, 16, 0xFF, 0xFF, 0xFF, 7 ^ 31 ^ 0xFF];
    assert_eq!(write, [vec![0x31, 0xCE], vec![8, 1, 2, 4, 8 ^ 1 ^ 2 ^ 4], data]);
    let read = Request::Read {
        at: 0x0800_0000,
        len: 256,
    };
    let (read, end) = sent(read, &[ack, ack, &[&[ACK][..], &[9; 100]].concat(), &[9; 156]]);
    assert_eq!(end, Ok(vec![9; 256]));
    assert_eq!(read, [vec![0x11, 0xEE], vec![8, 0, 0, 0, 8], vec![0xFF, 0]]);
    let (go, end) = sent(Request::Leave, &[ack, ack]);
    assert_eq!(end, Ok(vec![]));
    assert_eq!(go, [vec![0x21, 0xDE], vec![8, 0, 0, 0, 8]]);
}

#[test]
fn a_begin_asks_who_is_there_what_can_be_done_and_how_much_flash_there_is() {
    let mut about = vec![0; 256];
    about[0x22..0x24].copy_from_slice(&1024u16.to_le_bytes());
    let commands = [
        ACK, 11, 0x31, 0, 1, 2, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92, ACK,
    ];
    let answers: &[&[u8]] = &[
        &[ACK],
        &[ACK, 1, 4, 0x13, ACK],
        &commands,
        &[ACK],
        &[ACK],
        &[ACK],
        &about,
    ];
    let (asked, end) = sent(Request::Begin, answers);
    assert_eq!(end, Ok(vec![]));
    assert_eq!(
        asked,
        [
            vec![0x7F],
            vec![2, 0xFD],
            vec![0, 0xFF],
            vec![0x11, 0xEE],
            vec![0x1F, 0xFF, 0x7A, 0, 0x1F ^ 0xFF ^ 0x7A],
            vec![0xFF, 0]
        ]
    );
}

#[test]
fn a_loader_that_lacks_a_command_is_of_no_use() {
    // An old one, which erases pages by 0x43.
    let commands: &[u8] = &[ACK, 5, 0x22, 0, 2, 0x11, 0x21, 0x31, ACK];
    let one: [&[u8]; 3] = [&[ACK], &[ACK, 1, 4, 0x13, ACK], commands];
    let (_, end) = sent(Request::Begin, &[one, one, one].concat());
    assert_eq!(end, Err(Fault::Refused(Refusal::Unknown)));
    let (_, end) = sent(Request::Begin, &[&[ACK], &[ACK, 1, 4, 0x10, ACK]]);
    assert_eq!(end, Err(Fault::OtherChip(0x0410)));
}

#[test]
fn sectors_are_numbered_as_they_lie() {
    let numbers: Vec<_> = [0, 0xFFFF, 0x1_0000, 0x2_0000, 0xF_FFFF]
        .iter()
        .map(|offset| chip::sector(chip::FLASH + offset).unwrap().0)
        .collect();
    assert_eq!(numbers, [0, 3, 4, 5, 11]);
    assert_eq!(chip::sector(chip::FLASH + 0x10_0000), None);
    assert_eq!(chip::sector(chip::FLASH - 1), None);
    let end = chip::sector(0x080F_FFFF).unwrap().1;
    let of = |len| Stm32Uart {
        flash_len: Some(len),
        ..Stm32Uart::new()
    };
    assert_eq!(
        (of(1 << 20).unit(end.at), of((1 << 20) - 1).unit(end.at)),
        (Some(end), None)
    );
}

#[test]
fn how_much_flash_there_is_is_believed_where_it_can_be() {
    let about = |kilobytes: u16| {
        let mut about = vec![0; 0x24];
        about[0x22..].copy_from_slice(&kilobytes.to_le_bytes());
        chip::flash_len(&about)
    };
    assert_eq!(about(512), Some(512 << 10));
    assert_eq!(
        (about(0xFFFF), about(0), chip::flash_len(&[0; 0x23])),
        (None, None, None)
    );
}
