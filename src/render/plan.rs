//! What is to be rendered, and what each render reads.
//!
//! In: the files of one side. Out: [`Unit`]s, each with every file that it reads, or with the findings that say why it
//! can't be rendered: a base in another repository, a chart that is not here. That is found before anything runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    chart,
    kustomization::{self, Kustomization, What},
    tool::Tool,
};
use crate::{
    document::{
        classify::{directory, is_kustomization},
        layout::is_chart,
    },
    finding::{Finding, Place, Severity},
    source::{Skip, Standing, Store},
    span::{File, Span},
};

/// One thing to render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// With what.
    pub tool: Tool,
    /// The directory of the overlay or the chart; empty at the top.
    pub directory: String,
    /// The file that stands for it: the kustomization, or the chart's.
    pub main: Arc<str>,
    /// How it is rendered.
    pub manner: Manner,
    /// Whether something else holds it and it may be a part only: a base of overlays, or a chart beside whose values others
    /// stand. Nobody knows whether it is deployed by itself, too.
    pub is_included: bool,
    /// Every file that it reads.
    pub reads: BTreeSet<String>,
    /// The files among them whose objects come out of it, unless something takes them away.
    pub sources: BTreeSet<String>,
    /// Why it can't be rendered; empty: it can.
    pub obstacles: Vec<Finding>,
}

/// How a thing is rendered, beside what its directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Manner {
    /// The name of a release of Helm; empty: that of the chart.
    pub release: String,
    /// The namespace that it goes into; empty: none is said.
    pub namespace: String,
    /// Files of values, in order.
    pub values: Vec<String>,
    /// More values, as text; what they say counts more.
    pub inline_values: String,
    /// Parameters as `--set` takes them.
    pub set: Vec<String>,
    /// The version of the cluster that it goes into; empty: none is said.
    pub kube_version: String,
    /// The kinds that the cluster knows; empty: none is said.
    pub api_versions: Vec<String>,
    /// Whether tests of a chart are rendered, too.
    pub with_tests: bool,
    /// What is added to an overlay, as lines of a kustomization.
    pub kustomize: String,
    /// What asks for this; empty: nothing but the files.
    pub asked_by: String,
}

impl Unit {
    /// What people call it: `overlays/prod`, `charts/web with values-prod.yaml`.
    pub(crate) fn title(&self) -> String {
        let place = if self.directory.is_empty() { "." } else { &self.directory };
        let name = |path: &String| {
            let below = path.strip_prefix(&*self.directory).map(|it| it.trim_start_matches('/'));
            below.unwrap_or(path).to_owned()
        };
        let values: Vec<String> = self.manner.values.iter().map(name).collect();
        let with = if values.is_empty() { String::new() } else { format!(" with {}", values.join(", ")) };
        let by = &self.manner.asked_by;
        let by = if by.is_empty() { String::new() } else { format!(" for {by}") };
        format!("{place}{with}{by}")
    }
}

/// Finds what is to be rendered.
pub(crate) struct Planner<'s> {
    store: &'s Store,
    /// By directory.
    kustomizations: BTreeMap<String, Arc<Kustomization>>,
}

/// What a kustomization reads, all that it includes with it.
#[derive(Default)]
struct Reach {
    directories: BTreeSet<String>,
    reads: BTreeSet<String>,
    sources: BTreeSet<String>,
    obstacles: Vec<Finding>,
}

impl<'s> Planner<'s> {
    /// A planner for the files of a store.
    pub(crate) fn new(store: &'s Store) -> Self {
        Self { store, kustomizations: BTreeMap::new() }
    }

    /// Everything that the kustomizations and charts among `paths` come to: each kustomization but components, each chart
    /// with its values. One that others include counts as a part of them, unless `is_root` names its directory.
    pub(crate) fn units<'p>(
        mut self,
        paths: impl Iterator<Item = &'p str> + Clone,
        is_root: &dyn Fn(&str) -> bool,
    ) -> Vec<Unit> {
        let mut directories: BTreeSet<String> =
            paths.clone().filter(|it| is_kustomization(it)).map(|it| directory(it).to_owned()).collect();
        directories.retain(|at| self.kustomization(at).is_some_and(|it| !it.is_object));
        let mut included = BTreeSet::new();
        for at in &directories {
            let Some(kustomization) = self.kustomization(at) else { continue };
            if kustomization.is_component {
                included.insert(at.clone());
            }
            for ask in kustomization.asks.iter().filter(|it| matches!(it.what, What::Resource | What::Directory)) {
                included.extend(kustomization::resolve(at, &ask.text).filter(|it| it != at));
            }
        }
        let mut out = Vec::new();
        let mut reached = BTreeSet::new();
        let (later, roots): (Vec<&String>, Vec<&String>) =
            directories.iter().partition(|it| included.contains(*it) && !is_root(it));
        for at in roots {
            out.extend(self.overlay(at, &mut reached));
        }
        for at in later {
            if self.kustomization(at).is_none_or(|it| it.is_component) {
                continue;
            }
            // What includes itself in a circle has no root, and nobody else renders it.
            let is_included = reached.contains(at);
            out.extend(self.overlay(at, &mut reached).map(|unit| Unit { is_included, ..unit }));
        }
        let charts: BTreeSet<&str> = paths.filter(|it| is_chart(it)).map(directory).collect();
        for at in &charts {
            out.extend(chart::units(self.store, at, &charts, is_root(at)));
        }
        out
    }

    /// The overlay in a directory; `None` if there is no kustomization.
    pub(crate) fn overlay_at(&mut self, at: &str) -> Option<Unit> {
        self.overlay(at, &mut BTreeSet::new())
    }

    fn overlay(&mut self, at: &str, reached: &mut BTreeSet<String>) -> Option<Unit> {
        let kustomization = self.kustomization(at)?;
        let mut reach = Reach::default();
        self.visit(at, &mut reach);
        reached.extend(reach.directories);
        Some(Unit {
            tool: Tool::Kustomize,
            directory: at.to_owned(),
            main: Arc::clone(kustomization.file.path()),
            manner: Manner::default(),
            is_included: false,
            reads: reach.reads,
            sources: reach.sources,
            obstacles: reach.obstacles,
        })
    }

    /// The kustomization of a directory.
    fn kustomization(&mut self, at: &str) -> Option<Arc<Kustomization>> {
        if let Some(known) = self.kustomizations.get(at) {
            return Some(Arc::clone(known));
        }
        let place = |name: &&str| if at.is_empty() { (*name).to_owned() } else { format!("{at}/{name}") };
        let mut found = kustomization::NAMES.iter().map(place);
        let read = found.find_map(|path| match self.store.read(&path) {
            Ok(bytes) => bytes.map(|bytes| Kustomization::read(path.into(), bytes)),
            Err(skip) => {
                let mut read = Kustomization::read(path.as_str().into(), Vec::new());
                read.broken.push(unreadable(Place::whole_file(path), &skip));
                Some(read)
            }
        })?;
        let read = Arc::new(read);
        self.kustomizations.insert(at.to_owned(), Arc::clone(&read));
        Some(read)
    }

    fn visit(&mut self, at: &str, out: &mut Reach) {
        if !out.directories.insert(at.to_owned()) {
            return;
        }
        let Some(kustomization) = self.kustomization(at) else { return };
        out.reads.insert(kustomization.file.path().to_string());
        // What is broken is said where files are read; here it only keeps the render from running.
        for finding in &kustomization.broken {
            out.obstacles.push(finding.clone());
        }
        for ask in &kustomization.asks {
            let place = || Place::new(&kustomization.file, ask.at);
            if ask.what == What::Chart {
                out.obstacles.push(inflated(place(), &ask.text));
                continue;
            }
            let target = kustomization::resolve(kustomization.directory(), &ask.text);
            let standing = target.as_deref().map_or(Ok(Standing::Nothing), |it| self.store.standing(it));
            match (standing, target) {
                (Ok(Standing::File), Some(path)) => {
                    if matches!(ask.what, What::Resource) {
                        out.sources.insert(path.clone());
                    }
                    out.reads.insert(path);
                }
                (Ok(Standing::Directory), Some(path)) if self.kustomization(&path).is_some() => self.visit(&path, out),
                (Err(skip), _) => out.obstacles.push(unreadable(place(), &skip)),
                _ if kustomization::is_remote(&ask.text) => out.obstacles.push(remote(place(), &ask.text)),
                _ => out.obstacles.push(missing(place(), &ask.text)),
            }
        }
    }
}

/// What can't be known for want of another repository.
fn remote(place: Place, text: &str) -> Finding {
    let message = format!("what this deploys can't be known: `{text}` lies elsewhere, and nothing is fetched");
    Finding::new("render/remote", Severity::Error, place, message).label("asks for it").help(
        "keep a copy in this repository and name that, or leave the directory out: `render.exclude` in admit.yaml",
    )
}

fn missing(place: Place, text: &str) -> Finding {
    let message = format!("what this deploys can't be known: nothing is at `{text}`");
    Finding::new("render/missing", Severity::Error, place, message).label("asks for it")
}

fn inflated(place: Place, name: &str) -> Finding {
    let message = format!("what this deploys can't be known: Kustomize would have Helm inflate the chart `{name}`");
    Finding::new("render/remote", Severity::Error, place, message)
        .label("asks for it")
        .help("render the chart and keep its manifests, or deploy it as a chart of its own")
}

/// What can't be read on the way.
pub(super) fn unreadable(place: Place, skip: &Skip) -> Finding {
    Finding::new("render/unreadable", Severity::Error, place, format!("what this deploys can't be known: {skip}"))
}

/// The place of a whole first line, for what is about a file.
pub(super) fn heading(file: &File) -> Place {
    let line = file.line_span(1);
    Place::new(file, Span::new(line.start, line.end))
}
