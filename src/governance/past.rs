//! How an exception was, by the history of its file.
//!
//! In: the versions of a file. Out: for an exception the versions of itself, each with its end. A version that can't be
//! read, or that doesn't hold the exception, says nothing.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Context, Item,
    expiry::{self, Expiry},
};
use crate::{
    document::{self, Document, Limits, Node, NodeId, resource::objects},
    policy::set::PolicySet,
    source::history::Version,
    span::File,
};

/// An exception as a commit left it.
#[derive(Debug)]
pub(super) struct Past {
    /// When the commit was made, by its own word.
    pub at: Timestamp,
    document: Option<(Arc<Document>, NodeId)>,
}

impl Past {
    /// Whether the exception was there.
    pub(super) fn is_there(&self) -> bool {
        self.document.is_some()
    }

    /// Its end, by the keys of EXC027.
    pub(super) fn end(&self, keys: &[String]) -> Option<Expiry> {
        let (document, id) = self.document.as_ref()?;
        let item = Item::new(document, *id, &PolicySet::default());
        expiry::find(&item, keys).map(|(end, _)| end)
    }
}

/// How an exception was, the newest first; empty where its history is not known.
pub(super) fn versions(context: &Context<'_>, item: &Item<'_>) -> Vec<Past> {
    let Some(Ok(history)) = context.history else { return Vec::new() };
    let versions = history.get(&**item.node.file().path()).map(Vec::as_slice).unwrap_or_default();
    versions.iter().map(|version| past(version, item)).collect()
}

/// When an exception came to have the end that it has: the first of the newest commits that all left it so. `None` where
/// its history is not known.
pub(super) fn since(context: &Context<'_>, item: &Item<'_>, keys: &[String], counts_from: From) -> Option<Timestamp> {
    let now = expiry::find(item, keys).map(|(end, _)| end);
    let same = |it: &&Past| match counts_from {
        From::Added => it.is_there(),
        From::Changed => it.is_there() && it.end(keys) == now,
    };
    versions(context, item).iter().take_while(same).last().map(|it| it.at)
}

/// From which commit a duration counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum From {
    /// The one that added the exception: a cluster counts from the creation of the object.
    #[default]
    Added,
    /// The one that gave it the end that it has.
    Changed,
}

fn past(version: &Version, item: &Item<'_>) -> Past {
    let at = Timestamp::from_second(version.seconds).unwrap_or_default();
    let found = version.bytes.as_ref().and_then(|bytes| {
        let file = File::new(Arc::clone(item.node.file().path()), bytes.to_vec());
        let parsed = document::parse(&file, &Limits::default());
        parsed.documents.into_iter().find_map(|document| {
            let same = |node: &Node<'_>| {
                let text = |path: &[&str]| node.str_at(path).unwrap_or_default();
                let group = |node: Node<'_>| {
                    node.str_at(&["apiVersion"]).unwrap_or_default().split('/').next().map(str::to_owned)
                };
                text(&["kind"]) == "PolicyException"
                    && text(&["metadata", "name"]) == item.node.str_at(&["metadata", "name"]).unwrap_or_default()
                    && text(&["metadata", "namespace"]) == item.namespace
                    && group(*node) == group(item.node)
            };
            let id = objects(document.root()).into_iter().find(same)?.id();
            Some((Arc::new(document), id))
        })
    });
    Past { at, document: found }
}
