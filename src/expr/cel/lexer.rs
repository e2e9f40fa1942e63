//! Takes the text of an expression apart.
//!
//! The grammar is that of the [language definition](https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax).

use super::{CompileError, ast::Literal};

/// One token and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub at: u32,
    pub kind: Kind,
}

/// The kinds of tokens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Literal(Literal),
    Name(Box<str>),
    /// A name in back quotes, only good for fields.
    Quoted(Box<str>),
    /// An operator or bracket.
    Mark(&'static str),
    In,
    End,
}

/// Longest first, so that the first that fits is the token.
const MARKS: [&str; 29] = [
    "&&", "||", "==", "!=", "<=", ">=", "[?", "{", "}", "(", ")", "[", "]", ".?", ".", ",", ":", "?", "+", "-", "*",
    "/", "%", "!", "<", ">", "=", "&", "|",
];

/// All tokens, the last of them [`Kind::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, CompileError> {
    let mut lexer = Lexer { source, at: 0 };
    let mut out = Vec::with_capacity(source.len() / 3 + 2);
    loop {
        lexer.skip_blanks();
        let at = lexer.at as u32;
        let kind = lexer.token()?;
        let end = kind == Kind::End;
        out.push(Token { at, kind });
        if end {
            return Ok(out);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.source.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn error<T>(&self, text: impl Into<String>) -> Result<T, CompileError> {
        Err(CompileError::new(self.at as u32, format!("Syntax error: {}", text.into())))
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn token(&mut self) -> Result<Kind, CompileError> {
        match self.byte(0) {
            0 if self.rest().is_empty() => Ok(Kind::End),
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1).is_ascii_digit() => self.number(),
            b'"' | b'\'' => self.string(false, false),
            b'`' => self.quoted(),
            first if first.is_ascii_alphabetic() || first == b'_' => self.word(),
            _ => self.mark(),
        }
    }

    fn mark(&mut self) -> Result<Kind, CompileError> {
        let rest = self.rest();
        // `.5` was a number before; `.?5` is none, and `a ?.5 : 1` begins with `?`.
        let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) else {
            let c = rest.chars().next().unwrap_or(' ');
            return self.error(format!("token recognition error at: '{c}'"));
        };
        if matches!(mark, "=" | "&" | "|") {
            return self.error(format!("token recognition error at: '{mark}'"));
        }
        self.at += mark.len();
        Ok(Kind::Mark(mark))
    }

    fn word(&mut self) -> Result<Kind, CompileError> {
        let rest = self.rest();
        let len = rest.bytes().take_while(|it| it.is_ascii_alphanumeric() || *it == b'_').count();
        let word = &rest[..len];
        if matches!(rest.as_bytes().get(len), Some(b'"' | b'\'')) {
            let (raw, bytes) = match word {
                "r" | "R" => (true, false),
                "b" | "B" => (false, true),
                "rb" | "rB" | "Rb" | "RB" | "br" | "bR" | "Br" | "BR" => (true, true),
                _ => return self.error(format!("mismatched input '{word}'")),
            };
            self.at += len;
            return self.string(raw, bytes);
        }
        self.at += len;
        Ok(match word {
            "true" => Kind::Literal(Literal::Bool(true)),
            "false" => Kind::Literal(Literal::Bool(false)),
            "null" => Kind::Literal(Literal::Null),
            "in" => Kind::In,
            _ => Kind::Name(word.into()),
        })
    }

    fn quoted(&mut self) -> Result<Kind, CompileError> {
        let inner = &self.rest()[1..];
        let len = inner.bytes().take_while(|it| it.is_ascii_alphanumeric() || b"_.-/ ".contains(it)).count();
        if len == 0 || inner.as_bytes().get(len) != Some(&b'`') {
            return self.error("token recognition error at: '`'");
        }
        self.at += len + 2;
        Ok(Kind::Quoted(inner[..len].into()))
    }

    fn number(&mut self) -> Result<Kind, CompileError> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|it| it.is_ascii_digit()).count();
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let len = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
            if len > 0 {
                return self.whole(&hex[..len], 16, len + 2);
            }
        }
        let mut len = digits(0);
        let mut double = false;
        if bytes.get(len) == Some(&b'.') && digits(len + 1) > 0 {
            double = true;
            len += 1 + digits(len + 1);
        }
        if matches!(bytes.get(len), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
            let exponent = digits((len + 1 + sign).min(bytes.len()));
            if exponent > 0 {
                double = true;
                len += 1 + sign + exponent;
            }
        }
        if !double {
            return self.whole(&rest[..len], 10, len);
        }
        match rest[..len].parse::<f64>() {
            Ok(value) if value.is_finite() => {
                self.at += len;
                Ok(Kind::Literal(Literal::Double(value)))
            }
            _ => self.error("invalid double literal"),
        }
    }

    /// An integer of so many bytes, its suffix not counted. What is 2⁶³ is kept for the minus sign before it.
    fn whole(&mut self, digits: &str, radix: u32, len: usize) -> Result<Kind, CompileError> {
        let value = u64::from_str_radix(digits, radix);
        if matches!(self.byte(len), b'u' | b'U') {
            let Ok(value) = value else { return self.error("invalid uint literal") };
            self.at += len + 1;
            return Ok(Kind::Literal(Literal::Uint(value)));
        }
        let negative = self.source[..self.at].trim_end().ends_with('-');
        match value {
            Ok(value) if i64::try_from(value).is_ok() => {
                self.at += len;
                Ok(Kind::Literal(Literal::Int(value as i64)))
            }
            Ok(value) if negative && value == 1 << 63 => {
                self.at += len;
                Ok(Kind::Literal(Literal::Int(i64::MIN)))
            }
            _ => self.error("invalid int literal"),
        }
    }

    fn string(&mut self, raw: bool, bytes: bool) -> Result<Kind, CompileError> {
        let rest = self.rest();
        let quote = &rest[..1];
        let triple = quote.repeat(3);
        let (delimiter, long) = if rest.starts_with(&triple) { (triple.as_str(), true) } else { (quote, false) };
        let body = &rest[delimiter.len()..];
        let mut out: Vec<u8> = Vec::new();
        let mut at = 0;
        loop {
            let tail = &body[at..];
            if tail.starts_with(delimiter) {
                self.at += delimiter.len() * 2 + at;
                break;
            }
            let Some(c) = tail.chars().next() else { return self.error("unterminated string") };
            if !long && matches!(c, '\n' | '\r') {
                return self.error("unterminated string");
            }
            if c == '\\' && !raw {
                match escape(tail, bytes, &mut out) {
                    Some(len) => at += len,
                    None => return self.error("invalid escape sequence"),
                }
                continue;
            }
            // A backslash of a raw string keeps the quote after it from ending the string.
            let len = if c == '\\' && tail[1..].starts_with(quote) { 2 } else { c.len_utf8() };
            let piece = &tail.as_bytes()[..len];
            if c == '\r' && long {
                // Line breaks within a string are written as one `\n`.
                if !tail[1..].starts_with('\n') {
                    out.push(b'\n');
                }
            } else {
                out.extend_from_slice(piece);
            }
            at += len;
        }
        if bytes {
            return Ok(Kind::Literal(Literal::Bytes(out.into())));
        }
        match String::from_utf8(out) {
            Ok(text) => Ok(Kind::Literal(Literal::String(text.into()))),
            Err(_) => self.error("invalid UTF-8 in string"),
        }
    }
}

/// Reads one escape sequence and gives its length; `None` when it is none.
fn escape(text: &str, bytes: bool, out: &mut Vec<u8>) -> Option<usize> {
    let code = |from: usize, len: usize, radix: u32| u32::from_str_radix(text.get(from..from + len)?, radix).ok();
    let mut push = |value: u32| -> Option<()> {
        if bytes {
            out.push(u8::try_from(value).ok()?);
        } else {
            out.extend_from_slice(char::from_u32(value)?.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Some(())
    };
    let simple = match text.as_bytes().get(1)? {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => 10,
        b'r' => 13,
        b't' => 9,
        b'v' => 11,
        byte @ (b'\\' | b'\'' | b'"' | b'`' | b'?') => u32::from(*byte),
        b'x' | b'X' => return push(code(2, 2, 16)?).map(|()| 4),
        b'u' if !bytes => return push(code(2, 4, 16)?).map(|()| 6),
        b'U' if !bytes => return push(code(2, 8, 16)?).map(|()| 10),
        b'0'..=b'3' => return push(code(1, 3, 8)?).map(|()| 4),
        _ => return None,
    };
    push(simple).map(|()| 2)
}
