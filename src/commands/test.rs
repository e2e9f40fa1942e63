//! `admit test`: runs suites of `kyverno test`.
//!
//! In: directories with `kyverno-test.yaml` files. Out: a table for each suite and a summary. Exit code 1 when a row
//! fails, or when something that a suite names can't be read; suites don't hide each other.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::RunError;
use crate::{
    cluster::{Cluster, Law},
    compat::{
        Notices, Weight,
        check::{self, Checked, Mark},
        evaluation::{self, Inputs},
        load::{Loader, Object, Policies},
        suite::Suite,
        table, user_info,
        values::Values,
    },
    policy::Operation,
    span::File,
};

/// Arguments of `admit test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Directories in which suites are looked for
    #[arg(required = true, value_name = "DIR")]
    pub(crate) directories: Vec<PathBuf>,
    /// Name of the files that hold suites
    #[arg(short, long, value_name = "NAME", default_value = "kyverno-test.yaml")]
    pub(crate) file_name: String,
}

/// Runs `admit test`; `now` is the time in nanoseconds since 1970.
pub(crate) fn run(args: &TestArgs, now: i128, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, RunError> {
    let mut all = Vec::new();
    let mut worst = None;
    for directory in &args.directories {
        let notices = Notices::default();
        let mut loader = Loader::new(Path::new(""), &notices);
        for entry in loader.named(&directory.to_string_lossy(), &args.file_name) {
            let (file, documents) = loader.parse(&entry);
            let Some(file) = file else { continue };
            let base = Path::new(file.path().as_ref()).parent().unwrap_or_else(|| Path::new(""));
            for document in documents {
                let Some(suite) = Suite::read(&Arc::new(document), &notices) else { continue };
                let checked = run_suite(&suite, &file, base, now, &notices);
                print(&checked, out).map_err(|error| output(&error))?;
                all.extend(checked);
            }
        }
        worst = worst.max(notices.worst());
        for notice in notices.take() {
            // Nobody reads the notices of a run whose standard error is gone.
            let _ = writeln!(err, "{notice}");
        }
    }
    let failed = all.iter().filter(|it| it.mark == Mark::Fail).count();
    writeln!(out, "\nTest Summary: {} tests passed and {failed} tests failed\n", all.len() - failed)
        .map_err(|error| output(&error))?;
    if failed > 0 {
        let _ = writeln!(err, "Error: {failed} tests failed");
    }
    Ok(u8::from(failed > 0 || worst == Some(Weight::Error)))
}

fn output(error: &io::Error) -> RunError {
    RunError::new(format!("can't write the output: {error}"))
}

fn run_suite(suite: &Suite, file: &Arc<File>, base: &Path, now: i128, notices: &Notices) -> Vec<Checked> {
    let mut loader = Loader::new(base, notices);
    let values = match (&suite.values, &suite.values_file) {
        (Some(values), _) => values.clone(),
        (None, Some(path)) => {
            loader.documents(path).first().map(|it| Values::read(it.root(), notices)).unwrap_or_default()
        }
        (None, None) => Values::default(),
    };
    let user = suite
        .user_info
        .as_ref()
        .and_then(|path| loader.documents(path).first().map(|it| user_info::read(it.root(), notices)));
    let mut policies = Policies::default();
    suite.policies.iter().for_each(|path| loader.policies(path, &mut policies));
    suite.exceptions.iter().for_each(|path| loader.exceptions(path, &mut policies));
    let resources: Vec<Object> = suite.resources.iter().flat_map(|path| loader.resources(path)).collect();
    let cluster = Cluster::new(Law::CommandLine);
    let inputs = Inputs {
        policies: &policies.set,
        cluster: &cluster,
        values: &values,
        user: user.as_ref(),
        operation: None,
        audit_warn: false,
        now,
    };
    let plain = evaluation::evaluate(inputs, &resources, notices);
    let mut others: Vec<(Operation, evaluation::Judged)> = Vec::new();
    for operation in suite.results.iter().filter_map(|it| it.operation) {
        if !others.iter().any(|(known, _)| *known == operation) {
            let inputs = Inputs { operation: Some(operation), ..inputs };
            others.push((operation, evaluation::evaluate(inputs, &resources, notices)));
        }
    }
    let mut out = Vec::new();
    for expected in &suite.results {
        let other = others.iter().find(|(operation, _)| Some(*operation) == expected.operation);
        let judged = other.map_or(&plain, |(_, judged)| judged);
        let run =
            check::Run { file, policies: &policies.set, invalid: &policies.invalid, resources: &resources, judged };
        out.extend(check::check(expected, run, notices));
    }
    out
}

fn print(checked: &[Checked], out: &mut dyn Write) -> io::Result<()> {
    let row = |(index, it): (usize, &Checked)| {
        let id = (index + 1).to_string();
        vec![id, it.policy.clone(), it.rule.clone(), it.resource.clone(), it.mark.name().to_owned(), it.reason.clone()]
    };
    let rows: Vec<Vec<String>> = checked.iter().enumerate().map(row).collect();
    out.write_all(table::draw(&["ID", "POLICY", "RULE", "RESOURCE", "RESULT", "REASON"], &rows).as_bytes())
}
