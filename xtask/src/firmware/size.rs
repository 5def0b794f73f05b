//! `cargo xtask size`: what each bootloader takes of its chip, and which crates take it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};

use super::elf::{Program, Segment, Symbol};
use crate::setup::targets;

/// What a board's bootloader may take, in bytes.
struct Budget {
    /// The board, or the name of another build of its bootloader.
    board: &'static str,
    /// Whether it takes patches.
    patches: bool,
    flash: u32,
    /// What is aimed at, where that is not reached yet; [`Budget::flash`] then only keeps what is reached.
    aim: Option<u32>,
    /// All that the chip has: what is not taken statically is the stack's.
    ram: u32,
}

const BUDGETS: [Budget; 8] = [
    Budget {
        board: "qemu-microbit",
        patches: true,
        flash: 40 * 1024,
        aim: None,
        ram: 16 * 1024,
    },
    Budget {
        board: "qemu-microbit",
        patches: false,
        flash: 35 * 1024,
        aim: None,
        ram: 16 * 1024,
    },
    // With boot2 and USB.
    Budget {
        board: "rp2040",
        patches: true,
        flash: 46 * 1024,
        aim: Some(46 * 1024),
        ram: 24 * 1024,
    },
    Budget {
        board: "nrf52840",
        patches: true,
        flash: 42 * 1024,
        aim: Some(42 * 1024),
        ram: 24 * 1024,
    },
    // The same with Ed25519 beside P-256.
    Budget {
        board: "nrf52840-ed25519",
        patches: true,
        flash: 48 * 1024,
        aim: Some(48 * 1024),
        ram: 24 * 1024,
    },
    Budget {
        board: "nrf52840-dongle",
        patches: true,
        flash: 42 * 1024,
        aim: Some(42 * 1024),
        ram: 24 * 1024,
    },
    Budget {
        board: "nrf52840-uf2",
        patches: true,
        flash: 42 * 1024,
        aim: Some(42 * 1024),
        ram: 24 * 1024,
    },
    Budget {
        board: "stm32f407",
        patches: true,
        flash: 45 * 1024,
        aim: Some(46 * 1024),
        ram: 24 * 1024,
    },
];

/// What a bootloader of a Cortex-M4 takes of flash, in bytes, with small P-256, swap, journal and patches, without its USB
/// stack and its registers.
const CORTEX_M4: Budget = Budget {
    board: "thumbv7em-none-eabihf without USB",
    patches: true,
    flash: 34 * 1024,
    aim: Some(34 * 1024),
    ram: 16 * 1024,
};

/// How many crates are named.
const LARGEST: usize = 8;
/// RAM of Cortex-M starts here; everything below is flash.
const RAM: u32 = 0x2000_0000;

struct Size {
    flash: u32,
    ram: u32,
    /// Bytes of flash by crate, the largest first.
    crates: Vec<(String, u32)>,
}

/// How the sizes stand.
pub(crate) struct Verdict {
    /// All are within their budgets.
    pub(crate) are_kept: bool,
    /// All have reached what is aimed at as well.
    pub(crate) have_reached: bool,
}

/// Prints the sizes and says how they stand.
pub(crate) fn print(json: bool) -> Result<Verdict> {
    let folder = super::build()?;
    let (mut are_kept, mut have_reached, mut boards) = (true, true, Vec::new());
    for budget in BUDGETS.iter().chain([&CORTEX_M4]) {
        let bytes = if budget.board == CORTEX_M4.board {
            let path = super::link_small_bootloader(targets::CORTEX_M4)?;
            fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?
        } else if budget.patches {
            let path = folder.join(budget.board).with_extension("elf");
            fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?
        } else {
            super::without_patches(budget.board)?
        };
        let program = Program::new(bytes)?;
        let size = Size::new(&program.segments()?, &program.symbols()?);
        are_kept &= size.flash <= budget.flash && size.ram <= budget.ram;
        have_reached &= budget.aim.is_none_or(|aim| size.flash <= aim);
        if json {
            boards.push(size.json(budget));
        } else {
            size.print(budget);
        }
    }
    for decoder in super::decoder::sizes()? {
        are_kept &= decoder.is_within();
        if json {
            boards.push(decoder.json());
        } else {
            decoder.print();
        }
    }
    if json {
        println!("[{}]", boards.join(","));
    }
    Ok(Verdict {
        are_kept,
        have_reached: are_kept && have_reached,
    })
}

impl Size {
    fn new(segments: &[Segment], symbols: &[Symbol]) -> Self {
        let in_ram = |address: u32| address >= RAM;
        let mut crates = BTreeMap::<String, u32>::new();
        for symbol in symbols.iter().filter(|symbol| !in_ram(symbol.address)) {
            *crates.entry(crate_of(&symbol.name)).or_default() += symbol.size;
        }
        let mut crates: Vec<(String, u32)> = crates.into_iter().collect();
        crates.sort_by_key(|(_, size)| core::cmp::Reverse(*size));
        Size {
            flash: segments.iter().map(|segment| segment.bytes.len() as u32).sum(),
            ram: segments
                .iter()
                .filter(|segment| in_ram(segment.runs_at))
                .map(|segment| segment.size)
                .sum(),
            crates,
        }
    }

    fn print(&self, budget: &Budget) {
        let kb = |bytes: u32| f64::from(bytes) / 1024.0;
        let verdict = |is: u32, may: u32| if is > may { "  TOO MUCH" } else { "" };
        let without = if budget.patches { "" } else { ", without patches" };
        println!("{}{without}", budget.board);
        println!(
            "  flash       {:5.1} KB of {:.0} KB{}",
            kb(self.flash),
            kb(budget.flash),
            verdict(self.flash, budget.flash)
        );
        if let Some(aim) = budget.aim {
            let over = self.flash.saturating_sub(aim);
            println!(
                "    aimed at  {:5.1} KB, {:.1} KB more than that",
                kb(aim),
                kb(over)
            );
        }
        println!(
            "  static RAM  {:5.1} KB of {:.0} KB{}",
            kb(self.ram),
            kb(budget.ram),
            verdict(self.ram, budget.ram)
        );
        for (name, size) in self.crates.iter().take(LARGEST) {
            println!("    {size:6}  {name}");
        }
    }

    fn json(&self, budget: &Budget) -> String {
        let crates: Vec<String> = self
            .crates
            .iter()
            .take(LARGEST)
            .map(|(name, size)| format!("{{\"name\":\"{name}\",\"flash\":{size}}}"))
            .collect();
        format!(
            "{{\"board\":\"{}\",\"patches\":{},\"flash\":{},\"flash_budget\":{},\"flash_aim\":{},\"ram\":{},\"ram_budget\":{},\"crates\":[{}]}}",
            budget.board,
            budget.patches,
            self.flash,
            budget.flash,
            budget.aim.map_or("null".to_owned(), |aim| aim.to_string()),
            self.ram,
            budget.ram,
            crates.join(",")
        )
    }
}

/// The crate that a mangled name is from: the first name in it. Names that are not mangled are assembly's or the
/// compiler's own.
fn crate_of(symbol: &str) -> String {
    let Some(mut rest) = symbol.strip_prefix("_ZN") else {
        return "(not Rust)".to_owned();
    };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let length = rest
        .get(..digits)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    rest = rest.get(digits..digits + length).unwrap_or_default();
    // An implementation names its type first: `_$LT$$RF$mut$u20$bootlace_smp..cbor..Room$u20$as$u20$...`.
    let words = rest.split(['$', '.']).map(|word| word.trim_start_matches('_'));
    let is_mark = |word: &str| {
        word.is_empty()
            || ["mut", "impl", "as"].contains(&word)
            || word.chars().next().is_some_and(char::is_uppercase)
    };
    let escape = |word: &str| {
        word.strip_prefix('u')
            .is_some_and(|rest| rest.parse::<u32>().is_ok())
    };
    words
        .filter(|word| !is_mark(word) && !escape(word))
        .map(str::to_owned)
        .next()
        .unwrap_or_else(|| "core".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_crate() {
        for (symbol, name) in [
            (
                "_ZN13bootlace_core5slots5Check3run17h0123456789abcdefE",
                "bootlace_core",
            ),
            (
                "_ZN66_$LT$bootlace_smp..img..SlotSize$u20$as$u20$bootlace_smp..cbor..Item$GT$6decode17h01E",
                "bootlace_smp",
            ),
            (
                "_ZN49_$LT$$RF$mut$u20$minicbor..Encoder$u20$as$u20$X$GT$1f17h01E",
                "minicbor",
            ),
            ("memcpy", "(not Rust)"),
        ] {
            assert_eq!(crate_of(symbol), name, "{symbol}");
        }
    }

    #[test]
    fn flash_holds_what_ram_starts_with() {
        let segment = |address, bytes: usize, runs_at, size| Segment {
            address,
            bytes: vec![0; bytes],
            runs_at,
            size,
        };
        let segments = [
            segment(0, 1000, 0, 1000),
            segment(1000, 8, 0x2000_0010, 8),
            segment(0x2000_0018, 0, 0x2000_0018, 500),
        ];
        let size = Size::new(&segments, &[]);
        assert_eq!((size.flash, size.ram), (1008, 508));
    }
}
