//! Overlays and charts through the real `kustomize` and `helm`. Where one of them is neither named by
//! `ADMIT_KUSTOMIZE` or `ADMIT_HELM` nor on the PATH, the tests say so; `.ci/run` installs both.

use std::path::PathBuf;

use crate::scratch::{Run, Scratch, policy};

/// The programs that render.
pub(crate) struct Tools {
    pub(crate) kustomize: PathBuf,
    pub(crate) helm: PathBuf,
}

impl Tools {
    pub(crate) fn find() -> Option<Self> {
        let find = |name: &str, variable: &str| {
            let named = std::env::var_os(variable).map(PathBuf::from);
            let path = std::env::var_os("PATH").unwrap_or_default();
            let found = named.or_else(|| std::env::split_paths(&path).map(|it| it.join(name)).find(|it| it.is_file()));
            if found.is_none() {
                eprintln!("not run: no `{name}` on the PATH or in {variable}");
            }
            found
        };
        Some(Self { kustomize: find("kustomize", "ADMIT_KUSTOMIZE")?, helm: find("helm", "ADMIT_HELM")? })
    }

    /// Runs `admit check` with the tools, and a cache in the scratch directory of its own.
    pub(crate) fn check(&self, it: &Scratch, more: &[&str]) -> Run {
        self.check_in(it, "", &it.path(".git/renders"), more)
    }

    /// The same in a directory below, with a cache elsewhere.
    fn check_in(&self, it: &Scratch, directory: &str, cache: &std::path::Path, more: &[&str]) -> Run {
        let (kustomize, helm, cache) = (text(&self.kustomize), text(&self.helm), text(cache));
        let mut arguments = vec!["check", "--kustomize", &kustomize, "--helm", &helm, "--render-cache", &cache];
        arguments.extend(more);
        it.admit_in(directory, &arguments)
    }
}

fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}

/// A Widget as patches and overlays change it.
pub(crate) fn widget(name: &str, fields: &str) -> String {
    format!("apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: {name}\nspec:\n  {fields}\n")
}

/// A policy about `spec.size`, a base that is fine, and two overlays.
pub(crate) fn overlays() -> Scratch {
    let it = Scratch::repository();
    let policy = "\
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: size }
spec:
  validationFailureAction: Enforce
  rules:
    - name: check
      match: { any: [{ resources: { kinds: [Widget] } }] }
      validate: { message: too large, pattern: { spec: { size: small } } }
";
    it.write("policies/size.yaml", policy)
        .write("base/kustomization.yaml", "resources: [web.yaml]\n")
        .write("base/web.yaml", widget("web", "size: small"))
        .write("overlays/dev/kustomization.yaml", "resources: [../../base]\nnameSuffix: -dev\n")
        .write(
            "overlays/prod/kustomization.yaml",
            "resources: [../../base]\nnamePrefix: prod-\nnamespace: prod\npatches: [{ path: large.yaml }]\n",
        )
        .write("overlays/prod/large.yaml", widget("web", "size: large"));
    it
}

#[test]
fn an_overlay_is_judged_as_it_is_deployed_and_the_line_of_the_patch_is_to_blame() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check overlays/prod/large.yaml:6"]);
    let run = tools.check(&it, &[]).exits(1).says("6 |   size: large").says("set by this patch");
    run.says("rendered from `overlays/prod` as Widget prod/prod-web: size: large").says("rendered 2 overlays");
}

#[test]
fn a_directory_elsewhere_is_rendered_alike_and_nothing_is_written_there() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    std::fs::remove_dir_all(it.path(".git")).unwrap();
    let top = it.path("").display().to_string();
    // A renderer works on a copy, and nothing in the directory itself need be writable.
    let written = |path: &str| it.path(path).metadata().unwrap().modified().unwrap();
    let before = written("base/web.yaml");
    let elsewhere = Scratch::new();
    let cache = elsewhere.path("renders");
    let run = tools.check_in(&it, "", &cache, &[&top, "--format", "json"]).exits(1);
    assert_eq!(run.findings(), [format!("size/check {top}/overlays/prod/large.yaml:6")]);
    assert_eq!(written("base/web.yaml"), before);
    it.write("a/b/c", "");
    let run = tools.check_in(&it, "a/b", &cache, &["../..", "--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check overlays/prod/large.yaml:6"]);
}

#[test]
fn the_line_of_a_base_is_to_blame_once_for_all_its_overlays() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.write("base/web.yaml", widget("web", "size: huge"));
    it.write("overlays/prod/large.yaml", widget("web", "size: small"));
    it.write("overlays/test/kustomization.yaml", "resources: [../../base]\nnameSuffix: -test\n");
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check base/web.yaml:6"]);
    let run = tools.check(&it, &[]).exits(1);
    run.says("rendered from `overlays/dev` as Widget default/web-dev").says("rendered from `overlays/test`");
}

#[test]
fn what_no_kustomization_lists_is_judged_as_it_is_written() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.write("base/beside.yaml", widget("beside", "size: huge"));
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check base/beside.yaml:6", "size/check overlays/prod/large.yaml:6"]);
}

#[test]
fn what_an_overlay_takes_away_is_judged_as_it_is_written() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.write("base/web.yaml", widget("web", "size: huge"));
    let delete = "apiVersion: example.com/v1\nkind: Widget\nmetadata: { name: web }\n$patch: delete\n";
    it.write("overlays/prod/large.yaml", delete).write("overlays/dev/kustomization.yaml", "resources: []\n");
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check base/web.yaml:6"]);
}

#[test]
fn a_template_is_to_blame_and_the_value_that_fills_it_in_is_named() {
    let Some(tools) = Tools::find() else { return };
    let it = Scratch::repository();
    let template = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  size: {{ .Values.size }}\n";
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")
        .write("chart/values.yaml", "size: small\n")
        .write("chart/values-prod.yaml", "# more\nsize: large\n")
        .write("chart/templates/widget.yaml", template);
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check chart/templates/widget.yaml:6"]);
    let run = tools.check(&it, &[]).exits(1).says("chart/values-prod.yaml:2:7").says("the value comes from here");
    run.says("rendered from `chart with values-prod.yaml` as Widget default/web: size: large");
}

#[test]
fn what_lies_elsewhere_is_told_at_the_line_that_asks_and_nothing_runs() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.write("overlays/prod/kustomization.yaml", "resources:\n  - ../../base\n  - https://example.com/more.yaml\n");
    it.write("overlays/dev/kustomization.yaml", "resources:\n  - ../../base\n  - ../nothing\n");
    it.remove("overlays/prod/large.yaml");
    it.write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n  - name: db\n    version: 1.0.0\n    repository: https://example.com\n");
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    let wanted = [
        "render/dependency chart/Chart.yaml:5",
        "render/missing overlays/dev/kustomization.yaml:3",
        "render/remote overlays/prod/kustomization.yaml:3",
    ];
    assert_eq!(run.findings(), wanted);
    tools.check(&it, &["--render", "never"]).exits(0);
    it.write("admit.yaml", "render:\n  exclude: [overlays, chart]\n");
    tools.check(&it, &[]).exits(0);
}

#[test]
fn what_a_renderer_refuses_is_told_with_its_words() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.write("overlays/prod/large.yaml", widget("other", "size: large"));
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    let text = run.stdout.clone();
    assert!(run.findings().iter().any(|it| it.starts_with("render/failed overlays/prod/kustomization.yaml")), "{text}");
    assert!(!text.contains("admit-render-"), "{text}");
    assert!(text.contains("no matches for Id") || text.contains("failed to find unique target"), "{text}");
}

#[test]
fn without_a_program_it_is_told_once_and_where_it_must_be_there_the_run_ends() {
    let it = overlays();
    let nothing = text(&it.path("nothing"));
    let check = |more: &[&str]| {
        let mut arguments = vec!["check"];
        arguments.extend(more);
        it.admit_as(&[("PATH", &nothing)], b"", &arguments)
    };
    let run = check(&["--format", "json"]);
    let ids: Vec<String> = run.findings().into_iter().filter(|it| it.starts_with("render/no-tool")).collect();
    assert_eq!(ids, ["render/no-tool overlays/dev/kustomization.yaml:1"]);
    check(&["--render", "always"]).exits(2).complains("`kustomize` is not there");
    check(&["--render", "never"]).exits(0).says_not("render/no-tool");
}

#[test]
fn a_second_run_renders_nothing() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    let first = tools.check(&it, &[]).exits(1);
    // A program that would fail if it ran: only its version is asked for.
    let version = "#!/bin/sh\n[ \"$1\" = version ] && exec \"REAL\" version\nexit 1\n";
    let fake = it.path(".git/kustomize");
    std::fs::write(&fake, version.replace("REAL", &text(&tools.kustomize))).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let tools = Tools { kustomize: fake, helm: tools.helm };
    assert_eq!(tools.check(&it, &[]).exits(1).stdout, first.stdout);
    // What changed is rendered again.
    it.write("base/web.yaml", widget("web", "size: tiny"));
    tools.check(&it, &[]).exits(1).says("render/failed");
}

#[cfg(unix)]
#[test]
fn links_and_paths_do_not_lead_a_renderer_out_of_the_repository() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    std::os::unix::fs::symlink("/etc", it.path("overlays/dev/etc")).unwrap();
    let generator = "resources: [../../base]\nconfigMapGenerator: [{ name: a, files: [FILE] }]\n";
    for (file, wanted) in [
        ("etc/passwd", "render/unreadable"),
        ("/etc/passwd", "render/missing"),
        ("../../../../../../../../etc/passwd", "render/missing"),
    ] {
        it.write("overlays/dev/kustomization.yaml", generator.replace("FILE", file));
        let run = tools.check(&it, &["--format", "json"]).exits(1);
        assert!(
            run.findings().iter().any(|it| it == &format!("{wanted} overlays/dev/kustomization.yaml:2")),
            "{run:?}"
        );
        assert!(!run.stdout.contains("root:"), "{file}");
    }
}

#[test]
fn a_file_that_is_called_a_patch_to_hide_it_is_told() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/kustomization.yaml", "resources: [a.yaml]\npatches: [{ path: b/evil.yaml }]\n")
        .write("apps/a.yaml", widget("a", "size: small"))
        .write("apps/b/evil.yaml", widget("a", "size: large"));
    let run = it.admit(&["check", "--render", "never", "--format", "json"]).exits(0);
    assert_eq!(run.findings(), ["render/part apps/b/evil.yaml:4"]);
}

#[test]
fn a_change_of_a_base_is_judged_in_each_overlay_that_it_reaches() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.commit("before");
    it.write("base/web.yaml", widget("web", "size: huge"));
    it.commit("after");
    let run = tools.check(&it, &["--diff", "HEAD~1", "--format", "json"]).exits(1);
    // The patch of the other overlay says what it said before.
    assert_eq!(run.findings(), ["size/check base/web.yaml:6"]);
    let run = tools.check(&it, &["--diff", "HEAD~1"]).exits(1).says("rendered from `overlays/dev`");
    run.says("rendered 2 overlays").says_not("overlays/prod/large.yaml");
}

#[test]
fn only_what_a_change_reaches_is_rendered() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.commit("before");
    it.write("overlays/dev/kustomization.yaml", "resources: [../../base]\nnameSuffix: -next\n");
    it.commit("after");
    tools.check(&it, &["--diff", "HEAD~1"]).exits(0).says("rendered 1 overlay");
    it.write("docs/readme.md", "nothing").write("other/a.yaml", widget("a", "size: small"));
    it.commit("elsewhere");
    tools.check(&it, &["--diff", "HEAD~1"]).exits(0).says_not("rendered");
}

#[test]
fn what_a_generator_reads_need_not_be_a_manifest_to_be_a_change() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    let policy = policy("size", "size", "small").replace("Widget", "ConfigMap").replace("spec: { size", "data: { size");
    it.write("policies/data.yaml", policy.replace("name: size", "name: data"))
        .write("overlays/dev/kustomization.yaml", "configMapGenerator: [{ name: a, envs: [a.env] }]\n")
        .write("overlays/dev/a.env", "size=small\n");
    it.commit("before");
    it.write("overlays/dev/a.env", "size=large\n");
    it.commit("after");
    let run = tools.check(&it, &["--diff", "HEAD~1", "--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["data/check overlays/dev/kustomization.yaml:1"]);
}

#[test]
fn what_is_staged_is_rendered_as_it_is_staged() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    it.commit("before");
    it.write("overlays/dev/patch.yaml", widget("web", "size: large"));
    it.write("overlays/dev/kustomization.yaml", "resources: [../../base]\npatches: [{ path: patch.yaml }]\n");
    it.git(&["add", "-A"]);
    it.write("overlays/dev/patch.yaml", widget("web", "size: small"));
    let run = tools.check(&it, &["--staged", "--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check overlays/dev/patch.yaml:6"]);
}

#[test]
fn a_hook_renders_where_it_is_told_to() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    let before = it.commit("before");
    it.write("base/web.yaml", widget("web", "size: huge"));
    let after = it.commit("after");
    let line = format!("{before} {after} refs/heads/main\n");
    let (kustomize, helm) = (text(&tools.kustomize), text(&tools.helm));
    let hook = |more: &[&str]| {
        let mut arguments = vec!["hook", "pre-receive", "--no-audit", "--deadline", "60"];
        arguments.extend(["--kustomize", &kustomize, "--helm", &helm]);
        arguments.extend(more);
        it.admit_as(&[("GIT_DIR", ".git")], line.as_bytes(), &arguments)
    };
    hook(&["--render", "always"]).exits(1).complains("rendered from");
    // The server's user has no other place that is its own.
    assert!(it.path(".git/admit/renders").read_dir().unwrap().count() > 0);
    assert!(!it.path(".cache/admit").exists());
    let quiet = hook(&[]).exits(1);
    assert!(!quiet.stderr.contains("rendered from"), "{}", quiet.stderr);
}

#[test]
fn three_hundred_overlays_are_rendered_on_every_core_and_then_never_again() {
    let Some(tools) = Tools::find() else { return };
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("base/kustomization.yaml", "resources: [web.yaml]\n").write("base/web.yaml", widget("web", "size: small"));
    for n in 0..300 {
        let text = format!("resources: [../../base]\nnameSuffix: -o{n}\n");
        it.write(&format!("overlays/o{n}/kustomization.yaml"), text);
    }
    let began = std::time::Instant::now();
    tools.check(&it, &[]).exits(0).says("rendered 300 overlays");
    let first = began.elapsed();
    let began = std::time::Instant::now();
    tools.check(&it, &[]).exits(0).says("rendered 300 overlays");
    let second = began.elapsed();
    eprintln!("300 overlays: {first:?}, then {second:?}");
    assert!(second < first / 2, "{first:?}, then {second:?}");
}

#[test]
fn what_an_application_says_of_a_chart_is_rendered_too() {
    let Some(tools) = Tools::find() else { return };
    let it = Scratch::repository();
    let template = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  size: {{ required \"a size\" .Values.size }}\n";
    let application = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: shop, namespace: argocd }
spec:
  destination: { namespace: shop }
  source:
    repoURL: https://git.example.com/shop.git
    path: chart
    helm: { parameters: [{ name: size, value: large }] }
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: db, namespace: argocd }
spec:
  source: { repoURL: https://charts.example.com, chart: db }
";
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")
        .write("chart/templates/widget.yaml", template)
        .write("argocd/apps.yaml", application);
    // Without the value that the Application gives it can't be deployed, and nobody says that it is.
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["render/elsewhere argocd/apps.yaml:15", "size/check chart/templates/widget.yaml:6"]);
    tools.check(&it, &[]).exits(1).says("rendered from `chart for Application shop` as Widget shop/shop: size: large");
}

#[test]
fn what_flux_adds_to_an_overlay_is_rendered_too() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    let policy = policy("size", "size", "small").replace("spec: { size: small }", "metadata: { namespace: \"!team\" }");
    it.write("policies/size.yaml", policy).write(
        "clusters/team.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: team, namespace: flux-system }\nspec:\n  path: ./overlays/dev\n  targetNamespace: team\n",
    );
    let run = tools.check(&it, &[]).exits(1);
    run.says("rendered from `overlays/dev for Kustomization team` as Widget team/web-dev");
}

#[test]
fn real_repositories_are_rendered() {
    let Some(tools) = Tools::find() else { return };
    let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.join("corpus").is_dir() {
        eprintln!("not run: {} is missing", shared.join("corpus").display());
        return;
    }
    let shared = shared.canonicalize().unwrap();
    let policies = text(&shared.join("conformance/policies/pod-security"));
    for (name, wanted) in [
        ("argocd-example-apps", "render/dependency "),
        ("flux2-kustomize-helm-example", "render/elsewhere "),
        ("kube-prometheus", "manifests/"),
    ] {
        let it = Scratch::new();
        copy(&shared.join("corpus").join(name), &it, "");
        it.write("admit.yaml", "");
        let run = tools.check(&it, &["--policies", &policies, "--format", "json"]);
        assert!(matches!(run.code, 0 | 1), "{name}: {run:?}");
        let found = run.findings();
        assert!(found.iter().any(|it| it.contains(wanted)), "{name}: {found:#?}");
        // Each finding stands in a file of the repository.
        for finding in run.json()["findings"].as_array().unwrap() {
            let path = finding["path"].as_str().unwrap();
            assert!(path.starts_with('/') || it.path(path).is_file(), "{name}: {finding}");
        }
        assert!(run.json()["notes"].to_string().contains("rendered "), "{name}");
    }
}

/// Copies the files of a directory.
fn copy(from: &std::path::Path, to: &Scratch, below: &str) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), to, &path);
        } else if kind.is_file() {
            to.write(&path, std::fs::read(entry.path()).unwrap());
        }
    }
}
