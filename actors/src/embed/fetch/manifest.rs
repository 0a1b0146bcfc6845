//! What the hub told of files whose content is not known beforehand, kept beside them: they are held to it ever after.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Its name in the folder of the files.
pub const NAME: &str = "manifest.json";

/// Where files came from, and what they must be.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The repository.
    pub repository: String,
    /// Its commit.
    pub commit: String,
    /// The SHA-256 of each file, by its name.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// The one in a folder; empty where there is none that can be read.
    pub fn read(folder: &Path) -> Self {
        let text = fs::read(folder.join(NAME)).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join(NAME), serde_json::to_vec_pretty(self)?)
    }

    /// The SHA-256 of a file, where it is one: it names the file in the folder.
    pub fn sha256(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str).filter(|text| is_hex(text, 64))
    }
}

/// Whether a text is so many hexadecimal digits.
pub fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
