//! `admit.yaml` as meant: every default filled in.

use super::file::{self, ConfigError, Side};

/// What a repository says of how it wants to be judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Where policies are; empty: anywhere.
    pub policies: Vec<String>,
    /// Where exceptions are; empty: anywhere.
    pub exceptions: Vec<String>,
    /// Globs of the files to look at; empty: all.
    pub include: Vec<String>,
    /// Globs of the files to leave alone.
    pub exclude: Vec<String>,
    /// Which side of a change holds the law.
    pub trust: Trust,
    /// Globs of the branches that a hook on the server guards; empty: all.
    pub guard: Vec<String>,
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

impl Trust {
    /// The word in `admit.yaml`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Trust::Base => "base",
            Trust::Head => "head",
        }
    }
}

impl Settings {
    /// Reads `admit.yaml`; `path` is how messages name it.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let file::File { policies, exceptions, include, exclude, trust, guard } = file::parse(path, text)?;
        let trust = match trust {
            None | Some(Side::Base) => Trust::Base,
            Some(Side::Head) => Trust::Head,
        };
        Ok(Self { policies, exceptions, include, exclude, trust, guard })
    }
}
