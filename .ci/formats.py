#!/usr/bin/env python3
"""Validates what admit writes, and what it ships, against published schemas.

    .ci/formats.py PROGRAM

Reports of an honest tree, a hostile one and an empty one: SARIF against the schema of OASIS (which the crate serde-sarif
carries), JUnit against the XSD of Jenkins (which the source of pytest carries) but for three attributes, OpenReports
against the CustomResourceDefinitions of openreports.io (which its module for Go carries), GitLab's and policy reports
against .ci/schemas, which ask for more than what is published. action.yml, workflows and examples against the schemas of schemastore.org (which check-jsonschema carries).
Packages come once into target/ci-formats.
"""

import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / "target/ci-formats"
PACKAGES = ["check-jsonschema==0.39.0", "xmlschema==4.3.2"]
PYTEST = "9.2.0"
OPENREPORTS = "github.com/openreports/reports-api@v0.2.1"
OPENREPORTS_SUM = "h1:g9KS3yle9Y1elmww4TK9EkD1rl6inIaiIJPX6e+u680="
# A definition as JSON Schema: a field that it doesn't know, which an API server drops, is an error.
CONVERT = """
import json, sys
from ruamel.yaml import YAML
def close(schema):
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for it in schema.values():
            close(it)
schema = YAML(typ="safe").load(open(sys.argv[1]))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
close(schema)
json.dump(schema, open(sys.argv[2], "w"))
"""

POLICY = """apiVersion: kyverno.io/v1
kind: {kind}
metadata:
  name: {name}
  {namespace}
  annotations: {{ policies.kyverno.io/severity: {severity}, policies.kyverno.io/category: {text} }}
spec:
  validationFailureAction: {action}
  rules:
    - name: check
      match: {{ any: [{{ resources: {{ kinds: [Widget] }} }}] }}
      validate: {{ message: {text}, pattern: {{ spec: {{ size: small }} }} }}
"""
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {{ name: {name}, {namespace} }}\nspec: {{ size: {size} }}\n"
EXCEPTION = """apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {{ name: {name}, namespace: shop }}
spec:
  exceptions: [{{ policyName: size, ruleNames: [check] }}]
  match: {{ any: [{{ resources: {{ kinds: [Widget], namespaces: [shop], names: [{widget}] }} }}] }}
"""
HOSTILE = (
    "x\n::set-output name=a::b\r\n%0A::error::c \x1b[31m\x1b]0;t\x07 \x9b2J \u202eevil\u2066 \u200b]]> "
    "<script>alert(1)</script> | `code` [a](http://b.c) ##[add-mask]e ##vso[f] @me #1 \x7f\u2028 --> &amp; \ufffe"
)


def tools():
    """A Python with the packages, and the two schemas that others carry."""
    python = HOME / "bin/python"
    stamp = HOME / "packages"
    wanted = " ".join([*PACKAGES, PYTEST])
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", HOME], check=True)
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", *PACKAGES], check=True)
        command = [*pip, "download", "--no-deps", "--no-binary", "pytest", "--dest", HOME, f"pytest=={PYTEST}"]
        subprocess.run(command, check=True)
        with tarfile.open(HOME / f"pytest-{PYTEST}.tar.gz") as archive:
            xsd = archive.extractfile(f"pytest-{PYTEST}/testing/example_scripts/junit-10.xsd").read()
        (HOME / "junit-10.xsd").write_bytes(xsd)
        stamp.write_text(wanted)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"], cwd=ROOT, check=True, capture_output=True
    )
    manifests = [it["manifest_path"] for it in json.loads(metadata.stdout)["packages"] if it["name"] == "serde-sarif"]
    return python, pathlib.Path(manifests[0]).parent / "src/schema.json", HOME / "junit-10.xsd"


def openreports(python):
    """The schema of each kind of openreports.io, from its definitions."""
    command = ["go", "mod", "download", "-json", OPENREPORTS]
    ran = subprocess.run(command, cwd=HOME, check=True, capture_output=True, env={**os.environ, "GONOSUMDB": "*"})
    module = json.loads(ran.stdout)
    assert module["Sum"] == OPENREPORTS_SUM, f"{OPENREPORTS} is another: {module['Sum']}"
    schemas = {}
    for kind, name in {"Report": "reports", "ClusterReport": "clusterreports"}.items():
        schemas[kind] = HOME / f"{kind}.json"
        definition = pathlib.Path(module["Dir"]) / f"config/crd/openreports.io_{name}.yaml"
        subprocess.run([python, "-c", CONVERT, definition, schemas[kind]], check=True)
    return schemas


def write(top, path, text):
    path = top / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def tree(top, text, odd_name):
    """Refused, audited, exempted and passing objects, governance, broken files; all names and texts as given."""
    quoted = json.dumps(text)
    for name, action, severity in [("size", "Enforce", "high"), ("audit", "Audit", quoted)]:
        policy = POLICY.format(kind="ClusterPolicy", name=name, namespace="", action=action, severity=severity, text=quoted)
        write(top, f"policies/{name}.yaml", policy)
    for n, size in enumerate(["small", "big", quoted]):
        namespace = "namespace: shop" if n else ""
        write(top, f"apps/{n}.yaml", WIDGET.format(name=f"w{n}", namespace=namespace, size=size))
    write(top, f"apps/{odd_name}.yaml", WIDGET.format(name=quoted, namespace="namespace: shop", size="big"))
    twin = WIDGET.format(name="twin", namespace="namespace: shop", size="big")
    write(top, "apps/twins.yaml", f"{twin}---\n{twin}")
    write(top, "exceptions/w1.yaml", EXCEPTION.format(name="w1", widget="w1"))
    write(top, "exceptions/wide.yaml", EXCEPTION.format(name="wide", widget='"*z"'))
    write(top, "apps/torn.yaml", f"a: [{quoted}\n")


def main():
    admit = os.path.abspath(sys.argv[1])
    python, sarif, xsd = tools()
    reports = openreports(python)
    check = [python, "-m", "check_jsonschema"]

    def validate(schema, *files):
        # The schema of SARIF has a pattern that is none with the flag `u`.
        command = [*check, "--regex-variant", "nonunicode", "--schemafile", schema, *files]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    # As the hooks of check-jsonschema call it for these.
    extra = {
        "vendor.azure-pipelines": ["--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"],
        "vendor.gitlab-ci": ["--data-transform", "gitlab-ci", "--regex-variant", "nonunicode"],
    }
    for builtin, files in {
        "vendor.github-actions": ["action.yml"],
        "vendor.github-workflows": [*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/ci/github/*.yml")],
        "vendor.gitlab-ci": ["examples/ci/gitlab/admit.gitlab-ci.yml"],
        "vendor.azure-pipelines": ["examples/ci/azure/azure-pipelines.yml"],
    }.items():
        command = [*check, "--builtin-schema", builtin, *extra.get(builtin, []), *files]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    trees = {
        "honest": lambda top: tree(top, "size must be small", "plain"),
        "hostile": lambda top: tree(top, HOSTILE, HOSTILE.replace("/", "_").replace("\ufffe", "")),
        "empty": lambda top: write(top, "a.txt", "nothing"),
    }
    for name, fill in trees.items():
        with tempfile.TemporaryDirectory() as place:
            top = pathlib.Path(place) / "tree"
            top.mkdir()
            fill(top)
            formats = ["sarif", "junit", "gitlab", "policyreport", "openreports", "json"]
            out = {it: pathlib.Path(place) / f"{it}.json" for it in formats}
            command = [admit, "check", "--format", "text=/dev/null"]
            for format, file in out.items():
                command += ["-o", f"{format}={file}"]
            code = subprocess.run(command, cwd=top).returncode
            assert code == {"empty": 3}.get(name, 1), f"{name}: exit code {code}"
            validate(sarif, out["sarif"])
            validate(ROOT / ".ci/schemas/gitlab.json", out["gitlab"])
            validate(ROOT / "src/report/json_schema.json", out["json"])
            issues = json.loads(out["gitlab"].read_text())
            assert len({it["fingerprint"] for it in issues}) == len(issues), "fingerprints repeat"
            run = json.loads(out["sarif"].read_text())["runs"][0]
            prints = [it["partialFingerprints"]["primaryLocationLineHash"] for it in run["results"]]
            assert len(set(prints)) == len(prints), "fingerprints repeat"
            # GitHub takes an empty text for a missing one.
            for rule in run["tool"]["driver"]["rules"]:
                assert rule["shortDescription"]["text"] and rule["fullDescription"]["text"] and rule["help"]["text"]
            xml = ElementTree.parse(out["junit"])
            # Three attributes that the XSD lacks and CI systems read: GitLab opens `file`, quick-junit counts what it skips.
            for element, attributes in {"testsuites": ["skipped"], "testcase": ["file", "line"]}.items():
                for it in xml.getroot().iter(element):
                    for attribute in attributes:
                        it.attrib.pop(attribute, None)
            xml.write(out["junit"])
            code = "import sys, xmlschema; xmlschema.XMLSchema(sys.argv[1]).validate(sys.argv[2])"
            subprocess.run([python, "-c", code, xsd, out["junit"]], check=True)
            for format in ["policyreport", "openreports"]:
                documents = [it for it in out[format].read_text().split("---\n") if it.strip()]
                assert bool(documents) == (name != "empty"), f"{name}: {format} holds nothing"
                for n, document in enumerate(documents):
                    file = pathlib.Path(place) / f"{format}-{n}.yaml"
                    file.write_text(document)
                    validate(ROOT / ".ci/schemas/policyreport.json", file)
                    if format == "openreports":
                        kind = next(it.removeprefix("kind: ") for it in document.splitlines() if it.startswith("kind: "))
                        validate(reports[kind], file)
            print(f"{name}: {len(run['results'])} results, {len(issues)} issues")


main()
