//! The flash of an STM32F407 with 1 MB (reference manual RM0090, 3.3 to 3.6; datasheet DS8626, “flash memory programming”).

use std::ops::Range;
use std::time::Duration;

/// Where it begins.
pub const START: u32 = 0x0800_0000;
/// Bytes.
pub const LEN: usize = 1 << 20;
/// Bytes of the sectors (RM0090, table 5).
pub const SECTORS: [u32; 12] = [
    16 << 10,
    16 << 10,
    16 << 10,
    16 << 10,
    64 << 10,
    128 << 10,
    128 << 10,
    128 << 10,
    128 << 10,
    128 << 10,
    128 << 10,
    128 << 10,
];

/// The flash, and what its option bytes protect.
#[derive(Clone, Debug)]
pub struct Flash {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Sectors that can't be changed, one bit each (RM0090, 3.6.4): attempts change nothing and, as loaders have it, say nothing.
    pub write_protected: u16,
    /// The chip gives nothing of its flash away (RM0090, 3.6.3, level 1).
    pub read_protected: bool,
    /// Offset of a byte whose lowest bit stays 0.
    pub stuck: Option<usize>,
    /// Sectors erased so far, in that order.
    pub erased: Vec<usize>,
    /// All of it was erased, or a protection was taken away or put on: what a first install never asks for.
    pub was_violated: bool,
    /// How many times faster than the real one it is.
    pub speed: u32,
}

impl Flash {
    /// Flash that holds these bytes and nothing behind them.
    pub fn new(bytes: &[u8]) -> Self {
        let mut all = vec![0xFF; LEN];
        all.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        Flash {
            bytes: all,
            write_protected: 0,
            read_protected: false,
            stuck: None,
            erased: Vec::new(),
            was_violated: false,
            speed: 1,
        }
    }

    /// Offsets of a sector.
    pub fn sector(number: usize) -> Option<Range<usize>> {
        let len = *SECTORS.get(number)? as usize;
        let start: u32 = SECTORS.iter().take(number).sum();
        Some(start as usize..start as usize + len)
    }

    /// The sector that holds an address.
    pub fn sector_at(address: u32) -> Option<usize> {
        let offset = address.checked_sub(START)? as usize;
        (0..SECTORS.len()).find(|number| Flash::sector(*number).is_some_and(|it| it.contains(&offset)))
    }

    fn is_protected(&self, sector: usize) -> bool {
        self.write_protected >> sector & 1 != 0
    }

    /// Erases a sector, and says how long that takes: the longest that the datasheet has, 8 bits at once, as AN2606 says of this ROM.
    pub fn erase(&mut self, sector: usize) -> Duration {
        self.erased.push(sector);
        let Some(range) = Flash::sector(sector) else {
            return Duration::ZERO;
        };
        let millis = match range.len() >> 10 {
            16 => 800,
            64 => 2400,
            _ => 4000,
        };
        if !self.is_protected(sector)
            && let Some(bytes) = self.bytes.get_mut(range)
        {
            bytes.fill(0xFF);
        }
        self.stick();
        Duration::from_millis(millis) / self.speed
    }

    /// Programs bytes, which only clears bits, and says how long that takes: 100 µs each at most.
    pub fn program(&mut self, address: u32, bytes: &[u8]) -> Duration {
        for (at, byte) in (address..).zip(bytes) {
            let is_protected = Flash::sector_at(at).is_none_or(|sector| self.is_protected(sector));
            let place = self.bytes.get_mut(at.wrapping_sub(START) as usize);
            if let Some(place) = place.filter(|_| !is_protected) {
                *place &= byte;
            }
        }
        self.stick();
        Duration::from_micros(100) * bytes.len() as u32 / self.speed
    }

    /// Erases everything: what nobody asked for in a first install.
    pub fn violate(&mut self) {
        self.was_violated = true;
        self.bytes.fill(0xFF);
    }

    /// The bytes at an address, if all of them lie in flash.
    pub fn read(&self, address: u32, len: usize) -> Option<&[u8]> {
        let offset = address.checked_sub(START)? as usize;
        self.bytes.get(offset..offset.checked_add(len)?)
    }

    fn stick(&mut self) {
        if let Some(place) = self.stuck.and_then(|at| self.bytes.get_mut(at)) {
            *place &= 0xFE;
        }
    }
}
