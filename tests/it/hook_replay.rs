//! The commits of a repository, replayed as pushes one by one: each gets the verdict that a check of the whole tree
//! gives on what the commit changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Write as _,
    process::Stdio,
    thread,
};

use crate::{
    scratch::{Scratch, command, exception, policy, widget},
    server::Server,
};

/// Commits that are replayed.
const N_COMMITS: usize = 500;

/// Commits that one process judges, each on a branch of its own: to start a process takes longer than to judge one.
const BATCH: usize = 50;

/// The files of one commit, by path.
type Files = BTreeMap<String, String>;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// The policies, exceptions and Namespaces by which all commits are judged.
fn law() -> Files {
    // An update may keep a violation that was there unless a rule says otherwise; a whole check knows of no updates.
    let strict = |text: String| text.replace("validate: { ", "validate: { allowExistingViolations: false, ");
    let selected = "kinds: [Widget], namespaceSelector: { matchLabels: { strict: 'yes' } } }";
    let color = policy("color", "color", "red").replace("kinds: [Widget] }", selected);
    let shop = "apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { strict: 'yes' } }\n";
    [
        ("policies/size.yaml", strict(policy("size", "size", "small"))),
        ("policies/color.yaml", strict(color)),
        ("exceptions/w3.yaml", exception("w3", "size", "w3")),
        ("ns/shop.yaml", shop.to_owned()),
        ("apps/a.yaml", widget("a", "size", "small").replace("small }", "small, color: red }")),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .into()
}

/// Widgets that come, change, move and go: what each commit holds beside the law. No two in a row are the same.
fn history() -> Vec<Files> {
    let mut dice = Dice(7);
    let mut files = Files::new();
    let mut out = Vec::new();
    while out.len() < N_COMMITS {
        let before = files.clone();
        for _ in 0..=dice.roll(3) {
            let n = dice.roll(9);
            let path = format!("apps/{}/w{n}.yaml", dice.roll(2));
            let size = ["small", "small", "large"][dice.roll(3) as usize];
            let color = ["red", "blue"][dice.roll(2) as usize];
            let text = widget(&format!("w{n}"), "size", size).replace(" }\n", &format!(", color: {color} }}\n"));
            // A name is in one place at a time.
            files.retain(|it, _| !it.ends_with(&format!("/w{n}.yaml")));
            if dice.roll(5) > 0 {
                files.insert(path, text);
            }
        }
        if files != before {
            out.push(files.clone());
        }
    }
    out
}

/// The paths that differ.
fn changed<'f>(before: &'f Files, after: &'f Files) -> BTreeSet<&'f str> {
    let differs = |it: &&String| before.get(*it) != after.get(*it);
    before.keys().chain(after.keys()).filter(differs).map(String::as_str).collect()
}

/// Stores the commits on the server, one upon the other, and gives their ids, the one before them first.
fn store(it: &Server, history: &[Files]) -> Vec<String> {
    let mut stream = String::new();
    let nothing = Files::new();
    for (at, files) in history.iter().enumerate() {
        let before = if at == 0 { &nothing } else { &history[at - 1] };
        stream += "commit refs/heads/replay\ncommitter replay <replay@example.com> 1700000000 +0000\ndata 0\n";
        stream += if at == 0 { "from refs/heads/main^0\n" } else { "" };
        for path in changed(before, files) {
            match files.get(path) {
                Some(text) => write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len()).unwrap(),
                None => writeln!(stream, "D {path}").unwrap(),
            }
        }
    }
    let mut import =
        command("git", &it.git_dir()).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    let ids = it.top.git(&["-C", it.name, "rev-list", "--reverse", "main^..replay"]);
    ids.lines().map(str::to_owned).collect()
}

/// What the hook decides of each commit, and what it finds, as Git would ask it.
fn by_the_hook(it: &Server, ids: &[String]) -> Vec<(bool, Vec<String>)> {
    let log = it.git_dir().join("admit/audit.jsonl");
    let n_known = fs::read_to_string(&log).unwrap().lines().count();
    let git_dir = it.git_dir();
    let pairs: Vec<&[String]> = ids.windows(2).collect();
    for batch in pairs.chunks(BATCH) {
        let lines = batch.iter().map(|it| format!("{} {} refs/heads/at-{}\n", it[0], it[1], &it[1]));
        let input: String = lines.collect();
        let variables = [("GIT_DIR", git_dir.to_str().unwrap())];
        it.top.admit_as(&variables, input.as_bytes(), &["hook", "pre-receive", "--deadline", "300"]);
    }
    let log = fs::read_to_string(&log).unwrap();
    let records = log.lines().skip(n_known).map(|it| serde_json::from_str::<serde_json::Value>(it).unwrap());
    let refs = records.flat_map(|it| it["refs"].as_array().unwrap().clone());
    let decided = refs.map(|it| {
        assert!(it["error"].is_null(), "{it}");
        let found = it["findings"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned());
        // What happens to others is tried elsewhere.
        let mut found: Vec<String> = found.filter(|it| !it.starts_with("reach/")).collect();
        found.sort();
        (it["verdict"] == "refused", found)
    });
    decided.collect()
}

/// What a whole check of each tree finds in what the commit changed, and whether any of it is an error.
fn by_whole_checks(history: &[Files], from: usize, to: usize) -> Vec<(bool, Vec<String>)> {
    let work = Scratch::new();
    for (path, text) in law() {
        work.write(&path, text);
    }
    let nothing = Files::new();
    let mut there = &nothing;
    let mut out = Vec::new();
    for at in from..to {
        for path in changed(there, &history[at]) {
            match history[at].get(path) {
                Some(text) => work.write(path, text),
                None => work.remove(path),
            };
        }
        there = &history[at];
        let changed = changed(if at == 0 { &nothing } else { &history[at - 1] }, there);
        let whole = work.admit(&["check", "--format", "json", "--max-findings", "0"]);
        let findings = whole.json()["findings"].as_array().unwrap().clone();
        let counts = |it: &&serde_json::Value| it["waived"].is_null() && changed.contains(it["path"].as_str().unwrap());
        let shown = |it: &serde_json::Value| {
            format!("{} {}:{}", it["id"].as_str().unwrap(), it["path"].as_str().unwrap(), it["line"])
        };
        let mut found: Vec<String> = findings.iter().filter(counts).map(shown).collect();
        found.sort();
        out.push((findings.iter().filter(counts).any(|it| it["severity"] == "error"), found));
    }
    out
}

#[test]
fn each_commit_gets_the_verdict_of_a_whole_check() {
    let it = Server::with_base();
    for (path, text) in law() {
        it.work.write(&path, text);
    }
    it.change().accepted();
    let history = history();
    let ids = store(&it, &history);
    assert_eq!(ids.len(), N_COMMITS + 1);
    let n_threads = thread::available_parallelism().map_or(2, usize::from);
    let part = N_COMMITS.div_ceil(n_threads);
    let (of_hook, of_check) = thread::scope(|scope| {
        let parts = (0..N_COMMITS).step_by(part);
        let history = &history;
        let checks: Vec<_> = parts
            .map(|from| scope.spawn(move || by_whole_checks(history, from, (from + part).min(N_COMMITS))))
            .collect();
        let of_hook = by_the_hook(&it, &ids);
        let of_check: Vec<_> = checks.into_iter().flat_map(|it| it.join().unwrap()).collect();
        (of_hook, of_check)
    });
    assert_eq!(of_hook.len(), N_COMMITS);
    for (at, (of_hook, of_check)) in of_hook.iter().zip(&of_check).enumerate() {
        assert_eq!(of_hook, of_check, "commit {at}: {}", ids[at + 1]);
    }
    let n_refused = of_hook.iter().filter(|it| it.0).count();
    assert!((50..N_COMMITS - 50).contains(&n_refused), "{n_refused} are refused");
}
