//! Image references as Kyverno takes them apart: `nginx`, `ghcr.io/a/b:v1`, `r@sha256:…`.
//!
//! A reference without registry gets `docker.io`, one with neither tag nor digest gets `latest`; `library/` is never put
//! in. The parts must satisfy the grammar of the container distribution project (names in lower case, known digest
//! algorithms). Parts borrow from the text; nothing is looked up.

/// The registry of references that name none.
pub(crate) const DEFAULT_REGISTRY: &str = "docker.io";
/// The tag of references that have neither tag nor digest.
pub(crate) const DEFAULT_TAG: &str = "latest";

/// A text that is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImageRefError {
    /// The grammar does not allow it.
    #[error("invalid reference format")]
    Format,
    /// Names are in lower case.
    #[error("invalid reference format: repository name must be lowercase")]
    Uppercase,
    /// The path has more than 255 characters.
    #[error("repository name must not be more than 255 characters")]
    TooLong,
    /// The digest is of an algorithm nobody knows.
    #[error("unsupported digest algorithm")]
    Algorithm,
    /// The digest has the wrong length.
    #[error("invalid checksum digest length")]
    DigestLength,
}

/// The parts of an image reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageRef<'t> {
    /// Host with optional port.
    pub registry: &'t str,
    /// Everything between registry and tag.
    pub path: &'t str,
    /// The tag; empty when there is only a digest.
    pub tag: &'t str,
    /// The digest, `sha256:…`; empty when there is none.
    pub digest: &'t str,
}

/// Takes a reference apart.
pub(crate) fn parse(text: &str) -> Result<ImageRef<'_>, ImageRefError> {
    let (registry, rest) = match text.split_once('/') {
        Some((first, rest)) if names_registry(first) => (first, rest),
        _ => (DEFAULT_REGISTRY, text),
    };
    let (named, digest) = match rest.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (rest, None),
    };
    let (path, tag) = match named.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (named, None),
    };
    if !is_path(path) || !is_host(registry) {
        let lower = path.to_lowercase();
        let uppercase = lower != path && is_path(&lower) && is_host(registry);
        return Err(if uppercase { ImageRefError::Uppercase } else { ImageRefError::Format });
    }
    if tag.is_some_and(|it| !is_tag(it)) {
        return Err(ImageRefError::Format);
    }
    digest.map_or(Ok(()), check_digest)?;
    if path.len() > 255 {
        return Err(ImageRefError::TooLong);
    }
    let tag = tag.unwrap_or(if digest.is_some() { "" } else { DEFAULT_TAG });
    Ok(ImageRef { registry, path, tag, digest: digest.unwrap_or("") })
}

impl<'t> ImageRef<'t> {
    /// The last segment of the path.
    pub(crate) fn name(&self) -> &'t str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// `registry/path@digest`, or `registry/path:tag` without digest.
    pub(crate) fn reference(&self) -> String {
        if self.digest.is_empty() {
            self.reference_with_tag()
        } else {
            format!("{}/{}@{}", self.registry, self.path, self.digest)
        }
    }

    /// `registry/path:tag`; ends in `:` when there is only a digest.
    pub(crate) fn reference_with_tag(&self) -> String {
        format!("{}/{}:{}", self.registry, self.path, self.tag)
    }
}

/// Whether the first segment is a registry.
fn names_registry(segment: &str) -> bool {
    segment.contains(['.', ':']) || segment == "localhost" || segment.to_lowercase() != segment
}

fn is_host(text: &str) -> bool {
    let (host, port) = if text.starts_with('[') {
        match text.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or("x"))),
            None => return false,
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let host_holds = match host.strip_prefix('[') {
        Some(address) => !address.is_empty() && address.bytes().all(|it| it.is_ascii_hexdigit() || it == b':'),
        None => host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
        }),
    };
    host_holds && port.is_none_or(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether `text` is segments of lower-case letters and digits, joined inside by `.`, `_`, `__` or any number of `-`.
fn is_path(text: &str) -> bool {
    text.split('/').all(|segment| {
        let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = segment.as_bytes();
        let mut start = 0;
        if !bytes.first().copied().is_some_and(alphanumeric) || !bytes.last().copied().is_some_and(alphanumeric) {
            return false;
        }
        while start < bytes.len() {
            let run = bytes[start..].iter().position(|byte| !alphanumeric(*byte)).unwrap_or(bytes.len() - start);
            let from = start + run;
            let until = bytes[from..].iter().position(|byte| alphanumeric(*byte)).map_or(bytes.len(), |it| from + it);
            match &bytes[from..until] {
                b"" | b"." | b"_" | b"__" => {}
                dashes if dashes.iter().all(|byte| *byte == b'-') => {}
                _ => return false,
            }
            start = until;
        }
        true
    })
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn check_digest(digest: &str) -> Result<(), ImageRefError> {
    let (algorithm, hex) = digest.split_once(':').ok_or(ImageRefError::Format)?;
    let component = |it: &str| {
        it.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && it.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if !algorithm.split(['-', '_', '+', '.']).all(component)
        || hex.len() < 32
        || !hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Err(ImageRefError::Format);
    }
    let len = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err(ImageRefError::Algorithm),
    };
    if hex.len() != len {
        return Err(ImageRefError::DigestLength);
    }
    if hex.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(ImageRefError::Format);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn parts() {
        for (text, registry, path, tag) in [
            ("nginx", "docker.io", "nginx", "latest"),
            ("a/b:v1", "docker.io", "a/b", "v1"),
            ("localhost/a", "localhost", "a", "latest"),
            ("localhost:5000/a:1", "localhost:5000", "a", "1"),
            ("localhost:5000", "docker.io", "localhost", "5000"),
            ("UPPER/x", "UPPER", "x", "latest"),
            ("ghcr.io/a/b__c/d-e.f:V_1.2-x", "ghcr.io", "a/b__c/d-e.f", "V_1.2-x"),
            ("index.docker.io/nginx", "index.docker.io", "nginx", "latest"),
            ("docker.io/library/nginx", "docker.io", "library/nginx", "latest"),
            ("[2001:db8::1]:5000/a", "[2001:db8::1]:5000", "a", "latest"),
        ] {
            let parsed = parse(text).expect(text);
            assert_eq!((parsed.registry, parsed.path, parsed.tag, parsed.digest), (registry, path, tag, ""), "{text}");
        }
    }

    #[test]
    fn digests() {
        let only = format!("a/b@sha256:{HEX}");
        let parsed = parse(&only).expect("a reference");
        assert_eq!((parsed.tag, parsed.digest.len(), parsed.name()), ("", 71, "b"));
        assert_eq!(parsed.reference(), format!("docker.io/{only}"));
        assert_eq!(parsed.reference_with_tag(), "docker.io/a/b:");
        let both = format!("b:1@sha256:{HEX}");
        let parsed = parse(&both).expect("a reference");
        assert_eq!(parsed.reference(), format!("docker.io/b@sha256:{HEX}"));
        assert_eq!(parsed.reference_with_tag(), "docker.io/b:1");
        assert_eq!(parse(&format!("a@md5:{}", &HEX[..32])), Err(ImageRefError::Algorithm));
        assert_eq!(parse(&format!("a@sha256:{}", &HEX[..40])), Err(ImageRefError::DigestLength));
    }

    #[test]
    fn invalid() {
        for text in [
            "",
            ":",
            "a:",
            "a b",
            "Nginx",
            "a/B",
            "a//b",
            "/a",
            "a/",
            "a@",
            "a@sha256:12",
            "a:-x",
            "-a",
            "a..b",
            "a_-b",
            "a___b",
            " nginx",
            "x.y_z/a",
            "é/a",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("Nginx"), Err(ImageRefError::Uppercase));
        assert_eq!(parse(&"a".repeat(256)), Err(ImageRefError::TooLong));
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(text in "[a-zA-Z0-9./:@_-]{0,20}") {
            if let Ok(parsed) = parse(&text) {
                let reference = parsed.reference();
                prop_assert_eq!(parse(&reference).map(|it| it.reference()), Ok(reference.clone()));
            }
        }
    }
}
