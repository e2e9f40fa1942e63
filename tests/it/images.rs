//! Signatures of images that are at hand: `--images` with layouts that the tests write, signed with keys that they make.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::scratch::Scratch;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).expect("a key")
}

/// What stands before the point of a public key over P-256 in DER.
const HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

fn pem(seed: u8) -> String {
    let point = key(seed).verifying_key().to_sec1_point(false);
    let der = STANDARD.encode([&HEADER, point.as_bytes()].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
}

/// An image layout below `images/`.
struct Layout<'s> {
    scratch: &'s Scratch,
    entries: Vec<Json>,
}

impl<'s> Layout<'s> {
    fn new(scratch: &'s Scratch) -> Self {
        scratch.write("images/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        Self { scratch, entries: Vec::new() }
    }

    fn blob(&self, bytes: &[u8]) -> String {
        let hex = Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        self.scratch.write(&format!("images/blobs/sha256/{hex}"), bytes);
        format!("sha256:{hex}")
    }

    fn image(&mut self, name: &str) -> String {
        self.manifest(&json!({ "config": { "digest": self.blob(name.as_bytes()) } }), name)
    }

    fn manifest(&mut self, manifest: &Json, name: &str) -> String {
        let digest = self.blob(manifest.to_string().as_bytes());
        self.entries.push(json!({ "digest": digest, "annotations": { "org.opencontainers.image.ref.name": name } }));
        digest
    }

    fn sign(&mut self, repository: &str, digest: &str, seed: u8, environment: &str) {
        let payload = json!({
            "critical": {
                "identity": { "docker-reference": repository },
                "image": { "docker-manifest-digest": digest },
                "type": "cosign container image signature"
            },
            "optional": { "env": environment }
        });
        let payload = payload.to_string();
        let signature: Signature = key(seed).sign(payload.as_bytes());
        let layer = json!({
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": self.blob(payload.as_bytes()),
            "annotations": { "dev.cosignproject.cosign/signature": STANDARD.encode(signature.to_der()) }
        });
        let name = format!("{repository}:{}.sig", digest.replace(':', "-"));
        self.manifest(&json!({ "layers": [layer] }), &name);
    }

    fn finish(self) {
        self.scratch.write("images/index.json", json!({ "manifests": self.entries }).to_string());
    }
}

/// A world with three images: signed by key 1 for `prod`, signed by key 2, not signed.
fn world() -> Scratch {
    let scratch = Scratch::repository();
    let mut layout = Layout::new(&scratch);
    let first = layout.image("r.io/team/first:1");
    let second = layout.image("r.io/team/second:1");
    layout.image("r.io/team/third:1");
    layout.sign("r.io/team/first", &first, 1, "prod");
    layout.sign("r.io/team/second", &second, 2, "test");
    layout.finish();
    scratch
}

fn pod(image: &str) -> String {
    format!(
        "{{ apiVersion: v1, kind: Pod, metadata: {{ name: p, namespace: shop }}, \
         spec: {{ containers: [{{ name: a, image: \"{image}\" }}] }} }}\n"
    )
}

fn keys(seeds: &[u8], rest: &str) -> String {
    let pem: String = seeds.iter().map(|seed| pem(*seed)).collect();
    json!({ "keys": { "publicKeys": pem, "rekor": { "url": "https://rekor.example", "ignoreTlog": rest != "log" } } })
        .to_string()
}

fn rule(set: &str) -> String {
    format!(
        "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{ name: signed }}
spec:
  validationFailureAction: Enforce
  rules:
    - name: by-us
      match: {{ any: [{{ resources: {{ kinds: [Pod] }} }}] }}
      verifyImages: [{{ imageReferences: ['r.io/*'], attestors: [{set}] }}]
"
    )
}

#[test]
fn rules_verify_what_is_at_hand() {
    let world = world();
    let any = format!("{{ count: 1, entries: [{}] }}", keys(&[1, 2], ""));
    let all = format!("{{ entries: [{}] }}", keys(&[1, 2], ""));
    let one = format!("{{ entries: [{}] }}", keys(&[1], ""));
    let logged = format!("{{ entries: [{}] }}", keys(&[1], "log"));
    let annotated = one.replacen('{', "{ ", 1).replace("[{", "[{\"annotations\":{\"env\":\"test\"},");
    let keyless = "{ entries: [{ keyless: { issuer: i, subject: s, rekor: { url: 'https://r' } } }] }".to_owned();
    let path = ".attestors[0].entries[0].keys";
    for (set, image, code, expected) in [
        (&one, "r.io/team/first:1", 0, String::new()),
        (&any, "r.io/team/second:1", 0, String::new()),
        (&one, "r.io/team/second:1", 1, format!("{path}: no matching signatures")),
        (&one, "r.io/team/third:1", 1, format!("{path}: no signatures found")),
        (&all, "r.io/team/first:1", 1, ".attestors[0].entries[1].keys: no matching signatures".to_owned()),
        (&annotated, "r.io/team/first:1", 1, format!("{path}: no signature matched the required annotations")),
        (
            &logged,
            "r.io/team/first:1",
            1,
            "the transparency log that must know the signature is not at hand".to_owned(),
        ),
        (&logged, "r.io/team/second:1", 1, format!("{path}: no matching signatures")),
        (&keyless, "r.io/team/first:1", 1, "the trust root of the transparency log is not at hand".to_owned()),
        (&one, "r.io/team/fourth:1", 1, "its signatures are known to its registry only".to_owned()),
    ] {
        world.write("policy.yaml", rule(set)).write("pod.yaml", pod(image));
        let ran = world.admit(&["check", "--images", "images", "--format", "json"]);
        assert_eq!(ran.code, code, "{set} {image}\n{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(&expected), "{expected}\n{}", ran.stdout);
    }
    world.write("policy.yaml", rule(&one)).write("pod.yaml", pod("r.io/team/first:1"));
    let ran = world.admit(&["apply", "policy.yaml", "-r", "pod.yaml", "--images", "images"]);
    assert!(ran.stdout.contains("fail: 1"), "Kyverno's command line wants a digest: {}", ran.stdout);
    world.admit(&["check"]).exits(1);
}

#[test]
fn image_policies_verify_what_is_at_hand() {
    let world = world();
    let attestor = |rest: &str| {
        let mut cosign = json!({ "key": { "data": pem(1) }, "ctlog": { "insecureIgnoreTlog": true } });
        if rest == "log" {
            cosign["ctlog"] = json!({});
        }
        cosign.to_string()
    };
    let policy = |cosign: &str, expression: &str| {
        format!(
            "
apiVersion: policies.kyverno.io/v1
kind: ImageValidatingPolicy
metadata: {{ name: signed }}
spec:
  matchConstraints:
    resourceRules: [{{ apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods] }}]
  attestors: [{{ name: us, cosign: {cosign} }}]
  validations: [{{ message: not signed, expression: \"{expression}\" }}]
"
        )
    };
    let counts = "images.containers.all(it, verifyImageSignatures(it, [attestors.us]) > 0)";
    for (cosign, expression, image, code, expected) in [
        (attestor(""), counts, "r.io/team/first:1", 0, ""),
        (attestor(""), counts, "r.io/team/second:1", 1, "not signed"),
        (attestor(""), counts, "r.io/team/third:1", 1, "not signed"),
        (attestor("log"), counts, "r.io/team/first:1", 1, "the transparency log that must know the signature"),
        (attestor(""), counts, "r.io/team/fourth:1", 1, "what its registry holds is not known here"),
        (attestor(""), "true", "r.io/team/first:1", 1, "is not verified: no policy performed a signature"),
    ] {
        world.write("policy.yaml", policy(&cosign, expression)).write("pod.yaml", pod(image));
        let ran = world.admit(&["check", "--images", "images", "--format", "json"]);
        assert_eq!(ran.code, code, "{expression} {image}\n{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(expected), "{expected}\n{}", ran.stdout);
    }
}

#[test]
fn nobody_and_nothing_certain_verify_no_image() {
    let world = world();
    let entry = |attestors: &str| rule("").replace("attestors: []", attestors);
    let key = pem(1).replace('\n', "\\n");
    for (attestors, image, code, expected) in [
        ("key: ' '".to_owned(), "r.io/team/third:1", 1, "failed to load public key from PEM"),
        ("key: ''".to_owned(), "r.io/team/third:1", 1, "unverified image r.io/team/third:1"),
        ("attestors: [{ entries: [{ keys: { publicKeys: ' ' } }] }]".to_owned(), "r.io/team/first:1", 1, "PEM"),
        (format!("key: \"{key}\""), "r.io/team/second:1", 1, "no matching signatures"),
        (format!("attestors: [{{ entries: [{}] }}]", keys(&[1], "")), "r.io/team/first:1", 0, ""),
        (
            format!("validate: {{ message: never, deny: {{}} }}, attestors: [{{ entries: [{}] }}]", keys(&[1], "")),
            "r.io/team/first:1",
            1,
            "validation in verifyImages failed: never",
        ),
    ] {
        world.write("policy.yaml", entry(&attestors)).write("pod.yaml", pod(image));
        let ran = world.admit(&["check", "--images", "images", "--format", "json"]);
        assert_eq!(ran.code, code, "{attestors}\n{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(expected), "{expected}\n{}", ran.stdout);
    }
    // A name that stands for two images: one of them is signed, and nobody knows which one is meant.
    let mut layout = Layout::new(&world);
    layout.image("r.io/team/second:1");
    let first = layout.image("r.io/team/first:1");
    layout.sign("r.io/team/first", &first, 1, "prod");
    let other = layout.blob(b"{}");
    layout.entries.insert(0, json!({ "digest": other, "annotations": layout.entries[1]["annotations"] }));
    layout.finish();
    let signed = entry(&format!("attestors: [{{ entries: [{}] }}]", keys(&[1], "")));
    world.write("policy.yaml", signed).write("pod.yaml", pod("r.io/team/first:1"));
    world.admit(&["check", "--images", "images"]).exits(1).says("its signatures are known to its");
    // The digest of a signed image in a place where nobody signed it.
    world.write("pod.yaml", pod(&format!("r.io/other/first@{first}")));
    world.admit(&["check", "--images", "images"]).exits(1).says("no signatures found");
    world.write("pod.yaml", pod(&format!("r.io/team/first:latest@{first}")));
    world.admit(&["check", "--images", "images"]).exits(0);
}

#[test]
fn what_is_no_layout_ends_the_run() {
    let world = world();
    world.write("policy.yaml", rule("{ entries: [] }")).write("pod.yaml", pod("r.io/a/b:1"));
    world.admit(&["check", "--images", "nowhere"]).exits(2).complains("--images nowhere");
    world.write("images/index.json", "{");
    world.admit(&["check", "--images", "images"]).exits(2).complains("`index.json` is no JSON");
    world.admit(&["apply", "policy.yaml", "-r", "pod.yaml", "--images", "images"]).exits(1);
}

#[test]
fn a_manifest_does_not_say_of_itself_that_it_is_verified() {
    let world = world();
    let claim =
        pod("r.io/team/first:1").replace("name: p,", "name: p, annotations: { kyverno.io/verify-images: '{}' },");
    world.write("policy.yaml", rule(&format!("{{ entries: [{}] }}", keys(&[1], "")))).write("pod.yaml", &claim);
    let ran = world.admit(&["check", "--images", "images"]).exits(1);
    assert!(ran.stdout.contains("images/claim"), "{}", ran.stdout);
    world.write("policy.yaml", rule("{ entries: [] }").replace("kinds: [Pod]", "kinds: [Job]"));
    world.admit(&["check"]).says_not("images/claim");
}
