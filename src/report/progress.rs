//! A progress bar for people who wait.
//!
//! In: how much there is to do, and whether anyone looks. Out: nothing for a run below a second, then a bar on standard
//! error that is gone when the run is. Safe to tick from many threads.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A run shorter than this needs no bar.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// How far a run has come.
pub(crate) struct Progress {
    total: AtomicU64,
    done: AtomicU64,
    /// `None` when nobody looks.
    since: Option<Instant>,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    /// Begins to count. `enabled` says whether standard error is a terminal that wants a bar.
    pub(crate) fn start(enabled: bool) -> Self {
        Self {
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            since: enabled.then(Instant::now),
            bar: OnceLock::new(),
        }
    }

    /// Expects `n` more.
    pub(crate) fn expect(&self, n: u64) {
        let total = self.total.fetch_add(n, Ordering::Relaxed) + n;
        if let Some(bar) = self.bar.get() {
            bar.set_length(total);
        }
    }

    /// Counts `n` more as done.
    pub(crate) fn tick(&self, n: u64) {
        let done = self.done.fetch_add(n, Ordering::Relaxed) + n;
        let Some(since) = self.since else { return };
        if since.elapsed() >= QUIET_FOR {
            self.bar.get_or_init(|| bar(self.total.load(Ordering::Relaxed))).set_position(done);
        }
    }

    /// How much is done.
    #[cfg(test)]
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
    match ProgressStyle::with_template("{bar:32} {human_pos}/{human_len} checked, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_all_threads_count_and_nothing_is_drawn_unasked() {
        let progress = Progress::start(false);
        progress.expect(400);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| progress.tick(1)));
            }
        });
        assert_eq!(progress.done(), 400);
        assert!(progress.bar.get().is_none());
        progress.finish();
    }
}
