//! What a plain scalar means: null, a boolean, a number or text.
//!
//! In: the text of a scalar, and its tag if it has one. Out: its value, as the YAML-to-JSON conversion of the API
//! server has it (`sigs.k8s.io/yaml`, whose rules are those of YAML 1.1 with exceptions of its own).

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::general_purpose::{GeneralPurpose, PAD},
};

/// As Go's decoder: bits behind the last byte may be set.
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// The value of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer with sign.
    Int(i64),
    /// An integer beyond [`i64::MAX`].
    Unsigned(u64),
    /// Another number; infinite or not-a-number only for `.inf` and `.nan`.
    Float(f64),
    /// The text itself.
    Text,
}

/// The value of a plain scalar without tag.
pub(crate) fn plain(text: &str) -> Scalar {
    let Some(&first) = text.as_bytes().first() else { return Scalar::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'.' => dotted(text),
        b'+' | b'-' => match text {
            "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
            "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
            _ => number(text),
        },
        b'0'..=b'9' => number(text),
        _ => Scalar::Text,
    }
}

fn word(text: &str) -> Scalar {
    if text.len() > 5 {
        return Scalar::Text;
    }
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => Scalar::Text,
    }
}

fn dotted(text: &str) -> Scalar {
    match text {
        ".inf" | ".Inf" | ".INF" => return Scalar::Float(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        _ => {}
    }
    let bytes = text.as_bytes();
    // Go allows `_` between digits here and nowhere else, while other numbers lose theirs wherever they stand.
    let misplaced = |at: usize| !bytes[at - 1].is_ascii_digit() || !bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    let underscored = bytes.contains(&b'_');
    if underscored && bytes.iter().enumerate().any(|(at, byte)| *byte == b'_' && misplaced(at)) {
        return Scalar::Text;
    }
    let digits = without_underscores(text);
    float(&digits)
}

fn number(text: &str) -> Scalar {
    // Most text that begins with a digit and is no number (dates, addresses, quantities) shows it early.
    if text.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'x' | b'X' | b'o' | b'O' | b'+' | b'-' | b'.' | b'_')) {
        return Scalar::Text;
    }
    let digits = without_underscores(text);
    integer(&digits).unwrap_or_else(|| float(&digits))
}

fn without_underscores(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'_', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('_', ""))
}

/// Go's `strconv.ParseInt` with base 0, then `ParseUint`.
fn integer(text: &str) -> Option<Scalar> {
    let (mut sign, digits) = signed(text);
    let (radix, mut digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if sign.is_none() && text.starts_with("0b") {
        // Go's YAML reader takes a sign behind this prefix, and behind this one only.
        (sign, digits) = signed(digits);
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if sign == Some(-1) {
        return 0_i64.checked_sub_unsigned(magnitude).map(Scalar::Int);
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Scalar::Int(value)),
        Err(_) => sign.is_none().then_some(Scalar::Unsigned(magnitude)),
    }
}

fn signed(text: &str) -> (Option<i8>, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (Some(-1), &text[1..]),
        Some(b'+') => (Some(1), &text[1..]),
        _ => (None, text),
    }
}

/// `[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?`, unless it overflows.
fn float(text: &str) -> Scalar {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let whole = digits(at);
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if whole == 0 && fraction == 0 {
            return Scalar::Text;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return Scalar::Text;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        let exponent = digits(at);
        if exponent == 0 {
            return Scalar::Text;
        }
        at += exponent;
    }
    if at != bytes.len() {
        return Scalar::Text;
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Scalar::Float(value),
        _ => Scalar::Text,
    }
}

/// The tags that say something about a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// `!!str`.
    Str,
    /// `!!int`.
    Int,
    /// `!!float`.
    Float,
    /// `!!bool`.
    Bool,
    /// `!!null`.
    Null,
    /// `!!timestamp`.
    Timestamp,
    /// `!!binary`.
    Binary,
    /// `!!merge`, for `<<` only.
    Merge,
    /// Any other: the scalar is text.
    Other,
}

impl Tag {
    /// The tag of a name below `tag:yaml.org,2002:`.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "str" => Self::Str,
            "int" => Self::Int,
            "float" => Self::Float,
            "bool" => Self::Bool,
            "null" => Self::Null,
            "timestamp" => Self::Timestamp,
            "binary" => Self::Binary,
            "merge" => Self::Merge,
            _ => Self::Other,
        }
    }

    /// The name, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Null => "null",
            Self::Timestamp => "timestamp",
            Self::Binary => "binary",
            Self::Merge => "merge",
            Self::Other => "",
        }
    }
}

/// The value of a scalar with a tag, in quotes or not, and the text that stands for it when that is another one.
/// `None` when the tag can't be met.
pub(super) fn tagged(tag: Tag, text: &str) -> Option<(Scalar, Option<String>)> {
    let value = match (tag, plain(text)) {
        (Tag::Str | Tag::Merge | Tag::Other, _) => Scalar::Text,
        (Tag::Binary, _) => {
            let compact: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
            let bytes = BASE64.decode(compact).ok()?;
            return Some((Scalar::Text, Some(String::from_utf8_lossy(&bytes).into_owned())));
        }
        (Tag::Int, value @ (Scalar::Int(_) | Scalar::Unsigned(_)))
        | (Tag::Float, value @ Scalar::Float(_))
        | (Tag::Bool, value @ Scalar::Bool(_))
        | (Tag::Null, value @ Scalar::Null) => value,
        (Tag::Float, Scalar::Int(value)) => Scalar::Float(value as f64),
        (Tag::Float, Scalar::Unsigned(value)) => Scalar::Float(value as f64),
        (Tag::Timestamp, Scalar::Text) if looks_like_date(text) => Scalar::Text,
        _ => return None,
    };
    Some((value, None))
}

/// `YYYY-M-D`, maybe with a time behind it.
fn looks_like_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let is_number = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let day = rest.split(['T', 't', ' ']).next().unwrap_or_default();
    is_number(year, 4..=4) && is_number(month, 1..=2) && is_number(day, 1..=2)
}

/// A float as a key: the shortest form that tells it from other 32-bit floats, as Go's `%g` writes it.
///
/// The API server's conversion rounds keys to 32 bits, so `1e300` is the key `.inf`.
pub(super) fn float_key(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{value}"),
    }
}
