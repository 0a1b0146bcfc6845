//! The usage journal: a row is written here before its answer ends, so that a killed process loses none.
//!
//! One line a row, in files that belong to one process: `REPLICA.N.jsonl`. The process holds a lock on `REPLICA.lock`
//! as long as it lives; the operating system takes the lock away with the process, so that whoever gets it next may take
//! up what was left. A written line survives SIGKILL, since it is in the operating system's hands. A row that a full disk
//! refuses is in memory alone, until the store or the disk takes it.

mod orphans;
mod rows;
mod segment;
mod spilled;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

pub use orphans::{Orphan, take_orphans};
pub use segment::{JournalPosition, Segment};
pub use spilled::SpilledRows;

/// This process' own journal.
pub struct Journal {
    folder: PathBuf,
    replica: String,
    number: AtomicU64,
    current: ArcSwap<Segment>,
    _lock: File,
}

impl Journal {
    /// Opens a journal in `folder`, which is made with mode 0700 if it is missing, under a name that no other process has.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn open(folder: &Path, replica: &str) -> io::Result<Self> {
        if !folder.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let lock = take_name(folder, replica)?;
        let current = Segment::create(&segment_path(folder, replica, 0))?;
        let current = ArcSwap::from_pointee(current);
        Ok(Self {
            folder: folder.to_owned(),
            replica: replica.to_owned(),
            number: AtomicU64::new(1),
            current,
            _lock: lock,
        })
    }

    /// Writes one row, a line of text without its end.
    ///
    /// # Errors
    /// Where the operating system refuses, for example because the disk is full.
    pub fn append(&self, line: &str) -> io::Result<JournalPosition> {
        let written = self.append_all(&[line])?;
        written.into_iter().next().ok_or_else(|| io::ErrorKind::WriteZero.into())
    }

    /// Writes some rows at once: all of them, or none.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_all(&self, lines: &[&str]) -> io::Result<Vec<JournalPosition>> {
        loop {
            // Who rotates puts the next file in place before the former one is sealed.
            if let Some(written) = Segment::append(&self.current.load_full(), lines)? {
                return Ok(written);
            }
        }
    }

    /// Whether the disk did not take the last row.
    pub fn refuses(&self) -> bool {
        self.current.load().has_refused()
    }

    /// Whether it has rows that are not in the store.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn has_rows(&self) -> io::Result<bool> {
        // Files of former rows are there as long as these are not in the store; the current one always is.
        Ok(self.current.load().has_rows() || orphans::segments_of(&self.folder, &self.replica)?.len() > 1)
    }

    /// How many bytes the current file has.
    pub fn bytes(&self) -> u64 {
        self.current.load().bytes()
    }

    /// Begins a new file, so that the former one can go once all of its rows are in the store.
    ///
    /// # Errors
    /// Where the operating system refuses; the former file then stays in use.
    pub fn rotate(&self) -> io::Result<()> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let next = Segment::create(&segment_path(&self.folder, &self.replica, number))?;
        self.current.swap(Arc::new(next)).seal();
        Ok(())
    }

    /// Ends the journal in good order: a file whose rows are all in the store is removed, and with none left the lock too.
    /// Nothing may be appended afterwards.
    pub fn close(&self) {
        self.current.load().close();
        if orphans::segments_of(&self.folder, &self.replica).is_ok_and(|left| left.is_empty())
            && let Err(error) = fs::remove_file(lock_path(&self.folder, &self.replica))
        {
            log::warn!("journal: {error}");
        }
    }
}

/// Makes the lock file, which is locked before it has its name: another process would take it for an orphan's.
fn take_name(folder: &Path, replica: &str) -> io::Result<File> {
    let unnamed = folder.join(format!("{replica}.new"));
    let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unnamed)?;
    let named =
        lock.try_lock().map_err(io::Error::other).and_then(|()| fs::hard_link(&unnamed, lock_path(folder, replica)));
    fs::remove_file(&unnamed)?;
    named.map(|()| lock)
}

fn lock_path(folder: &Path, replica: &str) -> PathBuf {
    folder.join(format!("{replica}.lock"))
}

fn segment_path(folder: &Path, replica: &str, number: u64) -> PathBuf {
    folder.join(format!("{replica}.{number}.jsonl"))
}

#[cfg(test)]
mod tests;
