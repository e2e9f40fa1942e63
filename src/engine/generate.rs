//! `generate` rules: what other objects they make for an object.
//!
//! In: rules in their order, a request, the objects that may be copied. Out: an [`Outcome`] for each rule that says
//! something, and the objects that it makes. What is made is judged by nobody; a rule that can't make anything says so,
//! but refuses nothing.

use serde_json::{Value as Json, json};

use super::{
    Outcome, Reach, Request, Status, World, applies,
    cel::Admittance,
    conditions::{self, Wanted},
    context::{RuleScope, Session},
    gate::{self, Gatekeeper},
    matching::{self, Subjected},
    supplied, waivers,
};
use crate::{
    document::Node,
    expr::{
        Arena, Value,
        template::{Path, Template, Tree},
    },
    k8s::{gvk::split_api_version, label_selector::LabelSelector},
    policy::{
        classic::{
            Body, Policy, Rule,
            generate::{ForEach, Generate, Makes, Product, Source},
        },
        set::RuleRef,
    },
};

/// What a rule makes.
#[derive(Debug)]
pub(crate) struct Generated<'w> {
    /// What the rule says.
    pub outcome: Outcome<'w>,
    /// The objects that it makes.
    pub objects: Vec<Json>,
}

/// The most elements that one rule makes something for.
const MAX_ELEMENTS: usize = 10_000;

/// Runs generate rules in their order; rules of other kinds are passed over. `sources` gives the objects that a rule of a
/// policy may copy, beside those of the cluster.
pub(crate) fn generate<'w>(
    world: World<'w>,
    rules: &[RuleRef],
    request: &Request<'_>,
    sources: &dyn Fn(&Policy, &Rule) -> Vec<Node<'w>>,
) -> Vec<Generated<'w>> {
    let mut out = Vec::new();
    let mut done: Option<&Policy> = None;
    let mut arena = Arena::new();
    let mut gatekeeper = Gatekeeper::default();
    for reference in rules {
        let Some((policy, rule)) = world.policies.classic_rule(*reference) else { continue };
        let Body::Generate(block) = &rule.body else { continue };
        if done.is_some_and(|done| std::ptr::eq(done, policy)) {
            continue;
        }
        arena.reset();
        let making = Making { world, policy, rule, block, sources: sources(policy, rule) };
        let Some(mut generated) = making.run(request, *reference, &mut gatekeeper, &arena) else { continue };
        generated.outcome.origin = Some(*reference);
        if gatekeeper.has_refused() || policy.first_rule_only && generated.outcome.status != Status::Skip {
            done = Some(policy);
        }
        out.push(generated);
    }
    out
}

/// One rule and the object of a request.
struct Making<'w> {
    world: World<'w>,
    policy: &'w Policy,
    rule: &'w Rule,
    block: &'w Generate,
    sources: Vec<Node<'w>>,
}

impl<'w> Making<'w> {
    fn run<'v>(
        &self,
        request: &'v Request<'v>,
        reference: RuleRef,
        gatekeeper: &mut Gatekeeper<'w>,
        arena: &'v Arena,
    ) -> Option<Generated<'w>>
    where
        'w: 'v,
    {
        let (policy, rule) = (self.policy, self.rule);
        let trigger = request.resource()?;
        let subject = Subjected::new(request, trigger, self.world.cluster);
        let session = Session::new(request, self.world, arena);
        match gatekeeper.admit(policy, &session) {
            Admittance::Open => self.say(&session, &subject, trigger, reference),
            Admittance::Closed => None,
            Admittance::Refused(status, obstacle) => {
                let outcome = gate::refused(policy, rule, &subject, (*status, obstacle))?;
                Some(Generated { outcome, objects: Vec::new() })
            }
            Admittance::Unknown(obstacle) => {
                let said = self.say(&session, &subject, trigger, reference)?;
                if said.outcome.status != Status::Pass {
                    return Some(said);
                }
                // What would be made, and maybe is not, is not shown as made.
                Some(Generated { outcome: gate::undone(said.outcome, obstacle), objects: Vec::new() })
            }
        }
    }

    /// What the rule makes when Kyverno is asked.
    fn say<'v>(
        &self,
        session: &Session<'v>,
        subject: &Subjected<'v>,
        trigger: Node<'v>,
        reference: RuleRef,
    ) -> Option<Generated<'w>>
    where
        'w: 'v,
    {
        let (policy, rule) = (self.policy, self.rule);
        if applies(policy, rule, subject, reference.kinds()) == Reach::No {
            return None;
        }
        let scope = RuleScope::new(session, supplied(policy, rule, session));
        scope.declare(&rule.context, &rule.document);
        let nothing = |outcome| Some(Generated { outcome, objects: Vec::new() });
        if let Some(preconditions) = &rule.preconditions {
            match conditions::evaluate(preconditions, &rule.document, &scope, Wanted::False) {
                Ok(decision) if decision.holds => {}
                Ok(_) => return nothing(self.outcome(Status::Skip, String::new())),
                Err(error) => {
                    let status = if error.indeterminate().is_some() { Status::Indeterminate } else { Status::Error };
                    return nothing(self.outcome(status, format!("failed to evaluate conditions: {error}")));
                }
            }
        }
        let action = policy.action.action.unwrap_or_default();
        let exceptions = waivers(self.world, policy, rule, &scope, (subject, action)).counting;
        if let Some(first) = exceptions.first() {
            let text = format!("rule is skipped due to policy exception {}", first.key);
            return nothing(Outcome { exceptions, ..self.outcome(Status::Skip, text) });
        }
        let mut objects = Vec::new();
        let mut problems = Vec::new();
        match &self.block.makes {
            Makes::One(product) => {
                if let Err(problem) = self.make(product, &scope, trigger, &mut objects) {
                    problems.push(problem);
                }
            }
            Makes::ForEach(items) => {
                for item in items {
                    self.each(item, &scope, trigger, &mut objects, &mut problems);
                }
            }
        }
        // Kyverno: what can't be made is only logged; the rule passes.
        Some(Generated { outcome: self.outcome(Status::Pass, problems.join("; ")), objects })
    }

    fn outcome(&self, status: Status, message: String) -> Outcome<'w> {
        Outcome::new(&self.policy.head, &self.rule.name, status, message, self.policy.action.action.unwrap_or_default())
    }

    /// Makes something for each element of a list; one that fails doesn't stop the others.
    fn each<'v>(
        &self,
        item: &'w ForEach,
        scope: &RuleScope<'v, '_>,
        trigger: Node<'v>,
        objects: &mut Vec<Json>,
        problems: &mut Vec<String>,
    ) where
        'w: 'v,
    {
        let list = match &item.list {
            Ok(expression) => expression.evaluate(scope, scope.arena()).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let elements = match list {
            Ok(Value::List(elements)) => elements.iter().collect(),
            Ok(Value::Null) => Vec::new(),
            Ok(other) => vec![other],
            Err(error) => {
                problems.push(format!("failed to evaluate list {}: {error}", item.list_text));
                return;
            }
        };
        for (index, element) in elements.into_iter().enumerate().take(MAX_ELEMENTS) {
            if element.is_null() {
                continue;
            }
            let mark = scope.mark();
            scope.bind("element", element);
            scope.bind("elementIndex", Value::int(index as i64));
            scope.declare(&item.context, &self.rule.document);
            let counts = item.preconditions.as_ref().map_or(Ok(true), |preconditions| {
                conditions::evaluate(preconditions, &self.rule.document, scope, Wanted::False)
                    .map(|decision| decision.holds)
                    .map_err(|error| format!("failed to evaluate conditions: {error}"))
            });
            let made = counts.and_then(
                |counts| {
                    if counts { self.make(&item.product, scope, trigger, objects) } else { Ok(()) }
                },
            );
            problems.extend(made.err());
            scope.reset(mark);
        }
    }

    fn make<'v>(
        &self,
        product: &'w Product,
        scope: &RuleScope<'v, '_>,
        trigger: Node<'v>,
        objects: &mut Vec<Json>,
    ) -> Result<(), String>
    where
        'w: 'v,
    {
        let text = |template: &'w Template| text(template, scope);
        let namespace = text(&product.namespace)?;
        let (api_version, kind) = (text(&product.api_version)?, text(&product.kind)?);
        let named = |name| Name { api_version, kind, namespace: namespace.clone(), name };
        let originals: Vec<(Name, Node<'_>)> = match &product.source {
            Source::Data(tree) => {
                let content = self.value(tree, scope)?.to_serde();
                return self.add(content, &named(text(&product.name)?), None, trigger, objects);
            }
            Source::Nothing => return self.add(json!({}), &named(text(&product.name)?), None, trigger, objects),
            Source::Clone { namespace: from, name } => {
                let target = named(text(&product.name)?);
                let from = Name { namespace: text(from)?, name: text(name)?, ..target.clone() };
                if from == target {
                    return Ok(());
                }
                let original = self.known().find(|it| Name::of(*it) == from);
                let original = original.ok_or_else(|| format!("nothing is generated: there is no {from} to clone"))?;
                vec![(target, original)]
            }
            Source::CloneList { namespace: from, kinds, selector } => {
                let from = text(from)?;
                if from == namespace {
                    return Ok(());
                }
                let kinds = kinds.iter().map(text).collect::<Result<Vec<_>, _>>()?;
                let selector = match selector {
                    Some(tree) => Some(self.selector(tree, scope)?),
                    None => None,
                };
                let counts = |it: &Node<'_>| {
                    let name = Name::of(*it);
                    let labels = it.at(&["metadata", "labels"]).map(Value::from);
                    name.namespace == from
                        && kinds.contains(&format!("{}/{}", name.api_version, name.kind))
                        && selector.as_ref().is_none_or(|selector| matching::selects(selector, labels))
                };
                let target = |it: Node<'_>| Name { namespace: namespace.clone(), ..Name::of(it) };
                self.known().filter(counts).map(|it| (target(it), it)).collect()
            }
        };
        for (target, original) in originals {
            let content = Value::from(original).to_serde();
            self.add(content, &target, Some(original), trigger, objects)?;
        }
        Ok(())
    }

    /// The objects that may be copied.
    fn known(&self) -> impl Iterator<Item = Node<'w>> {
        self.sources.iter().copied().chain(self.world.cluster.objects())
    }

    fn value<'v>(&self, tree: &'w Tree, scope: &RuleScope<'v, '_>) -> Result<Value<'v>, String>
    where
        'w: 'v,
    {
        let document = &*self.rule.document;
        tree.resolve(document, &Path::Root, scope, scope.arena()).map_err(|error| error.to_string())
    }

    fn selector<'v>(&self, tree: &'w Tree, scope: &RuleScope<'v, '_>) -> Result<LabelSelector, String>
    where
        'w: 'v,
    {
        matching::selector(self.value(tree, scope)?).map_err(|error| error.to_string())
    }

    /// Adds an object: content that is given or copied, under a name, with the labels that say where it comes from.
    fn add(
        &self,
        mut content: Json,
        name: &Name,
        original: Option<Node<'_>>,
        trigger: Node<'_>,
        objects: &mut Vec<Json>,
    ) -> Result<(), String> {
        let exists = || self.world.cluster.objects().any(|it| Name::of(it) == *name);
        if !self.block.synchronize && original.is_none() && exists() {
            return Ok(());
        }
        let Some(top) = content.as_object_mut() else {
            return Err(format!("nothing is generated: the content of {name} is no map"));
        };
        top.insert("apiVersion".to_owned(), name.api_version.clone().into());
        top.insert("kind".to_owned(), name.kind.clone().into());
        let metadata = top.entry("metadata").or_insert_with(|| json!({}));
        let Some(metadata) = metadata.as_object_mut() else {
            return Err(format!("nothing is generated: the metadata of {name} is no map"));
        };
        if let Some(original) = original {
            let moved = Name::of(original).namespace != name.namespace;
            let own = ["uid", "resourceVersion", "managedFields", "creationTimestamp"];
            own.into_iter().chain(moved.then_some("ownerReferences")).for_each(|key| {
                metadata.remove(key);
            });
        }
        metadata.insert("name".to_owned(), name.name.clone().into());
        metadata.remove("namespace");
        if !name.namespace.is_empty() {
            metadata.insert("namespace".to_owned(), name.namespace.clone().into());
        }
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        if !labels.is_object() {
            *labels = json!({});
        }
        for (key, value) in self.labels(trigger, original) {
            labels[key] = value.into();
        }
        objects.push(content);
        Ok(())
    }

    /// The labels that say where an object comes from; those that hold what only a cluster gives are left out.
    fn labels(&self, trigger: Node<'_>, original: Option<Node<'_>>) -> Vec<(String, String)> {
        let mut out = vec![
            ("app.kubernetes.io/managed-by".to_owned(), "kyverno".to_owned()),
            ("generate.kyverno.io/policy-name".to_owned(), self.policy.head.name.clone()),
            ("generate.kyverno.io/policy-namespace".to_owned(), self.policy.head.namespace.clone()),
            ("generate.kyverno.io/rule-name".to_owned(), self.rule.name.clone()),
        ];
        let mut of = |what: &str, node: Node<'_>| {
            let name = Name::of(node);
            let (group, version) = split_api_version(&name.api_version);
            for (key, value) in
                [("group", group), ("version", version), ("kind", &name.kind), ("namespace", &name.namespace)]
            {
                out.push((format!("generate.kyverno.io/{what}-{key}"), value.to_owned()));
            }
        };
        of("trigger", trigger);
        if let Some(original) = original {
            of("source", original);
        }
        out
    }
}

/// What names an object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Name {
    fn of(node: Node<'_>) -> Self {
        let text = |path: &[&str]| node.str_at(path).unwrap_or_default().to_owned();
        Self {
            api_version: text(&["apiVersion"]),
            kind: text(&["kind"]),
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [&self.api_version, &self.kind, &self.namespace, &self.name];
        let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
        f.write_str(&parts.join("/"))
    }
}

/// A text after substitution.
fn text<'v>(template: &'v Template, scope: &RuleScope<'v, '_>) -> Result<String, String> {
    let value = template.resolve(&Path::Root, scope, scope.arena()).map_err(|error| error.to_string())?;
    Ok(match value {
        Value::String(text) => text.to_owned(),
        other => other.to_json(),
    })
}
