//! `HostPath` Volumes: no volume is a directory of the node.

use super::{Check, Found, Violation, pod::Pod};
use crate::{
    document::Node,
    policy::pod_security::{Control, Level, Version},
};

pub(super) static CHECK: Check = Check {
    id: "hostPathVolumes",
    control: Some(Control::HostPathVolumes),
    level: Level::Baseline,
    reason: "hostPath volumes",
    run,
};

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    let spec = pod.spec();
    spec.items(&["volumes"])
        .filter_map(|(index, volume)| {
            let host_path = volume.get("hostPath").filter(|node| !node.is_null())?;
            let path = host_path.get("path").filter(|node| !node.is_null());
            let text = path.and_then(Node::as_str).unwrap_or_default();
            let field = format!("volumes[{index}].hostPath");
            let found = Found::Value(text.to_owned());
            Some(spec.violation_at(&field, path.unwrap_or(host_path), found, "no volume may be a `hostPath`"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn every_host_path_counts() {
        for (spec, wanted) in [
            ("{}", &[][..]),
            ("{ volumes: [{ name: a, emptyDir: {} }, { name: b, hostPath: null }] }", &[]),
            (
                "{ volumes: [{ name: a, emptyDir: {} }, { name: b, hostPath: { path: /dev } }, { hostPath: {} }] }",
                &[
                    "spec.volumes[1].hostPath is forbidden, forbidden values found: /dev",
                    "spec.volumes[2].hostPath is forbidden, forbidden values found: ",
                ],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }
}
