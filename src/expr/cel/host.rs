//! What libraries ask of the world outside an expression.

use super::{EvalError, Value};
use crate::expr::Arena;

/// Where a resource is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceType<'v> {
    /// Group and version: `apps/v1`, `v1`.
    pub(crate) api_version: &'v str,
    /// Plural name: `deployments`.
    pub(crate) plural: &'v str,
}

/// A question of a library.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'v> {
    /// `resource.get`: the object, or null when there is none.
    Get {
        /// Its type.
        resource: ResourceType<'v>,
        /// Its namespace, empty for cluster-scoped ones; `None` is the namespace of the policy.
        namespace: Option<&'v str>,
        /// Its name.
        name: &'v str,
    },
    /// `resource.list`: a map with `items`.
    List {
        /// Type of the objects.
        resource: ResourceType<'v>,
        /// Their namespace, empty for cluster-scoped ones; `None` is the namespace of the policy.
        namespace: Option<&'v str>,
        /// Labels they must have, a map of strings.
        labels: Option<Value<'v>>,
    },
    /// `resource.post`: what the API server answers, for example to an access review.
    Post {
        /// Type of the object.
        resource: ResourceType<'v>,
        /// Its namespace; `None` is the namespace of the policy.
        #[expect(dead_code, reason = "a host that has a cluster will send it")]
        namespace: Option<&'v str>,
        /// The object.
        #[expect(dead_code, reason = "a host that has a cluster will send it")]
        data: Value<'v>,
    },
    /// `resource.toGVR`: group, version and resource of a kind as a map.
    Plural {
        /// Group and version.
        api_version: &'v str,
        /// The kind.
        kind: &'v str,
    },
    /// `globalContext.get`: the entry, or null when there is none.
    GlobalContext {
        /// Name of the entry.
        name: &'v str,
        /// Name of a projection of it; empty for the entry itself.
        projection: &'v str,
    },
    /// `http.get` and `http.post`: the answer.
    Http {
        /// `GET` or `POST`.
        method: &'static str,
        /// Where to.
        url: &'v str,
        /// What is sent.
        #[expect(dead_code, reason = "a host that has a cluster will send it")]
        body: Option<Value<'v>>,
    },
    /// `image.getMetadata`: manifest and configuration of an image.
    ImageMetadata {
        /// The reference as written.
        image: &'v str,
    },
    /// `generator.apply`: takes the objects to be generated, answers true.
    Generate {
        /// Namespace of the objects; `None` is the namespace of the policy.
        namespace: Option<&'v str>,
        /// A list of objects.
        objects: Value<'v>,
    },
    /// `verifyImageSignatures`, `verifyAttestationSignatures`, `extractPayload` and `getImageData`.
    Image {
        /// Name of the function.
        function: &'static str,
        /// Its arguments.
        #[expect(dead_code, reason = "policies that verify images will read it")]
        arguments: &'v [Value<'v>],
    },
    /// `authorizer…check(verb)`: whether it is allowed.
    Authorize {
        /// What was asked for: `path`, `group`, `resource`, `subresource`, `namespace`, `name`, `serviceaccount`, …;
        /// `request` stands for what the request is about.
        attributes: &'v [(&'static str, Value<'v>)],
        /// The verb.
        verb: &'v str,
    },
}

/// Answers questions of libraries.
pub(crate) trait Host<'v> {
    /// The answer, an error as the cluster would give it, or [`EvalError::Indeterminate`] when it can't be known.
    fn answer(&self, question: Question<'v>, arena: &'v Arena) -> Result<Value<'v>, EvalError>;
}

/// The host that knows nothing.
pub(crate) struct Nowhere;

impl<'v> Host<'v> for Nowhere {
    fn answer(&self, question: Question<'v>, _: &'v Arena) -> Result<Value<'v>, EvalError> {
        // Kyverno: without a cluster nobody is allowed anything, and that is no error.
        if let Question::Authorize { .. } = question {
            return Ok(Value::Bool(false));
        }
        Err(EvalError::indeterminate(question.missing()))
    }
}

impl Question<'_> {
    /// What would have to be known, for messages.
    pub(crate) fn missing(&self) -> String {
        let place = |namespace: Option<&str>| match namespace {
            Some("") => String::new(),
            Some(namespace) => format!(" in namespace `{namespace}`"),
            None => " in the policy's namespace".to_owned(),
        };
        match self {
            Question::Get { resource, namespace, name } => {
                format!("{} `{name}`{}", resource.plural, place(*namespace))
            }
            Question::List { resource, namespace, .. } => format!("the {}{}", resource.plural, place(*namespace)),
            Question::Post { resource, .. } => format!("the API server's answer to {}", resource.plural),
            Question::Plural { api_version, kind } => format!("the resource type of {api_version}/{kind}"),
            Question::GlobalContext { name, .. } => format!("global context entry `{name}`"),
            Question::Http { method, url, .. } => format!("the answer to {method} {url}"),
            Question::ImageMetadata { image } => format!("the metadata of image `{image}`"),
            Question::Generate { .. } => "a cluster to generate into".to_owned(),
            Question::Image { function, .. } => format!("the registry that `{function}` asks"),
            Question::Authorize { verb, .. } => format!("whether `{verb}` is allowed"),
        }
    }
}
