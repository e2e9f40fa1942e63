//! What a `CustomResourceDefinition` says of the shape of its objects, as far as that decides how they are joined.
//!
//! In: the `openAPIV3Schema` of a version. Out: a [`Shape`]. What such a schema forbids beyond that is not read.

use std::collections::BTreeMap;

use crate::{
    document::Node,
    k8s::structure::{Join, Key, Scalar, Shape},
};

/// Levels of a schema that are read; what is below is taken for open.
const MAX_DEPTH: u32 = 32;

/// The versions that a definition has, and the shape of their objects.
pub(super) fn versions(definition: Node<'_>) -> Vec<(String, Shape)> {
    let versions = definition.at(&["spec", "versions"]).into_iter().flat_map(Node::items);
    let of_version = |version: Node<'_>| {
        let name = version.str_at(&["name"])?.to_owned();
        let schema = version.at(&["schema", "openAPIV3Schema"]);
        Some((name, schema.map_or(Shape::Open, top)))
    };
    versions.filter_map(of_version).collect()
}

/// An object as a whole: whatever a schema says, it has a type and metadata.
fn top(schema: Node<'_>) -> Shape {
    match shape(schema, 0) {
        Shape::Struct { mut fields, open, atomic } => {
            for key in ["apiVersion", "kind"] {
                fields.insert(key.to_owned(), Shape::Scalar(Scalar::Text));
            }
            fields.insert("metadata".to_owned(), Shape::Metadata);
            Shape::Struct { fields, open, atomic }
        }
        other => other,
    }
}

fn shape(schema: Node<'_>, depth: u32) -> Shape {
    let flag = |key: &str| schema.get(key).and_then(Node::as_bool) == Some(true);
    let is_open = flag("x-kubernetes-preserve-unknown-fields");
    if depth > MAX_DEPTH || flag("x-kubernetes-embedded-resource") {
        return Shape::Open;
    }
    if flag("x-kubernetes-int-or-string") {
        return Shape::Scalar(Scalar::Any);
    }
    match schema.str_at(&["type"]) {
        Some("object") => {
            let atomic = schema.str_at(&["x-kubernetes-map-type"]) == Some("atomic");
            let properties = schema.get("properties").filter(|it| it.len() > 0);
            match (properties, schema.get("additionalProperties")) {
                (Some(properties), _) => {
                    let fields = properties.entries().map(|(key, value)| (key.to_owned(), shape(value, depth + 1)));
                    Shape::Struct { fields: fields.collect(), open: is_open, atomic }
                }
                (None, Some(value)) => Shape::Map { value: Box::new(shape(value, depth + 1)), atomic },
                (None, None) if is_open => Shape::Open,
                (None, None) => Shape::Struct { fields: BTreeMap::new(), open: false, atomic },
            }
        }
        Some("array") => {
            let items = schema.get("items");
            let join = match schema.str_at(&["x-kubernetes-list-type"]) {
                Some("set") => Join::Set,
                Some("map") => Join::Keys(keys(schema)),
                _ => Join::Atomic,
            };
            Shape::List { join, item: Box::new(items.map_or(Shape::Open, |it| shape(it, depth + 1))) }
        }
        Some("string") => Shape::Scalar(Scalar::Text),
        Some("integer" | "number") => Shape::Scalar(Scalar::Number),
        Some("boolean") => Shape::Scalar(Scalar::Bool),
        _ => Shape::Open,
    }
}

fn keys(schema: Node<'_>) -> Vec<Key> {
    let names = schema.get("x-kubernetes-list-map-keys").into_iter().flat_map(Node::items).filter_map(Node::as_str);
    let default = |name: &str| schema.str_at(&["items", "properties", name, "default"]).map(str::to_owned);
    names.map(|name| Key { name: name.to_owned(), default: default(name) }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        document::{Limits, parse},
        k8s::structure::{Place, View},
        span::File,
    };

    const WIDGETS: &str = "
spec:
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                size: { type: integer }
                free: { type: object, x-kubernetes-preserve-unknown-fields: true }
                tags: { type: object, additionalProperties: { type: string } }
                parts:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [id, side]
                  items: { type: object, properties: { id: { type: string }, side: { type: string, default: left } } }
                list: { type: array, items: { type: string } }
    - name: v2
";

    #[test]
    fn a_definition_tells_how_parts_are_joined() {
        let file = File::new("crd.yaml", WIDGETS.as_bytes().to_vec());
        let document = Arc::new(parse(&file, &Limits::default()).documents.remove(0));
        let versions = versions(document.root());
        assert_eq!(versions[1], ("v2".to_owned(), Shape::Open));
        let spec = Place::Custom(&versions[0].1).below("spec").unwrap();
        let view = |key| spec.below(key).map(Place::view);
        assert!(matches!(view("size"), Some(View::Scalar(Scalar::Number))));
        assert!(matches!(view("free"), Some(View::Open)));
        assert!(matches!(view("tags"), Some(View::Map(false))));
        assert!(matches!(view("list"), Some(View::List(Join::Atomic, _))));
        assert!(view("other").is_none());
        let Some(View::List(Join::Keys(keys), _)) = view("parts") else { panic!("a list with keys") };
        let keys: Vec<_> = keys.iter().map(|it| (it.name.as_str(), it.default.as_deref())).collect();
        assert_eq!(keys, [("id", None), ("side", Some("left"))]);
    }
}
