//! `generate` blocks, compiled: what is made, and from what.
//!
//! In: the node of a block. Out: names with their variables found, and the source of the content.

use super::{
    condition::{self, Conditions, FlatList},
    context::{self, ContextEntry},
};
use crate::{
    document::Node,
    expr::{
        jmespath::{Expression, ParseError},
        template::{Template, Tree},
    },
    policy::fields::{Fields, Problems},
};

/// A `generate` block.
#[derive(Debug)]
pub(crate) struct Generate {
    /// What is made.
    pub makes: Makes,
    /// `synchronize`: what is there already is made anew.
    pub synchronize: bool,
}

/// What a `generate` block makes.
#[derive(Debug)]
pub(crate) enum Makes {
    /// One product.
    One(Box<Product>),
    /// A product for each element of some lists.
    ForEach(Vec<ForEach>),
}

/// One item of a `foreach` list.
#[derive(Debug)]
pub(crate) struct ForEach {
    /// The list expression as written.
    pub list_text: String,
    /// The list expression.
    pub list: Result<Expression, ParseError>,
    /// Named values.
    pub context: Vec<ContextEntry>,
    /// Which elements count.
    pub preconditions: Option<Conditions>,
    /// What is made.
    pub product: Product,
}

/// What is made.
#[derive(Debug)]
pub(crate) struct Product {
    /// Its `apiVersion`; empty for copies of a list.
    pub api_version: Template,
    /// Its kind.
    pub kind: Template,
    /// Its namespace; empty outside of namespaces.
    pub namespace: Template,
    /// Its name.
    pub name: Template,
    /// What it is made from.
    pub source: Source,
}

/// What an object is made from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Content that stands in the policy.
    Data(Tree),
    /// A copy of an object of the same kind.
    Clone {
        /// The namespace of the original.
        namespace: Template,
        /// The name of the original.
        name: Template,
    },
    /// Copies of all objects of some kinds.
    CloneList {
        /// The namespace of the originals.
        namespace: Template,
        /// Their kinds, as in `v1/Secret`.
        kinds: Vec<Template>,
        /// Labels that they must have: a label selector that may hold variables.
        selector: Option<Tree>,
    },
    /// Nothing: the object is empty.
    Nothing,
}

/// Decodes a `generate` block.
pub(super) fn decode(node: Node<'_>, problems: &Problems) -> Option<Generate> {
    let fields = Fields::read(node, "generate", problems)?;
    let makes = if fields.get("foreach").is_some() {
        Makes::ForEach(fields.list("foreach").filter_map(|node| for_each(node, problems)).collect())
    } else {
        Makes::One(Box::new(product(fields, problems)))
    };
    Some(Generate { makes, synchronize: fields.boolean("synchronize").unwrap_or(false) })
}

fn for_each(node: Node<'_>, problems: &Problems) -> Option<ForEach> {
    let fields = Fields::read(node, "foreach", problems)?;
    let list_text = fields.string("list").unwrap_or_default().to_owned();
    Some(ForEach {
        list: Expression::parse(&list_text),
        list_text,
        context: context::decode(fields, problems),
        preconditions: fields
            .get("preconditions")
            .and_then(|node| condition::decode(node, FlatList::Refused, problems)),
        product: product(fields, problems),
    })
}

fn product(fields: Fields<'_, '_>, problems: &Problems) -> Product {
    let template = |fields: Fields<'_, '_>, key| Template::compile(fields.string(key).unwrap_or_default());
    let part = |key| fields.get(key).and_then(|node| Fields::read(node, "generate", problems));
    let source = if let Some(node) = fields.get("data") {
        Source::Data(Tree::compile(node))
    } else if let Some(clone) = part("clone") {
        Source::Clone { namespace: template(clone, "namespace"), name: template(clone, "name") }
    } else if let Some(list) = part("cloneList") {
        Source::CloneList {
            namespace: template(list, "namespace"),
            kinds: list.strings("kinds").into_iter().map(|(text, _)| Template::compile(text)).collect(),
            selector: list.get("selector").map(Tree::compile),
        }
    } else {
        Source::Nothing
    };
    Product {
        api_version: template(fields, "apiVersion"),
        kind: template(fields, "kind"),
        namespace: template(fields, "namespace"),
        name: template(fields, "name"),
        source,
    }
}
