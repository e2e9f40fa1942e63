//! Seccomp: system calls stay filtered; in `restricted` every container says so, itself or through its Pod.
//!
//! `seccompProfile.type` of the Pod and of containers is `RuntimeDefault` or `Localhost`. In `baseline` it may be
//! absent; in `restricted` a container without it needs a Pod that has it, except that from Kubernetes 1.25 on Windows
//! Pods need nothing.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static BASELINE: Check = Check {
    id: "seccompProfile_baseline",
    control: Some(Control::Seccomp),
    level: Level::Baseline,
    reason: "seccompProfile",
    run: baseline,
};

pub(super) static RESTRICTED: Check = Check {
    id: "seccompProfile_restricted",
    control: Some(Control::Seccomp),
    level: Level::Restricted,
    reason: "seccompProfile",
    run: restricted,
};

const PROFILE: &[&str] = &["securityContext", "seccompProfile"];
const TYPE: &[&str] = &["securityContext", "seccompProfile", "type"];

fn baseline<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    pod.places()
        .filter_map(|place| {
            place.get(PROFILE)?;
            let profile = place.text(TYPE).unwrap_or_default();
            let allowed = matches!(profile, "RuntimeDefault" | "Localhost");
            let found = Found::Value(profile.to_owned());
            (!allowed).then(|| place.violation(TYPE, found, "must be `RuntimeDefault` or `Localhost`"))
        })
        .collect()
}

fn restricted<'d>(pod: &Pod<'d>, version: &Version) -> Vec<Violation<'d>> {
    if version.at_least(25) && pod.is_windows() {
        return Vec::new();
    }
    let refused = baseline(pod, version);
    // What is wrong hides what is missing, as in the standards' own messages.
    if !refused.is_empty() || pod.spec().get(PROFILE).is_some() {
        return refused;
    }
    let wanted = "must be `RuntimeDefault` or `Localhost`, here or in the Pod";
    pod.containers()
        .filter(|container| container.get(PROFILE).is_none())
        .map(|container| container.violation(TYPE, Found::Missing, wanted))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, BASELINE, RESTRICTED};

    const POD: &str = "spec.securityContext.seccompProfile.type is forbidden, forbidden values found: Unconfined";
    const CONTAINER: &str =
        "spec.containers[0].securityContext.seccompProfile.type is forbidden, forbidden values found: Unconfined";
    const MISSING: &str = "spec.containers[0].securityContext.seccompProfile.type: Required value";

    #[test]
    fn profiles_of_pod_and_container() {
        let context = |profile: &str| match profile {
            "" => String::new(),
            profile => format!("securityContext: {{ seccompProfile: {{ type: {profile} }} }}"),
        };
        for (pod, container, baseline, restricted) in [
            ("", "", &[][..], &[MISSING][..]),
            ("RuntimeDefault", "", &[], &[]),
            ("Localhost", "", &[], &[]),
            ("", "RuntimeDefault", &[], &[]),
            ("Unconfined", "", &[POD], &[POD]),
            ("Unconfined", "RuntimeDefault", &[POD], &[POD]),
            ("RuntimeDefault", "Unconfined", &[CONTAINER], &[CONTAINER]),
            ("Unconfined", "Unconfined", &[POD, CONTAINER], &[POD, CONTAINER]),
        ] {
            let (of_pod, of_container) = (context(pod), context(container));
            let comma = if of_pod.is_empty() { "" } else { "," };
            let spec = format!("{{ {of_pod}{comma} containers: [{{ {of_container} }}] }}");
            assert_eq!(violations(&BASELINE, "latest", &spec), baseline, "{spec}");
            assert_eq!(violations(&RESTRICTED, "latest", &spec), restricted, "{spec}");
        }
    }

    #[test]
    fn each_container_needs_a_profile() {
        let spec =
            "{ containers: [{}], initContainers: [{ securityContext: { seccompProfile: { type: Localhost } } }] }";
        assert_eq!(violations(&RESTRICTED, "latest", spec), [MISSING]);
    }

    #[test]
    fn windows_is_exempt_from_1_25_on() {
        let spec = "{ os: { name: windows }, containers: [{}] }";
        assert_eq!(violations(&RESTRICTED, "v1.24", spec), [MISSING]);
        assert!(violations(&RESTRICTED, "v1.25", spec).is_empty());
    }
}
