//! What names stand for during the evaluation of one policy for one request.

use std::cell::{Cell, RefCell};

use super::{EvalError, Host, List, Map, Program, Question, Value, environment::Root};
use crate::expr::Arena;

/// Steps that all expressions of one policy may take together, as in the API server.
const POLICY_BUDGET: u64 = 10_000_000;
/// Steps that one expression may take, as in the API server.
const EXPRESSION_BUDGET: u64 = 1_000_000;
/// Bytes that all expressions of one policy may make.
const MAX_BYTES: u64 = 64 << 20;
/// Levels of evaluation, through variables that use variables.
const MAX_LEVELS: u32 = 300;
/// Levels of lists and maps within each other in a value that something looks at all of.
const MAX_DEPTH: u32 = 500;

/// One evaluation of a policy: roots, variables, host, budget.
pub(crate) struct Scope<'v> {
    arena: &'v Arena,
    host: &'v dyn Host<'v>,
    roots: [Option<Value<'v>>; Root::ALL.len()],
    variables: &'v [Program],
    cache: RefCell<Vec<Option<Result<Value<'v>, EvalError>>>>,
    /// Nanoseconds since 1970, for `time.now`.
    now: i128,
    steps: Cell<u64>,
    /// What `steps` may not fall below: the end of the budget of the expression.
    floor: Cell<u64>,
    bytes: Cell<u64>,
    levels: Cell<u32>,
    /// Whether a root holds something that is not known.
    hides: bool,
}

impl<'v> Scope<'v> {
    /// A scope without any root. `variables` are in the order of their declaration in the environment; `now` is the
    /// time in nanoseconds since 1970.
    pub(crate) fn new(arena: &'v Arena, host: &'v dyn Host<'v>, variables: &'v [Program], now: i128) -> Self {
        Scope {
            arena,
            host,
            roots: [None; Root::ALL.len()],
            variables,
            cache: RefCell::new(vec![None; variables.len()]),
            now,
            steps: Cell::new(POLICY_BUDGET),
            floor: Cell::new(0),
            bytes: Cell::new(MAX_BYTES),
            levels: Cell::new(0),
            hides: false,
        }
    }

    /// Says what a root stands for, and forgets the values of variables.
    pub(crate) fn set(&mut self, root: Root, value: Value<'v>) {
        self.roots[root as usize] = Some(value);
        self.hides |= value.missing().is_some();
        self.cache.borrow_mut().fill(None);
    }

    /// What a root stands for.
    pub(crate) fn get(&self, root: Root) -> Option<Value<'v>> {
        self.roots[root as usize]
    }

    /// The memory for computed values.
    pub(crate) fn arena(&self) -> &'v Arena {
        self.arena
    }

    /// Refuses a value of which something is not known to whoever looks at all of it.
    pub(super) fn whole(&self, value: Value<'v>) -> Result<(), EvalError> {
        if !self.hides {
            return Ok(());
        }
        self.walk(value, 0, &|part| match part {
            Value::Unknown(what) => Err(EvalError::indeterminate(what)),
            _ => Ok(()),
        })
    }

    /// Charges for all of a value, before something looks at each part of it.
    ///
    /// Parts may be shared: a few variables, each a list of the one before, make a value with more parts than anybody
    /// can wait for.
    pub(crate) fn charge_parts(&self, value: Value<'v>) -> Result<(), EvalError> {
        self.walk(value, 0, &|part| match part {
            Value::String(text) => self.charge(1 + text.len() as u64 / 32),
            Value::Bytes(bytes) => self.charge(1 + bytes.len() as u64 / 32),
            Value::List(List::Node(node)) | Value::Map(Map::Node(node)) => {
                self.charge(1 + node.span().range().len() as u64 / 32)
            }
            _ => self.charge(1),
        })
    }

    /// Looks at a value and at all parts of it that are no nodes of a document.
    fn walk(
        &self,
        value: Value<'v>,
        depth: u32,
        look: &dyn Fn(Value<'v>) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        if depth > MAX_DEPTH {
            return Err(EvalError::Cost);
        }
        look(value)?;
        let next = |part| self.walk(part, depth + 1, look);
        match value {
            Value::List(List::Items(items)) => {
                self.charge(items.len() as u64 / 4)?;
                items.iter().copied().try_for_each(next)
            }
            Value::Map(map @ (Map::Entries(_) | Map::Open(_))) => {
                self.charge(map.len() as u64 / 4)?;
                map.iter().try_for_each(|(key, value)| next(key).and_then(|()| next(value)))
            }
            Value::Optional(Some(value)) => next(*value),
            _ => Ok(()),
        }
    }

    /// Equality, charged by what is compared.
    pub(super) fn equal(&self, left: Value<'v>, right: Value<'v>) -> Result<bool, EvalError> {
        self.charge_comparison(left, right, 0)?;
        Ok(left.equals(right))
    }

    fn charge_comparison(&self, left: Value<'v>, right: Value<'v>, depth: u32) -> Result<(), EvalError> {
        if depth > MAX_DEPTH {
            return Err(EvalError::Cost);
        }
        let next = |a, b| self.charge_comparison(a, b, depth + 1);
        match (left, right) {
            (Value::String(a), Value::String(b)) => self.charge(a.len().min(b.len()) as u64 / 32),
            (Value::List(a), Value::List(b)) if a.len() == b.len() => {
                self.charge(a.len() as u64)?;
                a.iter().zip(b.iter()).try_for_each(|(a, b)| next(a, b))
            }
            (Value::Map(a), Value::Map(b)) if a.len() == b.len() => {
                self.charge(a.len() as u64 * (1 + b.len() as u64 / 4))?;
                a.iter().try_for_each(|(key, a)| b.get(key).map_or(Ok(()), |b| next(a, b)))
            }
            (Value::Optional(Some(a)), Value::Optional(Some(b))) => {
                self.charge(1)?;
                next(*a, *b)
            }
            _ => Ok(()),
        }
    }

    /// The time, in nanoseconds since 1970.
    pub(super) fn now(&self) -> i128 {
        self.now
    }

    pub(super) fn ask(&self, question: Question<'v>) -> Result<Value<'v>, EvalError> {
        self.host.answer(question, self.arena)
    }

    /// The value of a variable, evaluated once, its error as well.
    pub(super) fn variable(&self, index: usize) -> Result<Value<'v>, EvalError> {
        if let Some(Some(known)) = self.cache.borrow().get(index) {
            return known.clone();
        }
        let Some(program) = self.variables.get(index) else {
            return Err(EvalError::NoSuchAttribute("variables".into()));
        };
        let result = program.evaluate(self);
        if let Some(place) = self.cache.borrow_mut().get_mut(index) {
            *place = Some(result.clone());
        }
        result
    }

    /// The program of a variable.
    pub(super) fn program(&self, index: usize) -> Option<&'v Program> {
        self.variables.get(index)
    }

    /// Takes steps from the budget of the policy.
    pub(super) fn charge(&self, steps: u64) -> Result<(), EvalError> {
        let left =
            self.steps.get().checked_sub(steps).filter(|left| *left >= self.floor.get()).ok_or(EvalError::Cost)?;
        self.steps.set(left);
        Ok(())
    }

    /// Takes bytes from the budget of the policy, before they are allocated.
    pub(super) fn charge_bytes(&self, bytes: usize) -> Result<(), EvalError> {
        let left = self.bytes.get().checked_sub(bytes as u64).ok_or(EvalError::Cost)?;
        self.bytes.set(left);
        self.charge(bytes as u64 / 32)
    }

    /// Enters a level of evaluation; [`Scope::leave`] is due when this is `Ok`.
    pub(super) fn enter(&self) -> Result<(), EvalError> {
        let level = self.levels.get() + 1;
        if level > MAX_LEVELS {
            return Err(EvalError::Cost);
        }
        self.levels.set(level);
        Ok(())
    }

    pub(super) fn leave(&self) {
        self.levels.set(self.levels.get().saturating_sub(1));
    }

    /// Gives an expression its own budget within that of the policy, and takes it back after `evaluate`.
    ///
    /// What an inner expression takes, a variable, is not counted for the outer one.
    pub(super) fn within_budget<T>(&self, evaluate: impl FnOnce() -> Result<T, EvalError>) -> Result<T, EvalError> {
        let (before, outer) = (self.steps.get(), self.floor.get());
        self.floor.set(before.saturating_sub(EXPRESSION_BUDGET));
        let result = evaluate();
        self.floor.set(outer.saturating_sub(before.saturating_sub(self.steps.get())));
        result
    }
}
