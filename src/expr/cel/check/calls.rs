//! Finds the overloads that a call can mean.

use super::{Checked, Checker, constants, expr, no_overload, undeclared};
use crate::expr::cel::{
    CompileError,
    ast::{Ast, Syntax},
    library::{self, Library, Overload},
    tree::{Call, Expr, Kind},
    types::Type,
};

impl Checker<'_> {
    pub(super) fn call(&mut self, at: u32, target: Option<&Ast>, name: &str, arguments: &[Ast]) -> Checked {
        if let Some(done) = self.expand(at, target, name, arguments) {
            return done;
        }
        let Some(target) = target else {
            let arguments = self.arguments(name, arguments)?;
            return self.resolve(at, name, false, arguments);
        };
        // `math.greatest(…)` is a function with a dot in its name, not a method of `math`.
        if let Some(prefix) = target.dotted() {
            let qualified = format!("{prefix}.{name}");
            let local = prefix.split('.').next().is_some_and(|first| self.is_local(first));
            if !local && self.knows(&qualified, false) {
                let arguments = self.arguments(name, arguments)?;
                return self.resolve(at, &qualified, false, arguments);
            }
        }
        let mut all = vec![self.expression(target)?];
        all.extend(self.arguments(name, arguments)?);
        self.resolve(at, name, true, all)
    }

    fn arguments(&mut self, function: &str, arguments: &[Ast]) -> Result<Vec<(Expr, Type)>, CompileError> {
        let each = |ast: &Ast| match &ast.syntax {
            // What is printed may be of many types.
            Syntax::List(items) if function == "format" => self.list_of(ast.at, items, false),
            _ => self.expression(ast),
        };
        arguments.iter().map(each).collect()
    }

    fn candidates(&self, name: &str, method: bool) -> impl Iterator<Item = &'static Overload> {
        library::overloads(name).iter().filter(move |it| it.is_method == method && self.has(it.library))
    }

    pub(super) fn has(&self, library: Library) -> bool {
        self.environment.has(library)
    }

    fn knows(&self, name: &str, method: bool) -> bool {
        self.candidates(name, method).next().is_some()
    }

    /// A call of whatever overloads fit the types; the receiver is the first argument.
    pub(super) fn resolve(&self, at: u32, name: &str, method: bool, arguments: Vec<(Expr, Type)>) -> Checked {
        let (arguments, types): (Vec<Expr>, Vec<Type>) = arguments.into_iter().unzip();
        let mut overloads: Vec<&'static Overload> = Vec::new();
        let mut result: Option<Type> = None;
        for candidate in self.candidates(name, method) {
            let Some(of) = candidate.result_for(&types) else { continue };
            overloads.push(candidate);
            result = Some(match result {
                // Kyverno: `orValue` of any value gives way to that of optional ones.
                Some(before) if before == of || candidate.library == Library::LenientOptional => before,
                Some(_) => Type::Dyn,
                None => of,
            });
        }
        let (Some(result), Some(first)) = (result, overloads.first()) else {
            if !self.knows(name, method) {
                return Err(undeclared(at, name));
            }
            let (receiver, rest) = match types.split_first() {
                Some((receiver, rest)) if method => (Some(receiver), rest),
                _ => (None, types.as_slice()),
            };
            return Err(no_overload(at, name, receiver, rest));
        };
        let name = first.name;
        let call = Call { name, overloads: overloads.into(), arguments: arguments.into(), pattern: None };
        let call = constants::fold(at, call)?;
        Ok((call.unwrap_or_else(|call| expr(at, Kind::Call(Box::new(call)))), result))
    }
}
