//! The connection to Redis: quick to give up, and mended in the background. The only place that connects to it.
//!
//! It belongs to the thread of the actors that use it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::time::timeout;

/// How long a request waits for Redis before it goes on without (G1).
const ANSWER: Duration = Duration::from_millis(200);

/// How long a new connection may take; nobody waits for it.
const CONNECT: Duration = Duration::from_secs(2);

/// Redis does not answer; whoever asked goes on without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis is away")]
pub struct Away;

/// One connection that its users share. While Redis is away, nothing waits for it.
pub struct RedisLink {
    client: Client,
    connection: RefCell<Option<MultiplexedConnection>>,
    state: RedisState,
    /// How many connections were made.
    made: Cell<u64>,
    /// Whether the outage was told.
    told: Cell<bool>,
}

/// Whether Redis answers, for other threads.
#[derive(Clone, Debug, Default)]
pub struct RedisState(Arc<AtomicBool>);

impl RedisState {
    /// Whether Redis answered when it was last asked.
    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl RedisLink {
    /// A link that is not connected yet.
    ///
    /// # Errors
    /// Where the address is none, such as `redis://HOST:6379/0`; the address itself is not told, it may hold a password.
    pub fn new(url: &str) -> Result<Self, RedisError> {
        Ok(Self {
            client: Client::open(url)?,
            connection: RefCell::default(),
            state: RedisState::default(),
            made: Cell::default(),
            told: Cell::default(),
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
        match timeout(ANSWER, question(connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            // Redis is there and refuses this one question: others may do better.
            Ok(Err(error)) if !is_outage(&error) => {
                log::warn!("Redis refuses: {error}");
                Err(Away)
            }
            Ok(Err(error)) => Err(self.lost(made, &error.to_string())),
            Err(_elapsed) => Err(self.lost(made, "no answer in time")),
        }
    }

    /// Connects again where the connection is lost. To be called now and then, by one caller at a time.
    pub async fn mend(&self) {
        if self.state.is_up() {
            return;
        }
        let settings = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
        let connect = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&settings).await?;
            redis::cmd("PING").query_async::<()>(&mut connection).await?;
            Ok::<_, RedisError>(connection)
        };
        match timeout(CONNECT, connect).await {
            Ok(Ok(connection)) => {
                log::info!("Redis answers");
                self.told.set(false);
                self.connect(Some(connection));
            }
            Ok(Err(error)) => self.tell(&error.to_string()),
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

    fn connect(&self, connection: Option<MultiplexedConnection>) {
        self.made.set(self.made.get() + u64::from(connection.is_some()));
        self.state.0.store(connection.is_some(), Ordering::Relaxed);
        self.connection.replace(connection);
    }

    /// Gives up the connection that was made as number `made`; a newer one may be good.
    fn lost(&self, made: u64, why: &str) -> Away {
        if self.made.get() == made && self.state.is_up() {
            self.connect(None);
            self.tell(why);
        }
        Away
    }

    /// Tells once for each outage.
    fn tell(&self, why: &str) {
        if !self.told.replace(true) {
            log::warn!("Redis is away: {why}; the gateway goes on without it");
        }
    }
}

/// Whether an error says that Redis is away, or cannot serve anybody at the moment.
fn is_outage(error: &RedisError) -> bool {
    let unable = [ErrorKind::Server(ServerErrorKind::BusyLoading), ErrorKind::Server(ServerErrorKind::MasterDown)];
    error.is_io_error() || error.is_connection_dropped() || error.is_timeout() || unable.contains(&error.kind())
}
