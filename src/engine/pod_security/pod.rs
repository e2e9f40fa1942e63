//! A Pod as the checks see it: a view of the document, nothing copied.
//!
//! A [`Pod`] is the whole Pod of an object, or the part of it that an exclusion is about. A [`Place`] is the Pod's own
//! spec or one of its containers; fields are read from it by path, null counts as absent.

use std::cell::Cell;

use super::{
    Found, Violation,
    decode::{self, Misfit, integer},
    schema,
};
use crate::{document::Node, engine::images, k8s::wildcard::Wildcard};

/// The lists of containers, in the order in which checks visit them.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// A Pod, or the template of one.
#[derive(Clone, Copy)]
pub(super) struct Pod<'d> {
    object: Node<'d>,
    metadata: Option<Node<'d>>,
    spec: Option<Node<'d>>,
    part: Part<'d>,
}

/// Which part of a Pod is looked at.
#[derive(Clone, Copy)]
enum Part<'d> {
    /// All of it.
    Whole,
    /// Everything but its containers, of which one without any field stands in.
    WithoutContainers,
    /// Only the containers with these images.
    Images(&'d [Wildcard]),
}

/// Why an object has no Pod to look at.
#[derive(Debug)]
pub(crate) enum Unreadable<'d> {
    /// Its kind has none.
    Kind,
    /// A value has the wrong type.
    Misfit(Misfit<'d>),
}

impl<'d> Pod<'d> {
    /// The Pod of an object, after its kind. `fitting` is an object that is known to be of the types of its kind, and
    /// becomes this one if it is.
    pub(super) fn read(object: Node<'d>, fitting: &Cell<Option<Node<'d>>>) -> Result<Self, Unreadable<'d>> {
        let kind = object.str_at(&["kind"]).unwrap_or_default();
        let (Some(of), Some(spec_path)) = (schema::of_kind(kind), images::pod_spec_path(kind)) else {
            return Err(Unreadable::Kind);
        };
        if fitting.get() != Some(object) {
            if let Some(misfit) = decode::misfit(object, of) {
                return Err(Unreadable::Misfit(misfit));
            }
            fitting.set(Some(object));
        }
        let metadata_path: &[&str] = match kind {
            "Pod" => &["metadata"],
            // Kyverno: annotations are those of the Job, not those of its Pods.
            "CronJob" => &["spec", "jobTemplate", "metadata"],
            _ => &["spec", "template", "metadata"],
        };
        Ok(Self { object, metadata: object.at(metadata_path), spec: object.at(spec_path), part: Part::Whole })
    }

    /// The Pod without its containers; a container without fields stands in for them.
    pub(super) fn without_containers(self) -> Self {
        Self { part: Part::WithoutContainers, ..self }
    }

    /// The containers whose image, as written, matches one of these, and nothing of the Pod itself.
    pub(super) fn containers_of(self, images: &'d [Wildcard]) -> Self {
        Self { part: Part::Images(images), ..self }
    }

    /// The Pod's own fields.
    pub(super) fn spec(&self) -> Place<'d> {
        let node = match self.part {
            Part::Whole | Part::WithoutContainers => self.spec,
            Part::Images(_) => None,
        };
        Place { list: None, node, anchor: self.spec.unwrap_or(self.object) }
    }

    /// The containers: those that run first, the others, those added later.
    pub(super) fn containers(&self) -> impl Iterator<Item = Place<'d>> {
        let part = self.part;
        let anchor = self.spec.unwrap_or(self.object);
        let stand_in = matches!(part, Part::WithoutContainers).then_some(Place {
            list: Some(("containers", 0)),
            node: None,
            anchor,
        });
        let spec = self.spec.filter(|_| stand_in.is_none());
        let written = LISTS.into_iter().filter_map(move |list| Some((list, spec?.get(list)?))).flat_map(
            move |(name, containers)| {
                let place = move |(index, node)| Place { list: Some((name, index)), node: Some(node), anchor };
                containers.items().enumerate().map(place).filter(move |container| match part {
                    Part::Whole | Part::WithoutContainers => true,
                    Part::Images(images) => images.iter().any(|it| it.matches(container.image())),
                })
            },
        );
        stand_in.into_iter().chain(written)
    }

    /// The Pod's own fields, then the containers.
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'d>> {
        std::iter::once(self.spec()).chain(self.containers())
    }

    /// The annotations.
    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'d str, Node<'d>)> {
        let metadata = match self.part {
            Part::Whole | Part::WithoutContainers => self.metadata,
            Part::Images(_) => None,
        };
        metadata.and_then(|it| it.get("annotations")).into_iter().flat_map(Node::entries)
    }

    /// Whether the Pod says that it runs on Windows.
    pub(super) fn is_windows(&self) -> bool {
        self.spec().text(&["os", "name"]) == Some("windows")
    }
}

/// The Pod's own spec, or one container.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'d> {
    /// The list that holds the container, and its index in it; `None` for the spec.
    list: Option<(&'static str, usize)>,
    node: Option<Node<'d>>,
    /// A node that is surely there.
    anchor: Node<'d>,
}

impl<'d> Place<'d> {
    /// The value below several keys that is there and not null.
    pub(super) fn get(&self, path: &[&str]) -> Option<Node<'d>> {
        self.node?.at(path).filter(|node| !node.is_null())
    }

    /// The text there.
    pub(super) fn text(&self, path: &[&str]) -> Option<&'d str> {
        self.get(path)?.as_str()
    }

    /// The boolean there.
    pub(super) fn boolean(&self, path: &[&str]) -> Option<bool> {
        self.get(path)?.as_bool()
    }

    /// The integer there.
    pub(super) fn integer(&self, path: &[&str]) -> Option<i64> {
        integer(self.get(path)?.kind())
    }

    /// The items of the list there, with their indexes.
    pub(super) fn items(&self, path: &[&str]) -> impl Iterator<Item = (usize, Node<'d>)> + use<'d> {
        self.get(path).into_iter().flat_map(Node::items).enumerate()
    }

    /// The name of the container; empty for the spec.
    pub(super) fn name(&self) -> &'d str {
        self.list.and_then(|_| self.text(&["name"])).unwrap_or_default()
    }

    /// The image of the container, as written; empty if there is none.
    pub(super) fn image(&self) -> &'d str {
        self.list.and_then(|_| self.text(&["image"])).unwrap_or_default()
    }

    /// Whether this is a container.
    pub(super) fn is_container(&self) -> bool {
        self.list.is_some()
    }

    /// The full name of a field below, as for a Pod.
    pub(super) fn field(&self, below: &str) -> String {
        match self.list {
            Some((list, index)) => format!("spec.{list}[{index}].{below}"),
            None => format!("spec.{below}"),
        }
    }

    /// A violation by the field at a path, or by its absence.
    pub(super) fn violation(&self, path: &[&str], found: Found<'d>, wanted: &'static str) -> Violation<'d> {
        let mut at = self.node.unwrap_or(self.anchor);
        for key in path {
            match at.get(key).filter(|node| !node.is_null()) {
                Some(node) => at = node,
                None => break,
            }
        }
        self.violation_at(&path.join("."), at, found, wanted)
    }

    /// A violation by a node below this place.
    pub(super) fn violation_at(
        &self,
        below: &str,
        at: Node<'d>,
        found: Found<'d>,
        wanted: &'static str,
    ) -> Violation<'d> {
        Violation { field: self.field(below), found, place: *self, at, wanted }
    }
}
