//! Hosts that stop, leave, sleep and send anything: the board answers the next good one.

use std::io::Write as _;
use std::time::Duration;

use bootlace_smp::Request;
use bootlace_smp::bootlace::Role;
use bootlace_tests::pair::wire::Dice;
use bootlace_tests::rp2040::{Factory, Function, setup};

use super::board::{BOTH, GET_LINE_CODING, SET_LINE_CODING, answers, answers_on, board, describe};

#[test]
fn a_bus_that_sleeps_or_is_reset_in_mid_conversation_is_got_over() {
    let pico = board();
    for function in BOTH {
        let mut client = pico.client(function).unwrap();
        client.describe_when_up(|it| it.role).unwrap();
        pico.suspend(true).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        pico.suspend(false).unwrap();
        assert_eq!(client.describe_when_up(|it| it.role).unwrap(), Role::Bootloader);
        // Half a packet, then the reset: the other half never comes.
        let wire = describe();
        client.stream().write_all(&wire[..wire.len() / 2]).unwrap();
        std::thread::sleep(Duration::from_millis(10));
        let arrivals = pico.arrivals();
        pico.reset_bus(None).unwrap().unwrap();
        pico.wait_beyond(arrivals).unwrap();
        answers(&pico, "half a packet and a reset of the bus");
    }
    pico.behaved().unwrap();
}

/// One host stops in the middle of a packet and stays; one at the other function has something to ask.
#[test]
fn half_a_packet_on_one_function_does_not_keep_the_other_waiting() {
    let pico = board();
    let wire = describe();
    for (held, other) in [
        (Function::Serial, Function::Vendor),
        (Function::Vendor, Function::Serial),
    ] {
        answers(&pico, "nothing");
        let half = pico.client(held).unwrap();
        half.stream().write_all(&wire[..wire.len() / 2]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        answers_on(&pico, other, "half a packet on the other function");
    }
    pico.behaved().unwrap();
}

/// A host that asks and asks, and reads none of the answers.
#[test]
fn a_host_that_stops_reading_does_not_keep_the_board() {
    let pico = board();
    let wire = describe();
    for function in BOTH {
        let mut asked = 0;
        while pico.send_usb(function.from_host(), &wire).unwrap().is_ok() && asked < 50 {
            asked += 1;
        }
        // It holds the board up for as long as a good host may take for its next read, and no longer.
        assert!(asked > 3, "{function:?} took {asked} requests");
        // One that comes to the same function finds what the last one left, so the other function is asked first.
        let mut others = BOTH.into_iter().filter(|it| *it != function);
        answers_on(&pico, others.next().unwrap(), "requests without readers");
        answers(&pico, "a host that stopped reading");
    }
    pico.behaved().unwrap();
}

/// Replies of every length around that of a packet: a transfer that fills its last packet ends with an empty one.
#[test]
fn replies_that_fill_their_last_packet_end() {
    let pico = board();
    for function in BOTH {
        let mut client = pico.client(function).unwrap();
        client.describe_when_up(|it| it.role).unwrap();
        drop(client);
        std::thread::sleep(Duration::from_millis(20));
        let mut full = 0;
        for len in 1..130 {
            let text = "x".repeat(len);
            let mut asker = bootlace_client::Asker::new(bootlace_smp::frame::Framing::Cobs, 1000);
            let wire = asker
                .request(&Request::Os(bootlace_smp::os::Request::Echo(
                    text.as_str().into(),
                )))
                .unwrap();
            pico.send_usb(function.from_host(), &wire).unwrap().unwrap();
            // Far more than comes: only a short packet ends this transfer.
            let reply = pico
                .read_usb(function.to_host(), 4096, 1000)
                .unwrap()
                .unwrap_or_else(|failure| panic!("{function:?}, {len} bytes: {failure:?}"));
            let packet = asker.answer(&reply).unwrap().expect("one whole reply");
            assert!(packet.windows(len).any(|part| part == text.as_bytes()));
            full += u32::from(reply.len().is_multiple_of(64));
        }
        assert!(full >= 2, "{full} replies filled their last packet");
    }
    pico.behaved().unwrap();
}

/// How many re-plugs are tried: a few in every run, and as many as this variable says by hand.
const REPLUGS: &str = "BOOTLACE_RP2040_REPLUGS";

fn by_hand(variable: &str, usual: u32) -> u32 {
    let wanted = std::env::var(variable).ok();
    wanted.map_or(usual, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}"))
    })
}

/// The cable is pulled at any moment of a conversation, of a board with its own supply and of one without.
#[test]
fn the_board_answers_after_every_replug() {
    let pico = board();
    let mut dice = Dice::new(0x5EED);
    let wire = describe();
    for number in 0..by_hand(REPLUGS, 40) {
        let function = BOTH[number as usize % 2];
        let part = below(&mut dice, wire.len() + 1);
        pico.send_usb(function.from_host(), &wire[..part])
            .unwrap()
            .unwrap();
        std::thread::sleep(Duration::from_micros(dice.below(3000)));
        let arrivals = pico.arrivals();
        if dice.below(2) == 0 {
            pico.plug(false).unwrap();
            pico.plug(true).unwrap();
        } else {
            pico.power(false).unwrap();
            pico.power(true).unwrap();
        }
        pico.wait_beyond(arrivals).unwrap();
        answers(&pico, &format!("re-plug {number}, {part} bytes on {function:?}"));
    }
    pico.behaved().unwrap();
}

/// Requests at endpoint 0 that come while flash is erased and programmed wait, and none is lost or mixed up with another.
#[test]
fn control_requests_during_an_upload_are_answered() {
    let factory = Factory::new().unwrap();
    let pico = board();
    let (image, _) = factory
        .application(bootlace_tests::rp2040::Behaviour::Normal, 1)
        .unwrap();
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| {
            let mut client = pico.client(Function::Vendor).unwrap();
            client.upload(&image, image.len()).unwrap().1
        });
        let mut asked = 0;
        while !upload.is_finished() {
            let baud = 9600 + asked;
            let coding = [&u32::to_le_bytes(baud)[..], &[0, 0, 8]].concat();
            assert_eq!(pico.tell_usb(SET_LINE_CODING, &coding).unwrap(), Ok(vec![]));
            assert_eq!(pico.ask_usb(GET_LINE_CODING, 7).unwrap(), Ok(coding));
            asked += 1;
        }
        assert_eq!(upload.join().unwrap(), Some(true));
        assert!(asked > 5, "{asked} requests");
    });
    answers(&pico, "an upload");
    pico.behaved().unwrap();
}

/// How many rounds of the fuzz are run, and from which seed.
const ROUNDS: &str = "BOOTLACE_RP2040_FUZZ";
const SEED: &str = "BOOTLACE_RP2040_SEED";

fn below(dice: &mut Dice, end: usize) -> usize {
    dice.below(end as u64) as usize
}

fn bytes(dice: &mut Dice, len: usize) -> Vec<u8> {
    (0..len).map(|_| dice.roll() as u8).collect()
}

/// Any bytes on both functions and at endpoint 0, some of them nearly good: the board answers the next good host.
#[test]
fn any_bytes_leave_a_board_that_answers_within_a_second() {
    let pico = board();
    let seed = by_hand(SEED, 1);
    let mut dice = Dice::new(seed.into());
    let good = describe();
    for round in 0..by_hand(ROUNDS, 12) {
        for _ in 0..12 {
            let function = BOTH[below(&mut dice, BOTH.len())];
            let sent = match dice.below(4) {
                0 => {
                    let len = below(&mut dice, 300);
                    bytes(&mut dice, len)
                }
                1 => {
                    let mut bytes = good.clone();
                    let at = below(&mut dice, bytes.len());
                    bytes[at] ^= 1 << dice.below(8);
                    bytes
                }
                2 => good[..below(&mut dice, good.len())].to_vec(),
                _ => {
                    let value = dice.roll();
                    let kind = [0x00, 0x01, 0x02, 0x21, 0x40, 0x80, 0x81, 0x82, 0xA1, 0xC0];
                    // Not SET_ADDRESS, which makes it another board to the host, and no halt, which the host would have to
                    // clear.
                    let request = [0, 6, 8, 0x0A, 0x20, 0x21, 0x22, 0x55][below(&mut dice, 8)];
                    let kind = kind[below(&mut dice, 10)];
                    let setup = setup(kind, request, value as u16, (value >> 16) as u16 & 0x8F);
                    let length = dice.below(200) as u16;
                    if kind & 0x80 != 0 {
                        drop(pico.ask_usb(setup, length).unwrap());
                    } else {
                        let data = bytes(&mut dice, length.into());
                        drop(pico.tell_usb(setup, &data).unwrap());
                    }
                    continue;
                }
            };
            drop(pico.send_usb(function.from_host(), &sent).unwrap());
            // A host that reads, as far as there is something.
            for function in BOTH {
                while pico.read_usb(function.to_host(), 4096, 2).unwrap().is_ok() {}
            }
        }
        answers(&pico, &format!("round {round} of seed {seed}"));
    }
    pico.behaved().unwrap();
}
