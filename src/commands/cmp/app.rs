//! The application that Argo CD asks for.
//!
//! In: the current directory and variables. Out: where the repository and the application in it lie, and what the
//! Application says. Whoever may write an Application chooses what is rendered, never what judges it.
//! <https://argo-cd.readthedocs.io/en/stable/user-guide/build-environment/>

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    commands::{RunError, workspace::from_source},
    config::FILE_NAME,
    source::{Environment, worktree},
};

/// An application.
#[derive(Debug)]
pub(super) struct App {
    /// What it is called; empty where nobody says.
    pub name: String,
    /// The namespace that objects without one go into.
    pub namespace: String,
    /// The top of the copy of the repository, absolute.
    pub root: PathBuf,
    /// The directory of the application below it; empty for the top.
    pub directory: String,
    /// The version of the cluster's API server; empty where nobody says.
    pub kube_version: String,
    /// The kinds that the cluster knows.
    pub api_versions: Vec<String>,
    /// What the Application says to the plugin.
    pub parameters: Parameters,
}

/// What an Application says to the plugin.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    texts: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
    maps: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(default)]
    string: Option<String>,
    #[serde(default)]
    array: Option<Vec<String>>,
    #[serde(default)]
    map: Option<BTreeMap<String, String>>,
}

impl App {
    /// The application in the current directory.
    pub(super) fn find(environment: &Environment) -> Result<Self, RunError> {
        let here = worktree::canonical(environment.current_dir()).map_err(|error| from_source(&error))?;
        let told = |name: &str| environment.argo(name).unwrap_or_default().to_owned();
        let root = root(&here, &told("ARGOCD_APP_SOURCE_PATH"));
        let below = here.strip_prefix(&root).unwrap_or(Path::new(""));
        let parts: Option<Vec<&str>> = below.components().map(|it| it.as_os_str().to_str()).collect();
        let directory = parts.ok_or_else(|| RunError::new("the path of the application is no text"))?.join("/");
        let api_versions = told("KUBE_API_VERSIONS");
        Ok(Self {
            name: told("ARGOCD_APP_NAME"),
            namespace: told("ARGOCD_APP_NAMESPACE"),
            root,
            directory,
            kube_version: told("KUBE_VERSION"),
            api_versions: api_versions.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect(),
            parameters: Parameters::parse(&told("ARGOCD_APP_PARAMETERS"))?,
        })
    }

    /// The application as messages name it.
    pub(super) fn title(&self) -> String {
        match (self.name.as_str(), self.directory.as_str()) {
            ("", "") => "the application".to_owned(),
            ("", directory) => format!("`{directory}`"),
            (name, _) => format!("`{name}`"),
        }
    }
}

/// The top of the repository: what is left of the directory without the path of the application in it; else the nearest
/// directory that is marked as one. Beside it lie other people's repositories.
fn root(here: &Path, source_path: &str) -> PathBuf {
    let mut at = here;
    let names: Vec<_> = Path::new(source_path)
        .components()
        .filter(|it| !matches!(it, Component::CurDir | Component::RootDir))
        .collect();
    let fits = !source_path.is_empty()
        && names.iter().rev().all(|part| {
            let fits = at.file_name() == Some(part.as_os_str());
            at = at.parent().unwrap_or(at);
            fits
        });
    if fits {
        return at.to_owned();
    }
    let marks = |it: &&Path| [FILE_NAME, ".git"].iter().any(|name| it.join(name).symlink_metadata().is_ok());
    here.ancestors().find(marks).unwrap_or(here).to_owned()
}

impl Parameters {
    /// Reads the list that Argo CD gives, or nothing.
    fn parse(text: &str) -> Result<Self, RunError> {
        let mut out = Self::default();
        if text.trim().is_empty() {
            return Ok(out);
        }
        let all: Option<Vec<Parameter>> = serde_json::from_str(text)
            .map_err(|error| RunError::new(format!("ARGOCD_APP_PARAMETERS can't be read: {error}")))?;
        for Parameter { name, string, array, map } in all.unwrap_or_default() {
            if !KNOWN.contains(&name.as_str()) {
                let known = KNOWN.map(|it| format!("`{it}`")).join(", ");
                return Err(RunError::new(format!("there is no parameter `{name}`")).hint(format!("there are {known}")));
            }
            out.texts.extend(string.map(|it| (name.clone(), it)));
            out.lists.extend(array.map(|it| (name.clone(), it)));
            out.maps.extend(map.map(|it| (name, it)));
        }
        Ok(out)
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    pub(super) fn list(&self, name: &str) -> &[String] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn map(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.maps.get(name).into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// What renders: `auto`, `kustomize`, `helm` or `plain`.
pub(super) const TOOL: &str = "tool";
/// Files of values for a chart, from its directory on.
pub(super) const VALUES_FILES: &str = "values-files";
/// Values for a chart, as text.
pub(super) const VALUES: &str = "values";
/// Single values for a chart.
pub(super) const HELM_PARAMETERS: &str = "helm-parameters";
/// The name of a chart's release.
pub(super) const RELEASE: &str = "release-name";
/// Whether directories below count for plain manifests: `true` or `false`.
pub(super) const RECURSE: &str = "recurse";
/// Policies of the repository that judge beside those of the operator.
pub(super) const POLICIES: &str = "policies";

/// All parameters.
pub(super) const KNOWN: [&str; 7] = [TOOL, VALUES_FILES, VALUES, HELM_PARAMETERS, RELEASE, RECURSE, POLICIES];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_above_the_path_of_the_application() {
        for (here, path, wanted) in [
            ("/nowhere/x/apps/web", "apps/web", "/nowhere/x"),
            ("/nowhere/x/apps/web", "./apps/web/", "/nowhere/x"),
            ("/nowhere/x", ".", "/nowhere/x"),
            // What doesn't fit counts for nothing.
            ("/nowhere/x/apps/web", "apps/other", "/nowhere/x/apps/web"),
            ("/nowhere/x/apps/web", "../../x", "/nowhere/x/apps/web"),
            ("/nowhere/x/apps/web", "", "/nowhere/x/apps/web"),
        ] {
            assert_eq!(root(Path::new(here), path), Path::new(wanted), "{here} {path}");
        }
    }

    #[test]
    fn parameters_are_read_as_argo_cd_gives_them() {
        let text = r#"[{"name":"tool","string":"helm"},{"name":"values-files","array":["a.yaml"]},{"name":"helm-parameters","map":{"image.tag":"1"}}]"#;
        let read = Parameters::parse(text).unwrap();
        assert_eq!((read.text(TOOL), read.list(VALUES_FILES)), ("helm", &["a.yaml".to_owned()][..]));
        assert_eq!(read.map(HELM_PARAMETERS).collect::<Vec<_>>(), [("image.tag", "1")]);
        assert!(Parameters::parse("").unwrap().text(TOOL).is_empty());
        assert!(Parameters::parse("null").is_ok());
        for wrong in ["{", "[{}]", r#"[{"name":"policy","string":"x"}]"#] {
            assert!(Parameters::parse(wrong).is_err(), "{wrong}");
        }
    }
}
