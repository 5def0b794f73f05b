//! The slots' trailers in flash: read as they are, written one flash operation at a time.

use bootlace_image::Source;
use bootlace_image::trailer::{Flag, SwapType, Trailer, TrailerLayout, Write, decide};

use crate::flash::{Area, Flash, FlashError, is_blank};
use crate::layout::Layout;
use crate::state::{State, SwapKind};

impl From<SwapKind> for SwapType {
    fn from(kind: SwapKind) -> Self {
        match kind {
            SwapKind::Test => SwapType::Test,
            SwapKind::Permanent => SwapType::Permanent,
            SwapKind::Revert => SwapType::Revert,
        }
    }
}

/// MCUboot's maximum alignment for both slots: what its applications were built with.
fn trailer_layout<F: Flash>(flash: &F) -> TrailerLayout {
    let write = flash
        .geometry(Area::Primary)
        .write
        .max(flash.geometry(Area::Secondary).write);
    TrailerLayout::new(write.max(8)).unwrap_or_default()
}

/// A whole slot, trailer included.
struct Slot<'f, F>(&'f mut F, Area);

impl<F: Flash> Source for Slot<'_, F> {
    type Error = FlashError;

    fn len(&self) -> u32 {
        self.0.geometry(self.1).size
    }

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        self.0.read(self.1, offset, out)
    }
}

/// Both trailers.
#[derive(Clone, Copy, Debug)]
pub struct Trailers {
    /// The primary slot's.
    pub primary: Trailer,
    /// The secondary slot's.
    pub secondary: Trailer,
}

impl Trailers {
    /// Reads both. A field that cannot be read was torn while being written.
    pub fn read<F: Flash>(flash: &mut F) -> Self {
        let layout = trailer_layout(flash);
        Trailers {
            primary: Trailer::read_lenient(layout, &mut Slot(flash, Area::Primary)),
            secondary: Trailer::read_lenient(layout, &mut Slot(flash, Area::Secondary)),
        }
    }

    /// MCUboot's decision.
    pub fn decision(&self) -> SwapType {
        decide(&self.primary, &self.secondary)
    }
}

/// Whether the primary slot's image has yet to confirm itself.
///
/// The records have the last word: a torn confirmation may read as set once and not the next time. Where there are
/// none, another bootloader started the image, and the trailer alone counts.
pub fn is_on_trial<F: Flash>(flash: &mut F, state: &State) -> bool {
    // Whatever waits in the secondary slot.
    let decision = |flash| decide(&Trailers::read(flash).primary, &Trailer::ERASED);
    (state.trial.is_some() || !state.recorded) && decision(flash) == SwapType::Revert
}

/// What a trailer is to say.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// The swap it is about.
    pub swap: SwapType,
    /// The swap is complete.
    pub copy_done: bool,
    /// The image is confirmed.
    pub image_ok: bool,
}

/// A trailer being written: the unit is erased, then each field, the magic last.
#[derive(Clone, Copy, Debug)]
pub struct TrailerWrite {
    area: Area,
    fields: Option<Fields>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Bytes of the trailer's unit that are erased.
    Erase(u32),
    SwapInfo,
    CopyDone,
    ImageOk,
    Magic,
    Done,
}

impl TrailerWrite {
    /// Erases the trailer and writes it anew. Always erases: what a torn trailer reads as proves nothing.
    pub fn new(area: Area, fields: Fields) -> Self {
        TrailerWrite {
            area,
            fields: Some(fields),
            stage: Stage::Erase(0),
        }
    }

    /// Marks the secondary slot. A trailer that was erased since the power came is not erased again (`fresh`); an earlier
    /// erase may have been cut, and what it left reads as erased only for now.
    pub(crate) fn mark<F: Flash>(flash: &mut F, fields: Fields, fresh: bool) -> Self {
        let erased = fresh && Trailers::read(flash).secondary == Trailer::ERASED;
        let stage = if erased { Stage::SwapInfo } else { Stage::Erase(0) };
        TrailerWrite {
            area: Area::Secondary,
            fields: Some(fields),
            stage,
        }
    }

    /// Erases the trailer.
    pub fn clear(area: Area) -> Self {
        TrailerWrite {
            area,
            fields: None,
            stage: Stage::Erase(0),
        }
    }

    /// Does one flash operation; true when the trailer is complete.
    ///
    /// # Errors
    /// The flash's own.
    pub fn step<F: Flash>(&mut self, flash: &mut F) -> Result<bool, FlashError> {
        let layout = trailer_layout(flash);
        if let Stage::Erase(done) = self.stage {
            let layout = Layout::of(flash);
            let unit = layout.unit(flash);
            let at = layout.image_end(flash, self.area) + done;
            let erase = flash.geometry(self.area).erase;
            flash.erase(self.area, at)?;
            // Flash that is write-protected may ignore the command without a word.
            if !is_blank(flash, self.area, at, erase) {
                return Err(FlashError::Hardware);
            }
            let done = done + erase;
            self.stage = if done < unit {
                Stage::Erase(done)
            } else {
                Stage::SwapInfo
            };
            return Ok(done >= unit && self.fields.is_none());
        }
        let Some(fields) = self.fields else {
            return Ok(true);
        };
        let (write, next) = match self.stage {
            Stage::Erase(_) | Stage::SwapInfo => {
                let next = match fields {
                    Fields { copy_done: true, .. } => Stage::CopyDone,
                    Fields { image_ok: true, .. } => Stage::ImageOk,
                    _ => Stage::Magic,
                };
                (layout.write_swap_info(fields.swap, 0), next)
            }
            Stage::CopyDone => (
                layout.write_flag(Flag::CopyDone),
                if fields.image_ok {
                    Stage::ImageOk
                } else {
                    Stage::Magic
                },
            ),
            Stage::ImageOk => (layout.write_flag(Flag::ImageOk), Stage::Magic),
            Stage::Magic => (layout.write_magic(), Stage::Done),
            Stage::Done => return Ok(true),
        };
        self.stage = match program(flash, self.area, &write) {
            Ok(()) => next,
            // It looked erased, but a power cut had left it half so.
            Err(FlashError::NotErased) => Stage::Erase(0),
            Err(error) => return Err(error),
        };
        Ok(false)
    }
}

/// Confirms the running image: one write of `image_ok` into the primary slot's trailer.
///
/// # Errors
/// The flash's own.
pub fn confirm<F: Flash>(flash: &mut F) -> Result<(), FlashError> {
    let write = trailer_layout(flash).write_flag(Flag::ImageOk);
    program(flash, Area::Primary, &write)
}

fn program<F: Flash>(flash: &mut F, area: Area, write: &Write) -> Result<(), FlashError> {
    let at = flash
        .geometry(area)
        .size
        .checked_sub(write.from_end)
        .ok_or(FlashError::OutOfRange)?;
    flash.program(area, at, write.bytes())
}
