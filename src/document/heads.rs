//! What kinds of objects a file may hold, told from its bytes without parsing them.
//!
//! In: bytes. Out: every text that may be an API version or a kind in it. More may be told than is there, never less:
//! where YAML would let a kind be written in a way that this does not see, nothing is told at all.

use memchr::memmem;

/// The API versions and kinds that stand in a file, in any combination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heads<'b> {
    versions: Vec<&'b str>,
    kinds: Vec<&'b str>,
}

impl<'b> Heads<'b> {
    /// Looks through a file; `None` where only parsing tells what is in it.
    pub(crate) fn of(bytes: &'b [u8]) -> Option<Self> {
        // Escapes can spell any word, and a text of wider characters holds a zero in each.
        if memchr::memchr2(b'\\', 0, bytes).is_some() || has_alias_key(bytes) {
            return None;
        }
        Some(Self { versions: values(bytes, b"apiVersion")?, kinds: values(bytes, b"kind")? })
    }

    /// Every API version with every kind: each object of the file is one of them.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'b str, &'b str)> {
        self.versions.iter().flat_map(|version| self.kinds.iter().map(|kind| (*version, *kind)))
    }
}

/// Whether a key is given by an alias.
fn has_alias_key(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'*', bytes).any(|at| {
        let rest = &bytes[at + 1..];
        let name = rest.iter().take_while(|it| !it.is_ascii_whitespace() && **it != b',').count();
        after_spaces(&rest[name..]).first() == Some(&b':')
    })
}

/// The values of a key; `None` where one can't be told.
fn values<'b>(bytes: &'b [u8], key: &[u8]) -> Option<Vec<&'b str>> {
    let mut out: Vec<&str> = Vec::new();
    for at in memmem::find_iter(bytes, key) {
        let mut rest = &bytes[at + key.len()..];
        if let [b'"' | b'\'', after @ ..] = rest {
            rest = after;
        }
        rest = rest.trim_ascii_start();
        let [b':', value @ ..] = rest else {
            let before = bytes[..at].trim_ascii_end();
            // An explicit key has its colon on a line of its own, anywhere below.
            if matches!(
                before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before).trim_ascii_end().last(),
                Some(b'?')
            ) {
                return None;
            }
            continue;
        };
        let value = after_spaces(value);
        let (word, after) = match value {
            // Whatever stands there is no text.
            [b'{' | b'[', ..] => continue,
            [quote @ (b'"' | b'\''), rest @ ..] => {
                let end = memchr::memchr(*quote, rest)?;
                (&rest[..end], &rest[end + 1..])
            }
            _ => {
                let end = value.iter().take_while(|it| is_of_word(**it)).count();
                value.split_at(end)
            }
        };
        let ends = after.first().is_none_or(|it| it.is_ascii_whitespace() || matches!(it, b',' | b'}' | b']'));
        if word.is_empty() || !ends || !word.iter().all(|it| is_of_word(*it)) {
            return None;
        }
        let word = std::str::from_utf8(word).ok()?;
        if !out.contains(&word) {
            out.push(word);
        }
    }
    Some(out)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'_' | b'-')
}

fn after_spaces(bytes: &[u8]) -> &[u8] {
    let n = bytes.iter().take_while(|it| matches!(it, b' ' | b'\t')).count();
    &bytes[n..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{Limits, parse, resource::objects},
        span::File,
    };

    fn pairs(text: &str) -> Option<Vec<(&str, &str)>> {
        Heads::of(text.as_bytes()).map(|it| it.pairs().collect())
    }

    #[test]
    fn what_is_written_as_usual_is_told() {
        let told = Some(vec![("apps/v1", "Deployment")]);
        assert_eq!(pairs("apiVersion: apps/v1\nkind: Deployment # one of them\n"), told);
        assert_eq!(pairs("{\"kind\": \"Deployment\", \"apiVersion\":\"apps/v1\"}"), told);
        assert_eq!(pairs("{'kind' : 'Deployment',\n'apiVersion'\n: apps/v1}"), told);
        assert_eq!(pairs("a kind of magic\n"), Some(Vec::new()));
        assert_eq!(pairs("kind: A\n---\nkind: B\napiVersion: v1\n"), Some(vec![("v1", "A"), ("v1", "B")]));
    }

    #[test]
    fn what_only_parsing_tells_is_not_told() {
        for text in [
            "kind:\n  Pod\napiVersion: v1\n",
            "kind: &a Pod\napiVersion: v1\n",
            "kind: !!str Pod\n",
            "kind: >-\n  Pod\n",
            "? kind # of what\n: Pod\n",
            "? \"kind\" # of what\n: Pod\n",
            "\"\\x6bind\": Pod\n",
            "x: &k kind\n*k : Pod\n",
            "kind: *k\n",
            "kind: # which one\n  Pod\n",
            "k\0i\0n\0d\0",
            "kind: Pöd\n",
        ] {
            assert_eq!(pairs(text), None, "{text}");
        }
    }

    #[test]
    fn no_object_that_is_parsed_is_missed() {
        use proptest::prelude::*;
        let piece = prop::sample::select(vec![
            "kind",
            "apiVersion",
            ": ",
            ":",
            "Pod",
            "v1",
            "apps/v1",
            "\n",
            " ",
            "{",
            "}",
            ", ",
            "\"",
            "'",
            "- ",
            "? ",
            "&a ",
            "*a ",
            "!!str ",
            "|\n  ",
            "#",
            "<<: ",
            "---\n",
            "items:",
            "metadata: { name: x }",
        ]);
        let text = prop::collection::vec(piece, 0..24).prop_map(|it| it.concat());
        let mut runner = proptest::test_runner::TestRunner::default();
        let test = |text: String| {
            let file = File::new("a.yaml", text.clone().into_bytes());
            let told = pairs(&text);
            for document in parse(&file, &Limits::default()).documents {
                for object in objects(document.root()) {
                    if let (Some(version), Some(kind)) = (object.str_at(&["apiVersion"]), object.str_at(&["kind"])) {
                        let is_told = told.as_ref().is_none_or(|it| it.contains(&(version, kind)));
                        prop_assert!(is_told || kind.contains(' '), "{kind} of {version} is not among {told:?}");
                    }
                }
            }
            Ok(())
        };
        runner.run(&text, test).unwrap();
    }
}
