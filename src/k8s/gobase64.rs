//! Base 64 as Go's `base64` reads it: line breaks are skipped, spare bits are ignored, padding is required or refused.
//!
//! In: a text. Out: its bytes, or Go's text of what is wrong.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Where a text is no base 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {at}")]
pub(crate) struct Base64Error {
    /// Offset in bytes, as Go counts it.
    pub at: usize,
}

/// Encodes with padding.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Whether the last letters are padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    Required,
    Refused,
}

/// Decodes a text with padding, as `StdEncoding` does.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    read(text, Padding::Required)
}

/// Decodes a text without padding, as `RawStdEncoding` does.
pub(crate) fn decode_unpadded(text: &str) -> Result<Vec<u8>, Base64Error> {
    read(text, Padding::Refused)
}

fn read(text: &str, padding: Padding) -> Result<Vec<u8>, Base64Error> {
    let text = text.as_bytes();
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    // Up to four letters, each of six bits.
    let (mut bits, mut letters) = (0u32, 0);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match value(byte) {
            Some(value) => {
                bits = bits << 6 | value;
                letters += 1;
                if letters == 4 {
                    out.extend(&bits.to_be_bytes()[1..]);
                    (bits, letters) = (0, 0);
                }
            }
            None if is_break(byte) => {}
            None if byte == b'=' && letters >= 2 && padding == Padding::Required => {
                end(text, at, letters)?;
                out.extend(whole_bytes(bits, letters).into_iter().take(letters - 1));
                return Ok(out);
            }
            None => return Err(Base64Error { at: at - 1 }),
        }
    }
    if letters == 0 {
        return Ok(out);
    }
    // Go: letters that are left are blamed on the end of the text less their number.
    if letters == 1 || padding == Padding::Required {
        return Err(Base64Error { at: at - letters });
    }
    out.extend(whole_bytes(bits, letters).into_iter().take(letters - 1));
    Ok(out)
}

/// The three bytes of which `letters` letters are known.
fn whole_bytes(bits: u32, letters: usize) -> [u8; 3] {
    let [_, bytes @ ..] = (bits << (6 * (4 - letters))).to_be_bytes();
    bytes
}

/// Checks what follows the first sign of padding.
fn end(text: &[u8], mut at: usize, letters: usize) -> Result<(), Base64Error> {
    let skip = |at: usize| at + text[at..].iter().take_while(|byte| is_break(**byte)).count();
    if letters == 2 {
        at = skip(at);
        match text.get(at) {
            Some(b'=') => at += 1,
            Some(_) => return Err(Base64Error { at: at - 1 }),
            None => return Err(Base64Error { at }),
        }
    }
    at = skip(at);
    if at < text.len() { Err(Base64Error { at }) } else { Ok(()) }
}

const fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

const fn value(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    } as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_reads_is_read() {
        for (text, bytes) in [
            ("", ""),
            ("aGVsbG8=", "hello"),
            ("aGVs\nbG8=\r\n", "hello"),
            ("YQ=\n=", "a"),
            ("YR==", "a"),
            ("YWI=", "ab"),
        ] {
            assert_eq!(decode(text), Ok(bytes.as_bytes().to_vec()), "{text:?}");
        }
        assert_eq!(encode("hello"), "aGVsbG8=");
        assert_eq!(decode_unpadded("aGVsbG8"), Ok(b"hello".to_vec()));
        assert_eq!(decode_unpadded("aGVsbG8="), Err(Base64Error { at: 7 }));
        assert_eq!(decode_unpadded("aGVsb"), Err(Base64Error { at: 4 }));
    }

    #[test]
    fn what_is_wrong_has_the_offset_that_go_gives() {
        for (text, at) in [
            ("*", 0),
            ("\naGVs*", 5),
            ("aGVsbG8", 4),
            ("a", 0),
            ("a\n", 1),
            ("a=", 1),
            ("YQ=", 3),
            ("YQ=x", 2),
            ("YQ==x", 4),
            ("YWI=\n=", 5),
            ("\u{e9}", 0),
        ] {
            assert_eq!(decode(text), Err(Base64Error { at }), "{text:?}");
        }
    }
}
