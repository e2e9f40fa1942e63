//! `SELinux`: containers keep the type that confines them, and nobody sets user or role.
//!
//! `seLinuxOptions.type` of the Pod and of containers is one of the container types, to which Kubernetes 1.31 adds
//! `container_engine_t`; `user` and `role` are empty.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Control, Level, Version};

pub(super) static CHECK: Check = Check {
    id: "seLinuxOptions",
    control: Some(Control::SeLinux),
    level: Level::Baseline,
    reason: "seLinuxOptions",
    run,
};

const TYPE: &[&str] = &["securityContext", "seLinuxOptions", "type"];
const USER: &[&str] = &["securityContext", "seLinuxOptions", "user"];
const ROLE: &[&str] = &["securityContext", "seLinuxOptions", "role"];

fn run<'d>(pod: &Pod<'d>, version: &Version) -> Vec<Violation<'d>> {
    let confined = |name: &str| match name {
        "" | "container_t" | "container_init_t" | "container_kvm_t" => true,
        "container_engine_t" => version.at_least(31),
        _ => false,
    };
    pod.places()
        .flat_map(|place| {
            [(TYPE, "must be a container type"), (USER, "must be empty"), (ROLE, "must be empty")]
                .into_iter()
                .filter_map(move |(path, wanted)| {
                    let text = place.text(path).filter(|text| !text.is_empty())?;
                    let allowed = path == TYPE && confined(text);
                    (!allowed).then(|| place.violation(path, Found::Value(text.to_owned()), wanted))
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    fn forbidden(field: &str, value: &str) -> String {
        format!("spec.{field} is forbidden, forbidden values found: {value}")
    }

    #[test]
    fn the_type_is_one_of_containers() {
        for (name, version, allowed) in [
            ("''", "latest", true),
            ("container_t", "v1.19", true),
            ("container_init_t", "v1.19", true),
            ("container_kvm_t", "v1.19", true),
            ("container_engine_t", "v1.30", false),
            ("container_engine_t", "v1.31", true),
            ("container_engine_t", "latest", true),
            ("spc_t", "latest", false),
        ] {
            let wanted: Vec<String> =
                if allowed { vec![] } else { vec![forbidden("securityContext.seLinuxOptions.type", name)] };
            let spec = format!("{{ securityContext: {{ seLinuxOptions: {{ type: {name} }} }} }}");
            assert_eq!(violations(&CHECK, version, &spec), wanted, "{name} {version}");
        }
    }

    #[test]
    fn user_and_role_are_empty_and_the_level_is_free() {
        for (options, wanted) in [
            ("{ level: 's0:c1,c2' }", vec![]),
            ("{ user: '', role: '' }", vec![]),
            (
                "{ role: r, user: u, type: t }",
                vec![
                    forbidden("containers[0].securityContext.seLinuxOptions.type", "t"),
                    forbidden("containers[0].securityContext.seLinuxOptions.user", "u"),
                    forbidden("containers[0].securityContext.seLinuxOptions.role", "r"),
                ],
            ),
        ] {
            let spec = format!("{{ containers: [{{ securityContext: {{ seLinuxOptions: {options} }} }}] }}");
            assert_eq!(violations(&CHECK, "latest", &spec), wanted, "{options}");
        }
    }
}
