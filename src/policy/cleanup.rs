//! `CleanupPolicy` and `ClusterCleanupPolicy`: what they delete, and what a cluster refuses in them. They never judge a
//! request.

use std::sync::Arc;

use super::{
    Head,
    cel::decode::head,
    classic::{
        condition::{self, Conditions, FlatList},
        context::{self, ContextEntry},
        validate::{Variable, calls_function, check_filters, context_names, equal, user_info, variables_below},
    },
    error::Problem,
    fields::{Fields, Problems},
    matching::{self, Block, Forms},
};
use crate::{
    document::{Document, Node, NodeId},
    expr::jmespath::Expression,
    k8s::cron,
};

/// A policy of either kind, compiled.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The document that holds it.
    pub document: Arc<Document>,
    /// The node of the object in the document.
    pub node: NodeId,
    /// What it is called, and what reports say of it.
    pub head: Head,
    /// Which objects it is about.
    pub matching: Block,
    /// Which of them it leaves.
    pub exclude: Option<Block>,
    /// Named values.
    pub context: Vec<ContextEntry>,
    /// What must hold of an object, which is called `target`.
    pub conditions: Option<Conditions>,
}

impl Policy {
    /// The object as written.
    pub(crate) fn object(&self) -> Node<'_> {
        self.document.node(self.node)
    }
}

/// Decodes and compiles a policy that the API server's schema lets in.
pub(crate) fn decode(document: &Arc<Document>, node: NodeId, problems: &Problems) -> Option<Policy> {
    let object = document.node(node);
    let namespaced = object.str_at(&["kind"]) == Some("CleanupPolicy");
    let kind = if namespaced { "CleanupPolicy" } else { "ClusterCleanupPolicy" };
    let head = head(document, object, kind, namespaced, problems)?;
    let spec = Fields::read(object.get("spec")?, "spec", problems)?;
    let block = |key: &str| spec.get(key).and_then(|node| matching::decode_block(node, Forms::AnyAll, problems));
    Some(Policy {
        document: Arc::clone(document),
        node,
        head,
        matching: block("match")?,
        exclude: block("exclude").filter(|it| !it.filters.is_empty()),
        context: context::decode(spec, problems),
        conditions: spec.get("conditions").and_then(|node| condition::decode(node, FlatList::Refused, problems)),
    })
}

/// The longest name, in bytes.
const MAX_NAME: usize = 63;

/// Notes what a cluster would refuse in a cleanup policy that its schema lets in.
pub(crate) fn check(object: Node<'_>, problems: &Problems) {
    let Some(spec) = object.get("spec") else { return };
    let is_namespaced = object.str_at(&["kind"]) == Some("CleanupPolicy");
    if let Some(name) =
        object.at(&["metadata", "name"]).filter(|it| it.as_str().is_some_and(|text| text.len() > MAX_NAME))
    {
        let message = format!("name: Too long: may not be more than {MAX_NAME} bytes");
        problems.at(name, Problem::invalid_with(message, "shorten the name"));
    }
    if let Some(schedule) = spec.get("schedule")
        && !schedule.as_str().is_some_and(cron::is_standard)
    {
        let message = "schedule spec in the cleanupPolicy is not in proper cron format";
        let help = "write minute, hour, day, month and day of the week, as in `0 3 * * *`";
        problems.at(schedule, Problem::invalid_with(message, help));
    }
    for block in ["match", "exclude"].into_iter().filter_map(|key| spec.get(key)) {
        of_block(block, is_namespaced, problems);
    }
    if let (Some(matching), Some(exclude)) = (spec.get("match"), spec.get("exclude"))
        && exclude.len() > 0
        && equal(matching, exclude)
    {
        let message = "CleanupPolicy is matching an empty set";
        problems.at_key(exclude, Problem::invalid_with(message, "everything that `match` takes is excluded here"));
    }
    for source in spec.get("context").into_iter().flat_map(Node::items).flat_map(Node::entries).map(|(_, it)| it) {
        if matches!(source.key(), "configMap" | "imageRegistry") {
            let message = format!("{} is not allowed in CleanUp Policy", source.key());
            problems.at_key(source, Problem::invalid_with(message, "use `apiCall` or `variable`"));
        }
    }
    let names = context_names(spec);
    for part in ["context", "conditions"].into_iter().filter_map(|key| spec.get(key)) {
        for it in &variables_below(part) {
            variable(it, &names, problems);
        }
    }
}

fn of_block(block: Node<'_>, is_namespaced: bool, problems: &Problems) {
    check_filters(block, problems);
    for list in user_info(block) {
        let message = "Usage of user info is forbidden";
        problems.at_key(
            list,
            Problem::invalid_with(message, format!("remove `{}`: nobody asks for a cleanup", list.key())),
        );
    }
    let filters = ["any", "all"].into_iter().filter_map(|key| block.get(key)).flat_map(Node::items);
    for list in filters.filter_map(|filter| filter.at(&["resources", "namespaces"])) {
        if is_namespaced && list.len() > 0 {
            let message = "Filtering namespaces not allowed in namespaced policies";
            problems.at_key(list, Problem::invalid_with(message, "remove `namespaces`, or use a ClusterCleanupPolicy"));
        }
    }
}

/// A cleanup policy may read the object, its images and its own context.
fn variable(variable: &Variable<'_>, names: &[&str], problems: &Problems) {
    let text = variable.text.as_str();
    let problem = match Expression::parse(text) {
        Err(error) => {
            let message = format!("failed to resolve {text}: invalid JMESPath query: {error}");
            Problem::invalid_with(message, "try it with `admit jp`")
        }
        Ok(_) if calls_function(text) || ["target", "image"].iter().chain(names).any(|it| text.contains(it)) => return,
        Ok(_) => {
            let message =
                format!("variable {text} must match regex \"target.|images\" or patterns [{}]", names.join(", "));
            Problem::invalid_with(message, "read the object as `target`")
        }
    };
    problems.at_span(variable.node, variable.span(), problem);
}
