//! Narrow exceptions for what fails.
//!
//! In: findings, the law that they come from, and what people say of the exceptions. Out: an exception for each policy and
//! object, which names both exactly, and what can't be excepted. What people don't say is left blank, in a form that other
//! rules refuse until it is filled in. Whether an exception does what it should is for whoever judges by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    Context, Rules, exc010_namespace as namespace,
    exc017_podsecurity_misuse::is_standard,
    exc022_children::{judged_children, kinds_of_children},
    exc027_expiry_required as end, exc029_metadata as metadata_rule, expiry,
    metadata::{self, blank},
};
use crate::{
    config::governance::Level,
    document::{Node, classify::is_law},
    finding::{Finding, ResourceRef, Source, Verdict, resource_ref},
    k8s::wildcard,
    policy::{
        cel,
        classic::{Policy, Rule},
        draft::{self},
        draft::{
            Cel, Classic, Condition, Control, Draft, Filter, Match, Metadata, PolicyRef, Resources, Spec, controls,
        },
    },
};

/// The prefix of keys that nobody chose.
const PREFIX: &str = "exceptions.policy/";

/// Longest name of an object in a cluster.
const MAX_NAME: usize = 253;

/// What people say of the exceptions to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// What is said for a key, such as `owner` or `example.com/ticket`.
    pub said: Vec<(String, String)>,
    /// The day on which they end.
    pub end: Option<Date>,
    /// The namespace that they are to live in.
    pub namespace: Option<String>,
    /// Whether they are for controllers alone, not for what these create.
    pub without_children: bool,
}

/// An exception that was made.
#[derive(Debug)]
pub(crate) struct Generated {
    /// The exception.
    pub draft: Draft,
    /// Positions of the findings that it is for.
    pub findings: Vec<usize>,
    /// What it covers beside them, though nothing of it is in the tree; empty for nothing.
    pub beyond: String,
    /// The keys that somebody has to fill in.
    pub blanks: Vec<String>,
}

/// What was made of findings.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The exceptions, in the order of the findings.
    pub generated: Vec<Generated>,
    /// Findings that no exception can cover, by position, each with why.
    pub impossible: Vec<(usize, String)>,
}

/// The day of a text: a date, or a duration from now.
pub(crate) fn end(text: &str, now: Timestamp) -> Option<Date> {
    if let Ok(date) = text.parse::<Date>() {
        return Some(date);
    }
    let end = now.checked_add(expiry::parse_duration(text)?).ok()?;
    Some(TimeZone::UTC.to_datetime(end).date())
}

/// Makes exceptions for findings.
pub(crate) fn generate(context: &Context<'_>, rules: &Rules, findings: &[&Finding], wishes: &Wishes) -> Outcome {
    let mut out = Outcome::default();
    let mut groups: Vec<(Subject<'_>, Vec<usize>)> = Vec::new();
    for (position, finding) in findings.iter().enumerate() {
        match subject(context, rules, finding) {
            Err(why) => out.impossible.push((position, why)),
            Ok(subject) => match groups.iter_mut().find(|(it, _)| it.joins(&subject)) {
                Some((known, positions)) => {
                    known.take(subject);
                    positions.push(position);
                }
                None => groups.push((subject, vec![position])),
            },
        }
    }
    let objects = objects(context, groups.iter().map(|(subject, _)| subject.resource));
    let mut names: BTreeSet<String> = context.exceptions.iter().map(|it| it.key.clone()).collect();
    for (subject, findings) in groups {
        let Some(home) = home(rules, &subject, wishes) else {
            let why = "no namespace for exceptions is named without wildcards: say --namespace".to_owned();
            out.impossible.extend(findings.into_iter().map(|it| (it, why.clone())));
            continue;
        };
        let mut metadata =
            Metadata { name: unused_name(&subject, &home, &mut names), namespace: home, ..Metadata::default() };
        let object = objects.get(subject.resource).copied();
        let (mut spec, beyond) = match &subject.by {
            By::Classic { policy, rules, controls } => {
                let (spec, beyond) = classic(context, &subject, policy, rules, controls, object, wishes);
                (Spec::Classic(spec), beyond)
            }
            By::Cel(policy) => {
                let (spec, beyond) = in_cel(&subject, policy, object, wishes);
                (Spec::Cel(spec), beyond)
            }
        };
        let blanks = say(rules, wishes, &mut metadata, &mut spec);
        let mut draft = Draft::new(metadata, spec);
        draft.comments = comments(&subject, &beyond, &blanks);
        out.generated.push(Generated { draft, findings, beyond, blanks });
    }
    out
}

/// What one exception is for.
struct Subject<'s> {
    resource: &'s ResourceRef,
    by: By<'s>,
}

/// What refuses it.
enum By<'s> {
    /// Rules of a policy; those of pod security only by controls, and one by one: the controls of an exception count for
    /// all its rules.
    Classic { policy: &'s Policy, rules: Vec<&'s Rule>, controls: Vec<Control> },
    /// A policy written in CEL.
    Cel(&'s cel::Policy),
}

impl<'s> Subject<'s> {
    fn joins(&self, other: &Self) -> bool {
        self.resource == other.resource
            && match (&self.by, &other.by) {
                (By::Classic { policy, controls, rules }, By::Classic { policy: p, controls: c, rules: r }) => {
                    let is_same_rule = rules.iter().zip(r).all(|(a, b)| std::ptr::eq(*a, *b));
                    std::ptr::eq(*policy, *p)
                        && ((controls.is_empty() && c.is_empty()) || (controls == c && is_same_rule))
                }
                (By::Cel(policy), By::Cel(other)) => std::ptr::eq(*policy, *other),
                _ => false,
            }
    }

    fn take(&mut self, other: Self) {
        if let (By::Classic { rules, .. }, By::Classic { rules: more, .. }) = (&mut self.by, other.by) {
            let new: Vec<&'s Rule> =
                more.into_iter().filter(|it| !rules.iter().any(|r| std::ptr::eq(*r, *it))).collect();
            rules.extend(new);
        }
    }

    fn policy(&self) -> &crate::policy::Head {
        match &self.by {
            By::Classic { policy, .. } => &policy.head,
            By::Cel(policy) => &policy.head,
        }
    }
}

/// What a finding is about, or why no exception covers it.
fn subject<'s>(context: &Context<'s>, rules: &Rules, finding: &'s Finding) -> Result<Subject<'s>, String> {
    let Some(verdict) = &finding.verdict else {
        return Err("it is no verdict of a policy, and exceptions are for nothing else".to_owned());
    };
    let resource = &verdict.resource;
    if resource.name.is_empty() {
        return Err("the object has no name that an exception could give".to_owned());
    }
    if wildcard::is_wildcard(&resource.name) || wildcard::is_wildcard(&resource.namespace) {
        return Err("its name holds a wildcard: an exception for it would be one for others, too".to_owned());
    }
    let is_guarded =
        super::guards_law(rules) && context.objects.iter().any(|it| is_law(*it) && resource_ref(*it) == *resource);
    if is_guarded {
        return Err("no exception exempts exceptions or policies (EXC040)".to_owned());
    }
    let by = match verdict.source {
        Source::ValidatingAdmissionPolicy | Source::MutatingAdmissionPolicy => {
            return Err("the policy is one of Kubernetes itself, which knows no exceptions".to_owned());
        }
        Source::Kyverno => by_rule(context, verdict)?,
        Source::ValidatingPolicy
        | Source::MutatingPolicy
        | Source::ImageValidatingPolicy
        | Source::GeneratingPolicy => {
            let is_it = |it: &&cel::Policy| it.head.key == verdict.policy && Source::of(it.head.kind) == verdict.source;
            By::Cel(context.set.cel().find(is_it).ok_or_else(|| "its policy is not known".to_owned())?)
        }
    };
    Ok(Subject { resource, by })
}

fn by_rule<'s>(context: &Context<'s>, verdict: &Verdict) -> Result<By<'s>, String> {
    let policy = context.policy(&verdict.policy).ok_or("its policy is not known")?;
    let rule = policy.rules.iter().find(|it| it.name == verdict.rule).ok_or("its rule is not known")?;
    let mut out = Vec::new();
    if is_standard(rule) {
        let json = verdict.properties.iter().find(|(key, _)| key == "controlsJSON");
        out = json.map(|(_, json)| controls(json)).unwrap_or_default();
        if out.is_empty() || out.iter().any(|it| it.control_name.is_empty()) {
            return Err("it does not tell which controls an exception would have to name".to_owned());
        }
    }
    Ok(By::Classic { policy, rules: vec![rule], controls: out })
}

/// The objects that exceptions are for.
fn objects<'c, 's>(
    context: &Context<'c>,
    wanted: impl Iterator<Item = &'s ResourceRef>,
) -> HashMap<&'s ResourceRef, Node<'c>> {
    let mut out = HashMap::new();
    let wanted: HashMap<ResourceRef, &ResourceRef> = wanted.map(|it| (it.clone(), it)).collect();
    for object in &context.objects {
        if let Some(known) = wanted.get(&resource_ref(*object)) {
            out.insert(*known, *object);
        }
    }
    out
}

/// The namespace of an exception: as wished, or the first that EXC010 names, or that of the object if EXC010 lets it.
fn home(rules: &Rules, subject: &Subject<'_>, wishes: &Wishes) -> Option<String> {
    if let Some(wished) = &wishes.namespace {
        return Some(wished.clone());
    }
    let allowed = rules.options::<namespace::Options>(&namespace::EXC010).namespaces;
    if let Some(literal) = allowed.iter().find(|it| !wildcard::is_wildcard(it)) {
        return Some(literal.clone());
    }
    let of_object = subject.resource.namespace.as_str();
    let of_policy = subject.policy().namespace.as_str();
    let candidates = [of_object, of_policy, "default"].into_iter().filter(|it| !it.is_empty());
    let mut fitting = candidates.filter(|it| allowed.iter().any(|pattern| wildcard::matches(pattern, it)));
    fitting.next().map(str::to_owned)
}

/// A name for an exception that no other one has.
fn unused_name(subject: &Subject<'_>, home: &str, names: &mut BTreeSet<String>) -> String {
    let ResourceRef { kind, namespace, name, .. } = subject.resource;
    let parts = [&subject.policy().name, kind, namespace, name];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let whole = parts.join("-").to_lowercase();
    let mut stem: String = whole.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    stem.truncate(MAX_NAME - 4);
    let stem = stem.trim_matches(['-', '.']);
    let mut name = stem.to_owned();
    let mut n = 2;
    while !names.insert(format!("{home}/{name}")) {
        name = format!("{stem}-{n}");
        n += 1;
    }
    name
}

/// Names for what the cluster itself gives names to: `NAME*`.
fn made_name(resource: &ResourceRef, object: Option<Node<'_>>) -> Option<String> {
    let is_made = object.is_some_and(|it| it.str_at(&["metadata", "name"]).is_none_or(str::is_empty));
    is_made.then(|| format!("{}*", resource.name))
}

/// What an exception covers beside an object that the cluster gives its name.
fn others_of_the_name(resource: &ResourceRef, made: &str) -> String {
    format!("every {} `{made}`: the cluster makes its name", resource.kind)
}

fn classic(
    context: &Context<'_>,
    subject: &Subject<'_>,
    policy: &Policy,
    failing: &[&Rule],
    controls: &[Control],
    object: Option<Node<'_>>,
    wishes: &Wishes,
) -> (Classic, String) {
    let resource = subject.resource;
    let mut named: Vec<&str> = failing.iter().map(|it| it.name.as_str()).collect();
    let mut kinds: Vec<String> = Vec::new();
    // A declared rule for both is asked of the children as they are; only of a generated one it is certain that they fail.
    let generated = failing.iter().filter(|it| it.generated.is_some() && !wishes.without_children);
    for (rule, object) in generated.filter_map(|rule| Some((rule, object?))) {
        for (kind, judge) in judged_children(context, policy, rule, object) {
            if !kinds.iter().any(|it| it == kind) {
                kinds.push(kind.to_owned());
            }
            if !named.contains(&judge.name.as_str()) {
                named.push(&judge.name);
            }
        }
    }
    let namespaces: Vec<String> = Some(resource.namespace.clone()).filter(|it| !it.is_empty()).into_iter().collect();
    let filter = |kinds: Vec<String>, name: String| Filter {
        resources: Resources { kinds, names: vec![name], namespaces: namespaces.clone() },
    };
    let made = made_name(resource, object);
    let own = made.clone().unwrap_or_else(|| resource.name.clone());
    let mut any = vec![filter(vec![resource.kind.clone()], own)];
    let mut beyond = made.map(|name| others_of_the_name(resource, &name));
    if !kinds.is_empty() {
        let name = format!("{}-*", resource.name.trim_end_matches('-'));
        beyond = Some(format!("what it creates: each {} `{name}`", kinds.join(" and ")));
        any.push(filter(kinds, name));
    }
    let rule_names = named.into_iter().map(str::to_owned).collect();
    let spec = Classic {
        exceptions: vec![draft::Rules { policy_name: policy.head.key.clone(), rule_names }],
        r#match: Match { any, ..Match::default() },
        pod_security: controls.to_vec(),
    };
    (spec, beyond.unwrap_or_default())
}

fn in_cel(subject: &Subject<'_>, policy: &cel::Policy, object: Option<Node<'_>>, wishes: &Wishes) -> (Cel, String) {
    let resource = subject.resource;
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let is = |field: &str, value: &str| {
        format!("has(object.metadata.{field}) && object.metadata.{field} == {}", quoted(value))
    };
    let starts = |field: &str, value: &str| {
        format!("has(object.metadata.{field}) && object.metadata.{field}.startsWith({})", quoted(value))
    };
    // Of what is removed there is no object, and a condition that fails would be a failure of the policy.
    let mut place = "has(object.metadata)".to_owned();
    if !resource.namespace.is_empty() {
        place = format!("{place} && {}", is("namespace", &resource.namespace));
    }
    let made = made_name(resource, object);
    // The name that the cluster makes is nobody's to know; what it is made of stays with the object.
    let named = if made.is_some() { "generateName" } else { "name" };
    let itself = format!("object.kind == {} && {}", quoted(&resource.kind), is(named, &resource.name));
    let condition = |name: &str, expression: String| Condition { name: name.to_owned(), expression };
    let kinds: Vec<&str> = kinds_of_children(&resource.kind).collect();
    let is_generated = policy.forms.iter().any(|form| form.flavor.is_some());
    let (conditions, beyond) = if kinds.is_empty() || !is_generated || wishes.without_children {
        let beyond = made.map(|name| others_of_the_name(resource, &name)).unwrap_or_default();
        (vec![condition("only-it", format!("{place} && {itself}"))], beyond)
    } else {
        let name = format!("{}-", resource.name.trim_end_matches('-'));
        let listed = kinds.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(", ");
        let created =
            format!("object.kind in [{listed}] && ({} || {})", starts("name", &name), starts("generateName", &name));
        let both = format!("{place} && (({itself}) || ({created}))");
        let beyond = format!("what it creates: each {} `{name}*`", kinds.join(" and "));
        (vec![condition("only-it-and-what-it-creates", both)], beyond)
    };
    let reference = PolicyRef { name: policy.head.name.clone(), kind: policy.head.kind.to_owned() };
    (Cel { policy_refs: vec![reference], match_conditions: conditions, ..Cel::default() }, beyond)
}

/// Writes what people say, and blanks where somebody has to say more. Gives the keys that are blank.
fn say(rules: &Rules, wishes: &Wishes, metadata: &mut Metadata, spec: &mut Spec) -> Vec<String> {
    let mut blanks = Vec::new();
    let mut notes: BTreeMap<String, String> = BTreeMap::new();
    let is_cel = matches!(spec, Spec::Cel(_));
    let full = |key: &str| match key.strip_prefix("*/") {
        Some(key) if is_cel => key.to_owned(),
        Some(key) => format!("{PREFIX}{key}"),
        None => key.to_owned(),
    };
    let required = match rules.level(&metadata_rule::EXC029) {
        Level::Off => Vec::new(),
        _ => rules.options::<metadata_rule::Options>(&metadata_rule::EXC029).required,
    };
    for it in &required {
        let said = wishes.said.iter().find(|(key, _)| is_answered(&it.key, key));
        let value = said.map_or_else(|| blank(bare(&it.key)), |(_, value)| value.clone());
        let key = full(said.filter(|(key, _)| key.contains('/')).map_or(it.key.as_str(), |(key, _)| key.as_str()));
        if said.is_none() {
            blanks.push(key.clone());
        }
        notes.insert(key, value);
    }
    for (key, value) in &wishes.said {
        let is_required = required.iter().any(|it| is_answered(&it.key, key));
        if !is_required {
            let key = if key.contains('/') { key.clone() } else { full(&format!("*/{key}")) };
            notes.insert(key, value.clone());
        }
    }
    write_end(rules, wishes, metadata, spec, &mut blanks);
    match spec {
        Spec::Classic(_) => metadata.annotations.extend(notes),
        Spec::Cel(spec) => spec.properties.extend(notes),
    }
    blanks
}

/// A key without its prefix.
fn bare(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Whether a key that is asked for is the one that something is said for, which need not have a prefix.
fn is_answered(asked: &str, said: &str) -> bool {
    asked == said || metadata::matches(asked, said) || bare(asked) == said
}

/// Writes the end, where EXC027 looks for it first.
fn write_end(rules: &Rules, wishes: &Wishes, metadata: &mut Metadata, spec: &mut Spec, blanks: &mut Vec<String>) {
    if wishes.end.is_none() && rules.level(&end::EXC027) == Level::Off {
        return;
    }
    let keys = rules.options::<end::Options>(&end::EXC027).keys;
    let date = wishes.end.map_or_else(|| blank("date"), |date| date.to_string());
    if let (Spec::Cel(spec), true) = (&mut *spec, keys.iter().any(|it| it == "spec.expiresAt")) {
        spec.expires_at = if wishes.end.is_some() { format!("{date}T00:00:00Z") } else { date };
        if wishes.end.is_none() {
            blanks.push("spec.expiresAt".to_owned());
        }
        return;
    }
    let Some((map, key)) = keys.iter().find_map(|it| it.split_once(':')) else { return };
    let key = key.replace("*/", PREFIX);
    if wishes.end.is_none() {
        blanks.push(key.clone());
    }
    let map = if map == "label" { &mut metadata.labels } else { &mut metadata.annotations };
    map.insert(key, date);
}

fn comments(subject: &Subject<'_>, beyond: &str, blanks: &[String]) -> Vec<String> {
    // A name may hold what would end the comment.
    let safe = |text: String| text.replace(char::is_control, "?");
    let mut out = vec![safe(format!("For {}, by admit exceptions generate.", subject.resource.title()))];
    if !beyond.is_empty() {
        out.push(safe(format!("It also covers {beyond}.")));
    }
    if !blanks.is_empty() {
        out.push("What stands in <> waits to be filled in: until then it exempts nothing.".to_owned());
    }
    out
}
