//! Arithmetic over numbers, quantities (`500m`, `1Gi`) and durations (`1h30m`).
//!
//! A text is a quantity if it can be read as one and else a duration, so `30m` is thirty thousandths. Quantities keep the
//! form of the left operand.

use std::fmt::Display;

use super::{ANY, ARRAY, Call, Function, Stop};
use crate::{
    expr::{Number, Value, jmespath::eval::Outcome},
    k8s::{
        duration::{self, Duration},
        quantity::{self, Quantity},
    },
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::own("add", &[ANY, ANY], "any", "adds numbers, quantities or durations", |call| {
        add(call, operand(call, call.value(0))?, operand(call, call.value(1))?)
    }),
    Function::own("divide", &[ANY, ANY], "any", "divides numbers, quantities or durations", divide),
    Function::own("modulo", &[ANY, ANY], "any", "the remainder of whole numbers, quantities or durations", modulo),
    Function::own("multiply", &[ANY, ANY], "any", "multiplies a number, quantity or duration with a number", multiply),
    Function::own("subtract", &[ANY, ANY], "any", "subtracts numbers, quantities or durations", subtract),
    Function::own("sum", &[ARRAY], "any", "adds the items of a list", sum),
];

/// One side of an operation.
#[derive(Clone, Copy)]
enum Operand {
    Scalar(f64),
    Quantity(Quantity),
    Duration(Duration),
}

fn operand<'e>(call: &Call<'_, 'e, '_>, value: Value<'_>) -> Result<Operand, Stop<'e>> {
    let read = match value {
        Value::Number(Number::Float(number)) => Some(Operand::Scalar(number)),
        Value::String(text) => {
            quantity::parse(text).map(Operand::Quantity).or_else(|| duration::parse(text).map(Operand::Duration))
        }
        _ => None,
    };
    read.ok_or_else(|| call.refuse("invalid operand"))
}

/// Both sides of an operation.
fn operands<'e>(call: &Call<'_, 'e, '_>) -> Result<(Operand, Operand), Stop<'e>> {
    Ok((operand(call, call.value(0))?, operand(call, call.value(1))?))
}

fn mismatch<'e>(call: &Call<'_, 'e, '_>) -> Stop<'e> {
    call.refuse("Types mismatch")
}

fn zero<'e>(call: &Call<'_, 'e, '_>) -> Stop<'e> {
    call.refuse("Zero divisor passed")
}

/// A quantity or a duration as text.
fn give<'e, 'v>(call: &Call<'_, 'e, 'v>, result: Option<impl Display>) -> Outcome<'e, 'v> {
    match result {
        Some(result) => call.give_text(&result.to_string()),
        None => Err(call.refuse("the result is out of range")),
    }
}

fn add<'e, 'v>(call: &Call<'_, 'e, 'v>, left: Operand, right: Operand) -> Outcome<'e, 'v> {
    match (left, right) {
        (Operand::Scalar(a), Operand::Scalar(b)) => Ok(Value::float(a + b)),
        (Operand::Quantity(a), Operand::Quantity(b)) => give(call, a.add(b)),
        (Operand::Duration(a), Operand::Duration(b)) => give(call, a.checked_add(b)),
        _ => Err(mismatch(call)),
    }
}

fn subtract<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    match operands(call)? {
        (Operand::Scalar(a), Operand::Scalar(b)) => Ok(Value::float(a - b)),
        (Operand::Quantity(a), Operand::Quantity(b)) => give(call, a.sub(b)),
        (Operand::Duration(a), Operand::Duration(b)) => give(call, a.checked_sub(b)),
        _ => Err(mismatch(call)),
    }
}

fn multiply<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    match operands(call)? {
        (Operand::Scalar(a), Operand::Scalar(b)) => Ok(Value::float(a * b)),
        (Operand::Quantity(a), Operand::Scalar(b)) | (Operand::Scalar(b), Operand::Quantity(a)) => give(call, a.mul(b)),
        (Operand::Duration(a), Operand::Scalar(b)) | (Operand::Scalar(b), Operand::Duration(a)) => {
            give(call, a.scaled(b))
        }
        _ => Err(mismatch(call)),
    }
}

fn divide<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    match operands(call)? {
        (Operand::Scalar(_) | Operand::Quantity(_) | Operand::Duration(_), Operand::Scalar(0.0)) => Err(zero(call)),
        (Operand::Scalar(a), Operand::Scalar(b)) => Ok(Value::float(a / b)),
        (Operand::Quantity(a), Operand::Quantity(b)) => a.ratio(b).map(Value::float).ok_or_else(|| zero(call)),
        (Operand::Quantity(a), Operand::Scalar(b)) => give(call, a.div(b)),
        (Operand::Duration(_), Operand::Duration(b)) if b.nanos() == 0 => Err(zero(call)),
        (Operand::Duration(a), Operand::Duration(b)) => Ok(Value::float(a.seconds() / b.seconds())),
        (Operand::Duration(a), Operand::Scalar(b)) => give(call, a.divided(b)),
        _ => Err(mismatch(call)),
    }
}

fn modulo<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let fraction = |call: &Call<'_, 'e, 'v>| call.refuse("Non-integer argument(s) passed for modulo");
    match operands(call)? {
        (Operand::Scalar(a), Operand::Scalar(b)) => {
            // Go counts with 64-bit integers here.
            let (whole_a, whole_b) = (a as i64, b as i64);
            match () {
                () if a.fract() != 0.0 || b.fract() != 0.0 => Err(fraction(call)),
                () if whole_b == 0 => Err(zero(call)),
                () => Ok(Value::float(whole_a.wrapping_rem(whole_b) as f64)),
            }
        }
        (Operand::Quantity(_), Operand::Quantity(b)) if b.is_zero() => Err(zero(call)),
        (Operand::Quantity(a), Operand::Quantity(b)) if !a.is_integer() || !b.is_integer() => Err(fraction(call)),
        (Operand::Quantity(a), Operand::Quantity(b)) => give(call, a.rem(b)),
        (Operand::Duration(a), Operand::Duration(b)) => match a.checked_rem(b) {
            Some(rest) => give(call, Some(rest)),
            None => Err(zero(call)),
        },
        _ => Err(mismatch(call)),
    }
}

fn sum<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let list = call.list(0)?;
    call.charge(list.len())?;
    let mut items = list.iter();
    // Kyverno: a single item is the result, whatever it is.
    let Some(mut total) = items.next() else {
        return Err(call.refuse("at least one element in the array is required"));
    };
    for item in items {
        total = add(call, operand(call, total)?, operand(call, item)?)?;
    }
    Ok(total)
}
