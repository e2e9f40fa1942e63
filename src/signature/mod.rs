//! Public keys, and what they have signed.
//!
//! In: keys in PEM, bytes, signatures. Out: whether a key signed the bytes. Offline: nobody is asked about a key.
//! The digest is SHA-256, as `cosign sign-blob` and `openssl dgst -sha256 -sign` have it.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::{
    pkcs1v15::{self, Signature as RsaSignature},
    pkcs8::DecodePublicKey as _,
    signature::Verifier as _,
};
use sha2::{Digest as _, Sha256};
use x509_parser::pem::parse_x509_pem;

/// A key that signatures are verified with.
#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    /// ECDSA over P-256.
    P256(Box<p256::ecdsa::VerifyingKey>),
    /// ECDSA over P-384.
    P384(Box<p384::ecdsa::VerifyingKey>),
    /// RSA with PKCS #1 v1.5 padding.
    Rsa(Box<pkcs1v15::VerifyingKey<Sha256>>),
    /// Ed25519, which signs the bytes themselves.
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

impl PublicKey {
    /// Reads a key, or that of a certificate, in PEM; `None` for anything else, and for kinds of keys that are not known.
    pub(crate) fn parse(pem: &str) -> Option<Self> {
        let (_, pem) = parse_x509_pem(pem.as_bytes()).ok()?;
        match pem.label.as_str() {
            "PUBLIC KEY" => Self::from_der(&pem.contents),
            "CERTIFICATE" => Self::from_der(pem.parse_x509().ok()?.public_key().raw),
            _ => None,
        }
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let p256 = || Some(Self::P256(Box::new(p256::ecdsa::VerifyingKey::from_public_key_der(der).ok()?)));
        let p384 = || Some(Self::P384(Box::new(p384::ecdsa::VerifyingKey::from_public_key_der(der).ok()?)));
        let rsa = || Some(Self::Rsa(Box::new(pkcs1v15::VerifyingKey::from_public_key_der(der).ok()?)));
        let ed25519 = || Some(Self::Ed25519(Box::new(ed25519_dalek::VerifyingKey::from_public_key_der(der).ok()?)));
        p256().or_else(p384).or_else(rsa).or_else(ed25519)
    }

    /// Whether the key made a signature over a message.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            PublicKey::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&Sha256::digest(message), &signature).is_ok()),
            PublicKey::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&Sha256::digest(message), &signature).is_ok()),
            PublicKey::Rsa(key) => {
                RsaSignature::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            PublicKey::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    const MESSAGE: &[u8] = include_bytes!("testdata/message.yaml");

    fn signature(text: &str) -> Vec<u8> {
        STANDARD.decode(text.lines().collect::<String>()).expect("base64")
    }

    #[test]
    fn a_key_has_signed_what_it_signed_and_nothing_else() {
        let pairs = [
            (include_str!("testdata/p256.pem"), include_str!("testdata/p256.sig")),
            (include_str!("testdata/p384.pem"), include_str!("testdata/p384.sig")),
            (include_str!("testdata/rsa.pem"), include_str!("testdata/rsa.sig")),
            (include_str!("testdata/ed25519.pem"), include_str!("testdata/ed25519.sig")),
        ];
        for (index, (pem, _)) in pairs.iter().enumerate() {
            let key = PublicKey::parse(pem).expect(pem);
            for (other, (_, text)) in pairs.iter().enumerate() {
                let mut signature = signature(text);
                assert_eq!(key.has_signed(MESSAGE, &signature), index == other, "{pem}{text}");
                assert!(!key.has_signed(b"another message", &signature), "{pem}{text}");
                if let Some(last) = signature.last_mut() {
                    *last ^= 1;
                }
                assert!(!key.has_signed(MESSAGE, &signature), "{pem}{text}");
            }
            assert!(!key.has_signed(MESSAGE, &[]));
        }
    }

    #[test]
    fn the_key_of_a_certificate_is_a_key_and_other_texts_are_none() {
        let key = PublicKey::parse(include_str!("testdata/certificate.pem")).expect("a certificate");
        assert!(key.has_signed(MESSAGE, &signature(include_str!("testdata/p256.sig"))));
        let pem = include_str!("testdata/p256.pem");
        let cut = pem.replace("SH3djvjsfS4IIYS+yvdQ==", "");
        let other = pem.replace("PUBLIC KEY", "PRIVATE KEY");
        for text in ["", "x", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", &cut, &other] {
            assert!(PublicKey::parse(text).is_none(), "{text}");
        }
    }
}
