//! All ways in which things may be: a set of models that shrinks with what is seen, and grows with what a cut leaves open.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use bootlace_core::flash::{Area, Flash};
use bootlace_image::trailer::{Field, TrailerLayout};
use bootlace_simulator::Moment;

use crate::model::{Confirmation, How, Model, Request, Rules, Way};
use crate::rig::{Observed, Rig};
use crate::step::Step;
use crate::tape::Operation;

/// Where the fields lie whose writing decides.
#[derive(Clone, Copy, Debug)]
struct Places {
    /// Offset of the magic in the secondary slot, and the start of its erase unit.
    magic: u32,
    unit: u32,
    /// Offset of `image_ok` in the primary slot.
    image_ok: u32,
}

/// All ways in which things may be.
#[derive(Clone, Debug)]
pub struct Models {
    ways: BTreeSet<Model>,
    rules: Rules,
    places: Places,
}

impl Models {
    /// A board with the image from the factory, which it never started.
    pub fn new(rig: &Rig) -> Self {
        let (primary, secondary) = (
            rig.chip.geometry(Area::Primary),
            rig.chip.geometry(Area::Secondary),
        );
        let layout = TrailerLayout::new(primary.write.max(secondary.write).max(8)).unwrap_or_default();
        let factory = Model {
            running: 0,
            damaged: false,
            previous: None,
            trial: None,
            confirmation: Confirmation::None,
            request: None,
            counter: 0,
            given_up: None,
            last: None,
        };
        Models {
            ways: BTreeSet::from([factory]),
            rules: Rules {
                attempts: rig.board.policy.attempts,
                golden: rig.chip.geometry(Area::Golden).size > 0,
                gave_up: None,
            },
            places: Places {
                magic: secondary.size - layout.from_end(Field::Magic),
                unit: secondary.size - secondary.erase,
                image_ok: primary.size - layout.from_end(Field::ImageOk),
            },
        }
    }

    /// The ways, as a key.
    pub fn key(&self) -> Vec<Model> {
        self.ways.iter().copied().collect()
    }

    fn with(&self, ways: BTreeSet<Model>) -> Self {
        Models { ways, ..self.clone() }
    }

    /// How things were before a start that came to `observed`, and which way it went.
    fn pairs(&self, step: &Step, observed: &Observed) -> Vec<(Model, Way)> {
        let rules = Rules {
            gave_up: match step {
                Step::GaveUp(reason) => Some(reason.code()),
                _ => None,
            },
            ..self.rules
        };
        // An image's version is one more than its index.
        let last = observed
            .last
            .map(|update| (update.to.major.wrapping_sub(1), update.outcome.code()));
        let given_up = observed
            .rollback
            .map(|(reason, version)| (version.major.wrapping_sub(1), reason.code()));
        let mut pairs = Vec::new();
        for before in &self.ways {
            for way in before.start(rules) {
                let Way { started, after, .. } = &way;
                let seen =
                    *started == observed.started && after.counter == observed.counter && after.last == last;
                if seen && after.given_up == given_up {
                    pairs.push((*before, way));
                }
            }
        }
        pairs
    }

    /// After a step that nothing interrupted.
    ///
    /// # Errors
    /// What was seen, and what would have been right.
    pub fn done(&self, step: &Step, observed: Option<&Observed>, tape: &[Operation]) -> Result<Self> {
        let Some(observed) = observed else {
            let mut now = self.clone();
            for operation in tape {
                now = now.operation(step, operation, Moment::After);
            }
            if matches!(step, Step::Erase(_)) {
                // Acknowledged: whatever was in doubt is gone.
                let erased = |model: &Model| Model {
                    request: None,
                    ..*model
                };
                now.ways = now.ways.iter().map(erased).collect();
            }
            if *step == Step::Damage {
                let damage = |model: &Model| Model {
                    damaged: true,
                    ..*model
                };
                now.ways = now.ways.iter().map(damage).collect();
            }
            return Ok(now);
        };
        let pairs = self.pairs(step, observed);
        if pairs.is_empty() {
            bail!("{step:?}: {observed:?}, where it was {:?}", self.key());
        }
        Ok(self.with(pairs.into_iter().map(|(_, way)| way.after).collect()))
    }

    /// After a step that was cut at operation `at` of `tape`, which says how it would have gone on. No part of it has been
    /// seen; `observed` would have been.
    pub fn cut(
        &self,
        step: &Step,
        observed: Option<&Observed>,
        tape: &[Operation],
        at: usize,
        moment: Moment,
    ) -> Self {
        let Some(observed) = observed else {
            let mut now = self.clone();
            for operation in tape.iter().take(at) {
                now = now.operation(step, operation, Moment::After);
            }
            return tape
                .get(at)
                .map_or(now.clone(), |operation| now.operation(step, operation, moment));
        };
        // Operations that are complete.
        let done = at + usize::from(moment == Moment::After);
        let is_slot = |operation: &Operation| operation.area() != Area::State;
        let first = tape.iter().position(is_slot).unwrap_or(tape.len());
        // What is recorded before the slots are touched is decided, and a trial is counted after.
        let settled = tape.iter().rposition(is_slot).map_or(0, |last| last + 1);
        let mut ways = BTreeSet::new();
        if done < first || settled == 0 {
            // What it read may read differently the next time, records that an earlier cut tore included.
            ways.extend(&self.ways);
        }
        for (before, Way { after, how, .. }) in self.pairs(step, observed) {
            let committed = after.committed(&before);
            match how {
                // An earlier start's swap may go on first.
                How::Plain if done < settled => ways.extend([before]),
                How::Plain => ways.extend([before, after]),
                How::Swap | How::Restore if done < first => ways.extend([before, committed]),
                How::Swap if done < settled => ways.extend([committed]),
                How::Restore => {
                    // All of it may be there, and be done again: the records still speak of a trial.
                    if done < settled || before.trial.is_some() {
                        ways.insert(Model {
                            running: Model::REMAINS,
                            damaged: true,
                            ..committed
                        });
                    }
                    if done >= settled {
                        ways.extend([committed, after]);
                    }
                }
                How::Swap => ways.extend([committed, after]),
            }
        }
        self.with(ways)
    }

    /// What one operation of a step other than a start does to requests and confirmations.
    fn operation(&self, step: &Step, operation: &Operation, moment: Moment) -> Self {
        if moment == Moment::Before {
            return self.clone();
        }
        let doubtful = moment == Moment::Torn;
        let Places {
            magic,
            unit,
            image_ok,
        } = self.places;
        let covers = |offset: u32, data: &[u8], place| (offset..offset + data.len() as u32).contains(&place);
        let mut ways = BTreeSet::new();
        for mut model in self.ways.iter().copied() {
            match (operation, step) {
                (
                    Operation::Erase {
                        area: Area::Secondary,
                        offset,
                    },
                    _,
                ) if *offset == unit => {
                    let request = model.request.take().filter(|_| doubtful);
                    let doubtful = request.map(|request| Request { doubtful, ..request });
                    // The flag for good may be gone where the magic is still to be read: then it is a trial.
                    let trial = doubtful.map(|request| Request {
                        permanent: false,
                        ..request
                    });
                    ways.insert(Model {
                        request: trial,
                        ..model
                    });
                    model.request = doubtful;
                }
                (
                    Operation::Program {
                        area: Area::Secondary,
                        offset,
                        data,
                    },
                    Step::Mark { image, permanent, .. } | Step::Update { image, permanent, .. },
                ) if covers(*offset, data, magic) => {
                    model.request = Some(Request {
                        image: *image,
                        permanent: *permanent,
                        doubtful,
                    });
                }
                (
                    Operation::Program {
                        area: Area::Primary,
                        offset,
                        data,
                    },
                    _,
                ) if covers(*offset, data, image_ok) && model.trial.is_some() => {
                    model.confirmation = if doubtful {
                        Confirmation::Doubtful
                    } else {
                        Confirmation::Sure
                    };
                }
                _ => {}
            }
            ways.insert(model);
        }
        self.with(ways)
    }
}
