//! `admit lint --fix`: what would mend findings, shown as a diff or written.
//!
//! In: what `lint` reads. Out: a unified diff, or files that are changed and what is left to say of them. The text is
//! mended and looked at again until nothing more is to be mended, so that a second run has nothing to do. A file that
//! changed since it was read is left alone, and then so are all others.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustc_hash::FxHashMap;
use similar::TextDiff;

use super::{
    RunError,
    check::tree::{self, Overlay},
    lint::LintArgs,
};
use crate::{
    finding::{Finding, fix::fixed},
    report::{Progress, Report, escape},
    runner,
    source::Environment,
    span::File,
};

/// Most times that a tree is looked at. Each time mends what collided the last time; a few are enough.
const MAX_ROUNDS: usize = 10;

/// What mending came to.
struct Mended {
    /// What there was to say before.
    before: Report,
    /// What is left to say afterwards.
    after: Report,
    /// Whether there was anything to look at.
    looked: bool,
    /// How many findings were mended.
    count: usize,
    /// The files, as they were and as they are to be.
    files: Vec<MendedFile>,
}

struct MendedFile {
    path: String,
    place: PathBuf,
    old: Arc<File>,
    new: Arc<[u8]>,
}

/// Runs `admit lint --fix`, with `--write` or without.
pub(super) fn run(args: &LintArgs, now: i128, environment: &Environment, progress: &Progress) -> Result<u8, RunError> {
    if args.paths.iter().any(|it| it == Path::new("-")) {
        return Err(RunError::new("standard input can't be mended").hint("name the file"));
    }
    let work = || mend(args, now, environment, progress);
    let mended = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))?;
    progress.finish();
    let mended = mended?;
    let told = if args.write {
        write(&mended.files)?;
        args.output.write(&mended.after)?;
        &mended.after
    } else {
        show(&mended.files)?;
        &mended.before
    };
    say(&mended, args.write);
    Ok(match (args.output.fail_on.fails(told), mended.looked) {
        (true, _) => 1,
        (false, false) => 3,
        (false, true) => 0,
    })
}

fn mend(args: &LintArgs, now: i128, environment: &Environment, progress: &Progress) -> Result<Mended, RunError> {
    let mut overlay = Overlay::new();
    let mut originals: FxHashMap<String, (PathBuf, Arc<File>)> = FxHashMap::default();
    let (mut first, mut count) = (None, 0);
    let mut round = 0;
    loop {
        let mut case = tree::read_with(&args.paths, environment, &args.law, progress, &mut io::empty(), &overlay)?;
        case.governance = case.governance.filter(|_| !args.no_governance);
        let (report, looked) = case.lint(now);
        // What exceptions do tells more: objects are judged for what can be mended, though nothing else is said of them.
        let more: Vec<Finding> = case.mendable(now).into_iter().filter(|it| !report.findings.contains(it)).collect();
        let mut is_done = true;
        for file in case.tree.files.iter().filter(|_| round < MAX_ROUNDS) {
            let path = file.file.path();
            let Some(place) = case.places.get(&**path) else { continue };
            let here: Vec<&Finding> =
                report.findings.iter().chain(&more).filter(|it| it.primary.path == *path).collect();
            if let Some((text, n)) = fixed(&file.file, &here) {
                originals.entry(path.to_string()).or_insert_with(|| (place.clone(), Arc::clone(&file.file)));
                overlay.insert(path.to_string(), text.into_bytes().into());
                count += n;
                is_done = false;
            }
        }
        if is_done {
            let files = overlay
                .into_iter()
                .filter_map(|(path, new)| {
                    let (place, old) = originals.remove(&path)?;
                    (old.text().as_bytes() != &*new).then_some(MendedFile { path, place, old, new })
                })
                .collect();
            let again = || report_again(args, now, environment, progress);
            return Ok(Mended { before: first.map_or_else(again, Ok)?, after: report, looked, count, files });
        }
        first.get_or_insert(report);
        round += 1;
    }
}

fn report_again(
    args: &LintArgs,
    now: i128,
    environment: &Environment,
    progress: &Progress,
) -> Result<Report, RunError> {
    let mut case = tree::read(&args.paths, environment, &args.law, progress, &mut io::empty())?;
    case.governance = case.governance.filter(|_| !args.no_governance);
    Ok(case.lint(now).0)
}

/// Prints a diff that `git apply` takes. Characters that a terminal would obey are written as escapes.
fn show(files: &[MendedFile]) -> Result<(), RunError> {
    let mut out = String::new();
    for file in files {
        let new = String::from_utf8_lossy(&file.new);
        let path = escape::path(&file.path);
        let diff = TextDiff::from_lines(file.old.text(), &new);
        let text = diff.unified_diff().context_radius(3).header(&format!("a/{path}"), &format!("b/{path}")).to_string();
        for line in text.split_inclusive('\n') {
            let body = line.trim_end_matches(['\n', '\r']);
            out.push_str(&escape::source(body, 0..0).0);
            out.push_str(&line[body.len()..]);
        }
    }
    match anstream::stdout().write_all(out.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::new(format!("standard output can't be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says on standard error what was done and what is left.
fn say(mended: &Mended, is_written: bool) {
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let (n_fixes, n_files) = (mended.count, mended.files.len());
    let left = mended.after.findings.iter().filter(|it| it.waived.is_none()).count();
    let done = match (n_fixes, is_written) {
        (0, _) => "nothing can be mended safely".to_owned(),
        (n, true) => format!("mended {n} finding{} in {n_files} file{}", s(n), s(n_files)),
        (n, false) => format!("{n} finding{} in {n_files} file{} can be mended: add --write", s(n), s(n_files)),
    };
    let rest = if left == 0 { String::new() } else { format!("; {left} finding{} left for people", s(left)) };
    // Nobody who misses this line misses a verdict.
    let _ = writeln!(anstream::stderr(), "{done}{rest}");
}

/// Replaces the files, all of them or none.
#[expect(clippy::disallowed_methods, reason = "files are changed where the user asks for it")]
fn write(files: &[MendedFile]) -> Result<(), RunError> {
    let failed = |file: &MendedFile, error: &dyn std::fmt::Display| {
        RunError::new(format!("`{}` can't be written: {error}", file.path))
    };
    let mut ready = Vec::new();
    for file in files {
        let metadata = fs::symlink_metadata(&file.place).map_err(|error| failed(file, &error))?;
        let now = fs::read(&file.place).map_err(|error| failed(file, &error))?;
        if !metadata.is_file() || now != file.old.text().as_bytes() {
            return Err(
                RunError::new(format!("`{}` changed meanwhile: nothing was written", file.path)).hint("run it again")
            );
        }
        let directory = file.place.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(directory).map_err(|error| failed(file, &error))?;
        new.write_all(&file.new).map_err(|error| failed(file, &error))?;
        new.as_file().set_permissions(metadata.permissions()).map_err(|error| failed(file, &error))?;
        ready.push((file, new));
    }
    for (file, new) in ready {
        new.persist(&file.place).map_err(|error| failed(file, &error.error))?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files are what is tested")]
mod tests {
    use super::*;

    /// A file on disk, and what is to become of it.
    fn mended(directory: &Path, name: &str, old: &str, new: &str) -> MendedFile {
        let place = directory.join(name);
        fs::write(&place, old).unwrap();
        MendedFile {
            path: name.to_owned(),
            place,
            old: File::new(name, old.as_bytes().to_vec()),
            new: new.as_bytes().into(),
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let all = fs::read_dir(directory).unwrap();
        let mut out: Vec<String> = all.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
        out.sort();
        out
    }

    #[test]
    fn a_file_that_changed_meanwhile_keeps_all_files_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let files =
            [mended(directory.path(), "a", "a: 1\n", "a: 2\n"), mended(directory.path(), "b", "b: 1\n", "b: 2\n")];
        let read = |file: &MendedFile| fs::read_to_string(&file.place).unwrap();
        fs::write(&files[1].place, "b: 3\n").unwrap();
        let error = write(&files).unwrap_err().to_string();
        assert!(error.contains("`b` changed meanwhile: nothing was written"), "{error}");
        assert_eq!((read(&files[0]), read(&files[1])), ("a: 1\n".to_owned(), "b: 3\n".to_owned()));

        fs::remove_file(&files[1].place).unwrap();
        let error = write(&files).unwrap_err().to_string();
        assert!(error.contains("`b` can't be written"), "{error}");
        assert_eq!(read(&files[0]), "a: 1\n");
        assert_eq!(names(directory.path()), ["a"], "nothing half done is left");

        fs::write(&files[1].place, "b: 1\n").unwrap();
        write(&files).unwrap();
        assert_eq!((read(&files[0]), read(&files[1])), ("a: 2\n".to_owned(), "b: 2\n".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn what_became_a_link_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let file = mended(directory.path(), "a", "a: 1\n", "a: 2\n");
        fs::rename(&file.place, directory.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", &file.place).unwrap();
        write(std::slice::from_ref(&file)).unwrap_err();
        assert_eq!(fs::read_to_string(directory.path().join("elsewhere")).unwrap(), "a: 1\n");
    }
}
