//! What expressions look up: objects, the global context, images, answers of servers.
//!
//! In: what an expression asks for. Out: what stands for it here. Kyverno's command line has a file for such look-ups and
//! takes the rest for missing; a cluster would know more than a repository, so that what is not here is not known.

use std::cell::Cell;

use super::rights;
use crate::{
    cluster::{Asking, Cluster, Lookup, Missing, Resources},
    document::Node,
    engine::{
        UserInfo,
        context::{Session, WHO_ASKS},
        signatures::{self, Answer},
        unsettled::Missed,
    },
    expr::{
        self, Arena,
        cel::{EvalError, Host, List, Map, Question, Value},
        jmespath::{Expression, ValueScope},
    },
    k8s::{gvk::split_api_version, image_ref},
    policy::{set::PolicySet, signers::Entry},
};

/// Answers look-ups of one request.
pub(super) struct Answers<'v> {
    cluster: &'v Cluster,
    asking: Asking<'v>,
    policies: &'v PolicySet,
    arena: &'v Arena,
    user: Option<&'v UserInfo>,
    now: i128,
    missed: Missed<'v>,
    /// The namespace of the policy; empty for a policy of the whole cluster.
    home: &'v str,
    /// What expressions made.
    made: &'v Cell<Option<&'v Made<'v>>>,
    /// Who may have signed images, for a policy that asks.
    signers: Cell<&'v [Entry]>,
    /// The images that some signer was found for.
    verified: Cell<Option<&'v Verified<'v>>>,
}

/// An image that is signed, and those before it.
#[derive(Clone, Copy, Debug)]
struct Verified<'v> {
    image: &'v str,
    before: Option<&'v Verified<'v>>,
}

/// Objects that an expression made, and what was made before them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made<'v> {
    /// The namespace for them; empty for none.
    pub namespace: &'v str,
    /// A list of objects.
    pub objects: Value<'v>,
    before: Option<&'v Made<'v>>,
}

/// What an object is looked up by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'q> {
    /// The API version, as in `apps/v1`.
    pub api_version: &'q str,
    /// The plural in lower case.
    pub plural: &'q str,
    /// The namespace; empty for none.
    pub namespace: &'q str,
}

impl<'q> Query<'q> {
    fn resources(self) -> Resources<'q> {
        let (group, version) = split_api_version(self.api_version);
        Resources { group, version, plural: self.plural }
    }

    /// As the API server names it: `deployments.apps`.
    fn title(self) -> String {
        self.resources().title()
    }
}

impl<'v> Host<'v> for Answers<'v> {
    fn answer(&self, question: Question<'v>, arena: &'v Arena) -> Result<Value<'v>, EvalError> {
        let query = |resource: expr::cel::ResourceType<'v>, namespace: Option<&'v str>| Query {
            api_version: resource.api_version,
            plural: resource.plural,
            namespace: namespace.unwrap_or(self.home),
        };
        match question {
            Question::Get { resource, namespace, name } => self.get(query(resource, namespace), name),
            Question::List { resource, namespace, labels } => self.list(query(resource, namespace), labels),
            Question::GlobalContext { name, projection } => {
                self.global(name, projection).map(|it| Value::from_expr(arena, it))
            }
            Question::ImageMetadata { image } => self.image(image),
            Question::Http { method, url, .. } => self.call(method, url),
            Question::Plural { api_version, kind } => {
                let (group, version) = split_api_version(api_version);
                let plural = arena.alloc_str(&self.policies.plurals().of(group, kind));
                let entries = [("group", group), ("version", version), ("resource", plural)];
                let entries = entries.map(|(key, text)| (Value::String(key), Value::String(text)));
                Ok(Value::Map(Map::Entries(arena.alloc_slice_copy(&entries))))
            }
            Question::Authorize { attributes, verb } => self.authorize(attributes, verb),
            Question::Generate { namespace, objects } => {
                let namespace = namespace.unwrap_or(self.home);
                self.made.set(Some(arena.alloc(Made { namespace, objects, before: self.made.get() })));
                Ok(Value::Bool(true))
            }
            Question::Image { function, arguments } => {
                let image = arguments.first().and_then(|it| it.as_str()).unwrap_or_default();
                match (function, arguments.get(1)) {
                    ("verifyImageSignatures", Some(Value::List(names))) => self.count_signers(image, *names),
                    _ => Err(EvalError::indeterminate(format!("what `{function}` says of image {image}"))),
                }
            }
            Question::Post { .. } => Err(EvalError::indeterminate(question.missing())),
        }
    }
}

impl<'v> Answers<'v> {
    /// The look-ups of a request, by a policy of the namespace `home`.
    pub(super) fn new(session: &Session<'v>, home: &'v str) -> Self {
        let Session { cluster, arena, now, request, world, missed, .. } = *session;
        let made = arena.alloc(Cell::new(None));
        Self {
            cluster,
            asking: session.asking(),
            policies: world.policies,
            arena,
            user: request.user,
            now,
            missed,
            home,
            made,
            signers: Cell::new(&[]),
            verified: Cell::new(None),
        }
    }

    /// What expressions made, in their order.
    pub(super) fn made(&self) -> Vec<Made<'v>> {
        let mut out: Vec<_> = std::iter::successors(self.made.get(), |it| it.before).copied().collect();
        out.reverse();
        out
    }

    /// Says who may have signed images.
    pub(super) fn set_signers(&self, signers: &'v [Entry]) {
        self.signers.set(signers);
    }

    /// Whether an image was found to be signed.
    pub(super) fn is_verified(&self, image: &str) -> bool {
        std::iter::successors(self.verified.get(), |it| it.before).any(|it| it.image == image)
    }

    /// How many of some signers have signed an image.
    fn count_signers(&self, image: &'v str, names: List<'v>) -> Result<Value<'v>, EvalError> {
        let unknown = |what: &str| EvalError::indeterminate(format!("image {image} must be verified, and {what}"));
        let parsed = image_ref::parse(image)
            .map_err(|error| EvalError::refused(format!("could not parse reference: {image}: {error}")))?;
        let found = self.cluster.store().and_then(|store| Some((store, store.digest_of(&parsed.reference())?)));
        let Some((store, digest)) = found else { return Err(unknown("what its registry holds")) };
        let asked = signatures::Image { store, repository: &format!("{}/{}", parsed.registry, parsed.path), digest };
        let mut count = 0;
        for name in names.iter().filter_map(Value::as_str) {
            let Some(signer) = self.signers.get().iter().find(|it| it.name == name) else {
                return Err(EvalError::refused(format!("there is no attestor `{name}`")));
            };
            match asked.by(signer, name) {
                Answer::Signed => count += 1,
                Answer::Unsigned(_) => {}
                Answer::Unknown(what) => return Err(unknown(&what)),
            }
        }
        // Kyverno: an image counts as verified once anybody looked.
        self.verified.set(Some(self.arena.alloc(Verified { image, before: self.verified.get() })));
        Ok(Value::Int(count))
    }

    fn objects(&self, query: Query<'_>) -> Vec<Node<'v>> {
        self.cluster.resources(query.resources(), self.policies.plurals())
    }

    /// One object; null where Kyverno's command line knows none.
    fn get(&self, query: Query<'_>, name: &str) -> Result<Value<'v>, EvalError> {
        let is_it = |node: &Node<'_>| {
            node.str_at(&["metadata", "name"]) == Some(name) && namespace_of(*node) == query.namespace
        };
        match self.objects(query).into_iter().find(is_it) {
            Some(node) => Ok(Value::from(node)),
            None if self.cluster.is_command_line() => Ok(Value::Null),
            None => {
                self.missed.note(&Missing::Kind(query.title()));
                Err(EvalError::indeterminate(format!("{} {}", query.title(), path(query.namespace, name))))
            }
        }
    }

    /// The objects of a kind in a namespace, as a list object.
    ///
    /// Kyverno: its command line takes no namespace for what lives outside of them, a cluster for all of them.
    fn list(&self, query: Query<'_>, labels: Option<Value<'v>>) -> Result<Value<'v>, EvalError> {
        let (arena, cluster) = (self.arena, self.cluster);
        let by_command_line = cluster.is_command_line();
        let all = self.objects(query);
        if all.is_empty() {
            if by_command_line {
                return Err(EvalError::refused(format!(
                    "failed to list resource: {} resource not found",
                    query.title()
                )));
            }
            match cluster.none_held(query.resources(), self.policies.plurals()) {
                Ok(absent) if !cluster.is_empty() => self.missed.note(&absent),
                Ok(missing) | Err(missing) => {
                    if !missing.is_taken_for_absent() {
                        self.missed.note(&missing);
                    }
                    return Err(EvalError::indeterminate(query.title()));
                }
            }
        }
        let is_housed = |node: &Node<'_>| {
            namespace_of(*node) == query.namespace || (!by_command_line && query.namespace.is_empty())
        };
        let labels = match labels {
            // Kyverno: its command line doesn't look at the labels.
            Some(Value::Map(map)) if !by_command_line => map,
            _ => Map::Entries(&[]),
        };
        let is_labelled = |node: &Node<'_>| {
            labels.iter().all(|(key, value)| {
                key.as_str().and_then(|key| node.str_at(&["metadata", "labels", key])) == value.as_str()
            })
        };
        let is_there = |node: &Node<'_>| !self.asking.is_newcomer(*node);
        let items = all.into_iter().filter(is_there).filter(is_housed).filter(is_labelled);
        let items: Vec<_> = items.map(Value::from).collect();
        let items = Value::List(List::Items(arena.alloc_slice_copy(&items)));
        Ok(Value::Map(Map::Entries(arena.alloc_slice_copy(&[(Value::String("items"), items)]))))
    }

    /// An entry of the global context, or what one of its projections makes of it; null for an unknown entry.
    fn global(&self, name: &str, projection: &str) -> Result<expr::Value<'v>, EvalError> {
        let (arena, cluster) = (self.arena, self.cluster);
        if cluster.is_command_line() {
            let (Lookup::Found(value), _) = cluster.global(name, self.asking, arena) else {
                return Ok(expr::Value::Null);
            };
            if projection.is_empty() {
                return Ok(value);
            }
            return match cluster.global(&format!("{name}.{projection}"), self.asking, arena) {
                (Lookup::Found(value), _) => Ok(value),
                _ => {
                    Err(EvalError::refused(format!("projection {projection} not found in global context entry {name}")))
                }
            };
        }
        let unknown = || EvalError::indeterminate(format!("the global context entry {name}"));
        let entry = cluster.object("kyverno.io", "GlobalContextEntry", "", name).ok_or_else(unknown)?;
        let data = self.data_of(entry)?;
        if projection.is_empty() {
            return Ok(data);
        }
        let projections = entry.at(&["spec", "projections"]).into_iter().flat_map(Node::items);
        let found = projections.into_iter().find(|it| it.str_at(&["name"]) == Some(projection));
        let Some(query) = found.and_then(|it| it.str_at(&["jmesPath"])) else {
            return Err(EvalError::refused(format!(
                "projection {projection} not found in global context entry {name}"
            )));
        };
        let failed = |error: String| EvalError::refused(format!("failed to apply projection {projection}: {error}"));
        let expression = Expression::parse(query).map_err(|error| failed(error.to_string()))?;
        let scope = ValueScope { value: data, now: self.now };
        expression.evaluate(&scope, arena).map_err(|error| failed(error.to_string()))
    }

    /// What an entry of the global context holds: a list of objects, or the answer to a call.
    fn data_of(&self, entry: Node<'v>) -> Result<expr::Value<'v>, EvalError> {
        let (arena, cluster) = (self.arena, self.cluster);
        if let Some(wanted) = entry.at(&["spec", "kubernetesResource"]) {
            let text = |key| wanted.str_at(&[key]).unwrap_or_default();
            let resources = Resources { group: text("group"), version: text("version"), plural: text("resource") };
            let namespace = Some(text("namespace")).filter(|it| !it.is_empty());
            let (objects, missing) = cluster.list(resources, namespace, self.asking).map_err(|missing| {
                self.missed.note(&missing);
                EvalError::indeterminate(resources.title())
            })?;
            if let Some(it) = missing {
                self.missed.note(&it);
            }
            let items: Vec<_> = objects.into_iter().map(expr::Value::from).collect();
            return Ok(expr::Value::list_in(arena, &items));
        }
        let path = entry.str_at(&["spec", "apiCall", "urlPath"]).unwrap_or_default();
        let (found, missing) = cluster.api(path, self.asking, arena);
        missing
            .iter()
            .filter(|it| !it.is_taken_for_absent() || matches!(found, Lookup::Found(_)))
            .for_each(|it| self.missed.note(it));
        match found {
            Lookup::Found(value) => Ok(value),
            Lookup::Absent | Lookup::Unknown => Err(EvalError::indeterminate(format!("what {path} answers"))),
        }
    }

    /// What a registry says of an image.
    fn image(&self, image: &str) -> Result<Value<'v>, EvalError> {
        let cluster = self.cluster;
        match cluster.image(image, self.arena) {
            Some(data) => Ok(Value::from_expr(self.arena, data)),
            None if cluster.is_command_line() => Err(EvalError::refused(format!(
                "failed to get image data: image data for {image} not found in the context"
            ))),
            None => Err(EvalError::indeterminate(format!("what a registry says of the image {image}"))),
        }
    }

    /// Whether somebody may do something, by the roles that are known.
    fn authorize(&self, attributes: &[(&'static str, Value<'v>)], verb: &str) -> Result<Value<'v>, EvalError> {
        // Kyverno: its command line knows nobody who may do anything.
        if self.cluster.is_command_line() {
            return Ok(Value::Bool(false));
        }
        let text = |name| attribute(attributes, name);
        let account = text("serviceaccount");
        let (user, groups) = match (account.split_once('/').or_else(|| account.split_once(':')), self.user) {
            (Some((namespace, name)), _) => {
                let groups = [format!("system:serviceaccounts:{namespace}")].into_iter();
                let groups = groups.chain(["system:serviceaccounts".to_owned(), "system:authenticated".to_owned()]);
                (format!("system:serviceaccount:{namespace}:{name}"), groups.collect())
            }
            (None, Some(user)) => (user.username.clone(), user.groups.clone()),
            (None, None) => return Err(EvalError::indeterminate(WHO_ASKS)),
        };
        let question = rights::Question {
            user: &user,
            groups: &groups,
            verb,
            path: text("path"),
            group: text("group"),
            resource: text("resource"),
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name"),
        };
        match rights::allows(self.cluster, question) {
            Some(is_allowed) => Ok(Value::Bool(is_allowed)),
            None => Err(EvalError::indeterminate(format!("whether `{user}` may `{verb}`"))),
        }
    }

    /// What a server answers.
    fn call(&self, method: &str, url: &str) -> Result<Value<'v>, EvalError> {
        let cluster = self.cluster;
        match cluster.whole_response(method, url, self.arena) {
            Some(answer) => Ok(Value::from_expr(self.arena, answer)),
            None if cluster.is_command_line() => Err(EvalError::refused(format!(
                "request failed: no answer of {url} is given, and admit asks no server"
            ))),
            None => Err(EvalError::indeterminate(format!("what {url} answers"))),
        }
    }
}

/// What an authorizer was asked for under a name.
fn attribute<'v>(attributes: &[(&'static str, Value<'v>)], name: &str) -> &'v str {
    let found = attributes.iter().rev().find(|(known, _)| *known == name);
    found.and_then(|(_, value)| value.as_str()).unwrap_or_default()
}

fn namespace_of(node: Node<'_>) -> &str {
    node.str_at(&["metadata", "namespace"]).unwrap_or_default()
}

fn path(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}
