//! Which part of an expression decided that it is false, and what it read.
//!
//! Evaluates parts of the expression again, within the same budget: only done for what has failed.

use super::{
    Scope, Value,
    eval::{Evaluator, elements, list_index},
    tree::{Expr, Form, Kind},
};
use crate::document::Node;

/// The part that decided, and the place in a document that it read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'v> {
    /// Byte offset of the part in the expression.
    pub(crate) at: usize,
    /// What was read, or the nearest parent that there is.
    pub(crate) node: Option<Node<'v>>,
}

/// Why an expression is false; `None` when it isn't.
pub(super) fn find<'v>(expr: &'v Expr, scope: &Scope<'v>) -> Option<Evidence<'v>> {
    let mut finder = Finder { evaluator: Evaluator::new(scope) };
    finder.blame(expr, false).map(|(at, node)| Evidence { at: at as usize, node })
}

struct Finder<'s, 'v> {
    evaluator: Evaluator<'s, 'v>,
}

type Found<'v> = Option<(u32, Option<Node<'v>>)>;

impl<'v> Finder<'_, 'v> {
    fn is(&mut self, expr: &'v Expr, value: bool) -> bool {
        self.evaluator.condition(expr).is_ok_and(|it| it == value)
    }

    /// Why an expression that has this value has it.
    fn blame(&mut self, expr: &'v Expr, value: bool) -> Found<'v> {
        match &expr.kind {
            Kind::Not(operand) => self.blame(operand, !value),
            Kind::And(operands) | Kind::Or(operands) => {
                let decides = matches!(expr.kind, Kind::Or(_)) == value;
                // One that decides does. Without one, all had to agree, and the last says most: what stands before it
                // often only asks whether there is something to look at.
                let mut found: Found<'v> = None;
                for operand in operands {
                    if self.is(operand, value) {
                        let this = self.blame(operand, value);
                        if decides {
                            return this;
                        }
                        found = this.filter(|(_, node)| node.is_some()).or(found).or(this);
                    }
                }
                found
            }
            Kind::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                let taken = if self.is(condition, true) { yes } else { no };
                match self.blame(taken, value) {
                    Some((at, None)) if matches!(taken.kind, Kind::Constant(_)) => Some((at, self.place(condition))),
                    found => found,
                }
            }
            Kind::Macro(it) if matches!(it.form, Form::All | Form::Exists) => {
                let range = self.evaluator.eval(&it.range).ok()?;
                let deciding = it.form == Form::Exists;
                let elements: Vec<_> = elements(range, it.two).ok()?.collect();
                if value == deciding {
                    for element in elements {
                        let before = self.evaluator.locals.len();
                        self.evaluator.locals.extend_from_slice(&element);
                        let found = if self.is(&it.body, value) { self.blame(&it.body, value) } else { None };
                        self.evaluator.locals.truncate(before);
                        if let Some((at, node)) = found {
                            let element = element.iter().rev().find_map(|it| it.node());
                            return Some((at, node.or(element).or_else(|| self.place(&it.range))));
                        }
                    }
                }
                Some((expr.at, self.place(&it.range)))
            }
            Kind::Bind(parts) => {
                let [bound, body] = &**parts;
                let bound = self.evaluator.eval(bound).ok()?;
                self.evaluator.locals.push(bound);
                let found = self.blame(body, value);
                self.evaluator.locals.pop();
                found
            }
            Kind::Variable(index) | Kind::NamedVariable(index, _) => {
                let node =
                    self.within(*index).and_then(|(mut it, tree)| it.blame(tree, value)).and_then(|(_, node)| node);
                Some((expr.at, node))
            }
            _ => Some((expr.at, self.place(expr))),
        }
    }

    /// A finder for the expression of a variable.
    fn within(&self, variable: usize) -> Option<(Self, &'v Expr)> {
        let scope = self.evaluator.scope;
        let program = scope.program(variable)?;
        Some((Finder { evaluator: Evaluator::new(scope) }, program.root()))
    }

    /// What an expression read: the first of its parts that comes from a document.
    fn place(&mut self, expr: &'v Expr) -> Option<Node<'v>> {
        match &expr.kind {
            Kind::Constant(_) | Kind::Fail(_) => None,
            Kind::Root(_) | Kind::Local(_) => self.evaluator.eval(expr).ok()?.node(),
            Kind::Variable(index) | Kind::NamedVariable(index, _) => {
                let node = self.evaluator.eval(expr).ok().and_then(Value::node);
                node.or_else(|| self.within(*index).and_then(|(mut it, tree)| it.place(tree)))
            }
            Kind::Has { operand, field } | Kind::Field { operand, field, .. } => {
                if let Some(parent) = self.value(operand).and_then(Value::node) {
                    return Some(parent.get(field).unwrap_or(parent));
                }
                self.place(operand)
            }
            Kind::Index { operand, index, .. } => {
                let parent = self.value(operand);
                let Some(node) = parent.and_then(Value::node) else { return self.place(operand) };
                let child = match self.evaluator.eval(index).ok() {
                    Some(Value::String(key)) => node.get(key),
                    Some(index) => list_index(index)
                        .ok()
                        .and_then(|at| usize::try_from(at).ok())
                        .and_then(|at| node.items().nth(at)),
                    None => None,
                };
                Some(child.unwrap_or(node))
            }
            Kind::Not(operand) | Kind::Negate(operand) | Kind::Among(operand, _) => self.place(operand),
            Kind::Binary(_, operands) => operands.iter().find_map(|operand| self.place(operand)),
            Kind::And(operands) | Kind::Or(operands) => operands.iter().find_map(|operand| self.place(operand)),
            Kind::Conditional(parts) => parts.iter().find_map(|part| self.place(part)),
            Kind::List(items) => items.iter().find_map(|item| self.place(&item.value)),
            Kind::Map(entries) => entries.iter().find_map(|entry| self.place(&entry.value)),
            Kind::Call(call) => call.arguments.iter().find_map(|argument| self.place(argument)),
            Kind::Macro(it) => self.place(&it.range),
            Kind::Bind(parts) | Kind::OptionalMap { parts, .. } => self.place(&parts[0]),
        }
    }

    /// The value of an expression, taken out of optional ones.
    fn value(&mut self, expr: &'v Expr) -> Option<Value<'v>> {
        let mut value = self.evaluator.eval(expr).ok()?;
        while let Value::Optional(inner) = value {
            value = *inner?;
        }
        Some(value)
    }
}
