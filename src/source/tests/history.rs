//! Commits, versions of files, signatures by real keys.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::repo::{Repo, stdout_of};
use crate::source::{
    Environment, Oid, Repository, history,
    signature::{self, Keys, Signature},
};

fn open(repo: &Repo) -> Repository {
    let variables: Vec<_> = std::env::vars_os().filter(|(name, _)| name == "PATH").collect();
    Repository::open(&repo.top, &Environment::new(repo.top.clone(), variables)).unwrap()
}

fn id(text: &str) -> Oid {
    text.parse().unwrap()
}

#[test]
fn commits_are_told_with_what_they_touch() {
    for repo in [Repo::new(), Repo::sha256()] {
        let first = repo.commit(&[("e/a.yaml", "1"), ("apps/b.yaml", "1")]);
        repo.commit(&[("apps/b.yaml", "2")]);
        repo.commit(&[("e/a.yaml", "2"), ("e/\u{e9}.yaml", "2")]);
        let last = repo.commit(&[("e/a.yaml", "1")]);
        let all = history::commits(&open(&repo), Some(id(&first)), id(&last), &["e/a.yaml", "e/gone.yaml"]).unwrap();
        let paths: Vec<_> = all.iter().map(|it| it.paths.join(" ")).collect();
        assert_eq!(paths, ["e/a.yaml", "e/a.yaml e/\u{e9}.yaml"]);
        assert_eq!((all[0].author.email.as_str(), all[0].n_parents), ("a@example.com", 1));
        let whole = history::commits(&open(&repo), None, id(&last), &["e/a.yaml"]).unwrap();
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[2].paths, ["apps/b.yaml", "e/a.yaml"]);
    }
}

#[test]
fn what_a_merge_smuggles_in_is_its_own() {
    let repo = Repo::new();
    let first = repo.commit(&[("e/a.yaml", "1"), ("x", "1")]);
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit(&[("x", "2")]);
    repo.git(&["checkout", "-q", "main"]);
    repo.commit(&[("y", "2")]);
    repo.git(&["merge", "-q", "--no-ff", "--no-commit", "side"]);
    let merge = repo.commit(&[("e/a.yaml", "smuggled")]);
    let found = history::commits(&open(&repo), Some(id(&first)), id(&merge), &["e/a.yaml"]).unwrap();
    assert_eq!(found.iter().map(|it| it.id.to_string()).collect::<Vec<_>>(), [merge]);
    assert_eq!((found[0].n_parents, found[0].paths.as_slice()), (2, &["e/a.yaml".to_owned()][..]));
}

#[test]
fn a_file_is_told_as_it_was() {
    let repo = Repo::new();
    repo.commit(&[("e/a.yaml", "1")]);
    repo.commit(&[("b", "1")]);
    repo.remove("e/a.yaml");
    repo.commit(&[]);
    let last = repo.commit(&[("e/a.yaml", "3")]);
    let versions = history::versions(&open(&repo), id(&last), &["e/a.yaml", "e"], 100).unwrap();
    let texts: Vec<_> =
        versions["e/a.yaml"].iter().map(|it| it.bytes.as_deref().map(String::from_utf8_lossy)).collect();
    assert_eq!(texts, [Some("3".into()), None, Some("1".into())]);
    assert_eq!((versions.len(), versions["e/a.yaml"][0].seconds), (1, 1_700_000_000));
    let messages = history::messages(&open(&repo), None, id(&last)).unwrap();
    assert_eq!(messages, ["c\n"; 4]);
}

fn run(program: &str, arguments: &[&str], home: &Path) {
    let mut command = Command::new(program);
    stdout_of(&command.args(arguments).env("GNUPGHOME", home).env("HOME", home).output().unwrap());
}

#[test]
fn signatures_by_ssh_keys_count_if_the_key_is_allowed() {
    let repo = Repo::new();
    let keys = repo.beside("keys");
    fs::create_dir(&keys).unwrap();
    let unsigned = repo.commit(&[("a", "1")]);
    let mut signed = Vec::new();
    for name in ["known", "stranger"] {
        let key = keys.join(name);
        let key = key.to_str().unwrap();
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], &keys);
        repo.write("a", name);
        repo.git(&["add", "-A"]);
        let signing = format!("user.signingKey={key}");
        repo.git(&["-c", "gpg.format=ssh", "-c", &signing, "commit", "-q", "-S", "-m", name]);
        signed.push(repo.git(&["rev-parse", "HEAD"]));
    }
    let public = fs::read_to_string(keys.join("known.pub")).unwrap();
    let allowed = Keys {
        allowed_signers: Some(format!("ann@example.com namespaces=\"git\" {public}").into_bytes()),
        gpg: Vec::new(),
    };
    let ids = [id(&unsigned), id(&signed[0]), id(&signed[1])];
    let found = signature::verify(&open(&repo), &ids, &allowed).unwrap();
    let unknown = Signature::Bad("its key is not among the allowed signers".to_owned());
    let good = Signature::Good { signer: "ann@example.com".to_owned() };
    assert_eq!(found, [Signature::Missing, good, unknown.clone()]);
    // Without any key nobody is known, whatever the account or the repository says.
    repo.git(&["config", "gpg.ssh.allowedSignersFile", keys.join("known.pub").to_str().unwrap()]);
    assert_eq!(signature::verify(&open(&repo), &ids[1..2], &Keys::default()).unwrap(), [unknown]);
    // A commit whose text was changed after it was signed.
    let raw = repo.git(&["cat-file", "commit", &signed[0]]).replace("known\n", "other\n") + "\nmore\n";
    fs::write(repo.beside("raw"), raw).unwrap();
    let forged = repo.git(&["hash-object", "-t", "commit", "-w", repo.beside("raw").to_str().unwrap()]);
    let found = signature::verify(&open(&repo), &[id(&forged)], &allowed).unwrap();
    assert!(matches!(found[0], Signature::Bad(_)), "{found:?}");
}

#[test]
fn signatures_by_gpg_keys_count_if_the_key_is_given() {
    let repo = Repo::new();
    // The path of a socket of GnuPG has a hundred bytes at most.
    let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").unwrap();
    let home = home.path();
    for name in ["known", "stranger"] {
        let user = format!("{name} <{name}@example.com>");
        let make =
            ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", &user, "ed25519", "sign", "never"];
        run("gpg", &make, home);
        repo.write("a", name);
        repo.git(&["add", "-A"]);
        let program = format!("gpg.program={}", wrapper(&repo, home).display());
        let signing = format!("user.signingKey={name}@example.com");
        repo.git(&["-c", &program, "-c", &signing, "commit", "-q", "-S", "-m", name]);
    }
    let known = repo.git(&["rev-parse", "HEAD~1"]);
    let stranger = repo.git(&["rev-parse", "HEAD"]);
    let mut export = Command::new("gpg");
    let exported = export.args(["--armor", "--export", "known@example.com"]).env("GNUPGHOME", home).output();
    let exported = exported.unwrap().stdout;
    let keys = Keys { allowed_signers: None, gpg: vec![exported] };
    let found = signature::verify(&open(&repo), &[id(&known), id(&stranger)], &keys).unwrap();
    let good = Signature::Good { signer: "known <known@example.com>".to_owned() };
    assert_eq!(found, [good, Signature::Bad("its key is not among those that count".to_owned())]);
    let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", home).output();
}

/// A `gpg` that finds the keys of the test.
fn wrapper(repo: &Repo, home: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = repo.beside("gpg");
    fs::write(&path, format!("#!/bin/sh\nGNUPGHOME={} exec gpg \"$@\"\n", home.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
