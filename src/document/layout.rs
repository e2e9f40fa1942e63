//! What files of a repository say of their neighbors: charts of their templates, kustomizations of their patches.
//!
//! In: paths, and the documents of charts and kustomizations. Out: what each path is taken for. Whoever can name a file as
//! a patch, or put a chart beside it, could hide it otherwise: what the neighbor says must be true of the file, too.

use std::collections::{HashMap, HashSet};

use super::{
    Node,
    classify::{directory, join},
    resource::objects,
};
use crate::k8s::gvk::{builtin, split_api_version};

/// The objects that patches may be for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Kind and name of each, as patches name them.
    objects: HashSet<(String, String)>,
    /// The files that hold them.
    files: HashSet<String>,
}

/// What is known of a repository's layout before its files are classified.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    charts: HashSet<String>,
    /// Files that a kustomization takes for objects.
    resources: HashSet<String>,
    /// Files that a kustomization takes for something else.
    parts: HashMap<String, Part>,
    /// The objects that a patch may be for.
    names: Names,
}

/// What a kustomization takes a file for that is no object to apply.
#[derive(Clone, Debug, Default)]
struct Part {
    /// A patch; everything else is data or configuration.
    is_patch: bool,
    /// The kinds that its `target` names; `*` for any.
    targets: HashSet<String>,
    /// Whether what is patched may lie in another repository.
    may_be_elsewhere: bool,
    /// Files that hold what is patched; one that is not here is made by another program.
    sources: HashSet<String>,
}

/// What a file is that a kustomization takes for a part of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// What the kustomization says.
    Part,
    /// An object all the same.
    Object,
}

/// Fields of a kustomization that list patches, each by its name or under `path`.
const PATCHES: [&str; 3] = ["patches", "patchesStrategicMerge", "patchesJson6902"];

/// Fields that list files which configure the kustomization itself.
const CONFIGURATION: [&str; 5] = ["replacements", "configurations", "transformers", "generators", "validators"];

impl Layout {
    /// The layout as far as the names of files tell it.
    pub(crate) fn of<'p>(paths: impl Iterator<Item = &'p str>) -> Self {
        let charts = paths.filter(|path| is_chart(path)).map(|path| directory(path).to_owned()).collect();
        Self { charts, ..Self::default() }
    }

    /// Forgets a chart whose file, `None` where it can't be read, says less than Helm asks for: its templates are no
    /// templates. <https://helm.sh/docs/topics/charts/#the-chartyaml-file>
    pub(crate) fn note_chart(&mut self, path: &str, root: Option<Node<'_>>) {
        if !is_whole_chart(root) {
            self.charts.remove(directory(path));
        }
    }

    /// Notes what a kustomization takes other files for. One that some kustomization takes for an object is an object,
    /// whatever others do with it.
    pub(crate) fn note_patches(&mut self, path: &str, kustomization: Node<'_>) {
        let directory = directory(path);
        let place = |file: &str| (!file.contains('\n')).then(|| join(directory, file));
        let items = |key| kustomization.get(key).into_iter().flat_map(Node::items);
        self.resources.extend(items("resources").filter_map(Node::as_str).filter_map(place));
        let is_file = |it: &&str| [".yaml", ".yml", ".json"].iter().any(|end| it.ends_with(end)) && !is_remote(it);
        let files: Vec<String> =
            items("resources").filter_map(Node::as_str).filter(is_file).filter_map(place).collect();
        let sources = ["resources", "bases", "components"].into_iter().flat_map(items).filter_map(Node::as_str);
        let may_be_elsewhere = sources.into_iter().any(is_remote) || items("helmCharts").next().is_some();
        let file = |item: Node<'_>| item.as_str().or_else(|| item.str_at(&["path"])).and_then(place);
        for item in PATCHES.into_iter().flat_map(items) {
            let Some(path) = file(item) else { continue };
            let part = self.parts.entry(path).or_default();
            part.is_patch = true;
            part.may_be_elsewhere |= may_be_elsewhere;
            part.sources.extend(files.iter().cloned());
            if let Some(target) = item.get("target") {
                part.targets.insert(target.str_at(&["kind"]).unwrap_or("*").to_owned());
            }
        }
        let data = ["configMapGenerator", "secretGenerator"]
            .into_iter()
            .flat_map(items)
            .flat_map(|generator| ["files", "envs"].into_iter().filter_map(move |key| generator.get(key)))
            .flat_map(Node::items)
            .filter_map(Node::as_str)
            .map(|file| file.split_once('=').map_or(file, |(_, file)| file));
        let values = items("helmCharts").filter_map(|chart| chart.str_at(&["valuesFile"]));
        let configuration = CONFIGURATION.into_iter().flat_map(items).filter_map(file);
        for path in data.chain(values).filter_map(place).chain(configuration) {
            self.parts.entry(path).or_default();
        }
    }

    /// Notes the objects of a file as something that patches may be for, unless the file is a part itself.
    pub(crate) fn note_objects(&mut self, path: &str, root: Node<'_>) {
        if self.parts.is_empty() || (self.parts.contains_key(path) && !self.resources.contains(path)) {
            return;
        }
        self.names.files.insert(path.to_owned());
        for object in objects(root) {
            if let (Some(kind), Some(name)) = (object.str_at(&["kind"]), object.str_at(&["metadata", "name"])) {
                self.names.objects.insert((kind.to_owned(), name.to_owned()));
            }
        }
    }

    /// Notes objects that are known from elsewhere.
    pub(crate) fn note_names(&mut self, names: &Names) {
        self.names.objects.extend(names.objects.iter().cloned());
        self.names.files.extend(names.files.iter().cloned());
    }

    /// The objects that patches may be for.
    pub(crate) fn into_names(self) -> Names {
        self.names
    }

    /// The files that kustomizations speak of: each with whether it is taken for an object.
    pub(crate) fn into_claims(self) -> HashSet<(String, bool)> {
        let objects = self.resources.into_iter().map(|it| (it, true));
        objects.chain(self.parts.into_keys().map(|it| (it, false))).collect()
    }

    /// Whether a path is a template of a chart.
    pub(crate) fn is_template(&self, path: &str) -> bool {
        if self.charts.is_empty() {
            return false;
        }
        let below = |part: &str| {
            path.match_indices(part).any(|(at, _)| self.charts.contains(&path[..at]))
                || (path.starts_with(&part[1..]) && self.charts.contains(""))
        };
        below("/templates/") || below("/crds-templates/")
    }

    fn part(&self, path: &str) -> Option<&Part> {
        if self.parts.is_empty() || self.resources.contains(path) { None } else { self.parts.get(path) }
    }

    /// What a file is that a kustomization takes for a part; `None` for one that none does.
    pub(super) fn taken(&self, path: &str, root: Node<'_>, is_whole: fn(Node<'_>) -> bool) -> Option<Taken> {
        let part = self.part(path)?;
        let is_object = |object: Node<'_>| is_whole(object) || (!part.is_patch && is_deployable(object));
        Some(if objects(root).into_iter().any(is_object) { Taken::Object } else { Taken::Part })
    }

    /// For a patch that is a patch of nothing that is known: whether it may be one of something elsewhere.
    pub(crate) fn is_stray(&self, path: &str, root: Node<'_>) -> Option<bool> {
        let part = self.part(path).filter(|it| it.is_patch)?;
        let fits = |object: Node<'_>| {
            let (Some(kind), Some(name)) = (object.str_at(&["kind"]), object.str_at(&["metadata", "name"])) else {
                return true;
            };
            let is_known = self.names.objects.contains(&(kind.to_owned(), name.to_owned()));
            let is_targeted = part.targets.iter().any(|it| it == "*" || it == kind)
                && self.names.objects.iter().any(|(known, _)| known == kind);
            is_known || is_targeted
        };
        let all = objects(root);
        let is_stray = all.into_iter().any(|it| super::resource::is_object(it) && !fits(it));
        let is_made = part.sources.iter().any(|it| !self.names.files.contains(it));
        is_stray.then_some(part.may_be_elsewhere || is_made)
    }

    /// Whether a path is a values file of a chart.
    pub(super) fn is_values(&self, path: &str) -> bool {
        self.charts.contains(directory(path))
    }
}

/// Whether a path is the file of a chart by its name.
pub(crate) fn is_chart(path: &str) -> bool {
    matches!(path.rsplit('/').next().unwrap_or(path), "Chart.yaml" | "Chart.yml")
}

/// Whether the file of a chart says what Helm asks for.
pub(crate) fn is_whole_chart(root: Option<Node<'_>>) -> bool {
    let says = |key| root.and_then(|root| root.str_at(&[key])).is_some_and(|it| !it.is_empty());
    ["name", "version"].into_iter().all(says)
}

/// Whether a text holds an action of a template, outside of comments of YAML.
pub(crate) fn has_actions(text: &str) -> bool {
    text.lines().any(|line| {
        let comment = line.match_indices('#').find(|(at, _)| line[..*at].trim_end().len() < *at || *at == 0);
        comment.map_or(line, |(at, _)| &line[..at]).contains("{{")
    })
}

/// Whether what a kustomization reads lies in another repository.
fn is_remote(source: &str) -> bool {
    source.contains("://") || source.contains("?ref=") || source.contains("git@") || source.starts_with("github.com/")
}

/// Whether an object that is given as data or configuration is one that a cluster takes, too. Functions of Kustomize
/// are configured by any kind that says so.
fn is_deployable(object: Node<'_>) -> bool {
    let (Some(api), Some(kind)) = (object.str_at(&["apiVersion"]), object.str_at(&["kind"])) else { return false };
    let annotations = object.at(&["metadata", "annotations"]).into_iter().flat_map(Node::entries);
    let is_function = annotations.into_iter().any(|(key, _)| key.starts_with("config.kubernetes.io/function"));
    builtin(split_api_version(api).0, kind).is_some() && !is_function
}
