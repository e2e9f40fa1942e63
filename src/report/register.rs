//! The register of exceptions: as a table, as JSON, as Markdown, as a page.
//!
//! In: rows. Out: bytes; the same rows, the same bytes.

use std::io;

use super::{escape, register_html};
use crate::governance::register::{Added, Exempted, Row, tally};

/// The register, and what else a reader is told.
#[derive(Debug)]
pub(crate) struct Register {
    /// A row for each exception.
    pub rows: Vec<Row>,
    /// What was looked at, in a few words.
    pub what: String,
    /// The time from which days are counted.
    pub now: jiff::Timestamp,
    /// What is not known, and why.
    pub notes: Vec<String>,
}

/// One way to write the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people at a terminal.
    Table,
    /// For programs: everything that is known.
    Json,
    /// For a summary of a CI job.
    Markdown,
    /// For a browser.
    Html,
}

/// Writes the register.
pub(crate) fn write(register: &Register, form: Form, out: &mut dyn io::Write) -> io::Result<()> {
    match form {
        Form::Table => table(register, out),
        Form::Json => {
            serde_json::to_writer_pretty(&mut *out, &register.rows).map_err(io::Error::from)?;
            out.write_all(b"\n")
        }
        Form::Markdown => markdown(register, out),
        Form::Html => register_html::write(register, out),
    }
}

/// The end of an exception as written.
pub(super) fn end_text(row: &Row) -> &str {
    if row.expires.is_empty() { "never" } else { &row.expires }
}

/// How many days are left, for people.
pub(super) fn days(left: i64) -> String {
    match left {
        0 => "today".to_owned(),
        1 => "1 day left".to_owned(),
        -1 => "1 day ago".to_owned(),
        n if n > 0 => format!("{n} days left"),
        n => format!("{} days ago", -n),
    }
}

/// The end of an exception, for people.
fn end(row: &Row) -> String {
    match row.days_left {
        Some(left) => format!("{} ({})", end_text(row), days(left)),
        None => end_text(row).to_owned(),
    }
}

/// Who added it and when, and the commit; safe to print.
pub(super) fn added(row: &Row) -> (String, String) {
    match &row.added {
        None => (String::new(), String::new()),
        Some(Added::By { name, date, commit, .. }) => {
            (format!("{} on {date}", escape::line(name)), commit.chars().take(10).collect())
        }
        Some(Added::Unknown { unknown }) => (unknown.clone(), String::new()),
    }
}

/// What it exempts, in a few words.
fn exempts(row: &Row) -> String {
    let mut objects: Vec<&str> = row.exempts.iter().map(|it| it.object.as_str()).collect();
    objects.sort_unstable();
    objects.dedup();
    match objects.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { escape::line(text) }
}

fn table(register: &Register, out: &mut dyn io::Write) -> io::Result<()> {
    let rows = &register.rows;
    if rows.is_empty() {
        return writeln!(out, "no exceptions");
    }
    let head = ["EXCEPTION", "STATE", "OWNER", "ENDS", "EXEMPTS", "ADDED", "WHERE"].map(str::to_owned);
    let lines: Vec<[String; 7]> = rows
        .iter()
        .map(|row| {
            [
                or_none(&row.key),
                row.state.name().to_owned(),
                or_none(&row.owner),
                escape::line(&end(row)),
                escape::line(&exempts(row)),
                or_none(&added(row).0),
                format!("{}:{}", escape::path(&row.path), row.line),
            ]
        })
        .collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(&lines).map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for line in std::iter::once(&head).chain(&lines) {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    writeln!(out, "\n{}", totals(rows))?;
    register.notes.iter().try_for_each(|note| writeln!(out, "note: {}", escape::line(note)))
}

/// `3 exceptions: 2 needed, 1 unused`.
fn totals(rows: &[Row]) -> String {
    let s = if rows.len() == 1 { "" } else { "s" };
    let states: Vec<String> = tally(rows).into_iter().map(|(state, n)| format!("{n} {}", state.name())).collect();
    if states.is_empty() {
        "no exceptions".to_owned()
    } else {
        format!("{} exception{s}: {}", rows.len(), states.join(", "))
    }
}

fn markdown(register: &Register, out: &mut dyn io::Write) -> io::Result<()> {
    let rows = &register.rows;
    writeln!(out, "### Exceptions\n\n{}\n", totals(rows))?;
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "| Exception | State | Owner | Reason | Ends | Exempts | Added |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |")?;
    for row in rows {
        let place = escape::markdown_code(&format!("{}:{}", row.path, row.line));
        let exempted: Vec<String> = row.exempts.iter().map(exempted).collect();
        let exempted = if exempted.is_empty() { "nothing".to_owned() } else { exempted.join("<br>") };
        let text = |text: &str| if text.is_empty() { "–".to_owned() } else { escape::markdown(text) };
        writeln!(
            out,
            "| {}<br>{place} | {} | {} | {} | {} | {exempted} | {} |",
            escape::markdown_code(&row.key),
            row.state.name(),
            text(&row.owner),
            text(&row.reason),
            text(&end(row)),
            text(&added(row).0),
        )?;
    }
    register.notes.iter().try_for_each(|note| writeln!(out, "\n{}", escape::markdown(note)))
}

fn exempted(it: &Exempted) -> String {
    format!("{} from {}, would {}", escape::markdown(&it.object), escape::markdown_code(&it.rule), it.would)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::governance::register::State;

    fn row(key: &str, state: State) -> Row {
        let exempts = Exempted {
            object: "Deployment delta/tool".to_owned(),
            path: "apps/tool.yaml".to_owned(),
            line: 4,
            rule: "host-ns/autogen-no-host-ns".to_owned(),
            would: "fail",
        };
        Row {
            key: key.to_owned(),
            group: "kyverno.io",
            path: "exceptions/tool.yaml".to_owned(),
            line: 5,
            owner: "team-delta".to_owned(),
            reason: "reads | the process table".to_owned(),
            expires: "2026-01-13".to_owned(),
            days_left: Some(12),
            state,
            rules: vec!["host-ns/no-host-ns".to_owned()],
            exempts: if state == State::Needed { vec![exempts] } else { Vec::new() },
            added: Some(Added::By {
                name: "Ann".to_owned(),
                email: "ann@example.com".to_owned(),
                date: "2025-12-01".to_owned(),
                commit: "0123456789abcdef".to_owned(),
            }),
        }
    }

    pub(in crate::report) fn register() -> Register {
        Register {
            rows: vec![row("delta/tool", State::Needed), row("delta/old\u{1b}", State::Unused)],
            what: "the working tree".to_owned(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            notes: Vec::new(),
        }
    }

    fn text(form: Form) -> String {
        let mut out = Vec::new();
        write(&register(), form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_has_a_line_for_each_exception_and_counts_states() {
        let text = text(Form::Table);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("delta/tool"), "{text}");
        assert!(
            lines[1].contains(
                "2026-01-13 (12 days left)  Deployment delta/tool  Ann on 2025-12-01  exceptions/tool.yaml:5"
            ),
            "{text}"
        );
        assert!(lines[2].contains("nothing") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(lines[4], "2 exceptions: 1 needed, 1 unused");
    }

    #[test]
    fn markdown_keeps_cells_whole() {
        let text = text(Form::Markdown);
        assert!(text.contains("from <code>host-ns/autogen-no-host-ns</code>, would fail"), "{text}");
        assert!(!text.contains("reads | the"), "{text}");
    }

    #[test]
    fn json_has_everything() {
        let rows: serde_json::Value = serde_json::from_str(&text(Form::Json)).unwrap();
        assert_eq!(rows[0]["exempts"][0]["would"], "fail");
        assert_eq!((&rows[0]["daysLeft"], &rows[1]["state"]), (&12.into(), &"unused".into()));
    }
}
