//! Checks that the log file is writable before the log is needed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Whether lines can be appended to a file that is there, or it can be made; nothing of this stays behind.
///
/// # Errors
/// Where they cannot.
pub(super) fn check(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() || there.is_dir() => OpenOptions::new().append(true).open(path).map(drop),
        // A pipe would wait for its reader.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Not the file itself: another process may make it at this moment.
            let probe = path.with_file_name(format!(".{}.probe", uuid::Uuid::new_v4().simple()));
            File::create_new(&probe)?;
            fs::remove_file(probe)
        }
        Err(error) => Err(error),
    }
}
