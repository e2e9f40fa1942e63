//! What Go refuses in a regular expression, and its words for that.
//!
//! In: a pattern. Out: nothing, or the error of Go's `regexp.Compile`. Only whether the pattern is one is told here; what
//! it matches is told by the rewritten pattern.

use super::{MAX_REPEAT, RegexError};

const PAREN: &str = "missing closing )";
const BRACKET: &str = "missing closing ]";
const RANGE: &str = "invalid character class range";
const ESCAPE: &str = "invalid escape sequence";
const SIZE: &str = "invalid repeat count";
const PERL: &str = "invalid or unsupported Perl syntax";
const NAME: &str = "invalid named capture";
const BACKSLASH: &str = "trailing backslash at end of expression";
const ARGUMENT: &str = "missing argument to repetition operator";
const NESTED: &str = "invalid nested repetition operator";
const CLOSED: &str = "unexpected )";

/// The classes that may stand as `[:name:]` between brackets.
const NAMED: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

fn refuse<T>(code: &'static str, expression: &str) -> Result<T, RegexError> {
    Err(RegexError { code, expression: expression.to_owned() })
}

/// What `whole` begins with, up to where `rest` goes on.
fn taken<'p>(whole: &'p str, rest: &str) -> &'p str {
    &whole[..whole.len() - rest.len()]
}

/// Finds what Go refuses.
pub(super) fn check(pattern: &str) -> Result<(), RegexError> {
    let mut groups = Groups { open: Vec::new(), most: 1, operand: None };
    let mut rest = pattern;
    // The repetition that was read last, with what follows it.
    let mut last: Option<&str> = None;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let mut repetition = None;
        rest = match c {
            '(' if after.starts_with('?') => group(rest, &mut groups)?,
            '(' => {
                groups.open();
                after
            }
            '|' => {
                groups.operand = None;
                after
            }
            ')' if !groups.close() => return refuse(CLOSED, pattern),
            '[' => {
                groups.push(1);
                class(rest)?
            }
            '*' | '+' | '?' => {
                repetition = Some(rest);
                groups.repeat(rest, after, last, Count { least: 0, most: None })?
            }
            '{' => match count(rest) {
                None => {
                    groups.push(1);
                    after
                }
                Some((count, after)) => {
                    repetition = Some(rest);
                    let fits = |n: u32| n <= MAX_REPEAT;
                    let ordered = count.most.is_none_or(|most| count.least <= most && fits(most));
                    if !fits(count.least) || !ordered {
                        return refuse(SIZE, taken(rest, after));
                    }
                    groups.repeat(rest, after, last, count)?
                }
            },
            '\\' if after.starts_with('C') => return refuse(ESCAPE, "\\C"),
            '\\' if after.starts_with('Q') => {
                let (literal, behind) = after[1..].split_once("\\E").unwrap_or((&after[1..], ""));
                if !literal.is_empty() {
                    groups.push(1);
                }
                behind
            }
            '\\' => {
                groups.push(1);
                match after.chars().next() {
                    Some('A' | 'b' | 'B' | 'z') => &after[1..],
                    Some('d' | 'D' | 's' | 'S' | 'w' | 'W') => &after[1..],
                    Some('p' | 'P') => unicode_class(rest)?,
                    _ => character(rest)?.1,
                }
            }
            _ => {
                if c != ')' {
                    groups.push(1);
                }
                after
            }
        };
        last = repetition;
    }
    if groups.open.is_empty() { Ok(()) } else { refuse(PAREN, pattern) }
}

/// How often something is repeated.
struct Count {
    least: u32,
    most: Option<u32>,
}

/// The groups that are open. A number beside a thing says how often repetitions in each other repeat something in it.
struct Groups {
    /// For the groups around this one.
    open: Vec<u32>,
    /// For this one.
    most: u32,
    /// For what a repetition would repeat.
    operand: Option<u32>,
}

impl Groups {
    fn push(&mut self, times: u32) {
        self.operand = Some(times);
        self.most = self.most.max(times);
    }

    fn open(&mut self) {
        self.open.push(self.most);
        (self.most, self.operand) = (1, None);
    }

    /// Whether there was a group to close.
    fn close(&mut self) -> bool {
        let Some(around) = self.open.pop() else { return false };
        let times = self.most;
        self.most = around;
        self.push(times);
        true
    }

    /// Repeats what was read last; gives what follows.
    fn repeat<'p>(
        &mut self,
        before: &'p str,
        after: &'p str,
        last: Option<&str>,
        count: Count,
    ) -> Result<&'p str, RegexError> {
        let after = after.strip_prefix('?').unwrap_or(after);
        if let Some(last) = last {
            return refuse(NESTED, taken(last, after));
        }
        let Some(inside) = self.operand else { return refuse(ARGUMENT, taken(before, after)) };
        let times = match count.most {
            Some(0) => 1,
            Some(most) => most.saturating_mul(inside),
            None => count.least.max(1).saturating_mul(inside),
        };
        if times > MAX_REPEAT {
            return refuse(SIZE, taken(before, after));
        }
        self.push(times);
        Ok(after)
    }
}

/// Reads `{n}`, `{n,}` or `{n,m}`; `None` when the brace is a literal.
fn count(text: &str) -> Option<(Count, &str)> {
    let (least, rest) = number(text.strip_prefix('{')?)?;
    let (most, rest) = match rest.strip_prefix(',') {
        None => (Some(least), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => number(rest).map(|(most, rest)| (Some(most), rest))?,
    };
    Some((Count { least, most }, rest.strip_prefix('}')?))
}

/// A number without leading zeros.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(digits);
    let written = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    written.then(|| (digits.parse().unwrap_or(u32::MAX), rest))
}

/// Reads `(?…`: a group with a name, a group without a number, or flags.
fn group<'p>(text: &'p str, groups: &mut Groups) -> Result<&'p str, RegexError> {
    let inside = &text[2..];
    let name = if text.len() > 4 && inside.starts_with("P<") { Some(4) } else { None };
    if let Some(start) = name.or((text.len() > 3 && inside.starts_with('<')).then_some(3)) {
        let Some(end) = text.find('>') else { return refuse(NAME, text) };
        let name = &text[start.min(end)..end];
        if name.is_empty() || !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
            return refuse(NAME, &text[..=end]);
        }
        groups.open();
        return Ok(&text[end + 1..]);
    }
    let (mut negated, mut flagged) = (false, false);
    let mut read = 2;
    for c in inside.chars() {
        read += c.len_utf8();
        match c {
            'i' | 'm' | 's' | 'U' => flagged = true,
            '-' if !negated => (negated, flagged) = (true, false),
            ':' | ')' if !negated || flagged => {
                if c == ':' {
                    groups.open();
                }
                return Ok(&text[read..]);
            }
            _ => break,
        }
    }
    refuse(PERL, &text[..read])
}

/// Reads `[…]`; gives what follows.
fn class(text: &str) -> Result<&str, RegexError> {
    let mut rest = &text[1..];
    rest = rest.strip_prefix('^').unwrap_or(rest);
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some(end) = rest.strip_prefix("[:").and_then(|inside| inside.find(":]")) {
            let (name, behind) = rest.split_at(end + 4);
            let own = &name[2..end + 2];
            if !NAMED.contains(&own.strip_prefix('^').unwrap_or(own)) {
                return refuse(RANGE, name);
            }
            rest = behind;
            continue;
        }
        if rest.starts_with("\\p") || rest.starts_with("\\P") {
            rest = unicode_class(rest)?;
            continue;
        }
        if rest.strip_prefix('\\').is_some_and(|it| it.starts_with(['d', 'D', 's', 'S', 'w', 'W'])) {
            rest = &rest[2..];
            continue;
        }
        let range = rest;
        let (low, behind) = member(rest, text)?;
        rest = behind;
        if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
            let (high, behind) = member(&rest[1..], text)?;
            rest = behind;
            if high < low {
                return refuse(RANGE, taken(range, rest));
            }
        }
    }
    Ok(&rest[1..])
}

/// A single character of a class.
fn member<'p>(text: &'p str, class: &str) -> Result<(u32, &'p str), RegexError> {
    match text.chars().next() {
        None => refuse(BRACKET, class),
        Some('\\') => character(text),
        Some(c) => Ok((c as u32, &text[c.len_utf8()..])),
    }
}

/// Reads an escape that stands for one character.
fn character(text: &str) -> Result<(u32, &str), RegexError> {
    let mut chars = text[1..].chars();
    let Some(c) = chars.next() else { return refuse(BACKSLASH, "") };
    let after = chars.as_str();
    match c {
        '0'..='7' => {
            let digits = after.bytes().take(2).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
            // A single digit other than zero would be a back-reference.
            if c == '0' || digits > 0 {
                let code = u32::from_str_radix(&text[1..digits + 2], 8).unwrap_or_default();
                return Ok((code, &after[digits..]));
            }
        }
        'x' => return hexadecimal(text),
        'a' => return Ok((7, after)),
        'f' => return Ok((12, after)),
        'n' => return Ok((10, after)),
        'r' => return Ok((13, after)),
        't' => return Ok((9, after)),
        'v' => return Ok((11, after)),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => return Ok((c as u32, after)),
        _ => {}
    }
    refuse(ESCAPE, taken(text, after))
}

/// Reads `\x7f` or `\x{10ffff}`.
fn hexadecimal(text: &str) -> Result<(u32, &str), RegexError> {
    let mut chars = text[2..].chars();
    let first = chars.next();
    if first != Some('{') {
        let second = first.and_then(|_| chars.next());
        let digits = [first, second].map(|c| c.and_then(|c| c.to_digit(16)));
        return match digits {
            [Some(high), Some(low)] => Ok((high * 16 + low, chars.as_str())),
            _ => refuse(ESCAPE, taken(text, chars.as_str())),
        };
    }
    let mut code = None;
    while let Some(c) = chars.next() {
        if let ('}', Some(code)) = (c, code) {
            return Ok((code, chars.as_str()));
        }
        let Some(digit) = c.to_digit(16) else { break };
        code = Some(code.unwrap_or(0) * 16 + digit);
        if code.is_some_and(|code| code > char::MAX as u32) {
            break;
        }
    }
    refuse(ESCAPE, taken(text, chars.as_str()))
}

/// Reads `\pL` or `\p{Greek}`; gives what follows.
fn unicode_class(text: &str) -> Result<&str, RegexError> {
    let mut chars = text[2..].chars();
    let (whole, name) = match chars.next() {
        None => (text, ""),
        Some('{') => {
            let Some(end) = text.find('}') else { return refuse(RANGE, text) };
            (&text[..=end], &text[3..end])
        }
        Some(_) => (taken(text, chars.as_str()), taken(&text[2..], chars.as_str())),
    };
    let name = name.strip_prefix('^').unwrap_or(name);
    let known = !name.contains(['=', ':', '!']) && regex::Regex::new(&format!("\\p{{{name}}}")).is_ok();
    if known { Ok(&text[whole.len()..]) } else { refuse(RANGE, whole) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_wrong_is_said_as_go_says_it() {
        for (pattern, said) in [
            ("(", "missing closing ): `(`"),
            ("a(b|(c)", "missing closing ): `a(b|(c)`"),
            ("a)b", "unexpected ): `a)b`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("(|+?)", "missing argument to repetition operator: `+?`"),
            ("(?i)*", "missing argument to repetition operator: `*`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a{2}{3}?", "invalid nested repetition operator: `{2}{3}?`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("(a{100}b){11,}", "invalid repeat count: `{11,}`"),
            ("[a", "missing closing ]: `[a`"),
            ("[]a", "missing closing ]: `[]a`"),
            ("[c-a]", "invalid character class range: `c-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
            (r"\p", r"invalid character class range: `\p`"),
            (r"a\", "trailing backslash at end of expression: ``"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"\C", r"invalid escape sequence: `\C`"),
            (r"\é", r"invalid escape sequence: `\é`"),
            (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
            (r"\x4", r"invalid escape sequence: `\x4`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?i-:a)", "invalid or unsupported Perl syntax: `(?i-:`"),
            ("(?", "invalid or unsupported Perl syntax: `(?`"),
            ("(?<=a)", "invalid named capture: `(?<=a)`"),
            ("(?P<é>a)", "invalid named capture: `(?P<é>`"),
        ] {
            let found = check(pattern).map_err(|error| error.to_string());
            assert_eq!(found, Err(format!("error parsing regexp: {said}")), "{pattern}");
        }
    }

    #[test]
    fn what_go_takes_is_taken() {
        for pattern in [
            "",
            "a{,2}",
            "a{01}",
            "{",
            "(?i)a*?",
            "(a{10}){100}",
            "[]a]",
            "[a-]",
            "[-a]",
            r"[\d-z]",
            r"\Q(\E*",
            "^*",
            "(?P<n>a)(?<m>b)",
            r"\pL\p{^Greek}\PL",
            r"\x41\x{42}\07\012",
            "(|a)+",
            "[[:^alpha:]_]",
            "(?i-s:a)",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }
}
