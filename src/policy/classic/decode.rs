//! From the document of a `ClusterPolicy` or `Policy` to its compiled form.
//!
//! In: a document and the node of an object that the API server's schema lets in. Out: the policy, and what keeps it from
//! being compiled; what else a cluster refuses is found by [`validate`](super::validate).

use std::sync::Arc;

use super::{
    autogen, cel,
    condition::{self, FlatList},
    context, gate, generate, images,
    model::{ActionOverride, Body, Check, FailureAction, ForEach, PatternSource, Policy, Rule, Validate},
    mutate,
    pattern::{Numbers, Pattern},
    references,
};
use crate::{
    document::{Document, Node, NodeId},
    expr::{
        Value,
        jmespath::Expression,
        template::{Template, Tree},
    },
    k8s::wildcard::Wildcard,
    policy::{
        Action, Head,
        fields::{Fields, Problems},
        manifests::Manifests,
        matching::{self, Block, Forms, Join},
        pod_security,
    },
};

/// Decodes and compiles a policy.
pub(crate) fn decode(document: &Arc<Document>, node: NodeId, problems: &Problems) -> Option<Policy> {
    let object = document.node(node);
    let fields = Fields::read(object, "a policy", problems)?;
    let cluster_wide = fields.string("kind") == Some("ClusterPolicy");
    let metadata = Fields::read(fields.require("metadata")?, "metadata", problems)?;
    let name_node = metadata.require("name")?;
    let name = metadata.text(name_node)?.to_owned();
    let written_namespace = metadata.string("namespace").unwrap_or_default();
    let namespace = if cluster_wide { String::new() } else { written_namespace.to_owned() };
    let annotation = |key: &str| object.str_at(&["metadata", "annotations", key]).map(str::to_owned);
    let spec = Fields::read(fields.require("spec")?, "spec", problems)?;
    let forms = if fields.string("apiVersion") == Some("kyverno.io/v1") { Forms::Legacy } else { Forms::AnyAll };
    let first_rule_only = spec.string("applyRules") == Some("One");

    let mut rules: Vec<Rule> = Vec::new();
    for item in spec.list("rules") {
        rules.extend(decode_rule(document, item.id(), forms, problems));
    }
    // A generated form of what does not compile would say the same things once more.
    if problems.is_empty() {
        let generated = generated_rules(document, &rules, annotation(autogen::ANNOTATION).as_deref(), forms, problems);
        rules.extend(generated);
    }

    Some(Policy {
        document: Arc::clone(document),
        node,
        head: Head {
            file: Arc::clone(document.file()),
            kind: if cluster_wide { "ClusterPolicy" } else { "Policy" },
            key: if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") },
            name,
            namespace,
            name_span: name_node.span(),
            scored: annotation("policies.kyverno.io/scored").as_deref() != Some("false"),
            category: annotation("policies.kyverno.io/category"),
            severity: annotation("policies.kyverno.io/severity"),
            background: spec.boolean("background").unwrap_or(true),
        },
        admission: spec.boolean("admission").unwrap_or(true),
        gate: gate::decode(spec.node(), problems),
        action: failure_action(spec, "validationFailureAction", "validationFailureActionOverrides", problems),
        first_rule_only,
        rules,
    })
}

fn failure_action(
    fields: Fields<'_, '_>,
    action: &'static str,
    overrides: &'static str,
    problems: &Problems,
) -> FailureAction {
    let overrides = fields
        .list(overrides)
        .filter_map(|item| {
            let entry = Fields::read(item, "an override", problems)?;
            Some(ActionOverride {
                action: entry.string("action").and_then(Action::parse),
                namespaces: entry.strings("namespaces").into_iter().map(|(text, _)| Wildcard::new(text)).collect(),
                selector: entry.get("namespaceSelector").and_then(|node| matching::decode_selector(node, problems)),
            })
        })
        .collect();
    FailureAction { action: fields.string(action).and_then(Action::parse), overrides }
}

/// The rules for Pod controllers, in the order `autogen-…` of each rule, then `autogen-cronjob-…` of each rule.
fn generated_rules(
    document: &Arc<Document>,
    declared: &[Rule],
    annotation: Option<&str>,
    forms: Forms,
    problems: &Problems,
) -> Vec<Rule> {
    let blocks = declared.iter().flat_map(|rule| std::iter::once(&rule.matching).chain(&rule.exclude));
    let rewritable = declared.iter().all(|rule| match rule.body {
        Body::Generate(_) => false,
        Body::Mutate(ref block) => !mutate::patches_by_path(block),
        Body::Validate(_) | Body::VerifyImages(_) | Body::Nothing => true,
    });
    let controllers = autogen::controllers(annotation, blocks, rewritable);
    let mut out = Vec::new();
    for flavor in controllers.flavors() {
        let kinds = controllers.patterns(flavor);
        for rule in declared {
            if !problems.is_empty() {
                return out;
            }
            if !autogen::generates(&rule.name, &rule.matching, rule.exclude.as_ref()) {
                continue;
            }
            let rewritten = Arc::new(autogen::rewrite(document.node(rule.node), flavor));
            let Some(mut generated) = decode_rule(&rewritten, rewritten.root().id(), forms, problems) else { continue };
            generated.name = flavor.rule_name(&rule.name);
            generated.matching = autogen::rewrite_block(&rule.matching, flavor, &kinds, false);
            generated.exclude = rule.exclude.as_ref().map(|block| autogen::rewrite_block(block, flavor, &kinds, true));
            generated.generated = Some((flavor, controllers.bare_kinds(flavor)));
            out.push(generated);
        }
    }
    out
}

fn decode_rule(document: &Arc<Document>, node: NodeId, forms: Forms, problems: &Problems) -> Option<Rule> {
    let written = document.node(node);
    if written.get("validate").is_some_and(references::in_patterns) {
        let resolved = Arc::new(references::resolve(written, &mut |node, problem| problems.at(node, problem)));
        return rule(&resolved, resolved.root(), forms, problems);
    }
    rule(document, written, forms, problems)
}

fn rule(document: &Arc<Document>, node: Node<'_>, forms: Forms, problems: &Problems) -> Option<Rule> {
    let fields = Fields::read(node, "a rule", problems)?;
    let name_node = fields.require("name")?;
    let name = fields.text(name_node)?.to_owned();
    let matching = match fields.get("match") {
        Some(node) => matching::decode_block(node, forms, problems)?,
        None => Block { join: Join::Any, filters: Vec::new(), span: node.span() },
    };
    let exclude = fields
        .get("exclude")
        .and_then(|node| matching::decode_block(node, forms, problems))
        .filter(|block| !is_blank(block));
    let body = [
        ("validate", fields.get("validate")),
        ("mutate", fields.get("mutate")),
        ("generate", fields.get("generate")),
        ("verifyImages", fields.get("verifyImages")),
    ]
    .into_iter()
    .find_map(|(key, node)| {
        let node = node.filter(|node| node.len() > 0)?;
        match key {
            "validate" => Some(Body::Validate(validate(node, fields.node(), problems)?)),
            "mutate" => Some(Body::Mutate(mutate::decode(node, problems)?)),
            "generate" => Some(Body::Generate(generate::decode(node, problems)?)),
            _ => Some(Body::VerifyImages(images::decode(fields, node, problems))),
        }
    });
    Some(Rule {
        declared_name: name.clone(),
        name,
        document: Arc::clone(document),
        node: node.id(),
        name_span: name_node.span(),
        generated: None,
        matching,
        exclude,
        context: context::decode(fields, problems),
        preconditions: fields
            .get("preconditions")
            .and_then(|node| condition::decode(node, FlatList::Allowed, problems)),
        report_properties: fields
            .pairs("reportProperties")
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Template::compile(value)))
            .collect(),
        body: body.unwrap_or(Body::Nothing),
    })
}

/// Whether a block excludes nothing: no filter, or one empty filter in the direct form.
fn is_blank(block: &Block) -> bool {
    block.join == Join::Direct && block.filters.iter().all(|filter| filter.asks_no_resource() && !filter.asks_user())
}

fn validate(node: Node<'_>, rule: Node<'_>, problems: &Problems) -> Option<Validate> {
    let fields = Fields::read(node, "validate", problems)?;
    let check = check(fields, FlatList::Allowed, problems).or_else(|| {
        fields
            .get("podSecurity")
            .and_then(|node| pod_security::decode(node, problems).map(Check::PodSecurity))
            .or_else(|| fields.get("cel").map(|node| Check::Cel(Box::new(cel::decode(rule, node, problems)))))
            .or_else(|| fields.get("manifests").map(|node| Check::Manifests(Box::new(Manifests::decode(node)))))
    });
    Some(Validate {
        message: fields.string("message").filter(|text| !text.is_empty()).map(Template::compile),
        action: failure_action(fields, "failureAction", "failureActionOverrides", problems),
        allow_existing: fields.boolean("allowExistingViolations").unwrap_or(true),
        check: check.unwrap_or(Check::Nothing),
    })
}

/// The check of a `validate` block or a `foreach` item.
fn check(fields: Fields<'_, '_>, flat: FlatList, problems: &Problems) -> Option<Check> {
    // `pattern: ""` and `pattern: null` are different things: the one is a pattern, the other is not given.
    if let Some(node) = fields.get("pattern") {
        return Some(Check::Pattern(pattern(node, Numbers::Exact)));
    }
    if let Some(node) = fields.get("anyPattern") {
        return Some(Check::AnyPattern(node.items().map(|item| pattern(item, Numbers::Floats)).collect()));
    }
    if let Some(node) = fields.get("deny") {
        let deny = Fields::read(node, "deny", problems)?;
        let conditions = deny
            .get("conditions")
            .filter(|node| node.is_list() || node.len() > 0)
            .and_then(|node| condition::decode(node, flat, problems));
        return Some(Check::Deny(conditions, node.span()));
    }
    fields.get("foreach")?;
    Some(Check::ForEach(fields.list("foreach").filter_map(|node| for_each(node, problems)).collect()))
}

fn for_each(node: Node<'_>, problems: &Problems) -> Option<ForEach> {
    let fields = Fields::read(node, "foreach", problems)?;
    let list_text = fields.string("list").unwrap_or_default().to_owned();
    Some(ForEach {
        list: Expression::parse(&list_text),
        list_text,
        element_scope: fields.boolean("elementScope"),
        context: context::decode(fields, problems),
        preconditions: fields
            .get("preconditions")
            .and_then(|node| condition::decode(node, FlatList::Refused, problems)),
        check: check(fields, FlatList::Allowed, problems).unwrap_or(Check::Nothing),
        span: node.span(),
    })
}

fn pattern(node: Node<'_>, numbers: Numbers) -> PatternSource {
    let tree = Tree::compile(node);
    let compiled = tree.is_literal().then(|| Pattern::compile(Value::from(node), Some(node), numbers));
    PatternSource { compiled, tree, numbers, unresolved: references::first(node).map(str::to_owned) }
}
