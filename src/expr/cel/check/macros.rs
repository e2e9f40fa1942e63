//! Macros: calls whose arguments are looked at before they are evaluated.

use super::{Checked, Checker, expr};
use crate::expr::cel::{
    CompileError,
    ast::{Ast, Syntax},
    library::Library,
    tree::{Constant, Form, Kind, Macro},
    types::Type,
};

impl Checker<'_> {
    /// The compiled macro, if the call is one by name and number of arguments.
    pub(super) fn expand(&mut self, at: u32, target: Option<&Ast>, name: &str, arguments: &[Ast]) -> Option<Checked> {
        let Some(target) = target else {
            return match arguments {
                [argument] if name == "has" => Some(self.presence(at, argument)),
                _ => None,
            };
        };
        let two = self.has(Library::TwoVariables);
        let lists = self.has(Library::Lists);
        let is_cel = matches!(&target.syntax, Syntax::Name(name) if &**name == "cel");
        let form = match (name, arguments) {
            ("bind", [name, value, body]) if is_cel && self.has(Library::Bindings) => {
                return Some(self.bind(at, name, value, body));
            }
            ("optMap" | "optFlatMap", [variable, body]) => {
                return Some(self.optional_map(at, target, variable, body, name == "optFlatMap"));
            }
            ("all", [_, _]) => Form::All,
            ("exists", [_, _]) => Form::Exists,
            ("exists_one", [_, _]) => Form::ExistsOne,
            ("map", [_, _] | [_, _, _]) => Form::List,
            ("filter", [_, _]) => Form::Filter,
            ("sortBy", [_, _]) if lists => Form::SortBy,
            ("all", [_, _, _]) if two => Form::All,
            ("exists", [_, _, _]) if two => Form::Exists,
            ("exists_one" | "existsOne", [_, _, _]) if two => Form::ExistsOne,
            ("transformList", [_, _, _] | [_, _, _, _]) if two => Form::List,
            ("transformMap", [_, _, _] | [_, _, _, _]) if two => Form::Map,
            ("transformMapEntry", [_, _, _] | [_, _, _, _]) if two => Form::Entries,
            _ => return None,
        };
        let has_two = match form {
            Form::List => name == "transformList",
            Form::Map | Form::Entries => true,
            Form::Filter | Form::SortBy => false,
            Form::All | Form::Exists | Form::ExistsOne => arguments.len() == 3,
        };
        Some(self.repeat(at, form, has_two, target, arguments))
    }

    fn presence(&mut self, at: u32, argument: &Ast) -> Checked {
        let Syntax::Select { operand, field, optional: false } = &argument.syntax else {
            return Err(CompileError::new(at, "invalid argument to has() macro"));
        };
        if self.is_variables(operand) {
            self.variable(argument.at, field, false)?;
            return Ok((expr(at, Kind::Constant(Constant::Bool(true))), Type::Bool));
        }
        let (operand, of) = self.expression(operand)?;
        let (inner, _) = super::unwrapped(&of);
        super::field_type(argument.at, inner, field)?;
        Ok((expr(argument.at, Kind::Has { operand: operand.into(), field: field.clone() }), Type::Bool))
    }

    fn bind(&mut self, at: u32, name: &Ast, value: &Ast, body: &Ast) -> Checked {
        let name = simple_name(name)?;
        let (value, of) = self.expression(value)?;
        let (body, result) = self.within(&[(name, of)], |it| it.expression(body))?;
        Ok((expr(at, Kind::Bind(Box::new([value, body]))), result))
    }

    fn optional_map(&mut self, at: u32, target: &Ast, variable: &Ast, body: &Ast, flat: bool) -> Checked {
        let name = simple_name(variable)?;
        let (target_expr, of) = self.expression(target)?;
        let inner = match of {
            Type::Optional(inner) => (*inner).clone(),
            Type::Dyn | Type::Free => Type::Dyn,
            _ => {
                let text = format!("found no matching overload for 'hasValue' applied to '{of}.()'");
                return Err(CompileError::new(at, text));
            }
        };
        let body_at = body.at;
        let (body, result) = self.within(&[(name, inner)], |it| it.expression(body))?;
        let result = match result {
            _ if !flat => Type::optional(result),
            Type::Optional(_) | Type::Dyn | Type::Free => result,
            _ => {
                let text = format!("expected type 'optional_type(dyn)' but found '{result}'");
                return Err(CompileError::new(body_at, text));
            }
        };
        Ok((expr(at, Kind::OptionalMap { parts: Box::new([target_expr, body]), flat }), result))
    }

    fn repeat(&mut self, at: u32, form: Form, two: bool, target: &Ast, arguments: &[Ast]) -> Checked {
        let (range, of) = self.expression(target)?;
        let (first, second) = match (&of, two) {
            (Type::Dyn | Type::Free, _) => (Type::Dyn, Type::Dyn),
            (Type::List(item), false) => ((**item).clone(), Type::Dyn),
            (Type::List(item), true) => (Type::Int, (**item).clone()),
            (Type::Map(entry), _) => entry.as_ref().clone(),
            _ => {
                let text = format!(
                    "expression of type '{of}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                return Err(CompileError::new(target.at, text));
            }
        };
        let mut names = vec![(simple_name(&arguments[0])?, first.clone())];
        if two {
            names.push((simple_name(&arguments[1])?, second));
            if names[0].0 == names[1].0 {
                return Err(CompileError::new(at, "duplicate variable name"));
            }
        }
        let (filter, body) = match &arguments[names.len()..] {
            [filter, body] => (Some(filter), body),
            [body] => (None, body),
            _ => return Err(CompileError::new(at, "wrong number of arguments")),
        };
        let (filter, body, result) = self.within(&names, |it| {
            let filter = filter.map(|ast| it.condition(ast)).transpose()?;
            let is_condition = matches!(form, Form::All | Form::Exists | Form::ExistsOne | Form::Filter);
            if is_condition {
                return Ok((filter, it.condition(body)?, Type::Bool));
            }
            let (body, result) = it.expression(body)?;
            Ok((filter, body, result))
        })?;
        let result = match form {
            Form::All | Form::Exists | Form::ExistsOne => Type::Bool,
            Form::List => Type::list(result),
            Form::Filter | Form::SortBy => Type::list(first),
            Form::Map => Type::map(if of.is_dyn() { Type::Dyn } else { first }, result),
            Form::Entries => match result {
                Type::Map(_) | Type::Dyn | Type::Free => result,
                _ => return Err(CompileError::new(at, format!("expected a map literal but found '{result}'"))),
            },
        };
        Ok((expr(at, Kind::Macro(Box::new(Macro { form, range, two, filter, body }))), result))
    }

    fn condition(&mut self, ast: &Ast) -> Result<crate::expr::cel::tree::Expr, CompileError> {
        let (condition, of) = self.expression(ast)?;
        match of {
            Type::Bool | Type::Dyn | Type::Free => Ok(condition),
            _ => Err(CompileError::new(ast.at, format!("expected type 'bool' but found '{of}'"))),
        }
    }

    /// Checks with more names in scope.
    fn within<T>(
        &mut self,
        names: &[(&str, Type)],
        check: impl FnOnce(&mut Self) -> Result<T, CompileError>,
    ) -> Result<T, CompileError> {
        let before = self.locals.len();
        self.locals.extend(names.iter().map(|(name, of)| ((*name).into(), of.clone())));
        let result = check(self);
        self.locals.truncate(before);
        result
    }
}

fn simple_name(ast: &Ast) -> Result<&str, CompileError> {
    match &ast.syntax {
        Syntax::Name(name) => Ok(name),
        _ => Err(CompileError::new(ast.at, "argument must be a simple name")),
    }
}
