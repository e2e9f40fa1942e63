//! Running as Non-root: nothing runs as root, and every container says so, itself or through its Pod.
//!
//! `runAsNonRoot` of the Pod and of containers is not false; a container without it needs a Pod where it is true.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "runAsNonRoot",
    control: Some(Control::RunningAsNonRoot),
    level: Level::Restricted,
    reason: "runAsNonRoot != true",
    run,
};

const FIELD: &[&str] = &["securityContext", "runAsNonRoot"];

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    let refused: Vec<Violation<'d>> = pod
        .places()
        .filter(|place| place.boolean(FIELD) == Some(false))
        .map(|place| place.violation(FIELD, Found::Value("false".to_owned()), "must be true"))
        .collect();
    // What is wrong hides what is missing, as in the standards' own messages.
    if !refused.is_empty() || pod.spec().boolean(FIELD) == Some(true) {
        return refused;
    }
    pod.containers()
        .filter(|container| container.get(FIELD).is_none())
        .map(|container| container.violation(FIELD, Found::Missing, "must be true here or in the Pod"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn every_container_is_covered() {
        for (spec, wanted) in [
            ("{}", &[][..]),
            ("{ securityContext: { runAsNonRoot: true }, containers: [{}] }", &[]),
            ("{ containers: [{ securityContext: { runAsNonRoot: true } }] }", &[]),
            ("{ containers: [{}] }", &["spec.containers[0].securityContext.runAsNonRoot: Required value"]),
            (
                "{ containers: [{ securityContext: { runAsNonRoot: true } }, {}] }",
                &["spec.containers[1].securityContext.runAsNonRoot: Required value"],
            ),
            (
                "{ securityContext: { runAsNonRoot: true }, \
                 containers: [{ securityContext: { runAsNonRoot: false } }] }",
                &["spec.containers[0].securityContext.runAsNonRoot is forbidden, forbidden values found: false"],
            ),
            (
                "{ securityContext: { runAsNonRoot: false }, \
                 containers: [{ securityContext: { runAsNonRoot: true } }] }",
                &["spec.securityContext.runAsNonRoot is forbidden, forbidden values found: false"],
            ),
            (
                "{ containers: [{}, { securityContext: { runAsNonRoot: false } }] }",
                &["spec.containers[1].securityContext.runAsNonRoot is forbidden, forbidden values found: false"],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }
}
