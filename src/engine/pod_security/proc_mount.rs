//! /proc Mount Type: the masks over `/proc` stay.
//!
//! `procMount` of each container is `Default` or absent.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check =
    Check { id: "procMount", control: Some(Control::ProcMountType), level: Level::Baseline, reason: "procMount", run };

const FIELD: &[&str] = &["securityContext", "procMount"];

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    pod.containers()
        .filter_map(|container| {
            let found = container.text(FIELD).filter(|mount| *mount != "Default")?;
            Some(container.violation(FIELD, Found::Value(found.to_owned()), "must be `Default`"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn only_the_default_is_allowed() {
        for (spec, wanted) in [
            ("{ containers: [{}, { securityContext: { procMount: Default } }] }", &[][..]),
            (
                "{ containers: [{ securityContext: { procMount: Unmasked } }] }",
                &["spec.containers[0].securityContext.procMount is forbidden, forbidden values found: Unmasked"],
            ),
            (
                "{ hostUsers: false, containers: [{ securityContext: { procMount: Unmasked } }] }",
                &["spec.containers[0].securityContext.procMount is forbidden, forbidden values found: Unmasked"],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }
}
