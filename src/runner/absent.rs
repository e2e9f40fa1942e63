//! What passed only since something is taken for absent.
//!
//! In: rules that let objects pass, and what the repository does not hold and they asked for. Out: one finding for a rule
//! and a kind, for information: a cluster may hold more than a repository, and refuse some of these.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::Missing,
    finding::{Finding, Place, Severity},
    policy::set::{Found, PolicySet, RuleRef},
};

/// A rule that passed since something is not held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rest {
    /// The rule.
    pub rule: RuleRef,
    /// What is not held.
    pub missing: Missing,
}

/// A finding for each rule and kind of object that is taken for absent: some of what passed may be refused.
pub(super) fn findings(policies: &PolicySet, absent: &BTreeSet<Rest>) -> Vec<Finding> {
    const SHOWN: usize = 3;
    let mut kinds: BTreeMap<(RuleRef, &str), Vec<&Missing>> = BTreeMap::new();
    for Rest { rule, missing } in absent {
        if let Missing::Absent { kind, .. } = missing {
            kinds.entry((*rule, kind)).or_default().push(missing);
        }
    }
    let finding = |((rule, kind), missing): ((RuleRef, &str), Vec<&Missing>)| {
        let found = policies.get(rule);
        let at = match found {
            Found::Classic(_, rule) => rule.name_span,
            Found::Cel(policy, _) => policy.head.name_span,
        };
        let place = Place::new(&found.head().file, at);
        let message = format!("`{}` let something pass for want of `{kind}` in the repository", found.title());
        let mut out = Finding::new("policy/absent", Severity::Info, place, message);
        for it in missing.iter().take(SHOWN) {
            out = out.note(it.note());
        }
        if missing.len() > SHOWN {
            out = out.note(format!("and {} more", missing.len() - SHOWN));
        }
        out.help(format!("if the cluster has such `{kind}`, name files that hold them by --cluster"))
    };
    kinds.into_iter().map(finding).collect()
}
