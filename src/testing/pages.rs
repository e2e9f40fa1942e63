//! The examples on the pages of rules, run as they stand.
//!
//! A line that ends in `# <-` is where the rule must say something; every other line is one where it must not. A
//! document with `governance:` at its top is an `admit.yaml`. Where no policy stands in an example, that of
//! [`EXAMPLE_POLICY`] counts.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    commands::check::Case,
    config::Settings,
    document::Limits,
    governance::{
        RULES, Rule, Rules,
        page::{EXAMPLE_POLICY, Page},
    },
    report::Progress,
    runner::{Input, Law, Loader, Roles, Scopes, Wants},
    source::{At, Entry, Reader},
};

/// The time at which examples are judged: 2026-01-01T00:00:00Z.
const NOW: i128 = 1_767_225_600_000_000_000;

/// What an example asks for in the file and what the rule says, as lines.
fn run(rule: &'static Rule, text: &str) -> Result<(BTreeSet<u32>, BTreeSet<u32>), String> {
    let is_settings = |part: &&str| part.starts_with("governance:");
    let settings = text.split("---\n").find(is_settings).unwrap_or_default();
    let settings = Settings::parse("admit.yaml", settings.as_bytes()).map_err(|error| error.to_string())?;
    let rules = Rules::new(&settings.governance).map_err(|error| error.to_string())?.with_all_on();
    let kinds = ["kind: ClusterPolicy", "kind: Policy", "kind: ValidatingPolicy", "kind: NamespacedValidatingPolicy"];
    let mut files = vec![("page.yaml", text)];
    if !text.lines().any(|line| kinds.contains(&line)) {
        files.push(("policy.yaml", EXAMPLE_POLICY));
    }
    let roles = Roles { judged: true, policies: true, exceptions: true, cluster: true, screened: false };
    let inputs: Vec<Input> = files
        .into_iter()
        .map(|(path, text)| Input {
            entry: Entry { path: path.into(), at: At::Memory(Arc::from(text.as_bytes())) },
            roles,
        })
        .collect();
    let progress = Progress::start(false);
    let reader = || Ok(Reader::files(1 << 20));
    let loader = Loader { reader: &reader, limits: Limits::default(), scopes: Scopes::default(), progress: &progress };
    let tree = loader.load(&inputs, ["page.yaml"].into_iter()).map_err(|error| error.to_string())?;
    let mut law = Law::compile(tree.files.iter());
    law.stand_in(tree.files.iter());
    let case = Case { law, tree, is_whole: true, is_root: true, governance: Some(rules), ..Case::default() };
    let (report, _) = case.judge(NOW, Wants::default(), &progress);
    if let Some(broken) = report.findings.iter().find(|it| it.id.starts_with("yaml/") || it.id.starts_with("document/"))
    {
        return Err(format!("line {}: {}", broken.primary.start.line, broken.message));
    }
    let wanted = text.lines().zip(1..).filter(|(line, _)| line.ends_with("# <-")).map(|(_, n)| n).collect();
    let said = report.findings.iter().filter(|it| it.id == rule.id).map(|it| it.primary.start.line).collect();
    Ok((wanted, said))
}

#[test]
fn each_page_fires_where_it_says_and_nowhere_else() {
    let mut problems = Vec::new();
    for rule in RULES {
        let page = Page::of(rule);
        for section in ["Fires", "Stays quiet"] {
            let examples = page.examples(section);
            if examples.is_empty() {
                problems.push(format!("{}: no example under `{section}`", rule.id));
            }
            for (n, (_, text)) in examples.iter().enumerate() {
                let case = format!("{} {section} {}", rule.id, n + 1);
                match run(rule, text) {
                    Err(error) => problems.push(format!("{case}: {error}")),
                    Ok((wanted, _)) if section == "Fires" && wanted.is_empty() => {
                        problems.push(format!("{case}: no line is marked with `# <-`"));
                    }
                    Ok((wanted, said)) if wanted != said => {
                        problems.push(format!("{case}: lines {wanted:?} are marked, it says something of {said:?}"));
                    }
                    Ok(_) => {}
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
