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
        let cache = it.path(".git/renders");
        let (kustomize, helm, cache) = (text(&self.kustomize), text(&self.helm), text(&cache));
        let mut arguments = vec!["check", "--kustomize", &kustomize, "--helm", &helm, "--render-cache", &cache];
        arguments.extend(more);
        it.admit(&arguments)
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
