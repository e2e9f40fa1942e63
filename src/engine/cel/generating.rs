//! `GeneratingPolicy` and its namespaced form: what they make when an object comes.
//!
//! In: a policy and a request. Out: one outcome and the objects that are made, or nothing for a request that the policy is
//! not about. Objects come from `generator.apply`, whatever the expression around it gives, and from templates.

use serde_json::{Map, Value as Json, json};

use super::{
    EXCEPTION, Judging, Verdict,
    body::{self, Gate},
    equivalent::{About, unclear, unconverted},
    exceptions::{self, Exemption, Waivers},
    names::{Failure, Names, Sight},
};
use crate::{
    engine::{Outcome, Status, generate::Generated},
    expr::Value,
    policy::cel::{Piece, Product, Shape},
};

/// What only a cluster writes into `metadata`: of a copy it would make it anew.
const OWN: [&str; 6] = ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"];

/// The most objects that a policy makes of one.
const MAX_OBJECTS: usize = 10_000;

pub(super) fn generate<'v>(judging: &Judging<'v, '_>) -> Option<Generated<'v>> {
    match judging.applies() {
        About::No => None,
        About::Yes(reach, None) => {
            let made = matched(judging)?;
            Some(Generated { outcome: judging.as_far_as(reach, made.outcome), ..made })
        }
        About::Yes(_, Some(version)) => Some(undone(judging, unconverted(version))),
        About::Unclear(what, at) => Some(undone(judging, unclear(what, at))),
    }
}

fn undone<'v>(judging: &Judging<'v, '_>, verdict: Verdict) -> Generated<'v> {
    let outcome = judging.outcome(&judging.policy.head.name, verdict, judging.policy.action);
    Generated { outcome, objects: Vec::new() }
}

/// What the policy makes of a request that it is about.
fn matched<'v>(judging: &Judging<'v, '_>) -> Option<Generated<'v>> {
    let policy = judging.policy;
    let outcome = |rule, verdict| judging.outcome(rule, verdict, policy.action);
    let said = |verdict| outcome(policy.head.name.as_str(), verdict);
    let failed = |failure: &Failure| {
        let outcome = said(failure.verdict(|text| format!("failed to evaluate policy: {text}")));
        Some(Generated { outcome, objects: Vec::new() })
    };
    let exemption = match exceptions::find(judging) {
        Ok(Waivers { exemption: Exemption::Whole { exceptions, report }, .. }) => {
            let told = exceptions::told(&exceptions, report);
            return Some(Generated {
                outcome: Outcome { exceptions, ..outcome(EXCEPTION, told) },
                objects: Vec::new(),
            });
        }
        Ok(waivers) => waivers.exemption,
        Err(failure) => return failed(&failure),
    };
    let body = &judging.form.body;
    let names = Names::new(judging.session, &policy.head.namespace, Sight::Policy, &body.variables, body.reads)
        .exempting(&exemption);
    match body::gate(&names, &body.conditions, |_, error| error.to_owned()) {
        Gate::Open => {}
        Gate::Closed => return None,
        // Kyverno: whatever its failure policy says.
        Gate::Broken(failure) => return failed(&failure),
    }
    let made = products(&names, &body.products, &policy.head.namespace);
    let (objects, annotations) = match made.and_then(|it| Ok((it, body::annotations(&names, &body.annotations)?))) {
        Ok(made) => made,
        Err(failure) => return failed(&failure),
    };
    let mut verdict = Verdict::new(Status::Pass, "policy evaluated successfully");
    verdict.properties.extend(annotations);
    Some(Generated { outcome: said(verdict), objects })
}

/// The objects that the entries of `generate` make, by a policy of the namespace `home`.
fn products<'v>(names: &Names<'v>, products: &'v [Product], home: &str) -> Result<Vec<Json>, Failure> {
    let mut objects = Vec::new();
    let mut n_known = 0;
    for product in products {
        match product {
            Product::Expression(expression) => {
                names.truth(expression)?;
                let made = names.made()?;
                for (namespace, list) in &made[n_known..] {
                    place(list, namespace, &mut objects)?;
                }
                n_known = made.len();
            }
            Product::Template(template) => {
                for document in &template.documents {
                    let mut object = filled(names, document)?;
                    if !home.is_empty() {
                        house(&mut object, home);
                    }
                    add(object, &mut objects)?;
                }
            }
        }
    }
    Ok(objects)
}

/// Adds the objects of a list, each in a namespace; lists of Kubernetes stand for what is in them.
fn place(list: &Value<'_>, namespace: &str, objects: &mut Vec<Json>) -> Result<(), Failure> {
    let Value::List(items) = list else {
        return Err(Failure::Error("generator.apply: the objects are no list".to_owned()));
    };
    for item in items.iter() {
        let inner = match item {
            Value::Map(map) => match (map.get("items"), map.get("kind")) {
                (Some(Value::List(inner)), None) => Some(inner),
                (Some(Value::List(inner)), Some(Value::String(kind))) if kind.ends_with("List") => Some(inner),
                _ => None,
            },
            _ => None,
        };
        let each: Vec<Value<'_>> = inner.map_or_else(|| vec![item], |inner| inner.iter().collect());
        for object in each {
            let mut object = object.to_serde();
            house(&mut object, namespace);
            add(object, objects)?;
        }
    }
    Ok(())
}

/// Puts an object into a namespace, or outside of all of them.
fn house(object: &mut Json, namespace: &str) {
    let Some(top) = object.as_object_mut() else { return };
    let metadata = top.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    if namespace.is_empty() {
        metadata.remove("namespace");
    } else {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
}

fn add(mut object: Json, objects: &mut Vec<Json>) -> Result<(), Failure> {
    for key in ["apiVersion", "kind"] {
        if object.get(key).and_then(Json::as_str).is_none_or(str::is_empty) {
            return Err(Failure::Error(format!("what is to be generated has no `{key}`: {object}")));
        }
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
        for key in OWN {
            metadata.remove(key);
        }
    }
    if objects.len() == MAX_OBJECTS {
        return Err(Failure::Error(format!("more than {MAX_OBJECTS} objects are to be generated")));
    }
    objects.push(object);
    Ok(())
}

/// What a template makes, with the values of its expressions.
fn filled<'v>(names: &Names<'v>, shape: &'v Shape) -> Result<Json, Failure> {
    Ok(match shape {
        Shape::Constant(value) => value.clone(),
        Shape::Value(expression) => names.plain(expression)?.to_serde(),
        Shape::Text(pieces) => {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Literal(literal) => text.push_str(literal),
                    Piece::Value(expression) => match names.plain(expression)? {
                        Value::String(value) => text.push_str(value),
                        value @ (Value::Bool(_) | Value::Number(_)) => text.push_str(&value.to_json()),
                        Value::Null | Value::List(_) | Value::Map(_) => {
                            let expression = expression.text();
                            return Err(Failure::Error(format!("`{expression}` stands in a text and is no scalar")));
                        }
                    },
                }
            }
            text.into()
        }
        Shape::List(items) => items.iter().map(|it| filled(names, it)).collect::<Result<Vec<_>, _>>()?.into(),
        Shape::Map(entries) => {
            let filled = |(key, shape): &'v (String, Shape)| Ok((key.clone(), filled(names, shape)?));
            Json::Object(entries.iter().map(filled).collect::<Result<Map<_, _>, Failure>>()?)
        }
    })
}
