//! Files that their owner alone may see.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::{fs, io};

/// Creates the folder of a private file, open to its owner alone; a folder that is there keeps its mode.
///
/// # Errors
/// Where the operating system refuses.
pub(crate) fn create_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)
        }
        _ => Ok(()),
    }
}
