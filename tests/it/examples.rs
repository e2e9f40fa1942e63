//! Each example shows what its README, and that of the project, say.

use std::{fs, path::Path};

use crate::scratch::Scratch;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const EXAMPLE: &str = "examples/policy-exceptions";

/// A place with the example where it lies in the project.
fn place() -> Scratch {
    let it = Scratch::new();
    copy(&it, EXAMPLE);
    it
}

fn copy(to: &Scratch, folder: &str) {
    for entry in fs::read_dir(Path::new(ROOT).join(folder)).expect("a directory") {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("a type").is_dir() {
            copy(to, &path);
        } else {
            to.write(&path, fs::read(entry.path()).expect("readable"));
        }
    }
}

#[test]
fn the_example_shows_what_its_readme_says() {
    let run = place().admit(&["check", EXAMPLE]).exits(1);
    let run = run
        .says("--> examples/policy-exceptions/apps/alpha-debug.yaml:8:16\n")
        .says("= note: no exception covers it\n")
        .says("--> examples/policy-exceptions/apps/gamma-node-stats.yaml:14:16\n")
        .says("::: examples/policy-exceptions/exceptions/gamma-node-stats.yaml:17:9\n")
        .says("waived[disallow-host-namespaces/autogen-host-namespaces]: Deployment delta/important-tool\n")
        .says("= reason: talks to the licence daemon of the node through shared memory\n")
        .says("error[EXC021]: the exception is for controllers, but `autogen-host-namespaces` is missing\n")
        .says("warning[EXC030]: the exception exempts nothing in this tree\n")
        .says("\n3 errors and 1 warning; 1 waived by an exception\n");
    run.says_not("shop");
}

#[test]
fn the_example_is_clean_once_mended_as_its_readme_says() {
    let it = place();
    it.remove(&format!("{EXAMPLE}/apps/alpha-debug.yaml"));
    let path = format!("{EXAMPLE}/exceptions/gamma-node-stats.yaml");
    let rule = "        - host-namespaces\n";
    let exception = fs::read_to_string(it.path(&path)).expect("the exception");
    it.write(&path, exception.replace(rule, &format!("{rule}        - autogen-host-namespaces\n")));
    it.admit(&["check", EXAMPLE]).exits(0).says("\nno findings; 2 waived by exceptions\n");
}

#[test]
fn no_rule_of_governance_fires_on_what_is_clean_in_an_example() {
    let it = place();
    // What the README shows as mistakes goes.
    it.remove(&format!("{EXAMPLE}/exceptions/gamma-node-stats.yaml"));
    let listed = it.admit(&["explain", "--list"]).exits(0).stdout;
    let ids: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(ids.len() > 40, "{listed}");
    let found = it.admit(&["check", EXAMPLE, "--format", "json"]).findings();
    let told: Vec<_> = found.iter().filter(|it| ids.iter().any(|id| it.starts_with(id))).collect();
    assert!(told.iter().all(|it| it.starts_with("EXC030 ")), "{told:?}");
}

#[test]
fn the_readme_quotes_the_program() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("README.md");
    let quote = readme.split("```text\n").nth(1).and_then(|it| it.split("```").next()).expect("a quote");
    place().admit(&["check", EXAMPLE]).exits(1).says(quote);
}

#[test]
fn the_settings_in_the_readme_are_taken() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("README.md");
    let settings = readme.split("```yaml\npolicies:").nth(1).and_then(|it| it.split("```").next()).expect("settings");
    let it = Scratch::new();
    it.write("admit.yaml", format!("policies:{settings}"));
    // Nothing is there to check, but nothing is wrong with the settings either.
    it.admit(&["check"]).exits(3);
}
