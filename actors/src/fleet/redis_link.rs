//! A connection to Redis: quick to give up, and mended in the background. The only place that connects to it.
//!
//! It belongs to the thread of the actors that use it.

mod refusal;
mod state;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::time::timeout;

use refusal::refusal;
pub use state::RedisState;

/// How long a request waits for Redis before it goes on without (G1).
const REPLY_TIMEOUT: Duration = Duration::from_millis(200);

/// How long a new connection may take; nobody waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a Redis that refuses is left alone.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// How often at most the log tells of outages, and of questions that are refused.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Writes, as whatever asks does: a replica, or a Redis without memory, answers `PING` and refuses this.
const PROBE: &str = "redis.call('SET', KEYS[1], '1', 'PX', 1000) return 1";

/// Redis does not answer; whoever asked goes on without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis is unavailable")]
pub struct Away;

/// One connection that its users share. While Redis is away, nothing waits for it.
pub struct RedisLink {
    client: Client,
    /// What it is used for, for the log.
    used_for: &'static str,
    connection: RefCell<Option<MultiplexedConnection>>,
    state: RedisState,
    /// How many connections were made.
    made: Cell<u64>,
    /// Before when no connection is tried.
    pause: Cell<Option<Instant>>,
    /// Whether the outage is in the log, and when one was put there.
    told: Cell<bool>,
    told_at: Cell<Option<Instant>>,
    refused_at: Cell<Option<Instant>>,
}

impl RedisLink {
    /// A link that is not connected yet.
    ///
    /// # Errors
    /// Where the address is none, such as `redis://HOST:6379/0`; the address itself is not told, it may hold a password.
    pub fn new(url: &str, used_for: &'static str) -> Result<Self, RedisError> {
        Ok(Self {
            client: Client::open(url)?,
            used_for,
            connection: RefCell::default(),
            state: RedisState::default(),
            made: Cell::default(),
            pause: Cell::default(),
            told: Cell::default(),
            told_at: Cell::default(),
            refused_at: Cell::default(),
        })
    }

    /// Whether Redis answers, as far as is known; goes on telling once the link is on another thread.
    pub fn state(&self) -> &RedisState {
        &self.state
    }

    /// Asks something.
    ///
    /// # Errors
    /// Where Redis is away, fails, or does not answer in time: it may then have done what was asked, or not.
    pub async fn ask<T, F>(&self, question: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, Away>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let made = self.made.get();
        let Some(connection) = self.connection.borrow().clone() else { return Err(Away) };
        match awake(REPLY_TIMEOUT, question(connection)).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(self.failed(made, &error)),
            None => Err(self.lost(made, "no answer in time")),
        }
    }

    /// Connects again where the connection is lost. To be called now and then, by one caller at a time.
    pub async fn mend(&self) {
        if self.state.is_up() || self.pause.get().is_some_and(|end| Instant::now() < end) {
            return;
        }
        self.pause.set(None);
        let settings =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
        let connect = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&settings).await?;
            redis::cmd("EVAL").arg(PROBE).arg(1).arg("gateway:probe").query_async::<()>(&mut connection).await?;
            Ok::<_, RedisError>(connection)
        };
        match timeout(CONNECT_TIMEOUT, connect).await {
            Ok(Ok(connection)) => self.answers(connection),
            Ok(Err(error)) => match refusal(&error) {
                Some(word) => self.refuses(word),
                None => self.tell(&error.to_string()),
            },
            Err(_elapsed) => self.tell("no connection in time"),
        }
    }

    /// A connection of its own that hears what is published on a channel.
    ///
    /// # Errors
    /// Where Redis does not answer.
    pub async fn subscribe(&self, channel: &str) -> RedisResult<redis::aio::PubSub> {
        let mut listener = self.client.get_async_pubsub().await?;
        listener.subscribe(channel).await?;
        Ok(listener)
    }

    fn answers(&self, connection: MultiplexedConnection) {
        if self.told.replace(false) {
            log::info!("Redis is available for {}", self.used_for);
        }
        self.made.set(self.made.get() + 1);
        self.connection.replace(Some(connection));
        self.state.up();
    }

    fn failed(&self, made: u64, error: &RedisError) -> Away {
        if let Some(word) = refusal(error) {
            // After a failover the new master is found by a new connection.
            self.give_up(made, |link| link.refuses(word))
        } else if is_outage(error) {
            self.lost(made, &error.to_string())
        } else {
            // Redis is there and refuses this one question: others may do better.
            if self.refused_at.get().is_none_or(|at| at.elapsed() > WARNING_INTERVAL) {
                self.refused_at.set(Some(Instant::now()));
                log::warn!("Redis refuses a command for {}: {error}", self.used_for);
            }
            Away
        }
    }

    fn lost(&self, made: u64, why: &str) -> Away {
        self.give_up(made, |link| {
            link.state.down(None);
            link.tell(why);
        })
    }

    /// Gives up the connection that was made as number `made`; a newer one may be good.
    fn give_up(&self, made: u64, note: impl FnOnce(&Self)) -> Away {
        if self.made.get() == made && self.state.is_up() {
            self.connection.replace(None);
            note(self);
        }
        Away
    }

    fn refuses(&self, word: &'static str) {
        self.state.down(Some(word));
        self.pause.set(Some(Instant::now() + REFUSED_PAUSE));
        self.tell(&format!("it refuses to serve: {word}"));
    }

    /// Tells an outage once, and of many short ones some.
    fn tell(&self, why: &str) {
        if !self.told.get() && self.told_at.get().is_none_or(|at| at.elapsed() > WARNING_INTERVAL) {
            self.told.set(true);
            self.told_at.set(Some(Instant::now()));
            log::warn!("Redis is unavailable for {}: {why}; the gateway continues without it", self.used_for);
        }
    }
}

/// Awaits something for so long. Time in which this thread or the whole process stood still does not count: whoever slept
/// must not take its own silence for that of others (J 28).
pub(crate) async fn awake<T>(longest: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let begun = Instant::now();
    match timeout(longest, &mut future).await {
        Ok(answer) => Some(answer),
        Err(_elapsed) if begun.elapsed() > longest * 2 => timeout(longest, future).await.ok(),
        Err(_elapsed) => None,
    }
}

/// Whether an error says that Redis is away, or cannot serve anybody at the moment.
fn is_outage(error: &RedisError) -> bool {
    let unable = [ErrorKind::Server(ServerErrorKind::BusyLoading), ErrorKind::Server(ServerErrorKind::MasterDown)];
    error.is_io_error() || error.is_connection_dropped() || error.is_timeout() || unable.contains(&error.kind())
}

#[cfg(test)]
mod tests;
