//! Reading files, for benches.

use std::{fmt, sync::Arc};

use crate::{
    document::{self, Document, Limits, Parsed, resource},
    expr::Value,
    k8s::scope,
    span::File,
};

/// A file in memory, as a source gives it.
#[derive(Debug)]
pub struct Source(Arc<File>);

/// Reads files one after another with the same scratch memory, within the usual limits.
pub struct Reader(document::Parser);

/// What was read from a file.
pub struct Documents(Parsed);

impl Source {
    /// A file of these bytes.
    pub fn new(path: &str, bytes: Vec<u8>) -> Self {
        Self(File::new(path, bytes))
    }

    /// Reads the documents of the file.
    pub fn parse(&self, reader: &mut Reader) -> Documents {
        Documents(reader.0.parse(&self.0))
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self(document::Parser::new(Limits::default()))
    }
}

impl Documents {
    /// Makes the documents what the API server would see.
    #[must_use]
    pub fn prepare(mut self) -> Self {
        let prepare = |document| resource::prepare(document, &scope::is_cluster_scoped);
        self.0.documents = self.0.documents.into_iter().map(prepare).collect();
        self
    }

    /// The documents in order.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.0.documents.iter()
    }

    /// Number of documents that could be read.
    pub fn len(&self) -> usize {
        self.0.documents.len()
    }

    /// Whether none could be read.
    pub fn is_empty(&self) -> bool {
        self.0.documents.is_empty()
    }

    /// Each document as JSON, keys sorted.
    pub fn json(&self) -> Vec<String> {
        self.0.documents.iter().map(|document| Value::from(document.root()).to_json()).collect()
    }

    /// ID and place (line and column, from 1) of each error.
    pub fn errors(&self, source: &Source) -> Vec<(&'static str, u32, u32)> {
        let place = |error: &document::DocumentError| {
            let position = source.0.position(error.at().start);
            (error.id(), position.line, position.column)
        };
        self.0.errors.iter().map(place).collect()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
