//! Rules for existing objects: which of them a rule changes, and how.
//!
//! In: the entries of `targets`, the objects that there are. Out: an outcome for each object that an entry names.

use super::{Applying, Failure, OfTarget, change::unresolved, unmet};
use crate::{
    document::{Document, Node},
    engine::{
        Outcome, Status,
        conditions::{self, Wanted},
        context::RuleScope,
        matching,
    },
    expr::{
        Value,
        template::{Path, Template},
    },
    k8s::{label_selector::LabelSelector, wildcard::Wildcard},
    policy::classic::mutate::Target,
};

impl<'w> Applying<'w> {
    /// What the rule makes of each object that its targets name.
    pub(super) fn each<'v>(&self, scope: &RuleScope<'v, '_>, objects: &[Node<'v>]) -> Vec<OfTarget<'w>>
    where
        'w: 'v,
    {
        let mut out: Vec<OfTarget<'w>> = Vec::new();
        for target in &self.block.targets {
            let wanted = match self.wanted(target, scope) {
                Ok(wanted) => wanted,
                Err(failure) => {
                    out.push((None, self.failed(failure), None));
                    continue;
                }
            };
            for (index, object) in objects.iter().enumerate().filter(|(_, object)| wanted.is(**object)) {
                if out.iter().any(|(known, ..)| *known == Some(index)) {
                    continue;
                }
                let (outcome, document) = self.one(target, *object, scope);
                out.push((Some(index), outcome, document));
            }
        }
        out
    }

    fn one<'v>(
        &self,
        target: &'w Target,
        object: Node<'v>,
        scope: &RuleScope<'v, '_>,
    ) -> (Outcome<'w>, Option<Document>)
    where
        'w: 'v,
    {
        let mark = scope.mark();
        scope.bind("target", Value::from(object));
        scope.declare(&target.context, &self.rule.document);
        let counts = match &target.preconditions {
            None => Ok(None),
            Some(preconditions) => conditions::evaluate(preconditions, &self.rule.document, scope, Wanted::False)
                .map(|decision| (!decision.holds).then_some(decision.message)),
        };
        let out = match counts {
            Ok(None) => {
                let (outcome, draft) = self.changed(scope, object);
                (outcome, draft.map(|it| it.copied(object.document())))
            }
            Ok(Some(message)) => (self.outcome(Status::Skip, unmet(&message)), None),
            Err(error) => {
                let text = format!("failed to evaluate preconditions: {error}");
                let failure = match error.indeterminate() {
                    Some(_) => Failure::Unknown(text),
                    None => Failure::Error(text),
                };
                (self.failed(failure), None)
            }
        };
        scope.reset(mark);
        out
    }

    fn document(&self) -> &'w Document {
        &self.rule.document
    }

    /// An entry of `targets` with its variables replaced.
    fn wanted<'v>(&self, target: &'w Target, scope: &RuleScope<'v, '_>) -> Result<Named, Failure>
    where
        'w: 'v,
    {
        let text = |template: &'w Template| {
            let value = template.resolve(&Path::Root, scope, scope.arena()).map_err(|error| unresolved(&error))?;
            let text = match value {
                Value::String(text) => text.to_owned(),
                other => other.to_json(),
            };
            Ok((!text.is_empty()).then(|| Wildcard::new(&text)))
        };
        let namespace = if self.policy.head.cluster_wide() {
            text(&target.namespace)?
        } else {
            Some(Wildcard::new(&self.policy.head.namespace))
        };
        let selector = match &target.selector {
            Some(tree) => {
                let value = tree.resolve(self.document(), &Path::Root, scope, scope.arena());
                let selector = matching::selector(value.map_err(|error| unresolved(&error))?);
                Some(selector.map_err(|error| Failure::Error(format!("selector of a target: {error}")))?)
            }
            None => None,
        };
        Ok(Named {
            api_version: text(&target.api_version)?,
            kind: text(&target.kind)?,
            namespace,
            name: text(&target.name)?,
            selector,
        })
    }
}

/// What an entry of `targets` asks for; `None` is anything.
struct Named {
    api_version: Option<Wildcard>,
    kind: Option<Wildcard>,
    namespace: Option<Wildcard>,
    name: Option<Wildcard>,
    selector: Option<LabelSelector>,
}

impl Named {
    fn is(&self, object: Node<'_>) -> bool {
        let holds = |wanted: &Option<Wildcard>, path: &[&str]| {
            wanted.as_ref().is_none_or(|it| it.matches(object.str_at(path).unwrap_or_default()))
        };
        let labels = || object.at(&["metadata", "labels"]).map(Value::from);
        holds(&self.api_version, &["apiVersion"])
            && holds(&self.kind, &["kind"])
            && holds(&self.namespace, &["metadata", "namespace"])
            && holds(&self.name, &["metadata", "name"])
            && self.selector.as_ref().is_none_or(|selector| matching::selects(selector, labels()))
    }
}
