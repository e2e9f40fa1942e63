//! Both sides of a change, for the rules of governance that compare them.
//!
//! What a change does to policies and exceptions is told by what both sides come to, not by the difference of their
//! texts: a finding counts when the side after the change has it and the side before has not.

use std::collections::{HashMap, HashSet};

use super::case::{Case, context};
use crate::{
    config::Settings,
    document::classify::Class,
    engine::{World, withheld::NOTHING},
    finding::Finding,
    governance::{
        self, Change, Rules,
        who::{Authorship, History},
    },
    runner::{self, Law, Subject, TreeFile, Wants},
    span::File,
};

/// Policies, exceptions and settings before and after a change, as far as they changed.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    /// Files that changed, as they were; their roles say what they count as.
    pub before: Vec<TreeFile>,
    /// Files that changed, as they are.
    pub after: Vec<TreeFile>,
    /// Every path that changed.
    pub changed: HashSet<String>,
    /// `admit.yaml`, if it changed.
    pub config: Option<ConfigChange>,
    /// Who makes the change; `None` where no commit is made yet.
    pub who: Option<Authorship>,
    /// How files of exceptions were; `None` where nobody asked.
    pub history: Option<History>,
    /// Whether the places of the law are named, so that the repository may hold policies that nobody read.
    pub is_narrowed: bool,
}

/// `admit.yaml` before and after a change, both readable.
#[derive(Debug)]
pub(crate) struct ConfigChange {
    /// What counted before.
    pub before: Settings,
    /// What counts after.
    pub after: Settings,
    /// The file as it is, or as it was when it is gone.
    pub file: std::sync::Arc<File>,
}

/// What governance says of a change.
#[derive(Default)]
pub(super) struct Said {
    /// What was not so before.
    pub news: Vec<Finding>,
    /// All that is so after it, each with the key of the exception that it is about.
    pub all: Vec<(String, Finding)>,
}

impl Sides {
    /// The files that hold policies or exceptions.
    pub(super) fn law(&self) -> HashSet<&str> {
        let holds = |file: &&TreeFile| {
            file.documents.iter().any(|it| match it.class {
                Class::Policy => file.roles.policies,
                Class::Exception => file.roles.exceptions,
                _ => false,
            })
        };
        self.before.iter().chain(&self.after).filter(holds).map(|file| &**file.file.path()).collect()
    }

    /// Whether nothing changed that rules of governance look at.
    fn is_idle(&self) -> bool {
        let guards = self.who.as_ref().map(|it| it.guards.as_slice()).unwrap_or_default();
        self.config.is_none() && guards.is_empty() && self.law().is_empty()
    }

    /// What there is to say of a change that touches nothing but objects: whether they exempt themselves.
    fn check_objects(&self, case: &Case, subjects: &[Subject<'_>], rules: &Rules, now: i128) -> Said {
        if !governance::selects_by_labels(&case.law.policies) {
            return Said::default();
        }
        let files = case.law_tree.files.iter();
        let base = context(files.clone(), &case.law, &[], None, now);
        let mut after = context(files, &case.law, subjects, None, now);
        let law = HashSet::new();
        after.change = Some(Change { base: &base, changed: &self.changed, law, who: None, configs: None });
        let all = governance::check_objects(&after, rules);
        Said { news: all.iter().map(|(_, it)| it.clone()).collect(), all }
    }

    /// What the change brings.
    pub(super) fn check(&self, case: &Case, subjects: &[Subject<'_>], rules: &Rules, now: i128) -> Said {
        if self.is_idle() {
            return self.check_objects(case, subjects, rules, now);
        }
        let unchanged = || case.law_tree.files.iter().filter(|file| !self.changed.contains(&**file.file.path()));
        let law_before = Law::compile(unchanged().chain(&self.before));
        let mut law = Law::compile(unchanged().chain(&self.after));
        law.cluster = case.law.cluster.clone();
        let world = World { policies: &law.policies, cluster: &law.cluster, now, withheld: &NOTHING };
        let judged = runner::judge(world, case.user.as_ref(), subjects, Wants::default(), &|_| ());
        let mut base = context(unchanged().chain(&self.before), &law_before, subjects, None, now);
        base.limits = case.limits.clone();
        let rules_before = self.config.as_ref().and_then(|it| Rules::new(&it.before.governance).ok());
        let rules_after = self.config.as_ref().and_then(|it| Rules::new(&it.after.governance).ok());
        let configs = match (&self.config, &rules_before, &rules_after) {
            (Some(it), Some(before), Some(after)) => {
                Some(governance::Configs { before: (&it.before, before), after: (&it.after, after), file: &it.file })
            }
            _ => None,
        };
        let known: HashMap<String, usize> =
            governance::check(&base, rules).iter().fold(HashMap::new(), |mut out, it| {
                *out.entry(it.fingerprint()).or_default() += 1;
                out
            });
        let mut after = context(unchanged().chain(&self.after), &law, subjects, Some(&judged.effects), now);
        after.change =
            Some(Change { base: &base, changed: &self.changed, law: self.law(), who: self.who.as_ref(), configs });
        after.history = self.history.as_ref();
        after.limits = case.limits.clone();
        if self.is_narrowed {
            after.elsewhere = None;
        }
        let mut known = known;
        let mut is_new = |it: &Finding| match known.get_mut(&it.fingerprint()) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        };
        let all = governance::check_keyed(&after, rules);
        let news = all.iter().map(|(_, it)| it).filter(|it| is_new(it)).cloned().collect();
        Said { news, all }
    }
}
