//! What a loader's memories are like: the text of an alternate setting (UM0424, “DFU mode: memory mapping in the interface's
//! string descriptor”), such as `@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg`.

use alloc::string::String;
use alloc::vec::Vec;

use bootlace_loader::{Unit, Units};

/// A memory of a chip, as its loader describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What the memory is called, without the spaces behind it.
    pub name: String,
    /// Its rows of sectors, in the order of the text.
    pub rows: Vec<Row>,
}

/// Sectors of one length that allow the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where they lie.
    pub units: Units,
    /// What may be done with them: bits of [`READ`], [`ERASE`] and [`WRITE`].
    pub allowed: u8,
}

/// The sectors can be read.
pub const READ: u8 = 1;
/// The sectors can be erased.
pub const ERASE: u8 = 2;
/// The sectors can be written.
pub const WRITE: u8 = 4;

impl Layout {
    /// Reads a text; `None` where it is no such text, or describes what no chip can have: sectors of no bytes, beyond the 32-bit
    /// address space, or over each other.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix('@')?.split('/');
        let name = fields.next()?.trim_end();
        let mut rows: Vec<Row> = Vec::new();
        while let Some(address) = fields.next() {
            let mut at = u64::from(hexadecimal(address.trim())?);
            for sectors in fields.next()?.split(',') {
                let row = row(u32::try_from(at).ok()?, sectors)?;
                at = row.units.end();
                let is_apart = |other: &Row| {
                    row.units.end() <= u64::from(other.units.at)
                        || other.units.end() <= u64::from(row.units.at)
                };
                if at > 1 << 32 || !rows.iter().all(is_apart) {
                    return None;
                }
                rows.push(row);
            }
        }
        (!rows.is_empty()).then(|| Layout {
            name: name.into(),
            rows,
        })
    }

    /// The sector that holds this address and can be read, erased and written.
    pub fn unit(&self, at: u32) -> Option<Unit> {
        let all = self.rows.iter().filter(|row| row.allowed == READ | ERASE | WRITE);
        all.filter_map(|row| row.units.holding(at))
            .map(|(_, unit)| unit)
            .next()
    }

    /// The first address.
    pub fn start(&self) -> Option<u32> {
        self.rows.iter().map(|row| row.units.at).min()
    }
}

fn hexadecimal(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X"))?;
    // from_str_radix takes a sign.
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(digits, 16).ok())?
}

fn decimal(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// `04*016Kg`: how many, how large each, in which measure, and what they allow.
fn row(at: u32, text: &str) -> Option<Row> {
    let (count, rest) = text.split_once('*')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (size, rest) = rest.split_at_checked(digits)?;
    let (measure, kind) = match rest.as_bytes() {
        [measure, kind] => (*measure, *kind),
        _ => return None,
    };
    let factor = match measure {
        b'K' => 1 << 10,
        b'M' => 1 << 20,
        b'B' | b' ' => 1,
        _ => return None,
    };
    // 'a' is readable, 'b' erasable, 'd' writable; the letters between and up to 'g' are sums of those.
    if !(b'a'..=b'g').contains(&kind) {
        return None;
    }
    let (count, len) = (decimal(count)?, decimal(size)?.checked_mul(factor)?);
    (count > 0 && len > 0).then_some(Row {
        units: Units { at, count, len },
        allowed: kind & 7,
    })
}
