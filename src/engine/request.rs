//! What is asked: one object, one operation, one user.

use crate::{
    cluster::{Cluster, NamespaceLabels},
    document::Node,
    expr::{Map, Value},
    k8s::gvk::split_api_version,
    policy::{Operation, set::ResourceKind},
};

/// A request for admission of one object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'r> {
    /// What is done.
    pub operation: Operation,
    /// The object after the operation; `None` for a removal.
    pub object: Option<Node<'r>>,
    /// The object before the operation; `None` for a new one.
    pub old_object: Option<Node<'r>>,
    /// The subresource; empty for the object itself.
    pub subresource: &'r str,
    /// The user who asks, if known.
    pub user: Option<&'r UserInfo>,
    /// Labels of the object's namespace; `None` when nothing is known of the namespace.
    pub namespace_labels: Option<NamespaceLabels<'r>>,
    /// Values that stand in for what only a cluster knows.
    pub supplied: Supplied<'r>,
}

impl<'r> Request<'r> {
    /// The object that rules match: the new one, or for a removal the old one.
    pub(crate) fn resource(&self) -> Option<Node<'r>> {
        self.object.or(self.old_object)
    }

    /// The object, if it is about to be made: a cluster does not hold it yet, though the repository may.
    pub(crate) fn newcomer(&self) -> Option<Node<'r>> {
        self.object.filter(|_| self.operation == Operation::Create && self.old_object.is_none())
    }

    /// The namespace of that object, if nothing is known of its labels and a cluster would know them.
    pub(crate) fn unknown_namespace(&self, cluster: &Cluster) -> Option<&'r str> {
        if self.namespace_labels.is_some() || cluster.is_command_line() {
            return None;
        }
        self.resource()?.str_at(&["metadata", "namespace"]).filter(|it| !it.is_empty())
    }

    /// The kind of that object.
    pub(crate) fn kind(&self) -> ResourceKind<'r> {
        if let Some(kind) = self.supplied.kind {
            return kind;
        }
        let kind = self.resource().map(kind_of).unwrap_or_default();
        ResourceKind { subresource: self.subresource, ..kind }
    }
}

/// The kind of an object itself.
pub(crate) fn kind_of(object: Node<'_>) -> ResourceKind<'_> {
    let text = |key: &str| object.str_at(&[key]).unwrap_or_default();
    let (group, version) = split_api_version(text("apiVersion"));
    ResourceKind { group, version, kind: text("kind"), subresource: "" }
}

/// Who asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserInfo {
    /// The name of the user.
    pub username: String,
    /// The user's unique ID.
    pub uid: String,
    /// Groups of the user.
    pub groups: Vec<String>,
    /// Roles of the user, as `namespace:name`.
    pub roles: Vec<String>,
    /// Cluster roles of the user.
    pub cluster_roles: Vec<String>,
}

/// Values given for a run, as nested maps under their dotted names.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Supplied<'r> {
    /// Values for every rule.
    pub all: Option<Map<'r>>,
    /// Values for one rule of one policy (name of the policy, declared name of the rule).
    pub rules: &'r [RuleValues<'r>],
    /// As what rules see the object: another kind when it stands for a subresource. `None`: it is to be read.
    pub kind: Option<ResourceKind<'r>>,
    /// The namespace of the object, whole.
    pub namespace: Option<Value<'r>>,
    /// The object is a payload of any kind, no object of Kubernetes.
    pub is_payload: bool,
}

/// Values for one rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleValues<'r> {
    /// Name of the policy.
    pub policy: &'r str,
    /// Name of the rule, as declared or computed.
    pub rule: &'r str,
    /// The values, as nested maps under their dotted names.
    pub values: Map<'r>,
    /// Values for the elements of a `foreach`: lists by dotted name, an item for each element.
    pub foreach: &'r [(&'r str, Value<'r>)],
}
