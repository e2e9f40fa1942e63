//! Scalar patterns: `5`, `?*`, `!*:latest`, `>=1Gi & <4Gi | 0`, `10-20`.
//!
//! In: a scalar of a pattern, compiled once. Out: whether a scalar of a resource satisfies it. Numbers, durations and
//! quantities of the pattern are read when it is compiled; a match of plain texts allocates nothing.
//! Public description: <https://kyverno.io/docs/policy-types/cluster-policy/validate/#operators>.

use std::cmp::Ordering;

use super::{Number, Value, operator::go_text};
use crate::k8s::{
    duration::{self, Duration},
    gofloat,
    quantity::{self, Quantity},
    wildcard::Wildcard,
};

/// A compiled scalar pattern.
#[derive(Clone, Debug)]
pub(crate) struct ScalarPattern {
    source: Box<str>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// One of the alternatives must hold, in which everything must hold.
    Text(Vec<Vec<Atom>>),
    /// A list or map, which is no scalar: nothing satisfies it.
    Never,
}

/// One comparison of a text pattern.
#[derive(Clone, Debug)]
enum Atom {
    Compare(Relation, Operand),
    /// `a-b`: between both, inclusive.
    Inside(Operand, Operand),
    /// `a!-b`: below the first or above the second.
    Outside(Operand, Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Equal => order.is_eq(),
            Relation::NotEqual => order.is_ne(),
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// The text that a value is compared with, in each reading that it allows.
#[derive(Clone, Debug)]
struct Operand {
    duration: Option<Duration>,
    quantity: Option<Quantity>,
    wildcard: Wildcard,
}

impl Operand {
    fn new(text: &str) -> Self {
        Self { duration: duration::parse(text), quantity: quantity::parse(text), wildcard: Wildcard::new(text) }
    }
}

impl ScalarPattern {
    /// Compiles a scalar; lists and maps become patterns that nothing satisfies.
    pub(crate) fn compile(value: Value<'_>) -> Self {
        let form = match value {
            Value::Null => Form::Null,
            Value::Bool(value) => Form::Bool(value),
            Value::Number(Number::Int(value)) => Form::Int(value),
            Value::Number(Number::Float(value)) => Form::Float(value),
            Value::String(text) => Form::Text(alternatives(text)),
            Value::List(_) | Value::Map(_) => Form::Never,
        };
        Self { source: go_text(value).into(), form }
    }

    /// The pattern as Go prints it.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whether a value satisfies the pattern; null stands for what is missing, too.
    pub(crate) fn matches(&self, value: Value<'_>) -> bool {
        match &self.form {
            Form::Never => false,
            Form::Null => match value {
                Value::Null => true,
                Value::Bool(value) => !value,
                Value::Number(number) => number.as_f64() == 0.0,
                Value::String(text) => text.is_empty(),
                Value::List(list) => list.is_empty(),
                Value::Map(_) => false,
            },
            Form::Bool(wanted) => matches!(value, Value::Bool(value) if value == *wanted),
            Form::Int(wanted) => match value {
                Value::Number(Number::Int(value)) => value == *wanted,
                Value::Number(Number::Float(value)) => value.fract() == 0.0 && value == *wanted as f64,
                Value::String(text) => text.parse::<i64>().is_ok_and(|value| value == *wanted),
                Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => false,
            },
            Form::Float(wanted) => match value {
                Value::Number(number) => number.as_f64() == *wanted,
                Value::String(text) => gofloat::parse(text).is_some_and(|value| value == *wanted),
                Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => false,
            },
            Form::Text(alternatives) => {
                matches!(value, Value::String(text) if text == &*self.source)
                    || alternatives.iter().any(|all| all.iter().all(|atom| atom.matches(value)))
            }
        }
    }
}

fn alternatives(text: &str) -> Vec<Vec<Atom>> {
    text.split('|').map(|part| part.split('&').map(|atom| Atom::compile(atom.trim_matches(' '))).collect()).collect()
}

impl Atom {
    fn compile(text: &str) -> Self {
        if let Some((low, outside, high)) = range(text) {
            let (low, high) = (Operand::new(low), Operand::new(high));
            return if outside { Atom::Outside(low, high) } else { Atom::Inside(low, high) };
        }
        let (relation, rest) = split_relation(text);
        Atom::Compare(relation, Operand::new(rest.trim_matches(' ')))
    }

    fn matches(&self, value: Value<'_>) -> bool {
        match self {
            Atom::Compare(relation, operand) => compare(*relation, operand, value),
            Atom::Inside(low, high) => {
                compare(Relation::GreaterOrEqual, low, value) && compare(Relation::LessOrEqual, high, value)
            }
            Atom::Outside(low, high) => compare(Relation::Less, low, value) || compare(Relation::Greater, high, value),
        }
    }
}

/// Splits `>=5` into relation and operand; an operator alone is text.
fn split_relation(text: &str) -> (Relation, &str) {
    const RELATIONS: [(&str, Relation); 5] = [
        (">=", Relation::GreaterOrEqual),
        ("<=", Relation::LessOrEqual),
        (">", Relation::Greater),
        ("<", Relation::Less),
        ("!", Relation::NotEqual),
    ];
    if text.len() >= 2 {
        for (sign, relation) in RELATIONS {
            if let Some(rest) = text.strip_prefix(sign) {
                return (relation, rest);
            }
        }
    }
    (Relation::Equal, text)
}

/// Splits `a-b` or `a!-b`: lower bound, whether the outside is meant, upper bound.
pub(crate) fn range(text: &str) -> Option<(&str, bool, &str)> {
    let low = bound(text)?;
    let rest = &text[low..];
    let (outside, rest) = match rest.strip_prefix("!-") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix('-')?),
    };
    (bound(rest)? == rest.len()).then_some((&text[..low], outside, rest))
}

/// The length of `[-+|]?\d+(\.\d+)?[A-Za-z]*` at the start of a text.
fn bound(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let run = |from: usize, of: fn(&u8) -> bool| from + bytes[from..].iter().take_while(|it| of(it)).count();
    let start = usize::from(matches!(bytes.first(), Some(b'-' | b'+' | b'|')));
    let mut end = run(start, u8::is_ascii_digit);
    if end == start {
        return None;
    }
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = run(end + 1, u8::is_ascii_digit);
    }
    Some(run(end, u8::is_ascii_alphabetic))
}

fn compare(relation: Relation, operand: &Operand, value: Value<'_>) -> bool {
    if let Some(wanted) = operand.duration {
        // Kyverno: what is missing counts as `0`; a number is no duration.
        let found = match value {
            Value::String(text) => duration::parse(text),
            Value::Null => Some(Duration::default()),
            Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
        };
        if let Some(found) = found {
            return relation.holds(found.cmp(&wanted));
        }
    }
    if let Some(wanted) = operand.quantity {
        let found = match value {
            Value::String(text) => quantity::parse(text),
            Value::Number(number) => Quantity::from_fixed(number.as_f64()),
            Value::Null => quantity::parse("0"),
            Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        };
        if let Some(found) = found {
            return relation.holds(found.compare(wanted));
        }
    }
    let equal = match value {
        Value::String(text) => operand.wildcard.matches(text),
        Value::Bool(value) => operand.wildcard.matches(if value { "true" } else { "false" }),
        // Kyverno: wildcards see numbers in exponent form, `8080` as `8.08E+03`.
        Value::Number(number) => operand.wildcard.matches(&gofloat::exponent(number.as_f64())),
        Value::Null | Value::List(_) | Value::Map(_) => return false,
    };
    match relation {
        Relation::Equal => equal,
        Relation::NotEqual => !equal,
        Relation::Less | Relation::LessOrEqual | Relation::Greater | Relation::GreaterOrEqual => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expr::{Arena, value::from_literal};

    fn holds(pattern: &str, value: &str) -> bool {
        let arena = Arena::new();
        let pattern = ScalarPattern::compile(from_literal(&arena, pattern));
        // Numbers of a resource are floats.
        let value = match from_literal(&arena, value) {
            Value::Number(number) => Value::float(number.as_f64()),
            other => other,
        };
        pattern.matches(value)
    }

    #[test]
    fn these_hold() {
        for (pattern, value) in [
            ("5", "\"5\""),
            ("\"5\"", "5"),
            ("5", "5.0"),
            ("1.5", "\"1.5\""),
            ("\"true\"", "true"),
            ("\"!true\"", "false"),
            ("null", "null"),
            ("null", "0"),
            ("null", "\"\""),
            ("null", "false"),
            ("\"*\"", "\"\""),
            ("\"*\"", "false"),
            ("\"?*\"", "7"),
            ("\"?*\"", "false"),
            ("\"?*\"", "1.5"),
            ("\"\"", "\"\""),
            ("\"<5\"", "null"),
            ("\">=0\"", "null"),
            ("\"0\"", "null"),
            ("\"0s\"", "null"),
            ("\"<1h\"", "null"),
            ("\"0-10\"", "null"),
            ("\"<=1Gi\"", "\"1024Mi\""),
            ("\"1Gi\"", "\"1024Mi\""),
            ("\"1000m\"", "1"),
            ("\"1k\"", "1000"),
            ("\">1\"", "\"1500m\""),
            ("\"1.0\"", "\"1\""),
            ("\"1e3\"", "\"1000\""),
            ("\">1h\"", "\"90m\""),
            ("\"1h\"", "\"60m\""),
            ("\"<1m\"", "\"0\""),
            ("\"1-10\"", "5"),
            ("\"1-10\"", "\"10\""),
            ("\"1-10\"", "\"1-10\""),
            ("\"10Mi-1Gi\"", "\"500Mi\""),
            ("\"1m-1h\"", "\"30m\""),
            ("\"-5-5\"", "-3"),
            ("\"1.5-2.5\"", "2"),
            ("\"1!-10\"", "11"),
            ("\"1-10 | 20-30\"", "25"),
            ("\"x|y\"", "\"y\""),
            ("\">1 & <5 | 9\"", "9"),
            ("\"!x | !y\"", "\"x\""),
            ("\"!*:latest\"", "\"nginx:1\""),
            ("\"5?*\"", "5"),
            ("\"8.08E*\"", "8080"),
            ("\"1*\"", "1.5"),
            ("\"0.1\"", "0.1"),
            ("\"0\"", "0.0000001"),
            ("\"> 5\"", "6"),
            ("\" x \"", "\"x\""),
            ("\"! x\"", "\"y\""),
            ("\"!!x\"", "\"x\""),
            ("\"!1-10\"", "5"),
            ("\"!1-10\"", "11"),
        ] {
            assert!(holds(pattern, value), "{pattern} should hold for {value}");
        }
    }

    #[test]
    fn these_do_not() {
        for (pattern, value) in [
            ("true", "\"true\""),
            ("\"!true\"", "null"),
            ("null", "\"x\""),
            ("\"*\"", "null"),
            ("\"?*\"", "\"\""),
            ("\"?*\"", "null"),
            ("\"\"", "null"),
            ("\">0\"", "null"),
            ("\"!x\"", "null"),
            ("\"!*\"", "null"),
            ("\"!0\"", "null"),
            ("\"1-10\"", "null"),
            ("0", "null"),
            ("false", "null"),
            ("\"!1Gi\"", "\"1024Mi\""),
            ("\">1\"", "\"abc\""),
            ("\">abc\"", "\"abcd\""),
            ("\"<=60m\"", "\"1h30m\""),
            ("\">10s\"", "20"),
            ("\"1-10\"", "11"),
            ("\"1 - 10\"", "5"),
            ("\"!x & !y\"", "\"x\""),
            ("\"!*:latest\"", "\"nginx:latest\""),
            ("\"<=10 & !5\"", "5"),
            ("\"8080*\"", "8080"),
            ("\"80*\"", "8080"),
            ("\"=5\"", "5"),
            ("\"!\"", "\"x\""),
            ("5", "5.5"),
        ] {
            assert!(!holds(pattern, value), "{pattern} should not hold for {value}");
        }
    }

    const BOUND: &str = "[-+]?[0-9]{1,2}(\\.[0-9])?(m|h|s|Mi|k)?";
    const ATOM: &str = "[!<>]=?[0-9a-c]{1,2}|[a-c*?]{0,3}|[0-9]{1,2}(m|h|Mi)?";

    /// What a resource may hold.
    fn found() -> impl Strategy<Value = Value<'static>> {
        prop_oneof![
            4 => "[-+]?[0-9]{1,2}(\\.[0-9])?(m|h|s|Mi|k)?|[a-c]{0,3}".prop_map(|text| Value::String(text.leak())),
            2 => (-80_i32..400).prop_map(|number| Value::float(f64::from(number) / 4.0)),
            1 => Just(Value::Null),
            1 => any::<bool>().prop_map(Value::Bool),
        ]
    }

    fn satisfies(pattern: &str, value: Value<'_>) -> bool {
        ScalarPattern::compile(Value::String(pattern)).matches(value)
    }

    proptest! {
        #[test]
        fn a_range_is_two_bounds(low in BOUND, high in BOUND, value in found(), which in 0..3) {
            let value = match which {
                0 => Value::String(&low),
                1 => Value::String(&high),
                _ => value,
            };
            let inside = satisfies(&format!(">={low}"), value) && satisfies(&format!("<={high}"), value);
            prop_assert_eq!(satisfies(&format!("{low}-{high}"), value), inside);
            let outside = satisfies(&format!("<{low}"), value) || satisfies(&format!(">{high}"), value);
            prop_assert_eq!(satisfies(&format!("{low}!-{high}"), value), outside);
        }

        #[test]
        fn alternatives_and_conjunctions_are_those_of_their_parts(a in ATOM, b in ATOM, value in found()) {
            prop_assert_eq!(satisfies(&format!("{a} | {b}"), value), satisfies(&a, value) || satisfies(&b, value));
            prop_assert_eq!(satisfies(&format!("{a}&{b}"), value), satisfies(&a, value) && satisfies(&b, value));
        }

        #[test]
        fn what_is_there_satisfies_a_text_or_its_negation(text in "[a-c*?]{1,3}|[0-9]{1,2}(m|Mi)?", value in found()) {
            let (equal, unequal) = (satisfies(&text, value), satisfies(&format!("!{text}"), value));
            prop_assert!(!(equal && unequal));
            prop_assert!(equal || unequal || value.is_null());
        }

        #[test]
        fn no_pattern_panics(pattern in ".{0,16}", text in ".{0,8}", number in any::<f64>()) {
            for value in [Value::String(&text), Value::float(number), Value::Null] {
                satisfies(&pattern, value);
            }
        }
    }
}
