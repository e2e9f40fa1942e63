//! `AppArmor`: the default profile may not be turned off.
//!
//! `appArmorProfile.type` of the Pod and of containers is `RuntimeDefault` or `Localhost`, or there is no profile.
//! Annotations, the older form, are `runtime/default`, `localhost/…` or empty.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "appArmorProfile",
    control: Some(Control::AppArmor),
    level: Level::Baseline,
    reason: "forbidden AppArmor profile(s)",
    run,
};

const PROFILE: &[&str] = &["securityContext", "appArmorProfile"];
const TYPE: &[&str] = &["securityContext", "appArmorProfile", "type"];
const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    let fields = pod.places().filter_map(|place| {
        place.get(PROFILE)?;
        let profile = place.text(TYPE).unwrap_or_default();
        let allowed = matches!(profile, "RuntimeDefault" | "Localhost");
        let found = Found::Value(profile.to_owned());
        (!allowed).then(|| place.violation(TYPE, found, "must be `RuntimeDefault` or `Localhost`"))
    });
    let annotations = pod.annotations().filter(|(key, _)| key.starts_with(ANNOTATION)).filter_map(|(key, node)| {
        let profile = node.as_str().unwrap_or_default();
        let allowed = profile.is_empty() || profile == "runtime/default" || profile.starts_with("localhost/");
        (!allowed).then(|| Violation {
            field: format!("metadata.annotations[{key}]"),
            found: Found::Value(profile.to_owned()),
            place: pod.spec(),
            at: node,
            wanted: "must be `runtime/default` or `localhost/…`",
        })
    });
    fields.chain(annotations).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{violations, violations_of},
        CHECK,
    };

    #[test]
    fn the_profile_is_the_default_or_a_local_one() {
        for (spec, wanted) in [
            ("{ containers: [{}] }", &[][..]),
            ("{ securityContext: { appArmorProfile: { type: RuntimeDefault } } }", &[]),
            ("{ securityContext: { appArmorProfile: { type: Localhost, localhostProfile: a } } }", &[]),
            (
                "{ securityContext: { appArmorProfile: { type: Unconfined } } }",
                &["spec.securityContext.appArmorProfile.type is forbidden, forbidden values found: Unconfined"],
            ),
            (
                "{ initContainers: [{ securityContext: { appArmorProfile: { type: Unconfined } } }] }",
                &["spec.initContainers[0].securityContext.appArmorProfile.type is forbidden, \
                   forbidden values found: Unconfined"],
            ),
        ] {
            assert_eq!(violations(&CHECK, "latest", spec), wanted, "{spec}");
        }
    }

    #[test]
    fn so_is_the_annotation() {
        for (value, fires) in [
            ("runtime/default", false),
            ("localhost/mine", false),
            ("\"\"", false),
            ("unconfined", true),
            ("localhost", true),
        ] {
            let pod = format!(
                "{{ kind: Pod, metadata: {{ annotations: {{ container.apparmor.security.beta.kubernetes.io/c: {value}, \
                 example.com/c: unconfined }} }} }}"
            );
            let wanted = format!(
                "metadata.annotations[container.apparmor.security.beta.kubernetes.io/c] is forbidden, \
                 forbidden values found: {value}"
            );
            let wanted: &[String] = if fires { &[wanted] } else { &[] };
            assert_eq!(violations_of(&CHECK, "latest", &pod), wanted, "{value}");
        }
    }
}
