use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard};

use super::*;

/// An output whose room is given, and which blocks or fails where there is none.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    kept: Vec<u8>,
    room: usize,
}

impl Disk {
    fn new(room: usize) -> Self {
        Self(Arc::new(Mutex::new(State { kept: Vec::new(), room })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.state().kept.clone()).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let count = bytes.len().min(state.room);
        state.room -= count;
        state.kept.extend_from_slice(&bytes[..count]);
        if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output that nobody reads, until the other end is used.
struct Pipe(mpsc::Receiver<()>, Disk);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_last_lines_are_written_at_the_end() {
    let disk = Disk::new(1_000);
    let writer = LogWriter::start(Output::to(Box::new(disk.clone()))).unwrap();
    let mut lines = writer.lines.clone();
    lines.write_all(b"one\n").unwrap();
    lines.write_all(b"two\n").unwrap();
    drop(writer);
    assert_eq!(disk.text(), "one\ntwo\n");
}

/// H-6, J 1: an output that takes nothing holds up neither who logs nor the end; what does not fit is counted, and lines are
/// whole when it flows again.
#[test]
fn h6_nobody_waits_for_an_output_that_blocks() {
    let (read, reads) = mpsc::channel();
    let disk = Disk::new(usize::MAX);
    let writer = LogWriter::start(Output::to(Box::new(Pipe(reads, disk.clone())))).unwrap();
    let mut lines = writer.lines.clone();
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    let begun = Instant::now();
    for _ in 0..30_000 {
        lines.write_all(&line).unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let report = lines.report();
    assert!(lines.dropped().get() > 10_000 && report.mailbox_depth > 7_000, "{report:?}");
    assert_eq!(report.state["dropped_lines"], lines.dropped().get());
    let begun = Instant::now();
    drop(writer);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    drop(read);
    lines.0.buffer.wait_until_written(Duration::from_secs(20));
    let text = disk.text();
    assert_eq!(text.lines().count() as u64, 30_000 - lines.dropped().get());
    assert!(text.lines().all(|line| line.len() == 1023));
}

/// J 22: a full disk loses whole lines, which are counted, and tears none for good.
#[test]
fn j22_a_full_disk_tears_no_line() {
    let disk = Disk::new(6);
    let mut output = Output::to(Box::new(disk.clone()));
    let lost = |wrote| match wrote {
        Wrote::All => 0,
        Wrote::Part { lost, .. } => lost,
    };
    assert_eq!(lost(output.write_lines(b"one\ntwo\nthree\nfour\n")), 2);
    assert_eq!(lost(output.write_lines(b"five\n")), 1);
    disk.state().room = 1;
    assert_eq!(lost(output.write_lines(b"six\n")), 1);
    disk.state().room = 100;
    assert_eq!(lost(output.write_lines(b"seven\n")), 0);
    assert_eq!(disk.text(), "one\ntwo\nseven\n");
}

/// F03: a renamed file is left, and a line that somebody left unfinished is ended.
#[test]
fn f03_a_file_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
    std::fs::write(&path, "torn").unwrap();
    let mut output = Output::file(path.to_str().unwrap()).unwrap();
    assert!(matches!(output.write_lines(b"one\n"), Wrote::All));
    std::fs::rename(&path, &old).unwrap();
    assert!(matches!(output.write_lines(b"two\n"), Wrote::All));
    output.reopen().unwrap();
    assert!(matches!(output.write_lines(b"three\n"), Wrote::All));
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "torn\none\ntwo\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
}
