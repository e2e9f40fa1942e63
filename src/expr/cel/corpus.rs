//! Compiles the expressions of public policies, where they are at hand.

#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "reads policies, and says when there are none")]

use std::path::{Path, PathBuf};

use serde_yaml::Value as Yaml;

use super::{Environment, Expected, Family, Program, Root, Type};

/// Expressions that are wrong on purpose: a part of the file's path, and of the error.
const WRONG: &[(&str, &str)] = &[("mutating-policies/subresources/", "token recognition error at: 'ß'")];

#[test]
fn expressions_of_public_policies_compile() {
    let Some(folder) = ["../shared/conformance"]
        .map(|it| Path::new(env!("CARGO_MANIFEST_DIR")).join(it))
        .into_iter()
        .find(|it| it.is_dir())
    else {
        eprintln!("not run: no public policies at hand");
        return;
    };
    let (mut count, mut wrong) = (0, Vec::new());
    for path in files(&folder) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for document in serde_yaml::Deserializer::from_str(&text) {
            let Ok(document) = <Yaml as serde::Deserialize>::deserialize(document) else { break };
            let mut found = Vec::new();
            policy(&document, &mut found, &mut count);
            wrong.extend(found.into_iter().map(|it| format!("{}: {it}", path.display())));
        }
    }
    let expected = |it: &String| WRONG.iter().any(|(path, text)| it.contains(path) && it.contains(text));
    wrong.retain(|it| !expected(it));
    eprintln!("{count} expressions");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(files(&path));
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            out.push(path);
        }
    }
    out.sort();
    out
}

fn policy(document: &Yaml, wrong: &mut Vec<String>, count: &mut usize) {
    let kind = document["kind"].as_str().unwrap_or("");
    let spec = &document["spec"];
    let is_kyverno = document["apiVersion"].as_str().is_some_and(|it| it.starts_with("policies.kyverno.io"));
    let family = match kind.strip_prefix("Namespaced").unwrap_or(kind) {
        "ValidatingPolicy" if is_kyverno => Family::ValidatingPolicy,
        "MutatingPolicy" if is_kyverno => Family::MutatingPolicy,
        "GeneratingPolicy" if is_kyverno => Family::GeneratingPolicy,
        "ImageValidatingPolicy" if is_kyverno => Family::ImageValidatingPolicy,
        "DeletingPolicy" if is_kyverno => Family::DeletingPolicy,
        "ValidatingAdmissionPolicy" => Family::ValidatingAdmissionPolicy,
        "MutatingAdmissionPolicy" => Family::MutatingAdmissionPolicy,
        "ClusterPolicy" | "Policy" => {
            for rule in items(&spec["rules"]) {
                let mut environment = Environment::new(Family::ClusterPolicy);
                if !rule["validate"]["cel"]["paramKind"].is_null() {
                    environment.declare(Root::Params, Type::Dyn);
                }
                let mut it = Case { environment, message: Expected::Any, wrong, count };
                it.all(&rule["celPreconditions"], "expression", Expected::Bool);
                it.body(&rule["validate"]["cel"]);
                it.all(&rule["validate"]["cel"]["expressions"], "expression", Expected::Bool);
            }
            return;
        }
        _ => return,
    };
    let mut environment = Environment::new(family);
    if kind.starts_with("Namespaced") {
        environment = environment.namespaced();
    }
    if !spec["paramKind"].is_null() {
        environment.declare(Root::Params, Type::Dyn);
    }
    // Policies for proxies, not for Kubernetes.
    if matches!(spec["evaluation"]["mode"].as_str(), Some("Envoy" | "HTTP")) {
        return;
    }
    let message = if is_kyverno { Expected::String } else { Expected::Any };
    let mut it = Case { environment, message, wrong, count };
    it.body(spec);
    it.all(&spec["matchConditions"], "expression", Expected::Bool);
    it.all(&spec["conditions"], "expression", Expected::Bool);
    it.all(&spec["targetMatchConditions"], "expression", Expected::Bool);
    it.one(&spec["targetMatchConstraints"]["expression"], Expected::Map);
    it.all(&spec["validations"], "expression", Expected::Bool);
    it.all(&spec["generate"], "expression", Expected::Bool);
    for mutation in items(&spec["mutations"]) {
        it.one(&mutation["jsonPatch"]["expression"], Expected::JsonPatches);
        it.one(&mutation["applyConfiguration"]["expression"], Expected::Object);
    }
    it.all(&spec["images"], "expression", Expected::Any);
}

struct Case<'c> {
    environment: Environment,
    message: Expected,
    wrong: &'c mut Vec<String>,
    count: &'c mut usize,
}

impl Case<'_> {
    fn body(&mut self, body: &Yaml) {
        for variable in items(&body["variables"]) {
            let of = self.one(&variable["expression"], Expected::Any).unwrap_or(Type::Dyn);
            self.environment.declare_variable(variable["name"].as_str().unwrap_or(""), of);
        }
        self.all(&body["validations"], "messageExpression", self.message);
        self.all(&body["expressions"], "messageExpression", Expected::Any);
        self.all(&body["auditAnnotations"], "valueExpression", Expected::StringOrNull);
    }

    fn all(&mut self, list: &Yaml, field: &str, expected: Expected) {
        for item in items(list) {
            self.one(&item[field], expected);
        }
    }

    fn one(&mut self, expression: &Yaml, expected: Expected) -> Option<Type> {
        let source = expression.as_str()?;
        *self.count += 1;
        match Program::compile(source, &self.environment, expected) {
            Ok(program) => Some(program.result_type().clone()),
            Err(error) => {
                self.wrong.push(format!("{error}\n    {}", source.trim().replace('\n', "\n    ")));
                None
            }
        }
    }
}

fn items(list: &Yaml) -> impl Iterator<Item = &Yaml> {
    list.as_sequence().into_iter().flatten()
}
