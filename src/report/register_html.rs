//! The register of exceptions as one page: nothing is loaded from anywhere, and without scripts all of it is there.
//!
//! In: rows. Out: HTML; the same rows, the same bytes. All text comes from files: the template escapes it, characters that
//! would reorder or hide text are replaced before, and the policy of the page lets only the script and the style run that
//! it was written with.

use std::io;

use askama::Template;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use super::{
    escape,
    register::{Register, added, days, end_text},
};
use crate::governance::register::{Row, State, tally};

const STYLE: &str = include_str!("templates/register.css");
const SCRIPT: &str = include_str!("templates/register.js");

/// Days before its end from which an exception is marked.
const SOON_DAYS: i64 = 14;

#[derive(Template)]
#[template(path = "register.html", config = "src/report/askama.toml")]
struct Page {
    style: &'static str,
    style_hash: String,
    script: &'static str,
    script_hash: String,
    what: String,
    date: String,
    notes: Vec<String>,
    /// State, class, count.
    totals: Vec<(&'static str, String, usize)>,
    has_history: bool,
    rows: Vec<Line>,
}

struct Line {
    key: String,
    place: String,
    state: &'static str,
    class: String,
    end: String,
    end_class: &'static str,
    end_order: String,
    left: String,
    owner: String,
    reason: String,
    rules: Vec<String>,
    exempts: Vec<Exempted>,
    exempts_count: String,
    added: String,
    added_order: String,
    commit: String,
}

struct Exempted {
    object: String,
    place: String,
    rule: String,
    would: &'static str,
}

/// Writes the page.
pub(super) fn write(register: &Register, out: &mut dyn io::Write) -> io::Result<()> {
    let rows = &register.rows;
    let page = Page {
        style: STYLE,
        style_hash: hash(STYLE),
        script: SCRIPT,
        script_hash: hash(SCRIPT),
        what: escape::line(&register.what),
        date: register.now.strftime("%Y-%m-%d").to_string(),
        notes: register.notes.iter().map(|it| escape::line(it)).collect(),
        totals: tally(rows).into_iter().map(|(state, n)| (state.name(), class(state), n)).collect(),
        has_history: rows.iter().any(|it| it.added.is_some()),
        rows: rows.iter().map(line).collect(),
    };
    let text = page.render().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

/// What a policy of content names a text by: <https://www.w3.org/TR/CSP3/#grammardef-hash-source>
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())))
}

fn class(state: State) -> String {
    state.name().replace(' ', "-")
}

fn line(row: &Row) -> Line {
    let (end_class, left) = match row.days_left {
        Some(n) if n < 0 => ("past", days(n)),
        Some(n) if n <= SOON_DAYS => ("soon", days(n)),
        Some(n) => ("", days(n)),
        None => ("", String::new()),
    };
    let place = |path: &str, line: u32| format!("{}:{line}", escape::path(path));
    let exempts: Vec<Exempted> = row
        .exempts
        .iter()
        .map(|it| Exempted {
            object: escape::line(&it.object),
            place: place(&it.path, it.line),
            rule: escape::line(&it.rule),
            would: it.would,
        })
        .collect();
    let (by, commit) = added(row);
    let s = if exempts.len() == 1 { "" } else { "s" };
    Line {
        key: escape::line(&row.key),
        place: place(&row.path, row.line),
        state: row.state.name(),
        class: class(row.state),
        end: escape::line(end_text(row)),
        end_class,
        // What never ends comes last.
        end_order: row.days_left.map_or_else(|| "9999999".to_owned(), |n| (n + 1_000_000).to_string()),
        left,
        owner: or_dash(&row.owner),
        reason: or_dash(&row.reason),
        rules: row.rules.iter().map(|it| escape::line(it)).collect(),
        exempts_count: format!("{} verdict{s}", exempts.len()),
        exempts,
        added_order: by.rsplit(' ').next().unwrap_or_default().to_owned(),
        added: by,
        commit,
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { escape::line(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::register::tests::register;

    #[test]
    fn hostile_names_are_only_text_and_nothing_is_loaded() {
        let mut it = register();
        it.rows[0].reason = "<script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}\u{1b}[31m".to_owned();
        it.rows[0].key = "\"><svg/onload=alert(3)>".to_owned();
        let mut out = Vec::new();
        write(&it, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("<script>").count(), 1, "only our own");
        for hostile in ["<img", "<svg", "\u{202e}", "\u{1b}", "src=", "href=", "http://", "https://", "url("] {
            let found = text.replace("&#60;img src=x", "");
            assert!(!found.contains(hostile), "{hostile}");
        }
        assert!(text.contains("script-src 'sha256-") || text.contains("script-src &#39;sha256-"), "{text}");
    }

    #[test]
    fn every_column_has_its_label_for_small_screens() {
        let mut out = Vec::new();
        write(&register(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let n_heads = text.matches("<th scope=\"col\">").count();
        assert_eq!(text.matches("data-label=").count(), (n_heads - 1) * 2, "two rows");
        assert!(text.contains("lang=\"en\"") && text.contains("<caption>") && text.contains("name=\"viewport\""));
    }
}
