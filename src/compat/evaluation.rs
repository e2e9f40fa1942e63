//! Every policy on every resource, as Kyverno's command line asks for it.
//!
//! In: compiled policies, resources, values. Out: a [`Row`] for each rule that says something of a resource, in the
//! order of resources and, within one, of policies as loaded and rules as computed.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value as Json;

use super::{
    load::{Object, PayloadForm},
    overrides,
    values::{self, PolicyValues, Subresource, Values},
};
use crate::{
    cluster::Cluster,
    document::{Document, Integers, Node},
    engine::{
        self, Outcome, Request, UserInfo, World,
        context::nest,
        mutate::OnFailure,
        request::{self, RuleValues, Supplied},
    },
    expr::{Arena, Value},
    finding::Status,
    policy::{
        Action, Head, Operation,
        classic::{Body, Policy, Rule},
        set::{Found, PolicySet, ResourceKind, RuleRef},
    },
    runner,
};

/// What is the same for all resources of a run.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'i> {
    /// Policies and exceptions.
    pub policies: &'i PolicySet,
    /// Objects beside the resources that rules for existing objects may change.
    pub targets: &'i [Object],
    /// Objects that single rules may copy.
    pub sources: &'i [CloneSource],
    /// What API calls and other look-ups find.
    pub cluster: &'i Cluster,
    /// Values given by hand.
    pub values: &'i Values,
    /// Who asks, if that is known.
    pub user: Option<&'i UserInfo>,
    /// The operation, whatever the values say.
    pub operation: Option<Operation>,
    /// A failure of a policy in `Audit` is a warning.
    pub audit_warn: bool,
    /// The time of the run in nanoseconds since 1970, UTC.
    pub now: i128,
}

/// Objects that one rule may copy.
#[derive(Clone, Debug)]
pub(crate) struct CloneSource {
    /// Name of the policy.
    pub policy: String,
    /// Name of the rule.
    pub rule: String,
    /// The objects.
    pub objects: Vec<Object>,
}

/// What a rule says of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Index of the resource.
    pub resource: usize,
    /// Index of the policy in [`Judged::heads`].
    pub policy: usize,
    /// The rule's computed name; empty for policies without rules.
    pub rule: String,
    /// The verdict as reports have it: `fail`, or `warn` where only a warning is asked for.
    pub status: Status,
    /// Kyverno's text.
    pub message: String,
    /// The policy is in `Audit`, and only a warning is asked for.
    pub audit_warning: bool,
    /// Names of the exceptions that waive the rule.
    pub exceptions: Vec<String>,
    /// Properties for reports.
    pub properties: Vec<(String, String)>,
    /// What the rule does.
    pub effect: Effect,
}

impl Row {
    fn error(resource: usize, policy: usize, rule: String, message: String) -> Self {
        Self {
            resource,
            policy,
            rule,
            status: Status::Error,
            message,
            audit_warning: false,
            exceptions: Vec::new(),
            properties: Vec::new(),
            effect: Effect::default(),
        }
    }
}

/// What a rule does besides giving a verdict.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effect {
    /// The resource as the policy leaves it.
    pub patched: Option<Json>,
    /// Objects that the rule makes.
    pub generated: Vec<Json>,
}

/// What came out of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    /// The policies, in load order.
    pub heads: Vec<Head>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// Evaluates every policy on every resource, on the threads of the pool at hand.
///
/// The rows of rules that change other objects speak of these: their indexes go on behind the resources with those of
/// [`Inputs::targets`].
pub(crate) fn evaluate(inputs: Inputs<'_>, resources: &[Object]) -> Judged {
    let heads = inputs.policies.heads().cloned().collect();
    let mut by_kind: HashMap<ResourceKind<'_>, Vec<RuleRef>> = HashMap::new();
    for object in resources.iter().filter(|object| object.payload.is_none()) {
        let kind = kind_seen(inputs.values, object.node());
        by_kind.entry(kind).or_insert_with(|| inputs.policies.rules_for(kind));
    }
    let known = || resources.iter().chain(inputs.targets).enumerate().filter(|(_, object)| object.payload.is_none());
    let (places, nodes) = known().map(|(index, object)| (index, object.node())).unzip();
    let n_judged = resources.iter().filter(|object| object.payload.is_none()).count();
    let targets = Targets { places, nodes, n_judged };
    let for_payloads = inputs.policies.rules_for_payloads();
    let rows = runner::each(resources, |index, object| {
        let rules = match &object.payload {
            None => by_kind.get(&kind_seen(inputs.values, object.node())),
            Some(payload) => (payload.form == PayloadForm::Json).then_some(&for_payloads),
        };
        let rules = rules.map_or(&[][..], Vec::as_slice);
        Evaluating { inputs, targets: &targets, index, rows: Vec::new() }.run(object, rules)
    });
    Judged { heads, rows: rows.into_iter().flatten().collect() }
}

/// The objects that rules for existing objects may change.
struct Targets<'i> {
    /// Their indexes for rows.
    places: Vec<usize>,
    nodes: Vec<Node<'i>>,
    /// How many of them are themselves judged: they come first.
    n_judged: usize,
}

impl<'i> Targets<'i> {
    /// The objects that rules of a policy may change, each with the index for its row.
    fn of(&self, found: Found<'_>) -> (&[usize], &[Node<'i>]) {
        let first = match found {
            Found::Classic(..) => 0,
            // Kyverno: such a policy changes nothing but what it is given for that.
            Found::Cel(..) => self.n_judged,
        };
        (&self.places[first..], &self.nodes[first..])
    }
}

/// One resource while policies judge it.
struct Evaluating<'i> {
    inputs: Inputs<'i>,
    targets: &'i Targets<'i>,
    index: usize,
    rows: Vec<Row>,
}

impl<'i> Evaluating<'i> {
    /// What the rules for its kind say of the resource: policies with rules first, then those in CEL; of either, what
    /// changes it comes before what judges it, in the order of the policies.
    fn run(mut self, object: &Object, rules: &[RuleRef]) -> Vec<Row> {
        let policies = self.inputs.policies;
        let by_policy = || rules.chunk_by(|a, b| a.policy_index() == b.policy_index());
        let is_mutation = |rule: &RuleRef| policies.get(*rule).changes();
        let mut changed: Option<Object> = None;
        let is_classic = |rules: &&[RuleRef]| matches!(policies.get(rules[0]), Found::Classic(..));
        let (classic, in_cel): (Vec<_>, Vec<_>) = by_policy().partition(is_classic);
        for of_kind in [classic, in_cel] {
            for rules in of_kind.iter().filter(|rules| rules.iter().any(is_mutation)) {
                let object = changed.as_ref().unwrap_or(object);
                match runner::quietly(|| self.mutate(object, rules)) {
                    Ok(Left::Same) => {}
                    Ok(Left::Changed(object)) => changed = Some(object),
                    // Kyverno: after a rule that can't be applied nothing more is said of the resource.
                    Ok(Left::Nothing) => return self.rows,
                    Err(message) => self.panicked(rules, &message),
                }
            }
            let object = changed.as_ref().unwrap_or(object);
            for rules in of_kind {
                if let Err(message) = runner::quietly(|| self.judge(object, rules)) {
                    self.panicked(rules, &message);
                }
            }
        }
        let object = changed.as_ref().unwrap_or(object);
        let makes = |rule: &RuleRef| policies.get(*rule).makes();
        for rules in by_policy().filter(|rules| rules.iter().any(makes)) {
            if let Err(message) = runner::quietly(|| self.generate(object, rules)) {
                self.panicked(rules, &message);
            }
        }
        self.rows
    }

    fn panicked(&mut self, rules: &[RuleRef], message: &str) {
        let text = format!("judging this resource failed inside admit, which is a bug: {message}");
        self.rows.push(Row::error(self.index, rules[0].policy_index(), String::new(), text));
    }

    fn world(&self) -> World<'i> {
        World {
            policies: self.inputs.policies,
            cluster: self.inputs.cluster,
            now: self.inputs.now,
            withheld: &engine::withheld::NOTHING,
        }
    }

    /// Applies the mutate rules of one policy.
    fn mutate(&mut self, object: &Object, rules: &[RuleRef]) -> Left {
        let position = rules[0].policy_index();
        let found = self.inputs.policies.get(rules[0]);
        let arena = Arena::new();
        let given = Given::new(self.inputs.values, found.head(), object);
        let replaced = overrides::apply(object, given.all());
        let object = replaced.as_ref().unwrap_or(object);
        let request = request(self.inputs, object, given, &arena);
        let world = self.world();
        let (places, nodes) = self.targets.of(found);
        let mutated = engine::mutate::mutate(world, rules, &request, nodes, OnFailure::Stop);
        let left = mutated.document.map(|document| {
            let document = Arc::new(document);
            Object::new(&document, document.root().id())
        });
        let patched = Value::from(left.as_ref().unwrap_or(object).node()).to_serde();
        let mut targets = mutated.targets.into_iter().peekable();
        let mut rows = Vec::with_capacity(mutated.outcomes.len());
        for (n, outcome) in mutated.outcomes.into_iter().enumerate() {
            let mut row = row(self.inputs, self.index, position, found, outcome);
            row.effect.patched = Some(match targets.next_if(|changed| changed.outcome == n) {
                Some(changed) => {
                    row.resource = places[changed.target];
                    let node = changed.document.as_ref().map_or(nodes[changed.target], Document::root);
                    Value::from(node).to_serde()
                }
                None => patched.clone(),
            });
            rows.push(row);
        }
        self.rows.append(&mut rows);
        match left {
            _ if mutated.failed && matches!(found, Found::Classic(..)) => Left::Nothing,
            Some(object) => Left::Changed(object),
            None => Left::Same,
        }
    }

    /// Asks the other rules of one policy.
    fn judge(&mut self, object: &Object, rules: &[RuleRef]) {
        let position = rules[0].policy_index();
        let found = self.inputs.policies.get(rules[0]);
        let arena = Arena::new();
        let given = Given::new(self.inputs.values, found.head(), object);
        let replaced = overrides::apply(object, given.all());
        let request = request(self.inputs, replaced.as_ref().unwrap_or(object), given, &arena);
        let outcomes = engine::evaluate(self.world(), rules, &request, &arena);
        let rows: Vec<Row> =
            outcomes.into_iter().map(|outcome| row(self.inputs, self.index, position, found, outcome)).collect();
        self.rows.extend(rows);
    }
}

impl Evaluating<'_> {
    /// Runs the rules of one policy that make objects.
    fn generate(&mut self, object: &Object, rules: &[RuleRef]) {
        let position = rules[0].policy_index();
        let found = self.inputs.policies.get(rules[0]);
        let arena = Arena::new();
        let given = Given::new(self.inputs.values, found.head(), object);
        let replaced = overrides::apply(object, given.all());
        let request = request(self.inputs, replaced.as_ref().unwrap_or(object), given, &arena);
        let sources = |policy: &Policy, rule: &Rule| {
            let given = self.inputs.sources.iter().filter(|it| it.policy == policy.head.name && it.rule == rule.name);
            given.flat_map(|it| &it.objects).map(Object::node).collect()
        };
        let generated = match found {
            Found::Classic(..) => engine::generate::generate(self.world(), rules, &request, &sources),
            Found::Cel(..) => {
                let of_form = |rule: &RuleRef| engine::cel::generate(self.world(), *rule, &request, &arena);
                rules.iter().filter_map(of_form).collect()
            }
        };
        for generated in generated {
            let mut row = row(self.inputs, self.index, position, found, generated.outcome);
            row.effect.generated = generated.objects;
            self.rows.push(row);
        }
    }
}

/// What the mutate rules of a policy leave of a resource.
enum Left {
    /// The resource as it was.
    Same,
    /// The resource after them.
    Changed(Object),
    /// Nothing that could be judged.
    Nothing,
}

/// As what rules see an object: that of a subresource counts as its parent's.
fn kind_seen<'r>(values: &'r Values, node: Node<'r>) -> ResourceKind<'r> {
    let own = request::kind_of(node);
    let is_own = |it: &&Subresource| it.own.each_ref().map(String::as_str) == [own.group, own.version, own.kind];
    match values.subresources.iter().find(is_own) {
        Some(Subresource { parent: [group, version, kind], name, .. }) => {
            ResourceKind { group, version, kind, subresource: name }
        }
        None => own,
    }
}

/// The values for one policy and one resource.
#[derive(Clone, Copy)]
struct Given<'i> {
    globals: &'i [(String, Json)],
    of_resource: &'i [(String, Json)],
    policy: Option<&'i PolicyValues>,
}

impl<'i> Given<'i> {
    fn new(values: &'i Values, policy: &Head, object: &Object) -> Self {
        let name = object.node().str_at(&["metadata", "name"]).unwrap_or_default();
        let policy = values.policy(&policy.name, &policy.key);
        Self { globals: &values.globals, of_resource: policy.map_or(&[], |it| it.resource(name)), policy }
    }

    /// What all rules see; later pairs go over earlier ones.
    fn all(self) -> impl Iterator<Item = (&'i str, &'i Json)> + Clone {
        self.globals.iter().chain(self.of_resource).map(|(name, value)| (name.as_str(), value))
    }
}

/// The request that puts a resource before a policy.
fn request<'v>(inputs: Inputs<'v>, object: &'v Object, given: Given<'v>, arena: &'v Arena) -> Request<'v> {
    let node = object.node();
    let operation = inputs.operation.or_else(|| values::operation(given.all())).unwrap_or_default();
    let rules = given.policy.map_or(&[][..], |it| &it.rules).iter().map(|rule| RuleValues {
        policy: given.policy.map_or("", |it| &it.name),
        rule: &rule.name,
        values: nest(rule.values.iter().map(|(name, value)| (name.as_str(), value)), arena),
        foreach: arena.alloc_slice_fill_iter(
            rule.foreach.iter().map(|(name, list)| (name.as_str(), Value::from_json(arena, list, Integers::Floats))),
        ),
    });
    let rules: Vec<RuleValues<'v>> = rules.collect();
    let shared = given.all().filter(|(name, _)| *name != "request.operation");
    let kind = kind_seen(inputs.values, node);
    let namespace = node.str_at(&["metadata", "namespace"]).unwrap_or_default();
    let supplied = Supplied {
        all: shared.clone().next().map(|_| nest(shared, arena)),
        rules: arena.alloc_slice_copy(&rules),
        kind: (!kind.subresource.is_empty()).then_some(kind),
        namespace: inputs.values.namespace(namespace, arena),
    };
    Request {
        operation,
        object: (operation != Operation::Delete).then_some(node),
        old_object: matches!(operation, Operation::Update | Operation::Delete).then_some(node),
        subresource: kind.subresource,
        user: inputs.user,
        namespace_labels: inputs.values.namespace_labels(namespace, arena),
        supplied,
    }
}

fn row(inputs: Inputs<'_>, resource: usize, policy: usize, found: Found<'_>, outcome: Outcome<'_>) -> Row {
    let audit_warning = inputs.audit_warn && action(found, &outcome) == Action::Audit;
    let status = match outcome.status {
        engine::Status::Pass => Status::Pass,
        engine::Status::Fail if audit_warning || !found.head().scored => Status::Warn,
        engine::Status::Fail => Status::Fail,
        engine::Status::Skip => Status::Skip,
        engine::Status::Error | engine::Status::Indeterminate => Status::Error,
    };
    Row {
        resource,
        policy,
        rule: outcome.rule.to_owned(),
        status,
        message: outcome.message,
        audit_warning,
        exceptions: outcome.exceptions.iter().map(|exception| exception.name.clone()).collect(),
        properties: outcome.properties,
        effect: Effect::default(),
    }
}

/// Kyverno: for `--audit-warn` a whole policy has one action, that of the first rule which names one.
fn action(found: Found<'_>, outcome: &Outcome<'_>) -> Action {
    let Found::Classic(policy, _) = found else { return outcome.action };
    let named = policy.rules.iter().find_map(|rule| match &rule.body {
        Body::Validate(validate) => validate.action.action,
        Body::Mutate(_) | Body::Generate(_) | Body::VerifyImages(_) | Body::Nothing => None,
    });
    named.unwrap_or(outcome.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{Cluster, Law},
        compat::testing,
    };

    const RULES: &str = "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: make }
spec:
  rules:
    - name: data
      match: { any: [{ resources: { kinds: [Namespace] } }] }
      generate: { apiVersion: v1, kind: ConfigMap, name: 'of-{{ request.object.metadata.name }}', namespace: '{{ request.object.metadata.name }}', data: { data: { k: v } } }
    - name: clone
      match: { any: [{ resources: { kinds: [Namespace] } }] }
      generate: { apiVersion: v1, kind: Secret, name: copy, namespace: '{{ request.object.metadata.name }}', clone: { namespace: from, name: a } }
    - name: missing
      match: { any: [{ resources: { kinds: [Namespace] } }] }
      generate: { apiVersion: v1, kind: Secret, name: copy, namespace: x, clone: { namespace: from, name: nobody } }
    - name: list
      match: { any: [{ resources: { kinds: [Namespace] } }] }
      generate: { namespace: '{{ request.object.metadata.name }}', cloneList: { namespace: from, kinds: [v1/Secret], selector: { matchLabels: { take: 'yes' } } } }
    - name: each
      match: { any: [{ resources: { kinds: [Namespace] } }] }
      generate:
        foreach:
          - list: \"['a', 'b', 'c']\"
            preconditions: { all: [{ key: '{{ element }}', operator: NotEquals, value: b }] }
            apiVersion: v1
            kind: ConfigMap
            name: '{{ element }}-{{ elementIndex }}'
            namespace: x
            data: {}
    - name: unmet
      match: { any: [{ resources: { kinds: [Namespace] } }] }
      preconditions: { all: [{ key: a, operator: Equals, value: b }] }
      generate: { apiVersion: v1, kind: ConfigMap, name: x, namespace: x, data: {} }
";

    #[test]
    fn rules_make_objects_from_data_copies_and_lists() {
        let policies = testing::policies(RULES);
        let resources = testing::objects("{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }");
        let originals = testing::objects(
            "{ apiVersion: v1, kind: Secret, metadata: { name: a, namespace: from, uid: u, labels: { take: 'yes' } } }\n\
             ---\n{ apiVersion: v1, kind: Secret, metadata: { name: b, namespace: from } }",
        );
        let mut cluster = Cluster::new(Law::CommandLine);
        for it in &originals {
            cluster.add(&it.document, it.id);
        }
        let inputs = Inputs {
            policies: &policies,
            targets: &[],
            sources: &[],
            cluster: &cluster,
            values: &Values::default(),
            user: None,
            operation: None,
            audit_warn: false,
            now: 0,
        };
        let judged = evaluate(inputs, &resources);
        let made = |row: &Row| -> Vec<String> {
            row.effect.generated.iter().map(|it| crate::compat::compare::identity(it)[1..].join("/")).collect()
        };
        let rows: Vec<String> = judged
            .rows
            .iter()
            .map(|it| format!("{} {}: {}", it.rule, it.status.as_str(), made(it).join(" ")))
            .collect();
        let expected = [
            "data pass: ConfigMap/shop/of-shop",
            "clone pass: Secret/shop/copy",
            "missing pass: ",
            "list pass: Secret/shop/a",
            "each pass: ConfigMap/x/a-0 ConfigMap/x/c-2",
            "unmet skip: ",
        ];
        assert_eq!(rows, expected);
        assert_eq!(judged.rows[2].message, "nothing is generated: there is no v1/Secret/from/nobody to clone");
        let copy = &judged.rows[1].effect.generated[0];
        assert_eq!(copy.pointer("/metadata/uid"), None);
        assert_eq!(copy.pointer("/metadata/labels/generate.kyverno.io~1source-namespace"), Some(&"from".into()));
    }
}
