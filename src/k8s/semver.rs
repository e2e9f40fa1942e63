//! Semantic versions, and the ranges of the Go library `blang/semver`, which `semver_compare` takes.
//!
//! A range is alternatives joined by `||`, each of comparisons joined by spaces: `>=1.2.0 <2.0.0 || 3.x`. Operators are
//! `= == ! != > >= < <=` or none; `x` may stand for the last parts of a version. There is no `^` and no `~`.

use std::cmp::Ordering;

pub(crate) use semver::Version;

/// Reads a strict version `X.Y.Z[-pre][+build]`; no leading `v`, no part left out.
pub(crate) fn parse(text: &str) -> Option<Version> {
    Version::parse(text).ok()
}

/// Compares by precedence: build metadata does not count.
pub(crate) fn compare(a: &Version, b: &Version) -> Ordering {
    a.cmp_precedence(b)
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RangeError {
    /// Nothing in it.
    #[error("empty range")]
    Empty,
    /// `||` without something on both sides.
    #[error("{0} element in range is '||'")]
    Alternative(&'static str),
    /// A comparison without digits.
    #[error("Could not get version from string: {0:?}")]
    NoVersion(String),
    /// An operator that there is not.
    #[error("Could not parse comparator {operator:?} in {text:?}")]
    Operator { operator: String, text: String },
    /// A version that is none.
    #[error("Could not parse version {0:?}")]
    Version(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A compiled range.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    alternatives: Vec<Vec<(Operator, Version)>>,
}

impl Range {
    /// Reads a range.
    pub(crate) fn parse(text: &str) -> Result<Self, RangeError> {
        let parts = split(text);
        if parts.is_empty() {
            return Err(RangeError::Empty);
        }
        if parts.first().is_some_and(|it| it == "||") {
            return Err(RangeError::Alternative("First"));
        }
        if parts.last().is_some_and(|it| it == "||") {
            return Err(RangeError::Alternative("Last"));
        }
        let mut alternatives = Vec::new();
        for alternative in parts.split(|it| it == "||") {
            let mut comparisons = Vec::new();
            for part in alternative {
                read_comparison(part, &mut comparisons)?;
            }
            alternatives.push(comparisons);
        }
        Ok(Self { alternatives })
    }

    /// Whether the version lies in the range.
    pub(crate) fn contains(&self, version: &Version) -> bool {
        // An empty alternative comes from `|| ||`; it holds for nothing.
        self.alternatives.iter().any(|comparisons| {
            !comparisons.is_empty()
                && comparisons.iter().all(|(operator, bound)| {
                    let order = compare(version, bound);
                    match operator {
                        Operator::Equal => order.is_eq(),
                        Operator::NotEqual => order.is_ne(),
                        Operator::Greater => order.is_gt(),
                        Operator::GreaterOrEqual => order.is_ge(),
                        Operator::Less => order.is_lt(),
                        Operator::LessOrEqual => order.is_le(),
                    }
                })
        })
    }
}

/// Splits at spaces, except those behind an operator.
fn split(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    for c in text.chars() {
        if c != ' ' {
            part.push(c);
        } else if !part.is_empty() && !part.ends_with(['>', '<', '=']) {
            parts.push(std::mem::take(&mut part));
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    // The library overlooks pieces of one character.
    parts.retain(|it| it.len() > 1);
    parts
}

fn read_comparison(text: &str, out: &mut Vec<(Operator, Version)>) -> Result<(), RangeError> {
    let digit = text.find(char::is_numeric).ok_or_else(|| RangeError::NoVersion(text.to_owned()))?;
    let (operator_text, version) = text.split_at(digit);
    let operator = match operator_text {
        "" | "=" | "==" => Operator::Equal,
        "!" | "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        _ => {
            return Err(RangeError::Operator { operator: operator_text.to_owned(), text: text.to_owned() });
        }
    };
    let read = |text: &str| parse(text).ok_or_else(|| RangeError::Version(text.to_owned()));
    let Some((first, next)) = wildcard_bounds(version) else {
        out.push((operator, read(version)?));
        return Ok(());
    };
    let (first, next) = (first?, next?);
    match operator {
        Operator::Greater => out.push((Operator::GreaterOrEqual, next)),
        Operator::GreaterOrEqual => out.push((Operator::GreaterOrEqual, first)),
        Operator::Less => out.push((Operator::Less, first)),
        Operator::LessOrEqual => out.push((Operator::Less, next)),
        Operator::Equal => out.extend([(Operator::GreaterOrEqual, first), (Operator::Less, next)]),
        // Both must hold, so that nothing does: so the library has it.
        Operator::NotEqual => out.extend([(Operator::Less, first), (Operator::GreaterOrEqual, next)]),
    }
    Ok(())
}

type Bound = Result<Version, RangeError>;

/// For `1.x`, `1.x.x` and `1.2.x`: the first version that it covers and the first one after.
fn wildcard_bounds(text: &str) -> Option<(Bound, Bound)> {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |text: &str| text.parse::<u64>().map_err(|_| RangeError::Version(text.to_owned()));
    let bounds = |major: &str, minor: Option<&str>| {
        let major = number(major);
        let minor = minor.map(number).transpose();
        let first = major.clone().and_then(|major| Ok(Version::new(major, minor.clone()?.unwrap_or(0), 0)));
        let next = major.and_then(|major| {
            Ok(match minor? {
                Some(minor) => Version::new(major, minor.saturating_add(1), 0),
                None => Version::new(major.saturating_add(1), 0, 0),
            })
        });
        (first, next)
    };
    match parts[..] {
        [major, "x"] | [major, "x", "x"] => Some(bounds(major, None)),
        [major, minor, "x"] => Some(bounds(major, Some(minor))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, version, expected) in [
            ("1.2.3", "1.2.3", true),
            ("=1.2.3", "1.2.3+build", true),
            ("!1.2.3", "1.2.4", true),
            ("!=1.2.3", "1.2.3", false),
            (">1.0.0 <2.0.0", "1.5.0", true),
            ("> 1.0.0 < 2.0.0", "1.5.0", true),
            (">1.0.0  <2.0.0", "2.0.0", false),
            (">1.0.0 <2.0.0 || >3.0.0 !4.2.1", "4.2.1", false),
            (">1.0.0 <2.0.0 || >3.0.0 !4.2.1", "4.2.2", true),
            (">=1.0.0", "1.0.0-rc1", false),
            ("<1.0.0", "1.0.0-rc1", true),
            ("1.2.x", "1.2.9", true),
            ("1.2.x", "1.3.0", false),
            ("1.x", "1.9.0", true),
            ("1.x.x", "2.0.0", false),
            (">1.2.x", "1.3.0", true),
            ("<=1.2.x", "1.2.9", true),
            ("<=1.2.x", "1.3.0", false),
            (">=1.x", "1.0.0", true),
            ("<1.x", "1.0.0", false),
            ("!=1.2.x", "1.1.0", false),
        ] {
            let version = parse(version).expect("a version");
            assert_eq!(Range::parse(range).expect(range).contains(&version), expected, "{range} {version}");
        }
    }

    #[test]
    fn no_ranges() {
        for text in [
            "",
            " ",
            "^1.2.3",
            "~1.2.3",
            "1.2",
            "v1.2.3",
            "||",
            "1.0.0 ||",
            "|| 1.0.0",
            ">x",
            "abc",
            ">1.0.0 <",
            "=>1.0.0 a",
        ] {
            let range = Range::parse(text);
            // `>1.0.0 <` ends in a piece of one character, which is overlooked.
            assert_eq!(range.is_err(), text != ">1.0.0 <", "{text}");
        }
    }

    #[test]
    fn strict_versions() {
        assert!(parse("1.10.0").is_some() && parse("1.10.0-rc.1+b").is_some());
        for text in ["v1.10.0", "1.2", "01.2.3", "1.2.3-", "1.2.3-01", "x", ""] {
            assert!(parse(text).is_none(), "{text}");
        }
        let (a, b) = (parse("1.10.0-rc1").expect("a version"), parse("1.10.0").expect("a version"));
        assert_eq!(compare(&a, &b), Ordering::Less);
    }
}
