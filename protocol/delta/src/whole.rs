//! Applying a patch that is in memory as a whole.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::make::{Options, Patch, make_with_progress};
use crate::{Applier, DIGEST, Error, MAX_TOTAL, Memory, Step, Unreadable};

/// Why [`apply_to_vec`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WholeError {
    /// The patch can't be applied.
    Patch(Error),
    /// The patch ends too early.
    Truncated,
    /// What came out is not what the header announced.
    WrongTarget,
}

struct Slices<'a> {
    base: &'a [u8],
    target: Vec<u8>,
}

fn read(from: &[u8], offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
    let start = offset as usize;
    let bytes = from
        .get(start..start.saturating_add(out.len()))
        .ok_or(Unreadable)?;
    out.copy_from_slice(bytes);
    Ok(())
}

impl Memory for Slices<'_> {
    fn read_base(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        read(self.base, offset, out)
    }

    fn read_target(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        read(&self.target, offset, out)
    }
}

/// Applies a patch, and checks what came out against the digest that the header names.
pub fn apply_to_vec(base: &[u8], patch: &[u8]) -> Result<Vec<u8>, WholeError> {
    let mut memory = Slices {
        base,
        target: Vec::new(),
    };
    let mut applier = Box::new(Applier::new());
    let base_len = u32::try_from(base.len()).map_err(|_| WholeError::Patch(Error::WrongBase))?;
    applier.start(base_len, &Sha256::digest(base).into(), MAX_TOTAL);
    let mut rest = patch;
    loop {
        let taken = applier.feed(rest).map_err(WholeError::Patch)?;
        rest = rest.get(taken..).unwrap_or_default();
        match applier.step(&mut memory).map_err(WholeError::Patch)? {
            Step::Page { .. } => memory.target.extend_from_slice(applier.page()),
            Step::NeedInput if rest.is_empty() => return Err(WholeError::Truncated),
            Step::NeedInput => {}
            Step::Done if !rest.is_empty() => return Err(WholeError::Patch(Error::Surplus)),
            Step::Done => break,
        }
    }
    let digest = Sha256::digest(&memory.target);
    let announced = applier.header().map(|header| header.target_digest);
    if digest.get(..DIGEST) != announced.as_ref().map(|digest| digest.as_slice()) {
        return Err(WholeError::WrongTarget);
    }
    Ok(memory.target)
}

/// A patch that was made does not lead back to its target: a mistake in this crate, or images that together are longer
/// than [`MAX_TOTAL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotProved;

/// Makes a patch as [`make_with_progress`] does and applies it once, so that none leaves this machine that does not lead
/// from `base` to `target`.
///
/// # Errors
/// [`NotProved`]: send the target as a whole.
pub fn make_proved(
    base: &[u8],
    target: &[u8],
    options: &Options,
    report: &mut dyn FnMut(u32),
) -> Result<Patch, NotProved> {
    let patch = make_with_progress(base, target, options, report);
    match leads_to(base, &patch.bytes, target) {
        true => Ok(patch),
        false => Err(NotProved),
    }
}

fn leads_to(base: &[u8], patch: &[u8], target: &[u8]) -> bool {
    apply_to_vec(base, patch).is_ok_and(|made| made == target)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_patch_that_leads_elsewhere_is_not_proved() {
        let base: Vec<u8> = (0..4000u32)
            .flat_map(|word| (word * word).to_le_bytes())
            .collect();
        let mut target = base.clone();
        target.splice(5000..5002, *b"more than two");
        let patch = make_proved(&base, &target, &Options::default(), &mut |_| {});
        let Ok(patch) = patch else {
            unreachable!("a good patch is proved")
        };
        assert!(leads_to(&base, &patch.bytes, &target));
        let mut other = target.clone();
        other.push(0);
        assert!(!leads_to(&base, &patch.bytes, &other));
        assert!(!leads_to(&target, &patch.bytes, &target));
    }
}
