//! What renderers wrote, as files of a tree.
//!
//! In: a rendered text, and the kinds that are known. Out: a file whose objects are judged like any other's, and what in
//! the text can't be read. No file of a repository says what becomes of it: that is done.

use std::sync::Arc;

use super::load::{Roles, Scopes, TreeDocument, TreeFile};
use crate::{
    document::{
        Limits,
        classify::{Class, classify},
        layout::Layout,
        parse, resource,
    },
    finding::{Finding, outcome},
    k8s::{gvk::builtin, scope},
    span::File,
};

/// Notes the kinds outside of namespaces that a rendered text defines.
pub(crate) fn note_scopes(file: &Arc<File>, scopes: &mut Scopes) {
    if !file.text().contains("CustomResourceDefinition") {
        return;
    }
    for document in parse(file, &Limits::default()).documents {
        for object in resource::objects(document.root()) {
            if let Some((group, kind)) = resource::defines_cluster_scoped(object) {
                scopes.insert((group.to_owned(), kind.to_owned()));
            }
        }
    }
}

/// The file of a rendered text. Objects without a namespace go into `namespace`.
pub(crate) fn rendered(file: &Arc<File>, namespace: &str, scopes: &Scopes) -> (TreeFile, Vec<Finding>) {
    let is_cluster_scoped = |group: &str, kind: &str| {
        scope::is_cluster_scoped(group, kind)
            || (builtin(group, kind).is_none() && scopes.contains(&(group.to_owned(), kind.to_owned())))
    };
    let parsed = parse(file, &Limits::default());
    let findings = parsed.errors.iter().map(|error| outcome::from_document_error(error, file)).collect();
    let layout = Layout::default();
    let documents = parsed.documents.into_iter().map(|document| {
        let class = classify("", document.root(), &layout);
        match class {
            Class::Manifest | Class::Policy | Class::Exception => {
                let subject = Arc::new(resource::prepare_in(document.duplicate(), namespace, &is_cluster_scoped));
                let document = if class == Class::Manifest { Arc::clone(&subject) } else { Arc::new(document) };
                TreeDocument { class, subject: Some(subject), document }
            }
            Class::Kustomize | Class::HelmTemplate | Class::TestSuite | Class::Values | Class::Other => {
                TreeDocument { class, document: Arc::new(document), subject: None }
            }
        }
    });
    let roles = Roles { judged: true, cluster: true, ..Roles::default() };
    (TreeFile { roles, file: Arc::clone(file), documents: documents.collect() }, findings)
}
