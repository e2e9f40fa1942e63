//! Where symbolic links lead, without following them.
//!
//! In: the path and the text of a link, and somebody who knows what stands at a path. Out: [`Leads`]. Whoever follows
//! the link later, Argo CD for one, must not find there what nobody has judged. The answer must hold for what comes to
//! stand there later, too: the push that brings it does not show the link.

use super::Leads;
use super::filter::{Filter, is_manifest_name};
use super::path;

/// What stands at the path that a link leads to.
pub(super) enum Stands {
    /// What nobody reads whatever it is: excluded, ignored, in a submodule or a directory of Git.
    Unread,
    /// A directory.
    Directory,
    /// A file, or nothing yet.
    File,
    /// Another link, here or on the way: its path and its text.
    Link(String, Vec<u8>),
}

/// How many directories are looked into for one link. Nothing real comes near.
const MAX_STEPS: usize = 256;

/// Says where the link leads. `stands_at` is asked for paths below the root of the links; `display` makes paths of the
/// run out of them.
pub(super) fn leads(
    link: &str,
    target: &[u8],
    filter: &Filter,
    display: &dyn Fn(&str) -> String,
    stands_at: &mut dyn FnMut(&str) -> Stands,
) -> Leads {
    let Some(mut wanted) = path::link_target(link, target) else { return Leads::Outside };
    let is_named_like_a_manifest = is_manifest_name(link);
    let mut n_steps = 0;
    while n_steps < MAX_STEPS {
        n_steps += 1 + path::prefixes(&wanted).count();
        let is_read = match stands_at(&wanted) {
            Stands::Unread => false,
            Stands::Directory => !is_named_like_a_manifest && filter.takes_below(&display(&wanted)),
            // What is no manifest can't become one behind a link that is not named like one.
            Stands::File => !is_named_like_a_manifest || filter.takes(&display(&wanted)),
            Stands::Link(at, target) => {
                let rest = wanted.get(at.len() + 1..).unwrap_or_default();
                wanted = match path::link_target(&at, &target) {
                    None => return Leads::Outside,
                    Some(there) if rest.is_empty() => there,
                    Some(there) if there.is_empty() => rest.to_owned(),
                    Some(there) => format!("{there}/{rest}"),
                };
                continue;
            }
        };
        return if is_read { Leads::Inside } else { Leads::Unread };
    }
    // A loop, or as good as one.
    Leads::Unread
}
