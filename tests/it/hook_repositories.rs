//! Pushes into every kind of repository: those that libgit2 reads and those that it refuses, with objects in other places,
//! from clones that do not hold all of the history.

use std::fs;

use crate::{
    scratch::{Scratch, exception, policy, widget},
    server::Server,
};

/// Pushes a base, a violation and a change without one, and has the hook say how objects were read.
#[track_caller]
fn judges(it: &Server, through: &str) {
    it.configure("--verbose --deadline 60");
    // A URL would end at a colon.
    let place = it.git_dir();
    it.work.git(&["remote", "set-url", "origin", place.to_str().unwrap()]);
    it.work
        .write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/a.yaml", widget("a", "size", "small"));
    it.work.commit("base");
    it.push(&["origin", "main"]).accepted().says(through);
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.change().refused().says("apps/b.yaml:4:15").says(through);
    it.undo();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.work.git(&["add", "exceptions"]);
    it.work.git(&["commit", "-q", "-m", "exception"]);
    it.push(&["origin", "main"]).accepted();
    it.change().accepted().says(through);
}

#[test]
fn every_kind_of_repository_is_read() {
    judges(&Server::named("with colon: and space.git", &[]), "read through libgit2");
    let packed = Server::named("packed.git", &[]);
    packed.top.git(&["-C", packed.name, "config", "receive.unpackLimit", "1"]);
    judges(&packed, "read through libgit2");
    judges(&Server::named("sha256.git", &["--object-format=sha256"]), "`git` processes");
}

#[test]
fn refs_in_a_reftable_are_read_through_git() {
    let probe = Scratch::new();
    if probe.try_git(&["init", "-q", "--bare", "--ref-format=reftable", "probe.git"]).code != 0 {
        eprintln!("skipped: this git knows no reftable; it came with Git 2.45");
        return;
    }
    judges(&Server::named("reftable.git", &["--ref-format=reftable"]), "`git` processes");
}

#[test]
fn a_partial_clone_is_read_through_git_and_what_it_lacks_refuses() {
    let it = Server::with_base();
    let lacking = it.work.git(&["rev-parse", "HEAD:policies/size.yaml"]);
    it.top.git(&["-C", it.name, "config", "uploadpack.allowFilter", "true"]);
    let from = format!("file://{}", it.git_dir().display());
    it.top.git(&["clone", "-q", "--bare", "--filter=blob:none", &from, "partial.git"]);
    let place = it.top.path("partial.git");
    let hook = it.git_dir().join("hooks/pre-receive");
    let text = fs::read_to_string(hook).unwrap().replace("\nset --\n", "\nset -- --verbose --deadline 60\n");
    fs::create_dir_all(place.join("hooks")).unwrap();
    fs::write(place.join("hooks/pre-receive"), text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(place.join("hooks/pre-receive"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let push = || it.work.git_with(&[("PATH", &it.path)], &["push", "--no-progress", place.to_str().unwrap(), "main"]);
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("b");
    // The policy is not there, and nobody fetches it while a push waits.
    let run = push();
    assert!(run.code != 0 && run.stderr.contains(&lacking[..7]), "{}", run.stderr);
    // With all that is needed it is judged, and where Git says that objects may be elsewhere, by what it gives.
    it.top.git(&["-C", "partial.git", "config", "core.repositoryFormatVersion", "1"]);
    it.top.git(&["-C", "partial.git", "config", "extensions.partialClone", "origin"]);
    it.top.git(&["-C", "partial.git", "cat-file", "blob", &lacking]);
    it.top.git(&["-C", "partial.git", "cat-file", "blob", "HEAD:apps/a.yaml"]);
    let run = push();
    assert!(run.code != 0 && run.stderr.contains("apps/b.yaml:4:15"), "{}", run.stderr);
    assert!(run.stderr.contains("`git` processes"), "{}", run.stderr);
    it.undo();
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.work.commit("b");
    assert_eq!(push().code, 0);
}

#[test]
fn pushes_of_shallow_clones_are_judged() {
    let it = Server::with_base();
    for n in 0..3 {
        it.work.write("notes.txt", n.to_string());
        it.change().accepted();
    }
    let clone = |from: &Server, name: &str| {
        let url = format!("file://{}", from.git_dir().display());
        it.top.git(&["clone", "-q", "--depth=1", &url, name]);
    };
    clone(&it, "shallow");
    let shallow = it.top.path("shallow");
    let commit = |size: &str| {
        fs::write(shallow.join("apps/b.yaml"), widget("b", "size", size)).unwrap();
        it.top.git(&["-C", "shallow", "add", "-A"]);
        it.top.git(&["-C", "shallow", "commit", "-q", "-m", "b"]);
    };
    let push = |to: &str| {
        it.top.git_with(&[("PATH", &it.path)], &["-C", "shallow", "push", "--no-progress", to, "HEAD:refs/heads/main"])
    };
    commit("large");
    let run = push("origin");
    assert!(run.code != 0 && run.stderr.contains("apps/b.yaml:4:15"), "{}", run.stderr);
    it.top.git(&["-C", "shallow", "reset", "-q", "--hard", "HEAD~1"]);
    commit("small");
    assert_eq!(push("origin").code, 0);
    // Into a repository that takes a history without its beginning: all of it is new.
    let empty = Server::new();
    empty.top.git(&["-C", empty.name, "config", "receive.shallowUpdate", "true"]);
    let place = empty.git_dir();
    commit("large");
    let run = push(place.to_str().unwrap());
    assert!(run.code != 0 && run.stderr.contains("apps/b.yaml:4:15"), "{}", run.stderr);
    commit("small");
    let run = push(place.to_str().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    // From then on there is a side before the change, whose parents nobody has.
    commit("large");
    let run = push(place.to_str().unwrap());
    assert!(run.code != 0 && run.stderr.contains("apps/b.yaml:4:15"), "{}", run.stderr);
}

#[test]
fn objects_borrowed_from_another_repository_are_seen() {
    let it = Server::with_base();
    it.top.git(&["clone", "-q", "--bare", "--shared", it.name, "fork.git"]);
    // A fork of the fork, by a path that is relative.
    it.top.git(&["clone", "-q", "--bare", "--shared", "fork.git", "grandchild.git"]);
    fs::write(it.top.path("grandchild.git/objects/info/alternates"), "../../fork.git/objects\n").unwrap();
    for name in ["fork.git", "grandchild.git"] {
        let fork = it.top.path(name);
        fs::create_dir_all(fork.join("hooks")).unwrap();
        fs::copy(it.git_dir().join("hooks/pre-receive"), fork.join("hooks/pre-receive")).unwrap();
        let push = || it.work.git_with(&[("PATH", &it.path)], &["push", fork.to_str().unwrap(), "main"]);
        it.work.write("apps/b.yaml", widget("b", "size", "large"));
        it.work.commit("b");
        let run = push();
        assert!(run.code != 0 && run.stderr.contains("apps/b.yaml:4:15"), "{}", run.stderr);
        it.undo();
        it.work.write("apps/b.yaml", widget("b", "size", "small"));
        it.work.commit("b");
        let run = push();
        assert_eq!(run.code, 0, "{}", run.stderr);
        it.undo();
    }
}

#[test]
fn objects_that_a_rule_looks_up_are_found_wherever_they_are_and_remembered() {
    let it = Server::with_base();
    let count = policy("count", "size", "small");
    let at = count.find("validate: {").unwrap();
    let counts = "context: [{ name: maps, apiCall: { urlPath: '/api/v1/namespaces/{{ request.namespace }}/configmaps', jmesPath: 'items | length(@)' } }]
      validate: { message: too many, deny: { conditions: { any: [{ key: '{{ maps }}', operator: GreaterThan, value: 1 }] } } }
";
    it.work.write("policies/count.yaml", format!("{}{counts}", &count[..at]));
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, namespace: shop }}\n");
    it.work.write("maps/one.yaml", map("one"));
    it.change().accepted();
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.change().accepted();
    let kept = || {
        let all = fs::read_dir(it.git_dir().join("admit/holdings")).unwrap().map(|it| it.unwrap().path());
        all.filter(|it| it.is_dir()).count()
    };
    assert_eq!(kept(), 1);
    // One more, which reaches the Widgets, hidden from whoever looks for the word alone.
    it.work.write("maps/two.yaml", map("two").replace("ConfigMap", "\"Config\\x4dap\""));
    it.change().accepted().says("reach/object").says("2 objects would fail");
    it.work.write("apps/c.yaml", widget("c", "size", "small"));
    it.change().refused().says("too many");
    fs::remove_dir_all(it.git_dir().join("admit/holdings")).unwrap();
    it.push(&["origin", "main"]).refused().says("too many");
}
