//! Privilege Escalation: a container must not let a process gain more privileges than its parent.
//!
//! `allowPrivilegeEscalation` of each container must be false. From Kubernetes 1.25 on, Windows Pods need not say so.

use super::{Check, Found, NIL, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "allowPrivilegeEscalation",
    control: Some(Control::PrivilegeEscalation),
    level: Level::Restricted,
    reason: "allowPrivilegeEscalation != false",
    run,
};

const FIELD: &[&str] = &["securityContext", "allowPrivilegeEscalation"];

fn run<'d>(pod: &Pod<'d>, version: &Version) -> Vec<Violation<'d>> {
    if version.at_least(25) && pod.is_windows() {
        return Vec::new();
    }
    let found = |context: bool, value: Option<bool>| match value {
        Some(false) => None,
        Some(true) => Some(Found::Value("true".to_owned())),
        None if context => Some(Found::Value(NIL.to_owned())),
        None => Some(Found::Missing),
    };
    pod.containers()
        .filter_map(|container| {
            let context = container.get(&["securityContext"]).is_some();
            let found = found(context, container.boolean(FIELD))?;
            Some(container.violation(FIELD, found, "must be false"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn it_must_be_false_in_every_container() {
        for (spec, wanted) in [
            ("{}", &[][..]),
            ("{ containers: [{ securityContext: { allowPrivilegeEscalation: false } }] }", &[]),
            (
                "{ containers: [{ securityContext: { allowPrivilegeEscalation: true } }] }",
                &["spec.containers[0].securityContext.allowPrivilegeEscalation is forbidden, \
                   forbidden values found: true"],
            ),
            ("{ containers: [{}] }", &["spec.containers[0].securityContext.allowPrivilegeEscalation: Required value"]),
            (
                "{ containers: [{ securityContext: null }] }",
                &["spec.containers[0].securityContext.allowPrivilegeEscalation: Required value"],
            ),
            (
                "{ containers: [{ securityContext: {} }] }",
                &["spec.containers[0].securityContext.allowPrivilegeEscalation is forbidden, \
                   forbidden values found: nil"],
            ),
            (
                "{ containers: [{}], initContainers: [{}], ephemeralContainers: [{}] }",
                &[
                    "spec.initContainers[0].securityContext.allowPrivilegeEscalation: Required value",
                    "spec.containers[0].securityContext.allowPrivilegeEscalation: Required value",
                    "spec.ephemeralContainers[0].securityContext.allowPrivilegeEscalation: Required value",
                ],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }

    #[test]
    fn windows_is_exempt_from_1_25_on() {
        let spec = "{ os: { name: windows }, containers: [{}] }";
        assert_eq!(violations(&CHECK, "v1.24", spec).len(), 1);
        assert_eq!(violations(&CHECK, "v1.25", spec).len(), 0);
        assert_eq!(violations(&CHECK, "latest", "{ os: { name: linux }, containers: [{}] }").len(), 1);
    }
}
