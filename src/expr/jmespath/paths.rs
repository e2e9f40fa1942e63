//! What an expression reads, without evaluating it: for loading names on demand and for finding the value behind a
//! finding. Best effort: what evaluation really touched is not known here.

use super::ast::Ast;

/// A step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A key of a map.
    Field(String),
    /// An item of a list, from its end when negative.
    Index(i64),
    /// Each item of a list or each value of a map.
    Each,
}

/// Steps from the root.
pub(crate) type Path = Vec<Step>;

/// How many alternatives are followed at a time; more would cost much and help nobody.
const MAX_ALTERNATIVES: usize = 16;

/// How many paths are given out.
const MAX_PATHS: usize = 256;

/// Names that may be looked up at the root.
pub(super) fn root_names(ast: &Ast) -> Vec<&str> {
    let mut names = Vec::new();
    collect_names(ast, true, &mut names);
    names
}

fn collect_names<'a>(ast: &'a Ast, at_root: bool, out: &mut Vec<&'a str>) {
    match ast {
        Ast::Field(name) => {
            if at_root && !out.contains(&&**name) {
                out.push(name);
            }
        }
        Ast::Identity | Ast::Current | Ast::Index(_) | Ast::Slice(_) | Ast::Literal(_) => {}
        Ast::Subexpression(left, right) | Ast::Pipe(left, right) | Ast::IndexExpression(left, right) => {
            collect_names(left, at_root, out);
            collect_names(right, at_root && stays_at_root(left), out);
        }
        Ast::Or(left, right) | Ast::And(left, right) | Ast::Comparator(_, left, right) => {
            collect_names(left, at_root, out);
            collect_names(right, at_root, out);
        }
        Ast::Not(child) | Ast::Flatten(child) => collect_names(child, at_root, out),
        Ast::Projection(source, _) | Ast::ValueProjection(source, _) | Ast::FilterProjection(source, ..) => {
            collect_names(source, at_root, out);
        }
        Ast::MultiSelectList(items) => items.iter().for_each(|item| collect_names(item, at_root, out)),
        Ast::MultiSelectHash(pairs) => pairs.iter().for_each(|(_, item)| collect_names(item, at_root, out)),
        Ast::Call { arguments, .. } => arguments.iter().for_each(|item| collect_names(item, at_root, out)),
        // Applied to elements, never to the root.
        Ast::Reference(_) => {}
    }
}

/// Whether the value of `ast` at the root is the root itself.
fn stays_at_root(ast: &Ast) -> bool {
    match ast {
        Ast::Identity | Ast::Current => true,
        Ast::Subexpression(left, right) | Ast::Pipe(left, right) => stays_at_root(left) && stays_at_root(right),
        _ => false,
    }
}

/// All paths that may be read.
pub(super) fn read(ast: &Ast) -> Vec<Path> {
    let mut reader = Reader { paths: Vec::new() };
    let last = reader.walk(ast, &[Path::new()]);
    reader.record(last);
    reader.paths
}

struct Reader {
    paths: Vec<Path>,
}

impl Reader {
    fn record(&mut self, paths: Vec<Path>) {
        for path in paths {
            if !path.is_empty() && self.paths.len() < MAX_PATHS && !self.paths.contains(&path) {
                self.paths.push(path);
            }
        }
    }

    /// Records what is read on the way; gives the places where the value of `ast` may stand.
    fn walk(&mut self, ast: &Ast, from: &[Path]) -> Vec<Path> {
        match ast {
            Ast::Identity | Ast::Current | Ast::Slice(_) => from.to_vec(),
            Ast::Field(name) => extend(from, &Step::Field(name.to_string())),
            Ast::Index(index) => extend(from, &Step::Index(*index)),
            Ast::Literal(_) => Vec::new(),
            Ast::Subexpression(left, right) | Ast::IndexExpression(left, right) | Ast::Pipe(left, right) => {
                let left = self.walk(left, from);
                self.walk(right, &left)
            }
            Ast::Flatten(child) => self.walk(child, from),
            Ast::Projection(source, each) | Ast::ValueProjection(source, each) => {
                let source = self.walk(source, from);
                self.walk(each, &extend(&source, &Step::Each))
            }
            Ast::FilterProjection(source, each, condition) => {
                let source = extend(&self.walk(source, from), &Step::Each);
                let condition = self.walk(condition, &source);
                self.record(condition);
                self.walk(each, &source)
            }
            Ast::Or(left, right) => {
                let mut both = self.walk(left, from);
                both.extend(self.walk(right, from));
                both.truncate(MAX_ALTERNATIVES);
                both
            }
            Ast::And(left, right) => {
                let left = self.walk(left, from);
                self.record(left);
                self.walk(right, from)
            }
            Ast::Not(child) => {
                let child = self.walk(child, from);
                self.record(child);
                Vec::new()
            }
            Ast::Comparator(_, left, right) => {
                for side in [left, right] {
                    let side = self.walk(side, from);
                    self.record(side);
                }
                Vec::new()
            }
            // `[a, b][].c` is the usual way to read several lists; its fields are `a[].c` and `b[].c`.
            Ast::MultiSelectList(items) => {
                let mut all = Vec::new();
                for item in items {
                    all.extend(self.walk(item, from));
                }
                let rest = all.split_off(all.len().min(MAX_ALTERNATIVES));
                self.record(rest);
                all
            }
            Ast::MultiSelectHash(pairs) => {
                for (_, item) in pairs {
                    let item = self.walk(item, from);
                    self.record(item);
                }
                Vec::new()
            }
            Ast::Call { arguments, .. } => {
                let mut elements = Vec::new();
                for argument in arguments.iter().filter(|it| !matches!(it, Ast::Reference(_))) {
                    let argument = self.walk(argument, from);
                    elements.extend(extend(&argument, &Step::Each));
                    self.record(argument);
                }
                elements.truncate(MAX_ALTERNATIVES);
                for argument in arguments {
                    if let Ast::Reference(inner) = argument {
                        let inner = self.walk(inner, &elements);
                        self.record(inner);
                    }
                }
                Vec::new()
            }
            Ast::Reference(_) => Vec::new(),
        }
    }
}

fn extend(paths: &[Path], step: &Step) -> Vec<Path> {
    let longer = |path: &Path| path.iter().chain([step]).cloned().collect();
    paths.iter().take(MAX_ALTERNATIVES).map(longer).collect()
}
