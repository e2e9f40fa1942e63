//! `.admitignore` files of trees that no file system holds.
//!
//! In: the text of each such file, from the root downwards. Out: whether a path is ignored, by the rules of
//! `.gitignore`: the file nearest to the path decides, and the last line in it that matches.

use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::Skip;

/// The name of the file, which may stand in any directory.
pub(super) const NAME: &str = ".admitignore";

/// Whether an ignore file stands at this path.
pub(super) fn is_one(path: &str) -> bool {
    path.strip_suffix(NAME).is_some_and(|it| it.is_empty() || it.ends_with('/'))
}

/// What is said of an ignore file that is a link: its rules count in a working tree, but not in a Git tree.
pub(super) fn a_link() -> Skip {
    Skip::Unreadable("an ignore file must not be a symbolic link".to_owned())
}

/// Reads the text of an ignore file. What is no pattern is dropped, the whole text if need be: then more is read, not
/// less.
pub(super) fn compile(text: &[u8]) -> Arc<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    for line in String::from_utf8_lossy(text).lines() {
        // A line that fails ignores nothing.
        let _ = builder.add_line(None, line);
    }
    Arc::new(builder.build().unwrap_or_else(|_| Gitignore::empty()))
}

/// The rules in force in one directory: its own file and those above it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct IgnoreRules(Option<Arc<Layer>>);

#[derive(Debug)]
struct Layer {
    /// Length of the path of the directory that holds the file, the `/` behind it included.
    prefix: usize,
    rules: Arc<Gitignore>,
    above: IgnoreRules,
}

impl IgnoreRules {
    /// The rules in `directory`, which holds this ignore file.
    pub(super) fn within(&self, directory: &str, file: &Arc<Gitignore>) -> Self {
        if file.is_empty() {
            return self.clone();
        }
        let prefix = if directory.is_empty() { 0 } else { directory.len() + 1 };
        Self(Some(Arc::new(Layer { prefix, rules: Arc::clone(file), above: self.clone() })))
    }

    /// Whether the path, which lies in the directory of these rules, is ignored. Parents are not looked at: whoever
    /// walks down has asked for them before.
    pub(super) fn ignores(&self, path: &str, is_directory: bool) -> bool {
        let mut next = self;
        while let Some(layer) = &next.0 {
            match layer.rules.matched(path.get(layer.prefix..).unwrap_or(path), is_directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => next = &layer.above,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_decides() {
        let root = IgnoreRules::default().within("", &compile(b"/vendor/\n*.gen.yaml\n"));
        let below = root.within("apps/web", &compile(b"!keep.gen.yaml\n/local.yaml\n"));
        assert!(root.ignores("vendor", true));
        assert!(!root.ignores("vendor", false));
        assert!(root.ignores("apps/a.gen.yaml", false));
        assert!(below.ignores("apps/web/a.gen.yaml", false));
        assert!(!below.ignores("apps/web/keep.gen.yaml", false));
        assert!(below.ignores("apps/web/local.yaml", false));
        assert!(!below.ignores("apps/web/sub/local.yaml", false));
    }
}
