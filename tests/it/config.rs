//! `admit config`: the schema says what the program takes, and what is shown is what counts.

use regex::Regex;
use serde_json::{Value, json};

use crate::scratch::{Scratch, exception, policy, widget};

/// Whether a value keeps to a schema, as far as ours go.
fn keeps_to(schema: &Value, value: &Value) -> bool {
    let is_of = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    let known = [
        "$schema",
        "title",
        "description",
        "default",
        "format",
        "type",
        "enum",
        "anyOf",
        "not",
        "pattern",
        "items",
        "properties",
        "additionalProperties",
        "required",
    ];
    schema.as_object().unwrap().iter().all(|(word, says)| match word.as_str() {
        "type" if says.is_string() => is_of(says.as_str().unwrap()),
        "type" => says.as_array().unwrap().iter().any(|it| is_of(it.as_str().unwrap())),
        "enum" => says.as_array().unwrap().contains(value),
        "anyOf" => says.as_array().unwrap().iter().any(|it| keeps_to(it, value)),
        "not" => !keeps_to(says, value),
        "pattern" => value.as_str().is_none_or(|it| Regex::new(says.as_str().unwrap()).unwrap().is_match(it)),
        "items" => value.as_array().is_none_or(|all| all.iter().all(|it| keeps_to(says, it))),
        "properties" => value
            .as_object()
            .is_none_or(|map| map.iter().all(|(key, value)| says.get(key).is_none_or(|it| keeps_to(it, value)))),
        "additionalProperties" => {
            assert_eq!(*says, json!(false));
            let properties = schema["properties"].as_object().unwrap();
            value.as_object().is_none_or(|map| map.keys().all(|key| properties.contains_key(key)))
        }
        "required" => value
            .as_object()
            .is_none_or(|map| says.as_array().unwrap().iter().all(|it| map.contains_key(it.as_str().unwrap()))),
        word => {
            assert!(known.contains(&word), "{word}");
            true
        }
    })
}

#[test]
fn the_schema_takes_what_the_program_takes() {
    let it = Scratch::repository();
    let schema = it.admit(&["config", "schema"]).exits(0).json();
    let everything = json!({
        "policies": ["policies", "more/**"], "exceptions": ["exceptions"], "include": [], "exclude": ["**/testdata/**"],
        "trust": "both", "guard": ["main", "refs/tags/**"],
        "userinfo": { "username": "jane", "groups": ["a"], "roles": ["b:c"], "clusterRoles": ["view"] },
        "governance": {
            "exceptionsFrom": "base-for-enforce", "onInvalidException": "honour",
            "rules": { "EXC014": { "severity": "off", "enabled": true, "minLiteralPrefix": 5 }, "EXC029": null, "EXC027": { "keys": ["spec.expiresAt"], "max": "90d" } },
            "allow": [{ "rule": "EXC019", "exception": "a/b", "reason": "x", "until": "2026-12-31" }],
        },
    });
    let with = |path: &[&str], value: Value| {
        let mut out = everything.clone();
        let mut at = &mut out;
        for key in path {
            at = match key.parse::<usize>() {
                Ok(n) => &mut at[n],
                Err(_) => &mut at[*key],
            };
        }
        *at = value;
        out
    };
    for (settings, is_fine) in [
        (everything.clone(), true),
        (json!({}), true),
        (json!(null), true),
        (json!([]), false),
        (with(&["exceptions"], json!({ "enabled": false, "namespaces": ["a-*"], "directories": ["x"] })), true),
        (with(&["exceptions"], json!({ "enable": false })), false),
        (with(&["exceptions"], json!("exceptions")), false),
        (with(&["exceptions"], json!(null)), true),
        (with(&["policys"], json!([])), false),
        (with(&["policies"], json!(["../x"])), false),
        (with(&["policies"], json!(["/x"])), false),
        (with(&["policies"], json!(["a..b"])), true),
        (with(&["policies"], json!([1])), false),
        (with(&["trust"], json!("head")), true),
        (with(&["trust"], json!("nobody")), false),
        (with(&["trust"], json!(null)), true),
        (with(&["userinfo"], json!({ "groups": [] })), false),
        (with(&["userinfo", "group"], json!([])), false),
        (with(&["userinfo"], json!(null)), true),
        (with(&["governance", "rule"], json!({})), false),
        (with(&["governance", "rules", "EXC999"], json!({})), false),
        (with(&["governance", "rules", "EXC014", "severity"], json!("eror")), false),
        (with(&["governance", "rules", "EXC014", "minLiteral"], json!(1)), false),
        (with(&["governance", "rules", "EXC014", "minLiteralPrefix"], json!("lots")), false),
        (with(&["governance", "rules", "EXC027", "keys"], json!("all")), false),
        (with(&["governance", "onInvalidException"], json!("honor")), false),
        (with(&["governance", "exceptionsFrom"], json!("base")), true),
        (with(&["governance", "allow", "0", "until"], json!("soon")), false),
        (with(&["governance", "allow", "0"], json!({ "rule": "EXC019", "exception": "a/b" })), false),
        (with(&["governance", "allow", "0", "whatever"], json!(1)), false),
    ] {
        it.write("admit.yaml", settings.to_string());
        let run = it.admit(&["config", "show"]);
        assert_eq!((run.code == 0, keeps_to(&schema, &settings)), (is_fine, is_fine), "{settings}: {}", run.stderr);
    }
}

#[test]
fn the_settings_of_the_examples_keep_to_the_schema() {
    let it = Scratch::new();
    let schema = it.admit(&["config", "schema"]).exits(0).json();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut n = 0;
    for entry in std::fs::read_dir(root.join("examples")).unwrap() {
        let Ok(text) = std::fs::read_to_string(entry.unwrap().path().join("admit.yaml")) else { continue };
        // Read back by the program: what it shows is what it read.
        it.write("admit.yaml", &text);
        let shown = it.admit(&["config", "show", "--format", "json"]).exits(0).json();
        let written =
            shown.as_array().unwrap().iter().filter(|it| it["origin"].as_str().unwrap().starts_with("admit.yaml:"));
        let mut settings = json!({});
        for line in written {
            let at = line["key"].as_str().unwrap().split('.').fold(&mut settings, |at, key| &mut at[key]);
            *at = line["value"].clone();
        }
        assert!(settings.as_object().is_some_and(|it| !it.is_empty()), "{shown}");
        assert!(keeps_to(&schema, &settings), "{settings}");
        n += 1;
    }
    assert!(n > 0, "no example has settings");
}

#[test]
fn what_is_shown_says_where_it_comes_from_and_could_be_the_file() {
    let it = Scratch::repository();
    it.write(
        "admit.yaml",
        "policies: [policies]\nexceptions:\n  directories: [waivers]\ngovernance:\n  rules:\n    EXC014:\n      minLiteralPrefix: 5\n    EXC025: { enabled: true }\n",
    );
    let run = it.admit(&["config", "show", "--exception-namespace", "waivers-*"]).exits(0);
    let line = |start: &str| {
        let found = run
            .stdout
            .lines()
            .find(|it| it.trim_start().starts_with(start))
            .unwrap_or_else(|| panic!("{start}: {}", run.stdout));
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("policies:"), "policies: [\"policies\"] # admit.yaml:1");
    assert_eq!(line("directories:"), "directories: [\"waivers\"] # admit.yaml:3");
    assert_eq!(line("namespaces:"), "namespaces: [\"waivers-*\"] # --exception-namespace");
    assert_eq!(line("enabled:"), "enabled: true # default");
    assert_eq!(line("trust:"), "trust: \"base\" # default");
    assert_eq!(line("minLiteralPrefix:"), "minLiteralPrefix: 5 # admit.yaml:7");
    assert_eq!(line("allowTrailingStar:"), "allowTrailingStar: true # default");
    assert!(run.stdout.contains("EXC025:\n      severity: \"warning\""), "{}", run.stdout);
    // It says the same when it is read back.
    it.write("admit.yaml", &run.stdout);
    let again = it.admit(&["config", "show"]).exits(0);
    let values =
        |text: &str| text.lines().map(|it| it.split(" # ").next().unwrap().trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(values(&again.stdout), values(&run.stdout));
    it.write("admit.yaml", "governance: { rules: { EXC014: { minLiteral: 1 } } }\n");
    it.admit(&["config", "show"]).exits(2).complains("admit.yaml:1:").complains("EXC014 has no option `minLiteral`");
}

/// A repository in which an exception waives what would fail.
fn waived(settings: &str) -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("apps/a.yaml", widget("abc", "size", "large")).write("exceptions/a.yaml", exception("a", "size", "abc"));
    it.write("admit.yaml", settings);
    it
}

#[test]
fn exceptions_can_be_switched_off_and_limited_and_findings_say_so() {
    let it = waived("");
    it.admit(&["check"]).exits(0).says("1 waived");
    it.admit(&["check", "--exception-namespace", "shop"]).exits(0).says("1 waived");
    for (settings, flags, why) in [
        ("exceptions: { enabled: false }\n", vec![], "exceptions are switched off"),
        ("", vec!["--no-exceptions"], "exceptions are switched off"),
        (
            "exceptions: { namespaces: [waivers, w-*] }\n",
            vec![],
            "exceptions count in the namespaces `waivers`, `w-*` only",
        ),
        (
            "exceptions: { namespaces: [shop] }\n",
            vec!["--exception-namespace", "other"],
            "in the namespaces `other` only",
        ),
        ("exceptions: { directories: [waivers] }\n", vec![], "exceptions count below `waivers` only"),
    ] {
        let it = waived(settings);
        let run =
            it.admit(&[vec!["check"], flags.clone()].concat()).exits(1).says("error[size/check]").says_not("waived by");
        run.says("exception `shop/a` would cover it, but").says("error[EXC010]: it exempts nothing");
        // A cluster does the same, and governance has nothing to do with it.
        let run = it.admit(&[vec!["check", "--no-governance", "--format", "json"], flags.clone()].concat()).exits(1);
        run.says(why).says_not("EXC010");
        it.admit(&[vec!["exceptions"], flags.clone()].concat()).exits(0).says("1 ignored");
        it.admit(&[vec!["lint"], flags].concat()).exits(1).says("EXC010");
    }
    let it = waived("exceptions: { namespaces: [shop], directories: ['exc*/**'] }\n");
    it.admit(&["check"]).exits(0).says("1 waived");
    // Seen from above, too.
    let above = Scratch::new();
    above.write("top/.git/HEAD", "").write("top/admit.yaml", "exceptions: { directories: [waivers] }\n");
    above
        .write("top/policies/p.yaml", policy("size", "size", "small"))
        .write("top/a.yaml", widget("abc", "size", "large"));
    above.write("top/waivers/a.yaml", exception("a", "size", "abc"));
    std::fs::remove_dir_all(above.path("top/.git")).unwrap();
    above.admit(&["check", "top"]).exits(0).says("1 waived");
}

#[test]
fn a_change_does_not_lift_the_limits_that_judge_it() {
    let it = waived("exceptions: { enabled: false }\n");
    it.remove("apps/a.yaml");
    it.commit("base");
    it.write("apps/a.yaml", widget("abc", "size", "large")).write("admit.yaml", "");
    it.commit("lifted");
    let run = it.admit(&["check", "--diff", "HEAD~1", "--format", "json"]).exits(1).says("exceptions are switched off");
    run.says("GOV009").says("exceptions count, which were switched off");
    let it = waived("exceptions: { namespaces: [w], directories: [x] }\n");
    it.commit("base");
    it.write("admit.yaml", "exceptions: { namespaces: ['*'] }\n");
    it.commit("wider");
    let run = it.admit(&["check", "--diff", "HEAD~1", "--format", "json"]).says("GOV009");
    run.says("exceptions count in the namespace `*`").says("exceptions count in every file");
}
