//! The manifests of an application: through Kustomize, through Helm, or as they lie there.
//!
//! In: the application. Out: the bytes that Argo CD is given, and the same as files to judge. What decides which tool
//! renders is what decides it in Argo CD.
//! <https://argo-cd.readthedocs.io/en/stable/user-guide/tool_detection/>

use std::sync::Arc;

use super::app::{self, App};
use crate::{
    commands::{RunError, workspace::from_source},
    config::FILE_NAME,
    finding::Finding,
    render::{self, Manner, Planner, Rendered, Renderer, Tool, Unit},
    report::escape,
    source::{Skip, Store},
    span::File,
};

/// What renders an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// A renderer.
    Tool(Tool),
    /// Nothing: the files are the manifests.
    Plain,
}

/// The manifests of an application.
pub(super) struct Manifests {
    /// What Argo CD is given.
    pub text: Vec<u8>,
    /// The same as files, each under the path that findings show.
    pub files: Vec<Arc<File>>,
    /// For what was rendered by Helm: with the sources.
    pub rendered: Option<Rendered>,
    /// What was rendered.
    pub unit: Option<Unit>,
}

/// How an application is rendered: as asked for, else by what its directory holds.
pub(super) fn means(app: &App, store: &Store) -> Result<Means, RunError> {
    Ok(match app.parameters.text(app::TOOL) {
        "" | "auto" => detected(app, store).map_err(|skip| refused(app, &skip))?,
        "kustomize" => Means::Tool(Tool::Kustomize),
        "helm" => Means::Tool(Tool::Helm),
        "plain" => Means::Plain,
        other => {
            return Err(
                RunError::new(format!("there is no tool `{other}`")).hint("`auto`, `kustomize`, `helm` or `plain`")
            );
        }
    })
}

fn detected(app: &App, store: &Store) -> Result<Means, Skip> {
    let is_there = |name: &str| -> Result<bool, Skip> { Ok(store.read(&below(app, name))?.is_some()) };
    if is_there("Chart.yaml")? {
        return Ok(Means::Tool(Tool::Helm));
    }
    for name in render::KUSTOMIZATIONS {
        if is_there(name)? {
            return Ok(Means::Tool(Tool::Kustomize));
        }
    }
    Ok(Means::Plain)
}

/// What a renderer is asked for; an error for what stands in its way.
pub(super) fn unit(app: &App, store: &Store, tool: Tool) -> Result<Unit, RunError> {
    let unit = match tool {
        Tool::Kustomize => Planner::new(store).overlay_at(&app.directory),
        Tool::Helm => render::chart_unit(store, &app.directory, manner(app)?),
    };
    let unit = unit.ok_or_else(|| RunError::new(format!("{} holds nothing for `{tool}` to render", app.title())))?;
    match unit.obstacles.first() {
        Some(_) => Err(stuck(&unit.obstacles)),
        None => Ok(unit),
    }
}

fn manner(app: &App) -> Result<Manner, RunError> {
    let parameters = &app.parameters;
    let values = parameters.list(app::VALUES_FILES).iter().map(|path| {
        render::resolve(&app.directory, path)
            .ok_or_else(|| RunError::new(format!("the file of values `{path}` lies outside of the repository")))
    });
    let release = Some(parameters.text(app::RELEASE)).filter(|it| !it.is_empty()).unwrap_or(&app.name);
    if release.starts_with('-') {
        return Err(RunError::new(format!("`{release}` is no name of a release")));
    }
    Ok(Manner {
        release: release.to_owned(),
        namespace: app.namespace.clone(),
        values: values.collect::<Result<_, _>>()?,
        inline_values: parameters.text(app::VALUES).to_owned(),
        set: parameters.map(app::HELM_PARAMETERS).map(|(key, value)| format!("{key}={value}")).collect(),
        kube_version: app.kube_version.clone(),
        api_versions: app.api_versions.clone(),
        with_tests: true,
        ..Manner::default()
    })
}

/// The manifests of an application.
pub(super) fn read(app: &App, store: &Store, renderer: Renderer<'_>, means: Means) -> Result<Manifests, RunError> {
    let Means::Tool(tool) = means else { return plain(app, store) };
    let unit = unit(app, store, tool)?;
    let failed = |finding: Finding| stuck(&[finding]);
    match tool {
        Tool::Kustomize => {
            let text = renderer.build(&unit).map_err(failed)?;
            let file = File::new("manifests", text.clone());
            Ok(Manifests { text, files: vec![file], rendered: None, unit: Some(unit) })
        }
        Tool::Helm => {
            let rendered = renderer.render(&unit).map_err(failed)?;
            let file = Arc::clone(&rendered.file);
            Ok(Manifests {
                text: file.text().as_bytes().to_vec(),
                files: vec![file],
                rendered: Some(rendered),
                unit: Some(unit),
            })
        }
    }
}

/// The files of the directory, one after the other.
fn plain(app: &App, store: &Store) -> Result<Manifests, RunError> {
    let is_deep = match app.parameters.text(app::RECURSE) {
        "true" => true,
        "" | "false" => false,
        other => return Err(RunError::new(format!("`recurse` is `true` or `false`, not `{other}`"))),
    };
    let found = store.manifests(&app.directory).map_err(|skip| refused(app, &skip))?;
    let is_taken = |path: &String| {
        let name = path.strip_prefix(&*app.directory).unwrap_or(path).trim_start_matches('/');
        (is_deep || !name.contains('/')) && name != FILE_NAME
    };
    let mut out = Manifests { text: Vec::new(), files: Vec::new(), rendered: None, unit: None };
    for path in found.into_iter().filter(is_taken) {
        let bytes = store.read(&path).map_err(|skip| refused(app, &skip))?.unwrap_or_default();
        if !out.text.is_empty() {
            if !out.text.ends_with(b"\n") {
                out.text.push(b'\n');
            }
            if !bytes.starts_with(b"---") {
                out.text.extend(b"---\n");
            }
        }
        out.text.extend(&bytes);
        out.files.push(File::new(path, bytes));
    }
    Ok(out)
}

/// A path below the application.
pub(super) fn below(app: &App, name: &str) -> String {
    if app.directory.is_empty() { name.to_owned() } else { format!("{}/{name}", app.directory) }
}

fn refused(app: &App, skip: &Skip) -> RunError {
    RunError::new(format!("{} can't be read: {skip}", app.title()))
}

/// The findings that keep a renderer from running, as one error.
fn stuck(findings: &[Finding]) -> RunError {
    let lines = findings.iter().map(|it| {
        let at = format!("{}:{}", escape::path(&it.primary.path), it.primary.start.line);
        let more = it.notes.iter().map(|note| format!("\n  {note}"));
        format!("{at}: {}{}", it.message, more.collect::<String>())
    });
    let error = RunError::new(lines.collect::<Vec<_>>().join("\n"));
    match findings.iter().flat_map(|it| &it.help).next() {
        Some(help) => error.hint(help.clone()),
        None => error,
    }
}

/// The store of an application's repository.
pub(super) fn store(app: &App) -> Result<Store, RunError> {
    let root = crate::source::worktree::canonical(&app.root).map_err(|error| from_source(&error))?;
    Ok(Store::disk(root, "", crate::source::Options::default().max_bytes))
}
