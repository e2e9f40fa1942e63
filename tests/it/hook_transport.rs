//! Pushes over HTTP through a web server and `git http-backend`, over SSH through a daemon on this machine, and through
//! Gitolite: programs of Debian, which `.ci/run` installs. A test whose program is missing says so.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use crate::{
    scratch::{Run, Scratch, command, policy, widget},
    server::Server,
};

/// A program of the machine, wherever it is.
fn program(name: &str) -> Option<PathBuf> {
    let usual = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/lib/git-core", "/usr/share/gitolite3"].map(PathBuf::from);
    let found = std::env::split_paths(&usual).chain(more).map(|it| it.join(name)).find(|it| it.is_file());
    if found.is_none() {
        eprintln!("skipped: there is no {name}");
    }
    found
}

/// A daemon that is gone at the end of the test.
struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    /// Starts one that listens on this port; fails when it doesn't.
    fn start(mut command: std::process::Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut it = Self { child, port };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let is_gone = it.child.try_wait().unwrap().is_some();
            assert!(!is_gone && began.elapsed() < Duration::from_secs(30), "the daemon does not listen");
            std::thread::yield_now();
        }
        it
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody else has at this moment.
fn port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// What every transport must do: refuse with the reason and leave nothing behind, let through what is right.
fn goes_through_and_is_refused(it: &Server, variables: &[(&str, &str)]) {
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("bad");
    let push = it.push_as(variables, &["origin", "main"]).refused().says("admit: refs/heads/main refused");
    push.says("apps/b.yaml:4:15");
    it.push_as(variables, &["origin", "main:feature"]).refused().says("refs/heads/feature");
    it.undo();
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.work.commit("good");
    it.work.git(&["tag", "-a", "v1", "-m", "v1"]);
    it.push_as(variables, &["origin", "main", "v1", "main:feature"]).accepted().says_not("admit");
    it.push_as(variables, &["origin", ":feature"]).accepted();
}

/// The records of a log.
fn pushers(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    records.map(|it| it["pusher"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn pushes_over_http_are_judged_and_leak_no_password() {
    let (Some(lighttpd), Some(backend)) = (program("lighttpd"), program("git-http-backend")) else { return };
    let it = Server::with_base();
    it.top.admit(&["hook", "install", it.name, "--", "--server", "http", "--deadline", "60"]).exits(0);
    let (top, port) = (it.top.path(""), port());
    let (top, backend) = (top.display(), backend.display());
    it.top.write("users", "ann:secret\n");
    let config = format!(
        r#"server.document-root = "{top}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{top}/error.log"
server.modules = ("mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi")
alias.url = ("/git" => "{backend}")
cgi.assign = ("" => "")
setenv.set-environment = ("GIT_PROJECT_ROOT" => "{top}", "GIT_HTTP_EXPORT_ALL" => "1", "PATH" => "/usr/bin:/bin")
auth.backend = "plain"
auth.backend.plain.userfile = "{top}/users"
auth.require = ("/git" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
"#
    );
    it.top.write("lighttpd.conf", config);
    let mut command = command(lighttpd.to_str().unwrap(), &it.top.path(""));
    command.args(["-D", "-f", "lighttpd.conf"]);
    let daemon = Daemon::start(command, port);
    let url = format!("http://ann:secret@127.0.0.1:{}/git/{}", daemon.port, it.name);
    it.work.git(&["remote", "set-url", "origin", &url]);
    goes_through_and_is_refused(&it, &[]);
    let log = it.git_dir().join("admit/audit.jsonl");
    assert!(pushers(&log).iter().skip(1).all(|it| it == "ann"), "{:?}", pushers(&log));
    let text = fs::read_to_string(&log).unwrap();
    assert!(!text.contains("secret") && !text.contains("YW5uOnNlY3JldA"), "{text}");
}

/// A daemon that lets one key in, with options in front of it.
fn sshd(top: &Scratch, options: &str) -> Option<(Daemon, String)> {
    let (sshd, keygen, _) = (program("sshd")?, program("ssh-keygen")?, program("ssh")?);
    // Where it puts itself away while it looks at a key; only root can make the directory, and a package has.
    let _ = fs::create_dir_all("/run/sshd");
    for key in ["host", "client"] {
        let mut command = command(keygen.to_str().unwrap(), &top.path(""));
        let done = command.args(["-q", "-t", "ed25519", "-N", "", "-f", key]).status().unwrap();
        assert!(done.success());
    }
    let public = fs::read_to_string(top.path("client.pub")).unwrap();
    top.write("keys", format!("{options}{public}"));
    let (port, path) = (port(), top.path(""));
    let path = path.display();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host\nAuthorizedKeysFile {path}/keys\nStrictModes no\n\
         UsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\nPermitUserEnvironment no\n"
    );
    top.write("sshd.conf", config);
    let mut command = command(sshd.to_str().unwrap(), &top.path(""));
    command.args(["-D", "-e", "-f", &format!("{path}/sshd.conf")]);
    let daemon = Daemon::start(command, port);
    let ssh = format!(
        "ssh -F /dev/null -i {path}/client -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o \
         UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    );
    Some((daemon, ssh))
}

fn user() -> String {
    let done = command("id", Path::new("/")).arg("-un").output().unwrap();
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

#[test]
fn pushes_over_ssh_are_judged() {
    let it = Server::with_base();
    it.top.admit(&["hook", "install", it.name, "--", "--server", "ssh", "--deadline", "60"]).exits(0);
    let Some((daemon, ssh)) = sshd(&it.top, "") else { return };
    let url = format!("ssh://{}@127.0.0.1:{}{}", user(), daemon.port, it.git_dir().display());
    it.work.git(&["remote", "set-url", "origin", &url]);
    let variables = [("GIT_SSH_COMMAND", &*ssh)];
    goes_through_and_is_refused(&it, &variables);
    let log = it.git_dir().join("admit/audit.jsonl");
    assert!(pushers(&log).iter().skip(1).all(|it| *it == user()), "{:?}", pushers(&log));
}

#[test]
fn pushes_through_gitolite_are_judged() {
    let (Some(gitolite), Some(shell)) = (program("gitolite"), program("gitolite-shell")) else { return };
    let top = Scratch::new();
    let home = top.path("home");
    fs::create_dir(&home).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = command(gitolite.to_str().unwrap(), &home);
        let done = command.env_remove("GIT_CONFIG_NOSYSTEM").args(arguments).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run(&["setup", "-a", "ann"]);
    let rc = fs::read_to_string(home.join(".gitolite.rc")).unwrap();
    let is_local = |line: &&str| line.contains("LOCAL_CODE") && line.contains("$ENV{HOME}/local");
    let line = rc.lines().find(is_local).expect("the place for hooks of one's own");
    top.write("home/.gitolite.rc", rc.replace(line, line.trim_start().trim_start_matches('#')));
    let local = home.join("local");
    let flags =
        ["hook", "install", "--server", "gitolite", "--into", local.to_str().unwrap(), "--", "--deadline", "60"];
    top.admit(&flags).exits(0).says("gitolite setup --hooks-only");
    run(&["setup", "--hooks-only"]);
    let options = format!("command=\"env HOME={} {} ann\" ", home.display(), shell.display());
    let Some((daemon, ssh)) = sshd(&top, &options) else { return };
    let work = Scratch::repository();
    let url = format!("ssh://{}@127.0.0.1:{}/testing", user(), daemon.port);
    work.git(&["remote", "add", "origin", &url]);
    let variables: [(&str, &std::ffi::OsStr); 1] = [("GIT_SSH_COMMAND", ssh.as_ref())];
    let push = |arguments: &[&str]| -> Run {
        work.git_with(&variables, &[&["push", "--no-progress", "origin"], arguments].concat())
    };
    work.write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/a.yaml", widget("a", "size", "small"));
    work.commit("base");
    let run = push(&["main"]);
    assert_eq!(run.code, 0, "{run:?}");
    work.write("apps/b.yaml", widget("b", "size", "large"));
    work.commit("bad");
    let run = push(&["main"]);
    assert!(run.code != 0 && run.stderr.contains("apps/b.yaml:4:15"), "{run:?}");
    let run = push(&["main:feature"]);
    assert!(run.code != 0 && run.stderr.contains("refs/heads/feature refused"), "{run:?}");
    let git_dir = home.join("repositories/testing.git");
    let objects = top.git(&["-C", git_dir.to_str().unwrap(), "count-objects", "-v"]);
    let bad = work.git(&["rev-parse", "HEAD:apps/b.yaml"]);
    assert_ne!(top.try_git(&["-C", git_dir.to_str().unwrap(), "cat-file", "-e", &bad]).code, 0, "{objects}");
    let names = pushers(&git_dir.join("admit/audit.jsonl"));
    assert_eq!(names, ["ann", "ann", "ann"]);
    top.admit(&["hook", "doctor", "--server", "gitolite", "--into", local.to_str().unwrap()]).exits(0);
}
