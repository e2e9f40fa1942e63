//! `ClusterPolicy` and `Policy`.

use super::{
    Field, Object, Shape,
    conditions::CEL_CONDITION,
    context,
    generate::GENERATE,
    images, matching,
    mutate::MUTATE,
    validate::{ACTIONS, OVERRIDE, VALIDATE},
};

macro_rules! spec {
    ($rule:expr) => {
        object!(
            "spec",
            &[
                required!("rules", Shape::Some(&Shape::Object($rule))),
                field!("admission", Shape::Bool),
                field!("applyRules", Shape::Choice(&["All", "One"])),
                field!("background", Shape::Bool),
                field!("emitWarning", Shape::Bool),
                field!("failurePolicy", Shape::Choice(FAILURE_POLICIES)),
                field!("generateExisting", Shape::Bool),
                field!("generateExistingOnPolicyUpdate", Shape::Bool),
                field!("mutateExistingOnPolicyUpdate", Shape::Bool),
                field!("schemaValidation", Shape::Bool),
                field!("useServerSideApply", Shape::Bool),
                field!("validationFailureAction", Shape::Choice(ACTIONS)),
                field!("validationFailureActionOverrides", Shape::List(&Shape::Object(&OVERRIDE))),
                field!("webhookConfiguration", Shape::Object(&WEBHOOK_CONFIGURATION)),
                field!("webhookTimeoutSeconds", Shape::Int),
            ]
        )
    };
}

macro_rules! rule {
    ($match:expr, $exclude:expr) => {
        object!(
            "a rule",
            &[
                required!("name", Shape::Name(63)),
                field!("match", Shape::Object($match)),
                field!("exclude", Shape::Object($exclude)),
                field!("context", Shape::List(&Shape::Object(&context::ENTRY))),
                field!("preconditions", Shape::Any),
                field!("celPreconditions", Shape::List(&Shape::Object(&CEL_CONDITION))),
                field!("imageExtractors", Shape::Map(&Shape::List(&Shape::Object(&images::EXTRACTOR)))),
                field!("reportProperties", Shape::Map(&Shape::Text)),
                field!("skipBackgroundRequests", Shape::Bool),
                field!("validate", Shape::Object(&VALIDATE)),
                field!("mutate", Shape::Object(&MUTATE)),
                field!("generate", Shape::Object(&GENERATE)),
                field!("verifyImages", Shape::List(&Shape::Object(&images::VERIFICATION))),
            ]
        )
    };
}

/// A policy of `kyverno.io/v1`.
pub(crate) static POLICY: Object = object!("a policy", top!(Shape::Object(&SPEC)));

/// A policy of `kyverno.io/v2beta1`, which knows no filter directly below `match`.
pub(crate) static POLICY_V2BETA1: Object = object!("a policy", top!(Shape::Object(&SPEC_V2BETA1)));

const FAILURE_POLICIES: &[&str] = &["Ignore", "Fail"];

static SPEC: Object = spec!(&RULE);
static SPEC_V2BETA1: Object = spec!(&RULE_V2BETA1);
static RULE: Object = rule!(&matching::LEGACY_MATCH, &matching::LEGACY_EXCLUDE);
static RULE_V2BETA1: Object = rule!(&matching::MATCH, &matching::EXCLUDE);

static WEBHOOK_CONFIGURATION: Object = object!(
    "webhookConfiguration",
    &[
        field!("failurePolicy", Shape::Choice(FAILURE_POLICIES)),
        field!("timeoutSeconds", Shape::Int),
        field!("matchConditions", Shape::List(&Shape::Object(&CEL_CONDITION))),
    ],
);
