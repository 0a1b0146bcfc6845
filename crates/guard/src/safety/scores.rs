//! Scores of a text, and where they become too high.

use super::category::{Categories, Category};

/// How unsafe a text is in each category, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores([f64; Category::COUNT]);

/// From which score on a category counts; categories that were not asked for never do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds([f64; Category::COUNT]);

impl Scores {
    pub(crate) fn from_array(scores: [f64; Category::COUNT]) -> Self {
        Self(scores)
    }

    /// The score of a category.
    pub fn get(&self, category: Category) -> f64 {
        self.0[category as usize]
    }

    /// Raises the score of a category to `score`, which is cut to 0 to 1; it never falls.
    pub fn raise(&mut self, category: Category, score: f64) {
        let highest = &mut self.0[category as usize];
        *highest = highest.max(score.clamp(0.0, 1.0));
    }

    /// Takes the higher score of each category.
    pub fn merge(&mut self, other: &Self) {
        for category in Category::all() {
            self.raise(category, other.get(category));
        }
    }

    /// The highest score among some categories; 0 where there is none.
    pub fn max(&self, categories: Categories) -> f64 {
        self.iter()
            .filter(|(category, _)| categories.has(*category))
            .fold(0.0, |highest, (_, score)| highest.max(score))
    }

    /// The categories with their scores.
    pub fn iter(&self) -> impl Iterator<Item = (Category, f64)> + '_ {
        Category::all().map(|category| (category, self.get(category)))
    }
}

impl Thresholds {
    /// One threshold for some categories; nothing where it is not a number from 0 to 1.
    pub fn new(threshold: f64, categories: Categories) -> Option<Self> {
        let of = |category| if categories.has(category) { threshold } else { f64::INFINITY };
        let mut thresholds = [f64::INFINITY; Category::COUNT];
        for category in Category::all() {
            thresholds[category as usize] = of(category);
        }
        (0.0..=1.0).contains(&threshold).then_some(Self(thresholds))
    }

    /// The same with another threshold for one category; nothing where it is not a number from 0 to 1.
    #[must_use]
    pub fn with(mut self, category: Category, threshold: f64) -> Option<Self> {
        self.0[category as usize] = threshold;
        (0.0..=1.0).contains(&threshold).then_some(self)
    }

    /// The category whose score lies highest above its threshold, if one reaches it.
    pub fn reached(&self, scores: &Scores) -> Option<(Category, f64)> {
        let over = |&(category, score): &(Category, f64)| score >= self.0[category as usize];
        let margin = |(category, score): (Category, f64)| score - self.0[category as usize];
        scores.iter().filter(over).max_by(|left, right| margin(*left).total_cmp(&margin(*right)))
    }
}
