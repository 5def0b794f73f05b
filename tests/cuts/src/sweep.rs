//! Cuts the power everywhere, and looks at what comes of it.

use std::collections::HashSet;

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_simulator::{Cut, Moment};

use crate::geometry::Geometry;
use crate::images::Images;
use crate::model::Model;
use crate::models::Models;
use crate::rig::{Observed, Rig, Started};
use crate::scenario::Scenario;
use crate::served::Through;
use crate::step::{By, Step};
use crate::tape::Operation;

/// What was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Flash operations of the scenario.
    pub operations: u64,
    /// Cuts that were made: each fired, and the board was judged afterwards.
    pub points: u64,
    /// Of these, cuts that were a second or third one.
    pub again: u64,
    /// Cuts that left flash in a state, and with a past, that had not been judged yet.
    pub distinct: u64,
}

impl Count {
    /// Both together.
    pub fn and(self, other: Count) -> Self {
        Count {
            operations: self.operations + other.operations,
            points: self.points + other.points,
            again: self.again + other.again,
            distinct: self.distinct + other.distinct,
        }
    }
}

/// How often the power is cut again during the recovery from a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Never.
    No,
    /// At every operation of the recovery, in every way.
    Everywhere,
    /// This many times anywhere, each followed by a third cut anywhere.
    Anywhere(u8),
}

/// What to cut, and how thoroughly.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The shape of the flash.
    pub geometry: Geometry,
    /// What is interrupted.
    pub scenario: Scenario,
    /// Of the writes of an image's data, one in so many is cut; all else is cut everywhere.
    pub stride: usize,
    /// So many ways in which an operation is torn.
    pub tears: u64,
    /// The cuts that follow.
    pub again: Again,
    /// Decides which parts of torn operations happen.
    pub seed: u64,
}

/// What is still to be cut during a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cuts {
    None,
    Everywhere,
    /// After this many operations, and after that so many times more.
    After(u64, u8),
}

/// What was judged: the flash, what may be so, where in the recovery, and whether it is cut again.
type Judged = (u128, Vec<Model>, Stage, bool);

/// A board that takes the next update, whatever happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// It starts until no trial is under way.
    Settle,
    /// And stays so.
    Again(u8),
    Upload(u8),
    Mark(u8),
    Swap(u8),
    Confirm(u8),
    Bump,
    Done,
}

struct Run<'a> {
    sweep: &'a Sweep,
    images: Images,
    judged: HashSet<Judged>,
    count: Count,
    noise: u64,
    /// Operations of a whole recovery, more or less.
    recovery: u64,
}

impl Sweep {
    /// Cuts the power at every moment of the operations chosen.
    ///
    /// # Errors
    /// The first place where something did not hold.
    pub fn run(&self) -> Result<Count> {
        let mut run = Run {
            sweep: self,
            images: Images::new(&self.geometry)?,
            judged: HashSet::new(),
            count: Count::default(),
            noise: self.seed,
            recovery: 1,
        };
        run.all()
            .with_context(|| format!("{} on {:?}", self.scenario.name, self.geometry))?;
        Ok(run.count)
    }
}

impl Run<'_> {
    fn random(&mut self) -> u64 {
        // splitmix64
        self.noise = self.noise.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.noise;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn all(&mut self) -> Result<()> {
        let Scenario { before, steps, .. } = &self.sweep.scenario;
        let mut rig = {
            let scenario = &self.sweep.scenario;
            Rig::new(
                &self.sweep.geometry,
                &self.images,
                scenario.policy(),
                scenario.golden,
            )
        };
        let mut models = Models::new(&rig);
        for step in before {
            rig.chip.record();
            let observed = step
                .run(&mut rig, &self.images)
                .with_context(|| format!("preparing, {step:?}"))?;
            let tape = rig.chip.take_tape();
            models = models.done(step, observed.as_ref(), &tape).context("preparing")?;
        }
        for step in steps {
            let first = rig.chip.nor.operations();
            models = self.cut_all(&mut rig, &models, step, false)?.0;
            self.count.operations += rig.chip.nor.operations() - first;
        }
        ensure!(self.count.operations > 0, "no flash operation");
        // And without any cut.
        self.recover(rig, models, Cuts::None)
    }

    /// Does a step, and cuts it everywhere.
    fn cut_all(
        &mut self,
        rig: &mut Rig,
        models: &Models,
        step: &Step,
        again: bool,
    ) -> Result<(Models, Option<Observed>)> {
        let mut before = rig.fork();
        let (tape, observed) = self.rehearse(rig, step)?;
        let tears = if again { 1 } else { self.sweep.tears };
        for (at, operation) in tape.iter().enumerate() {
            if self.is_chosen(&tape, at) {
                for way in 0..tears + 2 {
                    let moment = match way {
                        0 => Moment::Before,
                        1 => Moment::After,
                        _ => Moment::Torn,
                    };
                    let board = self.cut(&mut before, operation, moment)?;
                    let after = models.cut(step, observed.as_ref(), &tape, at, moment);
                    self.count.again += u64::from(again);
                    self.after_cut(board, after, again).with_context(|| {
                        format!("{moment:?} operation {at} of {} of {step:?}", tape.len())
                    })?;
                }
            }
            operation.apply(&mut before.chip.nor);
        }
        Ok((models.done(step, observed.as_ref(), &tape)?, observed))
    }

    fn rehearse(&self, rig: &mut Rig, step: &Step) -> Result<(Vec<Operation>, Option<Observed>)> {
        rig.chip.record();
        let observed = step
            .run(rig, &self.images)
            .with_context(|| format!("{step:?} without a cut"))?;
        Ok((rig.chip.take_tape(), observed))
    }

    /// Of long runs of data, one write in so many; everything else always.
    fn is_chosen(&self, tape: &[Operation], at: usize) -> bool {
        let is_data = |index: Option<usize>| matches!(index.and_then(|index| tape.get(index)), Some(Operation::Program { data, .. }) if data.len() > 64);
        let between = is_data(at.checked_sub(1)) && is_data(Some(at)) && is_data(Some(at + 1));
        !between || (at + self.sweep.seed as usize).is_multiple_of(self.sweep.stride)
    }

    /// The board after this cut, with power back.
    fn cut(&mut self, before: &mut Rig, operation: &Operation, moment: Moment) -> Result<Rig> {
        let mut board = before.fork();
        let nor = &mut board.chip.nor;
        let cut = Cut {
            at: nor.operations(),
            moment,
            seed: self.random(),
        };
        nor.cut(Some(cut));
        operation.apply(nor);
        ensure!(nor.is_dead(), "the cut did not come: {cut:?}");
        nor.revive();
        self.count.points += 1;
        Ok(board)
    }

    /// Power is back: the board recovers, with the cuts that are wanted.
    fn after_cut(&mut self, mut board: Rig, models: Models, again: bool) -> Result<()> {
        match self.sweep.again {
            _ if again => self.recover(board, models, Cuts::None),
            Again::No => self.recover(board, models, Cuts::None),
            Again::Everywhere => self.recover(board, models, Cuts::Everywhere),
            Again::Anywhere(times) => {
                self.recover(board.fork(), models.clone(), Cuts::None)?;
                for _ in 0..times {
                    let after = self.random() % self.recovery;
                    self.recover(board.fork(), models.clone(), Cuts::After(after, 1))?;
                }
                Ok(())
            }
        }
    }

    /// Starts the board until it is at rest, and gives it the next update.
    fn recover(&mut self, mut rig: Rig, mut models: Models, mut cuts: Cuts) -> Result<()> {
        let first = rig.chip.nor.operations();
        let (mut stage, mut fresh) = (Stage::Settle, true);
        while stage != Stage::Done {
            if !matches!(cuts, Cuts::After(..)) {
                if let Some(print) = rig.chip.nor.fingerprint(None)
                    && !self
                        .judged
                        .insert((print, models.key(), stage, cuts == Cuts::Everywhere))
                {
                    return Ok(());
                }
                self.count.distinct += u64::from(core::mem::take(&mut fresh));
            }
            let Some(step) = self.step(stage) else { break };
            let observed;
            (models, observed) = match &mut cuts {
                Cuts::Everywhere => self.cut_all(&mut rig, &models, &step, true)?,
                Cuts::None => {
                    let (tape, observed) = self.rehearse(&mut rig, &step)?;
                    (models.done(&step, observed.as_ref(), &tape)?, observed)
                }
                Cuts::After(left, times) => {
                    let mut before = rig.fork();
                    let (tape, observed) = self.rehearse(&mut rig, &step)?;
                    if let Some(operation) = tape.get(*left as usize) {
                        let at = *left as usize;
                        tape.iter()
                            .take(at)
                            .for_each(|done| done.apply(&mut before.chip.nor));
                        let moment = match self.random() % 4 {
                            0 => Moment::Before,
                            1 => Moment::After,
                            _ => Moment::Torn,
                        };
                        let mut board = self.cut(&mut before, operation, moment)?;
                        self.count.again += 1;
                        let models = models.cut(&step, observed.as_ref(), &tape, at, moment);
                        let context = || format!("again, {moment:?} operation {at} of {step:?}");
                        if let Some(times) = times.checked_sub(1) {
                            let after = self.random() % self.recovery;
                            self.recover(board.fork(), models.clone(), Cuts::After(after, times))
                                .with_context(context)?;
                        }
                        return self.recover(board, models, Cuts::None).with_context(context);
                    }
                    *left -= tape.len() as u64;
                    (models.done(&step, observed.as_ref(), &tape)?, observed)
                }
            };
            stage = next(stage, observed.as_ref())?;
        }
        self.recovery = self.recovery.max(rig.chip.nor.operations() - first);
        Ok(())
    }

    fn step(&self, stage: Stage) -> Option<Step> {
        let through = self.sweep.scenario.through;
        Some(match stage {
            Stage::Settle | Stage::Again(_) | Stage::Swap(_) | Stage::Bump => Step::Start,
            Stage::Upload(image) => Step::Upload(image, through),
            Stage::Mark(image) => Step::Mark {
                image,
                permanent: false,
                through,
            },
            Stage::Confirm(image) => Step::Confirm(match (through, image) {
                (Through::Bootloader, _) => By::Trailer,
                (Through::Application, 1) => By::AppKit,
                (Through::Application, _) => By::Request,
            }),
            Stage::Done => return None,
        })
    }
}

fn next(stage: Stage, observed: Option<&Observed>) -> Result<Stage> {
    Ok(match (stage, observed.map(|observed| observed.started)) {
        // The model counts the starts of a trial: this comes to an end.
        (Stage::Settle | Stage::Again(_), Some(Started::Image(_, true))) => Stage::Settle,
        (Stage::Settle, Some(Started::Image(..))) => Stage::Again(1),
        (Stage::Again(0), Some(Started::Image(running, false))) => Stage::Upload((running + 1).min(2)),
        (Stage::Again(left), Some(Started::Image(..))) => Stage::Again(left - 1),
        (Stage::Upload(image), None) => Stage::Mark(image),
        (Stage::Mark(image), None) => Stage::Swap(image),
        (Stage::Swap(image), Some(_)) => Stage::Confirm(image),
        (Stage::Confirm(_), None) => Stage::Bump,
        (Stage::Bump, Some(_)) => Stage::Done,
        (stage, seen) => bail!("{seen:?} at {stage:?}"),
    })
}
