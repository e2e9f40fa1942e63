//! The parameters that a binding or a rule takes.
//!
//! In: `paramKind` and `paramRef`. Out: the objects, or what is not known of them.

use crate::{
    cluster::{Missing, Resources},
    document::Node,
    engine::{context::Session, matching::selects},
    expr::Value,
    policy::cel::{NotFound, ParamKind, ParamRef},
};

/// What parameters there are.
pub(super) enum Params<'v> {
    /// The policy takes none, or none can be found and `params` is null.
    None,
    /// Each of these.
    Each(Vec<Value<'v>>),
    /// There are none, and then the policy doesn't count.
    Unbound,
    /// What is not known.
    Unknown(String),
}

/// Finds the parameters for a request.
pub(super) fn find<'v>(session: &Session<'v>, kind: Option<&ParamKind>, reference: Option<&ParamRef>) -> Params<'v> {
    let (Some(kind), Some(reference)) = (kind, reference) else { return Params::None };
    if session.cluster.is_command_line() {
        return by_command_line(session, reference);
    }
    let plural = session.world.policies.plurals().of(&kind.group, &kind.kind);
    let wanted = Resources { group: &kind.group, version: &kind.version, plural: &plural };
    let own = session.request.resource().and_then(|it| it.str_at(&["metadata", "namespace"])).unwrap_or_default();
    let namespace = reference.namespace.as_deref().unwrap_or(own);
    let is_meant = |node: &Node<'_>| {
        let found = node.str_at(&["metadata", "namespace"]).unwrap_or_default();
        // A kind outside of namespaces is looked for outside of them.
        (found.is_empty() || found == namespace) && is_named(reference, *node)
    };
    let plurals = session.world.policies.plurals();
    let objects = session.cluster.resources(wanted, plurals);
    let is_held = !objects.is_empty();
    let each: Vec<Value<'v>> = objects.into_iter().filter(is_meant).map(Value::from).collect();
    if !each.is_empty() {
        return Params::Each(each);
    }
    let unknown = || {
        let name = reference.name.as_deref().unwrap_or("that its selector means");
        Params::Unknown(format!("the {} {name}", kind.kind))
    };
    // Where nothing else is known of a cluster, it is not known either whether it has parameters.
    if reference.not_found == NotFound::Deny || session.cluster.is_empty() {
        return unknown();
    }
    match if is_held { Ok(()) } else { session.cluster.none_held(wanted, plurals).map(|_| ()) } {
        Ok(()) => {
            let name = reference.name.as_deref().unwrap_or_default();
            let name = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
            session.missed.note(&Missing::Absent { kind: wanted.title(), name });
            Params::Unbound
        }
        Err(missing) => {
            session.missed.note(&missing);
            unknown()
        }
    }
}

fn is_named(reference: &ParamRef, node: Node<'_>) -> bool {
    let named = reference.name.as_deref().is_none_or(|name| node.str_at(&["metadata", "name"]) == Some(name));
    let labels = node.at(&["metadata", "labels"]).map(Value::from);
    named && reference.selector.as_ref().is_none_or(|selector| selects(selector, labels))
}

/// Kyverno: its command line takes the first parameters of the name, of whatever kind and namespace, and those of a
/// selector all together as a list; without any, `params` is null.
fn by_command_line<'v>(session: &Session<'v>, reference: &ParamRef) -> Params<'v> {
    let mut found = session.cluster.parameters().filter(|node| is_named(reference, *node));
    if reference.name.is_some() {
        return found.next().map_or(Params::None, |node| Params::Each(vec![Value::from(node)]));
    }
    let items: Vec<_> = found.map(Value::from).collect();
    let items = Value::list_in(session.arena, &items);
    Params::Each(vec![Value::map_in(session.arena, &[("items", items)])])
}
