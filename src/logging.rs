//! JSON logs: one object a line.

pub(crate) mod writer;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::OnceLock;

use chrono::{DateTime, SecondsFormat, Utc};
use env_logger::fmt::Formatter;
use env_logger::{Builder, Target};
use gateway_actors::request::request_log;
use log::kv::{Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use serde_json::{Map, json};

use crate::config::LogSettings;
use writer::{Lines, LogWriter, Output};

static LINES: OnceLock<Lines> = OnceLock::new();

/// Starts the process' log; what it gives must be kept to the end, and writes the last lines when it is dropped.
///
/// # Errors
/// Where the log file cannot be opened, or a log was started before.
pub fn start(settings: &LogSettings) -> io::Result<LogWriter> {
    let level: LevelFilter = settings.level.parse().map_err(|_| io::Error::other("log.level is not a level"))?;
    let mut builder = Builder::new();
    // Libraries never log below warnings: at trace level they would write out headers, and with them credentials (H1).
    builder.filter_level(level.min(LevelFilter::Warn));
    for own in ["gateway", "gateway_actors", request_log::LOG_TARGET] {
        builder.filter_module(own, level);
    }
    // What clients send that is no HTTP is counted, and told for debugging alone: anybody could fill the log with it.
    if level < LevelFilter::Debug {
        builder.filter_module("actix_http", LevelFilter::Off);
    }
    builder.format(write_line);
    let writer = LogWriter::start(match settings.file.as_str() {
        "" => Output::stdout()?,
        path => Output::file(path)?,
    })?;
    builder.target(Target::Pipe(Box::new(writer.lines.clone())));
    let (others, lines) = (builder.build(), writer.lines.clone());
    log::set_max_level(others.filter());
    log::set_boxed_logger(Box::new(Logger { level, lines, others })).map_err(io::Error::other)?;
    LINES.get_or_init(|| writer.lines.clone());
    Ok(writer)
}

/// Where the lines of the process' log go in; nowhere before it is started.
pub fn lines() -> Option<&'static Lines> {
    LINES.get()
}

/// Has the log file opened anew before the next line, for example because it was renamed (F03). Standard output stays.
pub fn reopen() {
    if let Some(lines) = lines() {
        lines.reopen();
    }
}

/// Takes the lines of requests, of which there is one each, and leaves all others to the library.
struct Logger {
    level: LevelFilter,
    lines: Lines,
    others: env_logger::Logger,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match metadata.target() == request_log::LOG_TARGET {
            true => metadata.level() <= self.level,
            false => self.others.enabled(metadata),
        }
    }

    fn log(&self, record: &Record<'_>) {
        if record.target() != request_log::LOG_TARGET {
            return self.others.log(record);
        }
        if record.level() <= self.level {
            REQUEST_LINE.with_borrow_mut(|line| self.lines.push(line.text(Utc::now(), record).as_bytes()));
        }
    }

    fn flush(&self) {
        self.others.flush();
    }
}

thread_local! {
    static REQUEST_LINE: RefCell<RequestLine> = RefCell::default();
}

/// This thread's last request line: one of the same millisecond and level begins alike.
#[derive(Default)]
struct RequestLine {
    of: Option<(i64, Level)>,
    text: String,
    /// The length of what such lines begin with.
    beginning: usize,
}

impl RequestLine {
    fn text(&mut self, now: DateTime<Utc>, record: &Record<'_>) -> &str {
        let of = Some((now.timestamp_millis(), record.level()));
        if self.of != of {
            let timestamp = now.to_rfc3339_opts(SecondsFormat::Millis, true);
            let text = format!(r#"{{"timestamp":"{timestamp}","level":"{}","#, level_name(record.level()));
            *self = Self { of, beginning: text.len(), text };
        }
        self.text.truncate(self.beginning);
        // The message is the inside of a JSON object already.
        let written = writeln!(self.text, "{}", record.args());
        debug_assert!(written.is_ok(), "a String takes all");
        &self.text
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

fn write_line(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), json!(timestamp));
    line.insert("level".to_owned(), json!(level_name(record.level())));
    line.insert("target".to_owned(), json!(record.target()));
    line.insert("message".to_owned(), json!(record.args().to_string()));
    record.key_values().visit(&mut Fields(&mut line)).map_err(io::Error::other)?;
    writeln!(out, "{}", serde_json::Value::Object(line))
}

/// Adds a record's named values to its line.
struct Fields<'a>(&'a mut Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        let value = value.to_u64().map_or_else(|| json!(value.to_string()), |number| json!(number));
        self.0.insert(key.as_str().to_owned(), value);
        Ok(())
    }
}
