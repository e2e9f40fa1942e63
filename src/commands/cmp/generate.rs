//! `admit cmp generate`: renders, judges, and prints what is let in.
//!
//! Standard output is all or nothing: the manifests byte for byte, or not a byte. Policies are those of whoever runs the
//! plugin, from flags or `ADMIT_` variables; where they name none, those that the repository holds.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    app::{self, App},
    deadline::Deadline,
    manifests::{self, Manifests, Means},
    say, unwritable,
};
use crate::{
    commands::{
        RunError,
        check::{Case, LawArgs, RenderArgs, tree},
        output::FailOn,
        workspace::Workspace,
    },
    config::{Settings, When},
    document::{Node, resource::objects},
    finding::{Finding, Severity, secret},
    render::{self, Bounds, Cache, Program, Rendered, Renderer, Sources, Tool},
    report::{Progress, Report},
    runner::{self, TreeFile, Wants},
    source::Environment,
    span::File,
};

/// No path is called so.
const NOWHERE: &str = "\0";

/// Arguments of `admit cmp generate`. All of them belong to whoever runs the plugin.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArgs {
    /// Where policies are: files or directories, relative ones below the repository [default: found in the repository]
    #[arg(long, value_name = "PATH", env = "ADMIT_POLICIES", hide_env_values = true, value_delimiter = ',')]
    policies: Vec<String>,
    /// Where exceptions are [default: where the policies are from: none with --policies, else found in the repository]
    #[arg(long, value_name = "PATH", env = "ADMIT_EXCEPTIONS", hide_env_values = true, value_delimiter = ',')]
    exceptions: Vec<String>,
    /// Seconds after which the application is refused, judged or not; keep it below Argo CD's own
    #[arg(long, value_name = "SECONDS", env = "ADMIT_TIMEOUT", default_value = "45", value_parser = parse_seconds)]
    timeout: Duration,
    /// Let an application without any object through; Argo CD may then delete all that it has deployed
    #[arg(long, env = "ADMIT_ALLOW_EMPTY", hide_env_values = true)]
    allow_empty: bool,
    /// From which severity findings refuse the application
    #[arg(long, value_name = "SEVERITY", env = "ADMIT_FAIL_ON", value_enum, default_value_t = FailOn::Error)]
    fail_on: FailOn,
    #[command(flatten)]
    render: RenderArgs,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
}

/// `45`, `45s` or `1.5`.
fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.trim_end_matches('s').parse().ok().filter(|it| (0.1..=3600.0).contains(it));
    seconds.map(Duration::from_secs_f32).ok_or_else(|| "a number of seconds from 0.1 to 3600".to_owned())
}

/// Runs `admit cmp generate`.
pub(super) fn run(
    args: &GenerateArgs,
    now: i128,
    environment: &Environment,
    out: &mut dyn io::Write,
) -> Result<u8, RunError> {
    let deadline = Deadline::start(args.timeout);
    let app = App::find(environment)?;
    let work = || decide(args, &app, now, environment, &deadline);
    let decided = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))??;
    let judged_by = decided.judged_by;
    let say = |severity: Severity| {
        let text = say::text(&app, &decided.report, severity, &judged_by);
        let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
    };
    if args.fail_on.fails(&decided.report) {
        say(Severity::Error);
        if decided.report.worst() != Some(Severity::Error) {
            say(Severity::Warning);
        }
        return Ok(1);
    }
    say(Severity::Warning);
    deadline.now("writing the manifests");
    out.write_all(&decided.text).and_then(|()| out.flush()).map_err(|error| unwritable(&error))?;
    Ok(0)
}

/// Runs `admit cmp init`: what `generate` would miss is said.
pub(super) fn init(args: &GenerateArgs, environment: &Environment) -> Result<u8, RunError> {
    let app = App::find(environment)?;
    let store = manifests::store(&app)?;
    if let Means::Tool(tool) = manifests::means(&app, &store)? {
        program(args, tool, environment)?;
        manifests::unit(&app, &store, tool)?;
    }
    let case = law(args, &app, environment)?;
    if case.law.n_policies == 0 {
        return Err(nothing_judges(args));
    }
    Ok(0)
}

/// What was decided of an application.
struct Decided {
    report: Report,
    text: Vec<u8>,
    judged_by: String,
}

fn decide(
    args: &GenerateArgs,
    app: &App,
    now: i128,
    environment: &Environment,
    deadline: &Deadline,
) -> Result<Decided, RunError> {
    let store = manifests::store(app)?;
    let means = manifests::means(app, &store)?;
    deadline.now("asking the renderer for its version");
    let programs = match means {
        Means::Tool(tool) => vec![program(args, tool, environment)?],
        Means::Plain => Vec::new(),
    };
    let cache = Cache::new(args.render.render_cache.clone());
    deadline.now("rendering the application");
    let bounds = Bounds { time: deadline.for_render(args.render.render_timeout), ..Bounds::default() };
    let renderer = Renderer { store: &store, programs: &programs, cache: &cache, bounds, tag: "rendered" };
    let manifests = manifests::read(app, &store, renderer, means)?;
    deadline.now("reading the policies");
    let mut case = law(args, app, environment)?;
    if case.law.n_policies == 0 {
        return Err(nothing_judges(args));
    }
    deadline.now("judging the manifests");
    let is_helm = means == Means::Tool(Tool::Helm);
    let n_objects = take(&mut case, app, &manifests, is_helm);
    if n_objects == 0 && !args.allow_empty && case.findings.is_empty() {
        return Err(RunError::new(format!(
            "{} has no object at all: Argo CD would delete what it has deployed",
            app.title()
        ))
        .hint("where that is meant, whoever runs the plugin says so: ADMIT_ALLOW_EMPTY=true")
        .with_code(3));
    }
    let Manifests { text, rendered, unit, .. } = manifests;
    case.sources = sources(rendered);
    let mut report = case.judge(now, Wants::default(), &Progress::start(false)).0;
    if let (Some(unit), Means::Tool(Tool::Kustomize)) = (unit, means)
        && report.worst().is_some_and(|it| it < Severity::Info)
    {
        deadline.now("looking for the lines to blame");
        let bounds = Bounds { time: deadline.for_render(args.render.render_timeout), ..bounds };
        if let Ok(traced) = (Renderer { bounds, ..renderer }).render(&unit) {
            report = at_sources(case, app, traced, report, now);
        }
    }
    Ok(Decided { report, text, judged_by: judged_by(args) })
}

fn sources(rendered: Option<Rendered>) -> Sources {
    let mut sources = Sources::default();
    if let Some(rendered) = rendered {
        sources.add(rendered);
    }
    sources
}

/// The same report with the lines of the sources, from a render that notes them.
fn at_sources(mut case: Case, app: &App, traced: Rendered, report: Report, now: i128) -> Report {
    case.tree.files.retain(|it| &**it.file.path() != "manifests");
    add(&mut case, &traced.file, app, false);
    case.sources = sources(Some(traced));
    let again = case.judge(now, Wants::default(), &Progress::start(false)).0;
    // Both render the same objects; if not, what is deployed counts.
    if again.worst() == report.worst() { again } else { report }
}

/// The program that renders the application.
fn program(args: &GenerateArgs, tool: Tool, environment: &Environment) -> Result<Program, RunError> {
    let named = match tool {
        Tool::Kustomize => args.render.kustomize.as_deref(),
        Tool::Helm => args.render.helm.as_deref(),
    };
    Program::find(tool, named, environment.program_directories().into_iter())
        .map_err(|error| RunError::from_error(&error).hint(format!("the image of the plugin must hold `{tool}`")))
}

/// What judges.
fn law(args: &GenerateArgs, app: &App, environment: &Environment) -> Result<Case, RunError> {
    let placed = |paths: &[String]| -> Vec<String> { paths.iter().map(|it| below(&app.root, it)).collect() };
    let mut law =
        LawArgs { policies: placed(&args.policies), exceptions: placed(&args.exceptions), ..LawArgs::default() };
    let mut workspace = Workspace::at(&app.root)?;
    // What the repository leaves alone is deployed all the same.
    workspace.settings.include.clear();
    workspace.settings.exclude.clear();
    if !args.policies.is_empty() {
        // The settings of the repository and its exceptions belong to whoever may write to it.
        workspace.settings = Settings::default();
        if args.exceptions.is_empty() {
            workspace.settings.exceptions = vec![NOWHERE.to_owned()];
        }
        law.policies.extend(more_policies(app)?);
    }
    law.render.render = Some(When::Never);
    tree::read_at(
        &workspace,
        &[PathBuf::from("-")],
        environment,
        &law,
        &Progress::start(false),
        &mut io::empty(),
        &tree::Overlay::new(),
    )
    .map_err(|error| {
        if args.policies.iter().chain(&args.exceptions).any(|it| !Path::new(it).is_absolute()) {
            error.hint("a directory of the repository must be in `manifest-generate-paths`, else it is not here")
        } else {
            error
        }
    })
}

/// Policies that the Application adds to those of the operator.
fn more_policies(app: &App) -> Result<Vec<String>, RunError> {
    let paths = app.parameters.list(app::POLICIES).iter().map(|path| {
        let inside = render::resolve("", path);
        let inside =
            inside.ok_or_else(|| RunError::new(format!("the policies `{path}` lie outside of the repository")))?;
        Ok(below(&app.root, &inside))
    });
    paths.collect()
}

/// A path of whoever runs the plugin: relative ones lie in the repository.
fn below(root: &Path, path: &str) -> String {
    root.join(path).display().to_string()
}

fn judged_by(args: &GenerateArgs) -> String {
    match args.policies.as_slice() {
        [] => "the policies of the repository".to_owned(),
        paths => paths.join(", "),
    }
}

fn nothing_judges(args: &GenerateArgs) -> RunError {
    let error = RunError::new(format!("there is no policy in {}: nothing would be checked", judged_by(args)));
    error.hint("ADMIT_POLICIES names them, or the repository holds them").with_code(3)
}

/// Takes the manifests as what is judged; how many objects they are.
fn take(case: &mut Case, app: &App, manifests: &Manifests, is_helm: bool) -> usize {
    manifests.files.iter().map(|file| add(case, file, app, is_helm)).sum()
}

fn add(case: &mut Case, file: &Arc<File>, app: &App, is_helm: bool) -> usize {
    runner::note_scopes(file, &mut case.tree.scopes);
    let namespace = if app.namespace.is_empty() { "default" } else { &app.namespace };
    let (mut read, findings) = runner::rendered(file, namespace, &case.tree.scopes);
    case.findings.extend(findings);
    let n_objects = count(&mut read, is_helm, &mut case.findings);
    case.tree.files.push(read);
    n_objects
}

/// Counts the objects of a file, and finds what is none.
fn count(file: &mut TreeFile, is_helm: bool, findings: &mut Vec<Finding>) -> usize {
    let mut n_objects = 0;
    for document in &mut file.documents {
        let root = document.document.root();
        if root.is_null() {
            continue;
        }
        let Some(subject) = &document.subject else {
            let place = secret::place(&file.file, root.span());
            let message = "this is no object: Argo CD takes nothing else";
            findings.push(Finding::new("render/not-an-object", Severity::Error, place, message));
            continue;
        };
        n_objects += objects(subject.root()).len();
        // Argo CD applies no tests of Helm.
        if is_helm && is_test(root) {
            document.subject = None;
        }
    }
    n_objects
}

/// Whether an object is a test of a chart, and nothing else.
fn is_test(object: Node<'_>) -> bool {
    let hooks = object.str_at(&["metadata", "annotations", "helm.sh/hook"]).unwrap_or_default();
    !hooks.is_empty() && hooks.split(',').all(|it| matches!(it.trim(), "test" | "test-success" | "test-failure"))
}
