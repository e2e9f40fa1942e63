//! Loops over lists and maps.

use super::{Entries, Evaluator, Outcome, Verdict};
use crate::expr::cel::{
    EvalError, List, Map, Value,
    tree::{Form, Macro},
};

/// What one element binds.
pub(in crate::expr::cel) type Element<'v> = smallvec::SmallVec<[Value<'v>; 2]>;

/// The elements of a list or map as a macro binds them: one name, or two.
pub(in crate::expr::cel) fn elements(
    range: Value<'_>,
    two: bool,
) -> Result<impl Iterator<Item = Element<'_>>, EvalError> {
    let (list, map) = match range {
        Value::List(list) => (list, Map::Entries(&[])),
        Value::Map(map) => (List::Items(&[]), map),
        _ => return Err(EvalError::NoSuchOverload),
    };
    let items = list.iter().enumerate().map(|(index, item)| (Value::Int(index as i64), item, item));
    let entries = map.iter().map(|(key, value)| (key, value, key));
    let bind =
        move |(key, value, only)| if two { Element::from_buf([key, value]) } else { Element::from_slice(&[only]) };
    Ok(items.chain(entries).map(bind))
}

impl<'v> Evaluator<'_, 'v> {
    pub(super) fn repeat(&mut self, it: &'v Macro) -> Outcome<'v> {
        let range = self.eval(&it.range)?;
        // What is said of all elements, or of one, can be told from some of them. The others make something of each.
        if let Value::Map(Map::Open(open)) = range
            && !matches!(it.form, Form::All | Form::Exists)
        {
            return Err(EvalError::indeterminate(open.rest));
        }
        let elements = elements(range, it.two)?;
        match it.form {
            Form::All => self.decide_elements(elements, it, false),
            Form::Exists => self.decide_elements(elements, it, true),
            Form::ExistsOne => {
                let mut count = 0_u64;
                for element in elements {
                    count += u64::from(self.bound(&element, |on| on.condition(&it.body))?);
                }
                Ok(Value::Bool(count == 1))
            }
            Form::List | Form::Filter => {
                let mut out = Vec::new();
                for element in elements {
                    let first = element[0];
                    let value = self.bound(&element, |on| {
                        if it.form == Form::Filter {
                            return Ok(on.condition(&it.body)?.then_some(first));
                        }
                        if on.passes(it)? { on.eval(&it.body).map(Some) } else { Ok(None) }
                    })?;
                    out.extend(value);
                }
                self.make_list(&out)
            }
            Form::Map => {
                let mut out = Entries::default();
                for element in elements {
                    let key = element[0];
                    let value =
                        self.bound(&element, |on| if on.passes(it)? { on.eval(&it.body).map(Some) } else { Ok(None) })?;
                    if let Some(value) = value {
                        out.insert(self.scope, key, value)?;
                    }
                }
                out.finish(self.scope)
            }
            Form::Entries => {
                let mut out = Entries::default();
                for element in elements {
                    let value =
                        self.bound(&element, |on| if on.passes(it)? { on.eval(&it.body).map(Some) } else { Ok(None) })?;
                    match value {
                        None => {}
                        Some(Value::Map(map)) => {
                            for (key, value) in map.iter() {
                                out.insert(self.scope, key, value)?;
                            }
                        }
                        Some(_) => return Err(EvalError::NoSuchOverload),
                    }
                }
                out.finish(self.scope)
            }
            Form::SortBy => {
                let mut keyed = Vec::new();
                for element in elements {
                    let key = self.bound(&element, |on| on.eval(&it.body))?;
                    keyed.push((key, element[0]));
                }
                super::super::library::sort_by_key(self.scope, &mut keyed)?;
                let items: Vec<_> = keyed.into_iter().map(|(_, item)| item).collect();
                self.make_list(&items)
            }
        }
    }

    fn passes(&mut self, it: &'v Macro) -> Result<bool, EvalError> {
        it.filter.as_ref().map_or(Ok(true), |filter| self.condition(filter))
    }

    pub(in crate::expr::cel) fn condition(&mut self, expr: &'v super::Expr) -> Result<bool, EvalError> {
        self.eval(expr)?.as_bool().ok_or(EvalError::NoSuchOverload)
    }

    /// As `&&` or `||` of all elements.
    fn decide_elements(
        &mut self,
        elements: impl Iterator<Item = Element<'v>>,
        it: &'v Macro,
        deciding: bool,
    ) -> Outcome<'v> {
        let mut verdict = Verdict { deciding, error: None };
        for element in elements {
            let value = self.bound(&element, |on| on.condition(&it.body));
            if verdict.is_decided_by(value)? {
                return Ok(Value::Bool(deciding));
            }
        }
        verdict.undecided()
    }
}
