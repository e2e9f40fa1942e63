//! `admit exceptions generate`: exceptions that cover what was asked for, are refused until they are complete, and are
//! judged before anybody writes them.

use crate::scratch::{Run, Scratch, policy, widget};

/// A rule for Pods, in a policy that Kyverno extends to their controllers.
const HOST: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: host }
spec:
  validationFailureAction: Enforce
  rules:
    - name: ipc
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { message: no host, pattern: { spec: { =(hostIPC): 'false' } } }
";

/// The same in CEL, of another field.
const NO_PID: &str = "apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: { name: no-pid }
spec:
  validationActions: [Deny]
  matchConstraints:
    resourceRules: [{ apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods] }]
  validations: [{ expression: '!object.spec.?hostPID.orValue(false)', message: no PID }]
";

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: { name: tool, namespace: shop }
spec:
  selector: { matchLabels: { a: b } }
  template:
    metadata: { labels: { a: b } }
    spec: { hostIPC: true, containers: [{ name: a, image: 'x/y:1', securityContext: { privileged: true } }] }
";

fn generate(it: &Scratch, arguments: &[&str]) -> Run {
    it.admit(&[&["exceptions", "generate"], arguments].concat())
}

#[test]
fn a_controller_is_named_exactly_and_what_it_creates_by_its_prefix() {
    let it = Scratch::repository();
    it.write("policies/host.yaml", HOST).write("apps/tool.yaml", DEPLOYMENT);
    it.write("apps/other.yaml", DEPLOYMENT.replace("name: tool", "name: other"));
    let said = ["--owner", "ann", "--reason", "reads shared memory", "--expires", "2099-01-31"];
    let run = generate(&it, &[&["--resource", "Deployment/shop/tool"], said.as_slice()].concat()).exits(0);
    let expected = "# For Deployment shop/tool, by admit exceptions generate.
# It also covers what it creates: each ReplicaSet and Pod `tool-*`.
apiVersion: kyverno.io/v2
kind: PolicyException
metadata:
  name: host-deployment-shop-tool
  namespace: shop
  labels:
    cleanup.kyverno.io/ttl: 2099-01-31
  annotations:
    exceptions.policy/owner: ann
    exceptions.policy/reason: reads shared memory
spec:
  exceptions:
  - policyName: host
    ruleNames:
    - autogen-ipc
    - ipc
  match:
    any:
    - resources:
        kinds:
        - Deployment
        names:
        - tool
        namespaces:
        - shop
    - resources:
        kinds:
        - ReplicaSet
        - Pod
        names:
        - tool-*
        namespaces:
        - shop
";
    assert_eq!(run.stdout, expected);
    run.complains("1 of 1 findings covered, and nothing else").complains("also covers what it creates");

    // Written, it does what was promised, and no rule of governance has anything to say.
    generate(&it, &[&["--rule", "ipc", "--write"], said.as_slice()].concat()).exits(0);
    it.admit(&["check", "--fail-on", "warning"]).exits(0).says("2 waived");
    it.admit(&["exceptions"]).says("2 exceptions: 2 needed");

    // Without what it creates the Pods never start, which another rule says.
    let run = generate(&it, &[&["--resource", "*/shop/tool", "--no-children"], said.as_slice()].concat());
    run.exits(3).complains("nothing that fails is asked for");
    it.remove("exceptions/host-deployment-shop-tool.yaml");
    let run = generate(&it, &[&["--resource", "*/shop/tool", "--no-children"], said.as_slice()].concat());
    let run = run.exits(1).says("    - autogen-ipc\n  match");
    assert!(!run.stdout.contains("tool-*"), "{}", run.stdout);
    run.complains("EXC021");
}

#[test]
fn what_is_left_blank_exempts_nothing_until_it_is_filled_in() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/a.yaml", widget("abc", "size", "large"));
    it.write("admit.yaml", "governance: { rules: { EXC029: { required: [{ key: '*/owner' }, { key: example.com/ticket, pattern: '^OPS-[0-9]+$' }] } } }\n");
    let run = generate(&it, &["--policy", "size", "--write"]).exits(0);
    run.complains("filled in: exceptions.policy/owner, example.com/ticket, cleanup.kyverno.io/ttl")
        .complains("1 of 1 findings covered");
    let file = "exceptions/size-widget-shop-abc.yaml";
    it.admit(&["check"]).exits(1).says("error[size/check]").says("waits to be filled in");
    let filled = std::fs::read_to_string(it.path(file)).unwrap();
    let filled = filled.replace("<date>", "2099-01-31").replace("<owner>", "ann").replace("<ticket>", "OPS-7");
    it.write(file, &filled);
    it.admit(&["check", "--fail-on", "warning"]).exits(0).says("1 waived");
    // One blank is enough.
    it.write(file, filled.replace(": ann", ": <owner>"));
    let run = it.admit(&["check"]).exits(1).says("error[EXC029]: `exceptions.policy/owner` waits to be filled in");
    run.says("`shop/size-widget-shop-abc` would cover it, but is ignored: it breaks EXC029");
    it.remove(file);
    let said = ["--policy", "size", "--owner", "ann", "--set", "ticket=OPS-8", "--expires", "30d"];
    let run = generate(&it, &said).exits(0).says("example.com/ticket: OPS-8");
    assert!(!run.stdout.contains('<'), "{}", run.stdout);
}

#[test]
fn pod_security_is_waived_by_controls_and_images_and_cel_by_kind_and_name() {
    let it = Scratch::repository();
    let standard = HOST.replace("name: host", "name: pss").replace(
        "{ message: no host, pattern: { spec: { =(hostIPC): 'false' } } }",
        "{ podSecurity: { level: baseline, version: latest } }",
    );
    let cel = "apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: { name: ipc }
spec:
  matchConstraints: { resourceRules: [{ apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods] }] }
  validations: [{ expression: '!has(object.spec.hostIPC) || !object.spec.hostIPC', message: no host }]
";
    it.write("policies/pss.yaml", standard).write("policies/cel.yaml", cel).write("apps/tool.yaml", DEPLOYMENT);
    let said = ["--owner", "ann", "--reason", "x", "--expires", "2099-01-31"];
    let run = generate(&it, &[&["--policy", "*", "--write"], said.as_slice()].concat()).exits(0);
    run.complains("2 of 2 findings covered, and nothing else");
    let text = std::fs::read_to_string(it.path("exceptions/pss-deployment-shop-tool.yaml")).unwrap();
    let controls = "  podSecurity:\n  - controlName: Host Namespaces\n  - controlName: Privileged Containers\n    images:\n    - x/y:*\n";
    assert!(text.ends_with(controls), "{text}");
    let text = std::fs::read_to_string(it.path("exceptions/ipc-deployment-shop-tool.yaml")).unwrap();
    for part in
        ["kind: ValidatingPolicy", "object.metadata.name == 'tool'", "expiresAt: 2099-01-31T00:00:00Z", "owner: ann"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    it.admit(&["check", "--fail-on", "warning"]).exits(0).says("2 waived");
    // Its Pods, and nothing that only begins alike.
    let pod = DEPLOYMENT.replace("kind: Deployment", "kind: Pod").replace("apps/v1", "v1");
    let pod = pod.split("spec:\n").next().unwrap().to_owned()
        + "spec: { hostIPC: true, containers: [{ name: a, image: 'x/y:2' }] }\n";
    it.write("apps/pod.yaml", pod.replace("name: tool", "name: tool-7d4b9c6f58-x2v7k"));
    it.admit(&["check"]).exits(0).says("4 waived");
    it.write("apps/pod.yaml", pod.replace("name: tool", "name: tools"));
    it.admit(&["check"]).exits(1).says("error[ipc]").says("error[pss/ipc]");
}

#[test]
fn the_findings_of_a_report_are_asked_for_and_what_fails_no_more_is_told() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("apps/a.yaml", widget("abc", "size", "large")).write("apps/b.yaml", widget("bcd", "size", "large"));
    it.admit(&["check", "--format", "json=report.json"]).exits(1);
    it.write("apps/b.yaml", widget("bcd", "size", "small")).write("apps/c.yaml", widget("cde", "size", "large"));
    let run = generate(&it, &["--report", "report.json"]).exits(0).says("- abc").says_not("- cde").says_not("- bcd");
    run.complains("does not fail now: Widget shop/bcd size/check");
    generate(&it, &["--report", "policies/size.yaml"]).exits(2).complains("no JSON report").complains("--format json");
    generate(&it, &[]).exits(2);
    generate(&it, &["--policy", "other"]).exits(3).complains("nothing that fails is asked for");
    generate(&it, &["--policy", "size", "--expires", "soon"]).exits(2).complains("this is no day");
}

#[test]
fn an_exception_lives_where_exceptions_may_and_is_written_over_nothing() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/a.yaml", widget("abc", "size", "large"));
    it.write("admit.yaml", "exceptions: [waivers/**]\ngovernance: { rules: { EXC010: { namespaces: [waivers] } } }\n");
    generate(&it, &["--policy", "size", "--write"]).exits(0);
    let text = std::fs::read_to_string(it.path("waivers/size-widget-shop-abc.yaml")).unwrap();
    assert!(text.contains("  namespace: waivers\n"), "{text}");
    // It is blank still, so that the finding stays.
    let run = generate(&it, &["--policy", "size", "--write"]).exits(0);
    run.complains("waivers/size-widget-shop-abc-2");
    generate(&it, &["--policy", "size", "-o", "waivers/size-widget-shop-abc.yaml"]).exits(2).complains("there already");
    // Where nobody looks for exceptions, one covers nothing.
    let run = generate(&it, &["--policy", "size", "-o", "apps/waiver.yaml"]).exits(1);
    run.complains("is not covered: Widget shop/abc size/check");
    it.write("admit.yaml", "governance: { rules: { EXC010: { namespaces: [waivers-*] } } }\n");
    generate(&it, &["--policy", "size"]).exits(1).complains("say --namespace");
    generate(&it, &["--policy", "size", "--namespace", "waivers-a"]).exits(0).says("namespace: waivers-a");
    let run = generate(&it, &["--policy", "size", "--namespace", "shop"]).exits(1);
    run.complains("is not covered")
        .complains("it breaks EXC010")
        .complains("of the exceptions themselves: error[EXC010]");
}

#[test]
fn what_no_exception_covers_is_told_and_so_is_what_one_covers_beside() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    let guard = policy("guard", "background", "false").replace("Widget", "PolicyException");
    it.write("policies/guard.yaml", guard);
    // Two kinds of the same name, and only one that is asked for.
    it.write(
        "apps/a.yaml",
        widget("abc", "size", "large") + "---\n" + &widget("abc", "size", "small").replace("example.com", "other.org"),
    );
    let run = generate(&it, &["--policy", "size"]).exits(1);
    run.complains("would change, too: Widget shop/abc size/check")
        .complains("and more than was asked for")
        // The exception is itself one that a policy refuses.
        .complains("of the exceptions themselves: error[guard/check]");
    it.write("exceptions/a.yaml", crate::scratch::exception("abc", "size", "abc"));
    generate(&it, &["--policy", "guard"]).exits(1).complains("can't be covered: PolicyException shop/abc guard/check");
    it.write("apps/a.yaml", widget("'a?c'", "size", "large"));
    generate(&it, &["--policy", "size"]).exits(1).complains("its name holds a wildcard");
}

#[test]
fn what_the_cluster_gives_its_name_is_told_by_what_that_is_made_of() {
    let it = Scratch::repository();
    it.write("policies/host.yaml", HOST).write("policies/cel.yaml", NO_PID);
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: { generateName: run-, namespace: shop }\n\
        spec: { hostIPC: true, hostPID: true, containers: [{ name: a, image: x }] }\n";
    it.write("apps/a.yaml", pod);
    let said = ["--policy", "*", "--owner", "ann", "--reason", "debugging", "--expires", "2099-01-31"];
    let run = generate(&it, &[said.as_slice(), &["--write"]].concat()).exits(0);
    run.complains("no-pid-pod-shop-run: also covers every Pod `run-*`").complains("2 of 2 findings covered");
    let run = it.admit(&["check", "--fail-on", "warning"]).exits(0).says("2 waived");
    // The reason stands among the annotations of one and among the properties of the other.
    assert_eq!(run.stdout.matches("reason: debugging").count(), 2, "{}", run.stdout);
    it.admit(&["exceptions"]).says("2 exceptions: 2 needed");
}
