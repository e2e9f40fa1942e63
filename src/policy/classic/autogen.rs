//! Rules for Pod controllers, made from rules for Pods.
//!
//! In: a policy document and its declared rules. Out: which controllers get rules, and for each rule the rewritten
//! form as a document of its own whose nodes keep the spans of the rule as written.
//! Public description: <https://kyverno.io/docs/policy-types/cluster-policy/autogen/>.

use std::{borrow::Cow, sync::Arc};

use crate::{
    document::{Builder, Document, Kind, Node, NodeId},
    k8s::gvk::KindPattern,
    policy::matching::{Block, Filter, Join},
    span::Span,
};

/// The annotation that names the controllers.
pub(crate) const ANNOTATION: &str = "pod-policies.kyverno.io/autogen-controllers";

/// The controllers of the generated rule `autogen-R`, with their full kinds.
const CONTROLLERS: [(&str, &str); 6] = [
    ("DaemonSet", "apps/v1/DaemonSet"),
    ("Deployment", "apps/v1/Deployment"),
    ("Job", "batch/v1/Job"),
    ("ReplicaSet", "apps/v1/ReplicaSet"),
    ("ReplicationController", "v1/ReplicationController"),
    ("StatefulSet", "apps/v1/StatefulSet"),
];

/// The longest name of a rule; generated names are cut to it.
const MAX_NAME: usize = 63;

/// Which generated rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flavor {
    /// `autogen-R`, for controllers with `spec.template`.
    Controllers,
    /// `autogen-cronjob-R`.
    CronJob,
}

impl Flavor {
    /// The name of the generated rule.
    pub(crate) fn rule_name(self, rule: &str) -> String {
        let mut name = match self {
            Flavor::Controllers => format!("autogen-{rule}"),
            Flavor::CronJob => format!("autogen-cronjob-{rule}"),
        };
        let end = (0..=MAX_NAME.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name.truncate(end);
        name
    }

    /// Where the Pod template stands.
    pub(crate) const fn template(self) -> &'static [&'static str] {
        match self {
            Flavor::Controllers => &["spec", "template"],
            Flavor::CronJob => &["spec", "jobTemplate", "spec", "template"],
        }
    }
}

/// The controllers for which a policy generates rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Controllers {
    /// Kinds of `autogen-R`, as in `apps/v1/Deployment`.
    pub kinds: Vec<&'static str>,
    /// Whether there is `autogen-cronjob-R`.
    pub cron_job: bool,
}

impl Controllers {
    /// The flavors that have at least one kind.
    pub(crate) fn flavors(&self) -> impl Iterator<Item = Flavor> {
        let controllers = (!self.kinds.is_empty()).then_some(Flavor::Controllers);
        controllers.into_iter().chain(self.cron_job.then_some(Flavor::CronJob))
    }

    /// The kinds that a flavor's rules match.
    pub(crate) fn patterns(&self, flavor: Flavor) -> Vec<KindPattern> {
        match flavor {
            Flavor::Controllers => self.kinds.iter().map(|kind| KindPattern::parse(kind)).collect(),
            Flavor::CronJob => vec![KindPattern::parse("batch/v1/CronJob")],
        }
    }

    /// The bare kinds of resources for which a flavor's rules exist at all.
    pub(crate) fn bare_kinds(&self, flavor: Flavor) -> Vec<&'static str> {
        match flavor {
            Flavor::Controllers => self.kinds.iter().map(|kind| kind.rsplit('/').next().unwrap_or(kind)).collect(),
            Flavor::CronJob => vec!["CronJob"],
        }
    }
}

/// Decides for a whole policy. `blocks` are the match and exclude blocks of all rules; `rewritable` tells that no rule
/// generates or patches by JSON path.
pub(crate) fn controllers<'b>(
    annotation: Option<&str>,
    blocks: impl Iterator<Item = &'b Block> + Clone,
    rewritable: bool,
) -> Controllers {
    let filters = || blocks.clone().flat_map(|block| &block.filters);
    let pod_among_others = |filter: &Filter| filter.kinds.len() > 1 && names_pod(filter);
    let narrowed = |filter: &Filter| {
        !filter.names.is_empty()
            || filter.selector.is_some()
            || !filter.annotations.is_empty()
            || pod_among_others(filter)
    };
    let applies = |filter: &Filter| {
        filter
            .kinds_written
            .iter()
            .any(|text| text == "Pod" || text == "CronJob" || CONTROLLERS.iter().any(|(bare, _)| bare == text))
    };
    if !rewritable || filters().any(narrowed) || !filters().any(applies) {
        return Controllers::default();
    }
    let wanted = |kind: &str| annotation.is_none_or(|list| list.split(',').any(|it| it == kind));
    let mut kinds: Vec<&'static str> =
        CONTROLLERS.iter().filter(|(bare, _)| wanted(bare)).map(|(_, full)| *full).collect();
    // Kyverno: `Pod` in the annotation makes a generated rule for Pods that no Pod can pass.
    if annotation.is_some_and(|list| list.split(',').any(|it| it == "Pod")) {
        kinds.push("v1/Pod");
    }
    Controllers { kinds, cron_job: wanted("CronJob") }
}

/// Whether a filter names Pods. Kyverno: `v1/Pod` does, though it alone turns nothing on.
fn names_pod(filter: &Filter) -> bool {
    filter.kinds.iter().any(|kind| kind.kind() == "Pod")
}

/// Whether a rule has a generated form.
pub(crate) fn generates(name: &str, matching: &Block, exclude: Option<&Block>) -> bool {
    let has_pod = |block: &Block| block.filters.iter().any(names_pod);
    let no_kinds = |block: &Block| block.filters.iter().all(|filter| filter.kinds.is_empty());
    !name.starts_with("autogen-") && has_pod(matching) && exclude.is_none_or(|block| no_kinds(block) || has_pod(block))
}

/// The match or exclude block of a generated rule.
pub(crate) fn rewrite_block(block: &Block, flavor: Flavor, kinds: &[KindPattern], is_exclude: bool) -> Block {
    let mut out = block.clone();
    for filter in &mut out.filters {
        let replaced = match (block.join, flavor) {
            (Join::Direct, _) => !is_exclude || !filter.kinds.is_empty(),
            (Join::Any | Join::All, Flavor::CronJob) => true,
            (Join::Any | Join::All, Flavor::Controllers) => names_pod(filter),
        };
        if replaced {
            filter.kinds = kinds.to_vec();
        }
    }
    out
}

/// The whole rule rewritten for a flavor.
pub(crate) fn rewrite(rule: Node<'_>, flavor: Flavor) -> Document {
    let mut builder = Builder::new(Arc::clone(rule.file()));
    let cel = rule.at(&["validate", "cel"]).is_some();
    let id = rewrite_node(rule, &mut Vec::new(), flavor, cel, &mut builder);
    let mut document = builder.finish(id);
    document.set_integers(rule.document().integers());
    document
}

fn rewrite_node(node: Node<'_>, path: &mut Vec<String>, flavor: Flavor, cel: bool, builder: &mut Builder) -> NodeId {
    let span = node.span();
    let id = match node.kind() {
        Kind::String(text) => match shift(text, flavor, cel) {
            Cow::Borrowed(text) => builder.string(text, span),
            Cow::Owned(text) => builder.string(&text, span),
        },
        Kind::List => {
            let items: Vec<_> = node.items().map(|item| rewrite_node(item, path, flavor, cel, builder)).collect();
            builder.list(&items, span)
        }
        Kind::Map => {
            let entries: Vec<_> = node
                .entries()
                .filter_map(|(key, value)| {
                    if is_dropped(path, key) {
                        return None;
                    }
                    path.push(key.to_owned());
                    let id = rewrite_node(value, path, flavor, cel, builder);
                    path.pop();
                    Some((builder.key(&shift(key, flavor, cel), value.key_span()), id))
                })
                .collect();
            builder.map(&entries, span)
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => builder.copy(node, span),
    };
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    match steps.as_slice() {
        ["validate", "pattern"] | ["mutate", "patchStrategicMerge"] | ["mutate", "foreach", "patchStrategicMerge"]
            if steps.last() == Some(&node.key()) =>
        {
            wrap(id, flavor, span, builder)
        }
        ["validate", "anyPattern"] if node.key() != "anyPattern" => wrap(id, flavor, span, builder),
        _ => id,
    }
}

/// Kyverno: a generated rule that mutates keeps neither its targets nor the order of its lists.
fn is_dropped(path: &[String], key: &str) -> bool {
    match path {
        [mutate] => mutate == "mutate" && key == "targets",
        [mutate, foreach] => mutate == "mutate" && foreach == "foreach" && matches!(key, "order" | "foreach"),
        _ => false,
    }
}

/// Puts a pattern below the path to the Pod template.
fn wrap(mut id: NodeId, flavor: Flavor, span: Span, builder: &mut Builder) -> NodeId {
    for key in flavor.template().iter().rev() {
        let key = builder.key(key, span);
        id = builder.map(&[(key, id)], span);
    }
    id
}

/// Kyverno: the rule is rewritten as text, so `request.object.specX` becomes `request.object.spec.template.specX`.
fn shift(text: &str, flavor: Flavor, cel: bool) -> Cow<'_, str> {
    let objects: &[&str] = if cel { &["object", "oldObject"] } else { &["request.object", "request.oldObject"] };
    if !objects.iter().any(|object| text.contains(object)) {
        return Cow::Borrowed(text);
    }
    let template = flavor.template().join(".");
    let mut out = text.to_owned();
    for object in objects {
        for part in ["spec", "metadata"] {
            let from = format!("{object}.{part}");
            if out.contains(&from) {
                out = out.replace(&from, &format!("{object}.{template}.{part}"));
            }
        }
        // `request.object.spec.template.metadata` must not be shifted a second time by the metadata pass above:
        // the passes look for `object.metadata`, which no longer stands there.
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shifted_blindly() {
        let shifted = |text| shift(text, Flavor::Controllers, false).into_owned();
        assert_eq!(shifted("{{ request.object.spec.x }}"), "{{ request.object.spec.template.spec.x }}");
        assert_eq!(shifted("{{ request.object.metadata.name }}"), "{{ request.object.spec.template.metadata.name }}");
        assert_eq!(shifted("{{ request.object.specX }}"), "{{ request.object.spec.template.specX }}");
        assert_eq!(shifted("{{ request.object.kind }}"), "{{ request.object.kind }}");
        assert_eq!(shift("object.spec.x", Flavor::CronJob, true), "object.spec.jobTemplate.spec.template.spec.x");
    }

    #[test]
    fn names_are_cut_to_63_characters() {
        let name = Flavor::CronJob.rule_name(&"r".repeat(63));
        assert_eq!(name.len(), 63);
        assert!(name.starts_with("autogen-cronjob-rrr"));
    }
}
