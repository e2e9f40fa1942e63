//! What is really deployed: overlays through the real `kustomize`, charts through the real `helm`.
//!
//! In: the files of one side. Out: [`plan::Unit`]s, and for each what it renders to with where each object comes from, or
//! why that can't be known. A renderer runs in a directory made for it, with the files that it needs and nothing else;
//! nothing is fetched. Nothing is judged here.

mod applications;
mod cache;
mod chart;
mod kustomization;
mod locate;
mod output;
mod plan;
mod process;
mod tool;

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

pub(crate) use applications::deployed;
pub(crate) use cache::Cache;
pub(crate) use chart::unit as chart_unit;
pub(crate) use kustomization::{NAMES as KUSTOMIZATIONS, resolve};
pub(crate) use locate::{Sources, surfaced};
pub(crate) use output::Origin;
pub(crate) use plan::{Manner, Planner, Unit};
pub(crate) use process::{Bounds, Failure};
pub(crate) use tool::{Program, Tool, ToolError};

use crate::{
    document::{Document, Node},
    finding::{Finding, Place, Severity},
    source::Store,
    span::File,
};

/// Lines of what a renderer says of a failure that are shown.
const MAX_LINES: usize = 12;

/// The directory of the files within that of a run.
const TREE: &str = "tree";

/// The directory of what wraps an overlay.
const WRAP: &str = "wrap";

/// What a unit renders to.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// What was rendered.
    pub unit: Unit,
    /// The objects, as a cluster would be given them.
    pub file: Arc<File>,
    /// Where each document of it comes from, in order.
    pub origins: Vec<Origin>,
    /// Every file that was read.
    inputs: Inputs,
    documents: OnceLock<Vec<Document>>,
    /// Files that were read, as far as somebody has asked for their documents.
    parsed: Mutex<HashMap<String, Arc<Vec<Document>>>>,
}

/// The files of a unit by their paths.
type Inputs = BTreeMap<String, Arc<[u8]>>;

/// Renders units.
#[derive(Clone, Copy)]
pub(crate) struct Renderer<'r> {
    /// Where files come from.
    pub store: &'r Store,
    /// The programs that there are.
    pub programs: &'r [Program],
    /// What was rendered before.
    pub cache: &'r Cache,
    /// What one render may take.
    pub bounds: Bounds,
    /// What stands beside the title of a unit in the name of what it renders to, so that two sides are told apart.
    pub tag: &'r str,
}

/// What goes into a run beside the files: it decides, with them, what comes out.
struct Command<'u> {
    arguments: Vec<String>,
    wrapper: Option<String>,
    /// Files of values, in order: Helm takes a comma in a name for the end of it, so they are given names of ours.
    values: Vec<&'u [u8]>,
}

impl Renderer<'_> {
    /// Renders a unit that nothing stands in the way of, so that each object can be traced to its source.
    pub(crate) fn render(&self, unit: &Unit) -> Result<Rendered, Finding> {
        let program = self.program(unit)?;
        let inputs = self.inputs(unit)?;
        let command = command(unit, &inputs);
        let text = self.run(program, &inputs, &command).map_err(|failure| refused(unit, &failure))?;
        let text = String::from_utf8(text).map_err(|_| failed(unit, "what it renders to is no UTF-8"))?;
        let title = unit.title();
        let (text, origins) = match unit.tool {
            Tool::Kustomize => output::of_kustomize(&title, &text, &|path| {
                let below = path.strip_prefix("../")?.strip_prefix(TREE)?.strip_prefix('/')?;
                Some(outside(below))
            }),
            Tool::Helm => {
                let chart = inputs.get(&*unit.main).and_then(|it| chart::name(it)).unwrap_or_default();
                let origins = output::of_helm(&title, &text, &|path| {
                    let below = path.strip_prefix(&*chart)?.strip_prefix('/')?;
                    resolve(&unit.directory, below)
                });
                (text, origins)
            }
        };
        let file = output::file(&title, self.tag, text);
        Ok(Rendered { unit: unit.clone(), file, origins, inputs, documents: OnceLock::new(), parsed: Mutex::default() })
    }

    /// What `kustomize build` writes for a unit, and nothing else.
    pub(crate) fn build(&self, unit: &Unit) -> Result<Vec<u8>, Finding> {
        let program = self.program(unit)?;
        let inputs = self.inputs(unit)?;
        let arguments = vec!["build".to_owned(), place(unit)];
        let command = Command { arguments, wrapper: None, values: Vec::new() };
        self.run(program, &inputs, &command).map_err(|failure| refused(unit, &failure))
    }

    fn program(&self, unit: &Unit) -> Result<&Program, Finding> {
        let found = self.programs.iter().find(|it| it.tool == unit.tool);
        found.ok_or_else(|| failed(unit, &format!("`{}` is not there", unit.tool)))
    }

    fn inputs(&self, unit: &Unit) -> Result<Inputs, Finding> {
        let read = |path: &String| match self.store.read(path) {
            Ok(Some(bytes)) => Ok((path.clone(), Arc::from(bytes))),
            Ok(None) => Err(failed(unit, &format!("`{path}` is not there any more"))),
            Err(skip) => Err(failed(unit, &format!("`{path}`: {skip}"))),
        };
        unit.reads.iter().map(read).collect()
    }

    /// Runs a program on a copy of the files, unless it is known what that gives.
    fn run(&self, program: &Program, inputs: &Inputs, command: &Command<'_>) -> Result<Vec<u8>, Failure> {
        let wrapper = command.wrapper.as_deref().unwrap_or_default();
        let mut more = vec![wrapper.as_bytes()];
        more.extend(&command.values);
        let key = cache::key(&program.version, &command.arguments, &more, inputs);
        if let Some(known) = self.cache.get(&key) {
            return Ok(known);
        }
        let place = tempfile::Builder::new().prefix("admit-render-").tempdir().map_err(Failure::Start)?;
        copy(place.path(), inputs, command).map_err(Failure::Start)?;
        let home = place.path().join("home");
        fs::create_dir(&home).map_err(Failure::Start)?;
        let done = process::run(&program.path, &command.arguments, place.path(), &home, self.bounds)
            .map_err(|failure| without_place(failure, place.path()))?;
        self.cache.put(&key, &done);
        Ok(done)
    }
}

/// What a renderer says, with paths as the repository has them: the directory of a run has another name each time.
fn without_place(failure: Failure, place: &Path) -> Failure {
    let Failure::Failed(text) = failure else { return failure };
    let mut text = text;
    for place in [Some(place.to_owned()), place.canonicalize().ok()].into_iter().flatten() {
        let place = place.display().to_string();
        text = text.replace(&format!("{place}/{TREE}/"), "").replace(&format!("{place}/"), "").replace(&place, ".");
    }
    Failure::Failed(outside(&text.replace(&format!("../{TREE}/"), "")))
}

/// What stands for the root and for the directory above in the copy of files that lie elsewhere: nothing is ever written
/// outside of it.
const ROOT: &str = "admit@root/";
const ABOVE: &str = "admit@above";

/// Where a file is in the copy.
fn inside(path: &str) -> String {
    if let Some(below) = path.strip_prefix('/') {
        return format!("{ROOT}{below}");
    }
    let parts: Vec<&str> = path.split('/').map(|part| if part == ".." { ABOVE } else { part }).collect();
    parts.join("/")
}

/// The inverse of [`inside`], for all paths in a text.
fn outside(text: &str) -> String {
    text.replace(ROOT, "/").replace(ABOVE, "..")
}

/// Writes the files of a run below its directory.
fn copy(place: &Path, inputs: &Inputs, command: &Command<'_>) -> io::Result<()> {
    let tree = place.join(TREE);
    fs::create_dir_all(&tree)?;
    for (path, bytes) in inputs {
        let to = tree.join(inside(path));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(to, bytes)?;
    }
    if let Some(wrapper) = &command.wrapper {
        fs::create_dir(place.join(WRAP))?;
        fs::write(place.join(WRAP).join(kustomization::NAMES[0]), wrapper)?;
    }
    for (index, values) in command.values.iter().enumerate() {
        fs::write(place.join(values_name(index)), values)?;
    }
    Ok(())
}

fn values_name(index: usize) -> String {
    format!("values-{index}.yaml")
}

/// The directory of a unit within that of a run.
fn place(unit: &Unit) -> String {
    if unit.directory.is_empty() { TREE.to_owned() } else { format!("{TREE}/{}", inside(&unit.directory)) }
}

/// How a unit is rendered so that its objects can be traced.
fn command<'u>(unit: &'u Unit, inputs: &'u Inputs) -> Command<'u> {
    let directory = place(unit);
    match unit.tool {
        Tool::Kustomize => Command {
            arguments: vec!["build".to_owned(), WRAP.to_owned()],
            wrapper: Some(wrapper(unit, inputs, &directory)),
            values: Vec::new(),
        },
        Tool::Helm => {
            let manner = &unit.manner;
            let mut arguments = vec!["template".to_owned()];
            arguments.push(release(unit, inputs));
            arguments.extend([directory, "--include-crds".to_owned()]);
            if !manner.with_tests {
                arguments.push("--skip-tests".to_owned());
            }
            if !manner.kube_version.is_empty() {
                arguments.extend(["--kube-version".to_owned(), manner.kube_version.clone()]);
            }
            for version in &manner.api_versions {
                arguments.extend(["--api-versions".to_owned(), version.clone()]);
            }
            if !manner.namespace.is_empty() {
                arguments.extend(["--namespace".to_owned(), manner.namespace.clone()]);
            }
            let mut values: Vec<&[u8]> = manner.values.iter().filter_map(|it| inputs.get(it)).map(|it| &**it).collect();
            values.extend(Some(manner.inline_values.as_bytes()).filter(|it| !it.is_empty()));
            for index in 0..values.len() {
                arguments.extend(["--values".to_owned(), values_name(index)]);
            }
            for parameter in &manner.set {
                arguments.extend(["--set".to_owned(), parameter.clone()]);
            }
            Command { arguments, wrapper: None, values }
        }
    }
}

/// The name of a release: as asked for, else that of the chart, as far as Helm takes it for one.
fn release(unit: &Unit, inputs: &Inputs) -> String {
    if !unit.manner.release.is_empty() {
        return unit.manner.release.clone();
    }
    let name = inputs.get(&*unit.main).and_then(|it| chart::name(it)).unwrap_or_default();
    let is_fine = |it: &str| {
        it.len() <= 53
            && it.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
            && !it.starts_with('-')
            && !it.ends_with('-')
    };
    if !name.is_empty() && is_fine(&name) { name } else { "release".to_owned() }
}

/// A kustomization around an overlay that has Kustomize note where objects come from. What the overlay asks for itself
/// would be overruled by that, so it is asked for again.
fn wrapper(unit: &Unit, inputs: &Inputs, directory: &str) -> String {
    let own = inputs.get(&*unit.main).map(|it| kustomization::Kustomization::read(Arc::clone(&unit.main), it.to_vec()));
    let own = own.and_then(|it| it.document);
    let asked = own.iter().filter_map(|it| it.root().get("buildMetadata")).flat_map(Node::items);
    let manages = asked.filter_map(Node::as_str).any(|it| it == "managedByLabel");
    let more = if manages { ", managedByLabel" } else { "" };
    let quoted = serde_json::Value::from(format!("../{directory}"));
    let added = &unit.manner.kustomize;
    format!("resources: [{quoted}]\nbuildMetadata: [originAnnotations, transformerAnnotations{more}]\n{added}")
}

/// A renderer that says no.
fn refused(unit: &Unit, failure: &Failure) -> Finding {
    let text = failure.to_string();
    let mut lines = text.lines().map(str::trim_end).filter(|it| !it.is_empty());
    let finding = failed(unit, lines.next().unwrap_or("no reason given"));
    lines.take(MAX_LINES).fold(finding, Finding::note)
}

fn failed(unit: &Unit, reason: &str) -> Finding {
    let message = format!("what `{}` deploys can't be known: {}: {reason}", unit.title(), unit.tool);
    let place = Place::whole_file(Arc::clone(&unit.main));
    Finding::new("render/failed", Severity::Error, place, message)
}
