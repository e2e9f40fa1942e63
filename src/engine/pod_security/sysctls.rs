//! Sysctls: only kernel parameters that don't reach beyond the Pod.
//!
//! The list grows with Kubernetes' releases.

use super::{Check, Found, Violation, pod::Pod};
use crate::{
    document::Node,
    policy::pod_security::{Control, Level, Version},
};

pub(super) static CHECK: Check =
    Check { id: "sysctls", control: Some(Control::Sysctls), level: Level::Baseline, reason: "forbidden sysctls", run };

fn run<'d>(pod: &Pod<'d>, version: &Version) -> Vec<Violation<'d>> {
    let spec = pod.spec();
    spec.items(&["securityContext", "sysctls"])
        .filter_map(|(index, sysctl)| {
            let node = sysctl.get("name");
            let name = node.and_then(Node::as_str).unwrap_or_default();
            if since(name).is_some_and(|minor| version.at_least(minor)) {
                return None;
            }
            let field = format!("securityContext.sysctls[{index}].name");
            let found = Found::Value(name.to_owned());
            Some(spec.violation_at(&field, node.unwrap_or(sysctl), found, "this parameter may not be set"))
        })
        .collect()
}

/// The release of Kubernetes, 1.x, from which on a parameter is allowed.
fn since(name: &str) -> Option<u16> {
    Some(match name {
        "kernel.shm_rmid_forced"
        | "net.ipv4.ip_local_port_range"
        | "net.ipv4.tcp_syncookies"
        | "net.ipv4.ping_group_range"
        | "net.ipv4.ip_unprivileged_port_start" => 0,
        "net.ipv4.ip_local_reserved_ports" => 27,
        "net.ipv4.tcp_keepalive_time"
        | "net.ipv4.tcp_fin_timeout"
        | "net.ipv4.tcp_keepalive_intvl"
        | "net.ipv4.tcp_keepalive_probes" => 29,
        "net.ipv4.tcp_rmem" | "net.ipv4.tcp_wmem" => 32,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn the_list_grows_with_the_releases() {
        for (name, version, allowed) in [
            ("kernel.shm_rmid_forced", "v1.19", true),
            ("net.ipv4.ip_unprivileged_port_start", "v1.19", true),
            ("net.ipv4.ip_local_reserved_ports", "v1.26", false),
            ("net.ipv4.ip_local_reserved_ports", "v1.27", true),
            ("net.ipv4.tcp_fin_timeout", "v1.28", false),
            ("net.ipv4.tcp_fin_timeout", "v1.29", true),
            ("net.ipv4.tcp_rmem", "v1.31", false),
            ("net.ipv4.tcp_wmem", "v1.32", true),
            ("net.ipv4.tcp_wmem", "latest", true),
            ("kernel.msgmax", "latest", false),
            ("KERNEL.SHM_RMID_FORCED", "latest", false),
        ] {
            let spec = format!("{{ securityContext: {{ sysctls: [{{ name: {name}, value: '1' }}] }} }}");
            let forbidden =
                format!("spec.securityContext.sysctls[0].name is forbidden, forbidden values found: {name}");
            let wanted: &[String] = if allowed { &[] } else { &[forbidden] };
            assert_eq!(violations(&CHECK, version, &spec), wanted, "{name} {version}");
        }
    }
}
