//! Operators of conditions: `Equals`, `AnyIn`, `GreaterThan`, `DurationLessThan` and the others.
//!
//! In: key and value after substitution. Out: whether the condition holds. Never an error: sides that can't be
//! compared make the operator false, so the negation of an operator is not always its opposite.
//! Public description: <https://kyverno.io/docs/policy-types/cluster-policy/preconditions/#operators>.

mod duration;
mod equality;
mod order;
mod set;
mod text;

pub(crate) use text::go_text;

use super::Value;

/// A comparison, by name.
#[derive(Clone, Copy)]
pub(crate) struct Operator {
    name: &'static str,
    holds: fn(Value<'_>, Value<'_>) -> bool,
}

impl Operator {
    /// Kyverno's name.
    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    /// Whether it looks for a key, or the items of a list, in a list: `In`, `AnyNotIn` and their like.
    pub(crate) fn compares_sets(self) -> bool {
        self.name.ends_with("In")
    }

    /// Whether the comparison holds.
    pub(crate) fn holds(self, key: Value<'_>, value: Value<'_>) -> bool {
        (self.holds)(key, value)
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn operator(name: &'static str, holds: fn(Value<'_>, Value<'_>) -> bool) -> Operator {
    Operator { name, holds }
}

/// Every operator.
pub(crate) const ALL: [Operator; 18] = [
    operator("Equals", equality::equals),
    operator("Equal", equality::equals),
    operator("NotEquals", equality::not_equals),
    operator("NotEqual", equality::not_equals),
    operator("In", set::is_in),
    operator("NotIn", set::not_in),
    operator("AnyIn", set::any_in),
    operator("AllIn", set::all_in),
    operator("AnyNotIn", set::any_not_in),
    operator("AllNotIn", set::all_not_in),
    operator("GreaterThan", order::greater),
    operator("GreaterThanOrEquals", order::greater_or_equal),
    operator("LessThan", order::less),
    operator("LessThanOrEquals", order::less_or_equal),
    operator("DurationGreaterThan", duration::greater),
    operator("DurationGreaterThanOrEquals", duration::greater_or_equal),
    operator("DurationLessThan", duration::less),
    operator("DurationLessThanOrEquals", duration::less_or_equal),
];

/// The operator of a name, case-sensitive.
pub(crate) fn find(name: &str) -> Option<Operator> {
    ALL.into_iter().find(|operator| operator.name == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expr::{Arena, List, value::from_literal};

    /// One row: key, operator, value. Numbers written directly are floats, those inside lists are integers.
    fn holds(row: &str) -> bool {
        let arena = Arena::new();
        let operator = ALL
            .into_iter()
            .filter(|it| row.contains(&format!(" {} ", it.name)))
            .max_by_key(|it| it.name.len())
            .expect("a row names an operator");
        let (key, value) = row.split_once(&format!(" {} ", operator.name)).expect("two sides");
        let side = |text| match from_literal(&arena, text) {
            Value::Number(number) => Value::float(number.as_f64()),
            other => other,
        };
        operator.holds(side(key), side(value))
    }

    #[test]
    fn observed_rows_that_hold() {
        for row in [
            r#""abc" Equals "a*""#,
            r#"5 Equals "5""#,
            r#""1Gi" Equals "1024Mi""#,
            r#""1h" Equals "60m""#,
            r#""1h" Equals 3600"#,
            r#""1m" Equals 60.9"#,
            r#""1e3" Equals "1000""#,
            r#""" Equals "*""#,
            r#"5 Equals "5.0""#,
            r#"["a"] Equals ["a"]"#,
            r"true Equals true",
            r#""a" NotEquals "b""#,
            r#""web" AnyIn ["web*"]"#,
            r#""a*" AnyIn ["abc"]"#,
            r#"["a","z"] AnyIn ["a"]"#,
            r#"[] AllIn ["a"]"#,
            r#"[] AllNotIn ["a"]"#,
            r#"[] In ["a"]"#,
            r#"["a"] NotIn "a""#,
            r#"["5","15"] AnyNotIn "1-10""#,
            r#"["15","16"] AllNotIn "1-10""#,
            r#"5 AnyIn "1-10""#,
            r#""a" AnyIn "[\"a\",\"b\"]""#,
            r#"1000000 AnyIn ["1e+06"]"#,
            r#"["a"] AllIn ["a","b"]"#,
            r"[5] AnyIn 5",
            r#""2000000000" GreaterThan "1Gi""#,
            r#""1Gi" GreaterThan "512Mi""#,
            r#""1.10.0" GreaterThan "1.9.0""#,
            r#""1.10.0-rc1" LessThan "1.10.0""#,
            r#""1h" GreaterThan 1800"#,
            r#""90" GreaterThan "1m""#,
            r#""10" GreaterThan "9""#,
            r#""1_000" GreaterThan 999"#,
            r#"3601 GreaterThan "1h""#,
            r"1.9 DurationGreaterThanOrEquals 1",
            r#""1h" DurationGreaterThan "59m""#,
            r#""0" DurationLessThan 1"#,
            r#""a*" NotEquals "abc""#,
            r#""5" NotEquals 5"#,
            r#"3600 NotEquals "1h""#,
            r#""0" NotEquals "0s""#,
            r#""5" NotEquals "*""#,
            r#""5" NotEquals "5*""#,
            r#""" NotEquals "?*""#,
            r#"["a"] NotEquals "a""#,
            r#""10" NotEquals ">5""#,
            r#"true NotEquals "true""#,
            r#"["a","b"] Equals ["a","b"]"#,
            r#"["a","b"] NotEquals ["b","a"]"#,
            r#""a" AnyIn ["a","b"]"#,
            r#""a" AnyIn "a*""#,
            r#"21000000 AnyIn ["2.1e+07"]"#,
            r#"999999 AnyIn ["999999"]"#,
            r#"0.00001 AnyIn ["1e-05"]"#,
            r#"1234567 AnyIn ["1.234567e+06"]"#,
            r#"123456.7 AnyIn ["123456.7"]"#,
            r#""a" In "[\"a\"]""#,
            r#""a" NotIn "[\"b\"]""#,
            r#""a" AnyNotIn "b""#,
            r#""a" AnyIn "[\"b\",\"a\"]""#,
            r#""a" AnyNotIn "[\"b\"]""#,
            r#""a" AnyNotIn "null""#,
            r#"15 AnyNotIn "1-10""#,
            r#"["a","z"] AnyNotIn ["a"]"#,
            r#"["a","z"] AllNotIn ["b"]"#,
            r#"["a1"] AnyIn ["a*"]"#,
            r#"["a*"] AnyIn ["a1"]"#,
            r#"["a"] In "a""#,
            r#"[5,15] AnyNotIn "1-10""#,
            r#"[15,16] AllNotIn "1-10""#,
            r#"[5,15] AnyIn "1-10""#,
            r"[true] AnyIn true",
            r"[5] AnyNotIn 6",
            r#"["a1"] NotIn ["a*"]"#,
            r#"["a","b"] In ["a","b","c"]"#,
            r#"3600 GreaterThanOrEquals "1h""#,
            r#""inf" GreaterThan 5"#,
        ] {
            assert!(holds(row), "{row}");
        }
    }

    #[test]
    fn observed_rows_that_do_not_hold() {
        for row in [
            r#""a*" Equals "abc""#,
            r#""5" Equals 5"#,
            r#"3600 Equals "1h""#,
            r#""0" Equals "0s""#,
            r#""5" Equals "*""#,
            r#""5" Equals "5*""#,
            r#""" Equals "?*""#,
            r#"["a"] Equals "a""#,
            r#""10" Equals ">5""#,
            r#"true Equals "true""#,
            r"null Equals null",
            r#"null NotEquals "a""#,
            r"5 AnyIn 5",
            r#"1000000 AnyIn ["1000000"]"#,
            r#"[] AnyIn ["a"]"#,
            r#"[] AnyNotIn ["a"]"#,
            r#"[] NotIn ["a"]"#,
            r#"["a1"] NotIn "a*""#,
            r#""a" In "b""#,
            r#""a" NotIn "b""#,
            r#"["a"] AllIn 5"#,
            r#"null AnyIn ["a"]"#,
            r#""a" AnyNotIn {"a":1}"#,
            r#""a" AnyIn "5""#,
            r#"2000000000 GreaterThan "1Gi""#,
            r#""v1.10.0" GreaterThan "1.9.0""#,
            r#""v1.10.0" LessThan "1.9.0""#,
            r#""2024-01-02" GreaterThan "2024-01-01""#,
            r"true GreaterThan 0",
            r"null LessThan 1",
            r"1.9 DurationGreaterThan 1",
            r#""10" DurationGreaterThan 1"#,
            r#""1d" DurationGreaterThan 1"#,
            r"[] DurationLessThan 1",
            r#""abc" NotEquals "a*""#,
            r#"5 NotEquals "5""#,
            r#"5 NotEquals "5.0""#,
            r#""1Gi" NotEquals "1024Mi""#,
            r#""1h" NotEquals "60m""#,
            r#""1h" NotEquals 3600"#,
            r#""1m" NotEquals 60.9"#,
            r#""1e3" NotEquals "1000""#,
            r#""" NotEquals "*""#,
            r"true NotEquals true",
            r#"["a","b"] NotEquals ["a","b"]"#,
            r#"["a","b"] Equals ["b","a"]"#,
            r#"null Equals "x""#,
            r#"null NotEquals "x""#,
            r#"null AnyIn ["x"]"#,
            r#"null AllIn ["x"]"#,
            r#"null AnyNotIn ["x"]"#,
            r#"null AllNotIn ["x"]"#,
            r#"null In ["x"]"#,
            r#"null NotIn ["x"]"#,
            r#"null GreaterThan ["x"]"#,
            r#"null LessThan ["x"]"#,
            r#"null DurationLessThan ["x"]"#,
            r"5 AnyNotIn 5",
            r#""a" AnyNotIn "5""#,
            r#""a" AnyIn "null""#,
            r#""a" AnyIn "true""#,
            r#""a" AnyNotIn "{}""#,
            r#"15 AnyIn "1-10""#,
            r#"["a","z"] AllIn ["a"]"#,
            r#"["a1"] In "a*""#,
            r#"[5,15] AllIn "1-10""#,
            r"[5] AllIn 5",
            r"[5] AllNotIn 6",
            r#"["a"] AllIn {"a":1}"#,
            r#"["a"] AnyNotIn {"a":1}"#,
            r#"["a1"] In ["a*"]"#,
            r#"["a","d"] In ["a","b","c"]"#,
            r#"["a"] In [5,"a"]"#,
            r#""1.2" GreaterThan "1.9.0""#,
            r#""1.2" LessThan "1.9.0""#,
            r#""2024-01-02" LessThan "2024-01-03""#,
            r"[1] LessThan 2",
            r#"5 LessThan "x""#,
            r#""x" LessThan "y""#,
            r#""0x10" GreaterThan 5"#,
            r#""1d" DurationLessThan "999h""#,
            r"[1] DurationLessThan 2",
        ] {
            assert!(!holds(row), "{row}");
        }
    }

    #[test]
    fn lists_compare_numbers_by_representation() {
        let arena = Arena::new();
        let literal = from_literal(&arena, "[1, 2]");
        let resource = Value::list_in(&arena, &[Value::float(1.0), Value::float(2.0)]);
        assert!(!equality::equals(resource, literal));
        assert!(equality::equals(resource, resource));
        assert!(equality::equals(literal, literal));
    }

    /// Words, numbers, durations, quantities, versions, ranges and JSON: what conditions compare.
    const TEXT: &str = "[0-9]{1,3}(m|h|s|h[0-9]m|Mi|Gi|k|e3)?|-?[0-9]\\.[0-9]|[ab*?]{0,3}|[0-2]\\.[0-2]\\.[0-2](-a)?|[0-9]-[0-9]{2}|\\[\"a\"\\]|null";

    /// A text, a whole or broken number, or null.
    fn scalar() -> impl Strategy<Value = Value<'static>> {
        prop_oneof![
            4 => TEXT.prop_map(|text| Value::String(text.leak())),
            2 => (-20_i32..2000).prop_map(|number| Value::float(f64::from(number) / 4.0)),
            1 => Just(Value::Null),
            1 => any::<bool>().prop_map(Value::Bool),
        ]
    }

    fn list() -> impl Strategy<Value = Vec<Value<'static>>> {
        prop::collection::vec(scalar(), 0..4)
    }

    fn truth(name: &str, key: Value<'_>, value: Value<'_>) -> bool {
        find(name).expect("an operator").holds(key, value)
    }

    proptest! {
        #[test]
        fn an_order_is_total_where_there_is_one(
            (key, value) in (scalar(), scalar(), any::<bool>()).prop_map(|(a, b, same)| (a, if same { a } else { b })),
            durations in any::<bool>(),
        ) {
            let holds = |name: &str| truth(&format!("{}{name}", if durations { "Duration" } else { "" }), key, value);
            let (greater, at_least) = (holds("GreaterThan"), holds("GreaterThanOrEquals"));
            let (less, at_most) = (holds("LessThan"), holds("LessThanOrEquals"));
            if greater || at_least || less || at_most {
                prop_assert_eq!(greater, !at_most);
                prop_assert_eq!(less, !at_least);
                prop_assert!(at_least || at_most);
            }
        }

        #[test]
        fn unequal_is_what_is_not_equal_unless_it_is_null(key in scalar(), value in scalar()) {
            prop_assert_eq!(truth("NotEquals", key, value), !key.is_null() && !truth("Equals", key, value));
            prop_assert_eq!(truth("Equal", key, value), truth("Equals", key, value));
            prop_assert_eq!(truth("NotEqual", key, value), truth("NotEquals", key, value));
        }

        #[test]
        fn some_and_every_are_opposites_for_lists(keys in list(), values in list()) {
            let (key, value) = (Value::List(List::Items(&keys)), Value::List(List::Items(&values)));
            prop_assert_eq!(truth("AnyNotIn", key, value), !truth("AllIn", key, value));
            prop_assert_eq!(truth("AllNotIn", key, value), !truth("AnyIn", key, value));
        }

        #[test]
        fn a_single_key_is_some_and_every_one(key in scalar(), value in scalar(), values in list()) {
            for value in [value, Value::List(List::Items(&values))] {
                prop_assert_eq!(truth("AnyIn", key, value), truth("AllIn", key, value));
                prop_assert_eq!(truth("AnyNotIn", key, value), truth("AllNotIn", key, value));
                prop_assert!(!(truth("AnyIn", key, value) && truth("AnyNotIn", key, value)));
            }
        }

        #[test]
        fn no_operator_panics(key in ".{0,12}", value in ".{0,12}") {
            for operator in ALL {
                for (a, b) in [(&key, &value), (&value, &key)] {
                    operator.holds(Value::String(a), Value::String(b));
                    operator.holds(Value::List(List::Items(&[Value::String(a)])), Value::String(b));
                }
            }
        }
    }
}
