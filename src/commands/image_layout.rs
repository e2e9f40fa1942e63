//! `--images DIR`: images and signatures that are at hand.
//!
//! In: directories. Out: what they hold together, or which of them is no image layout.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::RunError;
use crate::{
    images::Store,
    source::{At, Entry, Reader},
};

/// Bytes of a manifest or a signature that are read. Layers, which are larger, are never asked for.
const MAX_BYTES: u64 = 8 << 20;

/// Reads layouts; `None` where there is none to read.
pub(crate) fn read(directories: &[PathBuf], current: &Path) -> Result<Option<Arc<Store>>, RunError> {
    let mut out: Option<Store> = None;
    for directory in directories {
        let open = |path: &str| {
            let entry = Entry { path: path.into(), at: At::Named(current.join(directory).join(path)) };
            let blob = Reader::files(MAX_BYTES).read(&entry).map_err(|skip| format!("`{path}`: {skip}"))?;
            Ok(blob.bytes)
        };
        let store = Store::read(&open).map_err(|error| {
            let error = RunError::new(format!("--images {}: {error}", directory.display()));
            error.hint("name a directory with `oci-layout` and `index.json`, as `cosign save` and `skopeo copy` write")
        })?;
        out.get_or_insert_default().extend(store);
    }
    Ok(out.map(Arc::new))
}
