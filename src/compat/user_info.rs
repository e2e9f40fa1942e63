//! `UserInfo`: who asks.
//!
//! In: a document of kind `UserInfo`. Out: the user, groups and roles that rules ask for.

use super::{Notices, fields::Fields};
use crate::{document::Node, engine::UserInfo};

/// Reads a document of kind `UserInfo`.
pub(crate) fn read(root: Node<'_>, notices: &Notices) -> UserInfo {
    let known = ["apiVersion", "kind", "metadata", "roles", "clusterRoles", "userInfo"];
    let Some(fields) = Fields::read(root, "user info", &known, notices) else { return UserInfo::default() };
    fields.expect_header("UserInfo");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::testing;

    #[test]
    fn roles_and_groups_are_read() {
        let text = "{apiVersion: a, kind: UserInfo, clusterroles: [admin], roles: ['ns:r'], userInfo: {username: me, groups: [g]}}";
        let notices = Notices::default();
        let user = read(testing::document(text).root(), &notices);
        assert_eq!((user.username.as_str(), user.groups.len()), ("me", 1));
        assert_eq!((user.roles[0].as_str(), user.cluster_roles[0].as_str()), ("ns:r", "admin"));
        assert!(notices.take().is_empty());
    }
}
