//! A case from one commit, all of it: for a repository that has no working tree, or for another time than now.

use super::{Case, LawArgs};
use crate::{
    commands::{
        RunError,
        workspace::{MAX_CONFIG_BYTES, from_config, from_source},
    },
    config::{FILE_NAME, Settings},
    document::{Limits, layout::Names},
    governance::Rules,
    report::Progress,
    runner::{Input, Law, Loader, Roles, Scopes},
    source::{Environment, Filter, Options, Repository, Revision, git_tree, is_hidden},
};

/// Reads what a commit holds, and the law of it.
pub(crate) fn read(
    environment: &Environment,
    name: &str,
    law: &LawArgs,
    progress: &Progress,
) -> Result<(Case, Repository, Revision), RunError> {
    let failed = |error: crate::source::SourceError| from_source(&error);
    let repository = Repository::open(environment.current_dir(), environment).map_err(failed)?;
    let revision = repository.resolve(name).map_err(failed)?;
    let mut trees = repository.trees().map_err(failed)?;
    let settings = match git_tree::find(&mut trees, revision.tree, FILE_NAME).map_err(failed)? {
        None => Settings::default(),
        Some(entry) => {
            let mut reader = repository.reader(MAX_CONFIG_BYTES).map_err(failed)?;
            let blob = reader.read(&entry).map_err(|skip| RunError::new(format!("{FILE_NAME}: {skip}")))?;
            Settings::parse(FILE_NAME, &blob.bytes).map_err(|error| from_config(&error))?
        }
    };
    let filter = |include: &[String]| Filter::new(include, &settings.exclude).map_err(failed);
    let judged = filter(&settings.include)?;
    let place = |given: &[String], set: &[String]| filter(if given.is_empty() { set } else { given });
    let (policies, exceptions) =
        (place(&law.policies, &settings.policies)?, place(&law.exceptions, &settings.exceptions)?);
    let options = Options { filter: filter(&[])?, jobs: rayon::current_num_threads(), ..Options::default() };
    let listing = git_tree::list(&repository, revision.tree, &options).map_err(failed)?;
    let inputs: Vec<Input> = listing
        .entries
        .into_iter()
        .map(|entry| {
            let path = &*entry.path;
            let is_open = !is_hidden(path);
            let judged = judged.takes(path);
            let roles = Roles {
                judged,
                policies: is_open && policies.takes(path),
                exceptions: is_open && exceptions.takes(path),
                cluster: true,
                screened: !judged,
            };
            Input { entry, roles }
        })
        .collect();
    progress.expect(inputs.len() as u64);
    let reader = || repository.reader(options.max_bytes);
    let loader = Loader {
        reader: &reader,
        limits: Limits::default(),
        scopes: Scopes::default(),
        names: Names::default(),
        wanted: None,
        progress,
    };
    let tree = loader.load(&inputs, inputs.iter().map(|it| &*it.entry.path)).map_err(failed)?;
    let mut compiled = Law::compile(tree.files.iter());
    if compiled.policies.reads_objects() || compiled.policies.reads_namespaces() {
        compiled.stand_in(tree.files.iter());
    }
    let governance = Some(Rules::new(&settings.governance).map_err(|error| from_config(&error))?);
    let user = settings.user.clone();
    let limits = law.limits(&settings.governance.limits);
    let case = Case { law: compiled, tree, user, is_whole: true, is_root: true, governance, limits, ..Case::default() };
    Ok((case, repository, revision))
}
