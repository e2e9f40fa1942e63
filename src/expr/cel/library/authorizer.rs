//! Kubernetes' `authorizer`: collects what is asked for and asks the host.

use super::{Call, Function};
use crate::expr::cel::{EvalError, Opaque, Question, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("Authorizer.path(string) -> PathCheck", "asks for a path", |call| add(call, "PathCheck", "path")),
    Function::new("Authorizer.group(string) -> GroupCheck", "asks for an API group", |call| {
        add(call, "GroupCheck", "group")
    }),
    // Kubernetes: written as a field of the authorizer, which no other function is.
    Function::new("Authorizer.requestResource() -> ResourceCheck", "asks for what the request is about", |call| {
        extend(call, "ResourceCheck", &[("request", Value::Bool(true))])
    }),
    Function::new("Authorizer.serviceAccount(string, string) -> Authorizer", "asks for a service account", |call| {
        let more = [("serviceaccountnamespace", call.value(1)), ("serviceaccount", call.value(2))];
        extend(call, "Authorizer", &more)
    }),
    Function::new("GroupCheck.resource(string) -> ResourceCheck", "asks for a resource type", |call| {
        add(call, "ResourceCheck", "resource")
    }),
    Function::new("ResourceCheck.subresource(string) -> ResourceCheck", "asks for a subresource", |call| {
        add(call, "ResourceCheck", "subresource")
    }),
    Function::new("ResourceCheck.namespace(string) -> ResourceCheck", "asks for a namespace", |call| {
        add(call, "ResourceCheck", "namespace")
    }),
    Function::new("ResourceCheck.name(string) -> ResourceCheck", "asks for a name", |call| {
        add(call, "ResourceCheck", "name")
    }),
    Function::new("ResourceCheck.fieldSelector(string) -> ResourceCheck", "asks for a field selector", |call| {
        add(call, "ResourceCheck", "fieldselector")
    }),
    Function::new("ResourceCheck.labelSelector(string) -> ResourceCheck", "asks for a label selector", |call| {
        add(call, "ResourceCheck", "labelselector")
    }),
    Function::new("PathCheck.check(string) -> Decision", "asks whether a verb is allowed", check),
    Function::new("ResourceCheck.check(string) -> Decision", "asks whether a verb is allowed", check),
    Function::new("Decision.allowed() -> bool", "whether it is allowed", |call| {
        let found = attributes(call)?.iter().find(|(name, _)| *name == "allowed");
        Ok(found.map_or(Value::Bool(false), |(_, value)| *value))
    }),
    Function::new("Decision.reason() -> string", "why", |_| Ok(Value::String(""))),
    Function::new("Decision.errored() -> bool", "whether asking failed", |_| Ok(Value::Bool(false))),
    Function::new("Decision.error() -> string", "why asking failed", |_| Ok(Value::String(""))),
];

fn attributes<'v>(call: &Call<'_, 'v>) -> Result<&'v [(&'static str, Value<'v>)], EvalError> {
    match call.opaque(0)? {
        Opaque::Authorizer(_, attributes) => Ok(attributes),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn extend<'v>(
    call: &Call<'_, 'v>,
    to: &'static str,
    more: &[(&'static str, Value<'v>)],
) -> Result<Value<'v>, EvalError> {
    let all = [attributes(call)?, more].concat();
    call.scope.charge_bytes(size_of_val(all.as_slice()))?;
    Ok(call.give(Opaque::Authorizer(to, call.scope.arena().alloc_slice_copy(&all))))
}

fn add<'v>(call: &Call<'_, 'v>, to: &'static str, name: &'static str) -> Result<Value<'v>, EvalError> {
    extend(call, to, &[(name, call.value(1))])
}

fn check<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let allowed = call.scope.ask(Question::Authorize { attributes: attributes(call)?, verb: call.text(1)? })?;
    extend(call, "Decision", &[("allowed", allowed)])
}
