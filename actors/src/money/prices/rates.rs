//! The rates of one request: a row, or its tier for long requests, with every gap filled.

use super::price::{Above, Price};
use crate::money::amount::PerMillion;

/// What a million tokens of each kind cost.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub input: PerMillion,
    pub cached_input: PerMillion,
    pub cache_write: PerMillion,
    pub cache_write_1h: PerMillion,
    pub audio_input: PerMillion,
    pub image_input: PerMillion,
    pub output: PerMillion,
    pub reasoning: PerMillion,
    pub audio_output: PerMillion,
}

impl Rates {
    /// The rates of a request with so much input: the highest threshold that it exceeds prices all of it.
    pub fn at(price: &Price, prompt_tokens: u64) -> Self {
        let exceeded = price.above.iter().filter(|above| prompt_tokens > above.tokens);
        exceeded.max_by_key(|above| above.tokens).map_or_else(|| Self::plain(price), |above| Self::long(price, above))
    }

    /// The rates of every tier that a request with at most so much input may come to.
    pub fn up_to(price: &Price, prompt_tokens: u64) -> impl Iterator<Item = Self> {
        let reachable = price.above.iter().filter(move |above| prompt_tokens > above.tokens);
        std::iter::once(Self::plain(price)).chain(reachable.map(|above| Self::long(price, above)))
    }

    /// The dearest that input can be.
    pub fn dearest_input(&self) -> PerMillion {
        let special = [self.cached_input, self.cache_write, self.cache_write_1h, self.audio_input, self.image_input];
        special.into_iter().fold(self.input, PerMillion::max)
    }

    /// The dearest that output can be.
    pub fn dearest_output(&self) -> PerMillion {
        self.output.max(self.reasoning).max(self.audio_output)
    }

    fn plain(price: &Price) -> Self {
        let cache_write = price.cache_write.unwrap_or(price.input);
        Self {
            input: price.input,
            cached_input: price.cached_input.unwrap_or(price.input),
            cache_write,
            cache_write_1h: price.cache_write_1h.unwrap_or(cache_write),
            audio_input: price.audio_input.unwrap_or(price.input),
            image_input: price.image_input.unwrap_or(price.input),
            output: price.output,
            reasoning: price.reasoning.unwrap_or(price.output),
            audio_output: price.audio_output.unwrap_or(price.output),
        }
    }

    fn long(price: &Price, above: &Above) -> Self {
        let cache_write = above.cache_write.unwrap_or(above.input);
        // A tier says nothing of sound and pictures: they cost no less than anywhere.
        let dearer = |own: Option<PerMillion>, tier: PerMillion| own.map_or(tier, |own| own.max(tier));
        Self {
            input: above.input,
            cached_input: above.cached_input.unwrap_or(above.input),
            cache_write,
            cache_write_1h: above.cache_write_1h.unwrap_or(cache_write),
            audio_input: dearer(price.audio_input, above.input),
            image_input: dearer(price.image_input, above.input),
            output: above.output,
            reasoning: above.reasoning.unwrap_or(above.output),
            audio_output: dearer(price.audio_output, above.output),
        }
    }
}
