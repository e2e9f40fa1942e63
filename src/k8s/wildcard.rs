//! Wildcards as Kyverno has them everywhere: `*` is any run of characters, `?` is exactly one character.
//!
//! All else is literal, case counts, `/` and `.` are nothing special, `""` matches only `""`. Characters are Unicode
//! code points. The worst case is pattern length times text length; there is no exponential case.

/// Whether `text` contains a wildcard character.
pub(crate) fn is_wildcard(text: &str) -> bool {
    memchr::memchr2(b'*', b'?', text.as_bytes()).is_some()
}

/// Whether the whole of `text` matches `pattern`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Only the last star needs a second try: what an earlier star could gain, the later one can give as well.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                if p == pattern.len() {
                    return true;
                }
                retry = Some((p, t));
                continue;
            }
            Some(b'?') => {
                p += 1;
                t += width(text[t]);
                continue;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        let Some((after_star, from)) = retry else { return false };
        let next = from + width(text[from]);
        retry = Some((after_star, next));
        (p, t) = (after_star, next);
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Length of the character that begins with `first`.
fn width(first: u8) -> usize {
    match first {
        0..=0xbf => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    }
}

/// A pattern made ready for many texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard {
    text: Box<str>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// No wildcard character.
    Literal,
    /// `*`
    Any,
    /// `?*` or `*?`
    NotEmpty,
    /// `x*`
    Prefix,
    /// `*x`
    Suffix,
    /// `*x*`
    Contains,
    /// Everything else.
    General,
}

impl Wildcard {
    /// Prepares a pattern; every text is one.
    pub(crate) fn new(pattern: &str) -> Self {
        let form = match pattern {
            "*" => Form::Any,
            "?*" | "*?" => Form::NotEmpty,
            _ if !is_wildcard(pattern) => Form::Literal,
            _ => {
                let starts = pattern.starts_with('*');
                let ends = pattern.ends_with('*');
                let inner = &pattern[usize::from(starts)..pattern.len() - usize::from(ends)];
                match (starts, ends) {
                    _ if is_wildcard(inner) => Form::General,
                    (false, true) => Form::Prefix,
                    (true, false) => Form::Suffix,
                    (true, true) => Form::Contains,
                    (false, false) => Form::General,
                }
            }
        };
        Self { text: pattern.into(), form }
    }

    /// Whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let pattern = &*self.text;
        match self.form {
            Form::Literal => pattern == text,
            Form::Any => true,
            Form::NotEmpty => !text.is_empty(),
            Form::Prefix => text.starts_with(&pattern[..pattern.len() - 1]),
            Form::Suffix => text.ends_with(&pattern[1..]),
            Form::Contains => {
                memchr::memmem::find(text.as_bytes(), &pattern.as_bytes()[1..pattern.len() - 1]).is_some()
            }
            Form::General => matches(pattern, text),
        }
    }

    /// The pattern as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The only text that matches, when the pattern has no wildcard character.
    pub(crate) fn literal(&self) -> Option<&str> {
        (self.form == Form::Literal).then_some(&*self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => naive(&pattern[1..], text) || (!text.is_empty() && naive(pattern, &text[1..])),
            (Some('?'), Some(_)) => naive(&pattern[1..], &text[1..]),
            (Some(a), Some(b)) if a == b => naive(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    #[test]
    fn table() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("?*", "", false),
            ("?*", "a", true),
            ("*?", "é", true),
            ("a?", "a", false),
            ("a?", "aé", true),
            ("a?c", "a/c", true),
            ("*:latest", "nginx:latest", true),
            ("*:latest", "nginx:1", false),
            ("gen-*", "gen-", true),
            ("A*", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-", false),
            ("*/*", "/", true),
            ("**", "", true),
            ("*a*", "bab", true),
            ("*a*", "bb", false),
            ("?", "日", true),
            ("??", "日", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
            assert_eq!(Wildcard::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_stay_fast() {
        let text = "a".repeat(3000);
        assert!(!matches(&format!("{}b", "a*".repeat(500)), &text));
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?é]{0,8}", text in "[abé]{0,10}") {
            let p: Vec<char> = pattern.chars().collect();
            let t: Vec<char> = text.chars().collect();
            let expected = naive(&p, &t);
            prop_assert_eq!(matches(&pattern, &text), expected);
            prop_assert_eq!(Wildcard::new(&pattern).matches(&text), expected);
        }
    }
}
