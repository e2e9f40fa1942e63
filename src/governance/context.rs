//! What rules see, and how they say what they found.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    sync::Arc,
};

use super::{
    Effect, Effects, Rule, Rules,
    who::{Authorship, History},
};
use crate::{
    cluster::Cluster,
    config::ExceptionLimits,
    config::Settings,
    document::{Document, Node, NodeId},
    finding::{Finding, Place, Severity},
    k8s::{gvk::split_api_version, wildcard::Wildcard},
    policy::{
        PolicyError,
        classic::Policy,
        exception::{self, Exception},
        fields::Problems,
        matching::{Filter, Join},
        set::PolicySet,
    },
    span::{File, Span},
};

/// Everything that rules look at.
pub(crate) struct Context<'c> {
    /// The exceptions, in load order.
    pub exceptions: Vec<Item<'c>>,
    /// The policies by name, compiled or not, of both groups.
    pub policies: Vec<Named<'c>>,
    /// Policies that lie in the tree and judge nothing, by group and key; `None` where not all of the tree is known.
    pub elsewhere: Option<HashSet<(String, String)>>,
    /// What was compiled of them.
    pub set: &'c PolicySet,
    /// What is known of the cluster.
    pub cluster: &'c Cluster,
    /// The objects that policies judge.
    pub objects: Vec<Node<'c>>,
    /// The same before the change, where they were there.
    pub old_objects: Vec<Option<Node<'c>>>,
    /// What each exception does to them; `None` where that was not computed.
    pub effects: Option<&'c Effects>,
    /// Whether these are all objects of the tree, so that what none of them does nobody does.
    pub is_complete: bool,
    /// The other side, where a change is judged.
    pub change: Option<Change<'c>>,
    /// How files of exceptions were; `None` where nobody asked.
    pub history: Option<&'c History>,
    /// Which exceptions count at all.
    pub limits: ExceptionLimits,
    /// The time of the run.
    pub now: jiff::Timestamp,
    by_key: HashMap<&'c str, &'c Policy>,
}

/// What a change is compared with.
pub(crate) struct Change<'c> {
    /// The side before the change, without effects.
    pub base: &'c Context<'c>,
    /// Every path that changed.
    pub changed: &'c HashSet<String>,
    /// The paths of files that hold policies or exceptions, and changed.
    pub law: HashSet<&'c str>,
    /// Who makes it; `None` where no commit is made yet.
    pub who: Option<&'c Authorship>,
    /// The settings on both sides, if they changed.
    pub configs: Option<Configs<'c>>,
}

impl Change<'_> {
    /// Whether policies or exceptions stand in a file, before the change or after it.
    pub(crate) fn holds_law(&self, path: &str) -> bool {
        self.law.contains(path)
    }
}

/// The settings on both sides of a change, with the rules as they say.
pub(crate) struct Configs<'c> {
    /// What counted before.
    pub before: (&'c Settings, &'c Rules),
    /// What counts after.
    pub after: (&'c Settings, &'c Rules),
    /// The file to point into.
    pub file: &'c File,
}

/// A policy that can be named, whether or not it could be compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'c> {
    /// The object as written.
    pub node: Node<'c>,
    /// `kyverno.io`, `policies.kyverno.io`, `admissionregistration.k8s.io`.
    pub group: &'c str,
    /// The kind.
    pub kind: &'c str,
    /// `metadata.name`.
    pub name: &'c str,
    /// `metadata.namespace`; empty without.
    pub namespace: &'c str,
}

impl Named<'_> {
    /// How an exception names it: `namespace/name`, or `name`.
    pub(crate) fn key(&self) -> String {
        if self.namespace.is_empty() { self.name.to_owned() } else { format!("{}/{}", self.namespace, self.name) }
    }

    /// Whether it is a `ClusterPolicy` or a `Policy`.
    pub(crate) fn is_classic(&self) -> bool {
        self.group == "kyverno.io" && matches!(self.kind, "ClusterPolicy" | "Policy")
    }

    /// Where its name stands.
    pub(crate) fn place(&self) -> Place {
        let at = self.node.at(&["metadata", "name"]).unwrap_or(self.node);
        Place::new(self.node.file(), at.span())
    }
}

/// One exception, of either group.
#[derive(Debug)]
pub(crate) struct Item<'c> {
    /// The object as written.
    pub node: Node<'c>,
    /// `namespace/name`, or `name` without a namespace.
    pub key: String,
    /// `metadata.namespace`; empty without.
    pub namespace: &'c str,
    /// What could be read of an exception of `kyverno.io`, whether or not a cluster takes it.
    pub classic: Option<Exception>,
    /// Why a cluster refuses it.
    pub refused: Vec<PolicyError>,
    /// Its position in [`PolicySet::exceptions`]; `None` for one that exempts nothing.
    pub counted: Option<usize>,
}

impl<'c> Item<'c> {
    /// Reads an exception; `set` holds those that count.
    pub(super) fn new(document: &'c Arc<Document>, id: NodeId, set: &PolicySet) -> Self {
        let node = document.node(id);
        let text = |path: &[&str]| node.str_at(path).unwrap_or_default();
        let (name, namespace) = (text(&["metadata", "name"]), text(&["metadata", "namespace"]));
        let is_classic = split_api_version(text(&["apiVersion"])).0 == "kyverno.io";
        let same = |it: &Exception| Arc::ptr_eq(&it.document, document) && it.node == id;
        Self {
            node,
            key: if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") },
            namespace,
            classic: if is_classic { exception::decode(document, id, &Problems::default()) } else { None },
            refused: PolicySet::default().add(document, id).err().unwrap_or_default(),
            counted: set.exceptions.iter().position(same),
        }
    }

    /// Whether it is one of `policies.kyverno.io`.
    pub(crate) fn is_cel(&self) -> bool {
        self.node.str_at(&["apiVersion"]).is_some_and(|api| api.starts_with("policies.kyverno.io/"))
    }

    /// Where its name stands, or what is nearest to it.
    pub(crate) fn name_span(&self) -> Span {
        self.span(&["metadata", "name"])
    }

    /// Where something stands, or the nearest part of the way to it that exists: the key of what is there, the value of
    /// the last step.
    pub(crate) fn span(&self, path: &[&str]) -> Span {
        let mut at = self.node;
        for (n, key) in path.iter().enumerate() {
            match at.get(key) {
                Some(next) if n + 1 == path.len() => return next.span(),
                Some(next) => at = next,
                None => break,
            }
        }
        if at == self.node { self.node.at(&["metadata", "name"]).unwrap_or(at).span() } else { at.key_span() }
    }

    /// Entries of `spec.policyRefs`.
    pub(crate) fn policy_refs(&self) -> impl Iterator<Item = PolicyRef<'c>> + use<'c> {
        let list = if self.is_cel() { self.node.at(&["spec", "policyRefs"]) } else { None };
        list.into_iter().flat_map(Node::items).map(|node| PolicyRef {
            node,
            name: node.str_at(&["name"]).unwrap_or_default(),
            kind: node.str_at(&["kind"]).unwrap_or_default(),
        })
    }

    /// The filters of `spec.match`, with the nodes they were read from.
    pub(crate) fn filters(&self) -> Vec<(&Filter, Node<'c>)> {
        let Some(exception) = &self.classic else { return Vec::new() };
        let key = match exception.matching.join {
            Join::Any => "any",
            Join::All => "all",
            Join::Direct => return Vec::new(),
        };
        let nodes = self.node.at(&["spec", "match", key]).into_iter().flat_map(Node::items);
        let by_span: Vec<Node<'c>> = nodes.collect();
        let node_of = |filter: &Filter| by_span.iter().find(|node| node.span() == filter.span).copied();
        exception.matching.filters.iter().filter_map(|filter| Some((filter, node_of(filter)?))).collect()
    }

    /// The list `ruleNames` at a span.
    pub(crate) fn rule_names(&self, at: Span) -> Option<Node<'c>> {
        let lists = self.node.at(&["spec", "exceptions"]).into_iter().flat_map(Node::items);
        lists.into_iter().filter_map(|it| it.get("ruleNames")).find(|it| it.span() == at)
    }

    /// The name of a rule at a span, with the list that holds it.
    pub(crate) fn rule_name(&self, at: Span) -> Option<(Node<'c>, Node<'c>)> {
        let lists = self.node.at(&["spec", "exceptions"]).into_iter().flat_map(Node::items);
        let mut pairs = lists
            .into_iter()
            .filter_map(|it| it.get("ruleNames"))
            .flat_map(|list| list.items().map(move |name| (list, name)));
        pairs.find(|(_, name)| name.span() == at)
    }

    /// Where a filter says a field of its resources, or else where the filter is headed.
    pub(crate) fn field(filter: Node<'_>, field: &str) -> Span {
        match filter.at(&["resources", field]) {
            Some(node) => node.span(),
            None => filter.get("resources").map_or(filter.heading(), Node::key_span),
        }
    }
}

/// An entry of `spec.policyRefs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyRef<'c> {
    /// The entry.
    pub node: Node<'c>,
    /// `name`
    pub name: &'c str,
    /// `kind`
    pub kind: &'c str,
}

impl PolicyRef<'_> {
    /// Where a field of it stands.
    pub(crate) fn span(&self, field: &str) -> Span {
        self.node.get(field).map_or(self.node.heading(), Node::span)
    }
}

impl<'c> Context<'c> {
    /// Sorts what a tree holds. `exceptions` and `policies` are objects that count as such; `now` is in nanoseconds since
    /// 1970.
    pub(crate) fn new(
        exceptions: impl Iterator<Item = (&'c Arc<Document>, NodeId)>,
        policies: impl Iterator<Item = Node<'c>>,
        set: &'c PolicySet,
        cluster: &'c Cluster,
        now: i128,
    ) -> Self {
        let named = |node: Node<'c>| {
            let text = |path: &[&str]| node.str_at(path).unwrap_or_default();
            let (group, _) = split_api_version(text(&["apiVersion"]));
            let kind = text(&["kind"]);
            let namespace = if kind == "ClusterPolicy" { "" } else { text(&["metadata", "namespace"]) };
            Named { node, group, kind, name: text(&["metadata", "name"]), namespace }
        };
        Self {
            exceptions: exceptions.map(|(document, id)| Item::new(document, id, set)).collect(),
            policies: policies.map(named).collect(),
            set,
            cluster,
            elsewhere: Some(HashSet::new()),
            objects: Vec::new(),
            old_objects: Vec::new(),
            effects: None,
            is_complete: false,
            change: None,
            history: None,
            limits: ExceptionLimits::default(),
            now: jiff::Timestamp::from_nanosecond(now).unwrap_or_default(),
            by_key: set.classic.iter().map(|policy| (policy.head.key.as_str(), policy)).collect(),
        }
    }

    /// Whether a policy of a group may lie in the tree without judging.
    pub(crate) fn is_elsewhere(&self, group: &str, key: &str) -> bool {
        let known = |all: &HashSet<_>| all.contains(&(group.to_owned(), key.to_owned()));
        self.elsewhere.as_ref().is_none_or(known)
    }

    /// The compiled policy of a key.
    pub(crate) fn policy(&self, key: &str) -> Option<&'c Policy> {
        self.by_key.get(key).copied()
    }

    /// What an exception does, if that was computed and the exception counts.
    pub(crate) fn effects_of(&self, item: &Item<'_>) -> Option<Vec<&'c Effect>> {
        Some(self.effects?.of(item.counted?).collect())
    }

    /// The object of an effect.
    pub(crate) fn object(&self, effect: &Effect) -> Option<Node<'c>> {
        self.objects.get(effect.object as usize).copied()
    }

    /// Why an exception doesn't count here, though nothing need be wrong with it.
    pub(super) fn why_not(&self, item: &Item<'_>) -> Option<String> {
        self.limits.why_not(item.namespace, item.node.file().path())
    }

    /// Exceptions of `kyverno.io`.
    pub(crate) fn classic(&self) -> impl Iterator<Item = (&Item<'c>, &Exception)> {
        self.exceptions.iter().filter_map(|item| Some((item, item.classic.as_ref()?)))
    }

    /// Exceptions of `policies.kyverno.io`.
    pub(crate) fn cel(&self) -> impl Iterator<Item = &Item<'c>> {
        self.exceptions.iter().filter(|item| item.is_cel())
    }

    /// The Namespaces that are known.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = Node<'c>> {
        self.objects
            .iter()
            .copied()
            .filter(|node| node.str_at(&["kind"]) == Some("Namespace") && node.str_at(&["apiVersion"]) == Some("v1"))
    }
}

/// What one rule found.
pub(crate) struct Out<'r> {
    rule: &'static Rule,
    rules: &'r Rules,
    severity: Severity,
    found: Vec<Found>,
}

/// One finding of a rule.
pub(super) struct Found {
    /// The key of the exception that it is about; empty, or something else, where it is about none.
    pub key: String,
    /// The position of that exception in the set, if it counts.
    pub counted: Option<usize>,
    /// The finding.
    pub finding: Finding,
}

impl<'r> Out<'r> {
    pub(super) fn new(rule: &'static Rule, rules: &'r Rules, severity: Severity) -> Self {
        Self { rule, rules, severity, found: Vec::new() }
    }

    /// The options of the rule.
    pub(super) fn options<T: serde::de::DeserializeOwned + Default>(&self) -> T {
        self.rules.options(self.rule)
    }

    /// The options of another rule, for what two rules must agree on.
    pub(super) fn options_of<T: serde::de::DeserializeOwned + Default>(&self, rule: &Rule) -> T {
        self.rules.options(rule)
    }

    /// A finding of this rule about a place in the file of an exception; [`Out::add`] hands it in.
    pub(super) fn finding(&self, item: &Item<'_>, at: Span, message: impl Into<String>) -> Finding {
        self.finding_at(Place::new(item.node.file(), at), message)
    }

    /// A finding of this rule about any place.
    pub(super) fn finding_at(&self, place: Place, message: impl Into<String>) -> Finding {
        Finding::new(self.rule.id, self.severity, place, message)
    }

    /// Makes a finding an error, unless `admit.yaml` says how much the rule weighs.
    pub(super) fn raise(&self, finding: Finding) -> Finding {
        if self.rules.is_weighed(self.rule) { finding } else { Finding { severity: Severity::Error, ..finding } }
    }

    /// How many findings there are so far.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Takes a finding about an exception.
    pub(super) fn add(&mut self, item: &Item<'_>, finding: Finding) {
        self.found.push(Found { key: item.key.clone(), counted: item.counted, finding });
    }

    /// Takes a finding about something else than an exception.
    pub(super) fn add_for(&mut self, key: &str, finding: Finding) {
        self.found.push(Found { key: key.to_owned(), counted: None, finding });
    }

    pub(super) fn into_found(self) -> impl Iterator<Item = Found> {
        self.found.into_iter()
    }
}

/// The text before the first wildcard character.
pub(super) fn literal_prefix(pattern: &Wildcard) -> &str {
    let text = pattern.as_str();
    &text[..text.find(['*', '?']).unwrap_or(text.len())]
}

/// Names for messages: `a`, `b` and 3 more.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = names.into_iter().collect();
    let mut out = names.iter().take(SHOWN).map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        let _ = write!(out, " and {} more", names.len() - SHOWN);
    }
    out
}
