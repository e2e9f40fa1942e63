//! Looks at the bytes of a document before it is parsed.
//!
//! In: its text. Out: whether it has characters that ask for care, or the error for one that YAML forbids. Characters
//! that are line breaks to Kubernetes' reader and content to others are refused wherever they stand: a comment that ends
//! at one would go on as YAML in the cluster.

use super::error::DocumentError;
use crate::span::Span;

/// What a document holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screened {
    /// At least one tab.
    pub has_tab: bool,
    /// At least one `&`: maybe an anchor.
    pub has_ampersand: bool,
    /// No tab, no carriage return, no byte order mark.
    pub is_usual: bool,
}

/// Bytes looked at in one go; a multiple of the width of vector registers.
const BLOCK: usize = 64;

/// Looks through `text`, which begins at `base` in its file.
#[expect(clippy::needless_bitwise_bool, reason = "a loop without branches is run on whole registers")]
pub(super) fn screen(text: &str, base: u32) -> Result<Screened, DocumentError> {
    let bytes = text.as_bytes();
    let mut screened = Screened { has_tab: false, has_ampersand: false, is_usual: true };
    for (index, block) in bytes.chunks(BLOCK).enumerate() {
        let odd = block.iter().fold(false, |odd, &byte| odd | ((byte < b' ') & (byte != b'\n')) | (byte >= 0x7F));
        let ampersand = block.iter().fold(false, |found, &byte| found | (byte == b'&'));
        screened.has_ampersand |= ampersand;
        if odd {
            inspect(bytes, index * BLOCK, base, &mut screened)?;
        }
    }
    Ok(screened)
}

/// Looks through the block at `from` byte by byte.
fn inspect(bytes: &[u8], from: usize, base: u32, screened: &mut Screened) -> Result<(), DocumentError> {
    for at in from..bytes.len().min(from + BLOCK) {
        let follows = |distance: usize| bytes.get(at + distance).copied().unwrap_or_default();
        let (code, length) = match bytes[at] {
            b'\t' => {
                screened.has_tab = true;
                screened.is_usual = false;
                continue;
            }
            b'\r' => {
                screened.is_usual = false;
                continue;
            }
            b'\n' => continue,
            0xEF if follows(1) == 0xBB && follows(2) == 0xBF && at == 0 => {
                screened.is_usual = false;
                continue;
            }
            0xEF if follows(1) == 0xBB && follows(2) == 0xBF => (0xFEFF, 3),
            byte @ (0..=0x1F | 0x7F) => (u32::from(byte), 1),
            0xC2 if (0x80..0xA0).contains(&follows(1)) => (u32::from(follows(1)), 2),
            0xE2 if follows(1) == 0x80 && matches!(follows(2), 0xA8 | 0xA9) => {
                (0x2000 + u32::from(follows(2) & 0x3F), 3)
            }
            0xEF if follows(1) == 0xBF && matches!(follows(2), 0xBE | 0xBF) => {
                (0xFFC0 + u32::from(follows(2) & 0x3F), 3)
            }
            _ => continue,
        };
        let start = base + at as u32;
        let at = Span::new(start, start + length);
        return Err(match code {
            0x85 | 0x2028 | 0x2029 => DocumentError::Incompatible {
                what: "U+0085, U+2028 and U+2029 are line breaks to Kubernetes and content to others",
                help: "write it as an escape in double quotes, or remove it",
                at,
            },
            // It makes Kubernetes' reader lose characters that stand far behind it.
            0xFEFF => DocumentError::Incompatible {
                what: "Kubernetes misreads a document with a byte order mark that isn't at its start",
                help: "write it as an escape in double quotes, or remove it",
                at,
            },
            _ => DocumentError::ControlCharacter { code, at },
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_yaml_forbids_are_found_wherever_they_stand() {
        for (text, code) in [
            ("a: \u{0}", 0),
            ("a: \u{7f}", 0x7f),
            ("a: \u{80}", 0x80),
            ("a: \u{9f}", 0x9f),
            ("a: \u{fffe}", 0xfffe),
            ("a: \u{ffff}", 0xffff),
            ("a: \u{1b}[31m", 0x1b),
        ] {
            for padding in 0..130 {
                let text = format!("{}{text}", "x".repeat(padding));
                let Err(DocumentError::ControlCharacter { code: found, at }) = screen(&text, 7) else {
                    panic!("{text:?} is refused");
                };
                assert_eq!((found, at.start as usize), (code, 7 + padding + 3));
            }
        }
    }

    #[test]
    fn line_breaks_of_old_are_refused_and_other_characters_are_not() {
        for text in ["# c\u{85}a: 1", "# c\u{2028}a: 1", "a: '\u{2029}'"] {
            assert_eq!(screen(text, 0).map_err(|error| error.id()), Err("yaml/incompatible"));
        }
        assert_eq!(
            screen("a: é \u{a0} \u{2027} \u{202a} \u{fffd} 😀 &\t\r\n", 0),
            Ok(Screened { has_tab: true, has_ampersand: true, is_usual: false })
        );
        for (text, is_usual) in [("a: é\n", true), ("a\r", false), ("\t", false), ("\u{feff}a", false)] {
            assert_eq!(screen(text, 0).map(|screened| screened.is_usual), Ok(is_usual), "{text:?}");
        }
    }
}
