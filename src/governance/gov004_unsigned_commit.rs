//! Commits without a signature that counts.

use serde::{Deserialize, Serialize};

use super::{
    Context, Out,
    who::{named, touched, touched_guards},
};
use crate::source::signature::Signature;

rule! {
    /// Commits that touch policies or exceptions are signed.
    ///
    /// ## Why
    /// The author of a commit is whoever the commit says. A signature by a key from a list is the one thing in it that
    /// somebody else can't make. The list is that of the side before the change, so that nobody adds their own key.
    ///
    /// The same is asked of `admit.yaml`, `.admitignore`, `CODEOWNERS` and the keys themselves: whoever changes them changes
    /// how changes are judged.
    ///
    /// `git verify-commit` does the work, with `ssh-keygen` for SSH and `gpg` for GPG; a signature whose program is not
    /// installed doesn't count. A merge counts only for what it changes itself.
    ///
    /// ## Fires
    /// ```yaml who
    /// commits: [{ author: ann@example.com, signature: none }]
    /// ```
    /// ```yaml before
    /// governance: { rules: { GOV004: { severity: error, allowedSigners: .admit/allowed_signers } } }
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
    /// commits: [{ author: ann@example.com, signature: ann@example.com }]
    /// ```
    /// ```yaml before
    /// governance: { rules: { GOV004: { severity: error, allowedSigners: .admit/allowed_signers } } }
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
    /// Sign the commit: `git commit --amend -S`, with a key from the list. To add a key, change the list in a change of its
    /// own.
    ///
    /// ## Options
    /// - `allowedSigners`: path of a file in the repository with a line for each SSH key: `ann@example.com ssh-ed25519 AAAA…`,
    ///   as for `ssh-keygen`.
    /// - `gpgKeys`: paths of files in the repository with public keys of GPG.
    GOV004, "unsigned-commit", Off, check, Options
}

/// The options: where keys are.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Options {
    pub(super) allowed_signers: String,
    pub(super) gpg_keys: Vec<String>,
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(who) = context.change.as_ref().and_then(|it| it.who) else { return };
    for file in touched(context).into_iter().chain(touched_guards(context)) {
        let mut messages = Vec::new();
        match (&who.commits, &who.signatures) {
            (Err(error), _) | (_, Err(error)) => messages.push(format!("who signed this can't be told: {error}")),
            (Ok(commits), Ok(signatures)) => {
                let touches = commits.iter().zip(signatures).filter(|(it, _)| it.paths.iter().any(|path| path == file.path));
                let mut found = false;
                for (commit, signature) in touches {
                    found = true;
                    match signature {
                        Signature::Good { .. } => {}
                        Signature::Missing => messages.push(format!("commit {} is not signed", named(commit))),
                        Signature::Bad(why) => {
                            messages.push(format!("the signature of commit {} does not count: {why}", named(commit)));
                        }
                    }
                }
                if !found {
                    messages.push("no commit of the change touches this: nobody signed it".to_owned());
                }
            }
        }
        for message in messages {
            let finding = out.finding_at(file.place.clone(), message);
            out.add_for(&file.key, finding.help("sign the commit with a key from the list: git commit --amend -S"));
        }
    }
}
