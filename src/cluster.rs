//! What a cluster would know, as far as documents tell: objects, namespaces, ConfigMaps.
//!
//! In: documents of a repository or of `--cluster`, and values given by hand. Out: answers to the look-ups of
//! expressions. Absent and unknown differ: a repository that holds Namespaces knows which exist, a single file does not.

use std::{collections::HashMap, sync::Arc};

use crate::{
    document::{Document, Integers, Node, NodeId},
    expr::{
        Arena, Value,
        jmespath::{Expression, ValueScope},
    },
    k8s::gvk::{self, split_api_version},
};

/// The label that the API server puts on every namespace.
pub(crate) const NAME_LABEL: &str = "kubernetes.io/metadata.name";

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
    globals: HashMap<String, serde_json::Value>,
    responses: HashMap<(String, String), Response>,
    /// What the look-ups of Kyverno's command line find in CEL.
    context: Vec<Object>,
    images: HashMap<String, serde_json::Value>,
    /// Parameters of admission policies on Kyverno's command line.
    parameters: Vec<Object>,
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

impl Cluster {
    /// An empty cluster.
    pub(crate) fn new(law: Law) -> Self {
        Self { law, ..Self::default() }
    }

    /// Whether Kyverno's command line is the measure.
    pub(crate) fn is_command_line(&self) -> bool {
        self.law == Law::CommandLine
    }

    /// Whether no object is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Adds an object; a later one of the same identity replaces the earlier.
    pub(crate) fn add(&mut self, document: &Arc<Document>, node: NodeId) {
        let object = Object { document: Arc::clone(document), node };
        let Some(identity) = Identity::of(object.node()) else {
            self.objects.push(object);
            return;
        };
        if let Some(&index) = self.by_identity.get(&identity) {
            self.objects[index] = object;
        } else {
            self.by_identity.insert(identity, self.objects.len());
            self.objects.push(object);
        }
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
    pub(crate) fn resources<'c, 'w>(
        &'c self,
        wanted: Resources<'w>,
        plurals: &'w gvk::Plurals,
    ) -> impl Iterator<Item = Node<'c>> + use<'c, 'w> {
        let objects = if self.is_command_line() { &self.context } else { &self.objects };
        objects.iter().map(Object::node).filter(move |node| {
            let (group, version) = split_api_version(node.str_at(&["apiVersion"]).unwrap_or_default());
            group == wanted.group
                && version == wanted.version
                && plurals.of(group, node.str_at(&["kind"]).unwrap_or_default()) == wanted.plural
        })
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
    pub(crate) fn namespace_labels<'v>(&'v self, namespace: &str, arena: &'v Arena) -> Option<Value<'v>> {
        let object = self.object("", "Namespace", "", namespace)?;
        let labels = object.at(&["metadata", "labels"]);
        if self.is_command_line() || labels.is_some_and(|it| it.get(NAME_LABEL).is_some()) {
            return Some(labels.map_or_else(|| Value::map_in(arena, &[]), Value::from));
        }
        let entries = labels.into_iter().flat_map(Node::entries).map(|(key, value)| (key, Value::from(value)));
        let mut entries: Vec<_> = entries.collect();
        entries.push((NAME_LABEL, Value::string_in(arena, namespace)));
        Some(Value::map_in(arena, &entries))
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
    pub(crate) fn global<'v>(&'v self, name: &str, arena: &'v Arena) -> Lookup<'v> {
        match self.globals.get(name) {
            Some(json) => Lookup::Found(Value::from_json(arena, json, Integers::Floats)),
            None if self.is_command_line() => Lookup::Absent,
            None => self.defined_global(name, arena),
        }
    }

    /// An entry of the global context, or a projection `ENTRY.PROJECTION` of one, as an object of the cluster defines it.
    fn defined_global<'v>(&'v self, name: &str, arena: &'v Arena) -> Lookup<'v> {
        let entry = |name: &str| self.object("kyverno.io", "GlobalContextEntry", "", name);
        if let Some(object) = entry(name) {
            return self.global_value(object, arena);
        }
        let defined = name.match_indices('.').find_map(|(dot, _)| Some((entry(&name[..dot])?, &name[dot + 1..])));
        let Some((object, projection)) = defined else { return Lookup::Unknown };
        let named = |node: &Node<'_>| node.str_at(&["name"]) == Some(projection);
        let wanted = object.at(&["spec", "projections"]).and_then(|list| list.items().find(named));
        let Some(Ok(expression)) = wanted.and_then(|node| node.str_at(&["jmesPath"])).map(Expression::parse) else {
            return Lookup::Absent;
        };
        match self.global_value(object, arena) {
            Lookup::Found(value) => match expression.evaluate(&ValueScope { value, now: 0 }, arena) {
                Ok(value) => Lookup::Found(value),
                Err(_) => Lookup::Absent,
            },
            unknown => unknown,
        }
    }

    /// What a `GlobalContextEntry` stands for: the objects of a resource, or the answer of the API server.
    fn global_value<'v>(&'v self, object: Node<'v>, arena: &'v Arena) -> Lookup<'v> {
        if let Some(path) = object.str_at(&["spec", "apiCall", "urlPath"]) {
            return self.response("GET", path, arena).unwrap_or_else(|| self.api(path, arena));
        }
        let Some(resource) = object.at(&["spec", "kubernetesResource"]) else { return Lookup::Unknown };
        let text = |key: &str| resource.str_at(&[key]).unwrap_or_default();
        let query = ApiPath {
            group: text("group"),
            version: text("version"),
            namespace: Some(text("namespace")).filter(|it| !it.is_empty()),
            plural: text("resource"),
            name: None,
        };
        let items: Vec<_> = self.matching(query).map(Value::from).collect();
        Lookup::Found(Value::list_in(arena, &items))
    }

    /// The objects of a kind, in one namespace or in all.
    fn matching<'v, 'q>(&'v self, query: ApiPath<'q>) -> impl Iterator<Item = Node<'v>> + use<'v, 'q> {
        self.objects().filter(move |node| {
            let (group, version) = split_api_version(node.str_at(&["apiVersion"]).unwrap_or_default());
            let kind = node.str_at(&["kind"]).unwrap_or_default();
            let namespace = node.str_at(&["metadata", "namespace"]);
            group == query.group
                && version == query.version
                && gvk::plural(group, kind) == query.plural
                && query.namespace.is_none_or(|it| namespace == Some(it))
        })
    }

    /// The API server's text for an object that is known not to be there.
    pub(crate) fn why_absent(path: &str) -> String {
        let Some(query) = ApiPath::parse(path) else { return "not found".to_owned() };
        let Some(name) = query.name else { return format!("no object of {path} is known") };
        let resource = match query.group {
            "" => query.plural.to_owned(),
            group => format!("{}.{group}", query.plural),
        };
        let absent = format!("{resource} \"{name}\" not found");
        let api = if query.group.is_empty() {
            query.version.to_owned()
        } else {
            format!("{}/{}", query.group, query.version)
        };
        match gvk::builtin_by_plural(query.group, query.plural) {
            Some(builtin) => format!("failed to get resource {api}/{}/{name}: {absent}", builtin.kind),
            None => absent,
        }
    }

    /// The answer of the API server to a GET of a path, such as `/api/v1/namespaces/x/services`.
    pub(crate) fn api<'v>(&'v self, path: &str, arena: &'v Arena) -> Lookup<'v> {
        let Some(query) = ApiPath::parse(path) else { return Lookup::Unknown };
        let mut matching = self.matching(query);
        if let Some(name) = query.name {
            return match matching.find(|node| node.str_at(&["metadata", "name"]) == Some(name)) {
                Some(node) => Lookup::Found(Value::from(node)),
                None if self.is_empty() => Lookup::Unknown,
                None => Lookup::Absent,
            };
        }
        let items: Vec<_> = matching.map(Value::from).collect();
        if items.is_empty() && self.is_empty() {
            return Lookup::Unknown;
        }
        // Kyverno: its command line dies when it is to list a kind of which it was given no object.
        if items.is_empty()
            && self.is_command_line()
            && self.matching(ApiPath { namespace: None, ..query }).next().is_none()
        {
            return Lookup::Absent;
        }
        let entries = [
            ("apiVersion", Value::String("v1")),
            ("kind", Value::String("List")),
            ("items", Value::list_in(arena, &items)),
        ];
        Lookup::Found(Value::map_in(arena, &entries))
    }
}

/// A path of the API server, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ApiPath<'p> {
    group: &'p str,
    version: &'p str,
    namespace: Option<&'p str>,
    plural: &'p str,
    name: Option<&'p str>,
}

impl<'p> ApiPath<'p> {
    /// Reads `/api/v1/…` and `/apis/GROUP/VERSION/…`; paths with a query are not read.
    fn parse(path: &'p str) -> Option<Self> {
        if path.contains('?') {
            return None;
        }
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, plural, name) = match rest {
            ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
            ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
            [plural] => (None, *plural, None),
            [plural, name] => (None, *plural, Some(*name)),
            _ => return None,
        };
        Some(Self { group, version, namespace, plural, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_api_server_are_taken_apart() {
        let parsed = ApiPath::parse("/apis/apps/v1/namespaces/x/deployments/d").expect("a path");
        assert_eq!((parsed.group, parsed.plural, parsed.name), ("apps", "deployments", Some("d")));
        let parsed = ApiPath::parse("/api/v1/namespaces/x").expect("a path");
        assert_eq!((parsed.plural, parsed.name), ("namespaces", Some("x")));
    }
}
