//! Makes text of foreign origin safe to print.
//!
//! In: anything that a manifest, a policy or a file name can hold. Out: text that a terminal, a CI log or a renderer of
//! Markdown shows as it is written, and never obeys. Nothing is dropped: what can't be shown is spelled out.

use std::{borrow::Cow, fmt::Write as _, ops::Range};

/// Whether a character steers a terminal, reorders the text around it, or can't be seen.
///
/// Joiners (U+200C, U+200D) stay: scripts and emoji need them.
pub(super) fn is_hostile(it: char) -> bool {
    matches!(it,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}'
        | '\u{E0000}'..='\u{E007F}')
}

/// One line of text: line breaks become spaces, other hostile characters `\u{1b}`, log commands are broken.
pub(crate) fn line(text: &str) -> String {
    paragraph(text).split('\n').map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text of several lines: line breaks stay, other hostile characters become `\u{1b}`, log commands are broken.
///
/// CR LF and lone CR count as line breaks, a tab as four spaces.
pub(crate) fn paragraph(text: &str) -> String {
    let text =
        if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text.into() };
    let mut out = String::with_capacity(text.len());
    let mut fresh = true;
    let mut rest = &*text;
    while let Some(it) = rest.chars().next() {
        match it {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            // A runner trims a line before it looks for a command, and text is wrapped at white space.
            ':' if fresh && rest.starts_with("::") => out.push_str(":\\"),
            '#' if commands_a_runner(rest) => {
                out.push_str("##\\");
                rest = &rest[1..];
            }
            _ if is_hostile(it) => spell(it, &mut out),
            _ => out.push(it),
        }
        fresh = it.is_whitespace() || is_hostile(it);
        rest = &rest[it.len_utf8()..];
    }
    out
}

/// A file name, as Git quotes odd ones: in double quotes, with backslashes, when it holds anything that doesn't print.
pub(crate) fn path(path: &str) -> Cow<'_, str> {
    if !path.chars().any(|it| is_hostile(it) || it == '"') && !["##", "::"].iter().any(|it| path.contains(it)) {
        return path.into();
    }
    let mut out = String::from("\"");
    for it in path.chars() {
        match it {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' => out.extend(['\\', it]),
            _ if is_hostile(it) => spell(it, &mut out),
            ':' | '#' if out.ends_with(it) => out.extend(['\\', it]),
            _ => out.push(it),
        }
    }
    out.push('"');
    out.into()
}

/// Lines of source with hostile characters replaced by visible ones, and the mark moved along with them.
pub(crate) fn source(text: &str, mark: Range<usize>) -> (String, Range<usize>) {
    let mut out = String::with_capacity(text.len());
    let mut moved = 0..0;
    let mut rest = text;
    loop {
        // The last step that does not pass the mark wins, so that the new one lies on a boundary too.
        let at = text.len() - rest.len();
        if at <= mark.start {
            moved.start = out.len();
        }
        if at <= mark.end {
            moved.end = out.len();
        }
        let Some(it) = rest.chars().next() else { return (out, moved) };
        match it {
            '\n' | '\t' => out.push(it),
            // Half of a line break is no news to a reader.
            '\r' if rest.starts_with("\r\n") => {}
            '\0'..='\u{1F}' => out.push(char::from_u32(0x2400 + it as u32).unwrap_or('\u{FFFD}')),
            '\u{7F}' => out.push('\u{2421}'),
            _ if is_hostile(it) => out.push('\u{FFFD}'),
            '#' if out.ends_with('#') && commands_a_runner(&text[at - 1..]) => out.push_str("\\#"),
            _ => out.push(it),
        }
        rest = &rest[it.len_utf8()..];
    }
}

/// JSON, whose strings hold the only hostile characters: those become `\u202e`, which reads back as they were.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        if is_hostile(it) && it != '\n' {
            for unit in it.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(it);
        }
    }
    out
}

/// Data of a GitHub workflow command: what follows `::name k=v::`.
pub(super) fn workflow_data(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            '\t' => out.push(it),
            _ if is_hostile(it) => spell(it, &mut out),
            _ => out.push(it),
        }
    }
    out
}

/// A property of a GitHub workflow command: what stands between `k=` and `,` or `::`.
pub(super) fn workflow_property(text: &str) -> String {
    workflow_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text within a paragraph or a table cell of GitHub's Markdown; line breaks become `<br>`, and what stands between two
/// backticks of a line is shown as code.
pub(crate) fn markdown(text: &str) -> String {
    let text = paragraph(text);
    let line = |line: &str| {
        let parts: Vec<&str> = line.split('`').collect();
        // Backticks that are no pairs stay what they are.
        if parts.len().is_multiple_of(2) || parts.iter().skip(1).step_by(2).any(|it| it.trim().is_empty()) {
            return markdown_plain(line);
        }
        let marked = parts.iter().enumerate().map(|(n, part)| match n % 2 {
            0 => markdown_plain(part),
            _ => format!("<code>{}</code>", markdown_plain(part)),
        });
        marked.collect()
    };
    text.split('\n').map(line).collect::<Vec<String>>().join("<br>")
}

/// One line of text of GitHub's Markdown, as it is.
fn markdown_plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for it in line.chars() {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // An entity, since a backslash does not stop a mention or a link to an issue.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '|' => out.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '~' | '$' => out.extend(['\\', it]),
            _ => out.push(it),
        }
    }
    // Bare addresses would become links.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// Text within `<code>` of GitHub's Markdown, in one line.
pub(super) fn markdown_code(text: &str) -> String {
    format!("<code>{}</code>", markdown_plain(&line(text)))
}

/// Whether `##` begins a command for a CI runner here: `##[group]`, `##vso[…]`, `##teamcity[…]`. Runners look for these
/// anywhere in a line.
fn commands_a_runner(text: &str) -> bool {
    text.strip_prefix("##")
        .is_some_and(|it| it.trim_start_matches(|it: char| it.is_ascii_alphabetic()).starts_with('['))
}

fn spell(it: char, out: &mut String) {
    let _ = write!(out, "\\u{{{:x}}}", it as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_without_anything_that_steers() {
        for (text, expected) in [
            ("plain é 日本", "plain é 日本"),
            ("a\nb\r\nc\rd", "a b c d"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\u{202e}b\u{2066}\u{9b}0m\u{7f}", "a\\u{202e}b\\u{2066}\\u{9b}0m\\u{7f}"),
            ("::error::x", ":\\:error::x"),
            ("see\n  ::error::x", "see :\\:error::x"),
            ("a::b ::c", "a::b :\\:c"),
            ("\u{200b}::c", "\\u{200b}:\\:c"),
            ("x ##[add-mask]y ##vso[task]", "x ##\\[add-mask]y ##\\vso[task]"),
            ("## heading", "## heading"),
            ("family \u{1F468}\u{200d}\u{1F469}", "family \u{1F468}\u{200d}\u{1F469}"),
        ] {
            assert_eq!(line(text), expected, "{text:?}");
        }
    }

    #[test]
    fn odd_paths_are_quoted_and_others_are_not() {
        assert_eq!(path("apps/wéb.yaml"), "apps/wéb.yaml");
        assert_eq!(path("a\n::error::b\u{1b}.yaml"), "\"a\\n:\\:error:\\:b\\u{1b}.yaml\"");
        assert_eq!(path("a\"\\b"), "\"a\\\"\\\\b\"");
        assert_eq!(path("##[x]"), "\"#\\#[x]\"");
    }

    #[test]
    fn a_mark_follows_replaced_source() {
        let (text, mark) = source("a\u{1b}b ##[c] d\r\n\u{202e}", 12..13);
        assert_eq!(text, "a␛b #\\#[c] d\n\u{FFFD}");
        assert_eq!(&text[mark], "\n");
        let (text, mark) = source("\u{1b}key", 1..4);
        assert_eq!(&text[mark], "key");
    }

    #[test]
    fn workflow_commands_can_not_be_left() {
        assert_eq!(workflow_data("100%0A\n::error::x\r"), "100%250A%0A::error::x%0D");
        assert_eq!(workflow_property("a,b:c\n"), "a%2Cb%3Ac%0A");
    }

    #[test]
    fn backticks_in_pairs_are_code_and_others_are_not() {
        assert_eq!(markdown("`a*` and `<b>`"), "<code>a\\*</code> and <code>&lt;b&gt;</code>");
        assert_eq!(markdown("`a\nb`"), "\\`a<br>b\\`");
        assert_eq!(markdown("```x"), "\\`\\`\\`x");
        assert_eq!(markdown("``"), "\\`\\`");
        assert_eq!(markdown_code("a`b`c"), "<code>a\\`b\\`c</code>");
    }

    #[test]
    fn markdown_stays_text() {
        assert_eq!(
            markdown("<b>|`x`|</b> [a](http://b) @me #1\n![i](www.x)"),
            "&lt;b&gt;&#124;<code>x</code>&#124;&lt;/b&gt; \\[a\\](http&#58;//b) &#64;me &#35;1<br>\\!\\[i\\](www&#46;x)"
        );
    }
}
