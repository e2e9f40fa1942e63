//! `validate` rules.

use super::{Field, Object, Shape, conditions::CONDITIONS, context, images, matching::SELECTOR};
use crate::policy::pod_security::{Control, Level, Version};

/// Any spelling of an action that is allowed at the level of the policy and in overrides.
pub(super) const ACTIONS: &[&str] = &["audit", "enforce", "Audit", "Enforce"];

/// The spellings that a rule allows.
pub(super) const RULE_ACTIONS: &[&str] = &["Audit", "Enforce"];

/// Another action for some namespaces.
pub(super) static OVERRIDE: Object = object!(
    "an override",
    &[
        field!("action", Shape::Choice(ACTIONS)),
        field!("namespaces", Shape::List(&Shape::Text)),
        field!("namespaceSelector", Shape::Object(&SELECTOR)),
    ],
);

/// `validate`.
pub(super) static VALIDATE: Object = object!(
    "validate",
    &[
        field!("message", Shape::Text),
        field!("failureAction", Shape::Choice(RULE_ACTIONS)),
        field!("failureActionOverrides", Shape::List(&Shape::Object(&OVERRIDE))),
        field!("allowExistingViolations", Shape::Bool),
        field!("pattern", Shape::Any),
        field!("anyPattern", Shape::Any),
        field!("deny", Shape::Object(&DENY)),
        field!("foreach", Shape::List(&Shape::Object(&FOREACH))),
        field!("podSecurity", Shape::Object(&POD_SECURITY)),
        field!("cel", Shape::Object(&CEL)),
        field!("manifests", Shape::Object(&MANIFESTS)),
        field!("assert", Shape::Any),
    ],
);

/// `deny`, whose conditions may have the old form.
pub(super) static DENY: Object = object!("deny", &[field!("conditions", Shape::Any)]);

static FOREACH: Object = object!(
    "foreach",
    &[
        field!("list", Shape::Text),
        field!("elementScope", Shape::Bool),
        field!("context", Shape::List(&Shape::Object(&context::ENTRY))),
        field!("preconditions", Shape::Object(&CONDITIONS)),
        field!("pattern", Shape::Any),
        field!("anyPattern", Shape::Any),
        field!("deny", Shape::Object(&DENY)),
        // Anything for the API server; what Kyverno makes of it is decoded later.
        field!("foreach", Shape::Any),
    ],
);

static POD_SECURITY: Object = object!(
    "podSecurity",
    &[
        field!("level", Shape::Choice(Level::NAMES)),
        field!("version", Shape::Choice(Version::NAMES)),
        field!("exclude", Shape::List(&Shape::Object(&CONTROL))),
    ],
);

/// An exempted control of the pod security standards.
pub(super) static CONTROL: Object = object!(
    "a control",
    &[
        required!("controlName", Shape::Choice(Control::NAMES)),
        field!("images", Shape::List(&Shape::Text)),
        field!("restrictedField", Shape::Text),
        field!("values", Shape::List(&Shape::Text)),
    ],
);

static CEL: Object = object!(
    "cel",
    &[
        field!("generate", Shape::Bool),
        field!("expressions", Shape::List(&Shape::Object(&VALIDATION))),
        field!("paramKind", Shape::Object(&PARAM_KIND)),
        field!("paramRef", Shape::Object(&PARAM_REF)),
        field!("auditAnnotations", Shape::List(&Shape::Object(&AUDIT_ANNOTATION))),
        field!("variables", Shape::List(&Shape::Object(&CEL_VARIABLE))),
    ],
);

/// A CEL expression that must hold.
pub(super) static VALIDATION: Object = object!(
    "a validation",
    &[
        required!("expression", Shape::Text),
        field!("message", Shape::Text),
        field!("messageExpression", Shape::Text),
        field!("reason", Shape::Text),
    ],
);

/// The kind of the parameters of CEL expressions.
pub(super) static PARAM_KIND: Object =
    object!("paramKind", &[field!("apiVersion", Shape::Text), field!("kind", Shape::Text)]);

/// Which parameters are meant.
pub(super) static PARAM_REF: Object = object!(
    "paramRef",
    &[
        field!("name", Shape::Text),
        field!("namespace", Shape::Text),
        field!("selector", Shape::Object(&SELECTOR)),
        field!("parameterNotFoundAction", Shape::Text),
    ],
);

/// An audit annotation made by a CEL expression.
pub(super) static AUDIT_ANNOTATION: Object =
    object!("an audit annotation", &[required!("key", Shape::Text), required!("valueExpression", Shape::Text)],);

/// A named CEL expression.
pub(super) static CEL_VARIABLE: Object =
    object!("a variable", &[required!("name", Shape::Text), required!("expression", Shape::Text)]);

static MANIFESTS: Object = object!(
    "manifests",
    &[
        field!("attestors", Shape::List(&Shape::Object(&images::ATTESTOR_SET))),
        field!("annotationDomain", Shape::Text),
        field!("ignoreFields", Shape::List(&Shape::Object(&IGNORED))),
        field!("dryRun", Shape::Object(&DRY_RUN)),
        field!("repository", Shape::Text),
    ],
);

static IGNORED: Object = object!(
    "an entry of ignoreFields",
    &[field!("fields", Shape::List(&Shape::Text)), field!("objects", Shape::List(&Shape::Object(&IGNORED_OBJECT))),],
);

static IGNORED_OBJECT: Object = object!(
    "an entry of objects",
    &[
        field!("group", Shape::Text),
        field!("version", Shape::Choice(Version::NAMES)),
        field!("kind", Shape::Text),
        field!("name", Shape::Text),
        field!("namespace", Shape::Text),
    ],
);

static DRY_RUN: Object = object!("dryRun", &[field!("enable", Shape::Bool), field!("namespace", Shape::Text)]);
