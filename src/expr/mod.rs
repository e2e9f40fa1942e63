//! Expressions: values, templates, JMESPath, CEL. Nothing here knows Kyverno's rule forms.

pub(crate) mod cel;
pub(crate) mod jmespath;
pub(crate) mod operator;
pub(crate) mod scalar;
pub(crate) mod template;
pub(crate) mod value;
mod x509;

pub(crate) use value::{Arena, List, Map, Number, Partial, Value};
