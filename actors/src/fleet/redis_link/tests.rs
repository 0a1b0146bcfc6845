use gateway_testkit::redis::TestRedis;

use super::*;

async fn connected(redis: &TestRedis) -> RedisLink {
    let link = RedisLink::new(&redis.url(), "tests").unwrap();
    link.mend().await;
    assert!(link.state().is_up());
    link
}

async fn write(link: &RedisLink) -> Result<(), Away> {
    link.ask(|mut redis| async move { redis::cmd("SET").arg("a").arg("b").query_async(&mut redis).await }).await
}

/// J 17: a Redis that has become a replica is away by name, and is there again once it takes what is written.
#[actix_rt::test]
async fn j17_a_redis_that_refuses_is_away_by_name() {
    let redis = TestRedis::start();
    let link = connected(&redis).await;
    redis.cli("replicaof 127.0.0.1 1");
    assert_eq!(write(&link).await, Err(Away));
    assert_eq!((link.state().is_up(), link.state().refusal()), (false, Some("READONLY")));
    // It answers a ping, and is not taken back for that.
    tokio::time::sleep(REFUSED_PAUSE).await;
    link.mend().await;
    assert_eq!((link.state().is_up(), link.state().refusal()), (false, Some("READONLY")));
    redis.cli("replicaof no one");
    tokio::time::sleep(REFUSED_PAUSE).await;
    link.mend().await;
    assert_eq!((link.state().is_up(), link.state().refusal()), (true, None));
    assert_eq!(write(&link).await, Ok(()));
}

/// J 17: so is one without memory.
#[actix_rt::test]
async fn j17_a_redis_without_memory_is_away_by_name() {
    let redis = TestRedis::start();
    let link = connected(&redis).await;
    redis.cli("config set maxmemory 1");
    assert_eq!(write(&link).await, Err(Away));
    assert_eq!(link.state().refusal(), Some("OOM"));
}

/// One question that Redis does not understand says nothing of the others.
#[actix_rt::test]
async fn a_bad_question_is_no_outage() {
    let redis = TestRedis::start();
    let link = connected(&redis).await;
    let bad = link.ask(|mut redis| async move { redis::cmd("NONSENSE").query_async::<()>(&mut redis).await }).await;
    assert_eq!(bad, Err(Away));
    assert!(link.state().is_up());
    assert_eq!(write(&link).await, Ok(()));
}

/// J 28: a thread that stood still does not take its own sleep for an outage, while a silent server is one.
#[actix_rt::test]
async fn j28_the_own_sleep_is_no_outage() {
    let redis = TestRedis::start();
    let link = connected(&redis).await;
    let sleeper = actix_rt::spawn(async {
        tokio::task::yield_now().await;
        std::thread::sleep(REPLY_TIMEOUT * 5);
    });
    assert_eq!(write(&link).await, Ok(()));
    sleeper.await.unwrap();
    assert!(link.state().is_up());
    redis.freeze();
    assert_eq!(write(&link).await, Err(Away));
    assert!(!link.state().is_up());
    redis.thaw();
}
