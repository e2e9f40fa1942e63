//! Rules about exceptions, policies and the change itself.
//!
//! In: what a tree holds, as a [`Context`], and what `admit.yaml` says of the rules. Out: findings. No policy is
//! evaluated here: what exceptions really do is handed in. One file for each rule, with the user's page as its doc
//! comment; [`RULES`] is the table of all.

pub(crate) mod codeowners;
pub(crate) mod context;
mod cover;
pub(crate) mod effects;
mod expiry;
pub(crate) mod generate;
mod matching;
mod metadata;
pub(crate) mod page;
mod past;
pub(crate) mod register;
pub(crate) mod settings;
pub(crate) mod who;

pub(crate) use context::{Change, Configs, Context, Item, Named, Out, PolicyRef};
pub(crate) use effects::{Effect, Effects};
pub(crate) use settings::Rules;

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use crate::{
    config::governance::Level,
    finding::{Finding, Severity},
    policy::{matching::Filter, set::PolicySet},
};

/// A rule: its file, its page, what it looks at.
pub(crate) struct Rule {
    /// Forever: a retired one is never used again.
    pub id: &'static str,
    /// What it is about, in a word or two.
    pub name: &'static str,
    /// How much it weighs where `admit.yaml` doesn't say.
    pub level: Level,
    /// The lines of the user's page, as in the doc comment.
    page: &'static [&'static str],
    /// The options and their defaults.
    defaults: fn() -> serde_json::Value,
    /// Whether options can be read.
    accepts: fn(serde_json::Value) -> Result<(), serde_json::Error>,
    /// Looks at everything once.
    check: fn(&Context<'_>, &mut Out<'_>),
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// The options of a rule that has none.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoOptions {}

/// Declares a rule: its doc comment is the user's page.
macro_rules! rule {
    ($(#[doc = $line:literal])+ $id:ident, $name:literal, $level:ident, $check:path) => {
        $crate::governance::rule! { $(#[doc = $line])+ $id, $name, $level, $check, $crate::governance::NoOptions }
    };
    ($(#[doc = $line:literal])+ $id:ident, $name:literal, $level:ident, $check:path, $options:ty) => {
        $(#[doc = $line])+
        pub(super) static $id: $crate::governance::Rule = $crate::governance::Rule {
            id: stringify!($id),
            name: $name,
            level: $crate::config::governance::Level::$level,
            page: &[$($line),+],
            defaults: || serde_json::to_value(<$options>::default()).unwrap_or_default(),
            accepts: |options| serde_json::from_value::<$options>(options).map(|_| ()),
            check: $check,
        };
    };
}
use rule;

/// Declares the modules of rules and the table of them.
macro_rules! table {
    ($($module:ident :: $id:ident),+ $(,)?) => {
        $(mod $module;)+

        /// Every rule, by ID.
        pub(crate) static RULES: &[&Rule] = &[$(&$module::$id),+];
    };
}

table! {
    exc001_parse::EXC001,
    exc002_empty_match::EXC002,
    exc003_deprecated_version::EXC003,
    exc004_policy_not_found::EXC004,
    exc005_rule_not_found::EXC005,
    exc006_wildcard_policy::EXC006,
    exc007_wildcard_rules::EXC007,
    exc008_wrong_kind_ref::EXC008,
    exc009_duplicate::EXC009,
    exc010_namespace::EXC010,
    exc011_background_userinfo::EXC011,
    exc012_ambiguous_policy::EXC012,
    exc013_namespaced_ref_leak::EXC013,
    exc014_explicit_name::EXC014,
    exc015_broad_kinds::EXC015,
    exc016_podsecurity_form::EXC016,
    exc017_podsecurity_misuse::EXC017,
    exc018_dead_field::EXC018,
    exc019_broad_namespaces::EXC019,
    exc020_cross_namespace::EXC020,
    exc021_autogen_missing::EXC021,
    exc022_children::EXC022,
    exc023_multi_policy::EXC023,
    exc024_match_all_cel::EXC024,
    exc025_require_subject::EXC025,
    exc026_blast_radius::EXC026,
    exc027_expiry_required::EXC027,
    exc028_expired::EXC028,
    exc029_metadata::EXC029,
    exc030_unused::EXC030,
    exc031_unneeded::EXC031,
    exc032_partly_unneeded::EXC032,
    exc033_dead_allow_list::EXC033,
    exc034_shadowed::EXC034,
    exc035_orphaned::EXC035,
    exc036_enforce_covered::EXC036,
    exc037_pass_report::EXC037,
    exc038_priority_clash::EXC038,
    exc039_condition_errors::EXC039,
    exc040_self_exempt::EXC040,
    exc041_require_signed::EXC041,
    gov001_owners::GOV001,
    gov002_author_not_allowed::GOV002,
    gov003_approvals::GOV003,
    gov004_unsigned_commit::GOV004,
    gov005_mixed_change::GOV005,
    gov006_policy_weakened::GOV006,
    gov007_exception_widened::GOV007,
    gov008_renewals::GOV008,
    gov009_config_weakened::GOV009,
    gov010_bypass_label::GOV010,
}

/// The rule of that ID.
pub(crate) fn rule_of(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id).copied()
}

/// The JSON schema of `governance.rules`. What an option takes is told by its default.
pub(crate) fn schema() -> serde_json::Value {
    let mut rules = serde_json::Map::new();
    for rule in RULES {
        let defaults = (rule.defaults)();
        let mut properties = serde_json::Map::new();
        properties.insert("enabled".to_owned(), json!({ "type": "boolean" }));
        // YAML reads `off` as false.
        let words: Vec<serde_json::Value> = Level::NAMES.iter().map(|it| json!(it)).chain([json!(false)]).collect();
        properties.insert("severity".to_owned(), json!({ "enum": words, "default": rule.level.name() }));
        for (option, default) in defaults.as_object().into_iter().flatten() {
            let kind = match default {
                serde_json::Value::Bool(_) => json!("boolean"),
                serde_json::Value::Number(_) => json!("integer"),
                serde_json::Value::String(_) => json!("string"),
                serde_json::Value::Array(_) => json!("array"),
                serde_json::Value::Object(_) => json!("object"),
                serde_json::Value::Null => json!(["null", "boolean", "number", "string", "array", "object"]),
            };
            properties.insert(option.clone(), json!({ "type": kind, "default": default }));
        }
        let text = json!({
            "type": ["object", "null"],
            "description": page::Page::of(rule).summary,
            "additionalProperties": false,
            "properties": properties,
        });
        rules.insert(rule.id.to_owned(), text);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": rules })
}

/// Runs every rule that is on.
pub(crate) fn check(context: &Context<'_>, rules: &Rules) -> Vec<Finding> {
    check_keyed(context, rules).into_iter().map(|(_, finding)| finding).collect()
}

/// The same, each finding with the key of the exception that it is about, if it is about one.
pub(crate) fn check_keyed(context: &Context<'_>, rules: &Rules) -> Vec<(String, Finding)> {
    let all = RULES.iter().flat_map(|rule| rules.run(rule, context));
    let mut all: Vec<(String, Finding)> = all.map(|it| (it.key, it.finding)).collect();
    // What a rule says in particular isn't said in general.
    let place = |it: &Finding| (std::sync::Arc::clone(&it.primary.path), it.primary.span);
    let particular: HashSet<_> =
        all.iter().filter(|(_, it)| it.id != exc001_parse::EXC001.id).map(|(_, it)| place(it)).collect();
    all.retain(|(_, it)| it.id != exc001_parse::EXC001.id || !particular.contains(&place(it)));
    all
}

/// What the rules about changed objects say, as [`check_keyed`] does.
pub(crate) fn check_objects(context: &Context<'_>, rules: &Rules) -> Vec<(String, Finding)> {
    rules.run(&gov010_bypass_label::GOV010, context).into_iter().map(|it| (it.key, it.finding)).collect()
}

/// Whether anything leaves objects out by their labels or annotations.
pub(crate) fn selects_by_labels(set: &PolicySet) -> bool {
    let selects = |it: &Filter| it.selector.is_some() || it.namespace_selector.is_some() || !it.annotations.is_empty();
    let excludes = set.classic.iter().flat_map(|it| &it.rules).filter_map(|it| it.exclude.as_ref());
    let exempts = set.exceptions.iter().map(|it| &it.matching);
    excludes.chain(exempts).flat_map(|it| &it.filters).any(selects)
}

/// What takes an exception its effect: the rules that it breaks and that weigh as errors, by its position in the set.
/// Asked are the rules that look at the file alone.
pub(crate) fn breaches(context: &Context<'_>, rules: &Rules) -> BTreeMap<usize, Vec<String>> {
    let mut out: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    // A rule that weighs less may say something that weighs as an error.
    let asked = RULES.iter().filter(|rule| rules.level(rule) != Level::Off && STATIC.contains(&rule.id));
    for found in asked.flat_map(|rule| rules.run(rule, context)) {
        if let (Some(position), Severity::Error) = (found.counted, found.finding.severity) {
            let ids = out.entry(position).or_default();
            if !ids.contains(&found.finding.id) {
                ids.push(found.finding.id);
            }
        }
    }
    out
}

/// Whether no exception exempts exceptions or policies, as EXC040 says.
pub(crate) fn guards_law(rules: &Rules) -> bool {
    rules.level(&exc040_self_exempt::EXC040) == Level::Error
}

/// The rules that need neither effects nor a change.
const STATIC: [&str; 31] = [
    "EXC001", "EXC002", "EXC003", "EXC004", "EXC005", "EXC006", "EXC007", "EXC008", "EXC009", "EXC010", "EXC011",
    "EXC012", "EXC013", "EXC014", "EXC015", "EXC016", "EXC017", "EXC018", "EXC019", "EXC020", "EXC021", "EXC023",
    "EXC024", "EXC025", "EXC027", "EXC028", "EXC029", "EXC033", "EXC036", "EXC040", "EXC041",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_each_rule_once() {
        assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
        let mut names: Vec<&str> = RULES.iter().map(|it| it.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    /// Every ID that was ever given away.
    fn catalogue() -> Vec<String> {
        let of = |prefix: &str, last: usize| -> Vec<String> { (1..=last).map(|n| format!("{prefix}{n:03}")).collect() };
        [of("EXC", 41), of("GOV", 10)].concat()
    }

    #[test]
    fn each_id_of_the_catalogue_has_a_rule_a_page_a_case_where_it_fires_and_one_where_it_does_not() {
        let mut problems = Vec::new();
        for id in catalogue() {
            let Some(rule) = rule_of(&id) else {
                problems.push(format!("{id}: there is no such rule"));
                continue;
            };
            let page = page::Page::of(rule);
            let says = |section: &str, bytes: usize| page.section(section).is_some_and(|it| it.len() >= bytes);
            for (what, holds) in [
                ("a first sentence", page.summary.ends_with('.')),
                ("a reason", says("Why", 80)),
                ("a remedy", says("Fix", 15)),
                // Whether the marked lines are those that are told is tried with each page.
                ("a case where it fires", page.examples("Fires").iter().any(|(_, text)| text.contains("# <-"))),
                ("a case where it does not", !page.examples("Stays quiet").is_empty()),
                ("no mark where it is quiet", !page.section("Stays quiet").unwrap_or_default().contains("# <-")),
            ] {
                if !holds {
                    problems.push(format!("{id}: the page lacks {what}"));
                }
            }
            let options = page.section("Options").unwrap_or_default();
            for option in (rule.defaults)().as_object().into_iter().flat_map(|it| it.keys()) {
                if !options.contains(&format!("`{option}`")) {
                    problems.push(format!("{id}: `{option}` is not on the page"));
                }
            }
        }
        assert_eq!(problems, [""; 0]);
        assert_eq!(RULES.len(), catalogue().len(), "a rule that is not in the catalogue");
        assert!(STATIC.iter().all(|id| rule_of(id).is_some()));
    }
}
