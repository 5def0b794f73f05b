//! What a board does with its flash, and what must hold wherever the power goes.

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_delta::Method;
use bootlace_delta::make::{Options, make};
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
    /// The rest of an image arrives, of which a part is there.
    ResumedUpload,
    /// A new image arrives as a patch.
    Patch,
    /// A patch arrives again, of whose image a part is there.
    ResumedPatch,
    /// The swap to an image on trial.
    Test,
    /// The swap to an image that was confirmed beforehand.
    Permanent,
    /// The running image confirms itself; the counter follows at the next start.
    Confirm,
    /// The swap back from an image that did not confirm itself.
    Revert,
    /// The same, when it happens for the second time.
    RevertAgain,
    /// The secondary slot is erased.
    Erase,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Scenario; 10] = [
        Scenario::Upload,
        Scenario::ResumedUpload,
        Scenario::Patch,
        Scenario::ResumedPatch,
        Scenario::Test,
        Scenario::Permanent,
        Scenario::Confirm,
        Scenario::Revert,
        Scenario::RevertAgain,
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
    /// From the old to the new one; for those scenarios that have one.
    patch: Vec<u8>,
}

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Torn, Moment::After];

/// What to cut, and how thoroughly.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The shape of the flash.
    pub geometry: Geometry,
    /// What is interrupted.
    pub scenario: Scenario,
    /// How images are signed.
    pub algorithm: Algorithm,
    /// Cut at every so many operations.
    pub stride: u64,
    /// Cut again at every so many operations of the recovery; 0 for never.
    pub again: u64,
    /// Decides which parts of torn operations happen.
    pub seed: u64,
}

impl Sweep {
    /// Every operation once.
    pub fn new(geometry: Geometry, scenario: Scenario) -> Self {
        Sweep {
            geometry,
            scenario,
            algorithm: Algorithm::P256,
            stride: 1,
            again: 0,
            seed: 0,
        }
    }

    /// Cuts the power at every moment of the operations chosen.
    ///
    /// # Errors
    /// The first place where something did not hold.
    pub fn run(&self) -> Result<Count> {
        let Sweep {
            geometry, scenario, ..
        } = self;
        let key = key(self.algorithm)?;
        let pages = (geometry.slots.0 - 1).min(geometry.slots.1 - 2);
        let largest = (pages * geometry.page) as usize;
        let mut images = Images {
            old: image(geometry, &key, 1, 1, largest * 3 / 5),
            // Not a multiple of anything, and longer than the old one.
            new: image(geometry, &key, 2, 2, largest * 4 / 5 + 3),
            patch: Vec::new(),
        };
        if matches!(scenario, Scenario::Patch | Scenario::ResumedPatch) {
            images.patch = difference(&images.old.0, &images.new.0)?;
        }
        let ready =
            prepare(geometry, *scenario, &key, &images).with_context(|| format!("preparing {scenario:?}"))?;
        let mut rehearsal = ready.clone();
        let first = rehearsal.flash.operations();
        act(&mut rehearsal, *scenario, &images).with_context(|| format!("{scenario:?} without a cut"))?;
        let operations = rehearsal.flash.operations() - first;
        let act = |rig: &mut Rig| drop(act(rig, *scenario, &images));
        let mut points = 0;
        for (cut, after) in self.cuts(&ready, self.stride, &act)? {
            let where_cut = || format!("{scenario:?} on {geometry:?}, {cut:?} of {first}+{operations}");
            recover(&mut after.clone(), *scenario, &images).with_context(where_cut)?;
            points += 1;
            if self.again == 0 {
                continue;
            }
            let start = |rig: &mut Rig| {
                rig.start(Reset::PowerOn);
            };
            for (second, after) in self.cuts(&after, self.again, &start)? {
                recover(&mut { after }, *scenario, &images)
                    .with_context(|| format!("{}, then {second:?}", where_cut()))?;
                points += 1;
            }
        }
        Ok(Count { operations, points })
    }

    /// The board after each cut during `act`, with power back. What `act` comes to does not matter: what counts is
    /// what is left in flash.
    fn cuts(&self, ready: &Rig, stride: u64, act: &dyn Fn(&mut Rig)) -> Result<Vec<(Cut, Rig)>> {
        let first = ready.flash.operations();
        let mut rehearsal = ready.clone();
        act(&mut rehearsal);
        let last = rehearsal.flash.operations();
        let mut all = Vec::new();
        for at in (first..last).step_by(stride.max(1) as usize) {
            for moment in MOMENTS {
                let seed = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (at * 3 + moment as u64);
                let cut = Cut { at, moment, seed };
                let mut rig = ready.clone();
                rig.flash.cut(Some(cut));
                act(&mut rig);
                ensure!(rig.flash.is_dead(), "the cut at operation {at} did not come");
                rig.flash.revive();
                all.push((cut, rig));
            }
        }
        Ok(all)
    }
}

/// The board just before the scenario.
fn prepare(geometry: &Geometry, scenario: Scenario, key: &SigningKey, images: &Images) -> Result<Rig> {
    let mut rig = Rig::new(geometry, key, Some(&images.old.0));
    expect(&mut rig, images.old.1, false)?;
    let new = &images.new;
    match scenario {
        Scenario::Upload | Scenario::Patch => {}
        Scenario::ResumedUpload | Scenario::ResumedPatch => {
            let mut rehearsal = rig.clone();
            rehearsal.serve(|board| board.upload(&new.0))?;
            let half = (rig.flash.operations() + rehearsal.flash.operations()) / 2;
            rig.flash.cut(Some(Cut {
                at: half,
                moment: Moment::After,
                seed: 0,
            }));
            let _ = rig.serve(|board| match scenario {
                Scenario::ResumedPatch => board.patch(&images.patch),
                _ => board.upload(&new.0),
            });
            ensure!(rig.flash.is_dead(), "the upload was too short to be interrupted");
            rig.flash.revive();
        }
        Scenario::Test | Scenario::Permanent => {
            rig.serve(|board| {
                board.upload(&new.0)?;
                board.mark(new.1, scenario == Scenario::Permanent)
            })?;
        }
        Scenario::Confirm | Scenario::Revert | Scenario::RevertAgain | Scenario::Erase => {
            rig.serve(|board| {
                board.upload(&new.0)?;
                board.mark(new.1, false)
            })?;
            expect(&mut rig, new.1, true)?;
            if scenario == Scenario::Erase {
                rig.confirm()?;
                expect(&mut rig, new.1, false)?;
            }
            if scenario == Scenario::RevertAgain {
                expect(&mut rig, images.old.1, false)?;
                rig.serve(|board| board.mark(new.1, false))?;
                expect(&mut rig, new.1, true)?;
            }
        }
    }
    Ok(rig)
}

/// A patch that reads the base all the time, although the images have nothing in common.
fn difference(old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    let mut source = old;
    let image = bootlace_image::Image::read(&mut source).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let base = old
        .get(..image.covered_len() as usize)
        .context("an image shorter than it says")?;
    let options = Options {
        method: Some(Method::Plain),
        ..Options::default()
    };
    Ok(make(base, new, &options).bytes)
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
        Scenario::Upload | Scenario::ResumedUpload => rig.serve(|board| {
            board.upload(&new.0)?;
            board.mark(new.1, false)
        }),
        Scenario::Patch | Scenario::ResumedPatch => rig.serve(|board| {
            board.patch(&images.patch)?;
            board.mark(new.1, false)
        }),
        Scenario::Test => expect(rig, new.1, true),
        Scenario::Permanent => expect(rig, new.1, false),
        Scenario::Confirm => {
            rig.confirm()?;
            expect(rig, new.1, false)
        }
        Scenario::Revert | Scenario::RevertAgain => expect(rig, images.old.1, false),
        Scenario::Erase => rig.serve(|board| board.erase()),
    }
}

/// Power is back: what must hold, whatever was cut.
fn recover(rig: &mut Rig, scenario: Scenario, images: &Images) -> Result<()> {
    let (old, new) = (images.old.1, images.new.1);
    let started = rig.start(Reset::PowerOn);
    let fine = match scenario {
        // Marked or not yet: the cut may come after the mark.
        Scenario::Upload | Scenario::ResumedUpload | Scenario::Patch | Scenario::ResumedPatch => {
            started == Started::Image(old, false) || started == Started::Image(new, true)
        }
        Scenario::Test => started == Started::Image(new, true) || started == Started::Image(old, false),
        Scenario::Permanent => started == Started::Image(new, false),
        // Confirmed or not: the cut may come before the mark.
        Scenario::Confirm => started == Started::Image(new, false) || started == Started::Image(old, false),
        Scenario::Revert | Scenario::RevertAgain => started == Started::Image(old, false),
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
    // And the update can be finished: a patch by the same again, or by the image as it is.
    rig.serve(|board| {
        match scenario {
            Scenario::Patch => board.patch(&images.patch)?,
            _ => board.upload(&images.new.0)?,
        }
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
