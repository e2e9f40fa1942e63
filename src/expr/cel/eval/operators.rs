//! The operators between two operands.

use std::cmp::Ordering;

use super::{Evaluator, Outcome, known};
use crate::{
    expr::cel::{EvalError, List, Value, ast::Binary},
    k8s::{duration::Duration, gotime::Time},
};

/// First and last second of the years 1 to 9999, between which times are.
const SECONDS: std::ops::RangeInclusive<i128> = -62_135_596_800..=253_402_300_799;

impl<'v> Evaluator<'_, 'v> {
    pub(super) fn binary(&self, operator: Binary, left: Value<'v>, right: Value<'v>) -> Outcome<'v> {
        self.scope.whole(left)?;
        // To find a key takes no more than the map knows of it.
        if !matches!((operator, right), (Binary::In, Value::Map(_))) {
            self.scope.whole(right)?;
        }
        match operator {
            Binary::Equal => Ok(Value::Bool(self.scope.equal(left, right)?)),
            Binary::NotEqual => Ok(Value::Bool(!self.scope.equal(left, right)?)),
            Binary::Less => order(left, right, Ordering::is_lt),
            Binary::LessOrEqual => order(left, right, Ordering::is_le),
            Binary::Greater => order(left, right, Ordering::is_gt),
            Binary::GreaterOrEqual => order(left, right, Ordering::is_ge),
            Binary::In => self.contains(right, left),
            Binary::Add => self.add(left, right),
            Binary::Subtract => self.subtract(left, right),
            Binary::Multiply => match (left, right) {
                (Value::Int(a), Value::Int(b)) => whole(a.checked_mul(b)),
                (Value::Uint(a), Value::Uint(b)) => natural(a.checked_mul(b)),
                (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
                _ => Err(EvalError::NoSuchOverload),
            },
            Binary::Divide => match (left, right) {
                (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => {
                    Err(EvalError::refused("division by zero"))
                }
                (Value::Int(a), Value::Int(b)) => whole(a.checked_div(b)),
                (Value::Uint(a), Value::Uint(b)) => natural(a.checked_div(b)),
                (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
                _ => Err(EvalError::NoSuchOverload),
            },
            Binary::Remainder => match (left, right) {
                (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => {
                    Err(EvalError::refused("modulus by zero"))
                }
                (Value::Int(a), Value::Int(b)) => whole(a.checked_rem(b)),
                (Value::Uint(a), Value::Uint(b)) => natural(a.checked_rem(b)),
                _ => Err(EvalError::NoSuchOverload),
            },
        }
    }

    fn contains(&self, container: Value<'v>, element: Value<'v>) -> Outcome<'v> {
        match container {
            Value::List(list) => {
                self.scope.charge(list.len() as u64)?;
                for item in list.iter() {
                    if self.scope.equal(item, element)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Value::Map(map) => {
                self.charge_look_up(map)?;
                Ok(Value::Bool(map.get(element).map(known).transpose()?.is_some()))
            }
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    fn add(&self, left: Value<'v>, right: Value<'v>) -> Outcome<'v> {
        match (left, right) {
            (Value::Int(a), Value::Int(b)) => whole(a.checked_add(b)),
            (Value::Uint(a), Value::Uint(b)) => natural(a.checked_add(b)),
            (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
            (Value::String(a), Value::String(b)) => {
                self.scope.charge_bytes(a.len() + b.len())?;
                let mut text = bumpalo::collections::String::with_capacity_in(a.len() + b.len(), self.scope.arena());
                text.push_str(a);
                text.push_str(b);
                Ok(Value::String(text.into_bump_str()))
            }
            (Value::Bytes(a), Value::Bytes(b)) => {
                self.scope.charge_bytes(a.len() + b.len())?;
                Ok(Value::Bytes(self.scope.arena().alloc_slice_copy(&[a, b].concat())))
            }
            (Value::List(a), Value::List(b)) => {
                self.scope.charge_bytes((a.len() + b.len()) * size_of::<Value<'_>>())?;
                let items: Vec<_> = a.iter().chain(b.iter()).collect();
                Ok(Value::List(List::Items(self.scope.arena().alloc_slice_copy(&items))))
            }
            (Value::Timestamp(time), Value::Duration(nanos)) | (Value::Duration(nanos), Value::Timestamp(time)) => {
                self.time(time.add(Duration::from_nanos(nanos)))
            }
            (Value::Duration(a), Value::Duration(b)) => span(a.checked_add(b)),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    fn subtract(&self, left: Value<'v>, right: Value<'v>) -> Outcome<'v> {
        match (left, right) {
            (Value::Int(a), Value::Int(b)) => whole(a.checked_sub(b)),
            (Value::Uint(a), Value::Uint(b)) => natural(a.checked_sub(b)),
            (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
            (Value::Timestamp(a), Value::Timestamp(b)) => span(i64::try_from(a.nanos() - b.nanos()).ok()),
            (Value::Timestamp(time), Value::Duration(nanos)) => {
                let Some(nanos) = nanos.checked_neg() else { return span(None) };
                self.time(time.add(Duration::from_nanos(nanos)))
            }
            (Value::Duration(a), Value::Duration(b)) => span(a.checked_sub(b)),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    fn time(&self, time: Time) -> Outcome<'v> {
        if !SECONDS.contains(&time.nanos().div_euclid(1_000_000_000)) {
            return Err(EvalError::refused("timestamp overflow"));
        }
        Ok(Value::Timestamp(self.scope.arena().alloc(time)))
    }
}

/// `-operand`
pub(super) fn negate(operand: Value<'_>) -> Outcome<'_> {
    match operand {
        Value::Int(value) => whole(value.checked_neg()),
        Value::Double(value) => Ok(Value::Double(-value)),
        Value::Duration(nanos) => span(nanos.checked_neg()),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn order<'v>(left: Value<'v>, right: Value<'v>, holds: fn(Ordering) -> bool) -> Outcome<'v> {
    match left.compare(right) {
        Some(ordering) => Ok(Value::Bool(holds(ordering))),
        // Nothing is less or more than what is not a number.
        None if left.is_number() && right.is_number() => Ok(Value::Bool(false)),
        None => Err(EvalError::NoSuchOverload),
    }
}

fn whole<'v>(value: Option<i64>) -> Outcome<'v> {
    value.map(Value::Int).ok_or_else(|| EvalError::refused("integer overflow"))
}

fn natural<'v>(value: Option<u64>) -> Outcome<'v> {
    value.map(Value::Uint).ok_or_else(|| EvalError::refused("unsigned integer overflow"))
}

fn span<'v>(nanos: Option<i64>) -> Outcome<'v> {
    nanos.map(Value::Duration).ok_or_else(|| EvalError::refused("integer overflow"))
}
