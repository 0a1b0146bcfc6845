//! The questions that were answered, by their meaning: a flat array of vectors for each set of equal surroundings.
//!
//! At a gateway's sizes a flat array is as quick as any graph, exact, and forgets in no time. Vectors are kept in a byte a
//! dimension, which changes a cosine by at most some thousandths; the best ones are scored again by the whole question.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use quick_cache::sync::Cache;
use simsimd::SpatialSimilarity;

use crate::cache::key::CacheKey;

/// How far the quick score may be from the exact one.
const BLUR: f32 = 0.005;

/// Questions that are kept apart at most.
const MAX_APART: usize = 10_000;

/// Candidates that are handed out at most.
const MAX_CANDIDATES: usize = 8;

/// A question's vector in a byte a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedVector {
    /// The dimensions, the largest of them ±127.
    pub bytes: Vec<i8>,
    /// What each byte stands for.
    pub scale: f32,
}

/// A question that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct AnsweredQuestion {
    /// What makes its surroundings what they are: only equal ones are compared.
    pub context: CacheKey,
    /// The name of its answer.
    pub key: CacheKey,
    /// Its text.
    pub text: Arc<str>,
    /// Until when the answer may be used, in seconds since 1970.
    pub expires_at: u64,
    /// Its vector.
    pub vector: PackedVector,
}

/// A question that is like the one that was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The name of its answer.
    pub key: CacheKey,
    /// Its text.
    pub text: Arc<str>,
    /// The cosine of the angle between the two.
    pub similarity: f32,
}

/// All questions of this process.
#[derive(Debug)]
pub struct Index {
    state: RwLock<State>,
    most: usize,
    /// Answers whose questions are neither found nor looked up by their meaning, since that went wrong.
    apart: Cache<CacheKey, ()>,
}

#[derive(Debug, Default)]
struct State {
    flats: HashMap<CacheKey, Flat>,
    /// Where each answer's question is: its surroundings, and its place among them.
    places: HashMap<CacheKey, (CacheKey, usize)>,
}

/// The questions of equal surroundings, column by column.
#[derive(Debug, Default)]
struct Flat {
    dimensions: usize,
    bytes: Vec<i8>,
    scales: Vec<f32>,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    key: CacheKey,
    text: Arc<str>,
    expires_at: u64,
}

impl PackedVector {
    /// Packs a vector of length 1.
    pub fn from_floats(vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        Self { bytes: vector.iter().map(|value| (value / scale).round() as i8).collect(), scale }
    }
}

impl Index {
    /// An index of at most so many questions.
    pub fn new(most: usize) -> Self {
        Self { state: RwLock::default(), most: most.max(1), apart: Cache::new(MAX_APART) }
    }

    /// The questions of equal surroundings that are at least so similar, the most similar first; `now` is in seconds
    /// since 1970.
    pub fn search(&self, context: &CacheKey, vector: &[f32], threshold: f32, now: u64) -> Vec<Candidate> {
        let state = self.read();
        let Some(flat) = state.flats.get(context).filter(|flat| flat.dimensions == vector.len()) else {
            return Vec::new();
        };
        flat.search(vector, threshold, now)
    }

    /// Adds a question, or replaces the one with the same answer.
    pub fn add(&self, answered: AnsweredQuestion) {
        if self.is_apart(&answered.key) {
            return;
        }
        let mut state = self.write();
        state.remove(&answered.key);
        let dimensions = answered.vector.bytes.len();
        let flat = state.flats.entry(answered.context).or_default();
        if flat.items.is_empty() {
            flat.dimensions = dimensions;
        }
        // Another model's vectors are no neighbours; its surroundings differ, unless something is broken.
        if flat.dimensions != dimensions {
            return;
        }
        flat.bytes.extend_from_slice(&answered.vector.bytes);
        flat.scales.push(answered.vector.scale);
        let AnsweredQuestion { context, key, text, expires_at, .. } = answered;
        let place = flat.items.len();
        flat.items.push(Item { key, text, expires_at });
        state.places.insert(key, (context, place));
        if state.places.len() > self.most {
            state.make_room(&context);
        }
    }

    /// Whether the question of an answer is there, with these surroundings, or is to stay away.
    pub fn holds(&self, context: &CacheKey, key: &CacheKey) -> bool {
        self.is_apart(key) || self.read().places.get(key).is_some_and(|(of, _)| of == context)
    }

    /// Keeps the question of an answer apart from all others from now on.
    pub fn set_apart(&self, key: CacheKey) {
        self.apart.insert(key, ());
        self.remove(&key);
    }

    /// Whether the question of an answer is kept apart.
    pub fn is_apart(&self, key: &CacheKey) -> bool {
        self.apart.get(key).is_some()
    }

    /// Whether one more question makes another one go.
    pub fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    /// Forgets the question of an answer.
    pub fn remove(&self, key: &CacheKey) {
        self.write().remove(key);
    }

    /// Forgets all questions, and which ones were kept apart.
    pub fn clear(&self) {
        *self.write() = State::default();
        self.apart.clear();
    }

    /// Forgets the questions whose answers have expired.
    pub fn expire(&self, now: u64) {
        let expired = |state: &State| {
            let items = state.flats.values().flat_map(|flat| &flat.items);
            items.filter(|item| item.expires_at <= now).map(|item| item.key).collect::<Vec<_>>()
        };
        let gone = expired(&self.read());
        if !gone.is_empty() {
            let mut state = self.write();
            gone.iter().for_each(|key| state.remove(key));
        }
    }

    /// How many questions there are.
    pub fn len(&self) -> usize {
        self.read().places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, key: &CacheKey) {
        let Some((context, place)) = self.places.remove(key) else { return };
        let Some(flat) = self.flats.get_mut(&context) else { return };
        if let Some(moved) = flat.remove(place) {
            self.places.insert(moved, (context, place));
        }
        if flat.items.is_empty() {
            self.flats.remove(&context);
        }
    }

    /// Forgets one question: one of the surroundings that have just grown, else any.
    fn make_room(&mut self, grown: &CacheKey) {
        let near = self.flats.get(grown).filter(|flat| flat.items.len() > 1).and_then(|flat| flat.items.first());
        let gone = near.map(|item| item.key).or_else(|| {
            let other = self.flats.iter().find(|(context, _)| *context != grown);
            other.and_then(|(_, flat)| flat.items.first()).map(|item| item.key)
        });
        if let Some(key) = gone {
            self.remove(&key);
        }
    }
}

impl Flat {
    fn search(&self, vector: &[f32], threshold: f32, now: u64) -> Vec<Candidate> {
        let packed = PackedVector::from_floats(vector);
        let mut found: Vec<(usize, f32)> = Vec::new();
        for (at, bytes) in self.bytes.chunks_exact(self.dimensions).enumerate() {
            let Some(scale) = self.scales.get(at) else { break };
            let dot = i8::dot(&packed.bytes, bytes).unwrap_or_default() as f32 * packed.scale * scale;
            if dot >= threshold - BLUR {
                found.push((at, dot));
            }
        }
        let mut candidates: Vec<Candidate> = found.iter().filter_map(|(at, _)| self.score(*at, vector, now)).collect();
        candidates.retain(|candidate| candidate.similarity >= threshold);
        candidates.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        candidates.truncate(MAX_CANDIDATES);
        candidates
    }

    /// The cosine by the whole question.
    fn score(&self, at: usize, vector: &[f32], now: u64) -> Option<Candidate> {
        let item = self.items.get(at).filter(|item| item.expires_at > now)?;
        let bytes = self.bytes.get(at * self.dimensions..(at + 1) * self.dimensions)?;
        let (mut dot, mut squares) = (0.0_f32, 0.0_f32);
        for (byte, value) in bytes.iter().zip(vector) {
            dot += f32::from(*byte) * value;
            squares += f32::from(*byte) * f32::from(*byte);
        }
        let similarity = if squares > 0.0 { dot / squares.sqrt() } else { 0.0 };
        Some(Candidate { key: item.key, text: item.text.clone(), similarity })
    }

    /// Removes one question; the last one takes its place, and is named.
    fn remove(&mut self, at: usize) -> Option<CacheKey> {
        let last = self.items.len().checked_sub(1).filter(|last| at <= *last)?;
        self.items.swap_remove(at);
        self.scales.swap_remove(at);
        self.bytes.copy_within(last * self.dimensions.., at * self.dimensions);
        self.bytes.truncate(last * self.dimensions);
        self.items.get(at).map(|moved| moved.key)
    }
}

#[cfg(test)]
mod tests;
