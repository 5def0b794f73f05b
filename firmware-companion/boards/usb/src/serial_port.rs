//! The serial port: what the host says of its line.

/// A port that is opened at this rate and closed again asks for the bootloader, as on Arduino's boards.
const TOUCH_BAUD: u32 = 1200;

/// Bytes of a line's coding.
pub(crate) const CODING: usize = 7;

/// The port.
#[derive(Debug)]
pub(crate) struct SerialPort {
    /// Bits per second, stop bits, parity and data bits, as the host last set them: only the first says anything here.
    pub(crate) coding: [u8; CODING],
    /// A program has the port open.
    is_ready: bool,
    /// It was opened at [`TOUCH_BAUD`] and closed.
    pub(crate) is_touched: bool,
}

impl SerialPort {
    pub(crate) const fn new() -> Self {
        SerialPort {
            // 115,200 baud, 8N1.
            coding: [0x00, 0xC2, 0x01, 0x00, 0, 0, 8],
            is_ready: false,
            is_touched: false,
        }
    }

    /// A program has opened the port, or closed it.
    pub(crate) fn set_ready(&mut self, is_ready: bool) {
        let is_touch = self.coding.first_chunk() == Some(&TOUCH_BAUD.to_le_bytes());
        self.is_touched |= self.is_ready && !is_ready && is_touch;
        self.is_ready = is_ready;
    }

    /// The bus was reset: a cable that is pulled is no touch.
    pub(crate) fn forget(&mut self) {
        self.is_ready = false;
    }
}
