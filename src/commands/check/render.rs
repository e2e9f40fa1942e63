//! What is rendered before it is judged: which units, with which programs, and what becomes of their sources.
//!
//! In: the files of one side and the paths that matter. Out: what the units render to, as files of a tree, and what there
//! is to say where that can't be known. A source is not judged as it is written where a render has brought it forth.

use std::{path::PathBuf, time::Duration};

use super::TELLING;
use crate::{
    commands::{RunError, workspace::from_source},
    config::{Rendering, When},
    document::{
        Node,
        classify::{Class, is_kustomization, is_partial_workload},
        resource::{is_object, objects},
    },
    finding::{Finding, Place, Severity, secret},
    k8s::gvk::split_api_version,
    render::{Bounds, Cache, Planner, Program, Rendered, Renderer, Sources, Tool, ToolError, Unit, surfaced},
    report::Progress,
    runner::{self, Scopes, Tree, TreeFile},
    source::{Environment, Filter, Store},
};

/// Flags that say what is rendered, and with what.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RenderArgs {
    /// Judge what Kustomize and Helm make of overlays and charts: auto, never or always [default: `render.mode` of
    /// admit.yaml, else auto; for hooks never]
    #[arg(long, value_name = "WHEN", value_parser = parse_when, help_heading = "Rendering")]
    pub(crate) render: Option<When>,
    /// The `kustomize` that renders [default: the one on PATH]
    #[arg(long, value_name = "FILE", env = "ADMIT_KUSTOMIZE", hide_env_values = true, help_heading = "Rendering")]
    pub(crate) kustomize: Option<PathBuf>,
    /// The `helm` that renders [default: the one on PATH]
    #[arg(long, value_name = "FILE", env = "ADMIT_HELM", hide_env_values = true, help_heading = "Rendering")]
    pub(crate) helm: Option<PathBuf>,
    /// Where renders are kept for the next run [default: admit/renders in the user's cache]
    #[arg(long, value_name = "DIR", env = "ADMIT_RENDER_CACHE", hide_env_values = true, help_heading = "Rendering")]
    pub(crate) render_cache: Option<PathBuf>,
    /// Seconds that one render may take [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, help_heading = "Rendering")]
    pub(crate) render_timeout: Option<Duration>,
    /// Whether nothing is rendered unless a flag asks for it, and what is not is told.
    #[arg(skip)]
    pub(crate) unless_asked: bool,
}

fn parse_when(text: &str) -> Result<When, String> {
    let known = || When::ALL.map(|it| it.0).join(", ");
    When::ALL.iter().find(|it| it.0 == text).map(|it| it.1).ok_or_else(|| format!("there are {}", known()))
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|it| (0.1..=3600.0).contains(it));
    seconds.map(Duration::from_secs_f32).ok_or_else(|| "a number of seconds from 0.1 to 3600".to_owned())
}

impl RenderArgs {
    /// The same, where nothing is rendered unless a flag asks for it.
    #[must_use]
    pub(crate) fn unless_asked(&self) -> Self {
        Self { unless_asked: true, ..self.clone() }
    }

    fn named(&self, tool: Tool) -> Option<&PathBuf> {
        match tool {
            Tool::Kustomize => self.kustomize.as_ref(),
            Tool::Helm => self.helm.as_ref(),
        }
    }
}

/// How one run renders.
pub(super) struct Renders<'r> {
    args: &'r RenderArgs,
    when: When,
    /// Whether nothing is rendered though nobody has said that this is meant.
    pub(super) is_unasked: bool,
    /// Units that are left out; `None`: no unit is.
    exclude: Option<Filter>,
    roots: Option<Filter>,
    environment: &'r Environment,
    cache: Cache,
}

/// What rendering came to.
#[derive(Default)]
pub(super) struct Done {
    /// What there is to say.
    pub findings: Vec<Finding>,
    /// About the run as a whole.
    pub notes: Vec<String>,
    /// What was rendered.
    pub rendered: Vec<Rendered>,
    /// What others include, as it would be by itself. What can't be rendered so can't be deployed so.
    pub included: Vec<Rendered>,
    /// What could not be rendered for want of a program.
    pub unrendered: Vec<Unit>,
}

impl<'r> Renders<'r> {
    /// From flags and settings.
    pub(crate) fn new(
        args: &'r RenderArgs,
        settings: &Rendering,
        environment: &'r Environment,
    ) -> Result<Self, RunError> {
        let exclude = match settings.exclude.as_slice() {
            [] => None,
            globs => Some(Filter::new(globs, &[]).map_err(|error| from_source(&error))?),
        };
        let roots = match settings.roots.as_slice() {
            [] => None,
            globs => Some(Filter::new(globs, &[]).map_err(|error| from_source(&error))?),
        };
        let kept = || environment.cache_home().map(|it| it.join("admit").join("renders"));
        let when = args.render.unwrap_or(if args.unless_asked { When::Never } else { settings.when });
        Ok(Self {
            args,
            when,
            is_unasked: args.unless_asked && args.render.is_none() && settings.when != When::Never,
            exclude,
            roots,
            environment,
            cache: Cache::new(args.render_cache.clone().or_else(kept)),
        })
    }

    /// Whether anything is rendered.
    pub(crate) fn is_on(&self) -> bool {
        self.when != When::Never
    }

    /// The units of one side that `matters` says matter, those that Applications ask for among them. What `also_root` names
    /// counts for itself beside what settings name.
    pub(crate) fn units<'p>(
        &self,
        store: &Store,
        paths: impl Iterator<Item = &'p str> + Clone,
        deployed: Vec<Unit>,
        also_root: &dyn Fn(&str) -> bool,
        matters: impl Fn(&Unit) -> bool,
    ) -> Vec<Unit> {
        let is_left_out = |unit: &Unit| self.exclude.as_ref().is_some_and(|it| it.takes(&unit.main));
        // Globs name files, or directories with all that lies in them.
        let is_named = |at: &str, filter: &Filter| {
            let of = |name: &&str| if at.is_empty() { (*name).to_owned() } else { format!("{at}/{name}") };
            TELLING.iter().map(of).any(|it| filter.takes(&it))
        };
        let is_root = |at: &str| also_root(at) || self.roots.as_ref().is_some_and(|it| is_named(at, it));
        let mut units = Planner::new(store).units(paths, &is_root);
        units.extend(deployed);
        units.retain(|it| !is_left_out(it) && matters(it));
        units
    }

    #[expect(clippy::result_large_err, reason = "what can't be rendered is told, once for each")]
    /// Renders units on the threads of the pool at hand.
    /// `tag` tells what they render to from the same of another side.
    pub(crate) fn render(
        &self,
        store: &Store,
        units: Vec<Unit>,
        tag: &str,
        progress: &Progress,
    ) -> Result<Done, RunError> {
        let mut done = Done::default();
        let mut programs = Vec::new();
        let mut missing: Vec<(Tool, ToolError)> = Vec::new();
        for tool in [Tool::Kustomize, Tool::Helm] {
            if !units.iter().any(|it| it.tool == tool) {
                continue;
            }
            let directories = self.environment.program_directories().into_iter();
            match Program::find(tool, self.args.named(tool).map(PathBuf::as_path), directories) {
                Ok(program) => programs.push(program),
                Err(error) if self.when == When::Always || self.args.named(tool).is_some() => {
                    let hint = format!("put it on PATH, or name it: --{tool} FILE");
                    return Err(RunError::from_error(&error).about("--render").hint(hint));
                }
                Err(error) => missing.push((tool, error)),
            }
        }
        let is_missing = |it: &Unit| missing.iter().any(|(tool, _)| *tool == it.tool);
        let (unrendered, units): (Vec<Unit>, Vec<Unit>) = units.into_iter().partition(is_missing);
        for (tool, error) in &missing {
            let help = format!("put `{tool}` on PATH, or say that this is meant: --render never");
            done.findings.extend(not_rendered("render/no-tool", *tool, &error.to_string(), &unrendered, help));
        }
        done.unrendered = unrendered;
        let (stuck, units): (Vec<Unit>, Vec<Unit>) = units.into_iter().partition(|it| !it.obstacles.is_empty());
        done.findings.extend(stuck.into_iter().filter(|it| !it.is_included).flat_map(|it| it.obstacles));
        progress.expect(units.len() as u64);
        let bounds = Bounds { time: self.args.render_timeout.unwrap_or(Bounds::default().time), ..Bounds::default() };
        let renderer = Renderer { store, programs: &programs, cache: &self.cache, bounds, tag };
        let results = runner::each(&units, |_, unit| {
            let done = renderer.render(unit);
            progress.tick(1);
            done
        });
        let mut failed = Vec::new();
        for (unit, result) in units.iter().zip(results) {
            match result {
                Ok(rendered) if unit.is_included => done.included.push(rendered),
                Ok(rendered) => done.rendered.push(rendered),
                Err(_) if unit.is_included => {}
                Err(finding) => failed.push((unit, finding)),
            }
        }
        // What can't be deployed as it stands may well be deployed as an Application says.
        let is_asked_for = |unit: &Unit| {
            let same = |it: &&Rendered| (it.unit.tool, &it.unit.directory) == (unit.tool, &unit.directory);
            unit.manner.asked_by.is_empty()
                && done.rendered.iter().filter(same).any(|it| !it.unit.manner.asked_by.is_empty())
        };
        let failed: Vec<Finding> = failed.into_iter().filter(|it| !is_asked_for(it.0)).map(|it| it.1).collect();
        done.findings.extend(failed);
        done.notes.extend(counted(&done.rendered));
        Ok(done)
    }
}

/// What is left to say once rendered objects stand in the place of their sources.
pub(super) struct Settled {
    pub sources: Sources,
    /// What others include, as it would be by itself.
    pub included: Vec<TreeFile>,
    pub findings: Vec<Finding>,
    pub notes: Vec<String>,
}

/// Rendered texts as files, each with what can't be read of it.
fn files(rendered: &[Rendered], scopes: &mut Scopes) -> Vec<(TreeFile, Vec<Finding>)> {
    for it in rendered {
        runner::note_scopes(&it.file, scopes);
    }
    let scopes = &*scopes;
    runner::each(rendered, |_, it| {
        let namespace = Some(it.unit.manner.namespace.as_str()).filter(|it| !it.is_empty());
        runner::rendered(&it.file, namespace.unwrap_or("default"), scopes)
    })
}

impl Done {
    /// What was rendered, as files of a tree, and what can't be read of it.
    pub(crate) fn files(&self, scopes: &mut Scopes) -> (Vec<TreeFile>, Vec<Finding>) {
        let (files, findings): (Vec<_>, Vec<Vec<Finding>>) = files(&self.rendered, scopes).into_iter().unzip();
        (files, findings.into_iter().flatten().collect())
    }

    /// The same for what others include; what can't be read of it is told for those.
    pub(crate) fn included_files(&self, scopes: &Scopes) -> Vec<TreeFile> {
        files(&self.included, &mut scopes.clone()).into_iter().map(|it| it.0).collect()
    }

    /// Puts what was rendered in the place of its sources.
    pub(crate) fn settle(self, tree: &mut Tree) -> Settled {
        let mut findings = self.findings.clone();
        let (files, broken) = self.files(&mut tree.scopes);
        findings.extend(broken);
        self.cover(tree);
        findings.extend(hidden(tree, &self.rendered));
        tree.files.extend(files);
        let included = self.included_files(&tree.scopes);
        let mut sources = Sources::default();
        self.rendered.into_iter().chain(self.included).for_each(|it| sources.add(it));
        Settled { sources, included, findings, notes: self.notes }
    }

    /// Leaves out of a tree, as objects, what came out of a render.
    pub(crate) fn cover(&self, tree: &mut Tree) {
        let surfaced = surfaced(self.rendered.iter());
        if surfaced.is_empty() {
            return;
        }
        for file in &mut tree.files {
            let Some(known) = surfaced.get(&**file.file.path()) else { continue };
            for document in &mut file.documents {
                let is_out = |object: Node<'_>| known.holds(object);
                // What is judged may be written otherwise than what was read; the places are those of the file.
                let written = objects(document.document.root());
                if document.subject.is_some() && written.into_iter().all(is_out) {
                    document.subject = None;
                }
            }
        }
        tree.findings.retain(|it| it.id != "source/template" || !surfaced.contains_key(&*it.primary.path));
    }
}

/// What to say of the files that a kustomization takes for a part of its own though they could be applied as they are,
/// and that no render has read.
///
/// Whoever can name a file as a patch could hide it otherwise.
pub(super) fn hidden(tree: &Tree, rendered: &[Rendered]) -> Vec<Finding> {
    let is_read = |path: &str| rendered.iter().any(|it| it.unit.reads.contains(path));
    let mut out = Vec::new();
    for file in tree.files.iter().filter(|it| it.roles.judged) {
        let path = file.file.path();
        if is_kustomization(path) || is_read(path) {
            continue;
        }
        for document in file.documents.iter().filter(|it| it.class == Class::Kustomize) {
            let root = document.document.root();
            let group = split_api_version(root.str_at(&["apiVersion"]).unwrap_or_default()).0;
            let could_be_applied = is_object(root)
                && !is_partial_workload(root)
                && group != "kustomize.config.k8s.io"
                && root.str_at(&["metadata", "name"]).is_some();
            if could_be_applied {
                let at = root.at(&["metadata", "name"]).unwrap_or(root).span();
                let message = "a kustomization takes this for a part of its own: it is not judged as an object";
                let finding = Finding::new("render/part", Severity::Warning, secret::place(&file.file, at), message);
                out.push(finding.help("with `kustomize` there, what the overlay comes to is judged"));
            }
        }
    }
    out
}

/// What is not judged as it is deployed, said once.
fn not_rendered(id: &str, tool: Tool, why: &str, units: &[Unit], help: String) -> Option<Finding> {
    let mut own = units.iter().filter(|it| it.tool == tool);
    let first = own.next()?;
    let n = own.count() + 1;
    let (what, s) = match tool {
        Tool::Kustomize => ("overlay", if n == 1 { "" } else { "s" }),
        Tool::Helm => ("chart", if n == 1 { "" } else { "s" }),
    };
    let (is, it) = if n == 1 { ("is", "it") } else { ("are", "they") };
    let message = format!("{why}: {n} {what}{s} {is} not judged as {it} would be deployed");
    let finding = Finding::new(id, Severity::Warning, Place::whole_file(first.main.clone()), message);
    Some(finding.help(help))
}

/// What to say of units that a hook leaves alone, since it runs no program unless a flag asks for it.
pub(super) fn unasked(units: &[Unit]) -> Vec<Finding> {
    let each = [Tool::Kustomize, Tool::Helm].into_iter().filter_map(|tool| {
        let help = "let the hook render: --render auto; or say that this is meant: --render never".to_owned();
        not_rendered("render/off", tool, &format!("the hook runs no `{tool}`"), units, help)
    });
    each.collect()
}

/// What was rendered, in numbers.
fn counted(rendered: &[Rendered]) -> Option<String> {
    let count = |tool: Tool| rendered.iter().filter(|it| it.unit.tool == tool).count();
    let each = [(count(Tool::Kustomize), "overlay"), (count(Tool::Helm), "chart")];
    let each =
        each.iter().filter(|it| it.0 > 0).map(|(n, what)| format!("{n} {what}{}", if *n == 1 { "" } else { "s" }));
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("rendered {}", each.join(" and ")))
}
