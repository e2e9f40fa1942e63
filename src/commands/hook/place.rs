//! Where each kind of server looks for a hook.
//!
//! In: the kind of server, the name of the hook, a repository or the directory that the server takes hooks from. Out: a
//! path, and what is left to do by hand. Sources: the pages named in `hooks/README.md`.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use crate::{
    commands::{RunError, workspace::from_source},
    source::{Environment, Repository, Server},
};

/// The hooks that can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Hook {
    PreReceive,
    Update,
    PrePush,
    PreCommit,
}

impl Hook {
    /// As Git calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PreReceive => "pre-receive",
            Self::Update => "update",
            Self::PrePush => "pre-push",
            Self::PreCommit => "pre-commit",
        }
    }

    /// The script as it is shipped.
    fn script(self) -> &'static str {
        match self {
            Self::PreReceive => include_str!("../../../hooks/pre-receive"),
            Self::Update => include_str!("../../../hooks/update"),
            Self::PrePush => include_str!("../../../hooks/pre-push"),
            Self::PreCommit => include_str!("../../../hooks/pre-commit"),
        }
    }
}

/// Which hook of which server is meant.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// The repository [default: the one here]
    #[arg(value_name = "REPOSITORY")]
    pub(super) repository: Option<PathBuf>,
    /// The kind of server [default: Git alone]
    #[arg(long, value_enum, value_name = "SERVER")]
    pub(super) server: Option<Server>,
    /// The hook
    #[arg(long, value_enum, value_name = "HOOK", default_value = "pre-receive")]
    pub(super) hook: Hook,
    /// The directory that the server takes hooks from, where that is none of the repository's
    #[arg(long, value_name = "DIRECTORY")]
    pub(super) into: Option<PathBuf>,
}

/// A place for a hook.
pub(super) struct Found {
    /// Where the script belongs.
    pub(super) path: PathBuf,
    /// The repository, where it is one that this machine has.
    pub(super) repository: Option<Repository>,
    /// What the server wants done beside that.
    pub(super) rest: Option<String>,
}

impl PlaceArgs {
    /// Finds the place.
    pub(super) fn find(&self, environment: &Environment) -> Result<Found, RunError> {
        let name = self.hook.name();
        let start = environment.current_dir().join(self.repository.as_deref().unwrap_or(Path::new("")));
        let open = || Repository::open(&start, environment).map_err(|error| from_source(&error));
        let is_of_client = matches!(self.hook, Hook::PrePush | Hook::PreCommit);
        let only_pre_receive = matches!(self.server, Some(Server::Gitolite | Server::Ghes | Server::Bitbucket));
        if let Some(server) =
            self.server.filter(|_| is_of_client || (only_pre_receive && self.hook != Hook::PreReceive))
        {
            let server = server.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default();
            return Err(RunError::new(format!("{server} has no place for {name}")));
        }
        let into = |hint: &str| {
            let given = self.into.as_ref().map(|it| environment.current_dir().join(it));
            given.ok_or_else(|| RunError::new("where to put it must be said: --into DIRECTORY").hint(hint))
        };
        let found = |path: PathBuf, repository, rest: Option<&str>| {
            Ok(Found { path, repository, rest: rest.map(str::to_owned) })
        };
        match self.server {
            None | Some(Server::Http | Server::Ssh) => {
                let repository = open()?;
                let path = hooks_directory(&repository, environment).join(name);
                found(path, Some(repository), None)
            }
            Some(Server::Gitlab) => {
                if let Some(directory) = &self.into {
                    return found(
                        environment.current_dir().join(directory).join(format!("{name}.d/admit")),
                        None,
                        None,
                    );
                }
                let repository = open()?;
                found(repository.git_dir().join(format!("custom_hooks/{name}.d/admit")), Some(repository), None)
            }
            Some(Server::Gitea) => {
                let repository = open()?;
                found(repository.git_dir().join(format!("hooks/{name}.d/admit")), Some(repository), None)
            }
            Some(Server::Gitolite) => {
                let directory = into("it is the LOCAL_CODE of Gitolite: gitolite query-rc LOCAL_CODE")?;
                let rest = "run as the user of Gitolite: gitolite setup --hooks-only";
                found(directory.join("hooks/common").join(name), None, Some(rest))
            }
            Some(Server::Ghes) => {
                let directory = into("a clone of the repository that holds the hooks of the server")?;
                let rest = "commit and push it, upload an environment that holds admit at the path in the script, and \
                            add the hook in the site settings: Hooks, Add pre-receive hook";
                found(directory.join("admit-pre-receive"), None, Some(rest))
            }
            Some(Server::Bitbucket) => {
                let directory = into("any directory: the script is uploaded from there")?;
                let rest = "upload it as a PRE hook script: POST /rest/api/latest/hook-scripts with content=@FILE, name \
                            and type=PRE, then PUT it to the projects or repositories that it is for";
                found(directory.join("admit-pre-receive"), None, Some(rest))
            }
        }
    }

    /// The script for this place, which runs `program` with `flags`.
    pub(super) fn script(&self, program: &str, flags: &[String]) -> String {
        let mut all: Vec<String> = Vec::new();
        if let Some(server) = self.server.and_then(|it| it.to_possible_value()) {
            all.extend(["--server".to_owned(), server.get_name().to_owned()]);
        }
        all.extend(flags.iter().map(|it| quoted(it)));
        let mut script = self.hook.script().replacen("\nadmit=admit\n", &format!("\nadmit={}\n", quoted(program)), 1);
        if !all.is_empty() {
            let flags = all.join(" ");
            script = script.replacen("\nset --\n", &format!("\nset -- {flags}\n"), 1);
            script = script.replacen("\nset -- \"$@\"\n", &format!("\nset -- \"$@\" {flags}\n"), 1);
        }
        script
    }
}

/// Where Git itself looks: <https://git-scm.com/docs/git-config#Documentation/git-config.txt-corehooksPath>
pub(super) fn hooks_directory(repository: &Repository, environment: &Environment) -> PathBuf {
    let git_dir = repository.git_dir();
    match repository.config("core.hooksPath").filter(|it| !it.is_empty()) {
        None => git_dir.join("hooks"),
        Some(path) => match (path.strip_prefix("~/"), environment.home()) {
            (Some(below), Some(home)) => home.join(below),
            // Relative to where hooks run.
            _ => repository.work_dir().unwrap_or(git_dir).join(path),
        },
    }
}

/// A word of a shell script.
fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-=:,@%+".contains(it);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_for_a_server_is_what_is_installed() {
        for (server, shipped) in [
            (Server::Gitlab, include_str!("../../../hooks/pre-receive.gitlab")),
            (Server::Gitea, include_str!("../../../hooks/pre-receive.gitea")),
            (Server::Gitolite, include_str!("../../../hooks/pre-receive.gitolite")),
            (Server::Bitbucket, include_str!("../../../hooks/pre-receive.bitbucket")),
            (Server::Ghes, include_str!("../../../hooks/pre-receive.ghes")),
        ] {
            let args = PlaceArgs { repository: None, server: Some(server), hook: Hook::PreReceive, into: None };
            let code = |text: &str| {
                text.lines().filter(|it| !it.starts_with('#')).map(str::to_owned).collect::<Vec<_>>().join("\n")
            };
            assert_eq!(code(&args.script("admit", &[])), code(shipped));
        }
    }

    #[test]
    fn flags_and_paths_are_quoted() {
        let args = PlaceArgs { repository: None, server: None, hook: Hook::Update, into: None };
        let script = args.script("/opt/my admit", &["--guard".to_owned(), "it's *".to_owned()]);
        assert!(script.contains("\nadmit='/opt/my admit'\n"), "{script}");
        assert!(script.contains("\nset -- \"$@\" --guard 'it'\\''s *'\n"), "{script}");
    }
}
