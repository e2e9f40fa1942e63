//! Fixes of rules, on files before and after.
//!
//! A file in `tests/fix/` is named after its rule. What the rule would mend in the upper part gives the lower part,
//! letter by letter; there the rule says nothing more, or, if the file is called a `skeleton`, nothing that it would mend.

use std::fs;

use super::pages::{NOW, PAGE, example_policy, law, load, rules, settings};
use crate::{
    commands::check::Case,
    finding::{Finding, fix::fixed},
    governance::RULES,
};

/// What a rule says of a text, and the text as it would mend it.
fn mend(id: &str, text: &str) -> Result<(Vec<Finding>, Option<String>), String> {
    let mut files = vec![(PAGE, text)];
    files.extend(example_policy(&[text]));
    let tree = load(&files)?;
    let governance = Some(rules(&settings(text)?)?);
    let case = Case { law: law(&tree), tree, is_whole: true, is_root: true, governance, ..Case::default() };
    let (report, _) = case.lint(NOW);
    let mut found = report.findings;
    let more: Vec<Finding> = case.mendable(NOW).into_iter().filter(|it| !found.contains(it)).collect();
    found.extend(more);
    found.retain(|it| it.id == id);
    let file = case.tree.files.iter().find(|it| &**it.file.path() == PAGE).ok_or("the file is not there")?;
    let mended = fixed(&file.file, &found.iter().collect::<Vec<_>>()).map(|(text, _)| text);
    Ok((found, mended))
}

/// The text as the rule leaves it. What is mended may show what else is to be mended.
fn mend_until_done(id: &str, text: &str) -> Result<String, String> {
    let mut text = text.to_owned();
    for _ in 0..10 {
        match mend(id, &text)?.1 {
            Some(mended) => text = mended,
            None => return Ok(text),
        }
    }
    Err("it never ends".to_owned())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the cases are files")]
fn what_is_fixed_is_clean_and_nothing_else_changed() {
    let mut problems = Vec::new();
    let mut n_files = 0;
    for entry in fs::read_dir("tests/fix").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let id = name.split('-').next().unwrap_or_default();
        n_files += 1;
        assert!(RULES.iter().any(|rule| rule.id == id), "{name} is named after no rule");
        let text = fs::read_to_string(&path).unwrap();
        let (before, wanted) = text.split_once("=== fixed ===\n").expect("two parts");
        match mend_until_done(id, before) {
            Err(error) => problems.push(format!("{name}: {error}")),
            Ok(mended) if mended != wanted => problems.push(format!("{name}: it became\n{mended}")),
            Ok(_) => match mend(id, wanted) {
                Err(error) => problems.push(format!("{name}, fixed: {error}")),
                Ok((_, Some(again))) => problems.push(format!("{name}, fixed: it would become\n{again}")),
                Ok((left, None)) if !left.is_empty() && !name.contains(".skeleton.") => {
                    problems.push(format!("{name}, fixed: {}", left[0].message));
                }
                Ok(_) => {}
            },
        }
    }
    assert!(n_files > 0, "there are no files");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
