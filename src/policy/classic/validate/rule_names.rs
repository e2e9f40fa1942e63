//! Names of rules: each once, generated rules included.

use std::collections::HashMap;

use super::Draft;

pub(super) fn check(draft: &Draft<'_>) {
    let mut known = HashMap::new();
    for rule in &draft.policy.rules {
        let Some(first) = known.insert(rule.name.as_str(), rule) else { continue };
        let message = format!("Duplicate rule name: '{}'", rule.name);
        let help = match (&first.generated, &rule.generated) {
            (None, None) => "give each rule a name of its own".to_owned(),
            _ => format!("the rule for Pod controllers made from `{}` has this name, too", rule.declared_name),
        };
        draft.refuse_at(draft.spec, rule.name_span, message, help);
    }
}
