//! The last verdicts, so that old ones fade.

use std::collections::VecDeque;

use serde::Serialize;

/// The last so many verdicts.
#[derive(Debug)]
pub(super) struct Window {
    last: VecDeque<bool>,
    agreeing: usize,
    most: usize,
}

/// How often the cache was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(into = "Figures")]
pub struct Precision {
    /// Answers that were compared.
    pub verdicts: usize,
    /// Those that agreed.
    pub agreeing: usize,
}

/// How a precision is told.
#[derive(Serialize)]
struct Figures {
    verdicts: usize,
    differing: usize,
    precision: Option<f64>,
    precision_lower_bound: Option<f64>,
}

impl Window {
    /// An empty window of at most so many verdicts.
    pub(super) fn new(most: usize) -> Self {
        Self { last: VecDeque::new(), agreeing: 0, most: most.max(1) }
    }

    /// Adds a verdict; the oldest one makes room.
    pub(super) fn add(&mut self, agrees: bool) {
        if self.last.len() == self.most
            && let Some(oldest) = self.last.pop_front()
        {
            self.agreeing -= usize::from(oldest);
        }
        self.last.push_back(agrees);
        self.agreeing += usize::from(agrees);
    }

    /// What the verdicts come to.
    pub(super) fn precision(&self) -> Precision {
        Precision { verdicts: self.last.len(), agreeing: self.agreeing }
    }
}

impl Precision {
    /// Answers that did not agree.
    pub fn differing(self) -> usize {
        self.verdicts - self.agreeing
    }

    /// The part that agreed; none without verdicts.
    pub fn estimate(self) -> Option<f64> {
        (self.verdicts > 0).then(|| self.agreeing as f64 / self.verdicts as f64)
    }

    /// What the true part is at least, at 95 % (Wilson's score interval, two-sided); none without verdicts.
    pub fn lower_bound(self) -> Option<f64> {
        const Z: f64 = 1.959_964;
        let (part, n) = (self.estimate()?, self.verdicts as f64);
        let spread = Z * (part * (1.0 - part) / n + Z * Z / (4.0 * n * n)).sqrt();
        Some(((part + Z * Z / (2.0 * n) - spread) / (1.0 + Z * Z / n)).max(0.0))
    }
}

impl From<Precision> for Figures {
    fn from(precision: Precision) -> Self {
        Self {
            verdicts: precision.verdicts,
            differing: precision.differing(),
            precision: precision.estimate(),
            precision_lower_bound: precision.lower_bound(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Against a table of Wilson's intervals.
    #[test]
    fn f3_the_lower_bound_is_wilsons() {
        for (agreeing, verdicts, bound) in
            [(0, 1, 0.0), (1, 1, 0.2065), (9, 10, 0.5958), (10, 10, 0.7225), (95, 100, 0.8882), (200, 200, 0.9812)]
        {
            let found = Precision { verdicts, agreeing }.lower_bound().unwrap();
            assert!((found - bound).abs() < 1e-4, "{agreeing} of {verdicts}: {found}");
        }
        assert_eq!((Precision::default().estimate(), Precision::default().lower_bound()), (None, None));
    }

    proptest! {
        /// Only the last verdicts count, and the bound is below what was seen and above nothing.
        #[test]
        fn f3_old_verdicts_fade(verdicts in prop::collection::vec(any::<bool>(), 1..60), most in 1_usize..20) {
            let mut window = Window::new(most);
            verdicts.iter().for_each(|agrees| window.add(*agrees));
            let last = &verdicts[verdicts.len().saturating_sub(most)..];
            let precision = window.precision();
            prop_assert_eq!(precision.verdicts, last.len());
            prop_assert_eq!(precision.agreeing, last.iter().filter(|agrees| **agrees).count());
            let (estimate, bound) = (precision.estimate().unwrap(), precision.lower_bound().unwrap());
            prop_assert!((0.0..=estimate).contains(&bound) && bound < 1.0);
        }
    }
}
