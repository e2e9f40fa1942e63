//! An end of its own, before Argo CD ends the process without a word.
//!
//! In: how long there is. Out: an error on standard error that says what was going on, and exit code 2. Argo CD's own
//! deadline comes from the request of its repo server, 60 seconds by default, and leaves nothing but `signal: killed`.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The clock of a run.
#[derive(Debug)]
pub(super) struct Deadline {
    ends: Instant,
    total: Duration,
    doing: Arc<Mutex<String>>,
}

impl Deadline {
    /// Starts the clock. Whoever is done earlier just goes.
    pub(super) fn start(total: Duration) -> Self {
        let doing = Arc::new(Mutex::new("starting".to_owned()));
        let watched = Arc::clone(&doing);
        thread::spawn(move || {
            thread::sleep(total);
            let doing = watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let _ = writeln!(
                std::io::stderr(),
                "error: out of time after {} s while {doing}: nothing is let in\nhint: raise ADMIT_TIMEOUT, and the \
                 timeout of Argo CD's repo server above it",
                total.as_secs_f32()
            );
            std::process::exit(2);
        });
        Self { ends: Instant::now() + total, total, doing }
    }

    /// Says what comes next.
    pub(super) fn now(&self, what: &str) {
        what.clone_into(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What a renderer may take so that there is time left to say so.
    pub(super) fn for_render(&self, wanted: Option<Duration>) -> Duration {
        let left = self.ends.saturating_duration_since(Instant::now());
        let left = left.saturating_sub(self.total / 10);
        wanted.map_or(left, |it| it.min(left))
    }
}
