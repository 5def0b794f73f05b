//! What is said about this machine's ports.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use super::Sentence;

const PLUG: &str =
    "Plug the board in and check the port's name. A board that restarts has no port for a moment.";

/// No port of these names is there.
pub fn no_port(names: &[String]) -> Sentence {
    Sentence::new("NoPort", format!("There is no port {}.", names.join(", ")), PLUG)
}

/// This port is not there, or went away.
pub fn missing(port: impl Display) -> Sentence {
    Sentence::new("NoPort", format!("There is no port {port}."), PLUG)
}

/// This user may not use the port.
pub fn forbidden(port: impl Display) -> Sentence {
    Sentence::new(
        "PortForbidden",
        format!("You may not use the port {port}."),
        "On Linux, join the group that owns it (often dialout): “sudo usermod -aG dialout $USER”, then log in again.",
    )
}

/// Another program uses the port.
pub fn busy(port: impl Display) -> Sentence {
    Sentence::new(
        "PortBusy",
        format!("The port {port} is busy: another program is using it."),
        "Close terminals and other tools that use the port, then start the update again.",
    )
}

/// The port can't be opened; `why` is the system's word.
pub fn unusable(port: impl Display, why: impl Display) -> Sentence {
    Sentence::new(
        "PortUnusable",
        format!("The port {port} can't be opened: {why}."),
        "Check that this is a serial port and that no other program uses it.",
    )
}
