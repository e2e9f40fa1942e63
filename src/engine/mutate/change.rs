//! What a `mutate` block changes: a merge, a JSON patch, or one of these for each element of a list.
//!
//! In: a compiled block, the names of its rule, an object. Out: the object with the changes, or why they can't be made.

use std::cell::Cell;

use super::{Failure, anchors, json_patch, merge, patch::Patch, patched::Patched};
use crate::{
    document::Node,
    engine::{
        conditions::{self, Wanted},
        context::RuleScope,
    },
    expr::{
        Value,
        jmespath::{EvalError, Scope as _},
        template::{Path, SubstituteError},
    },
    k8s::merge_keys::Place,
    policy::classic::{
        Rule,
        mutate::{Change, ForEach, JsonPatch, Order, read_operations},
    },
};

/// The most elements that one rule looks at, over all levels of its lists.
const MAX_ELEMENTS: usize = 100_000;

/// Whether a block changes something for each element of a list.
pub(super) fn is_for_each(change: &Change) -> bool {
    matches!(change, Change::ForEach(_))
}

/// Makes a change to an object.
pub(super) fn apply<'v>(
    rule: &'v Rule,
    change: &'v Change,
    scope: &RuleScope<'v, '_>,
    object: Node<'v>,
) -> Result<Patched<'v>, Failure> {
    let text = |key: &str| object.str_at(&[key]).unwrap_or_default();
    let changing =
        Changing { rule, scope, place: Place::top(text("apiVersion"), text("kind")), elements: Cell::new(0) };
    let mut out = Patched::Kept(object);
    changing.apply(change, &mut out, 0)?;
    Ok(out)
}

struct Changing<'v, 's, 'r> {
    rule: &'v Rule,
    scope: &'r RuleScope<'v, 's>,
    /// The type of the object.
    place: Place,
    /// How many elements were looked at.
    elements: Cell<usize>,
}

impl<'v> Changing<'v, '_, '_> {
    fn apply(&self, change: &'v Change, object: &mut Patched<'v>, depth: usize) -> Result<(), Failure> {
        let arena = self.scope.arena();
        match change {
            Change::Merge(tree) => {
                let block = Path::Key(&Path::Root, "mutate");
                let path = Path::Key(&block, "patchStrategicMerge");
                let value =
                    tree.resolve(&self.rule.document, &path, self.scope, arena).map_err(|error| unresolved(&error))?;
                let mut patch = Patch::from(value);
                let failed = |text: String| Failure::Error(format!("failed to patch resource: {text}"));
                if !anchors::work_off(&mut patch, object.value(arena), arena).map_err(failed)? {
                    return Ok(());
                }
                merge::merge(object, patch, self.place, arena).map_err(failed)
            }
            Change::JsonPatch(patch) => {
                let operations = self.operations(patch)?;
                json_patch::apply(object, operations, arena)
                    .map_err(|text| Failure::Error(format!("failed to patch resource: {text}")))
            }
            Change::ForEach(items) => self.for_each(items, object, depth),
            Change::Nothing => Ok(()),
        }
    }

    fn operations(&self, patch: &'v JsonPatch) -> Result<Value<'v>, Failure> {
        if let Some(operations) = &patch.operations {
            return Ok(Value::from(operations.root()));
        }
        let arena = self.scope.arena();
        let block = Path::Key(&Path::Root, "mutate");
        let path = Path::Key(&block, "patchesJson6902");
        let text = patch.text.resolve(&path, self.scope, arena).map_err(|error| unresolved(&error))?;
        let text = match text {
            Value::String(text) => text.to_owned(),
            other => other.to_json(),
        };
        let document =
            read_operations(&text).map_err(|text| Failure::Error(format!("failed to patch resource: {text}")))?;
        Ok(Value::from(document.root()).copied_to(arena))
    }

    fn for_each(&self, items: &'v [ForEach], object: &mut Patched<'v>, depth: usize) -> Result<(), Failure> {
        let mark = self.scope.mark();
        let mut done = Ok(());
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.refresh(object);
            }
            done = self.item(item, object, depth);
            if done.is_err() {
                break;
            }
        }
        self.scope.reset(mark);
        done
    }

    /// Lets expressions see the object as the lists before left it.
    fn refresh(&self, object: &Patched<'v>) {
        let arena = self.scope.arena();
        let root = if matches!(self.scope.lookup("target"), Ok(Some(_))) { "target" } else { "request" };
        let current = object.value(arena);
        let value = match self.scope.lookup(root) {
            Ok(Some(Value::Map(map))) if root == "request" => {
                let mut entries: Vec<_> = map.iter().filter(|(key, _)| *key != "object").collect();
                entries.push(("object", current));
                Value::map_in(arena, &entries)
            }
            _ => current,
        };
        self.scope.bind(root, value);
    }

    fn item(&self, item: &'v ForEach, object: &mut Patched<'v>, depth: usize) -> Result<(), Failure> {
        let list = &item.list_text;
        let elements = match &item.list {
            Err(error) => return Err(Failure::Error(format!("failed to evaluate list {list}: {error}: {error}"))),
            Ok(expression) => match expression.evaluate(self.scope, self.scope.arena()) {
                Ok(Value::List(elements)) => elements.iter().collect(),
                Ok(Value::Null) => Vec::new(),
                Ok(other) => vec![other],
                Err(EvalError::Indeterminate { missing }) => {
                    return Err(Failure::Unknown(format!("failed to evaluate list {list}: {missing}")));
                }
                Err(error) => return Err(Failure::Error(format!("failed to evaluate list {list}: {error}: {error}"))),
            },
        };
        let mut order: Vec<usize> = (0..elements.len()).collect();
        if item.order == Order::Descending {
            order.reverse();
        }
        for index in order {
            let element: Value<'v> = elements[index];
            if element.is_null() {
                continue;
            }
            self.elements.set(self.elements.get() + 1);
            if self.elements.get() > MAX_ELEMENTS {
                return Err(Failure::Error(format!("foreach looks at more than {MAX_ELEMENTS} elements")));
            }
            let mark = self.scope.mark();
            self.bind(element, index, depth);
            self.scope.bind_given(index);
            self.scope.declare(&item.context, &self.rule.document);
            let changed = self.element(item, object, depth);
            self.scope.reset(mark);
            changed.map_err(|failure| failure.within("failed to mutate elements"))?;
        }
        Ok(())
    }

    fn element(&self, item: &'v ForEach, object: &mut Patched<'v>, depth: usize) -> Result<(), Failure> {
        if let Some(preconditions) = &item.preconditions {
            match conditions::evaluate(preconditions, &self.rule.document, self.scope, Wanted::False) {
                Ok(decision) if decision.holds => {}
                Ok(_) => return Ok(()),
                Err(error) => {
                    let text = format!("failed to evaluate preconditions: {error}");
                    return Err(match error.indeterminate() {
                        Some(_) => Failure::Unknown(text),
                        None => Failure::Error(text),
                    });
                }
            }
        }
        self.apply(&item.change, object, depth + 1)
    }

    fn bind(&self, element: Value<'v>, index: usize, depth: usize) {
        let arena = self.scope.arena();
        let number = Value::int(index as i64);
        self.scope.bind("element", element);
        self.scope.bind(arena.alloc_str(&format!("element{depth}")), element);
        self.scope.bind("elementIndex", number);
        self.scope.bind(arena.alloc_str(&format!("elementIndex{depth}")), number);
    }
}

/// Why variables could not be replaced.
pub(super) fn unresolved(error: &SubstituteError) -> Failure {
    let text = format!("variable substitution failed: {error}");
    match error.query() {
        Some(EvalError::Indeterminate { .. }) => Failure::Unknown(text),
        _ => Failure::Error(text),
    }
}
