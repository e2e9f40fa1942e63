//! The report for people: each finding with the lines to blame, then what was looked at.
//!
//! In: a report. Out: lines that stand on their own in a terminal, a CI log or behind `remote: `. Errors come first, since
//! they are what refuses a change, and each clause of a policy is shown once, not once per resource. Past the cap
//! findings are counted by rule; the totals at the end always cover all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use annotate_snippets::{
    AnnotationKind, Group, Level, Message, Origin, Padding, Renderer, Snippet, renderer::DecorStyle,
};
use anstyle::{AnsiColor, Style};

use super::{Options, Report, Tally, Trace, escape};
use crate::{
    finding::{Action, Finding, Place, Related, Severity, Status},
    span::Span,
};

/// Writes the report.
pub(super) fn write(report: &Report, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page::new(options);
    let findings = report.by_urgency();
    let groups = groups(&findings, options.grouped);
    let mut shown = 0;
    for group in groups.iter().take(options.max_findings) {
        // The first is shown whatever the cap: a refusal without a reason helps nobody.
        let text = page.group(group);
        if shown > 0 && page.lines + text.lines().count() > options.max_lines {
            break;
        }
        page.push(&text);
        shown += 1;
    }
    let rest: Vec<&Finding> = groups[shown..].iter().flatten().copied().collect();
    page.rest(&rest);
    page.waived(report);
    page.traces(report);
    page.summary(report);
    out.write_all(page.text.as_bytes())
}

/// Findings of the same weight, rule, verdict and message, each group where its first one stands. Those that wait for one
/// and the same thing that is not here are always a group, others only if all are to be in groups.
fn groups<'f>(findings: &[&'f Finding], all: bool) -> Vec<Vec<&'f Finding>> {
    let mut out: Vec<Vec<&Finding>> = Vec::new();
    let mut at = BTreeMap::new();
    for finding in findings {
        let status = finding.verdict.as_ref().map(|it| it.status);
        if !all && status != Some(Status::Indeterminate) {
            out.push(vec![finding]);
            continue;
        }
        // A message that names its object differs for each; a rule of a policy says the same of all.
        let message = match status {
            None => &finding.message,
            Some(Status::Indeterminate) => finding.help.first().unwrap_or(&finding.message),
            Some(_) => "",
        };
        let index = *at.entry((finding.severity, &finding.id, status, message)).or_insert(out.len());
        match out.get_mut(index) {
            Some(group) => group.push(finding),
            None => out.push(vec![finding]),
        }
    }
    out
}

/// Findings of a group that are named beside the first.
const MAX_PLACES: usize = 10;

/// The text so far, and what in it need not be said again.
struct Page<'a> {
    options: &'a Options,
    renderer: Renderer,
    /// Clauses that have been shown with their source.
    seen: BTreeSet<(String, String, Span)>,
    text: String,
    lines: usize,
}

impl<'a> Page<'a> {
    fn new(options: &'a Options) -> Self {
        let renderer = if options.color { Renderer::styled() } else { Renderer::plain() };
        let decor = if options.unicode { DecorStyle::Unicode } else { DecorStyle::Ascii };
        let renderer = renderer.decor_style(decor).term_width(options.width);
        Self { options, renderer, seen: BTreeSet::new(), text: String::new(), lines: 0 }
    }

    fn push(&mut self, text: &str) {
        self.lines += text.lines().count();
        self.text.push_str(text);
    }

    /// The first of a group in full, then where the others are.
    fn group(&mut self, group: &[&Finding]) -> String {
        let mut out = String::new();
        let Some((first, others)) = group.split_first() else { return out };
        out.push_str(&self.finding(first));
        if others.is_empty() {
            return out;
        }
        out.push_str(&format!("the same in {}:\n", count(others.len(), "other place")));
        for it in others.iter().take(MAX_PLACES) {
            let object = it.verdict.as_ref().map(|it| format!(" {}", escape::line(&it.resource.title())));
            let line = format!("  {}{}", position(&it.primary), object.unwrap_or_default());
            out.push_str(&wrap(&line, self.options.width, "    "));
            out.push('\n');
        }
        if others.len() > MAX_PLACES {
            out.push_str(&format!("  ... and {} more\n", others.len() - MAX_PLACES));
        }
        out.push('\n');
        out
    }

    /// One finding in full, with an empty line after it.
    fn finding(&mut self, finding: &Finding) -> String {
        let mut out = self.title(finding);
        let mut notes = Vec::new();
        let mut group = Group::with_level(level(finding.severity));
        let (same, others): (Vec<_>, Vec<_>) =
            finding.related.iter().partition(|it| shares_lines(&it.place, &finding.primary));
        group = show(group, AnnotationKind::Primary, &finding.primary, &finding.label, &same);
        for other in &others {
            let at = (finding.id.clone(), other.place.path.to_string(), other.place.span);
            if self.seen.insert(at) {
                group = show(group, AnnotationKind::Context, &other.place, &other.label, &[]);
            } else {
                notes.push((Level::NOTE, format!("{}: {}", other.label, position(&other.place))));
            }
        }
        if let Some(object) = object(finding) {
            notes.insert(0, (Level::NOTE.with_name("object"), object));
        }
        notes.extend(finding.notes.iter().map(|it| (Level::NOTE, it.clone())));
        notes.extend(finding.help.iter().map(|it| (Level::HELP, it.clone())));
        let bare = finding.primary.excerpt.text.is_empty() && others.iter().all(|it| it.place.excerpt.text.is_empty());
        if !notes.is_empty() && !bare {
            group = group.element(Padding);
        }
        for (level, text) in notes {
            group = group.element(self.message(level, &text));
        }
        self.body(group, bare, &mut out);
        out
    }

    /// What stands below a title, with an empty line after it. Without a gutter the renderer starts at the margin.
    fn body(&self, group: Group<'_>, is_bare: bool, out: &mut String) {
        let margin = if is_bare { " " } else { "" };
        for line in self.renderer.render(&[group]).lines() {
            out.push_str(margin);
            out.push_str(line);
            out.push('\n');
        }
        out.push('\n');
    }

    /// `error[policy/rule]: what is wrong`, wrapped.
    fn title(&self, finding: &Finding) -> String {
        self.heading(finding.severity.as_str(), color(finding.severity), &finding.id, &finding.message)
    }

    fn heading(&self, word: &str, style: Style, id: &str, text: &str) -> String {
        let head = format!("{word}[{}]", escape::line(id).replace(' ', "_"));
        let text = wrap(&format!("{head}: {}", escape::paragraph(text.trim())), self.options.width, "  ");
        // The head holds no space, so that wrapping leaves it whole.
        let rest = text.strip_prefix(&head).unwrap_or(&text);
        format!("{}{}\n", self.paint(style, &head), self.paint(Style::new().bold(), rest))
    }

    fn message(&self, level: Level<'static>, text: &str) -> Message<'static> {
        // Room for ` = note: ` and the widest usual gutter.
        level.message(wrap(&escape::paragraph(text.trim()), self.options.width.saturating_sub(14), ""))
    }

    /// What the caps left out, by rule.
    fn rest(&mut self, findings: &[&Finding]) {
        if findings.is_empty() {
            return;
        }
        let mut by_rule = BTreeMap::<(Severity, &str), usize>::new();
        for finding in findings {
            *by_rule.entry((finding.severity, &finding.id)).or_default() += 1;
        }
        let mut rows: Vec<_> = by_rule.into_iter().collect();
        rows.sort_by_key(|((severity, id), n)| (*severity, usize::MAX - n, *id));
        self.push(&format!("... and {} more:\n", findings.len()));
        let digits = rows.iter().map(|(_, n)| n.to_string().len()).max().unwrap_or(1);
        for ((severity, id), n) in rows.iter().take(MAX_ROWS) {
            let line = format!("  {n:>digits$} x {}[{}]\n", severity.as_str(), escape::line(id));
            self.push(&line);
        }
        if let Some(others) = rows.get(MAX_ROWS..).filter(|it| !it.is_empty()) {
            let n: usize = others.iter().map(|(_, n)| n).sum();
            self.push(&format!("  {n:>digits$} x {}\n", count(others.len(), "other rule")));
        }
        self.push("\n");
    }

    /// What exceptions cover: what for, and why.
    fn waived(&mut self, report: &Report) {
        let waived: Vec<_> = report.findings.iter().filter_map(|it| Some((it, it.waived.as_ref()?))).collect();
        for (finding, waiver) in waived.iter().take(self.options.max_waived) {
            let what = finding.verdict.as_ref().map_or_else(|| finding.message.clone(), |it| it.resource.title());
            let mut out = self.heading("waived", GREEN, &finding.id, &what);
            let mut by = format!("`{}`", waiver.exception);
            if let Some(place) = &waiver.place {
                by = format!("{by} at {}", position(place));
            }
            let place = &finding.primary;
            let origin = Origin::path(escape::path(&place.path).into_owned())
                .line(place.start.line as usize)
                .char_column(place.start.column as usize);
            let mut group = Group::with_level(Level::INFO)
                .element(origin)
                .element(self.message(Level::NOTE.with_name("exception"), &by));
            if !waiver.reason.is_empty() {
                group = group.element(self.message(Level::NOTE.with_name("reason"), &waiver.reason));
            }
            self.body(group, true, &mut out);
            self.push(&out);
        }
        let n_left = waived.len().saturating_sub(self.options.max_waived);
        if n_left > 0 {
            self.push(&format!("... and {n_left} more waived; --show-waived lists them\n\n"));
        }
    }

    /// How each rule came to what it says: a heading for each object, a line for each rule, the steps below it.
    fn traces(&mut self, report: &Report) {
        let mut heading = None;
        let mut others = 0;
        for (index, trace) in report.traces.iter().enumerate() {
            let object = format!("{}: {}", position(&trace.at), escape::line(&trace.resource.title()));
            if heading.as_ref() != Some(&object) {
                let title = self.paint(Style::new().bold(), &object);
                self.push(&format!("explain: {title}\n"));
                heading = Some(object);
            }
            if trace.is_for_other_kinds {
                others += 1;
            } else {
                self.trace(trace);
            }
            let is_last = report.traces.get(index + 1).is_none_or(|next| next.at != trace.at);
            // Most rules are for other kinds: how many they are is all that there is to say of them.
            if is_last && others > 0 {
                let rules = if others == 1 { "1 rule is" } else { &format!("{others} rules are") };
                self.push(&format!("  {rules} for other kinds\n"));
                others = 0;
            }
        }
        if heading.is_some() {
            self.push("\n");
        }
    }

    fn trace(&mut self, trace: &Trace) {
        let status = trace.status.map_or("says nothing", Status::as_str);
        let name = format!("{}/{}", escape::line(&trace.policy), escape::line(&trace.rule));
        self.push(&format!("  {name}: {status}\n"));
        for (part, text, place) in &trace.steps {
            let place = place.as_ref().map(|it| format!(" ({})", position(it))).unwrap_or_default();
            let line = format!("    {part}: {}{place}", escape::line(text));
            self.push(&wrap(&line, self.options.width, "      "));
            self.push("\n");
        }
    }

    /// The totals: verdict in words first, then what it rests on.
    fn summary(&mut self, report: &Report) {
        let tally = report.tally();
        let style = match report.worst() {
            Some(severity) => color(severity),
            None => GREEN,
        };
        let headline = wrap(&headline(tally), self.options.width, "  ");
        let headline = self.paint(style, &headline);
        self.push(&headline);
        self.push("\n");
        for line in [Some(looked_at(report)), verdicts(report)].into_iter().flatten() {
            self.push(&wrap(&format!("  {line}"), self.options.width, "    "));
            self.push("\n");
        }
        for note in &report.notes {
            self.push(&wrap(&format!("  note: {}", escape::paragraph(note)), self.options.width, "    "));
            self.push("\n");
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.options.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// The color of what is in order.
const GREEN: Style = AnsiColor::Green.on_default().bold();

/// Rules named one by one among those that a cap left out.
const MAX_ROWS: usize = 10;

/// Adds the lines of `place`, and what else there is to point at in the same lines.
fn show<'a>(group: Group<'a>, kind: AnnotationKind, place: &Place, label: &str, same: &[&Related]) -> Group<'a> {
    let path = escape::path(&place.path).into_owned();
    let excerpt = &place.excerpt;
    if excerpt.text.is_empty() {
        let origin = Origin::path(path).line(place.start.line as usize).char_column(place.start.column as usize);
        return group.element(origin);
    }
    let (mut text, mut mark) = escape::source(&excerpt.text, excerpt.mark.range());
    if !excerpt.whole_lines {
        // The renderer counts columns in what it is given, and leaves out white space that it has no room for.
        let pad = (place.start.column as usize - 1).saturating_sub(text[..mark.start].chars().count());
        text.insert_str(0, &" ".repeat(pad));
        mark = mark.start + pad..mark.end + pad;
    }
    let annotation = |kind: AnnotationKind, mark, label: &str| {
        let label = escape::line(label);
        kind.span(mark).label((!label.is_empty()).then_some(label))
    };
    let mut snippet = Snippet::source(text)
        .line_start(excerpt.first_line as usize)
        .path(path)
        .annotation(annotation(kind, mark, label));
    for other in same {
        let (_, mark) = escape::source(&excerpt.text, other.place.excerpt.mark.range());
        snippet = snippet.annotation(annotation(AnnotationKind::Context, mark, &other.label));
    }
    group.element(snippet)
}

fn shares_lines(a: &Place, b: &Place) -> bool {
    a.path == b.path
        && a.excerpt.whole_lines
        && a.excerpt.first_line == b.excerpt.first_line
        && a.excerpt.text == b.excerpt.text
}

/// Which object it is about, who refuses it, and what a cluster would do.
fn object(finding: &Finding) -> Option<String> {
    let verdict = finding.verdict.as_ref()?;
    let mut out = verdict.resource.title();
    match (verdict.status, verdict.action) {
        (Status::Fail, Action::Enforce) => out.push_str(", which a cluster would refuse"),
        (Status::Fail | Status::Warn, Action::Audit) => out.push_str(", which a cluster would let in and report"),
        (Status::Warn, Action::Enforce) => out.push_str(", which a cluster would let in with a warning"),
        (Status::Indeterminate, _) => out.push_str(", not decided: it takes a cluster or a registry"),
        (Status::Error, _) => out.push_str(", not decided: the rule could not be evaluated"),
        (Status::Pass | Status::Skip, _) => {}
    }
    Some(out)
}

/// How many findings of which weight, in words.
pub(super) fn headline(tally: Tally) -> String {
    let mut parts = Vec::new();
    for (n, word) in [(tally.errors, "error"), (tally.warnings, "warning")] {
        if n > 0 {
            parts.push(count(n, word));
        }
    }
    if tally.infos > 0 {
        parts.push(format!("{} for information", tally.infos));
    }
    let mut out = if parts.is_empty() { "no findings".to_owned() } else { list(&parts) };
    if tally.waived > 0 {
        let by = if tally.waived == 1 { "an exception" } else { "exceptions" };
        out = format!("{out}; {} waived by {by}", tally.waived);
    }
    if tally.known > 0 {
        out = format!("{out}; {} in the baseline", tally.known);
    }
    out
}

/// What was looked at, in words.
pub(super) fn looked_at(report: &Report) -> String {
    let summary = &report.summary;
    let it = &summary.documents;
    let parts: Vec<_> = [
        (it.manifests, "manifest"),
        (it.policies, "policy"),
        (it.exceptions, "exception"),
        (it.kustomize, "kustomization"),
        (it.patches, "Kustomize patch"),
        (it.helm, "Helm template"),
        (it.suites, "test suite"),
        (it.values, "configuration file"),
        (it.other, "other document"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| count(n, word))
    .collect();
    let files = count(summary.files, "file");
    if parts.is_empty() { format!("looked at {files}") } else { format!("looked at {files}: {}", list(&parts)) }
}

/// How policy rules went, in words; `None` when none was evaluated.
pub(super) fn verdicts(report: &Report) -> Option<String> {
    let it = &report.summary.rules;
    let parts: Vec<_> = [
        (it.pass, "pass"),
        (it.fail, "fail"),
        (it.warn, "warn"),
        (it.error, "error"),
        (it.skip, "skip"),
        (it.indeterminate, "indeterminate"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    (!parts.is_empty()).then(|| format!("policy rules: {}", list(&parts)))
}

/// `3 policies`, `1 policy`.
fn count(n: usize, word: &str) -> String {
    match (n, word.strip_suffix('y')) {
        (1, _) => format!("1 {word}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) if word.ends_with("ch") => format!("{n} {word}es"),
        (_, None) => format!("{n} {word}s"),
    }
}

/// `a, b and c`.
fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `path:line:column`, safe to print.
fn position(place: &Place) -> String {
    format!("{}:{}:{}", escape::path(&place.path), place.start.line, place.start.column)
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    }
}

fn color(severity: Severity) -> Style {
    match severity {
        Severity::Error => AnsiColor::BrightRed.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Info => AnsiColor::BrightBlue.on_default().bold(),
    }
}

/// Breaks lines at spaces to stay within `width` characters; `hang` indents what follows a break. A word longer than a
/// line stays whole, since it is a path or an address that someone wants to copy.
pub(crate) fn wrap(text: &str, width: usize, hang: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            out.push('\n');
            out.push_str(hang);
        }
        let body = line.trim_start();
        let indent = &line[..line.len() - body.len()];
        out.push_str(indent);
        let mut used = indent.len() + if number > 0 { hang.len() } else { 0 };
        for (at, word) in body.split(' ').enumerate() {
            let length = word.chars().count();
            if at > 0 && used + 1 + length > width {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
                out.push_str(hang);
                used = hang.len();
            } else if at > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += length;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_words_and_long_words_stay_whole() {
        assert_eq!(wrap("one two three", 8, "  "), "one two\n  three");
        assert_eq!(wrap("one https://example.com/a/b two", 10, ""), "one\nhttps://example.com/a/b\ntwo");
        assert_eq!(wrap("a\nb", 10, "  "), "a\n  b");
        assert_eq!(wrap("", 10, "  "), "");
    }

    #[test]
    fn counts_are_english() {
        assert_eq!(count(1, "policy"), "1 policy");
        assert_eq!(count(2, "policy"), "2 policies");
        assert_eq!(count(0, "file"), "0 files");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
