//! What judges: compiled policies and exceptions, and what stands for the cluster.
//!
//! In: the files that hold them. Out: the compiled set, and a finding for each policy or exception that takes no part.

use std::sync::Arc;

use super::{
    load::{TreeDocument, TreeFile},
    panic::quietly,
};
use crate::{
    cluster::{Cluster, Law as Measure},
    document::{
        Document, Node,
        classify::{Class, is_law},
        resource,
    },
    finding::{Finding, Place, Severity, outcome},
    policy::{PolicyError, set::PolicySet},
    source::is_hidden,
};

/// The law of a run.
#[derive(Debug, Default)]
pub(crate) struct Law {
    /// Compiled policies and exceptions.
    pub policies: PolicySet,
    /// What stands for the cluster.
    pub cluster: Cluster,
    /// Policies and exceptions that take no part, and why.
    pub findings: Vec<Finding>,
    /// How many policies were found, compiled or not.
    pub n_policies: usize,
}

impl Law {
    /// Compiles the policies and exceptions of the files whose roles say so.
    pub(crate) fn compile<'f>(files: impl Iterator<Item = &'f TreeFile> + Clone) -> Self {
        let mut law = Self { cluster: Cluster::new(Measure::Admission), ..Self::default() };
        define(&mut law.policies, files.clone());
        for file in files {
            for TreeDocument { class, document, .. } in &file.documents {
                let counts = match class {
                    Class::Policy => file.roles.policies,
                    Class::Exception => file.roles.exceptions,
                    Class::Manifest
                    | Class::Kustomize
                    | Class::HelmTemplate
                    | Class::TestSuite
                    | Class::Values
                    | Class::Other => false,
                };
                if *class == Class::Manifest && (file.roles.policies || file.roles.exceptions) {
                    law.findings.extend(hidden_in_list(document));
                }
                if counts {
                    law.n_policies += usize::from(*class == Class::Policy);
                    let problems = add(&mut law.policies, document, |_| true);
                    law.findings.extend(problems);
                }
            }
        }
        law
    }

    /// Takes the objects of files as those of the cluster.
    pub(crate) fn stand_in<'f>(&mut self, files: impl Iterator<Item = &'f TreeFile>) {
        hold(&mut self.cluster, files);
    }
}

/// A finding for each policy or exception among the items of a list: there it takes no part.
fn hidden_in_list(document: &Document) -> Vec<Finding> {
    let items = resource::objects(document.root()).into_iter().filter(|object| is_law(*object));
    let finding = |object: Node<'_>| {
        let place = Place::new(object.file(), object.get("kind").unwrap_or(object).span());
        Finding::new("policy/in-list", Severity::Error, place, "a policy or exception inside a list takes no part")
            .help("give it a document of its own")
    };
    items.map(finding).collect()
}

/// Adds the objects of files to those of a cluster.
pub(crate) fn hold<'f>(cluster: &mut Cluster, files: impl Iterator<Item = &'f TreeFile>) {
    for document in files.flat_map(|file| &file.documents).filter_map(|it| it.subject.as_ref()) {
        for object in resource::objects(document.root()) {
            cluster.add(document, object.id());
        }
    }
}

/// The findings of policies and exceptions that are judged but are not the law.
pub(crate) fn problems<'f>(files: impl Iterator<Item = &'f TreeFile> + Clone) -> Vec<Finding> {
    let mut scratch = PolicySet::default();
    define(&mut scratch, files.clone());
    let mut out = Vec::new();
    for file in files {
        // What lies in hidden directories are drafts and tests: it is no law, so that it can't be wrong as one.
        if is_hidden(file.file.path()) {
            continue;
        }
        for TreeDocument { class, document, .. } in &file.documents {
            let is_law = match class {
                Class::Policy => file.roles.policies,
                Class::Exception => file.roles.exceptions,
                _ => continue,
            };
            if !is_law && file.roles.judged {
                // A cluster takes what only this program doesn't evaluate.
                out.extend(add(&mut scratch, document, |error| !error.problem.is_indeterminate()));
            }
        }
    }
    out
}

/// Tells a set of the kinds that files define.
fn define<'f>(set: &mut PolicySet, files: impl Iterator<Item = &'f TreeFile>) {
    for TreeDocument { document, .. } in files.flat_map(|file| &file.documents).filter(|it| it.class == Class::Manifest)
    {
        for object in resource::objects(document.root()) {
            set.define(object);
        }
    }
}

/// Adds what a document holds to a set, and gives a finding for each problem that is wanted.
fn add(set: &mut PolicySet, document: &Arc<Document>, wanted: fn(&PolicyError) -> bool) -> Vec<Finding> {
    let mut out = Vec::new();
    for object in resource::objects(document.root()) {
        match quietly(|| set.add(document, object.id())) {
            Ok(Ok(())) => {}
            Ok(Err(errors)) => out.extend(errors.iter().filter(|it| wanted(it)).map(outcome::from_policy_error)),
            Err(message) => {
                let message = format!("reading this policy failed inside admit: {message}");
                let place = Place::new(document.file(), object.heading());
                let finding = Finding::new("internal/panic", Severity::Error, place, message);
                out.push(finding.help("this is a bug in admit: please report it with the policy"));
            }
        }
    }
    out
}
