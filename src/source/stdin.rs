//! Standard input, or whatever stands in for it.
//!
//! In: a stream. Out: one entry whose bytes are in memory.

use std::io::Read;
use std::sync::Arc;

use super::error::SourceError;
use super::{At, Entry};

/// The path under which findings name standard input.
pub(crate) const PATH: &str = "<stdin>";

/// Reads the stream to its end, at most `max_bytes` of it.
pub(crate) fn read(input: impl Read, max_bytes: u64) -> Result<Entry, SourceError> {
    let mut bytes = Vec::new();
    input.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(SourceError::Stdin)?;
    if bytes.len() as u64 > max_bytes {
        return Err(SourceError::StdinTooLarge { max_bytes });
    }
    Ok(Entry { path: Arc::from(PATH), at: At::Memory(Arc::from(bytes)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Reader;

    #[test]
    fn the_stream_is_one_entry() {
        let entry = read(&b"a: 1\n"[..], 5).unwrap();
        assert_eq!(Reader::files(5).read(&entry).unwrap().bytes, b"a: 1\n");
        assert!(matches!(read(&b"a: 12\n"[..], 5), Err(SourceError::StdinTooLarge { max_bytes: 5 })));
    }
}
