//! `verifyImages`: which images, and signatures by whom.

use super::{Draft, given, given_of};
use crate::{
    document::{Kind, Node},
    policy::Action,
};

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let mut digests = false;
    for entry in rule.get("verifyImages").into_iter().flat_map(Node::items) {
        digests |= mutates_digest(draft, entry);
        let references = ["imageReferences", "image"].into_iter().filter_map(|key| given(entry, key));
        if !references.into_iter().any(|it| it.len() > 0 || it.as_str().is_some_and(|text| !text.is_empty())) {
            let message = "An image reference is required";
            draft.refuse_key(entry, message, "add `imageReferences`");
        }
        let kind = entry.str_at(&["type"]).unwrap_or("Cosign");
        sets(draft, entry, kind);
        for attestation in entry.get("attestations").into_iter().flat_map(Node::items) {
            sets(draft, attestation, kind);
        }
    }
    if digests {
        extractors(draft, rule);
    }
}

/// Whether an entry puts digests into images; if it may not, the policy is refused.
fn mutates_digest(draft: &Draft<'_>, entry: Node<'_>) -> bool {
    if entry.get("mutateDigest").and_then(Node::as_bool) == Some(false) {
        return false;
    }
    let own = entry.str_at(&["failureAction"]).and_then(Action::parse);
    if own.or(draft.policy.action.action).unwrap_or_default() == Action::Audit {
        let message = "mutateDigest must be set to false for 'Audit' failure action";
        let help = "write `mutateDigest: false` (it is on by default), or `failureAction: Enforce`";
        draft.refuse_key(entry.get("mutateDigest").unwrap_or(entry), message, help);
    }
    true
}

fn extractors(draft: &Draft<'_>, rule: Node<'_>) {
    let lists = rule.get("imageExtractors").into_iter().flat_map(Node::entries);
    for path in lists.flat_map(|(_, list)| list.items()).filter_map(|it| given(it, "jmesPath")) {
        if path.as_str() != Some("") {
            let message = "jmespath may not be used in an image extractor when mutating digests with verify images";
            draft.refuse_key(path, message, "write `mutateDigest: false`, or remove `jmesPath`");
        }
    }
}

fn sets(draft: &Draft<'_>, holder: Node<'_>, kind: &str) {
    holder.get("attestors").into_iter().flat_map(Node::items).for_each(|it| set(draft, it, kind));
}

fn set(draft: &Draft<'_>, set: Node<'_>, kind: &str) {
    let entries = given(set, "entries").map_or(0, Node::len);
    if entries == 0 {
        draft.refuse_key(set, "An attestor set must have entries", "add `entries`");
    }
    if let Some(count) = given(set, "count") {
        match count.kind() {
            Kind::Int(number) if number > entries as i64 => {
                let message = format!("The count {number} must be lower or equal to the number of entries {entries}");
                draft.refuse(count, message, "lower the count, or add entries");
            }
            Kind::Int(number) if number < 0 => draft.refuse(count, "The count must not be negative", "remove `count`"),
            _ => {}
        }
    }
    set.get("entries").into_iter().flat_map(Node::items).for_each(|it| attestor(draft, it, kind));
}

const ATTESTORS: [&str; 4] = ["keys", "certificates", "keyless", "attestor"];

fn attestor(draft: &Draft<'_>, entry: Node<'_>, kind: &str) {
    let found = given_of(entry, &ATTESTORS);
    let [it] = found.as_slice() else {
        let message = "keys, certificates, keyless, or a nested attestor is required, and only one of them";
        match found.as_slice() {
            [_, second, ..] => draft.refuse_key(*second, message, "make an entry for each of them"),
            _ => draft.refuse_key(entry, message, "add one of them"),
        }
        return;
    };
    if kind == "Notary" && matches!(it.key(), "keys" | "keyless") {
        let message = format!("{} are not supported for Notary", it.key());
        draft.refuse_key(*it, message, "use `certificates`");
        return;
    }
    match it.key() {
        "keys" => keys(draft, *it),
        "certificates" => {
            if is_blank(*it, &["cert", "certChain"]) {
                draft.refuse_key(*it, "cert or certChain is required", "add one of them");
            }
        }
        "keyless" => keyless(draft, *it),
        _ => set(draft, *it, kind),
    }
}

const ALGORITHMS: [&str; 5] = ["", "sha224", "sha256", "sha384", "sha512"];

fn keys(draft: &Draft<'_>, keys: Node<'_>) {
    if is_blank(keys, &["publicKeys", "kms"]) && given(keys, "secret").is_none() {
        draft.refuse_key(keys, "a key is required: publicKeys, kms or secret", "add one of them");
    }
    if let Some(node) = given(keys, "signatureAlgorithm")
        && let Some(text) = node.as_str()
        && !ALGORITHMS.contains(&text)
    {
        let message = format!("Invalid signature algorithm provided: {text}");
        draft.refuse(node, message, format!("use one of {}", ALGORITHMS[1..].join(", ")));
    }
}

fn keyless(draft: &Draft<'_>, keyless: Node<'_>) {
    match given(keyless, "rekor") {
        None if is_blank(keyless, &["roots"]) => {
            draft.refuse_key(keyless, "Either Rekor URL or roots are required", "add `rekor.url`, or `roots`");
        }
        Some(rekor) if is_blank(rekor, &["url"]) => draft.refuse_key(rekor, "An URL is required", "add `url`"),
        _ => {}
    }
}

/// Whether none of some texts is given.
fn is_blank(node: Node<'_>, keys: &[&str]) -> bool {
    keys.iter().all(|key| node.str_at(&[key]).is_none_or(str::is_empty))
}
