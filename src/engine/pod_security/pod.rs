//! A Pod as the checks see it: a view of the document, nothing copied.
//!
//! A [`Pod`] is the whole Pod of an object, or the part of it that an exclusion is about. A [`Place`] is the Pod's own
//! spec or one of its containers; fields are read from it by path, null counts as absent.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use smallvec::SmallVec;

use super::{
    Found, Violation,
    decode::{self, Misfit, integer},
};
use crate::{
    document::Node,
    engine::images,
    k8s::{types, wildcard::Wildcard},
    policy::pod_security::Version,
};

/// The lists of containers, in the order in which checks visit them.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// What most checks look at.
const SECURITY_CONTEXT: &str = "securityContext";

/// A Pod, or the template of one.
pub(super) struct Pod<'d> {
    object: Node<'d>,
    /// Its own fields.
    spec: Place<'d>,
    /// Those that run first, the others, those added later.
    containers: SmallVec<[Place<'d>; 4]>,
    metadata: Option<Node<'d>>,
    /// For one release: the checks that are known to pass, the first one in the lowest bit.
    passed: Cell<(u16, u32)>,
}

/// The Pod that was read last: the rules for one object look at the same one.
#[derive(Default)]
pub(crate) struct LastPod<'d>(RefCell<Option<Rc<Pod<'d>>>>);

/// Why an object has no Pod to look at.
#[derive(Debug)]
pub(crate) enum Unreadable<'d> {
    /// Its kind has none.
    Kind,
    /// A value has the wrong type.
    Misfit(Misfit<'d>),
}

impl<'d> LastPod<'d> {
    /// The Pod of an object, after its kind.
    pub(super) fn read(&self, object: Node<'d>) -> Result<Rc<Pod<'d>>, Unreadable<'d>> {
        if let Some(pod) = self.0.borrow().as_ref().filter(|pod| pod.object == object) {
            return Ok(Rc::clone(pod));
        }
        let pod = Rc::new(Pod::read(object)?);
        *self.0.borrow_mut() = Some(Rc::clone(&pod));
        Ok(pod)
    }
}

impl<'d> Pod<'d> {
    fn read(object: Node<'d>) -> Result<Self, Unreadable<'d>> {
        let kind = object.str_at(&["kind"]).unwrap_or_default();
        let (Some(of), Some(spec_path)) = (types::workload(kind), images::pod_spec_path(kind)) else {
            return Err(Unreadable::Kind);
        };
        if let Some(misfit) = decode::misfit(object, of) {
            return Err(Unreadable::Misfit(misfit));
        }
        let metadata_path: &[&str] = match kind {
            "Pod" => &["metadata"],
            // Kyverno: annotations are those of the Job, not those of its Pods.
            "CronJob" => &["spec", "jobTemplate", "metadata"],
            _ => &["spec", "template", "metadata"],
        };
        let spec = object.at(spec_path);
        let anchor = spec.unwrap_or(object);
        let containers =
            LISTS.into_iter().filter_map(|list| Some((list, spec?.get(list)?))).flat_map(|(name, list)| {
                let place = move |(index, node)| Place::new(Some((name, index)), Some(node), anchor);
                list.items().enumerate().map(place)
            });
        Ok(Self {
            object,
            spec: Place::new(None, spec, anchor),
            containers: containers.collect(),
            metadata: object.at(metadata_path),
            passed: Cell::default(),
        })
    }

    /// The Pod without its containers; a container without fields stands in for them.
    pub(super) fn without_containers(&self) -> Self {
        let stand_in = Place::new(Some(("containers", 0)), None, self.spec.anchor);
        Self {
            object: self.object,
            spec: self.spec,
            containers: SmallVec::from_slice(&[stand_in]),
            metadata: self.metadata,
            passed: Cell::default(),
        }
    }

    /// The containers whose image, as written, matches one of these, and nothing of the Pod itself.
    pub(super) fn containers_of(&self, images: &[Wildcard]) -> Self {
        let meant = |container: &&Place<'d>| images.iter().any(|it| it.matches(container.image()));
        Self {
            object: self.object,
            spec: Place::new(None, None, self.spec.anchor),
            containers: self.containers.iter().filter(meant).copied().collect(),
            metadata: None,
            passed: Cell::default(),
        }
    }

    /// Whether the Pod as a whole is known to pass a check, by its index, as of a release: several rules may ask.
    pub(super) fn passes(&self, check: usize, version: &Version) -> bool {
        let (minor, passed) = self.passed.get();
        minor == version.minor() && passed >> check & 1 == 1
    }

    /// Notes that the Pod passes a check as of a release.
    pub(super) fn note_pass(&self, check: usize, version: &Version) {
        let (minor, passed) = self.passed.get();
        let passed = if minor == version.minor() { passed } else { 0 };
        self.passed.set((version.minor(), passed | 1 << check));
    }

    /// The Pod's own fields.
    pub(super) fn spec(&self) -> Place<'d> {
        self.spec
    }

    /// The containers: those that run first, the others, those added later.
    pub(super) fn containers(&self) -> impl Iterator<Item = Place<'d>> {
        self.containers.iter().copied()
    }

    /// The Pod's own fields, then the containers.
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'d>> {
        std::iter::once(self.spec()).chain(self.containers())
    }

    /// The annotations.
    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'d str, Node<'d>)> {
        self.metadata.and_then(|it| it.get("annotations")).into_iter().flat_map(Node::entries)
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
    /// Its `securityContext`, if it has one.
    context: Option<Node<'d>>,
    /// A node that is surely there.
    anchor: Node<'d>,
}

impl<'d> Place<'d> {
    fn new(list: Option<(&'static str, usize)>, node: Option<Node<'d>>, anchor: Node<'d>) -> Self {
        Self { list, node, context: node.and_then(|it| it.get(SECURITY_CONTEXT)), anchor }
    }

    /// The value below several keys that is there and not null.
    pub(super) fn get(&self, path: &[&str]) -> Option<Node<'d>> {
        let found = match path {
            [SECURITY_CONTEXT, below @ ..] => self.context?.at(below),
            path => self.node?.at(path),
        };
        found.filter(|node| !node.is_null())
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
