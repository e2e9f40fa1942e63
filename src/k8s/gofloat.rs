//! Floats as Go reads and writes them: `strconv.ParseFloat` and the verbs `%v`, `%f` and `%E`.
//!
//! Reading allows `inf`, `infinity` and `nan` in any case, underscores between digits, and hexadecimal with a `p`
//! exponent. A number beyond the range of 64-bit floats is an error in Go, so it is none here.

/// Reads a float; `None` when the text is none or out of range.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    // The common case is a plain decimal, and everything Rust reads as one Go reads alike.
    if bytes.first().is_some_and(u8::is_ascii_digit) && bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        return text.parse().ok().filter(|value: &f64| value.is_finite());
    }
    let (negative, signed, rest) = match bytes {
        [b'-', rest @ ..] => (true, true, rest),
        [b'+', rest @ ..] => (false, true, rest),
        rest => (false, false, rest),
    };
    let magnitude = if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
        f64::INFINITY
    } else if rest.eq_ignore_ascii_case(b"nan") {
        return (!signed).then_some(f64::NAN);
    } else {
        number(rest)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn number(text: &[u8]) -> Option<f64> {
    let hex = matches!(text, [b'0', b'x' | b'X', ..]);
    let digits = if hex { &text[2..] } else { text };
    let is_digit = |byte: u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    let exponent_mark = if hex { b'p' } else { b'e' };

    let mut cleaned = String::with_capacity(digits.len());
    let mut point = false;
    let mut any_digit = false;
    // A base prefix counts as a digit before an underscore.
    let mut previous_is_digit = hex;
    let mut underscore_open = false;
    let mut it = digits.iter().copied().peekable();
    while let Some(byte) = it.peek().copied() {
        if byte == b'_' {
            if !previous_is_digit {
                return None;
            }
            (previous_is_digit, underscore_open) = (false, true);
        } else if is_digit(byte) {
            cleaned.push(byte as char);
            any_digit = true;
            (previous_is_digit, underscore_open) = (true, false);
        } else if byte == b'.' && !point && !underscore_open {
            cleaned.push('.');
            point = true;
            previous_is_digit = false;
        } else {
            break;
        }
        it.next();
    }
    if !any_digit || underscore_open {
        return None;
    }
    let mut exponent: i64 = 0;
    let mut has_exponent = false;
    if it.peek().is_some_and(|byte| byte.to_ascii_lowercase() == exponent_mark) {
        it.next();
        has_exponent = true;
        let mut negative = false;
        if let Some(sign) = it.next_if(|byte| matches!(byte, b'+' | b'-')) {
            negative = sign == b'-';
        }
        let (mut any, mut open) = (false, false);
        for byte in it.by_ref() {
            match byte {
                b'0'..=b'9' => {
                    exponent = (exponent * 10 + i64::from(byte - b'0')).min(1_000_000);
                    (any, open) = (true, false);
                }
                b'_' if any && !open => open = true,
                _ => return None,
            }
        }
        if !any || open {
            return None;
        }
        if negative {
            exponent = -exponent;
        }
    }
    if it.next().is_some() {
        return None;
    }
    let value = if hex {
        if !has_exponent {
            return None;
        }
        hexadecimal(&cleaned, exponent)
    } else {
        format!("{cleaned}e{exponent}").parse().ok()?
    };
    value.is_finite().then_some(value)
}

/// The value of hexadecimal digits with an optional point, times two to the `exponent`, rounded to nearest even.
fn hexadecimal(digits: &str, exponent: i64) -> f64 {
    let mut mantissa: u64 = 0;
    let mut exponent = exponent;
    let mut after_point = false;
    let mut lost = false;
    for digit in digits.chars() {
        let Some(value) = digit.to_digit(16) else {
            after_point = true;
            continue;
        };
        if mantissa >> 58 == 0 {
            mantissa = mantissa << 4 | u64::from(value);
            exponent -= if after_point { 4 } else { 0 };
        } else {
            lost |= value != 0;
            exponent += if after_point { 0 } else { 4 };
        }
    }
    if mantissa == 0 {
        return 0.0;
    }
    // Bring the mantissa to 62 bits, so that the bits to round away are below bit 10, sticky bit included.
    let shift = i64::from(mantissa.leading_zeros()) - 2;
    let (mantissa, exponent) = (mantissa << shift | u64::from(lost), exponent - shift);
    // Exponent of the last bit that the result can hold.
    let last = (exponent + 62 - 53).max(-1074);
    let drop = last - exponent;
    if drop > 63 {
        return 0.0;
    }
    let kept = mantissa >> drop;
    let rest = mantissa & ((1 << drop) - 1);
    let half = 1u64 << (drop - 1);
    let kept = kept + u64::from(rest > half || (rest == half && kept & 1 == 1));
    if last > 1023 {
        return f64::INFINITY;
    }
    let mut value = kept as f64;
    let mut power = last;
    while power > 0 {
        let step = power.min(1000);
        value *= 2f64.powi(step as i32);
        power -= step;
    }
    while power < 0 {
        let step = power.max(-1000);
        value *= 2f64.powi(step as i32);
        power -= step;
    }
    value
}

/// A float as Go's `%v` prints it: the shortest digits, with an exponent below 1e-4 and from 1e+06 on. `999999`, `1e+06`,
/// `1.234567e+06`, `123456.7`, `1e-05`.
pub(crate) fn general(value: f64) -> String {
    let Some((negative, digits, exponent)) = shortest(value) else { return special(value) };
    if !(-4..6).contains(&exponent) {
        return scientific(negative, &digits, exponent, 'e');
    }
    format!("{value}")
}

/// A float in exponent form with an upper-case `E` and the shortest digits: `8.08E+03`, `5E+00`.
pub(crate) fn exponent(value: f64) -> String {
    match shortest(value) {
        Some((negative, digits, exponent)) => scientific(negative, &digits, exponent, 'E'),
        None => special(value),
    }
}

/// A float in plain decimal with the shortest digits and never an exponent.
pub(crate) fn plain(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { special(value) }
}

fn special(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value > 0.0 {
        "+Inf".to_owned()
    } else {
        "-Inf".to_owned()
    }
}

/// Sign, shortest digits and decimal exponent of a finite float.
fn shortest(value: f64) -> Option<(bool, String, i32)> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{:e}", value.abs());
    let (digits, exponent) = text.split_once('e')?;
    Some((value.is_sign_negative(), digits.to_owned(), exponent.parse().ok()?))
}

fn scientific(negative: bool, digits: &str, exponent: i32, mark: char) -> String {
    let sign = if negative { "-" } else { "" };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{digits}{mark}{exponent_sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reading() {
        for (text, expected) in [
            ("5", Some(5.0)),
            ("5.0", Some(5.0)),
            ("5.", Some(5.0)),
            (".5", Some(0.5)),
            ("-.5e+1", Some(-5.0)),
            ("+1E3", Some(1000.0)),
            ("1_000", Some(1000.0)),
            ("1_23.50_0_0e+1_2", Some(1.235e14)),
            ("0x1p-2", Some(0.25)),
            ("0x_1.8P+1", Some(3.0)),
            ("0x.8p0", Some(0.5)),
            ("0x1fffffffffffff8p0", Some(144_115_188_075_855_872.0)),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p-1075", Some(0.0)),
            ("0x1.8p-1075", Some(5e-324)),
            ("0x1.fffffffffffffp1023", Some(f64::MAX)),
            ("0x0p0", Some(0.0)),
            ("inf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("1e-400", Some(0.0)),
            ("1e400", None),
            ("0x1p1024", None),
            ("0x10", None),
            ("0b1", None),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("1_.5", None),
            ("1._5", None),
            ("1_e5", None),
            ("1e_5", None),
            ("1e", None),
            ("e3", None),
            (".", None),
            ("", None),
            ("+", None),
            ("+nan", None),
            (" 5", None),
            ("5 ", None),
            ("1.2.3", None),
            ("abc", None),
            ("infinit", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert!(parse("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn writing() {
        for (value, v, e) in [
            (999_999.0, "999999", "9.99999E+05"),
            (1_000_000.0, "1e+06", "1E+06"),
            (1_234_567.0, "1.234567e+06", "1.234567E+06"),
            (21_000_000.0, "2.1e+07", "2.1E+07"),
            (0.0001, "0.0001", "1E-04"),
            (0.00001, "1e-05", "1E-05"),
            (123_456.7, "123456.7", "1.234567E+05"),
            (8080.0, "8080", "8.08E+03"),
            (1.5, "1.5", "1.5E+00"),
            (5.0, "5", "5E+00"),
            (0.0, "0", "0E+00"),
            (-2.5, "-2.5", "-2.5E+00"),
            (1e100, "1e+100", "1E+100"),
        ] {
            assert_eq!(general(value), v);
            assert_eq!(exponent(value), e);
        }
        assert_eq!(plain(1e21), "1000000000000000000000");
        assert_eq!(general(f64::INFINITY), "+Inf");
    }

    proptest! {
        #[test]
        fn written_floats_read_back(value in any::<f64>().prop_filter("finite", |it| it.is_finite())) {
            prop_assert_eq!(parse(&general(value)), Some(value));
            prop_assert_eq!(parse(&exponent(value)), Some(value));
        }

        #[test]
        fn never_panics(text in "[-+._0-9xXpPeEabinf]{0,24}") {
            let _ = parse(&text);
        }
    }
}
