use bytes::Bytes;
use gateway_wire::json_object::JsonObject;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::*;
use crate::cache::key::{Surroundings, cache_key};

const DIMENSIONS: usize = 384;

fn key(n: usize) -> CacheKey {
    let body = JsonObject::parse(Bytes::from(json!({ "n": n }).to_string())).unwrap();
    cache_key(Surroundings { tenant: "t", namespace: "", endpoint: "/", plan: "" }, &body).unwrap()
}

fn random(random: &mut StdRng) -> Vec<f32> {
    unit((0..DIMENSIONS).map(|_| random.random_range(-1.0..1.0)).collect())
}

fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.into_iter().map(|value| value / length).collect()
}

/// A vector at about this cosine from another.
fn near(vector: &[f32], cosine: f32, random_numbers: &mut StdRng) -> Vec<f32> {
    let other = random(random_numbers);
    let along: f32 = vector.iter().zip(&other).map(|(a, b)| a * b).sum();
    let across = unit(other.iter().zip(vector).map(|(b, a)| b - along * a).collect());
    let sine = (1.0 - cosine * cosine).sqrt();
    vector.iter().zip(&across).map(|(a, b)| cosine * a + sine * b).collect()
}

fn answered(context: usize, n: usize, vector: &[f32]) -> AnsweredQuestion {
    let text = format!("question {n}").into();
    AnsweredQuestion {
        context: key(context),
        key: key(n),
        text,
        expires_at: 100,
        vector: PackedVector::from_floats(vector),
    }
}

/// F3: what is found is what a search by whole numbers finds, to a thousandth or two, and only among equal surroundings.
#[test]
fn f3_the_most_similar_question_is_found() {
    let mut numbers = StdRng::seed_from_u64(7);
    let index = Index::new(10_000);
    let asked = random(&mut numbers);
    for n in 0..1_000 {
        index.add(answered(1_000_000, n, &random(&mut numbers)));
    }
    for (n, cosine) in [(2_000, 0.95), (2_001, 0.97), (2_002, 0.90)] {
        index.add(answered(1_000_000, n, &near(&asked, cosine, &mut numbers)));
    }
    index.add(answered(1_000_001, 3_000, &asked));
    let found = index.search(&key(1_000_000), &asked, 0.92, 0);
    let keys: Vec<CacheKey> = found.iter().map(|candidate| candidate.key).collect();
    assert_eq!(keys, [key(2_001), key(2_000)]);
    assert!((found[0].similarity - 0.97).abs() < 0.002, "{}", found[0].similarity);
    assert!(index.search(&key(1_000_000), &asked, 0.92, 100).is_empty(), "they have expired");
    assert!(index.search(&key(5), &asked, 0.0, 0).is_empty());
    assert!(index.search(&key(1_000_000), &asked[..10], 0.0, 0).is_empty(), "another model's vector");
}

/// F5: the number of questions is bounded, whatever their surroundings; what goes leaves nothing behind.
#[test]
fn f5_questions_are_bounded_and_forgotten() {
    let mut numbers = StdRng::seed_from_u64(8);
    let vectors: Vec<Vec<f32>> = (0..60).map(|_| random(&mut numbers)).collect();
    let index = Index::new(50);
    for (n, vector) in vectors.iter().enumerate() {
        index.add(answered(1_000 + n % 3, n, vector));
    }
    assert_eq!(index.len(), 50);
    let is_there =
        |n: usize| index.search(&key(1_000 + n % 3), &vectors[n], 0.99, 0).first().map(|c| c.key) == Some(key(n));
    assert!((57..60).all(is_there), "the newest are there");
    assert!(
        index.holds(&key(1_002), &key(59)) && !index.holds(&key(1_001), &key(59)) && !index.holds(&key(1), &key(60))
    );
    assert_eq!((0..60).filter(|n| is_there(*n)).count(), 50);
    index.add(answered(1_002, 59, &vectors[59]));
    assert_eq!(index.len(), 50, "the same answer again");
    index.remove(&key(59));
    assert!(!index.holds(&key(1_002), &key(59)) && !is_there(59) && is_there(58) && is_there(57));
    index.expire(99);
    assert_eq!(index.len(), 49);
    index.expire(100);
    assert!(index.is_empty());
}

/// F3: a question that is kept apart is not found, also where it comes again.
#[test]
fn f3_questions_are_kept_apart() {
    let (index, vector) = (Index::new(2), random(&mut StdRng::seed_from_u64(8)));
    for n in 1..=2 {
        index.add(answered(1_000, n, &vector));
    }
    let found = || index.search(&key(1_000), &vector, 0.99, 0).iter().map(|found| found.key).collect::<Vec<_>>();
    assert!(index.is_full());
    index.set_apart(key(1));
    index.add(answered(1_000, 1, &vector));
    assert_eq!((found(), index.is_apart(&key(1)), index.is_full()), (vec![key(2)], true, false));
    assert!(index.holds(&key(1_000), &key(1)), "nothing is missing");
    index.clear();
    index.add(answered(1_000, 1, &vector));
    assert_eq!(found(), [key(1)]);
}
