//! Running as Non-root user: nobody is user 0.
//!
//! `runAsUser` of the Pod and of containers is not 0.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "runAsUser",
    control: Some(Control::RunningAsNonRootUser),
    level: Level::Restricted,
    reason: "runAsUser=0",
    run,
};

const FIELD: &[&str] = &["securityContext", "runAsUser"];

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    pod.places()
        .filter(|place| place.integer(FIELD) == Some(0))
        .map(|place| place.violation(FIELD, Found::Value("0".to_owned()), "must not be 0"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn only_zero_is_root() {
        for (spec, wanted) in [
            ("{ containers: [{}] }", &[][..]),
            ("{ securityContext: { runAsUser: 1 }, containers: [{ securityContext: { runAsUser: 1000 } }] }", &[]),
            ("{ securityContext: { runAsGroup: 0 } }", &[]),
            (
                "{ securityContext: { runAsUser: 0 }, containers: [{ securityContext: { runAsUser: 0 } }] }",
                &[
                    "spec.securityContext.runAsUser is forbidden, forbidden values found: 0",
                    "spec.containers[0].securityContext.runAsUser is forbidden, forbidden values found: 0",
                ],
            ),
        ] {
            for version in ["v1.19", "latest"] {
                assert_eq!(violations(&CHECK, version, spec), wanted, "{spec}");
            }
        }
    }
}
