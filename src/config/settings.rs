//! `admit.yaml` as meant: every default filled in.

use std::fmt;

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::{
    file::{self, ConfigError},
    governance::{Governance, Level},
};
use crate::{document::Node, engine::UserInfo};

/// What a repository says of how it wants to be judged.
#[derive(Clone, Debug)]
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
    /// The refs that a hook on the server guards.
    pub guard: Guard,
    /// How much it weighs that objects fail which a change does not touch, through what judges them.
    pub reach: Level,
    /// Who applies the manifests, if that is said.
    pub user: Option<UserInfo>,
    /// What is rendered before it is judged.
    pub render: Rendering,
    /// Rules that govern exceptions and policies.
    pub governance: Governance,
}

/// What is rendered before it is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rendering {
    /// Whether overlays and charts are rendered.
    pub when: When,
    /// Globs of kustomizations and charts, or of directories with them, that are not rendered.
    pub exclude: Vec<String>,
    /// Globs of directories that are rendered though others include them.
    pub roots: Vec<String>,
}

/// Whether overlays and charts are rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// Where the programs for it are there; what is not rendered for want of one is told.
    #[default]
    Auto,
    /// What is written is judged as it is written.
    Never,
    /// Without the programs for it the run can't be done.
    Always,
}

impl When {
    /// Every way, as it is written.
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("never", Self::Never), ("always", Self::Always)];
}

/// Which side of a change holds the policies, the exceptions and the configuration that judge it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The side before the change: whoever changes manifests can't change what judges them in the same step.
    #[default]
    Base,
    /// Both sides, one after the other: what one of them refuses is refused.
    Both,
    /// The side after the change.
    Head,
    /// Neither: only what whoever runs this names counts, beside the configuration of the side before.
    Operator,
}

impl Trust {
    /// Every way, as it is written.
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("base", Self::Base), ("both", Self::Both), ("proposed", Self::Head), ("operator", Self::Operator)];

    /// Whether a change from `self` to `other` lets changes be judged by more of what they bring themselves, or by
    /// less of what the repository holds.
    pub(crate) fn is_loosened_by(self, other: Self) -> bool {
        match (self, other) {
            (Self::Head, _) | (Self::Base, Self::Both) => false,
            _ => self != other,
        }
    }
}

impl fmt::Display for Trust {
    /// As `admit.yaml` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|it| it.1 == *self).map_or("", |it| it.0))
    }
}

/// The refs that a hook guards; by default every branch and nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard(Option<GlobSet>);

impl Guard {
    /// From globs of full names, or without `refs/` of branches; none: every branch.
    ///
    /// # Errors
    /// The one that is no glob.
    pub(crate) fn parse(globs: &[String]) -> Result<Self, String> {
        globs.iter().map(|it| file::refs(it)).collect::<Result<Vec<_>, _>>().map(Self::new)
    }

    /// Every ref.
    pub(crate) fn everything() -> Self {
        Self::parse(&["refs/**".to_owned()]).unwrap_or_default()
    }

    fn new(globs: Vec<Glob>) -> Self {
        if globs.is_empty() {
            return Self::default();
        }
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            set.add(glob);
        }
        // Each glob is fine by itself; together they can only be too many, and then every branch is guarded.
        Self(set.build().ok())
    }

    /// Whether the ref of this full name is guarded.
    pub(crate) fn takes(&self, name: &str) -> bool {
        match &self.0 {
            None => name.starts_with("refs/heads/"),
            Some(set) => set.is_match(name),
        }
    }

    /// Whether every branch is guarded because nothing else is said.
    pub(crate) fn is_default(&self) -> bool {
        self.0.is_none()
    }
}

impl Default for Settings {
    /// Those of a repository that says nothing.
    fn default() -> Self {
        Self {
            policies: Vec::new(),
            exceptions: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
            trust: Trust::default(),
            guard: Guard::default(),
            reach: Level::Warning,
            user: None,
            render: Rendering::default(),
            governance: Governance::default(),
        }
    }
}

impl Settings {
    /// Reads `admit.yaml`; `path` is how messages name it.
    pub(crate) fn parse(path: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        let (file, document) = file::parse(path, bytes)?;
        let Some(document) = document else { return Ok(Self::default()) };
        let root = document.root();
        let texts = |key: &str| texts(root.get(key).filter(|it| it.is_list()));
        // Words that are none, and globs that are none, were refused with their places.
        let trust = match root.str_at(&["trust"]) {
            Some("head") => Trust::Head,
            Some(word) => Trust::ALL.iter().find(|it| it.0 == word).map(|it| it.1).unwrap_or_default(),
            None => Trust::default(),
        };
        Ok(Self {
            policies: texts("policies"),
            exceptions: texts("exceptions"),
            include: texts("include"),
            exclude: texts("exclude"),
            trust,
            guard: Guard::parse(&texts("guard")).unwrap_or_default(),
            reach: root.str_at(&["reach"]).and_then(Level::parse).unwrap_or(Level::Warning),
            user: root.get("userinfo").filter(|it| it.is_map()).map(user),
            render: root.get("render").filter(|it| it.is_map()).map(rendering).unwrap_or_default(),
            governance: Governance::read(file, root)?,
        })
    }
}

/// The strings of a list; none where there is none.
pub(super) fn texts(list: Option<Node<'_>>) -> Vec<String> {
    list.into_iter().flat_map(Node::items).filter_map(Node::as_str).map(str::to_owned).collect()
}

fn rendering(node: Node<'_>) -> Rendering {
    let mode = node.str_at(&["mode"]);
    Rendering {
        when: When::ALL.iter().find(|it| Some(it.0) == mode).map(|it| it.1).unwrap_or_default(),
        exclude: texts(node.get("exclude")),
        roots: texts(node.get("roots")),
    }
}

fn user(node: Node<'_>) -> UserInfo {
    let texts = |key: &str| texts(node.get(key));
    UserInfo {
        username: node.str_at(&["username"]).unwrap_or_default().to_owned(),
        uid: String::new(),
        groups: texts("groups"),
        roles: texts("roles"),
        cluster_roles: texts("clusterRoles"),
    }
}
