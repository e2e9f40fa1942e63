//! Points in time as Go reads and prints them: RFC 3339, and layouts such as `Mon, 02 Jan 2006 15:04:05 MST`.
//!
//! In: texts and layouts. Out: a [`Time`] that keeps the offset it was written with, or Go's text of what is wrong. The
//! calendar is the Gregorian one for all years, leap seconds don't exist.

use std::fmt;

use super::duration::{self, Duration};

/// The layout of RFC 3339.
pub(crate) const RFC_3339: &str = "2006-01-02T15:04:05Z07:00";

const SECONDS_OF_DAY: i64 = 86_400;
const NANOS_OF_SECOND: i128 = 1_000_000_000;
/// Seconds from the beginning of the year 1 to 1970.
const EPOCH: i128 = 62_135_596_800;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A point in time and the offset in which it prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    /// Nanoseconds since 1970, UTC.
    nanos: i128,
    /// Seconds east of UTC.
    offset: i64,
}

/// Why a text is no time, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parsing time {}{reason}", quote(value))]
pub(crate) struct TimeError {
    value: String,
    reason: String,
}

impl Time {
    /// A time in UTC.
    pub(crate) const fn from_nanos(nanos: i128) -> Self {
        Self { nanos, offset: 0 }
    }

    /// A time in UTC by whole seconds since 1970.
    pub(crate) const fn from_seconds(seconds: i64) -> Self {
        Self::from_nanos(seconds as i128 * NANOS_OF_SECOND)
    }

    /// Nanoseconds since 1970.
    pub(crate) const fn nanos(self) -> i128 {
        self.nanos
    }

    /// The same time in UTC.
    pub(crate) const fn utc(self) -> Self {
        Self { offset: 0, ..self }
    }

    /// The time a duration later.
    pub(crate) fn add(self, duration: Duration) -> Self {
        Self { nanos: self.nanos + i128::from(duration.nanos()), ..self }
    }

    /// The duration since another time, as long as a duration can be.
    pub(crate) fn since(self, other: Self) -> Duration {
        let nanos = (self.nanos - other.nanos).clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Duration::from_nanos(nanos as i64)
    }

    /// The time rounded down to a multiple of a duration since the beginning of the year 1, UTC.
    pub(crate) fn truncate(self, duration: Duration) -> Self {
        let step = i128::from(duration.nanos());
        if step <= 0 {
            return self;
        }
        Self { nanos: self.nanos - (self.nanos + EPOCH * NANOS_OF_SECOND).rem_euclid(step), ..self }
    }

    /// `minute hour day month weekday`, Sunday being 0, in the time's own offset.
    pub(crate) fn cron(self) -> String {
        let (days, seconds) = self.local();
        let (_, month, day) = civil(days);
        format!("{} {} {day} {month} {}", seconds / 60 % 60, seconds / 3600, (days + 4).rem_euclid(7))
    }

    /// Days since 1970 and seconds of the day, in the time's own offset.
    fn local(self) -> (i64, i64) {
        let seconds = self.nanos.div_euclid(NANOS_OF_SECOND) as i64 + self.offset;
        (seconds.div_euclid(SECONDS_OF_DAY), seconds.rem_euclid(SECONDS_OF_DAY))
    }
}

/// RFC 3339 without fractions of a second.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = self.local();
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.offset == 0 {
            return f.write_str("Z");
        }
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs() / 60;
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Days since 1970 of a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (month, day) = ((shifted + 2) % 12 + 1, of_year - (153 * shifted + 2) / 5 + 1);
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A piece of a layout that stands for a part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    HalfUpper,
    HalfLower,
    Abbreviation,
    Offset(OffsetForm),
    /// A fraction of a second with exactly so many digits.
    Fraction(usize),
    /// A fraction of a second, if there is one.
    AnyFraction,
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OffsetForm {
    /// `Z` may stand for none.
    zulu: bool,
    /// Between the numbers stand colons.
    colons: bool,
    /// How many numbers there are: hours, minutes, seconds.
    numbers: usize,
}

/// Splits a layout at its first part: literal text, the part and how it is written, the rest.
fn split(layout: &str) -> (&str, Option<(Part, &str)>, &str) {
    for (at, _) in layout.char_indices() {
        if let Some((skip, length, part)) = part_at(&layout[at..]) {
            let start = at + skip;
            return (&layout[..start], Some((part, &layout[start..start + length])), &layout[start + length..]);
        }
    }
    (layout, None, "")
}

/// The part at the beginning of a text: what to skip before it, its length, the part.
fn part_at(text: &str) -> Option<(usize, usize, Part)> {
    let word = |word: &str| text.starts_with(word);
    let followed_by_lower = |at: usize| text[at..].starts_with(|c: char| c.is_ascii_lowercase());
    let found = |length, part| Some((0, length, part));
    match text.as_bytes() {
        [b'J', ..] if word("January") => found(7, Part::LongMonth),
        [b'J', ..] if word("Jan") && !followed_by_lower(3) => found(3, Part::Month),
        [b'M', ..] if word("Monday") => found(6, Part::LongWeekday),
        [b'M', ..] if word("Mon") && !followed_by_lower(3) => found(3, Part::Weekday),
        [b'M', ..] if word("MST") => found(3, Part::Abbreviation),
        [b'0', b'0', b'2', ..] => found(3, Part::ZeroYearDay),
        [b'0', b'1', ..] => found(2, Part::ZeroMonth),
        [b'0', b'2', ..] => found(2, Part::ZeroDay),
        [b'0', b'3', ..] => found(2, Part::ZeroHour12),
        [b'0', b'4', ..] => found(2, Part::ZeroMinute),
        [b'0', b'5', ..] => found(2, Part::ZeroSecond),
        [b'0', b'6', ..] => found(2, Part::Year),
        [b'1', b'5', ..] => found(2, Part::Hour),
        [b'1', ..] => found(1, Part::NumMonth),
        [b'2', ..] if word("2006") => found(4, Part::LongYear),
        [b'2', ..] => found(1, Part::Day),
        [b'_', ..] if word("_2006") => Some((1, 4, Part::LongYear)),
        [b'_', b'2', ..] => found(2, Part::UnderDay),
        [b'_', b'_', b'2', ..] => found(3, Part::UnderYearDay),
        [b'3', ..] => found(1, Part::Hour12),
        [b'4', ..] => found(1, Part::Minute),
        [b'5', ..] => found(1, Part::Second),
        [b'P', b'M', ..] => found(2, Part::HalfUpper),
        [b'p', b'm', ..] => found(2, Part::HalfLower),
        [first @ (b'-' | b'Z'), ..] => {
            let forms =
                [("070000", false, 3), ("07:00:00", true, 3), ("0700", false, 2), ("07:00", true, 2), ("07", false, 1)];
            let (form, colons, numbers) = forms.into_iter().find(|(form, ..)| text[1..].starts_with(form))?;
            found(form.len() + 1, Part::Offset(OffsetForm { zulu: *first == b'Z', colons, numbers }))
        }
        [b'.' | b',', digit @ (b'0' | b'9'), ..] => {
            let length = text[1..].bytes().take_while(|it| it == digit).count();
            if text[1 + length..].starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            found(length + 1, if *digit == b'0' { Part::Fraction(length) } else { Part::AnyFraction })
        }
        _ => None,
    }
}

/// What was read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    afternoon: Option<bool>,
    offset: Option<i64>,
    /// Seconds east of UTC that a name of a zone shows.
    shown: i64,
}

/// What one part came to: the rest of the text, or that it doesn't fit.
enum Bad {
    /// The text is of another form.
    Form,
    /// A number is too large; of what.
    Range(&'static str),
}

fn quote(text: &str) -> String {
    duration::quote(text.as_bytes())
}

/// Reads a time by a layout.
pub(crate) fn parse(layout: &str, value: &str) -> Result<Time, TimeError> {
    let error = |reason: String| TimeError { value: value.to_owned(), reason };
    let cannot = |rest: &str, what: &str| {
        error(format!(" as {}: cannot parse {} as {}", quote(layout), quote(rest), quote(what)))
    };
    let mut fields = Fields::default();
    let (mut layout_rest, mut rest) = (layout, value);
    loop {
        let (literal, part, next) = split(layout_rest);
        rest = skip(rest, literal).map_err(|rest| cannot(rest, literal))?;
        let Some((part, written)) = part else { break };
        rest = match read(part, rest, next, &mut fields) {
            Ok(rest) => rest,
            Err(Bad::Form) => return Err(cannot(rest, written)),
            Err(Bad::Range(what)) => return Err(error(format!(": {what} out of range"))),
        };
        layout_rest = next;
    }
    if !rest.is_empty() {
        return Err(error(format!(": extra text: {}", quote(rest))));
    }
    finish(&fields).map_err(|what| error(format!(": {what} out of range")))
}

/// Skips literal text; blanks in it stand for any number of blanks. `Err` holds what stands where the two part.
fn skip<'t>(mut text: &'t str, literal: &str) -> Result<&'t str, &'t str> {
    let mut literal = literal;
    while let Some(c) = literal.chars().next() {
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(text);
            }
            literal = literal.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(c).ok_or(text)?;
        literal = &literal[c.len_utf8()..];
    }
    Ok(text)
}

/// A number of at most two digits, or of exactly two.
fn number(text: &str, exact: bool) -> Result<(i64, &str), Bad> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if digits == 0 || (exact && digits < 2) {
        return Err(Bad::Form);
    }
    Ok((text[..digits].parse().map_err(|_| Bad::Form)?, &text[digits..]))
}

fn ranged<'t>(text: &'t str, exact: bool, limit: i64, what: &'static str) -> Result<(i64, &'t str), Bad> {
    let (number, rest) = number(text, exact)?;
    if number >= limit { Err(Bad::Range(what)) } else { Ok((number, rest)) }
}

fn exactly(text: &str, n: usize) -> Result<(i64, &str), Bad> {
    let digits = text.get(..n).filter(|it| it.bytes().all(|it| it.is_ascii_digit())).ok_or(Bad::Form)?;
    Ok((digits.parse().map_err(|_| Bad::Form)?, &text[n..]))
}

/// The position of a name, of which only `length` letters may stand there.
fn named<'t>(text: &'t str, names: &[&str], length: Option<usize>) -> Result<(i64, &'t str), Bad> {
    let fits = |name: &str| {
        let name = &name[..length.unwrap_or(name.len())];
        text.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name))
    };
    let at = names.iter().position(|name| fits(name)).ok_or(Bad::Form)?;
    Ok((at as i64, &text[length.unwrap_or(names[at].len())..]))
}

fn fraction(text: &str, n: usize) -> Result<(i64, &str), Bad> {
    let written = text.strip_prefix(['.', ',']).and_then(|it| it.get(..n)).ok_or(Bad::Form)?;
    let digits = Some(written).filter(|it| it.bytes().all(|it| it.is_ascii_digit())).ok_or(Bad::Form)?;
    let kept = &digits[..n.min(9)];
    let nanos: i64 = kept.parse().map_err(|_| Bad::Form)?;
    Ok((nanos * 10_i64.pow(9 - kept.len() as u32), &text[n + 1..]))
}

/// Digits of a fraction that stands here.
fn fraction_digits(text: &str) -> usize {
    if text.starts_with(['.', ',']) { text[1..].bytes().take_while(u8::is_ascii_digit).count() } else { 0 }
}

fn read<'t>(part: Part, text: &'t str, next: &str, fields: &mut Fields) -> Result<&'t str, Bad> {
    let (value, rest) = match part {
        Part::LongYear => exactly(text, 4)?,
        Part::Year => {
            let (year, rest) = exactly(text, 2)?;
            (if year >= 69 { year + 1900 } else { year + 2000 }, rest)
        }
        Part::LongMonth => named(text, &MONTHS, None)?,
        Part::Month => named(text, &MONTHS, Some(3))?,
        Part::LongWeekday => named(text, &WEEKDAYS, None)?,
        Part::Weekday => named(text, &WEEKDAYS, Some(3))?,
        Part::NumMonth | Part::ZeroMonth => {
            let (month, rest) = number(text, part == Part::ZeroMonth)?;
            if !(1..=12).contains(&month) {
                return Err(Bad::Range("month"));
            }
            (month - 1, rest)
        }
        Part::Day | Part::UnderDay | Part::ZeroDay => {
            let text = if part == Part::UnderDay { text.strip_prefix(' ').unwrap_or(text) } else { text };
            number(text, part == Part::ZeroDay)?
        }
        Part::UnderYearDay | Part::ZeroYearDay => {
            let blanks =
                if part == Part::UnderYearDay { text.bytes().take(2).take_while(|it| *it == b' ').count() } else { 0 };
            exactly(&text[blanks..], 3 - blanks)?
        }
        Part::Hour => ranged(text, false, 24, "hour")?,
        Part::Hour12 | Part::ZeroHour12 => ranged(text, part == Part::ZeroHour12, 13, "hour")?,
        Part::Minute | Part::ZeroMinute => ranged(text, part == Part::ZeroMinute, 60, "minute")?,
        Part::Second | Part::ZeroSecond => ranged(text, part == Part::ZeroSecond, 60, "second")?,
        Part::HalfUpper | Part::HalfLower => {
            let halves = if part == Part::HalfUpper { ["AM", "PM"] } else { ["am", "pm"] };
            let at = halves.iter().position(|half| text.starts_with(half)).ok_or(Bad::Form)?;
            (at as i64, &text[2..])
        }
        Part::Abbreviation => {
            let length = zone_name(text).ok_or(Bad::Form)?;
            let hours = text[..length].strip_prefix("GMT").and_then(|hours| hours.parse().ok());
            (hours.unwrap_or(0), &text[length..])
        }
        Part::Offset(form) => offset(text, form)?,
        Part::Fraction(n) => fraction(text, n)?,
        Part::AnyFraction => match fraction_digits(text) {
            0 => return Ok(text),
            n => fraction(text, n)?,
        },
    };
    match part {
        Part::LongYear | Part::Year => fields.year = value,
        Part::LongMonth | Part::Month | Part::NumMonth | Part::ZeroMonth => fields.month = Some(value + 1),
        Part::LongWeekday | Part::Weekday => {}
        Part::Day | Part::UnderDay | Part::ZeroDay => fields.day = Some(value),
        Part::UnderYearDay | Part::ZeroYearDay => fields.year_day = Some(value),
        Part::Hour | Part::Hour12 | Part::ZeroHour12 => fields.hour = value,
        Part::Minute | Part::ZeroMinute => fields.minute = value,
        Part::Second | Part::ZeroSecond => {
            fields.second = value;
            // A fraction may follow the seconds although the layout doesn't say so.
            let expected = matches!(split(next), ("", Some((Part::Fraction(_) | Part::AnyFraction, _)), _));
            let n = fraction_digits(rest);
            if !expected && n > 0 {
                let (nanos, rest) = fraction(rest, n)?;
                fields.nanos = nanos;
                return Ok(rest);
            }
        }
        Part::HalfUpper | Part::HalfLower => fields.afternoon = Some(value == 1),
        Part::Abbreviation => {
            fields.shown = value * 3600;
        }
        Part::Offset(_) => fields.offset = Some(value),
        Part::Fraction(_) | Part::AnyFraction => fields.nanos = value,
    }
    Ok(rest)
}

/// The length of the name of a time zone, of which Go knows only how they look.
fn zone_name(text: &str) -> Option<usize> {
    // Hours without a name, or behind `GMT`.
    let hours = |text: &str| {
        let digits = text.strip_prefix(['+', '-'])?.bytes().take_while(u8::is_ascii_digit).count();
        let in_day = text.get(1..=digits)?.parse::<u32>().is_ok_and(|hours| hours <= 23);
        in_day.then_some(digits + 1)
    };
    if text.starts_with("UTC") {
        return Some(3);
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + hours(rest).unwrap_or(0));
    }
    if text.starts_with(['+', '-']) && text.len() >= 3 {
        return hours(text);
    }
    match text.bytes().take(6).take_while(u8::is_ascii_uppercase).count() {
        3 => Some(3),
        4 if text[3..].starts_with('T') || text.starts_with("WITA") => Some(4),
        5 if text[4..].starts_with('T') => Some(5),
        _ => None,
    }
}

fn offset(text: &str, form: OffsetForm) -> Result<(i64, &str), Bad> {
    if let Some(rest) = text.strip_prefix('Z').filter(|_| form.zulu) {
        return Ok((0, rest));
    }
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(Bad::Form),
    };
    let mut rest = &text[1..];
    let mut values = [0; 3];
    // The form counts before the range of any part.
    for (index, value) in values.iter_mut().take(form.numbers).enumerate() {
        if form.colons && index > 0 {
            rest = rest.strip_prefix(':').ok_or(Bad::Form)?;
        }
        (*value, rest) = exactly(rest, 2)?;
    }
    let mut total = 0;
    let units =
        [(3600, 25, "time zone offset hour"), (60, 60, "time zone offset minute"), (1, 60, "time zone offset second")];
    for (value, (unit, limit, what)) in values.into_iter().zip(units) {
        if value >= limit {
            return Err(Bad::Range(what));
        }
        total += value * unit;
    }
    Ok((sign * total, rest))
}

/// Puts the fields together; the error names what is out of range.
fn finish(fields: &Fields) -> Result<Time, &'static str> {
    let hour = match fields.afternoon {
        Some(true) if fields.hour < 12 => fields.hour + 12,
        Some(false) if fields.hour == 12 => 0,
        _ => fields.hour,
    };
    let date = if let Some(day) = fields.year_day {
        if day < 1 || day > 365 + i64::from(is_leap(fields.year)) {
            return Err("day-of-year");
        }
        days(fields.year, 1, 1) + day - 1
    } else {
        let (month, day) = (fields.month.unwrap_or(1), fields.day.unwrap_or(1));
        if day < 1 || day > days_in(fields.year, month) {
            return Err("day");
        }
        days(fields.year, month, day)
    };
    let east = fields.offset.unwrap_or(0);
    let seconds = date * SECONDS_OF_DAY + hour * 3600 + fields.minute * 60 + fields.second - east;
    // Go: the hours behind `GMT` change how a time is shown, not which it is.
    let offset = fields.offset.unwrap_or(fields.shown);
    Ok(Time { nanos: i128::from(seconds) * NANOS_OF_SECOND + i128::from(fields.nanos), offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(layout: &str, value: &str) -> String {
        match parse(layout, value) {
            Ok(time) => time.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn rfc_3339_keeps_its_offset() {
        for (value, expected) in [
            ("2023-01-02T15:04:05Z", "2023-01-02T15:04:05Z"),
            ("2023-01-02T15:04:05.999+05:30", "2023-01-02T15:04:05+05:30"),
            ("2023-01-02T15:04:05+00:00", "2023-01-02T15:04:05Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("2024-02-29T23:59:59-08:00", "2024-02-29T23:59:59-08:00"),
            ("2023-02-29T00:00:00Z", "parsing time \"2023-02-29T00:00:00Z\": day out of range"),
            ("2023-13-01T00:00:00Z", "parsing time \"2023-13-01T00:00:00Z\": month out of range"),
            ("2023-01-02", "parsing time \"2023-01-02\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\""),
            ("2023-01-02T15:04:05Zx", "parsing time \"2023-01-02T15:04:05Zx\": extra text: \"x\""),
        ] {
            assert_eq!(read(RFC_3339, value), expected);
        }
    }

    #[test]
    fn layouts_name_the_parts_of_a_time() {
        for (layout, value, expected) in [
            ("Mon, 02 Jan 2006 15:04:05 MST", "Fri, 22 Jun 2012 17:22:00 UTC", "2012-06-22T17:22:00Z"),
            ("Mon Jan _2 15:04:05 2006", "Fri Jun  1 07:02:03 2012", "2012-06-01T07:02:03Z"),
            ("2006-01-02", "2021-12-31", "2021-12-31T00:00:00Z"),
            ("3:04PM", "4:05PM", "0000-01-01T16:05:00Z"),
            ("January 2, 06 at 15h", "march 9, 70 at 7h", "1970-03-09T07:00:00Z"),
            ("02 Jan 06 15:04 -0700", "02 Jan 23 10:11 +0200", "2023-01-02T10:11:00+02:00"),
            ("2006-002", "2024-366", "2024-12-31T00:00:00Z"),
            ("15:04:05.000", "01:02:03.456", "0000-01-01T01:02:03Z"),
        ] {
            assert_eq!(read(layout, value), expected, "{layout}");
        }
    }

    #[test]
    fn what_is_no_time_is_said_as_go_says_it() {
        for (layout, text, said) in [
            (RFC_3339, "2023-01-02", r#" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#),
            (RFC_3339, "x", r#" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006""#),
            (RFC_3339, "2023-13-02T15:04:05Z", ": month out of range"),
            (RFC_3339, "2023-02-30T15:04:05Z", ": day out of range"),
            (RFC_3339, "2023-01-02T15:04:05Z.", r#": extra text: ".""#),
            (RFC_3339, "2023-01-02T15:04:05-31", r#" as "2006-01-02T15:04:05Z07:00": cannot parse "-31" as "Z07:00""#),
            ("15:04 MST", "16:05 x", r#" as "15:04 MST": cannot parse "x" as "MST""#),
            ("5 \u{e9}", "5  \u{e8}", r#" as "5 \xc3\xa9": cannot parse "\xc3\xa8" as " \xc3\xa9""#),
            ("05.000", "0512345", r#" as "05.000": cannot parse "12345" as ".000""#),
        ] {
            let said = format!("parsing time {}{said}", quote(text));
            assert_eq!(parse(layout, text).map_err(|error| error.to_string()), Err(said));
        }
        let shown = |text| parse("2 MST", text).map(|time| time.to_string()).map_err(|error| error.to_string());
        for (text, expected) in [
            ("2 GMT+3", "0000-01-02T03:00:00+03:00"),
            ("2 MEST", "0000-01-02T00:00:00Z"),
            ("2 CHADT", "0000-01-02T00:00:00Z"),
            ("2 +05", "0000-01-02T00:00:00Z"),
        ] {
            assert_eq!(shown(text), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn arithmetic_is_exact() {
        let time = parse(RFC_3339, "2023-01-02T15:04:05+05:30").expect("a time");
        let hours = |hours: i64| Duration::from_nanos(hours * 3_600_000_000_000);
        assert_eq!(time.truncate(hours(24)).to_string(), "2023-01-02T05:30:00+05:30");
        assert_eq!(time.add(hours(-24)).utc().to_string(), "2023-01-01T09:34:05Z");
        assert_eq!(time.add(hours(1)).since(time).to_string(), "1h0m0s");
        assert_eq!(time.cron(), "4 15 2 1 1");
        assert_eq!(Time::from_seconds(1_700_000_000).to_string(), "2023-11-14T22:13:20Z");
        for days_since in [-1_000_000, -719_468, -1, 0, 59, 11_016, 1_000_000] {
            let (year, month, day) = civil(days_since);
            assert_eq!(days(year, month, day), days_since);
        }
    }
}
