//! Changes that relax the rules by which changes are judged.

use std::collections::BTreeSet;

use super::{Configs, Context, Out, RULES, codeowners::Codeowners, context::listed};
use crate::{
    config::{
        ExceptionLimits, Trust, When,
        governance::OnInvalid,
    },
    finding::Place,
    k8s::wildcard,
    span::Span,
};

rule! {
    /// A change doesn't relax the configuration in passing.
    ///
    /// ## Why
    /// A change is judged by the `admit.yaml` from before it; the next one by what this one leaves behind. Rules that are
    /// switched off or weigh less, paths that are left alone, rules that may be broken: each deserves a change of its own.
    /// Together with anything else it weighs as an error.
    ///
    /// `CODEOWNERS` is configuration, too: told is whose agreement to policies and exceptions is no longer needed, or is
    /// enough from now on.
    ///
    /// ## Fires
    /// ```yaml before
    /// governance:
    ///   rules:
    ///     EXC014: { severity: error }
    /// ```
    /// ```yaml after
    /// governance:
    ///   rules:
    ///     EXC014: { severity: info } # <-
    ///   allow:
    ///     - rule: EXC019 # <-
    ///       exception: delta/tool
    ///       reason: runs on every node
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml before
    /// governance:
    ///   rules:
    ///     EXC014: { severity: warning }
    /// ```
    /// ```yaml after
    /// governance:
    ///   rules:
    ///     EXC014: { severity: error }
    ///     EXC020: { severity: error }
    /// ```
    ///
    /// ## Fix
    /// Relax the configuration in a change of its own: alone it weighs as a warning, since otherwise nobody could ever do
    /// so. Who may is for GOV002 to say.
    GOV009, "config-weakened", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(change) = &context.change else { return };
    owners(context, out);
    let Some(configs) = &change.configs else { return };
    let is_alone = change.changed.len() < 2;
    let say = |out: &mut Out<'_>, key: &str, at: Span, message: String| {
        let finding = out.finding_at(place(configs, at), message);
        let finding = if is_alone { finding } else { out.raise(finding) };
        out.add_for(key, finding);
    };
    let (before, rules_before) = configs.before;
    let (after, rules_after) = configs.after;
    for rule in RULES {
        let (was, is) = (rules_before.level(rule), rules_after.level(rule));
        let written = after.governance.rules.iter().find(|it| it.id == rule.id);
        let at = written.map(|it| it.at).unwrap_or_default();
        if (is as u8) < was as u8 {
            let message = format!("{} was `{}` and is `{}`", rule.id, was.name(), is.name());
            say(out, rule.id, at, message);
            continue;
        }
        let options = |it: &crate::config::Settings| {
            it.governance.rules.iter().find(|it| it.id == rule.id).map(|it| it.options.clone()).unwrap_or_default()
        };
        if options(before) != options(after) {
            let message = format!("what {} asks for changes", rule.id);
            // Whether it asks for less only people can tell.
            let finding = out.finding_at(place(configs, at), message);
            out.add_for(rule.id, finding);
        }
    }
    for allow in &after.governance.allow {
        let same = |it: &crate::config::governance::Allow| {
            it.rule == allow.rule && it.exception == allow.exception && it.path == allow.path && it.until >= allow.until
        };
        if !before.governance.allow.iter().any(same) {
            let message = format!("{} may be broken: {}", allow.rule, allow.reason);
            say(out, &allow.rule, allow.rule_at, message);
        }
    }
    let added = |was: &[String], is: &[String]| is.iter().filter(|it| !was.contains(it)).cloned().collect::<Vec<_>>();
    let said = [
        ("exclude", "is left alone", added(&before.exclude, &after.exclude)),
        ("exceptions", "holds exceptions", if before.exceptions.is_empty() { Vec::new() } else { added(&before.exceptions, &after.exceptions) }),
        ("policies", "holds policies no longer", added(&after.policies, &before.policies)),
        ("policies", "is all that holds policies", if before.policies.is_empty() { after.policies.clone() } else { Vec::new() }),
        ("include", "is all that is judged", if before.include.is_empty() { after.include.clone() } else { Vec::new() }),
        ("render", "is rendered no longer", added(&before.render.exclude, &after.render.exclude)),
        ("render", "is rendered no longer", added(&after.render.roots, &before.render.roots)),
        ("include", "is judged no longer", if after.include.is_empty() { Vec::new() } else { added(&after.include, &before.include) }),
    ];
    for (key, what, globs) in said {
        for glob in globs {
            say(out, key, key_span(configs, key), format!("`{glob}` {what}"));
        }
    }
    if before.render.when != When::Never && after.render.when == When::Never {
        say(out, "render", key_span(configs, "render"), "nothing is rendered any more".to_owned());
    }
    if after.exceptions.is_empty() && !before.exceptions.is_empty() {
        say(out, "exceptions", Span::default(), "exceptions may be anywhere".to_owned());
    }
    let (was, is) = (&before.governance, &after.governance);
    if was.on_invalid == OnInvalid::Ignore && is.on_invalid == OnInvalid::Honour {
        say(out, "governance", key_span(configs, "governance"), "exceptions that break a rule exempt all the same".to_owned());
    }
    for message in loosened(&was.limits, &is.limits) {
        say(out, "exceptions", key_span(configs, "exceptions"), message);
    }
    if was.exceptions_from.is_loosened_by(is.exceptions_from) {
        let message = "exceptions that come with a change count in it";
        say(out, "governance", key_span(configs, "governance"), message.to_owned());
    }
    if format!("{:?}", before.user) != format!("{:?}", after.user) {
        say(out, "userinfo", key_span(configs, "userinfo"), "somebody else is taken to apply the manifests".to_owned());
    }
    if before.trust.is_loosened_by(after.trust) {
        let message = match after.trust {
            Trust::Head => "changes are judged by what they bring themselves",
            Trust::Base => "changes are judged by the policies before them only",
            Trust::Both => "changes are judged by policies of the repository",
            Trust::Operator => "changes are judged by no policy of the repository",
        };
        say(out, "trust", key_span(configs, "trust"), message.to_owned());
    }
    if (after.reach as u8) < before.reach as u8 {
        let message = "what fails through a change of policies weighs less";
        say(out, "reach", key_span(configs, "reach"), message.to_owned());
    }
    if before.guard.is_default() && !after.guard.is_default() {
        let message = "not every branch is guarded any more";
        say(out, "guard", key_span(configs, "guard"), message.to_owned());
    }
}

/// Where exceptions count that did not.
fn loosened(was: &ExceptionLimits, is: &ExceptionLimits) -> Vec<String> {
    let mut out = Vec::new();
    if !was.enabled && is.enabled {
        out.push("exceptions count, which were switched off".to_owned());
    }
    for namespace in is.namespaces.iter().filter(|it| !was.namespaces.iter().any(|known| wildcard::matches(known, it))) {
        out.push(format!("exceptions count in the namespace `{namespace}`"));
    }
    if is.directories.is_empty() && !was.directories.is_empty() {
        out.push("exceptions count in every file".to_owned());
    }
    if !was.directories.is_empty() {
        let new = is.directories.iter().filter(|it| !was.directories.contains(it));
        out.extend(new.map(|it| format!("exceptions count below `{it}`")));
    }
    out
}

/// Policies and exceptions whose owners change.
fn owners(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(who) = context.change.as_ref().and_then(|it| it.who) else { return };
    let exceptions = context.exceptions.iter().map(|it| it.node.file().path());
    let paths: BTreeSet<&str> =
        exceptions.chain(context.policies.iter().map(|it| it.node.file().path())).map(|it| &**it).collect();
    let decided = |owners: Option<&Codeowners>, path: &str| -> BTreeSet<String> {
        let all = owners.map(|it| it.of(path)).unwrap_or_default();
        all.iter().filter(|it| !it.optional).flat_map(|it| it.owners).map(ToString::to_string).collect()
    };
    let at = who.owners_after.as_ref().or(who.owners.as_ref()).map(|it| it.path.clone()).unwrap_or_default();
    for path in paths {
        let (was, is) = (decided(who.owners.as_ref(), path), decided(who.owners_after.as_ref(), path));
        let gone: Vec<&str> = was.difference(&is).map(String::as_str).collect();
        let new: Vec<&str> = is.difference(&was).map(String::as_str).collect();
        let message = match (was.is_empty(), is.is_empty()) {
            (true, _) => continue,
            (false, true) => format!("{path} is owned by nobody any more"),
            (false, false) if new.is_empty() => continue,
            (false, false) if gone.is_empty() => format!("{} may agree to {path}, too", listed(new)),
            (false, false) => format!("{} may agree to {path} instead of {}", listed(new), listed(gone)),
        };
        let finding = out.finding_at(Place::whole_file(at.as_str()), message);
        out.add_for("CODEOWNERS", finding.help("change the owners in a change of its own"));
    }
}

fn place(configs: &Configs<'_>, at: Span) -> Place {
    let at = if at == Span::default() { configs.file.line_span(1) } else { at };
    Place::new(configs.file, at)
}

/// Where a key at the top of the file stands.
fn key_span(configs: &Configs<'_>, key: &str) -> Span {
    let text = configs.file.text();
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let found = starts.into_iter().find(|at| text[*at..].strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    found.map_or(Span::default(), |at| Span::new(at as u32, (at + key.len()) as u32))
}
