//! Patches between what boards run and the chosen image: each is made once, for all boards that need it.

use std::rc::Rc;
use std::sync::Arc;

use bootlace_engine::{Base, NoPatch, is_listed_as, worth_sending};
use wasm_bindgen_futures::spawn_local;

use super::file::File;
use super::{maker, store};

/// Patches that are held on to.
const MOST_PATCHES: usize = 8;

/// Percent between two words about how far a patch is: each is drawn.
const STEP_PERCENT: u32 = 5;

/// How it is with a patch.
#[derive(Clone, PartialEq)]
pub(super) enum Patch {
    /// It is being looked for, or made: percent.
    Making(u32),
    /// Here it is.
    Made(Arc<[u8]>),
    /// There is none, and why.
    Useless(NoPatch),
}

/// From which image to which.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Between {
    /// Hash of the image that the board runs.
    pub(super) from: Vec<u8>,
    /// Hash of the image that is wanted.
    pub(super) to: Vec<u8>,
}

/// All patches.
#[derive(Default)]
pub(super) struct Patches(Vec<(Between, Patch)>);

impl Patches {
    /// How it is with a patch, as its maker says; whether that is news.
    pub(super) fn set(&mut self, between: &Between, patch: &Patch) -> bool {
        let known = self.0.iter_mut().find(|(known, _)| known == between);
        known.is_some_and(|(_, old)| {
            let news = old != patch;
            *old = patch.clone();
            news
        })
    }

    /// How it is with this patch, which leads to `file`; from now on it is worked on, and `told` hears of it.
    pub(super) fn find(
        &mut self,
        between: Between,
        file: &Rc<File>,
        told: impl Fn(Between, Patch) + 'static,
    ) -> Patch {
        if let Some((_, patch)) = self.0.iter().find(|(known, _)| *known == between) {
            return patch.clone();
        }
        if self.0.len() >= MOST_PATCHES {
            self.0.remove(0);
        }
        self.0.push((between.clone(), Patch::Making(0)));
        let file = file.clone();
        spawn_local(async move {
            let making = |percent| {
                told(
                    between.clone(),
                    Patch::Making(percent / STEP_PERCENT * STEP_PERCENT),
                )
            };
            let patch = find_and_make(&between, &file, making).await;
            told(between.clone(), patch);
        });
        Patch::Making(0)
    }

    /// Another image was seen: what could not be found may be there now. What is to be looked for again.
    pub(super) fn look_again(&mut self) -> Vec<Between> {
        let (again, kept) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(_, patch)| *patch == Patch::Useless(NoPatch::BaseNotFound));
        self.0 = kept;
        let again: Vec<(Between, Patch)> = again;
        again.into_iter().map(|(between, _)| between).collect()
    }
}

async fn find_and_make(between: &Between, file: &Rc<File>, making: impl Fn(u32)) -> Patch {
    let kept = store::find(&between.from).await;
    // What a browser kept may be damaged: the digest says.
    let base = kept
        .as_deref()
        .and_then(Base::of)
        .filter(|base| is_listed_as(&base.hash, &between.from));
    let Some(base) = base else {
        return Patch::Useless(NoPatch::BaseNotFound);
    };
    let Some(target) = file.image.as_ref().ok().and_then(|image| image.base()) else {
        return Patch::Useless(NoPatch::NotMade);
    };
    let Some(patch) = maker::make(base.bytes, target.whole, making).await else {
        return Patch::Useless(NoPatch::NotMade);
    };
    let size = u32::try_from(target.whole.len()).unwrap_or(u32::MAX);
    match worth_sending(patch.len(), size) {
        Ok(()) => Patch::Made(patch.into()),
        Err(reason) => Patch::Useless(reason),
    }
}
