//! JSON as Go's `encoding/json` reads it into any value, and what Go says of a text that is none.
//!
//! In: a text. Out: the value, with numbers as doubles would hold them, or Go's words.

use serde_json::Value as Json;

/// Why a text is no JSON, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    /// The text ends too early.
    #[error("unexpected end of JSON input")]
    End,
    /// A character stands where it can't.
    #[error("invalid character {} {context}", quote(*.byte))]
    Character {
        /// The first byte of it; a blank for the end of the text.
        byte: u8,
        /// Where, or what is expected.
        context: String,
    },
    /// A number that no double holds.
    #[error("json: cannot unmarshal number {0} into Go value of type float64")]
    Number(String),
    /// Lists and maps in each other.
    #[error("exceeded max depth")]
    Depth,
}

/// Reads a JSON text; of equal keys the last wins.
pub(crate) fn parse(text: &str) -> Result<Json, JsonError> {
    if let Ok(json) = serde_json::from_str(text) {
        return Ok(json);
    }
    scan(text)?;
    // What Go takes and the library doesn't: a half of a surrogate pair, which stands for no character.
    serde_json::from_str(&whole_surrogates(text)).map_err(|_| JsonError::Depth)
}

/// The most lists and maps in each other that Go reads.
const MAX_DEPTH: usize = 10_000;

/// What may come next, blanks aside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    /// A value, or the end of a list.
    FirstItem,
    Key,
    /// A key, or the end of a map.
    FirstKey,
    Colon,
    /// What may follow a value.
    After,
}

/// Finds what Go refuses.
fn scan(text: &str) -> Result<(), JsonError> {
    let mut scanner = Scanner { text: text.as_bytes(), at: 0, huge: None };
    let mut open: Vec<u8> = Vec::new();
    let mut next = Next::Value;
    while let Some(byte) = scanner.skip_blanks() {
        next = match (next, byte) {
            (Next::FirstItem, b']') | (Next::FirstKey, b'}') => {
                open.pop();
                scanner.at += 1;
                Next::After
            }
            (Next::Value | Next::FirstItem, b'[' | b'{') => {
                open.push(byte);
                scanner.at += 1;
                if open.len() > MAX_DEPTH {
                    return Err(JsonError::Depth);
                }
                if byte == b'[' { Next::FirstItem } else { Next::FirstKey }
            }
            (Next::Value | Next::FirstItem, _) => {
                scanner.scalar(byte)?;
                Next::After
            }
            (Next::Key | Next::FirstKey, b'"') => {
                scanner.string()?;
                Next::Colon
            }
            (Next::Key | Next::FirstKey, _) => {
                return refuse(byte, "looking for beginning of object key string");
            }
            (Next::Colon, b':') => {
                scanner.at += 1;
                Next::Value
            }
            (Next::Colon, _) => return refuse(byte, "after object key"),
            (Next::After, _) => match (open.last(), byte) {
                (None, _) => return refuse(byte, "after top-level value"),
                (Some(b'['), b']') | (Some(b'{'), b'}') => {
                    open.pop();
                    scanner.at += 1;
                    Next::After
                }
                (Some(b'['), b',') => {
                    scanner.at += 1;
                    Next::Value
                }
                (Some(_), b',') => {
                    scanner.at += 1;
                    Next::Key
                }
                (Some(b'['), _) => return refuse(byte, "after array element"),
                (Some(_), _) => return refuse(byte, "after object key:value pair"),
            },
        };
    }
    if next != Next::After || !open.is_empty() {
        return Err(JsonError::End);
    }
    scanner.huge.map_or(Ok(()), |number| Err(JsonError::Number(number)))
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    /// The first number that no double holds.
    huge: Option<String>,
}

impl Scanner<'_> {
    fn skip_blanks(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// The byte here; Go takes the end of the text for a blank.
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(b' ')
    }

    fn scalar(&mut self, byte: u8) -> Result<(), JsonError> {
        match byte {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => refuse(byte, "looking for beginning of value"),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonError> {
        for expected in word.bytes() {
            if self.peek() != expected {
                let context = format!("in literal {word} (expecting '{}')", char::from(expected));
                return Err(JsonError::Character { byte: self.peek(), context });
            }
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            let Some(&byte) = self.text.get(self.at) else { return Err(JsonError::End) };
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                0..=0x1f => return refuse(byte, "in string literal"),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let byte = self.peek();
        self.at += 1;
        match byte {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    let digit = self.peek();
                    if !digit.is_ascii_hexdigit() {
                        return refuse(digit, "in \\u hexadecimal character escape");
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => refuse(byte, "in string escape code"),
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        // A number is ASCII.
        let written = String::from_utf8_lossy(&self.text[start..self.at]);
        if self.huge.is_none() && !written.parse().is_ok_and(f64::is_finite) {
            self.huge = Some(written.into_owned());
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self, context: &str) -> Result<(), JsonError> {
        if !self.peek().is_ascii_digit() {
            return refuse(self.peek(), context);
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }
}

fn refuse<T>(byte: u8, context: &str) -> Result<T, JsonError> {
    Err(JsonError::Character { byte, context: context.to_owned() })
}

/// A byte between quotes; Go takes it for a character of Latin-1.
fn quote(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        7 => r"'\a'".to_owned(),
        8 => r"'\b'".to_owned(),
        11 => r"'\v'".to_owned(),
        12 => r"'\f'".to_owned(),
        0..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

/// The text of a JSON document with `\ufffd` for each half of a surrogate pair.
fn whole_surrogates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (unit, after) = (escaped_unit(rest), rest.get(6..).unwrap_or_default());
        let length = match unit {
            Some(0xd800..0xdc00) if matches!(escaped_unit(after), Some(0xdc00..0xe000)) => 12,
            Some(0xd800..0xe000) => {
                out.push_str("\\ufffd");
                rest = after;
                continue;
            }
            _ => 2,
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out + rest
}

/// The number of `\uXXXX` at the beginning.
fn escaped_unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_as_go_says_it() {
        for (text, said) in [
            ("", "unexpected end of JSON input"),
            ("{\"a\": [1", "unexpected end of JSON input"),
            ("\"a", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("'a'", r"invalid character '\'' looking for beginning of value"),
            ("\u{e9}", "invalid character '\u{c3}' looking for beginning of value"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\": 1 \"b\"}", "invalid character '\"' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("1 2", "invalid character '2' after top-level value"),
            ("\"a\nb\"", r"invalid character '\n' in string literal"),
            (r#""\x""#, "invalid character 'x' in string escape code"),
            (r#""\u12g4""#, r"invalid character 'g' in \u hexadecimal character escape"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("1.a", "invalid character 'a' after decimal point in numeric literal"),
            ("1e", "invalid character ' ' in exponent of numeric literal"),
            ("tru", "invalid character ' ' in literal true (expecting 'e')"),
            ("[nil]", "invalid character 'i' in literal null (expecting 'u')"),
            ("[1e999]", "json: cannot unmarshal number 1e999 into Go value of type float64"),
        ] {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(said.to_owned()), "{text}");
        }
        assert_eq!(parse(&"[".repeat(10_001)), Err(JsonError::Depth));
    }

    #[test]
    fn half_a_pair_is_no_character() {
        let text = r#"["\ud800", "\ud83d\ude00", "\\ud800", "\udc00\ud800"]"#;
        let expected = serde_json::json!(["\u{fffd}", "\u{1f600}", "\\ud800", "\u{fffd}\u{fffd}"]);
        assert_eq!(parse(text), Ok(expected));
    }
}
