//! `admit.yaml` as meant: every default filled in.

use globset::{GlobSet, GlobSetBuilder};

use super::{
    file::{self, Below, ConfigError, Side},
    governance::Governance,
};
use crate::engine::UserInfo;

/// What a repository says of how it wants to be judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Where policies are; empty: anywhere.
    pub policies: Vec<String>,
    /// Where exceptions are; empty: anywhere.
    pub exceptions: Vec<String>,
    /// Globs of the files whose objects are judged; empty: all. What judges is looked for everywhere.
    pub include: Vec<String>,
    /// Globs of the files to leave alone.
    pub exclude: Vec<String>,
    /// Which side of a change holds the law.
    pub trust: Trust,
    /// The branches that a hook on the server guards; `None`: all.
    pub guard: Option<GlobSet>,
    /// Who applies the manifests, if that is said.
    pub user: Option<UserInfo>,
    /// Rules that govern exceptions and policies.
    pub governance: Governance,
}

/// Which side of a change holds the policies, the exceptions and the configuration that judge it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The side before the change: whoever changes manifests can't change what judges them in the same step.
    #[default]
    Base,
    /// The side after the change.
    Head,
}

impl Trust {}

impl Settings {
    /// Reads `admit.yaml`; `path` is how messages name it.
    pub(crate) fn parse(path: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        let file::File { policies, exceptions, include, exclude, trust, guard, userinfo, .. } =
            file::parse(path, bytes)?;
        let trust = match trust {
            None | Some(Side::Base) => Trust::Base,
            Some(Side::Head) => Trust::Head,
        };
        let texts = |list: Vec<Below>| list.into_iter().map(|it| it.0).collect();
        let guard = if guard.is_empty() {
            None
        } else {
            let mut set = GlobSetBuilder::new();
            for branches in guard {
                set.add(branches.0);
            }
            // Each glob is fine by itself; together they can only be too many, and then every branch is guarded.
            set.build().ok()
        };
        Ok(Self {
            policies: texts(policies),
            exceptions: texts(exceptions),
            include: texts(include),
            exclude: texts(exclude),
            trust,
            guard,
            user: userinfo.map(|user| UserInfo {
                username: user.username,
                uid: String::new(),
                groups: user.groups,
                roles: user.roles,
                cluster_roles: user.cluster_roles,
            }),
            governance: Governance::read(path, bytes)?,
        })
    }

    /// Whether a hook on the server guards the branch.
    pub(crate) fn guards(&self, branch: &str) -> bool {
        self.guard.as_ref().is_none_or(|set| set.is_match(branch))
    }
}
