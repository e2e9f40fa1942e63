//! What the compiler does not check of the source: who may name whom, that each file says what it is, that each case is
//! read by a suite and each path in ARCHITECTURE.md exists.

#![expect(clippy::disallowed_methods, reason = "reads the source, not input")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use globset::Glob;
use regex::Regex;

/// Modules from left to right; each names only those on the lines before its own, and its own children.
const RANKS: [&[&str]; 15] = [
    &["span", "k8s", "signature"],
    &["source"],
    &["document", "images"],
    &["expr"],
    &["policy"],
    &["cluster"],
    &["engine"],
    &["config", "finding"],
    &["render"],
    &["governance", "lint"],
    &["report"],
    &["runner"],
    &["compat"],
    &["commands"],
    &["cli", "lib", "main", "testing"],
];

/// Files below `tests/` that are no Rust, and the suite that reads them.
const SUITES: [(&str, &str); 3] = [
    ("tests/engine/*/*.yaml", "tests/cases.rs"),
    ("tests/fix/*.yaml", "src/testing/fixes.rs"),
    ("tests/report/*.snap", "src/report/tests.rs"),
];

#[test]
fn modules_name_only_modules_of_lower_rank() {
    let rank = |module: &str| RANKS.iter().position(|line| line.contains(&module));
    let mut wrong = Vec::new();
    for path in files("src").iter().filter(|path| is_rust(path) && !path.ends_with("/tests.rs")) {
        let module = module_of(path);
        let Some(own) = rank(module[0]) else {
            wrong.push(format!("{path}: module `{}` has no rank in tests/it/tidy.rs", module[0]));
            continue;
        };
        let text = read(path);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        for name in named(code, module.len()) {
            if name != module[0] && rank(&name).is_some_and(|other| other >= own) {
                wrong.push(format!("{path}: `{}` may not name `{name}`", module[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_found_in_paths_groups_and_climbs() {
    let code = "use crate::{a, b::{c, d}, e::f};\nlet x = crate::g::h();\nuse super::super::i::j;\nuse super::k;\n// crate::l\n";
    assert_eq!(named(code, 2), ["a", "b", "e", "g", "i"]);
}

#[test]
fn each_file_says_what_it_is() {
    let silent = |path: &String| is_rust(path) && !read(path).starts_with("//! ");
    let silent: Vec<_> = ["src", "tests", "benches"].iter().flat_map(|it| files(it)).filter(silent).collect();
    assert!(silent.is_empty(), "no `//!` header: {silent:?}");
}

#[test]
fn each_case_is_read_by_a_suite() {
    for (glob, suite) in SUITES {
        let folder = glob.split("/*").next().unwrap_or(glob);
        assert!(read(suite).contains(folder), "{suite} doesn't read {folder}");
    }
    let suites = SUITES.map(|(glob, _)| Glob::new(glob).expect("a glob").compile_matcher());
    let is_read = |path: &String| is_rust(path) || suites.iter().any(|suite| suite.is_match(path));
    let unread: Vec<_> = files("tests").into_iter().filter(|path| !is_read(path)).collect();
    assert!(unread.is_empty(), "read by no suite of tests/it/tidy.rs: {unread:?}");
}

#[test]
fn paths_in_the_architecture_exist() {
    let Ok(text) = fs::read_to_string(root().join("ARCHITECTURE.md")) else { return };
    let path = Regex::new(r"`((?:src|tests|benches|examples|hooks|\.github)/[\w./-]*)").expect("a pattern");
    let gone = |path: &&str| !root().join(path).exists();
    let gone: Vec<_> = path.captures_iter(&text).map(|it| it.extract::<1>().1[0]).filter(gone).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names what does not exist: {gone:?}");
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|it| it == "rs")
}

/// `src/engine/pattern/walk.rs` is `[engine, pattern, walk]`.
fn module_of(path: &str) -> Vec<&str> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').collect()
}

/// The modules at the top of the crate that code names, from a module so many levels below it.
fn named(code: &str, depth: usize) -> Vec<String> {
    let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let start = Regex::new(r"\b(crate|super(?:::super)*)::(\{|\w+)").expect("a pattern");
    let mut out = Vec::new();
    for found in start.captures_iter(&code) {
        let climbs_out = &found[1] == "crate" || found[1].split("::").count() == depth;
        if climbs_out && &found[2] == "{" {
            out.extend(heads(&code[found.get_match().end()..]));
        } else if climbs_out {
            out.push(found[2].to_owned());
        }
    }
    out
}

/// The first names of the paths in `a::b, c::{d, e}, f}`.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 1;
    let mut flat = String::new();
    for char in group.chars() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 1 => flat.push(char),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    flat.split(',').filter_map(|path| path.trim().split("::").next()).map(str::to_owned).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder, as paths from the root, sorted.
fn files(folder: &str) -> Vec<String> {
    let mut out = Vec::new();
    for entry in fs::read_dir(root().join(folder)).into_iter().flatten() {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", Path::new(&entry.file_name()).display());
        if entry.file_type().expect("a type").is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}
