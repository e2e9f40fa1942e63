//! What a change of policies, exceptions, Namespaces and parameters does to objects that it does not touch.

use crate::{
    scratch::{Scratch, exception, policy, widget},
    server::Server,
};

/// A repository with a policy, a Widget that keeps it, one that an exception exempts, and ten that another policy would
/// refuse.
fn base() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("apps/a.yaml", widget("a", "size", "small")).write("apps/big.yaml", widget("big", "size", "large"));
    it.write("exceptions/big.yaml", exception("big", "size", "big"));
    for n in 0..10 {
        it.write(&format!("apps/n{n}.yaml"), widget(&format!("n{n}"), "color", "red"));
    }
    it.write("apps/other.yaml", widget("other", "size", "large").replace("Widget", "Gadget"));
    it.commit("base");
    it
}

#[test]
fn a_policy_is_tried_on_what_is_there() {
    let it = base();
    it.write("policies/color.yaml", policy("color", "color", "blue"));
    let run = it.admit(&["check"]);
    assert_eq!(run.code, 1);
    it.commit("color");
    let diff = |flags: &[&str]| it.admit(&[&["check", "--diff", "HEAD~1..HEAD"], flags].concat());
    diff(&[])
        .exits(0)
        .says("warning[reach/policy]: after this change 12 objects would fail by `color`")
        .says("--> policies/color.yaml:3")
        .says("apps/a.yaml:4")
        .says("Widget shop/a: color/check")
        .says("and 9 more")
        .says_not("Gadget");
    let json = diff(&["--format", "json"]).exits(0).json();
    let found = &json["findings"][0];
    assert_eq!((found["id"].as_str(), found["related"].as_array().map(Vec::len)), (Some("reach/policy"), Some(3)));
    // What the new policy takes away from another one is none of its business.
    it.write("policies/size.yaml", policy("size", "size", "large"));
    it.commit("size");
    diff(&["--no-governance"]).exits(0).says("1 object would fail by `size`").says_not("`color`");
}

#[test]
fn how_much_it_weighs_is_said_by_the_settings_from_before() {
    for (settings, expected) in [
        ("reach: error\n", Some("error[reach/policy]")),
        ("reach: info\n", Some("info[reach/policy]")),
        ("reach: 'off'\n", None),
        ("trust: both\n", Some("error[reach/policy]")),
        ("trust: proposed\n", Some("warning[reach/policy]")),
    ] {
        let it = base();
        it.write("admit.yaml", settings);
        it.commit("settings");
        it.write("policies/color.yaml", policy("color", "color", "blue")).write("admit.yaml", "trust: base\n");
        it.commit("change");
        let run = it.admit(&["check", "--diff", "HEAD~1..HEAD", "--no-governance"]);
        match expected {
            Some(text) => run.says(text).exits(i32::from(text.starts_with("error"))),
            None => run.exits(0).says_not("reach/"),
        };
    }
}

#[test]
fn an_exception_that_goes_or_shrinks_lets_others_fail() {
    let it = base();
    it.remove("exceptions/big.yaml");
    it.commit("gone");
    let diff = || it.admit(&["check", "--diff", "HEAD~1..HEAD", "--no-governance"]).exits(0);
    diff()
        .says("warning[reach/exception]: after this change 1 object would fail without")
        .says("--> exceptions/big.yaml")
        .says("Widget shop/big: size/check");
    // One that comes lets nobody fail.
    it.write("exceptions/big.yaml", exception("big", "size", "big"));
    it.commit("back");
    diff().says_not("reach/");
    it.write("exceptions/big.yaml", exception("big", "size", "bigger"));
    it.commit("narrow");
    diff().says("warning[reach/exception]: after this change 1 object would fail");
}

#[test]
fn a_namespace_that_is_labeled_brings_what_is_in_it_under_the_law() {
    let it = base();
    let selects = "kinds: [Widget], namespaceSelector: { matchLabels: { env: prod } }";
    let namespace =
        |env: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: shop, labels: {{ env: {env} }} }}\n");
    it.write("policies/color.yaml", policy("color", "color", "blue").replace("kinds: [Widget]", selects));
    it.write("ns/shop.yaml", namespace("dev"));
    it.write("apps/far.yaml", widget("far", "color", "red").replace("namespace: shop", "namespace: far"));
    it.commit("namespaces");
    it.write("ns/shop.yaml", namespace("prod"));
    it.commit("label");
    it.admit(&["check", "--diff", "HEAD~1..HEAD"])
        .exits(0)
        .says("warning[reach/namespace]: after this change 12 objects would fail in namespace `shop`")
        .says("--> ns/shop.yaml:3");
}

#[test]
fn a_config_map_that_a_rule_reads_reaches_the_kinds_of_that_rule() {
    let it = base();
    let reads = "context: [{ name: limits, configMap: { name: limits, namespace: shop } }]\n      validate: { message: size, deny: { conditions: { any: [{ key: '{{ request.object.spec.size || `\"small\"` }}', operator: NotEquals, value: '{{ limits.data.size }}' }] } } }\n";
    let size = policy("size", "size", "small");
    let at = size.find("validate: {").unwrap();
    it.write("policies/size.yaml", format!("{}{reads}", &size[..at]));
    let limits = |size: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: limits, namespace: shop }}\ndata: {{ size: {size} }}\n"
        )
    };
    it.write("limits.yaml", limits("small"));
    it.commit("limits");
    it.write("limits.yaml", limits("large"));
    it.commit("more");
    it.admit(&["check", "--diff", "HEAD~1..HEAD"])
        .exits(0)
        .says("warning[reach/object]: after this change 11 objects would fail since a rule reads");
    // An object that no rule reads reaches nothing.
    it.write("apps/a.yaml", widget("a", "size", "large"));
    it.commit("a");
    it.admit(&["check", "--diff", "HEAD~1..HEAD"]).says_not("reach/");
}

#[test]
fn a_push_says_what_it_does_to_others_and_is_refused_for_it_only_if_both_laws_count() {
    let it = Server::with_base();
    it.work.write("policies/color.yaml", policy("color", "color", "blue"));
    it.change().accepted().says("warning[reach/policy]: after this change 1 object would fail").says("trust: base");
    it.configure("--trust both");
    it.work.write("policies/shape.yaml", policy("shape", "shape", "round"));
    it.change().refused().says("error[reach/policy]").says("trust: both");
}
