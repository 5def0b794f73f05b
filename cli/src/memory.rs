//! `bootlace image convert|merge|crc`: what files say of a chip's memory, changed and written in another format.

use std::ops::Range;
use std::path::{Path, PathBuf};

use bootlace_engine::words::{self, Sentence, memory as says};
use bootlace_formats::memory::{END, Memory, Misplaced};
use bootlace_formats::sums::Sum;
use bootlace_formats::{Error, Format, hex, srec, uf2};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::values::{address, number};
use crate::{file, report};

/// One file in another format.
#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    /// The file: Intel HEX, S-records, UF2, ELF, or plain bytes with the address of the first: FILE@0x08000000.
    input: Input,
    #[command(flatten)]
    edits: Edits,
    #[command(flatten)]
    output: Output,
}

/// Several files become one.
#[derive(Debug, clap::Args)]
pub(crate) struct Merge {
    /// The files, as for “convert”. No two may have a byte for one address.
    #[arg(required = true, num_args = 2.., value_name = "INPUT")]
    inputs: Vec<Input>,
    #[command(flatten)]
    edits: Edits,
    #[command(flatten)]
    output: Output,
}

/// Sums of a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Crc {
    /// The file, as for “convert”; plain bytes begin at 0 where no address is said.
    input: Input,
    /// Sum this range alone, as in 0x8000..0xc000 (the end is not part of it) or 0x8000+0x4000.
    #[arg(long, value_name = "RANGE", value_parser = range)]
    over: Option<Range<u64>>,
    /// Write one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is done to the bytes, in the order of these arguments. Ranges are written as for “crc”.
#[derive(Debug, clap::Args)]
struct Edits {
    /// Move all bytes up by so many, or down: --offset=-0x8000000.
    #[arg(long, value_name = "BYTES", value_parser = signed, allow_hyphen_values = true)]
    offset: Option<i64>,
    /// Keep what lies in these ranges alone.
    #[arg(long, value_name = "RANGE", value_parser = range)]
    only: Vec<Range<u64>>,
    /// Leave out what lies in these ranges.
    #[arg(long, value_name = "RANGE", value_parser = range)]
    without: Vec<Range<u64>>,
    /// Fill the gaps in these ranges.
    #[arg(long, value_name = "RANGE", value_parser = range)]
    fill: Vec<Range<u64>>,
    /// What gaps are filled with, also in an output of plain bytes.
    #[arg(long, value_name = "BYTE", value_parser = byte, default_value = "0xff")]
    filler: u8,
    /// Write the length there, in 4 bytes: from the first byte to the last one, these 4 among them.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    length: Option<u32>,
    /// Write a sum there, in 4 bytes, as in crc32@0x0800fffc. Sums: crc32 (Ethernet, zip), mpeg2 (CRC-32/MPEG-2), stm32 (the CRC
    /// unit of an STM32: the same over words).
    #[arg(long, value_name = "SUM@ADDRESS", value_parser = sum_at)]
    crc: Option<(Sum, u32)>,
    /// What is summed; without it, all bytes but the sum's own place.
    #[arg(long, value_name = "RANGE", value_parser = range, requires = "crc")]
    over: Option<Range<u64>>,
    /// Write length and sum with the highest byte first.
    #[arg(long)]
    big_endian: bool,
}

/// Where the result goes.
#[derive(Debug, clap::Args)]
struct Output {
    /// Where to write: .bin, .hex, .srec (also .s19, .s37, .mot) or .uf2.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// For .uf2: the chips that the file is for, rp2040, nrf52840, or a number.
    #[arg(long, value_parser = family)]
    family: Option<u32>,
}

/// A file, and where its plain bytes begin.
#[derive(Clone, Debug)]
struct Input {
    path: PathBuf,
    at: Option<u32>,
}

impl std::str::FromStr for Input {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let split = text.rsplit_once('@');
        let (path, at) = match split.and_then(|(path, at)| Some((path, address(at).ok()?))) {
            Some((path, at)) => (path, Some(at)),
            None => (text, None),
        };
        Ok(Input {
            path: path.into(),
            at,
        })
    }
}

fn byte(text: &str) -> Result<u8, String> {
    number(text)?.try_into().map_err(|_| "a byte is 0 to 255".into())
}

fn signed(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    Ok(i64::from(address(digits)?) * sign)
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (start, end) = match (text.split_once(".."), text.split_once('+')) {
        (Some((start, end)), _) => (number(start)?, number(end)?),
        (None, Some((start, len))) => {
            let start = number(start)?;
            (start, start.saturating_add(number(len)?))
        }
        _ => return Err("a range is wanted, as in 0x8000..0xc000 or 0x8000+0x4000".into()),
    };
    match start < end && end <= END {
        true => Ok(start..end),
        false => Err("a range ends behind its begin, and at 0x100000000 at most".into()),
    }
}

fn sum_at(text: &str) -> Result<(Sum, u32), String> {
    let (name, at) = text.split_once('@').unwrap_or((text, ""));
    let sum = Sum::ALL.into_iter().find(|sum| sum.name() == name);
    let sum = sum.ok_or("a sum and its place are wanted, as in crc32@0x0800fffc: crc32, mpeg2 or stm32")?;
    Ok((sum, address(at)?))
}

fn family(text: &str) -> Result<u32, String> {
    match text {
        "rp2040" => Ok(uf2::RP2040),
        "nrf52840" => Ok(uf2::NRF52840),
        _ => address(text).map_err(|_| "rp2040, nrf52840 or a number is wanted".into()),
    }
}

impl Input {
    /// What the file says. `start` is where plain bytes begin if nobody says it.
    fn read(&self, start: Option<u32>) -> Result<Memory, Sentence> {
        let path = self.path.display();
        let bytes = file::read(&self.path)?;
        let format = Format::of(&bytes);
        let start = match (format, self.at) {
            (Format::Binary, at) => at.or(start).ok_or_else(|| says::no_address(&path))?,
            (_, Some(_)) => return Err(says::has_addresses(&path, format.title())),
            _ => 0,
        };
        let memory = bootlace_formats::read(&bytes, start).map_err(|error| match error {
            Error::Place(_) => says::beyond(),
            error => says::damaged(&path, format.title(), error),
        })?;
        match memory.is_empty() {
            true => Err(says::empty(path)),
            false => Ok(memory),
        }
    }
}

/// All files as one.
fn merged(inputs: &[Input]) -> Result<Memory, Sentence> {
    let mut all = Memory::default();
    for input in inputs {
        all.merge(&input.read(None)?)
            .map_err(|misplaced| match misplaced {
                Misplaced::Overlap(at) => says::overlap(input.path.display(), at),
                Misplaced::Beyond => says::beyond(),
            })?;
    }
    Ok(all)
}

impl Convert {
    pub(crate) fn run(&self) -> Result<(), Sentence> {
        write(std::slice::from_ref(&self.input), &self.edits, &self.output)
    }
}

impl Merge {
    pub(crate) fn run(&self) -> Result<(), Sentence> {
        write(&self.inputs, &self.edits, &self.output)
    }
}

fn write(inputs: &[Input], edits: &Edits, output: &Output) -> Result<(), Sentence> {
    let paths: Vec<&Path> = inputs.iter().map(|input| input.path.as_path()).collect();
    file::spare(&output.output, &paths)?;
    let memory = edits.apply(merged(inputs)?)?;
    let range = memory.range().ok_or_else(says::nothing_left)?;
    let path = output.output.as_path();
    let extension = path.extension().and_then(|extension| extension.to_str());
    let bytes = match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
        "hex" | "ihex" | "ihx" => hex::write(memory.parts()).into_bytes(),
        "srec" | "s19" | "s28" | "s37" | "mot" => srec::write(memory.parts()).into_bytes(),
        "uf2" => uf2::write_memory(&memory, output.family.ok_or_else(says::no_family)?),
        "bin" => {
            if range.end - range.start > file::LARGEST_FILE {
                return Err(says::too_far_apart(
                    range.start,
                    range.end,
                    file::LARGEST_FILE >> 20,
                ));
            }
            let gaps = range.end - range.start - memory.len();
            if gaps > 0 {
                report::warning(&says::gaps_filled(gaps, edits.filler));
            }
            memory.flat(range, edits.filler)
        }
        _ => return Err(says::no_format(path.display())),
    };
    file::write(path, &bytes)?;
    report::line(says::written(
        path.display(),
        memory.len(),
        memory.parts().count(),
    ));
    memory.parts().for_each(|(at, bytes)| show(at, bytes.len()));
    Ok(())
}

/// A line about a part.
fn show(at: u32, len: usize) {
    report::line(says::part(at, len));
}

impl Edits {
    fn apply(&self, memory: Memory) -> Result<Memory, Sentence> {
        let beyond = |_: Misplaced| says::beyond();
        let mut memory = match self.offset {
            Some(by) => memory.moved(by).map_err(beyond)?,
            None => memory,
        };
        if !self.only.is_empty() {
            let mut rest = memory.clone();
            for range in &self.only {
                rest = rest.without(range.clone());
            }
            for (at, bytes) in rest.parts() {
                memory = memory.without(u64::from(at)..u64::from(at) + bytes.len() as u64);
            }
        }
        for range in &self.without {
            memory = memory.without(range.clone());
        }
        for range in &self.fill {
            memory.fill(range.clone(), self.filler).map_err(beyond)?;
        }
        if memory.is_empty() {
            return Err(says::nothing_left());
        }
        if let Some(at) = self.length {
            memory.put(at, vec![0; 4]).map_err(beyond)?;
            let range = memory.range().unwrap_or_default();
            // All 4 GB would be a length of 33 bits: nothing that fits a chip.
            let len = (range.end - range.start) as u32;
            memory.put(at, self.ordered(len)).map_err(beyond)?;
        }
        if let Some((sum, at)) = self.crc {
            let sum = self.sum(&memory, sum, at)?;
            memory.put(at, self.ordered(sum)).map_err(beyond)?;
        }
        Ok(memory)
    }

    fn ordered(&self, number: u32) -> Vec<u8> {
        match self.big_endian {
            true => number.to_be_bytes().into(),
            false => number.to_le_bytes().into(),
        }
    }

    fn sum(&self, memory: &Memory, sum: Sum, at: u32) -> Result<u32, Sentence> {
        let place = u64::from(at)..u64::from(at) + 4;
        let summed = match &self.over {
            Some(range) => range.clone(),
            None => memory
                .without(place.clone())
                .range()
                .ok_or_else(says::nothing_left)?,
        };
        if place.start < summed.end && summed.start < place.end {
            return Err(says::sum_inside(at));
        }
        sum_of(memory, sum, summed)
    }
}

/// The sum of a range without gaps.
fn sum_of(memory: &Memory, sum: Sum, range: Range<u64>) -> Result<u32, Sentence> {
    if let Some(gap) = memory.gaps(range.clone()).first() {
        return Err(says::gap(gap.start, gap.end));
    }
    let bytes = memory.flat(range, 0);
    sum.of(&bytes).ok_or_else(|| says::no_words(bytes.len() as u64))
}

impl Crc {
    pub(crate) fn run(&self) -> Result<(), Sentence> {
        let memory = self.input.read(Some(0))?;
        let range = match &self.over {
            Some(range) => range.clone(),
            None => memory.range().unwrap_or_default(),
        };
        if let Some(gap) = memory.gaps(range.clone()).first() {
            memory.parts().for_each(|(at, bytes)| show(at, bytes.len()));
            return Err(says::gap(gap.start, gap.end));
        }
        let bytes = memory.flat(range.clone(), 0);
        let sha256 = words::hex(&sha2::Sha256::digest(&bytes));
        let sums: Vec<(&str, Option<u32>)> = (Sum::ALL.into_iter())
            .map(|sum| (sum.name(), sum.of(&bytes)))
            .collect();
        if self.json {
            let mut value = json!({ "start": range.start, "length": bytes.len(), "sha256": sha256 });
            for (name, sum) in &sums {
                value[*name] = sum.map_or(Value::Null, Value::from);
            }
            report::json(value);
        } else {
            let lines = sums.iter().filter_map(|(name, sum)| Some((*name, (*sum)?)));
            report::text(says::sums(range.start, bytes.len(), lines, &sha256));
        }
        Ok(())
    }
}
