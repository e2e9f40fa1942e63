//! What the parser makes of an expression: its syntax, before names and types are looked at.

/// A part of an expression and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Ast {
    /// Byte offset of the operator, the name or the literal that the part is about.
    pub at: u32,
    /// Levels below and including this one, at most [`super::parser::MAX_DEPTH`].
    pub depth: u16,
    pub syntax: Syntax,
}

/// The forms of the grammar.
#[derive(Clone, Debug)]
pub(super) enum Syntax {
    Literal(Literal),
    Name(Box<str>),
    Select {
        operand: Box<Ast>,
        field: Box<str>,
        optional: bool,
    },
    Index {
        operand: Box<Ast>,
        index: Box<Ast>,
        optional: bool,
    },
    Call {
        target: Option<Box<Ast>>,
        name: Box<str>,
        arguments: Vec<Ast>,
    },
    Unary(Unary, Box<Ast>),
    Binary(Binary, Box<Ast>, Box<Ast>),
    /// `&&` over two or more operands.
    And(Vec<Ast>),
    /// `||` over two or more operands.
    Or(Vec<Ast>),
    Conditional(Box<[Ast; 3]>),
    List(Vec<Item>),
    Map(Vec<Entry>),
    Struct {
        name: Box<str>,
        fields: Vec<Field>,
    },
}

/// An item of a list; `?item` is optional.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub optional: bool,
    pub value: Ast,
}

/// An entry of a map; `?key: value` is optional.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub optional: bool,
    pub key: Ast,
    pub value: Ast,
}

/// A field of a struct; `?name: value` is optional.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub optional: bool,
    pub name: Box<str>,
    pub value: Ast,
}

/// A constant as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
}

/// Operators before one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Negate,
}

impl Unary {
    /// The name of the operator in cel-go's messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Unary::Not => "!_",
            Unary::Negate => "-_",
        }
    }
}

/// Operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    /// The name of the operator in cel-go's messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Binary::Equal => "_==_",
            Binary::NotEqual => "_!=_",
            Binary::Less => "_<_",
            Binary::LessOrEqual => "_<=_",
            Binary::Greater => "_>_",
            Binary::GreaterOrEqual => "_>=_",
            Binary::In => "@in",
            Binary::Add => "_+_",
            Binary::Subtract => "_-_",
            Binary::Multiply => "_*_",
            Binary::Divide => "_/_",
            Binary::Remainder => "_%_",
        }
    }

    /// How tightly it binds.
    pub(super) const fn strength(self) -> u8 {
        match self {
            Binary::Equal
            | Binary::NotEqual
            | Binary::Less
            | Binary::LessOrEqual
            | Binary::Greater
            | Binary::GreaterOrEqual
            | Binary::In => 1,
            Binary::Add | Binary::Subtract => 2,
            Binary::Multiply | Binary::Divide | Binary::Remainder => 3,
        }
    }
}

impl Ast {
    /// The dotted name that this part spells, as in `google.protobuf.Timestamp`.
    pub(super) fn dotted(&self) -> Option<String> {
        match &self.syntax {
            Syntax::Name(name) => Some(name.to_string()),
            Syntax::Select { operand, field, optional: false } => Some(format!("{}.{field}", operand.dotted()?)),
            _ => None,
        }
    }
}
