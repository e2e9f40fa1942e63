//! One part of a run that several machines share.
//!
//! In: which part of how many. Out: which files it judges. Every part reads the whole tree, since what decides a verdict
//! (a policy, an exception, a Namespace, a kustomization) may be anywhere, and judges the objects of its own files. The
//! first part says all that is said once: what can't be read, what is wrong with policies, and governance.

use sha2::{Digest as _, Sha256};

use super::case::Case;
use crate::{
    document::Node,
    k8s::wildcard,
    policy::{exception::Exception, matching::Filter, set::PolicySet},
};

/// Part `index` of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Which part, from 0.
    index: u32,
    /// How many there are, at least 1.
    of: u32,
}

impl Part {
    /// Reads `I/N`, with `I` from 1 to `N`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse::<u32>().ok()?, n.parse::<u32>().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { index: number - 1, of }),
            Some((_, of)) => Err(format!("the first number is one from 1 to {of}")),
            None => Err("it takes the form I/N, such as 2/4".to_owned()),
        }
    }

    /// Which part, from 1.
    pub(crate) fn number(self) -> u32 {
        self.index + 1
    }

    /// How many parts there are.
    pub(crate) fn of(self) -> u32 {
        self.of
    }

    /// Whether it says what is said once.
    pub(crate) fn is_first(self) -> bool {
        self.index == 0
    }

    /// Whether it judges the objects of a file. The same on every machine and in every version of the program: FNV-1a.
    pub(crate) fn holds(self, path: &str) -> bool {
        let hash = path
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        // The low bits of the hash of names that differ in one digit are close together.
        ((hash ^ (hash >> 32)) % u64::from(self.of)) as u32 == self.index
    }
}

/// A digest of what a case has read and of how it is to be judged, whichever part of it. Reports with different ones are of
/// different runs: an object may have moved out of one part before that was judged, and into another after it.
pub(super) fn run(case: &Case) -> u128 {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        // The length keeps `ab` + `c` apart from `a` + `bc`.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    };
    add(env!("CARGO_PKG_VERSION"));
    add(&format!("{:?} {:?} {:?}", case.governance.is_some(), case.limits, case.user));
    for file in case.tree.files.iter().chain(&case.law_tree.files) {
        add(&format!("{:?}", file.roles));
        add(file.file.path());
        add(file.file.text());
    }
    hash.finalize().iter().take(16).fold(0, |out, byte| out << 8 | u128::from(*byte))
}

/// Whether an exception may do something to an object. More than those that do, never less: kinds, namespaces and names
/// are looked at, and an object that leaves one of them open counts.
pub(super) fn may_be_exempt(policies: &PolicySet, object: Node<'_>) -> bool {
    let text = |path: &[&str]| object.str_at(path).unwrap_or_default();
    let (kind, name) = (text(&["kind"]), text(&["metadata", "name"]));
    let namespace = text(&["metadata", "namespace"]);
    let may_hold = |filter: &Filter| {
        let kinds = filter.kinds.is_empty() || filter.kinds.iter().any(|it| wildcard::matches(it.kind(), kind));
        let names = filter.names.is_empty() || name.is_empty() || filter.names.iter().any(|it| it.matches(name));
        let namespaces = filter.namespaces.is_empty()
            || namespace.is_empty()
            || filter.namespaces.iter().any(|it| it.matches(namespace));
        kinds && names && namespaces
    };
    let may_match = |it: &Exception| it.matching.filters.is_empty() || it.matching.filters.iter().any(may_hold);
    policies.exceptions.iter().any(may_match)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_in_one_part_and_parts_are_about_even() {
        let parts: Vec<Part> = (1..=4).map(|n| Part::parse(&format!("{n}/4")).unwrap()).collect();
        let mut sizes = [0; 4];
        for n in 0..4000 {
            let path = format!("apps/team-{}/app-{n}.yaml", n % 7);
            let holders: Vec<usize> = (0..4).filter(|it| parts[*it].holds(&path)).collect();
            assert_eq!(holders.len(), 1, "{path}");
            sizes[holders[0]] += 1;
        }
        assert!(sizes.iter().all(|it| (850..1150).contains(it)), "{sizes:?}");
    }

    #[test]
    fn parts_count_from_one() {
        for text in ["0/3", "4/3", "1/0", "1", "a/b", "-1/2", "1/2/3"] {
            assert!(Part::parse(text).is_err(), "{text}");
        }
        assert!(Part::parse("1/1").unwrap().holds("anything"));
    }
}
