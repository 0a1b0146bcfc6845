//! One file of a journal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A file that rows are appended to. It is removed with its last user once it is sealed and all of its rows are in the
/// store; one with rows that are not stays for whoever comes next.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    file: File,
    bytes: AtomicU64,
    waiting: AtomicU64,
    sealed: AtomicBool,
}

/// A row that is in the journal and not in the store.
#[derive(Debug)]
#[must_use = "tell when the row is in the store"]
pub struct Written {
    segment: Arc<Segment>,
}

impl Segment {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        let (bytes, waiting, sealed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self { path: path.to_owned(), file, bytes, waiting, sealed })
    }

    /// One write for the whole line: appends of several threads do not mix.
    pub(super) fn append(segment: &Arc<Self>, mut line: String) -> io::Result<Written> {
        line.push('\n');
        (&segment.file).write_all(line.as_bytes())?;
        segment.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
        segment.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(Written { segment: segment.clone() })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn seal(&self) {
        self.sealed.store(true, Ordering::Relaxed);
    }

    /// The process ends: nothing is appended any more.
    pub(super) fn close(&self) {
        self.remove();
    }

    fn remove(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => log::warn!("journal: {error}"),
            _ => {}
        }
    }
}

impl Written {
    /// The row is in the store: the journal need not keep it.
    pub fn stored(self) {
        self.segment.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.sealed.load(Ordering::Relaxed) {
            self.remove();
        }
    }
}
