//! Exceptions as they are written: the way back from what is meant to YAML.
//!
//! In: which rules, which resources, what people say of it. Out: a `PolicyException` of either group as text. Whether it
//! does what it is meant to do is for whoever judges by it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

/// An exception that is not yet in any file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Draft {
    /// Lines that stand before it as comments, without `#`.
    #[serde(skip)]
    pub comments: Vec<String>,
    api_version: &'static str,
    kind: &'static str,
    /// Its name, and what people say of it.
    pub metadata: Metadata,
    /// What it exempts.
    pub spec: Spec,
}

/// `metadata`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Metadata {
    /// The name.
    pub name: String,
    /// The namespace; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// `spec`, of one of the two groups.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Spec {
    /// Of `kyverno.io`.
    Classic(Classic),
    /// Of `policies.kyverno.io`.
    Cel(Cel),
}

/// `spec` of `kyverno.io/v2`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Classic {
    /// Which rules of which policies.
    pub exceptions: Vec<Rules>,
    /// Which resources.
    pub r#match: Match,
    /// Which controls of the pod security standards; none: the rules as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pod_security: Vec<Control>,
}

/// An entry of `exceptions`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rules {
    /// The key of the policy.
    pub policy_name: String,
    /// The computed names of its rules.
    pub rule_names: Vec<String>,
}

/// `match`: one filter of `any`, or each of `all`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Match {
    /// Filters, one of which is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Filter>,
    /// Filters, all of which must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Filter>,
}

/// An entry of `any` or `all`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Filter {
    /// What it asks of a resource.
    pub resources: Resources,
}

/// `resources` of a filter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Resources {
    /// Kinds.
    pub kinds: Vec<String>,
    /// Names, with wildcards.
    pub names: Vec<String>,
    /// Namespaces; none for what lies outside of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
}

/// An entry of `podSecurity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Control {
    /// The control by its name in exceptions.
    pub control_name: String,
    /// Images of the containers that break it, with wildcards; none where the Pod itself does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

/// `spec` of `policies.kyverno.io`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cel {
    /// Which policies.
    pub policy_refs: Vec<PolicyRef>,
    /// When: all must hold.
    pub match_conditions: Vec<Condition>,
    /// The end, as RFC 3339; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expires_at: String,
    /// What people say of it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// An entry of `policyRefs`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PolicyRef {
    /// The name of the policy.
    pub name: String,
    /// Its kind.
    pub kind: String,
}

/// An entry of `matchConditions`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Condition {
    /// What it is about.
    pub name: String,
    /// What must hold, in CEL.
    pub expression: String,
}

impl Draft {
    /// An exception of the version that a cluster stores.
    pub(crate) fn new(metadata: Metadata, spec: Spec) -> Self {
        let api_version = match spec {
            Spec::Classic(_) => "kyverno.io/v2",
            Spec::Cel(_) => "policies.kyverno.io/v1beta1",
        };
        Self { comments: Vec::new(), api_version, kind: "PolicyException", metadata, spec }
    }

    /// The document, without a line that parts it from others.
    pub(crate) fn text(&self) -> String {
        let comments = self.comments.iter().map(|it| format!("# {it}\n"));
        // It fails only for keys that are no strings, which an exception doesn't have.
        comments.collect::<String>() + &serde_yaml::to_string(self).unwrap_or_default()
    }
}

/// The controls that a row of a report names in its property `controlsJSON`, with their images, whatever the tag. What is
/// no control that an exception could name has an empty name.
pub(crate) fn controls(json: &str) -> Vec<Control> {
    let Ok(Json::Array(controls)) = serde_json::from_str(json) else { return Vec::new() };
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

    #[test]
    fn only_the_tag_of_an_image_is_open() {
        for (image, expected) in
            [("nginx:1", "nginx:*"), ("nginx", "nginx"), ("a.io:5000/x/y", "a.io:5000/x/y"), ("x/y@sha256:0", "x/y@*")]
        {
            assert_eq!(any_tag(image), expected);
        }
    }

    #[test]
    fn an_exception_in_cel_is_written_with_what_people_say_of_it() {
        let cel = Cel {
            policy_refs: vec![PolicyRef { name: "size".to_owned(), kind: "ValidatingPolicy".to_owned() }],
            match_conditions: vec![Condition { name: "one".to_owned(), expression: "object.kind == 'Pod'".to_owned() }],
            properties: [("owner".to_owned(), "<owner>".to_owned())].into(),
            ..Cel::default()
        };
        let metadata = Metadata { name: "web".to_owned(), namespace: "shop".to_owned(), ..Metadata::default() };
        let mut draft = Draft::new(metadata, Spec::Cel(cel));
        draft.comments.push("For the web".to_owned());
        let expected = "# For the web
apiVersion: policies.kyverno.io/v1beta1
kind: PolicyException
metadata:
  name: web
  namespace: shop
spec:
  policyRefs:
  - name: size
    kind: ValidatingPolicy
  matchConditions:
  - name: one
    expression: object.kind == 'Pod'
  properties:
    owner: <owner>
";
        assert_eq!(draft.text(), expected);
    }
}
