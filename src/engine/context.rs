//! The names that expressions of a rule can read: `request`, `images`, `element`, context entries, supplied values.
//!
//! In: a request, the cluster as far as it is known, the context entries of a rule. Out: a [`Scope`] for expressions.
//! Entries are loaded when an expression asks for them, once; an entry sees only entries declared before it.

use std::cell::{Cell, OnceCell, RefCell};

use super::{World, cel::matching::Target, images, pod_security::LastPod, request::Request, unsettled::Missed};
use crate::{
    cluster::{Answer, Asking, Cluster, Lookup},
    document::{Document, Integers},
    expr::{
        Arena, Map, Partial, Value,
        jmespath::{EvalError, Expression, Scope},
        template::{Path, Template},
    },
    k8s::gvk,
    policy::classic::context::{ContextEntry, Source},
};

/// What is the same for all rules of one request.
pub(crate) struct Session<'v> {
    /// Memory for computed values.
    pub arena: &'v Arena,
    /// The request.
    pub request: &'v Request<'v>,
    /// What is known of the cluster.
    pub cluster: &'v Cluster,
    /// Nanoseconds since 1970, UTC.
    pub now: i128,
    /// What is the same for the whole run.
    pub world: World<'v>,
    target: OnceCell<Option<Target<'v>>>,
    root: OnceCell<Value<'v>>,
    images: RefCell<Option<Result<Option<Value<'v>>, EvalError>>>,
    /// The Pod that rules for pod security look at.
    pub pod: LastPod<'v>,
    /// What look-ups hung on that is not held.
    pub(super) missed: Missed<'v>,
}

impl<'v> Session<'v> {
    /// Prepares the names that all rules share.
    pub(crate) fn new(request: &'v Request<'v>, world: World<'v>, arena: &'v Arena) -> Self {
        let World { cluster, now, .. } = world;
        Self {
            arena,
            request,
            cluster,
            now,
            world,
            target: OnceCell::new(),
            root: OnceCell::new(),
            images: RefCell::default(),
            pod: LastPod::default(),
            missed: Missed::new(arena),
        }
    }

    /// What look-ups depend on besides the cluster.
    pub(crate) fn asking(&self) -> Asking<'v> {
        // Kyverno: its command line looks things up among all that it was given.
        let newcomer = self.request.newcomer().filter(|_| !self.cluster.is_command_line());
        Asking { plurals: self.world.policies.plurals(), newcomer }
    }

    /// The value of `request`: many rules never ask for it.
    fn root(&self) -> Value<'v> {
        *self.root.get_or_init(|| request_value(self.request, self.cluster, self.arena))
    }

    /// What the constraints of policies in CEL ask of the request; `None` without an object.
    pub(crate) fn target(&self) -> Option<&Target<'v>> {
        let target = || Target::new(self.request, self.world.policies.plurals(), self.cluster, self.arena);
        self.target.get_or_init(target).as_ref()
    }

    /// A look-up, after a note of what it hung on.
    fn noted(&self, (found, missing): Answer<'v>) -> Lookup<'v> {
        if let Some(missing) = missing {
            self.missed.note(&missing);
        }
        found
    }

    fn images(&self) -> Result<Option<Value<'v>>, EvalError> {
        let mut cached = self.images.borrow_mut();
        cached
            .get_or_insert_with(|| match self.request.resource() {
                Some(resource) => images::value(resource, self.arena).map_err(|text| EvalError::Context { text }),
                None => Ok(None),
            })
            .clone()
    }
}

/// Who asks, for messages about what takes to know it.
pub(crate) const WHO_ASKS: &str = "who makes the request (--userinfo or admit.yaml says it)";

/// What no manifest tells of a request, for messages.
pub(crate) const MADE_UP: &str = "what the API server makes up for each request";

/// The value of `request`. What only a cluster knows stands in it as unknown.
fn request_value<'v>(request: &'v Request<'v>, cluster: &Cluster, arena: &'v Arena) -> Value<'v> {
    let mut entries: Vec<(&'v str, Value<'v>)> = Vec::new();
    if let Some(node) = request.object {
        entries.push(("object", Value::from(node)));
    }
    if let Some(node) = request.old_object {
        entries.push(("oldObject", Value::from(node)));
    }
    entries.push(("operation", Value::String(request.operation.name())));
    // Kyverno: on DELETE every `request.object` of an expression reads `request.oldObject`.
    if request.object.is_none()
        && let Some(node) = request.old_object
    {
        entries.push(("object", Value::from(node)));
    }
    let namespace = request.resource().and_then(|node| node.str_at(&["metadata", "namespace"])).unwrap_or_default();
    entries.push(("namespace", Value::String(namespace)));
    if let Some(user) = request.user {
        let strings = |list: &'v [String]| {
            let items: Vec<_> = list.iter().map(|text| Value::String(text)).collect();
            Value::list_in(arena, &items)
        };
        let mut info = vec![("username", Value::String(&user.username))];
        if !user.uid.is_empty() {
            info.push(("uid", Value::String(&user.uid)));
        }
        if !user.groups.is_empty() {
            info.push(("groups", strings(&user.groups)));
        }
        entries.push(("userInfo", Value::map_in(arena, &info)));
        if !user.roles.is_empty() {
            entries.push(("roles", strings(&user.roles)));
        }
        if !user.cluster_roles.is_empty() {
            entries.push(("clusterRoles", strings(&user.cluster_roles)));
        }
    }
    if !cluster.is_command_line() {
        let mut unknown = vec![("uid", MADE_UP), ("options", MADE_UP)];
        if request.user.is_none() {
            let of_user = ["username", "uid", "groups", "extra"].map(|name| (name, WHO_ASKS));
            entries.push(("userInfo", partial(arena, &[], &of_user)));
            unknown.extend(["roles", "clusterRoles"].map(|name| (name, WHO_ASKS)));
        }
        entries.extend(admission_entries(request, arena));
        return partial(arena, &entries, &unknown);
    }
    Value::map_in(arena, &entries)
}

/// A map of which a part is known.
fn partial<'v>(arena: &'v Arena, known: &[(&'v str, Value<'v>)], unknown: &[(&'v str, &'v str)]) -> Value<'v> {
    let (known, unknown) = (arena.alloc_slice_copy(known), arena.alloc_slice_copy(unknown));
    Value::Map(Map::Partial(arena.alloc(Partial { known, unknown })))
}

/// What the API server says of a request, and Kyverno's command line doesn't know.
fn admission_entries<'v>(request: &'v Request<'v>, arena: &'v Arena) -> [(&'v str, Value<'v>); 7] {
    let kind = request.kind();
    let group_version = |last: (&'v str, Value<'v>)| {
        let entries = [("group", Value::String(kind.group)), ("version", Value::String(kind.version)), last];
        Value::map_in(arena, &entries)
    };
    let of_kind = group_version(("kind", Value::String(kind.kind)));
    let plural = Value::string_in(arena, &gvk::plural(kind.group, kind.kind));
    let of_resource = group_version(("resource", plural));
    let name = request.resource().and_then(|node| node.str_at(&["metadata", "name"])).unwrap_or_default();
    [
        ("name", Value::String(name)),
        ("kind", of_kind),
        ("resource", of_resource),
        ("requestKind", of_kind),
        ("requestResource", of_resource),
        ("subResource", Value::String(request.subresource)),
        ("dryRun", Value::Bool(false)),
    ]
}

/// Two maps as one; where both have a key, maps are joined and otherwise `over` counts.
pub(crate) fn merge<'v>(under: Value<'v>, over: Value<'v>, arena: &'v Arena) -> Value<'v> {
    let (Value::Map(a), Value::Map(b)) = (under, over) else { return over };
    let mut entries: Vec<(&'v str, Value<'v>)> = a.iter().collect();
    for (key, value) in b.iter() {
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = merge(entry.1, value, arena),
            None => entries.push((key, value)),
        }
    }
    // What is given is known.
    let unknown: Vec<_> = match a {
        Map::Partial(map) => map.unknown.iter().filter(|(key, _)| b.get(key).is_none()).copied().collect(),
        Map::Node(_) | Map::Entries(_) => Vec::new(),
    };
    if unknown.is_empty() { Value::map_in(arena, &entries) } else { partial(arena, &entries, &unknown) }
}

/// One context entry while its rule is evaluated.
struct Loading<'v> {
    entry: &'v ContextEntry,
    document: &'v Document,
    /// Number of entries before it: all it can see.
    visible: usize,
    value: RefCell<Option<Result<Option<Value<'v>>, EvalError>>>,
}

/// The values given for one rule.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given<'v> {
    /// For the whole rule.
    pub values: Option<Value<'v>>,
    /// For the elements of a foreach: lists by dotted name.
    pub foreach: &'v [(&'v str, Value<'v>)],
}

/// The names for one rule.
pub(crate) struct RuleScope<'v, 's> {
    session: &'s Session<'v>,
    supplied: Given<'v>,
    entries: RefCell<Vec<std::rc::Rc<Loading<'v>>>>,
    bindings: RefCell<Vec<(&'v str, Value<'v>)>>,
    /// How many entries the expression that is evaluated now can see.
    visible: Cell<usize>,
    /// How much the entries hold that were loaded, in bytes of JSON.
    loaded: Cell<usize>,
}

/// The most that the entries of one rule may hold, in bytes of JSON.
const MAX_LOADED: usize = 2 << 20;

impl<'v, 's> RuleScope<'v, 's> {
    /// The names for a rule; `supplied` are the values given for it.
    pub(crate) fn new(session: &'s Session<'v>, supplied: Given<'v>) -> Self {
        Self {
            session,
            supplied,
            entries: RefCell::default(),
            bindings: RefCell::default(),
            visible: Cell::new(usize::MAX),
            loaded: Cell::new(0),
        }
    }

    /// Memory for computed values.
    pub(crate) fn arena(&self) -> &'v Arena {
        self.session.arena
    }

    /// What is the same for all rules of the request.
    pub(crate) fn session(&self) -> &'s Session<'v> {
        self.session
    }

    /// Declares entries, visible from now on.
    pub(crate) fn declare(&self, entries: &'v [ContextEntry], document: &'v Document) {
        let mut known = self.entries.borrow_mut();
        for entry in entries {
            let visible = known.len();
            known.push(std::rc::Rc::new(Loading { entry, document, visible, value: RefCell::default() }));
        }
    }

    /// The entry that a name stands for now.
    pub(crate) fn entry(&self, name: &str) -> Option<&'v ContextEntry> {
        self.entries.borrow().iter().rev().map(|loading| loading.entry).find(|entry| entry.name == name)
    }

    /// The entries that were asked for so far, each with its value or why there is none, for people who ask.
    pub(crate) fn loaded(&self) -> Vec<(&'v str, String)> {
        let told = |loading: &std::rc::Rc<Loading<'v>>| {
            let text = match loading.value.borrow().as_ref()? {
                Ok(Some(value)) => value.to_json(),
                Ok(None) => "nothing is known of it".to_owned(),
                Err(error) => error.to_string(),
            };
            Some((loading.entry.name.as_str(), text))
        };
        self.entries.borrow().iter().filter_map(told).collect()
    }

    /// A mark for [`RuleScope::reset`].
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.entries.borrow().len(), self.bindings.borrow().len())
    }

    /// Forgets entries and bindings made since the mark.
    pub(crate) fn reset(&self, mark: (usize, usize)) {
        self.entries.borrow_mut().truncate(mark.0);
        self.bindings.borrow_mut().truncate(mark.1);
    }

    /// Binds a name, such as `element`.
    pub(crate) fn bind(&self, name: &'v str, value: Value<'v>) {
        self.bindings.borrow_mut().push((name, value));
    }

    /// Binds the values given for an element of a foreach.
    ///
    /// Differs: Kyverno's command line gives the first item of each list to every element. Here each element has its own
    /// item, and the first one only where the list is too short.
    pub(crate) fn bind_given(&self, index: usize) {
        let item = |list: Value<'v>| match list {
            Value::List(list) => list.get(index).or_else(|| list.get(0)),
            other => Some(other),
        };
        let pairs = self.supplied.foreach.iter().filter_map(|(name, list)| Some((*name, item(*list)?)));
        for (name, value) in nest_values(pairs, self.arena()).iter() {
            self.bind(name, value);
        }
    }

    fn load(&self, loading: &Loading<'v>) -> Result<Option<Value<'v>>, EvalError> {
        if let Some(known) = loading.value.borrow().as_ref() {
            return known.clone();
        }
        let before = self.visible.replace(loading.visible);
        let mut value = self.read(loading);
        self.visible.set(before);
        if let Ok(Some(found)) = &value {
            self.loaded.set(self.loaded.get() + found.json_size());
            if self.loaded.get() > MAX_LOADED {
                value = Err(EvalError::Context { text: "context size limit exceeded".to_owned() });
            }
        }
        *loading.value.borrow_mut() = Some(value.clone());
        value
    }

    fn read(&self, loading: &Loading<'v>) -> Result<Option<Value<'v>>, EvalError> {
        let entry = loading.entry;
        let arena = self.session.arena;
        let failed = |text: String| EvalError::Context { text };
        let text = |template: &'v Template| -> Result<String, EvalError> {
            match template.resolve(&Path::Root, self, arena) {
                Ok(Value::String(text)) => Ok(text.to_owned()),
                Ok(other) => Ok(other.to_json()),
                Err(error) => Err(match error.query() {
                    Some(EvalError::Indeterminate { missing }) => EvalError::Indeterminate { missing: missing.clone() },
                    _ => failed(error.to_string()),
                }),
            }
        };
        let answer = |lookup: Lookup<'v>, what: String| match lookup {
            Lookup::Found(value) => Ok(Some(value)),
            Lookup::Absent => Ok(None),
            Lookup::Unknown => Err(EvalError::Indeterminate { missing: what }),
        };
        match &entry.source {
            Source::Variable { value, jmes_path, default } => {
                let tree = |tree: &'v crate::expr::template::Tree| {
                    tree.resolve(loading.document, &Path::Root, self, arena).map_err(|error| match error.query() {
                        Some(EvalError::Indeterminate { missing }) => {
                            EvalError::Indeterminate { missing: missing.clone() }
                        }
                        _ => failed(error.to_string()),
                    })
                };
                let query = match jmes_path {
                    Some(template) => Some(text(template)?),
                    None => None,
                };
                let result = match (value, query) {
                    (Some(value), None) => tree(value),
                    (Some(value), Some(query)) => tree(value).and_then(|value| self.query(&query, Some(value))),
                    (None, Some(query)) => self.query(&query, None),
                    (None, None) => Ok(Value::Null),
                };
                // A default is for what a cluster lacks, not for what is not known here.
                let result = match result {
                    Err(error @ (EvalError::Indeterminate { .. } | EvalError::LimitExceeded { .. })) => {
                        return Err(error);
                    }
                    other => other.map_err(|error| error.to_string()),
                };
                let fallback = || match default {
                    Some(default) => tree(default).ok().filter(|value| !value.is_null()),
                    None => None,
                };
                match result {
                    Ok(value) if !value.is_null() => Ok(Some(value)),
                    Ok(_) => fallback().map(Some).ok_or_else(|| EvalError::Context {
                        text: format!(
                            "failed to add context entry for variable {} since it evaluated to nil",
                            entry.name
                        ),
                    }),
                    Err(error) => fallback().map(Some).ok_or_else(|| failed(error)),
                }
            }
            Source::ConfigMap { name, namespace } => {
                let (name, namespace) = (text(name)?, text(namespace)?);
                let found = self.session.cluster.config_map(&namespace, &name, arena);
                answer(found, format!("the ConfigMap {namespace}/{name}"))
            }
            Source::ApiCall { url_path, service, method, jmes_path, default } => {
                let url = url_path.as_ref().or(service.as_ref()).map(text).transpose()?.unwrap_or_default();
                let cluster = self.session.cluster;
                let known = match cluster.response(method, &url, arena) {
                    Some(known) => known,
                    None if url_path.is_some() && method == "GET" => {
                        self.session.noted(cluster.api(&url, self.session.asking(), arena))
                    }
                    None => Lookup::Unknown,
                };
                let fetched = match known {
                    Lookup::Found(value) => Some(value),
                    Lookup::Absent => None,
                    Lookup::Unknown if default.is_some() && cluster.is_command_line() => None,
                    Lookup::Unknown if cluster.is_command_line() && url_path.is_some() => return Ok(None),
                    Lookup::Unknown if url_path.is_some() => {
                        return Err(EvalError::Indeterminate { missing: format!("the answer of {url}") });
                    }
                    Lookup::Unknown => {
                        return Err(EvalError::Indeterminate { missing: format!("the answer of the service {url}") });
                    }
                };
                let result = match (fetched, jmes_path) {
                    (Some(value), Some(query)) => {
                        let query = text(query)?;
                        self.query(&query, Some(value)).map(Some)
                    }
                    (value, _) => Ok(value),
                };
                let fallback = || match default {
                    Some(tree) => tree.resolve(loading.document, &Path::Root, self, arena).ok(),
                    None => None,
                };
                match result {
                    Ok(Some(value)) if !value.is_null() => Ok(Some(value)),
                    Ok(Some(value)) => Ok(Some(fallback().unwrap_or(value))),
                    Ok(None) => fallback().map(Some).ok_or_else(|| {
                        let why = Cluster::why_absent(&url);
                        let text = "failed to fetch data for APICall: failed to GET resource with raw url";
                        failed(format!("{text}: {url}: {why}"))
                    }),
                    Err(error @ EvalError::Indeterminate { .. }) => Err(error),
                    Err(error) => fallback().map(Some).ok_or_else(|| failed(error.to_string())),
                }
            }
            Source::ImageRegistry { reference, .. } => {
                if self.session.cluster.is_command_line() {
                    return Ok(None);
                }
                let image = text(reference)?;
                Err(EvalError::Indeterminate { missing: format!("the registry's data of {image}") })
            }
            Source::Global { name, jmes_path } => {
                let name = text(name)?;
                let found = self.session.noted(self.session.cluster.global(&name, self.session.asking(), arena));
                let found = answer(found, format!("the global context entry {name}"))?;
                match (found, jmes_path) {
                    (Some(value), Some(query)) => {
                        let query = text(query)?;
                        self.query(&query, Some(value)).map(Some)
                    }
                    (value, _) => Ok(value),
                }
            }
        }
    }

    /// Evaluates an expression that is known only now, over a value or over the names.
    fn query(&self, text: &str, over: Option<Value<'v>>) -> Result<Value<'v>, EvalError> {
        let arena = self.session.arena;
        let expression = Expression::parse(text)
            .map_err(|error| EvalError::Context { text: format!("failed to compile jmespath {text}: {error}") })?;
        match over {
            Some(value) => {
                let scope = crate::expr::jmespath::ValueScope { value, now: self.session.now };
                expression.evaluate(&scope, arena)
            }
            None => expression.evaluate(self, arena),
        }
    }
}

impl<'v> Scope<'v> for RuleScope<'v, '_> {
    fn lookup(&self, name: &str) -> Result<Option<Value<'v>>, EvalError> {
        if let Some((_, value)) = self.bindings.borrow().iter().rev().find(|(known, _)| *known == name) {
            return Ok(Some(*value));
        }
        let supplied = self.supplied.values.and_then(|values| values.get(name));
        let loading = {
            let entries = self.entries.borrow();
            let visible = self.visible.get().min(entries.len());
            entries[..visible].iter().rev().find(|loading| loading.entry.name == name).cloned()
        };
        if let Some(loading) = loading {
            // Kyverno: a supplied value stands in for what only a cluster knows, but not for a variable.
            if supplied.is_none() || matches!(loading.entry.source, Source::Variable { .. }) {
                return self.load(&loading);
            }
        }
        let known = match name {
            "request" => Some(self.session.root()),
            "images" => self.session.images()?,
            "serviceAccountName" | "serviceAccountNamespace"
                if supplied.is_none()
                    && self.session.request.user.is_none()
                    && !self.session.cluster.is_command_line() =>
            {
                return Err(EvalError::unknown(WHO_ASKS));
            }
            "serviceAccountName" | "serviceAccountNamespace" => self.session.request.user.map(|user| {
                let mut parts = user.username.strip_prefix("system:serviceaccount:").unwrap_or("").splitn(2, ':');
                let (namespace, account) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
                Value::string_in(self.session.arena, if name == "serviceAccountName" { account } else { namespace })
            }),
            _ => None,
        };
        Ok(match (known, supplied) {
            (Some(known), Some(over)) => Some(merge(known, over, self.session.arena)),
            (known, over) => known.or(over),
        })
    }

    fn whole(&self) -> Result<Value<'v>, EvalError> {
        let mut entries: Vec<(&'v str, Value<'v>)> = Vec::new();
        if let Some(Value::Map(map)) = self.supplied.values {
            entries.extend(map.iter());
        }
        entries.retain(|(key, _)| *key != "request");
        if let Some(request) = self.lookup("request")? {
            entries.push(("request", request));
        }
        for (name, value) in self.bindings.borrow().iter() {
            entries.retain(|(key, _)| key != name);
            entries.push((name, *value));
        }
        Ok(Value::map_in(self.session.arena, &entries))
    }

    fn now(&self) -> i128 {
        self.session.now
    }
}

/// Values under dotted names as nested maps: `a.b: 1` becomes `{a: {b: 1}}`.
pub(crate) fn nest<'v>(pairs: impl Iterator<Item = (&'v str, &'v serde_json::Value)>, arena: &'v Arena) -> Map<'v> {
    nest_values(pairs.map(|(name, json)| (name, Value::from_json(arena, json, Integers::Floats))), arena)
}

fn nest_values<'v>(pairs: impl Iterator<Item = (&'v str, Value<'v>)>, arena: &'v Arena) -> Map<'v> {
    let mut root = Value::map_in(arena, &[]);
    for (name, mut value) in pairs {
        for part in name.rsplit('.') {
            value = Value::map_in(arena, &[(part, value)]);
        }
        root = merge(root, value, arena);
    }
    match root {
        Value::Map(map) => map,
        _ => Map::Entries(&[]),
    }
}
