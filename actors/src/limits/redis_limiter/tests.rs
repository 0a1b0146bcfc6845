use std::time::Instant;

use gateway_testkit::redis::TestRedis;

use super::*;

async fn link(redis: &TestRedis) -> RedisLink {
    let link = RedisLink::new(&redis.url(), "tests").unwrap();
    link.mend().await;
    link
}

fn wanting(want: u64) -> Ask {
    Ask { want, least: 1, ..Ask::default() }
}

/// E6: three processes that each spend what they are granted until the last moment never have more than the limit in any
/// window, here one of two seconds.
#[actix_rt::test]
async fn e6_no_window_holds_more_than_the_limit_over_three_processes() {
    let redis = TestRedis::start();
    let (limit, window) = (40, 2);
    let begun = Instant::now();
    let process = async || {
        let link = link(&redis).await;
        let mut spent = Vec::new();
        while begun.elapsed() < Duration::from_secs(7) {
            let sent = Instant::now();
            let granted = grant(&link, "limit:test", limit, (window, 1), &wanting(7)).await.unwrap();
            assert!(granted.amount <= 7 && granted.lasts <= 1_000);
            let until = sent + Duration::from_millis(granted.lasts);
            for n in 0..granted.amount {
                // Some at once, and some as late as may be.
                if n % 3 == 0 {
                    tokio::time::sleep_until((until - Duration::from_millis(20)).into()).await;
                }
                let now = Instant::now();
                if now < until {
                    spent.push(now);
                }
            }
            if granted.amount == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        spent
    };
    let (one, two, three) = tokio::join!(process(), process(), process());
    let mut spent: Vec<Instant> = one.into_iter().chain(two).chain(three).collect();
    spent.sort();
    assert!(spent.len() as u64 > limit, "{} in seven seconds", spent.len());
    for at in &spent {
        let held = spent.iter().filter(|other| *other >= at && **other < *at + Duration::from_secs(window)).count();
        assert!(held as u64 <= limit, "{held} in {window} s");
    }
}

/// What was not used goes back, what was spent beyond counts, and who is refused learns when it fits.
#[actix_rt::test]
async fn e5_e6_unused_amounts_go_back() {
    let redis = TestRedis::start();
    let link = link(&redis).await;
    let ask = async |ask: &Ask| grant(&link, "limit:test", 100, (60, 2), ask).await.unwrap();
    let first = ask(&wanting(90)).await;
    assert_eq!((first.amount, first.free), (25, 75), "a part of what is free");
    let second = ask(&Ask { want: 90, least: 75, ..Ask::default() }).await;
    assert_eq!((second.amount, second.free), (75, 0), "what is needed is granted whole");
    let refused = ask(&wanting(1)).await;
    assert_eq!(refused.amount, 0);
    assert!((60_000..=62_000).contains(&refused.wait), "{}", refused.wait);
    assert!((60_000..=62_000).contains(&refused.reset), "{}", refused.reset);
    let back = Ask { want: 10, least: 10, hold: 4, unused: vec![(first.second, 20)] };
    let third = ask(&back).await;
    assert_eq!((third.amount, third.free), (10, 100 - 80 - 4 - 10));
    redis.flush();
    assert_eq!(ask(&wanting(100)).await.free, 75);
}

/// G1: a Redis that hangs or is gone costs one short wait, then nothing; it is used again by itself.
#[actix_rt::test]
async fn g1_nobody_waits_for_a_redis_that_is_away() {
    let redis = TestRedis::start();
    let link = link(&redis).await;
    let ask = async || {
        let begun = Instant::now();
        (grant(&link, "limit:test", 100, (60, 2), &wanting(1)).await.is_ok(), begun.elapsed())
    };
    assert!(ask().await.0);
    redis.freeze();
    let (answered, waited) = ask().await;
    assert!(!answered && waited < Duration::from_millis(250), "{waited:?}");
    let (answered, waited) = ask().await;
    assert!(!answered && waited < Duration::from_millis(5), "{waited:?}");
    redis.thaw();
    link.mend().await;
    assert!(ask().await.0);
    redis.stop();
    assert!(!ask().await.0 && !link.state().is_up());
    redis.start_again();
    link.mend().await;
    assert!(ask().await.0);
}

/// G1: a Redis that refuses one question is there for all others.
#[actix_rt::test]
async fn g1_a_refused_question_is_no_outage() {
    let redis = TestRedis::start();
    let link = link(&redis).await;
    redis.cli("set limit:test text");
    assert!(grant(&link, "limit:test", 100, (60, 2), &wanting(1)).await.is_err());
    assert!(link.state().is_up());
    assert!(grant(&link, "limit:other", 100, (60, 2), &wanting(1)).await.is_ok());
}

/// H1: no error tells the password of the address.
#[actix_rt::test]
async fn h1_no_error_tells_the_password_of_redis() {
    let error = RedisLink::new("redis://:canary@host:none/", "tests").map(drop).unwrap_err().to_string();
    assert!(!error.contains("canary"), "{error}");
}
