//! A whole check of 8,000 manifests, and what reading and parsing the same bytes takes: the check should take no more
//! than twice as long.
//!
//! Run with `cargo bench --bench check`. Everything runs on one thread over one generated tree in a temporary directory,
//! which the operating system has in memory, or over the one that `ADMIT_BENCH_TREE` names. `peak` below is the resident
//! memory of the process that checks.
//!
//! Last figures, two cores of a shared machine, a repository of 8,068 files: in memory the check takes 227 ms and reading
//! and parsing 72 ms, with a peak of 58 MB; from disk 765 ms and 606 ms, and on two threads the check takes 0.52 s.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench is no part of the program")]

#[allow(dead_code, reason = "each bench takes the manifests that it needs")]
mod manifests;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use admit::testing::{Reader, Source};
use divan::Bencher;
use tempfile::TempDir;

fn main() {
    divan::main();
    if let Some(peak) = peak() {
        println!("peak: {peak}");
    }
}

/// Names of the policies of the tree.
const POLICIES: usize = 18;

/// A tree of manifests and policies, the same for all benches.
fn tree() -> PathBuf {
    static TREE: OnceLock<TempDir> = OnceLock::new();
    if let Some(tree) = std::env::var_os("ADMIT_BENCH_TREE") {
        return tree.into();
    }
    let tree = TREE.get_or_init(|| {
        let tree = tempfile::tempdir().expect("a directory");
        fs::write(tree.path().join("admit.yaml"), "policies: [policies]\n").expect("can be written");
        for (index, text) in manifests::apps(7, 1600).into_iter().enumerate() {
            let directory = tree.path().join(format!("apps/{:03}", index / 40));
            fs::create_dir_all(&directory).expect("can be made");
            fs::write(directory.join(format!("{index}.yaml")), text).expect("can be written");
        }
        fs::create_dir(tree.path().join("policies")).expect("can be made");
        for index in 0..POLICIES {
            let path = tree.path().join(format!("policies/p{index:02}.yaml"));
            fs::write(path, policy(index)).expect("can be written");
        }
        tree
    });
    tree.path().to_owned()
}

/// One of several forms of policies for Pods and what runs them. The manifests pass most of them.
fn policy(index: usize) -> String {
    let validate = match index % 6 {
        0 => "message: host namespaces stay apart, pattern: { spec: { =(hostPID): false, =(hostIPC): false } }",
        1 => {
            "message: no privileges, pattern: { spec: { containers: [{ =(securityContext): { =(privileged): false } }] } }"
        }
        2 => {
            "message: not as root, anyPattern: [{ spec: { securityContext: { runAsNonRoot: true } } }, { spec: { containers: [{ securityContext: { runAsNonRoot: true } }] } }]"
        }
        3 => {
            "message: no host paths, deny: { conditions: { any: [{ key: '{{ (request.object.spec.volumes || `[]`)[].hostPath | length(@) }}', operator: GreaterThan, value: 0 }] } }"
        }
        4 => "podSecurity: { level: baseline, version: latest }",
        _ => {
            "message: limits are needed, pattern: { spec: { containers: [{ resources: { limits: { memory: '?*' } } }] } }"
        }
    };
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{ name: p{index:02} }}
spec:
  validationFailureAction: Enforce
  rules:
    - name: check
      match: {{ any: [{{ resources: {{ kinds: [Pod] }} }}] }}
      validate: {{ {validate} }}
"
    )
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).expect("can be read") {
            let entry = entry.expect("can be read");
            if entry.file_name() == ".git" {
                continue;
            }
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                pending.push(entry.path());
            } else {
                out.push(entry.path());
            }
        }
    }
    out
}

/// Listing, reading and parsing; all documents are kept, as a check keeps them.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn read_and_parse(bencher: Bencher<'_, '_>) {
    let tree = tree();
    bencher.bench(|| {
        let mut reader = Reader::default();
        let read = |path: PathBuf| {
            Source::new(&path.to_string_lossy(), fs::read(&path).expect("can be read")).parse(&mut reader)
        };
        files(&tree).into_iter().map(read).collect::<Vec<_>>()
    });
}

/// A check of the same tree, with its report.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn check(bencher: Bencher<'_, '_>) {
    let tree = tree();
    let out = tree.with_extension("json");
    let mut arguments: Vec<OsString> =
        ["admit", "check", "--jobs", "1", "--format", "json", "-o"].map(Into::into).into();
    arguments.extend([out.clone().into(), tree.into()]);
    bencher.bench(|| {
        let code = admit::run(arguments.iter().cloned());
        assert!(code < 2, "the check runs to its end");
    });
    let report = fs::read_to_string(&out).expect("a report");
    assert!(report.contains("\"manifests\": 8000") && report.contains("\"policies\": 18"), "all of it is checked");
    fs::remove_file(out).expect("can be removed");
}

/// The most memory that this process ever held, where the operating system says so.
fn peak() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
