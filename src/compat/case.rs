//! One test case: what a suite names is loaded, the policies are asked, and the answers are compared.
//!
//! In: a suite and where it stands. Out: comparisons, and what there is to say about the inputs.

use std::{path::Path, sync::Arc};

use super::{
    Notices, Weight,
    check::{self, Checked, Run, Wanted},
    cluster_resource,
    evaluation::{self, CloneSource, Inputs, Judged},
    load::{Loader, Object, PayloadForm, Policies},
    selector::Selector,
    suite::{Expectation, Suite},
    user_info,
    values::Values,
};
use crate::{engine::UserInfo, policy::Operation, span::File};

/// What came out of a test case.
#[derive(Debug, Default)]
pub(crate) struct Case {
    /// The comparisons, in the order of the suite.
    pub checked: Vec<Checked>,
    /// How many policies, resources and exceptions took part.
    pub counts: (usize, usize, usize),
}

/// How the suites of a run are looked at.
#[derive(Debug)]
pub(crate) struct Manner {
    /// Which expectations are looked at.
    pub selector: Selector,
    /// What Kyverno lets pass fails: names of rules and resources that nothing has, policies that can't be read.
    pub strict: bool,
    /// The time of the run in nanoseconds since 1970.
    pub now: i128,
}

/// Runs the suite of a file.
pub(crate) fn run(suite: &Suite, file: &Arc<File>, manner: &Manner, notices: &Notices) -> Case {
    let Manner { selector, strict, now } = manner;
    let results: Vec<Expectation> = suite.results.iter().filter_map(|it| selector.select(it)).collect();
    if results.is_empty() {
        return Case::default();
    }
    let base = Path::new(file.path().as_ref()).parent().unwrap_or_else(|| Path::new(""));
    let mut loader = Loader::new(base, notices);
    let values = values(suite, &mut loader, notices);
    let user = user(suite, &mut loader, notices);
    let mut policies = Policies::default();
    suite.policies.iter().for_each(|path| loader.policies(path, &mut policies));
    let n_policies = policies.set.heads().count();
    suite.exceptions.iter().for_each(|path| loader.exceptions(path, &mut policies));
    let resources: Vec<Object> = suite.resources.iter().flat_map(|path| loader.resources(path)).collect();
    let mut resources = unique(resources, notices);
    let payloads = [
        (&suite.payloads, PayloadForm::Json),
        (&suite.http_payloads, PayloadForm::Http),
        (&suite.envoy_payloads, PayloadForm::Envoy),
    ];
    for (paths, form) in payloads {
        resources.extend(paths.iter().flat_map(|path| loader.payloads(path, form)));
    }
    let targets: Vec<Object> = suite.targets.iter().flat_map(|path| loader.resources(path)).collect();
    let sources = clone_sources(&results, &mut loader);
    let cluster = cluster_resource::build(suite, &resources, &mut loader, notices);
    loader.define_kinds(&mut policies);
    let wanted = Wanted::load(suite, &mut loader);
    let inputs = Inputs {
        policies: &policies.set,
        targets: &targets,
        sources: &sources,
        cluster: &cluster,
        values: &values,
        user: user.as_ref(),
        operation: None,
        audit_warn: false,
        now: *now,
    };
    let mut runs: Vec<(Option<Operation>, Judged)> = Vec::new();
    let mut checked = Vec::new();
    for expected in &results {
        let position = runs.iter().position(|(operation, _)| *operation == expected.operation).unwrap_or_else(|| {
            let inputs = Inputs { operation: expected.operation, ..inputs };
            runs.push((expected.operation, evaluation::evaluate(inputs, &resources)));
            runs.len() - 1
        });
        let run = Run {
            file,
            policies: &policies.set,
            invalid: &policies.invalid,
            resources: &resources,
            targets: &targets,
            judged: &runs[position].1,
            wanted: &wanted,
            strict: *strict,
        };
        checked.extend(check::check(expected, run, notices));
    }
    Case { checked, counts: (n_policies, resources.len(), policies.set.exceptions.len()) }
}

fn values(suite: &Suite, loader: &mut Loader<'_>, notices: &Notices) -> Values {
    let values = match (&suite.values, &suite.values_file) {
        (Some(values), _) => values.clone(),
        (None, Some(path)) => {
            loader.documents(path).first().map(|it| Values::read(it.root(), notices)).unwrap_or_default()
        }
        (None, None) => Values::default(),
    };
    values.check(notices);
    values
}

fn user(suite: &Suite, loader: &mut Loader<'_>, notices: &Notices) -> Option<UserInfo> {
    let path = suite.user_info.as_ref()?;
    loader.documents(path).first().map(|it| user_info::read(it.root(), notices))
}

/// What rules may copy, by the rules that expectations name.
fn clone_sources(results: &[Expectation], loader: &mut Loader<'_>) -> Vec<CloneSource> {
    let mut out: Vec<CloneSource> = Vec::new();
    for expected in results {
        let Some(path) = &expected.clone_source else { continue };
        let policy = expected.policy.rsplit('/').next().unwrap_or_default().to_owned();
        if !out.iter().any(|it| it.policy == policy && it.rule == expected.rule) {
            out.push(CloneSource { policy, rule: expected.rule.clone(), objects: loader.resources(path) });
        }
    }
    out
}

/// The resources without those whose identity an earlier one has.
fn unique(resources: Vec<Object>, notices: &Notices) -> Vec<Object> {
    let mut known = std::collections::HashSet::new();
    let mut out = Vec::with_capacity(resources.len());
    for object in resources {
        let identity = object.identity();
        let title = identity.title();
        if known.insert(identity) {
            out.push(object);
        } else {
            let node = object.node();
            let text = format!("{title} is given twice; the first one counts");
            notices.at(Weight::Warning, node.file(), node.span(), text);
        }
    }
    out
}
