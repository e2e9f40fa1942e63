//! Who makes a change, as far as that is known, and what it touches of the law.
//!
//! In: what the source read of commits, signatures and owners, and who pushes by the word of the server. Out: the files
//! of policies and exceptions that change, each with whoever touched it. Nothing is asked for here: where something
//! could not be read, the reason stands in its place, and a rule that needs it says so.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Context, Item, Rule, Rules,
    codeowners::Codeowners,
    exc007_wildcard_rules::enforces,
    exc027_expiry_required as required, exc028_expired as expired,
    expiry::{self, Expiry},
    gov001_owners as owners, gov002_author_not_allowed as authors, gov003_approvals as approvals,
    gov004_unsigned_commit as signatures, gov008_renewals as renewals,
};
use crate::{
    config::governance::Level,
    document::{Document, NodeId},
    finding::Place,
    policy::set::PolicySet,
    source::{
        Pusher,
        history::{Commit, Person, Version},
        signature::Signature,
    },
};

/// Who makes a change.
#[derive(Debug)]
pub(crate) struct Authorship {
    /// The owners of paths, as the side before the change says.
    pub owners: Option<Codeowners>,
    /// The owners of paths, as the side after it says.
    pub owners_after: Option<Codeowners>,
    /// Paths that change and say how changes are judged: settings, owners, keys, ignore files.
    pub guards: Vec<String>,
    /// Who pushes, if the server says.
    pub pusher: Option<Pusher>,
    /// The commits that touch policies or exceptions, or why they can't be told; empty when no rule asks.
    pub commits: Result<Vec<Commit>, String>,
    /// What is known of the signature of each of them, in the same order; empty when no rule asks.
    pub signatures: Result<Vec<Signature>, String>,
    /// Messages of all commits that the change brings, or why they can't be told; empty when no rule asks.
    pub messages: Result<Vec<String>, String>,
}

/// How files of exceptions were, by path, the newest first; or why that can't be told.
pub(crate) type History = Result<HashMap<String, Vec<Version>>, String>;

/// What the rules that are on ask of the history of a repository.
#[derive(Debug)]
pub(crate) struct Asks {
    /// Who owns what.
    pub owners: bool,
    /// The commits that touch policies and exceptions.
    pub commits: bool,
    /// The messages of all commits.
    pub messages: bool,
    /// Signatures, by these keys.
    pub signatures: Option<Keyring>,
    /// The keys under which an exception may say its end, where its renewals are counted.
    renewals: Option<Vec<String>>,
    /// The same where a duration has to be counted from somewhere.
    durations: Option<Vec<String>>,
}

/// Where the keys are that count.
#[derive(Debug)]
pub(crate) struct Keyring {
    /// An allowed-signers file; empty for none.
    pub allowed_signers: String,
    /// Files with public keys of GPG.
    pub gpg_keys: Vec<String>,
}

impl Asks {
    /// What these rules ask.
    pub(crate) fn of(rules: &Rules) -> Self {
        let is_on = |rule: &Rule| rules.level(rule) != Level::Off;
        let authors: authors::Options = rules.options(&authors::GOV002);
        let approvals: approvals::Options = rules.options(&approvals::GOV003);
        let asks_people = |who: &[authors::Asked]| who.iter().any(|it| *it != authors::Asked::Pusher);
        let lists = is_on(&authors::GOV002) && !authors.authors.is_empty() && asks_people(&authors.who);
        let counts = is_on(&approvals::GOV003) && approvals.min.max(approvals.min_enforce) > 0;
        let signs = is_on(&signatures::GOV004);
        let signs = signs || (lists && authors.who.contains(&authors::Asked::Signer));
        let keyring = || {
            let signatures::Options { allowed_signers, gpg_keys } = rules.options(&signatures::GOV004);
            Keyring { allowed_signers, gpg_keys }
        };
        let keys = || rules.options::<required::Options>(&required::EXC027).keys;
        Self {
            owners: is_on(&owners::GOV001),
            commits: lists || counts || signs,
            messages: counts,
            signatures: signs.then(keyring),
            renewals: is_on(&renewals::GOV008).then(keys),
            durations: is_on(&expired::EXC028).then(keys),
        }
    }

    /// The same without what only a change is asked.
    #[must_use]
    pub(crate) fn of_tree(self) -> Self {
        Self { renewals: None, ..self }
    }

    /// Whether a rule asks how the exception at a node was.
    pub(crate) fn history_of(&self, document: &Arc<Document>, node: NodeId) -> bool {
        let item = Item::new(document, node, &PolicySet::default());
        let end =
            |keys: &Option<Vec<String>>| keys.as_ref().and_then(|keys| expiry::find(&item, keys)).map(|(end, _)| end);
        end(&self.renewals).is_some() || matches!(end(&self.durations), Some(Expiry::After(_)))
    }
}

/// A file of policies or exceptions that a change touches.
#[derive(Debug)]
pub(super) struct Touched<'c> {
    /// The path.
    pub path: &'c str,
    /// Where to point: the first policy or exception in it, or else the file.
    pub place: Place,
    /// The key of that exception, for `governance.allow`.
    pub key: String,
    /// Whether a policy in it, or one that an exception in it names, refuses.
    pub enforces: bool,
}

/// The files of policies and exceptions that a change touches, by path.
pub(super) fn touched<'c>(context: &'c Context<'_>) -> Vec<Touched<'c>> {
    let Some(change) = &context.change else { return Vec::new() };
    let mut out: BTreeMap<&str, Touched<'_>> = BTreeMap::new();
    let mut note = |path: &'c str, place: Place, key: &str, enforces: bool| {
        if change.holds_law(path) {
            let new = || Touched { path, place, key: key.to_owned(), enforces: false };
            out.entry(path).or_insert_with(new).enforces |= enforces;
        }
    };
    // What is there now comes first: a place in it can be shown.
    for side in [context, change.base] {
        for item in &side.exceptions {
            let references = item.classic.iter().flat_map(|it| &it.references);
            let enforces = references.into_iter().any(|it| side.policy(&it.policy).is_some_and(enforces));
            note(item.node.file().path(), Place::new(item.node.file(), item.name_span()), &item.key, enforces);
        }
        for policy in &side.policies {
            let enforces = side.policy(&policy.key()).is_some_and(enforces);
            note(policy.node.file().path(), policy.place(), "", enforces);
        }
    }
    out.into_values().collect()
}

/// The files that say how changes are judged, as far as a change touches them.
pub(super) fn touched_guards<'c>(context: &'c Context<'_>) -> Vec<Touched<'c>> {
    let who = context.change.as_ref().and_then(|it| it.who);
    let paths = who.map(|it| it.guards.as_slice()).unwrap_or_default();
    let touched = |path: &'c String| Touched {
        path,
        place: Place::whole_file(path.as_str()),
        key: String::new(),
        enforces: true,
    };
    paths.iter().map(touched).collect()
}

/// Names of people, and of groups of them, as options of rules give them.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Teams(BTreeMap<String, Vec<String>>);

impl Teams {
    /// Whether one of the words means somebody of whom these names are known; `team:NAME` stands for all of a team.
    pub(super) fn include(&self, words: &[String], names: &[&str]) -> bool {
        let is = |word: &str| {
            let bare = word.strip_prefix('@').unwrap_or(word);
            names.iter().any(|name| !name.is_empty() && name.eq_ignore_ascii_case(bare))
        };
        words.iter().any(|word| match word.strip_prefix("team:") {
            Some(team) => self.0.get(team).into_iter().flatten().any(|it| is(it)),
            None => is(word),
        })
    }
}

/// The people in trailers of messages, such as `Reviewed-by: Ann <ann@example.com>`, each address once. The last
/// paragraph counts only. <https://git-scm.com/docs/git-interpret-trailers>
pub(super) fn trailers(messages: &[String], keys: &[String]) -> Vec<Person> {
    let mut out: Vec<Person> = Vec::new();
    for message in messages {
        let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
        for line in last.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            if !keys.iter().any(|it| it.eq_ignore_ascii_case(key.trim())) {
                continue;
            }
            let (name, email) = value.split_once('<').unwrap_or((value, ""));
            let person = Person { name: name.trim().to_owned(), email: email.trim_end_matches('>').trim().to_owned() };
            let same = |it: &Person| it.email.eq_ignore_ascii_case(&person.email) && it.name == person.name;
            let known = |it: &Person| !it.email.is_empty() && it.email.eq_ignore_ascii_case(&person.email);
            if !out.iter().any(|it| known(it) || same(it)) {
                out.push(person);
            }
        }
    }
    out
}

/// The address in a signer: `Ann <ann@example.com>`, or the whole.
pub(super) fn address(signer: &str) -> &str {
    signer.rsplit_once('<').map_or(signer, |(_, rest)| rest.trim_end_matches('>'))
}

/// A commit in a few words: its short ID and its subject.
pub(super) fn named(commit: &Commit) -> String {
    let id = commit.id.to_string();
    let subject = commit.message.lines().next().unwrap_or_default();
    format!("{} ({subject})", &id[..10])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_stand_in_the_last_paragraph_and_count_once() {
        let messages = [
            "Subject\n\nReviewed-by: Not <not@example.com>\n\nReviewed-by: Ann <ann@example.com>\nChange-Id: x\n"
                .to_owned(),
            "Merge\n\nApproved-by: Ann Other <ANN@example.com>\napproved-BY: Bob <bob@example.com>\n".to_owned(),
        ];
        let keys = ["Reviewed-by".to_owned(), "Approved-by".to_owned()];
        let found: Vec<_> = trailers(&messages, &keys).into_iter().map(|it| it.email).collect();
        assert_eq!(found, ["ann@example.com", "bob@example.com"]);
    }

    #[test]
    fn a_team_stands_for_its_people() {
        let teams: Teams = serde_json::from_str(r#"{"platform": ["ann", "bob@example.com"]}"#).unwrap();
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(teams.include(&words("team:platform"), &["", "BOB@example.com"]));
        assert!(teams.include(&words("@carl"), &["carl"]));
        assert!(!teams.include(&words("team:other carl"), &["ann"]));
        assert!(!teams.include(&words("team:platform"), &[""]));
        assert_eq!(address("Ann <ann@example.com>"), "ann@example.com");
    }
}
