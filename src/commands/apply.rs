//! `admit apply`: what policies say of resources, as `kyverno apply` says it.
//!
//! In: paths of policies, resources and exceptions. Out: violations and a summary, or a report. The exit codes are those
//! of `kyverno apply`.

use std::{
    io::{self, Write},
    path::Path,
};

use super::RunError;
use crate::{
    cluster::{Cluster, Law},
    compat::{
        Notices, Weight,
        evaluation::{self, Inputs, Judged},
        load::{Loader, Object, Policies},
        report::{self, Form},
        values::Values,
    },
    finding::Status,
};

/// Arguments of `admit apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// Files and directories of policies
    #[arg(required = true, value_name = "POLICY")]
    pub(crate) policies: Vec<String>,
    /// Files and directories of resources
    #[arg(short, long = "resource", visible_alias = "resources", value_name = "PATH", value_delimiter = ',')]
    pub(crate) resource: Vec<String>,
    /// Files of exceptions
    #[arg(short, long = "exception", visible_alias = "exceptions", value_name = "PATH", value_delimiter = ',')]
    pub(crate) exception: Vec<String>,
    /// Print a report instead of violations
    #[arg(short, long)]
    pub(crate) policy_report: bool,
    /// Form of the report: yaml or json
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    pub(crate) output_format: String,
    /// Go on when a rule can't be evaluated; admit always does
    #[arg(long)]
    pub(crate) continue_on_fail: bool,
}

/// Runs `admit apply`; `now` is the time in nanoseconds since 1970.
pub(crate) fn run(args: &ApplyArgs, now: i128, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, RunError> {
    let notices = Notices::default();
    let mut loader = Loader::new(Path::new(""), &notices);
    let mut policies = Policies::default();
    args.policies.iter().for_each(|path| loader.policies(path, &mut policies));
    args.exception.iter().for_each(|path| loader.exceptions(path, &mut policies));
    let resources: Vec<Object> = args.resource.iter().flat_map(|path| loader.resources(path)).collect();
    let mut cluster = Cluster::new(Law::CommandLine);
    resources.iter().for_each(|object| cluster.add(&object.document, object.id));
    let inputs = Inputs {
        policies: &policies.set,
        cluster: &cluster,
        values: &Values::default(),
        user: None,
        operation: None,
        audit_warn: false,
        now,
    };
    let judged = evaluation::evaluate(inputs, &resources);
    let text = if args.policy_report {
        let form = if args.output_format == "json" { Form::Json } else { Form::Yaml };
        report::write(&judged, &resources, None, form)
    } else {
        summary(&judged, policies.invalid.len())
    };
    out.write_all(text.as_bytes()).map_err(|error| output(&error))?;
    let worst = notices.worst();
    for notice in notices.take() {
        // Nobody reads the notices of a run whose standard error is gone.
        let _ = writeln!(err, "{notice}");
    }
    let bad = judged.rows.iter().any(|row| matches!(row.status, Status::Fail | Status::Error));
    Ok(u8::from(bad || !policies.invalid.is_empty() || worst == Some(Weight::Error)))
}

fn output(error: &io::Error) -> RunError {
    RunError::new(format!("can't write the output: {error}"))
}

fn summary(judged: &Judged, invalid: usize) -> String {
    let count = |status| judged.rows.iter().filter(|row| row.status == status).count();
    format!(
        "\npass: {}, fail: {}, warn: {}, error: {}, skip: {} \n",
        count(Status::Pass),
        count(Status::Fail),
        count(Status::Warn),
        count(Status::Error) + invalid,
        count(Status::Skip)
    )
}
