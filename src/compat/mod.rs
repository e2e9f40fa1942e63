//! The formats of the tool that `admit` takes over from: `kyverno test` and `kyverno apply`.
//!
//! In: suites, values, user info, paths. Out: tables, summaries, reports and exit codes as those commands give them.
//! Verdicts are the engine's; here is only how they are asked for and compared. Where that tool aborts on one bad input
//! or is silently green, this one goes on and says so in a [`Notice`].

pub(crate) mod case;
pub(crate) mod check;
mod cluster_resource;
pub(crate) mod compare;
pub(crate) mod context_file;
pub(crate) mod effects;
pub(crate) mod evaluation;
pub(crate) mod exceptions;
mod fields;
pub(crate) mod load;
pub(crate) mod mutations;
mod notice;
mod overrides;
pub(crate) mod report;
pub(crate) mod rewrite;
pub(crate) mod selector;
pub(crate) mod suite;
pub(crate) mod table;
pub(crate) mod test_report;
#[cfg(test)]
mod testing;
pub(crate) mod user_info;
pub(crate) mod values;
pub(crate) mod violations;

pub(crate) use notice::{Notice, Notices, Weight};
