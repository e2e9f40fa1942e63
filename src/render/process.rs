//! One run of a renderer: what it may see, and for how long.
//!
//! In: a program, its arguments, a directory made for it. Out: what it wrote to standard output. It sees no variable of
//! whoever runs this, finds no other program, has a home of its own and a proxy that leads nowhere instead of a network.
//! When its time is over, or it writes too much, its whole group of processes ends.

use std::{
    ffi::OsStr,
    io::{self, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Bytes of standard error that are kept: people read the first lines.
const MAX_STDERR: usize = 16 << 10;

/// How long to wait for a process that has closed its output to end.
const PAUSE: Duration = Duration::from_millis(2);

/// How much a run may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long it may take.
    pub time: Duration,
    /// Bytes that it may write.
    pub max_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), max_bytes: 64 << 20 }
    }
}

/// Why a run gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("it can't be started: {0}")]
    Start(#[source] io::Error),
    #[error("its output can't be read: {0}")]
    Output(#[source] io::Error),
    #[error("it was ended after {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("it wrote more than {0} bytes")]
    TooMuch(u64),
    /// It ended with an error; the text is what it said.
    #[error("{0}")]
    Failed(String),
}

/// What a thread read of one stream.
enum Heard {
    Stdout(io::Result<Vec<u8>>),
    Stderr(Vec<u8>),
}

/// Runs a program in `directory`, where it may also keep what it likes below `home`.
pub(super) fn run<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    directory: &Path,
    home: &Path,
    bounds: Bounds,
) -> Result<Vec<u8>, Failure> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env_clear().envs(environment(home));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let deadline = Instant::now() + bounds.time;
    let mut child = command.spawn().map_err(Failure::Start)?;
    let (sender, receiver) = mpsc::channel();
    let max_bytes = bounds.max_bytes;
    if let Some(stdout) = child.stdout.take() {
        let sender = sender.clone();
        thread::spawn(move || sender.send(Heard::Stdout(up_to(stdout, max_bytes + 1))));
    }
    if let Some(mut stderr) = child.stderr.take() {
        thread::spawn(move || {
            let kept = up_to(stderr.by_ref(), MAX_STDERR as u64).unwrap_or_default();
            // Whoever writes more must not wait for a reader.
            let _ = io::copy(&mut stderr, &mut io::sink());
            sender.send(Heard::Stderr(kept))
        });
    }
    let done = wait(&mut child, &receiver, deadline, bounds);
    if done.is_err() {
        end(&mut child);
    }
    let (status, stdout, stderr) = done?;
    if status.success() { Ok(stdout) } else { Err(Failure::Failed(said(&stderr, status))) }
}

/// Waits for both streams and the process.
fn wait(
    child: &mut Child,
    receiver: &mpsc::Receiver<Heard>,
    deadline: Instant,
    bounds: Bounds,
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), Failure> {
    let (mut stdout, mut stderr) = (None, None);
    while stdout.is_none() || stderr.is_none() {
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Heard::Stdout(Ok(bytes))) if bytes.len() as u64 > bounds.max_bytes => {
                return Err(Failure::TooMuch(bounds.max_bytes));
            }
            Ok(Heard::Stdout(bytes)) => stdout = Some(bytes.map_err(Failure::Output)?),
            Ok(Heard::Stderr(bytes)) => stderr = Some(bytes),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(Failure::TimedOut(bounds.time));
            }
        }
    }
    loop {
        if let Some(status) = child.try_wait().map_err(Failure::Output)? {
            return Ok((status, stdout.unwrap_or_default(), stderr.unwrap_or_default()));
        }
        if Instant::now() >= deadline {
            return Err(Failure::TimedOut(bounds.time));
        }
        thread::sleep(PAUSE);
    }
}

fn up_to(stream: impl Read, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    stream.take(max_bytes).read_to_end(&mut out)?;
    Ok(out)
}

/// Ends the process and all that it started.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// All the variables that a renderer sees.
fn environment(home: &Path) -> Vec<(&'static str, std::ffi::OsString)> {
    let below = |name: &str| home.join(name).into_os_string();
    let home_text = home.as_os_str().to_owned();
    let mut out = vec![
        ("HOME", home_text.clone()),
        ("TMPDIR", home_text.clone()),
        ("TMP", home_text.clone()),
        ("TEMP", home_text),
        ("XDG_CONFIG_HOME", below("config")),
        ("XDG_CACHE_HOME", below("cache")),
        ("XDG_DATA_HOME", below("data")),
        ("HELM_CONFIG_HOME", below("helm-config")),
        ("HELM_CACHE_HOME", below("helm-cache")),
        ("HELM_DATA_HOME", below("helm-data")),
        ("HELM_PLUGINS", below("helm-plugins")),
        ("KUBECONFIG", below("no-cluster")),
        // No `git`, no shell: there is nothing to start.
        ("PATH", below("no-programs")),
        ("LC_ALL", "C".into()),
        // Renderers run side by side; each by itself needs no more.
        ("GOMAXPROCS", "2".into()),
    ];
    // Nothing listens there: what was not seen before the run must not reach a network either.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        out.push((name, "http://127.0.0.1:9".into()));
    }
    #[cfg(windows)]
    #[expect(clippy::disallowed_methods, reason = "no program starts without it")]
    out.extend(std::env::var_os("SYSTEMROOT").map(|it| ("SYSTEMROOT", it)));
    out
}

/// What a program says of its failure, or else how it ended.
fn said(stderr: &[u8], status: ExitStatus) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    if text.is_empty() { format!("it ended with {status}") } else { text.to_owned() }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, bounds: Bounds) -> (Result<Vec<u8>, Failure>, tempfile::TempDir) {
        let home = tempfile::tempdir().expect("a directory for the test");
        (run(Path::new("/bin/sh"), &["-c", script], home.path(), home.path(), bounds), home)
    }

    fn short(ms: u64) -> Bounds {
        Bounds { time: Duration::from_millis(ms), max_bytes: 1000 }
    }

    #[test]
    fn what_it_writes_is_returned_and_what_it_says_explains_a_failure() {
        let (done, _home) = shell("echo out; echo err >&2", Bounds::default());
        assert_eq!(done.unwrap(), b"out\n");
        let (done, _home) = shell("echo out; echo broken >&2; exit 3", Bounds::default());
        assert_eq!(done.unwrap_err().to_string(), "broken");
        let (done, _home) = shell("exit 3", Bounds::default());
        assert!(done.unwrap_err().to_string().contains('3'));
    }

    #[test]
    fn it_sees_nothing_of_whoever_runs_it() {
        let (done, home) = shell("echo \"$HOME $PATH $CARGO_MANIFEST_DIR\"; pwd", Bounds::default());
        let text = String::from_utf8(done.unwrap()).unwrap();
        let home = home.path().display().to_string();
        assert!(text.starts_with(&format!("{home} {home}/no-programs \n")), "{text}");
    }

    #[test]
    fn its_whole_group_ends_when_the_time_is_over() {
        let script = "(/bin/sleep 1; echo late > late) & /bin/sleep 60";
        let (done, home) = shell(script, short(200));
        assert!(matches!(done, Err(Failure::TimedOut(_))), "{done:?}");
        thread::sleep(Duration::from_millis(1200));
        assert!(!home.path().join("late").exists());
    }

    #[test]
    fn a_child_that_holds_the_output_open_does_not_hold_the_run() {
        let began = Instant::now();
        let (done, _home) = shell("/bin/sleep 60 & exit 0", short(300));
        assert!(matches!(done, Err(Failure::TimedOut(_))), "{done:?}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn too_much_output_ends_it() {
        let (done, _home) = shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", short(20_000));
        assert!(matches!(done, Err(Failure::TooMuch(1000))), "{done:?}");
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let home = tempfile::tempdir().unwrap();
        let done = run(&home.path().join("none"), &["x"], home.path(), home.path(), Bounds::default());
        assert!(matches!(done, Err(Failure::Start(_))), "{done:?}");
    }
}
