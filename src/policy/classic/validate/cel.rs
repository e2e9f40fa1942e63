//! `validate.cel` and `celPreconditions`.

use super::{Draft, given, given_of};
use crate::{
    document::Node,
    policy::{
        Measure,
        classic::{Body, Check},
    },
};

/// Expressions that do not compile. Kyverno's command line takes them, and says so of each object.
pub(super) fn compiles(draft: &Draft<'_>) {
    if draft.measure == Measure::CommandLine {
        return;
    }
    for rule in draft.declared() {
        if let Body::Validate(validate) = &rule.body
            && let Check::Cel(cel) = &validate.check
        {
            cel.body.report(draft.problems);
        }
    }
}

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let cel = rule.at(&["validate", "cel"]).filter(|it| !it.is_null());
    let Some(cel) = cel else {
        if let Some(list) = given(rule, "celPreconditions").filter(|it| it.len() > 0) {
            let message = "celPrecondition can only be used with validate.cel";
            draft.refuse_key(list, message, "use `preconditions`");
        }
        return;
    };
    if let Some(list) = given(rule, "context").filter(|it| it.len() > 0) {
        let message = "context variables are not supported for CEL expressions";
        draft.refuse_key(list, message, "use `variables` of `cel`");
    }
    match (given(cel, "paramKind"), given(cel, "paramRef")) {
        (Some(kind), None) => draft.refuse_key(kind, "paramKind must be used together with paramRef", "add `paramRef`"),
        (None, Some(reference)) => {
            draft.refuse_key(reference, "paramRef must be used together with paramKind", "add `paramKind`");
        }
        (Some(kind), Some(reference)) => parameters(draft, kind, reference),
        (None, None) => {}
    }
}

fn parameters(draft: &Draft<'_>, kind: Node<'_>, reference: Node<'_>) {
    for key in ["apiVersion", "kind"] {
        if kind.str_at(&[key]).is_none_or(str::is_empty) {
            draft.refuse_key(kind, format!("paramKind.{key} is required"), format!("add `{key}`"));
        }
    }
    match given_of(reference, &["name", "selector"]).as_slice() {
        [] => draft.refuse_key(reference, "one of name or selector must be specified in paramRef", "add one of them"),
        [_] => {}
        [_, second, ..] => {
            draft.refuse_key(*second, "name and selector are mutually exclusive in paramRef", "remove one of them");
        }
    }
    if given(reference, "parameterNotFoundAction").is_none() {
        let message = "parameterNotFoundAction is required in paramRef";
        draft.refuse_key(reference, message, "add `parameterNotFoundAction: Deny` or `Allow`");
    }
}
