//! The board's USB as a host's own driver sees it: requests at endpoint 0, packets of the bulk endpoints, the cable.

use anyhow::{Context as _, Result};
use bootlace_loader::Setup;
use serde_json::{Value, json};

use super::hex::{bytes, hex};
use super::process::{Function, Pico};

/// How a transfer ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The board refused it.
    Stall,
    /// The board did not answer it in time, and it was given up.
    Cancelled,
    /// The board was not there, or left.
    Gone,
    /// Nobody has that address, or that endpoint.
    Silence,
    /// More came than was asked for.
    Overflow,
}

/// What came of a transfer: the bytes from the board, none of one to the board.
pub type Transfer = std::result::Result<Vec<u8>, Failure>;

/// A request's first eight bytes, without its length.
pub const fn setup(kind: u8, request: u8, value: u16, index: u16) -> Setup {
    Setup {
        kind,
        request,
        value,
        index,
    }
}

/// After which stage a host forgets a control transfer that it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing follows the setup stage.
    Data,
    /// The status stage does not come.
    Status,
}

impl Function {
    /// The number of its bulk endpoint to the host.
    pub const fn to_host(self) -> u8 {
        match self {
            Function::Serial => 2,
            Function::Vendor => 3,
        }
    }

    /// The number of its bulk endpoint from the host.
    pub const fn from_host(self) -> u8 {
        match self {
            Function::Serial => 1,
            Function::Vendor => 2,
        }
    }
}

/// Milliseconds of real time that a transfer may take, unless said otherwise: on a busy machine the board's own 100 ms, after which it
/// hears the other function, have taken 1.5 s.
const MILLIS: u32 = 20_000;

impl Pico {
    fn transfer(&self, command: &Value) -> Result<Transfer> {
        let answer = self.command(command)?;
        let failure = match answer["failed"].as_str() {
            None => {
                let data = answer["data"].as_str().and_then(bytes);
                return Ok(Ok(data.with_context(|| format!("no data: {answer}"))?));
            }
            Some("stall") => Failure::Stall,
            Some("cancelled") => Failure::Cancelled,
            Some("gone") => Failure::Gone,
            Some("silence") => Failure::Silence,
            Some("overflow") => Failure::Overflow,
            Some(_) => anyhow::bail!("no such failure: {answer}"),
        };
        Ok(Err(failure))
    }

    /// A control transfer that asks for up to `length` bytes, or for none.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn ask_usb(&self, setup: Setup, length: u16) -> Result<Transfer> {
        self.transfer(&control(setup, json!({ "length": length })))
    }

    /// A control transfer that sends bytes.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn tell_usb(&self, setup: Setup, data: &[u8]) -> Result<Transfer> {
        self.transfer(&control(setup, json!({ "data": hex(data) })))
    }

    /// Begins a control transfer with `data`, or for `length` bytes, and leaves it.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn leave_usb(&self, setup: Setup, data: Option<&[u8]>, length: u16, leaves: Leaves) -> Result<()> {
        let stop_after = match leaves {
            Leaves::Data => "request",
            Leaves::Status => "data",
        };
        let mut rest = json!({ "length": length, "stopAfter": stop_after });
        if let (Some(data), Some(rest)) = (data, rest.as_object_mut()) {
            rest.insert("data".to_owned(), hex(data).into());
        }
        self.transfer(&control(setup, rest)).map(drop)
    }

    /// A request to a board that a host has not configured, or that has just seen the bus reset.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn ask_usb_early(&self, setup: Setup, length: u16, millis: u32) -> Result<Transfer> {
        let rest = json!({ "length": length, "isEarly": true, "millis": millis });
        self.transfer(&control(setup, rest))
    }

    /// Sends bytes to a bulk endpoint.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn send_usb(&self, endpoint: u8, data: &[u8]) -> Result<Transfer> {
        self.transfer(&json!({ "do": "out", "endpoint": endpoint, "data": hex(data), "millis": MILLIS }))
    }

    /// Reads up to `length` bytes of a bulk endpoint, until a short packet.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn read_usb(&self, endpoint: u8, length: u32, millis: u32) -> Result<Transfer> {
        self.transfer(&json!({ "do": "in", "endpoint": endpoint, "length": length, "millis": millis }))
    }

    /// Clears the halt of an endpoint, and begins with its first packet number; `endpoint` has the direction's bit.
    ///
    /// # Errors
    /// When the board refuses.
    pub fn clear_halt(&self, endpoint: u8) -> Result<()> {
        self.command(&json!({ "do": "clearHalt", "endpoint": endpoint }))
            .map(drop)
    }

    /// The host's side of SET_CONFIGURATION, and of SET_INTERFACE for one function: packet numbers begin again.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn restart_packet_numbers(&self, functions: &[Function]) -> Result<()> {
        let ends = functions
            .iter()
            .flat_map(|it| [it.from_host(), 0x80 | it.to_host()]);
        let endpoints: Vec<u8> = ends.collect();
        self.command(&json!({ "do": "restarted", "endpoints": endpoints }))
            .map(drop)
    }

    /// Pulls the cable of a board that has its power from elsewhere, or plugs it in.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn plug(&self, plugged: bool) -> Result<()> {
        self.command(&json!({ "do": "plug", "plugged": plugged }))
            .map(drop)
    }

    /// The bus falls silent, or wakes.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn suspend(&self, suspended: bool) -> Result<()> {
        self.command(&json!({ "do": "suspend", "suspended": suspended }))
            .map(drop)
    }

    /// The host resets the bus and enumerates the board again. `with`: a request that is on the bus before the board has
    /// seen the reset; gives what came of it.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn reset_bus(&self, with: Option<(Setup, u16)>) -> Result<Transfer> {
        let answer = match with {
            None => Ok(Vec::new()),
            Some((setup, length)) => {
                let rest = json!({ "length": length, "isEarly": true, "comesWithReset": true });
                self.transfer(&control(setup, rest))?
            }
        };
        self.command(&json!({ "do": "enumerate" }))?;
        Ok(answer)
    }
}

fn control(setup: Setup, mut rest: Value) -> Value {
    let Setup {
        kind,
        request,
        value,
        index,
    } = setup;
    let all = json!({
        "do": "control", "kind": kind, "request": request, "value": value, "index": index, "millis": MILLIS,
    });
    if let (Value::Object(all), Some(rest)) = (all, rest.as_object_mut()) {
        for (name, value) in all {
            rest.entry(name).or_insert(value);
        }
    }
    rest
}
