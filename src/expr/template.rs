//! Texts and trees with variables: `{{ expression }}`.
//!
//! In: a scalar or a tree of a policy. Out, once a run: a [`Template`] or a [`Tree`] whose expressions are parsed;
//! then, for each resource, the value after substitution. A part of a policy without variables costs nothing: it
//! stays the node it was. References `$(…)` are resolved when a policy is compiled, not here.
//!
//! Kyverno: what a variable inserts into a longer text is itself searched for variables, so `{{ a.{{ b }} }}` and
//! values that hold `{{ }}` expand again (`tests/engine/variables/`); the number of such rounds is bounded here.

use super::{
    Arena, Value,
    jmespath::{EvalError, Expression, ParseError, Scope},
};
use crate::document::{Document, Kind, Node, NodeId};

/// How often inserted text is searched again before the text counts as endless.
const MAX_ROUNDS: usize = 64;

/// The longest text that substitution may build, in bytes.
const MAX_TEXT: usize = 4 << 20;

/// Why a variable could not be replaced.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SubstituteError {
    /// The expression failed.
    #[error("failed to resolve {expression} at path {path}: {}{source}", prefix(.source))]
    Query {
        /// The expression as written, without braces.
        expression: String,
        /// Where in the substituted tree, as `/spec/(name)`; empty for single texts.
        path: String,
        /// What went wrong.
        source: EvalError,
    },
    /// The text between the braces is no expression.
    #[error("failed to resolve {expression} at path {path}: {source}")]
    Parse {
        /// The expression as written, without braces.
        expression: String,
        /// Where in the substituted tree.
        path: String,
        /// What went wrong.
        source: ParseError,
    },
    /// A key of a map became something that is no text.
    #[error("expected string after substituting variables in key \"{key}\"")]
    Key {
        /// The key as written.
        key: String,
    },
    /// Text that keeps growing or expanding.
    #[error("variables at path {path} expand without end")]
    Endless {
        /// Where in the substituted tree.
        path: String,
    },
}

/// Kyverno: what can't be loaded is no failure of the expression that asks for it.
fn prefix(error: &EvalError) -> &'static str {
    if matches!(error, EvalError::Context { .. }) { "" } else { "JMESPath query failed: " }
}

impl SubstituteError {
    /// The error of the expression, where it is one.
    pub(crate) fn query(&self) -> Option<&EvalError> {
        match self {
            SubstituteError::Query { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// One variable: `{{ text }}` or `{{- text }}`.
#[derive(Debug)]
struct Variable {
    text: String,
    /// `{{-`: what it inserts is not searched again.
    literal: bool,
    expression: Result<Expression, ParseError>,
}

impl Variable {
    fn new(inside: &str) -> Self {
        let (inside, literal) = match inside.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (inside, false),
        };
        let text = inside.trim().to_owned();
        Self { expression: Expression::parse(&text), text, literal }
    }

    fn evaluate<'v>(
        &self,
        path: &Path<'_>,
        scope: &dyn Scope<'v>,
        arena: &'v Arena,
    ) -> Result<Value<'v>, SubstituteError> {
        if self.text == "@" {
            let root = if scope.lookup("target").is_ok_and(|it| it.is_some()) { "target" } else { "request.object" };
            let text = path.below(root);
            return evaluate(&Expression::parse(&text), &text, path, scope, arena);
        }
        evaluate(&self.expression, &self.text, path, scope, arena)
    }
}

fn evaluate<'v>(
    expression: &Result<Expression, ParseError>,
    text: &str,
    path: &Path<'_>,
    scope: &dyn Scope<'v>,
    arena: &'v Arena,
) -> Result<Value<'v>, SubstituteError> {
    let (text, path) = (|| text.to_owned(), || path.to_string());
    match expression {
        Ok(expression) => expression.evaluate(scope, arena).map_err(|source| SubstituteError::Query {
            expression: text(),
            path: path(),
            source,
        }),
        Err(source) => Err(SubstituteError::Parse { expression: text(), path: path(), source: source.clone() }),
    }
}

/// A compiled text.
#[derive(Debug)]
pub(crate) struct Template {
    text: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// No variable; escapes are already undone.
    Plain(String),
    /// Exactly one variable, so that the typed value replaces the text.
    Whole(Box<Variable>),
    /// Text and variables that don't nest.
    Mixed(Vec<Part>),
    /// Variables inside variables: found anew in each round.
    Nested,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Variable(Variable),
}

impl Template {
    /// Compiles a text. Expressions that don't parse are kept as errors, which substitution gives back.
    pub(crate) fn compile(text: &str) -> Self {
        let found = variables(text);
        let form = match found.as_slice() {
            [] if text.contains("{{") && text.contains("}}") && nested(text) => Form::Nested,
            [] => Form::Plain(unescape(text)),
            [(start, end)] if *start == 0 && *end == text.len() => {
                Form::Whole(Box::new(Variable::new(&text[2..text.len() - 2])))
            }
            _ if nested(text) => Form::Nested,
            found => {
                let mut parts = Vec::new();
                let mut from = 0;
                for &(start, end) in found {
                    if from < start {
                        parts.push(Part::Text(text[from..start].to_owned()));
                    }
                    parts.push(Part::Variable(Variable::new(&text[start + 2..end - 2])));
                    from = end;
                }
                if from < text.len() {
                    parts.push(Part::Text(text[from..].to_owned()));
                }
                Form::Mixed(parts)
            }
        };
        Self { text: text.to_owned(), form }
    }

    /// The text as written.
    pub(crate) fn source(&self) -> &str {
        &self.text
    }

    /// The text of a template without variables, escapes undone.
    pub(crate) fn plain(&self) -> Option<&str> {
        match &self.form {
            Form::Plain(text) => Some(text),
            _ => None,
        }
    }

    /// The parsed expressions of the text, in order. Nested ones are known only when they are resolved.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.variables().filter_map(|variable| variable.expression.as_ref().ok())
    }

    fn variables(&self) -> impl Iterator<Item = &Variable> {
        let (whole, parts) = match &self.form {
            Form::Whole(variable) => (Some(&**variable), &[][..]),
            Form::Mixed(parts) => (None, parts.as_slice()),
            Form::Plain(_) | Form::Nested => (None, &[][..]),
        };
        whole.into_iter().chain(parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Text(_) => None,
        }))
    }

    /// The value after substitution.
    ///
    /// # Errors
    /// When a variable can't be resolved; the first one stops.
    pub(crate) fn resolve<'v>(
        &'v self,
        path: &Path<'_>,
        scope: &dyn Scope<'v>,
        arena: &'v Arena,
    ) -> Result<Value<'v>, SubstituteError> {
        match &self.form {
            Form::Plain(text) => Ok(Value::String(text)),
            Form::Whole(variable) => variable.evaluate(path, scope, arena),
            Form::Mixed(parts) => {
                let mut out = String::new();
                let mut again = false;
                for part in parts {
                    match part {
                        Part::Text(text) => out.push_str(text),
                        Part::Variable(variable) => {
                            again |= insert(&mut out, variable.evaluate(path, scope, arena)?, variable.literal);
                        }
                    }
                }
                if again && !variables(&out).is_empty() {
                    return rounds(out, path, scope, arena);
                }
                Ok(Value::string_in(arena, &unescape(&out)))
            }
            Form::Nested => rounds(self.text.clone(), path, scope, arena),
        }
    }
}

/// Substitutes a text that is known only now.
pub(crate) fn resolve_text<'v>(
    text: &str,
    path: &Path<'_>,
    scope: &dyn Scope<'v>,
    arena: &'v Arena,
) -> Result<Value<'v>, SubstituteError> {
    rounds(text.to_owned(), path, scope, arena)
}

/// Replaces variables until none is left.
fn rounds<'v>(
    mut text: String,
    path: &Path<'_>,
    scope: &dyn Scope<'v>,
    arena: &'v Arena,
) -> Result<Value<'v>, SubstituteError> {
    for _ in 0..MAX_ROUNDS {
        let found = variables(&text);
        match found.as_slice() {
            [] => return Ok(Value::string_in(arena, &unescape(&text))),
            [(0, end)] if *end == text.len() => {
                return Variable::new(&text[2..text.len() - 2]).evaluate(path, scope, arena);
            }
            found => {
                let mut out = String::new();
                let mut from = 0;
                for &(start, end) in found {
                    out.push_str(&text[from..start]);
                    let variable = Variable::new(&text[start + 2..end - 2]);
                    insert(&mut out, variable.evaluate(path, scope, arena)?, variable.literal);
                    from = end;
                }
                out.push_str(&text[from..]);
                text = out;
            }
        }
        if text.len() > MAX_TEXT {
            break;
        }
    }
    Err(SubstituteError::Endless { path: path.to_string() })
}

/// Writes a value into a text; tells whether the written part may hold variables.
fn insert(out: &mut String, value: Value<'_>, literal: bool) -> bool {
    let json;
    let text = match value {
        Value::String(text) => text,
        other => {
            json = other.to_json();
            &json
        }
    };
    if literal {
        out.push_str(&text.replace("{{", "\\{{"));
        false
    } else {
        out.push_str(text);
        text.contains("{{") || text.contains("}}")
    }
}

/// Byte ranges of the innermost `{{ … }}` of a text, braces included, left to right.
///
/// Between the braces stand characters that are no braces, or groups `{ … }` without braces inside. A backslash before
/// the first brace makes it text.
pub(crate) fn variables(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = memchr::memmem::find(&bytes[at..], b"{{") {
        let start = at + offset;
        if start > 0 && bytes[start - 1] == b'\\' {
            at = start + 1;
            continue;
        }
        match close(bytes, start + 2) {
            Some(end) => {
                found.push((start, end));
                at = end;
            }
            None => at = start + 1,
        }
    }
    found
}

/// The offset behind the `}}` that closes a variable whose inside starts at `at`.
fn close(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'{', b'}', &bytes[at..])?;
        if bytes[at] == b'}' {
            return (bytes.get(at + 1) == Some(&b'}')).then_some(at + 2);
        }
        let group = at + 1 + memchr::memchr2(b'{', b'}', &bytes[at + 1..])?;
        if bytes[group] == b'{' {
            return None;
        }
        at = group + 1;
    }
}

/// Whether replacing the variables of `text` could leave others around them.
fn nested(text: &str) -> bool {
    let mut rest = String::new();
    let mut from = 0;
    for (start, end) in variables(text) {
        rest.push_str(&text[from..start]);
        rest.push('x');
        from = end;
    }
    rest.push_str(&text[from..]);
    from > 0 && !variables(&rest).is_empty()
}

/// Undoes `\{{` and `\$(`.
fn unescape(text: &str) -> String {
    if text.contains('\\') { text.replace("\\{{", "{{").replace("\\$(", "$(") } else { text.to_owned() }
}

/// Where in a substituted tree a text stands; printed only when something fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'p> {
    /// The tree itself.
    Root,
    /// Below a key.
    Key(&'p Path<'p>, &'p str),
    /// An item of a list.
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// What `{{ @ }}` reads at this place: `root`, then the steps without the first two. Kyverno: in the pattern of a
    /// `validate` rule these are steps of the pattern itself.
    fn below(&self, root: &str) -> String {
        let plain = |key: &str| key.bytes().all(|it| it.is_ascii_alphabetic() || it == b'_') && !key.is_empty();
        let (parent, step) = match self {
            Path::Root => return root.to_owned(),
            Path::Key(parent, key) if plain(key) => (parent, format!(".{key}")),
            Path::Key(parent, key) => (parent, format!(".{}", serde_json::Value::from(*key))),
            Path::Index(parent, index) => (parent, format!("[{index}]")),
        };
        if parent.depth() < 2 { root.to_owned() } else { parent.below(root) + &step }
    }

    fn depth(&self) -> usize {
        match self {
            Path::Root => 0,
            Path::Key(parent, _) | Path::Index(parent, _) => parent.depth() + 1,
        }
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(parent, key) => write!(f, "{parent}/{key}"),
            Path::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// A compiled tree: a node of a policy in which texts and keys may hold variables.
#[derive(Debug)]
pub(crate) enum Tree {
    /// No variable and no escape anywhere below.
    Literal(NodeId),
    /// A text.
    Text(Template, NodeId),
    /// A list with variables below.
    List(Vec<Tree>, NodeId),
    /// A map with variables in keys or below.
    Map(Vec<(Template, Tree)>, NodeId),
}

impl Tree {
    /// Compiles a node and all below it.
    pub(crate) fn compile(node: Node<'_>) -> Self {
        let literal = |tree: &Tree| matches!(tree, Tree::Literal(_));
        match node.kind() {
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => Tree::Literal(node.id()),
            Kind::String(text) => {
                let template = Template::compile(text);
                if template.plain() == Some(text) { Tree::Literal(node.id()) } else { Tree::Text(template, node.id()) }
            }
            Kind::List => {
                let items: Vec<_> = node.items().map(Tree::compile).collect();
                if items.iter().all(literal) { Tree::Literal(node.id()) } else { Tree::List(items, node.id()) }
            }
            Kind::Map => {
                let entries: Vec<_> =
                    node.entries().map(|(key, value)| (Template::compile(key), Tree::compile(value))).collect();
                let plain = |(key, tree): &(Template, Tree)| key.plain() == Some(key.source()) && literal(tree);
                if entries.iter().all(plain) { Tree::Literal(node.id()) } else { Tree::Map(entries, node.id()) }
            }
        }
    }

    /// The node that was compiled.
    pub(crate) fn node(&self) -> NodeId {
        match self {
            Tree::Literal(id) | Tree::Text(_, id) | Tree::List(_, id) | Tree::Map(_, id) => *id,
        }
    }

    /// Whether nothing in the tree is substituted.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Tree::Literal(_))
    }

    /// Calls `visit` for every text with variables or escapes, with the node where it stands.
    pub(crate) fn visit<'t>(&'t self, visit: &mut dyn FnMut(&'t Template, NodeId)) {
        match self {
            Tree::Literal(_) => {}
            Tree::Text(template, id) => visit(template, *id),
            Tree::List(items, _) => items.iter().for_each(|item| item.visit(visit)),
            Tree::Map(entries, _) => entries.iter().for_each(|(key, value)| {
                visit(key, value.node());
                value.visit(visit);
            }),
        }
    }

    /// The value after substitution; `document` is the one that the tree was compiled from.
    ///
    /// # Errors
    /// The first variable that can't be resolved, in the order of the file.
    pub(crate) fn resolve<'v>(
        &'v self,
        document: &'v Document,
        path: &Path<'_>,
        scope: &dyn Scope<'v>,
        arena: &'v Arena,
    ) -> Result<Value<'v>, SubstituteError> {
        match self {
            Tree::Literal(id) => Ok(Value::from(document.node(*id))),
            Tree::Text(template, _) => template.resolve(path, scope, arena),
            Tree::List(items, _) => {
                let mut out = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    out.push(item.resolve(document, &Path::Index(path, index), scope, arena)?);
                }
                Ok(Value::list_in(arena, &out))
            }
            Tree::Map(entries, _) => {
                let mut out: Vec<(&'v str, Value<'v>)> = Vec::with_capacity(entries.len());
                for (key, tree) in entries {
                    let name = resolve_key(key, path, scope, arena)?;
                    let value = tree.resolve(document, &Path::Key(path, name), scope, arena)?;
                    out.retain(|(known, _)| *known != name);
                    out.push((name, value));
                }
                Ok(Value::map_in(arena, &out))
            }
        }
    }
}

/// A key after substitution; a key that becomes null stays as written.
pub(crate) fn resolve_key<'v>(
    key: &'v Template,
    path: &Path<'_>,
    scope: &dyn Scope<'v>,
    arena: &'v Arena,
) -> Result<&'v str, SubstituteError> {
    match key.resolve(path, scope, arena)? {
        Value::String(text) => Ok(text),
        Value::Null => Ok(key.source()),
        Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
            Err(SubstituteError::Key { key: key.source().to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        variables(text).into_iter().map(|(start, end)| &text[start..end]).collect()
    }

    #[test]
    fn the_innermost_variables_are_found() {
        assert_eq!(found("a {{ b }} c {{d}}"), ["{{ b }}", "{{d}}"]);
        assert_eq!(found("{{ a.{{b}} }}"), ["{{b}}"]);
        assert_eq!(found("{{ x.{a: b} }}"), ["{{ x.{a: b} }}"]);
        assert_eq!(found(r"\{{ a }} {{x} }} {{"), Vec::<&str>::new());
        assert_eq!(found("}} {{ a }}"), ["{{ a }}"]);
    }

    #[test]
    fn texts_without_variables_lose_their_escapes() {
        assert_eq!(Template::compile(r"\{{ a }} \$(b)").plain(), Some("{{ a }} $(b)"));
        assert!(Template::compile("{{ a.{{b}} }}").plain().is_none());
    }
}
