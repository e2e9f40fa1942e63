//! What is left to judge by after a change.
//!
//! In: both sides of a change to a branch whose own policies judge what is pushed to it. Out: a finding, if no policy is
//! left. Nothing could be pushed to such a branch any more, not even what takes the change back.

use super::{
    Case, LawArgs,
    side::{Known, Side, TreeAt},
    sides::Sides,
};
use crate::{
    commands::RunError,
    config::Trust,
    document::classify::Class,
    finding::{Finding, Place, Severity},
    report::Progress,
    runner::{Law, TreeFile},
    source::Oid,
};

impl Side<'_> {
    /// The same repository after a change, by the settings that count from then on.
    pub(super) fn later<'s>(&'s self, tree: Oid, sides: &Sides) -> Side<'s> {
        let settings = sides.config.as_ref().map_or(&self.settings, |it| &it.after);
        Side {
            repository: self.repository.clone(),
            environment: self.environment,
            tree: TreeAt::Stored { law: tree, new: tree },
            old: Some(tree),
            settings: settings.clone(),
            trust: if settings.trust == Trust::Operator { Trust::Operator } else { Trust::Head },
            held_by: self.held_by.clone(),
            is_unvouched: false,
        }
    }

    /// An error, if policies judge a change which leaves none of them. Read again is what is left only where no policy
    /// stays as it is, or `is_open`: another reason there is why one that stays may count no more.
    pub(super) fn left_without(
        &self,
        later: &Side<'_>,
        case: &Case,
        is_open: bool,
        args: &LawArgs,
        progress: &Progress,
    ) -> Result<Option<Finding>, RunError> {
        let Some(sides) = &case.sides else { return Ok(None) };
        let by_its_own = matches!(self.trust, Trust::Base | Trust::Both) && args.policies.is_empty();
        if !by_its_own || case.law.n_policies == 0 {
            return Ok(None);
        }
        let is_policy =
            |file: &&TreeFile| file.roles.policies && file.documents.iter().any(|it| it.class == Class::Policy);
        let stays = |file: &&TreeFile| !sides.changed.contains(&**file.file.path());
        let is_left = case.law_tree.files.iter().filter(is_policy).any(|it| stays(&it));
        if is_left && !is_open && sides.config.is_none() {
            return Ok(None);
        }
        let inputs = later.law_inputs(args)?;
        let tree = later.load(&inputs.inputs, &Known::default(), progress)?;
        if Law::compile(tree.files.iter()).n_policies > 0 {
            return Ok(None);
        }
        let path = sides.config.as_ref().map(|it| it.file.path());
        let path = path.or_else(|| sides.before.iter().find(is_policy).map(|it| it.file.path()));
        let place = path.map_or_else(|| Place::whole_file("."), |it| Place::whole_file(it.clone()));
        let message = "no policy is left after this: whatever is pushed next would be refused";
        let help = "keep a policy; or `guard` other branches only, or give the hook --policies";
        Ok(Some(Finding::new("policy/none-left", Severity::Error, place, message).help(help)))
    }
}
