//! `HostProcess`: no Windows container runs on the node itself.
//!
//! `windowsOptions.hostProcess` of the Pod and of containers must not be true.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "windowsHostProcess",
    control: Some(Control::HostProcess),
    level: Level::Baseline,
    reason: "hostProcess",
    run,
};

const FIELD: &[&str] = &["securityContext", "windowsOptions", "hostProcess"];

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    pod.places()
        .filter(|place| place.boolean(FIELD) == Some(true))
        .map(|place| place.violation(FIELD, Found::Value("true".to_owned()), "must not be true"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn it_must_not_be_true() {
        for (spec, wanted) in [
            ("{ containers: [{}] }", &[][..]),
            ("{ securityContext: { windowsOptions: { hostProcess: false, runAsUserName: a } } }", &[]),
            (
                "{ securityContext: { windowsOptions: { hostProcess: true } }, \
                 containers: [{ securityContext: { windowsOptions: { hostProcess: true } } }] }",
                &[
                    "spec.securityContext.windowsOptions.hostProcess is forbidden, forbidden values found: true",
                    "spec.containers[0].securityContext.windowsOptions.hostProcess is forbidden, \
                     forbidden values found: true",
                ],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }
}
