//! Checks syntax against an environment and compiles it: names, types, overloads, constants.
//!
//! In: an [`Ast`] and an [`Environment`]. Out: a tree and the type of its value, or the first error in cel-go's words.
//! Nothing is looked up by name when the tree is evaluated.

mod calls;
mod constants;
mod macros;
mod operators;

use super::{
    CompileError,
    ast::{Ast, Entry, Field, Item, Literal, Syntax, Unary},
    environment::Environment,
    tree::{self, Constant, Expr, Kind},
    types::Type,
};

/// Compiles an expression.
pub(super) fn check(ast: &Ast, environment: &Environment) -> Result<(Expr, Type), CompileError> {
    Checker { environment, locals: Vec::new() }.expression(ast)
}

type Checked = Result<(Expr, Type), CompileError>;

struct Checker<'e> {
    environment: &'e Environment,
    /// Names that macros bind, the innermost last.
    locals: Vec<(Box<str>, Type)>,
}

/// Names of types that are values.
const TYPES: [(&str, &str); 12] = [
    ("bool", "bool"),
    ("bytes", "bytes"),
    ("double", "double"),
    ("google.protobuf.Duration", "google.protobuf.Duration"),
    ("google.protobuf.Timestamp", "google.protobuf.Timestamp"),
    ("int", "int"),
    ("list", "list"),
    ("map", "map"),
    ("null_type", "null_type"),
    ("string", "string"),
    ("type", "type"),
    ("uint", "uint"),
];

/// Fields of `JSONPatch` and their types.
const JSON_PATCH: [(&str, Type); 4] =
    [("op", Type::String), ("path", Type::String), ("from", Type::String), ("value", Type::Dyn)];

impl Checker<'_> {
    fn expression(&mut self, ast: &Ast) -> Checked {
        let at = ast.at;
        match &ast.syntax {
            Syntax::Literal(literal) => Ok(constant(at, literal)),
            Syntax::Name(name) => self.name(at, name),
            Syntax::Select { operand, field, optional } => self.select(ast, operand, field, *optional),
            Syntax::Index { operand, index, optional } => self.index(at, operand, index, *optional),
            Syntax::Call { target, name, arguments } => self.call(at, target.as_deref(), name, arguments),
            Syntax::Unary(operator, operand) => self.unary(at, *operator, operand),
            Syntax::Binary(operator, left, right) => self.binary(at, *operator, left, right),
            Syntax::And(operands) => Ok((expr(at, Kind::And(self.logic("_&&_", operands)?)), Type::Bool)),
            Syntax::Or(operands) => Ok((expr(at, Kind::Or(self.logic("_||_", operands)?)), Type::Bool)),
            Syntax::Conditional(parts) => self.conditional(at, parts),
            Syntax::List(items) => self.list(at, items),
            Syntax::Map(entries) => self.map(at, entries),
            Syntax::Struct { name, fields } => self.object(at, name, fields),
        }
    }

    fn name(&self, at: u32, name: &str) -> Checked {
        if let Some(slot) = self.locals.iter().rposition(|(known, _)| &**known == name) {
            return Ok((expr(at, Kind::Local(slot)), self.locals[slot].1.clone()));
        }
        if let Some((root, of)) = self.environment.root(name) {
            return Ok((expr(at, Kind::Root(root)), of.clone()));
        }
        if let Some(found) = type_name(at, name) {
            return Ok(found);
        }
        Err(undeclared(at, name))
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|(known, _)| &**known == name)
    }

    fn select(&mut self, ast: &Ast, operand: &Ast, field: &str, optional: bool) -> Checked {
        let at = ast.at;
        if self.is_variables(operand) {
            return self.variable(at, field, optional);
        }
        if let Some(found) = ast.dotted().filter(|it| it.starts_with("google.")).and_then(|it| type_name(at, &it)) {
            return Ok(found);
        }
        let (operand, of) = self.expression(operand)?;
        if of == Type::Opaque("Authorizer") && field == "requestResource" {
            return self.resolve(at, field, true, vec![(operand, of)]);
        }
        let (inner, was_optional) = unwrapped(&of);
        let field_type = field_type(at, inner, field)?;
        let result = if optional || was_optional { Type::optional(field_type) } else { field_type };
        Ok((expr(at, Kind::Field { operand: operand.into(), field: field.into(), optional }), result))
    }

    /// Whether this is the name `variables` and stands for the variables of the policy.
    fn is_variables(&self, ast: &Ast) -> bool {
        let named = matches!(&ast.syntax, Syntax::Name(name) if &**name == "variables");
        named && !self.is_local("variables") && self.environment.has_variables()
    }

    fn variable(&self, at: u32, name: &str, optional: bool) -> Checked {
        let Some((index, of)) = self.environment.variable(name) else {
            return Err(CompileError::new(at, format!("undefined field '{name}'")));
        };
        let kind =
            if self.environment.composited { Kind::NamedVariable(index, name.into()) } else { Kind::Variable(index) };
        let variable = expr(at, kind);
        if !optional {
            return Ok((variable, of.clone()));
        }
        let call = self.resolve(at, "optional.of", false, vec![(variable, of.clone())])?;
        Ok(call)
    }

    fn index(&mut self, at: u32, operand: &Ast, index: &Ast, optional: bool) -> Checked {
        let (operand, of) = self.expression(operand)?;
        let (index, index_type) = self.expression(index)?;
        let (inner, was_optional) = unwrapped(&of);
        let element = match inner {
            Type::Dyn | Type::Free | Type::Object(_) => Type::Dyn,
            Type::List(item) if matches!(index_type, Type::Int | Type::Dyn | Type::Free) => (**item).clone(),
            Type::Map(entry) if entry.0.agrees(&index_type) => entry.1.clone(),
            _ => {
                let name = if optional { "_[?_]" } else { "_[_]" };
                return Err(no_overload(at, name, None, &[of.clone(), index_type]));
            }
        };
        let result = if optional || was_optional { Type::optional(element) } else { element };
        Ok((expr(at, Kind::Index { operand: operand.into(), index: index.into(), optional }), result))
    }

    fn unary(&mut self, at: u32, operator: Unary, operand: &Ast) -> Checked {
        let (operand, of) = self.expression(operand)?;
        match (operator, &of) {
            (Unary::Not, Type::Bool | Type::Dyn | Type::Free) => Ok((expr(at, Kind::Not(operand.into())), Type::Bool)),
            (Unary::Negate, Type::Int | Type::Double | Type::Duration | Type::Dyn | Type::Free) => {
                Ok((expr(at, Kind::Negate(operand.into())), of))
            }
            _ => Err(no_overload(at, operator.name(), None, &[of])),
        }
    }

    fn logic(&mut self, name: &str, operands: &[Ast]) -> Result<Box<[Expr]>, CompileError> {
        let mut out = Vec::with_capacity(operands.len());
        for ast in operands {
            let (operand, of) = self.expression(ast)?;
            if !matches!(of, Type::Bool | Type::Dyn | Type::Free) {
                return Err(CompileError::new(
                    ast.at,
                    format!("expected type 'bool' but found '{of}' as operand of '{name}'"),
                ));
            }
            out.push(operand);
        }
        Ok(out.into())
    }

    fn conditional(&mut self, at: u32, [condition, yes, no]: &[Ast; 3]) -> Checked {
        let (condition, of) = self.expression(condition)?;
        let (yes, yes_type) = self.expression(yes)?;
        let (no, no_type) = self.expression(no)?;
        if !matches!(of, Type::Bool | Type::Dyn | Type::Free) || !yes_type.agrees(&no_type) {
            return Err(no_overload(at, "_?_:_", None, &[of, yes_type, no_type]));
        }
        let result = yes_type.join(&no_type);
        Ok((expr(at, Kind::Conditional(Box::new([condition, yes, no]))), result))
    }

    /// The type that all items of a literal have.
    fn joined(&self, at: u32, before: Option<Type>, item: &Type) -> Result<Type, CompileError> {
        let Some(before) = before else { return Ok(item.clone()) };
        if self.environment.homogeneous && !before.same(item) {
            return Err(CompileError::new(at, format!("expected type '{before}' but found '{item}'")));
        }
        Ok(if before.agrees(item) { before.join(item) } else { Type::Dyn })
    }

    fn list(&mut self, at: u32, items: &[Item]) -> Checked {
        self.list_of(at, items, self.environment.homogeneous)
    }

    fn list_of(&mut self, at: u32, items: &[Item], homogeneous: bool) -> Checked {
        let mut out = Vec::with_capacity(items.len());
        let mut joined: Option<Type> = None;
        for item in items {
            let (value, of) = self.expression(&item.value)?;
            let of = literal_part(item.value.at, item.optional, of)?;
            joined = Some(if homogeneous {
                self.joined(item.value.at, joined, &of)?
            } else {
                joined
                    .map_or_else(|| of.clone(), |before| if before.agrees(&of) { before.join(&of) } else { Type::Dyn })
            });
            out.push(tree::Item { optional: item.optional, value });
        }
        Ok((expr(at, Kind::List(out.into())), Type::list(joined.unwrap_or(Type::Free))))
    }

    fn map(&mut self, at: u32, entries: &[Entry]) -> Checked {
        let mut out = Vec::with_capacity(entries.len());
        let (mut keys, mut values): (Option<Type>, Option<Type>) = (None, None);
        for entry in entries {
            let (key, key_type) = self.expression(&entry.key)?;
            if !matches!(key_type, Type::Bool | Type::Int | Type::Uint | Type::String | Type::Dyn | Type::Free) {
                return Err(CompileError::new(entry.key.at, format!("unsupported map key type: {key_type}")));
            }
            let (value, of) = self.expression(&entry.value)?;
            let of = literal_part(entry.value.at, entry.optional, of)?;
            keys = Some(self.joined(entry.key.at, keys, &key_type)?);
            values = Some(self.joined(entry.value.at, values, &of)?);
            out.push(tree::Entry { optional: entry.optional, key, value });
        }
        let of = Type::map(keys.unwrap_or(Type::Free), values.unwrap_or(Type::Free));
        Ok((expr(at, Kind::Map(out.into())), of))
    }

    /// `Object{…}`, `Object.spec{…}`, `JSONPatch{…}`: maps whose types have names.
    fn object(&mut self, at: u32, name: &str, fields: &[Field]) -> Checked {
        let patch = name == "JSONPatch";
        if !self.environment.objects || !(patch || name == "Object" || name.starts_with("Object.")) {
            return Err(undeclared(at, name));
        }
        let mut out: Vec<tree::Entry> = Vec::with_capacity(fields.len());
        for field in fields {
            let (mut value, of) = self.expression(&field.value)?;
            let of = literal_part(field.value.at, field.optional, of)?;
            if patch {
                let Some((_, wanted)) = JSON_PATCH.iter().find(|(known, _)| *known == &*field.name) else {
                    return Err(CompileError::new(at, format!("undefined field '{}'", field.name)));
                };
                if !wanted.agrees(&of) {
                    let text =
                        format!("expected type of field '{}' is '{wanted}' but provided type is '{of}'", field.name);
                    return Err(CompileError::new(field.value.at, text));
                }
            } else if let Some(text) = wrong_name(&of, &format!("{name}.{}", field.name)) {
                // The cluster sees this when it evaluates, not before.
                value = expr(field.value.at, Kind::Fail(text.into()));
            }
            let key = expr(at, Kind::Constant(Constant::String(field.name.clone())));
            out.push(tree::Entry { optional: field.optional, key, value });
        }
        Ok((expr(at, Kind::Map(out.into())), Type::Object(name.into())))
    }
}

/// The type of a field of a value of such type.
fn field_type(at: u32, of: &Type, field: &str) -> Result<Type, CompileError> {
    match of {
        Type::Dyn | Type::Free | Type::Object(_) => Ok(Type::Dyn),
        Type::Map(entry) if entry.0.agrees(&Type::String) => Ok(entry.1.clone()),
        Type::Struct(it) => it.field(field).ok_or_else(|| CompileError::new(at, format!("undefined field '{field}'"))),
        _ => Err(CompileError::new(at, format!("type '{of}' does not support field selection"))),
    }
}

/// The type of a part of a literal: of an optional one what it holds.
fn literal_part(at: u32, optional: bool, of: Type) -> Result<Type, CompileError> {
    match of {
        _ if !optional => Ok(of),
        Type::Optional(value) => Ok((*value).clone()),
        Type::Dyn | Type::Free => Ok(Type::Dyn),
        _ => Err(CompileError::new(at, format!("expected type 'optional_type({of})' but found '{of}'"))),
    }
}

/// Why a part of an `Object` may not stand where it stands: its type must spell the path of fields.
fn wrong_name(of: &Type, expected: &str) -> Option<String> {
    match of {
        Type::List(item) => wrong_name(item, expected),
        Type::Object(name) if &**name != expected && &**name != "JSONPatch" => Some(format!(
            "type mismatch: unexpected type name \"{name}\", expected \"{expected}\", \
             which matches field name path from root Object type"
        )),
        _ => None,
    }
}

fn expr(at: u32, kind: Kind) -> Expr {
    Expr { at, kind }
}

fn constant(at: u32, literal: &Literal) -> (Expr, Type) {
    let (constant, of) = match literal {
        Literal::Null => (Constant::Null, Type::Null),
        Literal::Bool(value) => (Constant::Bool(*value), Type::Bool),
        Literal::Int(value) => (Constant::Int(*value), Type::Int),
        Literal::Uint(value) => (Constant::Uint(*value), Type::Uint),
        Literal::Double(value) => (Constant::Double(*value), Type::Double),
        Literal::String(text) => (Constant::String(text.clone()), Type::String),
        Literal::Bytes(bytes) => (Constant::Bytes(bytes.clone()), Type::Bytes),
    };
    (expr(at, Kind::Constant(constant)), of)
}

fn type_name(at: u32, name: &str) -> Option<(Expr, Type)> {
    let (_, name) = TYPES.iter().find(|(known, _)| *known == name)?;
    Some((expr(at, Kind::Constant(Constant::Type(name))), Type::Meta))
}

/// What an optional type holds, and whether it was one.
fn unwrapped(of: &Type) -> (&Type, bool) {
    match of {
        Type::Optional(inner) => (inner, true),
        _ => (of, false),
    }
}

fn undeclared(at: u32, name: &str) -> CompileError {
    CompileError::new(at, format!("undeclared reference to '{name}' (in container '')"))
}

fn no_overload(at: u32, name: &str, receiver: Option<&Type>, arguments: &[Type]) -> CompileError {
    let list: Vec<_> = arguments.iter().map(Type::to_string).collect();
    let list = list.join(", ");
    let applied = match receiver {
        Some(receiver) => format!("{receiver}.({list})"),
        None => format!("({list})"),
    };
    CompileError::new(at, format!("found no matching overload for '{name}' applied to '{applied}'"))
}
