//! Context entries, compiled: named values that a rule may read.

use crate::{
    document::Node,
    expr::template::{Template, Tree},
    policy::fields::{Fields, Problems},
};

/// One entry of a `context` list.
#[derive(Debug)]
pub(crate) struct ContextEntry {
    /// The name under which expressions read it.
    pub name: String,
    /// Where the value comes from.
    pub source: Source,
}

/// Where the value of a context entry comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A value or an expression.
    Variable {
        /// The value, before `jmesPath`.
        value: Option<Tree>,
        /// An expression over the value or, without one, over the context.
        jmes_path: Option<Template>,
        /// The value when the expression fails.
        default: Option<Tree>,
    },
    /// A `ConfigMap`.
    ConfigMap {
        /// Its name.
        name: Template,
        /// Its namespace.
        namespace: Template,
    },
    /// A call of the API server or of a service.
    ApiCall {
        /// The path on the API server; `None` for a service.
        url_path: Option<Template>,
        /// The URL of a service.
        service: Option<Template>,
        /// `GET` or `POST`.
        method: String,
        /// An expression over the answer.
        jmes_path: Option<Template>,
        /// The value when the call fails.
        default: Option<Tree>,
    },
    /// Data of an image in a registry.
    ImageRegistry {
        /// The image.
        reference: Template,
    },
    /// An entry of the global context.
    Global {
        /// Its name.
        name: Template,
        /// An expression over it.
        jmes_path: Option<Template>,
    },
}

impl ContextEntry {
    /// What the entry looks up, as the policy writes it; `None` for what only computes.
    pub(crate) fn sought(&self) -> Option<String> {
        let what = match &self.source {
            Source::Variable { .. } => return None,
            Source::ConfigMap { name, namespace } => format!("ConfigMap {}/{}", namespace.source(), name.source()),
            Source::ApiCall { url_path, service, .. } => {
                format!("the answer of {}", url_path.as_ref().or(service.as_ref()).map_or("", Template::source))
            }
            Source::ImageRegistry { reference } => format!("the registry's data of {}", reference.source()),
            Source::Global { name, .. } => format!("the global context entry {}", name.source()),
        };
        Some(format!("`{}`, {what}", self.name))
    }
}

/// Decodes a `context` list.
pub(crate) fn decode(fields: Fields<'_, '_>, problems: &Problems) -> Vec<ContextEntry> {
    fields.list("context").filter_map(|node| entry(node, problems)).collect()
}

const KINDS: [&str; 5] = ["variable", "configMap", "apiCall", "imageRegistry", "globalReference"];

fn entry(node: Node<'_>, problems: &Problems) -> Option<ContextEntry> {
    let fields = Fields::read(node, "a context entry", problems)?;
    let name = fields.string("name").unwrap_or_default().to_owned();
    let (kind, node) = KINDS.into_iter().find_map(|kind| Some((kind, fields.get(kind)?)))?;
    Some(ContextEntry { name, source: source(kind, node, problems)? })
}

fn source(kind: &str, node: Node<'_>, problems: &Problems) -> Option<Source> {
    let template = |fields: Fields<'_, '_>, key: &str| fields.string(key).map(Template::compile);
    let tree = |fields: Fields<'_, '_>, key: &str| fields.get(key).map(Tree::compile);
    Some(match kind {
        "variable" => {
            let fields = Fields::read(node, "variable", problems)?;
            let (value, jmes_path) = (tree(fields, "value"), template(fields, "jmesPath"));
            Source::Variable { value, jmes_path, default: tree(fields, "default") }
        }
        "configMap" => {
            let fields = Fields::read(node, "configMap", problems)?;
            let text = |key| template(fields, key).unwrap_or_else(|| Template::compile(""));
            Source::ConfigMap { name: text("name"), namespace: text("namespace") }
        }
        "apiCall" => {
            let fields = Fields::read(node, "apiCall", problems)?;
            let service = fields
                .get("service")
                .and_then(|node| Fields::read(node, "service", problems))
                .map(|fields| template(fields, "url").unwrap_or_else(|| Template::compile("")));
            let method = fields.string("method").unwrap_or("GET").to_owned();
            Source::ApiCall {
                url_path: template(fields, "urlPath"),
                service,
                method,
                jmes_path: template(fields, "jmesPath"),
                default: tree(fields, "default"),
            }
        }
        "imageRegistry" => {
            let fields = Fields::read(node, "imageRegistry", problems)?;
            Source::ImageRegistry { reference: template(fields, "reference").unwrap_or_else(|| Template::compile("")) }
        }
        _ => {
            let fields = Fields::read(node, "globalReference", problems)?;
            Source::Global {
                name: template(fields, "name").unwrap_or_else(|| Template::compile("")),
                jmes_path: template(fields, "jmesPath"),
            }
        }
    })
}
