//! `GeneratingPolicy`: what it makes, and what a cluster refuses in it.

use super::{compile::Known, expression::Expression, refuse, template::Template};
use crate::{
    document::Node,
    expr::cel::Expected,
    policy::{error::PolicyError, fields::Problems},
};

/// An entry of `generate`.
#[derive(Debug)]
pub(crate) enum Product {
    /// An expression that calls `generator.apply`.
    Expression(Expression),
    /// Objects as YAML, with or without expressions in them.
    Template(Template),
}

impl Product {
    /// Every expression in it.
    pub(super) fn expressions(&self) -> Vec<&Expression> {
        match self {
            Product::Expression(expression) => vec![expression],
            Product::Template(template) => template.expressions(),
        }
    }

    /// What is wrong with it beside expressions.
    pub(super) fn flaws(&self) -> &[PolicyError] {
        match self {
            Product::Expression(_) => &[],
            Product::Template(template) => &template.flaws,
        }
    }
}

/// Compiles the entries of `generate`.
pub(super) fn products(spec: Node<'_>, known: &Known) -> Vec<Product> {
    let compiled = |entry: Node<'_>| {
        let expression = entry.get("expression").filter(|it| it.as_str().is_some_and(|text| !text.is_empty()));
        match (expression, entry.get("template")) {
            (Some(node), _) => Some(Product::Expression(known.compile(node, Expected::Bool))),
            (None, Some(node)) => Template::compile(node, known).map(Product::Template),
            (None, None) => None,
        }
    };
    spec.get("generate").into_iter().flat_map(Node::items).filter_map(compiled).collect()
}

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    for entry in spec.get("generate").into_iter().flat_map(Node::items) {
        let is_given =
            |key: &str| entry.get(key).is_some_and(|it| it.len() > 0 || it.as_str().is_some_and(|it| !it.is_empty()));
        match (is_given("expression"), is_given("template")) {
            (true, true) => {
                refuse(entry, problems, "only one of expression and template can be specified", "remove one of them");
            }
            (false, false) => {
                refuse(entry, problems, "one of expression and template must be specified", "add one of them");
            }
            (true, false) | (false, true) => {}
        }
    }
}
