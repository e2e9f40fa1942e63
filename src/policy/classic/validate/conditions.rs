//! Conditions: a key, an operator that there is, a value; and operations that there are.

use super::{Draft, foreach, given};
use crate::{
    document::Node,
    expr::operator,
    policy::{
        Operation,
        error::{listed, nearest},
    },
};

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    for block in blocks(rule) {
        of_block(draft, block);
    }
}

/// Everything in a rule that holds conditions.
fn blocks(rule: Node<'_>) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    out.extend(given(rule, "preconditions"));
    for key in ["validate", "mutate", "generate"] {
        let Some(body) = given(rule, key) else { continue };
        let mut holders = vec![body];
        foreach::collect(body, &mut holders);
        holders.extend(body.get("targets").into_iter().flat_map(Node::items));
        for holder in holders {
            out.extend(given(holder, "preconditions"));
            out.extend(holder.at(&["deny", "conditions"]).filter(|it| !it.is_null()));
        }
    }
    for entry in rule.get("verifyImages").into_iter().flat_map(Node::items) {
        out.extend(entry.at(&["validate", "deny", "conditions"]).filter(|it| !it.is_null()));
        let attestations = entry.get("attestations").into_iter().flat_map(Node::items);
        out.extend(attestations.filter_map(|it| given(it, "conditions")));
    }
    out
}

/// A block with `any` and `all`, or a list of conditions or such blocks.
fn of_block(draft: &Draft<'_>, block: Node<'_>) {
    let is_block = |node: Node<'_>| node.get("any").is_some() || node.get("all").is_some();
    if block.is_map() {
        for list in ["any", "all"].into_iter().filter_map(|key| given(block, key)) {
            list.items().for_each(|it| condition(draft, it));
        }
    }
    for item in block.items() {
        if is_block(item) { of_block(draft, item) } else { condition(draft, item) }
    }
}

fn condition(draft: &Draft<'_>, node: Node<'_>) {
    let missing: Vec<_> = ["key", "operator", "value"].into_iter().filter(|key| given(node, key).is_none()).collect();
    if !missing.is_empty() {
        let message = "entered value of key, value or operator is missing or misspelled";
        let nulls: Vec<_> = missing.iter().filter_map(|key| node.get(key)).collect();
        let help = format!("add {}", listed(&missing));
        match nulls.first() {
            Some(null) => draft.refuse_key(*null, message, "a null counts as missing"),
            None => draft.refuse_key(node, message, help),
        }
        return;
    }
    if let Some(written) = given(node, "operator")
        && let Some(text) = written.as_str()
        && operator::find(text).is_none()
    {
        let message = format!("entered value of operator is invalid: `{text}`");
        let names = operator::ALL.map(operator::Operator::name);
        let help = nearest(text, names)
            .map_or_else(|| format!("use one of {}", listed(&names)), |name| format!("did you mean `{name}`?"));
        draft.refuse(written, message, help);
    }
    operations(draft, node);
}

/// Kyverno: what the operation is compared with is looked at, if nothing else stands in the key.
fn operations(draft: &Draft<'_>, node: Node<'_>) {
    let key = node.str_at(&["key"]).unwrap_or_default().replace(' ', "");
    let Some(value) = node.get("value").filter(|_| key == "{{request.operation}}") else { return };
    let single = value.as_str().is_some().then_some(value);
    for item in single.into_iter().chain(value.items()) {
        let Some(text) = item.as_str() else { continue };
        let is_variable = text.contains("{{") && text.contains("}}");
        if !is_variable && Operation::parse(text).is_none() {
            let names = Operation::ALL.map(Operation::name);
            let message = format!(
                "unknown value '{text}' found under the 'value' field. Only the following values are allowed: [{}]",
                names.join(", ")
            );
            let help = nearest(text, names)
                .map_or_else(|| "compare with one of them".to_owned(), |name| format!("did you mean `{name}`?"));
            draft.refuse(item, message, help);
        }
    }
}
