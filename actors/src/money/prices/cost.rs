//! What some usage costs exactly, and what a request may cost at most.

use gateway_wire::Usage;

use super::price::Price;
use super::rates::Rates;
use crate::money::amount::{PerMillion, PicoUsd};

impl Price {
    /// The exact cost of some usage: every token is paid once, at the rate of its kind (C2).
    pub fn cost(&self, usage: &Usage) -> PicoUsd {
        let rates = Rates::at(self, usage.prompt_tokens);
        // What a vendor reports as cached is billed even where it exceeds the input that it reports.
        let cached = [usage.cached_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens];
        let uncached = cached.into_iter().fold(usage.prompt_tokens, u64::saturating_sub);
        // Cached sound is counted as both, and is paid as cached.
        let (audio_input, rest) = take(usage.audio_prompt_tokens, uncached);
        let (image_input, input) = take(usage.image_prompt_tokens, rest);
        let (reasoning, rest) = take(usage.reasoning_tokens, usage.completion_tokens);
        let (audio_output, output) = take(usage.audio_completion_tokens, rest);
        sum([
            (rates.input, input),
            (rates.cached_input, usage.cached_tokens),
            (rates.cache_write, usage.cache_write_tokens),
            (rates.cache_write_1h, usage.cache_write_1h_tokens),
            (rates.audio_input, audio_input),
            (rates.image_input, image_input),
            (rates.output, output),
            (rates.reasoning, reasoning),
            (rates.audio_output, audio_output),
        ])
    }

    /// The most that a request with at most so many tokens can cost in this row's service tier.
    pub fn estimate(&self, input_tokens: u64, output_tokens: u64) -> PicoUsd {
        let (mut input, mut output) = (PerMillion::default(), PerMillion::default());
        for rates in Rates::up_to(self, input_tokens) {
            input = input.max(rates.dearest_input());
            output = output.max(rates.dearest_output());
        }
        sum([(input, input_tokens), (output, output_tokens)])
    }
}

/// Splits a count into the wanted part, as far as it goes, and the rest.
fn take(wanted: u64, of: u64) -> (u64, u64) {
    let part = wanted.min(of);
    (part, of - part)
}

fn sum(parts: impl IntoIterator<Item = (PerMillion, u64)>) -> PicoUsd {
    parts.into_iter().map(|(price, tokens)| price.times(tokens)).fold(PicoUsd::default(), PicoUsd::plus)
}
