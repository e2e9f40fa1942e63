//! Where a report goes: formats, files, the terminal.

use std::{
    fs,
    io::{self, BufWriter, IsTerminal as _, Write as _},
    path::PathBuf,
};

use super::RunError;
use crate::{
    finding::Severity,
    report::{self, FORMATS, Format, Options, Report},
};

/// Columns of a report that no terminal shows.
const DEFAULT_WIDTH: usize = 100;

/// Flags that say how a report is written.
#[derive(Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// How to write the report: FORMAT to standard output, or FORMAT=FILE; may be given more than once
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = parse_target, default_value = "text", help_heading = "Output")]
    #[arg(long_help = format_help())]
    pub(crate) format: Vec<Target>,
    /// The file for a single --format that names none, or FORMAT=FILE for one more; may be given more than once
    #[arg(short, long, value_name = "[FORMAT=]FILE", help_heading = "Output")]
    #[arg(value_parser = parse_output)]
    pub(crate) output: Vec<Output>,
    /// From which severity findings fail the run
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = FailOn::Error, help_heading = "Output")]
    pub(crate) fail_on: FailOn,
    /// Findings shown in full as text; the others are counted
    #[arg(long, value_name = "N", default_value_t = Options::default().max_findings, help_heading = "Output")]
    pub(crate) max_findings: usize,
    /// List as text all that exceptions waive, however much it is
    #[arg(long, help_heading = "Output")]
    pub(crate) show_waived: bool,
}

/// From which severity findings fail a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FailOn {
    /// Errors only: what a cluster would refuse, and what can't be judged
    Error,
    /// Warnings, too: what a cluster would let in and report
    Warning,
    /// Nothing
    Never,
}

impl FailOn {
    /// Whether the report fails the run.
    pub(crate) fn fails(self, report: &Report) -> bool {
        let from = match self {
            FailOn::Error => Severity::Error,
            FailOn::Warning => Severity::Warning,
            FailOn::Never => return false,
        };
        report.worst().is_some_and(|worst| worst <= from)
    }
}

/// One format and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    format: &'static Format,
    /// `None`: standard output.
    file: Option<PathBuf>,
}

/// What `--output` names.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// A format more, and its file.
    Target(Target),
    /// The file for a format that names none.
    File(PathBuf),
}

/// A file whose name begins with a word and `=` is none that anybody means: `sarfi=out.sarif` is a slip.
fn parse_output(text: &str) -> Result<Output, String> {
    match text.split_once('=') {
        Some((word, _)) if !word.is_empty() && word.bytes().all(|it| it.is_ascii_lowercase()) => {
            parse_target(text).map(Output::Target)
        }
        _ => Ok(Output::File(PathBuf::from(text))),
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

fn format_help() -> String {
    let rows = FORMATS.iter().map(|it| format!("\n- {:<14}{}", format!("{}:", it.name), it.about));
    let head = "How to write the report: FORMAT to standard output, or FORMAT=FILE; may be given more than once";
    format!("{head}\n{}", rows.collect::<String>())
}

fn parse_target(text: &str) -> Result<Target, String> {
    let (name, file) = match text.split_once('=') {
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    let format = report::format(name).ok_or_else(|| {
        let known = FORMATS.iter().map(|it| it.name).collect::<Vec<_>>().join(", ");
        format!("no such format; there are {known}")
    })?;
    Ok(Target { format, file })
}

impl OutputArgs {
    /// Whether a format lists verdicts that are no finding.
    pub(crate) fn wants_quiet(&self) -> bool {
        self.targets().any(|(format, _)| format.lists_all)
    }

    /// Whether somebody looks at standard error while the run lasts.
    pub(crate) fn wants_progress() -> bool {
        io::stderr().is_terminal()
    }

    /// Whether the flags go together; asked before anything is done.
    pub(crate) fn validate(&self) -> Result<(), RunError> {
        let files = self.output.iter().filter(|it| matches!(it, Output::File(_))).count();
        if files > 1 || (files == 1 && (self.format.len() > 1 || self.format.iter().any(|it| it.file.is_some()))) {
            return Err(RunError::new("--output goes with a single --format")
                .hint("name the files with the formats: --format sarif=out.sarif --format text"));
        }
        if self.targets().filter(|(_, file)| file.is_none()).count() > 1 {
            return Err(RunError::new("two formats can't share standard output")
                .hint("give one of them a file: --format json=out.json"));
        }
        let files: Vec<&PathBuf> = self.targets().filter_map(|(_, file)| file).collect();
        if let Some(file) = files.iter().enumerate().find_map(|(n, it)| files[..n].contains(it).then_some(it)) {
            return Err(RunError::new(format!("two formats can't share `{}`", file.display()))
                .hint("give each a file of its own: the last would be all that is left"));
        }
        Ok(())
    }

    /// Each format with its file.
    fn targets(&self) -> impl Iterator<Item = (&'static Format, Option<&PathBuf>)> {
        let file = self.output.iter().find_map(|it| match it {
            Output::File(path) => Some(path),
            Output::Target(_) => None,
        });
        let more = self.output.iter().filter_map(|it| match it {
            Output::Target(target) => Some((target.format, target.file.as_ref())),
            Output::File(_) => None,
        });
        self.format.iter().map(move |it| (it.format, it.file.as_ref().or(file))).chain(more)
    }

    /// Writes the report in every format asked for.
    pub(crate) fn write(&self, report: &Report) -> Result<(), RunError> {
        for (format, file) in self.targets() {
            match file {
                Some(path) => self.write_file(format, report, path)?,
                None => self.write_stdout(format, report)?,
            }
        }
        Ok(())
    }

    /// Writes the report and gives the exit code.
    pub(crate) fn finish(&self, report: &Report, checked: bool) -> Result<u8, RunError> {
        self.write(report)?;
        Ok(match (self.fail_on.fails(report), checked) {
            (true, _) => 1,
            (false, false) => 3,
            (false, true) => 0,
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a report goes where the user says")]
    fn write_file(&self, format: &Format, report: &Report, path: &PathBuf) -> Result<(), RunError> {
        let failed = |error: io::Error| RunError::new(format!("`{}` can't be written: {error}", path.display()));
        let mut out = BufWriter::new(fs::File::create(path).map_err(failed)?);
        let options = Options { width: DEFAULT_WIDTH, ..self.options() };
        (format.write)(report, &options, &mut out).and_then(|()| out.flush()).map_err(failed)
    }

    fn write_stdout(&self, format: &Format, report: &Report) -> Result<(), RunError> {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let color = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        let width = match terminal_size::terminal_size() {
            Some((width, _)) if is_terminal => usize::from(width.0).clamp(40, 200),
            _ => DEFAULT_WIDTH,
        };
        let options = Options { width, color, unicode: is_terminal && locale_is_utf8(), ..self.options() };
        let mut out = BufWriter::new(stdout.lock());
        match (format.write)(report, &options, &mut out).and_then(|()| out.flush()) {
            // Whoever reads has seen enough; the verdict stands.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(RunError::new(format!("standard output can't be written: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    fn options(&self) -> Options {
        let default = Options::default();
        let max_waived = if self.show_waived { usize::MAX } else { default.max_waived };
        Options { max_findings: self.max_findings, max_waived, ..default }
    }
}

/// Whether the locale says that the terminal shows UTF-8.
#[expect(clippy::disallowed_methods, reason = "it says what the terminal shows, nothing else")]
fn locale_is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
    set.map(|it| it.to_lowercase())
        .find(|it| !it.is_empty())
        .is_some_and(|it| it.contains("utf-8") || it.contains("utf8"))
}
