//! Hosts of probes and of lifecycle hooks: a Pod doesn't make its node send requests elsewhere.
//!
//! `httpGet.host` and `tcpSocket.host` are empty. Kyverno: there is no control of this name in policies, so nothing can
//! exempt it, and its violations are not listed in messages.

use super::{Check, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Level, Version};

pub(super) static CHECK: Check = Check {
    id: "hostProbesAndHostLifecycle",
    control: None,
    level: Level::Baseline,
    reason: "probe or lifecycle host",
    run,
};

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
/// Hooks below `lifecycle`, and their full names.
const HOOKS: [(&str, &str); 2] = [("postStart", "lifecycle.postStart"), ("preStop", "lifecycle.preStop")];

fn run<'d>(pod: &Pod<'d>, _: &Version) -> Vec<Violation<'d>> {
    pod.containers()
        .flat_map(|container| {
            let probes = PROBES.into_iter().filter_map(move |probe| Some((probe, container.get(&[probe])?)));
            let lifecycle = container.get(&["lifecycle"]);
            let hooks = HOOKS.into_iter().filter_map(move |(hook, name)| Some((name, lifecycle?.get(hook)?)));
            probes.chain(hooks).flat_map(move |(name, handler)| {
                ["httpGet", "tcpSocket"].into_iter().filter_map(move |action| {
                    let node = handler.get(action)?.get("host")?;
                    let host = node.as_str().filter(|host| !host.is_empty())?;
                    let field = format!("{name}.{action}.host");
                    Some(container.violation_at(&field, node, Found::Value(host.to_owned()), "must be empty"))
                })
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::violations, CHECK};

    #[test]
    fn a_host_must_be_empty() {
        for (container, fires) in [
            ("{}", false),
            ("{ livenessProbe: { httpGet: { port: 80 } } }", false),
            ("{ livenessProbe: { httpGet: { port: 80, host: '' } } }", false),
            ("{ livenessProbe: { grpc: { port: 80, service: a } } }", false),
            ("{ livenessProbe: { httpGet: { host: 127.0.0.1 } } }", true),
            ("{ readinessProbe: { tcpSocket: { host: a } } }", true),
            ("{ startupProbe: { httpGet: { host: a } } }", true),
            ("{ lifecycle: { postStart: { httpGet: { host: a } } } }", true),
            ("{ lifecycle: { preStop: { tcpSocket: { host: a } } } }", true),
        ] {
            for version in ["v1.19", "latest"] {
                let found = violations(&CHECK, version, &format!("{{ containers: [{container}] }}"));
                assert_eq!(found.len(), usize::from(fires), "{container}");
            }
        }
    }
}
