//! The models' agreement, on pairs of answers that were written for it.

use crate::cache::entry::CacheEntry;
use crate::cache::shadow::judge::compare;
use crate::cache::shadow::{AnswerText, Verdict};
use crate::embed::model::Model;
use crate::embed::pool::EmbedSettings;
use crate::embed::tests::real_model::{e5_small, minilm, settings, settled};

const PAIRS: &str = include_str!("../answers.tsv");

fn spoken(text: &str) -> AnswerText {
    let choices = serde_json::json!([{ "message": { "content": text } }]);
    let entry = serde_json::json!({ "tenant": "", "namespace": "", "provider": "", "model": "", "cost": null,
        "stored_at": 0, "expires_at": 0, "said": { "whole": serde_json::json!({ "choices": choices }).to_string() } });
    AnswerText::from_entry(&serde_json::from_value::<CacheEntry>(entry).unwrap()).unwrap()
}

/// Of answers that say the same and of others: how many agree, differ, and cannot be compared.
async fn measured(settings: EmbedSettings) -> [[usize; 3]; 2] {
    let pool = settled(settings).await;
    let mut counts = [[0; 3]; 2];
    for line in PAIRS.lines().filter(|line| !line.starts_with('#')) {
        let [kind, one, other] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let verdict = compare(&pool, pool.model().agreement().unwrap(), &spoken(one), &spoken(other)).await;
        let verdict = [Verdict::Agrees, Verdict::Differs, Verdict::Uncomparable].iter().position(|v| *v == verdict);
        counts[usize::from(kind == "other")][verdict.unwrap()] += 1;
    }
    pool.close().await;
    counts
}

/// F3: MiniLM takes answers to other questions for others, and those to the same one for the same, where it reads both.
#[actix_rt::test]
async fn f3_minilm_tells_answers_apart() {
    let Some(places) = minilm() else { return };
    let minilm = Model::find("all-MiniLM-L6-v2").unwrap();
    assert_eq!(measured(settings(minilm, places)).await, [[19, 0, 1], [0, 19, 1]]);
}

/// F3: so does multilingual-e5-small.
#[actix_rt::test]
async fn f3_e5_tells_answers_apart() {
    let Some(places) = e5_small() else { return };
    let e5 = Model::find("multilingual-e5-small").unwrap();
    let counts = measured(settings(e5, places)).await;
    assert_eq!(counts, [[20, 0, 0], [0, 20, 0]]);
}
