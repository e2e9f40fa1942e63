//! `admit config`: what `admit.yaml` may say, and what counts.
//!
//! In: flags. Out: the JSON schema of the file; or the settings as they count, in YAML that says of each value where it
//! comes from and could be an `admit.yaml` itself.

use std::{fmt::Write as _, io, path::PathBuf};

use serde_json::{Value as Json, json};

use super::{
    RunError,
    check::LawArgs,
    workspace::{Workspace, from_config},
};
use crate::{
    config::{
        self, FILE_NAME, Settings,
        keys::{self, Key, Shape},
    },
    document::Node,
    expr::Value,
    governance::{RULES, Rules},
    report::escape,
    source::{At, Entry, Environment, Reader},
    span::File,
};

/// What to print of the configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// The JSON schema of admit.yaml, for editors and for checks of other programs
    Schema,
    /// The settings that count, and where each of them comes from
    Show(Box<ShowArgs>),
}

/// Arguments of `admit config show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Files and directories that a run would be about [default: the repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) law: LawArgs,
    /// How to write it
    #[arg(long, value_enum, default_value_t = FormatArg::Yaml)]
    pub(crate) format: FormatArg,
}

/// How to write the settings.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum FormatArg {
    /// As an admit.yaml with comments
    Yaml,
    /// For programs: a list of keys, values and origins
    Json,
}

/// One value.
struct Line {
    /// The keys that lead to it.
    path: Vec<String>,
    value: Json,
    /// Where it comes from.
    origin: String,
}

/// Runs `admit config`.
pub(crate) fn run(command: &ConfigCommand, environment: &Environment, out: &mut dyn io::Write) -> Result<u8, RunError> {
    let text = match command {
        ConfigCommand::Schema => {
            let schema = keys::schema(&crate::governance::schema());
            serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
        }
        ConfigCommand::Show(args) => show(args, environment)?,
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::new(format!("standard output can't be written: {error}")))
        }
        _ => Ok(0),
    }
}

fn show(args: &ShowArgs, environment: &Environment) -> Result<String, RunError> {
    let workspace = Workspace::find(&args.paths, environment)?;
    let rules = workspace.governance()?;
    let root = workspace.root.as_deref().unwrap_or(environment.current_dir());
    let place = root.join(FILE_NAME);
    let mut lines = Vec::new();
    // The file was read before, and is as good as it was then.
    let entry = Entry { path: FILE_NAME.into(), at: At::Worktree(place.clone()) };
    let blob = if place.symlink_metadata().is_ok() {
        Reader::files(super::workspace::MAX_CONFIG_BYTES).read(&entry).ok()
    } else {
        None
    };
    let written = match &blob {
        Some(blob) => config::written(FILE_NAME, &blob.bytes).map_err(|error| from_config(&error))?,
        None => None,
    };
    let document = written.as_ref().map(|(file, document)| (&**file, document.root()));
    walk(&keys::ROOT, &[], document, &mut lines);
    flags(&args.law, &workspace.settings, &mut lines);
    governed(&rules, document, &mut lines);
    Ok(match args.format {
        FormatArg::Yaml => yaml(&lines),
        FormatArg::Json => {
            let all =
                lines.iter().map(|it| json!({ "key": it.path.join("."), "value": it.value, "origin": it.origin }));
            serde_json::to_string_pretty(&all.collect::<Vec<_>>()).unwrap_or_default() + "\n"
        }
    })
}

/// Every value below a map of keys.
fn walk(keys: &[Key], above: &[String], at: Option<(&File, Node<'_>)>, lines: &mut Vec<Line>) {
    for key in keys {
        let path = [above, &[key.name.to_owned()]].concat();
        let found = at.and_then(|(file, node)| Some((file, node.get(key.name).filter(|it| !it.is_null())?)));
        match &key.shape {
            // Rules say more than what is written.
            Shape::Rules => {}
            Shape::Map(keys) if key.default == "{}" || found.is_some() => walk(keys, &path, found, lines),
            Shape::ListOrMap(_, keys) if found.is_none_or(|(_, node)| node.is_map()) => walk(keys, &path, found, lines),
            _ => {
                let default = serde_json::from_str(key.default).unwrap_or_default();
                let value = found.map_or(default, |(_, node)| json_of(node));
                let origin = found.map_or_else(|| "default".to_owned(), |(file, node)| origin(file, node));
                lines.push(Line { path, value, origin });
            }
        }
    }
}

fn json_of(node: Node<'_>) -> Json {
    serde_json::from_str(&Value::from(node).to_json()).unwrap_or_default()
}

fn origin(file: &File, node: Node<'_>) -> String {
    format!("{}:{}", file.path(), file.position(node.key_span().start).line)
}

/// Puts flags in the place of what they count for.
fn flags(law: &LawArgs, settings: &Settings, lines: &mut Vec<Line>) {
    let mut set = |path: &[&str], value: Json, flag: &str| {
        let line = Line { path: path.iter().map(|it| (*it).to_owned()).collect(), value, origin: flag.to_owned() };
        match lines.iter_mut().find(|it| it.path == path) {
            Some(known) => *known = line,
            None => lines.push(line),
        }
    };
    if !law.policies.is_empty() {
        set(&["policies"], json!(law.policies), "--policies");
    }
    let limits = law.limits(&settings.governance.limits);
    if law.no_exceptions {
        set(&["exceptions", "enabled"], json!(limits.enabled), "--no-exceptions");
    }
    if !law.exception_namespace.is_empty() {
        set(&["exceptions", "namespaces"], json!(limits.namespaces), "--exception-namespace");
    }
    if !law.exceptions.is_empty() {
        set(&["exceptions", "directories"], json!(law.exceptions), "--exceptions");
    }
}

/// How each rule of governance counts, with all its options.
fn governed(rules: &Rules, at: Option<(&File, Node<'_>)>, lines: &mut Vec<Line>) {
    let block = at.and_then(|(file, node)| Some((file, node.at(&["governance", "rules"])?)));
    for rule in RULES {
        let own = block.and_then(|(file, node)| Some((file, node.get(rule.id)?)));
        let origin_of = |key: &str| {
            let found = own.and_then(|(file, node)| Some(origin(file, node.get(key)?)));
            found.unwrap_or_else(|| "default".to_owned())
        };
        let mut line = |key: &str, value: Json, origin: String| {
            let path = ["governance", "rules", rule.id, key].map(str::to_owned).to_vec();
            lines.push(Line { path, value, origin });
        };
        let switch = own.filter(|(_, node)| node.get("enabled").is_some() && node.get("severity").is_none());
        let severity = if switch.is_some() { origin_of("enabled") } else { origin_of("severity") };
        line("severity", json!(rules.level(rule).name()), severity);
        for (option, value) in rules.options_as_written(rule) {
            let origin = origin_of(&option);
            line(&option, value, origin);
        }
    }
}

/// The values as YAML, the origins as comments.
fn yaml(lines: &[Line]) -> String {
    const COLUMN: usize = 60;
    let mut out = String::new();
    let mut open: &[String] = &[];
    for line in lines {
        let (last, above) = line.path.split_last().map_or(("", &line.path[..]), |(last, above)| (last.as_str(), above));
        let shared = open.iter().zip(above).take_while(|(a, b)| a == b).count();
        for (depth, key) in above.iter().enumerate().skip(shared) {
            let _ = writeln!(out, "{:indent$}{key}:", "", indent = depth * 2);
        }
        // JSON is YAML; what the file holds could move a cursor.
        let text = escape::line(&line.value.to_string());
        let left = format!("{:indent$}{last}: {text}", "", indent = above.len() * 2);
        let _ = writeln!(out, "{left:COLUMN$} # {}", line.origin);
        open = above;
    }
    out
}
