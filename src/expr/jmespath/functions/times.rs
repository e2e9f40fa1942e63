//! Functions over points in time and durations; times are texts in RFC 3339, durations texts like `1h30m`.

use super::{Call, Function, STRING, Stop};
use crate::{
    expr::{Value, jmespath::eval::Outcome},
    k8s::{
        duration::{self, Duration},
        gotime::{self, RFC_3339, Time},
    },
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::own("time_add", &[STRING, STRING], "string", "a time some duration later", |call| {
        give(call, time(call, 0)?.add(span(call, 1)?))
    }),
    Function::own("time_after", &[STRING, STRING], "bool", "whether a time is after another", |call| {
        Ok(Value::Bool(time(call, 0)?.nanos() > time(call, 1)?.nanos()))
    }),
    Function::own("time_before", &[STRING, STRING], "bool", "whether a time is before another", |call| {
        Ok(Value::Bool(time(call, 0)?.nanos() < time(call, 1)?.nanos()))
    }),
    Function::own("time_between", &[STRING, STRING, STRING], "bool", "whether a time is between two others", |call| {
        let (at, start, end) = (time(call, 0)?.nanos(), time(call, 1)?.nanos(), time(call, 2)?.nanos());
        Ok(Value::Bool(start < at && at < end))
    }),
    Function::own("time_diff", &[STRING, STRING], "string", "the duration from a time to another", |call| {
        let from = time(call, 0)?;
        let since = time(call, 1)?.since(from);
        call.give_text(&since.to_string())
    }),
    Function::own("time_now", &[], "string", "the time of the run", |call| give(call, now(call))),
    Function::own("time_now_utc", &[], "string", "the time of the run in UTC", |call| give(call, now(call))),
    Function::own("time_parse", &[STRING, STRING], "string", "reads a time by a layout of Go", parse),
    Function::own(
        "time_since",
        &[STRING, STRING, STRING],
        "string",
        "the duration between two times of a layout; from the run when the second is empty",
        since,
    ),
    Function::own("time_to_cron", &[STRING], "string", "the time as a cron expression", |call| {
        let cron = time(call, 0)?.cron();
        call.give_text(&cron)
    }),
    Function::own("time_truncate", &[STRING, STRING], "string", "a time rounded down to a duration", |call| {
        give(call, time(call, 0)?.truncate(span(call, 1)?))
    }),
    Function::own("time_utc", &[STRING], "string", "a time in UTC", |call| give(call, time(call, 0)?.utc())),
];

fn give<'e, 'v>(call: &Call<'_, 'e, 'v>, time: Time) -> Outcome<'e, 'v> {
    call.give_text(&time.to_string())
}

fn now(call: &Call<'_, '_, '_>) -> Time {
    Time::from_nanos(call.evaluator.scope.now())
}

fn read<'e>(call: &Call<'_, 'e, '_>, layout: &str, text: &str) -> Result<Time, Stop<'e>> {
    call.charge((layout.len() + text.len()) / 8)?;
    gotime::parse(layout, text).map_err(|error| call.refuse(error.to_string()))
}

fn time<'e>(call: &Call<'_, 'e, '_>, index: usize) -> Result<Time, Stop<'e>> {
    read(call, RFC_3339, call.text(index)?)
}

fn span<'e>(call: &Call<'_, 'e, '_>, index: usize) -> Result<Duration, Stop<'e>> {
    let text = call.text(index)?;
    duration::read(text).map_err(|error| call.refuse(error.to_string()))
}

fn parse<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let (layout, text) = (call.text(0)?, call.text(1)?);
    // Kyverno: with a number as layout the text counts seconds since 1970.
    if layout.parse::<i64>().is_ok() {
        let seconds =
            text.parse().map_err(|_| call.refuse(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?;
        return give(call, Time::from_seconds(seconds));
    }
    give(call, read(call, layout, text)?)
}

fn since<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let layout = match call.text(0)? {
        "" => RFC_3339,
        layout => layout,
    };
    let from = read(call, layout, call.text(1)?)?;
    let to = match call.text(2)? {
        "" => now(call),
        text => read(call, layout, text)?,
    };
    call.give_text(&to.since(from).to_string())
}
