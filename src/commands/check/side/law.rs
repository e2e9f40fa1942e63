//! Where the law of a side lies: what flags name, else the places of the settings, else anywhere.

use std::{
    collections::{HashMap, HashSet},
    path::{Component, Path},
    sync::Arc,
};

use super::{Side, TreeAt};
use crate::{
    commands::{
        RunError,
        check::{LawArgs, disk},
        workspace::from_source,
    },
    config::Trust,
    finding::{Finding, Severity},
    runner::{self, Input, Roles},
    source::{Filter, Listing, Options, git_tree, is_hidden},
};

impl Side<'_> {
    /// What holds the law.
    pub(in crate::commands::check) fn law_inputs(&self, law: &LawArgs) -> Result<LawInputs, RunError> {
        let mut out = LawInputs::default();
        let policies = Roles { policies: true, ..Roles::default() };
        let exceptions = Roles { exceptions: true, ..Roles::default() };
        for name in &law.policies {
            let named = self.named(name)?;
            if named.is_empty() {
                return Err(self.nothing_at(name));
            }
            out.add(named, policies);
        }
        for name in &law.exceptions {
            let named = self.named(name)?;
            // Git holds no empty directories: where the last exception went, none is left to look at.
            if named.is_empty() {
                out.notes.push(format!("no exceptions: nothing is at `{name}` in {}", self.held_by));
            }
            out.add(named, exceptions);
        }
        if self.trust == Trust::Operator {
            return Ok(out);
        }
        let settings = &self.settings;
        let places =
            [(&law.policies, &settings.policies, policies), (&law.exceptions, &settings.exceptions, exceptions)];
        for (_, set, roles) in places.into_iter().filter(|(given, ..)| given.is_empty()) {
            for pattern in set {
                let listing = self.below(pattern, &settings.exclude)?;
                out.add(Named { listing, top: disk::fixed_part(pattern).to_owned(), on_disk: false }, roles);
            }
        }
        let roles = Roles {
            policies: law.policies.is_empty() && settings.policies.is_empty(),
            exceptions: law.exceptions.is_empty() && settings.exceptions.is_empty(),
            screened: true,
            ..Roles::default()
        };
        if roles.policies || roles.exceptions {
            // They may be anywhere. Reading is cheap, so every file is looked into, and parsed only if it may matter.
            out.add(Named { listing: self.list_screened(&runner::SCREEN)?, top: String::new(), on_disk: false }, roles);
        }
        Ok(out)
    }

    /// What a flag names. A path is one in the commit, relative to where the user stands in the working tree; one that
    /// is absolute or leaves the repository is read from the file system: it belongs to whoever runs this.
    pub(super) fn named(&self, name: &str) -> Result<Named, RunError> {
        let Some(below) = self.below_root(name) else {
            let listing = disk::named(self.repository.git_dir(), name, &Options::default())?;
            return Ok(Named { listing, top: String::new(), on_disk: true });
        };
        let listing = self.below(&below, &[])?;
        Ok(Named { listing, top: disk::fixed_part(&below).to_owned(), on_disk: false })
    }

    /// The files of the trusted tree that a path or glob below its root names.
    fn below(&self, pattern: &str, exclude: &[String]) -> Result<Listing, RunError> {
        let include: &[&str] = if disk::is_glob(pattern) { &[pattern] } else { &[] };
        let exclude: Vec<&str> = exclude.iter().map(String::as_str).collect();
        let filter = Filter::new(include, &exclude).map_err(|error| from_source(&error))?;
        let options = Options { filter, ..self.options(&[])? };
        match &self.tree {
            TreeAt::Stored { law, .. } => {
                let top = disk::fixed_part(pattern);
                git_tree::list_below(&self.repository, *law, top, &options).map_err(|error| from_source(&error))
            }
            TreeAt::Index(snapshot) => {
                let filter = Filter::new(&[pattern], &exclude).map_err(|error| from_source(&error))?;
                snapshot.list(&Options { filter, ..options }).map_err(|error| from_source(&error))
            }
        }
    }

    /// A path relative to the current directory, as one below the root of the repository; `None` for one outside.
    pub(in crate::commands::check) fn below_root(&self, name: &str) -> Option<String> {
        let current_dir = self.environment.current_dir();
        let work_dir = self.repository.work_dir();
        let start = work_dir.and_then(|top| current_dir.strip_prefix(top.canonicalize().ok()?).ok());
        let mut parts: Vec<&str> = Vec::new();
        for component in start.unwrap_or(Path::new("")).components().chain(Path::new(name).components()) {
            match component {
                Component::Normal(part) => parts.push(part.to_str()?),
                Component::CurDir => {}
                Component::ParentDir => {
                    parts.pop()?;
                }
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(parts.join("/"))
    }

    pub(super) fn nothing_at(&self, name: &str) -> RunError {
        RunError::new(format!("nothing is at `{name}` in {}", self.held_by))
            .hint("a path outside of the repository is given in full: /etc/admit/policies")
    }
}

/// What a path or glob names.
pub(super) struct Named {
    pub(super) listing: Listing,
    /// What of it was named as it is: hidden files below it are no law.
    top: String,
    /// Whether it was read from the file system.
    on_disk: bool,
}

impl Named {
    pub(super) fn is_empty(&self) -> bool {
        self.listing.entries.is_empty()
    }
}

/// What holds the law, and what could not be looked into.
#[derive(Default)]
pub(in crate::commands::check) struct LawInputs {
    pub(in crate::commands::check) inputs: Vec<Input>,
    /// Where each file is among them, by path and whether it is on disk.
    known: HashMap<(Arc<str>, bool), usize>,
    /// Files that belong to whoever runs this, not to the repository.
    pub(super) on_disk: HashSet<Arc<str>>,
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<String>,
}

impl LawInputs {
    fn add(&mut self, named: Named, roles: Roles) {
        let Named { listing, top, on_disk } = named;
        for entry in listing.entries {
            let below = entry.path.strip_prefix(&*top).unwrap_or(&entry.path);
            if !on_disk && is_hidden(below) {
                continue;
            }
            if on_disk {
                self.on_disk.insert(Arc::clone(&entry.path));
            }
            let key = (Arc::clone(&entry.path), on_disk);
            if let Some(&at) = self.known.get(&key) {
                self.inputs[at].roles.join(roles);
            } else {
                self.known.insert(key, self.inputs.len());
                self.inputs.push(Input { entry, roles });
            }
        }
        // Links and submodules of the whole tree are no news in a change; what can't be read is, and so is a policy
        // that lies elsewhere.
        let is_law = roles.policies && !roles.screened;
        let findings = if is_law { runner::skipped_law(&listing.skipped) } else { runner::skipped(&listing.skipped) };
        let weighs = if is_law { Severity::Warning } else { Severity::Error };
        self.findings.extend(findings.into_iter().filter(|it| it.severity <= weighs));
    }
}
