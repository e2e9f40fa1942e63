//! Templates of a `GeneratingPolicy`: YAML with expressions in double parentheses.
//!
//! In: the text of a template. Out: for each of its documents what is made of it, with the expressions compiled. Without
//! `interpolate: cel` nothing in it is an expression. `\((` stands for `((` itself; names of fields hold no expressions.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{
    compile::Known,
    expression::{Expression, Part},
};
use crate::{
    document::{self, Kind, Limits, Node, place},
    expr::{Value, cel::Expected},
    policy::error::{PolicyError, Problem},
    span::File,
};

/// A template, compiled.
#[derive(Debug, Default)]
pub(crate) struct Template {
    /// What it makes, one for each document.
    pub documents: Vec<Shape>,
    /// What is wrong with it beside expressions.
    pub flaws: Vec<PolicyError>,
}

/// A value in a template.
#[derive(Debug)]
pub(crate) enum Shape {
    /// It is what it is.
    Constant(Json),
    /// The value of an expression, of whatever type.
    Value(Expression),
    /// A text with the values of expressions in it.
    Text(Vec<Piece>),
    /// A list in which expressions stand.
    List(Vec<Shape>),
    /// A map in which expressions stand.
    Map(Vec<(String, Shape)>),
}

/// A piece of a text.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Text as it is.
    Literal(String),
    /// The value of an expression, which must be a scalar.
    Value(Expression),
}

impl Template {
    /// Compiles a template; `None` for one without text.
    pub(super) fn compile(node: Node<'_>, known: &Known) -> Option<Self> {
        let value = node.get("value").filter(|it| it.is_string())?;
        let interpolates = node.str_at(&["interpolate"]) == Some("cel");
        let file = File::new(value.file().path().to_string(), value.as_str().unwrap_or_default().as_bytes().to_vec());
        let limits = Limits { max_values: 100_000, max_alias_nodes: 10_000, ..Limits::default() };
        let parsed = document::parse(&file, &limits);
        let mut compiling = Compiling { value, file: &file, known, flaws: Vec::new() };
        for error in &parsed.errors {
            compiling.refuse(error.at().start as usize, format!("the template can't be read: {error}"));
        }
        let mut documents = Vec::new();
        for document in &parsed.documents {
            let root = document.root();
            if !root.is_map() {
                compiling.refuse(root.span().start as usize, "a document of the template is no map".to_owned());
            }
            documents.push(if interpolates { compiling.shape(root) } else { Shape::Constant(json(root)) });
        }
        if interpolates && documents.iter().any(|it| !matches!(it, Shape::Constant(_))) {
            compiling.merge_keys();
        }
        Some(Self { documents, flaws: compiling.flaws })
    }

    /// Every expression in it.
    pub(super) fn expressions(&self) -> Vec<&Expression> {
        let mut out = Vec::new();
        self.documents.iter().for_each(|it| it.expressions(&mut out));
        out
    }
}

impl Shape {
    fn is_constant(&self) -> bool {
        matches!(self, Shape::Constant(_))
    }

    fn into_constant(self) -> Option<Json> {
        match self {
            Shape::Constant(value) => Some(value),
            Shape::Value(_) | Shape::Text(_) | Shape::List(_) | Shape::Map(_) => None,
        }
    }

    fn expressions<'t>(&'t self, out: &mut Vec<&'t Expression>) {
        match self {
            Shape::Constant(_) => {}
            Shape::Value(expression) => out.push(expression),
            Shape::Text(pieces) => out.extend(pieces.iter().filter_map(|piece| match piece {
                Piece::Value(expression) => Some(expression),
                Piece::Literal(_) => None,
            })),
            Shape::List(items) => items.iter().for_each(|it| it.expressions(out)),
            Shape::Map(entries) => entries.iter().for_each(|(_, it)| it.expressions(out)),
        }
    }
}

struct Compiling<'c> {
    /// The node that holds the template.
    value: Node<'c>,
    /// The template as a file of its own.
    file: &'c Arc<File>,
    known: &'c Known,
    flaws: Vec<PolicyError>,
}

impl Compiling<'_> {
    fn refuse(&mut self, offset: usize, message: String) {
        let text = self.value.as_str().unwrap_or_default();
        let at = place::of_text(self.value.file(), self.value.span(), text, offset);
        let problem = Problem::Invalid { message, help: None };
        self.flaws.push(PolicyError { file: Arc::clone(self.value.file()), at, problem });
    }

    fn shape(&mut self, node: Node<'_>) -> Shape {
        match node.kind() {
            Kind::String(text) => self.text(node, text),
            Kind::List => {
                let items: Vec<Shape> = node.items().map(|item| self.shape(item)).collect();
                let is_constant = items.iter().all(Shape::is_constant);
                if is_constant { Shape::Constant(constant_list(items)) } else { Shape::List(items) }
            }
            Kind::Map => {
                let mut entries = Vec::with_capacity(node.len());
                for (key, value) in node.entries() {
                    if key.contains("((") {
                        let message = format!("the name of a field can't hold an expression: `{key}`");
                        self.refuse(value.key_span().start as usize, message);
                    }
                    entries.push((key.to_owned(), self.shape(value)));
                }
                let is_constant = entries.iter().all(|(_, it)| it.is_constant());
                if is_constant { Shape::Constant(constant_map(entries)) } else { Shape::Map(entries) }
            }
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => Shape::Constant(json(node)),
        }
    }

    fn text(&mut self, node: Node<'_>, text: &str) -> Shape {
        let found = match split(text) {
            Ok(found) => found,
            Err(at) => {
                let offset = self.offset(node, text, at);
                self.refuse(offset, "an expression of the template has no end: `))` is missing".to_owned());
                return Shape::Constant(Json::Null);
            }
        };
        let pieces = found.into_iter().map(|found| match found {
            Found::Literal(text) => Piece::Literal(text),
            Found::Expression { text: expression, at } => {
                let offset = self.offset(node, text, at);
                let part = Part { node: self.value, text: expression, offset };
                Piece::Value(self.known.compile_part(part, Expected::Any))
            }
        });
        let mut pieces: Vec<Piece> = pieces.collect();
        match pieces.pop() {
            None => Shape::Constant(String::new().into()),
            Some(Piece::Literal(text)) if pieces.is_empty() => Shape::Constant(text.into()),
            Some(Piece::Value(expression)) if pieces.is_empty() => Shape::Value(expression),
            Some(last) => {
                pieces.push(last);
                Shape::Text(pieces)
            }
        }
    }

    /// Where an offset into the text of a scalar is in the template.
    fn offset(&self, node: Node<'_>, text: &str, at: usize) -> usize {
        place::of_text(self.file, node.span(), text, at).start as usize
    }

    /// Kyverno: where there are expressions there are no merge keys.
    fn merge_keys(&mut self) {
        let text = self.file.text();
        let is_key = |at: &usize| text[at + 2..].trim_start_matches([' ', '"', '\'']).starts_with(':');
        if let Some(at) = text.match_indices("<<").map(|(at, _)| at).find(is_key) {
            self.refuse(at, "a template with expressions can't have merge keys".to_owned());
        }
    }
}

fn json(node: Node<'_>) -> Json {
    Value::from(node).to_serde()
}

fn constant_list(items: Vec<Shape>) -> Json {
    items.into_iter().filter_map(Shape::into_constant).collect()
}

fn constant_map(entries: Vec<(String, Shape)>) -> Json {
    let constant = |(key, shape): (String, Shape)| Some((key, shape.into_constant()?));
    Json::Object(entries.into_iter().filter_map(constant).collect::<Map<_, _>>())
}

/// A piece of a text before it is compiled.
#[derive(Debug, PartialEq, Eq)]
enum Found<'t> {
    Literal(String),
    Expression {
        text: &'t str,
        /// Where it begins.
        at: usize,
    },
}

/// Splits a text at its expressions. Quotes and parentheses within them don't end them.
fn split(text: &str) -> Result<Vec<Found<'_>>, usize> {
    let mut out = Vec::new();
    let mut literal = String::new();
    let mut from = 0;
    while let Some(found) = text[from..].find("((") {
        let open = from + found;
        if let Some(before) = text[from..open].strip_suffix('\\') {
            literal.push_str(before);
            literal.push_str("((");
            from = open + 2;
            continue;
        }
        literal.push_str(&text[from..open]);
        let end = end_of(text, open + 2).ok_or(open)?;
        if !literal.is_empty() {
            out.push(Found::Literal(std::mem::take(&mut literal)));
        }
        let inner = &text[open + 2..end];
        let at = open + 2 + (inner.len() - inner.trim_start().len());
        out.push(Found::Expression { text: inner.trim(), at });
        from = end + 2;
    }
    literal.push_str(&text[from..]);
    if !literal.is_empty() {
        out.push(Found::Literal(literal));
    }
    Ok(out)
}

/// Where the `))` stands that ends the expression which begins at `from`.
fn end_of(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (from, 0_u32);
    let mut quote = None;
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth > 0 => depth -= 1,
            (None, b')') => return (bytes.get(at + 1) == Some(&b')')).then_some(at),
            (None, _) => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_at_their_expressions() {
        let literal = |text: &str| Found::Literal(text.to_owned());
        let expression = |text, at| Found::Expression { text, at };
        for (text, expected) in [
            ("plain", Ok(vec![literal("plain")])),
            ("(( a ))", Ok(vec![expression("a", 3)])),
            ("((a))-x-((b))", Ok(vec![expression("a", 2), literal("-x-"), expression("b", 10)])),
            ("(( f((1)) ))", Ok(vec![expression("f((1))", 3)])),
            ("(( '))' + \"))\" ))", Ok(vec![expression("'))' + \"))\"", 3)])),
            (r"\(( a ))", Ok(vec![literal("(( a ))")])),
            (r"a \(( (( b ))", Ok(vec![literal("a (( "), expression("b", 9)])),
            ("x (( a )", Err(2)),
            ("(( a ) b ))", Err(0)),
            ("", Ok(vec![])),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }
}
