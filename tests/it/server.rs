//! A Git server in a directory: a bare repository with a hook of `admit`, and a clone that pushes to it.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use crate::scratch::{ADMIT, Run, Scratch, policy, widget};

/// A bare repository with the hook, and a clone to push from.
pub(crate) struct Server {
    pub(crate) top: Scratch,
    pub(crate) name: &'static str,
    pub(crate) work: Scratch,
    /// The PATH that the server gives to hooks.
    pub(crate) path: OsString,
}

impl Server {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self::named("server.git", &[])
    }

    pub(crate) fn named(name: &'static str, flags: &[&str]) -> Self {
        let top = Scratch::new();
        top.git(&[&["init", "-q", "--bare"], flags, &[name]].concat());
        let work = Scratch::new();
        work.git(&[&["init", "-q"], flags].concat());
        let url = top.path(name);
        work.git(&["remote", "add", "origin", &format!("file://{}", url.display())]);
        // The server finds the program on its PATH.
        let bin = top.path("bin");
        fs::create_dir(&bin).unwrap();
        fs::hard_link(ADMIT, bin.join("admit")).or_else(|_| fs::copy(ADMIT, bin.join("admit")).map(drop)).unwrap();
        let usual = std::env::var_os("PATH").unwrap();
        let paths = [bin].into_iter().chain(std::env::split_paths(&usual));
        let path = std::env::join_paths(paths).unwrap();
        let it = Self { top, name, work, path };
        it.install(&shim());
        it
    }

    /// One with a policy and two Widgets, one of which violates it, on `main`.
    pub(crate) fn with_base() -> Self {
        let it = Self::new();
        it.work.write("policies/size.yaml", policy("size", "size", "small"));
        it.work.write("apps/a.yaml", widget("a", "size", "small"));
        it.work.commit("base");
        it.push(&["origin", "main"]).accepted();
        it
    }

    /// Puts a script in the place of `pre-receive`.
    pub(crate) fn install(&self, script: &str) {
        self.install_as("pre-receive", script);
    }

    /// Gives flags to the hook as it is shipped.
    pub(crate) fn configure(&self, flags: &str) {
        assert!(shim().contains("\nset --\n"));
        self.install(&shim().replace("\nset --\n", &format!("\nset -- {flags}\n")));
    }

    /// Puts a script in the place of a hook.
    pub(crate) fn install_as(&self, name: &str, script: &str) {
        let hook = self.git_dir().join("hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, script).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    pub(crate) fn git_dir(&self) -> PathBuf {
        self.top.path(self.name)
    }

    pub(crate) fn push(&self, arguments: &[&str]) -> Push<'_> {
        self.push_with(&self.path, arguments)
    }

    /// Pushes with other variables, PATH among them.
    pub(crate) fn push_as(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Push<'_> {
        let before = self.state();
        let mut all: Vec<(&str, &OsStr)> = vec![("PATH", &self.path)];
        all.extend(variables.iter().map(|(name, value)| (*name, OsStr::new(*value))));
        let run = self.work.git_with(&all, &[&["push", "--no-progress"], arguments].concat());
        Push { server: self, before, run }
    }

    pub(crate) fn push_with(&self, path: &OsStr, arguments: &[&str]) -> Push<'_> {
        let before = self.state();
        let run = self.work.git_with(&[("PATH", path)], &[&["push", "--no-progress"], arguments].concat());
        Push { server: self, before, run }
    }

    /// Commits all there is and pushes `main`.
    pub(crate) fn change(&self) -> Push<'_> {
        self.work.commit("change");
        self.push(&["origin", "main"])
    }

    /// Takes the last commit back, here only.
    pub(crate) fn undo(&self) {
        self.work.git(&["reset", "-q", "--hard", "HEAD~1"]);
    }

    /// Every ref and every object, and nothing else that a push could leave.
    pub(crate) fn state(&self) -> (String, String, Vec<PathBuf>) {
        let git = |arguments: &[&str]| self.top.git(&[&["-C", self.name], arguments].concat());
        let objects = git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
        (git(&["for-each-ref"]), objects, files(&self.git_dir().join("objects")))
    }
}

/// The hook as it is shipped.
pub(crate) fn shim() -> String {
    script("pre-receive")
}

/// A script of `hooks/` as it is shipped.
pub(crate) fn script(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks").join(name)).unwrap()
}

pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}

/// A push that was tried.
pub(crate) struct Push<'s> {
    server: &'s Server,
    before: (String, String, Vec<PathBuf>),
    pub(crate) run: Run,
}

impl Push<'_> {
    /// What the pusher sees of the hook.
    pub(crate) fn remote(&self) -> String {
        let lines = self.run.stderr.lines().filter_map(|line| line.strip_prefix("remote: "));
        lines.map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// Fails unless the push went through.
    #[track_caller]
    pub(crate) fn accepted(self) -> Self {
        assert_eq!(self.run.code, 0, "{}", self.run.stderr);
        assert_ne!(self.server.state().0, self.before.0, "a ref moved");
        self
    }

    /// Fails unless the push was refused by the hook and left nothing behind, within the columns of a terminal.
    #[track_caller]
    pub(crate) fn refused(self) -> Self {
        let it = self.refused_wider();
        for line in it.remote().lines() {
            assert!(line.chars().count() <= 72, "{line}");
        }
        it
    }

    /// Fails unless the push was refused by the hook and left nothing behind, however wide its lines.
    #[track_caller]
    pub(crate) fn refused_wider(self) -> Self {
        assert_ne!(self.run.code, 0, "{}", self.run.stderr);
        assert!(self.run.stderr.contains("(pre-receive hook declined)"), "{}", self.run.stderr);
        assert!(!self.run.stderr.contains("panicked"), "{}", self.run.stderr);
        assert!(self.server.state() == self.before, "a ref moved, or an object stayed");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let remote = self.remote();
        assert!(remote.contains(text), "`{text}` is not in:\n{remote}\n{}", self.run.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says_not(self, text: &str) -> Self {
        let remote = self.remote();
        assert!(!remote.contains(text), "`{text}` is in:\n{remote}");
        self
    }
}
