//! Stands in for `patch.rs` where patches are left out (without feature `delta`): no patch ever begins.

use super::file::{Fault, FileId, Output};
use crate::applier::Applier;
use crate::flash::Flash;

#[derive(Clone, Debug, Default)]
pub(super) struct PatchFile {}

impl PatchFile {
    pub(super) fn file(&self) -> Option<&FileId> {
        None
    }

    pub(super) fn received(&self) -> u32 {
        0
    }

    pub(super) fn forget(&mut self) {}

    pub(super) fn open<F: Flash>(
        &mut self,
        _: &mut F,
        _: &FileId,
        _: &[u8],
        _: Option<&mut Applier>,
    ) -> Result<FileId, Fault> {
        Err(Fault::NoPatches)
    }

    pub(super) fn target(&mut self, _: bool, _: Option<&mut Applier>) -> Result<FileId, Fault> {
        Err(Fault::NoPatches)
    }

    pub(super) fn advance<'p, 'd, F: Flash>(
        &mut self,
        _: &mut F,
        _: u32,
        _: impl FnOnce(u32) -> &'d [u8],
        _: Option<&'p mut Applier>,
    ) -> Result<Output<'p>, Fault> {
        Ok(Output::Lost)
    }
}
