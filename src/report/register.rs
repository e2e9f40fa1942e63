//! The register of exceptions: as a table, as JSON, as Markdown.
//!
//! In: rows. Out: bytes; the same rows, the same bytes.

use std::io;

use super::escape;
use crate::governance::register::{Exempted, Row, tally};

/// One way to write the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people at a terminal.
    Table,
    /// For programs: everything that is known.
    Json,
    /// For a summary or a page.
    Markdown,
}

/// Writes the register.
pub(crate) fn write(rows: &[Row], form: Form, out: &mut dyn io::Write) -> io::Result<()> {
    match form {
        Form::Table => table(rows, out),
        Form::Json => {
            serde_json::to_writer_pretty(&mut *out, rows).map_err(io::Error::from)?;
            out.write_all(b"\n")
        }
        Form::Markdown => markdown(rows, out),
    }
}

/// The end of an exception, for people.
fn end(row: &Row) -> String {
    match (row.days_left, row.expires.as_str()) {
        (_, "") => "never".to_owned(),
        (None, text) => text.to_owned(),
        (Some(0), text) => format!("{text} (today)"),
        (Some(1), text) => format!("{text} (1 day)"),
        (Some(days), text) if days >= 0 => format!("{text} ({days} days)"),
        (Some(_), text) => format!("{text} (past)"),
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

fn table(rows: &[Row], out: &mut dyn io::Write) -> io::Result<()> {
    let head = ["EXCEPTION", "STATE", "OWNER", "ENDS", "EXEMPTS", "WHERE"].map(str::to_owned);
    let lines: Vec<[String; 6]> = rows
        .iter()
        .map(|row| {
            [
                or_none(&row.key),
                row.state.name().to_owned(),
                or_none(&row.owner),
                escape::line(&end(row)),
                escape::line(&exempts(row)),
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
    writeln!(out, "\n{}", totals(rows))
}

/// `3 exceptions: 2 needed, 1 unused`.
fn totals(rows: &[Row]) -> String {
    let s = if rows.len() == 1 { "" } else { "s" };
    let states: Vec<String> = tally(rows).into_iter().map(|(state, n)| format!("{n} {state}")).collect();
    if states.is_empty() {
        "no exceptions".to_owned()
    } else {
        format!("{} exception{s}: {}", rows.len(), states.join(", "))
    }
}

fn markdown(rows: &[Row], out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "### Exceptions\n\n{}\n", totals(rows))?;
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "| Exception | State | Owner | Reason | Ends | Exempts |\n| --- | --- | --- | --- | --- | --- |")?;
    for row in rows {
        let place = escape::markdown_code(&format!("{}:{}", row.path, row.line));
        let exempted: Vec<String> = row.exempts.iter().map(exempted).collect();
        let exempted = if exempted.is_empty() { "nothing".to_owned() } else { exempted.join("<br>") };
        let text = |text: &str| if text.is_empty() { "–".to_owned() } else { escape::markdown(text) };
        writeln!(
            out,
            "| {}<br>{place} | {} | {} | {} | {} | {exempted} |",
            escape::markdown_code(&row.key),
            row.state.name(),
            text(&row.owner),
            text(&row.reason),
            text(&end(row)),
        )?;
    }
    Ok(())
}

fn exempted(it: &Exempted) -> String {
    format!("{} from {}, would {}", escape::markdown(&it.object), escape::markdown_code(&it.rule), it.would)
}

#[cfg(test)]
mod tests {
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
        }
    }

    fn text(form: Form) -> String {
        let mut out = Vec::new();
        write(&[row("delta/tool", State::Needed), row("delta/old\u{1b}", State::Unused)], form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_has_a_line_for_each_exception_and_counts_states() {
        let text = text(Form::Table);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("delta/tool"), "{text}");
        assert!(lines[1].contains("2026-01-13 (12 days)  Deployment delta/tool  exceptions/tool.yaml:5"), "{text}");
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
