//! `admit check --diff` and `--staged`: changes read from Git objects, bare or not.

use std::{fs, process::Command};

use crate::scratch::{Run, Scratch, exception, policy, widget};

/// A policy that refuses removals, too.
const KEEP: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: keep }
spec:
  validationFailureAction: Enforce
  background: false
  rules:
    - name: check
      match: { any: [{ resources: { kinds: [Widget], operations: [DELETE] } }] }
      validate: { message: widgets stay, deny: {} }
";

/// A repository with a policy and two Widgets, one of which violates it, in one commit.
fn base() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("apps/a.yaml", widget("a", "size", "small")).write("apps/old.yaml", widget("old", "size", "large"));
    it.commit("base");
    it
}

impl Scratch {
    /// Commits, and checks the last commit: first here, then in a bare clone, which must say the same.
    #[track_caller]
    fn change(&self, flags: &[&str]) -> Run {
        self.commit("change");
        self.diff("HEAD~1..HEAD", flags)
    }

    #[track_caller]
    fn diff(&self, range: &str, flags: &[&str]) -> Run {
        let all = [&["check", "--diff", range][..], flags].concat();
        let here = self.admit(&all);
        let bare = self.path(".git/bare");
        let _ = fs::remove_dir_all(&bare);
        self.git(&["clone", "-q", "--bare", "--no-local", ".", ".git/bare"]);
        let there = self.admit_in(".git/bare", &all);
        assert_eq!((here.code, &here.stdout), (there.code, &there.stdout), "{}", there.stderr);
        here
    }
}

#[test]
fn only_what_changed_is_judged() {
    let it = base();
    it.write("apps/b.yaml", widget("b", "size", "small"));
    it.change(&[])
        .exits(0)
        .says("judged by the policies of HEAD~1 (")
        .says("looked at 2 files: 1 manifest and 1 policy");
    it.write("apps/c.yaml", widget("c", "size", "large"));
    let found = it.change(&["--format", "json"]).exits(1).findings();
    assert_eq!(found, ["size/check apps/c.yaml:4"]);
    it.write("apps/a.yaml", widget("a", "size", "huge"));
    it.change(&[]).exits(1).says("apps/a.yaml:4:15").says("policies/size.yaml:9:73");
}

#[test]
fn what_violated_before_may_go_on_to() {
    let it = base();
    it.write("apps/old.yaml", widget("old", "size", "huge"));
    it.change(&[]).exits(0).says("1 skip");
    it.write(
        "policies/size.yaml",
        policy("size", "size", "small").replace("validate: {", "validate: { allowExistingViolations: false,"),
    );
    it.change(&[]).exits(0);
    it.write("apps/old.yaml", widget("old", "size", "enormous"));
    it.change(&[]).exits(1);
}

#[test]
fn what_a_rule_mended_was_no_violation() {
    let it = base();
    let mend = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: mend }
spec:
  rules:
    - name: size
      match: { any: [{ resources: { kinds: [Widget] } }] }
      mutate: { patchStrategicMerge: { spec: { +(size): small } } }
";
    it.write("policies/mend.yaml", mend);
    it.commit("mend");
    it.write("apps/a.yaml", widget("a", "other", "x")).write("apps/old.yaml", widget("old", "size", "huge"));
    it.change(&[]).exits(0);
    // As it was written it violated the rule before, too; as the cluster holds it, it did not.
    it.write("apps/a.yaml", widget("a", "size", "large"));
    let found = it.change(&["--format", "json"]).exits(1).findings();
    assert_eq!(found, ["size/check apps/a.yaml:4"]);
    // Elsewhere what the cluster holds is given.
    it.write("held/a.yaml", widget("a", "other", "x"));
    it.admit(&["check", "--cluster", "held", "apps/a.yaml"]).exits(1).says("error[size/check]");
}

#[test]
fn an_object_that_moves_is_neither_new_nor_gone() {
    let it = base();
    it.write("policies/keep.yaml", KEEP);
    it.commit("keep");
    // The same bytes elsewhere, other bytes elsewhere, into a file with others, out of it again.
    it.git(&["mv", "apps/old.yaml", "apps/moved.yaml"]);
    it.change(&[]).exits(0).says("1 skip");
    it.git(&["mv", "apps/moved.yaml", "apps/edited.yaml"]);
    it.write("apps/edited.yaml", widget("old", "size", "huge"));
    it.change(&[]).exits(0).says("1 skip");
    it.remove("apps/edited.yaml");
    it.write("apps/a.yaml", [widget("a", "size", "small"), widget("old", "size", "huge")].join("---\n"));
    it.change(&[]).exits(0).says("1 skip");
    it.write("apps/a.yaml", widget("a", "size", "small")).write("apps/old.json", {
        r#"{"apiVersion": "example.com/v2", "kind": "Widget", "metadata": {"name": "old", "namespace": "shop"}, "spec": {"size": "huge"}}"#
    });
    it.change(&[]).exits(0).says("1 skip");
}

#[test]
fn what_is_removed_is_judged_as_a_removal() {
    let it = base();
    it.remove("apps/old.yaml");
    it.change(&[]).exits(0);
    it.write("policies/keep.yaml", KEEP);
    it.commit("keep");
    it.remove("apps/a.yaml");
    it.change(&[]).exits(1).says("error[keep/check]").says("apps/a.yaml:3:19").says("Widget shop/a");
    // One document less, and another name, are removals, too.
    it.write("apps/two.yaml", [widget("one", "size", "small"), widget("two", "size", "small")].join("---\n"));
    it.change(&[]).exits(0);
    it.write("apps/two.yaml", widget("three", "size", "small"));
    let found = it.change(&["--format", "json"]).exits(1).findings();
    assert_eq!(found, ["keep/check apps/two.yaml:3", "keep/check apps/two.yaml:8"]);
}

#[cfg(unix)]
#[test]
fn modes_links_submodules_and_pointers_are_what_they_are() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let it = base();
    fs::set_permissions(it.path("apps/old.yaml"), fs::Permissions::from_mode(0o755)).unwrap();
    it.change(&[]).exits(0).says("looked at 1 file");
    symlink("a.yaml", it.path("apps/link.yaml")).unwrap();
    symlink("/etc/passwd", it.path("apps/passwd.yaml")).unwrap();
    it.change(&[]).exits(0).says("info[source/symlink]").says("warning[source/symlink]").says("`/etc/passwd`");
    it.write("apps/lfs.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n");
    it.change(&[]).exits(1).says("error[source/lfs-pointer]");
    let head = it.git(&["rev-parse", "HEAD"]);
    it.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},apps/sub")]);
    it.git(&["commit", "-q", "-m", "sub"]);
    it.diff("HEAD~1", &[]).exits(0).says("info[source/submodule]");
    // A file that becomes a link takes its object with it.
    it.git(&["rm", "-q", "--cached", "apps/sub"]);
    it.write("policies/keep.yaml", KEEP);
    it.commit("keep");
    it.remove("apps/a.yaml");
    symlink("old.yaml", it.path("apps/a.yaml")).unwrap();
    it.change(&[]).exits(1).says("error[keep/check]").says("source/symlink");
}

#[cfg(target_os = "linux")]
#[test]
fn names_may_be_any_bytes() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let it = base();
    let name = OsStr::from_bytes(b"apps/caf\xe9\n.yaml");
    fs::write(it.path("").join(name), widget("b", "size", "large")).unwrap();
    it.write("apps/größe.yaml", widget("c", "size", "large"));
    let run = it.change(&[]).exits(1);
    run.says("\"apps/caf\\\\xe9\\n.yaml\":4:15").says("apps/größe.yaml:4:15");
}

#[test]
fn a_new_branch_brings_what_it_changes() {
    let it = base();
    it.git(&["checkout", "-q", "-b", "feature"]);
    it.write("apps/b.yaml", widget("b", "size", "large"));
    it.commit("b");
    it.git(&["checkout", "-q", "main"]);
    // The policy is stricter than at the time of the branch, and something else is broken.
    it.write("policies/color.yaml", policy("color", "color", "red")).write("apps/c.yaml", widget("c", "size", "large"));
    it.commit("stricter");
    let found = it.diff("main...feature", &["--format", "json"]).exits(1).findings();
    assert_eq!(found, ["color/check apps/b.yaml:4", "size/check apps/b.yaml:4"]);
    // With two dots `c` is gone, too.
    it.write("policies/keep.yaml", KEEP);
    it.commit("keep");
    it.diff("main...feature", &[]).exits(1).says_not("keep/check");
    it.diff("main..feature", &[]).exits(1).says("keep/check");
}

#[test]
fn the_first_commit_is_judged_by_its_own_law() {
    let it = base();
    let zero = "0".repeat(40);
    it.diff(&format!("{zero}..HEAD"), &[]).exits(1).says("judged by the policies of HEAD (").says("apps/old.yaml:4:15");
    it.remove("policies/size.yaml");
    it.commit("no law");
    it.diff(&format!("{zero}..HEAD"), &[]).exits(3).says("nothing was checked: no policy was found");
    it.diff("HEAD~1..HEAD", &[]).exits(0);
}

#[test]
fn whoever_loosens_the_law_is_judged_by_the_old_one() {
    let it = base();
    let large = || widget("b", "size", "large");
    let loosened: [(&str, String); 5] = [
        ("policies/size.yaml", policy("size", "size", "large")),
        ("policies/size.yaml", policy("size", "size", "small").replace("Enforce", "Audit")),
        ("exceptions/b.yaml", exception("b", "size", "b")),
        ("admit.yaml", "exclude: [apps]\ntrust: head\n".to_owned()),
        ("admit.yaml", "policies: [none]\n".to_owned()),
    ];
    for (path, text) in &loosened {
        it.git(&["reset", "-q", "--hard", "HEAD"]);
        it.write(path, text).write("apps/b.yaml", large());
        it.change(&[]).exits(1).says("error[size/check]").says("apps/b.yaml:4:15");
        it.git(&["reset", "-q", "--hard", "HEAD~1"]);
    }
    it.git(&["rm", "-q", "policies/size.yaml"]);
    it.write("apps/b.yaml", large());
    it.change(&[]).exits(1).says("error[size/check]");
    it.git(&["reset", "-q", "--hard", "HEAD~1"]);
    it.write(".admitignore", "apps\n").write("apps/b.yaml", large());
    it.change(&[]).exits(1).says("error[size/check]").says("warning[source/ignore-file]");
    it.git(&["reset", "-q", "--hard", "HEAD~1"]);
    // In two steps it works: then the second is judged by the first.
    it.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.change(&[]).exits(0);
    it.write("apps/b.yaml", large());
    it.change(&[]).exits(0).says("1 waived");
}

#[test]
fn a_repository_may_trust_the_change() {
    let it = base();
    it.write("admit.yaml", "trust: head\n");
    it.commit("trust");
    it.write("exceptions/b.yaml", exception("b", "size", "b")).write("apps/b.yaml", widget("b", "size", "large"));
    it.change(&[]).exits(0).says("judged by the policies of HEAD (").says("1 waived");
    // A stricter policy counts at once.
    it.write("policies/color.yaml", policy("color", "color", "red")).write("apps/c.yaml", widget("c", "size", "small"));
    it.change(&[]).exits(1).says("error[color/check]");
    it.write("policies/size.yaml", policy("size", "size", "small").replace("pattern", "patern"));
    it.change(&[]).exits(1).says("error[policy/schema]");
}

#[test]
fn a_broken_policy_blocks_until_it_is_mended() {
    let it = base();
    let broken = policy("color", "color", "red").replace("pattern", "patern");
    it.write("policies/color.yaml", &broken);
    it.change(&[]).exits(1).says("error[policy/schema]").says("policies/color.yaml:9");
    it.write("apps/b.yaml", widget("b", "size", "small"));
    it.change(&[]).exits(1).says("error[policy/schema]").says("policies/color.yaml:9");
    it.write("policies/color.yaml", policy("color", "color", "red"));
    it.change(&[]).exits(0);
    // YAML that doesn't parse, mended by removal.
    it.write("policies/color.yaml", broken.replace("spec:", "spec: ["));
    it.change(&[]).exits(1).says("yaml/");
    it.write("apps/b.yaml", widget("b", "size", "tiny"));
    it.change(&[]).exits(1).says("yaml/");
    it.remove("policies/color.yaml");
    it.change(&[]).exits(0);
}

#[test]
fn what_is_broken_elsewhere_is_no_news() {
    let it = base();
    it.write("apps/broken.yaml", "a: [\n").write("t/tpl.yaml", "{{- if .Namespace }}\nkind: [\n{{ end }}\n");
    it.commit("broken");
    it.write("apps/b.yaml", widget("b", "size", "small"));
    it.change(&[]).exits(0);
    it.write("apps/broken.yaml", "a: [[\n");
    it.change(&[]).exits(1).says("apps/broken.yaml");
}

#[test]
fn settings_that_are_broken_are_said_at_their_line_and_can_be_mended() {
    let it = base();
    it.write("admit.yaml", "trust: base\n");
    it.commit("settings");
    it.write("admit.yaml", "trust: base\nexclud: [apps]\n").write("apps/b.yaml", widget("b", "size", "small"));
    it.change(&[]).exits(1).says("error[config/invalid]").says("admit.yaml:2:1").says("did you mean `exclude`?");
    it.write("apps/b.yaml", widget("b", "size", "tiny"));
    it.change(&[]).exits(2).complains("admit.yaml:2:1: unknown field `exclud`");
    it.write("admit.yaml", "exclude: [apps]\n").write("apps/b.yaml", widget("b", "size", "large"));
    // What mends them is judged by the defaults, which exclude nothing.
    it.change(&[]).exits(0).says("counts for nothing").says("1 skip");
    it.write("apps/b.yaml", widget("b", "size", "huge"));
    it.change(&[]).exits(0).says_not("skip");
}

#[test]
fn policies_and_exceptions_are_named_in_the_commit_or_on_disk() {
    let it = base();
    let law = Scratch::new();
    law.write("p/color.yaml", policy("color", "color", "red"));
    it.write("apps/b.yaml", widget("b", "size", "large")).write("waivers/b.yaml", exception("b", "size", "b"));
    it.commit("b");
    it.write("apps/b.yaml", widget("b", "weight", "huge")).write("apps/x.yaml", widget("x", "size", "large"));
    it.commit("x");
    for policies in ["policies", "./policies/", "policies/size.yaml", "policies/*.yaml", "**/size.yaml"] {
        it.diff("HEAD~1", &["--policies", policies]).exits(1).says("size/check").says_not("yaml:1:1");
    }
    let disk = law.path("p");
    let disk = disk.to_str().unwrap();
    for policies in [disk.to_owned(), format!("{disk}/color.yaml"), format!("{disk}/*.yaml")] {
        it.diff("HEAD~1", &["--policies", &policies]).exits(1).says("color/check").says_not("size/check");
    }
    it.diff("HEAD~1", &["--policies", "polices"]).exits(2).complains("nothing is at `polices` in HEAD~1");
    it.diff("HEAD~1", &["--policies", "/no/such/place"]).exits(2).complains("`/no/such/place` does not exist");
    it.diff("HEAD~1", &["--exceptions", "waivers"]).exits(1).says("apps/x.yaml").says("1 error; 1 waived");
    // Git holds no empty directories.
    it.diff("HEAD~1", &["--exceptions", "none"]).exits(1).says("no exceptions: nothing is at `none`");
    // A path is relative to where one stands.
    it.admit_in("apps", &["check", "--diff", "HEAD~1", "--policies", "../policies"]).exits(1).says("size/check");
    it.admit_in("apps", &["check", "--diff", "HEAD~1", "--policies", "policies"]).exits(2);
}

#[test]
fn a_broken_policy_on_disk_is_not_mended_by_a_file_of_the_same_name() {
    let it = base();
    let law = Scratch::new();
    law.write("size.yaml", policy("color", "color", "red").replace("pattern", "patern"));
    it.write("size.yaml", "a: 1\n");
    let path = law.path("size.yaml");
    it.change(&["--policies", path.to_str().unwrap()]).exits(1).says("error[policy/schema]");
}

#[test]
fn revisions_that_are_not_there_end_the_run() {
    let it = base();
    it.diff("nowhere..HEAD", &[]).exits(2).complains("unknown revision `nowhere`");
    it.git(&["checkout", "-q", "--orphan", "other"]);
    it.commit("other");
    it.diff("main...other", &[]).exits(2).complains("have no common ancestor");
    it.diff("main..other", &[]).exits(0);
    it.admit(&["check", "--diff", "HEAD", "apps"]).exits(2);
    Scratch::new().admit(&["check", "--diff", "HEAD"]).exits(2).complains("is not in a Git repository");
}

#[test]
fn what_stands_beside_manifests_is_known_in_a_change_as_in_a_tree() {
    let it = base();
    let pods = policy("pods", "hostPID", "false")
        .replace("Widget", "Deployment")
        .replace("pattern: { spec: ", "pattern: { spec: { template: { spec: ")
        .replace("} } }\n", "} } } } }\n");
    it.write("policies/pods.yaml", pods);
    let patch = "{ apiVersion: apps/v1, kind: Deployment, metadata: { name: d }, spec: { replicas: 2 } }\n";
    let patches = "resources: [d.yaml]\npatches: [{ path: ../../patches/d.yaml }, { path: e.yaml }]\n";
    it.write("over/prod/kustomization.yaml", patches);
    let pod = "{ metadata: { labels: { app: d } }, spec: { hostPID: \"false\", containers: [{ name: d, image: d }] } }";
    it.write(
        "over/prod/d.yaml",
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: d }}\nspec:\n  selector: {{ matchLabels: {{ app: d }} }}\n  template: {pod}\n"
        ),
    );
    it.write("chart/Chart.yaml", "name: c\nversion: 0.1.0\n").write("lib/Widget.yaml", "a: 1\n");
    it.commit("more");
    // A patch beside its kustomization, one far from it, a template of a chart.
    it.write("over/prod/e.yaml", patch).write("patches/d.yaml", patch).write("chart/templates/a.yaml", "{{ a }}\n");
    it.change(&[]).exits(0).says("2 Kustomize patches").says("1 Helm template");
    it.write("other/d.yaml", patch);
    it.change(&[]).exits(1).says("other/d.yaml");
    // A chart that goes away with its templates was one before.
    it.remove("chart/Chart.yaml").remove("chart/templates/a.yaml");
    it.change(&[]).exits(0);
}

#[test]
fn kinds_outside_of_namespaces_are_known_in_a_change_as_in_a_tree() {
    let it = base();
    let selects = "kinds: [Gadget], namespaces: ['?*']";
    it.write("policies/gadget.yaml", policy("gadget", "size", "small").replace("kinds: [Widget]", selects));
    it.write(
        "crds/gadget.yaml",
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gadgets.example.com }
spec: { group: example.com, scope: Cluster, names: { kind: Gadget, plural: gadgets } }
",
    );
    it.commit("gadgets");
    let gadget = widget("g", "size", "large").replace("Widget", "Gadget").replace(", namespace: shop", "");
    it.write("apps/g.yaml", &gadget);
    it.change(&[]).exits(0);
    it.write("apps/g.yaml", gadget.replace("name: g", "name: h, namespace: shop"));
    it.change(&[]).exits(1).says("gadget/check");
}

#[test]
fn namespaces_and_config_maps_come_from_the_side_of_the_law_and_from_the_change() {
    let it = base();
    let selects = "namespaceSelector: { matchLabels: { env: prod } }, kinds: [Widget]";
    it.write("policies/size.yaml", policy("size", "size", "small").replace("kinds: [Widget]", selects));
    let namespace = |env: &str| {
        format!("{{ apiVersion: v1, kind: Namespace, metadata: {{ name: shop, labels: {{ env: {env} }} }} }}\n")
    };
    it.commit("selector");
    it.write("apps/b.yaml", widget("b", "size", "large"));
    it.change(&[]).exits(1).says("not decided").says("add the manifest of Namespace `shop`");
    // It comes with its namespace.
    it.write("ns.yaml", namespace("prod")).write("apps/c.yaml", widget("c", "size", "large"));
    it.change(&[]).exits(1).says("apps/c.yaml");
    // A namespace that is taken out of the law in the same step still is in it.
    it.write("ns.yaml", namespace("dev")).write("apps/d.yaml", widget("d", "size", "large"));
    it.change(&[]).exits(1).says("apps/d.yaml");
    it.write("apps/e.yaml", widget("e", "size", "large"));
    it.change(&[]).exits(0);
}

#[test]
fn what_is_staged_is_judged_and_nothing_else() {
    let it = base();
    it.admit(&["check", "--staged"]).exits(0);
    it.write("apps/b.yaml", widget("b", "size", "large")).write("apps/c.yaml", widget("c", "size", "large"));
    it.git(&["add", "apps/b.yaml"]);
    let run = it.admit(&["check", "--staged", "--format", "json"]).exits(1);
    assert_eq!(run.findings(), ["size/check apps/b.yaml:4"]);
    // What lies in the working tree only doesn't count: neither the mended file, nor the policy, nor the settings.
    it.write("apps/b.yaml", widget("b", "size", "small")).write("policies/size.yaml", policy("size", "size", "large"));
    it.write("admit.yaml", "exclude: [apps]\n");
    it.admit_in("apps", &["check", "--staged"]).exits(1).says("apps/b.yaml:4:15");
    // Staged with it, the law counts: nobody is kept from anything here.
    it.write("apps/b.yaml", widget("b", "size", "large"));
    it.git(&["add", "policies"]);
    let by_policies = &["check", "--staged", "--no-governance"];
    it.admit(by_policies).exits(0).says("judged by the policies of the index");
    // Only the mix of both is told.
    it.admit(&["check", "--staged"]).exits(1).says("error[GOV006]").says_not("size/check");
    it.git(&["add", "admit.yaml"]);
    it.admit(by_policies).exits(0).says_not("manifest");
    it.write("admit.yaml", "exclud: [apps]\n");
    it.git(&["add", "admit.yaml"]);
    it.admit(&["check", "--staged"]).exits(2).complains("admit.yaml:1:1");
}

#[test]
fn a_removal_is_staged_and_a_conflict_is_said() {
    let it = base();
    it.write("policies/keep.yaml", KEEP);
    it.commit("keep");
    it.git(&["rm", "-q", "apps/a.yaml"]);
    it.admit(&["check", "--staged"]).exits(1).says("error[keep/check]");
    it.git(&["reset", "-q", "--hard"]);
    it.git(&["checkout", "-q", "-b", "other"]);
    it.write("apps/a.yaml", widget("a", "size", "tiny"));
    it.commit("tiny");
    it.git(&["checkout", "-q", "main"]);
    it.write("apps/a.yaml", widget("a", "size", "large"));
    it.commit("large");
    assert_eq!(it.try_git(&["merge", "-q", "other"]).code, 1);
    it.admit(&["check", "--staged"]).exits(1).says("error[source/unmerged]").says_not("keep/check");
}

#[test]
fn before_the_first_commit_everything_staged_is_new() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small")).write("apps/b.yaml", widget("b", "size", "large"));
    it.admit(&["check", "--staged"]).exits(3);
    it.git(&["add", "-A"]);
    it.admit(&["check", "--staged"]).exits(1).says("apps/b.yaml:4:15");
    let bare = Scratch::new();
    bare.git(&["init", "-q", "--bare"]);
    bare.admit(&["check", "--staged"]).exits(2).complains("a bare repository has no index");
}

#[test]
fn a_change_says_of_its_objects_what_the_tree_says() {
    let it = Scratch::repository();
    let strict = |text: String| text.replace("validate: {", "validate: { allowExistingViolations: false,");
    it.write("policies/size.yaml", strict(policy("size", "size", "small")));
    it.write("policies/color.yaml", strict(policy("color", "color", "red")))
        .write("waivers/a.yaml", exception("e", "color", "w1*"));
    for n in 0..20 {
        let size = ["small", "large"][n % 2];
        it.write(&format!("apps/{n}.yaml"), widget(&format!("w{n}"), "size", size));
    }
    it.commit("base");
    for n in (0..20).step_by(3) {
        let two = [widget(&format!("w{n}"), "size", "huge"), widget(&format!("n{n}"), "color", "red")];
        it.write(&format!("apps/{n}.yaml"), two.join("---\n"));
    }
    let change = it.change(&["--format", "json"]).exits(1).json();
    let tree = it.admit(&["check", "--format", "json"]).exits(1).json();
    let changed = |path: &str| (0..20).step_by(3).any(|n| path == format!("apps/{n}.yaml"));
    let tree: Vec<_> =
        tree["findings"].as_array().unwrap().iter().filter(|it| changed(it["path"].as_str().unwrap())).collect();
    let change: Vec<_> = change["findings"].as_array().unwrap().iter().collect();
    assert!(change.len() > 10);
    assert!(change == tree, "{} findings of the change, {} of the tree", change.len(), tree.len());
}

#[test]
fn a_change_reads_only_what_it_needs() {
    let it = base();
    for n in 0..300 {
        it.write(&format!("apps/{}/{n}.yaml", n % 20), widget(&format!("w{n}"), "size", "small"));
    }
    it.commit("many");
    it.write("apps/3/3.yaml", widget("w3", "size", "large"));
    it.commit("one");
    // All that is not needed is taken away: whoever reads it fails.
    let keep = |path: &str| it.git(&["rev-parse", &format!("HEAD:{path}"), &format!("HEAD~1:{path}")]);
    let mut needed: Vec<String> = ["", "apps", "apps/3", "apps/3/3.yaml", "policies", "policies/size.yaml"]
        .iter()
        .flat_map(|it| keep(it).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    needed.extend(it.git(&["rev-parse", "HEAD", "HEAD~1"]).lines().map(str::to_owned));
    for entry in it.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]).lines() {
        if !needed.iter().any(|it| it == entry) {
            let file = it.path(&format!(".git/objects/{}/{}", &entry[..2], &entry[2..]));
            fs::remove_file(file).unwrap();
        }
    }
    let flags = ["check", "--diff", "HEAD~1", "--policies", "policies", "--exceptions", "exceptions"];
    it.admit(&flags).exits(1).says("apps/3/3.yaml:4:15").says("1 error");
    assert!(!Command::new("git").args(["fsck"]).current_dir(it.path("")).output().unwrap().status.success());
}
