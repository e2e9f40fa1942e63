//! Makes syntax of tokens, by the strength of operators.
//!
//! In: the text of an expression. Out: its [`Ast`], or where and why it is none. Length and depth are bounded.

use super::{
    CompileError,
    ast::{Ast, Binary, Entry, Field, Item, Literal, Syntax, Unary},
    lexer::{self, Kind, Token},
};

/// Most characters of an expression, as in cel-go.
const MAX_LENGTH: usize = 100_000;
/// Most levels of an expression. cel-go allows 250.
pub(super) const MAX_DEPTH: u16 = 200;

/// Words that may be fields, not names.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Reads an expression.
pub(super) fn parse(source: &str) -> Result<Ast, CompileError> {
    if source.len() > MAX_LENGTH && source.chars().count() > MAX_LENGTH {
        let text = format!("expression code point size exceeds limit: limit {MAX_LENGTH}");
        return Err(CompileError::new(0, text));
    }
    let tokens = lexer::tokens(source)?;
    let mut parser = Parser { tokens: &tokens, next: 0, depth: 0 };
    let ast = parser.expression()?;
    match parser.peek() {
        Kind::End => Ok(ast),
        _ => Err(parser.unexpected("expecting <EOF>")),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    next: usize,
    depth: u16,
}

impl Parser<'_> {
    fn peek(&self) -> &Kind {
        self.tokens.get(self.next).map_or(&Kind::End, |token| &token.kind)
    }

    fn at(&self) -> u32 {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |token| token.at)
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn takes(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Kind::Mark(it) if *it == mark);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), CompileError> {
        if self.takes(mark) { Ok(()) } else { Err(self.unexpected(&format!("expecting '{mark}'"))) }
    }

    fn unexpected(&self, expecting: &str) -> CompileError {
        let found = match self.peek() {
            Kind::Literal(Literal::Null) => "null".to_owned(),
            Kind::Literal(Literal::Bool(value)) => value.to_string(),
            Kind::Literal(Literal::Int(value)) => value.to_string(),
            Kind::Literal(Literal::Uint(value)) => format!("{value}u"),
            Kind::Literal(Literal::Double(value)) => value.to_string(),
            Kind::Literal(Literal::String(text)) => format!("{text:?}"),
            Kind::Literal(Literal::Bytes(_)) => "bytes".to_owned(),
            Kind::Name(name) | Kind::Quoted(name) => name.to_string(),
            Kind::Mark(mark) => (*mark).to_owned(),
            Kind::In => "in".to_owned(),
            Kind::End => "<EOF>".to_owned(),
        };
        CompileError::new(self.at(), format!("Syntax error: mismatched input '{found}' {expecting}"))
    }

    fn node(at: u32, below: u16, syntax: Syntax) -> Result<Ast, CompileError> {
        if below >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        Ok(Ast { at, depth: below + 1, syntax })
    }

    fn expression(&mut self) -> Result<Ast, CompileError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep(self.at()));
        }
        let condition = self.any()?;
        let at = self.at();
        let out = if self.takes("?") {
            let yes = self.any()?;
            self.expect(":")?;
            let no = self.expression()?;
            let depth = condition.depth.max(yes.depth).max(no.depth);
            Self::node(at, depth, Syntax::Conditional(Box::new([condition, yes, no])))?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(out)
    }

    fn any(&mut self) -> Result<Ast, CompileError> {
        let at = self.at();
        let first = self.every()?;
        let mut operands = vec![first];
        while self.takes("||") {
            operands.push(self.every()?);
        }
        chain(at, operands, Syntax::Or)
    }

    fn every(&mut self) -> Result<Ast, CompileError> {
        let at = self.at();
        let first = self.binary(1)?;
        let mut operands = vec![first];
        while self.takes("&&") {
            operands.push(self.binary(1)?);
        }
        chain(at, operands, Syntax::And)
    }

    fn operator(&self) -> Option<Binary> {
        Some(match self.peek() {
            Kind::In => Binary::In,
            Kind::Mark("==") => Binary::Equal,
            Kind::Mark("!=") => Binary::NotEqual,
            Kind::Mark("<") => Binary::Less,
            Kind::Mark("<=") => Binary::LessOrEqual,
            Kind::Mark(">") => Binary::Greater,
            Kind::Mark(">=") => Binary::GreaterOrEqual,
            Kind::Mark("+") => Binary::Add,
            Kind::Mark("-") => Binary::Subtract,
            Kind::Mark("*") => Binary::Multiply,
            Kind::Mark("/") => Binary::Divide,
            Kind::Mark("%") => Binary::Remainder,
            _ => return None,
        })
    }

    fn binary(&mut self, weakest: u8) -> Result<Ast, CompileError> {
        let mut left = self.unary()?;
        while let Some(operator) = self.operator().filter(|it| it.strength() >= weakest) {
            let at = self.at();
            self.advance();
            let right = self.binary(operator.strength() + 1)?;
            let depth = left.depth.max(right.depth);
            left = Self::node(at, depth, Syntax::Binary(operator, Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Ast, CompileError> {
        let mut operators: Vec<(u32, Unary)> = Vec::new();
        loop {
            let at = self.at();
            if self.takes("!") {
                operators.push((at, Unary::Not));
            } else if self.takes("-") {
                operators.push((at, Unary::Negate));
            } else {
                break;
            }
        }
        // A minus sign before a number belongs to the number.
        let negative = matches!(operators.last(), Some((_, Unary::Negate)));
        let number = match self.peek() {
            Kind::Literal(Literal::Int(value)) if negative => Some(Literal::Int(value.wrapping_neg())),
            Kind::Literal(Literal::Double(value)) if negative => Some(Literal::Double(-value)),
            _ => None,
        };
        let operand = match number {
            Some(literal) => {
                let at = operators.pop().map_or_else(|| self.at(), |(at, _)| at);
                self.advance();
                Self::node(at, 0, Syntax::Literal(literal))?
            }
            None => self.primary()?,
        };
        let mut out = self.members(operand)?;
        while let Some((at, operator)) = operators.pop() {
            out = Self::node(at, out.depth, Syntax::Unary(operator, Box::new(out)))?;
        }
        Ok(out)
    }

    /// What follows a value: fields, calls, indices, and the braces of a struct.
    fn members(&mut self, mut operand: Ast) -> Result<Ast, CompileError> {
        loop {
            let start = self.at();
            if self.takes(".?") {
                let at = self.at();
                let field = self.field()?;
                let depth = operand.depth;
                operand = Self::node(at, depth, Syntax::Select { operand: Box::new(operand), field, optional: true })?;
            } else if self.takes(".") {
                operand = self.member(operand)?;
            } else if matches!(self.peek(), Kind::Mark("[" | "[?")) {
                let optional = matches!(self.peek(), Kind::Mark("[?"));
                self.advance();
                let index = self.expression()?;
                self.expect("]")?;
                let depth = operand.depth.max(index.depth);
                let (operand_box, index) = (Box::new(operand), Box::new(index));
                operand = Self::node(start, depth, Syntax::Index { operand: operand_box, index, optional })?;
            } else if matches!(self.peek(), Kind::Mark("{")) {
                let Some(name) = operand.dotted() else { return Ok(operand) };
                self.advance();
                operand = self.fields(operand.at, &name)?;
            } else {
                return Ok(operand);
            }
        }
    }

    fn field(&mut self) -> Result<Box<str>, CompileError> {
        let name = match self.peek() {
            Kind::Name(name) | Kind::Quoted(name) => name.clone(),
            _ => return Err(self.unexpected("expecting IDENTIFIER")),
        };
        self.advance();
        Ok(name)
    }

    fn member(&mut self, operand: Ast) -> Result<Ast, CompileError> {
        let at = self.at();
        let quoted = matches!(self.peek(), Kind::Quoted(_));
        let name = self.field()?;
        if !quoted && self.takes("(") {
            let arguments = self.arguments()?;
            let depth = deepest(&arguments).max(operand.depth);
            return Self::node(at, depth, Syntax::Call { target: Some(Box::new(operand)), name, arguments });
        }
        let depth = operand.depth;
        Self::node(at, depth, Syntax::Select { operand: Box::new(operand), field: name, optional: false })
    }

    fn arguments(&mut self) -> Result<Vec<Ast>, CompileError> {
        let mut out = Vec::new();
        if self.takes(")") {
            return Ok(out);
        }
        loop {
            out.push(self.expression()?);
            if self.takes(")") {
                return Ok(out);
            }
            if !self.takes(",") {
                return Err(self.unexpected("expecting ')'"));
            }
        }
    }

    fn primary(&mut self) -> Result<Ast, CompileError> {
        let at = self.at();
        if self.takes("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if matches!(self.peek(), Kind::Mark("[" | "[?")) {
            return self.list(at);
        }
        if self.takes("{") {
            return self.map(at);
        }
        // A leading dot only says that the name is looked up from the root, which all names are.
        self.takes(".");
        match self.peek() {
            Kind::Literal(literal) => {
                let literal = literal.clone();
                self.advance();
                Self::node(at, 0, Syntax::Literal(literal))
            }
            Kind::Name(name) => {
                let name = name.clone();
                let at = self.at();
                self.advance();
                if RESERVED.contains(&&*name) {
                    return Err(CompileError::new(at, format!("Syntax error: reserved identifier: {name}")));
                }
                if self.takes("(") {
                    let arguments = self.arguments()?;
                    let depth = deepest(&arguments);
                    return Self::node(at, depth, Syntax::Call { target: None, name, arguments });
                }
                Self::node(at, 0, Syntax::Name(name))
            }
            _ => Err(self.unexpected("expecting an expression")),
        }
    }

    fn list(&mut self, at: u32) -> Result<Ast, CompileError> {
        let mut items = Vec::new();
        // `[?x]` begins with the mark of an optional index.
        let mut optional = self.takes("[?");
        if !optional {
            self.expect("[")?;
        }
        loop {
            if !optional && self.takes("]") {
                break;
            }
            optional = optional || self.takes("?");
            items.push(Item { optional, value: self.expression()? });
            optional = false;
            if !self.takes(",") {
                self.expect("]")?;
                break;
            }
        }
        let depth = items.iter().map(|item| item.value.depth).max().unwrap_or(0);
        Self::node(at, depth, Syntax::List(items))
    }

    fn map(&mut self, at: u32) -> Result<Ast, CompileError> {
        let mut entries = Vec::new();
        while !self.takes("}") {
            let optional = self.takes("?");
            let key = self.expression()?;
            self.expect(":")?;
            entries.push(Entry { optional, key, value: self.expression()? });
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        let depth = entries.iter().map(|entry| entry.key.depth.max(entry.value.depth)).max().unwrap_or(0);
        Self::node(at, depth, Syntax::Map(entries))
    }

    fn fields(&mut self, at: u32, name: &str) -> Result<Ast, CompileError> {
        let mut fields = Vec::new();
        while !self.takes("}") {
            let optional = self.takes("?");
            let name = self.field()?;
            self.expect(":")?;
            fields.push(Field { optional, name, value: self.expression()? });
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        let depth = fields.iter().map(|field| field.value.depth).max().unwrap_or(0);
        Self::node(at, depth, Syntax::Struct { name: name.into(), fields })
    }
}

fn chain(at: u32, mut operands: Vec<Ast>, form: fn(Vec<Ast>) -> Syntax) -> Result<Ast, CompileError> {
    if operands.len() == 1 {
        return operands.pop().ok_or_else(|| too_deep(at));
    }
    let depth = deepest(&operands);
    Parser::node(at, depth, form(operands))
}

fn deepest(parts: &[Ast]) -> u16 {
    parts.iter().map(|part| part.depth).max().unwrap_or(0)
}

fn too_deep(at: u32) -> CompileError {
    CompileError::new(at, format!("expression recursion limit exceeded: {MAX_DEPTH}"))
}
