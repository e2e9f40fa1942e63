//! What a Secret holds reaches no report.
//!
//! In: a Secret, or the text of a file that may hold one. Out: findings and places that don't quote its values.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Finding, Place, Verdict};
use crate::{
    document::{Kind, Node},
    span::{File, Span},
};

/// Values shorter than this are no secrets, and would be found everywhere.
const MIN_BYTES: usize = 3;

/// What stands in place of a value.
const REDACTED: &str = "[redacted]";

/// The values of a Secret, longest first.
#[derive(Debug)]
pub(crate) struct Redaction(Vec<String>);

impl Redaction {
    /// The values of an object before and after; `None` when it is no Secret.
    pub(crate) fn of(objects: [Option<Node<'_>>; 2]) -> Option<Self> {
        let mut values = Vec::new();
        let mut any = false;
        for object in objects.into_iter().flatten().filter(|it| is_secret(*it)) {
            any = true;
            for field in ["data", "stringData"] {
                for (_, value) in object.get(field).into_iter().flat_map(Node::entries) {
                    note(value, field == "data", &mut values);
                }
            }
            // A client keeps the whole object here.
            let applied = object.at(&["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"]);
            values.extend(applied.and_then(Node::as_str).map(str::to_owned));
        }
        values.retain(|it| it.len() >= MIN_BYTES);
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        any.then_some(Self(values))
    }

    /// The text without the values.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, value| {
            if text.contains(value.as_str()) { text.replace(value.as_str(), REDACTED) } else { text }
        })
    }

    /// The finding without the values. What the place holds isn't said at all: a label may quote a part of a value.
    pub(crate) fn clean_finding(&self, mut finding: Finding) -> Finding {
        finding.label.clear();
        finding.message = self.clean(&finding.message);
        for text in finding.help.iter_mut().chain(&mut finding.notes) {
            *text = self.clean(text);
        }
        if let Some(verdict) = &mut finding.verdict {
            self.clean_verdict(verdict);
        }
        finding
    }

    /// Leaves the values out of what a rule says beside its message.
    pub(crate) fn clean_verdict(&self, verdict: &mut Verdict) {
        for (_, text) in &mut verdict.properties {
            *text = self.clean(text);
        }
    }
}

/// What stands in place of a text that may hold a value of a Secret in another form: in capitals, in parts, in reverse.
pub(crate) const UNSAID: &str = "[what the rule says may hold values of a Secret]";

/// The finding of a rule that knows values of Secrets, without what it may have made of them. The message stays where it
/// is the policy's own.
pub(crate) fn silence(mut finding: Finding, is_own_text: bool) -> Finding {
    if !is_own_text {
        UNSAID.clone_into(&mut finding.message);
    }
    finding.label.clear();
    for related in &mut finding.related {
        // A demand that was computed quotes what it was computed from.
        if related.label.contains(['`', '"']) || related.label.chars().any(|it| it.is_ascii_digit()) {
            "demanded here".clone_into(&mut related.label);
        }
    }
    finding.verdict = finding.verdict.map(silence_verdict);
    finding
}

/// The verdict without what the policy has its reports say of the object.
pub(crate) fn silence_verdict(mut verdict: Verdict) -> Verdict {
    const KYVERNOS: [&str; 4] = ["controls", "exceptions", "process", "standard"];
    for (_, text) in verdict.properties.iter_mut().filter(|(key, _)| !KYVERNOS.contains(&key.as_str())) {
        REDACTED.clone_into(text);
    }
    verdict
}

/// Whether an object is a Secret.
pub(crate) fn is_secret(object: Node<'_>) -> bool {
    object.str_at(&["kind"]) == Some("Secret") && object.str_at(&["apiVersion"]) == Some("v1")
}

/// A place in a file of which nobody knows what it holds: its text is shown unless there may be a Secret in it.
pub(crate) fn place(file: &File, span: Span) -> Place {
    if mentions_secret(file.text()) { Place::redacted(file, span) } else { Place::new(file, span) }
}

fn note(value: Node<'_>, is_encoded: bool, out: &mut Vec<String>) {
    let text = match value.kind() {
        Kind::String(text) => text.to_owned(),
        Kind::Int(number) => number.to_string(),
        Kind::Float(number) => number.to_string(),
        Kind::Null | Kind::Bool(_) => return,
        Kind::List => return value.items().for_each(|it| note(it, is_encoded, out)),
        Kind::Map => return value.entries().for_each(|(_, it)| note(it, is_encoded, out)),
    };
    let other = if is_encoded {
        let compact: String = text.split_whitespace().collect();
        STANDARD.decode(compact).ok().and_then(|bytes| String::from_utf8(bytes).ok())
    } else {
        Some(STANDARD.encode(&text))
    };
    for text in [Some(text), other].into_iter().flatten() {
        // What quotes a long value may stop at the end of a line.
        out.extend(text.lines().map(|line| line.trim().to_owned()));
        out.push(text);
    }
}

/// Whether a text holds `kind: Secret` in whatever notation.
fn mentions_secret(text: &str) -> bool {
    let quotes = ['"', '\''];
    text.match_indices("kind").any(|(at, word)| {
        let rest = text[at + word.len()..].trim_start_matches(quotes).trim_start();
        let value = rest.strip_prefix(':').map(|it| it.trim_start().trim_start_matches(quotes));
        let after = value.and_then(|it| it.strip_prefix("Secret"));
        after.is_some_and(|it| !it.starts_with(|next: char| next.is_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{Limits, parse},
        finding::Severity,
    };

    #[test]
    fn values_are_left_out_in_both_encodings() {
        let text = "{ apiVersion: v1, kind: Secret, data: { a: aHVudGVyMg== }, stringData: { b: \"open\\nsesame!\" } }";
        let parsed = parse(&File::new("s.yaml", text.as_bytes().to_vec()), &Limits::default());
        let root = parsed.documents[0].root();
        let redaction = Redaction::of([Some(root), None]).unwrap();
        let clean = redaction.clean("aHVudGVyMg== is hunter2, and sesame! unlocks, b3BlbgpzZXNhbWUh");
        assert_eq!(clean, "[redacted] is [redacted], and [redacted] unlocks, [redacted]");
        let finding = Finding::new("a/b", Severity::Error, Place::whole_file("s.yaml"), "hunter2").label("hunt...");
        let finding = redaction.clean_finding(finding);
        assert_eq!((finding.message.as_str(), finding.label.as_str()), ("[redacted]", ""));
    }

    #[test]
    fn other_kinds_are_quoted() {
        let parsed = parse(&File::new("c.yaml", b"{ apiVersion: v1, kind: ConfigMap }".to_vec()), &Limits::default());
        assert!(Redaction::of([Some(parsed.documents[0].root()), None]).is_none());
    }

    #[test]
    fn a_file_that_may_hold_a_secret_is_told_by_its_text() {
        for text in ["kind: Secret", "{\"kind\":\"Secret\"}", "a: 1\nkind:   'Secret' # x", "kind: Secret\n  broken: ["]
        {
            assert!(mentions_secret(text), "{text}");
        }
        for text in ["kind: SecretStore", "kind: ConfigMap # Secret", "", "kind"] {
            assert!(!mentions_secret(text), "{text}");
        }
    }
}
