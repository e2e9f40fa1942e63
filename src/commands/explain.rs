//! `admit explain`: the page of a rule.

use std::io;

use super::RunError;
use crate::governance::{page, rule_of};

/// Arguments of `admit explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// The ID of a rule, as in `EXC014`
    #[arg(value_name = "ID", required_unless_present = "list")]
    pub(crate) id: Option<String>,
    /// Print a line for each rule
    #[arg(long, conflicts_with = "id")]
    pub(crate) list: bool,
}

/// Runs `admit explain`.
pub(crate) fn run(args: &ExplainArgs, out: &mut dyn io::Write) -> Result<u8, RunError> {
    let text = match &args.id {
        None => page::list(),
        Some(id) => {
            let known = rule_of(&id.to_uppercase());
            let unknown = || {
                let hint = match id.split_once('/') {
                    // Findings of policies are called so, too.
                    Some((policy, _)) => format!(
                        "`{id}` would be a rule of the policy `{policy}`, which says itself what it wants; `admit check \
                         --explain` says how its verdicts come about"
                    ),
                    None => page::unknown(&id.to_uppercase()),
                };
                RunError::new(format!("there is no page for `{id}`")).hint(hint)
            };
            page::Page::of(known.ok_or_else(unknown)?).markdown()
        }
    };
    match out.write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::new(format!("standard output can't be written: {error}")))
        }
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(id: Option<&str>) -> Result<String, String> {
        let args = ExplainArgs { id: id.map(str::to_owned), list: id.is_none() };
        let mut out = Vec::new();
        run(&args, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_page_is_found_whatever_the_case() {
        let page = explain(Some("exc014")).unwrap();
        assert!(page.starts_with("# EXC014 explicit-name\n\nExceptions name the resources"), "{page}");
        assert!(
            page.contains("    EXC014: { severity: error, allowTrailingStar: true, minLiteralPrefix: 3 }"),
            "{page}"
        );
    }

    #[test]
    fn the_list_has_a_line_for_each_rule() {
        let list = explain(None).unwrap();
        assert_eq!(list.lines().count(), crate::governance::RULES.len());
        assert!(explain(Some("EXC999")).unwrap_err().contains("hint: "));
    }
}
