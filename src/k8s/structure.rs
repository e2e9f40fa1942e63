//! How server-side apply joins the parts of an object: field by field, item by item, or as a whole.
//!
//! In: a kind of Kubernetes, or what a `CustomResourceDefinition` says of one; then field after field. Out: what may stand
//! at a place, and how two values meet there. Source for Kubernetes' own kinds: `x-kubernetes-list-type`,
//! `x-kubernetes-list-map-keys` and `x-kubernetes-map-type` in
//! <https://github.com/kubernetes/kubernetes/blob/v1.32.0/api/openapi-spec/swagger.json>. A strategic merge has other rules:
//! [`merge_keys`](super::merge_keys).

use std::collections::BTreeMap;

use super::types::{self, Object, Type};

/// What may stand at a place of an object of a custom kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Anything; maps are joined entry by entry, lists are replaced.
    Open,
    /// `metadata` of an object.
    Metadata,
    /// A scalar.
    Scalar(Scalar),
    /// A map with known keys.
    Struct {
        /// The keys and what stands there.
        fields: BTreeMap<String, Shape>,
        /// Other keys may stand there, too.
        open: bool,
        /// It is replaced as a whole.
        atomic: bool,
    },
    /// A map with any keys.
    Map {
        /// What stands under them.
        value: Box<Shape>,
        /// It is replaced as a whole.
        atomic: bool,
    },
    /// A list.
    List {
        /// How two lists meet.
        join: Join,
        /// What the items are.
        item: Box<Shape>,
    },
}

/// A scalar of a kind; null is always fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// A boolean.
    Bool,
    /// A number.
    Number,
    /// A text.
    Text,
    /// Any of these.
    Any,
}

/// How two lists meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// One takes the place of the other.
    Atomic,
    /// Each value once.
    Set,
    /// Items with the same values under these keys are joined.
    Keys(Vec<Key>),
}

/// A key by which items of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The field.
    pub name: String,
    /// The text that an item without it has.
    pub default: Option<String>,
}

/// A place in an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'s> {
    /// Of a kind of Kubernetes: the type, whose field it is, and the key of that.
    Built(&'static Type, &'static str, &'static str),
    /// The top of an object of Kubernetes.
    Top(&'static Object),
    /// Of a custom kind.
    Custom(&'s Shape),
    /// The top of an object of a kind of which nothing but its metadata is known.
    Unknown,
    /// Anything.
    Open,
}

/// What may stand at a place.
#[derive(Clone, Debug)]
pub(crate) enum View<'s> {
    /// Anything.
    Open,
    /// A scalar.
    Scalar(Scalar),
    /// A map; whether it is replaced as a whole.
    Map(bool),
    /// A list: how it is joined, and its items.
    List(Join, Place<'s>),
}

impl<'s> Place<'s> {
    /// The top of an object of a kind of Kubernetes, if it is one of those that are known.
    pub(crate) fn of_kind(group: &str, version: &str, kind: &str) -> Option<Self> {
        types::of(group, version, kind).map(Place::Top)
    }

    /// What may stand here.
    pub(crate) fn view(self) -> View<'s> {
        match self {
            Place::Open => View::Open,
            Place::Top(_) | Place::Unknown => View::Map(false),
            Place::Built(of, owner, key) => match of {
                Type::Bool => View::Scalar(Scalar::Bool),
                Type::Int32 | Type::Int64 => View::Scalar(Scalar::Number),
                Type::Text(_) => View::Scalar(Scalar::Text),
                Type::Time | Type::Quantity | Type::IntOrString => View::Scalar(Scalar::Any),
                Type::Resources => View::Map(false),
                Type::Map(_) => View::Map(ATOMIC_MAPS.contains(&(owner, key))),
                Type::Object(object) => View::Map(ATOMIC_STRUCTS.contains(&object.name)),
                Type::List(item) => View::List(join(owner, key), Place::Built(item, owner, key)),
                Type::Any => View::Open,
            },
            Place::Custom(shape) => match shape {
                Shape::Open => View::Open,
                Shape::Metadata => View::Map(false),
                Shape::Scalar(scalar) => View::Scalar(*scalar),
                Shape::Struct { atomic, .. } | Shape::Map { atomic, .. } => View::Map(*atomic),
                Shape::List { join, item } => View::List(join.clone(), Place::Custom(item)),
            },
        }
    }

    /// What stands below a key of a map; `None` for a key that no object of the type has.
    pub(crate) fn below(self, key: &str) -> Option<Place<'s>> {
        let of = |object: &'static Object| {
            let (name, _, of) = object.field(key)?;
            Some(Place::Built(of, object.name, name))
        };
        match self {
            Place::Open => Some(Place::Open),
            Place::Unknown if key == "metadata" => Some(METADATA),
            Place::Custom(Shape::Metadata) => METADATA.below(key),
            Place::Unknown => Some(Place::Open),
            Place::Top(object) => of(object),
            Place::Built(Type::Object(object), ..) => of(object),
            Place::Built(Type::Resources, owner, name) => Some(Place::Built(&Type::Quantity, owner, name)),
            Place::Built(Type::Map(value), ..) => Some(Place::Built(value, "", "")),
            Place::Built(..) => Some(Place::Open),
            Place::Custom(Shape::Struct { fields, open, .. }) => match fields.get(key) {
                Some(shape) => Some(Place::Custom(shape)),
                None => open.then_some(Place::Open),
            },
            Place::Custom(Shape::Map { value, .. }) => Some(Place::Custom(value)),
            Place::Custom(_) => Some(Place::Open),
        }
    }

    /// Whether the keys of the map at this place are fields of a type, and no data.
    pub(crate) fn has_fields(self) -> bool {
        match self {
            Place::Top(_) | Place::Unknown | Place::Built(Type::Object(_), ..) => true,
            Place::Custom(shape) => matches!(shape, Shape::Struct { .. } | Shape::Metadata),
            Place::Built(..) | Place::Open => false,
        }
    }
}

/// `metadata` of an object.
const METADATA: Place<'static> = Place::Built(&types::METADATA, "", "metadata");

/// How the list in a field of a struct is joined.
fn join(owner: &str, field: &str) -> Join {
    match LISTS.iter().find(|(fields, _)| fields.contains(&(owner, field))) {
        None => Join::Atomic,
        Some((_, [])) => Join::Set,
        Some((_, keys)) => Join::Keys(
            keys.iter()
                .map(|name| Key { name: (*name).to_owned(), default: (*name == "protocol").then(|| "TCP".to_owned()) })
                .collect(),
        ),
    }
}

/// Fields by struct and name, and the keys of the items in their lists; no keys for a set. All other lists are atomic.
type Lists = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const LISTS: [Lists; 9] = [
    (
        &[
            ("PodSpec", "containers"),
            ("PodSpec", "initContainers"),
            ("PodSpec", "ephemeralContainers"),
            ("PodSpec", "volumes"),
            ("PodSpec", "imagePullSecrets"),
            ("PodSpec", "schedulingGates"),
            ("PodSpec", "resourceClaims"),
            ("Container", "env"),
            ("EphemeralContainer", "env"),
            ("ResourceRequirements", "claims"),
            ("ServiceAccount", "secrets"),
        ],
        &["name"],
    ),
    (&[("PodSpec", "hostAliases")], &["ip"]),
    (&[("PodSpec", "topologySpreadConstraints")], &["topologyKey", "whenUnsatisfiable"]),
    (&[("Container", "ports"), ("EphemeralContainer", "ports")], &["containerPort", "protocol"]),
    (&[("Container", "volumeMounts"), ("EphemeralContainer", "volumeMounts")], &["mountPath"]),
    (&[("Container", "volumeDevices"), ("EphemeralContainer", "volumeDevices")], &["devicePath"]),
    (&[("ServiceSpec", "ports")], &["port", "protocol"]),
    (&[("ObjectMeta", "ownerReferences")], &["uid"]),
    (&[("ObjectMeta", "finalizers")], &[]),
];

/// Structs that are replaced as a whole.
const ATOMIC_STRUCTS: [&str; 15] = [
    "ConfigMapKeySelector",
    "FileKeySelector",
    "LabelSelector",
    "LocalObjectReference",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "ObjectReference",
    "OwnerReference",
    "ResourceFieldSelector",
    "RoleRef",
    "ScopeSelector",
    "SecretKeySelector",
    "ServiceBackendPort",
    "TypedLocalObjectReference",
];

/// Maps that are replaced as a whole, by struct and field.
const ATOMIC_MAPS: [(&str, &str); 3] =
    [("PodSpec", "nodeSelector"), ("ServiceSpec", "selector"), ("ReplicationControllerSpec", "selector")];

#[cfg(test)]
mod tests {
    use super::*;

    /// The place at a path of an object.
    fn place(kind: (&str, &str, &str), path: &str) -> Option<Place<'static>> {
        let top = Place::of_kind(kind.0, kind.1, kind.2);
        path.split('.').fold(top, |place, key| match place?.view() {
            View::List(_, item) => item.below(key),
            _ => place?.below(key),
        })
    }

    fn word(place: Option<Place<'_>>) -> String {
        match place.map(Place::view) {
            None => "-".to_owned(),
            Some(View::Open) => "open".to_owned(),
            Some(View::Scalar(scalar)) => format!("{scalar:?}"),
            Some(View::Map(true)) => "atomic map".to_owned(),
            Some(View::Map(false)) => "map".to_owned(),
            Some(View::List(Join::Atomic, _)) => "atomic list".to_owned(),
            Some(View::List(Join::Set, _)) => "set".to_owned(),
            Some(View::List(Join::Keys(keys), _)) => {
                keys.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join("+")
            }
        }
    }

    #[test]
    fn each_place_is_joined_as_the_api_server_joins_it() {
        let (pod, deployment) = (("", "v1", "Pod"), ("apps", "v1", "Deployment"));
        for (kind, path, expected) in [
            (pod, "metadata.labels", "map"),
            (pod, "metadata.labels.app", "Text"),
            (pod, "metadata.finalizers", "set"),
            (pod, "metadata.ownerReferences", "uid"),
            (pod, "spec.containers", "name"),
            (pod, "spec.containers.ports", "containerPort+protocol"),
            (pod, "spec.containers.args", "atomic list"),
            (pod, "spec.containers.env", "name"),
            (pod, "spec.containers.env.valueFrom", "map"),
            (pod, "spec.containers.env.valueFrom.secretKeyRef", "atomic map"),
            (pod, "spec.containers.securityContext.capabilities.drop", "atomic list"),
            (pod, "spec.containers.resources.limits", "map"),
            (pod, "spec.containers.resources.limits.cpu", "Any"),
            (pod, "spec.containers.image", "Text"),
            (pod, "spec.contaners", "-"),
            (pod, "spec.imagePullSecrets", "name"),
            (pod, "spec.nodeSelector", "atomic map"),
            (pod, "spec.tolerations", "atomic list"),
            (pod, "spec.topologySpreadConstraints", "topologyKey+whenUnsatisfiable"),
            (pod, "spec.hostIPC", "Bool"),
            (pod, "spec.priority", "Number"),
            (pod, "status", "open"),
            (deployment, "spec.selector", "atomic map"),
            (deployment, "spec.template.spec.volumes", "name"),
            (("", "v1", "Service"), "spec.ports", "port+protocol"),
            (("", "v1", "Service"), "spec.selector", "atomic map"),
            (("", "v1", "ConfigMap"), "data.k", "Text"),
            (("networking.k8s.io", "v1", "Ingress"), "spec.rules", "atomic list"),
        ] {
            assert_eq!(word(place(kind, path)), expected, "{path}");
        }
        assert!(Place::of_kind("extensions", "v1beta1", "Deployment").is_none());
    }
}
