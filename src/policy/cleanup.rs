//! `CleanupPolicy` and `ClusterCleanupPolicy`: what a cluster refuses in them.

use super::fields::Problems;
use crate::document::Node;

/// Notes what a cluster would refuse in a cleanup policy that its schema lets in.
pub(crate) fn check(_object: Node<'_>, _problems: &Problems) {}
