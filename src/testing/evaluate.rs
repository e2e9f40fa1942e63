//! Judging documents that were read before, for benches.

use std::{fmt, sync::Arc};

use super::Documents;
use crate::{
    cluster::{Cluster, Law},
    document::{self, Limits, resource},
    engine::{self, Request, World, request::Supplied},
    expr::Arena,
    policy::{Operation, set::PolicySet},
    span::File,
};

/// Compiled policies, and nothing else that a verdict could depend on.
pub struct Policies {
    set: PolicySet,
    cluster: Cluster,
}

impl Policies {
    /// Compiles the policies of a text.
    ///
    /// # Panics
    /// When a document is no policy that a cluster would take.
    pub fn compile(text: &str) -> Self {
        let file = File::new("policies.yaml", text.as_bytes().to_vec());
        let mut set = PolicySet::default();
        for document in document::parse(&file, &Limits::default()).documents {
            let document = Arc::new(document);
            let root = document.root().id();
            assert!(set.add(&document, root).is_ok(), "a policy for a bench is right: {text}");
        }
        Self { set, cluster: Cluster::new(Law::Admission) }
    }

    /// Judges every object as a new one; gives the number of verdicts.
    pub fn evaluate(&self, documents: &Documents) -> usize {
        let world = World { policies: &self.set, cluster: &self.cluster, now: 0, withheld: &engine::withheld::NOTHING };
        let mut arena = Arena::new();
        let mut verdicts = 0;
        for object in documents.documents().flat_map(|it| resource::objects(it.root())) {
            let request = Request {
                operation: Operation::Create,
                object: Some(object),
                old_object: None,
                subresource: "",
                user: None,
                namespace_labels: None,
                supplied: Supplied::default(),
            };
            let rules = self.set.rules_for(request.kind());
            verdicts += engine::evaluate(world, &rules, &request, &arena).len();
            arena.reset();
        }
        verdicts
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(f)
    }
}
