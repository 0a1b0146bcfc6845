//! How long a look among many questions takes, and the memory that they need.

use std::time::Instant;

use gateway_actors::cache::key::{CacheKey, Surroundings, cache_key};
use gateway_actors::cache::semantic::index::{AnsweredQuestion, Index, PackedVector};
use gateway_wire::json_object::JsonObject;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const DIMENSIONS: usize = 384;
const LOOKS: u32 = 100;

fn key(n: usize) -> CacheKey {
    let body = JsonObject::parse(format!(r#"{{"n":{n}}}"#).into()).unwrap();
    cache_key(Surroundings { tenant: "bench", namespace: "", endpoint: "/", plan: "" }, &body).unwrap()
}

fn random(numbers: &mut StdRng) -> Vec<f32> {
    let vector: Vec<f32> = (0..DIMENSIONS).map(|_| numbers.random_range(-1.0..1.0)).collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.into_iter().map(|value| value / length).collect()
}

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Prints the table.
pub fn table() {
    println!("| questions | ms a look | MiB more |");
    println!("|---|---|---|");
    let mut numbers = StdRng::seed_from_u64(1);
    let context = key(usize::MAX);
    for count in [1_000, 10_000, 100_000] {
        let before = resident();
        let index = Index::new(count);
        for n in 0..count {
            let text = "How do I reset the password of my account in the portal?".into();
            let vector = PackedVector::from_floats(&random(&mut numbers));
            index.add(AnsweredQuestion { context, key: key(n), text, expires_at: u64::MAX, vector });
        }
        let memory = resident() - before;
        let asked: Vec<Vec<f32>> = (0..LOOKS).map(|_| random(&mut numbers)).collect();
        let begun = Instant::now();
        let found: usize = asked.iter().map(|vector| index.search(&context, vector, 0.92, 0).len()).sum();
        let look = begun.elapsed().as_secs_f64() * 1e3 / f64::from(LOOKS);
        assert_eq!(found, 0, "random vectors are far from each other");
        println!("| {count} | {look:.3} | {memory:.0} |");
    }
    println!();
}
