//! `Context`: what expressions in CEL look up.
//!
//! In: a file of kind `Context`. Out: its objects. Data of images is read by nothing yet, and that is said.

use super::{
    Notices, Weight,
    fields::Fields,
    load::{Loader, Object},
};
use crate::document::Node;

/// The objects of a file.
pub(crate) fn read(path: &str, loader: &mut Loader<'_>, notices: &Notices) -> Vec<Object> {
    let mut out = Vec::new();
    for document in loader.unprepared(path) {
        let Some(fields) =
            Fields::read(document.root(), "a context", &["apiVersion", "kind", "metadata", "spec"], notices)
        else {
            continue;
        };
        fields.expect_header("Context");
        let spec = fields.get("spec").and_then(|spec| Fields::read(spec, "spec", &["resources", "images"], notices));
        if let Some(images) = spec.and_then(|spec| spec.get("images")) {
            let text = "data of images is not looked up by this version of admit";
            notices.at(Weight::Warning, images.file(), images.key_span(), text);
        }
        let document = loader.prepare(document);
        let items = document.root().at(&["spec", "resources"]).into_iter().flat_map(Node::items);
        out.extend(items.map(|node| Object::new(&document, node.id())));
    }
    out
}
