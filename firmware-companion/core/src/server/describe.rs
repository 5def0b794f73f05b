//! The board says what it is.

use bootlace_image::{Algorithm as KeyKind, PublicKey, Version};
use bootlace_smp::Response;
use bootlace_smp::bootlace::{
    Algorithm, BootState, Description, Features, JournalOutcome, Key, Release, Response as Described,
    Role as Answerer, Rollback, RollbackReason, Slot, Trial,
};

use super::{Patches, Runner, Server};
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::link::{Link, Memory};
use crate::slots::find;
use crate::state::release;

/// The most keys that fit into an answer.
const MAX_KEYS: usize = 4;

impl<R: Runner> Server<'_, R> {
    #[inline(never)]
    pub(super) fn describe<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        patches: Patches,
    ) {
        let (counter, rollback) = (self.state().counter, self.state().rollback);
        let on_trial = self.is_on_trial(flash);
        let max = Layout::of(flash).max_image_size(flash);
        let slot = |number, area| {
            let shape = flash.geometry(area);
            Slot {
                slot: number,
                addr: shape.address,
                size: shape.size,
                max,
                erase: shape.erase,
                write: shape.write,
            }
        };
        let slots = [slot(0, Area::Primary), slot(1, Area::Secondary)];
        let mut keys = [Key {
            alg: Algorithm::P256,
            key: &[],
        }; MAX_KEYS];
        let count = self.board.keys.len().min(MAX_KEYS);
        for (place, key) in keys.iter_mut().zip(self.board.keys) {
            *place = Key {
                alg: algorithm(key),
                key: key.bytes(),
            };
        }
        let mut text = [0; Version::MAX_LEN];
        let permanent = if self.board.policy.permanent {
            Features::PERMANENT
        } else {
            Features(0)
        };
        let delta = if patches.is_some() {
            Features::DELTA
        } else {
            Features(0)
        };
        let (role, condition) = match self.role.condition() {
            Some(condition) => (Answerer::Bootloader, condition),
            None if on_trial => (Answerer::Application, BootState::OnTrial),
            None => (Answerer::Application, BootState::Running),
        };
        let description = Description {
            role,
            board: Some(self.board.name),
            serial: Some(self.board.serial),
            bootloader: Some(env!("CARGO_PKG_VERSION")),
            vid: self.board.vendor.as_ref(),
            cid: self.board.class.as_ref(),
            keys: keys.get(..count).unwrap_or_default().into(),
            slots: slots.as_slice().into(),
            frame: Some(link.frame() as u32),
            window: Some(link.window() as u32),
            counter: Some(counter),
            features: Features::COBS
                .and(Features::RESUME)
                .and(Features::BOOT_MODE)
                .and(Features::JOURNAL)
                .and(permanent)
                .and(delta),
            reset: Some(self.reset),
            state: Some(condition),
            rollback: rollback.map(|(reason, version)| Rollback {
                reason,
                from: Some(version.write(&mut text)),
            }),
            trial: on_trial.then(|| Trial {
                left: u32::from(self.attempts_left()),
                deadline: self
                    .is_application()
                    .then_some(u32::from(self.board.policy.deadline)),
            }),
            supply: self.supply,
            golden: golden(flash),
        };
        self.answer(link, &Response::Bootlace(Described::Describe(description)));
    }
}

impl<R: Runner> Server<'_, R> {
    /// The last updates.
    pub(super) fn journal<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F) {
        let on_trial = self.is_on_trial(flash);
        let mut journal = self.state().journal;
        if self.is_application() && !on_trial {
            // The records hear of a confirmation at the next start.
            journal.settle(JournalOutcome::Confirmed, RollbackReason::NotConfirmed);
        }
        let updates = journal.updates().into();
        self.answer(link, &Response::Bootlace(Described::Journal(updates)));
    }

    /// How often an image on trial may still be started before it is given up.
    pub fn attempts_left(&self) -> u8 {
        let attempts = self.board.policy.attempts.max(1);
        attempts.saturating_sub(self.state().trial.unwrap_or(attempts))
    }
}

/// Version of the golden image, if there is one.
fn golden<F: Flash>(flash: &mut F) -> Option<Release> {
    if cfg!(feature = "golden") && flash.geometry(Area::Golden).size > 0 {
        find(flash, Area::Golden).map(|found| release(found.image.header().version))
    } else {
        None
    }
}

fn algorithm(key: &PublicKey) -> Algorithm {
    match key.algorithm() {
        KeyKind::P256 => Algorithm::P256,
        KeyKind::Ed25519 => Algorithm::Ed25519,
    }
}
