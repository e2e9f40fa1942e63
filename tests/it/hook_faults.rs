//! What goes wrong on a server: never is a push let through that should not be, never is the repository broken.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    scratch::{command, policy, widget},
    server::Server,
};

/// Two files, the second of which violates.
fn with_violation() -> Server {
    let it = Server::with_base();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("bad");
    it
}

fn fsck(it: &Server) {
    it.top.git(&["-C", it.name, "fsck", "--strict", "--no-dangling"]);
}

#[test]
fn a_hook_that_is_killed_refuses() {
    let it = with_violation();
    // Half-way: its input is read, and then it dies of a signal.
    it.install("#!/bin/sh\ncat >/dev/null\nkill -9 $$\n");
    it.push(&["origin", "main"]).refused();
    it.install("#!/bin/sh\nset -m\nADMIT hook pre-receive &\nkill -9 $!\nwait $!\n".replace("ADMIT", "admit").as_str());
    it.push(&["origin", "main"]).refused();
    fsck(&it);
}

#[test]
fn what_is_remembered_may_be_broken_gone_or_locked_away() {
    let it = Server::with_base();
    it.work.write("apps/c.yaml", widget("c", "size", "small"));
    it.change().accepted();
    let kept = it.git_dir().join("admit/holdings");
    let files: Vec<_> = fs::read_dir(&kept).unwrap().map(|it| it.unwrap().path()).collect();
    assert!(!files.is_empty());
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("bad");
    for broken in [&b""[..], b"admit 0.1.0 1 x y\n", b"\0\xff\n\n", &[b'x'; 4096]] {
        for file in fs::read_dir(&kept).unwrap() {
            fs::write(file.unwrap().path(), broken).unwrap();
        }
        it.push(&["origin", "main"]).refused().says("apps/b.yaml:4:15");
    }
    // One that claims that there is no law: its sum is wrong.
    for file in fs::read_dir(&kept).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read(&path).unwrap();
        if let Some(end) = text.iter().position(|&it| it == b'\n') {
            fs::write(&path, &text[..=end]).unwrap();
        }
    }
    it.push(&["origin", "main"]).refused().says("apps/b.yaml:4:15");
    fs::remove_dir_all(&kept).unwrap();
    fs::write(&kept, "in the way").unwrap();
    it.push(&["origin", "main"]).refused().says("apps/b.yaml:4:15");
    fs::remove_dir_all(it.git_dir().join("admit")).unwrap();
    fs::write(it.git_dir().join("admit"), "in the way").unwrap();
    it.push(&["origin", "main"]).refused().says("apps/b.yaml:4:15");
    it.undo();
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.change().accepted();
}

#[test]
fn an_object_that_is_missing_or_broken_refuses() {
    for breaks in [true, false] {
        let it = Server::with_base();
        it.top.git(&["-C", it.name, "config", "receive.fsckObjects", "false"]);
        let policy = it.work.git(&["rev-parse", "HEAD:policies/size.yaml"]);
        let loose = it.git_dir().join("objects").join(&policy[..2]).join(&policy[2..]);
        fs::set_permissions(&loose, fs::Permissions::from_mode(0o644)).unwrap();
        if breaks {
            fs::write(&loose, b"broken").unwrap();
        } else {
            fs::remove_file(&loose).unwrap();
        }
        fs::remove_dir_all(it.git_dir().join("admit")).unwrap();
        it.work.write("apps/b.yaml", widget("b", "size", "large"));
        it.work.commit("bad");
        let push = it.push(&["origin", "main"]);
        assert_ne!(push.run.code, 0, "{}", push.run.stderr);
        assert_eq!(it.top.git(&["-C", it.name, "log", "--format=%s"]), "base");
    }
}

#[test]
fn two_pushes_at_once_are_both_judged() {
    let it = Server::with_base();
    for n in 0..6 {
        it.work.git(&["checkout", "-q", "-b", &format!("b{n}"), "main"]);
        let size = if n % 2 == 0 { "small" } else { "large" };
        it.work.write(&format!("apps/n{n}.yaml"), widget(&format!("n{n}"), "size", size));
        it.work.commit("n");
    }
    fs::remove_dir_all(it.git_dir().join("admit")).unwrap();
    let start = |n: usize| {
        let mut git = command("git", &it.work.path(""));
        git.env("PATH", &it.path).args(["push", "-q", "origin", &format!("b{n}")]);
        git.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = (0..6).map(start).collect();
    for (n, mut child) in running.into_iter().enumerate() {
        assert_eq!(child.wait().unwrap().success(), n % 2 == 0, "push {n}");
    }
    let log = fs::read_to_string(it.git_dir().join("admit/audit.jsonl")).unwrap();
    assert_eq!(log.lines().filter(|it| serde_json::from_str::<serde_json::Value>(it).is_ok()).count(), 6, "{log}");
    fsck(&it);
}

#[test]
fn a_policy_that_takes_forever_is_ended() {
    let it = Server::with_base();
    // Each list item is compared with all others, again and again.
    let slow = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: slow }
spec:
  validationFailureAction: Enforce
  rules:
    - name: check
      match: { any: [{ resources: { kinds: [Widget] } }] }
      context: [{ name: all, variable: { jmesPath: \"request.object.spec.list\" } }]
      validate:
        message: slow
        foreach:
          - list: all
            foreach:
              - list: all
                foreach:
                  - list: all
                    foreach:
                      - list: all
                        deny: { conditions: { any: [{ key: \"{{ element }}\", operator: Equals, value: none }] } }
";
    it.work.write("policies/slow.yaml", slow);
    it.change().accepted();
    let list = (0..400).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let text = widget("b", "size", "small").replace("small }", &format!("small, list: [{list}] }}"));
    it.work.write("apps/b.yaml", text);
    it.configure("--deadline 2");
    // Whichever comes first, the bound of the engine or the deadline.
    let push = it.change().refused();
    let remote = push.remote();
    assert!(["not judged within 2 s", "foreach looks at more than"].iter().any(|it| remote.contains(it)), "{remote}");
    it.work.write("apps/b.yaml", widget("b", "size", "small").replace("small }", "small, list: [1] }"));
    it.configure("--deadline 60");
    it.change().accepted();
}

#[test]
fn a_hundred_megabytes_in_one_file_are_not_read() {
    let it = Server::with_base();
    let line = b"# nothing but a comment, again and again, until the file is far too long for anybody\n";
    it.work.write("apps/huge.yaml", line.repeat((100 << 20) / line.len()));
    it.work.write("apps/huge.bin", vec![b'x'; 1 << 20]);
    it.configure("--deadline 60");
    it.change().refused().says("error[source/too-large]").says("apps/huge.yaml");
    fsck(&it);
}

#[test]
fn fifty_thousand_files_in_one_push_are_judged() {
    let it = Server::with_base();
    let base = it.work.git(&["rev-parse", "HEAD"]);
    let mut child = command("git", &it.work.path(""))
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = std::io::BufWriter::new(child.stdin.take().unwrap());
    let data = |text: &str| format!("data {}\n{text}\n", text.len());
    write!(
        input,
        "commit refs/heads/main\ncommitter a <a@example.com> 1700000000 +0000\n{}from {base}\n",
        data("many")
    )
    .unwrap();
    for n in 0..50_000 {
        let size = if n == 33_333 { "large" } else { "small" };
        write!(input, "M 100644 inline apps/{}/{n}.yaml\n{}", n % 500, data(&widget(&format!("n{n}"), "size", size)))
            .unwrap();
    }
    input.flush().unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    it.configure("--deadline 120");
    it.push(&["origin", "main"]).refused().says("apps/333/33333.yaml:4:15").says("1 error");
    it.configure("--deadline 0.01");
    it.push(&["origin", "main"]).refused().says("not judged within");
    fsck(&it);
}

#[test]
fn a_full_disk_and_a_read_only_repository_let_nothing_through() {
    let it = with_violation();
    let at = it.top.path("small");
    fs::create_dir(&at).unwrap();
    let mount = |options: &str| {
        let mut command = command("mount", Path::new("/"));
        let done = command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).stderr(Stdio::null()).status();
        done.is_ok_and(|it| it.success())
    };
    if !mount("size=3m") {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    let _unmounts = Unmounts(&at);
    it.top.git(&["clone", "-q", "--bare", it.name, "small/full.git"]);
    let full = at.join("full.git");
    fs::create_dir_all(full.join("hooks")).unwrap();
    fs::copy(it.git_dir().join("hooks/pre-receive"), full.join("hooks/pre-receive")).unwrap();
    let push = |branch: &str| {
        it.work.git_with(&[("PATH", &it.path)], &["push", "--no-progress", full.to_str().unwrap(), branch])
    };
    // What is left is enough for the objects of the push, not for what the hook would like to keep.
    let mut filler = fs::File::create(at.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    drop(filler);
    let kept = fs::OpenOptions::new().write(true).open(at.join("filler")).unwrap();
    kept.set_len(kept.metadata().unwrap().len() - (40 << 10)).unwrap();
    let run = push("main");
    assert!(run.code != 0, "{run:?}");
    assert_eq!(it.top.git(&["-C", full.to_str().unwrap(), "log", "--format=%s", "main"]), "base");
    fs::remove_file(at.join("filler")).unwrap();
    let mut remount = command("mount", Path::new("/"));
    if remount.args(["-o", "remount,ro"]).arg(&at).status().unwrap().success() {
        let run = push("main");
        assert!(run.code != 0, "{run:?}");
    } else {
        eprintln!("skipped: nothing can be mounted anew here, so that no repository is read-only");
    }
    it.top.git(&["-C", full.to_str().unwrap(), "fsck", "--no-dangling"]);
}

struct Unmounts<'p>(&'p Path);

impl Drop for Unmounts<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn where_nothing_can_be_kept_the_verdict_is_the_same() {
    let it = with_violation();
    it.work.write("policies/color.yaml", policy("color", "color", "red"));
    // Whoever runs this as root writes anyway; a file in the way stops everybody.
    let _ = fs::remove_dir_all(it.git_dir().join("admit"));
    fs::write(it.git_dir().join("admit"), "").unwrap();
    it.push(&["origin", "main"]).refused().says("apps/b.yaml:4:15");
    it.configure("--verbose");
    it.push(&["origin", "main"]).refused().says("warning: the decision can't be written to");
}
