//! `admit hook doctor`: the ways in which Git passes over a hook without a word, and in which a hook refuses everything.
//!
//! In: a repository, as the user that the server runs as. Out: a line for each thing looked at; exit code 1 when one of
//! them lets pushes through unjudged or refuses all of them. The hook is started for this, with no ref to judge.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    judge::Bench,
    place::{Hook, PlaceArgs, hooks_directory},
};
use crate::{
    commands::{RunError, check::LawArgs},
    config::Guard,
    report::escape,
    runner::{self, Wants},
    source::{Comparison, Environment, Repository, push::RefUpdate},
};

/// Arguments of `admit hook doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    place: PlaceArgs,
}

/// The variable that has a hook say its version.
pub(super) const VARIABLE: &str = "ADMIT_DOCTOR";

/// What was found so far.
#[derive(Default)]
struct Findings {
    text: String,
    is_ill: bool,
}

impl Findings {
    fn ok(&mut self, text: &str) {
        self.say("ok", text, None);
    }

    fn warning(&mut self, text: &str, hint: &str) {
        self.say("warning", text, Some(hint));
    }

    fn error(&mut self, text: &str, hint: &str) {
        self.is_ill = true;
        self.say("error", text, Some(hint));
    }

    fn say(&mut self, word: &str, text: &str, hint: Option<&str>) {
        let hint = hint.map(|it| format!("hint: {it}"));
        for line in [Some(format!("{word}: {}", escape::line(text))), hint].into_iter().flatten() {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }
}

/// Looks at the hook; `now` is in nanoseconds since 1970.
pub(super) fn run(
    args: &DoctorArgs,
    now: i128,
    environment: &Environment,
    out: &mut dyn Write,
) -> Result<u8, RunError> {
    let found = args.place.find(environment)?;
    let mut findings = Findings::default();
    if let Some(repository) = &found.repository {
        overridden(repository, &args.place, &found.path, environment, &mut findings);
    }
    let script = file(&found.path, found.repository.as_ref(), &mut findings);
    if let Some(script) = &script {
        interpreter(&found.path, script, &mut findings);
        mount(&found.path, &mut findings);
        if !findings.is_ill {
            let directory = found.repository.as_ref().map(Repository::git_dir);
            start(&found.path, args.place.hook, directory, &mut findings);
        }
    }
    if let Some(repository) = found.repository {
        configuration(&repository, script.as_deref().unwrap_or_default(), &mut findings);
        law(repository, environment, now, &mut findings);
    }
    let verdict =
        if findings.is_ill { "error: pushes are let through unjudged, or all refused\n" } else { "ok: it works\n" };
    findings.text.push_str(verdict);
    let _ = out.write_all(findings.text.as_bytes());
    Ok(u8::from(findings.is_ill))
}

/// A hook in the usual place that Git does not look into.
fn overridden(
    repository: &Repository,
    place: &PlaceArgs,
    path: &Path,
    environment: &Environment,
    findings: &mut Findings,
) {
    let usual = repository.git_dir().join("hooks");
    let directory = hooks_directory(repository, environment);
    if directory == usual {
        return;
    }
    let shown = directory.display();
    if place.server.is_some() && path.starts_with(repository.git_dir()) && !path.starts_with(&directory) {
        findings.error(
            &format!("core.hooksPath leads Git to {shown}, so that nothing in this repository is run"),
            "git config --unset core.hooksPath, or install it there",
        );
    } else if usual.join(place.hook.name()).exists() && path.symlink_metadata().is_err() {
        findings.error(
            &format!("core.hooksPath leads Git to {shown}: the hook in {} is never run", usual.display()),
            "git config --unset core.hooksPath, or install the hook again",
        );
    } else {
        findings.ok(&format!("core.hooksPath leads Git to {shown}"));
    }
}

/// The file itself: there, a file, executable, in the right hands. Returns its text.
fn file(path: &Path, repository: Option<&Repository>, findings: &mut Findings) -> Option<String> {
    let shown = path.display().to_string();
    if metadata(path, false).is_err() {
        findings.error(&format!("there is no {shown}"), "admit hook install");
        return None;
    }
    let Ok(target) = metadata(path, true) else {
        findings.error(&format!("{shown} is a link that leads nowhere: Git passes over it"), "admit hook install");
        return None;
    };
    if !target.is_file() {
        findings.error(&format!("{shown} is no file"), "admit hook install");
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if target.mode() & 0o111 == 0 {
            findings.error(&format!("{shown} is not executable: Git passes over it"), &format!("chmod +x {shown}"));
        }
        let mut hands: Vec<(String, fs::Metadata)> = vec![(shown.clone(), target)];
        if let Some((parent, it)) = path.parent().and_then(|it| Some((it, metadata(it, true).ok()?))) {
            hands.push((parent.display().to_string(), it));
        }
        let owner = repository.and_then(|it| metadata(it.git_dir(), true).ok()).map(|it| it.uid());
        for (name, it) in hands {
            if it.mode() & 0o002 != 0 {
                findings.error(&format!("everybody may change {name}"), &format!("chmod o-w {name}"));
            }
            if it.uid() != 0 && owner.is_some_and(|owner| it.uid() != owner) {
                let text = format!("{name} belongs to user {}, who is not the one of the repository", it.uid());
                findings.error(&text, "chown it: whoever owns it can take the hook away");
            }
        }
    }
    match read(path) {
        Ok(text) => Some(text),
        Err(error) => {
            findings.error(&format!("{shown} can't be read: {error}"), "run this as the user of the server");
            None
        }
    }
}

/// What runs the script.
fn interpreter(path: &Path, script: &str, findings: &mut Findings) {
    let first = script.split('\n').next().unwrap_or_default();
    let Some(rest) = first.strip_prefix("#!") else { return };
    if first.ends_with('\r') {
        let hint = format!("sed -i 's/\\r$//' {}", path.display());
        findings.error("the lines of the script end as on Windows: it can't be run", &hint);
    }
    let program = rest.split_whitespace().next().unwrap_or_default();
    if metadata(Path::new(program), true).is_err() {
        findings.error(&format!("the script wants {program}, which is not here"), "admit hook install");
    }
}

/// The file system of the hook.
fn mount(path: &Path, findings: &mut Findings) {
    let Ok(path) = canonical(path) else { return };
    let Ok(mounts) = read(Path::new("/proc/self/mounts")) else { return };
    let unescape = |it: &str| it.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    let parse = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (at, options) = (unescape(words.next()?), words.nth(1)?.to_owned());
        path.starts_with(&at).then_some((at, options))
    };
    // Of two mounts at one place the later one counts.
    let nearest = mounts.lines().filter_map(parse).max_by_key(|it| it.0.len());
    if let Some((at, options)) = nearest
        && options.split(',').any(|it| it == "noexec")
    {
        let hint = "let core.hooksPath name a directory from which programs may run";
        findings.error(&format!("nothing may be run from {at} (noexec), where {} is", path.display()), hint);
    }
}

/// Starts the hook with no ref to judge, and has it say its version.
#[expect(clippy::disallowed_methods, reason = "the hook is what is looked at")]
fn start(path: &Path, hook: Hook, directory: Option<&Path>, findings: &mut Findings) {
    let zeros = "0".repeat(40);
    let mut command = Command::new(path);
    match hook {
        Hook::Update => command.args(["refs/heads/admit-doctor", &zeros, &zeros]),
        Hook::PrePush => command.args(["origin", "file:///"]),
        Hook::PreReceive | Hook::PreCommit => &mut command,
    };
    command.current_dir(directory.unwrap_or(Path::new("/")));
    if matches!(hook, Hook::PreReceive | Hook::Update) {
        command.env("GIT_DIR", ".");
    }
    command.env(VARIABLE, "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let shown = path.display();
    let done = match command.output() {
        Ok(done) => done,
        Err(error) => {
            findings.error(&format!("{shown} can't be started: {error}"), "run this as the user of the server");
            return;
        }
    };
    let text = String::from_utf8_lossy(&done.stderr);
    let version = text.lines().find_map(|line| line.strip_prefix("admit: version "));
    let reason = text.lines().find(|it| !it.is_empty() && !it.starts_with("admit: version "));
    // Without a repository, or without a working tree, it gets no further than to say its version.
    let is_fine = done.status.success() || (version.is_some() && (directory.is_none() || hook == Hook::PreCommit));
    match (version, is_fine) {
        (Some(version), true) => findings.ok(&format!("{shown} runs admit {}", escape::line(version))),
        (_, false) => findings.error(
            &format!("{shown} refuses everything: {}", reason.unwrap_or("it gives no reason")),
            "what it runs stands in the line `admit=` of the script",
        ),
        (None, true) => findings.error(&format!("{shown} runs, but not admit"), "admit hook install --replace"),
    }
}

/// What the configuration of the repository takes away from the hook.
fn configuration(repository: &Repository, script: &str, findings: &mut Findings) {
    let is_on = |name: &str| {
        repository.config(name).is_some_and(|it| matches!(&*it.to_ascii_lowercase(), "true" | "yes" | "on" | "1"))
    };
    if script.contains("--bypass-by") && !is_on("receive.advertisePushOptions") {
        findings.warning("nobody can ask for a bypass", "git config receive.advertisePushOptions true");
    }
    if !is_on("receive.fsckObjects") && !is_on("transfer.fsckObjects") {
        findings.warning("broken objects are taken in", "git config receive.fsckObjects true");
    }
    if let Some(reason) = repository.backend_reason() {
        findings.ok(&format!("objects are read by `git` processes, since libgit2 says: {reason}"));
    }
}

/// What judges pushes here.
fn law(repository: Repository, environment: &Environment, now: i128, findings: &mut Findings) {
    let head = match (repository.head(), repository.branches(1)) {
        (Ok(Some(head)), _) => head,
        (Ok(None), Ok(branches)) if branches.is_empty() => {
            return findings.ok("there is no branch yet: the first push is judged by what it brings");
        }
        (Ok(None), _) => {
            let hint = "git symbolic-ref HEAD refs/heads/main";
            return findings.error("HEAD names no branch that exists: no policies judge new branches", hint);
        }
        (Err(error), _) => return findings.error(&format!("the default branch can't be read: {error}"), "git fsck"),
    };
    let bench = Bench {
        repository,
        environment: environment.clone(),
        law: LawArgs::default(),
        trust: None,
        guard: Some(Guard::everything()),
        remote: None,
        pusher: None,
        now,
    };
    let id = head.commit.unwrap_or(head.tree);
    let update = RefUpdate { name: "refs/heads/doctor".to_owned(), old: id, new: id };
    let comparison = Comparison { old: Some(head.clone()), new: head.clone(), base: Some(head) };
    let work = || bench.compare(&update, comparison, Wants::default());
    match runner::on_threads(0, work) {
        Ok(Ok(judged)) if judged.n_policies == 0 => findings.warning(
            "the default branch holds no policy: unless the hook names some, every push is refused",
            "commit policies, or give the hook --policies /etc/admit/policies",
        ),
        Ok(Ok(judged)) => {
            let trust = judged.trust.unwrap_or_default();
            findings.ok(&format!("{} policies on the default branch, trust: {trust}", judged.n_policies));
            findings.ok(
                "whoever may push a policy changes the rules for the next push, unless GOV001 to GOV004 say who may \
                 (admit explain GOV002)",
            );
        }
        Ok(Err(error)) => findings.error(&format!("nothing can be judged: {error}"), "admit check --diff HEAD"),
        Err(error) => findings.error(&format!("nothing can be judged: {error}"), "allow more threads"),
    }
}

#[expect(clippy::disallowed_methods, reason = "hooks and mounts are no input of a verdict")]
fn metadata(path: &Path, follows: bool) -> std::io::Result<fs::Metadata> {
    if follows { fs::metadata(path) } else { fs::symlink_metadata(path) }
}

#[expect(clippy::disallowed_methods, reason = "hooks and mounts are no input of a verdict")]
fn read(path: &Path) -> std::io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

#[expect(clippy::disallowed_methods, reason = "hooks and mounts are no input of a verdict")]
fn canonical(path: &Path) -> std::io::Result<PathBuf> {
    fs::canonicalize(path)
}
