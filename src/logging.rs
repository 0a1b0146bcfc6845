//! JSON logs: one object a line.

pub(crate) mod writer;

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::OnceLock;

use chrono::{DateTime, SecondsFormat, Utc};
use env_logger::fmt::Formatter;
use env_logger::{Builder, Target};
use gateway_actors::request::request_log;
use log::kv::{Key, Value, VisitSource};
use log::{LevelFilter, Record};
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
    builder.try_init().map_err(io::Error::other)?;
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

thread_local! {
    static BEGINNING: RefCell<Beginning> = RefCell::default();
}

/// How this thread's last request line begins: one of the same millisecond and level begins alike.
#[derive(Default)]
struct Beginning {
    of: (i64, &'static str),
    text: String,
}

impl Beginning {
    fn text(&mut self, now: DateTime<Utc>, level: &'static str) -> &str {
        let of = (now.timestamp_millis(), level);
        if self.of != of {
            let timestamp = now.to_rfc3339_opts(SecondsFormat::Millis, true);
            *self = Self { of, text: format!(r#"{{"timestamp":"{timestamp}","level":"{level}","#) };
        }
        &self.text
    }
}

fn write_line(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let level = match record.level() {
        log::Level::Error => "error",
        log::Level::Warn => "warn",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    };
    let now = Utc::now();
    if record.target() == request_log::LOG_TARGET {
        // The message is the inside of a JSON object already.
        return BEGINNING.with_borrow_mut(|beginning| {
            out.write_all(beginning.text(now, level).as_bytes())?;
            writeln!(out, "{}", record.args())
        });
    }
    let timestamp = now.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), json!(timestamp));
    line.insert("level".to_owned(), json!(level));
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
