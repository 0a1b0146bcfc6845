//! Many streams at once, many clients that leave, many different questions: what is there during, and what is left behind.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::proxies::{Gateway, Upstream};
use crate::{load, usage};

/// The bytes of answers that a gateway may keep when it is asked many different questions.
pub const CACHE: usize = 64 << 20;

/// What a gauge tells.
pub async fn gauge(gateway: &Gateway, name: &str) -> f64 {
    let text = String::from_utf8(load::get(gateway.port, "/metrics").await).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).expect("the gauge is there");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn report(when: &str, gateway: &Gateway, upstream: &Upstream) {
    println!(
        "{when}: {:.0} MiB resident, {} upstream connections, {} requests in flight",
        usage::rss_mib(gateway.process()),
        upstream.connections().await,
        gauge(gateway, "llm_requests_in_flight").await
    );
}

/// Waits for the last request to end.
async fn settled(gateway: &Gateway) {
    for _ in 0..1_000 {
        if gauge(gateway, "llm_requests_in_flight").await == 0.0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("requests are still in flight");
}

/// Waits until the connections that the burst needed are given up, and reports what is left.
async fn afterwards(gateway: &Gateway, upstream: &Upstream) {
    let begun = Instant::now();
    while upstream.connections().await > 32 && begun.elapsed() < Duration::from_secs(90) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    report(&format!("{} s later", begun.elapsed().as_secs()), gateway, upstream).await;
}

/// Holds streams of five seconds, twice, and reports before, during and after each time.
pub async fn streams(gateway: &Gateway, upstream: &Upstream, count: usize) {
    report("before", gateway, upstream).await;
    for round in 1..=2 {
        let mut sockets = Vec::new();
        for _ in 0..count {
            let mut socket = TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
            socket.write_all(&load::request(&gateway.key, true, "slow")).await.unwrap();
            sockets.push(socket);
        }
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        report(&format!("round {round}, {count} streams"), gateway, upstream).await;
        let mut whole = 0;
        for mut socket in sockets {
            let mut buffer = Vec::new();
            while !buffer.ends_with(b"0\r\n\r\n") && socket.read_buf(&mut buffer).await.unwrap() > 0 {}
            whole += usize::from(buffer.windows(12).any(|window| window == b"data: [DONE]"));
        }
        println!("round {round}: {whole} of {count} streams came whole");
        settled(gateway).await;
        report(&format!("round {round}, at its end"), gateway, upstream).await;
        afterwards(gateway, upstream).await;
    }
}

/// Clients that leave at random points of whole and streamed answers.
pub async fn aborts(gateway: &Gateway, upstream: &Upstream, count: usize) {
    report("before", gateway, upstream).await;
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let local = tokio::task::LocalSet::new();
    let mut clients = Vec::new();
    for n in 0..count {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let wait = Duration::from_micros(random >> 48);
        let request = load::request(&gateway.key, n % 4 != 0, if n % 3 == 0 { "slow" } else { "Hello!" });
        let port = gateway.port;
        clients.push(local.spawn_local(async move {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            socket.write_all(&request).await.unwrap();
            let mut buffer = Vec::new();
            let read = async { while socket.read_buf(&mut buffer).await.unwrap_or(0) > 0 {} };
            // The wait is where the client leaves; an answer that is over by then was no abort.
            let _ = tokio::time::timeout(wait, read).await;
        }));
        if n % 50 == 49 {
            local.run_until(tokio::time::sleep(Duration::from_millis(5))).await;
        }
    }
    local
        .run_until(async {
            for client in clients {
                client.await.unwrap();
            }
        })
        .await;
    settled(gateway).await;
    report(&format!("after {count} clients that left"), gateway, upstream).await;
    afterwards(gateway, upstream).await;
    println!(
        "attempts under way at the provider: {}",
        gauge(gateway, "llm_provider_in_flight{provider=\"openai\"}").await
    );
}

/// Asks so many different questions that may be answered from the cache, and tells at ten points what is kept (F5).
pub async fn distinct(gateway: &Gateway, count: usize) {
    println!("| questions | s | answers kept | MiB of {} | evicted | MiB resident |", CACHE >> 20);
    println!("|---|---|---|---|---|---|");
    let (begun, asked) = (Instant::now(), Rc::new(Cell::new(0)));
    for part in 0..=10 {
        let end = count * part / 10;
        let local = tokio::task::LocalSet::new();
        for _ in 0..32 {
            local.spawn_local(different(gateway.port, gateway.cached_key.clone(), asked.clone(), end));
        }
        local.await;
        println!(
            "| {end} | {} | {:.0} | {:.1} | {:.0} | {:.0} |",
            begun.elapsed().as_secs(),
            gauge(gateway, "cache_entries").await,
            gauge(gateway, "cache_bytes").await / f64::from(1 << 20),
            gauge(gateway, "cache_evictions").await,
            usage::rss_mib(gateway.process()),
        );
    }
    let misses = gauge(gateway, "cache_requests_total{result=\"miss\"}").await;
    assert!(misses == count as f64, "{misses} of {count} questions were different");
}

/// Asks one question after the other until there are so many, of all who ask.
async fn different(port: u16, key: String, asked: Rc<Cell<usize>>, end: usize) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut buffer = Vec::with_capacity(4 << 10);
    while asked.get() < end {
        asked.set(asked.get() + 1);
        socket.write_all(&load::request(&key, false, &format!("question {}", asked.get()))).await.unwrap();
        buffer.clear();
        load::read_answer(&mut socket, &mut buffer).await;
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer));
    }
}
