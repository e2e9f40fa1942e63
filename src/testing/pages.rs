//! The examples on the pages of rules, run as they stand.
//!
//! A line that ends in `# <-` is where the rule must say something; every other line is one where it must not. A
//! document with `governance:` at its top is an `admit.yaml`. Two blocks, `before` and `after`, are a change. Blocks in
//! front of an example tell what Git would: `who` makes a change, and how the file was at a date in the `past`. Where no
//! policy stands in an example, that of [`EXAMPLE_POLICY`] counts.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    cluster::Cluster,
    commands::check::{
        Case,
        sides::{ConfigChange, Sides},
    },
    config::{Settings, governance::Level},
    document::{Limits, layout::Names},
    governance::{
        RULES, Rule, Rules,
        codeowners::Codeowners,
        page::{EXAMPLE_POLICY, Page},
        who::Authorship,
    },
    report::Progress,
    runner::{Input, Law, Loader, Roles, Scopes, Tree, Wants, hold},
    source::{
        At, Entry, Pusher, Reader,
        history::{Commit, Person, Version},
        signature::Signature,
    },
    span::File,
};

/// How findings name the file of an example.
pub(super) const PAGE: &str = "page.yaml";

/// The time at which examples are judged: 2026-01-01T00:00:00Z.
pub(super) const NOW: i128 = 1_767_225_600_000_000_000;

/// What an example asks for in the file and what the rule says, as lines.
type Lines = (BTreeSet<u32>, BTreeSet<u32>);

/// The part of an example that is an `admit.yaml`.
pub(super) fn settings(text: &str) -> Result<Settings, String> {
    let part = text.split("---\n").find(|part| part.starts_with("governance:")).unwrap_or_default();
    Settings::parse("admit.yaml", part.as_bytes()).map_err(|error| error.to_string())
}

pub(super) fn rules(settings: &Settings) -> Result<Rules, String> {
    Ok(Rules::new(&settings.governance).map_err(|error| error.to_string())?.with_all_on())
}

pub(super) fn load(files: &[(&str, &str)]) -> Result<Tree, String> {
    let roles = Roles { judged: true, policies: true, exceptions: true, cluster: true, screened: false };
    let input = |(path, text): &(&str, &str)| Input {
        entry: Entry { path: (*path).into(), at: At::Memory(Arc::from(text.as_bytes())) },
        roles,
    };
    let inputs: Vec<Input> = files.iter().map(input).collect();
    let progress = Progress::start(false);
    let reader = || Ok(Reader::files(1 << 20));
    let loader = Loader {
        reader: &reader,
        limits: Limits::default(),
        scopes: Scopes::default(),
        names: Names::default(),
        wanted: None,
        progress: &progress,
    };
    loader.load(&inputs, [PAGE].into_iter()).map_err(|error| error.to_string())
}

pub(super) fn law(tree: &Tree) -> Law {
    let mut law = Law::compile(tree.files.iter());
    law.stand_in(tree.files.iter());
    law
}

/// The file with the policy of all examples, unless these hold one.
pub(super) fn example_policy(texts: &[&str]) -> Vec<(&'static str, &'static str)> {
    let kinds = ["kind: ClusterPolicy", "kind: Policy", "kind: ValidatingPolicy", "kind: NamespacedValidatingPolicy"];
    let has = texts.iter().any(|text| text.lines().any(|line| kinds.contains(&line)));
    if has { Vec::new() } else { vec![("policy.yaml", EXAMPLE_POLICY)] }
}

fn lines(rule: &Rule, texts: &[&str], case: &Case) -> Result<Lines, String> {
    let (report, _) = case.judge(NOW, Wants::default(), &Progress::start(false));
    if let Some(broken) = report.findings.iter().find(|it| it.id.starts_with("yaml/") || it.id.starts_with("document/"))
    {
        return Err(format!("line {}: {}", broken.primary.start.line, broken.message));
    }
    let marked = |text: &&str| -> Vec<u32> {
        text.lines().zip(1..).filter(|(line, _)| line.ends_with("# <-")).map(|(_, n)| n).collect()
    };
    let wanted = texts.iter().flat_map(marked).collect();
    let said = report.findings.iter().filter(|it| it.id == rule.id).map(|it| it.primary.start.line).collect();
    Ok((wanted, said))
}

/// What Git would tell of an example.
#[derive(Default)]
struct Told {
    who: Option<Authorship>,
    past: Vec<Version>,
}

impl Told {
    fn history(&self) -> HashMap<String, Vec<Version>> {
        // The newest comes first.
        let mut all = self.past.clone();
        all.sort_by_key(|it| std::cmp::Reverse(it.seconds));
        [(PAGE.to_owned(), all)].into()
    }
}

/// `who`: `owners` in the words of CODEOWNERS, `pusher`, and `commits`, each with `author`, `committer`, `message` and
/// `signature` (a signer, or `none`).
fn who(text: &str) -> Result<Authorship, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        owners: Option<String>,
        pusher: Option<String>,
        #[serde(default)]
        commits: Vec<Made>,
    }
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Made {
        author: String,
        committer: Option<String>,
        message: Option<String>,
        signature: Option<String>,
    }
    let written: Written = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let person = |email: &str| Person { name: String::new(), email: email.to_owned() };
    let commit = |it: &Made| Commit {
        id: "1111111111111111111111111111111111111111".parse().unwrap(),
        author: person(&it.author),
        committer: person(it.committer.as_ref().unwrap_or(&it.author)),
        seconds: 0,
        n_parents: 1,
        message: it.message.clone().unwrap_or_default(),
        is_signed: it.signature.is_some(),
        paths: vec![PAGE.to_owned()],
    };
    let signature = |it: &Made| match it.signature.as_deref() {
        None | Some("none") => Signature::Missing,
        Some(signer) => Signature::Good { signer: signer.to_owned() },
    };
    let owners = written.owners.map(|it| Codeowners::parse("CODEOWNERS", &it));
    Ok(Authorship {
        owners_after: owners.clone(),
        owners,
        guards: Vec::new(),
        pusher: written.pusher.map(|name| Pusher { name, email: None }),
        commits: Ok(written.commits.iter().map(commit).collect()),
        signatures: Ok(written.commits.iter().map(signature).collect()),
        messages: Ok(written.commits.iter().map(|it| it.message.clone().unwrap_or_default()).collect()),
    })
}

fn run(rule: &'static Rule, text: &str, told: &Told) -> Result<Lines, String> {
    let mut files = vec![(PAGE, text)];
    files.extend(example_policy(&[text]));
    let tree = load(&files)?;
    // An exception that breaks a rule which nobody turned on would not count.
    let others = RULES.iter().filter(|it| it.level == Level::Off && it.id != rule.id).map(|it| it.id);
    let governance = Some(rules(&settings(text)?)?.without(&others.collect::<Vec<_>>()));
    let history = Some(Ok(told.history()));
    let case = Case { law: law(&tree), tree, is_whole: true, is_root: true, governance, history, ..Case::default() };
    lines(rule, &[text], &case)
}

fn run_change(rule: &'static Rule, before: &str, after: &str, told: Told) -> Result<Lines, String> {
    let law_tree = load(&example_policy(&[before, after]))?;
    let (tree, old) = (load(&[(PAGE, after)])?, load(&[(PAGE, before)])?);
    let mut held = Cluster::default();
    hold(&mut held, old.files.iter());
    let (settings_before, settings_after) = (settings(before)?, settings(after)?);
    let governance = Some(rules(&settings_before)?);
    let file = File::new(PAGE, after.as_bytes().to_vec());
    let config = ConfigChange { before: settings_before, after: settings_after, file };
    let sides = Some(Sides {
        before: old.files.clone(),
        after: tree.files.clone(),
        changed: [PAGE.to_owned()].into(),
        config: Some(config),
        history: Some(Ok(told.history())),
        who: told.who,
        is_narrowed: false,
    });
    let law = law(&law_tree);
    let case = Case { law, tree, law_tree, held, removes: true, governance, sides, ..Case::default() };
    lines(rule, &[before, after], &case)
}

/// The examples of a section, with what came of each; two that are named `before` and `after` are one.
fn run_section(page: &Page, rule: &'static Rule, section: &str) -> Vec<Result<Lines, String>> {
    let examples = page.examples(section);
    let mut rest = examples.as_slice();
    let mut out = Vec::new();
    let mut told = Told::default();
    while let Some(((info, text), others)) = rest.split_first() {
        rest = others;
        match (info.as_str(), others.split_first()) {
            ("who", _) => match who(text) {
                Ok(it) => told.who = Some(it),
                Err(error) => out.push(Err(error)),
            },
            (past, _) if past.starts_with("past ") => {
                let date: jiff::civil::Date = past["past ".len()..].parse().unwrap();
                let at = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap();
                told.past.push(Version { seconds: at.as_second(), bytes: Some(Arc::from(text.as_bytes())) });
            }
            ("before", Some(((next, after), others))) if next == "after" => {
                out.push(run_change(rule, text, after, std::mem::take(&mut told)));
                rest = others;
            }
            _ => out.push(run(rule, text, &std::mem::take(&mut told))),
        }
    }
    out
}

#[test]
fn each_page_fires_where_it_says_and_nowhere_else() {
    let mut problems = Vec::new();
    for rule in RULES {
        let page = Page::of(rule);
        for section in ["Fires", "Stays quiet"] {
            let results = run_section(&page, rule, section);
            if results.is_empty() {
                problems.push(format!("{}: no example under `{section}`", rule.id));
            }
            for (n, result) in results.into_iter().enumerate() {
                let case = format!("{} {section} {}", rule.id, n + 1);
                match result {
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
