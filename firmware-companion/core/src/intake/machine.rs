//! The intake as a whole: which piece is due, and what is done about it.

use core::cmp::Ordering::{Equal, Greater};

use bootlace_image::Header;

use super::erase::SlotErase;
use super::file::{Fault, File, FileId, Kind, Output, Piece, Received, Step};
use super::matching::Matching;
use super::patch::PatchFile;
use super::slot::{Opened, Put, SlotWriter};
use crate::applier::Applier;
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::slots::find;
use crate::trailer::TrailerWrite;

/// What is done about a piece.
#[derive(Clone, Copy, Debug)]
enum IntakeStage {
    /// There is no piece.
    Idle,
    /// The base of a patch is compared with what the patch says of it; nothing is erased or written before.
    ProveBase,
    /// The caller is told that the slot's image goes.
    Replace,
    /// The slot's old trailer goes first: no request may outlive the image that it was made for.
    Unmark(TrailerWrite),
    /// The ledger of the file begins.
    BeginLedger,
    /// What is left of the piece is to be written; the unit that comes next was erased just now where `erased`.
    Write { erased: bool },
    /// What is in flash may be worth a mark in the ledger.
    MarkLedger,
    /// The whole image is compared with the digest that was announced.
    Match,
    /// What is in the slot is not what was announced: its ledger is erased before the end is told.
    Forget(TrailerWrite, Step),
    /// The piece is dealt with.
    End(Step),
}

/// Takes files into the secondary slot: see the [module](super).
// In this order: see `Server`.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Intake {
    /// What the piece under way belongs to.
    kind: Kind,
    stage: IntakeStage,
    erase: SlotErase,
    patch: PatchFile,
    slot: SlotWriter,
    matching: Matching,
}

impl Default for Intake {
    fn default() -> Self {
        Intake::new()
    }
}

impl Intake {
    /// No file has begun.
    pub fn new() -> Self {
        Intake {
            slot: SlotWriter::new(),
            patch: PatchFile::default(),
            matching: Matching::new(),
            erase: SlotErase::default(),
            kind: Kind::Image,
            stage: IntakeStage::Idle,
        }
    }

    /// Forgets the file.
    pub fn discard(&mut self) {
        self.slot.forget();
        self.patch.forget();
        self.stage = IntakeStage::Idle;
    }

    /// Forgets the file, and begins to erase the slot.
    pub fn begin_erase(&mut self) {
        self.discard();
        self.erase = SlotErase::default();
    }

    /// Erases at most one unit; true when the whole slot is blank.
    ///
    /// # Errors
    /// [`Fault::EraseFailed`].
    pub fn step_erase<F: Flash>(&mut self, flash: &mut F) -> Result<bool, Fault> {
        self.erase.step(flash, &mut self.slot.blank)
    }

    /// The caller is about to write the slot's trailer.
    pub fn use_trailer(&mut self) {
        self.slot.blank.trailer_written();
    }

    /// The secondary slot's trailer was erased since the power came, and holds nothing but the ledger.
    pub fn is_trailer_erased(&self) -> bool {
        self.slot.is_trailer_erased()
    }

    /// The file that the piece belongs to, if one has begun. Without its slot a patch is nothing.
    fn file(&self) -> Option<&FileId> {
        let image = self.slot.file()?;
        match self.kind {
            Kind::Image => Some(image),
            Kind::Patch => self.patch.file(),
        }
    }

    /// Bytes of it that have been received.
    fn received(&self) -> u32 {
        match self.kind {
            Kind::Image => self.slot.received(),
            Kind::Patch => self.patch.received(),
        }
    }

    /// Begins a file with its first piece, or goes on with one that was interrupted. Then [`Intake::step`] is called with
    /// the same piece until it says that the piece is dealt with.
    ///
    /// # Errors
    /// What speaks against the file; nothing has changed then.
    pub fn open<F: Flash>(
        &mut self,
        flash: &mut F,
        file: &File,
        piece: &[u8],
        patches: Option<&mut Applier>,
    ) -> Result<(), Fault> {
        if piece.len() as u64 > u64::from(file.len) {
            return Err(Fault::Overrun);
        }
        if file.kind == Kind::Image {
            if file.len > Layout::of(flash).max_image_size(flash) {
                return Err(Fault::TooLarge);
            }
            let header = piece.first_chunk().ok_or(Fault::NoHeader)?;
            let header = Header::parse(header).map_err(|_| Fault::NotAnImage)?;
            let least = if file.newer_only { Greater } else { Equal };
            if file
                .oldest
                .is_some_and(|oldest| header.version.cmp(&oldest) < least)
            {
                return Err(Fault::NotNewer);
            }
        } else if patches.is_none() {
            return Err(Fault::NoPatches);
        }
        self.kind = file.kind;
        let named = FileId {
            len: file.len,
            digest: file.digest,
        };
        self.forget_moved(flash);
        if self.file().is_some_and(|known| known.is(&named)) && self.received() > 0 {
            self.go_on();
        } else if file.kind == Kind::Image {
            self.patch.forget();
            self.open_slot(flash, &named);
        } else {
            let base = self.patch.open(flash, &named, piece, patches)?;
            self.matching.begin(Area::Primary, base);
            self.stage = IntakeStage::ProveBase;
        }
        Ok(())
    }

    /// Forgets an image that was complete: a swap has moved it since.
    fn forget_moved<F: Flash>(&mut self, flash: &mut F) {
        let whole = self
            .slot
            .file()
            .is_some_and(|file| file.len == self.slot.received());
        if whole && find(flash, Area::Secondary).is_none_or(|found| found.base != 0) {
            self.slot.forget();
        }
    }

    /// After a first piece, some of whose file is there already: the piece that is due is asked for, or what is complete is
    /// finished.
    fn go_on(&mut self) {
        let at = self.received();
        self.stage = if self.file().is_some_and(|file| file.len == at) {
            IntakeStage::Write { erased: false }
        } else {
            IntakeStage::End(done(at, None))
        };
    }

    fn open_slot<F: Flash>(&mut self, flash: &mut F, image: &FileId) {
        match self.slot.open(flash, image) {
            Opened::GoesOn if self.kind == Kind::Image => self.go_on(),
            Opened::GoesOn => self.stage = IntakeStage::Write { erased: false },
            Opened::Anew => {
                self.matching.begin_writing(*image);
                self.stage = IntakeStage::Replace;
            }
        }
    }

    /// Takes a later piece. Then [`Intake::step`] is called with it until it says that the piece is dealt with; a piece that
    /// is not due changes nothing and is answered with the one that is.
    ///
    /// # Errors
    /// [`Fault::Overrun`].
    pub fn offer(&mut self, kind: Kind, piece: &Piece) -> Result<(), Fault> {
        self.kind = kind;
        let due = self.file().map_or(0, |_| self.received());
        if piece.offset != due {
            self.stage = IntakeStage::End(done(due, None));
            return Ok(());
        }
        let left = self.file().map_or(0, |file| file.len.saturating_sub(due));
        if piece.data.len() as u64 > u64::from(left) {
            return Err(Fault::Overrun);
        }
        if kind == Kind::Image {
            self.patch.forget();
        }
        self.stage = IntakeStage::Write { erased: false };
        Ok(())
    }

    /// Does at most one erase or program, or reads back 4 KB, for the piece that was opened or offered.
    pub fn step<F: Flash>(&mut self, flash: &mut F, piece: &Piece, patches: Option<&mut Applier>) -> Step {
        let done = match &mut self.stage {
            IntakeStage::Idle => return done(self.received(), None),
            IntakeStage::ProveBase => match self.matching.step(flash) {
                None => return Step::Again,
                Some(matched) => {
                    (self.patch.target(matched, patches)).map(|image| self.open_slot(flash, &image))
                }
            },
            IntakeStage::Replace => {
                self.stage = if self.slot.blank.is_trailer() {
                    IntakeStage::BeginLedger
                } else {
                    // Erased also where it reads as blank: what a torn trailer reads as proves nothing.
                    IntakeStage::Unmark(TrailerWrite::clear(Area::Secondary))
                };
                return Step::Replaces;
            }
            IntakeStage::Unmark(write) => match write.step(flash) {
                Ok(false) => return Step::Again,
                Ok(true) => {
                    self.slot.blank.trailer_erased();
                    self.stage = IntakeStage::BeginLedger;
                    Ok(())
                }
                Err(_) => Err(Fault::EraseFailed),
            },
            IntakeStage::BeginLedger => {
                self.slot.begin_ledger(flash);
                self.stage = IntakeStage::Write { erased: false };
                Ok(())
            }
            IntakeStage::Write { erased } => {
                let erased = *erased;
                match self.kind {
                    Kind::Image => self.write(flash, piece, erased),
                    Kind::Patch => self.apply(flash, piece, erased, patches),
                }
            }
            IntakeStage::MarkLedger => {
                self.slot.mark_ledger(flash);
                self.stage = IntakeStage::Write { erased: false };
                Ok(())
            }
            IntakeStage::Match => match self.matching.step(flash) {
                None => return Step::Again,
                Some(matched) => {
                    let end = done(self.received(), Some(matched));
                    self.stage = if matched {
                        IntakeStage::End(end)
                    } else {
                        IntakeStage::Forget(TrailerWrite::clear(Area::Secondary), end)
                    };
                    Ok(())
                }
            },
            IntakeStage::Forget(write, end) => {
                // Flash that cannot be erased is told about at the next file.
                if !write.step(flash).unwrap_or(true) {
                    return Step::Again;
                }
                let end = *end;
                self.slot.forget();
                self.stage = IntakeStage::End(end);
                Ok(())
            }
            IntakeStage::End(end) => {
                let end = *end;
                self.stage = IntakeStage::Idle;
                return end;
            }
        };
        if let Err(fault) = done {
            self.slot.forget();
            self.stage = IntakeStage::End(Step::Refused(fault));
        }
        Step::Again
    }

    fn write<F: Flash>(&mut self, flash: &mut F, piece: &Piece, erased: bool) -> Result<(), Fault> {
        let rest = piece.from(self.slot.received());
        match self.slot.put(flash, &mut self.matching, rest, erased)? {
            Put::Nothing | Put::Kept | Put::Undone => self.end(),
            Put::Erased => self.stage = IntakeStage::Write { erased: true },
            Put::Written => self.stage = IntakeStage::MarkLedger,
        }
        Ok(())
    }

    fn apply<F: Flash>(
        &mut self,
        flash: &mut F,
        piece: &Piece,
        erased: bool,
        patches: Option<&mut Applier>,
    ) -> Result<(), Fault> {
        let received = self.slot.received();
        let rest = |offset| piece.from(offset);
        let output = self.patch.advance(flash, received, rest, patches)?;
        match output {
            Output::Page(bytes) => match self.slot.put(flash, &mut self.matching, bytes, erased)? {
                Put::Erased => self.stage = IntakeStage::Write { erased: true },
                Put::Written => self.stage = IntakeStage::MarkLedger,
                Put::Kept => self.stage = IntakeStage::Write { erased: false },
                // The stream can't go back: from its start, up to the unit that is to be written again.
                Put::Undone | Put::Nothing => self.restart_patch(),
            },
            Output::Working => self.stage = IntakeStage::Write { erased: false },
            Output::NeedsPiece => self.end(),
            Output::Lost => self.restart_patch(),
            Output::Spoiled(fault) => {
                let clear = TrailerWrite::clear(Area::Secondary);
                self.stage = IntakeStage::Forget(clear, Step::Refused(fault));
            }
        }
        Ok(())
    }

    fn restart_patch(&mut self) {
        self.patch.forget();
        self.stage = IntakeStage::End(done(0, None));
    }

    /// The end of a piece: at the file's end the image is compared, where there is a digest to compare it with.
    fn end(&mut self) {
        let at = self.received();
        let whole = self.file().is_some_and(|file| file.len == at);
        self.stage = match self.slot.file() {
            Some(&image) if whole && image.digest.is_some() => {
                self.matching.begin_written(image);
                IntakeStage::Match
            }
            _ => IntakeStage::End(done(at, None)),
        };
    }
}

fn done(offset: u32, matched: Option<bool>) -> Step {
    Step::Done(Received { offset, matched })
}
