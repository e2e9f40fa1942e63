//! What a run looked at, in numbers.
//!
//! In: the files that were read. Out: files and the objects in them by class. What stands in a list counts one by one, a
//! file that is read for two reasons, or on both sides of a change, counts once, and so does one that is broken.

use std::collections::HashSet;

use super::load::{Tree, TreeDocument, TreeFile};
use crate::{
    document::{
        classify::{Class, is_kustomization},
        resource::objects,
    },
    k8s::gvk::split_api_version,
    report::Documents,
};

/// Counts files, and documents in them. What `law` holds beside `judged` counts where it is law.
pub(crate) fn looked_at(judged: &Tree, law: &Tree) -> (usize, Documents) {
    let mut documents = Documents { helm: judged.n_templates + law.n_templates, ..Documents::default() };
    let mut files = documents.helm;
    let known: HashSet<&str> = judged.files.iter().map(|it| &**it.file.path()).collect();
    let others = law.files.iter().filter(|it| !known.contains(&**it.file.path()));
    for file in judged.files.iter().chain(others) {
        let before = documents;
        for document in file.documents.iter().filter(|it| is_read_for(file, it.class)) {
            *slot(&mut documents, file, document) += match document.class {
                Class::Manifest | Class::Policy | Class::Exception => objects(document.document.root()).len().max(1),
                Class::Kustomize | Class::HelmTemplate | Class::TestSuite | Class::Values | Class::Other => 1,
            };
        }
        files += usize::from(file.roles.judged || documents != before);
    }
    (files, documents)
}

/// Whether a document is what its file was read for.
fn is_read_for(file: &TreeFile, class: Class) -> bool {
    let roles = file.roles;
    match class {
        Class::Policy => roles.policies || roles.judged,
        Class::Exception => roles.exceptions || roles.judged,
        _ => roles.judged,
    }
}

fn slot<'c>(counts: &'c mut Documents, file: &TreeFile, document: &TreeDocument) -> &'c mut usize {
    match document.class {
        Class::Policy => &mut counts.policies,
        Class::Exception => &mut counts.exceptions,
        Class::Manifest => &mut counts.manifests,
        Class::Kustomize => {
            let api_version = document.document.root().str_at(&["apiVersion"]).unwrap_or_default();
            let is_own = split_api_version(api_version).0 == "kustomize.config.k8s.io";
            if is_own || is_kustomization(file.file.path()) { &mut counts.kustomize } else { &mut counts.patches }
        }
        Class::HelmTemplate => &mut counts.helm,
        Class::TestSuite => &mut counts.suites,
        Class::Values => &mut counts.values,
        Class::Other => &mut counts.other,
    }
}
