//! What a board does with its flash, and what must hold wherever the power goes.

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_image::Algorithm;
use bootlace_image::builder::SigningKey;
use bootlace_simulator::{Cut, Moment};
use bootlace_smp::bootlace::Reset;

use super::rig::{Geometry, Rig, Started, image, key};

/// What is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A new image arrives.
    Upload,
    /// The swap to an image on trial.
    Test,
    /// The swap to an image that was confirmed beforehand.
    Permanent,
    /// The running image confirms itself; the counter follows at the next start.
    Confirm,
    /// The swap back from an image that did not confirm itself.
    Revert,
    /// The secondary slot is erased.
    Erase,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Scenario; 6] = [
        Scenario::Upload,
        Scenario::Test,
        Scenario::Permanent,
        Scenario::Confirm,
        Scenario::Revert,
        Scenario::Erase,
    ];
}

/// What was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Flash operations of the scenario.
    pub operations: u64,
    /// Places where the power was cut.
    pub points: u64,
}

/// The images of a scenario.
struct Images {
    old: (Vec<u8>, [u8; 32]),
    new: (Vec<u8>, [u8; 32]),
}

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Torn, Moment::After];

/// Cuts the power at every `stride`th operation of a scenario, at every moment.
///
/// # Errors
/// The first place where something did not hold.
pub fn sweep(geometry: &Geometry, scenario: Scenario, algorithm: Algorithm, stride: u64) -> Result<Count> {
    let key = key(algorithm)?;
    let pages = (geometry.slots.0 - 1).min(geometry.slots.1 - 2);
    let largest = (pages * geometry.page) as usize;
    let images = Images {
        old: image(geometry, &key, 1, 1, largest * 3 / 5),
        // Not a multiple of anything, and longer than the old one.
        new: image(geometry, &key, 2, 2, largest * 4 / 5 + 3),
    };
    let ready =
        prepare(geometry, scenario, &key, &images).with_context(|| format!("preparing {scenario:?}"))?;
    let mut rehearsal = ready.clone();
    let first = rehearsal.flash.operations();
    act(&mut rehearsal, scenario, &images).with_context(|| format!("{scenario:?} without a cut"))?;
    let operations = rehearsal.flash.operations() - first;
    let mut points = 0;
    for number in (0..operations).step_by(stride.max(1) as usize) {
        for moment in MOMENTS {
            let cut = Cut {
                at: first + number,
                moment,
                seed: number * 3 + moment as u64,
            };
            let mut rig = ready.clone();
            rig.flash.cut(Some(cut));
            // The cut makes it fail; what counts is what is left in flash.
            let _ = act(&mut rig, scenario, &images);
            ensure!(
                rig.flash.is_dead(),
                "{scenario:?}: the cut at operation {number} did not come"
            );
            rig.flash.revive();
            recover(&mut rig, scenario, &images).with_context(|| {
                format!("{scenario:?} on {geometry:?}, operation {number} of {operations}, {moment:?}")
            })?;
            points += 1;
        }
    }
    Ok(Count { operations, points })
}

/// The board just before the scenario.
fn prepare(geometry: &Geometry, scenario: Scenario, key: &SigningKey, images: &Images) -> Result<Rig> {
    let mut rig = Rig::new(geometry, key, Some(&images.old.0));
    expect(&mut rig, images.old.1, false)?;
    let new = &images.new;
    match scenario {
        Scenario::Upload => {}
        Scenario::Test | Scenario::Permanent => {
            rig.serve(|board| {
                board.upload(&new.0)?;
                board.mark(new.1, scenario == Scenario::Permanent)
            })?;
        }
        Scenario::Confirm | Scenario::Revert | Scenario::Erase => {
            rig.serve(|board| {
                board.upload(&new.0)?;
                board.mark(new.1, false)
            })?;
            expect(&mut rig, new.1, true)?;
            if scenario == Scenario::Erase {
                rig.confirm()?;
                expect(&mut rig, new.1, false)?;
            }
        }
    }
    Ok(rig)
}

fn expect(rig: &mut Rig, hash: [u8; 32], trial: bool) -> Result<()> {
    let started = rig.start(Reset::Software);
    ensure!(started == Started::Image(hash, trial), "started {started:?}");
    Ok(())
}

/// The scenario itself.
fn act(rig: &mut Rig, scenario: Scenario, images: &Images) -> Result<()> {
    let new = &images.new;
    match scenario {
        Scenario::Upload => rig.serve(|board| {
            board.upload(&new.0)?;
            board.mark(new.1, false)
        }),
        Scenario::Test => expect(rig, new.1, true),
        Scenario::Permanent => expect(rig, new.1, false),
        Scenario::Confirm => {
            rig.confirm()?;
            expect(rig, new.1, false)
        }
        Scenario::Revert => expect(rig, images.old.1, false),
        Scenario::Erase => rig.serve(|board| board.erase()),
    }
}

/// Power is back: what must hold, whatever was cut.
fn recover(rig: &mut Rig, scenario: Scenario, images: &Images) -> Result<()> {
    let (old, new) = (images.old.1, images.new.1);
    let started = rig.start(Reset::PowerOn);
    let fine = match scenario {
        // Marked or not yet: the cut may come after the mark.
        Scenario::Upload => started == Started::Image(old, false) || started == Started::Image(new, true),
        Scenario::Test => started == Started::Image(new, true) || started == Started::Image(old, false),
        Scenario::Permanent => started == Started::Image(new, false),
        // Confirmed or not: the cut may come before the mark.
        Scenario::Confirm => started == Started::Image(new, false) || started == Started::Image(old, false),
        Scenario::Revert => started == Started::Image(old, false),
        Scenario::Erase => started == Started::Image(new, false),
    };
    ensure!(
        fine,
        "started {started:?} (old {:02x?}, new {:02x?})",
        &old[..4],
        &new[..4]
    );
    let Started::Image(running, trial) = started else {
        bail!("no image runs: {started:?}")
    };
    if trial {
        // Never confirmed: the next start goes back, and the one after that stays there.
        expect(rig, old, false).context("an unconfirmed image is reverted")?;
        expect(rig, old, false).context("and stays reverted")?;
    } else {
        expect(rig, running, false).context("what runs is not on trial, and stays")?;
    }
    let counter = rig.counter();
    ensure!(
        counter <= if running == new && !trial { 2 } else { 1 },
        "the counter is {counter}"
    );
    if running == new && !trial {
        ensure!(counter == 2, "the counter of a confirmed image is {counter}");
        // And the next image can arrive.
        return rig
            .serve(|board| board.upload(&images.new.0))
            .context("the next upload");
    }
    // And the update can be finished.
    rig.serve(|board| {
        board.upload(&images.new.0)?;
        board.mark(new, false)
    })
    .context("the update again")?;
    expect(rig, new, true)?;
    rig.confirm()?;
    expect(rig, new, false)?;
    ensure!(
        rig.counter() == 2,
        "the counter after the update is {}",
        rig.counter()
    );
    Ok(())
}
