//! What names stand for during the evaluation of one policy for one request.

use std::cell::{Cell, RefCell};

use super::{EvalError, Host, Program, Question, Value, environment::Root};
use crate::expr::Arena;

/// Steps that all expressions of one policy may take together, as in the API server.
const POLICY_BUDGET: u64 = 10_000_000;
/// Steps that one expression may take, as in the API server.
const EXPRESSION_BUDGET: u64 = 1_000_000;
/// Bytes that all expressions of one policy may make.
const MAX_BYTES: u64 = 64 << 20;
/// Levels of evaluation, through variables that use variables.
const MAX_LEVELS: u32 = 300;

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
        value.missing().map_or(Ok(()), |what| Err(EvalError::indeterminate(what)))
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
