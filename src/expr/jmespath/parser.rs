//! From tokens to the syntax tree: top-down operator precedence, as the Go library does it.
//!
//! In: the text of an expression. Out: a tree whose depth is bounded, or an error with a byte offset. Recursion is
//! bounded by [`MAX_DEPTH`].

use super::{
    ParseError,
    ast::{Ast, Comparison},
    functions,
    lexer::{self, Token},
};

/// How deep a tree may be, and how deep parentheses may nest.
pub(super) const MAX_DEPTH: usize = 160;

/// How long an expression may be, in bytes.
const MAX_LENGTH: usize = 1 << 20;

/// Parses the whole of `text`.
pub(super) fn parse(text: &str) -> Result<Ast, ParseError> {
    if text.len() > MAX_LENGTH {
        return Err(ParseError::new("Expression too long".to_owned(), MAX_LENGTH));
    }
    let mut parser = Parser { tokens: lexer::tokenize(text)?, next: 0, depth: 0 };
    let tree = parser.expression(0)?;
    match parser.current() {
        Token::End => Ok(tree.ast),
        token => Err(parser.error(format!("Unexpected token at the end of the expression: {}", token.name()))),
    }
}

/// A tree under construction and its depth.
struct Tree {
    ast: Ast,
    depth: usize,
}

impl Tree {
    const fn leaf(ast: Ast) -> Self {
        Tree { ast, depth: 1 }
    }
}

/// How a node is made of two.
type Join = fn(Box<Ast>, Box<Ast>) -> Ast;

struct Parser {
    /// Ends with [`Token::End`].
    tokens: Vec<(Token, usize)>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn lookahead(&self, ahead: usize) -> &Token {
        &self.tokens[(self.next + ahead).min(self.tokens.len() - 1)].0
    }

    fn current(&self) -> &Token {
        self.lookahead(0)
    }

    /// Takes the current token; the last one stays.
    fn advance(&mut self) -> Token {
        let last = self.tokens.len() - 1;
        if self.next >= last {
            return Token::End;
        }
        let token = std::mem::replace(&mut self.tokens[self.next].0, Token::Unknown);
        self.next += 1;
        token
    }

    /// An error at the current token.
    fn error(&self, text: String) -> ParseError {
        self.error_at(text, self.next)
    }

    fn error_at(&self, text: String, token: usize) -> ParseError {
        ParseError::new(text, self.tokens[token.min(self.tokens.len() - 1)].1)
    }

    fn expect(&mut self, token: &Token) -> Result<(), ParseError> {
        if self.current() == token {
            self.advance();
            return Ok(());
        }
        Err(self.error(format!("Expected {}, received: {}", token.name(), self.current().name())))
    }

    fn check(&self, depth: usize) -> Result<usize, ParseError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("Expression is nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(depth)
    }

    fn join(&self, join: Join, left: Tree, right: Tree) -> Result<Tree, ParseError> {
        let depth = self.check(left.depth.max(right.depth) + 1)?;
        Ok(Tree { ast: join(Box::new(left.ast), Box::new(right.ast)), depth })
    }

    fn wrap(&self, wrap: fn(Box<Ast>) -> Ast, child: Tree) -> Result<Tree, ParseError> {
        let depth = self.check(child.depth + 1)?;
        Ok(Tree { ast: wrap(Box::new(child.ast)), depth })
    }

    fn expression(&mut self, binding: u8) -> Result<Tree, ParseError> {
        self.depth = self.check(self.depth + 1)?;
        let mut left = self.prefix()?;
        while binding < self.current().binding() {
            left = self.infix(left)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// A token that begins an expression, and what belongs to it.
    fn prefix(&mut self) -> Result<Tree, ParseError> {
        let at = self.next;
        let token = self.advance();
        match token {
            Token::Literal(json) => Ok(Tree::leaf(Ast::Literal(json))),
            Token::Identifier(name) => Ok(Tree::leaf(Ast::Field(name.into()))),
            Token::QuotedIdentifier(name) => {
                if *self.current() == Token::LeftParen {
                    return Err(self.error_at("Can't have quoted identifier as function name.".to_owned(), at));
                }
                Ok(Tree::leaf(Ast::Field(name.into())))
            }
            Token::Current => Ok(Tree::leaf(Ast::Current)),
            Token::Star => {
                let right = if *self.current() == Token::RightBracket {
                    Tree::leaf(Ast::Identity)
                } else {
                    self.projected(Token::Star.binding())?
                };
                self.join(Ast::ValueProjection, Tree::leaf(Ast::Identity), right)
            }
            Token::Filter => self.filter(Tree::leaf(Ast::Identity)),
            Token::Flatten => self.flatten(Tree::leaf(Ast::Identity)),
            Token::LeftBrace => self.multi_select_hash(),
            Token::LeftBracket => self.bracket(),
            Token::Reference => {
                let inner = self.expression(Token::Reference.binding())?;
                self.wrap(Ast::Reference, inner)
            }
            Token::Not => {
                let inner = self.expression(Token::Not.binding())?;
                self.wrap(Ast::Not, inner)
            }
            Token::LeftParen => {
                let inner = self.expression(0)?;
                self.expect(&Token::RightParen)?;
                Ok(inner)
            }
            Token::End => Err(self.error_at("Incomplete expression".to_owned(), at)),
            other => Err(self.error_at(format!("Invalid token: {}", other.name()), at)),
        }
    }

    /// A token that goes on with `left`.
    fn infix(&mut self, left: Tree) -> Result<Tree, ParseError> {
        let at = self.next;
        let token = self.advance();
        let comparison = match token {
            Token::Dot if *self.current() == Token::Star => {
                self.advance();
                let right = self.projected(Token::Dot.binding())?;
                return self.join(Ast::ValueProjection, left, right);
            }
            Token::Dot => {
                let right = self.after_dot(Token::Dot.binding())?;
                return self.join(Ast::Subexpression, left, right);
            }
            Token::Pipe => return self.binary(Ast::Pipe, left, &token),
            Token::Or => return self.binary(Ast::Or, left, &token),
            Token::And => return self.binary(Ast::And, left, &token),
            Token::LeftParen => return self.call(left, at),
            Token::Filter => return self.filter(left),
            Token::Flatten => return self.flatten(left),
            Token::LeftBracket => return self.index_or_projection(left),
            Token::Equal => Comparison::Equal,
            Token::NotEqual => Comparison::NotEqual,
            Token::Less => Comparison::Less,
            Token::LessOrEqual => Comparison::LessOrEqual,
            Token::Greater => Comparison::Greater,
            Token::GreaterOrEqual => Comparison::GreaterOrEqual,
            other => return Err(self.error_at(format!("Unexpected token: {}", other.name()), at)),
        };
        let right = self.expression(Token::Equal.binding())?;
        let depth = self.check(left.depth.max(right.depth) + 1)?;
        Ok(Tree { ast: Ast::Comparator(comparison, Box::new(left.ast), Box::new(right.ast)), depth })
    }

    fn binary(&mut self, join: Join, left: Tree, token: &Token) -> Result<Tree, ParseError> {
        let right = self.expression(token.binding())?;
        self.join(join, left, right)
    }

    fn flatten(&mut self, source: Tree) -> Result<Tree, ParseError> {
        let left = self.wrap(Ast::Flatten, source)?;
        let right = self.projected(Token::Flatten.binding())?;
        self.join(Ast::Projection, left, right)
    }

    /// `[` at the beginning of an expression.
    fn bracket(&mut self) -> Result<Tree, ParseError> {
        match self.current() {
            Token::Number(_) | Token::Colon => {
                let right = self.index()?;
                self.project_slice(Tree::leaf(Ast::Identity), right)
            }
            Token::Star if *self.lookahead(1) == Token::RightBracket => {
                self.advance();
                self.advance();
                let right = self.projected(Token::Star.binding())?;
                self.join(Ast::Projection, Tree::leaf(Ast::Identity), right)
            }
            _ => self.multi_select_list(),
        }
    }

    /// `[` behind `left`.
    fn index_or_projection(&mut self, left: Tree) -> Result<Tree, ParseError> {
        if matches!(self.current(), Token::Number(_) | Token::Colon) {
            let right = self.index()?;
            return self.project_slice(left, right);
        }
        self.expect(&Token::Star)?;
        self.expect(&Token::RightBracket)?;
        let right = self.projected(Token::Star.binding())?;
        self.join(Ast::Projection, left, right)
    }

    fn project_slice(&mut self, left: Tree, index: Ast) -> Result<Tree, ParseError> {
        let slice = matches!(index, Ast::Slice(_));
        let indexed = self.join(Ast::IndexExpression, left, Tree::leaf(index))?;
        if !slice {
            return Ok(indexed);
        }
        let right = self.projected(Token::Star.binding())?;
        self.join(Ast::Projection, indexed, right)
    }

    /// An index or slice behind its `[`, up to and with `]`.
    fn index(&mut self) -> Result<Ast, ParseError> {
        if *self.current() != Token::Colon && *self.lookahead(1) != Token::Colon {
            let index = self.number()?;
            self.expect(&Token::RightBracket)?;
            return Ok(Ast::Index(index));
        }
        let mut parts = [None; 3];
        let mut part = 0;
        loop {
            match self.current() {
                Token::RightBracket => break,
                Token::Colon if part < 2 => {
                    part += 1;
                    self.advance();
                }
                Token::Number(_) if parts[part].is_none() => parts[part] = Some(self.number()?),
                other => {
                    return Err(self.error(format!("Expected tColon or tNumber, received: {}", other.name())));
                }
            }
        }
        if parts[2] == Some(0) {
            return Err(self.error("Invalid slice, step cannot be 0".to_owned()));
        }
        self.advance();
        Ok(Ast::Slice(parts))
    }

    fn number(&mut self) -> Result<i64, ParseError> {
        let at = self.tokens[self.next].1;
        match self.advance() {
            Token::Number(text) => text
                .parse()
                .map_err(|_| ParseError::plain(format!("strconv.Atoi: parsing {text:?}: invalid syntax"), at)),
            other => Err(ParseError::new(format!("Expected tNumber, received: {}", other.name()), at)),
        }
    }

    fn filter(&mut self, source: Tree) -> Result<Tree, ParseError> {
        let condition = self.expression(0)?;
        self.expect(&Token::RightBracket)?;
        let each = if *self.current() == Token::Flatten {
            Tree::leaf(Ast::Identity)
        } else {
            self.projected(Token::Filter.binding())?
        };
        let depth = self.check(source.depth.max(each.depth).max(condition.depth) + 1)?;
        let ast = Ast::FilterProjection(Box::new(source.ast), Box::new(each.ast), Box::new(condition.ast));
        Ok(Tree { ast, depth })
    }

    /// What a projection makes of each element.
    fn projected(&mut self, binding: u8) -> Result<Tree, ParseError> {
        match self.current() {
            token if token.binding() < 10 => Ok(Tree::leaf(Ast::Identity)),
            Token::LeftBracket | Token::Filter => self.expression(binding),
            Token::Dot => {
                self.advance();
                self.after_dot(binding)
            }
            _ => Err(self.error("Error".to_owned())),
        }
    }

    fn after_dot(&mut self, binding: u8) -> Result<Tree, ParseError> {
        match self.current() {
            Token::Identifier(_) | Token::QuotedIdentifier(_) | Token::Star => self.expression(binding),
            Token::LeftBracket => {
                self.advance();
                self.multi_select_list()
            }
            Token::LeftBrace => {
                self.advance();
                self.multi_select_hash()
            }
            _ => Err(self.error("Expected identifier, lbracket, or lbrace".to_owned())),
        }
    }

    fn multi_select_list(&mut self) -> Result<Tree, ParseError> {
        let mut items = Vec::new();
        let mut depth = 0;
        loop {
            let item = self.expression(0)?;
            depth = depth.max(item.depth);
            items.push(item.ast);
            if *self.current() == Token::RightBracket {
                break;
            }
            self.expect(&Token::Comma)?;
        }
        self.expect(&Token::RightBracket)?;
        Ok(Tree { ast: Ast::MultiSelectList(items), depth: self.check(depth + 1)? })
    }

    fn multi_select_hash(&mut self) -> Result<Tree, ParseError> {
        let mut pairs = Vec::new();
        let mut depth = 0;
        loop {
            let at = self.next;
            let (Token::Identifier(key) | Token::QuotedIdentifier(key)) = self.advance() else {
                return Err(self.error_at("Expected tQuotedIdentifier or tUnquotedIdentifier".to_owned(), at));
            };
            self.expect(&Token::Colon)?;
            let value = self.expression(0)?;
            depth = depth.max(value.depth);
            pairs.push((key.into_boxed_str(), value.ast));
            match self.current() {
                Token::Comma => {
                    self.advance();
                }
                Token::RightBrace => {
                    self.advance();
                    break;
                }
                // Kyverno: a comma is not asked for between pairs.
                _ => {}
            }
        }
        Ok(Tree { ast: Ast::MultiSelectHash(pairs), depth: self.check(depth + 1)? })
    }

    /// Arguments of a call behind its `(`, at token `at`.
    fn call(&mut self, callee: Tree, at: usize) -> Result<Tree, ParseError> {
        let Ast::Field(name) = callee.ast else {
            return Err(self.error_at("Unexpected token: tLparen".to_owned(), at));
        };
        let mut arguments = Vec::new();
        let mut depth = 0;
        while *self.current() != Token::RightParen {
            let argument = self.expression(0)?;
            depth = depth.max(argument.depth);
            arguments.push(argument.ast);
            // Kyverno: a comma is not asked for between arguments, and one may stand behind the last.
            if *self.current() == Token::Comma {
                self.advance();
            }
        }
        self.advance();
        let function = functions::find(&name);
        Ok(Tree { ast: Ast::Call { name, function, arguments }, depth: self.check(depth + 1)? })
    }
}
