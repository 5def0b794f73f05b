//! What is read from a linked program: the little of ELF that a chip needs.

use anyhow::{Context as _, Result, bail};

/// A linked program for a 32-bit little-endian chip.
pub(crate) struct Program {
    bytes: Vec<u8>,
}

/// A part that is loaded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where its bytes lie in flash.
    pub(crate) address: u32,
    /// Its bytes; empty for RAM that is only cleared.
    pub(crate) bytes: Vec<u8>,
    /// Where it lies when the program runs.
    pub(crate) runs_at: u32,
    /// Bytes there.
    pub(crate) size: u32,
}

/// A function or a datum.
pub(crate) struct Symbol {
    pub(crate) name: String,
    /// [`DATUM`] or [`FUNCTION`].
    kind: u8,
    pub(crate) address: u32,
    pub(crate) size: u32,
}

const SYMBOLS: u32 = 2;
const LOADED: u32 = 1;
const DATUM: u8 = 1;
const FUNCTION: u8 = 2;

impl Program {
    pub(crate) fn new(bytes: Vec<u8>) -> Result<Self> {
        // 32 bits, little-endian.
        if bytes.get(..6) != Some(&[0x7F, b'E', b'L', b'F', 1, 1]) {
            bail!("this is no program for a 32-bit chip");
        }
        Ok(Program { bytes })
    }

    fn part(&self, at: u32, len: u32) -> Result<&[u8]> {
        let (at, len) = (at as usize, len as usize);
        let end = at.checked_add(len);
        end.and_then(|end| self.bytes.get(at..end))
            .context("the program is cut off")
    }

    fn word(&self, at: u32) -> Result<u32> {
        let bytes = self.part(at, 4)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u32::from(byte)))
    }

    fn half(&self, at: u32) -> Result<u32> {
        Ok(self.word(at)? & 0xFFFF)
    }

    /// The parts that are loaded, in the order of the file.
    pub(crate) fn segments(&self) -> Result<Vec<Segment>> {
        let (table, size, count) = (self.word(28)?, self.half(42)?, self.half(44)?);
        let mut segments = Vec::new();
        for header in (0..count).map(|index| table + index * size) {
            let field = |number: u32| self.word(header + 4 * number);
            if field(0)? == LOADED && field(5)? > 0 {
                segments.push(Segment {
                    address: field(3)?,
                    bytes: self.part(field(1)?, field(4)?)?.to_vec(),
                    runs_at: field(2)?,
                    size: field(5)?,
                });
            }
        }
        Ok(segments)
    }

    /// Names of the functions that have a size.
    pub(crate) fn functions(&self) -> Result<Vec<String>> {
        let symbols = self.symbols()?.into_iter();
        let functions = symbols.filter(|symbol| symbol.kind == FUNCTION);
        Ok(functions.map(|symbol| symbol.name).collect())
    }

    /// Functions and data that have a size.
    pub(crate) fn symbols(&self) -> Result<Vec<Symbol>> {
        let (table, size, count) = (self.word(32)?, self.half(46)?, self.half(48)?);
        let section = |index: u32, field: u32| self.word(table + index * size + 4 * field);
        let mut symbols = Vec::new();
        for index in 0..count {
            if section(index, 1)? != SYMBOLS {
                continue;
            }
            let (start, len, names) = (section(index, 4)?, section(index, 5)?, section(index, 6)?);
            let names = section(names, 4)?;
            for at in (start..start + len).step_by(16) {
                let kind = self.part(at + 12, 1)?.first().copied().unwrap_or_default() & 15;
                let size = self.word(at + 8)?;
                if size > 0 && (kind == FUNCTION || kind == DATUM) {
                    let from = (names + self.word(at)?) as usize;
                    let name = self.bytes.get(from..).context("a name lies outside")?;
                    let end = name.iter().position(|&byte| byte == 0).unwrap_or_default();
                    symbols.push(Symbol {
                        name: String::from_utf8_lossy(name.get(..end).unwrap_or_default()).into_owned(),
                        kind,
                        address: self.word(at + 4)?,
                        size,
                    });
                }
            }
        }
        Ok(symbols)
    }
}

/// What a flash programmer would write, from the lowest address on; gaps are blank.
pub(crate) fn flat(segments: &[Segment]) -> (u32, Vec<u8>) {
    let filled = || segments.iter().filter(|segment| !segment.bytes.is_empty());
    let start = filled().map(|segment| segment.address).min().unwrap_or_default();
    let mut image = Vec::new();
    for segment in filled() {
        let at = (segment.address - start) as usize;
        let end = at + segment.bytes.len();
        if image.len() < end {
            image.resize(end, 0xFF);
        }
        image.splice(at..end, segment.bytes.iter().copied());
    }
    (start, image)
}

/// A program that has these functions and nothing else.
#[cfg(test)]
pub(crate) fn with_functions(names: &[&str]) -> Vec<u8> {
    const HEADER: u32 = 52;
    const SECTION: u32 = 40;
    let mut texts = vec![0];
    let mut symbols = Vec::new();
    for name in names {
        let words = [texts.len() as u32, 0, 2, u32::from(FUNCTION)];
        symbols.extend(words.into_iter().flat_map(u32::to_le_bytes));
        texts.extend(name.bytes().chain([0]));
    }
    // The table of sections, with the symbols and their names behind it.
    let at = HEADER + 2 * SECTION;
    let mut bytes = vec![0; HEADER as usize];
    bytes.splice(..6, [0x7F, b'E', b'L', b'F', 1, 1]);
    bytes.splice(32..36, HEADER.to_le_bytes());
    bytes.splice(46..50, [SECTION as u8, 0, 2, 0]);
    let len = symbols.len() as u32;
    for (kind, at, len, names) in [(SYMBOLS, at, len, 1), (3, at + len, texts.len() as u32, 0)] {
        let words = [0, kind, 0, 0, at, len, names, 0, 0, 0];
        bytes.extend(words.into_iter().flat_map(u32::to_le_bytes));
    }
    [bytes, symbols, texts].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_read_by_name() {
        let program = Program::new(with_functions(&["reset", "_ZN1a1bE"])).unwrap();
        assert_eq!(program.functions().unwrap(), ["reset", "_ZN1a1bE"]);
    }

    #[test]
    fn gaps_are_blank() {
        let segment = |address, bytes: &[u8]| Segment {
            address,
            bytes: bytes.to_vec(),
            runs_at: address,
            size: bytes.len() as u32,
        };
        let segments = [
            segment(0x104, &[3]),
            segment(0x100, &[1, 2]),
            segment(0x2000_0000, &[]),
        ];
        assert_eq!(flat(&segments), (0x100, vec![1, 2, 0xFF, 0xFF, 3]));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(Program::new(b"\x7FELF\x02\x01".to_vec()).is_err());
        assert!(
            Program::new(b"\x7FELF\x01\x01".to_vec())
                .unwrap()
                .segments()
                .is_err()
        );
    }
}
