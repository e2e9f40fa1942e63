//! `Context`: what expressions in CEL look up.
//!
//! In: a file of kind `Context`. Out: its objects, and what it says of images.

use serde_json::Value as Json;

use super::{
    Notices,
    fields::Fields,
    load::{Loader, Object},
};
use crate::{cluster::Cluster, document::Node, expr::Value};

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Objects.
    pub objects: Vec<Object>,
    /// What a registry says of images, by their names as written.
    images: Vec<(String, Json)>,
}

impl Context {
    /// Has the look-ups in a cluster find it.
    pub(crate) fn fill(self, cluster: &mut Cluster) {
        self.objects.iter().for_each(|object| cluster.add_context(&object.document, object.id));
        for (image, data) in self.images {
            cluster.set_image(&image, data);
        }
    }
}

/// Reads a file.
pub(crate) fn read(path: &str, loader: &mut Loader<'_>, notices: &Notices) -> Context {
    let mut out = Context::default();
    for document in loader.unprepared(path) {
        let known = ["apiVersion", "kind", "metadata", "spec"];
        let Some(fields) = Fields::read(document.root(), "a context", &known, notices) else { continue };
        fields.expect_header("Context");
        if let Some(spec) = fields.get("spec") {
            Fields::read(spec, "spec", &["resources", "images"], notices);
        }
        let document = loader.prepare(document);
        let items = |key| document.root().at(&["spec", key]).into_iter().flat_map(Node::items);
        let named = |image: Node<'_>| Some((image.str_at(&["image"])?.to_owned(), Value::from(image).to_serde()));
        out.images.extend(items("images").filter_map(named));
        out.objects.extend(items("resources").map(|node| Object::new(&document, node.id())));
    }
    out
}
