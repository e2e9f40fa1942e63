//! What drives a run: threads, order, the border that no panic crosses.
//!
//! In: entries of a source and what each is for. Out: a [`Report`](crate::report::Report). Reading and parsing come
//! first, all files in parallel; then policies are compiled, once; then objects are judged, in parallel again. The
//! result is the same whatever the number of threads.

mod absent;
mod claims;
mod cleanup;
mod counts;
mod guessed;
mod judge;
mod law;
mod load;
mod panic;
mod rendered;
mod repeated;

pub(crate) use counts::looked_at;
pub(crate) use guessed::guessed_kinds;
pub(crate) use judge::{Subject, Wants, judge, judge_by};
pub(crate) use law::{Law, hold, problems};
pub(crate) use load::{Input, Loader, Roles, SCREEN, Scopes, Tree, TreeFile, Wanted, may_matter, skipped, skipped_law};
pub(crate) use panic::quietly;
pub(crate) use rendered::{note_scopes, rendered};
pub(crate) use repeated::objects as repeated_objects;

use rayon::prelude::*;

/// Stack of a worker. Recursion over documents is bounded by their depth limit, and this suits it.
const STACK_BYTES: usize = 16 << 20;

/// Threads at most: more than any machine has use for, and few enough to start at once.
const MAX_JOBS: usize = 64;

/// Runs `work` on `jobs` threads; 0 means one for each core.
pub(crate) fn on_threads<T: Send>(
    jobs: usize,
    work: impl FnOnce() -> T + Send,
) -> Result<T, rayon::ThreadPoolBuildError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.min(MAX_JOBS)).stack_size(STACK_BYTES).build()?;
    Ok(pool.install(work))
}

/// Does `work` for each item on the threads of the pool at hand. The results stand in the order of the items.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    items.par_iter().enumerate().map(|(index, item)| work(index, item)).collect()
}
