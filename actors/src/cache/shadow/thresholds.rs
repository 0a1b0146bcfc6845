//! The verdicts of each namespace, and the thresholds that they raise.

use std::collections::HashMap;

use serde::Serialize;

use super::window::{Precision, Window};
use crate::cache::invalidation::Invalidation;

/// From this threshold on no question is near enough, not even one of equal vectors.
pub(super) const NONE_SHARED: f32 = 1.0;

/// The last threshold that is raised by half of the way to 1; the next one is 1.
const LAST_STEP: f32 = 0.985;

/// Verdicts of a namespace that count, at most.
const WINDOW: usize = 200;

/// Verdicts of all namespaces together that count, at most.
const WINDOW_OF_ALL: usize = 1_000;

/// Verdicts without which a threshold stays.
const MIN_VERDICTS: usize = 20;

/// Wrong answers without which a threshold stays: a single one may be the comparison's own mistake.
const MIN_WRONG_VERDICTS: usize = 2;

/// Namespaces of which verdicts are kept, at most.
const MAX_PLACES: usize = 1_024;

/// Where answers are shared: a namespace of a tenant. What one tenant asks raises no threshold of another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Place {
    /// Whose answers they are.
    pub tenant: String,
    /// The namespace; empty for that of requests which name none.
    pub namespace: String,
}

/// A threshold that has just been raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdRaise {
    /// From where.
    pub from: f32,
    /// To where; 1 means that no answer is shared any more.
    pub to: f32,
    /// What was measured.
    pub precision: Precision,
}

/// What is known of a namespace, for an operator.
#[derive(Debug, Serialize)]
pub struct NamespaceReport {
    /// Which one.
    #[serde(flatten)]
    pub place: Place,
    /// Since the threshold was raised last.
    #[serde(flatten)]
    pub precision: Precision,
    /// The least similarity of questions that share an answer, where a request asks for no greater one; 1 where none is
    /// shared.
    pub threshold: f64,
    /// Whether verdicts have raised it.
    pub raised: bool,
}

/// All verdicts.
#[derive(Debug)]
pub(super) struct Verdicts {
    target: f64,
    all: Window,
    places: HashMap<Place, NamespaceThreshold>,
    clock: u64,
}

#[derive(Debug)]
struct NamespaceThreshold {
    window: Window,
    raised: Option<f32>,
    /// When there was a verdict last, in verdicts.
    touched: u64,
}

impl Verdicts {
    /// An empty book; `target` is the part of answers that must be right.
    pub(super) fn new(target: f64) -> Self {
        Self { target, all: Window::new(WINDOW_OF_ALL), places: HashMap::new(), clock: 0 }
    }

    /// The threshold that verdicts have raised, if they have.
    pub(super) fn raised(&self, place: &Place) -> Option<f32> {
        self.places.get(place)?.raised
    }

    /// Takes in whether an answer agreed, whose question was so similar and has passed this threshold. Where too few do,
    /// the threshold rises by half of the way to 1, beyond 0.985 to 1, which means that none is shared; then verdicts are
    /// counted anew. It never falls by itself.
    pub(super) fn note(
        &mut self,
        place: &Place,
        similarity: f32,
        threshold: f32,
        agrees: bool,
    ) -> Option<ThresholdRaise> {
        self.all.add(agrees);
        self.clock += 1;
        if !self.places.contains_key(place) {
            self.make_room();
        }
        let kept = self.places.entry(place.clone()).or_insert_with(NamespaceThreshold::new);
        kept.touched = self.clock;
        let in_force = kept.raised.unwrap_or(threshold);
        // What was looked up before the threshold rose tells nothing of what is shared now.
        if similarity < in_force {
            return None;
        }
        kept.window.add(agrees);
        let precision = kept.window.precision();
        let is_wrong_too_often = precision.verdicts >= MIN_VERDICTS
            && precision.differing() >= MIN_WRONG_VERDICTS
            && precision.estimate().is_some_and(|estimate| estimate < self.target);
        if !is_wrong_too_often {
            return None;
        }
        let from = threshold.max(in_force);
        let to = if from > LAST_STEP { NONE_SHARED } else { from + (1.0 - from) / 2.0 };
        (kept.window, kept.raised) = (Window::new(WINDOW), Some(to));
        Some(ThresholdRaise { from, to, precision })
    }

    /// Forgets the verdicts of a namespace, of all tenants, or all.
    pub(super) fn reset(&mut self, invalidation: &Invalidation) {
        match invalidation {
            Invalidation::All => *self = Self::new(self.target),
            Invalidation::Namespace(name) => self.places.retain(|place, _| place.namespace != *name),
            Invalidation::Key(_) => {}
        }
    }

    /// The precision of the last verdicts of all namespaces.
    pub(super) fn precision(&self) -> Precision {
        self.all.precision()
    }

    /// Every namespace, in order; `threshold` is the one where none was raised.
    pub(super) fn report(&self, threshold: f32) -> Vec<NamespaceReport> {
        let mut places: Vec<(&Place, &NamespaceThreshold)> = self.places.iter().collect();
        places.sort_unstable_by_key(|(place, _)| (&place.tenant, &place.namespace));
        let report = |(place, kept): (&Place, &NamespaceThreshold)| NamespaceReport {
            place: place.clone(),
            precision: kept.window.precision(),
            threshold: (f64::from(kept.raised.unwrap_or(threshold)) * 1e4).round() / 1e4,
            raised: kept.raised.is_some(),
        };
        places.into_iter().map(report).collect()
    }

    /// Forgets the namespace that has been without a verdict for longest; one whose threshold was raised only where
    /// there is no other.
    fn make_room(&mut self) {
        if self.places.len() < MAX_PLACES {
            return;
        }
        let idle = self.places.iter().min_by_key(|(_, kept)| (kept.raised.is_some(), kept.touched));
        if let Some(place) = idle.map(|(place, _)| place.clone()) {
            self.places.remove(&place);
        }
    }
}

impl NamespaceThreshold {
    fn new() -> Self {
        Self { window: Window::new(WINDOW), raised: None, touched: 0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(name: &str) -> Place {
        Place { tenant: "team:1".to_owned(), namespace: name.to_owned() }
    }

    fn is_raised_to(table: &Verdicts, threshold: f32) -> bool {
        table.raised(&place("a")).is_some_and(|raised| (raised - threshold).abs() < 1e-4)
    }

    /// Notes verdicts on answers whose questions are equal but for a hair, so that all are above any threshold below 1.
    fn noted(table: &mut Verdicts, verdicts: impl IntoIterator<Item = bool>) -> Vec<ThresholdRaise> {
        verdicts.into_iter().filter_map(|agrees| table.note(&place("a"), 0.999, 0.92, agrees)).collect()
    }

    /// One wrong answer, or a handful of verdicts, raise nothing; two of twenty do, and three of two hundred where the
    /// target is 0.99, but not two.
    #[test]
    fn f3_a_threshold_rises_where_answers_are_wrong_too_often() {
        let verdicts = |right: usize, wrong: usize| (0..right).map(|_| true).chain((0..wrong).map(|_| false));
        for (target, right, wrong, rises) in [
            (0.95, 19, 1, false),
            (0.95, 0, 1, false),
            (0.95, 0, 19, false),
            (0.95, 18, 2, true),
            (0.95, 0, 20, true),
            (0.95, 198, 2, false),
            (0.95, 190, 10, false),
            (0.95, 189, 11, true),
            (0.99, 198, 2, false),
            (0.99, 197, 3, true),
            (0.0, 0, 200, false),
            (1.0, 199, 1, false),
            (1.0, 198, 2, true),
        ] {
            let mut table = Verdicts::new(target);
            let risen = noted(&mut table, verdicts(right, wrong));
            assert_eq!(risen.len(), usize::from(rises), "{target}: {right} and {wrong}: {risen:?}");
            assert_eq!(is_raised_to(&table, 0.96), rises, "{target}: {right} and {wrong}");
            assert_eq!(table.raised(&place("b")), None);
        }
    }

    /// Step by step up to where nothing is shared, each after verdicts of its own; nothing lowers it but a reset.
    #[test]
    fn f3_a_threshold_rises_step_by_step_and_falls_by_a_reset_alone() {
        let mut table = Verdicts::new(0.95);
        let steps: Vec<f32> = noted(&mut table, (0..80).map(|_| false)).iter().map(|raised| raised.to).collect();
        let wanted = [0.96, 0.98, 0.99, NONE_SHARED];
        assert!(steps.iter().zip(wanted).all(|(step, wanted)| (step - wanted).abs() < 1e-4), "{steps:?}");
        assert_eq!((steps.len(), steps.last()), (4, Some(&NONE_SHARED)));
        noted(&mut table, (0..400).map(|_| true));
        assert_eq!(table.raised(&place("a")), Some(NONE_SHARED));
        table.reset(&Invalidation::Key("0".repeat(64)));
        table.reset(&Invalidation::Namespace("b".to_owned()));
        assert_eq!(table.raised(&place("a")), Some(NONE_SHARED));
        table.reset(&Invalidation::Namespace("a".to_owned()));
        assert_eq!((table.raised(&place("a")), table.report(0.92).len()), (None, 0));
        assert_eq!(table.precision().verdicts, 480);
        table.reset(&Invalidation::All);
        assert_eq!(table.precision(), Precision::default());
    }

    /// What was looked up under a lower threshold does not count against the raised one, and a request that asks for more
    /// than was in force raises from there.
    #[test]
    fn f3_verdicts_count_for_the_threshold_in_force() {
        let mut table = Verdicts::new(0.95);
        assert_eq!(noted(&mut table, (0..20).map(|_| false)).len(), 1);
        for _ in 0..100 {
            assert_eq!(table.note(&place("a"), 0.95, 0.92, false), None);
        }
        assert_eq!(table.report(0.92)[0].precision, Precision::default());
        let risen: Vec<ThresholdRaise> = (0..20).filter_map(|_| table.note(&place("a"), 0.999, 0.97, false)).collect();
        assert!(
            matches!(risen[..], [ThresholdRaise { from, to, .. }] if from == 0.97 && (to - 0.985).abs() < 1e-4),
            "{risen:?}"
        );
    }

    /// Names of clients' making do not fill the memory, nor push out the thresholds that were raised.
    #[test]
    fn f3_the_namespaces_are_bounded() {
        let mut table = Verdicts::new(0.95);
        noted(&mut table, (0..20).map(|_| false));
        for n in 0..3 * MAX_PLACES {
            table.note(&place(&format!("invented-{n}")), 0.95, 0.92, true);
        }
        assert_eq!(table.report(0.92).len(), MAX_PLACES);
        assert!(is_raised_to(&table, 0.96));
        assert!(table.report(0.92).iter().any(|report| report.place == place("invented-3071")));
    }

    proptest! {
        /// Whatever comes, a threshold only rises, and never beyond 1.
        #[test]
        fn f3_a_threshold_never_falls_by_itself(
            verdicts in prop::collection::vec((any::<bool>(), 0.5_f32..1.0, 0.3_f32..1.0), 0..400),
        ) {
            let mut table = Verdicts::new(0.9);
            let mut before = 0.0;
            for (agrees, similarity, threshold) in verdicts {
                let risen = table.note(&place("a"), similarity, threshold, agrees);
                let now = table.raised(&place("a")).unwrap_or(0.0);
                prop_assert!((before..=NONE_SHARED).contains(&now));
                prop_assert_eq!(risen.is_some(), now > before);
                before = now;
            }
        }
    }
}
