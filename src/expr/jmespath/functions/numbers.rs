//! Functions over plain numbers.

use super::{Call, Function, NUMBER, Parameter, Type};
use crate::expr::{Number, Value, jmespath::eval::Outcome};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::standard("abs", &[NUMBER], "number", "the number without its sign", |call| {
        Ok(Value::float(call.number(0)?.abs()))
    }),
    Function::standard("avg", &[Parameter::of(&[Type::ArrayNumber])], "number", "the mean; not a number of none", avg),
    Function::standard("ceil", &[NUMBER], "number", "the next whole number upwards", |call| {
        Ok(Value::float(call.number(0)?.ceil()))
    }),
    Function::standard("floor", &[NUMBER], "number", "the next whole number downwards", |call| {
        Ok(Value::float(call.number(0)?.floor()))
    }),
    Function::own("round", &[NUMBER, NUMBER], "number", "rounds to a number of decimals, half away from zero", round),
];

fn avg<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let list = call.list(0)?;
    call.charge(list.len())?;
    let mut sum = 0.0;
    for item in list.iter() {
        if let Value::Number(Number::Float(number)) = item {
            sum += number;
        }
    }
    Ok(Value::float(sum / list.len() as f64))
}

fn round<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let (number, digits) = (call.number(0)?, call.number(1)?);
    if digits.fract() != 0.0 {
        return Err(call.refuse("Non-integer argument(s) passed for round off"));
    }
    if digits < 0.0 {
        return Err(call.refuse("argument #2 out of bounds"));
    }
    // Beyond 308 digits the scale is infinite and a float has no such decimals.
    let scale = 10_f64.powf(digits);
    let scaled = number * scale;
    Ok(Value::float(if scaled.is_finite() { scaled.round() / scale } else { number }))
}
