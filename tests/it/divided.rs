//! A run in parts says, once its reports are joined, what the undivided run says: to the byte, in every format.

use crate::scratch::{Scratch, exception, policy, widget};

const FORMATS: [&str; 9] =
    ["text", "json", "sarif", "github", "gitlab", "junit", "markdown", "policyreport", "openreports"];

/// A tree with a bit of everything: violations, exceptions in use and idle, broken files, a broken policy.
fn tree() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    let audited = policy("color", "color", "red").replace("Enforce", "Audit");
    it.write("policies/color.yaml", audited);
    it.write("policies/broken.yaml", policy("broken", "size", "small").replace("pattern", "patern"));
    for n in 0..12 {
        let size = if n % 3 == 0 { "small" } else { "big" };
        it.write(&format!("apps/{n:02}.yaml"), widget(&format!("w{n}"), "size", size));
    }
    it.write("exceptions/used.yaml", exception("used", "size", "w1"));
    it.write("exceptions/used-too.yaml", exception("used-too", "size", "w8"));
    it.write("exceptions/idle.yaml", exception("idle", "size", "nobody"));
    it.write("exceptions/unneeded.yaml", exception("unneeded", "size", "w3"));
    it.write("apps/torn.yaml", "a: [\n");
    it.write("apps/list.yaml", "apiVersion: v1\nkind: List\nitems: [{ a: 1 }]\n");
    it
}

/// Runs all parts; gives their reports, which lie beside the tree.
fn parts(it: &Scratch, n: usize, arguments: &[&str]) -> (Scratch, Vec<String>) {
    let beside = Scratch::new();
    let part = |i: usize| {
        let file = beside.path("").join(format!("{i}.json")).display().to_string();
        let (shard, target) = (format!("{i}/{n}"), format!("json={file}"));
        let run = it.admit(&[&["check", "--shard", &shard, "--format", &target], arguments].concat());
        assert!(matches!(run.code, 0 | 1), "{run:?}");
        file
    };
    let reports = (1..=n).map(part).collect();
    (beside, reports)
}

#[track_caller]
fn assert_same(it: &Scratch, n: usize, arguments: &[&str]) {
    let (_beside, reports) = parts(it, n, arguments);
    for format in FORMATS {
        let whole = it.admit(&[&["check", "--format", format], arguments].concat());
        let mut merge = vec!["merge", "--format", format];
        merge.extend(reports.iter().rev().map(String::as_str));
        let joined = it.admit(&merge);
        assert_eq!(joined.code, whole.code, "{format}: {}", joined.stderr);
        assert_eq!(joined.stdout, whole.stdout, "{format} in {n} parts");
    }
}

#[test]
fn parts_joined_equal_the_whole_of_a_tree() {
    let it = tree();
    for n in [1, 2, 5] {
        assert_same(&it, n, &[]);
    }
}

#[test]
fn parts_joined_equal_the_whole_without_governance() {
    assert_same(&tree(), 3, &["--no-governance"]);
}

#[test]
fn parts_joined_equal_the_whole_of_a_change() {
    let it = tree();
    let base = it.commit("base");
    it.write("apps/01.yaml", widget("w1", "size", "bigger"));
    it.remove("apps/02.yaml");
    // An object that moves to another file, and maybe to another part.
    it.write("apps/moved.yaml", widget("w4", "size", "big")).remove("apps/04.yaml");
    it.write("exceptions/new.yaml", exception("new", "size", "w5"));
    it.commit("change");
    let range = format!("{base}..HEAD");
    for n in [2, 4] {
        assert_same(&it, n, &["--diff", &range]);
    }
}

#[test]
fn each_object_is_judged_in_one_part() {
    let it = tree();
    let whole = it.admit(&["check", "--format", "json"]).json()["summary"]["rules"].clone();
    let mut sum = serde_json::Map::new();
    for i in 1..=3 {
        let report = it.admit(&["check", "--format", "json", "--shard", &format!("{i}/3")]).json();
        for (name, n) in report["summary"]["rules"].as_object().unwrap() {
            let so_far = sum.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
            sum.insert(name.clone(), (so_far + n.as_u64().unwrap()).into());
        }
    }
    assert_eq!(serde_json::Value::Object(sum), whole);
}

#[test]
fn more_parts_than_files_leave_some_without_work() {
    let it = Scratch::new();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("one.yaml", widget("one", "size", "big"));
    assert_same(&it, 7, &[]);
}

#[test]
fn nothing_to_check_is_no_pass_in_parts_either() {
    let it = Scratch::new();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    let (_beside, reports) = parts(&it, 2, &[]);
    it.admit(&["merge", &reports[0], &reports[1]]).exits(3).says("nothing was checked: no manifest was found");
}

#[test]
fn a_part_that_is_missing_or_foreign_ends_the_run() {
    let it = tree();
    let (_beside, reports) = parts(&it, 3, &[]);
    it.admit(&["merge", &reports[0], &reports[2]]).exits(2).complains("part 2 of 3 is missing");
    let twice = [&reports[..], &reports[..1]].concat();
    let mut all = vec!["merge".to_owned()];
    all.extend(twice);
    it.admit(&all).exits(2).complains("part 1 of 3 is there twice");
    let (_there, others) = parts(&it, 2, &[]);
    it.admit(&["merge", &reports[0], &others[1]]).exits(2).complains("in 3 and in 2 parts");
    let whole = it.admit(&["check", "--format", "json"]).stdout;
    it.write(".whole.json", whole);
    it.admit(&["merge", ".whole.json"]).exits(2).complains("a run without --shard");
    it.write(".none.json", "[]");
    it.admit(&["merge", ".none.json"]).exits(2).complains("it is no JSON report");
    it.admit(&["check", "--shard", "3/2"]).exits(2).complains("is one from 1 to 2");
}

#[test]
fn parts_of_different_runs_are_not_joined() {
    let it = tree();
    let (_beside, reports) = parts(&it, 2, &[]);
    let (_lax, lax) = parts(&it, 2, &["--no-governance"]);
    let foreign = "parts 1 and 2 are of different runs";
    it.admit(&["merge", &reports[0], &lax[1]]).exits(2).complains(foreign);
    // Between the runs of the parts, a commit: what it moved out of the second part was judged in neither.
    it.write("apps/moved.yaml", widget("w4", "size", "big")).remove("apps/04.yaml");
    let (_after, after) = parts(&it, 2, &[]);
    it.admit(&["merge", &reports[0], &after[1]]).exits(2).complains(foreign);
    it.admit(&["merge", &after[0], &after[1]]).exits(1);
}

#[test]
fn a_baseline_counts_for_the_whole() {
    let it = tree();
    it.admit(&["baseline", "-o", ".known.json"]).exits(0);
    let (_beside, reports) = parts(&it, 3, &[]);
    let all: Vec<&str> =
        ["merge", "--baseline", ".known.json"].into_iter().chain(reports.iter().map(String::as_str)).collect();
    let whole = it.admit(&["check", "--baseline", ".known.json"]).exits(0);
    assert_eq!(it.admit(&all).exits(0).stdout, whole.stdout);
}

#[test]
fn several_formats_go_to_files_at_once() {
    let it = tree();
    let run = it.admit(&["check", "-o", "sarif=.a.sarif", "-o", "junit=.b.xml", "--format", "gitlab=.c.json"]);
    // The only --format names a file, so that nothing is left for standard output.
    assert_eq!(run.exits(1).stdout, "");
    for file in [".a.sarif", ".b.xml", ".c.json"] {
        assert!(!std::fs::read(it.path(file)).unwrap().is_empty(), "{file}");
    }
    it.admit(&["check", "-o", "sarif=.a.sarif"]).exits(1).says("error[size/check]");
    it.admit(&["check", "-o", "sarif=.c", "-o", "junit=.c"]).exits(2).complains("two formats can't share `.c`");
    it.admit(&["check", "-o", "sarfi=.a.sarif"]).exits(2).complains("no such format");
    it.admit(&["check", "-o", ".a.txt", "-o", ".b.txt"]).exits(2).complains("--output goes with a single --format");
}

/// GitHub counts a job that was skipped as passed, and skips what needs a job that failed.
#[test]
fn the_example_joins_also_where_a_part_failed() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci/github/large.yml");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, join) = text.split_once("\n  admit:\n").unwrap();
    assert!(join.contains("needs: part\n") && join.contains("    if: ${{ !cancelled() }}\n"), "{join}");
}
