//! What a render could hide: overlays over what is deployed, values beside a chart's own, objects that look like others.

use crate::{
    render::{Tools, overlays, widget},
    scratch::{Scratch, policy},
};

/// A policy and an application that it refuses, with nothing around it.
fn refused() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("app/kustomization.yaml", "resources: [web.yaml]\n")
        .write("app/web.yaml", widget("web", "size: huge"));
    it
}

/// Puts an overlay over a directory that makes all of it small.
fn cover(it: &Scratch, at: &str) {
    let patch = "- op: replace\n      path: /spec/size\n      value: small";
    let text = format!("resources: [../{at}]\npatches:\n- target: {{ kind: Widget }}\n  patch: |-\n    {patch}\n");
    it.write("cover/kustomization.yaml", text);
}

#[test]
fn a_base_that_would_be_refused_by_itself_is_told_and_judged_where_it_is_said_to_be_deployed() {
    let Some(tools) = Tools::find() else { return };
    let it = refused();
    cover(&it, "app");
    let run = tools.check(&it, &["--format", "json"]).exits(0);
    assert_eq!(run.findings(), ["render/alone app/web.yaml:6"]);
    let run = tools.check(&it, &[]).exits(0).says("`app` would not be let in if it were deployed by itself");
    run.says("`render.roots: [app]`").says("rendered 1 overlay");
    it.write("admit.yaml", "render: { roots: [app] }\n");
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check app/web.yaml:6"]);
}

#[test]
fn what_an_overlay_over_an_overlay_hides_is_told() {
    let Some(tools) = Tools::find() else { return };
    let it = overlays();
    cover(&it, "overlays/prod");
    let run = tools.check(&it, &["--format", "json"]).exits(0);
    assert_eq!(run.findings(), ["render/alone overlays/prod/large.yaml:6"]);
    it.write("admit.yaml", "render: { roots: [overlays/prod] }\n");
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check overlays/prod/large.yaml:6"]);
}

#[test]
fn what_was_deployed_by_itself_before_a_change_is_judged_whoever_includes_it_now() {
    let Some(tools) = Tools::find() else { return };
    let it = refused();
    it.write("app/web.yaml", widget("web", "size: small"));
    it.commit("before");
    it.write("app/web.yaml", widget("web", "size: huge"));
    cover(&it, "app");
    it.commit("after");
    let run = tools.check(&it, &["--diff", "HEAD~1", "--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check app/web.yaml:6"]);
    it.write("app/web.yaml", widget("web", "size: tiny"));
    it.commit("later");
    let run = tools.check(&it, &["--diff", "HEAD~1", "--format", "json"]).exits(0);
    assert_eq!(run.findings(), ["render/alone app/web.yaml:6"]);
}

#[test]
fn values_beside_those_of_a_chart_do_not_hide_what_it_is_without_them() {
    let Some(tools) = Tools::find() else { return };
    let it = Scratch::repository();
    let template =
        "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: web\nspec:\n  size: {{ .Values.size }}\n";
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")
        .write("chart/values.yaml", "size: huge\n")
        .write("chart/values-prod.yaml", "size: small\n")
        .write("chart/templates/widget.yaml", template);
    let run = tools.check(&it, &["--format", "json"]).exits(0);
    assert_eq!(run.findings(), ["render/alone chart/templates/widget.yaml:6"]);
    it.write("admit.yaml", "render: { roots: [chart] }\n");
    tools.check(&it, &[]).exits(1).says("rendered 2 charts");
    // A chart that asks for values of its surroundings is not deployed without them.
    it.remove("admit.yaml");
    it.write("chart/values.yaml", "{}\n")
        .write("chart/templates/widget.yaml", template.replace(".Values.size", "required \"x\" .Values.size"));
    let run = tools.check(&it, &["--format", "json"]).exits(0);
    assert!(run.findings().is_empty(), "{:?}", run.findings());
}

#[test]
fn an_object_that_an_overlay_takes_away_is_not_taken_for_its_namesake() {
    let Some(tools) = Tools::find() else { return };
    let it = refused();
    let of = |namespace: &str, size: &str| {
        format!(
            "apiVersion: example.com/v1\nkind: Widget\nmetadata: {{ name: web, namespace: {namespace} }}\nspec:\n  size: {size}\n"
        )
    };
    it.write("app/web.yaml", format!("{}---\n{}", of("one", "huge"), of("two", "small")));
    let delete = "apiVersion: example.com/v1\nkind: Widget\nmetadata: { name: web, namespace: one }\n$patch: delete\n";
    it.write("over/kustomization.yaml", "resources: [../app]\npatches: [{ path: delete.yaml }]\n")
        .write("over/delete.yaml", delete);
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check app/web.yaml:5"]);
}

#[test]
fn an_object_whose_kind_an_overlay_changes_hides_no_other_of_its_file() {
    let Some(tools) = Tools::find() else { return };
    let it = refused();
    it.write("app/web.yaml", format!("{}---\n{}", widget("web", "size: huge"), widget("other", "size: small")));
    let delete = "apiVersion: example.com/v1\nkind: Widget\nmetadata: { name: web }\n$patch: delete\n";
    let patch =
        "- { op: replace, path: /kind, value: Gadget }\n      - { op: replace, path: /metadata/name, value: x }";
    let text = format!(
        "resources: [../app]\npatches:\n  - path: delete.yaml\n  - target: {{ name: other }}\n    patch: |-\n      {patch}\n    options: {{ allowKindChange: true, allowNameChange: true }}\n"
    );
    it.write("over/kustomization.yaml", text).write("over/delete.yaml", delete);
    let run = tools.check(&it, &["--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check app/web.yaml:6"]);
}

#[test]
fn what_an_application_adds_to_a_directory_is_judged_in_a_change_of_either() {
    let Some(tools) = Tools::find() else { return };
    let it = refused();
    let application = |name: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{ name: shop, namespace: argocd }}\nspec:\n  source: {{ path: app, kustomize: {{ namePrefix: {name} }} }}\n"
        )
    };
    it.write(
        "policies/size.yaml",
        policy("size", "size", "small").replace("spec: { size: small }", "metadata: { name: '!evil-*' }"),
    )
    .write("argo/shop.yaml", application("fine-"));
    it.commit("before");
    it.write("argo/shop.yaml", application("evil-"));
    it.commit("the application");
    let run = tools.check(&it, &["--diff", "HEAD~1"]).exits(1);
    run.says("rendered from `app for Application shop` as Widget default/evil-web");
    it.write("app/more.yaml", widget("more", "size: small"));
    it.write("app/kustomization.yaml", "resources: [web.yaml, more.yaml]\n");
    it.commit("the directory");
    let run = tools.check(&it, &["--diff", "HEAD~1"]).exits(1);
    run.says("as Widget default/evil-more").says_not("evil-web");
}
