//! `admit check`: every manifest of a tree, or of a change, against the policies that guard it.
//!
//! In: flags. Out: a report and its exit code. Wiring only: sources are chosen here, the runner does the work.

mod case;
pub(crate) mod change;
mod config;
mod disk;
mod left;
mod part;
mod reach;
mod render;
#[cfg(test)]
mod replay;
pub(crate) mod revision;
mod side;
pub(crate) mod sides;
mod standing;
pub(crate) mod tree;
mod who;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) use case::{Case, judge_all};

pub(crate) use render::RenderArgs;

use part::Part;

use super::{RunError, baseline::Baseline, image_layout, output::OutputArgs};
use crate::{
    compat::{self, Notices, user_info},
    config::ExceptionLimits,
    document::{self, Limits},
    engine::UserInfo,
    report::{Progress, Report},
    runner::{self, Wants},
    source::{At, Entry, Environment, Reader},
    span::File,
};

/// Names of the files that tell what their neighbors are: charts and kustomizations.
const TELLING: [&str; 5] = ["Chart.yaml", "Chart.yml", "kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Arguments of `admit check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Files and directories to judge; `-` is standard input [default: the repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Judge only what changed between two commits, read from Git objects; `BASE...HEAD` starts from their merge base
    #[arg(long, value_name = "BASE[..HEAD]", conflicts_with_all = ["paths", "staged"])]
    pub(crate) diff: Option<String>,
    /// Judge only what is staged for the next commit
    #[arg(long, conflicts_with = "paths")]
    pub(crate) staged: bool,
    #[command(flatten)]
    pub(crate) law: LawArgs,
    /// Who applies the manifests: a document of kind `UserInfo` [default: `userinfo` of admit.yaml]
    #[arg(long, value_name = "FILE", help_heading = "What judges")]
    pub(crate) userinfo: Option<PathBuf>,
    /// Image layout whose images and signatures stand for those of the registries
    #[arg(long, value_name = "DIR", help_heading = "What judges")]
    pub(crate) images: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Say of each object and rule how the verdict came about
    #[arg(long)]
    pub(crate) explain: bool,
    /// Only what the cluster itself would refuse
    #[arg(long)]
    pub(crate) no_governance: bool,
    /// What is known and fails nothing, as `admit baseline` wrote it; for --diff it is read from BASE
    #[arg(long, value_name = "FILE", conflicts_with = "shard")]
    pub(crate) baseline: Option<PathBuf>,
    /// Judge one part of the objects; `admit merge` joins the JSON reports of all N parts
    #[arg(long, value_name = "I/N", value_parser = Part::parse)]
    pub(crate) shard: Option<Part>,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) jobs: usize,
}

/// Flags that say what judges.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LawArgs {
    /// Where policies are [default: found in the repository]
    #[arg(long, value_name = "GLOB|PATH", help_heading = "What judges")]
    pub(crate) policies: Vec<String>,
    /// Where exceptions are [default: found in the repository]
    #[arg(long, value_name = "GLOB|PATH", help_heading = "What judges")]
    pub(crate) exceptions: Vec<String>,
    /// Let no exception count [default: `exceptions.enabled` of admit.yaml]
    #[arg(long, help_heading = "What judges")]
    pub(crate) no_exceptions: bool,
    /// Let exceptions count in namespaces of this name only, with wildcards [default: `exceptions.namespaces` of admit.yaml]
    #[arg(long, value_name = "NAME", help_heading = "What judges")]
    pub(crate) exception_namespace: Vec<String>,
    /// What the cluster already holds; what it holds is updated, not created [default: the repository stands in]
    #[arg(long, value_name = "GLOB|PATH", help_heading = "What judges")]
    pub(crate) cluster: Vec<String>,
    #[command(flatten)]
    pub(crate) render: RenderArgs,
}

impl LawArgs {
    /// The same in a hook: what is pushed is not run through other programs unless a flag asks for it.
    pub(crate) fn in_hook(&self) -> Self {
        Self { render: self.render.unless_asked(), ..self.clone() }
    }
}

impl LawArgs {
    /// Which exceptions count: as the settings say, unless flags do.
    pub(crate) fn limits(&self, settings: &ExceptionLimits) -> ExceptionLimits {
        let mut out = settings.clone();
        out.enabled &= !self.no_exceptions;
        if !self.exception_namespace.is_empty() {
            out.namespaces.clone_from(&self.exception_namespace);
        }
        // Whoever says where exceptions are says where they count.
        if !self.exceptions.is_empty() {
            out.directories.clear();
        }
        out
    }
}

/// Runs `admit check`; `now` is in nanoseconds since 1970.
pub(crate) fn run(args: &CheckArgs, now: i128, environment: &Environment) -> Result<u8, RunError> {
    args.output.validate()?;
    let baseline = match &args.baseline {
        Some(path) => Some(Baseline::read(path, args.diff.as_deref(), environment)?),
        None => None,
    };
    let progress = Progress::start(OutputArgs::wants_progress());
    let work = || -> Result<(Report, bool), RunError> {
        let user = args.userinfo.as_deref().map(|path| user(path, environment)).transpose()?;
        let store = image_layout::read(&args.images, environment.current_dir())?;
        let mut cases = match &args.diff {
            Some(range) => change::between(environment, range, &args.law, &progress)?,
            None if args.staged => vec![change::staged(environment, &args.law, &progress)?],
            None => vec![tree::read(&args.paths, environment, &args.law, &progress, &mut io::stdin())?],
        };
        for case in &mut cases {
            if let Some(user) = &user {
                case.asked_by(user);
            }
            case.governance = case.governance.take().filter(|_| !args.no_governance);
            case.part = args.shard;
            if let Some(store) = &store {
                case.law.cluster.set_store(Arc::clone(store));
            }
        }
        let wants = Wants { quiet: args.output.wants_quiet() || args.shard.is_some(), traces: args.explain };
        let (mut report, checked) = judge_all(&cases, now, wants, &progress);
        if let Some(baseline) = &baseline {
            baseline.apply(&mut report, cases.iter().any(|case| case.is_root));
        }
        Ok((report, checked))
    };
    let done = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))?;
    progress.finish();
    let (report, checked) = done?;
    args.output.finish(&report, checked)
}

/// Bytes of a file with user info that are read.
const MAX_USER_BYTES: u64 = 1 << 20;

/// Reads who asks.
fn user(path: &Path, environment: &Environment) -> Result<UserInfo, RunError> {
    let display = path.display().to_string();
    let failed = |text: &dyn std::fmt::Display| RunError::new(format!("--userinfo {display}: {text}"));
    let entry = Entry { path: display.as_str().into(), at: At::Named(environment.current_dir().join(path)) };
    let blob = Reader::files(MAX_USER_BYTES).read(&entry).map_err(|skip| failed(&skip))?;
    let parsed = document::parse(&File::new(blob.path, blob.bytes), &Limits::default());
    if let Some(error) = parsed.errors.first() {
        return Err(failed(error));
    }
    let Some(document) = parsed.documents.first() else { return Err(failed(&"it holds no document")) };
    let notices = Notices::default();
    let user = user_info::read(document.root(), &notices);
    match notices.take().into_iter().find(|it| it.weight == compat::Weight::Error) {
        Some(notice) => Err(failed(&notice.text)),
        None => Ok(user),
    }
}
