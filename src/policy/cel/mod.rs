//! The kinds of `policies.kyverno.io`: what a cluster refuses in them without compiling an expression.

use super::{fields::Problems, kinds::Cel};
use crate::document::Node;

/// Notes what a cluster would refuse in a policy or exception that its schema lets in.
pub(crate) fn check(_object: Node<'_>, _kind: Cel, _problems: &Problems) {}
