//! Text grammars of Kubernetes and of Go, one file each: pure functions from text to values and back.
//!
//! Nothing here knows spans or documents. Every parser takes any text, never panics, and works in time linear in its
//! input unless its file says otherwise.

pub(crate) mod cron;
pub(crate) mod duration;
pub(crate) mod gobase64;
pub(crate) mod gofloat;
pub(crate) mod gojson;
pub(crate) mod goregex;
pub(crate) mod gotime;
pub(crate) mod gvk;
pub(crate) mod image_ref;
pub(crate) mod label_selector;
pub(crate) mod merge_keys;
pub(crate) mod quantity;
pub(crate) mod scope;
pub(crate) mod semver;
pub(crate) mod structure;
pub(crate) mod types;
pub(crate) mod wildcard;
