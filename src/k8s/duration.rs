//! Durations as Go reads and writes them: `1h30m`, `1.5s`, `-2m`, `300µs`.
//!
//! The grammar is that of Go's `time.ParseDuration`: an optional sign, then one or more numbers each with a unit of
//! `ns us µs μs ms s m h`, or a lone `0`. There is no day. Values are nanoseconds in 64 bits with sign; what does not fit
//! is no duration.

use std::fmt;

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Duration(i64);

const NANOSECOND: u64 = 1;
const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// Magnitude of the smallest duration.
const LIMIT: u64 = 1 << 63;

/// Why a text is no duration; prints as Go says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DurationError<'t> {
    text: &'t str,
    wrong: Wrong<'t>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong<'t> {
    /// Another form, or out of bounds.
    Form,
    /// A number without a unit.
    NoUnit,
    /// A unit that there is not.
    Unit(&'t [u8]),
}

impl fmt::Display for DurationError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = quote(self.text.as_bytes());
        match self.wrong {
            Wrong::Form => write!(f, "time: invalid duration {text}"),
            Wrong::NoUnit => write!(f, "time: missing unit in duration {text}"),
            Wrong::Unit(unit) => write!(f, "time: unknown unit {} in duration {text}", quote(unit)),
        }
    }
}

/// A text between quotes, as the errors of Go's package `time` show it: whatever is not printable ASCII by its bytes.
pub(super) fn quote(text: &[u8]) -> String {
    use fmt::Write as _;
    let mut out = String::from("\"");
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=0x7f => out.push(char::from(byte)),
            // Writing to a string doesn't fail.
            _ => _ = write!(out, "\\x{byte:02x}"),
        }
    }
    out.push('"');
    out
}

/// Reads a duration; `None` when the text is none or does not fit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    read(text).ok()
}

/// Reads a duration, or says what is wrong with the text.
pub(crate) fn read(text: &str) -> Result<Duration, DurationError<'_>> {
    parse_bytes(text.as_bytes()).map_err(|wrong| DurationError { text, wrong })
}

fn parse_bytes(text: &[u8]) -> Result<Duration, Wrong<'_>> {
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if rest == b"0" {
        return Ok(Duration(0));
    }
    if rest.is_empty() {
        return Err(Wrong::Form);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, whole_len) = leading_integer(rest).ok_or(Wrong::Form)?;
        rest = &rest[whole_len..];
        let (mut fraction, mut scale, mut fraction_len) = (0, 1.0, 0);
        if let [b'.', after @ ..] = rest {
            (fraction, scale, fraction_len) = leading_fraction(after);
            rest = &after[fraction_len..];
        }
        if whole_len == 0 && fraction_len == 0 {
            return Err(Wrong::Form);
        }
        let unit_len = rest.iter().position(|byte| *byte == b'.' || byte.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..unit_len] {
            b"ns" => NANOSECOND,
            // U+00B5 micro sign and U+03BC Greek letter mu.
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => MICROSECOND,
            b"ms" => MILLISECOND,
            b"s" => SECOND,
            b"m" => MINUTE,
            b"h" => HOUR,
            b"" => return Err(Wrong::NoUnit),
            unit => return Err(Wrong::Unit(unit)),
        };
        rest = &rest[unit_len..];
        if whole > LIMIT / unit {
            return Err(Wrong::Form);
        }
        let mut part = whole * unit;
        if fraction > 0 {
            part += (fraction as f64 * (unit as f64 / scale)) as u64;
            if part > LIMIT {
                return Err(Wrong::Form);
            }
        }
        // Go: the sum is checked after the addition, and two halves of 2⁶⁴ wrap to nothing.
        total = total.wrapping_add(part);
        if total > LIMIT {
            return Err(Wrong::Form);
        }
    }
    if negative {
        return Ok(Duration((total as i64).wrapping_neg()));
    }
    i64::try_from(total).map(Duration).map_err(|_| Wrong::Form)
}

fn leading_integer(text: &[u8]) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    let mut len = 0;
    while let Some(digit) = text.get(len).filter(|byte| byte.is_ascii_digit()) {
        if value > LIMIT / 10 {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
        if value > LIMIT {
            return None;
        }
        len += 1;
    }
    Some((value, len))
}

/// Digits after the point: their value, the power of ten to divide by, and their number. Digits that no longer fit are
/// read and ignored.
fn leading_fraction(text: &[u8]) -> (u64, f64, usize) {
    let (mut value, mut scale, mut len, mut full) = (0u64, 1.0, 0, false);
    while let Some(digit) = text.get(len).filter(|byte| byte.is_ascii_digit()) {
        len += 1;
        if full || value > (LIMIT - 1) / 10 {
            full = true;
            continue;
        }
        let next = value * 10 + u64::from(digit - b'0');
        if next > LIMIT {
            full = true;
            continue;
        }
        value = next;
        scale *= 10.0;
    }
    (value, scale, len)
}

impl Duration {
    /// A number of nanoseconds.
    pub(crate) const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A number of seconds whose fraction is dropped, as Go converts: what does not fit wraps around.
    pub(crate) fn from_whole_seconds(seconds: f64) -> Self {
        // Go: on amd64 a float outside the range of 64-bit integers becomes the smallest one.
        let seconds = if (-LIMIT_FLOAT..LIMIT_FLOAT).contains(&seconds) { seconds as i64 } else { i64::MIN };
        Self(seconds.wrapping_mul(SECOND as i64))
    }

    /// Nanoseconds.
    pub(crate) const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds with fraction.
    pub(crate) fn seconds(self) -> f64 {
        let whole = self.0 / SECOND as i64;
        let rest = self.0 % SECOND as i64;
        whole as f64 + rest as f64 / 1e9
    }

    /// The sum, if it fits.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, if it fits.
    pub(crate) fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The remainder with the sign of `self`; `None` for a zero divisor.
    pub(crate) fn checked_rem(self, other: Self) -> Option<Self> {
        if other.0 == 0 { None } else { Some(Self(self.0.wrapping_rem(other.0))) }
    }

    /// The product with a number, the fraction of a nanosecond dropped; `None` when it does not fit.
    pub(crate) fn scaled(self, factor: f64) -> Option<Self> {
        float_nanos(self.0 as f64 * factor)
    }

    /// The quotient by a number, the fraction of a nanosecond dropped; `None` when it does not fit.
    pub(crate) fn divided(self, divisor: f64) -> Option<Self> {
        float_nanos(self.0 as f64 / divisor)
    }
}

const LIMIT_FLOAT: f64 = 9_223_372_036_854_775_808.0;

fn float_nanos(nanos: f64) -> Option<Duration> {
    (-LIMIT_FLOAT..LIMIT_FLOAT).contains(&nanos).then_some(Duration(nanos as i64))
}

/// As Go prints durations: `1h0m0s`, `8m34.285714285s`, `1.5ms`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => return f.write_str("0s"),
            1..MICROSECOND => return write!(f, "{nanos}ns"),
            MICROSECOND..MILLISECOND => return write_decimal(f, nanos, 3, "µs"),
            MILLISECOND..SECOND => return write_decimal(f, nanos, 6, "ms"),
            _ => {}
        }
        if nanos >= HOUR {
            write!(f, "{}h", nanos / HOUR)?;
        }
        if nanos >= MINUTE {
            write!(f, "{}m", nanos / MINUTE % 60)?;
        }
        write_decimal(f, nanos % MINUTE, 9, "s")
    }
}

/// Writes `value / 10^places` without trailing zeros.
fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, places: u32, unit: &str) -> fmt::Result {
    let scale = 10u64.pow(places);
    write!(f, "{}", value / scale)?;
    let fraction = value % scale;
    if fraction != 0 {
        let digits = format!("{fraction:0width$}", width = places as usize);
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_duration_is_said_as_go_says_it() {
        for (text, said) in [
            ("", r#"time: invalid duration """#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("1", r#"time: missing unit in duration "1""#),
            ("0m0", r#"time: missing unit in duration "0m0""#),
            (".s", r#"time: invalid duration ".s""#),
            ("1 h", r#"time: unknown unit " h" in duration "1 h""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("1\u{e9}\"", r#"time: unknown unit "\xc3\xa9\"" in duration "1\xc3\xa9\"""#),
        ] {
            assert_eq!(read(text).map_err(|error| error.to_string()), Err(said.to_owned()));
        }
    }

    #[test]
    fn table() {
        for (text, expected) in [
            ("0", Some("0s")),
            ("-0", Some("0s")),
            ("+5s", Some("5s")),
            ("60m", Some("1h0m0s")),
            ("1h30m", Some("1h30m0s")),
            ("1.5h", Some("1h30m0s")),
            (".5s", Some("500ms")),
            ("1.s", Some("1s")),
            ("-2m", Some("-2m0s")),
            ("3µs", Some("3µs")),
            ("3μs", Some("3µs")),
            ("3us", Some("3µs")),
            ("1.5ms", Some("1.5ms")),
            ("7ns", Some("7ns")),
            ("514.285714285s", Some("8m34.285714285s")),
            ("1h1h", Some("2h0m0s")),
            ("1m1h", Some("1h1m0s")),
            ("9223372036854775807ns", Some("2562047h47m16.854775807s")),
            ("-9223372036854775808ns", Some("-2562047h47m16.854775808s")),
            ("0.3333333333333333333h", Some("20m0s")),
            ("0.9223372036854775807h", Some("55m20.413933267s")),
            ("9223372036854775808ns", None),
            ("3000000h", None),
            ("9223372036854775.808us", None),
            ("", None),
            ("-", None),
            ("10", None),
            ("1d", None),
            ("1 h", None),
            (".s", None),
            ("1h 30m", None),
            ("h", None),
            ("1e3s", None),
            ("--1s", None),
            ("abc", None),
        ] {
            assert_eq!(parse(text).map(|it| it.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn seconds_lose_their_fraction() {
        assert_eq!(Duration::from_whole_seconds(60.9), parse("1m").expect("a duration"));
        assert_eq!(parse("1h").expect("a duration").scaled(1.5).map(|it| it.to_string()).as_deref(), Some("1h30m0s"));
    }

    proptest! {
        #[test]
        fn written_durations_read_back(nanos in any::<i64>()) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&duration.to_string()), Some(duration));
        }

        #[test]
        fn never_panics(text in "[-+.0-9hmsnuµ]{0,24}") {
            let _ = parse(&text);
        }
    }
}
