//! One run of an installation over a loader that erases, writes and reads.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_loader::{Action, Broken, Fault, Loader, Request, Step, Unit};

use crate::plan::{FlashPlan, Part};

/// What an installation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The loader is made ready.
    Beginning,
    /// What the flash holds is read.
    Reading,
    /// Flash is erased.
    Erasing,
    /// The new content is written.
    Writing,
    /// What was written is read back.
    Verifying,
    /// What the chip starts from is written, and read back.
    Finishing,
    /// The chip starts what it holds.
    Leaving,
}

/// What goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It does this now.
    Work(Work),
    /// So much of it is done.
    Progress {
        /// Bytes done.
        done: u32,
        /// Bytes in all.
        total: u32,
    },
    /// What the flash held where it is about to be changed. Nothing was changed yet: [`Installation::go_on`] is waited for.
    Before(Vec<Part>),
    /// It is over.
    Ended(Ended),
}

/// How an installation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The flash holds what it should, and the chip starts it.
    Installed,
    /// It was cancelled.
    Cancelled {
        /// Whether the flash was changed.
        changed: bool,
    },
    /// It failed.
    Failed {
        /// What it did.
        work: Work,
        /// Why.
        fault: Fault,
        /// Whether the flash was changed.
        changed: bool,
    },
    /// A byte that was written reads otherwise.
    Differs {
        /// Where.
        at: u32,
    },
    /// The loader has not the flash that the companion was built for: it is that of another chip. Nothing was changed.
    OtherChip {
        /// Where there is none, or units of another length.
        at: u32,
    },
}

/// What whoever drives an installation does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This action at the device, which may take so long. What came of it goes to [`Installation::handle_done`] before
    /// [`Installation::poll_next`] is called again.
    Do(Action, Duration),
    /// Nothing for so long, then ask again.
    Wait(Duration),
    /// Nothing before [`Installation::go_on`] or [`Installation::cancel`] was called: [`News::Before`] was told.
    Asks,
    /// Nothing any more: [`News::Ended`] was told.
    Over,
}

/// A request to the loader, before it has its bytes.
#[derive(Clone, Copy, Debug)]
enum Job {
    Begin,
    Erase(Unit),
    Write { at: u32, len: u32 },
    Read { at: u32, len: u32 },
    Leave,
}

impl Job {
    /// Bytes of flash that it is about.
    const fn len(self) -> u32 {
        match self {
            Job::Begin | Job::Leave => 0,
            Job::Erase(unit) => unit.len,
            Job::Write { len, .. } | Job::Read { len, .. } => len,
        }
    }
}

/// A run of it. Whoever drives it takes [`Installation::poll_news`] until there is none, then does what
/// [`Installation::poll_next`] says, until a notice says how it ended.
#[derive(Debug)]
pub struct Installation<L> {
    loader: L,
    plan: FlashPlan,
    /// From [`Work::Reading`] on all units that the plan names; afterwards those that change alone, the one that the chip starts
    /// from last.
    units: Vec<Unit>,
    /// What the flash held.
    before: Vec<Part>,
    work: Work,
    /// What is to be done for this work, the next one first.
    todo: VecDeque<Job>,
    /// What the loader does.
    current: Option<Job>,
    news: VecDeque<News>,
    done: u32,
    total: u32,
    changed: bool,
    /// Whether it waits for [`Installation::go_on`].
    asks: bool,
    cancelled: bool,
    over: bool,
}

impl<L: Loader> Installation<L> {
    /// Begins one.
    pub fn new(loader: L, plan: FlashPlan) -> Self {
        let mut installation = Installation {
            loader,
            plan,
            units: Vec::new(),
            before: Vec::new(),
            work: Work::Beginning,
            todo: VecDeque::new(),
            current: None,
            news: VecDeque::new(),
            done: 0,
            total: 0,
            changed: false,
            asks: false,
            cancelled: false,
            over: false,
        };
        installation.set_work(Work::Beginning, [Job::Begin]);
        installation
    }

    /// What went on since the last call.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// What was [`News::Before`] is safe, or not wanted: the flash may be changed.
    pub fn go_on(&mut self) {
        self.asks = false;
    }

    /// Ends it before the next request, with the flash as it is then. Once the chip is told to start, that is too late.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// What to do next.
    pub fn poll_next(&mut self) -> Next {
        loop {
            if self.over {
                return Next::Over;
            }
            if self.current.is_none() {
                if self.cancelled && self.work != Work::Leaving {
                    let changed = self.changed;
                    self.end(Ended::Cancelled { changed });
                    continue;
                }
                if self.asks {
                    return Next::Asks;
                }
                match self.todo.pop_front() {
                    Some(job) => self.begin(job),
                    None => self.next_work(),
                }
                continue;
            }
            match self.loader.poll() {
                Step::Do(action, limit) => return Next::Do(action, limit),
                Step::Wait(time) => return Next::Wait(time),
                Step::Ended(Ok(read)) => self.ended(read),
                Step::Ended(Err(fault)) => self.failed(fault),
            }
        }
    }

    /// What came of the action of [`Next::Do`]: what was read, or nothing.
    pub fn handle_done(&mut self, done: Result<Vec<u8>, Broken>) {
        if !self.over {
            self.loader.handle(done);
        }
    }

    fn begin(&mut self, job: Job) {
        self.changed |= matches!(job, Job::Erase(_) | Job::Write { .. });
        self.loader.begin(match job {
            Job::Begin => Request::Begin,
            Job::Erase(unit) => Request::Erase(unit),
            Job::Write { at, len } => Request::Write {
                at,
                bytes: self.plan.content(at, len as usize),
            },
            Job::Read { at, len } => Request::Read { at, len },
            Job::Leave => Request::Leave,
        });
        self.current = Some(job);
    }

    fn end(&mut self, ended: Ended) {
        self.over = true;
        self.news.push_back(News::Ended(ended));
    }

    fn failed(&mut self, fault: Fault) {
        // A chip that restarts may be gone before its answer has arrived.
        match (self.work, &fault) {
            (Work::Leaving, Fault::Gone) => self.end(Ended::Installed),
            (work, _) => {
                let changed = self.changed;
                self.end(Ended::Failed { work, fault, changed });
            }
        }
    }

    /// The loader has done its request.
    fn ended(&mut self, read: Vec<u8>) {
        let Some(job) = self.current.take() else {
            return;
        };
        if let Job::Read { at, len } = job {
            if read.len() != len as usize {
                return self.failed(Fault::Nonsense);
            }
            if self.work == Work::Reading {
                self.keep(at, read);
            } else if let Some(at) = self.differs(at, &read) {
                return self.end(Ended::Differs { at });
            }
        }
        if job.len() > 0 {
            self.done = self.done.saturating_add(job.len()).min(self.total);
            let (done, total) = (self.done, self.total);
            self.news.push_back(News::Progress { done, total });
        }
    }

    /// Notes what the flash held.
    fn keep(&mut self, at: u32, bytes: Vec<u8>) {
        match self.before.last_mut() {
            Some(last) if u64::from(last.at) + last.bytes.len() as u64 == u64::from(at) => {
                last.bytes.extend(bytes)
            }
            _ => self.before.push(Part { at, bytes }),
        }
    }

    /// The first address whose byte is not what was written.
    fn differs(&self, at: u32, read: &[u8]) -> Option<u32> {
        let wanted = self.plan.content(at, read.len());
        let place = wanted
            .iter()
            .zip(read)
            .position(|(wanted, read)| wanted != read)?;
        Some(at + place as u32)
    }

    /// Begins a work.
    fn set_work(&mut self, work: Work, jobs: impl IntoIterator<Item = Job>) {
        self.work = work;
        self.todo = jobs.into_iter().collect();
        self.done = 0;
        self.total = self.todo.iter().map(|job| job.len()).sum();
        self.news.push_back(News::Work(work));
    }

    /// What comes after the work that is done.
    fn next_work(&mut self) {
        let (others, last) = self.units.split_at(self.units.len().saturating_sub(1));
        match self.work {
            Work::Beginning => match self.wanted_units() {
                Ok(units) => {
                    self.units = units;
                    self.set_work(Work::Reading, self.reads(&self.units));
                }
                Err(at) => self.end(Ended::OtherChip { at }),
            },
            Work::Reading => {
                self.leave_alone_what_is_there();
                let before = core::mem::take(&mut self.before);
                let held = |unit: &Unit| found(&before, unit.at, unit.len as usize);
                let erased: Vec<_> = (self.units.iter().rev())
                    .filter(|unit| held(unit).is_none_or(is_not_blank))
                    .map(|unit| Job::Erase(*unit))
                    .collect();
                self.asks = true;
                self.set_work(Work::Erasing, erased);
                // Told first: what was there is kept before it is changed.
                self.news.push_front(News::Before(before));
            }
            Work::Erasing => self.set_work(Work::Writing, self.writes(others)),
            Work::Writing => self.set_work(Work::Verifying, self.reads(others)),
            Work::Verifying => {
                let jobs = [self.writes(last), self.reads(last)].concat();
                self.set_work(Work::Finishing, jobs);
            }
            Work::Finishing => self.set_work(Work::Leaving, [Job::Leave]),
            Work::Leaving => self.end(Ended::Installed),
        }
    }

    /// The units that the plan changes, where the chip's flash is as the plan has it.
    fn wanted_units(&self) -> Result<Vec<Unit>, u32> {
        let mut all = self.plan.units.iter().flat_map(|units| units.all());
        match all.find(|unit| self.loader.unit(unit.at) != Some(*unit)) {
            Some(other) => Err(other.at),
            None => self.plan.changed(|at| self.loader.unit(at)),
        }
    }

    /// Units that hold already what they should stay as they are. Where any changes, so does the one that the chip starts from.
    fn leave_alone_what_is_there(&mut self) {
        let (before, plan) = (&self.before, &self.plan);
        let holds_start = |unit: &Unit| plan.start.checked_sub(unit.at).is_some_and(|it| it < unit.len);
        let is_there = |unit: &Unit| {
            let len = unit.len as usize;
            found(before, unit.at, len) == Some(plan.content(unit.at, len).as_slice())
        };
        if self.units.iter().all(is_there) {
            self.units.clear();
            return;
        }
        self.units.retain(|unit| holds_start(unit) || !is_there(unit));
        self.units.sort_by_key(|unit| (holds_start(unit), unit.at));
    }

    /// Reads of whole units.
    fn reads(&self, units: &[Unit]) -> Vec<Job> {
        let most = self.loader.shape().read;
        let pieces = units.iter().flat_map(|unit| pieces(*unit, most));
        pieces.map(|(at, len)| Job::Read { at, len }).collect()
    }

    /// Writes of whole units. What is blank is not written.
    fn writes(&self, units: &[Unit]) -> Vec<Job> {
        let most = self.loader.shape().write;
        let pieces = units.iter().flat_map(|unit| pieces(*unit, most));
        pieces
            .filter(|(at, len)| is_not_blank(&self.plan.content(*at, *len as usize)))
            .map(|(at, len)| Job::Write { at, len })
            .collect()
    }
}

/// The bytes that parts hold at an address.
fn found(parts: &[Part], at: u32, len: usize) -> Option<&[u8]> {
    parts.iter().find_map(|part| {
        let from = at.checked_sub(part.at)? as usize;
        part.bytes.get(from..from.checked_add(len)?)
    })
}

fn is_not_blank(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte != 0xFF)
}

/// A unit in pieces of so many bytes, with their addresses and lengths.
fn pieces(unit: Unit, most: u32) -> impl Iterator<Item = (u32, u32)> {
    let most = most.max(1);
    let offsets = (0..unit.len).step_by(most as usize);
    offsets.map(move |offset| (unit.at.saturating_add(offset), (unit.len - offset).min(most)))
}
