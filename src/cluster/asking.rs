//! Who looks something up.
//!
//! In: the object of a request. Out: whether something that the repository holds is that object, which a cluster does not
//! hold yet when it is asked to make it.

use crate::{
    document::Node,
    k8s::gvk::{Plurals, split_api_version},
};

/// What look-ups depend on besides the cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    /// How kinds are called in paths.
    pub plurals: &'a Plurals,
    /// The object that is about to be made; `None` where nothing is.
    pub newcomer: Option<Node<'a>>,
}

impl Asking<'_> {
    /// Whether an object is the one that is about to be made.
    pub(crate) fn is_newcomer(self, node: Node<'_>) -> bool {
        let Some(new) = self.newcomer else { return false };
        let group = |node: Node<'_>| split_api_version(node.str_at(&["apiVersion"]).unwrap_or_default()).0.to_owned();
        let paths: [&[&str]; 3] = [&["kind"], &["metadata", "namespace"], &["metadata", "name"]];
        new.str_at(paths[2]).is_some()
            && paths.into_iter().all(|path| node.str_at(path) == new.str_at(path))
            && group(node) == group(new)
    }
}
