//! An update from the moment that the person asks for it until it ends: what the view is told about it. No browser
//! types: tested on the host.

use bootlace_engine::{Attention, BoardInfo, Content, Instant, Phase, Progress};

use crate::messages::{PatchFate, Running};

/// A running update.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "the worker updates"))]
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// What the view is told.
    pub(super) running: Running,
    /// When the person asked for it.
    pub(super) asked: Instant,
    /// When the new firmware must have been confirmed, where the board says so.
    pub(super) confirm_by: Option<Instant>,
}

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "the worker updates"))]
impl Job {
    pub(super) fn new(now: Instant) -> Self {
        Job {
            running: Running::new(),
            asked: now,
            confirm_by: None,
        }
    }

    /// Another phase began; whether the view is to be told.
    pub(super) fn phase(&mut self, phase: Phase) -> bool {
        if matches!(phase, Phase::Connecting | Phase::Ready) {
            return false;
        }
        self.running.phase = phase;
        self.running.attention = None;
        true
    }

    /// The upload moved on; whether the view is to be told.
    pub(super) fn progress(&mut self, news: Progress) -> bool {
        // After an interruption the count starts at 0 until the board has said where it was.
        let old = self.running.progress.filter(|old| old.content == news.content);
        if news.done == 0 && old.is_some_and(|old| old.done > 0 && old.content == Content::Image) {
            return false;
        }
        self.running.progress = Some(news);
        true
    }

    /// The patch is being made.
    pub(super) fn making(&mut self, percent: u32) {
        self.running.making = Some(percent);
    }

    /// The session starts; with a patch, if this says so.
    pub(super) fn sending(&mut self, patch: Option<PatchFate>) {
        self.running.making = None;
        self.running.patch = patch;
    }

    /// The board said what it is.
    pub(super) fn meet(&mut self, board: &BoardInfo, now: Instant) {
        let left = board
            .trial
            .and_then(|trial| trial.deadline)
            .filter(|_| !self.running.went_back);
        self.confirm_by = left.map(|left| now + core::time::Duration::from_secs(left.into()));
    }

    /// The board restarts: the page waits for it.
    pub(super) fn restarts(&mut self) {
        self.confirm_by = None;
        if self.running.phase == Phase::OnTrial {
            self.running.went_back = true;
        }
    }

    /// The person may have to do something.
    pub(super) fn attention(&mut self, attention: Attention) {
        self.running.attention = Some(attention);
    }

    /// When the seconds that are left to the trial next change.
    pub(super) fn next_second(&self, now: Instant) -> Option<Instant> {
        let left = self.confirm_by?.since(now);
        Some(now + core::time::Duration::from_micros(u64::from(left.subsec_micros()) + 1000))
    }

    /// Counts down; whether the view is to be told.
    pub(super) fn count_down(&mut self, now: Instant) -> bool {
        let left = self
            .confirm_by
            .map(|by| u32::try_from(by.since(now).as_secs()).unwrap_or(u32::MAX));
        let left = left.filter(|left| *left > 0);
        if left.is_none() {
            self.confirm_by = None;
        }
        let news = self.running.trial_left != left;
        self.running.trial_left = left;
        news
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use bootlace_engine::Trial;

    use super::*;

    fn progress(done: u32) -> Progress {
        Progress {
            content: Content::Image,
            done,
            total: 100,
            rate: None,
            remaining: None,
        }
    }

    #[test]
    fn progress_does_not_fall_to_nothing_while_the_board_is_asked_where_it_was() {
        let mut job = Job::new(Instant(0));
        assert!(job.phase(Phase::Uploading) && job.progress(progress(0)) && job.progress(progress(60)));
        assert!(!job.progress(progress(0)));
        assert_eq!(job.running.counted(), Some((60, 100)));
        assert!(job.progress(progress(40)));
    }

    #[test]
    fn a_restart_on_trial_ends_the_countdown_for_good() {
        let trial = BoardInfo {
            trial: Some(Trial {
                deadline: Some(9),
                left: 1,
            }),
            ..BoardInfo::default()
        };
        let mut job = Job::new(Instant(0));
        job.phase(Phase::OnTrial);
        job.meet(&trial, Instant(0));
        assert!(job.count_down(Instant(500_000)));
        assert_eq!(job.running.trial_left, Some(8));
        assert!(!job.count_down(Instant(600_000)));
        job.restarts();
        assert!(job.running.went_back && job.count_down(Instant(700_000)));
        job.meet(&trial, Instant(800_000));
        assert!(!job.count_down(Instant(800_000)) && job.running.trial_left.is_none());
    }

    #[test]
    fn a_restart_before_the_trial_is_no_way_back() {
        let mut job = Job::new(Instant(0));
        job.phase(Phase::Restarting);
        job.attention(Attention::NoPort);
        job.restarts();
        assert!(!job.running.went_back);
        job.phase(Phase::OnTrial);
        assert_eq!(job.running.attention, None);
    }
}
