//! Copying one unit from area to area, so that a cut copy can be done again.

use crate::flash::{Area, CHUNK, Flash, FlashError};

/// Where a unit is copied from and to: areas and offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) from: (Area, u32),
    pub(crate) to: (Area, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CopyStage {
    /// Source and target are compared first: an equal target needs no write.
    Compare,
    /// Bytes of the target that are erased.
    Erase(u32),
    /// Bytes of the target that are written.
    Program(u32),
}

/// Copies one unit, one bounded flash operation a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copy {
    route: Route,
    unit: u32,
    stage: CopyStage,
}

impl Copy {
    /// A copy of `unit` bytes. A target that may have been cut in mid-write is `suspect`: what it reads as proves nothing, so
    /// it is written even if it seems equal.
    pub(crate) fn new(route: Route, unit: u32, suspect: bool) -> Self {
        let stage = if suspect {
            CopyStage::Erase(0)
        } else {
            CopyStage::Compare
        };
        Copy { route, unit, stage }
    }

    /// Does at most one erase or program; true when the unit is complete.
    pub(crate) fn step<F: Flash>(&mut self, flash: &mut F) -> Result<bool, FlashError> {
        let (to, base) = self.route.to;
        match self.stage {
            CopyStage::Compare => {
                if self.is_equal(flash)? {
                    return Ok(true);
                }
                self.stage = CopyStage::Erase(0);
                Ok(false)
            }
            CopyStage::Erase(done) => {
                // Blank flash is erased too: a cut may have left words that read as erased for now.
                if done < self.unit {
                    flash.erase(to, base + done)?;
                    self.stage = CopyStage::Erase(done + flash.geometry(to).erase);
                } else {
                    self.stage = CopyStage::Program(0);
                }
                Ok(false)
            }
            CopyStage::Program(done) => {
                let mut at = done;
                let mut chunk = [0; CHUNK];
                while at < self.unit {
                    let len = (self.unit - at).min(CHUNK as u32);
                    let Some(part) = chunk.get_mut(..len as usize) else {
                        return Err(FlashError::OutOfRange);
                    };
                    self.read_source(flash, at, part);
                    at += len;
                    if part.iter().any(|&byte| byte != 0xFF) {
                        flash.program(to, base + at - len, part)?;
                        break;
                    }
                }
                self.stage = CopyStage::Program(at);
                if at < self.unit {
                    return Ok(false);
                }
                // Flash that ignores commands, or whose words were weaker than they looked, must not cost the source.
                if self.is_equal(flash)? {
                    Ok(true)
                } else {
                    Err(FlashError::Hardware)
                }
            }
        }
    }

    /// Reads the source. A torn word beyond the image's end must not stop the swap: it counts as erased. One within the image
    /// is found by the boot check.
    fn read_source<F: Flash>(&self, flash: &mut F, at: u32, part: &mut [u8]) {
        if flash
            .read(self.route.from.0, self.route.from.1 + at, part)
            .is_err()
        {
            part.fill(0xFF);
        }
    }

    fn is_equal<F: Flash>(&self, flash: &mut F) -> Result<bool, FlashError> {
        let (mut source, mut target) = ([0; 64], [0; 64]);
        let mut at = 0;
        while at < self.unit {
            let len = (self.unit - at).min(64) as usize;
            let (Some(source), Some(target)) = (source.get_mut(..len), target.get_mut(..len)) else {
                return Err(FlashError::OutOfRange);
            };
            self.read_source(flash, at, source);
            // What cannot be read is not equal.
            if flash.read(self.route.to.0, self.route.to.1 + at, target).is_err() || source != target {
                return Ok(false);
            }
            at += len as u32;
        }
        Ok(true)
    }
}
