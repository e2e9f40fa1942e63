//! What the plugin says of itself: whether an application is one for it, and what an Application can ask for.

use std::io;

use serde_json::json;

use super::{
    app::{self, App},
    manifests::{self, Means},
    unwritable,
};
use crate::{commands::RunError, render::Tool, source::Environment};

/// Prints `supported` for a directory that holds what is rendered here, else nothing. Never an error for what is not ours:
/// that would keep Argo CD from asking others.
pub(super) fn discover(environment: &Environment, out: &mut dyn io::Write) -> Result<u8, RunError> {
    let app = App::find(environment)?;
    let store = manifests::store(&app)?;
    let is_ours = match manifests::means(&app, &store) {
        Ok(Means::Tool(_)) => true,
        Ok(Means::Plain) => store.manifests(&app.directory).is_ok_and(|it| !it.is_empty()),
        // `generate` says what is wrong with it.
        Err(_) => true,
    };
    if is_ours {
        writeln!(out, "supported").map_err(|error| unwritable(&error))?;
    }
    Ok(0)
}

/// Prints the parameters that mean something for the application; a failure here would break its page in the UI.
pub(super) fn parameters(environment: &Environment, out: &mut dyn io::Write) -> Result<u8, RunError> {
    let all = App::find(environment).and_then(|app| of(&app)).unwrap_or_else(|_| json!([]));
    writeln!(out, "{all}").map_err(|error| unwritable(&error))?;
    Ok(0)
}

fn of(app: &App) -> Result<serde_json::Value, RunError> {
    let store = manifests::store(app)?;
    let text = |name: &str, title: &str, tooltip: &str, value: &str| json!({"name": name, "title": title, "tooltip": tooltip, "string": value});
    let mut all = vec![text(app::TOOL, "Renderer", "auto, kustomize, helm or plain", "auto")];
    match manifests::means(app, &store)? {
        Means::Tool(Tool::Helm) => {
            let found = store.manifests(&app.directory).unwrap_or_default();
            let name =
                |path: &String| path.strip_prefix(&*app.directory).unwrap_or(path).trim_start_matches('/').to_owned();
            let values: Vec<String> = found
                .iter()
                .map(name)
                .filter(|it| !it.contains('/') && it.contains("values") && it != "values.yaml")
                .collect();
            let tooltip = if values.is_empty() { "none beside values.yaml".to_owned() } else { values.join(", ") };
            all.push(json!({"name": app::VALUES_FILES, "title": "Values files", "tooltip": tooltip, "collectionType": "array", "array": []}));
            all.push(json!({"name": app::HELM_PARAMETERS, "title": "Values", "tooltip": "as --set takes them", "collectionType": "map", "map": {}}));
            all.push(text(app::VALUES, "Values as YAML", "they count more than the files", ""));
            all.push(text(app::RELEASE, "Name of the release", "default: that of the application", ""));
        }
        Means::Tool(Tool::Kustomize) => {}
        Means::Plain => all.push(text(app::RECURSE, "Directories below", "true or false", "false")),
    }
    all.push(json!({"name": app::POLICIES, "title": "More policies", "tooltip": "paths in the repository; those of the operator count all the same", "collectionType": "array", "array": []}));
    Ok(all.into())
}
