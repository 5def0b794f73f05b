//! Boards that a companion can be installed on, with the ways in that their chips have.

use alloc::vec::Vec;

use bootlace_loader::Units;

use crate::plan::{FlashPlan, Part, Unfit};

/// A way into a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The vendor interface of the RP2040's ROM.
    Picoboot,
    /// A file onto the drive that the chip shows.
    Uf2,
    /// The DFU interface of an STM32's ROM.
    Dfuse,
    /// The serial port of an STM32's ROM.
    Uart,
}

impl Way {
    /// All that there are.
    pub const ALL: [Way; 4] = [Way::Picoboot, Way::Uf2, Way::Dfuse, Way::Uart];

    /// Its name for people and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Way::Picoboot => "picoboot",
            Way::Uf2 => "uf2",
            Way::Dfuse => "dfuse",
            Way::Uart => "uart",
        }
    }
}

/// A kind of board.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Its name, and that of its companion's files.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The ways into it, the better one first.
    pub ways: &'static [Way],
    /// How a person brings it into its loader.
    pub entry: &'static str,
    /// What a person does after an installation so that the next start is not into the loader again.
    pub exit: Option<&'static str>,
    /// Where its flash begins.
    pub flash: u32,
    /// The units of its flash that the companion was built for, slots included.
    pub units: &'static [Units],
    /// Bytes that the companion has for itself and its records, from there on. All of them are new after an installation.
    pub companion: u32,
    /// Where the primary slot begins, and how many bytes an image may have there.
    pub primary: (u32, u32),
    /// The family of its UF2 files, where its loader takes them.
    pub uf2: Option<u32>,
}

/// Every board. The places are those of its memory map in `firmware-companion/boards` and `firmware-companion/maps`, which tests
/// compare.
pub const ALL: &[Board] = &[
    Board {
        name: "rp2040",
        title: "Raspberry Pi Pico (RP2040)",
        ways: &[Way::Picoboot, Way::Uf2],
        entry: "Hold the button BOOTSEL while you plug the board in.",
        exit: None,
        flash: 0x1000_0000,
        units: &[Units {
            at: 0x1000_0000,
            count: 2 * 1024 / 4,
            len: 4096,
        }],
        companion: 0x1_0000,
        primary: (0x1001_0000, 976 * 1024),
        uf2: Some(bootlace_formats::uf2::RP2040),
    },
    Board {
        name: "stm32f407",
        title: "STM32F4DISCOVERY (STM32F407)",
        ways: &[Way::Dfuse, Way::Uart],
        entry: "Connect BOOT0 to the supply (VDD) and press reset.",
        exit: Some("Take BOOT0 off the supply: with it the chip starts its loader at each reset."),
        flash: 0x0800_0000,
        // Reference manual RM0090, table 5.
        units: &[
            Units {
                at: 0x0800_0000,
                count: 4,
                len: 16 * 1024,
            },
            Units {
                at: 0x0801_0000,
                count: 1,
                len: 64 * 1024,
            },
            Units {
                at: 0x0802_0000,
                count: 7,
                len: 128 * 1024,
            },
        ],
        companion: 0x2_0000,
        primary: (0x0802_0000, 256 * 1024),
        uf2: None,
    },
];

/// The board of this name.
pub fn named(name: &str) -> Option<&'static Board> {
    ALL.iter().find(|board| board.name == name)
}

impl Board {
    /// What an installation does to the flash: the companion's bytes from the flash's begin on, blank records behind it, and
    /// an image in the primary slot.
    ///
    /// # Errors
    /// What does not fit.
    pub fn plan(&self, companion: Vec<u8>, image: Option<Vec<u8>>) -> Result<FlashPlan, Unfit> {
        let too_long = |what: &[u8], most: u32| (what.len() as u64 > u64::from(most)).then_some(what.len());
        if let Some(len) = too_long(&companion, self.companion) {
            return Err(Unfit::Companion {
                len,
                most: self.companion,
            });
        }
        let (at, most) = self.primary;
        if let Some(len) = image.as_deref().and_then(|image| too_long(image, most)) {
            return Err(Unfit::Image { len, most });
        }
        let mut parts = alloc::vec![Part {
            at: self.flash,
            bytes: companion
        }];
        parts.extend(image.map(|bytes| Part { at, bytes }));
        Ok(FlashPlan {
            parts,
            blank: self.flash..self.flash + self.companion,
            start: self.flash,
            units: self.units,
        })
    }
}
