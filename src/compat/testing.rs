//! A small run for the tests of this folder.

use std::sync::Arc;

use super::{
    evaluation::{self, Inputs, Judged},
    load::Object,
    values::Values,
};
use crate::{
    cluster::{Cluster, Law},
    document::{Limits, parse, resource},
    k8s::scope,
    policy::set::PolicySet,
    span::File,
};

/// A `ClusterPolicy` and a `Policy`.
pub(super) const POLICIES: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: host
  annotations: { policies.kyverno.io/category: Sample, policies.kyverno.io/severity: high }
spec:
  rules:
    - name: ipc
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { message: "no", pattern: { spec: { =(hostIPC): false } } }
---
apiVersion: kyverno.io/v1
kind: Policy
metadata: { name: own, namespace: shop }
spec:
  rules:
    - name: pid
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { message: "no", pattern: { spec: { =(hostPID): false } } }
"#;

const RESOURCE: &str = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {hostIPC: true}}";

/// The objects of a text.
pub(super) fn objects(text: &str) -> Vec<Object> {
    let file = File::new("resources.yaml", text.as_bytes().to_vec());
    let prepare = |document| Arc::new(resource::prepare(document, &scope::is_cluster_scoped));
    let objects = parse(&file, &Limits::default()).documents.into_iter().map(prepare).map(|document| {
        let id = document.root().id();
        Object::new(&document, id)
    });
    objects.collect()
}

/// The policies of a text.
pub(super) fn policies(text: &str) -> PolicySet {
    let file = File::new("policies.yaml", text.as_bytes().to_vec());
    let mut set = PolicySet::default();
    for document in parse(&file, &Limits::default()).documents {
        let document = Arc::new(document);
        let id = document.root().id();
        set.add(&document, id).expect("a valid policy");
    }
    set
}

/// What policies say of resources.
pub(super) fn judge(policies: &PolicySet, resources: &[Object], values: &Values) -> Judged {
    let cluster = Cluster::new(Law::CommandLine);
    let inputs = Inputs {
        policies,
        targets: &[],
        sources: &[],
        cluster: &cluster,
        values,
        user: None,
        operation: None,
        audit_warn: false,
        now: 0,
    };
    evaluation::evaluate(inputs, resources)
}

/// A run with a failure of a `ClusterPolicy` and a pass of a `Policy`.
pub(super) fn judged() -> (Judged, Vec<Object>) {
    let resources = objects(RESOURCE);
    (judge(&policies(POLICIES), &resources, &Values::default()), resources)
}

/// The single document of a text, as written.
pub(super) fn document(text: &str) -> Arc<crate::document::Document> {
    let file = File::new("file.yaml", text.as_bytes().to_vec());
    Arc::new(parse(&file, &Limits::default()).documents.remove(0))
}
