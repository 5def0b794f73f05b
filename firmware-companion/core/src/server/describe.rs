//! The board says what it is.

use bootlace_image::{Algorithm as KeyKind, PublicKey, Version};
use bootlace_smp::bootlace::{
    Algorithm, BootState, Description, Features, JournalOutcome, Key, Release, Response as Described,
    Role as Answerer, Rollback, RollbackReason, Slot, Trial,
};
use bootlace_smp::{Text, os};

use super::answer::Asker;
use super::keeper::Keeper;
use super::request::Parts;
use super::role::Runner;
use crate::board::Identity;
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::slots::find;
use crate::state::release;
use crate::wire::{Limits, Wire};

/// The most keys that fit into an answer.
const MAX_KEYS: usize = 4;

/// Answers with all that an updater has to know of the board. `takes_patches`: there is memory to apply patches in.
#[inline(never)]
pub(super) fn describe<F: Flash, W: Wire, R: Runner>(
    flash: &mut F,
    wire: &mut W,
    (keeper, limits, takes_patches): (&Keeper<R>, Limits, bool),
    asker: &Asker,
) {
    let board = keeper.board;
    let (counter, rollback) = (keeper.counter(flash), keeper.state().rollback);
    let on_trial = keeper.is_on_trial(flash);
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
    let count = board.keys.len().min(MAX_KEYS);
    for (place, key) in keys.iter_mut().zip(board.keys) {
        *place = Key {
            alg: algorithm(key),
            key: key.bytes(),
        };
    }
    let mut text = [0; Version::MAX_LEN];
    let permanent = if board.policy.permanent {
        Features::PERMANENT
    } else {
        Features(0)
    };
    let delta = if takes_patches {
        Features::DELTA
    } else {
        Features(0)
    };
    let no_downgrade = if keeper.refuses_older() {
        Features::NO_DOWNGRADE
    } else {
        Features(0)
    };
    let (role, condition) = match keeper.role.condition() {
        Some(condition) => (Answerer::Bootloader, condition),
        None if on_trial => (Answerer::Application, BootState::OnTrial),
        None => (Answerer::Application, BootState::Running),
    };
    let description = Description {
        role,
        board: Some(board.name),
        serial: Some(board.serial),
        bootloader: Some(env!("CARGO_PKG_VERSION")),
        vid: board.vendor.as_ref(),
        cid: board.class.as_ref(),
        keys: keys.get(..count).unwrap_or_default().into(),
        slots: slots.as_slice().into(),
        frame: Some(limits.frame as u32),
        window: Some(limits.window as u32),
        counter: Some(counter),
        features: Features::COBS
            .and(Features::RESUME)
            .and(Features::BOOT_MODE)
            .and(Features::JOURNAL)
            .and(permanent)
            .and(no_downgrade)
            .and(delta),
        reset: Some(keeper.reset),
        state: Some(condition),
        rollback: rollback.map(|(reason, version)| Rollback {
            reason,
            from: Some(Text(version.write(&mut text))),
        }),
        trial: on_trial.then(|| Trial {
            left: u32::from(keeper.attempts_left()),
            deadline: keeper
                .is_application()
                .then_some(u32::from(board.policy.deadline)),
        }),
        supply: keeper.supply,
        golden: golden(flash),
    };
    asker.answer(wire, |message| Described::Describe(description).encode(message));
}

/// Bytes of the longest text about an application: names and serial numbers have at most 32.
const INFO: usize = 160;

/// Answers with the parts of a text about what serves this: `uname` for stock clients.
#[inline(never)]
pub(super) fn info<W: Wire>(wire: &mut W, board: &Identity, parts: Parts, asker: &Asker) {
    // Of a simulated board, the chip's.
    let machine = if cfg!(target_arch = "riscv32") {
        "riscv"
    } else {
        "arm"
    };
    let version = env!("CARGO_PKG_VERSION");
    let texts = [
        "Bootlace",
        board.serial,
        version,
        version,
        machine,
        "unknown",
        board.name,
        "Bootlace",
    ];
    let (mut text, mut len) = ([b' '; INFO], 0);
    for part in parts.of(&texts) {
        let start = if len == 0 { 0 } else { len + 1 };
        // Of equal length, which the compiler can't know: this way it has no panic to link.
        let place = text.iter_mut().skip(start);
        place.zip(part.as_bytes()).for_each(|(to, from)| *to = *from);
        len = INFO.min(start + part.len());
    }
    let text = text.get(..len).unwrap_or_default();
    asker.answer(wire, |message| os::Response::Info(Text(text)).encode(message));
}

/// Answers with the last updates.
pub(super) fn journal<F: Flash, W: Wire, R: Runner>(
    flash: &mut F,
    wire: &mut W,
    keeper: &Keeper<R>,
    asker: &Asker,
) {
    let on_trial = keeper.is_on_trial(flash);
    let mut journal = keeper.state().journal;
    if keeper.is_application() && !on_trial {
        // The records hear of a confirmation at the next start.
        journal.settle(JournalOutcome::Confirmed, RollbackReason::NotConfirmed);
    }
    let updates = journal.updates().into();
    asker.answer(wire, |message| Described::Journal(updates).encode(message));
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
        // A key that no board checks with, and so none that an updater should trust.
        _ => Algorithm::from_code(u8::MAX),
    }
}
