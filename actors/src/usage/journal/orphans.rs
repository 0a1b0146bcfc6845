//! What processes that are gone left in their journals.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::rows::Rows;
use crate::usage::row::UsageRow;

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
        let number = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".jsonl"));
        if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
            segments.push((number, path));
        }
    }
    segments.sort();
    Ok(segments.into_iter().map(|(_, path)| path).collect())
}

impl Orphan {
    /// Hands all rows to `take`, some at a time, and tells how many pieces are no row. The last row comes first: of a row
    /// that was written again, the store keeps what it is given first. Half a line was being written when the process
    /// died, or was refused by a full disk.
    ///
    /// # Errors
    /// Where a file cannot be read, or `take` fails; nothing is then removed, and whoever comes next begins anew.
    pub async fn read<E>(
        &self,
        at_once: usize,
        mut take: impl AsyncFnMut(&[UsageRow]) -> Result<(), E>,
    ) -> Result<u64, E>
    where
        E: From<io::Error>,
    {
        let mut unreadable = 0;
        for path in segments_of(&self.folder, &self.replica)?.into_iter().rev() {
            let mut read = Rows::read(&fs::read(path)?);
            unreadable += read.unreadable;
            read.rows.reverse();
            for rows in read.rows.chunks(at_once) {
                take(rows).await?;
            }
        }
        Ok(unreadable)
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
