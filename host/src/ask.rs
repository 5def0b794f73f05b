//! Which board answers, where no port was named.

use std::collections::VecDeque;
use std::sync::mpsc::channel;
use std::thread;

use bootlace_engine::{Failure, Greeter, Instant, Phase, PortInfo, Transmit};

use crate::address::Address;
use crate::error::Error;
use crate::input::{Input, Inputs};
use crate::listing::{Listed, listed};
use crate::port::Port;
use crate::unusable::Unusable;

/// The port to the only board that answers. All are asked at once, each by its best way that can be opened.
///
/// # Errors
/// None answers, or several do.
pub(crate) fn only_board(baud: u32) -> Result<Address, Error> {
    let asked = listed()
        .into_iter()
        .map(|it| thread::spawn(move || ask(&it, baud)));
    let asked: Vec<_> = asked.collect();
    // A thread that panicked has no board.
    only(asked.into_iter().filter_map(|it| it.join().ok()).collect())
}

/// A port, and the serial number of the board that answers there.
type Answer = (Address, Option<String>);

/// The only answer. A board that answered by two ways is one.
fn only(answers: Vec<Result<Answer, Error>>) -> Result<Address, Error> {
    let (mut found, mut worst): (Vec<Answer>, Error) = (Vec::new(), Error::NothingPluggedIn);
    for answer in answers {
        match answer {
            Ok((_, Some(serial))) if found.iter().any(|(_, other)| other.as_ref() == Some(&serial)) => {}
            Ok(answer) => found.push(answer),
            // What somebody can do something about is said before that others are silent.
            Err(error) if !matches!(worst, Error::Unopened { .. }) => worst = error,
            Err(_) => {}
        }
    }
    match found.len() {
        0 => Err(worst),
        1 => found.pop().map(|(address, _)| address).ok_or(worst),
        _ => Err(Error::Several {
            ports: found.into_iter().map(|(address, _)| address).collect(),
        }),
    }
}

/// Asks by one way after another until the board answers; otherwise why its best way failed.
fn ask(listed: &Listed, baud: u32) -> Result<Answer, Error> {
    let mut first = None;
    for way in &listed.ways {
        match ask_at(way, baud) {
            Ok(serial) => return Ok((way.clone(), serial)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(Error::NothingPluggedIn))
}

/// The serial number of the board at this port.
fn ask_at(address: &Address, baud: u32) -> Result<Option<String>, Error> {
    let unopened = |why| Error::Unopened {
        port: address.clone(),
        why,
    };
    let (sender, input) = channel();
    let mut port = Port::open(address, baud, Inputs { number: 0, sender }).map_err(unopened)?;
    let started = std::time::Instant::now();
    let now = || Instant(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    let info = PortInfo {
        baud: Some(baud),
        ..PortInfo::default()
    };
    let mut greeter = Greeter::new(now(), info, None);
    let mut outgoing = VecDeque::new();
    loop {
        while let Some(Transmit::Bytes(bytes)) = greeter.poll_transmit() {
            outgoing.extend(bytes);
        }
        if let Some(greeted) = greeter.poll_greeted() {
            let failure = |error| Failure {
                error,
                phase: Phase::Connecting,
                unharmed: true,
            };
            return greeted
                .map(|it| it.board.serial.clone())
                .map_err(|error| Error::NoBoard {
                    port: address.clone(),
                    failure: failure(error),
                });
        }
        if !outgoing.is_empty() && !port.write(&mut outgoing) {
            return Err(unopened(Unusable::Missing));
        }
        let due = greeter
            .poll_timeout()
            .map(|at| at.since(now()))
            .unwrap_or_default();
        let patience = if outgoing.is_empty() {
            due
        } else {
            Default::default()
        };
        match input.recv_timeout(patience) {
            Ok(Input::Bytes(_, bytes)) => greeter.handle_input(now(), &bytes),
            Ok(Input::Gone(_)) => return Err(unopened(Unusable::Missing)),
            Err(_) if greeter.poll_timeout().is_some_and(|at| at <= now()) => greeter.handle_timeout(now()),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: &str) -> Address {
        Address::Serial(port.into())
    }

    fn answer(port: &str, serial: Option<&str>) -> Result<Answer, Error> {
        Ok((at(port), serial.map(str::to_owned)))
    }

    fn unopened(port: &str, why: Unusable) -> Error {
        let port = at(port);
        Error::Unopened { port, why }
    }

    #[test]
    fn the_only_board_is_taken_and_never_one_of_several() {
        let silent = || Err(unopened("silent", Unusable::Missing));
        assert_eq!(only(vec![silent(), answer("a", None)]), Ok(at("a")));
        // One board by two ways.
        assert_eq!(
            only(vec![answer("a", Some("1")), answer("b", Some("1"))]),
            Ok(at("a"))
        );
        for (one, other) in [(Some("1"), Some("2")), (Some("1"), None), (None, None)] {
            let ports = vec![at("a"), at("b")];
            assert_eq!(
                only(vec![answer("a", one), answer("b", other)]),
                Err(Error::Several { ports })
            );
        }
        assert_eq!(only(vec![]), Err(Error::NothingPluggedIn));
    }

    #[test]
    fn a_port_that_may_not_be_used_is_named_before_one_where_nobody_answers() {
        let failure = Failure {
            error: bootlace_engine::Error::Silent,
            phase: Phase::Connecting,
            unharmed: true,
        };
        let port = at("silent");
        let silent = || {
            Err(Error::NoBoard {
                port: port.clone(),
                failure: failure.clone(),
            })
        };
        let forbidden = || unopened("forbidden", Unusable::Forbidden);
        assert_eq!(only(vec![silent(), Err(forbidden()), silent()]), Err(forbidden()));
    }
}
