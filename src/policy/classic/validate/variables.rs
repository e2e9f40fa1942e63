//! Variables: which names a rule may read, and where.

use super::{
    Draft, given, name_of,
    walk::{self, Variable},
};
use crate::{
    document::Node,
    expr::jmespath::Expression,
    policy::error::{listed, nearest},
};

/// The variables of a rule, wherever they are substituted.
pub(super) struct Variables;

impl Variables {
    /// All of them, in the order of the file.
    pub(super) fn of_rule(rule: Node<'_>) -> Vec<Variable<'_>> {
        let mut out = Vec::new();
        walk::texts(rule, &mut |leaf| walk::variables(leaf, &mut out));
        out
    }
}

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    misplaced(draft, rule);
    let entries = Entries::of(rule);
    let targets = rule.at(&["mutate", "targets"]).is_some_and(|it| it.len() > 0);
    for variable in Variables::of_rule(rule) {
        if variable.text.is_empty() {
            continue;
        }
        if !(entries.know(&variable.text) || is_known(&variable.text) || (targets && variable.text.contains("target")))
        {
            unknown(draft, rule, &variable, &entries);
        } else if !variable.in_foreach
            && let Some(name) = element(&variable.text, &entries)
        {
            let message = format!("variable '{}' present outside of foreach", variable.text);
            let help = format!("`{name}` is known in `foreach` only");
            draft.refuse_at(variable.node, variable.span(), message, help);
        }
    }
}

/// Variables where none is substituted.
fn misplaced(draft: &Draft<'_>, rule: Node<'_>) {
    let blocks = ["match", "exclude"].into_iter().filter_map(|key| Some((given(rule, key)?, key)));
    let references = rule
        .get("verifyImages")
        .into_iter()
        .flat_map(Node::items)
        .filter_map(|entry| Some((given(entry, "imageReferences")?, "imageReferences")));
    for (part, section) in blocks.chain(references) {
        for variable in walk::variables_below(part) {
            let message = format!("rule \"{}\" should not have variables in {section} section", name_of(rule));
            draft.refuse_at(
                variable.node,
                variable.span(),
                message,
                "use `preconditions` for what depends on the request",
            );
        }
    }
}

fn unknown(draft: &Draft<'_>, rule: Node<'_>, variable: &Variable<'_>, entries: &Entries<'_>) {
    let patterns: Vec<String> = entries.list.iter().map(Entry::pattern).collect();
    let message = format!(
        "variable substitution failed for rule {}: variable {} must match regex \"{}\" or patterns [{}]",
        name_of(rule),
        variable.text,
        ROOTS.join("|"),
        patterns.join(", ")
    );
    let root = Expression::parse(&variable.text).ok().and_then(|it| it.root_names().next().map(str::to_owned));
    let near = root
        .as_deref()
        .and_then(|root| nearest(root, entries.list.iter().map(|it| it.name).chain(["request", "images", "element"])));
    let help = match (near, root) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(root)) => format!("declare `{root}` in `context`"),
        (None, None) => {
            format!("read one of {}, an entry of `context`, or call a function", listed(&["request", "images"]))
        }
    };
    draft.refuse_at(variable.node, variable.span(), message, help);
}

/// What every rule may read.
const ROOTS: [&str; 8] =
    ["request.", "serviceAccountName", "serviceAccountNamespace", "element", "elementIndex", "@", "images", "image."];

/// Kyverno: a variable is known when one of these words stands anywhere in it, or the call of a function.
fn is_known(text: &str) -> bool {
    ["request", "serviceAccountName", "serviceAccountNamespace", "element", "@", "image"]
        .iter()
        .any(|it| text.contains(it))
        || calls_function(text)
}

/// Whether a parenthesis follows a name.
pub(crate) fn calls_function(text: &str) -> bool {
    text.match_indices('(').any(|(at, _)| text[..at].ends_with(|it: char| it.is_ascii_alphanumeric() || it == '_'))
}

/// The element of a `foreach` that an expression reads.
fn element(text: &str, entries: &Entries<'_>) -> Option<String> {
    let is_element = |name: &str| {
        let stem = name.trim_end_matches(|it: char| it.is_ascii_digit());
        matches!(stem, "element" | "elementIndex")
    };
    let expression = Expression::parse(text).ok()?;
    let mut names =
        expression.root_names().filter(|name| is_element(name) && !entries.list.iter().any(|it| it.name == *name));
    names.next().map(str::to_owned)
}

/// The context entries that the variables of a rule may read, whatever part of the rule declares them.
struct Entries<'d> {
    list: Vec<Entry<'d>>,
}

struct Entry<'d> {
    name: &'d str,
    is_config_map: bool,
}

impl Entry<'_> {
    /// The pattern in Kyverno's message.
    fn pattern(&self) -> String {
        if self.is_config_map { format!("{0}.data*, {0}.metadata*", self.name) } else { format!("{}*", self.name) }
    }
}

/// The names of the context entries of an object that holds some.
pub(crate) fn context_names(holder: Node<'_>) -> Vec<&str> {
    let mut list = Vec::new();
    collect(holder, &mut list);
    list.into_iter().map(|entry| entry.name).collect()
}

impl<'d> Entries<'d> {
    fn of(rule: Node<'d>) -> Self {
        let mut list = Vec::new();
        collect(rule, &mut list);
        for key in ["validate", "mutate", "generate"] {
            if let Some(body) = rule.get(key) {
                foreach(body, &mut list);
            }
        }
        for target in rule.at(&["mutate", "targets"]).into_iter().flat_map(Node::items) {
            collect(target, &mut list);
        }
        Self { list }
    }

    fn know(&self, text: &str) -> bool {
        let plain = text.replace('"', "");
        self.list.iter().any(|entry| {
            if entry.is_config_map {
                ["data", "metadata"].iter().any(|part| plain.contains(&format!("{}.{part}", entry.name)))
            } else {
                plain.contains(entry.name)
            }
        })
    }
}

fn foreach<'d>(body: Node<'d>, out: &mut Vec<Entry<'d>>) {
    for item in body.get("foreach").into_iter().flat_map(Node::items) {
        collect(item, out);
        foreach(item, out);
    }
}

fn collect<'d>(holder: Node<'d>, out: &mut Vec<Entry<'d>>) {
    for entry in holder.get("context").into_iter().flat_map(Node::items) {
        if let Some(name) = entry.str_at(&["name"]).filter(|name| !name.is_empty()) {
            out.push(Entry { name, is_config_map: given(entry, "configMap").is_some() });
        }
    }
}
