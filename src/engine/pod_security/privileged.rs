//! Privileged Containers: no container has all the rights of its node.
//!
//! `privileged` must not be true.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "privileged",
    control: Some(Control::PrivilegedContainers),
    level: Level::Baseline,
    reason: "privileged",
    run,
};

const FIELD: &[&str] = &["securityContext", "privileged"];

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    pod.containers()
        .filter(|container| container.boolean(FIELD) == Some(true))
        .map(|container| container.violation(FIELD, Found::Value("true".to_owned()), "must not be true"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn it_must_not_be_true() {
        for (spec, wanted) in [
            ("{ containers: [{}, { securityContext: { privileged: false } }] }", &[][..]),
            (
                "{ containers: [{}, { securityContext: { privileged: true } }] }",
                &["spec.containers[1].securityContext.privileged is forbidden, forbidden values found: true"],
            ),
            (
                "{ ephemeralContainers: [{ securityContext: { privileged: true } }] }",
                &["spec.ephemeralContainers[0].securityContext.privileged is forbidden, forbidden values found: true"],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }
}
