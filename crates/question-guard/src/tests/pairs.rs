//! The adversarial set, measured. The held-out half is only ever seen as totals.

use std::collections::{BTreeMap, HashSet};

use super::super::differs;
use crate::pairs::{HALVES, Pair, pairs};

/// How many pairs there are, and how many the guard lets through.
#[derive(Default)]
struct Count {
    pairs: usize,
    through: usize,
}

impl Count {
    fn add(&mut self, pair: &Pair) {
        self.pairs += 1;
        self.through += usize::from(differs(pair.a, pair.b).is_none());
    }

    fn share(&self) -> f64 {
        self.through as f64 / self.pairs as f64
    }
}

fn counted(half: &str, language: &str, same: bool) -> Count {
    let mut count = Count::default();
    let chosen = |pair: &&Pair| pair.half == half && pair.language == language && pair.same == same;
    pairs().iter().filter(chosen).for_each(|pair| count.add(pair));
    count
}

/// F3: the set is large enough, bilingual, holds a kind out only where it is tuned too, and says nothing twice.
#[test]
fn f3_the_adversarial_set_is_whole() {
    let pairs = pairs();
    assert!(pairs.len() >= 520, "{}", pairs.len());
    let ids: HashSet<_> = pairs.iter().map(|pair| pair.id).collect();
    let texts: HashSet<_> = pairs.iter().map(|pair| (pair.a.to_lowercase(), pair.b.to_lowercase())).collect();
    assert_eq!((ids.len(), texts.len()), (pairs.len(), pairs.len()));
    for pair in pairs.iter().filter(|pair| pair.half == "held_out") {
        let twin = |twin: &Pair| (twin.kind, twin.language, twin.half) == (pair.kind, pair.language, "tuning");
        assert!(pairs.iter().any(twin), "{} has no tuning pair of its kind", pair.id);
    }
}

/// F3: of the pairs that must not match, none of the tuning half passes; most paraphrases do.
#[test]
fn f3_the_tuning_half_holds() {
    let wrong = |pair: &&Pair| pair.half == "tuning" && !pair.same && differs(pair.a, pair.b).is_none();
    let passed: Vec<_> =
        pairs().iter().filter(wrong).map(|pair| format!("{}: {} | {}", pair.id, pair.a, pair.b)).collect();
    assert!(passed.is_empty(), "{}", passed.join("\n"));
    for language in ["en", "vi"] {
        let recall = counted("tuning", language, true).share();
        assert!(recall >= 0.8, "{language}: {recall}");
    }
}

/// F3: of the pairs that nothing was tuned on and must not match, at most one in 200 passes; of the paraphrases six in ten
/// do, and four in ten of those by somebody who had not seen the guard. Says totals alone, so that nobody tunes on them.
#[test]
fn f3_the_halves_that_are_not_tuned_on_hold() {
    for (halves, least) in [(&["held_out", "late"][..], 0.6), (&["fresh"], 0.4)] {
        let (mut paraphrases, mut others) = (Count::default(), Count::default());
        for pair in pairs().iter().filter(|pair| halves.contains(&pair.half)) {
            if pair.same { &mut paraphrases } else { &mut others }.add(pair);
        }
        assert!(others.share() <= 0.005, "{halves:?}: {} of {} pass", others.through, others.pairs);
        assert!(paraphrases.share() >= least, "{halves:?}: {} of {} pass", paraphrases.through, paraphrases.pairs);
    }
}

/// F3: the table of both halves: `cargo test -p gateway-actors guard_report -- --nocapture`.
#[test]
fn guard_report() {
    let mut rows: BTreeMap<_, Count> = BTreeMap::new();
    for pair in pairs() {
        for kind in [pair.kind, "ALL"] {
            rows.entry((pair.language, !pair.same, kind, pair.half)).or_default().add(&pair);
        }
    }
    println!("language  must match  kind          half      pairs  through");
    for ((language, differ, kind, half), Count { pairs, through }) in &rows {
        let same = if *differ { "no" } else { "yes" };
        println!("{language:<9} {same:<11} {kind:<13} {half:<9} {pairs:>5} {through:>8}");
    }
    for half in HALVES {
        for language in ["en", "vi"] {
            let (recall, leaks) = (counted(half, language, true), counted(half, language, false));
            let (recall, leaks) = (100.0 * recall.share(), 100.0 * leaks.share());
            println!("{half} {language}: {recall:.1} % of the paraphrases pass, {leaks:.1} % of the others");
        }
    }
}

/// Every question of the tuning half.
pub fn texts() -> Vec<&'static str> {
    pairs().iter().filter(|pair| pair.half == "tuning").flat_map(|pair| [pair.a, pair.b]).collect()
}
