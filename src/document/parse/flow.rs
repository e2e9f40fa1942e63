//! Which bracket a broken document leaves open.
//!
//! In: the text of a document, and where its parser stumbled. Out: the bracket to blame, when it is one that opens on an
//! earlier line and is closed nowhere. Only asked about documents that are broken, so that a guess never makes one so.

/// The innermost bracket open at `stumble` that no later text closes, if it stands on an earlier line.
pub(super) fn unclosed(text: &str, stumble: usize) -> Option<usize> {
    let open_there = open(text, stumble);
    let &blamed = open_there.last()?;
    let is_never_closed = open(text, text.len()).contains(&blamed);
    let is_above = text.get(blamed..stumble)?.contains('\n');
    (is_never_closed && is_above).then_some(blamed)
}

/// The brackets that are open before `end`, outermost first.
fn open(text: &str, end: usize) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut out: Vec<usize> = Vec::new();
    let mut quote = None;
    let mut is_comment = false;
    // Whether a value may begin here: a bracket, a quote or a `#` within a word is part of the word.
    let mut is_fresh = true;
    let mut at = 0;
    while at < end.min(bytes.len()) {
        let byte = bytes[at];
        match (quote, byte) {
            (Some(b'"'), b'\\') => at += 1,
            (Some(mark), _) => {
                if byte == mark {
                    quote = None;
                }
            }
            (None, b'\n') => (is_comment, is_fresh) = (false, true),
            (None, _) if is_comment => {}
            (None, b'#') if at == 0 || bytes[at - 1].is_ascii_whitespace() => is_comment = true,
            (None, b'"' | b'\'') if is_fresh => quote = Some(byte),
            (None, b'[' | b'{') if is_fresh || !out.is_empty() => {
                out.push(at);
                is_fresh = true;
            }
            (None, b']' | b'}') => {
                out.pop();
            }
            (None, b' ' | b'\t') => is_fresh |= at > 0 && matches!(bytes[at - 1], b':' | b'-' | b'?'),
            (None, b',') if !out.is_empty() => is_fresh = true,
            (None, _) => is_fresh = false,
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_is_blamed_that_opens_above_and_never_closes() {
        let text = "a: [x, y\nb: 1\n";
        assert_eq!(unclosed(text, text.find("b:").unwrap()), Some(3));
        let text = "a: {x: 1\nb:\n  c: [1]\n";
        assert_eq!(unclosed(text, text.find("b:").unwrap() + 1), Some(3));
    }

    #[test]
    fn what_is_closed_quoted_or_commented_is_not_blamed() {
        for text in ["a: [x,\n  b: c: d]\n", "a: '['\nb: c: d\n", "a: 1 # [\nb: c: d\n", "a: x [\nb: c: d\n"] {
            assert_eq!(unclosed(text, text.rfind(": d").unwrap()), None, "{text}");
        }
    }
}
