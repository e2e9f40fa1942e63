//! Parts of times and durations, and Kyverno's `time`.

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

use super::{Call, Function, conversions::time};
use crate::{
    expr::cel::{EvalError, Value},
    k8s::{duration::Duration, gotime::Time},
};

/// What can be read off a time in a zone.
type Part = fn(jiff::civil::DateTime) -> i64;

macro_rules! parts {
    ($($name:literal, $note:literal, $part:expr;)*) => {
        pub(super) const FUNCTIONS: &[Function] = &[
            $(
                Function::new(concat!("timestamp.", $name, "() -> int"), $note, |call| read(call, $part)),
                Function::new(concat!("timestamp.", $name, "(string) -> int"), concat!($note, " in a time zone"), |call| {
                    read(call, $part)
                }),
            )*
            Function::new("duration.getHours() -> int", "all of it in hours", |call| total(call, 3_600_000_000_000)),
            Function::new("duration.getMinutes() -> int", "all of it in minutes", |call| total(call, 60_000_000_000)),
            Function::new("duration.getSeconds() -> int", "all of it in seconds", |call| total(call, 1_000_000_000)),
            Function::new("duration.getMilliseconds() -> int", "all of it in milliseconds", |call| total(call, 1_000_000)),
        ];
    };
}

parts! {
    "getFullYear", "the year", |it| i64::from(it.year());
    "getMonth", "the month, January being 0", |it| i64::from(it.month()) - 1;
    "getDate", "the day of the month, the first being 1", |it| i64::from(it.day());
    "getDayOfMonth", "the day of the month, the first being 0", |it| i64::from(it.day()) - 1;
    "getDayOfWeek", "the day of the week, Sunday being 0", |it| i64::from(it.weekday().to_sunday_zero_offset());
    "getDayOfYear", "the day of the year, the first being 0", |it| i64::from(it.day_of_year()) - 1;
    "getHours", "the hour", |it| i64::from(it.hour());
    "getMinutes", "the minute", |it| i64::from(it.minute());
    "getSeconds", "the second", |it| i64::from(it.second());
    "getMilliseconds", "the millisecond", |it| i64::from(it.millisecond());
}

pub(super) const KYVERNO: &[Function] = &[
    Function::new("time.now() -> timestamp", "the time of the evaluation", |call| {
        time(call, Time::from_nanos(call.scope.now()))
    }),
    Function::new("time.truncate(timestamp, duration) -> timestamp", "rounded down to a multiple", |call| {
        let (Value::Timestamp(at), Value::Duration(step)) = (call.value(0), call.value(1)) else {
            return Err(EvalError::NoSuchOverload);
        };
        time(call, at.truncate(Duration::from_nanos(step)))
    }),
    Function::new("time.toCron(timestamp) -> string", "`minute hour day month weekday`", |call| {
        let Value::Timestamp(at) = call.value(0) else { return Err(EvalError::NoSuchOverload) };
        call.give_text(&at.cron())
    }),
];

fn read<'v>(call: &Call<'_, 'v>, part: Part) -> Result<Value<'v>, EvalError> {
    let Value::Timestamp(at) = call.value(0) else { return Err(EvalError::NoSuchOverload) };
    let zone = if call.arguments.len() > 1 { zone(call.text(1)?)? } else { TimeZone::UTC };
    let at = Timestamp::from_nanosecond(at.nanos()).map_err(|_| EvalError::refused("timestamp overflow"))?;
    Ok(Value::Int(part(zone.to_datetime(at))))
}

/// `+01:00`, `-08:00`, `02:00`, or the name of a time zone.
fn zone(text: &str) -> Result<TimeZone, EvalError> {
    let unknown = || EvalError::refused(format!("unknown time zone {text}"));
    let Some((hours, minutes)) = text.split_once(':') else {
        return match text {
            "" | "UTC" => Ok(TimeZone::UTC),
            _ => TimeZone::get(text).map_err(|_| unknown()),
        };
    };
    let hours_value: i32 = hours.parse().map_err(|_| unknown())?;
    let minutes: i32 = minutes.parse().map_err(|_| unknown())?;
    let seconds = hours_value * 3600 + if hours.starts_with('-') { -minutes } else { minutes } * 60;
    Ok(TimeZone::fixed(Offset::from_seconds(seconds).map_err(|_| unknown())?))
}

fn total<'v>(call: &Call<'_, 'v>, unit: i64) -> Result<Value<'v>, EvalError> {
    match call.value(0) {
        Value::Duration(nanos) => Ok(Value::Int(nanos / unit)),
        _ => Err(EvalError::NoSuchOverload),
    }
}
