//! Who added each exception: from rows of the register to commits.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;

use crate::{
    commands::check::Case,
    document::{self, Limits, classify::is_law, resource::objects},
    governance::register::{Added, Row},
    source::{
        Oid, Repository,
        additions::{Addition, additions},
        worktree::canonical,
    },
    span::File,
};

/// Says who added the exceptions that `head` holds. Gives what there is to say of those of whom that isn't known.
pub(super) fn add(rows: &mut [Row], case: &Case, repository: &Repository, head: Option<Oid>) -> Vec<String> {
    let Some(head) = head else {
        return vec!["who added exceptions is not known: there is no commit yet".to_owned()];
    };
    let things: Vec<String> = rows.iter().map(|row| below_root(row, case, repository)).collect();
    let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    let found = match additions(repository, head, &things, &|thing, bytes| holds(&keys[thing], bytes)) {
        Ok(found) => found,
        Err(error) => return vec![format!("who added exceptions is not known: {error}")],
    };
    let mut notes: Vec<&str> = Vec::new();
    for (row, addition) in rows.iter_mut().zip(found) {
        let unknown = |text: &str| Added::Unknown { unknown: text.to_owned() };
        row.added = Some(match addition {
            Addition::Commit { id, author, email, seconds } => Added::By {
                name: author,
                email,
                date: Timestamp::from_second(seconds).unwrap_or_default().strftime("%Y-%m-%d").to_string(),
                commit: id.to_string(),
            },
            Addition::Uncommitted => unknown("not committed"),
            Addition::Shallow => {
                notes.push("the history is cut off in this clone: git fetch --unshallow brings the rest");
                unknown("unknown: shallow clone")
            }
            Addition::Older => {
                notes.push("some exceptions are older than the part of the history that was looked at");
                unknown("long ago")
            }
        });
    }
    notes.sort_unstable();
    notes.dedup();
    notes.into_iter().map(str::to_owned).collect()
}

/// Where the repository has the file of a row. What isn't below its root is in no commit.
fn below_root(row: &Row, case: &Case, repository: &Repository) -> String {
    let (Some(place), Some(root)) = (case.places.get(&row.path), repository.work_dir()) else {
        return row.path.clone();
    };
    let place = canonical(place).unwrap_or_else(|_| place.clone());
    let root = canonical(root).unwrap_or_else(|_| root.to_owned());
    let below: Option<&Path> = place.strip_prefix(&root).ok();
    below.map_or_else(|| row.path.clone(), |it| it.to_string_lossy().replace('\\', "/"))
}

/// Whether a file holds the exception of a key.
fn holds(key: &str, bytes: &[u8]) -> bool {
    if memchr::memmem::find(bytes, b"PolicyException").is_none() {
        return false;
    }
    let parsed = document::parse(&File::new(Arc::from(""), bytes.to_vec()), &Limits::default());
    parsed.documents.iter().flat_map(|it| objects(it.root())).any(|object| {
        let text = |path: &[&str]| object.str_at(path).unwrap_or_default();
        let (name, namespace) = (text(&["metadata", "name"]), text(&["metadata", "namespace"]));
        let is_same = key == if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        is_same && text(&["kind"]) == "PolicyException" && is_law(object)
    })
}
