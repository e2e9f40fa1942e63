//! The server that runs a hook, and who it says is pushing.
//!
//! In: the variables that a Git server sets for its hooks. Out: the kind of server, and the pusher by the name that the
//! server gave them. Over a file transport, or where `sshd` accepts variables, the client chooses the environment: a name
//! counts only where whoever installed the hook said which server it is. Nothing of a request's credentials is read.

use super::git::Environment;

/// A kind of Git server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Server {
    /// GitLab: <https://docs.gitlab.com/administration/server_hooks/>
    Gitlab,
    /// Gitea and Forgejo.
    Gitea,
    /// Gitolite: <https://gitolite.com/gitolite/dev-notes.html>
    Gitolite,
    /// GitHub Enterprise Server.
    Ghes,
    /// Bitbucket Data Center.
    Bitbucket,
    /// `git http-backend` behind a web server that knows who asks.
    Http,
    /// `sshd` with an account for each person, or `environment=` for each key.
    Ssh,
}

/// Variables that tell servers apart; of each row all must be there. The first row that fits decides.
const MARKS: [(&[&str], Server); 7] = [
    (&["GL_ID", "GL_REPOSITORY"], Server::Gitlab),
    (&["GITEA_REPO_NAME"], Server::Gitea),
    (&["GL_REPO", "GL_LIBDIR"], Server::Gitolite),
    (&["GITHUB_REPO_NAME", "GIT_DIR"], Server::Ghes),
    (&["BB_HOOK_TYPE"], Server::Bitbucket),
    (&["GATEWAY_INTERFACE"], Server::Http),
    (&["SSH_CONNECTION"], Server::Ssh),
];

/// The variables that are kept of the environment: marks and names, never a credential.
const KEPT: &[&str] = &[
    "GL_ID",
    "GL_REPOSITORY",
    "GL_USERNAME",
    "GL_PROTOCOL",
    "GL_PROJECT_PATH",
    "GITEA_REPO_USER_NAME",
    "GITHUB_VIA",
    "BB_HOOK_TRIGGER_ID",
    "BB_PROJECT_KEY",
    "BB_REPO_SLUG",
    "REMOTE_ADDR",
    "GITEA_REPO_NAME",
    "GITEA_PUSHER_NAME",
    "GITEA_PUSHER_EMAIL",
    "GITEA_DEPLOY_KEY_ID",
    "GL_REPO",
    "GL_LIBDIR",
    "GL_USER",
    "GITHUB_REPO_NAME",
    "GITHUB_USER_LOGIN",
    "BB_HOOK_TYPE",
    "BB_USER_NAME",
    "BB_USER_EMAIL",
    "GATEWAY_INTERFACE",
    "REMOTE_USER",
    "SSH_CONNECTION",
    "USER",
    "LOGNAME",
    "ADMIT_DOCTOR",
];

/// Whether a variable tells of the server or of who pushes.
pub(super) fn is_kept(name: &str) -> bool {
    KEPT.contains(&name)
}

/// Who pushes, as the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pusher {
    /// The name on the server; for a deploy key of GitLab `key-N`, for one of Gitea `deploy-key-N`.
    pub(crate) name: String,
    /// The address, where the server gives it.
    pub(crate) email: Option<String>,
}

impl Server {
    /// The server whose marks are in the environment.
    pub(crate) fn detect(environment: &Environment) -> Option<Self> {
        let has =
            |name: &&str| environment.told(name).is_some() || (*name == "GIT_DIR" && environment.names_repository());
        MARKS.iter().find(|(names, _)| names.iter().all(has)).map(|(_, server)| *server)
    }

    /// The name by which the server knows the repository, if it says so.
    pub(crate) fn repository(self, environment: &Environment) -> Option<String> {
        let told = |name: &str| environment.told(name);
        let joined = |owner: &str, name: &str| Some(format!("{}/{}", told(owner)?, told(name)?));
        match self {
            Server::Gitlab => told("GL_PROJECT_PATH").or_else(|| told("GL_REPOSITORY")).map(str::to_owned),
            Server::Gitea => joined("GITEA_REPO_USER_NAME", "GITEA_REPO_NAME"),
            Server::Gitolite => told("GL_REPO").map(str::to_owned),
            Server::Ghes => told("GITHUB_REPO_NAME").map(str::to_owned),
            Server::Bitbucket => joined("BB_PROJECT_KEY", "BB_REPO_SLUG"),
            Server::Http | Server::Ssh => None,
        }
    }

    /// By which way the push came, if the server says so: `web`, `pull request merge button` and the like.
    pub(crate) fn way(environment: &Environment) -> Option<&str> {
        ["GL_PROTOCOL", "GITHUB_VIA", "BB_HOOK_TRIGGER_ID"].iter().find_map(|name| environment.told(name))
    }

    /// What each line must begin with to be seen by whoever pushes; empty where every line is shown.
    ///
    /// GitLab shows on its pages only lines that begin so, and through SSH and HTTP all lines as they are:
    /// <https://docs.gitlab.com/administration/server_hooks/#custom-error-messages>
    pub(crate) fn line_prefix(environment: &Environment) -> &'static str {
        let is_page = environment.told("GL_PROTOCOL") == Some("web");
        if is_page && Self::detect(environment) == Some(Self::Gitlab) { "GL-HOOK-ERR: " } else { "" }
    }

    /// Who pushes, if this server says so; `None` means that nobody knows.
    pub(crate) fn pusher(self, environment: &Environment) -> Option<Pusher> {
        let told = |name: &str| environment.told(name).map(str::to_owned);
        let (name, email) = match self {
            Server::Gitlab => (told("GL_USERNAME").or_else(|| told("GL_ID")), None),
            Server::Gitea => {
                // A deploy key pushes in the name of the repository's owner, who may know nothing of it.
                let key = environment.told("GITEA_DEPLOY_KEY_ID").filter(|it| *it != "0");
                match key {
                    Some(key) => (Some(format!("deploy-key-{key}")), None),
                    None => (told("GITEA_PUSHER_NAME"), told("GITEA_PUSHER_EMAIL")),
                }
            }
            Server::Gitolite => (told("GL_USER"), None),
            Server::Ghes => (told("GITHUB_USER_LOGIN"), None),
            Server::Bitbucket => (told("BB_USER_NAME"), told("BB_USER_EMAIL")),
            Server::Http => (told("REMOTE_USER"), None),
            Server::Ssh => (told("USER").or_else(|| told("LOGNAME")), None),
        };
        Some(Pusher { name: name?, email })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Environment {
        Environment::new("/", text.split_whitespace().filter_map(|it| it.split_once('=')))
    }

    #[test]
    fn each_server_is_told_by_its_marks_and_names_who_pushes() {
        for (variables, server, name) in [
            ("GL_ID=user-7 GL_REPOSITORY=project-1 GL_USERNAME=ann", Server::Gitlab, Some("ann")),
            ("GL_ID=key-7 GL_REPOSITORY=project-1", Server::Gitlab, Some("key-7")),
            ("GITEA_REPO_NAME=r GITEA_PUSHER_NAME=ann GITEA_DEPLOY_KEY_ID=0", Server::Gitea, Some("ann")),
            ("GITEA_REPO_NAME=r GITEA_PUSHER_NAME=ann GITEA_DEPLOY_KEY_ID=3", Server::Gitea, Some("deploy-key-3")),
            ("GL_REPO=r GL_LIBDIR=/l GL_USER=ann SSH_CONNECTION=x USER=git", Server::Gitolite, Some("ann")),
            ("GITHUB_REPO_NAME=o/r GIT_DIR=. GITHUB_USER_LOGIN=ann", Server::Ghes, Some("ann")),
            ("BB_HOOK_TYPE=PRE BB_USER_NAME=ann BB_USER_EMAIL=ann@example.com", Server::Bitbucket, Some("ann")),
            ("GATEWAY_INTERFACE=CGI/1.1 REMOTE_USER=ann USER=www", Server::Http, Some("ann")),
            ("GATEWAY_INTERFACE=CGI/1.1 USER=www", Server::Http, None),
            ("SSH_CONNECTION=x USER=ann", Server::Ssh, Some("ann")),
        ] {
            let environment = environment(variables);
            assert_eq!(Server::detect(&environment), Some(server), "{variables}");
            assert_eq!(server.pusher(&environment).map(|it| it.name).as_deref(), name, "{variables}");
        }
        assert_eq!(Server::detect(&environment("PATH=/bin USER=ann")), None);
    }

    #[test]
    fn an_empty_name_is_nobody_and_another_server_is_not_believed() {
        let it = environment("GL_ID=user-7 GL_REPOSITORY=project-1 GL_USERNAME=");
        assert_eq!(Server::Gitlab.pusher(&it).map(|it| it.name).as_deref(), Some("user-7"));
        let it = environment("GATEWAY_INTERFACE=CGI/1.1 REMOTE_USER=ann GL_USERNAME=root GITEA_PUSHER_NAME=root");
        assert_eq!(Server::Http.pusher(&it).map(|it| it.name).as_deref(), Some("ann"));
    }
}
