//! What may be so, as somebody knows who only sees which operations were carried out.
//!
//! What must hold wherever the power goes:
//! - every start runs an image that was signed, whole: the old one or the new one, never a mixture and never none;
//! - a request that was acknowledged is carried out at the next start, one that was not begun never is;
//! - an image on trial runs at most as often as it may, then the one before comes back, and stays;
//! - a confirmed image is replaced by nothing but a new request;
//! - the security counter follows what is confirmed, at once and never backwards;
//! - why an image was given up is remembered until the next swap;
//! - the next update can be made.
//!
//! One thing is left open, and it is stated here exactly: **a request (or a confirmation) that was being written when the
//! power went may take effect or not, at any later start, until the next request; everything else stays.** A word that was
//! programmed for too short a time may read as erased at one start and as written at the next, on flash as it is sold.
//! No bootloader can tell such a word from an erased one, nor can it erase what it cannot see; MCUboot's magic is such a
//! word. Why this harms nobody, each part of which the model demands:
//! - before that write, the image that it asks for was verified and the old request erased: there is nothing else that the
//!   word can ask for ([`Request::image`] is what was uploaded, and an upload erases the request before its first byte);
//! - at the start where it reads as written, the image is verified again, before a record of the swap is made; that record
//!   is what counts from then on, so the word is read once and never again;
//! - a trial that begins so is a trial like any other: it is counted, the old image is kept in the other slot, and
//!   comes back if nobody confirms ([`Model::start`] goes the same way for a doubtful request and for a sure one);
//! - the host got no answer to its request, so it does not take the update for done; asking again, sending another
//!   image or erasing the slot erases the word.
//!
//! A doubtful confirmation is alike: read as set once it is recorded, and the trailer is not asked again; read as unset it is
//! as if it had not been written, so the old image may come back; it is then erased with the trailer by the swap.
//!
//! What must not pass for this: a confirmed image replaced without a request in doubt, a request that is taken twice, or
//! one that comes back after the slot was erased or written. There the set of possible models is empty, and the sweep fails.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use bootlace_core::flash::{Area, Flash};
use bootlace_image::trailer::{Field, TrailerLayout};
use bootlace_simulator::Moment;
use bootlace_smp::bootlace::{JournalOutcome, RollbackReason};

use crate::images::Images;
use crate::rig::{Observed, Rig, Started};
use crate::step::Step;
use crate::tape::Operation;

/// What the secondary slot's trailer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Request {
    /// The image that is to run.
    pub image: u8,
    /// Without a trial.
    pub permanent: bool,
    /// It was being written, or erased, when the power went.
    pub doubtful: bool,
}

/// What the primary slot's trailer says of an image on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Confirmation {
    /// Nothing.
    None,
    /// It was being confirmed when the power went.
    Doubtful,
    /// Confirmed; the next start records it.
    Sure,
}

/// One way in which things may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Model {
    running: u8,
    /// Its bytes are not what was signed.
    damaged: bool,
    /// The image in the other slot that comes back if the trial fails, and whether that one is damaged.
    previous: Option<(u8, bool)>,
    /// How often the image on trial was started.
    trial: Option<u8>,
    confirmation: Confirmation,
    request: Option<Request>,
    counter: u32,
    /// The image that was given up last, and the code of the reason.
    given_up: Option<(u8, u8)>,
    /// The journal's newest entry: which image was to run, and the code of what came of it.
    last: Option<(u8, u8)>,
}

/// How a start comes to what it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// What is there runs.
    Plain,
    /// The slots are swapped.
    Swap,
    /// The golden image is copied.
    Restore,
}

/// One way in which a start may go.
struct Way {
    started: Started,
    after: Model,
    how: How,
}

/// What a start depends on besides the state of things.
#[derive(Clone, Copy, Debug)]
struct Rules {
    attempts: u8,
    golden: bool,
    gave_up: Option<u8>,
}

impl Rules {
    /// Why an image on trial is given up, as a power-on finds it.
    fn reason(&self) -> u8 {
        self.gave_up
            .unwrap_or_else(|| RollbackReason::NotConfirmed.code())
    }
}

impl Model {
    /// What starting must come to, in every way that it may.
    fn start(&self, rules: Rules) -> Vec<Way> {
        let Some(request) = self.request else {
            return self.go_on(rules);
        };
        let mut ways = vec![self.swap(request, rules)];
        if request.doubtful {
            ways.extend(self.go_on(rules));
        }
        ways
    }

    fn swap(&self, request: Request, rules: Rules) -> Way {
        let outcome = if request.permanent {
            JournalOutcome::Confirmed
        } else {
            JournalOutcome::Trial
        };
        let swapped = Model {
            running: request.image,
            damaged: false,
            previous: Some((self.running, self.damaged)),
            trial: (!request.permanent).then_some(0),
            confirmation: Confirmation::None,
            request: None,
            counter: self.counter,
            given_up: None,
            last: Some((request.image, outcome.code())),
        };
        swapped.run(rules, How::Swap)
    }

    /// Without a new request.
    fn go_on(&self, rules: Rules) -> Vec<Way> {
        let Some(used) = self.trial else {
            return vec![self.run_or_restore(rules)];
        };
        let mut ways = Vec::new();
        if self.confirmation != Confirmation::None {
            let confirmed = Model {
                trial: None,
                confirmation: Confirmation::None,
                last: self
                    .last
                    .map(|(image, _)| (image, JournalOutcome::Confirmed.code())),
                ..*self
            };
            ways.push(confirmed.run_or_restore(rules));
        }
        if self.confirmation != Confirmation::Sure {
            let spent = used >= rules.attempts || rules.gave_up.is_some();
            ways.push(match self.previous {
                Some((_, true)) if spent || self.damaged => self.restore(rules, rules.reason()),
                Some((previous, false)) if spent || self.damaged => {
                    let back = Model {
                        running: previous,
                        damaged: false,
                        previous: Some((self.running, self.damaged)),
                        trial: None,
                        confirmation: Confirmation::None,
                        given_up: Some((self.running, rules.reason())),
                        last: self
                            .last
                            .map(|(image, _)| (image, JournalOutcome::RolledBack.code())),
                        ..*self
                    };
                    back.run(rules, How::Swap)
                }
                _ => self.run(rules, How::Plain),
            });
        }
        ways
    }

    fn run_or_restore(&self, rules: Rules) -> Way {
        if self.damaged {
            self.restore(rules, RollbackReason::BadImage.code())
        } else {
            self.run(rules, How::Plain)
        }
    }

    /// The golden image takes the place of what cannot run.
    fn restore(&self, rules: Rules, reason: u8) -> Way {
        if !rules.golden {
            return Way {
                started: Started::Unknown,
                after: *self,
                how: How::Plain,
            };
        }
        // What was lost is said once, however often the copy is begun.
        let given_up = match self.running {
            Self::REMAINS => self.given_up,
            running => Some((running, reason)),
        };
        let restored = Model {
            running: 0,
            damaged: false,
            trial: None,
            confirmation: Confirmation::None,
            given_up,
            last: Some((0, JournalOutcome::Golden.code())),
            ..*self
        };
        restored.run(rules, How::Restore)
    }

    /// The image in the primary slot starts: that is counted, or the security counter follows it.
    fn run(&self, rules: Rules, how: How) -> Way {
        let mut after = *self;
        match self.trial {
            Some(used) => after.trial = Some((used + 1).min(rules.attempts)),
            None => after.counter = self.counter.max(Images::counter(self.running)),
        }
        Way {
            started: Started::Image(self.running, self.trial.is_some()),
            after,
            how,
        }
    }

    /// The same before the image was started: all is in its place, nothing is counted.
    fn committed(&self, before: &Model) -> Model {
        Model {
            trial: self.trial.map(|_| 0),
            counter: before.counter,
            ..*self
        }
    }

    /// In the place of an image: what a copy leaves that was cut.
    const REMAINS: u8 = u8::MAX;
}

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
