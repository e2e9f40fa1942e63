//! Entries of `context`.

use super::{Bond, Field, Object, Shape};

const SOURCES: &[&str] = &["configMap", "apiCall", "imageRegistry", "variable", "globalReference"];

/// One entry: a name and where its value comes from.
pub(super) static ENTRY: Object = Object {
    owner: "a context entry",
    fields: &[
        required!("name", Shape::Text),
        field!("configMap", Shape::Object(&CONFIG_MAP)),
        field!("apiCall", Shape::Object(&API_CALL)),
        field!("imageRegistry", Shape::Object(&IMAGE_REGISTRY)),
        field!("variable", Shape::Object(&VARIABLE)),
        field!("globalReference", Shape::Object(&GLOBAL_REFERENCE)),
    ],
    bonds: &[Bond::ExactlyOne(SOURCES)],
};

static VARIABLE: Object = object!(
    "variable",
    &[field!("value", Shape::Any), field!("jmesPath", Shape::Text), field!("default", Shape::Any)],
);

static CONFIG_MAP: Object = object!("configMap", &[field!("name", Shape::Text), field!("namespace", Shape::Text)]);

static API_CALL: Object = object!(
    "apiCall",
    &[
        field!("urlPath", Shape::Text),
        field!("method", Shape::Choice(&["GET", "POST"])),
        field!("data", Shape::List(&Shape::Object(&REQUEST_DATA))),
        field!("service", Shape::Object(&SERVICE)),
        field!("jmesPath", Shape::Text),
        field!("default", Shape::Any),
    ],
);

static REQUEST_DATA: Object =
    object!("an entry of data", &[required!("key", Shape::Text), field!("value", Shape::Any)]);

static SERVICE: Object = object!(
    "service",
    &[
        required!("url", Shape::Text),
        field!("caBundle", Shape::Text),
        field!("headers", Shape::List(&Shape::Object(&HEADER))),
    ],
);

static HEADER: Object = object!("a header", &[required!("key", Shape::Text), required!("value", Shape::Text)]);

static IMAGE_REGISTRY: Object = object!(
    "imageRegistry",
    &[
        field!("reference", Shape::Text),
        field!("jmesPath", Shape::Text),
        field!("imageRegistryCredentials", Shape::Object(&CREDENTIALS)),
    ],
);

/// How a registry is logged in to.
pub(super) static CREDENTIALS: Object = object!(
    "imageRegistryCredentials",
    &[
        field!("allowInsecureRegistry", Shape::Bool),
        field!("providers", Shape::List(&Shape::Choice(&["default", "amazon", "azure", "google", "github"]))),
        field!("secrets", Shape::List(&Shape::Text)),
    ],
);

static GLOBAL_REFERENCE: Object =
    object!("globalReference", &[required!("name", Shape::Text), field!("jmesPath", Shape::Text)]);
