//! What the names of expressions stand for: `object`, `request`, `namespaceObject`, `params`, `exceptions`.
//!
//! In: a request, and what kind of policy looks at it. Out: the values of its expressions, or why they have none.
//! The kinds see the same request in different ways, and Kyverno's command line in yet another.

use super::{
    Status, Verdict,
    equivalent::{As, api_version},
    exceptions::Exemption,
    host::{Answers, Made},
    matching::Target,
};
use crate::{
    cluster::NAME_LABEL,
    document::Node,
    engine::{
        context::{MADE_UP, Session, WHO_ASKS},
        evidence,
        outcome::Evidence,
        request::kind_of,
    },
    expr::{
        self, Arena,
        cel::{EvalError, Map, Open, Root, Scope, Value},
    },
    policy::{
        Operation,
        cel::{Expression, Flaw, Reads, Variables},
    },
};

/// The variables of what has none.
pub(super) static NO_VARIABLES: Variables = Variables::NONE;

/// What is not known of a namespace that is not at hand, beside its name and labels.
const NAMESPACE_METADATA: [&str; 10] = [
    "generateName",
    "namespace",
    "annotations",
    "UID",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "resourceVersion",
    "finalizers",
];

/// The user that Kyverno's command line makes up for policies of Kubernetes.
const SCANNER: &str = "system:kyverno:background-scan";

/// Who looks at a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// A policy of Kyverno, or an exception to one.
    Policy,
    /// A policy of Kyverno that looks at JSON of any kind.
    Payload,
    /// A policy of Kyverno that looks at what is there: nobody asks for anything.
    Standing,
    /// A policy of Kubernetes.
    Admission,
    /// A rule of a `ClusterPolicy` or `Policy`.
    Rule,
}

/// Why an expression has no value.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// A cluster would say so, too.
    Error(String),
    /// It takes something that is not known here.
    Unknown(String),
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Indeterminate { missing } => Failure::Unknown(missing.into()),
            error => Failure::Error(error.to_string()),
        }
    }
}

impl From<&Flaw> for Failure {
    fn from(flaw: &Flaw) -> Self {
        Failure::Error(format!("compilation error: compilation failed: {}", flaw.text))
    }
}

impl Failure {
    /// Several failures as one. An error that a cluster would meet, too, decides.
    pub(super) fn all(failures: Vec<Failure>) -> Option<Failure> {
        let errors = failures.iter().filter_map(|it| match it {
            Failure::Error(text) => Some(text.as_str()),
            Failure::Unknown(_) => None,
        });
        let errors: Vec<&str> = errors.collect();
        match errors.as_slice() {
            [] => failures.into_iter().next(),
            [only] => Some(Failure::Error((*only).to_owned())),
            several => Some(Failure::Error(format!("[{}]", several.join(", ")))),
        }
    }

    /// What is said of it.
    pub(super) fn text(&self) -> String {
        match self {
            Failure::Error(text) => text.clone(),
            Failure::Unknown(what) => format!("{what} is not known here"),
        }
    }

    /// The verdict that it comes to; `text` makes a message of an error.
    pub(super) fn verdict(&self, text: impl Fn(&str) -> String) -> Verdict {
        match self {
            Failure::Error(error) => Verdict::new(Status::Error, text(error)),
            Failure::Unknown(_) => Verdict::new(Status::Indeterminate, self.text()),
        }
    }
}

/// The names that the expressions of one policy may use.
pub(super) struct Names<'v> {
    scope: Scope<'v>,
    host: &'v Answers<'v>,
    resource: Option<Node<'v>>,
    /// Why no expression can be evaluated.
    broken: Option<&'v Flaw>,
}

impl<'v> Names<'v> {
    /// The names for a request, as a policy of the namespace `home` sees them; `reads` is what its expressions read.
    pub(super) fn new(
        session: &Session<'v>,
        home: &'v str,
        sight: Sight,
        variables: &'v Variables,
        reads: Reads,
    ) -> Self {
        let (arena, request) = (session.arena, session.request);
        let host: &Answers<'v> = arena.alloc(Answers::new(session, home));
        let mut scope = Scope::new(arena, host, &variables.programs, session.now);
        let resource = request.resource();
        if sight == Sight::Payload {
            scope.set(Root::Object, resource.map_or(Value::Null, Value::from));
            for root in [Root::OldObject, Root::Request, Root::NamespaceObject] {
                scope.set(root, Value::Null);
            }
        } else {
            let view = View { session, sight, version: None };
            let [object, old_object] = view.objects();
            scope.set(Root::Object, object);
            if sight != Sight::Standing {
                scope.set(Root::OldObject, old_object);
            }
            if reads.request && sight != Sight::Standing {
                scope.set(Root::Request, view.request());
            }
            if reads.namespace {
                scope.set(Root::NamespaceObject, view.namespace());
            }
            if matches!(sight, Sight::Rule | Sight::Admission) {
                scope.set(Root::Authorizer, view.authorizer());
            }
        }
        scope.set(Root::Exceptions, exceptions(&[], arena));
        let broken = variables.broken.first().and_then(|it| it.program().err());
        Self { scope, host, resource, broken }
    }

    /// The names for a policy that sees the object in another version, which differs in nothing else.
    pub(super) fn converted(mut self, session: &Session<'v>, sight: Sight, version: As<'v>) -> Self {
        if version.is_some() {
            let view = View { session, sight, version };
            let [object, old_object] = view.objects();
            self.scope.set(Root::Object, object);
            self.scope.set(Root::OldObject, old_object);
            self.scope.set(Root::Request, view.request());
        }
        self
    }

    /// The names for a policy that may look at the lists of exceptions.
    pub(super) fn exempting(mut self, exemption: &Exemption<'v>) -> Self {
        if let Exemption::Partial(partial) = exemption {
            let waivers: Vec<_> = partial.iter().filter_map(|it| it.cel.as_ref()).collect();
            let value = exceptions(&waivers, self.scope.arena());
            self.scope.set(Root::Exceptions, value);
        }
        self
    }

    /// The names for a policy with parameters; null where there are none.
    pub(super) fn parameterized(mut self, params: Option<expr::Value<'v>>) -> Self {
        let value = params.map_or(Value::Null, |params| Value::from_expr(self.scope.arena(), params));
        self.scope.set(Root::Params, value);
        self
    }

    /// The look-ups of the expressions.
    pub(super) fn host(&self) -> &'v Answers<'v> {
        self.host
    }

    /// Says what one more name stands for.
    pub(super) fn set(&mut self, root: Root, value: Value<'v>) {
        self.scope.set(root, value);
    }

    /// The names where another object than that of the request is looked at.
    pub(super) fn seeing(mut self, object: Node<'v>) -> Self {
        self.scope.set(Root::Object, Value::from(object));
        self
    }

    /// The value of an expression.
    pub(super) fn value(&self, expression: &'v Expression) -> Result<Value<'v>, Failure> {
        if let Some(flaw) = self.broken {
            return Err(Failure::from(flaw));
        }
        let program = expression.program().map_err(Failure::from)?;
        Ok(program.evaluate(&self.scope)?)
    }

    /// The value of an expression that is a boolean.
    pub(super) fn truth(&self, expression: &'v Expression) -> Result<bool, Failure> {
        let value = self.value(expression)?;
        value.as_bool().ok_or_else(|| Failure::Error("no such overload".to_owned()))
    }

    /// The value of an expression as JSON has it.
    pub(super) fn plain(&self, expression: &'v Expression) -> Result<expr::Value<'v>, Failure> {
        let value = self.value(expression)?;
        self.scope.charge_parts(value)?;
        let no_form = || Failure::Error(format!("a value of type {} can't be written as JSON", value.type_name()));
        value.to_expr(self.scope.arena()).ok_or_else(no_form)
    }

    /// What `generator.apply` was called with so far: the namespace and the list of objects, as JSON has it.
    pub(super) fn made(&self) -> Result<Vec<(&'v str, expr::Value<'v>)>, Failure> {
        let plain = |it: Made<'v>| {
            self.scope.charge_parts(it.objects)?;
            let no_form = || Failure::Error("generator.apply: the objects can't be written as JSON".to_owned());
            Ok((it.namespace, it.objects.to_expr(self.scope.arena()).ok_or_else(no_form)?))
        };
        self.host.made().into_iter().map(plain).collect()
    }

    /// The text of an expression; nothing for null.
    pub(super) fn text(&self, expression: &'v Expression) -> Result<Option<String>, Failure> {
        match self.value(expression)? {
            Value::String(text) => Ok(Some(text.to_owned())),
            Value::Null => Ok(None),
            _ => Err(Failure::Error("no such overload".to_owned())),
        }
    }

    /// Where to look for what makes an expression false.
    pub(super) fn blame(&self, expression: &'v Expression) -> Evidence {
        let found = expression.program().ok().and_then(|program| program.evidence(&self.scope));
        let clause = found.map_or(expression.span(), |it| expression.place(it.at));
        // Values of other objects are no part of the one that is judged.
        let of_resource =
            |node: &Node<'v>| self.resource.is_some_and(|it| std::ptr::eq(it.document(), node.document()));
        let node = found.and_then(|it| it.node).filter(of_resource);
        match (node, self.resource) {
            (Some(node), Some(resource)) => Evidence {
                value: Some(evidence::place_of(node, resource)),
                label: evidence::shown(node),
                path: evidence::pointer(node, resource),
                clause: Some(clause),
                demand: String::new(),
            },
            _ => Evidence { clause: Some(clause), ..Evidence::default() },
        }
    }
}

/// A request as one kind of policy sees it.
struct View<'v, 's> {
    session: &'s Session<'v>,
    sight: Sight,
    /// The version that the object is converted to.
    version: Option<&'v str>,
}

impl<'v> View<'v, '_> {
    fn is_command_line(&self) -> bool {
        self.session.cluster.is_command_line()
    }

    /// Kyverno: its command line shows a policy of Kubernetes every object as a new one.
    fn is_always_new(&self) -> bool {
        self.sight == Sight::Admission && self.is_command_line()
    }

    fn operation(&self) -> Operation {
        if self.is_always_new() { Operation::Create } else { self.session.request.operation }
    }

    /// `object` and `oldObject`.
    fn objects(&self) -> [Value<'v>; 2] {
        let request = self.session.request;
        if self.is_always_new() {
            return [request.resource().map_or(Value::Null, Value::from), Value::Null];
        }
        // Kyverno: where there is no object its policies see one that is empty.
        let absent = if self.sight == Sight::Policy { Value::Map(Map::Entries(&[])) } else { Value::Null };
        [request.object, request.old_object].map(|it| it.map_or(absent, |node| self.seen(node)))
    }

    /// An object in the version in which it is seen.
    fn seen(&self, node: Node<'v>) -> Value<'v> {
        let Some(version) = self.version else { return Value::from(node) };
        let arena = self.session.arena;
        let api_version = Value::String(api_version(node, version, arena));
        let entries = node.entries().map(|(key, value)| match key {
            "apiVersion" => (key, api_version),
            _ => (key, Value::from(value)),
        });
        map(arena, &entries.collect::<Vec<_>>())
    }

    fn namespace_name(&self) -> &'v str {
        let resource = self.session.request.resource();
        resource.and_then(|it| it.str_at(&["metadata", "namespace"])).unwrap_or_default()
    }

    /// `namespaceObject`.
    fn namespace(&self) -> Value<'v> {
        let (session, arena, name) = (self.session, self.session.arena, self.namespace_name());
        let request = session.request;
        if name.is_empty() {
            return Value::Null;
        }
        if self.is_command_line() && self.sight == Sight::Policy {
            if let Some(given) = request.supplied.namespace {
                return Value::from_expr(arena, given);
            }
            // Kyverno: for its command line there are the namespaces that the values know, and no others.
            if request.namespace_labels.is_none() {
                return Value::Null;
            }
        }
        let known = if self.is_command_line() { None } else { session.cluster.namespace(name) };
        if let Some(node) = known {
            return as_held(arena, node, name);
        }
        let labels = request.namespace_labels.map(|labels| Value::from_expr(arena, labels.value(arena)));
        if self.is_command_line() {
            let labels = labels.unwrap_or_else(|| map(arena, &[(NAME_LABEL, Value::String(name))]));
            let metadata = map(arena, &[("name", Value::String(name)), ("labels", labels)]);
            return map(arena, &[("metadata", metadata)]);
        }
        let what = arena.alloc_str(&format!("the namespace `{name}`"));
        let unknown = Value::Unknown(what);
        let labels = labels.unwrap_or_else(|| {
            let own = arena.alloc_slice_copy(&[(Value::String(NAME_LABEL), Value::String(name))]);
            Value::Map(Map::Open(arena.alloc(Open { entries: own, rest: what })))
        });
        let mut metadata = vec![("name", Value::String(name)), ("labels", labels)];
        metadata.extend(NAMESPACE_METADATA.map(|field| (field, unknown)));
        map(arena, &[("metadata", map(arena, &metadata)), ("spec", unknown), ("status", unknown)])
    }

    /// `request`. What is empty is absent.
    fn request(&self) -> Value<'v> {
        let (session, arena) = (self.session, self.session.arena);
        let request = session.request;
        let kind = request.kind();
        let of = |version: &'v str, last: (&'v str, &'v str)| {
            let parts = [("group", kind.group), ("version", version), last];
            map(arena, &parts.map(|(name, text)| (name, Value::String(text))))
        };
        let version = self.version.unwrap_or(kind.version);
        let plural = session.target().map(Target::plural).unwrap_or_default();
        let name = request.resource().and_then(|it| it.str_at(&["metadata", "name"])).unwrap_or_default();
        let is_namespace =
            request.resource().map(kind_of).is_some_and(|it| it.group.is_empty() && it.kind == "Namespace");
        // The API server takes a namespace for part of itself.
        let namespace = if is_namespace && !self.is_command_line() { name } else { self.namespace_name() };
        let mut entries = vec![
            ("kind", of(version, ("kind", kind.kind))),
            ("resource", of(version, ("resource", plural))),
            ("requestKind", of(kind.version, ("kind", kind.kind))),
            ("requestResource", of(kind.version, ("resource", plural))),
            ("name", Value::String(name)),
            ("namespace", Value::String(namespace)),
            ("operation", Value::String(self.operation().name())),
            ("userInfo", self.user()),
            ("dryRun", Value::Bool(false)),
            ("options", if self.is_command_line() { Value::Null } else { Value::Unknown(MADE_UP) }),
        ];
        if !kind.subresource.is_empty() {
            entries.push(("subResource", Value::String(kind.subresource)));
            entries.push(("requestSubResource", Value::String(kind.subresource)));
        }
        if self.sight == Sight::Policy {
            // Kyverno: its command line reads these anew, so that integers in them are integers.
            let read = |node: Option<Node<'v>>| match node {
                Some(node) if self.is_command_line() => exact(arena, node),
                Some(node) => self.seen(node),
                None => Value::Null,
            };
            entries.push(("object", read(request.object)));
            entries.push(("oldObject", read(request.old_object)));
        }
        map(arena, &entries)
    }

    fn user(&self) -> Value<'v> {
        let arena = self.session.arena;
        let strings = |texts: &mut dyn Iterator<Item = &'v str>| {
            let items: Vec<_> = texts.map(Value::String).collect();
            Value::List(expr::cel::List::Items(arena.alloc_slice_copy(&items)))
        };
        let Some(user) = self.session.request.user else {
            if !self.is_command_line() {
                return map(
                    arena,
                    &["username", "uid", "groups", "extra"].map(|name| (name, Value::Unknown(WHO_ASKS))),
                );
            }
            if !self.is_always_new() {
                return map(arena, &[]);
            }
            let scanner = Value::String(SCANNER);
            let groups = strings(&mut [SCANNER].into_iter());
            return map(arena, &[("username", scanner), ("uid", scanner), ("groups", groups)]);
        };
        let mut entries = Vec::new();
        for (name, text) in [("username", &user.username), ("uid", &user.uid)] {
            if !text.is_empty() {
                entries.push((name, Value::String(text)));
            }
        }
        if !user.groups.is_empty() {
            entries.push(("groups", strings(&mut user.groups.iter().map(String::as_str))));
        }
        map(arena, &entries)
    }

    fn authorizer(&self) -> Value<'v> {
        Value::Opaque(self.session.arena.alloc(expr::cel::Opaque::Authorizer("Authorizer", &[])))
    }
}

/// `exceptions`.
fn exceptions<'v>(waivers: &[&'v crate::policy::cel::exception::Waiver], arena: &'v Arena) -> Value<'v> {
    let list = |texts: &mut dyn Iterator<Item = &'v String>| {
        let items: Vec<_> = texts.map(|text| Value::String(text)).collect();
        Value::List(expr::cel::List::Items(arena.alloc_slice_copy(&items)))
    };
    let images = list(&mut waivers.iter().flat_map(|it| &it.images));
    let values = list(&mut waivers.iter().flat_map(|it| &it.values));
    map(arena, &[("allowedImages", images), ("allowedValues", values)])
}

fn map<'v>(arena: &'v Arena, entries: &[(&'v str, Value<'v>)]) -> Value<'v> {
    let entries = entries.iter().map(|(name, value)| (Value::String(name), *value));
    let entries: Vec<_> = entries.collect();
    Value::Map(Map::Entries(arena.alloc_slice_copy(&entries)))
}

/// A namespace as a cluster holds it: with the label that the API server puts on every one.
fn as_held<'v>(arena: &'v Arena, node: Node<'v>, name: &'v str) -> Value<'v> {
    let Some(metadata) = node.get("metadata") else { return Value::from(node) };
    let labels = metadata.get("labels");
    if labels.is_some_and(|it| it.get(NAME_LABEL).is_some()) {
        return Value::from(node);
    }
    let entries = |node: Option<Node<'v>>, but: &'static str| {
        let entries = node.into_iter().flat_map(Node::entries);
        entries.filter(move |(key, _)| *key != but).map(|(key, value)| (key, Value::from(value))).collect::<Vec<_>>()
    };
    let mut own = entries(labels, NAME_LABEL);
    own.push((NAME_LABEL, Value::String(name)));
    let mut inner = entries(Some(metadata), "labels");
    inner.push(("labels", map(arena, &own)));
    let mut outer = entries(Some(node), "metadata");
    outer.push(("metadata", map(arena, &inner)));
    map(arena, &outer)
}

/// A copy of a node in which integers are integers.
fn exact<'v>(arena: &'v Arena, node: Node<'v>) -> Value<'v> {
    use crate::document::Kind;
    match node.kind() {
        Kind::Int(value) => Value::Int(value),
        Kind::List => {
            let items: Vec<_> = node.items().map(|item| exact(arena, item)).collect();
            Value::List(expr::cel::List::Items(arena.alloc_slice_copy(&items)))
        }
        Kind::Map => {
            let entries: Vec<_> = node.entries().map(|(key, value)| (key, exact(arena, value))).collect();
            map(arena, &entries)
        }
        Kind::Null | Kind::Bool(_) | Kind::Float(_) | Kind::String(_) => Value::from(node),
    }
}
