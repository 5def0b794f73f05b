//! Shapes of flash, and where a board's areas lie in them.

use bootlace_simulator::{Map, Region};

/// The shape of a board's flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Erase units of the slots in bytes: primary, secondary.
    pub pages: (u32, u32),
    /// Write unit in bytes.
    pub write: u32,
    /// Erase units of each slot: primary, secondary.
    pub slots: (u32, u32),
    /// Erase unit of the state area in bytes.
    pub state: u32,
    /// Torn words cannot be read.
    pub error_correction: bool,
    /// Torn words are programmed as if they were erased.
    pub silent: bool,
}

impl Geometry {
    /// The shape of a chip whose torn words can be read and programmed as if they were erased, with its areas as in `map` and written in units of
    /// `write` bytes.
    pub(crate) const fn of(map: &Map, write: u32) -> Self {
        let (primary, secondary) = (map.primary, map.secondary);
        Geometry {
            pages: (primary.erase, secondary.erase),
            write,
            slots: (primary.size / primary.erase, secondary.size / secondary.erase),
            state: map.state.erase,
            error_correction: false,
            silent: true,
        }
    }

    pub(crate) fn map(&self, golden: bool) -> Map {
        let region = |offset, size, erase| Region { offset, size, erase };
        let primary = self.primary();
        let secondary = primary + self.slots.0 * self.pages.0;
        Map {
            state: region(0, self.state * 2, self.state),
            primary: region(primary, self.slots.0 * self.pages.0, self.pages.0),
            secondary: region(secondary, self.slots.1 * self.pages.1, self.pages.1),
            golden: golden.then(|| {
                let end = secondary + self.slots.1 * self.pages.1;
                region(end, self.slots.0 * self.pages.0, self.pages.0)
            }),
        }
    }

    /// Where the primary slot starts.
    pub(crate) fn primary(&self) -> u32 {
        self.state * 2
    }

    /// The unit that images are moved in.
    pub(crate) fn unit(&self) -> u32 {
        self.pages.0.max(self.pages.1)
    }

    /// Bytes of the largest image.
    pub(crate) fn largest(&self) -> u32 {
        let unit = self.unit();
        let units = |(pages, page): (u32, u32)| pages * page / unit;
        (units((self.slots.0, self.pages.0)) - 1).min(units((self.slots.1, self.pages.1)) - 2) * unit
    }
}

/// Where the simulated processor sees its flash.
pub(crate) const ADDRESS: u32 = 0x0800_0000;
