//! Every policy on every resource, as Kyverno's command line asks for it.
//!
//! In: compiled policies, resources, values. Out: a [`Row`] for each rule that says something of a resource, in the
//! order of resources and, within one, of policies as loaded and rules as computed.

use super::{
    Notices, Weight,
    load::Object,
    values::{self, PolicyValues, Values},
};
use crate::{
    cluster::Cluster,
    engine::{
        self, Outcome, Request, UserInfo, World,
        context::nest,
        request::{RuleValues, Supplied},
    },
    expr::Arena,
    finding::Status,
    policy::{
        Action, Head, Operation,
        classic::{Body, Policy},
        set::{PolicySet, RuleRef},
    },
};

/// What is the same for all resources of a run.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'i> {
    /// Policies and exceptions.
    pub policies: &'i PolicySet,
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
}

/// What came out of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    /// The policies, in load order.
    pub heads: Vec<Head>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// Evaluates every policy on every resource.
pub(crate) fn evaluate(inputs: Inputs<'_>, resources: &[Object], notices: &Notices) -> Judged {
    let heads = inputs.policies.classic.iter().map(|policy| policy.head.clone()).collect();
    let mut rows = Vec::new();
    for (index, object) in resources.iter().enumerate() {
        evaluate_one(inputs, index, object, notices, &mut rows);
    }
    Judged { heads, rows }
}

fn evaluate_one(inputs: Inputs<'_>, index: usize, object: &Object, notices: &Notices, rows: &mut Vec<Row>) {
    let arena = Arena::new();
    let node = object.node();
    let name = node.str_at(&["metadata", "name"]).unwrap_or_default();
    let kind = Request { object: Some(node), ..blank() }.kind();
    let rules = inputs.policies.rules_for(kind);
    for rules in rules.chunk_by(|a, b| a.policy_index() == b.policy_index()) {
        let policy = rules[0].policy_index();
        let classic = &inputs.policies.classic[policy];
        let given = inputs.values.policy(&classic.head.name, &classic.head.key);
        let request = request(inputs, object, name, given, notices, &arena);
        let world = World { policies: inputs.policies, cluster: inputs.cluster, now: inputs.now };
        for outcome in engine::evaluate(world, rules, arena.alloc(request), &arena) {
            rows.push(row(inputs, index, policy, classic, outcome));
        }
        rows.extend(unevaluated(inputs.policies, rules, index, policy));
    }
}

fn blank<'r>() -> Request<'r> {
    Request {
        operation: Operation::Create,
        object: None,
        old_object: None,
        subresource: "",
        user: None,
        namespace_labels: None,
        supplied: Supplied::default(),
    }
}

/// The request that puts a resource before a policy.
fn request<'v>(
    inputs: Inputs<'v>,
    object: &'v Object,
    name: &str,
    given: Option<&'v PolicyValues>,
    notices: &Notices,
    arena: &'v Arena,
) -> Request<'v> {
    let node = object.node();
    let of_resource = given.map_or(&[][..], |given| given.resource(name));
    let all = || inputs.values.globals.iter().chain(of_resource);
    let operation = values::operation(all()).unwrap_or_else(|text| {
        let text = format!("`request.operation: {text}` is none of CREATE, UPDATE, DELETE, CONNECT; CREATE is taken");
        notices.say(Weight::Error, "", text);
        None
    });
    let operation = inputs.operation.or(operation).unwrap_or_default();
    let rules: Vec<RuleValues<'v>> = given
        .into_iter()
        .flat_map(|given| given.rules.iter().map(move |rule| (given, rule)))
        .map(|(given, rule)| RuleValues {
            policy: &given.name,
            rule: &rule.name,
            values: nest(rule.values.iter().map(|(key, value)| (key.as_str(), value)), arena),
            foreach: (!rule.foreach.is_empty())
                .then(|| nest(rule.foreach.iter().map(|(key, value)| (key.as_str(), value)), arena)),
        })
        .collect();
    let shared = || all().filter(|(key, _)| key != "request.operation");
    let supplied = Supplied {
        all: shared().next().map(|_| nest(shared().map(|(key, value)| (key.as_str(), value)), arena)),
        rules: arena.alloc_slice_copy(&rules),
    };
    let namespace = node.str_at(&["metadata", "namespace"]).unwrap_or_default();
    Request {
        operation,
        object: (operation != Operation::Delete).then_some(node),
        old_object: matches!(operation, Operation::Update | Operation::Delete).then_some(node),
        subresource: "",
        user: inputs.user,
        namespace_labels: inputs.values.namespace_labels(namespace, arena),
        supplied,
    }
}

fn row(inputs: Inputs<'_>, resource: usize, policy: usize, classic: &Policy, outcome: Outcome<'_>) -> Row {
    let audit_warning = inputs.audit_warn && action(classic, &outcome) == Action::Audit;
    let status = match outcome.status {
        engine::Status::Pass => Status::Pass,
        engine::Status::Fail if audit_warning || !classic.head.scored => Status::Warn,
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
    }
}

/// Kyverno: for `--audit-warn` a whole policy has one action, that of the first rule which names one.
fn action(policy: &Policy, outcome: &Outcome<'_>) -> Action {
    let named = policy.rules.iter().find_map(|rule| match &rule.body {
        Body::Validate(validate) => validate.action.action,
        Body::Mutate(_) | Body::Generate(_) | Body::VerifyImages(_) | Body::Nothing => None,
    });
    named.unwrap_or(outcome.action)
}

/// Rows for rules that this version can't evaluate: an error, never silence.
fn unevaluated(policies: &PolicySet, rules: &[RuleRef], resource: usize, policy: usize) -> Vec<Row> {
    let error = |rule: &RuleRef| {
        let (_, rule) = policies.get(*rule);
        let what = match &rule.body {
            Body::Mutate(_) => "mutate",
            Body::Generate(_) => "generate",
            Body::Validate(_) | Body::VerifyImages(_) | Body::Nothing => return None,
        };
        Some(Row {
            resource,
            policy,
            rule: rule.name.clone(),
            status: Status::Error,
            message: format!("{what} rules are not evaluated by this version of admit"),
            audit_warning: false,
            exceptions: Vec::new(),
            properties: Vec::new(),
        })
    };
    rules.iter().filter_map(error).collect()
}
