//! The line to the host: 115,200 baud, 8N1, through the board's USB interface chip.

use bootlace_cortex_m::{Conversation, Line, PIECE};

use crate::registers::{PIN_CONFIG, read, write};

const UART: usize = 0x4000_2000;
const START_RX: usize = UART;
const START_TX: usize = UART + 0x008;
const RX_READY: usize = UART + 0x108;
const TX_READY: usize = UART + 0x11C;
const INTERRUPTS_ON: usize = UART + 0x304;
const ENABLE: usize = UART + 0x500;
const TX_PIN: usize = UART + 0x50C;
const RX_PIN: usize = UART + 0x514;
const RX: usize = UART + 0x518;
const TX: usize = UART + 0x51C;
const BAUD: usize = UART + 0x524;

/// Bit of [`INTERRUPTS_ON`]: a byte arrived.
const ON_RX: u32 = 1 << 2;

/// The line.
#[derive(Debug)]
pub struct Uart {
    sending: bool,
}

impl Uart {
    /// Opens the line.
    pub fn open() -> Self {
        const TX_PIN_NUMBER: usize = 24;
        const RX_PIN_NUMBER: usize = 25;
        // Idle is high, also before the UART drives it.
        write(PIN_CONFIG + 4 * TX_PIN_NUMBER, 3);
        write(TX_PIN, TX_PIN_NUMBER as u32);
        write(RX_PIN, RX_PIN_NUMBER as u32);
        write(BAUD, 0x01D7_E000);
        write(ENABLE, 4);
        write(RX_READY, 0);
        write(START_TX, 1);
        write(START_RX, 1);
        Uart { sending: false }
    }

    /// Has [`crate::Interrupt::Uart`] pending whenever a byte is there.
    pub fn interrupt_on_arrival(&mut self) {
        write(INTERRUPTS_ON, ON_RX);
    }
}

/// A byte that arrived: for an interrupt handler, which has no [`Uart`].
pub fn arrived() -> Option<u8> {
    if read(RX_READY) == 0 {
        return None;
    }
    // Before the byte is taken: the next one may follow at once.
    write(RX_READY, 0);
    Some(read(RX) as u8)
}

impl Line for Uart {
    fn read(&mut self, bytes: &mut [u8; PIECE], _: Conversation) -> usize {
        let places = bytes.iter_mut().zip(core::iter::from_fn(arrived));
        places.map(|(place, byte)| *place = byte).count()
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let Some(&byte) = bytes.first().filter(|_| self.is_drained()) else {
            return 0;
        };
        write(TX_READY, 0);
        write(TX, u32::from(byte));
        self.sending = true;
        1
    }

    fn is_drained(&self) -> bool {
        !self.sending || read(TX_READY) != 0
    }
}
