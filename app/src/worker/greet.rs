//! Asking at a port who is there, before it is known whose board that is.

use bootlace_engine::{Failure, Greeted, Greeter, Phase, Transmit};
use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use futures_channel::oneshot;
use futures_util::{FutureExt, StreamExt, select_biased};

use super::ports::{Arrival, Link, Port, open_patiently};
use super::scope::{log, now, sleep_until};
use crate::messages::{LogFact, PageError, Problem};

/// An open port with what comes out of it.
pub(super) struct Line {
    /// The port.
    pub(super) link: Link,
    /// What comes out of it.
    pub(super) arrived: UnboundedReceiver<Arrival>,
}

/// A board that said who it is, and the line to it.
pub(super) struct Met {
    /// What the board said.
    pub(super) greeted: Box<Greeted>,
    /// The line that it said that on.
    pub(super) line: Line,
}

/// Asks at a port who is there, until there is an answer, or the other end of `stop` is dropped. `asked`: a person waits.
///
/// # Errors
/// Why nobody is known to be there.
pub(super) async fn greet(port: Port, asked: bool, stop: oneshot::Receiver<()>) -> Result<Met, Problem> {
    let (arrivals, arrived) = unbounded();
    let link = open_patiently(&port, &arrivals, asked).await?;
    log(LogFact::Opened(port.via()));
    let mut line = Line { link, arrived };
    match ask(&mut line, stop).await {
        Ok(greeted) => Ok(Met { greeted, line }),
        Err(problem) => {
            line.link.close().await;
            Err(problem)
        }
    }
}

async fn ask(line: &mut Line, stop: oneshot::Receiver<()>) -> Result<Box<Greeted>, Problem> {
    let mut stop = stop.fuse();
    let mut greeter = Greeter::new(now(), line.link.info(), None);
    loop {
        while let Some(transmit) = greeter.poll_transmit() {
            if let Transmit::Bytes(bytes) = transmit {
                line.link.send(bytes);
            }
        }
        if let Some(greeted) = greeter.poll_greeted() {
            let failure = |error| Failure {
                error,
                phase: Phase::Connecting,
                unharmed: true,
            };
            return greeted.map_err(|error| Problem::Session(failure(error)));
        }
        let due = greeter.poll_timeout().unwrap_or(now());
        select_biased! {
            arrival = line.arrived.next() => match arrival {
                Some(Arrival::Bytes(bytes)) => greeter.handle_input(now(), &bytes),
                Some(Arrival::Lost) | None => return Err(PageError::PortVanished.into()),
            },
            // Nobody waits for the answer any more.
            _ = stop => return Err(PageError::PortVanished.into()),
            () = sleep_until(due).boxed_local().fuse() => greeter.handle_timeout(now()),
        }
    }
}
