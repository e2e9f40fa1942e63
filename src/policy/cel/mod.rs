//! Policies written in CEL: the kinds of `policies.kyverno.io`, and Kubernetes' own `ValidatingAdmissionPolicy`.
//!
//! In: a document that the API server's schema lets in. Out: the compiled policy, or what a cluster would refuse in it.

pub(crate) mod admission;
mod autogen;
pub(crate) mod compile;
mod constraints;
pub(crate) mod decode;
mod deleting;
pub(crate) mod exception;
mod expression;
mod generating;
mod model;
pub(crate) mod mutating;
mod template;
mod words;

pub(crate) use constraints::{Constraints, ResourceRule, ResourceType};
pub(crate) use expression::{Expression, Flaw, Reads};
pub(crate) use generating::Product;
pub(crate) use model::{
    Binding, Body, Changes, Engine, Existing, FailurePolicy, Form, Mode, Mutation, Named, NotFound, ParamKind,
    ParamRef, Patch, Policy, Task, Validation, Variables,
};
pub(crate) use template::{Piece, Shape};

use super::{error::Problem, fields::Problems, kinds::Cel};
use crate::document::Node;

/// Notes what a cluster would refuse in a policy or exception that its schema lets in, expressions aside.
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
