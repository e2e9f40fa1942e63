//! Functions over versions and images.

use super::{Call, Function, STRING};
use crate::{
    expr::{Value, jmespath::eval::Outcome},
    k8s::{
        image_ref,
        semver::{self, Range, Version},
    },
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::own("image_normalize", &[STRING], "string", "an image with registry, path and tag", |call| {
        match image_ref::parse(call.text(0)?) {
            Ok(image) => call.give_text(&image.reference()),
            Err(error) => Err(call.refuse(error.to_string())),
        }
    }),
    Function::own("semver_compare", &[STRING, STRING], "bool", "whether a version lies in a range", semver_compare),
];

fn semver_compare<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    // Kyverno: a text that is no version is version zero.
    let version = semver::parse(call.text(0)?).unwrap_or(Version::new(0, 0, 0));
    let range = call.text(1)?;
    call.charge(range.len())?;
    match Range::parse(range) {
        Ok(range) => Ok(Value::Bool(range.contains(&version))),
        Err(error) => Err(call.refuse(error.to_string())),
    }
}
