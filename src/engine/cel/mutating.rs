//! `MutatingPolicy`, its namespaced form and `MutatingAdmissionPolicy`: what they make of an object.
//!
//! In: a form of a policy and a request. Out: what the policy says, and the object after it. Mutations are made in their
//! order, and each sees what the ones before it left, variables included.

use super::{
    EVALUATION, EXCEPTION, Judging, Outcome, Status, Verdict,
    admission::{self, Bound},
    body::{self, Gate},
    equivalent::{About, unclear, unconverted},
    exceptions::{self, Exemption, Waivers},
    matching::Reach,
    names::{Failure, Names, Sight},
    params::{self, Params},
};
use crate::{
    document::{Document, Integers, Node},
    engine::{
        Evidence, Request, World,
        context::Session,
        mutate::{
            After, OfTarget, Patched, Said,
            json_patch::{self, Stop},
            renamed,
            structured::{self, Atomics},
        },
        request::Supplied,
        unsettled::Decides,
    },
    expr::{self, Arena},
    k8s::{gvk, structure::Place},
    policy::{
        Action,
        cel::{
            Changes, Constraints, Engine, Existing, FailurePolicy, Form, Mutation, Patch, Policy, exception::Report,
        },
        exception::Exception,
        set::RuleRef,
    },
};

/// A form of a policy that changes objects, and what it is asked about.
pub(in crate::engine) struct Mutating<'w> {
    /// What is the same for the whole run.
    pub world: World<'w>,
    /// The policy.
    pub policy: &'w Policy,
    /// How it changes objects.
    pub changes: &'w Changes,
    /// The form.
    pub form: &'w Form,
    /// The same, as a reference.
    pub origin: RuleRef,
}

/// How a step sees the request.
#[derive(Clone, Copy)]
struct Stand<'v, 's> {
    request: &'s Request<'v>,
    /// Whether the object that is changed is that of the request.
    is_own: bool,
    exemption: &'s Exemption<'v>,
    params: Option<expr::Value<'v>>,
}

impl<'w> Mutating<'w> {
    /// What the policy says of a request, and what it makes of objects; nothing for a request that it is not about.
    /// `targets` are existing objects that it may change.
    pub(in crate::engine) fn step(&self, request: &Request<'_>, targets: &[Node<'_>]) -> Vec<Said<'w>> {
        let arena = Arena::new();
        let session = Session::new(request, self.world, &arena);
        let judging = Judging { policy: self.policy, form: self.form, session: &session, origin: self.origin };
        match self.policy.engine {
            Engine::Kyverno => {
                let undone = |verdict| vec![Said::Whole(self.outcome("", verdict), None)];
                match judging.applies() {
                    About::No => Vec::new(),
                    About::Yes(reach, None) => {
                        let said = self.by_kyverno(&judging, targets);
                        said.into_iter().map(|it| self.as_far_as(reach, it, request)).collect()
                    }
                    About::Yes(_, Some(version)) => undone(unconverted(version)),
                    About::Unclear(what, at) => undone(unclear(what, at)),
                }
            }
            Engine::Kubernetes => self.by_kubernetes(&judging),
        }
    }

    fn is_command_line(&self) -> bool {
        self.world.cluster.is_command_line()
    }

    /// What is left of a change that is made as far as that is known.
    fn as_far_as(&self, reach: Reach, said: Said<'w>, request: &Request<'_>) -> Said<'w> {
        match reach {
            Reach::DependsOnNamespace => said.unsettled(request, self.world, Decides::Rule),
            Reach::No | Reach::Yes => said,
        }
    }

    fn by_kyverno<'v>(&self, judging: &Judging<'v, '_>, targets: &[Node<'v>]) -> Vec<Said<'w>>
    where
        'w: 'v,
    {
        let request = judging.session.request;
        let Some(object) = request.object.or_else(|| request.old_object.filter(|_| !targets.is_empty())) else {
            return Vec::new();
        };
        let exemption = match exceptions::find(judging) {
            Ok(Waivers { exemption, .. }) => exemption,
            Err(failure) => return vec![Said::Whole(self.failed(&failure), None)],
        };
        let stand = Stand { request, is_own: true, exemption: &exemption, params: None };
        if let Exemption::Whole { exceptions, report } = &exemption {
            return vec![Said::Whole(self.waived(exceptions, *report, stand, object), None)];
        }
        let mut said = Vec::new();
        let properties = {
            let names = self.names(judging.session, Sight::Policy, stand);
            match body::gate(&names, &self.form.body.conditions, |_, error| error.to_owned()) {
                Gate::Open => {}
                Gate::Closed => return vec![Said::Whole(self.outcome("", Verdict::new(Status::Skip, "skip")), None)],
                Gate::Broken(failure) => return vec![Said::Whole(self.failed(&failure), None)],
            }
            match body::annotations(&names, &self.form.body.annotations) {
                Ok(properties) => properties,
                Err(failure) => return vec![Said::Whole(self.failed(&failure), None)],
            }
        };
        if request.object.is_some() {
            let (mut outcome, document) = self.changed(stand, object);
            outcome.properties.extend(properties);
            said.push(Said::Whole(outcome, document.map(After::Document)));
        }
        // A cluster changes other objects later; the one that is asked about is let in as it is.
        if let (Some(existing), true) = (&self.changes.existing, self.is_command_line() && !targets.is_empty()) {
            said.push(Said::Each(self.existing(existing, judging, stand, targets)));
        }
        said
    }

    /// What a policy of Kubernetes says for each binding and each object of parameters, and what it makes of the object.
    fn by_kubernetes<'v>(&self, judging: &Judging<'v, '_>) -> Vec<Said<'w>>
    where
        'w: 'v,
    {
        let session = judging.session;
        let (Some(object), Some(target)) = (session.request.object, session.target()) else { return Vec::new() };
        let mut said = Vec::new();
        let mut current: Option<Document> = None;
        let undone = |verdict| Said::Whole(self.outcome(&self.policy.head.name, verdict), None);
        let bindings = match admission::bindings(judging, target) {
            Bound::To(bindings) => bindings,
            Bound::Unclear(_, _, bindings) if bindings.is_empty() => return Vec::new(),
            Bound::Unclear(what, at, _) => return vec![undone(unclear(what, at))],
        };
        for (reach, version, binding) in bindings {
            if let Some(version) = version {
                said.push(undone(unconverted(version)));
                continue;
            }
            let reference = binding.and_then(|it| it.params.as_ref());
            let each = match params::find(session, self.policy.param_kind.as_ref(), reference) {
                Params::None => vec![None],
                Params::Each(each) => each.into_iter().map(Some).collect(),
                Params::Unbound => Vec::new(),
                Params::Unknown(what) => {
                    said.push(Said::Whole(self.stopped(&Failure::Unknown(what)), None));
                    continue;
                }
            };
            for params in each {
                let stand = Stand { request: session.request, is_own: true, exemption: &Exemption::None, params };
                let (mut outcome, document) = {
                    let object = current.as_ref().map_or(object, Document::root);
                    self.bound(stand, object)
                };
                if let Some(binding) = binding {
                    outcome.properties.push(("binding".to_owned(), binding.name.clone()));
                }
                let it = self.as_far_as(reach, Said::Whole(outcome, document.map(After::Document)), session.request);
                if let Said::Whole(_, Some(After::Document(document))) = &it {
                    current = Some(document.duplicate());
                }
                said.push(it);
            }
        }
        said
    }

    /// What a policy of Kubernetes makes of an object, with parameters.
    fn bound<'v>(&self, stand: Stand<'v, '_>, object: Node<'v>) -> (Outcome<'w>, Option<Document>)
    where
        'w: 'v,
    {
        let arena = Arena::new();
        let request = Request { object: Some(object), ..*stand.request };
        let session = Session::new(&request, self.world, &arena);
        let names = self.names(&session, Sight::Admission, stand);
        let name = &self.policy.head.name;
        let unmet = || (self.outcome(name, Verdict::new(Status::Skip, "match conditions aren't met")), None);
        match body::gate(&names, &self.form.body.conditions, admission::unevaluated) {
            Gate::Open => {}
            Gate::Closed => return unmet(),
            Gate::Broken(Failure::Error(_)) if self.policy.failure == FailurePolicy::Ignore => return unmet(),
            Gate::Broken(failure) => return (self.stopped(&failure), None),
        }
        let (outcome, document) = self.changed(stand, object);
        match outcome.status {
            Status::Pass => {
                (Outcome { rule: name, message: "mutation is successfully applied".to_owned(), ..outcome }, document)
            }
            _ => (Outcome { rule: name, ..outcome }, None),
        }
    }

    // Differs: Kyverno's command line says nothing of a policy of Kubernetes that can't be evaluated.
    fn stopped(&self, failure: &Failure) -> Outcome<'w> {
        Outcome { rule: &self.policy.head.name, ..self.failed(failure) }
    }

    /// What is said of a request that exceptions waive the policy for.
    fn waived(&self, exceptions: &[&Exception], report: Report, stand: Stand<'_, '_>, object: Node<'_>) -> Outcome<'w> {
        let keys = exceptions.iter().map(|it| it.key.as_str()).collect::<Vec<_>>().join(", ");
        let (status, word) = match report {
            Report::Skip => (Status::Skip, "skipped"),
            Report::Pass => (Status::Pass, "passed"),
        };
        let text = format!("rule is {word} due to policy exception: {keys}");
        // Kyverno's command line, whose rows say nothing of this, is not asked twice.
        let without = (!self.is_command_line()).then(|| {
            let stand = Stand { exemption: &Exemption::None, ..stand };
            let changed = self.made(stand, object);
            changed.map_or(Status::Error, |document| if document.is_some() { Status::Pass } else { Status::Skip })
        });
        let known = |wanted: &&Exception| self.world.policies.exceptions.iter().find(|it| std::ptr::eq(*it, *wanted));
        Outcome {
            exceptions: exceptions.iter().filter_map(known).collect(),
            waived: without,
            ..self.outcome(EXCEPTION, Verdict::new(status, text))
        }
    }

    fn names<'v>(&self, session: &Session<'v>, sight: Sight, stand: Stand<'v, '_>) -> Names<'v>
    where
        'w: 'v,
    {
        let body = &self.form.body;
        let of_targets = self.changes.existing.as_ref().map(Existing::reads).unwrap_or_default();
        Names::new(session, &self.policy.head.namespace, sight, &body.variables, body.reads.and(of_targets))
            .exempting(stand.exemption)
            .parameterized(stand.params)
    }

    /// What the mutations make of an object, and what is said of that.
    fn changed(&self, stand: Stand<'_, '_>, object: Node<'_>) -> (Outcome<'w>, Option<Document>) {
        let document = match self.made(stand, object) {
            Ok(document) => document,
            Err(failure) => return (self.failed(&failure), None),
        };
        let after = document.as_ref().map_or(object, Document::root);
        match renamed(object, |path| after.str_at(path)) {
            Some(field) if !self.is_command_line() => {
                let text = format!("the policy changes {field}: a cluster refuses an object that becomes another");
                (self.outcome("", Verdict::new(Status::Error, text)), None)
            }
            _ => (self.outcome("", Verdict::new(Status::Pass, "success")), document),
        }
    }

    /// The object after all mutations; `None` when none changed it.
    fn made(&self, stand: Stand<'_, '_>, object: Node<'_>) -> Result<Option<Document>, Failure> {
        let mut out: Option<Document> = None;
        for mutation in &self.form.body.mutations {
            let object = out.as_ref().map_or(object, Document::root);
            if let Some(document) = self.one(mutation, stand, object)? {
                out = Some(document);
            }
        }
        Ok(out)
    }

    /// The object after one mutation; `None` when it stays what it is.
    fn one<'v>(
        &self,
        mutation: &'v Mutation,
        stand: Stand<'v, '_>,
        object: Node<'v>,
    ) -> Result<Option<Document>, Failure>
    where
        'w: 'v,
    {
        let arena = Arena::new();
        let request = if stand.is_own { Request { object: Some(object), ..*stand.request } } else { *stand.request };
        let session = Session::new(&request, self.world, &arena);
        let sight = match self.policy.engine {
            Engine::Kyverno => Sight::Policy,
            Engine::Kubernetes => Sight::Admission,
        };
        let names = self.names(&session, sight, stand);
        let names = if stand.is_own { names } else { names.seeing(object) };
        let value = names.plain(&mutation.expression)?;
        let mut patched = Patched::Kept(object);
        match mutation.patch {
            Patch::Json => match json_patch::apply_strictly(&mut patched, value, &arena) {
                Ok(()) => {}
                Err(Stop::Test) => return Ok(None),
                Err(Stop::Error(text)) => return Err(Failure::Error(format!("JSON Patch: {text}"))),
            },
            Patch::Apply => {
                let atomics = if self.changes.replaces { Atomics::Replaced } else { Atomics::Refused };
                let place = self.place(object, value)?;
                structured::apply(&mut patched, value, place, atomics, &arena).map_err(Failure::Error)?;
            }
        }
        if patched.is(object) {
            return Ok(None);
        }
        let mut document = patched.into_document(object);
        if mutation.patch == Patch::Json {
            // Kyverno: what went through a JSON patch has integers again, also for its command line.
            document.set_integers(Integers::Wire);
        }
        Ok(Some(document))
    }

    /// What is known of the kind of an object that parts are joined with.
    fn place(&self, object: Node<'_>, parts: expr::Value<'_>) -> Result<Place<'w>, Failure> {
        let text = |key: &str| object.str_at(&[key]).unwrap_or_default();
        let (group, version) = gvk::split_api_version(text("apiVersion"));
        let kind = text("kind");
        if self.policy.engine == Engine::Kubernetes && self.is_command_line() {
            // Kyverno: its command line guesses types from the values that it sees.
            return Ok(Place::Open);
        }
        match self.world.policies.shape(group, version, kind) {
            Some(place) => Ok(place),
            None if gvk::builtin(group, kind).is_none() && self.is_command_line() => Err(Failure::Error(format!(
                "failed to convert patch object to typed object: no corresponding type for {group}/{version}, Kind={kind}"
            ))),
            None if structured::has_lists(parts) && !self.is_command_line() => {
                Err(Failure::Unknown(format!("how lists of {} {kind} are joined", text("apiVersion"))))
            }
            None => Ok(Place::Unknown),
        }
    }

    /// What the policy makes of existing objects.
    fn existing<'v>(
        &self,
        existing: &'v Existing,
        judging: &Judging<'v, '_>,
        stand: Stand<'v, '_>,
        targets: &[Node<'v>],
    ) -> Vec<OfTarget<'w>>
    where
        'w: 'v,
    {
        let named = match (&existing.constraints, &existing.expression) {
            (None, Some(expression)) => {
                let names = self.names(judging.session, Sight::Policy, stand);
                match names.plain(expression) {
                    Ok(value) => Some(identities(value)),
                    Err(failure) => return vec![(None, self.failed(&failure), None)],
                }
            }
            _ => None,
        };
        let mut out = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            let is_meant = if let Some(named) = &named {
                named.contains(&place_of(*target))
            } else {
                let constraints = existing.constraints.as_ref().unwrap_or(&self.form.constraints);
                self.meets(*target, constraints, judging)
            };
            if !is_meant {
                continue;
            }
            let arena = Arena::new();
            let session = Session::new(stand.request, self.world, &arena);
            let names = self.names(&session, Sight::Policy, stand).seeing(*target);
            let (outcome, document) = match body::gate(&names, &existing.conditions, |_, error| error.to_owned()) {
                Gate::Open => self.changed(Stand { is_own: false, ..stand }, *target),
                Gate::Closed => continue,
                Gate::Broken(failure) => (self.failed(&failure), None),
            };
            out.push((Some(index), outcome, document));
        }
        out
    }

    fn meets(&self, target: Node<'_>, constraints: &Constraints, judging: &Judging<'_, '_>) -> bool {
        let request = judging.session.request;
        let namespace = |node: Option<Node<'_>>| {
            node.and_then(|it| it.str_at(&["metadata", "namespace"])).unwrap_or_default().to_owned()
        };
        let is_same_namespace = namespace(Some(target)) == namespace(request.resource());
        let request = Request {
            object: Some(target),
            old_object: None,
            namespace_labels: request.namespace_labels.filter(|_| is_same_namespace),
            supplied: Supplied { kind: None, ..request.supplied },
            ..*request
        };
        let arena = Arena::new();
        let session = Session::new(&request, self.world, &arena);
        session.target().is_some_and(|it| it.meets(constraints).is_ok())
    }

    fn failed(&self, failure: &Failure) -> Outcome<'w> {
        self.outcome(EVALUATION, failure.verdict(|text| format!("failed to evaluate policy: {text}")))
    }

    fn outcome(&self, rule: &'w str, verdict: Verdict) -> Outcome<'w> {
        let failed = matches!(verdict.status, Status::Error | Status::Indeterminate);
        let clause = failed.then(|| self.policy.object().at(&["spec", "mutations"]).map(Node::key_span)).flatten();
        // What can't be changed as asked is let in or not as the policy says.
        let action =
            if failed && self.policy.failure == FailurePolicy::Ignore { Action::Audit } else { Action::Enforce };
        Outcome {
            evidence: Evidence { clause, ..Evidence::default() },
            properties: verdict.properties,
            origin: Some(self.origin),
            ..Outcome::new(&self.policy.head, rule, verdict.status, verdict.message, action)
        }
    }
}

/// Namespace and name of an object.
fn place_of(node: Node<'_>) -> (String, String) {
    let text = |key: &str| node.str_at(&["metadata", key]).unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// Namespace and name of an object that was looked up, or of each item of a list.
fn identities(found: expr::Value<'_>) -> Vec<(String, String)> {
    let text = |value: expr::Value<'_>, key: &str| {
        let text = value.get("metadata").and_then(|it| it.get(key)).and_then(expr::Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let one = |value: expr::Value<'_>| (text(value, "namespace"), text(value, "name"));
    match found.get("items") {
        Some(expr::Value::List(items)) => items.iter().map(one).collect(),
        _ if found.is_null() => Vec::new(),
        _ => vec![one(found)],
    }
}
