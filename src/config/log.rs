//! `[log]`: the log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use log::LevelFilter;
use serde::{Deserialize, Serialize};

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Log level: error, warn, info, debug or trace.
    pub level: String,
    /// File to append to; empty for standard output.
    pub file: String,
    /// Whether each request gets a line.
    pub requests: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), file: String::new(), requests: true }
    }
}

/// The level must be one, and the file writable before the log is needed.
pub(super) fn check(log: &LogSettings, wrong: &mut dyn FnMut(&str, String)) {
    if log.level.parse::<LevelFilter>().is_err() {
        wrong("log.level", format!("'{}' must be one of error, warn, info, debug, trace", log.level));
    }
    if !log.file.is_empty()
        && let Err(error) = check_file(Path::new(&log.file))
    {
        wrong("log.file", format!("{}: {error}", log.file));
    }
}

/// Whether lines can be appended to a file that is there, or it can be made; nothing of this stays behind.
///
/// # Errors
/// Where they cannot.
fn check_file(path: &Path) -> io::Result<()> {
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
