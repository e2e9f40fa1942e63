//! Exceptions that nobody who counts has signed.

use serde::{Deserialize, Serialize};

use super::{Context, Item, Out};
use crate::{
    document::{self, Limits, Node},
    engine::manifests::{Judgement, judge},
    policy::manifests::Manifests,
    span::File,
};

rule! {
    /// An exception carries a signature by a known key.
    ///
    /// ## Why
    /// Whoever can write a file can write an exception. A signature over the manifest says who granted it, and holds no
    /// longer once a name or a rule is added. In a cluster `validate.manifests` asks for the same; exceptions from before
    /// that policy are never looked at again there.
    ///
    /// The signature stands in the annotations `cosign.sigstore.dev/message` and `…/signature`, as for
    /// `validate.manifests`, and is verified with public keys alone: no transparency log is asked.
    ///
    /// ## Fires
    /// ```yaml
    /// governance:
    ///   rules:
    ///     EXC041:
    ///       severity: error
    ///       keys: ["-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVMqRFYNVGRVTTQ16RxUaqbMiMb27\nvx0oYDWF01L1WFnBBA0GigyVPlUPYmsX0omWf1gBNg+y8XsOWeQaNUJqew==\n-----END PUBLIC KEY-----\n"]
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    ///   annotations:
    ///     cosign.sigstore.dev/message: H4sIAAAAAAACA0WOwQqDMBBE7/mK/QBtocfcey2eeikelmTBoGZDEqUi/nuzQelxHjOPweDeFJNjr2HcVoqeb47v60ONzlsNHU/ObM+voZBLSc2U0WJGrQA8zqQhM09nSAFNIZamjCoFMtKia5s0fHYIVfiq04FTbn1qIC4TCZKK5/bkPRx9EcyYzaBhB/RbVURKvEQj7R3kpsw6tn3zfyGo/rhgyfK0OIsVDvUDqo8NXfkAAAA=
    ///     cosign.sigstore.dev/signature: MEQCIHwM3oI3Np6Ob3YfoewzSBAoqCpnmgUh0uSKldjuwdQhAiBoUMYUzMbTHL2PqA594t4cytIwnZb7a5xPDRB/bksUUA==
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: ["*"] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// governance:
    ///   rules:
    ///     EXC041:
    ///       severity: error
    ///       keys: ["-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVMqRFYNVGRVTTQ16RxUaqbMiMb27\nvx0oYDWF01L1WFnBBA0GigyVPlUPYmsX0omWf1gBNg+y8XsOWeQaNUJqew==\n-----END PUBLIC KEY-----\n"]
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool
    ///   namespace: delta
    ///   annotations:
    ///     cosign.sigstore.dev/message: H4sIAAAAAAACA0WOwQqDMBBE7/mK/QBtocfcey2eeikelmTBoGZDEqUi/nuzQelxHjOPweDeFJNjr2HcVoqeb47v60ONzlsNHU/ObM+voZBLSc2U0WJGrQA8zqQhM09nSAFNIZamjCoFMtKia5s0fHYIVfiq04FTbn1qIC4TCZKK5/bkPRx9EcyYzaBhB/RbVURKvEQj7R3kpsw6tn3zfyGo/rhgyfK0OIsVDvUDqo8NXfkAAAA=
    ///     cosign.sigstore.dev/signature: MEQCIHwM3oI3Np6Ob3YfoewzSBAoqCpnmgUh0uSKldjuwdQhAiBoUMYUzMbTHL2PqA594t4cytIwnZb7a5xPDRB/bksUUA==
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Have the exception signed: `openssl dgst -sha256 -sign key.pem` over the manifest without the two annotations gives
    /// the signature, `gzip` of the same bytes the message, both in base64.
    ///
    /// ## Options
    /// - `keys`: public keys in PEM, one of which must have signed.
    /// - `ignoreFields`: fields that delivery tools add, and that are no part of what is signed, such as
    ///   `metadata.annotations.argocd.argoproj.io/tracking-id`.
    EXC041, "require-signed", Off, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    keys: Vec<String>,
    ignore_fields: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        let ignore_fields = vec!["metadata.annotations.argocd.argoproj.io/tracking-id".to_owned()];
        Self { keys: Vec::new(), ignore_fields }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let manifests = manifests(&options);
    for item in &context.exceptions {
        let message = match &manifests {
            None => "no key is known that could have signed this: set `keys` of EXC041".to_owned(),
            Some(manifests) => match judge(manifests, item.node) {
                Judgement::Signed(_) => continue,
                Judgement::Unsigned(text, difference) => unsigned(item, &text, difference),
                Judgement::Error(text) => text,
                Judgement::Missing(what) => format!("whether this is signed can't be told without {what}"),
            },
        };
        let help = "have the exception signed with one of the keys";
        out.add(item, out.finding(item, item.name_span(), message).help(help));
    }
}

fn unsigned(item: &Item<'_>, text: &str, difference: Option<(Node<'_>, String)>) -> String {
    let annotations = item.node.at(&["metadata", "annotations"]).into_iter().flat_map(Node::entries);
    let is_signed = annotations.into_iter().any(|(key, _)| key.ends_with("/signature"));
    match difference {
        Some(_) => "the exception is not what was signed".to_owned(),
        None if is_signed => format!("the signature does not count: {text}"),
        None => "the exception is not signed".to_owned(),
    }
}

/// What `validate.manifests` would say for the options; `None` without keys.
fn manifests(options: &Options) -> Option<Manifests> {
    if options.keys.is_empty() {
        return None;
    }
    let keys = |key: &String| serde_json::json!({ "keys": { "publicKeys": key } });
    let entries: Vec<_> = options.keys.iter().map(keys).collect();
    let ignored = serde_json::json!([{ "objects": [{ "kind": "*" }], "fields": options.ignore_fields }]);
    let block = serde_json::json!({ "attestors": [{ "count": 1, "entries": entries }], "ignoreFields": ignored });
    let parsed = document::parse(&File::new("EXC041", block.to_string().into_bytes()), &Limits::default());
    parsed.documents.first().map(|it| Manifests::decode(it.root()))
}
