//! Host Ports: no container takes a port of its node.
//!
//! `hostPort` is 0 or absent.

use super::{Check, Found, Violation, decode::integer, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check =
    Check { id: "hostPorts", control: Some(Control::HostPorts), level: Level::Baseline, reason: "hostPort", run };

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    pod.containers()
        .flat_map(|container| {
            container.items(&["ports"]).filter_map(move |(index, port)| {
                let node = port.get("hostPort")?;
                let number = integer(node.kind()).filter(|number| *number != 0)?;
                let field = format!("ports[{index}].hostPort");
                let found = Found::Value(number.to_string());
                Some(container.violation_at(&field, node, found, "no port of the node may be taken"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn only_zero_is_no_port() {
        for (spec, wanted) in [
            ("{ containers: [{ ports: [{ containerPort: 80 }, { hostPort: 0 }, { hostPort: null }] }] }", &[][..]),
            (
                "{ containers: [{ ports: [{ containerPort: 1 }, { hostPort: 80 }, { hostPort: 81 }] }] }",
                &[
                    "spec.containers[0].ports[1].hostPort is forbidden, forbidden values found: 80",
                    "spec.containers[0].ports[2].hostPort is forbidden, forbidden values found: 81",
                ],
            ),
            (
                "{ initContainers: [{}, { ports: [{ hostPort: 7 }] }] }",
                &["spec.initContainers[1].ports[0].hostPort is forbidden, forbidden values found: 7"],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }
}
