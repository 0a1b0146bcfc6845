//! Tells the other processes of a fleet through Redis that keys, limits or prices have changed, and which answers are to
//! be forgotten (G10). Without Redis they look now and then.

use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use actix::Message;
use redis::Script;

use super::redis_link::{Away, RedisLink};

/// What is published on, and heard of.
pub(crate) const CHANNEL: &str = "gateway:changes";

/// The number of the last announcement of answers to be forgotten.
const EPOCH: &str = "gateway:forgotten";

/// Reads that number. Where there is none it begins with the time, so that a Redis that lost it is not taken for one
/// that nobody announced anything to.
static READ_EPOCH: LazyLock<Script> =
    LazyLock::new(|| Script::new("redis.call('SET', KEYS[1], ARGV[1], 'NX') return redis.call('GET', KEYS[1])"));

/// Announces answers to be forgotten, under the next number.
static FORGET_ALL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('SET', KEYS[1], ARGV[1], 'NX') redis.call('INCR', KEYS[1]) \
         return redis.call('PUBLISH', ARGV[2], ARGV[3])",
    )
});

/// What an announcement of answers to be forgotten begins with.
pub(crate) const FORGET: &str = "forget:";

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A virtual key, or the limits of a user or team.
    Keys,
    /// A budget or a price.
    Money,
}

impl Change {
    /// The announcement of it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Money => "money",
        }
    }
}

/// Looks at once for what another process has changed.
pub struct Refresh;

impl Message for Refresh {
    type Result = ();
}

/// Tells others of changes, where there is a Redis to do it by.
#[derive(Clone, Default)]
pub struct Announcer {
    /// The link to Redis.
    pub link: Option<Rc<RedisLink>>,
}

impl Announcer {
    /// Tells the other processes, without waiting for them. While Redis is away they find out by themselves.
    pub fn announce(&self, change: Change) {
        self.publish(change.as_str().to_owned());
    }

    /// Tells all processes, this one too, which answers to forget, in the words of whoever keeps them.
    pub fn forget(&self, answers: &str) {
        let Some(link) = self.link.clone() else { return };
        let text = format!("{FORGET}{answers}");
        actix::spawn(async move {
            let mut call = FORGET_ALL.prepare_invoke();
            call.key(EPOCH).arg(first_epoch()).arg(CHANNEL).arg(text);
            let announced = link.ask(|mut redis| async move { call.invoke_async::<()>(&mut redis).await });
            if let Err(away) = announced.await {
                log::debug!("a cache invalidation was not announced: {away}");
            }
        });
    }

    fn publish(&self, text: String) {
        let Some(link) = self.link.clone() else { return };
        actix::spawn(async move {
            let published = link.ask(|mut connection| async move {
                let mut publish = redis::cmd("PUBLISH");
                publish.arg(CHANNEL).arg(text).query_async::<()>(&mut connection).await
            });
            if let Err(away) = published.await {
                log::debug!("a change was not announced: {away}");
            }
        });
    }
}

/// The number of the last announcement of answers to be forgotten.
pub(crate) async fn read_epoch(link: &RedisLink) -> Result<u64, Away> {
    let mut call = READ_EPOCH.prepare_invoke();
    call.key(EPOCH).arg(first_epoch());
    link.ask(|mut redis| async move { call.invoke_async(&mut redis).await }).await
}

fn first_epoch() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}
