//! Sources on real repositories, made by real `git`.

mod broken;
mod cost;
mod diff;
mod history;
mod holdings;
mod hostile;
mod links;
mod push;
mod repo;
mod staged;
mod tree;
mod worktree;
