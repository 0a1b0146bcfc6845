//! Writes the log behind: a line costs a request a copy, not a system call.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a line may wait before it is written.
const LONGEST_WAIT: Duration = Duration::from_millis(25);

/// How many bytes may wait before the next line writes them itself.
const MOST_WAITING: usize = 256 << 10;

/// The log's end: dropping it writes what still waits.
pub struct LogWriter {
    /// Where lines go in.
    pub lines: Lines,
}

/// Takes lines, and holds them until they are written.
#[derive(Clone)]
pub struct Lines(Arc<Mutex<Waiting>>);

struct Waiting {
    bytes: Vec<u8>,
    out: Box<dyn Write + Send>,
}

impl LogWriter {
    /// Starts the thread that writes lines to `out`.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(out: Box<dyn Write + Send>) -> io::Result<Self> {
        let lines = Lines(Arc::new(Mutex::new(Waiting { bytes: Vec::new(), out })));
        let waiting = lines.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(LONGEST_WAIT);
                // A log that cannot be written has nowhere to say so; the next round tries again with what comes then.
                let _ = waiting.lock().write_out();
            }
        })?;
        Ok(Self { lines })
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // As above: nowhere to say it.
        let _ = self.lines.lock().write_out();
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn write_out(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let result = self.out.write_all(&self.bytes).and_then(|()| self.out.flush());
        self.bytes.clear();
        result
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        waiting.bytes.extend_from_slice(line);
        if waiting.bytes.len() > MOST_WAITING {
            waiting.write_out()?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_last_lines_are_written_at_the_end() {
        let kept = Kept::default();
        let writer = LogWriter::start(Box::new(kept.clone())).unwrap();
        let mut lines = writer.lines.clone();
        lines.write_all(b"one\n").unwrap();
        lines.write_all(b"two\n").unwrap();
        drop(writer);
        assert_eq!(*kept.0.lock().unwrap(), b"one\ntwo\n");
    }
}
