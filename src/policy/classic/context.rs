//! Context entries, compiled: named values that a rule may read.

use crate::{
    document::Node,
    expr::template::{Template, Tree},
    policy::{
        error::Problem,
        fields::{Fields, Problems},
    },
    span::Span,
};

/// One entry of a `context` list.
#[derive(Debug)]
pub(crate) struct ContextEntry {
    /// The name under which expressions read it.
    pub name: String,
    /// Where the value comes from.
    pub source: Source,
    /// Where the entry stands.
    pub span: Span,
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
    /// A ConfigMap.
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
        /// An expression over the data.
        jmes_path: Option<Template>,
    },
    /// An entry of the global context.
    Global {
        /// Its name.
        name: Template,
        /// An expression over it.
        jmes_path: Option<Template>,
    },
}

impl Source {
    /// Whether objects of the cluster answer it.
    pub(crate) fn reads_objects(&self) -> bool {
        match self {
            Source::ConfigMap { .. } | Source::ApiCall { url_path: Some(_), .. } => true,
            Source::Variable { .. } | Source::ApiCall { .. } | Source::ImageRegistry { .. } | Source::Global { .. } => {
                false
            }
        }
    }
}

/// Decodes a `context` list.
pub(crate) fn decode(fields: Fields<'_, '_>, problems: &Problems) -> Vec<ContextEntry> {
    fields.list("context").filter_map(|node| entry(node, problems)).collect()
}

const KINDS: [&str; 5] = ["variable", "configMap", "apiCall", "imageRegistry", "globalReference"];

fn entry(node: Node<'_>, problems: &Problems) -> Option<ContextEntry> {
    let known = &["name", "variable", "configMap", "apiCall", "imageRegistry", "globalReference"];
    let fields = Fields::read(node, "a context entry", known, problems)?;
    let name = fields.string("name").unwrap_or_default().to_owned();
    let given: Vec<_> = KINDS.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
    let [kind] = given.as_slice() else {
        let message = format!("a context entry needs exactly one of {}", KINDS.join(", "));
        problems.at(node, Problem::invalid(message));
        return None;
    };
    let node = fields.get(kind)?;
    Some(ContextEntry { name, source: source(kind, node, problems)?, span: node.span() })
}

fn source(kind: &str, node: Node<'_>, problems: &Problems) -> Option<Source> {
    let template = |fields: Fields<'_, '_>, key: &str| fields.string(key).map(Template::compile);
    let tree = |fields: Fields<'_, '_>, key: &str| fields.get(key).map(Tree::compile);
    Some(match kind {
        "variable" => {
            let fields = Fields::read(node, "variable", &["value", "jmesPath", "default"], problems)?;
            let (value, jmes_path) = (tree(fields, "value"), template(fields, "jmesPath"));
            if value.is_none() && jmes_path.is_none() {
                problems.at(node, Problem::invalid("a variable needs `value` or `jmesPath`"));
            }
            if fields.get("default").is_some() && jmes_path.is_none() {
                problems.at(node, Problem::invalid("`default` needs `jmesPath`"));
            }
            Source::Variable { value, jmes_path, default: tree(fields, "default") }
        }
        "configMap" => {
            let fields = Fields::read(node, "configMap", &["name", "namespace"], problems)?;
            let name = template(fields, "name").unwrap_or_else(|| Template::compile(""));
            if name.source().is_empty() {
                problems.at(node, Problem::invalid("a name is required for configMap context entry"));
            }
            let namespace = template(fields, "namespace").unwrap_or_else(|| Template::compile(""));
            if namespace.source().is_empty() {
                problems.at(node, Problem::invalid("a namespace is required for configMap context entry"));
            }
            Source::ConfigMap { name, namespace }
        }
        "apiCall" => {
            let known = &["urlPath", "method", "data", "service", "jmesPath", "default"];
            let fields = Fields::read(node, "apiCall", known, problems)?;
            let service = fields
                .get("service")
                .and_then(|node| Fields::read(node, "service", &["url", "caBundle", "headers"], problems))
                .map(|fields| template(fields, "url").unwrap_or_else(|| Template::compile("")));
            let url_path = template(fields, "urlPath");
            if url_path.is_some() == service.is_some() {
                problems.at(node, Problem::invalid("an apiCall needs exactly one of `urlPath` and `service`"));
            }
            let method = fields.choice("method", &["GET", "POST"]).unwrap_or("GET").to_owned();
            Source::ApiCall {
                url_path,
                service,
                method,
                jmes_path: template(fields, "jmesPath"),
                default: tree(fields, "default"),
            }
        }
        "imageRegistry" => {
            let known = &["reference", "jmesPath", "imageRegistryCredentials"];
            let fields = Fields::read(node, "imageRegistry", known, problems)?;
            if fields.string("reference").is_none_or(str::is_empty) {
                problems.at(node, Problem::invalid("a reference is required for imageRegistry context entry"));
            }
            Source::ImageRegistry {
                reference: template(fields, "reference").unwrap_or_else(|| Template::compile("")),
                jmes_path: template(fields, "jmesPath"),
            }
        }
        _ => {
            let fields = Fields::read(node, "globalReference", &["name", "jmesPath"], problems)?;
            if fields.string("name").is_none_or(str::is_empty) {
                problems.at(node, Problem::invalid("a name is required for globalReference context entry"));
            }
            Source::Global {
                name: template(fields, "name").unwrap_or_else(|| Template::compile("")),
                jmes_path: template(fields, "jmesPath"),
            }
        }
    })
}
