//! Whole reports of each format, reviewed as output, and one hostile report through all of them.

use insta::assert_snapshot;

use super::*;
use crate::{
    finding::{Action, Place, ResourceRef, Source, Status, Waiver},
    span::{File, Span},
};

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  template:
    spec:
      hostPID: true
      containers:
        - name: web
          image: registry.example.com/web:latest
";

const POLICY: &str = "\
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: images
spec:
  rules:
    - name: pinned
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate:
        message: images are pinned by tag or digest
        pattern:
          spec: { containers: [{ image: \"!*:latest\" }] }
";

const EXCEPTION: &str = "\
apiVersion: kyverno.io/v2
kind: PolicyException
metadata: { name: web, namespace: exceptions }
spec:
  match: { any: [{ resources: { kinds: [Deployment], names: [\"*\"] } }] }
";

fn at(path: &str, text: &str, needle: &str) -> Place {
    let start = text.find(needle).unwrap() as u32;
    Place::new(&File::new(path, text.as_bytes().to_vec()), Span::new(start, start + needle.len() as u32))
}

fn verdict(policy: &str, rule: &str, status: Status, action: Action) -> Verdict {
    Verdict {
        policy: policy.into(),
        rule: rule.into(),
        status,
        resource: ResourceRef {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: "shop".into(),
            name: "web".into(),
        },
        action,
        source: Source::Kyverno,
        category: "Best Practices".into(),
        severity: "medium".into(),
        properties: Vec::new(),
    }
}

fn latest(path: &str) -> Finding {
    let place = at(path, DEPLOYMENT, "registry.example.com/web:latest");
    Finding::new(
        "images/autogen-pinned",
        Severity::Error,
        place,
        "images are pinned by tag or digest: rule autogen-pinned failed at path /spec/template/spec/containers/0/image/",
    )
    .label("matches `*:latest`")
    .pointer("/spec/template/spec/containers/0/image")
    .related(at("policies/images.yaml", POLICY, "\"!*:latest\""), "the pattern that refuses it")
    .help("pin the image by a tag other than `latest`, or by digest")
    .verdict(verdict("images", "autogen-pinned", Status::Fail, Action::Enforce))
}

/// An honest run: two resources refused by one clause, an audited one, a governance rule, a waived one.
fn sample() -> Report {
    let host = |severity, status, action| {
        Finding::new("host/pid", severity, at("apps/web.yaml", DEPLOYMENT, "hostPID: true"), "no host namespaces")
            .label("shares the node's processes")
            .verdict(verdict("host", "pid", status, action))
    };
    let waiver = Waiver {
        exception: "exceptions/web".into(),
        place: Some(at("exceptions/web.yaml", EXCEPTION, "web")),
        reason: "OPS-17 until the agent is gone".into(),
    };
    let wide = Finding::new(
        "EXC014",
        Severity::Error,
        at("exceptions/web.yaml", EXCEPTION, "\"*\""),
        "exception covers resources it doesn't name",
    )
    .label("matches every Deployment")
    .note("an exception is reviewed for what it names; what it covers later nobody has looked at")
    .help("name each resource, such as `names: [web]`");
    let mut report = Report::new(
        vec![
            latest("apps/web.yaml"),
            latest("apps/copy.yaml"),
            host(Severity::Warning, Status::Warn, Action::Audit),
            host(Severity::Error, Status::Skip, Action::Enforce).waived(waiver),
            wide,
            Finding::new(
                "input/too-large",
                Severity::Error,
                Place::whole_file("dump.yaml"),
                "file is larger than 5 MiB",
            ),
        ],
        Summary {
            files: 58,
            documents: Documents {
                policies: 7,
                exceptions: 1,
                manifests: 41,
                kustomize: 3,
                patches: 2,
                other: 1,
                ..Documents::default()
            },
            rules: Rules { pass: 310, fail: 2, warn: 1, skip: 4, ..Rules::default() },
            waived: 1,
        },
    );
    report.notes.push("charts/web was not rendered: `helm` is not on the PATH".into());
    report.quiet.push(Quiet {
        path: "apps/web.yaml".into(),
        line: 1,
        verdict: verdict("labels", "team", Status::Pass, Action::Enforce),
        message: "validation rule 'team' passed.".into(),
    });
    report.rules.insert(
        "EXC014".into(),
        Rule {
            title: "Exceptions name their resources".into(),
            description: "An exception that matches by wildcard grows with the cluster.".into(),
            url: "https://example.com/rules/EXC014".into(),
            tags: vec!["governance".into()],
            path: String::new(),
        },
    );
    report
}

fn written(name: &str, report: &Report, options: &Options) -> String {
    let mut out = Vec::new();
    (format(name).unwrap().write)(report, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Compares with `tests/report/NAME.snap`; `INSTA_UPDATE=always` writes it, to be read as output.
fn assert_report(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../tests/report");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(name, text));
}

fn time() -> jiff::Timestamp {
    "2026-08-01T12:00:00.5Z".parse().unwrap()
}

#[test]
fn each_format_writes_an_honest_report() {
    let options = Options { now: Some(time()), ..Options::default() };
    for format in FORMATS {
        assert_report(format.name, &written(format.name, &sample(), &options));
    }
}

#[test]
fn each_format_has_a_word_for_nothing() {
    let empty = Report::new(Vec::new(), Summary { files: 3, ..Summary::default() });
    let all = FORMATS.iter().map(|it| format!("=== {}\n{}", it.name, written(it.name, &empty, &Options::default())));
    assert_report("nothing", &all.collect::<String>());
}

#[test]
fn a_push_is_refused_in_72_columns_and_few_lines() {
    let options = Options { width: 72, max_findings: 2, ..Options::default() };
    assert_report("text_push", &written("text", &sample(), &options));
    let options = Options { width: 72, max_lines: 8, ..Options::default() };
    let short = written("text", &sample(), &options);
    assert!(short.starts_with("error[images/autogen-pinned]") && short.contains("... and 4 more:"), "{short}");
}

#[test]
fn lines_are_drawn_and_colored_when_the_terminal_can() {
    let options = Options { color: true, unicode: true, max_findings: 1, ..Options::default() };
    assert_report("text_terminal", &written("text", &sample(), &options));
}

/// Odd places: a line too long to show, several lines, a whole document, two marks in one line, no text at all.
#[test]
fn odd_places_are_shown_so_that_a_reader_finds_them() {
    let minified = format!("{{\"a\":\"{}\",\"image\":\"web:latest\",\"b\":\"{}\"}}", "x".repeat(400), "y".repeat(400));
    let whole = File::new("d.yaml", DEPLOYMENT.into());
    let secret = File::new("s.yaml", b"kind: Secret\nstringData: { password: hunter2 }\n".to_vec());
    let block = DEPLOYMENT.find("metadata").unwrap() as u32..DEPLOYMENT.find("spec").unwrap() as u32;
    let findings = vec![
        Finding::new("a/long", Severity::Error, at("min.json", &minified, "web:latest"), "in a long line")
            .label("here")
            .help("two lines\nof help"),
        Finding::new("a/lines", Severity::Error, Place::new(&whole, Span::new(block.start, block.end)), "two\nlines")
            .label("this block"),
        Finding::new("a/all", Severity::Info, Place::new(&whole, Span::new(0, DEPLOYMENT.len() as u32)), "all of it")
            .label("begins here"),
        Finding::new("a/both", Severity::Info, at("e.yaml", DEPLOYMENT, "web\n"), "two marks")
            .label("the name")
            .related(at("e.yaml", DEPLOYMENT, "name:"), "the key")
            .related(at("e.yaml", DEPLOYMENT, "apps/v1"), "elsewhere in the file"),
        Finding::new("a/none", Severity::Info, Place::whole_file("e.yaml"), "no text").help("look inside"),
        Finding::new("a/secret", Severity::Error, Place::redacted(&secret, Span::new(37, 44)), "not shown")
            .related(at("e.yaml", DEPLOYMENT, "name:"), "the key"),
    ];
    let text =
        written("text", &Report::new(findings, Summary::default()), &Options { width: 72, ..Options::default() });
    assert!(!text.contains("hunter2"));
    assert_report("text_places", &text);
}

#[test]
fn github_ranks_within_its_ten_and_says_what_is_missing() {
    let findings = (0..14).map(|n| latest(&format!("apps/{n:02}.yaml"))).collect();
    let text = written("github", &Report::new(findings, Summary::default()), &Options::default());
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 10);
    assert!(lines.iter().all(|it| it.starts_with("::error ")));
    assert_eq!(lines[9], "::error title=admit::and 5 more of level error; see the job summary or the full report");
}

#[test]
fn a_summary_ends_before_github_drops_it() {
    let findings = (0..20_000).map(|n| latest(&format!("apps/{n:05}.yaml"))).collect();
    let text = written("markdown", &Report::new(findings, Summary::default()), &Options::default());
    assert!(text.len() < 1 << 20 && text.contains(" more; the full report has them all."), "{}", text.len());
}

#[test]
fn sarif_keeps_the_most_urgent_of_too_many() {
    let many = (0..25_010).map(|n| {
        let place = Place::whole_file(format!("{n}.yaml"));
        Finding::new("a", if n % 2 == 0 { Severity::Info } else { Severity::Error }, place, "m")
    });
    let text = written("sarif", &Report::new(many.collect(), Summary::default()), &Options::default());
    let sarif: serde_json::Value = serde_json::from_str(&text).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 25_000);
    assert_eq!(results.iter().filter(|it| it["level"] == "error").count(), 12_505);
    assert!(text.contains("10 less urgent results are left out"));
}

#[test]
fn json_has_the_fields_that_its_schema_demands() {
    let schema: serde_json::Value = serde_json::from_str(json::SCHEMA).unwrap();
    let report: serde_json::Value = serde_json::from_str(&written("json", &sample(), &Options::default())).unwrap();
    assert_matches(&schema, &schema, &report, "report");
}

/// The part of JSON Schema that ours uses.
fn assert_matches(root: &serde_json::Value, schema: &serde_json::Value, value: &serde_json::Value, at: &str) {
    if let Some(target) = schema["$ref"].as_str() {
        let target = root.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("no {target}"));
        return assert_matches(root, target, value, at);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        assert_matches(root, part, value, at);
    }
    match schema["type"].as_str() {
        Some("object") => assert!(value.is_object(), "{at}: {value}"),
        Some("array") => assert!(value.is_array(), "{at}: {value}"),
        Some("string") => assert!(value.is_string(), "{at}: {value}"),
        Some("integer") => assert!(value.as_i64() >= schema["minimum"].as_i64(), "{at}: {value}"),
        _ => {}
    }
    assert!(schema["const"].is_null() || schema["const"] == *value, "{at}: {value}");
    assert!(schema["enum"].as_array().is_none_or(|it| it.contains(value)), "{at}: {value}");
    for name in schema["required"].as_array().into_iter().flatten().filter_map(|it| it.as_str()) {
        assert!(value.get(name).is_some(), "{at} has no {name}");
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            assert_matches(root, schema, value, &format!("{at}.{name}"));
        }
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        if schema.get("items").is_some() {
            assert_matches(root, &schema["items"], item, &format!("{at}[{n}]"));
        }
    }
}

const HOSTILE: &str = "x\n::set-output name=a::b\r\n  ::error::c %0A::warning::d \u{1b}[31m\u{1b}]0;t\u{7} \u{9b}2J\u{0} \
    \u{202e}evil\u{2066} \u{200b}\u{feff}]]> <script>alert(1)</script> | `code` [a](http://b.c) ##[add-mask]e ##vso[f] \
    @me #1 ---\nkey: &a *a {{ }} \u{1a}\u{7f}\u{2028}";

/// Everything foreign in a finding holds everything that could steer a reader of any format.
fn hostile() -> Report {
    let source = format!("a: \"{}\"\n", HOSTILE.replace('\n', " "));
    let place = at(HOSTILE, &source, &source[3..source.len() - 1]);
    let mut verdict = verdict(HOSTILE, HOSTILE, Status::Fail, Action::Enforce);
    verdict.resource = ResourceRef {
        api_version: HOSTILE.into(),
        kind: HOSTILE.into(),
        namespace: HOSTILE.into(),
        name: HOSTILE.into(),
    };
    verdict.category = HOSTILE.into();
    verdict.severity = HOSTILE.into();
    verdict.properties = vec![(HOSTILE.into(), HOSTILE.into())];
    let quiet = Quiet { path: HOSTILE.into(), line: 1, verdict: verdict.clone(), message: HOSTILE.into() };
    let finding = |id: &str, severity| {
        Finding::new(format!("{id}{HOSTILE}"), severity, place.clone(), HOSTILE)
            .label(HOSTILE)
            .pointer(HOSTILE)
            .related(place.clone(), HOSTILE)
            .related(at("b.yaml", &source, "evil"), HOSTILE)
            .related(Place::whole_file(HOSTILE), HOSTILE)
            .help(HOSTILE)
            .note(HOSTILE)
            .verdict(verdict.clone())
    };
    let waiver = Waiver { exception: HOSTILE.into(), place: Some(place.clone()), reason: HOSTILE.into() };
    let mut report = Report::new(
        vec![
            finding("", Severity::Error),
            finding("b", Severity::Warning),
            finding("c", Severity::Error).waived(waiver),
        ],
        Summary::default(),
    );
    report.quiet.push(quiet);
    report.notes.push(HOSTILE.into());
    let rule = Rule {
        title: HOSTILE.into(),
        description: HOSTILE.into(),
        url: HOSTILE.into(),
        tags: vec![HOSTILE.into()],
        path: HOSTILE.into(),
    };
    report.rules.insert(HOSTILE.into(), rule);
    report
}

#[test]
fn nothing_foreign_steers_a_terminal_or_a_runner() {
    for format in FORMATS {
        for options in [
            Options { now: Some(time()), ..Options::default() },
            Options { width: 20, unicode: true, ..Options::default() },
            Options { max_findings: 0, ..Options::default() },
        ] {
            let text = written(format.name, &hostile(), &options);
            let name = format.name;
            let hostile = text.chars().find(|it| *it != '\n' && escape::is_hostile(*it));
            assert_eq!(hostile, None, "{name}: {text}");
            for line in text.lines() {
                let it = line.trim();
                let is_ours =
                    name == "github" && (it.starts_with("::error file=") || it.starts_with("::warning file="));
                // `::: path` is no command: no name stands between the colons.
                assert!(!it.starts_with("::") || is_ours || it.starts_with("::: "), "{name}: {line}");
                // JSON has no line that starts with text, and Azure and GitHub read none of its files.
                let is_data = matches!(name, "json" | "sarif" | "gitlab" | "github");
                assert!(is_data || !(line.contains("##[") || line.contains("##vso[")), "{name}: {line}");
                assert!(name != "github" || it.matches("::").count() >= 2, "{name}: {line}");
            }
        }
    }
}

#[test]
fn hostile_text_comes_back_exact_from_formats_for_programs() {
    let report = hostile();
    let options = Options { now: Some(time()), ..Options::default() };
    let json: serde_json::Value = serde_json::from_str(&written("json", &report, &options)).unwrap();
    assert_eq!(json["findings"][0]["message"], HOSTILE);
    assert_eq!(json["findings"][0]["path"], HOSTILE);
    let sarif: serde_json::Value = serde_json::from_str(&written("sarif", &report, &options)).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 3);
    let gitlab: serde_json::Value = serde_json::from_str(&written("gitlab", &report, &options)).unwrap();
    assert_eq!(gitlab[0]["location"]["path"], HOSTILE);
    let xml = quick_junit::Report::deserialize_from_str(&written("junit", &report, &options)).unwrap();
    assert_eq!(xml.test_suites.iter().map(|it| it.test_cases.len()).sum::<usize>(), 4);
    for name in ["policyreport", "openreports"] {
        let yaml = written(name, &report, &options);
        assert_eq!(yaml.lines().filter(|it| *it == "---").count(), 1, "{yaml}");
        let yaml: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
        assert_eq!(yaml["results"].as_sequence().unwrap().len(), 4);
    }
}

#[test]
fn a_table_row_of_markdown_is_one_line_of_three_cells() {
    let text = written("markdown", &hostile(), &Options::default());
    for line in text.lines().filter(|it| it.starts_with("| ")) {
        assert_eq!(line.matches('|').count(), 4, "{line}");
        assert!(!line.contains("<script") && !line.contains("http://"), "{line}");
    }
}

/// What `admit merge` makes of a run in one part: the same, in every format.
#[test]
fn a_report_that_was_read_back_is_the_same() {
    let shard = Shard { number: 1, of: 1, checked: Checked::Something, is_root: true, run: 7 };
    let known = || {
        let mut report = sample();
        report.findings[0].known = true;
        report
    };
    let all: [fn() -> Report; 3] = [sample, hostile, known];
    for make in all {
        let json = written("json", &Report { shard: Some(shard), ..make() }, &Options::default());
        let part = read::read(json.as_bytes()).unwrap();
        assert_eq!(part.shard, Some(shard));
        let (joined, _) = read::merge(vec![part]).unwrap();
        for format in FORMATS {
            let options = Options::default();
            assert_eq!(
                written(format.name, &joined, &options),
                written(format.name, &make(), &options),
                "{}",
                format.name
            );
        }
    }
}

#[test]
fn a_report_of_a_whole_run_is_nothing_to_join() {
    let json = written("json", &sample(), &Options::default());
    assert!(matches!(read::read(json.as_bytes()), Err(read::MergeError::NoShard)));
    let shard = Shard { number: 1, of: 1, checked: Checked::Something, is_root: true, run: 7 };
    let json = written("json", &Report { shard: Some(shard), ..sample() }, &Options::default());
    let other = json.replace("\"severity\": \"error\"", "\"severity\": \"dire\"");
    assert!(matches!(read::read(other.as_bytes()), Err(read::MergeError::UnknownWord(it)) if it == "dire"));
}

#[test]
fn what_the_baseline_holds_counts_for_nothing() {
    let mut report = sample();
    for finding in &mut report.findings {
        finding.known = true;
    }
    assert_eq!(report.worst(), None);
    assert_eq!(report.tally(), Tally { waived: 1, known: 5, ..Tally::default() });
    assert_eq!(written("github", &report, &Options::default()), "");
    assert_eq!(written("gitlab", &report, &Options::default()), "[]\n");
}

#[test]
fn policy_reports_hold_no_severity_that_a_server_refuses() {
    let text = written("policyreport", &hostile(), &Options::default());
    assert!(!text.contains("severity:"), "{text}");
    assert!(written("policyreport", &sample(), &Options::default()).contains("severity: medium"));
}

#[test]
fn same_report_same_bytes() {
    for format in FORMATS {
        let mut reversed = sample();
        reversed.findings.reverse();
        let again = Report { findings: Report::new(reversed.findings, Summary::default()).findings, ..sample() };
        let options = Options::default();
        assert_eq!(
            written(format.name, &sample(), &options),
            written(format.name, &again, &options),
            "{}",
            format.name
        );
    }
}
