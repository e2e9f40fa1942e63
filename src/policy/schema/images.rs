//! `verifyImages` rules, image extractors and attestors.

use super::{
    Field, Object, Shape,
    conditions::CONDITIONS,
    context::CREDENTIALS,
    validate::{DENY, RULE_ACTIONS},
};

/// Where a kind that is no Pod holds images.
pub(super) static EXTRACTOR: Object = object!(
    "an image extractor",
    &[
        required!("path", Shape::Text),
        field!("value", Shape::Text),
        field!("name", Shape::Text),
        field!("key", Shape::Text),
        field!("jmesPath", Shape::Text),
    ],
);

/// An entry of `verifyImages`.
pub(super) static VERIFICATION: Object = object!(
    "an entry of verifyImages",
    &[
        field!("type", Shape::Choice(&["Cosign", "SigstoreBundle", "Notary"])),
        field!("failureAction", Shape::Choice(RULE_ACTIONS)),
        field!("imageReferences", Shape::List(&Shape::Text)),
        field!("skipImageReferences", Shape::List(&Shape::Text)),
        field!("attestors", Shape::List(&Shape::Object(&ATTESTOR_SET))),
        field!("attestations", Shape::List(&Shape::Object(&ATTESTATION))),
        field!("annotations", Shape::Map(&Shape::Text)),
        field!("additionalExtensions", Shape::Map(&Shape::Text)),
        field!("repository", Shape::Text),
        field!("cosignOCI11", Shape::Bool),
        field!("mutateDigest", Shape::Bool),
        field!("verifyDigest", Shape::Bool),
        field!("required", Shape::Bool),
        field!("useCache", Shape::Bool),
        field!("imageRegistryCredentials", Shape::Object(&CREDENTIALS)),
        field!("validate", Shape::Object(&VALIDATE)),
        // Deprecated.
        field!("image", Shape::Text),
        field!("key", Shape::Text),
        field!("issuer", Shape::Text),
        field!("subject", Shape::Text),
        field!("roots", Shape::Text),
    ],
);

static VALIDATE: Object = object!("validate", &[field!("message", Shape::Text), field!("deny", Shape::Object(&DENY))]);

/// Who must have signed.
pub(super) static ATTESTOR_SET: Object =
    object!("an attestor", &[field!("count", Shape::Int), field!("entries", Shape::List(&Shape::Object(&ATTESTOR)))],);

static ATTESTOR: Object = object!(
    "an entry of an attestor",
    &[
        field!("keys", Shape::Object(&KEYS)),
        field!("certificates", Shape::Object(&CERTIFICATES)),
        field!("keyless", Shape::Object(&KEYLESS)),
        // Anything for the API server.
        field!("attestor", Shape::Any),
        field!("annotations", Shape::Map(&Shape::Text)),
        field!("repository", Shape::Text),
        field!("signatureAlgorithm", Shape::Text),
    ],
);

static KEYS: Object = object!(
    "keys",
    &[
        field!("publicKeys", Shape::Text),
        field!("signatureAlgorithm", Shape::Text),
        field!("kms", Shape::Text),
        field!("secret", Shape::Object(&SECRET)),
        field!("rekor", Shape::Object(&REKOR)),
        field!("ctlog", Shape::Object(&CTLOG)),
    ],
);

static SECRET: Object = object!("secret", &[required!("name", Shape::Text), required!("namespace", Shape::Text)]);

static REKOR: Object =
    object!("rekor", &[field!("url", Shape::Text), field!("pubkey", Shape::Text), field!("ignoreTlog", Shape::Bool)],);

static CTLOG: Object = object!(
    "ctlog",
    &[field!("ignoreSCT", Shape::Bool), field!("pubkey", Shape::Text), field!("tsaCertChain", Shape::Text)],
);

static CERTIFICATES: Object = object!(
    "certificates",
    &[
        field!("cert", Shape::Text),
        field!("certChain", Shape::Text),
        field!("rekor", Shape::Object(&REKOR)),
        field!("ctlog", Shape::Object(&CTLOG)),
    ],
);

static KEYLESS: Object = object!(
    "keyless",
    &[
        field!("issuer", Shape::Text),
        field!("issuerRegExp", Shape::Text),
        field!("subject", Shape::Text),
        field!("subjectRegExp", Shape::Text),
        field!("roots", Shape::Text),
        field!("additionalExtensions", Shape::Map(&Shape::Text)),
        field!("rekor", Shape::Object(&REKOR)),
        field!("ctlog", Shape::Object(&CTLOG)),
    ],
);

static ATTESTATION: Object = object!(
    "an attestation",
    &[
        field!("name", Shape::Text),
        field!("type", Shape::Text),
        field!("predicateType", Shape::Text),
        field!("attestors", Shape::List(&Shape::Object(&ATTESTOR_SET))),
        field!("conditions", Shape::List(&Shape::Object(&CONDITIONS))),
    ],
);
