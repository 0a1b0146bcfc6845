//! Where the log goes, in whole lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// A file or standard output. A line that was begun is ended before another one begins.
pub struct Output {
    out: Box<dyn Write + Send>,
    path: Option<PathBuf>,
    /// The rest of a line of which a part is written.
    rest: Vec<u8>,
}

/// What became of some lines.
#[derive(Debug)]
pub(super) enum Wrote {
    /// All are written.
    All,
    /// So many are lost.
    Part { lost: u64, error: io::Error },
}

impl Output {
    /// Standard output, past the buffer that the standard library has for it, whose lock whoever writes holds.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn stdout() -> io::Result<Self> {
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self::to(Box::new(stdout)))
    }

    /// A file that is appended to.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn file(path: &str) -> io::Result<Self> {
        let path = PathBuf::from(path);
        let (file, rest) = open(&path)?;
        Ok(Self { out: Box::new(file), path: Some(path), rest })
    }

    pub(super) fn to(out: Box<dyn Write + Send>) -> Self {
        Self { out, path: None, rest: Vec::new() }
    }

    /// Opens the file anew, where it is one; the former one stays where that fails.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            let (file, rest) = open(path)?;
            // The rest of a line belongs to the former file.
            if let Err(error) = self.end_line() {
                log::warn!("the last line of the previous log file is incomplete: {error}");
            }
            (self.out, self.rest) = (Box::new(file), rest);
        }
        Ok(())
    }

    /// Writes lines, after the rest of a former one. Where that fails in the middle of a line, its rest is kept for the
    /// next time, and the lines after it are lost.
    pub(super) fn write_lines(&mut self, lines: &[u8]) -> Wrote {
        if let Err(error) = self.end_line() {
            return Wrote::Part { lost: count(lines), error };
        }
        let (written, result) = write(&mut *self.out, lines);
        let Err(error) = result else { return Wrote::All };
        let left = lines.get(written..).unwrap_or_default();
        let is_torn = written > 0 && lines.get(written - 1) != Some(&b'\n');
        let end = left.iter().position(|byte| *byte == b'\n');
        let rest = end.filter(|_| is_torn).map_or(0, |end| end + 1);
        self.rest = left.get(..rest).unwrap_or_default().to_vec();
        Wrote::Part { lost: count(left) - u64::from(rest > 0), error }
    }

    fn end_line(&mut self) -> io::Result<()> {
        let (written, result) = write(&mut *self.out, &self.rest);
        self.rest.drain(..written);
        result
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Writes, and tells how many bytes were written.
fn write(out: &mut dyn Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(left) = bytes.get(written..).filter(|left| !left.is_empty()) {
        match out.write(left) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, out.flush())
}

/// Opens a file, and tells what must be written first: the end of a line that somebody left unfinished.
fn open(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let is_torn = file.metadata()?.is_file() && last_byte(path).is_some_and(|last| last != b'\n');
    Ok((file, if is_torn { b"\n".to_vec() } else { Vec::new() }))
}

/// The last byte of a file that can be read.
fn last_byte(path: &Path) -> Option<u8> {
    let mut file = File::open(path).ok()?;
    file.seek(SeekFrom::End(-1)).ok()?;
    let mut last = [0];
    file.read_exact(&mut last).ok()?;
    last.first().copied()
}
