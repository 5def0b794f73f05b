//! Bootloaders as files: binary, ELF, Intel HEX and UF2. What a chip gets of them can be looked at and changed in place.

/// A file, and where in it the bytes lie that a chip gets.
#[derive(Debug)]
pub(crate) struct BootloaderFile {
    file: Vec<u8>,
    /// Of each byte that the chip gets, in the file's order: its offset in the file. In Intel HEX that of its first digit.
    places: Vec<usize>,
    is_hex: bool,
}

/// Bytes of a block of UF2; its data begin behind the first 32, which say at offset 16 how many there are.
const UF2_BLOCK: usize = 512;
const UF2_HEAD: usize = 32;
const UF2_MAGIC: &[u8] = b"UF2\nWQ]\x9e";

impl BootloaderFile {
    /// Recognises a file. What is no Intel HEX and no UF2 is taken as it is: binaries, and ELF, which holds a binary's parts
    /// unaltered. `None` for Intel HEX or UF2 that is damaged.
    pub(crate) fn new(file: Vec<u8>) -> Option<Self> {
        let is_hex = file.first() == Some(&b':');
        let places = if is_hex {
            hex_places(&file)?
        } else if file.starts_with(UF2_MAGIC) {
            uf2_places(&file)?
        } else {
            (0..file.len()).collect()
        };
        Some(BootloaderFile { file, places, is_hex })
    }

    /// The bytes that the chip gets.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let byte = |&place: &usize| match self.is_hex {
            true => hex_byte(&self.file, place),
            false => self.file.get(place).copied(),
        };
        self.places.iter().filter_map(byte).collect()
    }

    /// The file, with these bytes from `at` on in what the chip gets.
    pub(crate) fn with(mut self, at: usize, bytes: &[u8]) -> Vec<u8> {
        for (&place, byte) in self.places.iter().skip(at).zip(bytes) {
            if self.is_hex {
                let digits = format!("{byte:02X}");
                put(&mut self.file, place, digits.as_bytes());
            } else {
                put(&mut self.file, place, &[*byte]);
            }
        }
        if self.is_hex {
            mend_sums(&mut self.file);
        }
        self.file
    }
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    let places = file.iter_mut().skip(at);
    places.zip(bytes).for_each(|(place, byte)| *place = *byte);
}

fn hex_byte(file: &[u8], at: usize) -> Option<u8> {
    let digits = std::str::from_utf8(file.get(at..at.checked_add(2)?)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

/// The records of Intel HEX: where each begins, and how many bytes of data it says it has.
fn records(file: &[u8]) -> Option<Vec<(usize, usize)>> {
    let colons = file.iter().enumerate().filter(|(_, byte)| **byte == b':');
    colons
        .map(|(at, _)| Some((at, usize::from(hex_byte(file, at + 1)?))))
        .collect()
}

/// Digits before a record's data: the colon, its length, its address and its kind.
const HEX_HEAD: usize = 1 + 2 + 4 + 2;

fn hex_places(file: &[u8]) -> Option<Vec<usize>> {
    let mut places = Vec::new();
    for (at, len) in records(file)? {
        let data = at + HEX_HEAD;
        // Every digit of the record, its sum included, is there, and the sum is right.
        let bytes = (at + 1..data + 2 * len + 2)
            .step_by(2)
            .map(|place| hex_byte(file, place));
        let bytes: Option<Vec<u8>> = bytes.collect();
        if bytes?.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
            return None;
        }
        const DATA: u8 = 0;
        if hex_byte(file, data - 2)? == DATA {
            places.extend((data..data + 2 * len).step_by(2));
        }
    }
    Some(places)
}

/// Puts every record's sum right.
fn mend_sums(file: &mut [u8]) {
    for (at, len) in records(file).unwrap_or_default() {
        let end = at + HEX_HEAD + 2 * len;
        let bytes = (at + 1..end).step_by(2).filter_map(|place| hex_byte(file, place));
        let sum = bytes.fold(0u8, u8::wrapping_add).wrapping_neg();
        put(file, end, format!("{sum:02X}").as_bytes());
    }
}

fn uf2_places(file: &[u8]) -> Option<Vec<usize>> {
    let mut places = Vec::new();
    for at in (0..file.len()).step_by(UF2_BLOCK) {
        let block = file.get(at..at + UF2_BLOCK)?;
        let len = u32::from_le_bytes(*block.get(16..)?.first_chunk()?) as usize;
        if !block.starts_with(UF2_MAGIC) || len > UF2_BLOCK - UF2_HEAD - 4 {
            return None;
        }
        places.extend(at + UF2_HEAD..at + UF2_HEAD + len);
    }
    Some(places)
}
