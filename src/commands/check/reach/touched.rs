//! What of a change reaches objects that it does not hold.
//!
//! In: both sides of what changed, and the laws of both. Out: the policies, Namespaces, kinds and files whose verdicts may
//! be others now, each with the place that is to blame.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::RwLock,
};

use memchr::memmem;
use rustc_hash::FxHashMap;

use crate::{
    commands::check::sides::Sides,
    document::{
        Node,
        classify::{Class, directory, is_kustomization},
        heads::Heads,
        layout::{self, Layout, is_chart},
        resource::{self, objects},
    },
    engine::request::kind_of,
    expr::Value,
    finding::{Place, outcome, secret},
    k8s::gvk::split_api_version,
    policy::set::{Found, PolicySet, ResourceKind},
    runner::TreeFile,
};

/// A group and a kind.
type GroupKind = (String, String);

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands::check) struct Cause {
    /// The ID of findings about it.
    pub(super) id: &'static str,
    /// What it is called.
    pub(super) name: String,
    /// Where it is, or was.
    pub(super) place: Place,
}

/// An exception that changed.
#[derive(Debug)]
struct Exemption {
    /// How findings name it.
    key: String,
    /// The policies that it names, before and after.
    policies: BTreeSet<String>,
    /// Whether it exempted something before.
    was_there: bool,
    cause: Cause,
}

/// Everything that changed and may reach further.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// By the key that exceptions name them by.
    policies: BTreeMap<String, Cause>,
    exceptions: Vec<Exemption>,
    namespaces: BTreeMap<String, Cause>,
    /// Kinds that are defined otherwise.
    definitions: BTreeMap<GroupKind, Cause>,
    /// Objects that rules may look up.
    objects: Vec<(GroupKind, Cause)>,
    /// Files that a kustomization takes for something else.
    files: BTreeMap<String, Cause>,
    /// Directories that are templates of a chart on one side only.
    templates: Vec<(String, Cause)>,
    /// `admit.yaml`.
    settings: Option<Cause>,
    /// Policies whose rules may say something else now, by key.
    asked: HashSet<String>,
    /// Those of them that change objects before others judge them.
    changing: HashSet<String>,
}

/// What makes two objects the same.
type Sameness = (bool, String, String, String, String);

/// One side of what changed: objects by what makes them the same, and the files.
struct Known<'s> {
    objects: BTreeMap<Sameness, (Class, Node<'s>)>,
    files: HashMap<&'s str, &'s TreeFile>,
}

impl<'s> Known<'s> {
    fn of(files: &'s [TreeFile]) -> Self {
        let mut out =
            Self { objects: BTreeMap::new(), files: files.iter().map(|file| (&**file.file.path(), file)).collect() };
        for file in files {
            for it in &file.documents {
                let (is_law, document) = match it.class {
                    Class::Policy if file.roles.policies => (true, &it.document),
                    Class::Exception if file.roles.exceptions => (true, &it.document),
                    Class::Manifest | Class::Policy | Class::Exception => match &it.subject {
                        Some(subject) => (false, subject),
                        None => continue,
                    },
                    _ => continue,
                };
                let class = if is_law { it.class } else { Class::Manifest };
                for object in objects(document.root()) {
                    let text = |path: &[&str]| object.str_at(path).unwrap_or_default().to_owned();
                    let group = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default()).0.to_owned();
                    let name = (text(&["metadata", "namespace"]), text(&["metadata", "name"]));
                    out.objects.insert((is_law, group, text(&["kind"]), name.0, name.1), (class, object));
                }
            }
        }
        out
    }

    fn root(&self, path: &str) -> Option<Node<'s>> {
        self.files.get(path)?.documents.first().map(|it| it.document.root())
    }
}

impl Touched {
    /// Gathers what the files of both sides are about.
    pub(super) fn of(sides: &Sides) -> Self {
        let mut out = Self::default();
        if let Some(config) = &sides.config {
            let place = Place::whole_file(std::sync::Arc::clone(config.file.path()));
            out.settings = Some(Cause { id: "reach/settings", name: "admit.yaml".to_owned(), place });
        }
        let (before, after) = (Known::of(&sides.before), Known::of(&sides.after));
        for (key, (class, object)) in &after.objects {
            let was = before.objects.get(key).map(|it| it.1);
            if was.is_none_or(|was| Value::from(was).to_json() != Value::from(*object).to_json()) {
                out.note(*class, was, Some(*object));
            }
        }
        for (key, (class, object)) in &before.objects {
            if !after.objects.contains_key(key) {
                out.note(*class, Some(*object), None);
            }
        }
        let paths: BTreeSet<&str> = before.files.keys().chain(after.files.keys()).copied().collect();
        for path in paths {
            out.note_layout(path, before.root(path), after.root(path));
        }
        // What changed itself is judged as it is now.
        out.files.retain(|path, _| !sides.changed.contains(path));
        out
    }

    /// Notes an object that is not what it was.
    fn note(&mut self, class: Class, was: Option<Node<'_>>, is: Option<Node<'_>>) {
        let Some(object) = is.or(was) else { return };
        let text = |path: &[&str]| object.str_at(path).unwrap_or_default().to_owned();
        let (kind, namespace, name) = (text(&["kind"]), text(&["metadata", "namespace"]), text(&["metadata", "name"]));
        let key = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
        let at = object.at(&["metadata", "name"]).unwrap_or(object).span();
        let cause = |id, name: &str| Cause { id, name: name.to_owned(), place: secret::place(object.file(), at) };
        match class {
            Class::Policy if kind.ends_with("Binding") => {
                let policies = [was, is].into_iter().flatten().filter_map(|it| it.str_at(&["spec", "policyName"]));
                for policy in policies {
                    self.policies.entry(policy.to_owned()).or_insert_with(|| cause("reach/policy", &key));
                }
            }
            Class::Policy => {
                let key = if kind.starts_with("Cluster") { name } else { key };
                let changed = cause("reach/policy", &key);
                self.policies.insert(key, changed);
            }
            Class::Exception => {
                let policies = [was, is].into_iter().flatten().flat_map(named_policies).collect();
                let (was_there, cause) = (was.is_some(), cause("reach/exception", &key));
                self.exceptions.push(Exemption { key, policies, was_there, cause });
            }
            _ => {
                let (group, _) = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default());
                match (group, &*kind) {
                    ("", "Namespace") => {
                        let changed = cause("reach/namespace", &name);
                        self.namespaces.insert(name, changed);
                    }
                    ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                        let defines = |it: Node<'_>| {
                            let text = |path: &[&str]| it.str_at(path).unwrap_or_default().to_owned();
                            let defined = (text(&["spec", "group"]), text(&["spec", "names", "kind"]));
                            (defined, text(&["spec", "scope"]), text(&["spec", "names", "plural"]))
                        };
                        if was.map(defines) != is.map(defines) {
                            for it in [was, is].into_iter().flatten() {
                                self.definitions.insert(defines(it).0, cause("reach/definition", &name));
                            }
                        }
                    }
                    _ => {}
                }
                let title = outcome::resource_ref(object).title();
                self.objects.push(((group.to_owned(), kind), cause("reach/object", &title)));
            }
        }
    }

    /// Notes files that are taken for something else than before.
    fn note_layout(&mut self, path: &str, was: Option<Node<'_>>, is: Option<Node<'_>>) {
        let Some(file) = is.or(was).map(Node::file) else { return };
        let cause = || Cause {
            id: "reach/layout",
            name: path.to_owned(),
            place: Place::whole_file(std::sync::Arc::clone(file.path())),
        };
        if is_kustomization(path) {
            let parts = |root: Option<Node<'_>>| {
                let mut layout = Layout::default();
                if let Some(root) = root {
                    layout.note_patches(path, root);
                }
                layout.into_claims()
            };
            let (was, is) = (parts(was), parts(is));
            for claimed in was.symmetric_difference(&is) {
                self.files.insert(claimed.0.clone(), cause());
            }
        }
        let is_one = |root: Option<Node<'_>>| root.is_some() && layout::is_whole_chart(root);
        if is_chart(path) && is_one(was) != is_one(is) {
            let top = directory(path);
            let below = if top.is_empty() { String::new() } else { format!("{top}/") };
            self.templates.push((below, cause()));
        }
    }

    /// Forgets what can't matter to the laws of both sides. What is left is found through their indexes.
    pub(super) fn narrow(&mut self, laws: [&PolicySet; 2]) {
        let changes = |key: &str| {
            let mut rules = laws.into_iter().flat_map(|law| &law.classic).filter(|it| it.head.key == key);
            let mut in_cel = laws.into_iter().flat_map(PolicySet::cel).filter(|it| it.head.key == key);
            rules.any(|it| it.rules.iter().any(|rule| matches!(rule.body, crate::policy::classic::Body::Mutate(_))))
                || in_cel.any(crate::policy::cel::Policy::mutates)
        };
        // Who is gone refuses nothing, but may have changed what others refuse now.
        let stands = |key: &str| laws[1].heads().any(|it| it.key == key || it.name == key);
        self.policies.retain(|key, _| stands(key) || changes(key));
        // One more exception refuses nothing, either.
        self.exceptions.retain(|it| it.was_there || it.policies.iter().any(|key| changes(key)));
        if !laws.into_iter().any(PolicySet::reads_namespaces) {
            self.namespaces.clear();
        }
        let looked_up = laws.map(PolicySet::look_ups);
        self.objects.retain(|((group, kind), _)| {
            laws.iter().zip(&looked_up).any(|(law, it)| it.find(group, kind, law.plurals()))
        });
        let named = self.exceptions.iter().flat_map(|it| &it.policies);
        self.asked = self.policies.keys().chain(named).cloned().collect();
        self.changing = self.asked.iter().filter(|key| changes(key)).cloned().collect();
        for law in laws {
            let rules = law.classic.iter().flat_map(|it| it.rules.iter().map(move |rule| Found::Classic(it, rule)));
            let forms = law.cel().flat_map(|it| it.forms.iter().map(move |form| Found::Cel(it, form)));
            for found in rules.chain(forms) {
                let reads = law.look_ups_of(found);
                if self.objects.iter().any(|((group, kind), _)| reads.find(group, kind, law.plurals())) {
                    self.asked.insert(found.head().key.clone());
                }
            }
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty() && !self.asks_all()
    }

    /// Whether nothing changed that could reach further, whatever the laws say.
    pub(super) fn is_idle(&self, law: &PolicySet) -> bool {
        self.policies.is_empty()
            && self.exceptions.is_empty()
            && self.definitions.is_empty()
            && self.files.is_empty()
            && self.templates.is_empty()
            && self.settings.is_none()
            && (self.namespaces.is_empty() || !law.reads_namespaces())
            && (self.objects.is_empty() || {
                let reads = law.look_ups();
                !self.objects.iter().any(|((group, kind), _)| reads.find(group, kind, law.plurals()))
            })
    }

    /// Whether rules of policies that did not change may say something else, too.
    fn asks_all(&self) -> bool {
        !self.namespaces.is_empty() || !self.changing.is_empty() || self.is_divided()
    }

    /// Whether the objects themselves are others on the two sides, not only what is said of them.
    pub(super) fn is_divided(&self) -> bool {
        !self.definitions.is_empty() || !self.files.is_empty() || !self.templates.is_empty() || self.settings.is_some()
    }

    /// The files that are reached, where nothing else is.
    pub(super) fn files_only(&self) -> Option<impl Iterator<Item = &str>> {
        let is_only = self.asked.is_empty()
            && self.namespaces.is_empty()
            && self.definitions.is_empty()
            && self.templates.is_empty()
            && self.settings.is_none();
        is_only.then(|| self.files.keys().map(String::as_str))
    }

    /// Whether a rule is to be asked.
    pub(super) fn asks(&self, rule: Found<'_>) -> bool {
        let head = rule.head();
        self.asks_all() || rule.changes() || self.asked.contains(&head.key) || self.asked.contains(&head.name)
    }

    /// What is to blame for an object that fails by a policy, which an exception kept from it before.
    pub(super) fn cause(&self, policy: &str, object: Node<'_>, exception: Option<&str>) -> Option<&Cause> {
        let (group, _) = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default());
        let kind = object.str_at(&["kind"]).unwrap_or_default();
        let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or_default();
        let names = |it: &&Exemption| it.policies.contains(policy);
        let by_key = exception.and_then(|key| self.exceptions.iter().find(|it| it.key == key));
        let exempted = by_key.or_else(|| self.exceptions.iter().find(names)).map(|it| &it.cause);
        let defined = self.definitions.iter().find(|(it, _)| (&*it.0, &*it.1) == (group, kind)).map(|it| it.1);
        let changing = self.changing.iter().filter_map(|key| self.policies.get(key)).min_by_key(|it| &it.name);
        self.policies
            .get(policy)
            .or(exempted)
            .or_else(|| self.taken(object.file().path()))
            .or_else(|| self.namespaces.get(namespace))
            .or(defined)
            .or(self.settings.as_ref())
            .or(changing)
            .or_else(|| self.objects.first().map(|it| &it.1))
    }

    /// What takes a file for something else than before.
    fn taken(&self, path: &str) -> Option<&Cause> {
        let below = |it: &&(String, Cause)| path.starts_with(&it.0);
        self.files.get(path).or_else(|| self.templates.iter().find(below).map(|it| &it.1))
    }
}

/// The policies that an exception names.
fn named_policies(exception: Node<'_>) -> Vec<String> {
    let names = |list: &str, key: &str| -> Vec<String> {
        let items = exception.at(&["spec", list]).into_iter().flat_map(Node::items);
        items.filter_map(|it| it.str_at(&[key])).map(str::to_owned).collect()
    };
    [names("exceptions", "policyName"), names("policyRefs", "name")].concat()
}

/// Tells which objects a change reaches, by kind and namespace.
#[derive(Debug)]
pub(super) struct Index<'t> {
    touched: &'t Touched,
    laws: [&'t PolicySet; 2],
    kinds: RwLock<FxHashMap<(String, String), Weight>>,
}

/// What a kind is to the rules of both laws.
#[derive(Clone, Copy, Debug)]
struct Weight {
    /// A rule that may say something else is about it.
    is_asked: bool,
    /// Any rule is about it.
    is_judged: bool,
}

impl<'t> Index<'t> {
    pub(super) fn new(touched: &'t Touched, laws: [&'t PolicySet; 2]) -> Self {
        Self { touched, laws, kinds: RwLock::default() }
    }

    fn weight(&self, version: &str, kind: &str) -> Weight {
        let key = (version.to_owned(), kind.to_owned());
        if let Some(weight) = self.kinds.read().ok().and_then(|it| it.get(&key).copied()) {
            return weight;
        }
        let (group, version) = split_api_version(version);
        let kind = ResourceKind { group, version, kind, subresource: "" };
        let mut weight = Weight { is_asked: false, is_judged: false };
        for (law, is_after) in self.laws.into_iter().zip([false, true]) {
            for found in law.rules_for(kind).into_iter().map(|rule| law.get(rule)) {
                let head = found.head();
                let (asked, changing) = (&self.touched.asked, &self.touched.changing);
                weight.is_judged |= is_after;
                weight.is_asked |= is_after && (asked.contains(&head.key) || asked.contains(&head.name));
                weight.is_asked |= found.changes() && changing.contains(&head.key);
            }
        }
        if let Ok(mut kinds) = self.kinds.write() {
            kinds.insert(key, weight);
        }
        weight
    }

    /// Whether a file may hold an object that is reached.
    pub(super) fn may_reach(&self, path: &str, bytes: &[u8]) -> bool {
        let touched = self.touched;
        if touched.settings.is_some() || touched.taken(path).is_some() {
            return true;
        }
        let is_near = |name: &String| name == "default" || memmem::find(bytes, name.as_bytes()).is_some();
        let is_near = touched.namespaces.keys().any(is_near);
        let matters = |(version, kind): (&str, &str)| {
            let weight = self.weight(version, kind);
            let (group, _) = split_api_version(version);
            let is_defined = || touched.definitions.keys().any(|it| (&*it.0, &*it.1) == (group, kind));
            weight.is_asked || (weight.is_judged && (is_near || is_defined()))
        };
        Heads::of(bytes).is_none_or(|heads| heads.pairs().any(matters))
    }

    /// Whether an object is reached.
    pub(super) fn reaches(&self, object: Node<'_>) -> bool {
        let touched = self.touched;
        let weight = self
            .weight(object.str_at(&["apiVersion"]).unwrap_or_default(), object.str_at(&["kind"]).unwrap_or_default());
        let kind = kind_of(object);
        let is_near = || {
            let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or_default();
            touched.namespaces.contains_key(namespace)
        };
        let is_defined = || touched.definitions.keys().any(|it| (&*it.0, &*it.1) == (kind.group, kind.kind));
        let is_taken = || touched.settings.is_some() || touched.taken(object.file().path()).is_some();
        resource::is_object(object)
            && (weight.is_asked || (weight.is_judged && (is_near() || is_defined() || is_taken())))
    }
}
