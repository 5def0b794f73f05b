//! The records in flash: a log that fills one erase unit, then moves to the other.
//!
//! A unit counts once its header record is complete, and the header is written last, so a cut while moving
//! leaves the old unit in force. Three rules make it safe on flash whose weak words read one way now and another way later:
//! - nothing is appended behind what an earlier start wrote: the first record of each start moves the log to a freshly
//!   erased unit, so a record that seemed absent can't come back among later ones;
//! - a swap goes on only once the log has moved: that a copy is not marked as complete counts as little as that it is;
//! - a last record that is not there twice, and a unit that was being written without a header, are doubtful: the log moves
//!   before anybody relies on it.
//!
//! Before the log leaves a unit of an earlier start, that unit is raised: it gets one more header, above the other unit's if
//! that one was being written. A header that seemed absent may read as complete while its unit is being erased, when records
//! before it are gone.
//!
//! What is left open: a single record that was appended as one weak word may be absent at one start and there at the next.
//! Whoever misses it writes it again; a swap or a restore that went on without it would not stand that, so those move the log.

use super::journal;
use super::record::{LEN, Record};
use super::summary::State;
use crate::flash::{Area, Flash, FlashError};

/// What is to be written, one flash operation at a time.
#[derive(Clone, Copy, Debug)]
enum Job {
    Idle,
    /// Append one record.
    Append(Record),
    /// Erase the other unit.
    Erase,
    /// Write the snapshot's record of this index to the other unit; after the last, its header.
    Copy(usize),
    /// Write the header of the unit in force once more.
    Seal,
    /// Write it once more, above the other unit's if that one was being written, and then erase that one.
    Raise,
}

/// The state area, opened.
#[derive(Clone, Debug)]
pub struct Log {
    unit: u32,
    generation: u32,
    next: u32,
    /// The unit in force was written by an earlier start.
    inherited: bool,
    /// This start is among those that the records count.
    counted: bool,
    job: Job,
    state: State,
}

/// What one unit holds.
struct Unit {
    generation: Option<u32>,
    /// The last two valid records are the same.
    doubled: bool,
    /// The last place that is not blank holds no valid record.
    torn: bool,
    /// First place after the last that is not blank.
    end: u32,
    state: State,
}

/// Places at a unit's end that are kept for headers: two each time that the unit is raised.
const RESERVE: u32 = 8;

fn place_size<F: Flash>(flash: &F) -> u32 {
    flash.geometry(Area::State).write.max(LEN as u32)
}

fn places<F: Flash>(flash: &F) -> u32 {
    flash.geometry(Area::State).erase / place_size(flash)
}

fn offset<F: Flash>(flash: &F, unit: u32, place: u32) -> u32 {
    unit * flash.geometry(Area::State).erase + place * place_size(flash)
}

/// How many updates a unit has room for beside everything else.
fn depth<F: Flash>(flash: &F) -> usize {
    (places(flash) / 8).min(journal::DEPTH as u32) as usize
}

impl Unit {
    fn read<F: Flash>(flash: &mut F, unit: u32) -> Self {
        let mut found = Unit {
            generation: None,
            state: State::default(),
            doubled: true,
            torn: false,
            end: 0,
        };
        let mut last = [0; LEN];
        for place in 0..places(flash) {
            let mut bytes = [0; LEN];
            let at = offset(flash, unit, place);
            // A place that cannot be read was being written when the power went.
            let readable = flash.read(Area::State, at, &mut bytes).is_ok();
            if readable && bytes == [0xFF; LEN] {
                continue;
            }
            found.end = place + 1;
            let record = Record::decode(&bytes).filter(|_| readable);
            found.torn = record.is_none();
            if let Some(record) = record {
                if let Record::Header { generation } = record {
                    found.generation = Some(generation);
                }
                found.state.apply(record);
                found.doubled = bytes == last;
                last = bytes;
            }
        }
        found
    }
}

impl Log {
    /// Reads the state area. A blank or foreign area is an empty state; nothing is written yet.
    #[inline(never)]
    pub fn mount<F: Flash>(flash: &mut F) -> Self {
        let first = Unit::read(flash, 0);
        let second = Unit::read(flash, 1);
        let newer = match (first.generation, second.generation) {
            (None, None) => {
                // Both units are dead weight: the first write goes to a freshly erased unit 0.
                return Log {
                    unit: 1,
                    generation: 0,
                    next: places(flash),
                    state: State::default(),
                    job: Job::Idle,
                    inherited: true,
                    counted: false,
                };
            }
            (Some(_), None) => 0,
            (None, Some(_)) => 1,
            // Wrapping: generations are neighbours.
            (Some(a), Some(b)) => u32::from((b.wrapping_sub(a) as i32) > 0),
        };
        let (unit, other) = if newer == 0 {
            (&first, &second)
        } else {
            (&second, &first)
        };
        // Half-written: its header may read as valid later.
        let half = other.generation.is_none() && other.end > 0;
        // What goes on with a swap writes over what a copy left, because no record says that the copy is complete: such a
        // record must not come back.
        let job = if half || unit.torn || !unit.doubled || unit.state.swap.is_some() {
            Job::Raise
        } else {
            Job::Idle
        };
        Log {
            unit: newer,
            // One above is what the other unit's header has, or would have. Otherwise nothing unseen is above this one, and
            // to be raised is to have its header once more, for sure.
            generation: unit
                .generation
                .unwrap_or(0)
                .wrapping_add(u32::from(half || unit.torn) * 2),
            next: unit.end + 1,
            state: State {
                recorded: true,
                ..unit.state
            },
            job,
            inherited: true,
            counted: false,
        }
    }

    /// What the records say. While [`Log::busy`], a cut may still undo the last of it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether this start has written nothing yet.
    pub(crate) fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// Something is still to be written before the state may be relied on.
    pub fn busy(&self) -> bool {
        !matches!(self.job, Job::Idle)
    }

    /// Takes a record into the state; [`Log::step`] makes it last.
    pub fn push(&mut self, record: Record) {
        self.state.starts = self.start();
        self.counted = true;
        self.state.apply(record);
        self.job = match self.job {
            Job::Idle if self.inherited => Job::Raise,
            Job::Idle => Job::Append(record),
            Job::Raise => Job::Raise,
            // Records that are made together count together: a snapshot's header makes them so.
            _ => Job::Erase,
        };
    }

    /// Number of this start among those that change the records.
    pub fn start(&self) -> u16 {
        self.state.starts.saturating_add(u16::from(!self.counted))
    }

    /// Does at most one flash operation.
    ///
    /// # Errors
    /// The flash failed in a way that moving to the other unit did not mend.
    pub fn step<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        match self.job {
            Job::Idle => Ok(()),
            Job::Append(record) => {
                if self.next + RESERVE >= places(flash) {
                    self.job = Job::Erase;
                    return Ok(());
                }
                let written = self.write(flash, self.unit, self.next, record);
                self.next += 1;
                self.job = written.map_or(Job::Erase, |()| Job::Idle);
                Ok(())
            }
            Job::Seal | Job::Raise => {
                let raises = matches!(self.job, Job::Raise);
                let header = Record::Header {
                    generation: self.generation,
                };
                let written = self.write(flash, self.unit, self.next, header);
                self.next += 1;
                // A place that can't be written is left behind, unless there is none left.
                if written.is_ok() || self.next >= places(flash) {
                    self.job = if raises { Job::Erase } else { Job::Idle };
                }
                written.or(if self.busy() { Ok(()) } else { written })
            }
            Job::Erase => {
                flash.erase(Area::State, offset(flash, 1 - self.unit, 0))?;
                self.job = Job::Copy(0);
                Ok(())
            }
            Job::Copy(index) => {
                let other = 1 - self.unit;
                let generation = self.generation.wrapping_add(1);
                let record = self.state.snapshot(index, depth(flash));
                let written = record.unwrap_or(Record::Header { generation });
                if let Err(error) = self.write(flash, other, index as u32, written) {
                    // It may have been the header, and be valid all the same.
                    self.generation = self.generation.wrapping_add(2);
                    self.job = Job::Raise;
                    return Err(error);
                }
                self.job = Job::Copy(index + 1);
                if record.is_none() {
                    (self.unit, self.generation, self.next) = (other, generation, index as u32 + 1);
                    self.state.recorded = true;
                    self.inherited = false;
                    self.job = Job::Seal;
                }
                Ok(())
            }
        }
    }

    fn write<F: Flash>(
        &self,
        flash: &mut F,
        unit: u32,
        place: u32,
        record: Record,
    ) -> Result<(), FlashError> {
        let mut padded = [0xFF; 32];
        for (to, from) in padded.iter_mut().zip(record.encode()) {
            *to = from;
        }
        let len = place_size(flash) as usize;
        if place >= places(flash) {
            // The next bytes are the other unit's.
            return Err(FlashError::OutOfRange);
        }
        let at = offset(flash, unit, place);
        flash.program(Area::State, at, padded.get(..len).ok_or(FlashError::Misaligned)?)
    }
}
