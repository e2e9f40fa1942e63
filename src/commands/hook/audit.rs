//! The audit log: one line of JSON for each push that was decided on, appended and never touched again.
//!
//! In: what was decided. Out: a line that says who wanted what, what came of it, and all that is needed to judge the
//! same objects again. Nothing of a file's content is in it: findings are named by rule and place. The fields of
//! version 1 keep their names and meanings.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Where the log is in a repository.
pub(super) const DEFAULT: &str = "admit/audit.jsonl";

/// Findings of one ref that are named; more are only counted.
pub(super) const MAX_FINDINGS: usize = 50;

/// One push.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// Version of the fields: 1.
    pub(super) v: u32,
    /// Digits that name this record.
    pub(super) id: String,
    /// When it was decided, RFC 3339 in UTC.
    pub(super) time: String,
    /// Version of this program.
    pub(super) admit: String,
    /// The hook that asked.
    pub(super) hook: String,
    /// The server, as the flags of the hook say.
    pub(super) server: Option<String>,
    /// The repository as the server calls it, or else its directory.
    pub(super) repository: String,
    /// Who pushed, by the word of the server.
    pub(super) pusher: Option<String>,
    /// By which way: `web`, `ssh` and the like, where the server says so.
    pub(super) way: Option<String>,
    /// What became of the push: `accepted`, `refused`, `bypassed`, `monitored`.
    pub(super) verdict: String,
    /// Why the verdict was passed over, as the pusher said.
    pub(super) bypass: Option<String>,
    /// The refs, in the order of the push.
    pub(super) refs: Vec<RefRecord>,
    /// Flags that named policies.
    pub(super) policies: Vec<String>,
    /// Flags that named exceptions.
    pub(super) exceptions: Vec<String>,
    /// Whether a flag switched exceptions off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) no_exceptions: bool,
    /// Flags that named the namespaces in which exceptions count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) exception_namespace: Vec<String>,
    /// Flags that named what stands for the cluster.
    pub(super) cluster: Vec<String>,
    /// Milliseconds from the start of the hook to the decision.
    pub(super) ms: u64,
}

/// One ref of a push.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RefRecord {
    /// Full name.
    #[serde(rename = "ref")]
    pub(super) name: String,
    /// What it was; zeros if it was new.
    pub(super) old: String,
    /// What it was to be; zeros if it was to go.
    pub(super) new: String,
    /// `accepted`, `refused`, `unguarded`, `removed`, `no tree`.
    pub(super) verdict: String,
    /// Why it could not be judged.
    pub(super) error: Option<String>,
    /// Which side held the law.
    pub(super) trust: Option<String>,
    /// The commit or tree before, in the name of which the change was judged: its law and its settings.
    pub(super) base: Option<String>,
    /// The commit or tree that the new one was compared with.
    pub(super) compared: Option<String>,
    /// Policies that counted.
    pub(super) policies: usize,
    /// Findings by weight.
    pub(super) errors: usize,
    /// Findings by weight.
    pub(super) warnings: usize,
    /// Findings that an exception covers.
    pub(super) waived: usize,
    /// `RULE PATH:LINE` of the worst, at most [`MAX_FINDINGS`].
    pub(super) findings: Vec<String>,
}

impl Record {
    /// Gives the record its name, which no other one has.
    pub(super) fn name(&mut self, process: u32) {
        let mut hash = Sha256::new();
        hash.update(format!("{} {process} {}", self.time, self.repository));
        for it in &self.refs {
            hash.update(format!("\n{} {} {}", it.old, it.new, it.name));
        }
        self.id = hash.finalize().iter().take(5).fold(String::new(), |out, it| out + &format!("{it:02x}"));
    }
}

/// Appends the record in a single write, so that those of two pushes never mix.
pub(super) fn append(path: &Path, record: &Record, is_urgent: bool) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    let mut file = options.open(path)?;
    file.write_all(&line)?;
    // What lets a violation through must be on record even if the machine stops now.
    if is_urgent { file.sync_all() } else { Ok(()) }
}

/// Reads a log. A line that is no record is counted: a crash may have left half of one.
#[expect(clippy::disallowed_methods, reason = "the log is no input of a verdict")]
pub(super) fn read(path: &Path) -> io::Result<(Vec<Record>, usize)> {
    let text = fs::read(path)?;
    let lines = text.split(|&it| it == b'\n').filter(|it| !it.is_empty());
    let mut broken = 0;
    let records = lines.filter_map(|line| serde_json::from_slice(line).map_err(|_| broken += 1).ok()).collect();
    Ok((records, broken))
}

/// Where the log is.
pub(super) fn path(given: Option<&PathBuf>, git_dir: &Path) -> PathBuf {
    given.cloned().unwrap_or_else(|| git_dir.join(DEFAULT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_lines_and_half_a_line_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/audit.jsonl");
        let mut record = Record { v: 1, repository: "a\nb".to_owned(), ..Record::default() };
        record.name(1);
        append(&path, &record, true).unwrap();
        append(&path, &record, false).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"v\":1,").unwrap();
        let (records, broken) = read(&path).unwrap();
        assert_eq!((records.len(), broken), (2, 1));
        assert_eq!((records[0].id.len(), records[0].repository.as_str()), (10, "a\nb"));
    }
}
