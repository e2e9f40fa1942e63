//! `UserInfo`: who asks.
//!
//! In: a document of kind `UserInfo`. Out: the user, groups and roles that rules ask for.

use super::{Notices, Weight, fields::Fields};
use crate::{document::Node, engine::UserInfo};

/// Reads a document of kind `UserInfo`.
pub(crate) fn read(root: Node<'_>, notices: &Notices) -> UserInfo {
    if root.get("apiVersion").is_none() || root.get("kind").is_none() {
        let text = "user info without `apiVersion: cli.kyverno.io/v1alpha1` and `kind: UserInfo`";
        notices.at(Weight::Warning, root.file(), root.span(), text);
    }
    let known = ["apiVersion", "kind", "metadata", "roles", "clusterRoles", "userInfo"];
    let Some(fields) = Fields::read(root, "user info", &known, notices) else { return UserInfo::default() };
    let mut user = UserInfo {
        roles: fields.strings("roles"),
        cluster_roles: fields.strings("clusterRoles"),
        ..UserInfo::default()
    };
    let known = ["username", "uid", "groups", "extra"];
    if let Some(info) = fields.get("userInfo").and_then(|node| Fields::read(node, "userInfo", &known, notices)) {
        info.string("username").clone_into(&mut user.username);
        info.string("uid").clone_into(&mut user.uid);
        user.groups = info.strings("groups");
    }
    user
}
