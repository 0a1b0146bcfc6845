//! One file of a journal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A file that rows are appended to. It is removed with its last user once it is sealed and all of its rows are in the
/// store; one with rows that are not stays for whoever comes next.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    end: Mutex<End>,
    bytes: AtomicU64,
    waiting: AtomicU64,
    sealed: AtomicBool,
    refused: AtomicBool,
}

/// Where the next line begins.
#[derive(Debug)]
struct End {
    /// None once it is sealed: a file that is only waited for costs no descriptor.
    file: Option<File>,
    at: u64,
    /// Whether half a line stands there, which could not be taken away.
    torn: bool,
}

/// A row that is in the journal and not in the store.
#[derive(Debug)]
#[must_use = "tell when the row is in the store"]
pub struct JournalPosition {
    pub(super) segment: Arc<Segment>,
    /// Where its line begins, and how many bytes it has.
    pub(super) line: (u64, u64),
}

impl Segment {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self::new(path, file))
    }

    fn new(path: &Path, file: File) -> Self {
        Self {
            path: path.to_owned(),
            end: Mutex::new(End { file: Some(file), at: 0, torn: false }),
            bytes: AtomicU64::default(),
            waiting: AtomicU64::default(),
            sealed: AtomicBool::default(),
            refused: AtomicBool::default(),
        }
    }

    /// Appends lines in one write, all or none, and one caller after the other: the operating system would let appends of
    /// several threads wait for each other too. What a full disk leaves of them is taken away again. Gives none where it is
    /// sealed.
    pub(super) fn append(segment: &Arc<Self>, lines: &[&str]) -> io::Result<Option<Vec<JournalPosition>>> {
        let mut end = segment.end.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(written) = end.append(lines) else { return Ok(None) };
        segment.refused.store(written.is_err(), Ordering::Relaxed);
        segment.bytes.store(end.at, Ordering::Relaxed);
        let mut at = written?;
        segment.waiting.fetch_add(lines.len() as u64, Ordering::Relaxed);
        let written = lines.iter().map(|line| {
            let length = line.len() as u64 + 1;
            at += length;
            JournalPosition { segment: segment.clone(), line: (at - length, length) }
        });
        Ok(Some(written.collect()))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether the disk did not take the last line.
    pub(super) fn has_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether it has rows that are not in the store.
    pub(super) fn has_rows(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Reads some bytes of it.
    pub(super) fn read(&self, (at, length): (u64, u64)) -> io::Result<Vec<u8>> {
        let file = File::open(&self.path)?;
        let mut text = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut text, at)?;
        Ok(text)
    }

    /// Nothing is appended any more, and no file is kept open.
    pub(super) fn seal(&self) {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).file = None;
        self.sealed.store(true, Ordering::Relaxed);
    }

    /// The process ends: nothing is appended any more.
    pub(super) fn close(&self) {
        self.remove();
    }

    fn remove(&self) {
        if self.has_rows() {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => log::warn!("journal: {error}"),
            _ => {}
        }
    }
}

impl End {
    /// Tells where the first line begins.
    fn append(&mut self, lines: &[&str]) -> Option<io::Result<u64>> {
        let file = self.file.as_mut()?;
        let length: usize = lines.iter().map(|line| line.len() + 1).sum();
        let mut text = String::with_capacity(length + 1);
        if self.torn {
            text.push('\n');
        }
        let before = text.len();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        if let Err(error) = file.write_all(text.as_bytes()) {
            self.torn = file.set_len(self.at).is_err();
            if self.torn {
                self.at = file.metadata().map_or(self.at, |file| file.len());
            }
            return Some(Err(error));
        }
        let at = self.at + before as u64;
        (self.at, self.torn) = (self.at + text.len() as u64, false);
        Some(Ok(at))
    }
}

impl JournalPosition {
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

#[cfg(test)]
mod tests {
    use gateway_testkit::temp_dir::TestDir;

    use super::*;

    /// J 11, L-4: what a disk that is full took of a line costs no other line.
    #[test]
    fn j11_half_a_line_costs_no_other_line() {
        let dir = TestDir::new();
        let path = dir.path().join("a.0.jsonl");
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let segment = Arc::new(Segment::new(&path, full));
        let append = |lines: &[&str]| Segment::append(&segment, lines).map(Option::unwrap);
        assert!(append(&["{\"id\":1}"]).is_err());
        assert!(segment.has_refused() && !segment.has_rows());
        // Such a file cannot be cut, so that the next line begins anew.
        assert!(segment.end.lock().unwrap().torn);
        fs::write(&path, "{\"id").unwrap();
        segment.end.lock().unwrap().file = Some(OpenOptions::new().append(true).open(&path).unwrap());
        segment.end.lock().unwrap().at = 4;
        let second = append(&["{\"id\":2}"]).unwrap();
        let others = append(&["{\"id\":3}", "{\"id\":40}"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"id\n{\"id\":2}\n{\"id\":3}\n{\"id\":40}\n");
        let lines = second.iter().chain(&others).map(|written| segment.read(written.line).unwrap());
        assert_eq!(lines.collect::<Vec<_>>(), [&b"{\"id\":2}\n"[..], b"{\"id\":3}\n", b"{\"id\":40}\n"]);
        assert!(segment.has_rows() && !segment.has_refused());
    }
}
