//! Judging one file, for the case tests.

use std::sync::Arc;

use serde::Deserialize;

use crate::{
    cluster::{Cluster, Law},
    document::{
        self, Document, Integers, Limits, Node,
        classify::{Class, classify},
        layout::Layout,
        resource,
    },
    engine::{
        self, Outcome, Request, UserInfo, World,
        mutate::{Mutated, OnFailure, held, in_order, mutate},
        request::Supplied,
    },
    expr::Arena,
    finding::{Finding, Place, Severity, outcome},
    k8s::scope::is_cluster_scoped,
    policy::{Operation, set::PolicySet},
    span::File,
};

/// The time at which cases are judged: 2026-01-01T00:00:00Z.
const NOW: i128 = 1_767_225_600_000_000_000;

/// How one object of a case is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Asked {
    /// `CREATE` (also when empty), `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: String,
    /// The object is what the cluster holds: it is not judged, but an UPDATE of the same name has it as its old object.
    pub held: bool,
    /// Kyverno's command line is the measure, not a cluster.
    pub command_line: bool,
    /// The name of the user who asks; nobody is known when it is empty.
    pub user: String,
    /// Groups of the user.
    pub groups: Vec<String>,
    /// Roles of the user, as `namespace:name`.
    pub roles: Vec<String>,
    /// Cluster roles of the user.
    pub cluster_roles: Vec<String>,
}

/// What one rule said of one object, or what is wrong with a document.
#[derive(Clone, Debug)]
pub struct Row {
    /// Line of the primary span, from 1; of the object's name when there is nothing to find.
    pub line: u32,
    /// The text under the primary span.
    pub covered: String,
    /// The text of the clause that decided, in the policy; empty when there is none.
    pub clause: String,
    /// What helps, joined by `; `.
    pub help: String,
    /// Kyverno's word, or `indeterminate`; `schema` and `invalid` for policies that take no part, `unreadable` for text.
    pub status: &'static str,
    /// What a failure does: `Audit` or `Enforce`.
    pub action: &'static str,
    /// The key of the policy.
    pub policy: String,
    /// The computed name of the rule.
    pub rule: String,
    /// The text.
    pub message: String,
}

/// Judges the objects of a file by the policies and exceptions of the same file. `asked` tells how, by the line on which
/// an object begins.
pub fn judge(path: &str, text: &str, asked: &dyn Fn(u32) -> Asked) -> Vec<Row> {
    let file = File::new(path, text.as_bytes().to_vec());
    let parsed = document::parse(&file, &Limits::default());
    let mut rows: Vec<Row> = Vec::new();
    for error in &parsed.errors {
        rows.push(Row::of(&file, "unreadable", &outcome::from_document_error(error, &file)));
    }
    let mut policies = PolicySet::default();
    let mut manifests: Vec<Arc<Document>> = Vec::new();
    for document in parsed.documents {
        if !matches!(classify(path, document.root(), &Layout::default()), Class::Policy | Class::Exception) {
            policies.define(document.root());
            let mut document = resource::prepare(document, &is_cluster_scoped);
            if asked(file.position(document.root().span().start).line).command_line {
                document.set_integers(Integers::Floats);
            }
            manifests.push(Arc::new(document));
            continue;
        }
        let document = Arc::new(document);
        for error in policies.add(&document, document.root().id()).err().into_iter().flatten() {
            let status = if error.problem.is_schema() { "schema" } else { "invalid" };
            rows.push(Row::of(&file, status, &outcome::from_policy_error(&error)));
        }
    }
    let objects =
        || manifests.iter().flat_map(|it| resource::objects(it.root()).into_iter().map(move |node| (it, node)));
    let asked = |node: Node<'_>| asked(file.position(node.span().start).line);
    let clusters = [Law::Admission, Law::CommandLine].map(|law| {
        let mut cluster = Cluster::new(law);
        // Held objects come last, so that they replace those that are judged.
        for held in [false, true] {
            objects().filter(|(_, node)| asked(*node).held == held).for_each(|(it, node)| cluster.add(it, node.id()));
        }
        cluster
    });
    for (_, node) in objects() {
        let asked = asked(node);
        if asked.held {
            continue;
        }
        let arena = Arena::new();
        let cluster = &clusters[usize::from(asked.command_line)];
        let operation = Operation::parse(&asked.operation).unwrap_or_default();
        let user = UserInfo {
            username: asked.user,
            uid: String::new(),
            groups: asked.groups,
            roles: asked.roles,
            cluster_roles: asked.cluster_roles,
        };
        let namespace = node.str_at(&["metadata", "namespace"]).unwrap_or_default();
        let request = Request {
            operation,
            object: (operation != Operation::Delete).then_some(node),
            old_object: match operation {
                Operation::Create | Operation::Connect => None,
                Operation::Update => cluster.old_object(node),
                Operation::Delete => Some(node),
            },
            subresource: "",
            user: (!user.username.is_empty()).then_some(&user),
            namespace_labels: cluster.namespace_labels(namespace),
            supplied: Supplied::default(),
        };
        let world = World { policies: &policies, cluster, now: NOW, withheld: &engine::withheld::NOTHING };
        let rules = policies.rules_for(request.kind());
        let others: Vec<Node<'_>> = objects().map(|(_, node)| node).collect();
        let on_failure = if asked.command_line { OnFailure::Stop } else { OnFailure::GoOn };
        // Kyverno's command line asks the API server's own policies late; for a cluster they come first.
        let changing = if asked.command_line { rules.clone() } else { in_order(&policies, &rules) };
        let held = if asked.command_line { Mutated::default() } else { held(world, &changing, &request) };
        let old_object = held.document.as_ref().map(Document::root).or(request.old_object);
        let request = Request { old_object, ..request };
        let mutated = mutate(world, &changing, &request, &others, on_failure);
        for (n, outcome) in mutated.outcomes.iter().enumerate() {
            let target = mutated.targets.iter().find(|changed| changed.outcome == n);
            rows.push(Row::of_outcome(&file, outcome, target.map_or(node, |changed| others[changed.target])));
        }
        if mutated.failed && on_failure == OnFailure::Stop {
            continue;
        }
        let object = mutated.document.as_ref().map(Document::root).or(request.object);
        let request = Request { object, ..request };
        for outcome in engine::evaluate(world, &rules, &request, &arena) {
            rows.push(Row::of_outcome(&file, &outcome, object.unwrap_or(node)));
        }
        // What makes objects is heard only where somebody asks what it makes.
        let made = rules.iter().filter(|_| asked.command_line);
        for made in made.filter_map(|rule| engine::cel::generate(world, *rule, &request, &arena)) {
            rows.push(Row::of_outcome(&file, &made.outcome, object.unwrap_or(node)));
        }
    }
    rows
}

impl Row {
    fn of(file: &File, status: &'static str, finding: &Finding) -> Self {
        let clause = finding.related.first().map(|it| file.slice(it.place.span).to_owned());
        Self {
            line: finding.primary.start.line,
            covered: file.slice(finding.primary.span).to_owned(),
            clause: clause.unwrap_or_default(),
            help: finding.help.join("; "),
            status,
            action: "",
            policy: String::new(),
            rule: String::new(),
            message: finding.message.clone(),
        }
    }

    fn of_outcome(file: &Arc<File>, outcome: &Outcome<'_>, object: Node<'_>) -> Self {
        let verdict = outcome::verdict(outcome, &outcome::resource_ref(object));
        let finding = outcome::from_outcome(outcome, object, outcome::Files { resource: file }).unwrap_or_else(|| {
            let place = Place::new(file, resource::place_of_missing(object, object));
            Finding::new("", Severity::Info, place, outcome.message.clone())
        });
        Self {
            action: verdict.action.as_str(),
            policy: verdict.policy,
            rule: verdict.rule,
            ..Self::of(file, verdict.status.as_str(), &finding)
        }
    }
}
