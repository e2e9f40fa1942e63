//! From the text of an expression to its tokens.
//!
//! In: the text. Out: tokens with their byte offsets, the last one always [`Token::End`]. Grammar of JMESPath as of
//! 2015. Never a panic; texts of errors are those of the Go library.

use super::ParseError;

/// One token; texts are already unescaped.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Star,
    Dot,
    Filter,
    Flatten,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    Or,
    Pipe,
    Number(String),
    Identifier(String),
    QuotedIdentifier(String),
    Comma,
    Colon,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Literal(serde_json::Value),
    Current,
    Reference,
    And,
    Not,
    Unknown,
    End,
}

impl Token {
    /// The name of the token's kind in messages.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Token::Star => "tStar",
            Token::Dot => "tDot",
            Token::Filter => "tFilter",
            Token::Flatten => "tFlatten",
            Token::LeftParen => "tLparen",
            Token::RightParen => "tRparen",
            Token::LeftBracket => "tLbracket",
            Token::RightBracket => "tRbracket",
            Token::LeftBrace => "tLbrace",
            Token::RightBrace => "tRbrace",
            Token::Or => "tOr",
            Token::Pipe => "tPipe",
            Token::Number(_) => "tNumber",
            Token::Identifier(_) => "tUnquotedIdentifier",
            Token::QuotedIdentifier(_) => "tQuotedIdentifier",
            Token::Comma => "tComma",
            Token::Colon => "tColon",
            Token::Less => "tLT",
            Token::LessOrEqual => "tLTE",
            Token::Greater => "tGT",
            Token::GreaterOrEqual => "tGTE",
            Token::Equal => "tEQ",
            Token::NotEqual => "tNE",
            Token::Literal(_) => "tJSONLiteral",
            Token::Current => "tCurrent",
            Token::Reference => "tExpref",
            Token::And => "tAnd",
            Token::Not => "tNot",
            Token::Unknown => "tUnknown",
            Token::End => "tEOF",
        }
    }

    /// How strongly the token binds to what stands on its left.
    pub(super) const fn binding(&self) -> u8 {
        match self {
            Token::Pipe => 1,
            Token::Or => 2,
            Token::And => 3,
            Token::Less
            | Token::LessOrEqual
            | Token::Greater
            | Token::GreaterOrEqual
            | Token::Equal
            | Token::NotEqual => 5,
            Token::Flatten => 9,
            Token::Star => 20,
            Token::Filter => 21,
            Token::Dot => 40,
            Token::Not => 45,
            Token::LeftBrace => 50,
            Token::LeftBracket => 55,
            Token::LeftParen => 60,
            Token::RightParen
            | Token::RightBracket
            | Token::RightBrace
            | Token::Number(_)
            | Token::Identifier(_)
            | Token::QuotedIdentifier(_)
            | Token::Comma
            | Token::Colon
            | Token::Literal(_)
            | Token::Current
            | Token::Reference
            | Token::Unknown
            | Token::End => 0,
        }
    }
}

/// Splits `text` into tokens, each with the byte offset at which it starts.
pub(super) fn tokenize(text: &str) -> Result<Vec<(Token, usize)>, ParseError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
    loop {
        let (token, start) = lexer.next()?;
        let end = token == Token::End;
        tokens.push((token, start));
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Result<(Token, usize), ParseError> {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
        let start = self.at;
        let Some(first) = self.peek() else {
            return Ok((Token::End, start));
        };
        self.at += first.len_utf8();
        let token = match first {
            '*' => Token::Star,
            '.' => Token::Dot,
            '(' => Token::LeftParen,
            ')' => Token::RightParen,
            ']' => Token::RightBracket,
            '{' => Token::LeftBrace,
            '}' => Token::RightBrace,
            ',' => Token::Comma,
            ':' => Token::Colon,
            '@' => Token::Current,
            '[' => match self.peek() {
                Some('?') => self.take(Token::Filter),
                Some(']') => self.take(Token::Flatten),
                _ => Token::LeftBracket,
            },
            '|' => self.either('|', Token::Or, Token::Pipe),
            '&' => self.either('&', Token::And, Token::Reference),
            '<' => self.either('=', Token::LessOrEqual, Token::Less),
            '>' => self.either('=', Token::GreaterOrEqual, Token::Greater),
            '!' => self.either('=', Token::NotEqual, Token::Not),
            '=' => self.either('=', Token::Equal, Token::Unknown),
            '"' => self.quoted_identifier(start)?,
            '\'' => self.raw_string(start)?,
            '`' => self.literal(start)?,
            '-' | '0'..='9' => {
                while matches!(self.peek(), Some('0'..='9')) {
                    self.at += 1;
                }
                Token::Number(self.text[start..self.at].to_owned())
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                while matches!(self.peek(), Some('a'..='z' | 'A'..='Z' | '_' | '0'..='9')) {
                    self.at += 1;
                }
                Token::Identifier(self.text[start..self.at].to_owned())
            }
            other => return Err(ParseError::new(format!("Unknown char: {}", quote_rune(other)), start)),
        };
        Ok((token, start))
    }

    fn take(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn either(&mut self, second: char, both: Token, one: Token) -> Token {
        if self.peek() == Some(second) { self.take(both) } else { one }
    }

    /// What stands between here and the next unescaped `delimiter`, which is consumed.
    fn until(&mut self, delimiter: char, start: usize) -> Result<&str, ParseError> {
        let from = self.at;
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == delimiter {
                return Ok(&self.text[from..self.at - 1]);
            }
            if c == '\\'
                && let Some(escaped) = self.peek()
            {
                self.at += escaped.len_utf8();
            }
        }
        Err(ParseError::new(format!("Unclosed delimiter: {delimiter}"), start))
    }

    fn quoted_identifier(&mut self, start: usize) -> Result<Token, ParseError> {
        let body = self.until('"', start)?;
        match serde_json::from_str::<String>(&format!("\"{body}\"")) {
            Ok(name) => Ok(Token::QuotedIdentifier(name)),
            Err(error) => Err(ParseError::plain(format!("invalid quoted identifier: {error}"), start)),
        }
    }

    fn literal(&mut self, start: usize) -> Result<Token, ParseError> {
        let body = self.until('`', start)?.replace("\\`", "`");
        match serde_json::from_str(&body) {
            Ok(json) => Ok(Token::Literal(json)),
            Err(error) => Err(ParseError::plain(format!("invalid JSON literal: {error}"), start)),
        }
    }

    /// `'…'`: the only escape is `\'`; another backslash is text, even before a backslash.
    fn raw_string(&mut self, start: usize) -> Result<Token, ParseError> {
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '\'' => return Ok(Token::Literal(text.into())),
                '\\' if self.peek() == Some('\'') => {
                    self.at += 1;
                    text.push('\'');
                }
                _ => text.push(c),
            }
        }
        Err(ParseError::new("Unclosed delimiter: '".to_owned(), start))
    }
}

/// A character in single quotes, escaped as Go does for ASCII terminals.
fn quote_rune(c: char) -> String {
    match c {
        '\u{7}' => "'\\a'".to_owned(),
        '\u{8}' => "'\\b'".to_owned(),
        '\u{b}' => "'\\v'".to_owned(),
        '\u{c}' => "'\\f'".to_owned(),
        '\\' => "'\\\\'".to_owned(),
        ' '..='~' => format!("'{c}'"),
        '\0'..='\u{7f}' => format!("'\\x{:02x}'", c as u32),
        '\u{80}'..='\u{ffff}' => format!("'\\u{:04x}'", c as u32),
        _ => format!("'\\U{:08x}'", c as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        tokenize(text).expect("tokens").into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn raw_strings_know_one_escape() {
        for (text, expected) in
            [(r"'a\'b'", "a'b"), (r"'a\\b'", r"a\\b"), (r"'a\nb'", r"a\nb"), ("''", ""), ("'é'", "é")]
        {
            assert_eq!(tokens(text), [Token::Literal(expected.into()), Token::End], "{text}");
        }
        assert!(tokenize(r"'\'").is_err());
    }

    #[test]
    fn literals_hold_valid_json() {
        assert_eq!(tokens(r#"` "a\`b" `"#), [Token::Literal("a`b".into()), Token::End]);
        for text in ["`d`", "`'d'`", "`[1,]`", "``"] {
            assert!(tokenize(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_are_bytes() {
        let found = tokenize("'é' | b").expect("tokens");
        assert_eq!(found.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [0, 5, 7, 8]);
    }

    #[test]
    fn errors_say_what_go_says() {
        for (text, expected) in [
            ("a#", "SyntaxError: Unknown char: '#'"),
            ("é", "SyntaxError: Unknown char: '\\u00e9'"),
            ("'a", "SyntaxError: Unclosed delimiter: '"),
            ("\"a", "SyntaxError: Unclosed delimiter: \""),
            ("`1", "SyntaxError: Unclosed delimiter: `"),
        ] {
            assert_eq!(tokenize(text).expect_err(text).to_string(), expected);
        }
    }
}
