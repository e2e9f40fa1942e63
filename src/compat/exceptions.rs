//! Exceptions for what fails now, as `kyverno apply --generate-exceptions` writes them.
//!
//! In: the rows of a run. Out: a `PolicyException` for each failure, in YAML. An exception for a Pod controller covers the
//! Pods that it makes, too; one for pod security names the failing controls and images only.
//!
//! Differs: Kyverno writes `v2beta1` and leaves out failures of namespaced policies; here they are `v2`, for all.

use serde::Serialize;
use serde_json::Value as Json;

use super::{
    evaluation::{Judged, Row},
    load::Object,
};
use crate::{finding::Status, k8s::duration::Duration, policy::Head};

/// Writes the exceptions; `ttl` is when Kyverno's cleanup removes each of them.
pub(crate) fn write(judged: &Judged, resources: &[Object], ttl: Duration) -> String {
    let mut out = String::new();
    for row in judged.rows.iter().filter(|row| matches!(row.status, Status::Fail | Status::Warn)) {
        let exception = exception(row, &judged.heads[row.policy], &resources[row.resource], ttl);
        out.push_str("---\n");
        // It fails only for keys that are no strings, which an exception doesn't have.
        out.push_str(&serde_yaml::to_string(&exception).unwrap_or_default());
    }
    out
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Serialize)]
struct Metadata {
    name: String,
    labels: Labels,
}

#[derive(Serialize)]
struct Labels {
    #[serde(rename = "cleanup.kyverno.io/ttl")]
    ttl: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    exceptions: [Reference; 1],
    r#match: Match,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pod_security: Vec<Control>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    policy_name: String,
    rule_names: Vec<String>,
}

#[derive(Serialize)]
struct Match {
    all: [Filter; 1],
}

#[derive(Serialize)]
struct Filter {
    resources: Resources,
}

#[derive(Serialize)]
struct Resources {
    kinds: Vec<String>,
    names: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    namespaces: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Control {
    control_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
}

fn exception(row: &Row, head: &Head, object: &Object, ttl: Duration) -> Document {
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
    Document {
        api_version: "kyverno.io/v2",
        kind: "PolicyException",
        metadata: Metadata { name: name.join("-"), labels: Labels { ttl: ttl.to_string() } },
        spec: Spec {
            exceptions: [Reference { policy_name: head.key.clone(), rule_names }],
            r#match: Match { all: [Filter { resources: Resources { kinds, names, namespaces } }] },
            pod_security: controls(row),
        },
    }
}

/// The controls of pod security that a row names, with their images, whatever the tag.
fn controls(row: &Row) -> Vec<Control> {
    let found = row.properties.iter().find(|(key, _)| key == "controlsJSON");
    let Some(Json::Array(controls)) = found.and_then(|(_, text)| serde_json::from_str(text).ok()) else {
        return Vec::new();
    };
    let control = |json: &Json| {
        let images = json.get("Images").and_then(Json::as_array).into_iter().flatten();
        let mut images: Vec<String> = images.filter_map(Json::as_str).map(any_tag).collect();
        images.dedup();
        Some(Control { control_name: json.get("Name")?.as_str()?.to_owned(), images })
    };
    controls.iter().filter_map(control).collect()
}

/// An image with `*` for its tag or digest; one that has neither stays as it is.
fn any_tag(image: &str) -> String {
    let end = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[end..].find([':', '@']) {
        Some(at) => format!("{}*", &image[..=end + at]),
        None => image.to_owned(),
    }
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

    #[test]
    fn only_the_tag_of_an_image_is_open() {
        for (image, expected) in
            [("nginx:1", "nginx:*"), ("nginx", "nginx"), ("a.io:5000/x/y", "a.io:5000/x/y"), ("x/y@sha256:0", "x/y@*")]
        {
            assert_eq!(any_tag(image), expected);
        }
    }
}
