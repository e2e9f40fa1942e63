//! Regular expressions as Go writes them.
//!
//! In: a pattern in the syntax of Go's `regexp` (RE2). Out: a matcher that takes linear time, or Go's words for why there
//! is none. The pattern is rewritten for the `regex` crate, whose classes know Unicode, whose brackets have set
//! operations, and which lacks `\Q…\E` and octal escapes.

mod syntax;

use std::{cell::RefCell, collections::HashMap, fmt::Write as _};

use regex::{Regex, RegexBuilder};

/// Most that a compiled pattern may take, in bytes.
const MAX_SIZE: usize = 1 << 20;
/// The largest count of a repetition that Go allows.
const MAX_REPEAT: u32 = 1000;
/// Compiled patterns that a thread remembers.
const REMEMBERED: usize = 128;

/// The deepest groups in each other that Go takes.
const MAX_DEPTH: u32 = 1000;

/// Why a text is no pattern, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {code}: `{expression}`")]
pub(crate) struct RegexError {
    code: &'static str,
    /// The part of the pattern that is wrong.
    expression: String,
}

thread_local! {
    /// The same pattern is asked for each resource. Only time depends on what is remembered.
    static COMPILED: RefCell<HashMap<String, Result<Regex, RegexError>>> = RefCell::default();
}

/// Compiles a pattern. A thread remembers its last ones.
pub(crate) fn compile(pattern: &str) -> Result<Regex, RegexError> {
    COMPILED.with_borrow_mut(|compiled| {
        if let Some(known) = compiled.get(pattern) {
            return known.clone();
        }
        if compiled.len() >= REMEMBERED {
            compiled.clear();
        }
        let fresh = build(pattern);
        compiled.insert(pattern.to_owned(), fresh.clone());
        fresh
    })
}

fn build(pattern: &str) -> Result<Regex, RegexError> {
    syntax::check(pattern)?;
    let rewritten = rewrite(pattern);
    let mut builder = RegexBuilder::new(&rewritten);
    builder.size_limit(MAX_SIZE).dfa_size_limit(MAX_SIZE).nest_limit(MAX_DEPTH);
    builder.build().map_err(|error| {
        let code = match error {
            regex::Error::CompiledTooBig(_) => "expression too large",
            regex::Error::Syntax(text) if text.contains("nest") => "expression nests too deeply",
            // What only Go takes, such as flags that stand before a repetition.
            _ => "expression not known here",
        };
        RegexError { code, expression: pattern.to_owned() }
    })
}

/// Go's classes of ASCII, as they stand within brackets: letter, members, the others.
const CLASSES: [(char, &str); 3] = [('d', "0-9"), ('w', "0-9A-Za-z_"), ('s', "\\t\\n\\f\\r ")];

/// A pattern that Go takes, in the syntax of the `regex` crate.
fn rewrite(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    // Whether what was read last may begin a range, and whether a range waits for its end.
    let (mut low, mut is_range) = (false, false);
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = escape(after, in_class, &mut out),
            '[' if in_class => {
                let named = after.find(":]").filter(|_| after.starts_with(':')).map(|end| after.split_at(end + 2));
                if let Some((name, behind)) = named {
                    out.extend(["[", name]);
                    rest = behind;
                } else {
                    out.push_str("\\[");
                    rest = after;
                }
            }
            '[' => {
                in_class = true;
                out.push('[');
                rest = after;
                if let Some(negated) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = negated;
                }
                // A bracket that stands first closes nothing.
                if let Some(literal) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = literal;
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
                rest = after;
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
                rest = after;
            }
            '-' if in_class && low && !after.starts_with(']') => {
                out.push('-');
                rest = after;
                // A dash at the end of a range is a member, not an operation.
                if let Some(dashed) = rest.strip_prefix('-') {
                    out.push_str("\\-");
                    rest = dashed;
                    low = false;
                    continue;
                }
                is_range = true;
            }
            '-' if in_class => {
                out.push_str("\\-");
                rest = after;
            }
            '(' if !in_class && after.starts_with("?)") => rest = &after[2..],
            '{' if !in_class => {
                let (count, behind) = after.split_at(repetition(after));
                out.extend([if count.is_empty() { "\\{" } else { "{" }, count]);
                rest = behind;
            }
            _ => {
                out.push(c);
                rest = after;
            }
        }
        let is_dash = c == '-' && is_range;
        let is_set = c == '[' || (c == '\\' && after.starts_with(['d', 'D', 'w', 'W', 's', 'S', 'p', 'P']));
        if !is_dash {
            low = in_class && !is_set && !is_range;
            is_range = false;
        }
    }
    out
}

/// Rewrites what follows a backslash; gives what follows that.
fn escape<'p>(after: &'p str, in_class: bool, out: &mut String) -> &'p str {
    let Some(c) = after.chars().next() else { return after };
    let rest = &after[c.len_utf8()..];
    if let Some((_, members)) = CLASSES.iter().find(|(letter, _)| letter.eq_ignore_ascii_case(&c)) {
        let negation = if c.is_ascii_uppercase() { "^" } else { "" };
        match (in_class, negation) {
            (true, "") => out.push_str(members),
            _ => out.extend(["[", negation, members, "]"]),
        }
        return rest;
    }
    match c {
        'Q' => {
            let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            literal.chars().for_each(|c| out.push_str(&regex::escape(&c.to_string())));
            return rest;
        }
        'b' | 'B' if !in_class => out.extend(["(?-u:\\", if c == 'b' { "b" } else { "B" }, ")"]),
        'p' | 'P' => {
            let (negated, name) = match rest.strip_prefix("{^") {
                Some(name) => (c == 'p', name),
                None => (c == 'P', rest.strip_prefix('{').unwrap_or("")),
            };
            if name.is_empty() {
                out.extend(["\\", if c == 'P' { "P" } else { "p" }]);
                return rest;
            }
            out.push_str(if negated { "\\P{" } else { "\\p{" });
            return name;
        }
        '0'..='7' => {
            let digits = rest.bytes().take(2).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
            let code = u32::from_str_radix(&after[..=digits], 8).unwrap_or_default();
            push_code(code, out);
            return &rest[digits..];
        }
        'a' | 'f' | 'n' | 'r' | 't' | 'v' | 'x' | 'A' | 'z' => out.extend(['\\', c]),
        c => push_code(c as u32, out),
    }
    rest
}

/// A character by its number, which is no syntax whatever the character.
fn push_code(code: u32, out: &mut String) {
    // Writing to a string doesn't fail.
    let _ = write!(out, "\\x{{{code:x}}}");
}

/// The length of `n}`, `n,}` or `n,m}` at the beginning; 0 when the brace is a literal.
fn repetition(after: &str) -> usize {
    let Some(end) = after.find('}') else { return 0 };
    let is_number = |text: &str| {
        !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
    };
    let counts = match after[..end].split_once(',') {
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
        None => is_number(&after[..end]),
    };
    if counts { end + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> Option<bool> {
        compile(pattern).ok().map(|regex| regex.is_match(text))
    }

    #[test]
    fn classes_know_ascii_only() {
        for (pattern, text, expected) in [
            (r"^\d$", "7", true),
            (r"^\d$", "٣", false),
            (r"^[\d-]+$", "1-2", true),
            (r"^\w$", "é", false),
            (r"^[^\W]$", "a", true),
            (r"^[\W]$", "a", false),
            (r"^\s$", "\u{a0}", false),
            (r"\bjcmd\b", "run jcmd 1", true),
            (r"a\b", "aé", true),
            (r"^\S+$", "a\tb", false),
        ] {
            assert_eq!(matches(pattern, text), Some(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn brackets_have_no_set_operations() {
        for (pattern, text, expected) in [
            ("^[a&&b]+$", "a&b", true),
            ("^[a[b]+$", "[ab", true),
            ("^[+--]+$", "+,-", true),
            ("^[--/]+$", "-./", true),
            ("^[a-c-e]+$", "b-e", true),
            ("^[a-c-e]+$", "d", false),
            (r"^[\w-]+$", "a-b", true),
            ("^[a-]+$", "a-", true),
            ("^[]a]+$", "]a", true),
            ("^[^]a]+$", "b", true),
            ("^[[:alpha:]_]+$", "a_", true),
            ("^[a~~b]$", "~", true),
        ] {
            assert_eq!(matches(pattern, text), Some(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn literals_and_repetitions() {
        for (pattern, text, expected) in [
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            ("^a{,2}$", "a{,2}", true),
            ("^a{2}$", "aa", true),
            ("^a{1,}$", "aaa", true),
            ("^{$", "{", true),
            (r"^\07$", "\u{7}", true),
            (r"^\x41\x{42}$", "AB", true),
            (r"^\/\_\<\-$", "/_<-", true),
            (r"^\p{^Greek}$", "a", true),
            (r"^\pL$", "é", true),
            ("(?i)ABC", "abc", true),
            ("^(?P<n>a)(?:b)$", "ab", true),
        ] {
            assert_eq!(matches(pattern, text), Some(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in
            ["a{1001}", r"\1", r"\8", r"\C", r"\é", "(?=a)", "(?!a)", "(?<=a)", "(?x)a", "(", "[a", "a\\", "*"]
        {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
        let error = |pattern: &str| compile(pattern).map(|_| ()).map_err(|error| error.to_string());
        let deep = ["(".repeat(2000), ")".repeat(2000)].concat();
        assert_eq!(error(&deep), Err(format!("error parsing regexp: expression nests too deeply: `{deep}`")));
    }
}
