//! Tables for people, drawn with lines.
//!
//! In: a header and rows of cells. Out: text in which every cell is one line and safe to print.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::report::escape;

/// Whether results have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// No colours.
    Plain,
    /// Green, red and yellow; a stream that is no terminal drops them.
    Colours,
}

/// The style of a cell that says how something ended.
fn style(cell: &str) -> Style {
    let colour = match cell {
        "Pass" => AnsiColor::Green,
        "Fail" | "Error" => AnsiColor::Red,
        "Skip" | "Warn" => AnsiColor::Yellow,
        _ => return Style::new(),
    };
    colour.on_default()
}

/// Draws a table; nothing for no rows.
pub(crate) fn draw(header: &[&str], rows: &[Vec<String>], paint: Paint) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| escape::line(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let rule = widths.iter().fold(String::from("│"), |mut out, width| {
        let _ = write!(out, "{}│", "─".repeat(width + 2));
        out
    });
    let results = header.iter().position(|name| *name == "RESULT").filter(|_| paint == Paint::Colours);
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        widths.iter().zip(cells).enumerate().fold(String::from("│"), |mut out, (column, (width, cell))| {
            let style = if results == Some(column) { style(cell) } else { Style::new() };
            let _ = write!(out, " {style}{cell}{style:#}{} │", " ".repeat(width - cell.chars().count()));
            out
        })
    };
    let mut out = format!("{rule}\n{}\n{rule}\n", line(&mut header.iter().copied()));
    for row in &rows {
        let _ = writeln!(out, "{}", line(&mut row.iter().map(String::as_str)));
    }
    let _ = writeln!(out, "{rule}");
    out
}

/// Draws a table in GitHub's Markdown; nothing for no rows.
pub(crate) fn markdown(header: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = line(header.iter().map(|it| (*it).to_owned()).collect());
    out += &line(header.iter().map(|_| "---".to_owned()).collect());
    out.extend(rows.iter().map(|row| line(row.iter().map(|cell| escape::markdown(&escape::line(cell))).collect())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_aligned_by_characters() {
        let rows = vec![vec!["1".to_owned(), "wéb".to_owned()], vec!["20".to_owned(), "a\nb".to_owned()]];
        let expected = "\
│────│──────│
│ ID │ NAME │
│────│──────│
│ 1  │ wéb  │
│ 20 │ a b  │
│────│──────│
";
        assert_eq!(draw(&["ID", "NAME"], &rows, Paint::Colours), expected);
        assert_eq!(draw(&["ID"], &[], Paint::Plain), "");
    }

    #[test]
    fn only_results_have_colours() {
        let rows = vec![vec!["Pass".to_owned(), "Pass".to_owned()]];
        let painted = draw(&["RULE", "RESULT"], &rows, Paint::Colours);
        assert!(painted.contains("│ Pass │ \u{1b}[32mPass\u{1b}[0m   │"), "{painted:?}");
        assert!(!draw(&["RULE", "RESULT"], &rows, Paint::Plain).contains('\u{1b}'));
    }
}
