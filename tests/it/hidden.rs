//! Files that lie beside something which says that they are no manifests: they are judged, or it is said that they
//! aren't.

use crate::scratch::{Scratch, exception, policy, widget};

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

#[test]
fn where_nothing_vouches_for_them_settings_and_exceptions_of_a_first_push_do_not_count() {
    let law = Scratch::new();
    law.write("size.yaml", policy("size", "size", "small"));
    let law = law.path("");
    let it = Scratch::repository();
    it.write("admit.yaml", "guard: [none]\nexclude: [apps]\ninclude: [lib]\n").write(".admitignore", "apps\n");
    it.write("apps/b.yaml", widget("b", "size", "large")).write("exceptions/b.yaml", exception("b", "size", "b"));
    it.commit("first");
    it.git(&["clone", "-q", "--bare", ".", "server.git"]);
    it.git(&["-C", "server.git", "update-ref", "-d", "refs/heads/main"]);
    let line = format!("{} {} refs/heads/main\n", "0".repeat(40), it.git(&["rev-parse", "HEAD"]));
    let flags = ["hook", "pre-receive", "--policies", law.to_str().unwrap()];
    let top = it.path("server.git");
    let run = it.admit_as(&[("GIT_DIR", top.to_str().unwrap())], line.as_bytes(), &flags).exits(1);
    let run = run.complains("error[size/check]").complains("apps/b.yaml:4:15");
    run.complains("comes with this change").complains("do not count");
    // Judged by its own law, it is judged as it says.
    it.admit_as(&[("GIT_DIR", top.to_str().unwrap())], line.as_bytes(), &["hook", "pre-receive"]).exits(0);
}

#[test]
fn a_policy_that_can_not_be_read_is_told_in_every_change() {
    let it = base();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n";
    it.write("policies/lfs.yaml", pointer).write("policies/crypt.yaml", b"\0GITCRYPT\0x");
    it.commit("unreadable");
    it.write("apps/b.yaml", widget("b", "size", "small"));
    it.commit("change");
    let run = it.admit(&["check", "--diff", "HEAD~1"]).exits(0).says("warning[source/lfs-pointer]");
    run.says("warning[source/encrypted]").says("if it holds a policy, that judges nothing");
    it.write("admit.yaml", "policies: [policies]\n");
    it.commit("settings");
    it.write("apps/b.yaml", widget("b", "size", "small") + "# more\n");
    it.commit("change");
    it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("error[source/lfs-pointer]");
}

#[cfg(unix)]
#[test]
fn a_policy_that_lies_outside_of_the_repository_is_an_error() {
    let it = base();
    it.write("admit.yaml", "policies: [policies]\n");
    std::os::unix::fs::symlink("/etc/admit/policy.yaml", it.path("policies/color.yaml")).unwrap();
    it.admit(&["check"]).exits(1).says("error[source/symlink]").says("where it leads may be a policy");
    it.admit(&["check", "--policies", "policies"]).exits(1).says("error[source/symlink]");
    it.commit("link");
    it.write("apps/b.yaml", widget("b", "size", "small"));
    it.commit("change");
    it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("error[source/symlink]");
}
