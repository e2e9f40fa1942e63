//! Manifests that must be refused, written in other ways: whatever YAML allows, whatever a file or a directory can be
//! called, whatever may lie around them. They stay bad, so that each must still be refused, and for the reason that it
//! was bad.
//!
//! What is written is drawn at random from a seed that the failure names.

use std::{fmt::Write as _, path::Path};

use serde_json::{Map, Value, json};

use crate::scratch::Scratch;

/// How many ways of writing are tried for each bad object.
const DRAWS: u64 = 150;

/// Numbers that look random and are always the same.
struct Random(u64);

impl Random {
    /// One of `0..below`. Source: Marsaglia, Xorshift RNGs, 2003.
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// Writes a value as YAML, each node in a style that is drawn.
struct Writer {
    random: Random,
    out: String,
    /// What has an anchor: its number, and the JSON of it.
    anchors: Vec<(usize, String)>,
    /// How many anchors there are, those of unfinished nodes included.
    names: usize,
}

impl Writer {
    fn yaml(seed: u64, value: &Value) -> String {
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut it = Self { random, out: String::new(), anchors: Vec::new(), names: 0 };
        // The seed's first numbers are small; a few draws mix them.
        for _ in 0..8 {
            it.random.below(2);
        }
        it.node(value, 0, false, "");
        it.out.push('\n');
        it.out
    }

    /// Writes a node after `key:`, `-` or nothing; the cursor stands behind that, without a space.
    fn node(&mut self, value: &Value, indent: usize, flow: bool, before: &str) {
        let text = value.to_string();
        if let Some((number, _)) = self.anchors.iter().find(|(_, it)| *it == text)
            && self.random.one_in(2)
        {
            write!(self.out, "{before}*a{number} ").unwrap();
            return;
        }
        let anchored = self.random.one_in(6);
        let number = self.names;
        if anchored {
            self.names += 1;
            write!(self.out, "{before}&a{number}").unwrap();
        }
        let before = if anchored { " " } else { before };
        match value {
            Value::Object(map) if !map.is_empty() => self.map(map, indent, flow, before, anchored),
            Value::Array(list) if !list.is_empty() => self.list(list, indent, flow, before, anchored),
            _ => {
                self.out.push_str(before);
                self.scalar(value, indent, flow);
            }
        }
        if anchored {
            self.anchors.push((number, text));
        }
    }

    fn map(&mut self, map: &Map<String, Value>, indent: usize, flow: bool, before: &str, anchored: bool) {
        let mut entries: Vec<_> = map.iter().collect();
        for at in (1..entries.len()).rev() {
            entries.swap(at, self.random.below(at + 1));
        }
        if flow || self.random.one_in(5) {
            write!(self.out, "{before}{{").unwrap();
            for (at, (key, value)) in entries.into_iter().enumerate() {
                self.out.push_str(if at > 0 { ", " } else { " " });
                self.key(key);
                self.out.push(':');
                self.node(value, indent, true, " ");
            }
            self.out.push_str(" }");
            return;
        }
        // A part of it comes by a merge key.
        let merged = if entries.len() > 1 && self.random.one_in(6) { 1 + self.random.below(entries.len()) } else { 0 };
        let (given, own) = entries.split_at(merged);
        let mut first = before.is_empty() && !anchored;
        if !given.is_empty() {
            self.line(indent, &mut first);
            self.out.push_str("<<:");
            let given: Map<_, _> = given.iter().map(|(key, value)| ((*key).clone(), (*value).clone())).collect();
            let list = Value::Array(vec![Value::Object(given.clone())]);
            let merged = if self.random.one_in(3) { list } else { Value::Object(given) };
            self.node(&merged, indent + 2, true, " ");
        }
        for (key, value) in own {
            if self.random.one_in(8) {
                self.line(indent, &mut first);
                self.out.push_str("# {{ not a template }} : - &");
            }
            self.line(indent, &mut first);
            if self.random.one_in(10) {
                self.out.push_str("? ");
                self.key(key);
                self.line(indent, &mut first);
            } else {
                self.key(key);
            }
            self.out.push(':');
            let width = 1 + self.random.below(4);
            self.node(value, indent + width, false, " ");
        }
    }

    fn list(&mut self, list: &[Value], indent: usize, flow: bool, before: &str, anchored: bool) {
        if flow || self.random.one_in(5) {
            write!(self.out, "{before}[").unwrap();
            for (at, value) in list.iter().enumerate() {
                self.out.push_str(if at > 0 { "," } else { "" });
                self.node(value, indent, true, " ");
            }
            self.out.push_str(" ]");
            return;
        }
        let mut first = before.is_empty() && !anchored;
        for value in list {
            self.line(indent, &mut first);
            self.out.push('-');
            self.node(value, indent + 2, false, " ");
        }
    }

    /// Begins a line, unless nothing was written yet.
    fn line(&mut self, indent: usize, first: &mut bool) {
        if *first && self.out.is_empty() {
            *first = false;
            return;
        }
        *first = false;
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        write!(self.out, "\n{:indent$}", "").unwrap();
    }

    fn key(&mut self, key: &str) {
        match self.random.below(12) {
            0 => write!(self.out, "'{key}'").unwrap(),
            1 => self.escaped(key),
            2 => {
                self.out.push_str("!!str ");
                self.out.push_str(key);
            }
            _ => self.out.push_str(key),
        }
    }

    /// Between double quotes, some characters as escapes.
    fn escaped(&mut self, text: &str) {
        self.out.push('"');
        for char in text.chars() {
            match (char, self.random.below(3)) {
                ('"' | '\\', _) => write!(self.out, "\\{char}").unwrap(),
                (_, 0) => write!(self.out, "\\u{:04x}", u32::from(char)).unwrap(),
                (_, 1) if u32::from(char) < 0x100 => write!(self.out, "\\x{:02x}", u32::from(char)).unwrap(),
                _ => self.out.push(char),
            }
        }
        self.out.push('"');
    }

    fn scalar(&mut self, value: &Value, indent: usize, flow: bool) {
        let style = self.random.below(8);
        match value {
            Value::String(text) => {
                let begins = text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '/');
                let ends = text.contains(": ") || text.ends_with(':');
                let plain = begins && !ends && !(flow && text.contains([',', '[', ']', '{', '}']));
                match style {
                    0 => self.escaped(text),
                    1 => write!(self.out, "'{}'", text.replace('\'', "''")).unwrap(),
                    2 if !flow && !text.is_empty() => {
                        let (mark, width) = (['|', '>'][self.random.below(2)], indent.max(1) + 2);
                        write!(self.out, "{mark}-\n{:width$}{text}", "").unwrap();
                    }
                    3 => write!(self.out, "!!str '{}'", text.replace('\'', "''")).unwrap(),
                    _ if plain => self.out.push_str(text),
                    _ => self.escaped(text),
                }
            }
            Value::Bool(it) => {
                let ways = if *it {
                    ["true", "True", "TRUE", "!!bool true"]
                } else {
                    ["false", "False", "FALSE", "!!bool false"]
                };
                self.out.push_str(ways[style % ways.len()]);
            }
            Value::Number(number) => match (style, number.as_u64()) {
                (0, Some(it)) => write!(self.out, "0x{it:x}").unwrap(),
                (1, Some(it)) => write!(self.out, "0o{it:o}").unwrap(),
                (2, Some(it)) => write!(self.out, "!!int {it}").unwrap(),
                (3, Some(it)) => write!(self.out, "+{it}").unwrap(),
                _ => write!(self.out, "{number}").unwrap(),
            },
            _ => self.out.push_str(&value.to_string()),
        }
    }
}

/// Policies that refuse what [`bad`] gives, each by another part of the engine.
const POLICIES: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: forbidden }
spec:
  validationFailureAction: Enforce
  rules:
    - name: host-network
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { message: refused, pattern: { spec: { =(hostNetwork): false } } }
    - name: host-path
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { message: refused, pattern: { spec: { =(volumes): [{ X(hostPath): "null" }] } } }
    - name: latest
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { message: refused, pattern: { spec: { containers: [{ image: "!*:latest" }] } } }
    - name: memory
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { message: refused, pattern: { spec: { containers: [{ =(resources): { =(limits): { =(memory): "<=1Gi" } } }] } } }
    - name: privileged
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate:
        message: refused
        deny: { conditions: { any: [{ key: "{{ request.object.spec.containers[?securityContext.privileged] | length(@) }}", operator: GreaterThan, value: 0 }] } }
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: others }
spec:
  validationFailureAction: Enforce
  rules:
    - name: team
      match: { any: [{ resources: { kinds: [Pod, Deployment, Service] } }] }
      validate: { message: refused, pattern: { metadata: { labels: { team: "?*" } } } }
    - name: node-port
      match: { any: [{ resources: { kinds: [Service] } }] }
      validate: { message: refused, pattern: { spec: { =(type): "!NodePort" } } }
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: baseline }
spec:
  validationFailureAction: Enforce
  rules:
    - name: baseline
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { podSecurity: { level: baseline, version: latest } }
---
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: { name: root }
spec:
  validationActions: [Deny]
  matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods] }] }
  validations:
    - { expression: "object.spec.containers.all(it, it.?securityContext.?runAsUser.orValue(1) != 0)", message: refused }
"#;

/// Objects, and the rules that refuse each.
fn bad() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let container = json!({
        "name": "main",
        "image": "ghcr.io/shop/app:latest",
        "securityContext": { "privileged": true, "runAsUser": 0 },
        "resources": { "limits": { "memory": "2Gi" } },
    });
    let spec = json!({
        "hostNetwork": true,
        "containers": [container],
        "volumes": [{ "name": "root", "hostPath": { "path": "/" } }],
    });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "bad" }, "spec": spec });
    let template = json!({ "metadata": { "labels": { "app": "bad" } }, "spec": spec });
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "bad" },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "bad" } }, "template": template },
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "bad", "labels": { "app": "bad" } },
        "spec": { "type": "NodePort", "ports": [{ "port": 80 }], "selector": { "app": "bad" } },
    });
    vec![
        (
            "pod",
            pod,
            vec![
                "forbidden/host-network",
                "forbidden/host-path",
                "forbidden/latest",
                "forbidden/memory",
                "others/team",
                "forbidden/privileged",
                "baseline/baseline",
                "root",
            ],
        ),
        (
            "deployment",
            deployment,
            vec![
                "forbidden/autogen-host-network",
                "forbidden/autogen-host-path",
                "forbidden/autogen-latest",
                "forbidden/autogen-memory",
                "others/team",
                "forbidden/autogen-privileged",
                "baseline/autogen-baseline",
                "root",
            ],
        ),
        ("service", service, vec!["others/team", "others/node-port"]),
    ]
}

/// The IDs of the findings at each of these paths.
fn told(it: &Scratch, paths: &[String]) -> Vec<Vec<String>> {
    let report = it.admit(&["check", "--format", "json", "--max-findings", "0", "--no-governance"]).exits(1).json();
    let findings = report["findings"].as_array().expect("a list");
    let all: Vec<_> =
        findings.iter().map(|it| (it["path"].as_str().unwrap(), it["id"].as_str().unwrap().to_owned())).collect();
    let of = |path: &String| all.iter().filter(|(at, _)| at == path).map(|(_, id)| id.clone()).collect();
    paths.iter().map(of).collect()
}

fn repository() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/policies.yaml", POLICIES.trim_start());
    it
}

#[test]
fn whatever_yaml_allows() {
    let it = repository();
    for (name, object, rules) in bad() {
        let paths: Vec<_> = (0..DRAWS).map(|seed| format!("apps/{name}-{seed}.yaml")).collect();
        for (seed, path) in paths.iter().enumerate() {
            it.write(path, Writer::yaml(seed as u64, &object));
        }
        for (path, found) in paths.iter().zip(told(&it, &paths)) {
            for rule in &rules {
                let text = || std::fs::read_to_string(it.path(path)).unwrap();
                assert!(found.iter().any(|it| it == rule), "{path} passes {rule}, only {found:?}:\n{}", text());
            }
        }
    }
}

/// A bad Pod as anybody would write it.
const POD: &str = "apiVersion: v1
kind: Pod
metadata:
  name: bad
  labels:
    team: shop
spec:
  hostNetwork: true
  containers:
    - name: main
      image: ghcr.io/shop/app:1
";

/// Fails unless something is told of each of these files: that this rule refuses the Pod, or anything.
#[track_caller]
fn all_told(files: &[(String, Vec<u8>)], rule: Option<&str>) {
    let it = repository();
    for (path, content) in files {
        it.write(path, content);
    }
    let paths: Vec<_> = files.iter().map(|(path, _)| path.clone()).collect();
    for ((path, content), found) in files.iter().zip(told(&it, &paths)) {
        let right = rule.map_or(!found.is_empty(), |rule| found.iter().any(|it| it == rule));
        assert!(right, "{path} passes {rule:?}, only {found:?}:\n{}", String::from_utf8_lossy(content));
    }
}

#[test]
fn whatever_the_file_is_called() {
    let paths = [
        "a.yml",
        "a.YAML",
        "a.json",
        ".hidden/a.yaml",
        ".github/workflows/a.yaml",
        "a b/c.yaml",
        "ü.yaml",
        "a:b.yaml",
        "-a.yaml",
        "policies/a.yaml",
        "templates/a.yaml",
        "testdata/a.yaml",
        "vendor/a.yaml",
        "node_modules/a.yaml",
        "values.yaml",
        "kustomization.yaml",
        "x/Kustomization",
        "y/Chart.yaml",
        "y/values.schema.json",
        "y/templates/_helpers.yaml",
        "y/charts/z/templates/a.yaml",
        "kyverno-test.yaml",
        "docker-compose.yml",
        "skaffold.yaml",
    ];
    let json = serde_yaml::from_str::<Value>(POD).unwrap().to_string();
    let text = |path: &str| {
        if Path::new(path).extension().is_some_and(|it| it == "json") { json.clone() } else { POD.to_owned() }
    };
    let files: Vec<_> = paths.iter().map(|path| ((*path).to_owned(), text(path).into_bytes())).collect();
    all_told(&files, Some("forbidden/host-network"));
}

#[test]
fn whatever_stands_around_it() {
    let good = POD.replace("hostNetwork: true", "hostNetwork: false").replace("name: bad", "name: good");
    let item = POD.replace('\n', "\n    ");
    let list = |kind: &str| format!("apiVersion: v1\nkind: {kind}\nitems:\n  - {}\n", item.trim_end());
    let nested = list("List").replace('\n', "\n    ");
    let more: Vec<(&str, Vec<u8>)> = vec![
        ("after-good", format!("{good}---\n{POD}").into()),
        ("before-good", format!("{POD}---\n{good}").into()),
        ("after-nothing", format!("---\n---\n# nothing\n---\n\n{POD}").into()),
        ("after-end", format!("{good}...\n---\n{POD}").into()),
        ("after-comment", format!("# a\n--- # b\n{POD}").into()),
        ("with-directive", format!("%YAML 1.1\n---\n{POD}").into()),
        ("before-broken", format!("{POD}---\na: [\n").into()),
        ("after-broken", format!("a: [\n---\n{POD}").into()),
        ("after-text", format!("--- text\n---\n{POD}").into()),
        ("byte-order-mark", format!("\u{feff}{POD}").into()),
        ("carriage-returns", POD.replace('\n', "\r\n").into()),
        ("list", list("List").into()),
        ("pod-list", list("PodList").into()),
        ("list-of-lists", format!("apiVersion: v1\nkind: List\nitems:\n  - {}\n", nested.trim_end()).into()),
        ("list-with-name", list("List").replace("items:", "metadata: { name: a }\nitems:").into()),
        ("no-name", POD.replace("name: bad", "generateName: bad-").into()),
        ("being-deleted", POD.replace("name: bad", "name: bad\n  deletionTimestamp: 2026-01-01T00:00:00Z").into()),
        ("owned", POD.replace("name: bad", "name: bad\n  ownerReferences: [{ kind: ReplicaSet, name: a }]").into()),
        ("indented", format!("  {}", POD.replace('\n', "\n  ")).into()),
        ("spaces-behind", POD.replace('\n', "  \n").into()),
        ("quoted-kind", POD.replace("kind: Pod", "kind: \"P\\x6fd\"").into()),
        ("folded-kind", POD.replace("kind: Pod", "kind: >-\n  Pod").into()),
        ("twice", format!("{good}---\n{}", POD.replace("name: bad", "name: good")).into()),
    ];
    let files: Vec<_> = more.into_iter().map(|(name, content)| (format!("apps/{name}.yaml"), content)).collect();
    all_told(&files, Some("forbidden/host-network"));
}

/// What one reader takes for this and another for that: whoever is right, it is not let through in silence.
#[test]
fn what_readers_read_differently() {
    let host = "  hostNetwork: true\n";
    let with = |line: &str| POD.replace(host, line).into_bytes();
    let utf16 = |unit: fn(u16) -> [u8; 2]| "\u{feff}".encode_utf16().chain(POD.encode_utf16()).flat_map(unit).collect();
    let mut invalid = POD.replace("team: shop", "team: s#op").into_bytes();
    let at = invalid.iter().position(|it| *it == b'#').unwrap();
    invalid[at] = 0xff;
    let more: Vec<(&str, Vec<u8>)> = vec![
        ("bad-then-good", with("  hostNetwork: true\n  hostNetwork: false\n")),
        ("good-then-bad", with("  hostNetwork: false\n  hostNetwork: true\n")),
        ("merged-and-own", with("  <<: { hostNetwork: false }\n  hostNetwork: true\n")),
        ("kind-twice", POD.replace("kind: Pod", "kind: Pod\nkind: ConfigMap").into()),
        ("spec-twice", format!("{POD}spec: {{}}\n").into()),
        ("tagged", with("  hostNetwork: !!str true\n")),
        ("unknown-tag", with("  hostNetwork: !yes true\n")),
        ("yes", with("  hostNetwork: yes\n")),
        ("on", with("  hostNetwork: on\n")),
        ("quoted", with("  hostNetwork: \"true\"\n")),
        ("not-text", invalid),
        ("nul", POD.replace("team: shop", "team: \"s\\0op\"").replace("shop", "s\0hop").into()),
        ("utf-16-le", utf16(u16::to_le_bytes)),
        ("utf-16-be", utf16(u16::to_be_bytes)),
        ("tab", POD.replace("  hostNetwork", "\thostNetwork").into()),
        ("alias-of-nothing", with("  hostNetwork: *a\n")),
        ("alias-bomb", bomb().into_bytes()),
        ("deep", format!("a: {}{}\n---\n{POD}", "[".repeat(20_000), "]".repeat(20_000)).into()),
    ];
    let files: Vec<_> = more.into_iter().map(|(name, content)| (format!("apps/{name}.yaml"), content)).collect();
    all_told(&files, None);
}

/// Few lines that stand for a billion values.
fn bomb() -> String {
    let mut text = POD.replace("spec:", "data: &a0 [x]\nspec:");
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 10].join(",");
        writeln!(text, "b{level}: &a{level} [{list}]").unwrap();
    }
    text
}
