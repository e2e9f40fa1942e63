//! Policies and exceptions that nobody owns.

use serde::{Deserialize, Serialize};

use super::{
    Context, Out,
    codeowners::{Decided, Owner, PLACES},
    context::listed,
    who::touched,
};

rule! {
    /// Somebody owns each policy and each exception.
    ///
    /// ## Why
    /// A forge asks the owners in `CODEOWNERS` before a change is merged. A file that no line covers, or that somebody
    /// owns who has no say in exceptions, is merged with the approval of anybody.
    ///
    /// Looked for are `.github/CODEOWNERS`, `CODEOWNERS`, `docs/CODEOWNERS` and `.gitlab/CODEOWNERS`, in this order, on the
    /// side before the change. On GitHub the last line that matches counts; on GitLab that of each section, unless the
    /// section is optional.
    ///
    /// ## Fires
    /// ```yaml who
    /// owners: |
    ///   /apps/       @example/apps
    ///   /*.yaml      @example/everybody
    /// ```
    /// ```yaml before
    /// governance: { rules: { GOV001: { approverTeams: ["@example/platform"] } } }
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
    /// Nobody at all:
    /// ```yaml who
    /// owners: |
    ///   /apps/       @example/apps
    /// ```
    /// ```yaml before
    /// { apiVersion: v1, kind: Namespace, metadata: { name: delta } }
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
    /// owners: |
    ///   *            @example/everybody
    ///   /page.yaml   @example/platform
    /// ```
    /// ```yaml before
    /// governance: { rules: { GOV001: { approverTeams: ["@example/platform"] } } }
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
    /// Add a line for the path to `CODEOWNERS`, in a change of its own. Without that file, and without `approverTeams`,
    /// nothing is asked for.
    ///
    /// ## Options
    /// - `approverTeams`: who may own policies and exceptions, as `CODEOWNERS` writes them; empty for anybody.
    GOV001, "owners", Error, check, Options
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    approver_teams: Vec<String>,
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let Some(who) = context.change.as_ref().and_then(|it| it.who) else { return };
    if who.owners.is_none() && options.approver_teams.is_empty() {
        return;
    }
    let may_approve = |owner: &Owner| options.approver_teams.iter().any(|it| owner.is(it));
    for file in touched(context) {
        let decided = who.owners.as_ref().map(|it| it.of(file.path)).unwrap_or_default();
        let asked: Vec<&Decided<'_>> = decided.iter().filter(|it| !it.optional && !it.owners.is_empty()).collect();
        // Each of the owners of a line can agree alone, so that all of them must be the right ones; each section has
        // to agree, so that one of them is enough.
        let is_fine = |it: &&Decided<'_>| options.approver_teams.is_empty() || it.owners.iter().all(may_approve);
        if asked.iter().any(is_fine) {
            continue;
        }
        let (message, note) = match (&who.owners, asked.last()) {
            (None, _) => ("nobody owns this: there is no CODEOWNERS".to_owned(), format!("looked for {}", listed(PLACES))),
            (Some(owners), None) => {
                let why = match decided.last() {
                    Some(it) => format!("line {} names nobody who has to agree", it.line),
                    None => "no line matches".to_owned(),
                };
                (format!("nobody owns this: in {} {why}", owners.path), format!("the path is {}", file.path))
            }
            (Some(owners), Some(it)) => {
                let names: Vec<String> = it.owners.iter().map(ToString::to_string).collect();
                let names = listed(names.iter().map(String::as_str));
                let teams = listed(options.approver_teams.iter().map(String::as_str));
                (format!("{names} can agree to this by line {} of {}", it.line, owners.path), format!("only {teams} may"))
            }
        };
        let finding = out.finding_at(file.place.clone(), message).note(note);
        out.add_for(&file.key, finding.help("give the path an owner in CODEOWNERS, in a change of its own"));
    }
}
