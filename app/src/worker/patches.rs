//! Patches between what boards run and the chosen image: each is made once, for all boards that need it.

use std::rc::Rc;

use bootlace_engine::Base;
use bootlace_engine::words as say;
use wasm_bindgen_futures::spawn_local;

use super::hub::{File, Hub};
use super::{maker, store};

/// Patches that are held on to.
const MOST: usize = 8;

/// Percent between two words about how far a patch is.
const STEP: u32 = 5;

/// How it is with a patch.
#[derive(Clone, PartialEq)]
pub(super) enum Patch {
    /// It is being looked for, or made: percent.
    Making(u32),
    /// Here it is.
    Made(Rc<[u8]>),
    /// The image that it would start from was never seen here.
    Unseen,
    /// It could not be made, or would be no shorter than the image.
    None,
}

/// From which image to which; by hash.
type Between = (Vec<u8>, Vec<u8>);

/// All patches.
#[derive(Default)]
pub(super) struct Patches(Vec<(Between, Patch)>);

impl Patches {
    fn set(&mut self, between: &Between, patch: Patch) -> bool {
        let known = self.0.iter_mut().find(|(known, _)| known == between);
        known.is_some_and(|(_, old)| {
            let news = *old != patch;
            *old = patch;
            news
        })
    }

    /// How it is with this patch; from now on it is worked on.
    pub(super) fn find(&mut self, hub: &Hub, between: Between, file: &Rc<File>) -> Patch {
        if let Some((_, patch)) = self.0.iter().find(|(known, _)| *known == between) {
            return patch.clone();
        }
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((between.clone(), Patch::Making(0)));
        spawn_local(work(hub.clone(), between, file.clone()));
        Patch::Making(0)
    }

    /// Another image was seen: what could not be found may be there now. Whether anything could not.
    pub(super) fn look_again(&mut self) -> bool {
        let before = self.0.len();
        self.0.retain(|(_, patch)| *patch != Patch::Unseen);
        self.0.len() < before
    }
}

async fn work(hub: Hub, between: Between, file: Rc<File>) {
    let patch = find_and_make(&hub, &between, &file).await;
    hub.patched(|patches| patches.set(&between, patch));
}

async fn find_and_make(hub: &Hub, between: &Between, file: &Rc<File>) -> Patch {
    let kept = store::find(&say::hex(&between.0)).await;
    // What a browser kept may be damaged: the digest says.
    let base = kept
        .as_deref()
        .and_then(Base::of)
        .filter(|base| base.hash == between.0);
    let Some(base) = base else { return Patch::Unseen };
    let Some(target) = Base::of(&file.bytes) else {
        return Patch::None;
    };
    // Each step is drawn: some are enough.
    let told = |percent| hub.patched(|patches| patches.set(between, Patch::Making(percent / STEP * STEP)));
    match maker::make(base.bytes, target.whole, told).await {
        Some(patch) if patch.len() < target.whole.len() => Patch::Made(patch.into()),
        _ => Patch::None,
    }
}
