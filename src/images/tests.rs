//! Layouts that the tests write themselves.

use serde_json::json;

use super::*;

/// A layout in memory.
#[derive(Default)]
struct Layout {
    files: HashMap<String, Vec<u8>>,
    entries: Vec<Json>,
}

impl Layout {
    fn blob(&mut self, bytes: &[u8]) -> String {
        let hex = Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        self.files.insert(format!("blobs/sha256/{hex}"), bytes.to_vec());
        format!("sha256:{hex}")
    }

    fn entry(&mut self, manifest: &Json, annotations: Json) -> String {
        let digest = self.blob(manifest.to_string().as_bytes());
        self.entries.push(json!({ "digest": digest, "annotations": annotations }));
        digest
    }

    fn sign(&mut self, digest: &str, name: Json, subject: Json) {
        let payload =
            json!({ "critical": { "image": { "docker-manifest-digest": digest } }, "optional": { "a": "b" } });
        let payload = self.blob(payload.to_string().as_bytes());
        let layer = json!({ "mediaType": SIGNED, "digest": payload, "annotations": { (SIGNATURE): "c2ln" } });
        self.entry(&json!({ "layers": [layer], "subject": subject }), name);
    }

    fn read(mut self) -> Result<Store, String> {
        self.files.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        let index = json!({ "manifests": self.entries });
        self.files.entry("index.json".to_owned()).or_insert_with(|| index.to_string().into_bytes());
        Store::read(&|path| self.files.get(path).cloned().ok_or_else(|| format!("`{path}` is missing")))
    }
}

fn named(name: &str) -> Json {
    json!({ "org.opencontainers.image.ref.name": name })
}

#[test]
fn images_are_found_by_full_names_and_digests() {
    let mut layout = Layout::default();
    let first = layout.entry(&json!({ "layers": [] }), named("r.io/team/app:1"));
    let second = layout.entry(&json!({ "layers": [1] }), named("latest"));
    let store = layout.read().expect("a layout");
    assert_eq!(store.digest_of("r.io/team/app:1"), Some(first.as_str()));
    assert_eq!(store.digest_of(&format!("any.io/thing@{second}")), Some(second.as_str()));
    assert_eq!(store.digest_of("docker.io/latest:latest"), None);
    assert_eq!(store.digest_of("r.io/team/app:2"), None);
}

#[test]
fn signatures_are_found_where_a_registry_has_them() {
    let mut layout = Layout::default();
    let digest = layout.entry(&json!({}), named("r.io/team/app:1"));
    let hex = digest.replace(':', "-");
    layout.sign(&digest, named(&format!("r.io/team/app:{hex}.sig")), Json::Null);
    layout.sign(&digest, json!({}), json!({ "digest": digest }));
    layout.sign(&digest, named("r.io/team/app:other.sig"), Json::Null);
    layout.sign(&digest, named(&format!("elsewhere.io/sigs:{hex}.sig")), Json::Null);
    let store = layout.read().expect("a layout");
    assert_eq!(store.signatures(&digest, "r.io/team/app").count(), 2);
    assert_eq!(store.signatures(&digest, "elsewhere.io/sigs").count(), 2);
    assert_eq!(store.signatures("sha256:0", "r.io/team/app").count(), 0);
    let first = store.signatures(&digest, "r.io/team/app").next().expect("a signature");
    assert_eq!((first.signature.as_slice(), first.has("a", "b"), first.has("a", "c")), (&b"sig"[..], true, false));
}

#[test]
fn what_is_no_layout_says_why() {
    let mut changed = Layout::default();
    let digest = changed.entry(&json!({ "layers": [] }), json!({}));
    changed.files.insert(format!("blobs/sha256/{}", &digest[7..]), b"{}".to_vec());
    let mut wild = Layout::default();
    wild.entries.push(json!({ "digest": "sha256:../../x" }));
    let mut broken = Layout::default();
    broken.files.insert("index.json".to_owned(), b"{".to_vec());
    for (layout, expected) in [(changed, "another digest"), (wild, "no digest"), (broken, "no JSON")] {
        let error = layout.read().expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}
