//! `admit.yaml`: as written, and as meant.

mod file;
pub(crate) mod governance;
pub(crate) mod keys;
mod limits;
mod settings;

pub(crate) use file::{ConfigError, FILE_NAME};
pub(crate) use limits::ExceptionLimits;
pub(crate) use settings::{Guard, Rendering, Settings, Trust, When};

use std::sync::Arc;

use crate::{document::Document, span::File};

/// An `admit.yaml` as it is written; `None` for one that says nothing.
pub(crate) fn written(path: &str, bytes: &[u8]) -> Result<Option<(Arc<File>, Document)>, ConfigError> {
    let (file, document) = file::parse(path, bytes)?;
    Ok(document.map(|document| (file, document)))
}
