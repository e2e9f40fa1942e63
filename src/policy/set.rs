//! All policies and exceptions of a run.
//!
//! In: documents, in load order. Out: what could be compiled, and the errors of the rest. Rules are found by kind
//! through [`PolicySet::rules_for`], so that a rule costs nothing for a kind that it can't match. A policy written in CEL
//! has one rule without a name for each of its forms.

use std::{cmp::Ordering, sync::Arc};

use rustc_hash::FxHashMap;

use super::{
    Head, Measure, cel,
    classic::{self, Body, Check, Policy, Rule, model::FailureAction},
    cleanup, definition,
    error::{PolicyError, Problem},
    exception::{self, Exception},
    fields::Problems,
    kinds::{self, Admission, Cel, Family},
    look_ups::LookUps,
    matching::{Block, Filter},
    schema,
};
use crate::{
    document::{Document, Node, NodeId},
    k8s::{
        gvk,
        scope::{Scope, Scopes},
        structure::{Place, Shape},
    },
    span::Span,
};

/// Compiled policies and exceptions.
#[derive(Debug, Default)]
pub(crate) struct PolicySet {
    /// `ClusterPolicy` and `Policy`, in load order.
    pub classic: Vec<Policy>,
    /// `MutatingAdmissionPolicy`, in load order.
    pub admission_mutating: Vec<cel::Policy>,
    /// `MutatingPolicy` and `NamespacedMutatingPolicy`, in load order.
    pub mutating: Vec<cel::Policy>,
    /// `ValidatingAdmissionPolicy`, in load order.
    pub admission: Vec<cel::Policy>,
    /// `ValidatingPolicy` and `NamespacedValidatingPolicy`, in load order.
    pub validating: Vec<cel::Policy>,
    /// `GeneratingPolicy` and `NamespacedGeneratingPolicy`, in load order.
    pub generating: Vec<cel::Policy>,
    /// `ImageValidatingPolicy` and `NamespacedImageValidatingPolicy`, in load order.
    pub verifying: Vec<cel::Policy>,
    /// `DeletingPolicy` and `NamespacedDeletingPolicy`, in load order.
    pub deleting: Vec<cel::Policy>,
    /// `ClusterCleanupPolicy` and `CleanupPolicy`, in load order.
    pub cleanup: Vec<cleanup::Policy>,
    /// `ValidatingAdmissionPolicyBinding` and `MutatingAdmissionPolicyBinding`, in load order.
    pub bindings: Vec<cel::Binding>,
    /// `PolicyException` of both groups, in load order.
    pub exceptions: Vec<Exception>,
    /// Positions of the exceptions of `kyverno.io` that name a policy, by its key.
    by_policy: FxHashMap<String, Vec<u32>>,
    /// Positions of the exceptions of `policies.kyverno.io` that name a policy, by its name.
    by_name: FxHashMap<String, Vec<u32>>,
    /// The custom kinds that are defined, by group and kind.
    definitions: FxHashMap<(String, String), Definition>,
    measure: Measure,
    scopes: Scopes,
    plurals: gvk::Plurals,
    /// What objects of custom kinds look like, by group and kind, for each version.
    shapes: FxHashMap<(String, String), Vec<(String, Shape)>>,
}

/// What a `CustomResourceDefinition` says of the versions of a kind.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// The versions that are served.
    pub served: Vec<String>,
    /// Whether a webhook converts between them; else they differ in nothing but the version.
    pub converts: bool,
}

/// A rule of a set, by position. For which kind it was found makes no difference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleRef {
    policy: u32,
    rule: u32,
    kinds: KindsHold,
}

impl PartialOrd for RuleRef {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of evaluation.
impl Ord for RuleRef {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.policy, self.rule).cmp(&(other.policy, other.rule))
    }
}

impl PartialEq for RuleRef {
    fn eq(&self, other: &Self) -> bool {
        (self.policy, self.rule) == (other.policy, other.rule)
    }
}

impl Eq for RuleRef {}

impl RuleRef {
    /// Position of the policy in [`PolicySet::heads`].
    pub(crate) fn policy_index(self) -> usize {
        self.policy as usize
    }

    /// Which filters of the rule are for the kind that it was found for.
    pub(crate) fn kinds(self) -> KindsHold {
        self.kinds
    }
}

/// For which filters of a rule the list of kinds holds: one answer for all objects of a kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KindsHold {
    /// Filters of `match`, the first one in the lowest bit; `None` when that was not asked.
    matching: Option<u64>,
    /// Filters of `exclude`.
    exclude: Option<u64>,
}

impl KindsHold {
    fn new(rule: &Rule, kind: ResourceKind<'_>) -> Self {
        let bits = |block: &Block| {
            let held = block.filters.iter().enumerate().filter(|(_, filter)| is_for(filter, kind));
            (block.filters.len() <= 64).then(|| held.fold(0, |bits, (index, _)| bits | 1 << index))
        };
        Self { matching: bits(&rule.matching), exclude: rule.exclude.as_ref().and_then(bits) }
    }

    /// Whether the kinds of a filter of `match` hold, if that is known.
    pub(crate) fn of_match(self, index: usize) -> Option<bool> {
        self.matching.map(|bits| bits >> index & 1 == 1)
    }

    /// Whether the kinds of a filter of `exclude` hold, if that is known.
    pub(crate) fn of_exclude(self, index: usize) -> Option<bool> {
        self.exclude.map(|bits| bits >> index & 1 == 1)
    }
}

/// What a reference to a rule leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'s> {
    /// A rule of a `ClusterPolicy` or a `Policy`.
    Classic(&'s Policy, &'s Rule),
    /// A form of a policy written in CEL.
    Cel(&'s cel::Policy, &'s cel::Form),
    /// A cleanup policy.
    Cleanup(&'s cleanup::Policy),
}

impl<'s> Found<'s> {
    /// The policy.
    pub(crate) fn head(self) -> &'s Head {
        match self {
            Found::Classic(policy, _) => &policy.head,
            Found::Cel(policy, _) => &policy.head,
            Found::Cleanup(policy) => &policy.head,
        }
    }

    /// The policy as written.
    pub(crate) fn object(self) -> Node<'s> {
        match self {
            Found::Classic(policy, _) => policy.document.node(policy.node),
            Found::Cel(policy, _) => policy.object(),
            Found::Cleanup(policy) => policy.object(),
        }
    }

    /// The computed name of the rule; empty for a policy without rules.
    pub(crate) fn rule(self) -> &'s str {
        match self {
            Found::Classic(_, rule) => &rule.name,
            Found::Cel(..) | Found::Cleanup(_) => "",
        }
    }

    /// Whether it changes objects before others judge them.
    pub(crate) fn changes(self) -> bool {
        match self {
            Found::Classic(_, rule) => matches!(rule.body, Body::Mutate(_)),
            Found::Cel(policy, _) => policy.mutates(),
            Found::Cleanup(_) => false,
        }
    }

    /// Where the name of the rule stands; of a policy without rules that of the policy.
    pub(crate) fn name_span(self) -> Span {
        match self {
            Found::Classic(_, rule) => rule.name_span,
            Found::Cel(..) | Found::Cleanup(_) => self.head().name_span,
        }
    }

    /// Whether it makes other objects.
    pub(crate) fn makes(self) -> bool {
        match self {
            Found::Classic(_, rule) => matches!(rule.body, Body::Generate(_)),
            Found::Cel(policy, _) => policy.task == cel::Task::Generate,
            Found::Cleanup(_) => false,
        }
    }

    /// Whether it deletes objects by a schedule.
    pub(crate) fn deletes(self) -> bool {
        match self {
            Found::Classic(..) => false,
            Found::Cel(policy, _) => policy.task == cel::Task::Delete,
            Found::Cleanup(_) => true,
        }
    }

    /// Whether it may read a Secret that it does not judge.
    pub(crate) fn reads_secrets(self) -> bool {
        match self {
            Found::Classic(_, rule) => rule.reads_secrets(),
            Found::Cel(policy, form) => {
                policy.param_kind.as_ref().is_some_and(cel::ParamKind::is_secret) || form.body.reads.secrets
            }
            // Whatever an answer of the API server holds.
            Found::Cleanup(policy) => !LookUps::of_cleanup(policy).is_empty(),
        }
    }

    /// Whether its messages may quote what it reads.
    pub(crate) fn quotes(self) -> bool {
        match self {
            Found::Classic(_, rule) => rule.quotes(),
            Found::Cel(_, form) => form.body.quotes(),
            Found::Cleanup(_) => false,
        }
    }

    /// What people call the rule: `policy/rule`, or the policy alone.
    pub(crate) fn title(self) -> String {
        match self {
            Found::Classic(policy, rule) => format!("{}/{}", policy.head.key, rule.name),
            Found::Cel(policy, _) => policy.head.key.clone(),
            Found::Cleanup(policy) => policy.head.key.clone(),
        }
    }
}

/// What the kinds of a match block are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ResourceKind<'k> {
    /// The API group; empty for the core group.
    pub group: &'k str,
    /// The version.
    pub version: &'k str,
    /// The kind.
    pub kind: &'k str,
    /// The subresource; empty for the resource itself.
    pub subresource: &'k str,
}

impl PolicySet {
    /// An empty set for policies and exceptions that Kyverno's command line would take.
    pub(crate) fn for_command_line() -> Self {
        Self { measure: Measure::CommandLine, plurals: gvk::Plurals::guessed_by_libraries(), ..Self::default() }
    }

    /// Takes note of the kind that a `CustomResourceDefinition` defines, for policies that are added later.
    pub(crate) fn define(&mut self, object: Node<'_>) {
        if object.str_at(&["kind"]) != Some("CustomResourceDefinition") {
            return;
        }
        let (group, kind) = (object.str_at(&["spec", "group"]), object.str_at(&["spec", "names", "kind"]));
        if let (Some(group), Some(kind)) = (group, kind) {
            let is_cluster = object.str_at(&["spec", "scope"]) == Some("Cluster");
            self.scopes.define(group, kind, if is_cluster { Scope::Cluster } else { Scope::Namespaced });
            let versions = object.at(&["spec", "versions"]).into_iter().flat_map(Node::items);
            let served = versions.filter(|it| it.get("served").and_then(Node::as_bool) != Some(false));
            let definition = Definition {
                served: served.filter_map(|it| it.str_at(&["name"])).map(str::to_owned).collect(),
                converts: object.str_at(&["spec", "conversion", "strategy"]) == Some("Webhook"),
            };
            self.definitions.insert((group.to_owned(), kind.to_owned()), definition);
            if let Some(plural) = object.str_at(&["spec", "names", "plural"]) {
                self.plurals.define(group, kind, plural);
            }
            self.shapes.insert((group.to_owned(), kind.to_owned()), definition::versions(object));
        }
    }

    /// The definition of a custom kind, if there is one.
    pub(crate) fn definition(&self, group: &str, kind: &str) -> Option<&Definition> {
        self.definitions.get(&(group.to_owned(), kind.to_owned()))
    }

    /// What kinds are called in URLs.
    pub(crate) fn plurals(&self) -> &gvk::Plurals {
        &self.plurals
    }

    /// The top of an object of a kind, for those that join it with another; `None` for a kind of which nothing is known.
    pub(crate) fn shape(&self, group: &str, version: &str, kind: &str) -> Option<Place<'_>> {
        if let Some(place) = Place::of_kind(group, version, kind) {
            return Some(place);
        }
        let versions = self.shapes.get(&(group.to_owned(), kind.to_owned()))?;
        versions.iter().find(|(known, _)| known == version).map(|(_, shape)| Place::Custom(shape))
    }

    /// Compiles a policy or exception and adds it; gives what is wrong with it otherwise.
    pub(crate) fn add(&mut self, document: &Arc<Document>, node: NodeId) -> Result<(), Vec<PolicyError>> {
        let problems = Problems::default();
        let object = document.node(node);
        for key in document.duplicates().iter().chain(document.overridden()) {
            if object.span().covers(*key) {
                let key_text = document.file().slice(*key).to_owned();
                problems.at_span(object, *key, Problem::Duplicate { key: key_text });
            }
        }
        if let Some(kind) = kinds::find(object) {
            schema::check(object, kind.schema, &problems);
            // What the API server refuses reaches nobody who could refuse it for other reasons.
            if problems.is_empty() {
                self.take(kind.family, document, node, &problems);
            }
        } else {
            let problem = unknown(object);
            let at = if matches!(problem, Problem::Version { .. }) { "apiVersion" } else { "kind" };
            problems.at(object.get(at).unwrap_or(object), problem);
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.into_vec()) }
    }

    fn take(&mut self, family: Family, document: &Arc<Document>, node: NodeId, problems: &Problems) {
        let object = document.node(node);
        match family {
            Family::Classic => {
                let policy = classic::decode::decode(document, node, problems);
                if let Some(policy) = policy {
                    classic::validate::check(&policy, self.measure, &self.scopes, problems);
                    if problems.is_empty() {
                        self.classic.push(policy);
                    }
                }
            }
            Family::Exception => {
                let exception = exception::decode(document, node, problems);
                if self.measure == Measure::Cluster {
                    exception::check(object, problems);
                }
                if let (Some(exception), true) = (exception, problems.is_empty()) {
                    self.except(exception);
                }
            }
            Family::Cleanup => {
                if self.measure == Measure::Cluster {
                    cleanup::check(object, problems);
                }
                let policy = cleanup::decode(document, node, problems);
                self.cleanup.extend(policy.filter(|_| problems.is_empty()));
            }
            Family::Cel(kind) => {
                if self.measure == Measure::Cluster {
                    cel::check(object, kind, problems);
                }
                let at = object.get("kind").unwrap_or(object);
                match kind {
                    Cel::Validating => {
                        let policy = cel::decode::policy(document, node, kind, problems);
                        // Whoever gives such a policy to a command line wants to know what it says.
                        if self.measure == Measure::CommandLine
                            && policy.as_ref().is_some_and(cel::Policy::asks_servers)
                        {
                            problems.at(at, Problem::NotEvaluated { what: "a policy for HTTP or Envoy".to_owned() });
                        }
                        self.validating.extend(policy.filter(|_| problems.is_empty()));
                    }
                    Cel::Generating => {
                        let policy = cel::decode::policy(document, node, kind, problems);
                        self.generating.extend(policy.filter(|_| problems.is_empty()));
                    }
                    Cel::ImageValidating => {
                        let policy = cel::decode::policy(document, node, kind, problems);
                        self.verifying.extend(policy.filter(|_| problems.is_empty()));
                    }
                    Cel::Deleting => {
                        let policy = cel::decode::policy(document, node, kind, problems);
                        self.deleting.extend(policy.filter(|_| problems.is_empty()));
                    }
                    Cel::Exception => {
                        let exception = cel::exception::decode(document, node, problems);
                        if let Some(exception) = exception.filter(|_| problems.is_empty()) {
                            self.except(exception);
                        }
                    }
                    Cel::Mutating => {
                        let policy = cel::mutating::policy(document, node, self.measure, problems);
                        self.mutating.extend(policy.filter(|_| problems.is_empty()));
                    }
                }
            }
            Family::Admission(kind) => {
                if self.measure == Measure::Cluster {
                    cel::admission::check(object, kind, problems);
                }
                match kind {
                    Admission::Policy => {
                        let policy = cel::admission::policy(document, node, self.measure, problems);
                        self.admission.extend(policy.filter(|_| problems.is_empty()));
                    }
                    Admission::MutatingPolicy => {
                        let policy = cel::admission::mutating(document, node, self.measure, problems);
                        self.admission_mutating.extend(policy.filter(|_| problems.is_empty()));
                    }
                    Admission::Binding | Admission::MutatingBinding => {
                        let binding = cel::admission::binding(object, problems);
                        self.bindings.extend(binding.filter(|_| problems.is_empty()));
                    }
                }
            }
        }
    }

    fn except(&mut self, exception: Exception) {
        let position = self.exceptions.len() as u32;
        let note = |named: &mut Vec<u32>| {
            if named.last() != Some(&position) {
                named.push(position);
            }
        };
        for reference in &exception.references {
            note(self.by_policy.entry(reference.policy.clone()).or_default());
        }
        for reference in exception.cel.iter().flat_map(|it| &it.references) {
            note(self.by_name.entry(reference.name.clone()).or_default());
        }
        self.exceptions.push(exception);
    }

    /// Whether any rule reads objects of the cluster: ConfigMaps, answers of the API server, parameters.
    pub(crate) fn reads_objects(&self) -> bool {
        !self.look_ups().is_empty()
    }

    /// Whether a verdict may depend on the labels of a namespace.
    pub(crate) fn reads_namespaces(&self) -> bool {
        let selects = |block: &Block| block.filters.iter().any(|filter| filter.namespace_selector.is_some());
        let overrides = |action: &FailureAction| action.overrides.iter().any(|it| it.selector.is_some());
        self.rules().any(|rule| {
            // Any expression in CEL may read the namespace of the object.
            let acts = matches!(&rule.body, Body::Validate(validate)
                if overrides(&validate.action) || matches!(validate.check, Check::Cel(_)));
            selects(&rule.matching) || rule.exclude.as_ref().is_some_and(selects) || acts
        }) || self.exceptions.iter().any(|it| selects(&it.matching))
            || self.classic.iter().any(|it| overrides(&it.action))
            || self.cel().next().is_some()
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.classic.iter().flat_map(|policy| &policy.rules)
    }

    /// Policies written in CEL, in the order of evaluation.
    pub(crate) fn cel(&self) -> impl Iterator<Item = &cel::Policy> {
        self.cel_lists().into_iter().flatten()
    }

    fn cel_lists(&self) -> [&[cel::Policy]; 7] {
        [
            &self.admission_mutating,
            &self.mutating,
            &self.admission,
            &self.validating,
            &self.generating,
            &self.verifying,
            &self.deleting,
        ]
    }

    /// What every policy is called, in the order of evaluation.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Head> {
        let classic = self.classic.iter().map(|policy| &policy.head);
        let cleanup = self.cleanup.iter().map(|policy| &policy.head);
        classic.chain(self.cel().map(|policy| &policy.head)).chain(cleanup)
    }

    /// The rules whose match block has a filter for the kind, in the order of evaluation.
    pub(crate) fn rules_for(&self, kind: ResourceKind<'_>) -> Vec<RuleRef> {
        let of_kind = |rule: &Rule| may_match(rule, kind).then(|| KindsHold::new(rule, kind));
        let mut out: Vec<RuleRef> = self.classic_rules(of_kind).collect();
        let plural = self.plurals.of(kind.group, kind.kind);
        let resource = resource_type(kind, &plural);
        out.extend(self.cel_rules(|policy, form| self.may_judge(policy, form, resource)));
        out.extend(self.cleanup_rules(kind));
        out
    }

    /// The rules that look at payloads, which are no objects of Kubernetes.
    pub(crate) fn rules_for_payloads(&self) -> Vec<RuleRef> {
        self.cel_rules(|policy, _| policy.mode == cel::Mode::Json || policy.task == cel::Task::Delete).collect()
    }

    /// The cleanup policies that may say something of a kind.
    fn cleanup_rules(&self, kind: ResourceKind<'_>) -> impl Iterator<Item = RuleRef> {
        let first = self.classic.len() + self.cel().count();
        // Kyverno: its command line also says of which objects such a policy is not.
        let says_all = self.measure == Measure::CommandLine;
        let wanted = move |it: &cleanup::Policy| says_all || it.matching.filters.iter().any(|it| is_for(it, kind));
        let policies = self.cleanup.iter().enumerate().filter(move |(_, it)| wanted(it));
        policies.map(move |(policy, _)| RuleRef {
            policy: (first + policy) as u32,
            rule: 0,
            kinds: KindsHold::default(),
        })
    }

    /// Whether a form of a policy may say something of a kind.
    fn may_judge(&self, policy: &cel::Policy, form: &cel::Form, resource: cel::ResourceType<'_>) -> bool {
        let by_command_line = self.measure == Measure::CommandLine;
        match (policy.engine, policy.mode) {
            // Kyverno: its command line runs such a policy on every object.
            (_, cel::Mode::Json) => by_command_line,
            (_, cel::Mode::Http | cel::Mode::Envoy) => false,
            // Kyverno: its command line takes what a binding matches for all that the policy matches.
            (cel::Engine::Kubernetes, _) if by_command_line && self.bindings_of(policy).next().is_some() => true,
            _ if by_command_line => form.constraints.cover(resource),
            _ => form.constraints.cover(resource) || form.constraints.cover_converted(resource),
        }
    }

    fn classic_rules(&self, wanted: impl Fn(&Rule) -> Option<KindsHold>) -> impl Iterator<Item = RuleRef> {
        self.classic.iter().enumerate().flat_map(move |(policy, it)| {
            let rules = it.rules.iter().enumerate().filter_map(|(rule, it)| Some((rule, wanted(it)?)));
            let rules: Vec<_> = rules.collect();
            rules.into_iter().map(move |(rule, kinds)| RuleRef { policy: policy as u32, rule: rule as u32, kinds })
        })
    }

    fn cel_rules(&self, wanted: impl Fn(&cel::Policy, &cel::Form) -> bool) -> impl Iterator<Item = RuleRef> {
        let first = self.classic.len();
        self.cel().enumerate().flat_map(move |(policy, it)| {
            let forms: Vec<_> = it.forms.iter().enumerate().filter(|(_, form)| wanted(it, form)).collect();
            let kinds = KindsHold::default();
            forms.into_iter().map(move |(rule, _)| RuleRef {
                policy: (first + policy) as u32,
                rule: rule as u32,
                kinds,
            })
        })
    }

    /// The exceptions that name a rule of a policy, in load order.
    pub(crate) fn exceptions_for<'s>(&'s self, policy: &'s str, rule: &'s str) -> impl Iterator<Item = &'s Exception> {
        self.placed_exceptions_for(policy, rule).map(|(_, exception)| exception)
    }

    /// The same, each with its position in [`PolicySet::exceptions`].
    pub(crate) fn placed_exceptions_for<'s>(
        &'s self,
        policy: &'s str,
        rule: &'s str,
    ) -> impl Iterator<Item = (u32, &'s Exception)> {
        let positions = self.by_policy.get(policy).map(Vec::as_slice).unwrap_or_default();
        let placed = positions.iter().map(|&it| (it, &self.exceptions[it as usize]));
        placed.filter(move |(_, it)| it.names(policy, rule))
    }

    /// The exceptions that name a policy written in CEL, in load order, each with its position. They know no namespaces
    /// of policies.
    pub(crate) fn exceptions_to<'s>(&'s self, policy: &'s Head) -> impl Iterator<Item = (u32, &'s Exception)> {
        let positions = self.by_name.get(&policy.name).map(Vec::as_slice).unwrap_or_default();
        let names = |it: &Exception| it.cel.as_ref().is_some_and(|it| it.names(policy.kind, &policy.name));
        positions.iter().map(|&it| (it, &self.exceptions[it as usize])).filter(move |(_, it)| names(it))
    }

    /// The bindings of a policy of Kubernetes, in load order.
    pub(crate) fn bindings_of<'s>(&'s self, policy: &'s cel::Policy) -> impl Iterator<Item = &'s cel::Binding> {
        let binds = |it: &&cel::Binding| it.policy == policy.head.name && it.mutates == policy.mutates();
        self.bindings.iter().filter(binds)
    }

    /// Every rule that exists for a kind, whether or not it matches it.
    pub(crate) fn rules_existing_for(&self, kind: ResourceKind<'_>) -> Vec<RuleRef> {
        let exists = |rule: &Rule| rule.generated.as_ref().is_none_or(|(_, kinds)| kinds.contains(&kind.kind));
        let mut out: Vec<RuleRef> = self.classic_rules(|rule| exists(rule).then(KindsHold::default)).collect();
        let plural = self.plurals.of(kind.group, kind.kind);
        let resource = resource_type(kind, &plural);
        out.extend(self.cel_rules(|_, form| form.flavor.is_none() || form.constraints.cover(resource)));
        out
    }

    /// The policy and the rule of a reference that this set gave out.
    pub(crate) fn get(&self, rule: RuleRef) -> Found<'_> {
        let (policy, rule) = (rule.policy as usize, rule.rule as usize);
        if let Some(policy) = self.classic.get(policy) {
            return Found::Classic(policy, &policy.rules[rule]);
        }
        let mut at = policy - self.classic.len();
        for list in self.cel_lists() {
            match list.get(at) {
                Some(policy) => return Found::Cel(policy, &policy.forms[rule]),
                None => at -= list.len(),
            }
        }
        Found::Cleanup(&self.cleanup[at])
    }

    /// The policy and the rule of a reference, if it leads to a classic one.
    pub(crate) fn classic_rule(&self, rule: RuleRef) -> Option<(&Policy, &Rule)> {
        match self.get(rule) {
            Found::Classic(policy, rule) => Some((policy, rule)),
            Found::Cel(..) | Found::Cleanup(_) => None,
        }
    }
}

fn resource_type<'r>(kind: ResourceKind<'r>, plural: &'r str) -> cel::ResourceType<'r> {
    let ResourceKind { group, version, subresource, .. } = kind;
    cel::ResourceType { group, version, plural, subresource }
}

/// Whether the kinds of a filter hold; a filter without kinds is for all of them.
fn is_for(filter: &Filter, kind: ResourceKind<'_>) -> bool {
    let ResourceKind { group, version, kind, subresource } = kind;
    filter.kinds.is_empty() || filter.kinds.iter().any(|it| it.matches(group, version, kind, subresource))
}

fn may_match(rule: &Rule, kind: ResourceKind<'_>) -> bool {
    let exists = rule.generated.as_ref().is_none_or(|(_, kinds)| kinds.contains(&kind.kind));
    exists && rule.matching.filters.iter().any(|filter| is_for(filter, kind))
}

fn not_evaluated(object: Node<'_>) -> Problem {
    Problem::NotEvaluated { what: object.str_at(&["kind"]).unwrap_or_default().to_owned() }
}

/// What to say of a kind that is not known in its version.
fn unknown(object: Node<'_>) -> Problem {
    match kinds::served_as(object) {
        Some(instead) => Problem::Version {
            kind: object.str_at(&["kind"]).unwrap_or_default().to_owned(),
            api_version: object.str_at(&["apiVersion"]).unwrap_or_default().to_owned(),
            instead,
        },
        None => not_evaluated(object),
    }
}
