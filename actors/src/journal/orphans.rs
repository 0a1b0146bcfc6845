//! What processes that are gone left in their journals.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The journal of a process that is gone. It is ours as long as this value lives.
#[derive(Debug)]
pub struct Orphan {
    folder: PathBuf,
    /// The name of the process.
    pub replica: String,
    _lock: File,
}

/// The journals in `folder` whose processes are gone.
///
/// # Errors
/// Where the folder cannot be read.
pub fn take_orphans(folder: &Path) -> io::Result<Vec<Orphan>> {
    let mut orphans = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(replica) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".lock")) else { continue };
        // Another process may be quicker, and then the file is gone.
        let Ok(lock) = OpenOptions::new().write(true).open(&path) else { continue };
        if lock.try_lock().is_ok() {
            orphans.push(Orphan { folder: folder.to_owned(), replica: replica.to_owned(), _lock: lock });
        }
    }
    Ok(orphans)
}

pub(super) fn segments_of(folder: &Path, replica: &str) -> io::Result<Vec<PathBuf>> {
    let prefix = format!("{replica}.");
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(&prefix) && name.ends_with(".jsonl") {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}

impl Orphan {
    /// Hands all whole lines to `take`, some at a time. A last line without its end was being written when the process
    /// died; the answer that it belongs to never ended.
    ///
    /// # Errors
    /// Where a file cannot be read, or `take` fails; nothing is then removed, and whoever comes next begins anew.
    pub async fn read<E>(
        &self,
        at_once: usize,
        mut take: impl AsyncFnMut(Vec<String>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<io::Error>,
    {
        for path in segments_of(&self.folder, &self.replica)? {
            let mut reader = BufReader::new(File::open(path)?);
            let mut lines = Vec::new();
            loop {
                let mut line = Vec::new();
                reader.read_until(b'\n', &mut line)?;
                let whole = line.pop_if(|byte| *byte == b'\n').is_some();
                if whole && let Ok(line) = String::from_utf8(line) {
                    lines.push(line);
                }
                if lines.len() >= at_once || (!whole && !lines.is_empty()) {
                    take(std::mem::take(&mut lines)).await?;
                }
                if !whole {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Removes the journal, whose rows are now in the store.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn remove(self) -> io::Result<()> {
        for path in segments_of(&self.folder, &self.replica)? {
            remove(&path)?;
        }
        remove(&super::lock_path(&self.folder, &self.replica))
    }
}

/// Another process may have been quicker between opening the lock and getting it.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
