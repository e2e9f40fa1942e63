//! Calls whose arguments are constants: conversions are evaluated once, patterns and formats are tried.
//!
//! Kubernetes does so when it compiles a policy, so that `int("x")` and `"a".matches("(")` are errors of the policy, not
//! of a request.

use super::expr;
use crate::{
    expr::{
        Arena,
        cel::{
            CompileError, EvalError, Nowhere, Scope, eval,
            tree::{Call, Constant, Expr, Kind},
        },
    },
    k8s::goregex,
};

/// Functions from one type to another.
const CONVERSIONS: [&str; 9] = ["bool", "bytes", "double", "duration", "int", "string", "timestamp", "type", "uint"];
/// Functions whose second argument, the receiver counted, is a pattern.
const PATTERNS: [&str; 6] = ["matches", "find", "findAll", "regex.extract", "regex.extractAll", "regex.replace"];

/// The constant that a call comes to, or the call as it was.
pub(super) fn fold(at: u32, mut call: Call) -> Result<Result<Expr, Call>, CompileError> {
    let refuse = |error: EvalError| CompileError::new(at, error.to_string());
    if PATTERNS.contains(&call.name)
        && let Some(Kind::Constant(Constant::String(pattern))) = call.arguments.get(1).map(|it| &it.kind)
    {
        let compiled = goregex::compile(pattern).map_err(|error| CompileError::new(at, error.to_string()))?;
        call.pattern = Some(compiled);
    }
    let constant = |it: &Expr| match &it.kind {
        Kind::Constant(_) => true,
        Kind::List(items) if call.name == "format" => {
            items.iter().all(|item| !item.optional && matches!(item.value.kind, Kind::Constant(_)))
        }
        _ => false,
    };
    let foldable = CONVERSIONS.contains(&call.name) || call.name == "format";
    if !foldable || !call.arguments.iter().all(constant) {
        return Ok(Err(call));
    }
    let call = expr(at, Kind::Call(Box::new(call)));
    let arena = Arena::new();
    let folded = Constant::of(eval::evaluate(&call, &Scope::new(&arena, &Nowhere, &[], 0)).map_err(refuse)?);
    Ok(Ok(match folded {
        Some(constant) => expr(at, Kind::Constant(constant)),
        None => call,
    }))
}
