//! `admit test`: runs suites of `kyverno test`.
//!
//! In: directories with `kyverno-test.yaml` files. Out: a table for each suite and a summary, or all comparisons in a form
//! for machines, which then stand alone on standard output. Exit code 1 when a comparison fails, or when something that a
//! suite names can't be read; suites don't hide each other.

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use super::RunError;
use crate::{
    compat::{
        Notice, Notices, Weight,
        case::{self, Case, Manner},
        check::{Checked, Mark},
        load::Loader,
        selector::Selector,
        suite::Suite,
        table::Paint,
        test_report::{self, Form},
    },
    report::escape,
    runner,
    span::File,
};

/// Arguments of `admit test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Directories in which suites are looked for
    #[arg(required = true, value_name = "DIR")]
    pub(crate) directories: Vec<String>,
    /// Name of the files that hold suites
    #[arg(short, long, value_name = "NAME", default_value = "kyverno-test.yaml")]
    pub(crate) file_name: String,
    /// Look only at some expectations; names may have wildcards
    #[arg(short, long, value_name = "SELECTOR", default_value = "policy=*,rule=*,resource=*")]
    pub(crate) test_case_selector: String,
    /// Form of the output: table, json, yaml, markdown, junit
    #[arg(short, long, value_name = "FORMAT", default_value = "table", hide_default_value = true)]
    pub(crate) output_format: String,
    /// Show what the rules say, too
    #[arg(long)]
    pub(crate) detailed_results: bool,
    /// Show only what fails
    #[arg(long)]
    pub(crate) fail_only: bool,
    /// Fail when there is no suite
    #[arg(long)]
    pub(crate) require_tests: bool,
    /// Fail on what Kyverno lets pass: unknown rules and resources, policies that can't be read, nothing compared
    #[arg(long)]
    pub(crate) strict: bool,
    /// Threads; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) jobs: usize,
    /// No colours on a terminal either
    #[arg(long)]
    pub(crate) remove_color: bool,
    /// Accepted for compatibility: admit asks no registry
    #[arg(long, hide = true)]
    pub(crate) registry: bool,
    /// Accepted for compatibility: admit reads no remote repository
    #[arg(short = 'b', long, hide = true, value_name = "BRANCH")]
    pub(crate) git_branch: Option<String>,
}

/// One test case of one file.
struct Found {
    file: Arc<File>,
    suite: Suite,
}

/// Runs `admit test`; `now` is the time in nanoseconds since 1970.
pub(crate) fn run(args: &TestArgs, now: i128, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, RunError> {
    let selector = Selector::parse(&args.test_case_selector).map_err(|text| RunError::new(text).with_code(1))?;
    let paint = if args.remove_color { Paint::Plain } else { Paint::Colours };
    let Some(form) = Form::parse(&args.output_format, paint) else {
        return Err(RunError::new("invalid format, expected (json, yaml, markdown, junit)").with_code(1));
    };
    let manner = Manner { selector, strict: args.strict, now };
    let notices = Notices::new(args.strict);
    let suites = find(args, &notices)?;
    let loading = notices.take();
    let mut worst = say(&loading, err);
    let run = |_: usize, found: &Found| {
        let notices = Notices::new(args.strict);
        let case = case::run(&found.suite, &found.file, &manner, &notices);
        (case, notices.take())
    };
    let cases = runner::on_threads(args.jobs, || runner::each(&suites, run))
        .map_err(|error| RunError::new(format!("can't start threads: {error}")))?;
    let mut all = Vec::new();
    for (found, (case, notices)) in suites.iter().zip(cases) {
        if form == Form::Table(paint) && !case.checked.is_empty() {
            let progress = progress(found, &case);
            let table = if args.fail_only {
                String::new()
            } else {
                test_report::write(&case.checked, form, args.detailed_results)
            };
            write!(out, "{progress}\n{table}").map_err(|error| output(&error))?;
        }
        worst = worst.max(say(&notices, err));
        all.extend(case.checked);
    }
    let failed: Vec<Checked> = all.iter().filter(|it| it.mark == Mark::Fail).cloned().collect();
    let summary = match (suites.is_empty(), args.fail_only) {
        (true, _) => "\nNo test yamls available \n".to_owned(),
        (_, true) => format!("\nTest Summary: {} out of {} tests failed\n", failed.len(), all.len()),
        (_, false) => {
            format!("\nTest Summary: {} tests passed and {} tests failed\n", all.len() - failed.len(), failed.len())
        }
    };
    if form == Form::Table(paint) {
        let aggregated = if args.fail_only && !failed.is_empty() {
            format!("\nAggregated Failed Test Cases : \n{}", test_report::write(&failed, form, args.detailed_results))
        } else {
            String::new()
        };
        writeln!(out, "{summary}{aggregated}").map_err(|error| output(&error))?;
    } else {
        let shown = if args.fail_only { &failed } else { &all };
        let text = test_report::write(shown, form, args.detailed_results);
        out.write_all(text.as_bytes()).map_err(|error| output(&error))?;
        // Nobody reads the summary of a run whose standard error is gone.
        let _ = err.write_all(summary.as_bytes());
    }
    if !failed.is_empty() {
        let _ = writeln!(err, "Error: {} tests failed", failed.len());
    }
    if all.is_empty() && (args.strict || (suites.is_empty() && args.require_tests)) {
        let what = if suites.is_empty() { "no tests found" } else { "the tests that were found compare nothing" };
        let _ = writeln!(err, "Error: {what}");
        return Ok(1);
    }
    Ok(u8::from(!failed.is_empty() || worst == Some(Weight::Error)))
}

/// The suites below the directories.
fn find(args: &TestArgs, notices: &Notices) -> Result<Vec<Found>, RunError> {
    let mut loader = Loader::new(Path::new(""), notices);
    let mut out = Vec::new();
    for directory in &args.directories {
        if directory.contains("://") {
            let error = RunError::new(format!("`{directory}` is a remote repository, and admit reads none"));
            return Err(error.hint("clone it and name the directory").with_code(1));
        }
        for entry in loader.named(directory, &args.file_name) {
            let (Some(file), documents) = loader.parse(&entry) else { continue };
            let suites = documents.into_iter().filter_map(|document| Suite::read(&Arc::new(document), notices));
            out.extend(suites.map(|suite| Found { file: Arc::clone(&file), suite }));
        }
    }
    Ok(out)
}

/// Prints notices and gives the weightiest.
fn say(notices: &[Notice], err: &mut dyn Write) -> Option<Weight> {
    for notice in notices {
        // Nobody reads the notices of a run whose standard error is gone.
        let _ = writeln!(err, "{notice}");
    }
    notices.iter().map(|notice| notice.weight).max()
}

fn output(error: &io::Error) -> RunError {
    RunError::new(format!("can't write the output: {error}"))
}

fn progress(found: &Found, case: &Case) -> String {
    let s = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let (policies, resources, exceptions) = case.counts;
    format!(
        "Loading test {} ( {} ) ...\n  Loading values/variables ...\n  Loading policies ...\n  Loading resources ...\n  \
         Loading exceptions ...\n  Applying {} to {} with {} ...\n  Checking results ...\n",
        escape::line(&found.suite.name),
        escape::path(found.file.path()),
        s(policies, "policy", "policies"),
        s(resources, "resource", "resources"),
        s(exceptions, "exception", "exceptions"),
    )
}
