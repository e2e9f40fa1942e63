//! What shells and `man` are given: it is made from the command line itself, and they can read it.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::scratch::Scratch;

#[test]
fn each_shell_knows_each_command() {
    let it = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = it.admit(&["completions", shell]).exits(0).says("check").says("doctor").stdout;
        // A shell that is not here can't say whether it takes the script.
        let Ok(mut child) = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn() else {
            eprintln!("skipped: there is no {shell}");
            continue;
        };
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{shell} does not read its script");
    }
    it.admit(&["completions", "tcl"]).exits(2).complains("invalid value 'tcl'");
}

#[test]
fn each_command_has_a_manual_page() {
    let it = Scratch::new();
    it.admit(&["man"]).exits(0).says(".TH admit 1").says("admit\\-check(1)");
    it.admit(&["man", "hook", "install"]).exits(0).says(".TH admit-hook-install 1").says("\\-\\-dry\\-run");
    it.admit(&["man", "hok"]).exits(2).complains("`admit` has no subcommand `hok`").complains("it has check,");
}
