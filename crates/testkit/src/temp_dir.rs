//! A folder of its own for a test, removed with everything in it.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folder; dropping it removes it.
pub struct TestDir(PathBuf);

impl Default for TestDir {
    fn default() -> Self {
        Self::new()
    }
}

impl TestDir {
    /// Makes one.
    pub fn new() -> Self {
        let path = env::temp_dir().join(format!("gateway-test-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The address of a database file in the folder.
    pub fn url(&self) -> String {
        format!("sqlite://{}", self.0.join("gateway.db").display())
    }

    /// Everything that the files of the folder hold, one after the other.
    pub fn bytes(&self) -> Vec<u8> {
        let files = fs::read_dir(&self.0).unwrap();
        files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
