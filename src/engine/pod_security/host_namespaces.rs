//! Host Namespaces: a Pod doesn't share network, processes or IPC with its node.
//!
//! `hostNetwork`, `hostPID` and `hostIPC` must not be true.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "hostNamespaces",
    control: Some(Control::HostNamespaces),
    level: Level::Baseline,
    reason: "host namespaces",
    run,
};

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    let spec = pod.spec();
    ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|key| spec.boolean(&[key]) == Some(true))
        .map(|key| spec.violation(&[key], Found::Value("true".to_owned()), "must not be true"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn none_may_be_shared() {
        let forbidden = |key: &str| format!("spec.{key} is forbidden, forbidden values found: true");
        for (spec, wanted) in [
            ("{}", vec![]),
            ("{ hostNetwork: false, hostPID: false, hostIPC: null }", vec![]),
            ("{ hostUsers: true }", vec![]),
            ("{ hostPID: true }", vec![forbidden("hostPID")]),
            (
                "{ hostIPC: true, hostNetwork: true, hostUsers: false }",
                vec![forbidden("hostNetwork"), forbidden("hostIPC")],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }
}
