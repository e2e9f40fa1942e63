//! `DeletingPolicy`.

use crate::{
    document::Node,
    k8s::cron,
    policy::{error::Problem, fields::Problems},
};

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    let Some(schedule) = spec.get("schedule") else { return };
    let text = schedule.as_str().unwrap_or_default();
    if text.is_empty() {
        problems.at(schedule, Problem::invalid_with("schedule is required", "write when objects are deleted"));
    } else if !cron::is_extended(text) {
        let help = "write minute, hour, day, month and day of the week, as in `0 3 * * *`";
        problems.at(schedule, Problem::invalid_with("schedule is not in proper cron format", help));
    }
}
