//! What a stream consumes, counted as it passes, and cut where its reservation ends.

use bytes::Bytes;
use gateway_wire::{StreamDecoder, Usage, openai};

use super::relay::{Ending, Meter};
use crate::cache::recorder::Recorder;
use crate::guardrails::OutputGuards;
use crate::money::amount::PicoUsd;
use crate::request::call::metadata;
use crate::request::metering::Metering;
use crate::request::request_log::RequestRecord;
use crate::responses::AnswerKeeper;

/// Counts a stream as it passes.
pub(in crate::request) struct StreamMeter<'a> {
    pub(in crate::request) metering: Metering,
    pub(in crate::request) record: &'a mut RequestRecord,
    pub(in crate::request) provider: &'a str,
    pub(in crate::request) include_usage: bool,
    pub(in crate::request) recorder: Option<Recorder>,
    pub(in crate::request) keeper: Option<&'a AnswerKeeper>,
    pub(in crate::request) guards: Option<OutputGuards>,
    pub(in crate::request) cost: Option<PicoUsd>,
}

impl StreamMeter<'_> {
    /// The metadata, once all is known that it tells.
    async fn settled_metadata(&self, cost: Option<PicoUsd>) -> String {
        if let Some(guards) = self.guards.as_ref().filter(|guards| guards.has_pending()) {
            Box::pin(guards.settle(None)).await;
        }
        self.metadata(cost)
    }

    fn metadata(&self, cost: Option<PicoUsd>) -> String {
        let metadata = metadata(self.provider, cost);
        match &self.guards {
            Some(guards) => guards.metadata(metadata),
            None => metadata,
        }
    }
}

impl Meter for StreamMeter<'_> {
    async fn frame(&mut self, frame: &Bytes, text: Option<&str>) -> Option<Ending> {
        if let Some(recorder) = &mut self.recorder {
            recorder.frames(frame);
        }
        if !self.metering.is_used_up_by(frame, text).await {
            return None;
        }
        self.recorder = None;
        log::warn!("'{}' did not keep to max_tokens: a stream is cut where its reservation ends", self.provider);
        if let Some(guards) = &self.guards {
            guards.give_up_verdicts();
        }
        let mut ending = Ending { choices: self.metering.choices(), ..Ending::default() };
        if let Some((usage, cost)) = self.metering.settle_counted("success").await {
            self.record.metered(&usage, cost);
            ending.usage = Some(usage);
            if self.include_usage {
                ending.metadata = Some(self.settled_metadata(cost).await);
            }
        }
        Some(ending)
    }

    async fn judged(&mut self) -> bool {
        match self.guards.as_ref().filter(|guards| guards.is_waiting()) {
            Some(guards) => {
                Box::pin(guards.ask()).await;
                true
            }
            None => false,
        }
    }

    fn end(&mut self, frames: &Bytes) {
        if let Some(recorder) = &mut self.recorder {
            recorder.end(frames);
        }
    }

    fn ended(&mut self, frames: &Bytes, decoder: &mut dyn StreamDecoder) {
        if let Some(keeper) = self.keeper {
            keeper.keep_streamed(frames, decoder.replay());
        }
    }

    async fn usage(&mut self, usage: &Usage, chunk: Bytes, is_whole: bool) -> Option<Bytes> {
        let (usage, cost) = match is_whole {
            true => self.metering.settle_reported(usage, None, "success").await,
            false => self.metering.settle_at_least(usage, "error").await,
        };
        self.record.metered(&usage, cost);
        self.cost = cost;
        if let Some(recorder) = &mut self.recorder {
            recorder.usage(&chunk);
        }
        if !self.include_usage || chunk.is_empty() {
            return None;
        }
        Some(openai::with_metadata(&chunk, &self.settled_metadata(cost).await))
    }
}
