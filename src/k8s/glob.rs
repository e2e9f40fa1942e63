//! Globs as `matchImageReferences` has them: `ghcr.io/*`, `r.io/{a,b}:v?`.
//!
//! `*` and `**` stand for any characters, slashes among them, `?` for one; `[a-z]` and `[!a-z]` are classes, `{a,b}` are
//! alternatives, and a backslash takes the next character as it is. The whole text must match.

use std::fmt::Write as _;

use regex::Regex;

/// A glob, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Glob(Regex);

impl Glob {
    /// Reads a glob; `None` for one with an open bracket or brace, or nothing behind a backslash.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut out = String::from("(?s)^");
        let mut depth = 0_u32;
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match char {
                '*' => out.push_str(".*"),
                '?' => out.push('.'),
                '\\' => literal(chars.next()?, &mut out),
                '[' => class(&mut chars, &mut out)?,
                '{' => {
                    depth += 1;
                    out.push_str("(?:");
                }
                '}' if depth > 0 => {
                    depth -= 1;
                    out.push(')');
                }
                ',' if depth > 0 => out.push('|'),
                other => literal(other, &mut out),
            }
        }
        out.push('$');
        if depth > 0 { None } else { Regex::new(&out).ok().map(Self) }
    }

    /// Whether a text matches as a whole.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

fn literal(char: char, out: &mut String) {
    out.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
}

/// A class behind its opening bracket. Every character is written by its number, so that none means anything.
fn class(chars: &mut std::str::Chars<'_>, out: &mut String) -> Option<()> {
    out.push('[');
    let mut next = chars.next()?;
    if next == '!' {
        out.push('^');
        next = chars.next()?;
    }
    let mut previous = None;
    loop {
        match next {
            ']' if previous.is_some() => break,
            '-' if previous.is_some() && chars.as_str().chars().next().is_some_and(|it| it != ']') => out.push('-'),
            char => {
                let char = if char == '\\' { chars.next()? } else { char };
                let _ = write!(out, "\\x{{{:x}}}", char as u32);
                previous = Some(char);
            }
        }
        next = chars.next()?;
    }
    out.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_cross_slashes_and_the_whole_text_counts() {
        for (glob, text, expected) in [
            ("ghcr.io/*", "ghcr.io/a/b:1", true),
            ("ghcr.io/**", "ghcr.io/a/b:1", true),
            ("ghcr.io/*", "xghcr.io/a", false),
            ("ghcr_io/*", "ghcr.io/a", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("r.io/{a,b*}:1", "r.io/b/c:1", true),
            ("r.io/{a,b*}:1", "r.io/c:1", false),
            ("v[0-9].[!x]", "v7.y", true),
            ("v[0-9].[!x]", "v7.x", false),
            ("[a^&&b]", "&", true),
            ("[a\\]]", "]", true),
            ("[a-]", "-", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a,b", "a,b", true),
        ] {
            let glob = Glob::parse(glob).unwrap_or_else(|| panic!("{glob} is a glob"));
            assert_eq!(glob.matches(text), expected, "{glob:?} {text}");
        }
        for text in ["[a", "{a", "a\\", "[", "[]"] {
            assert!(Glob::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_glob_or_none(text in "[a-c*?\\[\\]{},!\\\\^&-]{0,16}") {
            let _ = Glob::parse(&text);
        }
    }
}
