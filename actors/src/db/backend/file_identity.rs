//! Whether a path still leads to the file that was opened there: what is written into one that was deleted or replaced is
//! lost with the process.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::db::StoreError;

/// The file that was opened at a path.
#[derive(Clone, Debug)]
pub(in crate::db) struct FileIdentity {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file that is there now.
    pub(in crate::db) fn read(path: &Path) -> Result<Self, StoreError> {
        let file = fs::metadata(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), device: file.dev(), inode: file.ino() })
    }

    /// Refuses where the path leads to nothing or to another file.
    pub(in crate::db) fn check(&self) -> Result<(), StoreError> {
        match fs::metadata(&self.path) {
            Ok(file) if (file.dev(), file.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(StoreError::Replaced(self.path.clone())),
        }
    }
}
