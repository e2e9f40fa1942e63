//! `ValidatingAdmissionPolicy`, `MutatingAdmissionPolicy` and their bindings, of Kubernetes itself.

use super::{
    Field, Object, Shape,
    cel::{
        AUDIT_ANNOTATIONS, CONSTRAINTS, FAILURE_POLICY, MATCH_CONDITIONS, MUTATIONS, REINVOCATION, VALIDATIONS,
        VARIABLES,
    },
    validate::{PARAM_KIND, PARAM_REF},
};

/// `ValidatingAdmissionPolicy`.
pub(crate) static ADMISSION_POLICY: Object = object!("a policy", top!(Shape::Object(&POLICY_SPEC)));
/// `ValidatingAdmissionPolicyBinding`.
pub(crate) static ADMISSION_BINDING: Object = object!("a binding", top!(Shape::Object(&BINDING_SPEC)));

/// `MutatingAdmissionPolicy`.
pub(crate) static MUTATING_ADMISSION_POLICY: Object = object!("a policy", top!(Shape::Object(&MUTATING_SPEC)));
/// `MutatingAdmissionPolicyBinding`.
pub(crate) static MUTATING_ADMISSION_BINDING: Object =
    object!("a binding", top!(Shape::Object(&MUTATING_BINDING_SPEC)));

static MUTATING_SPEC: Object = object!(
    "spec",
    &[
        field!("paramKind", Shape::Object(&PARAM_KIND)),
        field!("matchConstraints", Shape::Object(&CONSTRAINTS)),
        MATCH_CONDITIONS,
        VARIABLES,
        MUTATIONS,
        FAILURE_POLICY,
        REINVOCATION,
    ],
);

static MUTATING_BINDING_SPEC: Object = object!(
    "spec",
    &[
        field!("policyName", Shape::Text),
        field!("paramRef", Shape::Object(&PARAM_REF)),
        field!("matchResources", Shape::Object(&CONSTRAINTS)),
    ],
);

static POLICY_SPEC: Object = object!(
    "spec",
    &[
        field!("paramKind", Shape::Object(&PARAM_KIND)),
        field!("matchConstraints", Shape::Object(&CONSTRAINTS)),
        MATCH_CONDITIONS,
        VARIABLES,
        VALIDATIONS,
        AUDIT_ANNOTATIONS,
        FAILURE_POLICY,
    ],
);

static BINDING_SPEC: Object = object!(
    "spec",
    &[
        field!("policyName", Shape::Text),
        field!("paramRef", Shape::Object(&PARAM_REF)),
        field!("matchResources", Shape::Object(&CONSTRAINTS)),
        field!("validationActions", Shape::List(&Shape::Choice(&["Deny", "Audit", "Warn"]))),
    ],
);
