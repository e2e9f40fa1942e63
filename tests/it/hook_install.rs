//! `admit hook install` and `admit hook doctor`: hooks that work, and each way in which one does not.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    scratch::{ADMIT, Run, Scratch, command, widget},
    server::Server,
};

/// A repository with a base, and the hook that `install` puts there.
fn installed() -> Server {
    let it = Server::with_base();
    fs::remove_file(it.git_dir().join("hooks/pre-receive")).unwrap();
    it.top.admit(&["hook", "install", it.name]).exits(0).says("installed ").says("hooks/pre-receive");
    it
}

fn doctor(it: &Server) -> Run {
    it.top.admit(&["hook", "doctor", it.name])
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_installed_hook_works_and_the_doctor_says_so() {
    let it = installed();
    it.top.git(&["-C", it.name, "config", "receive.fsckObjects", "true"]);
    let run = doctor(&it).exits(0).says("runs admit ").says("1 policies on the default branch, trust: base");
    run.says("ok: it works").says_not("warning:");
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.change().refused().says("apps/b.yaml:4:15");
    // Installing it again changes nothing; flags go into the script.
    it.top.admit(&["hook", "install", it.name, "--", "--monitor", "--guard", "it's *"]).exits(0);
    let script = fs::read_to_string(it.git_dir().join("hooks/pre-receive")).unwrap();
    assert!(script.contains("\nset -- --monitor --guard 'it'\\''s *'\n"), "{script}");
    doctor(&it).exits(0);
    for hook in ["update", "pre-push", "pre-commit"] {
        it.top.admit(&["hook", "install", it.name, "--hook", hook]).exits(0);
        it.top.admit(&["hook", "doctor", it.name, "--hook", hook]).says("runs admit ");
    }
}

#[test]
fn the_hook_of_somebody_else_is_not_touched_unasked() {
    let it = Server::with_base();
    it.install("#!/bin/sh\nexit 0\n");
    it.top.admit(&["hook", "install", it.name]).exits(2).complains("is there already").complains("--replace");
    doctor(&it).exits(1).says("runs, but not admit");
    it.top.admit(&["hook", "install", "--replace", it.name]).exits(0).says("kept what was there");
    assert!(it.git_dir().join("hooks/pre-receive.before-admit").exists());
    doctor(&it).exits(0);
}

#[test]
fn each_server_has_its_place() {
    let it = Server::with_base();
    for (server, path) in [("gitlab", "custom_hooks/pre-receive.d/admit"), ("gitea", "hooks/pre-receive.d/admit")] {
        it.top.admit(&["hook", "install", "--server", server, it.name]).exits(0);
        let hook = it.git_dir().join(path);
        assert_eq!(fs::metadata(&hook).unwrap().permissions().mode() & 0o777, 0o755);
        assert!(fs::read_to_string(&hook).unwrap().contains(&format!("\nset -- --server {server}\n")));
        it.top.admit(&["hook", "doctor", "--server", server, it.name]).exits(0).says("runs admit");
    }
    for (server, path, rest) in [
        ("gitolite", "local/hooks/common/pre-receive", "gitolite setup --hooks-only"),
        ("bitbucket", "local/admit-pre-receive", "rest/api/latest/hook-scripts"),
        ("ghes", "local/admit-pre-receive", "Add pre-receive hook"),
    ] {
        it.top.admit(&["hook", "install", "--server", server]).exits(2).complains("--into DIRECTORY");
        it.top.admit(&["hook", "install", "--server", server, "--into", "local"]).exits(0).says(rest);
        it.top.admit(&["hook", "doctor", "--server", server, "--into", "local"]).exits(0).says("runs admit");
        fs::remove_file(it.top.path(path)).unwrap();
        it.top
            .admit(&["hook", "install", "--server", server, "--hook", "update"])
            .exits(2)
            .complains("has no place for");
    }
    it.top.admit(&["hook", "install", "--dry-run", it.name]).exits(0).says("#!/bin/sh");
}

#[test]
fn the_doctor_finds_what_git_passes_over_without_a_word() {
    let it = installed();
    let hook = it.git_dir().join("hooks/pre-receive");
    let script = fs::read_to_string(&hook).unwrap();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("bad");
    let goes_through = |ill: &str| {
        doctor(&it).exits(1).says(&format!("error: {ill}"));
        // Git really lets it through.
        it.push(&["--force", "origin", "main"]).accepted();
        it.top.git(&["-C", it.name, "update-ref", "refs/heads/main", "refs/heads/main~1"]);
    };
    mode(&hook, 0o644);
    goes_through(&format!("{} is not executable", it.top.path("server.git/hooks/pre-receive").display()));
    fs::remove_file(&hook).unwrap();
    goes_through("there is no ");
    std::os::unix::fs::symlink("/nowhere/pre-receive", &hook).unwrap();
    let link = it.top.path("server.git/hooks");
    goes_through(&format!("{}/pre-receive is a link that leads", link.display()));
    fs::remove_file(&hook).unwrap();
    fs::write(&hook, &script).unwrap();
    mode(&hook, 0o755);
    fs::create_dir(it.top.path("elsewhere")).unwrap();
    let elsewhere = it.top.path("elsewhere");
    it.top.git(&["-C", it.name, "config", "core.hooksPath", elsewhere.to_str().unwrap()]);
    goes_through("core.hooksPath leads Git to ");
    it.top.git(&["-C", it.name, "config", "--unset", "core.hooksPath"]);
    doctor(&it).exits(0);
}

#[test]
fn the_doctor_finds_what_refuses_every_push() {
    let it = installed();
    let hook = it.git_dir().join("hooks/pre-receive");
    let script = fs::read_to_string(&hook).unwrap();
    for (broken, ill) in [
        (script.replace("admit=/", "admit=/nowhere/"), "refuses everything: error: this push can't be judged"),
        (script.replace("set --", "set -- --polices x"), "refuses everything: error: unexpected argument"),
        (script.replace("#!/bin/sh", "#!/nowhere/sh"), "the script wants /nowhere/sh"),
        (script.replace('\n', "\r\n"), "end as on Windows"),
    ] {
        fs::write(&hook, broken).unwrap();
        doctor(&it).exits(1).says(ill);
    }
    fs::write(&hook, &script).unwrap();
    mode(&hook, 0o777);
    doctor(&it).exits(1).says("everybody may change");
    mode(&hook, 0o755);
    it.top.git(&["-C", it.name, "symbolic-ref", "HEAD", "refs/heads/gone"]);
    doctor(&it).exits(1).says("HEAD names no branch that exists");
    it.top.git(&["-C", it.name, "symbolic-ref", "HEAD", "refs/heads/main"]);
    it.top.admit(&["hook", "install", it.name, "--", "--server", "http", "--bypass-by", "ann"]).exits(0);
    doctor(&it).exits(0).says("warning: nobody can ask for a bypass").says("receive.advertisePushOptions true");
}

#[test]
fn the_doctor_finds_the_wrong_owner_and_a_file_system_that_runs_nothing() {
    let it = installed();
    let hook = it.git_dir().join("hooks/pre-receive");
    let other = |path: &Path| std::os::unix::fs::chown(path, Some(65534), None).is_ok();
    if !other(&hook) {
        eprintln!("skipped: only root can give files away");
        return;
    }
    doctor(&it).exits(1).says("belongs to user 65534, who is not the one of the repository");
    // Git itself refuses a repository of somebody else.
    std::os::unix::fs::chown(&hook, Some(0), None).unwrap();
    assert!(other(&it.git_dir()));
    let run = doctor(&it);
    if run.code == 2 {
        run.complains("belongs to another user").complains("safe.directory");
    }
    std::os::unix::fs::chown(it.git_dir(), Some(0), None).unwrap();
    let at = it.top.path("mounted");
    fs::create_dir(&at).unwrap();
    let mount = |arguments: &[&str]| {
        let done = command("mount", &it.top.path("")).args(arguments).arg(&at).output();
        done.is_ok_and(|it| it.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "noexec,size=1m", "tmpfs"]) {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    let bin = at.join("pre-receive");
    fs::copy(&hook, &bin).unwrap();
    it.top.git(&["-C", it.name, "config", "core.hooksPath", at.to_str().unwrap()]);
    let run = doctor(&it);
    command("umount", &it.top.path("")).arg(&at).status().unwrap();
    run.exits(1).says("nothing may be run from").says("(noexec)");
}

#[test]
fn the_variable_of_the_doctor_lets_nothing_through() {
    let it = installed();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("bad");
    it.push_as(&[("ADMIT_DOCTOR", "1")], &["origin", "main"])
        .refused()
        .says("admit: version ")
        .says("apps/b.yaml:4:15");
}

#[test]
fn pre_commit_finds_its_hooks_in_this_repository() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml")).unwrap();
    let entries: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("entry: ")).collect();
    assert_eq!(entries.len(), 3, "{text}");
    // What they run judges what is staged.
    let it = Scratch::repository();
    it.write("policies/size.yaml", crate::scratch::policy("size", "size", "small"));
    it.write("a.yaml", widget("a", "size", "large"));
    it.git(&["add", "-A"]);
    for entry in entries.iter().filter(|it| it.starts_with("admit ")) {
        let arguments: Vec<&str> = entry.split(' ').skip(1).collect();
        it.admit(&arguments).exits(1);
    }
    assert!(Path::new(ADMIT).exists());
}
