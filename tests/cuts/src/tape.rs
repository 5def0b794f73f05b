//! Simulated flash that notes what is done to it.

use bootlace_core::flash::{Area, Flash, FlashError, Geometry};
use bootlace_simulator::NorFlash;

/// An erase or program that the flash carried out.
#[derive(Clone, Debug)]
pub enum Operation {
    /// One unit.
    Erase {
        /// Where.
        area: Area,
        /// From the area's start, in bytes.
        offset: u32,
    },
    /// At most 256 bytes.
    Program {
        /// Where.
        area: Area,
        /// From the area's start, in bytes.
        offset: u32,
        /// What.
        data: Vec<u8>,
    },
}

impl Operation {
    /// The area that it changes.
    pub fn area(&self) -> Area {
        match self {
            Operation::Erase { area, .. } | Operation::Program { area, .. } => *area,
        }
    }

    /// Does it again, on another board.
    pub fn apply(&self, flash: &mut NorFlash) {
        // Whatever comes of it came of it the first time.
        let _ = match self {
            Operation::Erase { area, offset } => flash.erase(*area, *offset),
            Operation::Program { area, offset, data } => flash.program(*area, *offset, data),
        };
    }
}

/// The flash and, while it is wanted, the tape.
#[derive(Clone, Debug)]
pub struct Chip {
    /// The flash.
    pub nor: NorFlash,
    tape: Option<Vec<Operation>>,
}

impl Chip {
    /// Without a tape.
    pub fn new(nor: NorFlash) -> Self {
        Chip { nor, tape: None }
    }

    /// Starts a tape.
    pub fn record(&mut self) {
        self.tape = Some(Vec::new());
    }

    /// The operations since [`Chip::record`]; recording ends.
    pub fn take_tape(&mut self) -> Vec<Operation> {
        self.tape.take().unwrap_or_default()
    }

    fn note(&mut self, before: u64, operation: impl FnOnce() -> Operation) {
        // What the flash refused did not happen.
        if let Some(tape) = &mut self.tape
            && self.nor.operations() != before
        {
            tape.push(operation());
        }
    }
}

impl Flash for Chip {
    fn geometry(&self, area: Area) -> Geometry {
        self.nor.geometry(area)
    }

    fn read(&mut self, area: Area, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        self.nor.read(area, offset, out)
    }

    fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError> {
        let before = self.nor.operations();
        let result = self.nor.program(area, offset, data);
        self.note(before, || Operation::Program {
            area,
            offset,
            data: data.to_vec(),
        });
        result
    }

    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        let before = self.nor.operations();
        let result = self.nor.erase(area, offset);
        self.note(before, || Operation::Erase { area, offset });
        result
    }
}
