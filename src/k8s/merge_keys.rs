//! How a strategic merge joins the lists of Kubernetes' own types: by the keys of their items, as sets, or not at all.
//!
//! In: the `apiVersion` and `kind` of an object, then field after field. Out: the rule for the list at that place. The
//! table is that of Kubernetes 1.21, as Kyverno 1.19.0 has it: fields and versions that came later replace their lists.
//! Public source: `x-kubernetes-patch-merge-key` in <https://github.com/kubernetes/kubernetes/blob/v1.21.0/api/openapi-spec/swagger.json>.

use super::gvk::split_api_version;

/// How a list of a patch meets the list of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListRule {
    /// It takes its place.
    Replace,
    /// Values of either, each once.
    Union,
    /// Items with the same values under these keys are merged. A secondary key may be missing.
    Keys(&'static [&'static str]),
}

/// A type of Kubernetes: how its fields go on.
#[derive(Debug)]
pub(crate) struct Type {
    fields: &'static [(&'static str, Field)],
}

#[derive(Clone, Copy, Debug)]
struct Field {
    /// The type of the field, or of the items of its list.
    below: Option<&'static Type>,
    rule: ListRule,
}

/// A place in an object whose type may be known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(Option<&'static Type>);

impl Place {
    /// The top of an object.
    pub(crate) fn top(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_api_version(api_version);
        let of_group = TOP.iter().find(|(groups, _)| groups.contains(&(group, version)));
        let of_kind = |types: &'static [(&str, &'static Type)]| types.iter().find(|(name, _)| *name == kind);
        Self(of_group.map(|(_, types)| of_kind(types).map_or(&PLAIN, |(_, found)| *found)))
    }

    /// The place below a key; for a list that of its items.
    pub(crate) fn below(self, key: &str) -> Self {
        Self(self.field(key).and_then(|field| field.below))
    }

    /// How the list under a key is merged.
    pub(crate) fn rule(self, key: &str) -> ListRule {
        self.field(key).map_or(ListRule::Replace, |field| field.rule)
    }

    fn field(self, key: &str) -> Option<Field> {
        self.0?.fields.iter().find(|(name, _)| *name == key).map(|(_, field)| *field)
    }
}

/// A map of a type.
const fn map(below: &'static Type) -> Field {
    Field { below: Some(below), rule: ListRule::Replace }
}

/// A list of a type, merged by keys.
const fn keyed(below: &'static Type, keys: &'static [&'static str]) -> Field {
    Field { below: Some(below), rule: ListRule::Keys(keys) }
}

/// A list that is merged as a set.
const UNION: Field = Field { below: None, rule: ListRule::Union };

/// Something without lists that merge.
static LEAF: Type = Type { fields: &[] };

static META: Type = Type { fields: &[("ownerReferences", keyed(&LEAF, &["uid"])), ("finalizers", UNION)] };

const METADATA: (&str, Field) = ("metadata", map(&META));

static CONDITIONS: Type = Type { fields: &[("conditions", keyed(&LEAF, &["type"]))] };

const STATUS: (&str, Field) = ("status", map(&CONDITIONS));

/// Any object of Kubernetes.
static PLAIN: Type = Type { fields: &[METADATA] };

static WITH_CONDITIONS: Type = Type { fields: &[METADATA, STATUS] };

static CONTAINER: Type = Type {
    fields: &[
        ("env", keyed(&LEAF, &["name"])),
        ("ports", keyed(&LEAF, &["containerPort", "protocol"])),
        ("volumeMounts", keyed(&LEAF, &["mountPath"])),
        ("volumeDevices", keyed(&LEAF, &["devicePath"])),
    ],
};

static EPHEMERAL_CONTAINER: Type = Type {
    fields: &[
        ("env", keyed(&LEAF, &["name"])),
        ("volumeMounts", keyed(&LEAF, &["mountPath"])),
        ("volumeDevices", keyed(&LEAF, &["devicePath"])),
    ],
};

static POD_SPEC: Type = Type {
    fields: &[
        ("containers", keyed(&CONTAINER, &["name"])),
        ("initContainers", keyed(&CONTAINER, &["name"])),
        ("ephemeralContainers", keyed(&EPHEMERAL_CONTAINER, &["name"])),
        ("volumes", keyed(&LEAF, &["name"])),
        ("imagePullSecrets", keyed(&LEAF, &["name"])),
        ("hostAliases", keyed(&LEAF, &["ip"])),
        ("topologySpreadConstraints", keyed(&LEAF, &["topologyKey", "whenUnsatisfiable"])),
    ],
};

static POD: Type = Type { fields: &[METADATA, ("spec", map(&POD_SPEC)), ("status", map(&POD_STATUS))] };

static POD_STATUS: Type =
    Type { fields: &[("conditions", keyed(&LEAF, &["type"])), ("podIPs", keyed(&LEAF, &["ip"]))] };

/// A template, or the `PodTemplate` that holds one.
static TEMPLATE: Type = Type { fields: &[METADATA, ("spec", map(&POD_SPEC))] };

static POD_TEMPLATE: Type = Type { fields: &[METADATA, ("template", map(&TEMPLATE))] };

static CONTROLLER_SPEC: Type = Type { fields: &[("template", map(&TEMPLATE))] };

static CONTROLLER: Type = Type { fields: &[METADATA, ("spec", map(&CONTROLLER_SPEC)), STATUS] };

static JOB_TEMPLATE: Type = Type { fields: &[METADATA, ("spec", map(&CONTROLLER_SPEC))] };

static CRON_JOB_SPEC: Type = Type { fields: &[("jobTemplate", map(&JOB_TEMPLATE))] };

static CRON_JOB: Type = Type { fields: &[METADATA, ("spec", map(&CRON_JOB_SPEC))] };

static SERVICE_SPEC: Type = Type { fields: &[("ports", keyed(&LEAF, &["port", "protocol"]))] };

static SERVICE: Type = Type { fields: &[METADATA, ("spec", map(&SERVICE_SPEC)), STATUS] };

static SERVICE_ACCOUNT: Type = Type { fields: &[METADATA, ("secrets", keyed(&LEAF, &["name"]))] };

static NODE_SPEC: Type = Type { fields: &[("podCIDRs", UNION)] };

static NODE_STATUS: Type =
    Type { fields: &[("addresses", keyed(&LEAF, &["type"])), ("conditions", keyed(&LEAF, &["type"]))] };

static NODE: Type = Type { fields: &[METADATA, ("spec", map(&NODE_SPEC)), ("status", map(&NODE_STATUS))] };

static COMPONENT_STATUS: Type = Type { fields: &[METADATA, ("conditions", keyed(&LEAF, &["type"]))] };

static WEBHOOKS: Type = Type { fields: &[METADATA, ("webhooks", keyed(&LEAF, &["name"]))] };

static CSI_NODE_SPEC: Type = Type { fields: &[("drivers", keyed(&LEAF, &["name"]))] };

static CSI_NODE: Type = Type { fields: &[METADATA, ("spec", map(&CSI_NODE_SPEC))] };

/// Groups with versions, and their kinds.
type Group = (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static Type)]);

/// Kinds that are not named here, but whose group and version are, have merging lists in their metadata only.
static TOP: [Group; 7] = [
    (
        &[("", "v1")],
        &[
            ("Pod", &POD),
            ("PodTemplate", &POD_TEMPLATE),
            ("ReplicationController", &CONTROLLER),
            ("Service", &SERVICE),
            ("ServiceAccount", &SERVICE_ACCOUNT),
            ("Node", &NODE),
            ("Namespace", &WITH_CONDITIONS),
            ("PersistentVolumeClaim", &WITH_CONDITIONS),
            ("ComponentStatus", &COMPONENT_STATUS),
        ],
    ),
    (
        &[("apps", "v1")],
        &[
            ("Deployment", &CONTROLLER),
            ("DaemonSet", &CONTROLLER),
            ("ReplicaSet", &CONTROLLER),
            ("StatefulSet", &CONTROLLER),
        ],
    ),
    (&[("batch", "v1"), ("batch", "v1beta1")], &[("Job", &CONTROLLER), ("CronJob", &CRON_JOB)]),
    (&[("policy", "v1"), ("policy", "v1beta1")], &[("PodDisruptionBudget", &WITH_CONDITIONS)]),
    (
        &[("admissionregistration.k8s.io", "v1"), ("admissionregistration.k8s.io", "v1beta1")],
        &[("MutatingWebhookConfiguration", &WEBHOOKS), ("ValidatingWebhookConfiguration", &WEBHOOKS)],
    ),
    (&[("storage.k8s.io", "v1"), ("storage.k8s.io", "v1beta1")], &[("CSINode", &CSI_NODE)]),
    (
        &[
            ("apiextensions.k8s.io", "v1"),
            ("apiregistration.k8s.io", "v1"),
            ("autoscaling", "v1"),
            ("autoscaling", "v2beta1"),
            ("autoscaling", "v2beta2"),
            ("certificates.k8s.io", "v1"),
            ("coordination.k8s.io", "v1"),
            ("discovery.k8s.io", "v1"),
            ("events.k8s.io", "v1"),
            ("networking.k8s.io", "v1"),
            ("networking.k8s.io", "v1beta1"),
            ("node.k8s.io", "v1"),
            ("rbac.authorization.k8s.io", "v1"),
            ("scheduling.k8s.io", "v1"),
        ],
        &[],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule at a path of an object.
    fn rule(api_version: &str, kind: &str, path: &str) -> ListRule {
        let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
        let parents = parents.split('.').filter(|it| !it.is_empty());
        parents.fold(Place::top(api_version, kind), Place::below).rule(last)
    }

    #[test]
    fn every_merge_key_is_found_and_nothing_else() {
        use ListRule::{Keys, Replace, Union};
        let name = Keys(&["name"]);
        for (api_version, kind, path, expected) in [
            ("v1", "Pod", "spec.containers", name),
            ("v1", "Pod", "spec.initContainers", name),
            ("v1", "Pod", "spec.ephemeralContainers", name),
            ("v1", "Pod", "spec.volumes", name),
            ("v1", "Pod", "spec.imagePullSecrets", name),
            ("v1", "Pod", "spec.hostAliases", Keys(&["ip"])),
            ("v1", "Pod", "spec.topologySpreadConstraints", Keys(&["topologyKey", "whenUnsatisfiable"])),
            ("v1", "Pod", "spec.containers.env", name),
            ("v1", "Pod", "spec.containers.ports", Keys(&["containerPort", "protocol"])),
            ("v1", "Pod", "spec.containers.volumeMounts", Keys(&["mountPath"])),
            ("v1", "Pod", "spec.containers.volumeDevices", Keys(&["devicePath"])),
            ("v1", "Pod", "spec.ephemeralContainers.env", name),
            ("v1", "Pod", "spec.ephemeralContainers.ports", Replace),
            ("v1", "Pod", "spec.tolerations", Replace),
            ("v1", "Pod", "spec.containers.args", Replace),
            ("v1", "Pod", "spec.containers.envFrom", Replace),
            ("v1", "Pod", "spec.schedulingGates", Replace),
            ("v1", "Pod", "status.podIPs", Keys(&["ip"])),
            ("v1", "Pod", "status.conditions", Keys(&["type"])),
            ("v1", "Pod", "metadata.ownerReferences", Keys(&["uid"])),
            ("v1", "Pod", "metadata.finalizers", Union),
            ("apps/v1", "Deployment", "spec.template.spec.containers", name),
            ("apps/v1", "Deployment", "spec.template.metadata.finalizers", Union),
            ("apps/v1", "Deployment", "status.conditions", Keys(&["type"])),
            ("extensions/v1beta1", "Deployment", "spec.template.spec.containers", Replace),
            ("batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec.containers.env", name),
            ("v1", "PodTemplate", "template.spec.volumes", name),
            ("v1", "Service", "spec.ports", Keys(&["port", "protocol"])),
            ("v1", "ServiceAccount", "secrets", name),
            ("v1", "ServiceAccount", "imagePullSecrets", Replace),
            ("v1", "Node", "spec.podCIDRs", Union),
            ("v1", "Node", "status.addresses", Keys(&["type"])),
            ("v1", "ComponentStatus", "conditions", Keys(&["type"])),
            ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "webhooks", name),
            ("storage.k8s.io/v1", "CSINode", "spec.drivers", name),
            ("networking.k8s.io/v1", "Ingress", "spec.rules", Replace),
            ("networking.k8s.io/v1", "Ingress", "metadata.finalizers", Union),
            ("autoscaling/v2", "HorizontalPodAutoscaler", "metadata.finalizers", Replace),
            ("example.com/v1", "Widget", "metadata.finalizers", Replace),
            ("v1", "ConfigMap", "data", Replace),
        ] {
            assert_eq!(rule(api_version, kind, path), expected, "{api_version} {kind} {path}");
        }
    }
}
