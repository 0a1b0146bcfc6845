use std::sync::Arc;
use std::time::Duration;

use super::encoding::PANICS;
use super::*;
use crate::metrics::Metrics;

fn pool(queue: usize) -> (CounterPool, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let settings = CounterSettings { workers: 1, queue, timeout: Duration::from_secs(60) };
    (CounterPool::start(settings, metrics.clone()), metrics)
}

fn said(text: &str) -> Texts {
    let body = serde_json::json!({ "messages": [{ "role": "user", "content": text }] }).to_string();
    Texts { body: body.into(), generated: GeneratedText::default() }
}

fn generated(text: &str) -> GeneratedText {
    let mut generated = GeneratedText::default();
    generated.push(serde_json::json!({ "content": text }).to_string().as_bytes());
    generated
}

/// Hands a count over, and gives what comes of it: none where it is dropped.
async fn later(pool: &CounterPool, texts: Texts) -> Option<Usage> {
    let (tell, told) = tokio::sync::oneshot::channel();
    pool.count_later(texts, move |usage| tell.send(usage).unwrap());
    told.await.ok()
}

fn shown(metrics: &Metrics, result: &str) -> bool {
    metrics.text().unwrap().contains(&format!(r#"gateway_token_counts_total{{result="{result}"}}"#))
}

/// H-1: a text that the encoding cannot bear ends no thread: the next one is counted, and the restart is told.
#[actix_rt::test]
async fn h1_a_panic_costs_one_count() {
    let (pool, metrics) = pool(16);
    assert_eq!(later(&pool, said(&PANICS.repeat(2_000))).await, None);
    assert_eq!(pool.count(said(&PANICS.repeat(2_000))).await, None);
    let words = said(&"some words ".repeat(1_000));
    let whole = words.count(&|| false).unwrap();
    assert_eq!(later(&pool, words.clone()).await, Some(whole));
    assert_eq!(pool.count(words).await, Some(whole));
    // In place too.
    let (bad, good) = (generated(PANICS), generated("Hello world"));
    assert_eq!((pool.count_output(&bad).await, pool.count_output(&good).await), (1, 2));
    assert_eq!(pool.count_small(&said(PANICS)).unwrap(), said(PANICS).estimate());
    assert!(shown(&metrics, "panicked") && shown(&metrics, "counted"));
    for name in ["token_counter", "token_counter:abandoned"] {
        let report = pool.report(name).unwrap();
        assert_eq!((report.restarts, report.failed, report.mailbox_depth, report.alive), (1, 1, 0, true), "{name}");
    }
}

/// H-1: what does not fit into the queue, by number or by bytes, is given up at once.
#[actix_rt::test]
async fn h1_the_queue_is_bounded() {
    let (pool, metrics) = pool(1_000);
    let large = said(&"a".repeat(10 << 20));
    let (told, mut all) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..10 {
        let told = told.clone();
        pool.count_later(large.clone(), move |usage| told.send(usage).unwrap());
    }
    let report = pool.report("token_counter:abandoned").unwrap();
    assert!(report.state["waiting_bytes"].as_u64().unwrap() <= 32 << 20, "{report:?}");
    assert!(shown(&metrics, "full"));
    drop(told);
    let mut counted = 0;
    while let Some(usage) = all.recv().await {
        counted += 1;
        assert!(usage.prompt_tokens > 1 << 20, "{usage:?}");
    }
    assert_eq!(counted, 3, "of ten times 10 MiB");
    // A worker gives its bytes up once it has told its count.
    let begun = std::time::Instant::now();
    while pool.report("token_counter:abandoned").unwrap().state["waiting_bytes"] != 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        actix_rt::time::sleep(Duration::from_millis(5)).await;
    }
}

/// J 10: at the end of the process whatever is not counted yet is given up, and so is what comes later.
#[actix_rt::test]
async fn j10_the_end_waits_for_no_count() {
    let (pool, metrics) = pool(1_000);
    let (told, mut all) = tokio::sync::mpsc::unbounded_channel::<Usage>();
    for _ in 0..20 {
        let told = told.clone();
        pool.count_later(said(&"word ".repeat(200_000)), move |usage| told.send(usage).unwrap());
    }
    drop(told);
    pool.finish(Duration::ZERO).await;
    while all.recv().await.is_some() {}
    assert!(shown(&metrics, "closing"));
    assert_eq!(later(&pool, said(&"word ".repeat(2_000))).await, None);
    assert_eq!(pool.count_small(&said("word")), None);
}

/// J 2: output is counted on the thread that asks, and others have their turn in between.
#[actix_rt::test]
async fn j2_output_waits_for_no_prompt() {
    let (pool, _) = pool(1_000);
    pool.count(Texts::default()).await.unwrap();
    for _ in 0..3 {
        pool.count_later(said(&"a".repeat(10 << 20)), |_| {});
    }
    let text = "some more words\n".repeat(2_000);
    let whole = count(&text);
    assert_eq!(pool.count_output(&generated(&text)).await, whole);
    assert!(pool.report("token_counter:abandoned").unwrap().state["waiting_bytes"].as_u64() > Some(0));
    let long = "some more words\n".repeat(40_000);
    let (sampled, whole) = (pool.count_output(&generated(&long)).await, count(&long));
    assert!(sampled.abs_diff(whole) * 100 <= whole, "{sampled} of {whole}");
}
