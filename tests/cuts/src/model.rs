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

use bootlace_smp::bootlace::{JournalOutcome, RollbackReason};

use crate::images::Images;
use crate::rig::Started;

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
    pub(crate) running: u8,
    /// Its bytes are not what was signed.
    pub(crate) damaged: bool,
    /// The image in the other slot that comes back if the trial fails, and whether that one is damaged.
    pub(crate) previous: Option<(u8, bool)>,
    /// How often the image on trial was started.
    pub(crate) trial: Option<u8>,
    pub(crate) confirmation: Confirmation,
    pub(crate) request: Option<Request>,
    pub(crate) counter: u32,
    /// The image that was given up last, and the code of the reason.
    pub(crate) given_up: Option<(u8, u8)>,
    /// The journal's newest entry: which image was to run, and the code of what came of it.
    pub(crate) last: Option<(u8, u8)>,
}

/// How a start comes to what it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// What is there runs.
    Plain,
    /// The slots are swapped.
    Swap,
    /// The golden image is copied.
    Restore,
}

/// One way in which a start may go.
pub(crate) struct Way {
    pub(crate) started: Started,
    pub(crate) after: Model,
    pub(crate) how: How,
}

/// What a start depends on besides the state of things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) attempts: u8,
    pub(crate) golden: bool,
    pub(crate) gave_up: Option<u8>,
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
    pub(crate) fn start(&self, rules: Rules) -> Vec<Way> {
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
    pub(crate) fn committed(&self, before: &Model) -> Model {
        Model {
            trial: self.trial.map(|_| 0),
            counter: before.counter,
            ..*self
        }
    }

    /// In the place of an image: what a copy leaves that was cut.
    pub(crate) const REMAINS: u8 = u8::MAX;
}
