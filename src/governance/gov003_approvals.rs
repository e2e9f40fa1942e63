//! Changes that too few people agreed to.

use serde::{Deserialize, Serialize};

use super::{
    Context, Out,
    who::{Teams, touched, trailers},
};

rule! {
    /// Enough people agreed to a change of policies and exceptions.
    ///
    /// ## Why
    /// Whoever writes an exception is not the one to grant it. A forge can demand approvals; where a push is all there is,
    /// the commits say who agreed: in the last lines of their messages, as `git` and the merge templates of forges write
    /// them (`Reviewed-by: Ann <ann@example.com>`).
    ///
    /// Anybody can write such a line. It is a record and a reminder; what proves who agreed is the forge.
    ///
    /// ## Fires
    /// ```yaml who
    /// commits: [{ author: ann@example.com, message: "tool: waive host-ns\n\nReviewed-by: Ann <ann@example.com>" }]
    /// ```
    /// ```yaml before
    /// governance: { rules: { GOV003: { min: 1 } } }
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
    /// commits: [{ author: ann@example.com, message: "tool: waive host-ns\n\nReviewed-by: Bob <bob@example.com>" }]
    /// ```
    /// ```yaml before
    /// governance:
    ///   rules:
    ///     GOV003: { min: 1, approvers: ["team:security"], teams: { security: [bob@example.com] } }
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
    /// Have somebody else look at it, and say so in the message of the commit or of the merge.
    ///
    /// ## Options
    /// - `min`: how many people have to agree; 0 asks for nobody.
    /// - `minEnforce`: the same where a policy that refuses is concerned; counts if it is more.
    /// - `approvers`: whose approval counts: addresses and `team:NAME`; empty for anybody.
    /// - `teams`: addresses by the name of a team.
    /// - `trailers`: the words before the colon.
    GOV003, "approvals", Error, check, Options
}

/// The options; nothing is asked for by default.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Options {
    pub(super) min: usize,
    pub(super) min_enforce: usize,
    approvers: Vec<String>,
    teams: Teams,
    trailers: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min: 0,
            min_enforce: 0,
            approvers: Vec::new(),
            teams: Teams::default(),
            trailers: vec!["Approved-by".to_owned(), "Reviewed-by".to_owned()],
        }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let Some(who) = context.change.as_ref().and_then(|it| it.who) else { return };
    for file in touched(context) {
        let wanted = if file.enforces { options.min.max(options.min_enforce) } else { options.min };
        if wanted == 0 {
            continue;
        }
        let (messages, commits) = match (&who.messages, &who.commits) {
            (Ok(messages), Ok(commits)) => (messages, commits),
            (Err(error), _) | (_, Err(error)) => {
                let message = format!("who agreed to this can't be told: {error}");
                let finding = out.finding_at(file.place.clone(), message);
                out.add_for(&file.key, finding);
                continue;
            }
        };
        let makers: Vec<&str> = commits
            .iter()
            .filter(|it| it.paths.iter().any(|path| path == file.path))
            .flat_map(|it| [it.author.email.as_str(), it.committer.email.as_str()])
            .collect();
        let counts = |email: &str| {
            let is_maker = makers.iter().any(|it| it.eq_ignore_ascii_case(email));
            !email.is_empty()
                && !is_maker
                && (options.approvers.is_empty() || options.teams.include(&options.approvers, &[email]))
        };
        let all = trailers(messages, &options.trailers);
        let n = all.iter().filter(|it| counts(&it.email)).count();
        if n >= wanted {
            continue;
        }
        let own = all.iter().filter(|it| makers.iter().any(|maker| maker.eq_ignore_ascii_case(&it.email))).count();
        let people = |n: usize| if n == 1 { "1 person".to_owned() } else { format!("{n} people") };
        let message = format!("{} agreed to this, {wanted} must", people(n));
        let mut finding = out.finding_at(file.place.clone(), message);
        if own > 0 {
            finding = finding.note("whoever wrote it does not count");
        }
        let trailer = options.trailers.first().map_or("Approved-by", String::as_str);
        let help = format!("have it looked at, and add `{trailer}: NAME <ADDRESS>` to the message");
        out.add_for(&file.key, finding.help(help));
    }
}
