//! How much one file may ask of the machine.

/// Bounds on one file; what lies beyond is an error with a place, never a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "they are maxima")]
pub(crate) struct Limits {
    /// Bytes of a file.
    pub max_bytes: u32,
    /// Documents in a file, not counting those that hold nothing but comments.
    pub max_documents: u32,
    /// Values in the documents of a file that could be read, aliases expanded; the memory that a file takes is bounded
    /// by it.
    pub max_values: u32,
    /// Levels of lists and maps, aliases expanded. Recursion over a document is bounded by it.
    pub max_depth: u16,
    /// Nodes that the aliases of a file may add to it, on top of the API server's own rule about the share of aliases.
    pub max_alias_nodes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            max_documents: 100_000,
            max_values: 10_000_000,
            max_depth: 1000,
            max_alias_nodes: 1_000_000,
        }
    }
}
