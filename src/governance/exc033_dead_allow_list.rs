//! Lists of what is allowed that no policy reads.

use super::{Context, Item, Named, Out, PolicyRef};
use crate::{
    document::{Kind, Node},
    finding::Place,
};

rule! {
    /// The lists of an exception are read by the policy that it names.
    ///
    /// ## Why
    /// An exception of `policies.kyverno.io` with `images` or `allowedValues` doesn't waive the policy: it hands the lists
    /// to its expressions, as `exceptions.allowedImages` and `exceptions.allowedValues`. A policy that doesn't read them
    /// goes on refusing. An `ImageValidatingPolicy` doesn't look at them at all: there the exception waives everything that
    /// it matches, whatever its lists say.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: ValidatingPolicy
    /// metadata: { name: registries }
    /// spec:
    ///   matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }] }
    ///   validations: [{ expression: "object.spec.containers.all(c, c.image.startsWith('ghcr.io/'))" }]
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: registries, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    ///   images: # <-
    ///     - docker.io/library/tool:*
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: ValidatingPolicy
    /// metadata: { name: registries }
    /// spec:
    ///   matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }] }
    ///   validations:
    ///     - expression: "object.spec.containers.all(c, c.image.startsWith('ghcr.io/') || c.image in exceptions.allowedImages)"
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: registries, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    ///   images: [docker.io/library/tool:1.2]
    /// ```
    ///
    /// ## Fix
    /// Let the policy read the list, or take the list away: then the exception waives the whole policy.
    EXC033, "dead-allow-list", Error, check
}

/// The field of an exception, and what an expression reads it by.
const LISTS: [(&str, &str); 2] = [("images", "allowedImages"), ("allowedValues", "allowedValues")];

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for item in context.cel() {
        for reference in item.policy_refs() {
            let Some(policy) = context.policies.iter().find(|it| is(it, &reference)) else { continue };
            for (field, read_by) in LISTS {
                let Some(list) = item.node.at(&["spec", field]).filter(|it| it.len() > 0) else { continue };
                say(item, policy, list, (field, read_by), out);
            }
        }
    }
}

fn say(item: &Item<'_>, policy: &Named<'_>, list: Node<'_>, (field, read_by): (&str, &str), out: &mut Out<'_>) {
    let place = || Place::new(policy.node.file(), policy.node.get("spec").unwrap_or(policy.node).heading());
    let ignores = policy.kind.ends_with("ImageValidatingPolicy");
    let (message, help) = if ignores {
        (
            format!("`{}` does not look at `{field}`: the exception waives all of it", policy.name),
            "say in `matchConditions` what is meant",
        )
    } else if reads(policy.node, read_by) {
        return;
    } else {
        (
            format!("`{}` never reads `exceptions.{read_by}`: the list does nothing", policy.name),
            "let the policy read it, or take the list away",
        )
    };
    out.add(item, out.finding(item, list.key_span(), message).related(place(), "the policy").help(help));
}

fn is(policy: &Named<'_>, reference: &PolicyRef<'_>) -> bool {
    policy.group == "policies.kyverno.io" && policy.name == reference.name && policy.kind == reference.kind
}

/// Whether an expression anywhere in a policy may read a list: by its name, or by handing on all of `exceptions`.
fn reads(node: Node<'_>, list: &str) -> bool {
    match node.kind() {
        Kind::String(text) => text.match_indices("exceptions").any(|(at, word)| {
            let is_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
            let rest = text[at + word.len()..].trim_start();
            is_word && rest.strip_prefix('.').is_none_or(|it| it.trim_start().starts_with(list))
        }),
        Kind::List => node.items().any(|it| reads(it, list)),
        Kind::Map => node.entries().any(|(_, it)| reads(it, list)),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => false,
    }
}
