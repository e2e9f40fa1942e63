//! What a cluster would know, as far as documents tell: objects, namespaces, ConfigMaps.
//!
//! In: documents of a repository or of `--cluster`, and values given by hand. Out: answers to the look-ups of
//! expressions. Absent and unknown differ: a repository that holds Namespaces knows which exist, a single file does not.

mod asking;
mod kinds;
mod labels;
mod missing;
mod path;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rustc_hash::FxHashMap;

pub(crate) use asking::Asking;
pub(crate) use labels::{NAME_LABEL, NamespaceLabels};
pub(crate) use missing::Missing;
use path::{ApiPath, Narrowing};

use crate::{
    document::{Document, Integers, Node, NodeId},
    expr::{
        Arena, Value,
        jmespath::{Expression, ValueScope},
    },
    images::Store,
    k8s::gvk::{self, Plurals, split_api_version},
};

/// The answer to a look-up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup<'v> {
    /// It is there.
    Found(Value<'v>),
    /// It is known not to be there.
    Absent,
    /// Nothing is known of it.
    Unknown,
}

/// Which of two truths is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Law {
    /// What a cluster would do at admission; what is unknown is indeterminate.
    #[default]
    Admission,
    /// What Kyverno's command line answers; what is unknown is simply missing.
    CommandLine,
}

/// What makes two objects the same one for a cluster, whatever the version that either is written in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Identity {
    /// The identity of an object; `None` for one without a name: a cluster makes up a new one each time.
    pub(crate) fn of(object: Node<'_>) -> Option<Self> {
        let text = |path: &[&str]| object.str_at(path).unwrap_or_default().to_owned();
        let name = text(&["metadata", "name"]);
        let (group, _) = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default());
        let (kind, namespace) = (text(&["kind"]), text(&["metadata", "namespace"]));
        (!name.is_empty()).then(|| Self { group: group.to_owned(), kind, namespace, name })
    }
}

/// One object.
#[derive(Clone, Debug)]
struct Object {
    document: Arc<Document>,
    node: NodeId,
}

impl Object {
    fn node(&self) -> Node<'_> {
        self.document.node(self.node)
    }
}

/// Everything known of a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    law: Law,
    objects: Vec<Object>,
    by_identity: HashMap<Identity, usize>,
    /// Objects by group and kind.
    by_kind: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
    /// Namespaces by their names.
    namespaces: FxHashMap<String, usize>,
    globals: HashMap<String, serde_json::Value>,
    responses: HashMap<(String, String), Response>,
    /// What the look-ups of Kyverno's command line find in CEL.
    context: Vec<Object>,
    images: HashMap<String, serde_json::Value>,
    /// Images that are at hand, with their signatures.
    store: Option<Arc<Store>>,
    /// Parameters of admission policies on Kyverno's command line.
    parameters: Vec<Object>,
    /// Objects that nobody looks up are there, too, and were left out.
    is_part: bool,
}

/// What a server answers.
#[derive(Clone, Debug)]
struct Response {
    status: i64,
    body: serde_json::Value,
}

/// A kind of objects as look-ups name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resources<'r> {
    /// The API group; empty for the core group.
    pub group: &'r str,
    /// The version.
    pub version: &'r str,
    /// The plural in lower case.
    pub plural: &'r str,
}

impl Resources<'_> {
    /// As the API server names it: `deployments.apps`.
    pub(crate) fn title(self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// By what lists are in order: namespace and name.
fn place(node: Node<'_>) -> (&str, &str) {
    let text = |key: &str| node.str_at(&["metadata", key]).unwrap_or_default();
    (text("namespace"), text("name"))
}

/// The answer to a look-up of the API, and what it hangs on that is not held.
pub(crate) type Answer<'v> = (Lookup<'v>, Option<Missing>);

impl Cluster {
    /// An empty cluster.
    pub(crate) fn new(law: Law) -> Self {
        Self { law, ..Self::default() }
    }

    /// Whether Kyverno's command line is the measure.
    pub(crate) fn is_command_line(&self) -> bool {
        self.law == Law::CommandLine
    }

    /// Sets the images that are at hand.
    pub(crate) fn set_store(&mut self, store: Arc<Store>) {
        self.store = Some(store);
    }

    /// The images that are at hand.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.as_deref()
    }

    /// Whether no object is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty() && !self.is_part
    }

    /// Says that objects were left out which no rule looks up: what is not found is not there.
    pub(crate) fn leaves_out_others(&mut self) {
        self.is_part = true;
    }

    /// Adds an object; a later one of the same identity replaces the earlier.
    pub(crate) fn add(&mut self, document: &Arc<Document>, node: NodeId) {
        let object = Object { document: Arc::clone(document), node };
        let identity = Identity::of(object.node());
        if let Some(&index) = identity.as_ref().and_then(|it| self.by_identity.get(it)) {
            self.objects[index] = object;
            return;
        }
        let index = self.objects.len();
        let (group, _) = split_api_version(object.node().str_at(&["apiVersion"]).unwrap_or_default());
        let kind = object.node().str_at(&["kind"]).unwrap_or_default();
        if let Some(identity) = identity {
            if group.is_empty() && kind == "Namespace" && identity.namespace.is_empty() {
                self.namespaces.insert(identity.name.clone(), index);
            }
            self.by_identity.insert(identity, index);
        }
        let kinds = self.by_kind.entry(group.to_owned()).or_default();
        let of_kind = kinds.entry(kind.to_owned()).or_default();
        // The API server lists by namespace and name, its command line stand-in as things come.
        let at = match self.law {
            Law::Admission => of_kind.partition_point(|&it| place(self.objects[it].node()) <= place(object.node())),
            Law::CommandLine => of_kind.len(),
        };
        of_kind.insert(at, index);
        self.objects.push(object);
    }

    /// Adds an object that CEL expressions find on Kyverno's command line.
    pub(crate) fn add_context(&mut self, document: &Arc<Document>, node: NodeId) {
        self.context.push(Object { document: Arc::clone(document), node });
    }

    /// Adds an object that holds parameters of admission policies on Kyverno's command line.
    pub(crate) fn add_parameter(&mut self, document: &Arc<Document>, node: NodeId) {
        self.parameters.push(Object { document: Arc::clone(document), node });
    }

    /// The objects that hold parameters on Kyverno's command line, in the order of adding.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = Node<'_>> {
        self.parameters.iter().map(Object::node)
    }

    /// Gives what a registry says of an image.
    pub(crate) fn set_image(&mut self, image: &str, data: serde_json::Value) {
        self.images.insert(image.to_owned(), data);
    }

    /// What a registry says of an image, if that was given.
    pub(crate) fn image<'v>(&self, image: &str, arena: &'v Arena) -> Option<Value<'v>> {
        self.images.get(image).map(|json| Value::from_json(arena, json, Integers::Floats))
    }

    /// The objects of a kind that CEL expressions find, in every namespace.
    pub(crate) fn resources(&self, wanted: Resources<'_>, plurals: &Plurals) -> Vec<Node<'_>> {
        if !self.is_command_line() {
            return self.of_kind(wanted, plurals);
        }
        let is_wanted = |node: &Node<'_>| {
            let (group, version) = split_api_version(node.str_at(&["apiVersion"]).unwrap_or_default());
            group == wanted.group
                && version == wanted.version
                && plurals.of(group, node.str_at(&["kind"]).unwrap_or_default()) == wanted.plural
        };
        self.context.iter().map(Object::node).filter(is_wanted).collect()
    }

    /// The objects of a kind in one version, in every namespace.
    fn of_kind(&self, wanted: Resources<'_>, plurals: &Plurals) -> Vec<Node<'_>> {
        let objects = self.indices(wanted, plurals).map(|index| self.objects[index].node());
        let is_wanted =
            |node: &Node<'_>| split_api_version(node.str_at(&["apiVersion"]).unwrap_or_default()).1 == wanted.version;
        objects.filter(is_wanted).collect()
    }

    /// Where objects of a kind are, in whatever version.
    fn indices(&self, wanted: Resources<'_>, plurals: &Plurals) -> impl Iterator<Item = usize> {
        let kinds = self.by_kind.get(wanted.group).into_iter().flatten();
        let of_kind = kinds.filter(move |(kind, _)| plurals.of(wanted.group, kind) == wanted.plural);
        of_kind.flat_map(|(_, indices)| indices).copied()
    }

    /// What it means that of a kind and version no object is held: `Ok` where that is an answer, though one to be told of.
    ///
    /// A kind of which the repository holds objects in another version only is not answered: the API server would turn
    /// these into that version.
    pub(crate) fn none_held(&self, wanted: Resources<'_>, plurals: &Plurals) -> Result<Missing, Missing> {
        let kind = wanted.title();
        let is_unknown = self.indices(wanted, plurals).next().is_some()
            || kinds::is_made_by_clusters(wanted.group, wanted.plural)
            || !kinds::is_defined(wanted.group, wanted.plural, plurals);
        if is_unknown { Err(Missing::Kind(kind)) } else { Ok(Missing::Absent { kind, name: String::new() }) }
    }

    /// What it means that one object is not held: `Ok` where it is taken for absent.
    fn not_held(&self, query: ApiPath<'_>, name: &str, plurals: &Plurals) -> Result<Missing, Missing> {
        let wanted = query.resources;
        if (wanted.group, wanted.plural) == ("", "namespaces") {
            return Err(Missing::Namespace(name.to_owned()));
        }
        let is_held = self.indices(wanted, plurals).next().is_some();
        if kinds::is_made_by_clusters(wanted.group, wanted.plural)
            || (!is_held && !kinds::is_defined(wanted.group, wanted.plural, plurals))
        {
            return Err(Missing::Kind(wanted.title()));
        }
        let name = query.namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
        Ok(Missing::Absent { kind: wanted.title(), name })
    }

    /// Gives an entry of the global context a value.
    pub(crate) fn set_global(&mut self, name: &str, value: serde_json::Value) {
        self.globals.insert(name.to_owned(), value);
    }

    /// Gives a call of the API server or of a service an answer: its status and body.
    pub(crate) fn set_response(&mut self, method: &str, url: &str, status: i64, body: serde_json::Value) {
        self.responses.insert((method.to_owned(), url.to_owned()), Response { status, body });
    }

    /// The answer that was given for a call, if one was; absent where the call fails.
    pub(crate) fn response<'v>(&self, method: &str, url: &str, arena: &'v Arena) -> Option<Lookup<'v>> {
        let Response { status, body } = self.responses.get(&(method.to_owned(), url.to_owned()))?;
        Some(match status {
            200..300 => Lookup::Found(Value::from_json(arena, body, Integers::Floats)),
            _ => Lookup::Absent,
        })
    }

    /// The answer that was given for a call, as CEL expressions see it: its body and its status.
    pub(crate) fn whole_response<'v>(&self, method: &str, url: &str, arena: &'v Arena) -> Option<Value<'v>> {
        let Response { status, body } = self.responses.get(&(method.to_owned(), url.to_owned()))?;
        let body = Value::from_json(arena, body, Integers::Floats);
        Some(Value::map_in(arena, &[("body", body), ("statusCode", Value::int(*status))]))
    }

    /// The object with the identity of `resource`: the same group, kind, namespace and name.
    pub(crate) fn old_object(&self, resource: Node<'_>) -> Option<Node<'_>> {
        if self.by_identity.is_empty() {
            return None;
        }
        self.by_identity.get(&Identity::of(resource)?).map(|&index| self.objects[index].node())
    }

    /// An object by group, kind, namespace and name.
    pub(crate) fn object(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<Node<'_>> {
        let text = str::to_owned;
        let identity = Identity { group: text(group), kind: text(kind), namespace: text(namespace), name: text(name) };
        self.by_identity.get(&identity).map(|&index| self.objects[index].node())
    }

    /// Every object, in the order of adding.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Node<'_>> {
        self.objects.iter().map(Object::node)
    }

    /// The labels of a namespace; `None` when nothing is known of it.
    pub(crate) fn namespace_labels<'v>(&'v self, namespace: &str) -> Option<NamespaceLabels<'v>> {
        let object = self.namespace(namespace)?;
        let labels = object.at(&["metadata", "labels"]).map(Value::from);
        if self.is_command_line() {
            return Some(NamespaceLabels::written(labels));
        }
        let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
        Some(NamespaceLabels::named(labels, name))
    }

    /// The Namespace of a name.
    pub(crate) fn namespace(&self, name: &str) -> Option<Node<'_>> {
        self.namespaces.get(name).map(|&index| self.objects[index].node())
    }

    /// The variable of a ConfigMap: its `data` and `metadata`.
    pub(crate) fn config_map<'v>(&'v self, namespace: &str, name: &str, arena: &'v Arena) -> Lookup<'v> {
        if self.is_command_line() {
            return Lookup::Absent;
        }
        let Some(object) = self.object("", "ConfigMap", namespace, name) else { return Lookup::Unknown };
        let mut entries = Vec::new();
        for key in ["data", "binaryData", "metadata"] {
            if let Some(node) = object.get(key) {
                entries.push((if key == "binaryData" { "data" } else { key }, Value::from(node)));
            }
        }
        entries.dedup_by_key(|(key, _)| *key);
        Lookup::Found(Value::map_in(arena, &entries))
    }

    /// An entry of the global context.
    pub(crate) fn global<'v>(&'v self, name: &str, asking: Asking<'_>, arena: &'v Arena) -> Answer<'v> {
        match self.globals.get(name) {
            Some(json) => (Lookup::Found(Value::from_json(arena, json, Integers::Floats)), None),
            None if self.is_command_line() => (Lookup::Absent, None),
            None => self.defined_global(name, asking, arena),
        }
    }

    /// An entry of the global context, or a projection `ENTRY.PROJECTION` of one, as an object of the cluster defines it.
    fn defined_global<'v>(&'v self, name: &str, asking: Asking<'_>, arena: &'v Arena) -> Answer<'v> {
        let entry = |name: &str| self.object("kyverno.io", "GlobalContextEntry", "", name);
        if let Some(object) = entry(name) {
            return self.global_value(object, asking, arena);
        }
        let defined = name.match_indices('.').find_map(|(dot, _)| Some((entry(&name[..dot])?, &name[dot + 1..])));
        let Some((object, projection)) = defined else { return (Lookup::Unknown, None) };
        let named = |node: &Node<'_>| node.str_at(&["name"]) == Some(projection);
        let wanted = object.at(&["spec", "projections"]).and_then(|list| list.items().find(named));
        let Some(Ok(expression)) = wanted.and_then(|node| node.str_at(&["jmesPath"])).map(Expression::parse) else {
            return (Lookup::Absent, None);
        };
        let (found, missing) = self.global_value(object, asking, arena);
        let projected = match found {
            Lookup::Found(value) => match expression.evaluate(&ValueScope { value, now: 0 }, arena) {
                Ok(value) => Lookup::Found(value),
                Err(_) => Lookup::Absent,
            },
            unknown => unknown,
        };
        (projected, missing)
    }

    /// What a `GlobalContextEntry` stands for: the objects of a resource, or the answer of the API server.
    fn global_value<'v>(&'v self, object: Node<'v>, asking: Asking<'_>, arena: &'v Arena) -> Answer<'v> {
        if let Some(path) = object.str_at(&["spec", "apiCall", "urlPath"]) {
            return match self.response("GET", path, arena) {
                Some(given) => (given, None),
                None => self.api(path, asking, arena),
            };
        }
        let Some(resource) = object.at(&["spec", "kubernetesResource"]) else { return (Lookup::Unknown, None) };
        let text = |key: &str| resource.str_at(&[key]).unwrap_or_default();
        let resources = Resources { group: text("group"), version: text("version"), plural: text("resource") };
        let namespace = Some(text("namespace")).filter(|it| !it.is_empty());
        match self.list(resources, namespace, asking) {
            Ok((items, missing)) => {
                let items: Vec<_> = items.into_iter().map(Value::from).collect();
                (Lookup::Found(Value::list_in(arena, &items)), missing)
            }
            Err(missing) => (Lookup::Unknown, Some(missing)),
        }
    }

    /// The objects of a kind, in one namespace or in all.
    ///
    /// # Errors
    /// What is missing, where no object is held and that says nothing.
    pub(crate) fn list(
        &self,
        wanted: Resources<'_>,
        namespace: Option<&str>,
        asking: Asking<'_>,
    ) -> Result<(Vec<Node<'_>>, Option<Missing>), Missing> {
        let (mut all, missing) = self.others(wanted, asking)?;
        all.retain(|node| namespace.is_none() || node.str_at(&["metadata", "namespace"]) == namespace);
        Ok((all, missing))
    }

    /// The objects of a kind but for the one that is about to be made.
    fn others(&self, wanted: Resources<'_>, asking: Asking<'_>) -> Result<(Vec<Node<'_>>, Option<Missing>), Missing> {
        let mut all = self.of_kind(wanted, asking.plurals);
        let is_held = !all.is_empty();
        all.retain(|node| !asking.is_newcomer(*node));
        let says_nothing = kinds::is_made_by_clusters(wanted.group, wanted.plural);
        let is_answer = !all.is_empty() || (is_held && !says_nothing);
        let missing = if is_answer { None } else { Some(self.none_held(wanted, asking.plurals)?) };
        Ok((all, missing))
    }

    /// The API server's text for an object that is known not to be there.
    pub(crate) fn why_absent(path: &str) -> String {
        let Some(query) = ApiPath::parse(path) else { return "not found".to_owned() };
        let Some(name) = query.name else { return format!("no object of {path} is known") };
        let Resources { group, version, plural } = query.resources;
        let absent = format!("{} \"{name}\" not found", query.resources.title());
        let api = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        match gvk::builtin_by_plural(group, plural) {
            Some(builtin) => format!("failed to get resource {api}/{}/{name}: {absent}", builtin.kind),
            None => absent,
        }
    }

    /// The answer of the API server to a GET of a path, such as `/api/v1/namespaces/x/services`.
    pub(crate) fn api<'v>(&'v self, path: &str, asking: Asking<'_>, arena: &'v Arena) -> Answer<'v> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (Some(asked), Some(narrowing)) = (ApiPath::parse(path), Narrowing::parse(query)) else {
            return (Lookup::Unknown, None);
        };
        if self.is_empty() || (self.is_command_line() && !query.is_empty()) {
            return (Lookup::Unknown, None);
        }
        let is_housed =
            |node: &Node<'_>| asked.namespace.is_none() || node.str_at(&["metadata", "namespace"]) == asked.namespace;
        if let Some(name) = asked.name {
            let is_it = |node: &Node<'_>| node.str_at(&["metadata", "name"]) == Some(name) && is_housed(node);
            return match self.of_kind(asked.resources, asking.plurals).into_iter().find(is_it) {
                Some(node) if asking.is_newcomer(node) => (Lookup::Absent, None),
                Some(node) => (Lookup::Found(Value::from(node)), None),
                None if self.is_command_line() => (Lookup::Absent, None),
                None => match self.not_held(asked, name, asking.plurals) {
                    Ok(missing) => (Lookup::Absent, Some(missing)),
                    Err(missing) => (Lookup::Unknown, Some(missing)),
                },
            };
        }
        let (all, missing) = match self.others(asked.resources, asking) {
            // Kyverno: its command line dies when it is to list a kind of which it was given no object.
            Ok((_, Some(_))) | Err(_) if self.is_command_line() => return (Lookup::Absent, None),
            Ok(listed) => listed,
            Err(missing) => return (Lookup::Unknown, Some(missing)),
        };
        let items = narrowing.narrow(all.into_iter().filter(is_housed));
        let items: Vec<_> = items.into_iter().map(Value::from).collect();
        let entries = [
            ("apiVersion", Value::String("v1")),
            ("kind", Value::String("List")),
            ("items", Value::list_in(arena, &items)),
        ];
        (Lookup::Found(Value::map_in(arena, &entries)), missing)
    }
}
