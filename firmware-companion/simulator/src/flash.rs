//! NOR flash that fails as real flash does.
//!
//! Programming clears bits, erasing sets them again a unit at a time, a word is programmed once between erases, and
//! everything takes time. Power can be cut before, in or just after any operation; what was being written then reads
//! differently each time until it is erased, or cannot be read at all, as on flash with error correction.

mod doubt;
mod fingerprint;
mod tear;
#[cfg(test)]
mod tests;

use bootlace_core::chip::{Map, Region};
use bootlace_core::flash::{Area, Flash, FlashError, Geometry};
use bootlace_core::slots::{SlotSource, find};

use doubt::{Doubt, Noise};

/// How long operations take, in microseconds. The defaults are nRF52840's.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// One erase of 4 KB; other units in proportion.
    pub erase_4k: u64,
    /// One word of 4 bytes.
    pub word: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            erase_4k: 85_000,
            word: 41,
        }
    }
}

/// When within an operation the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of it happened.
    Before,
    /// A part of it happened, and some bits are neither.
    Torn,
    /// All of it happened, but nobody was told.
    After,
}

/// A power cut at the operation of this number, counted from 0 since the flash was made.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Number of the operation.
    pub at: u64,
    /// When within it.
    pub moment: Moment,
    /// Decides which part happened.
    pub seed: u64,
}

/// A simulated chip.
#[derive(Clone, Debug)]
pub struct NorFlash {
    address: u32,
    write: u32,
    map: Map,
    bytes: Vec<u8>,
    /// One flag a write unit: programmed since its last erase.
    programmed: Vec<bool>,
    doubt: Doubt,
    /// A torn word fails to read instead of reading unstably.
    checked: bool,
    /// A word that may read as erased is programmed without a word about it.
    silent: bool,
    noise: Noise,
    timing: Timing,
    spent: u64,
    operations: u64,
    cut: Option<Cut>,
    dead: bool,
    worn_out: Option<u64>,
    /// Bytes that can't be programmed any more.
    worn: Vec<usize>,
    changed: Vec<(usize, usize)>,
}

impl NorFlash {
    /// Erased flash that the processor sees from `address` on, programmed in units of `write` bytes.
    pub fn new(address: u32, map: Map, write: u32, timing: Timing) -> Self {
        let end = [map.primary, map.secondary, map.state]
            .into_iter()
            .chain(map.golden)
            .map(|r| r.offset + r.size)
            .max()
            .unwrap_or(0);
        NorFlash {
            address,
            write,
            map,
            bytes: vec![0xFF; end as usize],
            programmed: vec![false; (end / write) as usize],
            doubt: Doubt::default(),
            checked: false,
            silent: false,
            noise: Noise::default(),
            timing,
            spent: 0,
            operations: 0,
            cut: None,
            dead: false,
            worn_out: None,
            worn: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// Makes torn words unreadable, as flash with error correction does.
    pub fn with_error_correction(mut self) -> Self {
        self.checked = true;
        self
    }

    /// Programs torn words as if they were erased, as most chips do: what is to be 0 is so from then on, the rest is as
    /// doubtful as before. Others say that the word is not erased.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Everything, as a file would keep it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts back what [`NorFlash::bytes`] gave. Missing bytes read erased, more are ignored.
    pub fn restore(&mut self, bytes: &[u8]) {
        self.bytes.fill(0xFF);
        for (to, from) in self.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        let unit = self.write as usize;
        for (flag, word) in self.programmed.iter_mut().zip(self.bytes.chunks(unit)) {
            *flag = word.iter().any(|&byte| byte != 0xFF);
        }
        self.doubt = Doubt::default();
    }

    /// Whether a Cortex-M could start what lies in the primary slot.
    pub(crate) fn can_start(&mut self) -> bool {
        let address = self.geometry(Area::Primary).address;
        let Some(found) = find(self, Area::Primary) else {
            return false;
        };
        let mut source = SlotSource::new(self, Area::Primary, found.base);
        matches!(found.image.startable(&mut source, Some(address)), Ok(Ok(())))
    }

    /// Address and size in bytes of the slot that images run from.
    pub fn primary_slot(&self) -> (u32, u32) {
        let primary = self.geometry(Area::Primary);
        (primary.address, primary.size)
    }

    /// Writes an image into the primary slot without the companion, as a probe in the factory does.
    pub fn flash_primary(&mut self, image: &[u8]) {
        self.flash_area(Area::Primary, image);
    }

    /// Writes bytes to the start of an area without the companion.
    pub fn flash_area(&mut self, area: Area, image: &[u8]) {
        let start = self.region(area).offset as usize;
        for (to, from) in self.bytes.iter_mut().skip(start).zip(image) {
            *to = *from;
        }
        let bytes = core::mem::take(&mut self.bytes);
        self.bytes = vec![0xFF; bytes.len()];
        self.restore(&bytes);
    }

    /// Flips the lowest bit of a byte.
    pub fn flip(&mut self, area: Area, offset: u32) {
        let at = (self.region(area).offset + offset) as usize;
        if let Some(byte) = self.bytes.get_mut(at) {
            *byte ^= 1;
        }
        self.note_change(at, 1);
    }

    /// A fingerprint of all that an area says and allows, or of the whole chip; `None` where a word reads one way now and
    /// another way later. Equal ones mean equal flash: who has judged one need not judge the other.
    pub fn fingerprint(&self, area: Option<Area>) -> Option<u128> {
        let (start, end) = area.map_or((0, self.bytes.len()), |area| {
            let region = self.region(area);
            (region.offset as usize, (region.offset + region.size) as usize)
        });
        if self.doubt.is_in(start..end) {
            return None;
        }
        let unit = self.write as usize;
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        let flags = self.programmed.get(start / unit..end / unit).unwrap_or_default();
        Some(fingerprint::of(bytes, flags))
    }

    /// Erases and programs so far.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Microseconds that operations took since the last call.
    pub fn take_spent(&mut self) -> u64 {
        core::mem::take(&mut self.spent)
    }

    /// Start and length of what changed since the last call, for those who keep a copy.
    pub fn take_changed(&mut self) -> Vec<(usize, usize)> {
        core::mem::take(&mut self.changed)
    }

    /// Sets the power cut to come.
    pub fn cut(&mut self, cut: Option<Cut>) {
        self.cut = cut;
    }

    /// From the operation of this number on, erasing and programming fail, and do nothing.
    pub fn wear_out(&mut self, from: u64) {
        self.worn_out = Some(from);
    }

    /// Programming this byte fails from now on.
    pub fn wear(&mut self, area: Area, offset: u32) {
        let at = (self.region(area).offset + offset) as usize;
        self.worn.push(at);
    }

    /// The cut has come: nothing works any more.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// Power is back.
    pub fn revive(&mut self) {
        self.dead = false;
        self.cut = None;
        self.restart();
    }

    /// The board starts anew: what reads one way now may read another way from here on.
    pub fn restart(&mut self) {
        self.doubt.turn(&mut self.noise);
    }

    fn region(&self, area: Area) -> Region {
        match area {
            Area::Primary => self.map.primary,
            Area::Secondary => self.map.secondary,
            Area::State => self.map.state,
            Area::Golden => self.map.golden.unwrap_or(Region {
                offset: 0,
                size: 0,
                erase: 1,
            }),
        }
    }

    fn place(&self, area: Area, offset: u32, len: usize) -> Result<usize, FlashError> {
        let region = self.region(area);
        let end = u64::from(offset) + len as u64;
        if end > u64::from(region.size) {
            Err(FlashError::OutOfRange)
        } else {
            Ok((region.offset + offset) as usize)
        }
    }

    /// Counts an operation; says whether it is the one that is cut, and how.
    fn begin(&mut self) -> Result<Option<Cut>, FlashError> {
        if self.dead {
            return Err(FlashError::Hardware);
        }
        let number = self.operations;
        self.operations += 1;
        if self.worn_out.is_some_and(|from| number >= from) {
            return Err(FlashError::Hardware);
        }
        let Some(cut) = self.cut.filter(|cut| cut.at == number) else {
            return Ok(None);
        };
        self.dead = true;
        self.noise.stir(cut.seed);
        if cut.moment == Moment::Before {
            Err(FlashError::Hardware)
        } else {
            Ok(Some(cut))
        }
    }

    fn note_change(&mut self, at: usize, len: usize) {
        let count = self.changed.len();
        match self.changed.last_mut() {
            Some((start, size)) if *start + *size == at => *size += len,
            _ if count < 1024 => self.changed.push((at, len)),
            // Nobody seems to keep a copy: one range that covers everything will do.
            _ => self.changed = vec![(0, self.bytes.len())],
        }
    }

    /// Whole units, or a part of one.
    fn program_bytes(&mut self, at: usize, data: &[u8]) {
        let unit = self.write as usize;
        self.doubt.program(at, data);
        if let Some(bytes) = self.bytes.get_mut(at..at + data.len()) {
            for (to, from) in bytes.iter_mut().zip(data) {
                *to &= from;
            }
        }
        if let Some(flags) = self
            .programmed
            .get_mut(at / unit..(at + data.len()).div_ceil(unit))
        {
            flags.fill(true);
        }
    }

    fn erase_bytes(&mut self, at: usize, len: usize) {
        let unit = self.write as usize;
        self.doubt.end(at..at + len);
        if let Some(bytes) = self.bytes.get_mut(at..at + len) {
            bytes.fill(0xFF);
        }
        if let Some(flags) = self.programmed.get_mut(at / unit..(at + len) / unit) {
            flags.fill(false);
        }
    }
}

impl Flash for NorFlash {
    fn geometry(&self, area: Area) -> Geometry {
        let region = self.region(area);
        Geometry {
            address: self.address + region.offset,
            size: region.size,
            erase: region.erase,
            write: self.write,
        }
    }

    fn read(&mut self, area: Area, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        let at = self.place(area, offset, out.len())?;
        if let Some(bytes) = self.bytes.get(at..at + out.len()) {
            out.copy_from_slice(bytes);
        }
        self.doubt.disturb(at, out, self.checked, &mut self.noise)
    }

    fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError> {
        if area == Area::Golden {
            return Err(FlashError::OutOfRange);
        }
        let at = self.place(area, offset, data.len())?;
        let unit = self.write as usize;
        if !at.is_multiple_of(unit)
            || !data.len().is_multiple_of(unit)
            || data.len() > bootlace_core::flash::CHUNK
        {
            return Err(FlashError::Misaligned);
        }
        let words = self.programmed.get(at / unit..(at + data.len()) / unit);
        let mut written = (at..)
            .step_by(unit)
            .zip(words.unwrap_or_default())
            .filter(|(_, is)| **is);
        if written.any(|(word, _)| !self.silent || !self.doubt.is_in(word..word + unit)) {
            return Err(FlashError::NotErased);
        }
        if self.worn.iter().any(|byte| (at..at + data.len()).contains(byte)) {
            self.operations += 1;
            return Err(FlashError::Hardware);
        }
        let cut = self.begin()?;
        self.note_change(at, data.len());
        if let Some(Cut {
            moment: Moment::Torn, ..
        }) = cut
        {
            self.tear_program(at, data);
            return Err(FlashError::Hardware);
        }
        self.program_bytes(at, data);
        self.spent += self.timing.word * (data.len() as u64).div_ceil(4);
        if cut.is_some() {
            Err(FlashError::Hardware)
        } else {
            Ok(())
        }
    }

    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        let len = self.region(area).erase;
        if area == Area::Golden {
            return Err(FlashError::OutOfRange);
        }
        if !offset.is_multiple_of(len) {
            return Err(FlashError::Misaligned);
        }
        let at = self.place(area, offset, len as usize)?;
        let cut = self.begin()?;
        self.note_change(at, len as usize);
        if let Some(Cut {
            moment: Moment::Torn, ..
        }) = cut
        {
            self.tear_erase(at, len as usize);
            return Err(FlashError::Hardware);
        }
        self.erase_bytes(at, len as usize);
        self.spent += self.timing.erase_4k * u64::from(len) / 4096;
        if cut.is_some() {
            Err(FlashError::Hardware)
        } else {
            Ok(())
        }
    }
}
