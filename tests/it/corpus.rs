//! `admit check` on real repositories, where they are at hand.

use std::{fs, path::Path};

use crate::scratch::{Run, Scratch};

/// Where real repositories and policies lie beside this one.
fn shared() -> Option<std::path::PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.join("corpus").is_dir() {
        eprintln!("not run: {} is missing", shared.join("corpus").display());
        return None;
    }
    Some(shared.canonicalize().unwrap())
}

#[test]
fn real_repositories_are_checked_to_the_end_and_alike_by_any_number_of_threads() {
    let Some(shared) = shared() else { return };
    let it = Scratch::new();
    let policies = shared.join("conformance/policies/pod-security");
    let mut n_repositories = 0;
    for entry in fs::read_dir(shared.join("corpus")).unwrap() {
        let repository = entry.unwrap().path();
        let check = |jobs: &str| -> (Run, Vec<u8>) {
            let text = format!("text={}", it.path("out.txt").display());
            let arguments = ["check", "--jobs", jobs, "--format", "json", "--format", &text, "--policies"];
            let arguments = arguments.iter().map(AsRef::as_ref).chain([policies.as_os_str(), repository.as_os_str()]);
            let run = it.admit(&arguments.collect::<Vec<_>>());
            (run, fs::read(it.path("out.txt")).unwrap())
        };
        let (one, text) = check("1");
        let name = repository.display();
        assert!(matches!(one.code, 0 | 1), "{name}: {}", one.stderr);
        assert_eq!(one.stderr, "", "{name}");
        for jobs in ["2", "8"] {
            let (other, other_text) = check(jobs);
            assert!(other.code == one.code && other.stdout == one.stdout && other_text == text, "{name}: {jobs} jobs");
        }
        let report = one.json();
        let findings = report["findings"].as_array().unwrap();
        for finding in findings {
            let id = finding["id"].as_str().unwrap();
            assert!(!id.starts_with("internal/"), "{name}: {finding}");
            assert!(finding["line"].as_u64() >= Some(1) && finding["column"].as_u64() >= Some(1), "{name}: {finding}");
        }
        assert!(report["summary"]["documents"]["manifests"].as_u64() > Some(10), "{name}");
        n_repositories += 1;
    }
    assert!(n_repositories > 0, "there is at least one");
}

/// Copies all files, none of them for reading only.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &to),
            kind if kind.is_file() => fs::write(to, fs::read(entry.path()).unwrap()).unwrap(),
            _ => {}
        }
    }
}

#[test]
fn a_real_repository_as_one_commit_is_judged_as_its_tree() {
    let Some(shared) = shared() else { return };
    let policies = shared.join("conformance/policies/pod-security");
    let policies = policies.to_str().unwrap();
    let zero = "0".repeat(40);
    for name in ["argocd-example-apps", "microservices-demo", "rook"] {
        let it = Scratch::repository();
        copy(&shared.join("corpus").join(name), &it.path(""));
        it.git(&["add", "-A", "-f"]);
        it.git(&["commit", "-q", "-m", "all"]);
        let flags = ["--policies", policies, "--format", "json"];
        let tree = it.admit(&[&["check"][..], &flags].concat());
        let change = it.admit(&[&["check", "--diff", &format!("{zero}..HEAD")][..], &flags].concat());
        assert_eq!(tree.code, change.code, "{name}");
        assert!(tree.json()["findings"] == change.json()["findings"], "{name}");
        it.git(&["rm", "-r", "-q", "--cached", "."]);
        it.git(&["commit", "-q", "-m", "nothing"]);
        it.git(&["add", "-A", "-f"]);
        let staged = it.admit(&[&["check", "--staged"][..], &flags].concat());
        assert!(tree.json()["findings"] == staged.json()["findings"], "{name}");
    }
}

/// Changes that come to nothing: one that is undone, and one that is none.
const NO_OP: &str = "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: there-and-back, annotations: { pod-policies.kyverno.io/autogen-controllers: none } }
spec:
  rules:
    - name: there
      match: { any: [{ resources: { kinds: [KINDS] } }] }
      mutate: { patchesJson6902: '[{\"op\": \"add\", \"path\": \"/added\", \"value\": {\"k\": [1]}}]' }
    - name: back
      match: { any: [{ resources: { kinds: [KINDS] } }] }
      mutate: { patchesJson6902: '[{\"op\": \"remove\", \"path\": \"/added\"}]' }
---
apiVersion: policies.kyverno.io/v1
kind: MutatingPolicy
metadata: { name: nothing }
spec:
  matchConstraints: { resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: [CREATE], resources: ['*'] }] }
  mutations:
    - patchType: JSONPatch
      jsonPatch: { expression: \"[JSONPatch{op: 'test', path: '/kind', value: object.kind}]\" }
";

#[test]
fn changes_that_come_to_nothing_leave_the_bytes_of_a_thousand_manifests() {
    let Some(shared) = shared() else { return };
    let it = Scratch::new();
    let kinds = "ClusterRole, ClusterRoleBinding, ConfigMap, DaemonSet, Deployment, Job, Namespace, NetworkPolicy, Role, \
                 RoleBinding, Secret, Service, ServiceAccount, StatefulSet";
    it.write("noop.yaml", NO_OP.replace("KINDS", kinds));
    let mut files = Vec::new();
    for entry in ["kube-prometheus", "rook", "microservices-demo", "examples", "flux2-kustomize-helm-example"] {
        manifests(&shared.join("corpus").join(entry), &mut files);
    }
    assert!(files.len() > 300, "{} files", files.len());
    let list: Vec<String> = files.iter().map(|it| it.display().to_string()).collect();
    let list = list.join(",");
    let run = it.admit(&["apply", "noop.yaml", "--diff", "-r", &list]);
    assert_eq!(run.stdout, "", "{}", run.stderr);
    let run = it.admit(&["apply", "noop.yaml", "--policy-report", "--output-format", "json", "-r", &list]);
    let passed = run.json()["summary"]["pass"].as_u64().unwrap();
    assert!(passed > 1000, "{passed} manifests were gone through");
}

/// Files of plain YAML below a directory: no templates.
fn manifests(directory: &Path, out: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let is_yaml = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
        if path.is_dir() {
            manifests(&path, out);
        } else if is_yaml && fs::read_to_string(&path).is_ok_and(|it| it.contains("\nkind: ") && !it.contains("{{")) {
            out.push(path);
        }
    }
}
