//! Whether commits are signed by somebody who is known.
//!
//! In: commits, and the keys that count: an allowed-signers file for SSH, public keys for GPG. Out: for each commit who
//! signed it, or what is wrong. `git verify-commit` does the work, with `ssh-keygen` or `gpg`; the keys stand in a
//! directory that is gone afterwards, so that nothing of the account that runs this counts, and nothing is written to
//! the repository. <https://git-scm.com/docs/git-verify-commit>, <https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS>

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::SourceError;
use super::git::Repository;
use super::objects::Oid;

/// The keys that count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// The text of an allowed-signers file.
    pub(crate) allowed_signers: Option<Vec<u8>>,
    /// Public keys of GPG, armored or not.
    pub(crate) gpg: Vec<Vec<u8>>,
}

/// What is known of the signature of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// One of the keys made it.
    Good {
        /// The principal of the allowed-signers file, or the user ID of the GPG key.
        signer: String,
    },
    /// There is none.
    Missing,
    /// No key that counts made it, it doesn't fit the commit, or the key has ended.
    Bad(String),
}

/// Verifies commits, each by itself.
///
/// # Errors
/// There is no `git`, or no place for the keys. A signature whose program is missing is bad.
pub(crate) fn verify(repository: &Repository, commits: &[Oid], keys: &Keys) -> Result<Vec<Signature>, SourceError> {
    let git = repository.any_process()?;
    let place = tempfile::tempdir().map_err(|error| SourceError::Process(format!("no place for keys: {error}")))?;
    let place = place.path();
    let stored = store(keys, place).map_err(|error| SourceError::Process(format!("keys can't be stored: {error}")))?;
    let mut out = Vec::with_capacity(commits.len());
    for commit in commits {
        let mut command = git.command(&[]);
        // What is said here comes before the configuration of the account and of the repository.
        for setting in [
            format!("gpg.ssh.allowedSignersFile={}", place.join(SIGNERS).display()),
            "gpg.ssh.revocationFile=".to_owned(),
            "gpg.ssh.program=ssh-keygen".to_owned(),
            "gpg.program=gpg".to_owned(),
            "gpg.openpgp.program=gpg".to_owned(),
            "gpg.x509.program=false".to_owned(),
            "gpg.minTrustLevel=undefined".to_owned(),
        ] {
            command.args(["-c", &setting]);
        }
        command.env("GNUPGHOME", place).args(["verify-commit", "--raw", &commit.to_string()]);
        let done = command.output().map_err(|error| SourceError::Process(format!("can't run `git`: {error}")))?;
        let said = String::from_utf8_lossy(&done.stderr);
        let signature = read(&said, done.status.success());
        out.push(match (signature, &stored) {
            (Signature::Bad(why), Some(problem)) => Signature::Bad(format!("{why}; {problem}")),
            (signature, _) => signature,
        });
    }
    Ok(out)
}

/// The name of the allowed-signers file among the keys.
const SIGNERS: &str = "allowed_signers";

/// Writes the keys below a directory; a GPG key that can't be taken is told.
fn store(keys: &Keys, place: &Path) -> std::io::Result<Option<String>> {
    // Without the file Git complains of the file, not of the signature.
    fs::write(place.join(SIGNERS), keys.allowed_signers.as_deref().unwrap_or_default())?;
    let mut problem = None;
    for (n, key) in keys.gpg.iter().enumerate() {
        let file = place.join(format!("{n}.key"));
        fs::write(&file, key)?;
        let mut command = Command::new("gpg");
        command.args(["--batch", "--quiet", "--no-autostart", "--import"]).arg(&file);
        command.env("GNUPGHOME", place).env("LC_ALL", "C").stdin(Stdio::null());
        match command.output() {
            Ok(done) if done.status.success() => {}
            Ok(_) => problem = Some("a GPG key can't be read".to_owned()),
            Err(error) => problem = Some(format!("can't run `gpg`: {error}")),
        }
    }
    Ok(problem)
}

/// What `git verify-commit --raw` says.
fn read(said: &str, succeeded: bool) -> Signature {
    if said.trim().is_empty() {
        return if succeeded { Signature::Bad("nothing is said of it".to_owned()) } else { Signature::Missing };
    }
    let ssh = said.lines().find_map(|line| line.strip_prefix("Good \"git\" signature "));
    if let (Some(rest), true) = (ssh, succeeded)
        && let Some((signer, _)) = rest.strip_prefix("for ").and_then(|it| it.rsplit_once(" with "))
    {
        return Signature::Good { signer: signer.to_owned() };
    }
    let status = |word: &str| {
        said.lines().find_map(|line| line.strip_prefix("[GNUPG:] ")?.strip_prefix(word)?.strip_prefix(' '))
    };
    // `GOODSIG KEY USER-ID`: a key that is neither expired nor revoked.
    if let (Some(rest), Some(_), true) = (status("GOODSIG"), status("VALIDSIG"), succeeded) {
        return Signature::Good { signer: rest.split_once(' ').map_or(rest, |(_, user)| user).to_owned() };
    }
    let why = if ssh.is_some() || said.contains("No principal matched") {
        "its key is not among the allowed signers"
    } else if status("NO_PUBKEY").is_some() || status("ERRSIG").is_some() {
        "its key is not among those that count"
    } else if status("EXPKEYSIG").is_some() || status("EXPSIG").is_some() {
        "its key has expired"
    } else if status("REVKEYSIG").is_some() {
        "its key was revoked"
    } else if status("BADSIG").is_some() || said.contains("incorrect signature") {
        "it does not fit the commit"
    } else {
        "it can't be verified"
    };
    Signature::Bad(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_key_makes_a_good_signature() {
        let good = |signer: &str| Signature::Good { signer: signer.to_owned() };
        let bad = |why: &str| Signature::Bad(why.to_owned());
        let ssh = "Good \"git\" signature for ann@example.com with ED25519 key SHA256:x\n";
        let gpg = "[GNUPG:] GOODSIG 1234 Ann <ann@example.com>\n[GNUPG:] VALIDSIG 1234 2024\n";
        for (said, succeeded, wanted) in [
            (ssh, true, good("ann@example.com")),
            (ssh, false, bad("its key is not among the allowed signers")),
            (
                "Good \"git\" signature with ED25519 key SHA256:x\nNo principal matched.\n",
                true,
                bad("its key is not among the allowed signers"),
            ),
            (gpg, true, good("Ann <ann@example.com>")),
            (gpg, false, bad("it can't be verified")),
            ("[GNUPG:] EXPKEYSIG 1 Ann\n[GNUPG:] VALIDSIG 1\n", true, bad("its key has expired")),
            ("[GNUPG:] ERRSIG 1\n[GNUPG:] NO_PUBKEY 1\n", false, bad("its key is not among those that count")),
            ("[GNUPG:] BADSIG 1 Ann\n", false, bad("it does not fit the commit")),
            ("", false, Signature::Missing),
            ("error: gpg failed\n", false, bad("it can't be verified")),
        ] {
            assert_eq!(read(said, succeeded), wanted, "{said}");
        }
    }
}
