//! The `images` of a resource, taken apart: registry, path, tag, digest.
//!
//! In: a Pod or a Pod controller. Out: the value of the variable `images`, nothing for other kinds, or the text of an
//! error for an image that is none.

use crate::{
    document::Node,
    expr::{Arena, Value},
    k8s::image_ref,
};

/// Where the Pod spec of a kind stands.
pub(crate) fn pod_spec_path(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Pod" => &["spec"],
        "DaemonSet" | "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "Job" => {
            &["spec", "template", "spec"]
        }
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return None,
    })
}

/// The value of `images`: `images.containers.NAME.{registry,path,name,tag,digest,…}`.
pub(crate) fn value<'v>(resource: Node<'v>, arena: &'v Arena) -> Result<Option<Value<'v>>, String> {
    let Some(path) = resource.str_at(&["kind"]).and_then(pod_spec_path) else { return Ok(None) };
    let mut groups: Vec<(&'v str, Value<'v>)> = Vec::new();
    for group in ["initContainers", "containers", "ephemeralContainers"] {
        let Some(list) = resource.at(path).and_then(|spec| spec.get(group)).filter(|node| !node.is_null()) else {
            continue;
        };
        if !list.is_list() {
            return Err(format!("{group} is no list"));
        }
        let mut images: Vec<(&'v str, Value<'v>)> = Vec::new();
        for (index, container) in list.items().enumerate() {
            let name = container.str_at(&["name"]).ok_or_else(|| format!("a container in {group} has no name"))?;
            let Some(image) = container.str_at(&["image"]).filter(|image| !image.trim().is_empty()) else { continue };
            let pointer = format!("/{}/{group}/{index}/image", path.join("/"));
            images.retain(|(known, _)| *known != name);
            images.push((name, parts(image, &pointer, arena)?));
        }
        if !images.is_empty() {
            groups.push((group, Value::map_in(arena, &images)));
        }
    }
    Ok((!groups.is_empty()).then(|| Value::map_in(arena, &groups)))
}

fn parts<'v>(image: &str, pointer: &str, arena: &'v Arena) -> Result<Value<'v>, String> {
    let parsed = image_ref::parse(image).map_err(|error| error.to_string())?;
    let text = |text: &str| Value::string_in(arena, text);
    let mut entries: Vec<(&'v str, Value<'v>)> = vec![
        ("registry", text(parsed.registry)),
        ("path", text(parsed.path)),
        ("name", text(parsed.name())),
        ("reference", text(&parsed.reference())),
        ("referenceWithTag", text(&parsed.reference_with_tag())),
        ("jsonPointer", text(pointer)),
    ];
    if !parsed.tag.is_empty() {
        entries.push(("tag", text(parsed.tag)));
    }
    if !parsed.digest.is_empty() {
        entries.push(("digest", text(parsed.digest)));
    }
    Ok(Value::map_in(arena, &entries))
}
