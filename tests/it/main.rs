//! Everything that needs more than one module, or none: the order of the source itself, and real worlds: the built
//! program on trees, on changes, in hooks, on real repositories.

#![expect(clippy::disallowed_methods, reason = "tests make files and start programs")]
#![expect(clippy::print_stderr, reason = "a test says what it could not check")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod action;
mod baseline;
mod change;
mod check;
mod cleanup;
mod cmp;
mod compat;
mod config;
mod corpus;
mod divided;
mod evasion;
mod examples;
mod exceptions_generate;
mod generate;
mod governance;
mod hidden;
mod hook;
mod hook_decision;
#[cfg(unix)]
mod hook_faults;
#[cfg(unix)]
mod hook_install;
mod hook_kinds;
mod hook_replay;
mod hook_repositories;
#[cfg(unix)]
mod hook_transport;
mod images;
mod reach;
mod register;
mod render;
mod render_hidden;
mod scratch;
mod secret;
mod server;
mod shell;
mod standing;
mod tidy;
mod who;
