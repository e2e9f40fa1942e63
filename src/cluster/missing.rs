//! What a repository does not hold, though a verdict hangs on it.

/// Something that is not here. `T` is text: owned, or borrowed while one object is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Missing<T = String> {
    /// The Namespace of this name, and so its labels: nothing can be told without it.
    Namespace(T),
    /// Objects of this kind, named as in `deployments.apps`: nothing can be told without them.
    Kind(T),
    /// An object of a kind, or with an empty name all objects of the kind: taken for absent.
    Absent {
        /// The kind as in `deployments.apps`.
        kind: T,
        /// The name, with the namespace before it.
        name: T,
    },
}

impl<T: AsRef<str>> Missing<T> {
    /// The same with other texts.
    pub(crate) fn map<'t, U>(&'t self, own: impl Fn(&'t str) -> U) -> Missing<U> {
        match self {
            Missing::Namespace(name) => Missing::Namespace(own(name.as_ref())),
            Missing::Kind(kind) => Missing::Kind(own(kind.as_ref())),
            Missing::Absent { kind, name } => Missing::Absent { kind: own(kind.as_ref()), name: own(name.as_ref()) },
        }
    }

    /// What it is, in a few words.
    pub(crate) fn title(&self) -> String {
        match self {
            Missing::Namespace(name) => format!("Namespace `{}`", name.as_ref()),
            Missing::Kind(kind) => format!("`{}`", kind.as_ref()),
            Missing::Absent { kind, name } if name.as_ref().is_empty() => format!("any `{}`", kind.as_ref()),
            Missing::Absent { kind, name } => format!("`{}` `{}`", kind.as_ref(), name.as_ref()),
        }
    }

    /// Whether it was taken for absent, so that there is a verdict.
    pub(crate) fn is_taken_for_absent(&self) -> bool {
        matches!(self, Missing::Absent { .. })
    }

    /// What to do about it.
    pub(crate) fn help(&self) -> String {
        match self {
            Missing::Namespace(_) => {
                format!(
                    "add the manifest of {} to the repository, or name a file that holds it by --cluster",
                    self.title()
                )
            }
            Missing::Kind(kind) => {
                format!("name a file that holds the `{}` of the cluster by --cluster", kind.as_ref())
            }
            Missing::Absent { .. } => {
                format!("if the cluster has {}, name a file that holds it by --cluster", self.title())
            }
        }
    }

    /// What was made of it, for people who ask why.
    pub(crate) fn note(&self) -> String {
        let title = self.title();
        match self {
            Missing::Namespace(_) | Missing::Kind(_) => format!("the repository does not hold {title}"),
            Missing::Absent { .. } => format!("the repository does not hold {title}: taken for absent"),
        }
    }
}
