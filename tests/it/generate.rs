//! What `GeneratingPolicy` makes, as `admit apply --output` writes it.

use crate::scratch::Scratch;

const CLONE: &str = r#"
apiVersion: policies.kyverno.io/v1
kind: GeneratingPolicy
metadata: { name: clone }
spec:
  matchConstraints:
    resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [namespaces] }]
  variables:
    - { name: secrets, expression: 'resource.List("v1", "secrets", "from")' }
  generate:
    - expression: generator.Apply(object.metadata.name, [variables.secrets])
"#;

const TEMPLATE: &str = r#"
apiVersion: policies.kyverno.io/v1
kind: GeneratingPolicy
metadata: { name: template }
spec:
  matchConstraints:
    resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [namespaces] }]
  variables:
    - { name: limit, expression: "{'cpu': 2}" }
  generate:
    - template:
        interpolate: cel
        value: |
          apiVersion: v1
          kind: ResourceQuota
          metadata:
            name: "for-(( object.metadata.name + '))' ))"
            namespace: (( object.metadata.name ))
          spec:
            hard: (( variables.limit ))
            scopes: ["\\((", 2]
    - expression: >-
        generator.Apply("", [{
          "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
          "metadata": {"name": "made", "namespace": "gone"}
        }])
"#;

const NAMESPACE: &str = "{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }\n";

const CONTEXT: &str = "
apiVersion: cli.kyverno.io/v1alpha1
kind: Context
metadata: { name: context }
spec:
  resources:
    - { apiVersion: v1, kind: Secret, metadata: { name: a, namespace: from, uid: u, resourceVersion: '1' }, data: { k: dg== } }
    - { apiVersion: v1, kind: Secret, metadata: { name: b, namespace: elsewhere } }
";

#[test]
fn copies_and_templates_are_written() {
    let scratch = Scratch::new();
    scratch.write("clone.yaml", CLONE).write("template.yaml", TEMPLATE).write("ns.yaml", NAMESPACE);
    scratch.write("context.yaml", CONTEXT);
    let ran = scratch.admit(&[
        "apply",
        "clone.yaml",
        "template.yaml",
        "-r",
        "ns.yaml",
        "--context-file",
        "context.yaml",
        "-o",
        "out.yaml",
    ]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("pass: 2, fail: 0, warn: 0, error: 0, skip: 0"), "{}", ran.stdout);
    let expected = "\
apiVersion: v1
data:
  k: dg==
kind: Secret
metadata:
  name: a
  namespace: shop
---
apiVersion: v1
kind: ResourceQuota
metadata:
  name: for-shop))
  namespace: shop
spec:
  hard:
    cpu: 2
  scopes:
    - ((
    - 2
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: made
---
";
    assert_eq!(std::fs::read_to_string(scratch.path("out.yaml")).expect("the file is written"), expected);
}
