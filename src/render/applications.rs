//! What a repository says of how its directories are deployed: Applications of Argo CD, Kustomizations and `HelmRelease`s of
//! Flux.
//!
//! In: the objects of a repository. Out: units rendered as these say, and a finding for what they ask for that is not done
//! here. They add to what is found without them and take nothing away: otherwise one of them could hide a directory.
//! <https://argo-cd.readthedocs.io/en/stable/user-guide/application-specification/>
//! <https://fluxcd.io/flux/components/kustomize/kustomizations/>, <https://fluxcd.io/flux/components/helm/helmreleases/>

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    chart,
    kustomization::resolve,
    plan::{Manner, Planner, Unit},
};
use crate::{
    document::Node,
    expr::Value,
    finding::{Finding, Place, Severity},
    k8s::gvk::split_api_version,
    source::{Standing, Store},
};

/// What the deployments of a repository come to.
#[derive(Default)]
pub(crate) struct Deployed {
    /// What is rendered.
    pub units: Vec<Unit>,
    /// What is not done here.
    pub findings: Vec<Finding>,
}

/// What Argo CD may add to a kustomization as it stands there.
const AS_WRITTEN: [&str; 6] =
    ["namePrefix", "nameSuffix", "namespace", "commonLabels", "commonAnnotations", "replicas"];

/// What of `source.kustomize` changes no object, or is done otherwise.
const KNOWN: [&str; 4] = ["images", "patches", "version", "forceCommonLabels"];

/// Reads the deployments among objects. Paths in them start from `root`, as the store names it.
pub(crate) fn deployed<'o>(store: &Store, objects: impl Iterator<Item = Node<'o>>, root: &str) -> Deployed {
    let mut reading = Reading { store, root: root.to_owned(), planner: Planner::new(store), out: Deployed::default() };
    for object in objects {
        let group = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default()).0;
        match (group, object.str_at(&["kind"]).unwrap_or_default()) {
            ("argoproj.io", "Application") => reading.application(object),
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => reading.kustomization(object),
            ("helm.toolkit.fluxcd.io", "HelmRelease") => reading.release(object),
            _ => {}
        }
    }
    reading.out
}

struct Reading<'s> {
    store: &'s Store,
    root: String,
    planner: Planner<'s>,
    out: Deployed,
}

fn text<'o>(object: Node<'o>, path: &[&str]) -> &'o str {
    object.str_at(path).unwrap_or_default()
}

impl Reading<'_> {
    fn application(&mut self, object: Node<'_>) {
        let name = text(object, &["metadata", "name"]);
        let asked_by = format!("Application {name}");
        let namespace = text(object, &["spec", "destination", "namespace"]);
        let one = object.at(&["spec", "source"]);
        let several = object.at(&["spec", "sources"]).into_iter().flat_map(Node::items);
        for source in one.into_iter().chain(several) {
            if let Some(chart) = source.get("chart") {
                self.elsewhere(chart, &asked_by);
                continue;
            }
            let Some(at) = source.str_at(&["path"]).and_then(|it| resolve(&self.root, it)) else { continue };
            let manner = Manner { namespace: namespace.to_owned(), asked_by: asked_by.clone(), ..Manner::default() };
            if self.holds(&at, "Chart.yaml") {
                let manner = self.of_helm(&at, name, source, manner);
                self.out.units.extend(chart::unit(self.store, &at, manner));
            } else if let Some(unit) = self.planner.overlay_at(&at) {
                let manner = self.of_kustomize(source, manner);
                self.out.units.push(Unit { manner, ..unit });
            }
        }
    }

    /// Whether a file stands in a directory; one that can't be looked at is told by whoever reads it.
    fn holds(&self, at: &str, name: &str) -> bool {
        let path = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
        matches!(self.store.standing(&path), Ok(Standing::File))
    }

    fn of_helm(&mut self, at: &str, name: &str, source: Node<'_>, manner: Manner) -> Manner {
        let Some(helm) = source.get("helm") else { return Manner { release: name.to_owned(), ..manner } };
        let release = helm.str_at(&["releaseName"]).unwrap_or(name);
        let mut values = Vec::new();
        for file in helm.get("valueFiles").into_iter().flat_map(Node::items) {
            let path = file.as_str().unwrap_or_default();
            let is_optional = helm.at(&["ignoreMissingValueFiles"]).and_then(Node::as_bool) == Some(true);
            // `$ref/path` is a path of another source; here there is this repository only.
            let found = match path.strip_prefix('$').and_then(|it| it.split_once('/')) {
                Some((_, below)) => resolve(&self.root, below),
                None if path.starts_with('/') => resolve(&self.root, path.trim_start_matches('/')),
                None => resolve(at, path),
            };
            let is_there = |it: &String| matches!(self.store.standing(it), Ok(Standing::File));
            match found {
                Some(path) if is_there(&path) || !is_optional => values.push(path),
                Some(_) => {}
                None => self.not_done(file, "a file of values that is not in this repository"),
            }
        }
        let inline_values = match helm.get("valuesObject") {
            Some(object) => Value::from(object).to_json(),
            None => text(helm, &["values"]).to_owned(),
        };
        let mut set = Vec::new();
        for parameter in helm.get("parameters").into_iter().flat_map(Node::items) {
            set.push(format!("{}={}", text(parameter, &["name"]), text(parameter, &["value"])));
        }
        if let Some(files) = helm.get("fileParameters").filter(|it| it.len() > 0) {
            self.not_done(files, "parameters from files");
        }
        Manner { release: safe(release), values, inline_values, set, ..manner }
    }

    fn of_kustomize(&mut self, source: Node<'_>, manner: Manner) -> Manner {
        let Some(options) = source.get("kustomize") else { return manner };
        let mut more = BTreeMap::new();
        for (key, value) in options.entries() {
            if AS_WRITTEN.contains(&key) {
                more.insert(key.to_owned(), Value::from(value).to_json());
            } else if !KNOWN.contains(&key) {
                self.not_done(value, &format!("`{key}` of Kustomize"));
            }
        }
        let images = options.get("images").into_iter().flat_map(Node::items).filter_map(Node::as_str).map(image);
        let images: Vec<_> = images.collect();
        if !images.is_empty() {
            more.insert("images".to_owned(), serde_json::Value::from(images).to_string());
        }
        let patches = options.get("patches").into_iter().flat_map(Node::items);
        let (inline, others): (Vec<_>, Vec<_>) = patches.partition(|it| it.get("path").is_none());
        for it in others {
            self.not_done(it, "a patch from a file");
        }
        if !inline.is_empty() {
            let inline: Vec<_> = inline.into_iter().map(|it| Value::from(it).to_json()).collect();
            more.insert("patches".to_owned(), format!("[{}]", inline.join(", ")));
        }
        Manner { kustomize: lines(&more), ..manner }
    }

    fn kustomization(&mut self, object: Node<'_>) {
        let asked_by = format!("Kustomization {}", text(object, &["metadata", "name"]));
        let Some(at) = object.str_at(&["spec", "path"]).and_then(|it| resolve(&self.root, it.trim_start_matches('/')))
        else {
            return;
        };
        let Some(unit) = self.planner.overlay_at(&at) else { return };
        let mut more = BTreeMap::new();
        if let Some(namespace) = object.str_at(&["spec", "targetNamespace"]) {
            more.insert("namespace".to_owned(), json!(namespace).to_string());
        }
        if let Some(prefix) = object.str_at(&["spec", "namePrefix"]) {
            more.insert("namePrefix".to_owned(), json!(prefix).to_string());
        }
        if let Some(suffix) = object.str_at(&["spec", "nameSuffix"]) {
            more.insert("nameSuffix".to_owned(), json!(suffix).to_string());
        }
        for (key, what) in [("patches", "patches"), ("images", "images")] {
            let items: Vec<_> = object
                .at(&["spec", key])
                .into_iter()
                .flat_map(Node::items)
                .map(|it| Value::from(it).to_json())
                .collect();
            if !items.is_empty() {
                more.insert(what.to_owned(), format!("[{}]", items.join(", ")));
            }
        }
        if let Some(variables) = object.at(&["spec", "postBuild"]) {
            self.not_done(variables, "variables that Flux fills in");
        }
        if let Some(components) = object.at(&["spec", "components"]).filter(|it| it.len() > 0) {
            self.not_done(components, "components that Flux adds");
        }
        let manner = Manner { asked_by, kustomize: lines(&more), ..Manner::default() };
        self.out.units.push(Unit { manner, ..unit });
    }

    fn release(&mut self, object: Node<'_>) {
        let asked_by = format!("HelmRelease {}", text(object, &["metadata", "name"]));
        let Some(spec) = object.at(&["spec", "chart", "spec"]) else {
            let place = object.at(&["spec", "chartRef"]).or_else(|| object.at(&["metadata", "name"]));
            if let Some(place) = place {
                self.elsewhere(place, &asked_by);
            }
            return;
        };
        let Some(chart) = spec.get("chart") else { return };
        let at = chart.as_str().and_then(|it| resolve(&self.root, it));
        let in_git = text(spec, &["sourceRef", "kind"]) == "GitRepository";
        let Some(at) = at.filter(|it| in_git && self.holds(it, "Chart.yaml")) else {
            self.elsewhere(chart, &asked_by);
            return;
        };
        let (name, own) = (text(object, &["metadata", "name"]), text(object, &["metadata", "namespace"]));
        let target = text(object, &["spec", "targetNamespace"]);
        let full = if target.is_empty() { name.to_owned() } else { format!("{target}-{name}") };
        let release = object.str_at(&["spec", "releaseName"]).map_or(full, str::to_owned);
        let files = spec.get("valuesFiles").into_iter().flat_map(Node::items).filter_map(Node::as_str);
        let values = object.at(&["spec", "values"]).map(|it| Value::from(it).to_json());
        if let Some(others) = object.at(&["spec", "valuesFrom"]).filter(|it| it.len() > 0) {
            self.not_done(others, "values from the cluster");
        }
        let manner = Manner {
            release: safe(&release),
            namespace: if target.is_empty() { own } else { target }.to_owned(),
            values: files.filter_map(|it| resolve(&self.root, it)).collect(),
            inline_values: values.unwrap_or_default(),
            asked_by,
            ..Manner::default()
        };
        self.out.units.extend(chart::unit(self.store, &at, manner));
    }

    /// Says that a chart lies elsewhere: what it deploys is judged nowhere.
    fn elsewhere(&mut self, at: Node<'_>, asked_by: &str) {
        let message = format!("what `{asked_by}` deploys is not judged: its chart is not in this repository");
        let finding = Finding::new("render/elsewhere", Severity::Warning, Place::new(at.file(), at.heading()), message);
        self.out
            .findings
            .push(finding.help("keep the chart here, or judge what it renders to: helm template … | admit check -"));
    }

    fn not_done(&mut self, at: Node<'_>, what: &str) {
        let message = format!("what is rendered is judged without {what}");
        let finding = Finding::new("render/partly", Severity::Warning, Place::new(at.file(), at.heading()), message);
        self.out.findings.push(finding);
    }
}

/// Fields of a kustomization, their values as JSON, as lines of one.
fn lines(fields: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
    lines.concat()
}

/// The name of a release, unless it would be taken for a flag.
fn safe(name: &str) -> String {
    if name.starts_with('-') { String::new() } else { name.to_owned() }
}

/// An image as Argo CD writes it, `[name=]new[:tag|@digest]`, as Kustomize does.
fn image(text: &str) -> serde_json::Value {
    let (name, new) = text.split_once('=').map_or((None, text), |(name, new)| (Some(name), new));
    let (image, digest) = new.split_once('@').map_or((new, None), |(image, digest)| (image, Some(digest)));
    let colon = image.rfind(':').filter(|at| !image[*at..].contains('/'));
    let (image, tag) = colon.map_or((image, None), |at| (&image[..at], Some(&image[at + 1..])));
    let mut out = json!({ "name": name.unwrap_or(image) });
    if name.is_some() {
        out["newName"] = json!(image);
    }
    if let Some(tag) = tag {
        out["newTag"] = json!(tag);
    }
    if let Some(digest) = digest {
        out["digest"] = json!(digest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_as_argo_cd_writes_them() {
        for (text, wanted) in [
            ("web:2", json!({"name": "web", "newTag": "2"})),
            ("web=registry:5000/web", json!({"name": "web", "newName": "registry:5000/web"})),
            ("a=b:1@sha256:x", json!({"name": "a", "newName": "b", "newTag": "1", "digest": "sha256:x"})),
            ("registry:5000/web", json!({"name": "registry:5000/web"})),
        ] {
            assert_eq!(image(text), wanted, "{text}");
        }
    }
}
