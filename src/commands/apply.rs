//! `admit apply`: what policies say of resources, as `kyverno apply` says it.
//!
//! In: paths of policies, resources and exceptions. Out: violations and a summary, a table, or a report that stands alone
//! on standard output. The exit codes are those of `kyverno apply`; what that command passes over in silence is an error
//! here: a path that doesn't exist, a file that can't be read, a policy that doesn't compile.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::RunError;
use crate::{
    cluster::{Cluster, Law},
    compat::{
        Notices, Weight, context_file, effects,
        evaluation::{self, Inputs, Judged},
        exceptions,
        load::{Loader, Object, PayloadForm, Policies},
        mutations,
        report::{self, Api, Form},
        table::Paint,
        user_info,
        values::Values,
        violations::{self, Counts},
    },
    engine::UserInfo,
    finding::Status,
    k8s::duration::{self, Duration},
    report::escape,
    runner,
    source::{Options, stdin},
};

/// Arguments of `admit apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// Files and directories of policies; - for standard input
    #[arg(required = true, value_name = "POLICY")]
    pub(crate) policies: Vec<String>,
    /// Files and directories of resources; - for standard input
    #[arg(short, long, visible_alias = "resources", value_name = "PATH", value_delimiter = ',')]
    pub(crate) resource: Vec<String>,
    /// Files and directories of objects that rules for existing objects change
    #[arg(long, visible_alias = "target-resources", value_name = "PATH", value_delimiter = ',')]
    pub(crate) target_resource: Vec<String>,
    /// Files and directories of parameters for admission policies
    #[arg(long, visible_alias = "parameter-resources", value_name = "PATH", value_delimiter = ',')]
    pub(crate) parameter_resource: Vec<String>,
    /// File of kind `Context`: what expressions in CEL look up
    #[arg(long, value_name = "FILE")]
    pub(crate) context_file: Option<String>,
    /// Files of JSON or YAML that is no object of Kubernetes
    #[arg(long, value_name = "PATH", value_delimiter = ',', conflicts_with = "resource")]
    pub(crate) json: Vec<String>,
    /// Files of requests to an HTTP server
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    pub(crate) http_payload: Vec<String>,
    /// Files of requests that Envoy asks about
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    pub(crate) envoy_payload: Vec<String>,
    /// Files and directories of exceptions
    #[arg(short, long, visible_alias = "exceptions", value_name = "PATH", value_delimiter = ',')]
    pub(crate) exception: Vec<String>,
    /// Take the exceptions from the resources, and no others
    #[arg(long, visible_alias = "exceptions-within-resources")]
    pub(crate) exceptions_with_resources: bool,
    /// Take exceptions from the paths of the policies, too
    #[arg(long)]
    pub(crate) exceptions_within_policies: bool,
    /// File of kind `UserInfo`: who asks
    #[arg(short, long, value_name = "FILE")]
    pub(crate) userinfo: Option<String>,
    /// File of kind `Values`: what only a cluster would know
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with = "set")]
    pub(crate) values_file: Option<String>,
    /// Values in place: name=value, separated by commas
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Write the objects that policies change or make to a file or a directory
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Print what policies change as a unified diff of the files that hold the resources, and nothing else
    #[arg(long, conflicts_with_all = ["policy_report", "generate_exceptions", "table"])]
    pub(crate) diff: bool,
    /// Print a report instead of violations
    #[arg(short, long)]
    pub(crate) policy_report: bool,
    /// Form of the report: yaml or json
    #[arg(long, value_name = "FORMAT", default_value = "yaml", hide_default_value = true)]
    pub(crate) output_format: String,
    /// API group of the report
    #[arg(long, value_name = "API", value_enum, default_value = "openreports")]
    pub(crate) report_api: ReportApi,
    /// Timestamp of the report's results, in seconds since 1970; without it they have none
    #[arg(long, value_name = "SECONDS")]
    pub(crate) now: Option<i64>,
    /// Print an exception for each failure instead of violations
    #[arg(long, conflicts_with_all = ["policy_report", "table"])]
    pub(crate) generate_exceptions: bool,
    /// When Kyverno's cleanup removes those exceptions
    #[arg(long, value_name = "DURATION", default_value = "720h", value_parser = duration)]
    pub(crate) generated_exception_ttl: Duration,
    /// Print a table instead of violations
    #[arg(short, long)]
    pub(crate) table: bool,
    /// Show what the rules say in the table, too
    #[arg(long)]
    pub(crate) detailed_results: bool,
    /// Count failures of policies in Audit as warnings
    #[arg(long)]
    pub(crate) audit_warn: bool,
    /// Exit code when there are warnings and no failures
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) warn_exit_code: u8,
    /// Take the exit code of warnings when nothing passed, too
    #[arg(long)]
    pub(crate) warn_no_pass: bool,
    /// Definitions of custom resources, which say what kinds live outside of namespaces
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    pub(crate) crd_paths: Vec<String>,
    /// Fail on what Kyverno lets pass in silence: no policy, no resource, no rule that says anything
    #[arg(long)]
    pub(crate) strict: bool,
    /// Leave out the line that says how much is applied to how much
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// Threads; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) jobs: usize,
    /// Accepted for compatibility: admit always goes on
    #[arg(long, alias = "continue-on-error", hide = true)]
    pub(crate) continue_on_fail: bool,
    /// Accepted for compatibility: `--jobs` says how many threads there are
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) concurrent: Option<usize>,
    /// Accepted for compatibility: files are read all at once
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) batch_size: Option<usize>,
    /// Accepted for compatibility: there is nothing to show
    #[arg(long, hide = true)]
    pub(crate) show_performance: bool,
    /// No colours on a terminal either
    #[arg(long)]
    pub(crate) remove_color: bool,
    /// Accepted for compatibility: admit asks no registry
    #[arg(long, hide = true)]
    pub(crate) registry: bool,
    #[command(flatten)]
    refused: Refused,
}

/// Flags of `kyverno apply` that take a network: they exist so that their refusal can say what to do instead.
#[derive(Debug, clap::Args)]
pub(crate) struct Refused {
    /// Refused: admit asks no live cluster
    #[arg(short, long, hide = true)]
    cluster: bool,
    /// Refused: admit asks no live cluster
    #[arg(short, long, hide = true, value_name = "NAME")]
    namespace: Option<String>,
    /// Refused: admit asks no live cluster
    #[arg(long, hide = true, value_name = "FILE")]
    kubeconfig: Option<String>,
    /// Refused: admit asks no live cluster
    #[arg(long, hide = true, value_name = "NAME")]
    context: Option<String>,
    /// Refused: admit asks no live cluster
    #[arg(long, hide = true)]
    cluster_wide_resources: bool,
    /// Refused: admit reads no remote repository
    #[arg(short = 'b', long, hide = true, value_name = "NAME")]
    git_branch: Option<String>,
    /// Refused: admit reads no remote repository
    #[arg(long, hide = true, value_name = "NAME")]
    username: Option<String>,
    /// Refused: admit reads no remote repository
    #[arg(long, hide = true, value_name = "WORD")]
    password: Option<String>,
}

impl Refused {
    /// Fails when one of the flags is given.
    fn check(&self) -> Result<(), RunError> {
        let cluster = [
            (self.cluster, "--cluster"),
            (self.namespace.is_some(), "--namespace"),
            (self.kubeconfig.is_some(), "--kubeconfig"),
            (self.context.is_some(), "--context"),
            (self.cluster_wide_resources, "--cluster-wide-resources"),
        ];
        let repository = [
            (self.git_branch.is_some(), "--git-branch"),
            (self.username.is_some(), "--username"),
            (self.password.is_some(), "--password"),
        ];
        let given = |flags: &[(bool, &'static str)]| flags.iter().find(|(given, _)| *given).map(|(_, name)| *name);
        let (error, hint) = if let Some(flag) = given(&cluster) {
            (format!("`{flag}`: admit asks no live cluster"), "name resources with `--resource`")
        } else if let Some(flag) = given(&repository) {
            (format!("`{flag}`: admit reads no remote repository"), "clone it and name the directory")
        } else {
            return Ok(());
        };
        Err(RunError::new(error).hint(hint).with_code(1))
    }
}

/// The API group of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportApi {
    /// `openreports.io`, as Kyverno writes
    Openreports,
    /// `wgpolicyk8s.io`, as most viewers read
    Wgpolicy,
}

fn duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| "a duration is written like 24h or 1h30m".to_owned())
}

/// What a run works on.
struct Loaded {
    policies: Policies,
    resources: Vec<Object>,
    /// Objects that are looked up and not judged: targets, parameters, those of `--context-file`.
    others: Vec<Object>,
    /// Both, in this order: what rows speak of.
    objects: Vec<Object>,
    values: Values,
    user: Option<UserInfo>,
    cluster: Cluster,
}

/// Runs `admit apply`; `now` is the time in nanoseconds since 1970.
pub(crate) fn run(args: &ApplyArgs, now: i128, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, RunError> {
    args.refused.check()?;
    let notices = Notices::new(args.strict);
    let loaded = load(args, &notices)?;
    let judged = evaluate(args, &loaded, now)?;
    note_nothing(&loaded, &judged, &notices);
    let counts = Counts::of(&judged, &loaded.policies.invalid);
    write(args, &loaded, &judged, counts, out, err).map_err(|error| output(&error))?;
    if let Some(path) = &args.output {
        write_effects(&judged, path, &notices);
    }
    note_errors(&judged, &loaded.objects, &notices);
    let worst = notices.worst();
    for notice in notices.take() {
        // Nobody reads the notices of a run whose standard error is gone.
        let _ = writeln!(err, "{notice}");
    }
    exit_code(args, counts, worst == Some(Weight::Error), out).map_err(|error| output(&error))
}

fn load(args: &ApplyArgs, notices: &Notices) -> Result<Loaded, RunError> {
    let mut loader = Loader::new(Path::new(""), notices);
    let remote = args.policies.iter().chain(&args.resource).chain(&args.exception).find(|path| path.contains("://"));
    if let Some(remote) = remote {
        let error = RunError::new(format!("`{remote}` is on the network, and admit reads files only"));
        return Err(error.hint("fetch it, or clone the repository, and name the path").with_code(1));
    }
    if args.policies.iter().chain(&args.resource).any(|path| path == "-") {
        let entry = stdin::read(io::stdin().lock(), Options::default().max_bytes);
        loader.set_stdin(entry.map_err(|error| RunError::from_error(&error).with_code(1))?);
    }
    args.crd_paths.iter().for_each(|path| loader.definitions(path));
    let mut values = Values::default();
    if let Some(path) = &args.values_file {
        values = loader.documents(path).first().map(|it| Values::read(it.root(), notices)).unwrap_or_default();
    }
    for pair in &args.set {
        let refused = |text: String| RunError::new(text).hint("write `--set name=value`").with_code(1);
        values.set(pair, notices).map_err(refused)?;
    }
    values.check(notices);
    let user = args.userinfo.as_ref().and_then(|path| {
        let documents = loader.documents(path);
        documents.first().map(|it| user_info::read(it.root(), notices))
    });
    let mut policies = Policies::default();
    for path in &args.policies {
        if args.exceptions_within_policies {
            loader.policies_and_exceptions(path, &mut policies);
        } else {
            loader.policies(path, &mut policies);
        }
    }
    let mut resources: Vec<Object> = args.resource.iter().flat_map(|path| loader.resources(path)).collect();
    let payloads = [
        (&args.json, PayloadForm::Json),
        (&args.http_payload, PayloadForm::Http),
        (&args.envoy_payload, PayloadForm::Envoy),
    ];
    for (paths, form) in payloads {
        resources.extend(paths.iter().flat_map(|path| loader.payloads(path, form)));
    }
    let targets: Vec<Object> = args.target_resource.iter().flat_map(|path| loader.resources(path)).collect();
    let mut others = targets.clone();
    let parameters: Vec<Object> = args.parameter_resource.iter().flat_map(|path| loader.resources(path)).collect();
    let context = args.context_file.as_ref().map(|path| context_file::read(path, &mut loader, notices));
    others.extend(parameters.iter().cloned().chain(context.iter().flat_map(|it| &it.objects).cloned()));
    if args.exceptions_with_resources {
        if !args.exception.is_empty() {
            let text = "`--exception` has no effect beside `--exceptions-with-resources`";
            notices.say(Weight::Warning, "", text);
        }
        args.resource.iter().for_each(|path| loader.only_exceptions(path, &mut policies));
    } else {
        args.exception.iter().for_each(|path| loader.exceptions(path, &mut policies));
    }
    note_duplicates(&resources, notices);
    loader.define_kinds(&mut policies);
    let objects = resources.iter().chain(&others).cloned().collect();
    let mut cluster = Cluster::new(Law::CommandLine);
    let judged = resources.iter().filter(|object| object.payload.is_none());
    for object in others.iter().chain(judged) {
        cluster.add(&object.document, object.id);
    }
    for object in targets {
        cluster.add_context(&object.document, object.id);
    }
    for object in parameters {
        cluster.add_parameter(&object.document, object.id);
    }
    if let Some(context) = context {
        context.fill(&mut cluster);
    }
    Ok(Loaded { policies, resources, others, objects, values, user, cluster })
}

/// Says when a run is green only since there was nothing to do.
fn note_nothing(loaded: &Loaded, judged: &Judged, notices: &Notices) {
    let n_policies = loaded.policies.set.heads().count() + loaded.policies.invalid.len();
    let why = if n_policies == 0 {
        "no policy was found"
    } else if loaded.resources.is_empty() {
        "no resource was found"
    } else if judged.rows.is_empty() && loaded.policies.invalid.is_empty() {
        "no rule says anything of any resource"
    } else {
        return;
    };
    notices.say(Weight::Warning, "", format!("{why}, so nothing is checked"));
}

/// Says which objects are given more than once; each of them is judged.
fn note_duplicates(resources: &[Object], notices: &Notices) {
    let mut known = std::collections::HashMap::new();
    for object in resources {
        let identity = object.identity();
        let title = identity.title();
        // Payloads have no name, and objects that get theirs from the API server are all different.
        if identity.name.is_empty() {
            continue;
        }
        if let Some(first) = known.insert(identity, object) {
            let (here, there) = (object.node(), first.node());
            let line = there.file().position(there.span().start).line;
            let text = format!("{title} is given twice, first in {}:{line}; both are checked", there.file().path());
            notices.at(Weight::Note, here.file(), here.span(), text);
        }
    }
}

fn evaluate(args: &ApplyArgs, loaded: &Loaded, now: i128) -> Result<Judged, RunError> {
    let inputs = Inputs {
        policies: &loaded.policies.set,
        targets: &loaded.others,
        sources: &[],
        cluster: &loaded.cluster,
        values: &loaded.values,
        user: loaded.user.as_ref(),
        operation: None,
        audit_warn: args.audit_warn,
        now,
    };
    runner::on_threads(args.jobs, || evaluation::evaluate(inputs, &loaded.resources))
        .map_err(|error| RunError::new(format!("can't start threads: {error}")))
}

fn write(
    args: &ApplyArgs,
    loaded: &Loaded,
    judged: &Judged,
    counts: Counts,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    let Loaded { policies, resources, objects, .. } = loaded;
    let refused = violations::refused(&policies.invalid);
    if args.policy_report {
        // A report is read by programs: what is no part of it goes elsewhere.
        let _ = err.write_all(refused.as_bytes());
        let options = report::Options {
            form: if args.output_format == "json" { Form::Json } else { Form::Yaml },
            api: match args.report_api {
                ReportApi::Openreports => Api::OpenReports,
                ReportApi::Wgpolicy => Api::WorkingGroup,
            },
            now: args.now,
        };
        return out.write_all(report::write(judged, objects, options).as_bytes());
    }
    if args.diff {
        let _ = err.write_all(refused.as_bytes());
        return out.write_all(escape::paragraph(&effects::diff(judged, objects)).as_bytes());
    }
    if args.generate_exceptions {
        let _ = err.write_all(refused.as_bytes());
        return out.write_all(exceptions::write(judged, objects, args.generated_exception_ttl).as_bytes());
    }
    if !args.stdin {
        let n_classic: usize = policies.set.classic.iter().map(|policy| policy.rules.len()).sum();
        let n_rules = n_classic + policies.set.cel().count();
        out.write_all(violations::header(n_rules, resources.len(), policies.set.exceptions.len()).as_bytes())?;
    }
    out.write_all(refused.as_bytes())?;
    let text = if args.table {
        let paint = if args.remove_color { Paint::Plain } else { Paint::Colours };
        violations::draw(judged, objects, args.detailed_results, paint)
    } else {
        // What goes into a file is not printed as well.
        let changes = if args.output.is_none() { mutations::blocks(judged, objects) } else { String::new() };
        changes + &violations::blocks(judged, objects) + &counts.line()
    };
    out.write_all(text.as_bytes())
}

/// Writes what policies change or make; what can't be written is said.
#[expect(clippy::disallowed_methods, reason = "it goes where the user says")]
fn write_effects(judged: &Judged, path: &Path, notices: &Notices) {
    let is_directory = path.is_dir() || path.to_string_lossy().ends_with('/');
    for (path, text) in effects::files(judged, path, is_directory) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let made = parent.map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = made.and_then(|()| std::fs::write(&path, text)) {
            notices.say(Weight::Error, path.to_string_lossy(), format!("can't be written: {error}"));
        }
    }
}

/// Says why rules could not be evaluated, which Kyverno only counts.
fn note_errors(judged: &Judged, objects: &[Object], notices: &Notices) {
    for row in judged.rows.iter().filter(|row| row.status == Status::Error) {
        let (policy, rule) = (&judged.heads[row.policy].key, &row.rule);
        let node = objects[row.resource].node();
        notices.at(Weight::Warning, node.file(), node.span(), format!("policy {policy}, rule {rule}: {}", row.message));
    }
}

/// The exit code of `kyverno apply`.
fn exit_code(args: &ApplyArgs, counts: Counts, unloaded: bool, out: &mut dyn Write) -> io::Result<u8> {
    if counts.fail > 0 || counts.error > 0 || unloaded {
        return Ok(1);
    }
    let why = if counts.warn > 0 && args.warn_exit_code != 0 {
        format!("exit as warnExitCode is {}\n", args.warn_exit_code)
    } else if args.warn_no_pass && counts.pass == 0 {
        "exit as no objects satisfied policy\n".to_owned()
    } else {
        return Ok(0);
    };
    if !args.policy_report {
        out.write_all(why.as_bytes())?;
    }
    Ok(args.warn_exit_code)
}

fn output(error: &io::Error) -> RunError {
    RunError::new(format!("can't write the output: {error}"))
}
