//! All kinds of requests at a steady rate, for minutes or hours: does resident memory climb once everything is warm?

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::proxies::Gateway;
use crate::{load, soak, usage};

/// Requests a second.
const RATE: u32 = 200;

/// The bytes of answers that the gateway keeps, so few that the cache is full within minutes.
const CACHE: usize = 1 << 20;

/// What may go wrong, in hundredths, before the run itself counts as a failure: a machine that is too busy proves nothing.
const MAX_REFUSED_PERCENT: f64 = 1.0;

/// Keys with a budget of their own.
const KEYS: usize = 100;

/// The smallest of so many samples, one a second, is a point of the line: bursts do not count.
const WINDOW: usize = 15;

/// A text that ends its JSON string too early.
const BROKEN: &str = "\"";

/// What the gateway is started with.
pub fn settings() -> Vec<(&'static str, String)> {
    vec![
        ("GATEWAY_CACHE__MAX_BYTES", CACHE.to_string()),
        // One in twenty fails, and that is no reason to stop asking.
        ("GATEWAY_PROVIDERS__OPENAI__BREAKER__FAILURE_THRESHOLD", "0".to_owned()),
    ]
}

/// What the requests share.
struct Load {
    port: u16,
    cached_key: String,
    keys: Vec<String>,
    /// Used in turn, so that none is idle for so long that the gateway closes it.
    spare: RefCell<VecDeque<TcpStream>>,
    seen: RefCell<BTreeMap<(&'static str, String), u64>>,
    under_way: Cell<usize>,
}

/// Loads for so many minutes, and tells by the exit code whether memory stayed within the bound.
pub async fn run(gateway: &Gateway, minutes: usize) -> ExitCode {
    let mut keys = Vec::new();
    for _ in 0..KEYS {
        keys.push(gateway.new_budgeted_key().await);
    }
    let cached_key = gateway.cached_key.clone();
    let (spare, seen) = (RefCell::default(), RefCell::default());
    let load = Rc::new(Load { port: gateway.port, cached_key, keys, spare, seen, under_way: Cell::new(0) });
    let local = tokio::task::LocalSet::new();
    let samples = local.run_until(drive(load.clone(), gateway, minutes)).await;
    println!("\n| requests | status | count |\n|---|---|---|");
    for ((kind, status), count) in load.seen.borrow().iter() {
        println!("| {kind} | {status} | {count} |");
    }
    let refused = load.refused();
    println!("\n{refused:.2} % of what should be answered was not; at most {MAX_REFUSED_PERCENT} % are allowed");
    let is_steady = judge(&samples, minutes);
    if is_steady && refused <= MAX_REFUSED_PERCENT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Load {
    /// The share of requests without an answer that should have one, in hundredths.
    fn refused(&self) -> f64 {
        let seen = self.seen.borrow();
        let of_these =
            seen.iter().filter(|((kind, _), _)| ["whole", "stream", "cached", "new in the cache"].contains(kind));
        let (mut all, mut refused) = (0, 0);
        for ((_, status), count) in of_these {
            all += count;
            refused += if status == "200" { 0 } else { *count };
        }
        refused as f64 * 100.0 / all.max(1) as f64
    }
}

/// Asks at the rate, and gives a sample of resident memory for each second.
async fn drive(load: Rc<Load>, gateway: &Gateway, minutes: usize) -> Vec<f64> {
    println!("| minute | requests | under way | MB resident | answers kept |\n|---|---|---|---|---|");
    let (begun, mut asked, mut samples) = (Instant::now(), 0_u64, Vec::new());
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while samples.len() < minutes * 60 {
        tick.tick().await;
        let due = (begun.elapsed().as_secs_f64() * f64::from(RATE)) as u64;
        while asked < due {
            load.under_way.set(load.under_way.get() + 1);
            let (load, number) = (load.clone(), asked);
            tokio::task::spawn_local(async move {
                let (kind, status) = one(&load, number).await;
                *load.seen.borrow_mut().entry((kind, status)).or_default() += 1;
                load.under_way.set(load.under_way.get() - 1);
            });
            asked += 1;
        }
        if begun.elapsed().as_secs() as usize > samples.len() {
            samples.push(usage::rss_mib(gateway.process()) * 1.048_576);
            if samples.len().is_multiple_of(60) {
                println!(
                    "| {} | {asked} | {} | {:.1} | {:.0} |",
                    samples.len() / 60,
                    load.under_way.get(),
                    samples[samples.len() - 1],
                    soak::gauge(gateway, "cache_entries").await
                );
            }
        }
    }
    samples
}

/// The climb after the warm-up, against what a run of this length may show: one MB, or one MB an hour where it is longer.
fn judge(samples: &[f64], minutes: usize) -> bool {
    let warm_up = (samples.len() * 3 / 10).min(900);
    let points: Vec<f64> =
        samples[warm_up..].chunks_exact(WINDOW).map(|window| window.iter().copied().fold(f64::MAX, f64::min)).collect();
    let slope = slope(&points) * 3_600.0 / WINDOW as f64;
    let bound = std::env::var("SOAK_MAX_MB_PER_HOUR").ok().map(|bound| bound.parse().expect("MB an hour"));
    let bound: f64 = bound.unwrap_or_else(|| (60.0 / minutes as f64).max(1.0));
    let (first, last) = (points.first().unwrap(), points.last().unwrap());
    println!(
        "\nafter a warm-up of {warm_up} s: {first:.1} MB at first, {last:.1} MB at last, {slope:+.2} MB an hour; at most \
         {bound:.2} are allowed"
    );
    slope <= bound
}

/// The slope of the straight line through some points, one apart, by least squares.
fn slope(points: &[f64]) -> f64 {
    assert!(points.len() > 1, "the run is too short: three minutes at least");
    let count = points.len() as f64;
    let (mean_x, mean_y) = ((count - 1.0) / 2.0, points.iter().sum::<f64>() / count);
    let (mut products, mut squares) = (0.0, 0.0);
    for (x, y) in points.iter().enumerate() {
        products += (x as f64 - mean_x) * (y - mean_y);
        squares += (x as f64 - mean_x).powi(2);
    }
    products / squares
}

/// One request, and what became of it.
async fn one(load: &Load, number: u64) -> (&'static str, String) {
    let key = &load.keys[(number / 20) as usize % load.keys.len()];
    let wait = Duration::from_millis(number.wrapping_mul(7_919) % 200);
    match number % 20 {
        0..=8 => ("whole", ask(load, &load::request(key, false, "Hello!")).await),
        9..=12 => ("stream", ask(load, &load::request(key, true, "Hello!")).await),
        13..=14 => {
            let question = format!("known {}", number / 20 % 50);
            ("cached", ask(load, &load::request(&load.cached_key, false, &question)).await)
        }
        15 => ("new in the cache", ask(load, &load::request(&load.cached_key, false, &format!("new {number}"))).await),
        16 => ("provider fails", ask(load, &load::request(key, false, "please fail")).await),
        17 => ("malformed", ask(load, &load::request(key, false, BROKEN)).await),
        18 => ("left in a stream", leave(load, &load::request(key, true, "slow"), wait).await),
        _ => {
            ("left at once", leave(load, &load::request(key, false, "Hello!"), Duration::from_millis(number % 3)).await)
        }
    }
}

/// The status of a whole answer, over a connection that is kept.
async fn ask(load: &Load, request: &[u8]) -> String {
    let mut buffer = Vec::with_capacity(4 << 10);
    let spare = load.spare.borrow_mut().pop_front();
    let mut socket = match spare {
        Some(socket) => socket,
        None => TcpStream::connect(("127.0.0.1", load.port)).await.unwrap(),
    };
    socket.write_all(request).await.unwrap();
    load::read_answer(&mut socket, &mut buffer).await;
    let head = String::from_utf8_lossy(&buffer[..buffer.len().min(512)]).to_ascii_lowercase();
    if !head.contains("connection: close") {
        load.spare.borrow_mut().push_back(socket);
    }
    head[9..12].to_owned()
}

/// A client that closes its connection after a while.
async fn leave(load: &Load, request: &[u8], wait: Duration) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", load.port)).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut buffer = Vec::new();
    let read = async { while socket.read_buf(&mut buffer).await.unwrap_or(0) > 0 {} };
    // The wait is where the client leaves; an answer that is over by then was no abort.
    let _ = tokio::time::timeout(wait, read).await;
    "–".to_owned()
}
