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
    /// The serial port of Nordic's bootloader, which stays.
    Nordic,
}

impl Way {
    /// All that there are.
    pub const ALL: [Way; 5] = [Way::Picoboot, Way::Uf2, Way::Dfuse, Way::Uart, Way::Nordic];

    /// Its name for people and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Way::Picoboot => "picoboot",
            Way::Uf2 => "uf2",
            Way::Dfuse => "dfuse",
            Way::Uart => "uart",
            Way::Nordic => "nordic",
        }
    }

    /// Whether it leads through a serial port that a person names.
    pub const fn is_by_port(self) -> bool {
        matches!(self, Way::Uart | Way::Nordic)
    }
}

/// The drive that a board's loader shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Drive {
    /// The family of files that the loader takes.
    pub family: u32,
    /// What its INFO_UF2.TXT says where it is the drive of such a board.
    pub says: &'static str,
    /// What the file says where it is the drive of another chip all the same.
    pub never: Option<&'static str>,
}

/// A kind of board.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Its name.
    pub name: &'static str,
    /// The name of its companion's files, as they are built.
    pub program: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The ways into it, the better one first.
    pub ways: &'static [Way],
    /// How a person brings it into its loader.
    pub entry: &'static str,
    /// What a person does after an installation so that the next start is not into the loader again.
    pub exit: Option<&'static str>,
    /// Where its companion begins.
    pub flash: u32,
    /// The page before the companion's, where the loader starts what it starts: the companion's vector table stands there as well.
    pub table: Option<u32>,
    /// The units of its flash that the companion was built for, slots included.
    pub units: &'static [Units],
    /// Bytes that the companion has for itself and its records, from there on. All of them are new after an installation.
    pub companion: u32,
    /// Where the primary slot begins, and how many bytes an image may have there.
    pub primary: (u32, u32),
    /// The drive of its loader, where it has one.
    pub drive: Option<Drive>,
}

/// The drive of Adafruit's bootloader for the nRF52840, behind a SoftDevice of the version that it `says` (`ghostfat.c`,
/// `uf2_init`). The nRF52833's has the same SoftDevice.
const fn adafruits(says: &'static str) -> Option<Drive> {
    Some(Drive {
        family: bootlace_formats::uf2::NRF52840,
        says,
        never: Some("52833"),
    })
}

const DOUBLE_RESET: &str = "Press reset twice within half a second: a drive appears.";

/// Every board. The places are those of its memory map in `firmware-companion/boards` and `firmware-companion/maps`, which tests
/// compare.
pub const ALL: &[Board] = &[
    Board {
        name: "rp2040",
        program: "rp2040",
        title: "Raspberry Pi Pico (RP2040)",
        ways: &[Way::Picoboot, Way::Uf2],
        entry: "Hold the button BOOTSEL while you plug the board in.",
        exit: None,
        flash: 0x1000_0000,
        table: None,
        units: &[Units {
            at: 0x1000_0000,
            count: 2 * 1024 / 4,
            len: 4096,
        }],
        companion: 0x1_0000,
        primary: (0x1001_0000, 976 * 1024),
        // The RP2040's datasheet, 2.8.3.1.
        drive: Some(Drive {
            family: bootlace_formats::uf2::RP2040,
            says: "RPI-RP2",
            never: None,
        }),
    },
    Board {
        name: "nrf52840-dongle",
        program: "nrf52840-dongle",
        title: "nRF52840 Dongle (PCA10059)",
        ways: &[Way::Nordic],
        entry: "Plug the dongle in and press its reset button from the side: the red LED pulses.",
        exit: None,
        flash: 0x1000,
        table: None,
        units: &[Units {
            at: 0x1000,
            count: 0xE0 - 0x01,
            len: 4096,
        }],
        companion: 0x1_0000,
        primary: (0x1_1000, 400 * 1024),
        drive: None,
    },
    Board {
        name: "nrf52840",
        program: "nrf52840",
        title: "nRF52840 DK",
        // Its ROM has no loader: what a companion is made for goes into it by a debugger.
        ways: &[],
        entry: "Connect the DK's debugger.",
        exit: None,
        flash: 0,
        table: None,
        units: &[Units {
            at: 0,
            count: 1024 / 4,
            len: 4096,
        }],
        companion: 0x1_0000,
        primary: (0x1_0000, 472 * 1024),
        drive: None,
    },
    Board {
        name: "nrf52840-uf2",
        program: "nrf52840-uf2",
        title: "nRF52840 with UF2, SoftDevice 7",
        ways: &[Way::Uf2],
        entry: DOUBLE_RESET,
        exit: None,
        flash: 0x2_7000,
        table: None,
        units: &[Units {
            at: 0x2_7000,
            count: 0xE0 - 0x27,
            len: 4096,
        }],
        companion: 0x1_0000,
        primary: (0x3_7000, 332 * 1024),
        drive: adafruits("SoftDevice: S140 7."),
    },
    Board {
        name: "nrf52840-uf2-s6",
        program: "nrf52840-uf2",
        title: "nRF52840 with UF2, SoftDevice 6",
        ways: &[Way::Uf2],
        entry: DOUBLE_RESET,
        exit: None,
        flash: 0x2_7000,
        // Where SoftDevice 6 ends.
        table: Some(0x2_6000),
        units: &[Units {
            at: 0x2_6000,
            count: 0xE0 - 0x26,
            len: 4096,
        }],
        companion: 0x1_0000,
        primary: (0x3_7000, 332 * 1024),
        drive: adafruits("SoftDevice: S140 6."),
    },
    Board {
        name: "stm32f407",
        program: "stm32f407",
        title: "STM32F4DISCOVERY (STM32F407)",
        ways: &[Way::Dfuse, Way::Uart],
        entry: "Connect BOOT0 to the supply (VDD) and press reset.",
        exit: Some("Take BOOT0 off the supply: with it the chip starts its loader at each reset."),
        flash: 0x0800_0000,
        table: None,
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
        drive: None,
    },
];

/// Vendor and product number of a board that runs the companion: pid.codes' numbers for tests, until a product has its own.
pub const COMPANION_USB: (u16, u16) = (0x1209, 0x0001);

/// Bytes of a vector table that stands a second time: 64 entries, which is all that an nRF52840 has.
const TABLE: usize = 256;

/// The board of this name.
pub fn named(name: &str) -> Option<&'static Board> {
    ALL.iter().find(|board| board.name == name)
}

/// Why a drive is not that of a board's loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherDrive {
    /// It is that of another board that there is a companion for.
    Of(&'static Board),
    /// It is no known one.
    Unknown,
}

impl Board {
    /// Where what the loader starts begins: all that an installation writes begins there.
    pub const fn begin(&self) -> u32 {
        match self.table {
            Some(table) => table,
            None => self.flash,
        }
    }

    /// Judges a drive by its INFO_UF2.TXT.
    ///
    /// # Errors
    /// It is another one.
    pub fn judge_drive(&self, info: &str) -> Result<(), OtherDrive> {
        let is_of = |board: &Board| {
            let drive = board.drive.as_ref();
            drive.is_some_and(|drive| {
                info.contains(drive.says) && !drive.never.is_some_and(|never| info.contains(never))
            })
        };
        match ALL.iter().find(|board| is_of(board)) {
            _ if is_of(self) => Ok(()),
            Some(board) => Err(OtherDrive::Of(board)),
            None => Err(OtherDrive::Unknown),
        }
    }

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
        let mut parts = Vec::new();
        parts.extend(self.table.map(|at| Part {
            at,
            bytes: companion.iter().take(TABLE).copied().collect(),
        }));
        parts.push(Part {
            at: self.flash,
            bytes: companion,
        });
        parts.extend(image.map(|bytes| Part { at, bytes }));
        Ok(FlashPlan {
            parts,
            blank: self.begin()..self.flash + self.companion,
            start: self.begin(),
            units: self.units,
        })
    }
}
