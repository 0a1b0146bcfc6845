//! What the gateway costs, next to nginx as a plain reverse proxy, and a bare handler of its framework, in the same run.
//!
//! `cargo bench --bench overhead [-- --quick] [-- --only whole32] [-- --streams 1000] [-- --aborts 1000]
//! [-- --distinct 1000000] [-- --soak MINUTES] [-- --former BINARY]`
//!
//! `--former` measures another build of the gateway in the same rounds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a benchmark fails by panicking"
)]

mod floor;
mod load;
mod mixed;
mod proxies;
mod soak;
mod subjects;
mod upstream;
mod usage;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use gateway_testkit::postgres::TestPostgres;
use gateway_testkit::redis::TestRedis;

use load::Measured;
use proxies::{Floor, Gateway, Nginx, Upstream};
use subjects::{Kind, Set, Subject};

/// The gateway's own, so that the bare handler has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    actix_rt::System::new().block_on(run())
}

async fn run() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = args.iter().position(|arg| arg == "--upstream") {
        upstream::serve(args[at + 1].parse().unwrap()).await;
        return ExitCode::SUCCESS;
    }
    if let Some(at) = args.iter().position(|arg| arg == "--floor") {
        // A runtime of its own, as the gateway has: the server's threads take their tasks from it.
        let [port, upstream] = [1, 2].map(|n| args[at + n].parse().unwrap());
        floor::serve(port, upstream).await;
        return ExitCode::SUCCESS;
    }
    let upstream = Upstream::start().await;
    let folder = tempfile::tempdir().unwrap();
    if let Some(minutes) = after(&args, "--soak") {
        let gateway = Gateway::start(None, &folder.path().join("mixed"), upstream.port, true, &mixed::settings()).await;
        return mixed::run(&gateway, minutes).await;
    }
    measure(&args, &upstream, folder.path()).await;
    ExitCode::SUCCESS
}

/// The number that stands behind an option.
fn after(args: &[String], name: &str) -> Option<usize> {
    let at = args.iter().position(|arg| arg == name)?;
    Some(args.get(at + 1).expect("the option has a value").parse().expect("a number"))
}

async fn measure(args: &[String], upstream: &Upstream, folder: &Path) {
    let after = |name| after(args, name);
    let start =
        async |name, settings: &[_]| Gateway::start(None, &folder.join(name), upstream.port, false, settings).await;
    if let Some(count) = after("--streams") {
        return soak::streams(&start("streams", &[]).await, upstream, count).await;
    }
    if let Some(count) = after("--aborts") {
        return soak::aborts(&start("aborts", &[]).await, upstream, count).await;
    }
    if let Some(count) = after("--distinct") {
        let modest = [("GATEWAY_CACHE__MAX_BYTES", soak::CACHE.to_string())];
        return soak::distinct(&start("distinct", &modest).await, count).await;
    }
    let (postgres, redis) = (TestPostgres::start(), TestRedis::start());
    let stores = || [("DATABASE_URL", postgres.database()), ("REDIS_URL", redis.url())];
    let set = Set::start(None, folder, upstream.port, &stores()).await;
    let former = match args.iter().position(|arg| arg == "--former") {
        Some(at) => Some(Set::start(Some(&args[at + 1]), &folder.join("former"), upstream.port, &stores()).await),
        None => None,
    };
    let nginx = Nginx::start(folder, upstream.port).await;
    let floor = Floor::start(upstream.port).await;
    let by_meaning = Gateway::by_meaning(&folder.join("meaning"), upstream.port).await;
    let others = [subjects::direct(upstream), subjects::nginx(&nginx), subjects::floor(&floor)];
    let mut subjects: Vec<Subject> = others.into_iter().flatten().collect();
    let [mut new, mut old] = [set.subjects(""), former.iter().flat_map(|set| set.subjects("former ")).collect()];
    // Side by side, so that what else the machine does meets both.
    while !new.is_empty() {
        subjects.push(new.remove(0));
        subjects.extend((!old.is_empty()).then(|| old.remove(0)));
    }
    // The last, as it takes the longest by far.
    subjects.extend(by_meaning.as_ref().map(|(gateway, question)| subjects::by_meaning(gateway, question)));
    let quick = args.iter().any(|arg| arg == "--quick");
    let (seconds, rounds) = if quick { (1, 1) } else { (4, 5) };
    println!(
        "one worker each; {rounds} interleaved rounds of {seconds} s a cell, medians; CPU of the proxy's own processes"
    );
    println!("streams are 50 events, 1 ms apart\n");
    println!(
        "| answers | connections | through | CPU µs/request | requests/s | p50 µs | p99 µs | RSS MiB | CPU to nginx | CPU to the floor |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let only = args.iter().position(|arg| arg == "--only").map(|at| args[at + 1].as_str());
    for (kind, kind_name) in [(Kind::Whole, "whole"), (Kind::Stream, "streamed")] {
        for connections in [1, 32] {
            if only.is_some_and(|only| only != format!("{kind_name}{connections}")) {
                continue;
            }
            let of_kind: Vec<&Subject> = subjects.iter().filter(|subject| subject.kind == kind).collect();
            compare(&of_kind, kind_name, connections, Duration::from_secs(seconds), rounds).await;
        }
    }
}

async fn compare(subjects: &[&Subject], kind_name: &str, connections: usize, time: Duration, rounds: usize) {
    let mut all: Vec<Vec<Measured>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for (subject, results) in subjects.iter().zip(&mut all) {
            let warm_up = round == 0;
            let time = if warm_up { time.min(Duration::from_millis(500)) } else { time };
            let request = (&*subject.request, subject.events);
            let measured = load::run(subject.port, request, connections, time, &subject.processes).await;
            if !warm_up {
                results.push(measured);
            }
        }
    }
    let cpu = |results: &[Measured]| median(results.iter().map(|result| result.cpu_us).collect());
    let [nginx, floor] = [subjects::NGINX, subjects::FLOOR].map(|name| {
        let at = subjects.iter().position(|subject| subject.name == name).expect("it is measured");
        cpu(&all[at])
    });
    for (subject, results) in subjects.iter().zip(&all) {
        let of = |value: fn(&Measured) -> f64| median(results.iter().map(value).collect());
        let ratio = |to: f64| match subject.processes.is_empty() {
            true => "–".to_owned(),
            false => format!("{:.2}", cpu(results) / to),
        };
        let rss: f64 = subject.processes.iter().map(|process| usage::rss_mib(*process)).sum();
        println!(
            "| {kind_name} | {connections} | {} | {:.1} | {:.0} | {:.0} | {:.0} | {rss:.0} | {} | {} |",
            subject.name,
            cpu(results),
            of(|result| result.per_second),
            of(|result| result.p50_us),
            of(|result| result.p99_us),
            ratio(nginx),
            ratio(floor),
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
