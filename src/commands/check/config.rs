//! The `admit.yaml` of a tree, and what a change does to it.

use std::sync::Arc;

use super::sides::ConfigChange;
use crate::{
    commands::{
        RunError,
        workspace::{MAX_CONFIG_BYTES, from_source},
    },
    config::{ConfigError, FILE_NAME, Settings},
    finding::{Finding, Place, Severity},
    source::{Oid, Repository, Trees, git_tree},
    span::{File, Span},
};

/// An `admit.yaml` of a tree.
pub(super) struct Config {
    file: Arc<File>,
    pub(super) settings: Result<Settings, ConfigError>,
}

impl Config {
    pub(super) fn read(repository: &Repository, trees: &mut Trees, tree: Oid) -> Result<Option<Self>, RunError> {
        let Some(entry) = git_tree::find(trees, tree, FILE_NAME).map_err(|error| from_source(&error))? else {
            return Ok(None);
        };
        let mut reader = repository.reader(MAX_CONFIG_BYTES).map_err(|error| from_source(&error))?;
        let blob = reader.read(&entry).map_err(|skip| RunError::new(format!("{FILE_NAME}: {skip}")))?;
        let settings = Settings::parse(FILE_NAME, &blob.bytes);
        Ok(Some(Self { file: File::new(FILE_NAME, blob.bytes), settings }))
    }

    /// What changes for the settings; `None` when nothing does, or when one side can't be read.
    pub(super) fn change(before: Option<&Self>, after: Option<&Self>) -> Option<ConfigChange> {
        let text = |it: Option<&Self>| it.map(|it| it.file.text().to_owned());
        if text(before) == text(after) {
            return None;
        }
        let settings = |it: Option<&Self>| match it {
            None => Some(Settings::default()),
            Some(config) => config.settings.as_ref().ok().cloned(),
        };
        let file = Arc::clone(&after.or(before)?.file);
        Some(ConfigChange { before: settings(before)?, after: settings(after)?, file })
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        let error = self.settings.as_ref().err()?;
        let (line, column) = error.at();
        let line = self.file.line_span(line as u32);
        let start = (line.start + column as u32 - 1).min(line.end);
        let place = Place::new(&self.file, Span::new(start, line.end));
        let finding = Finding::new("config/invalid", Severity::Error, place, error.message());
        Some(match error.hint() {
            Some(hint) => finding.help(hint),
            None => finding,
        })
    }
}
