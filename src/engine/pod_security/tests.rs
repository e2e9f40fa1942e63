//! What the files of this folder prove together. Messages and exclusions are cases in `tests/engine/pod_security/`.
#![expect(clippy::print_stderr, reason = "a test says what it could not check")]
#![expect(clippy::disallowed_methods, reason = "expected verdicts are read where they are")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::*;
use crate::{
    cluster::{Cluster, Law},
    document::{Document, resource},
    engine::{self, Outcome, Request, Status, UserInfo, World, near_miss::Obstacle, request::Supplied},
    expr::Arena,
    k8s::scope::is_cluster_scoped,
    policy::{Action, Operation, fields::Problems, set::PolicySet},
    span::File,
};

/// A document whose root is the object.
pub(super) fn document(yaml: &str) -> Document {
    let file = File::new("pod.yaml", yaml.as_bytes().to_vec());
    let mut parsed = crate::document::parse(&file, &crate::document::Limits::default());
    assert!(parsed.errors.is_empty(), "{:?} in {yaml}", parsed.errors);
    parsed.documents.remove(0)
}

/// What a check finds in a Pod with the given spec.
pub(super) fn violations(check: &Check, version: &str, spec: &str) -> Vec<String> {
    violations_of(check, version, &format!("{{ kind: Pod, spec: {spec} }}"))
}

/// What a check finds in an object.
pub(super) fn violations_of(check: &Check, version: &str, object: &str) -> Vec<String> {
    let document = document(object);
    let Ok(pod) = LastPod::default().read(document.root()) else { panic!("unreadable: {object}") };
    (check.run)(&pod, &Version::new(version)).iter().map(|it| told(&it.field, &it.found)).collect()
}

/// What a rule with this `podSecurity` block says of an object.
fn with<T>(block: &str, object: &str, look: impl FnOnce(Judgement<'_>) -> T) -> T {
    let policy = document(block);
    let problems = Problems::default();
    let demanded = crate::policy::pod_security::decode(policy.root(), &problems).expect("a podSecurity block");
    assert!(problems.is_empty(), "{:?}", problems.into_vec());
    let object = document(object);
    look(judge(&demanded, object.root(), &[], &LastPod::default()))
}

fn violated<T>(block: &str, object: &str, look: impl FnOnce(Violations<'_>) -> T) -> T {
    with(block, object, |judgement| match judgement {
        Judgement::Violated(violations) => look(violations),
        Judgement::Allowed | Judgement::Exempted | Judgement::Unreadable(..) => panic!("no violation: {object}"),
    })
}

#[test]
fn checks_are_told_apart_by_their_ids() {
    for (index, check) in CHECKS.iter().enumerate() {
        assert!(CHECKS[..index].iter().all(|it| it.id != check.id), "{}", check.id);
        let level = check.control.map_or(Level::Baseline, |it| match it.in_baseline() {
            true if check.id.ends_with("_restricted") => Level::Restricted,
            true => Level::Baseline,
            false => Level::Restricted,
        });
        assert_eq!(check.level, level, "{}", check.id);
    }
}

#[test]
fn reports_get_checks_controls_and_images() {
    let pod = "{ kind: Pod, spec: { hostPID: true, \
               initContainers: [{ image: i:1, securityContext: { privileged: true } }], \
               containers: [{ image: j, securityContext: { privileged: true }, \
               livenessProbe: { httpGet: { host: h } } }, \
               { image: i:1, securityContext: { privileged: true } }] } }";
    let properties = violated("{ level: baseline, version: v1.29 }", pod, |it| it.properties());
    let wanted = [
        ("controls", "hostNamespaces,hostProbesAndHostLifecycle,privileged"),
        (
            "controlsJSON",
            "[{\"ID\":\"hostNamespaces\",\"Name\":\"Host Namespaces\",\"Images\":null},\
             {\"ID\":\"hostProbesAndHostLifecycle\",\"Name\":\"\",\"Images\":[\"j\"]},\
             {\"ID\":\"privileged\",\"Name\":\"Privileged Containers\",\"Images\":[\"i:1\",\"j\"]}]",
        ),
        ("standard", "baseline"),
        ("version", "v1.29"),
    ];
    assert_eq!(properties, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn labels_say_what_stands_there_and_what_is_wanted() {
    for (block, spec, covered, label, path) in [
        ("{ level: baseline }", "{ hostPID: true }", "true", "`hostPID` is `true`: must not be true", "/spec/hostPID/"),
        (
            "{ level: baseline }",
            "{ hostPID: true, hostIPC: true }",
            "true",
            "`hostPID` is `true`: must not be true (and one more violation)",
            "/spec/hostPID/",
        ),
        (
            "{ level: baseline }",
            "{ containers: [{ securityContext: { capabilities: { add: [CHOWN, B, A] } } }] }",
            "B",
            "`A`, `B`: only capabilities that runtimes give by default may be added",
            "/spec/containers/0/securityContext/capabilities/add/1/",
        ),
        (
            "{ level: baseline }",
            "{ volumes: [{ name: v, hostPath: { path: /x } }] }",
            "/x",
            "`/x`: no volume may be a `hostPath`",
            "/spec/volumes/0/hostPath/path/",
        ),
        (
            "{ level: restricted }",
            "{ containers: [{ name: a }] }",
            "name: a",
            "no `allowPrivilegeEscalation` here: must be false (and 3 more violations)",
            "/spec/containers/0/",
        ),
        (
            "{ level: restricted, exclude: [{ controlName: Capabilities, images: ['*'] }] }",
            "{ containers: [{ image: a, \
             securityContext: { runAsNonRoot: true, seccompProfile: { type: Localhost } } }] }",
            "securityContext",
            "`allowPrivilegeEscalation` is not set: must be false",
            "/spec/containers/0/securityContext/",
        ),
    ] {
        let pod = format!("{{ kind: Pod, spec: {spec} }}");
        let evidence = violated(block, &pod, |it| it.evidence());
        assert_eq!(evidence.label, label);
        assert_eq!(evidence.path, path);
        let file = File::new("pod.yaml", pod.into_bytes());
        assert_eq!(evidence.value.map(|span| file.slice(span)), Some(covered));
    }
}

#[test]
fn an_exception_for_some_controls_says_which_are_left() {
    let policy = "{ apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: { name: p }, spec: { rules: [{ name: r, \
                  match: { any: [{ resources: { kinds: [Pod] } }] }, \
                  validate: { podSecurity: { level: baseline } } }] } }";
    let exception = "{ apiVersion: kyverno.io/v2, kind: PolicyException, metadata: { name: e }, spec: { \
                     exceptions: [{ policyName: p, ruleNames: [r] }], \
                     match: { any: [{ resources: { kinds: [Pod] } }] }, podSecurity: [{ controlName: Host Namespaces }] } }";
    let mut set = PolicySet::default();
    for text in [policy, exception] {
        let document = Arc::new(document(text));
        set.add(&document, document.root().id()).expect("valid");
    }
    let pod = document(
        "{ apiVersion: v1, kind: Pod, metadata: { name: a, namespace: b }, spec: { hostPID: true, \
         volumes: [{ name: v, hostPath: { path: /x } }], containers: [{ ports: [{ hostPort: 1 }] }] } }",
    );
    let obstacles = judged(&set, &Cluster::new(Law::Admission), pod.root(), None, |outcome| {
        outcome.near_misses.iter().map(|it| it.obstacle.clone()).collect::<Vec<_>>()
    });
    assert_eq!(obstacles, [[Obstacle::Controls(vec!["HostPath Volumes", "Host Ports"])]]);
}

/// What the rules of a set say of an object.
fn judged<T>(
    set: &PolicySet,
    cluster: &Cluster,
    object: Node<'_>,
    old_object: Option<Node<'_>>,
    look: impl Fn(&Outcome<'_>) -> T,
) -> Vec<T> {
    let arena = Arena::new();
    let user = UserInfo {
        username: "kubernetes-admin".to_owned(),
        groups: vec!["kubeadm:cluster-admins".to_owned(), "system:authenticated".to_owned()],
        cluster_roles: vec!["cluster-admin".to_owned()],
        ..UserInfo::default()
    };
    let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or_default();
    let request = Request {
        operation: if old_object.is_some() { Operation::Update } else { Operation::Create },
        object: Some(object),
        old_object,
        subresource: "",
        user: (!cluster.is_command_line()).then_some(&user),
        namespace_labels: cluster.namespace_labels(namespace),
        supplied: Supplied::default(),
    };
    let world = World { policies: set, cluster, now: 0, withheld: &engine::withheld::NOTHING };
    engine::evaluate(world, &set.rules_for(request.kind()), &request, &arena).iter().map(look).collect()
}

/// Documents of a file as policies and exceptions, and the other ones as a cluster has them.
fn load(path: &Path, set: &mut PolicySet) -> Vec<Arc<Document>> {
    let file = File::new(path.to_string_lossy().into_owned(), std::fs::read(path).expect("readable"));
    let mut others = Vec::new();
    for document in crate::document::parse(&file, &crate::document::Limits::default()).documents {
        let group = document.root().str_at(&["apiVersion"]).unwrap_or_default().to_owned();
        if group.starts_with("kyverno.io/") {
            let document = Arc::new(document);
            // What a cluster refuses takes no part.
            drop(set.add(&document, document.root().id()));
        } else {
            others.push(Arc::new(resource::prepare(document, &is_cluster_scoped)));
        }
    }
    others
}

/// A folder of expected verdicts; says so when it is not there.
fn expected(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("not checked: {} is missing", path.display());
    None
}

/// A message whose reasons are sorted: with exclusions, Kyverno names them in any order.
fn sorted(message: &str) -> String {
    let mut parts: Vec<&str> = message.split("(Forbidden reason: ").collect();
    parts[1..].sort_unstable();
    parts.join("(Forbidden reason: ")
}

/// Policy, rule, kind, namespace, name, result and message.
type Row = [String; 7];

#[test]
fn real_manifests_get_the_expected_rows() {
    let Some(root) = expected("golden") else { return };
    let policies = std::fs::read_to_string(root.join("classic.policies")).expect("the list of policies");
    let mut n_rows = 0;
    for corpus in ["kubernetes-examples", "microservices-demo", "rook"] {
        for group in ["classic", "classic+exceptions"] {
            let mut set = PolicySet::default();
            for policy in policies.lines() {
                let path = root.join("../policies").join(policy);
                if std::fs::read_to_string(&path).expect("a policy").contains("podSecurity:") {
                    load(&path, &mut set);
                }
            }
            if group.ends_with("exceptions") {
                load(&root.join(corpus).join("exceptions.yaml"), &mut set);
            }
            let objects = load(&root.join(corpus).join("resources.yaml"), &mut PolicySet::default());
            let mut got: Vec<Row> = Vec::new();
            for object in objects.iter().flat_map(|it| resource::objects(it.root())) {
                let text = |path: &[&str]| object.str_at(path).unwrap_or_default().to_owned();
                got.extend(judged(&set, &Cluster::new(Law::CommandLine), object, None, |it| {
                    let result = format!("{:?}", it.status).to_lowercase();
                    [
                        it.policy.key.clone(),
                        it.rule.to_owned(),
                        text(&["kind"]),
                        text(&["metadata", "namespace"]),
                        text(&["metadata", "name"]),
                        result,
                        sorted(&it.message),
                    ]
                }));
            }
            let names: Vec<&str> = set.classic.iter().map(|it| it.head.key.as_str()).collect();
            let rows = std::fs::read_to_string(root.join(corpus).join(format!("{group}.jsonl"))).expect("the rows");
            let mut wanted: Vec<Row> = rows
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a row"))
                .filter(|row| names.iter().any(|name| row["policy"] == *name))
                .map(|row| {
                    ["policy", "rule", "kind", "namespace", "name", "result", "message"].map(|key| {
                        let text = row[key].as_str().expect("text");
                        if key == "message" { sorted(text) } else { text.to_owned() }
                    })
                })
                .collect();
            got.sort();
            wanted.sort();
            n_rows += wanted.len();
            assert_eq!(got.len(), wanted.len(), "{corpus} {group}");
            for (got, wanted) in got.iter().zip(&wanted) {
                assert_eq!(got, wanted, "{corpus} {group}");
            }
        }
    }
    eprintln!("{n_rows} rows are as expected");
}

#[test]
fn clusters_decided_the_same() {
    let Some(root) = expected("admission") else { return };
    let decisions = std::fs::read_to_string(root.join("decisions.tsv")).expect("the decisions");
    let mut sequences: BTreeMap<&str, Vec<(PathBuf, bool)>> = BTreeMap::new();
    for line in decisions.lines() {
        let mut fields = line.split('\t');
        let (Some(path), Some(_), Some(decision)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (folder, _) = path.rsplit_once('/').unwrap_or_default();
        sequences.entry(folder).or_default().push((root.join(path), decision == "allow"));
    }
    let (mut n_sequences, mut n_objects) = (0, 0);
    for (folder, steps) in sequences {
        let is_about = |(path, _): &(PathBuf, bool)| {
            let text = std::fs::read_to_string(path).expect("a submission");
            text.contains("kind: ClusterPolicy") && text.contains("podSecurity:")
        };
        if !steps.iter().any(is_about) {
            continue;
        }
        n_sequences += 1;
        let mut set = PolicySet::default();
        let mut cluster = Cluster::new(Law::Admission);
        for (path, allowed) in steps {
            for document in load(&path, &mut set) {
                let object = document.root();
                let refused: Vec<String> = judged(&set, &cluster, object, cluster.old_object(object), |outcome| {
                    let refused = outcome.status != Status::Pass && outcome.status != Status::Skip;
                    (refused && outcome.action == Action::Enforce).then(|| outcome.message.clone())
                })
                .into_iter()
                .flatten()
                .collect();
                assert_eq!(refused.is_empty(), allowed, "{folder}: {} {refused:?}", path.display());
                n_objects += 1;
                if allowed {
                    cluster.add(&document, object.id());
                }
            }
        }
    }
    eprintln!("{n_objects} objects of {n_sequences} sequences are decided as by a cluster");
}
