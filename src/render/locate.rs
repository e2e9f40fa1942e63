//! From a place in what was rendered to the place that somebody can change.
//!
//! In: findings about rendered texts. Out: the same findings at their sources: the line of a base or a patch, the entry of
//! a kustomization, the line of a template and the value that fills it in; each with what was rendered. A finding never
//! loses its weight here, and one whose source can't be told points at the overlay or the chart.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, PoisonError},
};

use super::{Origin, Rendered, kustomization::Kustomization, tool::Tool};
use crate::{
    document::{Document, Limits, Node, classify::directory, parse, resource::objects},
    expr::Value,
    finding::{Finding, Place, Severity, secret},
    span::{File, Span},
};

/// What was rendered in a run, by the name of its text.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    rendered: HashMap<Arc<str>, Rendered>,
}

/// A step from a node to one below it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    /// An item by its `name`, if it has one, and by its position.
    Item(Option<String>, usize),
}

/// Where a rendered node comes from.
struct Found {
    place: Place,
    label: String,
    /// Where its value is written, if that is another place.
    value: Option<Place>,
}

impl Sources {
    /// Takes what was rendered.
    pub(crate) fn add(&mut self, rendered: Rendered) {
        self.rendered.insert(Arc::clone(rendered.file.path()), rendered);
    }

    /// Whether nothing was rendered.
    pub(crate) fn is_empty(&self) -> bool {
        self.rendered.is_empty()
    }

    /// Moves findings to their sources. What several renders of one source say in the same words is said once.
    pub(crate) fn relocate(&self, findings: Vec<Finding>) -> Vec<Finding> {
        if self.is_empty() {
            return findings;
        }
        let mut out: Vec<Finding> = Vec::new();
        let mut known: HashMap<(String, String, Spot, bool), usize> = HashMap::new();
        for finding in findings {
            let Some(rendered) = self.rendered.get(&finding.primary.path) else {
                out.push(self.related(finding));
                continue;
            };
            let finding = self.related(Self::moved(finding, rendered));
            let place = (finding.primary.path.to_string(), finding.primary.span);
            let key = (finding.id.clone(), finding.message.clone(), place, finding.counts());
            if let Some(&at) = known.get(&key) {
                let also = finding.notes.into_iter().find(|it| it.starts_with("rendered from"));
                let first = &mut out[at];
                if let Some(also) = also.filter(|it| !first.notes.contains(it)) {
                    first.notes.push(also);
                }
                continue;
            }
            known.insert(key, out.len());
            out.push(finding);
        }
        out
    }

    /// The place of a source for one in a rendered text; any other place as it is.
    pub(crate) fn place(&self, place: &Place) -> Place {
        let Some(rendered) = self.rendered.get(&place.path) else { return place.clone() };
        rendered.source(place).map_or_else(|| rendered.main(), |it| it.place)
    }

    /// The path and the line of a source for those of a rendered text; any other as it is.
    pub(crate) fn line(&self, path: &str, line: u32) -> (String, u32) {
        let Some(rendered) = self.rendered.get(path) else { return (path.to_owned(), line) };
        let place = self.place(&Place::redacted(&rendered.file, rendered.file.line_span(line)));
        (place.path.to_string(), place.start.line)
    }

    /// What `told` does not say yet of what would be refused if it were deployed by itself, once for each of them.
    ///
    /// Nobody knows whether it is: a base is not to blame for what its overlays set right, and an overlay that sets it right
    /// could hide what is deployed.
    pub(crate) fn alone(&self, findings: Vec<Finding>, told: &[Finding]) -> Vec<Finding> {
        let spot = |it: &Finding| (it.id.clone(), it.primary.path.to_string(), it.primary.span);
        let known: HashSet<_> = told.iter().map(spot).collect();
        let mut by_unit: BTreeMap<&str, (&Rendered, Vec<Finding>)> = BTreeMap::new();
        for finding in findings.into_iter().filter(|it| it.counts() && it.severity == Severity::Error) {
            let Some((path, rendered)) = self.rendered.get_key_value(&finding.primary.path) else { continue };
            let finding = self.related(Self::moved(finding, rendered));
            if !known.contains(&spot(&finding)) {
                by_unit.entry(path).or_insert_with(|| (rendered, Vec::new())).1.push(finding);
            }
        }
        let said = by_unit.into_values().filter_map(|(rendered, findings)| {
            let more = findings.len().saturating_sub(1);
            let first = findings.into_iter().next()?;
            let (title, directory) = (rendered.unit.title(), &*rendered.unit.directory);
            let message = format!("`{title}` would not be let in if it were deployed by itself: {}", first.message);
            let mut finding = Finding::new("render/alone", Severity::Warning, first.primary, message);
            finding.notes = first.notes;
            if more > 0 {
                finding = finding.note(format!("and {more} more of it"));
            }
            let directory = if directory.is_empty() { &*rendered.unit.main } else { directory };
            Some(finding.note(format!("found by {}", first.id)).help(format!(
                "if it is deployed by itself, say so and it is judged: `render.roots: [{directory}]` in admit.yaml"
            )))
        });
        said.collect()
    }

    fn related(&self, mut finding: Finding) -> Finding {
        for related in &mut finding.related {
            if self.rendered.contains_key(&related.place.path) {
                related.place = self.place(&related.place);
            }
        }
        finding
    }

    fn moved(mut finding: Finding, rendered: &Rendered) -> Finding {
        let was = std::mem::replace(&mut finding.primary, rendered.main());
        // It would mend a text that nobody keeps.
        finding.fix.clear();
        let title = rendered.unit.title();
        let object = finding.verdict.as_ref().map(|it| it.resource.title());
        let object = object.map_or_else(String::new, |it| format!(" as {it}"));
        let shown = was.excerpt.text.lines().next().unwrap_or_default().trim();
        let shown = if shown.is_empty() { String::new() } else { format!(": {shown}") };
        match rendered.source(&was) {
            Some(Found { place, label, value }) => {
                finding.primary = place;
                if !label.is_empty() {
                    finding.label =
                        if finding.label.is_empty() { label } else { format!("{}; {label}", finding.label) };
                }
                if let Some(value) = value {
                    finding = finding.related(value, "the value comes from here");
                }
            }
            None => finding = finding.note("which line of the sources that comes from is not known"),
        }
        finding.note(format!("rendered from `{title}`{object}{shown}"))
    }
}

/// A path and a span in it.
type Spot = (String, Span);

/// What of a source file came out of renders.
#[derive(Debug, Default)]
pub(crate) struct Surfaced {
    /// Its objects that did, by where they stand.
    objects: HashSet<Span>,
    /// Whether it is a template: its text tells no objects, and with one of them all of it came out.
    is_template: bool,
}

impl Surfaced {
    /// Whether an object of the file is among them.
    pub(crate) fn holds(&self, object: Node<'_>) -> bool {
        self.is_template || self.objects.contains(&object.span())
    }
}

/// The source objects that came out of renders, by their file.
pub(crate) fn surfaced<'r>(all: impl Iterator<Item = &'r Rendered>) -> HashMap<String, Surfaced> {
    let mut out: HashMap<String, Surfaced> = HashMap::new();
    for rendered in all {
        for (document, origin) in rendered.documents().iter().zip(&rendered.origins) {
            let Some(path) = &origin.file else { continue };
            let found = rendered.parsed(path).and_then(|parsed| matching(&parsed, document.root()).map(Node::span));
            let known = out.entry(path.clone()).or_default();
            known.is_template |= rendered.unit.tool == Tool::Helm && found.is_none();
            known.objects.extend(found);
        }
    }
    out
}

impl Rendered {
    /// The documents of the text.
    pub(crate) fn documents(&self) -> &[Document] {
        self.documents.get_or_init(|| parse(&self.file, &Limits::default()).documents)
    }

    /// The place of the overlay or the chart as such.
    fn main(&self) -> Place {
        Place::whole_file(Arc::clone(&self.unit.main))
    }

    /// A file that was read, as text.
    fn text(&self, path: &str) -> Option<Arc<File>> {
        self.inputs.get(path).map(|bytes| File::new(path, bytes.to_vec()))
    }

    /// The documents of a file that was read; each file is parsed once.
    fn parsed(&self, path: &str) -> Option<Arc<Vec<Document>>> {
        let mut known = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(path) {
            return Some(Arc::clone(known));
        }
        let parsed = Arc::new(parse(&self.text(path)?, &Limits::default()).documents);
        known.insert(path.to_owned(), Arc::clone(&parsed));
        Some(parsed)
    }

    /// Where a place in the text comes from.
    fn source(&self, place: &Place) -> Option<Found> {
        let holds = |it: &&Document| it.root().span().covers(place.span) || it.root().span().start >= place.span.start;
        let index = self.documents().iter().position(|it| holds(&it))?;
        let (document, origin) = (self.documents().get(index)?, self.origins.get(index)?);
        let (node, steps) = descend(document.root(), place.span);
        let traced = Traced { rendered: self, root: document.root(), node, steps, origin };
        match self.unit.tool {
            Tool::Kustomize => traced.in_kustomize(),
            Tool::Helm => traced.in_template(),
        }
    }
}

/// The deepest node whose key or value covers a span, and the steps to it.
fn descend(root: Node<'_>, span: Span) -> (Node<'_>, Vec<Step>) {
    let mut node = root;
    let mut steps = Vec::new();
    loop {
        let whole = |it: Node<'_>| {
            let (key, value) = (it.key_span(), it.span());
            Span::new(key.start.min(value.start), value.end.max(key.end))
        };
        if let Some((key, next)) = node.entries().find(|(_, it)| whole(*it).covers(span)) {
            steps.push(Step::Key(key.to_owned()));
            node = next;
        } else if let Some((index, next)) = node.items().enumerate().find(|(_, it)| it.span().covers(span)) {
            steps.push(Step::Item(next.str_at(&["name"]).map(str::to_owned), index));
            node = next;
        } else {
            return (node, steps);
        }
    }
}

/// As far as steps lead from a node, and how many of them.
fn walk<'n>(root: Node<'n>, steps: &[Step]) -> (Node<'n>, usize) {
    let mut node = root;
    for (n, step) in steps.iter().enumerate() {
        let next = match step {
            Step::Key(key) => node.get(key),
            Step::Item(Some(name), _) => node.items().find(|it| it.str_at(&["name"]) == Some(name)),
            Step::Item(None, index) => node.items().nth(*index),
        };
        match next {
            Some(next) => node = next,
            None => return (node, n),
        }
    }
    (node, steps.len())
}

/// The object of a file that a rendered one was made of: of the same kind, and called the same but for what was put before
/// or after its name.
fn matching<'p>(parsed: &'p [Document], rendered: Node<'_>) -> Option<Node<'p>> {
    let text = |node: Node<'_>, path: &[&str]| node.str_at(path).unwrap_or_default().to_owned();
    let (kind, name) = (text(rendered, &["kind"]), text(rendered, &["metadata", "name"]));
    let same: Vec<Node<'p>> =
        parsed.iter().flat_map(|it| objects(it.root())).filter(|it| text(*it, &["kind"]) == kind).collect();
    let namespace = text(rendered, &["metadata", "namespace"]);
    // Of namesakes the one in the same namespace is meant.
    let closeness = |it: &Node<'p>| {
        let own = text(*it, &["metadata", "name"]);
        let of_name = if own == name {
            usize::MAX
        } else if name.contains(&own) {
            own.len()
        } else {
            0
        };
        (of_name, text(*it, &["metadata", "namespace"]) == namespace)
    };
    let best = same.iter().copied().max_by_key(closeness)?;
    (closeness(&best).0 > 0 || same.len() == 1).then_some(best)
}

/// A rendered node on its way to its source.
struct Traced<'r> {
    rendered: &'r Rendered,
    root: Node<'r>,
    node: Node<'r>,
    steps: Vec<Step>,
    origin: &'r Origin,
}

impl Traced<'_> {
    fn is_secret(&self) -> bool {
        secret::is_secret(self.root)
    }

    fn at(&self, file: &File, span: Span) -> Place {
        if self.is_secret() { Place::redacted(file, span) } else { secret_aware(file, span) }
    }

    fn same(&self, other: Node<'_>) -> bool {
        let is_part = |it: Node<'_>| it.is_map() || it.is_list();
        if is_part(self.node) {
            is_part(other)
        } else {
            Value::from(self.node).to_json() == Value::from(other).to_json()
        }
    }

    fn in_kustomize(&self) -> Option<Found> {
        let written = self.origin.file.as_ref().and_then(|path| self.rendered.parsed(path));
        let object = written.as_ref().and_then(|it| matching(it, self.root));
        let found = object.map(|it| walk(it, &self.steps));
        if let Some((node, n)) = found
            && n == self.steps.len()
            && self.same(node)
        {
            let span = if node.is_map() || node.is_list() { node.heading() } else { node.span() };
            return Some(Found { place: self.at(node.file(), span), label: String::new(), value: None });
        }
        // Something on the way has set it: the last that may have done so.
        for path in self.origin.changed_by.iter().rev().chain(&self.origin.generated_by) {
            if let Some(found) = self.set_by(path) {
                return Some(found);
            }
        }
        let (node, _) = found?;
        Some(Found { place: self.at(node.file(), node.heading()), label: String::new(), value: None })
    }

    /// The entry of a kustomization, or the line of its patch, that sets the node.
    fn set_by(&self, path: &str) -> Option<Found> {
        let kustomization = Kustomization::read(Arc::from(path), self.rendered.inputs.get(path)?.to_vec());
        let document = kustomization.document.as_ref()?;
        let root = document.root();
        for patch in ["patches", "patchesStrategicMerge"].iter().filter_map(|key| root.get(key)).flat_map(Node::items) {
            let name = patch.as_str().or_else(|| patch.str_at(&["path"]));
            let file = name.and_then(|it| super::kustomization::resolve(directory(path), it));
            if let Some(parsed) = file.and_then(|it| self.rendered.parsed(&it)) {
                if let Some(place) = self.in_patch(&parsed) {
                    return Some(Found { place, label: "set by this patch".to_owned(), value: None });
                }
                continue;
            }
            let inline = patch.get("patch").or(Some(patch).filter(|it| it.as_str().is_some()));
            let Some(inline) = inline else { continue };
            let text = inline.as_str().unwrap_or_default();
            let parsed = parse(&File::new("patch", text.as_bytes().to_vec()), &Limits::default()).documents;
            if self.in_patch(&parsed).is_some() {
                let place = self.at(root.file(), inline.key_span());
                return Some(Found { place, label: "set by this patch".to_owned(), value: None });
            }
        }
        let entry = self.entry(root)?;
        let place = self.at(root.file(), entry.heading());
        Some(Found { place, label: "set by this kustomization".to_owned(), value: None })
    }

    /// The place of the value in a patch that sets it.
    fn in_patch(&self, parsed: &[Document]) -> Option<Place> {
        for document in parsed {
            let root = document.root();
            if root.is_list() {
                // JSON patches say what they set under `value`.
                let sets = |it: &Node<'_>| it.get("value").is_some_and(|it| self.holds(it));
                if let Some(operation) = root.items().find(sets) {
                    return Some(self.at(root.file(), operation.get("value")?.span()));
                }
                continue;
            }
            for object in objects(root) {
                if object.str_at(&["kind"]) != self.root.str_at(&["kind"]) {
                    continue;
                }
                let (node, n) = walk(object, &self.steps);
                if n == self.steps.len() && self.same(node) {
                    let span = if node.is_map() || node.is_list() { node.heading() } else { node.span() };
                    return Some(self.at(root.file(), span));
                }
            }
        }
        None
    }

    /// Whether a value is that of the node, or holds it.
    fn holds(&self, value: Node<'_>) -> bool {
        self.same(value) && !value.is_map() && !value.is_list()
            || value.entries().any(|(_, it)| self.holds(it))
            || value.items().any(|it| self.holds(it))
    }

    /// The entry of a kustomization that sets what stands at the node, by what it is.
    fn entry<'k>(&self, root: Node<'k>) -> Option<Node<'k>> {
        let text = self.node.as_str().unwrap_or_default();
        let key = |at: usize| match self.steps.get(at) {
            Some(Step::Key(key)) => key.as_str(),
            _ => "",
        };
        let last = self.steps.iter().rev().find_map(|it| match it {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(..) => None,
        });
        let in_metadata = |what: &str| self.steps.iter().any(|it| *it == Step::Key(what.to_owned()));
        let first = |keys: &[&str]| keys.iter().find_map(|key| root.get(key));
        match last.unwrap_or_default() {
            "image" => {
                let images = root.get("images")?;
                let is_this = |it: &Node<'_>| {
                    ["newName", "name"].iter().filter_map(|key| it.str_at(&[key])).any(|it| text.starts_with(it))
                };
                images.items().find(is_this)
            }
            "replicas" => root.get("replicas"),
            "namespace" => root.get("namespace"),
            _ if (key(0), key(1)) == ("metadata", "name") => first(&["namePrefix", "nameSuffix"]),
            _ if in_metadata("labels") || in_metadata("matchLabels") || in_metadata("selector") => {
                first(&["labels", "commonLabels"])
            }
            _ if in_metadata("annotations") => root.get("commonAnnotations"),
            _ if self.origin.generated_by.is_some() => {
                let key = if self.is_secret() { "secretGenerator" } else { "configMapGenerator" };
                let name = self.root.str_at(&["metadata", "name"]).unwrap_or_default();
                let generators = root.get(key)?;
                generators.items().find(|it| it.str_at(&["name"]).is_some_and(|it| name.contains(it)))
            }
            _ => None,
        }
    }

    /// The line of a template, found by the keys that lead to the node.
    fn in_template(&self) -> Option<Found> {
        let path = self.origin.file.as_ref()?;
        let file = self.rendered.text(path)?;
        // A file without actions is read like any other.
        if let Some((node, n)) =
            self.rendered.parsed(path).as_ref().and_then(|it| matching(it, self.root)).map(|it| walk(it, &self.steps))
            && n == self.steps.len()
            && self.same(node)
        {
            let span = if node.is_map() || node.is_list() { node.heading() } else { node.span() };
            return Some(Found { place: self.at(&file, span), label: String::new(), value: None });
        }
        let span = template_line(&file, self.root.str_at(&["kind"]), &self.steps);
        let value = self.value(file.slice(span));
        Some(Found { place: self.at(&file, span), label: String::new(), value })
    }

    /// Where the value that a line of a template fills in is written: the file that counts most first.
    fn value(&self, line: &str) -> Option<Place> {
        let path = line.split(".Values.").nth(1)?;
        let path = path.split(|it: char| !(it.is_alphanumeric() || it == '_' || it == '.')).next()?;
        let keys: Vec<&str> = path.split('.').filter(|it| !it.is_empty()).collect();
        let unit = &self.rendered.unit;
        let own = super::kustomization::resolve(&unit.directory, "values.yaml");
        let files = unit.manner.values.iter().rev().cloned().chain(own);
        files.into_iter().find_map(|path| {
            let parsed = self.rendered.parsed(&path)?;
            let node = parsed.first()?.root().at(&keys)?;
            let span = if node.is_map() || node.is_list() { node.heading() } else { node.span() };
            Some(self.at(node.file(), span))
        })
    }
}

fn secret_aware(file: &File, span: Span) -> Place {
    // A file of values or a kustomization may hold what goes into a Secret.
    secret::place(file, span)
}

/// The line of a template in which the last of the keys stands that lead to a node, looked for one after the other.
fn template_line(file: &File, kind: Option<&str>, steps: &[Step]) -> Span {
    let text = file.text();
    let lines: Vec<(usize, &str)> = text
        .split_inclusive('\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line.trim_end()))
        })
        .collect();
    let has = |line: &str, key: &str| {
        let line = line.trim_start().trim_start_matches("- ").trim_start();
        line.strip_prefix(key)
            .or_else(|| line.strip_prefix(&format!("\"{key}\"")))
            .is_some_and(|it| it.starts_with(':'))
    };
    let of_kind = |(_, line): &(usize, &str)| kind.is_some_and(|kind| line.trim() == format!("kind: {kind}"));
    let mut at = lines.iter().position(of_kind).unwrap_or(0);
    // `kind` may stand below what is looked for.
    at = lines[..at].iter().rposition(|(_, line)| line.starts_with("---")).unwrap_or(0);
    let mut found = lines.iter().position(of_kind).unwrap_or(0);
    for step in steps {
        let Step::Key(key) = step else { continue };
        let Some(next) = lines.iter().skip(at).position(|(_, line)| has(line, key)) else { break };
        found = at + next;
        at = found;
    }
    let Some((start, line)) = lines.get(found) else { return Span::default() };
    let from = start + (line.len() - line.trim_start().len());
    Span::new(from as u32, (start + line.len()) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Arc<File> {
        File::new("t.yaml", text.as_bytes().to_vec())
    }

    #[test]
    fn a_line_of_a_template_is_found_by_its_keys() {
        let text = "\
{{- if .Values.on }}
apiVersion: v1
kind: Service
metadata:
  name: a
spec:
  type: {{ .Values.service.type }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
spec:
  template:
    spec:
      containers:
        - name: a
          image: \"{{ .Values.image }}\"
";
        let file = file(text);
        let key = |text: &str| Step::Key(text.to_owned());
        let line = |kind: &str, steps: &[Step]| file.slice(template_line(&file, Some(kind), steps)).to_owned();
        assert_eq!(line("Service", &[key("spec"), key("type")]), "type: {{ .Values.service.type }}");
        let steps = [key("spec"), key("template"), key("spec"), key("containers"), Step::Item(None, 0), key("image")];
        assert_eq!(line("Deployment", &steps), "image: \"{{ .Values.image }}\"");
        assert_eq!(line("Deployment", &[]), "kind: Deployment");
        assert_eq!(line("Other", &[]), "{{- if .Values.on }}");
    }

    #[test]
    fn the_object_of_a_file_is_told_by_kind_and_name() {
        let parsed = |text: &str| parse(&file(text), &Limits::default()).documents;
        let source = parsed(
            "{kind: A, metadata: {name: web}}\n---\n{kind: A, metadata: {name: web-db}}\n---\n{kind: B, metadata: {name: x}}\n",
        );
        let found = |text: &str| {
            let rendered = parsed(text);
            matching(&source, rendered[0].root()).and_then(|it| it.str_at(&["metadata", "name"]).map(str::to_owned))
        };
        assert_eq!(found("{kind: A, metadata: {name: prod-web-db}}").as_deref(), Some("web-db"));
        assert_eq!(found("{kind: A, metadata: {name: prod-web}}").as_deref(), Some("web"));
        assert_eq!(found("{kind: B, metadata: {name: other}}").as_deref(), Some("x"));
        assert_eq!(found("{kind: A, metadata: {name: other}}"), None);
    }

    #[test]
    fn nodes_are_found_by_their_spans() {
        let text = "spec:\n  containers:\n  - image: a\n    name: x\n  - image: b\n    name: y\n";
        let file = file(text);
        let documents = parse(&file, &Limits::default()).documents;
        let at = text.find("b\n").unwrap() as u32;
        let (node, steps) = descend(documents[0].root(), Span::new(at, at + 1));
        assert_eq!(node.as_str(), Some("b"));
        let (again, n) = walk(documents[0].root(), &steps);
        assert_eq!((again.as_str(), n), (Some("b"), 4));
    }
}
