//! Capabilities: containers get no more than the default ones; in `restricted` they drop all and may add one.
//!
//! `baseline` allows to add what container runtimes give anyhow. `restricted` wants `ALL` among `drop`, in this case,
//! and allows to add `NET_BIND_SERVICE`; from Kubernetes 1.25 on, Windows Pods need not.

use super::{
    Check, Found, Violation,
    pod::{Place, Pod},
};
use crate::{
    document::Node,
    policy::pod_security::{Control, Level, Version},
};

pub(super) static BASELINE: Check = Check {
    id: "capabilities_baseline",
    control: Some(Control::Capabilities),
    level: Level::Baseline,
    reason: "non-default capabilities",
    run: baseline,
};

pub(super) static RESTRICTED: Check = Check {
    id: "capabilities_restricted",
    control: Some(Control::Capabilities),
    level: Level::Restricted,
    reason: "unrestricted capabilities",
    run: restricted,
};

const ADD: &[&str] = &["securityContext", "capabilities", "add"];
const DROP: &[&str] = &["securityContext", "capabilities", "drop"];

const DEFAULT: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn baseline<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    let wanted = "only capabilities that runtimes give by default may be added";
    pod.containers().filter_map(|container| added(container, DEFAULT, wanted)).collect()
}

fn restricted<'d>(pod: &Pod<'d>, version: &Version) -> Vec<Violation<'d>> {
    if version.at_least(25) && pod.is_windows() {
        return Vec::new();
    }
    let kept = pod
        .containers()
        .filter(|container| !container.items(DROP).any(|(_, node)| node.as_str() == Some("ALL")))
        .map(|container| container.violation(DROP, Found::Missing, "must hold `ALL`"));
    let added = pod
        .containers()
        .filter_map(|container| added(container, &["NET_BIND_SERVICE"], "only `NET_BIND_SERVICE` may be added"));
    kept.chain(added).collect()
}

/// What a container adds beyond what is allowed.
fn added<'d>(container: Place<'d>, allowed: &[&str], wanted: &'static str) -> Option<Violation<'d>> {
    let name = |node: Node<'d>| node.as_str().unwrap_or_default();
    let forbidden = || container.items(ADD).filter(|(_, node)| !allowed.contains(&name(*node)));
    let (_, first) = forbidden().next()?;
    let mut names: Vec<&str> = forbidden().map(|(_, node)| name(node)).collect();
    names.sort_unstable();
    names.dedup();
    Some(container.violation_at(&ADD.join("."), first, Found::Values(names), wanted))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, BASELINE, RESTRICTED};

    fn container(capabilities: &str) -> String {
        format!("{{ containers: [{{ securityContext: {{ capabilities: {capabilities} }} }}] }}")
    }

    #[test]
    fn baseline_allows_the_default_ones() {
        for (capabilities, forbidden) in [
            ("{}", ""),
            ("{ add: [] }", ""),
            ("{ add: [CHOWN, SETUID, AUDIT_WRITE] }", ""),
            ("{ add: [chown] }", "[chown]"),
            ("{ add: [CAP_CHOWN] }", "[CAP_CHOWN]"),
            ("{ add: [SYS_ADMIN, CHOWN, NET_RAW, SYS_ADMIN] }", "[NET_RAW SYS_ADMIN]"),
            ("{ add: [ALL] }", "[ALL]"),
        ] {
            let found = violations(&BASELINE, "latest", &container(capabilities));
            let text = "spec.containers[0].securityContext.capabilities.add is forbidden, forbidden values found: ";
            let wanted: Vec<String> =
                [forbidden].iter().filter(|it| !it.is_empty()).map(|it| format!("{text}{it}")).collect();
            assert_eq!(found, wanted, "{capabilities}");
        }
        assert!(violations(&BASELINE, "latest", "{ containers: [{}] }").is_empty());
    }

    #[test]
    fn restricted_drops_all_and_adds_one() {
        let drop = "spec.containers[0].securityContext.capabilities.drop: Required value";
        let add = |names: &str| {
            format!(
                "spec.containers[0].securityContext.capabilities.add is forbidden, forbidden values found: [{names}]"
            )
        };
        for (capabilities, wanted) in [
            ("{ drop: [ALL] }", vec![]),
            ("{ drop: [KILL, ALL], add: [NET_BIND_SERVICE] }", vec![]),
            ("{ drop: [all] }", vec![drop.to_owned()]),
            ("{ drop: [NET_RAW] }", vec![drop.to_owned()]),
            ("{}", vec![drop.to_owned()]),
            ("{ drop: [ALL], add: [CHOWN] }", vec![add("CHOWN")]),
            ("{ add: [KILL, NET_RAW] }", vec![drop.to_owned(), add("KILL NET_RAW")]),
        ] {
            assert_eq!(violations(&RESTRICTED, "latest", &container(capabilities)), wanted, "{capabilities}");
        }
        assert_eq!(violations(&RESTRICTED, "latest", "{ containers: [{}] }"), [drop]);
    }

    #[test]
    fn windows_is_exempt_from_1_25_on() {
        let spec = "{ os: { name: windows }, containers: [{}] }";
        assert_eq!(violations(&RESTRICTED, "v1.24", spec).len(), 1);
        assert_eq!(violations(&RESTRICTED, "v1.25", spec).len(), 0);
    }
}
