//! Kyverno's look-ups, which the host of the evaluation answers: `resource`, `globalContext`, `http`, `generator`.

use super::{Call, Function};
use crate::expr::cel::{EvalError, Opaque, Question, ResourceType, Value};

macro_rules! both {
    // The names of the handles' methods are also known with a capital.
    ($([$lower:literal, $upper:literal, $note:literal, $apply:expr])*) => {
        &[$(Function::new($lower, $note, $apply), Function::new($upper, $note, $apply),)*]
    };
}

pub(super) const RESOURCE: &[Function] = both![
    ["resource.get(string, string, string, string) -> map(string, dyn)",
     "resource.Get(string, string, string, string) -> map(string, dyn)",
     "the object of an apiVersion, plural, namespace and name; null when there is none", |call| get(call, true)]
    ["resource.get(map(string, string), string, string) -> map(string, dyn)",
     "resource.Get(map(string, string), string, string) -> map(string, dyn)",
     "the object of a resource type, namespace and name; null when there is none", |call| get(call, true)]
    ["resource.list(string, string, string) -> map(string, dyn)",
     "resource.List(string, string, string) -> map(string, dyn)",
     "`items`: the objects of an apiVersion and plural in a namespace", |call| list(call, true)]
    ["resource.list(string, string, string, map(string, string)) -> map(string, dyn)",
     "resource.List(string, string, string, map(string, string)) -> map(string, dyn)",
     "`items`: those that have labels", |call| list(call, true)]
    ["resource.post(string, string, string, map(string, dyn)) -> map(string, dyn)",
     "resource.Post(string, string, string, map(string, dyn)) -> map(string, dyn)",
     "what the API server answers to an object in a namespace", |call| post(call, Some(call.text(2)?))]
    ["resource.post(string, string, map(string, dyn)) -> map(string, dyn)",
     "resource.Post(string, string, map(string, dyn)) -> map(string, dyn)",
     "what the API server answers to an object", |call| post(call, Some(""))]
    ["resource.toGVR(string, string) -> map(string, string)",
     "resource.ToGVR(string, string) -> map(string, string)",
     "the resource type of an apiVersion and kind", plural]
];

pub(super) const NAMESPACED_RESOURCE: &[Function] = both![
    ["resource.get(string, string, string) -> map(string, dyn)",
     "resource.Get(string, string, string) -> map(string, dyn)",
     "the object of an apiVersion, plural and name in the policy's namespace; null when there is none",
     |call| get(call, false)]
    ["resource.get(map(string, string), string) -> map(string, dyn)",
     "resource.Get(map(string, string), string) -> map(string, dyn)",
     "the object of a resource type and name in the policy's namespace", |call| get(call, false)]
    ["resource.list(string, string) -> map(string, dyn)",
     "resource.List(string, string) -> map(string, dyn)",
     "`items`: the objects of an apiVersion and plural in the policy's namespace", |call| list(call, false)]
    ["resource.list(string, string, map(string, string)) -> map(string, dyn)",
     "resource.List(string, string, map(string, string)) -> map(string, dyn)",
     "`items`: those that have labels", |call| list(call, false)]
    ["resource.post(string, string, map(string, dyn)) -> map(string, dyn)",
     "resource.Post(string, string, map(string, dyn)) -> map(string, dyn)",
     "what the API server answers to an object in the policy's namespace", |call| post(call, None)]
    ["resource.toGVR(string, string) -> map(string, string)",
     "resource.ToGVR(string, string) -> map(string, string)",
     "the resource type of an apiVersion and kind", plural]
];

pub(super) const GLOBAL_CONTEXT: &[Function] = both![
    ["globalContext.get(string) -> dyn", "globalContext.Get(string) -> dyn",
     "an entry; null when there is none", |call| {
        call.scope.ask(Question::GlobalContext { name: call.text(0)?, projection: "" })
    }]
    ["globalContext.get(string, string) -> dyn", "globalContext.Get(string, string) -> dyn",
     "a projection of an entry", |call| {
        call.scope.ask(Question::GlobalContext { name: call.text(0)?, projection: call.text(1)? })
    }]
];

pub(super) const HTTP: &[Function] = both![
    ["http.get(string) -> dyn", "http.Get(string) -> dyn", "the answer of a server", |call| http(call, "GET", 0)]
    ["http.get(string, map(string, string)) -> dyn", "http.Get(string, map(string, string)) -> dyn",
     "the answer of a server to a request with headers", |call| http(call, "GET", 0)]
    ["http.post(string, dyn) -> dyn", "http.Post(string, dyn) -> dyn",
     "the answer of a server to what it is sent", |call| http(call, "POST", 0)]
    ["http.post(string, dyn, map(string, string)) -> dyn", "http.Post(string, dyn, map(string, string)) -> dyn",
     "the answer of a server to what it is sent with headers", |call| http(call, "POST", 0)]
    ["http.client(string) -> Http", "http.Client(string) -> Http",
     "a client that trusts certificates", |call| Ok(call.give(Opaque::Http))]
    ["Http.get(string) -> dyn", "Http.Get(string) -> dyn", "the answer of a server", |call| http(call, "GET", 1)]
    ["Http.get(string, map(string, string)) -> dyn", "Http.Get(string, map(string, string)) -> dyn",
     "the answer of a server to a request with headers", |call| http(call, "GET", 1)]
    ["Http.post(string, dyn) -> dyn", "Http.Post(string, dyn) -> dyn",
     "the answer of a server to what it is sent", |call| http(call, "POST", 1)]
    ["Http.post(string, dyn, map(string, string)) -> dyn", "Http.Post(string, dyn, map(string, string)) -> dyn",
     "the answer of a server to what it is sent with headers", |call| http(call, "POST", 1)]
];

pub(super) const GENERATOR: &[Function] = both![[
    "generator.apply(string, list(dyn)) -> bool",
    "generator.Apply(string, list(dyn)) -> bool",
    "generates objects into a namespace",
    |call| { call.scope.ask(Question::Generate { namespace: Some(call.text(0)?), objects: call.value(1) }) }
]];

pub(super) const NAMESPACED_GENERATOR: &[Function] = both![[
    "generator.apply(list(dyn)) -> bool",
    "generator.Apply(list(dyn)) -> bool",
    "generates objects into the policy's namespace",
    |call| { call.scope.ask(Question::Generate { namespace: None, objects: call.value(0) }) }
]];

/// The resource type, and the number of arguments that it takes.
fn resource<'v>(call: &Call<'_, 'v>) -> Result<(ResourceType<'v>, usize), EvalError> {
    if let Value::String(api_version) = call.value(0) {
        return Ok((ResourceType { api_version, plural: call.text(1)? }, 2));
    }
    let map = call.map(0)?;
    let part = |names: [&str; 2]| names.iter().find_map(|name| map.field(name)?.as_str()).unwrap_or("");
    let (group, version) = (part(["group", "Group"]), part(["version", "Version"]));
    let text = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    call.scope.charge_bytes(text.len())?;
    let api_version = call.scope.arena().alloc_str(&text);
    Ok((ResourceType { api_version, plural: part(["resource", "Resource"]) }, 1))
}

fn get<'v>(call: &Call<'_, 'v>, names_namespace: bool) -> Result<Value<'v>, EvalError> {
    let (resource, next) = resource(call)?;
    let namespace = if names_namespace { Some(call.text(next)?) } else { None };
    let name = call.text(next + usize::from(names_namespace))?;
    call.charge(100)?;
    call.scope.ask(Question::Get { resource, namespace, name })
}

fn list<'v>(call: &Call<'_, 'v>, names_namespace: bool) -> Result<Value<'v>, EvalError> {
    let (resource, next) = resource(call)?;
    let namespace = if names_namespace { Some(call.text(next)?) } else { None };
    let labels = call.arguments.get(next + usize::from(names_namespace)).copied();
    call.charge(1000)?;
    call.scope.ask(Question::List { resource, namespace, labels })
}

fn post<'v>(call: &Call<'_, 'v>, namespace: Option<&'v str>) -> Result<Value<'v>, EvalError> {
    let (resource, _) = resource(call)?;
    let data = call.value(call.arguments.len() - 1);
    call.scope.ask(Question::Post { resource, namespace, data })
}

fn plural<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    call.scope.ask(Question::Plural { api_version: call.text(0)?, kind: call.text(1)? })
}

fn http<'v>(call: &Call<'_, 'v>, method: &'static str, first: usize) -> Result<Value<'v>, EvalError> {
    let body = (method == "POST").then(|| call.value(first + 1));
    call.scope.ask(Question::Http { method, url: call.text(first)?, body })
}
