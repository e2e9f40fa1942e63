//! `ImageValidatingPolicy` and its namespaced form, as far as no registry is needed.
//!
//! In: a form of a policy and a request. Out: one outcome, or nothing for a request that the policy is not about. What only
//! the registry of an image knows is indeterminate and names the image; a digest that is missing, or a validation that
//! fails without asking any registry, is a failure for certain.

use super::{
    EVALUATION, EXCEPTION, Judging, Outcome, Status, Verdict,
    body::{self, Gate},
    equivalent::{About, unclear, unconverted},
    exceptions::{self, Exemption, Waivers},
    names::{Failure, Names, Sight},
    validating::validations,
};
use crate::{
    document::{Kind, Node},
    engine::{Evidence, images::pod_spec_path},
    expr::{
        Value,
        cel::{self, Root},
    },
    k8s::image_ref,
    policy::cel::{FailurePolicy, Images, Mode, Reference, exception::Report},
};

/// The lists of containers of a Pod.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Images by the name of the list in which they stand.
type Found<'v> = Vec<(&'v str, Vec<&'v str>)>;

pub(super) fn judge<'v>(judging: &Judging<'v, '_>) -> Option<Outcome<'v>> {
    let of_whole = |verdict| Some(judging.outcome(&judging.policy.head.name, verdict, judging.policy.action));
    match judging.applies() {
        About::No => None,
        About::Yes(reach, None) => Some(judging.as_far_as(reach, matched(judging)?)),
        About::Yes(_, Some(version)) => of_whole(unconverted(version)),
        About::Unclear(what, at) => of_whole(unclear(what, at)),
    }
}

/// What the policy says of a request that it is about; nothing where its conditions don't hold.
fn matched<'v>(judging: &Judging<'v, '_>) -> Option<Outcome<'v>> {
    let images = judging.form.body.images.as_deref()?;
    let outcome = |rule, verdict| judging.outcome(rule, verdict, judging.policy.action);
    let failed = |failure: &Failure| {
        Some(outcome(EVALUATION, failure.verdict(|text| format!("failed to evaluate policy: {text}"))))
    };
    let is_payload = judging.policy.mode == Mode::Json;
    let sight = if is_payload { Sight::Payload } else { Sight::Policy };
    let body = &judging.form.body;
    let home = &judging.policy.head.namespace;
    let mut names = Names::new(judging.session, home, sight, &body.variables, body.reads);
    name(images, &mut names, judging);
    match body::gate(&names, &body.conditions, |_, error| error.to_owned()) {
        Gate::Open => {}
        Gate::Closed => return None,
        Gate::Broken(Failure::Error(_)) if judging.policy.failure == FailurePolicy::Ignore => return None,
        Gate::Broken(failure) => return failed(&failure),
    }
    // Kyverno: exceptions reach the policy as it is written, and not its forms for Pod controllers.
    let waivers = if judging.form.flavor.is_none() { exceptions::find(judging) } else { Ok(Waivers::NONE) };
    let (exemption, withheld) = match waivers {
        Ok(Waivers { exemption, withheld }) => (exemption, withheld),
        Err(failure) => return failed(&failure),
    };
    // Whatever an exception lists, it waives the policy as a whole.
    let (exceptions, report) = match exemption {
        Exemption::None => {
            let (rule, verdict) = verdict(judging, images, &mut names);
            let withheld = if verdict.status == Status::Fail { withheld } else { Vec::new() };
            return Some(Outcome { withheld, ..outcome(rule, verdict) });
        }
        Exemption::Whole { exceptions, report } => (exceptions, report),
        Exemption::Partial(exceptions) => (exceptions, Report::Skip),
    };
    let told = exceptions::told(&exceptions, report);
    let without = (!judging.is_command_line()).then(|| verdict(judging, images, &mut names).1);
    let waived = without.as_ref().map(|it| it.status);
    let evidence = without.map(|it| it.evidence).unwrap_or_default();
    Some(Outcome { exceptions, waived, ..outcome(EXCEPTION, Verdict { evidence, ..told }) })
}

/// Says what the names of attestors and attestations stand for.
fn name<'v>(images: &'v Images, names: &mut Names<'v>, judging: &Judging<'v, '_>) {
    let arena = judging.session.arena;
    let named = |list: &mut dyn Iterator<Item = &'v String>| {
        let entries = list.map(|name| (cel::Value::String(name), cel::Value::String(name)));
        cel::Value::Map(cel::Map::Entries(arena.alloc_slice_fill_iter(entries.collect::<Vec<_>>())))
    };
    names.host().set_signers(&images.attestors);
    names.set(Root::Images, cel::Value::Map(cel::Map::Entries(&[])));
    names.set(Root::Attestors, named(&mut images.attestors.iter().map(|it| &it.name)));
    names.set(Root::Attestations, named(&mut images.attestations.iter()));
}

/// What the policy itself says, and the rule of the row.
fn verdict<'v>(judging: &Judging<'v, '_>, images: &'v Images, names: &mut Names<'v>) -> (&'v str, Verdict) {
    let failed = |failure: Failure| (EVALUATION, failure.verdict(|text| format!("failed to evaluate policy: {text}")));
    let found = match selected(judging, images, names) {
        Ok(found) => found,
        Err(failure) => return failed(failure),
    };
    let arena = judging.session.arena;
    let lists = found.iter().map(|(list, of_list)| {
        let items = of_list.iter().map(|image| cel::Value::String(image));
        let items = arena.alloc_slice_fill_iter(items.collect::<Vec<_>>());
        (cel::Value::String(list), cel::Value::List(cel::List::Items(items)))
    });
    let lists = arena.alloc_slice_fill_iter(lists.collect::<Vec<_>>());
    names.set(Root::Images, cel::Value::Map(cel::Map::Entries(lists)));
    let of_policy = judging.policy.head.name.as_str();
    let each = || found.iter().flat_map(|(_, list)| list).copied();
    let at = |image: &str, verdict: Verdict| {
        let object = judging.session.request.resource();
        let value = object.and_then(|it| written_as(it, image)).map(Node::span);
        let clause = Some(judging.form.constraints.span);
        Verdict { evidence: Evidence { value, clause, ..Evidence::default() }, ..verdict }
    };
    for image in each() {
        let has_digest = match image_ref::parse(image) {
            Ok(parsed) => !parsed.digest.is_empty(),
            Err(error) => {
                let text = format!("failed to evaluate policy: could not parse reference: {image}: {error}");
                return (EVALUATION, at(image, Verdict::new(Status::Error, text)));
            }
        };
        // In a cluster the tag would have been replaced before.
        let is_replaced = images.mutates_digest && !judging.is_command_line();
        if images.needs_digest && !has_digest && !is_replaced {
            let text = format!("image {image} does not have a digest");
            return (of_policy, at(image, Verdict::new(Status::Fail, text)));
        }
    }
    let store = judging.session.cluster.store();
    let is_there = |image: &str| {
        let reference = image_ref::parse(image).map(|it| it.reference()).unwrap_or_default();
        store.is_some_and(|store| store.digest_of(&reference).is_some())
    };
    let unknown = each().find(|image| !is_there(image)).map(|image| {
        let what = if images.required { "must be verified" } else { "must be there" };
        let text = format!("image {image} {what}: only its registry knows whether it is");
        at(image, Verdict::new(Status::Indeterminate, text))
    });
    let mut verdict = match unknown {
        // Kyverno: its command line asks the registries before anything else.
        Some(unknown) if judging.is_command_line() => return (EVALUATION, unknown),
        unknown => {
            let said = validations(names, judging, |text| format!("failed to evaluate policy: {text}"));
            match unknown {
                Some(unknown) if said.status == Status::Pass => return (of_policy, unknown),
                _ => said,
            }
        }
    };
    if verdict.status == Status::Pass
        && images.required
        && let Some(image) = each().find(|image| !names.host().is_verified(image))
    {
        let text = format!("image {image} is not verified: no policy performed a signature or attestation check on it");
        // Another policy may verify it.
        let is_alone = judging.session.world.policies.verifying.len() == 1;
        let status = if is_alone { Status::Fail } else { Status::Indeterminate };
        return (of_policy, at(image, Verdict::new(status, text)));
    }
    match body::annotations(names, &judging.form.body.annotations) {
        Ok(annotations) => verdict.properties.extend(annotations),
        Err(failure) => return failed(failure),
    }
    let rule = if verdict.status == Status::Error { EVALUATION } else { of_policy };
    (rule, verdict)
}

/// The images that the policy is about.
fn selected<'v>(judging: &Judging<'v, '_>, images: &'v Images, names: &mut Names<'v>) -> Result<Found<'v>, Failure> {
    let mut found: Found<'v> = Vec::new();
    if judging.policy.mode != Mode::Json {
        found = of_pod(judging.session.request.resource());
    }
    for extractor in &images.extractors {
        let Value::List(list) = names.plain(&extractor.expression)? else {
            return Err(Failure::Error(format!("images.{}: the expression gives no list of images", extractor.name)));
        };
        let of_list = list.iter().map(|item| match item {
            Value::String(image) => Ok(image),
            _ => Err(Failure::Error(format!("images.{}: an image is a text", extractor.name))),
        });
        let of_list = of_list.collect::<Result<Vec<_>, _>>()?;
        found.retain(|(list, _)| *list != extractor.name);
        found.push((&extractor.name, of_list));
    }
    if !images.references.is_empty() {
        for (_, list) in &mut found {
            let mut kept = Vec::with_capacity(list.len());
            for image in list.iter() {
                if is_meant(images, image, names)? {
                    kept.push(*image);
                }
            }
            *list = kept;
        }
    }
    Ok(found)
}

/// Whether `matchImageReferences` names an image.
fn is_meant<'v>(images: &'v Images, image: &'v str, names: &mut Names<'v>) -> Result<bool, Failure> {
    for reference in &images.references {
        let holds = match reference {
            Reference::Glob(glob) => glob.matches(image),
            Reference::Expression(expression) => {
                names.set(Root::Reference, cel::Value::String(image));
                names.truth(expression)?
            }
        };
        if holds {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The images of a Pod, or of what makes Pods.
fn of_pod(object: Option<Node<'_>>) -> Found<'_> {
    let spec = object.and_then(|it| it.at(pod_spec_path(it.str_at(&["kind"])?)?));
    let images = |list| {
        let containers = spec.and_then(|it| it.get(list)).into_iter().flat_map(Node::items);
        containers.filter_map(|it| it.str_at(&["image"])).filter(|image| !image.is_empty()).collect()
    };
    LISTS.map(|list| (list, images(list))).into()
}

/// Where an image stands in an object.
fn written_as<'v>(node: Node<'v>, image: &str) -> Option<Node<'v>> {
    match node.kind() {
        Kind::String(text) => (text == image).then_some(node),
        Kind::List => node.items().find_map(|item| written_as(item, image)),
        Kind::Map => node.entries().find_map(|(_, value)| written_as(value, image)),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => None,
    }
}
