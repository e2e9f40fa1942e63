//! Each file `tests/engine/AREA/*.yaml` is one case: policies, exceptions and objects, with marks that say what each rule
//! must say of each object.
//!
//! ```yaml
//! # The first line says the idea.
//! { apiVersion: example.com/v1, kind: Widget, metadata: { name: two }, grace: 2 } #~ fail at-most-1s @ `2`: too long
//! ```
//!
//! - `#~ STATUS RULE…` at the end of a line, or on a line of its own above it, expects that row. For a failure the
//!   primary span must begin on that line; other rows only belong to the object of the same document. RULE may be
//!   `POLICY/RULE`. Rows other than `pass` must be marked, `pass` may be.
//! - STATUS is Kyverno's word, or `none` for a rule that must say nothing (`none *`: no rule says anything). `schema`
//!   and `invalid` expect a policy that takes no part, `unreadable` broken YAML; they name no rule.
//! - ``@ `text` `` is the exact text under the primary span, ``by `text` `` that of the clause in the policy; `⏎` is a
//!   line break, and marks within it are left out; ``help `text` `` is what helps. `(Enforce)` is what a failure does.
//!   `: text` is the message. Clause, help and message may be a part, after `…`.
//! - `#? { operation: UPDATE, user: jane }` says how an object is asked for ([`Asked`]); in the first document it holds
//!   for the whole file.
//!
//! `ADMIT_BLESS=1 cargo test --test cases` rewrites the marks; read the difference like code. A part that a mark doesn't
//! have isn't added, an empty one (`@`, `:`) is filled in.

#![expect(clippy::disallowed_methods, reason = "tests read and write their own files")]

use std::{env, fs, ops::Not, path::Path};

use admit::testing::{Asked, Row, judge};
use libtest_mimic::{Arguments, Trial};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut trials = Vec::new();
    for area in entries(&root.join("tests/engine")) {
        for file in entries(&root.join("tests/engine").join(&area)) {
            let path = format!("tests/engine/{area}/{file}");
            let name = format!("{area}/{}", file.trim_end_matches(".yaml"));
            let full = root.join(&path);
            trials.push(Trial::test(name, move || run(&path, &full).map_err(Into::into)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("the folder of the cases");
    let mut names: Vec<String> =
        names.map(|it| it.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn run(path: &str, full: &Path) -> Result<(), String> {
    let text = fs::read_to_string(full).map_err(|error| error.to_string())?;
    if !text.starts_with("# ") {
        return Err("the first line says the idea, as a comment".to_owned());
    }
    let case = Case::read(&text)?;
    let rows = judge(path, &text, &|line| case.asked(line));
    let (problems, marks) = case.compare(&rows);
    if problems.is_empty() {
        return Ok(());
    }
    if env::var_os("ADMIT_BLESS").is_some() {
        let blessed = case.with_marks(&marks);
        fs::write(full, &blessed).map_err(|error| error.to_string())?;
        let case = Case::read(&blessed)?;
        let (problems, _) = case.compare(&judge(path, &blessed, &|line| case.asked(line)));
        return if problems.is_empty() { Ok(()) } else { Err(format!("blessed, but:\n{}", problems.join("\n"))) };
    }
    Err(problems.join("\n"))
}

/// What rows are expected of a line.
#[derive(Clone, Debug, Default)]
struct Mark {
    /// The line that it is about, from 1.
    line: u32,
    /// It stands on a line of its own.
    own: bool,
    status: String,
    rules: Vec<String>,
    action: Option<String>,
    covered: Option<String>,
    clause: Option<String>,
    help: Option<String>,
    text: Option<String>,
}

/// A file, with its marks taken out.
struct Case<'t> {
    lines: Vec<&'t str>,
    marks: Vec<Mark>,
    /// How the objects of a document are asked for, by the number of the document.
    asked: Vec<(usize, Asked)>,
}

impl<'t> Case<'t> {
    fn read(text: &'t str) -> Result<Self, String> {
        let mut case = Case { lines: text.lines().collect(), marks: Vec::new(), asked: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let line_number = index as u32 + 1;
            if let Some((_, asked)) = line.split_once("#?") {
                let asked = serde_yaml::from_str(asked).map_err(|error| format!("line {line_number}: {error}"))?;
                case.asked.push((case.document(line_number), asked));
            }
            let mut parts = line.split("#~");
            let own = parts.next().is_none_or(|content| content.trim().is_empty());
            let target =
                if own { index + case.lines[index..].iter().take_while(|it| is_comment(it)).count() } else { index };
            for part in parts {
                let mark = Mark::parse(part).ok_or_else(|| format!("line {line_number}: what is `{part}`?"))?;
                case.marks.push(Mark { line: target as u32 + 1, own, ..mark });
            }
        }
        Ok(case)
    }

    /// The number of the document that a line belongs to.
    fn document(&self, line: u32) -> usize {
        self.lines.iter().take(line as usize).filter(|it| it.starts_with("---")).count()
    }

    fn asked(&self, line: u32) -> Asked {
        let wanted = self.document(line);
        let of = |document| self.asked.iter().find(|(it, _)| *it == document).map(|(_, asked)| asked.clone());
        of(wanted).or_else(|| of(0)).unwrap_or_default()
    }

    /// What is wrong, and the marks that would be right.
    fn compare(&self, rows: &[Row]) -> (Vec<String>, Vec<Mark>) {
        let (mut problems, mut right) = (Vec::new(), Vec::new());
        let mut open: Vec<&Row> = rows.iter().collect();
        let rules = |mark: &Mark| if mark.rules.is_empty() { vec![String::new()] } else { mark.rules.clone() };
        for mark in &self.marks {
            let document = self.document(mark.line);
            for rule in rules(mark) {
                let one =
                    Mark { rules: rule.is_empty().not().then(|| rule.clone()).into_iter().collect(), ..mark.clone() };
                let of_rule = |row: &&&Row| names(&rule, row) && self.document(row.line) == document;
                let best = open
                    .iter()
                    .filter(of_rule)
                    .max_by_key(|row| {
                        (
                            row.status == mark.status,
                            row.line == mark.line,
                            Some(&shown(&row.covered)) == mark.covered.as_ref(),
                        )
                    })
                    .copied();
                let Some(row) = best else {
                    if mark.status != "none" {
                        problems.push(format!("line {}: {one} is expected, but the rule says nothing", mark.line));
                    }
                    right.push(Mark { status: "none".to_owned(), ..bare(&one) });
                    continue;
                };
                open.retain(|it| !std::ptr::eq(*it, row));
                let corrected = one.corrected(row, rows);
                if corrected.to_string() != one.to_string() || corrected.line != one.line {
                    let (now, message) = (corrected.filled(row), &row.message);
                    problems.push(format!(
                        "line {}: {one} is expected, but line {}: {now}: {message}",
                        mark.line, row.line
                    ));
                }
                right.push(corrected);
            }
        }
        for row in open.into_iter().filter(|row| row.status != "pass") {
            let mark = Mark { covered: is_located(row).then(String::new), ..Mark::default() }.corrected(row, rows);
            problems.push(format!("line {}: no mark for {}: {}", row.line, mark.filled(row), row.message));
            right.push(mark);
        }
        (problems, right)
    }

    /// The file with other marks.
    fn with_marks(&self, marks: &[Mark]) -> String {
        let mut out = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            let content = line.split_once("#~").map_or(*line, |(content, _)| content);
            if content.trim().is_empty() && content.len() < line.len() {
                continue;
            }
            let here = joined(marks.iter().filter(|mark| mark.line as usize == index + 1));
            let indent = &content[..content.len() - content.trim_start().len()];
            let own = here.iter().filter(|mark| mark.own).map(|mark| format!("{indent}#~ {mark}\n"));
            out.extend(own);
            let trailing: Vec<_> = here.iter().filter(|mark| !mark.own).map(|mark| format!(" #~ {mark}")).collect();
            let content = if trailing.is_empty() && content.len() == line.len() { content } else { content.trim_end() };
            out.extend([content, &trailing.concat(), "\n"]);
        }
        out
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Whether a mark's rule is that of a row.
fn names(rule: &str, row: &Row) -> bool {
    rule == "*"
        || rule == row.rule
        || rule.strip_suffix(&row.rule).and_then(|it| it.strip_suffix('/')) == Some(&row.policy)
}

/// Whether the line of a row matters.
fn is_located(row: &Row) -> bool {
    !matches!(row.status, "pass" | "skip" | "error" | "indeterminate")
}

/// A text on one line, without marks that stand in it.
fn shown(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("#~").map_or(line, |(content, _)| content.trim_end()));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("⏎")
}

fn bare(mark: &Mark) -> Mark {
    Mark { action: None, covered: None, clause: None, help: None, text: None, ..mark.clone() }
}

/// Marks of one line, those without details as one.
fn joined<'m>(marks: impl Iterator<Item = &'m Mark>) -> Vec<Mark> {
    let mut out: Vec<Mark> = Vec::new();
    for mark in marks {
        let plain =
            |it: &Mark| it.to_string() == bare(it).to_string() && it.own == mark.own && it.status == mark.status;
        match out.iter_mut().find(|it| plain(it) && plain(mark)) {
            Some(known) => known.rules.extend(mark.rules.iter().cloned()),
            None => out.push(mark.clone()),
        }
    }
    out
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let mut mark = Mark::default();
        let mut rest = text.trim();
        loop {
            rest = rest.trim_start();
            if let Some(text) = rest.strip_prefix(':') {
                mark.text = Some(text.trim().to_owned());
                return Some(mark);
            }
            if let Some(after) = rest.strip_prefix('@') {
                (mark.covered, rest) = quoted(after).map(|(text, rest)| (Some(text), rest))?;
                continue;
            }
            if let Some(after) = rest.strip_prefix("by ") {
                (mark.clause, rest) = quoted(after).map(|(text, rest)| (Some(text), rest))?;
                continue;
            }
            let end = rest.find([' ', ':']).unwrap_or(rest.len());
            match &rest[..end] {
                "" => return Some(mark),
                "help" => {
                    (mark.help, rest) = quoted(&rest[end..]).map(|(text, rest)| (Some(text), rest))?;
                    continue;
                }
                word if mark.status.is_empty() => word.clone_into(&mut mark.status),
                word if word.starts_with('(') => mark.action = Some(word.trim_matches(['(', ')']).to_owned()),
                word => mark.rules.push(word.to_owned()),
            }
            rest = &rest[end..];
        }
    }

    /// The mark that a row needs, with the parts of this one.
    fn corrected(&self, row: &Row, rows: &[Row]) -> Mark {
        let shared = rows.iter().any(|it| it.rule == row.rule && it.policy != row.policy);
        let is_known = self.rules.first().is_some_and(|rule| rule != "*" && names(rule, row));
        let text_of = |text: &String, now: &str| match text.strip_prefix('…') {
            Some(part) if now.contains(part) => text.clone(),
            _ => now.to_owned(),
        };
        let id = if shared { format!("{}/{}", row.policy, row.rule) } else { row.rule.clone() };
        let line = if self.line > 0 && !is_located(row) { self.line } else { row.line };
        Mark {
            line,
            own: self.own,
            status: row.status.to_owned(),
            rules: if is_known { self.rules.clone() } else { id.is_empty().not().then_some(id).into_iter().collect() },
            action: self.action.as_ref().map(|_| row.action.to_owned()),
            covered: self.covered.as_ref().map(|_| shown(&row.covered)),
            clause: self.clause.as_ref().map(|text| text_of(text, &shown(&row.clause))),
            help: self.help.as_ref().map(|text| text_of(text, &row.help)),
            text: self.text.as_ref().map(|text| text_of(text, &shown(&row.message))),
        }
    }

    /// The mark with the covered text, for people.
    fn filled(&self, row: &Row) -> Mark {
        Mark { covered: Some(shown(&row.covered)), text: None, ..self.clone() }
    }
}

/// Text between backticks, and what follows; a text that holds one, or nothing, stands between two and a space.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let fence = &text[..text.len() - text.trim_start_matches('`').len()];
    if fence.is_empty() {
        return Some((String::new(), text));
    }
    let (open, close) = if fence.len() > 1 { ("`` ", " ``") } else { ("`", "`") };
    let (inside, rest) = text.strip_prefix(open)?.split_once(close)?;
    Some((inside.to_owned(), rest))
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |text: &str| !text.is_empty() && !text.contains('`');
        let quote = |text: &str| if plain(text) { format!("`{text}`") } else { format!("`` {text} ``") };
        f.write_str(&self.status)?;
        self.rules.iter().try_for_each(|rule| write!(f, " {rule}"))?;
        self.action.iter().try_for_each(|action| write!(f, " ({action})"))?;
        self.covered.iter().try_for_each(|text| write!(f, " @ {}", quote(text)))?;
        self.clause.iter().try_for_each(|text| write!(f, " by {}", quote(text)))?;
        self.help.iter().try_for_each(|text| write!(f, " help {}", quote(text)))?;
        self.text.iter().try_for_each(|text| write!(f, ": {text}"))
    }
}
