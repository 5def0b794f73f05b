//! Which ports may be the board's.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::address::Address;
use crate::listing::listed;
use crate::usb::{self, UsbBoard};

/// Ports that may be the board's: names or patterns, in the order given; or all that the machine has.
#[derive(Clone, Debug)]
pub struct Candidates {
    names: Vec<String>,
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// A serial port's name, or a pattern such as `/dev/ttyACM*`.
    Path(String),
    /// `usb:VID:PID[:SERIAL]`.
    Usb {
        numbers: (u16, u16),
        serial: Option<String>,
    },
}

/// A name that begins as a USB device's and is none: it is `usb:VID:PID` or `usb:VID:PID:SERIAL`, the numbers in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName(pub String);

/// Several boards have a name that was meant for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeveralBoards(pub Vec<Address>);

impl Pattern {
    fn read(name: &str) -> Result<Self, BadName> {
        let Some(rest) = name.strip_prefix("usb:") else {
            return Ok(Pattern::Path(name.to_owned()));
        };
        let bad = || BadName(name.to_owned());
        let mut parts = rest.splitn(3, ':');
        let mut number = || {
            let digits = parts
                .next()
                .filter(|digits| !digits.starts_with('+'))
                .ok_or_else(bad)?;
            u16::from_str_radix(digits, 16).map_err(|_| bad())
        };
        let numbers = (number()?, number()?);
        let serial = match parts.next() {
            Some("") => return Err(bad()),
            serial => serial.map(str::to_owned),
        };
        Ok(Pattern::Usb { numbers, serial })
    }

    fn now(&self, boards: &[UsbBoard]) -> Vec<Address> {
        match self {
            Pattern::Path(pattern) => paths(pattern).into_iter().map(Address::Serial).collect(),
            Pattern::Usb { numbers, serial } => {
                let is_meant = |board: &&UsbBoard| {
                    board.numbers() == *numbers && (serial.is_none() || serial.as_deref() == board.serial())
                };
                boards
                    .iter()
                    .filter(is_meant)
                    .cloned()
                    .map(Address::Usb)
                    .collect()
            }
        }
    }
}

fn paths(pattern: &str) -> Vec<PathBuf> {
    // A name with a bracket in it may be no pattern.
    let names = glob::glob(pattern).map(|paths| paths.filter_map(Result::ok).collect::<Vec<_>>());
    let mut names = names.unwrap_or_default();
    if names.is_empty() && (cfg!(windows) || Path::new(pattern).exists()) {
        names.push(PathBuf::from(pattern));
    }
    names
}

impl Candidates {
    /// From names, or patterns such as `/dev/ttyACM*` and `usb:1209:0001`.
    ///
    /// # Errors
    /// A name of a USB device that is none.
    pub fn new(names: &[String]) -> Result<Self, BadName> {
        let patterns = names
            .iter()
            .map(|name| Pattern::read(name))
            .collect::<Result<_, _>>()?;
        Ok(Candidates {
            names: names.to_vec(),
            patterns,
        })
    }

    /// All vendor interfaces and all serial ports of USB devices.
    pub fn any() -> Self {
        Candidates {
            names: Vec::new(),
            patterns: Vec::new(),
        }
    }

    /// Whether no port was named.
    pub fn is_any(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Those that are there now, the one named as `first` before the others.
    pub fn now(&self, first: Option<&Address>) -> VecDeque<Address> {
        let found: Vec<Address> = if self.is_any() {
            let mut ways: Vec<_> = listed().into_iter().flat_map(|it| it.ways).collect();
            // A board that is reached by its vendor interface need not be asked by its serial port as well.
            ways.sort_by_key(|way| matches!(way, Address::Serial(_)));
            ways
        } else {
            let boards = if self.has_usb() { usb::boards() } else { Vec::new() };
            self.patterns
                .iter()
                .flat_map(|pattern| pattern.now(&boards))
                .collect()
        };
        let mut all: VecDeque<Address> = VecDeque::new();
        for address in found {
            if !all.contains(&address) {
                all.push_back(address);
            }
        }
        let is_first = |address: &Address| first.is_some_and(|first| address.is_named_as(first));
        if let Some(at) = all.iter().position(is_first)
            && let Some(address) = all.remove(at)
        {
            all.push_front(address);
        }
        all
    }

    /// That each name of a USB device means one board at most: the wrong one must not be updated.
    ///
    /// # Errors
    /// The boards of a name that means several.
    pub(crate) fn each_means_one(&self) -> Result<(), SeveralBoards> {
        let boards = if self.has_usb() { usb::boards() } else { Vec::new() };
        let usb = self
            .patterns
            .iter()
            .filter(|pattern| matches!(pattern, Pattern::Usb { .. }));
        let several = usb
            .map(|pattern| pattern.now(&boards))
            .find(|found| found.len() > 1);
        several.map_or(Ok(()), |found| Err(SeveralBoards(found)))
    }

    fn has_usb(&self) -> bool {
        self.patterns
            .iter()
            .any(|pattern| matches!(pattern, Pattern::Usb { .. }))
    }

    /// The names and patterns, as they were given.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_the_ports_that_are_there_in_the_order_given() {
        let folder = std::env::temp_dir().join(format!("bootlace-ports-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok();
        let path = |name: &str| folder.join(name);
        for name in ["tty1", "tty2", "other"] {
            std::fs::write(path(name), "").ok();
        }
        let text = |name: &str| path(name).display().to_string();
        let serial = |name: &str| Address::Serial(path(name));
        let candidates = Candidates::new(&[text("other"), text("missing"), text("tty*"), text("tty2")]);
        let candidates = candidates.unwrap();
        assert_eq!(
            candidates.now(None),
            [serial("other"), serial("tty1"), serial("tty2")]
        );
        assert_eq!(
            candidates.now(Some(&serial("tty2"))),
            [serial("tty2"), serial("other"), serial("tty1")]
        );
        std::fs::remove_file(path("tty2")).ok();
        assert_eq!(
            candidates.now(Some(&serial("tty2"))),
            [serial("other"), serial("tty1")]
        );
        std::fs::remove_dir_all(&folder).ok();
    }

    #[test]
    fn names_of_usb_devices_are_two_numbers_in_hex_and_perhaps_a_serial_number() {
        let usb = |vendor, product, serial: Option<&str>| {
            Ok(Pattern::Usb {
                numbers: (vendor, product),
                serial: serial.map(str::to_owned),
            })
        };
        assert_eq!(Pattern::read("usb:1209:0001"), usb(0x1209, 1, None));
        assert_eq!(Pattern::read("usb:2E8A:c"), usb(0x2E8A, 0xC, None));
        assert_eq!(Pattern::read("usb:1209:0001:A:B"), usb(0x1209, 1, Some("A:B")));
        for bad in [
            "usb:",
            "usb:1209",
            "usb:1209:",
            "usb:12093:1",
            "usb:+1:1",
            "usb:x:1",
            "usb:1:1:",
        ] {
            assert_eq!(Pattern::read(bad), Err(BadName(bad.into())), "{bad}");
        }
        assert_eq!(Pattern::read("COM3"), Ok(Pattern::Path("COM3".into())));
    }
}
