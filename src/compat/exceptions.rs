//! Exceptions for what fails now, as `kyverno apply --generate-exceptions` writes them.
//!
//! In: the rows of a run. Out: a `PolicyException` for each failure, in YAML. An exception for a Pod controller covers the
//! Pods that it makes, too; one for pod security names the failing controls and images only.
//!
//! Differs: Kyverno writes `v2beta1` and leaves out failures of namespaced policies; here they are `v2`, for all.

use super::{
    evaluation::{Judged, Row},
    load::Object,
};
use crate::{
    finding::Status,
    k8s::duration::Duration,
    policy::{
        Head,
        draft::{self, Classic, Draft, Filter, Match, Metadata, Resources, Rules, Spec},
    },
};

/// Writes the exceptions; `ttl` is when Kyverno's cleanup removes each of them.
pub(crate) fn write(judged: &Judged, resources: &[Object], ttl: Duration) -> String {
    let mut out = String::new();
    for row in judged.rows.iter().filter(|row| matches!(row.status, Status::Fail | Status::Warn)) {
        out.push_str("---\n");
        out.push_str(&exception(row, &judged.heads[row.policy], &resources[row.resource], ttl).text());
    }
    out
}

fn exception(row: &Row, head: &Head, object: &Object, ttl: Duration) -> Draft {
    let identity = object.identity();
    let mut kinds = vec![identity.kind];
    let mut rule_names = vec![row.rule.clone()];
    let mut names = vec![identity.name.clone()];
    if let Some(declared) = row.rule.strip_prefix("autogen-cronjob-") {
        kinds.extend(["Job".to_owned(), "Pod".to_owned()]);
        rule_names.extend([format!("autogen-{declared}"), declared.to_owned()]);
        names.push(format!("{}-*", identity.name));
    } else if let Some(declared) = row.rule.strip_prefix("autogen-") {
        kinds.push("Pod".to_owned());
        rule_names.push(declared.to_owned());
        names.push(format!("{}-*", identity.name));
    }
    let parts = [head.name.as_str(), &row.rule, &identity.namespace, &identity.name];
    let name: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let namespaces = Some(identity.namespace.clone()).filter(|it| !it.is_empty()).into_iter().collect();
    let controls = row.properties.iter().find(|(key, _)| key == "controlsJSON");
    let spec = Classic {
        exceptions: vec![Rules { policy_name: head.key.clone(), rule_names }],
        r#match: Match { all: vec![Filter { resources: Resources { kinds, names, namespaces } }], ..Match::default() },
        pod_security: controls.map(|(_, json)| draft::controls(json)).unwrap_or_default(),
    };
    let labels = [("cleanup.kyverno.io/ttl".to_owned(), ttl.to_string())].into();
    Draft::new(Metadata { name: name.join("-"), labels, ..Metadata::default() }, Spec::Classic(spec))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::testing;

    #[test]
    fn an_exception_names_what_fails_and_nothing_else() {
        let (mut judged, resources) = testing::judged();
        judged.rows[0].rule = "autogen-ipc".to_owned();
        let controls = r#"[{"ID":"hostPorts","Name":"Host Ports","Images":["a.io:5000/x/y:1","a.io:5000/x/y:2"]}]"#;
        judged.rows[0].properties.push(("controlsJSON".to_owned(), controls.to_owned()));
        let expected = "---
apiVersion: kyverno.io/v2
kind: PolicyException
metadata:
  name: host-autogen-ipc-shop-web
  labels:
    cleanup.kyverno.io/ttl: 720h0m0s
spec:
  exceptions:
  - policyName: host
    ruleNames:
    - autogen-ipc
    - ipc
  match:
    all:
    - resources:
        kinds:
        - Pod
        - Pod
        names:
        - web
        - web-*
        namespaces:
        - shop
  podSecurity:
  - controlName: Host Ports
    images:
    - a.io:5000/x/y:*
";
        let ttl = Duration::from_nanos(720 * 3_600_000_000_000);
        assert_eq!(write(&judged, &resources, ttl), expected);
    }
}
