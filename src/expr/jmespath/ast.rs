//! The syntax tree of an expression, and its form for people.
//!
//! The shapes are those of the Go library, because evaluation depends on them: `a[1:2].b` is a projection over an
//! index expression, `a[].b` one over a flatten. Depth is bounded by the parser.

use std::fmt::{self, Write as _};

use super::functions::Function;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    const fn name(self) -> &'static str {
        match self {
            Comparison::Equal => "tEQ",
            Comparison::NotEqual => "tNE",
            Comparison::Less => "tLT",
            Comparison::LessOrEqual => "tLTE",
            Comparison::Greater => "tGT",
            Comparison::GreaterOrEqual => "tGTE",
        }
    }
}

/// A node of the tree.
#[derive(Debug)]
pub(super) enum Ast {
    /// Nothing written: the value itself.
    Identity,
    /// `@`.
    Current,
    /// `name`.
    Field(Box<str>),
    /// `[n]`, counted from the end when negative.
    Index(i64),
    /// `[start:stop:step]`; the step is never 0.
    Slice([Option<i64>; 3]),
    /// A raw string or JSON between backquotes.
    Literal(serde_json::Value),
    /// `a.b`.
    Subexpression(Box<Ast>, Box<Ast>),
    /// `a[…]` with an index or slice.
    IndexExpression(Box<Ast>, Box<Ast>),
    /// `a | b`.
    Pipe(Box<Ast>, Box<Ast>),
    /// `a || b`.
    Or(Box<Ast>, Box<Ast>),
    /// `a && b`.
    And(Box<Ast>, Box<Ast>),
    /// `!a`.
    Not(Box<Ast>),
    /// `a == b` and so on.
    Comparator(Comparison, Box<Ast>, Box<Ast>),
    /// `a[]` without what follows.
    Flatten(Box<Ast>),
    /// `a[*].b`, `a[].b`, `a[1:].b`: source and what is made of each element.
    Projection(Box<Ast>, Box<Ast>),
    /// `a.*.b`.
    ValueProjection(Box<Ast>, Box<Ast>),
    /// `a[?c].b` as source, element, condition.
    FilterProjection(Box<Ast>, Box<Ast>, Box<Ast>),
    /// `[a, b]`.
    MultiSelectList(Vec<Ast>),
    /// `{k: a}`; a later equal key wins.
    MultiSelectHash(Vec<(Box<str>, Ast)>),
    /// `name(a, b)`; an unknown name fails when called.
    Call { name: Box<str>, function: Option<&'static Function>, arguments: Vec<Ast> },
    /// `&a`.
    Reference(Box<Ast>),
}

impl Ast {
    const fn name(&self) -> &'static str {
        match self {
            Ast::Identity => "ASTIdentity",
            Ast::Current => "ASTCurrentNode",
            Ast::Field(_) => "ASTField",
            Ast::Index(_) => "ASTIndex",
            Ast::Slice(_) => "ASTSlice",
            Ast::Literal(_) => "ASTLiteral",
            Ast::Subexpression(..) => "ASTSubexpression",
            Ast::IndexExpression(..) => "ASTIndexExpression",
            Ast::Pipe(..) => "ASTPipe",
            Ast::Or(..) => "ASTOrExpression",
            Ast::And(..) => "ASTAndExpression",
            Ast::Not(_) => "ASTNotExpression",
            Ast::Comparator(..) => "ASTComparator",
            Ast::Flatten(_) => "ASTFlatten",
            Ast::Projection(..) => "ASTProjection",
            Ast::ValueProjection(..) => "ASTValueProjection",
            Ast::FilterProjection(..) => "ASTFilterProjection",
            Ast::MultiSelectList(_) => "ASTMultiSelectList",
            Ast::MultiSelectHash(_) => "ASTMultiSelectHash",
            Ast::Call { .. } => "ASTFunctionExpression",
            Ast::Reference(_) => "ASTExpRef",
        }
    }

    fn value(&self) -> Option<String> {
        match self {
            Ast::Field(name) | Ast::Call { name, .. } => Some(format!("{name:?}")),
            Ast::Index(index) => Some(index.to_string()),
            Ast::Slice(parts) => {
                let part = |it: Option<i64>| it.map_or_else(String::new, |it| it.to_string());
                Some(format!("[{}:{}:{}]", part(parts[0]), part(parts[1]), part(parts[2])))
            }
            Ast::Literal(serde_json::Value::Null) => None,
            Ast::Literal(json) => Some(json.to_string()),
            Ast::Comparator(comparison, ..) => Some(comparison.name().to_owned()),
            _ => None,
        }
    }

    /// The children in the order in which they are printed.
    fn children(&self) -> Vec<&Ast> {
        match self {
            Ast::Identity | Ast::Current | Ast::Field(_) | Ast::Index(_) | Ast::Slice(_) | Ast::Literal(_) => {
                Vec::new()
            }
            Ast::Not(child) | Ast::Flatten(child) | Ast::Reference(child) => vec![child],
            Ast::Subexpression(left, right)
            | Ast::IndexExpression(left, right)
            | Ast::Pipe(left, right)
            | Ast::Or(left, right)
            | Ast::And(left, right)
            | Ast::Comparator(_, left, right)
            | Ast::Projection(left, right)
            | Ast::ValueProjection(left, right) => vec![left, right],
            Ast::FilterProjection(source, each, condition) => vec![source, each, condition],
            Ast::MultiSelectList(items) => items.iter().collect(),
            Ast::Call { arguments, .. } => arguments.iter().collect(),
            Ast::MultiSelectHash(_) => Vec::new(),
        }
    }

    fn write(&self, indent: usize, out: &mut String) -> fmt::Result {
        writeln!(out, "{:indent$}{} {{", "", self.name())?;
        if let Some(value) = self.value() {
            writeln!(out, "{:indent$}  value: {value}", "")?;
        }
        let children = self.children();
        let pairs: &[(Box<str>, Ast)] = match self {
            Ast::MultiSelectHash(pairs) => pairs,
            _ => &[],
        };
        if !children.is_empty() || !pairs.is_empty() {
            writeln!(out, "{:indent$}  children: {{", "")?;
            for child in children {
                child.write(indent + 4, out)?;
            }
            for (key, child) in pairs {
                writeln!(out, "{:indent$}    ASTKeyValPair {{", "")?;
                writeln!(out, "{:indent$}      value: {key:?}", "")?;
                writeln!(out, "{:indent$}      children: {{", "")?;
                child.write(indent + 8, out)?;
                writeln!(out, "{:indent$}      }}", "")?;
                writeln!(out, "{:indent$}    }}", "")?;
            }
            writeln!(out, "{:indent$}  }}", "")?;
        }
        writeln!(out, "{:indent$}}}", "")
    }

    /// The tree, a node a line, indented by two.
    pub(super) fn tree(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out).expect("writing to a string does not fail");
        out
    }
}
