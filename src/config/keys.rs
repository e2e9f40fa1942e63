//! The keys of `admit.yaml`: one table that the reader, the JSON schema and `admit config show` go by.
//!
//! In: a document. Out: the first thing in it that no key knows, with its place and the nearest key. What the values mean
//! is for [`super::settings`] to say; what the rules of governance take is not known here.

use serde_json::{Value as Json, json};

use super::file::ConfigError;
use crate::{
    document::Node,
    policy::error::nearest,
    span::{File, Span},
};

/// A key.
#[derive(Debug)]
pub(crate) struct Key {
    /// The key itself.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// What may stand behind it.
    pub shape: Shape,
    /// What counts without it, as JSON; empty where it must be there.
    pub default: &'static str,
}

/// What may stand behind a key.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// A path or a glob that stays below the root.
    Below,
    /// A glob of refs.
    Refs,
    /// A date, as `2026-12-31`.
    Date,
    /// `true` or `false`.
    Switch,
    /// One of a few words.
    Words(&'static [&'static str]),
    /// A list.
    List(&'static Shape),
    /// A map of these keys.
    Map(&'static [Key]),
    /// A list, or a map of these keys.
    ListOrMap(&'static Shape, &'static [Key]),
    /// Rules of governance by ID.
    Rules,
}

/// The keys at the top.
pub(crate) static ROOT: [Key; 10] = [
    Key {
        name: "policies",
        about: "Where policies are looked for, as paths or globs; anywhere when empty",
        shape: Shape::List(&Shape::Below),
        default: "[]",
    },
    Key {
        name: "exceptions",
        about: "Where exceptions are looked for, as paths or globs, and nowhere else; or which of all that are found count",
        shape: Shape::ListOrMap(&Shape::Below, &EXCEPTIONS),
        default: "[]",
    },
    Key {
        name: "include",
        about: "Globs of the files to judge; all when empty",
        shape: Shape::List(&Shape::Below),
        default: "[]",
    },
    Key {
        name: "exclude",
        about: "Globs of the files to leave alone",
        shape: Shape::List(&Shape::Below),
        default: "[]",
    },
    Key {
        name: "trust",
        about: "Which side of a change holds the law",
        shape: Shape::Words(&["base", "both", "proposed", "head", "operator"]),
        default: "\"base\"",
    },
    Key {
        name: "guard",
        about: "The refs that a hook on the server guards; all branches when empty",
        shape: Shape::List(&Shape::Refs),
        default: "[]",
    },
    Key {
        name: "reach",
        about: "How much it weighs that objects fail which a change does not touch, through what judges them",
        shape: Shape::Words(&["off", "info", "warning", "error"]),
        default: "\"warning\"",
    },
    Key {
        name: "userinfo",
        about: "Who applies the manifests; nobody who is known when it is left out",
        shape: Shape::Map(&USER),
        default: "null",
    },
    Key { name: "render", about: "What is rendered before it is judged", shape: Shape::Map(&RENDER), default: "{}" },
    Key {
        name: "governance",
        about: "The rules that govern exceptions and policies",
        shape: Shape::Map(&GOVERNANCE),
        default: "{}",
    },
];

static EXCEPTIONS: [Key; 3] = [
    Key {
        name: "enabled",
        about: "Whether exceptions count at all, as `enablePolicyException` of a cluster",
        shape: Shape::Switch,
        default: "true",
    },
    Key {
        name: "namespaces",
        about: "The namespaces in which exceptions count, with wildcards, as `exceptionNamespace` of a cluster",
        shape: Shape::List(&Shape::Text),
        default: "[\"*\"]",
    },
    Key {
        name: "directories",
        about: "The paths or globs below which exceptions count; anywhere when empty",
        shape: Shape::List(&Shape::Below),
        default: "[]",
    },
];

static RENDER: [Key; 3] = [
    Key {
        name: "mode",
        about: "Whether overlays and charts are rendered: where the programs are there, never, or always",
        shape: Shape::Words(&["auto", "never", "always"]),
        default: "\"auto\"",
    },
    Key {
        name: "exclude",
        about: "Globs of kustomizations and charts, or of directories with them, that are not rendered",
        shape: Shape::List(&Shape::Below),
        default: "[]",
    },
    Key {
        name: "roots",
        about: "Globs of directories that are rendered though others include them",
        shape: Shape::List(&Shape::Below),
        default: "[]",
    },
];

static USER: [Key; 4] = [
    Key { name: "username", about: "The name", shape: Shape::Text, default: "" },
    Key { name: "groups", about: "The groups", shape: Shape::List(&Shape::Text), default: "[]" },
    Key { name: "roles", about: "Roles, as namespace:name", shape: Shape::List(&Shape::Text), default: "[]" },
    Key { name: "clusterRoles", about: "Cluster roles", shape: Shape::List(&Shape::Text), default: "[]" },
];

static GOVERNANCE: [Key; 4] = [
    Key { name: "rules", about: "What is said of single rules, by ID", shape: Shape::Rules, default: "{}" },
    Key {
        name: "allow",
        about: "What is let through in spite of a rule",
        shape: Shape::List(&Shape::Map(&ALLOW)),
        default: "[]",
    },
    Key {
        name: "onInvalidException",
        about: "Whether an exception that breaks a rule which weighs as an error exempts all the same",
        shape: Shape::Words(&["ignore", "honour"]),
        default: "\"ignore\"",
    },
    Key {
        name: "exceptionsFrom",
        about: "Which exceptions count for a change: what it brings itself, or only those from before it",
        shape: Shape::Words(&["new", "base", "base-for-enforce"]),
        default: "\"new\"",
    },
];

static ALLOW: [Key; 5] = [
    Key { name: "rule", about: "The ID of the rule that may be broken", shape: Shape::Text, default: "" },
    Key { name: "exception", about: "The key of an exception, with wildcards", shape: Shape::Text, default: "null" },
    Key { name: "path", about: "A glob of the files that may break it", shape: Shape::Text, default: "null" },
    Key { name: "reason", about: "Why", shape: Shape::Text, default: "" },
    Key { name: "until", about: "The first day on which it no longer may", shape: Shape::Date, default: "null" },
];

/// Looks for what no key knows, and for values that none takes. What is null counts as left out.
pub(super) fn check(file: &File, root: Node<'_>) -> Result<(), ConfigError> {
    if root.is_null() {
        return Ok(());
    }
    Checking { file }.map(root, "", &ROOT)
}

struct Checking<'f> {
    file: &'f File,
}

impl Checking<'_> {
    fn error(&self, at: Span, message: String, hint: Option<String>) -> ConfigError {
        ConfigError::at_span(self.file, at, message, hint)
    }

    fn map(&self, node: Node<'_>, path: &str, keys: &[Key]) -> Result<(), ConfigError> {
        if !node.is_map() {
            let what = if path.is_empty() { "admit.yaml" } else { path };
            return Err(self.error(node.span(), format!("`{what}` must be a map"), None));
        }
        for (name, value) in node.entries() {
            let Some(key) = keys.iter().find(|it| it.name == name) else {
                let known: Vec<&str> = keys.iter().map(|it| it.name).collect();
                let place = if path.is_empty() { String::new() } else { format!(" in {path}") };
                let hint = Some(suggestion(name, &known));
                return Err(self.error(value.key_span(), format!("unknown field `{name}`{place}"), hint));
            };
            if !value.is_null() {
                self.value(value, &below(path, name), &key.shape)?;
            }
        }
        for key in keys.iter().filter(|it| it.default.is_empty()) {
            if node
                .get(key.name)
                .is_none_or(|it| it.is_null() || it.as_str().is_some_and(|text| text.trim().is_empty()))
            {
                let what =
                    if path == "governance.allow" { "an entry of `allow`".to_owned() } else { format!("`{path}`") };
                return Err(self.error(node.span(), format!("{what} lacks `{}`", key.name), None));
            }
        }
        Ok(())
    }

    fn value(&self, node: Node<'_>, path: &str, shape: &Shape) -> Result<(), ConfigError> {
        let must = |what: &str| Err(self.error(node.span(), format!("`{path}` must be {what}"), None));
        match shape {
            Shape::Text if node.as_str().is_none() => must("a string"),
            Shape::Switch if node.as_bool().is_none() => must("`true` or `false`"),
            Shape::Text | Shape::Switch => Ok(()),
            Shape::Below => self.parsed(node, path, super::file::below),
            Shape::Refs => self.parsed(node, path, |text| super::file::refs(text).map(drop)),
            Shape::Date => {
                let is_date = node.as_str().is_some_and(|text| text.parse::<jiff::civil::Date>().is_ok());
                let hint = Some(format!("write a date, as in `{}: 2026-12-31`", node.key()));
                if is_date {
                    Ok(())
                } else {
                    Err(self.error(node.span(), format!("`{}` is no date", node.key()), hint))
                }
            }
            Shape::Words(words) if node.as_str().is_none_or(|it| !words.contains(&it)) => {
                let hint = Some(suggestion(node.as_str().unwrap_or_default(), words));
                Err(self.error(node.span(), format!("`{path}` is none of the words that it can be"), hint))
            }
            Shape::Words(_) => Ok(()),
            Shape::List(item) if node.is_list() => node.items().try_for_each(|it| self.value(it, path, item)),
            Shape::List(_) => must("a list"),
            Shape::Map(keys) => self.map(node, path, keys),
            Shape::ListOrMap(item, _) if node.is_list() => node.items().try_for_each(|it| self.value(it, path, item)),
            Shape::ListOrMap(_, keys) if node.is_map() => self.map(node, path, keys),
            Shape::ListOrMap(..) => must("a list or a map"),
            // Whoever knows the rules looks into them.
            Shape::Rules if node.is_map() => Ok(()),
            Shape::Rules => must("a map"),
        }
    }

    fn parsed(
        &self,
        node: Node<'_>,
        path: &str,
        parse: impl Fn(&str) -> Result<(), String>,
    ) -> Result<(), ConfigError> {
        let Some(text) = node.as_str() else {
            return Err(self.error(node.span(), format!("`{path}` must hold strings"), None));
        };
        parse(text).map_err(|message| self.error(node.span(), format!("{path}: {message}"), None))
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What to do about an unknown word.
pub(crate) fn suggestion(unknown: &str, known: &[&str]) -> String {
    match nearest(unknown, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => format!("remove `{unknown}`"),
        None => format!("known are `{}`", known.join("`, `")),
    }
}

/// The JSON schema of `admit.yaml`; `rules` is that of `governance.rules`.
pub(crate) fn schema(rules: &Json) -> Json {
    let Json::Object(mut out) = schema_of_map(&ROOT, rules) else { return Json::Null };
    out.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    out.insert("title".to_owned(), json!("admit.yaml"));
    // A file of nothing but comments says nothing.
    out.insert("type".to_owned(), json!(["object", "null"]));
    Json::Object(out)
}

fn schema_of_map(keys: &[Key], rules: &Json) -> Json {
    let mut properties = serde_json::Map::new();
    for key in keys {
        let mut value = schema_of(&key.shape, rules);
        let default: Option<Json> = serde_json::from_str(key.default).ok();
        if let Json::Object(map) = &mut value {
            map.insert("description".to_owned(), json!(key.about));
            if let Some(default) = &default {
                map.insert("default".to_owned(), default.clone());
                nullable(map);
            }
        }
        properties.insert(key.name.to_owned(), value);
    }
    let required: Vec<&str> = keys.iter().filter(|it| it.default.is_empty()).map(|it| it.name).collect();
    let mut out = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if let (Json::Object(map), false) = (&mut out, required.is_empty()) {
        map.insert("required".to_owned(), json!(required));
    }
    out
}

/// What is null counts as left out.
fn nullable(map: &mut serde_json::Map<String, Json>) {
    if let Some(kind) = map.get("type").and_then(Json::as_str).map(str::to_owned) {
        map.insert("type".to_owned(), json!([kind, "null"]));
    }
    if let Some(Json::Array(all)) = map.get_mut("anyOf") {
        all.push(json!({ "type": "null" }));
    }
    if let Some(Json::Array(words)) = map.get_mut("enum") {
        words.push(Json::Null);
    }
}

fn schema_of(shape: &Shape, rules: &Json) -> Json {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Below => json!({ "type": "string", "not": { "pattern": r"^/|(^|/)\.\.(/|$)" } }),
        Shape::Refs => json!({ "type": "string" }),
        Shape::Date => json!({ "type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
        Shape::Switch => json!({ "type": "boolean" }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::List(item) => json!({ "type": "array", "items": schema_of(item, rules) }),
        Shape::Map(keys) => schema_of_map(keys, rules),
        Shape::ListOrMap(item, keys) => {
            json!({ "anyOf": [{ "type": "array", "items": schema_of(item, rules) }, schema_of_map(keys, rules)] })
        }
        Shape::Rules => rules.clone(),
    }
}
