//! What a suite says of the cluster: `ClusterResource` files, answers to API calls, entries of the global context.
//!
//! In: a suite. Out: a [`Cluster`] for look-ups. It holds targets, parameters and the objects of a context file; the
//! resources are in it only with a `ClusterResource` file. Without any of these, as in Kyverno, a suite has no cluster at
//! all, and what would be looked up there is simply missing.

use serde_json::Value as Json;

use super::{
    Notices, Weight, context_file,
    fields::Fields,
    load::{Loader, Object},
    suite::{GlobalEntry, Suite},
};
use crate::{
    cluster::{Cluster, Law},
    document::{Integers, Node},
    expr::{
        Arena, Value,
        jmespath::{Expression, ValueScope},
    },
};

/// The cluster of a suite, which `resources` join when there is one.
pub(crate) fn build(suite: &Suite, resources: &[Object], loader: &mut Loader<'_>, notices: &Notices) -> Cluster {
    let mut cluster = Cluster::new(Law::CommandLine);
    for path in &suite.cluster_resources {
        for object in objects(path, loader, notices) {
            cluster.add(&object.document, object.id);
            cluster.add_context(&object.document, object.id);
        }
    }
    for object in suite.targets.iter().flat_map(|path| loader.resources(path)) {
        cluster.add(&object.document, object.id);
        cluster.add_context(&object.document, object.id);
    }
    for object in suite.parameters.iter().flat_map(|path| loader.resources(path)) {
        cluster.add(&object.document, object.id);
        cluster.add_parameter(&object.document, object.id);
    }
    if let Some(path) = &suite.context {
        let context = context_file::read(path, loader, notices);
        context.objects.iter().for_each(|object| cluster.add(&object.document, object.id));
        context.fill(&mut cluster);
    }
    if !suite.cluster_resources.is_empty() {
        for object in resources.iter().filter(|object| object.payload.is_none()) {
            cluster.add(&object.document, object.id);
            cluster.add_context(&object.document, object.id);
        }
    }
    for answer in &suite.responses {
        cluster.set_response(&answer.method, &answer.url, answer.status, answer.body.clone());
    }
    for entry in &suite.globals {
        add_global(entry, &mut cluster, loader, notices);
    }
    cluster
}

/// The objects of a `ClusterResource` file; its definitions are made known on the way.
fn objects(path: &str, loader: &mut Loader<'_>, notices: &Notices) -> Vec<Object> {
    let mut out = Vec::new();
    for document in loader.unprepared(path) {
        let known = ["apiVersion", "kind", "metadata", "spec"];
        let definitions = Fields::read(document.root(), "a cluster resource", &known, notices)
            .and_then(|fields| Fields::read(fields.get("spec")?, "spec", &["crds", "resources"], notices))
            .map(|spec| spec.strings("crds"))
            .unwrap_or_default();
        for path in &definitions {
            loader.definitions(path);
        }
        let document = loader.prepare(document);
        let items = document.root().at(&["spec", "resources"]).into_iter().flat_map(Node::items);
        out.extend(items.map(|node| Object::new(&document, node.id())));
    }
    out
}

fn add_global(entry: &GlobalEntry, cluster: &mut Cluster, loader: &mut Loader<'_>, notices: &Notices) {
    let of_files = entry.files.iter().flat_map(|path| loader.resources(path));
    let of_files = of_files.map(|object| Value::from(object.node()).to_serde());
    let mut value = match &entry.data {
        Some(data) => data.clone(),
        None => entry.resources.iter().cloned().chain(of_files).collect(),
    };
    let complain = |path: &str, error: String| {
        let text = format!("`{path}` of the global context entry `{}` has no value: {error}", entry.name);
        notices.say(Weight::Error, "", text);
    };
    if !entry.field.is_empty() {
        match query(&entry.field, &value) {
            Ok(field) => value = field,
            Err(error) => complain(&entry.field, error),
        }
    }
    let whole = value.clone();
    for (name, path) in &entry.projections {
        match query(path, &whole) {
            Ok(projected) => {
                if let Json::Object(map) = &mut value {
                    map.insert(name.clone(), projected.clone());
                }
                cluster.set_global(&format!("{}.{name}", entry.name), projected);
            }
            Err(error) => complain(path, error),
        }
    }
    cluster.set_global(&entry.name, value);
}

fn query(path: &str, value: &Json) -> Result<Json, String> {
    let arena = Arena::new();
    let expression = Expression::parse(path).map_err(|error| error.to_string())?;
    let scope = ValueScope { value: Value::from_json(&arena, value, Integers::Floats), now: 0 };
    expression.evaluate(&scope, &arena).map(Value::to_serde).map_err(|error| error.to_string())
}
