//! Files that lie beside something which says that they are no manifests: they are judged, or it is said that they
//! aren't.

use crate::scratch::{Scratch, policy, widget};

/// A policy, and a kustomization with an object and a patch of it.
fn base() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("base/kustomization.yaml", "resources: [a.yaml]\n").write("base/a.yaml", widget("a", "size", "small"));
    it.write("prod/kustomization.yaml", "resources: [../base]\npatches: [{ path: a.yaml }]\n");
    it.write("prod/a.yaml", widget("a", "size", "huge"));
    it.commit("base");
    it
}

#[test]
fn a_patch_of_nothing_is_told_in_a_tree_and_in_a_change() {
    let it = base();
    it.admit(&["check"]).exits(0).says_not("source/");
    it.write("apps/kustomization.yaml", "patches: [{ path: evil.yaml }]\n");
    it.write("apps/evil.yaml", widget("evil", "size", "large"));
    let said = |run: crate::scratch::Run| {
        run.exits(1).says("error[source/stray-patch]").says("apps/evil.yaml:3:").says("takes this for a patch")
    };
    said(it.admit(&["check"]));
    it.commit("evil");
    said(it.admit(&["check", "--diff", "HEAD~1"]));
    // Once more: the kustomization is there, the object changes.
    it.write("apps/evil.yaml", widget("evil", "size", "larger"));
    it.commit("more evil");
    said(it.admit(&["check", "--diff", "HEAD~1"]));
    // A patch whose object another change doesn't touch is one.
    it.write("prod/a.yaml", widget("a", "size", "gigantic"));
    it.commit("a patch");
    it.admit(&["check", "--diff", "HEAD~1"]).exits(0).says_not("source/");
    // What it patches may be in another repository.
    it.write(
        "apps/kustomization.yaml",
        "resources: ['https://example.com/r?ref=v1']\npatches: [{ path: evil.yaml }]\n",
    );
    it.admit(&["check"]).exits(0).says("warning[source/stray-patch]");
    // Or in a file that another program makes.
    it.write("apps/kustomization.yaml", "resources: [all.yaml]\npatches: [{ path: evil.yaml }]\n");
    it.admit(&["check"]).exits(0).says("warning[source/stray-patch]");
    it.write("apps/all.yaml", widget("b", "size", "small"));
    it.admit(&["check"]).exits(1).says("error[source/stray-patch]");
    // A target tells what is patched.
    let target = |kind: &str| format!("patches: [{{ path: evil.yaml, target: {{ kind: {kind} }} }}]\n");
    it.write("apps/kustomization.yaml", target("Widget"));
    it.admit(&["check"]).exits(0).says_not("source/");
    it.write("apps/kustomization.yaml", target("Gadget"));
    it.admit(&["check"]).exits(1).says("error[source/stray-patch]");
}

#[test]
fn an_object_that_is_given_as_data_or_configuration_is_judged() {
    let it = Scratch::repository();
    let text = policy("size", "size", "small").replace("Widget", "Service");
    it.write("policies/size.yaml", text);
    it.write("apps/evil.yaml", "apiVersion: v1\nkind: Service\nmetadata: { name: evil }\nspec: { size: large }\n");
    for kustomization in [
        "configMapGenerator: [{ name: c, files: [evil.yaml] }]\n",
        "transformers: [evil.yaml]\n",
        "configurations: [evil.yaml]\n",
    ] {
        it.write("apps/kustomization.yaml", kustomization);
        it.admit(&["check"]).exits(1).says("error[size/check]").says("apps/evil.yaml:4:");
    }
}

#[test]
fn a_chart_makes_templates_only_of_what_is_one() {
    let it = base();
    it.write("apps/templates/evil.yaml", widget("evil", "size", "large"));
    it.write("apps/Chart.yaml", "");
    it.admit(&["check"]).exits(1).says("error[size/check]").says("apps/templates/evil.yaml:4:15");
    // A whole chart hides no object either that needs no rendering.
    it.write("apps/Chart.yaml", "apiVersion: v2\nname: a\nversion: 0.1.0\n");
    it.admit(&["check"]).exits(1).says("error[size/check]");
    it.write(
        "apps/templates/evil.yaml",
        widget("evil", "size", "large").replace("apiVersion", "# {{ x }}\napiVersion"),
    );
    it.admit(&["check"]).exits(1).says("error[size/check]");
    it.commit("evil");
    it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("error[size/check]");
    // With an action in it nobody knows what becomes of it, and that is said.
    it.write("apps/templates/evil.yaml", widget("evil", "size", "\"{{ .Values.size }}\""));
    it.admit(&["check"]).exits(0).says("warning[source/template]").says("apps/templates/evil.yaml");
    it.write("apps/templates/evil.yaml", widget("\"{{ .Release.Name }}\"", "size", "large"));
    it.admit(&["check"]).exits(0).says_not("source/template").says("1 Helm template");
    it.write("apps/Chart.yaml", "version: 0.1.0\n");
    it.admit(&["check"]).exits(1).says("error[size/check]");
}
