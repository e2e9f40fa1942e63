//! Volume Types: volumes hold what the cluster manages, not what a node or an outside server holds.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "restrictedVolumes",
    control: Some(Control::VolumeTypes),
    level: Level::Restricted,
    reason: "restricted volume types",
    run,
};

const ALLOWED: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// The other sources of Kubernetes' API.
const FORBIDDEN: &[&str] = &[
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    let spec = pod.spec();
    spec.items(&["volumes"])
        .filter_map(|(index, volume)| {
            let source = |names: &[&'static str]| {
                names.iter().find_map(|name| Some((*name, volume.get(name).filter(|node| !node.is_null())?)))
            };
            // A volume has one source; where a file has an allowed one beside another, the other counts.
            let (name, at) = match source(FORBIDDEN) {
                Some(forbidden) => forbidden,
                None if source(ALLOWED).is_some() => return None,
                None => ("unknown", volume),
            };
            let wanted = "only `configMap`, `csi`, `downwardAPI`, `emptyDir`, `ephemeral`, `image`, \
                          `persistentVolumeClaim`, `projected` and `secret` volumes are allowed";
            Some(spec.violation_at(&format!("volumes[{index}].{name}"), at, Found::Present, wanted))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, ALLOWED, CHECK, FORBIDDEN};

    #[test]
    fn every_source_is_allowed_or_forbidden() {
        for name in ALLOWED {
            assert!(violations(&CHECK, "latest", &format!("{{ volumes: [{{ {name}: {{}} }}] }}")).is_empty(), "{name}");
        }
        for name in FORBIDDEN {
            let found = violations(&CHECK, "latest", &format!("{{ volumes: [{{ {name}: {{}} }}] }}"));
            assert_eq!(found, [format!("spec.volumes[0].{name}: Forbidden")]);
        }
    }

    #[test]
    fn a_volume_without_a_source_is_unknown() {
        for spec in
            ["{ volumes: [{ name: a }] }", "{ volumes: [{ name: a, emptyDir: null }] }", "{ volumes: [{ x: {} }] }"]
        {
            assert_eq!(violations(&CHECK, "latest", spec), ["spec.volumes[0].unknown: Forbidden"], "{spec}");
        }
    }
}
