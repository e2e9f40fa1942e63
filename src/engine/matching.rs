//! Whether a `match` or `exclude` block holds for a request.
//!
//! In: a compiled block and a request. Out: yes or no. Never an error.

use super::request::{Request, UserInfo};
use crate::{
    cluster::{Cluster, NAME_LABEL, NamespaceLabels},
    document::Node,
    expr::{Map, Value},
    k8s::{
        gvk::KindPattern,
        label_selector::{LabelSelector, SelectorError},
    },
    policy::{
        matching::{Block, Filter, Join, Subject},
        set::ResourceKind,
    },
};

/// What is known of a resource while blocks are compared with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subjected<'r> {
    kind: ResourceKind<'r>,
    name: &'r str,
    namespace: &'r str,
    labels: Option<Node<'r>>,
    annotations: Option<Node<'r>>,
    request: &'r Request<'r>,
    /// A cluster knows who asks, and we don't.
    user_is_hidden: bool,
    /// The namespace of the resource, where a cluster knows its labels and we don't.
    unknown_namespace: Option<&'r str>,
}

/// Whether a block reaches a resource. The order is that of certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// It doesn't.
    No,
    /// It does if the right user asks, and who asks is not known.
    DependsOnUser,
    /// It does if the namespace has the right labels, and nothing is known of the namespace.
    DependsOnNamespace,
    /// It does.
    Yes,
}

/// Who reads a block; the same words mean slightly different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// `match` of a rule.
    Match,
    /// `exclude` of a rule.
    Exclude,
    /// `match` of an exception.
    Exception,
}

impl<'r> Subjected<'r> {
    /// Reads what blocks ask for from the resource of a request.
    pub(crate) fn new(request: &'r Request<'r>, resource: Node<'r>, cluster: &Cluster) -> Self {
        let metadata = resource.get("metadata");
        let text = |key: &str| metadata.and_then(|node| node.str_at(&[key])).unwrap_or_default();
        let name = text("name");
        Self {
            kind: request.kind(),
            name: if name.is_empty() { text("generateName") } else { name },
            namespace: text("namespace"),
            labels: metadata.and_then(|node| node.get("labels")),
            annotations: metadata.and_then(|node| node.get("annotations")),
            request,
            user_is_hidden: request.user.is_none() && !cluster.is_command_line(),
            unknown_namespace: request.unknown_namespace(cluster),
        }
    }

    /// The namespace of the resource; empty for cluster-scoped ones.
    pub(crate) fn namespace(&self) -> &'r str {
        self.namespace
    }

    /// The labels of the resource; an empty map if it has none.
    pub(crate) fn labels(&self) -> Value<'r> {
        self.labels.map_or(Value::Map(Map::Entries(&[])), Value::from)
    }

    /// Who asks, if that is known.
    pub(crate) fn asking(&self) -> Option<&'r UserInfo> {
        self.request.user
    }

    /// Whether a filter holds but for who asks, which is not known.
    pub(crate) fn depends_on_user(&self, filter: &Filter, reader: Reader) -> bool {
        self.user_is_hidden
            && filter.asks_user()
            && matches!(
                self.holds(filter, reader),
                Ok(()) | Err(Mismatch::User | Mismatch::Empty | Mismatch::NamespaceUnknown)
            )
    }

    /// Whether the block holds, as far as that can be told: where it is not known who asks, a filter that holds but
    /// for the user may hold or not, and so for the labels of a namespace of which nothing is known.
    ///
    /// Kyverno: without user info its command line takes such a filter as one that asks for no user.
    ///
    /// `of_kind` tells for which filters the kinds hold, as far as that is known.
    pub(crate) fn reach(&self, block: &Block, reader: Reader, of_kind: impl Fn(usize) -> Option<bool>) -> Reach {
        let reach = |(index, filter): (usize, &Filter)| match (
            self.holds_for(filter, reader, of_kind(index), None),
            filter.asks_user(),
        ) {
            (Ok(()), false) => Reach::Yes,
            (Ok(()), true) if !self.user_is_hidden => Reach::Yes,
            (Ok(()) | Err(Mismatch::User | Mismatch::Empty | Mismatch::NamespaceUnknown), true)
                if self.user_is_hidden =>
            {
                Reach::DependsOnUser
            }
            (Err(Mismatch::NamespaceUnknown), _) => Reach::DependsOnNamespace,
            (Ok(()) | Err(_), _) => Reach::No,
        };
        let reaches = block.filters.iter().enumerate().map(reach);
        match block.join {
            Join::Any => reaches.max().unwrap_or(Reach::No),
            Join::All => reaches.min().unwrap_or(Reach::No),
            Join::Direct => reaches.min().unwrap_or(Reach::Yes),
        }
    }

    /// The word of the resource that a mismatch is about; empty where it is not a single one.
    pub(crate) fn at(&self, mismatch: Mismatch) -> &'r str {
        match mismatch {
            Mismatch::Kind => self.kind.kind,
            Mismatch::Name => self.name,
            Mismatch::Namespace => self.namespace,
            _ => "",
        }
    }

    /// Whether the block holds for certain.
    pub(crate) fn matches(&self, block: &Block, reader: Reader) -> bool {
        let holds = |filter: &Filter| self.holds(filter, reader).is_ok();
        match block.join {
            Join::Any => block.filters.iter().any(holds),
            Join::All => !block.filters.is_empty() && block.filters.iter().all(holds),
            Join::Direct => block.filters.iter().all(holds),
        }
    }

    /// Why a filter doesn't hold, if it doesn't.
    pub(crate) fn holds(&self, filter: &Filter, reader: Reader) -> Result<(), Mismatch> {
        self.holds_for(filter, reader, None, None)
    }

    /// Whether a filter holds but for one thing that doesn't.
    pub(crate) fn holds_but_for(&self, filter: &Filter, reader: Reader, ignored: Mismatch) -> bool {
        self.holds_for(filter, reader, None, Some(ignored)).is_ok()
    }

    /// Whether the block of an exception holds; `None` where that takes labels of a namespace that are not known.
    pub(crate) fn excepted(&self, block: &Block) -> Option<bool> {
        let holds = |filter: &Filter| match self.holds(filter, Reader::Exception) {
            Ok(()) => Some(true),
            Err(Mismatch::NamespaceUnknown) => None,
            Err(_) => Some(false),
        };
        // A filter that decides alone ends the look at the others.
        let (decisive, mut out) = match block.join {
            Join::Any => (true, Some(false)),
            Join::All => (false, Some(!block.filters.is_empty())),
            Join::Direct => (false, Some(true)),
        };
        for filter in &block.filters {
            match holds(filter) {
                Some(held) if held == decisive => return Some(decisive),
                Some(_) => {}
                None => out = None,
            }
        }
        out
    }

    /// As [`Subjected::holds`]; `of_kind` tells whether the kinds hold, if that is known, and `ignored` what doesn't count.
    fn holds_for(
        &self,
        filter: &Filter,
        reader: Reader,
        of_kind: Option<bool>,
        ignored: Option<Mismatch>,
    ) -> Result<(), Mismatch> {
        let asks_user = filter.asks_user() && !(reader == Reader::Match && self.request.user.is_none());
        if filter.asks_no_resource() && !asks_user {
            // Kyverno: with nobody known to ask, a match filter with only subjects matches everything.
            return if reader == Reader::Match && filter.asks_user() { Ok(()) } else { Err(Mismatch::Empty) };
        }
        let check = |ok: bool, why: Mismatch| if ok || ignored == Some(why) { Ok(()) } else { Err(why) };
        if reader != Reader::Exception {
            let asked = filter.operations.is_empty() || filter.operations.contains(&self.request.operation);
            check(asked, Mismatch::Operation)?;
        }
        let kind = self.kind;
        let kinds = &filter.kinds;
        let of_kind = of_kind.unwrap_or_else(|| {
            let held = |it: &KindPattern| it.matches(kind.group, kind.version, kind.kind, kind.subresource);
            kinds.is_empty() || kinds.iter().any(held)
        });
        check(of_kind, Mismatch::Kind)?;
        let named = filter.names.iter().any(|it| it.matches(self.name));
        check(filter.names.is_empty() || named, Mismatch::Name)?;
        let namespace = if kind.kind == "Namespace" { self.name } else { self.namespace };
        let housed = filter.namespaces.iter().any(|it| it.matches(namespace));
        check(filter.namespaces.is_empty() || housed, Mismatch::Namespace)?;
        let annotated = filter.annotations.iter().all(|(key, value)| {
            let pairs = self.annotations.into_iter().flat_map(Node::entries);
            pairs.into_iter().any(|(name, text)| key.matches(name) && text.as_str().is_some_and(|it| value.matches(it)))
        });
        check(annotated, Mismatch::Annotation)?;
        let labels = self.labels.map(Value::from);
        let labelled = filter.selector.as_ref().is_none_or(|selector| selects(selector, labels));
        check(labelled, Mismatch::Label)?;
        let selected = match &filter.namespace_selector {
            Some(_) if kind.kind == "Namespace" => Some(false),
            Some(selector) if self.namespace.is_empty() => Some(selects(selector, None)),
            Some(selector) => self.housed_by(selector),
            None => Some(true),
        };
        check(selected != Some(false), Mismatch::NamespaceLabel)?;
        check(!asks_user || self.asked_by(filter), Mismatch::User)?;
        // Last, since what does not hold for certain decides.
        check(selected.is_some(), Mismatch::NamespaceUnknown)
    }

    /// Whether a selector holds for the labels of the namespace; `None` where that takes labels that are not known.
    pub(crate) fn housed_by(&self, selector: &LabelSelector) -> Option<bool> {
        selects_namespace(selector, self.request.namespace_labels, self.unknown_namespace)
    }

    /// Kyverno: roles, cluster roles and subjects must each match when given.
    fn asked_by(&self, filter: &Filter) -> bool {
        let nobody = UserInfo::default();
        let user = self.request.user.unwrap_or(&nobody);
        let has = |wanted: &[String], held: &[String]| wanted.is_empty() || wanted.iter().any(|it| held.contains(it));
        has(&filter.roles, &user.roles)
            && has(&filter.cluster_roles, &user.cluster_roles)
            && (filter.subjects.is_empty()
                || filter.subjects.iter().any(|subject| match subject {
                    Subject::User(name) | Subject::ServiceAccount(name) => name.matches(&user.username),
                    Subject::Group(name) => user.groups.iter().any(|group| name.matches(group)),
                }))
    }
}

/// Whether a selector holds for labels; no labels are an empty set.
pub(crate) fn selects(selector: &LabelSelector, labels: Option<Value<'_>>) -> bool {
    let map = match labels {
        Some(Value::Map(map)) => map,
        _ => Map::Entries(&[]),
    };
    selector.matches(map.iter().filter_map(|(key, value)| Some((key, value.as_str()?))))
}

/// Whether a selector holds for the labels of a namespace; of one of which nothing else is known, its name is. `None`
/// where other labels decide.
pub(crate) fn selects_namespace(
    selector: &LabelSelector,
    labels: Option<NamespaceLabels<'_>>,
    unknown: Option<&str>,
) -> Option<bool> {
    match (unknown, labels) {
        (Some(name), _) => selector.matches_known([(NAME_LABEL, name)].into_iter()),
        (None, Some(labels)) => Some(selector.matches(labels.pairs())),
        (None, None) => Some(selects(selector, None)),
    }
}

/// The label selector that a value stands for.
///
/// # Errors
/// The first expression that is none.
pub(crate) fn selector(value: Value<'_>) -> Result<LabelSelector, SelectorError> {
    let mut out = LabelSelector::new();
    if let Some(Value::Map(pairs)) = value.get("matchLabels") {
        for (key, value) in pairs.iter() {
            out.match_label(key, value.as_str().unwrap_or_default());
        }
    }
    if let Some(Value::List(expressions)) = value.get("matchExpressions") {
        for expression in expressions.iter() {
            let text = |key| expression.get(key).and_then(Value::as_str).unwrap_or_default();
            let values = match expression.get("values") {
                Some(Value::List(values)) => values.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            out.match_expression(text("key"), text("operator"), values)?;
        }
    }
    Ok(out)
}

/// The first thing in a filter that doesn't hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mismatch {
    /// The filter asks for nothing.
    Empty,
    /// Another operation.
    Operation,
    /// Another kind.
    Kind,
    /// Another name.
    Name,
    /// Another namespace.
    Namespace,
    /// An annotation is missing.
    Annotation,
    /// The labels don't match.
    Label,
    /// The labels of the namespace don't match.
    NamespaceLabel,
    /// Somebody else asks.
    User,
    /// Everything holds but for labels of a namespace of which nothing is known.
    NamespaceUnknown,
}
