//! Why a document, or a part of a file, could not be read.
//!
//! Each error names a place. Where the API server's YAML reader refuses a document, or reads it otherwise than the YAML
//! specification, so do we refuse: a document is never read in one way here and in another one there.

use crate::span::Span;

/// Why one document takes no part in the run. Becomes a finding; the other documents of the file go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    /// The text is no YAML.
    #[error("{message}")]
    Syntax { message: String, help: Option<&'static str>, at: Span },
    /// Lists and maps stand in one another too often.
    #[error("nested deeper than {limit} levels")]
    TooDeep { limit: u16, at: Span },
    /// Aliases make far more of the document than is written.
    #[error("aliases make too much of this document")]
    AliasBomb { at: Span },
    /// The file holds too many values.
    #[error("more than {limit} values in one file")]
    TooManyValues { limit: u32, at: Span },
    /// The file holds too many documents.
    #[error("more than {limit} documents in one file")]
    TooManyDocuments { limit: u32, at: Span },
    /// The file is too long.
    #[error("the file has {bytes} bytes, more than {limit}")]
    TooLarge { bytes: usize, limit: u32, at: Span },
    /// Bytes that are no UTF-8.
    #[error("not UTF-8")]
    Encoding { at: Span },
    /// A character that YAML doesn't allow.
    #[error("control character U+{code:04X}")]
    ControlCharacter { code: u32, at: Span },
    /// `---` and more on the same line.
    #[error("content on the line of a `---`")]
    Separator { at: Span },
    /// Readers of YAML disagree about this, or the API server's refuses it.
    #[error("{what}")]
    Incompatible { what: &'static str, help: &'static str, at: Span },
    /// Infinity or not-a-number.
    #[error("`{text}` is a number that JSON doesn't have")]
    NotJson { text: String, at: Span },
    /// A key that is no scalar, or null.
    #[error("{found} can't be a key")]
    Key { found: &'static str, help: &'static str, at: Span },
    /// An alias within the node that it stands for.
    #[error("alias `{name}` stands for something that contains it")]
    RecursiveAlias { name: String, at: Span },
    /// `<<` with something other than maps.
    #[error("`<<` takes a map or a list of maps")]
    Merge { at: Span },
    /// A tag and a value that can't be that.
    #[error("`{text}` can't be read as `!!{tag}`")]
    Tag { text: String, tag: String, at: Span },
    /// Something stands behind the end of the document, where nobody reads it.
    #[error("content after the end of the document is never read")]
    Hidden { at: Span },
    /// A tab where only spaces may be.
    #[error("a tab where only spaces may stand")]
    Tab { at: Span },
}

impl DocumentError {
    /// Where.
    pub(crate) fn at(&self) -> Span {
        match self {
            Self::Syntax { at, .. }
            | Self::TooDeep { at, .. }
            | Self::AliasBomb { at }
            | Self::TooManyValues { at, .. }
            | Self::TooManyDocuments { at, .. }
            | Self::TooLarge { at, .. }
            | Self::Encoding { at }
            | Self::ControlCharacter { at, .. }
            | Self::Separator { at }
            | Self::Incompatible { at, .. }
            | Self::NotJson { at, .. }
            | Self::Key { at, .. }
            | Self::RecursiveAlias { at, .. }
            | Self::Merge { at }
            | Self::Tag { at, .. }
            | Self::Hidden { at }
            | Self::Tab { at } => *at,
        }
    }

    /// The stable ID.
    pub(crate) fn id(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "yaml/syntax",
            Self::TooDeep { .. } => "yaml/too-deep",
            Self::AliasBomb { .. } => "yaml/alias-bomb",
            Self::TooManyValues { .. } => "yaml/too-many-values",
            Self::TooManyDocuments { .. } => "yaml/too-many-documents",
            Self::TooLarge { .. } => "yaml/too-large",
            Self::Encoding { .. } => "yaml/encoding",
            Self::ControlCharacter { .. } => "yaml/control-character",
            Self::Separator { .. } => "yaml/separator",
            Self::Incompatible { .. } => "yaml/incompatible",
            Self::NotJson { .. } => "yaml/not-json",
            Self::Key { .. } => "yaml/key",
            Self::RecursiveAlias { .. } => "yaml/recursive-alias",
            Self::Merge { .. } => "yaml/merge",
            Self::Tag { .. } => "yaml/tag",
            Self::Hidden { .. } => "yaml/hidden",
            Self::Tab { .. } => "yaml/tab",
        }
    }

    /// What to do about it.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Self::Syntax { help, .. } => *help,
            Self::TooDeep { .. }
            | Self::TooLarge { .. }
            | Self::TooManyValues { .. }
            | Self::TooManyDocuments { .. } => Some("split the file, or keep it out of the run"),
            Self::AliasBomb { .. } => Some("write out what the aliases stand for"),
            Self::Encoding { .. } => Some("save the file as UTF-8"),
            Self::ControlCharacter { .. } => Some("write it as an escape in double quotes, or remove it"),
            Self::Separator { .. } => Some("start the document on the next line"),
            Self::Incompatible { help, .. } | Self::Key { help, .. } => Some(*help),
            Self::NotJson { .. } => Some("quote it if text is meant"),
            Self::RecursiveAlias { .. } => Some("write out what is meant"),
            Self::Merge { .. } => Some("give it an alias of a map, or quote the key"),
            Self::Tag { .. } => Some("drop the tag, or mend the value"),
            Self::Hidden { .. } => Some("separate documents with a line `---`, or remove what follows"),
            Self::Tab { .. } => Some("indent with spaces"),
        }
    }
}
