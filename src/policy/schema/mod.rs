//! What the API server's schema of a kind allows: fields, types, closed lists, bounds.
//!
//! In: an object and the [`Object`] that describes its kind. Out: a problem for everything that the API server refuses
//! before anybody else sees the object. The descriptions are tables, one file for each part of the kinds; a field that
//! takes anything is [`Shape::Any`]. As in the API server a null counts as absent wherever a type is known.

/// A field that may be absent.
macro_rules! field {
    ($name:literal, $shape:expr $(,)?) => {
        Field { name: $name, shape: $shape, required: false }
    };
}

/// A field that must be there.
macro_rules! required {
    ($name:literal, $shape:expr $(,)?) => {
        Field { name: $name, shape: $shape, required: true }
    };
}

/// An [`Object`] between whose fields nothing holds.
macro_rules! object {
    ($owner:literal, $fields:expr $(,)?) => {
        Object { owner: $owner, fields: $fields, bonds: &[] }
    };
}

/// The fields at the top of an object with this `spec`.
macro_rules! top {
    ($spec:expr) => {
        &[
            required!("apiVersion", Shape::Text),
            required!("kind", Shape::Text),
            required!("metadata", Shape::Object(&crate::policy::schema::metadata::METADATA)),
            required!("spec", $spec),
            field!("status", Shape::Any),
        ]
    };
}

mod admission;
mod cel;
mod classic;
mod cleanup;
mod conditions;
mod context;
mod exception;
mod generate;
mod images;
mod matching;
mod metadata;
mod mutate;
mod validate;

pub(crate) use admission::{
    ADMISSION_BINDING, ADMISSION_POLICY, MUTATING_ADMISSION_BINDING, MUTATING_ADMISSION_POLICY,
};
pub(crate) use cel::{
    DELETING_POLICY, EXCEPTION as CEL_EXCEPTION, GENERATING_POLICY, IMAGE_VALIDATING_POLICY, MUTATING_POLICY,
    VALIDATING_POLICY,
};
pub(crate) use classic::{POLICY, POLICY_V2BETA1};
pub(crate) use cleanup::CLEANUP_POLICY;
pub(crate) use exception::EXCEPTION;

use std::collections::HashSet;

use super::{
    error::{Problem, nearest},
    fields::Problems,
};
use crate::document::{Kind, Node};

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Anything, null included.
    Any,
    /// A boolean.
    Bool,
    /// A whole number.
    Int,
    /// A text.
    Text,
    /// A text with at least one and at most so many bytes.
    Name(usize),
    /// One of a closed list of texts.
    Choice(&'static [&'static str]),
    /// A text with a grammar of its own: the grammar in words, and what tells it.
    Form(&'static str, fn(&str) -> bool),
    /// A list.
    List(&'static Shape),
    /// A list with at least one item.
    Some(&'static Shape),
    /// A list of maps no two of which have the same `name`.
    Named(&'static Shape),
    /// A map with any keys.
    Map(&'static Shape),
    /// A map whose keys have a grammar of their own.
    Keyed(&'static str, fn(&str) -> bool, &'static Shape),
    /// A map with known keys.
    Object(&'static Object),
}

/// A map with known keys.
#[derive(Debug)]
pub(crate) struct Object {
    /// What messages call it.
    pub owner: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// What holds between them.
    pub bonds: &'static [Bond],
}

/// A field of an [`Object`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    name: &'static str,
    shape: Shape,
    required: bool,
}

/// What holds between the fields of an [`Object`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bond {
    /// At most one of them is given.
    AtMostOne(&'static [&'static str]),
    /// Exactly one of them is given.
    ExactlyOne(&'static [&'static str]),
}

/// Notes everything in `node` that `object` does not allow.
pub(crate) fn check(node: Node<'_>, object: &'static Object, problems: &Problems) {
    Walk { problems }.value(node, Shape::Object(object), object.owner);
}

struct Walk<'p> {
    problems: &'p Problems,
}

impl Walk<'_> {
    fn object(&self, node: Node<'_>, object: &'static Object) {
        let owner = object.owner;
        for (key, value) in node.entries() {
            match object.fields.iter().find(|field| field.name == key) {
                Some(_) if value.is_null() => {}
                Some(field) => self.value(value, field.shape, key),
                None => {
                    let nearest = nearest(key, object.fields.iter().map(|field| field.name));
                    self.problems.at_key(value, Problem::UnknownField { field: key.to_owned(), owner, nearest });
                }
            }
        }
        let given = |name: &str| node.get(name).is_some_and(|value| !value.is_null());
        for field in object.fields.iter().filter(|field| field.required && !given(field.name)) {
            self.problems.at_span(node, node.heading(), Problem::Missing { field: field.name, owner });
        }
        for bond in object.bonds {
            let (Bond::AtMostOne(fields) | Bond::ExactlyOne(fields)) = *bond;
            let found: Vec<_> = node.entries().filter(|(key, _)| fields.contains(key) && given(key)).collect();
            match found.as_slice() {
                [] if matches!(bond, Bond::ExactlyOne(_)) => {
                    self.problems.at_span(node, node.heading(), Problem::NoneOf { fields, owner });
                }
                [_, (_, second), ..] => self.problems.at_key(*second, Problem::Exclusive { fields, owner }),
                _ => {}
            }
        }
    }

    /// `name` is what messages call the value.
    fn value(&self, node: Node<'_>, shape: Shape, name: &str) {
        let wrong = |wanted| {
            let found = node.kind().name();
            self.problems.at(node, Problem::Type { field: name.to_owned(), wanted, found });
        };
        match shape {
            Shape::Any => {}
            Shape::Bool if node.as_bool().is_none() => wrong("a boolean"),
            Shape::Bool => {}
            Shape::Int => match node.kind() {
                Kind::Int(_) => {}
                Kind::Float(number) if number.fract() == 0.0 => {}
                _ => wrong("a whole number"),
            },
            Shape::Text | Shape::Name(_) | Shape::Choice(_) | Shape::Form(..) => match node.as_str() {
                Some(text) => self.text(node, text, shape, name),
                None => wrong("a string"),
            },
            Shape::List(item) | Shape::Some(item) | Shape::Named(item) => {
                if !node.is_list() {
                    return wrong("a list");
                }
                if matches!(shape, Shape::Some(_)) && node.len() == 0 {
                    self.problems.at(node, Problem::Empty { field: name.to_owned() });
                }
                if matches!(shape, Shape::Named(_)) {
                    self.distinct(node);
                }
                node.items().for_each(|it| self.value(it, *item, name));
            }
            Shape::Map(_) | Shape::Keyed(..) | Shape::Object(_) if !node.is_map() => wrong("a map"),
            Shape::Map(value) => {
                node.entries().filter(|(_, it)| !it.is_null()).for_each(|(key, it)| self.value(it, *value, key));
            }
            Shape::Keyed(wanted, holds, value) => {
                for (key, it) in node.entries() {
                    if !holds(key) {
                        let (field, value) = (name.to_owned(), key.to_owned());
                        self.problems.at_key(it, Problem::Form { field, value, wanted });
                    }
                    if !it.is_null() {
                        self.value(it, *value, key);
                    }
                }
            }
            Shape::Object(object) => self.object(node, object),
        }
    }

    fn distinct(&self, list: Node<'_>) {
        let mut known = HashSet::new();
        for name in list.items().filter_map(|item| item.get("name")) {
            if let Some(text) = name.as_str()
                && !known.insert(text)
            {
                self.problems.at(name, Problem::Duplicate { key: text.to_owned() });
            }
        }
    }

    fn text(&self, node: Node<'_>, text: &str, shape: Shape, name: &str) {
        let field = name.to_owned();
        match shape {
            Shape::Name(_) if text.is_empty() => self.problems.at(node, Problem::Empty { field }),
            Shape::Name(max) if text.len() > max => self.problems.at(node, Problem::TooLong { field, max }),
            Shape::Choice(allowed) if !allowed.contains(&text) => {
                self.problems.at(node, Problem::Choice { field, value: text.to_owned(), allowed });
            }
            Shape::Form(wanted, holds) if !holds(text) => {
                self.problems.at(node, Problem::Form { field, value: text.to_owned(), wanted });
            }
            _ => {}
        }
    }
}
