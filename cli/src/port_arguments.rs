//! The arguments that say where the board may be.

use bootlace_engine::{Framing, words};
use bootlace_host::{BadName, Candidates, Driver, Notice, Settings};

use crate::problem::Problem;

/// Where the board may be.
#[derive(Debug, clap::Args)]
pub(crate) struct Ports {
    /// The board's port: a serial port, a pattern such as '/dev/ttyACM*', or usb:VID:PID[:SERIAL], the numbers in hex. May be
    /// given several times: after a restart the board is looked for on all of them. Without it, all boards on USB are asked,
    /// and the only one that answers is taken. `bootlace ports` lists them.
    #[arg(
        long,
        short,
        value_name = "PORT",
        env = "BOOTLACE_PORT",
        value_delimiter = ','
    )]
    port: Vec<String>,
    /// Speed of a serial port in bits per second; USB's ignore it.
    #[arg(long, default_value_t = 115_200)]
    baud: u32,
    /// Framing of requests: cobs, console or raw. Without it, the fastest that the board takes.
    #[arg(long, value_parser = framing)]
    pub(crate) framing: Option<Framing>,
}

fn framing(name: &str) -> Result<Framing, String> {
    match name {
        "cobs" => Ok(Framing::Cobs),
        "console" => Ok(Framing::Console),
        "raw" => Ok(Framing::Raw),
        _ => Err("known are cobs, console and raw".into()),
    }
}

impl Ports {
    /// Opens one port after another until a board answers; `told` hears what happens meanwhile.
    pub(crate) fn connect(&self, told: impl FnMut(&Notice)) -> Result<Driver, Problem> {
        let candidates = match self.port.as_slice() {
            [] => Candidates::any(),
            names => Candidates::new(names).map_err(|BadName(name)| words::ports::bad_name(&name))?,
        };
        let settings = Settings {
            candidates,
            baud: self.baud,
            framing: self.framing,
        };
        Ok(Driver::connect(settings, told)?)
    }
}
