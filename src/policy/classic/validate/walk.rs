//! The texts of a rule, with what it takes to judge the variables in them.

use crate::{
    document::{Kind, Node},
    expr::template,
    span::Span,
};

/// A text somewhere in a rule: a value, or the key of `node`.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'d> {
    pub node: Node<'d>,
    pub text: &'d str,
    is_key: bool,
    /// Whether it stands in a `foreach` block.
    pub in_foreach: bool,
}

impl Leaf<'_> {
    /// Where a part of the text stands; the whole text where the part is written in another way.
    pub(super) fn place_of(&self, part: &str) -> Span {
        let whole = if self.is_key { self.node.key_span() } else { self.node.span() };
        match self.node.file().slice(whole).find(part) {
            Some(at) => Span::new(whole.start + at as u32, whole.start + (at + part.len()) as u32),
            None => whole,
        }
    }
}

/// Calls `visit` for each text below a rule that is substituted when the rule runs, keys included.
pub(super) fn texts<'d>(rule: Node<'d>, visit: &mut dyn FnMut(Leaf<'d>)) {
    below(rule, &mut Vec::new(), false, visit);
}

/// The variables of all texts in a part of an object.
pub(crate) fn variables_below(part: Node<'_>) -> Vec<Variable<'_>> {
    let mut out = Vec::new();
    // The part stands at no path of a rule, so that nothing in it is passed over.
    below(part, &mut vec![""], false, &mut |leaf| variables(leaf, &mut out));
    out
}

fn below<'d>(node: Node<'d>, path: &mut Vec<&'d str>, in_foreach: bool, visit: &mut dyn FnMut(Leaf<'d>)) {
    if is_passed_over(path) {
        return;
    }
    let in_foreach = in_foreach || matches!(path.as_slice(), ["validate" | "mutate" | "generate", "foreach"]);
    match node.kind() {
        Kind::String(text) => visit(Leaf { node, text, is_key: false, in_foreach }),
        Kind::List => node.items().for_each(|item| below(item, path, in_foreach, visit)),
        Kind::Map => {
            for (key, value) in node.entries() {
                path.push(key);
                if !is_passed_over(path) {
                    visit(Leaf { node: value, text: key, is_key: true, in_foreach });
                }
                below(value, path, in_foreach, visit);
                path.pop();
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {}
    }
}

/// What is not substituted, or is no text of Kyverno's. Items of lists have no step of their own.
fn is_passed_over(path: &[&str]) -> bool {
    match path {
        ["name" | "match" | "exclude" | "celPreconditions"] => true,
        ["validate", "cel" | "podSecurity"] => true,
        // Kyverno: conditions on what an attestation says are not looked at.
        ["verifyImages", "attestations", "conditions"] => true,
        // An expression without braces.
        ["validate" | "mutate" | "generate", "foreach", .., "list"] => {
            path[1..path.len() - 1].iter().all(|it| *it == "foreach")
        }
        _ => false,
    }
}

/// One variable of a text.
#[derive(Clone)]
pub(crate) struct Variable<'d> {
    /// The expression between the braces, variables in it replaced by `null`.
    pub text: String,
    /// The node in which it stands.
    pub node: Node<'d>,
    /// Whether it stands in a `foreach` block.
    pub in_foreach: bool,
    span: Span,
}

impl Variable<'_> {
    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        self.span
    }
}

/// The most variables that one text is searched for.
const MAX_VARIABLES: usize = 1000;

/// The variables of a text, inner ones first.
pub(super) fn variables<'d>(leaf: Leaf<'d>, out: &mut Vec<Variable<'d>>) {
    let mut text = leaf.text.to_owned();
    let full = out.len() + MAX_VARIABLES;
    while out.len() < full {
        let found = template::variables(&text);
        if found.is_empty() {
            return;
        }
        let mut next = String::new();
        let mut from = 0;
        for (start, end) in found {
            let inside = &text[start + 2..end - 2];
            out.push(Variable {
                text: inside.strip_prefix('-').unwrap_or(inside).trim().to_owned(),
                node: leaf.node,
                in_foreach: leaf.in_foreach,
                span: leaf.place_of(&text[start..end]),
            });
            next.push_str(&text[from..start]);
            // Kyverno: policies are validated with a null for every variable.
            next.push_str("null");
            from = end;
        }
        next.push_str(&text[from..]);
        text = next;
    }
}
