//! One run of an installation over a loader that erases, writes and reads.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_loader::{Action, Broken, Fault, Loader, Request, Step};

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
}

/// A run of it. Whoever drives it takes [`Installation::poll_news`] until there is none, then does what
/// [`Installation::poll_step`] says, until a notice says how it ended.
#[derive(Debug)]
pub struct Installation<L> {
    loader: L,
    /// All units that the plan names; after [`Work::Reading`] those that change alone, the one that the chip starts from last.
    units: Vec<Part>,
    start: u32,
    /// What the flash held, by unit.
    before: Vec<Part>,
    work: Work,
    /// Requests of this work, the next one first.
    todo: VecDeque<Request>,
    /// The request that the loader has.
    current: Option<Request>,
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
    pub fn new(loader: L, plan: &FlashPlan) -> Self {
        let units = plan.units(loader.shape().unit);
        let mut installation = Installation {
            loader,
            units,
            start: plan.start,
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
        installation.set_work(Work::Beginning, [Request::Begin]);
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

    /// Ends it before the next request, with the flash as it is then.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// What to do next; `None`: it is over, or it waits for [`Installation::go_on`]. An action's result goes to
    /// [`Installation::handle_done`] before the next call.
    pub fn poll_step(&mut self) -> Option<(Action, Duration)> {
        loop {
            if self.over {
                return None;
            }
            if self.current.is_none() {
                if self.cancelled && self.work != Work::Leaving {
                    self.end(Ended::Cancelled {
                        changed: self.changed,
                    });
                    return None;
                }
                if self.asks {
                    return None;
                }
                match self.todo.pop_front() {
                    Some(request) => self.begin(request),
                    None => self.next_work(),
                }
                continue;
            }
            match self.loader.poll() {
                Step::Do(action, limit) => return Some((action, limit)),
                Step::Wait(_) => return None,
                Step::Ended(Ok(read)) => self.ended(&read),
                Step::Ended(Err(fault)) => self.failed(fault),
            }
        }
    }

    /// What came of the action that [`Installation::poll_step`] gave.
    pub fn handle_done(&mut self, done: Result<Vec<u8>, Broken>) {
        if !self.over {
            self.loader.handle(done);
        }
    }

    fn begin(&mut self, request: Request) {
        self.changed |= matches!(request, Request::Erase { .. } | Request::Write { .. });
        self.loader.begin(request.clone());
        self.current = Some(request);
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
    fn ended(&mut self, read: &[u8]) {
        let Some(request) = self.current.take() else {
            return;
        };
        let len = match &request {
            Request::Begin | Request::Leave => return,
            Request::Erase { len, .. } | Request::Read { len, .. } => *len,
            Request::Write { bytes, .. } => bytes.len() as u32,
        };
        if let Request::Read { at, .. } = request {
            match self.work {
                Work::Reading => self.keep(at, read),
                _ => {
                    if let Some(at) = self.differs(at, read) {
                        return self.end(Ended::Differs { at });
                    }
                }
            }
        }
        self.done = self.done.saturating_add(len).min(self.total);
        let (done, total) = (self.done, self.total);
        self.news.push_back(News::Progress { done, total });
    }

    /// Notes what the flash held.
    fn keep(&mut self, at: u32, read: &[u8]) {
        let bytes = read.to_vec();
        match self.before.last_mut() {
            Some(last) if u64::from(last.at) + last.bytes.len() as u64 == u64::from(at) => {
                last.bytes.extend(bytes)
            }
            _ => self.before.push(Part { at, bytes }),
        }
    }

    /// The first address whose byte is not what was written.
    fn differs(&self, at: u32, read: &[u8]) -> Option<u32> {
        let wanted = found(&self.units, at, read.len())?;
        let place = wanted
            .iter()
            .zip(read)
            .position(|(wanted, read)| wanted != read)?;
        Some(at + place as u32)
    }

    /// Begins a work with its requests.
    fn set_work(&mut self, work: Work, requests: impl IntoIterator<Item = Request>) {
        self.work = work;
        self.todo = requests.into_iter().collect();
        self.done = 0;
        let len = |request: &Request| match request {
            Request::Erase { len, .. } | Request::Read { len, .. } => *len,
            Request::Write { bytes, .. } => bytes.len() as u32,
            Request::Begin | Request::Leave => 0,
        };
        self.total = self.todo.iter().map(len).sum();
        self.news.push_back(News::Work(work));
    }

    /// What comes after the work that is done.
    fn next_work(&mut self) {
        let shape = self.loader.shape();
        let (others, last) = self.units.split_at(self.units.len().saturating_sub(1));
        match self.work {
            Work::Beginning => {
                let requests: Vec<_> = self
                    .units
                    .iter()
                    .flat_map(|unit| reads(unit, shape.read))
                    .collect();
                self.set_work(Work::Reading, requests);
            }
            Work::Reading => {
                self.leave_alone_what_is_there();
                let before = core::mem::take(&mut self.before);
                let erased: Vec<_> = (self.units.iter().rev())
                    .filter(|unit| found(&before, unit.at, unit.bytes.len()).is_none_or(is_not_blank))
                    .map(|unit| Request::Erase {
                        at: unit.at,
                        len: unit.bytes.len() as u32,
                    })
                    .collect();
                self.asks = true;
                self.set_work(Work::Erasing, erased);
                // Told first: what was there is kept before it is changed.
                self.news.push_front(News::Before(before));
            }
            Work::Erasing => {
                let written: Vec<_> = others.iter().flat_map(|unit| writes(unit, shape.write)).collect();
                self.set_work(Work::Writing, written);
            }
            Work::Writing => {
                let read: Vec<_> = others.iter().flat_map(|unit| reads(unit, shape.read)).collect();
                self.set_work(Work::Verifying, read);
            }
            Work::Verifying => {
                let both = |unit| {
                    writes(unit, shape.write)
                        .into_iter()
                        .chain(reads(unit, shape.read))
                };
                let requests: Vec<_> = last.iter().flat_map(both).collect();
                self.set_work(Work::Finishing, requests);
            }
            Work::Finishing => self.set_work(Work::Leaving, [Request::Leave]),
            Work::Leaving => self.end(Ended::Installed),
        }
    }

    /// Units that hold already what they should stay as they are. Where any changes, so does the one that the chip starts from.
    fn leave_alone_what_is_there(&mut self) {
        let (before, start) = (&self.before, self.start);
        let holds_start = |unit: &Part| start >= unit.at && ((start - unit.at) as usize) < unit.bytes.len();
        let is_there = |unit: &Part| found(before, unit.at, unit.bytes.len()) == Some(unit.bytes.as_slice());
        if self.units.iter().all(is_there) {
            self.units.clear();
            return;
        }
        self.units.retain(|unit| holds_start(unit) || !is_there(unit));
        self.units.sort_by_key(|unit| (holds_start(unit), unit.at));
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

/// The requests that read a unit, in so many bytes at once.
fn reads(unit: &Part, most: u32) -> Vec<Request> {
    let request = |(at, piece): (u32, &[u8])| Request::Read {
        at,
        len: piece.len() as u32,
    };
    pieces(unit, most).map(request).collect()
}

/// The requests that write a unit, in so many bytes at once. What is blank is not written.
fn writes(unit: &Part, most: u32) -> Vec<Request> {
    let request = |(at, piece): (u32, &[u8])| Request::Write {
        at,
        bytes: piece.to_vec(),
    };
    pieces(unit, most)
        .filter(|(_, piece)| is_not_blank(piece))
        .map(request)
        .collect()
}

fn pieces(unit: &Part, most: u32) -> impl Iterator<Item = (u32, &[u8])> {
    let most = most.max(1) as usize;
    (unit.at..).step_by(most).zip(unit.bytes.chunks(most))
}
