//! Generated Kubernetes manifests: the same seed makes the same bytes.

use std::fmt::Write as _;

/// A small generator of pseudo-random numbers (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// The manifests of some apps, five for each.
pub(crate) fn apps(seed: u64, count: usize) -> Vec<String> {
    let mut random = Random(seed);
    let mut out = Vec::with_capacity(count * 5);
    for index in 0..count {
        let name = format!("app-{index:05}");
        let team = format!("team-{:02}", random.below(24));
        let metadata =
            format!("metadata:\n  name: {name}\n  namespace: {team}\n  labels:\n    app: {name}\n    team: {team}\n");
        out.push(deployment(&mut random, &name, &team, &metadata));
        out.push(format!(
            "apiVersion: v1\nkind: Service\n{metadata}spec:\n  selector:\n    app: {name}\n  ports:\n    - port: 80\n      targetPort: 8080\n"
        ));
        out.push(format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n{metadata}spec:\n  podSelector: {{}}\n  policyTypes: [Ingress, Egress]\n  ingress:\n    - from:\n        - podSelector: {{ matchLabels: {{ app: {name} }} }}\n"
        ));
        out.push(format!(
            "# Who may do what.\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n{metadata}rules:\n- apiGroups: [\"\", \"apps\"]\n  resources:\n  - pods\n  - deployments\n  verbs:\n  - get\n  - list # not watch\n"
        ));
        out.push(config_map(&mut random, &metadata));
    }
    out
}

fn deployment(random: &mut Random, name: &str, team: &str, metadata: &str) -> String {
    let replicas = 1 + random.below(5);
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\n{metadata}spec:\n  replicas: {replicas}\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      securityContext:\n        runAsNonRoot: true\n      containers:\n"
    );
    for container in 0..=random.below(3) {
        let (major, minor, port) = (random.below(9), random.below(20), 8080 + container);
        let _ = write!(
            text,
            "        - name: c{container}\n          image: registry.example.com/{team}/{name}:v{major}.{minor}\n          ports:\n            - containerPort: {port}\n          securityContext:\n            allowPrivilegeEscalation: false\n            capabilities:\n              drop: [ALL]\n          resources:\n            requests: {{cpu: 100m, memory: 128Mi}}\n            limits:\n              memory: 256Mi\n          env:\n"
        );
        for setting in 0..2 + random.below(10) {
            let value = random.below(10_000);
            let _ = write!(text, "            - name: SETTING_{setting}\n              value: \"{value}\"\n");
        }
    }
    text
}

fn config_map(random: &mut Random, metadata: &str) -> String {
    let mut text = format!("apiVersion: v1\nkind: ConfigMap\n{metadata}data:\n");
    for key in 0..3 + random.below(10) {
        let _ = writeln!(text, "  key-{key}: '{:x}'", random.next());
    }
    text.push_str("  start.sh: |\n");
    for line in 0..random.below(30) {
        let _ = writeln!(text, "    echo \"line {line}: $HOME & {:x}\" >> /tmp/log", random.next());
    }
    text
}

/// Definitions of custom resources: deep trees with much text, two for each app.
pub(crate) fn definitions(seed: u64, count: usize) -> Vec<String> {
    let mut random = Random(seed);
    (0..count)
        .map(|index| {
            let mut text = format!(
                "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: things{index}.example.com\nspec:\n  group: example.com\n  scope: Namespaced\n  versions:\n  - name: v1\n    served: true\n    schema:\n      openAPIV3Schema:\n"
            );
            properties(&mut random, 8, 5, &mut text);
            text
        })
        .collect()
}

fn properties(random: &mut Random, indent: usize, depth: usize, text: &mut String) {
    let pad = " ".repeat(indent);
    let _ = write!(
        text,
        "{pad}description: |-\n{pad}  Says what the thing should be like, and what happens when it is not.\n{pad}  More info: https://example.com/docs#{}\n{pad}type: object\n{pad}properties:\n",
        random.below(100)
    );
    for field in 0..=random.below(4) {
        let _ = writeln!(text, "{pad}  field{field}:");
        if depth > 0 {
            properties(random, indent + 4, depth - 1, text);
        } else {
            let _ = write!(
                text,
                "{pad}    description: The name of a field that is no longer used, kept\n{pad}      for those who still have it.\n{pad}    type: string\n"
            );
        }
    }
}

/// Objects as other tools write them: JSON, indented or not.
pub(crate) fn json(seed: u64, count: usize) -> Vec<String> {
    let mut random = Random(seed);
    let mut out = Vec::with_capacity(count);
    for index in 0..count {
        let data: serde_json::Map<_, _> =
            (0..20).map(|key| (format!("key-{key}"), format!("{:x}\n", random.next()).into())).collect();
        let object = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": format!("config-{index}"), "namespace": "default", "labels": { "team": "a", "tier": 1 } },
            "data": data,
        });
        out.push(if index % 2 == 0 { format!("{object}\n") } else { format!("{object:#}\n") });
    }
    out
}
