//! The kinds of `policies.kyverno.io`, the same in all their versions.
//!
//! Parts that only configure how a cluster runs a policy (`evaluation`, `autogen`, `webhookConfiguration`, credentials)
//! are not looked into.

use super::{
    Bond, Field, Object, Shape,
    cleanup::PROPAGATION,
    conditions::CEL_CONDITION,
    matching::SELECTOR,
    validate::{AUDIT_ANNOTATION, CEL_VARIABLE, VALIDATION},
};

/// `ValidatingPolicy` and its namespaced form.
pub(crate) static VALIDATING_POLICY: Object = object!("a policy", top!(Shape::Object(&VALIDATING_SPEC)));
/// `MutatingPolicy` and its namespaced form.
pub(crate) static MUTATING_POLICY: Object = object!("a policy", top!(Shape::Object(&MUTATING_SPEC)));
/// `GeneratingPolicy` and its namespaced form.
pub(crate) static GENERATING_POLICY: Object = object!("a policy", top!(Shape::Object(&GENERATING_SPEC)));
/// `ImageValidatingPolicy` and its namespaced form.
pub(crate) static IMAGE_VALIDATING_POLICY: Object = object!("a policy", top!(Shape::Object(&IMAGE_VALIDATING_SPEC)));
/// `DeletingPolicy` and its namespaced form.
pub(crate) static DELETING_POLICY: Object = object!("a policy", top!(Shape::Object(&DELETING_SPEC)));
/// `PolicyException` of `policies.kyverno.io`.
pub(crate) static EXCEPTION: Object = object!("an exception", top!(Shape::Object(&EXCEPTION_SPEC)));

const MATCH_CONSTRAINTS: Field = field!("matchConstraints", Shape::Object(&CONSTRAINTS));
/// `matchConditions`.
pub(super) const MATCH_CONDITIONS: Field = field!("matchConditions", Shape::Named(&Shape::Object(&CEL_CONDITION)));
/// `variables`.
pub(super) const VARIABLES: Field = field!("variables", Shape::Named(&Shape::Object(&CEL_VARIABLE)));
/// `validations`.
pub(super) const VALIDATIONS: Field = field!("validations", Shape::List(&Shape::Object(&VALIDATION)));
/// `auditAnnotations`.
pub(super) const AUDIT_ANNOTATIONS: Field = field!("auditAnnotations", Shape::List(&Shape::Object(&AUDIT_ANNOTATION)));
const ACTIONS: Field = field!("validationActions", Shape::List(&Shape::Choice(&["Deny", "Audit", "Warn"])));
/// `failurePolicy`.
pub(super) const FAILURE_POLICY: Field = field!("failurePolicy", Shape::Choice(&["Ignore", "Fail"]));
/// `mutations`.
pub(super) const MUTATIONS: Field = field!("mutations", Shape::List(&Shape::Object(&MUTATION)));
/// `reinvocationPolicy`.
pub(super) const REINVOCATION: Field = field!("reinvocationPolicy", Shape::Choice(&["Never", "IfNeeded"]));
const EVALUATION: Field = field!("evaluation", Shape::Map(&Shape::Any));
const AUTOGEN: Field = field!("autogen", Shape::Map(&Shape::Any));
const WEBHOOK: Field = field!("webhookConfiguration", Shape::Map(&Shape::Any));

static VALIDATING_SPEC: Object = object!(
    "spec",
    &[
        MATCH_CONSTRAINTS,
        MATCH_CONDITIONS,
        VARIABLES,
        VALIDATIONS,
        AUDIT_ANNOTATIONS,
        ACTIONS,
        FAILURE_POLICY,
        EVALUATION,
        AUTOGEN,
        WEBHOOK,
    ],
);

static MUTATING_SPEC: Object = object!(
    "spec",
    &[
        MATCH_CONSTRAINTS,
        MATCH_CONDITIONS,
        VARIABLES,
        AUDIT_ANNOTATIONS,
        FAILURE_POLICY,
        EVALUATION,
        AUTOGEN,
        WEBHOOK,
        MUTATIONS,
        field!("targetMatchConstraints", Shape::Object(&TARGET_CONSTRAINTS)),
        field!("targetMatchConditions", Shape::Named(&Shape::Object(&CEL_CONDITION))),
        REINVOCATION,
    ],
);

static MUTATION: Object = object!(
    "a mutation",
    &[
        required!("patchType", Shape::Choice(&["ApplyConfiguration", "JSONPatch"])),
        field!("applyConfiguration", Shape::Object(&EXPRESSION)),
        field!("jsonPatch", Shape::Object(&EXPRESSION)),
    ],
);

static EXPRESSION: Object = object!("an expression", &[field!("expression", Shape::Text)]);

static GENERATING_SPEC: Object = object!(
    "spec",
    &[
        MATCH_CONSTRAINTS,
        MATCH_CONDITIONS,
        VARIABLES,
        AUDIT_ANNOTATIONS,
        FAILURE_POLICY,
        EVALUATION,
        WEBHOOK,
        field!("generate", Shape::List(&Shape::Object(&GENERATION))),
    ],
);

static GENERATION: Object = object!(
    "an entry of generate",
    &[field!("expression", Shape::Text), field!("template", Shape::Object(&TEMPLATE))],
);

static TEMPLATE: Object = object!("template", &[field!("value", Shape::Text), field!("interpolate", Shape::Text)]);

static IMAGE_VALIDATING_SPEC: Object = object!(
    "spec",
    &[
        MATCH_CONSTRAINTS,
        MATCH_CONDITIONS,
        VARIABLES,
        VALIDATIONS,
        AUDIT_ANNOTATIONS,
        ACTIONS,
        FAILURE_POLICY,
        EVALUATION,
        AUTOGEN,
        WEBHOOK,
        field!("matchImageReferences", Shape::List(&Shape::Object(&IMAGE_REFERENCE))),
        field!("images", Shape::Named(&Shape::Object(&CEL_CONDITION))),
        field!("attestors", Shape::Named(&Shape::Map(&Shape::Any))),
        field!("attestations", Shape::Named(&Shape::Map(&Shape::Any))),
        field!("credentials", Shape::Map(&Shape::Any)),
        field!("validationConfigurations", Shape::Object(&VALIDATION_CONFIGURATIONS)),
    ],
);

static IMAGE_REFERENCE: Object = Object {
    owner: "an image reference",
    fields: &[field!("glob", Shape::Text), field!("expression", Shape::Text)],
    bonds: &[Bond::ExactlyOne(&["glob", "expression"])],
};

static VALIDATION_CONFIGURATIONS: Object = object!(
    "validationConfigurations",
    &[field!("mutateDigest", Shape::Bool), field!("verifyDigest", Shape::Bool), field!("required", Shape::Bool)],
);

static DELETING_SPEC: Object = object!(
    "spec",
    &[
        required!("schedule", Shape::Text),
        MATCH_CONSTRAINTS,
        field!("conditions", Shape::Named(&Shape::Object(&CEL_CONDITION))),
        VARIABLES,
        field!("deletionPropagationPolicy", Shape::Choice(PROPAGATION)),
    ],
);

/// `matchConstraints`, or `matchResources` of a binding.
pub(super) static CONSTRAINTS: Object = object!(
    "matchConstraints",
    &[
        field!("namespaceSelector", Shape::Object(&SELECTOR)),
        field!("objectSelector", Shape::Object(&SELECTOR)),
        field!("resourceRules", Shape::List(&Shape::Object(&RESOURCE_RULE))),
        field!("excludeResourceRules", Shape::List(&Shape::Object(&RESOURCE_RULE))),
        field!("matchPolicy", Shape::Choice(&["Exact", "Equivalent"])),
    ],
);

/// `targetMatchConstraints`.
static TARGET_CONSTRAINTS: Object = object!(
    "targetMatchConstraints",
    &[
        field!("namespaceSelector", Shape::Object(&SELECTOR)),
        field!("objectSelector", Shape::Object(&SELECTOR)),
        field!("resourceRules", Shape::List(&Shape::Object(&RESOURCE_RULE))),
        field!("excludeResourceRules", Shape::List(&Shape::Object(&RESOURCE_RULE))),
        field!("matchPolicy", Shape::Choice(&["Exact", "Equivalent"])),
        field!("expression", Shape::Text),
    ],
);

static RESOURCE_RULE: Object = object!(
    "a resource rule",
    &[
        field!("apiGroups", Shape::List(&Shape::Text)),
        field!("apiVersions", Shape::List(&Shape::Text)),
        field!("operations", Shape::List(&Shape::Text)),
        field!("resources", Shape::List(&Shape::Text)),
        field!("resourceNames", Shape::List(&Shape::Text)),
        field!("scope", Shape::Text),
    ],
);

static EXCEPTION_SPEC: Object = object!(
    "spec",
    &[
        field!("policyRefs", Shape::List(&Shape::Object(&POLICY_REFERENCE))),
        field!("matchConditions", Shape::Named(&Shape::Object(&CEL_CONDITION))),
        field!("images", Shape::List(&Shape::Text)),
        field!("allowedValues", Shape::List(&Shape::Text)),
        field!("reportResult", Shape::Choice(&["skip", "pass"])),
        field!("expiresAt", Shape::Text),
        field!("properties", Shape::Map(&Shape::Any)),
        field!("evaluationMode", Shape::Any),
    ],
);

static POLICY_REFERENCE: Object =
    object!("an entry of policyRefs", &[field!("name", Shape::Text), field!("kind", Shape::Text)]);
