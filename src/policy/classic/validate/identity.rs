//! What a policy is called, and annotations that Kyverno reads.

use super::Draft;
use crate::policy::classic::autogen;

/// The longest name of a policy, in bytes.
const MAX_NAME: usize = 63;

pub(super) fn check(draft: &Draft<'_>) {
    let object = draft.policy.object();
    let head = &draft.policy.head;
    let namespace = object.at(&["metadata", "namespace"]).filter(|it| it.as_str().is_some_and(|text| !text.is_empty()));
    if let (Some(namespace), true) = (namespace, head.cluster_wide()) {
        let help = "remove `namespace`, or write `kind: Policy` for a policy of one namespace";
        draft.refuse(namespace, "A clusterpolicy should not have the namespace defined", help);
    }
    if head.name.len() > MAX_NAME {
        let message = format!("name: Too long: may not be more than {MAX_NAME} bytes");
        draft.refuse_at(object, head.name_span, message, "shorten the name");
    }
    if let Some(controllers) = object.at(&["metadata", "annotations", autogen::ANNOTATION])
        && controllers.as_str() == Some("all")
    {
        let help = "remove the annotation to get rules for all Pod controllers";
        draft.refuse(controllers, "Autogen annotation does not support 'all' anymore", help);
    }
}
