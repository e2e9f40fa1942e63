//! `admit.yaml`: as written, and as meant.

mod file;
pub(crate) mod governance;
mod settings;

pub(crate) use file::{ConfigError, FILE_NAME};
pub(crate) use settings::{Guard, Rendering, Settings, Trust, When};
