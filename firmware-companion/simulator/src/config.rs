//! What board is simulated, and how its applications behave.

use bootlace_core::board::Policy;
use bootlace_core::chip::{Map, Region};
use bootlace_image::PublicKey;
use bootlace_smp::bootlace::Supply;

use crate::flash::Timing;

/// How an application behaves after it was updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// It serves SMP on the board's port, passes its self-test and confirms itself.
    #[default]
    Normal,
    /// The same, but it has no port.
    Silent,
    /// The same, but its port has another product id.
    OtherId,
    /// It hangs while on trial, until the watchdog bites.
    Hang,
    /// It crashes while on trial.
    Crash,
    /// It serves SMP, but never confirms itself: the deadline ends its trial.
    NeverConfirm,
    /// Its self-test fails while it is on trial.
    Unhealthy,
}

impl Behaviour {
    /// Every behaviour with the name that command line and page know it by.
    pub const ALL: [(&'static str, Behaviour); 7] = [
        ("normal", Behaviour::Normal),
        ("silent", Behaviour::Silent),
        ("other-id", Behaviour::OtherId),
        ("hang", Behaviour::Hang),
        ("crash", Behaviour::Crash),
        ("never-confirm", Behaviour::NeverConfirm),
        ("unhealthy", Behaviour::Unhealthy),
    ];

    /// The behaviour of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, behaviour)| behaviour)
    }
}

/// A simulated board. The defaults are a board of 1 MB flash at 0x0800_0000 in 4 KB pages with two slots of 492 KB.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the board is called.
    pub name: String,
    /// Its serial number.
    pub serial: String,
    /// Keys that it trusts.
    pub keys: Vec<PublicKey>,
    /// Vendor that images must name.
    pub vendor: Option<[u8; 16]>,
    /// Class of boards that images must name.
    pub class: Option<[u8; 16]>,
    /// The product's rules.
    pub policy: Policy,
    /// Where the processor sees the first byte of flash.
    pub address: u32,
    /// Slots and state area.
    pub map: Map,
    /// Write unit in bytes.
    pub write: u32,
    /// How long flash operations take.
    pub timing: Timing,
    /// The processor stands still while flash is erased or programmed, and so does the port.
    pub stall: bool,
    /// Speed of the line in bits per second, 10 bits a byte; `None` is full-speed USB, about 1 MB/s.
    pub baud: Option<u32>,
    /// Largest packet in bytes.
    pub frame: usize,
    /// Packets held at once.
    pub window: usize,
    /// Whether it takes patches.
    pub delta: bool,
    /// What the board measures of its supply, if it does.
    pub supply: Option<Supply>,
    /// Somebody is present all along, without a hand on the button that asks for the bootloader.
    pub present: bool,
    /// How updated applications behave.
    pub behaviour: Behaviour,
    /// Milliseconds from an application's start until its self-test has passed.
    pub self_test: u32,
    /// Milliseconds after which the watchdog resets a hung application.
    pub watchdog: u32,
    /// Milliseconds from start until the host sees the port.
    pub enumeration: u32,
    /// USB vendor and product id; an application with another id has the next product id.
    pub usb: (u16, u16),
}

/// Bytes before the state area: the bootloader's own.
const BOOTLOADER: u32 = 32 * 1024;
/// Erase unit of the default board.
const PAGE: u32 = 4096;
/// Pages of each slot of the default board.
const SLOT_PAGES: u32 = 123;

impl Config {
    /// The same board with room for a golden image, behind everything else.
    pub fn with_golden(mut self) -> Self {
        let last = self.map.secondary;
        self.map.golden = Some(Region {
            offset: last.offset + last.size,
            ..self.map.primary
        });
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        let region = |offset, pages| Region {
            offset,
            size: pages * PAGE,
            erase: PAGE,
        };
        let primary = BOOTLOADER + 2 * PAGE;
        Config {
            name: "Simulated board".into(),
            serial: "SIM-0001".into(),
            keys: Vec::new(),
            vendor: None,
            class: None,
            policy: Policy {
                deadline: 30,
                ..Policy::default()
            },
            address: 0x0800_0000,
            map: Map {
                state: region(BOOTLOADER, 2),
                primary: region(primary, SLOT_PAGES),
                secondary: region(primary + SLOT_PAGES * PAGE, SLOT_PAGES),
                golden: None,
            },
            write: 4,
            timing: Timing::default(),
            stall: false,
            baud: None,
            frame: 2048,
            window: 4,
            delta: true,
            supply: None,
            present: false,
            behaviour: Behaviour::Normal,
            self_test: 300,
            watchdog: 8000,
            enumeration: 60,
            // pid.codes' ids for tests.
            usb: (0x1209, 0x0001),
        }
    }
}
