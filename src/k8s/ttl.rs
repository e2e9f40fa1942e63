//! How long an object lives: the values of the label `cleanup.kyverno.io/ttl`.
//!
//! A value is a duration, which counts from when the object is made, or a point in time. Durations have more units than
//! Go's, with long names; times have no colons, since values of labels can't. What is neither is never due.

/// When an object is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ttl {
    /// So many seconds after it is made.
    After(f64),
    /// At a point in time, in nanoseconds since 1970.
    At(i128),
}

/// Units and their seconds.
const UNITS: [(&[&str], f64); 8] = [
    (&["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1e-9),
    (&["us", "\u{b5}s", "\u{3bc}s", "micro", "micros", "microsecond", "microseconds"], 1e-6),
    (&["ms", "milli", "millis", "millisecond", "milliseconds"], 1e-3),
    (&["s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hr", "hrs", "hour", "hours"], 3600.0),
    (&["d", "day", "days"], 86400.0),
    (&["w", "week", "weeks"], 604_800.0),
];

/// Reads a value; `None` for one that is never due.
pub(crate) fn parse(text: &str) -> Option<Ttl> {
    duration(text).map(Ttl::After).or_else(|| time(text).map(Ttl::At))
}

fn duration(text: &str) -> Option<f64> {
    let text = text.trim();
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Some(0.0);
    }
    let mut total = 0.0;
    loop {
        rest = rest.trim_start();
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let end = rest.find(|it: char| !it.is_alphabetic()).unwrap_or(rest.len());
        let (_, seconds) = UNITS.iter().find(|(names, _)| names.contains(&&rest[..end]))?;
        total += number * seconds;
        rest = &rest[end..];
        if rest.trim().is_empty() {
            return Some(sign * total);
        }
    }
}

/// `2006-01-02T150405Z` or `2006-01-02`.
fn time(text: &str) -> Option<i128> {
    let time = match text.len() {
        18 => jiff::civil::DateTime::strptime("%Y-%m-%dT%H%M%SZ", text).ok()?,
        10 => jiff::civil::Date::strptime("%Y-%m-%d", text).ok()?.at(0, 0, 0, 0),
        _ => return None,
    };
    Some(jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?.as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_read() {
        for (text, expected) in [
            ("0", Some(Ttl::After(0.0))),
            ("90s", Some(Ttl::After(90.0))),
            ("1h30m", Some(Ttl::After(5400.0))),
            ("1.5h", Some(Ttl::After(5400.0))),
            ("2d", Some(Ttl::After(172_800.0))),
            ("1w 2days", Some(Ttl::After(777_600.0))),
            ("3 minutes", Some(Ttl::After(180.0))),
            ("-5m", Some(Ttl::After(-300.0))),
            ("2026-01-01", Some(Ttl::At(1_767_225_600_000_000_000))),
            ("2026-01-01T000001Z", Some(Ttl::At(1_767_225_601_000_000_000))),
            ("", None),
            ("5", None),
            ("h", None),
            ("1y", None),
            ("1h30", None),
            ("..1h", None),
            ("tomorrow", None),
            ("2026-13-01", None),
            ("2026-01-01T00:00:01Z", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
