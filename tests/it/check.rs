//! `admit check` on trees, named files and standard input.

use std::fs;

use crate::scratch::{Scratch, exception, policy, widget};

/// A repository with one policy and one Widget that it lets in.
fn clean() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small")).write("apps/a.yaml", widget("a", "size", "small"));
    it
}

/// The same with a Widget that it refuses.
fn violating() -> Scratch {
    let it = clean();
    it.write("apps/b.yaml", widget("b", "size", "large"));
    it
}

#[test]
fn exit_0_says_what_was_looked_at() {
    clean().admit(&["check"]).exits(0).says("no findings").says("looked at 2 files: 1 manifest and 1 policy");
}

#[test]
fn exit_1_names_the_line_to_blame_and_the_clause() {
    let run = violating().admit(&["check"]).exits(1);
    let run = run.says("error[size/check]").says("apps/b.yaml:4:15").says("policies/size.yaml:9:73");
    run.says("1 error").says_not("apps/a.yaml");
}

#[test]
fn exit_2_for_a_flag_that_does_not_exist() {
    clean().admit(&["check", "--polices", "x"]).exits(2).complains("--policies");
}

#[test]
fn exit_2_for_a_path_that_is_missing_and_it_is_named() {
    clean().admit(&["check", "apps/c.yaml"]).exits(2).complains("apps/c.yaml");
    clean().admit(&["check", "apps", "apps/c.yaml"]).exits(2).complains("apps/c.yaml");
    clean().admit(&["check", "--policies", "polices"]).exits(2).complains("`polices` does not exist");
    clean().admit(&["check", "--policies", "policies/*.yml"]).exits(2).complains("no file matches `policies/*.yml`");
}

#[test]
fn exit_2_for_settings_that_are_wrong_with_line_and_suggestion() {
    let it = clean();
    it.write("admit.yaml", "# ours\nexcludes: [apps]\n");
    let run = it.admit(&["check"]).exits(2);
    run.complains("admit.yaml:2:1: unknown field `excludes`").complains("hint: did you mean `exclude`?");
    it.write("admit.yaml", "exclude:\n  - ../elsewhere\n");
    it.admit(&["check"]).exits(2).complains("admit.yaml:2:").complains("`../elsewhere` leads out of the repository");
}

#[cfg(unix)]
#[test]
fn exit_2_for_settings_behind_a_link() {
    let it = clean();
    it.write("other.txt", "password: hunter2\n");
    std::os::unix::fs::symlink("other.txt", it.path("admit.yaml")).unwrap();
    let run = it.admit(&["check"]).exits(2).complains("admit.yaml: not a regular file");
    assert!(!run.stderr.contains("hunter2"));
}

#[test]
fn exit_3_without_a_policy_and_without_a_manifest() {
    let it = clean();
    it.remove("policies/size.yaml");
    it.admit(&["check"]).exits(3).says("nothing was checked: no policy was found");
    let it = clean();
    it.remove("apps/a.yaml");
    // The policy itself is an object, too, but nobody asks what it is for.
    it.write("admit.yaml", "include: [apps]\n");
    it.admit(&["check"]).exits(3).says("nothing was checked: no manifest was found");
    // A named file may well hold nothing to judge.
    it.write("values.yaml", "a: 1\n");
    it.admit(&["check", "values.yaml"]).exits(0);
}

#[test]
fn fail_on_moves_the_border() {
    let it = clean();
    it.write("policies/size.yaml", policy("size", "size", "small").replace("Enforce", "Audit"));
    it.write("apps/b.yaml", widget("b", "size", "large"));
    it.admit(&["check"]).exits(0).says("warning[size/check]").says("1 warning");
    it.admit(&["check", "--fail-on", "warning"]).exits(1);
    violating().admit(&["check", "--fail-on", "never"]).exits(0).says("error[size/check]");
    violating().admit(&["check", "--fail-on", "info"]).exits(2).complains("--fail-on");
}

#[test]
fn formats_go_to_several_files_at_once() {
    let it = violating();
    let formats = ["json=out.json", "sarif=out.sarif", "junit=out.xml", "markdown=out.md", "text"];
    let flags: Vec<&str> = formats.iter().flat_map(|it| ["--format", *it]).collect();
    it.admit(&[&["check"], &flags[..]].concat()).exits(1).says("error[size/check]");
    for name in ["out.json", "out.sarif", "out.xml", "out.md"] {
        let text = fs::read_to_string(it.path(name)).unwrap();
        assert!(text.contains("size must be small"), "{name}: {text}");
    }
    it.admit(&["check", "--format", "json", "-o", "one.json"]).exits(1).says_not("size");
    assert!(it.path("one.json").exists());
}

#[test]
fn formats_that_can_not_go_together_end_the_run_before_it_begins() {
    let it = violating();
    it.admit(&["check", "--format", "json", "--format", "text"]).exits(2).complains("can't share standard output");
    it.admit(&["check", "--format", "json", "--format", "text", "-o", "x"]).exits(2).complains("--output");
    it.admit(&["check", "--format", "yaml"]).exits(2).complains("no such format; there are text, json");
    it.admit(&["check", "--format", "json=no/such/directory"]).exits(2).complains("can't be written");
}

#[test]
fn standard_input_is_judged_by_the_law_of_the_repository() {
    let run = violating().admit_with(widget("c", "size", "huge").as_bytes(), &["check", "-"]).exits(1);
    run.says("<stdin>:4:15").says_not("apps/b.yaml");
    clean().admit_with(widget("c", "size", "small").as_bytes(), &["check", "-"]).exits(0);
    // A file and the stream at once.
    let run = violating().admit_with(b"a: [\n", &["check", "-", "apps/b.yaml"]).exits(1);
    run.says("<stdin>").says("apps/b.yaml");
}

#[test]
fn standard_input_outside_of_a_repository_does_not_search_the_directory() {
    let it = Scratch::new();
    it.write("p.yaml", policy("size", "size", "small"));
    it.admit_with(widget("c", "size", "huge").as_bytes(), &["check", "-"]).exits(3);
    it.admit_with(widget("c", "size", "huge").as_bytes(), &["check", "-", "--policies", "p.yaml"]).exits(1);
}

#[test]
fn a_named_file_has_the_law_of_its_own_repository() {
    let it = Scratch::new();
    for (root, mark, wanted) in [("one", ".git/config", "small"), ("two", "admit.yaml", "large")] {
        it.write(&format!("{root}/{mark}"), "").write(&format!("{root}/p.yaml"), policy("size", "size", wanted));
        it.write(&format!("{root}/apps/deep/a.yaml"), widget("a", "size", "small"));
    }
    it.admit(&["check", "one/apps/deep/a.yaml"]).exits(0);
    it.admit(&["check", "two/apps/deep/a.yaml"]).exits(1).says(" two/apps/deep/a.yaml:4:15");
    it.admit(&["check", "two/apps"]).exits(1).says_not("p.yaml:1");
    let both = it.admit(&["check", "one/apps/deep/a.yaml", "two/apps"]).exits(2);
    both.complains("`one/apps/deep/a.yaml` and `two/apps` belong to different repositories");
    it.admit_in("two/apps", &["check", "deep/a.yaml"]).exits(1);
}

#[test]
fn only_what_is_named_is_judged_and_what_is_broken_elsewhere_is_left_alone() {
    let it = violating();
    it.write("apps/broken.yaml", "a: [\n").write("apps/chart.yaml", "{{- if .Namespace }}\na: b\n{{- end }}\n");
    let run = it.admit(&["check", "apps/a.yaml"]).exits(0);
    run.says("looked at 2 files: 1 manifest and 1 policy");
    // What could be a policy is not left alone: nobody knows what it says.
    it.write("policies/other.yaml", policy("other", "size", "small").replace("spec:", "spec: ["));
    it.admit(&["check", "apps/a.yaml"]).exits(1).says("policies/other.yaml");
}

#[test]
fn ignored_files_are_not_judged_unless_git_tracks_them_or_someone_names_them() {
    let it = violating();
    it.write(".gitignore", "b.yaml\n");
    it.admit(&["check"]).exits(0);
    it.admit(&["check", "apps/b.yaml"]).exits(1);
    it.git(&["add", "-f", "apps/b.yaml"]);
    it.admit(&["check"]).exits(1);
    it.write("apps/.admitignore", "b.yaml\n");
    it.admit(&["check"]).exits(0);
}

#[test]
fn include_and_exclude_say_what_is_judged() {
    let it = violating();
    it.write("lab/c.yaml", widget("c", "size", "large"));
    for (settings, paths) in [
        ("", &["apps/b.yaml", "lab/c.yaml"][..]),
        ("exclude: [lab]\n", &["apps/b.yaml"]),
        ("include: [lab]\n", &["lab/c.yaml"]),
        ("include: ['**/c.yaml', apps]\nexclude: [apps/b.yaml]\n", &["lab/c.yaml"]),
    ] {
        it.write("admit.yaml", settings);
        let run = it.admit(&["check", "--format", "json"]);
        let found = run.findings();
        let wanted: Vec<String> = paths.iter().map(|path| format!("size/check {path}:4")).collect();
        assert_eq!(found, wanted, "{settings}");
    }
}

#[test]
fn include_does_not_hide_the_law_or_what_stands_for_the_cluster() {
    let it = violating();
    let selects = "namespaceSelector: { matchLabels: { env: prod } }, kinds: [Widget]";
    it.write("policies/size.yaml", policy("size", "size", "small").replace("kinds: [Widget]", selects));
    it.write(
        "cluster/ns.yaml",
        "{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { env: prod } } }\n",
    );
    it.write("admit.yaml", "include: [apps]\n");
    it.admit(&["check"]).exits(1).says("apps/b.yaml");
}

#[test]
fn settings_say_where_policies_and_exceptions_are() {
    let it = violating();
    it.write("drafts/color.yaml", policy("color", "color", "red"));
    it.write("waivers/b.yaml", exception("b", "size", "b")).write("apps/waiver.yaml", exception("a", "color", "'*'"));
    it.write("admit.yaml", "policies: [policies/*.yaml]\nexceptions: [waivers]\ninclude: ['apps/?.yaml']\n");
    it.admit(&["check", "--no-governance"]).exits(0).says("1 waived by an exception").says("1 policy and 1 exception");
    it.write("admit.yaml", "policies: [policies]\nexceptions: [apps]\ninclude: ['apps/?.yaml']\n");
    it.admit(&["check", "--no-governance"]).exits(1).says("error[size/check]");
    it.write("admit.yaml", "policies: [policies, drafts, none]\nexceptions: [apps, waivers]\n");
    it.admit(&["check", "--no-governance"]).exits(0).says("2 policies");
    // A hidden directory counts where it is named.
    it.write(".law/color.yaml", policy("color", "color", "red"));
    it.write("admit.yaml", "policies: [.law]\n");
    it.write("waivers/b.yaml", exception("b", "size", "b"));
    it.remove("apps/waiver.yaml");
    it.admit(&["check", "--no-governance"]).exits(1).says("error[color/check]").says_not("size/check");
    // Flags come before settings.
    it.admit(&["check", "--policies", "policies"]).exits(0).says_not("color");
}

#[test]
fn flags_take_files_directories_and_globs_here_and_elsewhere() {
    let it = violating();
    let other = Scratch::new();
    other.write("law/p.yaml", policy("weight", "weight", "light"));
    let law = other.path("law");
    let glob = law.join("*.yaml");
    for named in [law.as_os_str(), law.join("p.yaml").as_os_str(), glob.as_os_str()] {
        let run = it.admit(&["check".as_ref(), "--policies".as_ref(), named]).exits(1).says("weight/check");
        run.says(law.join("p.yaml").to_str().unwrap()).says_not("size/check");
    }
    for named in ["../policies", "../policies/*", "../policies/size.yaml"] {
        it.admit_in("apps", &["check", "--policies", named]).exits(1).says("policies/size.yaml:9");
    }
}

#[test]
fn documents_before_a_broken_one_are_judged() {
    let it = clean();
    let three = [widget("x", "size", "large"), widget("y", "size", "large"), "a: [1,\nb: 2\n".to_owned()];
    it.write("apps/three.yaml", three.join("---\n"));
    let run = it.admit(&["check", "--format", "json"]).exits(1);
    let found = run.findings();
    assert_eq!(found.iter().filter(|it| it.starts_with("size/check apps/three.yaml:")).count(), 2, "{found:?}");
    assert!(found.iter().any(|it| it.starts_with("yaml/") && it.contains("apps/three.yaml:1")), "{found:?}");
}

#[test]
fn a_broken_policy_is_said_and_the_others_judge() {
    let it = violating();
    it.write("policies/color.yaml", policy("color", "color", "red").replace("pattern:", "patern:"));
    let run = it.admit(&["check"]).exits(1).says("error[policy/schema]").says("policies/color.yaml:9:47");
    run.says("`patern`").says("error[size/check]");
}

#[test]
fn a_policy_of_a_kind_that_is_not_evaluated_is_an_error_and_not_silence() {
    let it = clean();
    it.write("policies/new.yaml", policy("new", "size", "small").replace("kyverno.io/v1", "kyverno.io/v9"));
    it.admit(&["check"]).exits(1).says("policies/new.yaml:1");
    let it = clean();
    it.write(
        "policies/signed.yaml",
        policy("signed", "size", "small")
            .replace("validate: {", "verifyImages: [{ imageReferences: ['*'] }]\n      x: {"),
    );
    it.admit(&["check"]).exits(1);
}

#[test]
fn items_of_a_list_are_judged_each_at_its_own_line() {
    let it = clean();
    let list = "apiVersion: v1
kind: List
items:
  - apiVersion: example.com/v1
    kind: Widget
    metadata: { name: one }
    spec: { size: large }
  - apiVersion: v1
    kind: List
    items:
      - apiVersion: example.com/v1
        kind: Widget
        metadata: { name: two }
        spec: { size: large }
  - metadata: { name: three }
";
    it.write("apps/list.yaml", list);
    let found = it.admit(&["check", "--format", "json"]).exits(1).findings();
    let wanted =
        ["size/check apps/list.yaml:7", "size/check apps/list.yaml:14", "document/not-an-object apps/list.yaml:15"];
    assert_eq!(found, wanted);
}

#[test]
fn what_the_cluster_holds_is_updated() {
    let it = violating();
    it.write("cluster/old.yaml", widget("b", "size", "huge"));
    it.write("admit.yaml", "include: [apps]\n");
    // What violated before may go on to.
    it.admit(&["check"]).exits(1);
    it.admit(&["check", "--cluster", "cluster"]).exits(0).says("1 skip");
    let strict = policy("size", "size", "small").replace("validate: {", "validate: { allowExistingViolations: false,");
    it.write("policies/size.yaml", strict);
    it.admit(&["check", "--cluster", "cluster"]).exits(1);
    // Another version of the same kind is the same object, another name is not.
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("cluster/old.yaml", widget("b", "size", "huge").replace("example.com/v1", "example.com/v1beta1"));
    it.admit(&["check", "--cluster", "cluster"]).exits(0);
    it.write("cluster/old.yaml", widget("c", "size", "huge"));
    it.admit(&["check", "--cluster", "cluster"]).exits(1);
}

#[test]
fn an_object_without_a_name_is_always_new() {
    let it = clean();
    let nameless = |size: &str| widget("x", "size", size).replace("name: x,", "generateName: x-,");
    it.write("apps/b.yaml", nameless("large")).write("cluster/old.yaml", nameless("huge"));
    it.write("admit.yaml", "include: [apps]\n");
    it.admit(&["check", "--cluster", "cluster"]).exits(1);
}

#[test]
fn who_asks_counts_when_a_file_says_so() {
    let it = violating();
    let mine = policy("size", "size", "small");
    let mine = mine.replace("spec:\n", "spec:\n  background: false\n").replace(
        "    - name: check\n",
        "    - name: check\n      exclude: { any: [{ subjects: [{ kind: User, name: ann }] }] }\n",
    );
    it.write("policies/size.yaml", mine);
    let user =
        |name: &str| format!("apiVersion: cli.kyverno.io/v1alpha1\nkind: UserInfo\nuserInfo: {{ username: {name} }}\n");
    it.write("ann.yaml", user("ann")).write("bob.yaml", user("bob"));
    it.admit(&["check", "--userinfo", "ann.yaml"]).exits(0);
    it.admit(&["check", "--userinfo", "bob.yaml"]).exits(1).says("error[size/check]");
    it.admit(&["check", "--userinfo", "carl.yaml"]).exits(2).complains("--userinfo carl.yaml");
    it.write("bad.yaml", "a: [\n");
    it.admit(&["check", "--userinfo", "bad.yaml"]).exits(2).complains("--userinfo bad.yaml");
}

#[test]
fn labels_of_namespaces_come_from_the_tree() {
    let it = violating();
    let selects = "namespaceSelector: { matchLabels: { env: prod } }, kinds: [Widget]";
    it.write("policies/size.yaml", policy("size", "size", "small").replace("kinds: [Widget]", selects));
    it.admit(&["check"]).exits(1).says("not decided").says("add the manifest of Namespace `shop`");
    it.write("held.yaml", "{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { env: prod } } }\n");
    it.write("admit.yaml", "exclude: [held.yaml]\n");
    it.admit(&["check", "--cluster", "held.yaml"]).exits(1).says_not("not decided");
    it.write("ns.yaml", "{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }\n");
    it.admit(&["check"]).exits(0);
    it.admit(&["check", "--cluster", "apps"]).exits(0);
    it.write("ns.yaml", "{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { env: prod } } }\n");
    it.admit(&["check"]).exits(1).says_not("not decided");
    it.admit(&["check", "apps/b.yaml"]).exits(1);
    it.admit_with(widget("c", "size", "huge").as_bytes(), &["check", "-"]).exits(1);
}

#[test]
fn expressions_of_a_rule_see_the_namespaces_of_the_tree() {
    let it = clean();
    let text = policy("size", "size", "small");
    let head = text.split("    - name: check").next().unwrap();
    let rule = "    - name: check
      match: { any: [{ resources: { kinds: [Widget] } }] }
      validate: { cel: { expressions: [{ expression: \"'open' in namespaceObject.metadata.labels\", message: it is closed }] } }
";
    it.write("policies/size.yaml", format!("{head}{rule}"));
    it.admit(&["check"]).exits(1).says("not decided");
    it.write("ns.yaml", "{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { open: '' } } }\n");
    it.admit(&["check"]).exits(0);
}

#[test]
fn what_passes_for_want_of_an_object_is_told_once_for_a_rule() {
    let it = clean();
    let rule = |resource: &str| {
        format!(
            "    - name: check
      match: {{ any: [{{ resources: {{ kinds: [Widget] }} }}] }}
      context: [{{ name: those, apiCall: {{ urlPath: /api/v1/namespaces/shop/{resource}, jmesPath: 'items | length(@)' }} }}]
      validate:
        message: there are some
        deny: {{ conditions: {{ any: [{{ key: '{{{{ those }}}}', operator: GreaterThan, value: 0 }}] }} }}
"
        )
    };
    let text = policy("size", "size", "small");
    let head = text.split("    - name: check").next().unwrap();
    it.write("policies/size.yaml", format!("{head}{}", rule("limitranges")));
    it.write("apps/b.yaml", widget("b", "size", "large"));
    let run = it.admit(&["check"]).exits(0).says("info[policy/absent]: `size/check` let something pass for want of");
    run.says("1 for information").says("`limitranges` in the repository");
    it.admit(&["check", "--explain"]).exits(0).says("the repository does not hold any `limitranges`: taken for absent");
    // It holds one, if elsewhere.
    it.write("lr.yaml", "{ apiVersion: v1, kind: LimitRange, metadata: { name: a, namespace: other } }\n");
    it.admit(&["check"]).exits(0).says("no findings");
    it.write("policies/size.yaml", format!("{head}{}", rule("pods")));
    it.admit(&["check"]).exits(1).says("the same in 1 other place").says("name a file that holds the `pods`");
}

#[test]
fn kinds_that_policies_name_by_a_guess_are_told() {
    let it = clean();
    let rule = |plural: &str| {
        format!(
            "apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {{ name: gates }}
spec:
  matchConstraints:
    resourceRules: [{{ apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [{plural}] }}]
  validations: [{{ expression: 'object.open == true', message: closed }}]
"
        )
    };
    it.write(
        "gate.yaml",
        "{ apiVersion: example.com/v1, kind: Index, metadata: { name: a, namespace: shop }, open: false }\n",
    );
    // The guess is as good as the real one; it is not known which.
    it.write("policies/gates.yaml", rule("indexes"));
    let run = it.admit(&["check"]).exits(1).says("info[policy/guessed-kind]: `indexes` is guessed").says("closed");
    run.says("policies/gates.yaml:6");
    // The rule is never asked, and that is said.
    it.write("policies/gates.yaml", rule("indices"));
    let run =
        it.admit(&["check"]).exits(0).says("warning[policy/guessed-kind]: `indices` may be the plural of `Index`");
    run.says("policies/gates.yaml:6").says("add the CustomResourceDefinition of `Index`");
    it.admit(&["check", "--fail-on", "warning"]).exits(1);
    it.write("policies/gates.yaml", rule("sprockets"));
    it.admit(&["check"]).exits(0).says("no findings");
    // What a definition says is known.
    it.write("policies/gates.yaml", rule("indices"));
    let names = "names: { kind: Index, plural: indices }";
    let definition = format!(
        "{{ apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{ name: indices.example.com }}, \
         spec: {{ group: example.com, scope: Namespaced, {names}, versions: [{{ name: v1, served: true, storage: true, \
         schema: {{ openAPIV3Schema: {{ type: object, x-kubernetes-preserve-unknown-fields: true }} }} }}] }} }}\n"
    );
    it.write("crd.yaml", definition);
    it.admit(&["check"]).exits(1).says("closed").says("1 error");
}

#[test]
fn config_maps_for_the_context_come_from_the_tree() {
    let it = clean();
    let rule = "    - name: check
      match: { any: [{ resources: { kinds: [Widget] } }] }
      context: [{ name: sizes, configMap: { name: sizes, namespace: shop } }]
      validate:
        message: this size is not for sale
        deny: { conditions: { any: [{ key: '{{ request.object.spec.size }}', operator: NotEquals, value: '{{ sizes.data.only }}' }] } }
";
    let text = policy("size", "size", "small");
    let head = text.split("    - name: check").next().unwrap();
    it.write("policies/size.yaml", format!("{head}{rule}"));
    // Nobody knows what a cluster holds.
    it.admit(&["check"]).exits(1).says("the ConfigMap shop/sizes");
    let sizes =
        "{ apiVersion: v1, kind: ConfigMap, metadata: { name: sizes, namespace: shop }, data: { only: small } }\n";
    it.write("cm.yaml", sizes);
    it.admit(&["check"]).exits(0);
    it.admit(&["check", "apps/a.yaml"]).exits(0);
    it.write("cm.yaml", sizes.replace("small", "huge"));
    it.admit(&["check", "apps/a.yaml"]).exits(1).says("this size is not for sale");
}

#[test]
fn what_is_no_manifest_is_counted_and_not_judged() {
    let it = clean();
    let template = "{{- if .Values.on }}\nkind: Widget\n{{- end }}\n";
    it.write("chart/Chart.yaml", "name: c\nversion: 0.1.0\n").write("chart/templates/w.yaml", template);
    it.write("chart/values.yaml", "on: true\n").write(".github/workflows/ci.yaml", "on: push\njobs: {}\n");
    it.write("over/kustomization.yaml", "patches: [{ path: p/w.yaml }]\nresources: [../apps]\n");
    it.write("over/p/w.yaml", widget("a", "size", "large"));
    it.write("tests/kyverno-test.yaml", "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: { name: t }\n");
    it.write("notes.yaml", "- some\n- list\n").write("README.md", "---\nkind: Widget\n");
    let run = it.admit(&["check"]).exits(0);
    run.says("1 manifest, 1 policy, 1 kustomization, 1 Kustomize patch, 1 Helm template, 1\n    test suite, 3 configuration files and 1 other document");
    // Named, they are known for what they are, even if nothing else is read.
    for name in ["chart/templates/w.yaml", "over/p/w.yaml"] {
        let all = ["check", "--policies", "policies", "--exceptions", "apps", "--cluster", "apps", name];
        it.admit(&all).exits(0);
    }
}

#[test]
fn a_template_outside_of_a_chart_is_told_from_a_slip() {
    let it = clean();
    it.write("apps/t.yaml", "spec:\n  {{- range .Pods }}\n  a: b\n  {{- end }}\n");
    it.admit(&["check"]).exits(1).says("apps/t.yaml:2:").says("is a template: render the file, or exclude it");
}

#[test]
fn nothing_hides_behind_a_name_or_a_kustomization() {
    let it = clean();
    let pod = |name: &str| {
        let spec = "{ containers: [{ name: a, image: b }] }";
        format!("{{ apiVersion: v1, kind: Pod, metadata: {{ name: {name} }}, spec: {spec} }}\n")
    };
    it.write("policies/size.yaml", policy("size", "size", "small").replace("Widget", "Pod"));
    it.write("apps/kustomization.yaml", pod("a")).write("apps/values.yaml", pod("b"));
    it.write(".github/workflows/a.yaml", pod("c")).write("apps/patched.yaml", pod("d"));
    it.write("other/kustomization.yaml", "patches: [{ path: ../apps/patched.yaml }]\n");
    let found = it.admit(&["check", "--render", "never", "--format", "json"]).exits(1).findings();
    let paths: Vec<&str> = found.iter().map(|it| it.split(' ').nth(1).unwrap()).collect();
    assert_eq!(
        paths,
        [".github/workflows/a.yaml:1", "apps/kustomization.yaml:1", "apps/patched.yaml:1", "apps/values.yaml:1"]
    );
}

#[test]
fn what_stands_twice_is_told() {
    let it = clean();
    let twice = widget("b", "size", "small").replace("size: small", "size: large, size: small");
    it.write("apps/b.yaml", twice);
    let run = it.admit(&["check"]).exits(1).says("error[yaml/duplicate-key]: `size` stands more than once");
    run.says("apps/b.yaml:4:9").says("1 error");
    it.write("apps/b.yaml", widget("b", "size", "small")).write("apps/c.yaml", widget("b", "size", "small"));
    let run = it.admit(&["check"]).exits(0).says("warning[object/duplicate]: Widget shop/b is defined twice");
    run.says("apps/c.yaml:3:19").says("apps/b.yaml:3:19");
    // An overlay has its own.
    it.remove("apps/c.yaml").write("prod/b.yaml", widget("b", "size", "small"));
    it.admit(&["check"]).exits(0).says_not("object/duplicate");
}

/// Formats, and how a file of them is called.
const FORMATS: [&str; 9] =
    ["text", "json", "sarif", "github", "gitlab", "junit", "markdown", "policyreport", "openreports"];

#[test]
fn values_of_a_secret_are_in_no_format() {
    let it = clean();
    let rules = "    - name: message
      match: { any: [{ resources: { kinds: [Secret] } }] }
      validate:
        message: '{{ request.object.stringData.password }} and {{ request.object.data.token }} are weak'
        pattern: { stringData: { password: '?????????????*' } }
    - name: condition
      match: { any: [{ resources: { kinds: [Secret] } }] }
      validate:
        message: '{{ request.object.data.token | base64_decode(@) }} is known'
        deny: { conditions: { any: [{ key: '{{ request.object.stringData.password }}', operator: NotEquals, value: x }] } }
    - name: passing
      match: { any: [{ resources: { kinds: [Secret] } }] }
      validate: { message: none, deny: { conditions: { any: [{ key: '{{ request.object.stringData.password }}', operator: Equals, value: x }] } } }
";
    let text = policy("secret", "size", "small");
    let head = text.split("    - name: check").next().unwrap();
    it.write("law/secret.yaml", format!("{head}{rules}"));
    it.write(
        "apps/secret.yaml",
        "apiVersion: v1
kind: Secret
metadata: { name: s }
stringData: { password: hunter2 }
data: { token: c2VzYW1lLW9wZW4= }
---
apiVersion: v1
kind: Secret
stringData: { password: \"hunter2 }
",
    );
    it.write(
        "apps/list.yaml",
        "apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  stringData: { password: hunter2 }\n",
    );
    for format in FORMATS {
        let run = it.admit(&["check", "--policies", "law", "--format", format, "--explain", "apps"]).exits(1);
        for value in ["hunter2", "sesame", "c2VzYW1l", "aHVudGVyMg"] {
            assert!(!run.stdout.contains(value) && !run.stderr.contains(value), "{format}: {value} in {}", run.stdout);
        }
        if format != "github" {
            assert!(
                run.stdout.contains("secret/message") || run.stdout.contains("message"),
                "{format}: {}",
                run.stdout
            );
        }
    }
}

#[test]
fn explain_tells_each_step_with_values_and_lines() {
    let it = Scratch::repository();
    let rule = |name: &str, matching: &str, rest: &str| {
        format!("    - name: {name}\n      match: {{ any: [{{ resources: {matching} }}] }}\n{rest}")
    };
    let rules = [
        rule(
            "denied",
            "{ kinds: [Widget] }",
            "      preconditions: { all: [{ key: '{{ request.operation }}', operator: Equals, value: CREATE }] }
      context: [{ name: limit, variable: { value: 1 } }]
      validate: { message: m, deny: { conditions: { any: [{ key: '{{ request.object.v }}', operator: GreaterThan, value: '{{ limit }}' }] } } }
",
        ),
        rule("labelled", "{ kinds: [Widget], selector: { matchLabels: { a: b } } }", "      validate: { pattern: { v: 1 } }\n"),
        rule("named", "{ kinds: [Widget], names: [other] }", "      validate: { pattern: { v: 1 } }\n"),
        rule("anchored", "{ kinds: [Widget] }", "      validate: { pattern: { (v): 1, w: 2 } }\n"),
        rule("gadgets", "{ kinds: [Gadget] }", "      validate: { pattern: { v: 1 } }\n"),
    ];
    let head = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: { name: p }\nspec:\n  rules:\n";
    it.write("policies/p.yaml", head.to_owned() + &rules.concat());
    it.write(
        "apps/a.yaml",
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: { name: a, labels: { a: c } }\nv: 2\n",
    );
    let run = it.admit(&["check", "--explain", "apps"]).exits(0);
    for line in [
        "  p/denied: fail\n    match: holds (policies/p.yaml:7:22)\n    preconditions: \"CREATE\" Equals \"CREATE\": holds (policies/p.yaml:8:30)\n",
        "    condition: 2 GreaterThan 1: holds (policies/p.yaml:10:59)\n    context: limit: 1\n    check: fail: m (",
        "    value: `2` (GreaterThan) (apps/a.yaml:4:4)\n",
        "  p/labelled: says nothing\n    match: does not hold: the labels {\"a\":\"c\"} do not match the selector (",
        "  p/named: says nothing\n    match: does not hold: no name matches `a` (",
        "  p/anchored: skip\n    match: holds (policies/p.yaml:18:22)\n    anchor: `(v)` at /v/ does not hold: the rest does not count (policies/p.yaml:19:35)\n    check: skip: conditional anchor mismatch: resource value '2' does not match '1' at path /v/",
        "    value: found 2 (apps/a.yaml:4:4)\n  1 rule is for other kinds\n",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
}

#[test]
fn explain_tells_anchors_elements_and_what_was_not_reached() {
    let it = Scratch::repository();
    it.write(
        "policies/p.yaml",
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: first }
spec:
  applyRules: One
  background: false
  rules:
    - name: bounded
      match: { any: [{ resources: { kinds: [Widget] } }] }
      validate:
        pattern: { X(w): '*', =(v): '>1', =(u): 1, items: [{ (id): a*, v: 1 }] }
    - name: late
      match: { any: [{ resources: { kinds: [Widget] } }] }
      validate: { deny: {} }
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: other }
spec:
  background: false
  rules:
    - name: each
      match: { any: [{ resources: { kinds: [Widget] } }] }
      validate:
        foreach:
          - list: request.object.items
            preconditions: { all: [{ key: '{{ element.id }}', operator: NotEquals, value: c }] }
            pattern: { =(v): 1 }
    - name: by-jane
      match: { any: [{ resources: { kinds: [Widget] }, subjects: [{ kind: User, name: jane }] }] }
      validate: { pattern: { v: 1 } }
    - name: marks
      match: { any: [{ resources: { kinds: [Widget] } }] }
      mutate: { patchStrategicMerge: { metadata: { labels: { +(mark): 'on' } } } }
",
    );
    it.write(
        "apps/a.yaml",
        "apiVersion: example.com/v1
kind: Widget
metadata: { name: a }
v: 2
items: [{ id: a, v: 1 }, { id: b, v: 2 }, { id: c, v: 3 }]
",
    );
    let run = it.admit(&["check", "--explain", "apps"]);
    for line in [
        "  first/bounded: pass\n    match: holds (policies/p.yaml:9:22)\n",
        "    anchor: `=(u)` at /u/ is absent: nothing is asked of it (policies/p.yaml:11:49)\n",
        "    anchor: `=(v)` at /v/ holds (policies/p.yaml:11:37)\n",
        "    anchor: `X(w)` at /w/ is absent, as it must be (policies/p.yaml:11:26)\n",
        "    anchor: `(id)` at /items/0/id/ holds: the rest counts (policies/p.yaml:11:68)\n",
        "    anchor: `(id)` at /items/1/id/ does not hold: the rest does not count (policies/p.yaml:11:68)\n",
        "  first/late: says nothing\n    match: not reached, because rule `bounded` applied: `applyRules` is `One`\n",
        "    anchor: 1 `=(v)` at /v/ does not hold (",
        "    element: 0 {\"id\":\"a\",\"v\":1}: pass: validation rule 'each' passed. (apps/a.yaml:5:11)\n",
        "    element: 1 {\"id\":\"b\",\"v\":2}: fail: validation error: rule each failed at path /v/\n      (apps/a.yaml:5:28)\n",
        "  other/by-jane: indeterminate\n    match: may hold: that takes who asks, which is not known here (policies/p.yaml:30:22)\n",
        "  other/marks: pass\n",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("element: 2"), "{}", run.stdout);
}

#[test]
fn metadata_of_a_wrong_type_is_told() {
    let it = Scratch::repository();
    it.write("policies/p.yaml", policy("size", "size", "small"));
    let head = "apiVersion: example.com/v1\nkind: Widget\nspec: { size: small }\nmetadata:\n";
    let text = format!("{head}  {{ name: 5, namespace: n, labels: {{ a: yes, b: }}, annotations: [] }}\n");
    it.write("apps/a.yaml", text);
    it.write("apps/b.yaml", format!("{head}  {{ name: b, labels: {{ a: 'yes' }} }}\n"));
    let run = it.admit(&["check", "apps"]).exits(1);
    for (what, column) in [
        ("`metadata.name` must be a string, found a number", 11),
        ("`metadata.namespace` must be a string, found a boolean", 25),
        ("`metadata.labels.a` must be a string, found a boolean", 41),
        ("`metadata.annotations` must be a map, found a list", 65),
    ] {
        let line = format!("error[object/metadata]: {what}\n --> apps/a.yaml:5:{column}\n");
        assert!(run.stdout.contains(&line), "{line}\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("apps/b.yaml"), "{}", run.stdout);
}

#[cfg(unix)]
#[test]
fn hostile_names_and_texts_come_out_inert() {
    let it = clean();
    let evil = "\u{1b}[2J\u{1b}]0;x\u{7}::error::x\u{202e}";
    let message = "\"\\e[31m::error file=x::gone\\r\\n##[error]x\\u202e\"";
    it.write(
        "policies/size.yaml",
        policy("size", "size", "small").replace("message: size must be small", &format!("message: {message}")),
    );
    it.write(
        &format!("apps/{evil}\n::warning::x.yaml"),
        widget("\"\\e[1m\\u202e::stop-commands::x\"", "size", "large"),
    );
    it.write("apps/broken\r.yaml", "\u{1b}[1m: [");
    for format in FORMATS {
        let run = it.admit(&["check", "--format", format]).exits(1);
        let hostile =
            |it: char| (it.is_control() && !matches!(it, '\n' | '\t')) || ('\u{202a}'..='\u{202e}').contains(&it);
        assert!(!run.stdout.contains(hostile), "{format}: {:?}", run.stdout);
        for line in run.stdout.lines() {
            // The renderer's own `:::` is no command: a name that holds `::` is quoted.
            let rest = line.trim_start().strip_prefix("::: ").unwrap_or(line.trim_start());
            let begins = rest.starts_with("::") || line.contains("##[");
            assert!(format == "github" || !begins, "{format}: {line}");
        }
    }
    let run = it.admit(&["check", "--format", "github"]);
    for line in run.stdout.lines() {
        assert!(
            line.starts_with("::error ")
                || line.starts_with("::warning ")
                || line.starts_with("::notice ")
                || !line.starts_with("::"),
            "{line}"
        );
    }
}

#[test]
fn hostile_bytes_end_in_findings() {
    let it = clean();
    it.write("apps/deep.yaml", "[".repeat(20_000)).write("apps/deep.json", "{\"a\":".repeat(20_000));
    it.write("apps/nul.yaml", b"a: \0b\n").write("apps/latin.yaml", b"a: \xe9\n").write("apps/empty.yaml", "");
    it.write("apps/tab.yaml", "a:\n\t- b\n").write("apps/dots.yaml", "---\n---\n...\n---\n");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", alias.trim_end_matches(", ")));
    }
    it.write("apps/bomb.yaml", bomb);
    let found = it.admit(&["check", "--format", "json"]).exits(1).findings();
    for name in ["bomb.yaml", "deep.json", "deep.yaml", "latin.yaml", "nul.yaml", "tab.yaml"] {
        assert!(found.iter().any(|it| it.contains(name)), "{name}: {found:?}");
    }
    assert!(found.iter().all(|it| !it.starts_with("internal/")), "{found:?}");
}

#[test]
fn output_does_not_depend_on_the_number_of_threads() {
    let it = violating();
    for n in 0..60 {
        it.write(&format!("apps/{n}.yaml"), [widget("x", "size", "large"), widget("y", "size", "huge")].join("---\n"));
    }
    for format in ["text", "json", "junit", "sarif"] {
        let run = |jobs| it.admit(&["check", "--format", format, "--jobs", jobs]).exits(1).stdout;
        let one = run("1");
        assert!(one == run("2") && one == run("8"), "{format}");
    }
}

#[test]
fn who_asks_is_said_by_a_flag_or_the_settings_or_the_rule_is_not_decided() {
    let it = clean();
    it.write(
        "policies/size.yaml",
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: { name: size }\nspec:\n  background: false\n  rules:\n    \
         - name: check\n      match: { any: [{ resources: { kinds: [Widget] } }] }\n      validate:\n        \
         failureAction: Enforce\n        message: not jane\n        deny: { conditions: { any: [{ key: \
         \"{{ request.userInfo.username }}\", operator: Equals, value: jane }] } }\n",
    );
    it.admit(&["check"]).exits(1).says("error[size/check]").says("not decided");
    it.write("admit.yaml", "userinfo: { username: joe }\n");
    it.admit(&["check"]).exits(0);
    it.write("admit.yaml", "userinfo: { username: jane }\n");
    it.admit(&["check"]).exits(1).says("not jane");
    it.write(
        "jim.yaml",
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: UserInfo\nmetadata: { name: jim }\nuserInfo: { username: jim }\n",
    );
    it.admit(&["check", "--userinfo", "jim.yaml"]).exits(0);
    it.write("admit.yaml", "userinfo: { name: jane }\n");
    it.admit(&["check"]).exits(2).complains("admit.yaml:1:13: unknown field `name` in userinfo");
}

#[test]
fn a_tree_of_policies_alone_is_not_checked() {
    let it = clean();
    it.remove("apps/a.yaml");
    it.admit(&["check"]).exits(3).says("nothing was checked: no manifest was found");
}

#[test]
fn a_policy_in_a_list_is_an_error_and_not_silence() {
    let it = clean();
    let indented = policy("color", "color", "red").replace('\n', "\n    ");
    it.write("policies/list.yaml", format!("apiVersion: v1\nkind: List\nitems:\n  - {}\n", indented.trim_end()));
    it.admit(&["check"]).exits(1).says("error[policy/in-list]").says("policies/list.yaml:5:");
}

#[test]
fn the_summary_counts_objects_and_each_file_once() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    let list = "{ apiVersion: v1, kind: List, items: [{ apiVersion: example.com/v1, kind: Gadget, metadata: { name: a } }, \
                { apiVersion: example.com/v1, kind: Gadget, metadata: { name: b } }] }\n";
    it.write("apps/list.yaml", list)
        .write("apps/kustomization.yaml", "patches: [{ path: patch.yaml }]\n")
        .write("apps/patch.yaml", "- { op: add, path: /spec, value: {} }\n")
        .write("apps/broken.yaml", "a: [\n");
    let run = it.admit(&["check"]).exits(1);
    run.says("looked at 5 files: 2 manifests, 1 policy, 1 kustomization and 1 Kustomize patch");
    it.remove("apps/broken.yaml");
    it.commit("as it is");
    // A policy that changes is on both sides, and is one policy.
    it.write("policies/size.yaml", format!("{}# changed\n", policy("size", "size", "small")));
    it.commit("changed");
    it.admit(&["check", "--diff", "HEAD~1..HEAD"]).says("looked at 1 file: 1 policy");
}

#[test]
fn violations_that_were_there_before_are_named() {
    let it = Scratch::repository();
    let tolerant = policy("size", "size", "small").replace("pattern:", "allowExistingViolations: true, pattern:");
    it.write("policies/size.yaml", tolerant).write("apps/large.yaml", widget("large", "size", "large"));
    it.commit("as it is");
    it.write("apps/large.yaml", widget("large", "size", "huge"));
    it.commit("huge");
    let run = it.admit(&["check", "--diff", "HEAD~1..HEAD"]).exits(0);
    run.says("1 violation that was there before the change").says("shop/large (size/check)");
}

#[test]
fn a_bare_repository_is_told_what_can_be_looked_at() {
    let it = Scratch::repository();
    it.write("a.yaml", widget("a", "size", "small"));
    it.commit("one");
    it.git(&["clone", "-q", "--bare", ".", "server.git"]);
    let run = it.admit_in("server.git", &["check"]);
    // The working tree around it marks a root; a server has none.
    assert_ne!(run.code, 1, "{run:?}");
    let server = Scratch::new();
    let from = it.path("").display().to_string();
    server.git(&["clone", "-q", "--bare", &from, "it.git"]);
    let run = server.admit_in("it.git", &["check"]).exits(2);
    run.complains("this repository is bare").complains("admit check --diff BASE..HEAD");
    let run = server.admit_in("it.git", &["check", "--diff", "main..nowhere"]).exits(2);
    run.complains("unknown revision `nowhere`").complains("git branch lists");
}

#[test]
fn an_unclosed_bracket_is_blamed_itself() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("broken.yaml", "kind: Widget\nspec:\n  sizes: [small, large\n  color: red\n");
    let run = it.admit(&["check"]).exits(1);
    run.says("broken.yaml:3:10").says("`[` is not closed");
}
