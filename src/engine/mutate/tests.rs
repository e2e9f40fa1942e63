//! The algebra of strategic and of structured merge, and a case for each merge key.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    anchors, merge,
    patch::Patch,
    patched::Patched,
    structured::{self, Atomics},
};
use crate::{
    document::{Document, Integers, Limits, parse},
    expr::{Arena, Value},
    k8s::{gvk::split_api_version, merge_keys::Place, structure},
    span::File,
};

fn document(json: &Json) -> Arc<Document> {
    let file = File::new("object.json", json.to_string().into_bytes());
    Arc::new(parse(&file, &Limits::default()).documents.remove(0))
}

/// The object after a patch.
fn patched(object: &Json, patch: &Json) -> Result<Json, String> {
    let arena = Arena::new();
    let document = document(object);
    let mut out = Patched::Kept(document.root());
    let mut patch = Patch::from(Value::from_json(&arena, patch, Integers::Exact));
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let place = Place::top(text("apiVersion"), text("kind"));
    if anchors::work_off(&mut patch, out.value(&arena), &arena)? {
        merge::merge(&mut out, patch, place, &arena)?;
    }
    let built = out.clone().into_document(document.root());
    assert_eq!(out.is(document.root()), Value::from(built.root()).equals(Value::from(document.root())));
    Ok(Value::from(built.root()).to_serde())
}

/// The object after parts are applied to it.
fn applied(object: &Json, parts: &Json, atomics: Atomics) -> Result<Json, String> {
    let arena = Arena::new();
    let document = document(object);
    let mut out = Patched::Kept(document.root());
    let parts = Value::from_json(&arena, parts, Integers::Exact);
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let (group, version) = split_api_version(text("apiVersion"));
    let top = structure::Place::of_kind(group, version, text("kind")).unwrap_or(structure::Place::Unknown);
    structured::apply(&mut out, parts, top, atomics, &arena)?;
    Ok(Value::from(out.into_document(document.root()).root()).to_serde())
}

/// A value at a dotted path, in an object of a kind.
fn at(api_version: &str, kind: &str, path: &str, value: Json) -> Json {
    let mut object = path.rsplit('.').fold(value, |below, key| match key.strip_suffix("[]") {
        Some(key) => json!({ key: [merge_key(key, below)] }),
        None => json!({ key: below }),
    });
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    object
}

/// An item of a list on the way: it needs its own key to be found again.
fn merge_key(list: &str, mut below: Json) -> Json {
    assert!(list.ends_with("ontainers"));
    below["name"] = "c".into();
    below
}

#[test]
fn items_of_every_keyed_list_are_merged_by_their_keys() {
    for (api_version, kind, path, keys) in [
        ("v1", "Pod", "spec.containers", &["name"][..]),
        ("v1", "Pod", "spec.initContainers", &["name"]),
        ("v1", "Pod", "spec.ephemeralContainers", &["name"]),
        ("v1", "Pod", "spec.volumes", &["name"]),
        ("v1", "Pod", "spec.imagePullSecrets", &["name"]),
        ("v1", "Pod", "spec.hostAliases", &["ip"]),
        ("v1", "Pod", "spec.topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
        ("v1", "Pod", "spec.containers[].env", &["name"]),
        ("v1", "Pod", "spec.containers[].ports", &["containerPort", "protocol"]),
        ("v1", "Pod", "spec.containers[].volumeMounts", &["mountPath"]),
        ("v1", "Pod", "spec.containers[].volumeDevices", &["devicePath"]),
        ("v1", "Pod", "spec.ephemeralContainers[].env", &["name"]),
        ("v1", "Pod", "spec.ephemeralContainers[].volumeMounts", &["mountPath"]),
        ("v1", "Pod", "metadata.ownerReferences", &["uid"]),
        ("v1", "Pod", "status.podIPs", &["ip"]),
        ("v1", "Pod", "status.conditions", &["type"]),
        ("v1", "PodTemplate", "template.spec.containers", &["name"]),
        ("v1", "ReplicationController", "spec.template.spec.containers", &["name"]),
        ("v1", "Service", "spec.ports", &["port", "protocol"]),
        ("v1", "ServiceAccount", "secrets", &["name"]),
        ("v1", "Node", "status.addresses", &["type"]),
        ("v1", "Namespace", "status.conditions", &["type"]),
        ("v1", "ComponentStatus", "conditions", &["type"]),
        ("apps/v1", "DaemonSet", "spec.template.spec.containers", &["name"]),
        ("apps/v1", "Deployment", "spec.template.spec.volumes", &["name"]),
        ("apps/v1", "ReplicaSet", "status.conditions", &["type"]),
        ("apps/v1", "StatefulSet", "spec.template.spec.containers[].env", &["name"]),
        ("batch/v1", "Job", "spec.template.spec.containers", &["name"]),
        ("batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec.containers", &["name"]),
        ("policy/v1", "PodDisruptionBudget", "status.conditions", &["type"]),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "webhooks", &["name"]),
        ("storage.k8s.io/v1", "CSINode", "spec.drivers", &["name"]),
    ] {
        let item = |value: &str, more: &str| {
            let mut item = json!({ more: true });
            for key in keys {
                item[*key] = value.into();
            }
            item
        };
        let object = at(api_version, kind, path, json!([item("a", "old"), item("b", "old")]));
        let patch = at(api_version, kind, path, json!([item("b", "new"), item("z", "new")]));
        let mut merged = item("b", "old");
        merged["new"] = true.into();
        // One key: what the patch names comes first. Several: only what is new does.
        let list = if keys.len() == 1 {
            json!([merged, item("z", "new"), item("a", "old")])
        } else {
            json!([item("z", "new"), item("a", "old"), merged])
        };
        let expected = at(api_version, kind, path, list);
        assert_eq!(patched(&object, &patch), Ok(expected), "{api_version} {kind} {path}");
    }
}

#[test]
fn sets_keep_each_value_once_and_other_lists_are_replaced() {
    for (api_version, kind, path, expected) in [
        ("v1", "Pod", "metadata.finalizers", json!(["c", "a", "b"])),
        ("apps/v1", "Deployment", "spec.template.metadata.finalizers", json!(["c", "a", "b"])),
        ("v1", "Node", "spec.podCIDRs", json!(["c", "a", "b"])),
        ("v1", "Pod", "spec.containers[].args", json!(["c", "a"])),
        ("example.com/v1", "Widget", "metadata.finalizers", json!(["c", "a"])),
    ] {
        let object = at(api_version, kind, path, json!(["a", "b"]));
        let patch = at(api_version, kind, path, json!(["c", "a"]));
        assert_eq!(patched(&object, &patch), Ok(at(api_version, kind, path, expected)), "{api_version} {kind} {path}");
    }
}

/// Small parts of Pods: the same few keys, so that objects and patches meet.
fn labels() -> impl Strategy<Value = Json> {
    prop::collection::btree_map("[abc]", "[xyz]", 0..3).prop_map(|it| json!(it))
}

fn list(of: impl Strategy<Value = Json>, key: &'static str) -> impl Strategy<Value = Json> {
    prop::collection::vec(of, 0..4).prop_map(move |items| {
        let mut seen: Vec<Json> = Vec::new();
        let fresh = items.into_iter().filter(|item| {
            let is_new = !seen.contains(&item[key]);
            seen.push(item[key].clone());
            is_new
        });
        Json::Array(fresh.collect())
    })
}

fn container() -> impl Strategy<Value = Json> {
    let env = list(("[AB]", "[xy]").prop_map(|(name, value)| json!({ "name": name, "value": value })), "name");
    let args = prop::collection::vec("[pq]", 1..3);
    ("[abc]", prop::option::of("[xyz]"), prop::option::of(env), prop::option::of(args)).prop_map(
        |(name, image, env, args)| {
            let mut out = json!({ "name": name });
            if let Some(it) = image {
                out["image"] = it.into();
            }
            if let Some(it) = env {
                out["env"] = it;
            }
            if let Some(it) = args {
                out["args"] = json!(it);
            }
            out
        },
    )
}

fn pod() -> impl Strategy<Value = Json> {
    let finalizers = list("[fgh]".prop_map(Json::from), "");
    (labels(), finalizers, list(container(), "name"), prop::option::of(any::<bool>())).prop_map(
        |(labels, finalizers, containers, host)| {
            let spec = json!({ "containers": containers });
            let mut out = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "labels": labels }, "spec": spec });
            out["metadata"]["finalizers"] = finalizers;
            if let Some(it) = host {
                out["spec"]["hostIPC"] = it.into();
            }
            out
        },
    )
}

/// A value whose maps hold nothing that is empty, and whose lists are in one order.
fn unordered(json: &Json) -> Json {
    match json {
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(unordered).collect();
            items.sort_by_key(Json::to_string);
            Json::Array(items)
        }
        Json::Object(map) => map.iter().map(|(key, item)| (key.clone(), unordered(item))).collect(),
        scalar => scalar.clone(),
    }
}

proptest! {
    #[test]
    fn a_patch_that_was_applied_changes_nothing_more(object in pod(), patch in pod()) {
        let once = patched(&object, &patch).expect("types agree");
        prop_assert_eq!(patched(&once, &patch), Ok(once));
    }

    #[test]
    fn an_object_merged_into_itself_stays_itself(object in pod()) {
        prop_assert_eq!(patched(&object, &object), Ok(object));
    }

    #[test]
    fn what_is_new_is_first_and_what_is_not_named_keeps_its_order(object in pod(), patch in pod()) {
        let names = |pod: &Json| -> Vec<String> {
            let items = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
            items.iter().map(|it| it["name"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let named = names(&patch);
        // A list without items takes the place of the other.
        let rest = names(&object).into_iter().filter(|name| !named.is_empty() && !named.contains(name));
        let expected: Vec<String> = named.iter().cloned().chain(rest).collect();
        prop_assert_eq!(names(&patched(&object, &patch).expect("types agree")), expected);
    }

    #[test]
    fn patches_that_touch_different_things_may_come_in_any_order(object in pod(), mut a in pod(), mut b in pod()) {
        a["spec"] = json!({ "hostPID": true });
        b["metadata"] = json!({ "annotations": { "k": "v" } });
        let apply = |first: &Json, second: &Json| {
            let once = patched(&object, first).expect("types agree");
            unordered(&patched(&once, second).expect("types agree"))
        };
        prop_assert_eq!(apply(&a, &b), apply(&b, &a));
    }
}

proptest! {
    #[test]
    fn what_was_applied_changes_nothing_when_it_is_applied_again(object in pod(), parts in pod()) {
        let once = applied(&object, &parts, Atomics::Replaced).expect("types agree");
        prop_assert_eq!(applied(&once, &parts, Atomics::Replaced), Ok(once));
    }

    #[test]
    fn an_object_applied_to_itself_stays_itself(object in pod()) {
        prop_assert_eq!(applied(&object, &object, Atomics::Replaced), Ok(object));
    }

    #[test]
    fn nothing_is_lost_and_what_only_the_object_has_keeps_its_order(object in pod(), parts in pod()) {
        let names = |pod: &Json| -> Vec<String> {
            let items = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
            items.iter().map(|it| it["name"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let after = names(&applied(&object, &parts, Atomics::Replaced).expect("types agree"));
        let (before, named) = (names(&object), names(&parts));
        let only = |list: &[String]| -> Vec<String> { list.iter().filter(|it| !named.contains(it)).cloned().collect() };
        prop_assert_eq!(only(&after), only(&before));
        let of_parts: Vec<_> = after.iter().filter(|it| named.contains(it)).cloned().collect();
        prop_assert_eq!(of_parts, named);
    }

    #[test]
    fn a_document_that_is_taken_over_is_the_same_as_a_copy(object in pod(), patch in pod()) {
        let arena = Arena::new();
        let source = document(&object);
        let mut out = Patched::Kept(source.root());
        let patch = Patch::from(Value::from_json(&arena, &patch, Integers::Exact));
        merge::merge(&mut out, patch, Place::top("v1", "Pod"), &arena).expect("types agree");
        let draft = out.draft(source.root());
        let copied = draft.copied(&source);
        let taken = Arc::into_inner(document(&object)).expect("nobody else has it");
        let replaced = draft.replacing(taken);
        prop_assert_eq!(Value::from(replaced.root()).to_serde(), Value::from(copied.root()).to_serde());
    }
}
