//! The labels of a namespace, as policies see them.
//!
//! In: what the manifest of a Namespace says, and its name. Out: pairs, or one value. The API server puts a label with
//! the name on every namespace, so that nothing is copied for it until an expression asks for a value.

use crate::expr::{Arena, Map, Value};

/// The label that the API server puts on every namespace.
pub(crate) const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The labels of one namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamespaceLabels<'v> {
    written: Map<'v>,
    /// The name of the namespace, where the label that says it is not written.
    name: Option<&'v str>,
}

impl<'v> NamespaceLabels<'v> {
    /// Labels as they are written; anything but a map is none.
    pub(crate) fn written(labels: Option<Value<'v>>) -> Self {
        let written = match labels {
            Some(Value::Map(map)) => map,
            _ => Map::Entries(&[]),
        };
        Self { written, name: None }
    }

    /// Labels as a cluster has them for the namespace `name`.
    pub(crate) fn named(labels: Option<Value<'v>>, name: &'v str) -> Self {
        let out = Self::written(labels);
        Self { name: out.written.get(NAME_LABEL).is_none().then_some(name), ..out }
    }

    /// The same with the label that says the name, if it is not there.
    pub(crate) fn with_name(self, name: &'v str) -> Self {
        Self::named(Some(Value::Map(self.written)), self.name.unwrap_or(name))
    }

    /// Keys and values.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (&'v str, &'v str)> + Clone {
        let written = self.written.iter().filter_map(|(key, value)| Some((key, value.as_str()?)));
        written.chain(self.name.map(|name| (NAME_LABEL, name)))
    }

    /// All of them as one value.
    pub(crate) fn value(self, arena: &'v Arena) -> Value<'v> {
        let Some(name) = self.name else { return Value::Map(self.written) };
        let mut entries: Vec<_> = self.written.iter().collect();
        entries.push((NAME_LABEL, Value::String(name)));
        Value::map_in(arena, &entries)
    }
}
