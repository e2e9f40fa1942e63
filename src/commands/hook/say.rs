//! What whoever pushes sees: every line short enough for `remote: `, none of them forged.
//!
//! In: text that is safe to print. Out: lines on standard error, each in one piece, with the prefix that the server
//! wants. Nothing is cut: what is longer than a line goes on in the next.

use std::io::{self, Write as _};

use crate::{
    report::{self, Options, Report},
    source::{Environment, Server},
};

/// Columns of a line; `remote: ` comes before it.
pub(super) const WIDTH: usize = 72;

/// Findings shown in full for each ref.
const MAX_FINDINGS: usize = 10;

/// Lines for each ref after which no further finding is begun.
const MAX_LINES: usize = 120;

/// Speaks to whoever pushes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    prefix: &'static str,
}

impl Voice {
    pub(super) fn new(environment: &Environment) -> Self {
        Self { prefix: Server::line_prefix(environment) }
    }

    /// Says something. They may be gone; the verdict stands.
    pub(super) fn say(self, text: &str) {
        let mut out = io::stderr().lock();
        for line in text.lines().flat_map(fold) {
            let _ = out.write_all(format!("{}{line}\n", self.prefix).as_bytes());
        }
    }

    /// Says something in lines broken at words.
    pub(super) fn say_wrapped(self, text: &str) {
        self.say(&report::wrap(text, WIDTH, "  "));
    }
}

/// Breaks a line that is still too long, a path most likely, wherever it is full.
fn fold(line: &str) -> Vec<String> {
    if line.len() <= WIDTH {
        return vec![line.to_owned()];
    }
    let mut out = vec![String::new()];
    let mut used = 0;
    for it in line.chars() {
        let columns = columns(it);
        if used + columns > WIDTH {
            out.push("    ".to_owned());
            used = 4;
        }
        if let Some(last) = out.last_mut() {
            last.push(it);
        }
        used += columns;
    }
    out
}

/// Columns that a terminal gives to a character: two for those of East Asia and for pictures, roughly.
fn columns(it: char) -> usize {
    let is_wide = matches!(it, '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}'
        | '\u{1F000}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFD}');
    1 + usize::from(is_wide)
}

/// The report as text: the worst first, grouped, capped.
pub(super) fn text(report: &Report) -> String {
    let options =
        Options { width: WIDTH, grouped: true, max_findings: MAX_FINDINGS, max_lines: MAX_LINES, ..Options::default() };
    let mut out = Vec::new();
    // Writing to memory doesn't fail.
    if let Some(format) = report::format("text") {
        let _ = (format.write)(report, &options, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_go_on_and_lose_nothing() {
        let line = format!("  --> {}.yaml:1:1", "a/b".repeat(60));
        let folded = fold(&line);
        assert!(folded.len() > 2 && folded.iter().all(|it| it.chars().count() <= WIDTH));
        let joined: String = folded.iter().enumerate().map(|(at, it)| if at == 0 { it } else { &it[4..] }).collect();
        assert_eq!(joined, line);
        assert_eq!(fold("short"), ["short"]);
        assert!(fold(&"\u{4e00}".repeat(60)).iter().all(|it| it.trim_start().chars().count() <= WIDTH / 2));
    }
}
