//! Git trees: whole listings, parts of them, single files.

use super::repo::{Repo, link_to, show, with_filter};
use crate::source::{Environment, Options, Repository, Skip, SourceError, git_tree};

#[test]
fn a_tree_is_listed_without_a_checkout() {
    let repo = Repo::new();
    repo.commit(&[("b.yaml", "b: 1"), ("a/c.yml", ""), ("a/d.txt", ""), ("a-b.yaml", ""), (".github/w.yaml", "")]);
    let bare = Repo::bare();
    bare.git(&["fetch", "--quiet", repo.top.to_str().unwrap(), "main:main"]);
    let expected = [".github/w.yaml", "a-b.yaml", "a/c.yml", "b.yaml"];
    assert_eq!(bare.list("main"), expected);
    // The same again from a pack.
    bare.git(&["repack", "-a", "-d", "--quiet"]);
    assert_eq!(bare.list("main"), expected);
    let listing = bare.list_with("main", &Options::default());
    for opened in [bare.open(), bare.open_process()] {
        let mut reader = opened.reader(100).unwrap();
        assert_eq!(reader.read(&listing.entries[3]).unwrap().bytes, b"b: 1");
        assert_eq!(reader.read(&listing.entries[0]).unwrap().bytes, b"");
    }
}

#[test]
fn only_admitignore_counts_in_a_tree() {
    let repo = Repo::new();
    repo.commit(&[
        (".gitignore", "*.yaml\n"),
        (".admitignore", "vendor/\n*.gen.yaml\n"),
        ("a.yaml", ""),
        ("a.gen.yaml", ""),
        ("vendor/v.yaml", ""),
        ("apps/.admitignore", "!keep.gen.yaml\n"),
        ("apps/keep.gen.yaml", ""),
        ("apps/drop.gen.yaml", ""),
    ]);
    assert_eq!(repo.list("HEAD"), ["a.yaml", "apps/keep.gen.yaml"]);
}

#[test]
fn an_ignore_file_that_is_a_link_is_an_error_everywhere() {
    let repo = Repo::new();
    repo.link(".admitignore", "rules");
    repo.commit(&[("rules", "secret.yaml\n"), ("a.yaml", ""), ("secret.yaml", "")]);
    let said = ".admitignore: can't be read: an ignore file must not be a symbolic link";
    assert_eq!(repo.list("HEAD"), ["a.yaml", "secret.yaml", said]);
    assert_eq!(repo.worktree(), ["a.yaml", said]);
    assert_eq!(show_added(&repo, "HEAD"), ["A a.yaml", "A secret.yaml", said]);
}

fn show_added(repo: &Repo, new: &str) -> Vec<String> {
    super::repo::show_diff(&repo.compare(None, Some(new), &Options::default()))
}

#[test]
fn what_is_no_file_is_named() {
    let repo = Repo::new();
    let blob = repo.blob("a: 1");
    let target = repo.blob("a.yaml");
    let commit = repo.commit(&[]);
    let tree = repo.tree(&[("100644", b"a.yaml", &blob), ("120000", b"l.yaml", &target), ("160000", b"m", &commit)]);
    let submodule = "m: the content of a submodule is not in this repository";
    assert_eq!(repo.list(&tree), ["a.yaml", &link_to("l.yaml", "a.yaml"), submodule]);
    assert_eq!(show(&repo.list_with(&tree, &with_filter(&[], &["m", "l.*"]))), ["a.yaml"]);
}

#[test]
fn a_part_of_a_tree_is_listed_under_the_rules_above_it() {
    let repo = Repo::new();
    repo.commit(&[
        (".admitignore", "*.gen.yaml\n"),
        ("apps/web/a.yaml", ""),
        ("apps/web/b.gen.yaml", ""),
        ("apps/web/README.md", ""),
        ("lib/l.yaml", ""),
    ]);
    let opened = repo.open();
    let tree = opened.resolve("HEAD").unwrap().tree;
    let below = |path: &str| show(&git_tree::list_below(&opened, tree, path, &Options::default()).unwrap());
    assert_eq!(below("apps"), ["apps/web/a.yaml"]);
    assert_eq!(below("./apps/web/"), ["apps/web/a.yaml"]);
    assert_eq!(below(""), ["apps/web/a.yaml", "lib/l.yaml"]);
    assert_eq!(below("lib/l.yaml"), ["lib/l.yaml"]);
    assert_eq!(below("apps/web/README.md"), ["apps/web/README.md"]);
    assert_eq!(below("lib/l.yaml/x"), [""; 0]);
    assert_eq!(below("no/such"), [""; 0]);
}

#[test]
fn one_file_is_found_by_its_path() {
    let repo = Repo::new();
    repo.link("l", "a");
    repo.commit(&[("a/admit.txt", "x")]);
    for opened in [repo.open(), repo.open_process()] {
        let tree = opened.resolve("HEAD").unwrap().tree;
        let find = |path: &str| {
            git_tree::find(&mut opened.trees().unwrap(), tree, path).unwrap().map(|it| it.path.to_string())
        };
        assert_eq!(find("a/admit.txt").as_deref(), Some("a/admit.txt"));
        for path in ["a", "a/no", "l", "l/admit.txt", "a/admit.txt/x", ""] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}

#[test]
fn a_revision_is_a_branch_a_tag_an_id_or_a_tree() {
    let repo = Repo::new();
    let commit = repo.commit(&[("a.yaml", "")]);
    repo.git(&["tag", "light"]);
    repo.git(&["tag", "-a", "-m", "t", "heavy"]);
    repo.git(&["tag", "-a", "-m", "t", "heavier", "heavy"]);
    repo.git(&["tag", "blob", "HEAD:a.yaml"]);
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    for opened in [repo.open(), repo.open_process()] {
        for name in ["main", "light", "heavy", "heavier", "HEAD", "@", &commit, &commit[..12], "refs/heads/main"] {
            let revision = opened.resolve(name).unwrap();
            assert_eq!(revision.commit.unwrap().to_string(), commit, "{name}");
            assert_eq!(revision.tree.to_string(), tree);
        }
        assert_eq!(opened.resolve(&tree).unwrap().commit, None);
        assert!(matches!(opened.resolve("blob"), Err(SourceError::NotATree { .. })));
        let zeros = "0".repeat(40);
        for name in ["nothing", "", &zeros, &"1".repeat(40), "main~7", "--all", "a\0b"] {
            let error = opened.resolve(name).unwrap_err();
            assert!(matches!(error, SourceError::UnknownRevision { shallow: false, .. }), "{name}: {error}");
        }
    }
}

#[test]
fn a_name_with_two_meanings_is_refused() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.yaml", "1")]);
    repo.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    repo.git(&["tag", "same"]);
    repo.git(&["branch", "same"]);
    let new = repo.commit(&[("a.yaml", "2")]);
    repo.git(&["tag", "origin/main"]);
    repo.git(&["branch", &old[..7]]);
    repo.git(&["update-ref", &format!("refs/heads/{new}"), &old]);
    for opened in [repo.open(), repo.open_process()] {
        for name in ["origin/main", "origin/main~0", "origin/main^{tree}"] {
            let error = opened.resolve(name).unwrap_err().to_string();
            assert!(error.ends_with("is ambiguous: refs/remotes/origin/main, refs/tags/origin/main"), "{error}");
        }
        assert!(matches!(opened.resolve(&old[..7]), Err(SourceError::Ambiguous { .. })));
        for (name, commit) in [("refs/remotes/origin/main", &old), ("same", &old), (&*new, &new), (&old[..8], &old)] {
            assert_eq!(opened.resolve(name).unwrap().commit.unwrap().to_string(), *commit, "{name}");
        }
    }
}

#[test]
fn before_the_first_commit_there_is_no_head() {
    let repo = Repo::new();
    assert_eq!(repo.open().head().unwrap(), None);
    assert_eq!(repo.open_process().head().unwrap(), None);
    let commit = repo.commit(&[]);
    for opened in [repo.open(), repo.open_process()] {
        assert_eq!(opened.head().unwrap().unwrap().commit.unwrap().to_string(), commit);
    }
    repo.git(&["checkout", "--quiet", "--detach"]);
    assert_eq!(repo.open().head().unwrap().unwrap().commit.unwrap().to_string(), commit);
}

#[test]
fn a_head_that_is_lost_is_not_an_unborn_one() {
    let repo = Repo::new();
    let commit = repo.commit(&[("a.yaml", "")]);
    std::fs::remove_file(repo.loose(&commit)).unwrap();
    for opened in [repo.open(), repo.open_process()] {
        assert!(opened.head().is_err());
    }
}

#[test]
fn two_sides_are_named_as_for_git_diff() {
    let repo = Repo::new();
    let base = repo.commit(&[("a.yaml", "1")]);
    repo.git(&["checkout", "--quiet", "-b", "topic"]);
    let topic = repo.commit(&[("t.yaml", "1")]);
    repo.git(&["checkout", "--quiet", "main"]);
    let main = repo.commit(&[("a.yaml", "2")]);
    repo.git(&["checkout", "--quiet", "--orphan", "other"]);
    repo.commit(&[]);
    repo.git(&["checkout", "--quiet", "main"]);
    for opened in [repo.open(), repo.open_process()] {
        let sides = |range: &str| {
            let comparison = opened.comparison(range).unwrap();
            (comparison.old.map(|it| it.commit.unwrap().to_string()), comparison.new.commit.unwrap().to_string())
        };
        assert_eq!(sides("main..topic"), (Some(main.clone()), topic.clone()));
        assert_eq!(sides("main...topic"), (Some(base.clone()), topic.clone()));
        assert_eq!(sides("topic"), (Some(topic.clone()), main.clone()));
        assert_eq!(sides("topic.."), (Some(topic.clone()), main.clone()));
        assert_eq!(sides("..topic"), (Some(main.clone()), topic.clone()));
        assert_eq!(sides("...topic"), (Some(base.clone()), topic.clone()));
        assert_eq!(sides(&format!("{}..topic", "0".repeat(40))), (None, topic.clone()));
        assert!(matches!(opened.comparison("main...other"), Err(SourceError::NoMergeBase { .. })));
        assert!(matches!(opened.comparison("no..main"), Err(SourceError::UnknownRevision { .. })));
        assert!(matches!(opened.comparison("main..no"), Err(SourceError::UnknownRevision { .. })));
    }
}

#[test]
fn a_shallow_clone_says_what_to_fetch() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.yaml", "1")]);
    repo.commit(&[("a.yaml", "2")]);
    let clone = Repo::new();
    clone.git(&["remote", "add", "origin", &format!("file://{}", repo.top.display())]);
    clone.git(&["fetch", "--quiet", "--depth=1", "origin", "main"]);
    clone.git(&["update-ref", "refs/heads/main", "FETCH_HEAD"]);
    for opened in [clone.open(), clone.open_process()] {
        assert!(opened.is_shallow());
        let error = opened.comparison(&format!("{old}..main")).unwrap_err();
        assert!(error.hints()[0].ends_with(&format!("git fetch --depth=1 origin {old}")), "{:?}", error.hints());
        let error = opened.comparison("origin/next..main").unwrap_err();
        assert!(error.hints()[0].contains("origin next:refs/remotes/origin/next"), "{:?}", error.hints());
    }
    clone.git(&["fetch", "--quiet", "--depth=1", "origin", &old]);
    assert_eq!(clone.diff(&old, "main"), ["M a.yaml"]);
}

#[test]
fn objects_of_an_alternate_are_read() {
    let repo = Repo::new();
    let head = repo.commit(&[("a.yaml", "1")]);
    let clone = Repo::new();
    std::fs::rename(repo.top.join(".git/objects"), clone.beside("objects")).unwrap();
    for line in [clone.beside("objects").to_str().unwrap(), "../../../objects"] {
        std::fs::write(clone.top.join(".git/objects/info/alternates"), format!("{line}\n")).unwrap();
        assert_eq!(clone.list(&head), ["a.yaml"]);
    }
}

#[test]
fn sha256_repositories_are_read_by_git() {
    let repo = Repo::sha256();
    let old = repo.commit(&[("a.yaml", "1"), ("d/b.yaml", "1")]);
    repo.commit(&[("a.yaml", "2")]);
    let opened = Repository::open(&repo.top, &repo.environment(&[])).unwrap();
    assert!(opened.backend_reason().is_some_and(|it| it.contains("sha256")));
    assert_eq!(repo.list("HEAD"), ["a.yaml", "d/b.yaml"]);
    assert_eq!(repo.worktree(), ["a.yaml", "d/b.yaml"]);
    assert_eq!(repo.diff(&old, "HEAD"), ["M a.yaml"]);
    assert_eq!(old.len(), 64);
    assert_eq!(opened.comparison(&format!("{}..HEAD", "0".repeat(64))).unwrap().old, None);
    let entry = &repo.list_with("HEAD", &Options::default()).entries[0];
    assert_eq!(opened.reader(10).unwrap().read(entry).unwrap().bytes, b"2");
}

#[test]
fn a_partial_clone_reads_what_is_there_and_fetches_nothing() {
    let repo = Repo::new();
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    repo.commit(&[("a.yaml", "1"), ("b.yaml", "2")]);
    let clone = Repo::new();
    let url = format!("file://{}", repo.top.display());
    clone.git(&["remote", "add", "origin", &url]);
    clone.git(&["fetch", "--quiet", "--filter=blob:none", "origin", "main"]);
    let opened = clone.open();
    let tree = opened.resolve("FETCH_HEAD").unwrap().tree;
    let listing = git_tree::list(&opened, tree, &Options::default()).unwrap();
    assert_eq!(show(&listing), ["a.yaml", "b.yaml"]);
    let mut reader = opened.reader(10).unwrap();
    for entry in &listing.entries {
        let Err(Skip::Unreadable(reason)) = reader.read(entry) else { panic!("it was fetched") };
        assert!(reason.ends_with("is missing or broken"), "{reason}");
    }
}

#[test]
fn a_blob_that_is_too_large_is_never_read() {
    let repo = Repo::new();
    repo.commit(&[("big.yaml", &"x".repeat(3000)), ("huge.yaml", &" ".repeat(40 << 20)), ("small.yaml", "a: 1")]);
    repo.git(&["repack", "-a", "-d", "--quiet"]);
    let listing = repo.list_with("HEAD", &Options::default());
    for opened in [repo.open(), repo.open_process()] {
        let mut reader = opened.reader(2000).unwrap();
        let read: Vec<_> = listing.entries.iter().map(|it| reader.read(it).err()).collect();
        let too_large = |size| Some(Skip::TooLarge { size, max_bytes: 2000 });
        assert_eq!(read, [too_large(3000), too_large(40 << 20), None]);
    }
}

#[test]
fn a_repository_is_found_from_below_and_missing_elsewhere() {
    let repo = Repo::new();
    repo.commit(&[("d/a.yaml", "")]);
    for start in [repo.top.join("d"), repo.top.join("d/a.yaml"), repo.top.join(".git")] {
        let opened = Repository::open(&start, &Environment::default()).unwrap();
        assert!(opened.head().unwrap().is_some(), "{}", start.display());
    }
    let error = Repository::open(repo.beside("").as_path(), &Environment::default()).unwrap_err();
    assert!(matches!(error, SourceError::NoRepository { .. }), "{error}");
}

#[test]
fn a_linked_working_tree_is_one() {
    let repo = Repo::new();
    repo.write(".gitignore", "local.yaml\n");
    repo.commit(&[("a.yaml", ""), ("local.yaml", "")]);
    let linked = repo.beside("linked");
    repo.git(&["worktree", "add", "--quiet", "-b", "linked", linked.to_str().unwrap()]);
    let opened = Repository::open(&linked, &Environment::default()).unwrap();
    assert_eq!(opened.work_dir().unwrap(), linked);
    let listing = crate::source::worktree::list(&linked, &[], Some(&opened), &Options::default()).unwrap();
    assert_eq!(show(&listing), ["a.yaml", "local.yaml"]);
    assert_eq!(opened.resolve("linked").unwrap().commit, repo.open().resolve("main").unwrap().commit);
}
