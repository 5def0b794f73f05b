//! The log: shared, so that a copy of the page's state copies no lines.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::messages::LogFact;

/// The log keeps this many lines: an update writes about fifteen.
pub const LOG_LINES: usize = 500;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Local time of day.
    pub at: String,
    /// What happened.
    pub fact: LogFact,
}

/// What happened, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log(Rc<VecDeque<Rc<Line>>>);

impl Log {
    /// Adds a line; the oldest goes when there are too many.
    pub fn push(&mut self, line: Line) {
        let lines = Rc::make_mut(&mut self.0);
        if lines.len() >= LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(Rc::new(line));
    }

    /// All lines, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Rc<Line>> + ExactSizeIterator {
        self.0.iter()
    }

    /// The latest line.
    pub fn last(&self) -> Option<&Line> {
        self.0.back().map(Rc::as_ref)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn line(offset: u32) -> Line {
        Line {
            at: "10:00:00".into(),
            fact: LogFact::Resumed { offset },
        }
    }

    #[test]
    fn the_log_does_not_grow_without_end() {
        let mut log = Log::default();
        (0..LOG_LINES as u32 + 3).for_each(|number| log.push(line(number)));
        assert_eq!(log.iter().len(), LOG_LINES);
        assert_eq!(**log.iter().next().unwrap(), line(3));
        assert_eq!(log.last(), Some(&line(LOG_LINES as u32 + 2)));
    }

    #[test]
    fn a_copy_shares_its_lines() {
        let mut log = Log::default();
        log.push(line(1));
        let copy = log.clone();
        assert!(Rc::ptr_eq(&log.0, &copy.0));
        log.push(line(2));
        assert!(Rc::ptr_eq(
            log.iter().next().unwrap(),
            copy.iter().next().unwrap()
        ));
        assert_eq!(copy.iter().len(), 1);
    }
}
