//! Types of the operators between two operands.

use super::{Checked, Checker, expr, no_overload};
use crate::expr::cel::{
    ast::{Ast, Binary},
    tree::{Constant, Item, Kind},
    types::{Bindings, Type},
};

/// Operands and result. Where one operand is not known, all lines that fit are possible.
const ADD: &[[&str; 3]] = &[
    ["int", "int", "int"],
    ["uint", "uint", "uint"],
    ["double", "double", "double"],
    ["string", "string", "string"],
    ["bytes", "bytes", "bytes"],
    ["list(A)", "list(A)", "list(A)"],
    ["timestamp", "duration", "timestamp"],
    ["duration", "timestamp", "timestamp"],
    ["duration", "duration", "duration"],
];
const SUBTRACT: &[[&str; 3]] = &[
    ["int", "int", "int"],
    ["uint", "uint", "uint"],
    ["double", "double", "double"],
    ["timestamp", "timestamp", "duration"],
    ["timestamp", "duration", "timestamp"],
    ["duration", "duration", "duration"],
];
const MULTIPLY: &[[&str; 3]] = &[["int", "int", "int"], ["uint", "uint", "uint"], ["double", "double", "double"]];
const REMAINDER: &[[&str; 3]] = &[["int", "int", "int"], ["uint", "uint", "uint"]];

impl Checker<'_> {
    pub(super) fn binary(&mut self, at: u32, operator: Binary, left: &Ast, right: &Ast) -> Checked {
        let (left, left_type) = self.expression(left)?;
        let (right, right_type) = self.expression(right)?;
        let Some(result) = result(operator, &left_type, &right_type) else {
            return Err(no_overload(at, operator.name(), None, &[left_type, right_type]));
        };
        let kind = match (operator, right.kind) {
            (Binary::In, Kind::List(items)) => match constants(&items) {
                Some(constants) => Kind::Among(left.into(), constants),
                None => Kind::Binary(operator, Box::new([left, expr(right.at, Kind::List(items))])),
            },
            (_, kind) => Kind::Binary(operator, Box::new([left, expr(right.at, kind)])),
        };
        Ok((expr(at, kind), result))
    }
}

/// The items of a list when all are constants.
fn constants(items: &[Item]) -> Option<Box<[Constant]>> {
    let constant = |item: &Item| match &item.value.kind {
        Kind::Constant(constant) if !item.optional => Some(constant.clone()),
        _ => None,
    };
    items.iter().map(constant).collect()
}

fn result(operator: Binary, left: &Type, right: &Type) -> Option<Type> {
    match operator {
        Binary::Equal | Binary::NotEqual => left.agrees(right).then_some(Type::Bool),
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
            ordered(left, right).then_some(Type::Bool)
        }
        Binary::In => match right {
            Type::Dyn | Type::Free => Some(Type::Bool),
            Type::List(item) => item.agrees(left).then_some(Type::Bool),
            Type::Map(entry) => entry.0.agrees(left).then_some(Type::Bool),
            _ => None,
        },
        Binary::Add => computed(ADD, left, right),
        Binary::Subtract => computed(SUBTRACT, left, right),
        Binary::Multiply | Binary::Divide => computed(MULTIPLY, left, right),
        Binary::Remainder => computed(REMAINDER, left, right),
    }
}

fn ordered(left: &Type, right: &Type) -> bool {
    let number = |it: &Type| matches!(it, Type::Int | Type::Uint | Type::Double);
    let has_order = |it: &Type| {
        number(it)
            || it.is_dyn()
            || matches!(it, Type::Bool | Type::String | Type::Bytes | Type::Timestamp | Type::Duration)
    };
    has_order(left) && has_order(right) && (number(left) && number(right) || left.agrees(right))
}

fn computed(lines: &'static [[&'static str; 3]], left: &Type, right: &Type) -> Option<Type> {
    let mut found: Option<Type> = None;
    for [a, b, result] in lines {
        let mut bindings = Bindings::default();
        if Type::parse(a).accepts(left, &mut bindings) && Type::parse(b).accepts(right, &mut bindings) {
            let result = Type::parse(result).bound(&bindings);
            match found {
                Some(before) if before != result => return Some(Type::Dyn),
                _ => found = Some(result),
            }
        }
    }
    found
}
