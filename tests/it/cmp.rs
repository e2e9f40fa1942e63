//! `admit cmp` as Argo CD's plugin server runs it: in a copy of the repository without `.git`, with its variables, with
//! what it makes of the answer.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    render::{Tools, overlays, widget},
    scratch::{ADMIT, Scratch, policy},
};

/// What the plugin server gets.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Answer {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.text(), self.stderr);
        assert!(code == 0 || self.stdout.is_empty(), "something on standard output: {}", self.text());
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains('\x1b'), "{}", self.stderr);
        assert!(self.stderr.lines().count() <= 20, "{}", self.stderr);
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        self
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// The plugin server: unpacks what is in a repository, without `.git` and executable bits, and runs commands of
/// `plugin.yaml` there.
struct Server {
    work: tempfile::TempDir,
    directory: String,
    variables: Vec<(String, String)>,
}

impl Server {
    fn unpack(repository: &Scratch, directory: &str) -> Self {
        let work = tempfile::tempdir().unwrap();
        copy(&repository.path(""), &work.path().join("repo"));
        let mut it = Self { work, directory: directory.to_owned(), variables: Vec::new() };
        for (name, value) in [
            ("ARGOCD_APP_NAME", "guest"),
            ("ARGOCD_APP_NAMESPACE", "shop"),
            ("ARGOCD_APP_PROJECT_NAME", "default"),
            ("ARGOCD_APP_REVISION", "0123456789012345678901234567890123456789"),
            ("ARGOCD_APP_SOURCE_PATH", directory),
            ("ARGOCD_APP_SOURCE_REPO_URL", "https://git.example.com/shop.git"),
            ("KUBE_VERSION", "1.33.1"),
            ("KUBE_API_VERSIONS", "v1,v1/Pod,apps/v1,apps/v1/Deployment"),
        ] {
            it = it.with(name, value);
        }
        it
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn tools(self, tools: &Tools) -> Self {
        let text = |path: &Path| path.display().to_string();
        self.with("ADMIT_KUSTOMIZE", &text(&tools.kustomize)).with("ADMIT_HELM", &text(&tools.helm))
    }

    fn root(&self) -> PathBuf {
        self.work.path().join("repo")
    }

    fn command(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(ADMIT);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.work.path());
        // What a sidecar has of its own, and what must not reach a child.
        command.env("AWS_SECRET_ACCESS_KEY", "hunter2");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.root().join(&self.directory)).args(arguments).stdin(Stdio::null());
        let done = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!stderr.contains("hunter2"), "{stderr}");
        Answer { code: done.status.code(), stdout: done.stdout, stderr }
    }

    /// Runs the command of `generate` in the `plugin.yaml` that the project ships.
    fn generate(&self) -> Answer {
        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/argocd/plugin/plugin.yaml");
        let plugin = fs::read_to_string(plugin).unwrap();
        let command = plugin.split("generate:\n    command: [").nth(1).and_then(|it| it.split(']').next()).unwrap();
        let words: Vec<&str> = command.split(", ").collect();
        assert_eq!(words[0], "admit");
        self.command(&words[1..])
    }
}

/// Copies a tree as an archive carries it: links as they are, no `.git`.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|it| it.file_name() != ".git") {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&from, &to);
        } else if kind.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(fs::read_link(from).unwrap(), to).unwrap();
        } else {
            fs::write(to, fs::read(from).unwrap()).unwrap();
        }
    }
}

/// An application of plain manifests, beside a policy that it keeps.
fn plain() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/guest/a.yaml", widget("a", "size: small # fits"))
        .write("apps/guest/b.yml", "# no separator before, none after\n---\n".to_owned() + &widget("b", "size: small"))
        .write("apps/guest/notes.txt", "not a manifest")
        .write("apps/guest/deep/c.yaml", widget("c", "size: huge"));
    it
}

#[test]
fn plain_manifests_that_are_let_in_are_given_byte_for_byte() {
    let it = plain();
    let answer = Server::unpack(&it, "apps/guest").generate().exits(0);
    let wanted = [
        fs::read(it.path("apps/guest/a.yaml")).unwrap(),
        b"---\n".to_vec(),
        fs::read(it.path("apps/guest/b.yml")).unwrap(),
    ];
    assert_eq!(answer.text(), String::from_utf8_lossy(&wanted.concat()));
    assert_eq!(answer.stderr, "");
    let one = Scratch::repository();
    one.write("policies/size.yaml", policy("size", "size", "small")).write("app/a.yaml", widget("a", "size: small"));
    let answer = Server::unpack(&one, "app").generate().exits(0);
    assert_eq!(answer.stdout, fs::read(one.path("app/a.yaml")).unwrap());
}

#[test]
fn a_refusal_says_the_verdict_first_and_gives_nothing() {
    let it = plain();
    it.write("apps/guest/a.yaml", widget("a", "size: huge"));
    let answer = Server::unpack(&it, "apps/guest").generate().exits(1);
    assert!(answer.stderr.starts_with("admit: `guest` is not let in: 1 error"), "{}", answer.stderr);
    answer.says("apps/guest/a.yaml:6: Widget shop/a: ").says("[size/check]");
}

#[test]
fn directories_below_count_where_the_application_says_so() {
    let server = Server::unpack(&plain(), "apps/guest");
    let recurse = r#"[{"name":"recurse","string":"true"}]"#;
    server.with("ARGOCD_APP_PARAMETERS", recurse).generate().exits(1).says("apps/guest/deep/c.yaml:6");
}

#[test]
fn an_overlay_is_given_as_kustomize_writes_it() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    let answer = Server::unpack(&it, "overlays/dev").tools(&tools).generate().exits(0);
    let real = Command::new(&tools.kustomize).arg("build").arg(it.path("overlays/dev")).output().unwrap();
    assert_eq!(answer.text(), String::from_utf8_lossy(&real.stdout));
    let answer = Server::unpack(&it, "overlays/prod").tools(&tools).generate().exits(1);
    answer.says("overlays/prod/large.yaml:6: Widget prod/prod-web").says("rendered from `overlays/prod`");
}

#[test]
fn a_chart_is_given_as_helm_writes_it_with_what_the_application_says() {
    let Some(tools) = Tools::find() else { return };
    let it = Scratch::repository();
    let template = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: {{ .Release.Name }}-{{ .Capabilities.KubeVersion }}\nspec:\n  size: {{ .Values.size }}\n";
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")
        .write("chart/values.yaml", "size: huge\n")
        .write("chart/values-small.yaml", "size: small\n")
        .write("chart/templates/widget.yaml", template);
    let server = || Server::unpack(&it, "chart").tools(&tools);
    server().generate().exits(1).says("chart/templates/widget.yaml:6: Widget shop/guest-v1.33.1");
    for parameters in [
        r#"[{"name":"values-files","array":["values-small.yaml"]}]"#,
        r#"[{"name":"helm-parameters","map":{"size":"small"}}]"#,
        r#"[{"name":"values","string":"size: small"}]"#,
    ] {
        let answer = server().with("ARGOCD_APP_PARAMETERS", parameters).generate().exits(0);
        let chart = it.path("chart").display().to_string();
        let arguments = ["template", "guest", &chart, "--namespace", "shop", "--kube-version", "1.33.1"];
        let real = Command::new(&tools.helm).args(arguments).args(["--include-crds", "--set", "size=small"]).output();
        assert_eq!(answer.text(), String::from_utf8_lossy(&real.unwrap().stdout), "{parameters}");
    }
    let outside = r#"[{"name":"values-files","array":["../../../etc/passwd"]}]"#;
    server().with("ARGOCD_APP_PARAMETERS", outside).generate().exits(2).says("outside of the repository");
    let unknown = r#"[{"name":"policys","string":"x"}]"#;
    server().with("ARGOCD_APP_PARAMETERS", unknown).generate().exits(2).says("no parameter `policys`");
}

#[test]
fn policies_of_the_operator_count_whatever_the_repository_holds() {
    let it = plain();
    let mounted = Scratch::new();
    mounted.write("size.yaml", policy("size", "size", "tiny"));
    // Nothing of it opens what the operator has closed.
    it.write("admit.yaml", "exclude: [apps]\npolicies: [nowhere]\n").write(
        "exception.yaml",
        "apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: { name: all, namespace: shop }\nspec:\n  exceptions: [{ policyName: size, ruleNames: ['*'] }]\n  match: { any: [{ resources: { kinds: [Widget], names: ['*'] } }] }\n",
    );
    let policies = mounted.path("").display().to_string();
    let server = || Server::unpack(&it, "apps/guest").with("ADMIT_POLICIES", &policies);
    server().generate().exits(1).says("2 errors, judged by ").says("size must be tiny");
    // Those that the application names count beside them.
    mounted.write("size.yaml", policy("size", "size", "small"));
    server().generate().exits(0);
    it.write("more/color.yaml", policy("color", "color", "red"));
    let more = r#"[{"name":"policies","array":["more"]}]"#;
    server().with("ARGOCD_APP_PARAMETERS", more).generate().exits(1).says("[color/check]");
    let gone = Server::unpack(&it, "apps/guest").with("ADMIT_POLICIES", "policies-elsewhere");
    gone.generate().exits(2).says("does not exist").says("manifest-generate-paths");
}

#[test]
fn nothing_is_let_through_because_nothing_was_there() {
    let it = plain();
    it.write("apps/empty/README.md", "nothing").write("apps/null/a.yaml", "---\n# only a comment\n---\n");
    for directory in ["apps/empty", "apps/null"] {
        Server::unpack(&it, directory).generate().exits(3).says("has no object at all");
        let allowed = Server::unpack(&it, directory).with("ADMIT_ALLOW_EMPTY", "true");
        allowed.generate().exits(0);
    }
    it.remove("policies/size.yaml");
    Server::unpack(&it, "apps/guest").generate().exits(3).says("there is no policy");
}

#[test]
fn what_is_no_object_is_refused_before_argo_cd_sees_it() {
    let it = plain();
    it.write("apps/guest/x.yaml", "just text\n");
    Server::unpack(&it, "apps/guest").generate().exits(1).says("apps/guest/x.yaml:1").says("this is no object");
    it.write("apps/guest/x.yaml", "a: [\n");
    Server::unpack(&it, "apps/guest").generate().exits(1).says("apps/guest/x.yaml");
}

#[test]
fn what_a_renderer_refuses_is_told() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.write("overlays/prod/large.yaml", widget("other", "size: small"));
    let answer = Server::unpack(&it, "overlays/prod").tools(&tools).generate().exits(2);
    answer.says("what `overlays/prod` deploys can't be known: kustomize:");
    it.write("overlays/prod/kustomization.yaml", "resources: [https://example.com/a.yaml]\n");
    let answer = Server::unpack(&it, "overlays/prod").tools(&tools).generate().exits(2);
    answer.says("overlays/prod/kustomization.yaml:1").says("lies elsewhere");
}

#[cfg(unix)]
#[test]
fn the_end_comes_before_argo_cds_own_with_a_reason() {
    use std::os::unix::fs::PermissionsExt as _;
    let it = overlays();
    let slow = it.path(".git/kustomize");
    fs::write(&slow, "#!/bin/sh\n[ \"$1\" = version ] && echo v5.0.0 && exit\n/bin/sleep 60\n").unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    let server = Server::unpack(&it, "overlays/dev").with("ADMIT_TIMEOUT", "2s");
    let began = Instant::now();
    let answer = server.with("ADMIT_KUSTOMIZE", &slow.display().to_string()).generate().exits(2);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    answer.says("it was ended after");
}

#[cfg(unix)]
#[test]
fn links_and_odd_names_lead_nowhere() {
    let it = plain();
    it.write("apps/guest/odd\nname \u{1b}[31m.yaml", widget("odd", "size: huge"));
    let answer = Server::unpack(&it, "apps/guest").generate().exits(1);
    answer.says("odd\\nname");
    it.remove("apps/guest/odd\nname \u{1b}[31m.yaml");
    std::os::unix::fs::symlink("/etc/passwd", it.path("apps/guest/evil.yaml")).unwrap();
    let answer = Server::unpack(&it, "apps/guest").generate().exits(2).says("a symbolic link to `/etc/passwd`");
    assert!(!answer.stderr.contains("root:"), "{}", answer.stderr);
}

#[test]
fn discovery_says_supported_or_nothing_and_never_fails() {
    let it = plain();
    it.write("apps/empty/README.md", "nothing")
        .write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");
    it.write("overlay/kustomization.yaml", "resources: []\n");
    for (directory, wanted) in
        [("apps/guest", "supported\n"), ("chart", "supported\n"), ("overlay", "supported\n"), ("apps/empty", "")]
    {
        let server = Server::unpack(&it, directory);
        assert_eq!(server.command(&["cmp", "discover"]).exits(0).text(), wanted, "{directory}");
        let parameters = server.command(&["cmp", "parameters"]).exits(0).text();
        let parameters: serde_json::Value = serde_json::from_str(&parameters).unwrap();
        assert!(parameters.as_array().unwrap().iter().all(|it| it["name"].is_string()), "{parameters}");
    }
    Server::unpack(&it, "apps/guest").command(&["cmp", "init"]).exits(0);
}

#[test]
fn the_example_shows_what_its_readme_says() {
    let Some(tools) = Tools::find() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let it = Scratch::new();
    copy(&root.join("examples/argocd"), &it.path("examples/argocd"));
    let readme = fs::read_to_string(it.path("examples/argocd/README.md")).unwrap();
    let quote = readme.split("```text\n").nth(1).and_then(|it| it.split("```").next()).unwrap();
    let mut server = Server::unpack(&it, "examples/argocd/apps/web").tools(&tools).with("ARGOCD_APP_NAME", "web");
    let policies = server.root().join("examples/argocd/plugin/policies").display().to_string();
    server = server.with("ADMIT_POLICIES", &policies);
    let answer = server.generate().exits(1);
    assert_eq!(answer.stderr.replace(&policies, "/etc/admit/policies"), quote);
}
