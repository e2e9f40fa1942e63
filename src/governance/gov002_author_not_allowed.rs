//! Changes by people who may not make them.

use globset::Glob;
use serde::{Deserialize, Serialize};

use super::{
    Context, Out,
    context::listed,
    who::{Authorship, Teams, Touched, address, named, touched, touched_guards},
};
use crate::source::signature::Signature;

rule! {
    /// Policies and exceptions are changed by those who may.
    ///
    /// ## Why
    /// In a cluster RBAC says who may create a `PolicyException`. With GitOps whoever can push can, unless the paths of
    /// exceptions have a list of their own.
    ///
    /// Who pushes counts only where the server says so, and where the hook was told which server it is (`--server`). What
    /// stands in a commit as author and committer anybody can write: that they are on the list is an additional
    /// condition, no proof. A signature is one, with the keys of GOV004.
    ///
    /// ## Fires
    /// ```yaml who
    /// pusher: carl
    /// commits: [{ author: ann@example.com, committer: ann@example.com }]
    /// ```
    /// ```yaml before
    /// governance:
    ///   rules:
    ///     GOV002:
    ///       authors: [{ path: "*.yaml", identities: ["team:platform", bot@example.com] }]
    ///       teams: { platform: [ann, ann@example.com] }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml who
    /// pusher: ann
    /// commits: [{ author: bot@example.com, committer: ann@example.com }]
    /// ```
    /// ```yaml before
    /// governance:
    ///   rules:
    ///     GOV002:
    ///       authors: [{ path: "*.yaml", identities: ["team:platform", bot@example.com] }]
    ///       teams: { platform: [ann, ann@example.com] }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Have somebody push it who may, or add the identity to the list, in a change of its own.
    ///
    /// ## Options
    /// - `authors`: for each `path`, a glob, the `identities` that may change policies and exceptions there, and what says
    ///   how changes are judged: `admit.yaml`, `.admitignore`, `CODEOWNERS`, the keys of GOV004. They are names on the server, addresses of authors and committers, `team:NAME`. Where several globs match, each of the lists will do; where
    ///   none does, anybody may.
    /// - `teams`: names and addresses by the name of a team.
    /// - `who`: whose identity must be on the list: `pusher`, `author`, `committer`, `signer`. A pusher whom no server
    ///   names is passed over, unless nobody else is asked for.
    GOV002, "author-not-allowed", Error, check, Options
}

/// The options; an allow list is what makes the rule ask.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Options {
    pub(super) authors: Vec<Allowed>,
    teams: Teams,
    pub(super) who: Vec<Asked>,
}

/// Who may change what.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Allowed {
    path: Glob,
    identities: Vec<String>,
}

/// Whose identity counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Asked {
    Pusher,
    Author,
    Committer,
    Signer,
}

impl Default for Options {
    fn default() -> Self {
        Self { authors: Vec::new(), teams: Teams::default(), who: vec![Asked::Pusher, Asked::Author, Asked::Committer] }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let Some(who) = context.change.as_ref().and_then(|it| it.who) else { return };
    for file in touched(context).into_iter().chain(touched_guards(context)) {
        let lists = options.authors.iter().filter(|it| it.path.compile_matcher().is_match(file.path));
        let words: Vec<String> = lists.flat_map(|it| it.identities.iter().cloned()).collect();
        let is_listed = options.authors.iter().any(|it| it.path.compile_matcher().is_match(file.path));
        if !is_listed {
            continue;
        }
        for message in problems(&options, &words, who, &file) {
            let finding = out.finding_at(file.place.clone(), message);
            let may = listed(words.iter().map(String::as_str));
            out.add_for(&file.key, finding.note(format!("here {may} may")).help("have somebody make the change who may"));
        }
    }
}

/// Everybody who touched a file and may not, in words.
fn problems(options: &Options, words: &[String], who: &Authorship, file: &Touched<'_>) -> Vec<String> {
    let may = |names: &[&str]| options.teams.include(words, names);
    let mut out = Vec::new();
    if options.who.contains(&Asked::Pusher) {
        match &who.pusher {
            Some(it) if may(&[&it.name, it.email.as_deref().unwrap_or_default()]) => {}
            Some(it) => out.push(format!("`{}`, who pushes this, may not change it", it.name)),
            None if options.who.len() > 1 => {}
            None => out.push("nobody says who pushes this: tell the hook with --server".to_owned()),
        }
    }
    let others: Vec<Asked> = options.who.iter().copied().filter(|it| *it != Asked::Pusher).collect();
    if others.is_empty() {
        return out;
    }
    let commits = match &who.commits {
        Ok(commits) => commits,
        Err(error) => {
            out.push(format!("who made this can't be told: {error}"));
            return out;
        }
    };
    let mut found = false;
    for (n, commit) in commits.iter().enumerate().filter(|(_, it)| it.paths.iter().any(|path| path == file.path)) {
        found = true;
        for asked in &others {
            let (email, role) = match asked {
                Asked::Author => (commit.author.email.as_str(), "author"),
                Asked::Committer => (commit.committer.email.as_str(), "committer"),
                Asked::Signer => match who.signatures.as_ref().map(|it| it.get(n)) {
                    Ok(Some(Signature::Good { signer })) => (address(signer), "signer"),
                    _ => ("", "signer"),
                },
                Asked::Pusher => continue,
            };
            if !may(&[email]) {
                let name = if email.is_empty() { "nobody who is known".to_owned() } else { format!("`{email}`") };
                out.push(format!("{name} may not change this, but is {role} of commit {}", named(commit)));
            }
        }
    }
    // An older state that comes back, or a path that no commit names: nobody answers for it.
    let is_answered = options.who.contains(&Asked::Pusher) && who.pusher.is_some();
    if !found && !is_answered {
        out.push("no commit of the change touches this: nobody answers for it".to_owned());
    }
    out
}
