//! The charts of Helm: which there are, and what a render of one reads.
//!
//! In: the directory of a chart. Out: a unit for the chart as it is, and one for each file of values that stands beside its
//! own. <https://helm.sh/docs/topics/charts/>

use std::{collections::BTreeSet, sync::Arc};

use super::{
    plan::{Manner, Unit, heading, unreadable},
    tool::Tool,
};
use crate::{
    document::{Document, Limits, Node, parse},
    finding::{Finding, Place, Severity, outcome},
    source::{Skip, Standing, Store},
    span::File,
};

/// The units of the chart in a directory; none for a library, for no chart, and for one that is part of another.
/// With values beside its own, the chart as it is counts as a part of the others unless it `is_root`.
pub(super) fn units(store: &Store, at: &str, charts: &BTreeSet<&str>, is_root: bool) -> Vec<Unit> {
    let is_part = charts.iter().any(|other| {
        let below =
            if other.is_empty() { Some(at) } else { at.strip_prefix(other).and_then(|it| it.strip_prefix('/')) };
        *other != at && below.is_some_and(|it| it.starts_with("charts/"))
    });
    if is_part {
        return Vec::new();
    }
    let Some(plain) = unit(store, at, Manner::default()) else { return Vec::new() };
    let beside = |path: &&String| {
        let name = path.strip_prefix(at).unwrap_or(path).trim_start_matches('/');
        !name.contains('/') && is_variant(name)
    };
    let variants: Vec<String> = plain.reads.iter().filter(beside).cloned().collect();
    if variants.is_empty() {
        return vec![plain];
    }
    let with = |values: String| Unit { manner: Manner { values: vec![values], ..Manner::default() }, ..plain.clone() };
    let mut out: Vec<Unit> = variants.into_iter().map(with).collect();
    out.push(Unit { is_included: !is_root, ..plain });
    out
}

/// Whether a file beside `values.yaml` holds the values of one place that the chart goes to.
fn is_variant(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")) else { return false };
    stem != "values" && (stem.starts_with("values") || stem.ends_with("values"))
}

/// A chart rendered in one manner; `None` where there is no chart that can be deployed.
pub(crate) fn unit(store: &Store, at: &str, manner: Manner) -> Option<Unit> {
    let path = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
    let main = path("Chart.yaml");
    let bytes = store.read(&main).ok()??;
    let file = File::new(main.as_str(), bytes);
    let parsed = parse(&file, &Limits::default());
    let document = parsed.documents.first();
    let text = |key| document.and_then(|it| it.root().str_at(&[key])).unwrap_or_default();
    let is_chart = !text("name").is_empty() && !text("version").is_empty();
    if parsed.errors.is_empty() && (!is_chart || text("type") == "library") {
        return None;
    }
    let mut obstacles: Vec<Finding> = parsed.errors.iter().map(|it| outcome::from_document_error(it, &file)).collect();
    let mut reads: BTreeSet<String> = match store.below(at) {
        Ok(paths) => paths.into_iter().collect(),
        Err(skip) => {
            obstacles.push(unreadable(heading(&file), &skip));
            BTreeSet::from([main.clone()])
        }
    };
    let old = store.read(&path("requirements.yaml")).ok().flatten();
    let old = old.map(|bytes| File::new(path("requirements.yaml"), bytes));
    let requirements = old.as_ref().map(|file| parse(file, &Limits::default()));
    let documents = document.into_iter().chain(requirements.as_ref().and_then(|it| it.documents.first()));
    let needed: Vec<Node<'_>> =
        documents.filter_map(|it| it.root().get("dependencies")).flat_map(Node::items).collect();
    for dependency in needed {
        obstacles.extend(missing(store, &path("charts"), &reads, dependency));
    }
    for values in &manner.values {
        match store.standing(values) {
            Ok(Standing::File) => {
                reads.insert(values.clone());
            }
            Ok(Standing::Directory | Standing::Nothing) => {
                let message = format!("what this deploys can't be known: there is no file of values at `{values}`");
                obstacles.push(Finding::new("render/missing", Severity::Error, heading(&file), message));
            }
            Err(skip) => obstacles.push(values_unreadable(&file, values, &skip)),
        }
    }
    let below = |part: &str| path(part);
    let (templates, crds) = (below("templates/"), below("crds/"));
    let parts = below("charts/");
    let is_source = |it: &&String| it.starts_with(&templates) || it.starts_with(&crds) || it.starts_with(&parts);
    let sources = reads.iter().filter(is_source).cloned().collect();
    Some(Unit {
        tool: Tool::Helm,
        directory: at.to_owned(),
        main: Arc::from(main),
        manner,
        is_included: false,
        reads,
        sources,
        obstacles,
    })
}

fn values_unreadable(file: &File, values: &str, skip: &Skip) -> Finding {
    let message = format!("what this deploys can't be known: `{values}`: {skip}");
    Finding::new("render/unreadable", Severity::Error, heading(file), message)
}

/// What to say of a dependency that is not in `charts/`.
fn missing(store: &Store, charts: &str, reads: &BTreeSet<String>, dependency: Node<'_>) -> Option<Finding> {
    let node = dependency.get("name")?;
    let name = node.as_str()?;
    let directory = format!("{charts}/{name}");
    let archive = |path: &String| {
        let file = path.strip_prefix(charts).and_then(|it| it.strip_prefix('/')).unwrap_or_default();
        let version =
            file.strip_prefix(name).and_then(|it| it.strip_prefix('-')).and_then(|it| it.strip_suffix(".tgz"));
        version.is_some_and(|it| it.starts_with(|first: char| first.is_ascii_digit() || first == 'v'))
    };
    if matches!(store.standing(&directory), Ok(Standing::Directory)) || reads.iter().any(archive) {
        return None;
    }
    let message =
        format!("what this chart deploys can't be known: it needs the chart `{name}`, which is not in `charts/`");
    let finding = Finding::new("render/dependency", Severity::Error, Place::new(node.file(), node.span()), message);
    Some(finding.label("asks for it").help("keep it with the chart: helm dependency build, then add `charts/`"))
}

/// The name that a chart gives itself.
pub(super) fn name(bytes: &[u8]) -> Option<String> {
    let parsed = parse(&File::new("Chart.yaml", bytes.to_vec()), &Limits::default());
    parsed.documents.first().map(Document::root)?.str_at(&["name"]).map(str::to_owned)
}
