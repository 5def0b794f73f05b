//! A serial port with a chip's loader behind it.

use std::path::Path;
use std::time::Duration;

use bootlace_loader::{Action, Broken, Line, Parity};
use serial2::SerialPort;

use crate::serial::{lock, waits};
use crate::unusable::Unusable;

/// An open port.
#[derive(Debug)]
pub struct LoaderPort {
    port: SerialPort,
}

impl LoaderPort {
    /// Opens a port for nobody else, set as the loader wants.
    ///
    /// A port that knows no parity is used without: pseudo-terminals are such, and what is behind them has its own.
    ///
    /// # Errors
    /// The port is not there, not allowed or busy.
    pub fn open(path: &Path, line: Line) -> Result<Self, Unusable> {
        let plain = Line {
            parity: Parity::None,
            ..line
        };
        let port = open(path, line).or_else(|error| match error.kind() {
            std::io::ErrorKind::Other => open(path, plain),
            _ => Err(error),
        });
        let port = port.and_then(|port| {
            lock(&port)?;
            port.discard_input_buffer()?;
            Ok(port)
        });
        match port {
            Ok(port) => Ok(LoaderPort { port }),
            Err(error) => Err(Unusable::from(&error)),
        }
    }

    /// Does an action, which may take so long.
    ///
    /// # Errors
    /// Why nothing came of it.
    pub fn perform(&mut self, action: Action, limit: Duration) -> Result<Vec<u8>, Broken> {
        let done = match action {
            Action::Out(bytes) => {
                let port = &mut self.port;
                let set = port.set_write_timeout(limit);
                set.and_then(|()| port.write_all(&bytes)).map(|()| Vec::new())
            }
            Action::In(len) => {
                let mut bytes = vec![0; len as usize];
                let set = self.port.set_read_timeout(limit);
                match set.and_then(|()| self.port.read(&mut bytes)) {
                    Ok(0) => return Err(Broken::Gone),
                    Ok(some) => {
                        bytes.truncate(some);
                        Ok(bytes)
                    }
                    Err(error) => Err(error),
                }
            }
            _ => return Err(Broken::System("a serial port has no such transfers".into())),
        };
        // Whatever else a port says that was open, it is not there any more.
        done.map_err(|error| {
            if waits(&error) {
                Broken::Silent
            } else {
                Broken::Gone
            }
        })
    }
}

fn open(path: &Path, line: Line) -> std::io::Result<SerialPort> {
    SerialPort::open(path, |mut settings: serial2::Settings| {
        settings.set_raw();
        settings.set_baud_rate(line.baud)?;
        settings.set_parity(match line.parity {
            Parity::None => serial2::Parity::None,
            Parity::Even => serial2::Parity::Even,
        });
        // With what `set_raw` sets, a byte of the wrong parity is dropped: without, the byte is handed over as if it were right.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if line.parity != Parity::None {
            settings.as_termios_mut().c_iflag |= rustix::termios::InputModes::INPCK.bits();
        }
        Ok(settings)
    })
}
