//! One case before the law: what is judged, what judges it, and what there is to say.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};

use super::{
    part::{self, Part, may_be_exempt},
    reach::Reach,
    sides::{Said, Sides},
    standing::{self, Turnover},
};
use crate::{
    cluster::{Cluster, Identity, Missing},
    config::ExceptionLimits,
    document::{
        Node,
        classify::Class,
        resource::{is_object, objects},
    },
    engine::{UserInfo, World, withheld::NOTHING},
    finding::{Finding, Severity, metadata::of_metadata, secret},
    governance::{self, Context, Effects, Rules, generate::Wishes, who::History},
    policy::{Head, set::PolicySet},
    render::Sources,
    report::{self, Checked, Progress, Report, Rule, Shard, Summary},
    runner::{self, Law, Roles, Subject, Tree, TreeFile, Wants},
};

/// Everything a run judges and judges by.
#[derive(Debug, Default)]
pub(crate) struct Case {
    /// The law.
    pub law: Law,
    /// What was read of the side that is judged.
    pub tree: Tree,
    /// What was read only for the law.
    pub law_tree: Tree,
    /// What is there before: objects in it are updated, others are new.
    pub held: Cluster,
    /// Whether objects that were there and are in no file any more are removed.
    pub removes: bool,
    /// Who asks, if that is known.
    pub user: Option<UserInfo>,
    /// What there is to say beside verdicts.
    pub findings: Vec<Finding>,
    /// About the run as a whole.
    pub notes: Vec<String>,
    /// Whether all of a tree is judged; a change may well hold no manifest.
    pub is_whole: bool,
    /// Whether every object of the root is judged.
    pub is_root: bool,
    /// The rules that govern exceptions and policies; `None`: only what a cluster would refuse.
    pub governance: Option<Rules>,
    /// Which exceptions count at all.
    pub limits: ExceptionLimits,
    /// How files of exceptions were; `None` where nobody asked.
    pub history: Option<History>,
    /// Where files of a working tree are, by the path that findings show.
    pub places: HashMap<String, PathBuf>,
    /// For a change: both sides of what governs it.
    pub sides: Option<Sides>,
    /// For a change that is judged by the law from before it: what it does to the exceptions of that law.
    pub turnover: Turnover,
    /// What was rendered, and is judged in the place of its sources.
    pub sources: Sources,
    /// What others include, as it would be if it were deployed by itself.
    pub included: Vec<TreeFile>,
    /// What a change does to objects that it does not touch; `None`: nothing, or nobody asked.
    pub reach: Option<Reach>,
    /// The part of the objects that is judged; `None`: all of them.
    pub part: Option<Part>,
}

impl Case {
    /// Says who asks.
    pub(crate) fn asked_by(&mut self, user: &UserInfo) {
        self.user = Some(user.clone());
        if let Some(reach) = &mut self.reach {
            reach.user = Some(user.clone());
        }
    }

    /// Judges everything; the flag says whether there was something to judge and something to judge it by.
    pub(crate) fn judge(&self, now: i128, wants: Wants, progress: &Progress) -> (Report, bool) {
        let mut findings = self.findings.clone();
        findings.extend(self.tree.findings.iter().chain(&self.law_tree.findings).cloned());
        findings.extend(self.law.findings.iter().cloned());
        findings.extend(runner::problems(self.tree.files.iter()));
        findings.extend(runner::repeated_objects(self.tree.files.iter()));
        let subjects = self.subjects(&mut findings);
        let rules = self.governance.as_ref();
        let said = match (&self.sides, rules) {
            (Some(sides), Some(rules)) => sides.check(self, &subjects, rules, now),
            _ => Said::default(),
        };
        let mut context = self.context(&subjects, None, now);
        let withheld = standing::withheld(&context, rules, &self.turnover, &said.all, &self.limits);
        let world = World { policies: &self.law.policies, cluster: &self.law.cluster, now, withheld: &withheld };
        let own = self.own(&subjects);
        progress.expect(own.len() as u64);
        let mut judged = runner::judge(world, self.user.as_ref(), &own, wants, &|n| progress.tick(n));
        let is_first = self.part.is_none_or(Part::is_first);
        if !is_first {
            findings.clear();
        }
        findings.append(&mut judged.findings);
        findings.extend(runner::guessed_kinds(world.policies, &own));
        if let Some(rules) = rules.filter(|_| is_first) {
            let governed = if self.sides.is_some() {
                said.news
            } else {
                let mut governed = if self.part.is_none() {
                    context.effects = self.is_whole.then_some(&judged.effects);
                    governance::check(&context, rules)
                } else {
                    self.governed_in_parts(&subjects, world, rules)
                };
                // Whoever asks about one file is not told about the exceptions of others.
                let elsewhere = self.elsewhere();
                governed.retain(|it| !elsewhere.contains(&*it.primary.path));
                governed
            };
            take(governed, &mut findings);
        }
        if let Some(reach) = self.reach.as_ref().filter(|_| is_first) {
            findings.extend(reach.judge(now, rules.is_some()));
        }
        let (files, documents) = runner::looked_at(&self.tree, &self.law_tree);
        let summary = Summary { files, documents, rules: judged.rules, waived: judged.waived };
        let documents = self.tree.files.iter().filter(|it| it.roles.judged).flat_map(|it| &it.documents);
        // Policies and exceptions are objects, too, but unless a rule says something of them nothing was checked.
        let is_empty =
            !documents.into_iter().any(|it| it.class == Class::Manifest) && summary.rules == report::Rules::default();
        let mut findings = self.sources.relocate(findings);
        if is_first {
            findings.extend(self.alone(world, &findings));
        }
        let mut report = Report::new(findings, summary);
        report.quiet = judged.quiet;
        report.quiet.iter_mut().for_each(|it| (it.path, it.line) = self.sources.line(&it.path, it.line));
        report.quiet.sort();
        report.traces = judged.traces;
        report.traces.iter_mut().for_each(|it| it.at = self.sources.place(&it.at));
        report.rules = described(&report.findings, &self.law.policies);
        report.notes.clone_from(&self.notes);
        report.notes.extend(tolerated(&judged.tolerated));
        report.notes.extend(missing(&judged.missing));
        let mut checked = match (self.law.n_policies, is_empty && self.is_whole) {
            (0, _) => Checked::NoPolicy,
            (_, true) => Checked::NoManifest,
            (_, false) => Checked::Something,
        };
        if let Some(part) = self.part {
            let (number, of) = (part.number(), part.of());
            report.shard = Some(Shard { number, of, checked, is_root: self.is_root, run: part::run(self) });
            // Others may have some: only all parts together know.
            if checked == Checked::NoManifest {
                checked = Checked::Something;
            }
        }
        report.notes.extend(checked.note().map(str::to_owned));
        (report, checked == Checked::Something)
    }

    /// What would be refused of what others include, if it were deployed by itself.
    fn alone(&self, world: World<'_>, told: &[Finding]) -> Vec<Finding> {
        let objects = self.included.iter().flat_map(TreeFile::subjects).filter(|it| is_object(*it));
        let subjects: Vec<_> =
            objects.map(|object| Subject { object: Some(object), old_object: self.held.old_object(object) }).collect();
        if subjects.is_empty() {
            return Vec::new();
        }
        let judged = runner::judge(world, self.user.as_ref(), &subjects, Wants::default(), &|_| ());
        self.sources.alone(judged.findings, told)
    }

    /// The subjects that this run judges.
    fn own<'c>(&self, subjects: &[Subject<'c>]) -> Vec<Subject<'c>> {
        let is_own = |it: &&Subject<'_>| match (self.part, it.resource()) {
            (Some(part), Some(resource)) => part.holds(resource.file().path()),
            _ => true,
        };
        subjects.iter().filter(is_own).copied().collect()
    }

    /// What rules of governance say where others judge most of the objects: those that an exception may be for are judged
    /// here, too.
    fn governed_in_parts(&self, subjects: &[Subject<'_>], world: World<'_>, rules: &Rules) -> Vec<Finding> {
        let touched = |it: &&Subject<'_>| it.resource().is_some_and(|it| may_be_exempt(world.policies, it));
        let touched: Vec<_> = subjects.iter().filter(touched).copied().collect();
        let judged = runner::judge(world, self.user.as_ref(), &touched, Wants::default(), &|_| ());
        let effects = self.is_whole.then_some(&judged.effects);
        governance::check(&self.context(&touched, effects, world.now), rules)
    }

    /// The register of the exceptions.
    pub(crate) fn register(&self, now: i128, progress: &Progress) -> Vec<governance::register::Row> {
        let subjects = self.subjects(&mut Vec::new());
        progress.expect(subjects.len() as u64);
        let rules = self.governance.as_ref();
        let mut context = self.context(&subjects, None, now);
        let withheld = standing::withheld(&context, rules, &self.turnover, &Said::default().all, &self.limits);
        let world = World { policies: &self.law.policies, cluster: &self.law.cluster, now, withheld: &withheld };
        let judged = runner::judge(world, self.user.as_ref(), &subjects, Wants::default(), &|n| progress.tick(n));
        context.effects = Some(&judged.effects);
        rules.map(|rules| governance::register::rows(&context, rules)).unwrap_or_default()
    }

    /// What rules of governance would mend, by what exceptions do to the objects, too, which [`Case::lint`] leaves out.
    pub(crate) fn mendable(&self, now: i128) -> Vec<Finding> {
        let Some(rules) = &self.governance else { return Vec::new() };
        let subjects = self.subjects(&mut Vec::new());
        let world = World { policies: &self.law.policies, cluster: &self.law.cluster, now, withheld: &NOTHING };
        let judged = runner::judge(world, self.user.as_ref(), &subjects, Wants::default(), &|_| ());
        let effects = self.is_whole.then_some(&judged.effects);
        let elsewhere = self.elsewhere();
        let mut out = governance::check(&self.context(&subjects, effects, now), rules);
        out.retain(|it| !it.fix.is_empty() && !elsewhere.contains(&*it.primary.path));
        out
    }

    /// Exceptions for findings of this case.
    pub(crate) fn generate(&self, findings: &[&Finding], wishes: &Wishes, now: i128) -> governance::generate::Outcome {
        let subjects = self.subjects(&mut Vec::new());
        let rules = self.governance.as_ref();
        let context = self.context(&subjects, None, now);
        rules.map(|rules| governance::generate::generate(&context, rules, findings, wishes)).unwrap_or_default()
    }

    /// Looks at the policies and exceptions in what is judged, without judging objects; the flag says whether there was
    /// any.
    pub(crate) fn lint(&self, now: i128) -> (Report, bool) {
        let elsewhere = self.elsewhere();
        let mut findings = self.findings.clone();
        findings.extend(self.tree.findings.iter().cloned());
        findings.extend(self.law.findings.iter().cloned());
        findings.extend(runner::problems(self.tree.files.iter()));
        if let Some(rules) = &self.governance {
            let subjects = self.subjects(&mut Vec::new());
            let governed = governance::check(&self.context(&subjects, None, now), rules);
            take(governed, &mut findings);
        }
        // What judges is read with everything else of the root; only what was asked for is told.
        findings.retain(|it| !elsewhere.contains(&*it.primary.path));
        let judged = || self.tree.files.iter().filter(|it| it.roles.judged);
        let count = |class: Class| judged().flat_map(|it| &it.documents).filter(|it| it.class == class).count();
        let documents = report::Documents {
            policies: count(Class::Policy),
            exceptions: count(Class::Exception),
            ..report::Documents::default()
        };
        let looked = documents.policies + documents.exceptions > 0;
        let mut report = Report::new(findings, Summary { files: judged().count(), documents, ..Summary::default() });
        report.notes.clone_from(&self.notes);
        if !looked {
            report.notes.push("nothing was checked: no policy and no exception was found".to_owned());
        }
        (report, looked)
    }

    /// The paths of files that are read for the law only.
    fn elsewhere(&self) -> HashSet<&str> {
        self.tree.files.iter().filter(|it| !it.roles.judged).map(|it| &**it.file.path()).collect()
    }

    /// What rules of governance look at in a tree.
    fn context<'c>(&'c self, subjects: &[Subject<'c>], effects: Option<&'c Effects>, now: i128) -> Context<'c> {
        let files = self.tree.files.iter().chain(&self.law_tree.files);
        let mut out = context(files, &self.law, subjects, effects, now);
        out.is_complete = self.is_root;
        let is_narrowed = self.sides.as_ref().is_some_and(|it| it.is_narrowed);
        out.elsewhere = (!is_narrowed).then(|| idle_policies(self.tree.files.iter()));
        out.history = self.history.as_ref();
        out.limits = self.limits.clone();
        out
    }

    fn subjects(&self, findings: &mut Vec<Finding>) -> Vec<Subject<'_>> {
        let mut out = Vec::new();
        let mut here: HashSet<Identity> = HashSet::new();
        for object in self.tree.files.iter().flat_map(TreeFile::subjects) {
            if !is_object(object) {
                findings.push(not_an_object(object));
                continue;
            }
            findings.extend(of_metadata(object));
            let old_object = self.held.old_object(object);
            if self.removes {
                here.extend(Identity::of(object));
            }
            out.push(Subject { object: Some(object), old_object });
        }
        if self.removes {
            let is_gone = |object: &Node<'_>| Identity::of(*object).is_some_and(|it| !here.contains(&it));
            let gone = self.held.objects().filter(|it| is_object(*it)).filter(is_gone);
            out.extend(gone.map(|object| Subject { object: None, old_object: Some(object) }));
        }
        out
    }
}

/// Judges the same change in several cases: what one of them says counts, and all must have had something to judge by.
pub(crate) fn judge_all(cases: &[Case], now: i128, wants: Wants, progress: &Progress) -> (Report, bool) {
    let judged = cases.iter().map(|case| case.judge(now, wants, progress));
    judged.reduce(|(all, was), (report, is)| (all.join(report), was && is)).unwrap_or_default()
}

/// What rules of governance look at; without effects only what is in the files.
pub(super) fn context<'c>(
    files: impl Iterator<Item = &'c TreeFile> + Clone,
    law: &'c Law,
    subjects: &[Subject<'c>],
    effects: Option<&'c Effects>,
    now: i128,
) -> Context<'c> {
    let of_class = |class: Class, takes: fn(&Roles) -> bool| {
        let files = files.clone().filter(move |file| takes(&file.roles));
        files
            .flat_map(|file| &file.documents)
            .filter(move |it| it.class == class)
            .flat_map(|it| objects(it.document.root()).into_iter().map(move |node| (&it.document, node.id())))
    };
    let exceptions = of_class(Class::Exception, |roles| roles.exceptions);
    let policies = of_class(Class::Policy, |roles| roles.policies).map(|(document, id)| document.node(id));
    let mut out = Context::new(exceptions, policies, &law.policies, &law.cluster, now);
    let known = subjects.iter().filter_map(|it| Some((it.object.or(it.old_object)?, it.old_object)));
    (out.objects, out.old_objects) = known.unzip();
    out.effects = effects;
    out
}

/// Policies of a tree that judge nothing, by group and key.
fn idle_policies<'f>(files: impl Iterator<Item = &'f TreeFile>) -> HashSet<(String, String)> {
    let documents = files.filter(|file| !file.roles.policies).flat_map(|file| &file.documents);
    let objects = documents.filter(|it| it.class == Class::Policy).flat_map(|it| objects(it.document.root()));
    let key = |node: Node<'_>| {
        let text = |path: &[&str]| node.str_at(path).unwrap_or_default();
        let (name, namespace) = (text(&["metadata", "name"]), text(&["metadata", "namespace"]));
        let is_bare = namespace.is_empty()
            || text(&["kind"]) == "ClusterPolicy"
            || !text(&["apiVersion"]).starts_with("kyverno.io");
        let key = if is_bare { name.to_owned() } else { format!("{namespace}/{name}") };
        (text(&["apiVersion"]).split('/').next().unwrap_or_default().to_owned(), key)
    };
    objects.map(key).collect()
}

/// Adds what rules of governance say. What one of them says in its own words isn't said a second time.
fn take(governed: Vec<Finding>, findings: &mut Vec<Finding>) {
    let key = |it: &Finding| (it.primary.path.to_string(), it.primary.span);
    let weighs = |it: &&Finding| it.severity == Severity::Error && it.id.starts_with("EXC");
    let said: HashSet<_> = governed.iter().filter(weighs).map(key).collect();
    findings.retain(|it| !matches!(&*it.id, "policy/schema" | "policy/invalid") || !said.contains(&key(it)));
    findings.extend(governed);
}

/// What to say of violations that were there before.
fn tolerated(all: &[String]) -> Option<String> {
    const SHOWN: usize = 5;
    let (s, were) = if all.len() == 1 { ("", "was") } else { ("s", "were") };
    let more = if all.len() > SHOWN { format!(" and {} more", all.len() - SHOWN) } else { String::new() };
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let n = all.len();
    (n > 0).then(|| {
        format!(
            "{n} violation{s} that {were} there before the change {were} let through, as a cluster does: {shown}{more}"
        )
    })
}

/// What to say of verdicts that take what is not here.
fn missing(all: &BTreeMap<Missing, usize>) -> Option<String> {
    const SHOWN: usize = 20;
    let each = all.iter().map(|(it, n)| format!("{} ({n})", it.title()));
    let shown = each.take(SHOWN).collect::<Vec<_>>().join(", ");
    let more = if all.len() > SHOWN { format!(" and {} more", all.len() - SHOWN) } else { String::new() };
    let verdicts = "verdicts that can't be told without what the repository does not hold";
    (!all.is_empty()).then(|| format!("{verdicts}: {shown}{more}"))
}

/// An item of a list that no API server takes.
fn not_an_object(node: Node<'_>) -> Finding {
    let place = secret::place(node.file(), node.span());
    Finding::new("document/not-an-object", Severity::Error, place, "an item of a list lacks `apiVersion` or `kind`")
        .help("give the item both, or remove it")
}

/// What policies say of the rules behind findings.
fn described(findings: &[Finding], policies: &PolicySet) -> BTreeMap<String, Rule> {
    let wanted: HashSet<&str> = findings.iter().map(|it| it.id.as_str()).collect();
    let mut out = BTreeMap::new();
    let mut describe = |id: String, head: &Head, object: Node<'_>| {
        let annotation = |key: &str| {
            let key = format!("policies.kyverno.io/{key}");
            object.str_at(&["metadata", "annotations", &key]).unwrap_or_default().to_owned()
        };
        if wanted.contains(id.as_str()) {
            let title = annotation("title");
            out.entry(id).or_insert_with(|| Rule {
                title: if title.is_empty() { head.name.clone() } else { title },
                description: annotation("description"),
                url: String::new(),
                tags: head.category.iter().cloned().collect(),
                path: head.file.path().to_string(),
            });
        }
    };
    for policy in &policies.classic {
        let rules = policy.rules.iter();
        rules.for_each(|rule| describe(format!("{}/{}", policy.head.key, rule.name), &policy.head, policy.object()));
    }
    policies.cel().for_each(|policy| describe(policy.head.key.clone(), &policy.head, policy.object()));
    out
}
