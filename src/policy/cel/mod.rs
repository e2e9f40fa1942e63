//! The kinds of `policies.kyverno.io`: what a cluster refuses in them without compiling an expression.

mod constraints;
mod deleting;
mod exception;
mod generating;
mod mutating;

use super::{error::Problem, fields::Problems, kinds::Cel};
use crate::document::Node;

/// Notes what a cluster would refuse in a policy or exception that its schema lets in.
pub(crate) fn check(object: Node<'_>, kind: Cel, problems: &Problems) {
    let Some(spec) = object.get("spec") else { return };
    match kind {
        Cel::Validating | Cel::ImageValidating => constraints::check(spec, problems),
        Cel::Mutating => {
            constraints::check(spec, problems);
            mutating::check(spec, problems);
        }
        Cel::Generating => {
            constraints::check(spec, problems);
            generating::check(spec, problems);
        }
        Cel::Deleting => deleting::check(spec, problems),
        Cel::Exception => exception::check(spec, problems),
    }
}

/// Refuses for the key of `node`, or for something that is missing in it.
fn refuse(node: Node<'_>, problems: &Problems, message: &str, help: &str) {
    problems.at_span(node, node.heading(), Problem::invalid_with(message, help));
}
