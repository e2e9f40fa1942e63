//! Labels and annotations in patterns and patches are texts.

use super::{Draft, given};
use crate::document::{Kind, Node};

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let bodies = [rule.at(&["validate", "pattern"]), rule.at(&["mutate", "patchStrategicMerge"])];
    for body in bodies.into_iter().flatten() {
        let places = [body.get("metadata"), body.at(&["spec", "template", "metadata"])];
        for metadata in places.into_iter().flatten() {
            for map in ["labels", "annotations"].into_iter().filter_map(|key| given(metadata, key)) {
                map.entries().for_each(|(key, value)| text(draft, key, value));
            }
        }
    }
}

fn text(draft: &Draft<'_>, key: &str, value: Node<'_>) {
    let help = match value.kind() {
        Kind::String(_) => return,
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => "put the value in quotes",
        Kind::Null | Kind::List | Kind::Map => "write a text",
    };
    draft.refuse(
        value,
        format!("labels and annotations supports only string values, `{key}` has {}", value.kind().name()),
        help,
    );
}
