//! `LogWriter`: the only one who writes the log. Nobody waits for it: a line costs a request a copy, not a system call.

mod buffer;
mod output;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use gateway_actors::runtime::registry::Observed;
use gateway_actors::runtime::stats::{ActorReport, ActorStats};
use prometheus::IntCounter;
use serde_json::json;

pub use output::Output;

use buffer::Buffer;
use output::Wrote;

/// How long a line may wait before it is written.
const MAX_WAIT: Duration = Duration::from_millis(25);

/// How many bytes of lines may wait; a line beyond them is dropped.
const MAX_WAITING: usize = 8 << 20;

/// How often lines that were dropped are told.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How long the writer sleeps where there is nothing to do.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3_600);

/// How long the end of the process waits for the last lines.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(1);

/// The log's end: dropping it waits a moment for the last lines to be written.
pub struct LogWriter {
    /// Where lines go in.
    pub lines: Lines,
}

/// Takes lines, and never waits; clones share it.
#[derive(Clone)]
pub struct Lines(Arc<WriterState>);

struct WriterState {
    buffer: Buffer,
    stats: Arc<ActorStats>,
    dropped: IntCounter,
    wants_reopening: AtomicBool,
}

impl LogWriter {
    /// Starts the thread that writes lines to `output`.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(output: Output) -> io::Result<Self> {
        let help = "Log lines that did not fit into the buffer, or could not be written";
        let dropped = IntCounter::new("gateway_log_lines_dropped_total", help).map_err(io::Error::other)?;
        let shared = Arc::new(WriterState {
            buffer: Buffer::new(MAX_WAITING),
            stats: ActorStats::new("log_writer", "log", 0),
            dropped,
            wants_reopening: AtomicBool::new(false),
        });
        let lines = Lines(shared.clone());
        std::thread::Builder::new().name("log".to_owned()).spawn(move || Writer::new(shared, output).run())?;
        Ok(Self { lines })
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.lines.0.buffer.wait_until_written(LAST_LINES_TIMEOUT);
    }
}

impl Lines {
    /// Has the log file opened anew before the next line, for example because it was renamed. Standard output stays.
    pub fn reopen(&self) {
        self.0.wants_reopening.store(true, Ordering::Release);
        self.0.buffer.wake();
    }

    /// Lines that were dropped since the start.
    pub fn dropped(&self) -> &IntCounter {
        &self.0.dropped
    }

    /// Takes one line.
    pub fn push(&self, line: &[u8]) {
        if !self.0.buffer.push(line) {
            self.0.dropped.inc();
        }
    }

    /// Shows in the counters how many lines wait.
    pub fn show_depth(&self) {
        self.0.stats.set_depth(self.0.buffer.waiting().0);
    }

    /// The counters and state of its actor, for `GET /admin/actors`.
    pub fn report(&self) -> ActorReport {
        let (lines, bytes) = self.0.buffer.waiting();
        let state = json!({
            "waiting_bytes": bytes,
            "max_waiting_bytes": MAX_WAITING,
            "dropped_lines": self.dropped().get(),
            "blocked_ms": self.0.buffer.writing_since().map_or(0, |since| since.elapsed().as_millis() as u64),
        });
        ActorReport { mailbox_depth: lines, state, ..self.0.stats.report() }
    }
}

impl Observed for Lines {
    fn stats(&self) -> &Arc<ActorStats> {
        &self.0.stats
    }

    fn observe(&self) -> LocalBoxFuture<'_, ActorReport> {
        Box::pin(async { self.report() })
    }
}

impl Write for Lines {
    /// Takes one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the thread does.
struct Writer {
    shared: Arc<WriterState>,
    output: Output,
    /// Dropped lines that were told.
    told: u64,
    told_at: Instant,
    /// Whether the last lines could be written.
    flows: bool,
}

impl Writer {
    fn new(shared: Arc<WriterState>, output: Output) -> Self {
        Self { shared, output, told: 0, told_at: Instant::now(), flows: true }
    }

    fn run(mut self) {
        loop {
            let is_told = self.shared.dropped.get() == self.told;
            let lines = self.shared.buffer.take(if is_told { IDLE_TIMEOUT } else { REPORT_INTERVAL }, MAX_WAIT);
            if self.shared.wants_reopening.swap(false, Ordering::AcqRel) {
                self.reopen();
            }
            if !lines.is_empty() {
                self.write(&lines);
            }
            if self.flows {
                self.tell_dropped();
            }
            self.shared.buffer.written(lines);
        }
    }

    fn write(&mut self, lines: &[u8]) {
        let handling = self.shared.stats.handling();
        let wrote = self.output.write_lines(lines);
        self.flows = matches!(wrote, Wrote::All);
        if let Wrote::Part { lost, error } = wrote {
            self.shared.dropped.inc_by(lost);
            handling.fail(&error.to_string());
        }
    }

    /// Says once a second, when the log flows, how many lines are missing.
    fn tell_dropped(&mut self) {
        let dropped = self.shared.dropped.get();
        if dropped > self.told && self.told_at.elapsed() >= REPORT_INTERVAL && self.shared.buffer.has_room() {
            log::warn!(lines = dropped - self.told; "log lines were dropped because the log could not be written");
            (self.told, self.told_at) = (dropped, Instant::now());
        }
    }

    fn reopen(&mut self) {
        match self.output.reopen() {
            Ok(()) => log::info!("the log file was reopened"),
            Err(error) => {
                self.shared.stats.fail(&error.to_string());
                log::error!("the log file cannot be reopened: {error}; the previous one stays in use");
            }
        }
    }
}

#[cfg(test)]
mod tests;
