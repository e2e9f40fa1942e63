//! The commits of a repository, replayed as pushes one by one: each gets the verdict that a check of the whole tree
//! gives on what the commit changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::{
    scratch::{exception, policy, widget},
    server::Server,
};

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn each_commit_gets_the_verdict_of_a_whole_check() {
    let it = Server::with_base();
    // An update may keep a violation that was there unless a rule says otherwise; a whole check knows of no updates.
    let strict = |text: String| text.replace("validate: { ", "validate: { allowExistingViolations: false, ");
    it.work.write("policies/size.yaml", strict(policy("size", "size", "small")));
    let selected = "kinds: [Widget], namespaceSelector: { matchLabels: { strict: 'yes' } } }";
    let color = policy("color", "color", "red").replace("kinds: [Widget] }", selected);
    it.work.write("policies/color.yaml", strict(color));
    it.work.write("exceptions/w3.yaml", exception("w3", "size", "w3"));
    it.work.write(
        "ns/shop.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { strict: 'yes' } }\n",
    );
    it.work.write("apps/a.yaml", widget("a", "size", "small").replace("small }", "small, color: red }"));
    it.configure("--monitor --deadline 60");
    it.change().accepted();
    let mut dice = Dice(7);
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let n_commits = 30;
    for round in 0..n_commits {
        let mut changed = BTreeSet::new();
        for _ in 0..=dice.roll(3) {
            let n = dice.roll(9);
            let path = format!("apps/{}/w{n}.yaml", dice.roll(2));
            let size = ["small", "small", "large"][dice.roll(3) as usize];
            let color = ["red", "blue"][dice.roll(2) as usize];
            let text = widget(&format!("w{n}"), "size", size).replace(" }\n", &format!(", color: {color} }}\n"));
            // A name is in one place at a time.
            for old in [format!("apps/0/w{n}.yaml"), format!("apps/1/w{n}.yaml")] {
                if files.remove(&old).is_some() {
                    it.work.remove(&old);
                    changed.insert(old);
                }
            }
            if dice.roll(5) > 0 {
                it.work.write(&path, &text);
                changed.insert(path.clone());
                files.insert(path, text);
            }
        }
        it.work.commit(&format!("round {round}"));
        if it.work.git(&["diff", "--name-only", "HEAD~1"]).is_empty() {
            continue;
        }
        it.push(&["origin", "main"]).accepted();
        let log = fs::read_to_string(it.git_dir().join("admit/audit.jsonl")).unwrap();
        let record: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        let found = record["refs"][0]["findings"].as_array().unwrap().iter();
        // What happens to others is tried elsewhere.
        let found = found.map(|it| it.as_str().unwrap().to_owned()).filter(|it| !it.starts_with("reach/"));
        let mut of_push: Vec<String> = found.collect();
        of_push.sort();
        let really: BTreeSet<String> =
            it.work.git(&["diff", "--name-only", "--no-renames", "HEAD~1"]).lines().map(str::to_owned).collect();
        let whole = it.work.admit(&["check", "--format", "json", "--max-findings", "0"]);
        let is_changed = |it: &String| really.iter().any(|path| it.contains(&format!(" {path}:")));
        let findings = whole.json()["findings"].as_array().unwrap().clone();
        let shown = findings
            .iter()
            .filter(|it| it["waived"].is_null())
            .map(|it| format!("{} {}:{}", it["id"].as_str().unwrap(), it["path"].as_str().unwrap(), it["line"]));
        let mut of_check: Vec<String> = shown.filter(is_changed).collect();
        of_check.sort();
        assert_eq!(of_push, of_check, "round {round}, {changed:?}");
    }
}
