//! What the roles of a cluster allow, as far as documents tell: the authorizer of expressions.
//!
//! In: who wants to do what. Out: whether some binding allows it. A repository rarely holds all bindings of a cluster,
//! so that what none of them allows is only taken for forbidden where some are held at all.

use crate::{cluster::Cluster, document::Node};

/// Who wants to do what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Question<'q> {
    /// The name of the user.
    pub user: &'q str,
    /// The groups of the user.
    pub groups: &'q [String],
    /// What is done: `get`, `delete`, …
    pub verb: &'q str,
    /// A path that is no resource; empty for a resource.
    pub path: &'q str,
    /// The API group of the resource.
    pub group: &'q str,
    /// The plural of the resource.
    pub resource: &'q str,
    /// The subresource; empty for the resource itself.
    pub subresource: &'q str,
    /// The namespace; empty for all, or none.
    pub namespace: &'q str,
    /// The name of the object; empty for any.
    pub name: &'q str,
}

/// The group that is allowed everything.
const MASTERS: &str = "system:masters";

/// The role of Kubernetes itself that allows everything.
const CLUSTER_ADMIN: &str = "cluster-admin";

/// Whether something is allowed; `None` where nothing is known of the rights in the cluster.
pub(super) fn allows(cluster: &Cluster, question: Question<'_>) -> Option<bool> {
    if question.groups.iter().any(|it| it == MASTERS) {
        return Some(true);
    }
    let bindings = || cluster.objects().filter(|it| is_kind(*it, "RoleBinding") || is_kind(*it, "ClusterRoleBinding"));
    let is_allowed = bindings().any(|binding| binds(binding, question) && grants(cluster, binding, question));
    (is_allowed || bindings().next().is_some()).then_some(is_allowed)
}

fn is_kind(node: Node<'_>, kind: &str) -> bool {
    node.str_at(&["kind"]) == Some(kind)
        && node.str_at(&["apiVersion"]).is_some_and(|it| it.starts_with("rbac.authorization.k8s.io/"))
}

/// Whether a binding is about the user, and about where something is done.
fn binds(binding: Node<'_>, question: Question<'_>) -> bool {
    let is_everywhere = is_kind(binding, "ClusterRoleBinding");
    let namespace = binding.str_at(&["metadata", "namespace"]).unwrap_or_default();
    let is_here = question.path.is_empty() && !namespace.is_empty() && namespace == question.namespace;
    (is_everywhere || is_here)
        && binding.get("subjects").into_iter().flat_map(Node::items).any(|it| is_subject(it, question))
}

fn is_subject(subject: Node<'_>, question: Question<'_>) -> bool {
    let text = |key| subject.str_at(&[key]).unwrap_or_default();
    match text("kind") {
        "User" => text("name") == question.user,
        "Group" => question.groups.iter().any(|it| it == text("name")),
        "ServiceAccount" => {
            let account = question.user.strip_prefix("system:serviceaccount:").and_then(|it| it.split_once(':'));
            account == Some((text("namespace"), text("name")))
        }
        _ => false,
    }
}

/// Whether the role of a binding allows what is asked.
fn grants(cluster: &Cluster, binding: Node<'_>, question: Question<'_>) -> bool {
    let text = |key| binding.str_at(&["roleRef", key]).unwrap_or_default();
    let (kind, name) = (text("kind"), text("name"));
    let namespace = match kind {
        "Role" => binding.str_at(&["metadata", "namespace"]).unwrap_or_default(),
        _ if name == CLUSTER_ADMIN => return true,
        _ => "",
    };
    let role = cluster.object("rbac.authorization.k8s.io", kind, namespace, name);
    let rules = role.and_then(|it| it.get("rules")).into_iter().flat_map(Node::items);
    rules.into_iter().any(|rule| covers(rule, question))
}

fn covers(rule: Node<'_>, question: Question<'_>) -> bool {
    let texts =
        |key: &str| rule.get(key).into_iter().flat_map(Node::items).filter_map(Node::as_str).collect::<Vec<_>>();
    let has = |key: &str, wanted: &str| texts(key).into_iter().any(|it| it == "*" || it == wanted);
    if !has("verbs", question.verb) {
        return false;
    }
    if !question.path.is_empty() {
        let matches =
            |it: &str| it.strip_suffix('*').map_or(it == question.path, |stem| question.path.starts_with(stem));
        return texts("nonResourceURLs").into_iter().any(matches);
    }
    let Question { resource, subresource, .. } = question;
    let full = if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
    let of_any = format!("*/{subresource}");
    let names = texts("resourceNames");
    has("apiGroups", question.group)
        && texts("resources").into_iter().any(|it| it == "*" || it == full || (!subresource.is_empty() && it == of_any))
        && (names.is_empty() || names.contains(&question.name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        cluster::Law,
        document::{Limits, parse},
        span::File,
    };

    const RIGHTS: &str = "
{ apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: { name: r, namespace: a }, rules: [{ apiGroups: [''], resources: [pods], verbs: [get] }] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: b, namespace: a }
roleRef: { kind: Role, name: r }
subjects: [{ kind: ServiceAccount, namespace: shop, name: web }]
";

    #[test]
    fn a_binding_allows_what_its_role_allows_in_its_namespace() {
        let mut cluster = Cluster::new(Law::Admission);
        let ask = |cluster: &Cluster, verb, namespace| {
            let user = "system:serviceaccount:shop:web";
            allows(cluster, Question { user, verb, resource: "pods", namespace, ..Question::default() })
        };
        assert_eq!(ask(&cluster, "get", "a"), None);
        let file = File::new("rights.yaml", RIGHTS.as_bytes().to_vec());
        for document in parse(&file, &Limits::default()).documents {
            let document = Arc::new(document);
            cluster.add(&document, document.root().id());
        }
        assert_eq!(ask(&cluster, "get", "a"), Some(true));
        assert_eq!(ask(&cluster, "delete", "a"), Some(false));
        assert_eq!(ask(&cluster, "get", "b"), Some(false));
    }
}
